/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * guest-counts DOMID GFN : prints how many USB devices a guest has seen come
 * and go, which its `usb-try gone` counts in page GFN, whenever that changes:
 * microseconds since 1970, come, gone. By dom0's clock, and without the guest's
 * console, which takes longer than what is measured. Ends by a signal.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <xenforeignmemory.h>

enum { EVERY_US = 4000 };

static unsigned long long now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * 1000000ull + ts.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    uint64_t added = 0, removed = 0;
    const volatile uint64_t *count;
    xen_pfn_t gfn;

    if (argc != 3 || !fmem)
        return fputs("usage: guest-counts DOMID GFN (in dom0)\n", stderr), 2;
    gfn = strtoul(argv[2], NULL, 0);
    count = xenforeignmemory_map(fmem, strtoul(argv[1], NULL, 0), PROT_READ, 1,
                                 &gfn, NULL);
    if (!count)
        return perror("guest-counts"), 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (;; usleep(EVERY_US))
        if (count[0] != added || count[1] != removed) {
            added = count[0];
            removed = count[1];
            printf("%llu %lu %lu\n", now_us(), added, removed);
        }
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * guest-rate DOMID GFN : waits until a domain of that number or a later one is
 * there and is not paused, then prints what its `work` (guest/work.c) has
 * counted in page GFN, about a hundred times a second: microseconds since 1970,
 * looks, wrong. Ends with the domain, or by a signal.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xenforeignmemory.h>

#define EVERY_US 10000
#define SEEK_US 2000

static xc_interface *xch;

static unsigned long long now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * 1000000ull + ts.tv_nsec / 1000;
}

/* Whether there is one, which is put into *domid; *paused tells how it is. */
static int exists(uint32_t *domid, int *paused)
{
    xc_domaininfo_t info;

    if (xc_domain_getinfolist(xch, *domid, 1, &info) != 1 ||
        (info.flags & XEN_DOMINF_dying))
        return 0;
    *domid = info.domain;
    *paused = !!(info.flags & XEN_DOMINF_paused);
    return 1;
}

int main(int argc, char **argv)
{
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    const volatile uint64_t *count;
    unsigned long long now;
    uint32_t domid;
    xen_pfn_t gfn;
    int paused;

    xch = xc_interface_open(NULL, NULL, 0);
    if (argc != 3 || !fmem || !xch)
        return fputs("usage: guest-rate DOMID GFN (in dom0)\n", stderr), 2;
    domid = strtoul(argv[1], NULL, 0);
    gfn = strtoul(argv[2], NULL, 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (!exists(&domid, &paused) || paused)
        usleep(SEEK_US);
    now = now_us();
    count = xenforeignmemory_map(fmem, domid, PROT_READ, 1, &gfn, NULL);
    if (!count)
        return perror("guest-rate"), 1;
    for (; exists(&domid, &paused); now = now_us()) {
        printf("%llu %lu %lu\n", now, count[0], count[1]);
        usleep(EVERY_US);
    }
    return 0;
}

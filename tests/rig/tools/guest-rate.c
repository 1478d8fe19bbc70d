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
#include <unistd.h>

/* Its xenctrl.h has to come before Xen's other headers. */
#include "guest-info.h"

#include <xenforeignmemory.h>

#define EVERY_US 10000
#define SEEK_US 2000

int main(int argc, char **argv)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    const volatile uint64_t *count;
    unsigned long long now;
    xc_domaininfo_t info;
    uint32_t domid;
    xen_pfn_t gfn;

    if (argc != 3 || !fmem || !xch)
        return fputs("usage: guest-rate DOMID GFN (in dom0)\n", stderr), 2;
    domid = strtoul(argv[1], NULL, 0);
    gfn = strtoul(argv[2], NULL, 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (!find_domain(xch, domid, &info) || info.flags & XEN_DOMINF_paused)
        usleep(SEEK_US);
    domid = info.domain;
    now = now_us();
    count = xenforeignmemory_map(fmem, domid, PROT_READ, 1, &gfn, NULL);
    if (!count)
        return perror("guest-rate"), 1;
    while (find_domain(xch, domid, &info) && info.domain == domid) {
        printf("%llu %lu %lu\n", now, count[0], count[1]);
        usleep(EVERY_US);
        now = now_us();
    }
    return 0;
}

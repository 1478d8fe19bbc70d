/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * guest-memory DOMID : waits until a domain of that number or a later one is
 * there, then prints how many pages it has in memory, twenty times a second:
 * microseconds since 1970, pages. Pages that are paged out, or that nobody has
 * populated yet, do not count. Ends with the domain, or by a signal.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "guest-info.h"

#define EVERY_US 50000
#define SEEK_US 2000

int main(int argc, char **argv)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    xc_domaininfo_t info;
    uint32_t domid;

    if (argc != 2 || !xch)
        return fputs("usage: guest-memory DOMID (in dom0)\n", stderr), 2;
    domid = strtoul(argv[1], NULL, 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (!find_domain(xch, domid, &info))
        usleep(SEEK_US);
    domid = info.domain;
    while (find_domain(xch, domid, &info) && info.domain == domid) {
        printf("%llu %lu\n", now_us(), info.tot_pages);
        usleep(EVERY_US);
    }
    return 0;
}

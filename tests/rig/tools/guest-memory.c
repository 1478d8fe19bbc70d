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
#include <time.h>
#include <unistd.h>

#include <xenctrl.h>

#define EVERY_US 50000
#define SEEK_US 2000

static xc_interface *xch;

static unsigned long long now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * 1000000ull + ts.tv_nsec / 1000;
}

/* Whether there is one, which is put into *domid, and *pages it has. */
static int exists(uint32_t *domid, uint64_t *pages)
{
    xc_domaininfo_t info;

    if (xc_domain_getinfolist(xch, *domid, 1, &info) != 1 ||
        (info.flags & XEN_DOMINF_dying))
        return 0;
    *domid = info.domain;
    *pages = info.tot_pages;
    return 1;
}

int main(int argc, char **argv)
{
    uint64_t pages;
    uint32_t domid;

    xch = xc_interface_open(NULL, NULL, 0);
    if (argc != 2 || !xch)
        return fputs("usage: guest-memory DOMID (in dom0)\n", stderr), 2;
    domid = strtoul(argv[1], NULL, 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (!exists(&domid, &pages))
        usleep(SEEK_US);
    for (; exists(&domid, &pages); usleep(EVERY_US))
        printf("%llu %lu\n", now_us(), pages);
    return 0;
}

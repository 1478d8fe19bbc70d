/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * domain-time DOMID: how long Xen has let a domain's vCPUs run, microseconds.
 * dom0's own account is another thing: Debian's kernel is built without
 * CONFIG_PARAVIRT_TIME_ACCOUNTING, and counts as used what its vCPUs waited
 * for a physical processor.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <xenctrl.h>

int main(int argc, char **argv)
{
    char *end;
    unsigned long domid = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
    xc_domaininfo_t info;

    if (argc != 2 || !*argv[1] || *end || domid > 0x7fef) {
        fprintf(stderr, "usage: domain-time DOMID\n");
        return 2;
    }
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    if (!xch)
        return perror("xc_interface_open"), 1;
    if (xc_domain_getinfolist(xch, (uint32_t)domid, 1, &info) != 1 ||
        info.domain != domid)
        return fprintf(stderr, "domain-time: no domain %lu\n", domid), 1;
    printf("%" PRIu64 "\n", info.cpu_time / 1000);
    return 0;
}

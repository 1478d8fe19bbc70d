/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * paging-off DOMID : succeeds when nobody pages the domain's memory, which is
 * so when paging can be turned on. It is turned off again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenctrl.h>

int main(int argc, char **argv)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    uint32_t domid, port;

    if (argc != 2 || !xch) {
        fputs("usage: paging-off DOMID (in dom0)\n", stderr);
        return 2;
    }
    domid = strtoul(argv[1], NULL, 10);
    if (xc_mem_paging_enable(xch, domid, &port)) {
        printf("domain %u: paging cannot be turned on: %s\n", domid,
               strerror(errno));
        return 1;
    }
    if (xc_mem_paging_disable(xch, domid)) {
        printf("domain %u: paging stays on: %s\n", domid, strerror(errno));
        return 2;
    }
    return 0;
}

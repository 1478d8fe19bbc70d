/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * m2p-blocks: how many 2 MiB blocks of the machine's memory have 512
 * consecutive gfns in them, the first a multiple of 512, by Xen's own table of
 * which gfn each frame is for. It does not say whose: what a domain has is the
 * difference to what it was without that domain. Any Xen has the table; the
 * domain's own, which count-2m asks for, takes a hypervisor of ours.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenctrl.h>
#include <xenguest.h>

enum { BLOCK = 512 };

static int is_block(const xen_pfn_t *gfn)
{
    if (gfn[0] % BLOCK)
        return 0;
    for (int i = 1; i < BLOCK; i++)
        if (gfn[i] != gfn[0] + (xen_pfn_t)i)
            return 0;
    return 1;
}

int main(void)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    unsigned long end, count = 0;
    if (!xch || xc_maximum_ram_page(xch, &end))
        return perror("m2p-blocks: Xen"), 1;
    const xen_pfn_t *m2p = xc_map_m2p(xch, end, PROT_READ, NULL);
    if (!m2p)
        return perror("m2p-blocks: the table"), 1;
    for (unsigned long mfn = 0; mfn + BLOCK <= end; mfn += BLOCK)
        count += (unsigned long)is_block(m2p + mfn);
    printf("%lu\n", count);
    return 0;
}

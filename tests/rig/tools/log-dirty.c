/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * log-dirty DOMID on|count|off : has Xen track a domain's writes, as for a live
 * migration; prints how many pages count as written; ends it.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenctrl.h>

static xc_interface *xch;
static uint32_t domid;

static int control(unsigned op)
{
    return xc_shadow_control(xch, domid, op, NULL, 0);
}

static int count(void)
{
    DECLARE_HYPERCALL_BUFFER(unsigned long, bitmap);
    const unsigned bits = sizeof(*bitmap) * CHAR_BIT;
    unsigned long words, dirty = 0;
    xen_pfn_t max = 0;

    if (xc_domain_maximum_gpfn(xch, domid, &max))
        return -1;
    words = max / bits + 1;
    bitmap = xc_hypercall_buffer_alloc_pages(
        xch, bitmap, words * sizeof(*bitmap) / XC_PAGE_SIZE + 1);
    if (!bitmap ||
        xc_logdirty_control(xch, domid, XEN_DOMCTL_SHADOW_OP_PEEK,
                            HYPERCALL_BUFFER(bitmap), max + 1, 0, NULL) < 0)
        return -1;
    for (unsigned long i = 0; i < words; i++)
        dirty += (unsigned)__builtin_popcountl(bitmap[i]);
    printf("%lu\n", dirty);
    return 0;
}

int main(int argc, char **argv)
{
    int rc;

    xch = xc_interface_open(NULL, NULL, 0);
    if (argc != 3 || !xch)
        return fputs("usage: log-dirty DOMID on|count|off (in dom0)\n", stderr),
               2;
    domid = strtoul(argv[1], NULL, 0);
    if (!strcmp(argv[2], "count"))
        rc = count();
    else
        rc = control(!strcmp(argv[2], "on")
                         ? XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY
                         : XEN_DOMCTL_SHADOW_OP_OFF);
    if (rc)
        perror("log-dirty");
    return !!rc;
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * count-2m DOMID [GFN]: how many of a domain's gfns below 16 GiB, from GFN on,
 * are backed by 2 MiB pages. Asks Xen (XENMEM_paging_op_count_2m of
 * hypervisor/), not the product.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xencall.h>
#include <xenctrl.h>

#define COUNT_2M 0x43
#define PART 0x10000u
#define GFNS (16ull << 18)

struct paging_op {
    uint8_t op, pad;
    uint16_t domain;
    uint32_t nr;
    uint64_t buffer, gfn;
};

int main(int argc, char **argv)
{
    char *end;
    unsigned long domid = argc > 1 ? strtoul(argv[1], &end, 10) : 0;
    if (argc < 2 || argc > 3 || !*argv[1] || *end || domid > 0x7fef) {
        fprintf(stderr, "usage: count-2m DOMID [GFN]\n");
        return 2;
    }
    xencall_handle *xcall = xencall_open(NULL, 0);
    struct paging_op *op =
        xcall ? xencall_alloc_buffer(xcall, sizeof(*op)) : NULL;
    if (!op)
        return perror("xencall"), 1;
    unsigned long count = 0;
    uint64_t first = argc == 3 ? strtoull(argv[2], NULL, 0) : 0;
    for (uint64_t gfn = first; gfn < GFNS; gfn += PART) {
        *op = (struct paging_op){
            .op = COUNT_2M, .domain = (uint16_t)domid, .nr = PART, .gfn = gfn
        };
        int rc = xencall2(xcall, __HYPERVISOR_memory_op, XENMEM_paging_op,
                          (uint64_t)(uintptr_t)op);
        if (rc < 0)
            return fprintf(stderr, "count-2m: %s\n", strerror(errno)), 1;
        count += (unsigned long)rc;
    }
    printf("%lu\n", count);
    return 0;
}

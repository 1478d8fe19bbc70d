/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * map-page DOMID GFN : prints the first byte of a guest's page. Waits for one
 * that is paged out, as everything in dom0 does that maps guest memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <xenforeignmemory.h>

int main(int argc, char **argv)
{
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    xen_pfn_t gfn;
    unsigned char *p;

    if (argc != 3 || !fmem) {
        fputs("usage: map-page DOMID GFN (in dom0)\n", stderr);
        return 2;
    }
    gfn = strtoul(argv[2], NULL, 0);
    p = xenforeignmemory_map(fmem, strtoul(argv[1], NULL, 0), PROT_READ, 1,
                             &gfn, NULL);
    if (!p) {
        perror("map-page");
        return 1;
    }
    printf("%u\n", *p);
    return 0;
}

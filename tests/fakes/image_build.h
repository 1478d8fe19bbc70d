/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Composes save files for tests, byte by byte, right or wrong. What is added
 * goes to the end; offsets of what was added are kept where tests want them.
 */
#ifndef FAKES_IMAGE_BUILD_H
#define FAKES_IMAGE_BUILD_H

#include <stddef.h>
#include <stdint.h>

#include "image/format.h"

#define BUILD_PAGES_NOTED 32

struct image_build {
    unsigned char *bytes;
    size_t len, cap;
    unsigned round; /* goes into the pages' content; a test may change it */
    size_t libxl;   /* offset of libxl's header */
    size_t libxc;   /* of libxc's image header */
    size_t tail;    /* of the first record behind the pages */
    size_t end;     /* of libxc's END record */
    size_t page[BUILD_PAGES_NOTED]; /* of the first pages */
    size_t nr_pages;
};

/* Starts over, empty; the first use wants a zeroed structure. */
void build_reset(struct image_build *b);
void build_free(struct image_build *b);

/* A pfn of a PAGE_DATA record. */
#define BUILD_PFN(type, gfn) ((uint64_t)(type) << 60 | (uint64_t)(gfn))

/* --- pieces --------------------------------------------------------------- */

void build_bytes(struct image_build *b, const void *bytes, size_t len);

/* A record of libxl or libxc with its padding; returns its offset. */
size_t build_record(struct image_build *b, uint32_t type, const void *body,
                    size_t len);

void build_xl_header(struct image_build *b);
void build_libxl_header(struct image_build *b); /* and LIBXC_CONTEXT */
void build_libxc_headers(struct image_build *b, uint32_t version,
                         uint32_t guest);

/* A PAGE_DATA record, with pages as build_page() fills them. */
size_t build_pfns(struct image_build *b, const uint64_t *pfns, uint32_t nr);

/* The same for gfns [gfn, gfn + nr), all with pages. */
size_t build_range(struct image_build *b, uint64_t gfn, uint32_t nr);

/* What round `round` has in the page of `gfn`. */
void build_page(uint64_t gfn, unsigned round, void *page);

/* HVM_PARAMS with nr pairs of index and value. */
size_t build_params(struct image_build *b, const uint64_t (*params)[2],
                    uint32_t nr);

/* HVM_CONTEXT of nr vCPUs with these in CR3, and some other entries. */
size_t build_context(struct image_build *b, const uint64_t *cr3, size_t nr);

/* One entry of a context; and HVM_CONTEXT of one vCPU, with these entries. */
struct build_entry {
    uint16_t typecode, instance;
    uint32_t length;
    const void *body;
};
size_t build_context_of(struct image_build *b, const struct build_entry *entry,
                        size_t nr);

/* --- wholes --------------------------------------------------------------- */

/* Everything before the pages. */
void build_start(struct image_build *b, uint32_t version, uint32_t guest);

/* Everything behind them, of an HVM guest. */
void build_finish(struct image_build *b);

/* The same of a PV guest of 64 bits with `pfns` pfns; libxl's END is next. */
void build_pv_start(struct image_build *b, uint32_t version, uint32_t pfns);
void build_pv_finish(struct image_build *b);

/* From libxc's END to libxl's, with the records of a device model. */
void build_ends(struct image_build *b);

/* A memfd that holds the file. */
int build_fd(const struct image_build *b);

#endif

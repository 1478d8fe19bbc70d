/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Streams of every kind and order of records, as Xen 4.6 to 4.21 write them or
 * with one thing changed, and what Xen's two readers make of them: libxc's
 * restore (tools/libs/guest/xg_sr_restore*.c, whose rules for x86 are the same
 * from 4.14 to 4.21; those before know version 2 only) and verify-stream-v2
 * (tools/python/xen/migration, of 4.17 and 4.20). Their rules are tables in
 * image_model.c; tests/unit/check-image-corpus.sh holds the second ones against
 * the program, where it is installed. Nothing holds the first ones against
 * libxc, which needs a domain: they are as they were read.
 */
#ifndef FAKES_IMAGE_CORPUS_H
#define FAKES_IMAGE_CORPUS_H

#include <stdbool.h>

#include "fakes/image_build.h"

struct corpus_record {
    uint32_t type;
    uint32_t length;
    const void *body;
};

#define CORPUS_RECORDS 24

/* A libxc stream; what is behind its END record is not written. */
struct corpus_stream {
    uint32_t version; /* 2 or 3 */
    uint32_t guest;   /* FMT_GUEST_PV, FMT_GUEST_HVM */
    uint32_t xen_major, xen_minor;
    struct corpus_record record[CORPUS_RECORDS];
    size_t nr;
};

/* What a reader should say. */
struct corpus_verdict {
    bool libxc;    /* libxl's or libxc's restore goes through it */
    bool verify;   /* verify-stream-v2 accepts it */
    bool stricter; /* refused by us all the same; docs/image.md says why */
};

/* image_model.c */
struct corpus_verdict corpus_judge(const struct corpus_stream *stream);

/* A file of the corpus; `b` is the callee's to look at until it returns. */
typedef void corpus_fn(void *arg, const char *name, const struct image_build *b,
                       struct corpus_verdict verdict);

/* Calls `fn` for each, always the same ones in the same order. */
void corpus_each(corpus_fn *fn, void *arg);

#endif

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Records of every kind, with bodies that are right, and the streams that are
 * made of them as each release writes them.
 */
#ifndef FAKES_IMAGE_PIECES_H
#define FAKES_IMAGE_PIECES_H

#include "fakes/image_corpus.h"

#define BODY 8192 /* what a body is cut from, of which most is zeros */

/* Bodies that are right, and room behind them for too long ones. */
struct kit {
    uint64_t cpuid[BODY / 8], msr[BODY / 8], tsc[BODY / 8], page[BODY / 8];
    uint64_t context[BODY / 8], params[BODY / 8], pv_info[BODY / 8];
    uint64_t pv_frames[BODY / 8], pfns[BODY / 8], other[BODY / 8];
};

void corpus_fill_kit(struct kit *kit);

enum piece {
    CPUID,
    MSR,
    STATIC,
    PAGE,
    TSC,
    CONTEXT,
    PARAMS,
    INFO,
    FRAMES,
    SHARED,
    BASIC,
    EXTENDED,
    XSAVE,
    MSRS,
    END,
    /* of no stream that is saved */
    BASIC_EMPTY,
    BASIC_SHORT,
    VERIFY,
    TOOLSTACK,
    CHECKPOINT,
    DIRTY_LIST,
    UNKNOWN,
    OPTIONAL,
    OPTIONAL_PAGE,
    END_WITH_BODY,
    CONTEXT_WITHOUT_END,
    PARAMS_EMPTY,
    NR_PIECES,
};

extern const struct piece_row {
    const char *name;
    uint32_t type, length;
    size_t body; /* offset in struct kit */
} corpus_pieces[NR_PIECES];

struct corpus_record corpus_make(const struct kit *kit, enum piece piece);

/* --- streams -------------------------------------------------------------- */

struct base {
    const char *name;
    uint32_t version, guest, xen_major, xen_minor;
    enum piece piece[16]; /* up to END */
};

#define NR_BASES 5
extern const struct base corpus_bases[NR_BASES];

/* Of few records, all orders of which can be tried. */
#define NR_ORDERS 4
extern const struct base corpus_orders[NR_ORDERS];

void corpus_compose(const struct kit *kit, const struct base *base,
                    struct corpus_stream *s);

#endif

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * From a stream as each release writes it, one thing is changed at a time: a
 * record more, one less, one elsewhere, one with another length, another pfn;
 * then what is around the stream, and where the file ends.
 */
#include "fakes/image_pieces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))
#define TAIL 4

struct corpus {
    struct kit kit;
    struct image_build b;
    corpus_fn *fn;
    void *arg;
    size_t boundary[64], nr_boundaries; /* of the file in `b` */
};

/* What is around a stream. */
struct around {
    uint32_t context_length; /* of libxl's LIBXC_CONTEXT */
    struct corpus_record tail[TAIL];
    size_t nr;
};

static const struct around plain = { .tail = { { FMT_LIBXL_END, 0, NULL } },
                                     .nr = 1 };

/* --- files ---------------------------------------------------------------- */

static void boundary(struct corpus *c)
{
    if (c->nr_boundaries == NR(c->boundary))
        abort();
    c->boundary[c->nr_boundaries++] = c->b.len;
}

static void put_record(struct corpus *c, const struct corpus_record *record)
{
    boundary(c);
    build_record(&c->b, record->type, record->body, record->length);
}

static void put_headers(struct corpus *c, const struct corpus_stream *s)
{
    struct fmt_libxc_headers headers;
    build_libxc_headers(&c->b, s->version, s->guest);
    memcpy(&headers, c->b.bytes + c->b.libxc, sizeof(headers));
    headers.domain.xen_major = s->xen_major;
    headers.domain.xen_minor = s->xen_minor;
    memcpy(c->b.bytes + c->b.libxc, &headers, sizeof(headers));
}

static void put_file(struct corpus *c, const struct corpus_stream *s,
                     const struct around *around)
{
    build_reset(&c->b);
    c->nr_boundaries = 0;
    build_xl_header(&c->b);
    boundary(c);
    build_libxl_header(&c->b);
    c->b.len -= sizeof(struct fmt_record);
    put_record(c,
               &(struct corpus_record){ FMT_LIBXL_LIBXC_CONTEXT,
                                        around->context_length, c->kit.other });
    boundary(c);
    put_headers(c, s);
    for (size_t i = 0; i < s->nr; i++) {
        put_record(c, &s->record[i]);
        if (s->record[i].type == FMT_END)
            break;
    }
    for (size_t i = 0; i < around->nr; i++)
        put_record(c, &around->tail[i]);
}

static void tell(struct corpus *c, const char *name,
                 const struct corpus_stream *s)
{
    put_file(c, s, &plain);
    c->fn(c->arg, name, &c->b, corpus_judge(s));
}

static void insert(struct corpus_stream *s, size_t at,
                   struct corpus_record record)
{
    memmove(&s->record[at + 1], &s->record[at],
            (s->nr++ - at) * sizeof(record));
    s->record[at] = record;
}

static struct corpus_record take(struct corpus_stream *s, size_t at)
{
    struct corpus_record record = s->record[at];
    memmove(&s->record[at], &s->record[at + 1],
            (--s->nr - at) * sizeof(record));
    return record;
}

/* --- one change ----------------------------------------------------------- */

static void each_more(struct corpus *c, const char *base,
                      const struct corpus_stream *whole)
{
    char name[80];
    for (size_t at = 0; at < whole->nr; at++) {
        for (int piece = 0; piece < NR_PIECES; piece++) {
            struct corpus_stream s = *whole;
            insert(&s, at, corpus_make(&c->kit, (enum piece)piece));
            snprintf(name, sizeof(name), "%s %s more at %zu", base,
                     corpus_pieces[piece].name, at);
            tell(c, name, &s);
        }
    }
}

static void each_less(struct corpus *c, const char *base,
                      const struct corpus_stream *whole)
{
    char name[80];
    for (size_t at = 0; at < whole->nr; at++) {
        struct corpus_stream s = *whole;
        struct corpus_record record = take(&s, at);
        snprintf(name, sizeof(name), "%s type %#x less", base, record.type);
        tell(c, name, &s);
    }
}

static void each_elsewhere(struct corpus *c, const char *base,
                           const struct corpus_stream *whole)
{
    char name[80];
    for (size_t from = 0; from < whole->nr; from++) {
        for (size_t to = 0; to < whole->nr; to++) {
            struct corpus_stream s = *whole;
            insert(&s, to, take(&s, from));
            snprintf(name, sizeof(name), "%s record %zu at %zu", base, from,
                     to);
            tell(c, name, &s);
        }
    }
}

static void each_length(struct corpus *c, const char *base,
                        const struct corpus_stream *whole)
{
    static const int change[] = { -16, -8, -1, 1, 8, 16, 32 };
    char name[80];
    for (size_t at = 0; at < whole->nr; at++) {
        for (size_t i = 0; i <= NR(change); i++) {
            struct corpus_stream s = *whole;
            long length =
                i < NR(change) ? (long)s.record[at].length + change[i] : 0;
            if (length < 0)
                continue;
            s.record[at].length = (uint32_t)length;
            snprintf(name, sizeof(name), "%s record %zu of %ld bytes", base, at,
                     length);
            tell(c, name, &s);
        }
    }
}

/* --- all orders of some records ------------------------------------------- */

static void each_order(struct corpus *c, const struct base *base,
                       const struct corpus_stream *whole, size_t done)
{
    char name[80];
    if (done == whole->nr) {
        snprintf(name, sizeof(name), "%s in another order", base->name);
        tell(c, name, whole);
        return;
    }
    for (size_t i = done; i < whole->nr; i++) {
        struct corpus_stream s = *whole;
        insert(&s, done, take(&s, i));
        each_order(c, base, &s, done + 1);
    }
}

/* --- pfns ----------------------------------------------------------------- */

/* In the place of the stream's page: `nr` pfns and `pages` pages. */
static void tell_pfns(struct corpus *c, const char *name,
                      const struct corpus_stream *whole, const uint64_t *pfns,
                      uint32_t nr, uint32_t pages)
{
    struct corpus_stream s = *whole;
    size_t at = 0;
    while (s.record[at].type != FMT_PAGE_DATA)
        at++;
    memcpy(&c->kit.pfns[1], pfns, nr * sizeof(*pfns));
    s.record[at].body = c->kit.pfns;
    s.record[at].length = 8 + nr * 8 + pages * 4096;
    tell(c, name, &s);
}

static void each_type(struct corpus *c, const char *base,
                      const struct corpus_stream *whole)
{
    static const uint64_t gfns[] = {
        0,
        7,
        8,
        (1ull << 40) - 1,
        1ull << 40,
        (1ull << 52) - 1,
        1ull << 52,
        1ull << 59 | 3,
        0xffull << 52 | 1ull << 40,
    };
    char name[80];
    c->kit.pfns[0] = 1;
    for (unsigned type = 0; type < 16; type++) {
        for (size_t i = 0; i < NR(gfns); i++) {
            uint64_t pfn = BUILD_PFN(type, gfns[i]);
            for (uint32_t pages = 0; pages < 2; pages++) {
                snprintf(name, sizeof(name), "%s pfn %#llx, %u pages", base,
                         (unsigned long long)pfn, pages);
                tell_pfns(c, name, whole, &pfn, 1, pages);
            }
        }
    }
}

static void each_count(struct corpus *c, const char *base,
                       const struct corpus_stream *whole)
{
    static const uint64_t pfns[] = { 1, BUILD_PFN(FMT_PFN_XTAB, 2) };
    static const uint32_t counts[] = { 0, 1, 2, 3, 513, 514, 515, 1u << 31 };
    char name[80];
    for (size_t i = 0; i < NR(counts); i++) {
        c->kit.pfns[0] = counts[i];
        snprintf(name, sizeof(name), "%s said to have %u pfns", base,
                 counts[i]);
        tell_pfns(c, name, whole, pfns, 2, 1);
    }
}

/* --- around the stream ---------------------------------------------------- */

/*
 * Libxl does not look at a body that it does not want, and takes whatever
 * number of an emulator. Two streams, or none, are no domain.
 */
static const struct {
    const char *name;
    uint32_t context_length;
    uint32_t type, length;
    uint64_t body;
    struct corpus_verdict verdict;
} arounds[] = {
    { "as it is", 0, FMT_LIBXL_END, 0, 0, { true, true, false } },
    { "context with a body", 8, FMT_LIBXL_END, 0, 0, { true, false, false } },
    { "end with a body", 0, FMT_LIBXL_END, 8, 0, { true, false, false } },
    { "no context",
      0,
      FMT_LIBXL_EMULATOR_CONTEXT,
      8,
      1,
      { true, true, false } },
    { "emulator 2",
      0,
      FMT_LIBXL_EMULATOR_CONTEXT,
      8,
      2,
      { true, true, false } },
    { "emulator 3",
      0,
      FMT_LIBXL_EMULATOR_CONTEXT,
      8,
      3,
      { true, false, false } },
    { "short emulator",
      0,
      FMT_LIBXL_EMULATOR_CONTEXT,
      7,
      1,
      { false, false, false } },
    { "no xenstore",
      0,
      FMT_LIBXL_EMULATOR_XENSTORE_DATA,
      8,
      1,
      { true, true, false } },
    { "short xenstore",
      0,
      FMT_LIBXL_EMULATOR_XENSTORE_DATA,
      7,
      1,
      { false, false, false } },
    { "checkpoint end",
      0,
      FMT_LIBXL_CHECKPOINT_END,
      0,
      0,
      { false, true, false } },
    { "checkpoint state",
      0,
      FMT_LIBXL_CHECKPOINT_STATE,
      4,
      0,
      { false, true, false } },
    { "unknown", 0, 6, 0, 0, { false, false, false } },
    { "optional", 0, FMT_RECORD_OPTIONAL | 6, 0, 0, { false, false, false } },
};

static void each_around(struct corpus *c, const char *base,
                        const struct corpus_stream *whole)
{
    char name[80];
    for (size_t i = 0; i < NR(arounds); i++) {
        struct around around = {
            .context_length = arounds[i].context_length,
            .tail = { { arounds[i].type, arounds[i].length, &arounds[i].body },
                      { FMT_LIBXL_END, 0, NULL } },
            .nr = 2,
        };
        snprintf(name, sizeof(name), "%s in libxl's: %s", base,
                 arounds[i].name);
        put_file(c, whole, &around);
        c->fn(c->arg, name, &c->b, arounds[i].verdict);
    }
}

/* Nobody accepts what ends before libxl's END has been read. */
static void each_cut(struct corpus *c, const char *base,
                     const struct corpus_stream *whole)
{
    static const struct corpus_verdict refused = { false, false, false };
    char name[80];
    put_file(c, whole, &plain);
    size_t len = c->b.len;
    for (size_t i = 0; i < c->nr_boundaries; i++) {
        for (int beside = -1; beside <= 1; beside++) {
            c->b.len = c->boundary[i] + (size_t)beside;
            snprintf(name, sizeof(name), "%s cut at %zu", base, c->b.len);
            c->fn(c->arg, name, &c->b, refused);
        }
    }
    c->b.len = len - 1;
    snprintf(name, sizeof(name), "%s cut at %zu", base, c->b.len);
    c->fn(c->arg, name, &c->b, refused);
}

/* --- all ------------------------------------------------------------------ */

static void each_release(struct corpus *c)
{
    char name[80];
    for (uint32_t minor = 6; minor <= 21; minor++) {
        for (size_t i = 0; i < NR(corpus_bases); i++) {
            struct corpus_stream s;
            if (!corpus_bases[i].xen_major ||
                corpus_bases[i].version != (minor < 14 ? 2 : 3))
                continue;
            corpus_compose(&c->kit, &corpus_bases[i], &s);
            s.xen_minor = minor;
            snprintf(name, sizeof(name), "%s of 4.%u", corpus_bases[i].name,
                     minor);
            tell(c, name, &s);
        }
    }
}

void corpus_each(corpus_fn *fn, void *arg)
{
    struct corpus *c = calloc(1, sizeof(*c));
    struct corpus_stream s;
    if (!c)
        abort();
    c->fn = fn;
    c->arg = arg;
    corpus_fill_kit(&c->kit);
    each_release(c);
    for (size_t i = 0; i < NR(corpus_bases); i++) {
        corpus_compose(&c->kit, &corpus_bases[i], &s);
        tell(c, corpus_bases[i].name, &s);
        each_more(c, corpus_bases[i].name, &s);
        each_less(c, corpus_bases[i].name, &s);
        each_elsewhere(c, corpus_bases[i].name, &s);
        each_length(c, corpus_bases[i].name, &s);
        each_type(c, corpus_bases[i].name, &s);
        each_count(c, corpus_bases[i].name, &s);
        each_around(c, corpus_bases[i].name, &s);
        each_cut(c, corpus_bases[i].name, &s);
    }
    for (size_t i = 0; i < NR(corpus_orders); i++) {
        corpus_compose(&c->kit, &corpus_orders[i], &s);
        each_order(c, &corpus_orders[i], &s, 0);
    }
    build_free(&c->b);
    free(c);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The rules of Xen's two readers, from their sources, and independent of ours:
 * nothing of libxl-ext/image but the numbers of the format is used.
 */
#include <string.h>

#include "fakes/image_corpus.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

#define HVM (1u << FMT_GUEST_HVM)
#define PV (1u << FMT_GUEST_PV)
#define ALL (HVM | PV)

/* What libxc knows at some place of a stream. */
enum {
    STATIC_END = 1 << 0, /* the static data have ended */
    PV_INFO = 1 << 1,
    PV_FRAMES = 1 << 2,
    PV_VCPU = 1 << 3,
    CONTEXT = 1 << 4, /* the last one would be loaded */
    PARAMS = 1 << 5,
};

struct state {
    const struct corpus_stream *stream;
    unsigned facts;
    uint64_t max_pfn; /* of a PV guest */
    unsigned width;
};

/* A body that has the length its rule wants: whether it is accepted. */
typedef bool body_fn(struct state *s, const struct corpus_record *record);

static uint64_t word(const struct corpus_record *record, size_t i)
{
    uint64_t value;
    memcpy(&value, (const char *)record->body + i * sizeof(value),
           sizeof(value));
    return value;
}

static uint32_t half(const struct corpus_record *record, size_t i)
{
    return (uint32_t)(word(record, i / 2) >> (i % 2 * 32));
}

/* --- libxc: bodies -------------------------------------------------------- */

/* By type of pfn, 0 to 15: known, with a page, with memory. */
static const struct {
    bool known, page, memory;
} pfn_types[16] = {
    [0] = { true, true, true },   [1] = { true, true, true },
    [2] = { true, true, true },   [3] = { true, true, true },
    [4] = { true, true, true },   [9] = { true, true, true },
    [10] = { true, true, true },  [11] = { true, true, true },
    [12] = { true, true, true },  [13] = { true, false, false },
    [14] = { true, false, true }, [15] = { true, false, false },
};

/* `count` fits; what the pages take has to be what is left. */
static bool pages_fill(const struct corpus_record *record, uint32_t count)
{
    uint64_t pages = 0;
    for (uint32_t i = 0; i < count; i++)
        pages += pfn_types[word(record, 1 + i) >> 60].page;
    return record->length == 8 + 8ull * count + 4096 * pages;
}

/* Memory that no host has, realloc() or Xen does not give. */
static bool pfn_is_valid(const struct state *s, uint64_t pfn)
{
    uint64_t gfn = pfn << 12 >> 12;
    if (s->stream->guest == FMT_GUEST_PV)
        return s->facts & PV_FRAMES && gfn <= s->max_pfn;
    return !pfn_types[pfn >> 60].memory || gfn < 1ull << 40;
}

static bool pages(struct state *s, const struct corpus_record *record)
{
    uint32_t count = half(record, 0);
    if (!count || record->length < 8 + 8ull * count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t pfn = word(record, 1 + i);
        if (!pfn_is_valid(s, pfn) || !pfn_types[pfn >> 60].known)
            return false;
    }
    return pages_fill(record, count);
}

static bool params(struct state *s, const struct corpus_record *record)
{
    (void)s;
    return record->length == 8 + 16ull * half(record, 0);
}

/* Kept whatever it is; Xen wants entries up to one of type 0. */
static bool context(struct state *s, const struct corpus_record *record)
{
    uint64_t at = 0;
    s->facts &= ~(unsigned)CONTEXT;
    while (at + 8 <= record->length) {
        uint32_t head[2];
        memcpy(head, (const char *)record->body + at, sizeof(head));
        if (!(head[0] & 0xffff)) {
            s->facts |= CONTEXT;
            break;
        }
        at += 8 + (uint64_t)head[1];
    }
    return true;
}

static bool pv_info(struct state *s, const struct corpus_record *record)
{
    unsigned char bytes[2];
    memcpy(bytes, record->body, sizeof(bytes));
    s->width = bytes[0];
    return (bytes[0] == 4 && bytes[1] == 3) || (bytes[0] == 8 && bytes[1] == 4);
}

static bool pv_frames(struct state *s, const struct corpus_record *record)
{
    uint32_t first = half(record, 0), last = half(record, 1);
    unsigned entries = 4096 / s->width;
    if (first > last || (!last && !s->max_pfn))
        return false;
    if (last > s->max_pfn)
        s->max_pfn = last;
    return record->length == 8 + 8 * (1 + last / entries - first / entries);
}

static bool pv_vcpu(struct state *s, const struct corpus_record *record)
{
    uint32_t length = record->length - 8;
    if (!length)
        return true;
    switch (record->type) {
    case FMT_X86_PV_VCPU_BASIC:
        if (!half(record, 0))
            s->facts |= PV_VCPU;
        return length == (s->width == 4 ? 2800 : 5168);
    case FMT_X86_PV_VCPU_EXTENDED:
        return length <= 128;
    case FMT_X86_PV_VCPU_XSAVE:
        return length >= 16;
    default:
        return length % 16 == 0;
    }
}

/* --- libxc: records ------------------------------------------------------- */

/* What is not here it does not process: refused unless it is optional. */
static const struct {
    uint32_t type;
    unsigned guests;
    uint32_t least, most, unit; /* of its length; 0: any */
    unsigned needs, excludes, gives;
    bool infers; /* ends the static data of version 2 */
    body_fn *body;
} libxc[] = {
    { FMT_PAGE_DATA, ALL, 8, 0, 0, STATIC_END, 0, 0, true, pages },
    { FMT_STATIC_DATA_END, ALL, 0, 0, 0, 0, STATIC_END, STATIC_END, false,
      NULL },
    { FMT_VERIFY, ALL, 0, 0, 0, 0, 0, 0, false, NULL },
    { FMT_X86_TSC_INFO, ALL, 24, 24, 0, 0, 0, 0, false, NULL },
    { FMT_X86_CPUID_POLICY, ALL, 24, 0, 24, 0, 0, 0, false, NULL },
    { FMT_X86_MSR_POLICY, ALL, 16, 0, 16, 0, 0, 0, false, NULL },
    { FMT_HVM_CONTEXT, HVM, 0, 0, 0, 0, 0, 0, false, context },
    { FMT_HVM_PARAMS, HVM, 8, 0, 0, 0, 0, PARAMS, false, params },
    { FMT_X86_PV_INFO, PV, 8, 0, 0, 0, PV_INFO, PV_INFO, false, pv_info },
    { FMT_X86_PV_P2M_FRAMES, PV, 8, 0, 0, STATIC_END | PV_INFO, 0, PV_FRAMES,
      true, pv_frames },
    { FMT_SHARED_INFO, PV, 4096, 4096, 0, PV_INFO, 0, 0, false, NULL },
    { FMT_X86_PV_VCPU_BASIC, PV, 8, 0, 0, 0, 0, 0, false, pv_vcpu },
    { FMT_X86_PV_VCPU_EXTENDED, PV, 8, 0, 0, 0, 0, 0, false, pv_vcpu },
    { FMT_X86_PV_VCPU_XSAVE, PV, 8, 0, 0, 0, 0, 0, false, pv_vcpu },
    { FMT_X86_PV_VCPU_MSRS, PV, 8, 0, 0, 0, 0, 0, false, pv_vcpu },
};

static bool length_is(uint32_t length, uint32_t least, uint32_t most,
                      uint32_t unit)
{
    return length >= least && (!most || length <= most) &&
           (!unit || length % unit == 0);
}

static bool libxc_takes(struct state *s, const struct corpus_record *record)
{
    size_t i = 0;
    while (i < NR(libxc) && (libxc[i].type != record->type ||
                             !(libxc[i].guests & 1u << s->stream->guest)))
        i++;
    if (i == NR(libxc))
        return record->type & FMT_RECORD_OPTIONAL;
    if (libxc[i].infers && s->stream->version == 2)
        s->facts |= STATIC_END;
    if ((s->facts & libxc[i].needs) != libxc[i].needs ||
        s->facts & libxc[i].excludes ||
        !length_is(record->length, libxc[i].least, libxc[i].most,
                   libxc[i].unit) ||
        (libxc[i].body && !libxc[i].body(s, record)))
        return false;
    s->facts |= libxc[i].gives;
    return true;
}

/* What must be known at the END; beside it, what we want. */
static const struct {
    uint32_t guest;
    unsigned libxc, ours;
} at_end[] = {
    { FMT_GUEST_HVM, CONTEXT, CONTEXT | PARAMS },
    { FMT_GUEST_PV, PV_INFO | PV_FRAMES | PV_VCPU,
      PV_INFO | PV_FRAMES | PV_VCPU },
};

static void judge_end(const struct state *s, struct corpus_verdict *verdict)
{
    size_t i = s->stream->guest == at_end[0].guest ? 0 : 1;
    unsigned ours = at_end[i].ours;
    if (s->stream->version == 3)
        ours |= STATIC_END;
    verdict->libxc = (s->facts & at_end[i].libxc) == at_end[i].libxc;
    verdict->stricter |= (s->facts & ours) != ours;
}

static void judge_by_libxc(const struct corpus_stream *stream,
                           struct corpus_verdict *verdict)
{
    struct state s = { .stream = stream, .width = 8 };
    for (size_t i = 0; i < stream->nr; i++) {
        const struct corpus_record *record = &stream->record[i];
        if (record->type == FMT_END) {
            judge_end(&s, verdict);
            return;
        }
        if (record->type == FMT_VERIFY)
            verdict->stricter = true;
        if (!libxc_takes(&s, record))
            return;
    }
}

/* --- verify-stream-v2 ----------------------------------------------------- */

/* No body has a reserved field that is not 0, but for pfns. */
static bool verify_pages(struct state *s, const struct corpus_record *record)
{
    (void)s;
    uint32_t count = half(record, 0);
    if (record->length - 8 < 8ull * count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t pfn = word(record, 1 + i);
        if (pfn & 0xffull << 52 || !pfn_types[pfn >> 60].known)
            return false;
    }
    return pages_fill(record, count);
}

static bool verify_pv_info(struct state *s, const struct corpus_record *record)
{
    unsigned char bytes[2];
    (void)s;
    memcpy(bytes, record->body, sizeof(bytes));
    return (bytes[0] == 4 || bytes[0] == 8) && (bytes[1] == 3 || bytes[1] == 4);
}

/* It knows lengths and contents, but neither order nor kind of guest. */
static const struct {
    uint32_t type;
    uint32_t version; /* from which on it may be there */
    uint32_t least, most, unit;
    bool empty; /* no body at all */
    body_fn *body;
} verify[] = {
    { FMT_PAGE_DATA, 2, 9, 0, 0, false, verify_pages },
    { FMT_X86_PV_INFO, 2, 8, 8, 0, false, verify_pv_info },
    { FMT_X86_PV_P2M_FRAMES, 2, 8, 0, 8, false, NULL },
    { FMT_X86_PV_VCPU_BASIC, 2, 8, 0, 0, false, NULL },
    { FMT_X86_PV_VCPU_EXTENDED, 2, 8, 0, 0, false, NULL },
    { FMT_X86_PV_VCPU_XSAVE, 2, 8, 0, 0, false, NULL },
    { FMT_X86_PV_VCPU_MSRS, 2, 8, 0, 0, false, NULL },
    { FMT_SHARED_INFO, 2, 4096, 4096, 0, false, NULL },
    { FMT_X86_TSC_INFO, 2, 24, 24, 0, false, NULL },
    { FMT_HVM_CONTEXT, 2, 1, 0, 0, false, NULL },
    { FMT_HVM_PARAMS, 2, 8, 0, 0, false, params },
    { FMT_VERIFY, 2, 0, 0, 0, true, NULL },
    { FMT_CHECKPOINT, 2, 0, 0, 0, true, NULL },
    { FMT_STATIC_DATA_END, 3, 0, 0, 0, true, NULL },
    { FMT_X86_CPUID_POLICY, 3, 24, 0, 24, false, NULL },
    { FMT_X86_MSR_POLICY, 3, 16, 0, 16, false, NULL },
    { FMT_END, 2, 0, 0, 0, true, NULL },
};

static bool verify_takes(struct state *s, const struct corpus_record *record)
{
    size_t i = 0;
    while (i < NR(verify) && verify[i].type != record->type)
        i++;
    return i < NR(verify) && s->stream->version >= verify[i].version &&
           length_is(record->length, verify[i].least, verify[i].most,
                     verify[i].unit) &&
           (!verify[i].empty || !record->length) &&
           (!verify[i].body || verify[i].body(s, record));
}

static void judge_by_verify(const struct corpus_stream *stream,
                            struct corpus_verdict *verdict)
{
    struct state s = { .stream = stream };
    for (size_t i = 0; i < stream->nr; i++) {
        if (!verify_takes(&s, &stream->record[i]))
            return;
        if (stream->record[i].type == FMT_END) {
            verdict->verify = true;
            return;
        }
    }
}

struct corpus_verdict corpus_judge(const struct corpus_stream *stream)
{
    struct corpus_verdict verdict = { false, false, false };
    judge_by_libxc(stream, &verdict);
    judge_by_verify(stream, &verdict);
    return verdict;
}

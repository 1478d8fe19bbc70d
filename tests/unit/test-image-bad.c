/* SPDX-License-Identifier: LGPL-2.1-only */
/* Files that are no save file, or one with something wrong in it. */
#include "test.h"

#include <endian.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fakes/image_build.h"
#include "libxl_ext_image.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
    xlx_ctx *ctx;
    struct image_build b;
    /* Where things are in the image that build() makes. */
    size_t cpuid, msr, static_end, pages, tsc, context, params, emulator, end;
    size_t info, frames, shared, vcpu; /* of a PV guest's */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    return xlx_ctx_new(&f->ctx);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    build_free(&f->b);
    xlx_ctx_free(f->ctx);
    free(f);
    return 0;
}

/* A small image that is right: gfns 4 and 5, and 6 without a page. */
static void build(struct fixture *f)
{
    static const uint64_t pfns[] = { BUILD_PFN(FMT_PFN_NOTAB, 4),
                                     BUILD_PFN(FMT_PFN_NOTAB, 5),
                                     BUILD_PFN(FMT_PFN_XTAB, 6) };
    build_reset(&f->b);
    build_start(&f->b, 3, FMT_GUEST_HVM);
    f->static_end = f->b.len - 8;
    f->msr = f->static_end - (8 + 16);
    f->cpuid = f->msr - (8 + 24);
    f->pages = build_pfns(&f->b, pfns, NR(pfns));
    build_finish(&f->b);
    f->tsc = f->b.tail;
    f->context = f->tsc + 8 + 24;
    f->params = f->b.end - (8 + 8 + 2 * 16);
    f->emulator = f->b.end + 8;
    f->end = f->b.len - 8;
}

static int open_fd(struct fixture *f, int fd)
{
    char path[64];
    xlx_image *image = NULL;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int rc = xlx_image_open(f->ctx, path, &image);
    assert_true(!rc == !!image); /* written on success only */
    xlx_image_close(image);
    return rc;
}

static int open_built(struct fixture *f)
{
    int fd = build_fd(&f->b);
    int rc = open_fd(f, fd);
    close(fd);
    return rc;
}

static void expect(struct fixture *f, const char *row, int rc, int want,
                   const char *text)
{
    const char *error = rc ? xlx_ctx_error(f->ctx) : "";
    if (rc != want || !strstr(error, text) || strchr(error, '\n'))
        fail_msg("%s: %d \"%s\", not %d \"%s\"", row, rc, error, want, text);
}

/* --- fields --------------------------------------------------------------- */

static void put(struct fixture *f, size_t at, uint64_t value, size_t len)
{
    assert_true(at + len <= f->b.len);
    memcpy(f->b.bytes + at, &value, len);
}

/* Each row changes one field of the image to one value. */
struct field_row {
    const char *name;
    size_t base; /* offset of a size_t in struct fixture */
    size_t at, len;
    uint64_t value;
    int rc;
    const char *text;
};

#define IN(member) offsetof(struct fixture, member)
#define START SIZE_MAX

static const struct field_row fields[] = {
    { "the image itself", IN(tsc), 8, 4, 1, 0, "" },
    /* xl */
    { "magic", START, 0, 1, 'x', -EINVAL, "not a save file" },
    { "byte order", START, 32, 4, 0x04030201, -ENOTSUP, "other byte order" },
    { "no byte order", START, 32, 4, 7, -EBADMSG, "byte order mark 0x7" },
    { "flags", START, 36, 4, 3 | 1 << 2, -ENOTSUP, "mandatory flags 0x4" },
    { "old stream", START, 36, 4, 1, -ENOTSUP, "Xen 4.5 or older" },
    { "plain config", START, 36, 4, 2, 0, "" },
    { "optional flags", START, 40, 4, 0xffff, 0, "" },
    { "config length", START, 44, 4, UINT32_MAX, -ENODATA, "truncated" },
    { "config too long", START, 48, 4, 150, -EBADMSG, "its length 150" },
    { "short config", START, 48, 4, 148, 0, "" },
    { "tiny data", START, 44, 4, 3, -EBADMSG, "3 bytes cannot hold" },
    /* libxl */
    { "ident", IN(b.libxl), 0, 1, 'l', -EBADMSG, "invalid identifier" },
    { "version 1", IN(b.libxl), 11, 1, 1, -ENOTSUP, "version 1, known is 2" },
    { "version 3", IN(b.libxl), 11, 1, 3, -ENOTSUP, "version 3" },
    { "big-endian", IN(b.libxl), 15, 1, 1, -ENOTSUP, "big-endian" },
    { "converted", IN(b.libxl), 15, 1, 2, 0, "" },
    { "libxc body", IN(b.libxl), 20, 4, 8, -EINVAL, "no libxc stream" },
    { "no libxc", IN(b.libxl), 16, 4, 0, -EBADMSG, "no LIBXC_CONTEXT" },
    { "unknown", IN(emulator), 0, 4, 6, -ENOTSUP, "type 0x6" },
    { "optional", IN(emulator), 0, 4, 1u << 31 | 6, -ENOTSUP, "0x80000006" },
    { "Remus", IN(emulator), 0, 4, 4, -ENOTSUP, "checkpointed" },
    { "COLO", IN(emulator), 0, 4, 5, -ENOTSUP, "checkpointed" },
    { "emulator", IN(emulator), 4, 4, 7, -EBADMSG, "cannot hold its header" },
    { "long emulator", IN(emulator), 4, 4, UINT32_MAX, -ENODATA, "truncated" },
    { "libxc twice", IN(end), 0, 4, 1, -EBADMSG, "the second one" },
    /* libxc's headers */
    { "marker", IN(b.libxc), 3, 1, 0, -EINVAL, "no libxc stream" },
    { "id", IN(b.libxc), 8, 1, 0, -EINVAL, "no libxc stream" },
    { "libxc 1", IN(b.libxc), 15, 1, 1, -ENOTSUP, "version 1, known are" },
    { "libxc 4", IN(b.libxc), 15, 1, 4, -ENOTSUP, "version 4, known are" },
    { "big-endian", IN(b.libxc), 17, 1, 1, -ENOTSUP, "big-endian" },
    { "no guest", IN(b.libxc), 24, 4, 0, -ENOTSUP, "kind of guest 0" },
    { "ARM guest", IN(b.libxc), 24, 4, 3, -ENOTSUP, "kind of guest 3" },
    { "HVM as PV", IN(b.libxc), 24, 4, 1, -EBADMSG, "P2M_FRAMES do not have" },
    { "page shift", IN(b.libxc), 28, 2, 13, -ENOTSUP, "2^13" },
    { "page shift", IN(b.libxc), 28, 2, 11, -ENOTSUP, "2^11" },
    /* records */
    { "unknown", IN(tsc), 0, 4, 0x13, -ENOTSUP, "mandatory record type 0x13" },
    { "optional", IN(tsc), 0, 4, 1u << 31 | 0x13, 0, "" },
    { "optional page", IN(tsc), 0, 4, 1u << 31 | 1, 0, "" },
    { "PV record", IN(tsc), 0, 4, 2, -EBADMSG, "X86_PV_INFO record: not of" },
    { "toolstack", IN(tsc), 0, 4, 0xb, -ENOTSUP, "TOOLSTACK record: not" },
    { "verify", IN(tsc), 0, 4, 0xd, -ENOTSUP, "VERIFY record: not" },
    { "checkpoint", IN(tsc), 0, 4, 0xe, -ENOTSUP, "checkpointed stream" },
    { "dirty list", IN(tsc), 0, 4, 0xf, -ENOTSUP, "checkpointed stream" },
    { "over Xen's limit", IN(tsc), 4, 4, (128u << 20) + 1, -EBADMSG, "limit" },
    { "at the limit", IN(tsc), 4, 4, 128u << 20, -ENODATA, "truncated" },
    { "early END", IN(tsc), 0, 4, 0, -EBADMSG, "no HVM_CONTEXT record" },
    { "short TSC", IN(tsc), 4, 4, 23, -EBADMSG, "TSC_INFO record: invalid" },
    { "long TSC", IN(tsc), 4, 4, 25, -EBADMSG, "invalid length 25" },
    { "no leaf", IN(cpuid), 4, 4, 0, -EBADMSG, "CPUID_POLICY record: inv" },
    { "half a leaf", IN(cpuid), 4, 4, 23, -EBADMSG, "invalid length 23" },
    { "leaf and a bit", IN(cpuid), 4, 4, 25, -EBADMSG, "invalid length 25" },
    { "no MSR", IN(msr), 4, 4, 0, -EBADMSG, "MSR_POLICY record: invalid" },
    { "half a MSR", IN(msr), 4, 4, 15, -EBADMSG, "invalid length 15" },
    { "MSR and a bit", IN(msr), 4, 4, 17, -EBADMSG, "invalid length 17" },
    { "no static end", IN(static_end), 0, 4, 1u << 31 | 99, -EBADMSG,
      "PAGE_DATA record before STATIC_DATA_END" },
    { "two static ends", IN(tsc), 0, 4, 0x10, -EBADMSG, "not the first" },
    { "no context", IN(context), 0, 4, 1u << 31 | 99, -EBADMSG,
      "no HVM_CONTEXT record" },
    { "no params", IN(params), 0, 4, 1u << 31 | 99, -EBADMSG,
      "no HVM_PARAMS record" },
    /* PAGE_DATA: its length is 8 + 3 * 8 + 2 * 4096 */
    { "shorter", IN(pages), 4, 4, 8223, -EBADMSG, "do not fill" },
    { "longer", IN(pages), 4, 4, 8225, -EBADMSG, "do not fill" },
    { "a pfn less", IN(pages), 8, 4, 2, -EBADMSG, "do not fill" },
    { "a pfn more", IN(pages), 8, 4, 4, -EBADMSG, "do not fill" },
    { "no pfns", IN(pages), 8, 4, 0, -EBADMSG, "number of pfns 0" },
    { "all pfns", IN(pages), 8, 4, 1027, -EBADMSG, "do not fill" },
    { "too many", IN(pages), 8, 4, 1028, -EBADMSG, "number of pfns 0x404" },
    { "far too many", IN(pages), 8, 4, UINT32_MAX, -EBADMSG, "0xffffffff" },
    { "no header", IN(pages), 4, 4, 7, -EBADMSG, "too short for its header" },
    { "a page gone", IN(pages), 16, 8, BUILD_PFN(0xf, 4), -EBADMSG, "fill" },
    { "a page more", IN(pages), 32, 8, 6, -EBADMSG, "do not fill" },
    { "type 4", IN(pages), 16, 8, BUILD_PFN(4, 4), 0, "" },
    { "type 5", IN(pages), 16, 8, BUILD_PFN(5, 4), -EBADMSG, "unknown type" },
    { "type 8", IN(pages), 16, 8, BUILD_PFN(8, 4), -EBADMSG, "unknown type" },
    { "type 9", IN(pages), 16, 8, BUILD_PFN(9, 4), 0, "" },
    { "bit 52", IN(pages), 16, 8, 1ull << 52 | 4, 0, "" },
    { "bit 59", IN(pages), 16, 8, 1ull << 59 | 4, 0, "" },
    { "gfn below limit", IN(pages), 16, 8, FMT_GFN_LIMIT - 1, 0, "" },
    { "gfn at limit", IN(pages), 16, 8, FMT_GFN_LIMIT, -EBADMSG,
      "0x100000000" },
    { "gfn above", IN(pages), 16, 8, FMT_GFN_LIMIT + 1, -EBADMSG, "no guest" },
    { "gfn largest", IN(pages), 16, 8, FMT_PFN_MASK, -EBADMSG, "no guest" },
    { "no page at limit", IN(pages), 32, 8, BUILD_PFN(0xf, FMT_GFN_LIMIT), 0,
      "" },
    { "no page largest", IN(pages), 32, 8, BUILD_PFN(0xd, FMT_PFN_MASK), 0,
      "" },
    { "allocated below", IN(pages), 32, 8, BUILD_PFN(0xe, FMT_GFN_LIMIT - 1), 0,
      "" },
    { "allocated at limit", IN(pages), 32, 8, BUILD_PFN(0xe, FMT_GFN_LIMIT),
      -EBADMSG, "no guest" },
    /* HVM_PARAMS: 2 parameters, length 40 */
    { "one less", IN(params), 8, 4, 1, -EBADMSG, "length 40" },
    { "one more", IN(params), 8, 4, 3, -EBADMSG, "take 56" },
    { "far more", IN(params), 8, 4, 0x10000002, -EBADMSG, "take 4294967336" },
    { "length", IN(params), 4, 4, 39, -EBADMSG, "length 39" },
    { "no header", IN(params), 4, 4, 7, -EBADMSG, "length 7" },
    /* HVM_CONTEXT: 8 + 24 of another entry, then 8 + 1024 of a vCPU */
    { "entry too long", IN(context), 8 + 4, 4, 1065, -EBADMSG, "longer than" },
    { "entry fits", IN(context), 8 + 4, 4, 1064, -EBADMSG, "no END entry" },
    { "entry largest", IN(context), 8 + 4, 4, UINT32_MAX, -EBADMSG, "longer" },
    { "early end", IN(context), 8, 8, 0, 0, "" },
    { "short vCPU", IN(context), 8 + 32 + 4, 4, 679, -EBADMSG, "without CR3" },
    { "END is the stream's", IN(context), 4, 4, 1064, -EBADMSG,
      "no HVM_PARAMS" },
    { "half an END", IN(context), 4, 4, 1071, -EBADMSG, "no END entry" },
};

static void check_fields(struct fixture *f, void (*make)(struct fixture *),
                         const struct field_row *row, size_t nr)
{
    for (size_t i = 0; i < nr; i++, row++) {
        make(f);
        size_t base = 0;
        if (row->base != START)
            memcpy(&base, (char *)f + row->base, sizeof(base));
        put(f, base + row->at, row->value, row->len);
        expect(f, row->name, open_built(f), row->rc, row->text);
    }
}

static void every_field_is_checked(void **state)
{
    check_fields(*state, build, fields, NR(fields));
}

/* Version 2 has no end of static data but its first page. */
static void static_data_ends_once(void **state)
{
    struct fixture *f = *state;
    for (uint32_t version = 2; version <= 3; version++) {
        build_reset(&f->b);
        build_start(&f->b, version, FMT_GUEST_HVM);
        build_range(&f->b, 0, 1);
        build_record(&f->b, FMT_STATIC_DATA_END, NULL, 0);
        build_finish(&f->b);
        expect(f, "behind pages", open_built(f), -EBADMSG, "behind pages");
    }
}

/* --- a PV guest ----------------------------------------------------------- */

/* Of 1025 pfns, which take three frames: the last has one. */
static void build_pv(struct fixture *f)
{
    static const uint64_t pfns[] = { 4, BUILD_PFN(FMT_PFN_XTAB, 5) };
    build_reset(&f->b);
    build_pv_start(&f->b, 3, 1025);
    f->frames = f->b.len - (8 + 8 + 3 * 8);
    f->info = f->frames - (8 + 8);
    f->static_end = f->info - 8;
    f->pages = build_pfns(&f->b, pfns, NR(pfns));
    build_pv_finish(&f->b);
    f->tsc = f->b.tail;
    f->shared = f->tsc + 8 + 24;
    f->vcpu = f->b.end - (8 + 8 + 5168);
}

static const struct field_row pv_fields[] = {
    { "the image itself", IN(tsc), 8, 4, 1, 0, "" },
    { "no info", IN(info), 0, 4, 1u << 31 | 99, -EBADMSG,
      "X86_PV_P2M_FRAMES record: before X86_PV_INFO" },
    { "no frames", IN(frames), 0, 4, 1u << 31 | 99, -EBADMSG,
      "do not have its pfn 0x4" },
    { "no vCPU", IN(vcpu), 0, 4, 1u << 31 | 99, -EBADMSG,
      "no X86_PV_VCPU_BASIC record" },
    { "not vCPU 0", IN(vcpu), 8, 4, 1, -EBADMSG, "no X86_PV_VCPU_BASIC" },
    { "no shared info", IN(shared), 0, 4, 1u << 31 | 99, 0, "" },
    { "no static end", IN(static_end), 0, 4, 1u << 31 | 99, -EBADMSG,
      "X86_PV_P2M_FRAMES record before STATIC_DATA_END" },
    { "late info", IN(frames), 0, 4, 2, -EBADMSG, "the second one" },
    { "short info", IN(info), 4, 4, 7, -EBADMSG, "INFO record: invalid" },
    { "4 bytes, 4 levels", IN(info), 8, 1, 4, -EBADMSG, "4 bytes and 4 l" },
    { "8 bytes, 3 levels", IN(info), 9, 1, 3, -EBADMSG, "8 bytes and 3 l" },
    { "4 bytes, 3 levels", IN(info), 8, 2, 0x304, -EBADMSG, "do not fill" },
    { "no frame", IN(frames), 4, 4, 8, -EBADMSG, "do not fill its length" },
    { "no header", IN(frames), 4, 4, 7, -EBADMSG, "FRAMES record: invalid" },
    { "from 511", IN(frames), 8, 4, 511, 0, "" },
    { "from 512", IN(frames), 8, 4, 512, -EBADMSG, "do not fill its length" },
    { "from the last", IN(frames), 8, 4, 1025, -EBADMSG, "before its first" },
    { "to 1535", IN(frames), 12, 4, 1535, 0, "" },
    { "to 1536", IN(frames), 12, 4, 1536, -EBADMSG, "do not fill its length" },
    { "to the largest", IN(frames), 12, 4, UINT32_MAX, -EBADMSG, "do not" },
    { "to 0", IN(frames), 12, 4, 0, -EBADMSG, "a guest of one page" },
    { "last pfn", IN(pages), 16, 8, 1024, 0, "" },
    { "behind it", IN(pages), 16, 8, 1025, -EBADMSG, "its pfn 0x401" },
    { "last hole", IN(pages), 24, 8, BUILD_PFN(0xf, 1024), 0, "" },
    { "hole behind", IN(pages), 24, 8, BUILD_PFN(0xf, 1025), -EBADMSG,
      "its pfn 0x401" },
    { "short page", IN(shared), 4, 4, 4095, -EBADMSG,
      "SHARED_INFO record: inv" },
    { "long page", IN(shared), 4, 4, 4097, -EBADMSG, "invalid length 4097" },
    { "short vCPU", IN(vcpu), 4, 4, 5175, -EBADMSG, "invalid length 5175" },
    { "long vCPU", IN(vcpu), 4, 4, 5177, -EBADMSG, "invalid length 5177" },
    { "extended", IN(vcpu), 0, 4, 5, -EBADMSG, "EXTENDED record: invalid" },
    { "xsave", IN(vcpu), 0, 4, 6, -EBADMSG, "no X86_PV_VCPU_BASIC" },
    { "MSRs", IN(vcpu), 0, 4, 0xc, -EBADMSG, "no X86_PV_VCPU_BASIC" },
    { "HVM record", IN(tsc), 0, 4, 0xa, -EBADMSG, "not of a guest of this" },
};

static void every_field_of_a_pv_guest_is_checked(void **state)
{
    check_fields(*state, build_pv, pv_fields, NR(pv_fields));
}

/* A record of a vCPU behind all that is needed: its lengths. */
static void vcpu_records_have_their_lengths(void **state)
{
    struct fixture *f = *state;
    static const char nothing[6000];
    static const struct {
        uint32_t type, right, wrong;
    } rows[] = {
        { FMT_X86_PV_VCPU_BASIC, 0, 1 },
        { FMT_X86_PV_VCPU_BASIC, 5168, 2800 },
        { FMT_X86_PV_VCPU_EXTENDED, 0, 129 },
        { FMT_X86_PV_VCPU_EXTENDED, 128, 129 },
        { FMT_X86_PV_VCPU_XSAVE, 0, 1 },
        { FMT_X86_PV_VCPU_XSAVE, 16, 15 },
        { FMT_X86_PV_VCPU_MSRS, 0, 15 },
        { FMT_X86_PV_VCPU_MSRS, 32, 17 },
    };
    for (size_t i = 0; i < 2 * NR(rows); i++) {
        uint32_t length = i % 2 ? rows[i / 2].wrong : rows[i / 2].right;
        build_pv(f);
        f->b.len = f->b.end;
        build_record(&f->b, rows[i / 2].type, nothing, 8 + length);
        build_record(&f->b, FMT_END, NULL, 0);
        build_record(&f->b, FMT_LIBXL_END, NULL, 0);
        expect(f, "vCPU", open_built(f), i % 2 ? -EBADMSG : 0,
               i % 2 ? "record: invalid length" : "");
    }
}

/* Xen 4.13 and before end their static data by X86_PV_P2M_FRAMES. */
static void a_pv_guest_of_version_2_has_no_static_data(void **state)
{
    struct fixture *f = *state;
    for (int end = 0; end < 2; end++) {
        build_reset(&f->b);
        build_pv_start(&f->b, 2, 8);
        if (end)
            build_record(&f->b, FMT_STATIC_DATA_END, NULL, 0);
        build_range(&f->b, 0, 8);
        build_pv_finish(&f->b);
        expect(f, "version 2", open_built(f), end ? -EBADMSG : 0,
               end ? "STATIC_DATA_END record: not the first" : "");
    }
}

/* The words of a guest of 32 bits are shorter: twice as many in a frame. */
static void a_pv_guest_may_have_32_bits(void **state)
{
    struct fixture *f = *state;
    static const struct fmt_pv_info info = { .width = 4, .levels = 3 };
    static const uint64_t frames[] = { 1023ull << 32, 7 };
    static const char vcpu[8 + 5168];
    for (size_t length = 2800; length <= 5168; length += 5168 - 2800) {
        build_reset(&f->b);
        build_start(&f->b, 3, FMT_GUEST_PV);
        build_record(&f->b, FMT_X86_PV_INFO, &info, sizeof(info));
        build_record(&f->b, FMT_X86_PV_P2M_FRAMES, frames, sizeof(frames));
        build_range(&f->b, 1000, 24);
        build_record(&f->b, FMT_X86_PV_VCPU_BASIC, vcpu, 8 + length);
        build_record(&f->b, FMT_END, NULL, 0);
        build_record(&f->b, FMT_LIBXL_END, NULL, 0);
        expect(f, "32 bits", open_built(f), length == 2800 ? 0 : -EBADMSG,
               length == 2800 ? "" : "BASIC record: invalid length 5176");
    }
}

/* Keys and values, each with a NUL behind it, as libxl wants them. */
static void the_keys_of_a_device_model_are_pairs(void **state)
{
    struct fixture *f = *state;
    static char large[3 * 8192 + 1];
    static const struct {
        const char *bytes;
        size_t len;
        const char *text;
    } rows[] = {
        { "", 0, "" },
        { "k\0v\0", 4, "" },
        { "k\0\0", 3, "" },
        { "k\0/v\0key/2\0v\0", 13, "" },
        { "k", 1, "ends within a key or its value" },
        { "k\0", 2, "ends within a key or its value" },
        { "k\0v", 3, "ends within a key or its value" },
        { "k\0v\0k", 5, "ends within a key or its value" },
        { "\0v\0", 3, "an empty key" },
        { "k\0v\0\0", 5, "an empty key" },
        { "/k\0v\0", 5, "a key that begins with '/'" },
        { large, sizeof(large), "" },
        { large, sizeof(large) - 1, "ends within" },
    };
    memset(large, 'x', sizeof(large) - 1);
    large[8192] = '\0';
    for (size_t i = 0; i < NR(rows); i++) {
        build(f);
        f->b.len = f->emulator;
        static const uint64_t head = 1;
        struct fmt_record record = { FMT_LIBXL_EMULATOR_XENSTORE_DATA,
                                     (uint32_t)(8 + rows[i].len) };
        build_bytes(&f->b, &record, sizeof(record));
        build_bytes(&f->b, &head, sizeof(head));
        build_bytes(&f->b, rows[i].bytes, rows[i].len);
        build_bytes(&f->b, "\0\0\0\0\0\0\0", -rows[i].len % 8);
        build_record(&f->b, FMT_LIBXL_END, NULL, 0);
        expect(f, "keys", open_built(f), *rows[i].text ? -EBADMSG : 0,
               rows[i].text);
    }
}

/* Libxc reads what an END has, as it does of any record, and ends. */
static void an_end_may_have_a_body(void **state)
{
    struct fixture *f = *state;
    for (int body = 0; body < 2; body++) {
        build(f);
        f->b.len = f->b.end;
        build_record(&f->b, FMT_END, "whatever", 8);
        if (body)
            build_record(&f->b, FMT_LIBXL_EMULATOR_CONTEXT, "\1\0\0\0\0\0\0",
                         8);
        build_record(&f->b, FMT_LIBXL_END, "whatever", body ? 8 : 0);
        expect(f, "END with a body", open_built(f), 0, "");
    }
}

/* Libxc keeps each, and gives the last to Xen. */
static void of_two_contexts_the_last_counts(void **state)
{
    struct fixture *f = *state;
    static const uint64_t cr3 = 0x5000;
    static const uint64_t params[][2] = { { FMT_PARAM_STORE_PFN, 5 } };
    for (int last = 0; last < 2; last++) {
        build_reset(&f->b);
        build_start(&f->b, 3, FMT_GUEST_HVM);
        if (last)
            build_record(&f->b, FMT_HVM_CONTEXT, "no context", 10);
        build_context(&f->b, &cr3, 1);
        if (!last)
            build_record(&f->b, FMT_HVM_CONTEXT, "no context", 10);
        build_params(&f->b, params, 1);
        build_ends(&f->b);
        expect(f, last ? "last" : "first", open_built(f), last ? 0 : -EBADMSG,
               last ? "" : "HVM_CONTEXT record: ");
    }
}

/* --- truncated ------------------------------------------------------------ */

static void truncated_anywhere_it_does_not_open(void **state)
{
    struct fixture *f = *state;
    build(f);
    int fd = build_fd(&f->b);
    assert_int_equal(open_fd(f, fd), 0);
    for (size_t len = f->b.len - 1; len; len--) {
        char text[64];
        assert_int_equal(ftruncate(fd, (off_t)len), 0);
        snprintf(text, sizeof(text), "truncated at byte %zu:", len);
        expect(f, "truncated", open_fd(f, fd), -ENODATA, text);
    }
    close(fd);
}

static void what_follows_the_end_does_not_matter(void **state)
{
    struct fixture *f = *state;
    build(f);
    build_bytes(&f->b, "tail", 5); /* a block device has one */
    assert_int_equal(open_built(f), 0);
}

/* --- not save files ------------------------------------------------------- */

static void other_files_are_named_as_what_they_are(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *text;
    } rows[] = {
        { "", 0, ": empty, not a save file" },
        { "\x1f\x8b\x08\0more", 8, ": compressed with gzip: unpack it first" },
        { "\x28\xb5\x2f\xfd more", 8, ": compressed with zstd" },
        { "\xfd"
          "7zXZ\0more",
          10, ": compressed with xz" },
        { "\x04\x22\x4d\x18more", 8, ": compressed with lz4" },
        { "BZh9more", 8, ": compressed with bzip2" },
        { "\x02\x21\x4c\x18more", 8, ": compressed with lz4" },
        /* a pzstd file's first frame: how long the next one is */
        { "\x50\x2a\x4d\x18\4\0\0\0size\x28\xb5\x2f\xfd", 16,
          ": compressed with zstd" },
        { "\x5f\x2a\x4d\x18\0\0\0\0\x50\x2a\x4d\x18\1\0\0\0x"
          "\x04\x22\x4d\x18",
          21, ": compressed with lz4" },
        { "\x50\x2a\x4d\x18\4\0\0\0size\x28\xb5\x2f", 15, ": not a save file" },
        { "\x50\x2a\x4d\x18\5\0\0\0size\x28\xb5\x2f\xfd", 16,
          ": not a save file" },
        { "\x50\x2a\x4d\x18\xff\xff\xff\xffsize\x28\xb5\x2f\xfd", 16,
          ": not a save file" },
        { "\x60\x2a\x4d\x18\4\0\0\0size\x28\xb5\x2f\xfd", 16,
          ": not a save file" },
        { "\x50\x2a\x4d\x18\0\0\0\0BZh9more", 16, ": not a save file" },
        { "\x50\x2a\x4d\x18\0\0", 6, ": not a save file" },
        /* lzma has no magic: properties, dictionary, size, a byte of zero */
        { "\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0m", 15,
          ": compressed with lzma" },
        { "\x5d\0\x10\0\0\xff\xff\xff\xff\x3f\0\0\0\0", 14,
          ": compressed with lzma" },
        { "\x5d\0\0\xc0\0\0\0\0\0\0\0\0\0\0", 14, ": compressed with lzma" },
        { "\x5d\0\x10\0\0\0\0\0\0\x40\0\0\0\0", 14, ": not a save file" },
        { "\x5d\0\x08\0\0\0\0\0\0\0\0\0\0\0", 14, ": not a save file" },
        { "\x5d\0\0\xa0\0\0\0\0\0\0\0\0\0\0", 14, ": not a save file" },
        { "\x5d\0\0\x80\0\0\0\0\0\0\0\0\0\1", 14, ": not a save file" },
        { "\x5e\0\0\x80\0\0\0\0\0\0\0\0\0\0", 14, ": not a save file" },
        { "\x5d\0\0\x80\0\0\0\0\0\0\0\0\0", 13, ": not a save file" },
        { "Xen saved domain\n \0 \r", 20, ": not a save file" },
        { "libvirt-xml\n \0 \r\2\0\0\0", 20,
          ": saved by virsh (libvirt), not by xl: restore it with virsh" },
        { "libvirt-xml\n \0 ", 15, ": not a save file" },
        { "XenSavedDomv2-\n\xf0", 16,
          ": saved by XenServer or XCP-ng (xapi), not by xl: resume it there" },
        { "XenSavedDomain\n", 15,
          ": saved by XenServer or XCP-ng (xapi), not" },
        { "XenSavedDomain", 14, ": not a save file" },
        { "LinuxGuestRecord\0\0", 18, ": saved by xm (xend), not by xl: " },
        { "LibxlFmt\0\0\0\2", 12, ": libxl's stream without xl's header: " },
        { "#!/bin/sh\n", 10, ": not a save file" },
        { "B", 1, ": not a save file" },
    };
    for (size_t i = 0; i < NR(rows); i++) {
        build_reset(&f->b);
        build_bytes(&f->b, rows[i].bytes, rows[i].len);
        int rc = strstr(rows[i].text, "compressed") ? -EMEDIUMTYPE : -EINVAL;
        expect(f, rows[i].text, open_built(f), rc, rows[i].text);
    }
}

/* Each says how far the next one is; somebody may make very many. */
static void frames_that_are_skipped_are_few(void **state)
{
    struct fixture *f = *state;
    enum { LIMIT = 16 };
    for (size_t nr = LIMIT; nr <= LIMIT + 1; nr++) {
        build_reset(&f->b);
        for (size_t i = 0; i < nr; i++)
            build_bytes(&f->b, "\x50\x2a\x4d\x18\3\0\0\0abc", 11);
        build_bytes(&f->b, "\x28\xb5\x2f\xfd", 4);
        expect(f, "frames", open_built(f), nr > LIMIT ? -EINVAL : -EMEDIUMTYPE,
               nr > LIMIT ? "not a save file" : "compressed with zstd");
    }
}

/* What tells a caller how to unpack it sees the same. */
static void the_packer_of_a_path_is_told(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *packer;
    } rows[] = {
        { "", 0, NULL },
        { "\x1f\x8b", 2, "gzip" },
        { "\x02\x21\x4c\x18", 4, "lz4" },
        { "\x50\x2a\x4d\x18\4\0\0\0size\x28\xb5\x2f\xfd", 16, "zstd" },
        { "\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0m", 15, "lzma" },
        { "no packer", 9, NULL },
    };
    for (size_t i = 0; i < NR(rows); i++) {
        char path[64];
        build_reset(&f->b);
        build_bytes(&f->b, rows[i].bytes, rows[i].len);
        int fd = build_fd(&f->b);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        const char *packer = xlx_image_packer(path);
        close(fd);
        if (rows[i].packer)
            assert_string_equal(packer, rows[i].packer);
        else
            assert_null(packer);
    }
}

static void a_pipe_is_refused_and_not_waited_for(void **state)
{
    struct fixture *f = *state;
    char path[] = "/tmp/test-image-XXXXXX";
    xlx_image *image;
    assert_non_null(mkdtemp(path));
    char fifo[64];
    snprintf(fifo, sizeof(fifo), "%s/fifo", path);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    int rc = xlx_image_open(f->ctx, fifo, &image);
    unlink(fifo);
    rmdir(path);
    expect(f, "fifo", rc, -ESPIPE, "/fifo: a pipe, socket or terminal: save");

    int fds[2];
    assert_int_equal(pipe(fds), 0);
    rc = xlx_image_open_fd(f->ctx, fds[0], 0, "the stream", &image);
    expect(f, "pipe", rc, -ESPIPE, "the stream: a pipe");
    close(fds[0]);
    close(fds[1]);
}

static void what_cannot_be_opened_is_named(void **state)
{
    struct fixture *f = *state;
    xlx_image *image;
    expect(f, "missing", xlx_image_open(f->ctx, "/nonexistent/x", &image),
           -ENOENT, "/nonexistent/x: cannot open: No such file");
    expect(f, "directory", xlx_image_open(f->ctx, "/tmp", &image), -EISDIR,
           "/tmp: a directory");
    expect(f, "device", xlx_image_open(f->ctx, "/dev/null", &image), -ESPIPE,
           "/dev/null: ");
    expect(f, "closed", xlx_image_open_fd(f->ctx, -1, 0, "guest", &image),
           -EBADF, "guest: cannot use descriptor -1");
}

static void an_offset_must_be_that_of_a_stream(void **state)
{
    struct fixture *f = *state;
    xlx_image *image;
    build(f);
    int fd = build_fd(&f->b);
    static const uint64_t far[] = { UINT64_MAX, UINT64_MAX - 39, 1ull << 63 };
    for (size_t i = 0; i < NR(far); i++)
        expect(f, "far", xlx_image_open_fd(f->ctx, fd, far[i], "x", &image),
               -ENODATA, "truncated");
    expect(f, "end", xlx_image_open_fd(f->ctx, fd, f->b.len, "x", &image),
           -ENODATA, "truncated");
    expect(f, "beside",
           xlx_image_open_fd(f->ctx, fd, f->b.libxc + 1, "x", &image), -EINVAL,
           "no libxc stream");
    close(fd);
}

/* --- more than can be ----------------------------------------------------- */

static void more_vcpus_than_any_guest_has_are_refused(void **state)
{
    struct fixture *f = *state;
    enum { LIMIT = 1 << 14 };
    uint64_t *cr3 = calloc(LIMIT + 1, sizeof(*cr3));
    static const uint64_t params[][2] = { { FMT_PARAM_STORE_PFN, 0 } };
    for (size_t nr = LIMIT; nr <= LIMIT + 1; nr++) {
        build_reset(&f->b);
        build_start(&f->b, 3, FMT_GUEST_HVM);
        build_context(&f->b, cr3, nr);
        build_params(&f->b, params, 1);
        build_ends(&f->b);
        expect(f, "vCPUs", open_built(f), nr > LIMIT ? -EOVERFLOW : 0,
               nr > LIMIT ? "more parameters and vCPUs" : "");
    }
    free(cr3);
}

static void more_records_than_can_be_noted_are_refused(void **state)
{
    struct fixture *f = *state;
    enum { LIMIT = 1 << 23, OTHERS = 7 };
    for (uint32_t nr = LIMIT; nr <= LIMIT + 1; nr++) {
        build_reset(&f->b);
        build_start(&f->b, 3, FMT_GUEST_HVM);
        for (uint32_t i = OTHERS; i < nr; i++)
            build_record(&f->b, FMT_RECORD_OPTIONAL | 99, NULL, 0);
        build_finish(&f->b);
        expect(f, "records", open_built(f), nr > LIMIT ? -EOVERFLOW : 0,
               nr > LIMIT ? "more than 8388608 records" : "");
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_field_is_checked),
        TEST(static_data_ends_once),
        TEST(every_field_of_a_pv_guest_is_checked),
        TEST(vcpu_records_have_their_lengths),
        TEST(a_pv_guest_of_version_2_has_no_static_data),
        TEST(a_pv_guest_may_have_32_bits),
        TEST(the_keys_of_a_device_model_are_pairs),
        TEST(an_end_may_have_a_body),
        TEST(of_two_contexts_the_last_counts),
        TEST(truncated_anywhere_it_does_not_open),
        TEST(what_follows_the_end_does_not_matter),
        TEST(other_files_are_named_as_what_they_are),
        TEST(frames_that_are_skipped_are_few),
        TEST(the_packer_of_a_path_is_told),
        TEST(a_pipe_is_refused_and_not_waited_for),
        TEST(what_cannot_be_opened_is_named),
        TEST(an_offset_must_be_that_of_a_stream),
        TEST(more_vcpus_than_any_guest_has_are_refused),
        TEST(more_records_than_can_be_noted_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/image_build.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libxl_ext_image.h"

void build_reset(struct image_build *b)
{
    b->len = 0;
    b->round = 0;
    b->libxl = b->libxc = b->tail = b->end = b->nr_pages = 0;
}

void build_free(struct image_build *b)
{
    free(b->bytes);
    memset(b, 0, sizeof(*b));
}

void build_bytes(struct image_build *b, const void *bytes, size_t len)
{
    if (b->len + len > b->cap) {
        b->cap = 2 * (b->len + len);
        b->bytes = realloc(b->bytes, b->cap);
        if (!b->bytes)
            abort();
    }
    if (len)
        memcpy(b->bytes + b->len, bytes, len);
    b->len += len;
}

static void pad(struct image_build *b, size_t len)
{
    static const char zeros[FMT_RECORD_ALIGN];
    build_bytes(b, zeros, -len % FMT_RECORD_ALIGN);
}

size_t build_record(struct image_build *b, uint32_t type, const void *body,
                    size_t len)
{
    size_t offset = b->len;
    struct fmt_record head = { type, (uint32_t)len };
    build_bytes(b, &head, sizeof(head));
    build_bytes(b, body, len);
    pad(b, len);
    return offset;
}

void build_xl_header(struct image_build *b)
{
    /* Of odd length: all that follows lies across alignments. */
    static const char config[] =
        "{\"c_info\":{\"type\":\"hvm\",\"name\":\"test\","
        "\"uuid\":\"01234567-89ab-cdef-0123-456789abcdef\","
        "\"x\":{\"name\":\"no\"}},\"b_info\":{\"max_vcpus\":2,\"max_memkb\":"
        "262144}} ";
    uint32_t config_len = sizeof(config);
    struct fmt_xl_header header = {
        .byte_order = FMT_XL_BYTE_ORDER,
        .mandatory_flags = FMT_XL_JSON | FMT_XL_STREAM_V2,
        .optional_data_len = sizeof(config_len) + config_len,
    };
    memcpy(header.magic, FMT_XL_MAGIC, sizeof(header.magic));
    build_bytes(b, &header, sizeof(header));
    build_bytes(b, &config_len, sizeof(config_len));
    build_bytes(b, config, config_len);
}

void build_libxl_header(struct image_build *b)
{
    struct fmt_libxl_header header = {
        .ident = htobe64(FMT_LIBXL_IDENT),
        .version = htobe32(FMT_LIBXL_VERSION),
    };
    b->libxl = b->len;
    build_bytes(b, &header, sizeof(header));
    build_record(b, FMT_LIBXL_LIBXC_CONTEXT, NULL, 0);
}

void build_libxc_headers(struct image_build *b, uint32_t version,
                         uint32_t guest)
{
    struct fmt_libxc_headers headers = {
        .image.marker = FMT_LIBXC_MARKER,
        .image.id = htobe32(FMT_LIBXC_ID),
        .image.version = htobe32(version),
        .domain.type = guest,
        .domain.page_shift = 12,
        .domain.xen_major = 4,
        .domain.xen_minor = 17,
    };
    b->libxc = b->len;
    build_bytes(b, &headers, sizeof(headers));
}

void build_page(uint64_t gfn, unsigned round, void *page)
{
    uint64_t *word = page;
    for (size_t i = 0; i < XLX_PAGE_SIZE / sizeof(*word); i++)
        word[i] = gfn << 20 | (uint64_t)round << 12 | i;
}

size_t build_pfns(struct image_build *b, const uint64_t *pfns, uint32_t nr)
{
    struct fmt_page_data data = { .count = nr };
    uint32_t pages = 0;
    for (uint32_t i = 0; i < nr; i++)
        pages += (pfns[i] >> 60) < FMT_PFN_BROKEN;

    size_t offset = b->len;
    struct fmt_record head = { FMT_PAGE_DATA,
                               (uint32_t)(sizeof(data) + nr * sizeof(*pfns) +
                                          pages * XLX_PAGE_SIZE) };
    build_bytes(b, &head, sizeof(head));
    build_bytes(b, &data, sizeof(data));
    build_bytes(b, pfns, nr * sizeof(*pfns));
    for (uint32_t i = 0; i < nr; i++) {
        uint64_t page[XLX_PAGE_SIZE / sizeof(uint64_t)];
        if ((pfns[i] >> 60) >= FMT_PFN_BROKEN)
            continue;
        if (b->nr_pages < BUILD_PAGES_NOTED)
            b->page[b->nr_pages++] = b->len;
        build_page(pfns[i] & FMT_PFN_MASK, b->round, page);
        build_bytes(b, page, sizeof(page));
    }
    return offset;
}

size_t build_range(struct image_build *b, uint64_t gfn, uint32_t nr)
{
    uint64_t *pfns = calloc(nr, sizeof(*pfns));
    if (!pfns)
        abort();
    for (uint32_t i = 0; i < nr; i++)
        pfns[i] = BUILD_PFN(FMT_PFN_NOTAB, gfn + i);
    size_t offset = build_pfns(b, pfns, nr);
    free(pfns);
    return offset;
}

size_t build_params(struct image_build *b, const uint64_t (*params)[2],
                    uint32_t nr)
{
    struct fmt_hvm_params head = { .count = nr };
    struct fmt_record record = {
        FMT_HVM_PARAMS,
        (uint32_t)(sizeof(head) + nr * sizeof(struct fmt_hvm_param))
    };
    size_t offset = b->len;
    build_bytes(b, &record, sizeof(record));
    build_bytes(b, &head, sizeof(head));
    build_bytes(b, params, nr * sizeof(*params));
    return offset;
}

size_t build_context_of(struct image_build *b, const struct build_entry *entry,
                        size_t nr)
{
    struct image_build body = { 0 };
    unsigned char cpu[1024] = { 2 };
    struct fmt_save_descriptor d = { FMT_SAVE_CPU, 0, sizeof(cpu) };
    const struct fmt_save_descriptor end = { 0 };
    build_bytes(&body, &d, sizeof(d));
    build_bytes(&body, cpu, sizeof(cpu));
    for (size_t i = 0; i < nr; i++) {
        d = (struct fmt_save_descriptor){ entry[i].typecode, entry[i].instance,
                                          entry[i].length };
        build_bytes(&body, &d, sizeof(d));
        build_bytes(&body, entry[i].body, entry[i].length);
    }
    build_bytes(&body, &end, sizeof(end));
    size_t offset = build_record(b, FMT_HVM_CONTEXT, body.bytes, body.len);
    build_free(&body);
    return offset;
}

size_t build_context(struct image_build *b, const uint64_t *cr3, size_t nr)
{
    struct image_build body = { 0 };
    unsigned char other[24] = { 1 }, cpu[1024] = { 2 };
    struct fmt_save_descriptor first = { 1, 0, sizeof(other) }, end = { 0 };

    build_bytes(&body, &first, sizeof(first));
    build_bytes(&body, other, sizeof(other));
    for (size_t i = 0; i < nr; i++) {
        struct fmt_save_descriptor entry = { FMT_SAVE_CPU, (uint16_t)i,
                                             sizeof(cpu) };
        memcpy(cpu + FMT_SAVE_CPU_CR3, &cr3[i], sizeof(cr3[i]));
        build_bytes(&body, &entry, sizeof(entry));
        build_bytes(&body, cpu, sizeof(cpu));
    }
    build_bytes(&body, &end, sizeof(end));
    size_t offset = build_record(b, FMT_HVM_CONTEXT, body.bytes, body.len);
    build_free(&body);
    return offset;
}

void build_start(struct image_build *b, uint32_t version, uint32_t guest)
{
    static const uint32_t policy[6] = { 1, 2, 3 };
    build_xl_header(b);
    build_libxl_header(b);
    build_libxc_headers(b, version, guest);
    if (version < 3)
        return;
    build_record(b, FMT_X86_CPUID_POLICY, policy, sizeof(policy));
    build_record(b, FMT_X86_MSR_POLICY, policy, 16);
    build_record(b, FMT_STATIC_DATA_END, NULL, 0);
}

void build_finish(struct image_build *b)
{
    static const unsigned char tsc[24];
    static const uint64_t cr3 = 0x5000;
    static const uint64_t params[][2] = {
        { FMT_PARAM_STORE_PFN, 0xfeffc },
        { FMT_PARAM_CONSOLE_PFN, 0xfefff },
    };
    b->tail = build_record(b, FMT_X86_TSC_INFO, tsc, sizeof(tsc));
    build_context(b, &cr3, 1);
    build_params(b, params, 2);
    build_ends(b);
}

void build_pv_start(struct image_build *b, uint32_t version, uint32_t pfns)
{
    static const struct fmt_pv_info info = { .width = 8, .levels = 4 };
    uint64_t frames[9] = { (uint64_t)(pfns - 1) << 32 };
    size_t nr = 1 + (pfns - 1) / (XLX_PAGE_SIZE / sizeof(uint64_t));
    if (nr > 8)
        abort();
    build_start(b, version, FMT_GUEST_PV);
    build_record(b, FMT_X86_PV_INFO, &info, sizeof(info));
    build_record(b, FMT_X86_PV_P2M_FRAMES, frames, (1 + nr) * sizeof(*frames));
}

void build_pv_finish(struct image_build *b)
{
    static const unsigned char shared[XLX_PAGE_SIZE], tsc[24];
    static const unsigned char
        vcpu[sizeof(struct fmt_pv_vcpu) + FMT_PV_VCPU_BASIC_64];
    b->tail = build_record(b, FMT_X86_TSC_INFO, tsc, sizeof(tsc));
    build_record(b, FMT_SHARED_INFO, shared, sizeof(shared));
    build_record(b, FMT_X86_PV_VCPU_BASIC, vcpu, sizeof(vcpu));
    b->end = build_record(b, FMT_END, NULL, 0);
    build_record(b, FMT_LIBXL_END, NULL, 0);
}

void build_ends(struct image_build *b)
{
    static const char keys[] = "\1\0\0\0\0\0\0\0physmap/f0/name\0vga.ram";
    static const char blob[] = "\1\0\0\0\0\0\0\0what the device model wrote";
    b->end = build_record(b, FMT_END, NULL, 0);
    build_record(b, FMT_LIBXL_EMULATOR_XENSTORE_DATA, keys, sizeof(keys));
    build_record(b, FMT_LIBXL_EMULATOR_CONTEXT, blob, sizeof(blob) - 3);
    build_record(b, FMT_LIBXL_END, NULL, 0);
}

int build_fd(const struct image_build *b)
{
    int fd = memfd_create("image", MFD_CLOEXEC);
    if (fd < 0)
        abort();
    for (size_t done = 0; done < b->len;) {
        ssize_t n = write(fd, b->bytes + done, b->len - done);
        if (n < 0)
            abort();
        done += (size_t)n;
    }
    return fd;
}

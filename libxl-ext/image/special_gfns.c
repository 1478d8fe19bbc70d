/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The gfns that HVM_PARAMS and HVM_CONTEXT records name. Whatever the numbers
 * say, they are only looked up, so one that no gfn can be is left out.
 */
#include "image/internal.h"

#include "core/array.h"
#include "image/vec.h"

static uint64_t body(const struct xlx__record *record)
{
    return record->offset + sizeof(struct fmt_record);
}

static int add_gfns(struct xlx__source *src, uint64_t at,
                    struct xlx__special_gfns *special, uint64_t gfn,
                    uint64_t nr)
{
    if (gfn >= FMT_GFN_LIMIT || nr > FMT_GFN_LIMIT - gfn)
        return 0;
    if (special->nr >= XLX__SPECIAL_GFNS_MAX)
        return xlx__source_fail(src, EOVERFLOW, at,
                                "more parameters and vCPUs than a guest has");
    if (!xlx__vec_room(special->range, special->nr, special->cap))
        return xlx__source_fail(src, ENOMEM, at, "no memory");
    special->range[special->nr++] = (struct xlx__gfn_range){ gfn, gfn + nr };
    return 0;
}

/* The gfns of `len` bytes at `address`. */
static int add_bytes(struct xlx__source *src, uint64_t at,
                     struct xlx__special_gfns *special, uint64_t address,
                     uint64_t len)
{
    uint64_t last = address + len - 1;
    if (!len || last < address)
        return 0;
    uint64_t gfn = address / XLX_PAGE_SIZE;
    return add_gfns(src, at, special, gfn, last / XLX_PAGE_SIZE - gfn + 1);
}

/* --- HVM_PARAMS ----------------------------------------------------------- */

/*
 * Libxc gives the ioreq servers eight pages below the special pages
 * (NR_IOREQ_SERVER_PAGES); a TSS with its interrupt redirection and I/O bitmaps
 * is all that Xen uses of a larger VM86 TSS, and 128 bytes of one without a
 * size (hvm_allow_set_param).
 */
#define IOREQ_SERVER_PAGES 8
#define VM86_TSS_MAX (104 + 32 + 8192)
#define VM86_TSS_UNSIZED 128
#define GENERATION_ID_BYTES 16

static int add_param(struct xlx__source *src, uint64_t at,
                     struct xlx__special_gfns *special,
                     const struct fmt_hvm_param *param)
{
    uint64_t value = param->value, len;
    if (!value)
        return 0; /* not set */
    switch (param->index) {
    case FMT_PARAM_STORE_PFN:
    case FMT_PARAM_CONSOLE_PFN:
    case FMT_PARAM_IOREQ_PFN:
    case FMT_PARAM_BUFIOREQ_PFN:
    case FMT_PARAM_PAGING_RING_PFN:
    case FMT_PARAM_MONITOR_RING_PFN:
    case FMT_PARAM_SHARING_RING_PFN:
        return add_gfns(src, at, special, value, 1);
    case FMT_PARAM_IOREQ_SERVER_PFN:
        special->device_model = true;
        return add_gfns(src, at, special, value, IOREQ_SERVER_PAGES);
    case FMT_PARAM_IDENT_PT:
        return add_bytes(src, at, special, value, XLX_PAGE_SIZE);
    case FMT_PARAM_VM_GENERATION_ID_ADDR:
        return add_bytes(src, at, special, value, GENERATION_ID_BYTES);
    case FMT_PARAM_VM86_TSS:
        return add_bytes(src, at, special, value, VM86_TSS_UNSIZED);
    case FMT_PARAM_VM86_TSS_SIZED:
        len = value >> 32;
        return add_bytes(src, at, special, value & UINT32_MAX,
                         len < VM86_TSS_MAX ? len : VM86_TSS_MAX);
    default:
        return 0;
    }
}

int xlx__special_gfns_of_params(struct xlx__source *src,
                                const struct xlx__record *record,
                                struct xlx__special_gfns *special)
{
    struct fmt_hvm_params head;
    uint64_t at = body(record), need = sizeof(head);
    int rc = 0;
    if (record->length >= sizeof(head)) {
        rc = xlx__source_copy(src, at, &head, sizeof(head), "HVM_PARAMS");
        need += head.count * (uint64_t)sizeof(struct fmt_hvm_param);
    }
    if (!rc && record->length != need)
        rc = xlx__source_fail(src, EBADMSG, record->offset,
                              "HVM_PARAMS record: length %" PRIu32
                              ", its parameters take %" PRIu64,
                              record->length, need);
    at += sizeof(head);
    for (uint32_t i = 0; !rc && i < head.count; i++) {
        struct fmt_hvm_param param;
        rc = xlx__source_copy(src, at, &param, sizeof(param), "HVM_PARAMS");
        if (!rc)
            rc = add_param(src, at, special, &param);
        at += sizeof(param);
    }
    return rc;
}

/* --- HVM_CONTEXT ---------------------------------------------------------- */

static int bad_context(struct xlx__source *src, uint64_t at, const char *why)
{
    return xlx__source_fail(src, EBADMSG, at, "HVM_CONTEXT record: %s", why);
}

static int add_cr3(struct xlx__source *src, uint64_t at, uint32_t length,
                   struct xlx__special_gfns *special)
{
    uint64_t cr3;
    if (length < FMT_SAVE_CPU_CR3 + sizeof(cr3))
        return bad_context(src, at, "a vCPU without CR3");
    int rc = xlx__source_copy(src, at + FMT_SAVE_CPU_CR3, &cr3, sizeof(cr3),
                              "HVM_CONTEXT");
    if (rc)
        return rc;
    return add_gfns(src, at, special, (cr3 & FMT_CR3_ADDRESS) / XLX_PAGE_SIZE,
                    1);
}

/*
 * Xen maps these pages when the context is set and never again
 * (viridian/synic.c, time.c: viridian_map_guest_page() in the load handlers):
 * one that is paged out then stays unmapped, timers and EOIs get lost. An entry
 * of an older Xen is shorter, what it lacks is zero. docs/lazy-restore.md has
 * the other entries.
 */
static const struct {
    uint16_t typecode;
    uint32_t offset;
} viridian_pages[] = {
    { FMT_SAVE_VIRIDIAN_DOMAIN, FMT_SAVE_VIRIDIAN_HYPERCALL },
    { FMT_SAVE_VIRIDIAN_DOMAIN, FMT_SAVE_VIRIDIAN_REFERENCE_TSC },
    { FMT_SAVE_VIRIDIAN_VCPU, FMT_SAVE_VIRIDIAN_VP_ASSIST },
    { FMT_SAVE_VIRIDIAN_VCPU, FMT_SAVE_VIRIDIAN_SIMP },
};

static int add_viridian(struct xlx__source *src, uint64_t at,
                        const struct fmt_save_descriptor *entry,
                        struct xlx__special_gfns *special)
{
    uint64_t msr;
    int rc = 0;
    for (size_t i = 0; !rc && i < XLX__NR(viridian_pages); i++) {
        uint32_t offset = viridian_pages[i].offset;
        if (viridian_pages[i].typecode != entry->typecode ||
            entry->length < offset + sizeof(msr))
            continue;
        rc = xlx__source_copy(src, at + offset, &msr, sizeof(msr),
                              "HVM_CONTEXT");
        if (!rc && msr & FMT_VIRIDIAN_ENABLED)
            rc = add_gfns(src, at, special, msr / XLX_PAGE_SIZE, 1);
    }
    return rc;
}

/* As Xen's hvm_load(): entries up to an END, which must be there. */
int xlx__special_gfns_of_context(struct xlx__source *src,
                                 const struct xlx__record *record,
                                 struct xlx__special_gfns *special)
{
    uint64_t at = body(record), end = at + record->length;
    for (;;) {
        struct fmt_save_descriptor entry;
        if (end - at < sizeof(entry))
            return bad_context(src, at, "no END entry in it");
        int rc =
            xlx__source_copy(src, at, &entry, sizeof(entry), "HVM_CONTEXT");
        if (rc)
            return rc;
        if (entry.typecode == FMT_SAVE_END)
            return 0;
        at += sizeof(entry);
        if (entry.length > end - at)
            return bad_context(src, at, "an entry that is longer than it");
        if (entry.typecode == FMT_SAVE_CPU)
            rc = add_cr3(src, at, entry.length, special);
        if (!rc)
            rc = add_viridian(src, at, &entry, special);
        if (rc)
            return rc;
        at += entry.length;
    }
}

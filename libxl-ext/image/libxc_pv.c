/* SPDX-License-Identifier: LGPL-2.1-only */
#include "image/libxc_pv.h"

static int bad(struct xlx__source *src, const struct xlx__record *record,
               const char *name, const char *why)
{
    return xlx__source_fail(src, EBADMSG, record->offset, "%s record: %s", name,
                            why);
}

static uint64_t body(const struct xlx__record *record)
{
    return record->offset + sizeof(struct fmt_record);
}

static int check_info(struct xlx__source *src, const struct xlx__record *record,
                      const char *name, struct xlx__pv *pv)
{
    struct fmt_pv_info info;
    if (pv->width)
        return bad(src, record, name, "the second one");
    int rc = xlx__source_copy(src, body(record), &info, sizeof(info), name);
    if (rc)
        return rc;
    if (!(info.width == 4 && info.levels == 3) &&
        !(info.width == 8 && info.levels == 4))
        return xlx__source_fail(src, EBADMSG, record->offset,
                                "%s record: words of %u bytes and %u levels of "
                                "page tables",
                                name, info.width, info.levels);
    pv->width = info.width;
    return 0;
}

/* A frame of the P2M has as many entries as words fit in a page. */
static int check_frames(struct xlx__source *src,
                        const struct xlx__record *record, const char *name,
                        struct xlx__pv *pv)
{
    struct fmt_pv_frames frames;
    int rc = xlx__source_copy(src, body(record), &frames, sizeof(frames), name);
    if (rc)
        return rc;
    if (!pv->width)
        return bad(src, record, name, "before X86_PV_INFO");
    if (frames.first_pfn > frames.last_pfn)
        return bad(src, record, name, "its last pfn is before its first");
    if (!frames.last_pfn && !pv->end_pfn)
        return bad(src, record, name, "a guest of one page");

    unsigned per_frame = XLX_PAGE_SIZE / pv->width;
    uint64_t nr = frames.last_pfn / per_frame - frames.first_pfn / per_frame;
    if (record->length != sizeof(frames) + (nr + 1) * sizeof(uint64_t))
        return bad(src, record, name, "its frames do not fill its length");
    if (frames.last_pfn >= pv->end_pfn)
        pv->end_pfn = frames.last_pfn + 1ull;
    return 0;
}

/* Without a body behind its header, as Xen once wrote it, it says nothing. */
static int check_vcpu(struct xlx__source *src, const struct xlx__record *record,
                      const char *name, struct xlx__pv *pv)
{
    struct fmt_pv_vcpu vcpu;
    uint32_t length = record->length - sizeof(vcpu);
    bool basic = record->type == FMT_X86_PV_VCPU_BASIC, right = true;
    int rc = xlx__source_copy(src, body(record), &vcpu, sizeof(vcpu), name);
    if (rc || !length)
        return rc;
    if (basic)
        right = length ==
                (pv->width == 4 ? FMT_PV_VCPU_BASIC_32 : FMT_PV_VCPU_BASIC_64);
    else if (record->type == FMT_X86_PV_VCPU_EXTENDED)
        right = length <= FMT_PV_VCPU_EXTENDED_MAX;
    else if (record->type == FMT_X86_PV_VCPU_XSAVE)
        right = length >= FMT_PV_VCPU_XSAVE_MIN;
    else
        right = length % FMT_PV_VCPU_MSR == 0;
    if (!right)
        return xlx__source_fail(src, EBADMSG, record->offset,
                                "%s record: invalid length %" PRIu32, name,
                                record->length);
    if (basic && !vcpu.id)
        pv->vcpu = true;
    return 0;
}

int xlx__pv_record(struct xlx__source *src, const struct xlx__record *record,
                   const char *name, struct xlx__pv *pv)
{
    switch (record->type) {
    case FMT_X86_PV_INFO:
        return check_info(src, record, name, pv);
    case FMT_X86_PV_P2M_FRAMES:
        return check_frames(src, record, name, pv);
    case FMT_SHARED_INFO:
        return pv->width ? 0 : bad(src, record, name, "before X86_PV_INFO");
    default:
        return check_vcpu(src, record, name, pv);
    }
}

const char *xlx__pv_missing(const struct xlx__pv *pv)
{
    if (!pv->width)
        return "X86_PV_INFO";
    if (!pv->end_pfn)
        return "X86_PV_P2M_FRAMES";
    return pv->vcpu ? NULL : "X86_PV_VCPU_BASIC";
}

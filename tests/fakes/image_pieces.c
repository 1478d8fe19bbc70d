/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/image_pieces.h"

void corpus_fill_kit(struct kit *kit)
{
    kit->page[0] = 1; /* one pfn, which is 5 */
    kit->page[1] = 5;
    build_page(5, 0, &kit->page[2]);
    kit->context[0] = 1 | 16ull << 32; /* an entry of 16 bytes, then END */
    kit->params[0] = 2;
    kit->params[1] = FMT_PARAM_STORE_PFN;
    kit->params[2] = 0xfeffc;
    kit->params[3] = FMT_PARAM_CONSOLE_PFN;
    kit->params[4] = 0xfefff;
    kit->pv_info[0] = 8 | 4 << 8;
    kit->pv_frames[0] = 7ull << 32; /* pfns 0 to 7, one frame */
}

#define IN(member) offsetof(struct kit, member)

const struct piece_row corpus_pieces[NR_PIECES] = {
    [CPUID] = { "cpuid", FMT_X86_CPUID_POLICY, 24, IN(cpuid) },
    [MSR] = { "msr", FMT_X86_MSR_POLICY, 16, IN(msr) },
    [STATIC] = { "static-end", FMT_STATIC_DATA_END, 0, IN(other) },
    [PAGE] = { "page", FMT_PAGE_DATA, 8 + 8 + 4096, IN(page) },
    [TSC] = { "tsc", FMT_X86_TSC_INFO, 24, IN(tsc) },
    [CONTEXT] = { "context", FMT_HVM_CONTEXT, 32, IN(context) },
    [PARAMS] = { "params", FMT_HVM_PARAMS, 40, IN(params) },
    [INFO] = { "pv-info", FMT_X86_PV_INFO, 8, IN(pv_info) },
    [FRAMES] = { "pv-frames", FMT_X86_PV_P2M_FRAMES, 16, IN(pv_frames) },
    [SHARED] = { "shared-info", FMT_SHARED_INFO, 4096, IN(other) },
    [BASIC] = { "basic", FMT_X86_PV_VCPU_BASIC, 8 + 5168, IN(other) },
    [EXTENDED] = { "extended", FMT_X86_PV_VCPU_EXTENDED, 8 + 128, IN(other) },
    [XSAVE] = { "xsave", FMT_X86_PV_VCPU_XSAVE, 8 + 16, IN(other) },
    [MSRS] = { "msrs", FMT_X86_PV_VCPU_MSRS, 8 + 16, IN(other) },
    [END] = { "end", FMT_END, 0, IN(other) },
    [BASIC_EMPTY] = { "empty-basic", FMT_X86_PV_VCPU_BASIC, 8, IN(other) },
    [BASIC_SHORT] = { "basic-32", FMT_X86_PV_VCPU_BASIC, 2808, IN(other) },
    [VERIFY] = { "verify", FMT_VERIFY, 0, IN(other) },
    [TOOLSTACK] = { "toolstack", FMT_TOOLSTACK, 8, IN(other) },
    [CHECKPOINT] = { "checkpoint", FMT_CHECKPOINT, 0, IN(other) },
    [DIRTY_LIST] = { "dirty-list", FMT_CHECKPOINT_DIRTY_PFN_LIST, 8,
                     IN(other) },
    [UNKNOWN] = { "unknown", 0x13, 8, IN(other) },
    [OPTIONAL] = { "optional", FMT_RECORD_OPTIONAL | 0x13, 8, IN(other) },
    [OPTIONAL_PAGE] = { "optional-page", FMT_RECORD_OPTIONAL | 1, 8,
                        IN(other) },
    [END_WITH_BODY] = { "end-with-body", FMT_END, 8, IN(other) },
    [CONTEXT_WITHOUT_END] = { "endless-context", FMT_HVM_CONTEXT, 24,
                              IN(context) },
    [PARAMS_EMPTY] = { "no-params", FMT_HVM_PARAMS, 8, IN(other) },
};

struct corpus_record corpus_make(const struct kit *kit, enum piece piece)
{
    return (struct corpus_record){ corpus_pieces[piece].type,
                                   corpus_pieces[piece].length,
                                   (const char *)kit +
                                       corpus_pieces[piece].body };
}

const struct base corpus_bases[NR_BASES] = {
    { "hvm-4.13",
      2,
      FMT_GUEST_HVM,
      4,
      13,
      { PAGE, TSC, CONTEXT, PARAMS, END } },
    { "hvm-4.17",
      3,
      FMT_GUEST_HVM,
      4,
      17,
      { CPUID, MSR, STATIC, PAGE, TSC, CONTEXT, PARAMS, END } },
    /* Xen 4.5's, by convert-legacy-stream */
    { "hvm-converted",
      2,
      FMT_GUEST_HVM,
      0,
      1,
      { PAGE, TSC, PARAMS, CONTEXT, END } },
    { "pv-4.13",
      2,
      FMT_GUEST_PV,
      4,
      13,
      { INFO, FRAMES, PAGE, TSC, SHARED, BASIC, EXTENDED, XSAVE, MSRS, END } },
    { "pv-4.17",
      3,
      FMT_GUEST_PV,
      4,
      17,
      { INFO, CPUID, MSR, STATIC, FRAMES, PAGE, TSC, SHARED, BASIC, EXTENDED,
        XSAVE, MSRS, END } },
};

const struct base corpus_orders[NR_ORDERS] = {
    { "hvm-3",
      3,
      FMT_GUEST_HVM,
      4,
      17,
      { STATIC, PAGE, CONTEXT, PARAMS, END } },
    { "hvm-2",
      2,
      FMT_GUEST_HVM,
      4,
      13,
      { STATIC, PAGE, CONTEXT, PARAMS, END } },
    { "pv-3",
      3,
      FMT_GUEST_PV,
      4,
      17,
      { STATIC, INFO, FRAMES, PAGE, BASIC, END } },
    { "pv-2",
      2,
      FMT_GUEST_PV,
      4,
      13,
      { STATIC, INFO, FRAMES, PAGE, BASIC, END } },
};

void corpus_compose(const struct kit *kit, const struct base *base,
                    struct corpus_stream *s)
{
    *s = (struct corpus_stream){ .version = base->version,
                                 .guest = base->guest,
                                 .xen_major = base->xen_major,
                                 .xen_minor = base->xen_minor };
    do
        s->record[s->nr] = corpus_make(kit, base->piece[s->nr]);
    while (base->piece[s->nr++] != END);
}

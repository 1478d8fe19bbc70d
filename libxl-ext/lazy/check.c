/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What this host can do for a lazy restore, as a list of features.
 */
#include "lazy/check.h"

#include <stdio.h>
#include <stdlib.h>

#define INSTALL "install the hypervisor that 'make hypervisor' builds"

static enum xlx_lazy_answer answer_xen(const struct xlx__paging_host *host,
                                       uint32_t bit)
{
    (void)bit;
    return host->xen ? XLX_LAZY_YES : XLX_LAZY_NO;
}

static enum xlx_lazy_answer answer_release(const struct xlx__paging_host *host,
                                           uint32_t bit)
{
    (void)bit;
    if (!host->xen)
        return XLX_LAZY_UNKNOWN;
    return host->other ? XLX_LAZY_NO : XLX_LAZY_YES;
}

/* Whatever the answer was: other than -ENOSYS, somebody has looked at it. */
static enum xlx_lazy_answer answer_paging(const struct xlx__paging_host *host,
                                          uint32_t bit)
{
    (void)bit;
    if (!host->xen || host->features == -EPERM || host->features == -EACCES)
        return XLX_LAZY_UNKNOWN;
    return host->features == -ENOSYS || host->features == -EOPNOTSUPP
               ? XLX_LAZY_NO
               : XLX_LAZY_YES;
}

static enum xlx_lazy_answer answer_bit(const struct xlx__paging_host *host,
                                       uint32_t bit)
{
    if (answer_paging(host, 0) == XLX_LAZY_UNKNOWN)
        return XLX_LAZY_UNKNOWN;
    return host->features > 0 && ((uint32_t)host->features & bit) == bit
               ? XLX_LAZY_YES
               : XLX_LAZY_NO;
}

static enum xlx_lazy_answer answer_number(int number)
{
    if (number < 0)
        return XLX_LAZY_UNKNOWN;
    return number ? XLX_LAZY_YES : XLX_LAZY_NO;
}

static enum xlx_lazy_answer answer_hap(const struct xlx__paging_host *host,
                                       uint32_t bit)
{
    (void)bit;
    return answer_number(host->hap);
}

static enum xlx_lazy_answer answer_pv(const struct xlx__paging_host *host,
                                      uint32_t bit)
{
    (void)bit;
    return answer_number(host->pv_control);
}

static const struct feature {
    const char *name;
    bool needed;
    enum xlx_lazy_answer (*answer)(const struct xlx__paging_host *host,
                                   uint32_t bit);
    uint32_t bit;
    const char *with;
    const char *without;
} features[XLX__LAZY_FEATURES] = {
    { "xen", true, answer_xen, 0, "this host runs Xen",
      "no hypervisor here, or not root" },
    { "release", true, answer_release, 0,
      "this libxl-ext fits the running hypervisor",
      "this libxl-ext is built for another release of Xen than the one that "
      "runs ('xl-ext version' names both): reboot, or use the one built for "
      "it" },
    { "hap", true, answer_hap, 0, "the processor has nested paging",
      "the processor has no nested paging (EPT or NPT), or it is turned off" },
    { "pv-control", true, answer_pv, 0, "the control domain is PV",
      "the control domain is HVM or PVH: boot it as PV" },
    { "paging", true, answer_paging, 0, "the hypervisor has memory paging",
      "this hypervisor is built without memory paging: " INSTALL },
    { "resume", true, answer_bit, XLX__PAGING_RESTARTS,
      "a resumed guest registers its vcpu_info pages while they are paged out",
      "a resumed Linux guest panics, because its vcpu_info page is paged "
      "out: " INSTALL },
    { "hypercalls", true, answer_bit, XLX__PAGING_HYPERCALLS,
      "a hypercall waits for a paged out argument",
      "a guest's hypercall fails if its argument is paged out: " INSTALL },
    { "grants", true, answer_bit, XLX__PAGING_GRANTS,
      "a guest waits for a page that it grants to a backend",
      "a PV network that uses paged out memory can crash this host: " INSTALL },
    { "runs", true, answer_bit, XLX__PAGING_MARK_RUN | XLX__PAGING_LOAD_RUN,
      "memory is paged out and loaded in runs of pages",
      "memory is paged page by page, slower than an eager restore: " INSTALL },
    { "sleep", false, answer_bit, XLX__PAGING_ALL_SLEEP,
      "every vCPU that waits for a page sleeps",
      "vCPUs that wait for the same page spin: " INSTALL },
    { "save-refused", false, answer_bit, XLX__PAGING_REFUSES,
      "Xen refuses to save or migrate a guest with paged out memory",
      "an xl other than libxl-ext's saves a filling guest without its "
      "memory: " INSTALL },
};

/* The first that is missing; what nobody could tell comes after it. */
static void conclude(struct xlx_lazy_report *report)
{
    for (int i = 0; i < XLX__LAZY_FEATURES; i++) {
        const struct xlx_lazy_feature *f = &report->features[i];
        if (!f->needed || f->answer == XLX_LAZY_YES)
            continue;
        snprintf(report->reason, sizeof(report->reason), "%s",
                 f->answer == XLX_LAZY_NO ? f->text : "Xen does not tell");
        if (f->answer == XLX_LAZY_NO)
            return;
    }
}

void xlx__lazy_report(const struct xlx__paging_host *host,
                      struct xlx_lazy_report *report_r)
{
    *report_r = (struct xlx_lazy_report){ .reason = "" };
    for (int i = 0; i < XLX__LAZY_FEATURES; i++) {
        const struct feature *f = &features[i];
        enum xlx_lazy_answer answer = f->answer(host, f->bit);
        report_r->features[i] = (struct xlx_lazy_feature){
            .name = f->name,
            .text = answer == XLX_LAZY_YES ? f->with : f->without,
            .needed = f->needed,
            .answer = answer,
        };
    }
    conclude(report_r);
}

int xlx_lazy_report_new(xlx_lazy_report **report_r)
{
    struct xlx__paging_host host;
    xlx_ctx *ctx;
    int rc = xlx_ctx_new(&ctx);
    if (rc)
        return rc;
    xlx__paging_host(ctx, &host);
    xlx_ctx_free(ctx);
    xlx_lazy_report *report = malloc(sizeof(*report));
    if (!report)
        return -ENOMEM;
    xlx__lazy_report(&host, report);
    *report_r = report;
    return 0;
}

void xlx_lazy_report_free(xlx_lazy_report *report)
{
    free(report);
}

const char *xlx_lazy_report_reason(const xlx_lazy_report *report)
{
    return *report->reason ? report->reason : NULL;
}

const struct xlx_lazy_feature *
xlx_lazy_report_feature(const xlx_lazy_report *report, unsigned i)
{
    return i < XLX__LAZY_FEATURES ? &report->features[i] : NULL;
}

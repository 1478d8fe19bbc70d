/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Look, decide, do: one pass, and what is remembered from one to the next.
 */
#ifndef XLX_USB_ASSIGN_RECONCILE_H
#define XLX_USB_ASSIGN_RECONCILE_H

#include "usb/assign/backoff.h"
#include "usb/assign/reconcile_plan.h"

/* Below XLX_PATH_RUN: held by the one watch of this host. */
#define XLX__USB_WATCH_PIDFILE "usb/reconcile.pid"

struct xlx__reconciler {
    xlx_ctx *ctx;
    char *guest; /* or NULL */
    int timeout_ms;
    int busy_ms;       /* how long a guest at work is waited for */
    bool only_changes; /* report what was not reported before */
    xlx_usb_report_fn *report;
    void *user;
    struct xlx__backoff backoff;
};

struct xlx__pass {
    int bad;      /* devices that failed, or are required and missing */
    bool acted;   /* something was changed: look again */
    int64_t next; /* when something is to be tried again; INT64_MAX: nothing */
};

/* `config` of the caller's `size`; NULL: every guest. */
int xlx__reconciler_init(struct xlx__reconciler *r, xlx_ctx *ctx,
                         const struct xlx_usb_reconcile_config *config,
                         size_t size, xlx_usb_report_fn *report, void *user);
void xlx__reconciler_free(struct xlx__reconciler *r);

/* `now` is xlx__now_ms(), or what a test says. -errno when there was no looking
 * at all; the failures of single devices only go to the report. */
int xlx__reconcile_pass(struct xlx__reconciler *r, int64_t now,
                        struct xlx__pass *pass_r);

#endif

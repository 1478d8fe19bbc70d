/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The reporter: keeps the status of a restore, and tells it: in the status file
 * and the log at once, by whichever thread has news, and in xenstore, which no
 * fault waits for, by the control thread.
 */
#ifndef XLX_LAZY_REPORTER_H
#define XLX_LAZY_REPORTER_H

#include "lazy/pager.h"

struct xlx__reporter;

/* Of `image`, which outlives it, and whose headers were read in `index_us`. 0
 * or -ENOMEM. */
int xlx__reporter_new(xlx_ctx *ctx, uint32_t domid, const xlx_image *image,
                      uint64_t index_us, struct xlx__reporter **reporter_r);

/* NULL is allowed. */
void xlx__reporter_free(struct xlx__reporter *reporter);

/* In a process that was forked: as new. */
void xlx__reporter_renew(struct xlx__reporter *reporter);

/* The calling process is the pager from now on. Opens xenstore, because a
 * process that is confined later can no longer do it. */
void xlx__reporter_begin(struct xlx__reporter *reporter);

/* Closes xenstore. NULL is allowed. */
void xlx__reporter_end(struct xlx__reporter *reporter);

/* An xlx__pager_report_fn whose `user` is the reporter. */
void xlx__reporter_report(void *user, struct xlx__pager *pager,
                          enum xlx_lazy_state state, const char *reason);

/* The status of now as JSON, for free(). NULL without memory. */
char *xlx__reporter_json(struct xlx__reporter *reporter,
                         struct xlx__pager *pager);

/* Writes the status of now to xenstore. Of one thread at a time. */
void xlx__reporter_publish(struct xlx__reporter *reporter,
                           struct xlx__pager *pager);

#endif

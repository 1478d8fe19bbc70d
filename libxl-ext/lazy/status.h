/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The status of a lazily restored domain: RUN/lazy/DOMID.json, replaced as a
 * whole by rename(2), so a reader always sees a complete one; and in xenstore,
 * for tools that would rather watch there.
 */
#ifndef XLX_LAZY_STATUS_H
#define XLX_LAZY_STATUS_H

#include "core/ctx.h"
#include "libxl_ext_lazy.h"

/* Of a domain; libxl removes what is above it with the domain. */
#define XLX__LAZY_XS "/libxl/%u/lazy-restore"

/* 0 or -errno; keeps no error text, so that any thread may call it. */
int xlx__lazy_status_write(const char *run_dir,
                           const struct xlx_lazy_status *status);

/* Removes the file; one that is not there is no error. */
void xlx__lazy_status_remove(const char *run_dir, uint32_t domid);

/* Makes RUN/lazy. 0 or -errno. */
int xlx__lazy_make_dirs(const char *run_dir);

/* From JSON, which may be anything. 0 or -EBADMSG. */
int xlx__lazy_status_parse(const char *text, struct xlx_lazy_status *status);

/*
 * Writes the status to xenstore, readable by dom0 only, in one transaction; a
 * domain that libxl does not know (any more) gets none: -ENOENT, without a
 * report. `before` is what was written last, so that only what has changed
 * since is written; NULL: all. One thread at a time, as for the context's
 * xenstore.
 */
int xlx__lazy_status_publish(xlx_ctx *ctx, const struct xlx_lazy_status *status,
                             const struct xlx_lazy_status *before);

#endif

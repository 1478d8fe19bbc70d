/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The status file of a lazily restored domain: RUN/lazy/DOMID.json, replaced as
 * a whole by rename(2), so a reader always sees a complete one.
 */
#ifndef XLX_LAZY_STATUS_H
#define XLX_LAZY_STATUS_H

#include "core/ctx.h"
#include "libxl_ext_lazy.h"

/* 0 or -errno; keeps no error text, so that any thread may call it. */
int xlx__lazy_status_write(const char *run_dir,
                           const struct xlx_lazy_status *status);

/* Removes the file; one that is not there is no error. */
void xlx__lazy_status_remove(const char *run_dir, uint32_t domid);

#endif

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Between the doctor's files: each check reports once, and asks the part of the
 * library that does the work whether it could.
 */
#ifndef XLX_DOCTOR_DOCTOR_H
#define XLX_DOCTOR_DOCTOR_H

#include "core/ctx.h"
#include "libxl_ext_doctor.h"
#include "xen/paging.h"

struct xlx__doctor {
    xlx_ctx *ctx;
    xlx_doctor_fn *report;
    void *user;
    int missing; /* findings so far */
    /* What the findings are about; of the host at first. */
    uint32_t domid;
    const char *guest;
};

/* Reports one finding. */
void xlx__doctor_find(struct xlx__doctor *d, const char *check,
                      enum xlx_doctor_state state, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* One that is XLX_DOCTOR_OK when `rc` is 0, with `there` as its text; else
 * `state`, with the text of the context's error. */
void xlx__doctor_judge(struct xlx__doctor *d, const char *check, int rc,
                       enum xlx_doctor_state state, const char *there);

/* As xlx_doctor(), on a host whose hypervisor has answered like this. */
int xlx__doctor(xlx_ctx *ctx, const struct xlx__paging_host *host,
                xlx_doctor_fn *report, void *user);

/* Groups of checks, in the order in which they are made. */
void xlx__doctor_check_usb(struct xlx__doctor *d);
void xlx__doctor_check_guests(struct xlx__doctor *d);

#endif

/* SPDX-License-Identifier: LGPL-2.1-only */
#include "doctor/doctor.h"

#include <stdio.h>

#include "core/array.h"

const char *xlx_doctor_state_name(enum xlx_doctor_state state)
{
    static const char *const names[] = {
        [XLX_DOCTOR_OK] = "ok",
        [XLX_DOCTOR_MISSING] = "missing",
        [XLX_DOCTOR_OPTIONAL] = "optional",
        [XLX_DOCTOR_UNKNOWN] = "unknown",
    };
    unsigned i = (unsigned)state;
    return i < XLX__NR(names) ? names[i] : "unknown";
}

void xlx__doctor_find(struct xlx__doctor *d, const char *check,
                      enum xlx_doctor_state state, const char *fmt, ...)
{
    char text[XLX__ERROR_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    d->missing += state == XLX_DOCTOR_MISSING;
    d->report(d->user, &(struct xlx_doctor_finding){ .check = check,
                                                     .state = state,
                                                     .text = text,
                                                     .domid = d->domid,
                                                     .guest = d->guest });
}

void xlx__doctor_judge(struct xlx__doctor *d, const char *check, int rc,
                       enum xlx_doctor_state state, const char *there)
{
    if (rc)
        xlx__doctor_find(d, check, state, "%s", xlx_ctx_error(d->ctx));
    else
        xlx__doctor_find(d, check, XLX_DOCTOR_OK, "%s", there);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The doctor: does libxl-ext work on this host, and if not, what is missing?
 */
#ifndef LIBXL_EXT_DOCTOR_H
#define LIBXL_EXT_DOCTOR_H

#include <stdint.h>

#include "libxl_ext.h"

#ifdef __cplusplus
extern "C" {
#endif

enum xlx_doctor_state {
    XLX_DOCTOR_OK,
    XLX_DOCTOR_MISSING,  /* something does not work without it */
    XLX_DOCTOR_OPTIONAL, /* not there; any Xen host can do without it */
    XLX_DOCTOR_UNKNOWN,  /* could not be found out */
};

/* The result of one check. The strings are valid during the call that they are
 * handed to. */
struct xlx_doctor_finding {
    const char *check; /* one word that stays the same: "xenstore", "gntdev" */
    enum xlx_doctor_state state;
    /* One line: what is there; or what is not, and what to do about it. A
     * policy file, for one, may have put any bytes into it. */
    const char *text;
    uint32_t domid;    /* of the guest that was checked; 0: this host */
    const char *guest; /* and its name, any bytes; "" for this host */
};

/* Called once for each check, in a fixed order, by the thread that called
 * xlx_doctor(). */
typedef void xlx_doctor_fn(void *user,
                           const struct xlx_doctor_finding *finding);

/*
 * Checks this host, then each guest that runs: hands every finding to `report`.
 * Needs root for most checks, and no guest. Changes nothing. The failures of
 * single checks are findings; they are not logged.
 *
 * Returns how many findings are XLX_DOCTOR_MISSING; -ENODEV, after the finding
 * that says so, when this host does not run Xen or is itself a guest.
 */
int xlx_doctor(xlx_ctx *ctx, xlx_doctor_fn *report, void *user);

/* "ok", "missing", "optional" or "unknown". Never NULL. */
const char *xlx_doctor_state_name(enum xlx_doctor_state state);

#ifdef __cplusplus
}
#endif

#endif

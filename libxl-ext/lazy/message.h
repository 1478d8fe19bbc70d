/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What is said over the control socket of a pager: one line of JSON each way.
 * The request names what to change, the answer is the status, or an error:
 *
 *     {"bwlimit":1048576,"fill":"resume","retry":true}
 *     {"domid":5,"pid":...}            or {"error":"..."}
 *
 * With "watch":true more statuses follow as they change. Pure.
 */
#ifndef XLX_LAZY_MESSAGE_H
#define XLX_LAZY_MESSAGE_H

#include <stdbool.h>

#include "libxl_ext_lazy.h"

#define XLX__REQUEST_MAX 512 /* with the newline */
#define XLX__ANSWER_MAX 32768

/* A line with its newline; the caller's to free(). NULL without memory. */
char *xlx__request_text(const struct xlx_lazy_change *change, bool watch);
char *xlx__error_text(const char *why);

/*
 * Reads a request, which may come from anybody: 0 or -EBADMSG, and *why_r says
 * what is wrong with it.
 */
int xlx__request_parse(const char *line, struct xlx_lazy_change *change_r,
                       bool *watch_r, const char **why_r);

#endif

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Finds the programs that the library runs.
 */
#ifndef XLX_HOST_PROGRAM_H
#define XLX_HOST_PROGRAM_H

#include "core/ctx.h"

/*
 * The program for `which`: the path set in the context; else the first of
 * `candidates` (NULL-terminated) that can be run. Copies it to `path_r`
 * (PATH_MAX bytes).
 *
 * -ENOENT  none; the text says what `what` is and how to set it.
 */
int xlx__find_program(xlx_ctx *ctx, enum xlx_path which, const char *what,
                      const char *const *candidates, char *path_r);

/*
 * The same for a program of ours that is installed in libexec/libxl-ext beside
 * this library, or lies in the same folder as the library (build tree).
 */
int xlx__find_own_program(xlx_ctx *ctx, enum xlx_path which, const char *name,
                          char *path_r);

#endif

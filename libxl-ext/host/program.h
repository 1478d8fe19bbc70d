/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Finds the programs that the library runs.
 */
#ifndef XLX_HOST_PROGRAM_H
#define XLX_HOST_PROGRAM_H

#include "core/ctx.h"

/*
 * The first of `places` (NULL-terminated) that can be run, copied to
 * path[0..len); -ENOENT: none. A place is a format: "%1$u.%2$u" in it is the
 * release of the Xen that runs.
 */
int xlx__find_place(xlx_ctx *ctx, const char *const *places, char *path,
                    size_t len);

/*
 * Our program `name`: the path set in the context for `which`; else in the same
 * folder as this library (build tree), else where it is installed. Copies it to
 * `path_r` (PATH_MAX bytes).
 *
 * -ENOENT  none; the text says which one is to be installed.
 */
int xlx__find_own_program(xlx_ctx *ctx, enum xlx_path which, const char *name,
                          char *path_r);

#endif

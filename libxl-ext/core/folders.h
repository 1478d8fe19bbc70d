/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Folders that have to be there before something is put into them.
 */
#ifndef XLX_CORE_FOLDERS_H
#define XLX_CORE_FOLDERS_H

#include "core/ctx.h"

/* Makes a folder and those above it where they are missing, with mode 0755. 0
 * or -errno, not reported. */
int xlx__mkdirs(const char *dir);

/* The same, reported. */
int xlx__make_folders(xlx_ctx *ctx, const char *dir);

/* The same for the folders above a file. */
int xlx__make_folders_above(xlx_ctx *ctx, const char *path);

#endif

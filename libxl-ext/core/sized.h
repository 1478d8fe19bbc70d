/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Public structs in which a caller sets what it wants.
 */
#ifndef XLX_CORE_SIZED_H
#define XLX_CORE_SIZED_H

#include <stddef.h>

#include "core/ctx.h"

/*
 * Fills `has` bytes at `to` from a config of the caller's `size`: what an older
 * one does not have is 0. -E2BIG, reported: it is a newer one, and sets what
 * this library does not know.
 */
int xlx__take_config(xlx_ctx *ctx, void *to, size_t has, const void *from,
                     size_t size);

#endif

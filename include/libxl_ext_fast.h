/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Fast restore: all of a guest's memory before it runs, as the distribution's
 * save helper brings it, in less time and in 2 MiB pages. Any Xen
 * does. docs/fast-restore.md has the whole picture.
 *
 * A toolstack on libxenlight needs none of this: it sets LIBXL_SAVE_HELPER to
 * our save helper and XL_EXT_LAZY=off, and restores as ever. That helper is
 * made of these steps:
 *
 *     xlx_fast_open()    reads the image's index; nothing is changed yet
 *     for (gfn = 0; xlx_fast_more(fast, &gfn); gfn += XLX_FAST_PART)
 *         fork(), two at a time; in the child: xlx_fast_load(fast, gfn)
 *     xlx_fast_feed()    the rest of the stream, to the distribution's helper
 *
 * Once the first xlx_fast_load() was called the domain has a part of its
 * memory: what fails from then on ends the restore, and the domain is to be
 * destroyed.
 */
#ifndef LIBXL_EXT_FAST_H
#define LIBXL_EXT_FAST_H

#include <stdbool.h>
#include <stdint.h>

#include "libxl_ext.h"
#include "libxl_ext_image.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xlx_fast xlx_fast;

/*
 * Prepares the fast restore of `domid` from the libxc stream at byte `offset`
 * of `io_fd`, which is duplicated and not moved. `name` is the image's name in
 * messages. `sidecar` is the path of its sidecar (libxl_ext_image.h), or NULL:
 * beside the image. One that cannot be used is logged, and changes nothing
 * else. Changes nothing in Xen.
 *
 * As xlx_image_open_fd(); -ENOTSUP also for a PV guest; -ENODEV no Xen here, or
 * not root.
 */
int xlx_fast_open(xlx_ctx *ctx, uint32_t domid, int io_fd, uint64_t offset,
                  const char *name, const char *sidecar, xlx_fast **fast_r);

/* NULL is allowed. */
void xlx_fast_close(xlx_fast *fast);

/* The image; it lives as long as `fast`. */
const xlx_image *xlx_fast_image(const xlx_fast *fast);

/* How many gfns one xlx_fast_load() sees to: 128 MiB. */
#define XLX_FAST_PART ((uint64_t)1 << 15)

/*
 * Moves *gfn, a multiple of XLX_FAST_PART, to the first part from there on that
 * has pages for xlx_fast_load(). False when there is none.
 */
bool xlx_fast_more(const xlx_fast *fast, uint64_t *gfn);

/*
 * Gives the domain, which is paused and has no memory there, that of one part,
 * [gfn, gfn + XLX_FAST_PART), with what the image has. Blocks. Each call is for
 * a process of its own that ends then: it has these pages mapped until it does,
 * as taking the mapping away page by page would cost as much as all the rest;
 * and two processes map at the same time, which two threads cannot.
 *
 * -ENOMEM Xen has not enough memory; -EBADMSG a page has another checksum than
 * in the sidecar; -ENODATA, -EIO etc. as xlx_image_read(); -errno of Xen's.
 */
int xlx_fast_load(xlx_fast *fast, uint64_t gfn);

/*
 * Writes the stream without these pages to `out`, for the distribution's save
 * helper, when all are loaded. Blocks; ignore SIGPIPE. Errors as write(2) and
 * as xlx_image_open_fd().
 */
int xlx_fast_feed(xlx_fast *fast, int out);

#ifdef __cplusplus
}
#endif

#endif

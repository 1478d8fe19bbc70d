/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Fast restore loads all of a guest's memory before the guest runs, as the
 * distribution's save helper does, but in less time and in 2 MiB pages. It
 * works on any Xen. docs/fast-restore.md has the details.
 *
 * A toolstack on libxenlight needs none of this: it sets LIBXL_SAVE_HELPER to
 * our save helper and XL_EXT_LAZY=off, and restores as usual. That helper
 * consists of these steps:
 *
 *     xlx_fast_open()    builds the page index; changes nothing
 *     for (gfn = 0; xlx_fast_more(fast, &gfn); gfn += XLX_FAST_PART)
 *         fork(), two at a time; in the child: xlx_fast_load(fast, gfn)
 *     xlx_fast_feed()    writes the thinned stream to the distribution's helper
 *
 * After the first xlx_fast_load() the domain has a part of its memory: a
 * failure from then on ends the restore, and the caller has to destroy the
 * domain.
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
 * of `io_fd`, which is duplicated and not moved. `name` is the name of the save
 * file in messages. `sidecar` is the path of its sidecar (libxl_ext_image.h),
 * or NULL for the one beside the save file. A sidecar that cannot be used is
 * logged and ignored. Changes nothing in Xen.
 *
 * Errors as xlx_image_open_fd(); -ENOTSUP also for a PV guest; -ENODEV no Xen
 * here, or not root.
 */
int xlx_fast_open(xlx_ctx *ctx, uint32_t domid, int io_fd, uint64_t offset,
                  const char *name, const char *sidecar, xlx_fast **fast_r);

/* NULL is allowed. */
void xlx_fast_close(xlx_fast *fast);

/* The save file; it is valid as long as `fast`. */
const xlx_image *xlx_fast_image(const xlx_fast *fast);

/* The number of gfns that one xlx_fast_load() handles: 128 MiB. */
#define XLX_FAST_PART ((uint64_t)1 << 15)

/*
 * Moves *gfn, a multiple of XLX_FAST_PART, to the first part from there on that
 * has pages for xlx_fast_load(). Returns false if there is none.
 */
bool xlx_fast_more(const xlx_fast *fast, uint64_t *gfn);

/*
 * Allocates and loads one part of the domain's memory, [gfn, gfn +
 * XLX_FAST_PART). The domain is paused and has no memory there. Blocks. Make
 * each call in a process of its own, which then ends: it has these pages mapped
 * until it ends, because unmapping them page by page would cost as much as all
 * the rest. And two processes map at the same time, which two threads cannot.
 *
 * -ENOMEM Xen does not have enough memory; -EBADMSG the checksum of a page
 * differs from the sidecar's; -ENODATA, -EIO etc. as xlx_image_read(); -errno
 * of Xen's.
 */
int xlx_fast_load(xlx_fast *fast, uint64_t gfn);

/*
 * Writes the thinned stream to `out`, for the distribution's save helper, when
 * all parts are loaded. Blocks; ignore SIGPIPE. Errors as write(2) and as
 * xlx_image_open_fd().
 */
int xlx_fast_feed(xlx_fast *fast, int out);

#ifdef __cplusplus
}
#endif

#endif

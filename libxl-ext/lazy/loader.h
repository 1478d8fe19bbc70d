/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The loader: reads pages of the image, holds them against what its sidecar
 * knows, and loads them into the guest.
 *
 * A page that somebody waits for is tried until it works, and the domain is
 * paused when that lasts (lazy/stall.h). What nobody waits for is tried once,
 * and its caller decides. Data is never replaced by zeros.
 *
 * All calls may be made from any thread, each with a buffer of its own.
 */
#ifndef XLX_LAZY_LOADER_H
#define XLX_LAZY_LOADER_H

#include "libxl_ext_image.h"
#include "lazy/guest.h"
#include "lazy/stall.h"

/* How long loads may fail before the domain is paused, or before the backfill
 * is reported to make no progress, in milliseconds. */
#define XLX__PATIENCE_MS 3000u

struct xlx__loader;

/* `guest` and `image` outlive it. NULL without memory. */
struct xlx__loader *xlx__loader_new(struct xlx__guest *guest,
                                    const xlx_image *image);
void xlx__loader_free(struct xlx__loader *loader);

/* After the process whose threads used it has died: as new. */
void xlx__loader_reset(struct xlx__loader *loader);

/* Before there are threads: zeros and checksums, outlives the loader; how long
 * loads may fail. */
void xlx__loader_set_sidecar(struct xlx__loader *loader,
                             const xlx_sidecar *sidecar);
void xlx__loader_set_patience(struct xlx__loader *loader, unsigned ms);
unsigned xlx__loader_patience(const struct xlx__loader *loader);

/* Owned by the loader. */
struct xlx__stalls *xlx__loader_stalls(const struct xlx__loader *loader);

/*
 * Has the page `gfn`, which somebody waits for, present, whoever loads it;
 * `buffer` takes one page. False when there is no domain to load for any more.
 */
bool xlx__loader_bring(struct xlx__loader *loader, uint64_t gfn, void *buffer);

/*
 * One attempt to read what nobody waits for; it need not be acquired. Pages
 * that the sidecar lists as zero are not read, all others are checked against
 * it. 0; -EBADMSG a wrong checksum; or as xlx_image_read().
 */
int xlx__loader_read(struct xlx__loader *loader, uint64_t gfn, uint32_t nr,
                     void *buffer);

/* Whether the sidecar lists all of [gfn, gfn + nr) as zero. */
bool xlx__loader_is_zero(const struct xlx__loader *loader, uint64_t gfn,
                         uint32_t nr);

/*
 * One attempt to load claimed pages [gfn, gfn + nr), nr at most
 * XLX__PAGING_RUN_MAX, whose content is in `buffer`, or zeros if that is NULL;
 * settles them, or releases them when it fails. 0 or as load_run() of
 * xen/paging.h.
 */
int xlx__loader_load(struct xlx__loader *loader, uint64_t gfn, uint32_t nr,
                     const void *buffer);

/* "its checksum is wrong", or the words of another -errno of
 * xlx__loader_read(). */
const char *xlx__loader_why(int rc);

#endif

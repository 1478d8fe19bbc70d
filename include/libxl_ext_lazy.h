/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Lazy restore: a saved guest runs at once, its memory arrives as it is
 * touched, and a backfill thread brings the rest. docs/lazy-restore.md has the
 * whole picture and what is promised when things break.
 *
 * A toolstack on libxenlight needs none of this: it sets LIBXL_SAVE_HELPER to
 * our save helper and restores as ever. That helper is made of these steps:
 *
 *     xlx_lazy_open()    reads the image's index, asks Xen what it can do
 *     fork()             the pager's process; it must stay until the end
 *       xlx_lazy_start()   in the pager: paging on, held-back pages marked
 *       xlx_lazy_record(), xlx_lazy_prefetch()   if wanted
 *       xlx_lazy_fill()    in the pager: the backfill begins
 *     xlx_lazy_feed()    the thinned stream, to the distribution's save helper
 *       xlx_lazy_serve()   in the pager: faults and backfill until all is there
 *
 * A mapping of guest memory does not survive fork(): nothing is mapped before
 * xlx_lazy_start(), so one xlx_lazy may be opened before the fork, started and
 * served in the child and fed in the parent. Which pages are present is in
 * memory that all forks share: a process that keeps an opened xlx_lazy can fork
 * another pager when one was killed (xlx_lazy_take_over()). That process has no
 * threads, so it is never a pager itself: a copy of one has locks, and slots of
 * an NBD server's connections, that nobody will give back.
 */
#ifndef LIBXL_EXT_LAZY_H
#define LIBXL_EXT_LAZY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libxl_ext.h"
#include "libxl_ext_image.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xlx_lazy xlx_lazy;

/*
 * Whether this hypervisor can restore lazily. Needs root and no domain; changes
 * nothing.
 *
 * 0; -ENOTSUP the text says which requirement is missing and what to do;
 * -ENODEV no Xen here, or not root; -EACCES.
 */
int xlx_lazy_check(xlx_ctx *ctx);

/* One thing that a lazy restore wants of this host. */
enum xlx_lazy_answer {
    XLX_LAZY_NO,
    XLX_LAZY_YES,
    XLX_LAZY_UNKNOWN, /* Xen was not there to be asked, or did not tell */
};

struct xlx_lazy_feature {
    const char *name; /* one word, stays the same: "paging", "hap", ... */
    const char *text; /* with YES what it is for, else what to do or expect */
    int needed;       /* without it no guest is restored lazily */
    enum xlx_lazy_answer answer;
};

#define XLX_LAZY_FEATURES 11

struct xlx_lazy_report {
    int possible;     /* every needed feature is there */
    char reason[256]; /* why it is not possible; else "" */
    struct xlx_lazy_feature features[XLX_LAZY_FEATURES];
};

/*
 * What this host can do, and what is missing. Needs root for more than
 * XLX_LAZY_UNKNOWN, and no domain; changes nothing. The texts live as long as
 * the library is loaded. Fills in the whole report; any thread.
 */
void xlx_lazy_report(struct xlx_lazy_report *report_r);

/*
 * Prepares the lazy restore of `domid` from the libxc stream at byte `offset`
 * of `io_fd`, which is duplicated and not moved; where the file system of `name`
 * can do that, an unnamed copy is read that shares its blocks with the file, so
 * that nothing done to the file matters any more. `name` is the image's name in
 * messages and status. `sidecar` is the path of its sidecar
 * (libxl_ext_image.h), or NULL: beside the image, and none for an image on an
 * NBD server. One that cannot be used is logged, and changes nothing else. Both
 * are copied. Changes nothing in Xen.
 *
 * As xlx_lazy_check() and xlx_image_open_fd(); -ENOTSUP also for a PV guest.
 */
int xlx_lazy_open(xlx_ctx *ctx, uint32_t domid, int io_fd, uint64_t offset,
                  const char *name, const char *sidecar, xlx_lazy **lazy_r);

/* NULL is allowed. Does not end paging. */
void xlx_lazy_close(xlx_lazy *lazy);

/* The image; it lives as long as `lazy`. */
const xlx_image *xlx_lazy_image(const xlx_lazy *lazy);

/*
 * Turns paging on and marks the held-back pages, before any memory was
 * restored. The calling process becomes the domain's pager. Undone when it
 * fails: the domain can then be restored eagerly.
 *
 * -ENODEV, -EMLINK, -EXDEV, -EBUSY, -EOPNOTSUPP  Xen refuses to page this
 * domain, the text says why; -ENOMEM the host has not enough free memory for
 * the whole guest.
 */
int xlx_lazy_start(xlx_lazy *lazy);

/*
 * In a process that was forked, as the pager was, from one that had opened
 * `lazy`: goes on where that pager, which has died, was: what it had loaded is
 * loaded, what the guest wrote stays, requests without an answer are answered.
 * The caller is the domain's pager then and may serve(); where the one before
 * died in start(), it may cancel(): see xlx_lazy_started(). Waits up to 2 s for
 * the dead process to be gone.
 *
 * 0; -ESRCH the domain is gone, too; -EBUSY the hypervisor lets nobody take
 * over; another -errno. The domain is as it was when this fails.
 */
int xlx_lazy_take_over(xlx_lazy *lazy);

/* Whether xlx_lazy_start() has succeeded, in whichever process. */
bool xlx_lazy_started(const xlx_lazy *lazy);

/* Ends paging of a domain that was started, never ran, and will be restored
 * eagerly or destroyed. */
void xlx_lazy_cancel(xlx_lazy *lazy);

/*
 * Writes the stream without the held-back pages to `out`. Blocks; ignore
 * SIGPIPE. Errors as write(2) and as xlx_image_open_fd().
 */
int xlx_lazy_feed(xlx_lazy *lazy, int out);

/*
 * After xlx_lazy_start() or xlx_lazy_take_over(), before xlx_lazy_serve():
 * which pages the domain waits for is recorded, behind what the pager before
 * did, and, when all memory is present, added to the working set in the
 * sidecar, which is made where there is none. The backfill holds back for `ms`,
 * at most XLX_LAZY_RECORD_MS_MAX, for it would bring what is to be recorded; 0:
 * until the domain has not waited for a page for 1 s, or has run for 10 s. A
 * record that cannot be written in the end is logged and changes nothing. The
 * time counts from the first pager's xlx_lazy_serve(). 0; or as
 * xlx_image_index_can_write(): nothing is recorded then.
 */
int xlx_lazy_record(xlx_lazy *lazy, uint64_t ms);

#define XLX_LAZY_RECORD_MS_MAX 600000u

/* Reads a time ("500ms", "30s") of 1 ms to XLX_LAZY_RECORD_MS_MAX. 0 or -EINVAL;
 * keeps no error text. */
int xlx_lazy_parse_record(const char *text, uint64_t *ms_r);

/* The longest that a prefetch may take, in milliseconds. */
#define XLX_LAZY_PREFETCH_MS_MAX 600000u

/* It ends with the first of the two that is reached. */
struct xlx_lazy_prefetch {
    uint64_t bytes; /* UINT64_MAX: all that was recorded */
    uint64_t ms;    /* up to XLX_LAZY_PREFETCH_MS_MAX */
};

/* What xl restore --lazy and the save helper do when they are not told. */
#define XLX_LAZY_PREFETCH_DEFAULT "64M"

/*
 * Reads "0" (nothing), a size ("512K", "64M", "1G") or a time ("500ms", "2s").
 * 0 or -EINVAL; keeps no error text.
 */
int xlx_lazy_parse_prefetch(const char *text,
                            struct xlx_lazy_prefetch *prefetch_r);

/*
 * Loads the working set that the sidecar of the image has, first touched
 * first, after xlx_lazy_start() and before the domain runs. Blocks. What is
 * left of it comes first in the backfill; without a sidecar nothing is done.
 *
 * 0; -EIO a load failed, -ENOMEM, -EAGAIN: what was not loaded is tried again
 * by xlx_lazy_serve(), so this is no reason to give the restore up.
 */
int xlx_lazy_prefetch(xlx_lazy *lazy, const struct xlx_lazy_prefetch *prefetch);

/*
 * After xlx_lazy_open(), before the pager's process is made: the limit of the
 * backfill in bytes a second, at most XLX_LAZY_BWLIMIT_MAX; 0: none. It stays
 * until xlx_lazy_set() changes it, also with another pager.
 */
void xlx_lazy_limit(xlx_lazy *lazy, uint64_t bwlimit);

/*
 * After xlx_lazy_start() or xlx_lazy_take_over(): the backfill begins, while the
 * domain is still being restored and no vCPU of it runs. xlx_lazy_serve() goes
 * on with it; xlx_lazy_cancel() ends it. Does nothing while xlx_lazy_record()
 * records, for which the backfill holds back. Does not block.
 */
void xlx_lazy_fill(xlx_lazy *lazy);

/*
 * Serves faults and fills until all memory is present, then ends paging. Blocks
 * and uses two threads. The status file follows.
 *
 * 0; -ESRCH the domain was destroyed meanwhile; another -errno when it cannot
 * go on: the domain is paused then, and its memory is not complete.
 */
int xlx_lazy_serve(xlx_lazy *lazy);

/*
 * For who supervises a pager that died: pauses the domain and puts `reason` in
 * its status. 0; -ESRCH the domain is gone, too.
 */
int xlx_lazy_abandon(xlx_ctx *ctx, uint32_t domid, const char *reason);

enum xlx_lazy_state {
    XLX_LAZY_FILLING,
    XLX_LAZY_STALLED,  /* loads that the domain waits for fail, or one hangs:
                          it is paused until they work */
    XLX_LAZY_COMPLETE, /* all memory is present, paging has ended */
    XLX_LAZY_GONE,     /* the domain was destroyed meanwhile */
    XLX_LAZY_FAILED,   /* memory is incomplete for good; the domain is paused */
};

/* "filling", "stalled", ...; "?" for another value. */
const char *xlx_lazy_state_name(enum xlx_lazy_state state);

/* Room for the name of an image, with its NUL: a path's. */
#define XLX_LAZY_NAME_MAX 4096

/* How many runs of pages that cannot be read a status names. */
#define XLX_LAZY_BAD_MAX 16

struct xlx_lazy_status {
    uint32_t domid;
    uint32_t pid; /* of the pager; may be over */
    enum xlx_lazy_state state;
    char image[XLX_LAZY_NAME_MAX]; /* its name, any bytes */
    char reason[256]; /* of stalled and failed; of filling, what hinders the
                         backfill; else "" */
    /* Pages. */
    uint64_t pages;       /* of the guest in the image */
    uint64_t held_back;   /* of these not restored before the guest ran */
    uint64_t done;        /* of the held back: present now, or given away */
    uint64_t fault_pages; /* brought for a fault */
    uint64_t fill_pages;  /* brought by the backfill */
    uint64_t prefetch_pages; /* recorded ones, brought before it ran */
    uint64_t dropped;     /* given away by the guest before they came */
    uint64_t pages_2m;    /* in 2 MiB pages at the end; of all below max_gfn */
    uint64_t faults;      /* requests; one page may be waited for twice */
    uint64_t retries;     /* loads that failed and were tried again */
    /* Microseconds. */
    uint64_t index_us;     /* read the headers */
    uint64_t mark_us;      /* paging on, pages marked */
    uint64_t fault_us;     /* sum, from taking a request to its answer */
    uint64_t fault_us_max; /* the longest */
    uint64_t fill_us;      /* backfill, waits for faults included */
    uint64_t restarts;     /* pagers that died and were replaced */
    /* As set by xlx_lazy_set(). */
    uint64_t bwlimit; /* of the backfill, bytes a second; 0: none */
    uint64_t paused;  /* 1: only pages that are asked for are loaded */
    /*
     * Device and inode of the file that must not be written to before state is
     * COMPLETE; of a block device its number and 0. Both 0: there is none.
     */
    uint64_t image_dev, image_ino;
    /*
     * Pages that could not be read, or had a wrong checksum: the guest runs
     * without them until it touches one. They are tried again now and then.
     */
    uint64_t bad_pages;
    size_t nr_bad; /* the first runs of them are in bad[0..nr_bad) */
    struct xlx_image_range bad[XLX_LAZY_BAD_MAX];
};

/*
 * The status of a domain that is being, or was, restored lazily on this host
 * since its boot. 0; -ENOENT there is none; -EBADMSG an invalid status file.
 */
int xlx_lazy_status(xlx_ctx *ctx, uint32_t domid,
                    struct xlx_lazy_status *status_r);

/* The status as a JSON object with the names above; the caller's to free().
 * Bytes of image and reason that are not UTF-8 are \xHH there. NULL without
 * memory. */
char *xlx_lazy_status_json(const struct xlx_lazy_status *status);

/* What the backfill is to do; pages that are touched always come at once. */
enum xlx_lazy_fill {
    XLX_LAZY_FILL_AS_IS,
    XLX_LAZY_FILL_PAUSE,
    XLX_LAZY_FILL_RESUME, /* after PAUSE or FINISH */
    XLX_LAZY_FILL_FINISH, /* as fast as it can, whatever else is set */
};

/* More than any storage has, 1 TiB/s. */
#define XLX_LAZY_BWLIMIT_MAX ((uint64_t)1 << 40)

/*
 * Reads a rate in bytes a second: 65536, 64K, 10M, 1G (powers of 1024), up to
 * XLX_LAZY_BWLIMIT_MAX, or "none" (0). 0 or -EINVAL; keeps no error text.
 */
int xlx_lazy_parse_bwlimit(const char *text, uint64_t *bwlimit_r);

struct xlx_lazy_change {
    enum xlx_lazy_fill fill;
    bool set_bwlimit; /* else the limit stays */
    uint64_t bwlimit; /* bytes a second for the backfill; 0: none */
    bool retry;       /* loads that failed are tried again now */
};

/*
 * Tells the pager of a domain what to do, and returns how it then is in
 * *status_r (NULL: not wanted). Takes a few milliseconds, at most 5 s.
 *
 * 0; -ENOTCONN, without a report, there is no pager that listens: the domain is
 * complete, was never restored lazily, or does not run yet; -EINVAL a limit
 * above XLX_LAZY_BWLIMIT_MAX; -EACCES not root; -ETIMEDOUT no answer.
 */
int xlx_lazy_set(xlx_ctx *ctx, uint32_t domid,
                 const struct xlx_lazy_change *change,
                 struct xlx_lazy_status *status_r);

/*
 * Follows one domain without polling: the descriptor is readable when there is
 * something to dispatch. One thread at a time, as for the context.
 */
typedef struct xlx_lazy_watch xlx_lazy_watch;

/* Errors as xlx_lazy_set(). */
int xlx_lazy_watch_new(xlx_ctx *ctx, uint32_t domid, xlx_lazy_watch **watch_r);

/* The descriptor to poll for POLLIN; the watch's, not to be closed. */
int xlx_lazy_watch_fd(const xlx_lazy_watch *watch);

/*
 * Does not block. 1: *status_r is news, about five times a second while it
 * fills; 0: nothing new; -EPIPE, without a report, the pager has left: see
 * xlx_lazy_status() for how it ended, or whether another took its place;
 * -EBADMSG not a status.
 */
int xlx_lazy_watch_dispatch(xlx_lazy_watch *watch,
                            struct xlx_lazy_status *status_r);

/* NULL is allowed. */
void xlx_lazy_watch_free(xlx_lazy_watch *watch);

/*
 * All such domains, by domid; *domids_r is the caller's to free(). One that
 * was destroyed since is forgotten, its files are removed; xlx_lazy_serve() does
 * so, too. Returns their number or -errno.
 */
int xlx_lazy_list(xlx_ctx *ctx, uint32_t **domids_r);

/*
 * The path of the distribution's libxl-save-helper, which restores what is not
 * held back: XLX_PATH_SAVE_HELPER where that is set, else searched for. Written
 * to path[0..len). 0; -ENOENT; -ENAMETOOLONG.
 */
int xlx_save_helper_path(xlx_ctx *ctx, char *path, size_t len);

/*
 * The path of our own xl-ext-save-helper, for LIBXL_SAVE_HELPER:
 * XLX_PATH_OWN_SAVE_HELPER where that is set, else searched for beside the
 * library and where it is installed. As above.
 */
int xlx_own_save_helper_path(xlx_ctx *ctx, char *path, size_t len);

#ifdef __cplusplus
}
#endif

#endif

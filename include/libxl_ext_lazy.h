/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Lazy restore runs a saved guest at once. A pager loads memory when the guest
 * touches it, and backfill threads load the rest. docs/lazy-restore.md has
 * the details, and what happens when something fails.
 *
 * A toolstack on libxenlight needs none of this: it sets LIBXL_SAVE_HELPER to
 * our save helper and restores as usual. That helper consists of these steps:
 *
 *     xlx_lazy_open()    builds the page index, asks Xen for its features
 *     fork()             the pager's process; it must stay until the end
 *       xlx_lazy_start()   in the pager: enables paging, marks withheld pages
 *       xlx_lazy_record(), xlx_lazy_prefetch()   optional
 *       xlx_lazy_fill()    in the pager: the backfill begins
 *     xlx_lazy_feed()    the thinned stream, to the distribution's save helper
 *       xlx_lazy_serve()   in the pager: faults and backfill, until complete
 *
 * A mapping of guest memory does not survive fork(). Nothing is mapped before
 * xlx_lazy_start(), so one xlx_lazy may be opened before the fork, started and
 * served in the child and fed in the parent. All forks share the memory that
 * notes which pages are present: a process that keeps an opened xlx_lazy can
 * fork another pager when one was killed (xlx_lazy_take_over()). That process
 * must have no threads, so it is never a pager itself: a copy of a pager has
 * locks, and slots of an NBD server's connections, that nobody will release.
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
 * Checks whether this hypervisor can restore lazily. Needs root and no domain;
 * changes nothing.
 *
 * 0; -ENOTSUP the text names the missing requirement and what to do;
 * -ENODEV no Xen here, or not root; -EACCES.
 */
int xlx_lazy_check(xlx_ctx *ctx);

/* Whether this host has a feature that a lazy restore uses. */
enum xlx_lazy_answer {
    XLX_LAZY_NO,
    XLX_LAZY_YES,
    XLX_LAZY_UNKNOWN, /* there is no Xen to ask, or it did not answer */
};

struct xlx_lazy_feature {
    const char *name; /* one word that never changes: "paging", "hap", ... */
    const char *text; /* for YES its purpose, else what to do or expect */
    bool needed;      /* without it no guest can be restored lazily */
    enum xlx_lazy_answer answer;
};

/* Which features this host has, and which are missing. */
typedef struct xlx_lazy_report xlx_lazy_report;

/*
 * Asks this host for all features. Without root all are XLX_LAZY_UNKNOWN. Needs
 * no domain; changes nothing; any thread. Free *report_r with
 * xlx_lazy_report_free(). 0 or -ENOMEM.
 */
int xlx_lazy_report_new(xlx_lazy_report **report_r);

/* NULL is allowed. */
void xlx_lazy_report_free(xlx_lazy_report *report);

/* Why no guest can be restored lazily, valid until the report is freed. NULL:
 * every needed feature is there. */
const char *xlx_lazy_report_reason(const xlx_lazy_report *report);

/* One feature, `i` from 0 in a fixed order, valid until the report is freed.
 * NULL: there are not so many. */
const struct xlx_lazy_feature *
xlx_lazy_report_feature(const xlx_lazy_report *report, unsigned i);

/*
 * Prepares the lazy restore of `domid` from the libxc stream at byte `offset`
 * of `io_fd`, which is duplicated and not moved. If the file system of `name`
 * supports it, the library reads an unnamed copy that shares its blocks with
 * the file, so that later changes to the file do not matter. `name` is the name
 * of the save file in messages and status. `sidecar` is the path of its sidecar
 * (libxl_ext_image.h), or NULL for the one beside the save file; a save file on
 * an NBD server then has none. A sidecar that cannot be used is logged and
 * ignored. Both strings are copied. Changes nothing in Xen.
 *
 * Errors as xlx_lazy_check() and xlx_image_open_fd(); -ENOTSUP also for a PV
 * guest.
 */
int xlx_lazy_open(xlx_ctx *ctx, uint32_t domid, int io_fd, uint64_t offset,
                  const char *name, const char *sidecar, xlx_lazy **lazy_r);

/* NULL is allowed. Does not disable paging. */
void xlx_lazy_close(xlx_lazy *lazy);

/* The save file; it is valid as long as `lazy`. */
const xlx_image *xlx_lazy_image(const xlx_lazy *lazy);

/*
 * Enables paging and marks the withheld pages, before any memory is restored.
 * The calling process becomes the domain's pager. If it fails, it undoes
 * everything: the domain can then be restored eagerly.
 *
 * -ENODEV, -EMLINK, -EXDEV, -EBUSY, -EOPNOTSUPP  Xen refuses to page this
 * domain, the text has the reason; -ENOMEM the host does not have enough free
 * memory for the whole guest.
 */
int xlx_lazy_start(xlx_lazy *lazy);

/*
 * Takes over from a pager that died. The caller is a process that was forked,
 * as the pager was, from one that had opened `lazy`. Pages that were loaded
 * stay loaded, what the guest wrote stays, and requests without an answer are
 * answered. The caller then is the domain's pager and may call
 * xlx_lazy_serve(); if the last pager died in xlx_lazy_start(), it may call
 * xlx_lazy_cancel(): see xlx_lazy_started(). Waits up to 2 s for the end of the
 * dead process.
 *
 * 0; -ESRCH the domain was destroyed, too; -EBUSY the hypervisor lets nobody
 * take over; another -errno. If this fails, the domain is unchanged.
 */
int xlx_lazy_take_over(xlx_lazy *lazy);

/* Whether xlx_lazy_start() has succeeded, in any process. */
bool xlx_lazy_started(const xlx_lazy *lazy);

/* Disables paging of a domain for which xlx_lazy_start() succeeded, which never
 * ran, and which will be restored eagerly or destroyed. */
void xlx_lazy_cancel(xlx_lazy *lazy);

/*
 * Writes the thinned stream to `out`. Blocks; ignore SIGPIPE. Errors as
 * write(2) and as xlx_image_open_fd().
 */
int xlx_lazy_feed(xlx_lazy *lazy, int out);

/*
 * Starts recording. Call it after xlx_lazy_start() or xlx_lazy_take_over(), and
 * before xlx_lazy_serve(). The pager logs the pages that the domain waits for,
 * after those that an earlier pager logged. When all memory is present, it adds
 * them to the working set in the sidecar, which is created if there is none.
 * The backfill is suspended for `ms`, at most XLX_LAZY_RECORD_MS_MAX, because
 * it would load the pages that are to be recorded. With 0 it is suspended until
 * the domain has not waited for a page for 1 s, or has run for 10 s. The time
 * counts from the first pager's xlx_lazy_serve(). If the working set cannot be
 * written in the end, that is logged and changes nothing. 0; or errors as
 * xlx_sidecar_can_write(): then nothing is recorded.
 */
int xlx_lazy_record(xlx_lazy *lazy, uint64_t ms);

#define XLX_LAZY_RECORD_MS_MAX 600000u

/* Reads a time ("500ms", "30s") of 1 ms to XLX_LAZY_RECORD_MS_MAX. 0 or
 * -EINVAL; keeps no error text. */
int xlx_lazy_parse_record(const char *text, uint64_t *ms_r);

/* The longest that a prefetch may take, in milliseconds. */
#define XLX_LAZY_PREFETCH_MS_MAX 600000u

/* A prefetch ends at the limit that is reached first. */
struct xlx_lazy_prefetch {
    uint64_t bytes; /* UINT64_MAX: the whole working set */
    uint64_t ms;    /* up to XLX_LAZY_PREFETCH_MS_MAX */
};

/* The default of xl restore --lazy and of the save helper. */
#define XLX_LAZY_PREFETCH_DEFAULT "64M"

/*
 * Reads "0" (nothing), a size ("512K", "64M", "1G") or a time ("500ms", "2s").
 * `size` is sizeof(*prefetch_r). 0 or -EINVAL; keeps no error text.
 */
int xlx_lazy_parse_prefetch(const char *text,
                            struct xlx_lazy_prefetch *prefetch_r, size_t size);

/*
 * Loads the working set of the sidecar in the order of first touch, after
 * xlx_lazy_start() and before the domain runs. Blocks. The backfill loads the
 * remainder first. Without a sidecar it does nothing. `size` is
 * sizeof(*prefetch).
 *
 * 0; -EIO a load failed, -ENOMEM, -EAGAIN: xlx_lazy_serve() tries again to load
 * these pages, so this is no reason to give up the restore. -E2BIG: a newer
 * program sets a limit that this library does not have; nothing is loaded.
 */
int xlx_lazy_prefetch(xlx_lazy *lazy, const struct xlx_lazy_prefetch *prefetch,
                      size_t size);

/*
 * Sets the limit of the backfill in bytes a second, at most
 * XLX_LAZY_BWLIMIT_MAX; 0: none. Call it after xlx_lazy_open(), before the
 * pager's process is forked. The limit lasts until xlx_lazy_set() changes it,
 * also with another pager.
 */
void xlx_lazy_limit(xlx_lazy *lazy, uint64_t bwlimit);

/*
 * Starts the backfill while the domain is still being restored and none of its
 * vCPUs runs. Call it after xlx_lazy_start() or xlx_lazy_take_over().
 * xlx_lazy_serve() continues the backfill, xlx_lazy_cancel() ends it. Does
 * nothing during a recording (xlx_lazy_record()), which suspends the backfill.
 * Does not block.
 */
void xlx_lazy_fill(xlx_lazy *lazy);

/*
 * Serves faults and fills until all memory is present, then disables paging.
 * Blocks and uses two threads. Keeps the status file up to date.
 *
 * 0; -ESRCH the domain was destroyed meanwhile; another -errno if it cannot
 * continue: the domain is then paused, and its memory is not complete.
 */
int xlx_lazy_serve(xlx_lazy *lazy);

/*
 * For the supervisor of a pager that died: pauses the domain and puts `reason`
 * in its status. 0; -ESRCH the domain was destroyed, too.
 */
int xlx_lazy_abandon(xlx_ctx *ctx, uint32_t domid, const char *reason);

enum xlx_lazy_state {
    XLX_LAZY_FILLING,
    XLX_LAZY_STALLED,  /* loads that the domain waits for fail, or one hangs:
                          the domain is paused until they succeed */
    XLX_LAZY_COMPLETE, /* all memory is present, paging is disabled */
    XLX_LAZY_GONE,     /* the domain was destroyed meanwhile */
    XLX_LAZY_FAILED,   /* memory stays incomplete; the domain is paused */
};

/* "filling", "stalled", ...; "?" for another value. */
const char *xlx_lazy_state_name(enum xlx_lazy_state state);

/* Room for the name of a save file, with its NUL: a path's. */
#define XLX_LAZY_NAME_MAX 4096

/* How many runs of unreadable pages a status contains. */
#define XLX_LAZY_BAD_MAX 16

struct xlx_lazy_status {
    uint32_t domid;
    uint32_t pid; /* of the pager, which may have ended */
    enum xlx_lazy_state state;
    char image[XLX_LAZY_NAME_MAX]; /* its name, any bytes */
    char reason[256]; /* of stalled and failed; of filling, what obstructs the
                         backfill; else "" */
    /* Pages. */
    uint64_t pages;          /* of the guest in the save file */
    uint64_t held_back;      /* of these withheld, not restored at the start */
    uint64_t done;           /* of the withheld: present now, or given away */
    uint64_t fault_pages;    /* loaded for a fault */
    uint64_t fill_pages;     /* loaded by the backfill */
    uint64_t prefetch_pages; /* of the working set, loaded before it ran */
    uint64_t dropped;  /* given away by the guest before they were loaded */
    uint64_t pages_2m; /* in 2 MiB pages at the end; of all below max_gfn */
    uint64_t faults;   /* requests; one page may be waited for twice */
    uint64_t retries;  /* loads that failed and were tried again */
    /* Microseconds. */
    uint64_t index_us;     /* read the headers */
    uint64_t mark_us;      /* enable paging, mark pages */
    uint64_t fault_us;     /* sum, from taking a request to its answer */
    uint64_t fault_us_max; /* the longest */
    uint64_t fill_us;      /* backfill, waits for faults included */
    uint64_t restarts;     /* pagers that died and were replaced */
    /* As set by xlx_lazy_set(). */
    uint64_t bwlimit; /* of the backfill, bytes a second; 0: none */
    uint64_t paused;  /* 1: only pages that a fault requests are loaded */
    /*
     * Device and inode of the file that must not be written to before state is
     * COMPLETE; for a block device its number and 0. Both 0: there is none.
     */
    uint64_t image_dev, image_ino;
    /*
     * Pages that could not be read, or had a wrong checksum. The guest runs
     * without them until it touches one. The pager keeps trying to read them.
     */
    uint64_t bad_pages;
    size_t nr_bad; /* their first runs are in bad[0..nr_bad) */
    struct xlx_image_range bad[XLX_LAZY_BAD_MAX];
};

/*
 * Reads the status of a domain that is being restored lazily, or was since this
 * host booted. `size` is sizeof(*status_r). 0; -ENOENT there is none; -EBADMSG
 * an invalid status file.
 */
int xlx_lazy_status(xlx_ctx *ctx, uint32_t domid,
                    struct xlx_lazy_status *status_r, size_t size);

/*
 * The status, of sizeof(*status) `size`, as a JSON object with the names above;
 * the caller frees it with free(). Bytes of image and reason that are not UTF-8
 * are \xHH there. NULL without memory.
 */
char *xlx_lazy_status_json(const struct xlx_lazy_status *status, size_t size);

/* What the backfill is to do; touched pages are always loaded at once. */
enum xlx_lazy_fill {
    XLX_LAZY_FILL_AS_IS,
    XLX_LAZY_FILL_PAUSE,
    XLX_LAZY_FILL_RESUME, /* after PAUSE or FINISH */
    XLX_LAZY_FILL_FINISH, /* as fast as possible, whatever else is set */
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
    bool retry;       /* repeat failed loads now */
};

/*
 * Sends a change to the pager of a domain, and returns the status after it in
 * *status_r (may be NULL). `change_size` is sizeof(*change), and `status_size`
 * that of *status_r. Takes a few milliseconds, at most 5 s.
 *
 * 0; -ENOTCONN, not logged, no pager listens: the domain is complete, was
 * never restored lazily, or does not run yet; -EINVAL a limit
 * above XLX_LAZY_BWLIMIT_MAX; -E2BIG a change that this library does not know;
 * -EACCES not root; -ETIMEDOUT no answer.
 */
int xlx_lazy_set(xlx_ctx *ctx, uint32_t domid,
                 const struct xlx_lazy_change *change, size_t change_size,
                 struct xlx_lazy_status *status_r, size_t status_size);

/*
 * Follows one domain without polling: the descriptor is readable when there is
 * something to dispatch. One thread at a time, as for the context.
 */
typedef struct xlx_lazy_watch xlx_lazy_watch;

/* Errors as xlx_lazy_set(). */
int xlx_lazy_watch_new(xlx_ctx *ctx, uint32_t domid, xlx_lazy_watch **watch_r);

/* The descriptor to poll for POLLIN; the watch owns it, do not close it. */
int xlx_lazy_watch_fd(const xlx_lazy_watch *watch);

/*
 * Does not block. 1: *status_r is a new status, about five times a second
 * during the fill; 0: nothing new; -EPIPE, not logged, the pager has
 * exited: xlx_lazy_status() says how it ended, or whether another one replaced
 * it; -EBADMSG not a status. `size` is sizeof(*status_r).
 */
int xlx_lazy_watch_dispatch(xlx_lazy_watch *watch,
                            struct xlx_lazy_status *status_r, size_t size);

/* NULL is allowed. */
void xlx_lazy_watch_free(xlx_lazy_watch *watch);

/*
 * Lists all such domains, by domid; the caller frees *domids_r with free(). For
 * a domain that was destroyed since, it removes the files; so does
 * xlx_lazy_serve(). Returns their number or -errno.
 */
int xlx_lazy_list(xlx_ctx *ctx, uint32_t **domids_r);

/*
 * Writes the path of the distribution's libxl-save-helper, which restores what
 * is not withheld, to path[0..len): XLX_PATH_SAVE_HELPER if that is set,
 * otherwise it is searched for. 0; -ENOENT; -ENAMETOOLONG.
 */
int xlx_save_helper_path(xlx_ctx *ctx, char *path, size_t len);

/*
 * The path of our own xl-ext-save-helper, for LIBXL_SAVE_HELPER:
 * XLX_PATH_OWN_SAVE_HELPER if that is set, otherwise searched for beside the
 * library and where it is installed. Returns as above.
 */
int xlx_own_save_helper_path(xlx_ctx *ctx, char *path, size_t len);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * libxl-ext: what a Xen host's toolstack lacks, as a library.
 *
 * Conventions of every header of this library:
 *
 * Errors    A call that can fail returns 0 (or a count) or -errno. The text of
 *           the failure, with the object and the cause, is kept in the context
 *           (xlx_ctx_error) and passed once to the log callback, where it
 *           happened.
 * Results   Output parameters end in _r and are written on success only.
 * Threads   A context, and every object made from it, is used by one thread at
 *           a time. Different contexts are independent: the library has no
 *           file-scope state.
 * Process   The library never prints, exits or installs signal handlers. All
 *           descriptors it opens are close-on-exec.
 */
#ifndef LIBXL_EXT_H
#define LIBXL_EXT_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xlx_ctx xlx_ctx;

enum xlx_log_level {
    XLX_LOG_ERROR, /* a call is about to fail with this text */
    XLX_LOG_WARN,  /* the call goes on, but somebody should know */
    XLX_LOG_INFO,  /* progress a user may want to see */
    XLX_LOG_DEBUG, /* each step, for a bug report */
};

/*
 * Receives each message once. `text` is one line without a newline and is only
 * valid during the call. May be called from any thread that works for the
 * context.
 */
typedef void xlx_log_fn(void *user, enum xlx_log_level level, const char *text);

/* The places outside the library that it reads, writes or runs. */
enum xlx_path {
    XLX_PATH_SYSFS,       /* default /sys */
    XLX_PATH_PROC,        /* default /proc */
    XLX_PATH_RUN,         /* our run-time state; default /run/libxl-ext */
    XLX_PATH_LOG,         /* logs of our processes; default /var/log/xen */
    XLX_PATH_XL,          /* the distribution's xl; default: found at use */
    XLX_PATH_SAVE_HELPER, /* the distribution's save helper; default: found */
    XLX_PATH_USB_BACKEND, /* our xl-ext-usb-backend; default: found at use */
    XLX_PATH_USB_POLICY,  /* and PATH.d; default /etc/xen/usb-policy.conf */
    XLX_PATH_STATE,       /* outlives a reboot; default /var/lib/libxl-ext */
    XLX_PATH_OWN_SAVE_HELPER, /* our xl-ext-save-helper; default: found */
    XLX_PATH_DEV,         /* for the doctor; default /dev */
    XLX_PATH_ETC,         /* for the doctor; default /etc */
    XLX_PATH_NR
};

/*
 * Makes a context with default paths, no logger and nothing opened yet: Xen,
 * xenstore and sysfs are opened by the first call that needs them, so a
 * context can be made on a machine without Xen.
 *
 * -ENOMEM  no memory.
 */
int xlx_ctx_new(xlx_ctx **ctx_r);

/* Closes all that the context opened. NULL is allowed. */
void xlx_ctx_free(xlx_ctx *ctx);

/*
 * Sets the receiver of messages up to `level`; NULL for none. `user` is handed
 * back to `fn` and stays the caller's.
 */
void xlx_ctx_set_log(xlx_ctx *ctx, xlx_log_fn *fn, void *user,
                     enum xlx_log_level level);

/*
 * Replaces a path; `path` is copied. Takes effect on the next use.
 *
 * -EINVAL  no such path; -ENOMEM  no memory.
 */
int xlx_ctx_set_path(xlx_ctx *ctx, enum xlx_path which, const char *path);

/*
 * The path in use, or NULL where none was set and the default is searched for
 * at use. Valid until the path is set again or the context freed.
 */
const char *xlx_ctx_path(const xlx_ctx *ctx, enum xlx_path which);

/*
 * The text of the last failed call on this context, never NULL ("" when none
 * failed). Valid until the next call on the context.
 */
const char *xlx_ctx_error(const xlx_ctx *ctx);

/*
 * Finds a domain as xl does: a number is a domid, anything else a name.
 *
 * -ESRCH   no such domain
 * -EACCES  xenstore is closed to this user; -ENXIO  no Xen here
 */
int xlx_domain_find(xlx_ctx *ctx, const char *text, uint32_t *domid_r);

#define XLX_GUEST_NAME_MAX 256

struct xlx_domain {
    uint32_t domid;
    char name[XLX_GUEST_NAME_MAX]; /* "" for none, or a longer one */
};

/*
 * The guests that run, sorted by domid; this host is not among them. *list_r is
 * to be freed with free(); it is NULL when there are none. Returns how many;
 * fails as xlx_domain_find().
 */
int xlx_domain_list(xlx_ctx *ctx, struct xlx_domain **list_r);

/* Whether the domain has not been destroyed: 1, 0 or -errno. */
int xlx_domain_alive(xlx_ctx *ctx, uint32_t domid);

/* Whether this host runs on Xen at all; says nothing when it does not. */
bool xlx_on_xen(xlx_ctx *ctx);

/*
 * The one of `words` (NULL ends them) that was most likely meant by `text`,
 * which is none of them; the first of those that are equally near, or NULL when
 * none is near. Pure: for a front end's "did you mean".
 */
const char *xlx_nearest(const char *text, const char *const *words);

/* The library's version, such as "0.1.0". */
const char *xlx_version(void);

/*
 * The release of Xen that the library was built for, such as "4.17". A
 * hypervisor of another release may refuse its calls: those that it makes for a
 * toolstack then fail with -EACCES, and the text names both releases.
 */
const char *xlx_xen_built_for(void);

/*
 * The version of the hypervisor that runs, such as "4.17.5-pre", whatever its
 * release. NULL when this host does not run on Xen, or does not tell. Needs no
 * privilege. Valid until the next call of this function, or the context is
 * freed.
 */
const char *xlx_xen_running(xlx_ctx *ctx);

#ifdef __cplusplus
}
#endif

#endif

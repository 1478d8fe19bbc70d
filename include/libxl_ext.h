/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * libxl-ext: a library with functions that a Xen host's toolstack lacks.
 *
 * Conventions of every header of this library:
 *
 * Errors    A call that can fail returns 0 (or a count) or -errno. The context
 *           keeps the text of the failure, with the object and the cause
 *           (xlx_ctx_error). The log callback gets it once, where it happened.
 * Results   Output parameters end in _r and are written on success only.
 * Threads   A context, and every object made from it, is used by one thread at
 *           a time. Different contexts are independent, because the library
 *           has no file-scope state.
 * Process   The library never prints, exits or installs signal handlers. All
 *           descriptors it opens are close-on-exec.
 * Structs   Those that the library hands over by a const pointer may get more
 *           members at their end. Where the memory of a struct, or of an array
 *           of them, is the caller's, the call takes `size`, the sizeof that
 *           the caller was compiled with: the library writes so many bytes for
 *           each, zeros where it has fewer members. docs/architecture.md lists
 *           the calls that do not take it yet.
 */
#ifndef LIBXL_EXT_H
#define LIBXL_EXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xlx_ctx xlx_ctx;

enum xlx_log_level {
    XLX_LOG_ERROR, /* a call is about to fail with this text */
    XLX_LOG_WARN,  /* the call continues, but the user should know */
    XLX_LOG_INFO,  /* progress a user may want to see */
    XLX_LOG_DEBUG, /* each step, for a bug report */
};

/*
 * Receives each message once. `text` is one line without a newline and is only
 * valid during the call. May be called from any thread that works for the
 * context.
 */
typedef void xlx_log_fn(void *user, enum xlx_log_level level, const char *text);

/* The paths that the library reads, writes or runs. */
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
    XLX_PATH_DEV,             /* for the doctor; default /dev */
    XLX_PATH_ETC,             /* for the doctor; default /etc */
    XLX_PATH_NR
};

/*
 * Makes a context with default paths and no logger. It opens nothing: the first
 * call that needs Xen, xenstore or sysfs opens it, so a context can be made on
 * a machine without Xen.
 *
 * -ENOMEM  no memory.
 */
int xlx_ctx_new(xlx_ctx **ctx_r);

/* Closes everything that the context opened. NULL is allowed. */
void xlx_ctx_free(xlx_ctx *ctx);

/*
 * Sets the receiver of messages up to `level`; NULL for none. The library
 * passes `user` to `fn`; it remains the caller's.
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
 * The path in use, or NULL if none was set and the default is searched for at
 * use. Valid until the path is set again or the context is freed.
 */
const char *xlx_ctx_path(const xlx_ctx *ctx, enum xlx_path which);

/*
 * The text of the last failed call on this context, never NULL ("" if none
 * failed): of each call that takes the context and returns -errno, also where
 * it logs nothing. Valid until the next call on the context.
 */
const char *xlx_ctx_error(const xlx_ctx *ctx);

/*
 * Finds a domain as xl does: a number is a domid, anything else a name.
 *
 * -ESRCH   no such domain
 * -EACCES  this user may not use xenstore; -ENXIO  no Xen here
 */
int xlx_domain_find(xlx_ctx *ctx, const char *text, uint32_t *domid_r);

#define XLX_GUEST_NAME_MAX 256
#define XLX_UUID_MAX 37 /* with the NUL; lower case */

struct xlx_domain {
    uint32_t domid;
    char name[XLX_GUEST_NAME_MAX]; /* "" if it has none, or a longer one */
};

/*
 * Lists the running guests, without this host, sorted by domid. Free *list_r
 * with free(); it is NULL if there are none. `size` is sizeof(**list_r).
 * Returns how many; fails as xlx_domain_find().
 */
int xlx_domain_list(xlx_ctx *ctx, struct xlx_domain **list_r, size_t size);

/* 1 if the domain exists, 0 if it was destroyed, or -errno. */
int xlx_domain_alive(xlx_ctx *ctx, uint32_t domid);

/* Whether this host runs on Xen. Reports no error if it does not. */
bool xlx_on_xen(xlx_ctx *ctx);

/* The library's version, such as "0.1.0". */
const char *xlx_version(void);

/*
 * The release of Xen that the library was built for, such as "4.17". A
 * hypervisor of another release may refuse its calls: those that it makes for a
 * toolstack then fail with -EACCES, and the text names both releases.
 */
const char *xlx_xen_built_for(void);

/*
 * The version of the running hypervisor, such as "4.17.5-pre", whatever its
 * release. NULL if this host does not run on Xen, or Xen does not report it.
 * Needs no privilege. Valid until the next call of this function, or until the
 * context is freed.
 */
const char *xlx_xen_running(xlx_ctx *ctx);

#ifdef __cplusplus
}
#endif

#endif

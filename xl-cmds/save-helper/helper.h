/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * xl-ext-save-helper: what libxl runs as LIBXL_SAVE_HELPER. It restores lazily
 * what it can, else fast, and becomes the distribution's helper for everything
 * else.
 */
#ifndef HELPER_H
#define HELPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libxl_ext_fast.h"
#include "libxl_ext_lazy.h"

struct helper {
    xlx_ctx *ctx;
    char **argv; /* ours, NULL-terminated; the same as the stock helper's */
    const char *stock; /* path of the distribution's helper */
    int io_fd;         /* the stream */
    uint32_t domid;
    bool require;    /* fail rather than restore any other way than lazily */
    bool fast;       /* no lazy restore is wanted */
    bool unconfined; /* the pager keeps all its rights */
    bool record;
    uint64_t record_ms;  /* 0: until the guest is quiet */
    const char *sidecar; /* NULL: beside the image */
    const char *folder;  /* where it was started; NULL: not known */
    struct xlx_lazy_prefetch prefetch;
    uint64_t bwlimit; /* bytes a second of the backfill; 0: no limit */
};

/* What the pager's process says once paging is on, or is not. */
struct pager_reply {
    int rc; /* 0 or -errno of xlx_lazy_start() */
    char text[512];
};

/* The whole restore. Returns the helper's exit status. */
int helper_restore(struct helper *h);

/*
 * Makes the pager's process, in a session of its own.
 * *channel_r is a socket to the pager: it says struct pager_reply, prefetches,
 * says one byte (ready), then fills and waits for one (serve), or the end of
 * the channel (leave: nobody needs you). One that takes over says all of it
 * again. 0 or -errno.
 */
int pager_spawn(struct helper *h, xlx_lazy *lazy, int *channel_r);

/*
 * The work of the pager's process, which has no thread yet; `first`: no other
 * pager was there before. Returns its exit status. *over_r: all is done, or
 * nothing can be done; otherwise the supervisor tries another pager.
 */
int pager_main(const struct helper *h, xlx_lazy *lazy, int channel, bool first,
               bool *over_r);

/*
 * Of the calling process, which is a pager: gives up all that it does not need
 * once paging is on. 0, or -errno and a line on standard error: then it must
 * not serve.
 */
int pager_confine(const struct helper *h, const xlx_lazy *lazy);

/* Its part: all system calls but those that a pager needs. */
int pager_confine_calls(const char *who, bool has_server);

/* Another: all files but those that it opens by name from then on. */
int pager_confine_files(const char *who, const struct helper *h,
                        const char *image);

/*
 * Loads all that is not the stock helper's, each part in a process of its own;
 * none is left.
 * 0; or -errno, and why is in text[0..len).
 */
int fast_load(struct helper *h, xlx_fast *fast, char *text, size_t len);

/* Starts the stock helper, reading the stream from `in`. The pid or -errno. */
int stock_start(const struct helper *h, int in);

/* Becomes the stock helper; returns an exit status if that fails. */
int stock_become(const struct helper *h);

#endif

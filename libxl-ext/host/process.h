/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Seam: daemons of ours. A daemon is known by its pidfile, which it keeps
 * locked (flock) as long as it lives: a pid alone could be anybody's by now.
 */
#ifndef XLX_HOST_PROCESS_H
#define XLX_HOST_PROCESS_H

#include <sys/types.h>

#include "core/ctx.h"

struct xlx__proc;

/* One thread at a time; no slot logs. */
struct xlx__proc_ops {
    /*
     * Runs argv[0] in a session of its own, without a descriptor of ours: its
     * input is /dev/null, its errors go to the end of the file `log`, its
     * output is a pipe on which it says one line when it is ready or fails.
     * Returns 0 once the line has come, which is copied to `line_r` without
     * its newline; -ESRCH when it ended without one; -ETIMEDOUT at `until`;
     * -errno when it cannot be run.
     */
    int (*start)(struct xlx__proc *proc, const char *const *argv,
                 const char *log, int64_t until, char *line_r, size_t size);
    /* The pid of the daemon that holds `pidfile`; 0 when there is none; -ESTALE
     * when one was killed and left its pidfile behind. */
    pid_t (*find)(struct xlx__proc *proc, const char *pidfile);
    /* Asks that daemon to end (SIGTERM) and waits. 0: there is none any more;
     * -ETIMEDOUT: still there at `until`. */
    int (*stop)(struct xlx__proc *proc, const char *pidfile, int64_t until);
};

struct xlx__proc {
    struct xlx__seam seam; /* first: the context closes it through this */
    const struct xlx__proc_ops *ops;
};

/* The real one. */
int xlx__proc_host(xlx_ctx *ctx, struct xlx__proc **proc_r);

/* Makes the context's one when it is not yet. */
int xlx__proc_open(xlx_ctx *ctx);

/*
 * What the daemon itself does first: takes `pidfile` and writes its pid into
 * it. Returns the descriptor to keep, -EBUSY when another daemon holds it,
 * or -errno.
 */
int xlx__pidfile_take(const char *pidfile);

#endif

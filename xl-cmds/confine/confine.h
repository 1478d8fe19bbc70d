/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How a process of ours that serves a guest, or reads what others wrote, gives
 * up what it does not need: limits, capabilities, files, system calls. What
 * each keeps is in its own folder.
 *
 * Each call returns 0; or -errno, and prints a line that begins with `who` on
 * standard error: the process is then not confined and must not serve. None of
 * it can be taken back. Call them before there are threads.
 */
#ifndef CONFINE_H
#define CONFINE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

struct confine_limit {
    int which; /* RLIMIT_* */
    rlim_t max;
};

/* One that is stricter already, and cannot be raised, stays. */
int confine_limits(const char *who, const struct confine_limit *limits,
                   size_t nr);

/* `root`, a folder, becomes the whole file system. */
int confine_root(const char *who, const char *root);

/* Of the bounding set only `keep`, a bit (CONFINE_CAP) each, is left: nothing
 * that this process starts has more. One that changes its uid does so between
 * this and confine_capabilities(). */
int confine_bounding_set(const char *who, uint64_t keep);
#define CONFINE_CAP(cap) (UINT64_C(1) << (cap))

/* Drops all capabilities but `keep`, and all that can be inherited. */
int confine_capabilities(const char *who, uint64_t keep);

/* No program that it runs gains privileges, and no process without
 * CAP_SYS_PTRACE looks into it. */
int confine_privileges(const char *who);

#endif

/* SPDX-License-Identifier: LGPL-2.1-only */
#include "calls.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "failed.h"

/* --- the end -------------------------------------------------------------- */

/* A name is looked up before, because a signal handler cannot. */
#define NAMES 512

static const char *names[NAMES];
static char teller[64];

static void learn_names(const char *who)
{
    snprintf(teller, sizeof(teller), "%s", who);
    for (int i = 0; i < NAMES; i++)
        if (!names[i])
            names[i] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i);
}

static const char *name_of(int nr)
{
    return nr >= 0 && nr < NAMES && names[nr] ? names[nr] : "an unknown one";
}

/* One write, so that a line stays a line beside those of other threads. */
static void print_end(int nr)
{
    char line[192];
    char *end = stpcpy(stpcpy(line, teller), ": ended: the system call ");
    end = stpcpy(stpncpy(end, name_of(nr), 64), " is not allowed\n");
    ssize_t n = write(STDERR_FILENO, line, (size_t)(end - line));
    (void)n; /* there is nobody else to tell */
}

/* The signal has its default action by now, and is not blocked: the same again
 * is the end. */
static void end_by_signal(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    print_end(info->si_syscall);
    syscall(SYS_seccomp, -1, 0, NULL);
    abort();
}

static int catch_signal(const char *who)
{
    struct sigaction act = { .sa_sigaction = end_by_signal,
                             .sa_flags =
                                 SA_SIGINFO | SA_RESETHAND | SA_NODEFER };
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGSYS);
    if (sigaction(SIGSYS, &act, NULL) || sigprocmask(SIG_UNBLOCK, &set, NULL))
        return confine_failed(who, "SIGSYS", errno);
    return 0;
}

/* --- the filter ----------------------------------------------------------- */

static int add_call(scmp_filter_ctx filter, const struct confine_call *call)
{
    const struct scmp_arg_cmp cmp =
        SCMP_CMP64(call->arg, SCMP_CMP_MASKED_EQ, call->mask, call->value);
    uint32_t action =
        call->err ? SCMP_ACT_ERRNO((uint32_t)call->err) : SCMP_ACT_ALLOW;
    return seccomp_rule_add_array(filter, action, call->nr, call->mask ? 1 : 0,
                                  &cmp);
}

static int add_list(scmp_filter_ctx filter, const struct confine_list *list)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < list->nr; i++)
        rc = add_call(filter, &list->call[i]);
    return rc;
}

static int load(scmp_filter_ctx filter, const struct confine_list *lists,
                size_t nr)
{
    int rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
                              SCMP_ACT_KILL_PROCESS);
    for (size_t i = 0; !rc && i < nr; i++)
        rc = add_list(filter, &lists[i]);
    return rc ? rc : seccomp_load(filter);
}

int confine_calls(const char *who, const struct confine_list *lists, size_t nr)
{
    int rc = catch_signal(who);
    if (rc)
        return rc;
    learn_names(who);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    if (!filter)
        return confine_failed(who, "seccomp", ENOMEM);
    rc = load(filter, lists, nr);
    seccomp_release(filter);
    return rc ? confine_failed(who, "seccomp", -rc) : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The system calls that a confined process may make. Any other call ends the
 * process, by SIGSYS; a line on its standard error names the call.
 */
#ifndef CONFINE_CALLS_H
#define CONFINE_CALLS_H

#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

/* Allowed where argument `arg` and `mask` are `value`; with no mask always. */
struct confine_call {
    int nr;
    unsigned arg;
    uint64_t mask, value;
    int err; /* not 0: the call is not made, and fails with this errno */
};

/* SCMP_SYS() would see what musl makes of a name: pread64 is a macro there. */
#define CONFINE_CALL(name) \
    {                      \
        .nr = __SNR_##name \
    }
#define CONFINE_CALL_IF(name, a, m, v)                            \
    {                                                             \
        .nr = __SNR_##name, .arg = (a), .mask = (m), .value = (v) \
    }
/* The kernel looks at 32 bits of a request; musl extends their sign. */
#define CONFINE_IOCTL(request) CONFINE_CALL_IF(ioctl, 1, UINT32_MAX, request)
#define CONFINE_NO_CALL(name, error)       \
    {                                      \
        .nr = __SNR_##name, .err = (error) \
    }
/* Memory that is no code. */
#define CONFINE_NO_CODE(name) CONFINE_CALL_IF(name, 2, PROT_EXEC, 0)

/*
 * Requests of the Xen drivers, by the layout of their arguments in Linux's
 * xen/gntdev.h, xen/evtchn.h and xen/privcmd.h, which not every system has:
 * they are numbered without a direction.
 */
#define CONFINE_GNTDEV(nr, size) CONFINE_IOCTL(_IOC(_IOC_NONE, 'G', nr, size))
#define CONFINE_EVTCHN(nr, size) CONFINE_IOCTL(_IOC(_IOC_NONE, 'E', nr, size))
#define CONFINE_PRIVCMD(nr, size) CONFINE_IOCTL(_IOC(_IOC_NONE, 'P', nr, size))

struct confine_list {
    const struct confine_call *call;
    size_t nr;
};

/* The last thing to give up, as confine.h describes; `who` has at most 63
 * bytes. */
int confine_calls(const char *who, const struct confine_list *lists, size_t nr);

#endif

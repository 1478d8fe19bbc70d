/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a pager keeps once paging is on: SECURITY.md has the list, and the
 * reasons.
 */
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../confine/confine.h"
#include "helper.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

/* Clients, connections, Xen's and its own. */
#define FILES_MAX 256
/* As setpriority() has it, for the fault thread: nice -10. */
#define NICE_MAX (20 + 10)

static const struct confine_limit limits[] = {
    { RLIMIT_CORE, 0 }, /* it would hold the guest's memory */
    { RLIMIT_NOFILE, FILES_MAX },
    { RLIMIT_NICE, NICE_MAX },
    /* Buffers of hypercalls, where Xen's driver has no memory for them. */
    { RLIMIT_MEMLOCK, RLIM_INFINITY },
};

static bool is_local_server(const char *name)
{
    return !strncasecmp(name, "nbd+unix:", strlen("nbd+unix:")) ||
           !strncasecmp(name, "nbds+unix:", strlen("nbds+unix:"));
}

/* The folder of a sidecar, and a server's socket, may be another user's. */
static uint64_t needed(const struct helper *h, const char *image)
{
    uint64_t keep = 0;
    if (h->record)
        keep |= CONFINE_CAP(CAP_DAC_OVERRIDE) | CONFINE_CAP(CAP_FOWNER);
    if (is_local_server(image))
        keep |= CONFINE_CAP(CAP_DAC_OVERRIDE);
    return keep;
}

int pager_confine(const struct helper *h, const xlx_lazy *lazy)
{
    const char *image = xlx_image_name(xlx_lazy_image(lazy));
    char who[64];
    snprintf(who, sizeof(who), "domain %u: pager[%d]", h->domid, (int)getpid());
    int rc = confine_limits(who, limits, NR(limits));
    tzset(); /* its file is no longer there for the log's lines */
    if (!rc)
        rc = pager_confine_files(who, h, image);
    if (!rc)
        rc = confine_bounding_set(who, 0);
    if (!rc)
        rc = confine_capabilities(who, needed(h, image));
    if (!rc)
        rc = confine_privileges(who);
    return rc ? rc : pager_confine_calls(who, xlx_image_is_uri(image));
}

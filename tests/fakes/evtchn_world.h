/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A host in memory for the evtchn commands: dom0 (PV), domain 5 "guest" (HVM,
 * four vCPUs, with disks and a network device), domain 6 "old" (PV).
 */
#ifndef FAKES_EVTCHN_WORLD_H
#define FAKES_EVTCHN_WORLD_H

#include "fakes/evtchn_mem.h"
#include "fakes/xenstore_mem.h"

struct evtchn_world {
    xlx_ctx *ctx;
    struct nth nth;
    struct xs_mem *xs;
    struct evtchn_mem *mem;
    struct evtchn_mem_domain *guest, *pv;
    char dir[64];    /* run directory */
    char *out, *err; /* of the last command */
};

struct evtchn_world *evtchn_world_new(void);
void evtchn_world_free(struct evtchn_world *w);

/* xs_mem_put() below /local/domain/5/. */
void evtchn_world_put(struct evtchn_world *w, const char *node,
                      const char *value);

/* Runs a command line, split at blanks; returns its exit status. */
int evtchn_world_call(struct evtchn_world *w, const char *line);

#endif

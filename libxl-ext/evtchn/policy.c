/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * evtchn-policy: what is written down, and the node in each guest's part of
 * xenstore by which its driver learns it.
 */
#include "evtchn/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/uuid.h"
#include "evtchn/places.h"
#include "xen/domain.h"
#include "xen/xenstore.h"

#define NODE "/local/domain/%u/libxl-ext/vectors"

/* --- the guest's node ---------------------------------------------------- */

struct note {
    uint32_t domid;
    const char *vectors; /* NULL: none */
    bool changed;
};

/* Nothing is written for a domain that has just ended: the node would stay. */
static int write_note(xlx_ctx *ctx, uint32_t t, void *arg)
{
    struct note *note = arg;
    XLX__AUTO_FREE char *now = NULL;
    note->changed = false;
    int rc = xlx__xs_exists(ctx, t, "/local/domain/%u/name", note->domid);
    if (rc <= 0)
        return rc;
    rc = xlx__xs_read(ctx, t, &now, NODE, note->domid);
    if (rc && rc != -ENOENT)
        return rc;
    if (!note->vectors ? !now : now && !strcmp(now, note->vectors))
        return 0;
    note->changed = true;
    rc = xlx__places_forget(ctx, t, note->domid);
    if (rc)
        return rc;
    return note->vectors
               ? xlx__xs_write(ctx, t, note->vectors, NODE, note->domid)
               : xlx__xs_rm(ctx, t, 1, NODE, note->domid);
}

/* 1 if the guest's node was changed. */
static int tell_guest(xlx_ctx *ctx, uint32_t domid, const char *vectors)
{
    struct note note = { .domid = domid, .vectors = vectors };
    int rc = xlx__xs_transact(ctx, write_note, &note);
    return rc ? rc : note.changed;
}

/* --- whose policy it is -------------------------------------------------- */

static bool is_taken(const struct xlx_evtchn_policy *list, int nr,
                     const struct xlx__dom *dom)
{
    for (int i = 0; i < nr; i++)
        if (list[i].domid == dom->domid || !strcmp(list[i].uuid, dom->uuid))
            return true;
    return false;
}

/* By UUID, which a reboot and a restore keep. */
static void pair_by_uuid(struct xlx_evtchn_policy *list, int nr,
                         const struct xlx__dom *doms, int nr_doms)
{
    for (int i = 0; i < nr; i++)
        for (int d = 0; d < nr_doms && !list[i].domid; d++)
            if (!strcmp(list[i].uuid, doms[d].uuid))
                list[i].domid = doms[d].domid;
}

/* By name, which an `xl create` keeps: the policy has the new UUID then. The
 * new file first: a guest in two files is better than one in none. */
static void pair_by_name(xlx_ctx *ctx, struct xlx_evtchn_policy *list, int nr,
                         const struct xlx__dom *doms, int nr_doms)
{
    for (int i = 0; i < nr; i++)
        for (int d = 0; d < nr_doms && !list[i].domid; d++) {
            char old[XLX_UUID_MAX];
            if (!*list[i].name || strcmp(list[i].name, doms[d].name) ||
                !xlx__uuid_valid(doms[d].uuid) || is_taken(list, nr, &doms[d]))
                continue;
            strcpy(old, list[i].uuid);
            strcpy(list[i].uuid, doms[d].uuid);
            list[i].domid = doms[d].domid;
            if (!xlx__evtchn_policy_save(ctx, &list[i]))
                xlx__evtchn_policy_drop(ctx, old);
        }
}

/* With the lock. */
static int load_policies(xlx_ctx *ctx, struct xlx_evtchn_policy **list_r,
                         struct xlx__dom **doms_r, int *nr_doms_r)
{
    int nr_doms = 0, nr = xlx__evtchn_policy_load(ctx, list_r);
    *doms_r = NULL;
    *nr_doms_r = 0;
    if (nr >= 0 && xlx__dom_possible(ctx))
        nr_doms = xlx__dom_list(ctx, doms_r);
    if (nr < 0 || nr_doms < 0) {
        free(*list_r);
        *list_r = NULL;
        return nr < 0 ? nr : nr_doms;
    }
    pair_by_uuid(*list_r, nr, *doms_r, nr_doms);
    pair_by_name(ctx, *list_r, nr, *doms_r, nr_doms);
    *nr_doms_r = nr_doms;
    return nr;
}

static const char *vectors_of(const struct xlx_evtchn_policy *list, int nr,
                              uint32_t domid)
{
    for (int i = 0; i < nr; i++)
        if (list[i].domid == domid)
            return list[i].vectors;
    return NULL;
}

/* --- the calls ----------------------------------------------------------- */

int xlx_evtchn_policy_list(xlx_ctx *ctx, struct xlx_evtchn_policy **list_r,
                           size_t size)
{
    XLX__AUTO_FREE struct xlx__dom *doms = NULL;
    struct xlx_evtchn_policy *list = NULL;
    int nr_doms;
    *list_r = NULL;
    XLX__AUTO_CLOSE int lock = xlx__evtchn_policy_lock(ctx);
    int nr = lock < 0 ? lock : load_policies(ctx, &list, &doms, &nr_doms);
    if (nr <= 0) {
        free(list);
        return nr;
    }
    *list_r = xlx__list_sized(list, nr, sizeof(*list), size);
    return *list_r ? nr : xlx__fail(ctx, ENOMEM, "evtchn-policy: no memory");
}

int xlx_evtchn_policy_apply(xlx_ctx *ctx)
{
    XLX__AUTO_FREE struct xlx_evtchn_policy *list = NULL;
    XLX__AUTO_FREE struct xlx__dom *doms = NULL;
    int nr_doms, changed = 0, failure = 0;
    XLX__AUTO_CLOSE int lock = xlx__evtchn_policy_lock(ctx);
    if (lock < 0)
        return lock;
    int nr = load_policies(ctx, &list, &doms, &nr_doms);
    if (nr < 0)
        return nr;
    for (int d = 0; d < nr_doms; d++) {
        int rc =
            tell_guest(ctx, doms[d].domid, vectors_of(list, nr, doms[d].domid));
        if (rc < 0)
            failure = rc;
        else
            changed += rc;
    }
    return failure ? failure : changed;
}

/* The policy of a guest's name, domid or UUID: its index, or -1. */
static int find_policy(const struct xlx_evtchn_policy *list, int nr,
                       const char *guest, const struct xlx__dom *dom)
{
    for (int i = 0; i < nr; i++)
        if (dom ? list[i].domid == dom->domid
                : !strcmp(list[i].name, guest) || !strcmp(list[i].uuid, guest))
            return i;
    return -1;
}

/* The guest among those that run; NULL: none of them. */
static const struct xlx__dom *running(const struct xlx__dom *doms, int nr,
                                      const char *guest)
{
    char number[16];
    for (int d = 0; d < nr; d++) {
        snprintf(number, sizeof(number), "%u", doms[d].domid);
        if (!strcmp(doms[d].name, guest) || !strcmp(doms[d].uuid, guest) ||
            !strcmp(number, guest))
            return &doms[d];
    }
    return NULL;
}

static int new_policy(xlx_ctx *ctx, const char *guest,
                      const struct xlx__dom *dom,
                      struct xlx_evtchn_policy *policy)
{
    if (!dom)
        return xlx__fail(ctx, ESRCH,
                         "guest %s: it does not run and has no vector policy: "
                         "start it first",
                         guest);
    if (!xlx__uuid_valid(dom->uuid))
        return xlx__fail(ctx, EINVAL,
                         "guest %s: it has no UUID by which it could be known "
                         "again",
                         guest);
    *policy = (struct xlx_evtchn_policy){ .domid = dom->domid };
    strcpy(policy->uuid, dom->uuid);
    if (!strchr(dom->name, '\n'))
        strcpy(policy->name, dom->name);
    return 0;
}

int xlx_evtchn_policy_set(xlx_ctx *ctx, const char *guest, const char *vectors)
{
    XLX__AUTO_FREE struct xlx_evtchn_policy *list = NULL;
    XLX__AUTO_FREE struct xlx__dom *doms = NULL;
    struct xlx_evtchn_policy policy;
    char choice[XLX_EVTCHN_CHOICE_MAX];
    int nr_doms, rc = 0;
    const char *why = xlx__evtchn_choice_read(vectors, choice);
    if (why)
        return xlx__fail(ctx, EINVAL, "%.64s: not a choice of channels: %s",
                         vectors, why);
    XLX__AUTO_CLOSE int lock = xlx__evtchn_policy_lock(ctx);
    int nr = lock < 0 ? lock : load_policies(ctx, &list, &doms, &nr_doms);
    if (nr < 0)
        return nr;
    const struct xlx__dom *dom = running(doms, nr_doms, guest);
    int at = find_policy(list, nr, guest, dom);
    if (at >= 0)
        policy = list[at];
    else
        rc = new_policy(ctx, guest, dom, &policy);
    if (rc)
        return rc;
    strcpy(policy.vectors, choice);
    rc = xlx__evtchn_policy_save(ctx, &policy);
    if (!rc && policy.domid)
        rc = tell_guest(ctx, policy.domid, policy.vectors);
    return rc < 0 ? rc : 0;
}

int xlx_evtchn_policy_remove(xlx_ctx *ctx, const char *guest)
{
    XLX__AUTO_FREE struct xlx_evtchn_policy *list = NULL;
    XLX__AUTO_FREE struct xlx__dom *doms = NULL;
    int nr_doms;
    XLX__AUTO_CLOSE int lock = xlx__evtchn_policy_lock(ctx);
    int nr = lock < 0 ? lock : load_policies(ctx, &list, &doms, &nr_doms);
    if (nr < 0)
        return nr;
    int at = find_policy(list, nr, guest, running(doms, nr_doms, guest));
    if (at < 0)
        return xlx__fail(ctx, ENOENT, "guest %s: it has no vector policy",
                         guest);
    int rc = xlx__evtchn_policy_drop(ctx, list[at].uuid);
    if (!rc && list[at].domid)
        rc = tell_guest(ctx, list[at].domid, NULL);
    return rc < 0 ? rc : 0;
}

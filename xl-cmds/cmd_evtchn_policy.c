/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * evtchn-policy: which channels of a guest are to have vectors, for good.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_evtchn.h"
#include "columns.h"
#include "json.h"
#include "libxl_ext_evtchn.h"

enum { OPT_VECTORS, OPT_REMOVE, OPT_JSON };

const struct cmd_option cmd_evtchn_policy_options[] = {
    { "vectors", 'v', CMD_NEEDS_ARG, "LIST",
      "kinds and devices, as vif,xvda; empty: no channel" },
    { "remove", 'r', CMD_NO_ARG, NULL, "forget the guest's vector policy" },
    { "json", 'j', CMD_NO_ARG, NULL,
      "print JSON (docs/evtchn-toolstack.md has the schema)" },
    { 0 }
};

const char cmd_evtchn_policy_details[] =
    "Sets which event channels of a guest its driver gives vectors of their\n"
    "own: kinds of devices (vif, blk), or single devices (vif/0, xvda). The\n"
    "guest's driver has to obey it, as the Linux module xen-vec does\n"
    "(docs/evtchn-linux.md); without a policy it decides by itself. Without\n"
    "options the command prints the guest's policy, without DOM all of them.\n"
    "\n"
    "The policy is stored on this host and outlasts reboots of the guest and\n"
    "of the host. The guest learns it at once. After its next start, restore\n"
    "or migration to this host the watcher tells it again, which the service\n"
    "libxl-ext-usb runs (usb-reconcile --watch).\n"
    "\n"
    "Examples:\n"
    "  xl-ext evtchn-policy guest --vectors=vif,blk\n"
    "  xl-ext evtchn-policy guest --vectors=vif/0\n"
    "  xl-ext evtchn-policy guest --remove\n"
    "  xl-ext evtchn-policy\n";

/* --- printing ------------------------------------------------------------- */

enum { DOMID, NAME, VECTORS };
static const struct column heads[] = {
    { "DOMID", false },
    { "NAME", false },
    { "VECTORS", false },
    { NULL, false },
};

static void put_row(struct columns *t, const struct xlx_evtchn_policy *policy)
{
    char name[4 * XLX_GUEST_NAME_MAX];
    columns_row(t);
    if (policy->domid)
        columns_put(t, DOMID, "%u", policy->domid);
    cmd_escape(policy->name, name);
    columns_put(t, NAME, "%s", name);
    columns_put(t, VECTORS, "%s", *policy->vectors ? policy->vectors : "none");
}

static int print_text(struct cmd_env *env, const struct xlx_evtchn_policy *list,
                      int nr)
{
    if (!nr) {
        fputs("no vector policies\n", env->out);
        return CMD_OK;
    }
    struct columns *t = columns_new(heads);
    for (int i = 0; i < nr; i++)
        put_row(t, &list[i]);
    bool printed = columns_print(t, env->out, env->err, 0);
    columns_free(t);
    return printed ? CMD_OK : CMD_FAILED;
}

static int print_json(FILE *out, const struct xlx_evtchn_policy *list, int nr)
{
    yajl_gen g = json_open(out);
    if (!g)
        return CMD_FAILED;
    yajl_gen_array_open(g);
    for (int i = 0; i < nr; i++) {
        yajl_gen_map_open(g);
        json_text(g, "name", list[i].name);
        json_text(g, "uuid", list[i].uuid);
        if (list[i].domid)
            json_number(g, "domid", list[i].domid);
        json_text(g, "vectors", list[i].vectors);
        yajl_gen_map_close(g);
    }
    yajl_gen_array_close(g);
    yajl_gen_free(g);
    return CMD_OK;
}

static bool is_of(const struct xlx_evtchn_policy *policy, const char *guest)
{
    char id[16];
    snprintf(id, sizeof(id), "%u", policy->domid);
    return !strcmp(policy->name, guest) || !strcmp(policy->uuid, guest) ||
           (policy->domid && !strcmp(id, guest));
}

/* `guest` may be NULL: all. */
static int print_policies(struct cmd_env *env, const char *guest, bool json)
{
    struct xlx_evtchn_policy *list;
    int nr = xlx_evtchn_policy_list(env->ctx, &list, sizeof(*list)), kept = 0;
    if (nr < 0)
        return CMD_FAILED;
    for (int i = 0; i < nr; i++)
        if (!guest || is_of(&list[i], guest))
            list[kept++] = list[i];
    int status = CMD_OK;
    if (guest && !kept) {
        fprintf(env->err, "error: guest %s: it has no vector policy\n", guest);
        status = CMD_FAILED;
    } else if (json) {
        status = print_json(env->out, list, kept);
    } else {
        status = print_text(env, list, kept);
    }
    free(list);
    return status;
}

/* --- setting -------------------------------------------------------------- */

/* Why a guest that runs cannot obey it now: each is only worth a note. */
static void note_obstacles(struct cmd_env *env, const char *guest)
{
    xlx_evtchn_channels *channels = NULL;
    struct xlx_evtchn_finding *findings = NULL;
    uint32_t domid;
    int nr = -1;
    if (!xlx_domain_find(env->ctx, guest, &domid) &&
        xlx_evtchn_list(env->ctx, domid, &channels) >= 0)
        nr = xlx_evtchn_diagnose(channels, &findings, sizeof(*findings));
    for (int i = 0; i < nr; i++)
        if (findings[i].code == XLX_EVTCHN_NO_PATCH ||
            findings[i].code == XLX_EVTCHN_PV ||
            findings[i].code == XLX_EVTCHN_FORBIDDEN)
            fprintf(env->out, "note: %s\n", findings[i].text);
    free(findings);
    xlx_evtchn_channels_free(channels);
}

int cmd_evtchn_policy(struct cmd_env *env, int argc, char **argv)
{
    const struct cmd *self = cmd_find(argv[0]);
    struct cmd_opts opts;
    int status;
    if (!cmd_parse(env, self, argc, argv, &opts, &status))
        return status;
    const char *guest = opts.argc ? opts.argv[0] : NULL;
    bool set = opts.set[OPT_VECTORS], remove = opts.set[OPT_REMOVE];
    if (opts.argc > 1 || ((set || remove) && !guest))
        return cmd_usage(env, self, "takes one guest: %s", self->args);
    if (set && remove)
        return cmd_usage(env, self, "--vectors or --remove, not both");
    if ((set || remove) && opts.set[OPT_JSON])
        return cmd_usage(env, self, "--json prints policies, it sets none");
    if (remove)
        return xlx_evtchn_policy_remove(env->ctx, guest) ? CMD_FAILED : CMD_OK;
    if (!set)
        return print_policies(env, guest, opts.set[OPT_JSON]);
    int rc = xlx_evtchn_policy_set(env->ctx, guest, opts.arg[OPT_VECTORS]);
    if (rc == -ESRCH)
        cmd_hint_domain(env, guest);
    if (rc)
        return CMD_FAILED;
    note_obstacles(env, guest);
    return CMD_OK;
}

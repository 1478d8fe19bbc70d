/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * evtchn-spread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_evtchn.h"
#include "follow.h"
#include "json.h"
#include "libxl_ext_evtchn.h"

#define DEFAULT_SAMPLE 1000u
#define MAX_SAMPLE 3600000u
#define MAX_HOT 131071u

#define MAX_EVERY 3600u

enum { OPT_HOT, OPT_SAMPLE, OPT_DRY_RUN, OPT_JSON, OPT_WATCH, OPT_EVERY };

const struct cmd_option cmd_evtchn_spread_options[] = {
    { "hot", 'H', CMD_NEEDS_ARG, "N",
      "vectors for at most N channels (default: for 9/10 of the events)" },
    { "sample", 's', CMD_NEEDS_ARG, "MS",
      "count events for MS first (default 1000; 0: do not count)" },
    { "dry-run", 'n', CMD_NO_ARG, NULL,
      "print what would be done, and do "
      "nothing" },
    { "json", 'j', CMD_NO_ARG, NULL,
      "print JSON (docs/evtchn-toolstack.md has the schema)" },
    { "watch", 'W', CMD_NO_ARG, NULL, "keep running until SIGTERM or SIGINT" },
    { "every", 'e', CMD_NEEDS_ARG, "SECONDS",
      "with --watch: the interval of the checks (default 10)" },
    { 0 }
};

const char cmd_evtchn_spread_details[] =
    "Counts the guest's events for a second, and gives the busiest channels\n"
    "vectors of their own on different vCPUs, so that the load is even. All\n"
    "other channels stay on the upcall or return to it. The command uses only\n"
    "vectors that the guest offers, and changes neither what the guest bound\n"
    "itself nor what is right already. A guest that binds its channels\n"
    "itself, as the Linux module xen-vec does, is asked to move them.\n"
    "\n"
    "Prints each change, and Jain's fairness index of the load on the vCPUs:\n"
    "1 when each has the same load, 1/n when one of n has all of it.\n"
    "\n"
    "With --watch it repeats this every 10 s, by the events since the last\n"
    "time, and grants at once the vector requests that the guest writes to\n"
    "xenstore. It continues with the guest after a restore or a reboot.\n"
    "\n"
    "Examples:\n"
    "  xl-ext evtchn-spread guest --dry-run\n"
    "  xl-ext evtchn-spread guest --hot=8 --watch\n"
    "  xl-ext evtchn-spread guest --hot=8\n";

static void print_place(FILE *out, uint32_t vcpu, uint8_t vector)
{
    if (vector)
        fprintf(out, "vCPU %u vector 0x%02x", vcpu, vector);
    else
        fputs("upcall", out);
}

static void print_changes(FILE *out, const struct xlx_evtchn_change *list,
                          uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++) {
        fprintf(out, "port %u%s%s%s: ", list[i].port,
                *list[i].device ? " (" : "", list[i].device,
                *list[i].device ? ")" : "");
        print_place(out, list[i].from_vcpu, list[i].from_vector);
        fputs(" -> ", out);
        print_place(out, list[i].to_vcpu, list[i].to_vector);
        fputc('\n', out);
    }
}

static void print_plan(FILE *out, uint32_t domid,
                       const struct xlx_evtchn_plan *plan, uint32_t nr,
                       bool dry)
{
    fprintf(out,
            "domain %u: %u %s, %u with vectors; index over %u vCPUs %u.%03u -> "
            "%u.%03u%s\n",
            domid, nr, dry ? "would change" : "changed", plan->hot, plan->vcpus,
            plan->index_before / 1000, plan->index_before % 1000,
            plan->index_after / 1000, plan->index_after % 1000,
            plan->counted ? "" : " (events were not counted)");
}

/* --- JSON ----------------------------------------------------------------- */

static void put_change(yajl_gen g, const struct xlx_evtchn_change *c)
{
    yajl_gen_map_open(g);
    json_number(g, "port", c->port);
    if (*c->device)
        json_text(g, "device", c->device);
    json_number(g, "from_vcpu", c->from_vcpu);
    json_number(g, "from_vector", c->from_vector);
    json_number(g, "to_vcpu", c->to_vcpu);
    json_number(g, "to_vector", c->to_vector);
    yajl_gen_map_close(g);
}

/* `plan` may be NULL: then `reason` says why. */
static int print_json(FILE *out, uint32_t domid,
                      const struct xlx_evtchn_plan *plan,
                      const struct xlx_evtchn_change *list, uint32_t nr,
                      bool dry, const char *reason, bool one_line)
{
    yajl_gen g = json_open(out);
    if (!g)
        return CMD_FAILED;
    yajl_gen_config(g, yajl_gen_beautify, !one_line);
    yajl_gen_map_open(g);
    json_number(g, "domid", domid);
    json_bool(g, "dry_run", dry);
    if (plan) {
        json_bool(g, "counted", plan->counted);
        json_number(g, "hot", plan->hot);
        json_number(g, "vcpus", plan->vcpus);
        json_number(g, "index_before", plan->index_before);
        json_number(g, "index_after", plan->index_after);
    }
    if (*reason)
        json_text(g, "reason", reason);
    json_string(g, "changes");
    yajl_gen_array_open(g);
    for (uint32_t i = 0; i < nr; i++)
        put_change(g, &list[i]);
    yajl_gen_array_close(g);
    yajl_gen_map_close(g);
    yajl_gen_free(g);
    if (one_line)
        fputc('\n', out);
    return CMD_OK;
}

/* --- on and on ------------------------------------------------------------ */

struct printer {
    FILE *out;
    bool json;
};

static void tell(void *user, const struct xlx_evtchn_report *r)
{
    const struct printer *p = user;
    if (p->json)
        print_json(p->out, r->domid, r->plan, r->changes, r->nr_changes, false,
                   r->reason, true);
    else {
        print_changes(p->out, r->changes, r->nr_changes);
        if (*r->reason)
            fprintf(p->out, "%s\n", r->reason);
        else
            print_plan(p->out, r->domid, r->plan, r->nr_changes, false);
    }
    fflush(p->out); /* somebody may be following it */
}

static int dispatch(void *watch)
{
    return xlx_evtchn_watch_dispatch(watch);
}

static int watch_guest(struct cmd_env *env,
                       const struct xlx_evtchn_watch_config *config, bool json)
{
    struct printer printer = { env->out, json };
    struct follow follow;
    xlx_evtchn_watch *watch = NULL;
    int status = CMD_FAILED, rc = -EINTR;
    if (follow_begin(&follow))
        rc = xlx_evtchn_watch_new(env->ctx, config, sizeof(*config), tell,
                                  &printer, &watch);
    if (rc == -ESRCH)
        cmd_hint_domain(env, config->guest);
    if (!rc)
        status =
            follow_run(&follow, xlx_evtchn_watch_fd(watch), dispatch, watch);
    xlx_evtchn_watch_free(watch);
    follow_end(&follow);
    return status;
}

/* --- once ----------------------------------------------------------------- */

static int spread_once(struct cmd_env *env, const char *dom,
                       const struct xlx_evtchn_spread_config *config, bool json)
{
    struct xlx_evtchn_change *list;
    struct xlx_evtchn_plan plan;
    uint32_t domid;
    int status = CMD_OK;
    if (cmd_find_domain(env, dom, &domid))
        return CMD_FAILED;
    int nr = xlx_evtchn_spread(env->ctx, domid, config, sizeof(*config), &plan,
                               sizeof(plan), &list);
    if (nr < 0)
        return CMD_FAILED;
    if (json)
        status = print_json(env->out, domid, &plan, list, (uint32_t)nr,
                            config->dry_run, "", false);
    else {
        print_changes(env->out, list, (uint32_t)nr);
        print_plan(env->out, domid, &plan, (uint32_t)nr, config->dry_run);
    }
    free(list);
    return status;
}

static bool read_config(const struct cmd_opts *opts,
                        struct xlx_evtchn_spread_config *config,
                        const char **wrong)
{
    const char *hot = opts->arg[OPT_HOT], *sample = opts->arg[OPT_SAMPLE];
    *config = (struct xlx_evtchn_spread_config){
        .sample_ms = DEFAULT_SAMPLE,
        .dry_run = opts->set[OPT_DRY_RUN],
    };
    if (hot && !cmd_read_number(hot, 1, MAX_HOT, &config->hot))
        *wrong = "--hot takes 1 to 131071 channels";
    else if (sample &&
             !cmd_read_number(sample, 0, MAX_SAMPLE, &config->sample_ms))
        *wrong = "--sample takes 0 to 3600000 ms";
    else
        return true;
    return false;
}

int cmd_evtchn_spread(struct cmd_env *env, int argc, char **argv)
{
    const struct cmd *self = cmd_find(argv[0]);
    struct xlx_evtchn_spread_config config;
    struct xlx_evtchn_watch_config watch = { 0 };
    struct cmd_opts opts;
    const char *wrong;
    uint32_t every = 0;
    int status;
    if (!cmd_parse(env, self, argc, argv, &opts, &status))
        return status;
    const char *arg = opts.arg[OPT_EVERY];
    if (opts.argc != 1)
        return cmd_usage(env, self, "one domain: %s", self->args);
    if (!read_config(&opts, &config, &wrong))
        return cmd_usage(env, self, "%s", wrong);
    if (arg &&
        (!opts.set[OPT_WATCH] || !cmd_read_number(arg, 1, MAX_EVERY, &every)))
        return cmd_usage(env, self,
                         "--every takes 1 to %u seconds, and "
                         "needs --watch",
                         MAX_EVERY);
    if (!opts.set[OPT_WATCH])
        return spread_once(env, opts.argv[0], &config, opts.set[OPT_JSON]);
    if (opts.set[OPT_DRY_RUN] || opts.set[OPT_SAMPLE])
        return cmd_usage(env, self, "--watch excludes --dry-run and --sample");
    watch.guest = opts.argv[0];
    watch.hot = config.hot;
    watch.every_ms = every * 1000;
    return watch_guest(env, &watch, opts.set[OPT_JSON]);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * lazy-set: how the rest of a guest's memory is loaded.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "cmd_lazy.h"

enum { OPT_BWLIMIT, OPT_PAUSE, OPT_RESUME, OPT_RETRY };

const struct cmd_option cmd_lazy_set_options[] = {
    { "bwlimit", 0, CMD_NEEDS_ARG, "RATE",
      "bytes a second, K, M or G; none: no limit" },
    { "pause", 0, CMD_NO_ARG, NULL, "load only what the guest touches" },
    { "resume", 0, CMD_NO_ARG, NULL,
      "load the rest too, after --pause or "
      "lazy-finish" },
    { "retry", 0, CMD_NO_ARG, NULL, "repeat failed reads now" },
    { 0 }
};

const char cmd_lazy_set_details[] =
    "The limit and the pause apply to the backfill: a page that the guest\n"
    "waits for is always read at once. Both last until they are changed.\n"
    "\n"
    "Examples:\n"
    "  xl-ext lazy-set guest --bwlimit=50M\n"
    "  xl-ext lazy-set guest --retry       # the storage is back\n";

static enum xlx_lazy_fill fill_of(const struct cmd_opts *opts)
{
    if (opts->set[OPT_PAUSE])
        return XLX_LAZY_FILL_PAUSE;
    return opts->set[OPT_RESUME] ? XLX_LAZY_FILL_RESUME : XLX_LAZY_FILL_AS_IS;
}

static bool read_change(const struct cmd_opts *opts,
                        struct xlx_lazy_change *change)
{
    *change = (struct xlx_lazy_change){
        .retry = opts->set[OPT_RETRY],
        .set_bwlimit = opts->set[OPT_BWLIMIT],
        .fill = fill_of(opts),
    };
    return !change->set_bwlimit ||
           !xlx_lazy_parse_bwlimit(opts->arg[OPT_BWLIMIT], &change->bwlimit);
}

int cmd_lazy_set(struct cmd_env *env, int argc, char **argv)
{
    struct cmd_opts opts;
    struct xlx_lazy_change change;
    int status;
    uint32_t domid;
    const struct cmd *self = cmd_find("lazy-set");
    if (!cmd_parse(env, self, argc, argv, &opts, &status))
        return status;
    if (opts.argc != 1)
        return cmd_usage(env, self, "takes one domain");
    if (opts.set[OPT_PAUSE] && opts.set[OPT_RESUME])
        return cmd_usage(env, self, "--pause or --resume, not both");
    if (!read_change(&opts, &change))
        return cmd_usage(env, self, "--bwlimit=%s: not a rate",
                         opts.arg[OPT_BWLIMIT]);
    if (!change.fill && !change.set_bwlimit && !change.retry)
        return cmd_usage(env, self, "nothing to set");
    if (cmd_find_domain(env, opts.argv[0], &domid))
        return CMD_FAILED;
    int rc = xlx_lazy_set(env->ctx, domid, &change, sizeof(change), NULL, 0);
    if (rc == -ENOTCONN)
        fprintf(env->err,
                "%s: domain %u: no pager listens: its memory is "
                "complete, or it was not restored lazily; see "
                "%s lazy-list\n",
                self->name, domid, cmd_program(env));
    return rc ? CMD_FAILED : CMD_OK;
}

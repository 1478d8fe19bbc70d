/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * save, migrate and dump-core of a guest whose memory is still coming: they
 * would leave out, without a word, every page that is not there yet. So fill
 * first, then hand on to the distribution's xl.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "libxl_ext_lazy.h"

const char cmd_guard_details[] =
    "Waits until the memory of a lazily restored guest is complete, then does\n"
    "what the distribution's xl does, with the same arguments. See xl(1).\n";

/* xl migrate's options that take an argument, in a word of their own. */
static bool takes_argument(const char *option)
{
    return !strcmp(option, "-s") || !strcmp(option, "-C");
}

/* The first operand of xl save, migrate and dump-core; NULL without one. */
static const char *domain_operand(char **argv)
{
    for (char **a = argv + 1; *a; a++) {
        if ((*a)[0] != '-')
            return *a;
        if (takes_argument(*a) && a[1])
            a++;
    }
    return NULL;
}

/* Whether any guest of this host is incomplete; most hosts stop here. */
static bool any_incomplete(xlx_ctx *ctx)
{
    struct xlx_lazy_status s;
    uint32_t *domids;
    bool any = false;
    int nr = xlx_lazy_list(ctx, &domids);
    for (int i = 0; i < nr; i++)
        any |= !xlx_lazy_status(ctx, domids[i], &s) &&
               s.state != XLX_LAZY_COMPLETE;
    if (nr >= 0)
        free(domids);
    return any;
}

static bool is_restored_lazily(xlx_ctx *ctx, uint32_t domid)
{
    uint32_t *domids;
    bool found = false;
    int nr = xlx_lazy_list(ctx, &domids);
    for (int i = 0; i < nr; i++)
        found |= domids[i] == domid;
    if (nr >= 0)
        free(domids);
    return found;
}

int cmd_guard(struct cmd_env *env, int argc, char **argv)
{
    (void)argc;
    const char *domain = domain_operand(argv);
    uint32_t domid;
    if (domain && any_incomplete(env->ctx)) {
        if (xlx_domain_find(env->ctx, domain, &domid))
            return CMD_FAILED;
        if (is_restored_lazily(env->ctx, domid) &&
            cmd_wait_until_filled(env, argv[0], domid, true) != CMD_OK)
            return CMD_FAILED;
    }
    return cmd_hand_on_command(env, argv);
}

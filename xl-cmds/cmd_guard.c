/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * save, migrate and dump-core of a guest that is still filling: they would
 * leave out, without a message, every page that is not there yet. mem-set and
 * mem-max: under a hypervisor without patch 0012 the limit would be reached
 * while pages are paged out, which then have no room, and the guest's balloon
 * waits for one of them. So fill first, then call the distribution's xl. Nor
 * may they write to a file that another guest's memory still comes from. And no
 * USB controller outlives save and migrate, so it is removed before.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd.h"
#include "guard_usb.h"
#include "libxl_ext_lazy.h"

const char cmd_guard_details[] =
    "Completes the memory of a lazily restored guest, as lazy-finish does,\n"
    "then does what the distribution's xl does, with the same arguments. See\n"
    "xl(1). A file that the memory of another guest still comes from is\n"
    "refused.\n"
    "\n"
    "save and migrate refuse a guest with USB devices, because its USB driver\n"
    "survives neither. With --usb=detach they first detach the devices. A\n"
    "guest that keeps running afterwards (save -c, or a failure) gets them\n"
    "back, and a saved one gets them when 'usb-reconcile' finds it restored.\n";

const char cmd_guard_dump_details[] =
    "Completes the memory of a lazily restored guest, as lazy-finish does,\n"
    "then does what the distribution's xl does, with the same arguments: it\n"
    "writes the guest's memory to FILE. See xl(1). It refuses a FILE that the\n"
    "memory of another guest still comes from. USB devices stay attached.\n"
    "\n"
    "Example:\n"
    "  xl-ext dump-core guest /var/lib/xen/dump/guest\n";

const char cmd_guard_mem_details[] =
    "Completes the memory of a lazily restored guest, as lazy-finish does,\n"
    "then does what the distribution's xl does, with the same arguments. See\n"
    "xl(1). Some patched hypervisors could not complete it below a lower\n"
    "limit.\n";

const struct cmd_option cmd_guard_usb_options[] = {
    { "usb", 0, CMD_NEEDS_ARG, "refuse|detach",
      "what to do with USB devices (default refuse)" },
    { 0 }
};

/* xl migrate's options that take an argument, in a word of their own. */
static bool takes_argument(const char *option)
{
    return !strcmp(option, "-s") || !strcmp(option, "-C");
}

/* Where the first operand of these commands is, the domain; the one behind it
 * may be a file. At the end without one. */
static char **operands(char **argv)
{
    char **a = argv + 1;
    for (; *a && (*a)[0] == '-'; a++)
        if (takes_argument(*a) && a[1])
            a++;
    return a;
}

/*
 * Whether any guest of this host may be incomplete; most hosts stop here. A
 * status that cannot be read says nothing good. 0, 1 or -errno.
 */
static int any_incomplete(xlx_ctx *ctx)
{
    struct xlx_lazy_status s;
    uint32_t *domids;
    int any = 0, nr = xlx_lazy_list(ctx, &domids);
    if (nr < 0)
        return nr;
    for (int i = 0; i < nr && !any; i++)
        any = xlx_lazy_status(ctx, domids[i], &s, sizeof(s)) ||
              s.state != XLX_LAZY_COMPLETE;
    free(domids);
    return any;
}

/* 0, 1 or -errno. */
static int is_restored_lazily(xlx_ctx *ctx, uint32_t domid)
{
    uint32_t *domids;
    int found = 0, nr = xlx_lazy_list(ctx, &domids);
    if (nr < 0)
        return nr;
    for (int i = 0; i < nr && !found; i++)
        found = domids[i] == domid;
    free(domids);
    return found;
}

static int not_known(struct cmd_env *env, const char *command,
                     const char *object, const char *what)
{
    fprintf(env->err, "%s: %s: cannot find out whether %s: nothing was done\n",
            command, object, what);
    return CMD_FAILED;
}

static int fill_first(struct cmd_env *env, const char *command,
                      const char *domain)
{
    uint32_t domid;
    int rc = any_incomplete(env->ctx);
    if (!rc)
        return CMD_OK;
    if (rc > 0 && cmd_find_domain(env, domain, &domid))
        return CMD_FAILED;
    if (rc > 0)
        rc = is_restored_lazily(env->ctx, domid);
    if (rc < 0)
        return not_known(env, command, domain, "its memory is complete");
    return rc ? cmd_wait_until_filled(env, command, domid, CMD_WAIT_FINISH)
              : CMD_OK;
}

/* --- files ---------------------------------------------------------------- */

static bool is_filled_from(const struct xlx_lazy_status *s,
                           const struct stat *file)
{
    if (s->state != XLX_LAZY_FILLING && s->state != XLX_LAZY_STALLED)
        return false;
    if (S_ISBLK(file->st_mode))
        return s->image_dev == file->st_rdev && !s->image_ino;
    return s->image_dev == file->st_dev && s->image_ino == file->st_ino;
}

/* The second operand of the other commands is a host, or a size. */
static bool writes_a_file(const char *command)
{
    return !strcmp(command, "save") || !strcmp(command, "dump-core");
}

/*
 * xl opens what it saves to with O_TRUNC, before all else: a guest that fills
 * from that file would lose its memory, under whatever name the file is told.
 */
static int spare_images(struct cmd_env *env, const char *command,
                        const char *path)
{
    struct xlx_lazy_status s;
    struct stat file;
    uint32_t *domids;
    int status = CMD_OK;
    if (stat(path, &file))
        return CMD_OK;
    int nr = xlx_lazy_list(env->ctx, &domids);
    if (nr < 0)
        return not_known(env, command, path, "a guest is filling from it");
    for (int i = 0; i < nr && status == CMD_OK; i++) {
        int rc = xlx_lazy_status(env->ctx, domids[i], &s, sizeof(s));
        if (rc && rc != -ENOENT)
            status = not_known(env, command, path,
                               "a guest is filling from "
                               "it");
        if (rc || !is_filled_from(&s, &file))
            continue;
        fprintf(env->err,
                "%s: %s: the memory of domain %u still comes from "
                "this file: choose another one, or first '%s "
                "lazy-finish %u'\n",
                command, path, domids[i], cmd_program(env), domids[i]);
        status = CMD_FAILED;
    }
    free(domids);
    return status;
}

/* --- USB ------------------------------------------------------------------ */

/* Takes our --usb= out of xl's arguments. False: no such value. */
static bool take_usb_option(char **argv, bool *detach)
{
    char **to = argv;
    *detach = false;
    for (char **a = argv; *a; a++) {
        if (!strcmp(*a, "--usb"))
            return false;
        if (strncmp(*a, "--usb=", 6))
            *to++ = *a;
        else if (!strcmp(*a + 6, "detach"))
            *detach = true;
        else if (strcmp(*a + 6, "refuse"))
            return false;
    }
    *to = NULL;
    return true;
}

/* `-c` leaves a saved guest running; a failure leaves every guest. */
static void put_back_if_it_runs(struct cmd_env *env, struct guard_usb *g)
{
    if (xlx_domain_alive(env->ctx, g->domid) > 0)
        guard_usb_put_back(env, g);
}

static int without_usb(struct cmd_env *env, char **argv, uint32_t domid,
                       bool detach)
{
    struct guard_usb g;
    int status = guard_usb_remove(env, domid, detach, &g);
    if (!status && !g.removed)
        status = cmd_hand_on_command(env, argv);
    else if (!status) {
        bool save = !strcmp(argv[0], "save");
        if (save)
            guard_usb_begin(env, &g);
        status = cmd_run_command(env, argv);
        if (save)
            guard_usb_end(env, &g);
        put_back_if_it_runs(env, &g);
    }
    guard_usb_free(&g);
    return status;
}

int cmd_guard(struct cmd_env *env, int argc, char **argv)
{
    const struct cmd *self = cmd_find(argv[0]);
    uint32_t domid;
    bool detach;
    if (argc > 1 && !strcmp(argv[1], "--help")) {
        cmd_print_help(env, self);
        return CMD_OK;
    }
    if (!take_usb_option(argv, &detach))
        return cmd_usage(env, self, "--usb takes =refuse or =detach");
    cmd_hint_options(env, self, argv + 1);
    char **operand = operands(argv);
    const char *domain = operand[0];
    if (domain && fill_first(env, argv[0], domain) != CMD_OK)
        return CMD_FAILED;
    if (domain && operand[1] && writes_a_file(argv[0]) &&
        spare_images(env, argv[0], operand[1]) != CMD_OK)
        return CMD_FAILED;
    /* The others have nothing to do with USB; elsewhere xl says what is wrong.
     */
    if (!domain || !self->options || !xlx_on_xen(env->ctx))
        return cmd_hand_on_command(env, argv);
    if (cmd_find_domain(env, domain, &domid))
        return CMD_FAILED;
    return without_usb(env, argv, domid, detach);
}

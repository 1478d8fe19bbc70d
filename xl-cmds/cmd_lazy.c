/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * lazy-list: how far the lazily restored guests are.
 */
#include <errno.h>
#include <stdlib.h>

#include "cmd.h"
#include "cmd_lazy.h"
#include "columns.h"
#include "lazy_rate.h"
#include "libxl_ext_lazy.h"
#include "live.h"

enum { OPT_LIST_JSON, OPT_LIST_WATCH };

const struct cmd_option cmd_lazy_list_options[] = {
    { "json", 'j', CMD_NO_ARG, NULL, "print all numbers as JSON" },
    { "watch", 'W', CMD_MAY_HAVE_ARG, "SECONDS",
      "follow changes, looking each second or so often" },
    { 0 }
};

const char cmd_lazy_list_details[] =
    "STATE is filling; paused (by lazy-set: only pages that the guest touches\n"
    "are loaded); stalled (the guest is paused, because reads of pages that\n"
    "it waits for fail, until they succeed); complete; or failed. WITHHELD\n"
    "and PRESENT are numbers of pages. Pages that cannot be read (PROBLEM) do\n"
    "no harm until the guest touches one.\n"
    "\n"
    "With --watch each guest has a bar, the rate at which its memory is\n"
    "loaded, and the time that this will take.\n"
    "\n"
    "Examples:\n"
    "  xl-ext lazy-list\n"
    "  xl-ext lazy-list --watch\n"
    "  xl-ext lazy-list --watch=5 >log\n";

struct listing {
    struct cmd_env *env;
    struct xlx_lazy_status *status;
    int nr;
    struct xlx_domain *domains; /* for their names */
    int nr_domains;
    bool incomplete; /* a status could not be read */
    bool json;
    /* While it is repeated. */
    const struct live *live; /* NULL: it is not */
    struct lazy_rates rates;
};

static bool read_statuses(struct listing *l, const uint32_t *domids, int nr)
{
    l->status = calloc((size_t)nr + 1, sizeof(*l->status));
    for (int i = 0; l->status && i < nr; i++) {
        int rc = xlx_lazy_status(l->env->ctx, domids[i], &l->status[l->nr],
                                 sizeof(l->status[l->nr]));
        l->nr += !rc;
        l->incomplete |= rc && rc != -ENOENT; /* it went meanwhile */
    }
    if (!l->status)
        fprintf(l->env->err, "error: no memory\n");
    return l->status;
}

/* Without names the list is as good: a status is read from a file. */
static bool look(struct listing *l)
{
    uint32_t *domids;
    int nr = xlx_lazy_list(l->env->ctx, &domids);
    if (nr < 0)
        return false;
    bool read = read_statuses(l, domids, nr);
    free(domids);
    if (read && l->nr)
        l->nr_domains =
            xlx_domain_list(l->env->ctx, &l->domains, sizeof(*l->domains));
    return read;
}

static void free_listing(struct listing *l)
{
    free(l->status);
    free(l->domains);
    l->status = NULL;
    l->domains = NULL;
    l->nr = l->nr_domains = 0;
}

/* --- text ----------------------------------------------------------------- */

enum { DOMID, NAME, STATE, DONE, WITHHELD, PRESENT, FAULTS, IMAGE, PROBLEM };
static const struct column heads[] = {
    { "DOMID", false }, { "NAME", false },    { "STATE", false },
    { "DONE", true },   { "WITHHELD", true }, { "PRESENT", true },
    { "FAULTS", true }, { "IMAGE", false },   { "PROBLEM", false },
    { NULL, false },
};

/* Up to STATE as above. */
enum {
    BAR = STATE + 1,
    LIVE_DONE,
    RATE,
    LEFT,
    LIVE_FAULTS,
    LIVE_IMAGE,
    LIVE_PROBLEM
};
static const struct column live_heads[] = {
    { "DOMID", false },   { "NAME", false },  { "STATE", false },
    { "PRESENT", false }, { "DONE", true },   { "RATE", true },
    { "LEFT", true },     { "FAULTS", true }, { "IMAGE", false },
    { "PROBLEM", false }, { NULL, false },
};

#define BAR_WIDTH 20

static const char *state_of(const struct xlx_lazy_status *s)
{
    if (s->state == XLX_LAZY_FILLING && s->paused)
        return "paused";
    return xlx_lazy_state_name(s->state);
}

static void put_name(struct columns *t, const struct listing *l, uint32_t domid)
{
    char name[4 * XLX_GUEST_NAME_MAX];
    for (int i = 0; i < l->nr_domains; i++)
        if (l->domains[i].domid == domid) {
            cmd_escape(l->domains[i].name, name);
            columns_put(t, NAME, "%s", name);
        }
}

static void put_row(struct columns *t, const struct listing *l,
                    const struct xlx_lazy_status *s)
{
    columns_row(t);
    columns_put(t, DOMID, "%u", s->domid);
    put_name(t, l, s->domid);
    columns_put(t, STATE, "%s", state_of(s));
}

static void put_numbers(struct columns *t, const struct xlx_lazy_status *s)
{
    columns_put(t, DONE, "%u%%", cmd_lazy_percent(s));
    columns_put(t, WITHHELD, "%lu", (unsigned long)s->held_back);
    columns_put(t, PRESENT, "%lu", (unsigned long)s->done);
    columns_put(t, FAULTS, "%lu", (unsigned long)s->faults);
}

static void put_progress(struct columns *t, const struct listing *l,
                         const struct xlx_lazy_status *s)
{
    char bar[BAR_WIDTH + 1];
    double rate = lazy_rate(&l->rates, s->domid);
    cmd_lazy_bar(s, bar, BAR_WIDTH);
    columns_put(t, BAR, "[%s]", bar);
    columns_put(t, LIVE_DONE, "%u%% of %lu MiB", cmd_lazy_percent(s),
                (unsigned long)(s->held_back * XLX_PAGE_SIZE >> 20));
    columns_put(t, LIVE_FAULTS, "%lu", (unsigned long)s->faults);
    if (s->state != XLX_LAZY_FILLING || rate <= 0 || s->done > s->held_back)
        return;
    unsigned long left =
        (unsigned long)((double)(s->held_back - s->done) / rate);
    columns_put(t, RATE, "%.1f MiB/s", rate * XLX_PAGE_SIZE / (1 << 20));
    columns_put(t, LEFT, "%lu:%02lu", left / 60, left % 60);
}

static void put_image(struct columns *t, const struct xlx_lazy_status *s,
                      unsigned at)
{
    char image[sizeof(s->image) * 4], reason[sizeof(s->reason) * 4];
    cmd_escape(s->image, image);
    cmd_escape(s->reason, reason);
    columns_put(t, at, "%s", image);
    columns_put(t, at + 1, "%s", reason);
}

static int print_table(const struct listing *l)
{
    struct columns *t = columns_new(l->live ? live_heads : heads);
    for (int i = 0; i < l->nr; i++) {
        const struct xlx_lazy_status *s = &l->status[i];
        put_row(t, l, s);
        if (l->live)
            put_progress(t, l, s);
        else
            put_numbers(t, s);
        put_image(t, s, l->live ? LIVE_IMAGE : IMAGE);
    }
    bool printed = columns_print(t, l->env->out, l->env->err, 0);
    columns_free(t);
    return printed ? CMD_OK : CMD_FAILED;
}

/* --- JSON ----------------------------------------------------------------- */

static int print_json(FILE *out, const struct xlx_lazy_status *list, int nr)
{
    fputs("[", out);
    for (int i = 0; i < nr; i++) {
        char *json = xlx_lazy_status_json(&list[i], sizeof(list[i]));
        if (!json)
            return CMD_FAILED;
        fprintf(out, "%s%s", i ? ",\n" : "", json);
        free(json);
    }
    fputs("]\n", out);
    return CMD_OK;
}

/* --- the command ---------------------------------------------------------- */

static int list_guests(void *user)
{
    struct listing *l = user;
    int status = CMD_FAILED;
    if (look(l)) {
        if (l->live)
            lazy_rates_update(&l->rates, l->status, (unsigned)l->nr,
                              l->live->now_ms);
        status = l->json ? print_json(l->env->out, l->status, l->nr)
                         : print_table(l);
    }
    free_listing(l);
    return l->incomplete ? CMD_FAILED : status;
}

int cmd_lazy_list(struct cmd_env *env, int argc, char **argv)
{
    const struct cmd *self = cmd_find("lazy-list");
    struct listing l = { .env = env };
    struct live live = { .env = env, .list = list_guests, .user = &l };
    struct cmd_opts opts;
    int status;
    if (!cmd_parse_alone(env, self, argc, argv, &opts, &status))
        return status;
    live.json = l.json = opts.set[OPT_LIST_JSON];
    if (!opts.set[OPT_LIST_WATCH])
        return list_guests(&l);
    l.live = &live;
    status = live_read(&live, self, opts.arg[OPT_LIST_WATCH]);
    return status ? status : live_run(&live);
}

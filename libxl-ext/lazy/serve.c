/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The pager at work: its fault thread is the caller's, beside it are the
 * control thread and those of the backfill.
 */
#include "lazy/control.h"
#include "lazy/lazy.h"
#include "lazy/working_set.h"

/* Ticks of the control thread between two statuses in xenstore. */
#define PUBLISH_TICKS 5

static char *tell_status(void *user)
{
    xlx_lazy *lazy = user;
    return xlx__reporter_json(lazy->reporter, lazy->pager);
}

static void pass_on_change(void *user, const struct xlx_lazy_change *what)
{
    xlx_lazy *lazy = user;
    xlx__log(lazy->ctx, XLX_LOG_INFO, "domain %u: command:%s%s%s%s%s",
             lazy->domid, what->set_bwlimit ? " limit the backfill" : "",
             what->fill == XLX_LAZY_FILL_PAUSE ? " pause it" : "",
             what->fill == XLX_LAZY_FILL_RESUME ? " resume it" : "",
             what->fill == XLX_LAZY_FILL_FINISH ? " finish it" : "",
             what->retry ? " retry" : "");
    xlx__pager_change(lazy->pager, what);
    xlx__pager_progress(lazy->pager);
}

static void tick(void *user)
{
    xlx_lazy *lazy = user;
    xlx__pager_progress(lazy->pager);
    if (lazy->ticks++ % PUBLISH_TICKS)
        return;
    xlx__throttle_set_fills(xlx__lazy_throttle(lazy),
                            xlx__control_count(lazy->ctx));
    xlx__reporter_publish(lazy->reporter, lazy->pager);
}

int xlx_lazy_serve(xlx_lazy *lazy)
{
    struct xlx__control *control;
    const struct xlx__control_user user = { pass_on_change, tell_status, tick,
                                            lazy, XLX__CLIENT_MS };
    /* Without it the guest is served all the same; the log says why. */
    if (xlx__control_start(lazy->ctx, lazy->domid, &user, &control))
        control = NULL;
    int rc = xlx__pager_run(lazy->pager);
    if (!rc)
        xlx__working_set_keep(lazy->ctx, lazy->image, lazy->sidecar_path,
                              xlx__pager_recorder(lazy->pager));
    xlx__control_stop(control);
    if (rc != -ESRCH)
        xlx__reporter_publish(lazy->reporter, lazy->pager);
    xlx__reporter_end(lazy->reporter);
    return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/trouble.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "lazy/loader.h"

/* Until a page that was kept aside is tried again. */
#define AGAIN_US (XLX__BACKOFF_LAST_MS * 1000)

struct xlx__trouble {
    struct xlx__guest *guest;
    struct xlx__pages *pages;
    pthread_mutex_t lock; /* of all below */
    struct xlx__bad bad;
    char text[160]; /* why the backfill makes no progress; else "" */
};

struct xlx__trouble *xlx__trouble_new(struct xlx__guest *guest)
{
    struct xlx__trouble *trouble = calloc(1, sizeof(*trouble));
    if (!trouble)
        return NULL;
    trouble->guest = guest;
    trouble->pages = xlx__shared_pages(guest->shared);
    pthread_mutex_init(&trouble->lock, NULL);
    return trouble;
}

void xlx__trouble_free(struct xlx__trouble *trouble)
{
    if (!trouble)
        return;
    xlx__bad_free(&trouble->bad);
    pthread_mutex_destroy(&trouble->lock);
    free(trouble);
}

void xlx__trouble_reset(struct xlx__trouble *trouble)
{
    *trouble = (struct xlx__trouble){ .guest = trouble->guest,
                                      .pages = trouble->pages };
    pthread_mutex_init(&trouble->lock, NULL);
}

/* --- pages kept aside ----------------------------------------------------- */

bool xlx__trouble_keep_aside(struct xlx__trouble *trouble, uint64_t gfn, int rc)
{
    uint64_t again = xlx__now_us() + AGAIN_US;
    pthread_mutex_lock(&trouble->lock);
    bool first = !trouble->bad.nr;
    bool kept = xlx__bad_add(&trouble->bad, gfn, rc, again);
    pthread_mutex_unlock(&trouble->lock);
    if (first && kept)
        xlx__warn(trouble->guest->ctx,
                  "domain %u: gfn 0x%lx: read of the save file: %s (it is "
                  "retried; all other pages are loaded)",
                  trouble->guest->paging->domid, (unsigned long)gfn,
                  xlx__loader_why(rc));
    return kept;
}

bool xlx__trouble_take(struct xlx__trouble *trouble,
                       struct xlx__gfn_range *run_r, bool *wait_r)
{
    uint64_t now = xlx__now_us();
    pthread_mutex_lock(&trouble->lock);
    bool taken = xlx__bad_take(&trouble->bad, trouble->pages, now,
                               now + AGAIN_US, run_r, wait_r);
    pthread_mutex_unlock(&trouble->lock);
    return taken;
}

void xlx__trouble_retry(struct xlx__trouble *trouble)
{
    pthread_mutex_lock(&trouble->lock);
    xlx__bad_retry(&trouble->bad);
    pthread_mutex_unlock(&trouble->lock);
}

void xlx__trouble_status(struct xlx__trouble *trouble,
                         struct xlx_lazy_status *status)
{
    size_t nr;
    pthread_mutex_lock(&trouble->lock);
    status->bad_pages = xlx__bad_list(&trouble->bad, trouble->pages,
                                      status->bad, XLX_LAZY_BAD_MAX, &nr);
    pthread_mutex_unlock(&trouble->lock);
    status->nr_bad = nr;
}

/* --- what there is to say ------------------------------------------------- */

void xlx__trouble_say(struct xlx__trouble *trouble, uint64_t gfn,
                      const char *what, int rc)
{
    pthread_mutex_lock(&trouble->lock);
    bool first = !*trouble->text;
    snprintf(trouble->text, sizeof(trouble->text), "gfn 0x%lx: %s: %s",
             (unsigned long)gfn, what, xlx__loader_why(rc));
    pthread_mutex_unlock(&trouble->lock);
    if (!first)
        return;
    xlx__warn(trouble->guest->ctx,
              "domain %u: the backfill makes no progress: gfn 0x%lx: %s: %s",
              trouble->guest->paging->domid, (unsigned long)gfn, what,
              xlx__loader_why(rc));
    xlx__guest_changed(trouble->guest);
}

void xlx__trouble_end(struct xlx__trouble *trouble)
{
    pthread_mutex_lock(&trouble->lock);
    *trouble->text = '\0';
    pthread_mutex_unlock(&trouble->lock);
}

bool xlx__trouble_text(struct xlx__trouble *trouble, char *text, size_t len)
{
    pthread_mutex_lock(&trouble->lock);
    bool some = *trouble->text;
    if (some)
        snprintf(text, len, "%s", trouble->text);
    pthread_mutex_unlock(&trouble->lock);
    return some;
}

bool xlx__trouble_bad_text(struct xlx__trouble *trouble, char *text, size_t len)
{
    struct xlx_image_range first;
    size_t nr;
    pthread_mutex_lock(&trouble->lock);
    uint64_t count =
        xlx__bad_list(&trouble->bad, trouble->pages, &first, 1, &nr);
    int err = trouble->bad.err;
    pthread_mutex_unlock(&trouble->lock);
    if (count)
        snprintf(text, len, "%lu page%s cannot be read, gfn 0x%lx%s: %s",
                 (unsigned long)count, count == 1 ? "" : "s",
                 (unsigned long)first.gfn, count == 1 ? "" : " the first",
                 xlx__loader_why(err));
    return count;
}

/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fast/load.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "fast/window.h"
#include "image/known_read.h"

/* What was tried, and at which gfn. */
struct failure {
    int rc; /* 0: nothing failed */
    const char *what;
    uint64_t gfn;
};

struct load {
    const struct xlx__fast_job *job;
    const struct xlx_image_run *runs;
    size_t nr_runs;
    pthread_mutex_t lock;
    /* Under the lock. */
    uint64_t next;          /* no window from here on is taken */
    struct failure failure; /* the first */
};

/* What one thread has. */
struct worker {
    struct load *load;
    struct xlx__fast_window window;
    uint64_t extent[XLX__FAST_WINDOW]; /* a list for Xen */
    struct failure failure;
};

static int failed(struct worker *w, int rc, const char *what, uint64_t gfn)
{
    w->failure = (struct failure){ rc, what, gfn };
    return rc;
}

/* --- memory --------------------------------------------------------------- */

static int populate(struct worker *w, size_t nr, unsigned order, size_t *done_r)
{
    struct xlx__physmap *physmap = w->load->job->physmap;
    return physmap->ops->populate(physmap, w->extent, nr, order, done_r);
}

static int populate_pages(struct worker *w, size_t nr)
{
    size_t done;
    int rc = nr ? populate(w, nr, 0, &done) : 0;
    return rc ? failed(w, rc, "memory for it", w->extent[done]) : 0;
}

/* By single pages. The list of blocks is the caller's again afterwards. */
static int populate_split(struct worker *w, uint64_t block)
{
    for (unsigned i = 0; i < XLX__PHYSMAP_PAGES_2M; i++)
        w->extent[i] = block + i;
    return populate_pages(w, XLX__PHYSMAP_PAGES_2M);
}

/* Lists the whole blocks of the window from number `skip` on, or all other
 * pages. Returns how many are in the list. */
static size_t list_blocks(struct worker *w, size_t skip)
{
    const struct xlx__fast_window *window = &w->window;
    size_t nr = 0, seen = 0;
    for (size_t i = 0; i < window->nr; i++)
        if (xlx__fast_block_at(window, i) && seen++ >= skip)
            w->extent[nr++] = window->gfn[i];
    return nr;
}

static size_t list_pages(struct worker *w)
{
    const struct xlx__fast_window *window = &w->window;
    size_t nr = 0;
    for (size_t i = 0; i < window->nr;) {
        if (xlx__fast_block_at(window, i))
            i += XLX__PHYSMAP_PAGES_2M;
        else
            w->extent[nr++] = window->gfn[i++];
    }
    return nr;
}

/* Memory is in pieces on a host that has run for long: a block for which Xen
 * has no 2 MiB in one piece is made of pages, and the next one is tried again.
 */
static int populate_blocks(struct worker *w)
{
    size_t nr, done, skip = 0;
    while ((nr = list_blocks(w, skip))) {
        int rc = populate(w, nr, XLX__PHYSMAP_ORDER_2M, &done);
        if (!rc)
            return 0;
        if (rc != -ENOMEM)
            return failed(w, rc, "memory for it", w->extent[done]);
        rc = populate_split(w, w->extent[done]);
        if (rc)
            return rc;
        skip += done + 1;
    }
    return 0;
}

/* --- content -------------------------------------------------------------- */

static int map(struct worker *w, char **at_r)
{
    struct xlx__physmap *physmap = w->load->job->physmap;
    size_t bad;
    void *at;
    int rc = physmap->ops->map(physmap, w->window.gfn, w->window.nr, &at, &bad);
    if (rc)
        return failed(w, rc, "map it", w->window.gfn[bad]);
    *at_r = at;
    return 0;
}

static int read_piece(struct worker *w, uint64_t gfn, size_t nr, char *to)
{
    const struct xlx__fast_job *job = w->load->job;
    uint64_t bad;
    int rc = xlx__image_read_known(job->image, job->index, gfn, nr, to, &bad);
    if (rc == -EILSEQ)
        return failed(w, -EBADMSG, "its checksum is wrong", bad);
    return rc ? failed(w, rc, "read the image from there on", bad) : 0;
}

static int read_window(struct worker *w, char *at)
{
    const struct xlx__fast_window *window = &w->window;
    int rc = 0;
    for (size_t i = 0, n; !rc && i < window->nr; i += n) {
        n = xlx__fast_piece_at(window, i);
        rc = read_piece(w, window->gfn[i], n, at + i * XLX_PAGE_SIZE);
    }
    return rc;
}

static int load_window(struct worker *w)
{
    char *at;
    int rc = populate_blocks(w);
    if (!rc)
        rc = populate_pages(w, list_pages(w));
    if (!rc)
        rc = map(w, &at);
    return rc ? rc : read_window(w, at);
}

/* --- threads -------------------------------------------------------------- */

static bool take_window(struct worker *w)
{
    struct load *load = w->load;
    pthread_mutex_lock(&load->lock);
    bool taken = !load->failure.rc &&
                 xlx__fast_window_next(load->runs, load->nr_runs, load->next,
                                       load->job->end, &w->window);
    if (taken)
        load->next = w->window.gfn[w->window.nr - 1] + 1;
    pthread_mutex_unlock(&load->lock);
    return taken;
}

/* All other threads stop at their next window. */
static void tell_failure(struct load *load, struct failure failure)
{
    pthread_mutex_lock(&load->lock);
    if (!load->failure.rc)
        load->failure = failure;
    pthread_mutex_unlock(&load->lock);
}

static void *work(void *arg)
{
    struct load *load = arg;
    struct worker *w = calloc(1, sizeof(*w));
    if (!w) {
        tell_failure(load, (struct failure){ -ENOMEM, "memory of our own",
                                             load->job->start });
        return NULL;
    }
    w->load = load;
    while (take_window(w))
        if (load_window(w))
            tell_failure(load, w->failure);
    free(w);
    return NULL;
}

/* Where the system has no more threads, fewer do it. */
static unsigned start_others(struct load *load, pthread_t *thread)
{
    unsigned n = 0;
    while (n + 1 < load->job->threads &&
           !pthread_create(&thread[n], NULL, work, load))
        n++;
    return n;
}

static int report(xlx_ctx *ctx, const struct load *load)
{
    const struct failure *f = &load->failure;
    const struct xlx__fast_job *job = load->job;
    if (!f->rc)
        return 0;
    if (f->rc == -EBADMSG)
        return xlx__fail(ctx, EBADMSG, "%s: gfn 0x%" PRIx64 ": %s",
                         xlx_image_name(job->image), f->gfn, f->what);
    return xlx__fail_errno(ctx, -f->rc, "domain %u: gfn 0x%" PRIx64 ": %s",
                           job->physmap->domid, f->gfn, f->what);
}

int xlx__fast_load(xlx_ctx *ctx, const struct xlx__fast_job *job)
{
    struct load load = { .job = job,
                         .next = job->start,
                         .lock = PTHREAD_MUTEX_INITIALIZER };
    XLX__AUTO_FREE pthread_t *thread = calloc(job->threads, sizeof(*thread));
    if (!thread)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory",
                         job->physmap->domid);
    load.runs = xlx_image_runs(job->image, &load.nr_runs);
    unsigned others = start_others(&load, thread);
    work(&load);
    while (others)
        pthread_join(thread[--others], NULL);
    return report(ctx, &load);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fast/load.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/clean.h"
#include "fast/window.h"
#include "image/known_read.h"

/* What is worked on. */
struct loader {
    xlx_ctx *ctx;
    const struct xlx__fast_job *job;
    struct xlx__fast_window window;
    uint64_t extent[XLX__FAST_WINDOW]; /* a list for Xen */
    char *buffer; /* BUFFER pages, where Xen loads them; NULL: by a mapping */
};

/* A 2 MiB block, which Xen takes from there as one. */
#define BUFFER XLX__PHYSMAP_PAGES_2M

static int fail_load(struct loader *l, int rc, const char *what, uint64_t gfn)
{
    return xlx__fail_errno(l->ctx, -rc, "domain %u: gfn 0x%" PRIx64 ": %s",
                           l->job->physmap->domid, gfn, what);
}

/* --- memory --------------------------------------------------------------- */

static int populate(struct loader *l, size_t nr, unsigned order, size_t *done_r)
{
    struct xlx__physmap *physmap = l->job->physmap;
    return physmap->ops->populate(physmap, l->extent, nr, order, done_r);
}

static int populate_pages(struct loader *l, size_t nr)
{
    size_t done;
    int rc = nr ? populate(l, nr, 0, &done) : 0;
    return rc ? fail_load(l, rc, "allocate memory for it", l->extent[done]) : 0;
}

/* By single pages. The list of blocks is the caller's again afterwards. */
static int populate_split(struct loader *l, uint64_t block)
{
    for (unsigned i = 0; i < XLX__PHYSMAP_PAGES_2M; i++)
        l->extent[i] = block + i;
    return populate_pages(l, XLX__PHYSMAP_PAGES_2M);
}

/* Lists the whole blocks of the window from number `skip` on, or all other
 * pages. Returns how many are in the list. */
static size_t list_blocks(struct loader *l, size_t skip)
{
    const struct xlx__fast_window *window = &l->window;
    size_t nr = 0, seen = 0;
    for (size_t i = 0; i < window->nr; i++)
        if (xlx__fast_block_at(window, i) && seen++ >= skip)
            l->extent[nr++] = window->gfn[i];
    return nr;
}

static size_t list_pages(struct loader *l)
{
    const struct xlx__fast_window *window = &l->window;
    size_t nr = 0;
    for (size_t i = 0; i < window->nr;) {
        if (xlx__fast_block_at(window, i))
            i += XLX__PHYSMAP_PAGES_2M;
        else
            l->extent[nr++] = window->gfn[i++];
    }
    return nr;
}

/* Memory is in pieces on a host that has run for long: a block for which Xen
 * has no 2 MiB in one piece is made of pages, and the next one is tried again.
 */
static int populate_blocks(struct loader *l)
{
    size_t nr, done, skip = 0;
    while ((nr = list_blocks(l, skip))) {
        int rc = populate(l, nr, XLX__PHYSMAP_ORDER_2M, &done);
        if (!rc)
            return 0;
        if (rc != -ENOMEM)
            return fail_load(l, rc, "allocate memory for it", l->extent[done]);
        rc = populate_split(l, l->extent[done]);
        if (rc)
            return rc;
        skip += done + 1;
    }
    return 0;
}

/* --- content -------------------------------------------------------------- */

static int map(struct loader *l, char **at_r)
{
    struct xlx__physmap *physmap = l->job->physmap;
    size_t bad;
    void *at;
    int rc = physmap->ops->map(physmap, l->window.gfn, l->window.nr, &at, &bad);
    if (rc)
        return fail_load(l, rc, "map it", l->window.gfn[bad]);
    *at_r = at;
    return 0;
}

static int read_piece(struct loader *l, uint64_t gfn, size_t nr, char *to)
{
    const struct xlx__fast_job *job = l->job;
    uint64_t bad;
    int rc = xlx__image_read_known(job->image, job->sidecar, gfn, nr, to, &bad);
    if (rc == -EILSEQ)
        return xlx__fail(l->ctx, EBADMSG,
                         "%s: gfn 0x%" PRIx64 ": its checksum is wrong",
                         xlx_image_name(job->image), bad);
    return rc ? fail_load(l, rc, "read the save file from this page on", bad)
              : 0;
}

static int read_window(struct loader *l, char *at)
{
    const struct xlx__fast_window *window = &l->window;
    int rc = 0;
    for (size_t i = 0, n; !rc && i < window->nr; i += n) {
        n = xlx__fast_piece_at(window, i);
        rc = read_piece(l, window->gfn[i], n, at + i * XLX_PAGE_SIZE);
    }
    return rc;
}

/* By a mapping, as any Xen has it. */
static int fill_window(struct loader *l)
{
    char *at = NULL;
    int rc = populate_blocks(l);
    if (!rc)
        rc = populate_pages(l, list_pages(l));
    if (!rc)
        rc = map(l, &at);
    return rc ? rc : read_window(l, at);
}

/* --- memory and content in one call --------------------------------------- */

/* Up to the end of a 2 MiB block at most. */
static int load_piece(struct loader *l, uint64_t gfn, uint32_t nr)
{
    struct xlx__physmap *physmap = l->job->physmap;
    bool zeros = xlx__image_known_zeros(l->job->sidecar, gfn, nr);
    uint32_t done;
    int rc = zeros ? 0 : read_piece(l, gfn, nr, l->buffer);
    if (rc)
        return rc;
    rc = physmap->ops->load(physmap, gfn, nr, zeros ? NULL : l->buffer, &done);
    if (!rc)
        return 0;
    const char *what = rc == -ENOMEM ? "allocate memory for it" : "load it";
    return fail_load(l, rc, what, gfn + done);
}

static int load_pieces(struct loader *l)
{
    const struct xlx__fast_window *window = &l->window;
    int rc = 0;
    for (size_t i = 0, n; !rc && i < window->nr; i += n) {
        size_t left = BUFFER - window->gfn[i] % BUFFER;
        n = xlx__fast_piece_at(window, i);
        if (n > left)
            n = left;
        rc = load_piece(l, window->gfn[i], (uint32_t)n);
    }
    return rc;
}

/* --- all ------------------------------------------------------------------ */

static int load_windows(struct loader *l)
{
    const struct xlx__fast_job *job = l->job;
    uint64_t next = job->start;
    size_t nr_runs;
    const struct xlx_image_run *runs = xlx_image_runs(job->image, &nr_runs);
    int rc = 0;
    while (!rc &&
           xlx__fast_window_next(runs, nr_runs, next, job->end, &l->window)) {
        next = l->window.gfn[l->window.nr - 1] + 1;
        rc = l->buffer ? load_pieces(l) : fill_window(l);
    }
    return rc;
}

int xlx__fast_load(xlx_ctx *ctx, const struct xlx__fast_job *job)
{
    XLX__AUTO_FREE struct loader *l = calloc(1, sizeof(*l));
    if (!l)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory",
                         job->physmap->domid);
    l->ctx = ctx;
    l->job = job;
    /* Without memory for it, by a mapping. */
    if (job->physmap->can_load)
        l->buffer = job->physmap->ops->buffer_alloc(job->physmap, BUFFER);
    int rc = load_windows(l);
    if (l->buffer)
        job->physmap->ops->buffer_free(job->physmap, l->buffer, BUFFER);
    return rc;
}

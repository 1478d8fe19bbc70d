/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A pager with an image and a fake domain, for tests: two whole 2 MiB blocks
 * and a bit, and a block of its own further up.
 */
#ifndef PAGER_WORLD_H
#define PAGER_WORLD_H

#include "fakes/image_build.h"
#include "fakes/paging_fake.h"
#include "lazy/pager.h"

#define LOW_PAGES 1200u
#define HIGH_GFN 2000u
#define HIGH_PAGES 100u
#define NR_GFNS (HIGH_GFN + HIGH_PAGES)
#define HELD (LOW_PAGES + HIGH_PAGES - 10)

struct world {
    xlx_ctx *ctx;
    int fd;
    xlx_image *image;
    xlx_sidecar *sidecar; /* NULL: none */
    struct paging_fake *fake;
    struct xlx__pager *pager;
    /* What report() saw. */
    pthread_mutex_t lock;
    int seen[XLX_LAZY_FAILED + 1];
    char reason[256];
};

/* cmocka's setup and teardown of a struct world. */
int pager_world_setup(void **state);
int pager_world_teardown(void **state);

/* How often that state was reported. */
int pager_world_seen(struct world *w, enum xlx_lazy_state state);

/* Pages that are present or given away. */
uint64_t pager_world_done(const struct world *w);

uint64_t pager_world_counter(const struct world *w, enum xlx__counter counter);

/* What was recorded, as xlx__recorder_runs(). */
int pager_world_runs(const struct world *w, struct xlx__gfn_range **runs_r,
                     size_t *nr_r);

bool was_held_back(uint64_t gfn);
bool is_as_in_image(struct world *w, uint64_t gfn);

/* Has the pager hold what it reads against checksums of the image as it is. */
void pager_world_use_checksums(struct world *w);

/* Makes a page of the image another than it was; the same as it was. */
void pager_world_spoil(struct world *w, uint64_t gfn);
void pager_world_mend(struct world *w, uint64_t gfn);
/* Makes it all zeros. */
void pager_world_zero(struct world *w, uint64_t gfn);

#endif

/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/loader.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "image/known_read.h"

struct xlx__loader {
    struct xlx__guest *guest;
    const xlx_image *image;
    const xlx_sidecar *sidecar; /* zeros, checksums; NULL: none known */
    struct xlx__pages *pages;
    struct xlx__stalls *stalls; /* owned */
    unsigned patience_ms;
    pthread_mutex_t lock;
    pthread_cond_t settled; /* a claimed run was settled or released */
};

static void init_locks(struct xlx__loader *loader)
{
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->settled, NULL);
}

struct xlx__loader *xlx__loader_new(struct xlx__guest *guest,
                                    const xlx_image *image)
{
    struct xlx__loader *loader = calloc(1, sizeof(*loader));
    if (!loader)
        return NULL;
    loader->guest = guest;
    loader->image = image;
    loader->pages = xlx__shared_pages(guest->shared);
    loader->patience_ms = XLX__PATIENCE_MS;
    init_locks(loader);
    loader->stalls = xlx__stalls_new(guest);
    if (loader->stalls)
        return loader;
    xlx__loader_free(loader);
    return NULL;
}

void xlx__loader_free(struct xlx__loader *loader)
{
    if (!loader)
        return;
    xlx__stalls_free(loader->stalls);
    pthread_cond_destroy(&loader->settled);
    pthread_mutex_destroy(&loader->lock);
    free(loader);
}

void xlx__loader_reset(struct xlx__loader *loader)
{
    init_locks(loader);
    xlx__stalls_reset(loader->stalls);
}

void xlx__loader_set_sidecar(struct xlx__loader *loader,
                             const xlx_sidecar *sidecar)
{
    loader->sidecar = sidecar;
}

void xlx__loader_set_patience(struct xlx__loader *loader, unsigned ms)
{
    loader->patience_ms = ms;
}

unsigned xlx__loader_patience(const struct xlx__loader *loader)
{
    return loader->patience_ms;
}

struct xlx__stalls *xlx__loader_stalls(const struct xlx__loader *loader)
{
    return loader->stalls;
}

/* --- reading -------------------------------------------------------------- */

static int read_pages(struct xlx__loader *loader, uint64_t gfn, uint32_t nr,
                      void *buffer)
{
    uint64_t bad;
    int rc = xlx__image_read_known(loader->image, loader->sidecar, gfn, nr,
                                   buffer, &bad);
    return rc == -EILSEQ ? -EBADMSG : rc;
}

int xlx__loader_read(struct xlx__loader *loader, uint64_t gfn, uint32_t nr,
                     void *buffer)
{
    struct xlx__load_slot load;
    xlx__stalls_enter(loader->stalls, &load, false);
    xlx__stalls_begin(loader->stalls, &load, gfn);
    int rc = read_pages(loader, gfn, nr, buffer);
    xlx__stalls_leave(loader->stalls, &load);
    return rc;
}

bool xlx__loader_is_zero(const struct xlx__loader *loader, uint64_t gfn,
                         uint32_t nr)
{
    uint64_t end = gfn + nr;
    while (gfn < end) {
        struct xlx_image_range zero;
        if (!loader->sidecar ||
            !xlx_sidecar_next_zero(loader->sidecar, gfn, &zero) ||
            zero.gfn > gfn)
            return false;
        gfn = zero.gfn + zero.nr;
    }
    return true;
}

const char *xlx__loader_why(int rc)
{
    return rc == -EBADMSG ? "its checksum is wrong" : strerror(-rc);
}

/* --- loading -------------------------------------------------------------- */

/*
 * One attempt. *what_r names the side that failed; *is_read tells what is in
 * the buffer already.
 */
static int try_load(struct xlx__loader *loader, uint64_t gfn, void *buffer,
                    bool *is_read, const char **what_r)
{
    *what_r = "read of the save file";
    int rc = *is_read ? 0 : read_pages(loader, gfn, 1, buffer);
    if (rc == -EBADMSG)
        *what_r = "wrong checksum of the page in the save file";
    if (rc)
        return rc;
    *is_read = true;
    *what_r = "load into the guest";
    return loader->guest->paging->ops->load_run(loader->guest->paging, gfn, 1,
                                                buffer);
}

static bool load_until_it_works(struct xlx__loader *loader, uint64_t gfn,
                                void *buffer, struct xlx__load_slot *load)
{
    uint64_t start = 0;
    unsigned backoff = XLX__BACKOFF_FIRST_MS;
    bool is_read = false;
    const char *what;

    for (;;) {
        xlx__stalls_begin(loader->stalls, load, gfn);
        int rc = try_load(loader, gfn, buffer, &is_read, &what);
        if (!rc)
            return true;
        if (xlx__guest_gone(loader->guest))
            return false;
        xlx__shared_count(loader->guest->shared, XLX__RETRIES, 1);
        if (!start)
            start = xlx__now_us();
        if (xlx__now_us() - start >= (uint64_t)loader->patience_ms * 1000)
            xlx__stalls_stall(loader->stalls, load, what, xlx__loader_why(rc));
        xlx__guest_back_off(loader->guest, &backoff);
    }
}

static void end_load(struct xlx__loader *loader, uint64_t gfn, uint32_t nr,
                     bool loaded)
{
    if (loaded)
        xlx__pages_settle(loader->pages, gfn, nr);
    else
        xlx__pages_release(loader->pages, gfn, nr);
    pthread_mutex_lock(&loader->lock);
    pthread_cond_broadcast(&loader->settled);
    pthread_mutex_unlock(&loader->lock);
}

/* Of the claimed page `gfn`, which it settles or, without a domain, releases.
 */
static bool load_claimed(struct xlx__loader *loader, uint64_t gfn, void *buffer)
{
    struct xlx__load_slot load;
    xlx__stalls_enter(loader->stalls, &load, true);
    bool loaded = load_until_it_works(loader, gfn, buffer, &load);
    xlx__stalls_leave(loader->stalls, &load);
    end_load(loader, gfn, 1, loaded);
    return loaded;
}

static void wait_for_loader(struct xlx__loader *loader, uint64_t gfn)
{
    pthread_mutex_lock(&loader->lock);
    while (xlx__pages_state(loader->pages, gfn) == XLX__PAGE_LOADING)
        pthread_cond_wait(&loader->settled, &loader->lock);
    pthread_mutex_unlock(&loader->lock);
}

bool xlx__loader_bring(struct xlx__loader *loader, uint64_t gfn, void *buffer)
{
    while (!xlx__guest_stopped(loader->guest)) {
        switch (xlx__pages_claim(loader->pages, gfn)) {
        case XLX__PAGE_ABSENT:
            if (!load_claimed(loader, gfn, buffer))
                return false;
            xlx__shared_count(loader->guest->shared, XLX__FAULT_PAGES, 1);
            return true;
        case XLX__PAGE_LOADING:
            wait_for_loader(loader, gfn);
            break;
        default:
            return true;
        }
    }
    return false;
}

int xlx__loader_load(struct xlx__loader *loader, uint64_t gfn, uint32_t nr,
                     const void *buffer)
{
    struct xlx__load_slot load;
    xlx__stalls_enter(loader->stalls, &load, true);
    xlx__stalls_begin(loader->stalls, &load, gfn);
    int rc = loader->guest->paging->ops->load_run(loader->guest->paging, gfn,
                                                  nr, buffer);
    xlx__stalls_leave(loader->stalls, &load);
    end_load(loader, gfn, nr, !rc);
    return rc;
}

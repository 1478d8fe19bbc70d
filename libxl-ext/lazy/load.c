/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * One load: image to guest, and what is done when it fails.
 */
#include <string.h>

#include "lazy/pager.h"

/* Pages that are not known to be zeros. */
static int read_and_check(struct xlx__pager *pager, uint64_t gfn, uint32_t nr,
                          void *buffer)
{
    uint64_t bad;
    int rc = xlx_image_read(pager->image, gfn, nr, buffer);
    if (rc || !pager->index)
        return rc;
    /* A sidecar that cannot be read is no reason to hold a good page back. */
    rc = xlx_image_index_check(pager->index, gfn, nr, buffer, &bad);
    return rc == -EILSEQ ? -EBADMSG : 0;
}

static int read_all(struct xlx__pager *pager, uint64_t gfn, uint32_t nr,
                    void *buffer)
{
    char *to = buffer;
    uint64_t end = gfn + nr;
    while (gfn < end) {
        struct xlx_image_range zero = { end, 0 };
        if (!pager->index ||
            !xlx_image_index_next_zero(pager->index, gfn, &zero) ||
            zero.gfn > end)
            zero.gfn = end;
        uint64_t n = zero.gfn - gfn;
        if (n) {
            int rc = read_and_check(pager, gfn, (uint32_t)n, to);
            if (rc)
                return rc;
        } else {
            n = zero.nr < end - gfn ? zero.nr : end - gfn;
            memset(to, 0, n * XLX_PAGE_SIZE);
        }
        gfn += n;
        to += n * XLX_PAGE_SIZE;
    }
    return 0;
}

int xlx__pager_read(struct xlx__pager *pager, uint64_t gfn, uint32_t nr,
                    void *buffer)
{
    struct xlx__loading *loading = xlx__loading_enter(pager, false);
    xlx__loading_begin(pager, loading, gfn);
    int rc = read_all(pager, gfn, nr, buffer);
    xlx__loading_leave(pager, loading);
    return rc;
}

const char *xlx__pager_why(int rc)
{
    return rc == -EBADMSG ? "its checksum is wrong" : strerror(-rc);
}

/*
 * One attempt. *what_r names the side that failed; *is_read tells what is in the
 * buffer already.
 */
static int try_load(struct xlx__pager *pager, uint64_t gfn, void *buffer,
                    bool *is_read, const char **what_r)
{
    *what_r = "read of the image";
    int rc = *is_read ? 0 : read_all(pager, gfn, 1, buffer);
    if (rc == -EBADMSG)
        *what_r = "wrong checksum of the page in the image";
    if (rc)
        return rc;
    *is_read = true;
    *what_r = "load into the guest";
    return pager->guest.paging->ops->load_run(pager->guest.paging, gfn, 1, buffer);
}

static bool load_until_it_works(struct xlx__pager *pager, uint64_t gfn,
                                void *buffer, struct xlx__loading *loading)
{
    uint64_t start = 0;
    unsigned backoff = XLX__BACKOFF_FIRST_MS;
    bool is_read = false;
    const char *what;

    for (;;) {
        xlx__loading_begin(pager, loading, gfn);
        int rc = try_load(pager, gfn, buffer, &is_read, &what);
        if (!rc)
            return true;
        if (xlx__guest_gone(&pager->guest))
            return false;
        xlx__shared_count(pager->guest.shared, XLX__RETRIES, 1);
        if (!start)
            start = xlx__now_us();
        if (xlx__now_us() - start >= (uint64_t)pager->patience_ms * 1000)
            xlx__loading_stall(pager, loading, gfn, what, xlx__pager_why(rc));
        xlx__guest_back_off(&pager->guest, &backoff);
    }
}

static void end_load(struct xlx__pager *pager, uint64_t gfn, uint32_t nr,
                     bool loaded)
{
    if (loaded)
        xlx__pages_settle(pager->pages, gfn, nr);
    else
        xlx__pages_release(pager->pages, gfn, nr);
    pthread_mutex_lock(&pager->lock);
    pthread_cond_broadcast(&pager->settled);
    pthread_mutex_unlock(&pager->lock);
}

bool xlx__pager_load(struct xlx__pager *pager, uint64_t gfn, void *buffer)
{
    struct xlx__loading *loading = xlx__loading_enter(pager, true);
    bool loaded = load_until_it_works(pager, gfn, buffer, loading);
    xlx__loading_leave(pager, loading);
    end_load(pager, gfn, 1, loaded);
    return loaded;
}

int xlx__pager_try_load(struct xlx__pager *pager, uint64_t gfn, uint32_t nr,
                        const void *buffer)
{
    struct xlx__loading *loading = xlx__loading_enter(pager, true);
    xlx__loading_begin(pager, loading, gfn);
    int rc = pager->guest.paging->ops->load_run(pager->guest.paging, gfn, nr, buffer);
    xlx__loading_leave(pager, loading);
    end_load(pager, gfn, nr, !rc);
    return rc;
}

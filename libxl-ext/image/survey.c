/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What is in the pages of an image: zeros, the same more than once, and whether
 * it is what the sidecar says.
 */
#include <stdlib.h>

#include "core/array.h"
#include "core/clean.h"
#include "image/walk.h"

/* --- survey --------------------------------------------------------------- */

struct survey {
    uint64_t *hash; /* of the pages that are not zeros */
    uint64_t nr;
    struct xlx_image_survey found;
};

static int survey_pages(void *arg, uint64_t gfn, size_t nr,
                        const unsigned char *bytes)
{
    struct survey *survey = arg;
    (void)gfn;
    for (size_t i = 0; i < nr; i++) {
        const unsigned char *page = bytes + i * XLX_PAGE_SIZE;
        if (xlx__page_is_zero(page))
            survey->found.zero_pages++;
        else
            survey->hash[survey->nr++] = xlx__sum(page, XLX_PAGE_SIZE);
    }
    return 0;
}

static int by_hash(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

int xlx_image_survey(xlx_ctx *ctx, const xlx_image *image,
                     xlx_image_progress_fn *progress, void *user,
                     struct xlx_image_survey *survey_r, size_t size)
{
    XLX__AUTO_FREE uint64_t *hash =
        calloc(image->info.pages + 1, sizeof(*hash));
    struct survey survey = { .hash = hash };
    const struct xlx__walk walk = { .ctx = ctx,
                                    .image = image,
                                    .progress = progress,
                                    .progress_user = user,
                                    .pages = survey_pages,
                                    .arg = &survey };
    if (!hash)
        return xlx__fail(ctx, ENOMEM, "%s: no memory", image->name);
    int rc = xlx__walk_pages(&walk);
    if (rc)
        return rc;
    qsort(hash, survey.nr, sizeof(*hash), by_hash);
    for (uint64_t i = 1; i < survey.nr; i++)
        survey.found.duplicate_pages += hash[i] == hash[i - 1];
    xlx__copy_sized(survey_r, size, &survey.found, sizeof(survey.found));
    return 0;
}

/* --- verify --------------------------------------------------------------- */

struct verify {
    const xlx_sidecar *sidecar;
    xlx_image_bad_fn *bad;
    void *user;
    uint64_t nr_bad;
};

static int note_bad(void *arg, uint64_t gfn, int rc)
{
    struct verify *verify = arg;
    verify->nr_bad++;
    if (verify->bad)
        verify->bad(verify->user, gfn, rc);
    return 0;
}

static int verify_pages(void *arg, uint64_t gfn, size_t nr,
                        const unsigned char *bytes)
{
    struct verify *verify = arg;
    while (verify->sidecar && nr) {
        uint64_t wrong;
        int rc = xlx_sidecar_check(verify->sidecar, gfn, nr, bytes, &wrong);
        if (rc != -EILSEQ)
            return rc;
        note_bad(verify, wrong, rc);
        uint64_t done = wrong + 1 - gfn;
        gfn += done;
        nr -= done;
        bytes += done * XLX_PAGE_SIZE;
    }
    return 0;
}

int xlx_image_verify(xlx_ctx *ctx, const xlx_image *image,
                     const xlx_sidecar *sidecar,
                     xlx_image_progress_fn *progress, xlx_image_bad_fn *bad,
                     void *user)
{
    struct verify verify = { .sidecar = sidecar, .bad = bad, .user = user };
    const struct xlx__walk walk = { .ctx = ctx,
                                    .image = image,
                                    .progress = progress,
                                    .progress_user = user,
                                    .pages = verify_pages,
                                    .unreadable = note_bad,
                                    .arg = &verify };
    int rc = xlx__walk_pages(&walk);
    if (rc && rc != -ECANCELED && rc != -ENOMEM)
        return xlx__fail_errno(ctx, -rc, "%s: its sidecar cannot be read",
                               image->name);
    if (rc || !verify.nr_bad)
        return rc;
    return xlx__fail(ctx, EILSEQ,
                     "%s: %" PRIu64 " of %" PRIu64
                     " pages are not what they were",
                     image->name, verify.nr_bad, image->info.pages);
}

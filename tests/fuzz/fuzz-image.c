/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Any bytes as a save file: they are refused with a text, or what is found in
 * them holds together. libFuzzer's entry; tests/unit/test-image-mutations.c
 * runs it on changed images without libFuzzer.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/format.h"
#include "image/resident.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                     \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

static const struct xlx__gfn_range everything = { 0, FMT_GFN_LIMIT };

static void check_runs(const xlx_image *image)
{
    const struct xlx_image_info *info = xlx_image_info(image);
    uint64_t pages = 0, next = 0;
    size_t nr;
    const struct xlx_image_run *run = xlx_image_runs(image, &nr);
    for (size_t i = 0; i < nr; i++) {
        MUST(run[i].nr && run[i].gfn >= next);
        next = run[i].gfn + run[i].nr;
        pages += run[i].nr;
        MUST(run[i].offset > info->libxc_start);
        MUST(run[i].offset + run[i].nr * XLX_PAGE_SIZE < info->libxc_end);
    }
    MUST(next <= FMT_GFN_LIMIT && pages == info->pages);
    MUST(info->max_gfn == (nr ? next - 1 : 0));
}

/* Every run can be read, and what is beside it cannot. */
static void check_reads(const xlx_image *image)
{
    char page[2 * XLX_PAGE_SIZE];
    size_t nr;
    const struct xlx_image_run *run = xlx_image_runs(image, &nr);
    for (size_t i = 0; i < nr; i++) {
        uint64_t last = run[i].gfn + run[i].nr - 1;
        bool more = i + 1 < nr && run[i + 1].gfn == last + 1;
        MUST(!xlx_image_read(image, run[i].gfn, 1, page));
        MUST(!xlx_image_read(image, last, 1, page));
        MUST(xlx_image_read(image, last, 2, page) == (more ? 0 : -ENOENT));
    }
}

static void check_same_pages(const xlx_image *a, const xlx_image *b)
{
    char page_a[XLX_PAGE_SIZE], page_b[XLX_PAGE_SIZE];
    size_t nr;
    const struct xlx_image_run *run = xlx_image_runs(a, &nr);
    MUST(xlx_image_info(a)->pages == xlx_image_info(b)->pages);
    for (size_t i = 0; i < nr; i++) {
        for (uint64_t k = 0; k < run[i].nr; k++) {
            MUST(!xlx_image_read(a, run[i].gfn + k, 1, page_a));
            MUST(!xlx_image_read(b, run[i].gfn + k, 1, page_b));
            MUST(!memcmp(page_a, page_b, XLX_PAGE_SIZE));
        }
    }
}

/* The thinned stream opens, and has the pages that are resident. */
static void check_thin(xlx_ctx *ctx, const xlx_image *image,
                       const struct xlx__gfn_range *resident, size_t nr)
{
    uint64_t written;
    xlx_image *thinned;
    int out = memfd_create("thinned", MFD_CLOEXEC);
    MUST(out >= 0);
    MUST(!xlx__image_thin(ctx, image, resident, nr, out, &written));
    MUST(!xlx_image_open_fd(ctx, out, 0, "thinned", &thinned));
    check_runs(thinned);
    MUST(xlx_image_info(thinned)->pages <= written);
    if (resident == &everything)
        check_same_pages(image, thinned);
    xlx_image_close(thinned);
    close(out);
}

static void check_image(xlx_ctx *ctx, xlx_image *image)
{
    struct xlx__gfn_range *resident;
    size_t nr;
    check_runs(image);
    check_reads(image);
    MUST(!xlx__image_resident(ctx, image, &resident, &nr));
    for (size_t i = 0; i < nr; i++) {
        MUST(resident[i].start < resident[i].end);
        MUST(!i || resident[i - 1].end < resident[i].start);
        MUST(xlx__gfn_in(resident, nr, resident[i].start));
        MUST(!xlx__gfn_in(resident, nr, resident[i].end));
    }
    if (xlx_image_info(image)->guest == XLX_IMAGE_HVM) {
        check_thin(ctx, image, resident, nr);
        check_thin(ctx, image, &everything, 1);
    }
    free(resident);
    xlx_image_close(image);
}

static void check_refusal(const xlx_ctx *ctx)
{
    MUST(*xlx_ctx_error(ctx) && !strchr(xlx_ctx_error(ctx), '\n'));
}

static void try_file(int fd)
{
    xlx_ctx *ctx;
    xlx_image *image;
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    MUST(!xlx_ctx_new(&ctx));
    if (!xlx_image_open(ctx, path, &image))
        check_image(ctx, image);
    else
        check_refusal(ctx);
    /* So that libxc's stream need not be found behind the outer layers. */
    if (!xlx_image_open_fd(ctx, fd, 0, "stream", &image))
        check_image(ctx, image);
    else
        check_refusal(ctx);
    xlx_ctx_free(ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    try_file(fd);
    close(fd);
    return 0;
}

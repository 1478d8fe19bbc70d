/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How long an image takes to be opened, and its thinned stream to be made.
 *
 *   index FILE         an image that is there
 *   index DIR GiB...   images of guests of these sizes, made in DIR as `xl
 * save` writes them, but their pages are holes of the file
 *
 * The first open reads from the disk, the others from the page cache.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/io.h"
#include "fakes/image_build.h"
#include "image/resident.h"

#define ROUNDS 9

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "index: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void put_built(int fd, struct image_build *b)
{
    must(!xlx__write_all(fd, b->bytes, b->len), "write");
    build_reset(b);
}

/* The head of a full record; its pages are a hole. */
static void put_batch(int fd, uint64_t gfn)
{
    static uint64_t pfns[FMT_PAGE_BATCH];
    struct fmt_page_data data = { .count = FMT_PAGE_BATCH };
    struct fmt_record head = { FMT_PAGE_DATA, sizeof(data) + sizeof(pfns) +
                                                  sizeof(pfns) / 8 * 4096 };
    for (size_t i = 0; i < FMT_PAGE_BATCH; i++)
        pfns[i] = gfn + i;
    must(!xlx__write_all(fd, &head, sizeof(head)), "write");
    must(!xlx__write_all(fd, &data, sizeof(data)), "write");
    must(!xlx__write_all(fd, pfns, sizeof(pfns)), "write");
    must(lseek(fd, FMT_PAGE_BATCH * 4096L, SEEK_CUR) > 0, "lseek");
}

/* Guests have their special pages, and little else, below 4 GiB. */
#define HOLE_START 0xf0000
#define HOLE_END 0x100000

static void make_image(const char *path, uint64_t gib)
{
    struct image_build b = { 0 };
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    must(fd >= 0, path);
    build_start(&b, 3, FMT_GUEST_HVM);
    put_built(fd, &b);
    for (uint64_t page = 0; page < gib << 18; page += FMT_PAGE_BATCH)
        put_batch(fd, page < HOLE_START ? page : page + HOLE_END - HOLE_START);
    build_finish(&b);
    put_built(fd, &b);
    build_free(&b);
    close(fd);
}

static void drop_from_cache(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0 && !fsync(fd), path);
    must(!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), "fadvise");
    close(fd);
}

static void thin(xlx_ctx *ctx, const xlx_image *image)
{
    struct xlx__gfn_range *ranges;
    uint64_t pages;
    size_t nr;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    must(!xlx__image_resident(ctx, image, &ranges, &nr), "resident");
    must(!xlx__image_thin(ctx, image, ranges, nr, null, &pages), "thin");
    free(ranges);
    close(null);
}

static double median(double *ms)
{
    qsort(ms, ROUNDS, sizeof(*ms), by_value);
    return ms[ROUNDS / 2];
}

static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void open_image(xlx_ctx *ctx, const char *path, xlx_image **image)
{
    if (!xlx_image_open(ctx, path, image))
        return;
    fprintf(stderr, "index: %s\n", xlx_ctx_error(ctx));
    exit(1);
}

static void measure(const char *path)
{
    double opening[ROUNDS], thinning[ROUNDS], cold = 0;
    size_t memory = 0, runs = 0;
    uint64_t pages = 0;
    xlx_ctx *ctx;
    must(!xlx_ctx_new(&ctx), "context");
    drop_from_cache(path);
    for (int i = -1; i < ROUNDS; i++) {
        xlx_image *image;
        size_t before = allocated();
        double start = now_ms(), opened;
        open_image(ctx, path, &image);
        opened = now_ms();
        memory = allocated() - before;
        pages = xlx_image_info(image)->pages;
        xlx_image_runs(image, &runs);
        thin(ctx, image);
        if (i < 0)
            cold = opened - start;
        else {
            opening[i] = opened - start;
            thinning[i] = now_ms() - opened;
        }
        xlx_image_close(image);
    }
    xlx_ctx_free(ctx);
    double warm = median(opening);
    printf("%6.2f GiB: open %.1f ms (%.1f ns a page), cold %.1f ms; thin %.1f "
           "ms; %zu runs, %zu KiB\n",
           (double)pages / (1 << 18), warm, warm * 1e6 / (double)(pages + 1),
           cold, median(thinning), runs, memory >> 10);
}

int main(int argc, char **argv)
{
    if (argc == 2)
        measure(argv[1]);
    for (int i = 2; i < argc; i++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/bench-image", argv[1]);
        make_image(path, strtoull(argv[i], NULL, 10));
        measure(path);
        unlink(path);
    }
    return argc < 2;
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a sidecar costs and saves when a guest is filled, without Xen: 2 MiB
 * after 2 MiB is read and checked as the backfill does it, and loaded by a call
 * that does nothing.
 *
 *   sidecar MIB DIR          all layouts, without and with a sidecar
 *   sidecar MIB DIR LAYOUT none|sidecar    one of them, for callgrind
 *
 * Five eighths of the guest's pages are zeros, the others random bytes and
 * text: in one piece each (blocks), or in short runs of both (scattered).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/crc32c.h"
#include "core/io.h"
#include "fakes/image_build.h"
#include "fakes/paging_fake.h"
#include "lazy/fill_run.h"
#include "lazy/pager.h"

#define ROUNDS 9
#define PIECE 384u /* pages whose crc is taken: they stay in the cache */

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "sidecar: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint32_t random_number(void)
{
    static uint64_t x = 88172645463325252;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (uint32_t)(x >> 16);
}

/* --- the image ------------------------------------------------------------ */

enum layout { BLOCKS, SCATTERED, LAYOUTS };
static const char *const layouts[] = { "blocks", "scattered" };

static bool is_zero(enum layout layout, uint64_t gfn, uint64_t pages)
{
    static uint64_t run_ends;
    static bool zero;
    if (layout == BLOCKS)
        return gfn >= pages * 3 / 8;
    if (gfn >= run_ends || !gfn) { /* on the average five and three pages */
        zero = gfn && !zero;
        run_ends = gfn + 1 + random_number() % (zero ? 9 : 5);
    }
    return zero;
}

static void put_content(unsigned char *page, uint64_t gfn)
{
    static const char words[] = "a guest's memory is what its programs left ";
    for (size_t i = 0; i < XLX_PAGE_SIZE; i += sizeof(uint32_t)) {
        uint32_t bytes = random_number();
        memcpy(page + i, &bytes, sizeof(bytes));
    }
    for (size_t i = 0; gfn % 2 && i + sizeof(words) < XLX_PAGE_SIZE;
         i += sizeof(words) - 1)
        memcpy(page + i, words, sizeof(words) - 1);
}

static void put_built(int fd, struct image_build *b)
{
    must(!xlx__write_all(fd, b->bytes, b->len), "write");
    build_reset(b);
}

static void put_batch(int fd, struct image_build *b, enum layout layout,
                      uint64_t gfn, uint64_t pages)
{
    build_range(b, gfn, FMT_PAGE_BATCH);
    unsigned char *page =
        b->bytes + b->len - (size_t)FMT_PAGE_BATCH * XLX_PAGE_SIZE;
    for (size_t i = 0; i < FMT_PAGE_BATCH; i++, page += XLX_PAGE_SIZE) {
        memset(page, 0, XLX_PAGE_SIZE);
        if (!is_zero(layout, gfn + i, pages))
            put_content(page, gfn + i);
    }
    put_built(fd, b);
}

static void make_image(const char *path, enum layout layout, uint64_t pages)
{
    struct image_build b = { 0 };
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    must(fd >= 0, path);
    build_start(&b, 3, FMT_GUEST_HVM);
    put_built(fd, &b);
    for (uint64_t gfn = 0; gfn < pages; gfn += FMT_PAGE_BATCH)
        put_batch(fd, &b, layout, gfn, pages);
    build_finish(&b);
    put_built(fd, &b);
    build_free(&b);
    close(fd);
}

/* --- a guest is filled ---------------------------------------------------- */

/* The same whatever was read: only that counts here. */
static int load_nothing(struct xlx__paging *p, uint64_t gfn, uint32_t nr,
                        const void *buffer)
{
    (void)p;
    (void)gfn;
    (void)nr;
    (void)buffer;
    return 0;
}

struct bench {
    xlx_ctx *ctx;
    xlx_image *image;
    xlx_sidecar *sidecar;
    uint64_t pages;
};

__attribute__((noinline)) static void fill_guest(struct xlx__filler *f,
                                                 uint64_t pages)
{
    for (uint64_t gfn = 0; gfn < pages; gfn += XLX__PAGING_RUN_MAX) {
        const struct xlx__gfn_range run = { gfn, gfn + XLX__PAGING_RUN_MAX };
        must(xlx__fill_run(f, &run), "fill");
    }
}

static void prepare(struct xlx__filler *f, struct xlx__pager *pager,
                    const struct bench *bench, struct xlx__guest *guest,
                    struct xlx__paging *paging)
{
    struct xlx__backfill *fill = xlx__pager_backfill(pager);
    xlx__guest_init(guest, bench->ctx, xlx__pager_shared(pager));
    guest->paging = paging;
    *f = (struct xlx__filler){ .guest = guest,
                               .loader = xlx__pager_loader(pager),
                               .throttle = xlx__backfill_throttle(fill),
                               .trouble = xlx__backfill_trouble(fill),
                               .backoff_ms = XLX__BACKOFF_FIRST_MS };
    f->buffer = calloc(XLX__PAGING_RUN_MAX, XLX_PAGE_SIZE);
    must(f->buffer, "memory");
    xlx__loader_set_sidecar(f->loader, bench->sidecar);
}

/* Nanoseconds of the processor. */
static double fill_once(const struct bench *bench)
{
    static struct xlx__filler f;
    struct paging_fake *fake = paging_fake_new(bench->ctx, bench->pages);
    struct xlx__paging_ops ops = *fake->base.ops;
    struct xlx__pager *pager;
    struct xlx__guest guest;
    must(
        !xlx__pager_new(bench->ctx, &fake->base, bench->image, NULL, 0, &pager),
        "pager");
    must(!xlx__pager_start(pager, 0), "start");
    ops.load_run = load_nothing;
    fake->base.ops = &ops;
    prepare(&f, pager, bench, &guest, &fake->base);
    double begun = cpu_ns();
    fill_guest(&f, bench->pages);
    double took = cpu_ns() - begun;
    must(xlx__pages_done(xlx__shared_pages(xlx__pager_shared(pager))) ==
             bench->pages,
         "not filled");
    free(f.buffer);
    xlx__guest_destroy(&guest);
    xlx__pager_free(pager);
    paging_fake_free(fake);
    return took;
}

/* pread() of this process so far; 0 where the kernel does not count them. */
static unsigned long reads_so_far(void)
{
    char line[128];
    unsigned long reads = 0;
    FILE *io = fopen("/proc/self/io", "re");
    while (io && fgets(line, sizeof(line), io))
        if (sscanf(line, "syscr: %lu", &reads) == 1)
            break;
    if (io)
        fclose(io);
    return reads;
}

/* The least of the rounds: what others do costs time, it never saves any. */
static void measure(const struct bench *bench, const char *what)
{
    double best = 0;
    unsigned long reads = reads_so_far();
    for (int i = 0; i < ROUNDS; i++) {
        double took = fill_once(bench);
        if (!i || took < best)
            best = took;
    }
    reads = (reads_so_far() - reads) / ROUNDS;
    printf("%-32s %8.1f ns a page, %6lu reads of %lu pages\n", what,
           best / (double)bench->pages, reads, (unsigned long)bench->pages);
}

static void measure_layout(const char *dir, enum layout layout, uint64_t pages,
                           const char *only)
{
    char path[4096], what[64];
    struct bench bench = { .pages = pages };
    snprintf(path, sizeof(path), "%s/bench-sidecar", dir);
    make_image(path, layout, pages);
    must(!xlx_ctx_new(&bench.ctx), "context");
    must(!xlx_image_open(bench.ctx, path, &bench.image), path);
    must(!xlx_sidecar_write(bench.ctx, bench.image, NULL, NULL, NULL), "write");
    if (!only || !strcmp(only, "none")) {
        snprintf(what, sizeof(what), "%s, no sidecar", layouts[layout]);
        measure(&bench, what);
    }
    must(!xlx_sidecar_open(bench.ctx, bench.image, NULL, &bench.sidecar),
         "sidecar");
    if (!only || !strcmp(only, "sidecar")) {
        snprintf(what, sizeof(what), "%s, with a sidecar", layouts[layout]);
        measure(&bench, what);
    }
    xlx_sidecar_close(bench.sidecar);
    xlx_image_close(bench.image);
    xlx_ctx_free(bench.ctx);
    unlink(path);
    snprintf(path, sizeof(path), "%s/bench-sidecar.lzx", dir);
    unlink(path);
}

/* --- crc32c --------------------------------------------------------------- */

static unsigned char page[PIECE][XLX_PAGE_SIZE], copy[PIECE][XLX_PAGE_SIZE];
static uint32_t crc[PIECE];

static void copy_pages(void)
{
    memcpy(copy, page, sizeof(copy));
    __asm__ volatile("" ::"r"(copy) : "memory"); /* it is looked at */
}

static void crc_portably(void)
{
    for (size_t i = 0; i < PIECE; i++)
        crc[i] = xlx__crc32c_portable(0, page[i], XLX_PAGE_SIZE);
}

static void crc_one_by_one(void)
{
    for (size_t i = 0; i < PIECE; i++)
        crc[i] = xlx__crc32c(0, page[i], XLX_PAGE_SIZE);
}

static void crc_of_each(void)
{
    xlx__crc32c_each(page, XLX_PAGE_SIZE, PIECE, crc);
}

static void measure_crc32c(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } ways[] = { { "a copy of a page", copy_pages },
                 { "crc32c, portable", crc_portably },
                 { "crc32c, one page by another", crc_one_by_one },
                 { "crc32c, pages side by side", crc_of_each } };
    for (size_t i = 0; i < PIECE; i++)
        put_content(page[i], i);
    for (size_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++) {
        double best = 0;
        for (int i = 0; i < ROUNDS; i++) {
            double begun = cpu_ns();
            ways[way].run();
            double took = cpu_ns() - begun;
            if (!i || took < best)
                best = took;
        }
        printf("%-32s %8.1f ns a page\n", ways[way].name, best / PIECE);
    }
}

int main(int argc, char **argv)
{
    uint64_t mib = argc > 2 ? strtoull(argv[1], NULL, 10) : 0;
    if (!mib || mib % 4 || (argc != 3 && argc != 5)) {
        fprintf(stderr, "usage: sidecar MIB DIR [blocks|scattered "
                        "none|sidecar], MIB a multiple of 4\n");
        return 1;
    }
    if (argc == 3)
        measure_crc32c();
    for (int i = 0; i < LAYOUTS; i++)
        if (argc == 3 || !strcmp(argv[3], layouts[i]))
            measure_layout(argv[2], (enum layout)i, mib << 8,
                           argc == 5 ? argv[4] : NULL);
    return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Any bytes as the sidecar of an image: they are refused with a text, or what
 * they say is of that image. As they are, and with checksums made right, which
 * a forger would not get wrong. libFuzzer's entry;
 * tests/unit/test-image-sidecar.c runs it on changed sidecars without
 * libFuzzer.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fakes/image_seeds.h"
#include "image/sidecar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                     \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

/* Makes all checksums right, as far as there are sections. */
static void sum_up(unsigned char *bytes, size_t size)
{
    struct lzx_header header;
    size_t at = sizeof(header);
    if (size < sizeof(header))
        return;
    memcpy(&header, bytes, sizeof(header));
    header.crc = xlx__crc32c(0, &header, offsetof(struct lzx_header, crc));
    memcpy(bytes, &header, sizeof(header));
    while (size - at >= sizeof(struct lzx_section)) {
        struct lzx_section section;
        memcpy(&section, bytes + at, sizeof(section));
        size_t body = at + sizeof(section);
        if (section.length > size - body ||
            lzx_padded(section.length) > size - body)
            return;
        section.crc = lzx_section_crc(
            xlx__crc32c(0, bytes + body, section.length), &section);
        memcpy(bytes + at, &section, sizeof(section));
        at = body + lzx_padded(section.length);
    }
}

static void check_zero(const xlx_image *image, const xlx_sidecar *sidecar)
{
    char page[XLX_PAGE_SIZE];
    struct xlx_image_range zero;
    uint64_t pages = 0, next = 0;
    while (xlx_sidecar_next_zero(sidecar, next, &zero)) {
        MUST(zero.nr && zero.gfn >= next);
        MUST(!xlx_image_read(image, zero.gfn, 1, page));
        MUST(!xlx_image_read(image, zero.gfn + zero.nr - 1, 1, page));
        next = zero.gfn + zero.nr;
        pages += zero.nr;
    }
    MUST(pages == xlx_sidecar_info(sidecar)->zero_pages);
}

static void check_working_set(const xlx_image *image,
                              const xlx_sidecar *sidecar)
{
    char page[XLX_PAGE_SIZE];
    uint64_t pages = 0;
    size_t nr;
    const struct xlx_image_range *ws = xlx_sidecar_working_set(sidecar, &nr);
    for (size_t i = 0; i < nr; i++)
        for (uint64_t k = 0; k < ws[i].nr; k++, pages++)
            MUST(!xlx_image_read(image, ws[i].gfn + k, 1, page));
    MUST(pages == xlx_sidecar_info(sidecar)->working_set_pages);
    MUST(pages <= xlx_image_info(image)->pages);
}

static void check_crcs(const xlx_image *image, const xlx_sidecar *sidecar)
{
    char page[XLX_PAGE_SIZE];
    uint64_t bad;
    size_t nr;
    const struct xlx_image_run *run = xlx_image_runs(image, &nr);
    for (size_t i = 0; i < nr; i++)
        for (uint64_t gfn = run[i].gfn; gfn < run[i].gfn + run[i].nr; gfn++) {
            MUST(!xlx_image_read(image, gfn, 1, page));
            int rc = xlx_sidecar_check(sidecar, gfn, 1, page, &bad);
            MUST(!rc || (rc == -EILSEQ && bad == gfn));
        }
}

/* True when it was taken. */
static bool try_sidecar(const xlx_image *image, const void *data, size_t size)
{
    char path[64];
    xlx_ctx *ctx;
    xlx_sidecar *sidecar;
    int fd = memfd_create("sidecar", MFD_CLOEXEC);
    MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    MUST(!xlx_ctx_new(&ctx));
    int rc = xlx_sidecar_open(ctx, image, path, &sidecar);
    if (!rc) {
        check_zero(image, sidecar);
        check_working_set(image, sidecar);
        check_crcs(image, sidecar);
        xlx_sidecar_close(sidecar);
    } else {
        MUST(*xlx_ctx_error(ctx) && !strchr(xlx_ctx_error(ctx), '\n'));
    }
    xlx_ctx_free(ctx);
    close(fd);
    return !rc;
}

/*
 * The image that the sidecars are of. It was written to at the epoch, so that
 * it is not the time which decides.
 */
static xlx_image *sidecar_image(xlx_ctx *ctx)
{
    xlx_image *image;
    struct image_build b = { 0 };
    const struct timespec times[2] = { 0 };
    build_start(&b, 3, FMT_GUEST_HVM);
    build_range(&b, 0, 3);
    build_range(&b, 3, 70);
    build_range(&b, 0x100, 8);
    build_finish(&b);
    int fd = build_fd(&b);
    MUST(fd >= 0 && !futimens(fd, times));
    MUST(!xlx_image_open_fd(ctx, fd, b.libxc, "image", &image));
    close(fd);
    build_free(&b);
    return image;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    xlx_ctx *ctx;
    MUST(!xlx_ctx_new(&ctx));
    xlx_image *image = sidecar_image(ctx);
    unsigned char *summed = malloc(size + 1);
    MUST(summed);
    if (size)
        memcpy(summed, data, size);
    sum_up(summed, size);
    try_sidecar(image, data, size);
    try_sidecar(image, summed, size);
    free(summed);
    xlx_image_close(image);
    xlx_ctx_free(ctx);
    return 0;
}

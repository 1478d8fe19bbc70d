/* SPDX-License-Identifier: LGPL-2.1-only */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "core/io.h"
#include "fakes/image_build.h"

void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "lazy-uffd: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void put_built(int fd, struct image_build *b)
{
    must(!xlx__write_all(fd, b->bytes, b->len), "write");
    build_reset(b);
}

/* A record whose pages are a hole of the file. */
static void put_hole(int fd, struct image_build *b, uint64_t gfn, uint32_t nr)
{
    build_range(b, gfn, nr);
    size_t pages = (size_t)nr * XLX_PAGE_SIZE;
    must(!xlx__write_all(fd, b->bytes, b->len - pages), "write");
    must(lseek(fd, (off_t)pages, SEEK_CUR) > 0, "lseek");
    build_reset(b);
}

void image_make(const char *path, uint64_t pages, bool sparse)
{
    struct image_build b = { 0 };
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    must(fd >= 0, path);
    build_start(&b, 3, FMT_GUEST_HVM);
    put_built(fd, &b);
    for (uint64_t gfn = 0; gfn < pages; gfn += FMT_PAGE_BATCH) {
        uint64_t left = pages - gfn;
        uint32_t nr = left < FMT_PAGE_BATCH ? (uint32_t)left : FMT_PAGE_BATCH;
        if (sparse) {
            put_hole(fd, &b, gfn, nr);
            continue;
        }
        build_range(&b, gfn, nr);
        put_built(fd, &b);
    }
    build_finish(&b);
    put_built(fd, &b);
    build_free(&b);
    must(!fsync(fd), "fsync");
    close(fd);
}

void image_drop_from_cache(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0, path);
    must(!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), "fadvise");
    close(fd);
}

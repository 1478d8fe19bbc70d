/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * reads DEVICE N: N reads of 4 KiB past the page cache, one after the other,
 * all over the first MiB of a disk. Prints the median, the 99th percentile and
 * the longest in microseconds, and how many failed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "times.h"

#define PAGE 4096u
#define PAGES 256u
#define PAUSE_US 2000

/* Has no common factor with PAGES. */
#define STRIDE 97u

static int all_reads(int fd, void *page, size_t nr)
{
    uint64_t *took = calloc(nr + 1, sizeof(*took));
    size_t good = 0;
    if (!took)
        return -1;
    for (size_t i = 0; i < nr; i++) {
        off_t at = (off_t)(i * STRIDE % PAGES) * PAGE;
        uint64_t start = now_us();
        if (pread(fd, page, PAGE, at) == PAGE)
            took[good++] = now_us() - start;
        usleep(PAUSE_US);
    }
    if (good)
        print_spread(took, good, nr - good);
    free(took);
    return good ? 0 : -1;
}

int main(int argc, char **argv)
{
    void *page = aligned_alloc(PAGE, PAGE);
    int fd = argc == 3 ? open(argv[1], O_RDONLY | O_DIRECT) : -1;
    if (fd < 0 || !page || all_reads(fd, page, (size_t)atoi(argv[2]))) {
        perror("reads");
        return 1;
    }
    return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Fills a file with a pattern that follows from a seed, or checks it:
 *   pattern write FILE MIB SEED
 *   pattern check FILE SEED
 * On a tmpfs, a file is memory: after a restore, the check tells whether each
 * page came back, without anything having been noted elsewhere.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096
#define WORDS (PAGE / sizeof(uint64_t))

/* Each page depends on its place, so that exchanged pages are found. */
static void make_page(uint64_t *page, uint64_t seed, uint64_t number)
{
    uint64_t x =
        (seed + 1) * 0x9e3779b97f4a7c15u ^ (number + 1) * 0xbf58476d1ce4e5b9u;

    for (size_t i = 0; i < WORDS; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        page[i] = x;
    }
}

static int write_pattern(FILE *file, uint64_t pages, uint64_t seed)
{
    uint64_t page[WORDS];

    for (uint64_t n = 0; n < pages; n++) {
        make_page(page, seed, n);
        if (fwrite(page, PAGE, 1, file) != 1)
            return perror("pattern: write"), 1;
    }
    return 0;
}

static int check_pattern(FILE *file, uint64_t seed)
{
    uint64_t page[WORDS], wanted[WORDS], wrong = 0, n;

    for (n = 0; fread(page, PAGE, 1, file) == 1; n++) {
        make_page(wanted, seed, n);
        if (memcmp(page, wanted, PAGE))
            wrong++;
    }
    printf("pages=%llu wrong=%llu\n", (unsigned long long)n,
           (unsigned long long)wrong);
    return ferror(file) || wrong || !n;
}

int main(int argc, char **argv)
{
    int writing = argc == 5 && !strcmp(argv[1], "write");
    FILE *file;
    int status;

    if (!writing && (argc != 4 || strcmp(argv[1], "check"))) {
        fputs("usage: pattern write FILE MIB SEED | check FILE SEED\n", stderr);
        return 2;
    }
    file = fopen(argv[2], writing ? "w" : "r");
    if (!file)
        return perror(argv[2]), 1;
    if (writing)
        status = write_pattern(file, strtoull(argv[3], NULL, 10) << 8,
                               strtoull(argv[4], NULL, 10));
    else
        status = check_pattern(file, strtoull(argv[3], NULL, 10));
    if (fclose(file))
        return perror("pattern: close"), 1;
    return status;
}

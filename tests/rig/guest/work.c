/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * work MIB [LOOKS]: has MIB MiB of data, and looks at 2048 pages of it again
 * and again, which lie all over it, in an order that has no pattern. Prints
 * "gfn N", the page in which dom0 finds how often it looked, and how often the
 * data was not what it should be (tools/guest-rate.c); then "ready".
 *
 * With LOOKS it looks so often for each line that it reads, and answers "wrong
 * N": a job that is always the same.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul
#define WORDS (PAGE / sizeof(uint64_t))
#define USED 2048u
/* A look reads a word of this many cache lines, and writes one word. */
#define LINES 8u

struct counters {
    volatile uint64_t looks, wrong;
};

static void need(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(1);
}

static void *memory(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    need(p != MAP_FAILED, "memory");
    return p;
}

static uint64_t next(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static uint64_t word_of(uint64_t page, uint64_t word)
{
    return (page * WORDS + word) * 0x9e3779b97f4a7c15u;
}

static struct counters *make_counters(void)
{
    struct counters *counters = memory(PAGE);
    int fd = open("/proc/self/pagemap", O_RDONLY);
    uint64_t entry;

    need(fd >= 0 && !mlock(counters, PAGE), "a page that stays");
    counters->looks = 0;
    need(pread(fd, &entry, 8, (uintptr_t)counters / PAGE * 8) == 8, "its gfn");
    printf("gfn %#lx\n", (unsigned long)(entry & ((1ull << 55) - 1)));
    close(fd);
    return counters;
}

/* One of each USED-th part of the data, then all of them exchanged. */
static void choose(uint32_t *used, uint64_t pages)
{
    uint64_t x = 88172645463325252u, part = pages / USED;

    for (uint32_t i = 0; i < USED; i++)
        used[i] = (uint32_t)(i * part + next(&x) % part);
    for (uint32_t i = USED - 1; i; i--) {
        uint32_t other = next(&x) % (i + 1), page = used[i];

        used[i] = used[other];
        used[other] = page;
    }
}

static void look(uint64_t *data, uint64_t page, struct counters *counters)
{
    uint64_t *words = data + page * WORDS;

    for (uint64_t i = 0; i < LINES; i++)
        if (words[i * WORDS / LINES] != word_of(page, i * WORDS / LINES))
            counters->wrong++;
    words[1] = counters->looks++;
}

static void look_often(uint64_t *data, const uint32_t *used,
                       struct counters *counters, uint64_t looks)
{
    for (uint64_t i = 0; i < looks; i++)
        look(data, used[i % USED], counters);
}

static void do_jobs(uint64_t *data, const uint32_t *used,
                    struct counters *counters, uint64_t looks)
{
    char line[16];

    while (fgets(line, sizeof(line), stdin)) {
        look_often(data, used, counters, looks);
        printf("wrong %lu\n", (unsigned long)counters->wrong);
        fflush(stdout);
    }
}

static uint64_t number(int argc, char **argv, int i)
{
    return i < argc ? strtoull(argv[i], NULL, 10) : 0;
}

int main(int argc, char **argv)
{
    uint64_t pages = number(argc, argv, 1) << 8;
    uint64_t looks = number(argc, argv, 2);
    static uint32_t used[USED];
    struct counters *counters;
    uint64_t *data;

    if (argc > 3 || pages < USED || (argc == 3 && !looks))
        return fputs("usage: work MIB [LOOKS] (MIB: 8 or more)\n", stderr), 2;
    data = memory(pages * PAGE);
    for (uint64_t i = 0; i < pages * WORDS; i++)
        data[i] = word_of(i / WORDS, i % WORDS);
    choose(used, pages);
    counters = make_counters();
    puts("ready");
    fflush(stdout);
    while (!looks)
        look_often(data, used, counters, USED);
    do_jobs(data, used, counters, looks);
    return 0;
}

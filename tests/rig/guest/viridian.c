/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Pages of enlightenments for Windows, as a guest has them:
 *   viridian start   enables one each (needs the module msr), and marks it
 *   viridian check   whether Xen has mapped each since: it clears what it maps
 * The pages are a file on a tmpfs, so that they stay where they are.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define MARK 0x6b72616d6b72616dull
#define MARK_AT (PAGE / sizeof(uint64_t) - 1) /* Xen writes nothing there */
#define GUEST_OS_ID 0x40000000

static const struct {
    const char *name;
    uint32_t msr;
} pages[] = {
    { "reference TSC", 0x40000021 },
    { "VP assist", 0x40000073 },
    { "SIMP", 0x40000083 },
};
#define NR (sizeof(pages) / sizeof(pages[0]))

static int write_msr(uint32_t msr, uint64_t value)
{
    int fd = open("/dev/cpu/0/msr", O_WRONLY);
    if (fd < 0 || pwrite(fd, &value, sizeof(value), msr) != sizeof(value)) {
        fprintf(stderr, "viridian: MSR %#x: ", msr);
        return perror(NULL), -1;
    }
    return close(fd);
}

static uint64_t gfn_of(const void *address)
{
    uint64_t entry = 0;
    int fd = open("/proc/self/pagemap", O_RDONLY);
    off_t at = (off_t)((uintptr_t)address / PAGE * sizeof(entry));
    if (fd < 0 || pread(fd, &entry, sizeof(entry), at) != sizeof(entry))
        perror("viridian: pagemap");
    close(fd);
    return entry & ((1ull << 55) - 1);
}

static int start(uint64_t *memory)
{
    memset(memory, 0xff, NR * PAGE); /* there is a page */
    mlock(memory, NR * PAGE);
    if (write_msr(GUEST_OS_ID, 1ull << 48))
        return 1;
    for (size_t i = 0; i < NR; i++) {
        uint64_t *page = memory + i * PAGE / sizeof(*memory);
        if (write_msr(pages[i].msr, gfn_of(page) * PAGE | 1))
            return 1;
        if (page[MARK_AT]) {
            printf("%s: Xen has not mapped gfn %#llx\n", pages[i].name,
                   (unsigned long long)gfn_of(page));
            return 1;
        }
        page[MARK_AT] = MARK;
    }
    return 0;
}

static int check(const uint64_t *memory)
{
    int bad = 0;
    for (size_t i = 0; i < NR; i++) {
        const uint64_t *page = memory + i * PAGE / sizeof(*memory);
        printf("%s: %s\n", pages[i].name,
               page[MARK_AT] == MARK ? "not mapped" : "mapped");
        bad |= page[MARK_AT] == MARK;
    }
    return bad;
}

int main(int argc, char **argv)
{
    int fd = open("/mem/viridian", O_RDWR | O_CREAT, 0600);
    if (argc != 2 || fd < 0 || ftruncate(fd, NR * PAGE))
        return perror("viridian start|check"), 2;
    uint64_t *memory =
        mmap(NULL, NR * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return perror("viridian: mmap"), 2;
    return strcmp(argv[1], "start") ? check(memory) : start(memory);
}

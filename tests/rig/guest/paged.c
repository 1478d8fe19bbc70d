/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a guest may do with a page that is out:
 *   paged touch N      N threads, each on its vcpu, touch it at once
 * Prints the gfns of its pages ("gfn N") and "ready", and waits for /run/go,
 * before which dom0 takes the pages away. Then a line for each check, and "end".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul
#define PAGES 32
#define AT ((char *)0x500000000000)
#define AREA(n) (AT + (n) * PAGE)

static uint64_t gfns[PAGES];

static void need(bool good, const char *what)
{
    if (good)
        return;
    printf("FAILED: %s: %s\nend\n", what, strerror(errno));
    exit(2);
}

static void check(bool good, const char *what, ...)
{
    va_list ap;

    printf("%s: ", good ? "ok" : "FAILED");
    va_start(ap, what);
    vprintf(what, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
}

static void check_is(long got, long want, const char *what)
{
    check(got == want, "%s: %ld, wanted %ld", what, got, want);
}

/* --- pages ---------------------------------------------------------------- */

static void make_pages(void)
{
    void *p = mmap(AT, PAGES * PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    int fd = open("/proc/self/pagemap", O_RDONLY);

    need(p == AT && fd >= 0, "pages");
    need(!madvise(p, PAGES * PAGE, MADV_NOHUGEPAGE), "small pages");
    need(!mlock(p, PAGES * PAGE), "pages that stay");
    for (unsigned i = 0; i < PAGES; i++) {
        uint64_t entry;

        memset(AREA(i), i, PAGE);
        need(pread(fd, &entry, 8, (uintptr_t)AREA(i) / PAGE * 8) == 8, "gfn");
        gfns[i] = entry & ((1ull << 55) - 1);
    }
    close(fd);
}

static void wait_until_out(unsigned mask)
{
    for (unsigned i = 0; i < PAGES; i++)
        if (mask & 1u << i)
            printf("gfn %#lx\n", (unsigned long)gfns[i]);
    puts("ready");
    fflush(stdout);
    while (access("/run/go", F_OK))
        usleep(100000);
}

/* --- many vcpus, one page ------------------------------------------------- */

static pthread_barrier_t barrier;
static atomic_int touched;

static void *touch(void *arg)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((uintptr_t)arg, &set);
    need(!sched_setaffinity(0, sizeof(set), &set), "a vcpu");
    pthread_barrier_wait(&barrier);
    while (access("/run/go", F_OK))
        usleep(1000);
    if (*(volatile char *)AREA(3) == 3)
        touched++;
    return NULL;
}

static void touch_together(unsigned nr)
{
    pthread_t threads[64];

    need(nr && nr <= 64, "number of threads");
    need(!pthread_barrier_init(&barrier, NULL, nr + 1), "barrier");
    for (uintptr_t i = 0; i < nr; i++)
        need(!pthread_create(&threads[i], NULL, touch, (void *)i), "thread");
    pthread_barrier_wait(&barrier);
    wait_until_out(1u << 3);
    for (unsigned i = 0; i < nr; i++)
        pthread_join(threads[i], NULL);
    check_is(touched, nr, "threads that saw the page");
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    unlink("/run/go");
    make_pages();
    if (!strcmp(what, "touch") && argc == 3)
        touch_together(atoi(argv[2]));
    else
        need(false, "usage: paged touch N");
    puts("end");
    return 0;
}

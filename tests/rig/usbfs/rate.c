/* SPDX-License-Identifier: LGPL-2.1-only */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/fs.h>

#include "usbfs.h"

enum { MAX_DEPTH = 64, ALIGNMENT = 4096 };

/* Far from each other: the kernel makes one request of neighbours. */
enum { STRIDE = 7919 };

struct run {
    int fd;
    bool write;
    size_t size;
    uint64_t places, until;
    atomic_ullong next, requests;
    atomic_int error;
};

static ssize_t one(struct run *run, void *buffer)
{
    uint64_t n = atomic_fetch_add(&run->next, 1) * STRIDE;
    off_t place = (off_t)(n % run->places * run->size);

    return run->write ? pwrite(run->fd, buffer, run->size, place)
                      : pread(run->fd, buffer, run->size, place);
}

static void *worker(void *argument)
{
    struct run *run = argument;
    void *buffer;

    if (posix_memalign(&buffer, ALIGNMENT, run->size))
        return NULL;
    memset(buffer, 0x5a, run->size);
    while (clock_us() < run->until && !run->error) {
        ssize_t done = one(run, buffer);

        if (done != (ssize_t)run->size)
            run->error = done < 0 ? errno : EIO;
        else
            run->requests++;
    }
    free(buffer);
    return NULL;
}

int rate(int argc, char **argv)
{
    pthread_t threads[MAX_DEPTH];
    unsigned int depth, started;
    struct run run = { 0 };
    uint64_t bytes, start;

    if (argc != 5)
        return 2;
    run.write = !strcmp(argv[1], "write");
    run.size = number(argv[2], 10);
    depth = number(argv[3], 10);
    if (depth > MAX_DEPTH || (!run.write && strcmp(argv[1], "read")))
        return 2;
    run.fd = open(argv[0], O_RDWR | O_DIRECT | O_CLOEXEC);
    if (run.fd < 0 || ioctl(run.fd, BLKGETSIZE64, &bytes))
        fail("%s: %s", argv[0], strerror(errno));
    run.places = bytes / run.size;
    start = clock_us();
    run.until = start + number(argv[4], 10) * 1000000ull;
    for (started = 0; started < depth; started++)
        if (pthread_create(&threads[started], NULL, worker, &run))
            fail("no thread");
    while (started)
        pthread_join(threads[--started], NULL);
    if (run.error)
        fail("%s: %s", argv[0], strerror(run.error));
    printf("requests=%llu us=%llu\n", (unsigned long long)run.requests,
           (unsigned long long)(clock_us() - start));
    return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-only */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "fakes/image_build.h"
#include "fakes/paging_uffd.h"

uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int send_memory(int socket, int uffd, char *memory)
{
    char control[CMSG_SPACE(sizeof(int))] = { 0 };
    struct iovec part = { &memory, sizeof(memory) };
    struct msghdr msg = { .msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control,
                          .msg_controllen = sizeof(control) };
    struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &uffd, sizeof(uffd));
    return sendmsg(socket, &msg, 0) == sizeof(memory) ? 0 : -1;
}

int guest_receive(int socket, char **memory_r)
{
    char control[CMSG_SPACE(sizeof(int))] = { 0 };
    struct iovec part = { memory_r, sizeof(*memory_r) };
    struct msghdr msg = { .msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control,
                          .msg_controllen = sizeof(control) };
    int fd = -1;
    if (recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) != sizeof(*memory_r) ||
        !CMSG_FIRSTHDR(&msg))
        return -1;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
    return fd;
}

static bool is_right(const char *memory, uint64_t gfn)
{
    uint64_t page[XLX_PAGE_SIZE / sizeof(uint64_t)];
    build_page(gfn, 0, page);
    return !memcmp(page, memory + gfn * XLX_PAGE_SIZE, sizeof(page));
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void note_stalls(struct shared *s, uint64_t *ns, size_t nr)
{
    qsort(ns, nr, sizeof(*ns), by_value);
    s->stalls = nr;
    if (!nr)
        return;
    s->stall_p50 = ns[nr / 2];
    s->stall_p99 = ns[nr * 99 / 100];
    s->stall_max = ns[nr - 1];
    for (size_t i = 0; i < nr; i++)
        s->stall_sum += ns[i];
}

static void note_share(struct shared *s, size_t touched, size_t distinct)
{
    uint64_t at = now_ns() - atomic_load(&s->begun);
    if (touched == (distinct + 1) / 2)
        s->ws50 = at;
    if (touched == (distinct * 9 + 9) / 10)
        s->ws90 = at;
    if (touched == distinct)
        s->ws100 = at;
}

/* Each access depends on the one before: one vCPU. */
void guest_touch(const char *memory, uint64_t pages, const struct trace *t,
                 struct shared *s)
{
    unsigned char *seen = calloc(pages, 1);
    uint64_t *ns = calloc(t->distinct, sizeof(*ns));
    size_t touched = 0, nr = 0;
    must(seen && ns, "memory");
    for (size_t i = 0; i < t->nr; i++) {
        uint64_t gfn = t->gfn[i];
        const volatile uint64_t *word =
            (const volatile uint64_t *)(memory + gfn * XLX_PAGE_SIZE);
        if (seen[gfn]) {
            (void)*word;
            continue;
        }
        seen[gfn] = 1;
        uint64_t start = now_ns();
        (void)*word;
        uint64_t took = now_ns() - start;
        if (took >= s->stall_ns)
            ns[nr++] = took;
        s->wrong += !is_right(memory, gfn);
        note_share(s, ++touched, t->distinct);
    }
    note_stalls(s, ns, nr);
    free(ns);
    free(seen);
}

void guest_fill(char *memory, uint64_t pages)
{
    for (uint64_t gfn = 0; gfn < pages; gfn++)
        build_page(gfn, 0, memory + gfn * XLX_PAGE_SIZE);
}

void guest_check(const char *memory, uint64_t pages, struct shared *s)
{
    for (uint64_t gfn = 0; gfn < pages; gfn++)
        s->wrong += !is_right(memory, gfn);
}

int guest_main(int socket, uint64_t pages, const struct trace *trace,
               struct shared *shared)
{
    char *memory, go;
    int fd = paging_uffd_memory(pages, &memory);
    if (fd < 0 || send_memory(socket, fd, memory))
        return 1;
    close(fd);
    if (read(socket, &go, 1) != 1)
        return 1;
    guest_touch(memory, pages, trace, shared);
    atomic_store(&shared->touched, true);
    if (read(socket, &go, 1) != 1)
        return 1;
    if (go == 'c')
        guest_check(memory, pages, shared);
    return 0;
}

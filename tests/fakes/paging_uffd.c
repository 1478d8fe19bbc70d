/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/paging_uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libxl_ext_image.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

static struct paging_uffd *of(struct xlx__paging *p)
{
    return (struct paging_uffd *)p;
}

/* --- the guest's side ----------------------------------------------------- */

static int watch(int fd, char *memory, size_t len)
{
    struct uffdio_api api = { .api = UFFD_API };
    struct uffdio_register all = {
        .range = { (uintptr_t)memory, len },
        .mode = UFFDIO_REGISTER_MODE_MISSING,
    };
    if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &all))
        return -errno;
    return 0;
}

int paging_uffd_memory(uint64_t nr_gfns, char **memory_r)
{
    size_t len = nr_gfns * XLX_PAGE_SIZE;
    int fd = (int)syscall(SYS_userfaultfd,
                          O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    if (fd < 0)
        return -errno;
    char *memory = mmap(NULL, len, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int rc = memory == MAP_FAILED ? -errno : watch(fd, memory, len);
    if (rc) {
        close(fd);
        return rc;
    }
    *memory_r = memory;
    return fd;
}

/* --- the pager's side ----------------------------------------------------- */

/* The guest registered all of its memory before it gave the descriptor away. */
static int uffd_enable(struct xlx__paging *p, uint64_t ring_gfn)
{
    (void)p;
    (void)ring_gfn;
    return 0;
}

static int uffd_claim(struct xlx__paging *p, uint64_t pages)
{
    (void)p;
    (void)pages;
    return 0;
}

static int uffd_mark_run(struct xlx__paging *p, uint64_t gfn, uint64_t nr)
{
    if (gfn + nr > of(p)->nr_gfns)
        return -EINVAL;
    atomic_fetch_add(&of(p)->paged, nr);
    return 0;
}

static void *uffd_buffer_alloc(struct xlx__paging *p, size_t pages)
{
    (void)p;
    void *buffer = mmap(NULL, pages * XLX_PAGE_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return buffer == MAP_FAILED ? NULL : buffer;
}

static void uffd_buffer_free(struct xlx__paging *p, void *buffer, size_t pages)
{
    (void)p;
    if (buffer)
        munmap(buffer, pages * XLX_PAGE_SIZE);
}

/* The first pages of a run, from nowhere zeros; how many were given, or -errno.
 */
static int64_t copy_some(struct paging_uffd *u, uint64_t gfn, uint32_t nr,
                         const void *from)
{
    static const char zeros[XLX_PAGE_SIZE];
    if (!from) {
        from = zeros;
        nr = 1;
    }
    struct uffdio_copy copy = {
        .dst = (uintptr_t)u->memory + gfn * XLX_PAGE_SIZE,
        .src = (uintptr_t)from,
        .len = (uint64_t)nr * XLX_PAGE_SIZE,
    };
    if (!ioctl(u->fd, UFFDIO_COPY, &copy))
        return nr;
    if (copy.copy > 0)
        return copy.copy / XLX_PAGE_SIZE;
    return errno == EAGAIN ? 0 : -errno;
}

static int uffd_load_run(struct xlx__paging *p, uint64_t gfn, uint32_t nr,
                         const void *buffer)
{
    struct paging_uffd *u = of(p);
    const char *from = buffer;
    while (nr) {
        int64_t n = u->discards ? nr : copy_some(u, gfn, nr, from);
        if (n == -ESRCH)
            atomic_store(&u->gone, true);
        if (n < 0 && n != -EEXIST)
            return (int)n;
        if (n > 0)
            atomic_fetch_sub(&u->paged, (uint64_t)n);
        else if (n == -EEXIST)
            n = 1;
        gfn += (uint64_t)n;
        nr -= (uint32_t)n;
        if (from)
            from += n * XLX_PAGE_SIZE;
    }
    return 0;
}

static int uffd_wait(struct xlx__paging *p, int timeout_ms)
{
    struct pollfd wait = { .fd = of(p)->fd, .events = POLLIN };
    if (of(p)->next_msg < of(p)->nr_msgs)
        return 1;
    int rc = poll(&wait, 1, timeout_ms);
    return rc < 0 && errno != EINTR ? -errno : rc > 0;
}

static int uffd_next(struct xlx__paging *p, struct xlx__paging_request *req_r)
{
    struct paging_uffd *u = of(p);
    if (u->next_msg == u->nr_msgs) {
        ssize_t n = read(u->fd, u->msg, sizeof(u->msg));
        u->next_msg = 0;
        u->nr_msgs = n > 0 ? (size_t)n / sizeof(u->msg[0]) : 0;
        if (!u->nr_msgs)
            return 0;
    }
    uint64_t at = u->msg[u->next_msg++].arg.pagefault.address;
    *req_r = (struct xlx__paging_request){
        .gfn = (at - (uintptr_t)u->memory) / XLX_PAGE_SIZE,
        .paused = true,
    };
    return 1;
}

static void uffd_respond(struct xlx__paging *p,
                         const struct xlx__paging_request *req)
{
    (void)p;
    (void)req;
}

static int uffd_nothing(struct xlx__paging *p)
{
    (void)p;
    return 0;
}

static int uffd_info(struct xlx__paging *p, struct xlx__paging_info *info_r)
{
    *info_r =
        (struct xlx__paging_info){ .dying = atomic_load(&of(p)->gone),
                                   .paged_pages = atomic_load(&of(p)->paged) };
    return 0;
}

static int uffd_count_2m(struct xlx__paging *p, uint64_t gfn, uint64_t nr,
                         uint64_t *count_r)
{
    (void)p;
    (void)gfn;
    (void)nr;
    *count_r = 0;
    return 0;
}

static void uffd_close(struct xlx__paging *p)
{
    close(of(p)->fd);
    free(p);
}

static const struct xlx__paging_ops uffd_ops = {
    .enable = uffd_enable,
    .claim = uffd_claim,
    .mark_run = uffd_mark_run,
    .buffer_alloc = uffd_buffer_alloc,
    .buffer_free = uffd_buffer_free,
    .load_run = uffd_load_run,
    .wait = uffd_wait,
    .next = uffd_next,
    .respond = uffd_respond,
    .notify = uffd_nothing,
    .pause = uffd_nothing,
    .unpause = uffd_nothing,
    .disable = uffd_nothing,
    .info = uffd_info,
    .count_2m = uffd_count_2m,
    .close = uffd_close,
};

struct paging_uffd *paging_uffd_new(xlx_ctx *ctx, int fd, char *memory,
                                    uint64_t nr_gfns)
{
    struct paging_uffd *u = calloc(1, sizeof(*u));
    if (!u)
        abort();
    u->base = (struct xlx__paging){ .ops = &uffd_ops, .ctx = ctx, .domid = 1 };
    u->fd = fd;
    u->memory = memory;
    u->nr_gfns = nr_gfns;
    return u;
}

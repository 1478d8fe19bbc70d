/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/uevent_mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MAX_EVENTS 16

struct uevent_mem {
    struct xlx__uevents base;
    struct xlx__uevent event[MAX_EVENTS];
    int first, nr;
    bool lost;
    int fd;
};

static void wake(struct uevent_mem *mem)
{
    if (eventfd_write(mem->fd, 1))
        abort();
}

static int mem_next(struct xlx__uevents *uevents, struct xlx__uevent *event_r)
{
    struct uevent_mem *mem = (struct uevent_mem *)uevents;
    eventfd_t value;
    if (mem->lost) {
        mem->lost = false;
        return -ENOBUFS;
    }
    if (mem->nr) {
        *event_r = mem->event[mem->first];
        mem->first = (mem->first + 1) % MAX_EVENTS;
        mem->nr--;
        return 1;
    }
    return eventfd_read(mem->fd, &value) && errno != EAGAIN ? -errno : 0;
}

static int mem_fd(struct xlx__uevents *uevents)
{
    return ((struct uevent_mem *)uevents)->fd;
}

static void mem_close(struct xlx__seam *seam)
{
    close(((struct uevent_mem *)seam)->fd);
    free(seam);
}

static const struct xlx__uevents_ops mem_ops = {
    .next = mem_next,
    .fd = mem_fd,
};

struct uevent_mem *uevent_mem_new(void)
{
    struct uevent_mem *mem = calloc(1, sizeof(*mem));
    mem->base.seam.close = mem_close;
    mem->base.ops = &mem_ops;
    mem->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return mem;
}

struct xlx__uevents *uevent_mem_seam(struct uevent_mem *mem)
{
    return &mem->base;
}

void uevent_mem_send(struct uevent_mem *mem, const char *action,
                     const char *busid)
{
    struct xlx__uevent *e = &mem->event[(mem->first + mem->nr) % MAX_EVENTS];
    if (mem->nr++ == MAX_EVENTS)
        abort();
    snprintf(e->action, sizeof(e->action), "%s", action);
    snprintf(e->busid, sizeof(e->busid), "%s", busid);
    wake(mem);
}

void uevent_mem_lose(struct uevent_mem *mem)
{
    mem->lost = true;
    wake(mem);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
#include "host/uevent.h"

#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/clean.h"

/* What the kernel itself sends; group 2 is udevd's. */
#define GROUP_KERNEL 1
#define BUFFER_BYTES (1024 * 1024)

/* --- parsing -------------------------------------------------------------- */

static bool copy_name(const char *name, char to[XLX__UEVENT_NAME_MAX])
{
    if (!*name || strlen(name) >= XLX__UEVENT_NAME_MAX)
        return false;
    strcpy(to, name);
    return true;
}

/* A name that is too long is none of a USB device's. */
static bool read_key(const char *text, struct xlx__uevent *event)
{
    const char *slash = strrchr(text, '/');
    if (!strncmp(text, "ACTION=", 7))
        return copy_name(text + 7, event->action);
    if (!strncmp(text, "DEVPATH=", 8))
        return slash && copy_name(slash + 1, event->busid);
    if (!strncmp(text, "SUBSYSTEM=", 10))
        return !strcmp(text + 10, "usb");
    if (!strncmp(text, "DEVTYPE=", 8))
        return !strcmp(text + 8, "usb_device");
    return true;
}

static bool has_key(const char *text, const char *key)
{
    return !strncmp(text, key, strlen(key));
}

bool xlx__uevent_parse(const char *text, size_t len,
                       struct xlx__uevent *event_r)
{
    struct xlx__uevent event = { 0 };
    bool usb = false, device = false, first = true;
    /* libudev's messages have the same socket family and another form. */
    if (!len || text[len - 1] || !memchr(text, '@', strlen(text)))
        return false;
    for (size_t at = 0; at < len; at += strlen(text + at) + 1) {
        const char *line = text + at;
        if (!first && !read_key(line, &event))
            return false;
        usb |= !first && has_key(line, "SUBSYSTEM=");
        device |= !first && has_key(line, "DEVTYPE=");
        first = false;
    }
    if (!usb || !device || !event.action[0] || !event.busid[0])
        return false;
    *event_r = event;
    return true;
}

/* --- the socket ----------------------------------------------------------- */

struct kernel {
    struct xlx__uevents base;
    int fd;
};

/* 1: *event_r is set; 0: of no interest; -errno. */
static int receive(int fd, struct xlx__uevent *event_r)
{
    char text[XLX__UEVENT_TEXT_MAX];
    struct sockaddr_nl from = { 0 };
    struct iovec iov = { text, sizeof(text) };
    struct msghdr msg = { .msg_name = &from,
                          .msg_namelen = sizeof(from),
                          .msg_iov = &iov,
                          .msg_iovlen = 1 };
    ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);
    if (n < 0)
        return -errno;
    /* Any process may send to the group; only the kernel has port 0. */
    if (from.nl_family != AF_NETLINK || from.nl_pid ||
        msg.msg_flags & MSG_TRUNC)
        return 0;
    return xlx__uevent_parse(text, (size_t)n, event_r);
}

static int kernel_next(struct xlx__uevents *uevents,
                       struct xlx__uevent *event_r)
{
    int rc;
    do
        rc = receive(((struct kernel *)uevents)->fd, event_r);
    while (rc == 0 || rc == -EINTR);
    return rc == -EAGAIN ? 0 : rc;
}

static int kernel_fd(struct xlx__uevents *uevents)
{
    return ((struct kernel *)uevents)->fd;
}

static void kernel_close(struct xlx__seam *seam)
{
    struct kernel *k = (struct kernel *)seam;
    close(k->fd);
    free(k);
}

static const struct xlx__uevents_ops kernel_ops = {
    .next = kernel_next,
    .fd = kernel_fd,
};

static int open_socket(void)
{
    struct sockaddr_nl address = { .nl_family = AF_NETLINK,
                                   .nl_groups = GROUP_KERNEL };
    int bytes = BUFFER_BYTES;
    XLX__AUTO_CLOSE int fd =
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
               NETLINK_KOBJECT_UEVENT);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
        return -errno;
    /* Less only means that more is lost, and is then looked for. */
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
    return xlx__steal_fd(&fd);
}

int xlx__uevents_kernel(xlx_ctx *ctx, struct xlx__uevents **uevents_r)
{
    struct kernel *k = calloc(1, sizeof(*k));
    if (!k)
        return xlx__fail(ctx, ENOMEM, "uevents: no memory");
    k->fd = open_socket();
    if (k->fd < 0) {
        int err = -k->fd;
        free(k);
        return xlx__fail_errno(ctx, err, "uevents: cannot listen");
    }
    k->base.seam.close = kernel_close;
    k->base.ops = &kernel_ops;
    *uevents_r = &k->base;
    return 0;
}

int xlx__uevents_open(xlx_ctx *ctx)
{
    return ctx->uevents ? 0 : xlx__uevents_kernel(ctx, &ctx->uevents);
}

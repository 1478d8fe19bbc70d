/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usbd/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
};

int xlx__usbd_send(int sock, const struct xlx__usbd_message *m, int fd)
{
    struct iovec part = { (void *)m, sizeof(*m) };
    struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
    union control control = { 0 };
    if (fd >= 0) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(fd));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    ssize_t n = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    return n == (ssize_t)sizeof(*m) ? 0 : -EIO;
}

static int take_fd(struct msghdr *msg)
{
    int fd = -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(msg);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(fd)))
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    return fd;
}

int xlx__usbd_receive(int sock, struct xlx__usbd_message *m_r, int *fd_r)
{
    struct iovec part = { m_r, sizeof(*m_r) };
    union control control = { 0 };
    struct msghdr msg = { .msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control.bytes,
                          .msg_controllen = sizeof(control.bytes) };
    ssize_t n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    *fd_r = -1;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    *fd_r = take_fd(&msg);
    if (n == (ssize_t)sizeof(*m_r) && !(msg.msg_flags & MSG_TRUNC))
        return 1;
    if (*fd_r >= 0)
        close(*fd_r);
    *fd_r = -1;
    return n ? -EPROTO : -EPIPE;
}

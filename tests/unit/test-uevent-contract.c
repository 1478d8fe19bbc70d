/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The contract of uevents, over those in memory, and over the kernel's socket,
 * which is here: socket(), bind() and recvmsg() of it. Over the kernel itself:
 * tests/rig/cases/usb-hotplug.sh.
 */
#include "test.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fakes/uevent_mem.h"

struct subject {
    struct xlx__uevents *uevents;
    struct uevent_mem *mem;
    xlx_ctx *ctx;
    void (*send)(struct subject *s, const char *action, const char *busid);
    void (*lose)(struct subject *s);
};

/* --- the kernel ----------------------------------------------------------- */

static struct {
    int ours, theirs; /* the kernel's end of the socket, and the other */
    int bind_err;
    struct sockaddr_nl bound;
} kernel = { -1, -1, 0, { 0 } };

/* What goes through the socket. */
struct datagram {
    uint32_t port; /* who sent it, 0: the kernel */
    int err;       /* in place of a message */
    size_t len;
    char text[XLX__UEVENT_TEXT_MAX + 8];
};

int socket(int domain, int type, int protocol)
{
    int pair[2];
    if (domain != AF_NETLINK)
        return (int)syscall(SYS_socket, domain, type, protocol);
    assert_int_equal(protocol, NETLINK_KOBJECT_UEVENT);
    assert_true(type & SOCK_CLOEXEC);
    type = SOCK_DGRAM | (type & (SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socketpair(AF_UNIX, type, 0, pair))
        return -1;
    kernel.ours = pair[0];
    kernel.theirs = pair[1];
    return pair[1];
}

int bind(int fd, const struct sockaddr *address, socklen_t len)
{
    if (fd != kernel.theirs)
        return (int)syscall(SYS_bind, fd, address, len);
    assert_int_equal(len, sizeof(kernel.bound));
    memcpy(&kernel.bound, address, len);
    errno = kernel.bind_err;
    return kernel.bind_err ? -1 : 0;
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
    struct datagram d;
    struct sockaddr_nl *from = msg->msg_name;
    if (fd != kernel.theirs)
        return syscall(SYS_recvmsg, fd, msg, flags);
    if (recv(fd, &d, sizeof(d), flags) < 0)
        return -1;
    if (d.err) {
        errno = d.err;
        return -1;
    }
    size_t room = msg->msg_iov->iov_len, n = d.len < room ? d.len : room;
    memcpy(msg->msg_iov->iov_base, d.text, n);
    msg->msg_flags = n < d.len ? MSG_TRUNC : 0;
    *from = (struct sockaddr_nl){ .nl_family = AF_NETLINK, .nl_pid = d.port };
    return (ssize_t)n;
}

static void deliver(const struct datagram *d)
{
    assert_int_equal(write(kernel.ours, d, sizeof(*d)), sizeof(*d));
}

static void deliver_err(int err)
{
    const struct datagram d = { .err = err };
    deliver(&d);
}

/* As the kernel writes it, with a NUL behind each line. */
static struct datagram message(const char *action, const char *busid,
                               const char *type)
{
    struct datagram d = { 0 };
    d.len = (size_t)snprintf(d.text, sizeof(d.text),
                             "%s@/devices/pci0000:00/usb1/%s\n"
                             "ACTION=%s\n"
                             "DEVPATH=/devices/pci0000:00/usb1/%s\n"
                             "SUBSYSTEM=usb\n"
                             "DEVTYPE=%s\n"
                             "SEQNUM=4711\n",
                             action, busid, action, busid, type);
    for (char *p = d.text; (p = strchr(p, '\n'));)
        *p++ = '\0';
    return d;
}

/* --- the cases ------------------------------------------------------------ */

static bool is_readable(struct subject *s)
{
    struct pollfd pfd = { .fd = s->uevents->ops->fd(s->uevents),
                          .events = POLLIN };
    return poll(&pfd, 1, 0) == 1;
}

static int next(struct subject *s, struct xlx__uevent *event)
{
    return s->uevents->ops->next(s->uevents, event);
}

static void expect(struct subject *s, const char *action, const char *busid)
{
    struct xlx__uevent event = { 0 };
    assert_int_equal(next(s, &event), 1);
    assert_string_equal(event.action, action);
    assert_string_equal(event.busid, busid);
}

static void without_news_there_is_none(struct subject *s)
{
    struct xlx__uevent event = { .action = "x" };
    assert_false(is_readable(s));
    assert_int_equal(next(s, &event), 0);
    assert_int_equal(next(s, &event), 0);
    assert_string_equal(event.action, "x");
}

static void each_is_told_once_and_in_order(struct subject *s)
{
    struct xlx__uevent event;
    s->send(s, "add", "1-2");
    s->send(s, "remove", "2-1.4.3");
    assert_true(is_readable(s));
    expect(s, "add", "1-2");
    expect(s, "remove", "2-1.4.3");
    assert_int_equal(next(s, &event), 0);
    assert_false(is_readable(s));
    s->send(s, "bind", "1-2");
    assert_true(is_readable(s));
    expect(s, "bind", "1-2");
}

static void a_loss_is_told_once(struct subject *s)
{
    struct xlx__uevent event;
    s->lose(s);
    assert_true(is_readable(s));
    assert_int_equal(next(s, &event), -ENOBUFS);
    assert_int_equal(next(s, &event), 0);
    assert_false(is_readable(s));
    s->send(s, "add", "1-2");
    expect(s, "add", "1-2");
}

/* --- the subjects --------------------------------------------------------- */

static void fake_send(struct subject *s, const char *action, const char *busid)
{
    uevent_mem_send(s->mem, action, busid);
}

static void fake_lose(struct subject *s)
{
    uevent_mem_lose(s->mem);
}

static void real_send(struct subject *s, const char *action, const char *busid)
{
    const struct datagram d = message(action, busid, "usb_device");
    (void)s;
    deliver(&d);
}

static void real_lose(struct subject *s)
{
    (void)s;
    deliver_err(ENOBUFS);
}

static struct subject begin(bool real)
{
    struct subject s = { .send = real ? real_send : fake_send,
                         .lose = real ? real_lose : fake_lose };
    assert_int_equal(xlx_ctx_new(&s.ctx), 0);
    if (!real) {
        s.mem = uevent_mem_new();
        s.ctx->uevents = uevent_mem_seam(s.mem);
    }
    assert_int_equal(xlx__uevents_open(s.ctx), 0);
    s.uevents = s.ctx->uevents;
    return s;
}

static void end(struct subject *s)
{
    xlx_ctx_free(s->ctx);
    if (!s->mem)
        close(kernel.ours);
    kernel.ours = kernel.theirs = -1;
}

static void run_cases(bool real)
{
    static void (*const cases[])(struct subject *) = {
        without_news_there_is_none,
        each_is_told_once_and_in_order,
        a_loss_is_told_once,
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct subject s = begin(real);
        cases[i](&s);
        end(&s);
    }
}

static void the_fake_keeps_it(void **state)
{
    (void)state;
    run_cases(false);
}

static void the_socket_keeps_it(void **state)
{
    (void)state;
    run_cases(true);
}

/* --- of the socket alone -------------------------------------------------- */

static void it_hears_the_kernels_group_only(void **state)
{
    (void)state;
    struct subject s = begin(true);
    assert_int_equal(kernel.bound.nl_family, AF_NETLINK);
    assert_int_equal(kernel.bound.nl_groups, 1);
    end(&s);
}

/* The event behind each is the next one that is told. */
static void what_is_none_of_ours_is_passed_over(void **state)
{
    (void)state;
    struct subject s = begin(true);
    struct datagram d = message("add", "1-3", "usb_device");
    d.port = 4711; /* another process */
    deliver(&d);
    s.send(&s, "add", "1-4");
    expect(&s, "add", "1-4");
    d = message("add", "1-3:1.0", "usb_interface");
    deliver(&d);
    deliver_err(EINTR);
    s.send(&s, "add", "1-5");
    expect(&s, "add", "1-5");
    end(&s);
}

static void a_message_of_any_size_but_a_cut_one_is_read(void **state)
{
    (void)state;
    struct subject s = begin(true);
    struct xlx__uevent event;
    for (size_t len = XLX__UEVENT_TEXT_MAX - 1; len < XLX__UEVENT_TEXT_MAX + 2;
         len++) {
        struct datagram d = message("add", "1-3", "usb_device");
        memset(d.text + d.len, 'x', len - d.len);
        d.text[len - 1] = '\0';
        d.len = len;
        deliver(&d);
        assert_int_equal(next(&s, &event), len <= XLX__UEVENT_TEXT_MAX);
    }
    end(&s);
}

static void another_failure_is_told(void **state)
{
    (void)state;
    struct subject s = begin(true);
    struct xlx__uevent event;
    deliver_err(ENOMEM);
    assert_int_equal(next(&s, &event), -ENOMEM);
    end(&s);
}

static void what_cannot_listen_leaves_nothing_open(void **state)
{
    (void)state;
    xlx_ctx *ctx;
    assert_int_equal(xlx_ctx_new(&ctx), 0);
    kernel.bind_err = EPERM;
    assert_int_equal(xlx__uevents_open(ctx), -EPERM);
    assert_non_null(strstr(xlx_ctx_error(ctx), "cannot listen"));
    assert_null(ctx->uevents);
    assert_int_equal(send(kernel.ours, "", 1, MSG_NOSIGNAL), -1);
    close(kernel.ours);
    kernel.bind_err = 0;
    xlx_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fake_keeps_it),
        cmocka_unit_test(the_socket_keeps_it),
        cmocka_unit_test(it_hears_the_kernels_group_only),
        cmocka_unit_test(what_is_none_of_ours_is_passed_over),
        cmocka_unit_test(a_message_of_any_size_but_a_cut_one_is_read),
        cmocka_unit_test(another_failure_is_told),
        cmocka_unit_test(what_cannot_listen_leaves_nothing_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

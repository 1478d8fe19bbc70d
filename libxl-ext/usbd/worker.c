/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usbd/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/array.h"
#include "usbd/serve.h"

/* --- the broker ----------------------------------------------------------- */

static struct xlx__usbd_hc **find_hc(struct xlx__usbd *d, uint32_t devid)
{
    for (unsigned i = 0; i < XLX__NR(d->hc); i++)
        if (d->hc[i] && d->hc[i]->devid == devid)
            return &d->hc[i];
    return NULL;
}

static struct xlx__usbd_hc **find_room(struct xlx__usbd *d)
{
    for (unsigned i = 0; i < XLX__NR(d->hc); i++)
        if (!d->hc[i])
            return &d->hc[i];
    return NULL;
}

static void open_hc(struct xlx__usbd *d, const struct xlx__usbd_message *m)
{
    struct xlx__usbd_message answer = { .kind = XLX__USBD_OPENED,
                                        .devid = m->devid };
    struct xlx__usbd_hc **room = find_room(d);
    if (find_hc(d, m->devid))
        answer.error = -EEXIST;
    else
        answer.error = room ? xlx__usbd_hc_open(d, m, room) : -ENOSPC;
    xlx__usbd_say(d, &answer);
    /* What came while nobody listened. */
    if (!answer.error)
        xlx__usbd_hc_serve(*room);
}

static void close_hc(struct xlx__usbd *d, uint32_t devid)
{
    const struct xlx__usbd_message answer = { .kind = XLX__USBD_CLOSED,
                                              .devid = devid };
    struct xlx__usbd_hc **hc = find_hc(d, devid);
    if (hc) {
        xlx__usbd_hc_close(*hc);
        *hc = NULL;
    }
    xlx__usbd_say(d, &answer);
}

static void order_port(struct xlx__usbd_port *port,
                       const struct xlx__usbd_message *m, int *fd)
{
    if (m->kind == XLX__USBD_PLUG && *fd >= 0) {
        xlx__usbd_port_plug(port, m, *fd);
        *fd = -1;
    } else if (m->kind == XLX__USBD_NOT_CONFIGURED) {
        xlx__usbd_port_not_configured(port);
    } else if (m->kind == XLX__USBD_UNPLUG) {
        xlx__usbd_port_unplug(port);
        xlx__usbd_report(port->hc, XLX__USBD_UNPLUGGED, port->number, 0);
    }
    /* Also what waited for it. */
    xlx__usbd_hc_serve(port->hc);
}

void xlx__usbd_order(struct xlx__usbd *d, const struct xlx__usbd_message *m,
                     int fd)
{
    struct xlx__usbd_hc **hc = find_hc(d, m->devid);
    if (m->kind == XLX__USBD_OPEN)
        open_hc(d, m);
    else if (m->kind == XLX__USBD_CLOSE)
        close_hc(d, m->devid);
    else if (hc && m->kind == XLX__USBD_SETTLED)
        xlx__usbd_hc_settle(*hc);
    else if (hc && m->port >= 1 && m->port <= (*hc)->nr_ports)
        order_port(&(*hc)->port[m->port - 1], m, &fd);
    if (fd >= 0)
        close(fd);
}

static void take_orders(struct xlx__usbd *d)
{
    struct xlx__usbd_message m;
    int fd, rc = 1;
    while (rc == 1 && d->broker >= 0) {
        rc = xlx__usbd_receive(d->broker, &m, &fd);
        if (rc == 1)
            xlx__usbd_order(d, &m, fd);
    }
    if (rc < 0 && d->broker >= 0) {
        close(d->broker);
        d->broker = -1;
    }
}

/* --- the loop ------------------------------------------------------------- */

static int watch(struct xlx__usbd *d, int fd, void *who)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = who };
    return epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static struct xlx__usbd_hc *find_by_evtchn(struct xlx__usbd *d, uint32_t evtchn)
{
    for (unsigned i = 0; i < XLX__NR(d->hc); i++)
        if (d->hc[i] && d->hc[i]->evtchn == evtchn)
            return d->hc[i];
    return NULL;
}

static void take_events(struct xlx__usbd *d)
{
    struct xlx__usb_guest *g = d->guest;
    uint32_t evtchn;
    /* One at a time: another one would be told of again, and mostly there is
     * none. */
    if (g->ops->pending(g, &evtchn) != 1)
        return;
    struct xlx__usbd_hc *hc = find_by_evtchn(d, evtchn);
    if (hc)
        xlx__usbd_hc_serve(hc);
    /* First, as a device takes its time, too. */
    g->ops->unmask(g, evtchn);
    if (hc)
        xlx__usbd_hc_reap(hc);
}

/* A port that was closed by what came before it is not there any more. */
static bool is_there(struct xlx__usbd *d, const struct xlx__usbd_port *port)
{
    for (unsigned i = 0; i < XLX__NR(d->hc); i++)
        if (d->hc[i] && port >= d->hc[i]->port &&
            port < d->hc[i]->port + XLX__NR(d->hc[i]->port))
            return port->dev >= 0;
    return false;
}

static void take_device(struct xlx__usbd *d, struct xlx__usbd_port *port)
{
    if (!is_there(d, port))
        return;
    struct xlx__usbd_hc *hc = port->hc;
    xlx__usbd_port_reap(port);
    xlx__usbd_hc_tell(hc);
}

/* Those that had more than their share. True: some have more still. */
static bool take_more(struct xlx__usbd *d)
{
    bool more = false;
    for (unsigned i = 0; i < XLX__NR(d->hc); i++) {
        if (d->hc[i] && d->hc[i]->more)
            xlx__usbd_hc_serve(d->hc[i]);
        more |= d->hc[i] && d->hc[i]->more;
    }
    return more;
}

static int serve(struct xlx__usbd *d)
{
    while (d->broker >= 0) {
        struct epoll_event events[16];
        int wait = take_more(d) ? 0 : -1;
        int nr = epoll_wait(d->epoll, events, XLX__NR(events), wait);
        if (nr < 0 && errno != EINTR)
            return -errno;
        for (int i = 0; i < nr; i++) {
            if (events[i].data.ptr == &d->broker)
                take_orders(d);
            else if (events[i].data.ptr == d->guest)
                take_events(d);
            else
                take_device(d, events[i].data.ptr);
        }
    }
    return 0;
}

static int open_all(struct xlx__usbd *d, int state)
{
    int rc = xlx__usbd_state_map(state, &d->state);
    if (!rc)
        rc = xlx__usb_guest_xen(d->domid, &d->guest);
    if (rc)
        return rc;
    d->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (d->epoll < 0)
        return -errno;
    rc = watch(d, d->broker, &d->broker);
    return rc ? rc : watch(d, d->guest->ops->fd(d->guest), d->guest);
}

int xlx__usbd_worker_run(uint32_t domid, int broker, int state,
                         int (*confine)(void *user), void *user)
{
    struct xlx__usbd d = { .domid = domid, .broker = broker, .epoll = -1 };
    d.fs = xlx__usbfs_host();
    int rc = open_all(&d, state);
    if (rc)
        xlx__usbd_log(&d, "cannot open the guest's grants and events: %s",
                      strerror(-rc));
    if (!rc)
        rc = confine(user);
    if (!rc)
        rc = serve(&d);
    /* The process ends, with all it has. Nothing is closed in an order: that
     * would be the end of controllers that the next worker continues with. */
    return rc;
}

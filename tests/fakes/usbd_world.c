/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/usbd_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKEND "/local/domain/0/backend/qusb/5"
#define FRONTEND "/local/domain/5/device/vusb"
#define STATUS "/libxl-ext/usb-backend/5"
#define SETTLED_AFTER 2000 /* more rounds than any test needs */

static const struct sysfs_dev host_devices[] = {
    { .busid = "1-2",
      .class = "00",
      .vendor = "0951",
      .product_id = "1666",
      .speed = "480",
      .address = "3",
      .intf = { { .name = "1-2:1.0",
                  .driver = "usb-storage",
                  .match = "usb-storage",
                  .class = "080650" } } },
    { .busid = "1-3",
      .class = "00",
      .vendor = "046d",
      .product_id = "c52b",
      .speed = "1.5",
      .address = "4",
      .intf = { { .name = "1-3:1.0",
                  .driver = "usbhid",
                  .match = "usbhid",
                  .class = "030101" } } },
    { .busid = "1-4",
      .class = "09",
      .vendor = "1d6b",
      .product_id = "0002",
      .speed = "480",
      .address = "5" },
    { .busid = "2-1",
      .class = "00",
      .vendor = "0951",
      .product_id = "1667",
      .speed = "5000",
      .bus = "2",
      .address = "2" },
    { .busid = "2-2",
      .class = "00",
      .vendor = "0951",
      .product_id = "1668",
      .speed = "12",
      .bus = "2",
      .address = "6" },
    { .busid = "2-3",
      .class = "00",
      .vendor = "0951",
      .product_id = "1669",
      .speed = "53",
      .bus = "2",
      .address = "7" },
};

static void note_line(void *user, enum xlx_log_level level, const char *text)
{
    struct usbd_world *w = user;
    size_t n = strlen(w->lines);
    (void)level;
    snprintf(w->lines + n, sizeof(w->lines) - n, "%s\n", text);
}

struct usbd_world *usbd_world_new(void)
{
    struct usbd_world *w = calloc(1, sizeof(*w));
    if (xlx_ctx_new(&w->ctx))
        abort();
    w->worker = w->sock = -1;
    w->xs = xs_mem_new(&w->nth);
    w->sysfs = sysfs_mem_new(&w->nth);
    w->ctx->xs = xs_mem_seam(w->xs);
    w->ctx->sysfs = sysfs_mem_seam(w->sysfs);
    w->devices.nth = &w->nth;
    w->devices.sysfs = w->sysfs;
    xlx_ctx_set_log(w->ctx, note_line, w, XLX_LOG_WARN);
    xs_mem_put(w->xs, "/local/domain/5/name", "guest");
    xs_mem_put(w->xs, "/local/domain/5/vm",
               "/vm/00000000-0000-4000-8000-000000000005");
    for (size_t i = 0; i < sizeof(host_devices) / sizeof(host_devices[0]); i++)
        sysfs_mem_plug(w->sysfs, &host_devices[i]);
    return w;
}

void usbd_world_kill(struct usbd_world *w)
{
    xlx__usbd_broker_free(w->broker);
    w->broker = NULL;
    if (w->sock >= 0)
        close(w->sock);
    w->sock = -1;
    if (w->worker >= 0)
        close(w->worker);
    w->worker = -1;
    memset(w->has, 0, sizeof(w->has));
}

void usbd_world_free(struct usbd_world *w)
{
    usbd_world_kill(w);
    xlx_ctx_free(w->ctx);
    free(w);
}

int usbd_world_start(struct usbd_world *w)
{
    int ends[2];
    usbd_world_kill(w);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        abort();
    w->sock = ends[0];
    w->worker = ends[1];
    if (xlx__usbd_broker_new(w->ctx, USBD_DOMID, ends[0],
                             usbd_fake_new(&w->devices), &w->broker))
        abort();
    return xlx__usbd_broker_start(w->broker);
}

/* --- nodes ---------------------------------------------------------------- */

static void put(struct usbd_world *w, const char *dir, unsigned devid,
                const char *node, const char *value)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%u/%s", dir, devid, node);
    xs_mem_put(w->xs, path, value);
}

void usbd_world_put_be(struct usbd_world *w, unsigned devid, const char *node,
                       const char *value)
{
    put(w, BACKEND, devid, node, value);
}

void usbd_world_put_fe(struct usbd_world *w, unsigned devid, const char *node,
                       const char *value)
{
    put(w, FRONTEND, devid, node, value);
}

const char *usbd_world_be(struct usbd_world *w, unsigned devid,
                          const char *node)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%u/%s", BACKEND, devid, node);
    return xs_mem_get(w->xs, path);
}

const char *usbd_world_status(struct usbd_world *w, unsigned devid,
                              unsigned port)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%u/%u", STATUS, devid, port);
    return xs_mem_get(w->xs, path);
}

void usbd_world_make(struct usbd_world *w, unsigned devid)
{
    static const char *const ports[] = { "port/1", "port/2", "port/3" };
    usbd_world_put_fe(w, devid, "state", "1");
    usbd_world_put_be(w, devid, "online", "1");
    usbd_world_put_be(w, devid, "num-ports", "3");
    for (int i = 0; i < 3; i++)
        usbd_world_put_be(w, devid, ports[i], "");
    usbd_world_put_be(w, devid, "state", "1");
}

void usbd_world_connect(struct usbd_world *w, unsigned devid)
{
    usbd_world_put_fe(w, devid, "urb-ring-ref", "8");
    usbd_world_put_fe(w, devid, "conn-ring-ref", "9");
    usbd_world_put_fe(w, devid, "event-channel", "17");
    usbd_world_put_fe(w, devid, "state", "4");
}

void usbd_world_remove(struct usbd_world *w, unsigned devid)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/%u", BACKEND, devid);
    xs_mem_put(w->xs, path, NULL);
    snprintf(path, sizeof(path), "%s/%u", FRONTEND, devid);
    xs_mem_put(w->xs, path, NULL);
}

void usbd_world_fill(struct usbd_world *w, unsigned devid, unsigned port,
                     const char *busid)
{
    char node[16];
    snprintf(node, sizeof(node), "port/%u", port);
    usbd_world_put_be(w, devid, node, busid);
}

/* --- the worker ----------------------------------------------------------- */

bool usbd_world_hear(struct usbd_world *w, struct xlx__usbd_message *m_r,
                     bool *had_fd_r)
{
    int fd, rc = xlx__usbd_receive(w->worker, m_r, &fd);
    /* It follows whatever PLUG there is, and is not answered. */
    for (; rc > 0 && m_r->kind == XLX__USBD_SETTLED; w->settled++)
        rc = xlx__usbd_receive(w->worker, m_r, &fd);
    *had_fd_r = rc > 0 && fd >= 0;
    if (*had_fd_r)
        close(fd);
    return rc > 0;
}

void usbd_world_tell(struct usbd_world *w, enum xlx__usbd_kind kind,
                     unsigned devid, unsigned port, int32_t error,
                     uint32_t value)
{
    struct xlx__usbd_message m = { .kind = kind,
                                   .devid = devid,
                                   .port = port,
                                   .error = error,
                                   .value = value };
    if (xlx__usbd_send(w->worker, &m, -1))
        abort();
}

static void answer(struct usbd_world *w, const struct xlx__usbd_message *m,
                   bool had_fd)
{
    bool *has = &w->has[m->devid][m->port];
    switch (m->kind) {
    case XLX__USBD_OPEN:
        usbd_world_tell(w, XLX__USBD_OPENED, m->devid, 0, w->open_error, 0);
        break;
    case XLX__USBD_CLOSE:
        memset(w->has[m->devid], 0, sizeof(w->has[m->devid]));
        usbd_world_tell(w, XLX__USBD_CLOSED, m->devid, 0, 0, 0);
        break;
    case XLX__USBD_PLUG:
        if (!had_fd || *has)
            abort();
        *has = true;
        usbd_world_tell(w, XLX__USBD_CONFIGURED, m->devid, m->port, 0, 0);
        break;
    case XLX__USBD_UNPLUG:
        *has = false;
        usbd_world_tell(w, XLX__USBD_UNPLUGGED, m->devid, m->port, 0, 0);
        break;
    default:
        abort();
    }
}

/* Whether it did anything. */
static bool let_worker(struct usbd_world *w)
{
    struct xlx__usbd_message m;
    bool had_fd, did = false;
    while (w->worker >= 0 && usbd_world_hear(w, &m, &had_fd)) {
        did = true;
        if (++w->messages == w->dies_at) {
            close(w->worker);
            w->worker = -1;
        } else {
            answer(w, &m, had_fd);
        }
    }
    return did;
}

/* --- both ----------------------------------------------------------------- */

int usbd_world_step(struct usbd_world *w)
{
    return xlx__usbd_broker_step(w->broker);
}

static void start_again(struct usbd_world *w)
{
    do {
        if (++w->deaths > 20)
            abort();
    } while (usbd_world_start(w));
}

int usbd_world_settle(struct usbd_world *w)
{
    for (int i = 0; i < SETTLED_AFTER; i++) {
        int rc = usbd_world_step(w);
        if (rc > 0) {
            usbd_world_kill(w);
            return rc;
        }
        if (rc < 0 || ++w->steps == w->killed_at)
            start_again(w);
        else if (!let_worker(w) && w->worker >= 0)
            return 0;
    }
    abort();
}

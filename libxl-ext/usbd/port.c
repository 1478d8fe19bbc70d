/* SPDX-License-Identifier: LGPL-2.1-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "usbd/descriptors.h"
#include "usbd/serve.h"

static struct xlx__usbfs *fs_of(const struct xlx__usbd_port *port)
{
    return port->hc->usbd->fs;
}

void xlx__usbd_port_init(struct xlx__usbd_port *port, struct xlx__usbd_hc *hc,
                         uint32_t number)
{
    *port = (struct xlx__usbd_port){
        .hc = hc,
        .state = &hc->state->port[number - 1],
        .number = number,
        .dev = -1,
        .awaited = hc->state->port[number - 1].told != XLX__USBD_NONE,
        .config_slot = XLX__USBD_NO_SLOT,
    };
}

/* --- the descriptor ------------------------------------------------------- */

static int read_descriptors(struct xlx__usbd_port *port)
{
    /* Zeroed: usbfs leaves gaps between configurations. */
    uint8_t *bytes = calloc(1, XLX__USBD_DESCRIPTORS_MAX);
    if (!bytes)
        return -ENOMEM;
    int n = fs_of(port)->ops->descriptors(fs_of(port), port->dev, bytes,
                                          XLX__USBD_DESCRIPTORS_MAX);
    if (n > 0) {
        uint8_t *less = realloc(bytes, (size_t)n);
        port->descriptors = less ? less : bytes;
        port->nr_descriptors = (size_t)n;
        return 0;
    }
    free(bytes);
    return n ? n : -ENODEV;
}

static void read_interfaces(struct xlx__usbd_port *port)
{
    const struct xlx__usbd_descriptors d = { port->descriptors,
                                             port->nr_descriptors };
    uint8_t intf[XLX__USBD_INTFS_MAX];
    int nr = xlx__usbd_interfaces(&d, (uint8_t)port->config, intf);
    port->intfs = 0;
    for (int i = 0; i < nr; i++)
        if (intf[i] < XLX__USBD_INTFS_MAX)
            port->intfs |= UINT32_C(1) << intf[i];
}

/* Whether the loop looks at the device's descriptor. 0 or -errno. */
static int watch_device(struct xlx__usbd_port *port)
{
    /* usbfs: writable when there is something to reap. */
    struct epoll_event event = { .events = EPOLLOUT, .data.ptr = port };
    if (port->hc->usbd->epoll < 0)
        return 0;
    return epoll_ctl(port->hc->usbd->epoll, EPOLL_CTL_ADD, port->dev, &event)
               ? -errno
               : 0;
}

static void unwatch_device(struct xlx__usbd_port *port)
{
    if (port->hc->usbd->epoll >= 0)
        epoll_ctl(port->hc->usbd->epoll, EPOLL_CTL_DEL, port->dev, NULL);
}

static void close_device(struct xlx__usbd_port *port)
{
    if (port->dev >= 0) {
        unwatch_device(port);
        fs_of(port)->ops->close(fs_of(port), port->dev);
    }
    port->dev = -1;
    free(port->descriptors);
    port->descriptors = NULL;
    port->nr_descriptors = 0;
}

static void answer_config(struct xlx__usbd_port *port, int32_t status)
{
    uint32_t slot = port->config_slot;
    port->config_slot = XLX__USBD_NO_SLOT;
    if (slot != XLX__USBD_NO_SLOT)
        xlx__usbd_answer_status(port->hc, slot, status);
}

/* What a device that has gone leaves: nothing, but that the guest knows it. */
static void forget_device(struct xlx__usbd_port *port)
{
    close_device(port);
    answer_config(port, XLX__FRONT_NODEV);
    port->speed = XLX__USBD_NONE;
    port->state->address = 0;
    port->state->configured = 0;
    memset(port->state->alt, 0, sizeof(port->state->alt));
}

/* --- coming --------------------------------------------------------------- */

static void note_configured(struct xlx__usbd_port *port)
{
    port->state->configured = 1;
    xlx__usbd_report(port->hc, XLX__USBD_CONFIGURED, port->number, 0);
}

/* After one that was killed: the guest has chosen settings, which the device
 * lost when it was opened again. */
static void choose_settings_again(struct xlx__usbd_port *port)
{
    for (uint32_t i = 0; i < XLX__USBD_INTFS_MAX; i++)
        if (port->state->alt[i] && port->intfs & UINT32_C(1) << i)
            fs_of(port)->ops->set_interface(fs_of(port), port->dev, i,
                                            port->state->alt[i]);
    if (port->state->configured)
        note_configured(port);
}

static int open_device(struct xlx__usbd_port *port,
                       const struct xlx__usbd_message *m, int dev)
{
    port->dev = dev;
    port->speed = m->dev.speed;
    port->super_speed = m->dev.super_speed != 0;
    port->config = m->value;
    int rc = watch_device(port);
    if (!rc)
        rc = read_descriptors(port);
    if (!rc)
        read_interfaces(port);
    return rc;
}

void xlx__usbd_port_plug(struct xlx__usbd_port *port,
                         const struct xlx__usbd_message *m, int dev)
{
    bool waits = port->config_slot != XLX__USBD_NO_SLOT;
    bool again = port->awaited && port->state->told == m->dev.speed;
    if (port->dev >= 0)
        xlx__usbd_port_unplug(port);
    port->awaited = false;
    int rc = open_device(port, m, dev);
    if (rc) {
        xlx__usbd_log(port->hc->usbd,
                      "controller %u port %u: cannot read the "
                      "device: %s",
                      port->hc->devid, port->number, strerror(-rc));
        xlx__usbd_port_gone(port);
    } else if (waits) {
        answer_config(port, XLX__FRONT_OK);
        note_configured(port);
    } else if (again) {
        choose_settings_again(port);
    } else {
        memset(&port->state->stats, 0, sizeof(port->state->stats));
    }
}

/* --- going ---------------------------------------------------------------- */

void xlx__usbd_port_unplug(struct xlx__usbd_port *port)
{
    if (port->dev >= 0)
        xlx__usbd_urb_end_all(port);
    forget_device(port);
    port->awaited = false;
    port->replaced = port->state->told != XLX__USBD_NONE;
    xlx__usbd_hc_tell(port->hc);
}

void xlx__usbd_port_gone(struct xlx__usbd_port *port)
{
    if (port->dev < 0)
        return;
    xlx__usbd_port_unplug(port);
    xlx__usbd_report(port->hc, XLX__USBD_GONE, port->number, 0);
}

void xlx__usbd_port_not_configured(struct xlx__usbd_port *port)
{
    answer_config(port, XLX__FRONT_STALL);
    xlx__usbd_port_unplug(port);
}

void xlx__usbd_port_reap(struct xlx__usbd_port *port)
{
    struct usbdevfs_urb *kernel;
    bool more = true;
    int rc = 0;
    /* Once in any case, and once more when the last one says that the device
     * has gone. */
    while (more && port->dev >= 0) {
        rc = fs_of(port)->ops->reap(fs_of(port), port->dev, &kernel);
        more = rc == 1 && (port->in_flight > 1 || kernel->status == -ESHUTDOWN);
        if (rc == 1)
            xlx__usbd_urb_done(port->hc, kernel);
    }
    if (rc < 0)
        xlx__usbd_port_gone(port);
}

/* --- what a guest asks for ------------------------------------------------ */

static int32_t reset(struct xlx__usbd_port *port)
{
    xlx__usbd_urb_end_all(port);
    int rc = fs_of(port)->ops->reset(fs_of(port), port->dev, port->intfs);
    port->state->address = 0;
    port->state->configured = 0;
    memset(port->state->alt, 0, sizeof(port->state->alt));
    if (rc == -ENODEV)
        xlx__usbd_port_gone(port);
    return xlx__usbd_status(-rc);
}

int32_t xlx__usbd_port_address(struct xlx__usbd_port *port, uint32_t address)
{
    if (port->dev < 0 || (address && address != port->state->address))
        return XLX__FRONT_NODEV;
    if (address || !port->state->address)
        return XLX__FRONT_OK;
    return reset(port);
}

/* As the standard has it: the first setting of each interface. */
static int first_settings(struct xlx__usbd_port *port)
{
    int rc = 0;
    for (uint32_t i = 0; !rc && i < XLX__USBD_INTFS_MAX; i++) {
        if (!port->state->alt[i])
            continue;
        rc = fs_of(port)->ops->set_interface(fs_of(port), port->dev, i, 0);
        port->state->alt[i] = 0;
    }
    return rc;
}

static void ask_for_config(struct xlx__usbd_port *port, uint32_t slot,
                           uint32_t value)
{
    xlx__usbd_urb_end_all(port);
    close_device(port);
    port->state->configured = 0;
    memset(port->state->alt, 0, sizeof(port->state->alt));
    port->config_slot = slot;
    xlx__usbd_report(port->hc, XLX__USBD_CONFIGURE, port->number, value);
}

void xlx__usbd_port_set_config(struct xlx__usbd_port *port, uint32_t slot,
                               uint32_t value)
{
    if (value && value != port->config) {
        ask_for_config(port, slot, value);
        return;
    }
    int rc = first_settings(port);
    xlx__usbd_answer_status(port->hc, slot, xlx__usbd_status(-rc));
    if (rc == -ENODEV)
        xlx__usbd_port_gone(port);
    else if (!rc && value)
        note_configured(port);
}

void xlx__usbd_port_unlink_config(struct xlx__usbd_hc *hc, uint16_t id)
{
    for (uint32_t i = 0; i < hc->nr_ports; i++) {
        uint32_t slot = hc->port[i].config_slot;
        if (slot != XLX__USBD_NO_SLOT && hc->urb[slot].req.id == id)
            answer_config(&hc->port[i], XLX__FRONT_SHUTDOWN);
    }
}

void xlx__usbd_port_set_interface(struct xlx__usbd_port *port, uint32_t slot,
                                  uint32_t intf, uint32_t alt)
{
    if (intf >= XLX__USBD_INTFS_MAX || alt > UINT8_MAX) {
        port->state->stats.refused++;
        xlx__usbd_answer_status(port->hc, slot, XLX__FRONT_STALL);
        return;
    }
    int rc = fs_of(port)->ops->set_interface(fs_of(port), port->dev, intf, alt);
    if (!rc)
        port->state->alt[intf] = (uint8_t)alt;
    /* usbfs: no such interface, or setting. */
    if (rc == -EINVAL)
        rc = -EPIPE;
    xlx__usbd_answer_status(port->hc, slot, xlx__usbd_status(-rc));
    if (rc == -ENODEV)
        xlx__usbd_port_gone(port);
}

void xlx__usbd_port_clear_halt(struct xlx__usbd_port *port, uint32_t slot,
                               uint32_t endpoint)
{
    int rc = fs_of(port)->ops->clear_halt(fs_of(port), port->dev, endpoint);
    if (rc == -ENOENT || rc == -EINVAL)
        rc = -EPIPE;
    xlx__usbd_answer_status(port->hc, slot, xlx__usbd_status(-rc));
    if (rc == -ENODEV)
        xlx__usbd_port_gone(port);
}

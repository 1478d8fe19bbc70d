/* SPDX-License-Identifier: LGPL-2.1-only */
#include <stdio.h>
#include <string.h>

#include "core/array.h"
#include "core/parse.h"
#include "core/printable.h"
#include "host/sysfs.h"
#include "usb/attach/audit.h"
#include "usb/device/busid.h"
#include "usb/device/device.h"
#include "usbd/broker_impl.h"
#include "usbd/rate.h"

static struct port *port_of(struct hc *hc, uint32_t nr)
{
    return &hc->port[nr - 1];
}

static struct xlx__usbd_message message(const struct hc *hc, uint32_t nr,
                                        enum xlx__usbd_kind kind)
{
    return (struct xlx__usbd_message){ .kind = kind,
                                       .devid = hc->devid,
                                       .port = nr };
}

static int write_status(struct xlx__usbd_broker *b, struct hc *hc, uint32_t nr,
                        enum xlx__usbd_what what, const char *why)
{
    const struct port *p = port_of(hc, nr);
    struct xlx__usbd_status s = { .what = what, .address = p->claim.address };
    xlx__printable(s.busid, sizeof(s.busid), p->busid);
    xlx__printable(s.why, sizeof(s.why), why);
    return xlx__usbd_status_write(b->ctx, b->domid, hc->devid, nr, &s);
}

/* The port is empty again, and nothing of what was there is with us. */
static int clear(struct xlx__usbd_broker *b, struct hc *hc, uint32_t nr)
{
    *port_of(hc, nr) = (struct port){ .claim = { .fd = -1 } };
    b->again = true;
    return xlx__usbd_status_remove(b->ctx, b->domid, hc->devid, nr);
}

/* --- what a device is ----------------------------------------------------- */

/* In Mbit/s, as sysfs has it without what is behind the point. */
static bool set_speed(uint32_t mbits, struct xlx__usbd_message *m)
{
    static const struct {
        uint32_t mbits, speed;
    } speeds[] = {
        { 1, XLX__USBD_LOW },
        { 12, XLX__USBD_FULL },
        { 480, XLX__USBD_HIGH },
    };
    m->dev.super_speed = mbits >= 5000;
    m->dev.speed = m->dev.super_speed ? XLX__USBD_HIGH : XLX__USBD_NONE;
    for (size_t i = 0; i < XLX__NR(speeds); i++)
        if (speeds[i].mbits == mbits)
            m->dev.speed = speeds[i].speed;
    return m->dev.speed != XLX__USBD_NONE;
}

/* 0 for a device that is not configured. */
static int read_config(xlx_ctx *ctx, const char *busid, uint8_t *config_r)
{
    char path[96], text[8];
    uint32_t value = 0;
    snprintf(path, sizeof(path), "bus/usb/devices/%s/bConfigurationValue",
             busid);
    int rc = xlx__sysfs_read_any(ctx, path, text, sizeof(text));
    if (!rc && *text)
        xlx__parse_u32(text, 0, UINT8_MAX, &value);
    *config_r = (uint8_t)value;
    return rc;
}

static const struct port *find_other(struct xlx__usbd_broker *b,
                                     const struct port *self, const char *busid,
                                     uint32_t *devid_r, uint32_t *nr_r)
{
    for (unsigned i = 0; i < XLX__USBD_HC_MAX; i++)
        for (uint32_t nr = 1; nr <= XLX__USBD_PORTS_MAX; nr++) {
            const struct port *p = &b->hc[i].port[nr - 1];
            if (!b->hc[i].used || p == self || p->state < PORT_PLUGGED ||
                strcmp(p->busid, busid))
                continue;
            *devid_r = b->hc[i].devid;
            *nr_r = nr;
            return p;
        }
    return NULL;
}

/* Whether another port of this guest has it; usbfs would only name us. -EBUSY,
 * or -EAGAIN: that is about to change. */
static int check_other(struct xlx__usbd_broker *b, const struct port *self,
                       const char *busid, char *why)
{
    char now[XLX_USB_BUSID_MAX];
    uint32_t devid, nr;
    const struct port *p = find_other(b, self, busid, &devid, &nr);
    if (!p)
        return 0;
    int rc = xlx__usbd_bus_port(&b->bus, devid, nr, now);
    snprintf(why, XLX__USBD_WHY_MAX,
             "this guest has it on controller %u port %u", devid, nr);
    if (rc)
        return rc;
    return p->state != PORT_UNPLUGGING && !strcmp(now, busid) ? -EBUSY
                                                              : -EAGAIN;
}

/* Without a change: 0, or -errno and `why`. */
static int look_device(struct xlx__usbd_broker *b, const struct port *self,
                       const char *busid, struct xlx__usbd_wish *wish_r,
                       char *why)
{
    struct xlx__usbdev dev;
    struct xlx__usbd_message speed;
    *wish_r = (struct xlx__usbd_wish){ .new_config = XLX__USBD_NO_CONFIG };
    snprintf(why, XLX__USBD_WHY_MAX, "it is not a busid");
    if (!xlx__busid_valid(busid))
        return -EINVAL;
    int rc = check_other(b, self, busid, why);
    if (rc)
        return rc;
    /* A port names a place: not another one that is in it by now. */
    rc = xlx__usbdev_read_given(b->ctx, busid, b->domid, &dev);
    if (!rc)
        rc = read_config(b->ctx, busid, &wish_r->config);
    snprintf(why, XLX__USBD_WHY_MAX, "%s",
             rc == -ENODEV ? "no such device on this host"
                           : "sysfs cannot be read");
    if (rc)
        return rc;
    snprintf(why, XLX__USBD_WHY_MAX, "%s",
             dev.hub ? "it is a hub" : "its speed is not known");
    if (dev.hub || !set_speed(dev.mbits, &speed))
        return -ENOTSUP;
    snprintf(wish_r->busid, sizeof(wish_r->busid), "%s", busid);
    wish_r->bus = dev.bus;
    wish_r->address = dev.address;
    wish_r->mbits = dev.mbits;
    return 0;
}

/* --- plugging in ---------------------------------------------------------- */

static int send_plug(struct xlx__usbd_broker *b, struct hc *hc, uint32_t nr,
                     const struct xlx__usbd_wish *wish)
{
    struct xlx__usbd_message m = message(hc, nr, XLX__USBD_PLUG);
    set_speed(wish->mbits, &m);
    m.value = wish->new_config == XLX__USBD_NO_CONFIG
                  ? wish->config
                  : (uint32_t)wish->new_config;
    return xlx__broker_send(b, &m, port_of(hc, nr)->claim.fd);
}

/* Not tried again before the port changes, or its controller is opened again.
 * */
static int refuse_device(struct xlx__usbd_broker *b, struct hc *hc, uint32_t nr,
                         const char *busid, const char *why)
{
    struct port *p = port_of(hc, nr);
    char text[XLX_USB_BUSID_MAX];
    *p = (struct port){ .state = PORT_FAILED, .claim = { .fd = -1 } };
    snprintf(p->busid, sizeof(p->busid), "%s", busid);
    xlx__printable(text, sizeof(text), busid);
    xlx__broker_say(b, hc, nr, "usb %s: %s", text, why);
    return write_status(b, hc, nr, XLX__USBD_FAILED_PORT, why);
}

/* The status is there before the worker has the device: whoever comes after us
 * then knows that something may be half done in it. */
static int take_device(struct xlx__usbd_broker *b, struct hc *hc, uint32_t nr,
                       struct xlx__usbd_wish *wish, const char *busid,
                       char *why)
{
    struct port *p = port_of(hc, nr);
    struct xlx__usbd_claim claim = { .fd = -1 };
    bool held = p->state == PORT_HELD;
    int rc = b->devices->ops->claim(b->devices, wish, &claim, why);
    if (rc && held) {
        claim = (struct xlx__usbd_claim){ -1, wish->bus, wish->address };
        b->devices->ops->give_back(b->devices, &claim, false);
    }
    if (rc)
        return refuse_device(b, hc, nr, busid, why);
    *p = (struct port){ .state = PORT_PLUGGED, .claim = claim };
    snprintf(p->busid, sizeof(p->busid), "%s", wish->busid);
    rc = write_status(b, hc, nr, XLX__USBD_OPENED_PORT, "");
    return rc ? rc : send_plug(b, hc, nr, wish);
}

static int take_and_plug(struct xlx__usbd_broker *b, struct hc *hc, uint32_t nr,
                         const char *busid)
{
    struct xlx__usbd_wish wish;
    char why[XLX__USBD_WHY_MAX];
    if (!xlx__broker_can_send(b))
        return 0;
    int rc = look_device(b, port_of(hc, nr), busid, &wish, why);
    if (rc == -EAGAIN)
        return 0;
    return rc ? refuse_device(b, hc, nr, busid, why)
              : take_device(b, hc, nr, &wish, busid, why);
}

/* --- pulled out ----------------------------------------------------------- */

static int empty_pulled(struct xlx__usbd_broker *b, struct hc *hc, uint32_t nr)
{
    const struct port *p = port_of(hc, nr);
    int rc = xlx__usbd_bus_empty_port(&b->bus, hc->devid, nr, p->busid);
    if (rc > 0)
        xlx__usb_audit(b->ctx, 0,
                       "usb %s: pulled out: detach from domain %u, controller "
                       "%u port %u",
                       p->busid, b->domid, hc->devid, nr);
    return rc < 0 ? rc : 0;
}

/* What the library wrote down goes only if it is about this one: the device may
 * be plugged in again, and given to somebody, by now. */
static int forget_port(struct xlx__usbd_broker *b, struct hc *hc, uint32_t nr)
{
    struct port *p = port_of(hc, nr);
    int rc = p->claim.address
                 ? xlx__usbdev_forget_gone(b->ctx, p->busid, b->domid,
                                           p->claim.address)
                 : 0;
    if (rc)
        return rc;
    b->devices->ops->drop(b->devices, &p->claim);
    return clear(b, hc, nr);
}

static int forget_pulled(struct xlx__usbd_broker *b, struct hc *hc, uint32_t nr)
{
    int rc = empty_pulled(b, hc, nr);
    return rc ? rc : forget_port(b, hc, nr);
}

/* --- giving back ---------------------------------------------------------- */

/* Of one that went with an earlier broker only the address is known. 1: that is
 * where it still is; 0: it was pulled out. */
static int find_again(struct xlx__usbd_broker *b, struct port *p)
{
    struct xlx__usbdev dev;
    if (p->claim.fd >= 0)
        return 1;
    int rc = xlx__busid_valid(p->busid)
                 ? xlx__usbdev_read(b->ctx, p->busid, &dev)
                 : -ENODEV;
    if (rc)
        return rc == -ENODEV ? 0 : rc;
    p->claim.bus = dev.bus;
    return p->claim.address == dev.address;
}

int xlx__broker_release_port(struct xlx__usbd_broker *b, struct hc *hc,
                             uint32_t nr)
{
    struct port *p = port_of(hc, nr);
    if (p->state < PORT_PLUGGED)
        return p->state == PORT_FAILED ? clear(b, hc, nr) : 0;
    int rc = find_again(b, p);
    if (rc <= 0)
        return rc ? rc : forget_pulled(b, hc, nr);
    rc = b->devices->ops->give_back(b->devices, &p->claim, p->used);
    if (rc && rc != -ENODEV)
        xlx__broker_say(b, hc, nr, "usb %s: given back, but not reset: %s",
                        p->busid, strerror(-rc));
    return clear(b, hc, nr);
}

/* --- the worker's words --------------------------------------------------- */

int xlx__broker_unplugged(struct xlx__usbd_broker *b, struct hc *hc,
                          uint32_t nr)
{
    struct port *p = port_of(hc, nr);
    if (p->state != PORT_UNPLUGGING) {
        xlx__broker_say(b, hc, nr,
                        "the worker released a device without "
                        "being told to");
        return 0;
    }
    /* The port may hold a new wish by now, for the same place. */
    return p->gone ? forget_port(b, hc, nr)
                   : xlx__broker_release_port(b, hc, nr);
}

int xlx__broker_gone(struct xlx__usbd_broker *b, struct hc *hc, uint32_t nr)
{
    struct port *p = port_of(hc, nr);
    if (p->state == PORT_UNPLUGGING)
        p->gone = true; /* it answers UNPLUG all the same */
    else if (p->state == PORT_PLUGGED)
        return forget_pulled(b, hc, nr);
    else
        xlx__broker_say(b, hc, nr,
                        "the worker lost a device that it does "
                        "not have");
    return 0;
}

static int refuse_config(struct xlx__usbd_broker *b, struct hc *hc, uint32_t nr,
                         int error)
{
    struct xlx__usbd_message m = message(hc, nr, XLX__USBD_NOT_CONFIGURED);
    m.error = error;
    int rc = xlx__broker_send(b, &m, -1);
    /* The worker has nothing left to notice it by. */
    if (!rc && error == -ENODEV) {
        port_of(hc, nr)->gone = true;
        b->again = true;
        rc = empty_pulled(b, hc, nr);
    }
    return rc;
}

/* Another configuration has other interfaces: nothing of the old file is of any
 * use for it. */
static int set_config(struct xlx__usbd_broker *b, struct hc *hc, uint32_t nr,
                      uint32_t value)
{
    struct port *p = port_of(hc, nr);
    struct xlx__usbd_wish wish;
    char why[XLX__USBD_WHY_MAX], ignored[XLX__USBD_WHY_MAX];
    uint32_t address = p->claim.address;
    b->devices->ops->drop(b->devices, &p->claim);
    p->used = true;
    int rc = look_device(b, p, p->busid, &wish, why);
    if (!rc && wish.address != address) {
        snprintf(why, sizeof(why), "no such device on this host");
        rc = -ENODEV;
    }
    wish.new_config = (int)value;
    if (!rc)
        rc = b->devices->ops->claim(b->devices, &wish, &p->claim, why);
    if (!rc)
        return send_plug(b, hc, nr, &wish);
    /* No driver of this host gets it meanwhile; whether that can be done is of
     * no use to anybody. */
    int error = rc;
    wish.new_config = XLX__USBD_NO_CONFIG;
    if (rc != -ENODEV)
        b->devices->ops->claim(b->devices, &wish, &p->claim, ignored);
    xlx__broker_say(b, hc, nr, "usb %s: configuration %u: %s", p->busid, value,
                    why);
    return refuse_config(b, hc, nr, error);
}

int xlx__broker_configure(struct xlx__usbd_broker *b, struct hc *hc,
                          uint32_t nr, uint32_t value)
{
    struct port *p = port_of(hc, nr);
    if (p->state == PORT_UNPLUGGING || hc->state == HC_CLOSING)
        return 0; /* told before it knew; it waits for nothing any more */
    if (p->state == PORT_PLUGGED && value <= UINT8_MAX)
        return set_config(b, hc, nr, value);
    xlx__broker_say(b, hc, nr, "the worker requests configuration %u of %s",
                    value,
                    p->state == PORT_PLUGGED ? "its device" : "no device");
    return 0;
}

int xlx__broker_configured(struct xlx__usbd_broker *b, struct hc *hc,
                           uint32_t nr)
{
    struct port *p = port_of(hc, nr);
    if (p->state < PORT_PLUGGED || p->state == PORT_HELD) {
        xlx__broker_say(b, hc, nr,
                        "the worker configured a device that it "
                        "does not have");
        return 0;
    }
    p->used = true;
    return p->state == PORT_PLUGGED
               ? write_status(b, hc, nr, XLX__USBD_CONFIGURED_PORT, "")
               : 0;
}

int xlx__broker_port_closed(struct xlx__usbd_broker *b, struct hc *hc,
                            uint32_t nr)
{
    struct port *p = port_of(hc, nr);
    if (p->state == PORT_FAILED)
        return clear(b, hc, nr);
    if (p->state < PORT_PLUGGED)
        return 0;
    if (p->gone)
        return forget_port(b, hc, nr);
    p->state = PORT_HELD;
    return 0;
}

/* --- what xenstore wants -------------------------------------------------- */

static int unplug_from_worker(struct xlx__usbd_broker *b, struct hc *hc,
                              uint32_t nr)
{
    struct xlx__usbd_message m = message(hc, nr, XLX__USBD_UNPLUG);
    if (!xlx__broker_can_send(b))
        return 0;
    port_of(hc, nr)->state = PORT_UNPLUGGING;
    return xlx__broker_send(b, &m, -1);
}

/*
 * A device that is ours is passed on again: to a worker that has never seen it,
 * or to a guest that has closed its controller. Both know it as fresh out of
 * a reset.
 */
static int plug_former_device(struct xlx__usbd_broker *b, struct hc *hc,
                              uint32_t nr)
{
    struct port *p = port_of(hc, nr);
    struct xlx__usbd_wish wish;
    char busid[XLX_USB_BUSID_MAX], why[XLX__USBD_WHY_MAX];
    if (!xlx__broker_can_send(b))
        return 0;
    uint32_t address = p->claim.address;
    int rc = look_device(b, p, p->busid, &wish, why);
    if (rc == -ENODEV || (!rc && wish.address != address))
        return forget_pulled(b, hc, nr);
    /* Whatever is wrong with it is said when it is plugged in like any other.
     */
    if (rc)
        return rc == -EAGAIN ? 0 : xlx__broker_release_port(b, hc, nr);
    memcpy(busid, p->busid, sizeof(busid));
    b->devices->ops->drop(b->devices, &p->claim);
    wish.reset = p->used;
    return take_device(b, hc, nr, &wish, busid, why);
}

static int look_held(struct xlx__usbd_broker *b, struct hc *hc, uint32_t nr,
                     bool same, bool may_plug)
{
    if (!same)
        return xlx__broker_release_port(b, hc, nr);
    return may_plug ? plug_former_device(b, hc, nr) : 0;
}

int xlx__broker_look_port(struct xlx__usbd_broker *b, struct hc *hc,
                          uint32_t nr, bool may_plug)
{
    struct port *p = port_of(hc, nr);
    char now[XLX_USB_BUSID_MAX];
    if (p->state == PORT_EMPTY && (nr > hc->nr_ports || !may_plug))
        return 0;
    if (p->state == PORT_UNPLUGGING ||
        (p->state == PORT_PLUGGED && hc->state != HC_OPEN))
        return 0;
    int rc = xlx__usbd_bus_port(&b->bus, hc->devid, nr, now);
    if (rc)
        return rc;
    bool same = hc->there && !strcmp(now, p->busid);
    switch (p->state) {
    case PORT_EMPTY:
        return *now ? take_and_plug(b, hc, nr, now) : 0;
    case PORT_FAILED:
        return same ? 0 : clear(b, hc, nr);
    case PORT_PLUGGED:
        return same ? 0 : unplug_from_worker(b, hc, nr);
    case PORT_UNPLUGGING:
        return 0;
    case PORT_HELD:
        return look_held(b, hc, nr, same, may_plug);
    }
    return 0;
}

void xlx__broker_recall_port(struct hc *hc, uint32_t nr,
                             const struct xlx__usbd_status *s)
{
    struct port *p = port_of(hc, nr);
    *p = (struct port){
        .state = s->what == XLX__USBD_FAILED_PORT ? PORT_FAILED : PORT_HELD,
        .claim = { .fd = -1, .address = s->address },
        .used = true,
    };
    memcpy(p->busid, s->busid, sizeof(p->busid));
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Whom the worker tells: the log, the broker, and the guest.
 */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "usbd/serve.h"

#define LINES_A_MINUTE 60u
#define MINUTE_US 60000000

int64_t xlx__usbd_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool may_log(struct xlx__usbd *d)
{
    int64_t now = xlx__usbd_now_us();
    if (now - d->log_from > MINUTE_US) {
        d->log_from = now;
        d->log_lines = 0;
    }
    return d->log_lines++ < LINES_A_MINUTE;
}

void xlx__usbd_log(struct xlx__usbd *d, const char *fmt, ...)
{
    char line[256];
    va_list args;
    if (!may_log(d))
        return;
    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    dprintf(2, "xl-ext-usb-backend: domain %u: %s\n", d->domid, line);
}

/* --- the broker ----------------------------------------------------------- */

void xlx__usbd_say(struct xlx__usbd *d, const struct xlx__usbd_message *m)
{
    if (d->broker >= 0 && xlx__usbd_send(d->broker, m, -1)) {
        /* It is gone, or has stopped; the loop ends. */
        close(d->broker);
        d->broker = -1;
    }
}

void xlx__usbd_report(struct xlx__usbd_hc *hc, uint32_t kind, uint32_t port,
                      uint32_t value)
{
    const struct xlx__usbd_message m = {
        .kind = kind, .devid = hc->devid, .port = port, .value = value
    };
    xlx__usbd_say(hc->usbd, &m);
}

/* --- the guest: answers --------------------------------------------------- */

void xlx__usbd_answer(struct xlx__usbd_hc *hc, uint32_t slot,
                      const struct xlx__front_answer *answer)
{
    if (!hc->broken &&
        xlx__front_answer(hc->urb_page, &hc->state->ring, slot, answer))
        hc->notify = true;
}

void xlx__usbd_answer_status(struct xlx__usbd_hc *hc, uint32_t slot,
                             int32_t status)
{
    const struct xlx__front_answer answer = { .status = status };
    xlx__usbd_answer(hc, slot, &answer);
}

void xlx__usbd_hc_break_off(struct xlx__usbd_hc *hc)
{
    hc->broken = true;
    xlx__usbd_log(hc->usbd,
                  "controller %u: the guest violates the protocol of the "
                  "ring: it is no longer served",
                  hc->devid);
}

/* --- the guest: its ports ------------------------------------------------- */

static uint32_t wanted(const struct xlx__usbd_port *port)
{
    bool there = port->dev >= 0 || port->config_slot != XLX__USBD_NO_SLOT;
    return there && !port->replaced ? port->speed : XLX__USBD_NONE;
}

/* False: not now. */
static bool tell_port(struct xlx__usbd_hc *hc, struct xlx__usbd_port *port,
                      uint32_t speed)
{
    int rc = xlx__front_tell(hc->conn_page, port->number, speed);
    if (rc < 0)
        xlx__usbd_hc_break_off(hc);
    if (rc <= 0)
        return false;
    hc->notify |= rc == 1;
    port->state->told = (uint8_t)speed;
    return true;
}

static void tell_changes(struct xlx__usbd_hc *hc)
{
    for (uint32_t i = 0; i < hc->nr_ports && !hc->broken; i++) {
        struct xlx__usbd_port *port = &hc->port[i];
        if (port->awaited)
            continue;
        /* One that the guest knows goes before another one comes. */
        if (port->replaced &&
            (!port->state->told || tell_port(hc, port, XLX__USBD_NONE)))
            port->replaced = false;
        if (!port->replaced && port->state->told != wanted(port))
            tell_port(hc, port, wanted(port));
    }
}

void xlx__usbd_hc_tell(struct xlx__usbd_hc *hc)
{
    struct xlx__usb_guest *g = hc->usbd->guest;
    tell_changes(hc);
    if (hc->notify)
        g->ops->notify(g, hc->evtchn);
    hc->notify = false;
}

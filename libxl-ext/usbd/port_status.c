/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usbd/port_status.h"

#include <stdio.h>
#include <string.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/parse.h"
#include "core/printable.h"
#include "xen/xenstore.h"

#define TOP "/libxl-ext/usb-backend/%u"
#define ABOVE 4 /* folders that go when they are empty: up to /libxl-ext */

/* The order of enum xlx__usbd_what. */
static const char *const words[] = { "opened", "configured", "failed: " };
#define NR_WORDS XLX__NR(words)

static bool parse(const char *text, struct xlx__usbd_status *s)
{
    size_t n = strcspn(text, " ");
    if (!n || n >= sizeof(s->busid) || !text[n])
        return false;
    snprintf(s->busid, sizeof(s->busid), "%.*s", (int)n, text);
    text += n + 1;
    n = strlen(words[XLX__USBD_FAILED_PORT]);
    if (!strncmp(text, words[XLX__USBD_FAILED_PORT], n)) {
        s->what = XLX__USBD_FAILED_PORT;
        xlx__printable(s->why, sizeof(s->why), text + n);
        return true;
    }
    for (unsigned i = 0; i < XLX__USBD_FAILED_PORT; i++)
        if (!strcmp(text, words[i])) {
            s->what = i;
            return true;
        }
    return false;
}

int xlx__usbd_status_read(xlx_ctx *ctx, uint32_t domid, uint32_t devid,
                          uint32_t port, struct xlx__usbd_status *s_r)
{
    XLX__AUTO_FREE char *text = NULL;
    *s_r = (struct xlx__usbd_status){ 0 };
    int rc = xlx__xs_read(ctx, XLX__XS_NO_TX, &text, XLX__USBD_STATUS, domid,
                          devid, port);
    if (rc)
        return rc == -ENOENT ? 0 : rc;
    if (!parse(text, s_r))
        return 0;
    rc = xlx__xs_read_u32(ctx, XLX__XS_NO_TX, 0, UINT32_MAX, &s_r->address,
                          XLX__USBD_STATUS "/address", domid, devid, port);
    return rc && rc != -ENOENT && rc != -EINVAL ? rc : 1;
}

struct place {
    uint32_t domid, devid, port;
    const struct xlx__usbd_status *s;
};

static int write_nodes(xlx_ctx *ctx, uint32_t t, void *arg)
{
    const struct place *p = arg;
    char text[XLX_USB_BUSID_MAX + XLX__USBD_WHY_MAX + 16];
    snprintf(text, sizeof(text), "%s %s%s", p->s->busid, words[p->s->what],
             p->s->what == XLX__USBD_FAILED_PORT ? p->s->why : "");
    int rc = xlx__xs_write(ctx, t, text, XLX__USBD_STATUS, p->domid, p->devid,
                           p->port);
    return rc ? rc
              : xlx__xs_write_u32(ctx, t, p->s->address,
                                  XLX__USBD_STATUS "/address", p->domid,
                                  p->devid, p->port);
}

int xlx__usbd_status_write(xlx_ctx *ctx, uint32_t domid, uint32_t devid,
                           uint32_t port, const struct xlx__usbd_status *s)
{
    struct place p = { domid, devid, port, s };
    return xlx__xs_transact(ctx, write_nodes, &p);
}

static int remove_nodes(xlx_ctx *ctx, uint32_t t, void *arg)
{
    const struct place *p = arg;
    return xlx__xs_rm(ctx, t, ABOVE, XLX__USBD_STATUS, p->domid, p->devid,
                      p->port);
}

/* In a transaction: another guest's backend may just be writing its first node
 * into a folder that is empty here. */
int xlx__usbd_status_remove(xlx_ctx *ctx, uint32_t domid, uint32_t devid,
                            uint32_t port)
{
    struct place p = { domid, devid, port, NULL };
    return xlx__xs_transact(ctx, remove_nodes, &p);
}

typedef int each_fn(void *arg, uint32_t devid, uint32_t port,
                    const struct xlx__usbd_status *s);

static int each_port(xlx_ctx *ctx, uint32_t domid, uint32_t devid,
                     each_fn *each, void *arg)
{
    XLX__AUTO_NAMES struct xlx__names ports = { 0 };
    int rc = xlx__xs_ls(ctx, XLX__XS_NO_TX, &ports, TOP "/%u", domid, devid);
    for (size_t i = 0; !rc && i < ports.nr; i++) {
        struct xlx__usbd_status s;
        uint32_t port;
        if (xlx__parse_u32(ports.v[i], 1, XLX__USBD_PORTS_MAX, &port))
            continue;
        rc = xlx__usbd_status_read(ctx, domid, devid, port, &s);
        if (rc > 0)
            rc = each(arg, devid, port, &s);
    }
    return rc;
}

int xlx__usbd_status_each(xlx_ctx *ctx, uint32_t domid, each_fn *each,
                          void *arg)
{
    XLX__AUTO_NAMES struct xlx__names devids = { 0 };
    int rc = xlx__xs_ls(ctx, XLX__XS_NO_TX, &devids, TOP, domid);
    for (size_t i = 0; !rc && i < devids.nr; i++) {
        uint32_t devid;
        if (!xlx__parse_u32(devids.v[i], 0, UINT16_MAX, &devid))
            rc = each_port(ctx, domid, devid, each, arg);
    }
    return rc;
}

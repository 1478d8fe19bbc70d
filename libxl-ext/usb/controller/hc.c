/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/controller/hc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/parse.h"
#include "usb/controller/usbback.h"

#define LIBXL "/libxl/%u/device/vusb"
/* The first devid that a guest does not still hold on to; goes with the domain.
 */
#define AVOID "/libxl/%u/libxl-ext/next-devid"
#define FRONTEND "/local/domain/%u/device/vusb/%u"
#define BACKEND_DOMID 0u

/* libxl's names; the order of enum xlx_usb_type. */
static const char *const type_names[] = { "auto", "qusb", "pv", "devicemodel" };

#define NR_TYPES XLX__NR(type_names)

const char *xlx_usb_type_name(enum xlx_usb_type type)
{
    return (unsigned)type < NR_TYPES ? type_names[type] : "unknown";
}

/* --- reading -------------------------------------------------------------- */

static int read_type(xlx_ctx *ctx, struct xlx__hc *hc)
{
    XLX__AUTO_FREE char *text = NULL;
    int rc = xlx__xs_read(ctx, XLX__XS_NO_TX, &text, LIBXL "/%u/type",
                          hc->domid, hc->devid);
    if (rc)
        return rc;
    for (unsigned i = XLX_USB_QUSB; i < NR_TYPES; i++)
        if (!strcmp(text, type_names[i])) {
            hc->type = i;
            return 0;
        }
    return -EINVAL;
}

/* "/local/domain/<backend>/backend/...", as libxl writes it. */
static int backend_domid(const char *path, uint32_t *domid_r)
{
    static const char start[] = "/local/domain/";
    char number[8];
    size_t n = strlen(start);
    if (strncmp(path, start, n))
        return -EINVAL;
    size_t digits = strcspn(path + n, "/");
    if (digits >= sizeof(number) || strncmp(path + n + digits, "/backend/", 9))
        return -EINVAL;
    memcpy(number, path + n, digits);
    number[digits] = '\0';
    return xlx__parse_u32(number, 0, UINT16_MAX, domid_r) ? -EINVAL : 0;
}

static int read_backend(xlx_ctx *ctx, struct xlx__hc *hc)
{
    XLX__AUTO_FREE char *text = NULL;
    if (hc->type == XLX_USB_DEVICEMODEL) {
        snprintf(hc->be, sizeof(hc->be), LIBXL "/%u", hc->domid, hc->devid);
        return 0;
    }
    int rc = xlx__xs_read(ctx, XLX__XS_NO_TX, &text, LIBXL "/%u/backend",
                          hc->domid, hc->devid);
    if (rc)
        return rc;
    /* Room for what is appended to it. */
    if (strlen(text) + 32 >= sizeof(hc->be))
        return -EINVAL;
    strcpy(hc->be, text);
    return backend_domid(text, &hc->backend_domid);
}

/* -ENOENT and -EINVAL are not reported. */
static int read_hc(xlx_ctx *ctx, uint32_t domid, uint32_t devid,
                   struct xlx__hc *hc_r)
{
    struct xlx__hc hc = { .domid = domid, .devid = devid };
    int rc = read_type(ctx, &hc);
    if (!rc)
        rc = xlx__xs_read_u32(ctx, XLX__XS_NO_TX, 1, 3, &hc.version,
                              LIBXL "/%u/usb-ver", domid, devid);
    if (!rc)
        rc =
            xlx__xs_read_u32(ctx, XLX__XS_NO_TX, 1, XLX_USB_PORTS_MAX,
                             &hc.nr_ports, LIBXL "/%u/num-ports", domid, devid);
    if (!rc)
        rc = read_backend(ctx, &hc);
    if (!rc && hc.type == XLX_USB_PV) {
        rc = xlx__usbback_loaded(ctx);
        hc.by_kernel = rc > 0;
    }
    if (rc >= 0)
        *hc_r = hc;
    return rc < 0 ? rc : 0;
}

int xlx__hc_exists(xlx_ctx *ctx, uint32_t domid, uint32_t devid)
{
    return xlx__xs_exists(ctx, XLX__XS_NO_TX, LIBXL "/%u", domid, devid);
}

int xlx__hc_read(xlx_ctx *ctx, uint32_t domid, uint32_t devid,
                 struct xlx__hc *hc_r)
{
    int rc = read_hc(ctx, domid, devid, hc_r);
    if (rc == -ENOENT)
        return xlx__fail(ctx, ENODEV,
                         "domain %u: no USB controller %u: see usb-list", domid,
                         devid);
    if (rc == -EINVAL)
        return xlx__fail(ctx, ENODEV,
                         "domain %u: USB controller %u: malformed nodes in "
                         "xenstore",
                         domid, devid);
    return rc;
}

int xlx__hc_find(xlx_ctx *ctx, uint32_t domid, uint32_t devid,
                 struct xlx__hc *hc_r)
{
    int rc = read_hc(ctx, domid, devid, hc_r);
    if (rc == -ENOENT || rc == -EINVAL)
        return 0;
    return rc ? rc : 1;
}

static int by_devid(const void *a, const void *b)
{
    const struct xlx__hc *x = a, *y = b;
    return (x->devid > y->devid) - (x->devid < y->devid);
}

/* 1: read, 0: to be left out. */
static int read_listed(xlx_ctx *ctx, uint32_t domid, const char *name,
                       struct xlx__hc *hc)
{
    uint32_t devid;
    if (xlx__parse_u32(name, 0, UINT16_MAX, &devid))
        return 0;
    int rc = read_hc(ctx, domid, devid, hc);
    if (rc == -EINVAL)
        xlx__warn(ctx,
                  "domain %u: USB controller %u: malformed nodes in "
                  "xenstore: ignored",
                  domid, devid);
    if (rc == -EINVAL || rc == -ENOENT)
        return 0;
    return rc ? rc : 1;
}

int xlx__hc_list(xlx_ctx *ctx, uint32_t domid, struct xlx__hc **list_r)
{
    XLX__AUTO_NAMES struct xlx__names names = { 0 };
    XLX__AUTO_FREE struct xlx__hc *list = NULL;
    int nr = 0;
    int rc = xlx__xs_ls(ctx, XLX__XS_NO_TX, &names, LIBXL, domid);
    if (!rc && names.nr && !(list = calloc(names.nr, sizeof(*list))))
        rc = xlx__fail(ctx, ENOMEM, "domain %u: no memory", domid);
    for (size_t i = 0; rc >= 0 && i < names.nr; i++) {
        rc = read_listed(ctx, domid, names.v[i], &list[nr]);
        nr += rc > 0;
    }
    if (rc < 0)
        return rc;
    if (nr)
        qsort(list, (size_t)nr, sizeof(*list), by_devid);
    *list_r = xlx__steal(list);
    return nr;
}

/* --- ports ---------------------------------------------------------------- */

int xlx__hc_port(xlx_ctx *ctx, uint32_t t, const struct xlx__hc *hc,
                 uint32_t port, char busid_r[XLX_USB_BUSID_MAX])
{
    XLX__AUTO_FREE char *text = NULL;
    int rc = xlx__xs_read(ctx, t, &text, "%s/port/%u", hc->be, port);
    if (rc && rc != -ENOENT)
        return rc;
    snprintf(busid_r, XLX_USB_BUSID_MAX, "%s", text ? text : "");
    return 0;
}

int xlx__hc_check_port(xlx_ctx *ctx, uint32_t t, const struct xlx__hc *hc,
                       uint32_t port, const char *busid)
{
    char now[XLX_USB_BUSID_MAX];
    int rc = xlx__hc_port(ctx, t, hc, port, now);
    if (!rc && strcmp(now, busid))
        return xlx__fail(ctx, EBUSY,
                         "domain %u: port %u of controller %u: another tool "
                         "has just changed it",
                         hc->domid, port, hc->devid);
    return rc;
}

struct port_change {
    const struct xlx__hc *hc;
    uint32_t port;
    const char *from, *to;
};

static int change_port(xlx_ctx *ctx, uint32_t t, void *arg)
{
    const struct port_change *c = arg;
    int rc = xlx__hc_check_port(ctx, t, c->hc, c->port, c->from);
    return rc ? rc
              : xlx__xs_write(ctx, t, c->to, "%s/port/%u", c->hc->be, c->port);
}

int xlx__hc_set_port(xlx_ctx *ctx, const struct xlx__hc *hc, uint32_t port,
                     const char *from, const char *to)
{
    struct port_change c = { hc, port, from, to };
    return xlx__xs_transact(ctx, change_port, &c);
}

/* --- making --------------------------------------------------------------- */

int xlx__hc_avoid(xlx_ctx *ctx, const struct xlx__hc *hc)
{
    uint32_t next = 0;
    int rc = xlx__xs_read_u32(ctx, XLX__XS_NO_TX, 0, UINT16_MAX - 1, &next,
                              AVOID, hc->domid);
    if (rc && rc != -ENOENT && rc != -EINVAL)
        return rc;
    return hc->devid < next
               ? 0
               : xlx__xs_write_u32(ctx, XLX__XS_NO_TX, hc->devid + 1, AVOID,
                                   hc->domid);
}

static int next_devid(xlx_ctx *ctx, uint32_t t, uint32_t domid,
                      uint32_t *devid_r)
{
    XLX__AUTO_NAMES struct xlx__names names = { 0 };
    uint32_t next = 0;
    int rc = xlx__xs_read_u32(ctx, t, 0, UINT16_MAX - 1, &next, AVOID, domid);
    if (!rc || rc == -ENOENT || rc == -EINVAL)
        rc = xlx__xs_ls(ctx, t, &names, LIBXL, domid);
    for (size_t i = 0; !rc && i < names.nr; i++) {
        uint32_t devid;
        if (!xlx__parse_u32(names.v[i], next, UINT16_MAX - 1, &devid))
            next = devid + 1;
    }
    *devid_r = next;
    return rc;
}

/* The backend's own keys, which libxl's part holds a copy of. */
static int write_config(xlx_ctx *ctx, uint32_t t, const struct xlx__hc *hc,
                        const char *dir)
{
    int rc;
    if ((rc = xlx__xs_write_u32(ctx, t, hc->domid, "%s/frontend-id", dir)) ||
        (rc = xlx__xs_write(ctx, t, "1", "%s/online", dir)) ||
        (rc = xlx__xs_write(ctx, t, type_names[hc->type], "%s/type", dir)) ||
        (rc = xlx__xs_write_u32(ctx, t, hc->version, "%s/usb-ver", dir)) ||
        (rc = xlx__xs_write_u32(ctx, t, hc->nr_ports, "%s/num-ports", dir)) ||
        (rc = xlx__xs_write(ctx, t, "", "%s/port", dir)))
        return rc;
    for (uint32_t port = 1; !rc && port <= hc->nr_ports; port++)
        rc = xlx__xs_write(ctx, t, "", "%s/port/%u", dir, port);
    return rc ? rc
              : xlx__xs_write_u32(ctx, t, XLX__STATE_INITIALISING, "%s/state",
                                  dir);
}

static int rm_old(xlx_ctx *ctx, uint32_t t, const char *fe, const char *be,
                  const char *libxl)
{
    int rc = xlx__xs_rm(ctx, t, 0, "%s", libxl);
    if (!rc)
        rc = xlx__xs_rm(ctx, t, 0, "%s", fe);
    return rc ? rc : xlx__xs_rm(ctx, t, 0, "%s", be);
}

/* Each folder gets its permissions before its children, which inherit them. */
static int make_nodes(xlx_ctx *ctx, uint32_t t, void *arg)
{
    struct xlx__hc *hc = arg;
    char fe[XLX__XS_PATH_MAX], libxl[XLX__XS_PATH_MAX];
    uint32_t devid = hc->devid;
    int rc = devid == XLX_USB_ANY ? next_devid(ctx, t, hc->domid, &devid) : 0;
    if (rc)
        return rc;
    snprintf(fe, sizeof(fe), FRONTEND, hc->domid, devid);
    snprintf(libxl, sizeof(libxl), LIBXL "/%u", hc->domid, devid);
    snprintf(hc->be, sizeof(hc->be), "/local/domain/%u/backend/%s/%u/%u",
             BACKEND_DOMID, hc->type == XLX_USB_PV ? "vusb" : "qusb", hc->domid,
             devid);

    if ((rc = rm_old(ctx, t, fe, hc->be, libxl)) ||
        (rc = xlx__xs_write(ctx, t, fe, "%s/frontend", libxl)) ||
        (rc = xlx__xs_write(ctx, t, hc->be, "%s/backend", libxl)) ||
        (rc = xlx__xs_mkdir(ctx, t, hc->domid, BACKEND_DOMID, "%s", fe)) ||
        (rc = xlx__xs_write(ctx, t, hc->be, "%s/backend", fe)) ||
        (rc = xlx__xs_write_u32(ctx, t, BACKEND_DOMID, "%s/backend-id", fe)) ||
        (rc = xlx__xs_mkdir(ctx, t, BACKEND_DOMID, hc->domid, "%s", hc->be)) ||
        (rc = xlx__xs_write(ctx, t, fe, "%s/frontend", hc->be)) ||
        (rc = write_config(ctx, t, hc, hc->be)) ||
        (rc = write_config(ctx, t, hc, libxl)) ||
        (rc = xlx__xs_write_u32(ctx, t, XLX__STATE_INITIALISING, "%s/state",
                                fe)))
        return rc;
    hc->devid = devid;
    return 0;
}

int xlx__hc_make(xlx_ctx *ctx, struct xlx__hc *hc)
{
    struct xlx__hc made = *hc;
    made.backend_domid = BACKEND_DOMID;
    int rc = xlx__xs_transact(ctx, make_nodes, &made);
    if (!rc)
        *hc = made;
    return rc;
}

/* --- removing ------------------------------------------------------------- */

static int remove_nodes(xlx_ctx *ctx, uint32_t t, void *arg)
{
    const struct xlx__hc *hc = arg;
    int rc = xlx__xs_rm(ctx, t, 1, FRONTEND, hc->domid, hc->devid);
    if (!rc)
        rc = xlx__xs_rm(ctx, t, 2, "%s", hc->be);
    return rc ? rc : xlx__xs_rm(ctx, t, 2, LIBXL "/%u", hc->domid, hc->devid);
}

int xlx__hc_remove(xlx_ctx *ctx, const struct xlx__hc *hc)
{
    return xlx__xs_transact(ctx, remove_nodes, (void *)hc);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/io.h"
#include "host/lock.h"
#include "libxl_ext_usb.h"
#include "usbd/state.h"
#include "xen/domain.h"

_Static_assert(XLX_USB_LATENCIES == XLX__USBD_LATENCIES, "as they are counted");

static int not_counted(xlx_ctx *ctx, uint32_t domid)
{
    return xlx__fail_unlogged(
        ctx, ENODATA, "domain %u: no backend counts its requests", domid);
}

/* What a worker of a guest wrote: any bytes. */
static int read_state(xlx_ctx *ctx, uint32_t domid,
                      struct xlx__usbd_state *state_r)
{
    char name[64], path[PATH_MAX];
    snprintf(name, sizeof(name), "usb/%u.state", domid);
    int rc = xlx__run_path(ctx, name, path);
    if (rc)
        return rc;
    XLX__AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return not_counted(ctx, domid);
    if (fd < 0)
        return xlx__fail_errno(ctx, errno, "%s: cannot open", path);
    long n = xlx__read_upto(fd, (char *)state_r, sizeof(*state_r));
    if (n < 0)
        return xlx__fail_errno(ctx, (int)-n, "%s: cannot read", path);
    if (n != (long)sizeof(*state_r) ||
        state_r->magic != XLX__USBD_STATE_MAGIC ||
        state_r->version != XLX__USBD_STATE_VERSION)
        return not_counted(ctx, domid);
    return 0;
}

static void copy_stats(const struct xlx__usbd_stats *from,
                       struct xlx_usb_stats *to)
{
    to->requests = from->requests;
    to->errors = from->errors;
    to->refused = from->refused;
    to->bytes_in = from->bytes_in;
    to->bytes_out = from->bytes_out;
    to->lost_packets = from->lost_packets;
    memcpy(to->latency, from->latency, sizeof(to->latency));
}

int xlx_usb_stats(xlx_ctx *ctx, uint32_t domid,
                  const struct xlx_usb_place *place,
                  struct xlx_usb_stats *stats_r, size_t size)
{
    struct xlx_usb_stats stats;
    XLX__AUTO_FREE struct xlx__usbd_state *state = malloc(sizeof(*state));
    if (place->port < 1 || place->port > XLX__USBD_PORTS_MAX)
        return xlx__fail(ctx, EINVAL, "domain %u: no port %u", domid,
                         place->port);
    if (!state)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", domid);
    char guest[XLX__USBD_GUEST_SIZE] = "";
    int rc = read_state(ctx, domid, state);
    if (!rc)
        rc = xlx__dom_uuid(ctx, domid, guest);
    if (rc)
        return rc;
    struct xlx__usbd_hc_state *hc =
        xlx__usbd_state_find(state, guest, place->hc);
    if (!hc)
        return xlx__fail_unlogged(ctx, ENODATA,
                                  "domain %u: controller %u is not served",
                                  domid, place->hc);
    copy_stats(&hc->port[place->port - 1].stats, &stats);
    xlx__copy_sized(stats_r, size, &stats, sizeof(stats));
    return 0;
}

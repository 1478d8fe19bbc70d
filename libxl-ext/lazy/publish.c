/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The status in xenstore: what an operator's other tools look at, a node each.
 */
#include <inttypes.h>
#include <stdio.h>

#include "core/bytes.h"
#include "lazy/status.h"
#include "xen/xenstore.h"

/* Of a value; a whole message to xenstored has at most 4096 bytes. */
#define VALUE_MAX 2048

static int put(xlx_ctx *ctx, uint32_t t, uint32_t domid, const char *name,
               const char *value)
{
    return xlx__xs_write(ctx, t, value, XLX__LAZY_XS "/%s", domid, name);
}

static int put_number(xlx_ctx *ctx, uint32_t t, uint32_t domid,
                      const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, value);
    return put(ctx, t, domid, name, text);
}

/* Xenstore's tools take text, and less than a path may have. */
static int put_bytes(xlx_ctx *ctx, uint32_t t, uint32_t domid, const char *name,
                     const char *bytes)
{
    char text[XLX_LAZY_NAME_MAX * XLX__BYTES_GROW + 1];
    xlx__bytes_to_text(bytes, text);
    xlx__cut_text(text, VALUE_MAX);
    return put(ctx, t, domid, name, text);
}

static int publish(xlx_ctx *ctx, uint32_t t, void *arg)
{
    const struct xlx_lazy_status *s = arg;
    uint32_t domid = s->domid;
    /* A domain that is being destroyed must not get a node that stays. */
    int rc = xlx__xs_exists(ctx, t, "/libxl/%u", domid);
    if (rc <= 0)
        return rc ? rc : -ENOENT;
    rc = xlx__xs_mkdir(ctx, t, 0, 0, XLX__LAZY_XS, domid);
    if (!rc)
        rc = put(ctx, t, domid, "state", xlx_lazy_state_name(s->state));
    if (!rc)
        rc = put_bytes(ctx, t, domid, "reason", s->reason);
    if (!rc)
        rc = put_bytes(ctx, t, domid, "image", s->image);
    if (!rc)
        rc = put_number(ctx, t, domid, "pid", s->pid);
    if (!rc)
        rc = put_number(ctx, t, domid, "held-back", s->held_back);
    if (!rc)
        rc = put_number(ctx, t, domid, "done", s->done);
    if (!rc)
        rc = put_number(ctx, t, domid, "faults", s->faults);
    if (!rc)
        rc = put_number(ctx, t, domid, "bwlimit", s->bwlimit);
    if (!rc)
        rc = put_number(ctx, t, domid, "paused", s->paused);
    return rc;
}

int xlx__lazy_status_publish(xlx_ctx *ctx, const struct xlx_lazy_status *status)
{
    struct xlx_lazy_status copy = *status;
    return xlx__xs_transact(ctx, publish, &copy);
}

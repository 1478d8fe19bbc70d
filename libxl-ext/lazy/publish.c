/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The status in xenstore: what an operator's other tools look at, a node each.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/array.h"
#include "core/bytes.h"
#include "lazy/status.h"
#include "xen/xenstore.h"

/* Of a value; a whole message to xenstored has at most 4096 bytes. */
#define VALUE_MAX 2048

static int write_node(xlx_ctx *ctx, uint32_t t, uint32_t domid,
                      const char *name, const char *value)
{
    return xlx__xs_write(ctx, t, value, XLX__LAZY_XS "/%s", domid, name);
}

static int put_number(xlx_ctx *ctx, uint32_t t, uint32_t domid,
                      const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, value);
    return write_node(ctx, t, domid, name, text);
}

/* Xenstore's tools take text, and less than a path may have. */
static int put_bytes(xlx_ctx *ctx, uint32_t t, uint32_t domid, const char *name,
                     const char *bytes)
{
    char text[XLX_LAZY_NAME_MAX * XLX__BYTES_GROW + 1];
    xlx__bytes_to_text(bytes, text);
    xlx__cut_text(text, VALUE_MAX);
    return write_node(ctx, t, domid, name, text);
}

/* --- what changes --------------------------------------------------------- */

static int put_state(xlx_ctx *ctx, uint32_t t, const char *name,
                     const struct xlx_lazy_status *s)
{
    return write_node(ctx, t, s->domid, name, xlx_lazy_state_name(s->state));
}

static int put_reason(xlx_ctx *ctx, uint32_t t, const char *name,
                      const struct xlx_lazy_status *s)
{
    return put_bytes(ctx, t, s->domid, name, s->reason);
}

static int put_image(xlx_ctx *ctx, uint32_t t, const char *name,
                     const struct xlx_lazy_status *s)
{
    return put_bytes(ctx, t, s->domid, name, s->image);
}

static int put_pid(xlx_ctx *ctx, uint32_t t, const char *name,
                   const struct xlx_lazy_status *s)
{
    return put_number(ctx, t, s->domid, name, s->pid);
}

/* A node, and the field that it is made of: a number where nothing puts it. */
static const struct node {
    const char *name;
    size_t offset, size;
    int (*put)(xlx_ctx *ctx, uint32_t t, const char *name,
               const struct xlx_lazy_status *s);
} nodes[] = {
#define FIELD(field)                         \
    offsetof(struct xlx_lazy_status, field), \
        sizeof(((struct xlx_lazy_status *)0)->field)
    { "state", FIELD(state), put_state },
    { "reason", FIELD(reason), put_reason },
    { "image", FIELD(image), put_image },
    { "pid", FIELD(pid), put_pid },
    { "held-back", FIELD(held_back), NULL },
    { "done", FIELD(done), NULL },
    { "faults", FIELD(faults), NULL },
    { "bwlimit", FIELD(bwlimit), NULL },
    { "paused", FIELD(paused), NULL },
#undef FIELD
};
#define NR_NODES XLX__NR(nodes)

/* What is to be published, and what was before, or NULL. */
struct publication {
    const struct xlx_lazy_status *now, *before;
};

static const char *field(const struct xlx_lazy_status *s, size_t offset)
{
    return (const char *)s + offset;
}

static bool has_changed(const struct publication *p, const struct node *node)
{
    return !p->before || memcmp(field(p->now, node->offset),
                                field(p->before, node->offset), node->size);
}

static bool has_news(const struct publication *p)
{
    for (size_t i = 0; i < NR_NODES; i++)
        if (has_changed(p, &nodes[i]))
            return true;
    return false;
}

static int put_node(xlx_ctx *ctx, uint32_t t, const struct node *node,
                    const struct xlx_lazy_status *s)
{
    uint64_t number;
    if (node->put)
        return node->put(ctx, t, node->name, s);
    memcpy(&number, field(s, node->offset), sizeof(number));
    return put_number(ctx, t, s->domid, node->name, number);
}

static int publish(xlx_ctx *ctx, uint32_t t, void *arg)
{
    const struct publication *p = arg;
    uint32_t domid = p->now->domid;
    /* A domain that is being destroyed must not get a node that stays. */
    int rc = xlx__xs_exists(ctx, t, "/libxl/%u", domid);
    if (rc <= 0)
        return rc ? rc : -ENOENT;
    rc = p->before ? 0 : xlx__xs_mkdir(ctx, t, 0, 0, XLX__LAZY_XS, domid);
    for (size_t i = 0; !rc && i < NR_NODES; i++)
        if (has_changed(p, &nodes[i]))
            rc = put_node(ctx, t, &nodes[i], p->now);
    return rc;
}

int xlx__lazy_status_publish(xlx_ctx *ctx, const struct xlx_lazy_status *status,
                             const struct xlx_lazy_status *before)
{
    struct publication p = { .now = status, .before = before };
    return has_news(&p) ? xlx__xs_transact(ctx, publish, &p) : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-only */
#include "evtchn/offers.h"

#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "core/parse.h"
#include "core/printable.h"
#include "evtchn/spread.h"
#include "xen/xenstore.h"

#define AREA "/local/domain/%u/" XLX__OFFERS_NODE

/* --- values --------------------------------------------------------------- */

/* "0x41", of which *text is moved behind. 0: it is no vector. */
static unsigned take_vector(const char **text)
{
    const char *p = *text;
    uint32_t value;
    if (p[0] != '0' || p[1] != 'x' || xlx__parse_hex(p + 2, 2, &value))
        return 0;
    *text = p + 4;
    return value < XLX_EVTCHN_VECTOR_MIN ? 0 : value;
}

int xlx__offers_parse(const char *text, uint64_t vectors_r[4])
{
    uint64_t vectors[4] = { 0 };
    const char *p = text;
    if (strlen(text) > XLX__OFFERS_TEXT_MAX)
        return -EINVAL;
    while (*p) {
        unsigned first = take_vector(&p), last = first;
        if (*p == '-') {
            p++;
            last = take_vector(&p);
        }
        if (!first || last < first)
            return -EINVAL;
        for (unsigned v = first; v <= last; v++)
            vectors[v / 64] |= UINT64_C(1) << v % 64;
        if (*p == ' ' && p[1])
            p++;
        else if (*p)
            return -EINVAL;
    }
    memcpy(vectors_r, vectors, sizeof(vectors));
    return 0;
}

/* Decimal, without leading zeros, so that a number has one name. */
static int parse_number(const char *text, uint32_t max, uint32_t *value_r)
{
    if (text[0] == '0' && text[1])
        return -EINVAL;
    return xlx__parse_u32(text, 0, max, value_r) ? -EINVAL : 0;
}

int xlx__wish_parse(const char *text, uint32_t *vcpu_r, uint8_t *vector_r)
{
    char number[16];
    size_t n = strcspn(text, " ");
    if (!text[n] || n >= sizeof(number))
        return -EINVAL;
    memcpy(number, text, n);
    number[n] = '\0';
    const char *p = text + n + 1;
    unsigned vector = take_vector(&p);
    if (!vector || *p || parse_number(number, UINT16_MAX, vcpu_r))
        return -EINVAL;
    *vector_r = (uint8_t)vector;
    return 0;
}

/* --- reading -------------------------------------------------------------- */

struct reading {
    uint32_t domid, vcpus;
    struct xlx__offers *offers;
};

static int bad(xlx_ctx *ctx, uint32_t domid, const char *folder,
               const char *node, const char *why)
{
    char name[64];
    xlx__printable(name, sizeof(name), node);
    return xlx__fail(ctx, EBADMSG,
                     "domain %u: xenstore: " XLX__OFFERS_NODE "/%s%s: %s: "
                     "all of the guest's offers there are refused",
                     domid, folder, name, why);
}

static const uint64_t *offered_on(const struct xlx__offers *o, uint32_t vcpu)
{
    for (int i = 0; i < o->nr; i++)
        if (o->offer[i].vcpu == vcpu)
            return o->offer[i].vectors;
    return NULL;
}

static int by_vcpu(const void *a, const void *b)
{
    const struct xlx_evtchn_offer *x = a, *y = b;
    return x->vcpu < y->vcpu ? -1 : x->vcpu > y->vcpu;
}

static int read_vcpus(xlx_ctx *ctx, uint32_t t, const struct reading *r)
{
    XLX__AUTO_NAMES struct xlx__names ids = { 0 };
    struct xlx__offers *o = r->offers;
    int rc = xlx__xs_ls(ctx, t, &ids, AREA "/vcpu", r->domid);
    if (rc)
        return rc == -ENOENT ? 0 : rc;
    if (ids.nr > r->vcpus)
        return bad(ctx, r->domid, "vcpu", "", "more vCPUs than the guest has");
    o->offer = calloc(ids.nr + 1, sizeof(*o->offer));
    if (!o->offer)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", r->domid);
    for (size_t i = 0; i < ids.nr; i++) {
        XLX__AUTO_FREE char *text = NULL;
        struct xlx_evtchn_offer *offer = &o->offer[o->nr];
        if (parse_number(ids.v[i], UINT16_MAX, &offer->vcpu) ||
            offer->vcpu >= r->vcpus)
            return bad(ctx, r->domid, "vcpu/", ids.v[i], "no such vCPU");
        rc =
            xlx__xs_read(ctx, t, &text, AREA "/vcpu/%u", r->domid, offer->vcpu);
        if (rc)
            return rc;
        if (xlx__offers_parse(text, offer->vectors))
            return bad(ctx, r->domid, "vcpu/", ids.v[i],
                       "not a list of vectors (0x41-0x48 0x51), each 0x20 to "
                       "0xff");
        o->nr += xlx__vectors_first(offer->vectors) != 0;
    }
    qsort(o->offer, (size_t)o->nr, sizeof(*o->offer), by_vcpu);
    return 0;
}

static int by_port(const void *a, const void *b)
{
    const struct xlx__wish *x = a, *y = b;
    return x->port < y->port ? -1 : x->port > y->port;
}

static int read_wish(xlx_ctx *ctx, uint32_t t, const struct reading *r,
                     const char *name)
{
    XLX__AUTO_FREE char *text = NULL;
    struct xlx__offers *o = r->offers;
    struct xlx__wish *wish = &o->wish[o->nr_wishes];
    if (parse_number(name, (1u << 17) - 1, &wish->port) || !wish->port)
        return bad(ctx, r->domid, "port/", name, "no port");
    int rc = xlx__xs_read(ctx, t, &text, AREA "/port/%u", r->domid, wish->port);
    if (rc)
        return rc;
    if (xlx__wish_parse(text, &wish->vcpu, &wish->vector))
        return bad(ctx, r->domid, "port/", name,
                   "not a vCPU and a vector (1 0x41)");
    const uint64_t *offered = offered_on(o, wish->vcpu);
    if (!offered || !xlx__vectors_has(offered, wish->vector))
        return bad(ctx, r->domid, "port/", name,
                   "requests a vector that the guest does not offer");
    for (int i = 0; i < o->nr_wishes; i++)
        if (o->wish[i].vcpu == wish->vcpu && o->wish[i].vector == wish->vector)
            return bad(ctx, r->domid, "port/", name,
                       "requests another port's vector");
    o->nr_wishes++;
    return 0;
}

static int read_wishes(xlx_ctx *ctx, uint32_t t, const struct reading *r)
{
    XLX__AUTO_NAMES struct xlx__names ids = { 0 };
    struct xlx__offers *o = r->offers;
    int rc = xlx__xs_ls(ctx, t, &ids, AREA "/port", r->domid);
    if (rc)
        return rc == -ENOENT ? 0 : rc;
    if (ids.nr > XLX__OFFERS_WISHES_MAX)
        return bad(ctx, r->domid, "port", "", "more than 1024 ports");
    o->wish = calloc(ids.nr + 1, sizeof(*o->wish));
    if (!o->wish)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", r->domid);
    for (size_t i = 0; !rc && i < ids.nr; i++)
        rc = read_wish(ctx, t, r, ids.v[i]);
    if (!rc)
        qsort(o->wish, (size_t)o->nr_wishes, sizeof(*o->wish), by_port);
    return rc;
}

static int read_all(xlx_ctx *ctx, uint32_t t, void *arg)
{
    const struct reading *r = arg;
    struct xlx__offers *o = r->offers;
    uint32_t version;
    xlx__offers_free(o); /* of a try before */
    int rc = xlx__xs_read_u32(ctx, t, 0, UINT32_MAX, &version, AREA "/version",
                              r->domid);
    if (rc == -ENOENT)
        return 0;
    if (rc == -EINVAL || (!rc && version != XLX__OFFERS_VERSION))
        return bad(ctx, r->domid, "version", "", "is not 1");
    if (rc)
        return rc;
    o->there = true;
    rc = xlx__xs_read_u32(ctx, t, 1, UINT32_MAX, &o->serial, AREA "/serial",
                          r->domid);
    if (rc == -EINVAL)
        return bad(ctx, r->domid, "serial", "", "is not a number from 1");
    if (rc && rc != -ENOENT)
        return rc;
    rc = read_vcpus(ctx, t, r);
    return rc ? rc : read_wishes(ctx, t, r);
}

int xlx__offers_read(xlx_ctx *ctx, uint32_t domid, uint32_t vcpus,
                     struct xlx__offers *offers)
{
    struct reading r = { domid, vcpus, offers };
    *offers = (struct xlx__offers){ 0 };
    int rc = xlx__xs_transact(ctx, read_all, &r);
    if (rc == -ENOENT) /* a folder that changed within a transaction: no */
        rc = xlx__fail(ctx, EIO,
                       "domain %u: xenstore: " XLX__OFFERS_NODE
                       " changes while it is read",
                       domid);
    return rc;
}

void xlx__offers_free(struct xlx__offers *offers)
{
    free(offers->offer);
    free(offers->wish);
    *offers = (struct xlx__offers){ 0 };
}

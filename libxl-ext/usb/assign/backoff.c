/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/assign/backoff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"

static struct xlx__trial *add_trial(struct xlx__backoff *b, const char *key)
{
    char *copy = strdup(key);
    struct xlx__trial *v =
        copy ? xlx__array_more(b->v, b->nr, sizeof(*v)) : NULL;
    if (!v) {
        free(copy);
        return NULL;
    }
    b->v = v;
    v[b->nr] = (struct xlx__trial){ .key = copy, .told = -1 };
    return &v[b->nr++];
}

/* The pause before the next try stays. */
static void start_anew(struct xlx__trial *t)
{
    if (t->tries && t->next > t->last + XLX__BACKOFF_FIRST_MS)
        t->next = t->last + XLX__BACKOFF_FIRST_MS;
    t->tries = 0;
}

struct xlx__trial *xlx__backoff_get(struct xlx__backoff *b, const char *key,
                                    uint32_t domid, const char *busid)
{
    struct xlx__trial *t = NULL;
    for (size_t i = 0; i < b->nr; i++)
        if (!strcmp(b->v[i].key, key))
            t = &b->v[i];
    if (!t && !(t = add_trial(b, key)))
        return NULL;
    if (t->domid != domid) {
        start_anew(t);
        t->next = t->last = 0;
        t->told = -1;
    }
    t->domid = domid;
    t->seen = true;
    snprintf(t->busid, sizeof(t->busid), "%s", busid);
    return t;
}

bool xlx__backoff_due(const struct xlx__trial *t, int64_t now)
{
    return now >= t->next;
}

void xlx__backoff_tried(struct xlx__trial *t, int64_t now)
{
    int64_t pause = XLX__BACKOFF_FIRST_MS;
    /* What has worked for that long does not count any more. */
    if (t->tries && now - t->last > 2 * XLX__BACKOFF_MAX_MS)
        t->tries = 0;
    for (unsigned i = 0; i < t->tries && pause < XLX__BACKOFF_MAX_MS; i++)
        pause *= 2;
    t->tries++;
    t->last = now;
    t->next = now + (pause < XLX__BACKOFF_MAX_MS ? pause : XLX__BACKOFF_MAX_MS);
}

void xlx__backoff_reset(struct xlx__backoff *b, const char *busid)
{
    for (size_t i = 0; i < b->nr; i++)
        if (!busid || !strcmp(b->v[i].busid, busid))
            start_anew(&b->v[i]);
}

void xlx__backoff_begin(struct xlx__backoff *b)
{
    for (size_t i = 0; i < b->nr; i++)
        b->v[i].seen = false;
}

void xlx__backoff_end(struct xlx__backoff *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->nr; i++)
        if (b->v[i].seen)
            b->v[kept++] = b->v[i];
        else
            free(b->v[i].key);
    b->nr = kept;
}

void xlx__backoff_free(struct xlx__backoff *b)
{
    for (size_t i = 0; i < b->nr; i++)
        free(b->v[i].key);
    free(b->v);
    *b = (struct xlx__backoff){ 0 };
}

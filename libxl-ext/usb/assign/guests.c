/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/assign/guests.h"

#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "core/parse.h"
#include "core/uuid.h"

/* What libxl appends while a guest is on its way in. */
#define INCOMING "--incoming"

static const struct xlx__dom *with_uuid(const struct xlx__dom *doms, int nr,
                                        const struct xlx__intent *intent)
{
    const struct xlx__dom *found = NULL;
    for (int i = 0; i < nr; i++)
        if (!strcmp(doms[i].uuid, intent->uuid) &&
            (!found || !strcmp(doms[i].name, intent->name)))
            found = &doms[i];
    return found;
}

static bool is_spoken_for(const struct xlx__guest *guests, int nr,
                          const struct xlx__dom *dom)
{
    for (int i = 0; i < nr; i++)
        if (guests[i].domid == dom->domid ||
            !strcmp(guests[i].intent.uuid, dom->uuid))
            return true;
    return false;
}

static const struct xlx__dom *with_name(const struct xlx__guest *guests, int nr,
                                        const struct xlx__dom *doms,
                                        int nr_doms, const char *name)
{
    for (int i = 0; i < nr_doms; i++)
        if (*name && !strcmp(doms[i].name, name) &&
            xlx__uuid_valid(doms[i].uuid) &&
            !is_spoken_for(guests, nr, &doms[i]))
            return &doms[i];
    return NULL;
}

static bool is_incoming(const char *name)
{
    size_t n = strlen(name), end = strlen(INCOMING);
    return n >= end && !strcmp(name + n - end, INCOMING);
}

/* True when something changed. */
static bool take_over(struct xlx__guest *guest, const struct xlx__dom *dom)
{
    struct xlx__intent *intent = &guest->intent;
    bool renamed = *dom->name && !is_incoming(dom->name) &&
                   strcmp(intent->name, dom->name);
    bool changed = renamed || strcmp(intent->uuid, dom->uuid);
    guest->domid = dom->domid;
    strcpy(intent->uuid, dom->uuid);
    if (renamed)
        strcpy(intent->name, dom->name);
    return changed;
}

void xlx__guests_pair(struct xlx__guest *guests, int nr,
                      const struct xlx__dom *doms, int nr_doms,
                      char (*old_r)[XLX_UUID_MAX])
{
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < nr; i++) {
            const struct xlx__intent *intent = &guests[i].intent;
            char old[XLX_UUID_MAX];
            if (guests[i].domid)
                continue;
            const struct xlx__dom *dom =
                pass == 0 ? with_uuid(doms, nr_doms, intent)
                          : with_name(guests, nr, doms, nr_doms, intent->name);
            strcpy(old, intent->uuid);
            if (dom && take_over(&guests[i], dom) && old_r)
                strcpy(old_r[i], old);
        }
}

/* The new file first: a guest in two files is better than one in none. A
 * failure is reported; what is in memory counts. */
static void write_again(xlx_ctx *ctx, const struct xlx__intent *intent,
                        const char *old)
{
    if (!xlx__intent_save(ctx, intent) && strcmp(old, intent->uuid))
        xlx__intent_remove(ctx, old);
}

static int pair_and_write(xlx_ctx *ctx, struct xlx__guest *guests, int nr)
{
    XLX__AUTO_FREE struct xlx__dom *doms = NULL;
    XLX__AUTO_FREE char(*old)[XLX_UUID_MAX] = calloc((size_t)nr, sizeof(*old));
    if (!old)
        return xlx__fail(ctx, ENOMEM, "guests: no memory");
    int nr_doms = xlx__dom_list(ctx, &doms);
    if (nr_doms < 0)
        return nr_doms;
    xlx__guests_pair(guests, nr, doms, nr_doms, old);
    for (int i = 0; i < nr; i++)
        if (old[i][0])
            write_again(ctx, &guests[i].intent, old[i]);
    return 0;
}

int xlx__guests_load(xlx_ctx *ctx, struct xlx__guest **list_r,
                     void (*bad)(void *user, const char *uuid), void *user)
{
    XLX__AUTO_FREE struct xlx__intent *intents = NULL;
    XLX__AUTO_FREE struct xlx__guest *list = NULL;
    int nr = xlx__intent_load_all(ctx, &intents, bad, user);
    if (nr > 0 && !(list = calloc((size_t)nr, sizeof(*list))))
        return xlx__fail(ctx, ENOMEM, "guests: no memory");
    for (int i = 0; i < nr; i++)
        list[i].intent = intents[i];
    int rc = nr > 0 ? pair_and_write(ctx, list, nr) : nr;
    if (rc < 0)
        return rc;
    *list_r = xlx__steal(list);
    return nr;
}

int xlx__guests_find(const struct xlx__guest *guests, int nr, const char *text)
{
    uint32_t domid = 0;
    xlx__parse_u32(text, 1, UINT16_MAX, &domid);
    for (int i = 0; i < nr; i++)
        if ((domid && guests[i].domid == domid) ||
            xlx__uuid_same(guests[i].intent.uuid, text) ||
            !strcmp(guests[i].intent.name, text))
            return i;
    return -1;
}

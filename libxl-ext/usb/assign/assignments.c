/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What guests are to have, as other programs see it.
 */
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/clean.h"
#include "usb/assign/intent.h"

struct xlx_usb_assignment
xlx__assignment_of(const struct xlx__intent *intent,
                   const struct xlx__intent_wish *wish)
{
    struct xlx_usb_assignment a = {
        .identity = &wish->identity,
        .required = wish->required,
        .once = wish->once,
        .force = wish->force,
        .place = wish->place,
    };
    memcpy(a.uuid, intent->uuid, sizeof(a.uuid));
    memcpy(a.guest, intent->name, sizeof(a.guest));
    return a;
}

/* What is lent with the list, the identities, is behind it. */
static char *list_wishes(const struct xlx__intent *intents, int nr, int nr_all,
                         size_t size)
{
    void *more;
    char *list =
        xlx__list_with((size_t)nr_all, size,
                       (size_t)nr_all * sizeof(struct xlx_usb_identity), &more);
    struct xlx_usb_identity *identity = more;
    char *to = list;
    for (int i = 0; list && i < nr; i++)
        for (uint32_t w = 0; w < intents[i].nr_wishes; w++, to += size) {
            struct xlx_usb_assignment a =
                xlx__assignment_of(&intents[i], &intents[i].wish[w]);
            *identity = *a.identity;
            a.identity = identity++;
            xlx__copy_sized(to, size, &a, sizeof(a));
        }
    return list;
}

int xlx_usb_assignments(xlx_ctx *ctx, const char *guest,
                        struct xlx_usb_assignment **list_r, size_t size)
{
    XLX__AUTO_FREE struct xlx__intent *intents = NULL;
    int nr = xlx__intent_list(ctx, guest, &intents), nr_all = 0;
    if (nr < 0)
        return nr;
    for (int i = 0; i < nr; i++)
        nr_all += (int)intents[i].nr_wishes;
    char *list = nr_all ? list_wishes(intents, nr, nr_all, size) : NULL;
    if (nr_all && !list)
        return xlx__fail(ctx, ENOMEM, "assignments: no memory");
    *list_r = (void *)list;
    return nr_all;
}

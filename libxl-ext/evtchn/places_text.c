/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The list of vCPUs of a guest that binds its channels itself. Pure.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "core/parse.h"
#include "evtchn/places.h"

/* The number that *text begins with, without leading zeros; *text is moved to
 * the next one. */
static int take_vcpu(const char **text, uint32_t vcpus, uint32_t *vcpu_r)
{
    char number[16];
    size_t n = strcspn(*text, " ");
    if (n >= sizeof(number) || (n > 1 && **text == '0') || !vcpus)
        return -EINVAL;
    memcpy(number, *text, n);
    number[n] = '\0';
    *text += n;
    if (**text == ' ' && *++*text == '\0')
        return -EINVAL;
    return xlx__parse_u32(number, 0, vcpus - 1, vcpu_r) ? -EINVAL : 0;
}

static bool is_listed(const struct xlx_evtchn_offer *list, int nr,
                      uint32_t vcpu)
{
    for (int i = 0; i < nr; i++)
        if (list[i].vcpu == vcpu)
            return true;
    return false;
}

/* Which of them it uses is the guest's to say. */
static void offer_all(struct xlx_evtchn_offer *offer, uint32_t vcpu)
{
    offer->vcpu = vcpu;
    for (unsigned v = XLX_EVTCHN_VECTOR_MIN; v <= XLX_EVTCHN_VECTOR_MAX; v++)
        offer->vectors[v / 64] |= UINT64_C(1) << v % 64;
}

int xlx__places_parse(const char *text, uint32_t vcpus,
                      struct xlx_evtchn_offer **list_r)
{
    XLX__AUTO_FREE struct xlx_evtchn_offer *list = NULL;
    uint32_t vcpu;
    int nr = 0;
    *list_r = NULL;
    if (strlen(text) > XLX__PLACES_TEXT_MAX)
        return -EINVAL;
    list = calloc(vcpus + 1, sizeof(*list));
    if (!list)
        return -ENOMEM;
    while (*text) {
        if (take_vcpu(&text, vcpus, &vcpu) || is_listed(list, nr, vcpu))
            return -EINVAL;
        offer_all(&list[nr++], vcpu);
    }
    *list_r = nr ? xlx__steal(list) : NULL;
    return nr;
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Any nodes that a guest may write into its area of offered vectors, a line
 * "node=value" each: they are refused with a text, or what was understood is
 * within what there can be. The whole text is its list of vCPUs too.
 * libFuzzer's entry; tests/unit/test-evtchn-offers.c runs it without libFuzzer.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evtchn/offers.h"
#include "evtchn/places.h"
#include "evtchn/spread.h"
#include "fuzz/plant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VCPUS 4u

static void check_offers(const struct xlx__offers *o)
{
    MUST(o->there || (!o->nr && !o->nr_wishes));
    MUST(o->nr <= (int)VCPUS && o->nr_wishes <= (int)XLX__OFFERS_WISHES_MAX);
    for (int i = 0; i < o->nr; i++) {
        MUST(o->offer[i].vcpu < VCPUS);
        MUST(i == 0 || o->offer[i - 1].vcpu < o->offer[i].vcpu);
        MUST(xlx__vectors_first(o->offer[i].vectors) >= XLX_EVTCHN_VECTOR_MIN);
    }
    for (int i = 0; i < o->nr_wishes; i++) {
        const struct xlx__wish *wish = &o->wish[i];
        bool offered = false;
        MUST(wish->port && (i == 0 || o->wish[i - 1].port < wish->port));
        for (int k = 0; k < o->nr; k++)
            offered |= o->offer[k].vcpu == wish->vcpu &&
                       xlx__vectors_has(o->offer[k].vectors, wish->vector);
        MUST(offered);
    }
}

static void check_places(const char *text)
{
    struct xlx_evtchn_offer *list;
    int nr = xlx__places_parse(text, VCPUS, &list);
    MUST(nr == -EINVAL || (nr >= 0 && nr <= (int)VCPUS));
    MUST((nr > 0) == (list != NULL));
    for (int i = 0; i < nr; i++) {
        MUST(list[i].vcpu < VCPUS);
        for (int k = 0; k < i; k++)
            MUST(list[i].vcpu != list[k].vcpu);
    }
    free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct xlx__offers offers;
    struct xs_mem *xs = xs_mem_new(NULL);
    xlx_ctx *ctx;
    char *text = calloc(1, size + 1);
    MUST(text && !xlx_ctx_new(&ctx));
    if (size)
        memcpy(text, data, size);
    check_places(text);
    ctx->xs = xs_mem_seam(xs);
    plant(xs, "/local/domain/5/" XLX__OFFERS_NODE, text);
    int rc = xlx__offers_read(ctx, 5, VCPUS, &offers);
    if (rc)
        MUST(rc == -EBADMSG && *xlx_ctx_error(ctx) &&
             !strchr(xlx_ctx_error(ctx), '\n'));
    else
        check_offers(&offers);
    xlx__offers_free(&offers);
    xlx_ctx_free(ctx);
    free(text);
    return 0;
}

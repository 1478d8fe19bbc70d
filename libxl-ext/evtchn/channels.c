/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The channels of a domain as other programs have them.
 */
#include <stdlib.h>

#include "core/array.h"
#include "evtchn/diagnose.h"
#include "evtchn/list.h"
#include "evtchn/spread.h"

struct xlx_evtchn_channels {
    struct xlx_evtchn_info info;
    struct xlx_evtchn_port *ports;
};

int xlx_evtchn_list(xlx_ctx *ctx, uint32_t domid,
                    xlx_evtchn_channels **channels_r)
{
    xlx_evtchn_channels *channels = calloc(1, sizeof(*channels));
    if (!channels)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", domid);
    int nr = xlx__evtchn_list(ctx, domid, &channels->info, &channels->ports);
    if (nr < 0)
        xlx_evtchn_channels_free(channels);
    else
        *channels_r = channels;
    return nr;
}

void xlx_evtchn_channels_free(xlx_evtchn_channels *channels)
{
    if (!channels)
        return;
    free(channels->ports);
    free(channels);
}

const struct xlx_evtchn_info *
xlx_evtchn_info(const xlx_evtchn_channels *channels)
{
    return &channels->info;
}

const struct xlx_evtchn_port *
xlx_evtchn_port(const xlx_evtchn_channels *channels, uint32_t i)
{
    return i < channels->info.nr_ports ? &channels->ports[i] : NULL;
}

int xlx_evtchn_diagnose(const xlx_evtchn_channels *channels,
                        struct xlx_evtchn_finding **list_r, size_t size)
{
    struct xlx_evtchn_finding *list = NULL;
    int nr = xlx__evtchn_diagnose(&channels->info, channels->ports, &list);
    if (nr < 0)
        return nr;
    *list_r = xlx__list_sized(list, nr, sizeof(*list), size);
    return nr && !*list_r ? -ENOMEM : nr;
}

int xlx_evtchn_plan(const xlx_evtchn_channels *channels,
                    const struct xlx_evtchn_offer *offers, int nr_offers,
                    uint32_t hot, struct xlx_evtchn_plan *plan_r, size_t size,
                    struct xlx_evtchn_change **list_r)
{
    struct xlx_evtchn_plan plan;
    int nr = xlx__evtchn_plan(&channels->info, channels->ports, offers,
                              nr_offers, hot, &plan, list_r);
    if (nr >= 0)
        xlx__copy_sized(plan_r, size, &plan, sizeof(plan));
    return nr;
}

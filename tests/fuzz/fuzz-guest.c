/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Any nodes in the part of xenstore that a guest may write: what is read of its
 * devices' event channels, and of its USB controllers' frontends, is within
 * what there can be. libFuzzer's entry; tests/unit/test-fuzz.c runs it without
 * libFuzzer. (The vectors that it offers are fuzz-offers.c's.)
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "evtchn/devices.h"
#include "fuzz/plant.h"
#include "usb/controller/hc.h"
#include "usbd/bus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define AREA_OF_GUEST "/local/domain/5"
#define BACKEND_OF_GUEST "/local/domain/0/backend/qusb/5/0"

/* The toolstack's part, which no guest can write. */
static void plant_controller(struct xs_mem *xs)
{
    static const char *const nodes[][2] = {
        { "/libxl/5/type", "pvh" },
        { "/libxl/5/device/vusb/0/type", "qusb" },
        { "/libxl/5/device/vusb/0/backend", BACKEND_OF_GUEST },
        { "/libxl/5/device/vusb/0/usb-ver", "2" },
        { "/libxl/5/device/vusb/0/num-ports", "8" },
        { BACKEND_OF_GUEST "/num-ports", "8" },
        { BACKEND_OF_GUEST "/state", "2" },
        { BACKEND_OF_GUEST "/online", "1" },
        { "/local/domain/5/vm", "/vm/00000000-0000-4000-8000-000000000005" },
    };
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
        xs_mem_put(xs, nodes[i][0], nodes[i][1]);
}

static void check_device_name(const char *name)
{
    MUST(memchr(name, 0, XLX_EVTCHN_DEVICE_MAX));
    for (; *name; name++)
        MUST(*name >= ' ' && *name <= '~');
}

static void check_claims(xlx_ctx *ctx)
{
    struct xlx__claims claims;
    char name[XLX_EVTCHN_DEVICE_MAX];
    MUST(!xlx__claims_read(ctx, 5, &claims));
    MUST(claims.nr <= PLANT_NODES_MAX);
    for (size_t i = 0; i < claims.nr; i++) {
        const struct xlx_evtchn_port port = { .port = claims.v[i].port,
                                              .remote_port = claims.v[i].port };
        MUST(claims.v[i].port);
        check_device_name(claims.v[i].device);
        xlx__claims_name(&claims, XLX_EVTCHN_NO_DOMID, 5, &port, name);
        check_device_name(name);
        xlx__claims_name(&claims, 5, 0, &port, name);
        check_device_name(name);
    }
    xlx__claims_free(&claims);
}

static void check_frontend(xlx_ctx *ctx)
{
    struct xlx__hc *list;
    uint32_t be, fe;
    MUST(xlx__hc_list(ctx, 5, &list) == 1);
    MUST(list->devid == 0 && list->nr_ports == 8 && list->version == 2);
    MUST(!xlx__hc_state(ctx, list, &be, &fe));
    MUST(be == 2 && fe <= 8);
    free(list);
}

/* What the backend gives its worker. */
static void check_rings(xlx_ctx *ctx)
{
    struct xlx__usbd_bus bus;
    struct xlx__usbd_ends ends = { 0 };
    struct xlx__usbd_message m = { 0 };
    const char *node = NULL;
    MUST(!xlx__usbd_bus_open(ctx, 5, &bus));
    MUST(!xlx__usbd_bus_ends(&bus, 0, &ends));
    MUST(ends.be == 2 && ends.fe <= 8 && ends.online);
    int rc = xlx__usbd_bus_rings(&bus, 0, &m, &node);
    MUST(rc == 0 || (rc == -EINVAL && node));
    MUST(rc || (m.hc.nr_ports == 8 && m.hc.evtchn));
    MUST(memchr(m.hc.guest, 0, sizeof(m.hc.guest)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct xs_mem *xs = xs_mem_new(NULL);
    xlx_ctx *ctx;
    char *text = calloc(1, size + 1);
    MUST(text && !xlx_ctx_new(&ctx));
    if (size)
        memcpy(text, data, size);
    ctx->xs = xs_mem_seam(xs);
    plant(xs, AREA_OF_GUEST "/device", text);
    plant_controller(xs);
    check_claims(ctx);
    check_frontend(ctx);
    check_rings(ctx);
    xlx_ctx_free(ctx);
    free(text);
    return 0;
}

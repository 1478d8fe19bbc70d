/* SPDX-License-Identifier: LGPL-2.1-only */
#include "guard_usb.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void name_devices(const struct guard_usb *g, char *text, size_t size)
{
    size_t n = 0;
    *text = '\0';
    for (int i = 0; i < g->nr; i++)
        for (uint32_t p = 0; p < g->list[i].nr_ports && n < size; p++) {
            char busid[4 * XLX_USB_BUSID_MAX];
            if (!g->list[i].port[p]->busid[0])
                continue;
            cmd_escape(g->list[i].port[p]->busid, busid);
            n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "",
                                  busid);
        }
}

static int remove_all(struct cmd_env *env, struct guard_usb *g)
{
    for (; g->removed < g->nr; g->removed++)
        if (xlx_usb_hc_destroy(env->ctx, g->domid, g->list[g->removed].devid,
                               XLX_USB_TIMEOUT_MS)) {
            guard_usb_put_back(env, g);
            return CMD_FAILED;
        }
    return CMD_OK;
}

int guard_usb_remove(struct cmd_env *env, uint32_t domid, bool detach,
                     struct guard_usb *g)
{
    char names[256];
    *g = (struct guard_usb){ .domid = domid, .hold = -1 };
    g->nr = xlx_usb_list(env->ctx, domid, &g->list, sizeof(*g->list));
    if (g->nr < 0)
        return CMD_FAILED;
    name_devices(g, names, sizeof(names));
    if (*names && !detach) {
        fprintf(env->err,
                "error: domain %u: has USB devices: %s: a save or a "
                "migration loses them: detach them first, or use "
                "--usb=detach\n",
                domid, names);
        return CMD_FAILED;
    }
    if (*names)
        fprintf(env->err, "domain %u: detaching USB devices: %s\n", domid,
                names);
    return remove_all(env, g);
}

static void attach_again(struct cmd_env *env, const struct guard_usb *g,
                         const struct xlx_usb_hc *hc)
{
    for (uint32_t p = 0; p < hc->nr_ports; p++) {
        const struct xlx_usb_place place = { hc->devid, p + 1 };
        struct xlx_usb_place got;
        if (hc->port[p]->present &&
            xlx_usb_attach(env->ctx, g->domid, hc->port[p]->busid, &place,
                           XLX_USB_FORCE, XLX_USB_TIMEOUT_MS, &got))
            fprintf(env->err, "warning: usb %s: not attached again\n",
                    hc->port[p]->busid);
    }
}

static bool make_again(struct cmd_env *env, const struct guard_usb *g,
                       const struct xlx_usb_hc *hc)
{
    const struct xlx_usb_hc_config config = { hc->type, hc->version,
                                              hc->nr_ports };
    uint32_t devid;
    if (!xlx_usb_hc_create_as(env->ctx, g->domid, hc->devid, &config,
                              sizeof(config), XLX_USB_TIMEOUT_MS, &devid))
        return true;
    fprintf(env->err, "warning: USB controller %u: not created again\n",
            hc->devid);
    return false;
}

/* All controllers before the first device: there may be none made after. */
void guard_usb_put_back(struct cmd_env *env, struct guard_usb *g)
{
    for (int i = 0; i < g->removed; i++)
        if (!make_again(env, g, &g->list[i]))
            g->list[i].nr_ports = 0;
    for (int i = 0; i < g->removed; i++)
        attach_again(env, g, &g->list[i]);
    g->removed = 0;
}

/* Wherever there is room then: what is assigned may have come first. */
static void assign_once(struct cmd_env *env, const struct xlx_usb_hc *hc,
                        const char *guest)
{
    for (uint32_t p = 0; p < hc->nr_ports; p++)
        if (hc->port[p]->present &&
            xlx_usb_assign(env->ctx, guest, hc->port[p]->busid,
                           XLX_USB_ONCE | XLX_USB_FORCE, NULL))
            fprintf(env->err,
                    "warning: usb %s: is not attached again after the "
                    "restore\n",
                    hc->port[p]->busid);
}

void guard_usb_begin(struct cmd_env *env, struct guard_usb *g)
{
    char guest[16];
    snprintf(guest, sizeof(guest), "%u", g->domid);
    g->hold = xlx_usb_hold(env->ctx, g->domid, XLX_USB_TIMEOUT_MS);
    for (int i = 0; i < g->removed; i++)
        assign_once(env, &g->list[i], guest);
}

void guard_usb_end(struct cmd_env *env, struct guard_usb *g)
{
    char guest[16];
    snprintf(guest, sizeof(guest), "%u", g->domid);
    if (xlx_domain_alive(env->ctx, g->domid) > 0)
        xlx_usb_unassign_once(env->ctx, guest);
    if (g->hold >= 0)
        close(g->hold);
    g->hold = -1;
}

void guard_usb_free(struct guard_usb *g)
{
    free(g->list);
    *g = (struct guard_usb){ 0 };
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * USB controllers of a guest that is saved or migrated: no PVUSB frontend comes
 * back from that, so there must be none meanwhile.
 */
#ifndef CMD_GUARD_USB_H
#define CMD_GUARD_USB_H

#include "cmd.h"
#include "libxl_ext_usb.h"

struct guard_usb {
    uint32_t domid;
    struct xlx_usb_hc *list; /* as it was */
    int nr;
    int hold;    /* the guest's lock, or -1 */
    int removed; /* the first so many are gone */
};

/*
 * Takes the controllers away; devices on them only when `detach`, else they are
 * reported. An exit status; on failure all is as it was.
 */
int guard_usb_remove(struct cmd_env *env, uint32_t domid, bool detach,
                     struct guard_usb *g);

/* Makes them again, with their devices, for a guest that keeps running. */
void guard_usb_put_back(struct cmd_env *env, struct guard_usb *g);

/* Writes down that the guest is to have its devices again, once, and keeps them
 * from it until guard_usb_end(). */
void guard_usb_begin(struct cmd_env *env, struct guard_usb *g);
void guard_usb_end(struct cmd_env *env, struct guard_usb *g);

void guard_usb_free(struct guard_usb *g);

#endif

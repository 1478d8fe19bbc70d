/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The world as xlx__decide() wants it.
 */
#ifndef XLX_USB_ASSIGN_WORLD_H
#define XLX_USB_ASSIGN_WORLD_H

#include "usb/assign/reconcile_plan.h"

/*
 * Looks at everything. A guest that a command is at work for is waited for
 * `busy_ms`; then it is left alone. To be freed with xlx__view_free(), which
 * takes an empty one too. `bad` as in xlx__intent_load_all(). -errno, reported.
 */
int xlx__view_look(xlx_ctx *ctx, int busy_ms, struct xlx__view *view_r,
                   void (*bad)(void *user, const char *uuid), void *user);

void xlx__view_free(struct xlx__view *view);

#endif

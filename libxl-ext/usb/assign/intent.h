/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What guests are to have, in one JSON file a guest: XLX_PATH_STATE/usb/
 * UUID.json. docs/usb.md has its form.
 */
#ifndef XLX_USB_ASSIGN_INTENT_H
#define XLX_USB_ASSIGN_INTENT_H

#include "core/ctx.h"
#include "core/names.h"
#include "libxl_ext_usb.h"

#define XLX__INTENT_FILE_MAX (1024 * 1024)

/* --- the file's text: pure (intent_json.c) -------------------------------- */

/* For free(); NULL: no memory. */
char *xlx__intent_json(const struct xlx_usb_intent *intent);

/* NULL, or why the text is no intent. Keys it does not know it leaves out. */
const char *xlx__intent_parse(const char *text,
                              struct xlx_usb_intent *intent_r);

/* --- the files ------------------------------------------------------------ */

/* Who reads, changes and writes; a descriptor, or -errno, reported. */
int xlx__intent_lock(xlx_ctx *ctx);

/* The folder (PATH_MAX bytes). */
int xlx__intent_folder(xlx_ctx *ctx, char *path_r);

/* The UUIDs that have a file, sorted; `uuids` starts empty. */
int xlx__intent_uuids(xlx_ctx *ctx, struct xlx__names *uuids);

/* -ENOENT, without a report, when there is none; -EBADMSG, reported with the
 * file's name. */
int xlx__intent_load(xlx_ctx *ctx, const char *uuid,
                     struct xlx_usb_intent *intent_r);

/* One without wishes has no file. */
int xlx__intent_save(xlx_ctx *ctx, const struct xlx_usb_intent *intent);

/* In memory: the places of all devices get the busids that they have today. */
int xlx__intent_renumber(xlx_ctx *ctx, struct xlx_usb_intent *list, int nr);

/* No file is a success. */
int xlx__intent_remove(xlx_ctx *ctx, const char *uuid);

/* Removes an assignment for once that is fulfilled. With the intents' lock;
 * nothing there is a success. */
int xlx__intent_fulfil(xlx_ctx *ctx, const char *uuid,
                       const struct xlx_usb_identity *id);

/*
 * All that can be loaded, sorted by name, for free(). Of each that cannot,
 * `bad` is told, once its failure has been reported. Returns how many.
 */
int xlx__intent_load_all(xlx_ctx *ctx, struct xlx_usb_intent **list_r,
                         void (*bad)(void *user, const char *uuid), void *user);

#endif

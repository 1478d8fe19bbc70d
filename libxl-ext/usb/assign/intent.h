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

/* One device that a guest is to have: struct xlx_usb_assignment has the
 * members.
 */
struct xlx__intent_wish {
    struct xlx_usb_identity identity;
    bool required, once, force;
    struct xlx_usb_place place;
};

/* All of one guest. */
struct xlx__intent {
    char uuid[XLX_UUID_MAX];
    char name[XLX_GUEST_NAME_MAX];
    uint32_t nr_wishes;
    struct xlx__intent_wish wish[XLX_USB_ASSIGNMENTS_MAX];
};

/* --- the file's text: pure (intent_json.c) -------------------------------- */

/* For free(); NULL: no memory. */
char *xlx__intent_json(const struct xlx__intent *intent);

/* NULL, or why the text is no intent. Keys it does not know it leaves out. */
const char *xlx__intent_parse(const char *text, struct xlx__intent *intent_r);

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
                     struct xlx__intent *intent_r);

/* One without wishes has no file. */
int xlx__intent_save(xlx_ctx *ctx, const struct xlx__intent *intent);

/* In memory: the places of all devices get the busids that they have today. */
int xlx__intent_renumber(xlx_ctx *ctx, struct xlx__intent *list, int nr);

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
int xlx__intent_load_all(xlx_ctx *ctx, struct xlx__intent **list_r,
                         void (*bad)(void *user, const char *uuid), void *user);

/* --- for other programs --------------------------------------------------- */

/* The intent of one guest, or for NULL all of them, with the busids of today
 * and the lock. *list_r for free(). Returns how many; -ESRCH no such guest. */
int xlx__intent_list(xlx_ctx *ctx, const char *guest,
                     struct xlx__intent **list_r);

/* A wish as other programs see it, which has pointers into it. */
struct xlx_usb_assignment
xlx__assignment_of(const struct xlx__intent *intent,
                   const struct xlx__intent_wish *wish);

#endif

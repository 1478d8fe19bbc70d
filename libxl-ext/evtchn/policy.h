/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which channels of a guest are to have vectors, in one file a guest:
 * XLX_PATH_STATE/evtchn/UUID, lines of "key=value". docs/evtchn-toolstack.md
 * has its form.
 */
#ifndef XLX_EVTCHN_POLICY_H
#define XLX_EVTCHN_POLICY_H

#include "core/ctx.h"
#include "libxl_ext_evtchn.h"

#define XLX__EVTCHN_POLICY_FILE_MAX 4096

/* --- the file's text: pure (policy_text.c) -------------------------------- */

/*
 * Copies a choice, "vif,blk": kinds and devices, each at most once. "blk" is
 * written as xenstore has it, "vbd". NULL, or why it is none.
 */
const char *xlx__evtchn_choice_read(const char *text,
                                    char choice_r[XLX_EVTCHN_CHOICE_MAX]);

/* The text of the file of a policy. */
void xlx__evtchn_policy_text(const struct xlx_evtchn_policy *policy,
                             char text_r[XLX__EVTCHN_POLICY_FILE_MAX]);

/* NULL, or why the text is no policy. Keys that it does not know are left out;
 * *policy_r has no UUID and no domid. */
const char *xlx__evtchn_policy_parse(const char *text,
                                     struct xlx_evtchn_policy *policy_r);

/* --- the files (policy_file.c) -------------------------------------------- */

/* Who reads, changes and writes; a descriptor, or -errno, reported. */
int xlx__evtchn_policy_lock(xlx_ctx *ctx);

int xlx__evtchn_policy_save(xlx_ctx *ctx,
                            const struct xlx_evtchn_policy *policy);

/* No file is a success. */
int xlx__evtchn_policy_drop(xlx_ctx *ctx, const char *uuid);

/* All that can be read, sorted by name, for free(); a warning for each other
 * one. Returns how many. */
int xlx__evtchn_policy_load(xlx_ctx *ctx, struct xlx_evtchn_policy **list_r);

#endif

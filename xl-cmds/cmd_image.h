/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the commands on save files share.
 */
#ifndef CMD_IMAGE_H
#define CMD_IMAGE_H

#include "cmd.h"
#include "libxl_ext_image.h"

#define CMD_IMAGE_SIDECAR_OPTION                                   \
    {                                                              \
        "sidecar", 0, CMD_NEEDS_ARG, "PATH", "instead of FILE.lzx" \
    }

/*
 * Parses a call of `name` whose first operand is a save file, and opens it;
 * `most` is how many operands there may be. False when the command
 * is done with *status.
 */
bool cmd_image_open(struct cmd_env *env, const char *name, int most, int argc,
                    char **argv, struct cmd_opts *opts, xlx_image **image_r,
                    int *status);

#endif

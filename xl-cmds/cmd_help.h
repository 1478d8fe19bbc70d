/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * `help` under the name xl.
 */
#ifndef CMD_HELP_H
#define CMD_HELP_H

#include "cmd.h"

/* What the distribution's `xl help` prints, and then our commands; its exit
 * status. argv[0] is "help", argv[1] NULL. */
int cmd_help_front(struct cmd_env *env, char **argv);

#endif

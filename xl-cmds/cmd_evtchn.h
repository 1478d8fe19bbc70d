/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The evtchn commands; the table has them.
 */
#ifndef CMD_EVTCHN_H
#define CMD_EVTCHN_H

#include "cmd.h"

int cmd_evtchn_list(struct cmd_env *env, int argc, char **argv);
extern const struct cmd_option cmd_evtchn_list_options[];
extern const char cmd_evtchn_list_details[];

#endif

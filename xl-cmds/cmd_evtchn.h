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

int cmd_evtchn_bind(struct cmd_env *env, int argc, char **argv);
int cmd_evtchn_unbind(struct cmd_env *env, int argc, char **argv);
int cmd_evtchn_allow(struct cmd_env *env, int argc, char **argv);
extern const char cmd_evtchn_allow_details[];
extern const char cmd_evtchn_bind_details[];
extern const char cmd_evtchn_unbind_details[];

int cmd_evtchn_policy(struct cmd_env *env, int argc, char **argv);
extern const struct cmd_option cmd_evtchn_policy_options[];
extern const char cmd_evtchn_policy_details[];

int cmd_evtchn_spread(struct cmd_env *env, int argc, char **argv);
extern const struct cmd_option cmd_evtchn_spread_options[];
extern const char cmd_evtchn_spread_details[];

#endif

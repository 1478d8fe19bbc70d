/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What shells ask when a command line is to be completed.
 */
#ifndef CMD_COMPLETE_H
#define CMD_COMPLETE_H

#include "cmd.h"

/*
 * Prints what the last of the words, which may be empty, can become, a line
 * each: "candidate TAB what it is", or "@files". The words are those behind the
 * program's name. What cannot be found out has no candidates.
 */
void cmd_complete(struct cmd_env *env, int argc, char **argv);

#endif

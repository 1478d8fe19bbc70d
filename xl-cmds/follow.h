/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A watch of the library in the foreground, until SIGTERM or SIGINT.
 */
#ifndef CMD_FOLLOW_H
#define CMD_FOLLOW_H

#include <signal.h>
#include <stdbool.h>

#include "cmd.h"

struct follow {
    sigset_t old;
    int signals; /* -1: none */
};

/* Before anything is opened: xenstore's thread is not to get the signals. False
 * on failure. follow_end() in any case. */
bool follow_begin(struct follow *follow);

/* Dispatches whenever `fd` is readable; an exit status. */
int follow_run(struct follow *follow, int fd, int (*dispatch)(void *watch),
               void *watch);

void follow_end(struct follow *follow);

#endif

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A list that follows what it shows, until SIGINT or SIGTERM. A terminal has it
 * in place: nothing scrolls or flickers, what does not fit is cut off, and in
 * the end the terminal is as before, and the list below. Elsewhere the list is
 * printed whenever it has changed.
 */
#ifndef CMD_LIVE_H
#define CMD_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd.h"

#define LIVE_SECONDS_MAX 3600

struct live {
    struct cmd_env *env;
    uint32_t interval_ms;
    bool json; /* never in place */
    /* Prints the list once on env->out, or why not on env->err. Any other exit
     * status than CMD_OK ends the view. */
    int (*list)(void *user);
    void *user;
    int64_t now_ms; /* for `list`: when it is called */
};

/* Reads the argument of --watch[=SECONDS], NULL for none. 0, or an exit status,
 * the reason printed. */
int live_read(struct live *live, const struct cmd *cmd, const char *seconds);

/* An exit status. */
int live_run(struct live *live);

/* --- for tests ------------------------------------------------------------ */

enum live_event { LIVE_AGAIN, LIVE_SUSPEND, LIVE_END };

/* The clock and the terminal of a view. */
struct live_screen {
    void *user;
    bool terminal;
    /* How large the terminal is now; 0: not known. */
    void (*size)(void *user, unsigned *lines, unsigned *columns);
    int64_t (*now_ms)(void *user);
    /* Waits that long, or until there is a reason to print again or to end. */
    enum live_event (*wait)(void *user, uint32_t ms);
    /* Stops the process until it is continued. */
    void (*suspend)(void *user);
};

int live_run_on(struct live *live, const struct live_screen *screen);

#endif

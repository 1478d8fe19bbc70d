/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The distribution's save helper, as it is or on a stream of ours.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helper.h"

int stock_become(const struct helper *h)
{
    execv(h->stock, h->argv);
    fprintf(stderr, "xl-ext-save-helper: %s: cannot run: %s\n", h->stock,
            strerror(errno));
    return EXIT_FAILURE;
}

/* It speaks with libxl itself, over the same standard input and output. */
static int become_on_stream(const struct helper *h, int in)
{
    char number[16];
    int fd = dup(in); /* without close-on-exec */
    if (fd < 0)
        return EXIT_FAILURE;
    close(h->io_fd);
    snprintf(number, sizeof(number), "%d", fd);
    h->argv[2] = number;
    signal(SIGPIPE, SIG_DFL);
    return stock_become(h);
}

int stock_start(const struct helper *h, int in)
{
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        _exit(become_on_stream(h, in));
    return pid;
}

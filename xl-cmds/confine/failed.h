/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How the files of this folder report a failure.
 */
#ifndef CONFINE_FAILED_H
#define CONFINE_FAILED_H

#include <stdio.h>
#include <string.h>

/* Prints the one line, and returns -err. */
static inline int confine_failed(const char *who, const char *what, int err)
{
    fprintf(stderr, "%s: cannot be confined: %s: %s\n", who, what,
            strerror(err));
    return -err;
}

#endif

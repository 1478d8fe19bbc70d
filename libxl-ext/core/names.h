/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A growing list of strings: what a directory holds.
 */
#ifndef XLX_CORE_NAMES_H
#define XLX_CORE_NAMES_H

#include <stddef.h>

struct xlx__names {
    char **v;
    size_t nr;
};

/* Appends a copy. Returns 0 or -ENOMEM, the list unchanged. */
int xlx__names_add(struct xlx__names *names, const char *name);

/* Frees the strings and empties the list, which may be used again. */
void xlx__names_free(struct xlx__names *names);

#define XLX__AUTO_NAMES __attribute__((cleanup(xlx__names_free)))

#endif

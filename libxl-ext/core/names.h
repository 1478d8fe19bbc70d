/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A growing list of strings: what a directory holds.
 */
#ifndef XLX_CORE_NAMES_H
#define XLX_CORE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct xlx__names {
    char **v;
    size_t nr;
};

/* Appends a copy. Returns 0 or -ENOMEM, the list unchanged. */
int xlx__names_add(struct xlx__names *names, const char *name);

/* Appends the names in a folder that are wanted, then sorts all by their bytes.
 * 0, or -errno: -ENOENT there is no such folder. Frees nothing on failure. */
int xlx__names_in_folder(struct xlx__names *names, const char *path,
                         bool (*is_wanted)(const char *name));

/* Frees the strings and empties the list, which may be used again. */
void xlx__names_free(struct xlx__names *names);

#define XLX__AUTO_NAMES __attribute__((cleanup(xlx__names_free)))

#endif

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a guest wrote into its part of xenstore, from a fuzzer's bytes: a line
 * "node=value" each.
 */
#ifndef FUZZ_PLANT_H
#define FUZZ_PLANT_H

#include <string.h>

#include "fakes/xenstore_mem.h"
#include "fuzz/must.h"

#define PLANT_NODES_MAX 64

/* Below `area`; the text is taken apart. Names that xenstored refuses are left
 * out. */
static inline void plant(struct xs_mem *xs, const char *area, char *text)
{
    char *line;
    for (int i = 0; i < PLANT_NODES_MAX && (line = strsep(&text, "\n")); i++) {
        char path[256];
        char *value = strchr(line, '=');
        if (!value || value == line || line[0] == '/' || value[-1] == '/')
            continue;
        *value++ = '\0';
        if (strstr(line, "//") || strlen(line) > 128)
            continue;
        snprintf(path, sizeof(path), "%s/%s", area, line);
        xs_mem_put(xs, path, value);
    }
}

#endif

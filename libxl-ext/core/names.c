/* SPDX-License-Identifier: LGPL-2.1-only */
#include "core/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"

int xlx__names_add(struct xlx__names *names, const char *name)
{
    char *copy = strdup(name);
    char **v = copy ? xlx__array_more(names->v, names->nr, sizeof(*v)) : NULL;
    if (!v) {
        free(copy);
        return -ENOMEM;
    }
    v[names->nr++] = copy;
    names->v = v;
    return 0;
}

void xlx__names_free(struct xlx__names *names)
{
    for (size_t i = 0; i < names->nr; i++)
        free(names->v[i]);
    free(names->v);
    *names = (struct xlx__names){ 0 };
}

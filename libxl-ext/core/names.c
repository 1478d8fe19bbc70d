/* SPDX-License-Identifier: LGPL-2.1-only */
#include "core/names.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/clean.h"

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

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* readdir(3) tells its failure from the end by errno alone. */
int xlx__names_in_folder(struct xlx__names *names, const char *path,
                         bool (*is_wanted)(const char *name))
{
    XLX__AUTO_CLOSEDIR DIR *dir = opendir(path);
    struct dirent *e;
    int rc = 0;
    if (!dir)
        return -errno;
    while (!rc && (errno = 0, e = readdir(dir)))
        if (is_wanted(e->d_name))
            rc = xlx__names_add(names, e->d_name);
    if (!rc)
        rc = -errno;
    if (!rc && names->nr)
        qsort(names->v, names->nr, sizeof(names->v[0]), by_bytes);
    return rc;
}

void xlx__names_free(struct xlx__names *names)
{
    for (size_t i = 0; i < names->nr; i++)
        free(names->v[i]);
    free(names->v);
    *names = (struct xlx__names){ 0 };
}

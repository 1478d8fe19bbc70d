/* SPDX-License-Identifier: LGPL-2.1-only */
#include "host/program.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int set_in_context(xlx_ctx *ctx, enum xlx_path which, const char *what,
                          char *path_r)
{
    const char *set = xlx_ctx_path(ctx, which);
    if (!set)
        return 0;
    if (access(set, X_OK))
        return xlx__fail_errno(ctx, errno, "%s: %s", set, what);
    if (snprintf(path_r, PATH_MAX, "%s", set) >= PATH_MAX)
        return xlx__fail(ctx, ENAMETOOLONG, "%s: path too long", what);
    return 1;
}

int xlx__find_program(xlx_ctx *ctx, enum xlx_path which, const char *what,
                      const char *const *candidates, char *path_r)
{
    int rc = set_in_context(ctx, which, what, path_r);
    if (rc)
        return rc < 0 ? rc : 0;
    for (; *candidates; candidates++)
        if (!access(*candidates, X_OK) &&
            snprintf(path_r, PATH_MAX, "%s", *candidates) < PATH_MAX)
            return 0;
    return xlx__fail(ctx, ENOENT, "%s: not found: install it", what);
}

/* The folder this code was loaded from. */
static bool own_folder(char *dir_r)
{
    Dl_info info;
    char real[PATH_MAX];
    if (!dladdr((void *)(uintptr_t)xlx_version, &info) || !info.dli_fname ||
        !realpath(info.dli_fname, real))
        return false;
    *strrchr(real, '/') = '\0';
    strcpy(dir_r, real);
    return true;
}

int xlx__find_own_program(xlx_ctx *ctx, enum xlx_path which, const char *name,
                          char *path_r)
{
    char dir[PATH_MAX], beside[PATH_MAX + 64], installed[PATH_MAX + 64];
    const char *candidates[] = { beside, installed, NULL };
    if (!own_folder(dir))
        candidates[0] = NULL;
    else {
        snprintf(beside, sizeof(beside), "%s/%s", dir, name);
        snprintf(installed, sizeof(installed), "%s/../libexec/libxl-ext/%s",
                 dir, name);
    }
    return xlx__find_program(ctx, which, name, candidates, path_r);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
#include "host/program.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "core/array.h"
#include "core/clean.h"
#include "core/io.h"
#include "core/parse.h"

/* --- the distribution's --------------------------------------------------- */

static uint32_t read_version(xlx_ctx *ctx, const char *which)
{
    char path[PATH_MAX], text[16];
    uint32_t value = 0;
    snprintf(path, sizeof(path), "%s/hypervisor/version/%s",
             xlx_ctx_path(ctx, XLX_PATH_SYSFS), which);
    XLX__AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    long n = fd < 0 ? -1 : xlx__read_upto(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return 0;
    text[text[n - 1] == '\n' ? n - 1 : n] = '\0';
    xlx__parse_u32(text, 0, 10000, &value);
    return value;
}

int xlx__find_place(xlx_ctx *ctx, const char *const *places, char *path,
                    size_t len)
{
    uint32_t major = read_version(ctx, "major");
    uint32_t minor = read_version(ctx, "minor");
    for (; *places; places++)
        if (snprintf(path, len, *places, major, minor) < (int)len &&
            !access(path, X_OK))
            return 0;
    return -ENOENT;
}

/* --- ours ----------------------------------------------------------------- */

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

/* From the library's folder: the build's; PREFIX/lib; Debian's multiarch. */
static const char *const from_library[] = {
    "",
    "/../libexec/libxl-ext",
    "/../../libexec/libxl-ext",
};

static bool find_by_library(const char *name, char *path_r)
{
    char dir[PATH_MAX], path[PATH_MAX];
    if (!own_folder(dir))
        return false;
    for (size_t i = 0; i < XLX__NR(from_library); i++)
        if (snprintf(path, sizeof(path), "%s%s/%s", dir, from_library[i],
                     name) < (int)sizeof(path) &&
            !access(path, X_OK) && realpath(path, path_r))
            return true;
    return false;
}

int xlx__find_own_program(xlx_ctx *ctx, enum xlx_path which, const char *name,
                          char *path_r)
{
    int rc = set_in_context(ctx, which, name, path_r);
    if (rc)
        return rc < 0 ? rc : 0;
    if (find_by_library(name, path_r))
        return 0;
    if (snprintf(path_r, PATH_MAX, "%s/%s", XLX_LIBEXEC_DIR, name) < PATH_MAX &&
        !access(path_r, X_OK))
        return 0;
    return xlx__fail(ctx, ENOENT, "%s: not found: install it", name);
}

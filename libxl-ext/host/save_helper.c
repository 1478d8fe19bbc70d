/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Where the distribution keeps libxl's save helper, and where ours is.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "host/program.h"
#include "libxl_ext_lazy.h"

#define HELPER "/libxl-save-helper"

static const char *const places[] = {
    XLX_SAVE_HELPER_DIR HELPER,
    "/usr/lib/xen-%1$u.%2$u/bin" HELPER, /* Debian */
    "/usr/libexec/xen/bin" HELPER,       /* Fedora, SUSE */
    "/usr/lib/xen/bin" HELPER,           /* Arch, Gentoo, Alpine */
    "/usr/lib64/xen/bin" HELPER,
    "/usr/local/lib/xen/bin" HELPER, /* built from source */
    "/usr/local/libexec/xen/bin" HELPER,
    NULL,
};

int xlx_save_helper_path(xlx_ctx *ctx, char *path, size_t len)
{
    const char *set = xlx_ctx_path(ctx, XLX_PATH_SAVE_HELPER);
    if (set) {
        if (snprintf(path, len, "%s", set) < (int)len)
            return 0;
        return xlx__fail(ctx, ENAMETOOLONG, "%s: too long", set);
    }
    if (!xlx__find_place(ctx, places, path, len))
        return 0;
    return xlx__fail(ctx, ENOENT,
                     "libxl-save-helper: not found: install the "
                     "distribution's Xen tools");
}

int xlx_own_save_helper_path(xlx_ctx *ctx, char *path, size_t len)
{
    char found[PATH_MAX];
    int rc = xlx__find_own_program(ctx, XLX_PATH_OWN_SAVE_HELPER,
                                   "xl-ext-save-helper", found);
    if (rc)
        return rc;
    if (strlen(found) >= len)
        return xlx__fail(ctx, ENAMETOOLONG, "%s: too long", found);
    strcpy(path, found);
    return 0;
}

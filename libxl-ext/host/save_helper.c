/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Where the distribution keeps libxl's save helper.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "core/clean.h"
#include "core/ctx.h"
#include "core/io.h"
#include "core/parse.h"
#include "libxl_ext_lazy.h"

/* %1$u.%2$u is the running Xen's release. */
static const char *const places[] = {
    "/usr/lib/xen-%1$u.%2$u/bin/libxl-save-helper", /* Debian */
    "/usr/libexec/xen/bin/libxl-save-helper",       /* Fedora, SUSE */
    "/usr/lib/xen/bin/libxl-save-helper",           /* Arch, Gentoo, Alpine */
    "/usr/local/lib/xen/bin/libxl-save-helper",     /* built from source */
    "/usr/local/libexec/xen/bin/libxl-save-helper",
};

static uint32_t read_version(xlx_ctx *ctx, const char *which)
{
    char path[256], text[16];
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

int xlx_save_helper_path(xlx_ctx *ctx, char *path, size_t len)
{
    const char *set = xlx_ctx_path(ctx, XLX_PATH_SAVE_HELPER);
    if (set) {
        if (snprintf(path, len, "%s", set) < (int)len)
            return 0;
        return xlx__fail(ctx, ENAMETOOLONG, "%s: too long", set);
    }
    uint32_t major = read_version(ctx, "major");
    uint32_t minor = read_version(ctx, "minor");
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (snprintf(path, len, places[i], major, minor) < (int)len &&
            !access(path, X_OK))
            return 0;
    return xlx__fail(ctx, ENOENT,
                     "libxl-save-helper of Xen %u.%u: not found: install the "
                     "distribution's Xen tools", major, minor);
}

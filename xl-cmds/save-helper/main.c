/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Called by libxl as its own helper is (tools/libs/light/libxl_save_callout.c):
 *     --restore-domain IO_FD SEND_BACK_FD DOMID ... (more, passed on)
 *     --save-domain ...                             (passed on as a whole)
 *
 * Environment: XL_EXT_LAZY=require fails where a lazy restore is not possible;
 * anything else, or nothing, restores fast then; off does so at once, and is
 * `xl restore --fast`. XL_EXT_LAZY_BWLIMIT, XL_EXT_LAZY_PREFETCH,
 * XL_EXT_LAZY_RECORD and XL_EXT_LAZY_SIDECAR are --bwlimit, --prefetch,
 * --record and --sidecar of `xl restore`. XL_EXT_LAZY_CONFINE=off leaves the
 * pager all of root's rights.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helper.h"

static void print_log(void *user, enum xlx_log_level level, const char *text)
{
    (void)user;
    /* Errors are printed with what they lead to, by helper_restore(). */
    if (level != XLX_LOG_ERROR)
        fprintf(stderr, "xl-ext-save-helper: %s\n", text);
}

static bool parse_number(const char *text, unsigned long max,
                         unsigned long *value_r)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || value > max)
        return false;
    *value_r = value;
    return true;
}

static bool parse_restore(int argc, char **argv, struct helper *h)
{
    unsigned long io_fd, domid;
    if (argc < 5 || !parse_number(argv[2], INT_MAX, &io_fd) ||
        !parse_number(argv[4], 0x7fef, &domid))
        return false;
    h->io_fd = (int)io_fd;
    h->domid = (uint32_t)domid;
    return true;
}

static int run(struct helper *h, int argc)
{
    char stock[PATH_MAX];
    if (xlx_save_helper_path(h->ctx, stock, sizeof(stock))) {
        fprintf(stderr, "xl-ext-save-helper: %s\n", xlx_ctx_error(h->ctx));
        return EXIT_FAILURE;
    }
    h->stock = stock;
    if (argc < 2 || strcmp(h->argv[1], "--restore-domain") ||
        !parse_restore(argc, h->argv, h))
        return stock_become(h);
    return helper_restore(h);
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

static bool is_off(const char *name)
{
    return is_set(name) && !strcmp(getenv(name), "off");
}

static bool read_prefetch(struct helper *h)
{
    const char *text = is_set("XL_EXT_LAZY_PREFETCH")
                           ? getenv("XL_EXT_LAZY_PREFETCH")
                           : XLX_LAZY_PREFETCH_DEFAULT;
    if (!xlx_lazy_parse_prefetch(text, &h->prefetch, sizeof(h->prefetch)))
        return true;
    fprintf(stderr,
            "xl-ext-save-helper: XL_EXT_LAZY_PREFETCH is '%s': give a "
            "size (64M), a time (2s) or 0\n",
            text);
    return false;
}

static bool read_bwlimit(struct helper *h)
{
    const char *text = getenv("XL_EXT_LAZY_BWLIMIT");
    if (!is_set("XL_EXT_LAZY_BWLIMIT") ||
        !xlx_lazy_parse_bwlimit(text, &h->bwlimit))
        return true;
    fprintf(stderr,
            "xl-ext-save-helper: XL_EXT_LAZY_BWLIMIT is '%s': give "
            "bytes a second (50M) or none\n",
            text);
    return false;
}

static bool read_record(struct helper *h)
{
    const char *text = getenv("XL_EXT_LAZY_RECORD");
    h->record = is_set("XL_EXT_LAZY_RECORD");
    if (!h->record || !strcmp(text, "auto") ||
        !xlx_lazy_parse_record(text, &h->record_ms))
        return true;
    fprintf(stderr,
            "xl-ext-save-helper: XL_EXT_LAZY_RECORD is '%s': give a "
            "time (30s) or auto\n",
            text);
    return false;
}

int main(int argc, char **argv)
{
    const char *mode = getenv("XL_EXT_LAZY");
    struct helper h = { .argv = argv,
                        .require = mode && !strcmp(mode, "require"),
                        .fast = mode && !strcmp(mode, "off"),
                        .unconfined = is_off("XL_EXT_LAZY_CONFINE") };
    if (!read_prefetch(&h) || !read_bwlimit(&h) || !read_record(&h))
        return EXIT_FAILURE;
    if (is_set("XL_EXT_LAZY_SIDECAR"))
        h.sidecar = getenv("XL_EXT_LAZY_SIDECAR");
    if (xlx_ctx_new(&h.ctx)) {
        fprintf(stderr, "xl-ext-save-helper: no memory\n");
        return EXIT_FAILURE;
    }
    xlx_ctx_set_log(h.ctx, print_log, NULL,
                    getenv("XL_EXT_DEBUG") ? XLX_LOG_DEBUG : XLX_LOG_INFO);
    const char *stock = getenv("XL_EXT_STOCK_SAVE_HELPER");
    if (stock && *stock && xlx_ctx_set_path(h.ctx, XLX_PATH_SAVE_HELPER, stock))
        return EXIT_FAILURE;
    char *folder = getcwd(NULL, 0);
    h.folder = folder;
    int status = run(&h, argc);
    free(folder);
    xlx_ctx_free(h.ctx);
    return status;
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Reads the policy's files. Whatever is there and cannot be read is an error:
 * a policy of which a part is missing may allow what that part denies.
 */
#include "usb/admission/policy.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/clean.h"
#include "core/io.h"

#define FAILED "usb: the policy cannot be read, so every device is denied: "

static const char suffix[] = ".conf";

/* Whether opening failed with `err` because there is nothing of that name. A
 * link that leads nowhere is something. */
static bool is_missing(const char *path, int err)
{
    struct stat st;
    return err == ENOENT && lstat(path, &st) && errno == ENOENT;
}

/* 1 when there is no such file. */
static int read_policy_file(xlx_ctx *ctx, const char *path, char **text_r,
                            size_t *len_r)
{
    XLX__AUTO_FREE char *text = NULL;
    struct stat st;
    /* Not blocking, should it be a FIFO. */
    XLX__AUTO_CLOSE int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int err = fd < 0 || fstat(fd, &st) ? errno : 0;
    if (err)
        return is_missing(path, err)
                   ? 1
                   : xlx__fail_errno(ctx, err, FAILED "%s", path);
    if (!S_ISREG(st.st_mode))
        return xlx__fail(ctx, EINVAL, FAILED "%s: is not a regular file", path);
    if (!(text = malloc(XLX__POLICY_FILE_BYTES + 1)))
        return xlx__fail(ctx, ENOMEM, FAILED "no memory");
    long n = xlx__read_upto(fd, text, XLX__POLICY_FILE_BYTES + 1);
    if (n < 0)
        return xlx__fail_errno(ctx, (int)-n, FAILED "%s", path);
    if ((size_t)n > XLX__POLICY_FILE_BYTES)
        return xlx__fail(ctx, EFBIG, FAILED "%s: larger than %u bytes", path,
                         XLX__POLICY_FILE_BYTES);
    *text_r = xlx__steal(text);
    *len_r = (size_t)n;
    return 0;
}

/* 1 when there is no such file. */
static int add_file(xlx_ctx *ctx, struct xlx__policy *policy, const char *path)
{
    XLX__AUTO_FREE char *text = NULL;
    struct xlx__policy_error error;
    size_t len = 0;
    int rc = read_policy_file(ctx, path, &text, &len);
    if (rc)
        return rc;
    rc = xlx__policy_parse(policy, path, text, len, &error);
    if (rc == -EBADMSG)
        return xlx__fail(ctx, EBADMSG, FAILED "%s:%u: %s", path, error.line,
                         error.text);
    if (rc == -E2BIG)
        return xlx__fail(ctx, E2BIG, FAILED "%s:%u: more than %u rules", path,
                         error.line, XLX__POLICY_RULES_MAX);
    return rc ? xlx__fail_errno(ctx, -rc, FAILED "%s", path) : 0;
}

static bool is_conf(const char *name)
{
    size_t n = strlen(name), end = strlen(suffix);
    return name[0] != '.' && n > end && !strcmp(name + n - end, suffix);
}

static int list_policy_files(xlx_ctx *ctx, const char *path,
                             struct xlx__names *names)
{
    int rc = xlx__names_in_folder(names, path, is_conf);
    return rc && !is_missing(path, -rc)
               ? xlx__fail_errno(ctx, -rc, FAILED "%s", path)
               : 0;
}

static int add_folder(xlx_ctx *ctx, struct xlx__policy *policy,
                      const char *path)
{
    XLX__AUTO_NAMES struct xlx__names names = { 0 };
    int rc = list_policy_files(ctx, path, &names);
    for (size_t i = 0; !rc && i < names.nr; i++) {
        XLX__AUTO_FREE char *file = NULL;
        if (asprintf(&file, "%s/%s", path, names.v[i]) < 0) {
            file = NULL;
            return xlx__fail(ctx, ENOMEM, FAILED "no memory");
        }
        rc = add_file(ctx, policy, file);
        if (rc > 0) /* listed, and gone since */
            rc = xlx__fail_errno(ctx, ENOENT, FAILED "%s", file);
    }
    return rc;
}

int xlx__policy_load(xlx_ctx *ctx, struct xlx__policy **policy_r)
{
    const char *path = xlx_ctx_path(ctx, XLX_PATH_USB_POLICY);
    XLX__AUTO_FREE char *folder = NULL;
    struct xlx__policy *policy = calloc(1, sizeof(*policy));
    if (!policy || asprintf(&folder, "%s.d", path) < 0) {
        folder = NULL;
        free(policy);
        return xlx__fail(ctx, ENOMEM, FAILED "no memory");
    }
    int rc = add_file(ctx, policy, path);
    if (rc >= 0)
        rc = add_folder(ctx, policy, folder);
    if (rc)
        xlx__policy_free(policy);
    else
        *policy_r = policy;
    return rc;
}

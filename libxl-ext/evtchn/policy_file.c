/* SPDX-License-Identifier: LGPL-2.1-only */
#include "evtchn/policy.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clean.h"
#include "core/clock.h"
#include "core/io.h"
#include "core/names.h"
#include "core/replace.h"
#include "core/uuid.h"
#include "host/lock.h"

#define LOCK_MS 5000

int xlx__evtchn_policy_lock(xlx_ctx *ctx)
{
    return xlx__lock(ctx, "evtchn/lock/policy", xlx__now_ms() + LOCK_MS);
}

static int folder(xlx_ctx *ctx, char path_r[PATH_MAX])
{
    const char *state = xlx_ctx_path(ctx, XLX_PATH_STATE);
    if (snprintf(path_r, PATH_MAX, "%s/evtchn", state) >=
        PATH_MAX - XLX_UUID_MAX)
        return xlx__fail(ctx, ENAMETOOLONG, "%s: path too long", state);
    return 0;
}

static int file_path(xlx_ctx *ctx, const char *uuid, char path_r[PATH_MAX])
{
    int rc = folder(ctx, path_r);
    if (!rc) {
        strcat(path_r, "/");
        strcat(path_r, uuid);
    }
    return rc;
}

int xlx__evtchn_policy_save(xlx_ctx *ctx,
                            const struct xlx_evtchn_policy *policy)
{
    char dir[PATH_MAX], text[XLX__EVTCHN_POLICY_FILE_MAX];
    int rc = folder(ctx, dir);
    xlx__evtchn_policy_text(policy, text);
    return rc ? rc : xlx__replace_file(ctx, dir, policy->uuid, text);
}

int xlx__evtchn_policy_drop(xlx_ctx *ctx, const char *uuid)
{
    char dir[PATH_MAX];
    int rc = folder(ctx, dir);
    return rc ? rc : xlx__remove_file(ctx, dir, uuid);
}

/* 1, or 0 for a file that is gone by now. */
static int load_one(xlx_ctx *ctx, const char *uuid,
                    struct xlx_evtchn_policy *policy_r)
{
    char path[PATH_MAX], text[XLX__EVTCHN_POLICY_FILE_MAX + 1];
    int rc = file_path(ctx, uuid, path);
    if (rc)
        return rc;
    XLX__AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    long n = fd < 0 ? -errno : xlx__read_upto(fd, text, sizeof(text));
    if (n < 0)
        return xlx__fail_errno(ctx, (int)-n, "%s: cannot read", path);
    const char *why = "it is too long";
    if (n < (long)sizeof(text)) {
        text[n] = '\0';
        why = strlen(text) == (size_t)n
                  ? xlx__evtchn_policy_parse(text, policy_r)
                  : "it has a byte 0";
    }
    if (why)
        return xlx__fail(ctx, EBADMSG,
                         "%s: not a file of evtchn-policy (%s): correct or "
                         "remove it",
                         path, why);
    strcpy(policy_r->uuid, uuid);
    return 1;
}

/* A temporary file that was left behind has no such name. */
static int list_policy_files(xlx_ctx *ctx, struct xlx__names *uuids)
{
    char path[PATH_MAX];
    int rc = folder(ctx, path);
    if (rc)
        return rc;
    rc = xlx__names_in_folder(uuids, path, xlx__uuid_valid);
    return rc && rc != -ENOENT
               ? xlx__fail_errno(ctx, -rc, "%s: cannot list", path)
               : 0;
}

static int by_name(const void *a, const void *b)
{
    const struct xlx_evtchn_policy *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->uuid, y->uuid);
}

int xlx__evtchn_policy_load(xlx_ctx *ctx, struct xlx_evtchn_policy **list_r)
{
    XLX__AUTO_NAMES struct xlx__names uuids = { 0 };
    int nr = 0, rc = list_policy_files(ctx, &uuids);
    *list_r = NULL;
    if (rc || !uuids.nr)
        return rc;
    struct xlx_evtchn_policy *list = calloc(uuids.nr, sizeof(*list));
    if (!list)
        return xlx__fail(ctx, ENOMEM, "evtchn-policy: no memory");
    xlx__tolerate(ctx, 1);
    for (size_t i = 0; i < uuids.nr; i++) {
        rc = load_one(ctx, uuids.v[i], &list[nr]);
        nr += rc > 0;
        if (rc < 0)
            xlx__warn(ctx, "%s", xlx_ctx_error(ctx));
    }
    xlx__tolerate(ctx, -1);
    qsort(list, (size_t)nr, sizeof(*list), by_name);
    *list_r = list;
    return nr;
}

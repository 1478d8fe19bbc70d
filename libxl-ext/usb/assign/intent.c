/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/assign/intent.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "core/clock.h"
#include "core/io.h"
#include "core/uuid.h"
#include "host/lock.h"
#include "core/replace.h"
#include "usb/deadline.h"
#include "usb/device/identity.h"

#define SUFFIX ".json"
#define NAME_SIZE (XLX_UUID_MAX + 8)

int xlx__intent_lock(xlx_ctx *ctx)
{
    return xlx__lock(ctx, "usb/lock/intent", xlx__now_ms() + XLX__ANSWER_MS);
}

int xlx__intent_folder(xlx_ctx *ctx, char *path_r)
{
    const char *state = xlx_ctx_path(ctx, XLX_PATH_STATE);
    if (snprintf(path_r, PATH_MAX, "%s/usb", state) >= PATH_MAX)
        return xlx__fail(ctx, ENAMETOOLONG, "%s: path too long", state);
    return 0;
}

static int file_path(xlx_ctx *ctx, const char *uuid, char *path_r)
{
    int rc = xlx__intent_folder(ctx, path_r);
    size_t n = rc ? 0 : strlen(path_r);
    if (!rc && snprintf(path_r + n, PATH_MAX - n, "/%s" SUFFIX, uuid) >=
                   (int)(PATH_MAX - n))
        return xlx__fail(ctx, ENAMETOOLONG, "%s: path too long", path_r);
    return rc;
}

/* "UUID.json": a temporary file that was left behind has no such name. */
static bool is_intent_file(const char *name)
{
    char uuid[XLX_UUID_MAX];
    size_t n = XLX_UUID_MAX - 1;
    if (strlen(name) != n + strlen(SUFFIX) || strcmp(name + n, SUFFIX))
        return false;
    memcpy(uuid, name, n);
    uuid[n] = '\0';
    return xlx__uuid_valid(uuid);
}

int xlx__intent_uuids(xlx_ctx *ctx, struct xlx__names *uuids)
{
    char path[PATH_MAX];
    int rc = xlx__intent_folder(ctx, path);
    if (rc)
        return rc;
    rc = xlx__names_in_folder(uuids, path, is_intent_file);
    for (size_t i = 0; i < uuids->nr; i++)
        uuids->v[i][XLX_UUID_MAX - 1] = '\0';
    return rc && rc != -ENOENT
               ? xlx__fail_errno(ctx, -rc, "%s: cannot list", path)
               : 0;
}

static int read_intent_file(const char *path, char **text_r)
{
    XLX__AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    XLX__AUTO_FREE char *text = malloc(XLX__INTENT_FILE_MAX + 2);
    if (!text)
        return -ENOMEM;
    long n = xlx__read_upto(fd, text, XLX__INTENT_FILE_MAX + 1);
    if (n < 0)
        return (int)n;
    if (n > XLX__INTENT_FILE_MAX)
        return -EFBIG;
    text[n] = '\0';
    if (strlen(text) != (size_t)n)
        text[0] = '\0'; /* no JSON has such a byte */
    *text_r = xlx__steal(text);
    return 0;
}

int xlx__intent_load(xlx_ctx *ctx, const char *uuid,
                     struct xlx__intent *intent_r)
{
    char path[PATH_MAX];
    int rc = file_path(ctx, uuid, path);
    if (rc)
        return rc;
    XLX__AUTO_FREE char *text = NULL;
    rc = read_intent_file(path, &text);
    if (rc)
        return rc == -ENOENT
                   ? rc
                   : xlx__fail_errno(ctx, -rc, "%s: cannot read", path);
    const char *why = xlx__intent_parse(text, intent_r);
    if (!why && strcmp(intent_r->uuid, uuid))
        why = "its uuid is not the file's";
    if (why)
        return xlx__fail(ctx, EBADMSG,
                         "%s: not a file of assignments (%s): correct or "
                         "remove it",
                         path, why);
    return 0;
}

int xlx__intent_remove(xlx_ctx *ctx, const char *uuid)
{
    char dir[PATH_MAX], name[NAME_SIZE];
    int rc = xlx__intent_folder(ctx, dir);
    snprintf(name, sizeof(name), "%s" SUFFIX, uuid);
    return rc ? rc : xlx__remove_file(ctx, dir, name);
}

int xlx__intent_save(xlx_ctx *ctx, const struct xlx__intent *intent)
{
    char dir[PATH_MAX], name[NAME_SIZE];
    if (!intent->nr_wishes)
        return xlx__intent_remove(ctx, intent->uuid);
    int rc = xlx__intent_folder(ctx, dir);
    if (rc)
        return rc;
    XLX__AUTO_FREE char *text = xlx__intent_json(intent);
    if (!text)
        return xlx__fail(ctx, ENOMEM, "guest %s: no memory", intent->name);
    snprintf(name, sizeof(name), "%s" SUFFIX, intent->uuid);
    return xlx__replace_file(ctx, dir, name, text);
}

static int by_name(const void *a, const void *b)
{
    const struct xlx__intent *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->uuid, y->uuid);
}

int xlx__intent_load_all(xlx_ctx *ctx, struct xlx__intent **list_r,
                         void (*bad)(void *user, const char *uuid), void *user)
{
    XLX__AUTO_NAMES struct xlx__names uuids = { 0 };
    XLX__AUTO_FREE struct xlx__intent *list = NULL;
    int nr = 0, rc = xlx__intent_uuids(ctx, &uuids);
    if (rc)
        return rc;
    if (uuids.nr && !(list = calloc(uuids.nr, sizeof(*list))))
        return xlx__fail(ctx, ENOMEM, "guests: no memory");
    for (size_t i = 0; i < uuids.nr; i++) {
        rc = xlx__intent_load(ctx, uuids.v[i], &list[nr]);
        nr += !rc;
        if (rc && rc != -ENOENT && bad)
            bad(user, uuids.v[i]);
    }
    if (nr)
        qsort(list, (size_t)nr, sizeof(*list), by_name);
    *list_r = xlx__steal(list);
    return nr;
}

int xlx__intent_renumber(xlx_ctx *ctx, struct xlx__intent *list, int nr)
{
    XLX__AUTO_FREE struct xlx__usbbus *bus = NULL;
    int nr_buses = nr ? xlx__usbbus_list(ctx, &bus) : 0;
    for (int i = 0; i < nr; i++)
        for (uint32_t w = 0; w < list[i].nr_wishes; w++)
            xlx__identity_renumber(&list[i].wish[w].identity, bus, nr_buses);
    return nr_buses < 0 ? nr_buses : 0;
}

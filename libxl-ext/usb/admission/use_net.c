/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The host's network: a card that something is stacked on (a bridge, a bond, a
 * VLAN), or that the default route goes over.
 */
#include "usb/admission/use.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "host/sysfs.h"

#define NET "class/net"
/* links in a card's folder, to what is stacked on it */
#define UPPER "upper_"
#define PATH_SIZE 320
#define FIELDS_MAX 12

/* --- what is stacked on it ------------------------------------------------ */

static int look_above(xlx_ctx *ctx, const char *card,
                      struct xlx__usb_use_found *found)
{
    XLX__AUTO_NAMES struct xlx__names names = { 0 };
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), NET "/%s", card);
    int rc = xlx__sysfs_list_any(ctx, path, &names);
    for (size_t i = 0; !rc && !found->use && i < names.nr; i++) {
        if (strncmp(names.v[i], UPPER, strlen(UPPER)))
            continue;
        found->use = XLX__USE_NETWORK;
        snprintf(found->what, sizeof(found->what), "%.50s below %.50s", card,
                 names.v[i] + strlen(UPPER));
    }
    return rc;
}

/* --- routes --------------------------------------------------------------- */

static int split(char *line, char *field[FIELDS_MAX])
{
    char *rest = line, *one;
    int nr = 0;
    while (nr < FIELDS_MAX && (one = strsep(&rest, " \t\n")))
        if (*one)
            field[nr++] = one;
    return nr;
}

static bool is_zero(const char *digits)
{
    return !digits[strspn(digits, "0")];
}

/* "eth1  00000000  0101A8C0  0003  0  0  100  00000000  ..." */
static bool is_default4(char **field, int nr, const char *card)
{
    return nr > 7 && !strcmp(field[0], card) && is_zero(field[1]) &&
           is_zero(field[7]);
}

/* Destination and its length first, the card last. The kernel has one over lo
 * that rejects. */
static bool is_default6(char **field, int nr, const char *card)
{
    return nr > 9 && !strcmp(field[nr - 1], card) && is_zero(field[0]) &&
           is_zero(field[1]);
}

typedef bool match_fn(char **field, int nr, const char *card);

/* 1, 0 or -errno. A kernel without that protocol has no such file. */
static int has_route(xlx_ctx *ctx, const char *file, match_fn *match,
                     const char *card)
{
    XLX__AUTO_FREE char *line = NULL;
    char path[PATH_MAX], *field[FIELDS_MAX];
    size_t size = 0;
    snprintf(path, sizeof(path), "%s/net/%s", xlx_ctx_path(ctx, XLX_PATH_PROC),
             file);
    FILE *in = fopen(path, "re");
    if (!in)
        return errno == ENOENT
                   ? 0
                   : xlx__fail_errno(ctx, errno, "%s: cannot read", path);
    int found = 0;
    while (!found && getline(&line, &size, in) > 0)
        found = match(field, split(line, field), card);
    if (!found && ferror(in))
        found = xlx__fail(ctx, EIO, "%s: cannot read", path);
    fclose(in);
    return found;
}

static int look_at_routes(xlx_ctx *ctx, const char *card,
                          struct xlx__usb_use_found *found)
{
    int rc = has_route(ctx, "route", is_default4, card);
    if (!rc)
        rc = has_route(ctx, "ipv6_route", is_default6, card);
    if (rc > 0) {
        found->use = XLX__USE_NETWORK;
        snprintf(found->what, sizeof(found->what), "%.50s, default route",
                 card);
    }
    return rc < 0 ? rc : 0;
}

int xlx__usb_use_network(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                         struct xlx__usb_use_found *found)
{
    XLX__AUTO_NAMES struct xlx__names names = { 0 };
    char path[PATH_SIZE], target[PATH_MAX];
    int rc = xlx__sysfs_list_any(ctx, NET, &names);
    for (size_t i = 0; !rc && !found->use && i < names.nr; i++) {
        snprintf(path, sizeof(path), NET "/%s", names.v[i]);
        rc = xlx__sysfs_target_any(ctx, path, target, sizeof(target));
        if (rc || !xlx__usb_use_below(target, dev->busid))
            continue;
        rc = look_above(ctx, names.v[i], found);
        if (!rc && !found->use)
            rc = look_at_routes(ctx, names.v[i], found);
    }
    return rc;
}

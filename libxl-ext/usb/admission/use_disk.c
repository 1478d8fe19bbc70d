/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What stands on a device's disks: from each of its block devices up, through
 * partitions, holders (md, dm, bcache), loops and the other devices of a btrfs,
 * to what is mounted, swapped to or a guest's disk. Every block device is
 * visited once, so that a ring of holders ends.
 */
#include "usb/admission/use.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "host/mounts.h"
#include "host/sysfs.h"

#define BLOCK "class/block"
#define BTRFS "fs/btrfs"
#define PATH_SIZE 600 /* two names of NAME_MAX */

/* One of /sys/class/block. */
struct block {
    const char *name;
    char *target;  /* where its link leads to */
    char *mapped;  /* dm: its name in /dev/mapper, or NULL */
    char *backing; /* loop: the file below it, or NULL */
    bool reached;
    const char *telling; /* the name to report */
};

struct walk {
    xlx_ctx *ctx;
    struct xlx__names names;
    struct block *block; /* one a name */
    struct block **todo; /* those reached, in that order */
    size_t nr_todo;
    struct xlx__mounts mounts;
    struct xlx__guest_disk *disks;
    int nr_disks;
    const char *btrfs; /* a device of a mounted btrfs, or NULL */
    struct xlx__usb_use_found *found;
};

static bool starts(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

/* --- what is found -------------------------------------------------------- */

static int gravity(enum xlx__usb_use use)
{
    static const enum xlx__usb_use order[] = {
        XLX__USE_NONE,  XLX__USE_HELD,    XLX__USE_MAPPED, XLX__USE_RAID,
        XLX__USE_GUEST, XLX__USE_MOUNTED, XLX__USE_SWAP,   XLX__USE_ROOT,
    };
    int i = 0;
    while (order[i] != use)
        i++;
    return i;
}

/* Keeps the first of the gravest. `where` is a mount point, a domain or
 * NULL. */
static void note(struct walk *w, enum xlx__usb_use use, const char *name,
                 const char *where)
{
    struct xlx__usb_use_found *found = w->found;
    if (gravity(use) <= gravity(found->use))
        return;
    found->use = use;
    snprintf(found->what, sizeof(found->what), "%s%s%s%s",
             use == XLX__USE_SWAP ? "swap on " : "", name, where ? " on " : "",
             where ? where : "");
}

static bool same_file(const char *path, const char *folder, const char *name)
{
    return name && starts(path, folder) && !strcmp(path + strlen(folder), name);
}

static bool is_source(const struct block *b, const char *source)
{
    return same_file(source, "/dev/", b->name) ||
           same_file(source, "/dev/mapper/", b->mapped);
}

/* The device's number decides; by name goes only what has none. */
static bool carries(const struct block *b, const char *dev,
                    const struct xlx__mount *mount)
{
    if (mount->where && !starts(mount->dev, "0:"))
        return !strcmp(mount->dev, dev);
    return is_source(b, mount->source);
}

static void note_guests(struct walk *w, const struct block *b, const char *dev)
{
    char where[32];
    for (int i = 0; i < w->nr_disks; i++) {
        if (strcmp(w->disks[i].dev, dev))
            continue;
        snprintf(where, sizeof(where), "domain %u", w->disks[i].domid);
        note(w, XLX__USE_GUEST, b->telling, where);
    }
}

static int note_mounts(struct walk *w, const struct block *b)
{
    char path[PATH_SIZE], dev[32];
    snprintf(path, sizeof(path), BLOCK "/%s/dev", b->name);
    int rc = xlx__sysfs_read_any(w->ctx, path, dev, sizeof(dev));
    if (!rc)
        note_guests(w, b, dev);
    for (size_t i = 0; !rc && i < w->mounts.nr; i++) {
        const struct xlx__mount *mount = &w->mounts.v[i];
        if (!carries(b, dev, mount))
            continue;
        if (!mount->where)
            note(w, XLX__USE_SWAP, b->telling, NULL);
        else if (!strcmp(mount->where, "/"))
            note(w, XLX__USE_ROOT, b->telling, NULL);
        else
            note(w, XLX__USE_MOUNTED, b->telling, mount->where);
    }
    return rc;
}

/* --- from one block device to the next ------------------------------------ */

static void reach(struct walk *w, struct block *b, const char *telling)
{
    if (b->reached)
        return;
    b->reached = true;
    b->telling = telling;
    w->todo[w->nr_todo++] = b;
}

static const char *own_name(const struct block *b)
{
    return b->mapped ? b->mapped : b->name;
}

static struct block *find_block(struct walk *w, const char *name)
{
    for (size_t i = 0; i < w->names.nr; i++)
        if (!strcmp(w->block[i].name, name))
            return &w->block[i];
    return NULL;
}

/* A cache set of bcache does not hold its caches as others do. */
static int add_bcache(struct walk *w, const struct block *b)
{
    XLX__AUTO_NAMES struct xlx__names names = { 0 };
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), BLOCK "/%s/bcache", b->name);
    int rc = xlx__sysfs_list_any(w->ctx, path, &names);
    if (!rc && names.nr)
        note(w, XLX__USE_HELD, b->telling, NULL);
    return rc;
}

static enum xlx__usb_use kind(const char *holder)
{
    if (starts(holder, "md"))
        return XLX__USE_RAID;
    return starts(holder, "dm-") ? XLX__USE_MAPPED : XLX__USE_HELD;
}

static void add_above(struct walk *w, struct block *above)
{
    note(w, kind(above->name), own_name(above), NULL);
    reach(w, above, own_name(above));
}

static int add_holders(struct walk *w, const struct block *b)
{
    XLX__AUTO_NAMES struct xlx__names names = { 0 };
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), BLOCK "/%s/holders", b->name);
    int rc = xlx__sysfs_list_any(w->ctx, path, &names);
    for (size_t i = 0; !rc && i < names.nr; i++) {
        struct block *above = find_block(w, names.v[i]);
        if (above)
            add_above(w, above);
        else
            note(w, kind(names.v[i]), names.v[i], NULL);
    }
    return rc;
}

/* ".../block/md0/md0p1" is a partition of md0. */
static bool is_partition(const char *target, const char *name)
{
    const char *end = strrchr(target, '/');
    size_t n = strlen(name);
    return end && (size_t)(end - target) > n && end[-1 - (long)n] == '/' &&
           !memcmp(end - n, name, n);
}

/* A partition of md0 is no more than md0 is, until it is mounted. A loop has no
 * entry among the holders. */
static void add_partitions_and_loops(struct walk *w, const struct block *b)
{
    for (size_t i = 0; i < w->names.nr; i++) {
        struct block *other = &w->block[i];
        if (is_partition(other->target, b->name))
            reach(w, other, own_name(other));
        else if (other->backing && is_source(b, other->backing))
            add_above(w, other);
    }
}

/* A btrfs names one of its devices as the source of its mounts: the others are
 * reached through it and told by the name of the one they share it with. The
 * folder is there as long as the file system is mounted anywhere. */
static int add_btrfs_peers(struct walk *w, const struct block *b,
                           const char *uuid)
{
    XLX__AUTO_NAMES struct xlx__names names = { 0 };
    char path[PATH_SIZE];
    bool member = false;
    snprintf(path, sizeof(path), BTRFS "/%s/devices", uuid);
    int rc = xlx__sysfs_list_any(w->ctx, path, &names);
    for (size_t i = 0; !rc && i < names.nr; i++)
        member |= !strcmp(names.v[i], b->name);
    for (size_t i = 0; member && i < names.nr; i++) {
        struct block *peer = find_block(w, names.v[i]);
        if (peer)
            reach(w, peer, b->telling);
    }
    if (member && !w->btrfs)
        w->btrfs = b->telling;
    return rc;
}

static int add_btrfs(struct walk *w, const struct block *b)
{
    XLX__AUTO_NAMES struct xlx__names names = { 0 };
    int rc = xlx__sysfs_list_any(w->ctx, BTRFS, &names);
    for (size_t i = 0; !rc && i < names.nr; i++)
        rc = add_btrfs_peers(w, b, names.v[i]);
    return rc;
}

/* --- all of it ------------------------------------------------------------ */

static int read_block_attr(struct walk *w, const char *name, const char *attr,
                           char **text_r)
{
    char path[PATH_SIZE], text[PATH_MAX];
    snprintf(path, sizeof(path), BLOCK "/%s/%s", name, attr);
    int rc = xlx__sysfs_read_any(w->ctx, path, text, sizeof(text));
    if (rc || !*text)
        return rc;
    *text_r = strdup(text);
    return *text_r ? 0 : xlx__fail(w->ctx, ENOMEM, "usb: no memory");
}

static int read_target(struct walk *w, struct block *b)
{
    char path[PATH_SIZE], target[PATH_MAX];
    snprintf(path, sizeof(path), BLOCK "/%s", b->name);
    int rc = xlx__sysfs_target_any(w->ctx, path, target, sizeof(target));
    if (rc)
        return rc;
    b->target = strdup(target);
    return b->target ? 0 : xlx__fail(w->ctx, ENOMEM, "usb: no memory");
}

static int read_blocks(struct walk *w)
{
    int rc = xlx__sysfs_list_any(w->ctx, BLOCK, &w->names);
    if (rc)
        return rc;
    w->block = calloc(w->names.nr + 1, sizeof(*w->block));
    w->todo = calloc(w->names.nr + 1, sizeof(*w->todo));
    if (!w->block || !w->todo)
        return xlx__fail(w->ctx, ENOMEM, "usb: no memory");
    for (size_t i = 0; i < w->names.nr; i++)
        w->block[i].name = w->names.v[i];
    for (size_t i = 0; !rc && i < w->names.nr; i++)
        rc = read_target(w, &w->block[i]);
    return rc;
}

/* What only a host that has one of the device's disks is asked for. */
static int read_more(struct walk *w)
{
    int rc = xlx__mounts_read(w->ctx, &w->mounts);
    if (!rc)
        w->nr_disks = rc = xlx__guest_disks(w->ctx, &w->disks);
    rc = rc < 0 ? rc : 0;
    for (size_t i = 0; !rc && i < w->names.nr; i++) {
        struct block *b = &w->block[i];
        if (starts(b->name, "dm-"))
            rc = read_block_attr(w, b->name, "dm/name", &b->mapped);
        else if (starts(b->name, "loop"))
            rc = read_block_attr(w, b->name, "loop/backing_file", &b->backing);
    }
    return rc;
}

static int look_at(struct walk *w, const struct block *b)
{
    int rc;
    if ((rc = note_mounts(w, b)) || (rc = add_holders(w, b)) ||
        (rc = add_bcache(w, b)) || (rc = add_btrfs(w, b)))
        return rc;
    add_partitions_and_loops(w, b);
    return 0;
}

static int walk_up(struct walk *w, const char *busid)
{
    int rc = read_blocks(w);
    for (size_t i = 0; !rc && i < w->names.nr; i++)
        if (xlx__usb_use_below(w->block[i].target, busid))
            reach(w, &w->block[i], w->block[i].name);
    if (rc || !w->nr_todo)
        return rc;
    rc = read_more(w);
    for (size_t i = 0; !rc && i < w->nr_todo; i++)
        rc = look_at(w, w->todo[i]);
    /* Told last: a mount point, if this process sees one, says more. */
    if (w->btrfs)
        note(w, XLX__USE_MOUNTED, w->btrfs, NULL);
    return rc;
}

static void free_walk(struct walk *w)
{
    for (size_t i = 0; w->block && i < w->names.nr; i++) {
        free(w->block[i].target);
        free(w->block[i].mapped);
        free(w->block[i].backing);
    }
    free(w->block);
    free(w->todo);
    free(w->disks);
    xlx__names_free(&w->names);
    xlx__mounts_free(&w->mounts);
}

int xlx__usb_use_disk(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                      struct xlx__usb_use_found *found)
{
    struct walk w = { .ctx = ctx, .found = found };
    int rc = walk_up(&w, dev->busid);
    free_walk(&w);
    return rc;
}

int xlx__usb_use_exclusive(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                           struct xlx__usb_use_found *found_r)
{
    struct xlx__usb_use_found found = { XLX__USE_NONE, "" };
    struct walk w = { .ctx = ctx, .found = &found };
    int rc = xlx__sysfs_open(ctx);
    if (!rc)
        rc = read_blocks(&w);
    for (size_t i = 0; !rc && !found.use && i < w.names.nr; i++) {
        const struct block *b = &w.block[i];
        if (!xlx__usb_use_below(b->target, dev->busid))
            continue;
        rc = ctx->sysfs->ops->block_held(ctx->sysfs, b->name);
        if (rc < 0)
            xlx__fail_errno(ctx, -rc, "/dev/%s: cannot open", b->name);
        if (rc == 1) {
            found.use = XLX__USE_EXCLUSIVE;
            snprintf(found.what, sizeof(found.what), "/dev/%s", b->name);
        }
        rc = rc < 0 ? rc : 0;
    }
    free_walk(&w);
    if (!rc)
        *found_r = found;
    return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which block devices of this host guests have as disks. A backend need not
 * open them exclusively (xen-blkback and QEMU do not), so xenstore is asked.
 */
#include "usb/admission/use.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/parse.h"
#include "host/sysfs.h"
#include "xen/domain.h"
#include "xen/xenstore.h"

#define BACKEND "/local/domain/0/backend/%s"
#define STATE_CLOSED 6

/* Of disks, in libxl's names: the kernel's, QEMU's, tapdisk's, and virtio's,
 * whoever serves those. */
static const char *const kinds[] = { "vbd", "qdisk", "vbd3", "virtio_disk" };

struct disks {
    xlx_ctx *ctx;
    struct xlx__guest_disk *v;
    int nr;
};

static int add_disk(struct disks *d, uint32_t domid, const char *dev)
{
    struct xlx__guest_disk *v =
        xlx__array_more(d->v, (size_t)d->nr, sizeof(*v));
    if (!v)
        return xlx__fail(d->ctx, ENOMEM, "domain %u: no memory", domid);
    d->v = v;
    v[d->nr].domid = domid;
    snprintf(v[d->nr].dev, sizeof(v[d->nr].dev), "%s", dev);
    d->nr++;
    return 0;
}

/* Of at most five hexadecimal digits. */
static bool take_number(const char *text, size_t len, uint32_t *value_r)
{
    return len >= 1 && len <= 5 && !xlx__parse_hex(text, len, value_r);
}

/* "8:11" as xen-blkback's scripts write it: hexadecimal. */
static bool read_number(const char *text, char *dev, size_t size)
{
    uint32_t major, minor;
    const char *colon = strchr(text, ':');
    if (!colon || !take_number(text, (size_t)(colon - text), &major) ||
        !take_number(colon + 1, strlen(colon + 1), &minor))
        return false;
    snprintf(dev, size, "%u:%u", major, minor);
    return true;
}

/* "/dev/sdb1", or "aio:/dev/sdb1" as QEMU has it. */
static int look_up_file(struct disks *d, const char *params, char *dev,
                        size_t size)
{
    const char *path = strchr(params, '/');
    struct xlx__sysfs *fs = d->ctx->sysfs;
    int rc = path ? fs->ops->block_number(fs, path, dev, size) : -ENOTBLK;
    if (rc == -EIO)
        return xlx__fail_errno(d->ctx, EIO, "%s: cannot look at", path);
    return rc ? 0 : 1;
}

/* 1, 0 or -errno. A backend for virtio need not write a state. */
static int is_closed(struct disks *d, const char *dir)
{
    uint32_t state = 0;
    int rc = xlx__xs_read_u32(d->ctx, XLX__XS_NO_TX, 0, UINT32_MAX, &state,
                              "%s/state", dir);
    if (rc && rc != -ENOENT && rc != -EINVAL)
        return rc;
    return state == STATE_CLOSED;
}

/* 1: `dev` is its number; 0: it has none. */
static int read_disk(struct disks *d, const char *dir, char *dev, size_t size)
{
    XLX__AUTO_FREE char *number = NULL, *params = NULL;
    int rc = is_closed(d, dir);
    if (rc)
        return rc > 0 ? 0 : rc;
    rc =
        xlx__xs_read(d->ctx, XLX__XS_NO_TX, &number, "%s/physical-device", dir);
    if (!rc && read_number(number, dev, size))
        return 1;
    if (!rc || rc == -ENOENT)
        rc = xlx__xs_read(d->ctx, XLX__XS_NO_TX, &params, "%s/params", dir);
    if (rc == -ENOENT)
        return 0;
    return rc ? rc : look_up_file(d, params, dev, size);
}

/* --- vscsi ---------------------------------------------------------------- */

/* "8:0:0:0" is what the kernel's SCSI calls it. */
static int look_up_scsi(struct disks *d, const char *hctl, char *dev,
                        size_t size)
{
    XLX__AUTO_NAMES struct xlx__names names = { 0 };
    char path[512];
    snprintf(path, sizeof(path), "class/scsi_device/%.32s/device/block", hctl);
    int rc = strchr(hctl, '/') ? 0 : xlx__sysfs_list_any(d->ctx, path, &names);
    if (rc || !names.nr)
        return rc;
    snprintf(path, sizeof(path), "class/block/%s/dev", names.v[0]);
    rc = xlx__sysfs_read_any(d->ctx, path, dev, size);
    return rc ? rc : *dev != '\0';
}

/*
 * One LUN: "p-devname" is "/dev/sdb" or "sdb" where somebody named it so.
 * Linux's xen-scsiback takes "naa.WWN:LUN" only, what its target core serves:
 * that opens the disk exclusively, and xlx__usb_use_exclusive() finds it.
 */
static int read_lun(struct disks *d, const char *dir, char *dev, size_t size)
{
    XLX__AUTO_FREE char *name = NULL, *hctl = NULL;
    char path[PATH_MAX];
    int rc = is_closed(d, dir);
    if (rc)
        return rc > 0 ? 0 : rc;
    rc = xlx__xs_read(d->ctx, XLX__XS_NO_TX, &name, "%s/p-devname", dir);
    if (!rc) {
        snprintf(path, sizeof(path), "%s%s", *name == '/' ? "" : "/dev/", name);
        rc = look_up_file(d, path, dev, size);
        if (rc)
            return rc;
    }
    if (!rc || rc == -ENOENT)
        rc = xlx__xs_read(d->ctx, XLX__XS_NO_TX, &hctl, "%s/p-dev", dir);
    if (rc)
        return rc == -ENOENT ? 0 : rc;
    return look_up_scsi(d, hctl, dev, size);
}

static int add_luns(struct disks *d, uint32_t domid, const char *host)
{
    XLX__AUTO_NAMES struct xlx__names luns = { 0 };
    char dir[XLX__XS_PATH_MAX], dev[32];
    int rc = xlx__xs_ls(d->ctx, XLX__XS_NO_TX, &luns,
                        BACKEND "/%u/%s/vscsi-devs", "vscsi", domid, host);
    for (size_t i = 0; !rc && i < luns.nr; i++) {
        if (snprintf(dir, sizeof(dir), BACKEND "/%u/%s/vscsi-devs/%s", "vscsi",
                     domid, host, luns.v[i]) >= (int)sizeof(dir))
            continue;
        rc = read_lun(d, dir, dev, sizeof(dev));
        if (rc == 1)
            rc = add_disk(d, domid, dev);
    }
    return rc;
}

static int add_vscsi_of(struct disks *d, const char *kind, uint32_t domid)
{
    XLX__AUTO_NAMES struct xlx__names hosts = { 0 };
    int rc =
        xlx__xs_ls(d->ctx, XLX__XS_NO_TX, &hosts, BACKEND "/%u", kind, domid);
    for (size_t i = 0; !rc && i < hosts.nr; i++)
        rc = add_luns(d, domid, hosts.v[i]);
    return rc;
}

/* --- disks ---------------------------------------------------------------- */

static int add_disks_of(struct disks *d, const char *kind, uint32_t domid)
{
    XLX__AUTO_NAMES struct xlx__names ids = { 0 };
    char dir[XLX__XS_PATH_MAX], dev[32];
    int rc =
        xlx__xs_ls(d->ctx, XLX__XS_NO_TX, &ids, BACKEND "/%u", kind, domid);
    for (size_t i = 0; !rc && i < ids.nr; i++) {
        if (snprintf(dir, sizeof(dir), BACKEND "/%u/%s", kind, domid,
                     ids.v[i]) >= (int)sizeof(dir))
            continue;
        rc = read_disk(d, dir, dev, sizeof(dev));
        if (rc == 1)
            rc = add_disk(d, domid, dev);
    }
    return rc;
}

typedef int add_fn(struct disks *d, const char *kind, uint32_t domid);

static int add_kind(struct disks *d, const char *kind, add_fn *add_of)
{
    XLX__AUTO_NAMES struct xlx__names ids = { 0 };
    uint32_t domid;
    int rc = xlx__xs_ls(d->ctx, XLX__XS_NO_TX, &ids, BACKEND, kind);
    for (size_t i = 0; !rc && i < ids.nr; i++)
        if (!xlx__parse_u32(ids.v[i], 0, UINT16_MAX, &domid))
            rc = add_of(d, kind, domid);
    return rc;
}

int xlx__guest_disks(xlx_ctx *ctx, struct xlx__guest_disk **list_r)
{
    struct disks d = { .ctx = ctx };
    int rc = xlx__sysfs_open(ctx);
    bool any = !rc && xlx__dom_possible(ctx);
    for (size_t i = 0; !rc && any && i < XLX__NR(kinds); i++)
        rc = add_kind(&d, kinds[i], add_disks_of);
    if (!rc && any)
        rc = add_kind(&d, "vscsi", add_vscsi_of);
    if (rc) {
        free(d.v);
        return rc;
    }
    *list_r = d.v;
    return d.nr;
}

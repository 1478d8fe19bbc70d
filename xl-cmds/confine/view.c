/* SPDX-License-Identifier: LGPL-2.1-only */
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine.h"
#include "failed.h"

#define HARMLESS (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* --- a place -------------------------------------------------------------- */

/* All folders above the last name of `path`. */
static int make_folders(char *path)
{
    for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        int rc = mkdir(path, 0755) && errno != EEXIST ? -errno : 0;
        *p = '/';
        if (rc)
            return rc;
    }
    return 0;
}

static int make_target(char *path, bool folder)
{
    int rc = make_folders(path);
    if (rc)
        return rc;
    if (folder)
        return mkdir(path, 0755) && errno != EEXIST ? -errno : 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

/* The second call makes it what the first one does not: read only. */
static int mount_place(const char *from, const char *to, bool writable)
{
    unsigned long flags =
        MS_BIND | MS_REMOUNT | HARMLESS | (writable ? 0 : MS_RDONLY);
    if (mount(from, to, NULL, MS_BIND, NULL) ||
        mount(NULL, to, NULL, flags, NULL))
        return -errno;
    return 0;
}

static int add_place(const char *root, const struct confine_place *place)
{
    char target[PATH_MAX];
    struct stat st;
    if (stat(place->path, &st))
        return errno == ENOENT ? 0 : -errno;
    if (snprintf(target, sizeof(target), "%s%s", root, place->path) >=
        (int)sizeof(target))
        return -ENAMETOOLONG;
    int rc = make_target(target, S_ISDIR(st.st_mode));
    return rc ? rc : mount_place(place->path, target, place->writable);
}

/* --- the view ------------------------------------------------------------- */

/* What is unmounted on the host is to be unmounted here. */
static int begin(const char *root)
{
    if (unshare(CLONE_NEWNS) ||
        mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) ||
        mount("tmpfs", root, "tmpfs", HARMLESS, "size=64k,mode=755"))
        return -errno;
    return 0;
}

/*
 * The rest is unmounted, so that no file system of the host stays in use. A
 * host that runs from an initramfs cannot do that: there the rest is out of
 * reach only.
 */
static int change_root(const char *root)
{
    if (chdir(root))
        return -errno;
    if (!syscall(SYS_pivot_root, ".", "."))
        return umount2(".", MNT_DETACH) || chdir("/") ? -errno : 0;
    return errno != EINVAL || chroot(".") || chdir("/") ? -errno : 0;
}

static int end(const char *root)
{
    const unsigned long flags = MS_BIND | MS_REMOUNT | HARMLESS | MS_RDONLY;
    return mount(NULL, root, NULL, flags, NULL) ? -errno : change_root(root);
}

int confine_view(const char *who, const char *root,
                 const struct confine_place *places, size_t nr)
{
    int rc = begin(root);
    if (rc)
        return confine_failed(who, root, -rc);
    for (size_t i = 0; i < nr; i++) {
        rc = add_place(root, &places[i]);
        if (rc)
            return confine_failed(who, places[i].path, -rc);
    }
    rc = end(root);
    return rc ? confine_failed(who, root, -rc) : 0;
}

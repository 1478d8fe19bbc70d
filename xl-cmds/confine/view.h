/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A file system of a process's own, which has a few folders of the host's and
 * nothing else.
 */
#ifndef CONFINE_VIEW_H
#define CONFINE_VIEW_H

#include <stdbool.h>
#include <stddef.h>

/* A folder or a file that keeps its absolute path, without what is mounted in
 * it. One that does not exist is left out. */
struct confine_place {
    const char *path;
    bool writable;
};

/*
 * Only the places are left, and no device, no program and no uid of any file
 * counts in them. `root` is an empty folder of the host, in no place.
 * Descriptors that are open stay so. As confine.h describes; needs
 * CAP_SYS_ADMIN and CAP_SYS_CHROOT.
 */
int confine_view(const char *who, const char *root,
                 const struct confine_place *places, size_t nr);

#endif

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The USB part of sysfs in memory. Writing bind, unbind and drivers_probe does
 * what the kernel does. The driver usbback is there once it has port_ids.
 */
#ifndef FAKES_SYSFS_MEM_H
#define FAKES_SYSFS_MEM_H

#include "fakes/nth.h"
#include "host/sysfs.h"

#define SYSFS_MEM_INTFS 4

struct sysfs_intf {
    const char *name;   /* NULL ends the list */
    const char *driver; /* bound now, or NULL */
    const char *match;  /* what drivers_probe finds, or NULL */
    const char *class;  /* "080650": class, subclass, protocol; or NULL */
    int with; /* N + 1: its driver takes it with the N-th, and refuses it alone
               */
};

struct sysfs_dev {
    const char *busid, *class, *vendor, *product_id, *speed;
    const char *maker, *product; /* or NULL */
    struct sysfs_intf intf[SYSFS_MEM_INTFS + 1];
    const char *serial, *bus, *address; /* or NULL: none, 1, 0 */
    const unsigned char *descriptors;   /* or NULL: no such attribute */
    size_t nr_descriptors;
    unsigned resets;
    bool broken;  /* no attribute of it can be read */
    bool another; /* a reset makes it one, with its own address and drivers */
};

struct sysfs_mem;

/* Freed by its seam's close. `nth` may be NULL. */
struct sysfs_mem *sysfs_mem_new(struct nth *nth);
struct xlx__sysfs *sysfs_mem_seam(struct sysfs_mem *mem);

/* Plugs in a copy of the device. Its strings stay the caller's. */
void sysfs_mem_plug(struct sysfs_mem *mem, const struct sysfs_dev *dev);
void sysfs_mem_unplug(struct sysfs_mem *mem, const char *busid);

/* The device, or NULL; its interfaces may be changed. */
struct sysfs_dev *sysfs_mem_find(struct sysfs_mem *mem, const char *busid);

struct sysfs_dev *sysfs_mem_at(struct sysfs_mem *mem, uint32_t bus,
                               uint32_t address);

/* Any other attribute or folder entry, by its path; NULL takes it away. A
 * folder's entries are what the paths below it begin with. */
void sysfs_mem_put(struct sysfs_mem *mem, const char *path, const char *value);

/* A link and what it says; whoever asks only for its last component may put
 * only that. */
void sysfs_mem_put_link(struct sysfs_mem *mem, const char *path,
                        const char *target);

/* The file of a block device: its path, number, and whether somebody has it
 * open exclusively. */
void sysfs_mem_put_block(struct sysfs_mem *mem, const char *path,
                         const char *number, bool held);

/* A driver that refuses every bind, NULL for none. */
void sysfs_mem_refuse(struct sysfs_mem *mem, const char *driver);

/* "interface driver" for each interface; for free(). */
char *sysfs_mem_dump(struct sysfs_mem *mem);

#endif

/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/sysfs_mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEVS 16

static const char devices[] = "bus/usb/devices/";
static const char drivers[] = "bus/usb/drivers/";

struct sysfs_mem {
    struct xlx__sysfs base;
    struct nth *nth;
    struct sysfs_dev dev[MAX_DEVS];
    const char *refuse;
};

static struct sysfs_mem *mem_of(struct xlx__sysfs *fs)
{
    return (struct sysfs_mem *)fs;
}

static const char *after(const char *path, const char *start)
{
    size_t n = strlen(start);
    return strncmp(path, start, n) ? NULL : path + n;
}

static struct sysfs_intf *find_intf(struct sysfs_mem *mem, const char *name)
{
    for (int d = 0; d < MAX_DEVS; d++)
        for (int i = 0; mem->dev[d].busid && mem->dev[d].intf[i].name; i++)
            if (!strcmp(mem->dev[d].intf[i].name, name))
                return &mem->dev[d].intf[i];
    return NULL;
}

static const char *attr(const struct sysfs_dev *dev, const char *name)
{
    return !strcmp(name, "busnum")         ? "1"
           : !strcmp(name, "bDeviceClass") ? dev->class
           : !strcmp(name, "idVendor")     ? dev->vendor
           : !strcmp(name, "idProduct")    ? dev->product_id
           : !strcmp(name, "speed")        ? dev->speed
           : !strcmp(name, "manufacturer") ? dev->maker
           : !strcmp(name, "product")      ? dev->product
                                           : NULL;
}

static int mem_read(struct xlx__sysfs *fs, const char *path, char *buf,
                    size_t size)
{
    char id[64];
    const char *rest = after(path, devices);
    if (nth_fails(mem_of(fs)->nth))
        return -EIO;
    size_t n = rest ? strcspn(rest, "/") : 0;
    if (!rest || n >= sizeof(id) || !rest[n])
        return -ENOENT;
    snprintf(id, sizeof(id), "%.*s", (int)n, rest);
    const struct sysfs_dev *dev = sysfs_mem_find(mem_of(fs), id);
    const char *value = dev ? attr(dev, rest + n + 1) : NULL;
    if (!value)
        return -ENOENT;
    snprintf(buf, size, "%s", value);
    return 0;
}

static int mem_list(struct xlx__sysfs *fs, const char *path,
                    struct xlx__names *names)
{
    const char *id = after(path, devices);
    if (nth_fails(mem_of(fs)->nth))
        return -EIO;
    const struct sysfs_dev *dev = id ? sysfs_mem_find(mem_of(fs), id) : NULL;
    if (!dev)
        return -ENOENT;
    xlx__names_add(names, "idVendor");
    for (int i = 0; dev->intf[i].name; i++)
        xlx__names_add(names, dev->intf[i].name);
    return 0;
}

static int mem_link(struct xlx__sysfs *fs, const char *path, char *buf,
                    size_t size)
{
    char name[64];
    const char *rest = after(path, devices);
    if (nth_fails(mem_of(fs)->nth))
        return -EIO;
    size_t n = rest ? strcspn(rest, "/") : 0;
    if (!rest || n >= sizeof(name) || strcmp(rest + n, "/driver"))
        return -ENOENT;
    snprintf(name, sizeof(name), "%.*s", (int)n, rest);
    const struct sysfs_intf *intf = find_intf(mem_of(fs), name);
    if (!intf || !intf->driver)
        return -ENOENT;
    snprintf(buf, size, "%s", intf->driver);
    return 0;
}

/* Binds to the driver that the interface matches, as every real one would. */
static int bind(struct sysfs_mem *mem, struct sysfs_intf *intf,
                const char *driver)
{
    if (!intf || !intf->match || strcmp(intf->match, driver))
        return -ENODEV;
    if (mem->refuse && !strcmp(mem->refuse, driver))
        return -EIO;
    if (intf->driver)
        return -EBUSY;
    intf->driver = intf->match;
    return 0;
}

static int mem_write(struct xlx__sysfs *fs, const char *path, const char *value)
{
    struct sysfs_mem *mem = mem_of(fs);
    struct sysfs_intf *intf = find_intf(mem, value);
    char driver[64];
    if (nth_fails(mem->nth))
        return -EIO;
    if (!strcmp(path, "bus/usb/drivers_probe"))
        return intf && intf->match ? bind(mem, intf, intf->match) : -EINVAL;
    const char *rest = after(path, drivers);
    size_t n = rest ? strcspn(rest, "/") : 0;
    if (!rest || n >= sizeof(driver))
        return -ENOENT;
    snprintf(driver, sizeof(driver), "%.*s", (int)n, rest);
    if (!strcmp(rest + n, "/bind"))
        return bind(mem, intf, driver);
    if (strcmp(rest + n, "/unbind"))
        return -ENOENT;
    if (!intf || !intf->driver || strcmp(intf->driver, driver))
        return -ENODEV;
    intf->driver = NULL;
    return 0;
}

static void mem_close(struct xlx__seam *seam)
{
    free(seam);
}

static const struct xlx__sysfs_ops mem_ops = {
    .read = mem_read,
    .list = mem_list,
    .link = mem_link,
    .write = mem_write,
};

struct sysfs_mem *sysfs_mem_new(struct nth *nth)
{
    struct sysfs_mem *mem = calloc(1, sizeof(*mem));
    mem->base.seam.close = mem_close;
    mem->base.ops = &mem_ops;
    mem->nth = nth;
    return mem;
}

struct xlx__sysfs *sysfs_mem_seam(struct sysfs_mem *mem)
{
    return &mem->base;
}

void sysfs_mem_plug(struct sysfs_mem *mem, const struct sysfs_dev *dev)
{
    int i = 0;
    while (mem->dev[i].busid)
        i++;
    mem->dev[i] = *dev;
}

struct sysfs_dev *sysfs_mem_find(struct sysfs_mem *mem, const char *busid)
{
    for (int i = 0; i < MAX_DEVS; i++)
        if (mem->dev[i].busid && !strcmp(mem->dev[i].busid, busid))
            return &mem->dev[i];
    return NULL;
}

void sysfs_mem_unplug(struct sysfs_mem *mem, const char *busid)
{
    struct sysfs_dev *dev = sysfs_mem_find(mem, busid);
    if (dev)
        *dev = (struct sysfs_dev){ 0 };
}

void sysfs_mem_refuse(struct sysfs_mem *mem, const char *driver)
{
    mem->refuse = driver;
}

char *sysfs_mem_dump(struct sysfs_mem *mem)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (int d = 0; d < MAX_DEVS; d++)
        for (int i = 0; mem->dev[d].busid && mem->dev[d].intf[i].name; i++) {
            const struct sysfs_intf *intf = &mem->dev[d].intf[i];
            fprintf(out, "%s %s\n", intf->name,
                    intf->driver ? intf->driver : "-");
        }
    fclose(out);
    return text;
}

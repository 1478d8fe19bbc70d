/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/sysfs_mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEVS 16

static const char devices[] = "bus/usb/devices/";
static const char drivers[] = "bus/usb/drivers/";

#define MAX_FILES 256

/* Anything else in sysfs: an attribute, or what a link says. */
struct file {
    char path[160], value[256];
    bool link;
};

struct sysfs_mem {
    struct xlx__sysfs base;
    struct nth *nth;
    struct sysfs_dev dev[MAX_DEVS];
    struct file file[MAX_FILES];
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
    return !strcmp(name, "busnum")         ? (dev->bus ? dev->bus : "1")
           : !strcmp(name, "devnum")       ? dev->address
           : !strcmp(name, "serial")       ? dev->serial
           : !strcmp(name, "bDeviceClass") ? dev->class
           : !strcmp(name, "idVendor")     ? dev->vendor
           : !strcmp(name, "idProduct")    ? dev->product_id
           : !strcmp(name, "speed")        ? dev->speed
           : !strcmp(name, "manufacturer") ? dev->maker
           : !strcmp(name, "product")      ? dev->product
                                           : NULL;
}

/* "1-2:1.0/bInterfaceClass" of the interface's six digits; a buffer in `out`.
 */
static const char *intf_attr(const struct sysfs_dev *dev, const char *rest,
                             char out[8])
{
    static const char *const names[] = { "bInterfaceClass",
                                         "bInterfaceSubClass",
                                         "bInterfaceProtocol" };
    const char *slash = strchr(rest, '/');
    for (int i = 0; slash && dev->intf[i].name; i++) {
        if (strncmp(dev->intf[i].name, rest, (size_t)(slash - rest)))
            continue;
        for (int n = 0; dev->intf[i].class && n < 3; n++)
            if (!strcmp(slash + 1, names[n])) {
                snprintf(out, 8, "%.2s", dev->intf[i].class + 2 * n);
                return out;
            }
        if (!strcmp(slash + 1, "bInterfaceNumber")) {
            snprintf(out, 8, "%02x", (unsigned)i & 0xff);
            return out;
        }
    }
    return NULL;
}

static struct file *find_file(struct sysfs_mem *mem, const char *path,
                              bool link)
{
    for (int i = 0; i < MAX_FILES; i++)
        if (mem->file[i].path[0] && mem->file[i].link == link &&
            !strcmp(mem->file[i].path, path))
            return &mem->file[i];
    return NULL;
}

static int copy_file(struct sysfs_mem *mem, const char *path, bool link,
                     char *buf, size_t size)
{
    const struct file *file = find_file(mem, path, link);
    if (!file)
        return -ENOENT;
    snprintf(buf, size, "%s", file->value);
    return 0;
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
        return copy_file(mem_of(fs), path, false, buf, size);
    snprintf(id, sizeof(id), "%.*s", (int)n, rest);
    const struct sysfs_dev *dev = sysfs_mem_find(mem_of(fs), id);
    if (dev && dev->broken)
        return -EIO;
    const char *value = dev ? attr(dev, rest + n + 1) : NULL;
    char digits[8];
    if (dev && !value)
        value = intf_attr(dev, rest + n + 1, digits);
    if (!value)
        return copy_file(mem_of(fs), path, false, buf, size);
    snprintf(buf, size, "%s", value);
    return 0;
}

static bool has_name(const struct xlx__names *names, const char *name)
{
    for (size_t i = 0; i < names->nr; i++)
        if (!strcmp(names->v[i], name))
            return true;
    return false;
}

/* What the paths below a folder begin with, each once. */
static int list_files(struct sysfs_mem *mem, const char *path,
                      struct xlx__names *names)
{
    size_t n = strlen(path);
    for (int i = 0; i < MAX_FILES; i++) {
        const char *p = mem->file[i].path;
        char entry[160];
        if (strncmp(p, path, n) || p[n] != '/')
            continue;
        snprintf(entry, sizeof(entry), "%.*s", (int)strcspn(p + n + 1, "/"),
                 p + n + 1);
        if (!has_name(names, entry))
            xlx__names_add(names, entry);
    }
    return names->nr ? 0 : -ENOENT;
}

static void list_devices(struct sysfs_mem *mem, struct xlx__names *names)
{
    static const char hubs[] = "bus/usb/devices/usb";
    xlx__names_add(names, "usb1");
    for (int i = 0; i < MAX_FILES; i++) {
        const char *name = after(mem->file[i].path, hubs);
        if (name && !strchr(name, '/') && strcmp(name, "1"))
            xlx__names_add(names, name - strlen("usb"));
    }
    for (int d = 0; d < MAX_DEVS; d++) {
        if (!mem->dev[d].busid)
            continue;
        xlx__names_add(names, mem->dev[d].busid);
        for (int i = 0; mem->dev[d].intf[i].name; i++)
            xlx__names_add(names, mem->dev[d].intf[i].name);
    }
}

/* Only a device's descriptors are of that kind. */
static int mem_read_bytes(struct xlx__sysfs *fs, const char *path, void *buf,
                          size_t size)
{
    char id[64];
    const char *rest = after(path, devices);
    if (nth_fails(mem_of(fs)->nth))
        return -EIO;
    size_t n = rest ? strcspn(rest, "/") : 0;
    if (!n || n >= sizeof(id) || strcmp(rest + n, "/descriptors"))
        return -ENOENT;
    snprintf(id, sizeof(id), "%.*s", (int)n, rest);
    const struct sysfs_dev *dev = sysfs_mem_find(mem_of(fs), id);
    if (!dev || !dev->descriptors)
        return -ENOENT;
    n = dev->nr_descriptors < size ? dev->nr_descriptors : size;
    memcpy(buf, dev->descriptors, n);
    return (int)n;
}

static int mem_list(struct xlx__sysfs *fs, const char *path,
                    struct xlx__names *names)
{
    const char *id = after(path, devices);
    if (nth_fails(mem_of(fs)->nth))
        return -EIO;
    if (!strcmp(path, "bus/usb/devices")) {
        list_devices(mem_of(fs), names);
        return 0;
    }
    const struct sysfs_dev *dev = id ? sysfs_mem_find(mem_of(fs), id) : NULL;
    if (!dev)
        return list_files(mem_of(fs), path, names);
    xlx__names_add(names, "idVendor");
    for (int i = 0; dev->intf[i].name; i++)
        xlx__names_add(names, dev->intf[i].name);
    return 0;
}

/* "../../drivers/usbhid" for an interface; any other link is a file. */
static int find_target(struct sysfs_mem *mem, const char *path, char *buf,
                       size_t size)
{
    char name[64];
    const char *rest = after(path, devices);
    size_t n = rest ? strcspn(rest, "/") : 0;
    if (!rest || n >= sizeof(name) || strcmp(rest + n, "/driver"))
        return copy_file(mem, path, true, buf, size);
    snprintf(name, sizeof(name), "%.*s", (int)n, rest);
    const struct sysfs_intf *intf = find_intf(mem, name);
    if (!intf) /* a whole device's */
        return copy_file(mem, path, true, buf, size);
    if (!intf->driver)
        return -ENOENT;
    snprintf(buf, size, "../../drivers/%s", intf->driver);
    return 0;
}

static int mem_target(struct xlx__sysfs *fs, const char *path, char *buf,
                      size_t size)
{
    char target[256];
    if (nth_fails(mem_of(fs)->nth))
        return -EIO;
    int rc = find_target(mem_of(fs), path, target, sizeof(target));
    if (rc)
        return rc;
    if (strlen(target) >= size)
        return -ENAMETOOLONG;
    strcpy(buf, target);
    return 0;
}

static int mem_link(struct xlx__sysfs *fs, const char *path, char *buf,
                    size_t size)
{
    char target[256];
    int rc = mem_target(fs, path, target, sizeof(target));
    const char *slash = rc ? NULL : strrchr(target, '/');
    if (!rc)
        snprintf(buf, size, "%s", slash ? slash + 1 : target);
    return rc;
}

/* usbback takes the devices that it has a port for: "1-2:5:0:1". */
static bool usbback_wants(struct sysfs_mem *mem, const char *intf)
{
    const struct file *ids =
        find_file(mem, "bus/usb/drivers/usbback/port_ids", false);
    size_t n = strcspn(intf, ":") + 1;
    for (const char *p = ids ? ids->value : ""; *p; p++)
        if ((p == ids->value || p[-1] == '\n') && !strncmp(p, intf, n))
            return true;
    return false;
}

static void bind_others(struct sysfs_mem *mem, const struct sysfs_intf *intf)
{
    for (int d = 0; d < MAX_DEVS; d++)
        for (int i = 0; mem->dev[d].busid && mem->dev[d].intf[i].name; i++) {
            struct sysfs_intf *other = &mem->dev[d].intf[i];
            if (other->with && &mem->dev[d].intf[other->with - 1] == intf)
                other->driver = intf->driver;
        }
}

/* Binds to the driver that the interface matches, as every real one would. */
static int bind(struct sysfs_mem *mem, struct sysfs_intf *intf,
                const char *driver)
{
    bool usbback =
        intf && !strcmp(driver, "usbback") && usbback_wants(mem, intf->name);
    if (!intf || (!usbback && (!intf->match || strcmp(intf->match, driver))))
        return -ENODEV;
    if (mem->refuse && !strcmp(mem->refuse, driver))
        return -EIO;
    if (intf->driver)
        return -EBUSY;
    if (intf->with && !usbback)
        return -ENODEV;
    intf->driver = usbback ? "usbback" : intf->match;
    if (!usbback)
        bind_others(mem, intf);
    return 0;
}

static int mem_write(struct xlx__sysfs *fs, const char *path, const char *value)
{
    struct sysfs_mem *mem = mem_of(fs);
    char driver[64];
    if (nth_fails(mem->nth))
        return -EIO;
    struct sysfs_intf *intf = find_intf(mem, value);
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

/* A file of that path, without the slash it begins with. */
static int mem_block_number(struct xlx__sysfs *fs, const char *path, char *buf,
                            size_t size)
{
    if (nth_fails(mem_of(fs)->nth))
        return -EIO;
    return copy_file(mem_of(fs), path + 1, false, buf, size);
}

static int mem_block_held(struct xlx__sysfs *fs, const char *name)
{
    char path[96];
    snprintf(path, sizeof(path), "dev/%s held", name);
    if (nth_fails(mem_of(fs)->nth))
        return -EIO;
    return find_file(mem_of(fs), path, false) != NULL;
}

struct sysfs_dev *sysfs_mem_at(struct sysfs_mem *mem, uint32_t bus,
                               uint32_t address)
{
    for (struct sysfs_dev *dev = mem->dev; dev < mem->dev + MAX_DEVS; dev++)
        if (dev->busid && (uint32_t)atoi(attr(dev, "busnum")) == bus &&
            dev->address && (uint32_t)atoi(dev->address) == address)
            return dev;
    return NULL;
}

static int mem_usb_reset(struct xlx__sysfs *fs, uint32_t bus, uint32_t address)
{
    struct sysfs_dev *dev = sysfs_mem_at(mem_of(fs), bus, address);
    if (nth_fails(mem_of(fs)->nth))
        return -EIO;
    if (!dev)
        return -ENOENT;
    dev->resets++;
    if (!dev->another)
        return 0;
    dev->address = "99";
    for (int i = 0; dev->intf[i].name; i++)
        dev->intf[i].driver = dev->intf[i].match;
    return -ENODEV;
}

static void mem_close(struct xlx__seam *seam)
{
    free(seam);
}

static const struct xlx__sysfs_ops mem_ops = {
    .read = mem_read,
    .read_bytes = mem_read_bytes,
    .list = mem_list,
    .link = mem_link,
    .target = mem_target,
    .write = mem_write,
    .block_number = mem_block_number,
    .block_held = mem_block_held,
    .usb_reset = mem_usb_reset,
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

static void put_file(struct sysfs_mem *mem, const char *path, const char *value,
                     bool link)
{
    struct file *file = find_file(mem, path, link);
    for (int i = 0; !file && i < MAX_FILES; i++)
        if (!mem->file[i].path[0])
            file = &mem->file[i];
    if (!file || strlen(path) >= sizeof(file->path) ||
        (value && strlen(value) >= sizeof(file->value)))
        abort();
    *file = (struct file){ .link = link };
    if (!value)
        return;
    snprintf(file->path, sizeof(file->path), "%s", path);
    snprintf(file->value, sizeof(file->value), "%s", value);
}

void sysfs_mem_put(struct sysfs_mem *mem, const char *path, const char *value)
{
    put_file(mem, path, value, false);
}

void sysfs_mem_put_link(struct sysfs_mem *mem, const char *path,
                        const char *target)
{
    put_file(mem, path, target, true);
}

void sysfs_mem_put_block(struct sysfs_mem *mem, const char *path,
                         const char *number, bool held)
{
    char text[160];
    snprintf(text, sizeof(text), "%s held", path + 1);
    put_file(mem, path + 1, number, false);
    put_file(mem, text, held ? "" : NULL, false);
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

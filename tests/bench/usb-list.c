/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What usb-list and usb-list-assignable-devices cost with 127 devices, all of
 * them attached to one guest: CPU of this process, without xenstore's sockets.
 *
 *   usb-list DIR       a tree like sysfs is made there
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fakes/xenstore_mem.h"
#include "libxl_ext_usb.h"

#define DEVICES 127
#define PORTS 31
#define ROUNDS 20

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    exit(1);
}

static void put(const char *dir, const char *name, const char *value)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    must(file, path);
    fprintf(file, "%s\n", value);
    fclose(file);
}

static void make_dir(const char *path)
{
    char command[600];
    snprintf(command, sizeof(command), "mkdir -p '%s'", path);
    must(!system(command), path);
}

/* As the kernel has it: a bus only points at its devices. */
static void make_link(const char *sysfs, const char *busid)
{
    char path[256], target[64];
    snprintf(path, sizeof(path), "%s/bus/usb/devices", sysfs);
    make_dir(path);
    snprintf(path, sizeof(path), "%s/bus/usb/devices/%s", sysfs, busid);
    snprintf(target, sizeof(target), "../../../devices/pci/usb1/%s", busid);
    must(!symlink(target, path) || errno == EEXIST, path);
}

static void make_device(const char *sysfs, const char *busid, int number)
{
    static const char *const attrs[][2] = {
        { "busnum", "1" },           { "bDeviceClass", "00" },
        { "bDeviceSubClass", "00" }, { "bDeviceProtocol", "00" },
        { "idVendor", "46f4" },      { "idProduct", "0001" },
        { "bcdDevice", "0100" },     { "speed", "480" },
        { "manufacturer", "QEMU" },  { "product", "QEMU USB HARDDRIVE" },
    };
    static const char *const intf[] = { "bInterfaceNumber", "bInterfaceClass",
                                        "bInterfaceSubClass",
                                        "bInterfaceProtocol" };
    char dir[256], sub[400], text[16];
    snprintf(dir, sizeof(dir), "%s/devices/pci/usb1/%s", sysfs, busid);
    snprintf(sub, sizeof(sub), "%s/%s:1.0", dir, busid);
    make_dir(sub);
    make_link(sysfs, busid);
    for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++)
        put(dir, attrs[i][0], attrs[i][1]);
    snprintf(text, sizeof(text), "%d", number);
    put(dir, "devnum", text);
    put(dir, "serial", text);
    for (size_t i = 0; i < sizeof(intf) / sizeof(intf[0]); i++)
        put(sub, intf[i], "08");
}

static void make_port(struct xs_mem *xs, int number, const char *busid)
{
    char path[128];
    int hc = number / PORTS;
    snprintf(path, sizeof(path), "/local/domain/0/backend/qusb/5/%d/port/%d",
             hc, number % PORTS + 1);
    xs_mem_put(xs, path, busid);
    if (number % PORTS)
        return;
    static const char *const nodes[][2] = {
        { "type", "qusb" },
        { "usb-ver", "2" },
        { "num-ports", "31" },
    };
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        snprintf(path, sizeof(path), "/libxl/5/device/vusb/%d/%s", hc,
                 nodes[i][0]);
        xs_mem_put(xs, path, nodes[i][1]);
    }
    snprintf(path, sizeof(path), "/libxl/5/device/vusb/%d/backend", hc);
    char be[64];
    snprintf(be, sizeof(be), "/local/domain/0/backend/qusb/5/%d", hc);
    xs_mem_put(xs, path, be);
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void list_ports(xlx_ctx *ctx)
{
    struct xlx_usb_hc *list;
    int ports = 0, nr = xlx_usb_list(ctx, 5, &list, sizeof(*list));
    for (int i = 0; i < nr; i++)
        for (uint32_t p = 0; p < list[i].nr_ports; p++)
            ports += list[i].port[p]->present;
    must(ports == DEVICES, "usb-list: devices are missing");
    free(list);
}

static void list_devices(xlx_ctx *ctx)
{
    struct xlx_usb_device *list;
    must(xlx_usb_devices(ctx, &list, sizeof(*list)) == DEVICES,
         "devices are missing");
    free(list);
}

static void measure(xlx_ctx *ctx, const char *what, void (*list)(xlx_ctx *ctx))
{
    list(ctx);
    double start = cpu_ms();
    for (int i = 0; i < ROUNDS; i++)
        list(ctx);
    printf("%s, %d devices: %.2f ms of CPU\n", what, DEVICES,
           (cpu_ms() - start) / ROUNDS);
}

int main(int argc, char **argv)
{
    xlx_ctx *ctx;
    char sysfs[200], busid[16];
    must(argc == 2 && !xlx_ctx_new(&ctx), "usb-list DIR");
    struct xs_mem *xs = xs_mem_new(NULL);
    ctx->xs = xs_mem_seam(xs);
    snprintf(sysfs, sizeof(sysfs), "%s/sys", argv[1]);
    xs_mem_put(xs, "/local/domain/5/name", "guest");
    xs_mem_put(xs, "/libxl/5/type", "pvh");
    for (int i = 0; i < DEVICES; i++) {
        snprintf(busid, sizeof(busid), "1-%d.%d", i / 7 + 1, i % 7 + 1);
        make_device(sysfs, busid, i + 2);
        make_port(xs, i, busid);
    }
    xlx_ctx_set_path(ctx, XLX_PATH_SYSFS, sysfs);
    xlx_ctx_set_path(ctx, XLX_PATH_USB_POLICY, "/nonexistent");
    measure(ctx, "usb-list", list_ports);
    measure(ctx, "usb-list-assignable-devices", list_devices);
    xlx_ctx_free(ctx);
    return 0;
}

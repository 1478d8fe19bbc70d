/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/usb_world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <syslog.h>
#include <unistd.h>

#include "host/process.h"

#define ANNOUNCED "/local/domain/0/device-model/%u/backends/qusb"
#define STATUS "/libxl-ext/usb-backend/"
#define OTHER "6"
#define PORT_IDS "bus/usb/drivers/usbback/port_ids"

/* Backends of which guest; domid 0: wherever "guest" runs. */
static const struct side {
    const char *kind;
    uint32_t domid;
} sides[] = {
    { "qusb", 0 },
    { "vusb", 0 },
    { "vusb", WORLD_HVM },
};

#define NR_SIDES (sizeof(sides) / sizeof(sides[0]))

#define INTF(name_, driver_, match_, class_)                               \
    {                                                                      \
        .name = name_, .driver = driver_, .match = match_, .class = class_ \
    }
#define KEYBOARD(name) INTF(name, "usbhid", "usbhid", "030101")
#define MOUSE(name) INTF(name, "usbhid", "usbhid", "030102")
#define DISK(name) INTF(name, "usb-storage", "usb-storage", "080650")

static const struct sysfs_dev host_devices[] = {
    { .busid = "1-1",
      .class = "00",
      .vendor = "0627",
      .product_id = "0001",
      .speed = "480",
      .maker = "QEMU",
      .product = "QEMU USB Keyboard",
      .address = "2",
      .intf = { KEYBOARD("1-1:1.0") } },
    /* Two interfaces, one of which no driver wants. */
    { .busid = "1-2",
      .class = "00",
      .vendor = "46f4",
      .product_id = "0001",
      .speed = "480",
      .maker = "QEMU",
      .product = "QEMU USB HARDDRIVE",
      .serial = "S1",
      .address = "3",
      .intf = { DISK("1-2:1.0"), INTF("1-2:1.1", NULL, NULL, "ff0000") } },
    { .busid = "1-3",
      .class = "09",
      .vendor = "0409",
      .product_id = "55aa",
      .speed = "12",
      .maker = "QEMU",
      .product = "QEMU USB Hub",
      .address = "4",
      .intf = { INTF("1-3:1.0", "hub", "hub", "090000") } },
    { .busid = "1-3.1",
      .class = "00",
      .vendor = "0627",
      .product_id = "0001",
      .speed = "12",
      .product = "bad \x1b[31m\xff name",
      .address = "5",
      .intf = { MOUSE("1-3.1:1.0") } },
    { .busid = "2-1",
      .class = "00",
      .vendor = "46f4",
      .product_id = "0001",
      .speed = "5000",
      .maker = "QEMU",
      .product = "QEMU USB HARDDRIVE",
      .serial = "S2",
      .bus = "2",
      .address = "2",
      .intf = { DISK("2-1:1.0") } },
    { .busid = "1-4",
      .class = "00",
      .vendor = "0403",
      .product_id = "6001",
      .speed = "12",
      .maker = "QEMU",
      .product = "QEMU USB SERIAL",
      .address = "6",
      .intf = { INTF("1-4:1.0", "usbfs", "ftdi_sio", "ffffff") } },
};

char usb_world_syslog[512];

void syslog(int priority, const char *fmt, ...)
{
    va_list ap;
    (void)priority;
    va_start(ap, fmt);
    vsnprintf(usb_world_syslog, sizeof(usb_world_syslog), fmt, ap);
    va_end(ap);
}

/* What callers call with _FORTIFY_SOURCE. */
void __syslog_chk(int priority, int flag, const char *fmt, ...);

void __syslog_chk(int priority, int flag, const char *fmt, ...)
{
    va_list ap;
    (void)priority;
    (void)flag;
    va_start(ap, fmt);
    vsnprintf(usb_world_syslog, sizeof(usb_world_syslog), fmt, ap);
    va_end(ap);
}

/* --- the backend and the guest -------------------------------------------- */

static void announce(struct usb_world *w, const char *value)
{
    char path[96];
    snprintf(path, sizeof(path), ANNOUNCED, w->domid);
    xs_mem_put(w->xs, path, value);
}

static unsigned number(struct usb_world *w, const char *path)
{
    const char *text = xs_mem_get(w->xs, path);
    return text ? (unsigned)atoi(text) : 0;
}

static void put_number(struct usb_world *w, const char *path, unsigned value)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", value);
    if (number(w, path) != value)
        xs_mem_put(w->xs, path, text);
}

int usb_world_taken(struct usb_world *w, const char *port)
{
    for (int i = 0; i < WORLD_TAKEN; i++)
        if (w->taken[i].busid && !strcmp(w->taken[i].port, port))
            return i;
    return -1;
}

/* With the folders that it leaves empty. */
static void rm_status(struct usb_world *w, const char *path)
{
    xs_mem_put(w->xs, path, NULL);
    for (int i = 0; i < WORLD_TAKEN; i++)
        if (w->taken[i].busid)
            return;
    xs_mem_put(w->xs, "/libxl-ext/usb-backend", NULL);
    if (!xs_mem_get(w->xs, "/libxl-ext/usb"))
        xs_mem_put(w->xs, "/libxl-ext", NULL);
}

/* What our backend says of a port: ".../backend/qusb/5/0/port/1". */
static void put_status(struct usb_world *w, const char *port, const char *busid,
                       const char *what)
{
    char path[128], text[128];
    unsigned domid, devid, number;
    const char *ids = strstr(port, "/qusb/");
    if (!ids)
        ids = strstr(port, "/vusb/");
    if (!ids || w->usbback ||
        sscanf(ids + 6, "%u/%u/port/%u", &domid, &devid, &number) != 3)
        return;
    snprintf(path, sizeof(path), STATUS "%u/%u/%u", domid, devid, number);
    snprintf(text, sizeof(text), "%s %s", busid ? busid : "", what ? what : "");
    if (busid)
        xs_mem_put(w->xs, path, text);
    else if (xs_mem_get(w->xs, path))
        rm_status(w, path);
}

void usb_world_take(struct usb_world *w, const char *busid, const char *port)
{
    struct sysfs_dev *dev = sysfs_mem_find(w->sysfs, busid);
    int slot = 0;
    if (w->dies) {
        w->dies = false;
        w->running = false;
        w->stale = true;
        return;
    }
    if (!dev)
        put_status(w, port, busid, "failed: no such device on this host");
    if (!dev || w->no_claim)
        return;
    for (int i = 0; w->daemon && dev->intf[i].name; i++)
        if (dev->intf[i].driver && !strcmp(dev->intf[i].driver, "usbfs")) {
            put_status(w, port, busid, "failed: claimed by a process");
            return;
        }
    while (w->taken[slot].busid)
        slot++;
    w->taken[slot].busid = dev->busid;
    w->taken[slot].address = dev->address;
    if (dev->address && atoi(dev->address) < 64)
        w->addresses |= UINT64_C(1) << atoi(dev->address);
    snprintf(w->taken[slot].port, sizeof(w->taken[slot].port), "%s", port);
    for (int i = 0; dev->intf[i].name; i++) {
        w->taken[slot].driver[i] = dev->intf[i].driver;
        dev->intf[i].driver = "usbfs";
    }
    put_status(w, port, busid, w->not_configured ? "opened" : "configured");
}

/* Without a word: it was killed. */
static void let_go(struct usb_world *w, int slot, bool drivers)
{
    struct sysfs_dev *dev = sysfs_mem_find(w->sysfs, w->taken[slot].busid);
    /* Another one there has only to lose what was claimed of it. */
    bool same = dev && dev->address == w->taken[slot].address;
    if (!same && w->daemon)
        dev = NULL;
    for (int i = 0; dev && dev->intf[i].name; i++) {
        struct sysfs_intf *intf = &dev->intf[i];
        const char *own = same ? w->taken[slot].driver[i] : intf->match;
        if (same || (intf->driver && !strcmp(intf->driver, "usbfs")))
            intf->driver = drivers ? own : NULL;
    }
    w->taken[slot].busid = NULL;
}

void usb_world_give_back(struct usb_world *w, int slot, bool drivers)
{
    let_go(w, slot, drivers);
    put_status(w, w->taken[slot].port, NULL, NULL);
}

static void look_at_port(struct usb_world *w, const char *port)
{
    const char *busid = xs_mem_get(w->xs, port);
    int slot = usb_world_taken(w, port);
    if (slot >= 0 && w->notices &&
        !sysfs_mem_find(w->sysfs, w->taken[slot].busid)) {
        xs_mem_put(w->xs, port, "");
        usb_world_give_back(w, slot, false);
        return;
    }
    if (slot >= 0 && (!busid || !*busid) && !w->no_release)
        usb_world_give_back(w, slot, true);
    if (slot < 0 && busid && *busid)
        usb_world_take(w, busid, port);
    if (slot < 0 && busid && !*busid)
        put_status(w, port, NULL, NULL);
}

static void backend_answers(struct usb_world *w, const char *be, const char *fe)
{
    unsigned b = number(w, be), f = number(w, fe);
    if (b == 1)
        put_number(w, be, 2);
    if (b == 2 && f == 4)
        put_number(w, be, 4);
}

/* A backend says Closed some time after the guest, whatever has become of the
 * nodes meanwhile. */
static void backend_closes(struct usb_world *w, bool *closing, const char *be)
{
    if (*closing)
        put_number(w, be, 6);
    *closing = false;
}

/* As xen-hcd: closing needs no connection, and gives it none. */
static void guest_answers(struct usb_world *w, const char *be, const char *fe,
                          bool *known, bool *open)
{
    unsigned b = number(w, be), f = number(w, fe);
    *known |= f == 1;
    if ((b == 2 || b == 4) && f == 1) {
        put_number(w, fe, 4);
        *open = true;
    }
    if (b == 5 && (f == 4 || (f == 1 && *known)))
        put_number(w, fe, 6);
}

static void guest_notices(struct usb_world *w, const char *fe, bool *known,
                          bool *open)
{
    if (xs_mem_get(w->xs, fe))
        return;
    w->xenbus_dead |= *known && !*open;
    *known = *open = false;
}

static uint32_t domid_of(const struct usb_world *w, const struct side *side)
{
    return side->domid ? side->domid : w->domid;
}

static bool is_kernels(const struct usb_world *w, const struct side *side)
{
    return w->usbback && !strcmp(side->kind, "vusb");
}

static bool served(const struct usb_world *w, const struct side *side)
{
    if (is_kernels(w, side))
        return true;
    return !w->dead && (side->domid ? w->running_other : w->running);
}

static void backend_looks_at_ports(struct usb_world *w, const char *be,
                                   bool open)
{
    for (int p = 1; p <= XLX_USB_PORTS_MAX; p++) {
        char port[128];
        snprintf(port, sizeof(port), "%s/port/%d", be, p);
        if (open || usb_world_taken(w, port) >= 0)
            look_at_port(w, port);
    }
}

static bool is_bound(struct usb_world *w, const char *busid)
{
    struct sysfs_dev *dev = sysfs_mem_find(w->sysfs, busid);
    for (int i = 0; dev && dev->intf[i].name; i++)
        if (dev->intf[i].driver && !strcmp(dev->intf[i].driver, "usbback"))
            return true;
    return false;
}

/* The kernel's backend has nothing but a table. */
static void usbback_looks_at_ports(struct usb_world *w)
{
    char path[128], ids[160] = "", *line, *rest;
    char *old = strdup(w->ids);
    size_t n = 0;
    for (int d = 0; d < WORLD_DEVIDS; d++)
        for (int p = 1; p <= XLX_USB_PORTS_MAX; p++) {
            snprintf(path, sizeof(path),
                     "/local/domain/0/backend/vusb/5/%d/port/%d", d, p);
            const char *busid = xs_mem_get(w->xs, path);
            if (busid && *busid && !w->no_claim)
                n += (size_t)snprintf(ids + n, sizeof(ids) - n, "%s:5:%d:%d\n",
                                      busid, d, p);
        }
    for (rest = old; (line = strsep(&rest, "\n"));)
        if (!strstr(ids, line) && is_bound(w, strsep(&line, ":")))
            w->fatal = true; /* "can't remove port, unbind first" */
    free(old);
    if (strcmp(w->ids, ids))
        sysfs_mem_put(w->sysfs, PORT_IDS, ids);
    snprintf(w->ids, sizeof(w->ids), "%s", ids);
}

static void act_side(struct usb_world *w, const struct side *side,
                     bool closing[WORLD_DEVIDS])
{
    for (int d = 0; d < WORLD_DEVIDS; d++) {
        char dir[96], be[112], fe[96];
        snprintf(dir, sizeof(dir), "/local/domain/0/backend/%s/%u/%d",
                 side->kind, domid_of(w, side), d);
        snprintf(be, sizeof(be), "%s/state", dir);
        snprintf(fe, sizeof(fe), "/local/domain/%u/device/vusb/%d/state",
                 domid_of(w, side), d);
        if (served(w, side))
            backend_closes(w, &closing[d], be);
        bool there = xs_mem_get(w->xs, be);
        if (there && served(w, side))
            backend_answers(w, be, fe);
        bool *known = &w->known[side->domid != 0][d];
        bool *open = &w->open[side->domid != 0][d];
        if (there && !w->no_frontend)
            guest_answers(w, be, fe, known, open);
        guest_notices(w, fe, known, open);
        closing[d] = served(w, side) && number(w, fe) == 6 &&
                     number(w, be) != 6 && there;
        if (served(w, side) && !is_kernels(w, side))
            backend_looks_at_ports(w, dir, number(w, be) == 4);
    }
}

static void act(void *user)
{
    struct usb_world *w = user;
    for (size_t i = 0; i < NR_SIDES; i++)
        act_side(w, &sides[i], w->closing[i]);
    if (w->usbback)
        usbback_looks_at_ports(w);
}

void usb_world_kill_backend(struct usb_world *w)
{
    w->running = false;
    w->stale = true;
    for (int i = 0; i < WORLD_TAKEN; i++)
        if (w->taken[i].busid)
            let_go(w, i, false);
}

/* --- the process seam ----------------------------------------------------- */

struct proc_fake {
    struct xlx__proc base;
    struct usb_world *world;
};

static struct usb_world *world_of(struct xlx__proc *proc)
{
    return ((struct proc_fake *)proc)->world;
}

static int proc_start(struct xlx__proc *proc, const char *const *argv,
                      const char *log, int64_t until, char *line_r, size_t size)
{
    struct usb_world *w = world_of(proc);
    (void)log;
    (void)until;
    if (nth_fails(&w->nth))
        return -ESRCH;
    w->starts++;
    snprintf(line_r, size, "%s", w->refusal ? w->refusal : "ready");
    if (w->refusal)
        return 0;
    if (!strcmp(argv[1], OTHER)) {
        w->running_other = true;
        return 0;
    }
    w->running = true;
    w->stale = false;
    announce(w, "");
    return 0;
}

static pid_t proc_find(struct xlx__proc *proc, const char *pidfile)
{
    struct usb_world *w = world_of(proc);
    char name[16];
    snprintf(name, sizeof(name), "/%u.pid", w->domid);
    if (strstr(pidfile, "/" OTHER ".pid"))
        return w->running_other ? 4243 : 0;
    if (!strstr(pidfile, name))
        return 0;
    return w->running ? 4242 : w->stale ? -ESTALE : 0;
}

static int proc_stop(struct xlx__proc *proc, const char *pidfile, int64_t until)
{
    struct usb_world *w = world_of(proc);
    (void)until;
    if (nth_fails(&w->nth))
        return -ETIMEDOUT;
    if (strstr(pidfile, "/" OTHER ".pid")) {
        w->running_other = false;
        return 0;
    }
    if (!w->running)
        return 0;
    act(w); /* it is at work until it has gone */
    w->running = false;
    xs_mem_put(w->xs, "/local/domain/0/device-model", NULL);
    for (int i = 0; i < WORLD_TAKEN; i++)
        if (w->taken[i].busid && strstr(w->taken[i].port, "/backend/"))
            usb_world_give_back(w, i, true);
    return 0;
}

static void proc_close(struct xlx__seam *seam)
{
    free(seam);
}

static const struct xlx__proc_ops proc_ops = {
    .start = proc_start,
    .find = proc_find,
    .stop = proc_stop,
};

static struct xlx__proc *new_proc(struct usb_world *w)
{
    struct proc_fake *p = calloc(1, sizeof(*p));
    p->base.seam.close = proc_close;
    p->base.ops = &proc_ops;
    p->world = w;
    return &p->base;
}

/* --- the whole ------------------------------------------------------------ */

static void make_domain(struct usb_world *w, const char *id, const char *name,
                        const char *type)
{
    char path[64], vm[64];
    snprintf(path, sizeof(path), "/local/domain/%s/name", id);
    xs_mem_put(w->xs, path, name);
    snprintf(path, sizeof(path), "/local/domain/%s/vm", id);
    snprintf(vm, sizeof(vm), "/vm/00000000-0000-4000-8000-00000000000%c",
             id[strlen(id) - 1]);
    xs_mem_put(w->xs, path, vm);
    snprintf(path, sizeof(path), "/libxl/%s/type", id);
    xs_mem_put(w->xs, path, type);
    snprintf(path, sizeof(path), "/libxl/%s/device/console/0", id);
    xs_mem_put(w->xs, path, "");
    snprintf(path, sizeof(path), "/local/domain/%s/device/console/0", id);
    xs_mem_put(w->xs, path, "");
}

/* The keyboard of the host's own, beside the USB one; and Xen. */
static void make_host(struct usb_world *w)
{
    sysfs_mem_put(w->sysfs, "hypervisor/type", "xen");
    sysfs_mem_put_link(w->sysfs, "class/input/input0",
                       "../../devices/platform/i8042/serio0/input/input0");
    sysfs_mem_put(w->sysfs, "class/input/input0/capabilities/key",
                  "fffffffffffffffe");
}

void usb_world_destroy(struct usb_world *w)
{
    char path[64];
    static const char *const nodes[] = { "/local/domain/%u", "/libxl/%u",
                                         "/local/domain/0/backend/qusb/%u",
                                         "/local/domain/0/device-model/%u" };
    for (int i = 0; i < WORLD_TAKEN; i++)
        if (w->taken[i].busid)
            usb_world_give_back(w, i, true);
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        snprintf(path, sizeof(path), nodes[i], w->domid);
        xs_mem_put(w->xs, path, NULL);
    }
    xs_mem_put(w->xs, "/libxl-ext", NULL);
    w->running = false;
    w->domid = 0;
}

void usb_world_create(struct usb_world *w, uint32_t domid, const char *uuid)
{
    char id[16], path[64], vm[64];
    snprintf(id, sizeof(id), "%u", domid);
    make_domain(w, id, "guest", "pvh");
    snprintf(path, sizeof(path), "/local/domain/%u/vm", domid);
    snprintf(vm, sizeof(vm), "/vm/%s", uuid);
    xs_mem_put(w->xs, path, vm);
    snprintf(path, sizeof(path), "/local/domain/0/backend/console/%u/0", domid);
    xs_mem_put(w->xs, path, "");
    w->domid = domid;
}

static void set_paths(struct usb_world *w, xlx_ctx *ctx)
{
    char policy[128];
    snprintf(policy, sizeof(policy), "%s/usb-policy.conf", w->dir);
    xlx_ctx_set_path(ctx, XLX_PATH_RUN, w->dir);
    xlx_ctx_set_path(ctx, XLX_PATH_LOG, w->dir);
    xlx_ctx_set_path(ctx, XLX_PATH_STATE, w->dir);
    xlx_ctx_set_path(ctx, XLX_PATH_USB_POLICY, policy);
    xlx_ctx_set_path(ctx, XLX_PATH_USB_BACKEND, "/bin/true");
}

xlx_ctx *usb_world_other(struct usb_world *w)
{
    xlx_ctx *other;
    if (xlx_ctx_new(&other))
        abort();
    set_paths(w, other);
    other->xs = w->ctx->xs;
    other->sysfs = w->ctx->sysfs;
    other->proc = w->ctx->proc;
    other->libxl = w->ctx->libxl;
    return other;
}

void usb_world_close_other(xlx_ctx *other)
{
    other->xs = NULL;
    other->sysfs = NULL;
    other->proc = NULL;
    other->libxl = NULL;
    xlx_ctx_free(other);
}

void usb_world_rest(struct usb_world *w)
{
    for (int i = 0; i < 4; i++)
        act(w);
}

struct usb_world *usb_world_new(void)
{
    struct usb_world *w = calloc(1, sizeof(*w));
    w->domid = WORLD_DOMID;
    snprintf(w->dir, sizeof(w->dir), "/tmp/xlx-usb-XXXXXX");
    if (xlx_ctx_new(&w->ctx) || !mkdtemp(w->dir))
        abort();
    w->xs = xs_mem_new(&w->nth);
    w->sysfs = sysfs_mem_new(&w->nth);
    w->ctx->xs = xs_mem_seam(w->xs);
    w->ctx->sysfs = sysfs_mem_seam(w->sysfs);
    w->ctx->proc = new_proc(w);
    w->ctx->libxl = usb_world_libxl(w);
    xs_mem_set_peer(w->xs, act, w);
    set_paths(w, w->ctx);
    xs_mem_put(w->xs, "/local/domain/0/backend/console/5/0", "");
    make_domain(w, "0", "Domain-0", "pv");
    make_domain(w, "5", "guest", "pvh");
    make_domain(w, "6", "other", "hvm");
    make_host(w);
    for (size_t i = 0; i < sizeof(host_devices) / sizeof(host_devices[0]); i++)
        sysfs_mem_plug(w->sysfs, &host_devices[i]);
    return w;
}

void usb_world_free(struct usb_world *w)
{
    char command[128];
    xlx_ctx_free(w->ctx);
    snprintf(command, sizeof(command), "rm -rf %s", w->dir);
    if (system(command))
        abort();
    free(w);
}

void usb_world_load_usbback(struct usb_world *w)
{
    w->usbback = true;
    sysfs_mem_put(w->sysfs, PORT_IDS, "");
}

char *usb_world_dump(struct usb_world *w)
{
    char *xs = xs_mem_dump(w->xs), *sysfs = sysfs_mem_dump(w->sysfs), *all;
    size_t size;
    FILE *out = open_memstream(&all, &size);
    fprintf(out, "%s%sbackend %s\n", xs, sysfs, w->running ? "running" : "-");
    if (w->xenbus_dead)
        fprintf(out, "guest: xenbus is dead\n");
    usb_world_dump_qemu(w, out);
    fclose(out);
    free(xs);
    free(sysfs);
    return all;
}

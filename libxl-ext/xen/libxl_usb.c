/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * libxenlight is loaded when it is first needed: with all that it needs itself
 * it takes more than the start of our programs does, and few calls come here.
 */
#include "xen/libxl_usb.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxl.h>
#include <libxl_utils.h>

#include "config.h"
#include "libxl_ext_usb.h"
#include "xen/release.h"

/* Of the release whose header this is: there is no other way to be sure. */
#define LIBRARY "libxenlight.so." XLX_XEN_RELEASE

#define CALLS(DO)               \
    DO(ctx_alloc)               \
    DO(ctx_free)                \
    DO(devid_to_device_usbctrl) \
    DO(device_usbctrl_add)      \
    DO(device_usbctrl_dispose)  \
    DO(device_usbctrl_init)     \
    DO(device_usbctrl_remove)   \
    DO(device_usbdev_add)       \
    DO(device_usbdev_dispose)   \
    DO(device_usbdev_init)      \
    DO(device_usbdev_init_type) \
    DO(device_usbdev_remove)

/* lib.ctx_alloc is libxl_ctx_alloc(), and so on. */
struct calls {
#define MEMBER(name) __typeof__(libxl_##name) *name;
    CALLS(MEMBER)
#undef MEMBER
};

/* libxl logs through the first member. */
struct logger {
    xentoollog_logger base;
    char *why; /* XLX__LIBXL_WHY_MAX bytes: the first error since it was "" */
};

struct real {
    struct xlx__libxl base;
    struct logger logger;
    void *library;
    struct calls lib;
    libxl_ctx *ctx;
};

static struct real *real_of(struct xlx__libxl *libxl)
{
    return (struct real *)libxl;
}

/* --- what libxl says ------------------------------------------------------ */

/* "libxl_usb.c:1719:libxl__device_usbdev_add: Domain 5:USB device ..." */
static const char *skip_origin(const char *text)
{
    static const char domain[] = "Domain ";
    const char *p = strstr(text, ": ");
    if (!strncmp(text, "libxl_", 6) && p)
        text = p + 2;
    if (strncmp(text, domain, strlen(domain)))
        return text;
    p = text + strlen(domain);
    p += strspn(p, "0123456789");
    return *p == ':' ? p + 1 : text;
}

static void keep(char *why, const char *text)
{
    size_t i;
    for (i = 0; text[i] && i + 1 < XLX__LIBXL_WHY_MAX; i++)
        why[i] = text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?';
    why[i] = '\0';
}

/* The first error of a call names the cause; those after it come from the
 * callers, one less precise than the other. */
static void on_message(xentoollog_logger *base, xentoollog_level level, int err,
                       const char *context, const char *format, va_list al)
{
    struct logger *logger = (struct logger *)base;
    char text[2 * XLX__LIBXL_WHY_MAX];
    size_t n;
    (void)context;
    if (level < XTL_ERROR || *logger->why)
        return;
    vsnprintf(text, sizeof(text), format, al);
    n = strlen(text);
    if (err > 0)
        snprintf(text + n, sizeof(text) - n, ": %s", strerror(err));
    keep(logger->why, skip_origin(text));
}

static void on_progress(xentoollog_logger *base, const char *context,
                        const char *doing, int percent, unsigned long done,
                        unsigned long total)
{
    (void)base;
    (void)context;
    (void)doing;
    (void)percent;
    (void)done;
    (void)total;
}

static void on_destroy(xentoollog_logger *base)
{
    (void)base;
}

static int errno_of(int rc)
{
    switch (rc) {
    case 0:
        return 0;
    case ERROR_INVAL:
        return -EINVAL;
    case ERROR_TIMEDOUT:
        return -ETIMEDOUT;
    case ERROR_NOMEM:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

/* --- controllers ---------------------------------------------------------- */

/* Of 7.2 "Duplicate ID 'xenusb-0' for device", of 10.0 "Duplicate device ID
 * 'xenusb-0'". */
bool xlx__libxl_says_taken(const char *why)
{
    const char *duplicate = strstr(why, "Duplicate ");
    return duplicate && strstr(duplicate, "ID 'xenusb-");
}

static int hc_add(struct xlx__libxl *libxl, uint32_t domid, uint32_t version,
                  uint32_t nr_ports, uint32_t *devid_r)
{
    const struct calls *lib = &real_of(libxl)->lib;
    libxl_device_usbctrl hc;
    libxl->why[0] = '\0';
    lib->device_usbctrl_init(&hc);
    hc.type = LIBXL_USBCTRL_TYPE_DEVICEMODEL;
    hc.version = (int)version;
    hc.ports = (int)nr_ports;
    if (*devid_r != XLX_USB_ANY)
        hc.devid = (libxl_devid)*devid_r;
    int rc = lib->device_usbctrl_add(real_of(libxl)->ctx, domid, &hc, NULL);
    if (!rc)
        *devid_r = (uint32_t)hc.devid;
    lib->device_usbctrl_dispose(&hc);
    return rc && xlx__libxl_says_taken(libxl->why) ? -EEXIST : errno_of(rc);
}

static int hc_remove(struct xlx__libxl *libxl, uint32_t domid, uint32_t devid)
{
    const struct calls *lib = &real_of(libxl)->lib;
    libxl_device_usbctrl hc;
    libxl->why[0] = '\0';
    lib->device_usbctrl_init(&hc);
    int rc = lib->devid_to_device_usbctrl(real_of(libxl)->ctx, domid,
                                          (int)devid, &hc);
    if (!rc)
        rc = lib->device_usbctrl_remove(real_of(libxl)->ctx, domid, &hc, NULL);
    lib->device_usbctrl_dispose(&hc);
    return errno_of(rc);
}

/* --- devices -------------------------------------------------------------- */

static void fill_usbdev(const struct calls *lib, libxl_device_usbdev *to,
                        const struct xlx__libxl_dev *dev)
{
    lib->device_usbdev_init(to);
    lib->device_usbdev_init_type(to, LIBXL_USBDEV_TYPE_HOSTDEV);
    to->ctrl = (libxl_devid)dev->devid;
    to->port = (int)dev->port;
    to->u.hostdev.hostbus = (uint8_t)dev->bus;
    to->u.hostdev.hostaddr = (uint8_t)dev->address;
}

static int dev_add(struct xlx__libxl *libxl, uint32_t domid,
                   const struct xlx__libxl_dev *dev)
{
    const struct calls *lib = &real_of(libxl)->lib;
    libxl_device_usbdev usbdev;
    libxl->why[0] = '\0';
    fill_usbdev(lib, &usbdev, dev);
    int rc = lib->device_usbdev_add(real_of(libxl)->ctx, domid, &usbdev, NULL);
    lib->device_usbdev_dispose(&usbdev);
    return errno_of(rc);
}

static int dev_remove(struct xlx__libxl *libxl, uint32_t domid,
                      const struct xlx__libxl_dev *dev)
{
    const struct calls *lib = &real_of(libxl)->lib;
    libxl_device_usbdev usbdev;
    libxl->why[0] = '\0';
    fill_usbdev(lib, &usbdev, dev);
    int rc =
        lib->device_usbdev_remove(real_of(libxl)->ctx, domid, &usbdev, NULL);
    lib->device_usbdev_dispose(&usbdev);
    return errno_of(rc);
}

/* --- opening -------------------------------------------------------------- */

static void real_close(struct xlx__seam *seam)
{
    struct real *real = (struct real *)seam;
    real->lib.ctx_free(real->ctx);
    dlclose(real->library);
    free(real);
}

static const struct xlx__libxl_ops real_ops = {
    .hc_add = hc_add,
    .hc_remove = hc_remove,
    .dev_add = dev_add,
    .dev_remove = dev_remove,
};

/* It has handlers of its own for forks, and is not to be unloaded. */
static int load_libxl(xlx_ctx *ctx, struct real *real)
{
    real->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    bool ok = real->library;
#define LOAD(name) \
    ok = ok &&     \
         (*(void **)&real->lib.name = dlsym(real->library, "libxl_" #name));
    CALLS(LOAD)
#undef LOAD
    if (ok)
        return 0;
    int rc = xlx__fail(ctx, ENOENT, "libxl: cannot load it: %s", dlerror());
    if (real->library)
        dlclose(real->library);
    return rc;
}

static int open_ctx(xlx_ctx *ctx, struct real *real)
{
    if (!real->lib.ctx_alloc(&real->ctx, LIBXL_VERSION, 0, &real->logger.base))
        return 0;
    dlclose(real->library);
    return xlx__fail(ctx, EIO, "libxl: cannot open it%s%s",
                     *real->base.why ? ": " : "", real->base.why);
}

int xlx__libxl_real(xlx_ctx *ctx, struct xlx__libxl **libxl_r)
{
    struct real *real = calloc(1, sizeof(*real));
    if (!real)
        return xlx__fail(ctx, ENOMEM, "libxl: no memory");
    real->base.seam.close = real_close;
    real->base.ops = &real_ops;
    real->logger.base.vmessage = on_message;
    real->logger.base.progress = on_progress;
    real->logger.base.destroy = on_destroy;
    real->logger.why = real->base.why;
    int rc = load_libxl(ctx, real);
    if (!rc)
        rc = open_ctx(ctx, real);
    if (rc)
        free(real);
    else
        *libxl_r = &real->base;
    return rc;
}

int xlx__libxl_open(xlx_ctx *ctx)
{
    if (ctx->libxl)
        return 0;
    int rc = xlx__xen_fits(ctx);
    return rc ? rc : xlx__libxl_real(ctx, &ctx->libxl);
}

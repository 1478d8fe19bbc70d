/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The contract of libxenlight for USB, over a device model in memory, and over
 * libxl_usb.c with that one behind libxl's functions, which are here and which
 * it loads in place of the library's. Over libxl itself:
 * tests/rig/cases/usb-hvm.sh.
 */
#include "test.h"

#include <dlfcn.h>

#include <libxl.h>
#include <libxl_utils.h>

#include "fakes/usb_world.h"

#define NO_DEVID 7u

struct subject {
    struct usb_world *w;
    struct xlx__libxl *libxl;
};

/* --- libxl ---------------------------------------------------------------- */

static struct {
    struct xlx__libxl *model;
    xentoollog_logger *logger;
    int open;
    int made; /* structures that are to be disposed of */
    bool refuses, missing;
    int error; /* of the next call, 0: none; of libxl's numbers */
} lib;

void *dlopen(const char *file, int flags)
{
    __typeof__(dlopen) *next;
    *(void **)&next = dlsym(RTLD_NEXT, "dlopen");
    if (!file || strncmp(file, "libxenlight.so.", 15))
        return next(file, flags);
    return next(lib.missing ? "/nonexistent.so" : NULL, flags);
}

static void say(xentoollog_level level, int err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    lib.logger->vmessage(lib.logger, level, err, "libxl", format, args);
    va_end(args);
}

int libxl_ctx_alloc(libxl_ctx **pctx, int version, unsigned flags,
                    xentoollog_logger *logger)
{
    assert_int_equal(version, LIBXL_VERSION);
    assert_int_equal(flags, 0);
    lib.logger = logger;
    if (lib.refuses) {
        say(XTL_ERROR, ENOENT, "cannot open libxc handle");
        return ERROR_FAIL;
    }
    lib.open++;
    *pctx = (libxl_ctx *)&lib;
    return 0;
}

int libxl_ctx_free(libxl_ctx *ctx)
{
    assert_ptr_equal(ctx, &lib);
    lib.open--;
    return 0;
}

/* As libxl does: what the cause is, then who has failed because of it. */
static int answer(int rc)
{
    if (lib.error) {
        rc = lib.error;
        lib.error = 0;
        return rc;
    }
    if (!rc)
        return 0;
    say(XTL_WARN, -1, "a warning");
    if (*lib.model->why)
        say(XTL_ERROR, -1, "libxl_qmp.c:1376:qmp_error: Domain %u:%s",
            WORLD_HVM, lib.model->why);
    if (rc == -EINVAL)
        return ERROR_INVAL;
    say(XTL_ERROR, -1, "libxl_usb.c:1:add: Domain %u:it failed", WORLD_HVM);
    return ERROR_FAIL;
}

void libxl_device_usbctrl_init(libxl_device_usbctrl *hc)
{
    memset(hc, 0, sizeof(*hc));
    hc->devid = -1;
    lib.made++;
}

void libxl_device_usbctrl_dispose(libxl_device_usbctrl *hc)
{
    (void)hc;
    lib.made--;
}

int libxl_device_usbctrl_add(libxl_ctx *ctx, uint32_t domid,
                             libxl_device_usbctrl *hc,
                             const libxl_asyncop_how *ao_how)
{
    uint32_t devid = hc->devid < 0 ? XLX_USB_ANY : (uint32_t)hc->devid;
    (void)ctx;
    assert_null(ao_how);
    assert_int_equal(hc->type, LIBXL_USBCTRL_TYPE_DEVICEMODEL);
    int rc = lib.model->ops->hc_add(lib.model, domid, (uint32_t)hc->version,
                                    (uint32_t)hc->ports, &devid);
    hc->devid = (libxl_devid)devid;
    return answer(rc);
}

int libxl_devid_to_device_usbctrl(libxl_ctx *ctx, uint32_t domid, int devid,
                                  libxl_device_usbctrl *hc)
{
    (void)ctx;
    assert_int_equal(domid, WORLD_HVM);
    if (devid == (int)NO_DEVID)
        return ERROR_INVAL;
    hc->devid = devid;
    return 0;
}

int libxl_device_usbctrl_remove(libxl_ctx *ctx, uint32_t domid,
                                libxl_device_usbctrl *hc,
                                const libxl_asyncop_how *ao_how)
{
    (void)ctx;
    assert_null(ao_how);
    return answer(
        lib.model->ops->hc_remove(lib.model, domid, (uint32_t)hc->devid));
}

void libxl_device_usbdev_init(libxl_device_usbdev *dev)
{
    memset(dev, 0, sizeof(*dev));
    lib.made++;
}

void libxl_device_usbdev_init_type(libxl_device_usbdev *dev,
                                   libxl_usbdev_type type)
{
    assert_int_equal(type, LIBXL_USBDEV_TYPE_HOSTDEV);
    dev->type = type;
}

void libxl_device_usbdev_dispose(libxl_device_usbdev *dev)
{
    assert_int_equal(dev->type, LIBXL_USBDEV_TYPE_HOSTDEV);
    lib.made--;
}

static struct xlx__libxl_dev read_dev(const libxl_device_usbdev *dev)
{
    return (struct xlx__libxl_dev){ .devid = (uint32_t)dev->ctrl,
                                    .port = (uint32_t)dev->port,
                                    .bus = dev->u.hostdev.hostbus,
                                    .address = dev->u.hostdev.hostaddr };
}

int libxl_device_usbdev_add(libxl_ctx *ctx, uint32_t domid,
                            libxl_device_usbdev *usbdev,
                            const libxl_asyncop_how *ao_how)
{
    struct xlx__libxl_dev dev = read_dev(usbdev);
    (void)ctx;
    assert_null(ao_how);
    return answer(lib.model->ops->dev_add(lib.model, domid, &dev));
}

int libxl_device_usbdev_remove(libxl_ctx *ctx, uint32_t domid,
                               libxl_device_usbdev *usbdev,
                               const libxl_asyncop_how *ao_how)
{
    struct xlx__libxl_dev dev = read_dev(usbdev);
    (void)ctx;
    assert_null(ao_how);
    return answer(lib.model->ops->dev_remove(lib.model, domid, &dev));
}

/* --- the cases ------------------------------------------------------------ */

static int add_hc(struct subject *s, uint32_t *devid)
{
    return s->libxl->ops->hc_add(s->libxl, WORLD_HVM, 2, 6, devid);
}

static void a_controller_gets_the_number_it_is_to_have(struct subject *s)
{
    uint32_t devid = XLX_USB_ANY;
    assert_int_equal(add_hc(s, &devid), 0);
    assert_int_equal(devid, 0);
    devid = 4;
    assert_int_equal(add_hc(s, &devid), 0);
    assert_int_equal(devid, 4);
    assert_true(s->w->qemu_hc[0] && s->w->qemu_hc[4]);
    assert_string_equal(xs_mem_get(s->w->xs, "/libxl/6/device/vusb/4/usb-ver"),
                        "2");
    assert_string_equal(
        xs_mem_get(s->w->xs, "/libxl/6/device/vusb/4/num-ports"), "6");
    assert_int_equal(s->libxl->ops->hc_remove(s->libxl, WORLD_HVM, 4), 0);
    assert_true(s->w->qemu_hc[0] && !s->w->qemu_hc[4]);
    assert_string_equal(s->libxl->why, "");
}

static void one_that_is_not_fit_is_invalid(struct subject *s)
{
    uint32_t devid = 3;
    assert_int_equal(s->libxl->ops->hc_add(s->libxl, WORLD_HVM, 2, 5, &devid),
                     -EINVAL);
    assert_int_equal(devid, 3);
    assert_string_equal(s->libxl->why, "");
}

static void a_number_may_still_be_taken(struct subject *s)
{
    uint32_t devid = 0;
    s->w->qemu_lingers = 1;
    assert_int_equal(add_hc(s, &devid), 0);
    assert_int_equal(s->libxl->ops->hc_remove(s->libxl, WORLD_HVM, 0), 0);
    assert_int_equal(add_hc(s, &devid), -EEXIST);
    assert_string_equal(s->libxl->why, "Duplicate device ID 'xenusb-0'");
    assert_int_equal(add_hc(s, &devid), 0);
    assert_string_equal(s->libxl->why, "");
}

static void a_device_comes_and_goes_by_its_numbers(struct subject *s)
{
    const struct xlx__libxl_dev dev = { 4, 3, 1, 3 };
    uint32_t devid = 4;
    assert_int_equal(add_hc(s, &devid), 0);
    assert_int_equal(s->libxl->ops->dev_add(s->libxl, WORLD_HVM, &dev), 0);
    assert_string_equal(xs_mem_get(s->w->xs, "/libxl/6/device/vusb/4/port/3"),
                        "1-2");
    assert_int_equal(s->libxl->ops->dev_add(s->libxl, WORLD_HVM, &dev), -EIO);
    assert_string_equal(s->libxl->why, "USB device is not assignable.");
    assert_int_equal(s->libxl->ops->dev_remove(s->libxl, WORLD_HVM, &dev), 0);
    assert_string_equal(s->libxl->why, "");
    assert_string_equal(xs_mem_get(s->w->xs, "/libxl/6/device/vusb/4/port/3"),
                        "");
    assert_int_equal(s->libxl->ops->dev_remove(s->libxl, WORLD_HVM, &dev),
                     -EIO);
    assert_string_equal(s->libxl->why, "Device 'xenusb-1-3' not found");
}

static void what_a_call_fails_with_is_kept(struct subject *s)
{
    uint32_t devid = 2;
    s->w->nth = (struct nth){ .fail_at = 1 };
    assert_int_equal(add_hc(s, &devid), -EIO);
    assert_int_equal(devid, 2);
    assert_string_equal(s->libxl->why, "Bus 'pci.0' is full");
    s->w->nth = (struct nth){ .fail_at = 1 };
    assert_int_equal(s->libxl->ops->hc_remove(s->libxl, WORLD_HVM, 2), -EIO);
    assert_string_equal(s->libxl->why, "Device 'xenusb-0' not found");
}

/* --- the subjects --------------------------------------------------------- */

static struct subject begin(bool real)
{
    struct subject s = { .w = usb_world_new() };
    memset(&lib, 0, sizeof(lib));
    lib.model = s.libxl = s.w->ctx->libxl;
    if (real)
        assert_int_equal(xlx__libxl_real(s.w->ctx, &s.libxl), 0);
    return s;
}

static void end(struct subject *s)
{
    if (s->libxl != lib.model)
        s->libxl->seam.close(&s->libxl->seam);
    assert_int_equal(lib.open, 0);
    assert_int_equal(lib.made, 0);
    usb_world_free(s->w);
}

static void run_cases(bool real)
{
    static void (*const cases[])(struct subject *) = {
        a_controller_gets_the_number_it_is_to_have,
        one_that_is_not_fit_is_invalid,
        a_number_may_still_be_taken,
        a_device_comes_and_goes_by_its_numbers,
        what_a_call_fails_with_is_kept,
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct subject s = begin(real);
        cases[i](&s);
        end(&s);
    }
}

static void the_fake_keeps_it(void **state)
{
    (void)state;
    run_cases(false);
}

static void libxl_usb_keeps_it(void **state)
{
    (void)state;
    run_cases(true);
}

/* --- of libxl alone ------------------------------------------------------- */

static void its_errors_are_told_by_their_numbers(void **state)
{
    static const struct {
        int libxl, rc;
    } rows[] = {
        { ERROR_INVAL, -EINVAL },  { ERROR_TIMEDOUT, -ETIMEDOUT },
        { ERROR_NOMEM, -ENOMEM },  { ERROR_FAIL, -EIO },
        { ERROR_NOT_READY, -EIO },
    };
    (void)state;
    struct subject s = begin(true);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        lib.error = rows[i].libxl;
        assert_int_equal(s.libxl->ops->hc_remove(s.libxl, WORLD_HVM, 1),
                         rows[i].rc);
    }
    assert_int_equal(s.libxl->ops->hc_remove(s.libxl, WORLD_HVM, NO_DEVID),
                     -EINVAL);
    end(&s);
}

static void what_it_says_is_kept_printable_and_short(void **state)
{
    (void)state;
    char longest[2 * XLX__LIBXL_WHY_MAX];
    struct subject s = begin(true);
    say(XTL_ERROR, ENOENT, "libxl_usb.c:12:f: Domain 12:no\033 file\x7f");
    assert_string_equal(s.libxl->why, "no? file?: No such file or directory");
    say(XTL_ERROR, -1, "the second");
    assert_string_equal(s.libxl->why, "no? file?: No such file or directory");
    for (size_t len = XLX__LIBXL_WHY_MAX - 2; len <= XLX__LIBXL_WHY_MAX;
         len++) {
        memset(longest, 'y', len);
        longest[len] = '\0';
        s.libxl->why[0] = '\0';
        say(XTL_ERROR, 0, "%s", longest);
        assert_int_equal(strlen(s.libxl->why), len < XLX__LIBXL_WHY_MAX
                                                   ? len
                                                   : XLX__LIBXL_WHY_MAX - 1);
    }
    end(&s);
}

static void what_cannot_be_opened_is_told(void **state)
{
    (void)state;
    struct xlx__libxl *libxl = NULL;
    struct subject s = begin(false);
    lib.refuses = true;
    assert_int_equal(xlx__libxl_real(s.w->ctx, &libxl), -EIO);
    assert_string_equal(xlx_ctx_error(s.w->ctx),
                        "libxl: cannot open it: cannot open libxc handle: No "
                        "such file or directory");
    lib.missing = true;
    assert_int_equal(xlx__libxl_real(s.w->ctx, &libxl), -ENOENT);
    assert_non_null(strstr(xlx_ctx_error(s.w->ctx), "/nonexistent.so"));
    assert_null(libxl);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fake_keeps_it),
        cmocka_unit_test(libxl_usb_keeps_it),
        cmocka_unit_test(its_errors_are_told_by_their_numbers),
        cmocka_unit_test(what_it_says_is_kept_printable_and_short),
        cmocka_unit_test(what_cannot_be_opened_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

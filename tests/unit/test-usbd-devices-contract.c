/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The contract of taking a USB device and giving it back, over devices in
 * memory, and over usbd/device.c with a kernel in its place that has one
 * device: open(), ioctl() and close() of its file. Over the kernel itself:
 * tests/rig/cases/usb-attach.sh and usb-held.sh.
 */
#include "test.h"

#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fakes/usbd_devices.h"

#define BUSID "1-2.4"
#define BUS 1u
#define ADDRESS 7u
#define INTFS 2u
#define FILES 4

struct subject {
    struct xlx__usbd_devices *d;
    xlx_ctx *ctx;
    struct usbd_fake *fake; /* NULL: the real one */
    char why[XLX__USBD_WHY_MAX];
};

/* --- the kernel ----------------------------------------------------------- */

struct file {
    int fd; /* -1: none */
    uint32_t claimed, allowed;
    bool dropped;
};

static struct {
    bool there;
    uint32_t address, devnum; /* the file's name, and what the device says */
    uint8_t port;             /* the last number of its busid */
    unsigned config, resets;
    const char *driver[INTFS]; /* NULL: none */
    int fail_intf, fail_err;   /* the claim of this interface fails */
    int config_err, drop_err, open_err;
    int conninfo_err; /* of the newer of two calls */
    const uint8_t *descriptors;
    size_t nr_descriptors;
    struct file file[FILES];
} kernel;

static const char *const drivers[INTFS] = { "usb-storage", "usbhid" };

/* Two configurations with the same two interfaces. */
static const uint8_t descriptors[] = {
    18, 1, 0,  2, 0, 0, 0, 64,   0x34, 0x12, 0x78, 0x56, 0, 1, 0, 0, 0, 2, /**/
    9,  2, 27, 0, 2, 1, 0, 0x80, 50,                                       /**/
    9,  4, 0,  0, 0, 8, 6, 80,   0,                                        /**/
    9,  4, 1,  0, 0, 3, 0, 0,    0,                                        /**/
    9,  2, 27, 0, 2, 2, 0, 0x80, 50,                                       /**/
    9,  4, 0,  0, 0, 8, 6, 80,   0,                                        /**/
    9,  4, 1,  0, 0, 3, 0, 0,    0,
};

static struct file *file_of(int fd)
{
    for (int i = 0; i < FILES; i++)
        if (fd >= 0 && kernel.there && kernel.file[i].fd == fd)
            return &kernel.file[i];
    return NULL;
}

static int open_device(void)
{
    struct file *file = kernel.file;
    while (file->fd >= 0)
        file++;
    assert_true(file < kernel.file + FILES);
    int fd = memfd_create("device", MFD_CLOEXEC);
    assert_int_equal(write(fd, kernel.descriptors, kernel.nr_descriptors),
                     kernel.nr_descriptors);
    *file = (struct file){ .fd = fd };
    return fd;
}

int open(const char *path, int flags, ...)
{
    unsigned bus, address;
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (sscanf(path, "/dev/bus/usb/%u/%u", &bus, &address) != 2)
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    bool there = kernel.there && bus == BUS && address == kernel.address;
    if (there && !kernel.open_err)
        return open_device();
    errno = there ? kernel.open_err : ENOENT;
    return -1;
}

static bool is_usbfs(unsigned intf)
{
    return kernel.driver[intf] && !strcmp(kernel.driver[intf], "usbfs");
}

static int release(struct file *file, unsigned intf)
{
    if (!(file->claimed & 1u << intf))
        return -EINVAL;
    file->claimed &= ~(1u << intf);
    kernel.driver[intf] = NULL;
    return 0;
}

int close(int fd)
{
    struct file *file = file_of(fd);
    for (unsigned i = 0; file && i < INTFS; i++)
        release(file, i);
    if (file)
        file->fd = -1;
    return (int)syscall(SYS_close, fd);
}

static void find_drivers(void)
{
    for (unsigned i = 0; i < INTFS; i++)
        if (!kernel.driver[i])
            kernel.driver[i] = drivers[i];
}

static int reset(void)
{
    for (int f = 0; f < FILES; f++)
        for (unsigned i = 0; i < INTFS; i++)
            release(&kernel.file[f], i);
    kernel.resets++;
    find_drivers();
    return 0;
}

static int set_config(unsigned config)
{
    for (unsigned i = 0; i < INTFS; i++)
        if (kernel.driver[i])
            return -EBUSY;
    if (kernel.config_err)
        return -kernel.config_err;
    kernel.config = config;
    find_drivers();
    return 0;
}

static int claim(struct file *file, const struct usbdevfs_disconnect_claim *dc)
{
    unsigned intf = dc->interface;
    assert_int_equal(dc->flags, USBDEVFS_DISCONNECT_CLAIM_EXCEPT_DRIVER);
    assert_string_equal(dc->driver, "usbfs");
    if (intf >= INTFS || is_usbfs(intf))
        return intf < INTFS ? -EBUSY : -EINVAL;
    if (kernel.fail_err && (int)intf == kernel.fail_intf)
        return -kernel.fail_err;
    kernel.driver[intf] = "usbfs";
    file->claimed |= 1u << intf;
    return 0;
}

static int call_driver(const struct file *file,
                       const struct usbdevfs_ioctl *command)
{
    unsigned intf = (unsigned)command->ifno;
    if (file->dropped)
        return -EACCES;
    if (intf >= INTFS)
        return -EINVAL;
    if ((unsigned)command->ioctl_code == USBDEVFS_DISCONNECT) {
        bool has = kernel.driver[intf];
        kernel.driver[intf] = NULL;
        return has ? 0 : -ENODATA;
    }
    if (kernel.driver[intf])
        return -EBUSY;
    kernel.driver[intf] = drivers[intf];
    return 0;
}

static int get_driver(struct usbdevfs_getdriver *get)
{
    if (!kernel.driver[get->interface])
        return -ENODATA;
    snprintf(get->driver, sizeof(get->driver), "%s",
             kernel.driver[get->interface]);
    return 0;
}

static int drop_privileges(struct file *file, uint32_t mask)
{
    if (kernel.drop_err)
        return -kernel.drop_err;
    file->dropped = true;
    file->allowed = mask;
    return 0;
}

static int conninfo(struct usbdevfs_conninfo_ex *info)
{
    if (kernel.conninfo_err)
        return -kernel.conninfo_err;
    *info = (struct usbdevfs_conninfo_ex){ .size = sizeof(*info),
                                           .busnum = BUS,
                                           .devnum = kernel.devnum,
                                           .num_ports = 2,
                                           .ports = { 2, kernel.port } };
    return 0;
}

static int call(struct file *file, unsigned long request, void *arg)
{
    switch (request) {
    case USBDEVFS_CONNINFO_EX(sizeof(struct usbdevfs_conninfo_ex)):
        return conninfo(arg);
    case USBDEVFS_CONNECTINFO:
        *(struct usbdevfs_connectinfo *)arg =
            (struct usbdevfs_connectinfo){ .devnum = kernel.devnum };
        return 0;
    case USBDEVFS_RESET:
        return reset();
    case USBDEVFS_SETCONFIGURATION:
        return set_config(*(unsigned *)arg);
    case USBDEVFS_GETDRIVER:
        return get_driver(arg);
    case USBDEVFS_IOCTL:
        return call_driver(file, arg);
    case USBDEVFS_DISCONNECT_CLAIM:
        return claim(file, arg);
    case USBDEVFS_RELEASEINTERFACE:
        return release(file, *(unsigned *)arg);
    case USBDEVFS_DROP_PRIVILEGES:
        return drop_privileges(file, *(uint32_t *)arg);
    default:
        return -ENOTTY;
    }
}

int ioctl(int fd, unsigned long request, ...)
{
    struct file *file = file_of(fd);
    va_list args;
    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    if (!file)
        return (int)syscall(SYS_ioctl, fd, request, arg);
    int rc = call(file, request, arg);
    errno = rc < 0 ? -rc : EDOM; /* without a failure it says nothing */
    return rc < 0 ? -1 : rc;
}

/* --- what became of the device -------------------------------------------- */

static struct usbd_fake_device *in_fake(const struct subject *s)
{
    return usbd_fake_find(s->fake, BUSID);
}

static bool is_claimed(const struct subject *s)
{
    return s->fake ? in_fake(s)->fd >= 0 : is_usbfs(0) && is_usbfs(1);
}

/* Its drivers were called. */
static bool is_driven(const struct subject *s)
{
    return s->fake ? in_fake(s)->given_back && !is_claimed(s)
                   : kernel.driver[0] == drivers[0] &&
                         kernel.driver[1] == drivers[1];
}

static unsigned resets(const struct subject *s)
{
    return s->fake ? in_fake(s)->resets : kernel.resets;
}

static int config(const struct subject *s)
{
    return s->fake ? in_fake(s)->config : (int)kernel.config;
}

/* --- the cases ------------------------------------------------------------ */

static const struct xlx__usbd_wish usual = { .busid = BUSID,
                                             .bus = BUS,
                                             .address = ADDRESS,
                                             .mbits = 480,
                                             .config = 1,
                                             .new_config =
                                                 XLX__USBD_NO_CONFIG };

static int take(struct subject *s, const struct xlx__usbd_wish *wish,
                struct xlx__usbd_claim *c)
{
    s->why[0] = '\0';
    return s->d->ops->claim(s->d, wish, c, s->why);
}

static void it_is_taken_and_given_back(struct subject *s)
{
    struct xlx__usbd_claim c = { .fd = -1 };
    for (int i = 0; i < 2; i++) {
        assert_int_equal(take(s, &usual, &c), 0);
        assert_true(c.fd >= 0);
        assert_int_equal(c.bus, BUS);
        assert_int_equal(c.address, ADDRESS);
        assert_true(is_claimed(s));
        assert_int_equal(s->d->ops->give_back(s->d, &c, false), 0);
        assert_int_equal(c.fd, -1);
        assert_true(is_driven(s));
        assert_int_equal(resets(s), 0);
    }
}

static void it_is_reset_when_asked_to(struct subject *s)
{
    struct xlx__usbd_wish wish = usual;
    struct xlx__usbd_claim c;
    wish.reset = true;
    assert_int_equal(take(s, &wish, &c), 0);
    assert_int_equal(resets(s), 1);
    assert_true(is_claimed(s));
    assert_int_equal(s->d->ops->give_back(s->d, &c, true), 0);
    assert_int_equal(resets(s), 2);
    assert_true(is_driven(s));
}

static void it_gets_another_configuration(struct subject *s)
{
    struct xlx__usbd_wish wish = usual;
    struct xlx__usbd_claim c;
    wish.new_config = 2;
    assert_int_equal(take(s, &wish, &c), 0);
    assert_int_equal(config(s), 2);
    assert_true(is_claimed(s));
    assert_int_equal(s->d->ops->give_back(s->d, &c, false), 0);
}

static void what_is_not_there_is_told(struct subject *s)
{
    struct xlx__usbd_wish wish = usual;
    struct xlx__usbd_claim c = { -1, BUS, ADDRESS + 1 };
    wish.address++;
    assert_int_equal(take(s, &wish, &c), -ENODEV);
    assert_true(*s->why);
    assert_int_equal(c.fd, -1);
    assert_int_equal(s->d->ops->give_back(s->d, &c, true), -ENODEV);
}

static void what_another_has_stays_with_it(struct subject *s)
{
    struct xlx__usbd_claim c, other = { .fd = -1 };
    assert_int_equal(take(s, &usual, &c), 0);
    assert_int_equal(take(s, &usual, &other), -EBUSY);
    assert_true(*s->why);
    assert_int_equal(other.fd, -1);
    assert_true(is_claimed(s));
    assert_int_equal(s->d->ops->give_back(s->d, &c, false), 0);
}

/* As after a process that was killed: its descriptor went with it. */
static void what_was_dropped_can_be_given_back(struct subject *s)
{
    struct xlx__usbd_claim c;
    assert_int_equal(take(s, &usual, &c), 0);
    s->d->ops->drop(s->d, &c);
    assert_int_equal(c.fd, -1);
    assert_false(is_claimed(s));
    assert_false(is_driven(s));
    s->d->ops->drop(s->d, &c); /* of nothing */
    assert_int_equal(s->d->ops->give_back(s->d, &c, true), 0);
    assert_true(is_driven(s));
    assert_int_equal(resets(s), 1);
}

static void what_refuses_its_configuration_is_left_alone(struct subject *s)
{
    struct xlx__usbd_wish wish = usual;
    struct xlx__usbd_claim c = { .fd = -1 };
    wish.new_config = 2;
    kernel.config_err = EPIPE;
    if (s->fake)
        s->fake->refuses_config = 2;
    assert_int_equal(take(s, &wish, &c), -EPIPE);
    assert_true(*s->why);
    assert_int_equal(c.fd, -1);
    assert_false(is_claimed(s));
    assert_int_not_equal(config(s), 2);
}

/* --- the subjects --------------------------------------------------------- */

static struct sysfs_mem *plugged(void)
{
    static const struct sysfs_dev dev = { .busid = BUSID, .address = "7" };
    struct sysfs_mem *sysfs = sysfs_mem_new(NULL);
    sysfs_mem_plug(sysfs, &dev);
    return sysfs;
}

static void start_kernel(void)
{
    memset(&kernel, 0, sizeof(kernel));
    for (int i = 0; i < FILES; i++)
        kernel.file[i].fd = -1;
    kernel.there = true;
    kernel.address = kernel.devnum = ADDRESS;
    kernel.descriptors = descriptors;
    kernel.nr_descriptors = sizeof(descriptors);
    kernel.port = 4;
    kernel.config = 1;
    find_drivers();
}

static struct subject begin(struct usbd_fake *fake)
{
    struct subject s = { .fake = fake };
    start_kernel();
    assert_int_equal(xlx_ctx_new(&s.ctx), 0);
    if (fake)
        s.d = usbd_fake_new(fake);
    else
        assert_int_equal(xlx__usbd_devices_host(s.ctx, &s.d), 0);
    return s;
}

static void end(struct subject *s)
{
    s->d->seam.close(&s->d->seam);
    xlx_ctx_free(s->ctx);
    for (int i = 0; i < FILES; i++)
        assert_int_equal(kernel.file[i].fd, -1);
    kernel.there = false;
}

static void run_cases(bool real)
{
    static void (*const cases[])(struct subject *) = {
        it_is_taken_and_given_back,
        it_is_reset_when_asked_to,
        it_gets_another_configuration,
        what_is_not_there_is_told,
        what_another_has_stays_with_it,
        what_was_dropped_can_be_given_back,
        what_refuses_its_configuration_is_left_alone,
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sysfs_mem *sysfs = plugged();
        struct usbd_fake fake = { .sysfs = sysfs };
        struct subject s = begin(real ? NULL : &fake);
        cases[i](&s);
        end(&s);
        struct xlx__sysfs *seam = sysfs_mem_seam(sysfs);
        seam->seam.close(&seam->seam);
    }
}

static void the_fake_keeps_it(void **state)
{
    (void)state;
    run_cases(false);
}

static void device_c_keeps_it(void **state)
{
    (void)state;
    run_cases(true);
}

/* --- of the real one alone ------------------------------------------------ */

static void what_a_guest_gets_can_take_nothing_more(void **state)
{
    (void)state;
    struct subject s = begin(NULL);
    struct xlx__usbd_claim c;
    assert_int_equal(take(&s, &usual, &c), 0);
    assert_true(file_of(c.fd)->dropped);
    assert_int_equal(file_of(c.fd)->allowed, 3);
    s.d->ops->drop(s.d, &c);
    end(&s);
}

/* The second interface cannot be claimed, or privileges not be dropped. */
static void a_claim_that_fails_calls_the_drivers_back(void **state)
{
    static const int errors[][2] = { { EBUSY, 0 }, { EIO, 0 }, { 0, ENOTTY } };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct subject s = begin(NULL);
        struct xlx__usbd_claim c = { .fd = -1 };
        kernel.fail_intf = 1;
        kernel.fail_err = errors[i][0];
        kernel.drop_err = errors[i][1];
        assert_int_equal(take(&s, &usual, &c), -(errors[i][0] + errors[i][1]));
        assert_true(*s.why);
        assert_int_equal(c.fd, -1);
        assert_true(is_driven(&s));
        end(&s);
    }
}

static void a_configuration_that_fails_calls_the_drivers_back(void **state)
{
    (void)state;
    struct xlx__usbd_wish wish = usual;
    struct subject s = begin(NULL);
    struct xlx__usbd_claim c;
    wish.new_config = 2;
    kernel.config_err = EPIPE;
    assert_int_equal(take(&s, &wish, &c), -EPIPE);
    assert_true(is_driven(&s));
    end(&s);
}

static void assert_refused(struct subject *s, int rc, const char *why)
{
    struct xlx__usbd_claim c = { .fd = -1 };
    assert_int_equal(take(s, &usual, &c), rc);
    assert_string_equal(s->why, why);
    assert_int_equal(c.fd, -1);
    assert_true(is_driven(s));
}

/* It has the number of the one that sysfs named, on another port. */
static void another_device_with_its_number_is_left_alone(void **state)
{
    (void)state;
    struct subject s = begin(NULL);
    kernel.port = 5;
    assert_refused(&s, -ENODEV, "no such device on this host");
    kernel.port = 4;
    kernel.devnum++;
    assert_refused(&s, -ENODEV, "no such device on this host");
    end(&s);
}

/* Linux before 5.3 tells only the number. */
static void an_older_kernel_tells_less_of_it(void **state)
{
    static const int errors[] = { ENOTTY, EINVAL };
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct subject s = begin(NULL);
        struct xlx__usbd_claim c;
        kernel.conninfo_err = errors[i];
        kernel.devnum++;
        assert_refused(&s, -ENODEV, "no such device on this host");
        kernel.devnum--;
        assert_int_equal(take(&s, &usual, &c), 0);
        s.d->ops->drop(s.d, &c);
        end(&s);
    }
    struct subject s = begin(NULL);
    kernel.conninfo_err = EIO;
    assert_refused(&s, -EIO,
                   "another device has taken its place: Input/output error");
    end(&s);
}

static void why_it_is_not_taken_is_told(void **state)
{
    static const uint8_t cut[] = { 18, 1, 0, 2 };
    (void)state;
    struct subject s = begin(NULL);
    kernel.open_err = EACCES;
    assert_refused(&s, -EACCES, "cannot open it: Permission denied");
    kernel.open_err = 0;
    kernel.fail_err = EIO;
    assert_refused(&s, -EIO,
                   "an interface cannot be claimed: Input/output error");
    kernel.fail_err = 0;
    kernel.drop_err = ENOTTY;
    assert_refused(&s, -ENOTTY,
                   "privileges on it cannot be dropped: Inappropriate ioctl "
                   "for device");
    kernel.drop_err = 0;
    kernel.descriptors = cut;
    kernel.nr_descriptors = sizeof(cut);
    assert_refused(&s, -ENOTSUP,
                   "its descriptors have no configuration that can be read");
    end(&s);
}

static void who_has_it_is_told(void **state)
{
    (void)state;
    char proc[] = "/tmp/xlx-proc-XXXXXX", command[300];
    struct subject s = begin(NULL);
    assert_non_null(mkdtemp(proc));
    assert_int_equal(xlx_ctx_set_path(s.ctx, XLX_PATH_PROC, proc), 0);
    kernel.fail_err = EBUSY;
    assert_refused(&s, -EBUSY, "an interface is claimed by another process");
    snprintf(command, sizeof(command),
             "mkdir -p %s/77/fd && echo usbmuxd >%s/77/comm && "
             "ln -s /dev/bus/usb/001/007 %s/77/fd/3",
             proc, proc, proc);
    assert_int_equal(system(command), 0);
    assert_refused(&s, -EBUSY, "claimed by process usbmuxd (pid 77)");
    struct xlx__usbd_wish wish = usual;
    struct xlx__usbd_claim c;
    wish.new_config = 2;
    kernel.config_err = EBUSY;
    assert_int_equal(take(&s, &wish, &c), -EBUSY);
    assert_string_equal(s.why, "claimed by process usbmuxd (pid 77)");
    snprintf(command, sizeof(command), "rm -rf %s", proc);
    assert_int_equal(system(command), 0);
    end(&s);
}

static void one_without_a_configuration_has_nothing_to_claim(void **state)
{
    (void)state;
    struct xlx__usbd_wish wish = usual;
    struct subject s = begin(NULL);
    struct xlx__usbd_claim c;
    wish.config = 0;
    assert_int_equal(take(&s, &wish, &c), 0);
    assert_true(is_driven(&s));
    assert_int_equal(file_of(c.fd)->allowed, 0);
    s.d->ops->drop(s.d, &c);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fake_keeps_it),
        cmocka_unit_test(device_c_keeps_it),
        cmocka_unit_test(what_a_guest_gets_can_take_nothing_more),
        cmocka_unit_test(a_claim_that_fails_calls_the_drivers_back),
        cmocka_unit_test(a_configuration_that_fails_calls_the_drivers_back),
        cmocka_unit_test(an_older_kernel_tells_less_of_it),
        cmocka_unit_test(why_it_is_not_taken_is_told),
        cmocka_unit_test(who_has_it_is_told),
        cmocka_unit_test(one_without_a_configuration_has_nothing_to_claim),
        cmocka_unit_test(another_device_with_its_number_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

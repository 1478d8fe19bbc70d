/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The contract of the usbfs seam over devices in memory, and over usbfs.c with
 * a kernel in its place whose devices are the same: here ioctl(), pread() and
 * close() of their descriptors. Over the kernel itself:
 * tests/rig/cases/usb-test-devices.sh.
 */
#include "test.h"

#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fakes/usbd_pair.h"

#define DEV 2
#define FD (WORLD_DEV_FD + DEV)
#define BULK_IN 0x81u

struct subject {
    struct usbd_pair *pair;
    struct xlx__usbfs *fs;
    struct usbdevfs_urb urb[3];
};

/* --- the kernel ----------------------------------------------------------- */

static struct {
    struct xlx__usbfs *devices;
    uint32_t claimed; /* interfaces, a bit each */
    uint32_t driven;  /* a driver of the kernel has them */
    int interrupted;  /* how many calls a signal ends */
} kernel;

/* 0 or -errno, as usbfs has it. */
static int claim(uint32_t intf)
{
    uint32_t bit = UINT32_C(1) << intf;
    if (kernel.driven & bit)
        return -EBUSY;
    kernel.claimed |= bit;
    return 0;
}

static int release(uint32_t intf)
{
    uint32_t bit = UINT32_C(1) << intf;
    if (!(kernel.claimed & bit))
        return -EINVAL;
    kernel.claimed &= ~bit;
    return 0;
}

/* Claimed interfaces are offered to the drivers. */
static int reset(int fd)
{
    kernel.driven |= kernel.claimed;
    kernel.claimed = 0;
    return kernel.devices->ops->reset(kernel.devices, fd, 0);
}

static int reap(int fd, void *arg)
{
    int rc = kernel.devices->ops->reap(kernel.devices, fd, arg);
    if (rc == 1)
        return 0;
    return rc ? rc : -EAGAIN;
}

static int call(int fd, unsigned long request, void *arg)
{
    const struct xlx__usbfs_ops *ops = kernel.devices->ops;
    const struct usbdevfs_setinterface *set = arg;
    if (kernel.interrupted && kernel.interrupted--)
        return -EINTR;
    switch (request) {
    case USBDEVFS_SUBMITURB:
        return ops->submit(kernel.devices, fd, arg);
    case USBDEVFS_REAPURBNDELAY:
        return reap(fd, arg);
    case USBDEVFS_DISCARDURB:
        return ops->discard(kernel.devices, fd, arg);
    case USBDEVFS_SETINTERFACE:
        return ops->set_interface(kernel.devices, fd, set->interface,
                                  set->altsetting);
    case USBDEVFS_CLEAR_HALT:
        return ops->clear_halt(kernel.devices, fd, *(uint32_t *)arg);
    case USBDEVFS_RESET:
        return reset(fd);
    case USBDEVFS_CLAIMINTERFACE:
        return claim(*(uint32_t *)arg);
    case USBDEVFS_RELEASEINTERFACE:
        return release(*(uint32_t *)arg);
    default:
        return -ENOTTY;
    }
}

static bool is_device(int fd)
{
    return kernel.devices && fd == FD;
}

static int answer(int rc)
{
    if (rc >= 0)
        return rc;
    errno = -rc;
    return -1;
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    if (is_device(fd))
        return answer(call(fd, request, arg));
    return (int)syscall(SYS_ioctl, fd, request, arg);
}

ssize_t pread(int fd, void *buf, size_t size, off_t offset)
{
    if (!is_device(fd))
        return syscall(SYS_pread64, fd, buf, size, offset);
    assert_int_equal(offset, 0);
    return answer(
        kernel.devices->ops->descriptors(kernel.devices, fd, buf, size));
}

int close(int fd)
{
    if (!is_device(fd))
        return (int)syscall(SYS_close, fd);
    kernel.devices->ops->close(kernel.devices, fd);
    return 0;
}

/* --- the cases ------------------------------------------------------------ */

static int submit(struct subject *s, int i)
{
    return s->fs->ops->submit(s->fs, FD, &s->urb[i]);
}

/* The number of the transfer that is done, or what reap() returns. */
static int reaped(struct subject *s)
{
    struct usbdevfs_urb *urb = NULL;
    int rc = s->fs->ops->reap(s->fs, FD, &urb);
    return rc == 1 ? 100 + (int)(urb - s->urb) : rc;
}

static void a_transfer_comes_back_when_it_is_done(struct subject *s)
{
    assert_int_equal(reaped(s), 0);
    assert_int_equal(submit(s, 0), 0);
    assert_int_equal(submit(s, 1), 0);
    assert_int_equal(reaped(s), 0);
    usbd_dev_complete(s->pair, DEV, -EPIPE, 13);
    assert_int_equal(reaped(s), 100);
    assert_int_equal(s->urb[0].status, -EPIPE);
    assert_int_equal(s->urb[0].actual_length, 13);
    assert_int_equal(reaped(s), 0);
    usbd_dev_complete(s->pair, DEV, 0, 0);
    assert_int_equal(reaped(s), 101);
}

static void what_is_discarded_is_reaped(struct subject *s)
{
    const struct xlx__usbfs_ops *ops = s->fs->ops;
    for (int i = 0; i < 3; i++)
        assert_int_equal(submit(s, i), 0);
    assert_int_equal(ops->discard(s->fs, FD, &s->urb[1]), 0);
    assert_int_equal(reaped(s), 101);
    assert_int_equal(s->urb[1].status, -ENOENT);
    assert_int_equal(ops->discard(s->fs, FD, &s->urb[1]), -EINVAL);
    usbd_dev_complete(s->pair, DEV, 0, 5);
    assert_int_equal(ops->discard(s->fs, FD, &s->urb[0]), -EINVAL);
    assert_int_equal(reaped(s), 100);
    assert_int_equal(s->urb[0].status, 0);
    assert_int_equal(ops->discard(s->fs, FD, &s->urb[2]), 0);
    assert_int_equal(reaped(s), 102);
    assert_int_equal(reaped(s), 0);
}

static void what_was_pulled_out_is_told_last(struct subject *s)
{
    const struct xlx__usbfs_ops *ops = s->fs->ops;
    uint8_t bytes[512];
    assert_int_equal(submit(s, 0), 0);
    assert_int_equal(submit(s, 1), 0);
    usbd_dev_pull(s->pair, DEV);
    assert_int_equal(submit(s, 2), -ENODEV);
    assert_int_equal(reaped(s), 100);
    assert_int_equal(reaped(s), 101);
    assert_int_equal(reaped(s), -ENODEV);
    assert_int_equal(ops->set_interface(s->fs, FD, 0, 1), -ENODEV);
    assert_int_equal(ops->clear_halt(s->fs, FD, BULK_IN), -ENODEV);
    assert_int_equal(ops->reset(s->fs, FD, 1), -ENODEV);
    assert_int_equal(ops->descriptors(s->fs, FD, bytes, sizeof(bytes)),
                     -ENODEV);
}

static void settings_reach_the_device(struct subject *s)
{
    const struct xlx__usbfs_ops *ops = s->fs->ops;
    struct usbd_dev *dev = &s->pair->dev[DEV];
    assert_int_equal(ops->set_interface(s->fs, FD, 1, 3), 0);
    assert_int_equal(dev->alt[1], 3);
    assert_int_equal(ops->clear_halt(s->fs, FD, BULK_IN), 0);
    assert_int_equal(dev->clear_halts, 1);
    assert_int_equal(dev->cleared, BULK_IN);
    assert_int_equal(ops->reset(s->fs, FD, 1 << 1 | 1u << 31), 0);
    assert_int_equal(dev->resets, 1);
    assert_int_equal(dev->alt[1], 0);
}

static void what_fails_is_told_by_its_number(struct subject *s)
{
    const struct xlx__usbfs_ops *ops = s->fs->ops;
    struct usbd_dev *dev = &s->pair->dev[DEV];
    dev->submit_rc = -ENOSPC;
    dev->set_interface_rc = -EPROTO;
    dev->clear_halt_rc = -EPIPE;
    dev->reset_rc = -EILSEQ;
    assert_int_equal(submit(s, 0), -ENOSPC);
    assert_int_equal(reaped(s), 0);
    assert_int_equal(ops->set_interface(s->fs, FD, 0, 1), -EPROTO);
    assert_int_equal(ops->clear_halt(s->fs, FD, BULK_IN), -EPIPE);
    assert_int_equal(ops->reset(s->fs, FD, 1), -EILSEQ);
}

static void descriptors_are_read_whole(struct subject *s)
{
    struct usbd_dev *dev = &s->pair->dev[DEV];
    uint8_t bytes[512];
    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(s->fs->ops->descriptors(s->fs, FD, bytes, sizeof(bytes)),
                     dev->nr_descriptors);
    assert_memory_equal(bytes, dev->descriptors, dev->nr_descriptors);
    assert_int_equal(bytes[dev->nr_descriptors], 'x');
}

/* --- the subjects --------------------------------------------------------- */

static void run_cases(bool real)
{
    static void (*const cases[])(struct subject *) = {
        a_transfer_comes_back_when_it_is_done, what_is_discarded_is_reaped,
        what_was_pulled_out_is_told_last,      settings_reach_the_device,
        what_fails_is_told_by_its_number,      descriptors_are_read_whole,
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct subject s = { .pair = usbd_pair_new() };
        s.pair->dev[DEV].open = true;
        memset(&kernel, 0, sizeof(kernel));
        kernel.devices = real ? &s.pair->fs : NULL;
        s.fs = real ? xlx__usbfs_host() : &s.pair->fs;
        cases[i](&s);
        s.fs->ops->close(s.fs, FD);
        assert_false(s.pair->dev[DEV].open);
        kernel.devices = NULL;
        usbd_pair_free(s.pair);
    }
}

static void the_fake_keeps_it(void **state)
{
    (void)state;
    run_cases(false);
}

static void usbfs_keeps_it(void **state)
{
    (void)state;
    run_cases(true);
}

/* Below the seam only. */

static struct usbd_pair *begin(void)
{
    struct usbd_pair *pair = usbd_pair_new();
    pair->dev[DEV].open = true;
    memset(&kernel, 0, sizeof(kernel));
    kernel.devices = &pair->fs;
    return pair;
}

static void end(struct usbd_pair *pair)
{
    kernel.devices = NULL;
    usbd_pair_free(pair);
}

static void a_reset_leaves_claims_with_usbfs(void **state)
{
    (void)state;
    struct xlx__usbfs *fs = xlx__usbfs_host();
    struct usbd_pair *pair = begin();
    uint32_t intfs = 1u | 1u << 3 | 1u << 31;
    kernel.claimed = intfs;
    assert_int_equal(fs->ops->reset(fs, FD, intfs), 0);
    assert_int_equal(kernel.claimed, intfs);
    pair->dev[DEV].reset_rc = -EIO;
    assert_int_equal(fs->ops->reset(fs, FD, intfs), -EIO);
    assert_int_equal(kernel.claimed, intfs);
    kernel.driven = 1u << 3; /* somebody was faster */
    assert_int_equal(fs->ops->reset(fs, FD, intfs), -EBUSY);
    assert_int_equal(kernel.claimed, intfs & ~kernel.driven);
    end(pair);
}

static void a_signal_is_no_transfer(void **state)
{
    (void)state;
    struct xlx__usbfs *fs = xlx__usbfs_host();
    struct usbd_pair *pair = begin();
    struct usbdevfs_urb *urb = NULL;
    kernel.interrupted = 1;
    assert_int_equal(fs->ops->reap(fs, FD, &urb), 0);
    assert_null(urb);
    end(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fake_keeps_it),
        cmocka_unit_test(usbfs_keeps_it),
        cmocka_unit_test(a_reset_leaves_claims_with_usbfs),
        cmocka_unit_test(a_signal_is_no_transfer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

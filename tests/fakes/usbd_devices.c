/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/usbd_devices.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fake_seam {
    struct xlx__usbd_devices base;
    struct usbd_fake *f;
};

static struct usbd_fake *fake_of(struct xlx__usbd_devices *d)
{
    return ((struct fake_seam *)d)->f;
}

struct usbd_fake_device *usbd_fake_find(struct usbd_fake *f, const char *busid)
{
    for (int i = 0; i < USBD_FAKE_MAX; i++) {
        struct usbd_fake_device *dev = &f->dev[i];
        if (!*dev->busid) {
            snprintf(dev->busid, sizeof(dev->busid), "%s", busid);
            dev->fd = dev->config = -1;
        }
        if (!strcmp(dev->busid, busid))
            return dev;
    }
    abort();
}

unsigned usbd_fake_claimed(const struct usbd_fake *f)
{
    unsigned nr = 0;
    for (int i = 0; i < USBD_FAKE_MAX; i++)
        nr += *f->dev[i].busid && f->dev[i].fd >= 0;
    return nr;
}

/* Whether it is plugged in there with that address. */
static bool is_there(struct usbd_fake *f, const char *busid, uint32_t address)
{
    const struct sysfs_dev *dev = sysfs_mem_find(f->sysfs, busid);
    return dev && dev->address && (uint32_t)atoi(dev->address) == address;
}

static int claim(struct xlx__usbd_devices *d, const struct xlx__usbd_wish *wish,
                 struct xlx__usbd_claim *claim_r, char *why_r)
{
    struct usbd_fake *f = fake_of(d);
    struct usbd_fake_device *dev = usbd_fake_find(f, wish->busid);
    int rc = 0;
    if (nth_fails(f->nth))
        rc = -EIO;
    else if (!is_there(f, wish->busid, wish->address))
        rc = -ENODEV;
    else if (dev->fd >= 0 || (f->busy && !strcmp(f->busy, wish->busid)))
        rc = -EBUSY;
    else if (f->refuses_config && wish->new_config == f->refuses_config)
        rc = -EPIPE;
    if (rc) {
        snprintf(why_r, XLX__USBD_WHY_MAX, "the fake fails: %s", strerror(-rc));
        return rc;
    }
    dev->address = wish->address;
    dev->claims++;
    dev->resets += wish->reset;
    if (wish->new_config != XLX__USBD_NO_CONFIG)
        dev->config = wish->new_config;
    dev->fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    *claim_r = (struct xlx__usbd_claim){ dev->fd, wish->bus, wish->address };
    return 0;
}

static struct usbd_fake_device *find_fd(struct usbd_fake *f, int fd)
{
    for (int i = 0; i < USBD_FAKE_MAX; i++)
        if (*f->dev[i].busid && fd >= 0 && f->dev[i].fd == fd)
            return &f->dev[i];
    return NULL;
}

static void drop(struct xlx__usbd_devices *d, struct xlx__usbd_claim *c)
{
    struct usbd_fake_device *dev = find_fd(fake_of(d), c->fd);
    if (c->fd >= 0) {
        if (!dev)
            abort(); /* closed twice */
        close(c->fd);
        dev->fd = -1;
    }
    c->fd = -1;
}

static struct usbd_fake_device *find_address(struct usbd_fake *f,
                                             uint32_t address)
{
    for (int i = 0; i < USBD_FAKE_MAX; i++)
        if (*f->dev[i].busid && f->dev[i].address == address)
            return &f->dev[i];
    return NULL;
}

static int give_back(struct xlx__usbd_devices *d, struct xlx__usbd_claim *c,
                     bool reset)
{
    struct usbd_fake *f = fake_of(d);
    struct usbd_fake_device *dev = find_address(f, c->address);
    bool fails = nth_fails(f->nth);
    drop(d, c);
    if (!dev || !is_there(f, dev->busid, dev->address))
        return -ENODEV;
    dev->given_back++;
    dev->resets += reset && !fails;
    return fails ? -EIO : 0;
}

static void close_seam(struct xlx__seam *seam)
{
    free(seam);
}

static const struct xlx__usbd_devices_ops ops = {
    .claim = claim,
    .drop = drop,
    .give_back = give_back,
};

struct xlx__usbd_devices *usbd_fake_new(struct usbd_fake *f)
{
    struct fake_seam *s = calloc(1, sizeof(*s));
    s->base.seam.close = close_seam;
    s->base.ops = &ops;
    s->f = f;
    return &s->base;
}

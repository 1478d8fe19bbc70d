/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Seam: what a USB backend has of its guest. Below it gntdev and evtchn
 * (usb_guest_xen.c), or memory (tests/fakes/usbd_pair.c).
 *
 * Data goes by grant copies: nothing of the guest is mapped but the pages of
 * the rings, so what was copied does not change any more, no grant is held
 * while a device works, and a backend that is killed holds none.
 */
#ifndef XLX_XEN_USB_GUEST_H
#define XLX_XEN_USB_GUEST_H

#include <stddef.h>
#include <stdint.h>

#include "xen/usb_front.h"

struct xlx__usb_guest;

/* One thread; all slots return 0 (or what is said) or -errno; none logs. */
struct xlx__usb_guest_ops {
    /* A page of the guest, for reading and writing, by its grant. */
    int (*map)(struct xlx__usb_guest *g, uint32_t ref, void **page_r);
    void (*unmap)(struct xlx__usb_guest *g, void *page);
    /* Our end of an event channel to the guest's port. */
    int (*bind)(struct xlx__usb_guest *g, uint32_t guest_port,
                uint32_t *port_r);
    void (*unbind)(struct xlx__usb_guest *g, uint32_t port);
    int (*notify)(struct xlx__usb_guest *g, uint32_t port);
    /* 1: *port_r has had an event, and has no more of them before unmask(); 0:
     * no port has. */
    int (*pending)(struct xlx__usb_guest *g, uint32_t *port_r);
    int (*unmask)(struct xlx__usb_guest *g, uint32_t port);
    /* Readable when pending() would return 1. */
    int (*fd)(struct xlx__usb_guest *g);
    /* The segments, one behind the other, to `buf` or from it; `length` bytes,
     * at most what they have. Each lies within its page. -EFAULT: the guest has
     * not granted one. */
    int (*copy_in)(struct xlx__usb_guest *g, const struct xlx__segment *seg,
                   uint32_t nr, void *buf, size_t length);
    int (*copy_out)(struct xlx__usb_guest *g, const struct xlx__segment *seg,
                    uint32_t nr, const void *buf, size_t length);
    void (*close)(struct xlx__usb_guest *g);
};

struct xlx__usb_guest {
    const struct xlx__usb_guest_ops *ops;
};

/* The real one; its event channels can be the domain's only, from the start. */
int xlx__usb_guest_xen(uint32_t domid, struct xlx__usb_guest **g_r);

#endif

/* SPDX-License-Identifier: LGPL-2.1-only */
#include "xen/usb_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <xenevtchn.h>
#include <xengnttab.h>

struct guest {
    struct xlx__usb_guest seam; /* first */
    uint32_t domid;
    xengnttab_handle *gnttab;
    xenevtchn_handle *evtchn;
};

static struct guest *usb_guest_of(struct xlx__usb_guest *g)
{
    return (struct guest *)g;
}

static int map(struct xlx__usb_guest *g, uint32_t ref, void **page_r)
{
    void *page =
        xengnttab_map_grant_ref(usb_guest_of(g)->gnttab, usb_guest_of(g)->domid,
                                ref, PROT_READ | PROT_WRITE);
    if (!page)
        return errno ? -errno : -EIO;
    *page_r = page;
    return 0;
}

static void unmap(struct xlx__usb_guest *g, void *page)
{
    xengnttab_unmap(usb_guest_of(g)->gnttab, page, 1);
}

static int bind(struct xlx__usb_guest *g, uint32_t guest_port, uint32_t *port_r)
{
    xenevtchn_port_or_error_t port = xenevtchn_bind_interdomain(
        usb_guest_of(g)->evtchn, usb_guest_of(g)->domid, guest_port);
    if (port < 0)
        return -errno;
    *port_r = (uint32_t)port;
    return 0;
}

static void unbind(struct xlx__usb_guest *g, uint32_t port)
{
    xenevtchn_unbind(usb_guest_of(g)->evtchn, port);
}

static int notify(struct xlx__usb_guest *g, uint32_t port)
{
    return xenevtchn_notify(usb_guest_of(g)->evtchn, port) ? -errno : 0;
}

static int pending(struct xlx__usb_guest *g, uint32_t *port_r)
{
    xenevtchn_port_or_error_t port = xenevtchn_pending(usb_guest_of(g)->evtchn);
    if (port < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    *port_r = (uint32_t)port;
    return 1;
}

static int unmask(struct xlx__usb_guest *g, uint32_t port)
{
    return xenevtchn_unmask(usb_guest_of(g)->evtchn, port) ? -errno : 0;
}

static int fd(struct xlx__usb_guest *g)
{
    return xenevtchn_fd(usb_guest_of(g)->evtchn);
}

/* --- copies --------------------------------------------------------------- */

static size_t piece(const struct xlx__segment *seg, size_t left)
{
    return seg->length < left ? seg->length : left;
}

static int run_copies(struct guest *g, xengnttab_grant_copy_segment_t *copies,
                      uint32_t nr)
{
    if (xengnttab_grant_copy(g->gnttab, nr, copies))
        return -errno;
    for (uint32_t i = 0; i < nr; i++)
        if (copies[i].status != GNTST_okay)
            return -EFAULT;
    return 0;
}

static int copy_in(struct xlx__usb_guest *g, const struct xlx__segment *seg,
                   uint32_t nr, void *buf, size_t length)
{
    xengnttab_grant_copy_segment_t copies[XLX__FRONT_SEGMENTS];
    uint32_t i = 0;
    for (size_t done = 0; i < nr && done < length; i++) {
        size_t n = piece(&seg[i], length - done);
        copies[i] = (xengnttab_grant_copy_segment_t){
            .source.foreign = { .ref = seg[i].ref,
                                .offset = seg[i].offset,
                                .domid = (uint16_t)usb_guest_of(g)->domid },
            .dest.virt = (char *)buf + done,
            .len = (uint16_t)n,
            .flags = GNTCOPY_source_gref,
        };
        done += n;
    }
    return i ? run_copies(usb_guest_of(g), copies, i) : 0;
}

static int copy_out(struct xlx__usb_guest *g, const struct xlx__segment *seg,
                    uint32_t nr, const void *buf, size_t length)
{
    xengnttab_grant_copy_segment_t copies[XLX__FRONT_SEGMENTS];
    uint32_t i = 0;
    for (size_t done = 0; i < nr && done < length; i++) {
        size_t n = piece(&seg[i], length - done);
        copies[i] = (xengnttab_grant_copy_segment_t){
            .source.virt = (char *)buf + done,
            .dest.foreign = { .ref = seg[i].ref,
                              .offset = seg[i].offset,
                              .domid = (uint16_t)usb_guest_of(g)->domid },
            .len = (uint16_t)n,
            .flags = GNTCOPY_dest_gref,
        };
        done += n;
    }
    return i ? run_copies(usb_guest_of(g), copies, i) : 0;
}

/* --- open and close ------------------------------------------------------- */

static void close_guest(struct xlx__usb_guest *g)
{
    if (!g)
        return;
    if (usb_guest_of(g)->evtchn)
        xenevtchn_close(usb_guest_of(g)->evtchn);
    if (usb_guest_of(g)->gnttab)
        xengnttab_close(usb_guest_of(g)->gnttab);
    free(usb_guest_of(g));
}

static const struct xlx__usb_guest_ops ops = {
    .map = map,
    .unmap = unmap,
    .bind = bind,
    .unbind = unbind,
    .notify = notify,
    .pending = pending,
    .unmask = unmask,
    .fd = fd,
    .copy_in = copy_in,
    .copy_out = copy_out,
    .close = close_guest,
};

static int open_handles(struct guest *g)
{
    g->gnttab = xengnttab_open(NULL, 0);
    g->evtchn = g->gnttab ? xenevtchn_open(NULL, 0) : NULL;
    if (!g->evtchn || xenevtchn_restrict(g->evtchn, (domid_t)g->domid))
        return errno ? -errno : -EIO;
    int handle = xenevtchn_fd(g->evtchn);
    return fcntl(handle, F_SETFL, O_NONBLOCK) ? -errno : 0;
}

int xlx__usb_guest_xen(uint32_t domid, struct xlx__usb_guest **g_r)
{
    struct guest *g = calloc(1, sizeof(*g));
    if (!g)
        return -ENOMEM;
    g->seam.ops = &ops;
    g->domid = domid;
    int rc = open_handles(g);
    if (rc)
        close_guest(&g->seam);
    else
        *g_r = &g->seam;
    return rc;
}

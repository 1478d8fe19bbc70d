/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/usbd_pair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <xen/io/usbif.h>

#define URBS __CONST_RING_SIZE(usbif_urb, 4096)
#define EVENTS __CONST_RING_SIZE(usbif_conn, 4096)
#define OUR_PORT 11u

#define MUST(condition)                                                     \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

static struct usbd_pair *of_guest(struct xlx__usb_guest *g)
{
    return (struct usbd_pair *)((char *)g - offsetof(struct usbd_pair, guest));
}

static struct usbd_pair *of_fs(struct xlx__usbfs *fs)
{
    return (struct usbd_pair *)((char *)fs - offsetof(struct usbd_pair, fs));
}

/* --- the guest, from the worker's side ------------------------------------ */

static int map(struct xlx__usb_guest *g, uint32_t ref, void **page_r)
{
    struct usbd_pair *w = of_guest(g);
    if (w->map_rc || !ref || ref >= WORLD_PAGES)
        return w->map_rc ? w->map_rc : -EINVAL;
    w->mapped[ref]++;
    *page_r = w->page[ref];
    return 0;
}

static void unmap(struct xlx__usb_guest *g, void *page)
{
    struct usbd_pair *w = of_guest(g);
    size_t ref = (size_t)((uint8_t(*)[4096])page - w->page);
    MUST(ref < WORLD_PAGES && w->mapped[ref]);
    w->mapped[ref]--;
}

static int bind_port(struct xlx__usb_guest *g, uint32_t guest_port,
                     uint32_t *port_r)
{
    struct usbd_pair *w = of_guest(g);
    if (w->bind_rc || guest_port != WORLD_EVTCHN)
        return w->bind_rc ? w->bind_rc : -EINVAL;
    MUST(!w->bound);
    w->bound = true;
    *port_r = OUR_PORT;
    return 0;
}

static void unbind_port(struct xlx__usb_guest *g, uint32_t port)
{
    MUST(port == OUR_PORT && of_guest(g)->bound);
    of_guest(g)->bound = false;
}

static int notify(struct xlx__usb_guest *g, uint32_t port)
{
    MUST(port == OUR_PORT);
    of_guest(g)->notified++;
    return 0;
}

static uint8_t *piece(struct usbd_pair *w, const struct xlx__segment *seg)
{
    MUST(seg->offset + seg->length <= 4096);
    if (!seg->ref || seg->ref >= WORLD_PAGES || w->revoked[seg->ref])
        return NULL;
    return w->page[seg->ref] + seg->offset;
}

static int copy(struct usbd_pair *w, const struct xlx__segment *seg,
                uint32_t nr, char *buf, size_t length, bool in)
{
    size_t done = 0;
    for (uint32_t i = 0; i < nr && done < length; i++) {
        size_t n =
            seg[i].length < length - done ? seg[i].length : length - done;
        uint8_t *page = piece(w, &seg[i]);
        if (!page)
            return -EFAULT;
        if (in)
            memcpy(buf + done, page, n);
        else
            memcpy(page, buf + done, n);
        done += n;
    }
    MUST(done == length);
    return 0;
}

static int copy_in(struct xlx__usb_guest *g, const struct xlx__segment *seg,
                   uint32_t nr, void *buf, size_t length)
{
    return copy(of_guest(g), seg, nr, buf, length, true);
}

static int copy_out(struct xlx__usb_guest *g, const struct xlx__segment *seg,
                    uint32_t nr, const void *buf, size_t length)
{
    return copy(of_guest(g), seg, nr, (char *)buf, length, false);
}

static const struct xlx__usb_guest_ops guest_ops = {
    .map = map,
    .unmap = unmap,
    .bind = bind_port,
    .unbind = unbind_port,
    .notify = notify,
    .copy_in = copy_in,
    .copy_out = copy_out,
};

/* --- devices -------------------------------------------------------------- */

static struct usbd_dev *dev_of(struct xlx__usbfs *fs, int fd)
{
    MUST(fd >= WORLD_DEV_FD && fd < WORLD_DEV_FD + WORLD_DEVS);
    struct usbd_dev *dev = &of_fs(fs)->dev[fd - WORLD_DEV_FD];
    MUST(dev->open);
    return dev;
}

static int take_rc(int *rc)
{
    int was = *rc;
    *rc = 0;
    return was;
}

static void end_urb(struct usbd_dev *dev, int i, int status)
{
    struct usbdevfs_urb *urb = dev->pending[i];
    urb->status = status;
    dev->nr_pending--;
    memmove(dev->pending + i, dev->pending + i + 1,
            (size_t)(dev->nr_pending - i) * sizeof(dev->pending[0]));
    MUST(dev->nr_done < 64);
    dev->done[dev->nr_done++] = urb;
}

static int submit(struct xlx__usbfs *fs, int fd, struct usbdevfs_urb *urb)
{
    struct usbd_dev *dev = dev_of(fs, fd);
    int rc = dev->gone ? -ENODEV : take_rc(&dev->submit_rc);
    if (rc)
        return rc;
    MUST(dev->nr_pending < 64);
    dev->submits++;
    dev->pending[dev->nr_pending++] = urb;
    if (dev->at_once) {
        urb->actual_length = urb->buffer_length;
        end_urb(dev, dev->nr_pending - 1, 0);
    }
    return 0;
}

static int reap(struct xlx__usbfs *fs, int fd, struct usbdevfs_urb **urb_r)
{
    struct usbd_dev *dev = dev_of(fs, fd);
    dev->reaps++;
    if (!dev->nr_done)
        return dev->gone ? -ENODEV : 0;
    *urb_r = dev->done[0];
    dev->nr_done--;
    memmove(dev->done, dev->done + 1,
            (size_t)dev->nr_done * sizeof(dev->done[0]));
    return 1;
}

static int discard(struct xlx__usbfs *fs, int fd, struct usbdevfs_urb *urb)
{
    struct usbd_dev *dev = dev_of(fs, fd);
    dev->discards++;
    for (int i = 0; i < dev->nr_pending; i++)
        if (dev->pending[i] == urb) {
            urb->actual_length = 0;
            end_urb(dev, i, -ENOENT);
            return 0;
        }
    return -EINVAL;
}

static int set_interface(struct xlx__usbfs *fs, int fd, uint32_t intf,
                         uint32_t alt)
{
    struct usbd_dev *dev = dev_of(fs, fd);
    int rc = dev->gone ? -ENODEV : take_rc(&dev->set_interface_rc);
    if (!rc && intf < 32)
        dev->alt[intf] = alt;
    return rc;
}

static int clear_halt(struct xlx__usbfs *fs, int fd, uint32_t endpoint)
{
    struct usbd_dev *dev = dev_of(fs, fd);
    dev->clear_halts++;
    dev->cleared = endpoint;
    return dev->gone ? -ENODEV : take_rc(&dev->clear_halt_rc);
}

static int reset(struct xlx__usbfs *fs, int fd, uint32_t intfs)
{
    struct usbd_dev *dev = dev_of(fs, fd);
    (void)intfs;
    MUST(!dev->nr_pending);
    dev->resets++;
    memset(dev->alt, 0, sizeof(dev->alt));
    return dev->gone ? -ENODEV : take_rc(&dev->reset_rc);
}

static int descriptors(struct xlx__usbfs *fs, int fd, uint8_t *buf, size_t size)
{
    struct usbd_dev *dev = dev_of(fs, fd);
    if (dev->gone)
        return -ENODEV;
    MUST(dev->nr_descriptors <= size);
    memcpy(buf, dev->descriptors, dev->nr_descriptors);
    return (int)dev->nr_descriptors;
}

static void close_dev(struct xlx__usbfs *fs, int fd)
{
    struct usbd_dev *dev = dev_of(fs, fd);
    MUST(!dev->nr_pending || dev->gone);
    dev->open = false;
    dev->nr_pending = 0;
    dev->nr_done = 0;
}

static const struct xlx__usbfs_ops fs_ops = {
    .submit = submit,
    .reap = reap,
    .discard = discard,
    .set_interface = set_interface,
    .clear_halt = clear_halt,
    .reset = reset,
    .descriptors = descriptors,
    .close = close_dev,
};

struct usbdevfs_urb *usbd_dev_complete(struct usbd_pair *w, int n, int status,
                                       int length)
{
    struct usbd_dev *dev = &w->dev[n];
    if (!dev->nr_pending)
        return NULL;
    struct usbdevfs_urb *urb = dev->pending[0];
    urb->actual_length = length;
    end_urb(dev, 0, status);
    return urb;
}

void usbd_dev_pull(struct usbd_pair *w, int n)
{
    struct usbd_dev *dev = &w->dev[n];
    dev->gone = true;
    while (dev->nr_pending) {
        dev->pending[0]->actual_length = 0;
        end_urb(dev, 0, -ESHUTDOWN);
    }
}

/* A storage device: configuration 1, interface 0, bulk 1 IN and 2 OUT. */
static void describe(struct usbd_dev *dev)
{
    static const uint8_t bytes[] = {
        18,
        1,
        0x00,
        0x02,
        0,
        0,
        0,
        64,
        0x34,
        0x12,
        0x78,
        0x56,
        0,
        1,
        0,
        0,
        0,
        1,
        /* configuration */ 9,
        2,
        32,
        0,
        1,
        1,
        0,
        0x80,
        50,
        9,
        4,
        0,
        0,
        2,
        8,
        6,
        80,
        0,
        7,
        5,
        0x81,
        2,
        0,
        2,
        0,
        7,
        5,
        0x02,
        2,
        0,
        2,
        0,
    };
    memcpy(dev->descriptors, bytes, sizeof(bytes));
    dev->nr_descriptors = sizeof(bytes);
}

/* --- the whole ------------------------------------------------------------ */

static void connect_worker(struct usbd_pair *w)
{
    int pair[2];
    MUST(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
    w->broker = pair[0];
    w->usbd = (struct xlx__usbd){ .domid = 5,
                                  .broker = pair[1],
                                  .epoll = -1,
                                  .guest = &w->guest,
                                  .fs = &w->fs,
                                  .state = w->state };
}

struct usbd_pair *usbd_pair_new(void)
{
    struct usbd_pair *w = calloc(1, sizeof(*w));
    MUST(w);
    w->page = mmap(NULL, WORLD_PAGES * 4096, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    w->state = mmap(NULL, sizeof(*w->state), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(w->page != MAP_FAILED && w->state != MAP_FAILED);
    w->guest.ops = &guest_ops;
    w->fs.ops = &fs_ops;
    for (int i = 0; i < WORLD_DEVS; i++)
        describe(&w->dev[i]);
    strcpy(w->uuid, "00000000-0000-4000-8000-000000000005");
    connect_worker(w);
    usbd_guest_post_conn(w, EVENTS);
    return w;
}

static void free_hcs(struct usbd_pair *w)
{
    for (unsigned i = 0; i < XLX__USBD_HC_MAX; i++) {
        xlx__usbd_hc_close(w->usbd.hc[i]);
        w->usbd.hc[i] = NULL;
    }
}

void usbd_pair_free(struct usbd_pair *w)
{
    free_hcs(w);
    close(w->broker);
    if (w->usbd.broker >= 0)
        close(w->usbd.broker);
    munmap(w->page, WORLD_PAGES * 4096);
    munmap(w->state, sizeof(*w->state));
    free(w);
}

void usbd_pair_kill(struct usbd_pair *w)
{
    struct xlx__usbd_state left = *w->state;
    uint8_t rings[2][4096];
    unsigned notified = w->notified;
    memcpy(rings[0], w->page[WORLD_URB_REF], 4096);
    memcpy(rings[1], w->page[WORLD_CONN_REF], 4096);
    /* Whatever its memory holds goes; what others see stays. */
    free_hcs(w);
    memcpy(w->page[WORLD_URB_REF], rings[0], 4096);
    memcpy(w->page[WORLD_CONN_REF], rings[1], 4096);
    *w->state = left;
    w->notified = notified;
    close(w->broker);
    if (w->usbd.broker >= 0)
        close(w->usbd.broker);
    connect_worker(w);
}

void usbd_pair_kill_for_another_guest(struct usbd_pair *w)
{
    usbd_pair_kill(w);
    if (*w->uuid)
        w->uuid[strlen(w->uuid) - 1]++;
    memset(w->page[WORLD_URB_REF], 0, sizeof(w->page[0]));
    memset(w->page[WORLD_CONN_REF], 0, sizeof(w->page[0]));
    memset(w->in_flight, 0, sizeof(w->in_flight));
    memset(w->answer, 0, sizeof(w->answer));
    memset(w->told, 0, sizeof(w->told));
    w->req_prod = w->rsp_cons = w->conn_cons = w->nr_told = w->notified = 0;
    usbd_guest_post_conn(w, EVENTS);
}

static void order(struct usbd_pair *w, struct xlx__usbd_message *m, int fd)
{
    m->devid = WORLD_DEVID;
    xlx__usbd_order(&w->usbd, m, fd);
}

int usbd_pair_open(struct usbd_pair *w)
{
    struct xlx__usbd_message m = { .kind = XLX__USBD_OPEN };
    m.hc.urb_ref = WORLD_URB_REF;
    m.hc.conn_ref = WORLD_CONN_REF;
    m.hc.evtchn = WORLD_EVTCHN;
    m.hc.nr_ports = WORLD_PORTS;
    memcpy(m.hc.guest, w->uuid, sizeof(m.hc.guest));
    order(w, &m, -1);
    MUST(usbd_pair_said(w, &m) == XLX__USBD_OPENED);
    return m.error;
}

void usbd_pair_close(struct usbd_pair *w)
{
    struct xlx__usbd_message m = { .kind = XLX__USBD_CLOSE };
    order(w, &m, -1);
}

void usbd_pair_plug(struct usbd_pair *w, uint32_t port, int n, uint32_t speed,
                    bool super_speed)
{
    struct xlx__usbd_message m = { .kind = XLX__USBD_PLUG,
                                   .port = port,
                                   .value = 1 };
    m.dev.speed = speed;
    m.dev.super_speed = super_speed;
    w->dev[n].open = true;
    order(w, &m, WORLD_DEV_FD + n);
}

void usbd_pair_unplug(struct usbd_pair *w, uint32_t port)
{
    struct xlx__usbd_message m = { .kind = XLX__USBD_UNPLUG, .port = port };
    order(w, &m, -1);
}

uint32_t usbd_pair_said(struct usbd_pair *w, struct xlx__usbd_message *m_r)
{
    struct xlx__usbd_message other, *m = m_r ? m_r : &other;
    int fd, rc = xlx__usbd_receive(w->broker, m, &fd);
    MUST(rc >= 0 && fd == -1);
    return rc ? m->kind : 0;
}

/* --- the guest's end ------------------------------------------------------ */

static struct usbif_urb_sring *urb_ring(struct usbd_pair *w)
{
    return (struct usbif_urb_sring *)w->page[WORLD_URB_REF];
}

static struct usbif_conn_sring *conn_ring(struct usbd_pair *w)
{
    return (struct usbif_conn_sring *)w->page[WORLD_CONN_REF];
}

void usbd_guest_post_conn(struct usbd_pair *w, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++) {
        uint32_t at = conn_ring(w)->req_prod;
        conn_ring(w)->ring[at % EVENTS].req.id = (uint16_t)at;
        conn_ring(w)->req_prod = at + 1;
    }
}

static uint32_t fill_segments(struct usbif_request_segment *seg, uint32_t ref,
                              uint32_t length)
{
    uint32_t nr = 0;
    for (; length; nr++) {
        uint32_t n = length < 4096 ? length : 4096;
        seg[nr] = (struct usbif_request_segment){ .gref = ref++,
                                                  .length = (uint16_t)n };
        length -= n;
    }
    return nr;
}

void usbd_guest_push_raw(struct usbd_pair *w, const void *request)
{
    struct usbif_urb_sring *sring = urb_ring(w);
    memcpy(&sring->ring[w->req_prod % URBS].req, request,
           sizeof(struct usbif_urb_request));
    __atomic_store_n(&sring->req_prod, ++w->req_prod, __ATOMIC_RELEASE);
}

void usbd_guest_push(struct usbd_pair *w, const struct usbd_request *r)
{
    static const uint32_t types[] = {
        [XLX__FRONT_ISO] = USBIF_PIPE_TYPE_ISOC,
        [XLX__FRONT_INTERRUPT] = USBIF_PIPE_TYPE_INT,
        [XLX__FRONT_CONTROL] = USBIF_PIPE_TYPE_CTRL,
        [XLX__FRONT_BULK] = USBIF_PIPE_TYPE_BULK,
    };
    struct usbif_urb_request req = { .id = r->id };
    MUST(w->req_prod - w->rsp_cons < URBS && !w->in_flight[r->id]);
    req.pipe = r->port | (r->in ? USBIF_PIPE_DIR : 0) |
               (uint32_t)r->address << USBIF_PIPE_DEV_SHIFT |
               (uint32_t)r->endpoint << USBIF_PIPE_EP_SHIFT |
               types[r->type] << USBIF_PIPE_TYPE_SHIFT |
               (r->unlink ? USBIF_PIPE_UNLINK : 0);
    req.buffer_length = (uint16_t)r->length;
    req.nr_buffer_segs =
        (uint16_t)fill_segments(req.seg, r->first_ref, r->length);
    if (r->unlink) {
        req.u.unlink.unlink_id = (uint16_t)r->unlink_id;
    } else if (r->type == XLX__FRONT_CONTROL) {
        memcpy(req.u.ctrl, r->setup, 8);
    } else if (r->type == XLX__FRONT_ISO) {
        uint32_t size = r->nr_frames * (uint32_t)sizeof(*r->frames);
        req.u.isoc.number_of_packets = (uint16_t)r->nr_frames;
        req.u.isoc.nr_frame_desc_segs = (uint16_t)fill_segments(
            req.seg + req.nr_buffer_segs, r->frames_ref, size);
        memcpy(w->page[r->frames_ref], r->frames, size);
    }
    w->in_flight[r->id] = true;
    w->answer[r->id].there = false;
    usbd_guest_push_raw(w, &req);
}

static void take_answers(struct usbd_pair *w)
{
    struct usbif_urb_sring *sring = urb_ring(w);
    uint32_t prod = __atomic_load_n(&sring->rsp_prod, __ATOMIC_ACQUIRE);
    MUST(prod - w->rsp_cons <= URBS);
    while (w->rsp_cons != prod) {
        const struct usbif_urb_response *rsp =
            &sring->ring[w->rsp_cons++ % URBS].rsp;
        MUST(rsp->id < 64 && w->in_flight[rsp->id]);
        w->in_flight[rsp->id] = false;
        w->answer[rsp->id] = (struct usbd_answer){ true, rsp->status,
                                                   (uint32_t)rsp->actual_length,
                                                   (uint32_t)rsp->error_count };
    }
    sring->rsp_event = w->rsp_cons + 1;
}

static void take_events(struct usbd_pair *w)
{
    struct usbif_conn_sring *sring = conn_ring(w);
    uint32_t prod = __atomic_load_n(&sring->rsp_prod, __ATOMIC_ACQUIRE);
    for (; w->conn_cons != prod; w->conn_cons++) {
        const struct usbif_conn_response *rsp =
            &sring->ring[w->conn_cons % EVENTS].rsp;
        MUST(rsp->portnum >= 1 && rsp->portnum <= WORLD_PORTS &&
             rsp->speed <= USBIF_SPEED_HIGH);
        w->told[rsp->portnum] = rsp->speed;
        w->nr_told++;
    }
    sring->rsp_event = w->conn_cons + 1;
}

void usbd_guest_run(struct usbd_pair *w)
{
    for (unsigned i = 0; i < XLX__USBD_HC_MAX; i++) {
        struct xlx__usbd_hc *hc = w->usbd.hc[i];
        if (!hc)
            continue;
        for (uint32_t p = 0; p < hc->nr_ports; p++)
            if (hc->port[p].dev >= 0)
                xlx__usbd_port_reap(&hc->port[p]);
        do
            xlx__usbd_hc_serve(hc);
        while (hc->more);
    }
    take_answers(w);
    take_events(w);
}

int32_t usbd_guest_control(struct usbd_pair *w, uint8_t port, uint8_t address,
                           const uint8_t setup[8], uint32_t first_ref)
{
    struct usbd_request r = { .id = 60 % URBS,
                              .port = port,
                              .address = address,
                              .type = XLX__FRONT_CONTROL,
                              .in = setup[0] & 0x80,
                              .first_ref = first_ref,
                              .length = setup[6] | setup[7] << 8 };
    memcpy(r.setup, setup, 8);
    usbd_guest_push(w, &r);
    usbd_guest_run(w);
    return w->answer[r.id].there ? w->answer[r.id].status : 1;
}

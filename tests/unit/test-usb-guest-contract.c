/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The contract of what a USB backend has of its guest, over a guest in memory,
 * and over usb_guest_xen.c with that guest behind Xen's libraries, whose
 * functions are here. Over Xen itself: tests/rig/cases/usb-backend.sh.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "fakes/usbd_pair.h"

#define DOMID 5u
#define PAGE 4096u

struct subject {
    struct usbd_pair *pair;
    struct xlx__usb_guest *g;
};

/* --- Xen's libraries ------------------------------------------------------ */

static struct {
    struct xlx__usb_guest *guest;
    int grants_open, events_open;
    bool restricted, refuses_events;
    int event; /* eventfd(2): the descriptor of event channels */
    uint32_t port;
    bool pending, masked;
    int err; /* of copies and events; 0: none */
} xen;

static int answer(int rc)
{
    if (rc >= 0)
        return rc;
    errno = -rc;
    return -1;
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger,
                                 unsigned flags)
{
    (void)logger, (void)flags;
    xen.grants_open++;
    return (xengnttab_handle *)&xen.grants_open;
}

int xengnttab_close(xengnttab_handle *xgt)
{
    assert_ptr_equal(xgt, &xen.grants_open);
    xen.grants_open--;
    return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid,
                              uint32_t ref, int prot)
{
    void *page;
    (void)xgt, (void)prot;
    assert_int_equal(domid, DOMID);
    return answer(xen.guest->ops->map(xen.guest, ref, &page)) ? NULL : page;
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start, uint32_t count)
{
    (void)xgt;
    assert_int_equal(count, 1);
    xen.guest->ops->unmap(xen.guest, start);
    return 0;
}

/* Each piece has its own result; the call succeeds. */
int xengnttab_grant_copy(xengnttab_handle *xgt, uint32_t count,
                         xengnttab_grant_copy_segment_t *segs)
{
    const struct xlx__usb_guest_ops *ops = xen.guest->ops;
    (void)xgt;
    if (xen.err)
        return answer(-xen.err);
    for (xengnttab_grant_copy_segment_t *c = segs; c < segs + count; c++) {
        bool in = c->flags == GNTCOPY_source_gref;
        union xengnttab_copy_ptr *guest = in ? &c->source : &c->dest;
        void *ours = in ? c->dest.virt : c->source.virt;
        struct xlx__segment seg = { guest->foreign.ref, guest->foreign.offset,
                                    c->len };
        assert_true(in || c->flags == GNTCOPY_dest_gref);
        assert_int_not_equal(c->len,
                             0); /* Xen looks at its grant all the same */
        assert_int_equal(guest->foreign.domid, DOMID);
        int rc = in ? ops->copy_in(xen.guest, &seg, 1, ours, c->len)
                    : ops->copy_out(xen.guest, &seg, 1, ours, c->len);
        c->status = rc ? GNTST_bad_gntref : GNTST_okay;
    }
    return 0;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger,
                                 unsigned flags)
{
    (void)logger, (void)flags;
    if (xen.refuses_events) {
        errno = EACCES;
        return NULL;
    }
    xen.events_open++;
    xen.event = eventfd(0, EFD_CLOEXEC);
    return (xenevtchn_handle *)&xen.events_open;
}

int xenevtchn_close(xenevtchn_handle *xce)
{
    assert_ptr_equal(xce, &xen.events_open);
    xen.events_open--;
    return close(xen.event);
}

int xenevtchn_restrict(xenevtchn_handle *xce, domid_t domid)
{
    (void)xce;
    xen.restricted = domid == DOMID;
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
    (void)xce;
    return xen.event;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce,
                                                     uint32_t domid,
                                                     evtchn_port_t remote)
{
    (void)xce;
    assert_int_equal(domid, DOMID);
    int rc = xen.guest->ops->bind(xen.guest, remote, &xen.port);
    return rc ? answer(rc) : (int)xen.port;
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
    (void)xce;
    xen.guest->ops->unbind(xen.guest, port);
    return 0;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
    (void)xce;
    return answer(xen.err ? -xen.err : xen.guest->ops->notify(xen.guest, port));
}

/* A port that was read is masked until it is unmasked. */
xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
    eventfd_t value;
    (void)xce;
    if (xen.err)
        return answer(-xen.err);
    if (eventfd_read(xen.event, &value))
        return -1;
    xen.masked = true;
    return (int)xen.port;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
    (void)xce;
    if (port != xen.port)
        return answer(-EINVAL);
    if (xen.pending)
        assert_int_equal(eventfd_write(xen.event, 1), 0);
    xen.pending = xen.masked = false;
    return 0;
}

/* The guest sends an event. */
static void send_event(void)
{
    if (xen.masked)
        xen.pending = true;
    else
        assert_int_equal(eventfd_write(xen.event, 1), 0);
}

/* --- the cases ------------------------------------------------------------ */

static void a_granted_page_is_shared(struct subject *s)
{
    const struct xlx__usb_guest_ops *ops = s->g->ops;
    uint8_t *page = NULL;
    assert_int_equal(ops->map(s->g, 9, (void **)&page), 0);
    s->pair->page[9][17] = 1;
    assert_int_equal(page[17], 1);
    page[18] = 2;
    assert_int_equal(s->pair->page[9][18], 2);
    assert_int_equal(s->pair->mapped[9], 1);
    ops->unmap(s->g, page);
    assert_int_equal(s->pair->mapped[9], 0);
}

static void one_that_is_not_granted_is_refused(struct subject *s)
{
    void *page = s;
    assert_int_equal(s->g->ops->map(s->g, WORLD_PAGES, &page), -EINVAL);
    s->pair->map_rc = -ENOMEM;
    assert_int_equal(s->g->ops->map(s->g, 9, &page), -ENOMEM);
    assert_ptr_equal(page, s);
}

static void a_port_is_bound_and_notified(struct subject *s)
{
    const struct xlx__usb_guest_ops *ops = s->g->ops;
    uint32_t port = 99;
    assert_int_equal(ops->bind(s->g, WORLD_EVTCHN + 1, &port), -EINVAL);
    assert_int_equal(port, 99);
    for (int i = 0; i < 2; i++) {
        s->pair->notified = 0;
        assert_int_equal(ops->bind(s->g, WORLD_EVTCHN, &port), 0);
        assert_true(s->pair->bound);
        assert_int_equal(ops->notify(s->g, port), 0);
        assert_int_equal(s->pair->notified, 1);
        ops->unbind(s->g, port);
        assert_false(s->pair->bound);
    }
}

/* Three segments, of which the last is needed in part, and one that is not. */
static const struct xlx__segment pieces[] = {
    { 10, 100, 50 }, { 11, 0, PAGE }, { 13, PAGE - 20, 20 }, { 63, 0, 8 }
};
#define LENGTH (50 + PAGE + 15)

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i % 251 + i / 4096 + 1);
}

static uint8_t *guest_byte(struct subject *s, size_t i)
{
    const struct xlx__segment *seg = pieces;
    while (i >= seg->length)
        i -= seg++->length;
    return &s->pair->page[seg->ref][seg->offset + i];
}

static void segments_are_read_one_behind_the_other(struct subject *s)
{
    uint8_t bytes[LENGTH + 1];
    for (size_t i = 0; i < LENGTH + 1; i++)
        *guest_byte(s, i) = byte_at(i);
    bytes[LENGTH] = 'x';
    assert_int_equal(s->g->ops->copy_in(s->g, pieces, 4, bytes, LENGTH), 0);
    for (size_t i = 0; i < LENGTH; i++)
        assert_int_equal(bytes[i], byte_at(i));
    assert_int_equal(bytes[LENGTH], 'x');
}

static void segments_are_written_one_behind_the_other(struct subject *s)
{
    uint8_t bytes[LENGTH];
    for (size_t i = 0; i < LENGTH; i++)
        bytes[i] = byte_at(i);
    assert_int_equal(s->g->ops->copy_out(s->g, pieces, 4, bytes, LENGTH), 0);
    for (size_t i = 0; i < LENGTH; i++)
        assert_int_equal(*guest_byte(s, i), byte_at(i));
    assert_int_equal(*guest_byte(s, LENGTH), 0);
    assert_int_equal(s->pair->page[10][99], 0);
    assert_int_equal(s->pair->page[10][150], 0);
    assert_int_equal(s->pair->page[63][0], 0);
}

static void as_many_segments_as_a_request_has(struct subject *s)
{
    struct xlx__segment seg[XLX__FRONT_SEGMENTS];
    uint8_t bytes[XLX__FRONT_SEGMENTS], back[XLX__FRONT_SEGMENTS];
    for (uint16_t i = 0; i < XLX__FRONT_SEGMENTS; i++) {
        seg[i] = (struct xlx__segment){ 20u + i, i, 1 };
        bytes[i] = (uint8_t)(i + 1);
    }
    assert_int_equal(s->g->ops->copy_out(s->g, seg, XLX__FRONT_SEGMENTS, bytes,
                                         sizeof(bytes)),
                     0);
    assert_int_equal(s->pair->page[35][15], 16);
    assert_int_equal(
        s->g->ops->copy_in(s->g, seg, XLX__FRONT_SEGMENTS, back, sizeof(back)),
        0);
    assert_memory_equal(back, bytes, sizeof(back));
}

static void nothing_is_copied_of_nothing(struct subject *s)
{
    uint8_t byte = 'x';
    assert_int_equal(s->g->ops->copy_in(s->g, pieces, 0, &byte, 0), 0);
    assert_int_equal(s->g->ops->copy_in(s->g, pieces, 4, &byte, 0), 0);
    assert_int_equal(s->g->ops->copy_out(s->g, pieces, 4, &byte, 0), 0);
    assert_int_equal(byte, 'x');
}

static void a_copy_needs_every_grant(struct subject *s)
{
    uint8_t bytes[LENGTH] = { 0 };
    s->pair->revoked[13] = true;
    assert_int_equal(s->g->ops->copy_in(s->g, pieces, 4, bytes, LENGTH),
                     -EFAULT);
    assert_int_equal(s->g->ops->copy_out(s->g, pieces, 4, bytes, LENGTH),
                     -EFAULT);
    assert_int_equal(s->g->ops->copy_in(s->g, pieces, 4, bytes, 50 + PAGE), 0);
}

/* --- the subjects --------------------------------------------------------- */

static struct subject begin(bool real)
{
    struct subject s = { .pair = usbd_pair_new() };
    memset(&xen, 0, sizeof(xen));
    xen.guest = s.g = &s.pair->guest;
    if (real)
        assert_int_equal(xlx__usb_guest_xen(DOMID, &s.g), 0);
    return s;
}

static void end(struct subject *s)
{
    if (s->g != &s->pair->guest)
        s->g->ops->close(s->g);
    assert_int_equal(xen.grants_open, 0);
    assert_int_equal(xen.events_open, 0);
    usbd_pair_free(s->pair);
}

static void run_cases(bool real)
{
    static void (*const cases[])(struct subject *) = {
        a_granted_page_is_shared,
        one_that_is_not_granted_is_refused,
        a_port_is_bound_and_notified,
        segments_are_read_one_behind_the_other,
        segments_are_written_one_behind_the_other,
        as_many_segments_as_a_request_has,
        nothing_is_copied_of_nothing,
        a_copy_needs_every_grant,
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

static void usb_guest_xen_keeps_it(void **state)
{
    (void)state;
    run_cases(true);
}

/* --- of the real one alone: the fake has no events ------------------------ */

static void each_event_is_told_once(void **state)
{
    (void)state;
    struct subject s = begin(true);
    uint32_t port = 0, bound = 0;
    assert_int_equal(s.g->ops->fd(s.g), xen.event);
    assert_int_equal(s.g->ops->bind(s.g, WORLD_EVTCHN, &bound), 0);
    assert_int_equal(s.g->ops->pending(s.g, &port), 0);
    send_event();
    assert_int_equal(s.g->ops->pending(s.g, &port), 1);
    assert_int_equal(port, bound);
    send_event();
    assert_int_equal(s.g->ops->pending(s.g, &port), 0);
    assert_int_equal(s.g->ops->unmask(s.g, port), 0);
    assert_int_equal(s.g->ops->pending(s.g, &port), 1);
    assert_int_equal(s.g->ops->unmask(s.g, port + 1), -EINVAL);
    s.g->ops->unbind(s.g, bound);
    end(&s);
}

static void port_0_is_one_too(void **state)
{
    (void)state;
    struct subject s = begin(true);
    uint32_t port = 99;
    send_event();
    assert_int_equal(s.g->ops->pending(s.g, &port), 1);
    assert_int_equal(port, 0);
    end(&s);
}

static void what_calls_fail_with_is_told(void **state)
{
    (void)state;
    struct subject s = begin(true);
    uint8_t bytes[LENGTH] = { 0 };
    uint32_t port = 0;
    xen.err = ENXIO;
    assert_int_equal(s.g->ops->copy_in(s.g, pieces, 4, bytes, LENGTH), -ENXIO);
    assert_int_equal(s.g->ops->copy_out(s.g, pieces, 4, bytes, LENGTH), -ENXIO);
    assert_int_equal(s.g->ops->notify(s.g, 1), -ENXIO);
    assert_int_equal(s.g->ops->pending(s.g, &port), -ENXIO);
    xen.err = EINTR;
    assert_int_equal(s.g->ops->pending(s.g, &port), 0);
    end(&s);
}

static void its_events_are_of_the_domain_alone(void **state)
{
    (void)state;
    struct subject s = begin(true);
    assert_true(xen.restricted);
    assert_true(fcntl(xen.event, F_GETFL) & O_NONBLOCK);
    end(&s);
}

static void what_cannot_be_opened_leaves_nothing_open(void **state)
{
    (void)state;
    struct xlx__usb_guest *g = NULL;
    memset(&xen, 0, sizeof(xen));
    xen.refuses_events = true;
    assert_int_equal(xlx__usb_guest_xen(DOMID, &g), -EACCES);
    assert_null(g);
    assert_int_equal(xen.grants_open, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fake_keeps_it),
        cmocka_unit_test(usb_guest_xen_keeps_it),
        cmocka_unit_test(each_event_is_told_once),
        cmocka_unit_test(port_0_is_one_too),
        cmocka_unit_test(what_calls_fail_with_is_told),
        cmocka_unit_test(its_events_are_of_the_domain_alone),
        cmocka_unit_test(what_cannot_be_opened_leaves_nothing_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The worker between a guest's rings and a device: both ends are in this
 * process.
 */
#include "test.h"

#include <stdbool.h>

#include <xen/io/usbif.h>

#include "fakes/usbd_pair.h"

#define URBS ((unsigned)__CONST_RING_SIZE(usbif_urb, 4096))
#define NR(a) (sizeof(a) / sizeof((a)[0]))
#define DATA 10u /* the first page of data */

static const uint8_t set_address[8] = { 0x00, 5, 9, 0, 0, 0, 0, 0 };
static const uint8_t set_config[8] = { 0x00, 9, 1, 0, 0, 0, 0, 0 };
static const uint8_t set_config_2[8] = { 0x00, 9, 2, 0, 0, 0, 0, 0 };
static const uint8_t set_interface[8] = { 0x01, 11, 3, 0, 0, 0, 0, 0 };
static const uint8_t clear_halt[8] = { 0x02, 1, 0, 0, 0x81, 0, 0, 0 };
static const uint8_t get_device[8] = { 0x80, 6, 0, 1, 0, 0, 18, 0 };

static int setup(void **state)
{
    struct usbd_pair *w = usbd_pair_new();
    *state = w;
    return usbd_pair_open(w);
}

static int teardown(void **state)
{
    usbd_pair_free(*state);
    return 0;
}

/* A device that the guest has an address for and has configured. */
static void plug(struct usbd_pair *w)
{
    usbd_pair_plug(w, 1, 0, XLX__USBD_HIGH, false);
    usbd_guest_run(w);
    assert_int_equal(w->told[1], USBIF_SPEED_HIGH);
    assert_int_equal(usbd_guest_control(w, 1, 0, set_address, 0), 0);
    assert_int_equal(usbd_guest_control(w, 1, 9, set_config, 0), 0);
    assert_int_equal(usbd_pair_said(w, NULL), XLX__USBD_CONFIGURED);
}

static struct usbd_request bulk(uint16_t id, bool in, uint32_t length)
{
    return (struct usbd_request){ .id = id,
                                  .port = 1,
                                  .address = 9,
                                  .endpoint = in ? 1 : 2,
                                  .in = in,
                                  .type = XLX__FRONT_BULK,
                                  .first_ref = DATA,
                                  .length = length };
}

static void push(struct usbd_pair *w, struct usbd_request r)
{
    usbd_guest_push(w, &r);
    usbd_guest_run(w);
}

static void push_unlink(struct usbd_pair *w, uint16_t id, int of)
{
    struct usbd_request r = {
        .id = id, .port = 1, .address = 9, .unlink = true, .unlink_id = of
    };
    push(w, r);
}

/* --- transfers ------------------------------------------------------------ */

static void test_out(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    for (unsigned i = 0; i < 3; i++)
        memset(w->page[DATA + i], 'a' + (int)i, 4096);
    push(w, bulk(1, false, 8193));
    struct usbdevfs_urb *urb = usbd_dev_complete(w, 0, 0, 8193);
    assert_non_null(urb);
    assert_int_equal(urb->type, USBDEVFS_URB_TYPE_BULK);
    assert_int_equal(urb->endpoint, 2);
    assert_int_equal(urb->buffer_length, 8193);
    const char *data = urb->buffer;
    assert_int_equal(data[4095], 'a');
    assert_int_equal(data[4096], 'b');
    assert_int_equal(data[8192], 'c');
    usbd_guest_run(w);
    assert_true(w->answer[1].there);
    assert_int_equal(w->answer[1].status, 0);
    assert_int_equal(w->answer[1].actual_length, 8193);
    assert_int_equal(w->usbd.hc[0]->port[0].state->stats.bytes_out, 8193);
}

/* All sixteen pages: the length's 16 bits say 0. */
static void test_in_of_sixteen_pages(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    push(w, bulk(1, true, 65536));
    struct usbdevfs_urb *urb = w->dev[0].pending[0];
    assert_int_equal(urb->buffer_length, 65536);
    assert_int_equal(urb->endpoint, 0x81);
    memset(urb->buffer, 'x', 65536);
    usbd_dev_complete(w, 0, 0, 65536);
    usbd_guest_run(w);
    assert_int_equal(w->answer[1].actual_length, 65536);
    assert_int_equal(w->page[DATA + 15][4095], 'x');
}

static void test_short_in_leaves_the_rest(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    memset(w->page[DATA], 'o', 4096);
    push(w, bulk(1, true, 100));
    memset(w->dev[0].pending[0]->buffer, 'n', 100);
    usbd_dev_complete(w, 0, 0, 13);
    usbd_guest_run(w);
    assert_int_equal(w->answer[1].actual_length, 13);
    assert_int_equal(w->page[DATA][12], 'n');
    assert_int_equal(w->page[DATA][13], 'o');
}

/* A device's side that says more than was asked for gives no more. */
static void test_long_in_is_cut(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    memset(w->page[DATA], 'o', 4096);
    push(w, bulk(1, true, 64));
    usbd_dev_complete(w, 0, 0, 4096);
    usbd_guest_run(w);
    assert_int_equal(w->answer[1].actual_length, 64);
    assert_int_equal(w->page[DATA][64], 'o');
}

static void test_statuses(void **state)
{
    static const struct {
        int error;
        int32_t status;
    } rows[] = {
        { -EPIPE, USBIF_STATUS_STALL },      { -EPROTO, USBIF_STATUS_IOERROR },
        { -EILSEQ, USBIF_STATUS_IOERROR },   { -ETIME, USBIF_STATUS_IOERROR },
        { -EOVERFLOW, USBIF_STATUS_BABBLE }, { -ENOENT, USBIF_STATUS_SHUTDOWN },
        { -ENODEV, USBIF_STATUS_NODEV },
    };
    struct usbd_pair *w = *state;
    plug(w);
    for (unsigned i = 0; i < NR(rows); i++) {
        push(w, bulk(1, true, 64));
        usbd_dev_complete(w, 0, rows[i].error, 0);
        usbd_guest_run(w);
        assert_int_equal(w->answer[1].status, rows[i].status);
    }
    assert_int_equal(w->usbd.hc[0]->port[0].state->stats.errors, NR(rows));
}

/* Many at once, done in another order. */
static void test_queue(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    for (unsigned i = 0; i < URBS; i++) {
        struct usbd_request r = bulk((uint16_t)i, i & 1, 512);
        usbd_guest_push(w, &r);
    }
    usbd_guest_run(w);
    assert_int_equal(w->dev[0].nr_pending, URBS);
    for (unsigned i = 0; i < URBS; i++)
        usbd_dev_complete(w, 0, 0, 512);
    usbd_guest_run(w);
    for (unsigned i = 0; i < URBS; i++)
        assert_true(w->answer[i].there);
}

/* The guest is told in the same turn, with no look at the device in between. */
static void test_done_at_once(void **state)
{
    struct usbd_pair *w = *state;
    struct usbd_request r[] = { bulk(1, false, 31), bulk(2, true, 4096) };
    plug(w);
    w->dev[0].at_once = true;
    w->dev[0].reaps = w->notified = 0;
    for (unsigned i = 0; i < NR(r); i++)
        usbd_guest_push(w, &r[i]);
    xlx__usbd_hc_serve(w->usbd.hc[0]);
    assert_int_equal(w->dev[0].reaps, 0);
    xlx__usbd_hc_reap(w->usbd.hc[0]);
    assert_int_equal(w->notified, 1);
    assert_int_equal(w->dev[0].reaps, NR(r));
    usbd_guest_run(w);
    assert_int_equal(w->answer[1].actual_length, 31);
    assert_int_equal(w->answer[2].actual_length, 4096);
    assert_true(w->answer[1].there && w->answer[2].there);
}

/* What is not done then costs one look; what waits for the device by its nature
 * costs none. */
static void test_not_done_at_once(void **state)
{
    struct usbd_pair *w = *state;
    struct usbd_request r = bulk(1, true, 64), key = bulk(2, true, 8);
    plug(w);
    w->dev[0].reaps = 0;
    usbd_guest_push(w, &r);
    xlx__usbd_hc_serve(w->usbd.hc[0]);
    xlx__usbd_hc_reap(w->usbd.hc[0]);
    xlx__usbd_hc_reap(w->usbd.hc[0]);
    assert_int_equal(w->dev[0].reaps, 1);
    key.type = XLX__FRONT_INTERRUPT;
    usbd_guest_push(w, &key);
    xlx__usbd_hc_serve(w->usbd.hc[0]);
    xlx__usbd_hc_reap(w->usbd.hc[0]);
    assert_int_equal(w->dev[0].submits, 2);
    assert_int_equal(w->dev[0].reaps, 1);
}

/* The first one, and of each eight that follow one. */
static void test_some_are_timed(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    const struct xlx__usbd_stats *stats = &w->usbd.hc[0]->port[0].state->stats;
    for (unsigned i = 0; i < 17; i++) {
        uint64_t timed = 0;
        push(w, bulk(1, true, 64));
        usbd_dev_complete(w, 0, 0, 64);
        usbd_guest_run(w);
        for (unsigned k = 0; k < XLX__USBD_LATENCIES; k++)
            timed += stats->latency[k];
        assert_int_equal(stats->requests, i + 1);
        assert_int_equal(timed, i / 8 + 1);
    }
}

/* --- control -------------------------------------------------------------- */

static void test_control_in(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    assert_int_equal(usbd_guest_control(w, 1, 9, get_device, DATA), 1);
    struct usbdevfs_urb *urb = w->dev[0].pending[0];
    assert_int_equal(urb->type, USBDEVFS_URB_TYPE_CONTROL);
    assert_int_equal(urb->buffer_length, 8 + 18);
    assert_memory_equal(urb->buffer, get_device, 8);
    memset((char *)urb->buffer + 8, 'd', 18);
    usbd_dev_complete(w, 0, 0, 18);
    usbd_guest_run(w);
    assert_int_equal(w->page[DATA][17], 'd');
}

static void test_address_stays_here(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    assert_int_equal(w->dev[0].submits, 0);
    /* Another one's address is nobody's. */
    assert_int_equal(usbd_guest_control(w, 1, 8, get_device, DATA),
                     USBIF_STATUS_NODEV);
    /* Address 0 after that is how a reset of the port shows. */
    assert_int_equal(usbd_guest_control(w, 1, 0, set_address, 0), 0);
    assert_int_equal(w->dev[0].resets, 1);
    /* And the first time it is not. */
    assert_int_equal(usbd_guest_control(w, 1, 9, set_config, 0), 0);
    assert_int_equal(w->dev[0].resets, 1);
}

static void test_reset_ends_requests(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    push(w, bulk(1, true, 64));
    assert_int_equal(usbd_guest_control(w, 1, 0, set_address, 0), 0);
    assert_true(w->answer[1].there);
    assert_int_equal(w->dev[0].resets, 1);
}

static void test_settings(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    assert_int_equal(usbd_guest_control(w, 1, 9, set_interface, 0), 0);
    assert_int_equal(w->dev[0].alt[0], 3);
    w->dev[0].set_interface_rc = -EINVAL;
    assert_int_equal(usbd_guest_control(w, 1, 9, set_interface, 0),
                     USBIF_STATUS_STALL);
    /* The same configuration again: the first settings. */
    assert_int_equal(usbd_guest_control(w, 1, 9, set_config, 0), 0);
    assert_int_equal(w->dev[0].alt[0], 0);
    assert_int_equal(usbd_guest_control(w, 1, 9, clear_halt, 0), 0);
    assert_int_equal(w->dev[0].clear_halts, 1);
}

/* The broker opens the device anew in the other configuration. */
static void test_other_configuration(void **state)
{
    struct usbd_pair *w = *state;
    struct xlx__usbd_message m;
    plug(w);
    assert_int_equal(usbd_guest_control(w, 1, 9, set_config_2, 0), 1);
    assert_int_equal(usbd_pair_said(w, &m), XLX__USBD_CONFIGURE);
    assert_int_equal(m.value, 2);
    assert_false(w->dev[0].open);
    usbd_pair_plug(w, 1, 1, XLX__USBD_HIGH, false);
    usbd_guest_run(w);
    assert_int_equal(w->answer[60 % URBS].status, 0);
    assert_true(w->answer[60 % URBS].there);
    assert_int_equal(usbd_pair_said(w, &m), XLX__USBD_CONFIGURED);
    /* The guest sees the same device all the while. */
    assert_int_equal(w->nr_told, 1);
}

static void test_configuration_that_fails(void **state)
{
    struct usbd_pair *w = *state;
    struct xlx__usbd_message m = { .kind = XLX__USBD_NOT_CONFIGURED,
                                   .devid = WORLD_DEVID,
                                   .port = 1,
                                   .error = -EIO };
    plug(w);
    usbd_guest_control(w, 1, 9, set_config_2, 0);
    xlx__usbd_order(&w->usbd, &m, -1);
    usbd_guest_run(w);
    assert_int_equal(w->answer[60 % URBS].status, USBIF_STATUS_STALL);
    assert_int_equal(w->told[1], 0);
}

/* --- refused -------------------------------------------------------------- */

static void test_lies(void **state)
{
    struct usbif_urb_request rows[8];
    struct usbd_pair *w = *state;
    plug(w);
    uint32_t pipe = 1 | 9 << USBIF_PIPE_DEV_SHIFT | 1 << USBIF_PIPE_EP_SHIFT |
                    USBIF_PIPE_DIR | (uint32_t)3 << USBIF_PIPE_TYPE_SHIFT;
    for (unsigned i = 0; i < NR(rows); i++) {
        rows[i] = (struct usbif_urb_request){ .id = (uint16_t)i,
                                              .pipe = pipe,
                                              .nr_buffer_segs = 1,
                                              .buffer_length = 100 };
        rows[i].seg[0] = (struct usbif_request_segment){ DATA, 0, 100 };
    }
    rows[0].seg[0].length = 99;   /* less than it says */
    rows[1].seg[0].length = 0;    /* none */
    rows[2].seg[0].offset = 4000; /* over the page's end: 4000 + 100 */
    rows[3].nr_buffer_segs = 17;  /* more than there are */
    rows[4].pipe &= ~(uint32_t)USBIF_PIPE_PORT_MASK;         /* port 0 */
    rows[5].pipe |= 31;                                      /* port 31 */
    rows[6].pipe &= ~((uint32_t)0xf << USBIF_PIPE_EP_SHIFT); /* bulk on 0 */
    rows[7].pipe = (pipe & ~((uint32_t)3 << 30)) | 2u << 30; /* control on 1 */
    for (unsigned i = 0; i < NR(rows); i++) {
        w->in_flight[i] = true;
        w->answer[i].there = false;
        usbd_guest_push_raw(w, &rows[i]);
        usbd_guest_run(w);
        assert_true(w->answer[i].there);
        assert_int_not_equal(w->answer[i].status, 0);
    }
    assert_int_equal(w->dev[0].submits, 0);
    /* At the end of the page is within it: max. */
    rows[2].seg[0].offset = 3996;
    w->in_flight[2] = true;
    usbd_guest_push_raw(w, &rows[2]);
    usbd_guest_run(w);
    assert_int_equal(w->dev[0].submits, 1);
}

static void test_grant_taken_back(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    w->revoked[DATA] = true;
    push(w, bulk(1, false, 64));
    assert_int_equal(w->answer[1].status, USBIF_STATUS_IOERROR);
    w->revoked[DATA] = false;
    push(w, bulk(1, true, 64));
    w->revoked[DATA] = true;
    usbd_dev_complete(w, 0, 0, 64);
    usbd_guest_run(w);
    assert_int_equal(w->answer[1].status, USBIF_STATUS_IOERROR);
    assert_int_equal(w->answer[1].actual_length, 0);
}

static void test_ring_that_is_none(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    struct usbif_urb_sring *sring = (void *)w->page[WORLD_URB_REF];
    sring->req_prod += URBS + 1;
    usbd_guest_run(w);
    assert_true(w->usbd.hc[0]->broken);
    sring->req_prod -= URBS + 1;
    w->req_prod = sring->req_prod;
    push(w, bulk(1, true, 64));
    assert_false(w->answer[1].there);
}

/* --- taken back ----------------------------------------------------------- */

static void test_unlink(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    push(w, bulk(1, true, 64));
    push(w, bulk(2, true, 64));
    push_unlink(w, 3, 1);
    assert_true(w->answer[1].there && w->answer[3].there);
    assert_int_equal(w->answer[1].status, USBIF_STATUS_SHUTDOWN);
    assert_int_equal(w->answer[3].status, 0);
    assert_false(w->answer[2].there);
    /* What is not there any more has had its answer. */
    push_unlink(w, 3, 1);
    assert_int_equal(w->answer[3].status, 0);
    push_unlink(w, 3, 999);
    assert_int_equal(w->answer[3].status, 0);
}

/* Done in the moment that it is taken back: each has one answer. */
static void test_unlink_of_one_that_is_done(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    push(w, bulk(1, true, 64));
    usbd_dev_complete(w, 0, 0, 64);
    struct usbd_request unlink = {
        .id = 2, .port = 1, .address = 9, .unlink = true, .unlink_id = 1
    };
    usbd_guest_push(w, &unlink);
    xlx__usbd_hc_serve(w->usbd.hc[0]);
    usbd_guest_run(w);
    assert_int_equal(w->answer[1].status, 0);
    assert_true(w->answer[2].there);
}

static void test_fifty_unlinks(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    for (int i = 0; i < 50; i++) {
        push(w, bulk(1, true, 4096));
        push_unlink(w, 2, 1);
        assert_true(w->answer[1].there && w->answer[2].there);
    }
    assert_int_equal(w->dev[0].discards, 50);
}

/* --- come and go ---------------------------------------------------------- */

static void test_pulled_out(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    push(w, bulk(1, true, 64));
    push(w, bulk(2, false, 64));
    usbd_dev_pull(w, 0);
    usbd_guest_run(w);
    assert_true(w->answer[1].there && w->answer[2].there);
    assert_int_equal(w->told[1], 0);
    assert_int_equal(usbd_pair_said(w, NULL), XLX__USBD_GONE);
    assert_int_equal(usbd_pair_said(w, NULL), 0);
    assert_false(w->dev[0].open);
    push(w, bulk(1, true, 64));
    assert_int_equal(w->answer[1].status, USBIF_STATUS_NODEV);
}

/* Found when it is next used. */
static void test_gone_at_each_call(void **state)
{
    static const uint8_t *const calls[] = { set_interface, clear_halt,
                                            get_device };
    struct usbd_pair *w = *state;
    for (unsigned i = 0; i < NR(calls); i++) {
        plug(w);
        w->dev[0].gone = true;
        if (calls[i])
            usbd_guest_control(w, 1, 9, calls[i], DATA);
        usbd_guest_run(w);
        assert_int_equal(usbd_pair_said(w, NULL), XLX__USBD_GONE);
        assert_int_equal(w->told[1], 0);
        w->dev[0].gone = false;
    }
    plug(w);
    w->dev[0].gone = true;
    usbd_guest_control(w, 1, 0, set_address, 0);
    assert_int_equal(usbd_pair_said(w, NULL), XLX__USBD_GONE);
}

static void test_unplugged_under_load(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    for (uint16_t i = 0; i < 8; i++)
        push(w, bulk(i, true, 4096));
    usbd_pair_unplug(w, 1);
    usbd_guest_run(w);
    for (unsigned i = 0; i < 8; i++)
        assert_true(w->answer[i].there);
    assert_int_equal(usbd_pair_said(w, NULL), XLX__USBD_UNPLUGGED);
    assert_int_equal(w->told[1], 0);
    /* Nothing there is taken like anything else. */
    usbd_pair_unplug(w, 1);
    assert_int_equal(usbd_pair_said(w, NULL), XLX__USBD_UNPLUGGED);
}

/* As often as one likes, and one that the guest has not looked at. */
static void test_thousand_plugs(void **state)
{
    struct usbd_pair *w = *state;
    for (unsigned i = 0; i < 1000; i++) {
        usbd_pair_plug(w, 2, 0, XLX__USBD_FULL, false);
        usbd_guest_run(w);
        assert_int_equal(w->told[2], USBIF_SPEED_FULL);
        usbd_pair_unplug(w, 2);
        assert_int_equal(usbd_pair_said(w, NULL), XLX__USBD_UNPLUGGED);
        usbd_guest_run(w);
        assert_int_equal(w->told[2], 0);
        usbd_guest_post_conn(w, 2);
    }
    assert_int_equal(w->nr_told, 2000);
}

/* A guest without room for events: it learns of the last state, and never of
 * one device in place of another. */
static void test_events_wait(void **state)
{
    struct usbd_pair *w = *state;
    struct usbif_conn_sring *events = (void *)w->page[WORLD_CONN_REF];
    plug(w);
    uint32_t all = events->req_prod;
    events->req_prod = events->rsp_prod;
    usbd_pair_unplug(w, 1);
    usbd_pair_plug(w, 1, 1, XLX__USBD_HIGH, false);
    usbd_guest_run(w);
    assert_int_equal(w->nr_told, 1);
    events->req_prod = all;
    usbd_guest_run(w);
    assert_int_equal(w->nr_told, 3);
    assert_int_equal(w->told[1], USBIF_SPEED_HIGH);
}

static void test_closed_under_load(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    push(w, bulk(1, true, 4096));
    usbd_pair_close(w);
    assert_int_equal(usbd_pair_said(w, NULL), XLX__USBD_CLOSED);
    assert_false(w->dev[0].open);
    assert_false(w->bound);
    assert_int_equal(w->mapped[WORLD_URB_REF], 0);
    assert_int_equal(w->mapped[WORLD_CONN_REF], 0);
    /* Closed already is closed. */
    usbd_pair_close(w);
    assert_int_equal(usbd_pair_said(w, NULL), XLX__USBD_CLOSED);
}

static void test_open_that_fails(void **state)
{
    struct usbd_pair *w = *state;
    usbd_pair_close(w);
    usbd_pair_said(w, NULL);
    w->map_rc = -EINVAL;
    assert_int_equal(usbd_pair_open(w), -EINVAL);
    w->map_rc = 0;
    w->bind_rc = -EACCES;
    assert_int_equal(usbd_pair_open(w), -EACCES);
    assert_int_equal(w->mapped[WORLD_URB_REF], 0);
    w->bind_rc = 0;
    assert_int_equal(usbd_pair_open(w), 0);
    assert_int_equal(usbd_pair_open(w), -EEXIST);
}

/* --- killed --------------------------------------------------------------- */

static void test_killed(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    usbd_guest_control(w, 1, 9, set_interface, 0);
    push(w, bulk(1, true, 64));
    push(w, bulk(2, true, 64));
    struct usbd_request late = bulk(3, true, 64);
    usbd_guest_push(w, &late);
    usbd_pair_kill(w);
    assert_int_equal(usbd_pair_open(w), 0);
    /* The device comes again: the guest has not seen it go. */
    usbd_pair_plug(w, 1, 0, XLX__USBD_HIGH, false);
    assert_int_equal(w->dev[0].alt[0], 3);
    usbd_guest_run(w);
    assert_int_equal(w->answer[1].status, USBIF_STATUS_IOERROR);
    assert_int_equal(w->answer[2].status, USBIF_STATUS_IOERROR);
    assert_true(w->answer[1].there && w->answer[2].there);
    assert_int_equal(w->nr_told, 1);
    assert_int_equal(usbd_pair_said(w, NULL), XLX__USBD_CONFIGURED);
    /* What was not taken yet is done as if nothing had been. */
    push(w, bulk(1, true, 64));
    usbd_dev_complete(w, 0, 0, 64);
    usbd_dev_complete(w, 0, 0, 64);
    usbd_guest_run(w);
    assert_int_equal(w->answer[1].status, 0);
    assert_int_equal(w->answer[3].status, 0);
    assert_true(w->answer[1].there && w->answer[3].there);
}

/* Whatever the guest has sent waits until it is known what came back. */
static void test_killed_and_settled(void **state)
{
    struct usbd_pair *w = *state;
    struct xlx__usbd_message m = { .kind = XLX__USBD_SETTLED,
                                   .devid = WORLD_DEVID };
    plug(w);
    usbd_pair_kill(w);
    assert_int_equal(usbd_pair_open(w), 0);
    push(w, bulk(1, true, 64));
    assert_false(w->answer[1].there);
    assert_int_equal(w->told[1], USBIF_SPEED_HIGH);
    xlx__usbd_order(&w->usbd, &m, -1);
    usbd_guest_run(w);
    assert_int_equal(w->answer[1].status, USBIF_STATUS_NODEV);
    assert_true(w->answer[1].there);
    assert_int_equal(w->told[1], 0);
}

/* The device did not come back: then the guest is told. */
static void test_killed_and_device_gone(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    usbd_pair_kill(w);
    assert_int_equal(usbd_pair_open(w), 0);
    usbd_pair_unplug(w, 1);
    assert_int_equal(usbd_pair_said(w, NULL), XLX__USBD_UNPLUGGED);
    usbd_guest_run(w);
    assert_int_equal(w->told[1], 0);
}

/* The domid is another guest's now, and its rings have the references that the
 * former one's had: nothing of that one's is gone on with. */
static void test_killed_and_another_guest(void **state)
{
    struct usbd_pair *w = *state;
    plug(w);
    push(w, bulk(1, true, 64));
    usbd_pair_kill_for_another_guest(w);
    assert_int_equal(usbd_pair_open(w), 0);
    usbd_guest_run(w);
    assert_int_equal(w->nr_told, 0);
    assert_int_equal(w->usbd.hc[0]->port[0].state->stats.requests, 0);
    memset(&w->dev[0], 0, offsetof(struct usbd_dev, descriptors));
    plug(w);
    push(w, bulk(2, true, 64));
    usbd_dev_complete(w, 0, 0, 64);
    usbd_guest_run(w);
    assert_int_equal(w->answer[2].status, 0);
    assert_true(w->answer[2].there);
}

/* The same where the former guest's ring stood where the new one's stands: what
 * was without an answer then is not answered to another guest. */
static void test_killed_before_the_first_answer(void **state)
{
    struct usbd_pair *w = *state;
    struct usbd_request r = bulk(1, true, 64);
    plug(w);
    struct xlx__front_state *ring = &w->usbd.hc[0]->state->ring;
    usbd_pair_kill_for_another_guest(w);
    *ring = (struct xlx__front_state){ .req_cons = 1 };
    ring->slot[0].taken = 1;
    ring->slot[0].id = 33;
    r.address = 0;
    usbd_guest_push(w, &r);
    assert_int_equal(usbd_pair_open(w), 0);
    /* It would fail for an answer with the id 33. */
    usbd_guest_run(w);
    assert_int_equal(w->answer[1].status, USBIF_STATUS_NODEV);
    assert_true(w->answer[1].there);
}

/* A guest without a UUID may be anybody. */
static void test_killed_and_no_uuid(void **state)
{
    struct usbd_pair *w = *state;
    usbd_pair_close(w);
    usbd_pair_said(w, NULL);
    memset(w->uuid, 0, sizeof(w->uuid));
    usbd_pair_kill_for_another_guest(w);
    assert_int_equal(usbd_pair_open(w), 0);
    plug(w);
    usbd_pair_kill_for_another_guest(w);
    assert_int_equal(usbd_pair_open(w), 0);
    usbd_guest_run(w);
    assert_int_equal(w->nr_told, 0);
}

/* What guests left that had the domid before does not fill the file. */
static void test_left_by_other_guests(void **state)
{
    struct usbd_pair *w = *state;
    usbd_pair_close(w);
    usbd_pair_said(w, NULL);
    for (unsigned i = 0; i < XLX__USBD_HC_MAX; i++) {
        w->state->hc[i].used = 1;
        w->state->hc[i].devid = 100 + i;
        strcpy(w->state->hc[i].guest, "another");
    }
    assert_int_equal(usbd_pair_open(w), 0);
}

/* --- isochronous ---------------------------------------------------------- */

static struct usbd_request iso(uint16_t id, bool in,
                               const struct xlx__usbd_frame *frames,
                               uint32_t nr, uint32_t length)
{
    struct usbd_request r = bulk(id, in, length);
    r.type = XLX__FRONT_ISO;
    r.frames = frames;
    r.nr_frames = nr;
    r.frames_ref = DATA + 16;
    return r;
}

/* Packets with gaps in the guest's buffer; one is short, one lost. */
static void test_iso_in(void **state)
{
    static const struct xlx__usbd_frame frames[] = { { 0, 192, 0, 0 },
                                                     { 256, 192, 0, 0 },
                                                     { 512, 192, 0, 0 } };
    struct usbd_pair *w = *state;
    struct xlx__usbd_frame seen[3];
    plug(w);
    push(w, iso(1, true, frames, 3, 768));
    struct usbdevfs_urb *urb = w->dev[0].pending[0];
    assert_int_equal(urb->type, USBDEVFS_URB_TYPE_ISO);
    assert_int_equal(urb->number_of_packets, 3);
    assert_int_equal(urb->flags, USBDEVFS_URB_ISO_ASAP);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(urb->iso_frame_desc[i].length, 192);
        memset((char *)urb->buffer + 192 * i, '1' + i, 192);
        urb->iso_frame_desc[i].actual_length = i == 1 ? 100 : 192;
        urb->iso_frame_desc[i].status = i == 2 ? (unsigned)-EXDEV : 0;
    }
    urb->error_count = 1;
    usbd_dev_complete(w, 0, 0, 484);
    usbd_guest_run(w);
    assert_int_equal(w->answer[1].status, 0);
    assert_int_equal(w->answer[1].error_count, 1);
    memcpy(seen, w->page[DATA + 16], sizeof(seen));
    assert_int_equal(seen[1].offset, 256);
    assert_int_equal(seen[1].actual_length, 100);
    assert_int_equal(seen[2].status, -EXDEV);
    assert_int_equal(w->page[DATA][0], '1');
    assert_int_equal(w->page[DATA][256 + 99], '2');
    assert_int_equal(w->page[DATA][256 + 100], 0);
    assert_int_equal(w->page[DATA][512], '3');
    assert_int_equal(w->usbd.hc[0]->port[0].state->stats.lost_packets, 1);
}

static void test_iso_out(void **state)
{
    static const struct xlx__usbd_frame frames[] = { { 0, 4, 0, 0 },
                                                     { 100, 4, 0, 0 } };
    struct usbd_pair *w = *state;
    plug(w);
    memcpy(w->page[DATA], "abcd", 4);
    memcpy(w->page[DATA] + 100, "efgh", 4);
    push(w, iso(1, false, frames, 2, 104));
    struct usbdevfs_urb *urb = w->dev[0].pending[0];
    assert_memory_equal(urb->buffer, "abcdefgh", 8);
    usbd_dev_complete(w, 0, 0, 8);
    usbd_guest_run(w);
    assert_int_equal(w->answer[1].status, 0);
}

static void test_iso_lies(void **state)
{
    static const struct xlx__usbd_frame outside = { 100, 5, 0, 0 };
    struct usbd_pair *w = *state;
    plug(w);
    push(w, iso(1, true, &outside, 1, 104));
    assert_int_equal(w->answer[1].status, USBIF_STATUS_INVAL);
    struct usbif_urb_request raw = {
        .id = 2,
        .nr_buffer_segs = 1,
        .buffer_length = 100,
        .pipe = 1 | USBIF_PIPE_DIR | 9 << 8 | 1 << 15,
        .seg = { { DATA, 0, 100 }, { DATA + 16, 0, 16 } },
    };
    static const struct {
        uint16_t packets, segs;
    } rows[] = { { 0, 1 }, { 129, 1 }, { 2, 1 }, { 1, 0 } };
    for (unsigned i = 0; i < NR(rows); i++) {
        raw.u.isoc.number_of_packets = rows[i].packets;
        raw.u.isoc.nr_frame_desc_segs = rows[i].segs;
        w->in_flight[2] = true;
        w->answer[2].there = false;
        usbd_guest_push_raw(w, &raw);
        usbd_guest_run(w);
        assert_true(w->answer[2].there);
        assert_int_equal(w->answer[2].status, USBIF_STATUS_INVAL);
    }
    assert_int_equal(w->dev[0].submits, 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_out),
        ROW(test_in_of_sixteen_pages),
        ROW(test_short_in_leaves_the_rest),
        ROW(test_long_in_is_cut),
        ROW(test_statuses),
        ROW(test_queue),
        ROW(test_done_at_once),
        ROW(test_not_done_at_once),
        ROW(test_some_are_timed),
        ROW(test_control_in),
        ROW(test_address_stays_here),
        ROW(test_reset_ends_requests),
        ROW(test_settings),
        ROW(test_other_configuration),
        ROW(test_configuration_that_fails),
        ROW(test_lies),
        ROW(test_grant_taken_back),
        ROW(test_ring_that_is_none),
        ROW(test_unlink),
        ROW(test_unlink_of_one_that_is_done),
        ROW(test_fifty_unlinks),
        ROW(test_pulled_out),
        ROW(test_gone_at_each_call),
        ROW(test_unplugged_under_load),
        ROW(test_thousand_plugs),
        ROW(test_events_wait),
        ROW(test_closed_under_load),
        ROW(test_open_that_fails),
        ROW(test_killed),
        ROW(test_killed_and_settled),
        ROW(test_killed_and_device_gone),
        ROW(test_killed_and_another_guest),
        ROW(test_killed_before_the_first_answer),
        ROW(test_killed_and_no_uuid),
        ROW(test_left_by_other_guests),
        ROW(test_iso_in),
        ROW(test_iso_out),
        ROW(test_iso_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Standing in for a dead backend, against a guest's end of the ring that is
 * written here from the protocol.
 */
#include "test.h"

#include <stdbool.h>

#include <xen/io/usbif.h>

#include "xen/usb_ring.h"

#define SIZE ((unsigned)__CONST_RING_SIZE(usbif_urb, 4096))

union page {
    struct usbif_urb_sring sring;
    char bytes[4096];
};

struct guest {
    union page *page;
    uint32_t req_prod, rsp_cons;
    bool in_flight[XLX__RING_IDS];
    int32_t status[XLX__RING_IDS];
};

static int setup(void **state)
{
    struct guest *g = calloc(1, sizeof(*g));
    g->page = calloc(1, sizeof(*g->page));
    *state = g;
    return 0;
}

static int teardown(void **state)
{
    struct guest *g = *state;
    free(g->page);
    free(g);
    return 0;
}

static void push(struct guest *g, uint16_t id, int unlink_id)
{
    struct usbif_urb_request req = { .id = id };
    if (unlink_id >= 0) {
        req.pipe = USBIF_PIPE_UNLINK;
        req.u.unlink.unlink_id = (uint16_t)unlink_id;
    }
    assert_true(g->req_prod - g->rsp_cons < SIZE);
    assert_false(g->in_flight[id]);
    g->in_flight[id] = true;
    g->page->sring.ring[g->req_prod++ % SIZE].req = req;
    g->page->sring.req_prod = g->req_prod;
}

/* As xen-hcd does: an answer nobody waits for disables the controller. */
static void pull(struct guest *g)
{
    uint32_t prod = g->page->sring.rsp_prod;
    assert_true(prod - g->rsp_cons <= g->req_prod - g->rsp_cons);
    while (g->rsp_cons != prod) {
        struct usbif_urb_response rsp =
            g->page->sring.ring[g->rsp_cons++ % SIZE].rsp;
        assert_true(rsp.id < SIZE);
        assert_true(g->in_flight[rsp.id]);
        g->in_flight[rsp.id] = false;
        g->status[rsp.id] = rsp.status;
    }
}

/* A backend that took requests 0 to 4, answered all but 1, and died. */
static void live_and_die(struct guest *g)
{
    static const uint16_t answered[] = { 0, 3, 2, 4 };
    for (uint16_t id = 0; id < 5; id++)
        push(g, id, -1);
    for (int i = 0; i < 4; i++)
        g->page->sring.ring[i].rsp =
            (struct usbif_urb_response){ .id = answered[i] };
    g->page->sring.rsp_prod = 4;
    pull(g);
}

static void what_is_taken_back_is_given_back(void **state)
{
    struct guest *g = *state;
    struct xlx__ring_pos pos;
    live_and_die(g);
    assert_int_equal(xlx__ring_start(g->page, &pos), 0);
    assert_int_equal(xlx__ring_answer(g->page, &pos), 0);
    push(g, 0, 1);
    assert_int_equal(xlx__ring_answer(g->page, &pos), 2);
    pull(g);
    assert_false(g->in_flight[0] || g->in_flight[1]);
    assert_int_equal(g->status[1], USBIF_STATUS_SHUTDOWN);
    assert_int_equal(g->status[0], USBIF_STATUS_OK);
}

static void whatever_else_comes_fails(void **state)
{
    struct guest *g = *state;
    struct xlx__ring_pos pos;
    live_and_die(g);
    assert_int_equal(xlx__ring_start(g->page, &pos), 0);
    for (unsigned i = 0; i < 5 * SIZE; i++) { /* ids come again */
        uint16_t id = (uint16_t)(2 + i % (SIZE - 2));
        push(g, id, -1);
        assert_int_equal(xlx__ring_answer(g->page, &pos), 1);
        pull(g);
        assert_int_equal(g->status[id], USBIF_STATUS_SHUTDOWN);
    }
    assert_true(g->in_flight[1]);
}

static void nothing_is_answered_twice(void **state)
{
    struct guest *g = *state;
    struct xlx__ring_pos pos;
    live_and_die(g);
    assert_int_equal(xlx__ring_start(g->page, &pos), 0);
    /* taken back when its answer was on the way already */
    push(g, 2, -1);
    push(g, 3, 2);
    assert_int_equal(xlx__ring_answer(g->page, &pos), 2);
    pull(g);
    /* the request of before the death is taken back twice */
    push(g, 2, 1);
    push(g, 3, 1);
    assert_int_equal(xlx__ring_answer(g->page, &pos), 3);
    pull(g);
}

static void a_full_ring_is_no_harm(void **state)
{
    struct guest *g = *state;
    struct xlx__ring_pos pos;
    assert_int_equal(xlx__ring_start(g->page, &pos), 0);
    for (uint16_t id = 0; id < SIZE; id++)
        push(g, id, -1);
    assert_int_equal(xlx__ring_answer(g->page, &pos), (int)SIZE);
    pull(g);
}

/* The guest has no room to take anything back. */
static void a_full_ring_of_the_dead_is_answered(void **state)
{
    struct guest *g = *state;
    struct xlx__ring_pos pos;
    for (uint16_t id = 0; id < SIZE; id++)
        push(g, id, -1);
    assert_int_equal(xlx__ring_start(g->page, &pos), 0);
    assert_int_equal(xlx__ring_answer(g->page, &pos), (int)SIZE);
    pull(g);
    for (uint16_t id = 0; id < SIZE; id++)
        assert_true(!g->in_flight[id] &&
                    g->status[id] == USBIF_STATUS_SHUTDOWN);
    assert_int_equal(xlx__ring_answer(g->page, &pos), 0);
}

/* Request 1 is older than all that can be seen; 0 is seen twice. */
static void an_old_request_in_a_full_ring_is_answered(void **state)
{
    struct guest *g = *state;
    struct xlx__ring_pos pos;
    live_and_die(g);
    push(g, 0, -1);
    g->page->sring.ring[4].rsp = (struct usbif_urb_response){ .id = 0 };
    g->page->sring.rsp_prod = 5;
    pull(g);
    for (uint16_t id = 0; id < SIZE; id++)
        if (id != 1)
            push(g, id, -1);
    assert_int_equal(xlx__ring_start(g->page, &pos), 0);
    assert_int_equal(xlx__ring_answer(g->page, &pos), (int)SIZE);
    pull(g);
    assert_false(g->in_flight[1]);
}

/* All but one id have been seen since: that one it is. */
static void the_last_unknown_request_is_answered(void **state)
{
    struct guest *g = *state;
    struct xlx__ring_pos pos;
    live_and_die(g);
    assert_int_equal(xlx__ring_start(g->page, &pos), 0);
    for (uint16_t id = 0; id < SIZE; id++) {
        if (id == 1)
            continue;
        push(g, id, -1);
        assert_int_equal(xlx__ring_answer(g->page, &pos),
                         id == SIZE - 1 ? 2 : 1);
        pull(g);
    }
    assert_false(g->in_flight[1]);
}

static void a_guest_that_lies_is_left_alone(void **state)
{
    struct guest *g = *state;
    struct xlx__ring_pos pos;
    g->page->sring.req_prod = SIZE;
    assert_int_equal(xlx__ring_start(g->page, &pos), 0);
    g->page->sring.req_prod = SIZE + 1;
    assert_int_equal(xlx__ring_start(g->page, &pos), -EBADMSG);
    g->page->sring.req_prod = 0;
    g->page->sring.rsp_prod = 1;
    assert_int_equal(xlx__ring_start(g->page, &pos), -EBADMSG);

    g->page->sring.rsp_prod = 0;
    assert_int_equal(xlx__ring_start(g->page, &pos), 0);
    g->page->sring.req_prod = SIZE + 1;
    assert_int_equal(xlx__ring_answer(g->page, &pos), -EBADMSG);
    g->page->sring.req_prod = 1;
    g->page->sring.ring[0].req.id = (uint16_t)SIZE;
    assert_int_equal(xlx__ring_answer(g->page, &pos), -EBADMSG);

    /* takes back what was never sent: no answer may pass its question */
    memset(g->page, 0, sizeof(*g->page));
    assert_int_equal(xlx__ring_start(g->page, &pos), 0);
    push(g, 0, 7);
    assert_int_equal(xlx__ring_answer(g->page, &pos), -EBADMSG);
    assert_true(g->page->sring.rsp_prod <= 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_taken_back_is_given_back),
        TEST(whatever_else_comes_fails),
        TEST(nothing_is_answered_twice),
        TEST(a_full_ring_is_no_harm),
        TEST(a_full_ring_of_the_dead_is_answered),
        TEST(an_old_request_in_a_full_ring_is_answered),
        TEST(the_last_unknown_request_is_answered),
        TEST(a_guest_that_lies_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

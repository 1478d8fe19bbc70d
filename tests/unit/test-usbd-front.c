/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The two rings from the backend's side: each request is taken once and
 * answered once, whatever the guest writes, and whoever is killed at whatever
 * instruction.
 */
#include "test.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xen/io/usbif.h>

#include "xen/usb_front.h"

#define URBS ((unsigned)__CONST_RING_SIZE(usbif_urb, 4096))
#define EVENTS ((unsigned)__CONST_RING_SIZE(usbif_conn, 4096))
#define NR(a) (sizeof(a) / sizeof((a)[0]))

union page {
    struct usbif_urb_sring urbs;
    struct usbif_conn_sring events;
    char bytes[4096];
};

/* All that a killed one leaves. */
struct shared {
    union page page;
    struct xlx__front_state state;
    volatile uint32_t done; /* how far the child has come */
};

static int setup(void **state)
{
    *state = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return *state == MAP_FAILED;
}

static int teardown(void **state)
{
    munmap(*state, sizeof(struct shared));
    return 0;
}

/* The rings' arrays are declared with one entry and have as many as fit. */
static union usbif_urb_sring_entry *urb(struct shared *s, unsigned i)
{
    char *start = s->page.bytes + offsetof(struct usbif_urb_sring, ring);
    return (union usbif_urb_sring_entry *)start + i % URBS;
}

static union usbif_conn_sring_entry *event(struct shared *s, unsigned i)
{
    char *start = s->page.bytes + offsetof(struct usbif_conn_sring, ring);
    return (union usbif_conn_sring_entry *)start + i % EVENTS;
}

static void push(struct shared *s, uint16_t id)
{
    uint32_t at = s->page.urbs.req_prod;
    urb(s, at)->req = (struct usbif_urb_request){ .id = id };
    s->page.urbs.req_prod = at + 1;
}

static int next(struct shared *s, uint16_t *id_r, unsigned *slot_r)
{
    struct xlx__front_request req;
    int rc = xlx__front_next(&s->page, &s->state, &req, slot_r);
    if (rc == 1)
        *id_r = req.id;
    return rc;
}

static bool answer(struct shared *s, unsigned slot)
{
    const struct xlx__front_answer ok = { .status = XLX__FRONT_OK };
    return xlx__front_answer(&s->page, &s->state, slot, &ok);
}

static void test_out_of_order(void **state)
{
    struct shared *s = *state;
    unsigned slot[3];
    uint16_t id;
    for (uint16_t i = 0; i < 3; i++)
        push(s, (uint16_t)(100 + i));
    for (uint16_t i = 0; i < 3; i++) {
        assert_int_equal(next(s, &id, &slot[i]), 1);
        assert_int_equal(id, 100 + i);
    }
    assert_int_equal(next(s, &id, &slot[0]), 0);
    answer(s, slot[2]);
    answer(s, slot[1]);
    assert_int_equal(s->page.urbs.rsp_prod, 2);
    assert_int_equal(urb(s, 0)->rsp.id, 102);
    assert_int_equal(urb(s, 1)->rsp.id, 101);
    assert_int_equal(s->state.slot[slot[0]].taken, 1);
}

/* Indices go round: from just below 2^32, and as many times as a long life. */
static void test_wraps(void **state)
{
    struct shared *s = *state;
    uint32_t start = UINT32_MAX - 3;
    s->page.urbs.req_prod = s->page.urbs.rsp_prod = start;
    s->state.req_cons = s->state.rsp_prod = start;
    assert_int_equal(xlx__front_resume(&s->page, &s->state), 0);
    for (unsigned i = 0; i < 1000; i++) {
        unsigned slot;
        uint16_t id;
        push(s, (uint16_t)i);
        assert_int_equal(next(s, &id, &slot), 1);
        assert_int_equal(id, i);
        answer(s, slot);
        assert_int_equal(s->page.urbs.rsp_prod, start + i + 1);
    }
}

/* max - 1 and max are a full ring; max + 1 is none. */
static void test_index_bounds(void **state)
{
    struct shared *s = *state;
    unsigned slot;
    uint16_t id;
    for (uint16_t i = 0; i < URBS; i++)
        push(s, i);
    for (unsigned i = 0; i < URBS; i++)
        assert_int_equal(next(s, &id, &slot), 1);
    assert_int_equal(next(s, &id, &slot), 0);
    s->page.urbs.req_prod++;
    assert_int_equal(next(s, &id, &slot), -EBADMSG);
    s->page.urbs.req_prod -= 2;
    assert_int_equal(next(s, &id, &slot), -EBADMSG);
    s->page.urbs.req_prod = s->state.req_cons + 0x80000000u;
    assert_int_equal(next(s, &id, &slot), -EBADMSG);
}

static void test_asks_to_be_told(void **state)
{
    struct shared *s = *state;
    unsigned slot;
    uint16_t id;
    assert_int_equal(next(s, &id, &slot), 0);
    assert_int_equal(s->page.urbs.req_event, 1);
    push(s, 1);
    push(s, 2);
    assert_int_equal(next(s, &id, &slot), 1);
    unsigned second;
    assert_int_equal(next(s, &id, &second), 1);
    assert_int_equal(next(s, &id, &slot), 0);
    assert_int_equal(s->page.urbs.req_event, 3);
    /* The guest waits for the second answer only. */
    s->page.urbs.rsp_event = 2;
    assert_false(answer(s, 0));
    assert_true(answer(s, second));
    s->page.urbs.rsp_event = 2;
    push(s, 3);
    assert_int_equal(next(s, &id, &slot), 1);
    assert_false(answer(s, slot));
}

static void test_segments_are_bounded(void **state)
{
    static const struct {
        uint16_t data, frames;
        uint32_t pipe;
        bool used;
    } rows[] = {
        { 16, 0, 1, true },
        { 17, 0, 1, false },
        { 65535, 0, 1, false },
        { 15, 1, 1, true },
        { 15, 2, 1, false },
        { 1, 65535, 1, false },
        { 0, 16, 1, true },
        /* Frames are of isochronous requests only: bulk has other bytes. */
        { 16, 9, 1 | USBIF_PIPE_TYPE_BULK << 30, true },
    };
    for (unsigned i = 0; i < NR(rows); i++) {
        struct shared *s = *state;
        struct xlx__front_request req;
        unsigned slot;
        uint32_t at = s->page.urbs.req_prod;
        struct usbif_urb_request raw = { .nr_buffer_segs = rows[i].data,
                                         .pipe = rows[i].pipe };
        raw.u.isoc.nr_frame_desc_segs = rows[i].frames;
        urb(s, at)->req = raw;
        s->page.urbs.req_prod = at + 1;
        assert_int_equal(xlx__front_next(&s->page, &s->state, &req, &slot), 1);
        assert_int_equal(req.port, rows[i].used ? 1 : 0);
        assert_true(req.nr_segs + req.nr_frame_segs <= 16);
        answer(s, slot);
    }
}

static void test_resume_refuses(void **state)
{
    struct shared *s = *state;
    push(s, 1);
    /* More taken than there can be; taken, but not counted; a ring that is not
     * where it was left. */
    s->state.req_cons = 33;
    assert_int_equal(xlx__front_resume(&s->page, &s->state), -EBADMSG);
    memset(&s->state, 0, sizeof(s->state));
    s->state.slot[0].taken = s->state.slot[1].taken = 1;
    assert_int_equal(xlx__front_resume(&s->page, &s->state), -EBADMSG);
    memset(&s->state, 0, sizeof(s->state));
    s->page.urbs.rsp_prod = 1;
    assert_int_equal(xlx__front_resume(&s->page, &s->state), -EBADMSG);
    s->page.urbs.rsp_prod = 0;
    s->page.urbs.req_prod = URBS + 1;
    assert_int_equal(xlx__front_resume(&s->page, &s->state), -EBADMSG);
    /* Slots that no ring has are nobody's. */
    s->page.urbs.req_prod = 1;
    s->state.slot[XLX__FRONT_SLOTS - 1].taken = 1;
    s->state.answering = 99;
    assert_int_equal(xlx__front_resume(&s->page, &s->state), 0);
}

/* --- killed --------------------------------------------------------------- */

enum { REQUESTS = 3 };

/* Takes three and answers two, the last one first. */
static void work(struct shared *s)
{
    unsigned slot[REQUESTS];
    uint16_t id;
    for (unsigned i = 0; i < REQUESTS; i++)
        next(s, &id, &slot[i]);
    answer(s, slot[2]);
    answer(s, slot[0]);
    s->done = 1;
}

/* Goes on with a copy of what is there now: all are answered once. */
static void go_on_with(const struct shared *seen)
{
    struct shared s = *seen;
    unsigned answers[REQUESTS] = { 0 }, slot;
    uint16_t id;
    assert_int_equal(xlx__front_resume(&s.page, &s.state), 0);
    for (unsigned i = 0; i < URBS; i++)
        if (s.state.slot[i].taken)
            answer(&s, i);
    while (next(&s, &id, &slot) == 1)
        answer(&s, slot);
    assert_int_equal(s.page.urbs.rsp_prod, REQUESTS);
    for (unsigned i = 0; i < REQUESTS; i++)
        answers[urb(&s, i)->rsp.id - 10]++;
    for (unsigned i = 0; i < REQUESTS; i++)
        assert_int_equal(answers[i], 1);
}

/* Each instruction is the last one once: the child is stepped through them, and
 * what it would leave is looked at between any two. */
static void test_killed_at_any_instruction(void **state)
{
    struct shared *s = *state;
    int status;
    unsigned steps = 0;
    for (uint16_t i = 0; i < REQUESTS; i++)
        push(s, (uint16_t)(10 + i));
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        work(s);
        for (;;)
            pause();
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    while (!s->done) {
        assert_true(WIFSTOPPED(status));
        go_on_with(s);
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        steps++;
    }
    go_on_with(s);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    assert_true(steps > 100);
}

/* --- the other ring ------------------------------------------------------- */

static void test_tells(void **state)
{
    struct shared *s = *state;
    struct usbif_conn_sring *events = &s->page.events;
    assert_int_equal(xlx__front_tell(&s->page, 2, 3), 0);
    assert_int_equal(events->req_event, 1);
    for (unsigned i = 0; i < 2; i++)
        event(s, i)->req.id = (uint16_t)(70 + i);
    events->req_prod = 2;
    events->rsp_event = 1;
    assert_int_equal(xlx__front_tell(&s->page, 2, 3), 1);
    assert_int_equal(xlx__front_tell(&s->page, 31, 0), 2);
    assert_int_equal(xlx__front_tell(&s->page, 1, 1), 0);
    assert_int_equal(event(s, 0)->rsp.id, 70);
    assert_int_equal(event(s, 0)->rsp.portnum, 2);
    assert_int_equal(event(s, 0)->rsp.speed, 3);
    assert_int_equal(event(s, 1)->rsp.id, 71);
    events->req_prod = 2 + EVENTS;
    assert_int_equal(xlx__front_tell(&s->page, 1, 1), 2);
    events->req_prod = 4 + EVENTS;
    assert_int_equal(xlx__front_tell(&s->page, 1, 1), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_out_of_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wraps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_index_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_asks_to_be_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_segments_are_bounded, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_resume_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_at_any_instruction, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_tells, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Any frontend at the two rings of a USB controller: the input is what guest
 * and backend do in turn. Whatever the guest writes, a request is taken once
 * and answered once, and what is taken apart is within bounds. libFuzzer's
 * entry; tests/unit/test-fuzz.c runs it without libFuzzer.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <xen/io/usbif.h>

#include "fuzz/must.h"
#include "xen/usb_front.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FRONT_PAGE 4096u

struct front {
    const uint8_t *data; /* what is left of the input */
    size_t size;
    uint8_t *urbs, *events; /* the pages, of malloc: ASan knows their ends */
    struct xlx__front_state state;
    bool broken; /* "its ring is not to be touched again" */
};

/* Zeros behind the end. */
static uint32_t take_number(struct front *f, unsigned bytes)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < bytes && f->size; i++, f->size--)
        value |= (uint32_t)*f->data++ << 8 * i;
    return value;
}

static void check_state(const struct front *f)
{
    uint32_t taken = 0, counted = f->state.req_cons - f->state.rsp_prod;
    for (uint32_t i = 0; i < XLX__FRONT_SLOTS; i++) {
        MUST(!f->state.slot[i].taken || i < xlx__front_size());
        taken += f->state.slot[i].taken != 0;
    }
    MUST(taken == counted && counted <= xlx__front_size());
    MUST(!f->state.answering);
}

static void take_request(struct front *f)
{
    struct xlx__front_request req;
    unsigned slot;
    uint32_t cons = f->state.req_cons;
    int rc = xlx__front_next(f->urbs, &f->state, &req, &slot);
    MUST(rc == 1 || rc == 0 || rc == -EBADMSG);
    MUST(f->state.req_cons == cons + (rc == 1));
    /* More than a ring holds is never believed. */
    MUST(rc < 0 ||
         ((struct usbif_urb_sring *)f->urbs)->req_prod - f->state.rsp_prod <=
             xlx__front_size());
    f->broken = rc < 0;
    if (rc <= 0)
        return;
    MUST(slot < xlx__front_size() && f->state.slot[slot].taken);
    MUST(f->state.slot[slot].id == req.id);
    MUST(req.nr_segs + req.nr_frame_segs <= XLX__FRONT_SEGMENTS);
    MUST(req.type <= XLX__FRONT_BULK && req.endpoint < 16);
    MUST(req.address < 128);
}

/* Only what is taken is ever answered. */
static void answer_request(struct front *f, unsigned slot)
{
    const struct xlx__front_answer answer = { .status = XLX__FRONT_OK,
                                              .actual_length = 8 };
    uint32_t prod = f->state.rsp_prod;
    if (!f->state.slot[slot % XLX__FRONT_SLOTS].taken)
        return;
    xlx__front_answer(f->urbs, &f->state, slot % XLX__FRONT_SLOTS, &answer);
    MUST(f->state.rsp_prod == prod + 1);
    MUST(!f->state.slot[slot % XLX__FRONT_SLOTS].taken);
}

static void tell(struct front *f)
{
    uint32_t port = take_number(f, 1), speed = take_number(f, 1) % 4;
    int rc = xlx__front_tell(f->events, port, speed);
    MUST(rc == 0 || rc == 1 || rc == 2 || rc == -EBADMSG);
}

/* The guest: anything anywhere, or a request as the protocol has it. */
static void write_anywhere(struct front *f, uint8_t *page)
{
    uint32_t at = take_number(f, 2) % (FRONT_PAGE - 3);
    uint32_t value = take_number(f, 4);
    memcpy(page + at, &value, sizeof(value));
}

static void post_request(struct front *f)
{
    struct usbif_urb_sring *sring = (void *)f->urbs;
    uint8_t raw[48] = { 0 };
    for (size_t i = 0; i < sizeof(raw); i++)
        raw[i] = (uint8_t)take_number(f, 1);
    uint32_t i = sring->req_prod % __CONST_RING_SIZE(usbif_urb, FRONT_PAGE);
    _Static_assert(sizeof(raw) < sizeof(sring->ring[0]), "fits an entry");
    memcpy((uint8_t *)sring->ring + i * sizeof(sring->ring[0]), raw,
           sizeof(raw));
    sring->req_prod++;
}

/* Another backend process goes on, from this state. */
static void resume(struct front *f)
{
    int rc = xlx__front_resume(f->urbs, &f->state);
    MUST(!rc || rc == -EBADMSG);
    f->broken = rc != 0;
}

static void act(struct front *f, uint8_t what)
{
    switch (what % 8) {
    case 0:
    case 1:
        take_request(f);
        break;
    case 2:
        answer_request(f, what / 8);
        break;
    case 3:
        tell(f);
        break;
    case 4:
        write_anywhere(f, what & 8 ? f->events : f->urbs);
        break;
    case 5:
    case 6:
        post_request(f);
        break;
    case 7:
        resume(f);
        break;
    }
}

/* A state file that anything may be in: resume() refuses, or mends it. */
static void try_state(const uint8_t *data, size_t size)
{
    struct front f = { .urbs = calloc(1, FRONT_PAGE) };
    MUST(f.urbs);
    memcpy(&f.state, data, size < sizeof(f.state) ? size : sizeof(f.state));
    struct usbif_urb_sring *sring = (void *)f.urbs;
    sring->rsp_prod = f.state.rsp_prod;
    sring->req_prod = f.state.req_cons;
    if (!xlx__front_resume(f.urbs, &f.state))
        check_state(&f);
    free(f.urbs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct front f = { .data = data,
                       .size = size,
                       .urbs = calloc(1, FRONT_PAGE),
                       .events = calloc(1, FRONT_PAGE) };
    MUST(f.urbs && f.events);
    while (f.size && !f.broken) {
        act(&f, (uint8_t)take_number(&f, 1));
        check_state(&f);
    }
    free(f.urbs);
    free(f.events);
    if (size)
        try_state(data, size);
    return 0;
}

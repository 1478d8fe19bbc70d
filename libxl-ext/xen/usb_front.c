/* SPDX-License-Identifier: LGPL-2.1-only */
#include "xen/usb_front.h"

#include <errno.h>
#include <string.h>

#include <xen/io/usbif.h>

#define PAGE 4096
#define URBS __CONST_RING_SIZE(usbif_urb, PAGE)
#define EVENTS __CONST_RING_SIZE(usbif_conn, PAGE)

_Static_assert(URBS <= XLX__FRONT_SLOTS, "each request has a slot");
_Static_assert(XLX__FRONT_SEGMENTS == USBIF_MAX_SEGMENTS_PER_REQUEST,
               "as the interface has it");
_Static_assert(XLX__FRONT_STALL == USBIF_STATUS_STALL &&
                   XLX__FRONT_SHUTDOWN == USBIF_STATUS_SHUTDOWN &&
                   XLX__FRONT_IOERROR == USBIF_STATUS_IOERROR &&
                   XLX__FRONT_BABBLE == USBIF_STATUS_BABBLE,
               "as the interface has them");

uint32_t xlx__front_size(void)
{
    return URBS;
}

/* The other side may write at any time: each index is read once. */
static uint32_t load_index(const RING_IDX *index)
{
    return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

/* --- the state ------------------------------------------------------------ */

/*
 * Ours is in memory that a process shares with the one after it. The compiler
 * must keep the order of the stores, as a process can be killed between any
 * two; the processor does for whoever comes after.
 */
static void then(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* What was left of an answer: it was given when the guest can see it. */
static void end_answer(const struct usbif_urb_sring *sring,
                       struct xlx__front_state *state)
{
    uint32_t slot = state->answering - 1;
    if (state->answering && slot < URBS &&
        load_index(&sring->rsp_prod) == state->rsp_prod + 1) {
        state->slot[slot].taken = 0;
        then();
        state->rsp_prod++;
    }
    then();
    state->answering = 0;
}

static uint32_t nr_taken(const struct xlx__front_state *state)
{
    uint32_t nr = 0;
    for (uint32_t i = 0; i < XLX__FRONT_SLOTS; i++)
        nr += state->slot[i].taken != 0;
    return nr;
}

/* A request whose slot was marked, and that was not counted as taken yet. */
static void end_taking(const struct usbif_urb_sring *sring,
                       struct xlx__front_state *state)
{
    uint32_t counted = state->req_cons - state->rsp_prod;
    if (nr_taken(state) == counted + 1 &&
        load_index(&sring->req_prod) != state->req_cons)
        state->req_cons++;
}

int xlx__front_resume(const void *page, struct xlx__front_state *state)
{
    const struct usbif_urb_sring *sring = page;
    for (uint32_t i = URBS; i < XLX__FRONT_SLOTS; i++)
        state->slot[i].taken = 0;
    end_answer(sring, state);
    end_taking(sring, state);
    uint32_t counted = state->req_cons - state->rsp_prod;
    if (counted > URBS || nr_taken(state) != counted ||
        load_index(&sring->rsp_prod) != state->rsp_prod ||
        load_index(&sring->req_prod) - state->rsp_prod > URBS)
        return -EBADMSG;
    return 0;
}

/* --- requests ------------------------------------------------------------- */

static void decode_pipe(uint32_t pipe, struct xlx__front_request *req)
{
    static const enum xlx__front_type types[] = {
        [USBIF_PIPE_TYPE_ISOC] = XLX__FRONT_ISO,
        [USBIF_PIPE_TYPE_INT] = XLX__FRONT_INTERRUPT,
        [USBIF_PIPE_TYPE_CTRL] = XLX__FRONT_CONTROL,
        [USBIF_PIPE_TYPE_BULK] = XLX__FRONT_BULK,
    };
    req->port = usbif_pipeportnum(pipe);
    req->unlink = usbif_pipeunlink(pipe) != 0;
    req->in = usbif_pipein(pipe) != 0;
    req->address = usbif_pipedevice(pipe);
    req->endpoint = usbif_pipeendpoint(pipe);
    req->type = types[usbif_pipetype(pipe)];
}

static void decode(const struct usbif_urb_request *raw,
                   struct xlx__front_request *req)
{
    memset(req, 0, sizeof(*req));
    req->id = raw->id;
    decode_pipe(raw->pipe, req);
    req->length = raw->buffer_length;
    req->short_not_ok = raw->transfer_flags & USBIF_SHORT_NOT_OK;
    req->nr_segs = raw->nr_buffer_segs;
    if (req->unlink) {
        req->unlink_id = raw->u.unlink.unlink_id;
    } else if (req->type == XLX__FRONT_CONTROL) {
        memcpy(req->setup, raw->u.ctrl, sizeof(req->setup));
    } else if (req->type == XLX__FRONT_ISO) {
        req->nr_packets = raw->u.isoc.number_of_packets;
        req->nr_frame_segs = raw->u.isoc.nr_frame_desc_segs;
    }
    for (unsigned i = 0; i < XLX__FRONT_SEGMENTS; i++)
        req->seg[i] =
            (struct xlx__segment){ raw->seg[i].gref, raw->seg[i].offset,
                                   raw->seg[i].length };
}

/* More than there are: a request that no segment of can be used. */
static void bound_segments(struct xlx__front_request *req)
{
    if (req->nr_segs > XLX__FRONT_SEGMENTS ||
        req->nr_frame_segs > XLX__FRONT_SEGMENTS - req->nr_segs) {
        req->nr_segs = 0;
        req->nr_frame_segs = 0;
        req->port = 0;
    }
}

static unsigned free_slot(const struct xlx__front_state *state)
{
    unsigned slot = 0;
    while (slot < URBS && state->slot[slot].taken)
        slot++;
    return slot;
}

/* Whether there is one; asks the guest to tell of the next, and looks again,
 * for it may have come in between. */
static int look_for_request(struct usbif_urb_sring *sring,
                            const struct xlx__front_state *state)
{
    uint32_t prod = load_index(&sring->req_prod);
    if (prod == state->req_cons) {
        __atomic_store_n(&sring->req_event, state->req_cons + 1,
                         __ATOMIC_SEQ_CST);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        prod = load_index(&sring->req_prod);
    }
    /* Neither more than there is room for, nor less than there was. */
    if (prod - state->rsp_prod > URBS ||
        prod - state->rsp_prod < state->req_cons - state->rsp_prod)
        return -EBADMSG;
    /* All without an answer: then the guest cannot have asked for more. */
    return prod != state->req_cons && state->req_cons - state->rsp_prod < URBS;
}

int xlx__front_next(void *page, struct xlx__front_state *state,
                    struct xlx__front_request *req_r, unsigned *slot_r)
{
    struct usbif_urb_sring *sring = page;
    struct usbif_urb_request raw;
    int rc = look_for_request(sring, state);
    if (rc <= 0)
        return rc;
    unsigned slot = free_slot(state);
    if (slot == URBS)
        return -EBADMSG;
    memcpy(&raw, (void *)&sring->ring[state->req_cons % URBS].req, sizeof(raw));
    decode(&raw, req_r);
    bound_segments(req_r);
    state->slot[slot].id = req_r->id;
    then();
    state->slot[slot].taken = 1;
    then();
    state->req_cons++;
    *slot_r = slot;
    return 1;
}

/* Sees whether the other side wants to be told that `prod` is there: it has set
 * its mark at one of those between. */
static bool is_awaited(const RING_IDX *event, uint32_t before, uint32_t prod)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return prod - load_index(event) < prod - before;
}

bool xlx__front_answer(void *page, struct xlx__front_state *state,
                       unsigned slot, const struct xlx__front_answer *answer)
{
    struct usbif_urb_sring *sring = page;
    const struct usbif_urb_response rsp = {
        .id = state->slot[slot].id,
        .start_frame = answer->start_frame,
        .status = answer->status,
        .actual_length = (int32_t)answer->actual_length,
        .error_count = (int32_t)answer->error_count,
    };
    uint32_t prod = state->rsp_prod;
    state->answering = slot + 1;
    then();
    memcpy((void *)&sring->ring[prod % URBS].rsp, &rsp, sizeof(rsp));
    __atomic_store_n(&sring->rsp_prod, prod + 1, __ATOMIC_RELEASE);
    then();
    state->slot[slot].taken = 0;
    then();
    state->rsp_prod = prod + 1;
    then();
    state->answering = 0;
    return is_awaited(&sring->rsp_event, prod, prod + 1);
}

/* --- events --------------------------------------------------------------- */

int xlx__front_tell(void *page, uint32_t port, uint32_t speed)
{
    struct usbif_conn_sring *sring = page;
    struct usbif_conn_request req;
    uint32_t at = load_index(&sring->rsp_prod),
             prod = load_index(&sring->req_prod);
    if (prod == at) {
        __atomic_store_n(&sring->req_event, at + 1, __ATOMIC_SEQ_CST);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        prod = load_index(&sring->req_prod);
    }
    if (prod - at > EVENTS)
        return -EBADMSG;
    if (prod == at)
        return 0;
    memcpy(&req, (void *)&sring->ring[at % EVENTS].req, sizeof(req));
    const struct usbif_conn_response rsp = { .id = req.id,
                                             .portnum = (uint8_t)port,
                                             .speed = (uint8_t)speed };
    memcpy((void *)&sring->ring[at % EVENTS].rsp, &rsp, sizeof(rsp));
    __atomic_store_n(&sring->rsp_prod, at + 1, __ATOMIC_RELEASE);
    return is_awaited(&sring->rsp_event, at, at + 1) ? 1 : 2;
}

/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/paging_contract.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "libxl_ext_image.h"

#define N PAGING_CONTRACT_GFNS

/* Until a request is there: as often, and for so long each time. */
#define TRIES 200
#define TRY_MS 100

/* Who is to go on, and has not after so long, never will. */
#define JOIN_S 30

#define STR(text) #text
#define PLACE(line) "line " STR(line) ": "
#define CHECK(expression)                       \
    do {                                        \
        if (!(expression))                      \
            return PLACE(__LINE__) #expression; \
    } while (0)

/* For a case within a case. */
#define PASS(call)                   \
    do {                             \
        const char *wrong_ = (call); \
        if (wrong_)                  \
            return wrong_;           \
    } while (0)

/* --- steps ---------------------------------------------------------------- */

static void fill(char *page, uint64_t gfn, unsigned kind)
{
    for (size_t i = 0; i < XLX_PAGE_SIZE; i++)
        page[i] = (char)(gfn * 7 + kind * 101 + i % 251);
}

static bool is_zero(struct paging_subject *s, uint64_t gfn)
{
    static const char zeros[XLX_PAGE_SIZE];
    char page[XLX_PAGE_SIZE];
    s->ops->read(s, gfn, page);
    return !memcmp(page, zeros, sizeof(page));
}

static bool holds(struct paging_subject *s, uint64_t gfn, unsigned kind)
{
    char want[XLX_PAGE_SIZE], page[XLX_PAGE_SIZE];
    fill(want, gfn, kind);
    s->ops->read(s, gfn, page);
    return !memcmp(page, want, sizeof(page));
}

static int load(struct paging_subject *s, uint64_t gfn, uint32_t nr,
                unsigned kind)
{
    const struct xlx__paging_ops *ops = s->paging->ops;
    char *buffer = ops->buffer_alloc(s->paging, nr);
    if (!buffer)
        return -ENOMEM;
    for (uint32_t i = 0; i < nr; i++)
        fill(buffer + (size_t)i * XLX_PAGE_SIZE, gfn + i, kind);
    int rc = ops->load_run(s->paging, gfn, nr, buffer);
    ops->buffer_free(s->paging, buffer, nr);
    return rc;
}

/* UINT64_MAX when it cannot be told. */
static uint64_t paged(struct paging_subject *s)
{
    struct xlx__paging_info info;
    return s->paging->ops->info(s->paging, &info) ? UINT64_MAX
                                                  : info.paged_pages;
}

static bool is_paused(struct paging_subject *s)
{
    struct xlx__paging_info info;
    return !s->paging->ops->info(s->paging, &info) && info.paused;
}

static const char *begin(struct paging_subject *s)
{
    const struct xlx__paging_ops *ops = s->paging->ops;
    CHECK(ops->enable(s->paging, s->ring_gfn) == 0);
    CHECK(paged(s) == 0);
    CHECK(ops->mark_run(s->paging, s->first, N) == 0);
    CHECK(paged(s) == N);
    return NULL;
}

/* With whatever is still out. */
static const char *end(struct paging_subject *s)
{
    const struct xlx__paging_ops *ops = s->paging->ops;
    struct xlx__paging_request req;
    CHECK(load(s, s->first, N, 9) == 0);
    CHECK(paged(s) == 0);
    CHECK(ops->pause(s->paging) == 0);
    CHECK(ops->next(s->paging, &req) == 0);
    CHECK(ops->disable(s->paging) == 0);
    CHECK(ops->unpause(s->paging) == 0);
    return NULL;
}

/* The next request, which somebody is about to make. */
static bool await_request(struct paging_subject *s,
                          struct xlx__paging_request *req)
{
    const struct xlx__paging_ops *ops = s->paging->ops;
    for (int i = 0; i < TRIES; i++) {
        if (ops->next(s->paging, req))
            return true;
        if (ops->wait(s->paging, TRY_MS) < 0)
            return false;
    }
    return false;
}

static bool read_by_toucher(struct paging_subject *s, uint64_t gfn,
                            unsigned kind)
{
    char want[XLX_PAGE_SIZE], page[XLX_PAGE_SIZE];
    fill(want, gfn, kind);
    return s->ops->join(s, page) && !memcmp(page, want, sizeof(page));
}

bool paging_contract_join(pthread_t thread)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += JOIN_S;
    return !pthread_timedjoin_np(thread, NULL, &until);
}

/* --- cases ---------------------------------------------------------------- */

static const char *nobody_asks(struct paging_subject *s)
{
    struct xlx__paging_request req;
    PASS(begin(s));
    CHECK(s->paging->ops->next(s->paging, &req) == 0);
    return end(s);
}

static const char *a_load_gives_content(struct paging_subject *s)
{
    PASS(begin(s));
    CHECK(load(s, s->first + 2, 3, 1) == 0);
    CHECK(paged(s) == N - 3);
    for (uint64_t gfn = s->first + 2; gfn < s->first + 5; gfn++)
        CHECK(holds(s, gfn, 1));
    return end(s);
}

static const char *a_load_without_a_buffer_gives_zeros(struct paging_subject *s)
{
    PASS(begin(s));
    CHECK(load(s, s->first + 3, 1, 1) == 0);
    CHECK(s->paging->ops->load_run(s->paging, s->first + 2, 3, NULL) == 0);
    CHECK(paged(s) == N - 3);
    CHECK(is_zero(s, s->first + 2) && is_zero(s, s->first + 4));
    CHECK(holds(s, s->first + 3, 1));
    return end(s);
}

/* A page that is there is passed over, those around it are loaded. */
static const char *what_the_guest_wrote_stays(struct paging_subject *s)
{
    char own[XLX_PAGE_SIZE];
    PASS(begin(s));
    CHECK(load(s, s->first + 1, 1, 1) == 0);
    fill(own, s->first + 1, 2);
    s->ops->write(s, s->first + 1, own);
    CHECK(load(s, s->first, 3, 3) == 0);
    CHECK(paged(s) == N - 3);
    CHECK(holds(s, s->first, 3));
    CHECK(holds(s, s->first + 1, 2));
    CHECK(holds(s, s->first + 2, 3));
    return end(s);
}

static const char *what_is_not_marked_is_left_alone(struct paging_subject *s)
{
    const struct xlx__paging_ops *ops = s->paging->ops;
    if (s->no_holes)
        return NULL;
    CHECK(ops->enable(s->paging, s->ring_gfn) == 0);
    CHECK(ops->mark_run(s->paging, s->first, 2) == 0);
    CHECK(load(s, s->first, 4, 1) == 0);
    CHECK(paged(s) == 0);
    CHECK(ops->mark_run(s->paging, s->first + 2, N - 2) == 0);
    CHECK(paged(s) == N - 2);
    return end(s);
}

static const char *who_touches_a_page_gets_it(struct paging_subject *s)
{
    const struct xlx__paging_ops *ops = s->paging->ops;
    struct xlx__paging_request req;
    PASS(begin(s));
    s->ops->touch(s, s->first + 3);
    CHECK(await_request(s, &req));
    CHECK(req.gfn == s->first + 3);
    CHECK(!req.drop);
    CHECK(ops->next(s->paging, &req) == 0);
    CHECK(load(s, s->first + 3, 1, 1) == 0);
    req.gfn = s->first + 3;
    ops->respond(s->paging, &req);
    CHECK(s->wakes_at_load || s->ops->waits(s));
    CHECK(ops->notify(s->paging) == 0);
    CHECK(read_by_toucher(s, s->first + 3, 1));
    CHECK(paged(s) == N - 1);
    return end(s);
}

/* More often than there are slots in any ring. */
static const char *slots_come_back(struct paging_subject *s)
{
    const struct xlx__paging_ops *ops = s->paging->ops;
    struct xlx__paging_request req;
    for (unsigned round = 0; round < 2; round++) {
        PASS(begin(s));
        for (uint64_t gfn = s->first; gfn < s->first + N; gfn++) {
            s->ops->touch(s, gfn);
            CHECK(await_request(s, &req));
            CHECK(req.gfn == gfn);
            CHECK(load(s, gfn, 1, 1) == 0);
            ops->respond(s->paging, &req);
            CHECK(ops->notify(s->paging) == 0);
            CHECK(read_by_toucher(s, gfn, 1));
        }
        PASS(end(s));
        s->first += N;
    }
    return NULL;
}

static const char *pauses_are_counted(struct paging_subject *s)
{
    const struct xlx__paging_ops *ops = s->paging->ops;
    bool before = is_paused(s);
    if (s->no_pauses)
        return NULL;
    CHECK(ops->pause(s->paging) == 0);
    CHECK(ops->pause(s->paging) == 0);
    CHECK(ops->unpause(s->paging) == 0);
    CHECK(is_paused(s));
    CHECK(ops->unpause(s->paging) == 0);
    CHECK(is_paused(s) == before);
    return NULL;
}

static const char *a_claim_is_made_and_ended(struct paging_subject *s)
{
    const struct xlx__paging_ops *ops = s->paging->ops;
    struct xlx__paging_info info;
    CHECK(ops->info(s->paging, &info) == 0);
    PASS(begin(s));
    CHECK(ops->claim(s->paging, info.tot_pages + N) == 0);
    CHECK(load(s, s->first, N, 1) == 0);
    CHECK(ops->claim(s->paging, 0) == 0);
    return end(s);
}

static const char *take_over(struct paging_subject *s)
{
    const struct xlx__paging_ops *ops;
    s->ops->die(s);
    ops = s->paging->ops;
    CHECK(ops->pause(s->paging) == 0);
    CHECK(ops->take_over(s->paging, s->ring_gfn) == 0);
    CHECK(ops->unpause(s->paging) == 0);
    return NULL;
}

static const char *
a_request_without_an_answer_comes_again(struct paging_subject *s)
{
    struct xlx__paging_request req;
    if (!s->ops->die)
        return NULL;
    PASS(begin(s));
    s->ops->touch(s, s->first + 3);
    CHECK(await_request(s, &req));
    PASS(take_over(s));
    CHECK(paged(s) == N);
    CHECK(await_request(s, &req));
    CHECK(req.gfn == s->first + 3);
    CHECK(load(s, s->first + 3, 1, 1) == 0);
    s->paging->ops->respond(s->paging, &req);
    CHECK(s->paging->ops->notify(s->paging) == 0);
    CHECK(read_by_toucher(s, s->first + 3, 1));
    return end(s);
}

static const char *an_answer_that_was_not_passed_on_is(struct paging_subject *s)
{
    struct xlx__paging_request req;
    if (!s->ops->die)
        return NULL;
    PASS(begin(s));
    s->ops->touch(s, s->first + 3);
    CHECK(await_request(s, &req));
    CHECK(load(s, s->first + 3, 1, 1) == 0);
    s->paging->ops->respond(s->paging, &req);
    PASS(take_over(s));
    CHECK(read_by_toucher(s, s->first + 3, 1));
    CHECK(s->paging->ops->next(s->paging, &req) == 0);
    return end(s);
}

const struct paging_case paging_cases[] = {
    { "nobody asks", nobody_asks },
    { "a load gives content", a_load_gives_content },
    { "a load without a buffer gives zeros",
      a_load_without_a_buffer_gives_zeros },
    { "what the guest wrote stays", what_the_guest_wrote_stays },
    { "what is not marked is left alone", what_is_not_marked_is_left_alone },
    { "who touches a page gets it", who_touches_a_page_gets_it },
    { "slots come back", slots_come_back },
    { "pauses are counted", pauses_are_counted },
    { "a claim is made and ended", a_claim_is_made_and_ended },
    { "a request without an answer comes again",
      a_request_without_an_answer_comes_again },
    { "an answer that was not passed on is",
      an_answer_that_was_not_passed_on_is },
    { 0 },
};

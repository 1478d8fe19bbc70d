/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/paging_fake.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libxl_ext_image.h"

static struct paging_fake *of(struct xlx__paging *p)
{
    return (struct paging_fake *)p;
}

/* Whoever is killed with the lock held has changed nothing half. */
void paging_fake_lock(struct paging_fake *f)
{
    if (pthread_mutex_lock(&f->lock) == EOWNERDEAD)
        pthread_mutex_consistent(&f->lock);
}

void paging_fake_unlock(struct paging_fake *f)
{
    pthread_mutex_unlock(&f->lock);
}

/* With the lock held; a condition variable would not survive a waiter's end. */
static void wait_a_bit(struct paging_fake *f)
{
    paging_fake_unlock(f);
    usleep(100);
    paging_fake_lock(f);
}

/* With the lock held. */
static void maybe_die(struct paging_fake *f, bool after)
{
    if (!after)
        f->all_calls++;
    if (f->die_at && f->all_calls == f->die_at && f->die_after == after)
        _exit(FAKE_DEATH);
}

/* With the lock held. */
static int injected(struct paging_fake *f, bool is_load)
{
    if (f->fail_loads_only && !is_load)
        return 0;
    f->calls++;
    return f->fail_at && f->calls >= f->fail_at &&
                   f->calls < f->fail_at + f->fail_times
               ? -f->fail_err
               : 0;
}

static void become(struct paging_fake *f, uint64_t gfn, enum fake_type type)
{
    bool was_out = f->type[gfn] == FAKE_PAGED || f->type[gfn] == FAKE_PAGING_IN;
    bool is_out = type == FAKE_PAGED || type == FAKE_PAGING_IN;
    f->paged_pages += (uint64_t)is_out - (uint64_t)was_out;
    if (f->paged_pages > f->max_paged)
        f->max_paged = f->paged_pages;
    f->type[gfn] = type;
}

static int fake_enable(struct xlx__paging *p, uint64_t ring_gfn)
{
    struct paging_fake *f = of(p);
    paging_fake_lock(f);
    maybe_die(f, false);
    assert(!f->enabled);
    int rc = injected(f, false);
    if (!rc) {
        f->enabled = true;
        f->ring_gfn = ring_gfn;
    }
    maybe_die(f, true);
    paging_fake_unlock(f);
    return rc;
}

/* With the lock held: what Xen does when it is notified. */
static void take_answers(struct paging_fake *f)
{
    for (; f->rsp_cons != f->rsp_prod; f->rsp_cons++) {
        const struct xlx__paging_request *req =
            &f->ring[f->rsp_cons % FAKE_RING_SLOTS];
        if (!req->paused)
            continue;
        assert(f->waiting[req->vcpu]);
        f->waiting[req->vcpu] = false;
    }
}

/* As fake_enable() where there is none; requests without an answer come again,
 * and answers that nobody was notified of are passed on. */
static int fake_take_over(struct xlx__paging *p, uint64_t ring_gfn)
{
    struct paging_fake *f = of(p);
    paging_fake_lock(f);
    maybe_die(f, false);
    assert(f->paused > 0);
    int rc = injected(f, false);
    if (!rc) {
        assert(!f->enabled || f->ring_gfn == ring_gfn);
        f->enabled = true;
        f->ring_gfn = ring_gfn;
        f->req_cons = f->rsp_prod;
        take_answers(f);
    }
    maybe_die(f, true);
    paging_fake_unlock(f);
    return rc;
}

static int fake_claim(struct xlx__paging *p, uint64_t pages)
{
    struct paging_fake *f = of(p);
    paging_fake_lock(f);
    maybe_die(f, false);
    int rc = pages ? injected(f, false) : 0;
    if (!rc)
        f->claimed = pages;
    maybe_die(f, true);
    paging_fake_unlock(f);
    return rc;
}

static int fake_mark_run(struct xlx__paging *p, uint64_t gfn, uint64_t nr)
{
    struct paging_fake *f = of(p);
    paging_fake_lock(f);
    maybe_die(f, false);
    assert(f->enabled && nr > 0 && gfn + nr <= f->nr_gfns);
    int rc = injected(f, false);
    for (uint64_t i = gfn; !rc && i < gfn + nr; i++) {
        assert(f->type[i] == FAKE_HOLE);
        become(f, i, FAKE_PAGED);
    }
    maybe_die(f, true);
    paging_fake_unlock(f);
    return rc;
}

static void *fake_buffer_alloc(struct xlx__paging *p, size_t pages)
{
    (void)p;
    return calloc(pages, XLX_PAGE_SIZE);
}

static void fake_buffer_free(struct xlx__paging *p, void *buffer, size_t pages)
{
    (void)p;
    (void)pages;
    free(buffer);
}

static void give_page(struct paging_fake *f, uint64_t gfn, const void *from)
{
    void *to = f->memory + gfn * XLX_PAGE_SIZE;
    if (from) {
        memcpy(to, from, XLX_PAGE_SIZE);
    } else {
        memset(to, 0, XLX_PAGE_SIZE);
        f->zero_loads++;
    }
}

static int fake_load_run(struct xlx__paging *p, uint64_t gfn, uint32_t nr,
                         const void *buffer)
{
    struct paging_fake *f = of(p);
    paging_fake_lock(f);
    maybe_die(f, false);
    assert(f->enabled && nr > 0 && nr <= XLX__PAGING_RUN_MAX);
    assert(gfn + nr <= f->nr_gfns);
    while (f->hang_loads)
        wait_a_bit(f);
    int rc = f->dying ? -ESRCH : injected(f, true);
    if (!rc && !buffer && f->needs_buffer)
        rc = -ENOSYS;
    for (uint32_t i = 0; !rc && i < nr; i++) {
        f->loads[gfn + i]++;
        if (f->type[gfn + i] != FAKE_PAGED &&
            f->type[gfn + i] != FAKE_PAGING_IN)
            continue;
        give_page(f, gfn + i,
                  buffer ? (const char *)buffer + (size_t)i * XLX_PAGE_SIZE
                         : NULL);
        become(f, gfn + i, FAKE_RAM);
    }
    maybe_die(f, true);
    paging_fake_unlock(f);
    return rc;
}

static int fake_wait(struct xlx__paging *p, int timeout_ms)
{
    struct paging_fake *f = of(p);
    paging_fake_lock(f);
    maybe_die(f, false);
    assert(f->rsp_cons == f->rsp_prod); /* nobody sleeps meanwhile */
    for (int i = 0;
         i < timeout_ms * 10 && !f->refused && f->req_prod == f->req_cons; i++)
        wait_a_bit(f);
    bool ready = f->req_prod != f->req_cons;
    if (f->refused && !f->paused && !f->stuck)
        f->sleepers = 0;
    if (f->refused && f->paused_waits > 0 && --f->paused_waits == 0)
        f->paused--;
    paging_fake_unlock(f);
    return ready;
}

static int fake_next(struct xlx__paging *p, struct xlx__paging_request *req_r)
{
    struct paging_fake *f = of(p);
    paging_fake_lock(f);
    maybe_die(f, false);
    int some = f->req_prod != f->req_cons;
    if (some)
        *req_r = f->ring[f->req_cons++ % FAKE_RING_SLOTS];
    maybe_die(f, true);
    paging_fake_unlock(f);
    return some;
}

static void fake_respond(struct xlx__paging *p,
                         const struct xlx__paging_request *req)
{
    struct paging_fake *f = of(p);
    paging_fake_lock(f);
    maybe_die(f, false);
    assert(f->rsp_prod < f->req_cons); /* one answer a request, in order */
    assert(f->ring[f->rsp_prod % FAKE_RING_SLOTS].gfn == req->gfn);
    f->rsp_prod++;
    maybe_die(f, true);
    paging_fake_unlock(f);
}

static int fake_notify(struct xlx__paging *p)
{
    struct paging_fake *f = of(p);
    paging_fake_lock(f);
    maybe_die(f, false);
    take_answers(f);
    maybe_die(f, true);
    paging_fake_unlock(f);
    return 0;
}

/* With the lock held. */
static void post_late(struct paging_fake *f)
{
    assert(f->req_prod - f->rsp_cons < FAKE_RING_SLOTS);
    f->waiting[0] = true;
    f->ring[f->req_prod++ % FAKE_RING_SLOTS] =
        (struct xlx__paging_request){ .gfn = f->late_gfn, .paused = true };
    f->late_gfn = 0;
}

static int add_pause(struct paging_fake *f, int n)
{
    paging_fake_lock(f);
    maybe_die(f, false);
    f->paused += n;
    f->pauses += n > 0;
    assert(f->paused >= 0);
    if (n > 0 && f->late_gfn && !f->paged_pages)
        post_late(f);
    maybe_die(f, true);
    paging_fake_unlock(f);
    return 0;
}

static int fake_pause(struct xlx__paging *p)
{
    return add_pause(of(p), 1);
}

static int fake_unpause(struct xlx__paging *p)
{
    return add_pause(of(p), -1);
}

static int fake_disable(struct xlx__paging *p)
{
    struct paging_fake *f = of(p);
    paging_fake_lock(f);
    maybe_die(f, false);
    assert(f->req_prod == f->rsp_cons); /* nobody is left waiting */
    assert(f->paused > 0 || f->req_prod == 0);
    f->refused = f->sleepers > 0;
    f->enabled = f->refused;
    maybe_die(f, true);
    paging_fake_unlock(f);
    return f->refused ? -EBUSY : 0;
}

static int fake_info(struct xlx__paging *p, struct xlx__paging_info *info_r)
{
    struct paging_fake *f = of(p);
    paging_fake_lock(f);
    *info_r = (struct xlx__paging_info){ .dying = f->dying,
                                         .paused = f->paused > 0,
                                         .paged_pages = f->paged_pages };
    paging_fake_unlock(f);
    return 0;
}

static int fake_count_2m(struct xlx__paging *p, uint64_t gfn, uint64_t nr,
                         uint64_t *count_r)
{
    (void)p;
    (void)gfn;
    *count_r = nr / 2;
    return 0;
}

static void fake_close(struct xlx__paging *p)
{
    of(p)->closed++;
}

static const struct xlx__paging_ops fake_ops = {
    .enable = fake_enable,
    .take_over = fake_take_over,
    .claim = fake_claim,
    .mark_run = fake_mark_run,
    .buffer_alloc = fake_buffer_alloc,
    .buffer_free = fake_buffer_free,
    .load_run = fake_load_run,
    .wait = fake_wait,
    .next = fake_next,
    .respond = fake_respond,
    .notify = fake_notify,
    .pause = fake_pause,
    .unpause = fake_unpause,
    .disable = fake_disable,
    .info = fake_info,
    .count_2m = fake_count_2m,
    .close = fake_close,
};

static void *shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(memory != MAP_FAILED);
    return memory;
}

struct paging_fake *paging_fake_new(xlx_ctx *ctx, uint64_t nr_gfns)
{
    struct paging_fake *f = shared(sizeof(*f));
    f->base = (struct xlx__paging){ .ops = &fake_ops, .ctx = ctx, .domid = 7 };
    f->nr_gfns = nr_gfns;
    f->type = shared(nr_gfns * sizeof(*f->type));
    f->memory = shared(nr_gfns * XLX_PAGE_SIZE);
    f->loads = shared(nr_gfns * sizeof(*f->loads));
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&f->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    f->fail_times = 1;
    return f;
}

void paging_fake_free(struct paging_fake *f)
{
    pthread_mutex_destroy(&f->lock);
    munmap(f->loads, f->nr_gfns * sizeof(*f->loads));
    munmap(f->memory, f->nr_gfns * XLX_PAGE_SIZE);
    munmap(f->type, f->nr_gfns * sizeof(*f->type));
    munmap(f, sizeof(*f));
}

static bool is_full(const struct paging_fake *f)
{
    return f->req_prod - f->rsp_cons == FAKE_RING_SLOTS;
}

/* With the lock held; a vCPU does not go on before there is a slot. */
static void post(struct paging_fake *f, struct xlx__paging_request req)
{
    while (is_full(f) && !f->dying)
        wait_a_bit(f);
    f->ring[f->req_prod++ % FAKE_RING_SLOTS] = req;
}

bool paging_fake_touch(struct paging_fake *f, unsigned vcpu, uint64_t gfn)
{
    paging_fake_lock(f);
    while (f->type[gfn] != FAKE_RAM && !f->dying) {
        assert(f->enabled && f->type[gfn] != FAKE_HOLE);
        become(f, gfn, FAKE_PAGING_IN);
        f->waiting[vcpu] = true;
        post(f, (struct xlx__paging_request){
                    .gfn = gfn, .vcpu = vcpu, .paused = true });
        while (f->waiting[vcpu] && !f->dying)
            wait_a_bit(f);
    }
    bool ok = !f->dying;
    paging_fake_unlock(f);
    return ok;
}

void paging_fake_drop(struct paging_fake *f, uint64_t gfn)
{
    paging_fake_lock(f);
    become(f, gfn, FAKE_HOLE);
    if (!is_full(f))
        post(f, (struct xlx__paging_request){ .gfn = gfn, .drop = true });
    paging_fake_unlock(f);
}

void paging_fake_kill(struct paging_fake *f)
{
    paging_fake_lock(f);
    f->dying = true;
    paging_fake_unlock(f);
}

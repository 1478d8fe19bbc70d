/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The contract of the memory of a domain that is being made, over one in
 * memory, and over physmap_xen.c with that one behind Xen's libraries, whose
 * functions are here. Over Xen itself: tests/rig/cases/lazy-restore-paused.sh
 * and what else restores a guest.
 */
#include "test.h"

#include <sys/mman.h>
#include <unistd.h>

#define __XEN_TOOLS__ 1
#include <xenforeignmemory.h>
#include <xen/memory.h>
#include <xen/version.h>

#include "fakes/physmap_fake.h"
#include "fakes/played_xencall.h"
#include "xen/physmap_abi.h"

#define DOMID 7u /* the fake's */
#define GFNS (4 * XLX__PHYSMAP_PAGES_2M)
#define PAGE 4096u

struct subject {
    struct physmap_fake *fake;
    struct xlx__physmap *p;
    xlx_ctx *ctx;
};

/* --- Xen's libraries ------------------------------------------------------ */

static struct {
    struct xlx__physmap *domain;
    int mapped;
    bool mute; /* says nothing of its features */
} xen;

static int play_features(struct xen_feature_info *info)
{
    assert_int_equal(info->submap_idx, 0);
    info->submap = 0x7fffffff; /* all others */
    if (xen.domain->can_load)
        info->submap |= XLX__XENFEAT_LOAD_PHYSMAP;
    return xen_answer(xen.mute ? -EINVAL : 0);
}

/* What was done is written back, as far as it went. */
static int play_load(struct xlx__xen_load_physmap *op)
{
    uint32_t done;
    bool zeros = op->flags == XLX__XENMEM_LOAD_ZEROS;
    assert_int_equal(op->domid, DOMID);
    assert_true(zeros || op->flags == 0);
    assert_true(zeros == !op->buffer);
    int rc = xen.domain->ops->load(xen.domain, op->gfn, op->nr,
                                   (void *)(uintptr_t)op->buffer, &done);
    op->gfn += done;
    op->nr -= done;
    if (!zeros)
        op->buffer += (uint64_t)done * PAGE;
    return xen_answer(rc);
}

/* How many extents got memory; fewer where there is no more. */
static int play_populate(struct xen_memory_reservation *r)
{
    size_t done;
    assert_int_equal(r->domid, DOMID);
    assert_int_equal(r->mem_flags, 0);
    int rc = xen.domain->ops->populate(xen.domain, r->extent_start.p,
                                       r->nr_extents, r->extent_order, &done);
    return rc && rc != -ENOMEM ? xen_answer(rc) : (int)done;
}

int xencall2(xencall_handle *xcall, unsigned op, uint64_t cmd, uint64_t arg)
{
    void *at = (void *)(uintptr_t)arg;
    (void)xcall;
    if (op == __HYPERVISOR_xen_version) {
        assert_int_equal(cmd, XENVER_get_features);
        return play_features(at);
    }
    assert_int_equal(op, __HYPERVISOR_memory_op);
    if (cmd == XLX__XENMEM_LOAD_PHYSMAP)
        return play_load(at);
    assert_int_equal(cmd, XENMEM_populate_physmap);
    return play_populate(at);
}

xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *logger,
                                               unsigned flags)
{
    (void)logger, (void)flags;
    xen_held.open++;
    return (xenforeignmemory_handle *)&xen;
}

int xenforeignmemory_close(xenforeignmemory_handle *fmem)
{
    (void)fmem;
    xen_held.open--;
    return 0;
}

/* A gfn that cannot be mapped leaves a hole, and has its own error. */
void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t domid,
                           int prot, size_t pages, const xen_pfn_t gfn[],
                           int error[])
{
    void *at = NULL;
    size_t bad;
    (void)fmem;
    assert_int_equal(domid, DOMID);
    assert_int_equal(prot, PROT_READ | PROT_WRITE);
    int rc = xen.domain->ops->map(xen.domain, gfn, pages, &at, &bad);
    if (rc == -EIO) { /* the call as a whole */
        errno = EIO;
        return NULL;
    }
    if (rc) {
        error[bad] = rc;
        at = mmap(NULL, pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
                  -1, 0);
    }
    xen.mapped++;
    return at;
}

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *at,
                           size_t pages)
{
    (void)fmem;
    xen.mapped--;
    return munmap(at, pages * PAGE);
}

/* --- the cases ------------------------------------------------------------ */

static void gfns_get_memory(struct subject *s)
{
    const uint64_t pages[] = { 3, 5, 4 }, big[] = { 1024, 512 };
    size_t done = 99;
    assert_int_equal(s->p->ops->populate(s->p, pages, 3, 0, &done), 0);
    assert_int_equal(done, 3);
    assert_int_equal(
        s->p->ops->populate(s->p, big, 2, XLX__PHYSMAP_ORDER_2M, &done), 0);
    assert_int_equal(done, 2);
    assert_int_equal(physmap_fake_count(s->fake, 0), 3);
    assert_int_equal(physmap_fake_count(s->fake, XLX__PHYSMAP_ORDER_2M), 1024);
}

static void where_there_is_no_more_is_told(struct subject *s)
{
    const uint64_t gfn[] = { 0, 1, 2 };
    size_t done = 99;
    s->fake->limit = 2;
    assert_int_equal(s->p->ops->populate(s->p, gfn, 3, 0, &done), -ENOMEM);
    assert_int_equal(done, 2);
    done = 99;
    s->fake->limit = 0;
    s->fake->no_2m_end = GFNS;
    assert_int_equal(s->p->ops->populate(s->p, &(uint64_t){ 512 }, 1,
                                         XLX__PHYSMAP_ORDER_2M, &done),
                     -ENOMEM);
    assert_int_equal(done, 0);
}

static void a_call_that_fails_gives_none(struct subject *s)
{
    const uint64_t gfn[] = { 0, 1 };
    size_t done = 99;
    s->fake->populates = (struct nth){ .fail_at = 1 };
    s->fake->fail_err = -ESRCH;
    assert_int_equal(s->p->ops->populate(s->p, gfn, 2, 0, &done), -ESRCH);
    assert_int_equal(done, 0);
    assert_int_equal(s->fake->pages, 0);
}

static void populate(struct subject *s)
{
    const uint64_t gfn[] = { 8, 9, 20 };
    size_t done;
    assert_int_equal(s->p->ops->populate(s->p, gfn, 3, 0, &done), 0);
}

static void pages_are_mapped_in_order(struct subject *s)
{
    const uint64_t gfn[] = { 20, 8, 9 };
    unsigned char page[PAGE], *at = NULL;
    size_t bad = 99;
    populate(s);
    assert_int_equal(s->p->ops->map(s->p, gfn, 3, (void **)&at, &bad), 0);
    for (unsigned char i = 0; i < 3; i++) {
        assert_int_equal(at[i * PAGE + 7], PHYSMAP_FAKE_GARBAGE);
        memset(at + i * PAGE, i + 1, PAGE);
        physmap_fake_read(s->fake, gfn[i], page);
        assert_memory_equal(page, at + i * PAGE, PAGE);
    }
    munmap(at, 3 * PAGE);
}

static void the_first_that_cannot_be_mapped_is_named(struct subject *s)
{
    const uint64_t gfn[] = { 8, 20, 9 };
    void *at = s;
    size_t bad = 99;
    populate(s);
    s->fake->has_bad_gfn = true;
    s->fake->fail_err = -EINVAL;
    for (size_t i = 0; i < 3; i++) {
        s->fake->bad_gfn = gfn[i];
        assert_int_equal(s->p->ops->map(s->p, gfn, 3, &at, &bad), -EINVAL);
        assert_int_equal(bad, i);
    }
    assert_ptr_equal(at, s);
    assert_int_equal(xen.mapped, 0);
}

static void a_map_that_fails_is_the_firsts(struct subject *s)
{
    const uint64_t gfn[] = { 8, 20, 9 };
    void *at = s;
    size_t bad = 99;
    populate(s);
    s->fake->maps = (struct nth){ .fail_at = 1 };
    assert_int_equal(s->p->ops->map(s->p, gfn, 3, &at, &bad), -EIO);
    assert_int_equal(bad, 0);
    assert_ptr_equal(at, s);
}

/* --- load() --------------------------------------------------------------- */

static void expect_content(struct subject *s, uint64_t gfn, int byte)
{
    unsigned char page[PAGE];
    physmap_fake_read(s->fake, gfn, page);
    assert_int_equal(page[0], byte);
    assert_memory_equal(page, page + 1, PAGE - 1);
}

static void *filled_buffer(struct subject *s, size_t pages)
{
    unsigned char *buffer = s->p->ops->buffer_alloc(s->p, pages);
    assert_non_null(buffer);
    s->fake->buffers += s->p != &s->fake->base;
    for (size_t i = 0; i < pages; i++)
        memset(buffer + i * PAGE, (int)i % 251 + 1, PAGE);
    return buffer;
}

static void free_buffer(struct subject *s, void *buffer, size_t pages)
{
    s->p->ops->buffer_free(s->p, buffer, pages);
    s->fake->buffers -= s->p != &s->fake->base;
    assert_int_equal(s->fake->buffers, 0);
}

static void gfns_get_content(struct subject *s)
{
    const uint32_t nr = XLX__PHYSMAP_PAGES_2M + 2;
    void *buffer = filled_buffer(s, nr);
    uint32_t done = 99;
    assert_int_equal(s->p->ops->load(s->p, 1024, nr, buffer, &done), 0);
    assert_int_equal(done, nr);
    for (uint32_t i = 0; i < nr; i++)
        expect_content(s, 1024 + i, (int)i % 251 + 1);
    assert_int_equal(physmap_fake_count(s->fake, XLX__PHYSMAP_ORDER_2M), 512);
    assert_int_equal(physmap_fake_count(s->fake, 0), 2);
    assert_int_equal(s->p->ops->load(s->p, 3, 2, NULL, &done), 0);
    assert_int_equal(done, 2);
    expect_content(s, 3, 0);
    expect_content(s, 4, 0);
    free_buffer(s, buffer, nr);
}

static void what_was_loaded_is_told(struct subject *s)
{
    void *buffer = filled_buffer(s, 5);
    uint32_t done = 99;
    populate(s);
    assert_int_equal(s->p->ops->load(s->p, 6, 5, buffer, &done), -EEXIST);
    assert_int_equal(done, 2);
    expect_content(s, 7, 2);
    s->fake->limit = s->fake->pages + 1;
    assert_int_equal(s->p->ops->load(s->p, 30, 5, NULL, &done), -ENOMEM);
    assert_int_equal(done, 1);
    s->fake->loads = (struct nth){ .fail_at = 1 };
    s->fake->fail_err = -ESRCH;
    assert_int_equal(s->p->ops->load(s->p, 40, 5, buffer, &done), -ESRCH);
    assert_int_equal(done, 0);
    free_buffer(s, buffer, 5);
}

/* --- the subjects --------------------------------------------------------- */

static struct subject begin(bool real)
{
    struct subject s = { .fake = physmap_fake_new(GFNS) };
    s.fake->base.can_load = true;
    memset(&xen, 0, sizeof(xen));
    xen.domain = s.p = &s.fake->base;
    assert_int_equal(xlx_ctx_new(&s.ctx), 0);
    if (real)
        assert_int_equal(xlx__physmap_open(s.ctx, DOMID, &s.p), 0);
    return s;
}

static void end(struct subject *s)
{
    s->p->ops->close(s->p);
    assert_int_equal(xen_held.open, 0);
    assert_int_equal(xen_held.buffers, 0);
    physmap_fake_free(s->fake);
    xlx_ctx_free(s->ctx);
}

static void run_cases(bool real)
{
    static void (*const cases[])(struct subject *) = {
        gfns_get_memory,
        where_there_is_no_more_is_told,
        a_call_that_fails_gives_none,
        pages_are_mapped_in_order,
        the_first_that_cannot_be_mapped_is_named,
        a_map_that_fails_is_the_firsts,
        gfns_get_content,
        what_was_loaded_is_told,
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

static void physmap_xen_keeps_it(void **state)
{
    (void)state;
    run_cases(true);
}

/* Only a Xen that announces it has it. */
static void load_is_announced(void **state)
{
    (void)state;
    struct subject s = begin(true);
    assert_true(s.p->can_load);
    end(&s);
    for (int mute = 0; mute < 2; mute++) {
        struct physmap_fake *fake = physmap_fake_new(GFNS);
        xlx_ctx *ctx;
        xen.domain = &fake->base;
        fake->base.can_load = xen.mute = mute;
        assert_int_equal(xlx_ctx_new(&ctx), 0);
        assert_int_equal(xlx__physmap_open(ctx, DOMID, &s.p), 0);
        assert_false(s.p->can_load);
        s.p->ops->close(s.p);
        physmap_fake_free(fake);
        xlx_ctx_free(ctx);
    }
    assert_int_equal(xen_held.buffers, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fake_keeps_it),
        cmocka_unit_test(physmap_xen_keeps_it),
        cmocka_unit_test(load_is_announced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

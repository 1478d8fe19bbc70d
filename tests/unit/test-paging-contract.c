/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The contract of the paging seam over the fake and over userfaultfd. Over real
 * Xen: tests/rig/cases/paging-contract.sh.
 */
#include "test.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fakes/paging_contract.h"
#include "fakes/paging_fake.h"
#include "fakes/paging_uffd.h"
#include "libxl_ext_image.h"

#define GFNS 64u
#define FIRST 16u

struct subject {
    struct paging_subject base;
    xlx_ctx *ctx;
    struct paging_fake *fake;
    char *memory; /* of the guest */
    uint64_t gfn; /* that is touched */
    pthread_t thread;
};

static struct subject *of(struct paging_subject *s)
{
    return (struct subject *)s;
}

static void read_page(struct paging_subject *s, uint64_t gfn, void *page)
{
    memcpy(page, of(s)->memory + gfn * XLX_PAGE_SIZE, XLX_PAGE_SIZE);
}

static void write_page(struct paging_subject *s, uint64_t gfn, const void *page)
{
    memcpy(of(s)->memory + gfn * XLX_PAGE_SIZE, page, XLX_PAGE_SIZE);
}

static void start(struct subject *s, uint64_t gfn, void *(*touch)(void *))
{
    s->gfn = gfn;
    assert_int_equal(pthread_create(&s->thread, NULL, touch, s), 0);
}

static bool join(struct paging_subject *s, void *page)
{
    bool ended = paging_contract_join(of(s)->thread);
    read_page(s, of(s)->gfn, page);
    return ended;
}

static void run_cases(void (*make)(struct subject *),
                      void (*end)(struct subject *))
{
    for (const struct paging_case *c = paging_cases; c->name; c++) {
        struct subject s = { 0 };
        assert_int_equal(xlx_ctx_new(&s.ctx), 0);
        make(&s);
        const char *wrong = c->run(&s.base);
        if (wrong)
            fail_msg("%s: %s", c->name, wrong);
        end(&s);
        xlx_ctx_free(s.ctx);
    }
}

/* --- the fake ------------------------------------------------------------- */

static void *touch_as_vcpu(void *arg)
{
    struct subject *s = arg;
    paging_fake_touch(s->fake, 1, s->gfn);
    return NULL;
}

static void fake_touch(struct paging_subject *s, uint64_t gfn)
{
    start(of(s), gfn, touch_as_vcpu);
}

static bool fake_waits(struct paging_subject *s)
{
    paging_fake_lock(of(s)->fake);
    bool waits = of(s)->fake->waiting[1];
    paging_fake_unlock(of(s)->fake);
    return waits;
}

/* All of it is the domain's. */
static void fake_die(struct paging_subject *s)
{
    (void)s;
}

static void make_fake(struct subject *s)
{
    static const struct paging_subject_ops ops = {
        .touch = fake_touch,
        .waits = fake_waits,
        .join = join,
        .read = read_page,
        .write = write_page,
        .die = fake_die,
    };
    s->fake = paging_fake_new(s->ctx, GFNS);
    s->memory = (char *)s->fake->memory;
    s->base = (struct paging_subject){
        .ops = &ops, .paging = &s->fake->base, .ring_gfn = 1, .first = FIRST
    };
}

static void end_fake(struct subject *s)
{
    assert_int_equal(s->fake->paused, 0);
    assert_false(s->fake->enabled);
    paging_fake_free(s->fake);
}

static void the_fake_keeps_it(void **state)
{
    (void)state;
    run_cases(make_fake, end_fake);
}

/* --- userfaultfd ---------------------------------------------------------- */

static void *touch_memory(void *arg)
{
    struct subject *s = arg;
    (void)*(volatile char *)(s->memory + s->gfn * XLX_PAGE_SIZE);
    return NULL;
}

static void uffd_touch(struct paging_subject *s, uint64_t gfn)
{
    start(of(s), gfn, touch_memory);
}

static void make_uffd(struct subject *s)
{
    static const struct paging_subject_ops ops = {
        .touch = uffd_touch,
        .join = join,
        .read = read_page,
        .write = write_page,
    };
    int fd = paging_uffd_memory(GFNS, &s->memory);
    assert_true(fd >= 0);
    struct paging_uffd *uffd = paging_uffd_new(s->ctx, fd, s->memory, GFNS);
    s->base = (struct paging_subject){ .ops = &ops,
                                       .paging = &uffd->base,
                                       .first = FIRST,
                                       .wakes_at_load = true,
                                       .no_holes = true,
                                       .no_pauses = true };
}

static void end_uffd(struct subject *s)
{
    s->base.paging->ops->close(s->base.paging);
    munmap(s->memory, GFNS * XLX_PAGE_SIZE);
}

static void userfaultfd_keeps_it(void **state)
{
    (void)state;
    char *memory;
    int fd = paging_uffd_memory(1, &memory);
    if (fd < 0)
        skip();
    close(fd);
    munmap(memory, XLX_PAGE_SIZE);
    run_cases(make_uffd, end_uffd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fake_keeps_it),
        cmocka_unit_test(userfaultfd_keeps_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

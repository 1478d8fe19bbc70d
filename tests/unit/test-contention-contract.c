/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The contract of a look at the host's processors, over a host in memory, and
 * over contention_xen.c with that host behind libxenctrl, whose functions are
 * here. Over Xen itself: tests/rig/cases/lazy-restore-running.sh.
 */
#include "test.h"

#include <xenctrl.h>

#include "fakes/contention_fake.h"

#define DOMID 1u /* the fake's */
#define CPUS 3

struct subject {
    struct contention_fake fake;
    struct xlx__contention *c;
    xlx_ctx *ctx;
};

/* --- libxenctrl ----------------------------------------------------------- */

static struct {
    struct contention_fake *host;
    bool dying;
    int vcpu_err, cpus, cpus_err;
    int open;
} xen;

static int answer(int err)
{
    errno = err;
    return err ? -1 : 0;
}

xc_interface *xc_interface_open(xentoollog_logger *logger,
                                xentoollog_logger *dombuild_logger,
                                unsigned flags)
{
    (void)logger, (void)dombuild_logger, (void)flags;
    xen.open++;
    return (xc_interface *)&xen;
}

int xc_interface_close(xc_interface *xch)
{
    (void)xch;
    xen.open--;
    return 0;
}

int xc_get_max_cpus(xc_interface *xch)
{
    (void)xch;
    errno = xen.cpus_err;
    return xen.cpus;
}

int xc_getcpuinfo(xc_interface *xch, int max, xc_cpuinfo_t *info, int *nr)
{
    (void)xch;
    assert_int_equal(max, CPUS);
    for (int i = 0; i < CPUS - 1; i++) /* one is offline */
        info[i].idletime = xen.host->idle_us * 500;
    *nr = CPUS - 1;
    return answer(xen.host->fail_err);
}

/* The first domain from that number on. */
int xc_domain_getinfolist(xc_interface *xch, uint32_t first, unsigned max,
                          xc_domaininfo_t *info)
{
    (void)xch;
    assert_int_equal(first, DOMID);
    assert_int_equal(max, 1);
    *info = (xc_domaininfo_t){ .domain = DOMID + xen.host->gone,
                               .flags = xen.host->paused * XEN_DOMINF_paused |
                                        xen.dying * XEN_DOMINF_dying };
    for (unsigned i = 0; i < 2 * XLX__CONTENTION_VCPUS; i++)
        info->nr_online_vcpus += xen.host->vcpu[i] > FAKE_VCPU_OFFLINE;
    return 1;
}

int xc_vcpu_getinfo(xc_interface *xch, uint32_t domid, uint32_t vcpu,
                    xc_vcpuinfo_t *info)
{
    enum fake_vcpu is = xen.host->vcpu[vcpu];
    (void)xch;
    assert_int_equal(domid, DOMID);
    if (xen.vcpu_err || is == FAKE_VCPU_NONE)
        return answer(xen.vcpu_err ? xen.vcpu_err : ESRCH);
    *info = (xc_vcpuinfo_t){ .vcpu = vcpu,
                             .online = is > FAKE_VCPU_OFFLINE,
                             .blocked = is == FAKE_VCPU_BLOCKED,
                             .running = is == FAKE_VCPU_RUNNING };
    return 0;
}

/* --- the cases ------------------------------------------------------------ */

static struct xlx__contention_now look(struct subject *s)
{
    struct xlx__contention_now now;
    memset(&now, 0xff, sizeof(now));
    assert_int_equal(s->c->ops->look(s->c, &now), 0);
    return now;
}

static void idle_time_is_the_hosts(struct subject *s)
{
    assert_true(look(s).idle_us == 0);
    s->fake.idle_us = UINT64_C(1) << 41;
    assert_true(look(s).idle_us == UINT64_C(1) << 41);
}

static void vcpus_are_counted_by_what_they_do(struct subject *s)
{
    static const struct {
        enum fake_vcpu is;
        uint32_t vcpus, waiting;
    } steps[] = {
        { FAKE_VCPU_WAITING, 1, 1 }, { FAKE_VCPU_NONE, 1, 1 },
        { FAKE_VCPU_OFFLINE, 1, 1 }, { FAKE_VCPU_BLOCKED, 2, 1 },
        { FAKE_VCPU_RUNNING, 3, 1 }, { FAKE_VCPU_WAITING, 4, 2 },
    };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        s->fake.vcpu[i] = steps[i].is;
        struct xlx__contention_now now = look(s);
        assert_int_equal(now.vcpus, steps[i].vcpus);
        assert_int_equal(now.waiting, steps[i].waiting);
        assert_false(now.paused);
    }
}

static void only_the_first_are_looked_at(struct subject *s)
{
    for (unsigned nr = 1; nr <= XLX__CONTENTION_VCPUS + 1; nr++) {
        s->fake.vcpu[nr - 1] = FAKE_VCPU_WAITING;
        uint32_t want = nr < XLX__CONTENTION_VCPUS ? nr : XLX__CONTENTION_VCPUS;
        assert_int_equal(look(s).vcpus, want);
        assert_int_equal(look(s).waiting, want);
    }
}

static void a_paused_domain_waits_for_nothing(struct subject *s)
{
    s->fake.vcpu[0] = FAKE_VCPU_WAITING;
    s->fake.paused = true;
    struct xlx__contention_now now = look(s);
    assert_true(now.paused);
    assert_int_equal(now.vcpus, 0);
    assert_int_equal(now.waiting, 0);
}

static void a_failure_leaves_the_answer_alone(struct subject *s)
{
    struct xlx__contention_now now = { .vcpus = 77 };
    s->fake.gone = true;
    assert_int_equal(s->c->ops->look(s->c, &now), -ESRCH);
    s->fake.gone = false;
    s->fake.fail_err = EPERM;
    assert_int_equal(s->c->ops->look(s->c, &now), -EPERM);
    assert_int_equal(now.vcpus, 77);
}

/* --- the subjects --------------------------------------------------------- */

static void begin(struct subject *s, bool real)
{
    contention_fake_init(&s->fake);
    memset(&xen, 0, sizeof(xen));
    xen.host = &s->fake;
    xen.cpus = CPUS;
    s->c = &s->fake.base;
    assert_int_equal(xlx_ctx_new(&s->ctx), 0);
    if (real)
        assert_int_equal(xlx__contention_open(s->ctx, DOMID, &s->c), 0);
}

static void end(struct subject *s)
{
    s->c->ops->close(s->c);
    assert_int_equal(xen.open, 0);
    xlx_ctx_free(s->ctx);
}

static void run_cases(bool real)
{
    static void (*const cases[])(struct subject *) = {
        idle_time_is_the_hosts,
        vcpus_are_counted_by_what_they_do,
        only_the_first_are_looked_at,
        a_paused_domain_waits_for_nothing,
        a_failure_leaves_the_answer_alone,
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct subject s;
        begin(&s, real);
        cases[i](&s);
        end(&s);
    }
}

static void the_fake_keeps_it(void **state)
{
    (void)state;
    run_cases(false);
}

static void contention_xen_keeps_it(void **state)
{
    (void)state;
    run_cases(true);
}

/* --- of the real one alone ------------------------------------------------ */

static void a_dying_domain_is_gone(void **state)
{
    (void)state;
    struct xlx__contention_now now;
    struct subject s;
    begin(&s, true);
    xen.dying = true;
    assert_int_equal(s.c->ops->look(s.c, &now), -ESRCH);
    end(&s);
}

static void a_vcpu_that_is_not_told_is_a_failure(void **state)
{
    (void)state;
    struct xlx__contention_now now;
    struct subject s;
    begin(&s, true);
    s.fake.vcpu[0] = FAKE_VCPU_RUNNING;
    xen.vcpu_err = EPERM;
    assert_int_equal(s.c->ops->look(s.c, &now), -EPERM);
    xen.vcpu_err = EINVAL; /* as of one that there is not */
    assert_int_equal(look(&s).vcpus, 0);
    end(&s);
}

static void what_cannot_be_opened_leaves_nothing_open(void **state)
{
    (void)state;
    struct xlx__contention *c = NULL;
    xlx_ctx *ctx;
    memset(&xen, 0, sizeof(xen));
    assert_int_equal(xlx_ctx_new(&ctx), 0);
    xen.cpus_err = EACCES;
    assert_int_equal(xlx__contention_open(ctx, DOMID, &c), -EACCES);
    assert_non_null(strstr(xlx_ctx_error(ctx), "domain 1"));
    xen.cpus_err = 0;
    assert_int_equal(xlx__contention_open(ctx, DOMID, &c), -EIO);
    assert_null(c);
    assert_int_equal(xen.open, 0);
    xlx_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fake_keeps_it),
        cmocka_unit_test(contention_xen_keeps_it),
        cmocka_unit_test(a_dying_domain_is_gone),
        cmocka_unit_test(a_vcpu_that_is_not_told_is_a_failure),
        cmocka_unit_test(what_cannot_be_opened_leaves_nothing_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

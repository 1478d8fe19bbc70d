/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Who gets a vector where: what is promised of every plan, on chosen and on
 * many random inputs.
 */
#include "test.h"

#include "evtchn/spread.h"

#define PORTS 300
#define CPUS 16

struct input {
    struct xlx_evtchn_info info;
    struct xlx_evtchn_port ports[PORTS];
    struct xlx_evtchn_offer offers[CPUS];
    int nr_offers;
    uint32_t hot;
};

struct output {
    struct xlx_evtchn_plan plan;
    struct xlx_evtchn_change *list;
    int nr;
};

static void start(struct input *in, uint32_t vcpus)
{
    memset(in, 0, sizeof(*in));
    in->info.hvm = in->info.vectors = in->info.allowed = true;
    in->info.counting = true;
    in->info.vcpus = vcpus;
}

static struct xlx_evtchn_port *add(struct input *in, uint64_t count)
{
    struct xlx_evtchn_port *p = &in->ports[in->info.nr_ports];
    assert_in_range(in->info.nr_ports, 0, PORTS - 1);
    p->port = 10 + in->info.nr_ports++;
    p->type = XLX_EVTCHN_INTERDOMAIN;
    p->count = count;
    snprintf(p->device, sizeof(p->device), "vif/0 queue %u", p->port);
    return p;
}

/* `nr` vectors from `first` on. */
static void offer(struct input *in, uint32_t vcpu, unsigned first, unsigned nr)
{
    struct xlx_evtchn_offer *o = &in->offers[in->nr_offers++];
    memset(o, 0, sizeof(*o));
    o->vcpu = vcpu;
    for (unsigned v = first; v < first + nr; v++)
        o->vectors[v / 64] |= UINT64_C(1) << v % 64;
}

static void make(const struct input *in, struct output *out)
{
    out->nr = xlx__evtchn_plan(&in->info, in->ports, in->offers, in->nr_offers,
                               in->hot, &out->plan, &out->list);
    assert_true(out->nr >= 0);
}

static struct xlx_evtchn_port *at(struct input *in, uint32_t port)
{
    return &in->ports[port - 10];
}

/* What every plan promises; then the ports are as it says. */
static void check_and_apply(struct input *in, const struct output *out)
{
    uint64_t used[CPUS][4] = { 0 };
    uint32_t bound = 0;
    for (int i = 0; i < out->nr; i++) {
        const struct xlx_evtchn_change *c = &out->list[i];
        struct xlx_evtchn_port *p = at(in, c->port);
        assert_true(i == 0 || out->list[i - 1].port < c->port);
        assert_true(xlx__evtchn_can_bind(p));
        assert_int_equal(c->from_vcpu, p->vcpu);
        assert_int_equal(c->from_vector, p->vector);
        assert_true(c->from_vector != c->to_vector ||
                    c->from_vcpu != c->to_vcpu);
        assert_true(c->to_vector || c->to_vcpu == c->from_vcpu);
        p->vcpu = c->to_vcpu;
        p->vector = c->to_vector;
        p->toolstack = c->to_vector != 0;
    }
    for (uint32_t i = 0; i < in->info.nr_ports; i++) {
        const struct xlx_evtchn_port *p = &in->ports[i];
        bool offered = false;
        if (!p->vector)
            continue;
        assert_false(xlx__vectors_has(used[p->vcpu], p->vector));
        used[p->vcpu][p->vector / 64] |= UINT64_C(1) << p->vector % 64;
        if (!xlx__evtchn_can_bind(p))
            continue;
        bound++;
        for (int k = 0; k < in->nr_offers; k++)
            offered |= in->offers[k].vcpu == p->vcpu &&
                       xlx__vectors_has(in->offers[k].vectors, p->vector);
        assert_true(offered);
        assert_in_range(p->vector, XLX_EVTCHN_VECTOR_MIN,
                        XLX_EVTCHN_VECTOR_MAX);
    }
    assert_int_equal(bound, out->plan.hot);
    assert_true(!in->hot || out->plan.hot <= in->hot);
}

static void check(struct input *in, struct output *out)
{
    make(in, out);
    check_and_apply(in, out);
    free(out->list);
}

/* --- what is promised ----------------------------------------------------- */

static void hot_ports_are_spread_over_eight_vcpus(void **state)
{
    struct input in;
    struct output out;
    (void)state;
    start(&in, 8);
    for (uint32_t i = 0; i < 64; i++)
        add(&in, 1000 + i); /* all on vCPU 0 */
    for (uint32_t cpu = 0; cpu < 8; cpu++)
        offer(&in, cpu, 0x40, 8);
    in.hot = 64;
    check(&in, &out);
    assert_int_equal(out.nr, 64);
    assert_int_equal(out.plan.index_before, 125);
    assert_true(out.plan.index_after >= 950);
    assert_int_equal(out.plan.vcpus, 8);
    assert_true(out.plan.counted);
    assert_int_equal(out.plan.hot, 64);
}

static void the_rest_stays_on_the_upcall(void **state)
{
    struct input in;
    struct output out;
    (void)state;
    start(&in, 4);
    for (uint32_t i = 0; i < 20; i++)
        add(&in, i < 4 ? 100000 : 10);
    for (uint32_t cpu = 0; cpu < 4; cpu++)
        offer(&in, cpu, 0x40, 8);
    check(&in, &out); /* nine tenths: the four */
    assert_int_equal(out.plan.hot, 4);
    assert_true(out.plan.index_after >= 950);
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(in.ports[i].vector != 0, i < 4);
    in.hot = 2;
    check(&in, &out);
    assert_int_equal(out.plan.hot, 2);
    assert_int_equal(out.nr, 2); /* two go back */
}

static void what_is_right_stays(void **state)
{
    struct input in;
    struct output out;
    (void)state;
    start(&in, 4);
    for (uint32_t i = 0; i < 12; i++)
        add(&in, 500 + i);
    for (uint32_t cpu = 0; cpu < 4; cpu++)
        offer(&in, cpu, 0x40, 8);
    in.hot = 12;
    check(&in, &out);
    assert_int_equal(out.nr, 12);
    make(&in, &out); /* again, and it is content */
    assert_int_equal(out.nr, 0);
    assert_null(out.list);
    assert_int_equal(out.plan.index_before, out.plan.index_after);
    /* the loads swing a little */
    for (uint32_t i = 0; i < 12; i++)
        in.ports[i].count = 500 + (i * 37) % 100;
    check(&in, &out);
    assert_int_equal(out.nr, 0);
    /* one more channel: it alone is placed */
    add(&in, 480);
    in.hot = 13;
    check(&in, &out);
    assert_int_equal(out.nr, 1);
}

static void few_are_moved(void **state)
{
    struct input in;
    struct output out;
    (void)state;
    start(&in, 4);
    for (uint32_t i = 0; i < 16; i++) {
        struct xlx_evtchn_port *p = add(&in, 100);
        p->vcpu = i < 7 ? 0 : 1 + i % 3; /* 7, 3, 3, 3 */
        p->vector = (uint8_t)(0x40 + i);
        p->toolstack = true;
    }
    for (uint32_t cpu = 0; cpu < 4; cpu++)
        offer(&in, cpu, 0x40, 32);
    in.hot = 16;
    check(&in, &out);
    assert_true(out.plan.index_after >= 950);
    assert_in_range(out.nr, 1, 3);
}

static void a_busier_port_takes_the_place_of_an_idle_one(void **state)
{
    struct input in;
    struct output out;
    (void)state;
    start(&in, 2);
    struct xlx_evtchn_port *old = add(&in, 100);
    old->vector = 0x40;
    old->toolstack = true;
    add(&in, 120); /* not by enough */
    offer(&in, 0, 0x40, 1);
    in.hot = 1;
    check(&in, &out);
    assert_int_equal(out.nr, 0);
    in.ports[1].count = 126;
    check(&in, &out);
    assert_int_equal(out.nr, 2);
    assert_int_equal(in.ports[0].vector, 0);
    assert_int_equal(in.ports[1].vector, 0x40);
}

/* Nor is a vector that the guest does not offer any more. */
static void a_withdrawn_vector_holds_no_place(void **state)
{
    struct input in;
    struct output out;
    (void)state;
    start(&in, 2);
    struct xlx_evtchn_port *old = add(&in, 100);
    old->vector = 0x60;
    old->toolstack = true;
    add(&in, 120);
    offer(&in, 0, 0x40, 1);
    in.hot = 1;
    check(&in, &out);
    assert_int_equal(in.ports[0].vector, 0);
    assert_int_equal(in.ports[1].vector, 0x40);
}

static void no_more_than_is_offered(void **state)
{
    struct input in;
    struct output out;
    (void)state;
    start(&in, 8);
    for (uint32_t i = 0; i < 50; i++)
        add(&in, 1000);
    in.hot = 50;
    check(&in, &out); /* nothing is */
    assert_int_equal(out.nr, 0);
    assert_int_equal(out.plan.hot, 0);
    offer(&in, 2, 0x50, 3);
    offer(&in, 7, 0xff, 1);
    check(&in, &out);
    assert_int_equal(out.nr, 4);
    assert_int_equal(out.plan.hot, 4);
    /* a bit below 0x20 is no vector, a vCPU that is not there none either */
    start(&in, 2);
    add(&in, 1);
    offer(&in, 0, 0, 32);
    offer(&in, 5, 0x40, 8);
    check(&in, &out);
    assert_int_equal(out.nr, 0);
}

static void what_others_have_is_left_alone(void **state)
{
    struct input in;
    struct output out;
    (void)state;
    start(&in, 2);
    add(&in, 900)->type = XLX_EVTCHN_IPI;
    add(&in, 900)->type = XLX_EVTCHN_VIRQ;
    add(&in, 900)->used_by_xen = true;
    add(&in, 900)->type = XLX_EVTCHN_UNBOUND;
    add(&in, 900)->vector = 0x40; /* the guest's own doing */
    add(&in, 100);
    offer(&in, 0, 0x40, 2);
    in.hot = 10;
    check(&in, &out);
    assert_int_equal(out.nr, 1);
    assert_int_equal(in.ports[5].vector, 0x41); /* 0x40 is the guest's */
}

static void load_that_stays_is_counted(void **state)
{
    struct input in;
    struct output out;
    (void)state;
    start(&in, 2);
    add(&in, 1000)->type = XLX_EVTCHN_IPI; /* on vCPU 0 */
    add(&in, 500);
    add(&in, 500);
    offer(&in, 0, 0x40, 8);
    offer(&in, 1, 0x40, 8);
    in.hot = 2;
    check(&in, &out);
    assert_int_equal(in.ports[1].vcpu, 1);
    assert_int_equal(in.ports[2].vcpu, 1);
    assert_int_equal(out.plan.index_after, 1000);
}

static void without_counts_each_device_counts_the_same(void **state)
{
    struct input in;
    struct output out;
    (void)state;
    start(&in, 4);
    in.info.counting = false;
    strcpy(add(&in, 0)->device, "console");
    strcpy(add(&in, 0)->device, "");
    for (uint32_t i = 0; i < 8; i++)
        add(&in, 0);
    for (uint32_t cpu = 0; cpu < 4; cpu++)
        offer(&in, cpu, 0x40, 8);
    in.hot = 8;
    check(&in, &out);
    assert_false(out.plan.counted);
    assert_int_equal(out.nr, 8);
    assert_int_equal(in.ports[0].vector | in.ports[1].vector, 0);
    assert_int_equal(out.plan.index_before, 250);
    assert_int_equal(out.plan.index_after, 1000);
}

static void nothing_to_do_is_nothing(void **state)
{
    struct input in;
    struct output out;
    (void)state;
    start(&in, 0);
    check(&in, &out);
    assert_int_equal(out.nr, 0);
    assert_int_equal(out.plan.index_before, 0);
    start(&in, 1);
    offer(&in, 0, 0x40, 4);
    check(&in, &out);
    assert_int_equal(out.nr, 0);
}

static void huge_counts_do_not_overflow(void **state)
{
    struct input in;
    struct output out;
    (void)state;
    start(&in, CPUS);
    for (uint32_t i = 0; i < PORTS; i++)
        add(&in, UINT64_MAX - i);
    for (uint32_t cpu = 0; cpu < CPUS; cpu++)
        offer(&in, cpu, 0x20, 0xe0);
    in.hot = PORTS;
    check(&in, &out);
    assert_int_equal(out.plan.hot, PORTS);
    assert_true(out.plan.index_after >= 950);
}

/* --- any input ------------------------------------------------------------ */

static uint32_t seed;

static uint32_t random_below(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(seed >> 8) * n >> 24);
}

static void random_input(struct input *in)
{
    start(in, 1 + random_below(CPUS));
    in->info.counting = random_below(4) != 0;
    uint32_t nr = random_below(80), cpus = in->info.vcpus;
    for (uint32_t cpu = 0; cpu < cpus; cpu++)
        if (random_below(8))
            offer(in, cpu, 0x20 + random_below(0x80), random_below(20));
    for (uint32_t i = 0; i < nr; i++) {
        struct xlx_evtchn_port *p =
            add(in, random_below(3) ? random_below(1000) : 0);
        p->vcpu = random_below(cpus);
        if (!random_below(6))
            p->type = (enum xlx_evtchn_type)(1 + random_below(5));
        if (random_below(3) || !in->nr_offers)
            continue;
        /* bound already, each to a vector of its own */
        p->vector = (uint8_t)(0x20 + i);
        p->toolstack = random_below(4) != 0;
        if (!xlx__evtchn_can_bind(p))
            p->vector = p->toolstack = 0;
    }
    in->hot = random_below(2) ? random_below(40) : 0;
}

static void any_plan_keeps_its_promises(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 3000; round++) {
        struct input in, copy;
        struct output out, again;
        seed = round;
        random_input(&in);
        make(&in, &out);
        make(&in, &again);
        assert_int_equal(out.nr, again.nr); /* deterministic */
        if (out.nr)
            assert_memory_equal(out.list, again.list,
                                (size_t)out.nr * sizeof(*out.list));
        free(again.list);
        check_and_apply(&in, &out);
        free(out.list);
        copy = in;
        check(&copy, &again); /* and content with what it made */
        if (again.nr)
            fail_msg("round %u: %d changes, then %d more (%u, %u, %u)", round,
                     out.nr, again.nr, out.plan.index_before,
                     out.plan.index_after, again.plan.index_after);
    }
}

/* Enough vectors everywhere, loads that can be divided: it is even. */
static void what_can_be_even_is(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 500; round++) {
        struct input in;
        struct output out;
        seed = 7000 + round;
        start(&in, 2 + random_below(7));
        uint32_t nr = in.info.vcpus * (8 + random_below(20));
        for (uint32_t i = 0; i < nr; i++)
            add(&in, 50 + random_below(100))->vcpu =
                random_below(in.info.vcpus / 2 + 1);
        for (uint32_t cpu = 0; cpu < in.info.vcpus; cpu++)
            offer(&in, cpu, 0x40, 40);
        in.hot = nr;
        check(&in, &out);
        if (out.plan.index_after < 950)
            fail_msg("round %u: %u", round, out.plan.index_after);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hot_ports_are_spread_over_eight_vcpus),
        cmocka_unit_test(the_rest_stays_on_the_upcall),
        cmocka_unit_test(what_is_right_stays),
        cmocka_unit_test(few_are_moved),
        cmocka_unit_test(a_busier_port_takes_the_place_of_an_idle_one),
        cmocka_unit_test(a_withdrawn_vector_holds_no_place),
        cmocka_unit_test(no_more_than_is_offered),
        cmocka_unit_test(what_others_have_is_left_alone),
        cmocka_unit_test(load_that_stays_is_counted),
        cmocka_unit_test(without_counts_each_device_counts_the_same),
        cmocka_unit_test(nothing_to_do_is_nothing),
        cmocka_unit_test(huge_counts_do_not_overflow),
        cmocka_unit_test(any_plan_keeps_its_promises),
        cmocka_unit_test(what_can_be_even_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

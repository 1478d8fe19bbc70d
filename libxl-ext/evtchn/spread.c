/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which channel gets a vector on which vCPU. Pure.
 *
 * The hot channels are placed on the vCPU with the least load so far, the
 * heaviest first, which is within a third of the best there is; those that
 * have a vector already stay where they are at first. Then single channels are
 * moved, each time the one that evens out most, until the load is as even as
 * it can be made that way or even enough.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evtchn/spread.h"

#define ENOUGH 950u /* of Jain's index, in thousandths */

/* How many places are weighed against each other in all, so that no guest makes
 * it take long: a tenth of a second. Moves beyond that are left for the next
 * time. */
#define EFFORT (UINT64_C(1) << 26)

/* One channel that may get a vector. */
struct item {
    const struct xlx_evtchn_port *port;
    uint64_t weight;
    bool hot;
    bool was_bound; /* by the toolstack, to a vector that is offered */
    uint32_t vcpu;  /* where it is to be, when hot */
    uint8_t vector; /* 0: not given yet */
};

/* One vCPU. */
struct cpu {
    uint64_t load;
    uint64_t free[4]; /* offered and not given */
    uint32_t nr_free;
    bool counts; /* in the index */
};

struct spread {
    struct cpu *cpu;
    uint32_t nr_cpus;
    struct item *item;
    uint32_t nr_items;
};

/* --- vectors -------------------------------------------------------------- */

bool xlx__vectors_has(const uint64_t vectors[4], unsigned vector)
{
    return vectors[vector / 64] >> vector % 64 & 1;
}

unsigned xlx__vectors_first(const uint64_t vectors[4])
{
    for (unsigned i = 0; i < 4; i++)
        if (vectors[i])
            return i * 64 + (unsigned)__builtin_ctzll(vectors[i]);
    return 0;
}

static void take_vector(struct cpu *cpu, unsigned vector)
{
    if (!xlx__vectors_has(cpu->free, vector))
        return;
    cpu->free[vector / 64] &= ~(UINT64_C(1) << vector % 64);
    cpu->nr_free--;
}

static void give_back(struct cpu *cpu, unsigned vector)
{
    cpu->free[vector / 64] |= UINT64_C(1) << vector % 64;
    cpu->nr_free++;
}

static void read_offers(struct spread *s, const struct xlx_evtchn_offer *offers,
                        int nr)
{
    for (int i = 0; i < nr; i++) {
        if (offers[i].vcpu >= s->nr_cpus)
            continue;
        struct cpu *cpu = &s->cpu[offers[i].vcpu];
        for (unsigned v = XLX_EVTCHN_VECTOR_MIN; v <= XLX_EVTCHN_VECTOR_MAX;
             v++)
            if (xlx__vectors_has(offers[i].vectors, v) &&
                !xlx__vectors_has(cpu->free, v))
                give_back(cpu, v);
        cpu->counts = cpu->nr_free > 0;
    }
}

/* --- the channels --------------------------------------------------------- */

bool xlx__evtchn_can_bind(const struct xlx_evtchn_port *port)
{
    return port->type == XLX_EVTCHN_INTERDOMAIN && !port->used_by_xen &&
           (!port->vector || port->toolstack);
}

static bool any_counted(const struct xlx_evtchn_info *info,
                        const struct xlx_evtchn_port *ports)
{
    for (uint32_t i = 0; info->counting && i < info->nr_ports; i++)
        if (xlx__evtchn_can_bind(&ports[i]) && ports[i].count)
            return true;
    return false;
}

/* Sums must fit 64 bits, and squares of their sums 128. */
static uint64_t weight_of(const struct xlx_evtchn_port *port, bool counted)
{
    const uint64_t max = UINT64_C(1) << 40;
    if (counted)
        return port->count < max ? port->count : max;
    return strchr(port->device, '/') ? 1 : 0;
}

/* The heaviest first; a quarter more weight is no reason to take a vector away
 * from another: loads differ from one look to the next. */
static int heavier(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    uint64_t wx = x->weight * (x->was_bound ? 5 : 4);
    uint64_t wy = y->weight * (y->was_bound ? 5 : 4);
    if (wx != wy)
        return wx > wy ? -1 : 1;
    if (x->was_bound != y->was_bound)
        return x->was_bound ? -1 : 1;
    return x->port->port < y->port->port ? -1 : 1;
}

static bool is_bound(const struct spread *s, const struct xlx_evtchn_port *port)
{
    return port->vector && port->vcpu < s->nr_cpus &&
           xlx__vectors_has(s->cpu[port->vcpu].free, port->vector);
}

/* Sorts the channels; what cannot be bound is load where it is. */
static void read_ports(struct spread *s, const struct xlx_evtchn_info *info,
                       const struct xlx_evtchn_port *ports, bool counted)
{
    for (uint32_t i = 0; i < info->nr_ports; i++) {
        const struct xlx_evtchn_port *port = &ports[i];
        uint64_t weight = weight_of(port, counted);
        if (xlx__evtchn_can_bind(port)) {
            s->item[s->nr_items++] = (struct item){
                .port = port,
                .weight = weight,
            };
        } else if (port->vcpu < s->nr_cpus) {
            s->cpu[port->vcpu].load += weight;
            take_vector(&s->cpu[port->vcpu], port->vector);
        }
    }
    for (uint32_t i = 0; i < s->nr_items; i++)
        s->item[i].was_bound = is_bound(s, s->item[i].port);
    if (s->nr_items)
        qsort(s->item, s->nr_items, sizeof(*s->item), heavier);
}

/* Nine tenths of all weight; `all` and below fit 60 bits. */
static bool suffices(uint64_t sum, uint64_t all)
{
    return sum * 10 >= all * 9;
}

/* The last one before `end` that is hot, and bound before or not; -1: none. */
static int last_hot(const struct spread *s, int end, bool bound)
{
    while (--end >= 0)
        if (s->item[end].hot && s->item[end].was_bound == bound)
            break;
    return end;
}

/*
 * The first ones are not always the heaviest: those that it suffices without
 * are dropped, the lightest first. Among the bound ones, and among the others,
 * the order is that of their weight.
 */
static uint32_t drop_needless(struct spread *s, uint32_t nr, uint64_t sum,
                              uint64_t all)
{
    int bound = last_hot(s, (int)s->nr_items, true);
    int other = last_hot(s, (int)s->nr_items, false);
    while (bound >= 0 || other >= 0) {
        bool take_bound =
            other < 0 ||
            (bound >= 0 && s->item[bound].weight < s->item[other].weight);
        struct item *light = &s->item[take_bound ? bound : other];
        if (!suffices(sum - light->weight, all))
            break;
        light->hot = false;
        sum -= light->weight;
        nr--;
        if (take_bound)
            bound = last_hot(s, bound, true);
        else
            other = last_hot(s, other, false);
    }
    return nr;
}

/* Marks the hot ones: `max` at most, or nine tenths of all weight, and no more
 * than there are vectors for. Returns how many. */
static uint32_t choose(struct spread *s, uint32_t max)
{
    uint64_t all = 0, sum = 0;
    uint32_t room = 0, nr = 0;
    for (uint32_t i = 0; i < s->nr_cpus; i++)
        room += s->cpu[i].nr_free;
    for (uint32_t i = 0; i < s->nr_items; i++)
        all += s->item[i].weight;
    while (nr < s->nr_items && nr < room && s->item[nr].weight &&
           (max ? nr < max : !suffices(sum, all))) {
        s->item[nr].hot = true;
        sum += s->item[nr++].weight;
    }
    return max ? nr : drop_needless(s, nr, sum, all);
}

/* --- the places ----------------------------------------------------------- */

static void put_on_vcpu(struct spread *s, struct item *item, uint32_t vcpu,
                        unsigned vector)
{
    struct cpu *cpu = &s->cpu[vcpu];
    item->vcpu = vcpu;
    item->vector = (uint8_t)vector;
    take_vector(cpu, vector);
    cpu->load += item->weight;
}

static void lift(struct spread *s, struct item *item)
{
    give_back(&s->cpu[item->vcpu], item->vector);
    s->cpu[item->vcpu].load -= item->weight;
    item->vector = 0;
}

/* The vCPU with the least load that has a vector left; where the channel is
 * already when that is one of them. */
static uint32_t lightest(const struct spread *s, const struct item *item)
{
    uint32_t best = item->port->vcpu;
    if (best >= s->nr_cpus || !s->cpu[best].nr_free)
        best = s->nr_cpus;
    for (uint32_t i = 0; i < s->nr_cpus; i++)
        if (s->cpu[i].nr_free &&
            (best == s->nr_cpus || s->cpu[i].load < s->cpu[best].load))
            best = i;
    return best;
}

static void place(struct spread *s)
{
    for (uint32_t i = 0; i < s->nr_items; i++) {
        struct item *item = &s->item[i];
        if (!item->hot)
            s->cpu[item->port->vcpu < s->nr_cpus ? item->port->vcpu : 0].load +=
                item->weight;
        else if (item->was_bound &&
                 xlx__vectors_has(s->cpu[item->port->vcpu].free,
                                  item->port->vector))
            put_on_vcpu(s, item, item->port->vcpu, item->port->vector);
    }
    for (uint32_t i = 0; i < s->nr_items; i++) {
        struct item *item = &s->item[i];
        if (!item->hot || item->vector)
            continue;
        uint32_t vcpu = lightest(s, item);
        put_on_vcpu(s, item, vcpu, xlx__vectors_first(s->cpu[vcpu].free));
    }
}

/* Jain's index in thousandths: (sum x)^2 / (n * sum x^2). */
static uint32_t evenness(const struct spread *s)
{
    unsigned __int128 squares = 0;
    uint64_t sum = 0;
    uint32_t nr = 0;
    for (uint32_t i = 0; i < s->nr_cpus; i++) {
        uint64_t load = s->cpu[i].load;
        nr += s->cpu[i].counts || load;
        sum += load;
        squares += (unsigned __int128)load * load;
    }
    if (!sum)
        return 0;
    return (uint32_t)((unsigned __int128)sum * sum * 1000 / (squares * nr));
}

/* How much less the sum of squares is, halved, with the channel on `to`. */
static __int128 gain(const struct spread *s, const struct item *item,
                     uint32_t to)
{
    __int128 from = s->cpu[item->vcpu].load;
    return (from - s->cpu[to].load - item->weight) * item->weight;
}

/* Moves the one channel that evens out most; false when none does. */
static bool improve(struct spread *s)
{
    struct item *best = NULL;
    __int128 most = 0;
    uint32_t target = 0;
    for (uint32_t i = 0; i < s->nr_items; i++) {
        if (!s->item[i].hot)
            continue;
        for (uint32_t to = 0; to < s->nr_cpus; to++) {
            if (to == s->item[i].vcpu || !s->cpu[to].nr_free)
                continue;
            __int128 g = gain(s, &s->item[i], to);
            if (g > most) {
                most = g;
                best = &s->item[i];
                target = to;
            }
        }
    }
    if (!best)
        return false;
    lift(s, best);
    put_on_vcpu(s, best, target, xlx__vectors_first(s->cpu[target].free));
    return true;
}

/* --- the result ----------------------------------------------------------- */

static uint32_t before(const struct spread *s,
                       const struct xlx_evtchn_info *info,
                       const struct xlx_evtchn_port *ports, bool counted)
{
    struct spread was = { .nr_cpus = s->nr_cpus };
    uint32_t index;
    was.cpu = calloc(s->nr_cpus + 1, sizeof(*was.cpu));
    if (!was.cpu)
        return 0;
    for (uint32_t i = 0; i < s->nr_cpus; i++)
        was.cpu[i].counts = s->cpu[i].counts;
    for (uint32_t i = 0; i < info->nr_ports; i++)
        if (ports[i].vcpu < s->nr_cpus)
            was.cpu[ports[i].vcpu].load += weight_of(&ports[i], counted);
    index = evenness(&was);
    free(was.cpu);
    return index;
}

static bool is_changed(const struct item *item)
{
    const struct xlx_evtchn_port *port = item->port;
    return port->vector != item->vector ||
           (item->vector && port->vcpu != item->vcpu);
}

static int by_port(const void *a, const void *b)
{
    const struct xlx_evtchn_change *x = a, *y = b;
    return x->port < y->port ? -1 : x->port > y->port;
}

static int collect(const struct spread *s, struct xlx_evtchn_change **list_r)
{
    struct xlx_evtchn_change *list = calloc(s->nr_items + 1, sizeof(*list));
    int nr = 0;
    if (!list)
        return -ENOMEM;
    for (uint32_t i = 0; i < s->nr_items; i++) {
        const struct item *item = &s->item[i];
        struct xlx_evtchn_change *c = &list[nr];
        if (!is_changed(item))
            continue;
        c->port = item->port->port;
        c->from_vcpu = item->port->vcpu;
        c->from_vector = item->port->vector;
        c->to_vcpu = item->vector ? item->vcpu : item->port->vcpu;
        c->to_vector = item->vector;
        memcpy(c->device, item->port->device, sizeof(c->device));
        nr++;
    }
    qsort(list, (size_t)nr, sizeof(*list), by_port);
    if (!nr) {
        free(list);
        list = NULL;
    }
    *list_r = list;
    return nr;
}

static uint32_t counted_cpus(const struct spread *s)
{
    uint32_t nr = 0;
    for (uint32_t i = 0; i < s->nr_cpus; i++)
        nr += s->cpu[i].counts || s->cpu[i].load;
    return nr;
}

int xlx__evtchn_plan(const struct xlx_evtchn_info *info,
                     const struct xlx_evtchn_port *ports,
                     const struct xlx_evtchn_offer *offers, int nr_offers,
                     uint32_t hot, struct xlx_evtchn_plan *plan_r,
                     struct xlx_evtchn_change **list_r)
{
    struct spread s = { .nr_cpus = info->vcpus };
    int rc = -ENOMEM;
    s.cpu = calloc(info->vcpus + 1, sizeof(*s.cpu));
    s.item = calloc(info->nr_ports + 1, sizeof(*s.item));
    if (s.cpu && s.item) {
        bool counted = any_counted(info, ports);
        struct xlx_evtchn_plan plan = { .counted = counted };
        read_offers(&s, offers, nr_offers);
        read_ports(&s, info, ports, counted);
        plan.hot = choose(&s, hot);
        place(&s);
        /* A channel that moves lessens the sum of squares: it ends. */
        uint64_t each = (uint64_t)s.nr_items * s.nr_cpus + 1, effort = EFFORT;
        while (effort >= each && evenness(&s) < ENOUGH && improve(&s))
            effort -= each;
        plan.vcpus = counted_cpus(&s);
        plan.index_before = before(&s, info, ports, counted);
        plan.index_after = evenness(&s);
        rc = collect(&s, list_r);
        if (rc >= 0)
            *plan_r = plan;
    }
    free(s.item);
    free(s.cpu);
    return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * evtchn-bind, -unbind, -spread: what they do, what they refuse, and that a
 * failure changes nothing.
 */
#include "test.h"

#include <unistd.h>

#include "cmd.h"
#include "core/clock.h"
#include "fakes/evtchn_world.h"
#include "host/lock.h"

static int setup(void **state)
{
    struct evtchn_world *w = evtchn_world_new();
    w->mem->patched = true;
    for (uint32_t vcpu = 0; vcpu < 4; vcpu++)
        evtchn_mem_offer(w->guest, vcpu, 0x40, 8);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    evtchn_world_free(*state);
    return 0;
}

static void expect_line(struct evtchn_world *w, const char *line, int status,
                        const char *says)
{
    int got = evtchn_world_call(w, line);
    const char *text = status == CMD_OK ? w->out : w->err;
    if (got != status)
        fail_msg("%s: exit status %d: %s%s", line, got, w->out, w->err);
    if (!strstr(text, says))
        fail_msg("%s: says %s", line, text);
    if (status == CMD_FAILED) /* one line */
        assert_ptr_equal(strchr(w->err, '\n'), w->err + strlen(w->err) - 1);
    if (status != CMD_OK)
        assert_string_equal(w->out, "");
}

struct row {
    const char *line;
    int status;
    const char *says;
};

/* --- one channel ---------------------------------------------------------- */

static void a_channel_is_bound_moved_and_unbound(void **state)
{
    struct evtchn_world *w = *state;
    const struct xlx_evtchn_port *p = &w->guest->port[10];
    static const struct row rows[] = {
        { "evtchn-bind guest 10 1", CMD_OK,
          "domain 5: port 10: vCPU 1, vector 0x40\n" },
        { "evtchn-bind guest 10 1", CMD_OK, "vCPU 1, vector 0x40\n" },
        { "evtchn-bind guest 11 1", CMD_OK, "vCPU 1, vector 0x41\n" },
        { "evtchn-bind guest 10 3 0x47", CMD_OK, "vCPU 3, vector 0x47\n" },
        { "evtchn-bind 5 10 3 70", CMD_OK, "vCPU 3, vector 0x46\n" },
        { "evtchn-bind 5 10 2 0X46", CMD_USAGE, "a vector, 0x20 to 0xff" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_line(w, rows[i].line, rows[i].status, rows[i].says);
    assert_int_equal(p->vcpu, 3);
    assert_int_equal(p->vector, 0x46);
    assert_true(p->toolstack);
    expect_line(w, "evtchn-unbind guest 10", CMD_OK,
                "domain 5: port 10: back on the upcall\n");
    assert_int_equal(p->vector, 0);
    assert_int_equal(p->vcpu, 0);
    expect_line(w, "evtchn-unbind guest 10", CMD_OK, "was already on");
}

/* Its own one on the same vCPU, else the first that is free. */
static void a_vector_that_is_not_named_is_chosen(void **state)
{
    struct evtchn_world *w = *state;
    static const struct row rows[] = {
        { "evtchn-bind guest 10 1 0x45", CMD_OK, "vCPU 1, vector 0x45\n" },
        { "evtchn-bind guest 10 1 0x45", CMD_OK, "vCPU 1, vector 0x45\n" },
        { "evtchn-bind guest 10 1", CMD_OK, "vCPU 1, vector 0x45\n" },
        { "evtchn-bind guest 10 2", CMD_OK, "vCPU 2, vector 0x40\n" },
        { "evtchn-bind guest 10 2 0x41", CMD_OK, "vCPU 2, vector 0x41\n" },
        { "evtchn-bind guest 10 3 0x41", CMD_OK, "vCPU 3, vector 0x41\n" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_line(w, rows[i].line, rows[i].status, rows[i].says);
    assert_int_equal(w->guest->port[10].vcpu, 3);
}

static void the_first_and_the_last_vector_can_be_chosen(void **state)
{
    struct evtchn_world *w = *state;
    memset(w->guest->offers, 0, sizeof(w->guest->offers));
    evtchn_mem_offer(w->guest, 0, 0x20, 1);
    evtchn_mem_offer(w->guest, 1, 0xff, 1);
    expect_line(w, "evtchn-bind guest 10 0", CMD_OK, "vCPU 0, vector 0x20\n");
    expect_line(w, "evtchn-bind guest 11 1", CMD_OK, "vCPU 1, vector 0xff\n");
}

static void what_cannot_be_is_refused_with_the_cause(void **state)
{
    struct evtchn_world *w = *state;
    static const struct row rows[] = {
        { "evtchn-bind guest", CMD_USAGE, "a domain, a port and a vCPU" },
        { "evtchn-bind guest 10", CMD_USAGE, "a domain, a port and a vCPU" },
        { "evtchn-bind guest 10 0 64 1", CMD_USAGE, "a domain, a port" },
        { "evtchn-bind guest x 0", CMD_USAGE, "x: not a port" },
        { "evtchn-bind guest 0 0", CMD_USAGE, "0: not a port" },
        { "evtchn-bind guest 131072 0", CMD_USAGE, "131072: not a port" },
        { "evtchn-bind guest 10 -1", CMD_USAGE, "no such option" },
        { "evtchn-bind guest 10 0 0x", CMD_USAGE, "0x: not a vector" },
        { "evtchn-bind guest 10 0 0x100", CMD_USAGE, "0x100: not a vector" },
        { "evtchn-bind guest 10 0 256", CMD_USAGE, "256: not a vector" },
        { "evtchn-bind guest 10 0 0", CMD_USAGE, "0: not a vector" },
        { "evtchn-unbind guest", CMD_USAGE, "a domain and a port" },
        { "evtchn-unbind guest x", CMD_USAGE, "x: not a port" },

        { "evtchn-bind nobody 10 0", CMD_FAILED, "domain nobody: no such" },
        { "evtchn-bind old 1 0", CMD_FAILED,
          "domain 6: a PV domain has no local APIC" },
        { "evtchn-unbind old 1", CMD_FAILED, "domain 6: a PV domain" },
        { "evtchn-bind guest 60 0", CMD_FAILED,
          "domain 5: port 60: is not open" },
        { "evtchn-bind guest 4000 0", CMD_FAILED, "port 4000: is not open" },
        { "evtchn-bind guest 10 4", CMD_FAILED, "no vCPU 4: the domain has 4" },
        { "evtchn-bind guest 10 8191", CMD_FAILED,
          "no vCPU 8191: the domain has 4" },
        { "evtchn-bind guest 10 0 0x1f", CMD_FAILED,
          "vector 0x1f is not between 0x20 and 0xff" },
        { "evtchn-bind guest 10 0 0x20", CMD_FAILED,
          "does not offer vector 0x20 on vCPU 0" },
        { "evtchn-bind guest 10 0 0x48", CMD_FAILED, "does not offer" },
        { "evtchn-bind guest 3 1", CMD_FAILED, "an IPI of vCPU 0" },
        { "evtchn-bind guest 21 0", CMD_FAILED, "port 21: the guest bound" },
        { "evtchn-unbind guest 21", CMD_FAILED, "port 21: the guest bound" },
        { "evtchn-bind guest 22 0", CMD_FAILED, "Xen itself" },
        { "evtchn-bind guest 23 0", CMD_FAILED, "a device's own interrupt" },
        { "evtchn-bind guest 10 2 0x40", CMD_FAILED,
          "port 21 already has vector 0x40 on vCPU 2" },
        { "evtchn-unbind guest 60", CMD_FAILED, "port 60: is not open" },
    };
    struct xlx_evtchn_port *own = evtchn_mem_connect(w->guest, 21, 0, 121);
    own->vcpu = 2;
    own->vector = 0x40;
    evtchn_mem_connect(w->guest, 22, 0, 122)->used_by_xen = true;
    evtchn_mem_open(w->guest, 23, XLX_EVTCHN_PIRQ)->irq = 17;
    char *before = evtchn_mem_dump(w->guest);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_line(w, rows[i].line, rows[i].status, rows[i].says);
    char *after = evtchn_mem_dump(w->guest);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void all_vectors_of_a_vcpu_may_be_taken(void **state)
{
    struct evtchn_world *w = *state;
    char line[64];
    for (uint32_t port = 10; port < 18; port++) {
        snprintf(line, sizeof(line), "evtchn-bind guest %u 0", port);
        expect_line(w, line, CMD_OK, "vCPU 0, vector 0x4");
    }
    expect_line(w, "evtchn-bind guest 18 0", CMD_FAILED,
                "other ports have all vectors");
    memset(w->guest->offers[1], 0, sizeof(w->guest->offers[1]));
    expect_line(w, "evtchn-bind guest 18 1", CMD_FAILED,
                "offers no vector on vCPU 1");
}

static void what_the_host_cannot_is_told(void **state)
{
    struct evtchn_world *w = *state;
    static const char *const lines[] = { "evtchn-bind guest 10 0",
                                         "evtchn-unbind guest 10",
                                         "evtchn-spread guest" };
    for (size_t i = 0; i < 3; i++) {
        w->mem->patched = false;
        expect_line(w, lines[i], CMD_FAILED, "make hypervisor");
        w->mem->patched = true;
        w->guest->forbidden = true;
        expect_line(w, lines[i], CMD_FAILED,
                    "domain 5: vectors for single "
                    "event channels are switched off");
        w->guest->forbidden = false;
        w->guest->gone = true;
        expect_line(w, lines[i], CMD_FAILED, "domain 5: no such domain");
        w->guest->gone = false;
    }
}

/* --- what happens meanwhile ----------------------------------------------- */

struct meanwhile {
    struct evtchn_world *w;
    uint32_t port;
};

static void close_port(void *user)
{
    struct meanwhile *m = user;
    m->w->guest->port[m->port].type = XLX_EVTCHN_CLOSED;
    m->w->guest->port[m->port].vector = 0;
}

static void withdraw(void *user)
{
    struct meanwhile *m = user;
    memset(m->w->guest->offers, 0, sizeof(m->w->guest->offers));
}

/* Before each of the calls in turn: it works, or says why. */
static void the_guest_may_act_at_any_time(void **state)
{
    struct evtchn_world *w = *state;
    void (*const acts[])(void *) = { close_port, withdraw };
    int failed = 0;
    for (size_t a = 0; a < 2; a++)
        for (int n = 1;; n++) {
            struct meanwhile m = { w, 30 };
            evtchn_mem_connect(w->guest, 30, 0, 130);
            for (uint32_t vcpu = 0; vcpu < 4; vcpu++)
                evtchn_mem_offer(w->guest, vcpu, 0x40, 8);
            w->nth = (struct nth){ .act_at = n, .act = acts[a], .user = &m };
            int status = evtchn_world_call(w, "evtchn-bind guest 30 1");
            if (w->nth.calls < n)
                break;
            failed += status != CMD_OK;
            if (status != CMD_OK)
                assert_non_null(strstr(w->err, "domain 5: port 30: "));
            w->guest->port[30].vector = 0;
        }
    assert_in_range(failed, 4, 100);
    w->nth = (struct nth){ 0 };
}

struct spoiler {
    struct evtchn_world *w;
    bool closes; /* the port, in place of binding it itself */
    int hits;
};

/* Port 10 was given a vector, and the guest does something with it; no other
 * port can be given one any more. */
static void spoil(void *user)
{
    struct spoiler *s = user;
    struct xlx_evtchn_port *p = &s->w->guest->port[10];
    if (!p->vector)
        return;
    s->hits++;
    s->w->guest->forbidden = true;
    p->toolstack = false;
    if (s->closes) {
        p->type = XLX_EVTCHN_CLOSED;
        p->vector = 0;
    }
}

/* How often it is told, however the guest acts in between. */
static int times_told(struct evtchn_world *w, bool closes)
{
    struct spoiler s = { .w = w, .closes = closes };
    int told = 0;
    for (int n = 1;; n++) {
        evtchn_mem_connect(w->guest, 10, 0, 110);
        evtchn_mem_connect(w->guest, 11, 0, 111);
        w->guest->forbidden = false;
        w->nth = (struct nth){ .act_at = n, .act = spoil, .user = &s };
        int before = s.hits;
        int status =
            evtchn_world_call(w, "evtchn-spread guest --sample=0 --hot=2");
        if (w->nth.calls < n)
            break;
        bool tells = strstr(w->err, "domain 5: port 10: its former binding is "
                                    "not restored: ");
        if (tells)
            assert_int_equal(status, CMD_FAILED);
        assert_true(s.hits > before || !tells);
        told += tells;
    }
    w->nth = (struct nth){ 0 };
    assert_true(s.hits > 0);
    return told;
}

/* But not of a port that is closed: there is nothing to restore. */
static void what_cannot_be_undone_is_told(void **state)
{
    assert_int_equal(times_told(*state, false), 1);
    assert_int_equal(times_told(*state, true), 0);
}

static void another_command_is_waited_for(void **state)
{
    struct evtchn_world *w = *state;
    int lock = xlx__lock(w->ctx, "evtchn/lock/domain-5", xlx__now_ms());
    assert_true(lock >= 0);
    expect_line(w, "evtchn-bind guest 10 0", CMD_FAILED, "domain-5");
    expect_line(w, "evtchn-list guest", CMD_OK, "PORT"); /* needs none */
    close(lock);
    expect_line(w, "evtchn-bind guest 10 0", CMD_OK, "vector 0x40");
}

static void a_failing_call_changes_nothing(void **state)
{
    static const char *const lines[] = { "evtchn-bind guest 10 1",
                                         "evtchn-unbind guest 11",
                                         "evtchn-spread guest --sample=0",
                                         "evtchn-allow guest off" };
    struct evtchn_world *w = *state;
    expect_line(w, "evtchn-bind guest 11 2", CMD_OK, "");
    for (size_t i = 0; i < 4; i++) {
        char *before = evtchn_mem_dump(w->guest);
        int n = 1;
        for (;; n++) {
            w->nth = (struct nth){ .fail_at = n };
            int status = evtchn_world_call(w, lines[i]);
            if (w->nth.calls < n)
                break;
            char *after = evtchn_mem_dump(w->guest);
            assert_int_equal(status, CMD_FAILED);
            assert_string_equal(before, after);
            assert_true(*w->err);
            free(after);
        }
        assert_in_range(n, 5, 1000);
        free(before);
    }
}

/* --- spread --------------------------------------------------------------- */

static void the_busiest_are_spread(void **state)
{
    struct evtchn_world *w = *state;
    for (uint32_t port = 10; port < 18; port++) {
        w->guest->busy[port] = 1000;
        w->guest->port[port].vcpu = 0;
    }
    w->guest->busy[1] = 3;
    char *before = evtchn_mem_dump(w->guest);
    expect_line(w, "evtchn-spread guest --hot=8 --sample=1 --dry-run", CMD_OK,
                "8 would change, 8 with vectors; index over 4 vCPUs 0.250 -> "
                "0.999\n");
    char *after = evtchn_mem_dump(w->guest);
    assert_string_equal(before, after); /* counting is off again, too */
    free(before);
    free(after);
    expect_line(w, "evtchn-spread guest --hot=8 --sample=1", CMD_OK,
                "port 10 (vbd/51712 queue 0): upcall -> vCPU ");
    uint32_t per_vcpu[4] = { 0 };
    for (uint32_t port = 10; port < 18; port++) {
        assert_true(w->guest->port[port].toolstack);
        per_vcpu[w->guest->port[port].vcpu]++;
    }
    for (uint32_t vcpu = 0; vcpu < 4; vcpu++)
        assert_int_equal(per_vcpu[vcpu], 2);
    assert_int_equal(w->guest->port[1].vector, 0);
    expect_line(w, "evtchn-spread guest --hot=8 --sample=1", CMD_OK,
                "domain 5: 0 changed, 8 with vectors; index over 4 vCPUs 0.999 "
                "-> 0.999\n");
    /* another load: what is idle gives its vector back */
    memset(w->guest->busy, 0, sizeof(w->guest->busy));
    w->guest->busy[18] = w->guest->busy[19] = 500;
    expect_line(w, "evtchn-spread guest --sample=1", CMD_OK,
                "port 10 (vbd/51712 queue 0): vCPU ");
    assert_non_null(strstr(w->out, " -> upcall\n"));
    assert_int_equal(w->guest->port[10].vector, 0);
    assert_int_not_equal(w->guest->port[18].vector, 0);
    assert_int_not_equal(w->guest->port[18].vcpu, w->guest->port[19].vcpu);
}

static void counts_of_others_are_taken_and_left_on(void **state)
{
    struct evtchn_world *w = *state;
    w->guest->counting = true;
    w->guest->port[12].count = 50;
    w->guest->port[13].count = 50;
    expect_line(w, "evtchn-spread guest", CMD_OK, "2 changed, 2 with vectors");
    assert_true(w->guest->counting);
    assert_int_equal(w->guest->port[12].count, 50);
}

static void without_events_devices_are_spread(void **state)
{
    struct evtchn_world *w = *state;
    w->guest->busy[10] = 1000; /* nobody counts them */
    expect_line(w, "evtchn-spread guest --sample=0 --hot=2", CMD_OK,
                "(events were not counted)\n");
}

static void without_channels_there_is_nothing_to_spread(void **state)
{
    struct evtchn_world *w = *state;
    for (uint32_t port = 0; port < w->guest->nr_ports; port++)
        w->guest->port[port].type = XLX_EVTCHN_CLOSED;
    expect_line(w, "evtchn-spread guest --sample=0", CMD_OK,
                "domain 5: 0 changed, 0 with vectors; index over 4 vCPUs 0.000 "
                "-> 0.000");
}

/* When only the end of it fails, what was counted is used all the same. */
static void counting_that_fails_is_told(void **state)
{
    struct evtchn_world *w = *state;
    int warned = 0;
    w->guest->busy[10] = 1000;
    for (int n = 1;; n++) {
        w->guest->counting = false;
        w->nth = (struct nth){ .fail_at = n };
        int status =
            evtchn_world_call(w, "evtchn-spread guest --sample=1 --dry-run");
        if (w->nth.calls < n)
            break;
        bool still = strstr(w->err, "domain 5: its events are still counted: ");
        assert_true(*w->err);
        assert_int_equal(status, still ? CMD_OK : CMD_FAILED);
        assert_int_equal(w->guest->counting, still);
        warned += still;
    }
    assert_int_equal(warned, 1);
    assert_string_equal(w->err, "");
}

static void a_channel_that_was_closed_is_left_out(void **state)
{
    struct evtchn_world *w = *state;
    int left_out = 0;
    for (int n = 1;; n++) {
        struct meanwhile m = { w, 14 };
        evtchn_mem_connect(w->guest, 14, 0, 114);
        for (uint32_t port = 10; port < 20; port++)
            w->guest->port[port].vector = 0;
        w->nth = (struct nth){ .act_at = n, .act = close_port, .user = &m };
        expect_line(w, "evtchn-spread guest --sample=0", CMD_OK, " changed");
        if (w->nth.calls < n)
            break;
        left_out += strstr(w->err, "port 14: was closed meanwhile") != NULL;
        assert_int_equal(w->guest->port[14].vector, 0);
        if (left_out)
            assert_null(strstr(w->out, "port 14"));
        for (uint32_t port = 10; left_out && port < 13; port++)
            assert_int_not_equal(w->guest->port[port].vector, 0);
        if (left_out)
            break;
    }
    w->nth = (struct nth){ 0 };
    assert_int_equal(left_out, 1);
}

static void spread_says_json(void **state)
{
    struct evtchn_world *w = *state;
    expect_line(w, "evtchn-spread guest --sample=0 --hot=1 --json", CMD_OK,
                "\"to_vector\": 64");
    assert_non_null(strstr(w->out, "\"dry_run\": false"));
    expect_line(w, "evtchn-list guest --json", CMD_OK,
                "\"vectors\": [\n                64,\n");
    expect_line(w, "evtchn-list guest", CMD_OK, "vCPU 3 offers 0x40-0x47\n");
}

static void spread_refuses_with_the_cause(void **state)
{
    struct evtchn_world *w = *state;
    static const struct row rows[] = {
        { "evtchn-spread", CMD_USAGE, "one domain" },
        { "evtchn-spread guest --hot=0", CMD_USAGE, "--hot takes 1 to" },
        { "evtchn-spread guest --hot=x", CMD_USAGE, "--hot takes 1 to" },
        { "evtchn-spread guest --sample=-1", CMD_USAGE, "--sample takes 0 to" },
        { "evtchn-spread guest --sample=3600001", CMD_USAGE,
          "--sample takes 0 to" },
        { "evtchn-spread old", CMD_FAILED, "domain 6: a PV domain" },
        { "evtchn-spread guest", CMD_FAILED,
          "domain 5: the guest offers no vectors" },
    };
    memset(w->guest->offers, 0, sizeof(w->guest->offers));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_line(w, rows[i].line, rows[i].status, rows[i].says);
}

/* --- the switch ----------------------------------------------------------- */

static void the_switch_takes_all_vectors_away(void **state)
{
    struct evtchn_world *w = *state;
    struct xlx_evtchn_port *p = w->guest->port;
    p[21].vector = 0x60; /* by the guest itself */
    expect_line(w, "evtchn-bind guest 10 1", CMD_OK, "vCPU 1, vector 0x40");
    expect_line(w, "evtchn-allow guest on", CMD_OK, "allowed already\n");
    assert_int_equal(p[10].vector, 0x40);
    expect_line(w, "evtchn-allow guest off", CMD_OK,
                "domain 5: vectors for single event channels: switched off\n");
    assert_int_equal(p[10].vector, 0);
    assert_int_equal(p[21].vector, 0);
    expect_line(w, "evtchn-allow guest off", CMD_OK, "switched off already\n");
    expect_line(w, "evtchn-bind guest 10 1", CMD_FAILED, "switched off for it");
    expect_line(w, "evtchn-allow guest on", CMD_OK, "allowed\n");
    expect_line(w, "evtchn-bind guest 10 1", CMD_OK, "vCPU 1, vector 0x40");
}

static void the_switch_refuses_with_the_cause(void **state)
{
    struct evtchn_world *w = *state;
    static const struct row rows[] = {
        { "evtchn-allow", CMD_USAGE, "a domain, and on or off" },
        { "evtchn-allow guest", CMD_USAGE, "on or off" },
        { "evtchn-allow guest maybe", CMD_USAGE, "on or off" },
        { "evtchn-allow guest on off", CMD_USAGE, "on or off" },
        { "evtchn-allow old off", CMD_FAILED, "domain 6: a PV domain" },
        { "evtchn-allow 4711 off", CMD_FAILED, "domain 4711: no such domain" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_line(w, rows[i].line, rows[i].status, rows[i].says);
    w->mem->patched = false;
    expect_line(w, "evtchn-allow guest off", CMD_FAILED,
                "install the one that 'make hypervisor' builds");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        TEST(a_channel_is_bound_moved_and_unbound),
        TEST(a_vector_that_is_not_named_is_chosen),
        TEST(the_first_and_the_last_vector_can_be_chosen),
        TEST(what_cannot_be_is_refused_with_the_cause),
        TEST(all_vectors_of_a_vcpu_may_be_taken),
        TEST(what_the_host_cannot_is_told),
        TEST(the_guest_may_act_at_any_time),
        TEST(what_cannot_be_undone_is_told),
        TEST(another_command_is_waited_for),
        TEST(a_failing_call_changes_nothing),
        TEST(the_busiest_are_spread),
        TEST(counts_of_others_are_taken_and_left_on),
        TEST(without_events_devices_are_spread),
        TEST(without_channels_there_is_nothing_to_spread),
        TEST(counting_that_fails_is_told),
        TEST(a_channel_that_was_closed_is_left_out),
        TEST(spread_says_json),
        TEST(spread_refuses_with_the_cause),
        TEST(the_switch_takes_all_vectors_away),
        TEST(the_switch_refuses_with_the_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A guest that binds its channels itself, as the Linux module does, and is
 * asked where: by evtchn-spread, evtchn-bind and evtchn-unbind.
 */
#include "test.h"

#include <poll.h>

#include "core/clock.h"
#include "evtchn/places.h"
#include "fakes/evtchn_world.h"

#include "cmd.h"

#define ASKED "/local/domain/5/libxl-ext/places"

/* --- the guest ------------------------------------------------------------ */

static void place(struct xlx_evtchn_port *port, const char *text)
{
    char *rest;
    if (*text == '-') {
        port->vector = 0;
        return;
    }
    port->vcpu = (uint32_t)strtoul(text, &rest, 10);
    port->vector = (uint8_t)(0xb0 + port->port);
    assert_string_equal(rest, port->port < 12   ? " vbd/51712"
                              : port->port < 16 ? " vif/0"
                                                : " vkbd/0");
}

static void obey(void *user)
{
    struct evtchn_world *w = user;
    for (uint32_t port = 1; port < w->guest->nr_ports; port++) {
        char path[64];
        snprintf(path, sizeof(path), ASKED "/%u", port);
        const char *text = xs_mem_get(w->xs, path);
        if (text)
            place(&w->guest->port[port], text);
    }
}

/* Its disk and its network have vectors of its own choice, all on vCPU 0. */
static int setup(void **state)
{
    struct evtchn_world *w = evtchn_world_new();
    w->mem->patched = true;
    for (uint32_t port = 10; port < 16; port++) {
        w->guest->port[port].vcpu = 0;
        w->guest->port[port].vector = (uint8_t)(0x30 + port);
    }
    w->guest->counting = true;
    for (uint32_t port = 12; port < 16; port++)
        w->guest->port[port].count = 1000;
    evtchn_world_put(w, "data/evtchn-places", "0 1 2 3");
    xs_mem_set_peer(w->xs, obey, w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    evtchn_world_free(*state);
    return 0;
}

static const char *asked(struct evtchn_world *w, uint32_t port)
{
    char path[64];
    snprintf(path, sizeof(path), ASKED "/%u", port);
    return xs_mem_get(w->xs, path);
}

static void call(struct evtchn_world *w, const char *line, int status,
                 const char *says)
{
    int is = evtchn_world_call(w, line);
    if (is != status || !strstr(status == CMD_OK ? w->out : w->err, says))
        fail_msg("%s: %d\n%s%s", line, is, w->out, w->err);
}

/* --- what it says --------------------------------------------------------- */

static void lists_of_vcpus_are_strict(void **state)
{
    static const struct {
        const char *text;
        int nr; /* -1: refused */
    } rows[] = {
        { "", 0 },
        { "0", 1 },
        { "3", 1 },
        { "0 1 2 3", 4 },
        { "3 0", 2 },
        { "4", -1 },
        { "-1", -1 },
        { "00", -1 },
        { "01", -1 },
        { " 0", -1 },
        { "0 ", -1 },
        { "0  1", -1 },
        { "0,1", -1 },
        { "1 0 1", -1 },
        { "0x1", -1 },
        { "0-3", -1 },
        { "a", -1 },
        { "0\n", -1 },
        { "0\xff", -1 },
        { "+1", -1 },
        { "4294967296", -1 },
        { "000000000000000000000000000000001", -1 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct xlx_evtchn_offer *list;
        int nr = xlx__places_parse(rows[i].text, 4, &list);
        if (rows[i].nr < 0 ? nr != -EINVAL || list : nr != rows[i].nr)
            fail_msg("'%s': %d", rows[i].text, nr);
        for (int k = 0; k < nr; k++) {
            assert_int_equal(list[k].vectors[0] & UINT32_MAX, 0);
            assert_int_equal(list[k].vectors[3], UINT64_MAX);
        }
        free(list);
    }
}

/* "100 101 ... " of 512 bytes is taken, of 513 not. */
static void a_list_has_a_longest(void **state)
{
    char text[XLX__PLACES_TEXT_MAX + 8];
    struct xlx_evtchn_offer *list;
    size_t n = 0;
    (void)state;
    for (unsigned vcpu = 100; vcpu < 227; vcpu++)
        n += (size_t)sprintf(text + n, "%u ", vcpu);
    strcpy(text + n, "1000"); /* 127 * 4 + 4 */
    assert_int_equal(strlen(text), XLX__PLACES_TEXT_MAX);
    assert_int_equal(xlx__places_parse(text, 20000, &list), 128);
    free(list);
    strcpy(text + n, "100");
    assert_int_equal(xlx__places_parse(text, 20000, &list), -EINVAL);
    strcpy(text + n, "99");
    assert_int_equal(xlx__places_parse(text, 20000, &list), 128);
    free(list);
    strcpy(text + n, "10000");
    assert_int_equal(xlx__places_parse(text, 20000, &list), -EINVAL);
}

static void a_lie_is_refused(void **state)
{
    struct evtchn_world *w = *state;
    evtchn_world_put(w, "data/evtchn-places", "0 4");
    call(w, "evtchn-spread guest --sample=0", CMD_FAILED,
         "data/evtchn-places: not a list of vCPUs that the guest has");
    assert_null(xs_mem_get(w->xs, ASKED));
}

/* --- asking --------------------------------------------------------------- */

static void it_is_asked_and_obeys(void **state)
{
    struct evtchn_world *w = *state;
    bool on[4] = { false };
    call(w, "evtchn-spread guest --sample=0", CMD_OK,
         "domain 5: 5 changed, 4 with vectors; index over 4 vCPUs 0.250 -> "
         "1.000");
    for (uint32_t port = 12; port < 16; port++) {
        const struct xlx_evtchn_port *p = &w->guest->port[port];
        on[p->vcpu] = true;
        assert_true(p->vector);
        assert_false(p->toolstack); /* Xen was asked for nothing */
    }
    assert_true(on[0] && on[1] && on[2] && on[3]);
    assert_string_equal(asked(w, 10), "- vbd/51712");
    assert_string_equal(asked(w, 11), "- vbd/51712");
    assert_null(asked(w, 1));
    /* It shows the vector that the guest took. */
    assert_non_null(strstr(w->out, "vCPU 1 vector 0xb"));
    call(w, "evtchn-spread guest --sample=0", CMD_OK, "0 changed");
}

static void a_dry_run_asks_nothing(void **state)
{
    struct evtchn_world *w = *state;
    call(w, "evtchn-spread guest --sample=0 --dry-run", CMD_OK, "4 with");
    assert_null(xs_mem_get(w->xs, ASKED));
}

static void vcpus_that_it_does_not_name_get_none(void **state)
{
    struct evtchn_world *w = *state;
    evtchn_world_put(w, "data/evtchn-places", "0 2");
    call(w, "evtchn-spread guest --sample=0 --hot=4", CMD_OK, "0.500 -> 1.000");
    for (uint32_t port = 12; port < 16; port++)
        assert_true(w->guest->port[port].vcpu % 2 == 0);
    call(w, "evtchn-bind guest 12 1", CMD_FAILED,
         "port 12: the guest has no channels on vCPU 1");
}

static void single_channels_are_asked_for(void **state)
{
    struct evtchn_world *w = *state;
    call(w, "evtchn-bind guest 13 3", CMD_OK,
         "domain 5: port 13: vCPU 3, vector 0xbd");
    assert_string_equal(asked(w, 13), "3 vif/0");
    call(w, "evtchn-bind guest 16 2", CMD_OK, "vCPU 2, vector 0xc0");
    call(w, "evtchn-unbind guest 13", CMD_OK, "port 13: back on the upcall");
    assert_string_equal(asked(w, 13), "- vif/0");
    assert_int_equal(w->guest->port[13].vector, 0);
    call(w, "evtchn-unbind guest 13", CMD_OK, "was already on the upcall");
    call(w, "evtchn-bind guest 13 3 0x51", CMD_FAILED,
         "the guest chooses its vectors itself: leave the vector out");
    call(w, "evtchn-bind guest 1 0", CMD_FAILED,
         "port 1: the guest can be asked only for channels of its devices");
    call(w, "evtchn-bind guest 3 0", CMD_FAILED,
         "only for channels of its devices");
    call(w, "evtchn-bind guest 13 4", CMD_FAILED, "no vCPU 4");
}

/* Its former wish is there again when it does not obey. */
static void one_that_does_not_obey_is_told_of(void **state)
{
    struct evtchn_world *w = *state;
    struct xlx__evtchn_job job;
    struct xlx_evtchn_change list[] = {
        { .port = 12, .to_vcpu = 1, .to_vector = 1, .device = "vif/0 queue 0" },
        { .port = 13, .to_vcpu = 2, .to_vector = 1, .device = "vif/0 queue 0" },
    };
    call(w, "evtchn-bind guest 12 3", CMD_OK, "vCPU 3");
    xs_mem_set_peer(w->xs, NULL, NULL);
    assert_int_equal(xlx__evtchn_job_begin(w->ctx, 5, &job), 0);
    assert_int_equal(xlx__places_apply(w->ctx, &job, list, 2, xlx__now_ms()),
                     -ETIMEDOUT);
    assert_string_equal(xlx_ctx_error(w->ctx),
                        "domain 5: port 12: the guest has not placed it where "
                        "it was asked to");
    xlx__evtchn_job_end(&job);
    assert_string_equal(asked(w, 12), "3 vif/0");
    assert_null(asked(w, 13));
}

static void a_port_that_was_closed_is_left_out(void **state)
{
    struct evtchn_world *w = *state;
    struct xlx__evtchn_job job;
    struct xlx_evtchn_change list[] = {
        { .port = 30, .to_vcpu = 1, .to_vector = 1, .device = "vif/0 queue 0" },
        { .port = 13, .to_vcpu = 2, .to_vector = 1, .device = "vif/0 queue 0" },
    };
    assert_int_equal(xlx__evtchn_job_begin(w->ctx, 5, &job), 0);
    w->guest->port[30].type = XLX_EVTCHN_CLOSED;
    xs_mem_set_peer(w->xs, NULL, NULL);
    place(&w->guest->port[13], "2 vif/0");
    assert_int_equal(xlx__places_apply(w->ctx, &job, list, 2, xlx__now_ms()),
                     1);
    xlx__evtchn_job_end(&job);
    assert_int_equal(list[0].port, 13);
    assert_int_equal(list[0].to_vector, 0xb0 + 13);
}

static void a_domain_that_ended_is_not_written_to(void **state)
{
    struct evtchn_world *w = *state;
    struct xlx__evtchn_job job;
    struct xlx_evtchn_change one = { .port = 13, .device = "vif/0 queue 0" };
    assert_int_equal(xlx__evtchn_job_begin(w->ctx, 5, &job), 0);
    evtchn_world_put(w, "name", NULL);
    assert_int_equal(xlx__places_apply(w->ctx, &job, &one, 1, xlx__now_ms()),
                     -ESRCH);
    xlx__evtchn_job_end(&job);
    assert_null(xs_mem_get(w->xs, ASKED));
}

static void a_policy_takes_back_what_was_asked(void **state)
{
    struct evtchn_world *w = *state;
    xlx_ctx_set_path(w->ctx, XLX_PATH_STATE, w->dir);
    call(w, "evtchn-bind guest 13 3", CMD_OK, "vCPU 3");
    call(w, "evtchn-policy guest --vectors=vif", CMD_OK, "");
    assert_null(xs_mem_get(w->xs, ASKED));
    call(w, "evtchn-bind guest 13 2", CMD_OK, "vCPU 2");
    call(w, "evtchn-policy guest --vectors=vif", CMD_OK, "");
    assert_string_equal(asked(w, 13), "2 vif/0"); /* it is the same */
    call(w, "evtchn-policy guest --remove", CMD_OK, "");
    assert_null(xs_mem_get(w->xs, "/local/domain/5/libxl-ext"));
}

/* Whatever call fails, the guest is asked for what it was before. */
static void a_failing_call_asks_nothing(void **state)
{
    struct evtchn_world *w = *state;
    int n = 1;
    for (;; n++) {
        w->guest->port[13].vcpu = 0;
        w->nth = (struct nth){ .fail_at = n };
        int status = evtchn_world_call(w, "evtchn-bind guest 13 3");
        if (w->nth.calls < n)
            break;
        if (status != CMD_FAILED || !*w->err)
            fail_msg("call %d: %s", n, w->out);
        if (asked(w, 13))
            fail_msg("call %d leaves %s", n, asked(w, 13));
    }
    assert_in_range(n, 20, 1000);
    assert_string_equal(asked(w, 13), "3 vif/0");
}

/* --- watching ------------------------------------------------------------- */

static void report(void *user, const struct xlx_evtchn_report *r)
{
    uint32_t *changes = user;
    assert_string_equal(r->reason, "");
    *changes += r->nr_changes;
}

/* As the load is now, and once that is right nothing more. */
static void a_watch_asks_too(void **state)
{
    const struct xlx_evtchn_watch_config config = { .guest = "guest",
                                                    .every_ms = 20 };
    struct evtchn_world *w = *state;
    int64_t until = xlx__now_ms() + 20000;
    xlx_evtchn_watch *watch;
    uint32_t changes = 0;
    w->guest->counting = false;
    for (uint32_t port = 12; port < 16; port++)
        w->guest->busy[port] = 1000;
    assert_int_equal(xlx_evtchn_watch_new(w->ctx, &config, sizeof(config),
                                          report, &changes, &watch),
                     0);
    while (!changes && xlx__now_ms() < until) {
        struct pollfd fd = { xlx_evtchn_watch_fd(watch), POLLIN, 0 };
        poll(&fd, 1, 10);
        assert_int_equal(xlx_evtchn_watch_dispatch(watch), 0);
    }
    assert_int_equal(changes, 5); /* three moved, two on the upcall */
    assert_string_equal(asked(w, 10), "- vbd/51712");
    xlx_evtchn_watch_free(watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        cmocka_unit_test(lists_of_vcpus_are_strict),
        cmocka_unit_test(a_list_has_a_longest),
        TEST(a_lie_is_refused),
        TEST(it_is_asked_and_obeys),
        TEST(a_dry_run_asks_nothing),
        TEST(vcpus_that_it_does_not_name_get_none),
        TEST(single_channels_are_asked_for),
        TEST(one_that_does_not_obey_is_told_of),
        TEST(a_port_that_was_closed_is_left_out),
        TEST(a_domain_that_ended_is_not_written_to),
        TEST(a_policy_takes_back_what_was_asked),
        TEST(a_failing_call_asks_nothing),
        TEST(a_watch_asks_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

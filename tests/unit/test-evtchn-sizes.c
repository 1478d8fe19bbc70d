/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The public structs of event channels in programs that were built with an
 * older header or with a newer one.
 */
#include "test.h"

#include "fakes/evtchn_world.h"
#include "fakes/sized.h"

static int setup(void **state)
{
    struct evtchn_world *w = evtchn_world_new();
    w->mem->patched = true;
    xlx_ctx_set_path(w->ctx, XLX_PATH_STATE, w->dir);
    evtchn_mem_offer(w->guest, 1, 0x40, 8);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    evtchn_world_free(*state);
    return 0;
}

static int diagnose(void *user, void **list_r, size_t size)
{
    struct evtchn_world *w = user;
    struct xlx_evtchn_finding *list = NULL;
    xlx_evtchn_channels *channels;
    assert_true(xlx_evtchn_list(w->ctx, 5, &channels) > 0);
    int nr = xlx_evtchn_diagnose(channels, &list, size);
    xlx_evtchn_channels_free(channels);
    *list_r = list;
    return nr;
}

static int list_policies(void *user, void **list_r, size_t size)
{
    struct evtchn_world *w = user;
    struct xlx_evtchn_policy *list = NULL;
    int nr = xlx_evtchn_policy_list(w->ctx, &list, size);
    *list_r = list;
    return nr;
}

static void lists_have_the_callers_size(void **state)
{
    struct evtchn_world *w = *state;
    sized_list_check(diagnose, w, sizeof(enum xlx_evtchn_finding_code),
                     sizeof(struct xlx_evtchn_finding));
    assert_int_equal(xlx_evtchn_policy_set(w->ctx, "guest", "vif"), 0);
    sized_list_check(list_policies, w, offsetof(struct xlx_evtchn_policy, name),
                     sizeof(struct xlx_evtchn_policy));
}

static int plan(void *user, void *to, size_t size)
{
    static const struct xlx_evtchn_offer offer = { 1, { 0, 0xff } };
    struct evtchn_world *w = user;
    struct xlx_evtchn_change *list = NULL;
    xlx_evtchn_channels *channels;
    assert_true(xlx_evtchn_list(w->ctx, 5, &channels) > 0);
    int nr = xlx_evtchn_plan(channels, &offer, 1, 2, to, size, &list);
    xlx_evtchn_channels_free(channels);
    free(list);
    return nr;
}

static int spread(struct evtchn_world *w, const void *config,
                  size_t config_size, void *plan, size_t size)
{
    struct xlx_evtchn_change *list = NULL;
    int nr =
        xlx_evtchn_spread(w->ctx, 5, config, config_size, plan, size, &list);
    free(list);
    return nr;
}

static int spread_with_plan(void *user, void *to, size_t size)
{
    const struct xlx_evtchn_spread_config dry = { .dry_run = true };
    return spread(user, &dry, sizeof(dry), to, size);
}

static void plans_have_the_callers_size(void **state)
{
    size_t older = offsetof(struct xlx_evtchn_plan, counted);
    size_t last = offsetof(struct xlx_evtchn_plan, index_after);
    size_t has = sizeof(struct xlx_evtchn_plan);
    sized_fill_check(plan, *state, older, last, has);
    sized_fill_check(spread_with_plan, *state, older, last, has);
}

static int spread_with_config(void *user, const void *config, size_t size)
{
    struct xlx_evtchn_plan plan;
    return spread(user, config, size, &plan, sizeof(plan));
}

static void no_report(void *user, const struct xlx_evtchn_report *report)
{
    (void)user;
    (void)report;
}

static int watch(void *user, const void *config, size_t size)
{
    struct evtchn_world *w = user;
    xlx_evtchn_watch *watch = NULL;
    int rc =
        xlx_evtchn_watch_new(w->ctx, config, size, no_report, NULL, &watch);
    xlx_evtchn_watch_free(watch);
    return rc;
}

static void configs_have_the_callers_size(void **state)
{
    static const struct xlx_evtchn_spread_config one = { .hot = 1 };
    static const struct xlx_evtchn_watch_config guest = { .guest = "guest" };
    sized_take_check(spread_with_config, *state, &one,
                     offsetof(struct xlx_evtchn_spread_config, sample_ms),
                     sizeof(one));
    sized_take_check(watch, *state, &guest,
                     offsetof(struct xlx_evtchn_watch_config, hot),
                     sizeof(guest));
}

static void channels_are_lent(void **state)
{
    struct evtchn_world *w = *state;
    xlx_evtchn_channels *channels;
    int nr = xlx_evtchn_list(w->ctx, 5, &channels);
    assert_int_equal(xlx_evtchn_info(channels)->nr_ports, nr);
    uint32_t last = (uint32_t)nr - 1;
    assert_int_equal(xlx_evtchn_port(channels, 0)->port, 1);
    assert_true(xlx_evtchn_port(channels, last)->port > last);
    assert_null(xlx_evtchn_port(channels, last + 1));
    xlx_evtchn_channels_free(channels);
    xlx_evtchn_channels_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lists_have_the_callers_size, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(plans_have_the_callers_size, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(configs_have_the_callers_size, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(channels_are_lent, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

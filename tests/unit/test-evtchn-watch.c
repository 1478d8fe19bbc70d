/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * evtchn-spread --watch: what the guest wishes at once, the load as it changes,
 * and the same guest as another domain.
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "cmd.h"
#include "core/clock.h"
#include "fakes/evtchn_world.h"
#include "libxl_ext_evtchn.h"

#define AREA "data/evtchn-vectors/"

struct fixture {
    struct evtchn_world *w;
    xlx_evtchn_watch *watch;
    char told[4096]; /* "5: 10 1/0x50;" ... since the last look */
    char logged[1024];
};

static void report(void *user, const struct xlx_evtchn_report *r)
{
    struct fixture *f = user;
    size_t n = strlen(f->told);
    assert_string_equal(r->guest, "guest");
    assert_true((r->plan != NULL) == !*r->reason);
    n += (size_t)snprintf(f->told + n, sizeof(f->told) - n, "%u:", r->domid);
    for (uint32_t i = 0; i < r->nr_changes; i++)
        n += (size_t)snprintf(f->told + n, sizeof(f->told) - n, " %u %u/0x%02x",
                              r->changes[i].port, r->changes[i].to_vcpu,
                              r->changes[i].to_vector);
    snprintf(f->told + n, sizeof(f->told) - n, "%s%s;", *r->reason ? " " : "",
             r->reason);
}

static void log_to(void *user, enum xlx_log_level level, const char *text)
{
    struct fixture *f = user;
    (void)level;
    snprintf(f->logged, sizeof(f->logged), "%s", text);
}

static void put(struct fixture *f, const char *node, const char *value)
{
    char path[256];
    snprintf(path, sizeof(path), AREA "%s", node);
    evtchn_world_put(f->w, path, value);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->w = evtchn_world_new();
    f->w->mem->patched = true;
    xlx_ctx_set_log(f->w->ctx, log_to, f, XLX_LOG_WARN);
    put(f, "version", "1");
    put(f, "vcpu/0", "0x40-0x47");
    put(f, "vcpu/1", "0x50-0x57");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    xlx_evtchn_watch_free(f->watch);
    evtchn_world_free(f->w);
    free(f);
    return 0;
}

/* An hour between looks at the load, or so many ms. */
static void start(struct fixture *f, uint32_t every_ms)
{
    const struct xlx_evtchn_watch_config config = { .guest = "guest",
                                                    .every_ms = every_ms };
    assert_int_equal(xlx_evtchn_watch_new(f->w->ctx, &config, sizeof(config),
                                          report, f, &f->watch),
                     0);
}

#define HOUR_MS 3600000u

static void dispatch(struct fixture *f)
{
    struct pollfd fd = { .fd = xlx_evtchn_watch_fd(f->watch),
                         .events = POLLIN };
    poll(&fd, 1, 10);
    assert_int_equal(xlx_evtchn_watch_dispatch(f->watch), 0);
}

/* Until that is told. */
static void expect(struct fixture *f, const char *text)
{
    int64_t until = xlx__now_ms() + 20000;
    while (!strstr(f->told, text) && xlx__now_ms() < until)
        dispatch(f);
    if (!strstr(f->told, text))
        fail_msg("told '%s', not '%s'", f->told, text);
    f->told[0] = '\0';
}

/* Until the events of the guest are counted, so that it was looked at. */
static void expect_counting(struct evtchn_mem_domain *d, struct fixture *f)
{
    int64_t until = xlx__now_ms() + 20000;
    while (!d->counting && xlx__now_ms() < until)
        dispatch(f);
    assert_true(d->counting);
}

/* --- wishes --------------------------------------------------------------- */

static void a_wish_is_granted_at_once(void **state)
{
    struct fixture *f = *state;
    start(f, HOUR_MS);
    expect_counting(f->w->guest, f);
    assert_string_equal(f->told, "");
    put(f, "port/10", "1 0x50");
    expect(f, "5: 10 1/0x50;");
    put(f, "port/10", "0 0x47");
    expect(f, "5: 10 0/0x47;");
    /* nothing else is moved, whatever has no events */
    for (uint32_t port = 11; port < 20; port++)
        assert_int_equal(f->w->guest->port[port].vector, 0);
}

static void a_channel_that_comes_back_gets_it_again(void **state)
{
    struct fixture *f = *state;
    put(f, "port/10", "1 0x50");
    start(f, HOUR_MS);
    expect(f, "5: 10 1/0x50;");
    f->w->guest->port[10].type = XLX_EVTCHN_CLOSED;
    f->w->guest->port[10].vector = 0;
    evtchn_world_put(f->w, "device/vbd/51712/state", "6");
    for (int i = 0; i < 30; i++)
        dispatch(f);
    assert_string_equal(f->told, "");
    evtchn_mem_connect(f->w->guest, 10, 0, 140);
    evtchn_world_put(f->w, "device/vbd/51712/state", "4");
    expect(f, "5: 10 1/0x50;");
}

static void what_is_withdrawn_goes_back(void **state)
{
    struct fixture *f = *state;
    put(f, "port/10", "1 0x50");
    put(f, "serial", "1");
    start(f, HOUR_MS);
    expect(f, "5: 10 1/0x50;");
    put(f, "port/10", NULL);
    put(f, "vcpu/1", NULL);
    put(f, "serial", "2");
    int64_t until = xlx__now_ms() + 20000;
    while (f->w->guest->port[10].vector && xlx__now_ms() < until)
        dispatch(f);
    assert_int_equal(f->w->guest->port[10].vector, 0);
    assert_string_equal(xs_mem_get(f->w->xs, "/local/domain/5/" AREA "done"),
                        "2");
}

/* --- load ----------------------------------------------------------------- */

static void the_load_is_followed(void **state)
{
    struct fixture *f = *state;
    f->w->guest->busy[18] = f->w->guest->busy[19] = 900;
    start(f, 30);
    expect(f, "5: 18 0/0x40 19 1/0x50;");
    memset(f->w->guest->busy, 0, sizeof(f->w->guest->busy));
    f->w->guest->busy[12] = 5000;
    expect(f, "12 0/0x4");
    assert_int_equal(f->w->guest->port[18].vector, 0);
    assert_int_equal(f->w->guest->port[19].vector, 0);
    /* an idle guest keeps what it has */
    memset(f->w->guest->busy, 0, sizeof(f->w->guest->busy));
    for (int i = 0; i < 60; i++)
        dispatch(f);
    assert_string_equal(f->told, "");
    assert_int_not_equal(f->w->guest->port[12].vector, 0);
}

static void counting_ends_with_it(void **state)
{
    struct fixture *f = *state;
    start(f, HOUR_MS);
    expect_counting(f->w->guest, f);
    xlx_evtchn_watch_free(f->watch);
    f->watch = NULL;
    assert_false(f->w->guest->counting);
    /* unless it is another's */
    f->w->guest->counting = true;
    f->w->guest->port[12].count = 7;
    put(f, "port/12", "1 0x51");
    start(f, HOUR_MS);
    expect(f, "5: 12 1/0x51;");
    xlx_evtchn_watch_free(f->watch);
    f->watch = NULL;
    assert_true(f->w->guest->counting);
    assert_int_equal(f->w->guest->port[12].count, 7);
}

static int nr_open(void)
{
    int nr = 0;
    for (int fd = 0; fd < 256; fd++)
        nr += fcntl(fd, F_GETFD) >= 0;
    return nr;
}

static void nothing_stays_open(void **state)
{
    struct fixture *f = *state;
    char path[160];
    snprintf(path, sizeof(path),
             "%s/evtchn/watch-00000000-0000-4000-8000-000000000005.pid",
             f->w->dir);
    int before = nr_open();
    for (int i = 0; i < 2; i++) {
        start(f, HOUR_MS);
        assert_int_equal(access(path, F_OK), 0);
        assert_int_equal(nr_open(), before + 3); /* lock, epoll, timer */
        xlx_evtchn_watch_free(f->watch);
        f->watch = NULL;
        assert_int_equal(nr_open(), before);
        assert_int_not_equal(access(path, F_OK), 0);
    }
}

/* --- another domain ------------------------------------------------------- */

static struct evtchn_mem_domain *restore(struct fixture *f)
{
    struct evtchn_mem_domain *d = evtchn_mem_add(f->w->mem, 7, true, 4);
    evtchn_mem_connect(d, 11, 0, 150);
    xs_mem_put(f->w->xs, "/local/domain/7/vm",
               "/vm/00000000-0000-4000-8000-000000000005");
    xs_mem_put(f->w->xs, "/local/domain/7/name", "guest");
    return d;
}

static void it_goes_on_after_a_restore(void **state)
{
    struct fixture *f = *state;
    put(f, "port/10", "1 0x50");
    start(f, HOUR_MS);
    expect(f, "5: 10 1/0x50;");
    f->w->guest->gone = true;
    xs_mem_put(f->w->xs, "/local/domain/5", NULL);
    for (int i = 0; i < 30; i++)
        dispatch(f);
    assert_string_equal(f->told, "");
    struct evtchn_mem_domain *d = restore(f);
    expect(f, "7: domain 7: the guest offers no vectors"); /* not yet */
    xs_mem_put(f->w->xs, "/local/domain/7/" AREA "version", "1");
    xs_mem_put(f->w->xs, "/local/domain/7/" AREA "vcpu/2", "0x70");
    xs_mem_put(f->w->xs, "/local/domain/7/" AREA "port/11", "2 0x70");
    expect(f, "7: 11 2/0x70;");
    assert_int_equal(d->port[11].vector, 0x70);
    expect_counting(d, f);
}

/* --- failures ------------------------------------------------------------- */

static void a_failure_is_told_once_and_passes(void **state)
{
    struct fixture *f = *state;
    put(f, "vcpu/0", "junk");
    start(f, 20);
    f->logged[0] = '\0';
    expect(f, "vcpu/0: not a list of vectors");
    for (int i = 0; i < 30; i++)
        dispatch(f);
    assert_string_equal(f->told, "");
    assert_string_equal(f->logged, "");
    put(f, "vcpu/0", "0x40");
    put(f, "port/10", "0 0x40");
    expect(f, "5: 10 0/0x40;");
    f->w->guest->forbidden = true;
    expect(f, "5: domain 5: vectors for single event channels are switched");
}

static void a_call_that_fails_does_not_end_it(void **state)
{
    struct fixture *f = *state;
    for (int n = 1; n < 80; n++) {
        put(f, "port/10", n & 1 ? "1 0x50" : "0 0x47");
        f->told[0] = '\0';
        if (!f->watch)
            start(f, 5);
        f->w->nth = (struct nth){ .fail_at = n };
        struct pollfd fd = { .fd = xlx_evtchn_watch_fd(f->watch),
                             .events = POLLIN };
        while (f->w->nth.calls < n) {
            poll(&fd, 1, 10);
            if (!xlx_evtchn_watch_dispatch(f->watch))
                continue;
            /* xenstore's own wait: it is over */
            xlx_evtchn_watch_free(f->watch);
            f->watch = NULL;
            f->w->nth = (struct nth){ 0 };
            start(f, 5);
            break;
        }
        f->w->nth = (struct nth){ 0 };
        int64_t until = xlx__now_ms() + 20000;
        while (f->w->guest->port[10].vector != (n & 1 ? 0x50 : 0x47) &&
               xlx__now_ms() < until)
            dispatch(f);
        assert_int_equal(f->w->guest->port[10].vector, n & 1 ? 0x50 : 0x47);
    }
}

/* Whatever fails at its end. */
static void events_that_are_still_counted_are_told(void **state)
{
    struct fixture *f = *state;
    int told = 0, calls = 1;
    for (int n = 1; calls >= n; n++) {
        f->w->guest->counting = false;
        start(f, HOUR_MS);
        expect_counting(f->w->guest, f);
        f->logged[0] = '\0';
        f->w->nth = (struct nth){ .fail_at = n };
        xlx_evtchn_watch_free(f->watch);
        f->watch = NULL;
        calls = f->w->nth.calls;
        f->w->nth = (struct nth){ 0 };
        bool tells = strstr(f->logged, "domain 5: its events are still "
                                       "counted: Input/output error");
        assert_int_equal(tells, f->w->guest->counting);
        told += tells;
    }
    assert_int_equal(told, 1);
}

static void what_cannot_be_watched_is_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *line;
        int status;
        const char *says;
    } rows[] = {
        { "evtchn-spread guest --watch --dry-run", CMD_USAGE, "excludes" },
        { "evtchn-spread guest --watch --sample=5", CMD_USAGE, "excludes" },
        { "evtchn-spread guest --every=5", CMD_USAGE, "needs --watch" },
        { "evtchn-spread guest --watch --every=0", CMD_USAGE, "1 to 3600" },
        { "evtchn-spread nobody --watch", CMD_FAILED, "no such domain" },
        { "evtchn-spread gues --watch", CMD_FAILED, "did you mean guest?" },
        { "evtchn-spread old --watch", CMD_FAILED, "a PV domain" },
        { "evtchn-spread guest --watch", CMD_FAILED, "another evtchn-spread" },
    };
    start(f, HOUR_MS);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(evtchn_world_call(f->w, rows[i].line), rows[i].status);
        assert_non_null(strstr(f->w->err, rows[i].says));
    }
    xlx_evtchn_watch_free(f->watch);
    f->watch = NULL;
    evtchn_world_put(f->w, "vm", NULL);
    assert_int_equal(evtchn_world_call(f->w, "evtchn-spread guest --watch"),
                     CMD_FAILED);
    assert_non_null(strstr(f->w->err, "has no UUID"));
    f->w->mem->patched = false;
    assert_int_equal(evtchn_world_call(f->w, "evtchn-spread guest --watch"),
                     CMD_FAILED);
    assert_non_null(strstr(f->w->err, "make hypervisor"));
    xlx_evtchn_watch_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        TEST(a_wish_is_granted_at_once),
        TEST(a_channel_that_comes_back_gets_it_again),
        TEST(what_is_withdrawn_goes_back),
        TEST(the_load_is_followed),
        TEST(counting_ends_with_it),
        TEST(nothing_stays_open),
        TEST(it_goes_on_after_a_restore),
        TEST(a_failure_is_told_once_and_passes),
        TEST(a_call_that_fails_does_not_end_it),
        TEST(events_that_are_still_counted_are_told),
        TEST(what_cannot_be_watched_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

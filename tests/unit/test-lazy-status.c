/* SPDX-License-Identifier: LGPL-2.1-only */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fakes/xenstore_mem.h"
#include "lazy/message.h"
#include "lazy/status.h"
#include "xen/xenstore.h"

struct world {
    xlx_ctx *ctx;
    char dir[64];
    char run[80];
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    strcpy(w->dir, "/tmp/xlx-status-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->run, sizeof(w->run), "%s/run", w->dir);
    assert_int_equal(xlx_ctx_new(&w->ctx), 0);
    assert_int_equal(xlx_ctx_set_path(w->ctx, XLX_PATH_RUN, w->run), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char command[100];
    snprintf(command, sizeof(command), "rm -rf '%s'", w->dir);
    assert_int_equal(system(command), 0);
    xlx_ctx_free(w->ctx);
    free(w);
    return 0;
}

static struct xlx_lazy_status example(void)
{
    struct xlx_lazy_status s = { .domid = 12,
                                 .state = XLX_LAZY_COMPLETE,
                                 .image = "/srv/\"odd\"\n.save" };
    uint64_t *number = &s.pages;
    for (size_t i = 0; number + i <= &s.image_ino; i++)
        number[i] = 1000 + i;
    s.bad_pages = 5;
    s.nr_bad = 2;
    s.bad[0] = (struct xlx_image_range){ 300, 4 };
    s.bad[1] = (struct xlx_image_range){ UINT64_C(1) << 40, 1 };
    return s;
}

static void every_field_comes_back(void **state)
{
    struct world *w = *state;
    struct xlx_lazy_status s = example(), back;
    assert_int_equal(xlx__lazy_status_write(w->run, &s), 0);
    assert_int_equal(xlx_lazy_status(w->ctx, 12, &back, sizeof(back)), 0);
    assert_memory_equal(&s, &back, sizeof(s));
}

static void any_name_comes_back(void **state)
{
    struct world *w = *state;
    struct xlx_lazy_status s = example(), back;
    static const char *const names[] = { "/srv/f\xfcr.save", "/srv/\xc3",
                                         "/srv/\\xfc", "/srv/f\xc3\xbcr" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        memset(s.image, 0, sizeof(s.image));
        strcpy(s.image, names[i]);
        assert_int_equal(xlx__lazy_status_write(w->run, &s), 0);
        assert_int_equal(xlx_lazy_status(w->ctx, 12, &back, sizeof(back)), 0);
        assert_string_equal(back.image, s.image);
    }
}

static void a_second_status_replaces_the_first(void **state)
{
    struct world *w = *state;
    struct xlx_lazy_status s = example(), back;
    assert_int_equal(xlx__lazy_status_write(w->run, &s), 0);
    s.done = 5;
    assert_int_equal(xlx__lazy_status_write(w->run, &s), 0);
    assert_int_equal(xlx_lazy_status(w->ctx, 12, &back, sizeof(back)), 0);
    assert_int_equal(back.done, 5);
}

static void domains_are_listed_by_number(void **state)
{
    struct world *w = *state;
    struct xlx_lazy_status s = example();
    uint32_t *domids;
    assert_int_equal(xlx_lazy_list(w->ctx, &domids), 0);
    free(domids);
    static const uint32_t order[] = { 100, 9, 12 };
    for (int i = 0; i < 3; i++) {
        s.domid = order[i];
        assert_int_equal(xlx__lazy_status_write(w->run, &s), 0);
    }
    xlx__lazy_status_remove(w->run, 12);
    xlx__lazy_status_remove(w->run, 12);
    assert_int_equal(xlx_lazy_list(w->ctx, &domids), 2);
    assert_int_equal(domids[0], 9);
    assert_int_equal(domids[1], 100);
    free(domids);
}

static void an_unknown_domain_has_none(void **state)
{
    struct world *w = *state;
    struct xlx_lazy_status s;
    assert_int_equal(xlx_lazy_status(w->ctx, 12, &s, sizeof(s)), -ENOENT);
    assert_string_equal(xlx_ctx_error(w->ctx),
                        "domain 12: was not restored lazily on this host");
}

static void write_text(struct world *w, const char *text)
{
    char path[120];
    snprintf(path, sizeof(path), "%s/lazy/12.json", w->run);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void a_file_that_is_no_status_is_refused(void **state)
{
    struct world *w = *state;
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"domid\":12,\"pid\":0,\"state\":\"odd\"}",
        "{\"domid\":-1,\"pid\":0,\"state\":\"filling\",\"image\":\"\","
        "\"reason\":\"\"}",
    };
    struct xlx_lazy_status s = example();
    assert_int_equal(xlx__lazy_status_write(w->run, &s), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_text(w, bad[i]);
        assert_int_equal(xlx_lazy_status(w->ctx, 12, &s, sizeof(s)), -EBADMSG);
    }
}

/* The longest there is, and one more. */
static void the_list_of_bad_pages_is_bounded(void **state)
{
    struct world *w = *state;
    struct xlx_lazy_status s = example(), back;
    memset(s.image, 1, sizeof(s.image) - 1); /* six bytes each in JSON */
    memset(s.reason, 1, sizeof(s.reason) - 1);
    for (uint64_t *n = &s.pages; n <= &s.bad_pages; n++)
        *n = INT64_MAX;
    s.nr_bad = XLX_LAZY_BAD_MAX;
    for (size_t i = 0; i < s.nr_bad; i++)
        s.bad[i] = (struct xlx_image_range){ INT64_MAX, INT64_MAX };
    char *json = xlx_lazy_status_json(&s, sizeof(s));
    assert_true(strlen(json) + 2 <= XLX__ANSWER_MAX);
    assert_int_equal(xlx__lazy_status_write(w->run, &s), 0);
    assert_int_equal(xlx_lazy_status(w->ctx, 12, &back, sizeof(back)), 0);
    assert_memory_equal(&s, &back, sizeof(s));

    char text[XLX__ANSWER_MAX], *at = strstr(json, "\"bad\":[");
    assert_non_null(at);
    at += strlen("\"bad\":[");
    snprintf(text, sizeof(text), "%.*s[1,2],%s", (int)(at - json), json, at);
    free(json);
    assert_int_equal(xlx__lazy_status_parse(text, &back), -EBADMSG);
}

static void let_it_age(struct world *w, time_t seconds)
{
    char path[120];
    struct timespec times[2] = { { 0 }, { time(NULL) - seconds, 0 } };
    snprintf(path, sizeof(path), "%s/lazy/12.json", w->run);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void a_pager_that_is_gone_counts_as_failed(void **state)
{
    struct world *w = *state;
    struct xlx_lazy_status s = example(), back;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    s.state = XLX_LAZY_FILLING;
    s.pid = (uint32_t)getpid();
    assert_int_equal(xlx__lazy_status_write(w->run, &s), 0);
    assert_int_equal(xlx_lazy_status(w->ctx, 12, &back, sizeof(back)), 0);
    assert_int_equal(back.state, XLX_LAZY_FILLING);

    waitpid(pid, NULL, 0);
    s.pid = (uint32_t)pid;
    assert_int_equal(xlx__lazy_status_write(w->run, &s), 0);
    assert_int_equal(xlx_lazy_status(w->ctx, 12, &back, sizeof(back)), 0);
    assert_int_equal(back.state, XLX_LAZY_FILLING); /* another may come */
    let_it_age(w, 60);
    assert_int_equal(xlx_lazy_status(w->ctx, 12, &back, sizeof(back)), 0);
    assert_int_equal(back.state, XLX_LAZY_FAILED);
    assert_non_null(strstr(back.reason, "no longer there"));
}

/* All of its memory came while libxl was still at work. */
static void a_guest_is_listed_before_it_is_introduced(void **state)
{
    struct world *w = *state;
    struct xlx_lazy_status s = example();
    uint32_t *domids;
    struct xs_mem *xs = xs_mem_new(NULL);
    w->ctx->xs = xs_mem_seam(xs);
    xs_mem_put(xs, "/local/domain/12/vm", "/vm/x");
    s.state = XLX_LAZY_COMPLETE;
    assert_int_equal(xlx__lazy_status_write(w->run, &s), 0);
    assert_int_equal(xlx_lazy_list(w->ctx, &domids), 1);
    free(domids);
    xs_mem_put(xs, "/local/domain/12", NULL);
    assert_int_equal(xlx_lazy_list(w->ctx, &domids), 0);
    free(domids);
}

static void a_guest_is_listed_until_it_is_destroyed(void **state)
{
    struct world *w = *state;
    struct xlx_lazy_status s = example();
    static const enum xlx_lazy_state ends[] = { XLX_LAZY_FAILED,
                                                XLX_LAZY_COMPLETE };
    uint32_t *domids;
    struct xs_mem *xs = xs_mem_new(NULL);
    w->ctx->xs = xs_mem_seam(xs);
    for (int i = 0; i < 2; i++) {
        xs_mem_put(xs, "/local/domain/12/name", "g");
        s.state = ends[i];
        assert_int_equal(xlx__lazy_status_write(w->run, &s), 0);
        assert_int_equal(xlx_lazy_list(w->ctx, &domids), 1);
        free(domids);

        xs_mem_put(xs, "/local/domain/12", NULL);
        assert_int_equal(xlx_lazy_list(w->ctx, &domids), 0);
        free(domids);
        assert_int_equal(xlx_lazy_status(w->ctx, 12, &s, sizeof(s)), -ENOENT);
    }
}

static int files(struct world *w)
{
    char path[120];
    int n = 0;
    snprintf(path, sizeof(path), "%s/lazy", w->run);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *d; (d = readdir(dir));)
        n += strcmp(d->d_name, ".") && strcmp(d->d_name, "..");
    closedir(dir);
    return n;
}

static void put_file(struct world *w, const char *name)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/lazy/%s", w->run, name);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void nothing_of_a_destroyed_guest_stays(void **state)
{
    struct world *w = *state;
    struct xlx_lazy_status s = example();
    uint32_t *domids;
    w->ctx->xs = xs_mem_seam(xs_mem_new(NULL));
    for (uint32_t domid = 1; domid <= 40; domid++) {
        s.domid = domid;
        assert_int_equal(xlx__lazy_status_write(w->run, &s), 0);
    }
    put_file(w, "3.sock");
    put_file(w, ".4.json.new");
    s.domid = 12;
    assert_int_equal(xlx__lazy_status_write(w->run, &s), 0);
    write_text(w, "not a status");
    /* Its domain is not there yet. */
    s.domid = 41;
    s.state = XLX_LAZY_FILLING;
    s.pid = (uint32_t)getpid();
    assert_int_equal(xlx__lazy_status_write(w->run, &s), 0);
    put_file(w, "41.sock");
    assert_int_equal(xlx_lazy_list(w->ctx, &domids), 1);
    assert_int_equal(domids[0], 41);
    free(domids);
    assert_int_equal(files(w), 2);
}

static void the_status_is_in_xenstore_for_dom0(void **state)
{
    struct world *w = *state;
    struct xlx_lazy_status s = example();
    struct xs_mem *xs = xs_mem_new(NULL);
    char *value;
    w->ctx->xs = xs_mem_seam(xs);
    assert_int_equal(xlx__lazy_status_publish(w->ctx, &s, NULL), -ENOENT);
    assert_int_equal(xlx__xs_exists(w->ctx, 0, "/libxl/12"), 0);

    xs_mem_put(xs, "/libxl/12/type", "pvh");
    assert_int_equal(xlx__lazy_status_publish(w->ctx, &s, NULL), 0);
    assert_int_equal(
        xlx__xs_read(w->ctx, 0, &value, "/libxl/12/lazy-restore/state"), 0);
    assert_string_equal(value, "complete");
    free(value);
    struct xlx__xs_perm perms[4];
    int nr = w->ctx->xs->ops->get_perms(
        w->ctx->xs, 0, "/libxl/12/lazy-restore/done", perms, 4);
    for (int i = 0; i < nr; i++)
        assert_int_equal(perms[i].domid, 0);
    assert_true(nr > 0);
    assert_false(perms[0].may & XLX__XS_WRITE);
}

static const char *published(struct xs_mem *xs, const char *node)
{
    char path[64];
    snprintf(path, sizeof(path), "/libxl/12/lazy-restore/%s", node);
    return xs_mem_get(xs, path);
}

/* Start, look for the domain, write what is new, end. */
static void only_what_is_new_is_written_to_xenstore(void **state)
{
    struct world *w = *state;
    struct xlx_lazy_status before = example(), s = before;
    struct nth nth = { 0 };
    struct xs_mem *xs = xs_mem_new(&nth);
    w->ctx->xs = xs_mem_seam(xs);
    xs_mem_put(xs, "/libxl/12/type", "pvh");
    assert_int_equal(xlx__lazy_status_publish(w->ctx, &s, NULL), 0);
    nth.calls = 0;
    assert_int_equal(xlx__lazy_status_publish(w->ctx, &s, &before), 0);
    assert_int_equal(nth.calls, 0);

    xs_mem_put(xs, "/libxl/12/lazy-restore/image", "as it was");
    s.done += 5;
    s.faults += 1;
    s.fault_us += 7; /* is not there */
    assert_int_equal(xlx__lazy_status_publish(w->ctx, &s, &before), 0);
    assert_int_equal(nth.calls, 5);
    assert_int_equal(strtoull(published(xs, "done"), NULL, 10), s.done);
    assert_int_equal(strtoull(published(xs, "faults"), NULL, 10), s.faults);
    assert_string_equal(published(xs, "image"), "as it was");
}

static void every_change_is_written_to_xenstore(void **state)
{
    struct world *w = *state;
    struct xlx_lazy_status before = example(), s = before;
    struct xs_mem *xs = xs_mem_new(NULL);
    w->ctx->xs = xs_mem_seam(xs);
    xs_mem_put(xs, "/libxl/12/type", "pvh");
    assert_int_equal(xlx__lazy_status_publish(w->ctx, &s, NULL), 0);
    s.state = XLX_LAZY_STALLED;
    strcpy(s.reason, "no room");
    strcpy(s.image, "/other");
    s.pid = 77;
    s.held_back = 1001, s.done = 1002, s.faults = 1003, s.bwlimit = 1004;
    s.paused = 1005;
    assert_int_equal(xlx__lazy_status_publish(w->ctx, &s, &before), 0);
    assert_string_equal(published(xs, "state"), "stalled");
    assert_string_equal(published(xs, "reason"), "no room");
    assert_string_equal(published(xs, "image"), "/other");
    assert_string_equal(published(xs, "pid"), "77");
    assert_string_equal(published(xs, "held-back"), "1001");
    assert_string_equal(published(xs, "done"), "1002");
    assert_string_equal(published(xs, "faults"), "1003");
    assert_string_equal(published(xs, "bwlimit"), "1004");
    assert_string_equal(published(xs, "paused"), "1005");
}

/* It is being destroyed. */
static void news_make_no_node_of_a_domain_that_is_gone(void **state)
{
    struct world *w = *state;
    struct xlx_lazy_status before = example(), s = before;
    struct xs_mem *xs = xs_mem_new(NULL);
    w->ctx->xs = xs_mem_seam(xs);
    s.done++;
    assert_int_equal(xlx__lazy_status_publish(w->ctx, &s, &before), -ENOENT);
    assert_int_equal(xlx__xs_exists(w->ctx, 0, "/libxl/12"), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_field_comes_back),
        TEST(any_name_comes_back),
        TEST(a_second_status_replaces_the_first),
        TEST(domains_are_listed_by_number),
        TEST(an_unknown_domain_has_none),
        TEST(a_file_that_is_no_status_is_refused),
        TEST(the_list_of_bad_pages_is_bounded),
        TEST(a_pager_that_is_gone_counts_as_failed),
        TEST(a_guest_is_listed_before_it_is_introduced),
        TEST(a_guest_is_listed_until_it_is_destroyed),
        TEST(nothing_of_a_destroyed_guest_stays),
        TEST(the_status_is_in_xenstore_for_dom0),
        TEST(only_what_is_new_is_written_to_xenstore),
        TEST(every_change_is_written_to_xenstore),
        TEST(news_make_no_node_of_a_domain_that_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the commands make of the status of lazily restored guests, above all
 * those that may only hand a guest on when its memory is complete.
 */
#include "test.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "fakes/xenstore_mem.h"
#include "lazy/status.h"

#define HANDED_ON 42 /* exit status of the distribution's xl */

struct world {
    xlx_ctx *ctx;
    struct xs_mem *xs;
    char dir[32], run[64], xl[64];
};

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    *state = w;
    strcpy(w->dir, "/tmp/xlx-lazy-cmd-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->run, sizeof(w->run), "%s/run", w->dir);
    snprintf(w->xl, sizeof(w->xl), "%s/xl", w->dir);
    write_file(w->xl, "#!/bin/sh\nexit 42\n");
    chmod(w->xl, 0755);
    assert_int_equal(xlx_ctx_new(&w->ctx), 0);
    xlx_ctx_set_path(w->ctx, XLX_PATH_RUN, w->run);
    xlx_ctx_set_path(w->ctx, XLX_PATH_XL, w->xl);
    w->xs = xs_mem_new(NULL);
    w->ctx->xs = xs_mem_seam(w->xs);
    xs_mem_put(w->xs, "/local/domain/12/name", "g");
    xs_mem_put(w->xs, "/local/domain/13/name", "other");
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char command[64];
    xlx_ctx_free(w->ctx);
    snprintf(command, sizeof(command), "rm -rf %s", w->dir);
    int rc = system(command);
    free(w);
    return rc;
}

static void put_status(struct world *w, enum xlx_lazy_state status)
{
    struct xlx_lazy_status s = { .domid = 12,
                                 .state = status,
                                 .image = "/srv/f\xfcr.save" };
    assert_int_equal(xlx__lazy_status_write(w->run, &s), 0);
}

static void spoil_status(struct world *w, const char *text)
{
    char path[96];
    put_status(w, XLX_LAZY_FILLING);
    snprintf(path, sizeof(path), "%s/lazy/12.json", w->run);
    write_file(path, text);
}

/* Its exit status: a process of its own, as it may become another program. */
static int run_words(struct world *w, char **argv)
{
    int argc = 0, status;
    while (argv[argc])
        argc++;
    pid_t pid = fork();
    if (pid == 0) {
        char *global[] = { NULL };
        FILE *null = fopen("/dev/null", "w");
        struct cmd_env env = {
            .ctx = w->ctx, .out = null, .err = null, .global = global
        };
        _exit(cmd_find(argv[0])->run(&env, argc, argv));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define run_command(w, ...) run_words(w, (char *[]){ __VA_ARGS__, NULL })

static void a_complete_guest_is_handed_on(void **state)
{
    struct world *w = *state;
    assert_int_equal(run_command(w, "save", "g", "/f"), HANDED_ON);
    put_status(w, XLX_LAZY_COMPLETE);
    assert_int_equal(run_command(w, "save", "g", "/f"), HANDED_ON);
    assert_int_equal(run_command(w, "migrate", "g", "host"), HANDED_ON);
    assert_int_equal(run_command(w, "dump-core", "g", "/f"), HANDED_ON);
    assert_int_equal(run_command(w, "mem-set", "g", "128"), HANDED_ON);
    assert_int_equal(run_command(w, "mem-max", "g", "128"), HANDED_ON);
}

static void one_whose_status_cannot_be_read_is_not(void **state)
{
    struct world *w = *state;
    static const char *const texts[] = { "", "{\"domid\":12", "f\xfcr" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        spoil_status(w, texts[i]);
        assert_int_equal(run_command(w, "save", "g", "/f"), CMD_FAILED);
        assert_int_equal(run_command(w, "migrate", "12", "host"), CMD_FAILED);
        assert_int_equal(run_command(w, "dump-core", "g", "/f"), CMD_FAILED);
        assert_int_equal(run_command(w, "mem-set", "g", "128"), CMD_FAILED);
        assert_int_equal(run_command(w, "mem-max", "12", "128"), CMD_FAILED);
        /* Others have nothing to do with it. */
        assert_int_equal(run_command(w, "save", "other", "/f"), HANDED_ON);
        assert_int_equal(run_command(w, "lazy-wait", "g"), CMD_FAILED);
        assert_int_equal(run_command(w, "lazy-list"), CMD_FAILED);
    }
}

static void no_list_is_no_good_news(void **state)
{
    struct world *w = *state;
    char path[96];
    assert_int_equal(mkdir(w->run, 0755), 0);
    snprintf(path, sizeof(path), "%s/lazy", w->run);
    write_file(path, "not a folder");
    assert_int_equal(run_command(w, "save", "g", "/f"), CMD_FAILED);
}

/* Guest 12 does. */
static void fill_from(struct world *w, const char *path,
                      enum xlx_lazy_state state)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    struct xlx_lazy_status s = { .domid = 12,
                                 .state = state,
                                 .pid = (uint32_t)getpid(),
                                 .image_dev = st.st_dev,
                                 .image_ino = st.st_ino };
    assert_int_equal(xlx__lazy_status_write(w->run, &s), 0);
}

static void a_file_that_a_guest_fills_from_is_spared(void **state)
{
    struct world *w = *state;
    char file[64], other[64], link_to[64], linked[64], none[64];
    snprintf(file, sizeof(file), "%s/file", w->dir);
    snprintf(other, sizeof(other), "%s/other", w->dir);
    snprintf(link_to, sizeof(link_to), "%s/symlink", w->dir);
    snprintf(linked, sizeof(linked), "%s/link", w->dir);
    snprintf(none, sizeof(none), "%s/none", w->dir);
    write_file(file, "");
    write_file(other, "");
    assert_int_equal(symlink(file, link_to), 0);
    assert_int_equal(link(file, linked), 0);
    static const enum xlx_lazy_state needed[] = { XLX_LAZY_FILLING,
                                                  XLX_LAZY_STALLED };
    for (int i = 0; i < 2; i++) {
        fill_from(w, file, needed[i]);
        assert_int_equal(run_command(w, "save", "other", file), CMD_FAILED);
        assert_int_equal(run_command(w, "save", "-c", "other", link_to),
                         CMD_FAILED);
        assert_int_equal(run_command(w, "save", "13", linked), CMD_FAILED);
        assert_int_equal(run_command(w, "dump-core", "other", file),
                         CMD_FAILED);
        assert_int_equal(run_command(w, "save", "other", other), HANDED_ON);
        assert_int_equal(run_command(w, "save", "other", none), HANDED_ON);
        assert_int_equal(run_command(w, "migrate", "other", file), HANDED_ON);
    }
    fill_from(w, file, XLX_LAZY_COMPLETE);
    assert_int_equal(run_command(w, "save", "other", file), HANDED_ON);
    assert_int_equal(run_command(w, "save", "g", file), HANDED_ON);
    spoil_status(w, "");
    assert_int_equal(run_command(w, "save", "other", file), CMD_FAILED);
}

static void one_that_failed_is_not_handed_on(void **state)
{
    struct world *w = *state;
    put_status(w, XLX_LAZY_FAILED);
    assert_int_equal(run_command(w, "save", "g", "/f"), CMD_FAILED);
    assert_int_equal(run_command(w, "lazy-wait", "g"), CMD_FAILED);
    assert_int_equal(run_command(w, "lazy-list"), CMD_OK);
}

/* The status is in a folder of the test's own. */
static void each_column_of_the_list_has_a_heading(void **state)
{
    struct world *w = *state;
    char *argv[] = { "lazy-list", NULL }, *out;
    size_t size;
    struct cmd_env env = { .ctx = w->ctx, .err = stderr };
    put_status(w, XLX_LAZY_FILLING);
    env.out = open_memstream(&out, &size);
    assert_int_equal(cmd_find("lazy-list")->run(&env, 1, argv), CMD_OK);
    fclose(env.out);
    assert_string_equal(
        out, "DOMID  NAME  STATE    DONE  WITHHELD  PRESENT  FAULTS  IMAGE"
             "             PROBLEM\n"
             "12     g     filling  100%         0        0       0  "
             "/srv/f\\xfcr.save\n");
    free(out);
}

/* --- a live view ---------------------------------------------------------- */

struct reader {
    struct world *w;
    FILE *to;
    int reads;
};

static void put_filling(struct world *w, uint64_t done)
{
    struct xlx_lazy_status s = { .domid = 12,
                                 .state = XLX_LAZY_FILLING,
                                 .image = "/f",
                                 .held_back = 1000,
                                 .done = done };
    assert_int_equal(xlx__lazy_status_write(w->run, &s), 0);
}

/* Has more memory present after the first table, and enough after the second.
 */
static ssize_t read_table(void *user, const char *text, size_t n)
{
    struct reader *r = user;
    if (++r->reads == 1)
        put_filling(r->w, 500);
    else
        raise(SIGTERM);
    return (ssize_t)fwrite(text, 1, n, r->to);
}

static void a_live_list_has_a_bar_and_a_rate(void **state)
{
    struct world *w = *state;
    char *argv[] = { "lazy-list", "--watch", NULL }, *text;
    size_t size;
    struct reader r = { .w = w, .to = open_memstream(&text, &size) };
    struct cmd_env env = { .ctx = w->ctx, .err = stderr };
    cookie_io_functions_t io = { .write = read_table };
    put_filling(w, 250);
    env.out = fopencookie(&r, "w", io);
    assert_int_equal(cmd_find("lazy-list")->run(&env, 2, argv), CMD_OK);
    fclose(env.out);
    fclose(r.to);
    assert_non_null(strstr(
        text,
        "DOMID  NAME  STATE    PRESENT                         DONE  RATE  "
        "LEFT  FAULTS  IMAGE  PROBLEM\n12     g     filling  "
        "[#####...............]  25% of 3 MiB     -     -       0  /f\n"));
    assert_non_null(strstr(text, "[##########..........]  50% of 3 MiB  "));
    assert_non_null(strstr(text, " MiB/s  "));
    free(text);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_complete_guest_is_handed_on),
        TEST(one_whose_status_cannot_be_read_is_not),
        TEST(no_list_is_no_good_news),
        TEST(a_file_that_a_guest_fills_from_is_spared),
        TEST(one_that_failed_is_not_handed_on),
        TEST(each_column_of_the_list_has_a_heading),
        TEST(a_live_list_has_a_bar_and_a_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

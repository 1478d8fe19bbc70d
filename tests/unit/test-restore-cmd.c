/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What `restore --fast` leaves to the distribution's xl, with the reason, and
 * what it refuses.
 */
#include "test.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "fakes/image_build.h"

#define HANDED_ON 42 /* exit status of the distribution's xl */

struct world {
    xlx_ctx *ctx;
    struct image_build b;
    char dir[32], xl[64], file[64], said[64];
    char text[512]; /* what the command printed */
};

static void write_file(const char *path, const void *bytes, size_t len)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, len, 1, f), 1);
    assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
    static const char xl[] = "#!/bin/sh\nexit 42\n";
    struct world *w = calloc(1, sizeof(*w));
    *state = w;
    strcpy(w->dir, "/tmp/xlx-restore-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->xl, sizeof(w->xl), "%s/xl", w->dir);
    snprintf(w->file, sizeof(w->file), "%s/g.save", w->dir);
    snprintf(w->said, sizeof(w->said), "%s/said", w->dir);
    write_file(w->xl, xl, sizeof(xl) - 1);
    chmod(w->xl, 0755);
    assert_int_equal(xlx_ctx_new(&w->ctx), 0);
    return xlx_ctx_set_path(w->ctx, XLX_PATH_XL, w->xl);
}

static int teardown(void **state)
{
    struct world *w = *state;
    char command[64];
    xlx_ctx_free(w->ctx);
    build_free(&w->b);
    snprintf(command, sizeof(command), "rm -r %s", w->dir);
    int rc = system(command);
    free(w);
    return rc;
}

/* In a child, as it may become another program. Its exit status. */
static int restore(struct world *w, const char *option)
{
    const char *const words[] = { "restore", option, w->file, NULL };
    int status;
    write_file(w->file, w->b.bytes, w->b.len);
    FILE *said = fopen(w->said, "w+");
    pid_t pid = fork();
    if (pid == 0) {
        char *global[] = { NULL };
        struct cmd_env env = {
            .ctx = w->ctx, .out = said, .err = said, .global = global
        };
        setvbuf(said, NULL, _IONBF, 0);
        _exit(cmd_find("restore")->run(&env, 3, (char **)words));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    rewind(said);
    w->text[fread(w->text, 1, sizeof(w->text) - 1, said)] = '\0';
    fclose(said);
    return WEXITSTATUS(status);
}

static void expect(struct world *w, int status, const char *option,
                   const char *text)
{
    int got = restore(w, option);
    if (got != status || !strstr(w->text, text))
        fail_msg("exit %d, wanted %d: '%s'", got, status, w->text);
}

static void build(struct world *w)
{
    build_start(&w->b, 3, FMT_GUEST_HVM);
    build_range(&w->b, 0, 5);
    build_finish(&w->b);
}

static void a_pv_guest_is_left_to_xl(void **state)
{
    struct world *w = *state;
    build_pv_start(&w->b, 3, 5);
    build_range(&w->b, 0, 5);
    build_pv_finish(&w->b);
    build_record(&w->b, FMT_LIBXL_END, NULL, 0);
    expect(w, HANDED_ON, "--fast", "a PV guest: restoring as the distri");
    expect(w, HANDED_ON, "--lazy", "a PV guest has no nested paging: restor");
    expect(w, CMD_FAILED, "--lazy=require", "nothing was restored");
}

/* Which xl converts. */
static void a_file_of_an_old_xen_is_left_to_xl(void **state)
{
    struct world *w = *state;
    build(w);
    w->b.bytes[offsetof(struct fmt_xl_header, mandatory_flags)] = FMT_XL_JSON;
    expect(w, HANDED_ON, "--fast", "restoring as the distribution's xl does");
    expect(w, CMD_FAILED, "--lazy", "saved by Xen 4.5 or older");
}

static void a_checkpointed_stream_is_left_to_xl(void **state)
{
    struct world *w = *state;
    build_start(&w->b, 3, FMT_GUEST_HVM);
    build_range(&w->b, 0, 5);
    size_t end = build_record(&w->b, FMT_CHECKPOINT, NULL, 0);
    assert_int_not_equal(end, 0);
    build_finish(&w->b);
    expect(w, HANDED_ON, "--fast", "restoring as the distribution's xl does");
    expect(w, CMD_FAILED, "--lazy", "heckpoint");
}

static void a_file_that_is_cut_is_refused(void **state)
{
    struct world *w = *state;
    build(w);
    w->b.len -= 8;
    expect(w, CMD_FAILED, "--fast", "g.save: ");
    w->b.len /= 2;
    expect(w, CMD_FAILED, "--fast", "g.save: ");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pv_guest_is_left_to_xl),
        TEST(a_file_of_an_old_xen_is_left_to_xl),
        TEST(a_checkpointed_stream_is_left_to_xl),
        TEST(a_file_that_is_cut_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/* The image commands in process: what they print and return. */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "cmd.h"
#include "fakes/image_build.h"
#include "job.h"
#include "libxl_ext_image.h"

struct fixture {
    xlx_ctx *ctx;
    struct image_build b;
    char dir[64], path[96], sidecar[128];
    char *out, *err; /* of the last call */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    snprintf(f->dir, sizeof(f->dir), "/tmp/xlx-image-cmd-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/g.save", f->dir);
    snprintf(f->sidecar, sizeof(f->sidecar), "%s.lzx", f->path);
    return xlx_ctx_new(&f->ctx);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    unlink(f->sidecar);
    int left = rmdir(f->dir);
    build_free(&f->b);
    xlx_ctx_free(f->ctx);
    free(f->out);
    free(f->err);
    free(f);
    return left;
}

static void save(struct fixture *f)
{
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(f->b.bytes, f->b.len, 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

/* 40 pages: gfns 1 to 3 are zeros, 5 is as 4. */
static void build(struct fixture *f)
{
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_range(&f->b, 0, 32);
    build_range(&f->b, 0x100, 8);
    memset(f->b.bytes + f->b.page[1], 0, 3 * XLX_PAGE_SIZE);
    memcpy(f->b.bytes + f->b.page[5], f->b.bytes + f->b.page[4], XLX_PAGE_SIZE);
    build_finish(&f->b);
    save(f);
}

static void log_to(void *user, enum xlx_log_level level, const char *text)
{
    (void)level;
    fprintf(user, "%s\n", text);
}

/* `command`, options and the file's path in the place of "F". */
static int call(struct fixture *f, const char *line)
{
    char *argv[16], *copy = strdup(line), *rest = copy;
    size_t size;
    int argc = 0;
    struct cmd_env env = { .ctx = f->ctx };
    while ((argv[argc] = strsep(&rest, " "))) {
        if (!strcmp(argv[argc], "F"))
            argv[argc] = f->path;
        argc++;
    }
    free(f->out);
    free(f->err);
    env.out = open_memstream(&f->out, &size);
    env.err = open_memstream(&f->err, &size);
    xlx_ctx_set_log(env.ctx, log_to, env.err, XLX_LOG_INFO);
    int status = cmd_find(argv[0])->run(&env, argc, argv);
    xlx_ctx_set_log(env.ctx, NULL, NULL, XLX_LOG_ERROR);
    fclose(env.out);
    fclose(env.err);
    free(copy);
    return status;
}

static void says(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is not in:\n%s", part, text);
}

static void info_describes_the_guest(void **state)
{
    struct fixture *f = *state;
    build(f);
    assert_int_equal(call(f, "image-info F"), CMD_OK);
    says(f->out, "name        test\n");
    says(f->out, "uuid        01234567-89ab-cdef-0123-456789abcdef\n");
    says(f->out, "type        hvm\n");
    says(f->out, "memory      256 MiB, 2 vCPUs\n");
    says(f->out, "saved by    Xen 4.17, stream version 3\n");
    says(f->out, "pages       40, 0 MiB, in 2 runs, highest gfn 0x107\n");
    says(f->out, "sidecar     none\n");
    assert_null(strstr(f->out, "duplicate"));
    assert_string_equal(f->err, "");
}

static void info_counts_pages(void **state)
{
    struct fixture *f = *state;
    build(f);
    assert_int_equal(call(f, "image-info --pages F"), CMD_OK);
    says(f->out, "zero        3 pages, 0 MiB, 7%\n");
    says(f->out, "duplicate   1 pages, 0 MiB, 2%\n");
    assert_int_equal(call(f, "image-info --pages --json F"), CMD_OK);
    says(f->out, "\"zero_pages\": 3,");
    says(f->out, "\"duplicate_pages\": 1,");
    says(f->out, "\"max_memkb\": 262144,");
    says(f->out, "\"has_crc\": false,");
}

static void info_tells_of_the_sidecar(void **state)
{
    struct fixture *f = *state;
    build(f);
    assert_int_equal(call(f, "image-index F"), CMD_OK);
    says(f->out, "40 pages, 3 of them zero\n");
    assert_int_equal(call(f, "image-info F"), CMD_OK);
    says(f->out, "sidecar     ok\n");
    says(f->out, "  zero      3 pages");
    assert_int_equal(truncate(f->sidecar, 100), 0);
    assert_int_equal(call(f, "image-info F"), CMD_OK);
    says(f->out, "sidecar     ignored");
    says(f->err, "damaged");
}

/* What a file says of itself does not reach the terminal as it is. */
static void info_escapes_names(void **state)
{
    struct fixture *f = *state;
    build(f);
    memcpy(memmem(f->b.bytes, f->b.len, "01234567-", 9), "\\u001b[2J", 9);
    save(f);
    assert_int_equal(call(f, "image-info F"), CMD_OK);
    says(f->out, "uuid        \\x1b[2J");
    assert_null(strchr(f->out, 0x1b));
    assert_string_equal(f->err, "");
}

static void a_config_that_is_no_json_is_said(void **state)
{
    struct fixture *f = *state;
    build(f);
    memcpy(memmem(f->b.bytes, f->b.len, "{\"c_info", 8), "[[[[[[[[", 8);
    save(f);
    assert_int_equal(call(f, "image-info F"), CMD_OK);
    says(f->err, "not JSON");
    says(f->out, "name        \n");
    says(f->out, "type        hvm or pvh\n");
}

static void verify_finds_what_changed(void **state)
{
    struct fixture *f = *state;
    build(f);
    assert_int_equal(call(f, "image-index F"), CMD_OK);
    assert_int_equal(call(f, "image-verify F"), CMD_OK);
    says(f->out, "40 pages, all match their checksums\n");
    f->b.bytes[f->b.page[9] + 77] ^= 4;
    f->b.bytes[f->b.page[10]] ^= 4;
    f->b.bytes[f->b.page[31] + 4095] ^= 4;
    save(f);
    assert_int_equal(call(f, "image-verify F"), CMD_FAILED);
    assert_string_equal(f->out, "gfn 0x9: checksum differs\n"
                                "gfn 0xa: checksum differs\n"
                                "gfn 0x1f: checksum differs\n");
    says(f->err, "3 of 40 pages are not what they were\n");
    assert_int_equal(call(f, "image-verify --json F"), CMD_FAILED);
    says(f->out, "\"gfn\": 31,");
    says(f->out, "\"ok\": false");
}

static void verify_without_checksums_says_so(void **state)
{
    struct fixture *f = *state;
    build(f);
    assert_int_equal(call(f, "image-verify F"), CMD_OK);
    says(f->out, "there are no checksums");
    assert_int_equal(call(f, "image-verify --json F"), CMD_OK);
    says(f->out, "\"has_checksums\": false,");
    assert_int_equal(call(f, "image-verify --sidecar=/nowhere F"), CMD_FAILED);
    says(f->err, "/nowhere: no such file");
}

static void verify_refuses_a_sidecar_of_another(void **state)
{
    struct fixture *f = *state;
    build(f);
    assert_int_equal(call(f, "image-index F"), CMD_OK);
    f->b.bytes[f->b.tail + 16] ^= 1;
    save(f);
    assert_int_equal(call(f, "image-verify F"), CMD_FAILED);
    says(f->err, "does not match");
}

static void damage_is_refused_by_all(void **state)
{
    struct fixture *f = *state;
    static const char *const lines[] = { "image-info F", "image-index F",
                                         "image-verify F" };
    build(f);
    f->b.len -= 9;
    save(f);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(call(f, lines[i]), CMD_FAILED);
        says(f->err, "truncated");
    }
    assert_int_equal(call(f, "image-info"), CMD_USAGE);
    assert_int_equal(call(f, "image-verify F F"), CMD_USAGE);
}

static void optimize_writes_the_first_first(void **state)
{
    struct fixture *f = *state;
    char line[256], out[128];
    build(f);
    snprintf(out, sizeof(out), "%s/out", f->dir);
    snprintf(line, sizeof(line), "image-optimize --first=9,0x101+2,900 F %s",
             out);
    assert_int_equal(call(f, line), CMD_OK);
    says(f->out, "40 pages, the first 3 in the order of use, 3 zero; ");
    snprintf(line, sizeof(line), "image-optimize --in-place %s", out);
    assert_int_equal(call(f, line), CMD_OK);
    says(f->out, "the first 3 in the order of use");
    snprintf(line, sizeof(line), "image-verify %s", out);
    assert_int_equal(call(f, line), CMD_OK);
    says(f->out, "all match their checksums");
    unlink(out);
    strcat(out, ".lzx");
    assert_int_equal(unlink(out), 0);
}

static void optimize_is_called_right(void **state)
{
    struct fixture *f = *state;
    static const char *const lines[] = {
        "image-optimize F",
        "image-optimize --in-place F F",
        "image-optimize --first= --in-place F",
        "image-optimize --first=1, --in-place F",
        "image-optimize --first=1+ --in-place F",
        "image-optimize --first=-1 --in-place F",
        "image-optimize --first=0x --in-place F",
        "image-optimize --first=99999999999999999999 --in-place F",
        "image-optimize --first=1x --in-place F",
    };
    build(f);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_int_equal(call(f, lines[i]), CMD_USAGE);
    assert_int_equal(call(f, "image-optimize --sidecar=/nowhere --in-place F"),
                     CMD_FAILED);
    says(f->err, "/nowhere: no such file");
    assert_int_equal(call(f, "image-optimize F /nowhere/out"), CMD_FAILED);
}

static void expect_text(const char *path, const char *want)
{
    char text[64] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof(text) - 1, file), strlen(want));
    assert_string_equal(text, want);
    fclose(file);
}

/* Named by mistake: the image itself, or another file of the host's. */
static void what_is_no_sidecar_is_not_written_to(void **state)
{
    static const char *const texts[] = { "x", "root:x:0:0:root:/root" };
    static const char *const lines[] = {
        "image-index F",
        "restore --lazy --record F",
    };
    struct fixture *f = *state;
    build(f);
    char line[200];
    snprintf(line, sizeof(line), "image-index --sidecar=%s F", f->path);
    assert_int_equal(call(f, line), CMD_FAILED);
    says(f->err, "g.save: not a sidecar: neither used nor");
    assert_int_equal(call(f, "image-verify F"), CMD_OK);
    for (size_t i = 0; i < 4; i++) {
        FILE *file = fopen(f->sidecar, "w");
        fputs(texts[i / 2], file);
        fclose(file);
        assert_int_equal(call(f, lines[i % 2]), CMD_FAILED);
        says(f->err, "g.save.lzx: not a sidecar");
        expect_text(f->sidecar, texts[i / 2]);
    }
    assert_int_equal(truncate(f->sidecar, 0), 0);
    assert_int_equal(call(f, "image-index F"), CMD_OK);
}

/* Before there is a domain, and on a host without Xen, too. */
static void a_record_that_cannot_be_written_is_refused(void **state)
{
    static const struct {
        const char *line, *why;
    } calls[] = {
        { "restore --lazy --record --sidecar=/nowhere/x F",
          "restore: /nowhere/x: cannot make: No such file or directory\n" },
        { "restore --lazy --record --sidecar=/dev/null F",
          "restore: /dev/null: not an ordinary file: neither used nor "
          "overwritten\n" },
    };
    struct fixture *f = *state;
    build(f);
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        assert_int_equal(call(f, calls[i].line), CMD_FAILED);
        assert_string_equal(f->err, calls[i].why);
    }
}

/* A signal ends the job, not the process, and leaves nothing behind. */
static void a_signal_ends_a_job(void **state)
{
    struct fixture *f = *state;
    struct job job;
    struct cmd_env env = { .ctx = f->ctx, .out = stdout, .err = tmpfile() };
    build(f);
    xlx_image *image;
    assert_int_equal(xlx_image_open(f->ctx, f->path, &image), 0);
    job_begin(&job, &env, "test");
    assert_true(job_progress(&job, 0, 40));
    raise(SIGINT);
    assert_int_equal(xlx_sidecar_write(f->ctx, image, NULL, job_progress, &job),
                     -ECANCELED);
    assert_int_not_equal(access(f->sidecar, F_OK), 0);
    job_end(&job);
    xlx_image_close(image);
    fclose(env.err);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(info_describes_the_guest),
        TEST(info_counts_pages),
        TEST(info_tells_of_the_sidecar),
        TEST(info_escapes_names),
        TEST(a_config_that_is_no_json_is_said),
        TEST(verify_finds_what_changed),
        TEST(verify_without_checksums_says_so),
        TEST(verify_refuses_a_sidecar_of_another),
        TEST(damage_is_refused_by_all),
        TEST(optimize_writes_the_first_first),
        TEST(optimize_is_called_right),
        TEST(what_is_no_sidecar_is_not_written_to),
        TEST(a_record_that_cannot_be_written_is_refused),
        TEST(a_signal_ends_a_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

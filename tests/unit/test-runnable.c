/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How many threads run or could, as /proc/loadavg has it.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/runnable.h"

struct place {
    char dir[32], file[64];
    xlx_ctx *ctx;
};

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof(*p));
    if (!p || xlx_ctx_new(&p->ctx))
        return -1;
    strcpy(p->dir, "/tmp/xlx-runnable-XXXXXX");
    *state = p;
    if (!mkdtemp(p->dir))
        return -1;
    snprintf(p->file, sizeof(p->file), "%s/loadavg", p->dir);
    return xlx_ctx_set_path(p->ctx, XLX_PATH_PROC, p->dir);
}

static int teardown(void **state)
{
    struct place *p = *state;
    unlink(p->file);
    rmdir(p->dir);
    xlx_ctx_free(p->ctx);
    free(p);
    return 0;
}

static int of_text(struct place *p, const char *text, uint32_t *threads_r)
{
    FILE *f = fopen(p->file, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return xlx__runnable(p->ctx, threads_r);
}

static void the_number_is_read(void **state)
{
    static const struct {
        const char *text;
        uint32_t threads;
    } rows[] = { { "0.20 0.18 0.12 2/345 11206\n", 2 },
                 { "99.00 1.18 0.12 0/1 1\n", 0 },
                 { "0 0 0 4294967295/4294967295 1\n", UINT32_MAX } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t threads = 77;
        assert_int_equal(of_text(*state, rows[i].text, &threads), 0);
        assert_int_equal(threads, rows[i].threads);
    }
}

static void anything_else_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "\n",
        "0.20",
        "0.20 0.18 0.12",
        "0.20 0.18 0.12 ",
        "0.20 0.18 0.12 2 345",
        "0.20 0.18 0.12 /345 1",
        "0.20 0.18 0.12 x/345 1",
        "0.20 0.18 0.12 -1/345 1",
        "0 0 0 4294967296/4294967296 1\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint32_t threads = 77;
        assert_int_equal(of_text(*state, texts[i], &threads), -EBADMSG);
        assert_int_equal(threads, 77);
    }
}

static void without_the_file_there_is_no_number(void **state)
{
    struct place *p = *state;
    uint32_t threads;
    assert_int_equal(xlx__runnable(p->ctx, &threads), -ENOENT);
}

/* The form is that of the kernel we run on. */
static void a_real_one_is_read(void **state)
{
    struct place *p = *state;
    uint32_t threads;
    assert_int_equal(xlx_ctx_set_path(p->ctx, XLX_PATH_PROC, "/proc"), 0);
    assert_int_equal(xlx__runnable(p->ctx, &threads), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_number_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(anything_else_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(without_the_file_there_is_no_number,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_real_one_is_read, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

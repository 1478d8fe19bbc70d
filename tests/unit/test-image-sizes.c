/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The public structs of save files in programs that were built with an older
 * header or with a newer one.
 */
#include "test.h"

#include <unistd.h>

#include "fakes/image_build.h"
#include "fakes/sized.h"
#include "libxl_ext_image.h"

struct fixture {
    xlx_ctx *ctx;
    struct image_build b;
    int fd;
    xlx_image *image;
};

/* Of 16 pages: 4 are zeros, and one is there twice. */
static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char path[64];
    *state = f;
    build_start(&f->b, 3, FMT_GUEST_HVM);
    size_t at = build_range(&f->b, 0, 16) + sizeof(struct fmt_record) +
                sizeof(struct fmt_page_data) + 16 * sizeof(uint64_t);
    memset(f->b.bytes + at, 0, 4 * XLX_PAGE_SIZE);
    memcpy(f->b.bytes + at + 4 * XLX_PAGE_SIZE,
           f->b.bytes + at + 5 * XLX_PAGE_SIZE, XLX_PAGE_SIZE);
    build_finish(&f->b);
    f->fd = build_fd(&f->b);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
    return xlx_ctx_new(&f->ctx) || xlx_image_open(f->ctx, path, &f->image);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    xlx_image_close(f->image);
    close(f->fd);
    build_free(&f->b);
    xlx_ctx_free(f->ctx);
    free(f);
    return 0;
}

static int read_config(void *user, void *to, size_t size)
{
    struct fixture *f = user;
    return xlx_image_config(f->ctx, f->image, to, size);
}

static void a_config_has_the_callers_size(void **state)
{
    struct fixture *f = *state;
    struct xlx_image_config config;
    assert_int_equal(read_config(f, &config, sizeof(config)), 0);
    assert_true(config.max_vcpus > 0);
    sized_fill_check(read_config, f, offsetof(struct xlx_image_config, type),
                     offsetof(struct xlx_image_config, max_vcpus),
                     sizeof(struct xlx_image_config));
}

static int survey(void *user, void *to, size_t size)
{
    struct fixture *f = user;
    return xlx_image_survey(f->ctx, f->image, NULL, NULL, to, size);
}

static void a_survey_has_the_callers_size(void **state)
{
    struct fixture *f = *state;
    struct xlx_image_survey found;
    size_t last = offsetof(struct xlx_image_survey, duplicate_pages);
    assert_int_equal(survey(f, &found, sizeof(found)), 0);
    assert_int_equal(found.zero_pages, 4);
    assert_int_equal(found.duplicate_pages, 1);
    sized_fill_check(survey, f, last, last, sizeof(found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_config_has_the_callers_size, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_survey_has_the_callers_size, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
#include "test.h"

#include "core/ctx.h"

struct seen {
    int calls;
    enum xlx_log_level level;
    char text[XLX__ERROR_MAX];
};

static void remember(void *user, enum xlx_log_level level, const char *text)
{
    struct seen *seen = user;
    seen->calls++;
    seen->level = level;
    snprintf(seen->text, sizeof(seen->text), "%s", text);
}

static int new_ctx(void **state)
{
    return xlx_ctx_new((xlx_ctx **)state);
}

static int free_ctx(void **state)
{
    xlx_ctx_free(*state);
    return 0;
}

static void free_takes_null(void **state)
{
    (void)state;
    xlx_ctx_free(NULL);
}

static void a_failure_is_kept_and_logged_once(void **state)
{
    xlx_ctx *ctx = *state;
    struct seen seen = { 0 };
    xlx_ctx_set_log(ctx, remember, &seen, XLX_LOG_ERROR);
    assert_string_equal(xlx_ctx_error(ctx), "");

    assert_int_equal(xlx__fail(ctx, ENOENT, "domain %d: gone", 7), -ENOENT);
    assert_string_equal(xlx_ctx_error(ctx), "domain 7: gone");
    assert_int_equal(seen.calls, 1);
    assert_string_equal(seen.text, "domain 7: gone");

    assert_int_equal(xlx__fail_errno(ctx, EBUSY, "port 3"), -EBUSY);
    assert_string_equal(xlx_ctx_error(ctx), "port 3: Device or resource busy");
}

static void a_failure_may_quote_the_one_before(void **state)
{
    xlx_ctx *ctx = *state;
    xlx__fail(ctx, ENOENT, "inner");
    xlx__fail(ctx, EIO, "outer: %s", xlx_ctx_error(ctx));
    assert_string_equal(xlx_ctx_error(ctx), "outer: inner");
}

static void what_is_tolerated_is_kept_and_not_logged(void **state)
{
    xlx_ctx *ctx = *state;
    struct seen seen = { 0 };
    xlx_ctx_set_log(ctx, remember, &seen, XLX_LOG_WARN);
    xlx__tolerate(ctx, 1);
    xlx__fail(ctx, ENOENT, "first");
    xlx__tolerate(ctx, 1);
    xlx__fail(ctx, EIO, "second");
    xlx__tolerate(ctx, -1);
    assert_int_equal(xlx__fail_after_all(ctx, -EIO), -EIO);
    assert_int_equal(seen.calls, 0);
    xlx__warn(ctx, "warning");
    assert_int_equal(seen.calls, 1);
    xlx__tolerate(ctx, -1);
    assert_string_equal(xlx_ctx_error(ctx), "second");
    assert_int_equal(xlx__fail_after_all(ctx, -EIO), -EIO);
    assert_int_equal(seen.calls, 2);
    assert_int_equal(seen.level, XLX_LOG_ERROR);
    assert_string_equal(seen.text, "second");
}

static void a_reason_outlives_what_fails_afterwards(void **state)
{
    xlx_ctx *ctx = *state;
    struct xlx__reason reason;
    xlx__fail(ctx, ENOENT, "reason");
    xlx__reason_keep(ctx, &reason);
    xlx__fail(ctx, EIO, "undoing it");
    xlx__reason_put_back(ctx, &reason);
    assert_string_equal(xlx_ctx_error(ctx), "reason");
}

static void a_long_text_is_cut(void **state)
{
    xlx_ctx *ctx = *state;
    char text[2 * XLX__ERROR_MAX];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    xlx__fail_errno(ctx, EIO, "%s", text);
    assert_int_equal(strlen(xlx_ctx_error(ctx)), XLX__ERROR_MAX - 1);
}

static void levels_above_the_limit_are_not_logged(void **state)
{
    xlx_ctx *ctx = *state;
    struct seen seen = { 0 };
    xlx_ctx_set_log(ctx, remember, &seen, XLX_LOG_WARN);
    xlx__info(ctx, "quiet");
    assert_int_equal(seen.calls, 0);
    xlx__warn(ctx, "loud");
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.level, XLX_LOG_WARN);
}

static void paths_have_defaults_and_can_be_set(void **state)
{
    xlx_ctx *ctx = *state;
    char path[] = "/tmp/root";
    assert_string_equal(xlx_ctx_path(ctx, XLX_PATH_SYSFS), "/sys");
    assert_string_equal(xlx_ctx_path(ctx, XLX_PATH_USB_POLICY),
                        "/etc/xen/usb-policy.conf");
    assert_null(xlx_ctx_path(ctx, XLX_PATH_XL));
    assert_int_equal(xlx_ctx_set_path(ctx, XLX_PATH_SYSFS, path), 0);
    path[1] = 'X'; /* the context has its own copy */
    assert_string_equal(xlx_ctx_path(ctx, XLX_PATH_SYSFS), "/tmp/root");

    assert_int_equal(xlx_ctx_set_path(ctx, XLX_PATH_NR, "/x"), -EINVAL);
    assert_int_equal(xlx_ctx_set_path(ctx, XLX_PATH_XL, ""), -EINVAL);
    assert_null(xlx_ctx_path(ctx, XLX_PATH_NR));
}

static void a_twin_has_an_error_of_its_own(void **state)
{
    xlx_ctx *ctx = *state, *twin;
    struct seen seen = { 0 };
    xlx_ctx_set_log(ctx, remember, &seen, XLX_LOG_WARN);
    xlx_ctx_set_path(ctx, XLX_PATH_SYSFS, "/tmp/root");
    xlx__fail(ctx, EIO, "first");
    assert_int_equal(xlx__ctx_twin(ctx, &twin), 0);
    assert_string_equal(xlx_ctx_error(twin), "");
    assert_string_equal(xlx_ctx_path(twin, XLX_PATH_SYSFS), "/tmp/root");
    assert_null(xlx_ctx_path(twin, XLX_PATH_XL));
    xlx__fail(twin, EIO, "second");
    assert_int_equal(seen.calls, 2);
    assert_string_equal(xlx_ctx_error(ctx), "first");
    xlx_ctx_set_path(twin, XLX_PATH_SYSFS, "/sys");
    xlx_ctx_free(twin);
    assert_string_equal(xlx_ctx_path(ctx, XLX_PATH_SYSFS), "/tmp/root");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, new_ctx, free_ctx)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_takes_null),
        TEST(a_failure_is_kept_and_logged_once),
        TEST(a_failure_may_quote_the_one_before),
        TEST(what_is_tolerated_is_kept_and_not_logged),
        TEST(a_reason_outlives_what_fails_afterwards),
        TEST(a_long_text_is_cut),
        TEST(levels_above_the_limit_are_not_logged),
        TEST(paths_have_defaults_and_can_be_set),
        TEST(a_twin_has_an_error_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

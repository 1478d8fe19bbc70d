/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The contract of the xenstore seam, over the tree in memory and, where a
 * daemon answers (in the rig), over that; then the helpers above the seam.
 */
#include "test.h"

#include <unistd.h>

#include "core/clock.h"
#include "fakes/xenstore_mem.h"
#include "xen/domain.h"

#define TOP "/libxl-ext-test"
#define TX XLX__XS_NO_TX

/* --- the contract --------------------------------------------------------- */

static void expect(struct xlx__xs *xs, uint32_t t, const char *path,
                   const char *value)
{
    char *text = NULL;
    int rc = xs->ops->read(xs, t, path, &text);
    assert_int_equal(rc, value ? 0 : -ENOENT);
    if (value)
        assert_string_equal(text, value);
    free(text);
}

static void nodes(struct xlx__xs *xs)
{
    struct xlx__names names = { 0 };
    const struct xlx__xs_ops *ops = xs->ops;
    expect(xs, TX, TOP "/a", NULL);
    assert_int_equal(ops->write(xs, TX, TOP "/a/b", "1"), 0);
    expect(xs, TX, TOP "/a/b", "1");
    expect(xs, TX, TOP "/a", "");
    assert_int_equal(ops->write(xs, TX, TOP "/a/b", ""), 0);
    expect(xs, TX, TOP "/a/b", "");
    assert_int_equal(ops->write(xs, TX, TOP "/a/c/d", "2"), 0);
    assert_int_equal(ops->mkdir(xs, TX, TOP "/a/c/d"), 0);
    expect(xs, TX, TOP "/a/c/d", "2"); /* mkdir leaves it alone */
    assert_int_equal(ops->ls(xs, TX, TOP "/a", &names), 0);
    assert_int_equal(names.nr, 2);
    xlx__names_free(&names);
    assert_int_equal(ops->ls(xs, TX, TOP "/none", &names), -ENOENT);
    assert_int_equal(ops->rm(xs, TX, TOP "/a/c"), 0);
    expect(xs, TX, TOP "/a/c/d", NULL);
    assert_int_equal(ops->rm(xs, TX, TOP "/x/y"), -ENOENT);
}

static void children_inherit_permissions(struct xlx__xs *xs)
{
    const struct xlx__xs_perm perms[] = { { 0, 0 }, { 5, XLX__XS_READ } };
    struct xlx__xs_perm got[4];
    assert_int_equal(xs->ops->mkdir(xs, TX, TOP "/p"), 0);
    assert_int_equal(xs->ops->set_perms(xs, TX, TOP "/p", perms, 2), 0);
    assert_int_equal(xs->ops->write(xs, TX, TOP "/p/q/r", "1"), 0);
    assert_int_equal(xs->ops->get_perms(xs, TX, TOP "/p/q/r", got, 4), 2);
    assert_int_equal(got[1].domid, 5);
    assert_int_equal(got[1].may, XLX__XS_READ);
    assert_int_equal(xs->ops->get_perms(xs, TX, TOP "/none", got, 4), -ENOENT);
}

static void transactions(struct xlx__xs *xs)
{
    uint32_t t, u;
    const struct xlx__xs_ops *ops = xs->ops;
    assert_int_equal(ops->write(xs, TX, TOP "/t", "0"), 0);
    assert_int_equal(ops->begin(xs, &t), 0);
    assert_int_equal(ops->write(xs, t, TOP "/t", "1"), 0);
    expect(xs, t, TOP "/t", "1");
    expect(xs, TX, TOP "/t", "0"); /* not seen from outside */
    assert_int_equal(ops->end(xs, t, false), 0);
    expect(xs, TX, TOP "/t", "0");

    assert_int_equal(ops->begin(xs, &t), 0);
    assert_int_equal(ops->begin(xs, &u), 0);
    expect(xs, t, TOP "/t", "0");
    expect(xs, u, TOP "/t", "0");
    assert_int_equal(ops->write(xs, t, TOP "/t", "1"), 0);
    assert_int_equal(ops->write(xs, u, TOP "/t", "2"), 0);
    assert_int_equal(ops->end(xs, t, true), 0);
    assert_int_equal(ops->end(xs, u, true), -EAGAIN);
    expect(xs, TX, TOP "/t", "1");
}

static void waiting(struct xlx__xs *xs)
{
    const struct xlx__xs_ops *ops = xs->ops;
    assert_int_equal(ops->watch(xs, TOP "/w"), 0);
    assert_int_equal(ops->wait(xs, xlx__now_ms() + 1000), 1); /* at once */
    while (ops->wait(xs, xlx__now_ms()) == 1)
        ;
    int64_t start = xlx__now_ms();
    assert_int_equal(ops->wait(xs, start + 20), 0);
    assert_true(xlx__now_ms() >= start + 20);
    assert_int_equal(ops->write(xs, TX, TOP "/w/below", "1"), 0);
    assert_int_equal(ops->wait(xs, xlx__now_ms() + 1000), 1);
    assert_int_equal(ops->unwatch(xs, TOP "/w"), 0);
}

static void contract(struct xlx__xs *xs)
{
    xs->ops->rm(xs, TX, TOP);
    nodes(xs);
    children_inherit_permissions(xs);
    transactions(xs);
    waiting(xs);
    assert_int_equal(xs->ops->introduced(xs, 32000), 0);
    assert_int_equal(xs->ops->rm(xs, TX, TOP), 0);
    xs->seam.close(&xs->seam);
}

static void the_fake_keeps_the_contract(void **state)
{
    (void)state;
    contract(xs_mem_seam(xs_mem_new(NULL)));
}

static void the_daemon_keeps_the_contract(void **state)
{
    xlx_ctx *ctx;
    struct xlx__xs *xs;
    (void)state;
    assert_int_equal(xlx_ctx_new(&ctx), 0);
    int rc = xlx__xs_daemon(ctx, &xs);
    if (rc) {
        assert_non_null(strstr(xlx_ctx_error(ctx), "xenstore: "));
        xlx_ctx_free(ctx);
        skip();
    }
    contract(xs);
    xlx_ctx_free(ctx);
}

/* --- the helpers ---------------------------------------------------------- */

struct fixture {
    xlx_ctx *ctx;
    struct xs_mem *mem;
    struct nth nth;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->mem = xs_mem_new(&f->nth);
    *state = f;
    int rc = xlx_ctx_new(&f->ctx);
    f->ctx->xs = xs_mem_seam(f->mem);
    return rc;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    xlx_ctx_free(f->ctx);
    free(f);
    return 0;
}

static int write_two(xlx_ctx *ctx, uint32_t t, void *arg)
{
    int *runs = arg;
    ++*runs;
    int rc = xlx__xs_write(ctx, t, "1", "/t/a");
    return rc ? rc : xlx__xs_write(ctx, t, "2", "/t/b");
}

static void a_transaction_is_repeated_and_whole(void **state)
{
    struct fixture *f = *state;
    int runs = 0;
    xs_mem_collide(f->mem, 2);
    assert_int_equal(xlx__xs_transact(f->ctx, write_two, &runs), 0);
    assert_int_equal(runs, 3);
    assert_string_equal(xs_mem_get(f->mem, "/t/b"), "2");

    xs_mem_put(f->mem, "/t", NULL);
    f->nth = (struct nth){ .fail_at = 3 }; /* the second write */
    assert_int_equal(xlx__xs_transact(f->ctx, write_two, &runs), -EIO);
    assert_null(xs_mem_get(f->mem, "/t/a"));
}

static const struct xlx__xs_ops *real;
static int rm_answer;

/* As xenstored answers when somebody else has just removed it. */
static int rm_late(struct xlx__xs *xs, uint32_t t, const char *path)
{
    int rc = rm_answer;
    rm_answer = 0;
    return rc ? rc : real->rm(xs, t, path);
}

static int remove_one(xlx_ctx *ctx, uint32_t t, void *arg)
{
    int *runs = arg;
    ++*runs;
    return xlx__xs_rm(ctx, t, 1, "/t/a");
}

static void a_node_that_goes_meanwhile_is_a_collision(void **state)
{
    static const int answers[] = { -EIO, -EINVAL };
    struct fixture *f = *state;
    struct xlx__xs_ops ops = *f->ctx->xs->ops;
    real = f->ctx->xs->ops;
    ops.rm = rm_late;
    f->ctx->xs->ops = &ops;
    for (int i = 0; i < 2; i++) {
        int runs = 0;
        xs_mem_put(f->mem, "/t/a", "1");
        rm_answer = answers[i];
        assert_int_equal(xlx__xs_transact(f->ctx, remove_one, &runs), 0);
        assert_int_equal(runs, 2);
        assert_string_equal(xlx_ctx_error(f->ctx), "");
        assert_null(xs_mem_get(f->mem, "/t"));
    }
    rm_answer = -EACCES;
    int runs = 0;
    assert_int_equal(xlx__xs_transact(f->ctx, remove_one, &runs), -EACCES);
    rm_answer = -EIO;
    assert_int_equal(xlx__xs_rm(f->ctx, XLX__XS_NO_TX, 0, "/t/a"), -EIO);
    f->ctx->xs->ops = real;
}

static void endless_collisions_are_a_failure(void **state)
{
    struct fixture *f = *state;
    int runs = 0;
    xs_mem_collide(f->mem, 1000000);
    assert_int_equal(xlx__xs_transact(f->ctx, write_two, &runs), -EAGAIN);
    assert_non_null(strstr(xlx_ctx_error(f->ctx), "transaction"));
}

static void rm_takes_empty_parents_along(void **state)
{
    struct fixture *f = *state;
    xs_mem_put(f->mem, "/r/a/b/c", "1");
    xs_mem_put(f->mem, "/r/x", "1");
    assert_int_equal(xlx__xs_rm(f->ctx, TX, 1, "/r/a/b/c"), 0);
    assert_non_null(xs_mem_get(f->mem, "/r/a"));
    assert_null(xs_mem_get(f->mem, "/r/a/b"));
    assert_int_equal(xlx__xs_rm(f->ctx, TX, 9, "/r/a"), 0);
    assert_non_null(xs_mem_get(f->mem, "/r"));
    assert_int_equal(xlx__xs_rm(f->ctx, TX, 0, "/r/none"), 0);
}

static void numbers_are_strict(void **state)
{
    struct fixture *f = *state;
    uint32_t value = 7;
    xs_mem_put(f->mem, "/n/good", "12");
    xs_mem_put(f->mem, "/n/bad", "12x");
    assert_int_equal(
        xlx__xs_read_u32(f->ctx, TX, 0, 11, &value, "/n/%s", "good"), -EINVAL);
    assert_int_equal(xlx__xs_read_u32(f->ctx, TX, 0, 99, &value, "/n/bad"),
                     -EINVAL);
    assert_int_equal(xlx__xs_read_u32(f->ctx, TX, 0, 99, &value, "/n/none"),
                     -ENOENT);
    assert_int_equal(value, 7);
    assert_int_equal(xlx__xs_read_u32(f->ctx, TX, 0, 12, &value, "/n/good"), 0);
    assert_int_equal(value, 12);
}

static void a_path_too_long_is_refused(void **state)
{
    struct fixture *f = *state;
    char name[XLX__XS_PATH_MAX + 1];
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(xlx__xs_write(f->ctx, TX, "1", "/%s", name),
                     -ENAMETOOLONG);
    name[XLX__XS_PATH_MAX - 2] = '\0'; /* with slash and NUL it just fits */
    assert_int_equal(xlx__xs_write(f->ctx, TX, "1", "/%s", name), 0);
}

static void domains_are_found_as_xl_finds_them(void **state)
{
    struct fixture *f = *state;
    uint32_t domid = 77;
    enum xlx__dom_type type;
    xs_mem_put(f->mem, "/local/domain/3/name", "web");
    xs_mem_put(f->mem, "/local/domain/12/name", "3x");
    xs_mem_put(f->mem, "/libxl/12/type", "pvh");
    assert_int_equal(xlx_domain_find(f->ctx, "web", &domid), 0);
    assert_int_equal(domid, 3);
    assert_int_equal(xlx_domain_find(f->ctx, "3x", &domid), 0);
    assert_int_equal(domid, 12);
    assert_int_equal(xlx_domain_find(f->ctx, "3", &domid), 0);
    assert_int_equal(domid, 3);
    static const char *const none[] = { "4", "we", "", "99999999999", "32752" };
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_int_equal(xlx_domain_find(f->ctx, none[i], &domid), -ESRCH);
        assert_non_null(strstr(xlx_ctx_error(f->ctx), "no such domain"));
    }
    assert_int_equal(domid, 3);
    assert_int_equal(xlx__dom_type(f->ctx, 12, &type), 0);
    assert_int_equal(type, XLX__DOM_PVH);
    assert_int_equal(xlx__dom_type(f->ctx, 3, &type), 0);
    assert_int_equal(type, XLX__DOM_UNKNOWN);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fake_keeps_the_contract),
        cmocka_unit_test(the_daemon_keeps_the_contract),
        TEST(a_transaction_is_repeated_and_whole),
        TEST(a_node_that_goes_meanwhile_is_a_collision),
        TEST(endless_collisions_are_a_failure),
        TEST(rm_takes_empty_parents_along),
        TEST(numbers_are_strict),
        TEST(a_path_too_long_is_refused),
        TEST(domains_are_found_as_xl_finds_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * evtchn-policy: what is stored, what guests are told, and that a failure
 * changes nothing.
 */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "evtchn/policy.h"
#include "fakes/evtchn_world.h"

#define UUID "00000000-0000-4000-8000-000000000005"
#define UUID2 "00000000-0000-4000-8000-000000000009"
#define NODE "/local/domain/5/libxl-ext/vectors"

static int setup(void **state)
{
    struct evtchn_world *w = evtchn_world_new();
    w->mem->patched = true;
    xlx_ctx_set_path(w->ctx, XLX_PATH_STATE, w->dir);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    evtchn_world_free(*state);
    return 0;
}

static void expect(struct evtchn_world *w, const char *line, int status,
                   const char *says)
{
    int got = evtchn_world_call(w, line);
    const char *text = status == CMD_OK ? w->out : w->err;
    if (got != status || !strstr(text, says))
        fail_msg("%s: exit status %d: %s%s", line, got, w->out, w->err);
}

static void expect_node(struct evtchn_world *w, const char *value)
{
    const char *now = xs_mem_get(w->xs, NODE);
    if (!value)
        assert_null(now);
    else
        assert_string_equal(now ? now : "no node", value);
}

static char *file_of(struct evtchn_world *w, const char *uuid)
{
    static char path[160];
    snprintf(path, sizeof(path), "%s/evtchn/%s", w->dir, uuid);
    return path;
}

static bool is_there(const char *path)
{
    return !access(path, F_OK);
}

static void write_file(struct evtchn_world *w, const char *uuid,
                       const char *text, size_t len)
{
    FILE *f = fopen(file_of(w, uuid), "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    fclose(f);
}

/* --- choices -------------------------------------------------------------- */

#define CHARS_31 "a123456789012345678901234567890"

static void choices_are_strict(void **state)
{
    static const struct {
        const char *text;
        const char *choice; /* NULL: refused */
    } rows[] = {
        { "", "" },
        { "vif", "vif" },
        { "vif,vbd", "vif,vbd" },
        { "vif,blk", "vif,vbd" },
        { "blk/51712,xvda", "vbd/51712,xvda" },
        { "blkfront", "blkfront" },
        { "9pfs", "9pfs" },
        { "vif/0,vif/1", "vif/0,vif/1" },
        { "vif,vif/0", "vif,vif/0" },
        { CHARS_31, CHARS_31 },
        { CHARS_31 "1", NULL },
        { "vif,vif", NULL },
        { "blk,vbd", NULL },
        { ",", NULL },
        { "vif,", NULL },
        { ",vif", NULL },
        { "vif,,vbd", NULL },
        { "vif/", NULL },
        { "/0", NULL },
        { "vif/0/1", NULL },
        { "vif/x", NULL },
        { "vif vbd", NULL },
        { "VIF", NULL },
        { "vif\n", NULL },
        { "vif-0", NULL },
        { "vif\xff", NULL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char choice[XLX_EVTCHN_CHOICE_MAX];
        const char *why = xlx__evtchn_choice_read(rows[i].text, choice);
        if (!why != !!rows[i].choice ||
            (!why && strcmp(choice, rows[i].choice)))
            fail_msg("\"%s\": %s: %s", rows[i].text, why, choice);
    }
}

/* Entries of 31, 8 of them with commas: 255 bytes; the same and one more. */
static void a_choice_has_a_longest(void **state)
{
    char text[XLX_EVTCHN_CHOICE_MAX + 8], choice[XLX_EVTCHN_CHOICE_MAX];
    size_t n = 0;
    (void)state;
    for (char c = 'a'; c < 'i'; c++)
        n += (size_t)sprintf(text + n, "%s%c123456789012345678901234567890",
                             c > 'a' ? "," : "", c);
    assert_int_equal(n, XLX_EVTCHN_CHOICE_MAX - 1);
    assert_null(xlx__evtchn_choice_read(text, choice));
    assert_string_equal(choice, text);
    strcpy(text + n - 1, ",b"); /* one byte more */
    assert_int_equal(strlen(text), XLX_EVTCHN_CHOICE_MAX);
    assert_string_equal(xlx__evtchn_choice_read(text, choice),
                        "it is too long");
}

/* --- setting -------------------------------------------------------------- */

static void a_guest_is_told_and_it_is_stored(void **state)
{
    struct evtchn_world *w = *state;
    expect(w, "evtchn-policy", CMD_OK, "no vector policies\n");
    expect(w, "evtchn-policy guest --vectors=vif,blk", CMD_OK, "");
    assert_string_equal(w->out, "");
    expect_node(w, "vif,vbd");
    expect(w, "evtchn-policy", CMD_OK,
           "DOMID  NAME   VECTORS\n5      guest  vif,vbd\n");
    expect(w, "evtchn-policy 5", CMD_OK, "  vif,vbd\n");
    expect(w, "evtchn-policy " UUID, CMD_OK, "  vif,vbd\n");
    expect(w, "evtchn-policy guest --vectors=", CMD_OK, "");
    expect_node(w, "");
    expect(w, "evtchn-policy guest", CMD_OK, "  none\n");
    expect(w, "evtchn-policy guest --json", CMD_OK,
           "\"name\": \"guest\",\n        \"uuid\": \"" UUID "\",\n"
           "        \"domid\": 5,\n        \"vectors\": \"\"");
    expect(w, "evtchn-policy guest --remove", CMD_OK, "");
    expect_node(w, NULL);
    assert_null(xs_mem_get(w->xs, "/local/domain/5/libxl-ext"));
    assert_false(is_there(file_of(w, UUID)));
    expect(w, "evtchn-policy --json", CMD_OK, "[");
}

static void what_cannot_be_is_refused(void **state)
{
    struct evtchn_world *w = *state;
    static const struct {
        const char *line;
        int status;
        const char *says;
    } rows[] = {
        { "evtchn-policy a b", CMD_USAGE, "takes one guest" },
        { "evtchn-policy --remove", CMD_USAGE, "takes one guest" },
        { "evtchn-policy --vectors=vif", CMD_USAGE, "takes one guest" },
        { "evtchn-policy guest -r -v vif", CMD_USAGE, "not both" },
        { "evtchn-policy guest -j -v vif", CMD_USAGE, "sets none" },
        { "evtchn-policy guest", CMD_FAILED, "guest: it has no vector policy" },
        { "evtchn-policy guest -r", CMD_FAILED, "it has no vector policy" },
        { "evtchn-policy gues -v vif", CMD_FAILED, "did you mean guest?" },
        { "evtchn-policy nobody -v vif", CMD_FAILED,
          "guest nobody: it does not run and has no vector policy: start it" },
        { "evtchn-policy old -v vif", CMD_FAILED, "it has no UUID" },
        { "evtchn-policy guest -v vif,,vbd", CMD_FAILED,
          "vif,,vbd: not a choice of channels: an entry is neither" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect(w, rows[i].line, rows[i].status, rows[i].says);
    expect_node(w, NULL);
    assert_false(is_there(file_of(w, UUID)));
}

static void obstacles_are_noted(void **state)
{
    struct evtchn_world *w = *state;
    w->mem->patched = false;
    expect(w, "evtchn-policy guest -v vif", CMD_OK,
           "note: this hypervisor has no interrupt vectors");
    expect_node(w, "vif");
}

/* --- starts and restores -------------------------------------------------- */

static void put_domain(struct evtchn_world *w, const char *name,
                       const char *uuid)
{
    char vm[64];
    snprintf(vm, sizeof(vm), "/vm/%s", uuid);
    xs_mem_put(w->xs, "/local/domain/5", NULL);
    evtchn_world_put(w, "name", name);
    evtchn_world_put(w, "vm", vm);
}

static void a_restored_guest_is_told_again(void **state)
{
    struct evtchn_world *w = *state;
    expect(w, "evtchn-policy guest -v vif", CMD_OK, "");
    assert_int_equal(xlx_evtchn_policy_apply(w->ctx), 0);
    put_domain(w, "guest--incoming", UUID);
    assert_int_equal(xlx_evtchn_policy_apply(w->ctx), 1);
    expect_node(w, "vif");
    assert_int_equal(xlx_evtchn_policy_apply(w->ctx), 0);
}

static void a_guest_with_its_name_is_it(void **state)
{
    struct evtchn_world *w = *state;
    expect(w, "evtchn-policy guest -v vif", CMD_OK, "");
    put_domain(w, "guest", UUID2);
    assert_int_equal(xlx_evtchn_policy_apply(w->ctx), 1);
    expect_node(w, "vif");
    assert_true(is_there(file_of(w, UUID2)));
    assert_false(is_there(file_of(w, UUID)));
    put_domain(w, "other", "00000000-0000-4000-8000-00000000000a");
    assert_int_equal(xlx_evtchn_policy_apply(w->ctx), 0);
    expect_node(w, NULL);
    expect(w, "evtchn-policy guest", CMD_OK, "-      guest  vif\n");
    expect(w, "evtchn-policy guest -v vbd", CMD_OK, "");
    expect_node(w, NULL);
}

static void a_node_without_a_policy_goes(void **state)
{
    struct evtchn_world *w = *state;
    evtchn_world_put(w, "libxl-ext/vectors", "vif");
    assert_int_equal(xlx_evtchn_policy_apply(w->ctx), 1);
    expect_node(w, NULL);
}

static void end_domain(void *user)
{
    struct evtchn_world *w = user;
    xs_mem_put(w->xs, "/local/domain/5", NULL);
}

/* A domain that ends at any time while it is told leaves no node behind. */
static void one_that_ends_is_not_made_again(void **state)
{
    struct evtchn_world *w = *state;
    bool hit = true;
    int n;
    expect(w, "evtchn-policy guest -v vif", CMD_OK, "");
    for (n = 1; hit; n++) {
        put_domain(w, "guest", UUID);
        w->nth = (struct nth){ .act_at = n, .act = end_domain, .user = w };
        int rc = xlx_evtchn_policy_apply(w->ctx);
        hit = w->nth.calls >= n;
        w->nth = (struct nth){ 0 };
        if (hit && (rc < 0 || xs_mem_get(w->xs, NODE)))
            fail_msg("before call %d: %d", n, rc);
    }
    assert_true(n > 5);
}

/* --- files ---------------------------------------------------------------- */

static void bad_files_are_named_and_left_alone(void **state)
{
    struct evtchn_world *w = *state;
    static const struct {
        const char *text;
        size_t len;
        const char *says;
    } rows[] = {
        { "", 0, "it has no vectors=" },
        { "name=g\n", 7, "it has no vectors=" },
        { "vectors=vif,\n", 13, "it ends with a comma" },
        { "vectors=vif\0\n", 13, "it has a byte 0" },
        { "vectors=a b\n", 12, "an entry is neither" },
    };
    char path[160];
    expect(w, "evtchn-policy guest -v vif", CMD_OK, "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        write_file(w, UUID2, rows[i].text, rows[i].len);
        assert_int_equal(evtchn_world_call(w, "evtchn-policy"), CMD_OK);
        if (!strstr(w->err, rows[i].says) || !strstr(w->err, UUID2) ||
            !strstr(w->out, "vif"))
            fail_msg("row %zu: %s%s", i, w->out, w->err);
        assert_true(is_there(file_of(w, UUID2)));
    }
    write_file(w, UUID2, "more=1\nvectors=vbd", 18);
    expect(w, "evtchn-policy " UUID2, CMD_OK, "-      -     vbd\n");
    /* What a write that was interrupted left. */
    snprintf(path, sizeof(path), "%s/evtchn/.%s.new", w->dir, UUID);
    fclose(fopen(path, "w"));
    assert_int_equal(evtchn_world_call(w, "evtchn-policy"), CMD_OK);
    assert_string_equal(w->err, "");
}

static void a_file_has_a_longest(void **state)
{
    struct evtchn_world *w = *state;
    char text[XLX__EVTCHN_POLICY_FILE_MAX + 1];
    expect(w, "evtchn-policy guest -v vif", CMD_OK, "");
    memset(text, '\n', sizeof(text));
    memcpy(text, "vectors=vbd", 11);
    write_file(w, UUID2, text, sizeof(text) - 1);
    expect(w, "evtchn-policy " UUID2, CMD_OK, "vbd");
    write_file(w, UUID2, text, sizeof(text));
    expect(w, "evtchn-policy " UUID2, CMD_FAILED, "it is too long");
}

/* --- failures ------------------------------------------------------------- */

/* Every call to xenstore fails once: an error with a text, or success. */
static void a_failure_of_xenstore_is_reported(void **state)
{
    struct evtchn_world *w = *state;
    int failed = 0;
    for (int n = 1;; n++) {
        assert_int_equal(xlx_evtchn_policy_set(w->ctx, "guest", "vif"), 0);
        w->nth = (struct nth){ .fail_at = n };
        int rc = xlx_evtchn_policy_set(w->ctx, "guest", "vbd");
        bool hit = w->nth.calls >= n;
        w->nth = (struct nth){ 0 };
        if (!hit)
            break;
        if (rc) {
            failed++;
            assert_int_equal(rc, -EIO);
            assert_non_null(strstr(xlx_ctx_error(w->ctx), "xenstore"));
            expect_node(w, "vif");
        }
        /* Whoever applies it later brings both together. */
        assert_true(xlx_evtchn_policy_apply(w->ctx) >= 0);
        struct xlx_evtchn_policy *list;
        assert_int_equal(xlx_evtchn_policy_list(w->ctx, &list, sizeof(*list)),
                         1);
        expect_node(w, list[0].vectors);
        free(list);
    }
    assert_true(failed > 3);
}

static void a_folder_that_cannot_be_written(void **state)
{
    struct evtchn_world *w = *state;
    xlx_ctx_set_path(w->ctx, XLX_PATH_STATE, "/dev/null/x");
    expect(w, "evtchn-policy guest -v vif", CMD_FAILED, "/dev/null");
    expect_node(w, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        TEST(choices_are_strict),
        TEST(a_choice_has_a_longest),
        TEST(a_guest_is_told_and_it_is_stored),
        TEST(what_cannot_be_is_refused),
        TEST(obstacles_are_noted),
        TEST(a_restored_guest_is_told_again),
        TEST(a_guest_with_its_name_is_it),
        TEST(a_node_without_a_policy_goes),
        TEST(one_that_ends_is_not_made_again),
        TEST(bad_files_are_named_and_left_alone),
        TEST(a_file_has_a_longest),
        TEST(a_failure_of_xenstore_is_reported),
        TEST(a_folder_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/folders.h"
#include "core/names.h"
#include "core/replace.h"

struct fixture {
    char dir[32];
    xlx_ctx *ctx;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (!f || xlx_ctx_new(&f->ctx))
        return -1;
    strcpy(f->dir, "/tmp/core-files-XXXXXX");
    *state = f;
    return mkdtemp(f->dir) ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[64];
    snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
    int rc = system(command);
    xlx_ctx_free(f->ctx);
    free(f);
    return rc;
}

static void name(const struct fixture *f, const char *rest, char *path)
{
    assert_true(snprintf(path, PATH_MAX, "%s/%s", f->dir, rest) < PATH_MAX);
}

static bool is_folder(const struct fixture *f, const char *rest)
{
    char path[PATH_MAX];
    struct stat st;
    name(f, rest, path);
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static void make_file(const struct fixture *f, const char *rest)
{
    char path[PATH_MAX];
    name(f, rest, path);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
}

/* --- folders -------------------------------------------------------------- */

static void folders_are_made_where_they_are_missing(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX];
    name(f, "a/b/c", path);
    assert_int_equal(xlx__mkdirs(path), 0);
    assert_true(is_folder(f, "a/b/c"));
    name(f, "a/b/d", path);
    assert_int_equal(xlx__make_folders(f->ctx, path), 0);
    assert_true(is_folder(f, "a/b/d"));
    assert_int_equal(xlx__make_folders(f->ctx, path), 0);
}

static bool is_conf(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && !strcmp(dot, ".conf");
}

static void a_folder_is_listed_by_what_is_wanted(void **state)
{
    struct fixture *f = *state;
    struct xlx__names names = { 0 };
    char path[PATH_MAX];
    make_file(f, "b.conf");
    make_file(f, "B.conf");
    make_file(f, "a.conf");
    make_file(f, "a.txt");
    assert_int_equal(xlx__names_in_folder(&names, f->dir, is_conf), 0);
    assert_int_equal(names.nr, 3);
    assert_string_equal(names.v[0], "B.conf");
    assert_string_equal(names.v[1], "a.conf");
    assert_string_equal(names.v[2], "b.conf");
    xlx__names_free(&names);
    name(f, "none", path);
    assert_int_equal(xlx__names_in_folder(&names, path, is_conf), -ENOENT);
    name(f, "a.txt", path);
    assert_int_equal(xlx__names_in_folder(&names, path, is_conf), -ENOTDIR);
    assert_int_equal(names.nr, 0);
}

static void a_file_gets_the_folders_above_it(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX];
    name(f, "x/y/file", path);
    assert_int_equal(xlx__make_folders_above(f->ctx, path), 0);
    assert_true(is_folder(f, "x/y"));
    assert_false(is_folder(f, "x/y/file"));
    assert_int_equal(xlx__make_folders_above(f->ctx, "/file"), 0);
    assert_int_equal(xlx__make_folders_above(f->ctx, "file"), 0);
}

static void a_file_in_the_way_is_named(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX];
    make_file(f, "file");
    name(f, "file/a", path);
    assert_int_equal(xlx__mkdirs(path), -ENOTDIR);
    assert_string_equal(xlx_ctx_error(f->ctx), "");
    assert_int_equal(xlx__make_folders(f->ctx, path), -ENOTDIR);
    assert_non_null(strstr(xlx_ctx_error(f->ctx), path));
}

/* The slash and the NUL behind the name count. */
static void a_name_that_is_too_long_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX + 2];
    for (int i = 0; i < PATH_MAX; i++)
        path[i] = i % 200 ? 'x' : '/';
    memcpy(path, f->dir, strlen(f->dir));
    path[PATH_MAX - 1] = '\0';
    assert_int_equal(xlx__mkdirs(path), -ENAMETOOLONG);
    path[PATH_MAX - 2] = '\0';
    assert_int_equal(xlx__mkdirs(path), 0);
    assert_true(access(path, F_OK) == 0);
    path[PATH_MAX - 2] = 'x';
    path[PATH_MAX - 1] = '/';
    path[PATH_MAX] = 'f';
    path[PATH_MAX + 1] = '\0';
    assert_int_equal(xlx__make_folders_above(f->ctx, path), -ENAMETOOLONG);
}

/* --- files that are written whole ----------------------------------------- */

static void expect(const struct fixture *f, const char *rest, const char *text)
{
    char path[PATH_MAX], got[64] = "";
    name(f, rest, path);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, got, sizeof(got) - 1), strlen(text));
    close(fd);
    assert_string_equal(got, text);
}

static bool is_there(const struct fixture *f, const char *rest)
{
    char path[PATH_MAX];
    name(f, rest, path);
    return !access(path, F_OK);
}

static void a_file_is_replaced_as_a_whole(void **state)
{
    struct fixture *f = *state;
    char dir[PATH_MAX];
    assert_int_equal(xlx__write_whole(f->dir, "a", "long text", 9, 0), 0);
    expect(f, "a", "long text");
    assert_int_equal(xlx__write_whole(f->dir, "a", "new", 3, XLX__FLUSH), 0);
    expect(f, "a", "new");
    assert_false(is_there(f, ".a.new"));
    name(f, "x/y", dir);
    assert_int_equal(xlx__write_whole(dir, "a", "b", 1, 0), -ENOENT);
    assert_int_equal(xlx__replace_file(f->ctx, dir, "a", "b"), 0);
    expect(f, "x/y/a", "b");
}

/* Nothing is left of the new one: of what is in its way, and of a link, through
 * which another file would be written. */
static void a_file_that_cannot_be_written_stays(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX];
    name(f, "a/b", path);
    assert_int_equal(xlx__mkdirs(path), 0);
    assert_int_equal(xlx__write_whole(f->dir, "a", "text", 4, 0), -EISDIR);
    assert_true(is_folder(f, "a/b"));
    assert_false(is_there(f, ".a.new"));
    assert_int_equal(xlx__write_whole(f->dir, "c", "old", 3, 0), 0);
    name(f, ".c.new", path);
    assert_int_equal(symlink("c", path), 0);
    assert_int_equal(xlx__replace_file(f->ctx, f->dir, "c", "new"), -ELOOP);
    expect(f, "c", "old");
    name(f, "c", path);
    assert_non_null(strstr(xlx_ctx_error(f->ctx), path));
}

static void the_names_of_both_files_have_to_fit(void **state)
{
    struct fixture *f = *state;
    char file[NAME_MAX + 2];
    memset(file, 'x', sizeof(file));
    file[NAME_MAX - 5 + 1] = '\0'; /* ".", ".new" */
    assert_int_equal(xlx__write_whole(f->dir, file, "a", 1, 0), -ENAMETOOLONG);
    file[NAME_MAX - 5] = '\0';
    assert_int_equal(xlx__write_whole(f->dir, file, "a", 1, 0), 0);
    expect(f, file, "a");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(folders_are_made_where_they_are_missing),
        TEST(a_folder_is_listed_by_what_is_wanted),
        TEST(a_file_gets_the_folders_above_it),
        TEST(a_file_in_the_way_is_named),
        TEST(a_name_that_is_too_long_is_refused),
        TEST(a_file_is_replaced_as_a_whole),
        TEST(a_file_that_cannot_be_written_stays),
        TEST(the_names_of_both_files_have_to_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

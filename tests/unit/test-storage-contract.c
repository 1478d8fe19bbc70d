/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The contract of the storage seam over a file, and, where it is built with
 * libnbd, over a server that exports the same bytes (nbdkit).
 */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "image/storage.h"

#define SIZE ((size_t)300 * 1000 + 7) /* no multiple of anything */

struct subject {
    xlx_ctx *ctx;
    struct xlx__storage *storage;
    bool is_file;
    char dir[32], path[64], socket[64], pidfile[64];
    pid_t server;
};

static char byte_at(uint64_t offset)
{
    return (char)(offset % 251 ^ offset / 4099);
}

static bool are_right(const char *bytes, size_t len, uint64_t offset)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != byte_at(offset + i))
            return false;
    return true;
}

/* Whether exactly these bytes come, and nothing is written behind them. */
static bool reads(const struct subject *s, uint64_t offset, size_t len)
{
    char *bytes = malloc(len + 1);
    bytes[len] = 'x';
    int rc = s->storage->ops->pread(s->storage, bytes, len, offset);
    bool right = !rc && are_right(bytes, len, offset) && bytes[len] == 'x';
    free(bytes);
    return right;
}

static int read_fails(const struct subject *s, uint64_t offset, size_t len)
{
    char *bytes = malloc(len);
    int rc = s->storage->ops->pread(s->storage, bytes, len, offset);
    free(bytes);
    return rc;
}

/* --- the cases ------------------------------------------------------------ */

static void any_range_is_read(struct subject *s)
{
    assert_int_equal(s->storage->size, SIZE);
    assert_int_equal(s->storage->has_folder, s->is_file);
    assert_true(reads(s, 0, 1));
    assert_true(reads(s, 0, SIZE));
    assert_true(reads(s, SIZE - 1, 1));
    assert_true(reads(s, 4095, 2));
    assert_true(reads(s, 12345, 67890));
}

static void what_is_not_there_is_told(struct subject *s)
{
    assert_int_equal(read_fails(s, SIZE - 1, 2), -ENODATA);
    assert_int_equal(read_fails(s, 0, SIZE + 1), -ENODATA);
    assert_int_equal(read_fails(s, SIZE, 1), -ENODATA);
    assert_int_equal(read_fails(s, SIZE + 1, 1), -ENODATA);
    assert_int_equal(read_fails(s, UINT64_C(1) << 40, 1), -ENODATA);
    assert_int_equal(read_fails(s, INT64_MAX, 1), -ENODATA);
    assert_int_equal(read_fails(s, (uint64_t)INT64_MAX + 1, 1), -ENODATA);
    assert_int_equal(read_fails(s, UINT64_MAX, 1), -ENODATA);
    assert_true(reads(s, SIZE - 1, 1)); /* it still can */
}

/* Whatever is expected, the bytes are those of the storage. */
static void what_is_expected_changes_no_byte(struct subject *s)
{
    const struct xlx__storage_ops *ops = s->storage->ops;
    static const struct {
        uint64_t offset;
        size_t len;
    } rows[] = {
        { 0, 4096 }, { 4096, 4096 },  { 100, 1 },      { SIZE - 5, 5 },
        { SIZE, 1 }, { SIZE - 5, 6 }, { 0, SIZE * 2 }, { UINT64_MAX, 4096 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ops->expect(s->storage, rows[i].offset, rows[i].len);
    assert_true(reads(s, 0, 4096));
    assert_true(reads(s, 4096, 4096));
    assert_true(reads(s, 50, 100)); /* across what was expected */
    assert_true(reads(s, SIZE - 5, 5));
    ops->expect(s->storage, 8192, 4096);
    ops->settle(s->storage);
    ops->settle(s->storage);
    assert_true(reads(s, 8192, 4096));
    ops->expect(s->storage, 20000, 4096); /* and is never asked for */
}

static void marks_are_taken(struct subject *s)
{
    const struct xlx__storage_ops *ops = s->storage->ops;
    assert_int_equal(ops->recognize(s->storage, 0, XLX__MARK_MAX), 0);
    assert_int_equal(ops->recognize(s->storage, SIZE - 1, 1), 0);
    assert_true(reads(s, 0, SIZE));
}

static void both_read_after_a_fork(struct subject *s)
{
    int status;
    assert_true(reads(s, 0, 100));
    pid_t child = fork();
    if (!child)
        _exit(reads(s, 1000, 5000) && reads(s, 0, 10) ? 0 : 1);
    assert_true(reads(s, 7000, 5000));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(reads(s, 0, 10));
}

struct reader {
    const struct subject *s;
    uint64_t first;
    bool right;
};

static void *read_many(void *arg)
{
    struct reader *r = arg;
    r->right = true;
    for (uint64_t at = r->first; at + 5000 < SIZE; at += 7919)
        r->right &= reads(r->s, at, 5000);
    return NULL;
}

static void threads_read_at_a_time(struct subject *s)
{
    struct reader reader[5];
    pthread_t thread[5];
    for (size_t i = 0; i < 5; i++) {
        reader[i] = (struct reader){ .s = s, .first = i * 1000 };
        assert_int_equal(
            pthread_create(&thread[i], NULL, read_many, &reader[i]), 0);
    }
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    for (size_t i = 0; i < 5; i++)
        assert_true(reader[i].right);
}

static void only_a_file_has_a_time_and_a_number(struct subject *s)
{
    struct timespec mtime = { 1, 1 };
    mode_t mode = 07777;
    uint64_t dev = 7, ino = 7;
    struct stat st;
    assert_int_equal(stat(s->path, &st), 0);
    assert_int_equal(s->storage->ops->examine(s->storage, &mtime, &mode), 0);
    assert_int_equal(mode, s->is_file ? 0640 : 0600);
    assert_int_equal(mtime.tv_sec, s->is_file ? st.st_mtim.tv_sec : 0);
    assert_int_equal(mtime.tv_nsec, s->is_file ? st.st_mtim.tv_nsec : 0);
    assert_int_equal(s->storage->ops->reads_from(s->storage, &dev, &ino),
                     s->is_file);
    assert_int_equal(dev, s->is_file ? st.st_dev : 7);
    assert_int_equal(ino, s->is_file ? st.st_ino : 7);
}

/* Another file that has its name now is another one. */
static void it_knows_whether_it_has_a_name(struct subject *s)
{
    const struct xlx__storage_ops *ops = s->storage->ops;
    char other[80];
    snprintf(other, sizeof(other), "%s/other", s->dir);
    assert_int_equal(ops->is_named(s->storage, s->path), s->is_file);
    assert_false(ops->is_named(s->storage, s->dir));
    assert_false(ops->is_named(s->storage, other));
    assert_int_equal(rename(s->path, other), 0);
    assert_false(ops->is_named(s->storage, s->path));
    assert_int_equal(ops->is_named(s->storage, other), s->is_file);
    assert_int_equal(close(open(s->path, O_WRONLY | O_CREAT, 0600)), 0);
    assert_false(ops->is_named(s->storage, s->path));
    assert_int_equal(unlink(other), 0);
    assert_false(ops->is_named(s->storage, other));
}

/* --- the subjects --------------------------------------------------------- */

static void write_file(struct subject *s)
{
    char *bytes = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = byte_at(i);
    int fd = open(s->path, O_WRONLY | O_CREAT, 0640);
    assert_int_equal(fchmod(fd, 0640), 0);
    assert_int_equal(write(fd, bytes, SIZE), SIZE);
    assert_int_equal(close(fd), 0);
    free(bytes);
}

static void make_file(struct subject *s)
{
    int fd = open(s->path, O_RDONLY | O_CLOEXEC);
    s->is_file = true;
    assert_int_equal(xlx__storage_file(s->ctx, fd, s->path, &s->storage), 0);
}

/* False: there is no nbdkit. */
static bool start_server(struct subject *s)
{
    int status;
    s->server = fork();
    if (!s->server) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDERR_FILENO);
        execlp("nbdkit", "nbdkit", "-f", "-r", "-U", s->socket, "-P",
               s->pidfile, "file", s->path, NULL);
        _exit(127);
    }
    while (access(s->pidfile, F_OK)) {
        usleep(10000);
        if (waitpid(s->server, &status, WNOHANG) == s->server) {
            s->server = 0;
            return false;
        }
    }
    return true;
}

static void make_nbd(struct subject *s)
{
    char uri[128];
    snprintf(uri, sizeof(uri), "nbd+unix:///?socket=%s", s->socket);
    if (!start_server(s))
        fail_msg("nbdkit does not start");
    if (xlx__storage_nbd(s->ctx, uri, XLX__NBD_TIMEOUT_MS, &s->storage))
        fail_msg("%s", xlx_ctx_error(s->ctx));
}

static void end(struct subject *s)
{
    char command[64];
    s->storage->ops->close(s->storage);
    if (s->server) {
        kill(s->server, SIGKILL);
        waitpid(s->server, NULL, 0);
    }
    snprintf(command, sizeof(command), "rm -rf %s", s->dir);
    assert_int_equal(system(command), 0);
    xlx_ctx_free(s->ctx);
}

static void run_cases(void (*make)(struct subject *))
{
    static void (*const cases[])(struct subject *) = {
        any_range_is_read,
        what_is_not_there_is_told,
        what_is_expected_changes_no_byte,
        marks_are_taken,
        both_read_after_a_fork,
        threads_read_at_a_time,
        only_a_file_has_a_time_and_a_number,
        it_knows_whether_it_has_a_name,
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct subject s = { .dir = "/tmp/xlx-storage-XXXXXX" };
        assert_non_null(mkdtemp(s.dir));
        snprintf(s.path, sizeof(s.path), "%s/file", s.dir);
        snprintf(s.socket, sizeof(s.socket), "%s/socket", s.dir);
        snprintf(s.pidfile, sizeof(s.pidfile), "%s/pid", s.dir);
        assert_int_equal(xlx_ctx_new(&s.ctx), 0);
        write_file(&s);
        make(&s);
        cases[i](&s);
        end(&s);
    }
}

static void a_file_keeps_it(void **state)
{
    (void)state;
    run_cases(make_file);
}

static void a_server_keeps_it(void **state)
{
    (void)state;
#ifdef HAVE_LIBNBD
    run_cases(make_nbd);
#else
    (void)make_nbd;
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_keeps_it),
        cmocka_unit_test(a_server_keeps_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

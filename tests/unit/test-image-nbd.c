/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Images on an NBD server: a real one (nbdkit) on a socket in a folder of the
 * test's, or something on that socket that is none.
 */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "fakes/image_build.h"
#include "image/image.h"
#include "image/internal.h"

struct fixture {
    xlx_ctx *ctx;
    struct image_build b;
    char dir[64], path[96], socket[96], pidfile[96], uri[160], sidecar_path[96];
    xlx_image *image;
    pid_t server;
    bool one_thread; /* of the server, see start_to_hang() */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    snprintf(f->dir, sizeof(f->dir), "/tmp/xlx-nbd-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/g.save", f->dir);
    snprintf(f->socket, sizeof(f->socket), "%s/socket", f->dir);
    snprintf(f->pidfile, sizeof(f->pidfile), "%s/pid", f->dir);
    snprintf(f->sidecar_path, sizeof(f->sidecar_path), "%s/g.lzx", f->dir);
    snprintf(f->uri, sizeof(f->uri), "nbd+unix:///?socket=%s", f->socket);
    return xlx_ctx_new(&f->ctx);
}

static void stop_server(struct fixture *f)
{
    if (!f->server)
        return;
    kill(f->server, SIGKILL);
    waitpid(f->server, NULL, 0);
    f->server = 0;
    unlink(f->socket);
    unlink(f->pidfile);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    xlx_image_close(f->image);
    stop_server(f);
    unlink(f->path);
    unlink(f->sidecar_path);
    int left = rmdir(f->dir);
    build_free(&f->b);
    xlx_ctx_free(f->ctx);
    free(f);
    return left;
}

static void write_built(const struct fixture *f)
{
    FILE *file = fopen(f->path, "w");
    assert_int_equal(fwrite(f->b.bytes, f->b.len, 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

static void save(struct fixture *f)
{
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_range(&f->b, 0, 1000);
    build_range(&f->b, 0x2000, 200);
    build_finish(&f->b);
    write_built(f);
}

#ifdef HAVE_LIBNBD

/* Which it writes when it listens; a socket has its name before that. */
static void wait_for_pidfile(struct fixture *f)
{
    for (int i = 0; i < 1000 && access(f->pidfile, F_OK); i++)
        usleep(10000);
    assert_int_equal(access(f->pidfile, F_OK), 0);
}

/* -f: it is our child. `filter` may be NULL. */
static void start_server(struct fixture *f, const char *filter,
                         const char *option)
{
    f->server = fork();
    if (f->server == 0) {
        const char *argv[14] = { "nbdkit",  "-f", "-r",       "-U",
                                 f->socket, "-P", f->pidfile, NULL };
        int n = 7;
        char filter_arg[64], file_arg[128];
        snprintf(filter_arg, sizeof(filter_arg), "--filter=%s",
                 filter ? filter : "");
        snprintf(file_arg, sizeof(file_arg), "file=%s", f->path);
        if (f->one_thread)
            argv[n++] = "--threads=1";
        if (filter)
            argv[n++] = filter_arg;
        argv[n++] = "file";
        argv[n++] = file_arg;
        argv[n] = option;
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDERR_FILENO);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    wait_for_pidfile(f);
}

static void must_open(struct fixture *f)
{
    if (xlx_image_open(f->ctx, f->uri, &f->image))
        fail_msg("%s", xlx_ctx_error(f->ctx));
}

static bool reads_right(const struct fixture *f, uint64_t gfn)
{
    char page[XLX_PAGE_SIZE], want[XLX_PAGE_SIZE];
    build_page(gfn, 0, want);
    return !xlx_image_read(f->image, gfn, 1, page) &&
           !memcmp(page, want, sizeof(page));
}

static void expect_page(const struct fixture *f, uint64_t gfn)
{
    assert_true(reads_right(f, gfn));
}

static void an_export_is_read_as_a_file_is(void **state)
{
    struct fixture *f = *state;
    static char pages[1000][XLX_PAGE_SIZE];
    struct xlx_image_config config;
    save(f);
    start_server(f, NULL, NULL);
    must_open(f);
    assert_int_equal(xlx_image_info(f->image)->pages, 1200);
    assert_int_equal(
        xlx_image_config(f->ctx, f->image, &config, sizeof(config)), 0);
    assert_string_equal(config.name, "test");
    expect_page(f, 0);
    expect_page(f, 0x20c7);
    assert_int_equal(xlx_image_read(f->image, 0, 1000, pages), 0);
    assert_int_equal(xlx_image_verify(f->ctx, f->image, NULL, NULL, NULL, NULL),
                     0);
    /* the end of the export */
    assert_int_equal(xlx__image_pread(f->image, pages, 2, f->b.len - 1),
                     -ENODATA);
    assert_int_equal(xlx__image_pread(f->image, pages, 1, UINT64_MAX),
                     -ENODATA);
}

static void its_sidecar_lies_where_one_says(void **state)
{
    struct fixture *f = *state;
    xlx_sidecar *sidecar;
    save(f);
    start_server(f, NULL, NULL);
    must_open(f);
    assert_int_equal(xlx_sidecar_open(f->ctx, f->image, NULL, &sidecar),
                     -ENOENT);
    assert_non_null(strstr(xlx_ctx_error(f->ctx), "no sidecar was named"));
    assert_int_equal(xlx_sidecar_write(f->ctx, f->image, NULL, NULL, NULL),
                     -EINVAL);
    assert_int_equal(
        xlx_sidecar_write(f->ctx, f->image, f->sidecar_path, NULL, NULL), 0);
    assert_int_equal(
        xlx_sidecar_open(f->ctx, f->image, f->sidecar_path, &sidecar), 0);
    assert_int_equal(
        xlx_image_verify(f->ctx, f->image, sidecar, NULL, NULL, NULL), 0);
    xlx_sidecar_close(sidecar);
}

/* An export has no time and no number: its contents tell which one it is. */
static void a_sidecar_of_another_export_is_not_used(void **state)
{
    struct fixture *f = *state;
    xlx_sidecar *sidecar;
    save(f);
    start_server(f, NULL, NULL);
    must_open(f);
    assert_true(xlx__image_has_its_name(f->image)); /* and so it may */
    assert_int_equal(xlx_sidecar_can_write(f->ctx, f->image, NULL), -EINVAL);
    assert_int_equal(xlx_sidecar_can_write(f->ctx, f->image, f->sidecar_path),
                     0);
    assert_int_not_equal(access(f->sidecar_path, F_OK), 0);
    assert_int_equal(
        xlx_sidecar_write(f->ctx, f->image, f->sidecar_path, NULL, NULL), 0);
    xlx_image_close(f->image);
    stop_server(f);

    size_t len = f->b.len;
    build_reset(&f->b);
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_range(&f->b, 0, 1000);
    build_range(&f->b, 0x2001, 200);
    build_finish(&f->b);
    assert_int_equal(f->b.len, len);
    write_built(f);
    start_server(f, NULL, NULL);
    must_open(f);
    assert_int_equal(
        xlx_sidecar_open(f->ctx, f->image, f->sidecar_path, &sidecar), -ESTALE);
    assert_non_null(strstr(xlx_ctx_error(f->ctx), "does not match"));
}

/* How many pages were wrong: an assertion belongs into the test's own thread.
 */
static void *read_all(void *arg)
{
    const struct fixture *f = arg;
    intptr_t wrong = 0;
    for (uint64_t gfn = 0; gfn < 1000; gfn += 7)
        wrong += !reads_right(f, gfn);
    return (void *)wrong;
}

/* More threads than connections. */
static void threads_read_at_a_time(void **state)
{
    struct fixture *f = *state;
    pthread_t thread[6];
    void *wrong;
    save(f);
    start_server(f, NULL, NULL);
    must_open(f);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, read_all, f), 0);
    for (size_t i = 0; i < 6; i++) {
        pthread_join(thread[i], &wrong);
        assert_null(wrong);
    }
}

/* Both read on, each over connections of its own. */
static void a_fork_does_not_share_connections(void **state)
{
    struct fixture *f = *state;
    char page[XLX_PAGE_SIZE], want[XLX_PAGE_SIZE];
    int status;
    save(f);
    start_server(f, NULL, NULL);
    must_open(f);
    expect_page(f, 1);
    pid_t child = fork();
    if (child == 0) {
        for (uint64_t gfn = 0; gfn < 500; gfn++) {
            build_page(gfn, 0, want);
            if (xlx_image_read(f->image, gfn, 1, page) ||
                memcmp(page, want, sizeof(want)))
                _exit(1);
        }
        _exit(0);
    }
    for (uint64_t gfn = 0; gfn < 500; gfn++)
        expect_page(f, gfn);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    expect_page(f, 1);
}

static void a_server_that_comes_back_is_read_again(void **state)
{
    struct fixture *f = *state;
    char page[XLX_PAGE_SIZE];
    save(f);
    start_server(f, NULL, NULL);
    must_open(f);
    expect_page(f, 1);
    stop_server(f);
    assert_true(xlx_image_read(f->image, 1, 1, page) < 0);
    assert_true(xlx_image_read(f->image, 1, 1, page) < 0);
    start_server(f, NULL, NULL);
    expect_page(f, 1);
}

/* With another export behind the same name. */
static void another_export_is_not_taken_for_it(void **state)
{
    struct fixture *f = *state;
    char page[XLX_PAGE_SIZE];
    save(f);
    start_server(f, NULL, NULL);
    must_open(f);
    stop_server(f);
    assert_int_equal(truncate(f->path, (off_t)f->b.len - 1000), 0);
    start_server(f, NULL, NULL);
    for (int i = 0; i < 4; i++)
        assert_true(xlx_image_read(f->image, 1, 1, page) < 0);
}

static void flip(const struct fixture *f, uint64_t at)
{
    FILE *file = fopen(f->path, "r+");
    assert_non_null(file);
    fseek(file, (long)at, SEEK_SET);
    int c = fgetc(file);
    fseek(file, (long)at, SEEK_SET);
    fputc(c ^ 1, file);
    assert_int_equal(fclose(file), 0);
}

/* Of the same size: another guest's, or the same one's of another day. */
static void another_image_is_not_taken_for_it(void **state)
{
    struct fixture *f = *state;
    char page[XLX_PAGE_SIZE];
    save(f);
    start_server(f, NULL, NULL);
    must_open(f);
    const struct xlx_image_info *info = xlx_image_info(f->image);
    const uint64_t at[] = { info->libxc_start + 100, info->libxc_end - 24 };
    for (int i = 0; i < 2; i++) {
        stop_server(f);
        flip(f, at[i]);
        start_server(f, NULL, NULL);
        assert_true(xlx_image_read(f->image, 1, 1, page) < 0); /* cut off */
        for (int n = 0; n < 4; n++)
            assert_int_equal(xlx_image_read(f->image, 1, 1, page), -ESTALE);
        stop_server(f);
        flip(f, at[i]);
        start_server(f, NULL, NULL);
        expect_page(f, 1);
    }
}

static void errors_of_the_server_are_passed_on(void **state)
{
    struct fixture *f = *state;
    save(f);
    start_server(f, "error", "error-pread-rate=100%");
    assert_int_equal(xlx_image_open(f->ctx, f->uri, &f->image), -EIO);
    assert_non_null(strstr(xlx_ctx_error(f->ctx), f->uri));
}

static void without_a_server_one_line_says_so(void **state)
{
    struct fixture *f = *state;
    assert_true(xlx_image_open(f->ctx, f->uri, &f->image) < 0);
    assert_non_null(strstr(xlx_ctx_error(f->ctx), "cannot connect"));
    assert_null(strchr(xlx_ctx_error(f->ctx), '\n'));
}

/* --- something that is no server
 * ------------------------------------------------ */

static void start_other(struct fixture *f, const void *says, size_t len,
                        bool hangs)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->socket);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(
        bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 4), 0);
    f->server = fork();
    if (f->server)
        close(listener);
    while (!f->server) {
        int fd = accept(listener, NULL, NULL);
        if (write(fd, says, len) < 0 || !hangs)
            close(fd);
    }
}

static void what_is_no_server_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    start_other(f, http, sizeof(http), false);
    assert_true(xlx_image_open(f->ctx, f->uri, &f->image) < 0);
    assert_non_null(strstr(xlx_ctx_error(f->ctx), "cannot connect"));
}

/* A busy machine may be slower than the short time that these tests give. */
static void read_in_the_end(const struct fixture *f,
                            struct xlx__storage *storage, uint64_t offset)
{
    char bytes[100];
    int rc = -ETIMEDOUT;
    for (int i = 0; i < 100 && rc == -ETIMEDOUT; i++)
        rc = storage->ops->pread(storage, bytes, sizeof(bytes), offset);
    assert_int_equal(rc, 0);
    assert_memory_equal(bytes, f->b.bytes + offset, sizeof(bytes));
}

/*
 * A server that will be stopped for longer than a read waits. With several
 * threads nbdkit 1.32 ends by an assertion, now and then, when a client leaves
 * before its answers (raw_send_socket, sock >= 0).
 */
static struct xlx__storage *start_to_hang(struct fixture *f)
{
    struct xlx__storage *storage;
    f->one_thread = true;
    start_server(f, NULL, NULL);
    int rc = -ETIMEDOUT;
    for (int i = 0; i < 100 && rc == -ETIMEDOUT; i++)
        rc = xlx__storage_nbd(f->ctx, f->uri, 300, &storage);
    assert_int_equal(rc, 0);
    read_in_the_end(f, storage, 0);
    return storage;
}

static void hang(struct fixture *f)
{
    kill(f->server, SIGSTOP);
    assert_int_equal(waitpid(f->server, NULL, WUNTRACED), f->server);
}

static void a_read_that_hangs_times_out(void **state)
{
    struct fixture *f = *state;
    char byte;
    save(f);
    struct xlx__storage *storage = start_to_hang(f);
    hang(f);
    assert_int_equal(storage->ops->pread(storage, &byte, 1, 0), -ETIMEDOUT);
    kill(f->server, SIGCONT);
    read_in_the_end(f, storage, 0);
    storage->ops->close(storage);
}

static int sockets(void)
{
    int nr = 0;
    struct stat st;
    for (int fd = 0; fd < 256; fd++)
        nr += !fstat(fd, &st) && S_ISSOCK(st.st_mode);
    return nr;
}

/* Has a connection for reads and one for those that are asked ahead. */
static void connect_ahead_in_the_end(struct xlx__storage *storage, int others)
{
    char byte;
    for (int i = 0; i < 100; i++) {
        storage->ops->expect(storage, 5000, 1);
        if (!storage->ops->pread(storage, &byte, 1, 5000) &&
            !storage->ops->pread(storage, &byte, 1, 0) &&
            sockets() == others + 2)
            return;
    }
    fail_msg("no connection stays");
}

/*
 * Asked when the server hangs already: an answer that came before would be
 * taken. Each of the two connections is waited for once, and then given up.
 */
static void one_that_hangs_is_waited_for_once(void **state)
{
    struct fixture *f = *state;
    char bytes[100];
    int others = sockets();
    save(f);
    struct xlx__storage *storage = start_to_hang(f);
    connect_ahead_in_the_end(storage, others);
    hang(f);
    for (uint64_t at = 6000; at < 9000; at += 1000)
        storage->ops->expect(storage, at, sizeof(bytes));
    assert_int_equal(sockets(), others + 2);
    assert_int_equal(storage->ops->pread(storage, bytes, sizeof(bytes), 7000),
                     -ETIMEDOUT);
    assert_int_equal(sockets(), others);

    kill(f->server, SIGCONT);
    connect_ahead_in_the_end(storage, others);
    read_in_the_end(f, storage, 8000);
    storage->ops->close(storage);
}

/* Full records, whose heads are asked for ahead. */
static void a_large_one_is_read_ahead(void **state)
{
    struct fixture *f = *state;
    build_start(&f->b, 3, FMT_GUEST_HVM);
    for (uint64_t gfn = 0; gfn < 6 * FMT_PAGE_BATCH; gfn += FMT_PAGE_BATCH)
        build_range(&f->b, gfn, FMT_PAGE_BATCH);
    build_finish(&f->b);
    write_built(f);
    start_server(f, NULL, NULL);
    int others = sockets();
    must_open(f);
    assert_int_equal(sockets(), others + 1); /* none that is ahead is left */
    assert_int_equal(xlx_image_info(f->image)->pages, 6 * FMT_PAGE_BATCH);
    for (uint64_t gfn = 1; gfn < 6 * FMT_PAGE_BATCH; gfn += 1000)
        expect_page(f, gfn);
    pid_t child = fork();
    if (child == 0) {
        char page[XLX_PAGE_SIZE];
        _exit(xlx_image_read(f->image, 5, 1, page) ? 1 : 0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Its threads write to the connection at a time. Now and then it would end: see
 * start_to_hang(). */
static void it_is_not_left_before_its_answers(void **state)
{
    struct fixture *f = *state;
    save(f);
    start_server(f, NULL, NULL);
    for (int i = 0; i < 100; i++) {
        struct xlx__storage *storage;
        assert_int_equal(xlx__storage_nbd(f->ctx, f->uri, 10000, &storage), 0);
        for (int n = 0; n < 32; n++)
            storage->ops->expect(storage, 1000 * (uint64_t)n, 8192);
        storage->ops->close(storage);
    }
    assert_int_equal(waitpid(f->server, NULL, WNOHANG), 0);
}

/*
 * What the server answered before it was killed; false when it had not yet.
 * Nobody comes for `others`: as where a record has another size than the last.
 */
static bool answered_ahead(struct fixture *f, unsigned others, useconds_t wait)
{
    struct xlx__storage *storage;
    char bytes[100];
    start_server(f, NULL, NULL);
    assert_int_equal(xlx__storage_nbd(f->ctx, f->uri, 10000, &storage), 0);
    for (unsigned i = 0; i < others; i++)
        storage->ops->expect(storage, 6000 + i, sizeof(bytes));
    storage->ops->expect(storage, 5000, sizeof(bytes));
    usleep(wait);
    stop_server(f);
    assert_true(storage->ops->pread(storage, bytes, 1, 4999) < 0);
    int rc = storage->ops->pread(storage, bytes, sizeof(bytes), 5000);
    if (!rc)
        assert_memory_equal(bytes, f->b.bytes + 5000, sizeof(bytes));
    /* Once only: later it may be something else. */
    assert_true(storage->ops->pread(storage, bytes, sizeof(bytes), 5000) < 0);
    storage->ops->close(storage);
    return !rc;
}

static void expect_asked(struct fixture *f, unsigned others)
{
    save(f);
    for (useconds_t ms = 10; ms < 10000; ms *= 2)
        if (answered_ahead(f, others, ms * 1000))
            return;
    fail_msg("it was not");
}

static void what_is_expected_is_asked_for(void **state)
{
    expect_asked(*state, 0);
}

static void also_behind_what_nobody_came_for(void **state)
{
    expect_asked(*state, 40);
}

static void one_that_says_nothing_times_out(void **state)
{
    struct fixture *f = *state;
    struct xlx__storage *storage;
    start_other(f, "NBD", 3, true);
    assert_int_equal(xlx__storage_nbd(f->ctx, f->uri, 100, &storage),
                     -ETIMEDOUT);
    assert_null(strchr(xlx_ctx_error(f->ctx), '\n'));
}

#else

static void built_without_libnbd_it_says_so(void **state)
{
    struct fixture *f = *state;
    save(f);
    assert_int_equal(xlx_image_open(f->ctx, f->uri, &f->image), -ENOTSUP);
    assert_non_null(strstr(xlx_ctx_error(f->ctx), "without libnbd"));
}

#endif

static void only_uris_of_nbd_are_taken_for_such(void **state)
{
    (void)state;
    assert_true(xlx_image_is_uri("nbd://host/x"));
    assert_true(xlx_image_is_uri("NBD+unix:///?socket=/x"));
    assert_false(xlx_image_is_uri("/srv/nbd://host/x"));
    assert_false(xlx_image_is_uri("nbd:/x"));
    assert_false(xlx_image_is_uri("nbd"));
    assert_false(xlx_image_is_uri("http://host/x"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
#ifdef HAVE_LIBNBD
    if (system("command -v nbdkit >/dev/null")) {
        puts("no nbdkit here, which is the server of these tests");
        return 77;
    }
#endif
    const struct CMUnitTest tests[] = {
#ifdef HAVE_LIBNBD
        TEST(an_export_is_read_as_a_file_is),
        TEST(its_sidecar_lies_where_one_says),
        TEST(a_sidecar_of_another_export_is_not_used),
        TEST(threads_read_at_a_time),
        TEST(a_fork_does_not_share_connections),
        TEST(a_server_that_comes_back_is_read_again),
        TEST(another_export_is_not_taken_for_it),
        TEST(another_image_is_not_taken_for_it),
        TEST(errors_of_the_server_are_passed_on),
        TEST(without_a_server_one_line_says_so),
        TEST(what_is_no_server_is_refused),
        TEST(a_read_that_hangs_times_out),
        TEST(one_that_hangs_is_waited_for_once),
        TEST(a_large_one_is_read_ahead),
        TEST(it_is_not_left_before_its_answers),
        TEST(what_is_expected_is_asked_for),
        TEST(also_behind_what_nobody_came_for),
        TEST(one_that_says_nothing_times_out),
#else
        TEST(built_without_libnbd_it_says_so),
#endif
        TEST(only_uris_of_nbd_are_taken_for_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

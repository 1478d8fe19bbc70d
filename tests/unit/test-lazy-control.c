/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The control socket: what is asked arrives, what is not understood is refused,
 * and no client holds up another.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "lazy/control.h"
#include "lazy/message.h"

/* What the library gets instead of the system's. */
static _Atomic int accepts, accept_err;

int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    accepts++;
    if (accept_err) {
        errno = accept_err;
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, addr, len, flags);
}

struct world {
    xlx_ctx *ctx;
    char dir[64];
    struct xlx__control *control;
    pthread_mutex_t lock;
    struct xlx_lazy_change last;
    int changes, ticks;
};

static void change(void *user, const struct xlx_lazy_change *what)
{
    struct world *w = user;
    pthread_mutex_lock(&w->lock);
    w->last = *what;
    w->changes++;
    pthread_mutex_unlock(&w->lock);
}

static char *status(void *user)
{
    struct world *w = user;
    pthread_mutex_lock(&w->lock);
    struct xlx_lazy_status s = { .domid = 5,
                                 .done = (uint64_t)w->changes,
                                 .bwlimit = w->last.bwlimit };
    pthread_mutex_unlock(&w->lock);
    return xlx_lazy_status_json(&s, sizeof(s));
}

static void tick(void *user)
{
    struct world *w = user;
    pthread_mutex_lock(&w->lock);
    w->ticks++;
    pthread_mutex_unlock(&w->lock);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    const struct xlx__control_user user = { change, status, tick, w, 300 };
    strcpy(w->dir, "/tmp/xlx-control-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    pthread_mutex_init(&w->lock, NULL);
    assert_int_equal(xlx_ctx_new(&w->ctx), 0);
    assert_int_equal(xlx_ctx_set_path(w->ctx, XLX_PATH_RUN, w->dir), 0);
    assert_int_equal(xlx__control_start(w->ctx, 5, &user, &w->control), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char command[100];
    xlx__control_stop(w->control);
    snprintf(command, sizeof(command), "rm -r '%s'", w->dir);
    assert_int_equal(system(command), 0);
    pthread_mutex_destroy(&w->lock);
    xlx_ctx_free(w->ctx);
    free(w);
    return 0;
}

static int connect_raw(struct world *w)
{
    struct sockaddr_un addr;
    assert_int_equal(xlx__control_address(w->ctx, 5, &addr), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

/* All until the end of the connection. */
static void answer_to(struct world *w, const char *text, char *answer,
                      size_t size)
{
    int fd = connect_raw(w);
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    size_t got = 0;
    ssize_t n;
    while ((n = recv(fd, answer + got, size - 1 - got, 0)) > 0)
        got += (size_t)n;
    answer[got] = '\0';
    close(fd);
}

/* Not the bytes between its fields. */
static void assert_told(struct world *w, const struct xlx_lazy_change *c)
{
    pthread_mutex_lock(&w->lock);
    const struct xlx_lazy_change last = w->last;
    pthread_mutex_unlock(&w->lock);
    assert_int_equal(last.fill, c->fill);
    assert_int_equal(last.set_bwlimit, c->set_bwlimit);
    assert_int_equal(last.bwlimit, c->bwlimit);
    assert_int_equal(last.retry, c->retry);
}

static void a_change_arrives_and_is_answered(void **state)
{
    struct world *w = *state;
    struct xlx_lazy_status s;
    const struct xlx_lazy_change what = { .fill = XLX_LAZY_FILL_FINISH,
                                          .set_bwlimit = true,
                                          .bwlimit = XLX_LAZY_BWLIMIT_MAX,
                                          .retry = true };
    assert_int_equal(
        xlx_lazy_set(w->ctx, 5, &what, sizeof(what), &s, sizeof(s)), 0);
    assert_told(w, &what);
    assert_int_equal(s.domid, 5);
    assert_int_equal(s.bwlimit, XLX_LAZY_BWLIMIT_MAX);

    const struct xlx_lazy_change nothing = { 0 };
    assert_int_equal(
        xlx_lazy_set(w->ctx, 5, &nothing, sizeof(nothing), NULL, 0), 0);
    assert_told(w, &nothing);
}

static void only_root_may_connect(void **state)
{
    struct world *w = *state;
    struct sockaddr_un addr;
    struct stat st;
    xlx__control_address(w->ctx, 5, &addr);
    assert_int_equal(stat(addr.sun_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_uid, geteuid());
}

static void count_call(void *user, enum xlx_log_level level, const char *text)
{
    (void)level;
    (void)text;
    ++*(int *)user;
}

static void nobody_listens_is_not_logged(void **state)
{
    struct world *w = *state;
    int logged = 0;
    xlx_ctx_set_log(w->ctx, count_call, &logged, XLX_LOG_ERROR);
    const struct xlx_lazy_change nothing = { 0 };
    assert_int_equal(
        xlx_lazy_set(w->ctx, 6, &nothing, sizeof(nothing), NULL, 0), -ENOTCONN);
    assert_string_equal(xlx_ctx_error(w->ctx), "domain 6: no pager listens");
    assert_int_equal(logged, 0);
    const struct xlx_lazy_change too_much = { .set_bwlimit = true,
                                              .bwlimit =
                                                  XLX_LAZY_BWLIMIT_MAX + 1 };
    assert_int_equal(
        xlx_lazy_set(w->ctx, 5, &too_much, sizeof(too_much), NULL, 0), -EINVAL);
    assert_int_equal(w->changes, 0);
}

static void what_is_no_request_is_refused(void **state)
{
    struct world *w = *state;
    static const char *const bad[] = {
        "\n",
        "x\n",
        "[]\n",
        "1\n",
        "{\n",
        "{\"bwlimit\":-1}\n",
        "{\"bwlimit\":1.5}\n",
        "{\"bwlimit\":1099511627777}\n",
        "{\"bwlimit\":\"1\"}\n",
        "{\"fill\":\"\"}\n",
        "{\"fill\":1}\n",
        "{\"retry\":1}\n",
        "{\"watch\":null}\n",
        "{\"odd\":true}\n",
        "{}\n{}\n",
    };
    char answer[512];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        answer_to(w, bad[i], answer, sizeof(answer));
        assert_non_null(strstr(answer, "{\"error\":"));
    }
    assert_int_equal(w->changes, 0);
}

static void a_request_without_end_is_refused(void **state)
{
    struct world *w = *state;
    char text[XLX__REQUEST_MAX + 1], answer[256];
    memset(text, ' ', sizeof(text));
    text[XLX__REQUEST_MAX - 1] = '\0';
    answer_to(w, text, answer, sizeof(answer));
    assert_non_null(strstr(answer, "too long"));
}

/* All places taken by clients that say nothing: they are let go in a moment. */
static void silent_clients_do_not_keep_others_out(void **state)
{
    struct world *w = *state;
    const struct xlx_lazy_change nothing = { 0 };
    int fd[XLX__CLIENTS_MAX];
    for (int i = 0; i < XLX__CLIENTS_MAX; i++)
        fd[i] = connect_raw(w);
    while (xlx_lazy_set(w->ctx, 5, &nothing, sizeof(nothing), NULL, 0))
        usleep(10000);
    for (int i = 0; i < XLX__CLIENTS_MAX; i++) {
        char c;
        assert_int_equal(recv(fd[i], &c, 1, 0), 0);
        close(fd[i]);
    }
}

static int ticks(struct world *w)
{
    pthread_mutex_lock(&w->lock);
    int n = w->ticks;
    pthread_mutex_unlock(&w->lock);
    return n;
}

/* One try a tick; and who waited meanwhile is served. */
static void without_descriptors_it_does_not_spin(void **state)
{
    struct world *w = *state;
    const char request[] = "{}\n";
    char answer[16];
    accept_err = EMFILE;
    int fd = connect_raw(w);
    assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
    while (!accepts)
        usleep(1000);
    int begun = ticks(w);
    accepts = 0;
    while (ticks(w) < begun + 3)
        usleep(1000);
    assert_true(accepts <= 4);
    assert_true(accepts >= 1);
    accept_err = 0;
    assert_true(recv(fd, answer, sizeof(answer), 0) > 0);
    close(fd);
}

/* It asks and asks and reads nothing; the tick goes on. */
static void a_client_that_does_not_read_is_let_go(void **state)
{
    struct world *w = *state;
    const struct xlx_lazy_change nothing = { 0 };
    int fd = connect_raw(w);
    int small = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    while (send(fd, "{}\n", 3, MSG_NOSIGNAL) == 3)
        usleep(10);
    close(fd);
    assert_int_equal(
        xlx_lazy_set(w->ctx, 5, &nothing, sizeof(nothing), NULL, 0), 0);
}

static void a_watch_sees_changes_and_the_end(void **state)
{
    struct world *w = *state;
    const struct xlx_lazy_change what = { .set_bwlimit = true, .bwlimit = 77 };
    struct xlx_lazy_status s = { 0 };
    xlx_lazy_watch *watch;
    assert_int_equal(xlx_lazy_watch_new(w->ctx, 5, &watch), 0);
    assert_int_equal(xlx_lazy_set(w->ctx, 5, &what, sizeof(what), NULL, 0), 0);
    struct pollfd pfd = { .fd = xlx_lazy_watch_fd(watch), .events = POLLIN };
    while (s.bwlimit != 77) {
        assert_int_equal(poll(&pfd, 1, 10000), 1);
        assert_true(xlx_lazy_watch_dispatch(watch, &s, sizeof(s)) >= 0);
    }
    xlx__control_stop(w->control);
    w->control = NULL;
    int rc;
    while ((rc = xlx_lazy_watch_dispatch(watch, &s, sizeof(s))) >= 0)
        assert_int_equal(poll(&pfd, 1, 10000), 1);
    assert_int_equal(rc, -EPIPE);
    assert_string_equal(xlx_ctx_error(w->ctx), "domain 5: its pager exited");
    xlx_lazy_watch_free(watch);
    xlx_lazy_watch_free(NULL);
}

/* A pager that was killed left its socket. */
static void a_socket_that_is_left_is_replaced(void **state)
{
    struct world *w = *state;
    struct xlx__control *second;
    const struct xlx__control_user user = { change, status, tick, w, 300 };
    const struct xlx_lazy_change what = { .retry = true };
    assert_int_equal(xlx__control_start(w->ctx, 5, &user, &second), 0);
    assert_int_equal(xlx_lazy_set(w->ctx, 5, &what, sizeof(what), NULL, 0), 0);
    assert_told(w, &what);
    xlx__control_stop(second);
    assert_int_equal(xlx_lazy_set(w->ctx, 5, &what, sizeof(what), NULL, 0),
                     -ENOTCONN);
}

static void sockets_are_counted(void **state)
{
    struct world *w = *state;
    char path[100];
    assert_int_equal(xlx__control_count(w->ctx), 1);
    snprintf(path, sizeof(path), "%s/lazy/5.json", w->dir);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    assert_int_equal(xlx__control_count(w->ctx), 1);
    snprintf(path, sizeof(path), "%s/lazy/6.sock", w->dir);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    assert_int_equal(xlx__control_count(w->ctx), 2);
    snprintf(path, sizeof(path), "%s/not there", w->dir);
    assert_int_equal(xlx_ctx_set_path(w->ctx, XLX_PATH_RUN, path), 0);
    assert_int_equal(xlx__control_count(w->ctx), 0);
}

static void a_place_that_is_none_is_reported(void **state)
{
    struct world *w = *state;
    struct xlx__control *control = NULL;
    const struct xlx__control_user user = { change, status, tick, w, 300 };
    char path[200];
    memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    xlx_ctx_set_path(w->ctx, XLX_PATH_RUN, path);
    assert_int_equal(xlx__control_start(w->ctx, 5, &user, &control),
                     -ENAMETOOLONG);
    xlx_ctx_set_path(w->ctx, XLX_PATH_RUN, "/proc/nothing");
    assert_true(xlx__control_start(w->ctx, 5, &user, &control) < 0);
    assert_null(control);
    xlx__control_stop(NULL);
    xlx_ctx_set_path(w->ctx, XLX_PATH_RUN, w->dir);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_change_arrives_and_is_answered),
        TEST(only_root_may_connect),
        TEST(nobody_listens_is_not_logged),
        TEST(what_is_no_request_is_refused),
        TEST(a_request_without_end_is_refused),
        TEST(silent_clients_do_not_keep_others_out),
        TEST(without_descriptors_it_does_not_spin),
        TEST(a_client_that_does_not_read_is_let_go),
        TEST(a_watch_sees_changes_and_the_end),
        TEST(a_socket_that_is_left_is_replaced),
        TEST(sockets_are_counted),
        TEST(a_place_that_is_none_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

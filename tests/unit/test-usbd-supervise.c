/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The process above broker and worker, over children that do as the test says;
 * and the log that they write into.
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "usb-backend/supervise.h"

/* What the children did, shared with them. */
struct notes {
    _Atomic int workers, brokers, give_ups;
    _Atomic pid_t worker, broker;
    _Atomic int stray; /* descriptors that a child should not have */
};

enum act {
    SERVE,
    DIE,
    DIE_ONCE,
    GUEST_GOES,
    REFUSE,
    REFUSE_SECOND, /* it died before, and the next start fails */
    SAY_NOTHING,
    DEAF
};

struct world {
    struct notes *notes;
    enum act worker, broker;
    bool give_up_hangs;
    struct usbd_log log;
    struct usbd_supervise s;
    int out[2], state;
    char path[64];
};

/* Waits until it is killed, or the other end of the socket is closed. */
static int serve(int sock)
{
    struct pollfd pfd = { .fd = sock, .events = POLLIN };
    while (poll(&pfd, 1, -1) <= 0)
        ;
    return 0;
}

static int count_open(int from)
{
    int nr = 0;
    for (int fd = from; fd < 1024; fd++)
        nr += fcntl(fd, F_GETFD) >= 0;
    return nr;
}

static int worker(void *user, int sock, int state)
{
    struct world *w = user;
    struct stat a, b;
    w->notes->worker = getpid(); /* before it counts */
    int nr = ++w->notes->workers;
    w->notes->stray += count_open(5);
    if (fstat(state, &a) || fstat(w->state, &b) == 0)
        w->notes->stray++;
    fprintf(stderr, "worker %d\n", nr);
    if (w->worker == DIE || (w->worker == DIE_ONCE && nr == 1))
        return 3;
    return serve(sock);
}

static int wait_for_signal(int sock, int signals, bool deaf)
{
    struct pollfd fds[] = { { .fd = sock, .events = POLLIN },
                            { .fd = deaf ? -1 : signals, .events = POLLIN } };
    while (poll(fds, 2, -1) <= 0)
        ;
    return fds[1].revents ? USBD_ENDED : USBD_WORKER_GONE;
}

static int broker(void *user, int sock, int ready, int signals)
{
    struct world *w = user;
    w->notes->broker = getpid();
    int nr = ++w->notes->brokers;
    w->notes->stray += count_open(6);
    if (w->broker != SAY_NOTHING)
        dprintf(ready, "%s\n",
                w->broker == REFUSE ? "no such domain" : "ready");
    close(ready);
    if (w->broker == REFUSE)
        return USBD_REFUSED;
    if (w->broker == GUEST_GOES)
        return USBD_GUEST_GONE;
    if (w->broker == DIE || w->broker == SAY_NOTHING ||
        ((w->broker == DIE_ONCE || w->broker == REFUSE_SECOND) && nr == 1))
        return 1;
    if (w->broker == REFUSE_SECOND && nr == 2)
        return USBD_REFUSED;
    return wait_for_signal(sock, signals, w->broker == DEAF);
}

static int give_up(void *user)
{
    struct world *w = user;
    w->notes->give_ups++;
    w->notes->broker = getpid();
    fprintf(stderr, "given back\n");
    while (w->give_up_hangs)
        pause();
    return 0;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    w->notes = mmap(NULL, sizeof(*w->notes), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    snprintf(w->path, sizeof(w->path), "/tmp/xlx-log-XXXXXX");
    int fd = mkstemp(w->path);
    /* High, so that a child that keeps it has it where it is looked for. */
    w->state = fcntl(open("/dev/null", O_RDWR), F_DUPFD, 40);
    if (fd < 0 || pipe(w->out))
        return 1;
    fcntl(fd, F_SETFL, O_APPEND);
    usbd_log_init(&w->log, fd, w->path);
    w->s = (struct usbd_supervise){
        .domid = 7,
        .roles = { worker, broker, give_up, w },
        .log = &w->log,
        .out = w->out[1],
        .state = w->state,
        .deaths_max = 5,
        .calm_ms = 60000,
        .backoff_ms = 1,
        .end_ms = 60000,
    };
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char old[80];
    snprintf(old, sizeof(old), "%s.1", w->path);
    unlink(w->path);
    unlink(old);
    close(w->log.fd);
    close(w->state);
    close(w->out[0]);
    close(w->out[1]);
    munmap(w->notes, sizeof(*w->notes));
    free(w);
    return 0;
}

static void read_log(struct world *w, char *text, size_t size)
{
    FILE *f = fopen(w->path, "r");
    assert_non_null(f);
    text[fread(text, 1, size - 1, f)] = '\0';
    fclose(f);
}

static void assert_logged(struct world *w, const char *line)
{
    char text[8192];
    read_log(w, text, sizeof(text));
    if (!strstr(text, line))
        fail_msg("no \"%s\" in:\n%s", line, text);
}

static int count(const char *text, const char *part)
{
    int nr = 0;
    while ((text = strstr(text, part))) {
        text++;
        nr++;
    }
    return nr;
}

/* In a process of its own, as it blocks signals. */
static pid_t start(struct world *w)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid)
        _exit(usbd_supervise(&w->s) ? 1 : 0);
    return pid;
}

static int end_of(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void assert_line(struct world *w, const char *line)
{
    char text[256];
    ssize_t n = read(w->out[0], text, sizeof(text) - 1);
    text[n < 0 ? 0 : n] = '\0';
    assert_string_equal(text, line);
}

/* Until a note has that value: the children run on their own. */
static void wait_for(_Atomic int *note, int value)
{
    while (*note < value)
        usleep(1000);
}

static bool is_alive(pid_t pid)
{
    char path[32], text[256];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    return !strstr(text, ") Z ");
}

/* --- ends ----------------------------------------------------------------- */

static void it_ends_when_it_is_asked(void **state)
{
    struct world *w = *state;
    pid_t pid = start(w);
    assert_line(w, "ready\n");
    wait_for(&w->notes->workers, 1);
    kill(pid, SIGTERM);
    assert_int_equal(end_of(pid), 0);
    assert_int_equal(w->notes->brokers, 1);
    assert_int_equal(w->notes->give_ups, 0);
    assert_int_equal(w->notes->stray, 0);
    assert_false(is_alive(w->notes->worker));
    assert_logged(w, "worker 1\n");
}

static void it_ends_with_its_guest(void **state)
{
    struct world *w = *state;
    w->broker = GUEST_GOES;
    assert_int_equal(end_of(start(w)), 0);
    assert_int_equal(w->notes->brokers, 1);
    assert_int_equal(w->notes->give_ups, 0);
}

static void what_does_not_start_is_said(void **state)
{
    struct world *w = *state;
    w->broker = REFUSE;
    assert_int_equal(end_of(start(w)), 1);
    assert_line(w, "no such domain\n");
    assert_int_equal(w->notes->brokers, 1);
}

static void one_that_does_not_end_is_ended(void **state)
{
    struct world *w = *state;
    w->broker = DEAF;
    w->s.end_ms = 100;
    pid_t pid = start(w);
    assert_line(w, "ready\n");
    kill(pid, SIGTERM);
    assert_int_equal(end_of(pid), 0);
    assert_false(is_alive(w->notes->broker));
    assert_int_equal(w->notes->give_ups, 1);
    assert_logged(w, "did not end in time");
}

/* --- deaths --------------------------------------------------------------- */

/* The other one may have been killed before it could count itself. */
static void either_that_dies_takes_the_other_along(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 2; i++) {
        *(i ? &w->worker : &w->broker) = DIE_ONCE;
        *(i ? &w->broker : &w->worker) = SERVE;
        w->notes->workers = w->notes->brokers = 0;
        pid_t pid = start(w);
        wait_for(i ? &w->notes->workers : &w->notes->brokers, 2);
        wait_for(i ? &w->notes->brokers : &w->notes->workers, 1);
        kill(pid, SIGTERM);
        assert_int_equal(end_of(pid), 0);
        assert_int_equal(i ? w->notes->workers : w->notes->brokers, 2);
        assert_int_equal(w->notes->give_ups, 0);
        assert_logged(w, i ? "worker died (exit status 3)" : "broker died");
    }
}

static void one_that_is_killed_is_started_again(void **state)
{
    struct world *w = *state;
    pid_t pid = start(w);
    for (int i = 1; i < 5; i++) {
        wait_for(&w->notes->workers, i);
        wait_for(&w->notes->brokers, i);
        kill(i % 2 ? w->notes->worker : w->notes->broker, SIGKILL);
    }
    wait_for(&w->notes->workers, 5);
    wait_for(&w->notes->brokers, 5);
    kill(pid, SIGTERM);
    assert_int_equal(end_of(pid), 0);
    assert_line(w, "ready\n");
    char text[8192];
    read_log(w, text, sizeof(text));
    assert_int_equal(count(text, "worker died (signal 9)\n"), 2);
    assert_int_equal(count(text, "broker died (signal 9)\n"), 2);
    assert_int_equal(count(text, " died "), 4);
}

static void too_many_deaths_are_the_end(void **state)
{
    struct world *w = *state;
    w->worker = DIE;
    w->broker = SERVE;
    assert_int_equal(end_of(start(w)), 1);
    assert_int_equal(w->notes->workers, 5);
    assert_int_equal(w->notes->give_ups, 1);
    assert_logged(w, "domain 7: the USB backend died 5 times: given up\n");
    assert_logged(w, "given back\n");
}

static void whoever_waits_is_told_of_that(void **state)
{
    struct world *w = *state;
    w->broker = SAY_NOTHING;
    assert_int_equal(end_of(start(w)), 1);
    assert_line(w, "died repeatedly: see its log\n");
}

/* One that lived long enough before has all its lives again. */
static void deaths_far_between_are_not_counted(void **state)
{
    struct world *w = *state;
    w->worker = DIE;
    w->s.calm_ms = -1;
    pid_t pid = start(w);
    wait_for(&w->notes->workers, 12);
    kill(pid, SIGTERM);
    assert_int_equal(end_of(pid), 0);
}

/* The backend is to be there again, and xenstored may be busy just then. */
static void one_that_fails_to_start_again_is_tried_again(void **state)
{
    struct world *w = *state;
    w->broker = REFUSE_SECOND;
    pid_t pid = start(w);
    assert_line(w, "ready\n");
    wait_for(&w->notes->brokers, 3);
    kill(pid, SIGTERM);
    assert_int_equal(end_of(pid), 0);
    assert_int_equal(w->notes->brokers, 3);
    assert_int_equal(w->notes->give_ups, 0);
}

#define FOR_EVER_MS 86400000

static void it_ends_at_once_between_two_lives(void **state)
{
    struct world *w = *state;
    w->broker = DIE_ONCE;
    w->s.backoff_ms = FOR_EVER_MS;
    pid_t pid = start(w);
    char text[8192] = "";
    while (!strstr(text, "broker died"))
        read_log(w, text, sizeof(text));
    kill(pid, SIGTERM);
    assert_int_equal(end_of(pid), 0);
    assert_int_equal(w->notes->brokers, 1);
    assert_int_equal(w->notes->give_ups, 1);
}

static void what_does_not_give_back_is_ended(void **state)
{
    struct world *w = *state;
    w->worker = DIE;
    w->give_up_hangs = true;
    w->s.end_ms = 100;
    assert_int_equal(end_of(start(w)), 1);
    assert_int_equal(w->notes->give_ups, 1);
    assert_false(is_alive(w->notes->broker));
    assert_logged(w, "given back\n");
    assert_logged(w, "does not give its devices back in time\n");
}

static void they_die_with_main(void **state)
{
    struct world *w = *state;
    pid_t pid = start(w);
    wait_for(&w->notes->workers, 1);
    wait_for(&w->notes->brokers, 1);
    assert_line(w, "ready\n");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    while (is_alive(w->notes->worker) || is_alive(w->notes->broker))
        usleep(1000);
}

/* --- the log -------------------------------------------------------------- */

static void a_full_log_is_renamed(void **state)
{
    struct world *w = *state;
    struct stat st;
    char old[80];
    snprintf(old, sizeof(old), "%s.1", w->path);
    w->log.max = 100;
    for (int i = 0; i < 9; i++)
        usbd_log_line(&w->log, "123456789");
    usbd_log_line(&w->log, "12345678."); /* 100 bytes: they just fit */
    assert_int_not_equal(stat(old, &st), 0);
    usbd_log_line(&w->log, "");
    assert_int_equal(stat(old, &st), 0);
    assert_int_equal(st.st_size, 100);
    assert_int_equal(stat(w->path, &st), 0);
    assert_int_equal(st.st_size, 1);
}

/* A guest that makes its worker die may go on to say a lot. */
static void the_last_death_is_in_each_file(void **state)
{
    struct world *w = *state;
    char text[8192];
    w->log.max = 100;
    usbd_log_keep(&w->log, "worker died (signal 6)");
    usbd_log_keep(&w->log, "worker died (signal 11)");
    for (int i = 0; i < 100; i++) {
        usbd_log_line(&w->log, "123456789");
        read_log(w, text, sizeof(text));
        assert_int_equal(count(text, "(signal 11)\n"), 1);
        assert_true(strlen(text) <= 100);
    }
    assert_int_equal(strncmp(text, "worker died (signal 11)\n", 24), 0);
}

/* Somebody has removed it, or .1 cannot be replaced: it has its limit. */
static void a_log_that_cannot_be_renamed_has_its_limit(void **state)
{
    struct world *w = *state;
    struct stat st;
    char old[80];
    w->log.max = 100;
    unlink(w->path);
    for (int i = 0; i < 15; i++)
        usbd_log_line(&w->log, "123456789");
    assert_int_equal(stat(w->path, &st), 0);
    assert_int_equal(st.st_size, 50);
    snprintf(old, sizeof(old), "%s.1", w->path);
    assert_int_equal(mkdir(old, 0700), 0);
    for (int i = 0; i < 10; i++)
        usbd_log_line(&w->log, "123456789");
    assert_int_equal(stat(w->path, &st), 0);
    assert_int_equal(st.st_size, 50);
    rmdir(old);
}

/* The file behind standard error may be anybody's. */
static void a_log_of_another_name_is_left_alone(void **state)
{
    struct world *w = *state;
    struct usbd_log log;
    struct stat st;
    char other[80];
    snprintf(other, sizeof(other), "%s.1", w->path);
    close(open(other, O_WRONLY | O_CREAT, 0600));
    usbd_log_init(&log, w->log.fd, other);
    log.max = 10;
    for (int i = 0; i < 5; i++)
        usbd_log_line(&log, "123456789");
    assert_int_equal(stat(w->path, &st), 0);
    assert_int_equal(st.st_size, 50);
}

static void a_flood_of_lines_is_cut(void **state)
{
    struct world *w = *state;
    struct usbd_log_pipe pipe_end = { 0 };
    char text[8192];
    int ends[2], lines = 0;
    assert_int_equal(pipe(ends), 0);
    usbd_log_pipe_init(&pipe_end, ends[0]);
    for (int i = 0; i < 300; i++)
        assert_int_equal(write(ends[1], "a\033b\n", 4), 4);
    usbd_log_pipe_read(&w->log, &pipe_end);
    pipe_end.rate.since -= pipe_end.rate.ms;
    assert_int_equal(write(ends[1], "last", 4), 4);
    close(ends[1]);
    usbd_log_pipe_close(&w->log, &pipe_end);
    read_log(w, text, sizeof(text));
    for (const char *p = text; (p = strstr(p, "a?b\n")); p++)
        lines++;
    assert_int_equal(lines, 50);
    assert_logged(w, "\n250 lines suppressed here\nlast\n");
}

static void a_long_line_is_cut(void **state)
{
    struct world *w = *state;
    struct usbd_log_pipe pipe_end = { 0 };
    char line[3 * USBD_LINE_MAX], text[8192];
    int ends[2];
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    assert_int_equal(pipe(ends), 0);
    usbd_log_pipe_init(&pipe_end, ends[0]);
    assert_int_equal(write(ends[1], line, sizeof(line)), sizeof(line));
    close(ends[1]);
    usbd_log_pipe_close(&w->log, &pipe_end);
    read_log(w, text, sizeof(text));
    assert_int_equal(strlen(text), USBD_LINE_MAX);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_ends_when_it_is_asked),
        T(it_ends_with_its_guest),
        T(what_does_not_start_is_said),
        T(one_that_does_not_end_is_ended),
        T(either_that_dies_takes_the_other_along),
        T(one_that_is_killed_is_started_again),
        T(too_many_deaths_are_the_end),
        T(whoever_waits_is_told_of_that),
        T(deaths_far_between_are_not_counted),
        T(one_that_fails_to_start_again_is_tried_again),
        T(it_ends_at_once_between_two_lives),
        T(what_does_not_give_back_is_ended),
        T(they_die_with_main),
        T(a_full_log_is_renamed),
        T(the_last_death_is_in_each_file),
        T(a_log_that_cannot_be_renamed_has_its_limit),
        T(a_log_of_another_name_is_left_alone),
        T(a_flood_of_lines_is_cut),
        T(a_long_line_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

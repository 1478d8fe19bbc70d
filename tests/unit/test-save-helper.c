/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The pager's process, its supervisor and the standby, each killed in turn:
 * there are always three again, and in the end none. What they do for a domain
 * is a fake here.
 */
#include "test.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libxl_ext_lazy.h"

/* What all processes see. */
struct seen {
    _Atomic pid_t pager, supervisor, serving;
    _Atomic int starts, take_overs, cancels, abandoned;
    _Atomic int forks_with_threads;
    _Atomic int records, prefetches, fills, confines;
    _Atomic bool started, finish, die_in_start, die_always, cannot_confine;
};

static struct seen *seen;

static int fake_start(xlx_lazy *lazy)
{
    (void)lazy;
    seen->starts++;
    seen->supervisor = getppid();
    seen->pager = getpid();
    if (seen->die_in_start)
        raise(SIGKILL);
    seen->started = true;
    return 0;
}

static int fake_take_over(xlx_lazy *lazy)
{
    (void)lazy;
    seen->take_overs++;
    seen->supervisor = getppid();
    seen->pager = getpid();
    if (seen->die_always)
        raise(SIGKILL);
    return 0;
}

static bool fake_started(const xlx_lazy *lazy)
{
    (void)lazy;
    return seen->started;
}

static void fake_cancel(xlx_lazy *lazy)
{
    (void)lazy;
    seen->cancels++;
}

static void *do_nothing(void *arg)
{
    for (;;)
        pause();
    return arg;
}

/* With a thread beside it, as the real one. */
static int fake_serve(xlx_lazy *lazy)
{
    pthread_t thread;
    (void)lazy;
    pthread_create(&thread, NULL, do_nothing, NULL);
    seen->serving = getpid();
    while (!seen->finish)
        usleep(1000);
    return 0;
}

static int fake_abandon(xlx_ctx *ctx, uint32_t domid, const char *reason)
{
    (void)ctx;
    (void)domid;
    (void)reason;
    seen->abandoned++;
    return 0;
}

static int fake_record(xlx_lazy *lazy, uint64_t ms)
{
    (void)lazy;
    (void)ms;
    seen->records++;
    return 0;
}

static int fake_prefetch(xlx_lazy *lazy, const struct xlx_lazy_prefetch *p,
                         size_t size)
{
    (void)lazy;
    (void)p;
    (void)size;
    seen->prefetches++;
    return 0;
}

static void fake_fill(xlx_lazy *lazy)
{
    (void)lazy;
    seen->fills++;
}

struct helper;

/* Each pager, before it reads anything. */
static int fake_confine(const struct helper *h, const xlx_lazy *lazy)
{
    (void)h;
    (void)lazy;
    seen->confines++;
    return seen->cannot_confine ? -EPERM : 0;
}

#define pager_confine fake_confine
#define xlx_lazy_fill fake_fill
#define xlx_lazy_record fake_record
#define xlx_lazy_prefetch(lazy, p, size) fake_prefetch(lazy, p, size)
#define xlx_lazy_start fake_start
#define xlx_lazy_take_over fake_take_over
#define xlx_lazy_started fake_started
#define xlx_lazy_cancel fake_cancel
#define xlx_lazy_serve fake_serve
#define xlx_lazy_abandon fake_abandon
#include "save-helper/pager.c"
#include "save-helper/supervisor.c"

/* Of this process. */
static int threads(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/task");
    for (struct dirent *d; dir && (d = readdir(dir));)
        n += d->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return n;
}

static void look_at_fork(void)
{
    if (seen && threads() > 1)
        seen->forks_with_threads++;
}

struct world {
    struct helper h;
    char dir[64];
    int channel;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    static bool looked_at;
    if (!looked_at)
        pthread_atfork(look_at_fork, NULL, NULL);
    looked_at = true;
    seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(seen != MAP_FAILED);
    strcpy(w->dir, "/tmp/xlx-helper-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(xlx_ctx_new(&w->h.ctx), 0);
    assert_int_equal(xlx_ctx_set_path(w->h.ctx, XLX_PATH_LOG, w->dir), 0);
    w->h.domid = 5;
    w->h.io_fd = dup(STDIN_FILENO);
    /* Whoever loses its parent becomes a child of this process. */
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char command[100];
    close(w->h.io_fd);
    snprintf(command, sizeof(command), "rm -r '%s'", w->dir);
    assert_int_equal(system(command), 0);
    munmap(seen, sizeof(*seen));
    seen = NULL;
    xlx_ctx_free(w->h.ctx);
    free(w);
    return 0;
}

/* Returns what the pager says when it has started. */
static int spawn(struct world *w)
{
    struct pager_reply reply;
    assert_int_equal(pager_spawn(&w->h, NULL, &w->channel), 0);
    assert_int_equal(recv(w->channel, &reply, sizeof(reply), 0), sizeof(reply));
    return reply.rc;
}

static void go(struct world *w)
{
    char ready;
    assert_int_equal(spawn(w), 0);
    assert_int_equal(send(w->channel, "g", 1, MSG_NOSIGNAL), 1);
    assert_int_equal(recv(w->channel, &ready, 1, 0), 1);
    close(w->channel);
    while (!seen->serving)
        usleep(1000);
}

static void kill_pager(void)
{
    pid_t old = seen->serving;
    kill(old, SIGKILL);
    while (seen->serving == old)
        usleep(1000);
}

/* Who started the pager. Its standby takes its place at once, or a moment
 * later: nobody needs it before the next pager dies. */
static void kill_supervisor(void)
{
    kill(seen->supervisor, SIGKILL);
}

static bool is_child_of(const char *pid, pid_t parent)
{
    char path[64], comm[64];
    int ppid = 0;
    snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "%*d (%63[^)]) %*c %d", comm, &ppid) != 2)
        ppid = 0;
    if (f)
        fclose(f);
    return ppid && ppid == parent;
}

static bool is_zombie(pid_t pid)
{
    char path[64], comm[64], how = 'Z';
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "%*d (%63[^)]) %c", comm, &how) != 2)
        how = 'Z';
    if (f)
        fclose(f);
    return how == 'Z';
}

/* The supervisor's child that is not the pager; 0: there is none. */
static pid_t find_standby(void)
{
    pid_t found = 0;
    DIR *dir = opendir("/proc");
    assert_non_null(dir);
    for (struct dirent *d; (d = readdir(dir));)
        if (atoi(d->d_name) > 0 && atoi(d->d_name) != seen->pager &&
            is_child_of(d->d_name, seen->supervisor))
            found = atoi(d->d_name);
    closedir(dir);
    return found;
}

static pid_t wait_for_standby(pid_t old)
{
    pid_t pid;
    while ((pid = find_standby()) == 0 || pid == old)
        usleep(1000);
    return pid;
}

/* Returns once no process is left. */
static void all_leave(void)
{
    seen->finish = true;
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    assert_int_equal(errno, ECHILD);
}

static void each_is_replaced(void **state)
{
    go(*state);
    for (int i = 1; i <= 3; i++) {
        pid_t old = seen->supervisor;
        kill_pager();
        assert_int_equal(seen->take_overs, 2 * i - 1);
        wait_for_standby(0);
        kill_supervisor();
        kill_pager();
        assert_int_equal(seen->take_overs, 2 * i);
        assert_int_not_equal(seen->supervisor, old);
    }
    all_leave();
    assert_int_equal(seen->starts, 1);
    assert_int_equal(seen->cancels, 0);
    assert_int_equal(seen->abandoned, 0);
    assert_int_equal(seen->forks_with_threads, 0);
    assert_int_equal(seen->confines, 1 + seen->take_overs);
}

static void a_standby_is_replaced_and_knows_the_pager(void **state)
{
    go(*state);
    pid_t old = wait_for_standby(0);
    kill(old, SIGKILL);
    wait_for_standby(old);
    kill_supervisor();
    kill_pager();
    assert_int_equal(seen->take_overs, 1);
    all_leave();
    assert_int_equal(seen->abandoned, 0);
}

/* The last that is left has all it needs. */
static void pager_and_supervisor_may_die_at_once(void **state)
{
    go(*state);
    for (int i = 1; i <= 3; i++) {
        pid_t pager = seen->serving, supervisor = seen->supervisor;
        wait_for_standby(0);
        kill(supervisor, i % 2 ? SIGSTOP : SIGKILL);
        kill(pager, SIGKILL);
        kill(supervisor, SIGKILL);
        while (seen->serving == pager)
            usleep(1000);
        assert_int_equal(seen->take_overs, i);
    }
    all_leave();
    assert_int_equal(seen->cancels, 0);
}

/* Its end is not heard: that it was done is known all the same. */
static void a_pager_that_is_done_is_not_replaced(void **state)
{
    go(*state);
    wait_for_standby(0);
    kill(seen->supervisor, SIGSTOP);
    pid_t pager = seen->serving;
    seen->finish = true;
    while (!kill(pager, 0) && !is_zombie(pager))
        usleep(1000);
    kill_supervisor();
    all_leave();
    assert_int_equal(seen->take_overs, 0);
}

/* Then the guest is restored eagerly, without paging. */
static void a_pager_that_cannot_be_confined_undoes_its_start(void **state)
{
    seen->cannot_confine = true;
    assert_int_equal(spawn(*state), -EPERM);
    all_leave();
    assert_int_equal(seen->cancels, 1);
    assert_int_equal(seen->records + seen->prefetches + seen->fills, 0);
    assert_int_equal(seen->serving, 0);
}

/* The guest is there already: the supervisor pauses it. */
static void a_later_one_that_cannot_be_confined_does_not_serve(void **state)
{
    go(*state);
    pid_t first = seen->serving;
    seen->cannot_confine = true;
    kill(first, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    assert_int_equal(seen->serving, first);
    assert_int_equal(seen->abandoned, 1);
    assert_int_equal(seen->cancels, 0);
}

static void an_unconfined_pager_is_asked_for(void **state)
{
    struct world *w = *state;
    w->h.unconfined = true;
    seen->cannot_confine = true;
    go(w);
    kill_pager();
    all_leave();
    assert_int_equal(seen->confines, 0);
}

/* Only the first loads pages before the domain runs. */
static void each_pager_goes_on_recording(void **state)
{
    struct world *w = *state;
    w->h.record = true;
    go(w);
    kill_pager();
    kill_pager();
    all_leave();
    assert_int_equal(seen->records, 3);
    assert_int_equal(seen->fills, 3);
    assert_int_equal(seen->prefetches, 1);
}

/* The word to go on was for the one before. */
static void
a_pager_killed_after_go_is_replaced_by_one_that_goes_on(void **state)
{
    struct world *w = *state;
    assert_int_equal(spawn(w), 0);
    kill(seen->pager, SIGSTOP);
    assert_int_equal(send(w->channel, "g", 1, MSG_NOSIGNAL), 1);
    close(w->channel);
    kill(seen->pager, SIGKILL);
    while (!seen->serving)
        usleep(1000);
    all_leave();
    assert_int_equal(seen->cancels, 0);
}

/* What is unread at its end comes back as an error before what it said. */
static void a_helper_that_leaves_without_reading_is_heard(void **state)
{
    struct world *w = *state;
    assert_int_equal(spawn(w), 0);
    struct pollfd pfd = { .fd = w->channel, .events = POLLIN };
    assert_int_equal(poll(&pfd, 1, 10000), 1);
    kill(seen->pager, SIGSTOP);
    assert_int_equal(send(w->channel, "g", 1, MSG_NOSIGNAL), 1);
    close(w->channel);
    kill(seen->pager, SIGCONT);
    while (!seen->serving && !seen->cancels)
        usleep(1000);
    all_leave();
    assert_int_equal(seen->cancels, 0);
}

static void without_a_helper_paging_is_ended(void **state)
{
    struct world *w = *state;
    assert_int_equal(spawn(w), 0);
    close(w->channel);
    all_leave();
    assert_int_equal(seen->cancels, 1);
    assert_int_equal(seen->serving, 0);
}

/* Also when the pager is killed first: the next one sees the helper gone. */
static void without_both_paging_is_ended(void **state)
{
    struct world *w = *state;
    assert_int_equal(spawn(w), 0);
    kill(seen->pager, SIGSTOP);
    close(w->channel);
    kill(seen->pager, SIGKILL);
    all_leave();
    assert_int_equal(seen->take_overs, 1);
    assert_int_equal(seen->cancels, 1);
    assert_int_equal(seen->serving, 0);
}

static void a_pager_that_always_dies_is_given_up(void **state)
{
    go(*state);
    seen->die_always = true;
    kill(seen->serving, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    assert_int_equal(seen->abandoned, 1);
    assert_int_equal(seen->take_overs, DEATHS_IN_A_ROW - 1);
}

/* Then the guest is restored eagerly, without paging. */
static void a_pager_killed_in_its_start_is_undone(void **state)
{
    seen->die_in_start = true;
    assert_int_equal(spawn(*state), -EPIPE);
    all_leave();
    assert_int_equal(seen->take_overs, 1);
    assert_int_equal(seen->cancels, 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_is_replaced),
        TEST(a_standby_is_replaced_and_knows_the_pager),
        TEST(pager_and_supervisor_may_die_at_once),
        TEST(a_pager_that_is_done_is_not_replaced),
        TEST(a_pager_that_cannot_be_confined_undoes_its_start),
        TEST(a_later_one_that_cannot_be_confined_does_not_serve),
        TEST(an_unconfined_pager_is_asked_for),
        TEST(each_pager_goes_on_recording),
        TEST(a_pager_killed_after_go_is_replaced_by_one_that_goes_on),
        TEST(a_helper_that_leaves_without_reading_is_heard),
        TEST(without_a_helper_paging_is_ended),
        TEST(without_both_paging_is_ended),
        TEST(a_pager_that_always_dies_is_given_up),
        TEST(a_pager_killed_in_its_start_is_undone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

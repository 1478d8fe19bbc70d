/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * CRIU itself, as the distribution packages it: a process with the guest's
 * memory is dumped once; each run restores it by `criu lazy-pages`, and it then
 * touches what the engine's guest touches. Needs root, and a kernel that this
 * CRIU starts on.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

/* No step of CRIU's takes so long, whatever the machine. */
#define LIMIT_S 600
#define STATUS_FD 3

/*
 * What the process shares with this one, before its dump and after: a file, as
 * CRIU gives a restored process anonymous shared memory of its own.
 */
struct control {
    struct shared shared;
    uint64_t begun;    /* by CLOCK_REALTIME */
    _Atomic int order; /* one of these */
    _Atomic int obeyed;
    uint64_t pages;
    size_t nr, distinct;
    uint32_t gfn[];
};

enum { NOTHING, FILL, TOUCH, CHECK, GO_AWAY };

struct criu {
    char dir[4096 + 16];  /* of CRIU's images and logs */
    char path[4096 + 32]; /* of the control file, there too */
    struct control *control;
    size_t len;
    pid_t process;
};

/*
 * CRIU gives a restored process a time namespace, in which CLOCK_MONOTONIC goes
 * on from the dump: not the clock of those outside.
 */
static uint64_t real_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static struct control *map_control(const char *path, size_t *len)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    must(fd >= 0 && !fstat(fd, &st), path);
    *len = (size_t)st.st_size;
    void *p = mmap(NULL, *len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must(p != MAP_FAILED, path);
    close(fd);
    return p;
}

/* --- the process ---------------------------------------------------------- */

/* A process that nobody gives orders to any more does not stay either. */
static void await_order(struct control *c, int order)
{
    for (int ms = 0; atomic_load(&c->order) != order; ms++) {
        if (atomic_load(&c->order) == GO_AWAY || ms == LIMIT_S * 1000)
            _exit(1);
        usleep(1000);
    }
}

static uint64_t count_there(char *memory, uint64_t pages)
{
    uint64_t there = 0;
    unsigned char *map = malloc(pages);
    must(map && !mincore(memory, pages * XLX_PAGE_SIZE, map), "mincore");
    for (uint64_t i = 0; i < pages; i++)
        there += map[i] & 1;
    free(map);
    return there;
}

/* The same memory and work as guest_main(). It is dumped awaiting TOUCH. */
int criu_guest_main(const char *path)
{
    size_t len;
    struct control *c = map_control(path, &len);
    char *memory = mmap(NULL, c->pages * XLX_PAGE_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    must(memory != MAP_FAILED, "memory");
    guest_fill(memory, c->pages);
    atomic_store(&c->obeyed, FILL);

    await_order(c, TOUCH);
    c->shared.early = count_there(memory, c->pages);
    c->begun = real_ns();
    atomic_store(&c->shared.begun, now_ns());
    struct trace trace = { c->gfn, c->nr, c->distinct };
    guest_touch(memory, c->pages, &trace, &c->shared);
    atomic_store(&c->obeyed, TOUCH);

    await_order(c, CHECK);
    guest_check(memory, c->pages, &c->shared);
    atomic_store(&c->obeyed, CHECK);
    return 0;
}

/* --- programs ------------------------------------------------------------- */

/* Of a session of its own, and with nothing open that CRIU would have to dump.
 */
static pid_t start_process(const char *path)
{
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid)
        return pid;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    must(null >= 0 && setsid() > 0, "session");
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    closefrom(3);
    execl("/proc/self/exe", "lazy-uffd", "--criu-guest", path, (char *)NULL);
    _exit(127);
}

/* `criu ACTION OPTION...`, its log in ACTION.log; status_fd: -1, or its end. */
static pid_t start(const struct criu *c, const char *action, int status_fd,
                   const char *const options[])
{
    const char *argv[16] = { "criu", action, "--images-dir", c->dir,
                             "--log-file" };
    char log[32];
    size_t n = 5;
    snprintf(log, sizeof(log), "%s.log", action);
    argv[n++] = log;
    for (size_t i = 0; options[i]; i++)
        argv[n++] = options[i];
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid)
        return pid;
    if (status_fd >= 0)
        must(dup2(status_fd, STATUS_FD) == STATUS_FD, "dup2");
    alarm(LIMIT_S);
    execvp(argv[0], (char **)argv);
    _exit(127);
}

static void print_log(const struct criu *c, const char *action)
{
    char path[sizeof(c->dir) + 64], line[512];
    snprintf(path, sizeof(path), "%s/%s.log", c->dir, action);
    FILE *log = fopen(path, "re");
    while (log && fgets(line, sizeof(line), log))
        fprintf(stderr, "    %s", line);
    if (log)
        fclose(log);
}

/* What it prints as an error is the end of the run. */
static void finish(const struct criu *c, const char *action, pid_t pid,
                   struct rusage *use)
{
    int status;
    must(wait4(pid, &status, 0, use) == pid, "wait4");
    if (!status)
        return;
    fprintf(stderr, "lazy-uffd: criu %s: %s %d; its log:\n", action,
            WIFSIGNALED(status) ? "ended by signal" : "exit status",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    print_log(c, action);
    atomic_store(&c->control->order, GO_AWAY);
    exit(1);
}

/* Until the process has obeyed; it ends only after CHECK. */
static void await_obeyed(const struct criu *c, int order)
{
    int status;
    while (atomic_load(&c->control->obeyed) != order) {
        must(waitpid(c->process, &status, WNOHANG) == 0,
             "the process that CRIU dumps went away");
        usleep(1000);
    }
}

/* --- dump and runs -------------------------------------------------------- */

static void make_control(struct criu *c, uint64_t pages)
{
    snprintf(c->path, sizeof(c->path), "%s/control", c->dir);
    int fd = open(c->path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    must(fd >= 0, c->path);
    size_t len = sizeof(*c->control) + pages * sizeof(c->control->gfn[0]);
    must(!ftruncate(fd, (off_t)len), c->path);
    close(fd);
    c->control = map_control(c->path, &c->len);
    c->control->pages = pages;
}

static void dump(struct criu *c)
{
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", c->process);
    const char *const options[] = { "--tree", pid, NULL };
    finish(c, "dump", start(c, "dump", -1, options), NULL);
    must(waitpid(c->process, NULL, 0) == c->process, "the dumped process");
    sync();
}

static void for_each_image(const struct criu *c, void (*act)(const char *path))
{
    char path[sizeof(c->dir) + 256];
    DIR *dir = opendir(c->dir);
    must(dir, c->dir);
    for (const struct dirent *e; (e = readdir(dir));) {
        snprintf(path, sizeof(path), "%s/%s", c->dir, e->d_name);
        if (e->d_type == DT_REG)
            act(path);
    }
    closedir(dir);
}

static void remove_file(const char *path)
{
    must(!unlink(path), path);
}

static void remove_files(const struct criu *c)
{
    char path[sizeof(c->dir) + 32];
    snprintf(path, sizeof(path), "%s/lazy-pages.socket", c->dir);
    must(!unlink(path) || errno == ENOENT, path);
    for_each_image(c, remove_file);
}

/* What a run that failed has left there goes. */
static void make_folder(struct criu *c, const char *dir)
{
    snprintf(c->dir, sizeof(c->dir), "%s/bench-criu", dir);
    must(!mkdir(c->dir, 0700) || errno == EEXIST, c->dir);
    remove_files(c);
}

struct criu *criu_new(const char *dir, uint64_t pages)
{
    struct criu *c = calloc(1, sizeof(*c));
    must(c, "memory");
    make_folder(c, dir);
    /* A restored process is orphaned; its end is waited for here. */
    must(!prctl(PR_SET_CHILD_SUBREAPER, 1), "subreaper");
    make_control(c, pages);
    c->process = start_process(c->path);
    await_obeyed(c, FILL);
    dump(c);
    return c;
}

static pid_t start_lazy_pages(const struct criu *c)
{
    const char *const options[] = { "--status-fd", "3", NULL };
    char zero;
    int ready[2];
    must(!pipe2(ready, O_CLOEXEC), "pipe");
    pid_t pid = start(c, "lazy-pages", ready[1], options);
    close(ready[1]);
    if (read(ready[0], &zero, 1) != 1)
        finish(c, "lazy-pages", pid, NULL);
    close(ready[0]);
    return pid;
}

static void give_trace(struct control *c, const struct trace *trace)
{
    memset(&c->shared, 0, sizeof(c->shared));
    memcpy(c->gfn, trace->gfn, trace->nr * sizeof(*trace->gfn));
    c->nr = trace->nr;
    c->distinct = trace->distinct;
}

/* Until the process says so; what CRIU sees of it is over long before. */
static void check_memory(const struct criu *c)
{
    int status;
    await_obeyed(c, TOUCH);
    atomic_store(&c->control->order, CHECK);
    must(waitpid(c->process, &status, 0) == c->process && !status &&
             atomic_load(&c->control->obeyed) == CHECK,
         "the restored process's end");
}

struct outcome criu_run(const struct criu *c, const struct job *job)
{
    const char *const options[] = { "--lazy-pages", "--restore-detached",
                                    NULL };
    struct outcome out = { 0 };
    struct rusage use;
    give_trace(c->control, job->trace);
    c->control->shared.stall_ns = job->options->stall_ns;
    atomic_store(&c->control->order, TOUCH);
    if (job->cold)
        for_each_image(c, image_drop_from_cache);

    uint64_t started = real_ns();
    pid_t lazy_pages = start_lazy_pages(c);
    finish(c, "restore", start(c, "restore", -1, options), NULL);
    finish(c, "lazy-pages", lazy_pages, &use);
    uint64_t done = real_ns();
    check_memory(c);

    *job->shared = c->control->shared;
    out.field[BEGIN] = (double)(c->control->begun - started) / 1e6;
    out.field[TOTAL] = (double)(done - c->control->begun) / 1e6;
    out.field[CPU] = cpu_ms_of(&use);
    out.field[RSS] = (double)use.ru_maxrss / 1024;
    outcome_of_guest(&out, job);
    return out;
}

void criu_free(struct criu *c)
{
    if (!c)
        return;
    remove_files(c);
    must(!rmdir(c->dir), c->dir);
    munmap(c->control, c->len);
    free(c);
}

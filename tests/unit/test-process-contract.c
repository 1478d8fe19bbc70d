/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The contract of the process seam over real processes, and over those of the
 * host in memory, whose daemon is the backend of its guest.
 */
#include "test.h"

#include <signal.h>
#include <unistd.h>

#include "core/clock.h"
#include "fakes/usb_world.h"
#include "host/process.h"

struct subject {
    struct xlx__proc *proc;
    const char *argv[8], *log;
    char pidfile[80];
    /* The daemon says this in place of "ready", and ends. */
    void (*refuse)(struct subject *s, const char *why);
    void (*kill)(struct subject *s);
    struct usb_world *world;
    xlx_ctx *ctx;
    char dir[32], log_path[64];
};

static int64_t soon(void)
{
    return xlx__now_ms() + 20000;
}

static void start(struct subject *s, size_t size, const char *says)
{
    char line[32] = "";
    assert_int_equal(
        s->proc->ops->start(s->proc, s->argv, s->log, soon(), line, size), 0);
    assert_string_equal(line, says);
}

static pid_t find(struct subject *s)
{
    return s->proc->ops->find(s->proc, s->pidfile);
}

static int stop(struct subject *s)
{
    return s->proc->ops->stop(s->proc, s->pidfile, soon());
}

/* --- the cases ------------------------------------------------------------ */

static void it_is_found_from_start_to_stop(struct subject *s)
{
    assert_int_equal(find(s), 0);
    assert_int_equal(stop(s), 0); /* there is none */
    for (int i = 0; i < 2; i++) {
        start(s, 32, "ready");
        pid_t pid = find(s);
        assert_true(pid > 1);
        assert_int_equal(find(s), pid);
        assert_int_equal(stop(s), 0);
        assert_int_equal(find(s), 0);
    }
}

static void its_line_is_cut_to_the_buffer(struct subject *s)
{
    start(s, 4, "rea");
    assert_int_equal(stop(s), 0);
}

static void one_that_refuses_is_not_there(struct subject *s)
{
    s->refuse(s, "no: for a reason");
    start(s, 32, "no: for a reason");
    assert_int_equal(find(s), 0);
    assert_int_equal(stop(s), 0);
}

static void a_killed_one_is_stale_until_the_next(struct subject *s)
{
    start(s, 32, "ready");
    s->kill(s);
    assert_int_equal(find(s), -ESTALE);
    assert_int_equal(stop(s), 0);
    assert_int_equal(find(s), -ESTALE); /* nobody stopped it */
    start(s, 32, "ready");
    assert_true(find(s) > 1);
    assert_int_equal(stop(s), 0);
    assert_int_equal(find(s), 0);
}

static void another_pidfile_is_another_daemon(struct subject *s)
{
    char other[100];
    snprintf(other, sizeof(other), "%s", s->pidfile);
    strcpy(strrchr(other, '/'), "/99.pid");
    start(s, 32, "ready");
    assert_int_equal(s->proc->ops->find(s->proc, other), 0);
    assert_int_equal(stop(s), 0);
}

/* --- the host in memory --------------------------------------------------- */

static void fake_refuse(struct subject *s, const char *why)
{
    s->world->refusal = why;
}

static void fake_kill(struct subject *s)
{
    usb_world_kill_backend(s->world);
}

static void make_fake(struct subject *s)
{
    s->world = usb_world_new();
    s->proc = s->world->ctx->proc;
    s->argv[0] = "backend";
    s->argv[1] = "5";
    snprintf(s->pidfile, sizeof(s->pidfile), "%s/5.pid", s->world->dir);
    s->refuse = fake_refuse;
    s->kill = fake_kill;
}

static void end_fake(struct subject *s)
{
    usb_world_free(s->world);
}

/* --- real ones ------------------------------------------------------------ */

/* As our daemons are: holds the pidfile, ends at SIGTERM. It waits with what
 * the shell itself can, so that a killed one leaves nobody behind. */
static const char daemon_text[] =
    "[ -z \"$2\" ] || { echo \"$2\"; exit 1; }; "
    "trap 'rm $1; exit 0' TERM; exec 9<>$1.wait 8>>$1; flock -x 8; "
    "echo $$ >$1; echo ready; exec >&2; while :; do read -r x <&9; done";

static void real_refuse(struct subject *s, const char *why)
{
    s->argv[5] = why;
}

static void real_kill(struct subject *s)
{
    pid_t pid = find(s);
    assert_true(pid > 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    while (find(s) == pid)
        xlx__sleep_ms(1);
}

static void make_real(struct subject *s)
{
    static const char *const argv[] = { "/bin/sh", "-c", daemon_text, "sh" };
    char command[120];
    strcpy(s->dir, "/tmp/xlx-process-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    assert_int_equal(xlx_ctx_new(&s->ctx), 0);
    assert_int_equal(xlx__proc_host(s->ctx, &s->ctx->proc), 0);
    s->proc = s->ctx->proc;
    snprintf(s->pidfile, sizeof(s->pidfile), "%s/pid", s->dir);
    snprintf(s->log_path, sizeof(s->log_path), "%s/log", s->dir);
    snprintf(command, sizeof(command), "mkfifo %s.wait", s->pidfile);
    assert_int_equal(system(command), 0);
    s->log = s->log_path;
    memcpy(s->argv, argv, sizeof(argv));
    s->argv[4] = s->pidfile;
    s->argv[5] = "";
    s->refuse = real_refuse;
    s->kill = real_kill;
}

static void end_real(struct subject *s)
{
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", s->dir);
    assert_int_equal(system(command), 0);
    xlx_ctx_free(s->ctx);
}

static void run_cases(void (*make)(struct subject *),
                      void (*end)(struct subject *))
{
    static void (*const cases[])(struct subject *) = {
        it_is_found_from_start_to_stop,    its_line_is_cut_to_the_buffer,
        one_that_refuses_is_not_there,     a_killed_one_is_stale_until_the_next,
        another_pidfile_is_another_daemon,
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct subject s = { 0 };
        make(&s);
        cases[i](&s);
        end(&s);
    }
}

static void the_fake_keeps_it(void **state)
{
    (void)state;
    run_cases(make_fake, end_fake);
}

static void real_processes_keep_it(void **state)
{
    (void)state;
    run_cases(make_real, end_real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fake_keeps_it),
        cmocka_unit_test(real_processes_keep_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

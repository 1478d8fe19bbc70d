/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the watcher, and what it starts, is once it is confined, as /proc has
 * it.
 */
#include "test.h"

#include <inttypes.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd_usb.h"

/* DAC_OVERRIDE, DAC_READ_SEARCH, KILL, SETGID, SETUID, SETPCAP, NET_ADMIN,
 * SYS_CHROOT, SYS_PTRACE, SYS_ADMIN. */
#define KEPT UINT64_C(0x2c11e6)

static char said[8192]; /* by the last child */

static void print_status(void)
{
    execl("/bin/cat", "cat", "/proc/self/status", (char *)NULL);
}

/* Returns its exit status. */
static int run(void (*act)(void))
{
    int status, ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        dup2(ends[1], STDOUT_FILENO);
        if (usb_watch_confine())
            _exit(42);
        act();
        _exit(0);
    }
    close(ends[1]);
    size_t nr = 0;
    ssize_t n;
    while ((n = read(ends[0], said + nr, sizeof(said) - 1 - nr)) > 0)
        nr += (size_t)n;
    said[nr] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static uint64_t field(const char *status, const char *name)
{
    const char *line = strstr(status, name);
    uint64_t value;
    assert_non_null(line);
    assert_int_equal(sscanf(line + strlen(name), ": %" SCNx64, &value), 1);
    return value;
}

static void read_own(char *text, size_t size)
{
    FILE *f = fopen("/proc/self/status", "r");
    assert_non_null(f);
    text[fread(text, 1, size - 1, f)] = '\0';
    fclose(f);
}

static void what_it_starts_has_what_it_keeps(void **state)
{
    char own[8192];
    (void)state;
    read_own(own, sizeof(own));
    assert_int_equal(run(print_status), 0);
    uint64_t kept = KEPT & field(own, "\nCapBnd");
    assert_true(kept != field(own, "\nCapBnd"));
    assert_int_equal(field(said, "\nCapBnd"), kept);
    assert_int_equal(field(said, "\nCapEff"), kept);
    assert_int_equal(field(said, "\nCapPrm"), kept);
    assert_int_equal(field(said, "\nCapInh"), 0);
    assert_int_equal(field(said, "\nCapAmb"), 0);
    assert_int_equal(field(said, "\nNoNewPrivs"), 1);
}

static void tries_what_it_may_not(void)
{
    char path[64];
    snprintf(path, sizeof(path), "/tmp/xlx-device-%d", (int)getpid());
    if (!mknod(path, S_IFCHR | 0600, makedev(1, 3)) && !unlink(path))
        _exit(1);
    if (adjtimex(&(struct timex){ .modes = ADJ_TICK, .tick = 10000 }) >= 0)
        _exit(2);
}

static void it_makes_no_device_and_sets_no_clock(void **state)
{
    (void)state;
    assert_int_equal(run(tries_what_it_may_not), 0);
}

static void it_keeps_all_when_told_to(void **state)
{
    char own[8192];
    (void)state;
    read_own(own, sizeof(own));
    setenv("XL_EXT_USB_CONFINE", "off", 1);
    assert_int_equal(run(print_status), 0);
    unsetenv("XL_EXT_USB_CONFINE");
    assert_int_equal(field(said, "\nCapBnd"), field(own, "\nCapBnd"));
    assert_int_equal(field(said, "\nNoNewPrivs"), field(own, "\nNoNewPrivs"));
}

static void does_nothing(void)
{
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_starts_has_what_it_keeps),
        cmocka_unit_test(it_makes_no_device_and_sets_no_clock),
        cmocka_unit_test(it_keeps_all_when_told_to),
    };
    unsetenv("XL_EXT_USB_CONFINE");
    if (geteuid() || run(does_nothing)) {
        printf("skipped: this needs root with its capabilities\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

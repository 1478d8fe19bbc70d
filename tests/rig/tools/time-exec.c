/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Runs $TIME_EXEC with this program's arguments and appends how long it took,
 * from start to exit, to $TIME_EXEC_OUT in microseconds. It stands in for a
 * program that something else starts; a shell in its place would cost more
 * than what is measured.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000L + ts.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
    (void)argc;
    const char *program = getenv("TIME_EXEC"), *out = getenv("TIME_EXEC_OUT");
    pid_t pid;
    int status;
    if (!program || !out)
        return 125;

    long begun = now_us();
    if (posix_spawn(&pid, program, NULL, NULL, argv, environ) ||
        waitpid(pid, &status, 0) != pid)
        return 125;
    long took = now_us() - begun;

    FILE *f = fopen(out, "a");
    if (!f || fprintf(f, "%ld\n", took) < 0 || fclose(f))
        return 125;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

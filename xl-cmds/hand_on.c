/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Everything that is not ours goes to the distribution's xl, by exec: there is
 * no process of ours in between, so arguments, exit status, signals and
 * terminal are as without us. Where there is something to do afterwards it is a
 * child.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "config.h"

/* Where xl is when PATH does not name it. */
static const char fallback_path[] = "/usr/sbin:/usr/bin:/sbin:/usr/local/sbin";

static bool is_other_program(const char *path, const struct stat *self)
{
    struct stat st;
    return !access(path, X_OK) && !stat(path, &st) && S_ISREG(st.st_mode) &&
           !(st.st_dev == self->st_dev && st.st_ino == self->st_ino);
}

/* The first xl in `dirs` that is not this program under that name. */
static bool find_in(const char *dirs, const struct stat *self, char *path_r)
{
    while (dirs && *dirs) {
        size_t n = strcspn(dirs, ":");
        if (n &&
            snprintf(path_r, PATH_MAX, "%.*s/xl", (int)n, dirs) < PATH_MAX &&
            is_other_program(path_r, self))
            return true;
        dirs += n + (dirs[n] == ':');
    }
    return false;
}

static bool find_xl(struct cmd_env *env, char *path_r)
{
    const char *set = xlx_ctx_path(env->ctx, XLX_PATH_XL);
    if (set)
        return snprintf(path_r, PATH_MAX, "%s", set) < PATH_MAX;

    struct stat self;
    if (stat("/proc/self/exe", &self))
        memset(&self, 0, sizeof(self));
    if (is_other_program(XLX_XL, &self))
        return snprintf(path_r, PATH_MAX, "%s", XLX_XL) < PATH_MAX;
    return find_in(getenv("PATH"), &self, path_r) ||
           find_in(fallback_path, &self, path_r);
}

int cmd_hand_on(struct cmd_env *env, char **argv)
{
    char path[PATH_MAX];
    if (!find_xl(env, path)) {
        fprintf(env->err,
                "%s: the distribution's xl is neither in PATH nor "
                "in %s: install Xen's tools\n",
                cmd_program(env), fallback_path);
        return CMD_FAILED;
    }
    argv[0] = path;
    execv(path, argv);
    fprintf(env->err, "%s: cannot run: %s\n", path, strerror(errno));
    return CMD_FAILED;
}

int cmd_hand_on_command(struct cmd_env *env, char **argv)
{
    size_t nr = 2; /* xl, NULL */
    for (char **g = env->global; g && *g; g++)
        nr++;
    for (char **a = argv; *a; a++)
        nr++;
    char **all = calloc(nr, sizeof(*all));
    if (!all) {
        fprintf(env->err, "%s: no memory\n", argv[0]);
        return CMD_FAILED;
    }
    char **at = all + 1;
    for (char **g = env->global; g && *g; g++)
        *at++ = *g;
    for (char **a = argv; *a; a++)
        *at++ = *a;
    int status = cmd_hand_on(env, all);
    free(all);
    return status;
}

int cmd_run_command(struct cmd_env *env, char **argv)
{
    int status;
    fflush(env->out);
    fflush(env->err);
    pid_t pid = fork();
    if (pid == 0)
        _exit(cmd_hand_on_command(env, argv));
    if (pid < 0) {
        fprintf(env->err, "%s: fork: %s\n", argv[0], strerror(errno));
        return CMD_FAILED;
    }
    /* A signal from the terminal reaches xl too, and ends it. */
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return CMD_FAILED;
    return WIFEXITED(status) ? WEXITSTATUS(status) : CMD_FAILED;
}

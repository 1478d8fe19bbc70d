/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * install-front: lets plain xl take our commands, by a link of that name to
 * this program in a folder ahead of the distribution's in root's PATH. Bash
 * looks for an xl's completion by its name too, so there is a second link.
 * What is not such a link is somebody else's, and stays.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "config.h"

#define COMPLETIONS "share/bash-completion/completions"
#define DIR_LONGEST (PATH_MAX - 64) /* what is appended has room */

enum { OPT_DIR, OPT_REMOVE };

const struct cmd_option cmd_install_front_options[] = {
    { "dir", 0, CMD_NEEDS_ARG, "DIR", "instead of " XLX_FRONT_DIR },
    { "remove", 0, CMD_NO_ARG, NULL, "remove the links" },
    { 0 }
};

const char cmd_install_front_details[] =
    "Makes a link xl to this program in " XLX_FRONT_DIR ", which is ahead of\n"
    "the distribution's xl in root's PATH, and one for bash's completion. xl\n"
    "then takes these commands and passes every other call, unchanged, to the\n"
    "distribution's. An xl that is not such a link is neither replaced nor\n"
    "removed.\n"
    "\n"
    "Examples:\n"
    "  xl-ext install-front\n"
    "  xl-ext install-front --remove\n";

struct link {
    char path[PATH_MAX];
    char target[PATH_MAX];
};

struct front {
    struct cmd_env *env;
    const char *dir;
    struct link xl;
    struct link completion; /* no target: there is nothing to link to */
};

/* --- one link ------------------------------------------------------------- */

enum owner { NOBODY, OURS, FOREIGN };

/* Ours is each link to a program, or a completion, of our name. */
static enum owner owner_of(const char *path, char *target_r)
{
    ssize_t n = readlink(path, target_r, PATH_MAX - 1);
    if (n < 0)
        return errno == ENOENT ? NOBODY : FOREIGN;
    target_r[n] = '\0';
    const char *slash = strrchr(target_r, '/');
    return strcmp(slash ? slash + 1 : target_r, "xl-ext") ? FOREIGN : OURS;
}

static int fail(struct front *f, const char *path, const char *what)
{
    fprintf(f->env->err, "install-front: %s: %s: %s\n", path, what,
            strerror(errno));
    return CMD_FAILED;
}

/* In one step: somebody may call it just now. */
static int replace(struct front *f, const struct link *l)
{
    char next[PATH_MAX + 16];
    snprintf(next, sizeof(next), "%s.%d", l->path, (int)getpid());
    if (symlink(l->target, next))
        return fail(f, next, "cannot make a link");
    if (rename(next, l->path)) {
        int status = fail(f, l->path, "cannot replace it");
        unlink(next);
        return status;
    }
    return CMD_OK;
}

static int make(struct front *f, const struct link *l, bool *made)
{
    char target[PATH_MAX];
    *made = false;
    switch (owner_of(l->path, target)) {
    case FOREIGN:
        fprintf(f->env->err,
                "install-front: %s: belongs to another program: it stays; "
                "remove it, or give another --dir\n",
                l->path);
        return CMD_FAILED;
    case OURS:
        return strcmp(target, l->target) ? replace(f, l) : CMD_OK;
    default:
        /* Fails where another one came meanwhile. */
        if (symlink(l->target, l->path))
            return fail(f, l->path, "cannot make the link");
        *made = true;
        return CMD_OK;
    }
}

static int take_away(struct front *f, const struct link *l)
{
    char target[PATH_MAX];
    switch (owner_of(l->path, target)) {
    case FOREIGN:
        fprintf(f->env->err,
                "install-front: %s: belongs to another program: it stays\n",
                l->path);
        return CMD_OK;
    case OURS:
        if (unlink(l->path) && errno != ENOENT)
            return fail(f, l->path, "cannot remove the link");
        return CMD_OK;
    default:
        return CMD_OK;
    }
}

/* --- the folders of bash-completion --------------------------------------- */

/* share is there already, or bash does not look beside this folder. */
static const char *const folders[] = { "share/bash-completion", COMPLETIONS };

static int make_folders(struct front *f)
{
    char path[PATH_MAX];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/../%s", f->dir, folders[i]);
        if (mkdir(path, 0755) && errno != EEXIST)
            return fail(f, path, "cannot make the folder");
    }
    return CMD_OK;
}

/* Those that are empty now. */
static void remove_folders(struct front *f)
{
    char path[PATH_MAX];
    for (int i = 1; i >= 0; i--) {
        snprintf(path, sizeof(path), "%s/../%s", f->dir, folders[i]);
        if (rmdir(path))
            return;
    }
}

/* --- both links ----------------------------------------------------------- */

static bool is_there(const char *dir, const char *name, int mode)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return !access(path, mode);
}

/* Beside a program of our name the link needs no folder. */
static bool find_program(const char *dir, char *target_r)
{
    if (is_there(dir, "xl-ext", X_OK)) {
        strcpy(target_r, "xl-ext");
        return true;
    }
    ssize_t n = readlink("/proc/self/exe", target_r, PATH_MAX - 1);
    target_r[n < 0 ? 0 : n] = '\0';
    return n > 0;
}

static void find_completion(const char *dir, char *target_r)
{
    if (!is_there(dir, "../share", X_OK))
        return;
    if (is_there(dir, "../" COMPLETIONS "/xl-ext", R_OK))
        strcpy(target_r, "xl-ext");
    else if (is_there("/usr", COMPLETIONS "/xl-ext", R_OK))
        strcpy(target_r, "/usr/" COMPLETIONS "/xl-ext");
}

static int prepare(struct front *f)
{
    snprintf(f->xl.path, PATH_MAX, "%s/xl", f->dir);
    snprintf(f->completion.path, PATH_MAX, "%s/../" COMPLETIONS "/xl", f->dir);
    find_completion(f->dir, f->completion.target);
    return find_program(f->dir, f->xl.target)
               ? CMD_OK
               : fail(f, "/proc/self/exe", "cannot determine what to link to");
}

/* Whole or undone. */
static int install(struct front *f)
{
    bool made = false, xl_made;
    int status = CMD_OK;
    if (*f->completion.target) {
        status = make_folders(f);
        if (!status)
            status = make(f, &f->completion, &made);
    }
    if (!status)
        status = make(f, &f->xl, &xl_made);
    if (status && made)
        take_away(f, &f->completion);
    if (status)
        remove_folders(f);
    return status;
}

static int take_both_away(struct front *f)
{
    int status = take_away(f, &f->xl);
    if (take_away(f, &f->completion))
        status = CMD_FAILED;
    remove_folders(f);
    return status;
}

int cmd_install_front(struct cmd_env *env, int argc, char **argv)
{
    const struct cmd *self = cmd_find("install-front");
    struct front f = { .env = env, .dir = XLX_FRONT_DIR };
    struct cmd_opts opts;
    int status;
    if (!cmd_parse_alone(env, self, argc, argv, &opts, &status))
        return status;
    if (opts.set[OPT_DIR])
        f.dir = opts.arg[OPT_DIR];
    if (*f.dir != '/' || strlen(f.dir) > DIR_LONGEST)
        return cmd_usage(env, self,
                         "--dir=%s: not an absolute path, or too "
                         "long",
                         f.dir);
    status = prepare(&f);
    if (status)
        return status;
    return opts.set[OPT_REMOVE] ? take_both_away(&f) : install(&f);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * restore --lazy and --fast: checks the image and the host before there is a
 * domain, then becomes the distribution's `xl restore` with our save helper.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "libxl_ext_image.h"
#include "libxl_ext_lazy.h"

const struct cmd_option cmd_restore_options[] = {
    { "lazy", 0, CMD_MAY_HAVE_ARG, "require",
      "run the guest at once, load its memory while it runs;\n               "
      "          =require: fail if that is not possible" },
    { "fast", 0, CMD_NO_ARG, NULL,
      "load all memory before the guest runs, as xl does, but\n              "
      "           faster and in 2 MiB pages; on any Xen" },
    { "bwlimit", 0, CMD_NEEDS_ARG, "RATE",
      "limit for loading what nobody waits for: 50M a second;\n              "
      "           lazy-set changes it later" },
    { "prefetch", 0, CMD_NEEDS_ARG, "SIZE|TIME",
      "how much of the working set in FILE.lzx to load before\n              "
      "           the guest runs: 64M, 2s, 0 for nothing (default 64M)" },
    { "record", 0, CMD_MAY_HAVE_ARG, "TIME",
      "record in FILE.lzx what the guest waits for, for example\n            "
      "             for 30s; without TIME until it waits no more" },
    { "sidecar", 0, CMD_NEEDS_ARG, "PATH",
      "use PATH instead of FILE.lzx; nbd://... has no other" },
    { 0 }
};

const char cmd_restore_details[] =
    "With --lazy the guest runs at once. A pager reads memory from FILE when\n"
    "the guest touches it, and loads the rest at the same time. FILE must\n"
    "stay readable until 'xl-ext lazy-wait' reports that all memory is\n"
    "present. All other options are those of the distribution's xl restore\n"
    "(see xl(1)), and a call without --lazy or --fast is passed to it\n"
    "unchanged.\n"
    "\n"
    "FILE may be an export of an NBD server, nbd://HOST/EXPORT.\n"
    "\n"
    "If the host or the file does not allow a lazy restore, the command\n"
    "prints the reason and restores the guest eagerly, as with --fast: all\n"
    "memory is there before the guest runs. With --lazy=require it restores\n"
    "nothing in that case. What --fast cannot restore (a PV guest, a pipe, a\n"
    "compressed file) is left to the distribution's xl, and the reason is\n"
    "printed.\n"
    "\n"
    "A restore with --record writes the list of the pages that the guest\n"
    "waited for to FILE.lzx, beside FILE, and takes a little longer to be\n"
    "complete. Later restores load these pages first: the guest runs when\n"
    "--prefetch of them are there. A file on an NBD server has no folder:\n"
    "name its FILE.lzx by --sidecar.\n"
    "\n"
    "Examples:\n"
    "  xl-ext save guest /var/lib/xen/save/guest\n"
    "  xl-ext restore --lazy /var/lib/xen/save/guest\n"
    "  xl-ext restore --lazy=require -p /var/lib/xen/save/guest\n"
    "  xl-ext restore --fast /var/lib/xen/save/guest\n"
    "  xl-ext restore --lazy --record=30s /var/lib/xen/save/guest\n"
    "  xl-ext restore --lazy --prefetch=2s /var/lib/xen/save/guest\n"
    "  xl-ext restore --lazy nbd://storage/guest\n"
    "  xl-ext restore --lazy --record --sidecar=/var/lib/xen/guest.lzx \\\n"
    "      nbd://storage/guest\n"
    "  xl-ext lazy-wait guest\n";

static bool is_option(const char *arg, const char *name)
{
    size_t len = strlen(name);
    return !strncmp(arg, name, len) && (!arg[len] || arg[len] == '=');
}

static bool is_ours(const char *arg)
{
    return is_option(arg, "--lazy") || is_option(arg, "--fast") ||
           is_option(arg, "--bwlimit") || is_option(arg, "--prefetch") ||
           is_option(arg, "--record") || is_option(arg, "--sidecar");
}

bool cmd_restore_claims(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (is_ours(argv[i]))
            return true;
    return false;
}

struct call {
    struct cmd_env *env;
    bool lazy, require, fast;
    const char *record;   /* "auto" or a time; NULL: not at all */
    const char *prefetch; /* NULL: the default */
    const char *bwlimit;  /* NULL: none */
    const char *sidecar;  /* NULL: beside the file */
    const char *file;
    bool remote;    /* the file is on an NBD server */
    char **file_at; /* in rest */
    char **rest;    /* "restore" and its arguments for xl, without ours */
};

/* Writes a save file to standard output; in a child, which exits with it. */
typedef int produce_fn(struct call *call, const void *arg);

static int unpack(struct call *call, const void *program)
{
    execlp(program, program, "-dc", call->file, (char *)NULL);
    fprintf(call->env->err, "restore: %s: cannot run: %s\n",
            (const char *)program, strerror(errno));
    return CMD_FAILED;
}

static int copy(struct call *call, const void *image)
{
    xlx_ctx *ctx = call->env->ctx;
    if (!xlx_image_copy(ctx, image, 0, UINT64_MAX, STDOUT_FILENO))
        return CMD_OK;
    fprintf(call->env->err, "restore: %s\n", xlx_ctx_error(ctx));
    return CMD_FAILED;
}

/* Xl reads the descriptor `fd` in the place of the file. */
static int restore_descriptor(struct call *call, int fd)
{
    char name[32];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    *call->file_at = name;
    return cmd_hand_on_command(call->env, call->rest);
}

static int restore_produced(struct call *call, produce_fn *produce,
                            const void *arg)
{
    int pipe_fd[2];
    if (pipe(pipe_fd)) {
        fprintf(call->env->err, "restore: pipe: %s\n", strerror(errno));
        return CMD_FAILED;
    }
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipe_fd[1], STDOUT_FILENO);
        close(pipe_fd[0]);
        close(pipe_fd[1]);
        _exit(produce(call, arg));
    }
    close(pipe_fd[1]);
    if (pid < 0) {
        fprintf(call->env->err, "restore: fork: %s\n", strerror(errno));
        return CMD_FAILED;
    }
    return restore_descriptor(call, pipe_fd[0]);
}

/* By the distribution's save helper, which reads a pipe too. */
static int restore_stock(struct call *call, const xlx_image *image)
{
    if (call->remote)
        return restore_produced(call, copy, image);
    const char *packer = xlx_image_packer(call->file);
    if (packer)
        return restore_produced(call, unpack, packer);
    return cmd_hand_on_command(call->env, call->rest);
}

/* What neither way can do. */
static int leave_to_stock(struct call *call, const xlx_image *image,
                          const char *why)
{
    if (call->require) {
        fprintf(call->env->err,
                "restore: %s: nothing was restored (--lazy=require)\n", why);
        return CMD_FAILED;
    }
    fprintf(call->env->err, "restore: %s: restoring %s\n", why,
            call->fast ? "as the distribution's xl does" : "eagerly");
    return restore_stock(call, image);
}

static int refuse_restore(struct call *call)
{
    fprintf(call->env->err, "restore: %s\n", xlx_ctx_error(call->env->ctx));
    return CMD_FAILED;
}

/* Xl and the helper want a descriptor. */
static int restore_proxy_file(struct call *call, const xlx_image *image)
{
    int fd;
    if (xlx_image_proxy_file(call->env->ctx, image, &fd))
        return refuse_restore(call);
    if (fcntl(fd, F_SETFD, 0)) {
        fprintf(call->env->err, "restore: %s: cannot pass it on: %s\n",
                call->file, strerror(errno));
        return CMD_FAILED;
    }
    return restore_descriptor(call, fd);
}

/* `mode` is XL_EXT_LAZY of the helper. */
static int restore_by_helper(struct call *call, const xlx_image *image,
                             const char *mode)
{
    char helper[PATH_MAX];
    if (xlx_own_save_helper_path(call->env->ctx, helper, sizeof(helper)))
        return refuse_restore(call);
    const char *stock = getenv("LIBXL_SAVE_HELPER");
    if ((stock && setenv("XL_EXT_STOCK_SAVE_HELPER", stock, 1)) ||
        setenv("LIBXL_SAVE_HELPER", helper, 1) ||
        setenv("XL_EXT_LAZY", mode, 1) ||
        (call->bwlimit && setenv("XL_EXT_LAZY_BWLIMIT", call->bwlimit, 1)) ||
        (call->prefetch && setenv("XL_EXT_LAZY_PREFETCH", call->prefetch, 1)) ||
        (call->record && setenv("XL_EXT_LAZY_RECORD", call->record, 1)) ||
        (call->sidecar && setenv("XL_EXT_LAZY_SIDECAR", call->sidecar, 1))) {
        fprintf(call->env->err, "restore: no memory\n");
        return CMD_FAILED;
    }
    if (call->remote)
        return restore_proxy_file(call, image);
    return cmd_hand_on_command(call->env, call->rest);
}

/* The host cannot do it; what needs nothing of the host remains. */
static int not_lazy(struct call *call, const xlx_image *image, const char *why)
{
    if (call->require)
        return leave_to_stock(call, image, why);
    fprintf(call->env->err, "restore: %s: restoring eagerly\n", why);
    return restore_by_helper(call, image, "off");
}

/* Lazily if image and host allow it. */
static int restore_image(struct call *call, const xlx_image *image)
{
    xlx_ctx *ctx = call->env->ctx;
    if (xlx_image_info(image)->guest != XLX_IMAGE_HVM)
        return leave_to_stock(call, image,
                              call->fast ? "a PV guest"
                                         : "a PV guest has no nested paging");
    if (call->fast)
        return restore_by_helper(call, image, "off");
    if (call->record && xlx_sidecar_can_write(ctx, image, call->sidecar))
        return refuse_restore(call);
    int rc = xlx_lazy_check(ctx);
    if (rc == -ENOTSUP)
        return not_lazy(call, image, xlx_ctx_error(ctx));
    if (rc)
        return refuse_restore(call);
    return restore_by_helper(call, image, call->require ? "require" : "try");
}

/* Whether an image that cannot be opened so may be one for the distribution's
 * xl all the same. */
static bool is_for_stock(const struct call *call, int rc)
{
    if (call->remote)
        return false;
    return rc == -ESPIPE || rc == -EMEDIUMTYPE ||
           (rc == -ENOTSUP && call->fast);
}

static int check_and_restore(struct call *call)
{
    xlx_ctx *ctx = call->env->ctx;
    xlx_image *image;

    /* A reason to restore eagerly is no error: printed here, as what it is. */
    xlx_ctx_set_log(ctx, NULL, NULL, XLX_LOG_ERROR);
    int rc = xlx_image_open(ctx, call->file, &image);
    if (is_for_stock(call, rc))
        return leave_to_stock(call, NULL, xlx_ctx_error(ctx));
    if (rc)
        return refuse_restore(call);
    int status = restore_image(call, image);
    xlx_image_close(image);
    return status;
}

/* What is wrong with one of our options, or NULL. */
static const char *take(struct call *call, const char *arg)
{
    struct xlx_lazy_prefetch prefetch;
    uint64_t ms, rate;
    const char *value = strchr(arg, '=');
    if (is_option(arg, "--lazy")) {
        call->lazy = true;
        call->require = value && !strcmp(value, "=require");
        return !value || call->require ? NULL
                                       : "--lazy takes =require or nothing";
    }
    if (is_option(arg, "--fast")) {
        call->fast = true;
        return value ? "--fast takes no value" : NULL;
    }
    if (is_option(arg, "--record")) {
        call->record = value ? value + 1 : "auto";
        return value && xlx_lazy_parse_record(call->record, &ms)
                   ? "--record takes a time (=30s) or nothing"
                   : NULL;
    }
    if (is_option(arg, "--sidecar")) {
        call->sidecar = value ? value + 1 : "";
        return *call->sidecar ? NULL : "--sidecar takes a path (=FILE.lzx)";
    }
    if (is_option(arg, "--bwlimit")) {
        call->bwlimit = value ? value + 1 : "";
        return xlx_lazy_parse_bwlimit(call->bwlimit, &rate)
                   ? "--bwlimit takes bytes a second (=50M) or =none"
                   : NULL;
    }
    call->prefetch = value ? value + 1 : "";
    return xlx_lazy_parse_prefetch(call->prefetch, &prefetch, sizeof(prefetch))
               ? "--prefetch takes a size (=64M), a time (=2s) or =0"
               : NULL;
}

/* What is wrong with all of them together, or NULL. */
static const char *check_options(const struct call *call)
{
    if (!call->lazy && !call->fast)
        return "--bwlimit, --prefetch, --record and --sidecar need --lazy";
    if (call->lazy && call->fast)
        return "--lazy and --fast exclude each other";
    if (call->fast && (call->record || call->prefetch || call->bwlimit))
        return "--bwlimit, --prefetch and --record need --lazy, not --fast";
    if (call->record && call->remote && !call->sidecar)
        return "--record cannot write beside FILE on an NBD server: name a "
               "file by --sidecar=FILE";
    return NULL;
}

/* Takes our options out of argv. What is wrong with them, or NULL. */
static const char *split(int argc, char **argv, struct call *call)
{
    const char *wrong = NULL;
    char **at = call->rest;
    *at++ = argv[0];
    for (int i = 1; i < argc; i++) {
        if (!is_ours(argv[i]))
            *at++ = argv[i];
        else if (!wrong)
            wrong = take(call, argv[i]);
    }
    *at = NULL;
    if (at > call->rest + 1 && at[-1][0] != '-') {
        call->file_at = at - 1;
        call->file = at[-1];
        call->remote = xlx_image_is_uri(call->file);
    }
    return wrong ? wrong : check_options(call);
}

static bool wants_help(char **args)
{
    for (; *args; args++)
        if (!strcmp(*args, "--help") || !strcmp(*args, "-h"))
            return true;
    return false;
}

int cmd_restore(struct cmd_env *env, int argc, char **argv)
{
    const struct cmd *self = cmd_find("restore");
    struct call call = { .env = env,
                         .rest = calloc((size_t)argc + 1, sizeof(char *)) };
    int status;
    if (!call.rest)
        return CMD_FAILED;
    const char *wrong = split(argc, argv, &call);
    if (wrong) {
        status = cmd_usage(env, self, "%s", wrong);
    } else if (wants_help(call.rest)) {
        cmd_print_help(env, self);
        status = CMD_OK;
    } else if (!call.file) {
        status = cmd_usage(env, self, "the save file is missing");
    } else {
        cmd_hint_options(env, self, call.rest + 1);
        status = check_and_restore(&call);
    }
    free(call.rest);
    return status;
}

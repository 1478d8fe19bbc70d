/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How a toolstack restores lazily: it checks the host and the file before there
 * is a domain, restores as usual with our save helper in place of libxl's, and
 * follows the fill while the guest runs.
 *
 *   cc -o example-lazy example-lazy.c $(pkg-config --cflags --libs libxl-ext)
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <libxl_ext.h>
#include <libxl_ext_image.h>
#include <libxl_ext_lazy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Gets every failure once, with its reason, where it happened. */
static void print_log(void *user, enum xlx_log_level level, const char *text)
{
    (void)user;
    fprintf(stderr, "%s%s\n", level == XLX_LOG_ERROR ? "error: " : "", text);
}

/* All of the file's headers are checked; its pages are not read. */
static int check_image(xlx_ctx *ctx, const char *path)
{
    xlx_image *image;
    int rc = xlx_image_open(ctx, path, &image);
    if (rc)
        return rc;
    printf("%s: %" PRIu64 " pages\n", path, xlx_image_info(image)->pages);
    xlx_image_close(image);
    return 0;
}

/* Where a toolstack on libxl calls libxl_domain_create_restore(): libxl runs
 * the program that LIBXL_SAVE_HELPER names. */
static int restore(const char *helper, const char *path)
{
    int status;
    setenv("LIBXL_SAVE_HELPER", helper, 1);
    setenv("XL_EXT_LAZY", "require", 1); /* fail rather than restore eagerly */
    pid_t pid = fork();
    if (pid == 0) {
        execlp("xl", "xl", "restore", path, (char *)NULL);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

static int follow(xlx_ctx *ctx, uint32_t domid)
{
    const struct timespec pause = { 0, 200 * 1000 * 1000 };
    struct xlx_lazy_status s;
    int rc;
    while (!(rc = xlx_lazy_status(ctx, domid, &s, sizeof(s))) &&
           (s.state == XLX_LAZY_FILLING || s.state == XLX_LAZY_STALLED)) {
        printf("%s: %" PRIu64 " of %" PRIu64 " pages, %" PRIu64 " faults\n",
               xlx_lazy_state_name(s.state), s.done, s.held_back, s.faults);
        nanosleep(&pause, NULL);
    }
    if (rc)
        return rc;
    printf("%s %s\n", xlx_lazy_state_name(s.state), s.reason);
    return s.state == XLX_LAZY_COMPLETE ? 0 : -EIO;
}

static int run(xlx_ctx *ctx, const char *helper, const char *path,
               const char *guest)
{
    uint32_t domid;
    int rc = xlx_lazy_check(ctx);
    if (!rc)
        rc = check_image(ctx, path);
    if (!rc && (rc = restore(helper, path)))
        fprintf(stderr, "%s: not restored\n", path);
    if (!rc)
        rc = xlx_domain_find(ctx, guest, &domid);
    return rc ? rc : follow(ctx, domid);
}

int main(int argc, char **argv)
{
    xlx_ctx *ctx;
    if (argc != 4) {
        fprintf(stderr, "Usage: %s SAVE-HELPER FILE GUEST\n", argv[0]);
        return 2;
    }
    if (xlx_ctx_new(&ctx))
        return 1;
    xlx_ctx_set_log(ctx, print_log, NULL, XLX_LOG_WARN);
    int rc = run(ctx, argv[1], argv[2], argv[3]);
    xlx_ctx_free(ctx);
    return rc ? 1 : 0;
}

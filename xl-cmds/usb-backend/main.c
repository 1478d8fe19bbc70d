/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * xl-ext-usb-backend DOMID RUN LOG SYSFS QEMU: started by the library for a
 * guest without device model; nobody types it. Standard output takes one line,
 * standard error is the log.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libxl_ext_usb.h"

enum { ARG_DOMID = 1, ARG_RUN, ARG_LOG, ARG_SYSFS, ARG_QEMU, ARG_NR };

static void print_log(void *user, enum xlx_log_level level, const char *text)
{
    (void)user;
    (void)level;
    fprintf(stderr, "xl-ext-usb-backend: %s\n", text);
}

/* Says how it went to whoever waits, and lets go of the pipe. */
static void say_ready(void *user, const char *line)
{
    (void)user;
    printf("%s\n", line);
    fflush(stdout);
    dup2(2, 1);
}

/*
 * Under systemd each backend is a scope of its own: whatever is stopped, the
 * service or the session that started it or another guest's backend, ends no
 * other. systemd-run becomes this program again. Returns where there is none.
 */
static void enter_scope(char **argv)
{
    static const char entered[] = "XL_EXT_IN_SCOPE";
    char unit[64];
    char *run[6 + ARG_NR] = { "systemd-run", "--scope", "--quiet",
                              "--collect", unit };
    bool again = getenv(entered) != NULL;
    unsetenv(entered);
    if (again || access("/run/systemd/system", F_OK))
        return;
    /* The pid: the scope of an earlier one may be there for a moment more. */
    snprintf(unit, sizeof(unit), "--unit=xl-ext-usb-backend-%.10s-%d",
             argv[ARG_DOMID], (int)getpid());
    memcpy(run + 5, argv, ARG_NR * sizeof(*argv));
    if (!setenv(entered, "1", 1))
        execvp(run[0], run);
    unsetenv(entered);
}

static int set_paths(xlx_ctx *ctx, char **argv)
{
    static const enum xlx_path paths[ARG_NR] = {
        [ARG_RUN] = XLX_PATH_RUN,
        [ARG_LOG] = XLX_PATH_LOG,
        [ARG_SYSFS] = XLX_PATH_SYSFS,
        [ARG_QEMU] = XLX_PATH_QEMU,
    };
    int rc = 0;
    for (int i = ARG_RUN; !rc && i < ARG_NR; i++)
        rc = xlx_ctx_set_path(ctx, paths[i], argv[i]);
    return rc;
}

int main(int argc, char **argv)
{
    xlx_ctx *ctx;
    uint32_t domid;
    if (argc != ARG_NR) {
        fprintf(stderr, "xl-ext-usb-backend: started by xl usb-attach and "
                        "usb-hc-create only\n");
        return 2;
    }
    enter_scope(argv);
    if (xlx_ctx_new(&ctx))
        return 1;
    xlx_ctx_set_log(ctx, print_log, NULL, XLX_LOG_DEBUG);
    int rc = set_paths(ctx, argv);
    if (!rc)
        rc = xlx_domain_find(ctx, argv[ARG_DOMID], &domid);
    if (rc)
        say_ready(NULL, xlx_ctx_error(ctx));
    else
        rc = xlx_usb_backend_run(ctx, domid, say_ready, NULL);
    xlx_ctx_free(ctx);
    return rc ? 1 : 0;
}

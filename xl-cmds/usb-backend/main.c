/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * xl-ext-usb-backend DOMID RUN LOG SYSFS: the USB backend of one guest, started
 * by the library; nobody types it. Standard output takes one line, standard
 * error is the log.
 *
 *   main     (this)  root; starts the others, and has nothing to do with guests
 *   broker           root; xenstore, the devices of this host
 *   worker           a uid of its own, confined; the guest's rings
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine.h"
#include "core/ctx.h"
#include "core/parse.h"
#include "host/fds.h"
#include "host/lock.h"
#include "host/process.h"
#include "log.h"
#include "supervise.h"
#include "usb/controller/log.h"
#include "usbd/broker.h"
#include "usbd/worker.h"
#include "xen/domain.h"

#define NAME "xl-ext-usb-backend"
#define DOMID_END 0x7ff0u /* Xen's DOMID_FIRST_RESERVED */

#define DEATHS_MAX 5
#define CALM_MS 60000
#define BACKOFF_MS 100
#define END_MS 20000 /* the broker has its own limits, which are below this */

enum { ARG_DOMID = 1, ARG_RUN, ARG_LOG, ARG_SYSFS, ARG_NR };

struct program {
    uint32_t domid;
    xlx_ctx *ctx;
    pid_t self;
    char pidfile[PATH_MAX], state[PATH_MAX], empty[PATH_MAX];
};

static void print_line(void *user, enum xlx_log_level level, const char *text)
{
    (void)user;
    (void)level;
    fprintf(stderr, "%s\n", text);
}

/* --- roles ---------------------------------------------------------------- */

static int run_worker(void *user, int sock, int state)
{
    const struct program *p = user;
    struct usbd_confine confine = { p->domid, p->empty, p->self };
    return xlx__usbd_worker_run(p->domid, sock, state, usbd_confine, &confine)
               ? 1
               : 0;
}

static void tell_start(const struct program *p, int ready, int rc)
{
    int alive = rc ? 0 : xlx__dom_alive(p->ctx, p->domid);
    if (rc || alive < 0)
        dprintf(ready, "%s\n", xlx_ctx_error(p->ctx));
    else if (!alive)
        dprintf(ready, "domain %u: no such domain\n", p->domid);
    else
        dprintf(ready, "ready\n");
    close(ready);
}

static int broker_status(int rc)
{
    if (rc == XLX__USBD_ASKED)
        return USBD_ENDED;
    if (rc == -EPIPE)
        return USBD_WORKER_GONE;
    return rc == XLX__USBD_GUEST_GONE ? USBD_GUEST_GONE : 1;
}

static int run_broker(void *user, int sock, int ready, int signals)
{
    const struct program *p = user;
    struct xlx__usbd_devices *devices;
    struct xlx__usbd_broker *b = NULL;
    int rc = xlx__usbd_devices_host(p->ctx, &devices);
    if (!rc)
        rc = xlx__usbd_broker_new(p->ctx, p->domid, sock, devices, &b);
    if (!rc)
        rc = xlx__usbd_broker_start(b);
    tell_start(p, ready, rc);
    if (rc)
        return USBD_REFUSED;
    rc = xlx__usbd_broker_run(b, signals);
    xlx__usbd_broker_free(b);
    return broker_status(rc);
}

static int run_give_up(void *user)
{
    const struct program *p = user;
    struct xlx__usbd_devices *devices;
    int rc = xlx__usbd_devices_host(p->ctx, &devices);
    return rc || xlx__usbd_broker_give_up(p->ctx, p->domid, devices);
}

/* --- main ----------------------------------------------------------------- */

/*
 * Under systemd each backend is a scope of its own: whatever is stopped, the
 * service or the session that started it or another guest's backend, ends no
 * other. systemd-run becomes this program again. Returns where there is none.
 */
static void enter_scope(char **argv)
{
    static const char entered[] = "XL_EXT_IN_SCOPE";
    char unit[64];
    char *run[6 + ARG_NR] = { "systemd-run", "--scope", "--quiet", "--collect",
                              unit };
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
    };
    int rc = 0;
    for (int i = ARG_RUN; !rc && i < ARG_NR; i++)
        rc = xlx_ctx_set_path(ctx, paths[i], argv[i]);
    return rc;
}

static int name_file(const struct program *p, const char *suffix, char *path_r)
{
    char name[64];
    snprintf(name, sizeof(name), "usb/%u.%s", p->domid, suffix);
    return xlx__run_path(p->ctx, name, path_r);
}

static int name_files(struct program *p)
{
    int rc = name_file(p, "pid", p->pidfile);
    if (!rc)
        rc = name_file(p, "state", p->state);
    if (!rc)
        rc = xlx__run_path(p->ctx, "usb/empty", p->empty);
    if (!rc && mkdir(p->empty, 0555) && errno != EEXIST)
        rc = xlx__fail_errno(p->ctx, errno, "%s: cannot be created", p->empty);
    return rc;
}

static int supervise(struct program *p)
{
    struct usbd_log log;
    char path[PATH_MAX];
    int rc = xlx__usb_log_path(p->ctx, p->domid, path);
    if (rc)
        return rc;
    usbd_log_init(&log, STDERR_FILENO, path);
    struct usbd_supervise s = {
        .domid = p->domid,
        .roles = { run_worker, run_broker, run_give_up, p },
        .log = &log,
        .out = STDOUT_FILENO,
        .state =
            open(p->state, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600),
        .deaths_max = DEATHS_MAX,
        .calm_ms = CALM_MS,
        .backoff_ms = BACKOFF_MS,
        .end_ms = END_MS,
    };
    if (s.state < 0) {
        rc = xlx__fail_errno(p->ctx, errno, "%s: cannot be opened", p->state);
        printf("%s\n", xlx_ctx_error(p->ctx));
        return rc;
    }
    rc = usbd_supervise(&s);
    close(s.state);
    unlink(p->state);
    return rc;
}

/* The pidfile goes last, while it is still held. */
static int run(struct program *p)
{
    int rc = name_files(p);
    int pidfile = rc ? rc : xlx__pidfile_take(p->pidfile);
    if (!rc && pidfile < 0)
        rc =
            xlx__fail_errno(p->ctx, -pidfile, "%s: cannot take it", p->pidfile);
    if (rc) {
        printf("%s\n", xlx_ctx_error(p->ctx));
        return rc;
    }
    rc = supervise(p);
    unlink(p->pidfile);
    close(pidfile);
    return rc;
}

int main(int argc, char **argv)
{
    struct program p = { .self = getpid() };
    if (argc != ARG_NR ||
        xlx__parse_u32(argv[ARG_DOMID], 1, DOMID_END - 1, &p.domid)) {
        fprintf(stderr,
                NAME ": only xl usb-attach and usb-hc-create start it\n");
        return 2;
    }
    enter_scope(argv);
    xlx__close_from(STDERR_FILENO + 1);
    if (xlx_ctx_new(&p.ctx))
        return 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    xlx_ctx_set_log(p.ctx, print_line, NULL, XLX_LOG_WARN);
    int rc = set_paths(p.ctx, argv);
    if (!rc)
        rc = run(&p);
    xlx_ctx_free(p.ctx);
    return rc ? 1 : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The doctor: each check with both answers, on a host in memory whose folders
 * /dev, /etc and /proc are below the world's own.
 */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "doctor/doctor.h"
#include "fakes/evtchn_mem.h"
#include "fakes/usb_world.h"
#include "host/process.h"
#include "lazy/check.h"
#include "usb/controller/hc.h"
#include "xen/release.h"

#define FINDINGS 64

struct seen {
    char check[32], text[512], guest[32];
    enum xlx_doctor_state state;
    uint32_t domid;
};

struct fixture {
    struct usb_world *w;
    struct evtchn_mem *evtchn;
    struct xlx__paging_host host;
    struct seen seen[FINDINGS];
    int nr, rc, logged;
};

/* --- the host ------------------------------------------------------------- */

/* Below the world's folder, with the folders above it. NULL: takes it away. */
static void put(struct fixture *f, const char *name, const char *text)
{
    char path[256], command[512];
    snprintf(path, sizeof(path), "%s/%s", f->w->dir, name);
    snprintf(command, sizeof(command), "mkdir -p $(dirname %s)", path);
    assert_int_equal(system(command), 0);
    if (!text) {
        snprintf(command, sizeof(command), "rm -r %s", path);
        assert_int_equal(system(command), 0);
        return;
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void set_path(struct fixture *f, enum xlx_path which, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", f->w->dir, name);
    assert_int_equal(xlx_ctx_set_path(f->w->ctx, which, path), 0);
}

static void make_healthy(struct fixture *f)
{
    struct sysfs_mem *sysfs = f->w->sysfs;
    sysfs_mem_put(sysfs, "hypervisor/type", "xen");
    sysfs_mem_put(sysfs, "hypervisor/version/major", "4");
    sysfs_mem_put(sysfs, "hypervisor/version/minor", "17");
    sysfs_mem_put(sysfs, "hypervisor/version/extra", ".5");
    set_path(f, XLX_PATH_PROC, "proc");
    set_path(f, XLX_PATH_DEV, "dev");
    set_path(f, XLX_PATH_ETC, "etc");
    put(f, "proc/xen/capabilities", "control_d\n");
    put(f, "dev/bus/usb/001", "");
    put(f, "dev/xen/gntdev", "");
    put(f, "dev/xen/evtchn", "");
    xlx_ctx_set_path(f->w->ctx, XLX_PATH_OWN_SAVE_HELPER, "/bin/true");
    xlx_ctx_set_path(f->w->ctx, XLX_PATH_SAVE_HELPER, "/bin/false");
    f->host = (struct xlx__paging_host){
        .xen = true, .features = 0xff, .hap = 1, .pv_control = 1
    };
    f->evtchn = evtchn_mem_new(NULL);
    f->evtchn->patched = true;
    evtchn_mem_add(f->evtchn, 0, false, 2);
    f->w->ctx->evtchn = &f->evtchn->base;
}

static void count_log(void *user, enum xlx_log_level level, const char *text)
{
    (void)level;
    (void)text;
    ((struct fixture *)user)->logged++;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->w = usb_world_new();
    make_healthy(f);
    xlx_ctx_set_log(f->w->ctx, count_log, f, XLX_LOG_DEBUG);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    usb_world_free(f->w);
    free(f);
    return 0;
}

/* --- the examination ------------------------------------------------------ */

static void see(void *user, const struct xlx_doctor_finding *finding)
{
    struct fixture *f = user;
    struct seen *s = &f->seen[f->nr++];
    assert_true(f->nr <= FINDINGS);
    snprintf(s->check, sizeof(s->check), "%s", finding->check);
    snprintf(s->text, sizeof(s->text), "%s", finding->text);
    snprintf(s->guest, sizeof(s->guest), "%s", finding->guest);
    s->state = finding->state;
    s->domid = finding->domid;
}

static void examine(struct fixture *f)
{
    f->nr = 0;
    f->rc = xlx__doctor(f->w->ctx, &f->host, see, f);
}

/* The only one of the host, or of that guest. */
static const struct seen *finding(struct fixture *f, const char *check,
                                  uint32_t domid)
{
    const struct seen *found = NULL;
    for (int i = 0; i < f->nr; i++) {
        if (strcmp(f->seen[i].check, check) || f->seen[i].domid != domid)
            continue;
        assert_null(found);
        found = &f->seen[i];
    }
    if (!found)
        fail_msg("no finding %s of domain %u", check, domid);
    return found;
}

static void assert_found(struct fixture *f, const char *check, uint32_t domid,
                         enum xlx_doctor_state state, const char *text)
{
    const struct seen *s = finding(f, check, domid);
    if (s->state != state || !strstr(s->text, text))
        fail_msg("%s: %s: %s, wanted %s: %s", check,
                 xlx_doctor_state_name(s->state), s->text,
                 xlx_doctor_state_name(state), text);
}

static void assert_host(struct fixture *f, const char *check,
                        enum xlx_doctor_state state, const char *text)
{
    examine(f);
    assert_found(f, check, 0, state, text);
    assert_int_equal(f->rc, state == XLX_DOCTOR_MISSING);
}

#define assert_ok(f, check, text) assert_host(f, check, XLX_DOCTOR_OK, text)
#define assert_missing(f, check, text) \
    assert_host(f, check, XLX_DOCTOR_MISSING, text)
#define assert_optional(f, check, text) \
    assert_host(f, check, XLX_DOCTOR_OPTIONAL, text)
#define assert_unknown(f, check, text) \
    assert_host(f, check, XLX_DOCTOR_UNKNOWN, text)

/* --- Xen ------------------------------------------------------------------ */

static void a_host_without_xen_is_told_in_one_line(void **state)
{
    struct fixture *f = *state;
    sysfs_mem_put(f->w->sysfs, "hypervisor/type", NULL);
    examine(f);
    assert_int_equal(f->rc, -ENODEV);
    assert_int_equal(f->nr, 1);
    assert_found(f, "xen", 0, XLX_DOCTOR_MISSING, "does not run Xen");
    assert_int_equal(f->logged, 0);
}

static void xen_is_named(void **state)
{
    struct fixture *f = *state;
    assert_ok(f, "xen", "Xen 4.17.5 runs");
    sysfs_mem_put(f->w->sysfs, "hypervisor/version/minor", NULL);
    assert_ok(f, "xen", "of an unknown version");
}

static void a_guest_is_no_host(void **state)
{
    struct fixture *f = *state;
    assert_ok(f, "control-domain", "control domain");
    put(f, "proc/xen/capabilities", "\n");
    examine(f);
    assert_int_equal(f->rc, -ENODEV);
    assert_int_equal(f->nr, 2);
    assert_found(f, "control-domain", 0, XLX_DOCTOR_MISSING, "is a guest");
}

static void without_xenfs_all_else_is_checked(void **state)
{
    struct fixture *f = *state;
    put(f, "proc/xen/capabilities", NULL);
    assert_missing(f, "control-domain", "mount -t xenfs");
    assert_found(f, "xenstore", 0, XLX_DOCTOR_OK, "answers");
}

static void the_hypervisor_has_to_be_callable(void **state)
{
    struct fixture *f = *state;
    assert_ok(f, "hypercalls", "can call");
    f->host = (struct xlx__paging_host){ .features = -ENODEV,
                                         .hap = -ENODEV,
                                         .pv_control = -ENODEV };
    assert_missing(f, "hypercalls", "run this as root");
    assert_found(f, "release", 0, XLX_DOCTOR_UNKNOWN, "Xen does not tell");
    assert_found(f, "lazy-hap", 0, XLX_DOCTOR_UNKNOWN, "Xen does not tell");
}

static void another_release_is_missing(void **state)
{
    struct fixture *f = *state;
    assert_ok(f, "release", "fits the running hypervisor");
    f->host.other = true;
    assert_missing(f, "release", "built for another release");
}

static void xenstored_has_to_answer(void **state)
{
    struct fixture *f = *state;
    assert_ok(f, "xenstore", "answers");
    int nr_failed = 0;
    /* The first calls are about sysfs. */
    for (int n = 1; n < 8 && !nr_failed; n++) {
        f->w->nth = (struct nth){ .fail_at = n };
        examine(f);
        if (f->rc != -ENODEV)
            nr_failed += finding(f, "xenstore", 0)->state == XLX_DOCTOR_MISSING;
    }
    f->w->nth = (struct nth){ 0 };
    assert_int_equal(nr_failed, 1);
}

/* --- USB ------------------------------------------------------------------ */

static void devices_have_to_be_there(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *check, *path, *advice;
    } rows[] = {
        { "usbfs", "dev/bus/usb", "usbcore" },
        { "gntdev", "dev/xen/gntdev", "module xen-gntdev" },
        { "evtchn", "dev/xen/evtchn", "module xen-evtchn" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_ok(f, rows[i].check, "programs can use");
        put(f, rows[i].path, NULL);
        assert_missing(f, rows[i].check, rows[i].advice);
        assert_found(f, rows[i].check, 0, XLX_DOCTOR_MISSING, "not there");
        put(f, rows[i].path, "");
    }
}

static void our_programs_have_to_be_there(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *check;
        enum xlx_path path;
    } rows[] = {
        { "usb-backend", XLX_PATH_USB_BACKEND },
        { "save-helper", XLX_PATH_OWN_SAVE_HELPER },
        { "libxl-save-helper", XLX_PATH_SAVE_HELPER },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        xlx_ctx_set_path(f->w->ctx, rows[i].path, "/bin/cat");
        assert_ok(f, rows[i].check, "/bin/cat");
        xlx_ctx_set_path(f->w->ctx, rows[i].path, "/nonexistent/x");
        assert_missing(f, rows[i].check, "/nonexistent/x");
        xlx_ctx_set_path(f->w->ctx, rows[i].path, "/bin/true");
    }
}

static void a_policy_has_to_be_readable(void **state)
{
    struct fixture *f = *state;
    assert_ok(f, "usb-policy", "no policy: guests may have every device");
    put(f, "usb-policy.conf", "ALLOW: vid=1050\n");
    assert_ok(f, "usb-policy", "1 rule");
    put(f, "usb-policy.conf", "ALLOW: vid=1050\nDENY: class=03\n");
    assert_ok(f, "usb-policy", "2 rules");
    put(f, "usb-policy.conf", "");
    assert_ok(f, "usb-policy", "0 rules");
    put(f, "usb-policy.conf", "NONSENSE\n");
    assert_missing(f, "usb-policy", "usb-policy.conf:1: ");
}

/* --- the service ---------------------------------------------------------- */

static pid_t watch_pid;

static pid_t find_watch(struct xlx__proc *proc, const char *pidfile)
{
    (void)proc;
    return strstr(pidfile, "/usb/reconcile.pid") ? watch_pid : 4242;
}

static void close_nothing(struct xlx__seam *seam)
{
    (void)seam;
}

/* The world's own finds backends only. */
static void put_watch(struct fixture *f, struct xlx__proc *proc, pid_t pid)
{
    static const struct xlx__proc_ops ops = { .find = find_watch };
    *proc = (struct xlx__proc){ { close_nothing }, &ops };
    watch_pid = pid;
    f->w->ctx->proc->seam.close(&f->w->ctx->proc->seam);
    f->w->ctx->proc = proc;
}

static void the_service_is_wanted_where_something_is_assigned(void **state)
{
    static struct xlx__proc proc;
    struct fixture *f = *state;
    assert_int_equal(xlx_usb_assign(f->w->ctx, "guest", "1-4", 0, NULL), 0);
    assert_missing(f, "usb-service", "1 guest has assigned devices");
    put_watch(f, &proc, -ESTALE);
    assert_missing(f, "usb-service", "does not run");
    watch_pid = 77;
    assert_optional(f, "usb-service", "runs (pid 77), but does not start");
    assert_int_equal(xlx_usb_unassign(f->w->ctx, "guest", "1-4"), 1);
    watch_pid = 0;
    assert_optional(f, "usb-service", "no device is assigned");
}

static void each_init_starts_the_service(void **state)
{
    static struct xlx__proc proc;
    struct fixture *f = *state;
    static const char *const links[] = {
        "etc/systemd/system/multi-user.target.wants/libxl-ext-usb.service",
        "etc/rc2.d/S03libxl-ext-usb",
        "etc/runlevels/default/libxl-ext-usb",
    };
    static const char *const others[] = {
        "etc/systemd/system/libxl-ext-usb.service",
        "etc/rc2.d/K03libxl-ext-usb",
        "etc/init.d/libxl-ext-usb",
    };
    put_watch(f, &proc, 77);
    for (int i = 0; i < 3; i++) {
        put(f, others[i], "");
        assert_optional(f, "usb-service", "does not start with the host");
    }
    for (int i = 0; i < 3; i++) {
        put(f, links[i], "");
        assert_ok(f, "usb-service", "runs (pid 77), and starts with the host");
        put(f, links[i], NULL);
    }
}

static void assignments_that_cannot_be_read_are_told(void **state)
{
    struct fixture *f = *state;
    xlx_ctx_set_path(f->w->ctx, XLX_PATH_STATE, "/dev/null/x");
    assert_missing(f, "usb-service", "/dev/null/x");
}

/* --- restore, event channels ---------------------------------------------- */

static void each_feature_of_paging_is_told(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *check;
        int bit;
    } rows[] = {
        { "lazy-resume", XLX__PAGING_RESTARTS },
        { "lazy-hypercalls", XLX__PAGING_HYPERCALLS },
        { "lazy-grants", XLX__PAGING_GRANTS },
        { "lazy-runs", XLX__PAGING_MARK_RUN },
        { "lazy-runs", XLX__PAGING_LOAD_RUN },
        { "lazy-sleep", XLX__PAGING_ALL_SLEEP },
        { "lazy-save-refused", XLX__PAGING_REFUSES },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        f->host.features = 0xff;
        assert_ok(f, rows[i].check, "");
        f->host.features &= ~rows[i].bit;
        assert_optional(f, rows[i].check, "install the hypervisor");
    }
}

static void stock_xen_is_no_fault(void **state)
{
    struct fixture *f = *state;
    assert_ok(f, "lazy-paging", "has memory paging");
    assert_ok(f, "lazy-hap", "has nested paging");
    assert_ok(f, "lazy-pv-control", "the control domain is PV");
    f->host.features = -ENOSYS;
    f->host.hap = f->host.pv_control = 0;
    assert_optional(f, "lazy-paging", "built without memory paging");
    assert_optional(f, "lazy-hap", "no nested paging");
    assert_optional(f, "lazy-pv-control", "boot it as PV");
}

/* What lazy-check has is here, too, and nothing of it twice. */
static void all_of_lazy_check_is_there(void **state)
{
    struct fixture *f = *state;
    int nr = 0;
    examine(f);
    for (int i = 0; i < f->nr; i++)
        nr += !strncmp(f->seen[i].check, "lazy-", 5);
    assert_int_equal(nr, XLX__LAZY_FEATURES - 2);
}

static void vectors_are_told(void **state)
{
    struct fixture *f = *state;
    assert_ok(f, "evtchn-vectors", "can have");
    f->evtchn->patched = false;
    assert_optional(f, "evtchn-vectors", "install the hypervisor");
    f->evtchn->domain[0].gone = true;
    assert_unknown(f, "evtchn-vectors", "event channels: ");
}

/* --- guests --------------------------------------------------------------- */

static uint32_t make_controller(struct fixture *f, uint32_t domid)
{
    struct xlx_usb_hc_config config = { 0 };
    uint32_t devid;
    assert_int_equal(xlx_usb_hc_create(f->w->ctx, domid, &config,
                                       sizeof(config), 1000, &devid),
                     0);
    usb_world_rest(f->w);
    return devid;
}

static void assert_guest(struct fixture *f, uint32_t domid,
                         enum xlx_doctor_state state, const char *text)
{
    examine(f);
    assert_found(f, "usb-frontend", domid, state, text);
    assert_int_equal(f->rc, state == XLX_DOCTOR_MISSING);
}

#define FRONTEND "/local/domain/5/device/vusb/0/state"
#define BACKEND "/local/domain/0/backend/qusb/5/0/state"

static void controllers_of_guests_are_told(void **state)
{
    struct fixture *f = *state;
    assert_guest(f, 5, XLX_DOCTOR_UNKNOWN, "has no USB controller");
    assert_string_equal(finding(f, "usb-frontend", 5)->guest, "guest");
    assert_int_equal(make_controller(f, 5), 0);
    make_controller(f, 6);
    assert_guest(f, 5, XLX_DOCTOR_OK, "has connected controller 0");
    assert_guest(f, 6, XLX_DOCTOR_OK, "device model emulates controller 0");
    assert_string_equal(finding(f, "usb-frontend", 6)->guest, "other");
}

static void a_guest_without_a_driver_is_told(void **state)
{
    struct fixture *f = *state;
    make_controller(f, 5);
    f->w->no_frontend = true;
    xs_mem_put(f->w->xs, FRONTEND, "1");
    xs_mem_put(f->w->xs, BACKEND, "2");
    assert_guest(f, 5, XLX_DOCTOR_MISSING, "xen-hcd");
    xs_mem_put(f->w->xs, FRONTEND, "6");
    assert_guest(f, 5, XLX_DOCTOR_MISSING, "backend state 2, frontend state 6");
    xs_mem_put(f->w->xs, FRONTEND, "nonsense");
    assert_guest(f, 5, XLX_DOCTOR_MISSING, "xen-hcd");
    xs_mem_put(f->w->xs, FRONTEND, "4");
    assert_guest(f, 5, XLX_DOCTOR_MISSING, "backend state 2, frontend state 4");
}

static void a_backend_that_died_is_told(void **state)
{
    struct fixture *f = *state;
    make_controller(f, 5);
    usb_world_kill_backend(f->w);
    xs_mem_put(f->w->xs, BACKEND, "3");
    assert_guest(f, 5, XLX_DOCTOR_MISSING, "backend of controller 0 does not");
}

/* --- the whole ------------------------------------------------------------ */

static void nothing_is_changed_or_logged(void **state)
{
    struct fixture *f = *state;
    char *before = usb_world_dump(f->w);
    examine(f);
    assert_int_equal(f->rc, 0);
    assert_int_equal(f->logged, 0);
    put(f, "dev/xen/gntdev", NULL);
    put(f, "usb-policy.conf", "NONSENSE\n");
    examine(f);
    assert_int_equal(f->rc, 2);
    assert_int_equal(f->logged, 0);
    char *after = usb_world_dump(f->w);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* Whichever call fails: each check is made once all the same. */
static void one_failure_hides_no_other_check(void **state)
{
    struct fixture *f = *state;
    make_controller(f, 5);
    examine(f);
    int nr = f->nr;
    for (int n = 1; n < 40; n++) {
        f->w->nth = (struct nth){ .fail_at = n };
        examine(f);
        f->w->nth = (struct nth){ 0 };
        if (f->rc == -ENODEV)
            continue; /* it was the question whether this is Xen */
        for (const char *const *check =
                 (const char *const[]){ "usbfs", "usb-service", "save-helper",
                                        "evtchn-vectors", NULL };
             *check; check++)
            finding(f, *check, 0);
        assert_true(f->nr >= nr - 2);
    }
}

/* --- the command ---------------------------------------------------------- */

static int run(struct fixture *f, char *option, char **out_r)
{
    char *argv[] = { "doctor", option, NULL };
    size_t size;
    struct cmd_env env = { .ctx = f->w->ctx, .err = stderr };
    env.out = open_memstream(out_r, &size);
    int status = cmd_find("doctor")->run(&env, option ? 2 : 1, argv);
    fclose(env.out);
    return status;
}

static void the_command_says_it_in_one_line_off_xen(void **state)
{
    struct fixture *f = *state;
    char *out;
    sysfs_mem_put(f->w->sysfs, "hypervisor/type", NULL);
    assert_int_equal(run(f, NULL, &out), CMD_FAILED);
    assert_string_equal(out, "this host does not run Xen: install the "
                             "distribution's Xen, and choose it at boot\n");
    free(out);
    assert_int_equal(run(f, "--json", &out), CMD_FAILED);
    assert_non_null(strstr(out, "\"check\": \"xen\""));
    assert_non_null(strstr(out, "\"works\": false"));
    free(out);
}

/* The hypervisor is asked for real, and may or may not be there. */
static void the_command_has_a_line_a_check(void **state)
{
    struct fixture *f = *state;
    char *out;
    xs_mem_put(f->w->xs, "/local/domain/5/name", "bad\x1b[31m");
    put(f, "dev/xen/gntdev", NULL);
    assert_int_equal(run(f, NULL, &out), CMD_FAILED);
    assert_ptr_equal(strstr(out, "CHECK              GUEST     STATE     "),
                     out);
    assert_non_null(strstr(out, "\nxenstore           -         ok        "));
    assert_non_null(strstr(out, "\ngntdev             -         missing   "));
    assert_non_null(strstr(out, "\nusb-frontend       bad\\x1b[31m"));
    assert_non_null(strstr(out, " missing.\n"));
    free(out);
    assert_int_equal(run(f, "--json", &out), CMD_FAILED);
    assert_non_null(strstr(out, "\"guest\": \"bad\\\\x1b[31m\""));
    assert_non_null(strstr(out, "\"state\": \"unknown\""));
    free(out);
}

static void states_have_names(void **state)
{
    (void)state;
    assert_string_equal(xlx_doctor_state_name(XLX_DOCTOR_OK), "ok");
    assert_string_equal(xlx_doctor_state_name((enum xlx_doctor_state)99),
                        "unknown");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_host_without_xen_is_told_in_one_line),
        TEST(xen_is_named),
        TEST(a_guest_is_no_host),
        TEST(without_xenfs_all_else_is_checked),
        TEST(the_hypervisor_has_to_be_callable),
        TEST(another_release_is_missing),
        TEST(xenstored_has_to_answer),
        TEST(devices_have_to_be_there),
        TEST(our_programs_have_to_be_there),
        TEST(a_policy_has_to_be_readable),
        TEST(the_service_is_wanted_where_something_is_assigned),
        TEST(each_init_starts_the_service),
        TEST(assignments_that_cannot_be_read_are_told),
        TEST(each_feature_of_paging_is_told),
        TEST(stock_xen_is_no_fault),
        TEST(all_of_lazy_check_is_there),
        TEST(vectors_are_told),
        TEST(controllers_of_guests_are_told),
        TEST(a_guest_without_a_driver_is_told),
        TEST(a_backend_that_died_is_told),
        TEST(nothing_is_changed_or_logged),
        TEST(one_failure_hides_no_other_check),
        TEST(the_command_says_it_in_one_line_off_xen),
        TEST(the_command_has_a_line_a_check),
        cmocka_unit_test(states_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Two commands at once: whatever the second one does, and before whichever call
 * of the first, no device and no port is given away twice, and nobody loses
 * what was meant to stay. And commands that are killed before any of their
 * calls: the next one makes the world as it was before, or as it was to be.
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fakes/usb_world.h"
#include "libxl_ext_usb.h"

#define ANY XLX_USB_ANY
#define LONG_MS 60000 /* never reached */
#define BE "/local/domain/0/backend/qusb/5"

static const struct xlx_usb_place anywhere = { ANY, ANY };
static const struct xlx_usb_place first_port = { 0, 1 };

typedef int operation(xlx_ctx *ctx);

static int attach(xlx_ctx *ctx, uint32_t domid, const char *busid,
                  const struct xlx_usb_place *place)
{
    struct xlx_usb_place got;
    return xlx_usb_attach(ctx, domid, busid, place, 0, LONG_MS, &got);
}

static int attach_disk(xlx_ctx *ctx)
{
    return attach(ctx, WORLD_DOMID, "1-2", &anywhere);
}

static int attach_disk_elsewhere(xlx_ctx *ctx)
{
    return attach(ctx, WORLD_HVM, "1-2", &anywhere);
}

static int attach_disk_there(xlx_ctx *ctx)
{
    return attach(ctx, WORLD_DOMID, "1-2", &first_port);
}

static int attach_mouse_there(xlx_ctx *ctx)
{
    return attach(ctx, WORLD_DOMID, "1-3.1", &first_port);
}

/* As usb-detach does it with a device's name. */
static int detach_disk(xlx_ctx *ctx)
{
    struct xlx_usb_place place;
    char busid[XLX_USB_BUSID_MAX];
    int rc = xlx_usb_find(ctx, WORLD_DOMID, "46f4:0001:S1", &place, busid);
    return rc ? rc
              : xlx_usb_detach(ctx, WORLD_DOMID, &place, busid, LONG_MS, NULL);
}

static int move_disk(xlx_ctx *ctx)
{
    struct xlx_usb_place place, got;
    char busid[XLX_USB_BUSID_MAX];
    int rc = xlx_usb_find(ctx, WORLD_DOMID, "1-2", &place, busid);
    return rc ? rc
              : xlx_usb_move(ctx, WORLD_DOMID, &place, busid, WORLD_HVM,
                             &anywhere, 0, LONG_MS, &got);
}

/* Another device takes the place of the disk. */
static int exchange(xlx_ctx *ctx)
{
    int rc = detach_disk(ctx);
    return rc ? rc : attach_mouse_there(ctx);
}

static void make_controller(struct usb_world *w)
{
    static const struct xlx_usb_hc_config usual = { 0 };
    uint32_t devid;
    assert_int_equal(xlx_usb_hc_create(w->ctx, WORLD_DOMID, &usual,
                                       sizeof(usual), LONG_MS, &devid),
                     0);
}

static void attach_it(struct usb_world *w)
{
    assert_int_equal(attach_disk(w->ctx), 0);
}

static void nothing(struct usb_world *w)
{
    (void)w;
}

/* --- what holds whoever comes first --------------------------------------- */

static bool has_driver(struct usb_world *w, const char *busid,
                       const char *driver)
{
    const char *now = sysfs_mem_find(w->sysfs, busid)->intf[0].driver;
    return now && !strcmp(now, driver);
}

/* On how many ports of both guests the device is. */
static int ports_with(struct usb_world *w, const char *busid)
{
    int ports = 0;
    for (uint32_t domid = WORLD_DOMID; domid <= WORLD_HVM; domid++) {
        struct xlx_usb_hc *list;
        int nr = xlx_usb_list(w->ctx, domid, &list, sizeof(*list));
        assert_true(nr >= 0);
        for (int i = 0; i < nr; i++)
            for (uint32_t p = 0; p < list[i].nr_ports; p++)
                ports += !strcmp(list[i].port[p]->busid, busid);
        free(list);
    }
    return ports;
}

static bool is_whole(struct usb_world *w, const char *busid, const char *driver)
{
    int ports = ports_with(w, busid);
    return ports <= 1 && has_driver(w, busid, ports ? "usbfs" : driver);
}

struct pair {
    const char *name;
    void (*prepare)(struct usb_world *w);
    operation *one, *other;
    const char *locks[3]; /* that the other one needs */
};

#define LOCKS                                    \
    {                                            \
        "domain-5", "device-1-2", "device-1-3.1" \
    }

static const struct pair pairs[] = {
    { "one device for two guests",
      nothing,
      attach_disk,
      attach_disk_elsewhere,
      { "domain-6", "device-1-2" } },
    { "one device twice for one guest", nothing, attach_disk, attach_disk,
      LOCKS },
    { "one port for two devices", make_controller, attach_disk_there,
      attach_mouse_there, LOCKS },
    { "detached twice", attach_it, detach_disk, detach_disk, LOCKS },
    { "moved and detached", attach_it, move_disk, detach_disk, LOCKS },
    { "detached while another takes its place", attach_it, detach_disk,
      exchange, LOCKS },
    { "moved while another takes its place", attach_it, move_disk, exchange,
      LOCKS },
};

struct meeting {
    struct usb_world *w;
    xlx_ctx *other;
    const struct pair *pair;
    bool met;
    int rc;
};

/* The first command would have to wait for itself. */
static bool is_locked(struct usb_world *w, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/usb/lock/%s", w->dir, name);
    int fd = open(path, O_RDWR);
    bool locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB);
    if (fd >= 0)
        close(fd);
    return locked;
}

static void meet(void *user)
{
    struct meeting *m = user;
    for (int i = 0; i < 3; i++)
        if (m->pair->locks[i] && is_locked(m->w, m->pair->locks[i]))
            return;
    m->met = true;
    m->rc = m->pair->other(m->other);
}

/* True while there is an n-th call; counts how often they met. */
static bool interleave(const struct pair *pair, int n, int *met)
{
    struct usb_world *w = usb_world_new();
    pair->prepare(w);
    struct meeting m = { .w = w, .other = usb_world_other(w), .pair = pair };
    w->nth = (struct nth){ .act_at = n, .act = meet, .user = &m };
    int rc = pair->one(w->ctx);
    bool more = w->nth.calls >= n;
    w->nth = (struct nth){ 0 };
    *met += m.met;
    usb_world_rest(w);
    if (m.met ? !rc == !m.rc : rc)
        fail_msg("%s: at call %d: %d (%s) and %d (%s)", pair->name, n, rc,
                 xlx_ctx_error(w->ctx), m.rc, xlx_ctx_error(m.other));
    if (!is_whole(w, "1-2", "usb-storage") || !is_whole(w, "1-3.1", "usbhid"))
        fail_msg("%s: at call %d: not whole:\n%s", pair->name, n,
                 usb_world_dump(w));
    if (pair->other == exchange && m.met && !m.rc && !ports_with(w, "1-3.1"))
        fail_msg("%s: at call %d: it lost the other device", pair->name, n);
    usb_world_close_other(m.other);
    usb_world_free(w);
    return more;
}

static void two_commands_do_not_get_in_each_others_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        int n = 1, met = 0;
        while (interleave(&pairs[i], n, &met))
            n++;
        if (n < 20 || met < 2)
            fail_msg("%s: met %d times in %d calls", pairs[i].name, met, n);
    }
}

/* The same, told whole. */
static void another_device_in_its_place_is_left_alone(void **state)
{
    (void)state;
    struct usb_world *w = usb_world_new();
    xlx_ctx *other = usb_world_other(w);
    struct xlx_usb_place place, got;
    char busid[XLX_USB_BUSID_MAX];
    attach_it(w);
    assert_int_equal(
        xlx_usb_find(w->ctx, WORLD_DOMID, "46f4:0001:S1", &place, busid), 0);
    assert_string_equal(busid, "1-2");
    assert_int_equal(exchange(other), 0);
    char *before = usb_world_dump(w);
    assert_int_equal(
        xlx_usb_detach(w->ctx, WORLD_DOMID, &place, busid, LONG_MS, NULL),
        -EBUSY);
    assert_non_null(strstr(xlx_ctx_error(w->ctx),
                           "usb 1-2: is not at port 1 of controller 0 of "
                           "domain 5 any more"));
    assert_int_equal(xlx_usb_move(w->ctx, WORLD_DOMID, &place, busid, WORLD_HVM,
                                  &anywhere, 0, LONG_MS, &got),
                     -EBUSY);
    char *after = usb_world_dump(w);
    assert_string_equal(after, before);
    free(before);
    free(after);
    assert_int_equal(
        xlx_usb_detach(w->ctx, WORLD_DOMID, &place, NULL, LONG_MS, busid), 0);
    assert_string_equal(busid, "1-3.1");
    usb_world_close_other(other);
    usb_world_free(w);
}

/* --- kill -9 -------------------------------------------------------------- */

struct kill {
    const char *name;
    void (*prepare)(struct usb_world *w);
    operation *op, *next;
    int may_fail;     /* `next`, when all was done already */
    operation *whole; /* what both together come to */
};

/* As usb-detach does it. */
static int detach_or_repair(xlx_ctx *ctx)
{
    int rc = detach_disk(ctx);
    if (rc == -ENODEV && xlx_usb_repair(ctx) < 0)
        return -EIO;
    return rc;
}

static int destroy(xlx_ctx *ctx)
{
    int rc = xlx_usb_hc_destroy(ctx, WORLD_DOMID, 0, LONG_MS);
    /* The one that was killed got as far as the nodes. */
    if (rc == -ENODEV && xlx_usb_repair(ctx) < 0)
        return -EIO;
    return rc;
}

static int nothing_at_all(xlx_ctx *ctx)
{
    (void)ctx;
    return 0;
}

/* Back to where there was no controller. */
static int detach_and_destroy(xlx_ctx *ctx)
{
    int rc = detach_or_repair(ctx);
    if (!rc || rc == -ENODEV)
        rc = destroy(ctx);
    return rc;
}

static const struct kill kills[] = {
    { "attach, attach", nothing, attach_disk, attach_disk, -EBUSY,
      attach_disk },
    { "attach to a controller, attach", make_controller, attach_disk,
      attach_disk, -EBUSY, attach_disk },
    { "attach, detach", nothing, attach_disk, detach_and_destroy, -ENODEV,
      nothing_at_all },
    { "detach, detach", attach_it, detach_disk, detach_or_repair, -ENODEV,
      detach_disk },
    { "detach, attach", attach_it, detach_disk, attach_disk, -EBUSY,
      nothing_at_all },
    { "hc-destroy, hc-destroy", attach_it, destroy, destroy, -ENODEV, destroy },
};

struct victim {
    struct usb_world *w;
    xlx_ctx *next;
    const struct kill *kill;
    const char *want;
};

/* The kernel drops the locks of a process that is killed. */
static void drop_locks(void)
{
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *e; (e = readdir(dir));) {
        char link[32], path[160] = "";
        snprintf(link, sizeof(link), "/proc/self/fd/%.10s", e->d_name);
        if (readlink(link, path, sizeof(path) - 1) > 0 &&
            strstr(path, "/usb/lock/"))
            close(atoi(e->d_name));
    }
    closedir(dir);
}

/* What was at work never goes on: the process ends with the verdict. */
static void die(void *user)
{
    struct victim *v = user;
    int n = v->w->nth.calls;
    drop_locks();
    v->w->nth = (struct nth){ 0 };
    usb_world_rest(v->w);
    int rc = v->kill->next(v->next);
    usb_world_rest(v->w);
    char *now = usb_world_dump(v->w);
    bool good = (!rc || rc == v->kill->may_fail) && !strcmp(now, v->want);
    if (!good)
        fprintf(stderr,
                "%s: killed before call %d: then %d (%s):\n%s\nnot:\n%s",
                v->kill->name, n, rc, xlx_ctx_error(v->next), now, v->want);
    _exit(good ? 0 : 1);
}

/* The world when nobody is killed. */
static char *wanted(const struct kill *kill)
{
    struct usb_world *w = usb_world_new();
    kill->prepare(w);
    assert_int_equal(kill->whole(w->ctx), 0);
    usb_world_rest(w);
    char *want = usb_world_dump(w);
    usb_world_free(w);
    return want;
}

/* True while there is an n-th call. */
static bool kill_at(const struct kill *kill, int n, const char *want)
{
    struct usb_world *w = usb_world_new();
    kill->prepare(w);
    struct victim v = {
        .w = w, .next = usb_world_other(w), .kill = kill, .want = want
    };
    w->nth = (struct nth){ .act_at = n, .act = die, .user = &v };
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        kill->op(w->ctx);
        _exit(2); /* all its calls were made */
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    usb_world_close_other(v.next);
    usb_world_free(w);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 1);
    return WEXITSTATUS(status) == 0;
}

static void the_next_command_repairs_what_a_killed_one_left(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(kills) / sizeof(kills[0]); i++) {
        char *want = wanted(&kills[i]);
        int n = 1;
        while (kill_at(&kills[i], n, want))
            n++;
        assert_true(n > 20);
        free(want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_commands_do_not_get_in_each_others_way),
        cmocka_unit_test(another_device_in_its_place_is_left_alone),
        cmocka_unit_test(the_next_command_repairs_what_a_killed_one_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

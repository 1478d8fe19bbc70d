/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What is written down for guests: the file, hostile ones, a full disk, and
 * who is meant by it.
 */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fakes/usb_world.h"
#include "usb/assign/guests.h"

#define OTHER_UUID "00000000-0000-4000-8000-000000000006"
#define NEW_UUID "11111111-2222-4333-8444-555555555555"

static int setup(void **state)
{
    *state = usb_world_new();
    return 0;
}

static int teardown(void **state)
{
    usb_world_free(*state);
    return 0;
}

static void path_of(struct usb_world *w, const char *uuid, char *path)
{
    snprintf(path, PATH_MAX, "%s/usb/%s.json", w->dir, uuid);
}

static bool is_file(struct usb_world *w, const char *uuid)
{
    char path[PATH_MAX];
    path_of(w, uuid, path);
    return !access(path, F_OK);
}

static void put_file(struct usb_world *w, const char *name, const char *text,
                     size_t len)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/usb", w->dir);
    mkdir(path, 0755);
    snprintf(path, sizeof(path), "%s/usb/%s", w->dir, name);
    FILE *f = fopen(path, "w");
    assert_int_equal(fwrite(text, 1, len, f), len);
    fclose(f);
}

static struct xlx__intent *list_one(struct usb_world *w, const char *guest)
{
    struct xlx__intent *list;
    assert_int_equal(xlx__intent_list(w->ctx, guest, &list), 1);
    return list;
}

/* --- the file ------------------------------------------------------------- */

static void what_is_assigned_is_read_again(void **state)
{
    struct usb_world *w = *state;
    const struct xlx_usb_place place = { 3, 4 };
    assert_int_equal(
        xlx_usb_assign(w->ctx, "guest", "1-2", XLX_USB_REQUIRED, NULL), 0);
    assert_int_equal(xlx_usb_assign(w->ctx, "5", "1-3.1", 0, &place), 0);
    struct xlx__intent *i = list_one(w, "guest");
    assert_string_equal(i->name, "guest");
    assert_string_equal(i->uuid, WORLD_UUID);
    assert_int_equal(i->nr_wishes, 2);
    const struct xlx__intent_wish *one = &i->wish[0], *two = &i->wish[1];
    assert_string_equal(one->identity.busid, "1-2");
    assert_int_equal(one->identity.vendor, 0x46f4);
    assert_int_equal(one->identity.product, 1);
    assert_string_equal(one->identity.serial, "S1");
    assert_int_equal(one->identity.face[0].nr_classes, 2);
    assert_string_equal(one->identity.face[0].classes[0], "080650");
    assert_string_equal(one->identity.face[0].classes[1], "ff0000");
    assert_true(one->required);
    assert_int_equal(one->place.hc, XLX_USB_ANY);
    assert_string_equal(two->identity.serial, "");
    assert_false(two->required);
    assert_int_equal(two->place.hc, 3);
    assert_int_equal(two->place.port, 4);
    free(i);
}

static void keep_text(void *user, enum xlx_log_level level, const char *text)
{
    (void)level;
    snprintf(user, 256, "%s", text);
}

static void put_policy(struct usb_world *w, const char *text)
{
    FILE *file = fopen(xlx_ctx_path(w->ctx, XLX_PATH_USB_POLICY), "w");
    fputs(text, file);
    fclose(file);
}

static void what_speaks_against_it_is_told(void **state)
{
    struct usb_world *w = *state;
    struct xlx__intent *list;
    struct xlx_usb_place got;
    const struct xlx_usb_place any = { XLX_USB_ANY, XLX_USB_ANY };
    char said[256] = "";
    xlx_ctx_set_log(w->ctx, keep_text, said, XLX_LOG_WARN);
    assert_int_equal(xlx_usb_assign(w->ctx, "guest", "1-2", 0, NULL), 0);
    assert_string_equal(said, "");
    assert_int_equal(xlx_usb_attach(w->ctx, 5, "1-1", &any, 0, 2000, &got), 0);
    assert_int_equal(xlx_usb_assign(w->ctx, "guest", "1-1", 0, NULL), 0);
    assert_string_equal(said, ""); /* a guest has it: nothing is wrong */
    assert_int_equal(xlx_usb_assign(w->ctx, "guest", "1-4", 0, NULL), 0);
    assert_string_equal(said, "usb 1-4: cannot be attached now: in use by a "
                              "program on this host (driver usbfs or usbback)");
    put_policy(w, "DENY: class=03\nALLOW:\n");
    assert_int_equal(xlx_usb_assign(w->ctx, "guest", "1-3.1", 0, NULL),
                     -EACCES);
    assert_non_null(strstr(said, "it would never be attached"));
    assert_int_equal(xlx_usb_assign(w->ctx, "guest", "1-1", 0, NULL), -EACCES);
    assert_int_equal(xlx__intent_list(w->ctx, "guest", &list), 1);
    assert_int_equal(list->nr_wishes, 3);
    free(list);
    assert_int_equal(
        xlx_usb_assign(w->ctx, "guest", "1-3.1", XLX_USB_FORCE, NULL), 0);
    assert_non_null(
        strstr(said, "cannot be attached now: forbidden by policy"));
    put_policy(w, "nonsense\n");
    assert_int_equal(xlx_usb_assign(w->ctx, "guest", "1-2", 0, NULL), -EBADMSG);
    assert_int_equal(
        xlx_usb_assign(w->ctx, "guest", "1-2", XLX_USB_FORCE, NULL), 0);
}

static void assigning_again_replaces(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(
        xlx_usb_assign(w->ctx, "guest", "1-2", XLX_USB_REQUIRED, NULL), 0);
    struct sysfs_dev stick = *sysfs_mem_find(w->sysfs, "1-2");
    sysfs_mem_unplug(w->sysfs, "1-2");
    stick.busid = "1-5";
    stick.intf[0].name = "1-5:1.0";
    stick.intf[1].name = "1-5:1.1";
    sysfs_mem_plug(w->sysfs, &stick);
    assert_int_equal(xlx_usb_assign(w->ctx, "guest", "1-5", 0, NULL), 0);
    struct xlx__intent *i = list_one(w, "guest");
    assert_int_equal(i->nr_wishes, 1);
    assert_string_equal(i->wish[0].identity.busid, "1-5");
    assert_false(i->wish[0].required);
    free(i);
}

static void any_byte_of_a_serial_survives(void **state)
{
    struct xlx__intent *a = calloc(1, sizeof(*a));
    struct xlx__intent *b = calloc(1, sizeof(*b));
    (void)state;
    strcpy(a->uuid, NEW_UUID);
    strcpy(a->name, "a \"name\" \\ \xc3\xa4\x01");
    a->nr_wishes = 2;
    for (int i = 0; i < 2; i++) {
        strcpy(a->wish[i].identity.busid, "1-2.3");
        a->wish[i].identity.nr_faces = i ? XLX_USB_FACES_MAX : 1;
        a->wish[i].identity.face[i].whole = true;
        a->wish[i].place = (struct xlx_usb_place){ XLX_USB_ANY, XLX_USB_ANY };
        for (int n = 0; n < XLX_USB_SERIAL_MAX - 1; n++)
            a->wish[i].identity.serial[n] = (char)(1 + n % 255);
        snprintf(a->wish[i].identity.controller, XLX_USB_CONTROLLER_MAX, "%0*d",
                 i ? XLX_USB_CONTROLLER_MAX - 1 : 0, 0);
    }
    char *text = xlx__intent_json(a);
    assert_null(xlx__intent_parse(text, b));
    assert_memory_equal(a, b, sizeof(*a));
    free(text);
    free(a);
    free(b);
}

static void the_limits(void **state)
{
    struct usb_world *w = *state;
    struct xlx__intent *i = calloc(1, sizeof(*i));
    strcpy(i->uuid, WORLD_UUID);
    strcpy(i->name, "guest");
    i->nr_wishes = XLX_USB_ASSIGNMENTS_MAX;
    for (int n = 0; n < XLX_USB_ASSIGNMENTS_MAX; n++) {
        struct xlx_usb_identity *id = &i->wish[n].identity;
        i->wish[n].place = (struct xlx_usb_place){ XLX_USB_ANY, XLX_USB_ANY };
        strcpy(id->busid, "1-9");
        snprintf(id->serial, sizeof(id->serial), "%0*d", XLX_USB_SERIAL_MAX - 1,
                 n);
        memset(id->serial, '\x01', XLX_USB_SERIAL_MAX - 8);
        memset(id->controller, '\x01', XLX_USB_CONTROLLER_MAX - 1);
        id->nr_faces = XLX_USB_FACES_MAX;
        for (int k = 0; k < XLX_USB_FACES_MAX; k++) {
            id->face[k].nr_classes = XLX_USB_CLASSES_MAX;
            for (int c = 0; c < XLX_USB_CLASSES_MAX; c++)
                strcpy(id->face[k].classes[c], "080650");
        }
    }
    assert_int_equal(xlx__intent_save(w->ctx, i), 0); /* the biggest there is */
    assert_int_equal(xlx_usb_assign(w->ctx, "guest", "1-2", 0, NULL), -ENOSPC);
    free(i);
    i = list_one(w, "guest");
    assert_int_equal(i->nr_wishes, XLX_USB_ASSIGNMENTS_MAX);
    free(i);
}

/* --- refusals ------------------------------------------------------------- */

static void assign_refuses(void **state)
{
    struct usb_world *w = *state;
    static const struct {
        const char *guest, *busid;
        struct xlx_usb_place place;
        int rc;
    } rows[] = {
        { "nobody", "1-2", { XLX_USB_ANY, XLX_USB_ANY }, -ESRCH },
        { "9", "1-2", { XLX_USB_ANY, XLX_USB_ANY }, -ESRCH },
        { "Domain-0", "1-2", { XLX_USB_ANY, XLX_USB_ANY }, -EINVAL },
        { "guest", "1.9", { XLX_USB_ANY, XLX_USB_ANY }, -ENODEV },
        { "guest", "x", { XLX_USB_ANY, XLX_USB_ANY }, -EINVAL },
        { "guest", "46f4:0001", { XLX_USB_ANY, XLX_USB_ANY }, -ENOTUNIQ },
        { "guest", "1-9", { XLX_USB_ANY, XLX_USB_ANY }, -ENODEV },
        { "guest", "1-3", { XLX_USB_ANY, XLX_USB_ANY }, -ENOTSUP },
        { "guest", "usb1", { XLX_USB_ANY, XLX_USB_ANY }, -ENOTSUP },
        { "guest", "1-2", { XLX_USB_ANY, 1 }, -EINVAL },
        { "guest", "1-2", { 0, 0 }, -EINVAL },
        { "guest", "1-2", { 0, 32 }, -EINVAL },
        { "guest", "1-2", { 65536, 1 }, -EINVAL },
    };
    struct xlx__intent *list;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(xlx_usb_assign(w->ctx, rows[i].guest, rows[i].busid,
                                        false, &rows[i].place),
                         rows[i].rc);
    assert_int_equal(xlx__intent_list(w->ctx, NULL, &list), 0);
    assert_null(list);
}

static void unassign_takes_back(void **state)
{
    struct usb_world *w = *state;
    struct xlx__intent *list;
    assert_int_equal(xlx_usb_unassign(w->ctx, "guest", "1-2"), -ENOENT);
    xlx_usb_assign(w->ctx, "guest", "1-2", XLX_USB_REQUIRED, NULL);
    xlx_usb_assign(w->ctx, "guest", "1-1", XLX_USB_REQUIRED, NULL);
    xlx_usb_assign(w->ctx, "guest", "1-3.1", XLX_USB_REQUIRED, NULL);
    assert_int_equal(xlx_usb_unassign(w->ctx, "guest", "1-4"), -ENOENT);
    assert_int_equal(xlx_usb_unassign(w->ctx, "guest", "x"), -EINVAL);
    assert_int_equal(xlx_usb_unassign(w->ctx, "guest", "0627:0001"), -ENOTUNIQ);
    assert_int_equal(xlx_usb_unassign(w->ctx, "guest", "1-1"), 1);
    /* by where it is now */
    struct sysfs_dev stick = *sysfs_mem_find(w->sysfs, "1-2");
    sysfs_mem_unplug(w->sysfs, "1-2");
    stick.busid = "1-5";
    stick.intf[0] = (struct sysfs_intf){ 0 };
    sysfs_mem_plug(w->sysfs, &stick);
    assert_int_equal(xlx_usb_unassign(w->ctx, "guest", "1-5"), 1);
    assert_int_equal(xlx_usb_unassign(w->ctx, WORLD_UUID, NULL), 1);
    assert_false(is_file(w, WORLD_UUID));
    assert_int_equal(xlx__intent_list(w->ctx, "guest", &list), 0);
}

#define HEAD "{\"version\":1,\"name\":\"guest\",\"uuid\":\"" WORLD_UUID "\","
#define ID                                                        \
    "\"busid\":\"1-2\",\"vendor\":\"46f4\",\"product\":\"0001\"," \
    "\"serial\":\"S1\",\"interfaces\":[]"
#define DEV(id) HEAD "\"devices\":[{\"identity\":{" id "}}]}"

static const char *const bad_files[] = {
    "",
    "{",
    "[]",
    "null",
    "1",
    "\"x\"",
    "{}",
    "nonsense",
    HEAD "\"devices\":[]", /* cut off */
    HEAD "\"devices\":{}}",
    HEAD "\"devices\":1}",
    HEAD "\"devices\":[1]}",
    HEAD "\"devices\":[{}]}",
    HEAD "\"devices\":[{\"identity\":[]}]}",
    "{\"version\":2,\"name\":\"g\",\"uuid\":\"" WORLD_UUID "\",\"devices\":[]}",
    "{\"version\":\"1\",\"name\":\"g\",\"uuid\":\"" WORLD_UUID
    "\",\"devices\":[]}",
    "{\"version\":1,\"name\":\"g\",\"uuid\":\"" OTHER_UUID "\",\"devices\":[]}",
    "{\"version\":1,\"name\":7,\"uuid\":\"" WORLD_UUID "\",\"devices\":[]}",
    "{\"version\":1,\"name\":\"g\",\"uuid\":\"../../../../etc/passwd\","
    "\"devices\":[]}",
    DEV("\"busid\":\"../x\",\"vendor\":\"46f4\",\"product\":\"0001\","
        "\"serial\":\"\",\"interfaces\":[]"),
    DEV("\"busid\":12,\"vendor\":\"46f4\",\"product\":\"0001\","
        "\"serial\":\"\",\"interfaces\":[]"),
    DEV("\"busid\":\"1-2\",\"vendor\":\"46f\",\"product\":\"0001\","
        "\"serial\":\"\",\"interfaces\":[]"),
    DEV("\"busid\":\"1-2\",\"vendor\":\"46f4\",\"product\":1,"
        "\"serial\":\"\",\"interfaces\":[]"),
    DEV("\"busid\":\"1-2\",\"vendor\":\"46f4\",\"product\":\"0001\","
        "\"serial\":\"\\\\x0\",\"interfaces\":[]"),
    DEV("\"busid\":\"1-2\",\"vendor\":\"46f4\",\"product\":\"0001\","
        "\"serial\":\"\\\\x00\",\"interfaces\":[]"),
    DEV("\"busid\":\"1-2\",\"vendor\":\"46f4\",\"product\":\"0001\","
        "\"serial\":\"\\\\\",\"interfaces\":[]"),
    DEV("\"busid\":\"1-2\",\"vendor\":\"46f4\",\"product\":\"0001\","
        "\"serial\":\"\"}}"),
    DEV("\"busid\":\"1-2\",\"vendor\":\"46f4\",\"product\":\"0001\","
        "\"serial\":\"\",\"interfaces\":[\"08065\"]"),
    DEV("\"busid\":\"1-2\",\"vendor\":\"46f4\",\"product\":\"0001\","
        "\"serial\":\"\",\"interfaces\":[[]]"),
    HEAD "\"devices\":[{\"identity\":{" ID "},\"required\":1}]}",
    HEAD "\"devices\":[{\"identity\":{" ID "},\"once\":1}]}",
    HEAD "\"devices\":[{\"identity\":{" ID "},\"force\":1}]}",
    HEAD "\"devices\":[{\"identity\":{" ID "},\"once\":1}]}",
    HEAD "\"devices\":[{\"identity\":{" ID "},\"controller\":-1}]}",
    HEAD "\"devices\":[{\"identity\":{" ID "},\"controller\":65536}]}",
    HEAD "\"devices\":[{\"identity\":{" ID "},\"controller\":\"0\"}]}",
    HEAD "\"devices\":[{\"identity\":{" ID "},\"port\":1}]}",
    HEAD "\"devices\":[{\"identity\":{" ID "},\"controller\":0,\"port\":32}]}",
    HEAD "\"devices\":[{\"identity\":{" ID "},\"controller\":0,\"port\":1.5}]}",
    HEAD "\"devices\":[{\"identity\":{" ID
         "},\"controller\":99999999999999999999}]}",
};

static void assert_bad(struct usb_world *w)
{
    struct xlx__intent *list;
    char path[PATH_MAX];
    path_of(w, WORLD_UUID, path);
    assert_true(xlx__intent_list(w->ctx, "guest", &list) < 0);
    assert_non_null(strstr(xlx_ctx_error(w->ctx), path));
    /* it is neither overwritten nor in the way of others */
    assert_true(xlx_usb_assign(w->ctx, "guest", "1-2", 0, NULL) < 0);
    assert_int_equal(xlx__intent_list(w->ctx, NULL, &list), 1);
    assert_string_equal(list->name, "other");
    free(list);
}

static void a_bad_file_is_named_and_left_alone(void **state)
{
    struct usb_world *w = *state;
    const char *name = WORLD_UUID ".json";
    assert_int_equal(xlx_usb_assign(w->ctx, "other", "1-1", 0, NULL), 0);
    for (size_t i = 0; i < sizeof(bad_files) / sizeof(bad_files[0]); i++) {
        put_file(w, name, bad_files[i], strlen(bad_files[i]));
        assert_bad(w);
    }
    put_file(w, name, "{}\0{}", 5);
    assert_bad(w);
    char *deep = malloc(XLX__INTENT_FILE_MAX + 1);
    memset(deep, '[', XLX__INTENT_FILE_MAX + 1);
    put_file(w, name, deep, XLX__INTENT_FILE_MAX);
    assert_bad(w);
    put_file(w, name, deep, XLX__INTENT_FILE_MAX + 1);
    assert_bad(w);
    free(deep);
}

static void a_file_at_the_limit_is_read(void **state)
{
    struct usb_world *w = *state;
    char *text = malloc(XLX__INTENT_FILE_MAX + 1);
    const char *good = DEV(ID);
    memset(text, ' ', XLX__INTENT_FILE_MAX + 1);
    memcpy(text, good, strlen(good));
    put_file(w, WORLD_UUID ".json", text, XLX__INTENT_FILE_MAX);
    free(list_one(w, "guest"));
    put_file(w, WORLD_UUID ".json", text, XLX__INTENT_FILE_MAX + 1);
    struct xlx__intent *list;
    assert_int_equal(xlx__intent_list(w->ctx, "guest", &list), -EFBIG);
    free(text);
}

static void more_devices_than_there_may_be(void **state)
{
    struct usb_world *w = *state;
    struct xlx__intent *list;
    for (int nr = XLX_USB_ASSIGNMENTS_MAX; nr <= XLX_USB_ASSIGNMENTS_MAX + 1;
         nr++) {
        char *text, path[PATH_MAX];
        size_t size;
        FILE *f = open_memstream(&text, &size);
        fprintf(f, HEAD "\"devices\":[");
        for (int i = 0; i < nr; i++)
            fprintf(f, "%s{\"identity\":{" ID "}}", i ? "," : "");
        fprintf(f, "]}");
        fclose(f);
        path_of(w, WORLD_UUID, path);
        put_file(w, WORLD_UUID ".json", text, size);
        assert_int_equal(xlx__intent_list(w->ctx, "guest", &list),
                         nr > XLX_USB_ASSIGNMENTS_MAX ? -EBADMSG : 1);
        if (nr <= XLX_USB_ASSIGNMENTS_MAX)
            free(list);
        free(text);
    }
}

static void keys_of_others_are_left_out(void **state)
{
    struct usb_world *w = *state;
    static const char text[] =
        "{\"x\":[1,{}],\"version\":1,\"name\":\"guest\",\"uuid\":\"" WORLD_UUID
        "\",\"devices\":[{\"y\":null,\"identity\":{\"z\":\"}\\\"]\"," ID "}}]}";
    put_file(w, WORLD_UUID ".json", text, strlen(text));
    put_file(w, "README", "x", 1);
    put_file(w, "../x.json", "x", 1);
    put_file(w, "00000000-0000-4000-8000-00000000000G.json", "x", 1);
    free(list_one(w, "guest"));
    assert_int_equal(xlx_usb_assign(w->ctx, "guest", "1-1", 0, NULL), 0);
    struct xlx__intent *i = list_one(w, "guest");
    assert_int_equal(i->nr_wishes, 2);
    char *now = xlx__intent_json(i);
    assert_null(strstr(now, "\"x\""));
    free(now);
    free(i);
}

/* --- writing -------------------------------------------------------------- */

static void a_killed_writer_leaves_the_old_file(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(
        xlx_usb_assign(w->ctx, "guest", "1-2", XLX_USB_REQUIRED, NULL), 0);
    /* killed between writing and renaming */
    put_file(w, "." WORLD_UUID ".json.new", "{\"vers", 7);
    struct xlx__intent *i = list_one(w, "guest");
    assert_int_equal(i->nr_wishes, 1);
    free(i);
    assert_int_equal(xlx__intent_list(w->ctx, NULL, &i), 1);
    free(i);
    assert_int_equal(
        xlx_usb_assign(w->ctx, "guest", "1-1", XLX_USB_REQUIRED, NULL), 0);
    i = list_one(w, "guest");
    assert_int_equal(i->nr_wishes, 2);
    free(i);
}

static void a_full_disk_leaves_the_old_file(void **state)
{
    struct usb_world *w = *state;
    struct rlimit old, none;
    char temp[PATH_MAX];
    assert_int_equal(
        xlx_usb_assign(w->ctx, "guest", "1-2", XLX_USB_REQUIRED, NULL), 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    none = old;
    none.rlim_cur = 64;
    setrlimit(RLIMIT_FSIZE, &none);
    int rc = xlx_usb_assign(w->ctx, "guest", "1-1", XLX_USB_REQUIRED, NULL);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(rc, -EFBIG);
    assert_non_null(strstr(xlx_ctx_error(w->ctx), "cannot write"));
    struct xlx__intent *i = list_one(w, "guest");
    assert_int_equal(i->nr_wishes, 1);
    free(i);
    snprintf(temp, sizeof(temp), "%s/usb/." WORLD_UUID ".json.new", w->dir);
    assert_int_not_equal(access(temp, F_OK), 0);
}

static void a_folder_that_cannot_be_made(void **state)
{
    struct usb_world *w = *state;
    xlx_ctx_set_path(w->ctx, XLX_PATH_STATE, "/dev/null/x");
    assert_int_equal(
        xlx_usb_assign(w->ctx, "guest", "1-2", XLX_USB_REQUIRED, NULL),
        -ENOTDIR);
}

/* --- who is meant --------------------------------------------------------- */

static void a_reboot_keeps_the_uuid(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(
        xlx_usb_assign(w->ctx, "guest", "1-2", XLX_USB_REQUIRED, NULL), 0);
    usb_world_destroy(w);
    free(list_one(w, "guest")); /* without the guest too */
    free(list_one(w, WORLD_UUID));
    usb_world_create(w, 7, WORLD_UUID);
    free(list_one(w, "7"));
    assert_true(is_file(w, WORLD_UUID));
}

static void a_new_uuid_is_taken_over_by_name(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(
        xlx_usb_assign(w->ctx, "guest", "1-2", XLX_USB_REQUIRED, NULL), 0);
    usb_world_destroy(w);
    usb_world_create(w, 7, NEW_UUID);
    struct xlx__intent *i = list_one(w, "7");
    assert_string_equal(i->uuid, NEW_UUID);
    free(i);
    assert_true(is_file(w, NEW_UUID));
    assert_false(is_file(w, WORLD_UUID));
}

static void a_new_name_is_taken_over_by_uuid(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(
        xlx_usb_assign(w->ctx, "guest", "1-2", XLX_USB_REQUIRED, NULL), 0);
    xs_mem_put(w->xs, "/local/domain/5/name", "guest--incoming");
    struct xlx__intent *i = list_one(w, "5");
    assert_string_equal(i->name, "guest");
    free(i);
    xs_mem_put(w->xs, "/local/domain/5/name", "renamed");
    i = list_one(w, "renamed");
    assert_string_equal(i->name, "renamed");
    free(i);
}

static void the_uuid_comes_before_the_name(void **state)
{
    struct xlx__guest g[2] = {
        { .intent = { .uuid = NEW_UUID, .name = "guest" } },
        { .intent = { .uuid = WORLD_UUID, .name = "old" } }
    };
    const struct xlx__dom doms[] = { { 5, "guest", WORLD_UUID },
                                     { 6, "guest2", "" } };
    char old[2][XLX_UUID_MAX] = { "", "" };
    (void)state;
    xlx__guests_pair(g, 2, doms, 2, old);
    assert_int_equal(g[0].domid, 0);
    assert_int_equal(g[1].domid, 5);
    assert_string_equal(old[0], "");
    assert_string_equal(old[1], WORLD_UUID);
    assert_string_equal(g[1].intent.name, "guest");
}

static void a_guest_is_found_by_its_uuid(void **state)
{
    struct xlx__guest g[2] = { { .intent = { .uuid = WORLD_UUID,
                                             .name = "guest" } },
                               { .intent = { .uuid = "abcdef01-2222-4333-8444-"
                                                     "555555555555",
                                             .name = "other" } } };
    (void)state;
    assert_int_equal(xlx__guests_find(g, 2, WORLD_UUID), 0);
    assert_int_equal(
        xlx__guests_find(g, 2, "ABCDEF01-2222-4333-8444-555555555555"), 1);
    assert_int_equal(xlx__guests_find(g, 2, NEW_UUID), -1);
}

static void a_guest_without_uuid_is_refused(void **state)
{
    struct usb_world *w = *state;
    static const char *const vms[] = {
        NULL, "", "/vm/", "/vm/x", "/vm/" WORLD_UUID "0", WORLD_UUID
    };
    for (size_t i = 0; i < sizeof(vms) / sizeof(vms[0]); i++) {
        xs_mem_put(w->xs, "/local/domain/5/vm", vms[i]);
        assert_int_equal(
            xlx_usb_assign(w->ctx, "guest", "1-2", XLX_USB_REQUIRED, NULL),
            -ENOTSUP);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_assigned_is_read_again),
        TEST(what_speaks_against_it_is_told),
        TEST(assigning_again_replaces),
        cmocka_unit_test(any_byte_of_a_serial_survives),
        TEST(the_limits),
        TEST(assign_refuses),
        TEST(unassign_takes_back),
        TEST(a_bad_file_is_named_and_left_alone),
        TEST(a_file_at_the_limit_is_read),
        TEST(more_devices_than_there_may_be),
        TEST(keys_of_others_are_left_out),
        TEST(a_killed_writer_leaves_the_old_file),
        TEST(a_full_disk_leaves_the_old_file),
        TEST(a_folder_that_cannot_be_made),
        TEST(a_reboot_keeps_the_uuid),
        TEST(a_new_uuid_is_taken_over_by_name),
        TEST(a_new_name_is_taken_over_by_uuid),
        cmocka_unit_test(the_uuid_comes_before_the_name),
        cmocka_unit_test(a_guest_is_found_by_its_uuid),
        TEST(a_guest_without_uuid_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

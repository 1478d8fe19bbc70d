/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Every public function with its n-th allocation failing, and with its n-th
 * call of a seam failing, for all n. It may get by without: then it succeeds.
 * Else it returns an error, xlx_ctx_error() is its text and the log's last, and
 * what it found is as it was. The ASan build sees what it leaks.
 *
 * The library that is linked to this program calls nth_malloc() and its like
 * where it would call malloc(): the Makefile renames them.
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fakes/evtchn_world.h"
#include "fakes/image_build.h"
#include "fakes/usb_world.h"
#include "libxl_ext_doctor.h"
#include "libxl_ext_evtchn.h"
#include "libxl_ext_fast.h"
#include "libxl_ext_image.h"
#include "libxl_ext_lazy.h"

#define LONG_MS 20000
#define STALE "the failure before"
#define PAGES 20u

/* --- allocations ---------------------------------------------------------- */

static struct nth allocations;

static bool no_memory(void)
{
    if (!nth_fails(&allocations))
        return false;
    errno = ENOMEM;
    return true;
}

void *nth_malloc(size_t size);
void *nth_calloc(size_t nr, size_t size);
void *nth_realloc(void *p, size_t size);
void *nth_reallocarray(void *p, size_t nr, size_t size);
char *nth_strdup(const char *text);
char *nth_strndup(const char *text, size_t len);
DIR *nth_opendir(const char *path);
FILE *nth_open_memstream(char **text, size_t *len);

void *nth_malloc(size_t size)
{
    return no_memory() ? NULL : malloc(size);
}

void *nth_calloc(size_t nr, size_t size)
{
    return no_memory() ? NULL : calloc(nr, size);
}

void *nth_realloc(void *p, size_t size)
{
    return no_memory() ? NULL : realloc(p, size);
}

void *nth_reallocarray(void *p, size_t nr, size_t size)
{
    return no_memory() ? NULL : reallocarray(p, nr, size);
}

char *nth_strdup(const char *text)
{
    return no_memory() ? NULL : strdup(text);
}

char *nth_strndup(const char *text, size_t len)
{
    return no_memory() ? NULL : strndup(text, len);
}

DIR *nth_opendir(const char *path)
{
    return no_memory() ? NULL : opendir(path);
}

FILE *nth_open_memstream(char **text, size_t *len)
{
    return no_memory() ? NULL : open_memstream(text, len);
}

/* --- where a call happens ------------------------------------------------- */

struct place {
    struct usb_world *usb; /* one of the three */
    struct evtchn_world *evtchn;
    char dir[64]; /* with an image */

    xlx_ctx *ctx;
    struct nth *seams, none;
    char path[128];
    xlx_image *image;
    char said[512]; /* the last error that was logged */
};

static void hear(void *user, enum xlx_log_level level, const char *text)
{
    struct place *p = user;
    if (level == XLX_LOG_ERROR)
        snprintf(p->said, sizeof(p->said), "%s", text);
}

static void start_usb(struct place *p)
{
    p->usb = usb_world_new();
    p->ctx = p->usb->ctx;
    p->seams = &p->usb->nth;
}

static void start_evtchn(struct place *p)
{
    p->evtchn = evtchn_world_new();
    p->evtchn->mem->patched = true;
    xlx_ctx_set_path(p->evtchn->ctx, XLX_PATH_STATE, p->evtchn->dir);
    evtchn_mem_offer(p->evtchn->guest, 1, 0x40, 8);
    p->ctx = p->evtchn->ctx;
    p->seams = &p->evtchn->nth;
}

static void start_image(struct place *p)
{
    struct image_build b = { 0 };
    strcpy(p->dir, "/tmp/nth-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof(p->path), "%s/image", p->dir);
    build_start(&b, 3, 2);
    build_range(&b, 0, PAGES);
    build_finish(&b);
    FILE *f = fopen(p->path, "w");
    assert_int_equal(fwrite(b.bytes, 1, b.len, f), b.len);
    fclose(f);
    build_free(&b);
    assert_int_equal(xlx_ctx_new(&p->ctx), 0);
    xlx_ctx_set_path(p->ctx, XLX_PATH_RUN, p->dir);
    p->seams = &p->none;
    assert_int_equal(xlx_image_open(p->ctx, p->path, &p->image), 0);
}

static void end_image(struct place *p)
{
    char command[128];
    xlx_image_close(p->image);
    xlx_ctx_free(p->ctx);
    snprintf(command, sizeof(command), "rm -r %s", p->dir);
    assert_int_equal(system(command), 0);
}

static void end(struct place *p)
{
    if (p->usb)
        usb_world_free(p->usb);
    else if (p->evtchn)
        evtchn_world_free(p->evtchn);
    else
        end_image(p);
}

/* The names and sizes of the files; a lock may stay. */
static char *list_files(const char *dir)
{
    char command[160], *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    snprintf(command, sizeof(command),
             "find %s -type f ! -path '*lock*' -printf '%%p %%s\\n'", dir);
    FILE *in = popen(command, "r");
    for (int c; (c = getc(in)) != EOF;)
        putc(c, out);
    pclose(in);
    fclose(out);
    return text;
}

static char *dump_evtchn(struct evtchn_world *w)
{
    char *all, *channels = evtchn_mem_dump(w->guest);
    char *nodes = xs_mem_dump(w->xs), *files = list_files(w->dir);
    assert_true(asprintf(&all, "%s%s%s", channels, nodes, files) >= 0);
    free(channels);
    free(nodes);
    free(files);
    return all;
}

static char *dump(struct place *p)
{
    if (p->usb)
        return usb_world_dump(p->usb);
    return p->evtchn ? dump_evtchn(p->evtchn) : list_files(p->dir);
}

/* --- the calls ------------------------------------------------------------ */

static const struct xlx_usb_place any = { XLX_USB_ANY, XLX_USB_ANY };
static const struct xlx_usb_place first = { 0, 1 };
static const struct xlx_usb_hc_config qusb = { .type = XLX_USB_QUSB };

static void must(struct place *p, int rc)
{
    if (rc < 0)
        fail_msg("cannot prepare: %s", xlx_ctx_error(p->ctx));
}

static void with_stick(struct place *p)
{
    struct xlx_usb_place got;
    start_usb(p);
    must(p, xlx_usb_attach(p->ctx, WORLD_DOMID, "1-2", &any, 0, LONG_MS, &got));
    usb_world_rest(p->usb);
}

static void with_hc(struct place *p)
{
    uint32_t devid;
    start_usb(p);
    must(p, xlx_usb_hc_create(p->ctx, WORLD_DOMID, &qusb, sizeof(qusb), LONG_MS,
                              &devid));
    usb_world_rest(p->usb);
}

static void with_wish(struct place *p)
{
    start_usb(p);
    must(p, xlx_usb_assign(p->ctx, "guest", "1-2", 0, NULL));
}

static void with_wish_once(struct place *p)
{
    start_usb(p);
    must(p, xlx_usb_assign(p->ctx, "guest", "1-2", XLX_USB_ONCE, NULL));
}

static int call_ctx_new(struct place *p)
{
    xlx_ctx *ctx;
    int rc = xlx_ctx_new(&ctx);
    (void)p;
    if (!rc)
        xlx_ctx_free(ctx);
    return rc;
}

static int call_set_path(struct place *p)
{
    return xlx_ctx_set_path(p->ctx, XLX_PATH_XL, "/usr/sbin/xl");
}

static int call_domain_find(struct place *p)
{
    uint32_t domid;
    return xlx_domain_find(p->ctx, "guest", &domid);
}

static int call_domain_list(struct place *p)
{
    struct xlx_domain *list = NULL;
    int rc = xlx_domain_list(p->ctx, &list, sizeof(*list));
    free(list);
    return rc;
}

static int call_domain_alive(struct place *p)
{
    return xlx_domain_alive(p->ctx, WORLD_DOMID);
}

static int call_usb_list(struct place *p)
{
    struct xlx_usb_hc *list = NULL;
    int rc = xlx_usb_list(p->ctx, WORLD_DOMID, &list, sizeof(*list));
    free(list);
    return rc;
}

static int call_usb_devices(struct place *p)
{
    struct xlx_usb_device *list = NULL;
    int rc = xlx_usb_devices(p->ctx, &list, sizeof(*list));
    free(list);
    return rc;
}

static int call_usb_select(struct place *p)
{
    char busid[XLX_USB_BUSID_MAX];
    return xlx_usb_select(p->ctx, "1-2", busid);
}

static int call_hc_create(struct place *p)
{
    uint32_t devid;
    return xlx_usb_hc_create(p->ctx, WORLD_DOMID, &qusb, sizeof(qusb), LONG_MS,
                             &devid);
}

static int call_hc_create_as(struct place *p)
{
    uint32_t devid;
    return xlx_usb_hc_create_as(p->ctx, WORLD_DOMID, 3, &qusb, sizeof(qusb),
                                LONG_MS, &devid);
}

static int call_hc_destroy(struct place *p)
{
    return xlx_usb_hc_destroy(p->ctx, WORLD_DOMID, 0, LONG_MS);
}

static int call_attach(struct place *p)
{
    struct xlx_usb_place got;
    return xlx_usb_attach(p->ctx, WORLD_DOMID, "1-2", &any, 0, LONG_MS, &got);
}

static int call_find(struct place *p)
{
    struct xlx_usb_place at;
    char busid[XLX_USB_BUSID_MAX];
    return xlx_usb_find(p->ctx, WORLD_DOMID, "1-2", &at, busid);
}

static int call_detach(struct place *p)
{
    return xlx_usb_detach(p->ctx, WORLD_DOMID, &first, NULL, LONG_MS, NULL);
}

static int call_repair(struct place *p)
{
    return xlx_usb_repair(p->ctx);
}

static int call_policy_check(struct place *p)
{
    static struct xlx_usb_policy_verdict verdict;
    return xlx_usb_policy_check(p->ctx, "1-2", &verdict, sizeof(verdict));
}

static int call_policy_check_all(struct place *p)
{
    struct xlx_usb_policy_verdict *list = NULL;
    int rc = xlx_usb_policy_check_all(p->ctx, &list, sizeof(*list));
    free(list);
    return rc;
}

static int call_policy_rules(struct place *p)
{
    struct xlx_usb_policy_rule *list = NULL;
    int rc = xlx_usb_policy_rules(p->ctx, &list);
    free(list);
    return rc;
}

static int call_assign(struct place *p)
{
    return xlx_usb_assign(p->ctx, "guest", "1-2", 0, NULL);
}

static int call_unassign(struct place *p)
{
    return xlx_usb_unassign(p->ctx, "guest", "1-2");
}

static int call_unassign_once(struct place *p)
{
    return xlx_usb_unassign_once(p->ctx, "guest");
}

static int call_assignments(struct place *p)
{
    struct xlx_usb_assignment *list = NULL;
    int rc = xlx_usb_assignments(p->ctx, NULL, &list, sizeof(*list));
    free(list);
    return rc;
}

static int call_hold(struct place *p)
{
    return xlx_usb_hold(p->ctx, WORLD_DOMID, LONG_MS);
}

static void no_usb_report(void *user, const struct xlx_usb_report *report)
{
    (void)user;
    (void)report;
}

static int call_attach_hub(struct place *p)
{
    return xlx_usb_attach_hub(p->ctx, WORLD_DOMID, "1-3", &any, 0, LONG_MS,
                              no_usb_report, NULL);
}

static int call_usb_watch(struct place *p)
{
    const struct xlx_usb_reconcile_config config = { .guest = NULL };
    xlx_usb_watch *watch;
    int rc = xlx_usb_watch_new(p->ctx, &config, sizeof(config), no_usb_report,
                               NULL, &watch);
    if (!rc)
        xlx_usb_watch_free(watch);
    return rc;
}

static int call_evtchn_list(struct place *p)
{
    xlx_evtchn_channels *channels = NULL;
    int rc = xlx_evtchn_list(p->ctx, WORLD_DOMID, &channels);
    xlx_evtchn_channels_free(channels);
    return rc;
}

static int call_evtchn_offers(struct place *p)
{
    struct xlx_evtchn_offer *list = NULL;
    int rc = xlx_evtchn_offers(p->ctx, WORLD_DOMID, &list);
    free(list);
    return rc;
}

static int call_evtchn_bind(struct place *p)
{
    uint8_t vector;
    return xlx_evtchn_bind(p->ctx, WORLD_DOMID, 10, 1, 0, &vector);
}

static int call_evtchn_unbind(struct place *p)
{
    return xlx_evtchn_unbind(p->ctx, WORLD_DOMID, 10);
}

static int call_evtchn_allow(struct place *p)
{
    return xlx_evtchn_allow(p->ctx, WORLD_DOMID, false);
}

static int call_evtchn_spread(struct place *p)
{
    const struct xlx_evtchn_spread_config config = { .hot = 0 };
    struct xlx_evtchn_plan plan;
    struct xlx_evtchn_change *list = NULL;
    int rc = xlx_evtchn_spread(p->ctx, WORLD_DOMID, &config, sizeof(config),
                               &plan, sizeof(plan), &list);
    free(list);
    return rc;
}

static void no_evtchn_report(void *user, const struct xlx_evtchn_report *report)
{
    (void)user;
    (void)report;
}

static int call_evtchn_watch(struct place *p)
{
    const struct xlx_evtchn_watch_config config = { .guest = "guest" };
    xlx_evtchn_watch *watch;
    int rc = xlx_evtchn_watch_new(p->ctx, &config, sizeof(config),
                                  no_evtchn_report, NULL, &watch);
    if (!rc)
        xlx_evtchn_watch_free(watch);
    return rc;
}

static int call_policy_set(struct place *p)
{
    return xlx_evtchn_policy_set(p->ctx, "guest", "vif");
}

static int call_policy_remove(struct place *p)
{
    return xlx_evtchn_policy_remove(p->ctx, "guest");
}

static int call_policy_list(struct place *p)
{
    struct xlx_evtchn_policy *list = NULL;
    int rc = xlx_evtchn_policy_list(p->ctx, &list, sizeof(*list));
    free(list);
    return rc;
}

static int call_policy_apply(struct place *p)
{
    return xlx_evtchn_policy_apply(p->ctx);
}

static void with_policy(struct place *p)
{
    start_evtchn(p);
    must(p, call_policy_set(p));
}

static void with_policy_untold(struct place *p)
{
    with_policy(p);
    evtchn_world_put(p->evtchn, "libxl-ext/vectors", NULL);
}

static void with_vector(struct place *p)
{
    start_evtchn(p);
    must(p, call_evtchn_bind(p));
}

static int call_image_open(struct place *p)
{
    xlx_image *image;
    int rc = xlx_image_open(p->ctx, p->path, &image);
    if (!rc)
        xlx_image_close(image);
    return rc;
}

static int call_image_proxy_file(struct place *p)
{
    int fd, rc = xlx_image_proxy_file(p->ctx, p->image, &fd);
    if (!rc)
        close(fd);
    return rc;
}

static int call_image_config(struct place *p)
{
    struct xlx_image_config config;
    return xlx_image_config(p->ctx, p->image, &config, sizeof(config));
}

static int call_image_copy(struct place *p)
{
    char path[160];
    snprintf(path, sizeof(path), "/dev/null");
    int out = open(path, O_WRONLY | O_CLOEXEC);
    int rc = xlx_image_copy(p->ctx, p->image, 0, 4096, out);
    close(out);
    return rc;
}

static int call_image_survey(struct place *p)
{
    struct xlx_image_survey survey;
    return xlx_image_survey(p->ctx, p->image, NULL, NULL, &survey,
                            sizeof(survey));
}

static int call_image_verify(struct place *p)
{
    return xlx_image_verify(p->ctx, p->image, NULL, NULL, NULL, NULL);
}

static int call_sidecar_write(struct place *p)
{
    return xlx_sidecar_write(p->ctx, p->image, NULL, NULL, NULL);
}

static int call_sidecar_can_write(struct place *p)
{
    return xlx_sidecar_can_write(p->ctx, p->image, NULL);
}

static int call_sidecar_open(struct place *p)
{
    xlx_sidecar *sidecar;
    int rc = xlx_sidecar_open(p->ctx, p->image, NULL, &sidecar);
    if (!rc)
        xlx_sidecar_close(sidecar);
    return rc;
}

static const struct xlx_image_range some[] = { { 3, 4 }, { 10, 2 } };

static int call_working_set_write(struct place *p)
{
    return xlx_sidecar_working_set_write(p->ctx, p->image, NULL, some, 2);
}

static int call_working_set_add(struct place *p)
{
    return xlx_sidecar_working_set_add(p->ctx, p->image, NULL, some, 2);
}

static int call_optimize(struct place *p)
{
    char out[160];
    snprintf(out, sizeof(out), "%s.out", p->path);
    return xlx_image_optimize(p->ctx, p->image, some, 2, out, NULL, NULL);
}

static void with_sidecar(struct place *p)
{
    start_image(p);
    must(p, call_sidecar_write(p));
}

static int call_lazy_list(struct place *p)
{
    uint32_t *list = NULL;
    int rc = xlx_lazy_list(p->ctx, &list);
    free(list);
    return rc;
}

static int call_lazy_status(struct place *p)
{
    struct xlx_lazy_status status;
    return xlx_lazy_status(p->ctx, 7, &status, sizeof(status));
}

static int call_lazy_watch(struct place *p)
{
    xlx_lazy_watch *watch;
    int rc = xlx_lazy_watch_new(p->ctx, 7, &watch);
    if (!rc)
        xlx_lazy_watch_free(watch);
    return rc;
}

static int call_lazy_set(struct place *p)
{
    const struct xlx_lazy_change change = { .retry = true };
    return xlx_lazy_set(p->ctx, 7, &change, sizeof(change), NULL, 0);
}

/* NULL is its error. */
static int call_status_json(struct place *p)
{
    const struct xlx_lazy_status status = { .domid = 7, .image = "image" };
    char *text = xlx_lazy_status_json(&status, sizeof(status));
    (void)p;
    free(text);
    return text ? 0 : -ENOMEM;
}

/* Channels for a call that needs some: their allocations do not count. */
static int list_channels(struct place *p, xlx_evtchn_channels **channels_r)
{
    struct nth later = allocations;
    allocations = (struct nth){ 0 };
    int rc = xlx_evtchn_list(p->ctx, WORLD_DOMID, channels_r);
    allocations = later;
    return rc < 0 ? rc : 0;
}

static int call_lazy_report(struct place *p)
{
    xlx_lazy_report *report;
    int rc = xlx_lazy_report_new(&report);
    (void)p;
    if (!rc)
        xlx_lazy_report_free(report);
    return rc;
}

static int call_diagnose(struct place *p)
{
    xlx_evtchn_channels *channels = NULL;
    struct xlx_evtchn_finding *list = NULL;
    int rc = list_channels(p, &channels);
    if (!rc)
        rc = xlx_evtchn_diagnose(channels, &list, sizeof(*list));
    free(list);
    xlx_evtchn_channels_free(channels);
    return rc;
}

static int call_move(struct place *p)
{
    struct xlx_usb_place got;
    return xlx_usb_move(p->ctx, WORLD_DOMID, &first, NULL, WORLD_HVM, &any, 0,
                        LONG_MS, &got);
}

static int call_detach_hub(struct place *p)
{
    return xlx_usb_detach_hub(p->ctx, WORLD_DOMID, "1-3", 0, LONG_MS,
                              no_usb_report, NULL);
}

static void with_hub(struct place *p)
{
    start_usb(p);
    must(p, call_attach_hub(p));
    usb_world_rest(p->usb);
}

static int call_stats(struct place *p)
{
    struct xlx_usb_stats stats;
    return xlx_usb_stats(p->ctx, WORLD_DOMID, &first, &stats, sizeof(stats));
}

static int call_image_open_fd(struct place *p)
{
    xlx_image *image;
    int fd = open(p->path, O_RDONLY | O_CLOEXEC);
    int rc = xlx_image_open_fd(
        p->ctx, fd, xlx_image_info(p->image)->libxc_start, p->path, &image);
    if (!rc)
        xlx_image_close(image);
    close(fd);
    return rc;
}

static int call_save_helper(struct place *p)
{
    char path[256];
    return xlx_save_helper_path(p->ctx, path, sizeof(path));
}

static int call_own_save_helper(struct place *p)
{
    char path[256];
    return xlx_own_save_helper_path(p->ctx, path, sizeof(path));
}

static void with_helpers(struct place *p)
{
    start_image(p);
    xlx_ctx_set_path(p->ctx, XLX_PATH_SAVE_HELPER, "/bin/true");
    xlx_ctx_set_path(p->ctx, XLX_PATH_OWN_SAVE_HELPER, "/bin/true");
}

static int call_plan(struct place *p)
{
    static const struct xlx_evtchn_offer offers[] = { { 0, { 0, 1 } },
                                                      { 1, { 0, 1 } } };
    xlx_evtchn_channels *channels = NULL;
    struct xlx_evtchn_plan plan;
    struct xlx_evtchn_change *list = NULL;
    int rc = list_channels(p, &channels);
    if (!rc)
        rc =
            xlx_evtchn_plan(channels, offers, 2, 1, &plan, sizeof(plan), &list);
    free(list);
    xlx_evtchn_channels_free(channels);
    return rc;
}

/* What a call may leave when it fails. */
enum {
    NO_CTX = 1, /* it has no context to say why */
    LEAVES = 2, /* its contract: what was done before stays */
    FAILS = 4,  /* there is no such pager, no such file */
    QUIET = 8,  /* what a caller may expect is not logged */
};

static const struct call {
    const char *name;
    void (*start)(struct place *p);
    int (*run)(struct place *p);
    unsigned flags;
} calls[] = {
    { "xlx_ctx_new", start_image, call_ctx_new, NO_CTX },
    { "xlx_ctx_set_path", start_image, call_set_path, 0 },
    { "xlx_domain_find", start_usb, call_domain_find, 0 },
    { "xlx_domain_list", start_usb, call_domain_list, 0 },
    { "xlx_domain_alive", start_usb, call_domain_alive, 0 },
    { "xlx_usb_list", with_stick, call_usb_list, 0 },
    { "xlx_usb_devices", with_stick, call_usb_devices, 0 },
    { "xlx_usb_select", start_usb, call_usb_select, 0 },
    { "xlx_usb_hc_create", start_usb, call_hc_create, 0 },
    { "xlx_usb_hc_create_as", start_usb, call_hc_create_as, 0 },
    { "xlx_usb_hc_destroy", with_hc, call_hc_destroy, 0 },
    { "xlx_usb_attach", start_usb, call_attach, 0 },
    { "xlx_usb_find", with_stick, call_find, 0 },
    { "xlx_usb_detach", with_stick, call_detach, 0 },
    { "xlx_usb_repair", start_usb, call_repair, 0 },
    { "xlx_usb_policy_check", start_usb, call_policy_check, 0 },
    { "xlx_usb_policy_check_all", start_usb, call_policy_check_all, 0 },
    { "xlx_usb_policy_rules", start_usb, call_policy_rules, 0 },
    { "xlx_usb_assign", start_usb, call_assign, 0 },
    { "xlx_usb_unassign", with_wish, call_unassign, 0 },
    { "xlx_usb_unassign_once", with_wish_once, call_unassign_once, 0 },
    { "xlx_usb_assignments", with_wish, call_assignments, 0 },
    { "xlx_usb_hold", with_stick, call_hold, LEAVES },
    { "xlx_usb_attach_hub", start_usb, call_attach_hub, LEAVES },
    { "xlx_usb_watch_new", start_usb, call_usb_watch, 0 },
    { "xlx_evtchn_list", start_evtchn, call_evtchn_list, 0 },
    { "xlx_evtchn_offers", start_evtchn, call_evtchn_offers, 0 },
    { "xlx_evtchn_bind", start_evtchn, call_evtchn_bind, 0 },
    { "xlx_evtchn_unbind", with_vector, call_evtchn_unbind, 0 },
    { "xlx_evtchn_allow", with_vector, call_evtchn_allow, 0 },
    { "xlx_evtchn_spread", start_evtchn, call_evtchn_spread, 0 },
    { "xlx_evtchn_watch_new", start_evtchn, call_evtchn_watch, 0 },
    { "xlx_evtchn_diagnose", start_evtchn, call_diagnose, NO_CTX },
    { "xlx_image_open", start_image, call_image_open, 0 },
    { "xlx_image_proxy_file", start_image, call_image_proxy_file, 0 },
    { "xlx_image_config", start_image, call_image_config, 0 },
    { "xlx_image_copy", start_image, call_image_copy, 0 },
    { "xlx_image_survey", start_image, call_image_survey, 0 },
    { "xlx_image_verify", start_image, call_image_verify, 0 },
    { "xlx_sidecar_write", start_image, call_sidecar_write, 0 },
    { "xlx_sidecar_can_write", start_image, call_sidecar_can_write, 0 },
    { "xlx_sidecar_open", with_sidecar, call_sidecar_open, 0 },
    { "xlx_sidecar_open", start_image, call_sidecar_open, FAILS | QUIET },
    { "xlx_sidecar_working_set_write", with_sidecar, call_working_set_write,
      0 },
    { "xlx_sidecar_working_set_add", with_sidecar, call_working_set_add, 0 },
    { "xlx_image_optimize", start_image, call_optimize, 0 },
    { "xlx_usb_move", with_stick, call_move, 0 },
    { "xlx_usb_detach_hub", with_hub, call_detach_hub, LEAVES },
    { "xlx_usb_stats", with_stick, call_stats, FAILS | QUIET },
    { "xlx_evtchn_policy_set", start_evtchn, call_policy_set, LEAVES },
    { "xlx_evtchn_policy_set", with_policy, call_policy_set, LEAVES },
    { "xlx_evtchn_policy_remove", with_policy, call_policy_remove, LEAVES },
    { "xlx_evtchn_policy_list", with_policy, call_policy_list, 0 },
    { "xlx_evtchn_policy_apply", with_policy_untold, call_policy_apply,
      LEAVES },
    { "xlx_evtchn_plan", start_evtchn, call_plan, NO_CTX },
    { "xlx_image_open_fd", start_image, call_image_open_fd, 0 },
    { "xlx_save_helper_path", with_helpers, call_save_helper, 0 },
    { "xlx_own_save_helper_path", with_helpers, call_own_save_helper, 0 },
    { "xlx_lazy_list", start_image, call_lazy_list, 0 },
    { "xlx_lazy_status", start_image, call_lazy_status, FAILS },
    { "xlx_lazy_watch_new", start_image, call_lazy_watch, FAILS | QUIET },
    { "xlx_lazy_set", start_image, call_lazy_set, FAILS | QUIET },
    { "xlx_lazy_status_json", start_image, call_status_json, NO_CTX },
    { "xlx_lazy_report_new", start_image, call_lazy_report, NO_CTX },
};

#define NR_CALLS (sizeof(calls) / sizeof(calls[0]))

/* --- all of them ---------------------------------------------------------- */

/* What the table leaves out; a reason for each group. */
static const char *const left_out[] = {
    /* They cannot fail. */
    "xlx_ctx_error",
    "xlx_ctx_free",
    "xlx_ctx_path",
    "xlx_ctx_set_log",
    "xlx_version",
    "xlx_xen_built_for",
    "xlx_on_xen",
    "xlx_xen_running",
    "xlx_doctor_state_name",
    "xlx_evtchn_channels_free",
    "xlx_evtchn_finding_name",
    "xlx_evtchn_info",
    "xlx_evtchn_port",
    "xlx_evtchn_type_name",
    "xlx_lazy_state_name",
    "xlx_usb_outcome_name",
    "xlx_usb_state_name",
    "xlx_usb_type_name",
    "xlx_evtchn_watch_fd",
    "xlx_evtchn_watch_free",
    "xlx_lazy_watch_fd",
    "xlx_lazy_watch_free",
    "xlx_usb_watch_fd",
    "xlx_usb_watch_free",
    "xlx_fast_close",
    "xlx_fast_image",
    "xlx_fast_more",
    "xlx_image_close",
    "xlx_sidecar_close",
    "xlx_sidecar_info",
    "xlx_sidecar_next_zero",
    "xlx_image_info",
    "xlx_image_is_proxy_file",
    "xlx_image_is_uri",
    "xlx_image_name",
    "xlx_image_packer",
    "xlx_image_runs",
    "xlx_sidecar_working_set",
    "xlx_lazy_cancel",
    "xlx_lazy_close",
    "xlx_lazy_fill",
    "xlx_lazy_image",
    "xlx_lazy_limit",
    "xlx_lazy_report_feature",
    "xlx_lazy_report_free",
    "xlx_lazy_report_reason",
    "xlx_lazy_started",
    /* They allocate nothing, and call no seam. */
    "xlx_lazy_parse_bwlimit",
    "xlx_lazy_parse_prefetch",
    "xlx_lazy_parse_record",
    "xlx_image_read",
    "xlx_sidecar_check",
    /* A failure is a finding of theirs, or a report: test-doctor,
     * test-usb-retry, test-usb-watch, test-evtchn-watch have their seams fail.
     */
    "xlx_doctor",
    "xlx_usb_reconcile",
    "xlx_usb_watch_dispatch",
    "xlx_evtchn_watch_dispatch",
    /* Of a pager that answers: test-lazy-control. */
    "xlx_lazy_watch_dispatch",
    /* They open Xen itself, or work on what does: test-lazy-pager and
     * test-fast-load have the seams below them fail. */
    "xlx_fast_open",
    "xlx_fast_load",
    "xlx_fast_feed",
    "xlx_lazy_check",
    "xlx_lazy_open",
    "xlx_lazy_start",
    "xlx_lazy_take_over",
    "xlx_lazy_feed",
    "xlx_lazy_record",
    "xlx_lazy_prefetch",
    "xlx_lazy_serve",
    "xlx_lazy_abandon",
};

static bool is_listed(const char *name)
{
    for (size_t i = 0; i < NR_CALLS; i++)
        if (!strcmp(name, calls[i].name))
            return true;
    for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
        if (!strcmp(name, left_out[i]))
            return true;
    return false;
}

static void every_exported_function_is_here(void **state)
{
    char line[128], name[128];
    int nr = 0, missing = 0;
    FILE *f = fopen("libxl-ext/libxl-ext.map", "r");
    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, " xlx_%100[a-z_0-9]", name) != 1)
            continue;
        snprintf(line, sizeof(line), "xlx_%.100s", name);
        nr++;
        if (!is_listed(line)) {
            print_error("%s: neither called nor left out\n", line);
            missing++;
        }
    }
    fclose(f);
    assert_true(nr > 100);
    assert_int_equal(missing, 0);
}

/* --- one of them, failing ------------------------------------------------- */

static int findings; /* all are printed before the test fails */

#define FOUND(...)                \
    do {                          \
        print_error(__VA_ARGS__); \
        print_error("\n");        \
        findings++;               \
    } while (0)

static void check_failure(const struct call *c, struct place *p,
                          const char *what, int n)
{
    const char *error = xlx_ctx_error(p->ctx);
    if (c->flags & NO_CTX)
        return;
    if (!*error || !strcmp(error, STALE))
        FOUND("%s: %s %d failed: it failed without a text", c->name, what, n);
    if (strcmp(error, p->said) && (*p->said || !(c->flags & QUIET)))
        FOUND("%s: %s %d failed: the error is '%s', the log's '%s'", c->name,
              what, n, error, p->said);
}

/* True while there is an n-th; `nth` is NULL for allocations. */
static bool fail_nth(const struct call *c, int n, bool allocation)
{
    const char *what = allocation ? "allocation" : "call";
    struct place p = { .said = "" };
    c->start(&p);
    struct nth *nth = allocation ? &allocations : p.seams;
    char *before = dump(&p);
    xlx_ctx_set_log(p.ctx, hear, &p, XLX_LOG_ERROR);
    snprintf(p.ctx->error, sizeof(p.ctx->error), STALE);
    *nth = (struct nth){ .fail_at = n };
    int rc = c->run(&p);
    bool more = nth->calls >= n;
    *nth = (struct nth){ 0 };
    char *after = dump(&p);
    if (rc < 0)
        check_failure(c, &p, what, n);
    if (rc < 0 && !(c->flags & LEAVES) && strcmp(before, after))
        FOUND("%s: %s %d failed (%d, %s), left behind:\n%s\nnot:\n%s", c->name,
              what, n, rc, xlx_ctx_error(p.ctx), after, before);
    if (!more && !!(c->flags & FAILS) != (rc < 0))
        FOUND("%s: %d, %s", c->name, rc, xlx_ctx_error(p.ctx));
    free(before);
    free(after);
    end(&p);
    return more;
}

static void fail_each(bool allocation)
{
    int total = 0;
    findings = 0;
    const char *only = getenv("NTH_ONLY");
    for (size_t i = 0; i < NR_CALLS; i++) {
        int n = 1;
        if (only && strcmp(only, calls[i].name))
            continue;
        while (fail_nth(&calls[i], n, allocation))
            assert_true(++n < 5000);
        total += n - 1;
    }
    assert_int_equal(findings, 0);
    assert_true(only || total > 1000); /* that there is something to fail */
}

static void an_allocation_that_fails_is_reported(void **state)
{
    (void)state;
    fail_each(true);
}

static void a_seam_that_fails_is_reported(void **state)
{
    (void)state;
    fail_each(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_exported_function_is_here),
        cmocka_unit_test(an_allocation_that_fails_is_reported),
        cmocka_unit_test(a_seam_that_fails_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

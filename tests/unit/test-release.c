/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A hypervisor of another release than the library was built for is told from
 * one that refuses for another reason; and the version command.
 */
#include "test.h"

#include "cmd.h"
#include "fakes/sysfs_mem.h"
#include "xen/evtchn.h"
#include "xen/libxl_usb.h"
#include "xen/paging.h"
#include "xen/release.h"

struct world {
    xlx_ctx *ctx;
    struct sysfs_mem *sysfs;
    struct xlx__hypervisor hypervisor;
    int answer;
};

static int answer(struct xlx__hypervisor *h)
{
    return ((struct world *)((char *)h - offsetof(struct world, hypervisor)))
        ->answer;
}

static void close_nothing(struct xlx__seam *seam)
{
    (void)seam;
}

static const struct xlx__hypervisor_ops ops = { .try_calls = answer };

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    if (!w || xlx_ctx_new(&w->ctx))
        return -1;
    w->sysfs = sysfs_mem_new(NULL);
    w->ctx->sysfs = sysfs_mem_seam(w->sysfs);
    w->hypervisor = (struct xlx__hypervisor){ { close_nothing }, &ops };
    w->ctx->hypervisor = &w->hypervisor;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    xlx_ctx_free(w->ctx);
    free(w);
    return 0;
}

static void run_xen(struct world *w, const char *major, const char *minor,
                    const char *extra)
{
    sysfs_mem_put(w->sysfs, "hypervisor/type", "xen");
    sysfs_mem_put(w->sysfs, "hypervisor/version/major", major);
    sysfs_mem_put(w->sysfs, "hypervisor/version/minor", minor);
    sysfs_mem_put(w->sysfs, "hypervisor/version/extra", extra);
}

static void run_own_xen(struct world *w)
{
    char major[8] = "", minor[8] = "";
    assert_int_equal(
        sscanf(xlx_xen_built_for(), "%7[0-9].%7[0-9]", major, minor), 2);
    run_xen(w, major, minor, ".9-pre");
}

/* --- versions ------------------------------------------------------------- */

static void the_running_version_is_told(void **state)
{
    struct world *w = *state;
    assert_null(xlx_xen_running(w->ctx));
    run_xen(w, "4", "17", ".5+libxl-ext");
    assert_string_equal(xlx_xen_running(w->ctx), "4.17.5+libxl-ext");
    run_xen(w, "4", "23", "-unstable");
    assert_string_equal(xlx_xen_running(w->ctx), "4.23-unstable");
    sysfs_mem_put(w->sysfs, "hypervisor/version/minor", NULL);
    assert_null(xlx_xen_running(w->ctx));
    run_xen(w, "4", "17", "");
    sysfs_mem_put(w->sysfs, "hypervisor/type", "kvm");
    assert_null(xlx_xen_running(w->ctx));
}

/* --- the judgement -------------------------------------------------------- */

static void a_refusal_by_another_release_names_both(void **state)
{
    struct world *w = *state;
    char text[256];
    w->answer = -EACCES;
    run_xen(w, "3", "99", ".7-pre");
    assert_int_equal(xlx__xen_fits(w->ctx), -EACCES);
    snprintf(text, sizeof(text),
             "Xen: this libxl-ext is built for Xen %s, the running hypervisor "
             "is 3.99: reboot into %s, or use the libxl-ext that is built for "
             "3.99",
             xlx_xen_built_for(), xlx_xen_built_for());
    assert_string_equal(xlx_ctx_error(w->ctx), text);
}

static void releases_are_compared_as_a_whole(void **state)
{
    struct world *w = *state;
    char minor[8] = "";
    w->answer = -EACCES;
    assert_int_equal(sscanf(xlx_xen_built_for(), "4.%6[0-9]", minor), 1);
    strcat(minor, "0");
    run_xen(w, "4", minor, ".1");
    assert_int_equal(xlx__xen_fits(w->ctx), -EACCES);
    minor[strlen(minor) - 2] = '\0';
    run_xen(w, "4", minor, ".1");
    assert_int_equal(xlx__xen_fits(w->ctx), -EACCES);
}

static void assert_fits(struct world *w, int with)
{
    w->answer = with;
    assert_int_equal(xlx__xen_fits(w->ctx), 0);
    assert_string_equal(xlx_ctx_error(w->ctx), "");
}

static void every_other_refusal_is_left_to_the_call(void **state)
{
    struct world *w = *state;
    assert_fits(w, -EACCES); /* no version to compare */
    run_own_xen(w);
    assert_fits(w, 0);
    assert_fits(w, -EACCES); /* a security policy */
    assert_fits(w, -EPERM);
    run_xen(w, "3", "99", ".7-pre");
    assert_fits(w, 0); /* its interfaces are the same */
    assert_fits(w, -EPERM);
    assert_fits(w, -ENXIO);
}

/* It is loaded under the name that its release has; without a hypervisor it
 * cannot be used, and says so. */
static void libxl_is_loaded_when_it_is_opened(void **state)
{
    struct world *w = *state;
    int rc = xlx__libxl_open(w->ctx);
    if (rc)
        assert_non_null(strstr(xlx_ctx_error(w->ctx), "cannot open it"));
    else
        assert_non_null(w->ctx->libxl);
}

/* --- who asks ------------------------------------------------------------- */

static void each_door_to_such_calls_is_shut(void **state)
{
    struct world *w = *state;
    uint32_t features;
    w->answer = -EACCES;
    run_xen(w, "3", "99", "");
    assert_int_equal(xlx__evtchn_open(w->ctx), -EACCES);
    assert_non_null(strstr(xlx_ctx_error(w->ctx), "is 3.99: reboot"));
    assert_null(w->ctx->evtchn);
    w->ctx->error[0] = '\0';
    assert_int_equal(xlx__libxl_open(w->ctx), -EACCES);
    assert_non_null(strstr(xlx_ctx_error(w->ctx), "is 3.99: reboot"));
    assert_null(w->ctx->libxl);
    w->ctx->error[0] = '\0';
    /* What makes `restore --lazy` an eager one. */
    assert_int_equal(xlx__paging_features(w->ctx, &features), -ENOTSUP);
    assert_non_null(strstr(xlx_ctx_error(w->ctx), "is 3.99: reboot"));
}

static void behind_them_the_call_speaks_for_itself(void **state)
{
    struct world *w = *state;
    uint32_t features;
    w->answer = -EACCES;
    run_own_xen(w);
    xlx__evtchn_open(w->ctx);
    assert_null(strstr(xlx_ctx_error(w->ctx), "built for"));
    xlx__paging_features(w->ctx, &features);
    assert_null(strstr(xlx_ctx_error(w->ctx), "built for"));
}

/* --- version -------------------------------------------------------------- */

static void assert_prints(struct world *w, char *option, const char *format)
{
    char *argv[] = { "version", option, NULL }, *out = NULL, expected[256];
    size_t size;
    struct cmd_env env = { .ctx = w->ctx, .err = stderr };
    env.out = open_memstream(&out, &size);
    assert_int_equal(cmd_version(&env, option ? 2 : 1, argv), CMD_OK);
    fclose(env.out);
    snprintf(expected, sizeof(expected), format, xlx_version(),
             xlx_xen_built_for());
    assert_string_equal(out, expected);
    free(out);
}

static void version_names_all_three(void **state)
{
    struct world *w = *state;
    assert_prints(w, NULL,
                  "libxl-ext %s\nbuilt for Xen %s\nnot running on Xen\n");
    assert_prints(w, "--json",
                  "{\n    \"libxl_ext\": \"%s\",\n    \"built_for\": \"%s\",\n"
                  "    \"running\": null\n}\n");
    run_xen(w, "4", "20", ".4");
    assert_prints(w, NULL,
                  "libxl-ext %s\nbuilt for Xen %s\nrunning on Xen 4.20.4\n");
    assert_prints(w, "--json",
                  "{\n    \"libxl_ext\": \"%s\",\n    \"built_for\": \"%s\",\n"
                  "    \"running\": \"4.20.4\"\n}\n");
    sysfs_mem_put(w->sysfs, "hypervisor/version/extra", NULL);
    assert_prints(w, NULL,
                  "libxl-ext %s\nbuilt for Xen %s\n"
                  "running on Xen of an unknown version\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_running_version_is_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_refusal_by_another_release_names_both,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(releases_are_compared_as_a_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(every_other_refusal_is_left_to_the_call,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(libxl_is_loaded_when_it_is_opened,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(each_door_to_such_calls_is_shut, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(behind_them_the_call_speaks_for_itself,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(version_names_all_three, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

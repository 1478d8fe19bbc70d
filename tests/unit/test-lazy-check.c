/* SPDX-License-Identifier: LGPL-2.1-only */
#include "test.h"

#include <limits.h>

#include "cmd_lazy.h"
#include "lazy/check.h"

#define ALL 0xff

static struct xlx__paging_host good(void)
{
    return (struct xlx__paging_host){
        .xen = true, .features = ALL, .hap = 1, .pv_control = 1
    };
}

static struct xlx_lazy_report report_on(struct xlx__paging_host host)
{
    struct xlx_lazy_report report;
    xlx__lazy_report(&host, &report);
    return report;
}

static const struct xlx_lazy_feature *
feature(const struct xlx_lazy_report *report, const char *name)
{
    for (int i = 0; i < XLX__LAZY_FEATURES; i++)
        if (!strcmp(report->features[i].name, name))
            return &report->features[i];
    fail_msg("no feature %s", name);
    return NULL;
}

static void assert_refused(struct xlx__paging_host host, const char *name,
                           const char *reason)
{
    struct xlx_lazy_report report = report_on(host);
    assert_non_null(xlx_lazy_report_reason(&report));
    assert_non_null(strstr(report.reason, reason));
    assert_int_equal(feature(&report, name)->answer, XLX_LAZY_NO);
    assert_true(feature(&report, name)->needed);
    assert_string_equal(feature(&report, name)->text, report.reason);
}

static void a_patched_host_can_do_all(void **state)
{
    (void)state;
    struct xlx_lazy_report report = report_on(good());
    assert_null(xlx_lazy_report_reason(&report));
    for (int i = 0; i < XLX__LAZY_FEATURES; i++)
        assert_int_equal(report.features[i].answer, XLX_LAZY_YES);
}

static void features_are_lent_one_by_one(void **state)
{
    (void)state;
    struct xlx_lazy_report report = report_on(good());
    unsigned last = XLX__LAZY_FEATURES - 1;
    assert_string_equal(xlx_lazy_report_feature(&report, 0)->name, "xen");
    assert_string_equal(xlx_lazy_report_feature(&report, last)->name,
                        "save-refused");
    assert_null(xlx_lazy_report_feature(&report, last + 1));
    assert_null(xlx_lazy_report_feature(&report, UINT_MAX));
    xlx_lazy_report_free(NULL);
}

static void each_needed_feature_is_missed(void **state)
{
    (void)state;
    struct xlx__paging_host host = good();
    host.other = true;
    assert_refused(host, "release", "another release");
    host = good();
    host.hap = 0;
    assert_refused(host, "hap", "nested paging");
    host = good();
    host.pv_control = 0;
    assert_refused(host, "pv-control", "PVH");
    host = good();
    host.features = -ENOSYS;
    assert_refused(host, "paging", "without memory paging");
    host = good();
    host.features = ALL & ~XLX__PAGING_LOAD_RUN;
    assert_refused(host, "runs", "page by page");
    host = good();
    host.features = ALL & ~XLX__PAGING_RESTARTS;
    assert_refused(host, "resume", "vcpu_info");
    host.features = ALL & ~XLX__PAGING_HYPERCALLS;
    assert_refused(host, "hypercalls", "fails");
    host.features = ALL & ~XLX__PAGING_GRANTS;
    assert_refused(host, "grants", "crash this host");
}

/* Paging is built in, our operations are not: it looks for the domain. */
static void unpatched_paging_is_told_apart(void **state)
{
    (void)state;
    struct xlx__paging_host host = good();
    host.features = -ESRCH;
    struct xlx_lazy_report report = report_on(host);
    assert_non_null(xlx_lazy_report_reason(&report));
    assert_int_equal(feature(&report, "paging")->answer, XLX_LAZY_YES);
    assert_int_equal(feature(&report, "resume")->answer, XLX_LAZY_NO);
    assert_int_equal(feature(&report, "hypercalls")->answer, XLX_LAZY_NO);
}

static void the_others_are_only_told(void **state)
{
    (void)state;
    struct xlx__paging_host host = good();
    host.features = ALL & ~(XLX__PAGING_ALL_SLEEP | XLX__PAGING_REFUSES);
    struct xlx_lazy_report report = report_on(host);
    assert_null(xlx_lazy_report_reason(&report));
    for (const char *const *name =
             (const char *[]){ "sleep", "save-refused", NULL };
         *name; name++) {
        assert_int_equal(feature(&report, *name)->answer, XLX_LAZY_NO);
        assert_false(feature(&report, *name)->needed);
        assert_non_null(strstr(feature(&report, *name)->text, "install"));
    }
}

static void without_xen_the_rest_is_unknown(void **state)
{
    (void)state;
    struct xlx__paging_host host = { .features = -ENODEV,
                                     .hap = -ENODEV,
                                     .pv_control = -ENODEV };
    assert_refused(host, "xen", "not root");
    struct xlx_lazy_report report = report_on(host);
    for (int i = 1; i < XLX__LAZY_FEATURES; i++)
        assert_int_equal(report.features[i].answer, XLX_LAZY_UNKNOWN);
}

static void what_is_not_told_is_not_possible(void **state)
{
    (void)state;
    struct xlx__paging_host host = good();
    host.features = -EPERM;
    struct xlx_lazy_report report = report_on(host);
    assert_non_null(xlx_lazy_report_reason(&report));
    assert_string_equal(report.reason, "Xen does not tell");
    assert_int_equal(feature(&report, "paging")->answer, XLX_LAZY_UNKNOWN);
    /* What is known to be missing is the better reason. */
    host.pv_control = 0;
    assert_refused(host, "pv-control", "PVH");
}

/* For free(). */
static char *printed(struct xlx__paging_host host)
{
    struct xlx_lazy_report report = report_on(host);
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    cmd_lazy_print_report(out, &report);
    fclose(out);
    return text;
}

static void without_xen_only_the_reason_is_printed(void **state)
{
    (void)state;
    char *text = printed((struct xlx__paging_host){
        .features = -ENODEV, .hap = -ENODEV, .pv_control = -ENODEV });
    assert_string_equal(text, "Guests cannot be restored lazily: no "
                              "hypervisor here, or not root.\n");
    free(text);
}

static void each_column_has_a_heading(void **state)
{
    (void)state;
    char *text = printed(good());
    assert_ptr_equal(strstr(text, "FEATURE      ANSWER   WHAT IT IS FOR, OR "
                                  "WHAT TO DO\nxen          yes      "),
                     text);
    assert_non_null(strstr(text, "\nGuests can be restored lazily.\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_patched_host_can_do_all),
        cmocka_unit_test(features_are_lent_one_by_one),
        cmocka_unit_test(each_needed_feature_is_missed),
        cmocka_unit_test(unpatched_paging_is_told_apart),
        cmocka_unit_test(the_others_are_only_told),
        cmocka_unit_test(without_xen_the_rest_is_unknown),
        cmocka_unit_test(what_is_not_told_is_not_possible),
        cmocka_unit_test(without_xen_only_the_reason_is_printed),
        cmocka_unit_test(each_column_has_a_heading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

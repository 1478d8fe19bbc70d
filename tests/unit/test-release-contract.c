/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The contract of the hypervisor that is asked whether it takes our calls: over
 * an answer, and over release.c with libxenctrl's functions here. Over Xen
 * itself: tests/rig/cases/boot.sh.
 */
#include "test.h"

#include <xenctrl.h>

#include "fakes/sysfs_mem.h"
#include "xen/release.h"

/* --- libxenctrl ----------------------------------------------------------- */

static struct {
    bool missing;
    int sysctl_err, domctl_err;
    int open;
} xen;

static int answer(int err)
{
    errno = err;
    return err ? -1 : 0;
}

xc_interface *xc_interface_open(xentoollog_logger *logger,
                                xentoollog_logger *dombuild_logger,
                                unsigned flags)
{
    (void)logger, (void)dombuild_logger, (void)flags;
    xen.open += !xen.missing;
    errno = ENOENT;
    return xen.missing ? NULL : (xc_interface *)&xen;
}

int xc_interface_close(xc_interface *xch)
{
    (void)xch;
    xen.open--;
    return 0;
}

int xc_physinfo(xc_interface *xch, xc_physinfo_t *info)
{
    (void)xch, (void)info;
    return answer(xen.sysctl_err);
}

int xc_vcpu_getinfo(xc_interface *xch, uint32_t domid, uint32_t vcpu,
                    xc_vcpuinfo_t *info)
{
    (void)xch, (void)info;
    assert_int_equal(domid, 0);
    assert_int_equal(vcpu, 0);
    return answer(xen.domctl_err);
}

/* --- the cases ------------------------------------------------------------ */

/* A fake that gives the first failure. */
static int fake_try_calls(struct xlx__hypervisor *hypervisor)
{
    (void)hypervisor;
    if (xen.missing)
        return -ENXIO;
    return xen.sysctl_err ? -xen.sysctl_err : -xen.domctl_err;
}

static void close_nothing(struct xlx__seam *seam)
{
    (void)seam;
}

static const struct {
    bool missing;
    int sysctl_err, domctl_err, fits;
} rows[] = {
    { false, 0, 0, 0 },
    { false, EACCES, 0, -EACCES },
    { false, 0, EACCES, -EACCES },
    { false, EACCES, EPERM, -EACCES },
    { false, EPERM, EACCES, 0 }, /* the first one counts */
    { false, 0, EPERM, 0 },
    { true, EACCES, EACCES, 0 },
};

static void run_cases(struct xlx__hypervisor *hypervisor)
{
    struct sysfs_mem *sysfs = sysfs_mem_new(NULL);
    xlx_ctx *ctx;
    assert_int_equal(xlx_ctx_new(&ctx), 0);
    ctx->sysfs = sysfs_mem_seam(sysfs);
    ctx->hypervisor = hypervisor;
    sysfs_mem_put(sysfs, "hypervisor/type", "xen");
    sysfs_mem_put(sysfs, "hypervisor/version/major", "3");
    sysfs_mem_put(sysfs, "hypervisor/version/minor", "99");
    sysfs_mem_put(sysfs, "hypervisor/version/extra", "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        xen.missing = rows[i].missing;
        xen.sysctl_err = rows[i].sysctl_err;
        xen.domctl_err = rows[i].domctl_err;
        assert_int_equal(xlx__xen_fits(ctx), rows[i].fits);
        assert_int_equal(xen.open, 0);
    }
    xlx_ctx_free(ctx);
}

static void the_fake_keeps_it(void **state)
{
    static const struct xlx__hypervisor_ops ops = { fake_try_calls };
    struct xlx__hypervisor fake = { { close_nothing }, &ops };
    (void)state;
    run_cases(&fake);
}

static void release_c_keeps_it(void **state)
{
    (void)state;
    run_cases(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fake_keeps_it),
        cmocka_unit_test(release_c_keeps_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-only */
/* The numbers in format.h are those of Xen's public headers. */
#include "test.h"

#include <xen/xen.h>
#include <xen/hvm/params.h>
#include <xen/hvm/save.h>

#include "image/format.h"

#define SAME(ours, theirs) _Static_assert((ours) == (theirs), #theirs)

SAME(FMT_PARAM_STORE_PFN, HVM_PARAM_STORE_PFN);
SAME(FMT_PARAM_IOREQ_PFN, HVM_PARAM_IOREQ_PFN);
SAME(FMT_PARAM_BUFIOREQ_PFN, HVM_PARAM_BUFIOREQ_PFN);
SAME(FMT_PARAM_IDENT_PT, HVM_PARAM_IDENT_PT);
SAME(FMT_PARAM_VM86_TSS, HVM_PARAM_VM86_TSS);
SAME(FMT_PARAM_CONSOLE_PFN, HVM_PARAM_CONSOLE_PFN);
SAME(FMT_PARAM_PAGING_RING_PFN, HVM_PARAM_PAGING_RING_PFN);
SAME(FMT_PARAM_MONITOR_RING_PFN, HVM_PARAM_MONITOR_RING_PFN);
SAME(FMT_PARAM_SHARING_RING_PFN, HVM_PARAM_SHARING_RING_PFN);
#ifdef HVM_PARAM_IOREQ_SERVER_PFN /* gone in newer Xen */
SAME(FMT_PARAM_IOREQ_SERVER_PFN, HVM_PARAM_IOREQ_SERVER_PFN);
#endif
SAME(FMT_PARAM_VM_GENERATION_ID_ADDR, HVM_PARAM_VM_GENERATION_ID_ADDR);
SAME(FMT_PARAM_VM86_TSS_SIZED, HVM_PARAM_VM86_TSS_SIZED);

SAME(sizeof(struct fmt_save_descriptor), sizeof(struct hvm_save_descriptor));
SAME(FMT_SAVE_END, HVM_SAVE_CODE(END));
SAME(FMT_SAVE_CPU, HVM_SAVE_CODE(CPU));
SAME(FMT_SAVE_CPU_CR3, offsetof(struct hvm_hw_cpu, cr3));

SAME(FMT_SAVE_VIRIDIAN_DOMAIN, HVM_SAVE_CODE(VIRIDIAN_DOMAIN));
SAME(FMT_SAVE_VIRIDIAN_HYPERCALL,
     offsetof(struct hvm_viridian_domain_context, hypercall_gpa));
SAME(FMT_SAVE_VIRIDIAN_REFERENCE_TSC,
     offsetof(struct hvm_viridian_domain_context, reference_tsc));
SAME(FMT_SAVE_VIRIDIAN_VCPU, HVM_SAVE_CODE(VIRIDIAN_VCPU));
SAME(FMT_SAVE_VIRIDIAN_VP_ASSIST,
     offsetof(struct hvm_viridian_vcpu_context, vp_assist_msr));
SAME(FMT_SAVE_VIRIDIAN_SIMP,
     offsetof(struct hvm_viridian_vcpu_context, simp_msr));

/* Each entry that a context may have was looked at: docs/lazy-restore.md. */
SAME(HVM_SAVE_CODE_MAX, 20);

SAME(FMT_PV_VCPU_BASIC_64, sizeof(vcpu_guest_context_t));

/* The assertions above are the test; this is for the count. */
static void numbers_are_those_of_xen(void **state)
{
    (void)state;
    assert_int_equal(sizeof(((struct hvm_hw_cpu *)NULL)->cr3),
                     sizeof(uint64_t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_xen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* A VM without an interrupt controller in KVM: what its guest finds of one. */
#include "arm64.h"

#include "facts_gen.h"

#define REG_ICC_PMR_EL1 SYSREG(3, 0, 4, 6, 0)
#define REG_ICC_SGI1R_EL1 SYSREG(3, 0, 12, 11, 5)

/*
 * "undefined": ICC_PMR_EL1 and ICC_SGI1R_EL1 both are (6.12 and later), and then
 * ID_AA64PFR0_EL1.GIC must be 0; "sgi-undefined": only the second (older ones,
 * mended); "pmr-undefined"; "reachable": neither. ICC_SRE_EL1 is nothing to try:
 * QEMU, where there is such a KVM without hardware, lets no hypervisor trap it.
 */
static void access_gic(struct lab *lab, struct outcome *out)
{
	struct guest_op ops[] = { OP_MRS(REG_ICC_PMR_EL1), OP_MSR(REG_ICC_SGI1R_EL1, 0) };
	char pmr[32], sgi[32];
	uint64_t gic;

	if (lab_run(lab, 0, ops, COUNT(ops)) || read_field(lab, ARM64_F_ID_AA64PFR0_EL1_GIC, &gic))
		return;
	observe(out, op_undef(&ops[0]) && op_undef(&ops[1]) && !gic ? "undefined" : op_undef(&ops[1]) ? "sgi-undefined" :
		     op_undef(&ops[0]) ? "pmr-undefined" : "reachable",
		"ICC_PMR_EL1 %s, writing ICC_SGI1R_EL1 %s, ID_AA64PFR0_EL1.GIC %llu", op_text(&ops[0], pmr),
		op_undef(&ops[1]) ? op_text(&ops[1], sgi) : "taken", (unsigned long long)gic);
}

static const struct gcpu_machine no_gic = {
	.size = sizeof(no_gic), .vcpus = 1, .gic = GCPU_GIC_NONE, .irqchip = GCPU_IRQCHIP_NONE, .pmu_irq = 23,
};

const struct exercise exercise_no_gic = {
	.name = "no-gic-access", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN, .machine = &no_gic }, .use = access_gic,
};

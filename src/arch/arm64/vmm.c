/* SPDX-License-Identifier: MIT */
/* What a VMM has to do itself: the size of its VM, memory for what a guest is told, its exits. */
#include "arm64.h"
#include "kvm/abi_arm64.h"

#include <string.h>

static unsigned leading_number(const char *s)
{
	unsigned n = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		n = n * 10 + (unsigned)(*s - '0');
	return n;
}

/* The widest one that is no wider than the VM's; what the plan has, where nobody said how wide that is. */
static uint64_t parange_most(const struct gcpu_plan *p)
{
	const struct field_fact *f = &p->facts->fields[ARM64_F_ID_AA64MMFR0_EL1_PARANGE];
	uint64_t value = field_get(p, p->value, ARM64_F_ID_AA64MMFR0_EL1_PARANGE), most = 0;
	const char *name;

	/* the values' names are their bits: "40bit" */
	while ((name = value_name(p->facts, f, most + 1)) && leading_number(name) <= p->machine.ipa_bits)
		most++;
	return p->machine.ipa_bits && most < value ? most : value;
}

void arm64_limit(struct gcpu_plan *p)
{
	unsigned field = ARM64_F_ID_AA64MMFR0_EL1_PARANGE;
	uint64_t most = parange_most(p);

	if (most == field_get(p, p->value, field))
		return;
	plan_set(p, field, most, ARM64_R_PARANGE_IPA);
	if (p->fields[field].said == SAID_VALUE)
		plan_unavailable(p, field, ARM64_R_PARANGE_IPA);
}

static struct gcpu_step *run_step(struct gcpu_plan *p, const char *call, const char *why)
{
	return recipe_add(p, GCPU_PHASE_RUN, "vmm", call, why);
}

static void vgic_step(struct gcpu_plan *p)
{
	struct gcpu_step *s = run_step(p, "KVM_SET_DEVICE_ATTR",
				       "on the vGIC, between the phases vm-once and vcpu: with its addresses set "
				       "and all vCPUs created; before that KVM initialises no PMU");

	recipe_arg(s, "group", GK_DEV_ARM_VGIC_GRP_CTRL, "KVM_DEV_ARM_VGIC_GRP_CTRL");
	recipe_arg(s, "attr", GK_DEV_ARM_VGIC_CTRL_INIT, "KVM_DEV_ARM_VGIC_CTRL_INIT");
}

static void answered_by_user_space(struct gcpu_plan *p, const struct pv_fact *pv)
{
	struct gcpu_step *s = run_step(p, "KVM_EXIT_HYPERCALL",
				       "the guest asks on which CPUs it may come to run; it comes by a filter "
				       "that is set before the first run (KVM_ARM_VM_SMCCC_FILTER), else KVM "
				       "answers -1: the answer goes into x0 to x3");

	recipe_arg(s, "nr", pv->call[0], p->facts->fields[pv->field].name);
}

void arm64_vmm_steps(struct gcpu_plan *p)
{
	struct gcpu_step *s;

	if (parange_most(p) != field_get(p, p->value, ARM64_F_ID_AA64MMFR0_EL1_PARANGE))
		plan_find(p, ARM64_R_PARANGE_KEPT, ARM64_F_ID_AA64MMFR0_EL1_PARANGE, SEVERITY_WARNING, NULL);
	if (p->machine.ipa_bits) {
		s = run_step(p, "KVM_CREATE_VM", "the type of the VM is the size of its addresses: KVM takes "
						 "40 bits for 0");
		recipe_arg(s, "type", p->machine.ipa_bits, NULL);
	}
	if (p->machine.gic != GCPU_GIC_NONE)
		vgic_step(p);
	for (unsigned i = 0; i < p->facts->n_pv; i++) {
		const struct pv_fact *pv = &p->facts->pv[i];

		if (!field_get(p, p->value, pv->field))
			continue;
		if (strcmp(pv->vmm, "discover-impl") == 0)
			answered_by_user_space(p, pv);
		if (strcmp(pv->vmm, "pv-time") != 0)
			continue;
		s = run_step(p, "KVM_SET_DEVICE_ATTR",
			     "on each vCPU, before it runs: the guest's address of 64 bytes of its memory, a "
			     "multiple of 64; else the guest is told that there is no stolen time");
		recipe_arg(s, "group", GK_ARM_VCPU_PVTIME_CTRL, "KVM_ARM_VCPU_PVTIME_CTRL");
		recipe_arg(s, "attr", GK_ARM_VCPU_PVTIME_IPA, "KVM_ARM_VCPU_PVTIME_IPA");
	}
}

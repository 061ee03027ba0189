/* SPDX-License-Identifier: MIT */
/* Registers of the firmware that KVM plays. They are the VM's. */
#include "arm64.h"

static bool later(const struct arm64_vcpu *x)
{
	return arm64_has(x, ARM64_F_PSCI_0_2);
}

uint64_t arm64_psci(const struct arm64_vcpu *x)
{
	const struct arm64_vm *a = arm64_vm(x->v->vm);
	int i = arm64_index(arm64_model(x), GK_REG_ARM_PSCI_VERSION);

	if (!later(x))
		return gcpu_facts_arm64.fields[ARM64_F_PSCI_VERSION].absent;
	return a->psci ? a->psci : i >= 0 ? LIST_AT(&arm64_model(x)->host->regs, struct snap_reg, i)->value[0] : 0;
}

/* Speculative stores are held back for a guest that cannot say so itself: then there is nothing to
 * be asked of the firmware. Where the host has the control its level says that there is no call. */
static uint64_t store_bypass(const struct arm64_vcpu *x, uint64_t level)
{
	const struct field_fact *f = &gcpu_facts_arm64.fields[ARM64_F_ID_AA64PFR1_EL1_SSBS];
	int i = arm64_index(arm64_model(x), gcpu_facts_arm64.words[f->word].addr);

	if (level || i < 0 || !sw_behaves(arm64_model(x), BEHAVIOUR_SSBS_OF_THE_GUEST) ||
	    arm64_field(x, ARM64_F_ID_AA64PFR1_EL1_SSBS))
		return level;
	return arm64_limit_of(x, i) >> f->lsb & field_mask(f) ? GK_REG_ARM_SMCCC_ARCH_WORKAROUND_2_NOT_REQUIRED : level;
}

static uint64_t value_of(const struct arm64_vcpu *x, uint64_t id, uint64_t value)
{
	if (id == GK_REG_ARM_PSCI_VERSION)
		return arm64_psci(x);
	return id == GK_REG_ARM_SMCCC_ARCH_WORKAROUND_2 ? store_bypass(x, value) : value;
}

int arm64_get_firmware(struct arm64_vcpu *x, uint64_t id, uint64_t *ret)
{
	int i = arm64_index(arm64_model(x), id);

	if (i < 0)
		return -ENOENT;
	*ret = value_of(x, id, arm64_vm(x->v->vm)->now[i]);
	return 0;
}

int arm64_set_firmware(struct arm64_vcpu *x, uint64_t id, uint64_t value)
{
	struct arm64_vm *a = arm64_vm(x->v->vm);
	struct predict_vm p = arm64_view(x);
	int i = arm64_index(arm64_model(x), id);
	struct predict_reg r = { .id = id };
	struct prediction is;

	if (i < 0)
		return -ENOENT;
	r.limit = value_of(x, id, LIST_AT(&arm64_model(x)->host->regs, struct snap_reg, i)->value[0]);
	r.now = value_of(x, id, a->now[i]);
	if (id == GK_REG_ARM_PSCI_VERSION && later(x)) /* the newest, whatever was set */
		r.limit = LIST_AT(&arm64_model(x)->host->regs, struct snap_reg, i)->value[0];
	is = predict_firmware(&p, &r, value);
	if (is.error)
		return -is.error;
	if (id == GK_REG_ARM_PSCI_VERSION)
		a->psci = is.value;
	else if (REG_KIND(id) == GK_REG_ARM_FW_FEAT_BMAP) /* the others are looked at, and stay */
		a->now[i] = is.value;
	return 0;
}

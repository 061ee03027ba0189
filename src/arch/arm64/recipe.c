/* SPDX-License-Identifier: MIT */
/* The order that KVM/arm64 wants: opt in, vector lengths, ID registers, firmware, then the rest. */
#include "arm64.h"
#include "kvm/abi.h"
#include "kvm/abi_arm64.h"

static void init_steps(struct gcpu_plan *p)
{
	uint32_t features = (uint32_t)p->value[ARM64_W_INIT_0];
	bool sve = field_get(p, p->value, ARM64_F_SVE) != 0;
	struct gcpu_step *s = recipe_add(p, GCPU_PHASE_ALL_VCPUS, "vcpu", "KVM_ARM_VCPU_INIT",
					 "the same features on every vCPU: what is opted into");

	/* a guest does not tell it, and there is one that is for any CPU */
	recipe_arg(s, "target", p->snap->guest_view ? GK_ARM_TARGET_GENERIC_V8 : p->snap->target, NULL);
	recipe_arg(s, "features[0]", features, NULL);
	if (!sve)
		return;
	/* where nobody read them KVM's own stay: it does not take an empty set */
	if (p->value[ARM64_W_SVE_0]) {
		s = recipe_add(p, GCPU_PHASE_ALL_VCPUS, "vcpu", "KVM_SET_ONE_REG",
			       "vector lengths, before they are frozen by FINALIZE");
		recipe_arg(s, "id", GK_REG_ARM64_SVE_VLS, "KVM_REG_ARM64_SVE_VLS");
		recipe_arg(s, "value", p->value[ARM64_W_SVE_0], NULL);
	}
	s = recipe_add(p, GCPU_PHASE_ALL_VCPUS, "vcpu", "KVM_ARM_VCPU_FINALIZE",
		       "SVE is usable only after this");
	recipe_arg(s, "feature", p->facts->fields[ARM64_F_SVE].lsb, "sve");
}

/* With memory tagging on, its field is what the snapshot's VM, which had none, did
 * not show, and no other value is taken: KVM's own stays. */
static bool tagging_unseen(const struct gcpu_plan *p, unsigned word)
{
	const struct field_fact *f = &p->facts->fields[ARM64_F_ID_AA64PFR1_EL1_MTE];

	return f->word == word && p->props[ARM64_P_MTE] &&
	       field_is_off(f, field_get(p, p->offer, ARM64_F_ID_AA64PFR1_EL1_MTE)) &&
	       p->value[word] == snapshot_word(p->snap, p->facts->words[word].addr)->value[0];
}

/* Is there something in WORD that is chosen, and that KVM keeps when it is written? */
static bool is_written(const struct gcpu_plan *p, unsigned word)
{
	const struct word_fact *w = &p->facts->words[word];
	unsigned owners = ADDR_SPACE(w->addr) == SPACE_FW ? OWNER_CHOSEN : 0;

	for (unsigned k = 0; k < w->n; k++)
		owners |= p->facts->fields[w->first + k].owner;
	return w->klass == CLASS_FIELDS && owners & OWNER_CHOSEN && snapshot_word(p->snap, w->addr) &&
	       !tagging_unseen(p, word);
}

static void register_steps(struct gcpu_plan *p, enum space space, const char *why)
{
	for (unsigned i = 0; i < p->facts->n_words; i++) {
		const struct word_fact *w = &p->facts->words[i];
		struct gcpu_step *s;

		if (ADDR_SPACE(w->addr) != space || !is_written(p, i))
			continue;
		s = recipe_add(p, GCPU_PHASE_VM_ONCE, "vcpu", "KVM_SET_ONE_REG", why);
		recipe_arg(s, "id", ADDR_ONE_REG(w->addr), w->name);
		recipe_arg(s, "value", p->value[i], NULL);
	}
}

/* Without a value: each vCPU has its own. */
static void vcpu_register_steps(struct gcpu_plan *p)
{
	for (unsigned i = 0; i < p->facts->n_words; i++) {
		const struct word_fact *w = &p->facts->words[i];
		struct gcpu_step *s;

		if (w->klass != CLASS_DERIVED || !snapshot_word(p->snap, w->addr))
			continue;
		s = recipe_add(p, GCPU_PHASE_VCPU, "vcpu", "KVM_SET_ONE_REG",
			       "each vCPU's own, so that no other kernel or host makes up another");
		recipe_arg(s, "id", w->addr, w->name);
	}
}

static void pmu_steps(struct gcpu_plan *p)
{
	struct gcpu_step *s;

	if (!field_get(p, p->value, ARM64_F_PMU))
		return;
	if (p->machine.gic != GCPU_GIC_NONE) {
		s = recipe_add(p, GCPU_PHASE_VCPU, "vcpu", "KVM_SET_DEVICE_ATTR",
			       "the PMU needs its interrupt, after the vGIC is initialised");
		recipe_arg(s, "group", GK_ARM_VCPU_PMU_V3_CTRL, "KVM_ARM_VCPU_PMU_V3_CTRL");
		recipe_arg(s, "attr", GK_ARM_VCPU_PMU_V3_IRQ, "KVM_ARM_VCPU_PMU_V3_IRQ");
		recipe_arg(s, "value", p->machine.pmu_irq, NULL);
	}
	s = recipe_add(p, GCPU_PHASE_VCPU, "vcpu", "KVM_SET_DEVICE_ATTR",
		       "a vCPU with a PMU does not run before the PMU is initialised");
	recipe_arg(s, "group", GK_ARM_VCPU_PMU_V3_CTRL, "KVM_ARM_VCPU_PMU_V3_CTRL");
	recipe_arg(s, "attr", GK_ARM_VCPU_PMU_V3_INIT, "KVM_ARM_VCPU_PMU_V3_INIT");
}

static const struct {
	uint32_t type;
	const char *name;
} gics[] = { { 0, NULL },
	     { GK_DEV_TYPE_ARM_VGIC_V2, "KVM_DEV_TYPE_ARM_VGIC_V2" },
	     { GK_DEV_TYPE_ARM_VGIC_V3, "KVM_DEV_TYPE_ARM_VGIC_V3" } };

bool gcpu_snapshot_has_gic(const struct gcpu_snapshot *s, enum gcpu_gic gic)
{
	if (!s || (unsigned)gic > GCPU_GIC_V3)
		return false;
	if (gic == GCPU_GIC_NONE || !s->devices.n)
		return true;
	for (size_t i = 0; i < s->devices.n; i++) {
		const struct snap_device *d = LIST_AT(&s->devices, struct snap_device, i);

		if (d->type == gics[gic].type)
			return !d->error;
	}
	return false;
}

int arm64_recipe(struct gcpu_plan *p)
{
	struct gcpu_step *s;

	if (p->snap->cores.n)
		plan_find(p, ARM64_R_CORES_DIFFER, -1, SEVERITY_WARNING, NULL);
	if (!gcpu_snapshot_has_gic(p->snap, p->machine.gic)) {
		plan_find(p, ARM64_R_GIC_MISSING, -1, SEVERITY_ERROR, "this KVM has no GICv%d: KVM_CREATE_DEVICE refuses it",
			  p->machine.gic == GCPU_GIC_V2 ? 2 : 3);
		p->refused = true;
	}
	if (p->machine.gic != GCPU_GIC_NONE) {
		s = recipe_add(p, GCPU_PHASE_VM, "vm", "KVM_CREATE_DEVICE",
			       "the vGIC decides what ID_AA64PFR0_EL1.GIC reads");
		recipe_arg(s, "type", gics[p->machine.gic].type, gics[p->machine.gic].name);
	}
	if (p->props[ARM64_P_MTE] && gcpu_snapshot_capability(p->snap, CAP_ARM_MTE) > 0)
		recipe_cap(p, GCPU_PHASE_VM, CAP_ARM_MTE, 0, "memory tagging is opted into per VM");
	init_steps(p);
	register_steps(p, SPACE_REG, "ID registers first, once for the VM: no later default moves them");
	register_steps(p, SPACE_FW, "what KVM's firmware answers: a newer kernel would begin with more");
	vcpu_register_steps(p);
	pmu_steps(p);
	arm64_vmm_steps(p);
	return 0;
}


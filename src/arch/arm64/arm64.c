/* SPDX-License-Identifier: MIT */
/* arm64: opt in by VCPU_INIT, opt out by ID registers. */
#include "core/plan.h"
#include "kvm/abi.h"
#include "kvm/abi_arm64.h"

#include <errno.h>

/* Features of VCPU_INIT that this KVM took, each alone or with its partner. */
static uint32_t init_offered(const struct gcpu_snapshot *s)
{
	uint32_t offered = s->init_features;

	for (size_t i = 0; i < s->inits.n; i++) {
		const struct snap_init *t = LIST_AT(&s->inits, struct snap_init, i);

		if (!t->error)
			offered |= t->features;
	}
	return offered;
}

static void offer(struct gcpu_plan *p)
{
	for (unsigned i = 0; i < p->facts->n_words; i++) {
		uint64_t addr = p->facts->words[i].addr;
		const struct snap_reg *r = NULL;

		if (addr == ADDR_INIT)
			p->offer[i] = init_offered(p->snap);
		else if (addr == ADDR_SVE)
			r = snapshot_reg(p->snap, GK_REG_ARM64_SVE_VLS);
		else
			r = snapshot_reg(p->snap, addr);
		if (r && r->n_words)
			p->offer[i] = r->value[0];
	}
}

static bool raw(const struct gcpu_plan *p, enum snap_tables table, unsigned field, uint64_t *ret)
{
	const struct field_fact *f = &p->facts->fields[field];
	const struct snap_reg *r = snapshot_reg(p->snap, p->facts->words[f->word].addr);

	if (table != SNAP_SUPPORTED || !r || !r->n_words)
		return false;
	*ret = r->value[0] >> f->lsb & field_mask(f);
	return true;
}

/* Registers were read and tried with every feature of VCPU_INIT that `host` opts
 * into. Does FIELD hang on one that this plan leaves out? */
static bool opted_out(const struct gcpu_plan *p, unsigned field)
{
	for (unsigned i = 0; i < p->facts->n_requires; i++) {
		const struct require_fact *r = &p->facts->requires[i];
		const struct field_fact *parent = &p->facts->fields[r->parent[0]];

		if (r->child != field)
			continue;
		if (p->facts->words[parent->word].addr != ADDR_INIT) {
			if (opted_out(p, r->parent[0]))
				return true;
		} else if ((p->snap->init_features >> parent->lsb & 1) &&
			   !field_get(p, p->value, r->parent[0])) {
			return true;
		}
	}
	return false;
}

/* Registers are tried nibble by nibble; a field inside one nibble has its answer
 * there: which nibble, and which of its 16 values VALUE makes of it. */
static const struct snap_nibble *tried(const struct gcpu_plan *p, unsigned field, uint64_t value,
				       unsigned *ret)
{
	const struct field_fact *f = &p->facts->fields[field];
	uint64_t addr = p->facts->words[f->word].addr;
	const struct snap_reg *r = snapshot_reg(p->snap, addr);
	unsigned lsb = f->lsb & ~3U, shift = f->lsb - lsb;

	if (!r || !r->n_words || f->width + shift > 4)
		return NULL;
	*ret = (unsigned)((r->value[0] >> lsb & 15 & ~(field_mask(f) << shift)) | value << shift);
	return snapshot_nibble(p->snap, addr, lsb);
}

static bool trial(const struct gcpu_plan *p, unsigned field, uint64_t value, uint64_t *ret_force,
		  int *ret_error)
{
	const struct snap_nibble *n;
	unsigned v;

	*ret_force = value;
	*ret_error = 0;
	if (value == field_get(p, p->offer, field) || opted_out(p, field))
		return false;
	n = tried(p, field, value, &v);
	if (!n)
		return false;
	if (n->accepted >> v & 1)
		return true;
	if (n->changed >> v & 1)
		return false;
	*ret_error = n->error ? n->error : EINVAL;
	return true;
}

/* A rule may foretell what KVM settles at the first run (GIC); one that takes
 * nothing else before it, or never settles it, has the last word. */
static int derive(struct gcpu_plan *p, struct gcpu_error *err)
{
	(void)err;
	for (unsigned i = 0; i < p->facts->n_fields; i++) {
		const struct field_fact *f = &p->facts->fields[i];
		uint64_t addr = p->facts->words[f->word].addr;
		const struct snap_nibble *n;
		unsigned v;

		if (!(f->owner & OWNER_RUNTIME))
			continue;
		n = tried(p, i, field_get(p, p->value, i), &v);
		if (n && !((n->accepted | n->changed) >> v & 1))
			plan_set(p, i, snapshot_reg(p->snap, addr)->value[0] >> f->lsb & field_mask(f),
				 RULE_KVM_KEEPS);
	}
	return 0;
}

/* MPIDR_EL1 as KVM makes it of the vCPU's id: 16 in a cluster, for the GIC's sake. */
static uint64_t vcpu_word(const struct gcpu_plan *p, unsigned vcpu, unsigned word)
{
	static const struct {
		unsigned field, shift;
	} parts[] = { { ARM64_F_MPIDR_EL1_AFF0, 0 },
		      { ARM64_F_MPIDR_EL1_AFF1, 4 },
		      { ARM64_F_MPIDR_EL1_AFF2, 12 } };
	uint64_t value = p->value[word], id = p->vcpu_ids[vcpu];

	if (word != p->facts->fields[ARM64_F_MPIDR_EL1_AFF0].word)
		return value;
	for (unsigned i = 0; i < 3; i++) {
		const struct field_fact *f = &p->facts->fields[parts[i].field];
		uint64_t part = i == 0 ? id & 15 : id >> parts[i].shift & field_mask(f);

		value = (value & ~(field_mask(f) << f->lsb)) | part << f->lsb;
	}
	return value;
}

static void init_steps(struct gcpu_plan *p)
{
	uint32_t features = (uint32_t)p->value[ARM64_W_INIT_0];
	bool sve = field_get(p, p->value, ARM64_F_SVE) != 0;
	struct gcpu_step *s = recipe_add(p, GCPU_PHASE_ALL_VCPUS, "vcpu", "KVM_ARM_VCPU_INIT",
					 "the same features on every vCPU: what is opted into");

	recipe_arg(s, "target", p->snap->target, NULL);
	recipe_arg(s, "features[0]", features, NULL);
	if (!sve)
		return;
	s = recipe_add(p, GCPU_PHASE_ALL_VCPUS, "vcpu", "KVM_SET_ONE_REG",
		       "vector lengths, before they are frozen by FINALIZE");
	recipe_arg(s, "id", GK_REG_ARM64_SVE_VLS, "KVM_REG_ARM64_SVE_VLS");
	recipe_arg(s, "value", p->value[ARM64_W_SVE_0], NULL);
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
	       p->value[word] == snapshot_reg(p->snap, p->facts->words[word].addr)->value[0];
}

static void register_steps(struct gcpu_plan *p)
{
	for (unsigned i = 0; i < p->facts->n_words; i++) {
		const struct word_fact *w = &p->facts->words[i];
		unsigned owners = 0;
		struct gcpu_step *s;

		for (unsigned k = 0; k < w->n; k++)
			owners |= p->facts->fields[w->first + k].owner;
		if (w->klass != CLASS_FIELDS || ADDR_SPACE(w->addr) != SPACE_REG ||
		    !(owners & OWNER_CHOSEN) || !snapshot_reg(p->snap, w->addr) || tagging_unseen(p, i))
			continue;
		s = recipe_add(p, GCPU_PHASE_VM_ONCE, "vcpu", "KVM_SET_ONE_REG",
			       "ID registers first, once for the VM: no later default moves them");
		recipe_arg(s, "id", w->addr, w->name);
		recipe_arg(s, "value", p->value[i], NULL);
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

static int recipe(struct gcpu_plan *p)
{
	struct gcpu_step *s;

	if (!gcpu_snapshot_has_gic(p->snap, p->machine.gic)) {
		plan_find(p, ARM64_R_GIC_MISSING, -1, SEVERITY_ERROR, NULL);
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
	register_steps(p);
	pmu_steps(p);
	return 0;
}

const struct arch gcpu_arch_arm64 = {
	.id = GCPU_ARCH_ARM64,
	.facts = &gcpu_facts_arm64,
	.unknown_fixed = true,
	.refuses_values = true,
	.offer = offer,
	.raw = raw,
	.trial = trial,
	.derive = derive,
	.vcpu_word = vcpu_word,
	.recipe = recipe,
};

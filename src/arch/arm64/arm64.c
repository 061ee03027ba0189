/* SPDX-License-Identifier: MIT */
/* arm64: opt in by VCPU_INIT, opt out by ID registers. */
#include "arm64.h"
#include "kvm/abi.h"
#include "kvm/abi_arm64.h"
#include "predict.h"

#include <errno.h>

/* A register of the firmware whose bits are services. */
#define REG_IS_BITMAP(addr) \
	(ADDR_SPACE(addr) == SPACE_FW && ((addr) & GK_REG_ARM_KIND_MASK) == GK_REG_ARM_FW_FEAT_BMAP)

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

/* Bits of a register of the firmware that KVM took, whatever it begins with. */
static uint64_t taken_bits(const struct gcpu_snapshot *s, uint64_t id)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < s->nibbles.n; i++) {
		const struct snap_nibble *n = LIST_AT(&s->nibbles, struct snap_nibble, i);

		for (unsigned v = 1; v < 16 && n->id == id; v <<= 1)
			if (n->accepted >> v & 1)
				bits |= (uint64_t)v << n->lsb;
	}
	return bits;
}

static void offer(struct gcpu_plan *p)
{
	for (unsigned i = 0; i < p->facts->n_words; i++) {
		uint64_t addr = p->facts->words[i].addr;
		const struct snap_reg *r = snapshot_word(p->snap, addr);

		if (addr == ADDR_INIT)
			p->offer[i] = init_offered(p->snap);
		else if (addr == ADDR_SVE)
			r = snapshot_reg(p->snap, GK_REG_ARM64_SVE_VLS);
		if (r && r->n_words)
			p->offer[i] = r->value[0];
		if (REG_IS_BITMAP(addr))
			p->offer[i] |= taken_bits(p->snap, ADDR_ONE_REG(addr));
	}
}

static bool raw(const struct gcpu_plan *p, enum snap_tables table, unsigned field, uint64_t *ret)
{
	const struct field_fact *f = &p->facts->fields[field];
	const struct snap_reg *r = snapshot_word(p->snap, p->facts->words[f->word].addr);

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
	const struct snap_reg *r = snapshot_word(p->snap, addr);
	unsigned lsb = f->lsb & ~3U, shift = f->lsb - lsb;

	if (!r || !r->n_words || f->width + shift > 4)
		return NULL;
	*ret = (unsigned)((r->value[0] >> lsb & 15 & ~(field_mask(f) << shift)) | value << shift);
	return snapshot_nibble(p->snap, ADDR_ONE_REG(addr), lsb);
}

/* No trial: what the facts make of it. False if the value would be moved, or there is no register. */
static bool foretold(const struct gcpu_plan *p, unsigned field, uint64_t value, int *ret_error)
{
	const struct field_fact *f = &p->facts->fields[field];
	struct predict_vm vm = predict_vm_of(p->snap);
	struct prediction is;
	struct predict_reg r;

	if (ADDR_SPACE(p->facts->words[f->word].addr) != SPACE_REG ||
	    !predict_reg_of(p->snap, p->facts->words[f->word].addr, &r))
		return false;
	is = predict_field(&vm, &r, field, value);
	*ret_error = is.error;
	return is.error || (is.value >> f->lsb & field_mask(f)) == value;
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
	if (!p->snap->has_trial)
		return foretold(p, field, value, ret_error);
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

static bool keeps(const struct gcpu_plan *p, unsigned field, uint64_t value)
{
	const struct snap_nibble *n;
	unsigned v;
	int error = 0;

	if (!p->snap->has_trial)
		return foretold(p, field, value, &error) && error;
	n = tried(p, field, value, &v);
	return n && !((n->accepted | n->changed) >> v & 1);
}

/* A rule may foretell what KVM settles at the first run (GIC); one that takes
 * nothing else before it, or never settles it, has the last word. */
static int derive(struct gcpu_plan *p, struct gcpu_error *err)
{
	unsigned rule = p->snap->has_trial ? RULE_KVM_KEEPS : RULE_KVM_WOULD_KEEP;

	(void)err;
	for (unsigned i = 0; i < p->facts->n_fields; i++) {
		const struct field_fact *f = &p->facts->fields[i];
		const struct field_state *s = &p->fields[i];
		uint64_t addr = p->facts->words[f->word].addr;

		if (!(f->owner & OWNER_RUNTIME) || !keeps(p, i, field_get(p, p->value, i)))
			continue;
		plan_set(p, i, snapshot_word(p->snap, addr)->value[0] >> f->lsb & field_mask(f), rule);
		if (s->said != SAID_VALUE || s->unavailable || s->asked == field_get(p, p->value, i))
			continue;
		plan_unavailable(p, i, rule);
		plan_find(p, rule, (int)i, SEVERITY_WARNING, "%s: %s", field_known_as(p, i),
			  p->facts->rules[rule].sentence);
	}
	return 0;
}

uint64_t arm64_mpidr(uint64_t value, uint64_t id)
{
	static const struct {
		unsigned field, shift;
	} parts[] = { { ARM64_F_MPIDR_EL1_AFF0, 0 },
		      { ARM64_F_MPIDR_EL1_AFF1, 4 },
		      { ARM64_F_MPIDR_EL1_AFF2, 12 } };

	for (unsigned i = 0; i < 3; i++) {
		const struct field_fact *f = &gcpu_facts_arm64.fields[parts[i].field];
		uint64_t part = i == 0 ? id & 15 : id >> parts[i].shift & field_mask(f);

		value = (value & ~(field_mask(f) << f->lsb)) | part << f->lsb;
	}
	return value;
}

static uint64_t vcpu_word(const struct gcpu_plan *p, unsigned vcpu, unsigned word)
{
	if (word != p->facts->fields[ARM64_F_MPIDR_EL1_AFF0].word)
		return p->value[word];
	return arm64_mpidr(p->value[word], p->vcpu_ids[vcpu]);
}

const struct arch gcpu_arch_arm64 = {
	.id = GCPU_ARCH_ARM64,
	.facts = &gcpu_facts_arm64,
	.unknown_fixed = true,
	.refuses_values = true,
	.offer = offer,
	.raw = raw,
	.limit = arm64_limit,
	.trial = trial,
	.derive = derive,
	.vcpu_word = vcpu_word,
	.recipe = arm64_recipe,
};

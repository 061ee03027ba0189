/* SPDX-License-Identifier: MIT */
/* Registers of features: their limits in this VM, and what a write makes of them. */
#include "arm64.h"

#include "arch/arm64/arm64.h"

static const struct facts *const facts = &gcpu_facts_arm64;

bool arm64_is_id(uint64_t id)
{
	unsigned op1 = (unsigned)(id >> 11) & 7;

	return (id & ~GK_REG_ARM64_SYSREG_MASK) == GK_ARM64_SYS_REG(0, 0, 0, 0, 0) && (id >> 14 & 3) == 3 &&
	       !(id >> 7 & 15) && (id >> 3 & 15) < 8 && (op1 == 0 || op1 == 1 || op1 == 3);
}

int arm64_index(const struct gcpu_model *m, uint64_t id)
{
	const struct list *regs = &m->host->regs;
	size_t low = 0, high = regs->n;

	/* they are in the order of their ids */
	while (low < high) {
		size_t at = (low + high) / 2;

		if (LIST_AT(regs, struct snap_reg, at)->id < id)
			low = at + 1;
		else
			high = at;
	}
	return low < regs->n && LIST_AT(regs, struct snap_reg, low)->id == id ? (int)low : -1;
}

static void put(uint64_t *word, const struct field_fact *f, uint64_t value)
{
	*word = (*word & ~(field_mask(f) << f->lsb)) | (value & field_mask(f)) << f->lsb;
}

static uint64_t get(uint64_t word, const struct field_fact *f)
{
	return word >> f->lsb & field_mask(f);
}

/* What the snapshot's VM had and this one was not opted into takes its fields along. */
static void opt_out(const struct arm64_vcpu *x, uint64_t id, uint64_t *value)
{
	uint32_t gone = arm64_model(x)->host->init_features & ~(x->features | x->stuck);

	for (unsigned i = 0; i < facts->n_requires; i++) {
		const struct require_fact *r = &facts->requires[i];
		const struct field_fact *child = &facts->fields[r->child], *parent = &facts->fields[r->parent[0]];

		if (facts->words[child->word].addr == id && r->n == 1 && facts->words[parent->word].addr == ADDR_INIT &&
		    (gone >> parent->lsb & 1))
			put(value, child, field_off(child));
	}
	/* without SVE there is nothing to be said about it */
	if (id == facts->words[ARM64_W_ID_AA64ZFR0_EL1].addr && (gone >> facts->fields[ARM64_F_SVE].lsb & 1))
		*value = 0;
}

static void without_tags(uint64_t id, uint64_t *value)
{
	static const unsigned fields[] = { ARM64_F_ID_AA64PFR1_EL1_MTE, ARM64_F_ID_AA64PFR1_EL1_MTE_FRAC,
					   ARM64_F_CLIDR_EL1_TTYPE1, ARM64_F_CLIDR_EL1_TTYPE2, ARM64_F_CLIDR_EL1_TTYPE3,
					   ARM64_F_CLIDR_EL1_TTYPE4, ARM64_F_CLIDR_EL1_TTYPE5, ARM64_F_CLIDR_EL1_TTYPE6,
					   ARM64_F_CLIDR_EL1_TTYPE7 };

	for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (facts->words[facts->fields[fields[i]].word].addr == id)
			put(value, &facts->fields[fields[i]], 0);
}

uint64_t arm64_limit_of(const struct arm64_vcpu *x, int index)
{
	const struct snap_reg *r = LIST_AT(&arm64_model(x)->host->regs, struct snap_reg, index);
	uint64_t value = r->value[0];

	if (r->id == facts->words[ARM64_W_MPIDR_EL1].addr)
		return arm64_mpidr(value, x->v->id);
	if (!arm64_is_id(r->id))
		return value;
	opt_out(x, r->id, &value);
	if (!arm64_vm(x->v->vm)->mte)
		without_tags(r->id, &value);
	return value;
}

/* What can be set where ID registers are each vCPU's own: the rest is its limit. */
static bool is_shared(unsigned field)
{
	return field == ARM64_F_ID_AA64PFR0_EL1_CSV2 || field == ARM64_F_ID_AA64PFR0_EL1_CSV3;
}

static uint64_t own_value(const struct arm64_vcpu *x, int index)
{
	const struct snap_reg *r = LIST_AT(&arm64_model(x)->host->regs, struct snap_reg, index);
	uint64_t value = arm64_limit_of(x, index);

	for (unsigned i = 0; i < facts->n_fields; i++)
		if (is_shared(i) && facts->words[facts->fields[i].word].addr == r->id)
			put(&value, &facts->fields[i], get(arm64_vm(x->v->vm)->now[index], &facts->fields[i]));
	return value;
}

uint64_t arm64_id_value(const struct arm64_vcpu *x, int index)
{
	uint64_t id = LIST_AT(&arm64_model(x)->host->regs, struct snap_reg, index)->id;

	if (id == facts->words[ARM64_W_MPIDR_EL1].addr)
		return x->mpidr;
	if (id == facts->words[ARM64_W_CLIDR_EL1].addr)
		return x->clidr;
	if (!sw_behaves(arm64_model(x), BEHAVIOUR_VM_WIDE_FEATURES))
		return own_value(x, index);
	return arm64_vm(x->v->vm)->now[index];
}

int arm64_set_id(struct arm64_vcpu *x, int index, uint64_t value)
{
	const struct snap_reg *s = LIST_AT(&arm64_model(x)->host->regs, struct snap_reg, index);
	struct predict_vm p = arm64_view(x);
	struct prediction is = predict_register(
		&p, &(struct predict_reg){ s->id, arm64_limit_of(x, index), arm64_id_value(x, index), s->mask }, value);

	if (is.error)
		return -is.error;
	if (s->id == facts->words[ARM64_W_MPIDR_EL1].addr)
		x->mpidr = is.value;
	else if (s->id == facts->words[ARM64_W_CLIDR_EL1].addr)
		x->clidr = is.value;
	else
		arm64_vm(x->v->vm)->now[index] = is.value;
	return 0;
}

void arm64_ids_new(struct arm64_vcpu *x)
{
	const struct list *regs = &arm64_model(x)->host->regs;

	for (size_t i = 0; i < regs->n; i++)
		if (arm64_is_id(LIST_AT(regs, struct snap_reg, i)->id))
			arm64_vm(x->v->vm)->now[i] = arm64_limit_of(x, (int)i);
}

/* What the ID registers say of the GIC's system registers: as the host has it, or nothing. */
static void tell_of_gic(struct sw_vm *vm, bool there)
{
	static const unsigned fields[] = { ARM64_F_ID_AA64PFR0_EL1_GIC, ARM64_F_ID_PFR1_EL1_GIC };
	struct arm64_vm *a = arm64_vm(vm);

	for (unsigned i = 0; i < 2; i++) {
		const struct field_fact *f = &facts->fields[fields[i]];
		int k = arm64_index(vm->model, facts->words[f->word].addr);

		if (k >= 0)
			put(&a->now[k], f, there ? get(LIST_AT(&vm->model->host->regs, struct snap_reg, k)->value[0], f) : 0);
	}
}

void arm64_ids_settle(struct sw_vm *vm)
{
	if (!arm64_vm(vm)->ran && !arm64_vm(vm)->gic.type && sw_behaves(vm->model, BEHAVIOUR_GIC_SETTLED))
		tell_of_gic(vm, false);
}

void arm64_ids_gic_made(struct sw_vm *vm)
{
	if (arm64_vm(vm)->settled && sw_behaves(vm->model, BEHAVIOUR_GIC_TELLS))
		tell_of_gic(vm, arm64_vm(vm)->gic.type == GK_DEV_TYPE_ARM_VGIC_V3);
}

uint64_t arm64_field(const struct arm64_vcpu *x, unsigned field)
{
	const struct field_fact *f = &facts->fields[field];
	uint64_t addr = facts->words[f->word].addr;
	int i = arm64_index(arm64_model(x), addr);

	if (addr == ADDR_INIT)
		return (x->features | x->stuck) >> f->lsb & 1;
	return i < 0 ? 0 : get(arm64_id_value(x, i), f);
}

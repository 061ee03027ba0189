/* SPDX-License-Identifier: MIT */
/* ID registers: is a value taken, and what is read afterwards. */
#include "predict.h"

#include <errno.h>

static const struct facts *const facts = &gcpu_facts_arm64;

const char *predict_text(const struct prediction *p)
{
	static const char *const texts[] = {
		[PREDICT_SAME] = "it is what the register has",
		[PREDICT_WITHIN] = "every field is within its limit, by its order",
		[PREDICT_STATE] = "the vCPU is not so far yet, or too far",
		[PREDICT_NO_FIELD] = "bits that no field has stay as they are",
		[PREDICT_READ_ONLY] = "this KVM lets nobody write the field",
		[PREDICT_ABOVE] = "more than this KVM offers, by the field's order",
		[PREDICT_LEAST] = "less than the field's least value",
		[PREDICT_UNKNOWN] = "this kernel does not know the bit",
		[PREDICT_LACKS] = "this host does not have it",
		[PREDICT_TOGETHER] = "bits that do not go with, or without, each other",
	};

	return p->why == PREDICT_ROW ? p->row->sentence : texts[p->why];
}

static struct prediction answer(int error, uint64_t value, enum predict_why why)
{
	return (struct prediction){ error, value, why, -1, NULL };
}

static uint64_t field_of(const struct gcpu_snapshot *s, unsigned field)
{
	const struct field_fact *f = &facts->fields[field];
	const struct snap_reg *r = snapshot_reg(s, facts->words[f->word].addr);

	return r && r->n_words ? r->value[0] >> f->lsb & field_mask(f) : 0;
}

struct predict_vm predict_vm_of(const struct gcpu_snapshot *s)
{
	struct predict_vm vm = { .state = PREDICT_FINALIZED, .features = s->init_features, .kernel = s->kernel };

	vm.coherent = field_of(s, ARM64_F_CTR_EL0_IDC) != 0;
	/* 1: EL0 is AArch64 alone */
	if (field_of(s, ARM64_F_ID_AA64PFR0_EL1_EL0) != 1)
		vm.flags |= EXCEPTION_AARCH32;
	if (field_of(s, ARM64_F_ID_AA64PFR1_EL1_MTE))
		vm.flags |= EXCEPTION_MTE;
	for (size_t i = 0; i < s->regs.n && vm.masks == PREDICT_MASKS_UNKNOWN; i++)
		if (LIST_AT(&s->regs, struct snap_reg, i)->has_mask)
			vm.masks = PREDICT_MASKS_TOLD;
	/* who was asked for capabilities and does not have this one has no masks */
	if (vm.masks == PREDICT_MASKS_UNKNOWN && (s->caps_vm.n || s->caps_system.n) &&
	    gcpu_snapshot_capability(s, CAP_ARM_SUPPORTED_REG_MASK_RANGES) <= 0)
		vm.masks = PREDICT_MASKS_NONE;
	return vm;
}

bool predict_reg_of(const struct gcpu_snapshot *s, uint64_t id, struct predict_reg *ret)
{
	const struct snap_reg *r = snapshot_reg(s, id);

	if (!r || r->n_words != 1)
		return false;
	*ret = (struct predict_reg){ id, r->value[0], r->value[0], r->mask };
	return true;
}

static const struct word_fact *word_of(uint64_t id)
{
	for (unsigned i = 0; i < facts->n_words; i++)
		if (facts->words[i].addr == id)
			return &facts->words[i];
	return NULL;
}

/* CRm in the encoding of a system register. */
static unsigned crm(uint64_t id)
{
	return (unsigned)(id >> 3) & 15;
}

/* What the VM has and is, as conditions of rows. */
static unsigned flags(const struct predict_vm *vm)
{
	return vm->flags | (vm->state == PREDICT_RAN ? EXCEPTION_RAN : 0U) |
	       (vm->masks != PREDICT_MASKS_NONE ? EXCEPTION_MASKS : 0U);
}

static bool row_holds(const struct predict_vm *vm, const struct exception_fact *e, uint64_t id,
		      uint64_t value, uint64_t limit)
{
	unsigned have = flags(vm);

	if ((have & e->need) != e->need || (have & e->never) || crm(id) < e->crm_least ||
	    crm(id) > e->crm_most || value < e->least || value > e->most ||
	    limit < e->limit_least || limit > e->limit_most)
		return false;
	if (e->since && vm->kernel && kernel_too_old(e->since, vm->kernel))
		return false;
	return !e->until || (vm->kernel && kernel_too_old(e->until, vm->kernel));
}

const struct exception_fact *predict_row(const struct predict_vm *vm, int word, int field, uint64_t id,
					 uint64_t value, uint64_t limit)
{
	/* what is allocated to nobody is not ignored */
	bool nobodys = word < 0 || facts->words[word].klass == CLASS_ZERO;

	for (unsigned i = 0; i < facts->n_exceptions; i++) {
		const struct exception_fact *e = &facts->exceptions[i];

		if (field < 0 && nobodys && e->effect == EXCEPTION_IGNORED)
			continue;
		if ((field < 0 ? e->field < 0 && (e->word < 0 || e->word == word) : e->field == field) &&
		    row_holds(vm, e, id, value, limit))
			return e;
	}
	return NULL;
}

/* No lowest level means that the instruction cache is coherent without cleaning. */
static bool implies_coherence(uint64_t clidr)
{
	const struct field_fact *louis = &facts->fields[ARM64_F_CLIDR_EL1_LOUIS];
	const struct field_fact *louu = &facts->fields[ARM64_F_CLIDR_EL1_LOUU];
	const struct field_fact *loc = &facts->fields[ARM64_F_CLIDR_EL1_LOC];

	return !(clidr >> loc->lsb & field_mask(loc)) ||
	       (!(clidr >> louis->lsb & field_mask(louis)) && !(clidr >> louu->lsb & field_mask(louu)));
}

/* What a row makes of a whole register. */
static struct prediction by_row(const struct predict_vm *vm, const struct exception_fact *e,
				const struct word_fact *w, const struct predict_reg *r, uint64_t value)
{
	struct prediction p = answer(0, value, PREDICT_ROW);

	p.row = e;
	switch (e->effect) {
	case EXCEPTION_REFUSED:
		p.error = (int)e->to;
		break;
	case EXCEPTION_CACHES:
		if ((value & ~w->known) || (implies_coherence(value) && !vm->coherent))
			p.error = EINVAL;
		break;
	case EXCEPTION_MASKED:
		if (value & ~r->mask)
			p.error = EINVAL;
		break;
	case EXCEPTION_FIXED:
		p.error = value == r->limit ? 0 : EINVAL;
		break;
	case EXCEPTION_IGNORED:
		p.value = r->now;
		break;
	default:
		break;
	}
	return p;
}

static bool writable(const struct predict_vm *vm, const struct predict_reg *r,
		     const struct field_fact *f)
{
	if (vm->masks == PREDICT_MASKS_UNKNOWN)
		return f->owner & OWNER_CHOSEN;
	return vm->masks == PREDICT_MASKS_TOLD && (r->mask >> f->lsb & field_mask(f)) == field_mask(f);
}

static struct prediction *refuse(struct prediction *p, int error, enum predict_why why,
				 const struct exception_fact *row)
{
	p->error = error;
	p->why = why;
	p->row = row;
	return p;
}

/* What KVM looks at first in a field: rows and least values. True if nothing is left to be looked at. */
static bool first_look(const struct predict_vm *vm, const struct predict_reg *r, unsigned field,
		       struct prediction *p)
{
	const struct field_fact *f = &facts->fields[field];
	uint64_t mask = field_mask(f), value = p->value >> f->lsb & mask, limit = r->limit >> f->lsb & mask;
	const struct exception_fact *e;

	if (value == limit)
		return false;
	e = predict_row(vm, -1, (int)field, r->id, value, limit);
	p->field = (int)field;
	if (e && (e->effect == EXCEPTION_REFUSED || e->effect == EXCEPTION_FIXED)) {
		refuse(p, e->effect == EXCEPTION_REFUSED ? (int)e->to : EINVAL, PREDICT_ROW, e);
	} else if (e && (e->effect == EXCEPTION_IGNORED || e->effect == EXCEPTION_BECOMES)) {
		value = e->effect == EXCEPTION_BECOMES ? e->to : r->now >> f->lsb & mask;
		p->value = (p->value & ~(mask << f->lsb)) | value << f->lsb;
		p->why = PREDICT_ROW;
		p->row = e;
	} else if (value < f->min && writable(vm, r, f) && !(e && e->effect == EXCEPTION_ANY)) {
		refuse(p, EINVAL, PREDICT_LEAST, NULL);
	}
	return p->error;
}

/* And then: may it be written, and how far. */
static void second_look(const struct predict_vm *vm, const struct predict_reg *r, unsigned field,
			struct prediction *p)
{
	const struct field_fact *f = &facts->fields[field];
	uint64_t mask = field_mask(f), value = p->value >> f->lsb & mask, limit = r->limit >> f->lsb & mask;
	const struct exception_fact *e;

	if (value == limit)
		return;
	e = predict_row(vm, -1, (int)field, r->id, value, limit);
	p->field = (int)field;
	if (e && e->effect == EXCEPTION_FREE)
		return;
	if (!(e && e->effect == EXCEPTION_ORDER) && !writable(vm, r, f))
		refuse(p, EINVAL, PREDICT_READ_ONLY, NULL);
	else if (!field_within(f, value, limit))
		refuse(p, EINVAL, PREDICT_ABOVE, NULL);
}

static struct prediction fields(const struct predict_vm *vm, const struct predict_reg *r,
				const struct word_fact *w, const struct exception_fact *frozen, uint64_t value)
{
	struct prediction p = answer(0, value, PREDICT_WITHIN);

	for (unsigned i = 0; w && i < w->n; i++)
		if (first_look(vm, r, w->first + i, &p))
			return p;
	if (frozen && p.value != r->now)
		return *refuse(&p, (int)frozen->to, PREDICT_ROW, frozen);
	if (frozen)
		return p;
	if ((value ^ r->limit) & ~(w ? w->known : 0))
		return *refuse(&p, EINVAL, PREDICT_NO_FIELD, NULL);
	for (unsigned i = 0; w && i < w->n && !p.error; i++)
		second_look(vm, r, w->first + i, &p);
	return p;
}

struct prediction predict_register(const struct predict_vm *vm, const struct predict_reg *r,
				   uint64_t value)
{
	const struct word_fact *w = word_of(r->id);
	const struct exception_fact *e;
	struct prediction p;

	if (vm->state == PREDICT_CREATED)
		return answer(ENOEXEC, 0, PREDICT_STATE);
	if (value == r->now)
		return answer(0, value, PREDICT_SAME);
	e = predict_row(vm, w ? (int)(w - facts->words) : -1, -1, r->id, value, r->limit);
	if (e && !(e->need & EXCEPTION_RAN))
		p = by_row(vm, e, w, r, value);
	else
		p = fields(vm, r, w, e && (e->need & EXCEPTION_RAN) ? e : NULL, value);
	if (p.error)
		p.value = r->now;
	return p;
}

struct prediction predict_field(const struct predict_vm *vm, const struct predict_reg *r,
				unsigned field, uint64_t value)
{
	const struct field_fact *f = &facts->fields[field];
	uint64_t mask = field_mask(f) << f->lsb;

	return predict_register(vm, r, (r->limit & ~mask) | value << f->lsb);
}

/* SPDX-License-Identifier: MIT */
/*
 * What KVM promises of ID registers: the assertions of the kernel's own test set_id_regs, each a check with a
 * name, and some more. What is expected comes from the architecture and KVM's documents, not from predict.c.
 */
#include "assert.h"

#include <stdarg.h>

const struct field_fact *field_at(unsigned field)
{
	return &gcpu_facts_arm64.fields[field];
}

uint64_t reg_of(unsigned field)
{
	return gcpu_facts_arm64.words[field_at(field)->word].addr;
}

uint64_t get_field(uint64_t word, unsigned field)
{
	return word >> field_at(field)->lsb & field_mask(field_at(field));
}

uint64_t put_field(uint64_t word, unsigned field, uint64_t value)
{
	uint64_t mask = field_mask(field_at(field)) << field_at(field)->lsb;

	return (word & ~mask) | value << field_at(field)->lsb;
}

bool hold(struct tally *t, bool good, const char *format, ...)
{
	va_list ap;

	t->n++;
	if (good)
		return true;
	if (t->bad++ >= 5 || t->quiet)
		return false;
	va_start(ap, format);
	printf("     ");
	vprintf(format, ap);
	printf("\n");
	va_end(ap);
	return false;
}

int read_reg(struct lab *l, const struct vm *vm, unsigned vcpu, uint64_t id, uint64_t *ret)
{
	uint64_t value[8] = { 0 };
	int status = call_get_reg(l->kvm, vm->vcpu[vcpu], id, value);

	*ret = value[0];
	return status;
}

/* Write VALUE: the errno must be ERROR, and READS must be read then. */
void expect(struct lab *l, struct vm *vm, struct tally *t, uint64_t id, uint64_t value, int error,
	    uint64_t reads, const char *what)
{
	uint64_t got;
	int status = call_set_reg(l->kvm, vm->vcpu[0], id, &value);
	int is = status < 0 ? -status : 0;

	status = read_reg(l, vm, 0, id, &got);
	hold(t, status == 0 && is == error && got == reads,
	     "%s: 0x%llx to register 0x%llx: errno %d, expected %d; reads 0x%llx, expected 0x%llx", what,
	     (unsigned long long)value, (unsigned long long)id, is, error, (unsigned long long)got,
	     (unsigned long long)reads);
}

static bool mask_has(const struct predict_reg *r, const struct field_fact *f)
{
	return (r->mask >> f->lsb & field_mask(f)) == field_mask(f);
}

/* -1, 0, 1, ... of a signed field, 0, 1, ... of another one. */
static int64_t number(const struct field_fact *f, uint64_t value)
{
	return f->is_signed && value >> (f->width - 1) ? (int64_t)value - (1LL << f->width) : (int64_t)value;
}

/* A value that promises less, or more, than LIMIT; false if there is none. */
bool other_value(unsigned field, uint64_t limit, bool less, uint64_t *ret)
{
	const struct field_fact *f = field_at(field);
	int64_t top = (1LL << (f->width - (f->is_signed ? 1 : 0))) - 1, least = f->is_signed ? -1 : (int64_t)f->min;
	int64_t value = number(f, limit);

	switch (f->order) {
	case ORDER_FLAG:
	case ORDER_LOWER:
		value += less ? -1 : 1;
		break;
	case ORDER_HIGHER:
		value += less ? 1 : -1;
		break;
	case ORDER_SAFE:
		value = less ? (int64_t)f->safe : (value + 1) % (top + 1);
		if (!less && (uint64_t)value == f->safe)
			value = (value + 1) % (top + 1);
		break;
	default:
		return false;
	}
	/* PMUv3 is the least that there is; but no PMU at all is fine */
	if (field == ARM64_F_ID_DFR0_EL1_PERFMON && less && value < 3)
		value = 0;
	*ret = (uint64_t)value & field_mask(f);
	return value >= least && value <= top && *ret != limit;
}

/* Every field of VM that KVM lets be written, one after the other: a value that promises LESS. */
void each_field(struct lab *l, struct vm *vm, struct tally *t, bool less)
{
	const struct facts *facts = &gcpu_facts_arm64;

	for (unsigned i = 0; i < facts->n_fields; i++) {
		const struct predict_reg *r = vm_reg(vm, reg_of(i));
		uint64_t value, word;

		if (!r || !in_range(r->id) || !mask_has(r, field_at(i)) || field_at(i)->order == ORDER_EXACT ||
		    !other_value(i, get_field(r->limit, i), less, &value))
			continue;
		word = put_field(r->limit, i, value);
		expect(l, vm, t, r->id, word, less ? 0 : EINVAL, less ? word : r->limit, field_at(i)->name);
		if (less)
			call_set_reg(l->kvm, vm->vcpu[0], r->id, &r->limit);
	}
}

static const struct {
	const char *name;
	void (*fn)(struct lab *l, struct tally *t);
} checks[] = {
	{ "masks-parameters", check_masks_parameters },
	{ "masks-of-what-is-there", check_masks_exist },
	{ "safe-accepted", check_safe },
	{ "unsafe-refused", check_unsafe },
	{ "debugver-minimum", check_debugver },
	{ "copdbg-minimum", check_copdbg },
	{ "perfmon-minimum", check_perfmon },
	{ "exception-levels-minimum", check_levels },
	{ "gic-settled-at-first-run", check_gic },
	{ "mpam-hardware-value", check_mpam },
	{ "mte-frac", check_mte_frac },
	{ "clidr-level-added", check_clidr },
	{ "ctr-set", check_ctr },
	{ "mpidr-set", check_mpidr },
	{ "implementation-ids", check_imp_ids },
	{ "implementation-ids-without-cap", check_no_imp_ids },
	{ "guest-sees-what-was-set", check_guest },
	{ "init-again-keeps", check_again },
	{ "frozen-after-run", check_frozen },
	{ "vm-wide", check_vm_wide },
	{ "one-feature-set", check_one_set },
};

int assertions(struct lab *l)
{
	for (unsigned i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		struct tally t = { .quiet = l->quiet };

		if (l->only && strcmp(l->only, checks[i].name) != 0)
			continue;
		checks[i].fn(l, &t);
		if (t.none && !t.n) {
			if (!l->quiet)
				printf("none %-32s %s\n", checks[i].name, t.none);
			continue;
		}
		l->checks++;
		/* a check that tried nothing has shown nothing */
		l->failed += t.bad || !t.n;
		if (!l->quiet)
			printf("%s %-32s %u tried, %u bad\n", t.bad || !t.n ? "FAIL" : "ok  ", checks[i].name, t.n, t.bad);
	}
	return 0;
}

const char *assertion_name(unsigned i)
{
	return i < sizeof(checks) / sizeof(checks[0]) ? checks[i].name : NULL;
}

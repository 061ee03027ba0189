/* SPDX-License-Identifier: MIT */
/* KVM's CPUID tables, leaf by leaf, as data/x86/leaves.txt has them. */
#include "supported.h"

#include "facts_gen.h"

#include <string.h>

#define WORD(s, name) ((uint32_t)(s)->words[X86_W_CPUID_##name])

enum { SIGNIFICANT = 1, LIST_END = 64 };
/* Save area without any component beyond the legacy ones: those, and the header. */
enum { XSAVE_LEGACY = 512 + 64, XSAVE_FIRST = 2, XSAVE_END = 63 };
/* Counters that KVM gives a guest at most, and the version. */
enum { PMU_VERSION = 2, PMU_GENERAL = 8, PMU_FIXED = 3 };
/* A linear address has at least that many bits; nested paging of four levels maps as many. */
enum { FOUR_LEVELS = 48 };

static uint64_t xcr0_supported(const struct supported *s)
{
	return WORD(s, 0XD_0X0_EAX);
}

static uint64_t xss_supported(const struct supported *s)
{
	return WORD(s, 0XD_0X1_ECX);
}

static struct snap_cpuid component(const struct supported *s, unsigned i)
{
	struct snap_cpuid e;

	supported_component(s, i, &e);
	return e;
}

/* Bytes that components take, as they lie in the standard form or packed. */
static uint32_t save_area(const struct supported *s, uint64_t components, bool packed)
{
	uint32_t size = XSAVE_LEGACY;

	for (unsigned i = XSAVE_FIRST; i < XSAVE_END; i++) {
		struct snap_cpuid e;
		uint32_t at;

		if (!(components >> i & 1))
			continue;
		e = component(s, i);
		at = !packed ? e.regs[1] : e.regs[2] & 2 ? (size + 63) & ~63U : size;
		if (at + e.regs[0] > size)
			size = at + e.regs[0];
	}
	return size;
}

static uint32_t field_put(unsigned field, uint64_t value)
{
	return (uint32_t)value << FACTS->fields[field].lsb;
}

static uint32_t field_of(unsigned field, uint32_t reg)
{
	const struct field_fact *f = &FACTS->fields[field];

	return reg >> f->lsb & ((1U << f->width) - 1);
}

static uint32_t widths(const struct supported *s, uint32_t raw, bool old)
{
	bool tdp = s->facts[KFACT_TDP];
	uint32_t physical = field_of(X86_F_PHYS_ADDR_BITS, raw), linear = field_of(X86_F_VIRT_ADDR_BITS, raw);
	uint32_t guest = field_of(X86_F_GUEST_PHYS_ADDR_BITS, raw);

	if (linear < FOUR_LEVELS)
		linear = FOUR_LEVELS;
	if (old) {
		if (tdp && guest)
			physical = guest;
		guest = 0;
	} else {
		guest = !tdp ? 0 : physical > FOUR_LEVELS && !s->facts[KFACT_FIVE_LEVEL] ? FOUR_LEVELS : physical;
	}
	return field_put(X86_F_PHYS_ADDR_BITS, physical) | field_put(X86_F_VIRT_ADDR_BITS, linear) |
	       field_put(X86_F_GUEST_PHYS_ADDR_BITS, guest);
}

static uint32_t least_of(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t part_cut(unsigned part, uint32_t reg, uint32_t most)
{
	const struct part_fact *p = &FACTS->parts[part];

	return part_put(p, reg, least_of(part_get(p, reg), most));
}

static uint32_t pmu(uint32_t raw, unsigned reg)
{
	if (reg == 0)
		return part_cut(X86_PART_NUM_COUNTERS_GP, part_cut(X86_PART_PMU_VERSION, raw, PMU_VERSION), PMU_GENERAL);
	raw = part_cut(X86_PART_NUM_COUNTERS_FIXED, raw, PMU_FIXED);
	return part_put(&FACTS->parts[X86_PART_NUM_COUNTERS_FIXED], 0, part_get(&FACTS->parts[X86_PART_NUM_COUNTERS_FIXED], raw)) |
	       part_put(&FACTS->parts[X86_PART_BITWIDTH_FIXED], 0, part_get(&FACTS->parts[X86_PART_BITWIDTH_FIXED], raw)) |
	       part_put(&FACTS->parts[X86_PART_ANYTHREAD_DEPRECATION], 0, 1);
}

static uint32_t xsave(const struct supported *s, unsigned reg)
{
	if (reg == 0)
		return (uint32_t)xcr0_supported(s);
	return reg == 3 ? 0 : save_area(s, xcr0_supported(s), false);
}

static uint32_t avx10(const struct supported *s, uint32_t most)
{
	uint32_t reg = WORD(s, 0X24_0X0_EBX), version = field_of(X86_F_AVX10_VERSION, reg);

	return (reg & ~field_put(X86_F_AVX10_VERSION, version)) | field_put(X86_F_AVX10_VERSION, least_of(version, most));
}

static uint32_t calculated(const struct supported *s, uint32_t calc, const struct snap_cpuid *raw, unsigned reg)
{
	switch (calc) {
	case KCALC_PMU:
		return pmu(raw->regs[reg], reg);
	case KCALC_XSAVE:
		return xsave(s, reg);
	case KCALC_AVX10_1:
		return avx10(s, 1);
	case KCALC_AVX10_2:
		return avx10(s, 2);
	default:
		return widths(s, raw->regs[reg], calc == KCALC_WIDTHS_OLD);
	}
}

static uint32_t fields_of_register(const struct supported *s, uint64_t addr)
{
	for (unsigned i = 0; i < FACTS->n_words; i++)
		if (FACTS->words[i].addr == addr)
			return (uint32_t)s->words[i];
	return 0;
}

static uint32_t make_register(const struct supported *s, const struct kreg *how, const struct snap_cpuid *raw, unsigned reg)
{
	switch (how->how) {
	case KREG_RAW:
		return raw->regs[reg] & how->value;
	case KREG_MOST:
		return least_of(raw->regs[reg], how->value);
	case KREG_FIELDS:
		return fields_of_register(s, ADDR_CPUID(raw->leaf, raw->subleaf, reg));
	case KREG_CALC:
		return calculated(s, how->value, raw, reg);
	default:
		return how->value;
	}
}

static struct snap_cpuid *put(struct list *l, uint32_t leaf, uint32_t subleaf, bool significant)
{
	struct snap_cpuid *e = list_add(l, sizeof(*e));

	if (e) {
		e->leaf = leaf;
		e->subleaf = subleaf;
		e->flags = significant ? SIGNIFICANT : 0;
	}
	return e;
}

/* Sub-leaves of leaf 0xd: 1, and one for each component. */
static int save_components(const struct supported *s, struct list *l, uint32_t leaf)
{
	uint64_t components = xcr0_supported(s) | xss_supported(s);
	uint32_t variants = WORD(s, 0XD_0X1_EAX);
	struct snap_cpuid *e;

	if (!xcr0_supported(s))
		return 0;
	e = put(l, leaf, 1, true);
	if (!e)
		return GCPU_ERR_MEMORY;
	e->regs[0] = variants;
	if (variants & (field_put(X86_F_XSAVEC, 1) | field_put(X86_F_XSAVES, 1)))
		e->regs[1] = save_area(s, components, true);
	e->regs[2] = (uint32_t)xss_supported(s);
	for (unsigned i = XSAVE_FIRST; i < XSAVE_END; i++) {
		struct snap_cpuid raw = component(s, i);

		if (!(components >> i & 1) || !raw.regs[0])
			continue;
		e = put(l, leaf, i, true);
		if (!e)
			return GCPU_ERR_MEMORY;
		memcpy(e->regs, raw.regs, sizeof(raw.regs));
		e->regs[3] = 0;
		if (!(variants & field_put(X86_F_XFD, 1)))
			e->regs[2] &= ~(1U << 2);
	}
	return 0;
}

/* Further sub-leaves of a list, as the CPU has them. */
static int list_subleaves(const struct supported *s, struct list *l, uint32_t leaf, unsigned form, uint32_t first)
{
	const struct part_fact *type = &FACTS->parts[X86_PART_CACHE_TYPE];

	for (uint32_t i = 1; i < LIST_END; i++) {
		struct snap_cpuid raw = supported_raw(s, leaf, i), *e;

		if (form == KLEAF_UPTO ? i > first : !part_get(type, first))
			break;
		e = put(l, leaf, i, true);
		if (!e)
			return GCPU_ERR_MEMORY;
		memcpy(e->regs, raw.regs, sizeof(raw.regs));
		if (form == KLEAF_CACHES)
			first = raw.regs[0];
	}
	return 0;
}

bool supported_is_indexed(uint32_t leaf)
{
	for (unsigned i = 0; i < gcpu_n_kleaf_rules; i++) {
		const struct kleaf_rule *r = &gcpu_kleaf_rules[i];

		if (r->table == SNAP_SUPPORTED && r->leaf == leaf && r->form != KLEAF_ONE && r->form != KLEAF_BASE)
			return true;
	}
	return false;
}

static const struct kleaf_rule *rule_of(const struct supported *s, enum snap_tables table, uint32_t leaf, uint32_t subleaf)
{
	for (unsigned i = 0; i < gcpu_n_kleaf_rules; i++) {
		const struct kleaf_rule *r = &gcpu_kleaf_rules[i];

		if (r->table == table && r->leaf == leaf && r->subleaf == subleaf && supported_when(s, r->when))
			return r;
	}
	return NULL;
}

/* One entry after its rule. */
static struct snap_cpuid *put_by_rule(const struct supported *s, struct list *l, const struct kleaf_rule *r)
{
	struct snap_cpuid raw = supported_raw(s, r->leaf, r->subleaf);
	/* KVM asks no CPU about leaves that it has not, so that these carry no flag */
	bool made_up = r->leaf >> 31 && r->leaf > supported_highest(s, r->leaf);
	struct snap_cpuid *e = put(l, r->leaf, r->subleaf, r->form != KLEAF_ONE && r->form != KLEAF_BASE && !made_up);

	for (unsigned reg = 0; e && reg < 4; reg++)
		e->regs[reg] = make_register(s, &r->regs[reg], &raw, reg);
	return e;
}

/* All entries of one leaf; EAX of its first into *ret_eax. */
static int put_leaf(const struct supported *s, struct list *l, enum snap_tables table, uint32_t leaf, uint32_t *ret_eax)
{
	const struct kleaf_rule *r = rule_of(s, table, leaf, 0);
	struct snap_cpuid *e = r ? put_by_rule(s, l, r) : put(l, leaf, 0, false);
	uint32_t eax;
	int status = 0;

	if (!e)
		return GCPU_ERR_MEMORY;
	eax = e->regs[0];
	*ret_eax = eax;
	if (!r)
		return 0;
	if (r->form == KLEAF_UPTO || r->form == KLEAF_CACHES)
		status = list_subleaves(s, l, leaf, r->form, eax);
	else if (r->form == KLEAF_XSAVE)
		status = save_components(s, l, leaf);
	for (uint32_t i = 1; !status && i < 3; i++) {
		const struct kleaf_rule *sub = rule_of(s, table, leaf, i);

		if (sub && (sub->form == KLEAF_ALSO || i <= eax) && !put_by_rule(s, l, sub))
			status = GCPU_ERR_MEMORY;
	}
	return status;
}

/* Classes of leaves in the order in which KVM takes them. */
static int put_supported(const struct supported *s, struct list *l)
{
	uint32_t done = 1;

	for (unsigned i = 0; i < gcpu_n_kleaf_rules; i++) {
		const struct kleaf_rule *r = &gcpu_kleaf_rules[i];
		uint32_t highest, unused;
		int status;

		if (r->form != KLEAF_BASE || r->leaf == done || rule_of(s, SNAP_SUPPORTED, r->leaf, 0) != r)
			continue;
		done = r->leaf;
		status = put_leaf(s, l, SNAP_SUPPORTED, r->leaf, &highest);
		/* what a damaged dump claims has an end, too */
		highest = least_of(highest, r->leaf + 0xff);
		for (uint32_t leaf = r->leaf + 1; !status && leaf <= highest; leaf++)
			status = put_leaf(s, l, SNAP_SUPPORTED, leaf, &unused);
		if (status)
			return status;
	}
	return 0;
}

static int put_flat(const struct supported *s, struct list *l, enum snap_tables table)
{
	for (unsigned i = 0; i < gcpu_n_kleaf_rules; i++) {
		const struct kleaf_rule *r = &gcpu_kleaf_rules[i];

		if (r->table == table && rule_of(s, table, r->leaf, r->subleaf) == r && !put_by_rule(s, l, r))
			return GCPU_ERR_MEMORY;
	}
	return 0;
}

int supported_leaves(const struct supported *s, struct gcpu_snapshot *out)
{
	int status = put_supported(s, &out->cpuid[SNAP_SUPPORTED]);

	if (!status)
		status = put_flat(s, &out->cpuid[SNAP_EMULATED], SNAP_EMULATED);
	if (!status)
		status = put_flat(s, &out->cpuid[SNAP_HYPERV], SNAP_HYPERV);
	return status;
}

/* SPDX-License-Identifier: MIT */
/*
 * A KVM that puts something else in force than the table that it was given:
 * known by its trial alone. Bits that read back as ones from a table of zeros
 * are forced on, bits that read back as zeros from a table of ones are off;
 * entries that were gone afterwards go, and those that came by themselves
 * come. What moves while a guest runs is not part of it. A leaf with sub-leaves
 * of which anything is forced is this KVM's own: the trial filled its features
 * alone, and nothing of the rest comes from the table either.
 */
#include "x86.h"

#include "../supported.h"
#include "arch/x86/x86.h"

#include <stdlib.h>
#include <string.h>

#define COMPONENTS 64
#define BELOW_CLASS 0x0fffffffU /* of a leaf: what is not its class */

/* Fields that a trial filled; without MOVING, those that do not move by themselves. */
static uint32_t tried(const struct snap_cpuid *e, int reg, bool moving)
{
	const struct facts *f = &gcpu_facts_x86;
	int w = x86_word_at(f, ADDR_CPUID(e->leaf, e->subleaf, reg));
	uint32_t bits = UINT32_MAX;

	if (w < 0 || f->words[w].klass != CLASS_FIELDS)
		return 0;
	for (unsigned i = f->words[w].first; i < f->words[w].first + f->words[w].n; i++)
		if (!moving && (f->fields[i].owner & OWNER_RUNTIME))
			bits &= ~((uint32_t)((1ULL << f->fields[i].width) - 1) << f->fields[i].lsb);
	return bits;
}

static bool dropped(const struct gcpu_snapshot *s, const struct snap_cpuid *e)
{
	return snapshot_cpuid(s, SNAP_SUPPORTED, e->leaf, e->subleaf) &&
	       !snapshot_cpuid(s, SNAP_TRIAL_ZEROS, e->leaf, e->subleaf);
}

static void force(const struct gcpu_snapshot *s, struct snap_cpuid *e, bool moving)
{
	const struct snap_cpuid *zeros = snapshot_cpuid(s, SNAP_TRIAL_ZEROS, e->leaf, e->subleaf);
	const struct snap_cpuid *ones = snapshot_cpuid(s, SNAP_TRIAL_ONES, e->leaf, e->subleaf);

	for (int r = 0; zeros && ones && r < 4; r++) {
		uint32_t bits = tried(e, r, moving);

		e->regs[r] = (e->regs[r] & (ones->regs[r] | ~bits)) | (zeros->regs[r] & bits);
	}
}

/* Was it in the bare table that the trial set? */
static bool was_set(const struct snap_cpuid *e)
{
	bool any = !(e->leaf & BELOW_CLASS);

	for (int r = 0; r < 4 && !any; r++)
		any = tried(e, r, false) != 0;
	return any;
}

/* Where in the bare trial the entries begin that this KVM made of a leaf; behind the end: it made none. */
static size_t made_from(const struct list *bare, uint32_t leaf)
{
	size_t i = 0;

	while (i < bare->n && (LIST_AT(bare, struct snap_cpuid, i)->leaf != leaf ||
			       was_set(LIST_AT(bare, struct snap_cpuid, i))))
		i++;
	return i;
}

static bool entry_has(const struct snap_cpuid *e, unsigned field)
{
	const struct field_fact *f = &gcpu_facts_x86.fields[field];

	return e && (e->regs[ADDR_REG(gcpu_facts_x86.words[f->word].addr)] >> f->lsb & 1);
}

/* Does this KVM put FIELD in force, or the table have it, in an entry that a CPU would answer from? */
static bool comes_to_have(const struct x86_vcpu *x, unsigned field)
{
	uint64_t addr = gcpu_facts_x86.words[gcpu_facts_x86.fields[field].word].addr;
	struct snap_cpuid *e = x86_entry(x, ADDR_LEAF(addr), ADDR_SUBLEAF(addr)), forced;

	if (!e)
		return false;
	forced = *e;
	forced.leaf = ADDR_LEAF(addr);
	forced.subleaf = ADDR_SUBLEAF(addr);
	force(x86_model(x)->host, &forced, false);
	return entry_has(&forced, field);
}

/*
 * A leaf whose first sub-leaf the table lacks is made whole, even if others are there; the save area's
 * only in a table that has XSAVE by then: one without leaf 1 stays as short as it is (measured on
 * kvm_pvm), and so does one without room for all of it. -ENOMEM, and nothing has changed.
 */
static int make(struct x86_vcpu *x)
{
	const struct list *bare = &x86_model(x)->host->cpuid[SNAP_TRIAL_BARE];
	struct snap_cpuid *table = realloc(x->table, (x->n + bare->n) * sizeof(*table));
	bool saves;
	size_t to;

	if (!table)
		return -ENOMEM;
	x->table = table;
	saves = comes_to_have(x, X86_F_XSAVE);
	for (size_t i = 0; i < bare->n; i++) {
		const struct snap_cpuid *e = LIST_AT(bare, struct snap_cpuid, i);
		uint32_t leaf = e->leaf;

		if (i != made_from(bare, leaf) || (leaf == LEAF_SAVE_AREA && !saves) || x86_entry(x, leaf, 0))
			continue;
		for (to = i; to < bare->n && LIST_AT(bare, struct snap_cpuid, to)->leaf == leaf; to++)
			;
		for (; to - i + x->n <= GK_CPUID_ENTRIES_MOST && i < to; i++)
			table[x->n++] = *LIST_AT(bare, struct snap_cpuid, i);
		i = to - 1;
	}
	return 0;
}

/* Is a register of this entry not as it was given, whether that was nothing or all? */
static bool is_forced(const struct gcpu_snapshot *s, uint32_t leaf, uint32_t subleaf)
{
	struct snap_cpuid zeros = { leaf, subleaf, 0, { 0 } }, ones = zeros;

	memset(ones.regs, 0xff, sizeof(ones.regs));
	force(s, &zeros, false);
	force(s, &ones, false);
	for (int r = 0; r < 4; r++)
		if (zeros.regs[r] || ~ones.regs[r])
			return true;
	return false;
}

/* Is any field of a leaf with sub-leaves forced? Then all that is in it is this KVM's. */
static bool is_own(const struct gcpu_snapshot *s, uint32_t leaf)
{
	const struct list *l = &s->cpuid[SNAP_TRIAL_ZEROS];

	for (size_t i = 0; i < l->n && supported_is_indexed(leaf); i++) {
		const struct snap_cpuid *e = LIST_AT(l, struct snap_cpuid, i);

		if (e->leaf == leaf && is_forced(s, leaf, e->subleaf))
			return true;
	}
	return false;
}

/* One sub-leaf, in the entry that a CPU would answer from: others of the same stay as they are. */
static void put_in_force(struct x86_vcpu *x, uint32_t leaf, uint32_t subleaf)
{
	const struct gcpu_snapshot *s = x86_model(x)->host;
	const struct snap_cpuid *own = snapshot_cpuid(s, SNAP_TRIAL_ZEROS, leaf, subleaf);
	struct snap_cpuid *e = x86_entry(x, leaf, subleaf), forced;

	if (!e)
		return;
	if (is_own(s, leaf)) {
		/* none in the trial: a component that guests cannot have */
		memset(e->regs, 0, sizeof(e->regs));
		if (own)
			memcpy(e->regs, own->regs, sizeof(e->regs));
		return;
	}
	forced = *e;
	forced.leaf = leaf;
	forced.subleaf = subleaf;
	force(s, &forced, true); /* where it is the one that KVM keeps up to date, it does so then */
	memcpy(e->regs, forced.regs, sizeof(e->regs));
}

/* In the order of sub-leaves: an entry that answers for several is the last one's. */
static void put_all_in_force(struct x86_vcpu *x)
{
	const struct gcpu_snapshot *s = x86_model(x)->host;
	const struct list *l = &s->cpuid[SNAP_TRIAL_ZEROS];
	bool second = sw_behaves(x86_model(x), BEHAVIOUR_SECOND_SUBLEAF_OWN);

	for (size_t i = 0; i < l->n; i++) {
		const struct snap_cpuid *e = LIST_AT(l, struct snap_cpuid, i);

		if (e->leaf == LEAF_SAVE_AREA)
			continue;
		put_in_force(x, e->leaf, e->subleaf);
		if (second && e->subleaf == 0 && is_own(s, e->leaf) && !snapshot_cpuid(s, SNAP_TRIAL_ZEROS, e->leaf, 1))
			put_in_force(x, e->leaf, 1);
	}
	for (uint32_t n = 0; n < COMPONENTS && is_own(x86_model(x)->host, LEAF_SAVE_AREA); n++)
		put_in_force(x, LEAF_SAVE_AREA, n);
}

static bool needs(unsigned field, unsigned parent)
{
	const struct facts *f = &gcpu_facts_x86;

	for (unsigned i = 0; i < f->n_requires; i++) {
		bool all = f->requires[i].child == field;

		for (unsigned k = 0; k < f->requires[i].n && all; k++)
			all = f->requires[i].parent[k] == parent || needs(f->requires[i].parent[k], parent);
		if (all)
			return true;
	}
	return field == parent;
}

/* Takes a field out of the entry that answers for it. */
static void take_out(struct x86_vcpu *x, unsigned field)
{
	const struct field_fact *f = &gcpu_facts_x86.fields[field];
	uint64_t addr = gcpu_facts_x86.words[f->word].addr;
	struct snap_cpuid *e = x86_entry(x, ADDR_LEAF(addr), ADDR_SUBLEAF(addr));

	if (e && snapshot_cpuid(x86_model(x)->host, SNAP_TRIAL_ZEROS, ADDR_LEAF(addr), ADDR_SUBLEAF(addr)))
		e->regs[ADDR_REG(addr)] &= ~((uint32_t)((1ULL << f->width) - 1) << f->lsb);
}

/*
 * What follows from the save area as the table has it now, if that is this KVM's own: other components than
 * sub-leaf 0 tells of have no place, without AVX's registers nothing is there that needs them, and without
 * sub-leaf 0 no XSAVE. Measured on kvm_pvm.
 */
static void follow_save_area(struct x86_vcpu *x)
{
	struct snap_cpuid *area = x86_entry(x, LEAF_SAVE_AREA, 0), *e;
	const struct facts *f = &gcpu_facts_x86;

	if (!is_own(x86_model(x)->host, LEAF_SAVE_AREA))
		return;
	for (unsigned n = 2; n < COMPONENTS; n++) {
		uint64_t have = area ? area->regs[0] | (uint64_t)area->regs[3] << 32 : 0;

		e = have >> n & 1 ? NULL : x86_entry(x, LEAF_SAVE_AREA, n);
		if (e)
			memset(e->regs, 0, sizeof(e->regs));
	}
	if (!entry_has(area, X86_F_XCR0_AVX))
		for (unsigned i = 0; i < f->n_fields; i++)
			if (ADDR_SPACE(f->words[f->fields[i].word].addr) == SPACE_CPUID && needs(i, X86_F_AVX))
				take_out(x, i);
	if (!area)
		take_out(x, X86_F_XSAVE);
}

/* Leaves of AMX's tiles, and AVX10's. */
static bool is_of_tiles(uint32_t leaf)
{
	const struct facts *f = &gcpu_facts_x86;

	for (unsigned i = 0; i < f->n_ranges; i++)
		if (f->ranges[i].leaf == leaf && f->ranges[i].structure && strcmp(f->ranges[i].structure, "amx") == 0)
			return true;
	return leaf == ADDR_LEAF(f->words[X86_W_CPUID_0X1E_0X0_EAX].addr) ||
	       leaf == ADDR_LEAF(f->words[X86_W_CPUID_0X24_0X0_EAX].addr);
}

/* Was a feature word of the trial other than it was filled? *ret_set: sub-leaves that have one. */
static bool any_forced(const struct gcpu_snapshot *s, size_t *ret_set)
{
	const struct facts *f = &gcpu_facts_x86;
	uint64_t last = 0;

	for (unsigned w = 0; w < f->n_words; w++) {
		uint64_t addr = f->words[w].addr, leaf = addr >> 2;

		if (f->words[w].klass != CLASS_FIELDS || ADDR_SPACE(addr) != SPACE_CPUID || leaf == last ||
		    !snapshot_cpuid(s, SNAP_SUPPORTED, ADDR_LEAF(addr), ADDR_SUBLEAF(addr)))
			continue;
		last = leaf;
		*ret_set += (ADDR_LEAF(addr) & BELOW_CLASS) != 0;
		if (is_forced(s, ADDR_LEAF(addr), ADDR_SUBLEAF(addr)))
			return true;
	}
	return false;
}

/* Does any entry of the trial tell of it? */
bool x86_overrides(const struct gcpu_snapshot *s)
{
	const struct list *l = &s->cpuid[SNAP_SUPPORTED];
	size_t set = 0;

	if (!s->has_trial)
		return false;
	if (any_forced(s, &set))
		return true;
	for (size_t i = 0; i < l->n; i++) {
		if (dropped(s, LIST_AT(l, struct snap_cpuid, i)))
			return true;
		set += !(LIST_AT(l, struct snap_cpuid, i)->leaf & BELOW_CLASS);
	}
	return s->cpuid[SNAP_TRIAL_BARE].n > set; /* what a bare table was, and more */
}

int x86_override(struct x86_vcpu *x)
{
	const struct gcpu_snapshot *s = x86_model(x)->host;
	bool tiles = !sw_behaves(x86_model(x), BEHAVIOUR_TILE_LEAVES_GO);
	unsigned n = 0;
	int status = 0;

	if (!x86_model(x)->overrides)
		return 0;
	for (unsigned i = 0; i < x->n; i++)
		if (!dropped(s, &x->table[i]) && (tiles || !is_of_tiles(x->table[i].leaf)))
			x->table[n++] = x->table[i];
	x->n = n;
	if (s->cpuid[SNAP_TRIAL_BARE].n)
		status = make(x);
	put_all_in_force(x);
	follow_save_area(x);
	return status;
}

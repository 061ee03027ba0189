/* SPDX-License-Identifier: MIT */
/*
 * A KVM that puts something else in force than the table that it was given:
 * known by its trial alone. Bits that read back as ones from a table of zeros
 * are forced on, bits that read back as zeros from a table of ones are off;
 * entries that were gone afterwards go, and those that came by themselves
 * come. What moves while a guest runs is not part of it.
 */
#include "x86.h"

#include "arch/x86/x86.h"

#include <stdlib.h>
#include <string.h>

#define BELOW_CLASS 0x0fffffffU /* of a leaf: what is not its class */

/* Fields that a trial filled, and that do not move by themselves. */
static uint32_t tried(const struct snap_cpuid *e, int reg)
{
	const struct facts *f = &gcpu_facts_x86;
	int w = x86_word_at(f, ADDR_CPUID(e->leaf, e->subleaf, reg));
	uint32_t bits = UINT32_MAX;

	if (w < 0 || f->words[w].klass != CLASS_FIELDS)
		return 0;
	for (unsigned i = f->words[w].first; i < f->words[w].first + f->words[w].n; i++)
		if (f->fields[i].owner & OWNER_RUNTIME)
			bits &= ~((uint32_t)((1ULL << f->fields[i].width) - 1) << f->fields[i].lsb);
	return bits;
}

static bool dropped(const struct gcpu_snapshot *s, const struct snap_cpuid *e)
{
	return snapshot_cpuid(s, SNAP_SUPPORTED, e->leaf, e->subleaf) &&
	       !snapshot_cpuid(s, SNAP_TRIAL_ZEROS, e->leaf, e->subleaf);
}

static void force(const struct gcpu_snapshot *s, struct snap_cpuid *e)
{
	const struct snap_cpuid *zeros = snapshot_cpuid(s, SNAP_TRIAL_ZEROS, e->leaf, e->subleaf);
	const struct snap_cpuid *ones = snapshot_cpuid(s, SNAP_TRIAL_ONES, e->leaf, e->subleaf);

	for (int r = 0; zeros && ones && r < 4; r++) {
		uint32_t bits = tried(e, r);

		e->regs[r] = (e->regs[r] & (ones->regs[r] | ~bits)) | (zeros->regs[r] & bits);
	}
}

/* Was it in the bare table that the trial set? */
static bool was_set(const struct snap_cpuid *e)
{
	bool any = !(e->leaf & BELOW_CLASS);

	for (int r = 0; r < 4 && !any; r++)
		any = tried(e, r) != 0;
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

/*
 * A leaf whose first sub-leaf the table lacks is made whole, even if others are there; the save area's
 * only in a table that has XSAVE by then: one without leaf 1 stays as short as it is (measured on
 * kvm_pvm). -ENOMEM, and nothing has changed.
 */
static int make(struct x86_vcpu *x)
{
	const struct list *bare = &x86_model(x)->host->cpuid[SNAP_TRIAL_BARE];
	struct snap_cpuid *table = realloc(x->table, (x->n + bare->n) * sizeof(*table));
	unsigned given = x->n;
	bool saves;

	if (!table)
		return -ENOMEM;
	x->table = table;
	saves = x86_table_has(x, X86_F_XSAVE);
	for (size_t i = 0; i < bare->n; i++) {
		const struct snap_cpuid *e = LIST_AT(bare, struct snap_cpuid, i);
		bool lacks = saves || e->leaf != LEAF_SAVE_AREA;

		for (unsigned k = 0; k < given; k++)
			lacks = lacks && (table[k].leaf != e->leaf || table[k].subleaf);
		if (lacks && i >= made_from(bare, e->leaf))
			table[x->n++] = *e;
	}
	return 0;
}

/* Was a feature word of the trial other than it was filled? *ret_set: sub-leaves that have one. */
static bool any_forced(const struct gcpu_snapshot *s, size_t *ret_set)
{
	const struct facts *f = &gcpu_facts_x86;
	uint64_t last = 0;

	for (unsigned w = 0; w < f->n_words; w++) {
		uint64_t addr = f->words[w].addr, leaf = addr >> 2;
		struct snap_cpuid zeros = { ADDR_LEAF(addr), ADDR_SUBLEAF(addr), 0, { 0 } }, ones = zeros;

		if (f->words[w].klass != CLASS_FIELDS || ADDR_SPACE(addr) != SPACE_CPUID || leaf == last ||
		    !snapshot_cpuid(s, SNAP_SUPPORTED, zeros.leaf, zeros.subleaf))
			continue;
		last = leaf;
		*ret_set += (zeros.leaf & BELOW_CLASS) != 0;
		memset(ones.regs, 0xff, sizeof(ones.regs));
		force(s, &zeros);
		force(s, &ones);
		for (int r = 0; r < 4; r++)
			if (zeros.regs[r] || ~ones.regs[r])
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
	unsigned n = 0;

	if (!x86_model(x)->overrides)
		return 0;
	for (unsigned i = 0; i < x->n; i++) {
		if (dropped(s, &x->table[i]))
			continue;
		x->table[n] = x->table[i];
		force(s, &x->table[n++]);
	}
	x->n = n;
	return s->cpuid[SNAP_TRIAL_BARE].n ? make(x) : 0;
}

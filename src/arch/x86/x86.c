/* SPDX-License-Identifier: MIT */
/* x86: what a snapshot offers, and what its trial foretells. */
#include "x86.h"

static uint64_t raw_word(const struct gcpu_plan *p, enum snap_tables table, uint64_t addr, bool *found)
{
	const struct snap_cpuid *e;
	const struct snap_msr *m;

	*found = false;
	if (ADDR_SPACE(addr) == SPACE_MSR) {
		m = table == SNAP_SUPPORTED ? snapshot_msr(p->snap, ADDR_INDEX(addr)) : NULL;
		*found = m != NULL;
		return m ? m->value : 0;
	}
	e = snapshot_cpuid(p->snap, table, ADDR_LEAF(addr), ADDR_SUBLEAF(addr));
	*found = e != NULL;
	return e ? e->regs[ADDR_REG(addr)] : 0;
}

/* KVM's table leaves tile state out until the process asks for it, which is a
 * step of the recipe. What KVM would give, it tells by an attribute. */
static void offer_tiles(struct gcpu_plan *p)
{
	uint64_t tiles = 1ULL << X86_XTILECFG | 1ULL << X86_XTILEDATA;
	uint64_t xfd = 1ULL << p->facts->fields[X86_F_XFD].lsb;
	bool found;

	if (!p->snap->has_xcomp || (p->snap->xcomp_supported & tiles) != tiles ||
	    !x86_component(p, X86_XTILECFG) || !x86_component(p, X86_XTILEDATA))
		return;
	p->offer[X86_W_CPUID_0XD_0X0_EAX] |= tiles;
	p->offer[X86_W_CPUID_0XD_0X1_EAX] |=
		raw_word(p, SNAP_NATIVE, p->facts->words[X86_W_CPUID_0XD_0X1_EAX].addr, &found) & xfd;
}

/* State that has no place in the save area cannot be given. */
static void drop_placeless(struct gcpu_plan *p)
{
	for (unsigned n = 2; n < 64; n++) {
		unsigned w = n < 32 ? X86_W_CPUID_0XD_0X0_EAX : X86_W_CPUID_0XD_0X0_EDX;

		if ((p->offer[w] >> n % 32 & 1) && !x86_component(p, n))
			p->offer[w] &= ~(1ULL << n % 32);
	}
}

/* A vCPU that refuses KVM's own value of an MSR has nothing of what is in it. */
static void drop_refused(struct gcpu_plan *p)
{
	for (unsigned i = 0; i < p->facts->n_fields; i++) {
		unsigned w = p->facts->fields[i].word;
		uint64_t addr = p->facts->words[w].addr, v = field_get(p, p->offer, i);
		const struct snap_msr *m = v && ADDR_SPACE(addr) == SPACE_MSR ?
						   snapshot_msr(p->snap, ADDR_INDEX(addr)) : NULL;

		if (!m || m->trial != MSR_REFUSED)
			continue;
		field_put(p, p->offer, i, 0);
		plan_record(p, i, X86_R_MSR_REFUSED, v, 0);
		p->fields[i].withdrawn = X86_R_MSR_REFUSED + 1;
	}
}

/* A bit of a control that must be 1 is no choice. */
static void drop_musts(struct gcpu_plan *p)
{
	for (unsigned i = 0; i < p->facts->n_words; i++)
		if (p->facts->words[i].klass == CLASS_PAIR)
			p->offer[i] &= ~(p->offer[i] << 32);
}

/* The four registers of a sub-leaf stand together in the word table: one search for all. */
struct row {
	bool any;
	uint32_t leaf, subleaf;
	const struct snap_cpuid *supported, *zeros, *ones;
};

static void find_row(const struct gcpu_plan *p, uint64_t addr, struct row *r)
{
	if (r->any && r->leaf == ADDR_LEAF(addr) && r->subleaf == ADDR_SUBLEAF(addr))
		return;
	r->any = true;
	r->leaf = ADDR_LEAF(addr);
	r->subleaf = ADDR_SUBLEAF(addr);
	r->supported = snapshot_cpuid(p->snap, SNAP_SUPPORTED, r->leaf, r->subleaf);
	r->zeros = snapshot_cpuid(p->snap, SNAP_TRIAL_ZEROS, r->leaf, r->subleaf);
	r->ones = snapshot_cpuid(p->snap, SNAP_TRIAL_ONES, r->leaf, r->subleaf);
}

static uint64_t row_value(const struct snap_cpuid *e, uint64_t addr)
{
	return e ? e->regs[ADDR_REG(addr)] : 0;
}

static void offer(struct gcpu_plan *p)
{
	struct row r = { 0 };
	bool found;

	x86_vendor(p);
	for (unsigned i = 0; i < p->facts->n_words; i++) {
		uint64_t addr = p->facts->words[i].addr;
		struct word_trial *t = &p->trials[i];

		if (ADDR_SPACE(addr) != SPACE_CPUID) {
			p->offer[i] = raw_word(p, SNAP_SUPPORTED, addr, &found);
			continue;
		}
		find_row(p, addr, &r);
		p->offer[i] = row_value(r.supported, addr);
		/* a leaf that was not in the tables was not tried */
		t->known = p->snap->has_trial && (r.zeros || r.ones || r.supported);
		t->zeros = row_value(r.zeros, addr);
		t->ones = row_value(r.ones, addr);
	}
	offer_tiles(p);
	drop_placeless(p);
	drop_musts(p);
	drop_refused(p);
}

static bool raw(const struct gcpu_plan *p, enum snap_tables table, unsigned field, uint64_t *ret)
{
	const struct field_fact *f = &p->facts->fields[field];
	bool found;
	uint64_t w = raw_word(p, table, p->facts->words[f->word].addr, &found);

	*ret = w >> f->lsb & field_mask(f);
	return found;
}

/* Bits that read back 1 when set to 0 are forced on, those that read back 0
 * when set to 1 are forced off. */
static bool trial(const struct gcpu_plan *p, unsigned field, uint64_t value, uint64_t *ret_force,
		  int *ret_error)
{
	const struct field_fact *f = &p->facts->fields[field];
	const struct word_trial *t = &p->trials[f->word];
	uint64_t zeros = t->zeros >> f->lsb & field_mask(f), ones = t->ones >> f->lsb & field_mask(f);

	*ret_error = 0;
	if (!t->known || (f->owner & OWNER_RUNTIME))
		return false;
	*ret_force = (value & ones) | zeros;
	return true;
}

/* Words without a choice were tried with the value that KVM itself reports, and
 * left out: what came back that was not given, or against what was given, is
 * what this KVM puts in force. */
static bool trial_word(const struct gcpu_plan *p, uint64_t addr, uint64_t value, uint64_t *ret_force)
{
	bool in_zeros, in_ones, in_bare, given;
	uint64_t zeros, ones, bare, was;

	if (!p->snap->has_trial || ADDR_SPACE(addr) != SPACE_CPUID)
		return false;
	was = raw_word(p, SNAP_SUPPORTED, addr, &given);
	zeros = raw_word(p, SNAP_TRIAL_ZEROS, addr, &in_zeros);
	ones = raw_word(p, SNAP_TRIAL_ONES, addr, &in_ones);
	bare = raw_word(p, SNAP_TRIAL_BARE, addr, &in_bare);
	*ret_force = in_bare ? bare : ones;
	if (in_bare)
		return bare != value;
	return zeros == ones && (!given || ones != was || !in_ones);
}

/* Family, model and a range of steppings, as packed by gen/links.py. */
static bool is_cpu(const struct gcpu_plan *p, uint64_t packed)
{
	const struct field_fact *f = p->facts->fields;
	const struct snap_cpuid *e = snapshot_cpuid(p->snap, SNAP_SUPPORTED, 1, 0);
	uint64_t words = e ? e->regs[0] : 0, family, model, stepping;

	family = (words >> f[X86_F_BASE_FAMILY_ID].lsb & field_mask(&f[X86_F_BASE_FAMILY_ID])) +
		 (words >> f[X86_F_EXT_FAMILY].lsb & field_mask(&f[X86_F_EXT_FAMILY]));
	model = (words >> f[X86_F_EXT_MODEL].lsb & field_mask(&f[X86_F_EXT_MODEL])) << 4 |
		(words >> f[X86_F_BASE_MODEL].lsb & field_mask(&f[X86_F_BASE_MODEL]));
	stepping = words >> f[X86_F_STEPPING].lsb & field_mask(&f[X86_F_STEPPING]);
	return e && family == packed >> 32 && model == (packed >> 16 & 0xff) &&
	       stepping >= (packed >> 8 & 0xff) && stepping <= (packed & 0xff);
}

const struct arch gcpu_arch_x86 = {
	.id = GCPU_ARCH_X86,
	.facts = &gcpu_facts_x86,
	.has_base = true,
	.offer = offer,
	.raw = raw,
	.trial = trial,
	.trial_word = trial_word,
	.derive = x86_derive,
	.recipe = x86_recipe,
	.vcpu_entry = x86_vcpu_entry,
	.ids = x86_ids,
	.is_cpu = is_cpu,
	.tsc_khz = x86_tsc_given,
};

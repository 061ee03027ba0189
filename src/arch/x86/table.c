/* SPDX-License-Identifier: MIT */
/* From chosen words to the CPUID table: maxima, sizes, copies, order. */
#include "kvm/abi.h"
#include "kvm/abi_x86.h"
#include "x86.h"

#include <stdlib.h>
#include <string.h>

enum {
	LEAF_MONITOR = 0x5,
	LEAF_XSAVE = 0xd,
	LEAF_EXTENDED_FEATURES = 0x80000001U,
	XSAVE_LEGACY_SIZE = 576, /* legacy region and header, before the first component */
	XSAVE_MOST = 1 << 20,	 /* no save area is as large */
};

/* Word table index of (leaf, sub-leaf, register), or -1. */
int x86_word_at(const struct facts *f, uint64_t addr)
{
	unsigned lo = 0, hi = f->n_words;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (f->words[mid].addr == addr)
			return (int)mid;
		if (f->words[mid].addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
}

static const struct range_fact *range_of(const struct facts *f, uint32_t leaf)
{
	for (unsigned i = 0; i < f->n_ranges; i++)
		if (f->ranges[i].leaf == leaf)
			return &f->ranges[i];
	return NULL;
}

static bool gated_off(const struct gcpu_plan *p, uint32_t leaf)
{
	for (unsigned i = 0; i < p->facts->n_gates; i++) {
		const struct gate_fact *g = &p->facts->gates[i];

		if (!g->is_msr && g->key == leaf && !field_get(p, p->value, g->field))
			return true;
	}
	return false;
}

static uint32_t *reg_of(struct gcpu_cpuid *e, unsigned reg)
{
	uint32_t *const regs[4] = { &e->eax, &e->ebx, &e->ecx, &e->edx };

	return regs[reg];
}

static bool parents_on(const struct gcpu_plan *p, unsigned child)
{
	for (unsigned i = 0; i < p->facts->n_requires; i++) {
		const struct require_fact *r = &p->facts->requires[i];
		bool any = r->child != child;

		for (unsigned k = 0; k < r->n; k++)
			any = any || field_get(p, p->value, r->parent[k]);
		if (!any)
			return false;
	}
	return true;
}

/* State follows the features that were chosen in the end: one of them may
 * have been brought along after the state was found to have no parent. */
static void state_components(struct gcpu_plan *p)
{
	for (unsigned i = 0; i < p->facts->n_fields; i++) {
		unsigned w = p->facts->fields[i].word;

		if (w != X86_W_CPUID_0XD_0X0_EAX && w != X86_W_CPUID_0XD_0X0_EDX &&
		    w != X86_W_CPUID_0XD_0X1_ECX && w != X86_W_CPUID_0XD_0X1_EDX)
			continue;
		field_put(p, p->value, i, 0);
		if (field_get(p, p->offer, i) && parents_on(p, i))
			plan_set(p, i, 1, X86_R_STATE_FOLLOWS);
	}
}

/* A component of the XSAVE area that this guest may have. */
static bool component_on(const struct gcpu_plan *p, unsigned n)
{
	uint64_t xcr0 = p->value[X86_W_CPUID_0XD_0X0_EAX] |
			p->value[X86_W_CPUID_0XD_0X0_EDX] << 32;
	uint64_t xss = p->value[X86_W_CPUID_0XD_0X1_ECX] | p->value[X86_W_CPUID_0XD_0X1_EDX] << 32;

	return n < 64 && ((xcr0 | xss) >> n & 1);
}

/* Every component has a sub-leaf of its own, whatever the flags say. */
static const struct snap_cpuid *component_in(const struct gcpu_plan *p, enum snap_tables t, unsigned n)
{
	const struct snap_cpuid *e = snapshot_cpuid(p->snap, t, LEAF_XSAVE, n);

	return e && e->subleaf == n ? e : NULL;
}

const struct snap_cpuid *x86_component(const struct gcpu_plan *p, unsigned n)
{
	const struct snap_cpuid *e = component_in(p, SNAP_SUPPORTED, n);

	if (!e)
		e = component_in(p, SNAP_NATIVE, n);
	/* a component of no size, or far away, is none */
	return e && e->regs[0] && e->regs[0] <= XSAVE_MOST && e->regs[1] <= XSAVE_MOST ? e : NULL;
}

/* Sizes from the host's offsets: hardware uses them whatever is enabled. */
static void xsave_sizes(struct gcpu_plan *p)
{
	uint64_t xcr0 = p->value[X86_W_CPUID_0XD_0X0_EAX] |
			p->value[X86_W_CPUID_0XD_0X0_EDX] << 32;
	uint32_t size = XSAVE_LEGACY_SIZE, compact = XSAVE_LEGACY_SIZE;

	for (unsigned n = 2; n < 63; n++) {
		const struct snap_cpuid *e = component_on(p, n) ? x86_component(p, n) : NULL;

		if (!e)
			continue;
		if (e->regs[2] & 2)
			compact = (compact + 63) & ~63U;
		compact += e->regs[0];
		if ((xcr0 >> n & 1) && e->regs[1] + e->regs[0] > size)
			size = e->regs[1] + e->regs[0];
	}
	if (!xcr0)
		size = compact = 0;
	if (!field_get(p, p->value, X86_F_XSAVEC) && !field_get(p, p->value, X86_F_XSAVES))
		compact = 0;
	p->value[X86_W_CPUID_0XD_0X0_EBX] = xcr0 ? XSAVE_LEGACY_SIZE : 0;
	p->value[X86_W_CPUID_0XD_0X0_ECX] = size;
	p->value[X86_W_CPUID_0XD_0X1_EBX] = compact;
}

/* AMD repeats bits of leaf 1 in 0x80000001, whatever this KVM says of them. */
static void alias_bits(struct gcpu_plan *p)
{
	for (unsigned i = 0; i < p->facts->n_fields; i++) {
		const struct field_fact *f = &p->facts->fields[i];
		uint64_t bit;

		if (f->kind != KIND_ALIAS || p->facts->words[f->word].addr !=
						     ADDR_CPUID(LEAF_EXTENDED_FEATURES, 0, 3))
			continue;
		bit = p->value[X86_W_CPUID_0X1_0X0_EDX] >> f->lsb & 1;
		bit &= plan_rule_holds(p, X86_R_ALIAS_COPY, i);
		if (bit != field_get(p, p->value, i))
			plan_set(p, i, bit, X86_R_ALIAS_COPY);
	}
}

static bool keeps_unknown(const struct gcpu_plan *p)
{
	return (p->model == MODEL_HOST || p->model == MODEL_MAX) && !p->props[X86_P_MIGRATABLE];
}

/* One register that no exact word describes. */
static uint32_t plain_register(const struct gcpu_plan *p, const struct gcpu_cpuid *e, unsigned reg,
			       uint32_t value)
{
	const struct range_fact *r = range_of(p->facts, e->leaf);

	if (r && (r->regs >> reg & 1))
		return r->klass == CLASS_ZERO ? 0 : value;
	return keeps_unknown(p) ? value : 0;
}

static void fill(struct gcpu_plan *p, struct gcpu_cpuid *e, const uint32_t raw[4])
{
	bool dropped = false;

	for (unsigned reg = 0; reg < 4; reg++) {
		int w = x86_word_at(p->facts, ADDR_CPUID(e->leaf, e->subleaf, reg));
		unsigned klass = w < 0 ? 0 : p->facts->words[w].klass;
		uint32_t v = raw[reg];

		if (w < 0) {
			v = plain_register(p, e, reg, v);
			dropped |= v != raw[reg] && !range_of(p->facts, e->leaf);
		} else if (klass == CLASS_ZERO) {
			v = 0;
		} else if (klass != CLASS_COPY && klass != CLASS_STRUCTURE) {
			v = (uint32_t)p->value[w];
		}
		*reg_of(e, reg) = v;
	}
	if (dropped)
		plan_find(p, RULE_UNKNOWN_DROPPED, -1, SEVERITY_NOTE,
			  "CPUID 0x%x.0x%x: this leaf is in no table and is dropped", e->leaf, e->subleaf);
}

static bool is_structure(const struct gcpu_plan *p, uint32_t leaf, const char *kind)
{
	const struct range_fact *r = range_of(p->facts, leaf);
	int w = x86_word_at(p->facts, ADDR_CPUID(leaf, 0, 0));
	const char *s = r ? r->structure : w >= 0 ? p->facts->words[w].structure : NULL;

	return s && strcmp(s, kind) == 0;
}

static void add_entry(struct gcpu_plan *p, const struct gcpu_cpuid *e)
{
	struct gcpu_cpuid *out = list_add(&p->entries, sizeof(*out));

	if (!out)
		p->memory = true;
	else
		*out = *e;
}

static bool has_entry(const struct gcpu_plan *p, uint32_t leaf)
{
	for (size_t i = 0; i < p->entries.n; i++)
		if (LIST_AT(&p->entries, struct gcpu_cpuid, i)->leaf == leaf)
			return true;
	return false;
}

/* All levels of a topology leaf. */
static void add_topology(struct gcpu_plan *p, uint32_t leaf, uint32_t flags)
{
	struct gcpu_cpuid e = { .leaf = leaf, .flags = flags };

	if (!x86_topology_wanted(p, leaf)) {
		add_entry(p, &e);
		return;
	}
	for (e.subleaf = 0; x86_topology_leaf(p, &e); e.subleaf++)
		add_entry(p, &e);
}

static uint32_t class_top(const struct gcpu_plan *p, uint32_t leaf)
{
	if (leaf >= X86_EXTENDED && leaf < X86_CENTAUR)
		return (uint32_t)p->value[X86_W_CPUID_0X80000000_0X0_EAX];
	if (leaf < KVM_LEAF_BASE)
		return (uint32_t)p->value[X86_W_CPUID_0X0_0X0_EAX];
	return UINT32_MAX;
}

static uint32_t kvm_base(const struct gcpu_plan *p)
{
	return p->machine.kvm_leaf ? p->machine.kvm_leaf : KVM_LEAF_BASE;
}

/* An enclave may use the state that its guest has; x87 and SSE always. The provisioning
 * key needs a file descriptor of the VMM's (KVM_CAP_SGX_ATTRIBUTE). */
static void enclave_attributes(const struct gcpu_plan *p, struct gcpu_cpuid *e)
{
	const struct part_fact *part = p->facts->parts;
	uint32_t always = part_put(&part[X86_PART_XFRM_SSE], part_put(&part[X86_PART_XFRM_X87], 0, 1), 1);

	e->eax = part_put(&part[X86_PART_SECS_ATTR_PROVISIONKEY], e->eax, 0);
	e->ecx &= (uint32_t)p->value[X86_W_CPUID_0XD_0X0_EAX] | always;
	e->edx &= (uint32_t)p->value[X86_W_CPUID_0XD_0X0_EDX];
}

static void add_from(struct gcpu_plan *p, const struct snap_cpuid *s)
{
	struct gcpu_cpuid e = { .leaf = s->leaf, .subleaf = s->subleaf, .flags = s->flags & 1 };
	const struct cache_fact *made = x86_made_cache(p, s->leaf, s->subleaf);
	const struct snap_cpuid *native;

	if (s->leaf > class_top(p, s->leaf))
		return;
	if (s->leaf >= KVM_LEAF_BASE && s->leaf < KVM_LEAF_END && !p->props[X86_P_KVM])
		return;
	/* somebody else's leaf where the KVM leaves go */
	if (s->leaf > KVM_LEAF_BASE + 1 && s->leaf - kvm_base(p) <= 1)
		return;
	if (gated_off(p, s->leaf)) {
		if (s->subleaf == 0)
			add_entry(p, &e);
		return;
	}
	if (is_structure(p, s->leaf, "topology")) {
		if (s->subleaf == 0 && !has_entry(p, s->leaf))
			add_topology(p, s->leaf, e.flags);
		return;
	}
	/* KVM reports 0; where MONITOR is real, its line sizes are the host's. Old kernels
	 * report 0 for caches, too. */
	native = s->leaf == LEAF_MONITOR || x86_cache_unreported(p, s) ?
			 snapshot_cpuid(p->snap, SNAP_NATIVE, s->leaf, 0) : NULL;
	if (s->leaf == LEAF_XSAVE && s->subleaf >= 2 && !component_on(p, s->subleaf))
		return;
	fill(p, &e, made ? made->regs : native ? native->regs : s->regs);
	x86_cache_leaf(p, &e, is_structure(p, s->leaf, "cache"));
	if (is_structure(p, s->leaf, "sgx") && s->subleaf == 1)
		enclave_attributes(p, &e);
	if (is_structure(p, s->leaf, "pmu") && !p->props[X86_P_PMU])
		e.eax = e.ebx = e.ecx = e.edx = 0;
	add_entry(p, &e);
}

/* Without the flag that its sub-leaf counts, an entry would answer for all of them. */
static bool has_subleaves(const struct facts *f, uint32_t leaf)
{
	if (range_of(f, leaf) && range_of(f, leaf)->klass == CLASS_STRUCTURE)
		return true;
	for (unsigned i = 0; i < f->n_words; i++)
		if (ADDR_SPACE(f->words[i].addr) == SPACE_CPUID && ADDR_LEAF(f->words[i].addr) == leaf &&
		    ADDR_SUBLEAF(f->words[i].addr))
			return true;
	return false;
}

/* Words that stand for themselves: KVM's own leaves are not made up. */
static bool says_something(uint32_t leaf, unsigned klass)
{
	return klass == CLASS_FIELDS || ((klass == CLASS_DERIVED || klass == CLASS_IDENTITY) &&
					 (leaf < KVM_LEAF_BASE || leaf >= X86_EXTENDED));
}

/* Leaves with features that this KVM has no leaf for: it offers them by other means. */
static void add_missing(struct gcpu_plan *p)
{
	struct snap_cpuid e = { .flags = 1 };

	/* the VMM makes the topology: no leaf below the maximum is left empty */
	for (unsigned i = 0; i < p->facts->n_ranges; i++) {
		e.leaf = p->facts->ranges[i].leaf;
		if (is_structure(p, e.leaf, "topology") && !has_entry(p, e.leaf))
			add_from(p, &e);
	}
	for (unsigned i = 0; i < p->facts->n_caches; i++) {
		const struct cache_fact *c = &p->facts->caches[i];

		e.leaf = c->leaf;
		e.subleaf = c->subleaf;
		if (x86_made_cache(p, c->leaf, c->subleaf) == c &&
		    !snapshot_cpuid(p->snap, SNAP_SUPPORTED, c->leaf, c->subleaf))
			add_from(p, &e);
	}
	e = (struct snap_cpuid){ 0 };
	for (unsigned n = 2; n < 63; n++)
		if (component_on(p, n) && x86_component(p, n) &&
		    !component_in(p, SNAP_SUPPORTED, n))
			add_from(p, x86_component(p, n));
	for (unsigned i = 0; i < p->facts->n_words; i++) {
		const struct word_fact *w = &p->facts->words[i];
		uint32_t leaf = ADDR_LEAF(w->addr), subleaf = ADDR_SUBLEAF(w->addr);

		if (ADDR_SPACE(w->addr) != SPACE_CPUID || !p->value[i] || !says_something(leaf, w->klass) ||
		    (e.leaf == leaf && e.subleaf == subleaf) ||
		    snapshot_cpuid(p->snap, SNAP_SUPPORTED, leaf, subleaf))
			continue;
		e.leaf = leaf;
		e.subleaf = subleaf;
		e.flags = has_subleaves(p->facts, leaf);
		add_from(p, &e);
	}
}

static void add_timing(struct gcpu_plan *p)
{
	struct gcpu_cpuid e;

	if (!x86_tsc_leaf(p, &e))
		return;
	p->value[X86_W_CPUID_0X40000010_0X0_EAX] = e.eax;
	p->value[X86_W_CPUID_0X40000010_0X0_EBX] = e.ebx;
	p->value[X86_W_CPUID_0X40000000_0X0_EAX] = e.leaf;
	add_entry(p, &e);
	for (size_t i = 0; i < p->entries.n; i++) {
		struct gcpu_cpuid *base = LIST_AT(&p->entries, struct gcpu_cpuid, i);

		if (base->leaf == KVM_LEAF_BASE)
			base->eax = e.leaf;
	}
}

/* The KVM leaves go where the machine wants them. */
static void move_kvm_leaves(struct gcpu_plan *p)
{
	uint32_t base = kvm_base(p);

	for (size_t i = 0; i < p->entries.n; i++) {
		struct gcpu_cpuid *e = LIST_AT(&p->entries, struct gcpu_cpuid, i);

		if (e->leaf != KVM_LEAF_BASE && e->leaf != KVM_LEAF_BASE + 1)
			continue;
		if (e->leaf == KVM_LEAF_BASE)
			e->eax += base - KVM_LEAF_BASE;
		e->leaf += base - KVM_LEAF_BASE;
	}
}

static int by_leaf(const void *a, const void *b)
{
	const struct gcpu_cpuid *x = a, *y = b;

	if (x->leaf != y->leaf)
		return x->leaf < y->leaf ? -1 : 1;
	return x->subleaf < y->subleaf ? -1 : x->subleaf > y->subleaf;
}

int x86_derive(struct gcpu_plan *p, struct gcpu_error *err)
{
	const struct list *l = &p->snap->cpuid[SNAP_SUPPORTED];

	x86_hide(p);
	x86_lacking(p);
	x86_topology_words(p);
	alias_bits(p);
	state_components(p);
	xsave_sizes(p);
	x86_identity(p);
	x86_widths(p);
	x86_maxima(p);
	x86_hide_derived(p);
	for (size_t i = 0; i < l->n; i++)
		add_from(p, LIST_AT(l, struct snap_cpuid, i));
	add_missing(p);
	add_timing(p);
	if (p->memory)
		return error_memory(err);
	if (p->entries.n > GK_CPUID_ENTRIES_MOST) {
		plan_find(p, X86_R_TABLE_TOO_LONG, -1, SEVERITY_ERROR, NULL);
		p->refused = true;
	}
	move_kvm_leaves(p);
	if (p->entries.n)
		qsort(p->entries.items, p->entries.n, sizeof(struct gcpu_cpuid), by_leaf);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* Highest leaves and sub-leaves: enough for what is on, no promise beyond. */
#include "x86.h"

/* Classes of leaves, by their top four bits. */
#define CLASS_OF(leaf) ((leaf) & 0xf0000000U)

enum { LEAF_FEATURES = 0x7 };

/* One class: where its maximum stands, and the properties that speak of it. */
struct level {
	uint32_t base;
	unsigned word, exactly, at_least;
};

static const struct level levels[] = {
	{ 0, X86_W_CPUID_0X0_0X0_EAX, X86_P_LEVEL, X86_P_MIN_LEVEL },
	{ X86_EXTENDED, X86_W_CPUID_0X80000000_0X0_EAX, X86_P_XLEVEL, X86_P_MIN_XLEVEL },
	{ X86_CENTAUR, X86_W_CPUID_0XC0000000_0X0_EAX, X86_P_XLEVEL2, X86_P_MIN_XLEVEL2 },
};

static bool has_features(const struct gcpu_plan *p, unsigned word)
{
	return p->value[word] && (p->facts->words[word].klass == CLASS_FIELDS ||
				  word == X86_W_CPUID_0XD_0X0_EAX);
}

/* The last leaf with features in use, or that a feature in use describes itself by. */
static uint32_t in_use(const struct gcpu_plan *p, uint32_t base)
{
	struct x86_levels l;
	uint32_t top = 0;

	for (unsigned i = 0; i < p->facts->n_words; i++) {
		uint32_t leaf = ADDR_LEAF(p->facts->words[i].addr);

		if (ADDR_SPACE(p->facts->words[i].addr) == SPACE_CPUID && has_features(p, i) &&
		    CLASS_OF(leaf) == base && leaf > top)
			top = leaf;
	}
	for (unsigned i = 0; i < p->facts->n_gates; i++) {
		const struct gate_fact *g = &p->facts->gates[i];

		if (!g->is_msr && CLASS_OF(g->key) == base && g->key > top &&
		    field_get(p, p->value, g->field))
			top = g->key;
	}
	x86_levels(&p->machine, &l);
	/* modules and dies are told by this leaf alone */
	if (!base && x86_like_intel(p) && (l.count[X86_MODULE] > 1 || l.count[X86_DIE] > 1) &&
	    top < X86_LEAF_TOPOLOGY_V2)
		top = X86_LEAF_TOPOLOGY_V2;
	return top;
}

/* What the model begins with. */
static uint32_t floor_of(const struct gcpu_plan *p, const struct level *l)
{
	if (p->model == MODEL_HOST || p->model == MODEL_MAX)
		return (uint32_t)p->offer[l->word];
	if (l->base == X86_CENTAUR)
		return 0;
	/* a named model is the same on every host: KVM takes leaves above its own maximum */
	if (p->named)
		return l->base ? p->named->xlevel : p->named->level;
	return l->base ? l->base : 1;
}

/* The property by which a guest cannot reach a word: a maximum that was asked for. -1: it can. */
static int hidden_by(const struct gcpu_plan *p, uint64_t addr)
{
	uint32_t leaf = ADDR_LEAF(addr);

	if (ADDR_SPACE(addr) != SPACE_CPUID)
		return -1;
	for (unsigned i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (levels[i].base == CLASS_OF(leaf) && p->props_said[levels[i].exactly].said &&
		    leaf > p->props[levels[i].exactly])
			return (int)levels[i].exactly;
	return leaf == LEAF_FEATURES && p->props_said[X86_P_LEVEL_FUNC7].said &&
	       ADDR_SUBLEAF(addr) > p->props[X86_P_LEVEL_FUNC7] ? X86_P_LEVEL_FUNC7 : -1;
}

/* What one of the maxima hides is off; how much nobody named. */
static unsigned hide(struct gcpu_plan *p, int prop)
{
	unsigned hidden = 0;

	for (unsigned i = 0; i < p->facts->n_fields; i++) {
		const struct field_fact *f = &p->facts->fields[i];

		if (!(f->owner & OWNER_CHOSEN) || field_is_off(f, field_get(p, p->value, i)) ||
		    hidden_by(p, p->facts->words[f->word].addr) != prop)
			continue;
		plan_set(p, i, field_off(f), X86_R_LEVEL_HIDES);
		if (p->fields[i].said != SAID_VALUE) {
			hidden++;
			continue;
		}
		plan_unavailable(p, i, X86_R_LEVEL_HIDES);
		plan_find(p, X86_R_LEVEL_HIDES, (int)i, SEVERITY_WARNING, "%s: %s", field_known_as(p, i),
			  p->facts->rules[X86_R_LEVEL_HIDES].sentence);
		plan_find_about(p, (unsigned)prop);
	}
	return hidden;
}

void x86_hide(struct gcpu_plan *p)
{
	static const unsigned maxima[] = { X86_P_LEVEL, X86_P_XLEVEL, X86_P_XLEVEL2, X86_P_LEVEL_FUNC7 };

	for (unsigned i = 0; i < sizeof(maxima) / sizeof(maxima[0]); i++) {
		unsigned hidden = p->props_said[maxima[i]].said ? hide(p, (int)maxima[i]) : 0;

		if (!hidden)
			continue;
		plan_find(p, X86_R_LEVEL_HIDES, -1, SEVERITY_WARNING,
			  "%u feature%s beyond a highest leaf that was asked for: off", hidden,
			  hidden == 1 ? " is" : "s are");
		plan_find_about(p, maxima[i]);
	}
}

void x86_hide_derived(struct gcpu_plan *p)
{
	for (unsigned i = 0; i < p->facts->n_words; i++)
		if (p->facts->words[i].klass != CLASS_FIELDS && hidden_by(p, p->facts->words[i].addr) >= 0)
			p->value[i] = 0;
	/* of the words with chosen fields, what follows from others */
	for (unsigned i = 0; i < p->facts->n_fields; i++)
		if (!(p->facts->fields[i].owner & OWNER_CHOSEN) &&
		    hidden_by(p, p->facts->words[p->facts->fields[i].word].addr) >= 0)
			field_put(p, p->value, i, 0);
}

/* Exactly this and at least that cannot both be. */
static void contradiction(struct gcpu_plan *p, const struct level *l)
{
	if (p->props[l->at_least] <= p->props[l->exactly])
		return;
	plan_find(p, X86_R_LEVEL_TWICE, -1, SEVERITY_WARNING, "'%s' is below '%s', and counts",
		  p->facts->props[l->exactly].name, p->facts->props[l->at_least].name);
	plan_find_about(p, l->exactly);
}

static void maximum(struct gcpu_plan *p, const struct level *l)
{
	uint32_t top = floor_of(p, l), used = in_use(p, l->base);
	bool automatic = p->props[X86_P_FULL_CPUID_AUTO_LEVEL] != 0;

	if (p->props[l->at_least] > top)
		top = (uint32_t)p->props[l->at_least];
	if (!automatic) /* leaf 7 always counts */
		used = !l->base && p->value[X86_W_CPUID_0X7_0X0_EBX] ? LEAF_FEATURES : 0;
	top = used > top ? used : top;
	if (p->props_said[l->exactly].said) {
		top = (uint32_t)p->props[l->exactly];
		contradiction(p, l);
	}
	p->value[l->word] = top;
}

/* Sub-leaves of leaf 7 that hold something. */
static void sub_leaves(struct gcpu_plan *p)
{
	uint32_t top = 0;

	for (unsigned i = 0; i < p->facts->n_words; i++) {
		uint64_t addr = p->facts->words[i].addr;

		if (ADDR_SPACE(addr) == SPACE_CPUID && ADDR_LEAF(addr) == LEAF_FEATURES &&
		    has_features(p, i) && ADDR_SUBLEAF(addr) > top)
			top = ADDR_SUBLEAF(addr);
	}
	if (p->props_said[X86_P_LEVEL_FUNC7].said)
		top = (uint32_t)p->props[X86_P_LEVEL_FUNC7];
	p->value[X86_W_CPUID_0X7_0X0_EAX] = top;
}

void x86_maxima(struct gcpu_plan *p)
{
	for (unsigned i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		maximum(p, &levels[i]);
	sub_leaves(p);
	/* old hosts report 0 and mean the features leaf */
	p->value[X86_W_CPUID_0X40000000_0X0_EAX] = KVM_LEAF_BASE + 1;
}

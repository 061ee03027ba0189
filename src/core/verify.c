/* SPDX-License-Identifier: MIT */
/* Verdicts: what was planned against what KVM says and the guest sees. */
#include "view.h"

#include <stdio.h>
#include <string.h>

const char *gcpu_verdict_name(enum gcpu_verdict v)
{
	static const char *const names[] = { "matched", "runtime", "overridden", "untested",
					     "mismatched" };

	return (unsigned)v < 5 ? names[v] : "unknown";
}

const char *gcpu_alive_name(enum gcpu_alive alive)
{
	static const char *const names[] = { "works", "refused-as-planned", "leaks", "inconclusive",
					     "untestable", "fails" };

	return (unsigned)alive < 6 ? names[alive] : "unknown";
}

const char *gcpu_exercise_kind_name(enum gcpu_exercise_kind kind)
{
	static const char *const names[] = { "feature", "interface", "behaviour" };

	return (unsigned)kind < 3 ? names[kind] : "unknown";
}

/* Which of two verdicts about one thing is the news. */
static unsigned weight(enum gcpu_verdict v)
{
	static const unsigned weights[] = { 0, 1, 3, 2, 4 };

	return weights[v];
}

/* The address at which a word of the tables stands in this plan. */
static uint64_t moved(const struct gcpu_plan *p, uint64_t addr)
{
	uint32_t leaf = ADDR_LEAF(addr);

	if (ADDR_SPACE(addr) != SPACE_CPUID || !p->machine.kvm_leaf ||
	    (leaf != KVM_LEAF_BASE && leaf != KVM_LEAF_BASE + 1))
		return addr;
	return ADDR_CPUID(leaf - KVM_LEAF_BASE + p->machine.kvm_leaf, ADDR_SUBLEAF(addr),
			  ADDR_REG(addr));
}

static const char *const reason_guest = "the guest sees another value than KVM says";
static const char *const reason_other = "KVM has another value than planned, and no trial explains it";
static const char *const reason_no_guest = "the guest did not read it";
static const char *const reason_firmware = "no guest reads this; KVM has it as planned";
static const char *const reason_init = "KVM has no way to read it back; it accepted the features";

struct compared {
	uint64_t planned, kvm, guest;
	bool has_kvm, has_guest;
};

/* Read one field's bits of a word. */
static struct compared cut(const struct view_word *w, unsigned lsb, uint64_t mask)
{
	struct compared c = { w->planned >> lsb & mask, w->kvm >> lsb & mask,
			      w->guest >> lsb & mask, w->has_kvm, w->has_guest };

	return c;
}

static enum gcpu_verdict judge(const struct compared *c, const char *runtime, bool known,
			       uint64_t force, const char **reason)
{
	uint64_t seen = c->has_kvm ? c->kvm : c->guest;

	*reason = NULL;
	if (!c->has_kvm && !c->has_guest) {
		*reason = reason_no_guest;
		return GCPU_VERDICT_UNTESTED;
	}
	if (seen == c->planned && (!c->has_guest || c->guest == c->planned)) {
		if (c->has_guest)
			return GCPU_VERDICT_MATCHED;
		*reason = reason_no_guest;
		return GCPU_VERDICT_UNTESTED;
	}
	if (runtime) {
		*reason = runtime;
		return GCPU_VERDICT_RUNTIME;
	}
	if (known && seen == force && (!c->has_guest || c->guest == force))
		return GCPU_VERDICT_OVERRIDDEN;
	*reason = c->has_guest && c->has_kvm && c->guest != c->kvm ? reason_guest : reason_other;
	return GCPU_VERDICT_MISMATCHED;
}

static void take_worse(struct gcpu_result *r, const struct compared *c, enum gcpu_verdict v,
		       const char *reason, bool first)
{
	if (!first && weight(v) <= weight(r->verdict))
		return;
	r->planned = c->planned;
	r->kvm = c->kvm;
	r->guest = c->guest;
	r->has_kvm = c->has_kvm;
	r->has_guest = c->has_guest;
	r->verdict = v;
	r->reason = reason;
}

struct tally {
	const struct gcpu_plan *plan;
	struct gcpu_view *const *views;
	unsigned n_views;
	int (*visit)(void *ctx, const struct gcpu_result *);
	void *ctx;
	struct gcpu_summary sum;
};

static int report(struct tally *t, const struct gcpu_result *r)
{
	unsigned *const counts[] = { &t->sum.matched, &t->sum.runtime, &t->sum.overridden,
				     &t->sum.untested, &t->sum.mismatched };

	++*counts[r->verdict];
	t->sum.total++;
	t->sum.contradicted += r->contradicts;
	return t->visit ? t->visit(t->ctx, r) : 0;
}

static int compare_field(struct tally *t, unsigned field, uint64_t addr)
{
	const struct gcpu_plan *p = t->plan;
	const struct field_fact *f = &p->facts->fields[field];
	const struct field_state *s = &p->fields[field];
	struct gcpu_result r = { .name = f->name };
	bool any = false;

	for (unsigned i = 0; i < t->n_views; i++) {
		const struct view_word *w = view_find(t->views[i], addr);
		struct compared c;
		uint64_t force = 0;
		const char *reason;
		enum gcpu_verdict v;
		bool known;
		int error;

		if (!w)
			continue;
		c = cut(w, f->lsb, field_mask(f));
		known = p->arch->trial && p->arch->trial(p, field, c.planned, &force, &error);
		v = judge(&c, f->runtime, known, force, &reason);
		if (v == GCPU_VERDICT_OVERRIDDEN)
			reason = p->facts->rules[field_is_off(f, c.planned) ? RULE_FORCED_ON :
									      RULE_FORCED_OFF].sentence;
		if (v == GCPU_VERDICT_UNTESTED && addr == ADDR_INIT)
			reason = reason_init;
		if (v == GCPU_VERDICT_UNTESTED && c.has_kvm && ADDR_SPACE(addr) == SPACE_FW)
			reason = reason_firmware;
		take_worse(&r, &c, v, reason, !any);
		any = true;
	}
	if (!any)
		return 0;
	r.asked = s->said == SAID_VALUE;
	r.asked_off = r.asked && field_is_off(f, s->asked);
	if (s->unavailable && (r.verdict == GCPU_VERDICT_MATCHED ||
			       r.verdict == GCPU_VERDICT_UNTESTED))
		r.reason = p->facts->rules[s->why].sentence;
	r.contradicts = r.verdict == GCPU_VERDICT_OVERRIDDEN && r.asked && !s->unavailable;
	return report(t, &r);
}

/* Bits of a word that no field has, or the whole of a word without fields. */
static int compare_rest(struct tally *t, uint64_t addr, const char *name, uint64_t mask)
{
	const struct gcpu_plan *p = t->plan;
	struct gcpu_result r = { .name = name };
	uint64_t any_bits = 0;
	bool any = false;

	for (unsigned i = 0; i < t->n_views; i++) {
		const struct view_word *w = view_find(t->views[i], addr);
		struct compared c;
		uint64_t force = 0;
		const char *reason;
		enum gcpu_verdict v;
		bool known;

		if (!w)
			continue;
		c = cut(w, 0, mask);
		any_bits |= c.planned | c.kvm | c.guest;
		known = p->arch->trial_word && p->arch->trial_word(p, addr, c.planned, &force);
		v = judge(&c, NULL, known, force & mask, &reason);
		if (v == GCPU_VERDICT_OVERRIDDEN)
			reason = p->facts->rules[RULE_FORCED_ON].sentence;
		take_worse(&r, &c, v, reason, !any);
		any = true;
	}
	return any && any_bits ? report(t, &r) : 0;
}

static int compare_word(struct tally *t, unsigned word)
{
	const struct word_fact *w = &t->plan->facts->words[word];
	uint64_t addr = moved(t->plan, w->addr);

	for (unsigned i = 0; i < w->n; i++) {
		int status = compare_field(t, w->first + i, addr);

		if (status)
			return status;
	}
	return w->known == ~0ULL ? 0 : compare_rest(t, addr, w->name, ~w->known);
}

static bool in_tables(const struct gcpu_plan *p, uint64_t addr)
{
	for (unsigned i = 0; i < p->facts->n_words; i++)
		if (moved(p, p->facts->words[i].addr) == addr)
			return true;
	return false;
}

/* Words of positional lists and of leaves that no table describes. */
static int compare_unknown(struct tally *t, unsigned view)
{
	static const char *const regs[] = { "eax", "ebx", "ecx", "edx" };
	const struct gcpu_view *v = t->views[view];

	for (size_t i = 0; i < v->words.n; i++) {
		uint64_t addr = LIST_AT(&v->words, struct view_word, i)->addr;
		char name[48];
		int status;

		/* what the first vCPU has too was compared with it */
		if (ADDR_SPACE(addr) != SPACE_CPUID || in_tables(t->plan, addr) ||
		    (view && view_find(t->views[0], addr)))
			continue;
		snprintf(name, sizeof(name), "CPUID.0x%x.0x%x.%s", ADDR_LEAF(addr),
			 ADDR_SUBLEAF(addr), regs[ADDR_REG(addr)]);
		status = compare_rest(t, addr, name, ~0ULL);
		if (status)
			return status;
	}
	return 0;
}

int gcpu_verify(const struct gcpu_plan *plan, struct gcpu_view *const *views, unsigned n_views,
		int (*visit)(void *ctx, const struct gcpu_result *), void *ctx,
		struct gcpu_summary *ret_summary)
{
	struct tally t = { plan, views, n_views, visit, ctx, { 0 } };
	int status = 0;

	if (!views_fit(plan, views, n_views))
		return GCPU_ERR_ARGUMENT;
	for (unsigned i = 0; i < plan->facts->n_words && status == 0; i++)
		status = compare_word(&t, i);
	for (unsigned i = 0; i < n_views && status == 0; i++)
		status = compare_unknown(&t, i);
	if (ret_summary)
		*ret_summary = t.sum;
	return status;
}

/* SPDX-License-Identifier: MIT */
#include "view.h"

#include <stdlib.h>
#include <string.h>

struct view_word *view_word(struct gcpu_view *v, uint64_t addr)
{
	struct view_word *w;

	for (size_t i = 0; i < v->words.n; i++) {
		w = LIST_AT(&v->words, struct view_word, i);
		if (w->addr == addr)
			return w;
	}
	w = list_add(&v->words, sizeof(*w));
	if (w)
		w->addr = addr;
	return w;
}

const struct view_word *view_find(const struct gcpu_view *v, uint64_t addr)
{
	for (size_t i = 0; i < v->words.n; i++) {
		const struct view_word *w = LIST_AT(&v->words, struct view_word, i);

		if (w->addr == addr)
			return w;
	}
	return NULL;
}

static int plan_word(struct gcpu_view *v, uint64_t addr, uint64_t value)
{
	struct view_word *w = view_word(v, addr);

	if (!w)
		return GCPU_ERR_MEMORY;
	w->planned = value;
	w->has_planned = true;
	return 0;
}

static int plan_table(struct gcpu_view *v)
{
	size_t n = 0;
	struct gcpu_cpuid *e;
	int status = 0;

	gcpu_plan_cpuid(v->plan, v->vcpu, NULL, &n);
	e = calloc(n + 1, sizeof(*e));
	if (!e)
		return GCPU_ERR_MEMORY;
	if (n)
		gcpu_plan_cpuid(v->plan, v->vcpu, e, &n);
	for (size_t i = 0; i < n && status == 0; i++) {
		const uint32_t regs[4] = { e[i].eax, e[i].ebx, e[i].ecx, e[i].edx };

		for (unsigned r = 0; r < 4 && status == 0; r++)
			status = plan_word(v, ADDR_CPUID(e[i].leaf, e[i].subleaf, r), regs[r]);
	}
	free(e);
	return status;
}

static int plan_steps(struct gcpu_view *v)
{
	for (size_t i = 0; i < v->plan->recipe.n; i++) {
		const struct gcpu_step *s = LIST_AT(&v->plan->recipe, struct gcpu_step, i);
		int status = 0;

		if (strcmp(s->call, "KVM_SET_MSRS") == 0)
			status = plan_word(v, ADDR_MSR(s->args[0].value), s->args[1].value);
		if (status)
			return status;
	}
	return 0;
}

static int plan_registers(struct gcpu_view *v)
{
	const struct gcpu_plan *p = v->plan;

	for (unsigned i = 0; i < p->facts->n_words; i++) {
		const struct word_fact *w = &p->facts->words[i];
		int status = 0;

		/* identity is the host CPU's that a vCPU runs on, or what user space wrote */
		if (snapshot_word(p->snap, w->addr) && w->klass != CLASS_IDENTITY)
			status = plan_word(v, w->addr, plan_word_value(p, v->vcpu, i));
		if (w->addr == ADDR_INIT || (w->addr == ADDR_SVE && p->value[i]))
			status = plan_word(v, w->addr, p->value[i]);
		if (status)
			return status;
	}
	return 0;
}

int gcpu_view_new(const struct gcpu_plan *plan, unsigned vcpu, struct gcpu_view **ret_view)
{
	struct gcpu_view *v;
	int status;

	if (!plan || !ret_view || vcpu >= plan->machine.vcpus)
		return GCPU_ERR_ARGUMENT;
	v = calloc(1, sizeof(*v));
	if (!v)
		return GCPU_ERR_MEMORY;
	v->plan = plan;
	v->vcpu = vcpu;
	status = plan_table(v);
	if (status == 0)
		status = plan_steps(v);
	if (status == 0)
		status = plan_registers(v);
	if (status) {
		gcpu_view_free(v);
		return status;
	}
	*ret_view = v;
	return 0;
}

void gcpu_view_free(struct gcpu_view *v)
{
	if (!v)
		return;
	list_free(&v->words);
	free(v);
}

bool views_fit(const struct gcpu_plan *plan, struct gcpu_view *const *views, unsigned n_views)
{
	if (!plan || !views || !n_views)
		return false;
	for (unsigned i = 0; i < n_views; i++)
		if (!views[i] || views[i]->plan != plan)
			return false;
	return true;
}

void view_kvm_done(struct gcpu_view *v)
{
	for (size_t i = 0; i < v->words.n; i++) {
		struct view_word *w = LIST_AT(&v->words, struct view_word, i);

		if (ADDR_SPACE(w->addr) == SPACE_CPUID)
			w->has_kvm = true;
	}
}

static int guest_word(struct gcpu_view *v, uint64_t addr, uint64_t value)
{
	struct view_word *w = view_word(v, addr);

	if (!w)
		return GCPU_ERR_MEMORY;
	w->guest = value;
	w->has_guest = true;
	return 0;
}

int gcpu_view_guest_cpuid(struct gcpu_view *v, uint32_t leaf, uint32_t subleaf,
			  const uint32_t regs[4])
{
	if (!v || !regs || subleaf > CPUID_SUBLEAF_MOST)
		return GCPU_ERR_ARGUMENT;
	for (unsigned r = 0; r < 4; r++)
		if (guest_word(v, ADDR_CPUID(leaf, subleaf, r), regs[r]))
			return GCPU_ERR_MEMORY;
	return 0;
}

int gcpu_view_guest_msr(struct gcpu_view *v, uint32_t index, uint64_t value)
{
	return v ? guest_word(v, ADDR_MSR(index), value) : GCPU_ERR_ARGUMENT;
}

int gcpu_view_guest_register(struct gcpu_view *v, uint64_t id, uint64_t value)
{
	return v && ADDR_SPACE(id) == SPACE_REG ? guest_word(v, id, value) : GCPU_ERR_ARGUMENT;
}

int gcpu_view_questions(const struct gcpu_view *v,
			int (*visit)(void *ctx, const struct gcpu_question *), void *ctx)
{
	if (!v || !visit)
		return GCPU_ERR_ARGUMENT;
	for (size_t i = 0; i < v->words.n; i++) {
		uint64_t addr = LIST_AT(&v->words, struct view_word, i)->addr;
		struct gcpu_question q = { GCPU_ASK_REGISTER, 0, 0, addr };
		int status;

		if (ADDR_SPACE(addr) == SPACE_CPUID) {
			if (ADDR_REG(addr) != 0)
				continue;
			q.kind = GCPU_ASK_CPUID;
			q.leaf = ADDR_LEAF(addr);
			q.subleaf = ADDR_SUBLEAF(addr);
		} else if (ADDR_SPACE(addr) == SPACE_MSR) {
			q.kind = GCPU_ASK_MSR;
			q.id = ADDR_INDEX(addr);
		} else if (ADDR_SPACE(addr) != SPACE_REG) {
			continue;
		}
		status = visit(ctx, &q);
		if (status)
			return status;
	}
	return 0;
}

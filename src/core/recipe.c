/* SPDX-License-Identifier: MIT */
/* The recipe is data: steps in order, each with its reason. */
#include "plan.h"

struct gcpu_step *recipe_add(struct gcpu_plan *p, enum gcpu_phase phase, const char *scope,
			     const char *call, const char *why)
{
	struct gcpu_step *s = list_add(&p->recipe, sizeof(*s));

	if (!s) {
		p->memory = true;
		p->lost.n_args = 0;
		return &p->lost;
	}
	s->phase = phase;
	s->scope = scope;
	s->call = call;
	s->why = why;
	return s;
}

void recipe_arg(struct gcpu_step *s, const char *name, uint64_t value, const char *text)
{
	if (s->n_args == sizeof(s->args) / sizeof(s->args[0]))
		return;
	s->args[s->n_args].name = name;
	s->args[s->n_args].value = value;
	s->args[s->n_args++].text = text;
}

const char *cap_name(unsigned number)
{
	for (unsigned i = 0; i < gcpu_n_caps; i++)
		if (gcpu_caps[i].number == number)
			return gcpu_caps[i].name;
	return NULL;
}

void recipe_cap(struct gcpu_plan *p, enum gcpu_phase phase, unsigned cap, uint64_t arg0,
		const char *why)
{
	struct gcpu_step *s = recipe_add(p, phase, phase == GCPU_PHASE_VCPU ? "vcpu" : "vm",
					 "KVM_ENABLE_CAP", why);

	recipe_arg(s, "cap", cap, cap_name(cap));
	recipe_arg(s, "args[0]", arg0, NULL);
}

int gcpu_plan_recipe(const struct gcpu_plan *p, int (*visit)(void *ctx, const struct gcpu_step *),
		     void *ctx)
{
	if (!p || !visit)
		return GCPU_ERR_ARGUMENT;
	for (size_t i = 0; i < p->recipe.n; i++) {
		int status = visit(ctx, LIST_AT(&p->recipe, struct gcpu_step, i));

		if (status)
			return status;
	}
	return 0;
}

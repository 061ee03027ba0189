/* SPDX-License-Identifier: MIT */
/* Presets: bundles of paravirtual features, and what a request that names one makes of them. */
#include "plan.h"

#include <guestcpu/catalogue.h>

int preset_property(const struct facts *f)
{
	for (unsigned i = 0; i < f->n_props; i++)
		if (f->props[i].type == PROP_CHOICE)
			return (int)i;
	return -1;
}

int preset_find(const struct facts *f, const char *name, size_t length)
{
	for (unsigned i = 0; i < f->n_presets; i++)
		if (name_same(name, length, f->presets[i].name))
			return (int)i;
	return -1;
}

const struct preset_fact *preset_said(const struct gcpu_plan *p)
{
	int prop = preset_property(p->facts);

	return prop < 0 || !p->props[prop] ? NULL : &p->facts->presets[p->props[prop] - 1];
}

const struct member_fact *plan_member(const struct gcpu_plan *p, unsigned field)
{
	for (unsigned i = 0; p->preset && i < p->preset->n; i++)
		if (p->facts->members[p->preset->first + i].field == field)
			return &p->facts->members[p->preset->first + i];
	return NULL;
}

bool plan_preset_decides(const struct gcpu_plan *p, unsigned word)
{
	for (unsigned i = 0; p->preset && i < p->preset->n; i++)
		if (p->facts->fields[p->facts->members[p->preset->first + i].field].word == word)
			return true;
	return false;
}

void plan_take_preset(struct gcpu_plan *p)
{
	const struct preset_fact *preset = p->preset;
	unsigned has = 0, given = 0;
	int prop = preset_property(p->facts);

	for (unsigned i = 0; preset && i < preset->n; i++) {
		const struct member_fact *m = &p->facts->members[preset->first + i];
		const struct field_fact *f = &p->facts->fields[m->field];
		uint64_t offer = field_get(p, p->offer, m->field);

		has += m->on;
		/* as with what a model takes: its own step says why it is not to be had */
		if (field_is_off(f, offer))
			continue;
		given += m->on;
		plan_set(p, m->field, m->on ? offer : field_off(f),
			 m->on ? RULE_PRESET_HAS : RULE_PRESET_LACKS);
	}
	if (!has || given)
		return;
	plan_find(p, RULE_PRESET_EMPTY, -1, SEVERITY_NOTE,
		  "nothing that %s=%s has is offered on this machine", p->facts->props[prop].name,
		  preset->name);
	plan_find_about(p, (unsigned)prop);
}

void plan_reason(const struct gcpu_plan *p, unsigned field, unsigned rule, const char **ret_sentence,
		 const char **ret_source)
{
	const struct member_fact *m = NULL;

	if (rule == RULE_PRESET_HAS || rule == RULE_PRESET_LACKS)
		m = plan_member(p, field);
	*ret_sentence = m ? m->sentence : p->facts->rules[rule].sentence;
	*ret_source = p->facts->rules[rule].source;
}

int gcpu_presets(enum gcpu_arch arch, int (*visit)(void *ctx, const struct gcpu_preset_info *), void *ctx)
{
	const struct facts *f = arch_of(arch) ? arch_of(arch)->facts : NULL;
	int status = 0;

	if (!f || !visit)
		return GCPU_ERR_ARGUMENT;
	for (unsigned i = 0; i < f->n_presets && !status; i++) {
		const struct preset_fact *p = &f->presets[i];
		struct gcpu_preset_info info = {
			.property = f->props[preset_property(f)].name,
			.name = p->name,
			.reason = p->meaning,
		};

		status = visit(ctx, &info);
		for (unsigned k = 0; k < p->n && !status; k++) {
			const struct member_fact *m = &f->members[p->first + k];

			info.feature = f->fields[m->field].name;
			info.on = m->on;
			info.reason = m->reason;
			status = visit(ctx, &info);
		}
	}
	return status;
}

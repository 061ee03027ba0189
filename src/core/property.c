/* SPDX-License-Identifier: MIT */
/* What became of the properties of a request. */
#include "plan.h"

#include <stdio.h>
#include <string.h>

#define HEX_FROM 10000U /* leaves and revisions, not counts */

static uint64_t number(const struct gcpu_plan *p, const struct value_fact *v)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < v->n; i++) {
		if (v->form == VALUE_JOINED)
			value <<= p->facts->fields[v->of[i]].width;
		value += field_get(p, p->value, v->of[i]);
	}
	return value;
}

/* What is no plain character comes from a snapshot, and could be anything. */
static void text(const struct gcpu_plan *p, const struct value_fact *v, char *out, size_t room)
{
	size_t n = 0;

	for (unsigned i = 0; i < v->n * 4U && n + 1 < room; i++) {
		char c = (char)(p->value[v->of[i / 4]] >> i % 4 * 8 & 0xff);

		if (!c)
			break;
		out[n++] = c < ' ' || c > '~' ? '?' : c;
	}
	out[n] = 0;
}

void property_in_effect(const struct gcpu_plan *p, const struct value_fact *v, struct gcpu_property_standing *s)
{
	if (v->form == VALUE_TEXT) {
		text(p, v, s->text, sizeof(s->text));
		s->has_value = s->text[0] != 0;
		return;
	}
	if (v->form == VALUE_TSC)
		s->value = p->arch->tsc_khz ? p->arch->tsc_khz(p) * 1000 : 0;
	else
		s->value = number(p, v);
	/* a frequency of 0 is one that nobody knows */
	s->has_value = v->form != VALUE_TSC || s->value;
	if (s->has_value)
		snprintf(s->text, sizeof(s->text), v->form != VALUE_TSC && s->value >= HEX_FROM ? "0x%llx" : "%llu",
			 (unsigned long long)s->value);
}

static int property(const struct gcpu_plan *p, const char *name, struct gcpu_error *err)
{
	int prop = property_find(p->facts, name, strlen(name));

	if (prop >= 0)
		return prop;
	error_set(err, GCPU_ERR_NAME, "no such property '%.40s'", name);
	error_expected(err, "a property (guestcpu features lists them)");
	return GCPU_ERR_NAME;
}

int gcpu_plan_property(const struct gcpu_plan *p, const char *name,
		       struct gcpu_property_standing *ret, struct gcpu_error *err)
{
	struct gcpu_property_standing s = { .size = sizeof(s) };
	int prop;

	if (!p || !name || !ret || ret->size < sizeof(ret->size))
		return error_set(err, GCPU_ERR_ARGUMENT, "no plan, name or result");
	prop = property(p, name, err);
	if (prop < 0)
		return prop;
	s.asked = p->props_said[prop].said;
	if (p->facts->props[prop].type == PROP_CHOICE && p->preset) {
		s.has_value = true;
		snprintf(s.text, sizeof(s.text), "%s", p->preset->name);
	}
	for (unsigned i = 0; i < p->facts->n_values; i++)
		if (p->facts->values[i].prop == prop)
			property_in_effect(p, &p->facts->values[i], &s);
	s.size = ret->size;
	memset(ret, 0, s.size);
	memcpy(ret, &s, s.size < sizeof(s) ? s.size : sizeof(s));
	return 0;
}

static bool is_about(const struct gcpu_plan *p, const struct plan_finding *f, int prop)
{
	const struct rule_fact *r = &p->facts->rules[f->rule];

	if (f->prop >= 0)
		return f->prop == prop;
	for (unsigned i = 0; i < r->n_atoms; i++) {
		const struct atom_fact *a = &p->facts->atoms[r->first_atom + i];

		if ((a->op == ATOM_ABOUT || a->op == ATOM_PROP) && a->value == (uint64_t)prop)
			return true;
	}
	return false;
}

int gcpu_plan_property_findings(const struct gcpu_plan *p, const char *name,
				int (*visit)(void *ctx, const struct gcpu_finding *), void *ctx,
				struct gcpu_error *err)
{
	int prop;

	if (!p || !name || !visit)
		return error_set(err, GCPU_ERR_ARGUMENT, "no plan, name or visitor");
	prop = property(p, name, err);
	if (prop < 0)
		return prop;
	for (size_t i = 0; i < p->findings.n; i++) {
		const struct plan_finding *f = LIST_AT(&p->findings, struct plan_finding, i);
		struct gcpu_finding out = plan_finding_out(p, f);
		int status = is_about(p, f, prop) ? visit(ctx, &out) : 0;

		if (status)
			return status;
	}
	return 0;
}

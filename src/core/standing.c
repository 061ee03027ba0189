/* SPDX-License-Identifier: MIT */
/* How a feature stands in a plan, and what the host lacks where it is not offered. */
#include "plan.h"

#include <string.h>

/* The step that says what this KVM makes of a field whatever was planned. */
static const struct plan_step *forced(const struct gcpu_plan *p, unsigned field)
{
	for (size_t i = p->steps.n; i-- > 0;) {
		const struct plan_step *s = LIST_AT(&p->steps, struct plan_step, i);

		if (s->field == field && (s->rule == RULE_FORCED_ON || s->rule == RULE_FORCED_OFF))
			return s;
	}
	return NULL;
}

bool plan_target_on(const struct gcpu_plan *p, const struct feature_fact *ff,
		    const struct target_fact *t, bool in_force)
{
	const struct plan_step *s = in_force ? forced(p, t->field) : NULL;

	return feature_reached(p->facts, ff, t, s ? s->after : field_get(p, p->value, t->field));
}

bool plan_stands(const struct gcpu_plan *p, const struct feature_fact *ff, bool on)
{
	/* KVM overrules nothing that more than one field tells (arm64) */
	if (ff->n_terms)
		return feature_on(p, ff, p->value) == on;
	for (unsigned i = 0; i < ff->n; i++) {
		const struct target_fact *t = &p->facts->targets[ff->first + i];

		if (plan_target_on(p, ff, t, false) != on || plan_target_on(p, ff, t, true) != on)
			return false;
	}
	return true;
}

const struct rule_fact *plan_last_rule(const struct gcpu_plan *p, unsigned field)
{
	for (size_t i = p->steps.n; i-- > 0;) {
		const struct plan_step *s = LIST_AT(&p->steps, struct plan_step, i);

		if (s->field == field)
			return &p->facts->rules[s->rule];
	}
	return NULL;
}

#define ANY_STABLE 100000U

/* "6.12.107-cloud" as 6, 12, 107. False if it does not begin with a release. Distributions that number their own
 * builds, "6.1.0-56-cloud-amd64", do not say on which stable release these stand: any of the series. */
static bool release(const char *s, unsigned ret[3])
{
	unsigned part;

	ret[0] = ret[1] = ret[2] = 0;
	for (part = 0; part < 3; part++) {
		if (*s < '0' || *s > '9')
			return false;
		for (; *s >= '0' && *s <= '9' && ret[part] < 100000; s++)
			ret[part] = ret[part] * 10 + (unsigned)(*s - '0');
		if (*s != '.')
			break;
		s++;
	}
	if (part == 2 && !ret[2] && s[0] == '-' && s[1] >= '0' && s[1] <= '9')
		ret[2] = ANY_STABLE;
	return part > 0;
}

static bool older(const unsigned a[3], const unsigned b[3])
{
	for (unsigned i = 0; i < 2; i++)
		if (a[i] != b[i])
			return a[i] < b[i];
	return a[2] < b[2];
}

/* Is KERNEL certainly older than every release that SINCE names? A stable release stands
 * for its own series; an upper bound and what is no release say nothing. */
bool kernel_too_old(const char *since, const char *kernel)
{
	unsigned have[3], first[3];
	bool mainline = true;

	if (!release(kernel, have))
		return false;
	while (*since) {
		if (!release(since, first))
			return false;
		if (mainline || (first[0] == have[0] && first[1] == have[1]))
			if (!older(have, first))
				return false;
		mainline = false;
		while (*since && *since != ' ')
			since++;
		while (*since == ' ')
			since++;
	}
	return !mainline;
}

static bool may_be_offered(const struct gcpu_plan *p, unsigned field)
{
	for (unsigned i = p->facts->about_first[field]; i < p->facts->about_first[field + 1]; i++)
		if (p->facts->rules[p->facts->about[i]].effect == EFFECT_OFFER)
			return true;
	return false;
}

/* A leaf that is not in the CPU's own table is not there either. */
static bool cpu_lacks(const struct gcpu_plan *p, unsigned field)
{
	const struct field_fact *f = &p->facts->fields[field];
	uint64_t native;

	if (!p->arch->raw || ADDR_SPACE(p->facts->words[f->word].addr) != SPACE_CPUID ||
	    !p->snap->cpuid[SNAP_NATIVE].n)
		return false;
	return !p->arch->raw(p, SNAP_NATIVE, field, &native) || field_is_off(f, native);
}

static enum gcpu_lack lacks(const struct gcpu_plan *p, unsigned field)
{
	const struct field_fact *f = &p->facts->fields[field];
	const struct rule_fact *last = plan_last_rule(p, field);

	if (f->kind == KIND_NONE && !may_be_offered(p, field))
		return GCPU_LACK_NEVER;
	if (last && (last->effect == EFFECT_OFFER || last->effect == EFFECT_WITHDRAW))
		return GCPU_LACK_RULE;
	/* what KVM makes by itself needs nothing of the CPU */
	if ((f->kind == KIND_HW || f->kind == KIND_PASS || f->kind == KIND_VENDOR) && cpu_lacks(p, field))
		return GCPU_LACK_CPU;
	if (kernel_too_old(f->since, gcpu_snapshot_kernel(p->snap)))
		return GCPU_LACK_KERNEL;
	return GCPU_LACK_HOST;
}

/* Planned off, would it be on in every guest all the same, or KVM refuse? */
static bool kept_on(const struct gcpu_plan *p, const struct feature_fact *ff, const struct target_fact *t)
{
	const struct field_fact *f = &p->facts->fields[t->field];
	uint64_t off = t->at_least && ff->id >= 4096 ? field_below(f, t->value) : field_off(f), force;
	int error = 0;

	if (!p->arch->trial || !(f->owner & OWNER_CHOSEN) || !p->arch->trial(p, t->field, off, &force, &error))
		return false;
	return error || feature_reached(p->facts, ff, t, force);
}

int gcpu_plan_standing(const struct gcpu_plan *p, const char *name, struct gcpu_standing *ret,
		       struct gcpu_error *err)
{
	struct gcpu_standing s = { .size = sizeof(s), .on = true, .offered = true, .chosen = true,
				   .in_force = true };
	const struct feature_fact *ff;
	const struct target_fact *t;

	if (!p || !name || !ret || ret->size < sizeof(ret->size))
		return error_set(err, GCPU_ERR_ARGUMENT, "no plan, name or result");
	ff = plan_feature(p, name, err);
	if (!ff)
		return GCPU_ERR_NAME;
	t = &p->facts->targets[ff->first];
	s.value = field_get(p, p->value, t->field);
	s.offer = field_get(p, p->offer, t->field);
	for (unsigned i = 0; i < ff->n; i++, t++) {
		bool on = plan_target_on(p, ff, t, false), force = plan_target_on(p, ff, t, true);

		s.on = s.on && on;
		s.some = s.some || on;
		s.chosen = s.chosen && (p->facts->fields[t->field].owner & OWNER_CHOSEN);
		s.asked = s.asked || p->fields[t->field].said == SAID_VALUE;
		s.forced_on = s.forced_on || (!on && force);
		s.forced_off = s.forced_off || (on && !force);
		s.in_force = s.in_force && force;
		s.always_on = s.always_on || kept_on(p, ff, t);
		if (feature_reached(p->facts, ff, t, field_get(p, p->offer, t->field)))
			continue;
		s.offered = false;
		if (!on)
			s.lack = lacks(p, t->field);
	}
	if (ff->n_terms) {
		s.on = s.some = s.in_force = feature_on(p, ff, p->value);
		s.offered = feature_on(p, ff, p->offer);
		s.chosen = s.chosen && !ff->fixed;
		s.lack = s.on || s.offered ? GCPU_LACK_NOTHING : lacks(p, feature_missing(p, ff));
	}
	s.size = ret->size;
	memset(ret, 0, s.size);
	memcpy(ret, &s, s.size < sizeof(s) ? s.size : sizeof(s));
	return 0;
}

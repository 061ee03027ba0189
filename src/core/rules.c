/* SPDX-License-Identifier: MIT */
/* Carries out the rows of rules.txt, and the parents of requires.txt. */
#include "plan.h"

#include <string.h>

static bool raw_set(const struct gcpu_plan *p, enum snap_tables table, int field)
{
	uint64_t v;

	return field >= 0 && p->arch->raw && p->arch->raw(p, table, (unsigned)field, &v) &&
	       !field_is_off(&p->facts->fields[field], v);
}

/* Is some field of this plan asked for, on or off? */
static bool said(const struct gcpu_plan *p, int field, int want)
{
	bool off;

	if (field < 0 || p->fields[field].said != SAID_VALUE)
		return false;
	off = field_is_off(&p->facts->fields[field], p->fields[field].asked);
	return want < 0 || (want == 0) == off;
}

static bool is_on(const struct gcpu_plan *p, const uint64_t *words, int field)
{
	return field >= 0 && !field_is_off(&p->facts->fields[field],
					   field_get(p, words, (unsigned)field));
}

static unsigned model_number(const struct gcpu_plan *p)
{
	return (unsigned)p->model;
}

/* Is VENDOR one of NAMES, which commas separate? Some vendors pad their string with
 * blanks, which no column has. */
static bool is_vendor(const char *vendor, const char *names)
{
	size_t n, first = 0, last = strlen(vendor);

	while (vendor[first] == ' ')
		first++;
	while (last > first && vendor[last - 1] == ' ')
		last--;
	for (;; names += n + 1) {
		const char *comma = strchr(names, ',');

		n = comma ? (size_t)(comma - names) : strlen(names);
		if (n == last - first && memcmp(vendor + first, names, n) == 0)
			return true;
		if (!comma)
			return false;
	}
}

static bool atom_holds(const struct gcpu_plan *p, const struct atom_fact *a, int field)
{
	const struct gcpu_machine *m = &p->machine;

	switch (a->op) {
	case ATOM_LAPIC:
		return m->irqchip == GCPU_IRQCHIP_KERNEL || m->irqchip == GCPU_IRQCHIP_SPLIT;
	case ATOM_IRQCHIP:
		return (uint64_t)m->irqchip == a->value;
	case ATOM_GIC:
		return (uint64_t)m->gic == a->value;
	case ATOM_CAP:
		return gcpu_snapshot_capability(p->snap, (unsigned)a->value) > 0;
	case ATOM_OFFERED:
		return is_on(p, p->offer, field);
	case ATOM_SUPPORTED:
		return raw_set(p, SNAP_SUPPORTED, field);
	case ATOM_NATIVE:
		return raw_set(p, SNAP_NATIVE, field);
	case ATOM_EMULATED:
		return raw_set(p, SNAP_EMULATED, field);
	case ATOM_HANDLES:
		return m->handles >> a->value & 1;
	case ATOM_EXIT_DISABLED:
		return m->disable_exits >> a->value & 1;
	case ATOM_EXIT_ALLOWED:
		return gcpu_snapshot_capability(p->snap, CAP_X86_DISABLE_EXITS) >> a->value & 1;
	case ATOM_ASKED:
		return said(p, field, -1);
	case ATOM_ASKED_ON:
		return said(p, field, 1);
	case ATOM_ASKED_OFF:
		return said(p, field, 0);
	case ATOM_MODEL:
		return model_number(p) == a->value;
	case ATOM_PROP:
		return p->props[a->value] != 0;
	case ATOM_PLANNED:
		return is_on(p, p->value, (int)a->value);
	case ATOM_MSR:
		return snapshot_msr(p->snap, (uint32_t)a->value) != NULL;
	case ATOM_ACCEPTS:
		return m->accept_x2apic_ids != 0;
	case ATOM_VENDOR:
		return is_vendor(p->vendor, a->text);
	case ATOM_OFFERS:
		return is_on(p, p->offer, (int)a->value);
	case ATOM_CPU:
		return p->arch->is_cpu && p->arch->is_cpu(p, a->value);
	case ATOM_LEAF:
		return snapshot_cpuid(p->snap, SNAP_SUPPORTED, (uint32_t)a->value, 0) != NULL;
	case ATOM_ON:
		return is_on(p, p->value, field);
	case ATOM_ABOUT:
		return true;
	default:
		return false;
	}
}

static bool rule_holds(const struct gcpu_plan *p, const struct rule_fact *r, int field)
{
	for (unsigned i = 0; i < r->n_atoms; i++) {
		const struct atom_fact *a = &p->facts->atoms[r->first_atom + i];

		if (atom_holds(p, a, field) == a->negate)
			return false;
	}
	return true;
}

bool plan_rule_wants_more(const struct gcpu_plan *p, unsigned rule)
{
	static const unsigned machine = 1U << ATOM_IRQCHIP | 1U << ATOM_HANDLES | 1U << ATOM_EXIT_DISABLED |
					1U << ATOM_EXIT_ALLOWED | 1U << ATOM_ACCEPTS;
	const struct rule_fact *r = &p->facts->rules[rule];

	for (unsigned i = 0; i < r->n_atoms; i++) {
		const struct atom_fact *a = &p->facts->atoms[r->first_atom + i];

		if ((machine >> a->op & 1) && atom_holds(p, a, -1) == a->negate)
			return true;
	}
	return false;
}

bool plan_rule_holds(const struct gcpu_plan *p, unsigned rule, unsigned field)
{
	return rule_holds(p, &p->facts->rules[rule], (int)field);
}

bool plan_atom_holds(const struct gcpu_plan *p, const struct atom_fact *a, unsigned field)
{
	return atom_holds(p, a, (int)field) != a->negate;
}

static void offer_put(struct gcpu_plan *p, unsigned field, uint64_t value, unsigned rule)
{
	uint64_t before = field_get(p, p->offer, field);

	if (before == value)
		return;
	field_put(p, p->offer, field, value);
	plan_record(p, field, rule, before, value);
	if (p->facts->rules[rule].effect == EFFECT_WITHDRAW)
		p->fields[field].withdrawn = (uint16_t)(rule + 1);
}

static void take_away(struct gcpu_plan *p, unsigned field, unsigned rule)
{
	const struct field_fact *f = &p->facts->fields[field];

	if (!is_on(p, p->value, (int)field))
		return;
	plan_set(p, field, field_off(f), rule);
	p->fields[field].denied = true;
	if (said(p, (int)field, 1))
		plan_unavailable(p, field, rule);
}

/* True if the rule did something. */
static bool rule_effect(struct gcpu_plan *p, unsigned rule, int field)
{
	const struct rule_fact *r = &p->facts->rules[rule];
	const struct field_fact *f = field < 0 ? NULL : &p->facts->fields[field];
	size_t steps = p->steps.n;

	switch (r->effect) {
	case EFFECT_WARN:
		return true;
	case EFFECT_OFFER:
		offer_put(p, (unsigned)field, field_mask(f), rule);
		break;
	case EFFECT_WITHDRAW:
		offer_put(p, (unsigned)field, field_off(f), rule);
		break;
	case EFFECT_SET:
		if (!is_on(p, p->value, field))
			plan_set(p, (unsigned)field, field_mask(f), rule);
		break;
	case EFFECT_WANT:
		if (is_on(p, p->offer, field) && !is_on(p, p->value, field) &&
		    !said(p, field, 0) && !p->fields[field].denied)
			plan_set(p, (unsigned)field, field_get(p, p->offer, (unsigned)field), rule);
		break;
	case EFFECT_CLEAR:
		take_away(p, (unsigned)field, rule);
		break;
	default:
		break;
	}
	return p->steps.n != steps;
}

/* A warning about a property that the user himself turned on. */
static bool about_asked_property(const struct gcpu_plan *p, const struct rule_fact *r)
{
	for (unsigned i = 0; r->severity >= SEVERITY_WARNING && i < r->n_atoms; i++) {
		const struct atom_fact *a = &p->facts->atoms[r->first_atom + i];

		if (a->op == ATOM_PROP && p->props_said[a->value].said)
			return true;
	}
	return false;
}

static void run_rule(struct gcpu_plan *p, unsigned rule)
{
	const struct rule_fact *r = &p->facts->rules[rule];
	unsigned n = r->n_targets ? r->n_targets : 1;

	for (unsigned i = 0; i < n; i++) {
		int field = r->n_targets ? p->facts->rule_targets[r->first_target + i] : -1;

		if (!rule_holds(p, r, field) || !rule_effect(p, rule, field))
			continue;
		if (field < 0)
			p->lacking += about_asked_property(p, r);
		/* what was asked for and taken away is reported as unavailable */
		if (field >= 0 && p->fields[field].unavailable)
			continue;
		if (r->severity == SEVERITY_NONE)
			continue;
		if (field < 0)
			plan_find(p, rule, -1, r->severity, NULL);
		else
			plan_find(p, rule, field, r->severity, "%s: %s",
				  field_known_as(p, (unsigned)field), r->sentence);
	}
}

void plan_rules(struct gcpu_plan *p, enum rule_stage stage)
{
	for (unsigned i = 0; i < p->facts->n_rules; i++)
		if (p->facts->rules[i].stage == stage)
			run_rule(p, i);
}

/* Is there as much of a field as one side of a requirement says? */
static bool meets(const struct gcpu_plan *p, const uint64_t *words, const struct need_fact *need)
{
	const struct field_fact *f = &p->facts->fields[need->field];
	uint64_t value = field_get(p, words, need->field);

	return need->at_least ? field_reaches(f, value, need->value) : !field_is_off(f, value);
}

static const struct require_fact *missing_parent(const struct gcpu_plan *p,
						 const struct require_fact *r)
{
	for (unsigned i = 0; i < r->n; i++)
		if (meets(p, p->value, &r->to[i]))
			return NULL;
	return r;
}

/* Did the user say less of it than is needed? */
static bool said_less(const struct gcpu_plan *p, const struct need_fact *need)
{
	const struct field_state *s = &p->fields[need->field];
	const struct field_fact *f = &p->facts->fields[need->field];

	if (s->said != SAID_VALUE)
		return false;
	return need->at_least ? !field_reaches(f, s->asked, need->value) : field_is_off(f, s->asked);
}

/* A parent that may be brought along for a child that was asked for. */
static int bring(struct gcpu_plan *p, const struct require_fact *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		const struct need_fact *need = &r->to[i];
		unsigned f = need->field;

		if (!(p->facts->fields[f].owner & OWNER_CHOSEN) || p->fields[f].denied ||
		    said_less(p, need) || !meets(p, p->offer, need))
			continue;
		plan_set(p, f, field_get(p, p->offer, f), RULE_PARENT_ON);
		p->fields[f].said = SAID_BROUGHT;
		plan_find(p, RULE_PARENT_ON, (int)f, SEVERITY_NOTE, "%s: brought along, %s needs it",
			  p->facts->features[need->feature].name, p->facts->features[r->from.feature].name);
		return 1;
	}
	return 0;
}

static void drop_child(struct gcpu_plan *p, const struct require_fact *r)
{
	const struct field_fact *child = &p->facts->fields[r->child];
	const struct need_fact *need = &r->to[0];
	const struct field_state *above = &p->fields[need->field];
	/* a parent that was itself dropped passes its reason on */
	bool offered = meets(p, p->offer, need) &&
		       !(above->denied && above->why == RULE_PARENT_MISSING);
	unsigned rule = offered ? RULE_PARENT_OFF : RULE_PARENT_MISSING;
	const struct field_state *own = &p->fields[r->child];

	plan_set(p, r->child, r->from.at_least ? plan_level_below(p, r->child, r->from.value) : field_off(child), rule);
	p->fields[r->child].denied = true;
	p->fields[r->child].why = (uint16_t)rule;
	if (!(child->owner & OWNER_CHOSEN))
		return;
	if (own->said == SAID_VALUE && !said_less(p, &r->from)) {
		plan_unavailable(p, r->child, rule);
		return;
	}
	/* a parent that is off unless it is asked for is no news */
	if (offered && p->facts->fields[need->field].deflt == DEFAULT_ASKED)
		return;
	plan_find(p, rule, r->child, SEVERITY_NOTE,
		  offered ? "%s: off, because %s is off" : "%s: off, because %s is not offered",
		  p->facts->features[r->from.feature].name, p->facts->features[need->feature].name);
}

/* Rows whose child is on and has no parent: bring one along, or drop the child. */
static bool pass_parents(struct gcpu_plan *p, bool dropping)
{
	bool did = false;

	for (unsigned i = 0; i < p->facts->n_requires; i++) {
		const struct require_fact *r = &p->facts->requires[i];

		if (!meets(p, p->value, &r->from) || !missing_parent(p, r))
			continue;
		if (!dropping) {
			did |= p->fields[r->child].said != SAID_NOTHING && bring(p, r);
			continue;
		}
		drop_child(p, r);
		did = true;
	}
	return did;
}

/* To a fixed point: parents are all brought before a child is dropped. A pass
 * turns something on that is never turned on again, or off for good: it ends. */
void plan_parents(struct gcpu_plan *p)
{
	do {
		while (pass_parents(p, false))
			;
	} while (pass_parents(p, true));
}

/* Values that this KVM refused in trial, or without one would refuse, fall back to its own. */
void plan_refusals(struct gcpu_plan *p)
{
	unsigned rule = p->snap->has_trial ? RULE_KVM_KEEPS : RULE_KVM_WOULD_KEEP;

	for (unsigned i = 0; p->arch->refuses_values && i < p->facts->n_fields; i++) {
		uint64_t force;
		int error;

		if (!(p->facts->fields[i].owner & OWNER_CHOSEN) ||
		    !p->arch->trial(p, i, field_get(p, p->value, i), &force, &error) || !error)
			continue;
		plan_set(p, i, field_get(p, p->offer, i), rule);
		if (p->fields[i].said != SAID_VALUE)
			continue;
		/* what was asked for first, and something else took away: it is there again */
		p->fields[i].unavailable = false;
		if (field_get(p, p->offer, i) != p->fields[i].asked)
			plan_unavailable(p, i, rule);
	}
}

static void count_forced(struct gcpu_plan *p, unsigned rule, unsigned n, const char *here,
			 const char *there)
{
	if (n)
		plan_find(p, rule, -1, SEVERITY_NOTE,
			  "%u feature%s %s here %s %s in every guest of this KVM (seen by trial)", n,
			  n == 1 ? " that is" : "s that are", here, n == 1 ? "is" : "are", there);
}

/* What this KVM puts in force against the plan. */
void plan_trial(struct gcpu_plan *p)
{
	unsigned on = 0, off = 0;

	for (unsigned i = 0; p->arch->trial && i < p->facts->n_fields; i++) {
		const struct field_fact *f = &p->facts->fields[i];
		uint64_t value = field_get(p, p->value, i), force = value;
		int error = 0;
		bool is_off = field_is_off(f, value);
		unsigned rule = is_off ? RULE_FORCED_ON : RULE_FORCED_OFF;

		if (!(f->owner & OWNER_CHOSEN) || !p->arch->trial(p, i, value, &force, &error) ||
		    error || force == value)
			continue;
		plan_record(p, i, rule, value, force);
		if (p->fields[i].said == SAID_VALUE) {
			/* on in spite of the user, or given and not to be had; what is unavailable counts by itself */
			p->lacking += !p->fields[i].unavailable;
			plan_find(p, rule, (int)i, SEVERITY_WARNING, "%s: %s", field_known_as(p, i),
				  p->facts->rules[rule].sentence);
		} else
			*(is_off ? &on : &off) += 1;
	}
	count_forced(p, RULE_FORCED_ON, on, "off", "on");
	count_forced(p, RULE_FORCED_OFF, off, "on", "off");
}

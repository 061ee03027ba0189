/* SPDX-License-Identifier: MIT */
/* Is a feature there? What is told by several fields, and the words that set it. */
#include "plan.h"

static bool term_holds(const struct facts *f, const struct term_fact *t, uint64_t value)
{
	return t->exact ? value == t->value : field_reaches(&f->fields[t->field], value, t->value);
}

/* The terms of alternative ALTERNATIVE, all of them. */
static bool alternative_holds(const struct gcpu_plan *p, const struct feature_fact *ff, unsigned alternative,
			      const uint64_t *words)
{
	const struct term_fact *t = p->facts->terms + ff->first_term;

	for (unsigned i = 0; i < ff->n_terms; i++)
		if (t[i].alternative == alternative &&
		    !term_holds(p->facts, &t[i], field_get(p, words, t[i].field)))
			return false;
	return true;
}

bool feature_reached(const struct facts *f, const struct feature_fact *ff, const struct target_fact *target,
		     uint64_t value)
{
	const struct field_fact *field = &f->fields[target->field];
	bool any = false;

	for (unsigned i = 0; i < ff->n_terms; i++) {
		const struct term_fact *t = &f->terms[ff->first_term + i];

		any = any || t->sets;
		if (t->sets && t->field == target->field && term_holds(f, t, value))
			return true;
	}
	if (any)
		return false;
	return target->at_least && ff->id >= 4096 ? field_reaches(field, value, target->value) :
						    !field_is_off(field, value);
}

bool feature_on(const struct gcpu_plan *p, const struct feature_fact *ff, const uint64_t *words)
{
	const struct target_fact *target = p->facts->targets + ff->first;

	for (unsigned i = 0; i < ff->n_terms; i++)
		if (alternative_holds(p, ff, p->facts->terms[ff->first_term + i].alternative, words))
			return true;
	for (unsigned i = 0; !ff->n_terms && i < ff->n; i++)
		if (!feature_reached(p->facts, ff, &target[i], field_get(p, words, target[i].field)))
			return false;
	return !ff->n_terms;
}

bool feature_takes(const struct gcpu_plan *p, const struct feature_fact *ff, const struct target_fact *target)
{
	bool any = false, offered = feature_on(p, ff, p->offer);

	for (unsigned i = 0; i < ff->n_terms; i++) {
		const struct term_fact *t = &p->facts->terms[ff->first_term + i];

		any = any || t->sets;
		if (t->sets && t->field == target->field &&
		    alternative_holds(p, ff, t->alternative, p->offer))
			return true;
	}
	/* where none is to be had, one of them says why */
	return !any || (!offered && target == p->facts->targets + ff->first);
}

unsigned feature_missing(const struct gcpu_plan *p, const struct feature_fact *ff)
{
	const struct term_fact *t = p->facts->terms + ff->first_term;

	for (unsigned i = 0; i < ff->n_terms; i++)
		if (!term_holds(p->facts, &t[i], field_get(p, p->offer, t[i].field)))
			return t[i].field;
	return t->field;
}

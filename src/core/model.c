/* SPDX-License-Identifier: MIT */
/* The models that a request may begin with, and what a named one says of each field. */
#include "plan.h"

#include <guestcpu/catalogue.h>
#include <string.h>

static const struct {
	const char *name;
	enum model_kind kind;
	const char *meaning;
} kinds[] = {
	{ "host", MODEL_HOST, "all that this KVM can give and that need not be asked for" },
	{ "max", MODEL_MAX, "the same as host" },
	{ "base", MODEL_BASE, "nothing but what is asked for" },
};

enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static bool has_kind(const struct arch *a, size_t kind)
{
	return kinds[kind].kind != MODEL_BASE || a->has_base;
}

int gcpu_models(enum gcpu_arch arch, int (*visit)(void *ctx, const struct gcpu_model_info *), void *ctx)
{
	const struct arch *a = arch_of(arch);
	int status = 0;

	if (!a || !visit)
		return GCPU_ERR_ARGUMENT;
	for (size_t i = 0; i < N_KINDS && !status; i++)
		if (has_kind(a, i))
			status = visit(ctx, &(struct gcpu_model_info){ kinds[i].name, kinds[i].meaning });
	for (unsigned i = 0; i < a->facts->n_models && !status; i++)
		status = visit(ctx, &(struct gcpu_model_info){ a->facts->models[i].name,
							       a->facts->models[i].model_id });
	return status;
}

bool model_find(const struct arch *a, const char *name, size_t length, enum model_kind *ret_kind,
		const struct model_fact **ret_named)
{
	const struct facts *f = a->facts;

	for (size_t i = 0; i < N_KINDS; i++) {
		if (has_kind(a, i) && name_same(name, length, kinds[i].name)) {
			*ret_kind = kinds[i].kind;
			return true;
		}
	}
	for (unsigned i = 0; i < f->n_models; i++) {
		size_t n = strlen(f->models[i].name);

		/* "-v1" is the only version there is of these */
		if (name_same(name, length, f->models[i].name) ||
		    (length == n + 3 && name_same(name, n, f->models[i].name) &&
		     name_same(name + n, 3, "-v1"))) {
			*ret_kind = MODEL_NAMED;
			*ret_named = &f->models[i];
			return true;
		}
	}
	return false;
}

void model_names(const struct arch *a, const char *name, size_t length, struct gcpu_error *err)
{
	static const char more[] = ", ... (-c help lists them)";
	const struct facts *f = a->facts;

	if (!err)
		return;
	strcpy(err->expected, a->has_base ? "a model: host, max, base" : "a model: host, max");
	for (unsigned i = 0; i < f->n_models; i++) {
		const char *next = f->models[i].name;

		if (strlen(err->expected) + strlen(next) + 2 + sizeof(more) > sizeof(err->expected)) {
			strcat(err->expected, more);
			break;
		}
		strcat(err->expected, ", ");
		strcat(err->expected, next);
	}
	name_nearest_model(f, name, length, err);
}

const struct target_fact *model_field(const struct gcpu_plan *p, unsigned field)
{
	const struct target_fact *t;
	unsigned low = 0, high;

	if (!p->named)
		return NULL;
	t = p->facts->model_fields + p->named->first;
	for (high = p->named->n; low < high;) {
		unsigned at = (low + high) / 2;

		if (t[at].field == field)
			return &t[at];
		if (t[at].field < field)
			low = at + 1;
		else
			high = at;
	}
	return NULL;
}

uint64_t model_value(const struct gcpu_plan *p, unsigned field)
{
	const struct field_fact *f = &p->facts->fields[field];
	const struct target_fact *m = model_field(p, field);
	uint64_t offer = field_get(p, p->offer, field);

	if (p->model == MODEL_HOST || p->model == MODEL_MAX || (p->named && p->named->rest && !m))
		return offer;
	if (!m || !m->at_least)
		return field_off(f);
	return field_within(f, m->value, offer) ? m->value : field_nearest(f, m->value, offer);
}

/* The highest feature of the architecture that a value is enough for. */
const char *model_word(const struct gcpu_plan *p, unsigned field)
{
	const struct field_fact *f = &p->facts->fields[field];
	const struct target_fact *m = model_field(p, field), *best = NULL;
	const char *name = f->name;

	for (unsigned i = 0; m && m->at_least && i < p->facts->n_features; i++) {
		const struct feature_fact *ff = &p->facts->features[i];
		const struct target_fact *t = &p->facts->targets[ff->first];

		if (ff->n != 1 || ff->id < 4096 || t->field != field || !field_reaches(f, m->value, t->value) ||
		    (best && !field_reaches(f, t->value, best->value)))
			continue;
		best = t;
		name = ff->name;
	}
	return name;
}

/* Did the user turn off what FIELD hangs on? Rows of two that need each other end it at NESTED. */
static bool waived(const struct gcpu_plan *p, unsigned field, unsigned nested)
{
	for (unsigned i = 0; nested < 4 && i < p->facts->n_requires; i++) {
		const struct require_fact *r = &p->facts->requires[i];
		unsigned off = 0;

		if (r->child != field || r->from.at_least)
			continue;
		for (unsigned k = 0; k < r->n; k++) {
			unsigned above = r->to[k].field;
			const struct field_state *s = &p->fields[above];

			off += s->said == SAID_VALUE ? field_is_off(&p->facts->fields[above], s->asked) :
						       waived(p, above, nested + 1);
		}
		if (off == r->n)
			return true;
	}
	return false;
}

bool model_demands(const struct gcpu_plan *p, unsigned field)
{
	return model_field(p, field) && !waived(p, field, 0);
}

/* Is it lacking because something that it needs is, which was said already? */
static bool parent_lacks(const struct gcpu_plan *p, unsigned field)
{
	for (unsigned i = 0; i < p->facts->n_requires; i++) {
		const struct require_fact *r = &p->facts->requires[i];

		if (r->child == field && p->fields[r->parent[0]].unavailable)
			return true;
	}
	return false;
}

/* What KVM fixes, demanded by the model. */
static void check_fixed(struct gcpu_plan *p, const struct target_fact *m)
{
	const struct field_fact *f = &p->facts->fields[m->field];
	uint64_t offer = field_get(p, p->offer, m->field);

	if (!m->at_least || field_reaches(f, offer, m->value) || parent_lacks(p, m->field) ||
	    !model_demands(p, m->field))
		return;
	if (f->kind == KIND_NONE)
		plan_find(p, RULE_MODEL_HIDDEN, m->field, SEVERITY_NOTE, "%s: %s", model_word(p, m->field),
			  p->facts->rules[RULE_MODEL_HIDDEN].sentence);
	else
		plan_unavailable(p, m->field, field_is_off(f, offer) ? RULE_NOT_OFFERED : RULE_LESS_OFFERED);
}

void plan_model_lacks(struct gcpu_plan *p)
{
	const struct target_fact *m = p->named ? p->facts->model_fields + p->named->first : NULL;
	unsigned kept = 0;

	for (unsigned i = 0; m && i < p->named->n; i++, m++) {
		if (!(p->facts->fields[m->field].owner & OWNER_CHOSEN))
			check_fixed(p, m);
		else if (p->fields[m->field].said == SAID_NOTHING)
			kept += plan_last_rule(p, m->field) == &p->facts->rules[RULE_KVM_KEEPS];
	}
	if (kept)
		plan_find(p, RULE_MODEL_KEPT, -1, SEVERITY_WARNING,
			  kept == 1 ? "%u field of the host stays beside the model: this KVM does not let it be changed" :
				      "%u fields of the host stay beside the model: this KVM does not let them be changed",
			  kept);
}

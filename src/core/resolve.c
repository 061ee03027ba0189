/* SPDX-License-Identifier: MIT */
/* From an offer and a request to the value of every chosen field. Pure. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

static bool is_level(const struct gcpu_plan *p, unsigned field, uint64_t value)
{
	const struct field_fact *f = &p->facts->fields[field];

	for (unsigned i = 0; i < p->facts->n_features; i++) {
		const struct feature_fact *ff = &p->facts->features[i];

		for (unsigned k = 0; ff->id >= 4096 && k < ff->n; k++) {
			const struct target_fact *t = &p->facts->targets[ff->first + k];

			if (t->field == field && t->at_least && t->value == value)
				return true;
		}
	}
	return value == f->absent || value == field_off(f) || (value && value == f->min) ||
	       value_name(p->facts, f, value);
}

/* The highest value that lacks the level LEAST and that the architecture defines:
 * what lies between two levels is reserved. */
uint64_t plan_level_below(const struct gcpu_plan *p, unsigned field, uint64_t least)
{
	const struct field_fact *f = &p->facts->fields[field];
	uint64_t value = field_below(f, least);

	while (!is_level(p, field, value))
		value = field_below(f, value);
	return value;
}

/* FROM, lowered until no term that sets the feature by this field holds. */
static uint64_t untold(const struct gcpu_plan *p, const struct feature_fact *ff, const struct target_fact *target,
		       uint64_t from)
{
	const struct field_fact *f = &p->facts->fields[target->field];

	for (unsigned i = 0; i < ff->n_terms; i++) {
		const struct term_fact *t = &p->facts->terms[ff->first_term + i];

		if (!t->sets || t->field != target->field)
			continue;
		if (t->exact && from == t->value)
			from = field_off(f);
		else if (!t->exact && field_reaches(f, from, t->value))
			from = plan_level_below(p, t->field, t->value);
	}
	return from;
}

/* What an item makes of one field that it names. */
static uint64_t item_value(const struct gcpu_plan *p, const struct request_item *it,
			   const struct target_fact *t)
{
	const struct feature_fact *ff = &p->facts->features[it->feature];
	const struct field_fact *f = &p->facts->fields[t->field];
	uint64_t offer = field_get(p, p->offer, t->field);
	uint64_t from = model_value(p, t->field);

	if (!it->is_switch)
		return it->value;
	if (f->width == 1)
		return it->value;
	if (it->value == 0) {
		if (!t->at_least)
			return field_off(f);
		if (ff->n_terms)
			return untold(p, ff, t, from);
		return field_reaches(f, from, t->value) ? plan_level_below(p, t->field, t->value) : from;
	}
	if (!t->at_least)
		return offer;
	if (feature_reached(p->facts, ff, t, from))
		return from;
	return ff->n_terms && feature_on(p, ff, p->offer) && !field_within(f, t->value, offer) ? offer : t->value;
}

/* The place of FIELD among what a feature sets. */
static const struct target_fact *target_of(const struct gcpu_plan *p, const struct feature_fact *ff, unsigned field)
{
	const struct target_fact *t = p->facts->targets + ff->first;

	while (t->field != field)
		t++;
	return t;
}

/* Two words of a request about one field: a feature of the architecture and
 * the field behind it must agree; the same word twice is simply the later one. */
static bool contradicts(const struct gcpu_plan *p, const struct request_item *a,
			const struct request_item *b, unsigned field, uint64_t va, uint64_t vb)
{
	const struct feature_fact *fa = &p->facts->features[a->feature];
	const struct feature_fact *fb = &p->facts->features[b->feature];
	const struct target_fact *t, *on, *off;

	if (fa == fb || !fa->id || !fb->id || (fa->id < 4096 && fb->id < 4096))
		return false;
	if (fa->id < 4096)
		return contradicts(p, b, a, field, vb, va);
	t = target_of(p, fa, field);
	if (fb->id < 4096)
		return field_reaches(&p->facts->fields[field], vb, t->value) != (a->value != 0);
	/* two features of one field: one at least at its level, the other below its own */
	on = a->value ? t : target_of(p, fb, field);
	off = a->value ? target_of(p, fb, field) : t;
	if ((a->value != 0) == (b->value != 0))
		return false;
	return !field_reaches(&p->facts->fields[field],
			      plan_level_below(p, field, off->value), on->value);
}

/* The same thing said in two ways: the later one counts, which may surprise. */
static void said_otherwise(struct gcpu_plan *p, int field, size_t offset, size_t length,
			   const struct request_item *it)
{
	int a = length < 60 ? (int)length : 60, b = it->length < 60 ? (int)it->length : 60;

	plan_find(p, RULE_SAID_TWICE, field, SEVERITY_WARNING, "'%.*s' counts, not '%.*s'", b,
		  p->request + it->offset, a, p->request + offset);
}

static int collect_item(struct gcpu_plan *p, const struct request_item *it,
			const struct request_item **by, bool last, struct gcpu_error *err)
{
	const struct feature_fact *ff;

	if (it->prop >= 0)
		return 0;
	ff = &p->facts->features[it->feature];
	for (unsigned i = 0; i < ff->n; i++) {
		const struct target_fact *t = &p->facts->targets[ff->first + i];
		struct field_state *s = &p->fields[t->field];
		uint64_t v;

		if (prefix_member(p, t))
			continue;
		if (it->value && !feature_takes(p, ff, t))
			continue;
		v = item_value(p, it, t);
		if (by[t->field] && contradicts(p, it, by[t->field], t->field, v, s->asked)) {
			error_set(err, GCPU_ERR_VALUE, "'%.*s' and '%.*s' contradict each other in %s",
				  (int)by[t->field]->length, p->request + by[t->field]->offset,
				  (int)it->length, p->request + it->offset,
				  p->facts->fields[t->field].name);
			error_at(err, it->offset, it->length);
			error_expected(err, "one of them, or the same meaning in both");
			return GCPU_ERR_VALUE;
		}
		/* a feature that the value before already agrees with moves nothing */
		if (by[t->field] && ff->id >= 4096 && by[t->field]->feature != it->feature &&
		    field_reaches(&p->facts->fields[t->field], s->asked, t->value) == (it->value != 0))
			continue;
		if (last && by[t->field] && s->asked != v)
			said_otherwise(p, t->field, by[t->field]->offset, by[t->field]->length, it);
		by[t->field] = it;
		s->said = SAID_VALUE;
		s->said_as = (uint16_t)it->feature;
		s->asked = v;
		s->asked_on = it->is_switch && it->value;
	}
	return 0;
}

static void collect_property(struct gcpu_plan *p, const struct request_item *it)
{
	struct prop_said *s = &p->props_said[it->prop];
	bool same = s->said && p->props[it->prop] == it->value && s->text_length == it->text_length &&
		    memcmp(p->request + s->text, p->request + it->text, it->text_length) == 0;

	if (s->said && !same) {
		said_otherwise(p, -1, s->offset, s->length, it);
		plan_find_about(p, (unsigned)it->prop);
	}
	p->props[it->prop] = it->value;
	*s = (struct prop_said){ true, it->offset, it->length, it->text, it->text_length };
}

/* QEMU's order of precedence: =, then +, then -. */
static const char item_ops[] = "=+-";

static void collect_properties(struct gcpu_plan *p, const struct gcpu_request *req)
{
	bool generous = p->model == MODEL_HOST || p->model == MODEL_MAX;

	for (unsigned i = 0; i < p->facts->n_props; i++) {
		const struct property_fact *f = &p->facts->props[i];

		p->props[i] = f->when == PROP_ALWAYS || (f->when == PROP_GENEROUS && generous) ?
				      f->deflt : 0;
	}
	for (int op = 0; op < 3; op++) {
		for (size_t i = 0; i < req->items.n; i++) {
			const struct request_item *it = LIST_AT(&req->items, struct request_item, i);

			if (it->op == item_ops[op] && it->prop >= 0)
				collect_property(p, it);
		}
	}
	p->preset = preset_said(p);
}

/* What the user said of features. LAST: nothing is collected again after this. */
static int collect(struct gcpu_plan *p, const struct gcpu_request *req, bool last,
		   struct gcpu_error *err)
{
	const struct request_item **by = calloc(p->facts->n_fields + 1, sizeof(*by));
	int status = 0;

	if (!by)
		return error_memory(err);
	for (int op = 0; op < 3 && status == 0; op++) {
		for (size_t i = 0; i < req->items.n && status == 0; i++) {
			const struct request_item *it = LIST_AT(&req->items, struct request_item, i);

			if (it->op == item_ops[op])
				status = collect_item(p, it, by, last, err);
		}
	}
	free(by);
	return status ? status : prefix_collect(p, req, item_ops, err);
}

/* Why is FIELD not offered? The last rule that withdrew it, else the plain truth. */
static unsigned why_not(const struct gcpu_plan *p, unsigned field)
{
	const struct field_fact *f = &p->facts->fields[field];
	const uint16_t *rule = p->facts->about + p->facts->about_first[field];
	const uint16_t *end = p->facts->about + p->facts->about_first[field + 1];

	if (p->fields[field].withdrawn)
		return p->fields[field].withdrawn - 1U;
	/* A rule that takes it away, although there was nothing to take; else one
	 * that would have offered it on another machine: they say why. */
	for (const uint16_t *r = rule; r < end; r++)
		if (p->facts->rules[*r].effect == EFFECT_WITHDRAW && plan_rule_holds(p, *r, field))
			return *r;
	for (const uint16_t *r = rule; r < end; r++)
		if (p->facts->rules[*r].effect == EFFECT_OFFER && plan_rule_wants_more(p, *r))
			return *r;
	for (const uint16_t *r = rule; f->order == ORDER_ABSENCE && r < end; r++)
		if (p->facts->rules[*r].effect == EFFECT_WARN && plan_rule_holds(p, *r, field))
			return *r;
	if (!field_is_off(f, field_get(p, p->offer, field)))
		return RULE_LESS_OFFERED;
	return f->kind == KIND_NONE ? RULE_NEVER_OFFERED : RULE_NOT_OFFERED;
}

/* Nobody spoke of it and the model leaves it out: that has a reason too. */
static void left_out(struct gcpu_plan *p, unsigned field)
{
	const struct field_fact *f = &p->facts->fields[field];
	uint64_t off = field_off(f);
	unsigned why = RULE_MODEL_LACKS;

	if (p->fields[field].said != SAID_NOTHING)
		return;
	if (field_get(p, p->offer, field) == off)
		why = why_not(p, field);
	else if (p->model == MODEL_HOST || p->model == MODEL_MAX ||
		 (p->named && p->named->rest && !model_field(p, field)))
		why = RULE_ASKED_ONLY;
	plan_record(p, field, why, off, off);
}

static void start(struct gcpu_plan *p)
{
	bool generous = p->model == MODEL_HOST || p->model == MODEL_MAX;

	for (unsigned i = 0; i < p->facts->n_fields; i++) {
		const struct field_fact *f = &p->facts->fields[i];
		const struct target_fact *m = model_field(p, i);
		uint64_t offer = field_get(p, p->offer, i);

		/* what is not chosen is KVM's, until derive() says otherwise */
		field_put(p, p->value, i, f->owner & OWNER_CHOSEN ? field_off(f) : offer);
		if (!(f->owner & OWNER_CHOSEN))
			continue;
		if (generous || (p->named && p->named->rest && !m)) {
			if (f->deflt != DEFAULT_ASKED && offer != field_off(f))
				plan_set(p, i, offer, RULE_MODEL_TAKES);
			else
				left_out(p, i);
		} else if (m && m->at_least && m->value == field_off(f)) {
			left_out(p, i);
		} else if (m || (p->named && f->deflt == DEFAULT_ANY)) {
			plan_set(p, i, m && m->at_least ? m->value : f->width > 1 ? offer : 1, RULE_MODEL_HAS);
		} else {
			left_out(p, i);
		}
	}
}

static bool prop_is(const struct gcpu_plan *p, const char *name, bool otherwise)
{
	int prop = property_find(p->facts, name, strlen(name));

	return prop < 0 ? otherwise : p->props[prop] != 0;
}

/* Bits that no field describes: kept only where nobody wants to migrate, or
 * where KVM would not let them go; what nobody knows is in no preset. */
static void unknown_bits(struct gcpu_plan *p)
{
	bool generous = p->model == MODEL_HOST || p->model == MODEL_MAX;
	bool any = p->arch->unknown_fixed || (generous && !prop_is(p, "migratable", false));

	for (unsigned i = 0; i < p->facts->n_words; i++) {
		const struct word_fact *w = &p->facts->words[i];
		uint64_t unknown = p->offer[i] & ~w->known;
		bool keep = any && !plan_preset_decides(p, i);

		if (w->klass != CLASS_FIELDS)
			continue;
		if (keep)
			p->value[i] |= unknown;
		if (!unknown || p->arch->unknown_fixed || !generous)
			continue;
		plan_find(p, keep ? RULE_UNKNOWN_KEPT : RULE_UNKNOWN_DROPPED, -1, SEVERITY_NOTE,
			  "%s: bits 0x%llx are not in any table and are %s", w->name,
			  (unsigned long long)unknown, keep ? "kept" : "dropped");
	}
}

static void apply_words(struct gcpu_plan *p)
{
	for (unsigned i = 0; i < p->facts->n_fields; i++)
		if (p->fields[i].said == SAID_VALUE)
			plan_set(p, i, p->fields[i].asked, RULE_USER_WORD);
}

/* A feature that was asked for by a field that is there, while another that tells it too is not. */
static void told_elsewhere(struct gcpu_plan *p, unsigned field)
{
	const struct field_state *s = &p->fields[field];
	const struct feature_fact *ff = &p->facts->features[s->said_as];

	if (s->said == SAID_VALUE && s->asked_on && ff->n_terms && !feature_on(p, ff, p->offer))
		plan_unavailable(p, field, why_not(p, feature_missing(p, ff)));
}

static void clamp(struct gcpu_plan *p)
{
	bool force = prop_is(p, "x-force-features", false);

	for (unsigned i = 0; i < p->facts->n_fields; i++) {
		const struct field_fact *f = &p->facts->fields[i];
		uint64_t value = field_get(p, p->value, i), offer = field_get(p, p->offer, i);
		unsigned why;

		if (!(f->owner & OWNER_CHOSEN))
			continue;
		if (p->fields[i].said == SAID_VALUE && f->width > 1 && value == offer &&
		    field_is_off(f, offer) &&
		    (p->fields[i].asked_on || !field_is_off(f, p->fields[i].asked)))
			plan_unavailable(p, i, why_not(p, i));
		told_elsewhere(p, i);
		if (field_within(f, value, offer))
			continue;
		why = why_not(p, i);
		/* not what every model has where it can be had */
		if (force && (p->fields[i].said == SAID_VALUE || model_demands(p, i))) {
			plan_record(p, i, RULE_FORCED_BY_USER, value, value);
			plan_unavailable(p, i, why);
			continue;
		}
		plan_set(p, i, field_nearest(f, value, offer), why);
		p->fields[i].denied = true;
		if (p->fields[i].said == SAID_VALUE || model_demands(p, i))
			plan_unavailable(p, i, why);
	}
}

/* One finding for each thing that was asked for and cannot be given. */
static void report_unavailable(struct gcpu_plan *p)
{
	bool check = prop_is(p, "check", true);

	for (unsigned i = 0; i < p->facts->n_fields; i++) {
		const struct field_state *s = &p->fields[i];
		const struct rule_fact *r = &p->facts->rules[s->why];

		if (s->unavailable && check)
			plan_find(p, s->why, (int)i, SEVERITY_WARNING, "%s: %s",
				  s->said ? field_known_as(p, i) : model_word(p, i), r->sentence);
	}
}

static void check_enforce(struct gcpu_plan *p)
{
	unsigned missing = 0;

	if (!prop_is(p, "enforce", false))
		return;
	missing = p->lacking;
	for (unsigned i = 0; i < p->facts->n_fields; i++)
		missing += p->fields[i].unavailable;
	if (!missing)
		return;
	p->refused = true;
	plan_find(p, RULE_ENFORCED, -1, SEVERITY_ERROR,
		  "enforce was asked for and %u feature%s cannot be given", missing,
		  missing == 1 ? "" : "s");
}

int plan_resolve(struct gcpu_plan *p, const struct gcpu_request *req, struct gcpu_error *err)
{
	int status;

	if (p->snap->guest_view)
		plan_find(p, RULE_GUEST_VIEW, -1, SEVERITY_NOTE, NULL);
	if (p->snap->computed)
		plan_find(p, RULE_COMPUTED, -1, SEVERITY_NOTE, !p->snap->has_trial ? NULL :
			  "this host was computed, not measured: what was assumed of it is in the snapshot, and changes of values "
			  "were tried on a software KVM");
	collect_properties(p, req);
	strncpy(p->vendor, gcpu_snapshot_vendor(p->snap) ? gcpu_snapshot_vendor(p->snap) : "",
		sizeof(p->vendor) - 1);
	p->arch->offer(p);
	/* what is not cut into choices starts as this KVM has it */
	for (unsigned i = 0; i < p->facts->n_words; i++)
		if (p->facts->words[i].klass != CLASS_FIELDS)
			p->value[i] = p->offer[i];
	status = collect(p, req, false, err);
	if (status)
		return status;
	plan_rules(p, STAGE_OFFER);
	/* "On" of a field with levels means what is offered: known only now. */
	status = collect(p, req, true, err);
	if (status)
		return status;
	start(p);
	unknown_bits(p);
	plan_rules(p, STAGE_DEFAULT);
	plan_take_preset(p);
	apply_words(p);
	clamp(p);
	plan_rules(p, STAGE_PLAN);
	if (p->arch->limit)
		p->arch->limit(p);
	plan_refusals(p);
	plan_parents(p);
	/* parents that were brought or dropped may be refused too */
	plan_refusals(p);
	plan_trial(p);
	plan_model_lacks(p);
	report_unavailable(p);
	if (p->arch->derive)
		status = p->arch->derive(p, err);
	/* last: what is computed may fall short of what was asked for, too */
	check_enforce(p);
	if (status == 0 && p->memory)
		status = error_memory(err);
	return status;
}

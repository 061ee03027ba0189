/* SPDX-License-Identifier: MIT */
/*
 * What would turn a feature on, or off. Moves are thought up from the user's own words,
 * from the parents in requires.txt and from the conditions in rules.txt; then plans are
 * made with one of them, two, three, and only what has been seen to help is advice.
 */
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGES_MOST 6
#define MOVES_MOST 14
#define TOGETHER_MOST 3
#define TRIALS_MOST 400
#define TRIALS_LEAST 8
#define REQUEST_PLAIN 512 /* bytes; a plan of more takes longer */

enum change_kind {
	CHANGE_DROP,	/* the user's words about feature .what are left out */
	CHANGE_SAY,	/* feature .what is asked for, or turned off */
	CHANGE_PROP,	/* property .what */
	CHANGE_IRQCHIP, /* .what is the machine's value */
	CHANGE_GIC,
	CHANGE_HANDLES, /* .what is a bit number */
	CHANGE_EXITS,
	CHANGE_IDS,
};

struct change {
	uint8_t kind;
	bool on;
	uint16_t what;
};

/* Changes that only make sense together. */
struct move {
	struct change change[CHANGES_MOST];
	unsigned n;
	const char *why, *source;
};

struct search {
	const struct gcpu_plan *plan;
	const struct gcpu_request *said; /* the plan's request, parsed again */
	const struct feature_fact *feature;
	bool on; /* what is wanted */
	bool chosen;
	uint16_t *near; /* its fields, then what they need, nearest first */
	unsigned n_near;
	bool *is_near;
	struct move moves[MOVES_MOST];
	unsigned n_moves, trials;
	char *text; /* room for a request */
	size_t room;
	struct gcpu_machine machine;
};

static unsigned feature_index(const struct search *s, const struct feature_fact *ff)
{
	return (unsigned)(ff - s->plan->facts->features);
}

static void near_add(struct search *s, unsigned field)
{
	if (s->is_near[field])
		return;
	s->is_near[field] = true;
	s->near[s->n_near++] = (uint16_t)field;
}

/* The feature's fields, what they need, what that needs, ... */
static void near_all(struct search *s)
{
	const struct facts *f = s->plan->facts;

	s->chosen = true;
	for (unsigned i = 0; i < s->feature->n; i++) {
		unsigned field = f->targets[s->feature->first + i].field;

		s->chosen = s->chosen && (f->fields[field].owner & OWNER_CHOSEN);
		near_add(s, field);
	}
	for (unsigned k = 0; k < s->n_near; k++)
		for (unsigned i = 0; i < f->n_requires; i++)
			for (unsigned j = 0; f->requires[i].child == s->near[k] && j < f->requires[i].n; j++)
				near_add(s, f->requires[i].parent[j]);
}

static void add_move(struct search *s, const struct move *m)
{
	for (unsigned i = 0; i < s->n_moves; i++)
		if (s->moves[i].n == m->n &&
		    memcmp(s->moves[i].change, m->change, m->n * sizeof(m->change[0])) == 0)
			return;
	if (m->n && s->n_moves < MOVES_MOST)
		s->moves[s->n_moves++] = *m;
}

static void add_change(struct move *m, enum change_kind kind, unsigned what, bool on)
{
	struct change c;

	if (m->n == CHANGES_MOST)
		return;
	memset(&c, 0, sizeof(c));
	c.kind = (uint8_t)kind;
	c.what = (uint16_t)what;
	c.on = on;
	m->change[m->n++] = c;
}

/* A move of the user's words; the reason is that of the last step of the feature. */
static void add_word(struct search *s, enum change_kind kind, const struct feature_fact *ff, bool on)
{
	const struct facts *f = s->plan->facts;
	unsigned field = f->targets[s->feature->first].field;
	const struct rule_fact *r = plan_last_rule(s->plan, field);
	struct move m = { .n = 0 };

	if (!ff)
		return;
	/* why it is off; that it is on needs no reason to be otherwise, and what this KVM
	 * lacks is no reason to ask for it */
	if (s->on && r && r != &f->rules[RULE_NOT_OFFERED] && r != &f->rules[RULE_NEVER_OFFERED])
		plan_reason(s->plan, field, (unsigned)(r - f->rules), &m.why, &m.source);
	add_change(&m, kind, feature_index(s, ff), on);
	add_move(s, &m);
}

/* Whatever is asked, this host has nothing to give, and no rule might on another machine. */
static bool hopeless(const struct search *s, unsigned field)
{
	const struct gcpu_plan *p = s->plan;
	const struct field_fact *f = &p->facts->fields[field];

	if (!s->on || !(f->owner & OWNER_CHOSEN) || f->order == ORDER_ABSENCE ||
	    !field_is_off(f, field_get(p, p->offer, field)))
		return false;
	/* a property of the user's may let more through than is offered */
	for (unsigned i = 0; i < p->facts->n_props; i++)
		if (p->props_said[i].said)
			return false;
	for (unsigned i = p->facts->about_first[field]; i < p->facts->about_first[field + 1]; i++) {
		uint8_t effect = p->facts->rules[p->facts->about[i]].effect;

		if (effect == EFFECT_OFFER || effect == EFFECT_WITHDRAW || effect == EFFECT_SET)
			return false;
	}
	return true;
}

static bool field_on(const struct search *s, unsigned field)
{
	return !field_is_off(&s->plan->facts->fields[field], field_get(s->plan, s->plan->value, field));
}

/* The word that names a preset, where that decides otherwise about one of the fields. */
static void preset_move(struct search *s)
{
	const struct gcpu_plan *p = s->plan;

	for (unsigned i = 0; i < s->n_near; i++) {
		const struct member_fact *member = plan_member(p, s->near[i]);
		unsigned rule = s->on ? RULE_PRESET_LACKS : RULE_PRESET_HAS;
		struct move m = { .n = 0 };

		if (!member || member->on == s->on)
			continue;
		if (s->on)
			plan_reason(p, s->near[i], rule, &m.why, &m.source);
		add_change(&m, CHANGE_PROP, (unsigned)preset_property(p->facts), false);
		add_move(s, &m);
	}
}

static void word_moves(struct search *s)
{
	const struct gcpu_plan *p = s->plan;
	const struct facts *f = p->facts;

	for (unsigned i = 0; i < s->feature->n; i++)
		if (p->fields[f->targets[s->feature->first + i].field].said == SAID_VALUE)
			add_word(s, CHANGE_DROP, s->feature, false);
	if (s->chosen)
		add_word(s, CHANGE_SAY, s->feature, s->on);
	for (unsigned i = s->feature->n; i < s->n_near; i++)
		if (p->fields[s->near[i]].said == SAID_VALUE && field_on(s, s->near[i]) != s->on)
			add_word(s, CHANGE_DROP, feature_of_field(f, s->near[i]), false);
	preset_move(s);
}

/* Words about what it needs, for what cannot be named, or does not bring that by itself. */
static void family_moves(struct search *s)
{
	const struct facts *f = s->plan->facts;

	for (unsigned i = s->feature->n; i < s->n_near; i++)
		if ((f->fields[s->near[i]].owner & OWNER_CHOSEN) && field_on(s, s->near[i]) != s->on &&
		    !hopeless(s, s->near[i]))
			add_word(s, CHANGE_SAY, feature_of_field(f, s->near[i]), s->on);
}

/* The change that makes an atom hold, or not; false if nothing can be changed about it. */
static bool atom_change(struct search *s, const struct atom_fact *a, unsigned field, bool hold,
			struct move *m)
{
	const struct facts *f = s->plan->facts;
	bool on = hold != a->negate;
	const struct feature_fact *own;

	switch (a->op) {
	case ATOM_LAPIC:
		add_change(m, CHANGE_IRQCHIP, on ? GCPU_IRQCHIP_KERNEL : GCPU_IRQCHIP_USER, true);
		return true;
	case ATOM_IRQCHIP:
		add_change(m, CHANGE_IRQCHIP, on ? (unsigned)a->value : GCPU_IRQCHIP_KERNEL, true);
		return true;
	case ATOM_GIC:
		add_change(m, CHANGE_GIC, on ? (unsigned)a->value : GCPU_GIC_NONE, true);
		return true;
	case ATOM_HANDLES:
		add_change(m, CHANGE_HANDLES, (unsigned)a->value, on);
		return true;
	case ATOM_EXIT_DISABLED:
		add_change(m, CHANGE_EXITS, (unsigned)a->value, on);
		return true;
	case ATOM_ACCEPTS:
		add_change(m, CHANGE_IDS, 0, on);
		return true;
	case ATOM_PROP:
		if (f->props[a->value].type != PROP_BOOL)
			return false;
		add_change(m, CHANGE_PROP, (unsigned)a->value, on);
		return true;
	case ATOM_PLANNED:
		own = feature_of_field(f, (unsigned)a->value);
		if (!own || !(f->fields[a->value].owner & OWNER_CHOSEN))
			return false;
		if (s->plan->fields[a->value].said == SAID_VALUE)
			add_word(s, CHANGE_DROP, own, false);
		add_change(m, CHANGE_SAY, feature_index(s, own), on);
		return true;
	case ATOM_ASKED:
	case ATOM_ASKED_ON:
		own = feature_of_field(f, field);
		if (!on || !own || !(f->fields[field].owner & OWNER_CHOSEN))
			return false;
		add_change(m, CHANGE_SAY, feature_index(s, own), true);
		return true;
	default:
		return false;
	}
}

/* One move that makes all of a rule hold. */
static void satisfy(struct search *s, const struct rule_fact *r, unsigned field)
{
	struct move m = { .n = 0, .why = r->sentence, .source = r->source };

	for (unsigned i = 0; i < r->n_atoms; i++) {
		const struct atom_fact *a = &s->plan->facts->atoms[r->first_atom + i];

		if (!plan_atom_holds(s->plan, a, field))
			atom_change(s, a, field, true, &m);
	}
	add_move(s, &m);
}

/* A move for each part of a rule without which it does not hold. */
static void violate(struct search *s, const struct rule_fact *r, unsigned field)
{
	for (unsigned i = 0; i < r->n_atoms; i++) {
		struct move m = { .n = 0, .why = r->sentence, .source = r->source };

		atom_change(s, &s->plan->facts->atoms[r->first_atom + i], field, false, &m);
		add_move(s, &m);
	}
}

static void moves_of_rule(struct search *s, unsigned rule, unsigned field)
{
	const struct rule_fact *r = &s->plan->facts->rules[rule];
	bool gives = r->effect == EFFECT_OFFER || r->effect == EFFECT_SET || r->effect == EFFECT_WANT;

	if (!gives && r->effect != EFFECT_WITHDRAW && r->effect != EFFECT_CLEAR)
		return;
	if (gives == s->on && !plan_rule_holds(s->plan, rule, field))
		satisfy(s, r, field);
	else if (gives != s->on && plan_rule_holds(s->plan, rule, field))
		violate(s, r, field);
}

/* What rules give or take, by conditions that somebody can change. */
static void rule_moves(struct search *s)
{
	const struct gcpu_plan *p = s->plan;

	/* no rule tells what else a switch of the user's does */
	for (unsigned i = 0; i < p->facts->n_props; i++) {
		struct move m = { .n = 0 };

		if (!p->props_said[i].said || p->facts->props[i].type != PROP_BOOL)
			continue;
		add_change(&m, CHANGE_PROP, i, !p->props[i]);
		add_move(s, &m);
	}

	for (unsigned k = 0; k < s->n_near; k++) {
		unsigned field = s->near[k], end = p->facts->about_first[field + 1];

		for (unsigned i = p->facts->about_first[field]; i < end; i++)
			moves_of_rule(s, p->facts->about[i], field);
	}
}

static bool shares_field(const struct facts *f, unsigned a, unsigned b)
{
	for (unsigned i = 0; i < f->features[a].n; i++)
		for (unsigned k = 0; k < f->features[b].n; k++)
			if (f->targets[f->features[a].first + i].field ==
			    f->targets[f->features[b].first + k].field)
				return true;
	return false;
}

/* Does one of the chosen moves leave out this word of the user? */
static bool drops(const struct search *s, unsigned set, const struct request_item *it)
{
	for (unsigned i = 0; i < s->n_moves; i++) {
		for (unsigned k = 0; (set >> i & 1) && k < s->moves[i].n; k++) {
			const struct change *c = &s->moves[i].change[k];

			if (c->kind == CHANGE_DROP && it->feature >= 0 &&
			    shares_field(s->plan->facts, c->what, (unsigned)it->feature))
				return true;
			if (c->kind == CHANGE_PROP && it->prop == c->what)
				return true;
		}
	}
	return false;
}

static void put(struct search *s, size_t *n, const char *before, const char *text, size_t length,
		const char *after)
{
	int wrote = snprintf(s->text + *n, s->room - *n, "%s%.*s%s", before, (int)length, text, after);

	*n += (size_t)wrote;
}

static bool default_on(const struct gcpu_plan *p, unsigned prop)
{
	const struct property_fact *f = &p->facts->props[prop];
	bool generous = p->model == MODEL_HOST || p->model == MODEL_MAX;

	return f->deflt && (f->when == PROP_ALWAYS || (f->when == PROP_GENEROUS && generous));
}

/* The request with a set of moves, into s->text. */
static void write_request(struct search *s, unsigned set)
{
	const struct facts *f = s->plan->facts;
	const char *text = s->plan->request, *comma = strchr(text, ',');
	size_t n = 0;

	put(s, &n, "", text, comma ? (size_t)(comma - text) : strlen(text), "");
	for (size_t i = 0; i < s->said->items.n; i++) {
		const struct request_item *it = LIST_AT(&s->said->items, struct request_item, i);

		if (!drops(s, set, it))
			put(s, &n, ",", text + it->offset, it->length, "");
	}
	for (unsigned i = 0; i < s->n_moves; i++) {
		for (unsigned k = 0; (set >> i & 1) && k < s->moves[i].n; k++) {
			const struct change *c = &s->moves[i].change[k];

			if (c->kind == CHANGE_SAY) {
				const char *name = f->features[c->what].name;

				put(s, &n, c->on ? ",+" : ",-", name, strlen(name), "");
			} else if (c->kind == CHANGE_PROP && default_on(s->plan, c->what) != c->on) {
				const char *name = f->props[c->what].name;

				put(s, &n, ",", name, strlen(name), c->on ? "=on" : "=off");
			}
		}
	}
}

static void put_bit(uint32_t *word, unsigned bit, bool on)
{
	*word = on ? *word | 1U << bit : *word & ~(1U << bit);
}

static void change_machine(struct gcpu_machine *m, const struct change *c)
{
	switch (c->kind) {
	case CHANGE_IRQCHIP:
		m->irqchip = (enum gcpu_irqchip)c->what;
		break;
	case CHANGE_GIC:
		m->gic = (enum gcpu_gic)c->what;
		break;
	case CHANGE_HANDLES:
		put_bit(&m->handles, c->what, c->on);
		break;
	case CHANGE_EXITS:
		put_bit(&m->disable_exits, c->what, c->on);
		break;
	case CHANGE_IDS:
		m->accept_x2apic_ids = c->on;
		break;
	default:
		break;
	}
}

/* Make the plan of a set of moves and look: 1 it helps, 0 it does not, or GCPU_ERR_MEMORY. */
static int try_set(struct search *s, unsigned set)
{
	struct gcpu_request *req = NULL;
	struct gcpu_plan *p = NULL;
	int status;

	write_request(s, set);
	s->machine = s->plan->machine;
	for (unsigned i = 0; i < s->n_moves; i++)
		for (unsigned k = 0; (set >> i & 1) && k < s->moves[i].n; k++)
			change_machine(&s->machine, &s->moves[i].change[k]);
	s->trials++;
	status = gcpu_request_parse(s->plan->arch->id, s->text, &req, NULL);
	if (status == 0)
		status = gcpu_plan_make(s->plan->snap, req, &s->machine, &p, NULL);
	if (status == 0)
		status = plan_stands(p, s->feature, s->on) && (!p->refused || s->plan->refused);
	else if (status != GCPU_ERR_MEMORY)
		status = 0; /* words that contradict each other, a machine that cannot be */
	gcpu_plan_free(p);
	gcpu_request_free(req);
	return status;
}

static unsigned count_bits(unsigned set)
{
	unsigned n = 0;

	for (; set; set &= set - 1)
		n++;
	return n;
}

static void reason_of(const struct search *s, unsigned set, struct gcpu_advice *out)
{
	for (unsigned i = 0; i < s->n_moves; i++) {
		if (!(set >> i & 1) || !s->moves[i].why)
			continue;
		/* what a rule says of the machine is news, what the plan has said is not */
		out->why = s->moves[i].why;
		out->source = s->moves[i].source;
	}
}

/* A long request is a long plan: fewer of them are made, so that the answer still comes at once. */
static unsigned trials_most(const struct search *s)
{
	size_t n = strlen(s->plan->request);
	size_t most = n > REQUEST_PLAIN ? TRIALS_MOST * (size_t)REQUEST_PLAIN / n : TRIALS_MOST;

	return most < TRIALS_LEAST ? TRIALS_LEAST : (unsigned)most;
}

/* Sets of moves, the smallest first; what helps with fewer is not looked for with more. */
static int try_all(struct search *s, int (*visit)(void *ctx, const struct gcpu_advice *), void *ctx,
		   unsigned *ret_found)
{
	unsigned found = 0, most = trials_most(s);

	for (unsigned size = 1; size <= TOGETHER_MOST && !found; size++) {
		for (unsigned set = 1; set >> s->n_moves == 0 && found < GCPU_ADVICE_MOST; set++) {
			struct gcpu_advice out = { s->text, &s->machine, NULL, NULL };
			int status;

			if (count_bits(set) != size || s->trials >= most)
				continue;
			status = try_set(s, set);
			if (status < 0)
				return status;
			if (!status)
				continue;
			found++;
			reason_of(s, set, &out);
			status = visit(ctx, &out);
			if (status)
				return status;
		}
	}
	*ret_found = found;
	return 0;
}

/* Room for the longest request: all that was said, and every change. */
static int allocate(struct search *s)
{
	const struct facts *f = s->plan->facts;

	free(s->text);
	s->room = strlen(s->plan->request) + 1;
	for (unsigned i = 0; i < s->n_moves; i++) {
		for (unsigned k = 0; k < s->moves[i].n; k++) {
			const struct change *c = &s->moves[i].change[k];

			if (c->kind == CHANGE_SAY)
				s->room += strlen(f->features[c->what].name) + 2;
			else if (c->kind == CHANGE_PROP)
				s->room += strlen(f->props[c->what].name) + 5;
		}
	}
	s->text = malloc(s->room);
	return s->text ? 0 : GCPU_ERR_MEMORY;
}

/* In rounds: what is simpler, or nearer to what the user said, comes first. */
static int search(struct search *s, int (*visit)(void *ctx, const struct gcpu_advice *), void *ctx)
{
	unsigned found = 0, lost = 0;
	int status = 0;

	near_all(s);
	for (unsigned i = 0; i < s->feature->n; i++)
		lost += hopeless(s, s->near[i]);
	/* of fields that tell the same, one is enough */
	if (lost && (!s->feature->n_terms || lost == s->feature->n))
		return 0;
	for (unsigned round = 0; round < 2 && status == 0 && !found; round++) {
		if (round == 0)
			word_moves(s);
		if (round == (s->chosen ? 1 : 0))
			family_moves(s);
		/* to be rid of a feature nobody rebuilds the machine, if a word is enough */
		if (round == (s->on ? 0 : 1))
			rule_moves(s);
		status = allocate(s);
		if (status == 0)
			status = try_all(s, visit, ctx, &found);
	}
	return status;
}

int gcpu_plan_advise(const struct gcpu_plan *p, const char *name, bool on,
		     int (*visit)(void *ctx, const struct gcpu_advice *), void *ctx,
		     struct gcpu_error *err)
{
	struct search s = { .plan = p, .on = on };
	struct gcpu_request *said = NULL;
	int status;

	if (!p || !name || !visit)
		return error_set(err, GCPU_ERR_ARGUMENT, "no plan, name or visitor");
	s.feature = plan_feature(p, name, err);
	if (!s.feature)
		return GCPU_ERR_NAME;
	if (plan_stands(p, s.feature, on))
		return 0;
	status = gcpu_request_parse(p->arch->id, p->request, &said, err);
	if (status)
		return status;
	s.said = said;
	s.near = calloc(p->facts->n_fields, sizeof(*s.near));
	s.is_near = calloc(p->facts->n_fields, sizeof(*s.is_near));
	status = s.near && s.is_near ? search(&s, visit, ctx) : GCPU_ERR_MEMORY;
	free(s.near);
	free(s.is_near);
	free(s.text);
	gcpu_request_free(said);
	return status == GCPU_ERR_MEMORY ? error_memory(err) : status;
}

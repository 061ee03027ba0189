/* SPDX-License-Identifier: MIT */
/*
 * Words about single members of a set that may only be cut off at its top, as
 * lengths of SVE vectors: sve256=on,sve512=off. QEMU's rules: what is on brings
 * every smaller member that is offered, and where something is on what nobody
 * spoke of above it is off; what is off takes every larger one along.
 */
#include "plan.h"

#include <string.h>

/* Of one field: who spoke of each of its bits last. */
struct said_bits {
	unsigned field;
	const struct request_item *by[64];
};

static int target_of(const struct gcpu_plan *p, const struct request_item *it, unsigned field)
{
	const struct feature_fact *ff = it->prop < 0 ? &p->facts->features[it->feature] : NULL;

	for (unsigned i = 0; ff && i < ff->n; i++) {
		const struct target_fact *t = &p->facts->targets[ff->first + i];

		if (t->field == field && t->at_least)
			return (int)(ff->first + i);
	}
	return -1;
}

bool prefix_member(const struct gcpu_plan *p, const struct target_fact *t)
{
	return p->facts->fields[t->field].order == ORDER_PREFIX && t->at_least;
}

static int contradiction(const struct gcpu_plan *p, const struct request_item *a,
			 const struct request_item *b, const char *expected, struct gcpu_error *err)
{
	error_set(err, GCPU_ERR_VALUE, "'%.*s' and '%.*s' contradict each other", (int)a->length,
		  p->request + a->offset, (int)b->length, p->request + b->offset);
	error_at(err, b->offset, b->length);
	error_expected(err, "%s", expected);
	return GCPU_ERR_VALUE;
}

/* The user's last word about what FIELD hangs on, if that turns it off. */
static const struct request_item *parent_off(const struct gcpu_plan *p, const struct gcpu_request *req,
					     unsigned field)
{
	const struct request_item *last = NULL;

	for (unsigned i = 0; i < p->facts->n_requires; i++) {
		const struct require_fact *r = &p->facts->requires[i];

		for (size_t k = 0; r->child == field && k < req->items.n; k++) {
			const struct request_item *it = LIST_AT(&req->items, struct request_item, k);
			const struct feature_fact *ff = it->prop < 0 ? &p->facts->features[it->feature] : NULL;

			if (ff && ff->n == 1 && p->facts->targets[ff->first].field == r->parent[0] &&
			    p->fields[r->parent[0]].said == SAID_VALUE)
				last = it;
		}
		if (last)
			return p->fields[r->parent[0]].asked ? NULL : last;
	}
	return NULL;
}

/* The name of what FIELD hangs on. */
static const char *parent_name(const struct gcpu_plan *p, unsigned field)
{
	for (unsigned i = 0; i < p->facts->n_requires; i++)
		if (p->facts->requires[i].child == field)
			return p->facts->fields[p->facts->requires[i].parent[0]].name;
	return p->facts->fields[field].name;
}

/* What the words about single members come to. */
static int decide(struct gcpu_plan *p, const struct gcpu_request *req, const struct said_bits *s,
		  struct gcpu_error *err)
{
	const struct field_fact *f = &p->facts->fields[s->field];
	uint64_t offer = field_get(p, p->offer, s->field), on = 0, off = 0, value;
	const struct request_item *top = NULL, *low = NULL, *out;

	for (unsigned bit = 0; bit < f->width; bit++) {
		const struct request_item *it = s->by[bit];

		if (!it)
			continue;
		if (it->value) {
			on |= 1ULL << bit;
			top = it;
		} else if (offer >> bit & 1) {
			off |= 1ULL << bit;
			low = low ? low : it;
		}
	}
	if (!on && !off)
		return 0;
	out = parent_off(p, req, s->field);
	if (on && out)
		return contradiction(p, out, top, "one of them", err);
	value = on ? on | (offer & prefix_mask(on)) : offer & ((off & -off) - 1);
	if (on && off & prefix_mask(on))
		return contradiction(p, top, low, "every smaller one that the host has, with one that is on", err);
	if (!value && out)
		return 0;
	if (!value) {
		error_set(err, GCPU_ERR_VALUE, "'%.*s' leaves nothing of %s", (int)low->length,
			  p->request + low->offset, f->name);
		error_at(err, low->offset, low->length);
		error_expected(err, "the smallest one on, or %s=off", parent_name(p, s->field));
		return GCPU_ERR_VALUE;
	}
	p->fields[s->field].said = SAID_VALUE;
	p->fields[s->field].said_as = (uint16_t)(top ? top : low)->feature;
	p->fields[s->field].asked = value;
	p->fields[s->field].asked_on = on != 0;
	return 0;
}

static int collect_field(struct gcpu_plan *p, const struct gcpu_request *req, unsigned field, const char *ops,
			 struct gcpu_error *err)
{
	struct said_bits s = { .field = field };

	for (const char *op = ops; *op; op++) {
		for (size_t i = 0; i < req->items.n; i++) {
			const struct request_item *it = LIST_AT(&req->items, struct request_item, i);
			int t = it->op == *op ? target_of(p, it, field) : -1;

			for (unsigned bit = 0; t >= 0 && bit < 64; bit++)
				if (p->facts->targets[t].value >> bit & 1)
					s.by[bit] = it;
		}
	}
	return decide(p, req, &s, err);
}

int prefix_collect(struct gcpu_plan *p, const struct gcpu_request *req, const char *ops,
		   struct gcpu_error *err)
{
	int status = 0;

	/* a request is most often a model alone */
	for (unsigned field = 0; req->items.n && field < p->facts->n_fields && status == 0; field++)
		if (p->facts->fields[field].order == ORDER_PREFIX)
			status = collect_field(p, req, field, ops, err);
	return status;
}

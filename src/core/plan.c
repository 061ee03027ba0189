/* SPDX-License-Identifier: MIT */
/* Plans: life, and what may be asked of one. */
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int allocate(struct gcpu_plan *p, const struct gcpu_request *req)
{
	const struct facts *f = p->facts;

	for (unsigned i = 0; i < f->n_features; i++)
		if (f->features[i].id >= p->bits.n)
			p->bits.n = f->features[i].id + 1U;
	p->request = text_copy(req->text, strlen(req->text));
	p->offer = calloc(f->n_words, sizeof(*p->offer));
	p->value = calloc(f->n_words, sizeof(*p->value));
	p->trials = calloc(f->n_words, sizeof(*p->trials));
	p->fields = calloc(f->n_fields, sizeof(*p->fields));
	p->props = calloc(f->n_props + 1, sizeof(*p->props));
	p->props_said = calloc(f->n_props + 1, sizeof(*p->props_said));
	p->bits.word = p->has = calloc(p->bits.n / 64 + 1, sizeof(*p->has));
	p->vcpu_ids = calloc(p->machine.vcpus, sizeof(*p->vcpu_ids));
	return p->request && p->offer && p->value && p->trials && p->fields && p->props && p->props_said && p->has &&
	       p->vcpu_ids ? 0 : GCPU_ERR_MEMORY;
}

void plan_features(struct gcpu_plan *p)
{
	for (unsigned i = 0; i < p->facts->n_features; i++) {
		const struct feature_fact *ff = &p->facts->features[i];

		if (ff->id && feature_on(p, ff, p->value))
			p->has[ff->id / 64] |= 1ULL << ff->id % 64;
	}
}

static int make(struct gcpu_plan *p, const struct gcpu_request *req, struct gcpu_error *err)
{
	int status = allocate(p, req);

	if (status)
		return error_memory(err);
	for (unsigned i = 0; i < p->machine.vcpus; i++)
		p->vcpu_ids[i] = i;
	if (p->arch->ids)
		status = p->arch->ids(p, err);
	if (status == 0)
		status = plan_resolve(p, req, err);
	if (status)
		return status;
	plan_features(p);
	if (p->arch->recipe(p) || p->memory)
		return error_memory(err);
	return 0;
}

int gcpu_plan_make(const struct gcpu_snapshot *snap, const struct gcpu_request *req,
		   const struct gcpu_machine *machine, struct gcpu_plan **ret_plan,
		   struct gcpu_error *err)
{
	struct gcpu_machine m;
	struct gcpu_plan *p;
	int status;

	if (!snap || !req || !ret_plan)
		return error_set(err, GCPU_ERR_ARGUMENT, "no snapshot, request or result");
	if (req->arch->id != snap->arch)
		return error_set(err, GCPU_ERR_ARCH, "the request is for %s, the host is %s",
				 req->arch->facts->name, gcpu_arch_name(snap->arch));
	gcpu_machine_init(&m);
	if (machine && !options_copy(&m, sizeof(m), machine, machine->size))
		return error_set(err, GCPU_ERR_ARGUMENT, "struct gcpu_machine has a wrong size");
	status = machine_check(snap, &m, err);
	if (status)
		return status;
	p = calloc(1, sizeof(*p));
	if (!p)
		return error_memory(err);
	p->arch = req->arch;
	p->facts = req->arch->facts;
	p->snap = snap;
	p->machine = m;
	p->model = req->model;
	p->named = req->named;
	status = make(p, req, err);
	if (status) {
		gcpu_plan_free(p);
		return status;
	}
	*ret_plan = p;
	return 0;
}

void gcpu_plan_free(struct gcpu_plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->findings.n; i++)
		free(LIST_AT(&p->findings, struct plan_finding, i)->text);
	for (size_t i = 0; i < p->recipe_texts.n; i++)
		free(*LIST_AT(&p->recipe_texts, char *, i));
	list_free(&p->steps);
	list_free(&p->findings);
	list_free(&p->entries);
	list_free(&p->recipe);
	list_free(&p->recipe_texts);
	free(p->request);
	free(p->offer);
	free(p->value);
	free(p->trials);
	free(p->fields);
	free(p->props);
	free(p->props_said);
	free(p->has);
	free(p->vcpu_ids);
	free(p);
}

bool gcpu_plan_refused(const struct gcpu_plan *p)
{
	return !p || p->refused;
}

/* For callers that are not C, or do not inline. */
extern bool gcpu_plan_has(const struct gcpu_plan *p, unsigned feature);
_Static_assert(offsetof(struct gcpu_plan, bits) == 0, "a plan begins with what gcpu_plan_has() reads");

unsigned gcpu_plan_vcpus(const struct gcpu_plan *p)
{
	return p ? p->machine.vcpus : 0;
}

unsigned gcpu_plan_vcpu_id(const struct gcpu_plan *p, unsigned vcpu)
{
	return p && vcpu < p->machine.vcpus ? p->vcpu_ids[vcpu] : 0;
}

uint64_t plan_word_value(const struct gcpu_plan *p, unsigned vcpu, unsigned word)
{
	return p->arch->vcpu_word ? p->arch->vcpu_word(p, vcpu, word) : p->value[word];
}

int gcpu_plan_cpuid(const struct gcpu_plan *p, unsigned vcpu, struct gcpu_cpuid *entries,
		    size_t *count)
{
	if (!p || !count || vcpu >= p->machine.vcpus)
		return GCPU_ERR_ARGUMENT;
	if (*count == 0) {
		*count = p->entries.n;
		return 0;
	}
	if (*count < p->entries.n || !entries)
		return GCPU_ERR_ARGUMENT;
	for (size_t i = 0; i < p->entries.n; i++) {
		entries[i] = *LIST_AT(&p->entries, struct gcpu_cpuid, i);
		p->arch->vcpu_entry(p, vcpu, &entries[i]);
	}
	*count = p->entries.n;
	return 0;
}

static const char *const severity_names[] = { "none", "note", "warning", "error" };

struct gcpu_finding plan_finding_out(const struct gcpu_plan *p, const struct plan_finding *f)
{
	const struct rule_fact *r = &p->facts->rules[f->rule];

	return (struct gcpu_finding){
		.id = r->id,
		.severity = severity_names[f->severity],
		.feature = f->field < 0 ? NULL : p->facts->fields[f->field].name,
		.text = f->text ? f->text : r->sentence,
		.source = r->source,
	};
}

int gcpu_plan_findings(const struct gcpu_plan *p,
		       int (*visit)(void *ctx, const struct gcpu_finding *), void *ctx)
{
	if (!p || !visit)
		return GCPU_ERR_ARGUMENT;
	for (size_t i = 0; i < p->findings.n; i++) {
		struct gcpu_finding out = plan_finding_out(p, LIST_AT(&p->findings, struct plan_finding, i));
		int status = visit(ctx, &out);

		if (status)
			return status;
	}
	return 0;
}

static int explain_field(const struct gcpu_plan *p, unsigned field,
			 int (*visit)(void *ctx, const struct gcpu_reason *), void *ctx)
{
	for (size_t i = 0; i < p->steps.n; i++) {
		const struct plan_step *s = LIST_AT(&p->steps, struct plan_step, i);
		struct gcpu_reason out = { .rule = p->facts->rules[s->rule].id,
					   .field = p->facts->fields[field].name,
					   .before = s->before,
					   .after = s->after };
		int status;

		if (s->field != field)
			continue;
		plan_reason(p, field, s->rule, &out.sentence, &out.source);
		status = visit(ctx, &out);
		if (status)
			return status;
	}
	return 0;
}

static void describe_property(const struct gcpu_plan *p, const char *name, struct gcpu_error *err)
{
	int prop = property_find(p->facts, name, strlen(name));
	const struct prop_said *s = prop < 0 ? NULL : &p->props_said[prop];

	if (prop < 0)
		return;
	if (p->facts->props[prop].type == PROP_BOOL)
		error_set(err, GCPU_ERR_NAME, "'%.40s' is a property, not a feature, and is %s here",
			  name, p->props[prop] ? "on" : "off");
	else if (s->said)
		error_set(err, GCPU_ERR_NAME, "'%.40s' is a property, not a feature: '%.*s' here", name,
			  s->length < 60 ? (int)s->length : 60, p->request + s->offset);
	else
		error_set(err, GCPU_ERR_NAME, "'%.40s' is a property, not a feature, and is not set here",
			  name);
}

const struct feature_fact *plan_feature(const struct gcpu_plan *p, const char *name,
					struct gcpu_error *err)
{
	const struct name_fact *n = name_find(p->facts, name, strlen(name));

	if (n)
		return &p->facts->features[n->feature];
	error_set(err, GCPU_ERR_NAME, "no such feature '%.40s'", name);
	error_expected(err, "a feature name (guestcpu features lists them)");
	describe_property(p, name, err);
	name_nearest(p->arch, name, strlen(name), false, err);
	return NULL;
}

int gcpu_plan_explain(const struct gcpu_plan *p, const char *name,
		      int (*visit)(void *ctx, const struct gcpu_reason *), void *ctx,
		      struct gcpu_error *err)
{
	const struct feature_fact *ff;
	int status = 0;

	if (!p || !name || !visit)
		return error_set(err, GCPU_ERR_ARGUMENT, "no plan, name or visitor");
	ff = plan_feature(p, name, err);
	if (!ff)
		return GCPU_ERR_NAME;
	for (unsigned i = 0; i < ff->n && status == 0; i++)
		status = explain_field(p, p->facts->targets[ff->first + i].field, visit, ctx);
	return status;
}

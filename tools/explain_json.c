/* SPDX-License-Identifier: MIT */
/* explain, for programs: docs/explain.md. */
#include "explain.h"
#include "formats/json.h"

#include <string.h>

struct writing {
	struct json *json;
	const struct account *a;
	const char *word;
};

static int reason(void *ctx, const struct gcpu_reason *r)
{
	struct json *j = ctx;

	jw_object(j, false);
	jw_key_string(j, "field", r->field);
	jw_key_string(j, "rule", r->rule);
	jw_key_hex(j, "before", r->before);
	jw_key_hex(j, "after", r->after);
	jw_key_string(j, "sentence", r->sentence);
	jw_key_string(j, "source", r->source);
	jw_close(j, '}');
	return 0;
}

static int about(void *ctx, const struct gcpu_feature_info *f)
{
	struct writing *w = ctx;

	jw_object(w->json, false);
	feature_json(w->json, w->a->tool->arch, f);
	jw_close(w->json, '}');
	return 0;
}

static void named_state(const struct writing *w, const char *name)
{
	jw_key_string(w->json, "name", name);
	jw_key_bool(w->json, "on",
		    gcpu_plan_has(w->a->planned->plan, gcpu_feature_by_name(w->a->tool->arch, name)));
}

static int relation(void *ctx, const struct gcpu_requirement *r)
{
	struct writing *w = ctx;

	jw_object(w->json, false);
	named_state(w, r->child);
	jw_key(w->json, "any_of");
	jw_array(w->json, false);
	for (unsigned i = 0; i < r->n; i++) {
		jw_object(w->json, false);
		named_state(w, r->parents[i]);
		jw_close(w->json, '}');
	}
	jw_close(w->json, ']');
	jw_key_string(w->json, "source", r->source);
	jw_close(w->json, '}');
	return 0;
}

static void standing(struct json *j, const struct gcpu_standing *s)
{
	jw_object(j, false);
	jw_key_bool(j, "all", s->on);
	jw_key_bool(j, "some", s->some);
	jw_key_bool(j, "offered", s->offered);
	jw_key_bool(j, "chosen", s->chosen);
	jw_key_bool(j, "asked", s->asked);
	jw_key_string(j, "forced", s->forced_on ? "on" : s->forced_off ? "off" : NULL);
	jw_key_string(j, "lack", lack_name(s->lack));
	jw_key_hex(j, "value", s->value);
	jw_key_hex(j, "offer", s->offer);
	jw_key_bool(j, "in_force", s->in_force);
	jw_key_bool(j, "always_on", s->always_on);
	jw_close(j, '}');
}

static void options_of(const struct writing *w, const struct way *way)
{
	struct arguments args;

	way_arguments(w->a, way, &args);
	jw_key(w->json, "options");
	jw_array(w->json, false);
	for (unsigned i = 0; i < args.n; i++)
		jw_string(w->json, args.word[i]);
	jw_close(w->json, ']');
}

static void ways(const struct writing *w, const char *key, const struct ways *list)
{
	jw_key(w->json, key);
	jw_array(w->json, true);
	for (unsigned i = 0; i < list->n; i++) {
		jw_object(w->json, false);
		jw_key_string(w->json, "request", list->way[i].request);
		options_of(w, &list->way[i]);
		jw_key_string(w->json, "why", list->way[i].why);
		jw_key_string(w->json, "source", list->way[i].source);
		jw_close(w->json, '}');
	}
	jw_close(w->json, ']');
}

static void elsewhere(const struct writing *w)
{
	jw_key(w->json, "hosts");
	jw_array(w->json, true);
	for (unsigned i = 0; i < w->a->n_elsewhere; i++) {
		jw_object(w->json, false);
		jw_key_string(w->json, "name", w->a->elsewhere[i].name);
		jw_key_string(w->json, "request", w->a->elsewhere[i].way.request);
		options_of(w, &w->a->elsewhere[i].way);
		jw_close(w->json, '}');
	}
	jw_close(w->json, ']');
}

static void relations(struct writing *w, bool feature)
{
	enum gcpu_arch arch = w->a->tool->arch;

	jw_key(w->json, "about");
	jw_array(w->json, true);
	if (feature)
		gcpu_feature_members(arch, w->a->word, about, w);
	jw_close(w->json, ']');
	jw_key(w->json, "needs");
	jw_array(w->json, true);
	if (feature)
		gcpu_feature_needs(arch, w->a->word, relation, w);
	jw_close(w->json, ']');
	jw_key(w->json, "needed_by");
	jw_array(w->json, true);
	if (feature)
		gcpu_feature_needed_by(arch, w->a->word, relation, w);
	jw_close(w->json, ']');
}

void explain_json(const struct account *a, struct json *j)
{
	static const char *const subjects[] = { "feature", "group", "property" };
	bool feature = a->subject != SUBJECT_PROPERTY;
	struct writing w = { j, a, a->word };

	jw_object(j, true);
	jw_key_string(j, "name", a->word);
	jw_key(j, "on");
	if (a->id)
		jw_bool(j, gcpu_plan_has(a->planned->plan, a->id));
	else
		jw_string(j, NULL);
	jw_key(j, "steps");
	jw_array(j, true);
	if (feature)
		gcpu_plan_explain(a->planned->plan, a->word, reason, j, NULL);
	jw_close(j, ']');
	jw_key_string(j, "subject", subjects[a->subject]);
	jw_key_string(j, "meaning", a->meaning);
	jw_key(j, "standing");
	if (feature)
		standing(j, &a->standing);
	else
		jw_string(j, NULL);
	ways(&w, "turn_on", &a->on);
	ways(&w, "turn_off", &a->off);
	elsewhere(&w);
	relations(&w, feature);
	jw_key(j, "property");
	if (a->property.name)
		property_json(a, j);
	else
		jw_string(j, NULL);
	jw_close(j, '}');
}

void explain_json_head(const struct tool *t, bool planned, struct json *j)
{
	jw_start(j, tool_write, stdout);
	jw_object(j, true);
	jw_key_string(j, "schema", "guestcpu.explain");
	jw_key_int(j, "version", 1);
	jw_key_string(j, "arch", gcpu_arch_name(t->arch));
	jw_key_string(j, "request", !planned ? NULL : t->value[OPT_CPU] ? t->value[OPT_CPU] : "host");
}

/* SPDX-License-Identifier: MIT */
/* explain, of words of a request that are no features: what they take, and what became of them. */
#include "explain.h"
#include "formats/plan_write.h"
#include "term.h"

#include <stdlib.h>
#include <string.h>

struct lines {
	struct text text;
	unsigned n;
};

static void add_names(struct text *t, const char *what, const char *const *names, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		text_add(t, "%s%s", i ? ", " : what, names[i]);
}

/* "CPUID 0x4 (sub-leaves 0 to 3), 0x80000006": sub-leaf 0 alone goes without saying. */
static void add_leaves(struct text *t, const struct effect *e)
{
	text_add(t, "  changes no feature, but CPUID ");
	for (unsigned i = 0, n; i < e->n_leaves; i += n) {
		const struct leaf *l = &e->leaves[i];

		for (n = 1; i + n < e->n_leaves && l[n].leaf == l->leaf;)
			n++;
		text_add(t, "%s0x%x", i ? ", " : "", l->leaf);
		for (unsigned k = 0; (n > 1 || l->subleaf) && k < n; k++)
			text_add(t, "%s%u", !k ? n > 1 ? " (sub-leaves " : " (sub-leaf " : ", ", l[k].subleaf);
		text_add(t, "%s", n > 1 || l->subleaf ? ")" : "");
	}
}

/* What is left to change where it is no feature and no leaf: what the VMM has to do. */
static void add_calls(struct text *t, const struct effect *e)
{
	const char *what = e->has_cpuid ? "no feature and no CPUID" : "no feature";

	text_add(t, "  changes %s of this plan", what);
	for (unsigned i = 0; i < e->n_calls; i++) {
		bool told = false;

		for (unsigned k = 0; k < i; k++)
			told = told || strcmp(e->calls[k], e->calls[i]) == 0;
		if (!told)
			text_add(t, "%s%s", i ? ", " : ", but its recipe: ", e->calls[i]);
	}
}

/* "none, safe or all" */
static void add_choices(struct text *t, const char *words)
{
	for (const char *s = words; *s;) {
		size_t n = strcspn(s, " ");
		bool last = !s[n];

		text_add(t, "%s%.*s", s == words ? "" : last ? " or " : ", ", (int)n, s);
		s += n + !last;
	}
}

void takes_text(struct text *t, const struct gcpu_property_info *p)
{
	unsigned long long min = p->min, max = p->max;

	if (strcmp(p->type, "switch") == 0)
		text_add(t, "on or off");
	else if (p->choices)
		add_choices(t, p->choices);
	else if (strcmp(p->type, "text") == 0)
		text_add(t, min == max ? "a text of %llu characters" : "a text of %llu to %llu characters", min, max);
	else if (strcmp(p->type, "hertz") == 0)
		text_add(t, "a frequency in Hz; K, M and G are thousands");
	else
		text_add(t, p->max > 9999 ? "a number from 0x%llx to 0x%llx%s" : "a number from %llu to %llu%s",
			 min, max, p->or_zero ? ", or 0 for none" : "");
}

/* What it takes, and what it is where nobody speaks of it. */
static void print_type(const struct gcpu_property_info *p)
{
	struct text t = { NULL, 0, 0 };
	const char *deflt = strcmp(p->deflt, "host") == 0 ? "on for host and max, off for other models" :
			    strcmp(p->deflt, "-") == 0	  ? "not set" : p->deflt;

	takes_text(&t, p);
	text_item("takes", &t);
	term_item("default", deflt);
	free(t.s);
}

static int finding(void *ctx, const struct gcpu_finding *f)
{
	struct lines *l = ctx;

	text_add(&l->text, "%s: %s [%s; %s]", f->severity, f->text, f->id, f->source);
	text_item(l->n++ ? "" : "findings", &l->text);
	return 0;
}

void explain_became(const struct account *a)
{
	struct lines l = { { NULL, 0, 0 }, 0 };

	/* of a feature the state is the value */
	if (a->now.has_value && a->subject == SUBJECT_PROPERTY)
		text_add(&l.text, "%s", a->now.text);
	text_item("in effect", &l.text);
	gcpu_plan_property_findings(a->planned->plan, a->property.name, finding, &l, NULL);
	free(l.text.s);
}

static void add_effect(struct text *t, const struct effect *e)
{
	bool features = e->n_on || e->n_off;

	text_add(t, "-c ");
	explain_word(t, e->request);
	text_add(t, " ");
	add_names(t, "  turns on ", e->on, e->n_on);
	add_names(t, e->n_on ? "; turns off " : "  turns off ", e->off, e->n_off);
	if (e->refused)
		text_add(t, "%s  is refused", features ? ";" : "");
	else if (!features && e->n_leaves)
		add_leaves(t, e);
	else if (!features)
		add_calls(t, e);
}

static void print_otherwise(const struct account *a)
{
	struct text t = { NULL, 0, 0 };
	unsigned told = 0;

	for (unsigned i = 0; i <= a->n_choices; i++) {
		const struct effect *e = i ? &a->choices[i - 1].effect : &a->effect;

		if (e->request)
			add_effect(&t, e);
		told += e->request != NULL;
		text_item(told > 1 ? "" : "otherwise", &t);
	}
	free(t.s);
}

void explain_property(const struct account *a)
{
	struct text t = { NULL, 0, 0 };

	term_print(TERM_BOLD, a->name);
	printf(" is a property of requests: ");
	term_print(strcmp(a->value, "off") == 0 ? TERM_BAD : TERM_GOOD, a->value);
	printf("%s\n", a->said ? ", as the request says" : strcmp(a->value, "not set") ? ", by default" : "");
	term_item("what", a->meaning);
	explain_became(a);
	print_type(&a->property);
	if (a->property.other) {
		text_add(&t, "%s", strcmp(a->property.other, a->name) ? a->property.other : a->property.name);
		text_item("also", &t);
	}
	for (unsigned i = 0; i < a->n_choices; i++) {
		text_add(&t, "%s: %s", a->choices[i].name, a->choices[i].meaning);
		text_item(i ? "" : "choices", &t);
	}
	print_otherwise(a);
	free(t.s);
}

static void names(struct json *j, const char *key, const char *const *list, unsigned n)
{
	jw_key(j, key);
	jw_array(j, false);
	for (unsigned i = 0; i < n; i++)
		jw_string(j, list[i]);
	jw_close(j, ']');
}

static void leaves(struct json *j, const struct effect *e)
{
	jw_key(j, "leaves");
	jw_array(j, false);
	for (unsigned i = 0; i < e->n_leaves; i++) {
		jw_object(j, false);
		jw_key_hex(j, "leaf", e->leaves[i].leaf);
		jw_key_hex(j, "subleaf", e->leaves[i].subleaf);
		jw_close(j, '}');
	}
	jw_close(j, ']');
}

static void effect_json(struct json *j, const struct effect *e)
{
	if (!e->request) {
		jw_string(j, NULL);
		return;
	}
	jw_object(j, false);
	jw_key_string(j, "request", e->request);
	jw_key_bool(j, "refused", e->refused);
	names(j, "turns_on", e->on, e->n_on);
	names(j, "turns_off", e->off, e->n_off);
	leaves(j, e);
	names(j, "calls", e->calls, e->n_calls);
	jw_close(j, '}');
}

void property_json(const struct account *a, struct json *j)
{
	jw_object(j, false);
	jw_key_string(j, "value", a->value);
	jw_key_string(j, "type", a->property.type);
	jw_key_string(j, "default", a->property.deflt);
	jw_key_bool(j, "asked", a->said);
	jw_key(j, "otherwise");
	effect_json(j, &a->effect);
	jw_key_string(j, "in_effect", a->now.has_value ? a->now.text : NULL);
	jw_key(j, "findings");
	jw_array(j, false);
	gcpu_plan_property_findings(a->planned->plan, a->property.name, plan_write_finding, j, NULL);
	jw_close(j, ']');
	jw_key(j, "choices");
	jw_array(j, false);
	for (unsigned i = 0; i < a->n_choices; i++) {
		jw_object(j, false);
		jw_key_string(j, "name", a->choices[i].name);
		jw_key_string(j, "meaning", a->choices[i].meaning);
		jw_key(j, "otherwise");
		effect_json(j, &a->choices[i].effect);
		jw_close(j, '}');
	}
	jw_close(j, ']');
	jw_close(j, '}');
}

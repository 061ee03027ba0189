/* SPDX-License-Identifier: MIT */
/* explain, for people: what it is, how it stands and why, what would change it, what is known. */
#include "explain.h"
#include "term.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Children by name: up to so many, and of more than that so many. */
#define CHILDREN_MOST 30
#define CHILDREN_FEW 12

/* State of a parent or a child, by name. */
static const char *state_of(const struct account *a, const char *name)
{
	unsigned id = gcpu_feature_by_name(a->tool->arch, name);

	return gcpu_plan_has(a->planned->plan, id) ? "on" : "off";
}

struct lines {
	const struct account *a;
	struct text text;
	unsigned n;
	bool on; /* children: those that are on */
	unsigned shown; /* children: so many by name */
	const char *only, *last;
	uint64_t after;
};

static int parent(void *ctx, const struct gcpu_requirement *r)
{
	struct lines *l = ctx;

	/* rows of a group may name a parent once for each of its fields */
	if (l->last && strcmp(l->last, r->parents[0]) == 0)
		return 0;
	l->last = r->n == 1 ? r->parents[0] : NULL;
	text_add(&l->text, "%s", l->n++ ? ", " : "");
	for (unsigned i = 0; i < r->n; i++)
		text_add(&l->text, "%s%s (%s)", i ? " or " : "", r->parents[i], state_of(l->a, r->parents[i]));
	return 0;
}

static int child(void *ctx, const struct gcpu_requirement *r)
{
	struct lines *l = ctx;
	bool on = strcmp(state_of(l->a, r->child), "on") == 0;

	/* rows of a group may name a child twice, one after the other */
	if (on != l->on || (l->last && strcmp(l->last, r->child) == 0))
		return 0;
	if (l->n < l->shown)
		text_add(&l->text, "%s%s", l->n ? ", " : "", r->child);
	l->n++;
	l->last = r->child;
	return 0;
}

static void look_at_children(struct lines *l, bool on, unsigned shown)
{
	l->last = NULL;
	l->n = 0;
	l->on = on;
	l->shown = shown;
	gcpu_feature_needed_by(l->a->tool->arch, l->a->word, child, l);
}

/* Those that are on, or those that are not: how many. Of very many some by name. */
static unsigned children(struct lines *l, bool on)
{
	look_at_children(l, on, 0);
	if (!l->n)
		return 0;
	look_at_children(l, on, l->n > CHILDREN_MOST ? CHILDREN_FEW : l->n);
	if (l->n > CHILDREN_MOST)
		text_add(&l->text, " and %u more", l->n - CHILDREN_FEW);
	text_add(&l->text, on ? " (on)" : " (off)");
	return l->n;
}

static void print_family(const struct account *a)
{
	struct lines l = { .a = a };
	unsigned on, off;

	gcpu_feature_needs(a->tool->arch, a->word, parent, &l);
	text_item("needs", &l.text);
	on = children(&l, true);
	if (on)
		text_add(&l.text, "; ");
	off = children(&l, false);
	if (on && !off)
		l.text.s[l.text.n -= 2] = 0;
	if (on > CHILDREN_MOST || off > CHILDREN_MOST)
		text_add(&l.text, "; --json names them all");
	text_item("needed by", &l.text);
	free(l.text.s);
}

static int is_flag(void *ctx, const struct gcpu_feature_info *f)
{
	*(bool *)ctx = f->width == 1;
	return 0;
}

/* What the field was made, and why. */
static int step(void *ctx, const struct gcpu_reason *r)
{
	struct lines *l = ctx;
	bool flag = false;
	char value[64];

	/* a default and the user's word may say the same */
	if (l->last && l->after == r->after && strcmp(l->only, r->field) == 0 && strcmp(l->last, r->sentence) == 0)
		return 0;
	l->last = r->sentence;
	l->only = r->field;
	l->after = r->after;
	gcpu_feature_members(l->a->tool->arch, r->field, is_flag, &flag);
	if (l->a->subject == SUBJECT_GROUP)
		text_add(&l->text, "%s ", r->field);
	if (flag)
		text_add(&l->text, "%s: ", r->after ? "on" : "off");
	else {
		tool_value(l->a->tool->arch, r->field, r->after, value, sizeof(value));
		text_add(&l->text, "%s: ", value);
	}
	text_add(&l->text, "%s [%s; %s]", r->sentence, r->rule, r->source);
	text_item(l->n++ ? "" : "why", &l->text);
	return 0;
}

static int parent_steps(void *ctx, const struct gcpu_requirement *r)
{
	struct lines *l = ctx;

	for (unsigned i = 0; i < r->n; i++) {
		struct gcpu_standing s = { .size = sizeof(s) };

		if (gcpu_plan_standing(l->a->planned->plan, r->parents[i], &s, NULL))
			continue;
		text_add(&l->text, "it follows %s, which is %s [%s]", r->parents[i], s.on ? "on" : "off", r->source);
		text_item(l->n++ ? "" : "why", &l->text);
	}
	return 0;
}

static void print_why(const struct account *a)
{
	struct lines l = { .a = a };

	gcpu_plan_explain(a->planned->plan, a->word, step, &l, NULL);
	/* what is not chosen follows what it needs */
	if (!l.n && !a->standing.chosen)
		gcpu_feature_needs(a->tool->arch, a->word, parent_steps, &l);
	if (!l.n && a->said)
		term_item("why", "the request says so, by the property");
	else if (!l.n)
		term_item("why", "no rule touches it: it is computed, or KVM's own");
	free(l.text.s);
}

void explain_word(struct text *t, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,=+:/-";

	if (*word && strspn(word, plain) == strlen(word)) {
		text_add(t, "%s", word);
		return;
	}
	text_add(t, "'");
	for (; *word; word++)
		if (*word == '\'')
			text_add(t, "'\\''");
		else
			text_add(t, "%c", *word);
	text_add(t, "'");
}

static void add_arguments(const struct account *a, const struct way *w, struct text *t)
{
	struct arguments args;

	way_arguments(a, w, &args);
	for (unsigned i = 0; i < args.n; i++) {
		if (i)
			text_add(t, " ");
		explain_word(t, args.word[i]);
	}
}

struct telling {
	const char *sentence;
	bool told;
};

static int is_told(void *ctx, const struct gcpu_reason *r)
{
	struct telling *t = ctx;

	t->told |= strcmp(t->sentence, r->sentence) == 0;
	return 0;
}

static void print_ways(const struct account *a, const char *label, const struct ways *ways)
{
	struct text t = { NULL, 0, 0 };

	for (unsigned i = 0; i < ways->n; i++) {
		const struct way *w = &ways->way[i];
		struct telling telling = { w->why, w->why == NULL };

		add_arguments(a, w, &t);
		/* what stands under "why" need not be said again */
		if (w->why)
			gcpu_plan_explain(a->planned->plan, a->word, is_told, &telling, NULL);
		if (!telling.told)
			text_add(&t, "   %s", w->why);
		text_item(i ? "" : label, &t);
	}
	free(t.s);
}

/* What the host lacks of something, in one sentence. */
static void add_lack(const struct account *a, struct text *t, const struct gcpu_standing *s, const char *since)
{
	switch (s->lack) {
	case GCPU_LACK_NEVER:
		text_add(t, "KVM never offers it");
		break;
	case GCPU_LACK_CPU:
		text_add(t, "its CPU does not have it");
		break;
	case GCPU_LACK_KERNEL:
		text_add(t, "it runs Linux %s, and KVM offers it", gcpu_snapshot_kernel(a->planned->snap));
		since_text(t, since);
		break;
	case GCPU_LACK_HOST:
		text_add(t, "its KVM does not offer it");
		break;
	default:
		text_add(t, "nothing that a request or the machine can say helps");
		break;
	}
}

struct orphan {
	const struct account *a;
	const char *parent;
	struct gcpu_standing standing;
	const char *since;
};

static int take_since(void *ctx, const struct gcpu_feature_info *f)
{
	((struct orphan *)ctx)->since = f->since;
	return 1;
}

/* A row of parents of which none is on, and none is to be had. */
static int unmet(void *ctx, const struct gcpu_requirement *r)
{
	struct orphan *o = ctx;

	for (unsigned i = 0; i < r->n; i++) {
		o->standing = (struct gcpu_standing){ .size = sizeof(o->standing) };
		if (gcpu_plan_standing(o->a->planned->plan, r->parents[i], &o->standing, NULL) ||
		    o->standing.on || o->standing.lack == GCPU_LACK_NOTHING)
			return 0;
		o->parent = r->parents[i];
	}
	gcpu_feature_members(o->a->tool->arch, o->parent, take_since, o);
	return 1;
}

static void print_no_way(const struct account *a, const struct gcpu_feature_info *f)
{
	struct orphan o = { .a = a };
	struct text t = { NULL, 0, 0 };

	if (a->standing.forced_off) {
		text_add(&t, "not on this host: its KVM clears it in every guest");
	} else if (a->standing.lack == GCPU_LACK_NOTHING &&
		   gcpu_feature_needs(a->tool->arch, a->word, unmet, &o)) {
		text_add(&t, "not on this host: it needs %s, and as to that, ", o.parent);
		add_lack(a, &t, &o.standing, o.since);
	} else {
		text_add(&t, a->standing.lack == GCPU_LACK_NEVER ? "not by any means: " : "not on this host: ");
		add_lack(a, &t, &a->standing, f->since);
	}
	text_item("turn on", &t);
	free(t.s);
}

/* Bundled hosts where it is to be had, those with the same words together. */
static void print_elsewhere(const struct account *a)
{
	struct text t = { NULL, 0, 0 };
	bool told[ELSEWHERE_MOST] = { false };

	if (a->looked_elsewhere && !a->n_elsewhere)
		text_add(&t, "no bundled host gives it either");
	text_item("", &t);
	for (unsigned i = 0; i < a->n_elsewhere; i++) {
		struct text with = { NULL, 0, 0 }, other = { NULL, 0, 0 };

		if (told[i])
			continue;
		add_arguments(a, &a->elsewhere[i].way, &with);
		text_add(&t, "bundled hosts that give it%s%s: %s", with.n ? " with " : "", with.n ? with.s : "",
		    a->elsewhere[i].name);
		for (unsigned k = i + 1; k < a->n_elsewhere; k++) {
			other.n = 0;
			text_add(&other, "%s", "");
			add_arguments(a, &a->elsewhere[k].way, &other);
			if (with.n != other.n || (with.n && strcmp(with.s, other.s) != 0))
				continue;
			told[k] = true;
			text_add(&t, ", %s", a->elsewhere[k].name);
		}
		text_item("", &t);
		free(with.s);
		free(other.s);
	}
	free(t.s);
}

static void print_advice(const struct account *a, const struct gcpu_feature_info *f)
{
	const struct gcpu_standing *s = &a->standing;

	print_ways(a, "turn on", &a->on);
	if (s->in_force && !s->on && !a->on.n)
		term_item("turn on", "already: in every guest of this KVM");
	else if ((!s->on || s->forced_off) && !a->on.n && a->could_be_on) {
		print_no_way(a, f);
		print_elsewhere(a);
	}
	print_ways(a, "turn off", &a->off);
	if ((s->some || s->forced_on) && !a->off.n && s->chosen)
		term_item("turn off", s->forced_on || s->always_on ?
			  "not on this host: its KVM puts it in force in every guest" :
			  "not on this host: nothing that a request or the machine can say helps");
}

/* "svm is off"; what is no switch has a value instead. */
static void print_head(const struct account *a, const struct gcpu_feature_info *f)
{
	const struct gcpu_standing *s = &a->standing;
	bool number = f->width > 1 && !f->at_least && a->subject == SUBJECT_FEATURE;
	bool on = s->on || (number && s->some);
	char value[160] = "", has[64], offer[64];

	term_print(TERM_BOLD, a->name);
	if (strcasecmp(a->name, a->word) != 0) {
		fputs(" (", stdout);
		tool_print(stdout, a->word);
		fputc(')', stdout);
	}
	fputs(" is ", stdout);
	tool_value(a->tool->arch, a->name, s->value, has, sizeof(has));
	tool_value(a->tool->arch, a->name, s->offer, offer, sizeof(offer));
	if (number)
		snprintf(value, sizeof(value), s->value == s->offer || !s->chosen ? "%s" : "%s, of %s that KVM offers",
			 has, offer);
	if (s->forced_on || s->forced_off)
		term_print(TERM_ODD, s->forced_on ? "planned off, but this KVM puts it in force" :
						    "planned on, but this KVM clears it");
	else if (number)
		term_print(on ? TERM_GOOD : TERM_BAD, value);
	else if (s->some && !s->on)
		term_print(TERM_ODD, "partly on");
	else
		term_print(on ? TERM_GOOD : TERM_BAD, on ? "on" : "off");
	putchar('\n');
}

static const char *owner_text(const struct gcpu_feature_info *f)
{
	if (strncmp(f->owner, "chosen", 6) == 0)
		return NULL;
	if (strncmp(f->owner, "identity", 8) == 0)
		return "it says which CPU this is, and comes with host or model";
	if (strncmp(f->owner, "runtime", 7) == 0)
		return "it is not to be chosen: KVM sets it while the guest runs";
	return "it is not to be chosen: it is computed from the rest";
}

static int details(void *ctx, const struct gcpu_feature_info *f)
{
	const struct account *a = ctx;

	print_head(a, f);
	term_item("what", f->meaning);
	if (a->property.name)
		term_item("", "the property of this name sets it");
	else if (owner_text(f))
		term_item("", owner_text(f));
	print_why(a);
	if (a->property.name)
		explain_became(a);
	print_advice(a, f);
	print_family(a);
	explain_facts(a, f);
	return 1;
}

static int member(void *ctx, const struct gcpu_feature_info *f)
{
	struct lines *l = ctx;

	text_add(&l->text, "%s (%s), %s", f->name, state_of(l->a, f->name), f->meaning);
	text_item(l->n++ ? "" : "members", &l->text);
	return 0;
}

static int group_head(void *ctx, const struct gcpu_feature_info *f)
{
	print_head(ctx, f);
	return 1;
}

static int group_advice(void *ctx, const struct gcpu_feature_info *f)
{
	print_advice(ctx, f);
	return 1;
}

static void print_group(const struct account *a)
{
	struct lines l = { .a = a };

	gcpu_feature_members(a->tool->arch, a->word, group_head, (void *)(uintptr_t)a);
	gcpu_feature_members(a->tool->arch, a->word, member, &l);
	print_why(a);
	gcpu_feature_members(a->tool->arch, a->word, group_advice, (void *)(uintptr_t)a);
	print_family(a);
	called_text(&l.text, a->tool->arch, a->name, NULL);
	text_item("called", &l.text);
	free(l.text.s);
}

void explain_text(const struct account *a)
{
	if (a->subject == SUBJECT_PROPERTY)
		explain_property(a);
	else if (a->subject == SUBJECT_GROUP)
		print_group(a);
	else
		gcpu_feature_members(a->tool->arch, a->word, details, (void *)(uintptr_t)a);
}

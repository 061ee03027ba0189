/* SPDX-License-Identifier: MIT */
/* Finds out what there is to say about a feature, a group or a property. */
#include "explain.h"

#include <stdlib.h>
#include <string.h>

static void *need(void *p)
{
	if (p)
		return p;
	fputs("guestcpu: out of memory\n", stderr);
	exit(EXIT_LACKS);
}

static const char *request_of(const struct tool *t)
{
	return t->value[OPT_CPU] ? t->value[OPT_CPU] : "host";
}

const char *lack_name(enum gcpu_lack lack)
{
	static const char *const names[] = { "nothing", "never", "rule", "cpu", "kernel", "host" };

	return (unsigned)lack < sizeof(names) / sizeof(names[0]) ? names[lack] : "unknown";
}

static void add_list(const struct account *a, enum option o, char room[128], uint32_t bits,
		     const char *(*name)(unsigned), int (*number)(const char *), struct arguments *out)
{
	(void)a;
	room[0] = 0;
	for (unsigned i = 0; name(i); i++)
		if (bits >> number(name(i)) & 1)
			snprintf(room + strlen(room), 128 - strlen(room), "%s%s", room[0] ? "," : "", name(i));
	out->word[out->n++] = options[o].name;
	out->word[out->n++] = room;
}

void way_arguments(const struct account *a, const struct way *w, struct arguments *out)
{
	const struct gcpu_machine *was = &a->tool->machine, *is = &w->machine;

	out->n = 0;
	if (strcmp(w->request, request_of(a->tool)) != 0) {
		out->word[out->n++] = "-c";
		out->word[out->n++] = w->request;
	}
	if (is->irqchip != was->irqchip) {
		out->word[out->n++] = options[OPT_IRQCHIP].name;
		out->word[out->n++] = tool_irqchips[is->irqchip];
	}
	if (is->gic != was->gic) {
		out->word[out->n++] = options[OPT_GIC].name;
		out->word[out->n++] = tool_gics[is->gic];
	}
	if (is->disable_exits != was->disable_exits)
		add_list(a, OPT_DISABLE_EXITS, out->room[0], is->disable_exits, gcpu_exit_name,
			 gcpu_exit_by_name, out);
	if (is->handles != was->handles)
		add_list(a, OPT_HANDLES, out->room[1], is->handles, gcpu_handle_name, gcpu_handle_by_name,
			 out);
	if (is->accept_x2apic_ids && !was->accept_x2apic_ids)
		out->word[out->n++] = options[OPT_X2APIC_IDS].name;
}

static int take_way(void *ctx, const struct gcpu_advice *a)
{
	struct ways *ways = ctx;
	struct way *w = &ways->way[ways->n];

	if (ways->n == GCPU_ADVICE_MOST)
		return 0;
	w->request = need(strdup(a->request));
	w->machine = *a->machine;
	w->why = a->why;
	w->source = a->source;
	ways->n++;
	return 0;
}

static void free_ways(struct ways *ways)
{
	for (unsigned i = 0; i < ways->n; i++)
		free(ways->way[i].request);
	ways->n = 0;
}

/* Is the feature on in this plan for another host, or is there a way to it? */
static bool on_there(const struct account *a, const struct gcpu_plan *plan,
		     const struct gcpu_machine *machine, struct way *ret)
{
	struct gcpu_standing s = { .size = sizeof(s) };
	struct ways ways = { .n = 0 };

	*ret = (struct way){ .machine = *machine };
	if (gcpu_plan_standing(plan, a->word, &s, NULL))
		return false;
	if (s.in_force) {
		ret->request = need(strdup(request_of(a->tool)));
	} else {
		gcpu_plan_advise(plan, a->word, true, take_way, &ways, NULL);
		if (!ways.n)
			return false;
		*ret = ways.way[0];
		ret->why = ret->source = NULL;
		ways.way[0].request = NULL;
		free_ways(&ways);
	}
	/* the best GIC of that host is what the command takes there by itself */
	if (!a->tool->value[OPT_GIC])
		ret->machine.gic = a->tool->machine.gic;
	return true;
}

static void try_host(struct account *accounts, int n, const struct gcpu_snapshot *snap, const char *name)
{
	struct tool *t = accounts[0].tool;
	struct gcpu_machine machine = t->machine;
	struct gcpu_request *req = NULL;
	struct gcpu_plan *plan = NULL;

	tool_best_gic(t, snap, &machine);
	if (gcpu_request_parse(t->arch, request_of(t), &req, NULL) == 0 &&
	    gcpu_plan_make(snap, req, &machine, &plan, NULL) == 0) {
		for (int i = 0; i < n; i++) {
			struct account *a = &accounts[i];
			struct elsewhere *e = &a->elsewhere[a->n_elsewhere];

			if (!a->looked_elsewhere || a->n_elsewhere == ELSEWHERE_MOST ||
			    !on_there(a, plan, &machine, &e->way))
				continue;
			e->name = name;
			a->n_elsewhere++;
		}
	}
	gcpu_plan_free(plan);
	gcpu_request_free(req);
}

/* A snapshot named after another architecture need not be read. */
static bool of_another(enum gcpu_arch arch, const char *name)
{
	for (int other = 1; gcpu_arch_name((enum gcpu_arch)other); other++) {
		const char *prefix = gcpu_arch_name((enum gcpu_arch)other);

		if (other != (int)arch && strncmp(name, prefix, strlen(prefix)) == 0)
			return true;
	}
	return false;
}

void accounts_elsewhere(struct account *accounts, int n)
{
	bool any = false;

	for (int i = 0; i < n; i++)
		any = any || accounts[i].looked_elsewhere;
	for (unsigned i = 0; any && gcpu_snapshot_bundled_name(i); i++) {
		const char *name = gcpu_snapshot_bundled_name(i);
		struct gcpu_snapshot *snap = NULL;

		if (of_another(accounts[0].tool->arch, name) || gcpu_snapshot_bundled(name, &snap, NULL))
			continue;
		if (gcpu_snapshot_arch(snap) == accounts[0].tool->arch &&
		    strcmp(gcpu_snapshot_hash(snap), gcpu_snapshot_hash(accounts[0].planned->snap)) != 0)
			try_host(accounts, n, snap, name);
		gcpu_snapshot_free(snap);
	}
}

static int first_member(void *ctx, const struct gcpu_feature_info *f)
{
	struct account *a = ctx;

	if (a->meaning)
		a->subject = SUBJECT_GROUP;
	/* what is computed follows what is chosen; what KVM sets, or names the CPU, does not */
	a->could_be_on = strncmp(f->owner, "chosen", 6) == 0 ||
			 (strncmp(f->owner, "derived", 7) == 0 && (f->width == 1 || f->at_least));
	a->name = a->meaning ? a->word : f->name;
	a->meaning = a->meaning ? a->meaning : f->meaning;
	return 0;
}

static int take_feature(struct account *a)
{
	const struct gcpu_plan *plan = a->planned->plan;
	struct gcpu_error err;
	int status;

	a->id = gcpu_feature_by_name(a->tool->arch, a->word);
	a->standing.size = sizeof(a->standing);
	status = gcpu_plan_standing(plan, a->word, &a->standing, &err);
	if (status == 0 && (!a->standing.on || a->standing.forced_off))
		status = gcpu_plan_advise(plan, a->word, true, take_way, &a->on, &err);
	if (status == 0 && (a->standing.some || a->standing.forced_on))
		status = gcpu_plan_advise(plan, a->word, false, take_way, &a->off, &err);
	if (status)
		return tool_fail(a->tool, &err, NULL);
	/* another host is of no use where no KVM ever has it, or where the request is enough */
	a->looked_elsewhere = !a->standing.on && !a->standing.in_force && !a->on.n && a->standing.lack != GCPU_LACK_NEVER &&
			      a->could_be_on;
	return 0;
}

static void free_effect(struct effect *e)
{
	free(e->request);
	free(e->leaves);
	free(e->calls);
	free(e->on);
	free(e->off);
}

void account_free(struct account *a)
{
	free_ways(&a->on);
	free_ways(&a->off);
	for (unsigned i = 0; i < a->n_elsewhere; i++)
		free(a->elsewhere[i].way.request);
	free_effect(&a->effect);
	for (unsigned i = 0; i < a->n_choices; i++)
		free_effect(&a->choices[i].effect);
	free(a->choices);
}

struct comparing {
	const struct gcpu_plan *now, *then;
	struct effect *effect;
};

static int compare(void *ctx, const struct gcpu_feature_info *f)
{
	struct comparing *c = ctx;
	struct effect *e = c->effect;
	bool now = gcpu_plan_has(c->now, f->id), then = gcpu_plan_has(c->then, f->id);
	const char ***list = then ? &e->on : &e->off;
	unsigned *n = then ? &e->n_on : &e->n_off;

	if (!f->id || now == then || f->at_least)
		return 0;
	*list = need(realloc(*list, (*n + 1) * sizeof(**list)));
	(*list)[(*n)++] = f->name;
	return 0;
}

/* A vCPU's table, to be freed; none where there is no CPUID. */
static struct gcpu_cpuid *table_of(const struct gcpu_plan *plan, size_t *ret_n)
{
	struct gcpu_cpuid *entries;

	*ret_n = 0;
	if (gcpu_plan_cpuid(plan, 0, NULL, ret_n) || !*ret_n)
		return NULL;
	entries = need(calloc(*ret_n, sizeof(*entries)));
	if (gcpu_plan_cpuid(plan, 0, entries, ret_n))
		*ret_n = 0;
	return entries;
}

static int order_of(const struct gcpu_cpuid *a, const struct gcpu_cpuid *b)
{
	if (a->leaf != b->leaf)
		return a->leaf < b->leaf ? -1 : 1;
	return a->subleaf == b->subleaf ? 0 : a->subleaf < b->subleaf ? -1 : 1;
}

/* Both tables are in ascending order. */
static void compare_tables(const struct comparing *c)
{
	struct effect *e = c->effect;
	size_t n_now, n_then, i = 0, k = 0;
	struct gcpu_cpuid *now = table_of(c->now, &n_now), *then = table_of(c->then, &n_then);

	e->has_cpuid = n_now != 0;
	while (i < n_now || k < n_then) {
		int order = i == n_now ? 1 : k == n_then ? -1 : order_of(&now[i], &then[k]);
		const struct gcpu_cpuid *at = order > 0 ? &then[k] : &now[i];
		bool same = order == 0 && memcmp(&now[i], &then[k], sizeof(*now)) == 0;

		i += order <= 0;
		k += order >= 0;
		if (same)
			continue;
		e->leaves = need(realloc(e->leaves, (e->n_leaves + 1) * sizeof(*e->leaves)));
		e->leaves[e->n_leaves++] = (struct leaf){ at->leaf, at->subleaf };
	}
	free(now);
	free(then);
}

struct seeking {
	const struct gcpu_plan *in;
	const struct gcpu_step *step;
	struct effect *effect;
};

static bool same_step(const struct gcpu_step *a, const struct gcpu_step *b)
{
	bool same = a->phase == b->phase && a->n_args == b->n_args && strcmp(a->call, b->call) == 0;

	for (unsigned i = 0; same && i < a->n_args; i++)
		same = a->args[i].value == b->args[i].value && strcmp(a->args[i].name, b->args[i].name) == 0;
	return same;
}

static int is_step(void *ctx, const struct gcpu_step *s)
{
	return same_step(((struct seeking *)ctx)->step, s);
}

static int step_alone(void *ctx, const struct gcpu_step *s)
{
	struct seeking *l = ctx;
	struct effect *e = l->effect;

	l->step = s;
	if (gcpu_plan_recipe(l->in, is_step, l))
		return 0;
	e->calls = need(realloc(e->calls, (e->n_calls + 1) * sizeof(*e->calls)));
	e->calls[e->n_calls++] = s->call;
	return 0;
}

/* Steps that one recipe has and the other has not, by the calls; those are constants. */
static void compare_recipes(const struct comparing *c)
{
	struct seeking now = { c->then, NULL, c->effect }, then = { c->now, NULL, c->effect };

	gcpu_plan_recipe(c->now, step_alone, &now);
	gcpu_plan_recipe(c->then, step_alone, &then);
}

static void take_value(struct account *a, const char *text, size_t n)
{
	static const struct { const char *word, *same; } same[] = {
		{ "yes", "on" }, { "true", "on" }, { "y", "on" },
		{ "no", "off" }, { "false", "off" }, { "n", "off" },
	};

	snprintf(a->value, sizeof(a->value), "%.*s", (int)n, text);
	for (unsigned i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (tool_same_name(text, n, same[i].word))
			snprintf(a->value, sizeof(a->value), "%s", same[i].same);
}

/* Does the item S[0..N) of a request speak of the property? Its value is at *ret. */
static bool is_about(const struct gcpu_property_info *p, const char *s, size_t n, const char **ret)
{
	const char *const names[] = { p->name, p->other };
	bool sign = *s == '+' || *s == '-';

	for (int i = 0; i < 2 && names[i]; i++) {
		size_t length = strlen(names[i]);

		if (n < sign + length || !tool_same_name(s + sign, length, names[i]) ||
		    (n > sign + length && s[sign + length] != '='))
			continue;
		*ret = s + sign + length + (n > sign + length);
		return true;
	}
	return false;
}

/* The last word of the request about the property, in the order in which words count. */
static void said_of(struct account *a)
{
	const char *const orders = "=+-";

	for (int order = 0; order < 3; order++) {
		const char *s = strchr(request_of(a->tool), ','), *value;

		while (s) {
			size_t n = strcspn(++s, ",");
			char sign = *s == '+' || *s == '-' ? *s : '=';

			if (sign == orders[order] && is_about(&a->property, s, n, &value)) {
				a->said = true;
				if (value == s + n)
					strcpy(a->value, sign == '-' ? "off" : "on");
				else
					take_value(a, value, (size_t)(s + n - value));
			}
			s = s[n] ? s + n : NULL;
		}
	}
}

/* What a request that says nothing of it has. */
static void take_default(struct account *a, const struct gcpu_property_info *f)
{
	const char *request = request_of(a->tool);
	size_t n = strcspn(request, ",");
	bool generous = tool_same_name(request, n, "host") || tool_same_name(request, n, "max");
	const char *deflt = f->deflt;

	if (strcmp(deflt, "host") == 0)
		deflt = generous ? "on" : "off";
	a->deflt = strcmp(deflt, "-") ? deflt : "not set";
	snprintf(a->value, sizeof(a->value), "%s", a->deflt);
}

static int is_property(void *ctx, const struct gcpu_property_info *f)
{
	struct account *a = ctx;
	size_t n = strlen(a->word);

	if (!tool_same_name(a->word, n, f->name) && !(f->other && tool_same_name(a->word, n, f->other)))
		return 0;
	a->property = *f;
	take_default(a, f);
	said_of(a);
	return 1;
}

/* The request without a word on the property, then with VALUE for it, if that is not NULL. */
static char *other_request(const struct account *a, const char *value)
{
	const char *s = request_of(a->tool), *said;
	size_t room = strlen(s) + strlen(a->name) + (value ? strlen(value) : 0) + 3;
	size_t n = strcspn(s, ","), length;
	char *text = need(malloc(room));

	memcpy(text, s, n);
	for (length = n, s += n; *s; s += n) {
		n = 1 + strcspn(s + 1, ",");
		if (is_about(&a->property, s + 1, n - 1, &said))
			continue;
		memcpy(text + length, s, n);
		length += n;
	}
	text[length] = 0;
	if (value)
		snprintf(text + length, room - length, ",%s=%s", a->name, value);
	return text;
}

/* What the plan of another request, TEXT, which is taken over, has and has not. */
static void try_request(const struct account *a, char *text, struct effect *e)
{
	struct gcpu_request *req = NULL;
	struct gcpu_plan *plan = NULL;

	if (gcpu_request_parse(a->tool->arch, text, &req, NULL) == 0 &&
	    gcpu_plan_make(a->planned->snap, req, &a->tool->machine, &plan, NULL) == 0) {
		struct comparing c = { a->planned->plan, plan, e };

		gcpu_features(a->tool->arch, compare, &c);
		compare_tables(&c);
		compare_recipes(&c);
		e->request = text;
		e->refused = gcpu_plan_refused(plan) && !gcpu_plan_refused(a->planned->plan);
		text = NULL;
	}
	free(text);
	gcpu_plan_free(plan);
	gcpu_request_free(req);
}

static int take_choice(void *ctx, const struct gcpu_preset_info *p)
{
	struct account *a = ctx;

	if (p->feature || strcmp(p->property, a->property.name) != 0)
		return 0;
	if (tool_same_name(a->value, strlen(a->value), p->name))
		snprintf(a->value, sizeof(a->value), "%s", p->name);
	a->choices = need(realloc(a->choices, (a->n_choices + 1) * sizeof(*a->choices)));
	a->choices[a->n_choices++] = (struct choice){ .name = p->name, .meaning = p->reason };
	return 0;
}

/* The plan with the property the other way round, or with each other word that it takes. */
static void try_property(struct account *a)
{
	const char *other = strcmp(a->value, "on") != 0 ? "on" : "off";

	if (strcmp(a->property.type, "switch") == 0)
		try_request(a, other_request(a, strcmp(a->deflt, other) != 0 ? other : NULL), &a->effect);
	if (strcmp(a->property.type, "choice") != 0)
		return;
	gcpu_presets(a->tool->arch, take_choice, a);
	for (unsigned i = 0; i < a->n_choices; i++)
		if (strcmp(a->choices[i].name, a->value) != 0)
			try_request(a, other_request(a, a->choices[i].name), &a->choices[i].effect);
	if (a->said)
		try_request(a, other_request(a, NULL), &a->effect);
}

int account_take(struct account *a, struct tool *t, const struct planned *p, const char *word)
{
	memset(a, 0, sizeof(*a));
	a->tool = t;
	a->planned = p;
	a->word = word;
	/* a name may be both: a field that only the property sets */
	gcpu_property_infos(t->arch, is_property, a);
	a->now.size = sizeof(a->now);
	if (a->property.name)
		gcpu_plan_property(p->plan, a->property.name, &a->now, NULL);
	if (gcpu_feature_members(t->arch, word, first_member, a) == 0)
		return take_feature(a);
	if (!a->property.name)
		return tool_unknown_name(t, word);
	a->subject = SUBJECT_PROPERTY;
	a->name = a->property.name;
	a->meaning = a->property.meaning;
	try_property(a);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* Finds out what a program gave its guest of a feature, and what guestcpu would. */
#include "given.h"
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

static void add_cap(struct given *of, unsigned cap)
{
	for (unsigned i = 0; i < of->n_caps; i++)
		if (of->caps[i] == cap)
			return;
	if (cap && of->n_caps < GIVEN_CAPS)
		of->caps[of->n_caps++] = cap;
}

static const struct property_fact *enforcement(const struct facts *f)
{
	int prop = property_find(f, "kvm-pv-enforce-cpuid", strlen("kvm-pv-enforce-cpuid"));

	return prop < 0 ? NULL : &f->props[prop];
}

/* Capabilities that a condition of a rule asks about. */
static void caps_of_rule(const struct facts *f, const struct rule_fact *r, struct given *of)
{
	for (unsigned i = 0; i < r->n_atoms; i++) {
		const struct atom_fact *a = &f->atoms[r->first_atom + i];

		if (a->op == ATOM_CAP)
			add_cap(of, (unsigned)a->value);
		if (a->op == ATOM_ACCEPTS)
			add_cap(of, CAP_X2APIC_API);
		if (a->op == ATOM_EXIT_DISABLED || a->op == ATOM_EXIT_ALLOWED)
			add_cap(of, CAP_X86_DISABLE_EXITS);
	}
}

/* Those that the tables know to bear on a field: by rules about it, its MSRs or calls, its bit of VCPU_INIT. */
static void caps_of_field(const struct facts *f, unsigned field, struct given *of)
{
	const struct field_fact *fl = &f->fields[field];

	for (unsigned i = 0; i < f->n_rules; i++)
		for (unsigned k = 0; k < f->rules[i].n_targets; k++)
			if (f->rule_targets[f->rules[i].first_target + k] == field)
				caps_of_rule(f, &f->rules[i], of);
	for (unsigned i = 0; i < f->n_pv; i++)
		if (f->pv[i].field == field && strcmp(f->pv[i].gate, "-") != 0 && enforcement(f))
			add_cap(of, CAP_ENFORCE_PV_FEATURE_CPUID);
	for (unsigned i = 0; i < f->n_inits; i++)
		if (f->words[fl->word].addr == ADDR_INIT && f->inits[i].bit == fl->lsb)
			add_cap(of, f->inits[i].cap);
}

static void add_field(const struct givens *g, struct given *of, unsigned field)
{
	uint64_t addr = g->arch->facts->words[g->arch->facts->fields[field].word].addr;

	for (unsigned i = 0; i < of->n_addrs; i++)
		if (of->addrs[i] == addr)
			return;
	of->addrs = need(realloc(of->addrs, (of->n_addrs + 1) * sizeof(*of->addrs)));
	of->addrs[of->n_addrs++] = addr;
}

/* The words at the addresses, into the scratch ones; what a table does not have reads as 0. */
static void take_words(const struct givens *g, const struct given *of, const struct traced_vcpu *v, struct given_vcpu *out)
{
	const struct facts *f = g->arch->facts;

	out->said = of->n_addrs != 0;
	for (unsigned i = 0; i < of->n_addrs; i++) {
		uint64_t addr = of->addrs[i], value;
		bool said = traced_word(v, addr, &value);

		for (unsigned w = 0; w < f->n_words; w++)
			if (f->words[w].addr == addr)
				g->words[w] = value;
		out->some |= said;
		out->said &= said || (ADDR_SPACE(addr) == SPACE_CPUID && v->cpuid.n);
	}
	out->said &= out->some;
}

static void take_feature(const struct givens *g, const struct given *of, struct given_vcpu *out)
{
	/* what asks whether it is there asks a plan only for its tables */
	const struct gcpu_plan tables = { .facts = g->arch->facts };
	unsigned field = g->arch->facts->targets[of->feature->first].field;

	out->value = field_get(&tables, g->words, field);
	if (of->is_number)
		tool_value(g->tool->arch, of->name, out->value, out->state, sizeof(out->state));
	else
		snprintf(out->state, sizeof(out->state), feature_on(&tables, of->feature, g->words) ? "on" : "off");
}

static void take_value(const struct givens *g, const struct given *of, struct given_vcpu *out)
{
	const struct gcpu_plan tables = { .facts = g->arch->facts, .arch = g->arch, .value = g->words };
	struct gcpu_property_standing s = { .size = sizeof(s) };

	property_in_effect(&tables, of->value, &s);
	out->value = s.value;
	snprintf(out->state, sizeof(out->state), "%s", s.text);
	out->said = s.has_value;
}

/* KVM_SET_TSC_KHZ, of the vCPU or of the VM. */
static void take_frequency(const struct givens *g, unsigned vcpu, struct given_vcpu *out)
{
	for (size_t i = 0; i < g->trace->calls.n; i++) {
		const struct traced_call *c = LIST_AT(&g->trace->calls, struct traced_call, i);

		if (c->kind != TRACE_TSC_KHZ || c->error || !c->khz || (c->vcpu >= 0 && c->vcpu != (int)vcpu))
			continue;
		out->said = out->some = true;
		out->value = c->khz * 1000;
		out->call = i;
		snprintf(out->state, sizeof(out->state), "%llu", (unsigned long long)out->value);
	}
}

/* A property that is nothing but a capability. */
static void take_enabled(const struct givens *g, const struct given *of, unsigned vcpu, struct given_vcpu *out)
{
	for (size_t i = 0; i < g->trace->enabled.n; i++) {
		const struct traced_enabled *e = LIST_AT(&g->trace->enabled, struct traced_enabled, i);

		if (!of->n_caps || e->cap != of->caps[0] || e->error || (e->vcpu >= 0 && e->vcpu != (int)vcpu))
			continue;
		out->said = out->some = true;
		out->value = e->n_args ? e->args[0] : 0;
		snprintf(out->state, sizeof(out->state), out->value ? "on" : "off");
	}
}

static void take_vcpus(const struct givens *g, struct given *of)
{
	of->vcpus = need(calloc(g->trace->vcpus.n, sizeof(*of->vcpus)));
	of->agree = true;
	for (unsigned i = 0; i < g->trace->vcpus.n; i++) {
		struct given_vcpu *out = &of->vcpus[i];

		take_words(g, of, LIST_AT(&g->trace->vcpus, struct traced_vcpu, i), out);
		if (of->value && of->value->form == VALUE_TSC)
			take_frequency(g, i, out);
		else if (of->feature && out->said)
			take_feature(g, of, out);
		else if (of->value && out->said)
			take_value(g, of, out);
		else if (!of->feature && !of->value)
			take_enabled(g, of, i, out);
		of->said |= out->some;
		of->agree &= out->said == of->vcpus[0].said && out->some == of->vcpus[0].some &&
			     strcmp(out->state, of->vcpus[0].state) == 0;
	}
}

static int last_reason(void *ctx, const struct gcpu_reason *r)
{
	struct given *of = ctx;

	of->rule = r->rule;
	of->sentence = r->sentence;
	of->source = r->source;
	return 0;
}

/* The other side: what the plan has. */
static void take_plan(const struct givens *g, struct given *of)
{
	const struct gcpu_plan *plan = g->planned ? g->planned->plan : NULL;
	struct gcpu_standing s = { .size = sizeof(s) };
	struct gcpu_property_standing p = { .size = sizeof(p) };

	of->is_planned = plan != NULL;
	if (!plan)
		return;
	if (!of->feature) {
		gcpu_plan_property(plan, of->name, &p, NULL);
		snprintf(of->planned, sizeof(of->planned), "%s", p.has_value ? p.text : "");
		if (g->arch->facts->props[of->property].type == PROP_BOOL)
			snprintf(of->planned, sizeof(of->planned), plan->props[of->property] ? "on" : "off");
		return;
	}
	gcpu_plan_standing(plan, of->name, &s, NULL);
	of->forced = s.forced_on ? "on" : s.forced_off ? "off" : NULL;
	if (of->is_number)
		tool_value(g->tool->arch, of->name, s.value, of->planned, sizeof(of->planned));
	else
		snprintf(of->planned, sizeof(of->planned), s.on ? "on" : "off");
	gcpu_plan_explain(plan, of->name, last_reason, of, NULL);
}

struct taking {
	struct givens *givens;
	const char *word;
};

static struct given *add(struct givens *g, const char *word)
{
	struct given *of = need(list_add(&g->list, sizeof(*of)));

	of->word = word;
	of->property = -1;
	return of;
}

static int member(void *ctx, const struct gcpu_feature_info *info)
{
	struct taking *t = ctx;
	const struct facts *f = t->givens->arch->facts;
	struct given *of = add(t->givens, t->word);
	const struct name_fact *n = name_find(f, info->name, strlen(info->name));

	of->name = info->name;
	of->feature = &f->features[n->feature];
	of->is_number = info->width > 1 && !info->at_least;
	where_text(info, of->where, sizeof(of->where));
	for (unsigned i = 0; i < of->feature->n; i++) {
		add_field(t->givens, of, f->targets[of->feature->first + i].field);
		caps_of_field(f, f->targets[of->feature->first + i].field, of);
	}
	for (unsigned i = 0; i < of->feature->n_terms; i++)
		add_field(t->givens, of, f->terms[of->feature->first_term + i].field);
	take_vcpus(t->givens, of);
	take_plan(t->givens, of);
	return 0;
}

static void take_property(struct givens *g, const char *word, int prop)
{
	const struct facts *f = g->arch->facts;
	struct given *of = add(g, word);

	of->name = f->props[prop].name;
	of->property = prop;
	if (&f->props[prop] == enforcement(f))
		add_cap(of, CAP_ENFORCE_PV_FEATURE_CPUID);
	for (unsigned i = 0; i < f->n_values && !of->value; i++)
		if (f->values[i].prop == prop)
			of->value = &f->values[i];
	of->is_number = of->value != NULL;
	for (unsigned i = 0; of->value && of->value->form != VALUE_TSC && i < of->value->n; i++)
		/* a text stands in whole words */
		if (of->value->form == VALUE_TEXT) {
			of->addrs = need(realloc(of->addrs, (of->n_addrs + 1) * sizeof(*of->addrs)));
			of->addrs[of->n_addrs++] = f->words[of->value->of[i]].addr;
		} else {
			add_field(g, of, of->value->of[i]);
		}
	take_vcpus(g, of);
	take_plan(g, of);
}

int given_take(struct givens *g, const char *word)
{
	struct taking t = { g, word };
	int prop;

	if (gcpu_feature_members(g->tool->arch, word, member, &t) == 0)
		return 0;
	prop = property_find(g->arch->facts, word, strlen(word));
	if (prop < 0)
		return tool_unknown_name(g->tool, word);
	take_property(g, word, prop);
	return 0;
}

void givens_free(struct givens *g)
{
	for (size_t i = 0; i < g->list.n; i++) {
		free(LIST_AT(&g->list, struct given, i)->addrs);
		free(LIST_AT(&g->list, struct given, i)->vcpus);
	}
	list_free(&g->list);
	free(g->words);
}

const char *given_state(const struct givens *g, const struct given *of)
{
	(void)g;
	if (!of->agree)
		return "differs";
	if (!of->said)
		return "never said";
	return of->vcpus[0].said ? of->vcpus[0].state : "partly said";
}

void given_calls(const struct givens *g, const struct given *of, unsigned vcpu, bool refused,
		 int (*visit)(void *ctx, size_t number, const struct traced_call *c), void *ctx)
{
	const struct given_vcpu *v = &of->vcpus[vcpu];

	if (of->value && of->value->form == VALUE_TSC && v->said && !refused)
		visit(ctx, v->call, LIST_AT(&g->trace->calls, struct traced_call, v->call));
	for (unsigned i = 0; i < of->n_addrs; i++)
		/* one table has all words of CPUID */
		if (!i || ADDR_SPACE(of->addrs[i]) != SPACE_CPUID)
			traced_calls_about(g->trace, vcpu, of->addrs[i], refused, visit, ctx);
}

/* Why nothing was said. */
static const char *never(const struct givens *g, const struct given *of)
{
	const struct traced_vcpu *v = LIST_AT(&g->trace->vcpus, struct traced_vcpu, 0);
	uint32_t leaf;

	if (of->value && of->value->form == VALUE_TSC)
		return "the program leaves the frequency to KVM";
	if (!of->n_addrs)
		return of->n_caps ? "the program does not enable the capability" :
				    "a word of requests, which no field holds";
	if (ADDR_SPACE(of->addrs[0]) == SPACE_INIT)
		return "the program did not call KVM_ARM_VCPU_INIT";
	if (ADDR_SPACE(of->addrs[0]) != SPACE_CPUID)
		return "the program does not write it: KVM's own value stays";
	if (!v->cpuid.n)
		return "the program set no CPUID table";
	leaf = ADDR_LEAF(of->addrs[0]);
	if (leaf == KVM_LEAF_BASE + 1 && !v->kvm_leaf)
		return "the program's table does not have KVM's signature";
	return "the program's table does not have the leaf";
}

const char *given_remark(const struct givens *g, const struct given *of)
{
	const char *state = given_state(g, of);
	bool table = of->n_addrs && ADDR_SPACE(of->addrs[0]) == SPACE_CPUID;

	if (!of->agree)
		return "not all vCPUs were given the same";
	if (!of->said)
		return never(g, of);
	if (!of->vcpus[0].said)
		return "the program writes only a part of what tells it";
	/* there the program's word counts as little as the plan's */
	if (of->forced)
		return strcmp(of->forced, "on") == 0 ? "the KVM of --host puts it in force in every guest" :
						       "the KVM of --host clears it in every guest";
	if (!of->is_planned || !*of->planned || strcmp(state, of->planned) == 0)
		return NULL;
	if (of->is_number)
		return "not the same value";
	if (strcmp(state, "on") == 0)
		return "the program gives what guestcpu would not";
	return table ? "the program's table withholds it" : "the program withholds it";
}

/* SPDX-License-Identifier: MIT */
/* explain --trace: what a program gave its guest, and beside it what guestcpu would. */
#include "given.h"
#include "term.h"

#include <stdlib.h>
#include <string.h>

/* vCPUs, or calls, by number: up to so many. */
#define LISTED_MOST 6

/* "every vCPU", "vCPU 1", "vCPUs 0 to 2, 5". */
static void add_vcpus(struct text *t, const bool *set, size_t n)
{
	size_t count = 0, told = 0, i = 0;

	for (size_t k = 0; k < n; k++)
		count += set[k];
	if (count == n && n > 1) {
		text_add(t, "every vCPU");
		return;
	}
	text_add(t, count > 1 ? "vCPUs" : "vCPU");
	for (; i < n && told < LISTED_MOST; i++) {
		size_t first = i;

		if (!set[i])
			continue;
		while (i + 1 < n && set[i + 1])
			i++;
		text_add(t, i > first + 1 ? "%s %zu to %zu" : i > first ? "%s %zu, %zu" : "%s %zu", told++ ? "," : "", first, i);
	}
	for (count = 0; i < n; i++)
		count += set[i];
	if (count)
		text_add(t, " and %zu more", count);
}

struct naming {
	struct text *text;
	const char *name; /* of the call that was named last */
	bool refused, of_vm;
	unsigned n, named; /* of one vCPU: all, and those that were named */
	size_t first, last;
};

/* An MSR that is written again and again is in one of many calls. */
#define NAMED_MOST 3

static int count_call(void *ctx, size_t number, const struct traced_call *c)
{
	struct naming *n = ctx;

	(void)c;
	n->first = n->n++ ? n->first : number;
	n->last = number;
	return 0;
}

static int add_call(void *ctx, size_t number, const struct traced_call *c)
{
	struct naming *n = ctx;
	const char *error = errno_name(c->error);
	bool many = n->n > NAMED_MOST && !n->refused;

	if (!n->name || strcmp(n->name, c->name) != 0)
		text_add(n->text, "%s%s", n->text->n ? ", " : "", c->name);
	else if (n->named)
		text_add(n->text, n->refused ? " and" : " or");
	else
		text_add(n->text, ",");
	n->name = c->name;
	n->of_vm = c->vcpu < 0;
	n->named++;
	if (many) {
		text_add(n->text, " one of %u, calls[%zu] to calls[%zu],", n->n, n->first, n->last);
		return 1;
	}
	text_add(n->text, " calls[%zu]", number);
	if (n->refused && error)
		text_add(n->text, " (%s)", error);
	else if (n->refused && c->error)
		text_add(n->text, " (errno %d)", c->error);
	return 0;
}

/* The calls by which it was said, or that KVM refused, by vCPU. */
static void add_calls(const struct givens *g, const struct given *of, bool refused, struct text *t)
{
	struct naming n = { .text = t, .refused = refused };
	unsigned told = 0, more = 0;

	for (unsigned v = 0; v < g->trace->vcpus.n; v++) {
		n.n = n.named = 0;
		given_calls(g, of, v, refused, count_call, &n);
		if (!n.n)
			continue;
		if (told == LISTED_MOST) {
			more++;
			continue;
		}
		given_calls(g, of, v, refused, add_call, &n);
		if (n.of_vm) {
			text_add(t, " of the VM");
			return;
		}
		text_add(t, " of vCPU %u", v);
		told++;
	}
	if (more)
		text_add(t, " and of %u more vCPU%s", more, more == 1 ? "" : "s");
}

/* Where KVM's own leaves are not where the tables have them. */
static void add_where(const struct givens *g, const struct given *of, struct text *t)
{
	uint32_t base = LIST_AT(&g->trace->vcpus, struct traced_vcpu, 0)->kvm_leaf;

	text_add(t, "%s", of->where);
	if (of->n_addrs && ADDR_SPACE(of->addrs[0]) == SPACE_CPUID && base && base != KVM_LEAF_BASE &&
	    (ADDR_LEAF(of->addrs[0]) & ~1U) == KVM_LEAF_BASE)
		text_add(t, " (its base is 0x%x here)", base);
}

static void print_calls(const struct givens *g, const struct given *of)
{
	struct text t = { NULL, 0, 0 }, calls = { NULL, 0, 0 };

	add_calls(g, of, false, &calls);
	if (*of->where)
		add_where(g, of, &t);
	if (calls.n)
		text_add(&t, "%s%s", t.n ? ", by " : "", calls.s);
	text_item(*of->where ? "where" : "said by", &t);
	add_calls(g, of, true, &t);
	text_item("refused", &t);
	free(calls.s);
	free(t.s);
}

static const char *state_of(const struct given_vcpu *v)
{
	return v->said ? v->state : v->some ? "partly said" : "never said";
}

/* Who was given what, each state once. */
static void print_differ(const struct givens *g, const struct given *of)
{
	size_t n = g->trace->vcpus.n;
	bool *set = calloc(n, sizeof(*set)), *told = calloc(n, sizeof(*told));
	struct text t = { NULL, 0, 0 };
	unsigned states = 0;

	for (size_t i = 0; set && told && i < n; i++) {
		if (told[i])
			continue;
		if (states++ == LISTED_MOST) {
			text_add(&t, "; --json has the rest");
			break;
		}
		for (size_t k = 0; k < n; k++) {
			set[k] = strcmp(state_of(&of->vcpus[k]), state_of(&of->vcpus[i])) == 0;
			told[k] |= set[k];
		}
		text_add(&t, "%s%s: ", t.n ? "; " : "", state_of(&of->vcpus[i]));
		add_vcpus(&t, set, n);
	}
	text_item("vCPUs", &t);
	free(t.s);
	free(set);
	free(told);
}

static bool same_enabling(const struct traced_enabled *a, const struct traced_enabled *b)
{
	return a->cap == b->cap && a->error == b->error && a->n_args == b->n_args && (a->vcpu < 0) == (b->vcpu < 0) &&
	       memcmp(a->args, b->args, sizeof(a->args)) == 0;
}

/* Enabled alike on several vCPUs is told once. */
static void add_enabled(const struct givens *g, struct text *t, unsigned cap)
{
	const struct list *l = &g->trace->enabled;
	size_t n = g->trace->vcpus.n;
	bool *set = calloc(n, sizeof(*set));

	for (size_t i = 0; set && i < l->n; i++) {
		const struct traced_enabled *e = LIST_AT(l, struct traced_enabled, i);
		const char *error = errno_name(e->error);
		bool told = false;

		memset(set, 0, n * sizeof(*set));
		for (size_t k = 0; k < l->n && e->cap == cap && !told; k++) {
			const struct traced_enabled *other = LIST_AT(l, struct traced_enabled, k);

			told = k < i && same_enabling(e, other);
			if (same_enabling(e, other) && other->vcpu >= 0)
				set[other->vcpu] = true;
		}
		if (e->cap != cap || told)
			continue;
		text_add(t, "%s%s with 0x%llx", t->n ? ", " : "", e->error ? "refused" : "enabled",
			 (unsigned long long)(e->n_args ? e->args[0] : 0));
		if (e->vcpu >= 0) {
			text_add(t, " on ");
			add_vcpus(t, set, n);
		}
		if (e->error && error)
			text_add(t, ": %s", error);
		else if (e->error)
			text_add(t, ": errno %d", e->error);
	}
	free(set);
}

static void print_caps(const struct givens *g, const struct given *of)
{
	struct text line = { NULL, 0, 0 };

	for (unsigned i = 0; i < of->n_caps; i++) {
		struct text t = { NULL, 0, 0 };

		for (size_t k = 0; k < g->trace->checked.n; k++) {
			const struct traced_checked *c = LIST_AT(&g->trace->checked, struct traced_checked, k);

			if (c->cap == of->caps[i])
				text_add(&t, "%schecked (%lld on %s)", t.n ? ", " : "", (long long)c->value, c->vm ? "the VM" : "/dev/kvm");
		}
		add_enabled(g, &t, of->caps[i]);
		if (t.n)
			text_add(&line, "%s%s: %s", line.n ? "; " : "", cap_name(of->caps[i]), t.s);
		free(t.s);
	}
	text_item("asked KVM", &line);
	free(line.s);
}

static void print_state(const char *state, unsigned width)
{
	term_print(strcmp(state, "on") == 0 ? TERM_GOOD : strcmp(state, "off") == 0 ? TERM_BAD :
		   strcmp(state, "differs") == 0 ? TERM_ODD : TERM_PLAIN, state);
	printf("%*s", width > strlen(state) ? (int)(width - strlen(state)) : 0, "");
}

struct widths {
	unsigned name, state, planned;
};

static unsigned longer(unsigned n, const char *text)
{
	return strlen(text) > n ? (unsigned)strlen(text) : n;
}

static void print_given(const struct givens *g, const struct given *of, const struct widths *w)
{
	const char *request = g->tool->value[OPT_CPU] ? g->tool->value[OPT_CPU] : "host";
	const char *remark = given_remark(g, of);
	bool forced = of->forced && of->rule && strncmp(of->rule, "forced-", 7) == 0;
	struct text t = { NULL, 0, 0 };

	term_print(TERM_BOLD, of->name);
	printf("%*s  program: ", (int)(w->name - strlen(of->name)), "");
	print_state(given_state(g, of), of->is_planned || remark ? w->state : 0);
	if (of->is_planned) {
		fputs("  guestcpu", stdout);
		if (strlen(request) < 24) {
			fputs(" (", stdout);
			tool_print(stdout, request);
			fputc(')', stdout);
		}
		fputs(": ", stdout);
		print_state(*of->planned ? of->planned : "not set", remark ? w->planned : 0);
	}
	if (remark)
		printf("  %s", remark);
	putchar('\n');
	if (!of->agree)
		print_differ(g, of);
	print_calls(g, of);
	print_caps(g, of);
	/* that both give it needs no reason */
	if (of->sentence && (remark || strcmp(of->planned, "on") != 0))
		text_add(&t, forced ? "planned %s, but %s [%s; %s]" : "%s: %s [%s; %s]", of->planned, of->sentence,
			 of->rule, of->source);
	text_item("guestcpu", &t);
	free(t.s);
}

static void print_head(const struct givens *g)
{
	const struct traced *t = g->trace;
	const char *slash = strrchr(t->program, '/');

	tool_print(stdout, slash && slash[1] ? slash + 1 : t->program);
	fputs(t->model ? " on a model of " : " on /dev/kvm", stdout);
	if (t->model)
		tool_print(stdout, t->host ? t->host : "an unknown host");
	if (t->model && t->series) {
		fputs(", Linux ", stdout);
		tool_print(stdout, t->series);
	}
	printf(": %zu vCPU%s, %s %s\n", t->vcpus.n, t->vcpus.n == 1 ? "" : "s", t->gic ? "gic" : "irqchip",
	       t->gic ? t->gic : t->irqchip ? t->irqchip : "unknown");
	if (g->planned) {
		fputs("guestcpu: ", stdout);
		tool_print_head(g->tool, g->planned->snap);
		putchar('\n');
	}
	if (!t->complete)
		puts("not everything that the program did could be kept: this is not all");
}

void explain_trace_text(const struct givens *g)
{
	struct widths w = { 0, 0, 0 };

	for (size_t i = 0; i < g->list.n; i++) {
		const struct given *of = LIST_AT(&g->list, struct given, i);

		w.name = longer(w.name, of->name);
		w.state = longer(w.state, given_state(g, of));
		w.planned = longer(w.planned, *of->planned ? of->planned : "not set");
	}
	print_head(g);
	for (size_t i = 0; i < g->list.n; i++) {
		putchar('\n');
		print_given(g, LIST_AT(&g->list, struct given, i), &w);
	}
}

static int document_error(const struct givens *g, struct gcpu_error *err)
{
	return tool_fail(g->tool, err, NULL);
}

/* What has a meaning only for a plan, and what the trace says itself. */
static int check_options(const struct tool *t)
{
	static const enum option said[] = { OPT_VCPUS, OPT_IRQCHIP, OPT_GIC, OPT_KVM_LEAF };
	const uint64_t alone = TAKES(OPT_ARCH) | TAKES(OPT_HOST) | TAKES(OPT_JSON) | TAKES(OPT_TRACE);

	for (unsigned i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		if (t->value[said[i]])
			return tool_usage(t, "'%s' is not for --trace: the trace says it", options[said[i]].name);
	for (int i = 0; i < N_OPTIONS && !t->value[OPT_HOST]; i++)
		if (t->value[i] && !(alone >> i & 1))
			return tool_usage(t, "'%s' is of what guestcpu would give: with --trace that is told with --host", options[i].name);
	return 0;
}

/* The trace's machine, as options would say it. */
struct machine_words {
	char vcpus[24], leaf[24], exits[128];
};

/* Bits that the program gave a capability of the VM which KVM took. */
static uint64_t enabled_bits(const struct traced *t, unsigned cap)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < t->enabled.n; i++) {
		const struct traced_enabled *e = LIST_AT(&t->enabled, struct traced_enabled, i);

		if (e->cap == cap && !e->error && e->n_args)
			bits |= e->args[0];
	}
	return bits;
}

static void take_machine(struct tool *t, const struct traced *trace, struct machine_words *w)
{
	uint32_t leaf = LIST_AT(&trace->vcpus, struct traced_vcpu, 0)->kvm_leaf;
	uint64_t exits = enabled_bits(trace, CAP_X86_DISABLE_EXITS);

	snprintf(w->vcpus, sizeof(w->vcpus), "%zu", trace->vcpus.n);
	t->value[OPT_VCPUS] = w->vcpus;
	t->value[OPT_IRQCHIP] = trace->irqchip;
	t->value[OPT_GIC] = trace->gic;
	if (leaf && leaf != KVM_LEAF_BASE) {
		snprintf(w->leaf, sizeof(w->leaf), "0x%x", leaf);
		t->value[OPT_KVM_LEAF] = w->leaf;
	}
	if (!t->value[OPT_DISABLE_EXITS]) {
		w->exits[0] = 0;
		for (unsigned i = 0; gcpu_exit_name(i); i++)
			if (exits >> gcpu_exit_by_name(gcpu_exit_name(i)) & 1)
				snprintf(w->exits + strlen(w->exits), sizeof(w->exits) - strlen(w->exits), "%s%s",
					 w->exits[0] ? "," : "", gcpu_exit_name(i));
		t->value[OPT_DISABLE_EXITS] = w->exits[0] ? w->exits : NULL;
	}
	if (enabled_bits(trace, CAP_X2APIC_API))
		t->value[OPT_X2APIC_IDS] = "";
}

static int load(struct tool *t, struct traced **ret)
{
	const char *path = t->value[OPT_TRACE];
	struct gcpu_error err;
	char *text = NULL;
	size_t n = 0;
	int status = tool_read_file(path, TRACE_MOST, "a trace of less than 256 MiB", &text, &n, &err);

	if (status == 0)
		status = tool_about_file(path, traced_parse(text, n, ret, &err), &err);
	free(text);
	return status ? tool_fail(t, &err, NULL) : 0;
}

static int tell(struct givens *g)
{
	const struct tool *t = g->tool;
	int exit_code = 0;

	g->arch = arch_of(g->trace->arch);
	g->words = calloc(g->arch->facts->n_words, sizeof(*g->words));
	if (!g->words) {
		struct gcpu_error err;

		error_memory(&err);
		return document_error(g, &err);
	}
	/* nothing is printed before all names are known */
	for (int i = 0; i < t->n_words && !exit_code; i++)
		exit_code = given_take(g, t->words[i]);
	if (!exit_code && t->json)
		explain_trace_json(g);
	else if (!exit_code)
		explain_trace_text(g);
	return exit_code;
}

static int plan_and_tell(struct givens *g)
{
	struct machine_words words;
	struct planned p;
	int exit_code;

	if (!g->tool->value[OPT_HOST])
		return tell(g);
	take_machine(g->tool, g->trace, &words);
	exit_code = tool_plan(g->tool, &p);
	if (exit_code)
		return exit_code;
	g->planned = &p;
	if (g->tool->arch != g->trace->arch)
		exit_code = tool_usage(g->tool, "%.100s is an %s host, the trace is of an %s VM", g->tool->value[OPT_HOST],
				       gcpu_arch_name(g->tool->arch), gcpu_arch_name(g->trace->arch));
	else if (g->tool->machine.vcpus != g->trace->vcpus.n)
		exit_code = tool_usage(g->tool, "--smp: %u vCPUs, the trace has %zu", g->tool->machine.vcpus, g->trace->vcpus.n);
	else
		exit_code = tell(g);
	tool_planned_free(g->tool, &p);
	return exit_code;
}

int explain_trace(struct tool *t)
{
	struct givens g = { .tool = t, .path = t->value[OPT_TRACE] };
	struct traced *trace = NULL;
	int exit_code = check_options(t);

	if (!exit_code)
		exit_code = load(t, &trace);
	if (exit_code)
		return exit_code;
	g.trace = trace;
	if (t->value[OPT_ARCH] && t->arch != trace->arch) {
		exit_code = tool_usage(t, "%.100s is of an %s VM, --arch says %s", g.path, gcpu_arch_name(trace->arch),
				       t->value[OPT_ARCH]);
	} else if (!trace->vcpus.n) {
		struct gcpu_error err;

		error_set(&err, GCPU_ERR_DOCUMENT, "%.100s: the program made no vCPU", g.path);
		error_expected(&err, "a trace of a program that gave a guest a CPU");
		exit_code = tool_fail(t, &err, NULL);
	} else {
		t->arch = trace->arch;
		exit_code = plan_and_tell(&g);
	}
	givens_free(&g);
	traced_free(trace);
	return exit_code;
}

/* SPDX-License-Identifier: MIT */
/* What a program asked of KVM, for people. */
#include "trace.h"

#include "core/plan.h"
#include "sim/describe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST_REFUSED 24
#define MOST_ENABLED 100

/* As a shell would have to be told it. */
static void print_word(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+,-./:=@_%";

	if (*word && word[strspn(word, plain)] == 0) {
		tool_print(stdout, word);
		return;
	}
	fputc('\'', stdout);
	while (*word) {
		size_t n = strcspn(word, "'");
		char *part = strndup(word, n);

		if (part)
			tool_print(stdout, part);
		free(part);
		word += n;
		if (*word)
			fputs("'\\''", stdout);
		word += *word != 0;
	}
	fputc('\'', stdout);
}

static void print_command(char *const *command)
{
	unsigned n = 0;

	for (; *command && n < 60; command++) {
		if (n)
			fputc(' ', stdout);
		print_word(*command);
		n += (unsigned)strlen(*command) + 1;
	}
	if (*command)
		fputs(" ...", stdout);
}

static void print_kvm(const struct sim_told *told)
{
	if (!told->host) {
		fputs(" on /dev/kvm\n", stdout);
		return;
	}
	fputs(" on a model of ", stdout);
	tool_print(stdout, gcpu_snapshot_name(told->host));
	fputs(" (", stdout);
	tool_print(stdout, gcpu_snapshot_module(told->host));
	fputs(", Linux ", stdout);
	tool_print(stdout, told->kernel ? told->kernel : gcpu_snapshot_kernel(told->host));
	fputs(")\n", stdout);
}

static bool same_entry(const struct sim_vcpu *v, const struct gcpu_cpuid *e)
{
	for (size_t i = 0; i < v->cpuid.n; i++)
		if (memcmp(LIST_AT(&v->cpuid, struct gcpu_cpuid, i), e, sizeof(*e)) == 0)
			return true;
	return false;
}

/* "37 entries, 2 are its own": which the first vCPU has not. */
static void table_text(const struct sim_report *r, const struct sim_vcpu *v, char *buf, size_t n)
{
	unsigned own = 0;

	for (size_t i = 0; i < v->cpuid.n; i++)
		own += !same_entry(LIST_AT(&r->vcpus, struct sim_vcpu, 0), LIST_AT(&v->cpuid, struct gcpu_cpuid, i));
	if (!v->has_table)
		snprintf(buf, n, "none");
	else if (own)
		snprintf(buf, n, "%zu entries, %u its own", v->cpuid.n, own);
	else
		snprintf(buf, n, "%zu entries", v->cpuid.n);
}

/* "5 0x3": target and features. */
static void init_text(const struct sim_vcpu *v, char *buf, size_t n)
{
	if (v->has_init)
		snprintf(buf, n, "target %u, features 0x%x", v->target, v->features[0]);
	else
		snprintf(buf, n, "none");
}

/* What is told of one vCPU. */
struct vcpu_row {
	char table[64], written[40];
	bool told;
};

static bool same_row(const struct sim_report *r, const struct vcpu_row *rows, size_t a, size_t b)
{
	return strcmp(rows[a].table, rows[b].table) == 0 && strcmp(rows[a].written, rows[b].written) == 0 &&
	       LIST_AT(&r->vcpus, struct sim_vcpu, a)->ran == LIST_AT(&r->vcpus, struct sim_vcpu, b)->ran;
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* All that are like the vCPU AT, as one row. */
static void add_vcpus(struct grid *g, const struct sim_report *r, struct vcpu_row *rows, size_t at, uint32_t *numbers)
{
	struct text index = { NULL, 0, 0 }, id = { NULL, 0, 0 };
	size_t n = 0;

	for (size_t i = at; i < r->vcpus.n; i++)
		if (same_row(r, rows, at, i)) {
			rows[i].told = true;
			numbers[n++] = (uint32_t)i;
		}
	trace_numbers(&index, numbers, n);
	for (size_t i = 0; i < n; i++)
		numbers[i] = LIST_AT(&r->vcpus, struct sim_vcpu, numbers[i])->id;
	qsort(numbers, n, sizeof(*numbers), by_number);
	trace_numbers(&id, numbers, n);
	grid_add(g, (const char *const[]){ index.s, id.s, rows[at].table, rows[at].written,
					   LIST_AT(&r->vcpus, struct sim_vcpu, at)->ran ? "yes" : "no" });
	free(index.s);
	free(id.s);
}

static void print_vcpus(const struct sim_report *r, bool x86)
{
	struct vcpu_row *rows = trace_need(calloc(r->vcpus.n, sizeof(*rows)));
	uint32_t *numbers = trace_need(calloc(r->vcpus.n, sizeof(*numbers)));
	struct grid *g = grid_new(5);

	grid_add(g, (const char *const[]){ "VCPU", "ID", x86 ? "CPUID" : "VCPU_INIT", x86 ? "MSRS" : "REGISTERS", "KVM_RUN" });
	for (size_t i = 0; i < r->vcpus.n; i++) {
		const struct sim_vcpu *v = LIST_AT(&r->vcpus, struct sim_vcpu, i);

		snprintf(rows[i].written, sizeof(rows[i].written), "%zu", x86 ? v->msrs.n : v->regs.n);
		if (x86)
			table_text(r, v, rows[i].table, sizeof(rows[i].table));
		else
			init_text(v, rows[i].table, sizeof(rows[i].table));
	}
	for (size_t i = 0; i < r->vcpus.n; i++)
		if (!rows[i].told)
			add_vcpus(g, r, rows, i, numbers);
	printf("\n");
	grid_print(g, stdout, "");
	grid_free(g);
	free(rows);
	free(numbers);
}

static void arg_text(const struct sim_call *c, char *buf, size_t room)
{
	buf[0] = 0;
	for (unsigned i = 0; i < c->n_args; i++) {
		const struct sim_arg *a = &c->args[i];
		size_t n = strlen(buf);

		/* a capability is its name, where it has one */
		if (a->kind == ARG_NAME || (strcmp(a->name, "cap") == 0 && c->args[i + 1].text)) {
			if (a->kind == ARG_NAME && a->text)
				snprintf(buf + n, room - n, "%s%s", n ? " " : "", a->text);
			continue;
		}
		snprintf(buf + n, room - n, "%s%s=", n ? " " : "", a->name);
		for (unsigned k = 0; k < a->n; k++) {
			n = strlen(buf);
			snprintf(buf + n, room - n, a->kind == ARG_INT ? "%s%lld" : "%s0x%llx", k ? "," : "",
				 (unsigned long long)a->value[k]);
		}
	}
}

static void where_text(const struct sim_call *c, char *buf, size_t n)
{
	if (c->vcpu >= 0)
		snprintf(buf, n, "vcpu %d", c->vcpu);
	else
		snprintf(buf, n, "%s", c->scope);
}

/* KVM said no, or not to all of it. Too little room for an answer is how one asks how much there is. */
static bool was_refused(const struct sim_call *c)
{
	if (c->error)
		return c->error != E2BIG;
	for (unsigned i = 0; i < c->n_args; i++)
		if (strcmp(c->args[i].name, "refused") == 0)
			return true;
	return false;
}

static void add_call(struct grid *g, const struct sim_call *c, const char *where, const char *times)
{
	char args[400], number[24], error[60];
	const char *name = errno_name(c->error);

	arg_text(c, args, sizeof(args));
	snprintf(number, sizeof(number), "0x%lx", c->request);
	snprintf(error, sizeof(error), "errno %d", c->error);
	if (!c->error || name)
		snprintf(error, sizeof(error), "%s", c->error ? name : "");
	if (*times)
		snprintf(args + strlen(args), sizeof(args) - strlen(args), "%s%s", *args ? ", " : "", times);
	grid_add(g, (const char *const[]){ where, c->name ? c->name : number, args, error });
}

static void print_grid(struct grid *g, const char *head)
{
	if (grid_rows(g)) {
		printf("\n%s\n", head);
		grid_print(g, stdout, "  ");
	}
	grid_free(g);
}

static void print_calls(const struct sim_report *r)
{
	struct grid *g = grid_new(TRACE_COLUMNS);

	for (size_t i = 0; i < r->calls.n; i++) {
		const struct sim_call *c = LIST_AT(&r->calls, struct sim_call, i);
		char where[40], times[24] = "";

		where_text(c, where, sizeof(where));
		if (c->times > 1)
			snprintf(times, sizeof(times), "%u times", c->times);
		add_call(g, c, where, times);
	}
	print_grid(g, "calls");
}

static bool was_enabled(const struct sim_call *c)
{
	return c->enables && !c->error;
}

static void add_enabled(struct grid *g, const struct sim_call *c, const char *where, const char *times)
{
	char args[400];

	arg_text(c, args, sizeof(args));
	grid_add(g, (const char *const[]){ where, args, times, "" });
}

static void print_caps(const struct sim_report *r, bool all)
{
	struct grid *g = grid_new(3);
	unsigned lacking = 0;

	for (size_t i = 0; i < r->caps.n; i++) {
		const struct sim_cap *c = LIST_AT(&r->caps, struct sim_cap, i);
		const char *name = cap_name(c->number);
		char number[24], value[24];

		lacking += c->value <= 0;
		snprintf(number, sizeof(number), "%u", c->number);
		snprintf(value, sizeof(value), "%d", c->value);
		grid_add(g, (const char *const[]){ c->vm ? "vm" : "system", name ? name : number, value });
	}
	if (all)
		print_grid(g, "asked for");
	else
		grid_free(g);
	if (all || !r->caps.n)
		return;
	printf("\n%zu capabilit%s asked for", r->caps.n, r->caps.n == 1 ? "y" : "ies");
	if (lacking && r->caps.n == 1)
		fputs(", not there", stdout);
	else if (lacking)
		printf(", %u of them not there", lacking);
	printf(": --all lists %s, and all calls\n", r->caps.n == 1 ? "it" : "them");
}

static void print_tables(const struct sim_report *r)
{
	for (size_t i = 0; i < r->vcpus.n; i++) {
		const struct sim_vcpu *v = LIST_AT(&r->vcpus, struct sim_vcpu, i);

		if (v->cpuid.n)
			printf("\nCPU %zu:\n", i);
		for (size_t k = 0; k < v->cpuid.n; k++) {
			const struct gcpu_cpuid *e = LIST_AT(&v->cpuid, struct gcpu_cpuid, k);

			printf("   0x%08x 0x%02x: eax=0x%08x ebx=0x%08x ecx=0x%08x edx=0x%08x\n", e->leaf, e->subleaf,
			       e->eax, e->ebx, e->ecx, e->edx);
		}
		for (size_t k = 0; k < v->msrs.n; k++)
			printf("   msr 0x%x = 0x%llx\n", LIST_AT(&v->msrs, struct sim_msr, k)->index,
			       (unsigned long long)LIST_AT(&v->msrs, struct sim_msr, k)->value);
	}
}

/* A program asks the CPU itself, too. */
static void print_own_cpuid(const struct sim_report *r, const struct sim_told *t)
{
	const struct sim_log *log = r->log;

	switch (atomic_load(&log->own_cpuid)) {
	case SIM_CPUID_ANSWERED:
		printf("\nits own CPUID instructions, %u of them, were answered by the model\n", atomic_load(&log->n_cpuid));
		break;
	case SIM_CPUID_LEAKED:
		printf("\nleaked: CPUID instructions that the program executed itself, if any, were answered by this machine,\n"
		       "whose CPU cannot make them fault; what it decided by them it may decide otherwise on that host\n");
		trace_leak(r, t);
		break;
	}
}

/* Programs among those that were started. */
static void print_unseen(const struct sim_report *r)
{
	for (size_t i = 0; i < r->unseen.n; i++) {
		const struct sim_unseen *u = LIST_AT(&r->unseen, struct sim_unseen, i);

		tool_print(stdout, u->path);
		fputs(u->refused ? ": refused, since nothing can be preloaded into it: " : ": what it asks of KVM is not seen: ", stdout);
		if (strcmp(u->why, "static") == 0)
			fputs("it is linked statically\n", stdout);
		else if (strcmp(u->why, "foreign") == 0)
			fputs("a program of another architecture\n", stdout);
		else if (strcmp(u->why, "alone") == 0)
			fputs("the library is out of its reach there\n", stdout);
		else
			fputs("it gains rights when it starts\n", stdout);
	}
}

static void print_end(const struct sim_report *r, const struct sim_told *t)
{
	const char *name = strrchr(t->command[0], '/');

	name = name ? name + 1 : t->command[0];
	if (!r->complete && atomic_load(&r->log->stopped) != SIM_STOPPED_BUSY)
		printf("\nnot everything could be kept: this is not all\n");
	/* also of one that never opened it: it may have found by CPUID that it need not try */
	print_own_cpuid(r, t);
	fputc('\n', stdout);
	tool_print(stdout, name);
	if (atomic_load(&r->log->stopped) == SIM_STOPPED_BUSY)
		fputs(": stopped at its first KVM_RUN, while it still asked KVM for other things: this may not be all\n", stdout);
	else if (atomic_load(&r->log->stopped))
		fputs(": stopped at its first KVM_RUN\n", stdout);
	else if (t->signal)
		printf(": killed by signal %d (%s)\n", t->signal, strsignal(t->signal));
	else
		printf(": ended with exit code %d%s\n", t->exit_code,
		       r->opened || r->open_error ? "" : ", and never opened /dev/kvm");
	if (r->open_error)
		printf("it could not open /dev/kvm: %s\n", strerror(r->open_error));
	/* one that failed had its own reason, and of those there may be a better one */
	else if (!r->opened && t->exit_code <= 0 && !r->unseen.n)
		fputs("what a program asks of the kernel past libc is not seen: programs in Go do so\n", stdout);
	print_unseen(r);
}

void trace_text(const struct sim_report *r, const struct sim_told *t, bool all)
{
	print_command(t->command);
	if (r->opened)
		print_kvm(t);
	else
		fputc('\n', stdout);
	if (r->vcpus.n)
		print_vcpus(r, t->arch == GCPU_ARCH_X86);
	trace_grouped(r, "enabled", was_enabled, add_enabled, MOST_ENABLED);
	/* a VMM may try what is refused again and again, and not in a row */
	trace_grouped(r, "refused", was_refused, add_call, MOST_REFUSED);
	print_caps(r, all);
	if (all) {
		print_calls(r);
		print_tables(r);
	}
	print_end(r, t);
}

/* SPDX-License-Identifier: MIT */
/* What a program asked of KVM, for people. */
#include "trace.h"

#include "core/plan.h"
#include "sim/describe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST_REFUSED 24

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

static void print_vcpus(const struct sim_report *r, bool x86)
{
	struct grid *g = grid_new(5);

	grid_add(g, (const char *const[]){ "VCPU", "ID", x86 ? "CPUID" : "VCPU_INIT", x86 ? "MSRS" : "REGISTERS", "KVM_RUN" });
	for (size_t i = 0; i < r->vcpus.n; i++) {
		const struct sim_vcpu *v = LIST_AT(&r->vcpus, struct sim_vcpu, i);
		char index[24], id[24], table[64], written[40];

		snprintf(index, sizeof(index), "%zu", i);
		snprintf(id, sizeof(id), "%u", v->id);
		snprintf(written, sizeof(written), "%zu", x86 ? v->msrs.n : v->regs.n);
		if (x86)
			table_text(r, v, table, sizeof(table));
		else
			init_text(v, table, sizeof(table));
		grid_add(g, (const char *const[]){ index, id, table, written, v->ran ? "yes" : "no" });
	}
	printf("\n");
	grid_print(g, stdout, "");
	grid_free(g);
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

static void add_call(struct grid *g, const struct sim_call *c)
{
	char where[40], args[400], number[24], error[60];
	const char *name = errno_name(c->error);

	where_text(c, where, sizeof(where));
	arg_text(c, args, sizeof(args));
	snprintf(number, sizeof(number), "0x%lx", c->request);
	snprintf(error, sizeof(error), "errno %d", c->error);
	if (!c->error || name)
		snprintf(error, sizeof(error), "%s", c->error ? name : "");
	if (c->times > 1)
		snprintf(args + strlen(args), sizeof(args) - strlen(args), "%s%u times", *args ? ", " : "", c->times);
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

/* A VMM may try what is refused again and again, and not in a row: it is told once. */
static void print_refused(const struct sim_report *r)
{
	struct grid *g = grid_new(4);
	struct sim_call told[MOST_REFUSED];
	unsigned n = 0, more = 0;

	for (size_t i = 0; i < r->calls.n; i++) {
		const struct sim_call *c = LIST_AT(&r->calls, struct sim_call, i);
		unsigned at = 0;

		if (!was_refused(c))
			continue;
		while (at < n && !sim_call_same(&told[at], c))
			at++;
		if (at < n)
			told[at].times += c->times;
		else if (n < MOST_REFUSED)
			told[n++] = *c;
		else
			more++;
	}
	for (unsigned at = 0; at < n; at++)
		add_call(g, &told[at]);
	print_grid(g, "refused");
	if (more)
		printf("  and %u more: --all lists them\n", more);
}

static void print_calls(const struct sim_report *r)
{
	struct grid *g = grid_new(4);

	for (size_t i = 0; i < r->calls.n; i++)
		add_call(g, LIST_AT(&r->calls, struct sim_call, i));
	print_grid(g, "calls");
}

static void print_enabled(const struct sim_report *r)
{
	struct grid *g = grid_new(2);

	for (size_t i = 0; i < r->calls.n; i++) {
		const struct sim_call *c = LIST_AT(&r->calls, struct sim_call, i);
		char where[40], args[400];

		if (!c->enables || c->error)
			continue;
		where_text(c, where, sizeof(where));
		arg_text(c, args, sizeof(args));
		grid_add(g, (const char *const[]){ where, args });
	}
	print_grid(g, "enabled");
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
	if (!all && r->caps.n)
		printf("\n%zu capabilities asked for, %u of them not there: --all lists them, and all calls\n",
		       r->caps.n, lacking);
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

/* Who made the CPU, as the first vCPU's table says: nothing if it has no leaf 0. */
static void table_vendor(const struct sim_report *r, char vendor[13])
{
	const struct sim_vcpu *v = r->vcpus.n ? LIST_AT(&r->vcpus, struct sim_vcpu, 0) : NULL;

	memset(vendor, 0, 13);
	for (size_t i = 0; v && i < v->cpuid.n; i++) {
		const struct gcpu_cpuid *e = LIST_AT(&v->cpuid, struct gcpu_cpuid, i);

		if (e->leaf)
			continue;
		memcpy(vendor, &e->ebx, 4);
		memcpy(vendor + 4, &e->edx, 4);
		memcpy(vendor + 8, &e->ecx, 4);
	}
}

/* What leaked can be seen where the guest would have another maker's CPU than the host. */
static void print_other_vendor(const struct sim_report *r, const struct sim_told *t)
{
	const char *host = t->host ? gcpu_snapshot_vendor(t->host) : NULL;
	char vendor[13];

	table_vendor(r, vendor);
	if (!host || !*vendor || strcmp(vendor, host) == 0)
		return;
	fputs("so here, it seems: the vendor in the table of vCPU 0 is ", stdout);
	tool_print(stdout, vendor);
	fputs(", that host's is ", stdout);
	tool_print(stdout, host);
	fputc('\n', stdout);
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
		print_other_vendor(r, t);
		break;
	}
}

static void print_end(const struct sim_report *r, const struct sim_told *t)
{
	const char *name = strrchr(t->command[0], '/');

	name = name ? name + 1 : t->command[0];
	if (!r->complete)
		printf("\nnot everything could be kept: this is not all\n");
	if (r->opened)
		print_own_cpuid(r, t);
	fputc('\n', stdout);
	tool_print(stdout, name);
	if (atomic_load(&r->log->stopped))
		fputs(": stopped at its first KVM_RUN\n", stdout);
	else if (t->signal)
		printf(": killed by signal %d (%s)\n", t->signal, strsignal(t->signal));
	else
		printf(": ended with exit code %d%s\n", t->exit_code,
		       r->opened ? "" : ", and never opened /dev/kvm");
	if (!r->opened)
		fputs("what a program asks of the kernel past libc is not seen: programs in Go do so\n", stdout);
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
	print_enabled(r);
	print_refused(r);
	print_caps(r, all);
	if (all) {
		print_calls(r);
		print_tables(r);
	}
	print_end(r, t);
}

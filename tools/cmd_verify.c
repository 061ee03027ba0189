/* SPDX-License-Identifier: MIT */
#include "alive.h"
#include "run/machine.h"
#include "tool.h"

#include <guestcpu/feature.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct table {
	const struct tool *tool;
	struct grid *grid;
	bool asked; /* now those that were asked for */
	unsigned left_out, untested;
};

static void cell(char *buf, size_t n, bool has, uint64_t v)
{
	if (has)
		snprintf(buf, n, v > 9 ? "0x%llx" : "%llu", (unsigned long long)v);
	else
		snprintf(buf, n, "-");
}

static void row(struct grid *grid, const struct gcpu_result *r)
{
	char planned[24], kvm[24], guest[24];

	cell(planned, sizeof(planned), true, r->planned);
	cell(kvm, sizeof(kvm), r->has_kvm, r->kvm);
	cell(guest, sizeof(guest), r->has_guest, r->guest);
	grid_add(grid, (const char *const[]){ r->name, planned, kvm, guest,
					      gcpu_verdict_name(r->verdict), r->reason });
}

/* What was asked for by name, in the first pass; the rest worth showing in the second. */
static int result(void *ctx, const struct gcpu_result *r)
{
	struct table *t = ctx;
	bool news = r->verdict == GCPU_VERDICT_OVERRIDDEN || r->verdict == GCPU_VERDICT_MISMATCHED;

	if (t->asked == r->asked && (t->asked || news || t->tool->value[OPT_ALL]))
		row(t->grid, r);
	else if (!t->asked && !r->asked && r->verdict == GCPU_VERDICT_UNTESTED)
		t->untested++;
	else if (!t->asked && !r->asked)
		t->left_out++;
	return 0;
}

static void progress(void *ctx, unsigned done, unsigned all)
{
	(void)ctx;
	/* a handful of vCPUs takes no time worth a word */
	if (all > 8 && isatty(STDERR_FILENO))
		fprintf(stderr, "\r%u of %u vCPUs%s", done, all, done == all ? "\r\033[K" : "");
}

static void head(const struct tool *t, const struct planned *p)
{
	tool_print_head(t, p->snap);
	printf(", %u vCPU%s\n\n", gcpu_plan_vcpus(p->plan), gcpu_plan_vcpus(p->plan) == 1 ? "" : "s");
}

static int finding(void *ctx, const struct gcpu_finding *f)
{
	/* what KVM forces stands in the table */
	if (strcmp(f->severity, "note") != 0 && strncmp(f->id, "forced-", 7) != 0)
		grid_add(ctx, (const char *const[]){ f->severity, f->text });
	return 0;
}

/* What of the plan makes that no guest answers. */
static void explain_guest(const struct tool *t, const struct gcpu_plan *plan, struct gcpu_error *guest)
{
	size_t n = strlen(guest->text);

	if (guest->code && t->arch == GCPU_ARCH_X86 && !gcpu_plan_has(plan, GCPU_X86_LM))
		snprintf(guest->text + n, sizeof(guest->text) - n,
			 ": the plan has no long mode (lm), and the guest that looks is 64-bit code, which this KVM then does not start");
}

static void as_text(const struct tool *t, const struct planned *p, struct gcpu_view *const *views,
		    const struct gcpu_error *guest, struct gcpu_summary *sum)
{
	struct table table = { t, grid_new(6), true, 0, 0 };
	struct grid *findings = grid_new(2);

	head(t, p);
	grid_add(table.grid, (const char *const[]){ "FEATURE", "PLANNED", "KVM SAYS", "GUEST SEES",
						    "VERDICT", "REASON" });
	gcpu_verify(p->plan, views, gcpu_plan_vcpus(p->plan), result, &table, sum);
	table.asked = false;
	gcpu_verify(p->plan, views, gcpu_plan_vcpus(p->plan), result, &table, sum);
	if (grid_rows(table.grid) > 1) {
		grid_print(table.grid, stdout, "");
		printf("\n");
	}
	gcpu_plan_findings(p->plan, finding, findings);
	if (grid_rows(findings)) {
		grid_print(findings, stdout, "");
		printf("\n");
	}
	if (guest->code)
		printf("guest: %s\n", guest->text);
	printf("%u matched, %u runtime, %u overridden, %u untested, %u mismatched of %u\n",
	       sum->matched, sum->runtime, sum->overridden, sum->untested, sum->mismatched,
	       sum->total);
	if (table.left_out)
		printf("%u as planned", table.left_out);
	if (table.untested)
		printf("%s%u untested", table.left_out ? ", " : "", table.untested);
	if (table.left_out || table.untested)
		printf(" and not asked for by name: --all shows them\n");
	grid_free(table.grid);
	grid_free(findings);
}

static int as_json(struct tool *t, const struct planned *p, struct gcpu_view *const *views,
		   const struct gcpu_error *guest, const struct alive_list *alive)
{
	const struct gcpu_exercise none = { .size = sizeof(none) }; /* an empty list is a list */
	unsigned n = gcpu_plan_vcpus(p->plan);
	int exit_code;
	FILE *f = tool_output(t, &exit_code);

	if (!f)
		return exit_code;
	if (t->value[OPT_ALIVE])
		gcpu_verify_write_alive_json(p->plan, views, n, guest, alive->n ? alive->items : &none, alive->n,
					     tool_write, f);
	else
		gcpu_verify_write_json(p->plan, views, n, guest, tool_write, f);
	return tool_close_output(t, f);
}

static int verify(struct tool *t, const struct planned *p, struct run_machine *m, unsigned ms)
{
	struct gcpu_view *const *views = run_machine_views(m);
	struct gcpu_error guest, err;
	struct alive_list alive = { NULL, 0 };
	struct gcpu_summary sum;
	int exit_code = 0, status = run_machine_look(m, ms, progress, NULL, &guest, &err);

	if (status)
		return tool_fail(t, &err, NULL);
	explain_guest(t, p->plan, &guest);
	if (t->value[OPT_ALIVE])
		exit_code = alive_collect(t, p, ms, &alive);
	if (exit_code)
		return exit_code;
	if (tool_document_only(t) || tool_to_file(t))
		exit_code = as_json(t, p, views, &guest, &alive);
	if (exit_code == 0) {
		if (tool_document_only(t))
			gcpu_verify(p->plan, views, gcpu_plan_vcpus(p->plan), NULL, NULL, &sum);
		else
			as_text(t, p, views, &guest, &sum);
		if (!tool_document_only(t) && t->value[OPT_ALIVE])
			alive_print(t, &alive);
		if (sum.mismatched || sum.contradicted || alive_bad(&alive))
			exit_code = EXIT_NO;
		else
			exit_code = guest.code ? EXIT_LACKS : EXIT_YES;
	}
	alive_free(&alive);
	return exit_code;
}

/* The first error is the reason. */
static int refusal(void *ctx, const struct gcpu_finding *f)
{
	struct gcpu_error *err = ctx;

	if (strcmp(f->severity, "error") != 0)
		return 0;
	snprintf(err->text, sizeof(err->text), "the plan is refused: %s", f->text);
	snprintf(err->expected, sizeof(err->expected), "a plan; guestcpu plan lists all findings");
	return 1;
}

/* A plan for another host is tried on this machine's KVM. */
static int open_here(struct tool *t, struct planned *p)
{
	struct gcpu_error err;

	if (t->arch != gcpu_arch_native() && !t->model)
		return tool_usage(t, "this machine is %s: a plan for %s cannot be tried here, but on a software KVM: --host model:HOST[@SERIES]",
				  gcpu_arch_name(gcpu_arch_native()), gcpu_arch_name(t->arch));
	if (t->arch != gcpu_arch_native() && t->value[OPT_ALIVE])
		return tool_usage(t, "this build has no exercises for %s: --alive is for %s here",
				  gcpu_arch_name(t->arch), gcpu_arch_name(gcpu_arch_native()));
	if (p->kvm_fd < 0)
		p->kvm_fd = tool_open_kvm(t, &err);
	return p->kvm_fd < 0 ? tool_fail(t, &err, NULL) : 0;
}

static int run(struct tool *t)
{
	struct run_machine *m;
	struct gcpu_error err;
	struct planned p;
	unsigned long ms = 10000;
	char *end;
	int exit_code;

	if (t->value[OPT_TIMEOUT]) {
		ms = strtoul(t->value[OPT_TIMEOUT], &end, 10);
		if (*end || t->value[OPT_TIMEOUT][0] < '0' || t->value[OPT_TIMEOUT][0] > '9' || !ms || ms > 3600000)
			return tool_usage(t, "--timeout: '%.40s' is not 1 to 3600000 milliseconds",
					  t->value[OPT_TIMEOUT]);
	}
	exit_code = tool_plan(t, &p);
	if (exit_code)
		return exit_code;
	exit_code = open_here(t, &p);
	if (exit_code) {
		tool_planned_free(t, &p);
		return exit_code;
	}
	if (gcpu_plan_refused(p.plan)) {
		memset(&err, 0, sizeof(err));
		err.code = GCPU_ERR_REFUSED;
		err.offset = (size_t)-1;
		snprintf(err.text, sizeof(err.text), "the plan is refused: guestcpu plan says why");
		gcpu_plan_findings(p.plan, refusal, &err);
		exit_code = tool_fail(t, &err, NULL);
	} else if (run_machine_new(tool_kvm(t), p.kvm_fd, p.plan, NULL, &m, &err)) {
		/* a plan for another host that this KVM does not take: the answer is no */
		bool other = t->value[OPT_HOST] && strcmp(t->value[OPT_HOST], "kvm") != 0 && err.code == GCPU_ERR_KVM;

		if (other && !t->model)
			snprintf(err.expected, sizeof(err.expected),
				 "a KVM like that host's; --host model:%.120s tries it on a software KVM of that host",
				 t->value[OPT_HOST]);
		exit_code = tool_fail(t, &err, NULL);
		if (other)
			exit_code = EXIT_NO;
	} else {
		exit_code = verify(t, &p, m, (unsigned)ms);
		run_machine_free(m);
	}
	tool_planned_free(t, &p);
	return exit_code;
}

const struct command cmd_verify = {
	.name = "verify",
	.help = "apply to a throw-away VM, read back, ask the guest, compare",
	.takes = MACHINE_OPTIONS | TAKES(OPT_ALIVE) | TAKES(OPT_ALL) | TAKES(OPT_OUTPUT) | TAKES(OPT_TIMEOUT),
	.run = run,
};

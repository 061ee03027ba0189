/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include <string.h>

struct lines {
	struct grid *grid;
	bool recipe_json;
	unsigned n;
};

static int finding(void *ctx, const struct gcpu_finding *f)
{
	struct lines *l = ctx;

	grid_add(l->grid, (const char *const[]){ f->severity, f->text, f->source });
	l->n++;
	return 0;
}

static int step(void *ctx, const struct gcpu_step *s)
{
	static const char *const phases[] = { "process", "vm", "all-vcpus", "vm-once", "vcpu" };
	struct lines *l = ctx;
	char args[160] = "";

	for (unsigned i = 0; i < s->n_args; i++) {
		size_t n = strlen(args);
		const struct gcpu_step_arg *a = &s->args[i];

		if (a->text)
			snprintf(args + n, sizeof(args) - n, "%s%s", n ? " " : "", a->text);
		else
			snprintf(args + n, sizeof(args) - n, "%s%s=0x%llx", n ? " " : "", a->name,
				 (unsigned long long)a->value);
	}
	grid_add(l->grid, (const char *const[]){ phases[s->phase], s->call, args, s->why });
	l->n++;
	return 0;
}

struct count {
	const struct gcpu_plan *plan;
	unsigned on;
	struct grid *grid;
};

static int feature(void *ctx, const struct gcpu_feature_info *f)
{
	struct count *c = ctx;

	if (!f->id || f->at_least || strncmp(f->owner, "chosen", 6) || !gcpu_plan_has(c->plan, f->id))
		return 0;
	c->on++;
	grid_add(c->grid, (const char *const[]){ f->name, f->meaning });
	return 0;
}

static void print_findings(const struct gcpu_plan *plan)
{
	struct lines l = { grid_new(3), false, 0 };

	gcpu_plan_findings(plan, finding, &l);
	if (l.n) {
		printf("\nfindings\n");
		grid_print(l.grid, stdout, "  ");
	}
	grid_free(l.grid);
}

static void print_recipe(const struct gcpu_plan *plan)
{
	struct lines l = { grid_new(4), false, 0 };

	gcpu_plan_recipe(plan, step, &l);
	printf("\nrecipe\n");
	grid_print(l.grid, stdout, "  ");
	grid_free(l.grid);
}

static void as_text(const struct tool *t, const struct planned *p)
{
	struct count c = { p->plan, 0, grid_new(2) };

	gcpu_features(t->arch, feature, &c);
	printf("%s on %s (%s, Linux %s)\n", t->value[OPT_CPU] ? t->value[OPT_CPU] : "host",
	       gcpu_snapshot_name(p->snap), gcpu_snapshot_module(p->snap),
	       gcpu_snapshot_kernel(p->snap));
	if (t->value[OPT_ALL]) {
		printf("\nfeatures\n");
		grid_print(c.grid, stdout, "  ");
	}
	print_findings(p->plan);
	if (t->value[OPT_ALL])
		print_recipe(p->plan);
	printf("\n%s: %u features on, %u vCPU%s\n",
	       gcpu_plan_refused(p->plan) ? "refused" : "planned", c.on, gcpu_plan_vcpus(p->plan),
	       gcpu_plan_vcpus(p->plan) == 1 ? "" : "s");
	grid_free(c.grid);
}

static int run(struct tool *t)
{
	const char *format = t->value[OPT_FORMAT] ? t->value[OPT_FORMAT] : t->json ? "json" : "text";
	struct planned p;
	int exit_code, status = 0;
	FILE *f;

	t->json |= strcmp(format, "json") == 0;
	if (strcmp(format, "text") && strcmp(format, "json") && strcmp(format, "cpuid-raw"))
		return tool_usage(t, "no such format '%.40s': %s", format, options[OPT_FORMAT].value);
	exit_code = tool_plan(t, &p);
	if (exit_code)
		return exit_code;
	if (strcmp(format, "text") == 0) {
		as_text(t, &p);
	} else {
		f = tool_output(t, &exit_code);
		if (f)
			status = strcmp(format, "json") == 0 ?
					 gcpu_plan_write_json(p.plan, tool_write, f) :
					 gcpu_plan_write_cpuid_raw(p.plan, tool_write, f);
		if (f)
			exit_code = tool_close_output(t, f);
		if (status && !exit_code)
			exit_code = EXIT_LACKS;
	}
	if (!exit_code && gcpu_plan_refused(p.plan))
		exit_code = EXIT_NO;
	tool_planned_free(&p);
	return exit_code;
}

const struct command cmd_plan = {
	.name = "plan",
	.help = "what a guest will get, and how to give it",
	.takes = MACHINE_OPTIONS | TAKES(OPT_ALL) | TAKES(OPT_FORMAT) | TAKES(OPT_OUTPUT),
	.run = run,
};

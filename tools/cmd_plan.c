/* SPDX-License-Identifier: MIT */
#include "term.h"
#include "tool.h"

#include <string.h>

struct lines {
	struct grid *grid;
	const struct tool *tool;
	const struct asked *asked;
	unsigned n, left_out;
};

/* What the request says by name, and what has become of it. */
struct asked {
	struct grid *grid;
	char why[300]; /* sentences of the rules that came after the user's word */
	uint64_t value;
	unsigned n;
	/* sentences that stand in the table need not be repeated below it */
	struct {
		const char *field, *sentence;
	} told[64];
	unsigned n_told;
	char names[64][64];
	unsigned ids[64]; /* of groups 0 */
	unsigned n_names;
};

/* Said before, by this or another name: the last word counts, and the row says what became of it. */
static bool is_told(const struct asked *a, const char *name, unsigned id)
{
	for (unsigned i = 0; i < a->n_names; i++)
		if (tool_same_name(name, strlen(name), a->names[i]) || (id && a->ids[i] == id))
			return true;
	return false;
}

static int reason(void *ctx, const struct gcpu_reason *r)
{
	struct asked *a = ctx;
	size_t n = strlen(a->why);

	a->n++;
	if (strncmp(r->rule, "forced-", 7) != 0)
		a->value = r->after;
	if (strcmp(r->rule, "user-word") == 0) {
		a->why[0] = 0;
		return 0;
	}
	if (!strstr(a->why, r->sentence))
		snprintf(a->why + n, sizeof(a->why) - n, "%s%s", n ? "; " : "", r->sentence);
	if (a->n_told < sizeof(a->told) / sizeof(a->told[0])) {
		a->told[a->n_told].field = r->field;
		a->told[a->n_told++].sentence = r->sentence;
	}
	return 0;
}

static void asked_item(const struct planned *p, enum gcpu_arch arch, const char *item, size_t n,
		       struct asked *a)
{
	const char *eq = memchr(item, '=', n);
	bool sign = *item == '+' || *item == '-';
	size_t length = (eq ? (size_t)(eq - item) : n) - sign;
	bool number = eq && eq[1] >= '0' && eq[1] <= '9';
	char name[64], state[64];
	unsigned id;

	if (length >= sizeof(name))
		return;
	memcpy(name, item + sign, length);
	name[length] = 0;
	id = gcpu_feature_by_name(arch, name);
	if (is_told(a, name, id))
		return;
	a->why[0] = 0;
	a->n = 0;
	if (gcpu_plan_explain(p->plan, name, reason, a, NULL) || !a->n)
		return; /* a property, or a group of none */
	if (a->n_names < sizeof(a->names) / sizeof(a->names[0])) {
		a->ids[a->n_names] = id;
		memcpy(a->names[a->n_names++], name, sizeof(name));
	}
	if (number || (eq && gcpu_value_name(arch, name, a->value)))
		tool_value(arch, name, a->value, state, sizeof(state));
	else
		snprintf(state, sizeof(state), "%s",
			 (id ? gcpu_plan_has(p->plan, id) : a->value != 0) ? "on" : "off");
	grid_add(a->grid, (const char *const[]){ name, state, a->why });
}

static void print_asked(const struct tool *t, const struct planned *p, struct asked *a)
{
	const char *s = t->value[OPT_CPU] ? strchr(t->value[OPT_CPU], ',') : NULL;

	a->grid = grid_new(3);
	while (s) {
		size_t n = strcspn(++s, ",");

		asked_item(p, t->arch, s, n, a);
		s = s[n] ? s + n : NULL;
	}
	if (grid_rows(a->grid)) {
		printf("\nasked for\n");
		grid_print(a->grid, stdout, "  ");
	}
	grid_free(a->grid);
}

/* A note about one feature is of interest to who spoke of it, or of what it hangs on. */
static bool of_interest(const struct lines *l, const struct gcpu_finding *f)
{
	if (l->tool->value[OPT_ALL] || strcmp(f->severity, "note") != 0 || !f->feature ||
	    strcmp(f->id, "parent-on") == 0)
		return true;
	for (unsigned i = 0; i < l->asked->n_names; i++) {
		const char *name = l->asked->names[i], *at = f->text;
		size_t n = strlen(name);

		while ((at = strstr(at, name)) != NULL) {
			if ((at == f->text || at[-1] == ' ') && strchr(" ,:", at[n]))
				return true;
			at += n;
		}
	}
	return false;
}

static int finding(void *ctx, const struct gcpu_finding *f)
{
	struct lines *l = ctx;
	const struct asked *a = l->asked;

	if (!of_interest(l, f)) {
		l->left_out++;
		return 0;
	}

	for (unsigned i = 0; f->feature && i < a->n_told; i++)
		if (strcmp(a->told[i].field, f->feature) == 0 && strstr(f->text, a->told[i].sentence))
			return 0;
	grid_add(l->grid, (const char *const[]){ f->severity, f->text,
						 l->tool->value[OPT_ALL] ? f->source : NULL });
	l->n++;
	return 0;
}

/* For people, by name; NUMBERS: for who writes code, of capabilities the name is enough. */
static void step_args(const struct gcpu_step *s, bool numbers, char *buf, size_t room)
{
	buf[0] = 0;
	for (unsigned i = 0; i < s->n_args; i++) {
		size_t n = strlen(buf);
		const struct gcpu_step_arg *a = &s->args[i];

		if (a->text && (!numbers || strcmp(a->name, "cap") == 0))
			snprintf(buf + n, room - n, "%s%s", n ? " " : "", a->text);
		else
			snprintf(buf + n, room - n, "%s%s=0x%llx%s%s%s", n ? " " : "", a->name,
				 (unsigned long long)a->value, a->text ? " (" : "", a->text ? a->text : "",
				 a->text ? ")" : "");
	}
}

static int step(void *ctx, const struct gcpu_step *s)
{
	static const char *const phases[] = { "process", "vm", "all-vcpus", "vm-once", "vcpu" };
	struct lines *l = ctx;
	char args[160];

	if (s->phase == GCPU_PHASE_RUN)
		return 0;
	step_args(s, false, args, sizeof(args));
	grid_add(l->grid, (const char *const[]){ phases[s->phase], s->call, args, s->why });
	l->n++;
	return 0;
}

/* What the caller has to write itself takes more words. */
static int own_step(void *ctx, const struct gcpu_step *s)
{
	unsigned *n = ctx;
	char args[160];

	if (s->phase != GCPU_PHASE_RUN)
		return 0;
	if (!(*n)++)
		printf("\nleft to the VMM\n");
	step_args(s, true, args, sizeof(args));
	printf("  run  %s  %s\n       ", s->call, args);
	term_wrap(s->why, 7, 7, term_width());
	return 0;
}

struct count {
	const struct gcpu_plan *plan;
	enum gcpu_arch arch;
	unsigned on;
	struct grid *grid; /* NULL: only counted */
};

/* As a request would say it: a field of several bits with its value. */
static void name_on(const struct gcpu_plan *plan, enum gcpu_arch arch, const struct gcpu_feature_info *f,
		    char *buf, size_t n)
{
	struct asked a = { 0 };
	const char *name;

	snprintf(buf, n, "%s", f->name);
	if (f->width == 1 || gcpu_plan_explain(plan, f->name, reason, &a, NULL))
		return;
	name = gcpu_value_name(arch, f->name, a.value);
	if (name)
		snprintf(buf, n, "%s=%s", f->name, name);
	else
		snprintf(buf, n, "%s=0x%llx", f->name, (unsigned long long)a.value);
}

static int feature(void *ctx, const struct gcpu_feature_info *f)
{
	struct count *c = ctx;
	char name[80];

	if (!f->id || f->at_least || strncmp(f->owner, "chosen", 6) || !gcpu_plan_has(c->plan, f->id))
		return 0;
	c->on++;
	if (!c->grid)
		return 0;
	name_on(c->plan, c->arch, f, name, sizeof(name));
	grid_add(c->grid, (const char *const[]){ name, f->meaning });
	return 0;
}

static unsigned print_findings(const struct tool *t, const struct planned *p, const struct asked *asked)
{
	struct lines l = { grid_new(3), t, asked, 0, 0 };

	gcpu_plan_findings(p->plan, finding, &l);
	if (l.n) {
		printf("\nfindings\n");
		grid_print(l.grid, stdout, "  ");
	}
	grid_free(l.grid);
	return l.left_out;
}

static void print_recipe(const struct gcpu_plan *plan)
{
	struct lines l = { grid_new(4), NULL, NULL, 0, 0 };
	unsigned own = 0;

	gcpu_plan_recipe(plan, step, &l);
	printf("\nrecipe\n");
	grid_print(l.grid, stdout, "  ");
	grid_free(l.grid);
	gcpu_plan_recipe(plan, own_step, &own);
}

static void as_text(const struct tool *t, const struct planned *p)
{
	struct count c = { p->plan, t->arch, 0, t->value[OPT_ALL] ? grid_new(2) : NULL };
	struct asked asked = { 0 };
	unsigned notes;

	gcpu_features(t->arch, feature, &c);
	tool_print_head(t, p->snap);
	printf("\n");
	if (t->value[OPT_ALL]) {
		printf("\nfeatures\n");
		grid_print(c.grid, stdout, "  ");
	}
	print_asked(t, p, &asked);
	notes = print_findings(t, p, &asked);
	if (t->value[OPT_ALL])
		print_recipe(p->plan);
	printf("\n%s: %u features on, %u vCPU%s\n",
	       gcpu_plan_refused(p->plan) ? "refused" : "planned", c.on, gcpu_plan_vcpus(p->plan),
	       gcpu_plan_vcpus(p->plan) == 1 ? "" : "s");
	if (notes)
		printf("%u note%s on features that nobody named: --all shows %s\n", notes,
		       notes == 1 ? "" : "s", notes == 1 ? "it" : "them");
	grid_free(c.grid);
}

/* The document to -o FILE or standard output; 0 or an exit code. */
static int document(const struct tool *t, const struct planned *p, bool raw)
{
	int exit_code, status;
	FILE *f = tool_output(t, &exit_code);

	if (!f)
		return exit_code;
	status = raw ? gcpu_plan_write_cpuid_raw(p->plan, tool_write, f) :
		       gcpu_plan_write_json(p->plan, tool_write, f);
	exit_code = tool_close_output(t, f);
	return status && !exit_code ? EXIT_LACKS : exit_code;
}

static int run(struct tool *t)
{
	const char *format = t->value[OPT_FORMAT] ? t->value[OPT_FORMAT] : t->json ? "json" : "text";
	bool text = strcmp(format, "text") == 0, raw = strcmp(format, "cpuid-raw") == 0;
	struct planned p;
	int exit_code;

	if (!text && !raw && strcmp(format, "json"))
		return tool_usage(t, "no such format '%.40s', expected %s", format,
				  options[OPT_FORMAT].value);
	if (t->json && strcmp(format, "json"))
		return tool_usage(t, "--json and -f %s exclude each other", format);
	exit_code = tool_plan(t, &p);
	if (exit_code)
		return exit_code;
	if (raw && t->arch != GCPU_ARCH_X86)
		exit_code = tool_usage(t, "cpuid-raw is for x86: this host is %s",
				       gcpu_arch_name(t->arch));
	/* a summary for people and the document for programs, in one run */
	if (!exit_code && (!text || tool_document_only(t) || tool_to_file(t)))
		exit_code = document(t, &p, raw);
	if (!exit_code && text && !tool_document_only(t))
		as_text(t, &p);
	if (!exit_code && gcpu_plan_refused(p.plan))
		exit_code = EXIT_NO;
	tool_planned_free(t, &p);
	return exit_code;
}

const struct command cmd_plan = {
	.name = "plan",
	.help = "what a guest will get, and how to give it",
	.takes = MACHINE_OPTIONS | TAKES(OPT_ALL) | TAKES(OPT_FORMAT) | TAKES(OPT_OUTPUT),
	.run = run,
};

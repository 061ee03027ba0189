/* SPDX-License-Identifier: MIT */
#include "explain.h"
#include "formats/json.h"
#include "term.h"

#include <stdlib.h>
#include <string.h>

struct listing {
	struct tool *t;
	const struct planned *planned; /* NULL: only the catalogue was asked for */
	struct grid *grid;
	struct json *json;
	bool table;
	const char *pattern; /* the word by which a feature is shown */
	unsigned shown, never;
	unsigned hits[WORDS_MOST]; /* features that match each pattern */
};

/* How a feature stands here, where that was asked. */
struct here {
	struct gcpu_standing s;
	const char *why; /* the last rule that touched it */
};

static int json_alias(void *ctx, const char *alias, const char *tag)
{
	struct json *j = ctx;

	jw_object(j, false);
	jw_key_string(j, "name", alias);
	jw_key_string(j, "tag", tag);
	jw_close(j, '}');
	return 0;
}

void feature_json(struct json *j, enum gcpu_arch arch, const struct gcpu_feature_info *f)
{
	jw_key_string(j, "name", f->name);
	jw_key_int(j, "id", f->id);
	jw_key_string(j, "word", f->word);
	jw_key_int(j, "lsb", f->lsb);
	jw_key_int(j, "width", f->width);
	jw_key(j, "at_least");
	if (f->at_least)
		jw_hex(j, f->value);
	else
		jw_string(j, NULL);
	jw_key_string(j, "owner", f->owner);
	jw_key_string(j, "kind", f->kind);
	jw_key_string(j, "since", f->since);
	jw_key_string(j, "default", f->deflt);
	jw_key_string(j, "meaning", f->meaning);
	jw_key_string(j, "called", f->called);
	jw_key(j, "values");
	jw_array(j, false);
	for (unsigned v = 0; f->width <= 8 && !f->at_least && v >> f->width == 0; v++) {
		const char *name = gcpu_value_name(arch, f->name, v);

		if (!name)
			continue;
		jw_object(j, false);
		jw_key_hex(j, "value", v);
		jw_key_string(j, "name", name);
		jw_close(j, '}');
	}
	jw_close(j, ']');
	jw_key(j, "aliases");
	jw_array(j, false);
	gcpu_feature_aliases(arch, f->name, json_alias, j);
	jw_close(j, ']');
	jw_key(j, "msrs");
	jw_array(j, false);
	for (unsigned i = 0; i < f->n_msrs; i++)
		jw_hex(j, f->msrs[i]);
	jw_close(j, ']');
	jw_key(j, "hypercalls");
	jw_array(j, false);
	for (unsigned i = 0; i < f->n_hypercalls; i++)
		jw_int(j, f->hypercalls[i]);
	jw_close(j, ']');
	jw_key_string(j, "gate", f->gate);
	jw_key_string(j, "vmm", f->vmm);
	jw_key_string(j, "note", f->note);
	jw_key_string(j, "vendors", f->vendors);
}

static void json_switch(struct json *j, const char *key, bool known, bool on)
{
	jw_key(j, key);
	if (known)
		jw_bool(j, on);
	else
		jw_string(j, NULL);
}

static void as_json(struct listing *l, const struct gcpu_feature_info *f, const struct here *h)
{
	bool known = l->planned != NULL;

	jw_object(l->json, false);
	feature_json(l->json, l->t->arch, f);
	json_switch(l->json, "on", known, h->s.on);
	json_switch(l->json, "offered", known, h->s.offered);
	jw_key_string(l->json, "lack", known ? lack_name(h->s.lack) : NULL);
	jw_key_string(l->json, "why", known ? h->why : NULL);
	jw_close(l->json, '}');
}

/* "on", "off", a value where it is no switch; "-" what is not offered. */
static void state_text(const struct gcpu_feature_info *f, const struct here *h, char *buf, size_t n)
{
	if (h->s.forced_on || h->s.forced_off)
		snprintf(buf, n, "%s", h->s.forced_on ? "forced on" : "forced off");
	else if (h->s.some && f->width > 1 && !f->at_least)
		snprintf(buf, n, "0x%llx", (unsigned long long)h->s.value);
	else
		snprintf(buf, n, "%s", h->s.on ? "on" : h->s.some ? "partly" : h->s.offered ? "off" : "-");
}

/* Why this host does not offer it, in a few words. */
static void lack_text(const struct here *h, char *buf, size_t n)
{
	static const char *const texts[] = {
		[GCPU_LACK_NEVER] = "KVM never offers it",
		[GCPU_LACK_CPU] = "the CPU does not have it",
		[GCPU_LACK_KERNEL] = "the kernel is older",
		[GCPU_LACK_HOST] = "this KVM does not offer it",
	};

	if (h->s.lack == GCPU_LACK_RULE && h->why)
		snprintf(buf, n, "%s", h->why);
	else
		snprintf(buf, n, "%s", texts[h->s.lack] ? texts[h->s.lack] : "");
}

static void at_length(const struct listing *l, const struct gcpu_feature_info *f, const struct here *h)
{
	struct text called = { NULL, 0, 0 };
	char text[200];

	where_text(f, text, sizeof(text));
	printf("%s%s\n  %s\n  where     %s\n  offered   %s, since %s\n  default   %s\n",
	       l->shown ? "\n" : "", f->name, f->meaning, text, f->kind, f->since, f->deflt);
	if (f->vendors)
		printf("  vendor    %s\n", f->vendors);
	if (l->planned) {
		state_text(f, h, text, sizeof(text));
		printf("  here      %s\n", strcmp(text, "-") ? text : "off, not offered");
	}
	for (unsigned i = 0; i < f->n_msrs; i++)
		printf("  msr       0x%x\n", f->msrs[i]);
	for (unsigned i = 0; i < f->n_hypercalls; i++)
		printf(f->hypercalls[i] > UINT16_MAX ? "  hypercall 0x%x\n" : "  hypercall %u\n", f->hypercalls[i]);
	if (f->gate)
		printf("  enforced  by %s\n", f->gate);
	if (f->vmm)
		printf("  needs     %s\n", f->vmm);
	if (f->note)
		printf("  note      %s\n", f->note);
	called_text(&called, l->t->arch, f->name, f->id ? f->called : NULL);
	if (called.n)
		printf("  called    %s\n", called.s);
	free(called.s);
}

static void as_row(struct listing *l, const struct gcpu_feature_info *f, const struct here *h)
{
	char where[80], state[200], since[16];

	where_text(f, where, sizeof(where));
	/* one line each: the releases of stable series are for the long form */
	snprintf(since, sizeof(since), "%.*s", (int)strcspn(f->since, " "), f->since);
	if (l->t->value[OPT_MISSING]) {
		lack_text(h, state, sizeof(state));
		grid_add(l->grid, (const char *const[]){ f->name, where, f->kind, since, state });
		return;
	}
	state_text(f, h, state, sizeof(state));
	if (l->planned)
		grid_add(l->grid, (const char *const[]){ f->name, state, where, f->kind, since, f->deflt,
							 f->meaning });
	else
		grid_add(l->grid, (const char *const[]){ f->name, where, f->kind, since, f->deflt,
							 f->meaning });
}

static int last_reason(void *ctx, const struct gcpu_reason *r)
{
	((struct here *)ctx)->why = r->sentence;
	return 0;
}

/* Is it what the options ask for? */
static bool wanted(struct listing *l, const struct gcpu_feature_info *f, const struct here *h)
{
	const struct tool *t = l->t;
	bool chosen = strncmp(f->owner, "chosen", 6) == 0;

	if (t->value[OPT_KIND] && strcmp(t->value[OPT_KIND], f->kind) != 0)
		return false;
	if (!t->n_words && !t->value[OPT_ALL] && !chosen)
		return false;
	if (t->value[OPT_ON] && !(h->s.on && !h->s.forced_off) && !h->s.forced_on)
		return false;
	if (!t->value[OPT_MISSING])
		return true;
	if (!chosen || h->s.offered || h->s.some || h->s.forced_on)
		return false;
	/* nobody's host is to blame for these; by name they are an answer */
	if (h->s.lack != GCPU_LACK_NEVER || t->value[OPT_ALL] || (l->pattern && !match_is_pattern(l->pattern)))
		return true;
	l->never++;
	return false;
}

static int one(void *ctx, const struct gcpu_feature_info *f)
{
	struct listing *l = ctx;
	struct here h = { { .size = sizeof(h.s) }, NULL };

	if (l->planned) {
		gcpu_plan_standing(l->planned->plan, f->name, &h.s, NULL);
		gcpu_plan_explain(l->planned->plan, f->name, last_reason, &h, NULL);
	}
	if (!wanted(l, f, &h))
		return 0;
	if (l->json)
		as_json(l, f, &h);
	else if (l->grid)
		as_row(l, f, &h);
	else
		at_length(l, f, &h);
	l->shown++;
	return 0;
}

/* In the table each feature stands once, however many of the words mean it. */
static int if_matching(void *ctx, const struct gcpu_feature_info *f)
{
	struct listing *l = ctx;
	const char *by = NULL;

	for (int i = 0; i < l->t->n_words; i++) {
		if (!match_feature(l->t->arch, l->t->words[i], f->name))
			continue;
		/* a plain name is more than a pattern */
		if (!by || match_is_pattern(by))
			by = l->t->words[i];
	}
	l->pattern = by;
	return by ? one(l, f) : 0;
}

/* Who looks at the whole table may want to know what stands there. */
static void print_legend(const struct listing *l)
{
	unsigned width = term_width();

	if (!width || l->t->n_words)
		return;
	printf("\n");
	if (l->planned && !l->t->value[OPT_MISSING])
		term_wrap("HERE: on, off, or the value in this plan; - what this KVM does not offer.", 0, 6, width);
	term_wrap("OFFERED: how KVM comes to offer it: hw where kernel and CPU have it, pass where the CPU has "
		  "it, emulated always, synth by the kernel's mitigations, vendor by the vendor's module under "
		  "conditions, alias a copy of another bit, pv KVM's own, vmm a promise of the VMM, runtime set "
		  "by KVM while the guest runs, none never. SINCE: first kernel. DEFAULT: auto is taken by host "
		  "and max, asked only when asked for, any by every model.", 0, 9, width);
}

static int ignore(void *ctx, const struct gcpu_feature_info *f)
{
	(void)ctx;
	(void)f;
	return 0;
}

struct property {
	const char *name, *meaning;
};

static int is_property(void *ctx, const struct gcpu_property_info *f)
{
	struct property *p = ctx;
	size_t n = strlen(p->name);

	if (tool_same_name(p->name, n, f->name) || (f->other && tool_same_name(p->name, n, f->other)))
		p->meaning = f->meaning;
	return 0;
}

/* explain is for both. */
static int not_a_feature(const struct tool *t, const struct property *p)
{
	struct tool told = *t;
	char hint[100];

	snprintf(hint, sizeof(hint), "explain %.80s", p->name);
	told.hint = hint;
	return tool_usage(&told, "'%s' is a property of requests, not a feature: %s", p->name, p->meaning);
}

/* A word that is no name in the catalogue; 0 if all are. */
static int unknown_word(const struct tool *t)
{
	for (int i = 0; i < t->n_words; i++) {
		struct property p = { t->words[i], NULL };

		if (match_is_pattern(t->words[i]) || gcpu_feature_members(t->arch, t->words[i], ignore, NULL) == 0)
			continue;
		gcpu_property_infos(t->arch, is_property, &p);
		if (p.meaning)
			return not_a_feature(t, &p);
		return tool_unknown_name(t, t->words[i]);
	}
	return 0;
}

static int list_hosts(const struct tool *t)
{
	struct json j;

	jw_start(&j, tool_write, stdout);
	if (t->json) {
		jw_object(&j, true);
		jw_key_string(&j, "schema", "guestcpu.hosts");
		jw_key_int(&j, "version", 1);
		jw_key(&j, "hosts");
		jw_array(&j, true);
	}
	for (unsigned i = 0; gcpu_snapshot_bundled_name(i); i++) {
		if (t->json)
			jw_string(&j, gcpu_snapshot_bundled_name(i));
		else
			printf("%s\n", gcpu_snapshot_bundled_name(i));
	}
	if (t->json) {
		jw_close(&j, ']');
		jw_close(&j, '}');
		jw_end(&j);
	}
	return EXIT_YES;
}

/* Do the options ask about a host, not only the catalogue? */
static bool asks_plan(const struct tool *t)
{
	const uint64_t about = (MACHINE_OPTIONS | TAKES(OPT_ON) | TAKES(OPT_MISSING)) &
			 ~(TAKES(OPT_ARCH) | TAKES(OPT_JSON));

	for (int i = 0; i < N_OPTIONS; i++)
		if ((about >> i & 1) && t->value[i])
			return true;
	return false;
}

static int check(const struct tool *t)
{
	const char *kinds = options[OPT_KIND].value, *kind = t->value[OPT_KIND], *at = kinds;
	size_t n = kind ? strlen(kind) : 0;

	if (t->value[OPT_ON] && t->value[OPT_MISSING])
		return tool_usage(t, "--on and --missing exclude each other");
	while (kind && at && (strncmp(at, kind, n) != 0 || (at[n] != '|' && at[n]) || !n))
		at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL;
	return at ? 0 : tool_usage(t, "--kind: no such kind '%.40s', expected %s", kind, kinds);
}

/* A table for many, each at length for a few that are named. */
static bool is_table(const struct tool *t)
{
	bool table = !t->n_words || t->value[OPT_MISSING];

	for (int i = 0; i < t->n_words; i++)
		table = table || match_is_pattern(t->words[i]);
	return table;
}

static void start_table(struct listing *l)
{
	if (!l->table || l->json)
		return;
	if (l->t->value[OPT_MISSING]) {
		l->grid = grid_new(5);
		grid_add(l->grid, (const char *const[]){ "NAME", "WHERE", "OFFERED", "SINCE", "WHY NOT" });
	} else if (l->planned) {
		l->grid = grid_new(7);
		grid_add(l->grid, (const char *const[]){ "NAME", "HERE", "WHERE", "OFFERED", "SINCE",
							 "DEFAULT", "MEANING" });
	} else {
		l->grid = grid_new(6);
		grid_add(l->grid, (const char *const[]){ "NAME", "WHERE", "OFFERED", "SINCE", "DEFAULT",
							 "MEANING" });
	}
	grid_wrap(l->grid);
}

static void visit(struct listing *l)
{
	const struct tool *t = l->t;

	if (!t->n_words)
		gcpu_features(t->arch, one, l);
	else if (l->table)
		gcpu_features(t->arch, if_matching, l);
	for (int i = 0; !l->table && i < t->n_words; i++) {
		l->pattern = t->words[i];
		gcpu_feature_members(t->arch, t->words[i], one, l);
	}
}

static void start_document(struct listing *l, struct json *j)
{
	jw_start(j, tool_write, stdout);
	jw_object(j, true);
	jw_key_string(j, "schema", "guestcpu.features");
	jw_key_int(j, "version", 1);
	jw_key_string(j, "arch", gcpu_arch_name(l->t->arch));
	jw_key(j, "features");
	jw_array(j, true);
}

static void end_document(const struct listing *l, struct json *j)
{
	jw_close(j, ']');
	properties_json(l->t, j);
	jw_key(j, "plan");
	if (l->planned) {
		jw_object(j, false);
		jw_key_string(j, "request", l->t->value[OPT_CPU] ? l->t->value[OPT_CPU] : "host");
		jw_key_string(j, "host", gcpu_snapshot_name(l->planned->snap));
		jw_close(j, '}');
	} else {
		jw_string(j, NULL);
	}
	jw_close(j, '}');
	jw_end(j);
}

static void end_table(const struct listing *l)
{
	if (l->grid && l->shown)
		grid_print(l->grid, stdout, "");
	else if (l->grid)
		printf("none\n");
	if (l->grid && !l->t->value[OPT_MISSING] && !l->t->value[OPT_ON] && !l->t->value[OPT_KIND])
		properties_text(l->t);
	if (l->grid && l->shown)
		print_legend(l);
	if (l->never)
		printf("\n%u that KVM never offers: --all shows %s\n", l->never, l->never == 1 ? "it" : "them");
}

static int count_hit(void *ctx, const struct gcpu_feature_info *f)
{
	struct listing *l = ctx;

	for (int i = 0; i < l->t->n_words; i++)
		l->hits[i] += match_is_pattern(l->t->words[i]) && match_feature(l->t->arch, l->t->words[i], f->name);
	return 0;
}

/* Every pattern must match something before a line is written. */
static int check_patterns(const struct tool *t)
{
	struct listing l = { .t = (struct tool *)(uintptr_t)t };

	gcpu_features(t->arch, count_hit, &l);
	for (int i = 0; i < t->n_words; i++)
		if (match_is_pattern(t->words[i]) && !l.hits[i])
			return match_none(t, t->words[i]);
	return 0;
}

static int run(struct tool *t)
{
	struct listing l = { .t = t };
	struct planned p;
	struct json j;
	int exit_code = check(t);

	if (!exit_code && t->value[OPT_HOSTS])
		return list_hosts(t);
	if (!exit_code && t->value[OPT_PRESETS]) {
		exit_code = tool_host_arch(t);
		exit_code = exit_code ? exit_code : unknown_word(t);
		exit_code = exit_code ? exit_code : check_patterns(t);
		return exit_code ? exit_code : tool_presets(t);
	}
	if (!exit_code && asks_plan(t)) {
		exit_code = tool_plan(t, &p);
		l.planned = exit_code ? NULL : &p;
	}
	if (!exit_code)
		exit_code = unknown_word(t);
	if (!exit_code)
		exit_code = check_patterns(t);
	if (!exit_code) {
		l.json = t->json ? &j : NULL;
		l.table = is_table(t);
		if (t->json)
			start_document(&l, &j);
		start_table(&l);
		visit(&l);
		if (t->json)
			end_document(&l, &j);
		else
			end_table(&l);
		exit_code = l.shown ? EXIT_YES : EXIT_NO;
	}
	grid_free(l.grid);
	if (l.planned)
		tool_planned_free(t, &p);
	return exit_code;
}

const struct command cmd_features = {
	.name = "features",
	.words = "[NAME...] [PATTERN...]",
	.help = "the catalogue: every feature with a name, of any architecture, on any host",
	.takes = MACHINE_OPTIONS | TAKES(OPT_ALL) | TAKES(OPT_HOSTS) | TAKES(OPT_KIND) | TAKES(OPT_MISSING) |
		 TAKES(OPT_ON) | TAKES(OPT_PRESETS),
	.run = run,
};

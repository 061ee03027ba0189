/* SPDX-License-Identifier: MIT */
#include "formats/json.h"
#include "tool.h"

#include <string.h>
#include <strings.h>

struct listing {
	struct tool *t;
	struct grid *grid;
	struct json *json;
	unsigned shown;
};

static void bits(const struct gcpu_feature_info *f, char *buf, size_t n)
{
	if (f->width == 1)
		snprintf(buf, n, "%s[%u]", f->word, f->lsb);
	else
		snprintf(buf, n, "%s[%u:%u]%s%.0llu", f->word, f->lsb + f->width - 1, f->lsb,
			 f->at_least ? " >= " : "", f->at_least ? (unsigned long long)f->value : 0ULL);
}

static int json_alias(void *ctx, const char *alias, const char *tag)
{
	struct json *j = ctx;

	jw_object(j, false);
	jw_key_string(j, "name", alias);
	jw_key_string(j, "tag", tag);
	jw_close(j, '}');
	return 0;
}

static void as_json(struct listing *l, const struct gcpu_feature_info *f)
{
	struct json *j = l->json;

	jw_object(j, false);
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
	jw_key(j, "aliases");
	jw_array(j, false);
	gcpu_feature_aliases(l->t->arch, f->name, json_alias, j);
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
	jw_close(j, '}');
}

static int text_alias(void *ctx, const char *alias, const char *tag)
{
	(void)ctx;
	printf("  also      %s (%s)\n", alias, tag);
	return 0;
}

static void at_length(const struct listing *l, const struct gcpu_feature_info *f)
{
	char where[80];

	bits(f, where, sizeof(where));
	printf("%s%s\n  %s\n  where     %s\n  offered   %s, since %s\n  default   %s\n",
	       l->shown ? "\n" : "", f->name, f->meaning, where, f->kind, f->since, f->deflt);
	for (unsigned i = 0; i < f->n_msrs; i++)
		printf("  msr       0x%x\n", f->msrs[i]);
	for (unsigned i = 0; i < f->n_hypercalls; i++)
		printf("  hypercall %u\n", f->hypercalls[i]);
	if (f->gate)
		printf("  enforced  by %s\n", f->gate);
	if (f->vmm)
		printf("  needs     %s\n", f->vmm);
	if (f->note)
		printf("  note      %s\n", f->note);
	gcpu_feature_aliases(l->t->arch, f->name, text_alias, NULL);
}

static int one(void *ctx, const struct gcpu_feature_info *f)
{
	struct listing *l = ctx;
	char where[80], since[16];

	if (!l->t->n_words && !l->t->value[OPT_ALL] && strncmp(f->owner, "chosen", 6))
		return 0;
	bits(f, where, sizeof(where));
	/* one line each: the releases of stable series are for the long form */
	snprintf(since, sizeof(since), "%.*s", (int)strcspn(f->since, " "), f->since);
	if (l->json)
		as_json(l, f);
	else if (l->t->n_words)
		at_length(l, f);
	else
		grid_add(l->grid, (const char *const[]){ f->name, where, f->kind, since, f->deflt,
							 f->meaning });
	l->shown++;
	return 0;
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

static int is_property(void *ctx, const char *name, bool deflt, const char *meaning)
{
	struct property *p = ctx;

	(void)deflt;
	if (strcasecmp(name, p->name) == 0)
		p->meaning = meaning;
	return 0;
}

static int text_property(void *ctx, const char *name, bool deflt, const char *meaning)
{
	grid_add(ctx, (const char *const[]){ name, deflt ? "on" : "off", meaning });
	return 0;
}

static int json_property(void *ctx, const char *name, bool deflt, const char *meaning)
{
	struct json *j = ctx;

	jw_object(j, false);
	jw_key_string(j, "name", name);
	jw_key_bool(j, "default", deflt);
	jw_key_string(j, "meaning", meaning);
	jw_close(j, '}');
	return 0;
}

static void print_properties(const struct tool *t)
{
	struct grid *g = grid_new(3);

	grid_add(g, (const char *const[]){ "PROPERTY", "DEFAULT", "MEANING" });
	gcpu_properties(t->arch, text_property, g);
	printf("\n");
	grid_print(g, stdout, "");
	grid_free(g);
}

static int unknown_word(struct tool *t)
{
	char text[300];
	struct gcpu_request *req = NULL;
	struct gcpu_error err;

	for (int i = 0; i < t->n_words; i++) {
		if (strlen(t->words[i]) > 200 || t->words[i][0] == '-' ||
		    strpbrk(t->words[i], ",=+"))
			return tool_usage(t, "'%.60s' is not a name", t->words[i]);
		snprintf(text, sizeof(text), "host,%s", t->words[i]);
		if (gcpu_request_parse(t->arch, text, &req, &err) == GCPU_ERR_NAME) {
			err.offset = (size_t)-1;
			return tool_fail(t, &err, NULL);
		}
		gcpu_request_free(req);
		req = NULL;
		if (gcpu_feature_members(t->arch, t->words[i], ignore, NULL)) {
			struct property p = { t->words[i], "" };

			gcpu_properties(t->arch, is_property, &p);
			return tool_usage(t, "'%s' is a property of requests, not a feature: %s",
					  t->words[i], p.meaning);
		}
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

static int run(struct tool *t)
{
	struct listing l = { t, NULL, NULL, 0 };
	struct json j;
	int exit_code = unknown_word(t);

	if (exit_code)
		return exit_code;
	if (t->value[OPT_HOSTS])
		return list_hosts(t);
	if (t->json) {
		l.json = &j;
		jw_start(&j, tool_write, stdout);
		jw_object(&j, true);
		jw_key_string(&j, "schema", "guestcpu.features");
		jw_key_int(&j, "version", 1);
		jw_key_string(&j, "arch", gcpu_arch_name(t->arch));
		jw_key(&j, "features");
		jw_array(&j, true);
	} else {
		l.grid = grid_new(6);
		if (!t->n_words)
			grid_add(l.grid, (const char *const[]){ "NAME", "WHERE", "OFFERED", "SINCE",
								"DEFAULT", "MEANING" });
	}
	for (int i = 0; i < t->n_words; i++)
		gcpu_feature_members(t->arch, t->words[i], one, &l);
	if (!t->n_words)
		gcpu_features(t->arch, one, &l);
	if (t->json) {
		jw_close(&j, ']');
		jw_key(&j, "properties");
		jw_array(&j, true);
		gcpu_properties(t->arch, json_property, &j);
		jw_close(&j, ']');
		jw_close(&j, '}');
		jw_end(&j);
	} else {
		grid_print(l.grid, stdout, "");
		if (!t->n_words)
			print_properties(t);
	}
	grid_free(l.grid);
	return EXIT_YES;
}

const struct command cmd_features = {
	.name = "features",
	.words = "[NAME...]",
	.help = "the catalogue: every feature with a name, of any architecture",
	.takes = TAKES(OPT_ALL) | TAKES(OPT_ARCH) | TAKES(OPT_HOSTS) | TAKES(OPT_JSON),
	.run = run,
};

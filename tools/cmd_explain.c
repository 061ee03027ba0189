/* SPDX-License-Identifier: MIT */
#include "formats/json.h"
#include "tool.h"

#include <string.h>

struct telling {
	struct json *json;
	const char *field;
	uint64_t last;
	unsigned n;
};

static int reason(void *ctx, const struct gcpu_reason *r)
{
	struct telling *t = ctx;
	bool hex = r->before > 9 || r->after > 9;
	char change[48];
	int n;

	if (t->json) {
		jw_object(t->json, false);
		jw_key_string(t->json, "field", r->field);
		jw_key_string(t->json, "rule", r->rule);
		jw_key_hex(t->json, "before", r->before);
		jw_key_hex(t->json, "after", r->after);
		jw_key_string(t->json, "sentence", r->sentence);
		jw_key_string(t->json, "source", r->source);
		jw_close(t->json, '}');
		return 0;
	}
	if (!t->field || strcmp(t->field, r->field) != 0) {
		printf("  %s\n", r->field);
		t->field = r->field;
	}
	snprintf(change, sizeof(change), hex ? "0x%llx -> 0x%llx" : "%llu -> %llu",
		 (unsigned long long)r->before, (unsigned long long)r->after);
	n = printf("    %s  ", change);
	printf("%s\n%*s%s (%s)\n", r->sentence, n, "", r->rule, r->source);
	t->n++;
	return 0;
}

static int one_word(struct tool *t, const struct planned *p, const char *word, struct json *j)
{
	unsigned id = gcpu_feature_by_name(t->arch, word);
	struct telling telling = { j, NULL, 0, 0 };
	struct gcpu_error err;
	int status;

	if (j) {
		jw_object(j, true);
		jw_key_string(j, "name", word);
		jw_key(j, "on");
		if (id)
			jw_bool(j, gcpu_plan_has(p->plan, id));
		else
			jw_string(j, NULL);
		jw_key(j, "steps");
		jw_array(j, true);
	} else if (id) {
		printf("%s: planned %s\n", word, gcpu_plan_has(p->plan, id) ? "on" : "off");
	} else {
		printf("%s\n", word);
	}
	status = gcpu_plan_explain(p->plan, word, reason, &telling, &err);
	if (j) {
		jw_close(j, ']');
		jw_close(j, '}');
	} else if (status == 0 && !telling.n) {
		printf("  no rule touches it: it is computed, or KVM's own\n");
	}
	return status;
}

static int check_words(struct tool *t, const struct planned *p)
{
	struct gcpu_error err;
	struct telling quiet = { NULL, "", 0, 0 };

	if (!t->n_words)
		return tool_usage(t, "which feature?");
	for (int i = 0; i < t->n_words; i++) {
		struct json sink;

		jw_start(&sink, tool_write, stdout);
		sink.out.status = 1; /* writes nothing */
		sink.depth = 1;
		quiet.json = &sink;
		if (gcpu_plan_explain(p->plan, t->words[i], reason, &quiet, &err))
			return tool_fail(t, &err, NULL);
	}
	return 0;
}

static int run(struct tool *t)
{
	struct planned p;
	struct json j;
	int exit_code = tool_plan(t, &p);

	if (exit_code)
		return exit_code;
	exit_code = check_words(t, &p);
	if (!exit_code && t->json) {
		jw_start(&j, tool_write, stdout);
		jw_object(&j, true);
		jw_key_string(&j, "schema", "guestcpu.explain");
		jw_key_int(&j, "version", 1);
		jw_key_string(&j, "arch", gcpu_arch_name(t->arch));
		jw_key_string(&j, "request", t->value[OPT_CPU] ? t->value[OPT_CPU] : "host");
		jw_key(&j, "features");
		jw_array(&j, true);
	}
	for (int i = 0; !exit_code && i < t->n_words; i++)
		one_word(t, &p, t->words[i], t->json ? &j : NULL);
	if (!exit_code && t->json) {
		jw_close(&j, ']');
		jw_close(&j, '}');
		jw_end(&j);
	}
	tool_planned_free(&p);
	return exit_code;
}

const struct command cmd_explain = {
	.name = "explain",
	.words = "FEATURE...",
	.help = "why a feature is on, off or unavailable: the chain of rules",
	.takes = MACHINE_OPTIONS,
	.run = run,
};

/* SPDX-License-Identifier: MIT */
#include "explain.h"
#include "formats/json.h"
#include "given.h"

#include <stdlib.h>

static void document(const struct tool *t, const struct account *accounts)
{
	struct json j;

	explain_json_head(t, true, &j);
	jw_key(&j, "features");
	jw_array(&j, true);
	for (int i = 0; i < t->n_words; i++)
		explain_json(&accounts[i], &j);
	jw_close(&j, ']');
	jw_key_string(&j, "trace", NULL);
	jw_close(&j, '}');
	jw_end(&j);
}

static void text(const struct tool *t, const struct planned *p, const struct account *accounts)
{
	tool_print_head(t, p->snap);
	putchar('\n');
	for (int i = 0; i < t->n_words; i++) {
		putchar('\n');
		explain_text(&accounts[i]);
	}
}

static int run(struct tool *t)
{
	struct account *accounts;
	struct planned p;
	int exit_code, n = 0;

	if (!t->n_words)
		return tool_usage(t, "which feature?");
	if (t->value[OPT_TRACE])
		return explain_trace(t);
	exit_code = tool_plan(t, &p);
	if (exit_code)
		return exit_code;
	accounts = calloc((size_t)t->n_words, sizeof(*accounts));
	if (!accounts) {
		fputs("guestcpu: out of memory\n", stderr);
		exit(EXIT_LACKS);
	}
	/* nothing is printed before all names are known */
	while (!exit_code && n < t->n_words) {
		exit_code = account_take(&accounts[n], t, &p, t->words[n]);
		n++;
	}
	if (!exit_code)
		accounts_elsewhere(accounts, n);
	if (!exit_code && t->json)
		document(t, accounts);
	else if (!exit_code)
		text(t, &p, accounts);
	while (n)
		account_free(&accounts[--n]);
	free(accounts);
	tool_planned_free(t, &p);
	return exit_code;
}

const struct command cmd_explain = {
	.name = "explain",
	.words = "NAME...",
	.help = "what a feature is, why it is on or off, and what would change that",
	.takes = MACHINE_OPTIONS | TAKES(OPT_TRACE),
	.run = run,
};

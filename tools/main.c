/* SPDX-License-Identifier: MIT */
/* guestcpu: a table of commands and a loop. */
#include "tool.h"

#include <string.h>

#define ABOUT "decides, explains, applies and proves the CPU that a KVM guest sees"

const struct command *const commands[] = { &cmd_probe,	 &cmd_features, &cmd_plan,
					   &cmd_explain, &cmd_verify,	NULL };

static void print_options(const struct command *c)
{
	struct grid *g = grid_new(2);

	for (int i = 0; i < N_OPTIONS; i++) {
		char name[80];
		const char *cells[2] = { name, options[i].help };

		if (!(c->takes >> i & 1) && i != OPT_HELP)
			continue;
		snprintf(name, sizeof(name), "%c%c%s %s%s%s", options[i].letter ? '-' : ' ',
			 options[i].letter ? options[i].letter : ' ', options[i].letter ? "," : " ",
			 options[i].name, options[i].value ? " " : "",
			 options[i].value ? options[i].value : "");
		grid_add(g, cells);
	}
	grid_print(g, stdout, "  ");
	grid_free(g);
}

static int help(const struct command *c)
{
	struct grid *g;

	if (c) {
		printf("guestcpu %s: %s\n\nusage: guestcpu %s [options]%s%s\n\noptions:\n", c->name,
		       c->help, c->name, c->words ? " " : "", c->words ? c->words : "");
		print_options(c);
		return EXIT_YES;
	}
	g = grid_new(2);
	printf("guestcpu: " ABOUT "\n\nusage: guestcpu COMMAND [options]\n\ncommands:\n");
	for (int i = 0; commands[i]; i++)
		grid_add(g, (const char *const[]){ commands[i]->name, commands[i]->help });
	grid_print(g, stdout, "  ");
	grid_free(g);
	printf("\n'guestcpu COMMAND --help' lists the options of a command.\n"
	       "Exit codes: 0 yes or done, 1 no or refused, 2 usage, 3 the environment lacks\n"
	       "something, 4 internal fault.\n");
	return EXIT_YES;
}

static int run(const struct command *c, int argc, char **argv)
{
	struct tool t;
	int status;

	memset(&t, 0, sizeof(t));
	t.command = c;
	status = tool_parse(&t, argc, argv);
	if (status)
		return status;
	if (t.value[OPT_HELP])
		return help(c);
	return c->run(&t);
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : NULL;

	if (!word) {
		help(NULL);
		return EXIT_USAGE;
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
		for (int i = 0; argc > 2 && commands[i]; i++)
			if (strcmp(commands[i]->name, argv[2]) == 0)
				return help(commands[i]);
		return help(NULL);
	}
	if (strcmp(word, "--version") == 0) {
		printf("guestcpu %s\n", GUESTCPU_VERSION);
		return EXIT_YES;
	}
	for (int i = 0; commands[i]; i++)
		if (strcmp(commands[i]->name, word) == 0)
			return run(commands[i], argc - 2, argv + 2);
	fprintf(stderr, "guestcpu: no such command '%.60s'\n  expected:", word);
	for (int i = 0; commands[i]; i++)
		fprintf(stderr, "%s %s", i ? "," : "", commands[i]->name);
	fputc('\n', stderr);
	return EXIT_USAGE;
}

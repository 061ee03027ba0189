/* SPDX-License-Identifier: MIT */
/* guestcpu: a table of commands and a loop. */
#include "tool.h"

#include <string.h>

#define ABOUT "decides, explains, applies and proves the CPU that a KVM guest sees"

const struct command *const commands[] = { &cmd_probe,	 &cmd_features, &cmd_plan,
					   &cmd_explain, &cmd_verify,	&cmd_conform,
					   &cmd_trace,	 &cmd_sim,	NULL };

/* The options of C, or those that stand without a command. */
static void print_options(const struct command *c)
{
	uint64_t takes = c ? c->takes | TAKES(OPT_HELP) : TAKES(OPT_HELP) | TAKES(OPT_VERSION);

	struct grid *g = grid_new(2);

	for (int i = 0; i < N_OPTIONS; i++) {
		char name[80];
		const char *cells[2] = { name, options[i].help };

		if (!(takes >> i & 1))
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
	printf("\noptions:\n");
	print_options(NULL);
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
	/* what a program is started with is its own */
	if (!c->is_launcher)
		tool_limits_are_errors();
	if (tool_asks_models(&t))
		status = tool_models(&t);
	else if ((status = tool_check_output(&t)) == 0)
		status = c->run(&t);
	tool_model_free(&t);
	if (status <= EXIT_NO && (ferror(stdout) || fflush(stdout))) {
		fprintf(stderr, "guestcpu %s: standard output could not be written\n", c->name);
		return EXIT_LACKS;
	}
	return status;
}

static int no_command(int argc, char **argv)
{
	struct gcpu_error err;
	struct tool t;
	size_t n = 0;

	memset(&t, 0, sizeof(t));
	memset(&err, 0, sizeof(err));
	err.code = GCPU_ERR_ARGUMENT;
	err.offset = (size_t)-1;
	for (int i = 1; i < argc; i++)
		t.json |= tool_asks_json(argv[i], i + 1 < argc ? argv[i + 1] : NULL);
	snprintf(err.text, sizeof(err.text), "no such command '%.60s'", argv[1]);
	for (int i = 0; commands[i]; i++)
		n += (size_t)snprintf(err.expected + n, sizeof(err.expected) - n, "%s%s",
				      i ? ", " : "", commands[i]->name);
	return tool_fail(&t, &err, NULL);
}

static const struct command *find_command(const char *name)
{
	for (int i = 0; commands[i]; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int act(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : NULL;
	const struct command *c;

	if (!word) {
		help(NULL);
		return EXIT_USAGE;
	}
	if (strcmp(word, "--version") == 0) {
		printf("guestcpu %s\n", GUESTCPU_VERSION);
		return EXIT_YES;
	}
	if (strcmp(word, "help") == 0 && argc > 2) {
		c = find_command(argv[2]);
		return c ? help(c) : no_command(argc - 1, argv + 1);
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
		return help(NULL);
	c = find_command(word);
	return c ? run(c, argc - 2, argv + 2) : no_command(argc, argv);
}

int main(int argc, char **argv)
{
	int status = act(argc, argv);

	/* commands say themselves what could not be written; help and version have no other place */
	if ((fflush(stdout) || ferror(stdout)) && status == EXIT_YES) {
		fputs("guestcpu: standard output could not be written\n", stderr);
		return EXIT_LACKS;
	}
	return status;
}

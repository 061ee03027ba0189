/* SPDX-License-Identifier: MIT */
/* Where a document goes: standard output, or a file that is replaced as a whole. */
#include "core/util.h"
#include "outfile.h"
#include "tool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

bool tool_to_file(const struct tool *t)
{
	const char *name = t->value[OPT_OUTPUT];

	/* /dev/stdout is no file beside it: the text would go over the document */
	return name && strcmp(name, "-") != 0 && !outfile_is_stdout(name);
}

bool tool_document_only(const struct tool *t)
{
	return t->json || (t->value[OPT_OUTPUT] && !tool_to_file(t));
}

/* One document at a time. */
static struct outfile out;

void tool_limits_are_errors(void)
{
	signal(SIGXFSZ, SIG_IGN);
}

static int not_writable(const struct tool *t, int error)
{
	struct gcpu_error err;
	const char *name = t->value[OPT_OUTPUT];

	error_set(&err, GCPU_ERR_KVM, "%.160s: %s", *name ? name : "''", strerror(error));
	err.os_error = error;
	error_expected(&err, "a writable file");
	return tool_fail(t, &err, NULL);
}

int tool_check_output(const struct tool *t)
{
	int error = tool_to_file(t) ? outfile_check(t->value[OPT_OUTPUT]) : 0;

	return error ? not_writable(t, error) : 0;
}

FILE *tool_output(const struct tool *t, int *ret_exit)
{
	int error;

	if (!tool_to_file(t))
		return stdout;
	error = outfile_open(&out, t->value[OPT_OUTPUT]);
	if (!error)
		return out.f;
	*ret_exit = not_writable(t, error);
	return NULL;
}

int tool_close_output(const struct tool *t, FILE *f)
{
	struct tool plain = *t;
	struct gcpu_error err;
	int why;

	if (f != stdout)
		why = outfile_close(&out, false);
	else
		why = ferror(f) || fflush(f) ? (errno ? errno : EIO) : 0;
	if (!why)
		return 0;
	error_set(&err, GCPU_ERR_KVM, "%.160s: could not be written: %s",
		  tool_to_file(t) ? t->value[OPT_OUTPUT] : "standard output", strerror(why));
	err.os_error = why;
	error_expected(&err, "room and permission");
	plain.json = t->json && f != stdout; /* where stdout fails, stderr is left */
	return tool_fail(&plain, &err, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Where a document goes: standard output, or a file that is replaced as a whole. */
#include "core/util.h"
#include "tool.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool tool_to_file(const struct tool *t)
{
	return t->value[OPT_OUTPUT] && strcmp(t->value[OPT_OUTPUT], "-") != 0;
}

/* What is a regular file, or nothing yet, is replaced only by a whole document;
 * a device or a pipe is written to. */
static bool replaces_file(const struct tool *t)
{
	struct stat st;

	return lstat(t->value[OPT_OUTPUT], &st) ? errno == ENOENT : S_ISREG(st.st_mode);
}

static void name_beside(const struct tool *t, char *buf, size_t n)
{
	snprintf(buf, n, "%s.%ld.tmp", t->value[OPT_OUTPUT], (long)getpid());
}

static FILE *open_beside(const struct tool *t)
{
	char path[PATH_MAX];
	struct stat st;

	/* a file that may not be written is not replaced either */
	if (stat(t->value[OPT_OUTPUT], &st) == 0 && access(t->value[OPT_OUTPUT], W_OK))
		return NULL;
	name_beside(t, path, sizeof(path));
	return fopen(path, "wx");
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
	const char *name = t->value[OPT_OUTPUT];
	char path[PATH_MAX];
	struct stat st;
	FILE *f;

	if (!tool_to_file(t))
		return 0;
	if (!*name)
		return not_writable(t, ENOENT);
	if (replaces_file(t)) {
		f = open_beside(t);
		if (!f)
			return not_writable(t, errno);
		fclose(f);
		name_beside(t, path, sizeof(path));
		unlink(path);
		return 0;
	}
	/* opened, a file behind a link would be empty, and a pipe at its end */
	if (stat(name, &st) == 0 && S_ISDIR(st.st_mode))
		return not_writable(t, EISDIR);
	return access(name, F_OK) == 0 && access(name, W_OK) ? not_writable(t, errno) : 0;
}

FILE *tool_output(const struct tool *t, int *ret_exit)
{
	FILE *f;

	if (!tool_to_file(t))
		return stdout;
	if (!*t->value[OPT_OUTPUT]) {
		*ret_exit = not_writable(t, ENOENT);
		return NULL;
	}
	f = replaces_file(t) ? open_beside(t) : fopen(t->value[OPT_OUTPUT], "w");
	if (!f)
		*ret_exit = not_writable(t, errno);
	return f;
}

int tool_close_output(const struct tool *t, FILE *f)
{
	struct tool plain = *t;
	struct gcpu_error err;
	int bad = ferror(f) || fflush(f);

	int why = errno;

	if (f != stdout) {
		char path[PATH_MAX];

		bad |= fclose(f);
		name_beside(t, path, sizeof(path));
		if (!bad && access(path, F_OK) == 0)
			bad = rename(path, t->value[OPT_OUTPUT]);
		why = bad ? errno : 0;
		if (bad)
			unlink(path);
	}
	if (!bad)
		return 0;
	error_set(&err, GCPU_ERR_KVM, "%.160s: could not be written",
		  t->value[OPT_OUTPUT] ? t->value[OPT_OUTPUT] : "standard output");
	err.os_error = why;
	error_expected(&err, "room and permission");
	plain.json = t->json && f != stdout; /* where stdout fails, stderr is left */
	return tool_fail(&plain, &err, NULL);
}

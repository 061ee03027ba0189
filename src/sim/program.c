/* SPDX-License-Identifier: MIT */
#include "program.h"

#include "inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static int refuse(struct gcpu_error *err, const char *name, const char *why)
{
	error_set(err, GCPU_ERR_KVM, "%s: %s", name, why);
	error_expected(err, "a program that is linked dynamically and runs with the rights of who starts it");
	return GCPU_ERR_KVM;
}

int program_find(const char *name, char ret[PATH_MAX], struct gcpu_error *err)
{
	const char *dir = getenv("PATH");

	if (!*name) {
		error_set(err, GCPU_ERR_KVM, "an empty word is no program's name");
		error_expected(err, "a program's name or path");
		return GCPU_ERR_KVM;
	}
	if (strchr(name, '/')) {
		snprintf(ret, PATH_MAX, "%s", name);
		if (is_program(ret))
			return 0;
		if (access(name, F_OK) == 0)
			return error_os(err, EACCES, "%.160s: no program that can be started", name);
		return error_os(err, errno, "%.160s: no such program", name);
	}
	for (dir = dir ? dir : "/bin:/usr/bin"; *name && dir; dir = strchr(dir, ':') ? strchr(dir, ':') + 1 : NULL) {
		int n = (int)strcspn(dir, ":");

		snprintf(ret, PATH_MAX, "%.*s%s%s", n, dir, n ? "/" : "./", name);
		if (is_program(ret))
			return 0;
	}
	return error_os(err, ENOENT, "%.160s: no such program", name);
}

/* NULL, or why not. */
static const char *reason(enum inspected what)
{
	switch (what) {
	case INSPECT_STATIC:
		return "it is linked statically: nothing can be preloaded into it";
	case INSPECT_FOREIGN:
		return "a program of another architecture";
	case INSPECT_RIGHTS:
		return "it gains rights when it starts (setuid, setgid or capabilities): nothing is preloaded into it";
	case INSPECT_DAMAGED:
		return "it begins as a program and is none: not a whole ELF file";
	default:
		return NULL;
	}
}

int program_check(const char *path, const char *name, struct gcpu_error *err)
{
	char by[256], both[256];
	enum inspected what = inspect(AT_FDCWD, path, by, sizeof(by));
	const char *why = reason(what);

	if (what == INSPECT_NO_INTERPRETER) {
		error_os(err, ENOENT, "%.100s: there is no \"%.100s\", which is to start it", name, by);
		error_expected(err, "a script or program whose interpreter is there");
		return GCPU_ERR_KVM;
	}
	snprintf(both, sizeof(both), "%.90s%s%.90s", name, *by ? ", started by " : "", by);
	return why ? refuse(err, both, why) : 0;
}

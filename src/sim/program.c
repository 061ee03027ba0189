/* SPDX-License-Identifier: MIT */
#include "program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

int program_find(const char *name, char ret[PATH_MAX], struct gcpu_error *err)
{
	const char *dir = getenv("PATH");

	if (strchr(name, '/')) {
		snprintf(ret, PATH_MAX, "%s", name);
		if (is_program(ret))
			return 0;
		return error_os(err, access(name, F_OK) ? errno : EACCES, "%.160s: no program that can be started", name);
	}
	for (dir = dir ? dir : "/bin:/usr/bin"; *name && dir; dir = strchr(dir, ':') ? strchr(dir, ':') + 1 : NULL) {
		int n = (int)strcspn(dir, ":");

		snprintf(ret, PATH_MAX, "%.*s%s%s", n, dir, n ? "/" : "./", name);
		if (is_program(ret))
			return 0;
	}
	return error_os(err, ENOENT, "%.160s: no such program", name);
}

static int refuse(struct gcpu_error *err, const char *name, const char *why)
{
	error_set(err, GCPU_ERR_KVM, "%.100s: %s", name, why);
	error_expected(err, "a program that is linked dynamically and runs with the rights of who starts it");
	return GCPU_ERR_KVM;
}

/* The loader then ignores what it should preload. */
static bool gains_rights(const char *path, const struct stat *st)
{
	if ((st->st_mode & S_ISUID && st->st_uid != geteuid()) || (st->st_mode & S_ISGID && st->st_gid != getegid()))
		return true;
	return geteuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0;
}

static bool has_loader(int fd, const Elf64_Ehdr *h)
{
	Elf64_Phdr p;

	for (unsigned i = 0; i < h->e_phnum && h->e_phentsize == sizeof(p); i++)
		if (pread(fd, &p, sizeof(p), (off_t)(h->e_phoff + i * sizeof(p))) == (ssize_t)sizeof(p) &&
		    p.p_type == PT_INTERP)
			return true;
	return false;
}

/* NULL, or why not. */
static const char *judge(int fd, const char *path)
{
#ifdef __x86_64__
	const Elf64_Half machine = EM_X86_64;
#else
	const Elf64_Half machine = EM_AARCH64;
#endif
	const char *base = strrchr(path, '/');
	struct stat st;
	Elf64_Ehdr h;

	if (fstat(fd, &st))
		return strerror(errno);
	if (gains_rights(path, &st))
		return "it gains rights when it starts (setuid, setgid or capabilities): nothing is preloaded into it";
	if (pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0)
		return NULL;
	if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_machine != machine)
		return "a program of another architecture";
	/* the loader itself, run as a program, has none */
	if (!has_loader(fd, &h) && strncmp(base ? base + 1 : path, "ld", 2) != 0)
		return "it is linked statically: nothing can be preloaded into it";
	return NULL;
}

int program_check(const char *path, const char *name, struct gcpu_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const char *why;

	/* a program may be executed and not read */
	if (fd < 0)
		return 0;
	why = judge(fd, path);
	close(fd);
	return why ? refuse(err, name, why) : 0;
}

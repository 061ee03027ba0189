/* SPDX-License-Identifier: MIT */
#include "inspect.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* As much of a script's first line as kernels read, and as many scripts that start each other. */
#define LINE_MOST 256
#define SCRIPTS_MOST 5
#define NAME "/dev/kvm"

static bool gains_rights(int fd, const struct stat *st)
{
	if ((st->st_mode & S_ISUID && st->st_uid != geteuid()) || (st->st_mode & S_ISGID && st->st_gid != getegid()))
		return true;
	return geteuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

static enum inspected loader(int fd, const Elf64_Phdr *p, char *name, size_t room)
{
	size_t n = p->p_filesz < room ? (size_t)p->p_filesz : room;

	if (n == 0 || pread(fd, name, n, (off_t)p->p_offset) != (ssize_t)n)
		return INSPECT_DAMAGED;
	name[n - 1] = 0;
	return access(name, F_OK) && errno == ENOENT ? INSPECT_NO_INTERPRETER : INSPECT_FINE;
}

static enum inspected judge_elf(int fd, const char *path, char *name, size_t room)
{
#ifdef __x86_64__
	const Elf64_Half machine = EM_X86_64;
#else
	const Elf64_Half machine = EM_AARCH64;
#endif
	const char *base = strrchr(path, '/');
	struct stat st;
	Elf64_Ehdr h;
	Elf64_Phdr p;

	if (pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) || fstat(fd, &st))
		return INSPECT_DAMAGED;
	if (gains_rights(fd, &st))
		return INSPECT_RIGHTS;
	if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_machine != machine)
		return INSPECT_FOREIGN;
	if (h.e_phentsize != sizeof(p) || h.e_phnum == 0)
		return INSPECT_DAMAGED;
	for (unsigned i = 0; i < h.e_phnum; i++) {
		if (pread(fd, &p, sizeof(p), (off_t)(h.e_phoff + i * sizeof(p))) != (ssize_t)sizeof(p))
			return INSPECT_DAMAGED;
		if (p.p_type == PT_INTERP)
			return loader(fd, &p, name, room);
	}
	/* the loader itself, run as a program, has none */
	return strncmp(base ? base + 1 : path, "ld-", 3) == 0 ? INSPECT_FINE : INSPECT_STATIC;
}

/* The interpreter in a script's first line: "" if there is none. */
static void interpreter(const char *line, char *name, size_t room)
{
	size_t n;

	line += strspn(line, " \t");
	n = strcspn(line, " \t\n");
	snprintf(name, room, "%.*s", (int)n, line);
}

enum inspected inspect(int dir, const char *path, char *name, size_t room)
{
	char line[LINE_MOST], next[LINE_MOST], loads[LINE_MOST] = "";
	enum inspected what = INSPECT_FINE;

	*name = 0;
	for (unsigned i = 0; i < SCRIPTS_MOST; i++) {
		/* a pipe is not waited for */
		int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		ssize_t n = fd < 0 ? -1 : pread(fd, line, sizeof(line) - 1, 0);

		if (fd < 0 && i && errno == ENOENT)
			return INSPECT_NO_INTERPRETER;
		line[n > 0 ? n : 0] = 0;
		if (n >= SELFMAG && memcmp(line, ELFMAG, SELFMAG) == 0) {
			what = judge_elf(fd, path, loads, sizeof(loads));
			if (what == INSPECT_NO_INTERPRETER)
				snprintf(name, room, "%s", loads);
		}
		if (fd >= 0)
			close(fd);
		if (strncmp(line, "#!", 2) != 0)
			return what;
		interpreter(line + 2, next, sizeof(next));
		snprintf(name, room, "%s", next);
		path = next;
		dir = AT_FDCWD;
	}
	return INSPECT_FINE;
}

bool inspect_names_kvm(int dir, const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	void *at = MAP_FAILED;
	bool named = true;
	struct stat st;

	if (fd < 0)
		return true;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (at != MAP_FAILED) {
		named = memmem(at, (size_t)st.st_size, NAME, strlen(NAME));
		munmap(at, (size_t)st.st_size);
	}
	return named;
}

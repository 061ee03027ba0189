/* SPDX-License-Identifier: MIT */
/*
 * What a program starts has this library, too, whatever environment it is given: a child that lost the words for
 * the loader would have this machine's KVM. Where the loader takes no such words, or there is none, a
 * child that knows of /dev/kvm is noted down, and under the model refused. May come between vfork and exec: nothing is allocated.
 */
#include "preload.h"

#include "inspect.h"

#include <alloca.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PRELOAD_WORD "LD_PRELOAD="
#define SIM_WORD SIM_ENV "="
#define LIBRARY "libguestcpu-sim.so"
/* More than that is not put on a thread's stack. */
#define STACK_MOST (64U << 10)

NEXT_SLOT(execve);
NEXT_SLOT(execvpe);
NEXT_SLOT(fexecve);
NEXT_SLOT(execveat);
NEXT_SLOT(posix_spawn);
NEXT_SLOT(posix_spawnp);

/* As this process got them: "" in one that nobody watches. */
static char sim_word[PATH_MAX], library[PATH_MAX];

void exec_start(const char *told)
{
	Dl_info info;

	if (!dladdr((void *)&preload, &info) || strlen(info.dli_fname) >= sizeof(library) ||
	    strlen(told) + sizeof(SIM_WORD) > sizeof(sim_word))
		return;
	strcpy(library, info.dli_fname);
	snprintf(sim_word, sizeof(sim_word), SIM_WORD "%s", told);
	/* looked for now: a child of vfork or a signal handler cannot */
	NEXT(execve);
	NEXT(execvpe);
	NEXT(fexecve);
}

/* Which of our words an environment has. */
struct words {
	size_t n;	     /* of all */
	const char *preload; /* LD_PRELOAD's, or NULL */
	bool loads, sim;
};

static struct words words_of(char *const *env)
{
	struct words w = { 0, NULL, false, false };

	for (; env && env[w.n]; w.n++) {
		w.sim |= strncmp(env[w.n], SIM_WORD, strlen(SIM_WORD)) == 0;
		/* the last is the one that the loader takes */
		if (strncmp(env[w.n], PRELOAD_WORD, strlen(PRELOAD_WORD)) == 0)
			w.preload = env[w.n];
	}
	w.loads = w.preload && strstr(w.preload, LIBRARY);
	return w;
}

/* Bytes that make() needs; 0: nothing is missing. */
static size_t room_of(char *const *env)
{
	struct words w = words_of(env);

	if (!*sim_word || (w.loads && w.sim))
		return 0;
	return (w.n + 3) * sizeof(char *) + sizeof(PRELOAD_WORD) + strlen(library) + 1 + (w.preload ? strlen(w.preload) : 0);
}

static char *const *make(char *const *env, char *at, size_t room)
{
	struct words w = words_of(env);
	char **to = (char **)at, *text;
	size_t n = 0;

	if (!room)
		return env;
	if (!at) {
		at = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		return at == MAP_FAILED ? env : make(env, at, room);
	}
	if (!w.loads) {
		const char *more = w.preload ? w.preload + strlen(PRELOAD_WORD) : "";

		/* behind the list */
		text = at + (w.n + 3) * sizeof(char *);
		sprintf(text, PRELOAD_WORD "%s%s%s", library, *more ? ":" : "", more);
		to[n++] = text;
	}
	if (!w.sim)
		to[n++] = sim_word;
	for (size_t i = 0; i < w.n; i++)
		if (w.loads || strncmp(env[i], PRELOAD_WORD, strlen(PRELOAD_WORD)) != 0)
			to[n++] = env[i];
	to[n] = NULL;
	return to;
}

/* ENV, with what it lacks, in this function's own memory. */
#define COMPLETED(name, env)                                                                  \
	size_t name##_room = room_of(env);                                                    \
	char *name##_at = name##_room && name##_room <= STACK_MOST ? alloca(name##_room) : NULL; \
	char *const *name = make(env, name##_at, name##_room)

static void say(const char *path)
{
	char text[400];
	int n = snprintf(text, sizeof(text), "guestcpu-sim: %.200s is refused: nothing can be preloaded into it, and it would "
			 "have this machine's /dev/kvm; expected: a program that is linked dynamically\n", path);

	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		return;
}

/* PATH is about to be executed. Is it refused? */
static bool refused(int dir, const char *path)
{
	struct sim_event e = { .kind = SIM_UNSEEN };
	const void *bytes[2] = { path, NULL };
	bool model = preload.kvm || preload.lost == SIM_MODEL;
	int error = errno;
	enum inspected what;
	bool suspect;
	char by[256];

	if (!*sim_word || !path || faccessat(dir, path, X_OK, AT_EACCESS)) {
		errno = error;
		return false;
	}
	what = inspect(dir, path, by, sizeof(by));
	/* as in another root, or with fewer rights than before: the loader starts it all the same, without a library */
	if (what == INSPECT_FINE && access(library, R_OK))
		what = INSPECT_ALONE;
	/* what cannot be started at all is the kernel's to refuse; what does not know where KVM is does not go there */
	suspect = what == INSPECT_RIGHTS || ((what == INSPECT_STATIC || what == INSPECT_FOREIGN || what == INSPECT_ALONE) &&
					     inspect_names_kvm(*by ? AT_FDCWD : dir, *by ? by : path));
	errno = error;
	if (!suspect)
		return false;
	/* helpers with rights, of networks mostly, are no VMMs: that they are not seen is all that is said */
	model = model && what != INSPECT_RIGHTS;
	e.arg = what;
	e.result = model ? -EACCES : 0;
	e.n[0] = (uint32_t)strlen(path) + 1;
	e.pid = (uint32_t)getpid();
	if (preload.log)
		sim_log_event(&preload.place, &e, bytes);
	if (!model)
		return false;
	say(path);
	errno = EACCES;
	return true;
}

static bool refused_fd(int fd)
{
	char link[40], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = 0;
	/* a file that has no name any more is still there under this one */
	return refused(AT_FDCWD, access(path, F_OK) ? link : path);
}

/* As libc looks for it. */
static bool refused_name(const char *name)
{
	const char *dir = getenv("PATH");
	char path[PATH_MAX];
	struct stat st;

	if (!*sim_word || !name || strchr(name, '/'))
		return refused(AT_FDCWD, name);
	for (dir = dir ? dir : "/bin:/usr/bin"; *name && dir; dir = strchr(dir, ':') ? strchr(dir, ':') + 1 : NULL) {
		int n = (int)strcspn(dir, ":");

		if (snprintf(path, sizeof(path), "%.*s%s%s", n, dir, n ? "/" : "./", name) >= (int)sizeof(path))
			continue;
		if (access(path, X_OK) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode))
			return refused(AT_FDCWD, path);
	}
	return false;
}

TAKEN int execve(const char *path, char *const argv[], char *const env[])
{
	COMPLETED(all, env);

	return refused(AT_FDCWD, path) ? -1 : NEXT(execve)(path, argv, all);
}

TAKEN int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

TAKEN int execvpe(const char *file, char *const argv[], char *const env[])
{
	COMPLETED(all, env);

	return refused_name(file) ? -1 : NEXT(execvpe)(file, argv, all);
}

TAKEN int execvp(const char *file, char *const argv[])
{
	return execvpe(file, argv, environ);
}

TAKEN int fexecve(int fd, char *const argv[], char *const env[])
{
	COMPLETED(all, env);

	return refused_fd(fd) ? -1 : NEXT(fexecve)(fd, argv, all);
}

TAKEN int execveat(int dir, const char *path, char *const argv[], char *const env[], int flags)
{
	bool empty = flags & AT_EMPTY_PATH && !*path;
	COMPLETED(all, env);

	return (empty ? refused_fd(dir) : refused(dir, path)) ? -1 : NEXT(execveat)(dir, path, argv, all, flags);
}

/* The words up to NULL, the first of which is FIRST, and NULL. */
#define WORDS(argv, ap, first)                                              \
	size_t n_words = 0;                                                 \
	va_list ap;                                                         \
	char **argv;                                                        \
	va_start(ap, first);                                                \
	for (const char *w = first; w; w = va_arg(ap, const char *))        \
		n_words++;                                                  \
	va_end(ap);                                                         \
	argv = alloca((n_words + 1) * sizeof(*argv));                       \
	va_start(ap, first);                                                \
	argv[0] = (char *)(uintptr_t)first;                                 \
	for (size_t i = 1; i <= n_words; i++)                               \
		argv[i] = va_arg(ap, char *)

TAKEN int execl(const char *path, const char *arg, ...)
{
	WORDS(argv, ap, arg);

	va_end(ap);
	return execve(path, argv, environ);
}

TAKEN int execlp(const char *file, const char *arg, ...)
{
	WORDS(argv, ap, arg);

	va_end(ap);
	return execvpe(file, argv, environ);
}

TAKEN int execle(const char *path, const char *arg, ...)
{
	char *const *env;
	WORDS(argv, ap, arg);

	env = va_arg(ap, char *const *);
	va_end(ap);
	return execve(path, argv, env);
}

TAKEN int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
		      char *const argv[], char *const env[])
{
	COMPLETED(all, env);

	return refused(AT_FDCWD, path) ? EACCES : NEXT(posix_spawn)(pid, path, actions, attr, argv, all);
}

TAKEN int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
		       char *const argv[], char *const env[])
{
	COMPLETED(all, env);

	return refused_name(file) ? EACCES : NEXT(posix_spawnp)(pid, file, actions, attr, argv, all);
}

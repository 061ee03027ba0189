/* SPDX-License-Identifier: MIT */
/* A child with a library preloaded, and memory to share with it. */
#include "launch.h"

#include "program.h"
#include "shared.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define LIBRARY "libguestcpu-sim.so"

/* Beside the command, as a build leaves it; where it is installed, wherever that tree stands now. */
static bool find_library(const char *wish, char *buf, size_t n)
{
	static const char *const places[] = { "%.*s/" LIBRARY, "%.*s/../" GUESTCPU_SIM_DIR "/" LIBRARY };
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *slash;

	if (wish) {
		snprintf(buf, n, "%s", wish);
		return access(buf, R_OK) == 0;
	}
	self[length > 0 ? length : 0] = 0;
	slash = strrchr(self, '/');
	for (size_t i = 0; slash && i < sizeof(places) / sizeof(places[0]); i++) {
		char path[PATH_MAX + 100];

		snprintf(path, sizeof(path), places[i], (int)(slash - self), self);
		if (access(path, R_OK) == 0 && realpath(path, buf))
			return true;
	}
	snprintf(buf, n, "%s/" LIBRARY, GUESTCPU_SIM_INSTALLED);
	return access(buf, R_OK) == 0;
}

static int find_it(const struct sim_launch *l, char path[PATH_MAX], struct gcpu_error *err)
{
	if (!find_library(l->library, path, PATH_MAX)) {
		error_set(err, GCPU_ERR_KVM, LIBRARY ": not found");
		error_expected(err, "the library beside the command, or in %s", GUESTCPU_SIM_INSTALLED);
		return GCPU_ERR_KVM;
	}
	/* the loader takes a list, and knows no way to write these in it */
	if (strpbrk(path, " :"))
		return error_set(err, GCPU_ERR_KVM, "%.160s: a path with a blank or a colon cannot be preloaded", path);
	return 0;
}

/* In the child. */
static void become(const struct sim_launch *l, const char *program, const char *library, const char *memory, int fd,
		   int *error)
{
	const char *already = getenv("LD_PRELOAD");
	char *all = NULL;
	sigset_t none;

	if (fd >= SIM_FIRST_FD)
		fcntl(fd, F_SETFD, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (asprintf(&all, "%s%s%s", library, already && *already ? ":" : "", already ? already : "") < 0 ||
	    setenv("LD_PRELOAD", all, 1) || setenv(SIM_ENV, memory, 1) ||
	    (l->stdout_is_ours && dup2(STDERR_FILENO, STDOUT_FILENO) < 0))
		*error = errno;
	else if (execv(program, l->argv))
		*error = errno;
	_exit(127);
}

static volatile sig_atomic_t child;
/* The program itself has ended, and nobody waits for what it left behind any more. */
static volatile sig_atomic_t enough;

static void pass_on(int number)
{
	int error = errno;

	if (child <= 0) {
		enough = 1;
		signal(number, SIG_DFL);
	} else if (number != SIGINT && number != SIGQUIT) {
		kill((pid_t)child, number);
	}
	errno = error;
}

/* What a terminal sends goes to the program as well: we outlive it, to say what it did. */
static const struct {
	int signal;
	void (*handler)(int);
} handlers[] = { { SIGINT, pass_on }, { SIGQUIT, pass_on }, { SIGTTOU, SIG_IGN },
		 { SIGTERM, pass_on }, { SIGHUP, pass_on } };
#define N_HANDLERS (sizeof(handlers) / sizeof(handlers[0]))

/* The program's processes, also those that have let go of it. Its own status. */
static int wait_for_all(pid_t pid)
{
	int status, own = 0;
	pid_t ended;

	for (;;) {
		ended = waitpid(-1, &status, 0);
		if (ended < 0 && (errno != EINTR || enough))
			return own;
		if (ended == pid) {
			own = status;
			child = 0; /* the number may be another's by now */
		}
	}
}

/* ERROR: memory that the child has, too, but no program: why it could not be started. */
static int start_and_wait(const struct sim_launch *l, const char *program, const char *library, const char *memory,
			  int fd, int *error, struct sim_ended *ret, struct gcpu_error *err)
{
	struct sigaction was[N_HANDLERS], now = { 0 };
	struct termios terminal;
	sigset_t all, mask;
	bool is_terminal = tcgetattr(STDIN_FILENO, &terminal) == 0;
	pid_t pid;
	int status;

	fflush(stdout);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	/* a signal that comes as soon as the program is there is passed on, too */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &mask);
	pid = fork();
	if (pid == 0)
		become(l, program, library, memory, fd, error);
	if (pid < 0) {
		status = errno;
		sigprocmask(SIG_SETMASK, &mask, NULL);
		return error_os(err, status, "fork");
	}
	child = pid;
	for (size_t i = 0; i < N_HANDLERS; i++) {
		now.sa_handler = handlers[i].handler;
		sigaction(handlers[i].signal, &now, &was[i]);
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	status = wait_for_all(pid);
	child = 0;
	/* a program that was stopped in the middle has not put its terminal in order */
	if (is_terminal)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal);
	for (size_t i = 0; i < N_HANDLERS; i++)
		sigaction(handlers[i].signal, &was[i], NULL);
	ret->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	ret->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	return 0;
}

static int what_failed(const struct sim_launch *l, const struct sim_log *log, struct gcpu_error *err)
{
	if (log->failed)
		return error_set(err, GCPU_ERR_KVM, "%s", log->why);
	if (!log->attached)
		return error_set(err, GCPU_ERR_KVM, "%.100s: the library was not loaded into it", l->argv[0]);
	return 0;
}

static int run_it(const struct sim_launch *l, const char *program, const char *library, const struct shared *shared,
		  struct sim_ended *ret, struct gcpu_error *err)
{
	int *error = mmap(NULL, sizeof(*error), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), status;
	char memory[64];

	if (error == MAP_FAILED)
		return error_memory(err);
	/* by a path, too: a process may close whatever it was given */
	snprintf(memory, sizeof(memory), "%s/proc/%ld/fd/%d", l->mode == SIM_MODEL ? SIM_ENV_MODEL : SIM_ENV_TRACE,
		 (long)getpid(), shared->fd);
	status = start_and_wait(l, program, library, memory, shared->fd, error, ret, err);
	if (status == 0 && *error)
		status = error_os(err, *error, "%.100s: cannot be started", l->argv[0]);
	munmap(error, sizeof(*error));
	return status;
}

int sim_launch(const struct sim_launch *l, struct sim_ended *ret, struct gcpu_error *err)
{
	char program[PATH_MAX], library[PATH_MAX];
	struct shared shared;
	int status;

	memset(ret, 0, sizeof(*ret));
	status = find_it(l, library, err);
	if (status == 0)
		status = program_find(l->argv[0], program, err);
	if (status == 0)
		status = program_check(program, l->argv[0], err);
	if (status == 0)
		status = shared_new(l, &shared, err);
	if (status)
		return status;
	status = run_it(l, program, library, &shared, ret, err);
	if (status == 0)
		status = shared_take(&shared, l->argv[0], &ret->log, err);
	if (status == 0)
		status = what_failed(l, ret->log, err);
	shared_free(&shared);
	if (status)
		sim_ended_free(ret);
	return status;
}

void sim_ended_free(struct sim_ended *e)
{
	if (e->log)
		munmap(e->log, (size_t)e->log->size);
	e->log = NULL;
}

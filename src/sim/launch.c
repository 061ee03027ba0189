/* SPDX-License-Identifier: MIT */
/* A child with a library preloaded, and memory to share with it. */
#include "launch.h"

#include "program.h"

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

/* A limit on the size of files is an error then, not the end. */
static int set_size(int fd, size_t size)
{
	struct sigaction was, ignore = { .sa_handler = SIG_IGN };
	int r;

	sigaction(SIGXFSZ, &ignore, &was);
	r = ftruncate(fd, (off_t)size) ? errno : 0;
	sigaction(SIGXFSZ, &was, NULL);
	return r;
}

static int make_log(const struct sim_launch *l, int *ret_fd, struct sim_log **ret, struct gcpu_error *err)
{
	size_t head = (sizeof(struct sim_log) + 63) & ~(size_t)63, size = head + SIM_PAD(l->n_snapshot) + SIM_LOG_ROOM;
	int fd = memfd_create("guestcpu-sim", MFD_CLOEXEC);
	struct sim_log *log;
	int error;

	if (fd < 0)
		return error_os(err, errno, "memfd_create");
	error = set_size(fd, size);
	log = error ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (log == MAP_FAILED) {
		error = error_os(err, error ? error : errno, "memory to record in");
		close(fd);
		return error;
	}
	log->magic = SIM_MAGIC;
	log->size = size;
	log->mode = l->mode;
	log->snapshot_at = head;
	log->n_snapshot = (uint32_t)l->n_snapshot;
	log->events_at = head + SIM_PAD(l->n_snapshot);
	snprintf(log->kernel, sizeof(log->kernel), "%s", l->kernel ? l->kernel : "");
	if (l->n_snapshot)
		memcpy((char *)log + head, l->snapshot, l->n_snapshot);
	*ret_fd = fd;
	*ret = log;
	return 0;
}

#define FIRST_FD 200 /* out of the way of what programs count on */

/* Where it disturbs nobody, if it may be there: a child gets it as well then. */
static int move_up(int fd)
{
	int up = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);

	if (up < 0)
		return fd;
	close(fd);
	return up;
}

/* In the child. */
static void become(const struct sim_launch *l, const char *program, const char *library, const char *memory, int fd,
		   struct sim_log *log)
{
	const char *already = getenv("LD_PRELOAD");
	char *all = NULL;
	sigset_t none;

	if (fd >= FIRST_FD)
		fcntl(fd, F_SETFD, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (asprintf(&all, "%s%s%s", library, already && *already ? ":" : "", already ? already : "") < 0 ||
	    setenv("LD_PRELOAD", all, 1) || setenv(SIM_ENV, memory, 1) ||
	    (l->stdout_is_ours && dup2(STDERR_FILENO, STDOUT_FILENO) < 0))
		log->exec_error = errno;
	else if (execv(program, l->argv))
		log->exec_error = errno;
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

static int start_and_wait(const struct sim_launch *l, const char *program, const char *library, const char *memory,
			  int fd, struct sim_ended *ret, struct gcpu_error *err)
{
	struct sigaction was[N_HANDLERS], now = { 0 };
	struct termios terminal;
	bool is_terminal = tcgetattr(STDIN_FILENO, &terminal) == 0;
	pid_t pid;
	int status;

	fflush(stdout);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	pid = fork();
	if (pid < 0)
		return error_os(err, errno, "fork");
	if (pid == 0)
		become(l, program, library, memory, fd, ret->log);
	child = pid;
	for (size_t i = 0; i < N_HANDLERS; i++) {
		now.sa_handler = handlers[i].handler;
		sigaction(handlers[i].signal, &now, &was[i]);
	}
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

static int what_failed(const struct sim_launch *l, const struct sim_ended *e, struct gcpu_error *err)
{
	struct sim_log *log = e->log;

	log->why[sizeof(log->why) - 1] = 0;
	if (log->exec_error)
		return error_os(err, log->exec_error, "%.100s: cannot be started", l->argv[0]);
	if (atomic_load(&log->failed))
		return error_set(err, GCPU_ERR_KVM, "%s", log->why);
	if (!atomic_load(&log->attached))
		return error_set(err, GCPU_ERR_KVM, "%.100s: the library was not loaded into it", l->argv[0]);
	return 0;
}

int sim_launch(const struct sim_launch *l, struct sim_ended *ret, struct gcpu_error *err)
{
	char program[PATH_MAX], library[PATH_MAX], memory[64];
	int fd = -1, status;

	memset(ret, 0, sizeof(*ret));
	status = find_it(l, library, err);
	if (status == 0)
		status = program_find(l->argv[0], program, err);
	if (status == 0)
		status = program_check(program, l->argv[0], err);
	if (status == 0)
		status = make_log(l, &fd, &ret->log, err);
	if (status)
		return status;
	fd = move_up(fd);
	/* by a path, too: a process may close whatever it was given */
	snprintf(memory, sizeof(memory), "%s/proc/%ld/fd/%d", l->mode == SIM_MODEL ? SIM_ENV_MODEL : SIM_ENV_TRACE,
		 (long)getpid(), fd);
	status = start_and_wait(l, program, library, memory, fd, ret, err);
	close(fd);
	if (status == 0)
		status = what_failed(l, ret, err);
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

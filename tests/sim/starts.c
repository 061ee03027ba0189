/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "starts.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void need(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "rough: %s: %s\n", what, strerror(errno));
	exit(9);
}

enum { WAYS = 13 };

/* One of the ways to start a program, here with an environment in which there is nothing. */
static int start_one(unsigned way, const char *path)
{
	static char *none[] = { NULL };
	char *args[] = { (char *)(uintptr_t)path, (char *)"exit", (char *)"0", NULL };
	extern char **environ;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	pid_t pid;

	environ = none;
	switch (way) {
	case 0: return execve(path, args, none);
	case 1: return execv(path, args);
	case 2: return execvp(path, args);
	case 3: return execvpe(path, args, none);
	case 4: return execl(path, path, "exit", "0", (char *)NULL);
	case 5: return execlp(path, path, "exit", "0", (char *)NULL);
	case 6: return execle(path, path, "exit", "0", (char *)NULL, none);
	case 7: return fexecve(fd, args, none);
	case 8: return execveat(AT_FDCWD, path, args, none, 0);
	case 9: return execveat(fd, "", args, NULL, AT_EMPTY_PATH);
	case 10: return (int)syscall(SYS_execve, path, args, none);
	case 11: return posix_spawn(&pid, path, NULL, NULL, args, none) || waitpid(pid, &fd, 0) != pid || fd;
	case 12: return posix_spawnp(&pid, path, NULL, NULL, args, none) || waitpid(pid, &fd, 0) != pid || fd;
	}
	return 9;
}

void starts(const char *path)
{
	char *none[] = { NULL }, *args[] = { (char *)(uintptr_t)path, (char *)"exit", (char *)"0", NULL };
	int status;
	pid_t pid;

	for (unsigned way = 0; way < WAYS; way++) {
		char text[40];

		snprintf(text, sizeof(text), "way %u", way);
		pid = fork();
		if (pid == 0)
			_exit(start_one(way, path) ? 1 : 0);
		need(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, text);
	}
	pid = vfork();
	if (pid == 0) {
		execve(path, args, none);
		_exit(1);
	}
	need(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "vfork");
}

/* What cannot be started is refused as by the kernel. */
void not_started(const char *path)
{
	char *args[] = { (char *)(uintptr_t)path, NULL };
	extern char **environ;
	pid_t pid;

	need(execve(path, args, environ) < 0 && errno == EACCES, "execve");
	need(execvp(path, args) < 0 && errno == EACCES, "execvp");
	need(posix_spawn(&pid, path, NULL, NULL, args, environ) == EACCES, "posix_spawn");
	need(execve("/no/such/program", args, environ) < 0 && errno == ENOENT, "/no/such/program");
	need(execve("/", args, environ) < 0 && errno == EACCES, "/");
	need(execve((char *)1, args, environ) < 0 && errno == EFAULT, "no text");
}

/* SPDX-License-Identifier: MIT */
/*
 * The preloaded library: takes the calls from libc through which a VMM reaches /dev/kvm, and
 * passes all others on. Whatever it does, errno is what libc would have left.
 */
#include "preload.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct preload preload;

void *next_of(_Atomic(void *) *slot, const char *name)
{
	void *p = atomic_load_explicit(slot, memory_order_acquire);

	if (!p) {
		p = dlsym(RTLD_NEXT, name);
		if (!p) {
			fprintf(stderr, "guestcpu-sim: no %s() behind this one\n", name);
			_exit(127);
		}
		atomic_store_explicit(slot, p, memory_order_release);
	}
	return p;
}

/* NULL and *ret_error: 0, where it is something else. */
static struct sim_log *map_fd(int fd, int *ret_error)
{
	struct sim_log *log;
	struct stat st;

	*ret_error = 0;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (size_t)st.st_size < sizeof(*log))
		return NULL;
	log = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (log == MAP_FAILED) {
		*ret_error = errno;
		return NULL;
	}
	if (sim_log_place(log, (uint64_t)st.st_size, &preload.place))
		return log;
	munmap(log, (size_t)st.st_size);
	return NULL;
}

/*
 * Two ways, since a program may close what it was given, and may become somebody whom the kernel does not
 * let look at the command, or look where another /proc is. *ret_error: why there is none.
 */
static struct sim_log *map_log(const char *path, int *ret_error)
{
	const char *number = strrchr(path, '/');
	struct sim_log *log = NULL;
	int fd;

	if (number && number[1] >= '0' && number[1] <= '9')
		log = map_fd((int)strtol(number + 1, NULL, 10), ret_error);
	if (log || *ret_error == ENOMEM)
		return log;
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	*ret_error = errno;
	if (fd < 0)
		return NULL;
	log = map_fd(fd, ret_error);
	*ret_error = *ret_error ? *ret_error : EINVAL;
	syscall(SYS_close, fd);
	return log;
}

/* What the command says of how this process was started, or 0. *ret_path: its memory. */
static enum sim_mode mode_of(const char *told, const char **ret_path)
{
	static const char *const words[] = { [SIM_TRACE] = SIM_ENV_TRACE, [SIM_MODEL] = SIM_ENV_MODEL };

	for (unsigned mode = SIM_TRACE; told && mode <= SIM_MODEL; mode++)
		if (strncmp(told, words[mode], strlen(words[mode])) == 0) {
			*ret_path = told + strlen(words[mode]);
			return (enum sim_mode)mode;
		}
	return 0;
}

__attribute__((constructor)) static void start(void)
{
	const char *path = NULL;
	enum sim_mode mode = mode_of(getenv(SIM_ENV), &path);
	struct sim_log *log = mode ? map_log(path, &preload.lost_error) : NULL;

	if (mode)
		exec_start(getenv(SIM_ENV));
	if (mode && !log)
		preload.lost = mode;
	if (!log)
		return;
	atomic_fetch_add(&log->attached, 1);
	preload.mode = (enum sim_mode)log->mode;
	if (preload.mode == SIM_MODEL)
		model_start(log);
	preload.log = log;
}

/* What this process does will not be known; and the machine's KVM is not what it was promised. */
static int refuse_lost(void)
{
	fprintf(stderr, "guestcpu-sim: /dev/kvm is refused to process %ld: it cannot reach the software KVM's memory (%s); "
			"expected: the user, the /proc and the limits of guestcpu sim, or the descriptors that it gave\n",
		(long)getpid(), strerror(preload.lost_error));
	errno = EACCES;
	return -1;
}

static void say_lost(void)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&said))
		fprintf(stderr, "guestcpu-sim: what process %ld asks of /dev/kvm is not recorded: it cannot reach the memory "
				"to record in (%s); expected: the user, the /proc and the limits of guestcpu trace, or the "
				"descriptors that it gave\n", (long)getpid(), strerror(preload.lost_error));
}

/* A descriptor of KVM's, or NULL; for calls that need not be one. */
static struct object *ours(int fd)
{
	return preload.log ? fds_find(fd) : NULL;
}

/* open and its kin */

static bool takes_open(int dir, const char *path, int flags)
{
	return (preload.kvm || preload.lost == SIM_MODEL) && leads_to_kvm(dir, path, !(flags & O_NOFOLLOW));
}

static int taken(int flags)
{
	return preload.kvm ? model_open(flags) : refuse_lost();
}

static int opened(const char *path, int fd)
{
	if (preload.lost == SIM_TRACE && is_kvm_path(path)) {
		int error = errno;

		say_lost();
		errno = error;
	}
	if (preload.log && !preload.kvm && is_kvm_path(path)) {
		int error = errno;

		kvm_opened(fd < 0 ? -error : fd, -1);
		errno = error;
	}
	return fd;
}

#define MODE_OF(mode, flags)                              \
	do {                                              \
		va_list ap;                               \
		va_start(ap, flags);                      \
		/* O_TMPFILE has O_DIRECTORY in it */     \
		if (((flags) & O_CREAT) || ((flags) & O_TMPFILE) == O_TMPFILE) \
			mode = va_arg(ap, mode_t);        \
		va_end(ap);                               \
	} while (0)

#define TAKE_OPEN(name)                                                           \
	NEXT_SLOT(name);                                                          \
	TAKEN int name(const char *path, int flags, ...)                          \
	{                                                                         \
		mode_t mode = 0;                                                  \
		MODE_OF(mode, flags);                                             \
		return takes_open(AT_FDCWD, path, flags) ? taken(flags) : \
					  opened(path, NEXT(name)(path, flags, mode)); \
	}
#define TAKE_OPENAT(name)                                                         \
	NEXT_SLOT(name);                                                          \
	TAKEN int name(int dir, const char *path, int flags, ...)                 \
	{                                                                         \
		mode_t mode = 0;                                                  \
		MODE_OF(mode, flags);                                             \
		return takes_open(dir, path, flags) ? taken(flags) : \
					  opened(path, NEXT(name)(dir, path, flags, mode)); \
	}
/* What a program built with _FORTIFY_SOURCE calls. */
#define TAKE_OPEN_2(name)                                                         \
	int name(const char *path, int flags);                                    \
	NEXT_SLOT(name);                                                          \
	TAKEN int name(const char *path, int flags)                               \
	{                                                                         \
		return takes_open(AT_FDCWD, path, flags) ? taken(flags) : opened(path, NEXT(name)(path, flags)); \
	}
#define TAKE_OPENAT_2(name)                                                       \
	int name(int dir, const char *path, int flags);                           \
	NEXT_SLOT(name);                                                          \
	TAKEN int name(int dir, const char *path, int flags)                      \
	{                                                                         \
		return takes_open(dir, path, flags) ? taken(flags) : opened(path, NEXT(name)(dir, path, flags)); \
	}

TAKE_OPEN(open)
TAKE_OPEN(open64)
TAKE_OPENAT(openat)
TAKE_OPENAT(openat64)
TAKE_OPEN_2(__open_2)
TAKE_OPEN_2(__open64_2)
TAKE_OPENAT_2(__openat_2)
TAKE_OPENAT_2(__openat64_2)

/* ioctl */

NEXT_SLOT(ioctl);
TAKEN int ioctl(int fd, unsigned long request, ...)
{
	struct object *o = NULL;
	bool refused = false;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (preload.log && IS_KVM_REQUEST(request)) {
		/* some pass the number as an int: its sign is extended */
		request = (uint32_t)request;
		o = fds_find(fd);
		if (!o)
			o = kvm_found(fd, request, &refused);
	}
	if (preload.lost == SIM_MODEL && IS_KVM_REQUEST(request) && is_kvm_device(fd))
		return refuse_lost();
	if (refused) {
		errno = EIO;
		return -1;
	}
	return o ? kvm_ioctl(fd, o, request, (uintptr_t)arg) : NEXT(ioctl)(fd, request, arg);
}

/* descriptors come and go */

NEXT_SLOT(close);
TAKEN int close(int fd)
{
	/* first: once it is closed, another thread may get the number */
	if (ours(fd))
		kvm_closed(fd);
	return NEXT(close)(fd);
}

static void close_many(unsigned first, unsigned last)
{
	for (unsigned fd = first; preload.log && fd <= last && fd < (unsigned)fds_end(); fd++)
		if (fds_find((int)fd))
			kvm_closed((int)fd);
}

NEXT_SLOT(close_range);
TAKEN int close_range(unsigned first, unsigned last, int flags)
{
	if (!(flags & CLOSE_RANGE_CLOEXEC))
		close_many(first, last);
	return NEXT(close_range)(first, last, flags);
}

NEXT_SLOT(closefrom);
TAKEN void closefrom(int first)
{
	close_many(first < 0 ? 0 : (unsigned)first, FDS_MOST);
	NEXT(closefrom)(first);
}

static int dupped(int from, int to)
{
	if (to >= 0 && (ours(from) || ours(to))) {
		int error = errno;

		kvm_dupped(from, to);
		errno = error;
	}
	return to;
}

NEXT_SLOT(dup);
TAKEN int dup(int fd)
{
	return dupped(fd, NEXT(dup)(fd));
}

NEXT_SLOT(dup2);
TAKEN int dup2(int from, int to)
{
	return dupped(from, NEXT(dup2)(from, to));
}

NEXT_SLOT(dup3);
TAKEN int dup3(int from, int to, int flags)
{
	return dupped(from, NEXT(dup3)(from, to, flags));
}

#define TAKE_FCNTL(name)                                                                        \
	NEXT_SLOT(name);                                                                        \
	TAKEN int name(int fd, int command, ...)                                                \
	{                                                                                       \
		va_list ap;                                                                     \
		void *arg;                                                                      \
		int r;                                                                          \
		va_start(ap, command);                                                          \
		arg = va_arg(ap, void *);                                                       \
		va_end(ap);                                                                     \
		r = NEXT(name)(fd, command, arg);                                               \
		return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? dupped(fd, r) : r;    \
	}

TAKE_FCNTL(fcntl)
TAKE_FCNTL(fcntl64)

/* libc has no function for arch_prctl with these codes. */
NEXT_SLOT(syscall);
TAKEN long syscall(long number, ...)
{
	long a[6], r;
	bool done = false;
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_execve)
		return execve((const char *)a[0], (char *const *)a[1], (char *const *)a[2]);
	if (number == SYS_execveat)
		return execveat((int)a[0], (const char *)a[1], (char *const *)a[2], (char *const *)a[3], (int)a[4]);
#ifdef SYS_arch_prctl
	r = number == SYS_arch_prctl ? process_perm((int)a[0], (uintptr_t)a[1], &done) : 0;
#else
	r = 0;
#endif
	return done ? r : NEXT(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* SPDX-License-Identifier: MIT */
#include "shared.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A limit on the size of files is an error then, not the end. What is mapped stays there, whoever has the descriptor. */
static int set_size(int fd, size_t size)
{
	struct sigaction was, ignore = { .sa_handler = SIG_IGN };
	int r;

	sigaction(SIGXFSZ, &ignore, &was);
	r = ftruncate(fd, (off_t)size) ? errno : 0;
	sigaction(SIGXFSZ, &was, NULL);
	if (r == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		r = errno;
	return r;
}

/* Where it disturbs nobody, if it may be there: a child gets it as well then. */
static int move_up(int fd)
{
	int up = fcntl(fd, F_DUPFD_CLOEXEC, SIM_FIRST_FD);

	if (up < 0)
		return fd;
	close(fd);
	return up;
}

int shared_new(const struct sim_launch *l, struct shared *ret, struct gcpu_error *err)
{
	size_t head = (sizeof(struct sim_log) + 63) & ~(size_t)63, size = head + SIM_PAD(l->n_snapshot) + SIM_LOG_ROOM;
	int fd = memfd_create("guestcpu-sim", MFD_CLOEXEC | MFD_ALLOW_SEALING);
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
	ret->fd = move_up(fd);
	ret->log = log;
	ret->snapshot = l->snapshot;
	memcpy(&ret->first, log, sizeof(ret->first));
	return 0;
}

void shared_free(struct shared *r)
{
	munmap(r->log, (size_t)r->first.size);
	close(r->fd);
}

/* What the command wrote is there, and of the rest what the library may have written. */
static bool is_intact(const struct shared *r, const struct sim_log *now)
{
	const struct sim_log *first = &r->first;

	if (now->magic != first->magic || now->size != first->size || now->mode != first->mode ||
	    now->n_snapshot != first->n_snapshot || now->snapshot_at != first->snapshot_at ||
	    now->events_at != first->events_at || memcmp(now->kernel, first->kernel, sizeof(now->kernel)) != 0)
		return false;
	if (now->n_snapshot && memcmp((const char *)r->log + first->snapshot_at, r->snapshot, first->n_snapshot) != 0)
		return false;
	return now->failed <= 1 && now->stopped <= SIM_STOPPED_BUSY && now->own_cpuid <= SIM_CPUID_LEAKED &&
	       now->used % 8 == 0 && (now->attached || !now->used) && memchr(now->why, 0, sizeof(now->why));
}

int shared_take(const struct shared *r, const char *name, struct sim_log **ret, struct gcpu_error *err)
{
	uint64_t room = r->first.size - r->first.events_at, n, most;
	struct sim_log now, *log;

	memcpy(&now, r->log, sizeof(now));
	if (!is_intact(r, &now)) {
		error_set(err, GCPU_ERR_KVM, "%.100s: it damaged the record of its calls, which is in its descriptor %d", name, r->fd);
		error_expected(err, "a program that does not write to descriptors that it did not open");
		return GCPU_ERR_KVM;
	}
	n = now.used < room ? now.used : room;
	log = mmap(NULL, (size_t)(now.events_at + n), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (log == MAP_FAILED)
		return error_memory(err);
	/* each descriptor has an event; one that was about to get it may have its number already */
	most = n / sizeof(struct sim_event) + 4096;
	if (now.n_objects > most)
		now.n_objects = (uint32_t)most;
	now.size = now.events_at + n;
	memcpy(log, &now, sizeof(now));
	memcpy((char *)log + now.events_at, (const char *)r->log + now.events_at, (size_t)n);
	*ret = log;
	return 0;
}

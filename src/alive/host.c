/* SPDX-License-Identifier: MIT */
/* What the host adds to an exercise: its clock, a competitor for a CPU, KVM's statistics. */
#include "lab.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/util.h"
#include "kvm/abi.h"

#define NOT_PLAYED (-ENOSYS) /* for the statistics of a software KVM; no ioctl gives it */
#define STAT_NAME_MOST 256 /* bytes; KVM has 48 */

struct competitor {
	pthread_t thread;
	int cpu;
	int stop;
};

int64_t host_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

const char *answer(int r)
{
	const char *name = r < 0 ? errno_name(-r) : "taken";

	return name ? name : "another errno";
}

static void *compete(void *arg)
{
	struct competitor *c = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(c->cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED))
		;
	return NULL;
}

struct competitor *competitor_start(int cpu)
{
	struct competitor *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->cpu = cpu;
	if (pthread_create(&c->thread, NULL, compete, c)) {
		free(c);
		return NULL;
	}
	return c;
}

void competitor_stop(struct competitor *c)
{
	if (!c)
		return;
	__atomic_store_n(&c->stop, 1, __ATOMIC_RELAXED);
	pthread_join(c->thread, NULL);
	free(c);
}

bool lab_on_model(const struct lab *lab)
{
	return lab->alive->o->model;
}

int lab_stats_open(const struct lab *lab, int fd)
{
	const struct gcpu_kvm *kvm = lab->alive->o->kvm;

	return lab_on_model(lab) ? NOT_PLAYED : kvm->ops->ioctl(kvm->ctx, fd, GK_GET_STATS_FD, 0);
}

void lab_stats_close(int stats)
{
	if (stats >= 0)
		close(stats);
}

int lab_no_stat(struct outcome *out, int stats, const char *name)
{
	if (stats == NOT_PLAYED)
		return say(out, GCPU_ALIVE_UNTESTABLE, "%s would show it: the software KVM keeps no statistics", name);
	if (stats >= 0 || stats == -ENOTTY)
		return say(out, GCPU_ALIVE_INCONCLUSIVE, "this kernel has no %s", name);
	return say(out, GCPU_ALIVE_INCONCLUSIVE, "%s cannot be read: KVM_GET_STATS_FD: %s", name, strerror(-stats));
}

static bool read_at(int fd, void *buf, size_t n, uint64_t offset)
{
	ssize_t got;

	do {
		got = pread(fd, buf, n, (off_t)offset);
	} while (got < 0 && errno == EINTR);
	return got >= 0 && (size_t)got == n;
}

int64_t lab_stat(int stats, const char *name)
{
	struct gk_stats_header head;
	union {
		struct gk_stats_desc d;
		char bytes[sizeof(struct gk_stats_desc) + STAT_NAME_MOST];
	} one;
	int64_t value;

	if (stats < 0 || !read_at(stats, &head, sizeof(head), 0) || head.name_size > STAT_NAME_MOST)
		return -1;
	for (uint32_t i = 0; i < head.num_desc; i++) {
		size_t size = sizeof(one.d) + head.name_size;

		if (!read_at(stats, &one, size, head.desc_offset + (uint64_t)i * size))
			return -1;
		if (strncmp(one.bytes + sizeof(one.d), name, head.name_size) != 0)
			continue;
		return read_at(stats, &value, sizeof(value), (uint64_t)head.data_offset + one.d.offset) ? value : -1;
	}
	return -1;
}

/* SPDX-License-Identifier: MIT */
/* The memory that a program's processes record in, after a program that writes there what it likes. */
#include "unit.h"

#include "../../src/sim/shared.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

static char snapshot[100] = "what a snapshot says";

static void begin(struct shared *s)
{
	const struct sim_launch l = { .mode = SIM_MODEL, .snapshot = snapshot, .n_snapshot = sizeof(snapshot), .kernel = "6.1" };
	struct gcpu_error err;

	if (shared_new(&l, s, &err)) {
		printf("%s\n", err.text);
		exit(SKIPPED);
	}
	atomic_fetch_add(&s->log->attached, 1);
}

/* The status of taking it; what was taken is what was written. */
static int take(const struct shared *s, unsigned *ret_events)
{
	struct sim_ended ended = { .log = NULL };
	const struct sim_event *e = NULL;
	struct gcpu_error err;
	int status = shared_take(s, "vmm", &ended.log, &err);

	*ret_events = 0;
	if (status) {
		CHECK(status == GCPU_ERR_KVM && strstr(err.text, "vmm: it damaged the record"), "%s", err.text);
		return status;
	}
	while ((e = sim_log_next(ended.log, e)) != NULL)
		++*ret_events;
	sim_ended_free(&ended);
	return 0;
}

static void put(struct shared *s, unsigned n)
{
	struct sim_event e = { .kind = SIM_IOCTL, .n = { 5, 0 } };
	const void *const arg[2] = { "12345", NULL };
	struct sim_place place;

	CHECK(sim_log_place(s->log, s->first.size, &place), "as it was made");
	while (n--)
		sim_log_event(&place, &e, arg);
}

/* It stays as large as it is: what is mapped can always be read. */
static void sealed(void)
{
	struct shared s;
	unsigned n;

	begin(&s);
	CHECK(ftruncate(s.fd, 0) && errno == EPERM, "smaller");
	CHECK(ftruncate(s.fd, 1 << 30) && errno == EPERM, "larger");
	put(&s, 3);
	CHECK(take(&s, &n) == 0 && n == 3, "%u events", n);
	shared_free(&s);
}

/* Each byte of what the command wrote. */
static void header(void)
{
	struct shared s;
	struct sim_place place;
	unsigned n;

	begin(&s);
	put(&s, 2);
	for (size_t at = 0; at < offsetof(struct sim_log, used); at++) {
		((char *)s.log)[at] ^= 0x41;
		CHECK(take(&s, &n), "byte %zu", at);
		((char *)s.log)[at] ^= 0x41;
	}
	((char *)s.log)[s.first.snapshot_at + 7] ^= 1;
	CHECK(take(&s, &n), "the snapshot");
	((char *)s.log)[s.first.snapshot_at + 7] ^= 1;
	memset(s.log->why, 'x', sizeof(s.log->why));
	CHECK(take(&s, &n), "a text without end");
	memset(s.log->why, 0, sizeof(s.log->why));
	CHECK(take(&s, &n) == 0 && n == 2, "as it was: %u", n);
	/* a process does not follow it either */
	s.log->events_at = 1ULL << 40;
	CHECK(!sim_log_place(s.log, s.first.size, &place), "events beyond the end");
	s.log->events_at = s.first.events_at;
	s.log->n_snapshot = 0xfffffff0;
	CHECK(!sim_log_place(s.log, s.first.size, &place), "a snapshot beyond the end");
	shared_free(&s);
}

/* Whatever the counters say, nothing is read or written elsewhere. */
static void counters(void)
{
	static const uint64_t used[] = { 8, 1ULL << 40, 0xfffffffffffffff8, 0xffffffffffffffc0 };
	struct shared s;
	unsigned n;

	begin(&s);
	put(&s, 2);
	for (unsigned i = 0; i < sizeof(used) / sizeof(used[0]); i++) {
		atomic_store(&s.log->used, used[i]);
		CHECK(take(&s, &n) == 0 && n <= 2, "used %llx: %u", (unsigned long long)used[i], n);
		put(&s, 1);
	}
	atomic_store(&s.log->used, 5);
	CHECK(take(&s, &n), "between two events");
	atomic_store(&s.log->used, 0);
	atomic_store(&s.log->failed, 77);
	CHECK(take(&s, &n), "no such failure");
	atomic_store(&s.log->failed, 0);
	atomic_store(&s.log->own_cpuid, 3);
	CHECK(take(&s, &n), "no such answer");
	shared_free(&s);
}

/* A number of descriptors that nobody can have had is no reason to look for memory for them. */
static void objects(void)
{
	struct sim_ended ended = { .log = NULL };
	struct gcpu_error err;
	struct shared s;

	begin(&s);
	put(&s, 2);
	atomic_store(&s.log->n_objects, 0xffffffff);
	CHECK(shared_take(&s, "vmm", &ended.log, &err) == 0 && atomic_load(&ended.log->n_objects) < 10000, "bounded");
	/* and it is ours: what is still alive changes nothing */
	memset(s.log, 0xff, sizeof(*s.log));
	CHECK(ended.log->magic == SIM_MAGIC, "a copy");
	sim_ended_free(&ended);
	shared_free(&s);
}

int main(void)
{
	sealed();
	header();
	counters();
	objects();
	return unit_end();
}

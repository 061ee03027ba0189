/* SPDX-License-Identifier: MIT */
/* Events in shared memory: written by many processes, read by one. */
#include "log.h"

#include <string.h>

bool sim_log_place(struct sim_log *log, uint64_t size, struct sim_place *ret)
{
	uint64_t snapshot_at = log->snapshot_at, events_at = log->events_at;

	if (log->magic != SIM_MAGIC || log->size != size || events_at > size || snapshot_at > events_at ||
	    log->n_snapshot > events_at - snapshot_at || !memchr(log->kernel, 0, sizeof(log->kernel)))
		return false;
	*ret = (struct sim_place){ log, (char *)log + events_at, size - events_at };
	return true;
}

void sim_log_event(const struct sim_place *place, const struct sim_event *e, const void *const arg[2])
{
	size_t size = sizeof(*e) + SIM_PAD(e->n[0]) + SIM_PAD(e->n[1]);
	uint64_t at = atomic_fetch_add(&place->log->used, size);
	struct sim_event *to;
	char *bytes;

	/* never taken back: another may stand behind it already */
	if (at > place->room || size > place->room - at || at % 8) {
		atomic_fetch_add(&place->log->lost, 1);
		return;
	}
	to = (struct sim_event *)(place->events + at);
	to->kind = e->kind;
	to->role = e->role;
	to->pid = e->pid;
	to->object = e->object;
	to->made = e->made;
	to->result = e->result;
	to->request = e->request;
	to->arg = e->arg;
	bytes = (char *)(to + 1);
	for (unsigned i = 0; i < 2; i++) {
		to->n[i] = e->n[i];
		if (e->n[i])
			memcpy(bytes, arg[i], e->n[i]);
		bytes += SIM_PAD(e->n[i]);
	}
	atomic_store_explicit(&to->size, (uint32_t)size, memory_order_release);
}

const struct sim_event *sim_log_next(const struct sim_log *log, const struct sim_event *e)
{
	const char *events = (const char *)log + log->events_at, *next = events;
	uint64_t most = log->size - log->events_at, used = atomic_load(&log->used);
	uint32_t size;

	if (used > most)
		used = most;
	if (e)
		next = (const char *)e + atomic_load_explicit(&e->size, memory_order_relaxed);
	if ((uint64_t)(next - events) + sizeof(*e) > used)
		return NULL;
	e = (const struct sim_event *)next;
	/* a process that was killed in the middle of it: what follows cannot be found */
	size = atomic_load_explicit(&e->size, memory_order_acquire);
	if (size != sizeof(*e) + SIM_PAD(e->n[0]) + SIM_PAD(e->n[1]) ||
	    (uint64_t)(next - events) + size > used)
		return NULL;
	return e;
}

const void *sim_event_bytes(const struct sim_event *e, unsigned part)
{
	const char *bytes = (const char *)(e + 1);

	return bytes + (part ? SIM_PAD(e->n[0]) : 0);
}

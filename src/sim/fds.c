/* SPDX-License-Identifier: MIT */
/* KVM's descriptors in this process. Static room: a VMM may call from a signal handler. */
#include "fds.h"

#include "quiet.h"

#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

static struct object objects[OBJECTS_MOST];
/* Place in objects, from 1; 0: none of ours. */
static _Atomic uint16_t places[FDS_MOST];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static _Atomic pid_t owner;
static _Atomic int end;

static void hold(sigset_t *was)
{
	quiet_begin(was);
	pthread_mutex_lock(&lock);
}

static void let_go(const sigset_t *was)
{
	pthread_mutex_unlock(&lock);
	quiet_end(was);
}

static _Thread_local sigset_t at_fork;

static void before_fork(void)
{
	hold(&at_fork);
}

static void after_fork(void)
{
	let_go(&at_fork);
}

static void in_child(void)
{
	atomic_store(&owner, getpid());
	for (size_t i = 0; i < OBJECTS_MOST; i++)
		if (atomic_load(&objects[i].holders) && objects[i].role != ROLE_KVM)
			atomic_store(&objects[i].elsewhere, true);
	let_go(&at_fork);
}

__attribute__((constructor)) static void start(void)
{
	atomic_store(&owner, getpid());
	pthread_atfork(before_fork, after_fork, in_child);
}

bool fds_are_mine(void)
{
	return atomic_load(&owner) == getpid();
}

struct object *fds_find(int fd)
{
	uint16_t at = fd >= 0 && fd < FDS_MOST ? atomic_load_explicit(&places[fd], memory_order_acquire) : 0;

	return at ? &objects[at - 1] : NULL;
}

/* The lock is held. What must be closed in the backend, or -1. */
static int forget(int fd, struct object **ret)
{
	struct object *o = fds_find(fd);
	bool last;

	*ret = o;
	if (!o)
		return -1;
	atomic_store(&places[fd], 0);
	last = atomic_fetch_sub(&o->fds, 1) == 1;
	/* a VM's own descriptor may be closed long before those of its vCPUs */
	if (atomic_fetch_sub(&o->holders, 1) == 1 && o->vm)
		atomic_fetch_sub(&o->vm->holders, 1);
	return last ? o->fd : -1;
}

static void place(int fd, const struct object *o)
{
	if (fd >= atomic_load(&end))
		atomic_store(&end, fd + 1);
	atomic_store_explicit(&places[fd], (uint16_t)(o - objects + 1), memory_order_release);
}

int fds_end(void)
{
	return atomic_load(&end);
}

struct object *fds_add(int fd, enum wrap_role role, uint32_t number, int backend_fd, struct object *vm, uint32_t id)
{
	struct object *o = NULL, *was;
	sigset_t mask;

	if (fd < 0 || fd >= FDS_MOST)
		return NULL;
	hold(&mask);
	/* closed behind our back: the number was given out anew */
	forget(fd, &was);
	for (size_t i = 0; i < OBJECTS_MOST && !o; i++)
		if (atomic_load(&objects[i].holders) == 0)
			o = &objects[i];
	if (o) {
		o->role = role;
		o->number = number;
		o->fd = backend_fd;
		o->vm = vm;
		o->id = id;
		atomic_store(&o->ran, false);
		atomic_store(&o->elsewhere, false);
		atomic_store(&o->vcpus, 0);
		atomic_store(&o->ran_vcpus, 0);
		atomic_store(&o->fds, 1);
		atomic_store(&o->holders, 1);
		if (vm)
			atomic_fetch_add(&vm->holders, 1);
		if (vm && role == ROLE_VCPU)
			atomic_fetch_add(&vm->vcpus, 1);
		place(fd, o);
	}
	let_go(&mask);
	return o;
}

void fds_dup(int from, int to, int *ret_close)
{
	struct object *o = fds_find(from), *was;
	sigset_t mask;

	*ret_close = -1;
	if (to < 0 || to >= FDS_MOST || (!o && !fds_find(to)))
		return;
	hold(&mask);
	if (o) {
		atomic_fetch_add(&o->fds, 1);
		atomic_fetch_add(&o->holders, 1);
	}
	*ret_close = forget(to, &was);
	if (o)
		place(to, o);
	let_go(&mask);
}

int fds_close(int fd, uint32_t *ret_number, enum wrap_role *ret_role)
{
	struct object *o;
	int backend_fd = -1;
	sigset_t mask;

	*ret_number = 0;
	if (!fds_find(fd))
		return -1;
	hold(&mask);
	backend_fd = forget(fd, &o);
	if (o && atomic_load(&o->fds) == 0) {
		*ret_number = o->number;
		*ret_role = o->role;
	}
	let_go(&mask);
	return backend_fd;
}

void fds_each(void (*visit)(struct object *o, void *arg), void *arg)
{
	for (size_t i = 0; i < OBJECTS_MOST; i++)
		if (atomic_load(&objects[i].fds))
			visit(&objects[i], arg);
}

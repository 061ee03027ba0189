/* SPDX-License-Identifier: MIT */
/*
 * Which descriptors of this process are KVM's, and what they are. Several descriptors may be one
 * object (dup, fork). Looking up takes no lock: a vCPU runs through it again and again.
 */
#ifndef GCPU_SIM_FDS_H
#define GCPU_SIM_FDS_H

#include "kvm/wrap.h"

#include <stdatomic.h>

#define FDS_MOST 1048576 /* as many as a process may have, unless an administrator says more */
#define OBJECTS_MOST 16384

struct object {
	enum wrap_role role;
	uint32_t number;   /* in the log */
	int fd;		   /* the backend's own, or -1 where it is the process's */
	struct object *vm; /* of a vCPU, or NULL */
	uint32_t id;	   /* of a vCPU, as it was created */
	_Atomic unsigned fds;	   /* descriptors of it */
	_Atomic unsigned holders;  /* the same and its vCPUs and devices; 0: the place is free */
	_Atomic bool ran;	   /* a vCPU: KVM_RUN was asked for */
	_Atomic bool elsewhere;	   /* made before this process was forked: a VM is of the process that made it */
	_Atomic unsigned vcpus, ran_vcpus; /* a VM: made, and of those that ran */
};

struct object *fds_find(int fd);
/* An object of its own under FD: held by it, and holding VM. NULL if there is no room. */
struct object *fds_add(int fd, enum wrap_role role, uint32_t number, int backend_fd, struct object *vm,
		       uint32_t id);
/* TO is another descriptor of what FROM is, and no longer what it was. What must be closed in the
 * backend, if that was the last descriptor of something, goes to *ret_close, else -1. */
void fds_dup(int from, int to, int *ret_close);
/* FD is gone; the backend's descriptor to close, or -1. *ret_number: the object's, or 0 if FD was none
 * or the object has others. */
int fds_close(int fd, uint32_t *ret_number, enum wrap_role *ret_role);
/* Is the table this process's own? Not in a child that shares its parent's memory (vfork). */
bool fds_are_mine(void);
/* No descriptor from here on was ever KVM's. */
int fds_end(void);
/* Every object there is. */
void fds_each(void (*visit)(struct object *o, void *arg), void *arg);

#endif

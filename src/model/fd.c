/* SPDX-License-Identifier: MIT */
/* Descriptors of the software KVM: the lowest free number, as a kernel gives them. */
#include "sw.h"

#include <stdlib.h>

#define FIRST 3 /* the first three are a process's own */
#define MOST (1 << 20)

int sw_fd_new(struct gcpu_model *m, enum sw_kind kind, void *object)
{
	size_t at = m->lowest < FIRST ? FIRST : m->lowest;
	struct sw_fd *more;
	size_t room;

	while (at < m->n_fds && m->fds[at].kind != SW_NOTHING)
		at++;
	if (at >= MOST)
		return -EMFILE;
	if (at >= m->room_fds) {
		room = m->room_fds ? 2 * m->room_fds : 16;
		more = realloc(m->fds, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		m->fds = more;
		for (size_t i = m->room_fds; i < room; i++)
			more[i].kind = SW_NOTHING;
		m->room_fds = room;
	}
	if (at >= m->n_fds)
		m->n_fds = at + 1;
	m->lowest = at + 1;
	m->fds[at].kind = kind;
	m->fds[at].vm = object;
	return (int)at;
}

struct sw_fd *sw_fd_at(struct gcpu_model *m, int fd)
{
	return fd >= FIRST && (size_t)fd < m->n_fds && m->fds[fd].kind != SW_NOTHING ? &m->fds[fd] : NULL;
}

void sw_fd_close(struct gcpu_model *m, int fd)
{
	struct sw_fd was = m->fds[fd];

	m->fds[fd].kind = SW_NOTHING;
	if ((size_t)fd < m->lowest)
		m->lowest = (size_t)fd;
	switch (was.kind) {
	case SW_VM:
		sw_vm_release(was.vm);
		break;
	case SW_VCPU:
		/* the vCPU itself goes with its VM: its id stays taken */
		was.vcpu->open = false;
		sw_vm_release(was.vcpu->vm);
		break;
	case SW_DEVICE:
		sw_device_free(was.device);
		break;
	default:
		break;
	}
}

void sw_fds_free(struct gcpu_model *m)
{
	for (size_t i = FIRST; i < m->n_fds; i++)
		if (m->fds[i].kind != SW_NOTHING)
			sw_fd_close(m, (int)i);
	free(m->fds);
}

/* SPDX-License-Identifier: MIT */
/* The run page of a vCPU of the model: whoever maps it gets a mapping of their own, as from KVM. */
#include "preload.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/types.h>

static struct object *vcpu_of(int fd)
{
	return preload.kvm && fd >= 0 ? fds_find(fd) : NULL;
}

static void *map_model(struct object *o, size_t length, int flags, off_t offset)
{
	void *p = NULL;
	int r = offset || (flags & MAP_FIXED) ? -EINVAL : preload.kvm->ops->mmap(preload.kvm->ctx, length, o->fd, &p);

	if (r == 0)
		return p;
	errno = -r;
	return MAP_FAILED;
}

NEXT_SLOT(mmap);
TAKEN void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	struct object *o = vcpu_of(fd);

	return o ? map_model(o, length, flags, offset) : NEXT(mmap)(addr, length, prot, flags, fd, offset);
}

NEXT_SLOT(mmap64);
TAKEN void *mmap64(void *addr, size_t length, int prot, int flags, int fd, off64_t offset)
{
	struct object *o = vcpu_of(fd);

	return o ? map_model(o, length, flags, offset) : NEXT(mmap64)(addr, length, prot, flags, fd, offset);
}

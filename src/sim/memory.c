/* SPDX-License-Identifier: MIT */
/* The model's run pages are memory of its own: what maps a vCPU gets them, and does not unmap them. */
#include "preload.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/types.h>

#define PAGES_MOST OBJECTS_MOST
static _Atomic(void *) pages[PAGES_MOST];

static struct object *vcpu_of(int fd)
{
	return preload.kvm && fd >= 0 ? fds_find(fd) : NULL;
}

static void *map_model(struct object *o, size_t length, int flags, off_t offset)
{
	void *p = NULL;
	int r = offset || (flags & MAP_FIXED) ? -EINVAL : preload.kvm->ops->mmap(preload.kvm->ctx, length, o->fd, &p);

	for (size_t i = 0; r == 0 && i < PAGES_MOST; i++) {
		void *none = NULL;

		if (atomic_load(&pages[i]) == p || atomic_compare_exchange_strong(&pages[i], &none, p))
			return p;
	}
	errno = r ? -r : ENOMEM;
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

NEXT_SLOT(munmap);
TAKEN int munmap(void *addr, size_t length)
{
	for (size_t i = 0; preload.kvm && i < PAGES_MOST && atomic_load(&pages[i]); i++)
		if (atomic_load(&pages[i]) == addr)
			return 0;
	return NEXT(munmap)(addr, length);
}

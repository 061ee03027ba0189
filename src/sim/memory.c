/* SPDX-License-Identifier: MIT */
/* The run page of a vCPU of the model: whoever maps it gets a mapping of their own, as from KVM. */
#include "preload.h"

#include "kvm/abi.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/types.h>

#define PAGE 4096U

static struct object *vcpu_of(int fd)
{
	return preload.kvm && fd >= 0 ? fds_find(fd) : NULL;
}

NEXT_SLOT(mmap);

/* LENGTH bytes of the run page from OFFSET on, wherever there is room. */
static void *map_part(struct object *o, size_t length, size_t offset)
{
	char *p;
	int r = preload.kvm->ops->mmap(preload.kvm->ctx, offset + length, o->fd, (void **)&p);

	if (r) {
		errno = -r;
		return MAP_FAILED;
	}
	if (offset)
		munmap(p, offset);
	return p + offset;
}

static void *map_model(struct object *o, void *addr, size_t length, int prot, int flags, uint64_t offset)
{
	const int fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
	void *p, *there = addr;

	if (offset % PAGE || !(flags & MAP_TYPE) || offset + length < offset || !length) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	/* rings of dirty pages: there are none */
	if (offset / PAGE >= GK_DIRTY_LOG_PAGE_OFFSET)
		return NEXT(mmap)(addr, length, prot, flags | MAP_ANONYMOUS, -1, 0);
	p = map_part(o, length, (size_t)offset);
	if (p == MAP_FAILED || !fixed)
		return p == MAP_FAILED || prot == (PROT_READ | PROT_WRITE) || mprotect(p, length, prot) == 0 ? p : MAP_FAILED;
	/* a mapping that may be there, for ours to take its place */
	there = NEXT(mmap)(addr, length, prot, flags | MAP_ANONYMOUS, -1, 0);
	if (there != MAP_FAILED)
		there = mremap(p, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, there);
	if (there == MAP_FAILED)
		munmap(p, length);
	else if (prot != (PROT_READ | PROT_WRITE))
		mprotect(there, length, prot);
	return there;
}

TAKEN void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	struct object *o = vcpu_of(fd);

	return o ? map_model(o, addr, length, prot, flags, (uint64_t)offset) : NEXT(mmap)(addr, length, prot, flags, fd, offset);
}

NEXT_SLOT(mmap64);
TAKEN void *mmap64(void *addr, size_t length, int prot, int flags, int fd, off64_t offset)
{
	struct object *o = vcpu_of(fd);

	return o ? map_model(o, addr, length, prot, flags, (uint64_t)offset) : NEXT(mmap64)(addr, length, prot, flags, fd, offset);
}

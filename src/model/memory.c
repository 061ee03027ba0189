/* SPDX-License-Identifier: MIT */
/* Memory: the caller's, and the guest's in it. */
#include "sw.h"
#include "kvm/abi_more.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

/* What no process has: its first pages, and the kernel's half; x86 has 56 bits for it at most, arm64 52. */
#define LOWEST 0x10000U
#define HALF (sizeof(uintptr_t) == 8 ? (uintptr_t)1 << 56 : UINTPTR_MAX)
#define PAGE 4096U

/* Linux has these two since 5.14; the C library's headers, later. */
#define POPULATE_READ 22
#define POPULATE_WRITE 23

/* Byte by byte, one of each page, by what every kernel has. What is written is what was read. */
static bool slow_no_memory(uintptr_t at, uintptr_t end, bool written)
{
	for (; at < end; at = (at & ~(uintptr_t)(PAGE - 1)) + PAGE) {
		char byte;
		struct iovec here = { &byte, 1 }, there = { (void *)at, 1 };

		if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) < 0) {
			if (errno == EFAULT)
				return true;
			continue;
		}
		if (written && process_vm_writev(getpid(), &here, 1, &there, 1, 0) < 0 && errno == EFAULT)
			return true;
	}
	return false;
}

/* Can all of it be read, and written? Asked of the kernel, which answers instead of a signal; where it is
 * not allowed to (a sandbox), it is believed. The first question is quick, but says no for other reasons, too. */
static bool no_memory(uintptr_t at, uintptr_t end, bool written)
{
	uintptr_t first = at & ~(uintptr_t)(PAGE - 1);

	return madvise((void *)first, end - first, written ? POPULATE_WRITE : POPULATE_READ) < 0 &&
	       slow_no_memory(at, end, written);
}

static bool is_bad(uintptr_t at, size_t size, bool written)
{
	return size && (at < LOWEST || at >= HALF || size > HALF - at || no_memory(at, at + size, written));
}

bool sw_bad_pointer(uintptr_t at, size_t size)
{
	return is_bad(at, size, false);
}

bool sw_bad_target(uintptr_t at, size_t size)
{
	return is_bad(at, size, true);
}

int sw_copy_in(void *to, uintptr_t from, size_t size)
{
	if (sw_bad_pointer(from, size))
		return -EFAULT;
	memcpy(to, (const void *)from, size);
	return 0;
}

int sw_copy_out(uintptr_t to, const void *from, size_t size)
{
	if (sw_bad_target(to, size))
		return -EFAULT;
	memcpy((void *)to, from, size);
	return 0;
}

static struct sw_slot *slot_of(struct sw_vm *vm, uint32_t id)
{
	for (size_t i = 0; i < vm->slots.n; i++)
		if (LIST_AT(&vm->slots, struct sw_slot, i)->id == id)
			return LIST_AT(&vm->slots, struct sw_slot, i);
	return NULL;
}

static bool overlaps(const struct sw_vm *vm, const struct gk_userspace_memory_region *r)
{
	for (size_t i = 0; i < vm->slots.n; i++) {
		const struct sw_slot *s = LIST_AT(&vm->slots, struct sw_slot, i);

		if (s->id != r->slot && s->id >> 16 == r->slot >> 16 &&
		    r->guest_phys_addr < s->base + s->size && s->base < r->guest_phys_addr + r->memory_size)
			return true;
	}
	return false;
}

/* Pages of a slot are counted in 31 bits. */
#define MOST_PAGES ((UINT64_C(1) << 31) - 1)

/* A number that KVM has, of an address space that it has. */
static bool is_number(const struct sw_vm *vm, uint32_t slot)
{
	int slots = sw_cap(vm->model, vm, CAP_NR_MEMSLOTS), spaces = sw_cap(vm->model, vm, CAP_MULTI_ADDRESS_SPACE);

	return (slots <= 0 || (slot & 0xffff) < (unsigned)slots) && slot >> 16 < (spaces > 1 ? (unsigned)spaces : 1);
}

/* With memory that is a process's, and no more than fits. */
static bool may_be(const struct sw_vm *vm, const struct gk_userspace_memory_region *r)
{
	return is_number(vm, r->slot) && r->userspace_addr < HALF && r->memory_size <= HALF - r->userspace_addr &&
	       r->memory_size / PAGE <= MOST_PAGES;
}

static int set_slot(struct sw_vm *vm, const struct gk_userspace_memory_region *at)
{
	struct gk_userspace_memory_region r = *at;
	struct sw_slot *s;
	int status = 0;

	if (((r.memory_size | r.guest_phys_addr | r.userspace_addr) & (PAGE - 1)) ||
	    (r.flags & ~(GK_MEM_LOG_DIRTY_PAGES | GK_MEM_READONLY)) ||
	    r.guest_phys_addr + r.memory_size < r.guest_phys_addr || !may_be(vm, &r))
		return -EINVAL;
	s = slot_of(vm, r.slot);
	if (!r.memory_size) {
		if (!s)
			return -EINVAL;
		*s = *LIST_AT(&vm->slots, struct sw_slot, vm->slots.n - 1);
		vm->slots.n--;
		return 0;
	}
	if (s && (s->size != r.memory_size || s->at != (void *)(uintptr_t)r.userspace_addr ||
		  ((s->flags ^ r.flags) & GK_MEM_READONLY)))
		return -EINVAL;
	if (overlaps(vm, &r))
		return -EEXIST;
	if ((!s || s->base != r.guest_phys_addr) && vm->model->arch->slot_allowed)
		status = vm->model->arch->slot_allowed(vm, r.guest_phys_addr + r.memory_size);
	if (status)
		return status;
	s = s ? s : list_add(&vm->slots, sizeof(*s));
	if (!s)
		return -ENOMEM;
	*s = (struct sw_slot){ r.slot, r.flags, r.guest_phys_addr, r.memory_size,
			       (void *)(uintptr_t)r.userspace_addr };
	return 0;
}

int sw_set_slot(void *vm, uintptr_t arg)
{
	struct gk_userspace_memory_region r;

	return sw_copy_in(&r, arg, sizeof(r)) ? -EFAULT : set_slot(vm, &r);
}

/* Memory of a descriptor, which alone is new in it, is for guests that hide theirs. */
int sw_set_slot2(void *object, uintptr_t arg)
{
	struct gk_userspace_memory_region2 r;
	struct sw_vm *vm = object;

	if (sw_cap(vm->model, vm, CAP_USER_MEMORY2) <= 0)
		return vm->model->arch->unknown_vm;
	if (sw_copy_in(&r, arg, sizeof(r)))
		return -EFAULT;
	return set_slot(vm, &(struct gk_userspace_memory_region){ r.slot, r.flags, r.guest_phys_addr, r.memory_size,
								   r.userspace_addr });
}

/* A slot whose dirty pages are told in a bitmap: 0 or -errno. */
static int logged(struct sw_vm *vm, uint32_t id, const struct sw_slot **ret)
{
	if (vm->ring)
		return -ENXIO;
	if (!is_number(vm, id))
		return -EINVAL;
	*ret = slot_of(vm, id);
	return *ret && ((*ret)->flags & GK_MEM_LOG_DIRTY_PAGES) ? 0 : -ENOENT;
}

/* In bytes of whole longs. */
static size_t bitmap_size(uint64_t pages)
{
	return (size_t)(pages + 63) / 64 * sizeof(uint64_t);
}

/* None is ever dirty. */
int sw_dirty_log(void *vm, uintptr_t arg)
{
	const struct sw_slot *s;
	struct gk_dirty_log l;
	size_t size;
	int status;

	if (sw_copy_in(&l, arg, sizeof(l)))
		return -EFAULT;
	status = logged(vm, l.slot, &s);
	if (status)
		return status;
	size = bitmap_size(s->size / PAGE);
	if (sw_bad_target((uintptr_t)l.bitmap, size))
		return -EFAULT;
	memset((void *)(uintptr_t)l.bitmap, 0, size);
	return 0;
}

int sw_clear_dirty_log(void *vm, uintptr_t arg)
{
	struct gk_clear_dirty_log l;
	const struct sw_slot *s;
	uint64_t left;
	int status;

	if (sw_copy_in(&l, arg, sizeof(l)))
		return -EFAULT;
	if (!((struct sw_vm *)vm)->ring && is_number(vm, l.slot) && (l.first_page & 63))
		return -EINVAL;
	status = logged(vm, l.slot, &s);
	if (status)
		return status;
	left = s->size / PAGE - l.first_page;
	if (l.first_page > s->size / PAGE || l.num_pages > left || (l.num_pages < left && (l.num_pages & 63)))
		return -EINVAL;
	return sw_bad_pointer((uintptr_t)l.bitmap, bitmap_size(l.num_pages)) ? -EFAULT : 0;
}

static const struct sw_slot *slot_at(const struct sw_vm *vm, uint64_t address, size_t size)
{
	for (size_t i = 0; i < vm->slots.n; i++) {
		const struct sw_slot *s = LIST_AT(&vm->slots, struct sw_slot, i);

		if (!(s->id >> 16) && address >= s->base && address - s->base < s->size &&
		    size <= s->size - (address - s->base))
			return s;
	}
	return NULL;
}

static void *memory_of(const struct sw_vm *vm, uint64_t address, size_t size, bool written)
{
	const struct sw_slot *s = slot_at(vm, address, size);
	uintptr_t at = s ? (uintptr_t)s->at + (uintptr_t)(address - s->base) : 0;

	return !s || (written && (s->flags & GK_MEM_READONLY)) || is_bad(at, size, written) ? NULL : (void *)at;
}

const void *sw_guest_memory(const struct sw_vm *vm, uint64_t address, size_t size)
{
	return memory_of(vm, address, size, false);
}

void *sw_guest_writable(const struct sw_vm *vm, uint64_t address, size_t size)
{
	return memory_of(vm, address, size, true);
}

bool sw_guest_lost(const struct sw_vm *vm, uint64_t address, size_t size, bool written)
{
	const struct sw_slot *s = slot_at(vm, address, size);

	return s && !(written && (s->flags & GK_MEM_READONLY)) && !memory_of(vm, address, size, written);
}

/* SPDX-License-Identifier: MIT */
/* Slots of guest memory: which there are, and what may be done to one. KVM API 4.35; kvm_main.c. */
#include "case.h"
#include "facts_gen.h" /* capability numbers */
#include "kvm/abi_more.h"

#include <unistd.h>

#define PAGE 0x10000U /* of any host */
#define PAGES 4U
#define FLAG_UNKNOWN (1U << 31)

static int set(struct conform_vm *vm, uint32_t slot, uint64_t gpa, uint64_t size, uint64_t at, uint32_t flags)
{
	const struct gk_userspace_memory_region r = { slot, flags, gpa, size, at };

	return ask(vm->c, vm->fd, GK_SET_USER_MEMORY_REGION, &r);
}

/* Some pages of memory, aligned. 0: broken. */
static uint64_t pages(struct conform *c)
{
	uintptr_t at = (uintptr_t)case_memory(c, (PAGES + 1) * PAGE);

	return at ? (at + PAGE - 1) & ~(uint64_t)(PAGE - 1) : 0;
}

static int bounds(struct conform *c)
{
	struct conform_vm *vm = vm_new(c);
	uint64_t at = pages(c);
	int slots, spaces;

	if (!vm || !at)
		return 1;
	slots = check_cap(c, vm->fd, CAP_NR_MEMSLOTS);
	spaces = check_cap(c, vm->fd, CAP_MULTI_ADDRESS_SPACE);
	expect(c, slots >= 32, "KVM_CAP_NR_MEMSLOTS is %d", slots);
	expect_ok(c, set(vm, (uint32_t)slots - 1, 0, PAGE, at, 0), "the last slot");
	expect_errno(c, set(vm, (uint32_t)slots, PAGE, PAGE, at, 0), EINVAL, "the one behind it");
	expect_errno(c, set(vm, (uint32_t)(spaces > 1 ? spaces : 1) << 16, PAGE, PAGE, at, 0), EINVAL,
		     "an address space that there is not");
	expect_errno(c, set(vm, 0, PAGE, PAGE - 1, at, 0), EINVAL, "part of a page");
	expect_errno(c, set(vm, 0, PAGE + 1, PAGE, at, 0), EINVAL, "from the middle of a page on");
	expect_errno(c, set(vm, 0, PAGE, PAGE, at + 1, 0), EINVAL, "memory from the middle of a page on");
	expect_errno(c, set(vm, 0, PAGE, PAGE, 1ULL << 63, 0), EINVAL, "memory of the kernel's");
	expect_errno(c, set(vm, 0, PAGE, PAGE, at, FLAG_UNKNOWN), EINVAL, "a flag that there is not");
	expect_errno(c, set(vm, 0, ~0ULL - PAGE + 1, 2 * PAGE, at, 0), EINVAL, "around the end of all addresses");
	expect_errno(c, set(vm, 0, PAGE, 1ULL << 62, at, 0), EINVAL, "more than there can be");
	expect_errno(c, ask(c, vm->fd, GK_SET_USER_MEMORY_REGION, NULL), EFAULT, "no region");
	return 0;
}

static int changes(struct conform *c)
{
	struct conform_vm *vm = vm_new(c);
	uint64_t at = pages(c);

	if (!vm || !at)
		return 1;
	expect_errno(c, set(vm, 0, 0, 0, at, 0), EINVAL, "a slot that there is not, taken away");
	expect_ok(c, set(vm, 0, 0, 2 * PAGE, at, 0), "a slot");
	expect_ok(c, set(vm, 0, 0, 2 * PAGE, at, 0), "the same once more");
	expect_errno(c, set(vm, 0, 0, PAGE, at, 0), EINVAL, "smaller");
	expect_errno(c, set(vm, 0, 0, 2 * PAGE, at + PAGE, 0), EINVAL, "other memory");
	expect_errno(c, set(vm, 0, 0, 2 * PAGE, at, GK_MEM_READONLY), EINVAL, "read-only");
	expect_ok(c, set(vm, 0, 0, 2 * PAGE, at, GK_MEM_LOG_DIRTY_PAGES), "with a log of its pages");
	expect_errno(c, set(vm, 1, PAGE, PAGE, at, 0), EEXIST, "another over part of it");
	expect_ok(c, set(vm, 1, 2 * PAGE, PAGE, at, 0), "another behind it, of the same memory");
	expect_errno(c, set(vm, 0, PAGE, 2 * PAGE, at, 0), EEXIST, "the first moved over that");
	expect_ok(c, set(vm, 0, 8 * PAGE, 2 * PAGE, at, 0), "the first moved");
	expect_ok(c, set(vm, 2, 0, 2 * PAGE, at, 0), "a third where it was");
	expect_ok(c, set(vm, 1, 0, 0, 0, 0), "the second taken away");
	expect_errno(c, set(vm, 1, 0, 0, 0, 0), EINVAL, "once more");
	if (check_cap(c, vm->fd, CAP_READONLY_MEM) > 0)
		expect_ok(c, set(vm, 3, 16 * PAGE, PAGE, at, GK_MEM_READONLY), "a read-only one");
	return 0;
}

static int log_of(struct conform_vm *vm, uint32_t slot, void *bitmap)
{
	const struct gk_dirty_log l = { .slot = slot, .bitmap = (uintptr_t)bitmap };

	return ask(vm->c, vm->fd, GK_GET_DIRTY_LOG, &l);
}

static int clear_log(struct conform_vm *vm, uint32_t slot, uint64_t first, uint32_t n, const void *bitmap)
{
	const struct gk_clear_dirty_log l = { .slot = slot, .num_pages = n, .first_page = first, .bitmap = (uintptr_t)bitmap };

	return ask(vm->c, vm->fd, GK_CLEAR_DIRTY_LOG, &l);
}

/* Of memory that nobody has written. */
static int dirty_logs(struct conform *c)
{
	struct conform_vm *vm = vm_new(c);
	uint64_t at = pages(c), bitmap[2] = { ~0ULL, ~0ULL };
	uint32_t all = PAGE / (uint32_t)sysconf(_SC_PAGESIZE);

	if (!vm || !at)
		return 1;
	expect_ok(c, set(vm, 0, 0, PAGE, at, GK_MEM_LOG_DIRTY_PAGES), "a slot with a log");
	expect_ok(c, set(vm, 1, PAGE, PAGE, at, 0), "one without");
	expect_ok(c, log_of(vm, 0, bitmap), "KVM_GET_DIRTY_LOG");
	expect_value(c, bitmap[0], 0, "pages that are dirty");
	expect_value(c, bitmap[1], ~0ULL, "what is behind the bitmap");
	expect_errno(c, log_of(vm, 1, bitmap), ENOENT, "KVM_GET_DIRTY_LOG of one without");
	expect_errno(c, log_of(vm, 2, bitmap), ENOENT, "KVM_GET_DIRTY_LOG of none");
	expect_errno(c, log_of(vm, 0xffff, bitmap), EINVAL, "KVM_GET_DIRTY_LOG of a number that there is not");
	expect_errno(c, log_of(vm, 0, NULL), EFAULT, "KVM_GET_DIRTY_LOG to nowhere");
	expect_ok(c, clear_log(vm, 0, 0, all, bitmap), "KVM_CLEAR_DIRTY_LOG of all");
	expect_errno(c, clear_log(vm, 0, 1, 1, bitmap), EINVAL, "KVM_CLEAR_DIRTY_LOG from the middle of a word on");
	expect_errno(c, clear_log(vm, 0, 0, 1, bitmap), EINVAL, "KVM_CLEAR_DIRTY_LOG to the middle of a word");
	expect_errno(c, clear_log(vm, 1, 0, 64, bitmap), ENOENT, "KVM_CLEAR_DIRTY_LOG of one without");
	return 0;
}

const struct conform_case cases_slots[] = {
	{ "slots:bounds", "KVM API 4.35, kvm_main.c __kvm_set_memory_region", bounds },
	{ "slots:changes", "KVM API 4.35, kvm_main.c __kvm_set_memory_region; ST:set_memory_region_test", changes },
	{ "slots:dirty-logs", "KVM API 4.8, 4.117", dirty_logs },
	{ 0 },
};

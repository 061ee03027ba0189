/* SPDX-License-Identifier: MIT */
/* Loads and stores of the guest: memory, the local APIC's page, or nobody's address, which is the VMM's. */
#include "x86.h"

#include <string.h>

#define APIC_PAGE 0x1000U
#define BASE_FLAGS 0xfffULL
#define QUIRK_MMIO_HOLE (1ULL << 2)

static bool valid_size(uint64_t size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

/* In the page of the vCPU's own APIC, where KVM looks at it: *ret is the offset. */
static bool in_apic(const struct x86_vcpu *x, uint64_t address, uint32_t *ret)
{
	uint64_t base = x->sregs.apic_base & ~BASE_FLAGS;

	if (!x86_lapic(x) || address < base || address - base >= APIC_PAGE)
		return false;
	*ret = (uint32_t)(address - base);
	/* turned off, or in the other mode: a hole, or nobody's */
	return (x86_apic_hw(x) && !x86_apic_x2(x)) ||
	       !(x86_vm(x->v->vm)->quirks_disabled & QUIRK_MMIO_HOLE);
}

static enum sw_step exit_mmio(struct x86_vcpu *x, uint64_t address, uint32_t size, const uint64_t *write)
{
	struct gk_run *run = x->v->run;

	run->exit_reason = GK_EXIT_MMIO;
	memset(&run->mmio, 0, sizeof(run->mmio));
	run->mmio.phys_addr = address;
	run->mmio.len = size;
	run->mmio.is_write = write != NULL;
	if (write)
		memcpy(run->mmio.data, write, size);
	return SW_EXIT;
}

enum sw_step x86_load(struct x86_vcpu *x, struct gcpu_guest_op *op, bool complete)
{
	uint32_t size = (uint32_t)op->arg[1], offset;
	const void *memory;

	if (!valid_size(op->arg[1])) {
		op->status = GCPU_GUEST_UNKNOWN;
		return SW_DONE;
	}
	op->res[0] = 0;
	memory = sw_guest_memory(x->v->vm, op->arg[0], size);
	if (complete) {
		memcpy(&op->res[0], x->v->run->mmio.data, size);
	} else if (memory) {
		memcpy(&op->res[0], memory, size);
	} else if (sw_guest_lost(x->v->vm, op->arg[0], size, false)) {
		return SW_LOST;
	} else if (in_apic(x, op->arg[0], &offset)) {
		if (x86_apic_hw(x) && !x86_apic_x2(x))
			x86_apic_read(x, offset, size, &op->res[0]);
		else
			memset(&op->res[0], 0xff, size);
	} else {
		return exit_mmio(x, op->arg[0], size, NULL);
	}
	return SW_DONE;
}

enum sw_step x86_store(struct x86_vcpu *x, struct gcpu_guest_op *op, bool complete)
{
	uint32_t size = (uint32_t)op->arg[1], offset;
	void *memory;

	if (!valid_size(op->arg[1])) {
		op->status = GCPU_GUEST_UNKNOWN;
		return SW_DONE;
	}
	if (complete)
		return SW_DONE;
	memory = sw_guest_writable(x->v->vm, op->arg[0], size);
	if (memory) {
		memcpy(memory, &op->arg[2], size);
	} else if (sw_guest_lost(x->v->vm, op->arg[0], size, true)) {
		return SW_LOST;
	} else if (in_apic(x, op->arg[0], &offset)) {
		/* only whole registers are written */
		if (x86_apic_hw(x) && !x86_apic_x2(x) && size == 4 && !(offset & 0xf))
			x86_apic_write(x, offset, (uint32_t)op->arg[2]);
	} else {
		return exit_mmio(x, op->arg[0], size, &op->arg[2]);
	}
	return SW_DONE;
}

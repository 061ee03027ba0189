/* SPDX-License-Identifier: MIT */
/* The operations of arm64. */
#include "interp.h"

/* MRS X0, op0 = 0: the fields of the register go to bits 20 to 5. */
#define INSN_MRS 0xd5200000U
#define INSN_RET 0xd65f03c0U

/*
 * The register is part of the instruction, so it is written here and now.
 * Executable memory that one has written to must be cleaned, then forgotten.
 */
static int op_mrs(struct guest_op *op, struct guest_area *area)
{
	uint32_t fields = (uint32_t)op->arg[0];
	uint64_t value;

	/* op0 of MRS is 2 or 3; below that it would be another instruction. */
	if (op->arg[0] > 0xffff || fields >> 14 < 2)
		return 0;
	area->code[0] = INSN_MRS | fields << 5;
	area->code[1] = INSN_RET;
	__asm__ volatile("dc cvau, %0\n\t"
			 "dsb ish\n\t"
			 "ic ivau, %0\n\t"
			 "dsb ish\n\t"
			 "isb"
			 :
			 : "r"(area->code)
			 : "memory");
	__asm__ volatile("blr %1\n\t"
			 "mov %0, x0"
			 : "=r"(value)
			 : "r"(area->code)
			 : "x0", "x30", "memory");
	op->res[0] = value;
	return 1;
}

static void op_smccc(struct guest_op *op)
{
	register uint64_t x0 __asm__("x0") = op->arg[0];
	register uint64_t x1 __asm__("x1") = op->arg[1];
	register uint64_t x2 __asm__("x2") = op->arg[2];
	register uint64_t x3 __asm__("x3") = op->arg[3];
	register uint64_t x4 __asm__("x4") = op->arg[4];

	/* Version 1.0 lets a call change everything up to x17. */
	__asm__ volatile("hvc #0"
			 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4)
			 :
			 : "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
			   "x16", "x17", "memory");
	op->res[0] = x0;
	op->res[1] = x1;
	op->res[2] = x2;
	op->res[3] = x3;
}

int guest_arch_op(struct guest_op *op, struct guest_area *area)
{
	switch (op->code) {
	case GUEST_OP_MRS:
		return op_mrs(op, area);
	case GUEST_OP_SMCCC:
		op_smccc(op);
		return 1;
	case GUEST_OP_HALT:
		/* A masked interrupt ends WFI too; it stays pending. */
		__asm__ volatile("wfi" ::: "memory");
		return 1;
	default:
		return 0;
	}
}

/*
 * Accesses are written out, because KVM can hand only the simple forms to
 * user space, and a compiler may choose others.
 */
uint64_t guest_arch_load(uint64_t address, unsigned size)
{
	uint64_t v;

	switch (size) {
	case 1:
		__asm__ volatile("ldrb %w0, [%1]" : "=r"(v) : "r"(address) : "memory");
		break;
	case 2:
		__asm__ volatile("ldrh %w0, [%1]" : "=r"(v) : "r"(address) : "memory");
		break;
	case 4:
		__asm__ volatile("ldr %w0, [%1]" : "=r"(v) : "r"(address) : "memory");
		break;
	default:
		__asm__ volatile("ldr %0, [%1]" : "=r"(v) : "r"(address) : "memory");
		break;
	}
	return v;
}

void guest_arch_store(uint64_t address, unsigned size, uint64_t value)
{
	switch (size) {
	case 1:
		__asm__ volatile("strb %w0, [%1]" : : "r"(value), "r"(address) : "memory");
		break;
	case 2:
		__asm__ volatile("strh %w0, [%1]" : : "r"(value), "r"(address) : "memory");
		break;
	case 4:
		__asm__ volatile("str %w0, [%1]" : : "r"(value), "r"(address) : "memory");
		break;
	default:
		__asm__ volatile("str %0, [%1]" : : "r"(value), "r"(address) : "memory");
		break;
	}
}

void guest_arch_done(void)
{
	guest_arch_store(GUEST_ARM64_MMIO_DONE, 4, 0);
}

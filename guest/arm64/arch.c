/* SPDX-License-Identifier: MIT */
/* The operations of arm64. */
#include "interp.h"

/* MRS X0, op0 = 0: the fields of the register go to bits 20 to 5. */
#define INSN_MRS 0xd5200000U
#define INSN_RET 0xd65f03c0U

/*
 * One instruction, made here and now: x0 and x1 in, x0 out. Executable memory
 * that one has written to must be cleaned, then forgotten.
 */
static uint64_t run_insn(uint32_t insn, uint64_t a, uint64_t b, struct guest_area *area)
{
	register uint64_t x0 __asm__("x0") = a;
	register uint64_t x1 __asm__("x1") = b;

	area->code[0] = insn;
	area->code[1] = INSN_RET;
	__asm__ volatile("dc cvau, %2\n\t"
			 "dsb ish\n\t"
			 "ic ivau, %2\n\t"
			 "dsb ish\n\t"
			 "isb\n\t"
			 "blr %2\n\t"
			 "isb"
			 : "+r"(x0)
			 : "r"(x1), "r"(area->code)
			 : "x30", "cc", "memory");
	return x0;
}

/* The register is part of the instruction. */
static int op_mrs(struct guest_op *op, struct guest_area *area)
{
	uint32_t fields = (uint32_t)op->arg[0];

	/* op0 of MRS is 2 or 3; below that it would be another instruction. */
	if (op->arg[0] > 0xffff || fields >> 14 < 2)
		return 0;
	op->res[0] = run_insn(INSN_MRS | fields << 5, 0, 0, area);
	return 1;
}

static uint64_t counter(void)
{
	uint64_t v;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(v) : : "memory");
	return v;
}

/* Interrupts stay masked; they end no run of the loop either way. */
static void op_spin(struct guest_op *op)
{
	const volatile uint32_t *word = (const volatile uint32_t *)op->arg[1];
	uint64_t start = counter(), now = start;

	do {
		op->res[0]++;
		op->res[1] = word && *word == (uint32_t)op->arg[2];
		now = counter();
	} while (now - start < op->arg[0] && !op->res[1]);
	op->res[2] = now - start;
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
	case GUEST_OP_INSN:
		op->res[0] = run_insn((uint32_t)op->arg[0], op->arg[1], op->arg[2], area);
		return 1;
	case GUEST_OP_SPIN:
		op_spin(op);
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

/* SPDX-License-Identifier: MIT */
/* The operations of x86-64. */
#include "interp.h"

#define MSR_APIC_BASE 0x1b
#define APIC_BASE_EXTD (1U << 10)
#define APIC_BASE_ENABLE (1U << 11)
#define APIC_EOI 0xb0
#define MSR_X2APIC_EOI 0x80b

/* start.S */
uint64_t guest_xgetbv(uint32_t index);
/* Called from there. */
void guest_interrupt(struct guest_area *area, uint64_t vector);

static uint64_t rdmsr(uint32_t index)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(index));
	return (uint64_t)hi << 32 | lo;
}

static void wrmsr(uint32_t index, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

void guest_interrupt(struct guest_area *area, uint64_t vector)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	area->interrupts++;
	area->vector = vector;
	/* Without an EOI there would be no second one. */
	if ((base & APIC_BASE_ENABLE) && (base & APIC_BASE_EXTD))
		wrmsr(MSR_X2APIC_EOI, 0);
	else if (base & APIC_BASE_ENABLE)
		guest_arch_store((base & 0xfffff000) + APIC_EOI, 4, 0);
}

static void op_cpuid(struct guest_op *op)
{
	uint32_t a = (uint32_t)op->arg[0], c = (uint32_t)op->arg[1], b, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	op->res[0] = a;
	op->res[1] = b;
	op->res[2] = c;
	op->res[3] = d;
}

static void op_hypercall(struct guest_op *op)
{
	uint64_t a = op->arg[0];

	/* Both are three bytes long: KVM may patch one into the other. */
	if (op->arg[5])
		__asm__ volatile("vmmcall"
				 : "+a"(a)
				 : "b"(op->arg[1]), "c"(op->arg[2]), "d"(op->arg[3]), "S"(op->arg[4])
				 : "memory");
	else
		__asm__ volatile("vmcall"
				 : "+a"(a)
				 : "b"(op->arg[1]), "c"(op->arg[2]), "d"(op->arg[3]), "S"(op->arg[4])
				 : "memory");
	op->res[0] = a;
}

static void op_halt(struct guest_op *op, volatile struct guest_area *area)
{
	uint64_t before = area->interrupts;

	/* STI takes effect after the next instruction: no interrupt is lost. */
	__asm__ volatile("sti; hlt; cli" ::: "memory");
	op->res[0] = area->interrupts - before;
	op->res[1] = area->vector;
}

static int op_rdcr(struct guest_op *op)
{
	uint64_t v;

	switch (op->arg[0]) {
	case 0:
		__asm__ volatile("mov %%cr0, %0" : "=r"(v));
		break;
	case 2:
		__asm__ volatile("mov %%cr2, %0" : "=r"(v));
		break;
	case 3:
		__asm__ volatile("mov %%cr3, %0" : "=r"(v));
		break;
	case 4:
		__asm__ volatile("mov %%cr4, %0" : "=r"(v));
		break;
	case 8:
		__asm__ volatile("mov %%cr8, %0" : "=r"(v));
		break;
	default:
		return 0;
	}
	op->res[0] = v;
	return 1;
}

static int op_wrcr(struct guest_op *op)
{
	uint64_t v = op->arg[1];

	switch (op->arg[0]) {
	case 0:
		__asm__ volatile("mov %0, %%cr0" : : "r"(v) : "memory");
		return 1;
	case 4:
		__asm__ volatile("mov %0, %%cr4" : : "r"(v) : "memory");
		return 1;
	case 8:
		__asm__ volatile("mov %0, %%cr8" : : "r"(v) : "memory");
		return 1;
	default:
		return 0;
	}
}

int guest_arch_op(struct guest_op *op, struct guest_area *area)
{
	switch (op->code) {
	case GUEST_OP_CPUID:
		op_cpuid(op);
		return 1;
	case GUEST_OP_RDMSR:
		op->res[0] = rdmsr((uint32_t)op->arg[0]);
		return 1;
	case GUEST_OP_WRMSR:
		wrmsr((uint32_t)op->arg[0], op->arg[1]);
		return 1;
	case GUEST_OP_HYPERCALL:
		op_hypercall(op);
		return 1;
	case GUEST_OP_HALT:
		op_halt(op, area);
		return 1;
	case GUEST_OP_XGETBV:
		op->res[0] = guest_xgetbv((uint32_t)op->arg[0]);
		return 1;
	case GUEST_OP_RDCR:
		return op_rdcr(op);
	case GUEST_OP_WRCR:
		return op_wrcr(op);
	default:
		return 0;
	}
}

uint64_t guest_arch_load(uint64_t address, unsigned size)
{
	switch (size) {
	case 1:
		return *(volatile uint8_t *)address;
	case 2:
		return *(volatile uint16_t *)address;
	case 4:
		return *(volatile uint32_t *)address;
	default:
		return *(volatile uint64_t *)address;
	}
}

void guest_arch_store(uint64_t address, unsigned size, uint64_t value)
{
	switch (size) {
	case 1:
		*(volatile uint8_t *)address = (uint8_t)value;
		break;
	case 2:
		*(volatile uint16_t *)address = (uint16_t)value;
		break;
	case 4:
		*(volatile uint32_t *)address = (uint32_t)value;
		break;
	default:
		*(volatile uint64_t *)address = value;
		break;
	}
}

void guest_arch_done(void)
{
	__asm__ volatile("outb %%al, %0" : : "i"(GUEST_X86_PORT_DONE) : "memory");
}

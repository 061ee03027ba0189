/* SPDX-License-Identifier: MIT */
/*
 * x86-64: the payload starts directly in long mode, so everything it needs
 * before its first instruction is laid out here: page tables that map 4 GiB
 * one to one (the local APIC is in there), GDT, IDT, and a TSS for each vCPU.
 *
 * Where they are: boot_x86.h.
 */
#include "guest_priv.h"

#include <string.h>

#include "../kvm/abi_x86.h"
#include "boot_x86.h"
#include "payload.h"

#define PTE_TABLE 0x23ULL /* present, writable, accessed */
#define PTE_2M 0xe3ULL	  /* the same, dirty, a large page */
#define PTE_USER 0x04ULL

/* Flat, accessed: 64-bit code and data. The TSS is never loaded by the guest. */
#define GDT_CODE 0x00af9b000000ffffULL
#define GDT_DATA 0x00cf93000000ffffULL
#define GDT_USER 0x0000600000000000ULL /* DPL 3 */
#define GDT_CODE32 0x00cf9b000000ffffULL
#define TSS_RSP0 4

const char run_arch_pc_name[] = "RIP";

static struct guest_head payload_head(void)
{
	struct guest_head h;

	memcpy(&h, gcpu_payload, sizeof(h));
	return h;
}

static void put64(struct run_guest *g, uint64_t address, uint64_t value)
{
	memcpy(g->memory + (address - g->base), &value, sizeof(value));
}

static void build_pages(struct run_guest *g)
{
	uint64_t i;

	put64(g, PML4, PDPT | PTE_TABLE | PTE_USER);
	for (i = 0; i < 4; i++)
		put64(g, PDPT + 8 * i, (PD + i * PAGE) | PTE_TABLE);
	for (i = 0; i < 4 * 512; i++)
		put64(g, PD + 8 * i, i << 21 | PTE_2M);
	/* GUEST_X86_USER_ALIAS */
	put64(g, PDPT + 8 * 4, (PD + 4 * PAGE) | PTE_TABLE | PTE_USER);
	put64(g, PD + 4 * PAGE, PTE_2M | PTE_USER);
}

static void build_descriptors(struct run_guest *g, uint64_t stubs)
{
	uint64_t i;

	put64(g, GDT + GUEST_X86_SEL_CODE, GDT_CODE);
	put64(g, GDT + GUEST_X86_SEL_DATA, GDT_DATA);
	put64(g, GDT + GUEST_X86_SEL_CODE32, GDT_CODE32);
	put64(g, GDT + GUEST_X86_SEL_USER_CODE, GDT_CODE | GDT_USER);
	put64(g, GDT + GUEST_X86_SEL_USER_DATA, GDT_DATA | GDT_USER);
	/* Interrupt gates: the handler starts with interrupts off. */
	for (i = 0; i < 256; i++) {
		uint64_t stub = stubs + i * GUEST_X86_STUB_SIZE;

		put64(g, IDT + 16 * i, (stub & 0xffff) | (uint64_t)GUEST_X86_SEL_CODE << 16 | 0x8eULL << 40 |
					       (stub >> 16 & 0xffff) << 48);
		put64(g, IDT + 16 * i + 8, stub >> 32);
	}
}

int run_arch_load(struct run_guest *g, struct gcpu_error *err)
{
	const struct guest_head head = payload_head();

	if (head.magic != GUEST_HEAD_MAGIC || head.load != g->base + GUEST_PAYLOAD ||
	    sizeof(gcpu_payload) > GUEST_PAYLOAD_MAX)
		return run_fail(err, GCPU_ERR_INTERNAL, 0, "the payload was linked for elsewhere");
	memcpy(g->memory + GUEST_PAYLOAD, gcpu_payload, sizeof(gcpu_payload));
	build_pages(g);
	build_descriptors(g, head.vectors);
	return 0;
}

int run_arch_start(struct run_vcpu *v, struct gcpu_error *err)
{
	const uint64_t area = run_area_address(v->guest, v->index);

	put64(v->guest, area + GUEST_AREA_TSS + TSS_RSP0, area + GUEST_AREA_TRAP_STACK);
	return run_x86_boot(v, payload_head().entry, err);
}

int run_x86_start32(struct run_guest *g, unsigned vcpu, const struct gk_x86_regs *regs,
		    struct gcpu_error *err)
{
	struct run_vcpu *v;

	if (vcpu >= g->n || run_busy(g, vcpu))
		return run_fail(err, GCPU_ERR_ARGUMENT, 0, "no vCPU number %u, or it runs", vcpu);
	if (g->sw)
		return run_fail(err, GCPU_ERR_MACHINE, 0, "a model of KVM executes no code of its owner's");
	v = &g->vcpu[vcpu];
	v->fresh = 1;
	return run_x86_boot32(v, regs, err);
}

int run_arch_pc(struct run_vcpu *v, uint64_t *ret)
{
	struct gk_x86_regs regs = {.rip = 0};
	int r = run_ioctl(v->guest, v->fd, GK_GET_REGS, &regs);

	if (r < 0)
		return r;
	*ret = regs.rip;
	return 0;
}

static enum run_exit io_exit(struct run_guest *g, struct gk_run *run)
{
	size_t length = (size_t)run->io.size * run->io.count;

	if (run->io.direction == GK_EXIT_IO_OUT && run->io.port == GUEST_X86_PORT_DONE)
		return RUN_EXIT_DONE;
	if (run->io.direction == GK_EXIT_IO_OUT && run->io.port == GUEST_X86_PORT_DEAD)
		return RUN_EXIT_DEAD;
	if (run->io.data_offset > g->run_size || length > g->run_size - run->io.data_offset)
		return RUN_EXIT_BAD;
	if (run->io.direction == GK_EXIT_IO_IN)
		memset((unsigned char *)run + run->io.data_offset, 0xff, length);
	return RUN_EXIT_AGAIN;
}

enum run_exit run_arch_exit(struct run_vcpu *v)
{
	struct gk_run *run = v->run;

	switch (run->exit_reason) {
	case GK_EXIT_IO:
		return io_exit(v->guest, run);
	case GK_EXIT_HLT:
		return RUN_EXIT_HALT;
	case GK_EXIT_X86_RDMSR:
	case GK_EXIT_X86_WRMSR:
		run->msr.error = 1; /* makes it fault */
		return RUN_EXIT_AGAIN;
	default:
		return RUN_EXIT_BAD;
	}
}

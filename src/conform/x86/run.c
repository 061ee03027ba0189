/* SPDX-License-Identifier: MIT */
/* What KVM_RUN gives its caller: exits that are his to handle, and none that are not. KVM API 5, 7.31. */
#include "lapic.h"

#include <string.h>

struct seen {
	uint32_t reason; /* exits for this one are taken */
	unsigned n;
	uint64_t address, data;
	uint32_t length;
	uint8_t is_write;
	uint64_t answer;
};

static int take(void *ctx, unsigned vcpu, struct gk_run *run)
{
	struct seen *s = ctx;

	(void)vcpu;
	if (run->exit_reason != s->reason)
		return 0;
	s->n++;
	if (s->reason != GK_EXIT_MMIO)
		return 1;
	s->address = run->mmio.phys_addr;
	s->length = run->mmio.len;
	s->is_write = run->mmio.is_write;
	if (run->mmio.is_write)
		memcpy(&s->data, run->mmio.data, sizeof(s->data));
	else
		memcpy(run->mmio.data, &s->answer, sizeof(s->answer));
	return 1;
}

static struct conform_vm *watched(struct conform_vm *vm, struct seen *s)
{
	return vm && vm_watch(vm, take, s) == 0 ? vm : NULL;
}

/* HLT is the VMM's where it has the APIC, and KVM's where KVM has. */
static int halt(struct conform *c)
{
	struct seen s = { .reason = GK_EXIT_HLT }, none = { .reason = GK_EXIT_HLT };
	struct conform_vm *vm = watched(x86_ready(c, NO_APIC, 1), &s);
	struct conform_vm *own = watched(x86_ready(c, KERNEL_APIC, 1), &none);
	struct guest_op op = OP(GUEST_OP_HALT, 0);
	struct guest_op with[] = { OP_STORE(APIC_PAGE + APIC_SPIV, 4, SPIV_ON),
				   OP_STORE(APIC_PAGE + APIC_ICR, 4, ICR_SELF | 0x51), OP(GUEST_OP_HALT, 0),
				   OP(GUEST_OP_INTERRUPTS, 0) };

	if (!vm || !own || guest_run(vm, 0, &op, 1) || guest_run(own, 0, with, COUNT(with)))
		return 1;
	expect_value(c, s.n, 1, "exits of a HLT without an APIC in KVM");
	expect_value(c, none.n, 0, "exits of a HLT with an APIC in KVM");
	expect_value(c, with[3].res[0], 1, "interrupts taken");
	return 0;
}

#define NOWHERE 0xd0000000ULL

static int mmio(struct conform *c)
{
	struct seen s = { .reason = GK_EXIT_MMIO, .answer = 0x1122334455667788 };
	struct conform_vm *vm = watched(x86_ready(c, KERNEL_APIC, 1), &s);
	struct guest_op load = OP_LOAD(NOWHERE + 8, 4), store = OP_STORE(NOWHERE + 16, 2, 0xabcd);

	if (!vm || guest_run(vm, 0, &load, 1))
		return 1;
	expect_value(c, s.n, 1, "exits of a load from nowhere");
	expect_value(c, s.address, NOWHERE + 8, "its address");
	expect_value(c, s.length, 4, "its length");
	expect_value(c, s.is_write, 0, "whether it writes");
	expect_value(c, load.res[0], 0x55667788, "what the guest got");
	if (guest_run(vm, 0, &store, 1))
		return 1;
	expect_value(c, s.n, 2, "exits of a store, too");
	expect_value(c, s.address, NOWHERE + 16, "its address");
	expect_value(c, s.length, 2, "its length");
	expect_value(c, s.is_write, 1, "whether it writes");
	expect_value(c, s.data & 0xffff, 0xabcd, "what was stored");
	return 0;
}

/* The APIC's page is the VMM's, where it has the APIC. */
static int apic_page(struct conform *c)
{
	struct seen s = { .reason = GK_EXIT_MMIO, .answer = 0x07000000 }, none = { .reason = GK_EXIT_MMIO };
	struct conform_vm *vm = watched(x86_ready(c, NO_APIC, 1), &s);
	struct conform_vm *own = watched(x86_ready(c, SPLIT_APIC, 1), &none);
	struct guest_op op = OP_LOAD(APIC_PAGE + APIC_ID, 4);

	if (!vm || !own || guest_run(vm, 0, &op, 1))
		return 1;
	expect_value(c, s.n, 1, "exits of a load from the APIC's page");
	expect_value(c, op.res[0], 0x07000000, "id that the VMM tells");
	if (guest_run(own, 0, &op, 1))
		return 1;
	expect_value(c, none.n, 0, "exits where KVM has the APIC");
	expect_value(c, op.res[0], 0, "id that KVM tells");
	return 0;
}

#define QUIRK_LAPIC_MMIO_HOLE BIT(2)

/* In x2APIC mode the page is KVM's still, and reads as ones; without the quirk it is nobody's. */
static int hole(struct conform *c, bool quirk)
{
	struct seen s = { .reason = GK_EXIT_MMIO, .answer = 0x12345678 };
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 0);
	struct guest_op op = OP_LOAD(APIC_PAGE + APIC_ID, 4);
	struct table t;

	if (!vm || table_usual(c, 0, &t) ||
	    (!quirk && !expect_ok(c, enable_cap(c, vm->fd, CAP_DISABLE_QUIRKS2, QUIRK_LAPIC_MMIO_HOLE),
				  "KVM_CAP_DISABLE_QUIRKS2")))
		return 1;
	if (vm_vcpu(vm, 0) < 0 || !give_table(vm, 0, &t) || !lapic_x2apic(vm, 0) || !watched(vm, &s) ||
	    guest_run(vm, 0, &op, 1))
		return 1;
	expect_value(c, s.n, !quirk, "exits");
	expect_value(c, op.res[0], quirk ? 0xffffffff : 0x12345678, "what is read");
	return 0;
}

static int hole_quirk(struct conform *c)
{
	return hole(c, true);
}

static int hole_no_quirk(struct conform *c)
{
	return hole(c, false);
}

/* A run that is to end at once has run nothing. */
static int immediate(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, NO_APIC, 1);
	int size = ask_number(c, c->kvm_fd, GK_GET_VCPU_MMAP_SIZE, 0);
	struct gk_x86_regs before = { .rip = 0 }, after = { .rip = 1 };
	void *p;

	if (!vm || size <= 0 || c->kvm->ops->mmap(c->kvm->ctx, (size_t)size, vm->vcpu[0], &p) < 0)
		return broken(c, "the vCPU's page cannot be mapped");
	((struct gk_run *)p)->immediate_exit = 1;
	expect_ok(c, ask(c, vm->vcpu[0], GK_GET_REGS, &before), "KVM_GET_REGS");
	expect_errno(c, ask_number(c, vm->vcpu[0], GK_RUN, 0), EINTR, "KVM_RUN with immediate_exit");
	expect_ok(c, ask(c, vm->vcpu[0], GK_GET_REGS, &after), "KVM_GET_REGS");
	expect_value(c, after.rip, before.rip, "RIP");
	expect_value(c, before.rip, 0xfff0, "RIP at first");
	c->kvm->ops->munmap(c->kvm->ctx, p, (size_t)size);
	return 0;
}

/* Registers go through as they are. */
static int regs(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, NO_APIC, 1);
	struct gk_x86_regs r, back;
	uint64_t *p = (uint64_t *)&r;

	if (!vm)
		return 1;
	for (unsigned i = 0; i < sizeof(r) / sizeof(*p); i++)
		p[i] = 0x0101010101010101ULL * (i + 1);
	r.rflags = 2;
	expect_ok(c, ask(c, vm->vcpu[0], GK_SET_REGS, &r), "KVM_SET_REGS");
	memset(&back, 0, sizeof(back));
	expect_ok(c, ask(c, vm->vcpu[0], GK_GET_REGS, &back), "KVM_GET_REGS");
	expect(c, memcmp(&r, &back, sizeof(r)) == 0, "all registers are read as they were set");
	return 0;
}

const struct conform_case cases_x86_run[] = {
	{ "run:halt", "KVM API 5 KVM_EXIT_HLT", halt },
	{ "run:mmio", "KVM API 5 KVM_EXIT_MMIO", mmio },
	{ "run:apic-page", "KVM API 5 KVM_EXIT_MMIO", apic_page },
	{ "run:apic-page-in-x2apic-mode", "KVM API 7.31", hole_quirk },
	{ "run:apic-page-without-quirk", "KVM API 7.31", hole_no_quirk },
	{ "run:immediate-exit", "KVM API 5", immediate },
	{ "run:registers", "KVM API 4.11, 4.12", regs },
	{ NULL, NULL, NULL },
};

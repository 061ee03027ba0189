/* SPDX-License-Identifier: MIT */
/* Interrupt controllers in KVM: in which order, once, and before vCPUs. KVM API 4.24, 7.5. */
#include "x86.h"

#define ROUTES_MOST 4096

static int once(struct conform *c)
{
	struct conform_vm *kernel = x86_vm(c, KERNEL_APIC, 0), *split = x86_vm(c, SPLIT_APIC, 0);

	if (!kernel || !split)
		return 1;
	expect_errno(c, make_apic(kernel, KERNEL_APIC), EEXIST, "KVM_CREATE_IRQCHIP twice");
	expect_errno(c, make_apic(kernel, SPLIT_APIC), EEXIST, "KVM_CAP_SPLIT_IRQCHIP after KVM_CREATE_IRQCHIP");
	expect_errno(c, make_apic(split, SPLIT_APIC), EEXIST, "KVM_CAP_SPLIT_IRQCHIP twice");
	expect_errno(c, make_apic(split, KERNEL_APIC), EEXIST, "KVM_CREATE_IRQCHIP after KVM_CAP_SPLIT_IRQCHIP");
	return 0;
}

static int before_vcpus(struct conform *c)
{
	struct conform_vm *a = x86_vm(c, NO_APIC, 1), *b = x86_vm(c, NO_APIC, 1);

	if (!a || !b)
		return 1;
	expect_errno(c, make_apic(a, KERNEL_APIC), EINVAL, "KVM_CREATE_IRQCHIP with a vCPU");
	expect_errno(c, make_apic(b, SPLIT_APIC), EEXIST, "KVM_CAP_SPLIT_IRQCHIP with a vCPU");
	return 0;
}

static int routes(struct conform *c)
{
	struct conform_vm *vm = vm_new(c);

	if (!vm)
		return 1;
	expect_errno(c, enable_cap(c, vm->fd, CAP_SPLIT_IRQCHIP, ROUTES_MOST + 1), EINVAL, "more routes than there may be");
	expect_errno(c, enable_cap(c, vm->fd, CAP_SPLIT_IRQCHIP, ~0ULL), EINVAL, "far more");
	expect_ok(c, enable_cap(c, vm->fd, CAP_SPLIT_IRQCHIP, ROUTES_MOST), "as many as there may be");
	return 0;
}

/* Without an APIC in KVM there is none to be read. */
static int no_lapic(struct conform *c)
{
	struct conform_vm *none = x86_vm(c, NO_APIC, 1), *split = x86_vm(c, SPLIT_APIC, 1);
	struct conform_vm *kernel = x86_vm(c, KERNEL_APIC, 1);
	struct gk_lapic_state *s = case_memory(c, sizeof(*s));

	if (!none || !split || !kernel || !s)
		return 1;
	expect_errno(c, ask(c, none->vcpu[0], GK_GET_LAPIC, s), EINVAL, "KVM_GET_LAPIC without an APIC");
	expect_errno(c, ask(c, none->vcpu[0], GK_SET_LAPIC, s), EINVAL, "KVM_SET_LAPIC without an APIC");
	expect_ok(c, ask(c, split->vcpu[0], GK_GET_LAPIC, s), "KVM_GET_LAPIC with a split irqchip");
	expect_ok(c, ask(c, kernel->vcpu[0], GK_GET_LAPIC, s), "KVM_GET_LAPIC with KVM's irqchip");
	return 0;
}

/* A second vCPU waits for its INIT and SIPI, where KVM has the APIC. */
static int waiting(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 2), *none = x86_vm(c, NO_APIC, 2);
	struct gk_mp_state mp;

	if (!vm || !none)
		return 1;
	for (unsigned i = 0; i < 2; i++) {
		mp.mp_state = 99;
		expect_ok(c, ask(c, vm->vcpu[i], GK_GET_MP_STATE, &mp), "KVM_GET_MP_STATE");
		expect_value(c, mp.mp_state, i ? GK_MP_STATE_UNINITIALIZED : GK_MP_STATE_RUNNABLE, "state of vCPU %u", i);
		mp.mp_state = 99;
		expect_ok(c, ask(c, none->vcpu[i], GK_GET_MP_STATE, &mp), "KVM_GET_MP_STATE without an APIC");
		expect_value(c, mp.mp_state, GK_MP_STATE_RUNNABLE, "state of vCPU %u without an APIC", i);
	}
	mp.mp_state = GK_MP_STATE_HALTED;
	expect_errno(c, ask(c, none->vcpu[0], GK_SET_MP_STATE, &mp), EINVAL, "halted without an APIC");
	expect_ok(c, ask(c, vm->vcpu[0], GK_SET_MP_STATE, &mp), "halted with an APIC");
	return 0;
}

const struct conform_case cases_x86_irqchip[] = {
	{ "irqchip:once", "KVM API 4.24, 7.5", once },
	{ "irqchip:before-vcpus", "KVM API 4.24, 7.5", before_vcpus },
	{ "irqchip:routes", "KVM API 7.5", routes },
	{ "irqchip:no-lapic", "KVM API 4.57", no_lapic },
	{ "irqchip:waiting", "KVM API 4.38", waiting },
	{ NULL, NULL, NULL },
};

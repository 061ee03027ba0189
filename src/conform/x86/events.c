/* SPDX-License-Identifier: MIT */
/* What waits for a vCPU, as a VMM saves and restores it. KVM API 4.31, 4.32, 4.38, 4.64, 4.87; x86.c. */
#include "x86.h"

#include "kvm/abi_more.h"

#define SHADOW_MOV_SS 1U
#define DEBUG_TRAP 1U

static struct gk_vcpu_events got(struct conform_vm *vm)
{
	struct gk_vcpu_events e = { 0 };

	expect_ok(vm->c, ask(vm->c, vm->vcpu[0], GK_GET_VCPU_EVENTS, &e), "KVM_GET_VCPU_EVENTS");
	return e;
}

static int set(struct conform_vm *vm, const struct gk_vcpu_events *e)
{
	return ask(vm->c, vm->vcpu[0], GK_SET_VCPU_EVENTS, e);
}

static int interrupts(struct conform *c)
{
	const struct gk_vcpu_events hard = { .interrupt = { .injected = 1, .nr = 33 } },
				    soft = { .flags = GK_VCPUEVENT_VALID_SHADOW,
					     .interrupt = { .injected = 1, .nr = 33, .soft = 1, .shadow = SHADOW_MOV_SS } };
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 1);

	if (!vm)
		return 1;
	expect_ok(c, set(vm, &hard), "an interrupt");
	expect_value(c, got(vm).interrupt.injected, 1, "the interrupt");
	expect_value(c, got(vm).interrupt.shadow, 0, "a shadow that was not said");
	expect_ok(c, set(vm, &soft), "INT's, in the shadow of MOV SS");
	expect_value(c, got(vm).interrupt.injected, 0, "INT's, whose instruction comes again");
	expect(c, got(vm).interrupt.shadow & SHADOW_MOV_SS, "the shadow is there");
	return 0;
}

static int nmis(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 1);
	unsigned most = c->release < KERNEL(6, 12) ? 1 : 2;

	if (!vm)
		return 1;
	for (unsigned i = 1; i <= 3; i++) {
		expect_ok(c, ask(c, vm->vcpu[0], GK_NMI, NULL), "KVM_NMI");
		expect_value(c, got(vm).nmi.pending, i < most ? i : most, "NMIs that wait after %u", i);
	}
	return 0;
}

static int debug(struct conform *c)
{
	const struct gk_guest_debug d = { .control = GK_GUESTDBG_INJECT_DB };
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 1);

	if (!vm)
		return 1;
	expect_ok(c, ask(c, vm->vcpu[0], GK_SET_GUEST_DEBUG, &d), "KVM_SET_GUEST_DEBUG with #DB");
	expect(c, got(vm).exception.pending || got(vm).exception.injected, "an exception waits");
	expect_value(c, got(vm).exception.nr, DEBUG_TRAP, "it");
	expect_errno(c, ask(c, vm->vcpu[0], GK_SET_GUEST_DEBUG, &d), EBUSY, "another one");
	return 0;
}

static int wait_for_sipi(struct conform_vm *vm)
{
	const struct gk_mp_state mp = { GK_MP_STATE_INIT_RECEIVED };

	return ask(vm->c, vm->vcpu[0], GK_SET_MP_STATE, &mp);
}

/* INIT waits for the end of SMM: since some kernel it is KVM_RUN that says so. */
static int smm(struct conform *c)
{
	struct gk_vcpu_events e = { .flags = GK_VCPUEVENT_VALID_SMM, .smi = { .smm = 1 } };
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 1);
	bool late = c->release >= KERNEL(6, 18);

	if (!vm)
		return 1;
	if (check_cap(c, c->kvm_fd, CAP_X86_SMM) <= 0) {
		expect_errno(c, set(vm, &e), EINVAL, "SMM of a KVM that has none");
		expect_value(c, got(vm).smi.smm, 0, "SMM");
		return 0;
	}
	expect_ok(c, set(vm, &e), "SMM");
	expect_value(c, got(vm).smi.smm, 1, "SMM");
	expect_result(c, wait_for_sipi(vm), late ? 0 : -EINVAL, "a vCPU in SMM that waits for a SIPI");
	e.smi.smm = 0;
	expect_ok(c, set(vm, &e), "out of SMM");
	expect_ok(c, wait_for_sipi(vm), "a vCPU that waits for a SIPI");
	e.smi.pending = 1;
	expect_result(c, set(vm, &e), late ? 0 : -EINVAL, "an SMI for it");
	return 0;
}

const struct conform_case cases_x86_events[] = {
	{ "events:interrupts", "KVM API 4.31, 4.32", interrupts },
	{ "events:nmis", "KVM API 4.31, 4.64", nmis },
	{ "events:debug", "KVM API 4.87", debug },
	{ "events:smm", "KVM API 4.32, 4.38; x86.c kvm_vcpu_ioctl_x86_set_vcpu_events", smm },
	{ NULL, NULL, NULL },
};

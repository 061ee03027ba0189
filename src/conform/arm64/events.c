/* SPDX-License-Identifier: MIT */
/* What comes to a vCPU from outside, and how it is debugged. KVM API 4.25, 4.31, 4.32, 4.87; guest.c, arm.c. */
#include "arm64.h"

#include "kvm/abi_more.h"

#define SYNDROME_MOST 0x1ffffffU
#define CPU_FIQ 1U

static int get_events(struct conform_vm *vm, struct gk_arm_vcpu_events *ret)
{
	return ask(vm->c, vm->vcpu[0], GK_GET_VCPU_EVENTS, ret);
}

static int set_events(struct conform_vm *vm, bool pending, bool has_esr, uint64_t esr)
{
	const struct gk_arm_vcpu_events e = { .serror_pending = pending, .serror_has_esr = has_esr, .serror_esr = esr };

	return ask(vm->c, vm->vcpu[0], GK_SET_VCPU_EVENTS, &e);
}

/* Before KVM_ARM_VCPU_INIT: refused since 6.18, and by what older series took over of it. */
static void early(struct conform *c, struct conform_vm *vm)
{
	struct gk_arm_vcpu_events e;
	int got = get_events(vm, &e);

	expect(c, got == -ENOEXEC || (!got && c->release < KERNEL(6, 18)), "KVM_GET_VCPU_EVENTS before that: %d", got);
	expect_result(c, set_events(vm, false, false, 0), got, "KVM_SET_VCPU_EVENTS before that, as the other");
}

/* One without a syndrome, one that is not taken back, and syndromes where the CPU has them. */
static int serror(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI), *raw = arm64_vm(c, 1, NO_INIT);
	bool has_esr = has_cap(c, CAP_ARM_INJECT_SERROR_ESR);
	struct gk_arm_vcpu_events e = { 0 };

	if (!vm || !raw)
		return 1;
	if (!has_cap(c, CAP_VCPU_EVENTS))
		return skip(c, "no KVM_CAP_VCPU_EVENTS");
	early(c, raw);
	expect_ok(c, get_events(vm, &e), "KVM_GET_VCPU_EVENTS");
	expect_value(c, e.serror_pending, 0, "a system error, at first");
	expect_value(c, e.serror_has_esr, has_esr, "syndromes, as the capability says");
	expect_ok(c, set_events(vm, false, true, ~0ULL), "no error, whatever its syndrome");
	if (has_esr) {
		expect_errno(c, set_events(vm, true, true, SYNDROME_MOST + 1ULL), EINVAL, "a syndrome of more than 25 bits");
		expect_ok(c, set_events(vm, true, true, SYNDROME_MOST), "a syndrome");
	} else {
		expect_errno(c, set_events(vm, true, true, 1), EINVAL, "a syndrome that this CPU has not");
		expect_ok(c, set_events(vm, true, false, 0), "an error");
	}
	expect_ok(c, get_events(vm, &e), "KVM_GET_VCPU_EVENTS");
	expect_value(c, e.serror_pending, 1, "the error");
	expect_value(c, e.serror_esr, has_esr ? SYNDROME_MOST : 0, "its syndrome");
	expect_ok(c, set_events(vm, false, false, 0), "taken back");
	expect_ok(c, get_events(vm, &e), "KVM_GET_VCPU_EVENTS");
	expect_value(c, e.serror_pending, 1, "an error that was taken back");
	expect_ok(c, vcpu_init(vm, 0, F_PSCI), "KVM_ARM_VCPU_INIT");
	expect_ok(c, get_events(vm, &e), "KVM_GET_VCPU_EVENTS");
	expect_value(c, e.serror_pending, 0, "after KVM_ARM_VCPU_INIT");
	return 0;
}

static int debug(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	struct gk_arm_guest_debug d = { .control = 1 };

	if (!vm)
		return 1;
	if (!has_cap(c, CAP_SET_GUEST_DEBUG))
		return skip(c, "no KVM_CAP_SET_GUEST_DEBUG");
	expect_ok(c, ask(c, vm->vcpu[0], GK_ARM_SET_GUEST_DEBUG, &d), "nothing to stop at");
	d.control = 1U << 18;
	expect_errno(c, ask(c, vm->vcpu[0], GK_ARM_SET_GUEST_DEBUG, &d), EINVAL, "x86's #DB");
	d.control = 0;
	expect_ok(c, ask(c, vm->vcpu[0], GK_ARM_SET_GUEST_DEBUG, &d), "off");
	return 0;
}

/* Without a vGIC a line is a vCPU's own. */
static int lines(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);

	if (!vm)
		return 1;
	expect_ok(c, irq_line(vm, IRQ_LINE(IRQ_OF_CPU, 0, 0)), "the vCPU's IRQ");
	expect_ok(c, irq_line(vm, IRQ_LINE(IRQ_OF_CPU, 0, CPU_FIQ)), "the vCPU's FIQ");
	expect_errno(c, irq_line(vm, IRQ_LINE(IRQ_OF_CPU, 0, CPU_FIQ + 1)), EINVAL, "a third line");
	expect_errno(c, irq_line(vm, IRQ_LINE(IRQ_OF_CPU, 1, 0)), EINVAL, "a vCPU that there is not");
	expect_errno(c, irq_line(vm, IRQ_LINE(IRQ_SHARED, 0, 40)), ENXIO, "a line of a vGIC that there is not");
	expect_errno(c, irq_line(vm, IRQ_LINE(IRQ_PRIVATE, 0, 20)), ENXIO, "a vCPU's line of it");
	expect_errno(c, irq_line(vm, IRQ_LINE(IRQ_PRIVATE + 1, 0, 0)), EINVAL, "a kind that there is not");
	if (c->release >= KERNEL(6, 12) && vm_vcpu(vm, 3) >= 0) {
		expect_ok(c, irq_line(vm, IRQ_LINE(IRQ_OF_CPU, 3, 0)), "the vCPU of that id");
		expect_errno(c, irq_line(vm, IRQ_LINE(IRQ_OF_CPU, 1, 0)), EINVAL, "the second vCPU, by its place");
	}
	return 0;
}

const struct conform_case cases_arm64_events[] = {
	{ "events:serror", "KVM API 4.31, 4.32; arm.c kvm_arch_vcpu_ioctl", serror },
	{ "events:debug", "KVM API 4.87", debug },
	{ "events:lines", "KVM API 4.25", lines },
	{ NULL, NULL, NULL },
};

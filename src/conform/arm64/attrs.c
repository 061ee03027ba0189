/* SPDX-License-Identifier: MIT */
/* Attributes of a vCPU: PMU, timers, stolen time. devices/vcpu.rst; pmu-emul.c, arch_timer.c, pvtime.c. */
#include "arm64.h"

#include <string.h>

#define PMU_IRQ 23U
#define NOWHERE_IPA 0x20000000U /* the guest has no memory there */

static int pmu(struct conform_vm *vm, unsigned vcpu, uint64_t which, const void *value)
{
	return attr_set(vm->c, vm->vcpu[vcpu], GK_ARM_VCPU_PMU_V3_CTRL, which, value);
}

static int pmu_irq(struct conform_vm *vm, unsigned vcpu, uint32_t irq)
{
	return pmu(vm, vcpu, GK_ARM_VCPU_PMU_V3_IRQ, &irq);
}

static int pmu_not_asked(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);

	if (!vm)
		return 1;
	expect_errno(c, pmu_irq(vm, 0, PMU_IRQ), ENODEV, "its interrupt");
	expect_errno(c, pmu(vm, 0, GK_ARM_VCPU_PMU_V3_INIT, NULL), ENODEV, "its start");
	expect_errno(c, attr_has(c, vm->vcpu[0], GK_ARM_VCPU_PMU_V3_CTRL, GK_ARM_VCPU_PMU_V3_INIT), ENXIO, "KVM_HAS_DEVICE_ATTR");
	return 0;
}

static struct conform_vm *with_pmu(struct conform *c, unsigned vcpus)
{
	if (!has_cap(c, CAP_ARM_PMU_V3)) {
		skip(c, "no PMU");
		return NULL;
	}
	return arm64_vm(c, vcpus, F_PSCI | F_PMU);
}

static int pmu_without_gic(struct conform *c)
{
	struct conform_vm *vm = with_pmu(c, 1);
	uint32_t irq;

	if (!vm)
		return 1;
	expect_errno(c, pmu_irq(vm, 0, PMU_IRQ), EINVAL, "its interrupt, without a vGIC");
	expect_errno(c, attr_get(c, vm->vcpu[0], GK_ARM_VCPU_PMU_V3_CTRL, GK_ARM_VCPU_PMU_V3_IRQ, &irq), EINVAL,
		     "its interrupt read, without a vGIC");
	expect_errno(c, run_at_once(vm, 0), EINVAL, "KVM_RUN before it is started");
	expect_ok(c, pmu(vm, 0, GK_ARM_VCPU_PMU_V3_INIT, NULL), "its start");
	expect_errno(c, pmu(vm, 0, GK_ARM_VCPU_PMU_V3_INIT, NULL), EBUSY, "its start once more");
	expect_errno(c, run_at_once(vm, 0), EINTR, "KVM_RUN after it");
	return 0;
}

static int pmu_with_gic(struct conform *c)
{
	struct conform_vm *vm = with_pmu(c, 2);
	struct gcpu_error err = { 0 };
	uint32_t irq = 0;
	int gic;

	if (!vm)
		return 1;
	gic = make_gic(vm);
	if (gic == -ENODEV)
		return skip(c, "no vGICv3");
	if (!expect_ok(c, gic, "KVM_CREATE_DEVICE"))
		return 1;
	expect_errno(c, pmu(vm, 0, GK_ARM_VCPU_PMU_V3_INIT, NULL), ENODEV, "its start before the vGIC's");
	expect_errno(c, attr_get(c, vm->vcpu[0], GK_ARM_VCPU_PMU_V3_CTRL, GK_ARM_VCPU_PMU_V3_IRQ, &irq), ENXIO, "no interrupt yet");
	expect_errno(c, pmu_irq(vm, 0, 15), EINVAL, "an interrupt between processors");
	expect_errno(c, pmu_irq(vm, 0, 5000), EINVAL, "no interrupt at all");
	expect_errno(c, pmu(vm, 0, GK_ARM_VCPU_PMU_V3_IRQ, NULL), EFAULT, "nothing");
	expect_ok(c, pmu_irq(vm, 0, PMU_IRQ), "its interrupt");
	expect_ok(c, attr_get(c, vm->vcpu[0], GK_ARM_VCPU_PMU_V3_CTRL, GK_ARM_VCPU_PMU_V3_IRQ, &irq), "its interrupt, read");
	expect_value(c, irq, PMU_IRQ, "its interrupt, read");
	expect_errno(c, pmu_irq(vm, 0, PMU_IRQ), EBUSY, "its interrupt once more");
	expect_errno(c, pmu_irq(vm, 1, PMU_IRQ + 1), EINVAL, "another private one for the second");
	if (!expect(c, run_arm64_gic_init(c->kvm, gic, 2, &err) == 0, "%s", err.text))
		return 1;
	expect_errno(c, pmu(vm, 1, GK_ARM_VCPU_PMU_V3_INIT, NULL), ENXIO, "the second's start without an interrupt");
	expect_ok(c, pmu(vm, 0, GK_ARM_VCPU_PMU_V3_INIT, NULL), "its start");
	expect_errno(c, pmu_irq(vm, 0, PMU_IRQ), EBUSY, "its interrupt after that");
	expect_ok(c, pmu_irq(vm, 1, PMU_IRQ), "the same for the second");
	return 0;
}

/* Events: struct kvm_pmu_event_filter. */
struct events {
	uint16_t base, n;
	uint8_t action, pad[3];
};

static int pmu_filter(struct conform *c)
{
	struct conform_vm *vm = with_pmu(c, 2);
	struct events f = { .base = 0x11, .n = 1, .action = 1 };

	if (!vm)
		return 1;
	expect_ok(c, attr_has(c, vm->vcpu[0], GK_ARM_VCPU_PMU_V3_CTRL, GK_ARM_VCPU_PMU_V3_FILTER), "KVM_HAS_DEVICE_ATTR");
	expect_ok(c, pmu(vm, 0, GK_ARM_VCPU_PMU_V3_FILTER, &f), "an event denied");
	f.action = 2;
	expect_errno(c, pmu(vm, 0, GK_ARM_VCPU_PMU_V3_FILTER, &f), EINVAL, "an action that there is not");
	f = (struct events){ .base = 0xffff, .n = 2 };
	expect_errno(c, pmu(vm, 0, GK_ARM_VCPU_PMU_V3_FILTER, &f), EINVAL, "events beyond the last");
	expect_errno(c, pmu(vm, 0, GK_ARM_VCPU_PMU_V3_FILTER, NULL), EFAULT, "nothing");
	expect_errno(c, pmu(vm, 0, 77, &f), ENXIO, "an attribute that there is not");
	return 0;
}

static int pmu_guest(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	struct guest_op op = OP_MRS(R_PMCR);
	uint64_t value;

	if (!vm)
		return 1;
	expect_errno(c, vcpu_get(vm, 0, R_PMCR, &value), ENOENT, "PMCR_EL0");
	if (guest_run(vm, 0, &op, 1))
		return 1;
	expect(c, op.status == GUEST_STATUS_FAULT && op.fault == ESR_UNDEFINED, "PMCR_EL0 is undefined for the guest");
	return 0;
}

static int timer(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	uint32_t irq = 28;

	if (!vm)
		return 1;
	expect_ok(c, attr_has(c, vm->vcpu[0], GK_ARM_VCPU_TIMER_CTRL, GK_ARM_VCPU_TIMER_IRQ_VTIMER), "KVM_HAS_DEVICE_ATTR");
	expect_errno(c, attr_has(c, vm->vcpu[0], GK_ARM_VCPU_TIMER_CTRL, 77), ENXIO, "an attribute that there is not");
	expect_errno(c, attr_has(c, vm->vcpu[0], 77, 0), ENXIO, "a group that there is not");
	expect_errno(c, attr_set(c, vm->vcpu[0], GK_ARM_VCPU_TIMER_CTRL, GK_ARM_VCPU_TIMER_IRQ_VTIMER, &irq), EINVAL,
		     "an interrupt without a vGIC");
	expect_ok(c, attr_get(c, vm->vcpu[0], GK_ARM_VCPU_TIMER_CTRL, GK_ARM_VCPU_TIMER_IRQ_VTIMER, &irq), "the usual one");
	expect_value(c, irq, 27, "the virtual timer's interrupt");
	expect_ok(c, attr_get(c, vm->vcpu[0], GK_ARM_VCPU_TIMER_CTRL, GK_ARM_VCPU_TIMER_IRQ_PTIMER, &irq), "the usual one");
	expect_value(c, irq, 30, "the physical timer's interrupt");
	return 0;
}

static int stolen(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	struct guest_op st = OP_CALL(C_PV_ST);
	uint64_t at, skewed, nowhere = NOWHERE_IPA, got = 0;
	uint32_t *here;
	int fd;

	if (!vm)
		return 1;
	fd = vm->vcpu[0];
	if (!has_cap(c, CAP_STEAL_TIME)) {
		expect_errno(c, attr_has(c, fd, GK_ARM_VCPU_PVTIME_CTRL, GK_ARM_VCPU_PVTIME_IPA), ENXIO, "KVM_HAS_DEVICE_ATTR");
		return 0;
	}
	here = guest_memory(vm, 0, &at);
	if (!here)
		return 1;
	skewed = at + 1;
	expect_ok(c, attr_has(c, fd, GK_ARM_VCPU_PVTIME_CTRL, GK_ARM_VCPU_PVTIME_IPA), "KVM_HAS_DEVICE_ATTR");
	expect_errno(c, attr_has(c, fd, GK_ARM_VCPU_PVTIME_CTRL, 1), ENXIO, "an attribute that there is not");
	expect_errno(c, attr_set(c, fd, GK_ARM_VCPU_PVTIME_CTRL, GK_ARM_VCPU_PVTIME_IPA, &skewed), EINVAL, "not aligned");
	expect_errno(c, attr_set(c, fd, GK_ARM_VCPU_PVTIME_CTRL, GK_ARM_VCPU_PVTIME_IPA, &nowhere), EINVAL, "no memory there");
	expect_said(vm, C_FEATURES, C_PV_FEATURES, 0, "SMCCC_ARCH_FEATURES");
	expect_said(vm, C_PV_FEATURES, C_PV_FEATURES, NOT_SUPPORTED, "PV_TIME_FEATURES of itself, before there is a place");
	expect_said(vm, C_PV_FEATURES, C_PV_ST, NOT_SUPPORTED, "PV_TIME_FEATURES of PV_TIME_ST, before there is a place");
	expect_said(vm, C_PV_FEATURES, C_TRNG_VERSION, NOT_SUPPORTED, "PV_TIME_FEATURES of another's");
	expect_said(vm, C_PV_ST, 0, NOT_SUPPORTED, "PV_TIME_ST before there is a place");
	expect_ok(c, attr_set(c, fd, GK_ARM_VCPU_PVTIME_CTRL, GK_ARM_VCPU_PVTIME_IPA, &at), "a place");
	expect_errno(c, attr_set(c, fd, GK_ARM_VCPU_PVTIME_CTRL, GK_ARM_VCPU_PVTIME_IPA, &at), EEXIST, "a place once more");
	expect_ok(c, attr_get(c, fd, GK_ARM_VCPU_PVTIME_CTRL, GK_ARM_VCPU_PVTIME_IPA, &got), "the place, read");
	expect_value(c, got, at, "the place, read");
	expect_said(vm, C_PV_FEATURES, C_PV_FEATURES, 0, "PV_TIME_FEATURES of itself");
	expect_said(vm, C_PV_FEATURES, C_PV_ST, 0, "PV_TIME_FEATURES of PV_TIME_ST");
	memset(here, 0xff, 16);
	if (call_firmware(vm, 0, &st))
		return 1;
	expect_value(c, st.res[0], at, "PV_TIME_ST");
	expect(c, !here[0] && !here[1], "revision 0x%x and attributes 0x%x", here[0], here[1]);
	return 0;
}

const struct conform_case cases_arm64_attrs[] = {
	{ "pmu:not-asked-for", "devices/vcpu.rst 1", pmu_not_asked },
	{ "pmu:without-gic", "devices/vcpu.rst 1, pmu-emul.c", pmu_without_gic },
	{ "pmu:with-gic", "devices/vcpu.rst 1, pmu-emul.c", pmu_with_gic },
	{ "pmu:event-filter", "devices/vcpu.rst 1.3", pmu_filter },
	{ "pmu:guest-without", "ST:arm64/vpmu_counter_access", pmu_guest },
	{ "timer:interrupts", "devices/vcpu.rst 2", timer },
	{ "pv-time:stolen", "ST:steal_time, pvtime.rst", stolen },
	{ NULL, NULL, NULL },
};

/* SPDX-License-Identifier: MIT */
/* PSCI: power of vCPUs and of the VM. psci.c, DEN0022. */
#include "arm64.h"

enum { INVALID_PARAMS = -2, ALREADY_ON = -4, INTERNAL_FAILURE = -6 };

#define ENTRY 0x40123000U
#define CONTEXT 0xdecafbadU

static int versions(struct conform *c)
{
	static const uint64_t all[] = { PSCI(0, 2), PSCI(1, 0), PSCI(1, 1) };
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);

	for (unsigned i = 0; vm && i < COUNT(all); i++) {
		expect_ok(c, vcpu_set(vm, 0, GK_REG_ARM_PSCI_VERSION, all[i]), "a version");
		expect_said(vm, C_PSCI_VERSION, 0, (int)all[i], "PSCI_VERSION");
		expect_said(vm, C_PSCI_FEATURES, C_CPU_ON, all[i] < PSCI(1, 0) ? NOT_SUPPORTED : 0, "PSCI_FEATURES of CPU_ON");
		expect_said(vm, C_PSCI_FEATURES, C_VERSION, all[i] < PSCI(1, 0) ? NOT_SUPPORTED : 0, "PSCI_FEATURES of SMCCC_VERSION");
		expect_said(vm, C_PSCI_FEATURES, C_SYSTEM_RESET2, all[i] < PSCI(1, 1) ? NOT_SUPPORTED : 0,
			    "PSCI_FEATURES of SYSTEM_RESET2");
		expect_said(vm, C_PSCI_FEATURES, C_SYSTEM_OFF2, NOT_SUPPORTED, "PSCI_FEATURES of SYSTEM_OFF2, before 1.3");
		expect_said(vm, C_MIGRATE_INFO_TYPE, 0, 2, "MIGRATE_INFO_TYPE");
	}
	return 0;
}

static int old(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, 0);

	if (!vm)
		return 1;
	expect_said(vm, C_PSCI_VERSION, 0, NOT_SUPPORTED, "PSCI_VERSION without PSCI_0_2");
	expect_said(vm, C_VERSION, 0, 0x10001, "SMCCC_VERSION without PSCI_0_2");
	return 0;
}

/* Two vCPUs, the second without power. */
static struct conform_vm *pair(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 2, NO_INIT);

	if (!vm || !expect_ok(c, vcpu_init(vm, 0, F_PSCI), "the first") ||
	    !expect_ok(c, vcpu_init(vm, 1, F_PSCI | F_POWER_OFF), "the second, without power"))
		return NULL;
	return vm;
}

static int cpu_on(struct conform *c)
{
	struct conform_vm *vm = pair(c);
	uint64_t here, there;
	struct guest_op on;

	if (!vm)
		return 1;
	here = vcpu_read(vm, 0, R_MPIDR) & 0xff00ffffff;
	there = vcpu_read(vm, 1, R_MPIDR) & 0xff00ffffff;
	expect_said(vm, C_AFFINITY_INFO, there, 1, "AFFINITY_INFO of one without power");
	expect_said(vm, C_AFFINITY_INFO, here, 0, "AFFINITY_INFO of oneself");
	expect_said(vm, C_AFFINITY_INFO, 0x4711, INVALID_PARAMS, "AFFINITY_INFO of nobody");
	expect_said(vm, C_CPU_ON, 0x4711, INVALID_PARAMS, "CPU_ON of nobody");
	expect_said(vm, C_CPU_ON, here, ALREADY_ON, "CPU_ON of oneself");
	on = (struct guest_op)OP_CALL(C_CPU_ON, there, ENTRY, CONTEXT);
	if (call_firmware(vm, 0, &on))
		return 1;
	expect_value(c, (uint32_t)said(&on), 0, "CPU_ON");
	expect_result(c, mp_state(vm, 1), GK_MP_STATE_RUNNABLE, "KVM_GET_MP_STATE of who was given power");
	expect_value(c, vcpu_read(vm, 1, GK_REG_ARM_PC), ENTRY, "where it begins");
	expect_value(c, vcpu_read(vm, 1, GK_REG_ARM_X(0)), CONTEXT, "what it is given");
	expect_said(vm, C_AFFINITY_INFO, there, 0, "AFFINITY_INFO of one with power");
	expect_said(vm, C_CPU_ON, there, ALREADY_ON, "CPU_ON once more");
	return 0;
}

static int affinity_levels(struct conform *c)
{
	struct conform_vm *vm = pair(c);
	struct guest_op op = OP_CALL(C_AFFINITY_INFO, 0, 4), whole = OP_CALL(C_AFFINITY_INFO, 0, 1);

	if (!vm || call_firmware(vm, 0, &op) || call_firmware(vm, 0, &whole))
		return 1;
	expect_value(c, (uint32_t)said(&op), (uint32_t)INVALID_PARAMS, "a level that there is not");
	expect_value(c, (uint32_t)said(&whole), 0, "a whole cluster: somebody has power");
	return 0;
}

struct seen {
	struct conform_vm *vm;
	unsigned n;
	uint32_t type;
	uint64_t flags;
	int state;
};

/* The VMM: notes it, and goes on as if nothing had been. */
static int take(void *ctx, unsigned vcpu, struct gk_run *run)
{
	struct seen *s = ctx;

	if (run->exit_reason != GK_EXIT_SYSTEM_EVENT)
		return 0;
	s->n++;
	s->type = run->system_event.type;
	s->flags = run->system_event.data[0];
	s->state = mp_state(s->vm, vcpu);
	set_mp_state(s->vm, vcpu, GK_MP_STATE_RUNNABLE);
	return 1;
}

static void event(struct conform_vm *vm, uint32_t call, uint64_t arg, uint32_t type, uint64_t flags, const char *name)
{
	struct guest_op op = OP_CALL(call, arg);
	struct seen s = { .vm = vm };

	if (vm_watch(vm, take, &s) || call_firmware(vm, 0, &op))
		return;
	expect_value(vm->c, s.n, 1, "%s: exits", name);
	expect_value(vm->c, s.type, type, "%s: type of the event", name);
	expect_value(vm->c, s.flags, flags, "%s: its flags", name);
	/* of a suspended system the registers are left to the VMM */
	if (type != GK_SYSTEM_EVENT_SUSPEND)
		expect_result(vm->c, s.state, GK_MP_STATE_STOPPED, "%s: the vCPU is stopped", name);
	expect_value(vm->c, (uint32_t)said(&op), type == GK_SYSTEM_EVENT_SUSPEND ? call : (uint32_t)INTERNAL_FAILURE,
		     "%s: X0 if the guest goes on", name);
}

static int system_off(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);

	if (!vm)
		return 1;
	event(vm, C_SYSTEM_OFF, 0, GK_SYSTEM_EVENT_SHUTDOWN, 0, "SYSTEM_OFF");
	event(vm, C_SYSTEM_RESET, 0, GK_SYSTEM_EVENT_RESET, 0, "SYSTEM_RESET");
	expect_said(vm, C_SYSTEM_RESET2, 1, INVALID_PARAMS, "SYSTEM_RESET2 of a type that there is not");
	event(vm, C_SYSTEM_RESET2, 0, GK_SYSTEM_EVENT_RESET, 1, "SYSTEM_RESET2");
	return 0;
}

static int off2(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);

	if (!vm)
		return 1;
	if (c->release < KERNEL(6, 13)) {
		expect_said(vm, C_SYSTEM_OFF2, 1, NOT_SUPPORTED, "SYSTEM_OFF2, before PSCI 1.3");
		return 0;
	}
	expect_said(vm, C_PSCI_FEATURES, C_SYSTEM_OFF2, 1, "PSCI_FEATURES of SYSTEM_OFF2");
	expect_said(vm, C_SYSTEM_OFF2, 2, INVALID_PARAMS, "SYSTEM_OFF2 of a type that there is not");
	event(vm, C_SYSTEM_OFF2, 1, GK_SYSTEM_EVENT_SHUTDOWN, 1, "SYSTEM_OFF2");
	expect_ok(c, vcpu_set(vm, 0, GK_REG_ARM_PSCI_VERSION, PSCI(1, 1)), "PSCI 1.1");
	expect_said(vm, C_SYSTEM_OFF2, 1, NOT_SUPPORTED, "SYSTEM_OFF2 of PSCI 1.1");
	return 0;
}

static int suspend(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);

	if (!vm)
		return 1;
	expect_said(vm, C_PSCI_FEATURES, C_SYSTEM_SUSPEND, NOT_SUPPORTED, "PSCI_FEATURES without the capability");
	expect_said(vm, C_SYSTEM_SUSPEND, ENTRY, NOT_SUPPORTED, "SYSTEM_SUSPEND without the capability");
	vm_close(vm);
	vm = arm64_vm(c, 1, F_PSCI);
	if (!vm || !expect_ok(c, enable_cap(c, vm->fd, CAP_ARM_SYSTEM_SUSPEND, 0), "KVM_CAP_ARM_SYSTEM_SUSPEND"))
		return 1;
	expect_said(vm, C_PSCI_FEATURES, C_SYSTEM_SUSPEND, 0, "PSCI_FEATURES with the capability");
	event(vm, C_SYSTEM_SUSPEND, ENTRY, GK_SYSTEM_EVENT_SUSPEND, 0, "SYSTEM_SUSPEND");
	return 0;
}

const struct conform_case cases_arm64_psci[] = {
	{ "psci:versions", "psci.c kvm_psci_1_x_call", versions },
	{ "psci:without-0.2", "psci.c kvm_psci_0_1_call", old },
	{ "psci:cpu-on", "ST:arm64/psci_test", cpu_on },
	{ "psci:affinity-levels", "psci.c kvm_psci_vcpu_affinity_info", affinity_levels },
	{ "psci:system-events", "KVM API 5, psci.c", system_off },
	{ "psci:system-off2", "ST:arm64/psci_test", off2 },
	{ "psci:system-suspend", "ST:arm64/psci_test", suspend },
	{ NULL, NULL, NULL },
};

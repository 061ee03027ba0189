/* SPDX-License-Identifier: MIT */
/* SMCCC filters, since 6.4: a VMM may deny calls, or take them itself. Tried with TRNG_VERSION. devices/vm.rst. */
#include <errno.h>

#include "arm64.h"

#include "facts_gen.h"
#include "kvm/abi_arm64.h"

#define ANSWER 0x600d

static int filter(struct lab *lab, uint8_t action)
{
	const struct gk_smccc_filter f = {
		.base = hypercall_number(lab->alive, ARM64_CALL_TRNG_VERSION), .nr_functions = 1, .action = action,
	};

	return set_attr(lab, run_machine_vm(lab->vm), GK_ARM_VM_SMCCC_CTRL, GK_ARM_VM_SMCCC_FILTER, &f);
}

/* Not 0: there is none, and the outcome says so; "absent". */
static int no_filter(struct lab *lab, int r, struct outcome *out)
{
	const struct gk_device_attr a = { .group = GK_ARM_VM_SMCCC_CTRL, .attr = GK_ARM_VM_SMCCC_FILTER };
	int has = lab_vm_ioctl(lab, GK_HAS_DEVICE_ATTR, &a);

	/* EINVAL: KVM has no attributes of a VM at all */
	if (r < 0 && (has == -ENXIO || has == -EINVAL))
		return observe(out, "absent", "KVM_HAS_DEVICE_ATTR for KVM_ARM_VM_SMCCC_FILTER: %s", answer(has));
	if (r < 0)
		return say(out, GCPU_ALIVE_INCONCLUSIVE, "KVM_ARM_VM_SMCCC_FILTER: %s", answer(r));
	return 0;
}

/* The VMM. Runs on the vCPU's thread while we wait for it. */
struct vmm {
	struct lab *lab;
	unsigned exits;
	uint64_t nr;
};

static int take_call(void *ctx, unsigned vcpu, struct gk_run *run)
{
	struct vmm *v = ctx;

	if (run->exit_reason != GK_EXIT_HYPERCALL)
		return 0;
	v->exits++;
	v->nr = run->hypercall.nr;
	set_reg(v->lab, vcpu, GK_REG_ARM_X(0), ANSWER);
	return 1;
}

/* "not-supported": -1 for the guest (6.4 and later); "answered"; "absent" (before). */
static void deny(struct lab *lab, struct outcome *out)
{
	struct guest_op op = op_call(lab, ARM64_CALL_TRNG_VERSION);

	if (no_filter(lab, filter(lab, GK_SMCCC_FILTER_DENY), out) || lab_run(lab, 0, &op, 1))
		return;
	observe(out, smccc_said(&op) == SMCCC_NOT_SUPPORTED ? "not-supported" : "answered", "TRNG_VERSION gives %d, denied",
		smccc_said(&op));
}

/* "reaches-vmm": an exit, and the VMM's answer in X0 (6.4 and later); "answered" by KVM; "absent" (before). */
static void forward(struct lab *lab, struct outcome *out)
{
	struct guest_op op = op_call(lab, ARM64_CALL_TRNG_VERSION);
	struct vmm v = { .lab = lab };

	if (no_filter(lab, filter(lab, GK_SMCCC_FILTER_FWD_TO_USER), out))
		return;
	run_guest_set_exit(lab->guest, take_call, &v);
	if (lab_run(lab, 0, &op, 1))
		return;
	observe(out, v.exits == 1 && op.res[0] == ANSWER ? "reaches-vmm" : "answered",
		"TRNG_VERSION: %u exits, function 0x%llx, the guest gets 0x%llx", v.exits, (unsigned long long)v.nr,
		(unsigned long long)op.res[0]);
}

/* After the VM has run: "busy" (EBUSY, 6.4 and later); "accepted"; "absent" (before). */
static void late(struct lab *lab, struct outcome *out)
{
	int r;

	if (run_once(lab, 0))
		return;
	r = filter(lab, GK_SMCCC_FILTER_DENY);
	if (r == -EBUSY)
		observe(out, "busy", "KVM_ARM_VM_SMCCC_FILTER after KVM_RUN: EBUSY");
	else if (!no_filter(lab, r, out))
		observe(out, "accepted", "KVM_ARM_VM_SMCCC_FILTER is taken after KVM_RUN");
}

const struct exercise exercise_filter_deny = {
	.name = "smccc-filter-deny", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN, .vcpus = 1 }, .use = deny,
};
const struct exercise exercise_filter_forward = {
	.name = "smccc-filter-forward", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN, .vcpus = 1 }, .use = forward,
};
const struct exercise exercise_filter_late = {
	.name = "smccc-filter-after-run", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN, .vcpus = 1 }, .use = late,
};

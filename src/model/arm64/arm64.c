/* SPDX-License-Identifier: MIT */
/*
 * The software KVM of arm64. What it answers is told by the rules (arch/arm64/predict.h) from the
 * limits and masks of the host's snapshot: what the snapshot's own trial says is never looked at.
 */
#include "arm64.h"

#include "series.h"

#define RUN_SIZE 4096U

static int init(struct gcpu_model *m, struct gcpu_error *err)
{
	if (!m->host->regs.n || !m->host->caps_vm.n)
		return error_set(err, GCPU_ERR_ARGUMENT, "the snapshot does not say which registers there are");
	return m->other_kernel ? series_compute(m, err) : 0;
}

static int no_cap(struct sw_vcpu *v, const struct gk_enable_cap *cap)
{
	(void)v;
	(void)cap;
	return -EINVAL;
}

static const struct sw_call none[] = { { 0, NULL } };

/* What the guest can address is the VM's type. */
static int slot_allowed(struct sw_vm *vm, uint64_t end)
{
	return end > UINT64_C(1) << ((struct arm64_vm *)vm->own)->ipa_bits ? -EFAULT : 0;
}

const struct sw_arch sw_arm64 = {
	.arch = GCPU_ARCH_ARM64,
	.run_size = RUN_SIZE,
	.init = init,
	.system = none,
	.vm = arm64_vm_calls,
	.vcpu = arm64_vcpu_calls,
	.device = arm64_device_calls,
	.unknown_system = -EINVAL,
	.unknown_vm = -EINVAL,
	.unknown_vcpu = -EINVAL,
	.capability = arm64_capability,
	.vm_new = arm64_vm_new,
	.vm_free = arm64_vm_free,
	.vcpu_allowed = arm64_vcpu_allowed,
	.slot_allowed = slot_allowed,
	.vcpu_new = arm64_vcpu_new,
	.vcpu_free = arm64_vcpu_free,
	.enable_vm = arm64_enable_vm,
	.enable_vcpu = no_cap,
	.device_allowed = arm64_device_allowed,
	.device_made = arm64_device_made,
	.enter = arm64_enter,
	.step = arm64_step,
};

/* SPDX-License-Identifier: MIT */
/*
 * What VMMs save of every vCPU, and no CPU feature depends on: the state of a guest that runs guests, which none of the software KVM's ever does.
 */
#include "x86.h"

#include <string.h>

/* MCG_CTL_P and MCG_SER_P: what every KVM supports, where the snapshot does not say, but for Intel's LMCE. */
#define MCE_SUPPORTED (1ULL << 8 | 1ULL << 24)

int x86_mce_supported(void *object, uintptr_t arg)
{
	const struct gcpu_snapshot *s = ((struct gcpu_model *)object)->host;
	uint64_t value = s->has_mce ? s->mce_supported : MCE_SUPPORTED;

	return sw_copy_out(arg, &value, sizeof(value));
}

/* The format follows the module: 0 is Intel's, 1 AMD's. */
int x86_get_nested_state(void *object, uintptr_t arg)
{
	const struct sw_vcpu *v = object;
	const struct gcpu_model *m = v->vm->model;
	bool svm = m->host->module && strcmp(m->host->module, "kvm_amd") == 0;
	struct gk_nested_state user, state = {
		.flags = svm ? GK_STATE_NESTED_GIF_SET : 0,
		.format = svm ? GK_STATE_NESTED_FORMAT_SVM : GK_STATE_NESTED_FORMAT_VMX,
		.size = sizeof(state),
	};

	if (sw_cap(m, v->vm, CAP_NESTED_STATE) <= 0)
		return -EINVAL;
	if (sw_copy_in(&user, arg, sizeof(user)))
		return -EFAULT;
	if (user.size < sizeof(state)) {
		user.size = sizeof(state);
		return sw_copy_out(arg, &user, sizeof(user)) ? -EFAULT : -E2BIG;
	}
	/* no VMXON, no current VMCS */
	if (!svm)
		memset(state.hdr, 0xff, 2 * sizeof(uint64_t));
	return sw_copy_out(arg, &state, sizeof(state));
}

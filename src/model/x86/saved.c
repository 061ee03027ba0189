/* SPDX-License-Identifier: MIT */
/*
 * What VMMs set up and save of every vCPU, and no CPU feature depends on: machine checks, and the
 * state of a guest that runs guests, which none of the software KVM's ever does.
 */
#include "x86.h"

#include <string.h>

/* Parts of MCG_CAP. */
#define BANKS 0xffULL
#define MCG_EXT_CNT (0xffULL << 16)
#define MCG_SER_P (1ULL << 24)

#define BANKS_MOST 32
#define NESTED_FLAGS 0x10fU /* guest mode, run pending, eVMCS, MTF, GIF */

/* What every KVM supports, where the snapshot does not say: it is a constant there, but for Intel's LMCE. */
static uint64_t supported(const struct gcpu_model *m)
{
	return m->host->has_mce ? m->host->mce_supported : MCG_CTL_P | MCG_SER_P;
}

int x86_mce_supported(void *object, uintptr_t arg)
{
	uint64_t value = supported(object);

	return sw_copy_out(arg, &value, sizeof(value));
}

int x86_setup_mce(void *object, uintptr_t arg)
{
	const struct sw_vcpu *v = object;
	uint64_t cap;

	if (sw_copy_in(&cap, arg, sizeof(cap)))
		return -EFAULT;
	/* the number of extended registers is let through, and means nothing */
	if (!(cap & BANKS) || (cap & BANKS) > BANKS_MOST ||
	    cap & ~(supported(v->vm->model) | BANKS | MCG_EXT_CNT))
		return -EINVAL;
	return x86_mce_is(x86_vcpu(v), cap);
}

/* None of the guests ever runs a guest: what else the state says is taken, and not looked at. */
int x86_set_nested_state(void *object, uintptr_t arg)
{
	const struct sw_vcpu *v = object;
	struct gk_nested_state s;

	if (sw_cap(v->vm->model, v->vm, CAP_NESTED_STATE) <= 0)
		return -EINVAL;
	if (sw_copy_in(&s, arg, sizeof(s)))
		return -EFAULT;
	if (s.size < sizeof(s) || (s.flags & ~NESTED_FLAGS) ||
	    s.format != (x86_is_hosts(v->vm->model, MSR_AMD) ? GK_STATE_NESTED_FORMAT_SVM : GK_STATE_NESTED_FORMAT_VMX))
		return -EINVAL;
	return 0;
}

/* The format follows the module: 0 is Intel's, 1 AMD's. */
int x86_get_nested_state(void *object, uintptr_t arg)
{
	const struct sw_vcpu *v = object;
	const struct gcpu_model *m = v->vm->model;
	bool svm = m->host->module && strcmp(m->host->module, "kvm_amd") == 0;
	uintptr_t at = arg + offsetof(struct gk_nested_state, size);
	uint32_t size = sizeof(struct gk_nested_state), room;
	struct gk_nested_state state = {
		.flags = svm ? GK_STATE_NESTED_GIF_SET : 0,
		.format = svm ? GK_STATE_NESTED_FORMAT_SVM : GK_STATE_NESTED_FORMAT_VMX,
		.size = sizeof(state),
	};

	if (sw_cap(m, v->vm, CAP_NESTED_STATE) <= 0)
		return -EINVAL;
	/* of what comes in, this alone is looked at: there may be no more */
	if (sw_copy_in(&room, at, sizeof(room)))
		return -EFAULT;
	if (room < size)
		return sw_copy_out(at, &size, sizeof(size)) ? -EFAULT : -E2BIG;
	/* no VMXON, no current VMCS */
	if (!svm)
		memset(state.hdr, 0xff, 2 * sizeof(uint64_t));
	return sw_copy_out(arg, &state, sizeof(state));
}

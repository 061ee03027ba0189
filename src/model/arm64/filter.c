/* SPDX-License-Identifier: MIT */
/* Attributes of a VM: which SMCCC calls KVM answers, and which it denies or leaves to the VMM. */
#include "arm64.h"

#define ARCH_CALLS 0xffffU /* of the owner 0: KVM's alone */
#define FAST_64 (1U << 30)

static bool overlaps(const struct arm64_vm *a, uint64_t first, uint64_t last)
{
	for (size_t i = 0; i < a->filters.n; i++) {
		const struct arm64_filter *f = LIST_AT(&a->filters, struct arm64_filter, i);

		if (f->first <= last && first <= f->last)
			return true;
	}
	return false;
}

static int insert(struct arm64_vm *a, uint64_t first, uint64_t last, uint8_t action)
{
	struct arm64_filter *f;

	if (overlaps(a, first, last))
		return -EEXIST;
	f = list_add(&a->filters, sizeof(*f));
	if (!f)
		return -ENOMEM;
	*f = (struct arm64_filter){ first, last, action };
	return 0;
}

/* The architecture's own calls are nobody else's, by both conventions. */
static int reserve(struct arm64_vm *a)
{
	uint32_t first = arm64_call(ARM64_CALL_SMCCC_VERSION);
	int status = a->filters.n ? 0 : insert(a, first, first + ARCH_CALLS, GK_SMCCC_FILTER_HANDLE);

	if (status == 0 && a->filters.n == 1)
		status = insert(a, first + FAST_64, first + FAST_64 + ARCH_CALLS, GK_SMCCC_FILTER_HANDLE);
	return status;
}

static int set_filter(const struct gcpu_model *m, struct arm64_vm *a, uint64_t addr)
{
	struct gk_smccc_filter f;
	uint32_t last;
	int status;

	if (sw_copy_in(&f, (uintptr_t)addr, sizeof(f)))
		return -EFAULT;
	for (unsigned i = 0; i < sizeof(f.pad); i++)
		if (f.pad[i])
			return -EINVAL;
	last = f.base + f.nr_functions - 1;
	if ((!f.nr_functions && sw_behaves(m, BEHAVIOUR_NO_EMPTY_FILTER)) || last < f.base || f.action > GK_SMCCC_FILTER_FWD_TO_USER)
		return -EINVAL;
	if (a->ran)
		return -EBUSY;
	status = reserve(a);
	return status ? status : insert(a, f.base, last, f.action);
}

uint8_t arm64_filtered(const struct sw_vm *vm, uint32_t function)
{
	const struct arm64_vm *a = arm64_vm(vm);

	for (size_t i = 0; i < a->filters.n; i++) {
		const struct arm64_filter *f = LIST_AT(&a->filters, struct arm64_filter, i);

		if (f->first <= function && function <= f->last)
			return f->action;
	}
	return GK_SMCCC_FILTER_HANDLE;
}

static int has(const struct gk_device_attr *a)
{
	return a->group == GK_ARM_VM_SMCCC_CTRL && a->attr == GK_ARM_VM_SMCCC_FILTER ? 0 : -ENXIO;
}

int arm64_vm_set_attr(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;
	struct gk_device_attr a;

	if (!sw_behaves(vm->model, BEHAVIOUR_VM_ATTRIBUTES))
		return -EINVAL;
	if (sw_copy_in(&a, arg, sizeof(a)))
		return -EFAULT;
	return has(&a) ? has(&a) : set_filter(vm->model, arm64_vm(vm), a.addr);
}

int arm64_vm_get_attr(void *object, uintptr_t arg)
{
	(void)object;
	(void)arg;
	return -EINVAL;
}

int arm64_vm_has_attr(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;
	struct gk_device_attr a;

	if (!sw_behaves(vm->model, BEHAVIOUR_VM_ATTRIBUTES))
		return -EINVAL;
	return sw_copy_in(&a, arg, sizeof(a)) ? -EFAULT : has(&a);
}

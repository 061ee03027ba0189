/* SPDX-License-Identifier: MIT */
/* A VM: how wide its addresses are, its switches, and the masks of its ID registers. */
#include "arm64.h"

#include <stdlib.h>

#define IPA_BITS_MASK 0xffUL /* of KVM_CREATE_VM's type */
#define IPA_BITS_USUAL 40U
#define IPA_BITS_LEAST 32U

int arm64_vm_new(struct sw_vm *vm)
{
	unsigned most = (unsigned)sw_cap(vm->model, NULL, CAP_ARM_VM_IPA_SIZE);
	const struct gcpu_snapshot *s = vm->model->host;
	unsigned bits = (unsigned)(vm->type & IPA_BITS_MASK);
	struct arm64_vm *a;

	if (vm->type & ~IPA_BITS_MASK)
		return -EINVAL;
	if (bits ? bits > most || bits < IPA_BITS_LEAST : IPA_BITS_USUAL > most)
		return -EINVAL;
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->now = calloc(s->regs.n, sizeof(*a->now));
	if (!a->now) {
		free(a);
		return -ENOMEM;
	}
	for (size_t i = 0; i < s->regs.n; i++)
		a->now[i] = LIST_AT(&s->regs, struct snap_reg, i)->value[0];
	a->ipa_bits = bits ? bits : IPA_BITS_USUAL;
	a->gic.dist = a->gic.cpu = NOWHERE;
	vm->own = a;
	return 0;
}

void arm64_vm_free(struct sw_vm *vm)
{
	struct arm64_vm *a = vm->own;

	if (!a)
		return;
	list_free(&a->filters);
	list_free(&a->gic.redists);
	free(a->now);
	free(a);
}

int arm64_capability(struct gcpu_model *m, struct sw_vm *vm, unsigned number, int value)
{
	/* 0 is no number of which a snapshot keeps the answer */
	if (number == CAP_IRQCHIP)
		return !arm64_gic_error(m->host, GK_DEV_TYPE_ARM_VGIC_V2) || !arm64_gic_error(m->host, GK_DEV_TYPE_ARM_VGIC_V3);
	if (number == CAP_MSI_DEVID && !vm)
		return -EINVAL;
	if (vm && arm64_vm(vm)->gic.type == GK_DEV_TYPE_ARM_VGIC_V2 &&
	    (number == CAP_MAX_VCPUS || number == CAP_MAX_VCPU_ID))
		return V2_VCPUS_MOST;
	return value;
}

int arm64_vcpu_allowed(struct sw_vm *vm, unsigned id)
{
	struct arm64_vm *a = arm64_vm(vm);

	if (a->gic.type == GK_DEV_TYPE_ARM_VGIC_V2 && vm->n_vcpus >= V2_VCPUS_MOST)
		return -EINVAL;
	if (a->gic.ready)
		return -EBUSY;
	/* it takes its place among the redistributors at once, where there is one */
	if (a->gic.redists.n && arm64_has_redist(vm, vm->n_vcpus + 1) && !arm64_gic_placed(vm))
		return -EINVAL;
	return a->gic.type == GK_DEV_TYPE_ARM_VGIC_V2 && id >= V2_VCPUS_MOST ? -EINVAL : 0;
}

static int before_vcpus(struct sw_vm *vm, const struct gk_enable_cap *cap, bool *which)
{
	if (sw_cap(vm->model, vm, cap->cap) <= 0 || vm->n_vcpus)
		return -EINVAL;
	*which = true;
	return 0;
}

static int split_chunk(struct sw_vm *vm, uint64_t size)
{
	uint64_t sizes = (uint32_t)sw_cap(vm->model, vm, CAP_ARM_SUPPORTED_BLOCK_SIZES);

	if (!sw_behaves(vm->model, BEHAVIOUR_SPLIT_CHUNK_KNOWN) || vm->slots.n)
		return -EINVAL;
	return size && ((size & (size - 1)) || !(size & sizes)) ? -EINVAL : 0;
}

int arm64_enable_vm(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	struct arm64_vm *a = arm64_vm(vm);

	switch (cap->cap) {
	case CAP_ARM_MTE:
		return before_vcpus(vm, cap, &a->mte);
	case CAP_ARM_WRITABLE_IMP_ID_REGS:
		return before_vcpus(vm, cap, &a->imp_ids);
	case CAP_ARM_SYSTEM_SUSPEND:
		a->suspend = true;
		return 0;
	case CAP_ARM_NISV_TO_USER:
		return 0;
	case CAP_ARM_EAGER_SPLIT_CHUNK_SIZE:
		return split_chunk(vm, cap->args[0]);
	case CAP_ARM_SEA_TO_USER:
		return sw_cap(vm->model, vm, cap->cap) > 0 ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static int preferred_target(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;
	const struct gk_arm_vcpu_init init = { .target = vm->model->host->target };

	return sw_copy_out(arg, &init, sizeof(init));
}

/* Where a register is in the array, or -1. */
static int mask_index(uint64_t id)
{
	unsigned op1 = (unsigned)(id >> 11) & 7;

	return arm64_is_id(id) ? GK_ARM_FEATURE_ID_RANGE_IDX(3, (int)op1, 0, (int)(id >> 3 & 7), (int)(id & 7)) : -1;
}

static int writable_masks(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;
	const struct gcpu_snapshot *s = vm->model->host;
	uint64_t masks[GK_ARM_FEATURE_ID_RANGE_SIZE] = { 0 };
	struct gk_reg_mask_range range;

	if (sw_cap(vm->model, vm, CAP_ARM_SUPPORTED_REG_MASK_RANGES) <= 0)
		return -EINVAL;
	if (sw_copy_in(&range, arg, sizeof(range)))
		return -EFAULT;
	if (range.range != GK_ARM_FEATURE_ID_RANGE)
		return -EINVAL;
	for (unsigned i = 0; i < sizeof(range.reserved) / sizeof(range.reserved[0]); i++)
		if (range.reserved[i])
			return -EINVAL;
	for (size_t i = 0; i < s->regs.n; i++) {
		const struct snap_reg *r = LIST_AT(&s->regs, struct snap_reg, i);

		if (mask_index(r->id) >= 0)
			masks[mask_index(r->id)] = r->mask;
	}
	return sw_copy_out((uintptr_t)range.addr, masks, sizeof(masks));
}

static int counter_offset(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;
	struct gk_arm_counter_offset offset;

	if (!sw_behaves(vm->model, BEHAVIOUR_COUNTER_OFFSET_KNOWN))
		return -EINVAL;
	if (sw_copy_in(&offset, arg, sizeof(offset)))
		return -EFAULT;
	return offset.reserved ? -EINVAL : 0;
}

const struct sw_call arm64_vm_calls[] = {
	{ GK_ARM_PREFERRED_TARGET, preferred_target },
	{ GK_ARM_GET_REG_WRITABLE_MASKS, writable_masks },
	{ GK_ARM_SET_COUNTER_OFFSET, counter_offset },
	{ GK_IRQ_LINE, arm64_irq_line },
	{ GK_CREATE_IRQCHIP, arm64_create_irqchip },
	{ GK_SET_DEVICE_ATTR, arm64_vm_set_attr },
	{ GK_GET_DEVICE_ATTR, arm64_vm_get_attr },
	{ GK_HAS_DEVICE_ATTR, arm64_vm_has_attr },
	{ 0, NULL },
};

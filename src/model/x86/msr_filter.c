/* SPDX-License-Identifier: MIT */
/* KVM_X86_SET_MSR_FILTER, and the guest's accesses that its VMM may want to see. */
#include "msr.h"

#include <stdlib.h>
#include <string.h>

#define DENIED (-EACCES) /* inside: by the filter */

/* Bytes of a range's bitmap, in whole words. */
static size_t bitmap_size(const struct gk_msr_filter_range *r)
{
	return ((size_t)r->nmsrs + 63) / 64 * 8;
}

/* 0 or -errno of one range, *SIZE is what its bitmap adds. */
static int check(const struct gk_msr_filter_range *r, size_t *size)
{
	if (!r->nmsrs)
		return 0;
	if ((r->flags & ~(GK_MSR_FILTER_READ | GK_MSR_FILTER_WRITE)) || !r->flags)
		return -EINVAL;
	if (!bitmap_size(r) || bitmap_size(r) > GK_MSR_FILTER_MAX_BITMAP_SIZE)
		return -EINVAL;
	if (sw_bad_pointer((uintptr_t)r->bitmap, bitmap_size(r)))
		return -EFAULT;
	*size += bitmap_size(r);
	return 0;
}

int x86_set_msr_filter(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;
	struct gk_msr_filter from, *to;
	size_t size = sizeof(*to);
	bool empty = true;
	uint8_t *behind;
	int status = 0;

	if (sw_copy_in(&from, arg, sizeof(from)))
		return -EFAULT;
	if (from.flags & ~GK_MSR_FILTER_DEFAULT_DENY)
		return -EINVAL;
	for (unsigned i = 0; i < GK_MSR_FILTER_MAX_RANGES; i++)
		empty = empty && !from.ranges[i].nmsrs;
	if (empty && (from.flags & GK_MSR_FILTER_DEFAULT_DENY))
		return -EINVAL;
	for (unsigned i = 0; i < GK_MSR_FILTER_MAX_RANGES && status == 0; i++)
		status = check(&from.ranges[i], &size);
	to = status ? NULL : malloc(size);
	if (!to)
		return status ? status : -ENOMEM;
	*to = from;
	behind = (uint8_t *)(to + 1);
	for (unsigned i = 0; i < GK_MSR_FILTER_MAX_RANGES; i++) {
		struct gk_msr_filter_range *r = &to->ranges[i];

		if (!r->nmsrs)
			continue;
		memcpy(behind, r->bitmap, bitmap_size(r));
		r->bitmap = behind;
		behind += bitmap_size(r);
	}
	free(x86_vm(vm)->filter);
	x86_vm(vm)->filter = to;
	return 0;
}

static bool allowed(const struct x86_vcpu *x, uint32_t index, uint32_t type)
{
	const struct gk_msr_filter *f = x86_vm(x->v->vm)->filter;
	const struct msr_fact *x2apic = &X86_MSR_FACT(X2APIC);

	if (!f || (index >= x2apic->index && index <= x2apic->last))
		return true;
	for (unsigned i = 0; i < GK_MSR_FILTER_MAX_RANGES; i++) {
		const struct gk_msr_filter_range *r = &f->ranges[i];

		if (r->nmsrs && (r->flags & type) && index >= r->base && index - r->base < r->nmsrs)
			return r->bitmap[(index - r->base) / 8] >> (index - r->base) % 8 & 1;
	}
	return !(f->flags & GK_MSR_FILTER_DEFAULT_DENY);
}

/* What the access came to, as a reason to leave the guest. */
static uint32_t reason(int status)
{
	return status == DENIED	 ? GK_MSR_EXIT_REASON_FILTER :
	       status == -ENOENT ? GK_MSR_EXIT_REASON_UNKNOWN :
				   GK_MSR_EXIT_REASON_INVAL;
}

static enum sw_step fault(struct gcpu_guest_op *op)
{
	op->status = GCPU_GUEST_FAULT;
	op->fault = GP;
	return SW_DONE;
}

/* It failed: the VMM may want to answer. */
static enum sw_step failed(struct x86_vcpu *x, struct gcpu_guest_op *op, uint32_t exit, int status)
{
	struct gk_run *run = x->v->run;

	if (!(x86_vm(x->v->vm)->user_msr & reason(status)))
		return fault(op);
	run->exit_reason = exit;
	memset(&run->msr, 0, sizeof(run->msr));
	run->msr.reason = reason(status);
	run->msr.index = (uint32_t)op->arg[0];
	run->msr.data = exit == GK_EXIT_X86_WRMSR ? op->arg[1] : 0;
	return SW_EXIT;
}

enum sw_step x86_guest_rdmsr(struct x86_vcpu *x, struct gcpu_guest_op *op, bool complete)
{
	uint32_t index = (uint32_t)op->arg[0];
	int status;

	if (complete) {
		if (x->v->run->msr.error)
			return fault(op);
		op->res[0] = x->v->run->msr.data;
		return SW_DONE;
	}
	status = allowed(x, index, GK_MSR_FILTER_READ) ? x86_msr_get(x, index, false, &op->res[0]) : DENIED;
	return status ? failed(x, op, GK_EXIT_X86_RDMSR, status) : SW_DONE;
}

enum sw_step x86_guest_wrmsr(struct x86_vcpu *x, struct gcpu_guest_op *op, bool complete)
{
	uint32_t index = (uint32_t)op->arg[0];
	int status;

	if (complete)
		return x->v->run->msr.error ? fault(op) : SW_DONE;
	status = allowed(x, index, GK_MSR_FILTER_WRITE) ? x86_msr_set(x, index, false, op->arg[1]) : DENIED;
	return status ? failed(x, op, GK_EXIT_X86_WRMSR, status) : SW_DONE;
}

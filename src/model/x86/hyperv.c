/* SPDX-License-Identifier: MIT */
/* What a VMM turns on and sets for guests that take KVM for Hyper-V. Whether there is any of it, the caller has asked. */
#include "msr.h"

#define STIMER_ON BIT(0)
#define STIMER_DIRECT BIT(12)
#define STIMER_SINT (0xfULL << 16)

/* Synthetic interrupts: before they are turned on, they can be set to nothing only. */
int x86_msr_hv_synic(struct x86_vcpu *x, struct x86_msr_op *op)
{
	return x->synic || !op->value ? 0 : -EINVAL;
}

/* Timers: pairs of a configuration and a count. */
int x86_msr_hv_stimer(struct x86_vcpu *x, struct x86_msr_op *op)
{
	bool is_config = !((op->index - X86_MSR(HV_STIMER)) & 1);

	/* one that runs and has nobody any more to tell is stopped */
	if (is_config && (x86_msr_kept(x, op->index) & STIMER_ON) && !(op->value & (STIMER_DIRECT | STIMER_SINT)))
		op->value &= ~STIMER_ON;
	return x86_msr_hv_synic(x, op);
}

int x86_hyperv_synic_on(struct x86_vcpu *x)
{
	x->synic = true;
	return x86_msr_keep(x, X86_MSR(HV_SCONTROL), 1);
}

/* Which versions there are goes where the VMM wants it; turned on it is in any case. */
int x86_hyperv_evmcs_on(struct x86_vcpu *x, uintptr_t arg)
{
	uint16_t versions = x86_evmcs_versions(x86_model(x));

	x->evmcs = true;
	return sw_copy_out(arg, &versions, sizeof(versions));
}

/* Events that the guest signals by number: nobody does here, but a number is taken once only. */
int x86_hyperv_eventfd(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;
	struct list *taken = &x86_vm(vm)->hyperv_events;
	struct gk_hyperv_eventfd e;
	uint32_t *at = NULL;

	if (sw_cap(vm->model, NULL, CAP_HYPERV_EVENTFD) <= 0)
		return -ENOTTY;
	if (sw_copy_in(&e, arg, sizeof(e)))
		return -EFAULT;
	if ((e.flags & ~GK_HYPERV_EVENTFD_DEASSIGN) || (e.conn_id & ~GK_HYPERV_CONN_ID_MASK))
		return -EINVAL;
	if (!e.flags && e.fd < 0)
		return -EBADF;
	for (size_t i = 0; i < taken->n && !at; i++)
		if (*LIST_AT(taken, uint32_t, i) == e.conn_id)
			at = LIST_AT(taken, uint32_t, i);
	if (e.flags) {
		if (!at)
			return -ENOENT;
		*at = *LIST_AT(taken, uint32_t, --taken->n);
		return 0;
	}
	if (at)
		return -EEXIST;
	at = list_add(taken, sizeof(*at));
	if (!at)
		return -ENOMEM;
	*at = e.conn_id;
	return 0;
}

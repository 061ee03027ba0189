/* SPDX-License-Identifier: MIT */
/* KVM_RUN: the guest's list of operations, worked off until one needs the VMM. */
#include "sw.h"

#include <stdlib.h>

#define PAGE 4096U

struct gk_run *sw_run_page(struct sw_vcpu *v)
{
	if (!v->run_room) {
		/* begins with a page, as what is mapped does */
		v->run_room = calloc(1, v->vm->model->arch->run_size + PAGE - 1);
		v->run = v->run_room ? (void *)(((uintptr_t)v->run_room + PAGE - 1) & ~(uintptr_t)(PAGE - 1)) : NULL;
	}
	return v->run;
}

int sw_run(void *object, uintptr_t arg)
{
	struct sw_vcpu *v = object;
	const struct sw_arch *a = v->vm->model->arch;
	int status = arg ? -EINVAL : a->enter(v);

	if (status)
		return status;
	if (!sw_run_page(v))
		return -ENOMEM;
	while (v->at < v->n_ops && !v->run->immediate_exit) {
		struct gcpu_guest_op *op = &v->ops[v->at];
		enum sw_step step = op->code ? a->step(v, op, v->waits_for_vmm) : SW_DONE;

		v->waits_for_vmm = step == SW_EXIT;
		if (step != SW_BLOCKED)
			v->vm->model->moves++;
		if (step == SW_EXIT)
			return 0;
		if (step == SW_BLOCKED)
			break;
		v->waited = 0;
		/* 0 ends a list */
		v->at = op->code ? v->at + 1 : v->n_ops;
		if (op->status == GCPU_GUEST_PENDING)
			op->status = GCPU_GUEST_DONE;
	}
	v->run->exit_reason = GK_EXIT_INTR;
	return -EINTR;
}

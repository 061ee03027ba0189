/* SPDX-License-Identifier: MIT */
/* KVM_RUN: the guest's list of operations, worked off until one needs the VMM. */
#include "sw.h"

#include <stdlib.h>

#define PAGE 4096U

struct gk_run *sw_run_page(struct sw_vcpu *v)
{
	struct gcpu_model *m = v->vm->model;
	void *room = v->run ? NULL : calloc(1, m->arch->run_size + PAGE - 1);
	struct sw_page *p = room ? list_add(&m->pages, sizeof(*p)) : NULL;

	if (!p) {
		free(room);
		return v->run;
	}
	/* begins with a page, as what is mapped does */
	p->at = (void *)(((uintptr_t)room + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
	p->room = room;
	p->holders = 1;
	v->run = p->at;
	return v->run;
}

struct sw_page *sw_page_at(struct gcpu_model *m, const void *at)
{
	for (size_t i = 0; at && i < m->pages.n; i++)
		if (LIST_AT(&m->pages, struct sw_page, i)->at == at)
			return LIST_AT(&m->pages, struct sw_page, i);
	return NULL;
}

void sw_page_release(struct gcpu_model *m, struct sw_page *p)
{
	if (!p || --p->holders)
		return;
	free(p->room);
	*p = *LIST_AT(&m->pages, struct sw_page, m->pages.n - 1);
	m->pages.n--;
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

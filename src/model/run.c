/* SPDX-License-Identifier: MIT */
/* KVM_RUN: the guest's list of operations, worked off until one needs the VMM. */
#define _GNU_SOURCE 1 /* mremap */
#include "sw.h"

#include <sys/mman.h>

/*
 * Memory that can be mapped more than once, as KVM's: whatever the caller does with its own mapping, unmaps
 * it twice or in part, the model's stays; and what the caller has mapped outlives the vCPU.
 */
static struct gk_run *run_page(struct sw_vcpu *v)
{
	if (!v->run) {
		void *at = mmap(NULL, v->vm->model->arch->run_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				-1, 0);

		v->run = at == MAP_FAILED ? NULL : at;
	}
	return v->run;
}

int sw_run_map(struct sw_vcpu *v, size_t length, void **ret)
{
	struct gcpu_model *m = v->vm->model;
	void **page, *at;

	if (!length)
		return -EINVAL;
	if (!run_page(v))
		return -ENOMEM;
	/* with no old length, it makes another mapping of the same; behind its end there is nothing, as with KVM's */
	at = mremap(v->run, 0, length, MREMAP_MAYMOVE);
	if (at == MAP_FAILED) {
		/* not so for Valgrind: there is this one only */
		page = length > m->arch->run_size || sw_page_shared(m, v->run) ? NULL : list_add(&m->pages, sizeof(*page));
		if (page)
			*page = v->run;
		at = length <= m->arch->run_size && sw_page_shared(m, v->run) ? v->run : NULL;
	}
	*ret = at;
	return at ? 0 : -ENOMEM;
}

bool sw_page_shared(const struct gcpu_model *m, const void *at)
{
	for (size_t i = 0; at && i < m->pages.n; i++)
		if (*LIST_AT(&m->pages, void *, i) == at)
			return true;
	return false;
}

void sw_run_free(struct sw_vcpu *v)
{
	if (v->run && !sw_page_shared(v->vm->model, v->run))
		munmap(v->run, v->vm->model->arch->run_size);
	v->run = NULL;
}

void sw_pages_free(struct gcpu_model *m)
{
	for (size_t i = 0; i < m->pages.n; i++)
		munmap(*LIST_AT(&m->pages, void *, i), m->arch->run_size);
	list_free(&m->pages);
}

int sw_run(void *object, uintptr_t arg)
{
	struct sw_vcpu *v = object;
	const struct sw_arch *a = v->vm->model->arch;
	int status = arg ? -EINVAL : a->enter(v);

	if (status)
		return status;
	if (!run_page(v))
		return -ENOMEM;
	while (v->at < v->n_ops && !v->run->immediate_exit) {
		struct gcpu_guest_op *op = &v->ops[v->at];
		enum sw_step step = op->code ? a->step(v, op, v->waits_for_vmm) : SW_DONE;

		if (step == SW_LOST)
			return -EFAULT;
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

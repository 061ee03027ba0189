/* SPDX-License-Identifier: MIT */
/* Asks KVM what is in force on a vCPU. */
#include "abi.h"
#include "abi_arm64.h"
#include "abi_x86.h"
#include "call.h"
#include "core/view.h"

#include <errno.h>

static int put(struct gcpu_view *v, uint64_t addr, uint64_t value)
{
	struct view_word *w = view_word(v, addr);

	if (!w)
		return -ENOMEM;
	/* of two entries for one leaf the guest gets the first */
	if (w->has_kvm)
		return 0;
	w->kvm = value;
	w->has_kvm = true;
	return 0;
}

static int read_table(const struct gcpu_kvm *kvm, int vcpu, struct gcpu_view *v)
{
	struct list table = { 0 };
	int status = call_get_cpuid(kvm, vcpu, GK_GET_CPUID2, &table);

	for (size_t i = 0; i < table.n && status == 0; i++) {
		const struct snap_cpuid *e = LIST_AT(&table, struct snap_cpuid, i);

		for (unsigned r = 0; r < 4 && status == 0; r++)
			status = put(v, ADDR_CPUID(e->leaf, e->subleaf, r), e->regs[r]);
	}
	list_free(&table);
	if (status == 0)
		view_kvm_done(v);
	return status;
}

static int read_word(const struct gcpu_kvm *kvm, int vcpu, struct gcpu_view *v, uint64_t addr)
{
	uint64_t value[8] = { 0 };
	int status;

	if (ADDR_SPACE(addr) == SPACE_MSR)
		status = call_get_msr(kvm, vcpu, ADDR_INDEX(addr), value);
	else if (ADDR_SPACE(addr) == SPACE_REG || ADDR_SPACE(addr) == SPACE_FW)
		status = call_get_reg(kvm, vcpu, ADDR_ONE_REG(addr), value);
	else if (addr == ADDR_SVE)
		status = call_get_reg(kvm, vcpu, GK_REG_ARM64_SVE_VLS, value);
	else
		return 0;
	/* what KVM does not let be read stays unread */
	return status ? 0 : put(v, addr, value[0]);
}

int gcpu_plan_readback(const struct gcpu_plan *plan, const struct gcpu_kvm *kvm, int vcpu_fd,
		       struct gcpu_view *view, struct gcpu_error *err)
{
	int status = 0;

	if (!plan || !kvm || !kvm->ops || kvm->ops->size < sizeof(*kvm->ops) || !view || view->plan != plan)
		return error_set(err, GCPU_ERR_ARGUMENT, "no plan, backend or view");
	if (plan->entries.n)
		status = read_table(kvm, vcpu_fd, view);
	if (status)
		return error_os(err, -status, "vCPU %u: KVM_GET_CPUID2", view->vcpu);
	for (size_t i = 0; i < view->words.n && status == 0; i++)
		status = read_word(kvm, vcpu_fd, view, LIST_AT(&view->words, struct view_word, i)->addr);
	return status ? error_memory(err) : 0;
}

/* SPDX-License-Identifier: MIT */
/* Hypercalls of the guest: answered, or given to the VMM. */
#include "x86.h"

#include <string.h>
#include <time.h>

/* KVM's answers, kvm_para.h. */
#define NO_SUCH_CALL (-1000LL)
#define INVALID (-22LL)
#define FAULT (-14LL)
#define NOT_SUPPORTED (-95LL)
#define HYPERV_INVALID_CODE 2
#define PAGE_SHIFT 12

struct clock_pairing {
	int64_t sec, nsec;
	uint64_t tsc;
	uint32_t flags, pad[9];
};

static uint32_t number_of(unsigned field)
{
	for (unsigned i = 0; i < gcpu_facts_x86.n_pv; i++)
		if (gcpu_facts_x86.pv[i].field == field && gcpu_facts_x86.pv[i].n_calls)
			return gcpu_facts_x86.pv[i].call[0];
	return UINT32_MAX;
}

static int64_t kick(struct x86_vcpu *x, uint32_t id)
{
	struct x86_irq irq = { .dest = id, .mode = DELIVER_KICK };

	x86_deliver(x->v->vm, NULL, &irq);
	return 0;
}

static int64_t send_ipi(struct x86_vcpu *x, const uint64_t arg[4], bool wide)
{
	const uint64_t bits[2] = { arg[0], arg[1] };
	uint32_t icr = (uint32_t)arg[3];
	struct x86_irq irq = {
		.mode = icr & ICR_MODE,
		.vector = icr & ICR_VECTOR,
		.assert = icr & ICR_ASSERT,
		.level = icr & ICR_LEVEL,
	};

	if (icr & (ICR_LOGICAL | ICR_SHORTHAND))
		return INVALID;
	return x86_deliver_many(x->v->vm, bits, wide ? 64 : 32, (uint32_t)arg[2], &irq);
}

static int64_t pair_clocks(struct x86_vcpu *x, const uint64_t arg[4])
{
	struct clock_pairing now, *to;
	struct timespec t;

	if (arg[1] || clock_gettime(CLOCK_REALTIME, &t) < 0)
		return NOT_SUPPORTED;
	to = sw_guest_writable(x->v->vm, arg[0], sizeof(*to));
	if (!to)
		return FAULT;
	memset(&now, 0, sizeof(now));
	now.sec = t.tv_sec;
	now.nsec = t.tv_nsec;
	now.tsc = x86_tsc(x);
	memcpy(to, &now, sizeof(now));
	return 0;
}

/* The VMM's to answer: true, and the run page says what is asked. */
static bool map_range(struct x86_vcpu *x, uint32_t number, const uint64_t arg[4], bool wide, int64_t *ret)
{
	struct gk_run *run = x->v->run;
	uint64_t first = arg[0] >> PAGE_SHIFT;

	*ret = NO_SUCH_CALL;
	if (!(x86_vm(x->v->vm)->exit_hypercalls >> number & 1))
		return false;
	*ret = INVALID;
	if ((arg[0] & ((1U << PAGE_SHIFT) - 1)) || !arg[1] || first + arg[1] <= first)
		return false;
	run->exit_reason = GK_EXIT_HYPERCALL;
	memset(&run->hypercall, 0, sizeof(run->hypercall));
	run->hypercall.nr = number;
	memcpy(run->hypercall.args, arg, 3 * sizeof(arg[0]));
	run->hypercall.flags = wide;
	return true;
}

/* The instruction is Hyper-V's once its guest has said who it is. */
static bool is_hyperv(const struct x86_vcpu *x)
{
	return x86_says_hyperv(x) && x86_msr_kept(x, X86_MSR(HV_GUEST_OS_ID));
}

static int64_t answer(struct x86_vcpu *x, uint32_t number, const uint64_t arg[4], bool wide)
{
	if (is_hyperv(x))
		return HYPERV_INVALID_CODE;
	if (number == gcpu_facts_x86.calls[X86_CALL_VAPIC_POLL_IRQ].number)
		return 0;
	if (number == gcpu_facts_x86.calls[X86_CALL_CLOCK_PAIRING].number)
		return pair_clocks(x, arg);
	if (number == number_of(X86_F_KVM_PV_UNHALT))
		return x86_pv_has(x, X86_F_KVM_PV_UNHALT) ? kick(x, (uint32_t)arg[1]) : NO_SUCH_CALL;
	if (number == number_of(X86_F_KVM_PV_IPI))
		return x86_pv_has(x, X86_F_KVM_PV_IPI) ? send_ipi(x, arg, wide) : NO_SUCH_CALL;
	/* to whom it yields makes no difference where nobody waits for a CPU */
	if (number == number_of(X86_F_KVM_PV_SCHED_YIELD))
		return x86_pv_has(x, X86_F_KVM_PV_SCHED_YIELD) ? 0 : NO_SUCH_CALL;
	return NO_SUCH_CALL;
}

/* The other maker's instruction, which KVM makes ours, in the guest's memory, unless it is told not to. */
static bool foreign(const struct x86_vcpu *x, uint64_t vmmcall)
{
	struct x86_guests *g = x86_vm(x->v->vm)->guest;
	const char *vendor = x86_model(x)->host->vendor;
	bool amd = vendor && (strcmp(vendor, "AuthenticAMD") == 0 || strcmp(vendor, "HygonGenuine") == 0);

	if (!!vmmcall == amd || g->mended)
		return false;
	g->mended = !(x86_vm(x->v->vm)->quirks_disabled & QUIRK_FIX_HYPERCALL);
	return !g->mended;
}

enum sw_step x86_hypercall(struct x86_vcpu *x, struct gcpu_guest_op *op, bool complete, bool wide)
{
	uint64_t number = op->arg[0], arg[4], narrow = wide ? UINT64_MAX : UINT32_MAX;
	uint32_t map = number_of(X86_F_KVM_HC_MAP_GPA_RANGE);
	int64_t ret;

	if (!complete && foreign(x, op->arg[5])) {
		op->status = GCPU_GUEST_FAULT;
		op->fault = UD;
		return SW_DONE;
	}
	for (int i = 0; i < 4; i++)
		arg[i] = op->arg[1 + i] & narrow;
	number &= narrow;
	if (complete)
		ret = (int64_t)x->v->run->hypercall.ret;
	else if (number == map && !is_hyperv(x)) {
		if (map_range(x, map, arg, wide, &ret))
			return SW_EXIT;
	} else {
		ret = number > UINT32_MAX ? NO_SUCH_CALL : answer(x, (uint32_t)number, arg, wide);
	}
	op->res[0] = (uint64_t)ret & narrow;
	return SW_DONE;
}

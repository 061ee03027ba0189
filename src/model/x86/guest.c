/* SPDX-License-Identifier: MIT */
/* What guest code does. */
#include "x86.h"

static enum sw_step fault(struct gcpu_guest_op *op, unsigned vector)
{
	op->status = GCPU_GUEST_FAULT;
	op->fault = vector;
	return SW_DONE;
}

static enum sw_step do_cpuid(struct x86_vcpu *x, struct gcpu_guest_op *op)
{
	uint32_t regs[4];

	x86_cpuid(x, (uint32_t)op->arg[0], (uint32_t)op->arg[1], regs);
	for (int r = 0; r < 4; r++)
		op->res[r] = regs[r];
	return SW_DONE;
}

static enum sw_step do_xgetbv(struct x86_vcpu *x, struct gcpu_guest_op *op)
{
	bool always = sw_behaves(x86_model(x), BEHAVIOUR_XGETBV_ALWAYS);

	if (!always && !(x->sregs.cr4 & CR4_OSXSAVE))
		return fault(op, UD);
	if (op->arg[0])
		return fault(op, GP);
	op->res[0] = always ? x86_kvm_xcr0(x86_model(x)) : x->xcr0;
	return SW_DONE;
}

static enum sw_step do_rdcr(struct x86_vcpu *x, struct gcpu_guest_op *op)
{
	switch (op->arg[0]) {
	case 0:
		op->res[0] = x->sregs.cr0;
		return SW_DONE;
	case 2:
		op->res[0] = x->sregs.cr2;
		return SW_DONE;
	case 3:
		op->res[0] = x->sregs.cr3;
		return SW_DONE;
	case 4:
		op->res[0] = x->sregs.cr4;
		return SW_DONE;
	case 8:
		op->res[0] = x->sregs.cr8;
		return SW_DONE;
	default:
		op->status = GCPU_GUEST_UNKNOWN;
		return SW_DONE;
	}
}

static enum sw_step do_wrcr(struct x86_vcpu *x, struct gcpu_guest_op *op)
{
	if (op->arg[0] != 0 && op->arg[0] != 4 && op->arg[0] != 8) {
		op->status = GCPU_GUEST_UNKNOWN;
		return SW_DONE;
	}
	return x86_write_cr(x, (unsigned)op->arg[0], op->arg[1]) ? fault(op, GP) : SW_DONE;
}

static const struct {
	uint32_t code;
	enum sw_step (*fn)(struct x86_vcpu *x, struct gcpu_guest_op *op);
} steps[] = {
	{ GCPU_GUEST_CPUID, do_cpuid },
	{ GCPU_GUEST_XGETBV, do_xgetbv },
	{ GCPU_GUEST_RDCR, do_rdcr },
	{ GCPU_GUEST_WRCR, do_wrcr },
};

enum sw_step x86_step(struct sw_vcpu *v, struct gcpu_guest_op *op, bool complete)
{
	enum sw_step step;

	if (x86_step_event(x86_vcpu(v), op, &step) || x86_step_more(x86_vcpu(v), op, complete, &step))
		return step;
	if (op->code == GCPU_GUEST_RDMSR)
		return x86_guest_rdmsr(x86_vcpu(v), op, complete);
	if (op->code == GCPU_GUEST_WRMSR)
		return x86_guest_wrmsr(x86_vcpu(v), op, complete);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (steps[i].code == op->code)
			return steps[i].fn(x86_vcpu(v), op);
	op->status = GCPU_GUEST_UNKNOWN;
	return SW_DONE;
}

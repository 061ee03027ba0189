/* SPDX-License-Identifier: MIT */
#include "apic.h"

#define TAKE_MS 2 /* with interrupts on, one that is pending comes at once */

struct guest_op op_apic(bool x2apic, unsigned offset, uint32_t value)
{
	return x2apic ? OP_WRMSR(X2APIC(offset), value) : OP_APIC(offset, value);
}

struct guest_op op_apic_read(bool x2apic, unsigned offset)
{
	return x2apic ? OP_RDMSR(X2APIC(offset)) : OP_APIC_READ(offset);
}

bool apic_in_kernel(const struct lab *lab)
{
	enum gcpu_irqchip irqchip = lab->alive->o->machine->irqchip;

	return irqchip == GCPU_IRQCHIP_KERNEL || irqchip == GCPU_IRQCHIP_SPLIT;
}

int x2apic_enter(struct lab *lab, unsigned vcpu)
{
	struct guest_op ops[2] = { OP_RDMSR(MSR_APIC_BASE) };

	if (lab_run(lab, vcpu, ops, 1))
		return -1;
	ops[0] = OP_WRMSR(MSR_APIC_BASE, ops[0].res[0] | APIC_BASE_EXTD);
	ops[1] = OP_WRMSR(X2APIC(APIC_SPIV), SPIV_ON);
	if (lab_run(lab, vcpu, ops, 2))
		return -1;
	return op_done(&ops[0]);
}

int ipi(struct lab *lab, unsigned vcpu, bool x2apic, uint32_t id, uint32_t command)
{
	struct guest_op one = OP_WRMSR(X2APIC(APIC_ICR), (uint64_t)id << 32 | command);
	struct guest_op two[] = { OP_APIC(APIC_ICR2, id << 24), OP_APIC(APIC_ICR, command) };

	return x2apic ? lab_run(lab, vcpu, &one, 1) : lab_run(lab, vcpu, two, COUNT(two));
}

int64_t interrupts_now(struct lab *lab, unsigned vcpu)
{
	struct guest_op ops[] = { OP_SPIN(lab->khz * TAKE_MS), OP(GUEST_OP_INTERRUPTS, 0) };

	return lab_run(lab, vcpu, ops, COUNT(ops)) ? -1 : (int64_t)ops[1].res[0];
}

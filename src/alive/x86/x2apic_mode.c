/* SPDX-License-Identifier: MIT */
/*
 * x2APIC mode: the guest turns it on, finds its id, and reaches itself by it.
 * The mode is KVM's to give only where the local APIC is KVM's own. Without
 * one the mode bit is judged by CPUID alone, so that a table which shows
 * x2APIC has the bit taken and nothing behind it.
 */
#include "core/facts.h"
#include "facts_gen.h"
#include "x86.h"

#define NOBODY 0x77 /* an id that no vCPU has */

/* Does CPUID say the same id? 1 yes, 0 the outcome says no, -1 as lab_run(). */
static int cpuid_agrees(struct lab *lab, unsigned vcpu, uint32_t id)
{
	const struct facts *f = lab->alive->facts;
	const struct field_fact *low = &f->fields[X86_F_LOCAL_APIC_ID];
	const struct part_fact *whole = &f->parts[X86_PART_X2APIC_ID];
	uint64_t at = f->words[low->word].addr;
	struct guest_op ops[] = { OP(GUEST_OP_CPUID, 0, 0), OP(GUEST_OP_CPUID, ADDR_LEAF(at), 0),
				  OP(GUEST_OP_CPUID, ADDR_LEAF(whole->addr), 0) };
	uint32_t mask = (1U << low->width) - 1, told;

	if (lab_run(lab, vcpu, ops, COUNT(ops)))
		return -1;
	told = (uint32_t)ops[1].res[ADDR_REG(at)] >> low->lsb & mask;
	if (told != (id & mask)) {
		say(lab->out, GCPU_ALIVE_FAILS, "vCPU %u has x2APIC id %u, and CPUID tells it %u",
		    vcpu, id, told);
		return 0;
	}
	told = part_get(whole, (uint32_t)ops[2].res[ADDR_REG(whole->addr)]);
	if (ops[0].res[0] >= ADDR_LEAF(whole->addr) && told != id) {
		say(lab->out, GCPU_ALIVE_FAILS, "vCPU %u has x2APIC id %u, and CPUID's topology %u",
		    vcpu, id, told);
		return 0;
	}
	return 1;
}

/* x2APIC mode with the right id. */
static int enter(struct lab *lab, unsigned vcpu)
{
	unsigned id = run_machine_vcpu_id(lab->vm, vcpu);
	struct guest_op op = OP_RDMSR(X2APIC(APIC_ID));
	int r = x2apic_enter(lab, vcpu);

	if (r < 0 || (r && lab_run(lab, vcpu, &op, 1)))
		return -1;
	if (!r || !op_done(&op))
		return say(lab->out, GCPU_ALIVE_FAILS, "vCPU %u: #GP on %s", vcpu,
			   r ? "reading its x2APIC id, though the mode bit was taken"
			     : "turning x2APIC mode on");
	if (op.res[0] != id)
		return say(lab->out, GCPU_ALIVE_FAILS, "vCPU with id %u reads x2APIC id %llu", id,
			   (unsigned long long)op.res[0]);
	return cpuid_agrees(lab, vcpu, id) == 1 ? 0 : -1;
}

static void use(struct lab *lab, struct outcome *out)
{
	uint32_t id = run_machine_vcpu_id(lab->vm, 1);
	int64_t own, other;

	if (enter(lab, 0) || enter(lab, 1))
		return;
	if (ipi(lab, 1, true, (uint32_t)lab_wrong(lab, NOBODY, id), ICR_FIXED))
		return;
	own = interrupts_now(lab, 1);
	other = interrupts_now(lab, 0);
	if (own < 0 || other < 0)
		return;
	if (own || other) {
		say(out, GCPU_ALIVE_INCONCLUSIVE,
		    "its control failed: an interrupt to nobody's id came to id %u",
		    own ? id : run_machine_vcpu_id(lab->vm, 0));
		return;
	}
	if (ipi(lab, 1, true, id, ICR_FIXED))
		return;
	own = interrupts_now(lab, 1);
	other = interrupts_now(lab, 0);
	if (own < 0 || other < 0)
		return;
	if (own == 1 && !other)
		say(out, GCPU_ALIVE_WORKS,
		    "MSR 0x%x reads id %u, as CPUID does, and an interrupt to it arrives",
		    X2APIC(APIC_ID), id);
	else
		say(out, GCPU_ALIVE_FAILS,
		    "of one interrupt by x2APIC id to itself %lld arrived, %lld elsewhere",
		    (long long)own, (long long)other);
}

/* Refused is the way in; and without an APIC in KVM there is nothing behind it. */
static void refused(struct lab *lab, struct outcome *out)
{
	struct guest_op op = OP_RDMSR(X2APIC(APIC_ID));
	int taken = x2apic_enter(lab, 1);

	if (taken < 0 || lab_run(lab, 1, &op, 1))
		return;
	if (!op_gp(&op) || (taken && lapic_in_kvm(lab)))
		say(out, GCPU_ALIVE_LEAKS, "the mode bit is %s, reading MSR 0x%x %s",
		    taken ? "taken" : "refused", X2APIC(APIC_ID),
		    op_gp(&op) ? "gives #GP" : "works");
	else
		say(out, GCPU_ALIVE_REFUSED, "%s#GP on reading MSR 0x%x",
		    taken ? "the mode bit is taken, and nothing is behind it: "
			  : "#GP on the mode bit, ",
		    X2APIC(APIC_ID));
}

const struct exercise exercise_x2apic = {
	.name = "x2apic",
	.kind = GCPU_EXERCISE_FEATURE,
	.field = X86_F_X2APIC,
	.want = { .vcpus = 2 },
	.use = use,
	.refused = refused,
};

/* SPDX-License-Identifier: MIT */
/*
 * Poll control: whether the host may poll for a while before it lets a halted
 * vCPU sleep. The guest notices nothing; KVM counts when it polls.
 */
#include "facts_gen.h"
#include "kvm/call.h"
#include "plain.h"

#define MAY_POLL 1ULL
#define RESERVED 2ULL
#define VECTOR 0x41
#define HALTS 20
#define ENOUGH 5 /* at the first there is nothing to poll by, and a timer may be faster than the halt */
#define HALT_NS 1000000 /* a cycle of the APIC timer's clock is one */
/* The usual limit is shorter than a halt here: KVM would never poll. And far above it, since one that
 * takes longer than the limit, as on a busy host, makes KVM begin anew. */
#define POLL_MOST_NS 200000000
#define DIVIDE_BY_1 0xb

/* The guest halts, each time until its timer wakes it: how often KVM polled, or negative. */
static int64_t halts(struct lab *lab, int stats)
{
	struct guest_op ops[2 + 2 * HALTS] = { OP_APIC(APIC_TDCR, DIVIDE_BY_1), OP_APIC(APIC_LVTT, VECTOR) };
	int64_t before = lab_stat(stats, "halt_attempted_poll"), after;

	for (unsigned i = 0; i < HALTS; i++) {
		ops[2 + 2 * i] = OP_APIC(APIC_TMICT, HALT_NS);
		ops[3 + 2 * i] = OP(GUEST_OP_HALT, 0);
	}
	if (lab_run(lab, 0, ops, COUNT(ops)))
		return -1;
	after = lab_stat(stats, "halt_attempted_poll");
	if (before < 0 || after < 0)
		return -lab_no_stat(lab->out, stats, "halt_attempted_poll");
	return after - before;
}

static int msr_is_right(struct lab *lab, uint32_t msr)
{
	struct guest_op ops[] = { OP_RDMSR(msr), OP_WRMSR(msr, RESERVED), OP_WRMSR(msr, 0), OP_RDMSR(msr),
				  OP_WRMSR(msr, MAY_POLL) };

	if (lab_run(lab, 0, ops, COUNT(ops)))
		return -1;
	for (unsigned i = 0; i < COUNT(ops); i++)
		if (i != 1 && !op_done(&ops[i]))
			return -say(lab->out, GCPU_ALIVE_FAILS, "MSR 0x%x: exception %llu", msr,
				    (unsigned long long)ops[i].fault);
	if (ops[0].res[0] != MAY_POLL || ops[3].res[0] || !op_gp(&ops[1]))
		return -say(lab->out, GCPU_ALIVE_FAILS, "MSR 0x%x is 0x%llx at first; after writing 0, 0x%llx; a reserved bit is %s",
			    msr, (unsigned long long)ops[0].res[0], (unsigned long long)ops[3].res[0],
			    op_gp(&ops[1]) ? "refused" : "taken");
	return 0;
}

static void compare(struct lab *lab, struct outcome *out, int stats)
{
	uint32_t msr = pv_msr(lab->alive, X86_F_KVM_POLL_CONTROL, 0);
	struct guest_op off = OP_WRMSR(msr, lab_wrong(lab, 0, MAY_POLL));
	int64_t with, without;

	with = halts(lab, stats);
	if (with < 0 || lab_run(lab, 0, &off, 1))
		return;
	without = halts(lab, stats);
	if (without < 0)
		return;
	if (without)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "its control failed: halt_attempted_poll +%lld in %d halts after writing 0",
		    (long long)without, HALTS);
	else
		say(out, with >= ENOUGH ? GCPU_ALIVE_WORKS : GCPU_ALIVE_INCONCLUSIVE,
		    "halt_attempted_poll +%lld in %d halts, +0 after writing 0", (long long)with, HALTS);
}

static void use(struct lab *lab, struct outcome *out)
{
	const struct alive_options *o = lab->alive->o;
	int stats, got;

	if (o->machine->irqchip != GCPU_IRQCHIP_KERNEL && o->machine->irqchip != GCPU_IRQCHIP_SPLIT) {
		say(out, GCPU_ALIVE_UNTESTABLE, "without a local APIC in KVM a halted vCPU is the VMM's business");
		return;
	}
	got = call_enable_cap(o->kvm, run_machine_vm(lab->vm), CAP_HALT_POLL, POLL_MOST_NS);
	if (got < 0) {
		say(out, GCPU_ALIVE_INCONCLUSIVE, "KVM_CAP_HALT_POLL: %s", answer(got));
		return;
	}
	stats = lab_stats_open(lab, run_machine_vcpu(lab->vm, 0));
	if (apic_on(lab, 0) == 0 && msr_is_right(lab, pv_msr(lab->alive, X86_F_KVM_POLL_CONTROL, 0)) == 0)
		compare(lab, out, stats);
	lab_stats_close(stats);
}

const struct exercise exercise_poll_control = {
	.name = "kvm-poll-control", .kind = GCPU_EXERCISE_FEATURE, .field = X86_F_KVM_POLL_CONTROL,
	.want = { .vcpus = 1 }, .use = use,
};

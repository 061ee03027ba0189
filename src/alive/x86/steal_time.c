/* SPDX-License-Identifier: MIT */
/* Steal time: how long the vCPU would have run and somebody else did. */
#include "facts_gen.h"
#include "../steal.h"
#include "x86.h"

#define ENABLE 1ULL
#define RESERVED 2ULL
#define OFF_MS 100

/* KVM's msr.rst */
struct steal {
	uint64_t steal; /* ns */
	uint32_t version, flags;
	uint8_t preempted, pad[47];
};

/* Alone, with competitors, and with competitors but turned off. How many of these there were, or -1. */
static int three_times(struct lab *lab, const struct steal *s, int cpu, struct steal_spell ret[3])
{
	struct guest_op off = OP_WRMSR(pv_msr(lab->alive, X86_F_KVM_STEAL_TIME, 0), 0);
	struct competitor *others[STEAL_COMPETITORS];
	uint64_t at;
	int r, n;

	run_guest_pin(lab->guest, 0, cpu);
	if (steal_spin(lab, &s->steal, STEAL_ALONE_MS, &ret[0]))
		return -1;
	n = steal_compete(cpu, others);
	r = steal_spin(lab, &s->steal, STEAL_TOGETHER_MS, &ret[1]);
	lab_memory(lab, 0, &at);
	off.arg[1] = lab_wrong(lab, 0, at | ENABLE);
	if (!r)
		r = lab_run(lab, 0, &off, 1);
	if (!r)
		r = steal_spin(lab, &s->steal, OFF_MS, &ret[2]);
	steal_compete_end(others);
	return r ? -1 : n;
}

static void use(struct lab *lab, struct outcome *out)
{
	uint32_t msr = pv_msr(lab->alive, X86_F_KVM_STEAL_TIME, 0);
	struct steal_spell spells[3];
	uint64_t at;
	const struct steal *s = lab_memory(lab, 0, &at);
	struct guest_op ops[] = { OP_WRMSR(msr, at | RESERVED | ENABLE), OP_WRMSR(msr, at | ENABLE), OP_RDMSR(msr) };
	int64_t start = host_ns(CLOCK_MONOTONIC);
	uint64_t first;
	int cpus[2], n;

	lab_cpus(cpus);
	if (lab_run(lab, 0, ops, COUNT(ops)))
		return;
	if (!op_gp(&ops[0]) || !op_done(&ops[1]) || ops[2].res[0] != (at | ENABLE)) {
		say(out, GCPU_ALIVE_FAILS, "MSR 0x%x: a reserved bit %s, enabling %s", msr,
		    op_gp(&ops[0]) ? "is refused" : "is taken", op_done(&ops[1]) ? "is taken" : "is refused");
		return;
	}
	first = s->steal;
	n = three_times(lab, s, cpus[0], spells);
	if (n < 0)
		return;
	if (spells[2].stolen)
		say(out, GCPU_ALIVE_FAILS, "its control failed: turned off, and it goes on");
	else if (s->version & 1 || !s->version)
		say(out, GCPU_ALIVE_FAILS, "version %u is that of an unfinished write", s->version);
	else if (lab_on_model(lab))
		steal_time_model(out);
	else
		steal_time_judge(out, spells, n, (int64_t)(s->steal - first) > host_ns(CLOCK_MONOTONIC) - start);
}

const struct exercise exercise_steal_time = {
	.name = "kvm-steal-time", .kind = GCPU_EXERCISE_FEATURE, .field = X86_F_KVM_STEAL_TIME,
	.want = { .vcpus = 1 }, .use = use,
};

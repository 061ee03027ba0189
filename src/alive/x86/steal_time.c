/* SPDX-License-Identifier: MIT */
/* Steal time: how long the vCPU would have run and somebody else did. */
#include "facts_gen.h"
#include "x86.h"

#define ENABLE 1ULL
#define RESERVED 2ULL
#define ALONE_MS 300
#define TOGETHER_MS 1000
#define COMPETITORS 3 /* enough to be noticed on a busy host */
#define SHARE_MS 100  /* of TOGETHER_MS: far less than what is fair */
#define OFF_MS 100

/* KVM's msr.rst */
struct steal {
	uint64_t steal; /* ns */
	uint32_t version, flags;
	uint8_t preempted, pad[47];
};

/* Spin; the nanoseconds that were stolen meanwhile, or -1. */
static int64_t spin(struct lab *lab, const struct steal *s, unsigned ms)
{
	struct guest_op op = OP_SPIN(lab->khz * ms);
	uint64_t before = s->steal;

	return lab_run(lab, 0, &op, 1) ? -1 : (int64_t)(s->steal - before);
}

static void stop(struct competitor *others[COMPETITORS])
{
	for (int i = 0; i < COMPETITORS; i++)
		competitor_stop(others[i]);
}

static void use(struct lab *lab, struct outcome *out)
{
	uint32_t msr = pv_msr(lab->alive, X86_F_KVM_STEAL_TIME, 0);
	struct competitor *others[COMPETITORS];
	int64_t alone, together, after;
	uint64_t at;
	const struct steal *s = lab_memory(lab, 0, &at);
	struct guest_op ops[] = { OP_WRMSR(msr, at | RESERVED | ENABLE), OP_WRMSR(msr, at | ENABLE), OP_RDMSR(msr) };
	struct guest_op off = OP_WRMSR(msr, 0);
	int cpus[2];

	lab_cpus(cpus);
	run_guest_pin(lab->guest, 0, cpus[0]);
	if (lab_run(lab, 0, ops, COUNT(ops)))
		return;
	if (!op_gp(&ops[0]) || !op_done(&ops[1]) || ops[2].res[0] != (at | ENABLE)) {
		say(out, GCPU_ALIVE_FAILS, "MSR 0x%x: a reserved bit %s, enabling %s", msr,
		    op_gp(&ops[0]) ? "is refused" : "is taken", op_done(&ops[1]) ? "is taken" : "is refused");
		return;
	}
	alone = spin(lab, s, ALONE_MS);
	if (alone < 0)
		return;
	for (int i = 0; i < COMPETITORS; i++)
		others[i] = competitor_start(cpus[0]);
	together = spin(lab, s, TOGETHER_MS);
	after = together < 0 || lab_run(lab, 0, &off, 1) ? -1 : spin(lab, s, OFF_MS);
	stop(others);
	if (after < 0)
		return;
	if (after)
		say(out, GCPU_ALIVE_FAILS, "turned off, and it goes on");
	else if (s->version & 1 || !s->version)
		say(out, GCPU_ALIVE_FAILS, "version %u is that of an unfinished write", s->version);
	else if (together < SHARE_MS * 1000000LL || together / TOGETHER_MS <= alone / ALONE_MS)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "%lld ms stolen of %d by competitors, %lld of %d without",
		    (long long)together / 1000000, TOGETHER_MS, (long long)alone / 1000000, ALONE_MS);
	else
		say(out, GCPU_ALIVE_WORKS, "%lld ms stolen of %d by competitors, %lld of %d without",
		    (long long)together / 1000000, TOGETHER_MS, (long long)alone / 1000000, ALONE_MS);
}

const struct exercise exercise_steal_time = {
	.name = "kvm-steal-time", .kind = GCPU_EXERCISE_FEATURE, .field = X86_F_KVM_STEAL_TIME,
	.want = { .vcpus = 1 }, .use = use,
};

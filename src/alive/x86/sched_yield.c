/* SPDX-License-Identifier: MIT */
/*
 * PV sched-yield: the vCPU gives its CPU to another that waits for one. The
 * hypercall returns 0 whether or not there was anybody to give it to, and the
 * guest sees nothing of it, so KVM's own counts are looked at: both vCPUs on
 * one CPU of the host, where the other has to wait.
 */
#include <errno.h>
#include <string.h>

#include "facts_gen.h"
#include "x86.h"

#define YIELDER 0
#define OTHER 1
#define TIMES 50
#define SPIN_PART 4 /* of the time that is left */

/* Words in shared memory. */
struct words {
	uint32_t spins; /* the other vCPU is at it */
	uint32_t done;	/* all yields were made */
};

struct yields {
	unsigned answered[2]; /* with 0, with -1000 */
	int64_t attempted, successful; /* -1: KVM does not count them */
};

static int64_t since(int64_t before, int64_t after)
{
	return before < 0 || after < 0 ? -1 : after - before;
}

/* Yield to ID, again and again, while the other vCPU has work to do. */
static int yield_to(struct lab *lab, int stats, uint64_t id, struct yields *ret)
{
	uint32_t call = pv_call(lab->alive, X86_F_KVM_PV_SCHED_YIELD, 0);
	uint64_t at, cycles = lab->khz * (lab_left(lab) / SPIN_PART);
	struct words *words = lab_memory(lab, LAB_SHARED, &at);
	const uint64_t spins = at, done = at + sizeof(words->spins);
	struct guest_op other[] = { OP_STORE(spins, 4, 1), OP(GUEST_OP_SPIN, cycles, done, 1) };
	struct guest_op ops[TIMES + 2];
	int64_t attempted = lab_stat(stats, "directed_yield_attempted");
	int64_t successful = lab_stat(stats, "directed_yield_successful");

	memset(words, 0, sizeof(*words));
	memset(ret, 0, sizeof(*ret));
	ops[0] = OP(GUEST_OP_SPIN, cycles, spins, 1);
	for (unsigned i = 1; i <= TIMES; i++)
		ops[i] = op_hypercall(lab, call, id, 0, 0, 0);
	ops[TIMES + 1] = OP_STORE(done, 4, 1);
	if (lab_start(lab, OTHER, other, COUNT(other)) || lab_start(lab, YIELDER, ops, COUNT(ops)) ||
	    lab_finish(lab, YIELDER, ops, COUNT(ops)) || lab_finish(lab, OTHER, other, COUNT(other)))
		return -1;
	if (!ops[0].res[1] || !other[1].res[1])
		return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "the vCPUs did not run at the same time");
	for (unsigned i = 1; i <= TIMES; i++) {
		ret->answered[0] += ops[i].res[0] == 0;
		ret->answered[1] += ops[i].res[0] == HC_ENOSYS;
	}
	ret->attempted = since(attempted, lab_stat(stats, "directed_yield_attempted"));
	ret->successful = since(successful, lab_stat(stats, "directed_yield_successful"));
	return 0;
}

/* The statistics, opened before a vCPU runs, or -errno. */
static int prepare(struct lab *lab)
{
	int cpus[2];

	lab_cpus(cpus);
	run_guest_pin(lab->guest, YIELDER, cpus[0]);
	run_guest_pin(lab->guest, OTHER, cpus[0]);
	return lab_stats_open(lab, run_machine_vcpu(lab->vm, YIELDER));
}

static void use_counted(struct lab *lab, int stats, struct outcome *out)
{
	uint32_t id = run_machine_vcpu_id(lab->vm, OTHER);
	struct yields right, wrong;

	if (apic_on(lab, YIELDER) || apic_on(lab, OTHER) || yield_to(lab, stats, id, &right) ||
	    yield_to(lab, stats, lab_wrong(lab, absent_id(lab), id), &wrong))
		return;
	if (right.answered[0] != TIMES)
		say(out, GCPU_ALIVE_FAILS, "%u of %d hypercalls give 0, %u give -1000", right.answered[0], TIMES,
		    right.answered[1]);
	else if (stats < 0 && stats != -ENOTTY)
		lab_no_stat(out, stats, "directed_yield_successful");
	else if (right.attempted < 0 || right.successful < 0)
		say(out, GCPU_ALIVE_UNTESTABLE, "the hypercall gives 0, which says nothing, and this KVM does not count yields");
	else if (right.attempted < TIMES || !right.successful)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "%lld of %d yields attempted, %lld successful",
		    (long long)right.attempted, TIMES, (long long)right.successful);
	else if (wrong.successful || wrong.answered[0] != TIMES)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "its control failed: %lld of %d yields to an id that nobody has were successful, %u gave 0",
		    (long long)wrong.successful, TIMES, wrong.answered[0]);
	else
		say(out, GCPU_ALIVE_WORKS, "%lld of %d yields successful, both vCPUs on one CPU; 0 of %lld to an id that nobody has",
		    (long long)right.successful, TIMES, (long long)wrong.attempted);
}

static void use(struct lab *lab, struct outcome *out)
{
	int stats = prepare(lab);

	use_counted(lab, stats, out);
	lab_stats_close(stats);
}

static void refused(struct lab *lab, struct outcome *out)
{
	int stats = prepare(lab);
	struct yields y;
	bool failed;

	failed = apic_on(lab, YIELDER) || apic_on(lab, OTHER) ||
		 yield_to(lab, stats, run_machine_vcpu_id(lab->vm, OTHER), &y);
	lab_stats_close(stats);
	if (failed)
		return;
	if (y.answered[1] == TIMES && y.attempted > 0)
		say(out, GCPU_ALIVE_LEAKS, "the hypercall gives -1000, and %lld of %d yields were attempted",
		    (long long)y.attempted, TIMES);
	else if (y.answered[1] == TIMES)
		say(out, GCPU_ALIVE_REFUSED, "the hypercall gives -1000 (ENOSYS)%s",
		    y.attempted < 0 ? "" : ", no yield attempted");
	else if (y.attempted > 0 && lapic_in_kvm(lab))
		say(out, GCPU_ALIVE_LEAKS, "%u of %d hypercalls give 0, %lld yields attempted, %lld successful",
		    y.answered[0], TIMES, (long long)y.attempted, (long long)y.successful);
	else if (!lapic_in_kvm(lab) && y.successful <= 0)
		say(out, GCPU_ALIVE_UNTESTABLE, "the hypercall gives 0, which says nothing; without an APIC KVM finds no vCPU");
	else
		say(out, GCPU_ALIVE_INCONCLUSIVE, "%u of %d hypercalls give 0, and no yield is counted", y.answered[0],
		    TIMES);
}

const struct exercise exercise_sched_yield = {
	.name = "kvm-pv-sched-yield", .kind = GCPU_EXERCISE_FEATURE, .field = X86_F_KVM_PV_SCHED_YIELD,
	.hypercalls = true, .use = use, .refused = refused,
};

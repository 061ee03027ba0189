/* SPDX-License-Identifier: MIT */
/*
 * PV TLB flush: a guest that would send a vCPU an IPI to flush its TLB sees in
 * its steal time that it does not run, and leaves a note there; KVM reads it
 * before the vCPU runs again. New memory contents prove nothing, the TLB may
 * have been flushed for other reasons: KVM's own count does.
 *
 * Both vCPUs share a CPU, so that where one runs, the other is preempted.
 */
#include "facts_gen.h"
#include "x86.h"

#define ENABLE 1ULL
#define PREEMPTED_AT 16 /* the byte in the structure of steal time, KVM's msr.rst */
#define PREEMPTED 1
#define FLUSH 2
#define ROUNDS 10
#define WAIT_MS 1000 /* for the other vCPU to be preempted */
#define SPIN_MS 3000

struct flush {
	struct lab *lab;
	int stats;		 /* of vCPU 1 */
	uint64_t at, word;	 /* of its steal time; where it is told that it may end */
	volatile uint8_t *state; /* the byte of PREEMPTED_AT */
	uint32_t told;
	bool seen; /* vCPU 0 has seen it preempted */
};

/* How often KVM has flushed vCPU 1's TLB, or -1. */
static int64_t flushes(const struct flush *f)
{
	return lab_stat(f->stats, "tlb_flush");
}

/*
 * vCPU 1 works; as soon as vCPU 0 sees it preempted it makes the byte VALUE,
 * and vCPU 1 goes on from there. 1 if it came to that, 0 if it was never seen
 * preempted; negative: it went wrong.
 */
static int one_round(struct flush *f, uint8_t value)
{
	uint64_t khz = f->lab->khz;
	struct guest_op spin = OP(GUEST_OP_SPIN, khz * SPIN_MS, f->word, ++f->told);
	struct guest_op ops[] = { OP(GUEST_OP_SWAP, f->at + PREEMPTED_AT, PREEMPTED, value, khz * WAIT_MS),
				  OP_STORE(f->word, 4, f->told) };

	if (lab_start(f->lab, 1, &spin, 1) || lab_start(f->lab, 0, ops, COUNT(ops)) ||
	    lab_finish(f->lab, 0, ops, COUNT(ops)) || lab_finish(f->lab, 1, &spin, 1))
		return -1;
	return op_done(&ops[0]) && ops[0].res[0] == 1;
}

/* Steal time of vCPU 1; 0, or the outcome says why not. *ret_refused: its MSR is not to be had. */
static int set_up(struct flush *f, struct lab *lab, bool *ret_refused)
{
	uint32_t msr = pv_msr(lab->alive, X86_F_KVM_STEAL_TIME, 0);
	struct guest_op op;
	int cpus[2], got;

	lab_cpus(cpus);
	run_guest_pin(lab->guest, 0, cpus[0]);
	run_guest_pin(lab->guest, 1, cpus[0]);
	f->lab = lab;
	f->told = 0;
	f->state = (uint8_t *)lab_memory(lab, 1, &f->at) + PREEMPTED_AT;
	lab_memory(lab, LAB_SHARED, &f->word);
	op = OP_WRMSR(msr, f->at | ENABLE);
	*ret_refused = false;
	if (lab_run(lab, 1, &op, 1))
		return -1;
	*ret_refused = op_gp(&op);
	if (!op_done(&op))
		return -say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "no steal time: MSR 0x%x: exception %llu", msr,
			    (unsigned long long)op.fault);
	if (flushes(f) < 0)
		return -lab_no_stat(lab->out, f->stats, "tlb_flush");
	/* What is new to KVM in the first round may make it flush for reasons of its own. */
	got = one_round(f, PREEMPTED);
	f->seen = got == 1;
	return got < 0 ? -1 : 0;
}

/* Several rounds: *ret_grown, flushes counted meanwhile. How many rounds it came to a swap in, or -1. */
static int rounds(struct flush *f, uint8_t value, int64_t *ret_grown)
{
	int64_t before = flushes(f);
	int n = 0;

	/* Waiting for what never comes takes long. */
	for (unsigned i = 0; i < ROUNDS && f->seen; i++) {
		int got = one_round(f, value);

		if (got < 0)
			return -1;
		n += got;
	}
	*ret_grown = flushes(f) - before;
	return n;
}

/* KVM flushes for reasons of its own as well, when the host moves the guest's memory. */
static bool few(int64_t grown, int n)
{
	return 2 * grown < n;
}

static void never_preempted(const struct flush *f)
{
	say(f->lab->out, GCPU_ALIVE_INCONCLUSIVE,
	    "preempted byte never set; preemption_reported %lld, preemption_other %lld",
	    (long long)lab_stat(f->stats, "preemption_reported"), (long long)lab_stat(f->stats, "preemption_other"));
}

static void compare(struct flush *f, struct outcome *out)
{
	int64_t with, without;
	int swaps, plain;

	plain = rounds(f, (uint8_t)lab_wrong(f->lab, PREEMPTED, PREEMPTED | FLUSH), &without);
	if (plain < 0)
		return;
	if (!plain) {
		never_preempted(f);
		return;
	}
	swaps = rounds(f, PREEMPTED | FLUSH, &with);
	if (swaps < 0)
		return;
	if (*f->state)
		say(out, GCPU_ALIVE_FAILS, "preempted byte still %u after the vCPU ran", *f->state);
	else if (!few(without, plain))
		say(out, GCPU_ALIVE_INCONCLUSIVE, "its control failed: tlb_flush +%lld of %d, not asked for",
		    (long long)without, plain);
	else if (swaps < ROUNDS)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "preempted byte set in %d of %d rounds", swaps, ROUNDS);
	else if (with < swaps)
		say(out, GCPU_ALIVE_FAILS, "tlb_flush +%lld of %d", (long long)with, swaps);
	else
		say(out, GCPU_ALIVE_WORKS, "tlb_flush +%lld of %d, +%lld not asked for", (long long)with, swaps,
		    (long long)without);
}

static void use(struct lab *lab, struct outcome *out)
{
	struct flush f = { .stats = lab_stats_open(lab, run_machine_vcpu(lab->vm, 1)) };
	bool refused;

	if (set_up(&f, lab, &refused) == 0)
		compare(&f, out);
	lab_stats_close(f.stats);
}

/* vCPU 1 stands still and is told to flush, whatever it says of itself. How many rounds, or negative. */
static int blindly(struct flush *f, int64_t *ret_grown)
{
	int64_t before = flushes(f);

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct guest_op store = OP_STORE(f->at + PREEMPTED_AT, 1, FLUSH), spin = OP_SPIN(f->lab->khz);

		if (lab_run(f->lab, 0, &store, 1) || lab_run(f->lab, 1, &spin, 1))
			return -1;
	}
	*ret_grown = flushes(f) - before;
	return ROUNDS;
}

/* The same in a VM that has all that there is to have. Flushes counted, or -1: no telling. */
static int64_t blindly_on(struct alive *a)
{
	const struct lab_want want = { .vcpus = 2, .plain = true };
	struct outcome out = { .alive = GCPU_ALIVE_INCONCLUSIVE };
	struct flush f = { .stats = -1 };
	int64_t grown = -1;
	struct lab lab;
	bool no_steal;

	if (lab_open(a, &want, &lab, &out) == 0) {
		f.stats = lab_stats_open(&lab, run_machine_vcpu(lab.vm, 1));
		if (set_up(&f, &lab, &no_steal) || blindly(&f, &grown) < 0)
			grown = -1;
		lab_stats_close(f.stats);
	}
	lab_close(&lab);
	return grown;
}

/*
 * Never seen preempted: a flag that is set all the same counts on some KVMs, and is
 * overwritten by others. That it does not count here says something only where it
 * does with the feature on.
 */
static void refused_blindly(struct flush *f, struct outcome *out)
{
	int64_t grown, on;
	int n = blindly(f, &grown);

	if (n < 0)
		return;
	if (grown >= n) {
		say(out, GCPU_ALIVE_LEAKS, "tlb_flush +%lld of %d, preempted byte never set", (long long)grown, n);
		return;
	}
	on = blindly_on(f->lab->alive);
	if (on < 0)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "preempted byte never set; no VM with the feature on to compare with");
	else
		say(out, few(grown, n) && on >= n ? GCPU_ALIVE_REFUSED : GCPU_ALIVE_INCONCLUSIVE,
		    "preempted byte never set; flag set blindly: tlb_flush +%lld of %d, with the feature on +%lld",
		    (long long)grown, n, (long long)on);
}

static void refused(struct lab *lab, struct outcome *out)
{
	struct flush f = { .stats = lab_stats_open(lab, run_machine_vcpu(lab->vm, 1)) };
	int64_t grown = 0;
	bool no_steal;
	int n;

	if (set_up(&f, lab, &no_steal)) {
		if (no_steal)
			say(out, GCPU_ALIVE_REFUSED, "steal time is refused, where it would be asked for");
		lab_stats_close(f.stats);
		return;
	}
	n = rounds(&f, PREEMPTED | FLUSH, &grown);
	if (n == 0)
		refused_blindly(&f, out);
	else if (n > 0 && grown >= n)
		say(out, GCPU_ALIVE_LEAKS, "tlb_flush +%lld of %d", (long long)grown, n);
	else if (n > 0)
		say(out, few(grown, n) ? GCPU_ALIVE_REFUSED : GCPU_ALIVE_INCONCLUSIVE, "tlb_flush +%lld of %d",
		    (long long)grown, n);
	lab_stats_close(f.stats);
}

const struct exercise exercise_pv_tlb_flush = {
	.name = "kvm-pv-tlb-flush", .kind = GCPU_EXERCISE_FEATURE, .field = X86_F_KVM_PV_TLB_FLUSH,
	.want = { .vcpus = 2 }, .use = use, .refused = refused,
};

/* SPDX-License-Identifier: MIT */
/*
 * PV unhalt: a kick wakes a vCPU that halted with its interrupts off, which is
 * how guests wait for a lock. The hypercall returns 0 whether or not there was
 * anybody to wake, so the sleeper is watched.
 */
#include "facts_gen.h"
#include "x86.h"

#define KICKER 0
#define SLEEPER 1
#define TIMES 3
#define AFTER_MS 20  /* for the sleeper to be asleep in KVM again after it was looked at */
#define WITHIN_MS 60 /* no limit: for how long it is left alone */

struct kick {
	uint64_t answer;
	int woke; /* 1 the sleeper went on, 0 it sleeps */
};

/* Kick ID while the sleeper sleeps. */
static int kick(struct lab *lab, uint64_t id, struct guest_op *halt, struct kick *ret)
{
	uint32_t call = pv_call(lab->alive, X86_F_KVM_PV_UNHALT, 0);
	struct guest_op ops[] = { OP_SPIN(lab->khz * AFTER_MS), op_hypercall(lab, call, 0, id, 0, 0) };
	int r;

	if (lab_start(lab, KICKER, ops, COUNT(ops)))
		return -1;
	r = lab_ended(lab, SLEEPER, halt, 1, WITHIN_MS);
	if (r < 0 || lab_finish(lab, KICKER, ops, COUNT(ops)))
		return -1;
	ret->answer = ops[1].res[0];
	/* The kick may have come after that, so look once more. */
	if (r == 0) {
		r = asleep(lab, SLEEPER, halt, 1);
		if (r < 0)
			return -1;
		r = !r;
	}
	ret->woke = r;
	return 0;
}

/* Put it to sleep: 1 it sleeps, 0 it came back by itself, negative: no telling. */
static int put_to_sleep(struct lab *lab, struct guest_op *halt)
{
	*halt = OP(GUEST_OP_HALT_OFF, 0);
	return lab_start(lab, SLEEPER, halt, 1) ? -1 : asleep(lab, SLEEPER, halt, 1);
}

static void use(struct lab *lab, struct outcome *out)
{
	uint32_t id = run_machine_vcpu_id(lab->vm, SLEEPER);
	struct guest_op halt;
	struct kick k;
	int r;

	if (apic_on(lab, KICKER) || apic_on(lab, SLEEPER))
		return;
	for (unsigned i = 0; i < TIMES; i++) {
		r = put_to_sleep(lab, &halt);
		if (r < 0)
			return;
		if (!r) {
			say(out, GCPU_ALIVE_INCONCLUSIVE, "HLT with interrupts off ended by itself");
			return;
		}
		if (i == TIMES - 1) {
			if (kick(lab, lab_wrong(lab, absent_id(lab), id), &halt, &k))
				return;
			if (k.woke) {
				say(out, GCPU_ALIVE_INCONCLUSIVE, "its control failed: a kick to an id that nobody has woke it");
				return;
			}
		}
		if (kick(lab, id, &halt, &k))
			return;
		if (k.answer || !k.woke) {
			say(out, GCPU_ALIVE_FAILS, "kick %u gave %lld, and the vCPU %s", i + 1, (long long)k.answer,
			    k.woke ? "woke up" : "sleeps on");
			return;
		}
	}
	say(out, GCPU_ALIVE_WORKS, "asleep with interrupts off, awake by a kick, %u times; an id that nobody has wakes nobody",
	    TIMES);
}

/* Nobody in KVM whom a kick could wake: only what it answers can be seen. */
static void answer_alone(struct lab *lab, const char *why, struct outcome *out)
{
	uint32_t call = pv_call(lab->alive, X86_F_KVM_PV_UNHALT, 0);
	struct guest_op op = op_hypercall(lab, call, 0, run_machine_vcpu_id(lab->vm, SLEEPER), 0, 0);

	if (lab_run(lab, KICKER, &op, 1))
		return;
	if (op.res[0] == HC_ENOSYS)
		say(out, GCPU_ALIVE_REFUSED, "the hypercall gives -1000 (ENOSYS); %s", why);
	else
		say(out, GCPU_ALIVE_UNTESTABLE, "the hypercall gives %lld, which says nothing; %s", (long long)op.res[0],
		    why);
}

static void refused(struct lab *lab, struct outcome *out)
{
	struct guest_op halt;
	struct kick k;
	int r;

	if (!lapic_in_kvm(lab)) {
		answer_alone(lab, "without an APIC in KVM nobody sleeps there", out);
		return;
	}
	if (apic_on(lab, KICKER) || apic_on(lab, SLEEPER))
		return;
	r = put_to_sleep(lab, &halt);
	if (r < 0)
		return;
	if (!r) {
		answer_alone(lab, "HLT does not exit, so nobody sleeps in KVM", out);
		return;
	}
	if (kick(lab, run_machine_vcpu_id(lab->vm, SLEEPER), &halt, &k))
		return;
	if (k.woke)
		say(out, GCPU_ALIVE_LEAKS, "the hypercall gives %lld and wakes a vCPU", (long long)k.answer);
	else if (k.answer == HC_ENOSYS)
		say(out, GCPU_ALIVE_REFUSED, "the hypercall gives -1000 (ENOSYS), the vCPU sleeps on");
	else
		say(out, GCPU_ALIVE_INCONCLUSIVE, "the hypercall gives %lld, the vCPU sleeps on", (long long)k.answer);
}

const struct exercise exercise_pv_unhalt = {
	.name = "kvm-pv-unhalt", .kind = GCPU_EXERCISE_FEATURE, .field = X86_F_KVM_PV_UNHALT, .hypercalls = true,
	.use = use, .refused = refused,
};

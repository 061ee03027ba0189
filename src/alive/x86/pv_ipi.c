/* SPDX-License-Identifier: MIT */
/*
 * PV IPI: one hypercall sends an interrupt to many vCPUs, named by two words of
 * bits that count from an APIC id. It says how many it reached, so it is their
 * own counts that are looked at. The words have 64 bits each in a 64-bit
 * guest, 32 in a 32-bit one. KVM's hypercalls.rst.
 */
#include "facts_gen.h"
#include "x86.h"

#define SENDER 0
#define OTHER 1
#define N 4
#define VECTOR 0x51
#define AFTER_MS 20 /* time for the sleeper to be asleep in KVM again */
#define ABSENT 4ULL /* id 2 */
#define BOTH 3ULL

/* Bit 1 of the second word is id 33 in a 32-bit guest, id 65 in a 64-bit one. */
static const unsigned numbers[N] = { 0, 1, 33, 65 };

struct attempt {
	const char *what;
	bool narrow; /* by 32-bit code */
	uint64_t low, high, least, icr;
	int32_t answer;
	unsigned reached; /* bit I: vCPU I of the lab gets one */
	bool wrong;	  /* a control: the first word is to be LOW, or one that somebody has */
};

static const struct attempt attempts[] = {
	{ "one target", false, 1 << OTHER, 0, 0, VECTOR, 1, 1 << OTHER, false },
	{ "two targets", false, BOTH, 0, 0, VECTOR, 2, BOTH, false },
	{ "a least id", false, 1, 0, 33, VECTOR, 1, 1 << 2, false },
	{ "the second word", false, 0, 1 << 1, 0, VECTOR, 1, 1 << 3, false },
	{ "an id that nobody has", false, ABSENT, 0, 0, VECTOR, 0, 0, true },
	{ "a shorthand", false, 1 << OTHER, 0, 0, ICR_SELF | VECTOR, -22, 0, false },
	{ "a logical destination", false, 1 << OTHER, 0, 0, ICR_LOGICAL | VECTOR, -22, 0, false },
	{ "two targets", true, BOTH, 0, 0, VECTOR, 2, BOTH, false },
	{ "the second word", true, 0, 1 << 1, 0, VECTOR, 1, 1 << 2, false },
	{ "an id that nobody has", true, ABSENT, 0, 0, VECTOR, 0, 0, true },
	{ "a logical destination", true, 1 << OTHER, 0, 0, ICR_LOGICAL | VECTOR, -22, 0, false },
};

static struct guest_op op_send(const struct lab *lab, const struct attempt *a, uint64_t low)
{
	uint32_t call = pv_call(lab->alive, X86_F_KVM_PV_IPI, 0);
	struct guest_op op = op_hypercall(lab, call, low, a->high, a->least, a->icr);

	if (a->narrow)
		op.code = GUEST_OP_HYPERCALL32;
	return op;
}

/* As it stands in RAX: 32-bit code has but half of it. */
static uint64_t in_rax(const struct attempt *a, int32_t answer)
{
	return a->narrow ? (uint32_t)answer : (uint64_t)(int64_t)answer;
}

/* What each vCPU has taken, those that were pending included. */
static int count(struct lab *lab, uint64_t ret[N])
{
	for (unsigned i = 0; i < N; i++) {
		struct guest_op ops[] = { OP_SPIN(lab->khz / 10), OP(GUEST_OP_INTERRUPTS, 0) };

		if (lab_run(lab, i, ops, COUNT(ops)))
			return -1;
		ret[i] = ops[1].res[0];
	}
	return 0;
}

/* One of the table: 0 as it should be, 1 not, negative: no telling. What came of it in any case. */
static int attempt(struct lab *lab, const struct attempt *a, uint64_t *ret_answer,
		   unsigned *ret_reached)
{
	uint64_t low = a->wrong ? lab_wrong(lab, a->low, 1 << OTHER) : a->low;
	struct guest_op op = op_send(lab, a, low);
	uint64_t before[N], after[N];
	bool twice = false;

	if (count(lab, before) || lab_run(lab, SENDER, &op, 1) || count(lab, after))
		return -1;
	*ret_answer = op.res[0];
	*ret_reached = 0;
	for (unsigned i = 0; i < N; i++) {
		twice |= after[i] > before[i] + 1;
		*ret_reached |= (after[i] != before[i]) << i;
	}
	return !op_done(&op) || op.res[0] != in_rax(a, a->answer) || *ret_reached != a->reached || twice;
}

static int attempt_all(struct lab *lab, const char *mode)
{
	for (size_t i = 0; i < COUNT(attempts); i++) {
		const struct attempt *a = &attempts[i];
		unsigned reached;
		uint64_t answer;
		int r = attempt(lab, a, &answer, &reached);

		if (r < 0)
			return -1;
		if (r && a->wrong)
			return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "its control failed: %s gave %lld", a->what,
				   (long long)answer);
		if (r && answer == in_rax(a, -95))
			return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "%s: -95 (EOPNOTSUPP), KVM has no map of APIC ids",
				   mode);
		if (r)
			return say(lab->out, GCPU_ALIVE_FAILS, "%s, %u bits, %s: gave 0x%llx, interrupts on vCPUs %x, not %x",
				   mode, a->narrow ? 32 : 64, a->what, (unsigned long long)answer, reached, a->reached);
	}
	return 0;
}

/* A vCPU that waits for an interrupt goes on. 1 it does, 0 HLT does not wait here, negative: said. */
static int wake(struct lab *lab)
{
	struct guest_op ops[] = { OP_SPIN(lab->khz * AFTER_MS), op_send(lab, &attempts[0], attempts[0].low) };
	struct guest_op halt = OP(GUEST_OP_HALT, 0);
	int r;

	if (lab_start(lab, OTHER, &halt, 1))
		return -1;
	r = asleep(lab, OTHER, &halt, 1);
	if (r <= 0)
		return r;
	if (lab_start(lab, SENDER, ops, COUNT(ops)) || lab_finish(lab, OTHER, &halt, 1) ||
	    lab_finish(lab, SENDER, ops, COUNT(ops)))
		return -1;
	if (ops[1].res[0] == 1 && halt.res[0] == 1 && halt.res[1] == VECTOR)
		return 1;
	say(lab->out, GCPU_ALIVE_FAILS, "a halted target: gave 0x%llx, %llu interrupts, the last with vector 0x%llx",
	    (unsigned long long)ops[1].res[0], (unsigned long long)halt.res[0], (unsigned long long)halt.res[1]);
	return -1;
}

static int to_x2apic(struct lab *lab)
{
	for (unsigned i = 0; i < N; i++) {
		int r = x2apic_enter(lab, i);

		if (r < 0)
			return -1;
		if (!r)
			return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "no way into x2APIC mode");
	}
	return 0;
}

static void use(struct lab *lab, struct outcome *out)
{
	struct gcpu_standing x2apic = { .size = sizeof(x2apic) };
	int woke;

	for (unsigned i = 0; i < N; i++)
		if (apic_on(lab, i))
			return;
	if (attempt_all(lab, "xAPIC"))
		return;
	woke = wake(lab);
	if (woke < 0)
		return;
	if (gcpu_plan_standing(lab->plan, "x2apic", &x2apic, NULL) == 0 && x2apic.on &&
	    (to_x2apic(lab) || attempt_all(lab, "x2APIC")))
		return;
	say(out, GCPU_ALIVE_WORKS, "1 and 2 of 2 targets by id%s; 64 and 32 bits, xAPIC%s",
	    woke ? ", a halted one wakes" : "", x2apic.on ? " and x2APIC" : "");
}

static void refused(struct lab *lab, struct outcome *out)
{
	bool refused = true, no_map = true;

	for (unsigned i = 0; i < N; i++)
		if (apic_on(lab, i))
			return;
	for (size_t i = 0; i < COUNT(attempts); i++) {
		const struct attempt *a = &attempts[i];
		unsigned reached;
		uint64_t answer;

		if (a->reached != BOTH)
			continue;
		if (attempt(lab, a, &answer, &reached) < 0)
			return;
		if (reached) {
			say(out, GCPU_ALIVE_LEAKS, "%u bits: %lld interrupts sent", a->narrow ? 32 : 64,
			    (long long)answer);
			return;
		}
		refused &= answer == in_rax(a, -1000);
		no_map &= answer == in_rax(a, -95);
	}
	if (refused)
		say(out, GCPU_ALIVE_REFUSED, "the hypercall gives -1000 (ENOSYS) in 64 and 32 bits, no interrupts");
	else if (no_map)
		say(out, GCPU_ALIVE_REFUSED, "the hypercall gives -95 (EOPNOTSUPP) in 64 and 32 bits, no interrupts");
	else
		say(out, GCPU_ALIVE_INCONCLUSIVE, "the hypercall is answered, no interrupts");
}

const struct exercise exercise_pv_ipi = {
	.name = "kvm-pv-ipi", .kind = GCPU_EXERCISE_FEATURE, .field = X86_F_KVM_PV_IPI, .hypercalls = true,
	.want = { .vcpus = 66, .run = { .vcpus = numbers, .n = N } }, .use = use, .refused = refused,
};

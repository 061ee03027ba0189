/* SPDX-License-Identifier: MIT */
/*
 * PV IPI: one hypercall sends an interrupt to many vCPUs, named by two words of
 * bits that count from an APIC id. It says how many it reached, so it is their
 * own counts that are looked at. The words have 64 bits each in a 64-bit
 * guest, 32 in a 32-bit one. KVM's hypercalls.rst.
 *
 * So it is sent by 64-bit code, by 32-bit code of a guest in long mode, and by a
 * guest that is in 32-bit protected mode without paging. For the last it is vCPU
 * SENDER32: the id where the second word would begin if it had 64 bits.
 */
#include "facts_gen.h"
#include "lowcode.h"
#include "x86.h"

#include <stdio.h>
#include <string.h>

#define SENDER 0
#define OTHER 1
#define SENDER32 3
#define N 4
#define VECTOR 0x51
#define AFTER_MS 20 /* time for the sleeper to be asleep in KVM again */
#define ABSENT 4ULL /* id 2 */
#define BOTH 3ULL

/* Bit 1 of the second word is id 33 in a 32-bit guest, id 65 in a 64-bit one. */
static const unsigned numbers[N] = { 0, 1, 33, 65 };

enum sender { CODE64, CODE32, GUEST32, SENDERS };

static const char *const senders[SENDERS] = { "64-bit guest", "32-bit code segment", "32-bit guest" };

struct attempt {
	const char *what;
	enum sender sender;
	uint64_t low, high, least, icr;
	int32_t answer;
	unsigned reached; /* bit I: vCPU I of the lab gets one */
	bool wrong;	  /* a control: the first word is to be LOW, or one that somebody has */
};

static const struct attempt attempts[] = {
	{ "one target", CODE64, 1 << OTHER, 0, 0, VECTOR, 1, 1 << OTHER, false },
	{ "two targets", CODE64, BOTH, 0, 0, VECTOR, 2, BOTH, false },
	{ "a least id", CODE64, 1, 0, 33, VECTOR, 1, 1 << 2, false },
	{ "the second word", CODE64, 0, 1 << 1, 0, VECTOR, 1, 1 << 3, false },
	{ "an id that nobody has", CODE64, ABSENT, 0, 0, VECTOR, 0, 0, true },
	{ "a shorthand", CODE64, 1 << OTHER, 0, 0, ICR_SELF | VECTOR, -22, 0, false },
	{ "a logical destination", CODE64, 1 << OTHER, 0, 0, ICR_LOGICAL | VECTOR, -22, 0, false },
	{ "two targets", CODE32, BOTH, 0, 0, VECTOR, 2, BOTH, false },
	{ "the second word", CODE32, 0, 1 << 1, 0, VECTOR, 1, 1 << 2, false },
	{ "an id that nobody has", CODE32, ABSENT, 0, 0, VECTOR, 0, 0, true },
	{ "a logical destination", CODE32, 1 << OTHER, 0, 0, ICR_LOGICAL | VECTOR, -22, 0, false },
	{ "two targets", GUEST32, BOTH, 0, 0, VECTOR, 2, BOTH, false },
	{ "the second word", GUEST32, 0, 1 << 1, 0, VECTOR, 1, 1 << 2, false },
	{ "an id that nobody has", GUEST32, ABSENT, 0, 0, VECTOR, 0, 0, true },
	{ "a logical destination", GUEST32, 1 << OTHER, 0, 0, ICR_LOGICAL | VECTOR, -22, 0, false },
};

/* Which guests this KVM can be asked from. */
struct guests {
	bool no_guest32; /* it cannot be entered: WHY */
	char why[80];
};

static struct guest_op op_send(const struct lab *lab, const struct attempt *a, uint64_t low)
{
	uint32_t call = pv_call(lab->alive, X86_F_KVM_PV_IPI, 0);
	struct guest_op op = op_hypercall(lab, call, low, a->high, a->least, a->icr);

	if (a->sender == CODE32)
		op.code = GUEST_OP_HYPERCALL32;
	return op;
}

/* As it stands in RAX: 32-bit code has but half of it. */
static uint64_t in_rax(const struct attempt *a, int32_t answer)
{
	return a->sender == CODE64 ? (uint64_t)(int64_t)answer : (uint32_t)answer;
}

/* Can this KVM enter a 32-bit guest at all? 0, and RET has it; or said. */
static int try_guest32(struct lab *lab, struct guests *ret)
{
	const struct guest_op none = OP(GUEST_OP_END, 0);
	struct gcpu_error err = { 0 };
	uint32_t eax;
	int r;

	memset(ret, 0, sizeof(*ret));
	if (lab_on_model(lab)) {
		ret->no_guest32 = true;
		snprintf(ret->why, sizeof(ret->why), "the software KVM executes no code");
		return 0;
	}
	r = low_hypercall32(lab, SENDER32, &none, &eax, &err);
	if (r && r != GCPU_ERR_KVM)
		return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "32-bit guest: %s", err.text);
	ret->no_guest32 = r != 0;
	/* Without where it stood, which is of no use here. */
	snprintf(ret->why, sizeof(ret->why), "%.*s", (int)strcspn(err.text, ","), err.text);
	/* A triple fault may have turned its APIC off. */
	return apic_on(lab, SENDER32);
}

/* 0, with the answer in OP; or said. */
static int send_op(struct lab *lab, const struct attempt *a, struct guest_op *op)
{
	struct gcpu_error err = { 0 };
	uint32_t eax;

	if (a->sender != GUEST32)
		return lab_run(lab, SENDER, op, 1);
	if (low_hypercall32(lab, SENDER32, op, &eax, &err))
		return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "32-bit guest, %s: %s", a->what, err.text);
	op->res[0] = eax;
	op->status = GUEST_STATUS_DONE;
	return 0;
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

	if (count(lab, before) || send_op(lab, a, &op))
		return -1;
	/* Its payload begins afresh and counts from 0; what is pending in its APIC is still to come. */
	if (a->sender == GUEST32)
		before[SENDER32] = 0;
	if (count(lab, after))
		return -1;
	*ret_answer = op.res[0];
	*ret_reached = 0;
	for (unsigned i = 0; i < N; i++) {
		twice |= after[i] > before[i] + 1;
		*ret_reached |= (after[i] != before[i]) << i;
	}
	return !op_done(&op) || op.res[0] != in_rax(a, a->answer) || *ret_reached != a->reached || twice;
}

/* Names of the senders in the set, as a list. */
static const char *names(unsigned set, char text[static 80])
{
	size_t n = 0;

	text[0] = 0;
	for (unsigned i = 0; i < SENDERS; i++)
		if (set >> i & 1)
			n += (size_t)snprintf(text + n, 80 - n, "%s%s", n ? ", " : "", senders[i]);
	return text;
}

/* All that a sender is to fail at by somebody's absence: 0 it does. */
static int controls(struct lab *lab, const struct guests *g)
{
	unsigned reached, sent = 0;
	uint64_t answer;
	char text[80];

	for (size_t i = 0; i < COUNT(attempts); i++) {
		const struct attempt *a = &attempts[i];
		int r;

		if (!a->wrong || (a->sender == GUEST32 && g->no_guest32))
			continue;
		r = attempt(lab, a, &answer, &reached);
		if (r < 0)
			return -1;
		sent |= (unsigned)r << a->sender;
	}
	return sent ? say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "its control failed: an id that nobody has, from %s",
			  names(sent, text)) : 0;
}

static int attempt_all(struct lab *lab, const struct guests *g, const char *mode)
{
	for (size_t i = 0; i < COUNT(attempts); i++) {
		const struct attempt *a = &attempts[i];
		unsigned reached;
		uint64_t answer;
		int r;

		if (a->wrong || (a->sender == GUEST32 && g->no_guest32))
			continue;
		r = attempt(lab, a, &answer, &reached);
		if (r < 0)
			return -1;
		if (r && answer == in_rax(a, -95))
			return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "%s: -95 (EOPNOTSUPP), KVM has no map of APIC ids",
				   mode);
		if (r)
			return say(lab->out, GCPU_ALIVE_FAILS, "%s, %s, %s: gave 0x%llx, interrupts on vCPUs %x, not %x",
				   mode, senders[a->sender], a->what, (unsigned long long)answer, reached, a->reached);
	}
	return controls(lab, g);
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
	struct guests g;
	int woke;

	for (unsigned i = 0; i < N; i++)
		if (apic_on(lab, i))
			return;
	if (try_guest32(lab, &g) || attempt_all(lab, &g, "xAPIC"))
		return;
	woke = wake(lab);
	if (woke < 0)
		return;
	if (gcpu_plan_standing(lab->plan, "x2apic", &x2apic, NULL) == 0 && x2apic.on &&
	    (to_x2apic(lab) || attempt_all(lab, &g, "x2APIC")))
		return;
	say(out, GCPU_ALIVE_WORKS, "1 and 2 of 2 targets by id%s; %s, xAPIC%s%s%s",
	    woke ? ", a halted one wakes" : "",
	    g.no_guest32 ? "64-bit guest and its 32-bit code" : "64- and 32-bit guests",
	    x2apic.on ? " and x2APIC" : "", g.no_guest32 ? "; no 32-bit guest: " : "", g.why);
}

/* Whose calls sent something, gave -1000 and gave -95. */
struct answers {
	unsigned sent, refused, no_map, all;
};

static int ask_all(struct lab *lab, const struct guests *g, struct answers *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < COUNT(attempts); i++) {
		const struct attempt *a = &attempts[i];
		unsigned reached, bit = 1U << a->sender;
		uint64_t answer;

		if (a->reached != BOTH || (a->sender == GUEST32 && g->no_guest32))
			continue;
		if (attempt(lab, a, &answer, &reached) < 0)
			return -1;
		ret->all |= bit;
		ret->sent |= reached ? bit : 0;
		ret->refused |= answer == in_rax(a, -1000) ? bit : 0;
		ret->no_map |= answer == in_rax(a, -95) ? bit : 0;
	}
	return 0;
}

static void refused(struct lab *lab, struct outcome *out)
{
	struct answers is;
	struct guests g;
	const char *where;
	char text[80];

	for (unsigned i = 0; i < N; i++)
		if (apic_on(lab, i))
			return;
	if (try_guest32(lab, &g) || ask_all(lab, &g, &is))
		return;
	where = g.no_guest32 ? "a 64-bit guest and its 32-bit code" : "64- and 32-bit guests";
	if (is.sent)
		say(out, GCPU_ALIVE_LEAKS, "interrupts sent: %s", names(is.sent, text));
	else if (is.refused == is.all)
		say(out, GCPU_ALIVE_REFUSED, "the hypercall gives -1000 (ENOSYS) in %s, no interrupts", where);
	else if (is.no_map == is.all)
		say(out, GCPU_ALIVE_REFUSED, "the hypercall gives -95 (EOPNOTSUPP) in %s, no interrupts", where);
	else
		say(out, GCPU_ALIVE_INCONCLUSIVE, "the hypercall is answered, no interrupts");
}

const struct exercise exercise_pv_ipi = {
	.name = "kvm-pv-ipi", .kind = GCPU_EXERCISE_FEATURE, .field = X86_F_KVM_PV_IPI, .hypercalls = true,
	.want = { .vcpus = 66, .run = { .vcpus = numbers, .n = N } }, .use = use, .refused = refused,
};

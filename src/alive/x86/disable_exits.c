/* SPDX-License-Identifier: MIT */
/*
 * KVM_CAP_X86_DISABLE_EXITS: when it is taken, with which bits, and what comes
 * of it. KVM's api.rst 7.13; x86.c, cpuid.c.
 */
#include <stdio.h>

#include "facts_gen.h"
#include "plain.h"

#define HALTS 3
#define VECTOR 0xf1
#define LOOK_MS 20
#define ASLEEP_MS 500
#define UNKNOWN_BIT 31 /* no kernel has that many exits */

static uint64_t exit_bit(const char *name)
{
	int n = gcpu_exit_by_name(name);

	return n < 0 ? 0 : 1ULL << n;
}

/* Not 0: this KVM lets no HLT exit be disabled, and the outcome says so. */
static int hlt_allowed(struct lab *lab)
{
	int allowed = vm_cap(lab, CAP_X86_DISABLE_EXITS);

	if (no_answer(lab, "KVM_CHECK_EXTENSION", allowed))
		return 1;
	if (allowed > 0 && ((uint64_t)allowed & exit_bit("hlt")))
		return 0;
	return say(lab->out, GCPU_ALIVE_UNTESTABLE, "this KVM lets HLT exits be disabled for no VM");
}

/* One `sti; hlt` that an interrupt ends; more than one, since it may come before the HLT. */
static int halt_once(struct lab *lab)
{
	struct guest_op op = OP(GUEST_OP_HALT, 0);
	int r = lab_start(lab, 0, &op, 1) ? -1 : 0;

	while (r == 0) {
		msi_send(lab, run_machine_vcpu_id(lab->vm, 0), VECTOR);
		r = lab_ended(lab, 0, &op, 1, LOOK_MS);
		if (r == 0 && lab_left(lab) <= 1)
			r = -say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "HLT did not end by an interrupt");
	}
	return r < 0 ? r : 0;
}

/* How many of HALTS HLTs that the guest executes KVM counts as exits; -1: no telling. */
static int64_t halt_exits(struct lab *lab)
{
	int stats = lab_stats_open(lab, run_machine_vcpu(lab->vm, 0));
	int64_t before = lab_stat(stats, "halt_exits"), after = -1;
	int r = apic_on(lab, 0);

	for (unsigned i = 0; r == 0 && i < HALTS; i++)
		r = halt_once(lab);
	if (r == 0)
		after = lab_stat(stats, "halt_exits");
	lab_stats_close(stats);
	if (r == 0 && (before < 0 || after < 0))
		lab_no_stat(lab->out, stats, "halt_exits");
	return r || before < 0 || after < 0 ? -1 : after - before;
}

/*
 * After the vCPU was created: what it does at HLT is decided then. "refused"
 * (EINVAL, 6.14 and later); "accepted-without-effect" (6.1, 6.12: the vCPU that
 * exists goes on to exit); "accepted" would be an effect.
 */
static void late(struct lab *lab, struct outcome *out)
{
	int64_t exits;
	int r;

	if (hlt_allowed(lab))
		return;
	r = vm_enable(lab, CAP_X86_DISABLE_EXITS, exit_bit("hlt"));
	if (no_answer(lab, "KVM_ENABLE_CAP", r))
		return;
	if (r < 0) {
		observe(out, "refused", "KVM_ENABLE_CAP after KVM_CREATE_VCPU: %s", answer(r));
		return;
	}
	exits = halt_exits(lab);
	if (exits >= 0)
		observe(out, exits ? "accepted-without-effect" : "accepted", "KVM_ENABLE_CAP after KVM_CREATE_VCPU: taken; halt_exits +%lld in %d halts", (long long)exits,
			HALTS);
}

/* A bit that stands for no exit at all: "refused" (EINVAL, every kernel), or "ignored". */
static void unknown(struct lab *lab, struct outcome *out)
{
	int r = vm_enable(lab, CAP_X86_DISABLE_EXITS, 1ULL << UNKNOWN_BIT);

	if (no_answer(lab, "KVM_ENABLE_CAP", r))
		return;
	observe(out, r < 0 ? "refused" : "ignored", "bit %d: %s", UNKNOWN_BIT, answer(r));
}

/*
 * Exits that KVM_CHECK_EXTENSION does not let be disabled here, one by one.
 * "refused": EINVAL for each (6.14 and later; before, only for those that the
 * kernel does not know). "ignored": at least one is taken, in silence.
 */
static void disallowed(struct lab *lab, struct outcome *out)
{
	int allowed = vm_cap(lab, CAP_X86_DISABLE_EXITS);
	char which[160] = "";
	size_t n = 0;
	bool ignored = false;

	if (no_answer(lab, "KVM_CHECK_EXTENSION", allowed))
		return;
	for (unsigned i = 0; gcpu_exit_name(i); i++) {
		const char *name = gcpu_exit_name(i);
		int r;

		if (allowed > 0 && ((uint64_t)allowed & exit_bit(name)))
			continue;
		r = vm_enable(lab, CAP_X86_DISABLE_EXITS, exit_bit(name));
		if (no_answer(lab, "KVM_ENABLE_CAP", r))
			return;
		n += (size_t)snprintf(which + n, sizeof(which) - n, "%s%s: %s", n ? ", " : "", name,
				      answer(r));
		ignored |= r >= 0;
	}
	if (!n)
		say(out, GCPU_ALIVE_UNTESTABLE, "this KVM lets every exit be disabled that there is");
	else
		observe(out, ignored ? "ignored" : "refused", "%s", which);
}

/* HLT exits disabled, then the vCPU; the table that it would have had. */
static int without_hlt_exits(struct lab *lab, struct cpuid_table *ret)
{
	int r = vm_enable(lab, CAP_X86_DISABLE_EXITS, exit_bit("hlt"));

	if (r < 0)
		return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "KVM_CAP_X86_DISABLE_EXITS: %s", answer(r));
	return plain_plug(lab) || table_planned(lab, ret);
}

/*
 * HLT exits disabled before the first vCPU. "native": the CPU executes HLT,
 * KVM sees none. "not-effective": KVM goes on to emulate it, as a para-virtual
 * KVM does. A guest that halts with interrupts off is the CPU's business then:
 * on some it sleeps until the host is interrupted, and KVM wakes nobody.
 */
static void hlt(struct lab *lab, struct outcome *out)
{
	struct guest_op off = OP(GUEST_OP_HALT_OFF, 0);
	struct cpuid_table t;
	int64_t exits;
	int r;

	if (hlt_allowed(lab) || without_hlt_exits(lab, &t))
		return;
	table_drop_kvm(&t);
	if (table_give(lab, &t))
		return;
	exits = halt_exits(lab);
	if (exits < 0 || lab_start(lab, 0, &off, 1))
		return;
	r = lab_ended(lab, 0, &off, 1, ASLEEP_MS);
	if (r >= 0)
		observe(out, exits ? "not-effective" : "native", "halt_exits +%lld in %d halts; with interrupts off it %s",
			(long long)exits, HALTS, r ? "ends by itself" : "sleeps");
}

/* Does the guest have PV_UNHALT after KVM_SET_CPUID2 came SETS times? By KVM's read-back and by
 * the guest's own CPUID. */
static int unhalt_after(struct lab *lab, unsigned sets, bool ret[2])
{
	uint32_t bit = 1U << lab->alive->facts->fields[X86_F_KVM_PV_UNHALT].lsb;
	const struct snap_cpuid *kvm;
	struct cpuid_table t, back;
	struct guest_op op;
	int r = 0;

	if (without_hlt_exits(lab, &t))
		return -1;
	kvm = table_kvm(&t);
	if (!kvm || !(kvm->regs[0] & bit))
		return say(lab->out, GCPU_ALIVE_UNTESTABLE, "this KVM does not offer kvm-pv-unhalt");
	op = OP(GUEST_OP_CPUID, kvm->leaf, 0);
	for (unsigned i = 0; r >= 0 && i < sets; i++)
		r = table_set(lab, &t);
	if (r >= 0)
		r = table_get(lab, &back);
	if (r < 0)
		return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "the CPUID table: %s", answer(r));
	if (lab_run(lab, 0, &op, 1))
		return -1;
	kvm = table_kvm(&back);
	ret[0] = kvm && (kvm->regs[0] & bit);
	ret[1] = op.res[0] & bit;
	return 0;
}

static const struct lab_want bare = { PLAIN_BARE };

/*
 * HLT exits are disabled and the table has PV_UNHALT, which api.rst asks a VMM
 * not to do. KVM takes it out by itself: at the "first" KVM_SET_CPUID2 (6.12
 * and later); at the "second" (6.1, which looks for KVM's signature in the table
 * before); or "never".
 */
static void unhalt_strip(struct lab *lab, struct outcome *out)
{
	bool once[2], twice[2];
	struct lab other;
	int r;

	if (hlt_allowed(lab) || unhalt_after(lab, 1, once))
		return;
	r = lab_open(lab->alive, &bare, &other, out) ? -1 : unhalt_after(&other, 2, twice);
	lab_close(&other);
	if (r)
		return;
	observe(out, !once[1] ? "first" : !twice[1] ? "second" : "never", "PV_UNHALT %s KVM_SET_CPUID2%s",
		!once[1] ? "cleared by the 1st" : !twice[1] ? "cleared by the 2nd" : "still set after the 2nd",
		once[0] != once[1] || twice[0] != twice[1] ? "; KVM_GET_CPUID2 has it otherwise" : "");
}

const struct exercise exercise_exits_late = {
	.name = "disable-exits-late", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN }, .use = late,
};
const struct exercise exercise_exits_unknown = {
	.name = "disable-exits-unknown", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN_BARE }, .use = unknown,
};
const struct exercise exercise_exits_disallowed = {
	.name = "disable-exits-disallowed", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN_BARE }, .use = disallowed,
};
const struct exercise exercise_exits_hlt = {
	.name = "disable-exits-hlt", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN_BARE }, .use = hlt,
};
const struct exercise exercise_unhalt_strip = {
	.name = "pv-unhalt-strip", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN_BARE }, .use = unhalt_strip,
};

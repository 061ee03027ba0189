/* SPDX-License-Identifier: MIT */
/*
 * In which order KVM takes a vCPU's state, and what it leaves in a table.
 * KVM's api.rst 4.20 and on; cpuid.c, x86.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "facts_gen.h"
#include "plain.h"

#define CR4_OSXSAVE (1ULL << 18)

/* Not 0: no answer, and the outcome says so; *ret: KVM's. */
static int set_osxsave(struct lab *lab, int *ret)
{
	struct gk_x86_sregs s = { .cr4 = 0 };
	int r = lab_vcpu_ioctl(lab, 0, GK_GET_SREGS, &s);

	if (r < 0)
		return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "KVM_GET_SREGS: %s", answer(r));
	s.cr4 |= CR4_OSXSAVE;
	*ret = lab_vcpu_ioctl(lab, 0, GK_SET_SREGS, &s);
	return no_answer(lab, "KVM_SET_SREGS", *ret);
}

/*
 * CR4.OSXSAVE by KVM_SET_SREGS before any KVM_SET_CPUID2. "accepted" (6.1, 6.12);
 * "refused" (EINVAL, 6.14 and later: a vCPU without a table is one without
 * features). With a table that has XSAVE every kernel must take it.
 */
static void cr4_before_cpuid(struct lab *lab, struct outcome *out)
{
	struct cpuid_table t;
	int before, after;

	if (plain_plug(lab) || table_planned(lab, &t) || set_osxsave(lab, &before))
		return;
	after = table_set(lab, &t);
	if (after < 0) {
		say(out, GCPU_ALIVE_INCONCLUSIVE, "KVM_SET_CPUID2: %s", answer(after));
		return;
	}
	if (set_osxsave(lab, &after))
		return;
	if (after < 0 && !gcpu_plan_has(lab->plan, GCPU_X86_XSAVE))
		say(out, GCPU_ALIVE_UNTESTABLE, "this KVM offers no XSAVE");
	else if (after < 0)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "KVM_SET_SREGS after a table with XSAVE: %s", answer(after));
	else
		observe(out, before < 0 ? "refused" : "accepted", "KVM_SET_SREGS %s before KVM_SET_CPUID2, taken after it",
			answer(before));
}

static int run_once(struct lab *lab)
{
	struct guest_op op = OP(GUEST_OP_RDTSC, 0);

	return lab_run(lab, 0, &op, 1);
}

/* KVM_GET_CPUID2 with room for as many as there may be; as KVM has left it. To be freed. */
static struct gk_cpuid2 *get_roomy(const struct lab *lab, int *ret_status)
{
	struct gk_cpuid2 *c = calloc(1, sizeof(*c) + GK_CPUID_ENTRIES_MOST * sizeof(c->entries[0]));

	*ret_status = -ENOMEM;
	if (!c)
		return NULL;
	c->nent = GK_CPUID_ENTRIES_MOST;
	*ret_status = lab_vcpu_ioctl(lab, 0, GK_GET_CPUID2, c);
	return c;
}

/*
 * The vCPU has run and gets the table that it has: "accepted" (6.1 and
 * all later kernels), "refused", or "accepted-read-back": only the one that
 * KVM_GET_CPUID2 gives. What that call leaves, number and all, is no table
 * where it leaves a wrong number: see get-cpuid-nent.
 */
static void after_run_same(struct lab *lab, struct outcome *out)
{
	struct cpuid_table t, back;
	struct gk_cpuid2 *left;
	int same, read, as_left;

	if (table_planned(lab, &t) || run_once(lab))
		return;
	same = table_set(lab, &t);
	read = table_get(lab, &back);
	left = get_roomy(lab, &as_left);
	if (read < 0 || as_left < 0) {
		say(out, GCPU_ALIVE_INCONCLUSIVE, "KVM_GET_CPUID2: %s", answer(read < 0 ? read : as_left));
		free(left);
		return;
	}
	read = table_set(lab, &back);
	as_left = lab_vcpu_ioctl(lab, 0, GK_SET_CPUID2, left);
	free(left);
	if (no_answer(lab, "KVM_SET_CPUID2", same) || no_answer(lab, "KVM_SET_CPUID2", read) ||
	    no_answer(lab, "KVM_SET_CPUID2", as_left))
		return;
	observe(out, same >= 0 ? "accepted" : read >= 0 ? "accepted-read-back" : "refused",
		"KVM_SET_CPUID2 after KVM_RUN: same table %s; as KVM_GET_CPUID2 gives it %s, with its nent %s",
		answer(same), answer(read), answer(as_left));
}

/*
 * The vCPU has run and gets another table: "refused" (EINVAL, 6.1 and all
 * later kernels) or "accepted". Before the run it must be taken, or nothing is shown.
 */
static void after_run_changed(struct lab *lab, struct outcome *out)
{
	struct cpuid_table t, changed;
	struct snap_cpuid *kvm;
	int r;

	if (table_planned(lab, &t))
		return;
	changed = t;
	kvm = table_kvm(&changed);
	if (!kvm) {
		say(out, GCPU_ALIVE_INCONCLUSIVE, "the table has no leaf to be changed");
		return;
	}
	kvm->regs[0] ^= 1U << lab->alive->facts->fields[X86_F_KVM_NOPIODELAY].lsb;
	r = table_set(lab, &changed);
	if (r >= 0)
		r = table_set(lab, &t);
	if (r < 0) {
		say(out, GCPU_ALIVE_INCONCLUSIVE, "KVM_SET_CPUID2 before KVM_RUN: %s", answer(r));
		return;
	}
	if (run_once(lab))
		return;
	r = table_set(lab, &changed);
	if (no_answer(lab, "KVM_SET_CPUID2", r))
		return;
	observe(out, r < 0 ? "refused" : "accepted", "KVM_SET_CPUID2, one bit changed: taken before KVM_RUN, %s after it",
		answer(r));
}

/*
 * What a KVM_GET_CPUID2 that succeeds leaves in nent: "count", how many
 * entries there are (6.12 and later); or "room", how many there was room for
 * (6.1): who gives that back to KVM_SET_CPUID2 sets another table.
 */
static void nent(struct lab *lab, struct outcome *out)
{
	struct cpuid_table t, back;
	struct gk_cpuid2 *c;
	int r, read;

	if (table_planned(lab, &t))
		return;
	read = table_get(lab, &back);
	c = get_roomy(lab, &r);
	r = r < 0 ? r : read;
	if (r < 0)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "KVM_GET_CPUID2: %s", answer(r));
	else
		observe(out, c->nent == GK_CPUID_ENTRIES_MOST && back.n < c->nent ? "room" : "count",
			"%zu entries set, %zu read, room for %u: nent %u", t.n, back.n, GK_CPUID_ENTRIES_MOST,
			c->nent);
	free(c);
}

const struct exercise exercise_cr4_before_cpuid = {
	.name = "cr4-before-cpuid", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN_BARE, .no_guest = true },
	.use = cr4_before_cpuid,
};
const struct exercise exercise_after_run_same = {
	.name = "cpuid-after-run-same", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN }, .use = after_run_same,
};
const struct exercise exercise_after_run_changed = {
	.name = "cpuid-after-run-changed", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN }, .use = after_run_changed,
};
const struct exercise exercise_get_cpuid_nent = {
	.name = "get-cpuid-nent", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN, .no_guest = true }, .use = nent,
};

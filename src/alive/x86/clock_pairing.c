/* SPDX-License-Identifier: MIT */
/*
 * Clock pairing: the host's wall clock and the guest's TSC, of one moment. KVM
 * can tell only where the host's clock is made of the TSC. No feature bit
 * announces it and enforcement does not refuse it, so it is used in a VM where
 * that is on. Layout of the structure: KVM's hypercalls.rst.
 */
#include <string.h>

#include "facts_gen.h"
#include "x86.h"

#define WALL_CLOCK 0
#define NO_CLOCK 1 /* there is but the one type */
#define SLACK_NS 100000000LL
#define PATTERN 0xa5
#define NS 1000000000LL

struct pairing {
	int64_t sec, nsec;
	uint64_t tsc;
	uint32_t flags, pad[9];
};

_Static_assert(sizeof(struct pairing) == 64, "as KVM writes it");

struct moment {
	int64_t real[2]; /* of the host before and after, ns */
	uint64_t tsc[2]; /* of the guest before and after */
	uint64_t answer;
};

static int pair(struct lab *lab, uint64_t type, struct moment *ret)
{
	uint32_t call = hypercall_number(lab->alive, X86_CALL_CLOCK_PAIRING);
	struct guest_op ops[3];
	uint64_t at;

	memset(lab_memory(lab, 0, &at), PATTERN, sizeof(struct pairing));
	ops[0] = ops[2] = OP(GUEST_OP_RDTSC, 0);
	ops[1] = op_hypercall(lab, call, at, type, 0, 0);
	ret->real[0] = host_ns(CLOCK_REALTIME);
	if (lab_run(lab, 0, ops, COUNT(ops)))
		return -1;
	ret->real[1] = host_ns(CLOCK_REALTIME);
	ret->tsc[0] = ops[0].res[0];
	ret->tsc[1] = ops[2].res[0];
	ret->answer = ops[1].res[0];
	return 0;
}

/* What is wrong with it, or NULL. */
static const char *wrong_with(const struct pairing *p, const struct moment *m)
{
	int64_t real = p->sec * NS + p->nsec;

	if (p->nsec < 0 || p->nsec >= NS || real < m->real[0] - SLACK_NS || real > m->real[1] + SLACK_NS)
		return "the time is not the host's";
	if (p->tsc < m->tsc[0] || p->tsc > m->tsc[1])
		return "the TSC is not of the time between two readings of the guest";
	if (p->flags)
		return "flags are not 0";
	return NULL;
}

/* It gave no pair. On another clock than the TSC that is as it should be, and there is nothing to try. */
static void no_pair(uint64_t answer, int tsc, const char *source, struct outcome *out)
{
	if (answer == HC_ENOSYS)
		say(out, GCPU_ALIVE_UNTESTABLE, "the hypercall gives -1000: this KVM does not have it");
	else if (answer == HC_EOPNOTSUPP && tsc == 0)
		say(out, GCPU_ALIVE_UNTESTABLE, "the hypercall gives -95 (EOPNOTSUPP), as it must: the host's clock source is %s",
		    source);
	else if (answer == HC_EOPNOTSUPP)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "the hypercall gives -95 (EOPNOTSUPP); the host's clock source is %s",
		    tsc < 0 ? "not known" : source);
	else
		say(out, GCPU_ALIVE_FAILS, "the hypercall gives %lld", (long long)answer);
}

static void use(struct lab *lab, struct outcome *out)
{
	struct moment right, wrong;
	struct pairing p;
	char source[32];
	const char *why;
	int cpus[2], tsc = host_clock_is_tsc(lab, source);

	lab_cpus(cpus);
	run_guest_pin(lab->guest, 0, cpus[0]);
	/* The first list takes longest, and the bounds of the right one are to be narrow. */
	if (pair(lab, lab_wrong(lab, NO_CLOCK, WALL_CLOCK), &wrong) || pair(lab, WALL_CLOCK, &right))
		return;
	memcpy(&p, lab_memory(lab, 0, &(uint64_t){ 0 }), sizeof(p));
	if (right.answer) {
		no_pair(right.answer, tsc, source, out);
		return;
	}
	why = wrong_with(&p, &right);
	if (why)
		say(out, GCPU_ALIVE_FAILS, "%s: %lld.%09lld s, TSC %llu, flags %u", why, (long long)p.sec,
		    (long long)p.nsec, (unsigned long long)p.tsc, p.flags);
	else if (wrong.answer != HC_EOPNOTSUPP)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "its control failed: another type of clock gives %lld",
		    (long long)wrong.answer);
	else
		say(out, GCPU_ALIVE_WORKS,
		    "within %lld us of the host's time, with a TSC of that moment; another type gives -95; no bit announces it, enforcement does not refuse it",
		    (long long)(right.real[1] - right.real[0]) / 1000);
}

const struct exercise exercise_clock_pairing = {
	.name = "clock-pairing", .kind = GCPU_EXERCISE_INTERFACE, .hypercalls = true,
	.want = { .vcpus = 1, .words = ",kvm-pv-enforce-cpuid=on" }, .use = use,
};

/* SPDX-License-Identifier: MIT */
/*
 * kvmclock: a page that tells the time for each vCPU, a wall clock that is
 * written when it is asked for. Old and new MSRs do the same. Layout of both
 * structures: KVM's msr.rst.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "facts_gen.h"
#include "kvm/abi_x86.h"
#include "pvclock.h"
#include "x86.h"

#define ENABLE 1ULL
#define WALL_AT 0x100 /* of the scratch memory; the page of the clock is at its begin */
#define SLACK_NS 20000000LL
#define SLEEP_MS 50
#define RACE_MS 200
#define NS 1000000000LL

struct wall_page {
	uint32_t version, sec, nsec;
};

struct clocks {
	struct lab *lab;
	struct outcome *out;
	uint32_t wall_msr, time_msr;
};

static int enable(struct clocks *c, unsigned vcpu)
{
	uint64_t at;
	struct guest_op ops[2];

	lab_memory(c->lab, vcpu, &at);
	ops[0] = OP_WRMSR(c->wall_msr, at + WALL_AT);
	ops[1] = OP_WRMSR(c->time_msr, at | ENABLE);
	if (lab_run(c->lab, vcpu, ops, 2))
		return -1;
	if (op_done(&ops[0]) && op_done(&ops[1]))
		return 0;
	return say(c->out, GCPU_ALIVE_FAILS, "MSR 0x%x: exception %llu", op_done(&ops[0]) ? c->time_msr : c->wall_msr,
		   (unsigned long long)(op_done(&ops[0]) ? ops[1].fault : ops[0].fault));
}

struct moment {
	int64_t before, after; /* of the host, CLOCK_REALTIME */
	int64_t guest;	       /* time of the clock page */
};

/* Ask the guest for the time; the host knows within which bounds it did. */
static int ask(struct clocks *c, struct moment *m)
{
	const struct pvclock *page = lab_memory(c->lab, 0, &(uint64_t){ 0 });
	struct guest_op op = OP(GUEST_OP_RDTSC, 0);

	m->before = host_ns(CLOCK_REALTIME);
	if (lab_run(c->lab, 0, &op, 1))
		return -1;
	m->after = host_ns(CLOCK_REALTIME);
	m->guest = (int64_t)pvclock_at(page, op.res[0]);
	return 0;
}

/* Does it agree with the host's clock, and go on as that does? *ret_within: no further away than that. */
static int agrees(struct clocks *c, int64_t *ret_within)
{
	const unsigned char *memory = lab_memory(c->lab, 0, &(uint64_t){ 0 });
	const struct wall_page *wall = (const struct wall_page *)(memory + WALL_AT);
	const struct pvclock *page = (const struct pvclock *)memory;
	struct moment first, second;
	int64_t now, least, most, off;

	if (ask(c, &first))
		return -1;
	lab_sleep(SLEEP_MS);
	if (ask(c, &second))
		return -1;
	if (!page->version || page->version & 1 || !wall->sec || wall->version & 1)
		return say(c->out, GCPU_ALIVE_FAILS, "the page was not written: version %u, wall clock %u s",
			   page->version, wall->sec);
	now = wall->sec * NS + wall->nsec + second.guest;
	off = now < second.before ? second.before - now : now > second.after ? now - second.after : 0;
	if (off > SLACK_NS)
		return say(c->out, GCPU_ALIVE_FAILS, "%lld ms away from the host's clock", (long long)off / 1000000);
	*ret_within = second.after - second.before + off;
	least = second.before - first.after;
	most = second.after - first.before;
	if (second.guest - first.guest < least - SLACK_NS || second.guest - first.guest > most + SLACK_NS)
		return say(c->out, GCPU_ALIVE_FAILS, "it went on by %lld ms while the host did by %lld to %lld",
			   (long long)(second.guest - first.guest) / 1000000, (long long)least / 1000000,
			   (long long)most / 1000000);
	return 0;
}

/* Two vCPUs read in turn, once: how often, how often it went back, by how much. */
static int race_once(struct clocks *c, uint64_t ret[3])
{
	struct guest_op ops[2];
	uint64_t shared, at;

	lab_memory(c->lab, LAB_SHARED, &shared);
	for (unsigned i = 0; i < 2; i++) {
		lab_memory(c->lab, i, &at);
		ops[i] = OP(GUEST_OP_CLOCK, at, shared, c->lab->khz * RACE_MS);
	}
	if (lab_start(c->lab, 0, &ops[0], 1) || lab_start(c->lab, 1, &ops[1], 1) ||
	    lab_finish(c->lab, 0, &ops[0], 1) || lab_finish(c->lab, 1, &ops[1], 1))
		return -1;
	ret[0] += ops[0].res[0] + ops[1].res[0];
	ret[1] += ops[0].res[1] + ops[1].res[1];
	for (unsigned i = 0; i < 2; i++)
		ret[2] = ops[i].res[2] > ret[2] ? ops[i].res[2] : ret[2];
	return ops[0].res[0] && ops[1].res[0];
}

/* On a busy host one may never get the lock: once more, while there is time. */
static int race(struct clocks *c, uint64_t ret[3])
{
	int r;

	ret[0] = ret[1] = ret[2] = 0;
	do {
		r = race_once(c, ret);
	} while (r == 0 && lab_left(c->lab) > 4 * RACE_MS);
	if (r == 0)
		say(c->out, GCPU_ALIVE_INCONCLUSIVE, "the vCPUs did not read the clock in turn");
	return r > 0 ? 0 : -1;
}

/* Make KVM write the page anew: 1 it did, 0 not, negative: it went wrong. */
static int renewed(struct clocks *c)
{
	struct pvclock *page = lab_memory(c->lab, 0, &(uint64_t){ 0 });
	struct guest_op op = OP_SPIN(c->lab->khz);
	struct gk_clock_data now = { 0 };
	int r = lab_vm_ioctl(c->lab, GK_GET_CLOCK, &now);

	now.flags = 0;
	memset(page, 0, sizeof(*page));
	if (r >= 0)
		r = lab_vm_ioctl(c->lab, GK_SET_CLOCK, &now);
	if (r < 0)
		return -say(c->out, GCPU_ALIVE_INCONCLUSIVE, "KVM_GET_CLOCK, KVM_SET_CLOCK: %s", strerror(-r));
	return lab_run(c->lab, 0, &op, 1) ? -1 : page->version != 0;
}

/* Turned off, the page is KVM's no longer; before, it is. */
static int disable(struct clocks *c)
{
	struct guest_op off;
	uint64_t at;
	int r = renewed(c);

	lab_memory(c->lab, 0, &at);
	off = OP_WRMSR(c->time_msr, lab_wrong(c->lab, 0, at | ENABLE));
	if (r < 0)
		return -1;
	if (!r)
		return say(c->out, GCPU_ALIVE_INCONCLUSIVE, "KVM_SET_CLOCK does not make KVM write the page");
	if (lab_run(c->lab, 0, &off, 1))
		return -1;
	r = renewed(c);
	if (r > 0)
		say(c->out, GCPU_ALIVE_FAILS, "its control failed: turned off, and KVM writes the page on");
	return r;
}

static void use(struct lab *lab, struct outcome *out, unsigned field)
{
	struct clocks c = { lab, out, pv_msr(lab->alive, field, 0), pv_msr(lab->alive, field, 1) };
	const struct pvclock *page = lab_memory(lab, 0, &(uint64_t){ 0 });
	int64_t within = 0;
	uint64_t r[3];
	bool stable;

	if (enable(&c, 0) || enable(&c, 1) || agrees(&c, &within) || race(&c, r))
		return;
	stable = page->flags & PVCLOCK_STABLE;
	if (disable(&c))
		return;
	if (r[1] && stable)
		say(out, GCPU_ALIVE_FAILS, "flagged stable, and went back %llu times, up to %llu ns",
		    (unsigned long long)r[1], (unsigned long long)r[2]);
	else
		say(out, GCPU_ALIVE_WORKS, "within %lld us of the host's clock; stable flag %d, went back in %llu of %llu reads by two vCPUs",
		    (long long)within / 1000, stable, (unsigned long long)r[1], (unsigned long long)r[0]);
}

static void use1(struct lab *lab, struct outcome *out)
{
	use(lab, out, X86_F_KVMCLOCK1);
}

static void use2(struct lab *lab, struct outcome *out)
{
	use(lab, out, X86_F_KVMCLOCK2);
}

/* The flag is KVM's word that its own clock source is the TSC. */
static void use_stable(struct lab *lab, struct outcome *out)
{
	struct clocks c = { lab, out, pv_msr(lab->alive, X86_F_KVMCLOCK2, 0), pv_msr(lab->alive, X86_F_KVMCLOCK2, 1) };
	const struct pvclock *page = lab_memory(lab, 0, &(uint64_t){ 0 });
	int tsc, stable;
	char source[32];
	struct moment m;

	tsc = host_clock_is_tsc(lab, source);
	if (enable(&c, 0) || enable(&c, 1) || ask(&c, &m))
		return;
	stable = page->flags & PVCLOCK_STABLE;
	if (lab_on_model(lab))
		say(out, GCPU_ALIVE_UNTESTABLE, "the flag is %d; the software KVM has no clock source to hold it to", stable);
	else if (tsc < 0)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "the flag is %d; the host's clock source is not known", stable);
	else if (stable == tsc)
		say(out, GCPU_ALIVE_WORKS, "the flag is %d, as the host's clock source %s has it", stable, source);
	else
		say(out, stable ? GCPU_ALIVE_FAILS : GCPU_ALIVE_INCONCLUSIVE,
		    "the flag is %d, and the host's clock source is %s", stable, source);
}

const struct exercise exercise_kvmclock1 = {
	.name = "kvmclock1", .kind = GCPU_EXERCISE_FEATURE, .field = X86_F_KVMCLOCK1, .use = use1,
};
const struct exercise exercise_kvmclock2 = {
	.name = "kvmclock2", .kind = GCPU_EXERCISE_FEATURE, .field = X86_F_KVMCLOCK2, .use = use2,
};
const struct exercise exercise_kvmclock_stable = {
	.name = "kvmclock-stable-bit", .kind = GCPU_EXERCISE_FEATURE, .field = X86_F_KVMCLOCK_STABLE_BIT,
	.use = use_stable,
	.never_refused = "nothing refuses it: KVM writes the flag whatever CPUID says",
};

/* SPDX-License-Identifier: MIT */
/* Steal time: how long the vCPU would have run and somebody else did. */
#include <stdio.h>

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

/* How long the vCPU's thread has waited for a CPU, by /proc's schedstat; -1: the host does not say. */
static int64_t waited(struct lab *lab)
{
	const struct gcpu_kvm *kvm = lab->alive->o->kvm;
	char path[64], text[128] = "";
	long long ran, delay;
	int n;

	snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", run_guest_thread(lab->guest, 0));
	n = kvm->ops->read_host_file(kvm->ctx, path, text, sizeof(text) - 1);
	return n > 0 && sscanf(text, "%lld %lld", &ran, &delay) == 2 ? delay : -1;
}

static int spin(struct lab *lab, const struct steal *s, unsigned ms, struct steal_spell *ret)
{
	struct guest_op op = OP_SPIN(lab->khz * ms);
	int64_t steal = (int64_t)s->steal, wait = waited(lab), start = host_ns(CLOCK_MONOTONIC);

	if (lab_run(lab, 0, &op, 1))
		return -1;
	ret->took = host_ns(CLOCK_MONOTONIC) - start;
	ret->stolen = (int64_t)s->steal - steal;
	ret->waited = wait < 0 ? -1 : waited(lab) - wait;
	return 0;
}

/* Alone, with competitors, and with competitors but turned off. How many of these there were, or -1. */
static int three_times(struct lab *lab, const struct steal *s, int cpu, struct steal_spell ret[3])
{
	struct guest_op off = OP_WRMSR(pv_msr(lab->alive, X86_F_KVM_STEAL_TIME, 0), 0);
	struct competitor *others[COMPETITORS];
	uint64_t at;
	int r, n = 0;

	run_guest_pin(lab->guest, 0, cpu);
	if (spin(lab, s, ALONE_MS, &ret[0]))
		return -1;
	for (int i = 0; i < COMPETITORS; i++) {
		others[i] = competitor_start(cpu);
		n += others[i] != NULL;
	}
	r = spin(lab, s, TOGETHER_MS, &ret[1]);
	lab_memory(lab, 0, &at);
	off.arg[1] = lab_wrong(lab, 0, at | ENABLE);
	if (!r)
		r = lab_run(lab, 0, &off, 1);
	if (!r)
		r = spin(lab, s, OFF_MS, &ret[2]);
	for (int i = 0; i < COMPETITORS; i++)
		competitor_stop(others[i]);
	return r ? -1 : n;
}

void steal_time_judge(struct outcome *out, const struct steal_spell s[3], int competitors, bool impossible)
{
	int64_t stolen = s[1].stolen, wait = s[1].waited, off = stolen > wait ? stolen - wait : wait - stolen;
	bool more = stolen / TOGETHER_MS > s[0].stolen / ALONE_MS + s[0].stolen / ALONE_MS / 5;
	enum gcpu_alive alive = GCPU_ALIVE_WORKS;
	char host[60] = "";

	if (wait >= 0)
		snprintf(host, sizeof(host), ", %lld by the host's schedstat", (long long)wait / 1000000);
	if (impossible)
		alive = GCPU_ALIVE_FAILS;
	else if (stolen > s[1].took || stolen < SHARE_MS * 1000000LL || (wait >= 0 ? off > stolen / 5 + 30000000LL : !more))
		alive = GCPU_ALIVE_INCONCLUSIVE;
	say(out, alive, "%lld ms stolen of %lld with %d competitors%s; %lld of %lld without", (long long)stolen / 1000000,
	    (long long)s[1].took / 1000000, competitors, host, (long long)s[0].stolen / 1000000,
	    (long long)s[0].took / 1000000);
}

static void use(struct lab *lab, struct outcome *out)
{
	uint32_t msr = pv_msr(lab->alive, X86_F_KVM_STEAL_TIME, 0);
	struct steal_spell spells[3];
	uint64_t at;
	const struct steal *s = lab_memory(lab, 0, &at);
	struct guest_op ops[] = { OP_WRMSR(msr, at | RESERVED | ENABLE), OP_WRMSR(msr, at | ENABLE), OP_RDMSR(msr) };
	int64_t start = host_ns(CLOCK_MONOTONIC);
	uint64_t first;
	int cpus[2], n;

	lab_cpus(cpus);
	if (lab_run(lab, 0, ops, COUNT(ops)))
		return;
	if (!op_gp(&ops[0]) || !op_done(&ops[1]) || ops[2].res[0] != (at | ENABLE)) {
		say(out, GCPU_ALIVE_FAILS, "MSR 0x%x: a reserved bit %s, enabling %s", msr,
		    op_gp(&ops[0]) ? "is refused" : "is taken", op_done(&ops[1]) ? "is taken" : "is refused");
		return;
	}
	first = s->steal;
	n = three_times(lab, s, cpus[0], spells);
	if (n < 0)
		return;
	if (spells[2].stolen)
		say(out, GCPU_ALIVE_FAILS, "its control failed: turned off, and it goes on");
	else if (s->version & 1 || !s->version)
		say(out, GCPU_ALIVE_FAILS, "version %u is that of an unfinished write", s->version);
	else
		steal_time_judge(out, spells, n, (int64_t)(s->steal - first) > host_ns(CLOCK_MONOTONIC) - start);
}

const struct exercise exercise_steal_time = {
	.name = "kvm-steal-time", .kind = GCPU_EXERCISE_FEATURE, .field = X86_F_KVM_STEAL_TIME,
	.want = { .vcpus = 1 }, .use = use,
};

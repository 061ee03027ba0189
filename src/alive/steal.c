/* SPDX-License-Identifier: MIT */
#include "steal.h"

#include <stdio.h>

#include "ops.h"

#define SHARE_MS 100 /* of STEAL_TOGETHER_MS: far less than what is fair */

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

int steal_spin(struct lab *lab, const volatile uint64_t *stolen, unsigned ms, struct steal_spell *ret)
{
	struct guest_op op = OP_SPIN(lab->khz * ms);
	int64_t steal = (int64_t)*stolen, wait = waited(lab), start = host_ns(CLOCK_MONOTONIC);

	if (lab_run(lab, 0, &op, 1))
		return -1;
	ret->took = host_ns(CLOCK_MONOTONIC) - start;
	ret->stolen = (int64_t)*stolen - steal;
	ret->waited = wait < 0 ? -1 : waited(lab) - wait;
	return 0;
}

int steal_compete(int cpu, struct competitor *ret[STEAL_COMPETITORS])
{
	int n = 0;

	for (int i = 0; i < STEAL_COMPETITORS; i++) {
		ret[i] = competitor_start(cpu);
		n += ret[i] != NULL;
	}
	return n;
}

void steal_compete_end(struct competitor *others[STEAL_COMPETITORS])
{
	for (int i = 0; i < STEAL_COMPETITORS; i++)
		competitor_stop(others[i]);
}

void steal_time_judge(struct outcome *out, const struct steal_spell s[2], int competitors, bool impossible)
{
	int64_t stolen = s[1].stolen, wait = s[1].waited, off = stolen > wait ? stolen - wait : wait - stolen;
	int64_t usual = s[0].stolen / STEAL_ALONE_MS;
	bool more = stolen / STEAL_TOGETHER_MS > usual + usual / 5;
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

void steal_time_model(struct outcome *out)
{
	say(out, GCPU_ALIVE_UNTESTABLE, "turned on and off as it should be; on the software KVM nobody waits for a CPU, and nothing is stolen");
}

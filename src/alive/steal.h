/* SPDX-License-Identifier: MIT */
/* Stolen time, whoever tells the guest of it: spells of spinning, and what may be told of them. */
#ifndef GCPU_ALIVE_STEAL_H
#define GCPU_ALIVE_STEAL_H

#include "lab.h"

#define STEAL_ALONE_MS 300
#define STEAL_TOGETHER_MS 1000
#define STEAL_COMPETITORS 3 /* enough to be noticed on a busy host */

/* Of a while of spinning, ns. */
struct steal_spell {
	int64_t stolen;
	int64_t waited; /* the host's own count of what KVM tells on, or -1 */
	int64_t took;
};

/* vCPU 0 spins that long; STOLEN is where KVM counts. Not 0: the outcome says why not. */
int steal_spin(struct lab *lab, const volatile uint64_t *stolen, unsigned ms, struct steal_spell *ret);

/* Somebody else on that CPU, STEAL_COMPETITORS of them: how many could be had. */
int steal_compete(int cpu, struct competitor *ret[STEAL_COMPETITORS]);
void steal_compete_end(struct competitor *others[STEAL_COMPETITORS]);

/*
 * Alone, and with competitors. What is told as stolen is what the host's scheduler counts; without
 * that count, more than without competitors. A spell may be told of what its thread waited before
 * it, when KVM comes to count that: more than it took is no proof. IMPOSSIBLE: more was told in
 * all than there was time.
 */
void steal_time_judge(struct outcome *out, const struct steal_spell s[2], int competitors, bool impossible);
/* On a software KVM there is nothing to be judged: the outcome says so. */
void steal_time_model(struct outcome *out);

#endif

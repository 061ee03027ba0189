/* SPDX-License-Identifier: MIT */
/* Two vCPUs with one physical APIC id, which a guest can make by writing its xAPIC id. */
#include <stdio.h>

#include "x86.h"

#define TIMES 5
#define ID 1
/* In the order in which they are created: id 2 before id 1, so that first and lowest differ. */
static const unsigned ids[] = { 0, 2, ID };
#define TAKER 1 /* who makes its id that of the other */
#define OWNER 2

/* Interrupts at the two that have id 1: the first created and the lower id. One at a time: two in a row may count as one. */
static int send(struct lab *lab, bool msi, int64_t ret[2])
{
	int64_t first[2] = { interrupts_now(lab, TAKER), interrupts_now(lab, OWNER) };

	for (unsigned i = 0; i < TIMES && first[0] >= 0 && first[1] >= 0; i++) {
		int r = msi ? msi_send(lab, ID, APIC_VECTOR) : ipi(lab, 0, false, ID, ICR_FIXED);

		if (msi && r < 0)
			return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "KVM_SIGNAL_MSI: %d", r);
		if (!msi && r)
			return -1;
		ret[0] = interrupts_now(lab, TAKER) - first[0];
		ret[1] = interrupts_now(lab, OWNER) - first[1];
		if (ret[0] < 0 || ret[1] < 0)
			return -1;
	}
	return first[0] < 0 || first[1] < 0 ? -1 : 0;
}

static void duplicate(struct lab *users, bool ids32)
{
	const struct apic_vm vm = { .ids = { ids[0], ids[1], ids[2] }, .n = COUNT(ids), .ids32 = ids32 };
	struct outcome *out = users->out;
	int64_t by_ipi[2], by_msi[2];
	struct guest_op ops[2];
	char who[160];
	bool known = true;
	struct lab lab;

	ops[0] = OP_APIC(APIC_ID, ID << 24);
	ops[1] = OP_APIC_READ(APIC_ID);
	if (apic_vm_open(users, &vm, &lab) || apic_on(&lab, 0) || apic_on(&lab, 1) ||
	    apic_on(&lab, 2) || lab_run(&lab, TAKER, ops, 2))
		goto out;
	if (ops[1].res[0] >> 24 != ID) {
		observe(out, "no-duplicate", "vCPU %u wrote %d as its xAPIC id and reads %llu", ids[TAKER], ID,
			(unsigned long long)ops[1].res[0] >> 24);
		goto out;
	}
	if (send(&lab, false, by_ipi) || send(&lab, true, by_msi))
		goto out;
	snprintf(who, sizeof(who), "%d IPIs: %lld to the first created, %lld to the lower id; %d MSIs: %lld and %lld",
		 TIMES, (long long)by_ipi[0], (long long)by_ipi[1], TIMES, (long long)by_msi[0],
		 (long long)by_msi[1]);
	for (unsigned i = 0; i < 2; i++)
		known &= by_ipi[i] == by_msi[i] && (by_ipi[i] == TIMES || by_ipi[i] == 0);
	if (!known || (!by_ipi[0] && !by_ipi[1]))
		say(out, GCPU_ALIVE_INCONCLUSIVE, "%s", who);
	else
		observe(out, !by_ipi[1] ? "first-created" : by_ipi[0] ? "all" : "lowest-id", "%s", who);
out:
	lab_close(&lab);
}

static void duplicate_8bit(struct lab *users, struct outcome *out)
{
	(void)out;
	duplicate(users, false);
}

static void duplicate_32bit(struct lab *users, struct outcome *out)
{
	(void)out;
	duplicate(users, true);
}

/*
 * One of two vCPUs makes its xAPIC id that of the other. Who gets what is sent to it, by IPI and by
 * MSI; without KVM_X2APIC_API_USE_32BIT_IDS, and with it. Words:
 *
 *   all            both, as the architecture has it. Without the flag: Linux since 6.3, which gives
 *                  the map of ids up where it is ambiguous, and asks every vCPU.
 *   first-created  one alone, whose KVM_CREATE_VCPU was first: the map has one vCPU for an id. With
 *                  the flag every kernel; without, before 6.3. KVM's errata.rst says the lowest id.
 *   lowest-id      what errata.rst says. Seen on none.
 *   no-duplicate   the id cannot be written. Seen on none.
 */
const struct exercise exercise_duplicate_id = {
	.name = "duplicate-id",
	.kind = GCPU_EXERCISE_BEHAVIOUR,
	.want = { .vcpus = 1, .no_guest = true },
	.use = duplicate_8bit,
};
const struct exercise exercise_duplicate_id_32bit = {
	.name = "duplicate-id-32bit",
	.kind = GCPU_EXERCISE_BEHAVIOUR,
	.want = { .vcpus = 1, .no_guest = true },
	.use = duplicate_32bit,
};

/* SPDX-License-Identifier: MIT */
/* Two vCPUs with one physical APIC id, which a guest can make by writing its xAPIC id. */
#include "x86.h"
#include <stdio.h>


#define TIMES 5
#define ID 1

/* Interrupts at vCPUs 1 and 2, which have id 1. One at a time: two in a row may count as one. */
static int send(struct lab *lab, bool msi, int64_t ret[2])
{
	int64_t first[2] = { interrupts_now(lab, 1), interrupts_now(lab, 2) };

	for (unsigned i = 0; i < TIMES && first[0] >= 0 && first[1] >= 0; i++) {
		int r = msi ? msi_send(lab, ID, APIC_VECTOR) : ipi(lab, 0, false, ID, ICR_FIXED);

		if (msi && r < 0)
			return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "KVM_SIGNAL_MSI: %d", r);
		if (!msi && r)
			return -1;
		ret[0] = interrupts_now(lab, 1) - first[0];
		ret[1] = interrupts_now(lab, 2) - first[1];
		if (ret[0] < 0 || ret[1] < 0)
			return -1;
	}
	return first[0] < 0 || first[1] < 0 ? -1 : 0;
}

static void duplicate(struct lab *users, bool ids32)
{
	const struct apic_vm vm = { .ids = { 0, ID, 2 }, .n = 3, .ids32 = ids32 };
	struct outcome *out = users->out;
	int64_t by_ipi[2], by_msi[2];
	struct guest_op ops[2];
	char who[160];
	struct lab lab;

	ops[0] = OP_APIC(APIC_ID, ID << 24);
	ops[1] = OP_APIC_READ(APIC_ID);
	if (apic_vm_open(users, &vm, &lab) || apic_on(&lab, 0) || apic_on(&lab, 1) ||
	    apic_on(&lab, 2) || lab_run(&lab, 2, ops, 2))
		goto out;
	if (ops[1].res[0] >> 24 != ID) {
		observe(out, "no-duplicate", "vCPU 2 wrote %d as its xAPIC id and reads %llu", ID,
			(unsigned long long)ops[1].res[0] >> 24);
		goto out;
	}
	if (send(&lab, false, by_ipi) || send(&lab, true, by_msi))
		goto out;
	snprintf(who, sizeof(who),
		 "of %d IPIs vCPU 1 got %lld, vCPU 2 %lld; of %d MSIs %lld and %lld", TIMES,
		 (long long)by_ipi[0], (long long)by_ipi[1], TIMES, (long long)by_msi[0],
		 (long long)by_msi[1]);
	if (by_ipi[0] == TIMES && by_msi[0] == TIMES && by_ipi[1] == by_msi[1] &&
	    (by_ipi[1] == TIMES || by_ipi[1] == 0))
		observe(out, by_ipi[1] ? "all" : "lowest-only", "%s", who);
	else
		say(out, GCPU_ALIVE_INCONCLUSIVE, "%s", who);
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
 * vCPU 2 makes its xAPIC id 1, which vCPU 1 has. Who gets what is sent to id 1, by IPI and by MSI;
 * without KVM_X2APIC_API_USE_32BIT_IDS, and with it. KVM's errata.rst, "x2APIC". Words:
 *
 *   all           both, as the architecture has it. Without the flag: Linux 6.12 and later, which
 *                 give the map of ids up where it is ambiguous, and ask every vCPU.
 *   lowest-only   vCPU 1 alone: the map has one vCPU for an id, the first. With the flag: Linux 6.1
 *                 and later. Without: 6.1.
 *   no-duplicate  the id cannot be written. Seen on none.
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

/* SPDX-License-Identifier: MIT */
/* The guest's PMU: cycles are counted while it is turned on, and not otherwise. */
#include "arm64.h"

#include "facts_gen.h"

#define REG_PMCR_EL0 SYSREG(3, 3, 9, 12, 0)
#define REG_PMCNTENSET_EL0 SYSREG(3, 3, 9, 12, 1)
#define REG_PMCCNTR_EL0 SYSREG(3, 3, 9, 13, 0)
#define REG_PMCCFILTR_EL0 SYSREG(3, 3, 14, 15, 7)
#define PMCR_ENABLE 1ULL
#define PMCR_LONG (1ULL << 6) /* the cycle counter has 64 bits */
#define CYCLES (1ULL << 31)
#define SPIN_MS 50

static void use(struct lab *lab, struct outcome *out)
{
	enum { PMCR = 3, ON, ON_LATER = 6, OFF = 8, OFF_LATER = 10 };
	struct guest_op ops[] = {
		OP_MSR(REG_PMCCFILTR_EL0, 0),
		OP_MSR(REG_PMCNTENSET_EL0, CYCLES),
		OP_MSR(REG_PMCR_EL0, PMCR_ENABLE | PMCR_LONG),
		[PMCR] = OP_MRS(REG_PMCR_EL0),
		[ON] = OP_MRS(REG_PMCCNTR_EL0),
		OP_SPIN(lab->khz * SPIN_MS),
		[ON_LATER] = OP_MRS(REG_PMCCNTR_EL0),
		OP_MSR(REG_PMCR_EL0, lab_wrong(lab, PMCR_LONG, PMCR_LONG | PMCR_ENABLE)),
		[OFF] = OP_MRS(REG_PMCCNTR_EL0),
		OP_SPIN(lab->khz * SPIN_MS),
		[OFF_LATER] = OP_MRS(REG_PMCCNTR_EL0),
	};
	uint64_t counted;
	char text[32];

	if (lab_run(lab, 0, ops, COUNT(ops)))
		return;
	for (unsigned i = 0; i < COUNT(ops); i++)
		if (!op_done(&ops[i])) {
			say(out, GCPU_ALIVE_FAILS, "access number %u to its registers: %s", i + 1, op_text(&ops[i], text));
			return;
		}
	counted = ops[ON_LATER].res[0] - ops[ON].res[0];
	if (!(ops[PMCR].res[0] & PMCR_ENABLE))
		say(out, GCPU_ALIVE_FAILS, "PMCR_EL0 does not keep that it is on: 0x%llx", (unsigned long long)ops[PMCR].res[0]);
	else if (!counted)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "no cycle in %u ms", SPIN_MS);
	else if (ops[OFF_LATER].res[0] != ops[OFF].res[0])
		say(out, GCPU_ALIVE_FAILS, "its control failed: turned off it counts %llu cycles",
		    (unsigned long long)(ops[OFF_LATER].res[0] - ops[OFF].res[0]));
	else
		say(out, GCPU_ALIVE_WORKS, "%llu cycles in %u ms, none when turned off; PMCR_EL0 0x%llx",
		    (unsigned long long)counted, SPIN_MS, (unsigned long long)ops[PMCR].res[0]);
}

static void refused(struct lab *lab, struct outcome *out)
{
	struct guest_op ops[] = { OP_MRS(REG_PMCR_EL0), OP_MSR(REG_PMCNTENSET_EL0, CYCLES), OP_MRS(REG_PMCCNTR_EL0) };
	char text[32];

	if (lab_run(lab, 0, ops, COUNT(ops)))
		return;
	for (unsigned i = 0; i < COUNT(ops); i++)
		if (!op_undef(&ops[i])) {
			say(out, GCPU_ALIVE_LEAKS, "access number %u to its registers: %s", i + 1, op_text(&ops[i], text));
			return;
		}
	say(out, GCPU_ALIVE_REFUSED, "PMCR_EL0, PMCNTENSET_EL0 and PMCCNTR_EL0 are undefined");
}

const struct exercise exercise_pmu = {
	.name = "pmu", .kind = GCPU_EXERCISE_FEATURE, .field = ARM64_F_PMU, .want = { .vcpus = 1 }, .use = use,
	.refused = refused,
};

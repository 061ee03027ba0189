/* SPDX-License-Identifier: MIT */
/* SVE: the guest's longest vector is the longest that KVM was told, by an instruction that says how long it is. */
#include "arm64.h"

#include "facts_gen.h"
#include "kvm/abi_arm64.h"

#define INSN_RDVL 0x04bf5020U /* rdvl x0, #1 */
#define CPACR_ALL (3ULL << 20 | 3ULL << 16) /* FP and SVE do not trap to EL1 */
#define ZCR_LONGEST 0xfULL
#define QUADWORD 16

/* Of the set of lengths as KVM has it. 0 or -errno. */
static int longest(const struct lab *lab, uint64_t *ret_bytes)
{
	uint64_t set[GK_ARM64_SVE_VLS_WORDS] = { 0 };
	int r = get_reg(lab, 0, GK_REG_ARM64_SVE_VLS, set);

	*ret_bytes = 0;
	for (unsigned q = 0; q < 64; q++)
		if (set[0] >> q & 1)
			*ret_bytes = (q + 1) * QUADWORD;
	return r;
}

static void use(struct lab *lab, struct outcome *out)
{
	struct guest_op ops[] = {
		OP_MSR(REG_CPACR_EL1, CPACR_ALL),
		OP_MSR(REG_ZCR_EL1, ZCR_LONGEST),
		OP_INSN(INSN_RDVL),
		OP_MSR(REG_ZCR_EL1, lab_wrong(lab, 0, ZCR_LONGEST)),
		OP_INSN(INSN_RDVL),
	};
	uint64_t planned;
	char text[32];
	int r = longest(lab, &planned);

	if (r < 0) {
		say(out, GCPU_ALIVE_INCONCLUSIVE, "KVM_REG_ARM64_SVE_VLS: %s", answer(r));
		return;
	}
	if (lab_run(lab, 0, ops, COUNT(ops)))
		return;
	if (!op_done(&ops[2]) || ops[2].res[0] != planned)
		say(out, GCPU_ALIVE_FAILS, "RDVL: %s, planned are %llu bytes", op_text(&ops[2], text),
		    (unsigned long long)planned);
	else if (planned > QUADWORD && ops[4].res[0] != QUADWORD)
		say(out, GCPU_ALIVE_FAILS, "its control failed: with ZCR_EL1 0 RDVL gives %s", op_text(&ops[4], text));
	else if (planned == QUADWORD && ops[4].res[0] != QUADWORD)
		say(out, GCPU_ALIVE_FAILS, "with ZCR_EL1 0 RDVL gives %s", op_text(&ops[4], text));
	else
		say(out, GCPU_ALIVE_WORKS, "RDVL gives %llu bytes as planned, 16 with ZCR_EL1 0", (unsigned long long)planned);
}

/* With what may be turned on turned on: else it is the guest's own trap. */
static void refused(struct lab *lab, struct outcome *out)
{
	struct guest_op ops[] = { OP_MSR(REG_CPACR_EL1, CPACR_ALL), OP_INSN(INSN_RDVL), OP_MRS(REG_ZCR_EL1) };
	char text[32];

	if (lab_run(lab, 0, ops, COUNT(ops)))
		return;
	if (op_undef(&ops[1]) && op_undef(&ops[2]))
		say(out, GCPU_ALIVE_REFUSED, "RDVL and ZCR_EL1 are undefined, with CPACR_EL1 open");
	else
		say(out, GCPU_ALIVE_LEAKS, "%s: %s", op_undef(&ops[1]) ? "ZCR_EL1" : "RDVL",
		    op_text(op_undef(&ops[1]) ? &ops[2] : &ops[1], text));
}

const struct exercise exercise_sve = {
	.name = "sve", .kind = GCPU_EXERCISE_FEATURE, .field = ARM64_F_SVE, .want = { .vcpus = 1 }, .use = use,
	.refused = refused,
};

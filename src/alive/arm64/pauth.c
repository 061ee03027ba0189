/* SPDX-License-Identifier: MIT */
/* Pointer authentication, of addresses and of data: the instructions, with keys of the guest's own. */
#include "arm64.h"

#include "facts_gen.h"

#define REG_APIAKEYLO_EL1 SYSREG(3, 0, 2, 1, 0)
#define REG_APIAKEYHI_EL1 SYSREG(3, 0, 2, 1, 1)
#define REG_APGAKEYLO_EL1 SYSREG(3, 0, 2, 3, 0)
#define REG_APGAKEYHI_EL1 SYSREG(3, 0, 2, 3, 1)
#define SCTLR_ENIA (1ULL << 31)
#define INSN_PACIA 0xdac10020U /* pacia x0, x1 */
#define INSN_AUTIA 0xdac11020U /* autia x0, x1 */
#define INSN_PACGA 0x9ac13000U /* pacga x0, x0, x1 */

#define KEY_LOW 0x0123456789abcdefULL
#define KEY_HIGH 0xfedcba9876543210ULL
#define ADDRESS 0x12345678ULL /* below 2^39, as addresses of this guest are */
#define ONE 0x1111ULL
#define OTHER 0x2222ULL

/* Turn it on, for it is off at reset and its instructions do nothing then. Not 0: the outcome says why not. */
static int turn_on(struct lab *lab, unsigned key_low, unsigned key_high, struct guest_op keys[static 3])
{
	struct guest_op op = OP_MRS(REG_SCTLR_EL1);

	if (lab_run(lab, 0, &op, 1))
		return -1;
	keys[0] = OP_MSR(key_low, KEY_LOW);
	keys[1] = OP_MSR(key_high, KEY_HIGH);
	keys[2] = OP_MSR(REG_SCTLR_EL1, op.res[0] | SCTLR_ENIA);
	return lab_run(lab, 0, keys, 3);
}

static void use_address(struct lab *lab, struct outcome *out)
{
	struct guest_op keys[3], sign[] = { OP_INSN(INSN_PACIA, ADDRESS, ONE), OP_INSN(INSN_PACIA, ADDRESS, OTHER) };
	struct guest_op check[2];
	char text[32];

	if (turn_on(lab, REG_APIAKEYLO_EL1, REG_APIAKEYHI_EL1, keys) || lab_run(lab, 0, sign, COUNT(sign)))
		return;
	if (!op_done(&keys[0]) || !op_done(&keys[1]) || !op_done(&sign[0])) {
		say(out, GCPU_ALIVE_FAILS, "%s: %s", op_done(&keys[0]) ? "PACIA" : "its keys",
		    op_text(op_done(&keys[0]) ? &sign[0] : &keys[0], text));
		return;
	}
	check[0] = OP_INSN(INSN_AUTIA, sign[0].res[0], ONE);
	check[1] = OP_INSN(INSN_AUTIA, sign[0].res[0], lab_wrong(lab, OTHER, ONE));
	if (lab_run(lab, 0, check, COUNT(check)))
		return;
	if (sign[0].res[0] == ADDRESS || sign[0].res[0] == sign[1].res[0])
		say(out, GCPU_ALIVE_FAILS, "PACIA gives 0x%llx, and 0x%llx for another modifier",
		    (unsigned long long)sign[0].res[0], (unsigned long long)sign[1].res[0]);
	else if (!op_done(&check[0]) || check[0].res[0] != ADDRESS)
		say(out, GCPU_ALIVE_FAILS, "AUTIA of what PACIA made: %s", op_text(&check[0], text));
	else if (op_done(&check[1]) && check[1].res[0] == ADDRESS)
		say(out, GCPU_ALIVE_FAILS, "its control failed: AUTIA accepts it with another modifier");
	else
		say(out, GCPU_ALIVE_WORKS, "0x%llx is signed as 0x%llx and authenticated; with another modifier: %s", ADDRESS,
		    (unsigned long long)sign[0].res[0], op_text(&check[1], text));
}

static void refused_address(struct lab *lab, struct outcome *out)
{
	struct guest_op keys[3], op = OP_INSN(INSN_PACIA, ADDRESS, ONE);
	char text[32];

	if (turn_on(lab, REG_APIAKEYLO_EL1, REG_APIAKEYHI_EL1, keys) || lab_run(lab, 0, &op, 1))
		return;
	if (op_undef(&keys[0]) && op_undef(&op))
		say(out, GCPU_ALIVE_REFUSED, "PACIA and its keys are undefined, with SCTLR_EL1.EnIA set");
	else
		say(out, GCPU_ALIVE_LEAKS, "%s: %s", op_undef(&op) ? "APIAKeyLo_EL1" : "PACIA",
		    op_text(op_undef(&op) ? &keys[0] : &op, text));
}

const struct exercise exercise_pauth_address = {
	.name = "pauth-address", .kind = GCPU_EXERCISE_FEATURE, .field = ARM64_F_PAUTH_ADDRESS, .want = { .vcpus = 1 },
	.use = use_address, .refused = refused_address,
};

static void use_generic(struct lab *lab, struct outcome *out)
{
	struct guest_op keys[3], sign[] = {
		OP_INSN(INSN_PACGA, ADDRESS, ONE),
		OP_INSN(INSN_PACGA, ADDRESS, ONE),
		OP_INSN(INSN_PACGA, ADDRESS, lab_wrong(lab, OTHER, ONE)),
	};
	char text[32];

	if (turn_on(lab, REG_APGAKEYLO_EL1, REG_APGAKEYHI_EL1, keys) || lab_run(lab, 0, sign, COUNT(sign)))
		return;
	if (!op_done(&keys[0]) || !op_done(&sign[0]))
		say(out, GCPU_ALIVE_FAILS, "%s: %s", op_done(&keys[0]) ? "PACGA" : "its keys",
		    op_text(op_done(&keys[0]) ? &sign[0] : &keys[0], text));
	else if (!(sign[0].res[0] >> 32) || (uint32_t)sign[0].res[0] || sign[0].res[0] != sign[1].res[0])
		say(out, GCPU_ALIVE_FAILS, "PACGA gives 0x%llx, and then 0x%llx", (unsigned long long)sign[0].res[0],
		    (unsigned long long)sign[1].res[0]);
	else if (sign[2].res[0] == sign[0].res[0])
		say(out, GCPU_ALIVE_FAILS, "its control failed: another modifier gives the same code");
	else
		say(out, GCPU_ALIVE_WORKS, "PACGA gives the code 0x%llx twice, and 0x%llx for another modifier",
		    (unsigned long long)sign[0].res[0] >> 32, (unsigned long long)sign[2].res[0] >> 32);
}

static void refused_generic(struct lab *lab, struct outcome *out)
{
	struct guest_op keys[3], op = OP_INSN(INSN_PACGA, ADDRESS, ONE);
	char text[32];

	if (turn_on(lab, REG_APGAKEYLO_EL1, REG_APGAKEYHI_EL1, keys) || lab_run(lab, 0, &op, 1))
		return;
	if (op_undef(&keys[0]) && op_undef(&op))
		say(out, GCPU_ALIVE_REFUSED, "PACGA and its keys are undefined");
	else
		say(out, GCPU_ALIVE_LEAKS, "%s: %s", op_undef(&op) ? "APGAKeyLo_EL1" : "PACGA",
		    op_text(op_undef(&op) ? &keys[0] : &op, text));
}

const struct exercise exercise_pauth_generic = {
	.name = "pauth-generic", .kind = GCPU_EXERCISE_FEATURE, .field = ARM64_F_PAUTH_GENERIC, .want = { .vcpus = 1 },
	.use = use_generic, .refused = refused_generic,
};

/* SPDX-License-Identifier: MIT */
/* Random numbers of the host by SMCCC, Arm DEN0098. Bits come in X1 to X3, the lowest in X3. */
#include "arm64.h"

#include "facts_gen.h"

#define VERSION_1_0 0x10000
#define MOST_32 96
#define MOST_64 192

/* What is wrong with it, or NULL. */
static const char *wrong_with(const struct guest_op *ops)
{
	enum { VERSION, HAS_RND, HAS_RND64, HAS_NOT, ONE, OTHER, SHORT, NARROW };
	const uint64_t *one = ops[ONE].res, *other = ops[OTHER].res, *brief = ops[SHORT].res, *narrow = ops[NARROW].res;

	if (smccc_said(&ops[VERSION]) < VERSION_1_0)
		return "its version is below 1.0";
	if (smccc_said(&ops[HAS_RND]) < 0 || smccc_said(&ops[HAS_RND64]) < 0)
		return "it does not tell of its own calls";
	if (smccc_said(&ops[HAS_NOT]) != SMCCC_NOT_SUPPORTED)
		return "it tells of a call of another's";
	if (one[0] || other[0] || brief[0] || (uint32_t)narrow[0])
		return "it has no number";
	/* Of 192 bits of chance they are the same once in the life of many universes. */
	if (one[1] == other[1] && one[2] == other[2] && one[3] == other[3])
		return "two numbers are the same";
	if ((!one[1] && !other[1]) || (!one[2] && !other[2]) || (!one[3] && !other[3]))
		return "a register stays 0";
	if (brief[1] || brief[2] > 1)
		return "65 bits are more than that";
	if (narrow[1] >> 32 || narrow[2] >> 32 || narrow[3] >> 32)
		return "the 32-bit call gives more than 32 bits in a register";
	return NULL;
}

static void use(struct lab *lab, struct outcome *out)
{
	struct guest_op ops[] = {
		op_call(lab, ARM64_CALL_TRNG_VERSION),
		op_call(lab, ARM64_CALL_TRNG_FEATURES, hypercall_number(lab->alive, ARM64_CALL_TRNG_RND)),
		op_call(lab, ARM64_CALL_TRNG_FEATURES, hypercall_number(lab->alive, ARM64_CALL_TRNG_RND_64)),
		op_call(lab, ARM64_CALL_TRNG_FEATURES, hypercall_number(lab->alive, ARM64_CALL_PSCI_VERSION)),
		op_call(lab, ARM64_CALL_TRNG_RND_64, MOST_64),
		op_call(lab, ARM64_CALL_TRNG_RND_64, MOST_64),
		op_call(lab, ARM64_CALL_TRNG_RND_64, 65),
		op_call(lab, ARM64_CALL_TRNG_RND, MOST_32),
		op_call(lab, ARM64_CALL_TRNG_RND_64, lab_wrong(lab, MOST_64 + 1, MOST_64)),
	};
	const char *why;

	if (lab_run(lab, 0, ops, COUNT(ops)))
		return;
	why = wrong_with(ops);
	if (why)
		say(out, GCPU_ALIVE_FAILS, "%s", why);
	else if (smccc_said(&ops[COUNT(ops) - 1]) != TRNG_INVALID)
		say(out, GCPU_ALIVE_FAILS, "its control failed: more bits than there may be give %d",
		    smccc_said(&ops[COUNT(ops) - 1]));
	else
		say(out, GCPU_ALIVE_WORKS, "version %u.%u, two numbers of 192 bits that differ, one of 65, one of 96; "
		    "193 bits give -2 (INVALID_PARAMETERS)", smccc_said(&ops[0]) >> 16, smccc_said(&ops[0]) & 0xffff);
}

const struct exercise exercise_trng = {
	.name = "trng", .kind = GCPU_EXERCISE_FEATURE, .field = ARM64_F_TRNG, .want = { .vcpus = 1 }, .use = use,
};

/* No bits at all, which is no number of bits by the specification: "answered" (all kernels), "refused". */
static void no_bits(struct lab *lab, struct outcome *out)
{
	struct guest_op op = op_call(lab, ARM64_CALL_TRNG_RND_64, 0);

	if (lab_run(lab, 0, &op, 1))
		return;
	if (smccc_said(&op) == SMCCC_NOT_SUPPORTED)
		say(out, GCPU_ALIVE_UNTESTABLE, "this KVM has no random numbers");
	else
		observe(out, smccc_said(&op) == SMCCC_SUCCESS ? "answered" : "refused", "0 bits give %d, and 0x%llx",
			smccc_said(&op), (unsigned long long)(op.res[1] | op.res[2] | op.res[3]));
}

const struct exercise exercise_trng_no_bits = {
	.name = "trng-no-bits", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN, .vcpus = 1 }, .use = no_bits,
};

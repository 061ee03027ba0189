/* SPDX-License-Identifier: MIT */
/*
 * Workarounds for speculation that the firmware may have: what SMCCC tells the
 * guest, and what KVM's registers tell a VMM. The registers are for migration:
 * writing less is taken and changes nothing for the guest. fw-pseudo-registers.rst.
 */
#include "arm64.h"

#include "facts_gen.h"
#include "kvm/abi_arm64.h"

#define LEVELS 4
#define LEVEL_MASK 0xf

struct workaround {
	unsigned call;
	uint64_t reg;
	const char *reg_name;
	int says[LEVELS]; /* what the guest is told, by the register's value */
};

/* 1 is "not required" as the architecture's own call has it for the first and the third. */
static const struct workaround spectre_v2 = {
	ARM64_CALL_SMCCC_WORKAROUND_1, GK_REG_ARM_SMCCC_ARCH_WORKAROUND_1, "KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_1",
	{ SMCCC_NOT_SUPPORTED, SMCCC_SUCCESS, 1, SMCCC_NOT_SUPPORTED },
};
static const struct workaround store_bypass = {
	ARM64_CALL_SMCCC_WORKAROUND_2, GK_REG_ARM_SMCCC_ARCH_WORKAROUND_2, "KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2",
	{ SMCCC_NOT_SUPPORTED, SMCCC_NOT_SUPPORTED, SMCCC_SUCCESS, SMCCC_NOT_REQUIRED },
};
static const struct workaround branch_history = {
	ARM64_CALL_SMCCC_WORKAROUND_3, GK_REG_ARM_SMCCC_ARCH_WORKAROUND_3, "KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_3",
	{ SMCCC_NOT_SUPPORTED, SMCCC_SUCCESS, 1, SMCCC_NOT_SUPPORTED },
};

/* Of the call that the guest asks about: KVM's level, and what it is told. Not 0: the outcome is said. */
static int told(struct lab *lab, const struct workaround *w, uint32_t about, uint64_t *ret_level, int *ret_said)
{
	struct guest_op op = op_call(lab, ARM64_CALL_SMCCC_ARCH_FEATURES, about);
	int r = get_reg(lab, 0, w->reg, ret_level);

	if (r < 0)
		return say(lab->out, GCPU_ALIVE_UNTESTABLE, "%s: %s", w->reg_name, answer(r));
	if (lab_run(lab, 0, &op, 1))
		return -1;
	*ret_said = smccc_said(&op);
	return 0;
}

static void use(struct lab *lab, const struct workaround *w, struct outcome *out)
{
	uint32_t call = hypercall_number(lab->alive, w->call);
	/* nobody's: none of the architecture's calls has such a number */
	uint32_t nobody = call ^ 0x5a0;
	uint64_t level;
	int said, wrong;

	if (told(lab, w, call, &level, &said) || told(lab, w, lab_wrong(lab, nobody, call), &level, &wrong))
		return;
	if ((level & LEVEL_MASK) >= LEVELS || said != w->says[level & LEVEL_MASK])
		say(out, GCPU_ALIVE_FAILS, "the register has 0x%llx, the guest is told %d", (unsigned long long)level, said);
	else if (said == SMCCC_NOT_SUPPORTED)
		say(out, GCPU_ALIVE_UNTESTABLE, "the register has %llu: this host has none, and the guest is told so",
		    (unsigned long long)level);
	else if (wrong != SMCCC_NOT_SUPPORTED)
		say(out, GCPU_ALIVE_FAILS, "its control failed: of a call that there is not the guest is told %d", wrong);
	else
		say(out, GCPU_ALIVE_WORKS, "the register has %llu, the guest is told %d; of a call that there is not -1",
		    (unsigned long long)level, said);
}

static void use_1(struct lab *lab, struct outcome *out)
{
	use(lab, &spectre_v2, out);
}

static void use_2(struct lab *lab, struct outcome *out)
{
	use(lab, &store_bypass, out);
}

static void use_3(struct lab *lab, struct outcome *out)
{
	use(lab, &branch_history, out);
}

const struct exercise exercise_workaround_1 = {
	.name = "workaround-1", .kind = GCPU_EXERCISE_INTERFACE, .want = { .vcpus = 1 }, .use = use_1,
};
const struct exercise exercise_workaround_2 = {
	.name = "workaround-2", .kind = GCPU_EXERCISE_INTERFACE, .want = { .vcpus = 1 }, .use = use_2,
};
const struct exercise exercise_workaround_3 = {
	.name = "workaround-3", .kind = GCPU_EXERCISE_INTERFACE, .want = { .vcpus = 1 }, .use = use_3,
};

/*
 * Less than KVM has, written before the first run: "without-effect", taken, and
 * the guest is told what it was (all kernels); "follows", it is told less; "refused".
 */
static void lowered(struct lab *lab, struct outcome *out)
{
	static const struct workaround *const all[] = { &spectre_v2, &branch_history, &store_bypass };
	const struct workaround *w = NULL;
	uint64_t level = 0;
	int r, said;

	for (unsigned i = 0; i < COUNT(all) && !level; i++) {
		w = all[i];
		get_reg(lab, 0, w->reg, &level);
	}
	if (!level) {
		say(out, GCPU_ALIVE_UNTESTABLE, "no workaround here that could be lowered");
		return;
	}
	r = set_reg(lab, 0, w->reg, 0);
	if (r < 0) {
		observe(out, "refused", "%s does not take 0: %s", w->reg_name, answer(r));
		return;
	}
	if (told(lab, w, hypercall_number(lab->alive, w->call), &(uint64_t){ 0 }, &said))
		return;
	observe(out, said == w->says[level & (LEVELS - 1)] ? "without-effect" : "follows",
		"%s takes 0 where it had %llu; the guest is told %d", w->reg_name, (unsigned long long)level, said);
}

const struct exercise exercise_workaround_lowered = {
	.name = "workaround-lowered", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN, .vcpus = 1 }, .use = lowered,
};

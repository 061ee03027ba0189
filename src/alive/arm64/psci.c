/* SPDX-License-Identifier: MIT */
/* PSCI, the power interface, of the version that a register of KVM's says. Arm DEN0022, fw-pseudo-registers.rst. */
#include "arm64.h"

#include "facts_gen.h"
#include "kvm/abi_arm64.h"

#define VERSION(major, minor) ((major) << 16 | (minor))
#define MAJOR(version) ((unsigned)(version) >> 16)
#define MINOR(version) ((unsigned)(version) & 0xffff)
#define OFF2_BY_GUEST 2 /* no type of off there is */

static void use_0_2(struct lab *lab, struct outcome *out)
{
	struct guest_op op = op_call(lab, ARM64_CALL_PSCI_VERSION);

	if (lab_run(lab, 0, &op, 1))
		return;
	if (smccc_said(&op) < VERSION(0, 2))
		say(out, GCPU_ALIVE_FAILS, "the version is 0x%x", (unsigned)smccc_said(&op));
	else
		say(out, GCPU_ALIVE_WORKS, "version %u.%u", MAJOR(smccc_said(&op)), MINOR(smccc_said(&op)));
}

static void refused_0_2(struct lab *lab, struct outcome *out)
{
	struct guest_op op = op_call(lab, ARM64_CALL_PSCI_VERSION);

	if (lab_run(lab, 0, &op, 1))
		return;
	if (smccc_said(&op) == SMCCC_NOT_SUPPORTED)
		say(out, GCPU_ALIVE_REFUSED, "PSCI_VERSION gives -1 (NOT_SUPPORTED), as version 0.1 has it");
	else
		say(out, GCPU_ALIVE_LEAKS, "PSCI_VERSION gives 0x%x", (unsigned)smccc_said(&op));
}

const struct exercise exercise_psci_0_2 = {
	.name = "psci-0.2", .kind = GCPU_EXERCISE_FEATURE, .field = ARM64_F_PSCI_0_2, .want = { .vcpus = 1 },
	.use = use_0_2, .refused = refused_0_2,
};

/* PSCI_VERSION, whether PSCI_FEATURES knows of SMCCC_VERSION, and that; with another version in the register or none. */
struct answers {
	int version, features, smccc;
};

static int ask(struct lab *lab, struct answers *ret)
{
	struct guest_op ops[] = {
		op_call(lab, ARM64_CALL_PSCI_VERSION),
		op_call(lab, ARM64_CALL_PSCI_FEATURES, hypercall_number(lab->alive, ARM64_CALL_SMCCC_VERSION)),
		op_call(lab, ARM64_CALL_SMCCC_VERSION),
	};

	if (lab_run(lab, 0, ops, COUNT(ops)))
		return -1;
	ret->version = smccc_said(&ops[0]);
	ret->features = smccc_said(&ops[1]);
	ret->smccc = smccc_said(&ops[2]);
	return 0;
}

static void use_version(struct lab *lab, struct outcome *out)
{
	struct answers planned, old;
	uint64_t version;
	int r = get_reg(lab, 0, GK_REG_ARM_PSCI_VERSION, &version);

	if (r < 0) {
		say(out, GCPU_ALIVE_INCONCLUSIVE, "KVM_REG_ARM_PSCI_VERSION: %s", answer(r));
		return;
	}
	if (version < VERSION(1, 0)) {
		say(out, GCPU_ALIVE_UNTESTABLE, "the plan has version 0x%llx, there is nothing below it to compare with",
		    (unsigned long long)version);
		return;
	}
	if (ask(lab, &planned))
		return;
	r = set_reg(lab, 0, GK_REG_ARM_PSCI_VERSION, lab_wrong(lab, VERSION(0, 2), version));
	if (r < 0) {
		say(out, GCPU_ALIVE_FAILS, "KVM_REG_ARM_PSCI_VERSION does not take 0.2: %s", answer(r));
		return;
	}
	if (ask(lab, &old))
		return;
	if ((uint64_t)planned.version != version || planned.features != SMCCC_SUCCESS || planned.smccc < VERSION(1, 1))
		say(out, GCPU_ALIVE_FAILS, "0x%llx is planned; PSCI_VERSION gives 0x%x, PSCI_FEATURES %d, SMCCC_VERSION 0x%x",
		    (unsigned long long)version, (unsigned)planned.version, planned.features, (unsigned)planned.smccc);
	else if (old.version != VERSION(0, 2) || old.features != SMCCC_NOT_SUPPORTED)
		say(out, GCPU_ALIVE_FAILS, "its control failed: with version 0.2 PSCI_VERSION gives 0x%x, PSCI_FEATURES %d",
		    (unsigned)old.version, old.features);
	else
		say(out, GCPU_ALIVE_WORKS,
		    "version %u.%u as planned, SMCCC %u.%u; set to 0.2, the guest is told that, and PSCI_FEATURES is gone",
		    MAJOR(planned.version), MINOR(planned.version), MAJOR(planned.smccc), MINOR(planned.smccc));
}

const struct exercise exercise_psci_version = {
	.name = "psci-version", .kind = GCPU_EXERCISE_INTERFACE, .want = { .vcpus = 1 }, .use = use_version,
};

/* PSCI 1.3: told of by PSCI_FEATURES, a type of off that there is not refused; below 1.3 the call is unknown. */
static void use_off2(struct lab *lab, struct outcome *out)
{
	struct guest_op ops[] = {
		op_call(lab, ARM64_CALL_PSCI_FEATURES, hypercall_number(lab->alive, ARM64_CALL_PSCI_SYSTEM_OFF2_64)),
		op_call(lab, ARM64_CALL_PSCI_SYSTEM_OFF2_64, OFF2_BY_GUEST),
	};
	int has, bad, r;

	r = set_reg(lab, 0, GK_REG_ARM_PSCI_VERSION, VERSION(1, 3));
	if (r < 0) {
		say(out, GCPU_ALIVE_UNTESTABLE, "KVM_REG_ARM_PSCI_VERSION does not take 1.3: %s", answer(r));
		return;
	}
	if (lab_run(lab, 0, ops, COUNT(ops)))
		return;
	has = smccc_said(&ops[0]);
	bad = smccc_said(&ops[1]);
	r = set_reg(lab, 0, GK_REG_ARM_PSCI_VERSION, lab_wrong(lab, VERSION(1, 1), VERSION(1, 3)));
	if (r < 0)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "KVM_REG_ARM_PSCI_VERSION does not take 1.1: %s", answer(r));
	if (r < 0 || lab_run(lab, 0, ops, COUNT(ops)))
		return;
	if (has < 0 || bad != PSCI_INVALID)
		say(out, GCPU_ALIVE_FAILS, "PSCI_FEATURES gives %d, a type that there is not %d", has, bad);
	else if (smccc_said(&ops[0]) != SMCCC_NOT_SUPPORTED || smccc_said(&ops[1]) != SMCCC_NOT_SUPPORTED)
		say(out, GCPU_ALIVE_FAILS, "its control failed: with version 1.1 PSCI_FEATURES gives %d, the call %d",
		    smccc_said(&ops[0]), smccc_said(&ops[1]));
	else
		say(out, GCPU_ALIVE_WORKS,
		    "PSCI_FEATURES tells of it (%d), a type that there is not gives -2; with version 1.1 both give -1", has);
}

const struct exercise exercise_psci_system_off2 = {
	.name = "psci-system-off2", .kind = GCPU_EXERCISE_INTERFACE, .want = { .vcpus = 1 }, .use = use_off2,
};

/* Version 0.2 after the VM has run: "accepted", and the guest is told it (all kernels); "refused"; "not-told". */
static void after_run(struct lab *lab, struct outcome *out)
{
	struct answers before, after;
	int r;

	if (ask(lab, &before))
		return;
	r = set_reg(lab, 0, GK_REG_ARM_PSCI_VERSION, VERSION(0, 2));
	if (ask(lab, &after))
		return;
	observe(out, r < 0 ? "refused" : after.version == VERSION(0, 2) ? "accepted" : "not-told",
		"0.2 %s after KVM_RUN; PSCI_VERSION 0x%x before, 0x%x after", answer(r), (unsigned)before.version,
		(unsigned)after.version);
}

const struct exercise exercise_psci_after_run = {
	.name = "psci-version-after-run", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN, .vcpus = 1 }, .use = after_run,
};

/* SPDX-License-Identifier: MIT */
/*
 * PV time: how long the vCPU would have run and somebody else did. KVM tells of
 * it only once the VMM has said where, by a device attribute of the vCPU: the
 * bit of the register alone brings nothing. Arm DEN0057, KVM's pvtime.rst.
 */
#include <errno.h>

#include "arm64.h"

#include "../steal.h"
#include "facts_gen.h"
#include "kvm/abi_arm64.h"

#define ALIGNED 64

struct stolen {
	uint32_t revision, attributes;
	uint64_t ns;
};

static int set_address(const struct lab *lab, uint64_t at)
{
	return set_attr(lab, run_machine_vcpu(lab->vm, 0), GK_ARM_VCPU_PVTIME_CTRL, GK_ARM_VCPU_PVTIME_IPA, &at);
}

/* Before the VMM has said where; for the control it says so first. Not 0: the outcome is said. */
static int too_early(struct lab *lab, uint64_t at, struct outcome *out)
{
	struct guest_op op = op_call(lab, ARM64_CALL_PV_TIME_ST);
	int r = lab_wrong(lab, 0, 1) ? set_address(lab, at) : 0;

	if (r < 0)
		return say(out, GCPU_ALIVE_INCONCLUSIVE, "KVM_ARM_VCPU_PVTIME_IPA: %s", answer(r));
	if (lab_run(lab, 0, &op, 1))
		return -1;
	if (smccc_said(&op) != SMCCC_NOT_SUPPORTED)
		return say(out, GCPU_ALIVE_FAILS, "its control failed: before KVM_ARM_VCPU_PVTIME_IPA the structure is at 0x%llx",
			   (unsigned long long)op.res[0]);
	r = set_address(lab, at);
	if (r < 0)
		return say(out, r == -ENXIO ? GCPU_ALIVE_UNTESTABLE : GCPU_ALIVE_FAILS, "KVM_ARM_VCPU_PVTIME_IPA: %s%s",
			   answer(r), r == -ENXIO ? ", the host's kernel has no count of stolen time" : "");
	return 0;
}

static int discover(struct lab *lab, uint64_t at, struct outcome *out)
{
	struct guest_op ops[] = {
		op_call(lab, ARM64_CALL_PV_TIME_FEATURES, hypercall_number(lab->alive, ARM64_CALL_PV_TIME_ST)),
		op_call(lab, ARM64_CALL_PV_TIME_FEATURES, hypercall_number(lab->alive, ARM64_CALL_TRNG_VERSION)),
		op_call(lab, ARM64_CALL_PV_TIME_ST),
	};

	if (lab_run(lab, 0, ops, COUNT(ops)))
		return -1;
	if (smccc_said(&ops[0]) != SMCCC_SUCCESS || smccc_said(&ops[1]) != SMCCC_NOT_SUPPORTED)
		return say(out, GCPU_ALIVE_FAILS, "its features: %d for its own call, %d for another's", smccc_said(&ops[0]),
			   smccc_said(&ops[1]));
	if (ops[2].res[0] != at)
		return say(out, GCPU_ALIVE_FAILS, "the structure is at 0x%llx, not at 0x%llx",
			   (unsigned long long)ops[2].res[0], (unsigned long long)at);
	return 0;
}

static void use(struct lab *lab, struct outcome *out)
{
	struct competitor *others[STEAL_COMPETITORS];
	int64_t start = host_ns(CLOCK_MONOTONIC);
	struct steal_spell spells[2];
	uint64_t at;
	const struct stolen *s = lab_memory(lab, 0, &at);
	int cpus[2], n, r;

	lab_cpus(cpus);
	run_guest_pin(lab->guest, 0, cpus[0]);
	if (too_early(lab, at, out) || discover(lab, at, out))
		return;
	if (s->revision || s->attributes) {
		say(out, GCPU_ALIVE_FAILS, "revision %u, attributes %u, both should be 0", s->revision, s->attributes);
		return;
	}
	if (steal_spin(lab, &s->ns, STEAL_ALONE_MS, &spells[0]))
		return;
	n = steal_compete(cpus[0], others);
	r = steal_spin(lab, &s->ns, STEAL_TOGETHER_MS, &spells[1]);
	steal_compete_end(others);
	if (!r && lab_on_model(lab))
		steal_time_model(out);
	else if (!r)
		steal_time_judge(out, spells, n, (int64_t)s->ns > host_ns(CLOCK_MONOTONIC) - start);
}

/* The VMM says where, all the same. */
static void refused(struct lab *lab, struct outcome *out)
{
	struct guest_op op = op_call(lab, ARM64_CALL_SMCCC_ARCH_FEATURES,
				     hypercall_number(lab->alive, ARM64_CALL_PV_TIME_FEATURES));
	uint64_t at;

	lab_memory(lab, 0, &at);
	set_address(lab, at);
	if (lab_run(lab, 0, &op, 1))
		return;
	if (smccc_said(&op) != SMCCC_NOT_SUPPORTED)
		say(out, GCPU_ALIVE_LEAKS, "the guest is told of it: %d", smccc_said(&op));
	else
		refused_by_facts(lab, ARM64_F_PV_TIME, out);
}

const struct exercise exercise_pv_time = {
	.name = "pv-time", .kind = GCPU_EXERCISE_FEATURE, .field = ARM64_F_PV_TIME, .want = { .vcpus = 1 }, .use = use,
	.refused = refused,
};

/*
 * Addresses that are none: not aligned, no memory there, and another than the
 * first. "checked": EINVAL, EINVAL and EEXIST, as the documents have it; else the
 * first that is another: "misaligned-taken", "no-memory-taken", "second-taken",
 * "another-errno"; "absent" where the host's kernel has no count of stolen time.
 */
static void attribute(struct lab *lab, struct outcome *out)
{
	uint64_t at;
	int skewed, nowhere, right, second;

	lab_memory(lab, 0, &at);
	skewed = set_address(lab, at + ALIGNED / 2);
	nowhere = set_address(lab, run_guest_base(lab->guest) / 2);
	right = set_address(lab, at);
	second = set_address(lab, at + ALIGNED);
	observe(out,
		right == -ENXIO ? "absent" : skewed >= 0 ? "misaligned-taken" : nowhere >= 0 ? "no-memory-taken" :
		second >= 0 ? "second-taken" :
		skewed == -EINVAL && nowhere == -EINVAL && right >= 0 && second == -EEXIST ? "checked" : "another-errno",
		"KVM_ARM_VCPU_PVTIME_IPA: not aligned %s, no memory %s, right %s, once more %s", answer(skewed),
		answer(nowhere), answer(right), answer(second));
}

const struct exercise exercise_pv_time_attribute = {
	.name = "pv-time-attribute", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN, .vcpus = 1 }, .use = attribute,
};

/* SPDX-License-Identifier: MIT */
/* KVM's own SMCCC calls: whose they are, which there are, and the one for clocks. hypercalls.rst, ptp_kvm.rst. */
#include <stdio.h>
#include <string.h>

#include "arm64.h"

#include "facts_gen.h"
#include "kvm/abi_arm64.h"

#define UUID "28b46fb6-2ec5-11e9-a9ca-4b564d003a74"
#define OWNER_BITS 0x03000000U /* of a function id: turns the vendor's calls into the standard ones */
#define SLACK_NS 100000000LL

/* Four bytes in each register, the first in the lowest. */
static void uuid_text(const struct guest_op *op, char text[static 37])
{
	char *t = text;

	for (unsigned i = 0; i < 16; i++)
		t += snprintf(t, 4, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
			      (unsigned)(op->res[i / 4] >> i % 4 * 8) & 0xff);
}

static void use_features(struct lab *lab, struct outcome *out)
{
	uint32_t uid = hypercall_number(lab->alive, ARM64_CALL_VENDOR_UID);
	struct guest_op ops[] = {
		op_call(lab, ARM64_CALL_VENDOR_UID),
		op_call(lab, ARM64_CALL_VENDOR_FEATURES),
		OP(GUEST_OP_SMCCC, lab_wrong(lab, uid ^ OWNER_BITS, uid)),
	};
	uint64_t low = 0, high = 0;
	char text[37];
	int r = get_reg(lab, 0, GK_REG_ARM_VENDOR_HYP_BMAP, &low);

	if (r < 0 || lab_run(lab, 0, ops, COUNT(ops))) {
		if (r < 0)
			say(out, GCPU_ALIVE_INCONCLUSIVE, "KVM_REG_ARM_VENDOR_HYP_BMAP: %s", answer(r));
		return;
	}
	get_reg(lab, 0, GK_REG_ARM_VENDOR_HYP_BMAP_2, &high); /* since 6.15; 0 is right before */
	uuid_text(&ops[0], text);
	if (strcmp(text, UUID) != 0)
		say(out, GCPU_ALIVE_FAILS, "the calls are those of %s", text);
	else if ((ops[1].res[0] | ops[1].res[1] << 32) != low || (ops[1].res[2] | ops[1].res[3] << 32) != high)
		say(out, GCPU_ALIVE_FAILS, "the guest is told of calls 0x%llx and 0x%llx, KVM has 0x%llx and 0x%llx",
		    (unsigned long long)(ops[1].res[0] | ops[1].res[1] << 32),
		    (unsigned long long)(ops[1].res[2] | ops[1].res[3] << 32), (unsigned long long)low,
		    (unsigned long long)high);
	else if (smccc_said(&ops[2]) != SMCCC_NOT_SUPPORTED)
		say(out, GCPU_ALIVE_FAILS, "its control failed: another owner's identity is told: 0x%llx",
		    (unsigned long long)ops[2].res[0]);
	else
		say(out, GCPU_ALIVE_WORKS, "%s; calls 0x%llx, as KVM's register has them", text, (unsigned long long)low);
}

const struct exercise exercise_vendor_features = {
	.name = "vendor-features", .kind = GCPU_EXERCISE_FEATURE, .field = ARM64_F_VENDOR_FEATURES,
	.want = { .vcpus = 1 }, .use = use_features,
};

/* The host's clock and one of the counters, by halves in X0 to X3. */
static const char *wrong_pair(const struct guest_op *op, uint64_t before, uint64_t after, const int64_t real[2])
{
	int64_t ns = (int64_t)(op->res[0] << 32 | (uint32_t)op->res[1]);
	uint64_t counter = op->res[2] << 32 | (uint32_t)op->res[3];

	if (ns < real[0] - SLACK_NS || ns > real[1] + SLACK_NS)
		return "the time is not the host's";
	if (counter < before || counter > after)
		return "the counter is not of the time between two readings of the guest";
	return NULL;
}

/* What the host calls its clock source; KVM tells no time of another. */
static void clock_source(const struct lab *lab, char name[static 32])
{
	const struct gcpu_kvm *kvm = lab->alive->o->kvm;
	int n = kvm->ops->read_host_file(kvm->ctx, "/sys/devices/system/clocksource/clocksource0/current_clocksource",
					 name, 31);

	name[n > 0 ? n : 0] = 0;
	name[strcspn(name, "\n")] = 0;
}

static void no_pair(struct lab *lab, struct outcome *out)
{
	char name[32];

	clock_source(lab, name);
	say(out, strcmp(name, "arch_sys_counter") == 0 ? GCPU_ALIVE_FAILS : GCPU_ALIVE_UNTESTABLE,
	    "the call gives -1 (NOT_SUPPORTED); the host's clock source is %s", name[0] ? name : "not known");
}

static void use_ptp(struct lab *lab, struct outcome *out)
{
	enum { VIRTUAL, PHYSICAL, NONE };
	struct guest_op first = OP_MRS(REG_CNTVCT_EL0), ops[] = {
		OP_MRS(REG_CNTVCT_EL0), op_call(lab, ARM64_CALL_VENDOR_PTP, VIRTUAL), OP_MRS(REG_CNTVCT_EL0),
		OP_MRS(REG_CNTPCT_EL0), op_call(lab, ARM64_CALL_VENDOR_PTP, PHYSICAL), OP_MRS(REG_CNTPCT_EL0),
		op_call(lab, ARM64_CALL_VENDOR_PTP, lab_wrong(lab, NONE, VIRTUAL)),
	};
	const char *why;
	int64_t real[2];

	if (lab_run(lab, 0, &first, 1)) /* the first list takes longest */
		return;
	real[0] = host_ns(CLOCK_REALTIME);
	if (lab_run(lab, 0, ops, COUNT(ops)))
		return;
	real[1] = host_ns(CLOCK_REALTIME);
	if (smccc_said(&ops[1]) == SMCCC_NOT_SUPPORTED) {
		no_pair(lab, out);
		return;
	}
	why = wrong_pair(&ops[1], ops[0].res[0], ops[2].res[0], real);
	if (!why)
		why = wrong_pair(&ops[4], ops[3].res[0], ops[5].res[0], real);
	if (why)
		say(out, GCPU_ALIVE_FAILS, "%s: %llx %llx %llx %llx", why, (unsigned long long)ops[1].res[0],
		    (unsigned long long)ops[1].res[1], (unsigned long long)ops[1].res[2], (unsigned long long)ops[1].res[3]);
	else if (smccc_said(&ops[6]) != SMCCC_NOT_SUPPORTED)
		say(out, GCPU_ALIVE_FAILS, "its control failed: a counter that there is not gives 0x%llx",
		    (unsigned long long)ops[6].res[0]);
	else
		say(out, GCPU_ALIVE_WORKS,
		    "within %lld us of the host's time, with the virtual and the physical counter of that moment; another counter gives -1",
		    (long long)(real[1] - real[0]) / 1000);
}

static void refused_ptp(struct lab *lab, struct outcome *out)
{
	int told = vendor_told(lab, VENDOR_FUNCTION_PTP);

	if (told < 0)
		return;
	if (told)
		say(out, GCPU_ALIVE_LEAKS, "the guest is told of it");
	else
		refused_by_facts(lab, ARM64_F_PTP, out);
}

const struct exercise exercise_ptp = {
	.name = "ptp", .kind = GCPU_EXERCISE_FEATURE, .field = ARM64_F_PTP, .want = { .vcpus = 1 }, .use = use_ptp,
	.refused = refused_ptp,
};

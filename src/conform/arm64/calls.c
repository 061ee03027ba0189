/* SPDX-License-Identifier: MIT */
/* SMCCC calls of the guest: the architecture's, random numbers, KVM's own. hypercalls.c, trng.c; DEN0028, DEN0098. */
#include "arm64.h"

static int version(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);

	if (!vm)
		return 1;
	expect_said(vm, C_VERSION, 0, 0x10001, "SMCCC_VERSION");
	expect_said(vm, C_FEATURES, C_VERSION, NOT_SUPPORTED, "SMCCC_ARCH_FEATURES of SMCCC_VERSION");
	expect_said(vm, C_FEATURES, 0x80001234, NOT_SUPPORTED, "SMCCC_ARCH_FEATURES of nothing");
	expect_said(vm, 0x8000beef, 0, NOT_SUPPORTED, "a function that there is not");
	expect_said(vm, 0xc6001234, 0, NOT_SUPPORTED, "a function of KVM's that there is not");
	return 0;
}

/* Each service with the calls that go when its bit does. */
static int services(struct conform *c)
{
	static const struct {
		uint64_t reg, bit;
		uint32_t call, arg;
		int want;
	} all[] = {
		{ GK_REG_ARM_STD_BMAP, 1, C_TRNG_VERSION, 0, 0x10000 },
		{ GK_REG_ARM_STD_BMAP, 1, C_TRNG_FEATURES, C_TRNG_RND_64, 0 },
		{ GK_REG_ARM_STD_BMAP, 1, C_TRNG_RND_64, 64, 0 },
		{ GK_REG_ARM_STD_HYP_BMAP, 1, C_FEATURES, C_PV_FEATURES, 0 },
		{ GK_REG_ARM_VENDOR_HYP_BMAP, 1, C_VENDOR_UID, 0, (int)0xb66fb428 },
		{ GK_REG_ARM_VENDOR_HYP_BMAP, 1, C_VENDOR_FEATURES, 0, 3 },
	};

	for (unsigned on = 0; on < 2; on++)
		for (unsigned i = 0; i < COUNT(all); i++) {
			struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
			uint64_t value;

			if (!vm)
				return 1;
			value = vcpu_read(vm, 0, all[i].reg);
			if (!on)
				expect_ok(c, vcpu_set(vm, 0, all[i].reg, value & ~all[i].bit), "the bit off");
			expect_said(vm, all[i].call, all[i].arg, on ? all[i].want : NOT_SUPPORTED,
				    on ? "a call whose bit is on" : "a call whose bit is off");
			vm_close(vm);
		}
	return 0;
}

static int uid(struct conform *c)
{
	/* 28b46fb6-2ec5-11e9-a9ca-4b564d003a74 */
	static const uint32_t want[] = { 0xb66fb428, 0xe911c52e, 0x564bcaa9, 0x743a004d };
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	struct guest_op op = OP_CALL(C_VENDOR_UID);

	if (!vm || call_firmware(vm, 0, &op))
		return 1;
	for (unsigned i = 0; i < 4; i++)
		expect_value(c, (uint32_t)op.res[i], want[i], "word %u of KVM's UID", i);
	return 0;
}

static int features(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	bool second = c->release >= KERNEL(6, 15);
	struct guest_op op = OP_CALL(C_VENDOR_FEATURES);

	if (!vm)
		return 1;
	if (second)
		expect_ok(c, vcpu_set(vm, 0, GK_REG_ARM_VENDOR_HYP_BMAP_2, 3), "the second bitmap");
	if (call_firmware(vm, 0, &op))
		return 1;
	expect_value(c, (uint32_t)op.res[0], 3, "the first bitmap in the guest");
	expect_value(c, (uint32_t)op.res[1], 0, "its upper half");
	expect_value(c, (uint32_t)op.res[2], second ? 3 : 0, "the second bitmap in the guest");
	return 0;
}

static int trng(struct conform *c)
{
	static const uint32_t want[] = { 0x00e0210d, 0xeb118443, 0x44527080, 0x4c5a4e55 };
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	struct guest_op ops[] = { OP_CALL(C_TRNG_UUID), OP_CALL(C_TRNG_RND, 20), OP_CALL(C_TRNG_RND_64, 192),
				  OP_CALL(C_TRNG_RND_64, 193), OP_CALL(C_TRNG_RND, 97) };

	if (!vm)
		return 1;
	expect_said(vm, C_TRNG_VERSION, 0, 0x10000, "TRNG_VERSION");
	expect_said(vm, C_TRNG_FEATURES, C_TRNG_RND, 0, "TRNG_FEATURES of TRNG_RND");
	expect_said(vm, C_TRNG_FEATURES, C_PSCI_VERSION, NOT_SUPPORTED, "TRNG_FEATURES of another's");
	if (guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	for (unsigned i = 0; i < 4; i++)
		expect_value(c, (uint32_t)ops[0].res[i], want[i], "word %u of its UUID", i);
	expect_value(c, (uint32_t)said(&ops[1]), 0, "20 bits");
	expect(c, !(ops[1].res[3] >> 20) && !ops[1].res[1] && !ops[1].res[2], "20 bits and no more: 0x%llx",
	       (unsigned long long)ops[1].res[3]);
	expect_value(c, (uint32_t)said(&ops[2]), 0, "192 bits");
	expect(c, ops[2].res[1] && ops[2].res[2] && ops[2].res[3], "192 bits in three registers");
	expect_value(c, (uint32_t)said(&ops[3]), (uint32_t)-2, "193 bits are too many");
	expect_value(c, (uint32_t)said(&ops[4]), (uint32_t)-2, "97 bits are too many, of 32-bit registers");
	return 0;
}

static int workarounds(struct conform *c)
{
	static const int by_level[] = { NOT_SUPPORTED, 0, 1 };
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	uint64_t one, two, three;

	if (!vm)
		return 1;
	one = vcpu_read(vm, 0, GK_REG_ARM_SMCCC_ARCH_WORKAROUND_1);
	two = vcpu_read(vm, 0, GK_REG_ARM_SMCCC_ARCH_WORKAROUND_2);
	three = vcpu_read(vm, 0, GK_REG_ARM_SMCCC_ARCH_WORKAROUND_3);
	if (one < COUNT(by_level))
		expect_said(vm, C_FEATURES, C_WORKAROUND_1, by_level[one], "SMCCC_ARCH_WORKAROUND_1, by its level");
	if (three < COUNT(by_level))
		expect_said(vm, C_FEATURES, C_WORKAROUND_3, by_level[three], "SMCCC_ARCH_WORKAROUND_3, by its level");
	if (two == 0 || two == 3)
		expect_said(vm, C_FEATURES, C_WORKAROUND_2, two == 3 ? -2 : NOT_SUPPORTED, "SMCCC_ARCH_WORKAROUND_2, by its level");
	return 0;
}

static int ptp(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);

	if (!vm)
		return 1;
	expect_said(vm, C_PTP, 2, NOT_SUPPORTED, "a counter that there is not");
	expect_ok(c, has_cap(c, CAP_PTP_KVM) ? 0 : -ENOENT, "KVM_CAP_PTP_KVM");
	return 0;
}

const struct conform_case cases_arm64_calls[] = {
	{ "calls:version", "hypercalls.c, DEN0028", version },
	{ "calls:services", "ST:arm64/hypercalls", services },
	{ "calls:vendor-uid", "ST:arm64/kvm-uuid", uid },
	{ "calls:vendor-features", "hypercalls.rst", features },
	{ "calls:trng", "trng.c, DEN0098", trng },
	{ "calls:workarounds", "hypercalls.c", workarounds },
	{ "calls:ptp", "ptp_kvm.rst", ptp },
	{ NULL, NULL, NULL },
};

/* SPDX-License-Identifier: MIT */
/* Registers of the firmware that KVM plays. fw-pseudo-registers.rst, hypercalls.c. */
#include "arm64.h"

static const struct {
	uint64_t reg, at_first, known;
	const char *name;
} bitmaps[] = {
	{ GK_REG_ARM_STD_BMAP, 1, 1, "KVM_REG_ARM_STD_BMAP" },
	{ GK_REG_ARM_STD_HYP_BMAP, 1, 1, "KVM_REG_ARM_STD_HYP_BMAP" },
	{ GK_REG_ARM_VENDOR_HYP_BMAP, 3, 3, "KVM_REG_ARM_VENDOR_HYP_BMAP" },
	{ GK_REG_ARM_VENDOR_HYP_BMAP_2, 0, 3, "KVM_REG_ARM_VENDOR_HYP_BMAP_2" },
};

static bool is_there(struct conform *c, unsigned i)
{
	return bitmaps[i].reg != GK_REG_ARM_VENDOR_HYP_BMAP_2 || c->release >= KERNEL(6, 15);
}

static int unknown_bits(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 2, F_PSCI);

	for (unsigned i = 0; vm && i < COUNT(bitmaps); i++) {
		uint64_t value, reg = bitmaps[i].reg;

		if (!is_there(c, i)) {
			expect_errno(c, vcpu_get(vm, 0, reg, &value), ENOENT, "%s, before 6.15", bitmaps[i].name);
			expect_errno(c, vcpu_set(vm, 0, reg, 0), ENOENT, "%s, before 6.15, written", bitmaps[i].name);
			continue;
		}
		expect_value(c, vcpu_read(vm, 0, reg), bitmaps[i].at_first, "%s at first", bitmaps[i].name);
		expect_errno(c, vcpu_set(vm, 0, reg, bitmaps[i].known + 1), EINVAL, "%s, a bit more", bitmaps[i].name);
		expect_errno(c, vcpu_set(vm, 0, reg, 1ULL << 63), EINVAL, "%s, the last bit", bitmaps[i].name);
		expect_value(c, vcpu_read(vm, 0, reg), bitmaps[i].at_first, "%s after that", bitmaps[i].name);
		expect_ok(c, vcpu_set(vm, 0, reg, 0), "%s 0", bitmaps[i].name);
		expect_value(c, vcpu_read(vm, 1, reg), 0, "%s of another vCPU", bitmaps[i].name);
		expect_ok(c, vcpu_set(vm, 1, reg, bitmaps[i].known), "%s, all there is", bitmaps[i].name);
		expect_value(c, vcpu_read(vm, 0, reg), bitmaps[i].known, "%s after that", bitmaps[i].name);
	}
	return 0;
}

static int frozen(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);

	if (!vm || guest_once(vm, 0))
		return 1;
	for (unsigned i = 0; i < COUNT(bitmaps); i++) {
		uint64_t was;

		if (!is_there(c, i))
			continue;
		was = vcpu_read(vm, 0, bitmaps[i].reg);
		expect_ok(c, vcpu_set(vm, 0, bitmaps[i].reg, was), "%s, the same after a run", bitmaps[i].name);
		expect_errno(c, vcpu_set(vm, 0, bitmaps[i].reg, was ^ 1), EBUSY, "%s, another after a run", bitmaps[i].name);
		expect_value(c, vcpu_read(vm, 0, bitmaps[i].reg), was, "%s after that", bitmaps[i].name);
	}
	return 0;
}

static int psci(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI), *old = arm64_vm(c, 1, 0);
	uint64_t newest = c->release < KERNEL(6, 13) ? PSCI(1, 1) : PSCI(1, 3);
	static const uint64_t versions[] = { PSCI(0, 2), PSCI(1, 0), PSCI(1, 1) };

	if (!vm || !old)
		return 1;
	expect_value(c, vcpu_read(vm, 0, GK_REG_ARM_PSCI_VERSION), newest, "the newest at first");
	for (unsigned i = 0; i < COUNT(versions); i++) {
		expect_ok(c, vcpu_set(vm, 0, GK_REG_ARM_PSCI_VERSION, versions[i]), "version 0x%llx", (unsigned long long)versions[i]);
		expect_value(c, vcpu_read(vm, 0, GK_REG_ARM_PSCI_VERSION), versions[i], "the version after that");
	}
	expect_errno(c, vcpu_set(vm, 0, GK_REG_ARM_PSCI_VERSION, PSCI(0, 1)), EINVAL, "version 0.1 with PSCI_0_2");
	expect_errno(c, vcpu_set(vm, 0, GK_REG_ARM_PSCI_VERSION, PSCI(9, 9)), EINVAL, "a version that there is not");
	expect_errno(c, vcpu_set(vm, 0, GK_REG_ARM_PSCI_VERSION, 0), EINVAL, "none");
	expect_value(c, vcpu_read(vm, 0, GK_REG_ARM_PSCI_VERSION), PSCI(1, 1), "the version after what was refused");
	expect_value(c, vcpu_read(old, 0, GK_REG_ARM_PSCI_VERSION), PSCI(0, 1), "without PSCI_0_2");
	expect_ok(c, vcpu_set(old, 0, GK_REG_ARM_PSCI_VERSION, PSCI(0, 1)), "version 0.1 without PSCI_0_2");
	expect_errno(c, vcpu_set(old, 0, GK_REG_ARM_PSCI_VERSION, PSCI(1, 0)), EINVAL, "version 1.0 without PSCI_0_2");
	return 0;
}

static int psci_late(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);

	if (!vm || guest_once(vm, 0))
		return 1;
	expect_ok(c, vcpu_set(vm, 0, GK_REG_ARM_PSCI_VERSION, PSCI(0, 2)), "another version after a run");
	expect_said(vm, C_PSCI_VERSION, 0, (int)PSCI(0, 2), "PSCI_VERSION after that");
	return 0;
}

static int workarounds(struct conform *c)
{
	static const struct {
		uint64_t reg;
		unsigned most;
	} all[] = { { GK_REG_ARM_SMCCC_ARCH_WORKAROUND_1, 2 },
		    { GK_REG_ARM_SMCCC_ARCH_WORKAROUND_2, 3 },
		    { GK_REG_ARM_SMCCC_ARCH_WORKAROUND_3, 2 } };
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);

	for (unsigned i = 0; vm && i < COUNT(all); i++) {
		uint64_t was = vcpu_read(vm, 0, all[i].reg);

		expect(c, was <= all[i].most, "workaround %u is 0x%llx", i + 1, (unsigned long long)was);
		expect_ok(c, vcpu_set(vm, 0, all[i].reg, was), "workaround %u, the same", i + 1);
		expect_ok(c, vcpu_set(vm, 0, all[i].reg, 0), "workaround %u, none", i + 1);
		expect_value(c, vcpu_read(vm, 0, all[i].reg), was, "workaround %u stays", i + 1);
		if (was < all[i].most)
			expect_errno(c, vcpu_set(vm, 0, all[i].reg, all[i].most), EINVAL, "workaround %u, more than the host's", i + 1);
		expect_errno(c, vcpu_set(vm, 0, all[i].reg, 1ULL << 40), EINVAL, "workaround %u, nonsense", i + 1);
	}
	return 0;
}

static int unknown(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	uint64_t value;

	if (!vm)
		return 1;
	expect_errno(c, vcpu_get(vm, 0, GK_REG_ARM_FW_REG(0xff), &value), ENOENT, "a register that there is not");
	expect_errno(c, vcpu_set(vm, 0, GK_REG_ARM_FW_REG(0xff), 0), ENOENT, "the same, written");
	expect_errno(c, vcpu_get(vm, 0, GK_REG_ARM_FW_FEAT_BMAP_REG(0xff), &value), ENOENT, "a bitmap that there is not");
	return 0;
}

const struct conform_case cases_arm64_firmware[] = {
	{ "firmware:bitmaps", "ST:arm64/hypercalls", unknown_bits },
	{ "firmware:bitmaps-frozen", "ST:arm64/hypercalls", frozen },
	{ "firmware:psci-version", "fw-pseudo-registers.rst, hypercalls.c kvm_arm_set_fw_reg", psci },
	{ "firmware:psci-version-after-run", "hypercalls.c kvm_arm_set_fw_reg", psci_late },
	{ "firmware:workarounds", "fw-pseudo-registers.rst", workarounds },
	{ "firmware:unknown", "hypercalls.c", unknown },
	{ NULL, NULL, NULL },
};

/* SPDX-License-Identifier: MIT */
/* SVE: vector lengths first, then KVM_ARM_VCPU_FINALIZE, then the rest. KVM API 4.119; guest.c, reset.c. */
#include "arm64.h"

static int lengths(struct conform_vm *vm, unsigned long request, uint64_t words[8])
{
	const struct gk_one_reg reg = { .id = GK_REG_ARM64_SVE_VLS, .addr = (uintptr_t)words };

	return ask(vm->c, vm->vcpu[0], request, &reg);
}

static int set_lengths(struct conform_vm *vm, uint64_t first)
{
	uint64_t words[8] = { first };

	return lengths(vm, GK_SET_ONE_REG, words);
}

static int z0(struct conform_vm *vm, unsigned long request)
{
	unsigned char value[256] = { 0 };
	const struct gk_one_reg reg = { .id = R_Z0, .addr = (uintptr_t)value };

	return ask(vm->c, vm->vcpu[0], request, &reg);
}

/* A vCPU that is not finalised. NULL: skipped or broken. */
static struct conform_vm *fresh(struct conform *c)
{
	struct conform_vm *vm;

	if (!has_cap(c, CAP_ARM_SVE)) {
		skip(c, "no SVE");
		return NULL;
	}
	vm = arm64_vm(c, 1, NO_INIT);
	return vm && expect_ok(c, vcpu_init(vm, 0, F_PSCI | F_SVE), "KVM_ARM_VCPU_INIT with SVE") ? vm : NULL;
}

static int order(struct conform *c)
{
	struct conform_vm *vm = fresh(c);
	struct reg_list *l = case_memory(c, sizeof(*l));
	uint64_t words[8] = { 0 };

	if (!vm || !l)
		return 1;
	expect_ok(c, lengths(vm, GK_GET_ONE_REG, words), "the lengths");
	expect_errno(c, run_at_once(vm, 0), EPERM, "KVM_RUN before FINALIZE");
	expect_errno(c, get_list(vm, 0, l), EPERM, "KVM_GET_REG_LIST before FINALIZE");
	expect_errno(c, z0(vm, GK_GET_ONE_REG), EPERM, "Z0 before FINALIZE");
	expect_errno(c, z0(vm, GK_SET_ONE_REG), EPERM, "Z0 before FINALIZE, written");
	expect_ok(c, lengths(vm, GK_SET_ONE_REG, words), "the same lengths before FINALIZE");
	expect_errno(c, vcpu_finalize(vm, 0, 0), EINVAL, "KVM_ARM_VCPU_FINALIZE of something else");
	expect_ok(c, vcpu_finalize(vm, 0, SVE), "KVM_ARM_VCPU_FINALIZE");
	expect_errno(c, vcpu_finalize(vm, 0, SVE), EPERM, "KVM_ARM_VCPU_FINALIZE once more");
	expect_errno(c, lengths(vm, GK_SET_ONE_REG, words), EPERM, "the same lengths after it");
	expect_ok(c, lengths(vm, GK_GET_ONE_REG, words), "the lengths after it");
	expect_ok(c, z0(vm, GK_GET_ONE_REG), "Z0 after it");
	expect_ok(c, get_list(vm, 0, l), "KVM_GET_REG_LIST after it");
	expect(c, list_has(l, GK_REG_ARM64_SVE_VLS) && list_has(l, R_Z0), "both are listed");
	expect_ok(c, vcpu_init(vm, 0, F_PSCI | F_SVE), "KVM_ARM_VCPU_INIT once more");
	expect_errno(c, vcpu_finalize(vm, 0, SVE), EPERM, "it stays finalised");
	return 0;
}

static int sets(struct conform *c)
{
	struct conform_vm *vm = fresh(c);
	uint64_t words[8] = { 0 }, all;
	unsigned top = 0;

	if (!vm || !expect_ok(c, lengths(vm, GK_GET_ONE_REG, words), "the lengths"))
		return 1;
	all = words[0];
	expect(c, all & 1 && !(all >> 16), "128 bits are one of them, 2048 the most: 0x%llx", (unsigned long long)all);
	for (unsigned i = 1; i < 8; i++)
		expect_value(c, words[i], 0, "word %u of the lengths", i);
	while (all >> top >> 1)
		top++;
	expect_errno(c, set_lengths(vm, 0), EINVAL, "none");
	expect_errno(c, set_lengths(vm, all | 1ULL << 16), EINVAL, "one of more than 2048 bits");
	if (top < 15)
		expect_errno(c, set_lengths(vm, all | 1ULL << (top + 1)), EINVAL, "one that the host does not have");
	if (top >= 2)
		expect_errno(c, set_lengths(vm, all & ~1ULL), EINVAL, "without the least");
	expect_ok(c, set_lengths(vm, 1), "the least alone");
	expect_ok(c, lengths(vm, GK_GET_ONE_REG, words), "the lengths after that");
	expect_value(c, words[0], 1, "the lengths after that");
	expect_ok(c, set_lengths(vm, all), "all of them again");
	return 0;
}

static int without(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	uint64_t words[8] = { 0 }, pfr0;
	struct guest_op op = OP_MRS(R_ZCR);

	if (!vm)
		return 1;
	expect_errno(c, lengths(vm, GK_GET_ONE_REG, words), ENOENT, "the lengths");
	expect_errno(c, set_lengths(vm, 1), ENOENT, "the lengths, written");
	expect_errno(c, z0(vm, GK_GET_ONE_REG), ENOENT, "Z0");
	expect_errno(c, vcpu_finalize(vm, 0, SVE), EINVAL, "KVM_ARM_VCPU_FINALIZE");
	pfr0 = vcpu_read(vm, 0, R_PFR0);
	expect_value(c, pfr0 >> 32 & 15, 0, "ID_AA64PFR0_EL1.SVE");
	expect_value(c, vcpu_read(vm, 0, R_ZFR0), 0, "ID_AA64ZFR0_EL1");
	expect_ok(c, vcpu_set(vm, 0, R_ZFR0, 0), "ID_AA64ZFR0_EL1 as it is");
	expect_errno(c, vcpu_set(vm, 0, R_ZFR0, 1), EINVAL, "another ID_AA64ZFR0_EL1");
	expect_errno(c, vcpu_set(vm, 0, R_PFR0, pfr0 | 1ULL << 32), EINVAL, "SVE by an ID register");
	if (guest_run(vm, 0, &op, 1))
		return 1;
	/* EC 0x19: its own CPACR_EL1 has not turned SVE on; a CPU without SVE has no such register */
	expect(c, op.status == GUEST_STATUS_FAULT && op.fault >> 26 == (has_cap(c, CAP_ARM_SVE) ? 0x19 : 0), "ZCR_EL1 faults in the guest: ESR_EL1 0x%llx",
	       (unsigned long long)op.fault);
	return 0;
}

static int with(struct conform *c)
{
	struct conform_vm *vm = fresh(c);
	uint64_t pfr0;
	struct guest_op op = OP_MRS(R_PFR0);

	if (!vm || !expect_ok(c, vcpu_finalize(vm, 0, SVE), "KVM_ARM_VCPU_FINALIZE"))
		return 1;
	pfr0 = vcpu_read(vm, 0, R_PFR0);
	expect_value(c, pfr0 >> 32 & 15, 1, "ID_AA64PFR0_EL1.SVE");
	expect_errno(c, vcpu_set(vm, 0, R_PFR0, pfr0 & ~(15ULL << 32)), EINVAL, "no SVE by an ID register");
	if (guest_run(vm, 0, &op, 1))
		return 1;
	expect_value(c, op.res[0] >> 32 & 15, 1, "ID_AA64PFR0_EL1.SVE in the guest");
	return 0;
}

const struct conform_case cases_arm64_sve[] = {
	{ "sve:order", "KVM API 4.119, reset.c kvm_arm_vcpu_finalize", order },
	{ "sve:lengths", "KVM API 4.68, guest.c set_sve_vls", sets },
	{ "sve:without", "guest.c, sys_regs.c", without },
	{ "sve:with", "sys_regs.c", with },
	{ NULL, NULL, NULL },
};

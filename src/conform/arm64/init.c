/* SPDX-License-Identifier: MIT */
/* KVM_ARM_VCPU_INIT: what is taken, what not, and what it leaves alone. KVM API 4.82; arm.c, reset.c. */
#include "arm64.h"

#define PSTATE_RESET 0x3c5U

static int before(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, NO_INIT);
	struct reg_list *list = case_memory(c, sizeof(*list));
	uint64_t value;

	if (!vm || !list)
		return 1;
	expect_errno(c, vcpu_get(vm, 0, R_PFR0, &value), ENOEXEC, "KVM_GET_ONE_REG");
	expect_errno(c, vcpu_set(vm, 0, R_PFR0, 0), ENOEXEC, "KVM_SET_ONE_REG");
	expect_errno(c, vcpu_get(vm, 0, GK_REG_ARM_PSCI_VERSION, &value), ENOEXEC, "KVM_GET_ONE_REG of the firmware");
	expect_errno(c, get_list(vm, 0, list), ENOEXEC, "KVM_GET_REG_LIST");
	expect_errno(c, vcpu_finalize(vm, 0, SVE), ENOEXEC, "KVM_ARM_VCPU_FINALIZE");
	expect_errno(c, run_at_once(vm, 0), ENOEXEC, "KVM_RUN");
	return 0;
}

static int refused(struct conform *c)
{
	static const uint32_t second[7] = { F_PSCI, 1 }, last[7] = { F_PSCI, 0, 0, 0, 0, 0, 1 }, plain[7] = { F_PSCI };
	struct conform_vm *vm = arm64_vm(c, 1, NO_INIT);

	if (!vm)
		return 1;
	expect_errno(c, init_words(vm, 0, 4711, plain), EINVAL, "a target that there is not");
	expect_errno(c, vcpu_init(vm, 0, F_PSCI | BIT32(31)), ENOENT, "a bit that nobody knows");
	expect_errno(c, init_words(vm, 0, 5, second), ENOENT, "the second word");
	expect_errno(c, init_words(vm, 0, 5, last), ENOENT, "the last word");
	expect_errno(c, ask(c, vm->vcpu[0], GK_ARM_VCPU_INIT, NULL), EFAULT, "nothing at all");
	expect_ok(c, vcpu_init(vm, 0, F_PSCI), "and then as it should be");
	return 0;
}

/* Of what the host does not have: known, so EINVAL; unknown is told first. */
static int unsupported(struct conform *c)
{
	static const struct {
		uint32_t feature;
		unsigned cap;
		const char *name;
	} all[] = {
		{ F_32BIT, CAP_ARM_EL1_32BIT, "EL1_32BIT" },
		{ F_PMU, CAP_ARM_PMU_V3, "PMU_V3" },
		{ F_SVE, CAP_ARM_SVE, "SVE" },
		{ F_PAUTH, CAP_ARM_PTRAUTH_ADDRESS, "PTRAUTH" },
	};

	for (unsigned i = 0; i < COUNT(all); i++) {
		struct conform_vm *vm = arm64_vm(c, 1, NO_INIT);

		if (!vm)
			return 1;
		if (has_cap(c, all[i].cap)) {
			expect_ok(c, vcpu_init(vm, 0, F_PSCI | all[i].feature), "%s, which there is", all[i].name);
			vm_close(vm);
			continue;
		}
		expect_errno(c, vcpu_init(vm, 0, F_PSCI | all[i].feature), EINVAL, "%s, which there is not", all[i].name);
		expect_ok(c, vcpu_init(vm, 0, F_PSCI), "without %s", all[i].name);
		vm_close(vm);
		vm = arm64_vm(c, 1, NO_INIT);
		if (!vm)
			return 1;
		expect_errno(c, vcpu_init(vm, 0, F_PSCI | all[i].feature | BIT32(31)), ENOENT, "%s and an unknown bit", all[i].name);
		/* before 6.5 what came before the unknown bit stays, and is refused with the next set */
		if (c->release >= KERNEL(6, 5))
			expect_ok(c, vcpu_init(vm, 0, F_PSCI), "without %s and the unknown bit", all[i].name);
		else
			expect_errno(c, vcpu_init(vm, 0, F_PSCI), EINVAL, "without %s, which stayed", all[i].name);
		expect_ok(c, vcpu_init(vm, 0, F_PSCI), "without %s, once more", all[i].name);
		vm_close(vm);
	}
	return 0;
}

/* A set that ends in a bit that nobody knows. */
static int left_behind(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, NO_INIT);

	if (!vm)
		return 1;
	expect_errno(c, vcpu_init(vm, 0, F_PSCI | F_POWER_OFF | BIT32(31)), ENOENT, "without power, with an unknown bit");
	expect_ok(c, vcpu_init(vm, 0, F_PSCI), "with power");
	expect_result(c, mp_state(vm, 0), c->release < KERNEL(6, 5) ? GK_MP_STATE_STOPPED : GK_MP_STATE_RUNNABLE,
		      "KVM_GET_MP_STATE: before 6.5 what was refused is left behind");
	return 0;
}

static int el2(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, NO_INIT);

	if (!vm)
		return 1;
	if (check_cap(c, c->kvm_fd, CAP_ARM_EL2) > 0)
		expect_ok(c, vcpu_init(vm, 0, F_PSCI | F_EL2), "HAS_EL2");
	else
		expect_errno(c, vcpu_init(vm, 0, F_PSCI | F_EL2), c->release < KERNEL(6, 16) ? ENOENT : EINVAL, "HAS_EL2");
	return 0;
}

static int pauth(struct conform *c)
{
	static const uint32_t halves[] = { F_PAUTH_ADDRESS, F_PAUTH_GENERIC };
	struct conform_vm *vm = arm64_vm(c, 1, NO_INIT);

	if (!vm)
		return 1;
	for (unsigned i = 0; i < 2; i++)
		expect_errno(c, vcpu_init(vm, 0, F_PSCI | halves[i]), EINVAL, "half of pointer authentication");
	if (has_cap(c, CAP_ARM_PTRAUTH_ADDRESS) && has_cap(c, CAP_ARM_PTRAUTH_GENERIC))
		expect_ok(c, vcpu_init(vm, 0, F_PSCI | F_PAUTH), "both halves");
	else
		expect_errno(c, vcpu_init(vm, 0, F_PSCI | F_PAUTH), EINVAL, "both halves, which there are not");
	return 0;
}

static int one_set(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 2, NO_INIT);

	if (!vm)
		return 1;
	expect_ok(c, vcpu_init(vm, 0, F_PSCI), "the first vCPU");
	expect_errno(c, vcpu_init(vm, 0, 0), EINVAL, "another set for the same vCPU");
	if (c->release >= KERNEL(6, 5))
		expect_errno(c, vcpu_init(vm, 1, 0), EINVAL, "another set for the second");
	else
		expect_ok(c, vcpu_init(vm, 1, 0), "another set for the second, before 6.5");
	if (c->release >= KERNEL(6, 5))
		expect_ok(c, vcpu_init(vm, 1, F_PSCI), "the same set for the second");
	expect_ok(c, vcpu_init(vm, 0, F_PSCI), "the first once more");
	return 0;
}

static int power_off(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 2, NO_INIT);

	if (!vm)
		return 1;
	expect_ok(c, vcpu_init(vm, 0, F_PSCI), "with power");
	expect_result(c, mp_state(vm, 0), GK_MP_STATE_RUNNABLE, "KVM_GET_MP_STATE with power");
	expect_ok(c, vcpu_init(vm, 1, F_PSCI | F_POWER_OFF), "the second without");
	expect_result(c, mp_state(vm, 1), GK_MP_STATE_STOPPED, "KVM_GET_MP_STATE without power");
	if (c->release < KERNEL(6, 5)) {
		expect_errno(c, vcpu_init(vm, 1, F_PSCI), EINVAL, "the second with power, before 6.5");
		return 0;
	}
	expect_ok(c, vcpu_init(vm, 1, F_PSCI), "the second with power");
	expect_result(c, mp_state(vm, 1), GK_MP_STATE_RUNNABLE, "KVM_GET_MP_STATE, by the last call");
	return 0;
}

static int again(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	uint64_t isar0, mpidr;
	bool masks = vm && has_cap(c, CAP_ARM_SUPPORTED_REG_MASK_RANGES);

	if (!vm)
		return 1;
	isar0 = vcpu_read(vm, 0, R_ISAR0);
	mpidr = vcpu_read(vm, 0, R_MPIDR);
	expect_ok(c, vcpu_set(vm, 0, GK_REG_ARM_X(0), 0x1234), "X0");
	expect_ok(c, vcpu_set(vm, 0, GK_REG_ARM_PC, 0x5678), "PC");
	if (masks)
		expect_ok(c, vcpu_set(vm, 0, R_ISAR0, isar0 & ~0xf0ULL), "ID_AA64ISAR0_EL1 without AES");
	expect_ok(c, vcpu_set(vm, 0, R_MPIDR, mpidr | 0x500), "MPIDR_EL1");
	expect_ok(c, vcpu_init(vm, 0, F_PSCI), "KVM_ARM_VCPU_INIT once more");
	expect_value(c, vcpu_read(vm, 0, GK_REG_ARM_X(0)), 0, "X0 after that");
	expect_value(c, vcpu_read(vm, 0, GK_REG_ARM_PC), 0, "PC after that");
	expect_value(c, vcpu_read(vm, 0, GK_REG_ARM_PSTATE), PSTATE_RESET, "PSTATE after that");
	expect_value(c, vcpu_read(vm, 0, R_ISAR0), masks ? isar0 & ~0xf0ULL : isar0, "ID_AA64ISAR0_EL1 after that");
	expect_value(c, vcpu_read(vm, 0, R_MPIDR), c->release < KERNEL(6, 10) ? mpidr : mpidr | 0x500, "MPIDR_EL1 after that");
	return 0;
}

static int set_of_two(struct conform *c, uint32_t first, uint32_t second, bool together)
{
	struct conform_vm *vm = arm64_vm(c, together ? 2 : 1, NO_INIT);
	int r;

	if (!vm)
		return -EIO;
	r = vcpu_init(vm, 0, first);
	if (r == 0 && !together)
		r = vm_vcpu(vm, 1) < 0 ? -EIO : 0;
	if (r == 0)
		r = vcpu_init(vm, 1, second);
	vm_close(vm);
	return r;
}

static int width(struct conform *c)
{
	if (!has_cap(c, CAP_ARM_EL1_32BIT))
		return skip(c, "no AArch32 at EL1");
	for (unsigned together = 0; together < 2; together++) {
		expect_ok(c, set_of_two(c, 0, 0, together), "both of 64 bits");
		expect_ok(c, set_of_two(c, F_32BIT, F_32BIT, together), "both of 32 bits");
		expect_errno(c, set_of_two(c, 0, F_32BIT, together), EINVAL, "the second of 32 bits");
		expect_errno(c, set_of_two(c, F_32BIT, 0, together), EINVAL, "the second of 64 bits");
	}
	return 0;
}

static int width_mte(struct conform *c)
{
	struct conform_vm *vm = vm_new(c);

	if (!vm)
		return 1;
	if (!has_cap(c, CAP_ARM_EL1_32BIT) || !has_cap(c, CAP_ARM_MTE))
		return skip(c, "no AArch32 at EL1, or no memory tagging");
	if (!expect_ok(c, enable_cap(c, vm->fd, CAP_ARM_MTE, 0), "KVM_CAP_ARM_MTE") || vm_vcpu(vm, 0) < 0)
		return 1;
	expect_errno(c, vcpu_init(vm, 0, F_32BIT), EINVAL, "EL1_32BIT with memory tagging");
	expect_ok(c, vcpu_init(vm, 0, 0), "64 bits with memory tagging");
	return 0;
}

static int states(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);

	if (!vm)
		return 1;
	expect_ok(c, set_mp_state(vm, 0, GK_MP_STATE_STOPPED), "stopped");
	expect_result(c, mp_state(vm, 0), GK_MP_STATE_STOPPED, "KVM_GET_MP_STATE, stopped");
	expect_ok(c, set_mp_state(vm, 0, GK_MP_STATE_SUSPENDED), "suspended");
	expect_result(c, mp_state(vm, 0), GK_MP_STATE_SUSPENDED, "KVM_GET_MP_STATE, suspended");
	expect_ok(c, set_mp_state(vm, 0, GK_MP_STATE_RUNNABLE), "runnable");
	expect_errno(c, set_mp_state(vm, 0, GK_MP_STATE_HALTED), EINVAL, "halted, which is another architecture's");
	expect_errno(c, set_mp_state(vm, 0, 4711), EINVAL, "a state that there is not");
	expect_result(c, mp_state(vm, 0), GK_MP_STATE_RUNNABLE, "KVM_GET_MP_STATE after what was refused");
	return 0;
}

const struct conform_case cases_arm64_init[] = {
	{ "init:before", "KVM API 4.82, arm.c", before },
	{ "init:refused", "KVM API 4.82, arm.c kvm_vcpu_init_check_features", refused },
	{ "init:unsupported", "arm.c kvm_vcpu_init_check_features", unsupported },
	{ "init:left-behind", "arm.c kvm_vcpu_set_target", left_behind },
	{ "init:el2", "arm.c, KVM API 8", el2 },
	{ "init:pauth-halves", "KVM API 4.82", pauth },
	{ "init:one-set", "arm.c kvm_vcpu_set_target", one_set },
	{ "init:power-off", "KVM API 4.82, arm.c", power_off },
	{ "init:again", "ST:arm64/set_id_regs, KVM API 4.82", again },
	{ "init:width", "ST:arm64/vcpu_width_config", width },
	{ "init:width-mte", "arm.c kvm_vcpu_init_check_features", width_mte },
	{ "init:mp-state", "KVM API 4.38, 4.39", states },
	{ NULL, NULL, NULL },
};

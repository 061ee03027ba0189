/* SPDX-License-Identifier: MIT */
/* ID registers: whose they are, until when they change, what the guest finds. cpu-features of KVM's documents; sys_regs.c. */
#include "arm64.h"

#define AES 0xf0ULL /* of ID_AA64ISAR0_EL1 */
#define GIC(value) ((value) >> 24 & 15) /* of ID_AA64PFR0_EL1 */

static bool has_masks(struct conform *c)
{
	return has_cap(c, CAP_ARM_SUPPORTED_REG_MASK_RANGES);
}

/* A VM whose AES can be taken away. Not NULL: as it was. */
static struct conform_vm *with_aes(struct conform *c, unsigned vcpus, uint64_t *ret)
{
	struct conform_vm *vm;

	if (!has_masks(c)) {
		skip(c, "this KVM lets no ID register be written");
		return NULL;
	}
	vm = arm64_vm(c, vcpus, F_PSCI);
	if (!vm)
		return NULL;
	*ret = vcpu_read(vm, 0, R_ISAR0);
	if (*ret & AES)
		return vm;
	if (c->result->failed == 0)
		skip(c, "this host has no AES");
	return NULL;
}

/* KVM before 6.7: nothing but CSV2 and CSV3 can be less. */
static int fixed(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	uint64_t isar0, pfr0;

	if (!vm)
		return 1;
	if (has_masks(c))
		return skip(c, "this KVM has masks");
	isar0 = vcpu_read(vm, 0, R_ISAR0);
	pfr0 = vcpu_read(vm, 0, R_PFR0);
	expect_ok(c, vcpu_set(vm, 0, R_ISAR0, isar0), "ID_AA64ISAR0_EL1 as it is");
	expect_errno(c, vcpu_set(vm, 0, R_ISAR0, isar0 ^ 0x10), EINVAL, "another AES");
	expect_errno(c, vcpu_set(vm, 0, R_ISAR0, 0), EINVAL, "0");
	expect_value(c, vcpu_read(vm, 0, R_ISAR0), isar0, "ID_AA64ISAR0_EL1 after that");
	expect_ok(c, vcpu_set(vm, 0, R_PFR0, pfr0 & ~(0xffULL << 56)), "ID_AA64PFR0_EL1 without CSV2 and CSV3");
	expect_value(c, vcpu_read(vm, 0, R_PFR0), pfr0 & ~(0xffULL << 56), "ID_AA64PFR0_EL1 after that");
	expect_ok(c, vcpu_set(vm, 0, R_PFR0, pfr0), "and back");
	return 0;
}

static int vm_wide(struct conform *c)
{
	uint64_t was;
	struct conform_vm *vm = with_aes(c, 3, &was);

	if (!vm)
		return 1;
	expect_ok(c, vcpu_set(vm, 1, R_ISAR0, was & ~AES), "the second vCPU loses AES");
	for (unsigned i = 0; i < 3; i++)
		expect_value(c, vcpu_read(vm, i, R_ISAR0), was & ~AES, "ID_AA64ISAR0_EL1 of vCPU %u", i);
	expect_ok(c, vcpu_set(vm, 2, R_ISAR0, was), "the third gets it back: the limit counts, not what is there");
	expect_value(c, vcpu_read(vm, 0, R_ISAR0), was, "ID_AA64ISAR0_EL1 of the first");
	return 0;
}

static int frozen(struct conform *c)
{
	uint64_t was;
	struct conform_vm *vm = with_aes(c, 2, &was);

	if (!vm)
		return 1;
	expect_ok(c, vcpu_set(vm, 0, R_ISAR0, was & ~AES), "before a run");
	if (guest_once(vm, 0))
		return 1;
	expect_ok(c, vcpu_set(vm, 0, R_ISAR0, was & ~AES), "the same after it");
	expect_errno(c, vcpu_set(vm, 0, R_ISAR0, was), EBUSY, "another after it");
	expect_errno(c, vcpu_set(vm, 1, R_ISAR0, was), EBUSY, "another, on a vCPU that has not run");
	expect_value(c, vcpu_read(vm, 0, R_ISAR0), was & ~AES, "ID_AA64ISAR0_EL1 after that");
	return 0;
}

/* A run that enters no guest is one. */
static int frozen_at_once(struct conform *c)
{
	uint64_t was;
	struct conform_vm *vm = with_aes(c, 1, &was);

	if (!vm)
		return 1;
	expect_errno(c, run_at_once(vm, 0), EINTR, "KVM_RUN with immediate_exit");
	expect_errno(c, vcpu_set(vm, 0, R_ISAR0, was & ~AES), EBUSY, "another after it");
	expect_ok(c, vcpu_set(vm, 0, R_ISAR0, was), "the same after it");
	return 0;
}

/* A run that KVM refuses is none. */
static int not_frozen(struct conform *c)
{
	struct conform_vm *vm;
	uint64_t was;

	if (!has_cap(c, CAP_ARM_PMU_V3) || !has_masks(c))
		return skip(c, "no PMU, or no masks");
	vm = arm64_vm(c, 1, F_PSCI | F_PMU);
	if (!vm)
		return 1;
	was = vcpu_read(vm, 0, R_ISAR0);
	expect_errno(c, run_at_once(vm, 0), EINVAL, "KVM_RUN with a PMU that is not initialised");
	expect_ok(c, vcpu_set(vm, 0, R_ISAR0, was & ~AES), "another after it");
	expect_value(c, vcpu_read(vm, 0, R_ISAR0), was & ~AES, "ID_AA64ISAR0_EL1 after that");
	return 0;
}

static int guest_sees(struct conform *c)
{
	uint64_t was;
	struct conform_vm *vm = with_aes(c, 2, &was);
	struct guest_op ops[] = { OP_MRS(R_ISAR0), OP_MRS(R_MPIDR), OP_MRS(R_PFR0), OP_MRS(R_MIDR) };

	if (!vm)
		return 1;
	expect_ok(c, vcpu_set(vm, 0, R_ISAR0, was & ~AES), "without AES");
	for (unsigned i = 0; i < 2; i++) {
		if (guest_run(vm, i, ops, COUNT(ops)))
			return 1;
		expect_value(c, ops[0].res[0], was & ~AES, "ID_AA64ISAR0_EL1 in the guest");
		expect_value(c, ops[1].res[0], vcpu_read(vm, i, R_MPIDR), "MPIDR_EL1 in the guest");
		expect_value(c, ops[2].res[0], vcpu_read(vm, i, R_PFR0), "ID_AA64PFR0_EL1 in the guest");
		expect_value(c, ops[3].res[0], vcpu_read(vm, i, R_MIDR), "MIDR_EL1 in the guest");
	}
	return 0;
}

/* Encodings without a register read 0, ones beyond the space of ID registers are undefined. */
static int guest_reserved(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	struct guest_op ops[] = { OP_MRS(ID(0, 7, 7)), OP_MRS(ID(0, 6, 6)), OP_MRS(GK_ARM64_SYS_REG(3, 3, 15, 15, 7)) };

	if (!vm || guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	expect(c, ops[0].status == GUEST_STATUS_DONE && !ops[0].res[0], "S3_0_C0_C7_7 reads 0");
	expect(c, ops[1].status == GUEST_STATUS_DONE && !ops[1].res[0], "S3_0_C0_C6_6 reads 0");
	expect(c, ops[2].status == GUEST_STATUS_FAULT, "S3_3_C15_C15_7 is undefined");
	expect_value(c, ops[2].fault, ESR_UNDEFINED, "ESR_EL1 of that");
	return 0;
}

static int mpidr(struct conform *c)
{
	static const struct {
		unsigned id;
		uint64_t value;
	} all[] = { { 0, 0 }, { 1, 1 }, { 15, 15 }, { 16, 0x100 }, { 17, 0x101 }, { 255, 0xf0f } };
	struct conform_vm *vm = vm_new(c);
	struct guest_op op = OP_MRS(R_MPIDR);

	for (unsigned i = 0; vm && i < COUNT(all); i++)
		if (vm_vcpu(vm, all[i].id) < 0 || !expect_ok(c, vcpu_init(vm, i, F_PSCI), "KVM_ARM_VCPU_INIT"))
			return 1;
	if (!vm)
		return 1;
	for (unsigned i = 0; i < COUNT(all); i++)
		expect_value(c, vcpu_read(vm, i, R_MPIDR), 1ULL << 31 | all[i].value, "MPIDR_EL1 of vCPU %u", all[i].id);
	expect_ok(c, vcpu_set(vm, 1, R_MPIDR, 1ULL << 31 | 0x1020304), "MPIDR_EL1 of its VMM's choice");
	expect_value(c, vcpu_read(vm, 1, R_MPIDR), 1ULL << 31 | 0x1020304, "MPIDR_EL1 after that");
	expect_value(c, vcpu_read(vm, 0, R_MPIDR), 1ULL << 31, "MPIDR_EL1 of another vCPU");
	if (guest_run(vm, 1, &op, 1))
		return 1;
	expect_value(c, op.res[0], 1ULL << 31 | 0x1020304, "MPIDR_EL1 in the guest");
	return 0;
}

static int clidr(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 2, F_PSCI);
	uint64_t was, more;

	if (!vm)
		return 1;
	was = vcpu_read(vm, 0, R_CLIDR);
	if (!has_masks(c)) {
		expect_errno(c, vcpu_set(vm, 0, R_CLIDR, was ^ 1), EINVAL, "another CLIDR_EL1, before there were masks");
		return 0;
	}
	/* a level of caches more: the first that there is not becomes a unified one */
	more = was;
	for (unsigned level = 0; level < 7; level++)
		if (!(was >> 3 * level & 7)) {
			more |= 4ULL << 3 * level;
			break;
		}
	expect(c, more != was, "a level of caches can be added to 0x%llx", (unsigned long long)was);
	expect_ok(c, vcpu_set(vm, 0, R_CLIDR, more), "CLIDR_EL1 with a level more");
	expect_value(c, vcpu_read(vm, 0, R_CLIDR), more, "CLIDR_EL1 after that");
	expect_value(c, vcpu_read(vm, 1, R_CLIDR), was, "CLIDR_EL1 of another vCPU");
	expect_errno(c, vcpu_set(vm, 0, R_CLIDR, was | 1ULL << 63), EINVAL, "a bit that means nothing");
	return 0;
}

static int imp_ids(struct conform *c)
{
	static const uint64_t ids[] = { R_MIDR, R_REVIDR, R_AIDR };
	struct conform_vm *vm;

	for (unsigned on = 0; on < 2; on++) {
		if (on && !has_cap(c, CAP_ARM_WRITABLE_IMP_ID_REGS))
			return 0;
		vm = vm_new(c);
		if (!vm || (on && !expect_ok(c, enable_cap(c, vm->fd, CAP_ARM_WRITABLE_IMP_ID_REGS, 0), "the capability")) ||
		    vm_vcpu(vm, 0) < 0 || !expect_ok(c, vcpu_init(vm, 0, F_PSCI), "KVM_ARM_VCPU_INIT"))
			return 1;
		for (unsigned i = 0; i < COUNT(ids); i++) {
			uint64_t was = vcpu_read(vm, 0, ids[i]);

			expect_ok(c, vcpu_set(vm, 0, ids[i], was), "the same");
			if (on) {
				expect_ok(c, vcpu_set(vm, 0, ids[i], was ^ 0x10), "another one, register %u", i);
				expect_value(c, vcpu_read(vm, 0, ids[i]), was ^ 0x10, "register %u after that", i);
			} else {
				expect_errno(c, vcpu_set(vm, 0, ids[i], was ^ 0x10), EINVAL, "another one, register %u", i);
				expect_value(c, vcpu_read(vm, 0, ids[i]), was, "register %u after that", i);
			}
		}
		vm_close(vm);
	}
	return 0;
}

static int aarch32(struct conform *c)
{
	static const uint64_t ids[] = { R_PFR0_32, R_DFR0_32, R_ISAR0_32 };
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);

	if (!vm)
		return 1;
	if ((vcpu_read(vm, 0, R_PFR0) & 15) != 1)
		return skip(c, "this host has AArch32 at EL0");
	for (unsigned i = 0; i < COUNT(ids); i++) {
		struct guest_op op = OP_MRS(ids[i]);

		expect_value(c, vcpu_read(vm, 0, ids[i]), 0, "register 0x%llx", (unsigned long long)ids[i]);
		expect_ok(c, vcpu_set(vm, 0, ids[i], 0x1234), "writing it");
		expect_value(c, vcpu_read(vm, 0, ids[i]), 0, "register 0x%llx after that", (unsigned long long)ids[i]);
		if (guest_run(vm, 0, &op, 1))
			return 1;
		expect_value(c, op.res[0], 0, "the same in the guest");
	}
	return 0;
}

static int no_gic(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	struct guest_op ops[] = { OP_MRS(R_PFR0), OP_MRS(R_ICC_PMR) };
	uint64_t before;

	if (!vm)
		return 1;
	before = GIC(vcpu_read(vm, 0, R_PFR0));
	if (guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	if (c->release < KERNEL(6, 12)) {
		expect_value(c, GIC(ops[0].res[0]), before, "ID_AA64PFR0_EL1.GIC, before 6.12");
		return 0;
	}
	expect_value(c, GIC(ops[0].res[0]), 0, "ID_AA64PFR0_EL1.GIC in the guest");
	expect_value(c, GIC(vcpu_read(vm, 0, R_PFR0)), 0, "ID_AA64PFR0_EL1.GIC after a run");
	expect(c, ops[1].status == GUEST_STATUS_FAULT && ops[1].fault == ESR_UNDEFINED, "ICC_PMR_EL1 is undefined");
	return 0;
}

static int gic(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	struct guest_op ops[] = { OP_MRS(R_PFR0), OP_MRS(R_ICC_PMR) };
	struct gcpu_error err = { 0 };
	int fd;

	if (!vm)
		return 1;
	fd = make_gic(vm);
	if (fd == -ENODEV)
		return skip(c, "no vGICv3");
	if (!expect_ok(c, fd, "KVM_CREATE_DEVICE") ||
	    !expect(c, run_arm64_gic_init(c->kvm, fd, 1, &err) == 0, "%s", err.text) || guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	expect_value(c, GIC(ops[0].res[0]), 1, "ID_AA64PFR0_EL1.GIC in the guest");
	expect_value(c, GIC(vcpu_read(vm, 0, R_PFR0)), 1, "ID_AA64PFR0_EL1.GIC after a run");
	expect(c, ops[1].status == GUEST_STATUS_DONE, "ICC_PMR_EL1 can be read");
	return 0;
}

/* A run that was refused has looked for a vGIC, and left no trace that forbids one. */
static int gic_later(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, NO_INIT);
	bool told = c->release >= KERNEL(6, 18);
	int fd;

	if (!vm || !has_cap(c, CAP_ARM_PMU_V3))
		return vm ? skip(c, "no PMU") : 1;
	if (!expect_ok(c, vcpu_init(vm, 0, F_PSCI | F_PMU), "KVM_ARM_VCPU_INIT"))
		return 1;
	if (!GIC(vcpu_read(vm, 0, R_PFR0)))
		return skip(c, "no vGICv3");
	expect_errno(c, run_at_once(vm, 0), EINVAL, "KVM_RUN with a PMU that is not ready");
	expect_value(c, GIC(vcpu_read(vm, 0, R_PFR0)), c->release < KERNEL(6, 12), "ID_AA64PFR0_EL1.GIC after that");
	fd = make_gic(vm);
	if (!expect_ok(c, fd, "KVM_CREATE_DEVICE"))
		return 1;
	expect_value(c, GIC(vcpu_read(vm, 0, R_PFR0)), c->release < KERNEL(6, 12) || told,
		     "ID_AA64PFR0_EL1.GIC with the vGIC, which tells of itself since 6.18");
	return 0;
}

const struct conform_case cases_arm64_ids[] = {
	{ "ids:fixed-without-masks", "sys_regs.c set_id_reg of 6.1", fixed },
	{ "ids:vm-wide", "ST:arm64/set_id_regs", vm_wide },
	{ "ids:frozen", "ST:arm64/set_id_regs, vcpu-features.rst", frozen },
	{ "ids:frozen-by-immediate-exit", "arm.c kvm_arch_vcpu_run_pid_change", frozen_at_once },
	{ "ids:not-frozen-by-refusal", "arm.c kvm_arch_vcpu_run_pid_change", not_frozen },
	{ "ids:guest-sees", "ST:arm64/set_id_regs", guest_sees },
	{ "ids:reserved", "sys_regs.c", guest_reserved },
	{ "ids:mpidr", "sys_regs.c reset_mpidr", mpidr },
	{ "ids:clidr", "ST:arm64/set_id_regs, sys_regs.c set_clidr", clidr },
	{ "ids:implementation", "ST:arm64/set_id_regs, sys_regs.c set_imp_id_reg", imp_ids },
	{ "ids:aarch32", "ST:arm64/aarch32_id_regs", aarch32 },
	{ "ids:no-gic", "ST:arm64/no-vgic", no_gic },
	{ "ids:gic", "ST:arm64/no-vgic, sys_regs.c", gic },
	{ "ids:gic-later", "sys_regs.c kvm_finalize_sys_regs, vgic-init.c kvm_vgic_create", gic_later },
	{ NULL, NULL, NULL },
};

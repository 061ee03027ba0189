/* SPDX-License-Identifier: MIT */
/* The guest port, arm64: a vGICv3, the second vCPU initialised powered off. */
#include "live_guest.h"

#include <string.h>

#include "../../src/kvm/abi_arm64.h"

#define INIT_POWER_OFF (1U << 0)
#define INIT_PSCI_0_2 (1U << 2)
#define ESR_EC(esr) ((unsigned)((esr) >> 26 & 0x3f))
#define EC_UNKNOWN 0x00
#define EC_DATA_ABORT 0x25
#define SYSREG(op1, crm, op2) (3 << 14 | (op1) << 11 | (crm) << 3 | (op2))

int arch_make(struct live *l)
{
	struct gk_create_device dev = {.type = GK_DEV_TYPE_ARM_VGIC_V3};
	struct gk_arm_vcpu_init init;
	struct gcpu_error err;
	unsigned i;
	int r, gic;

	l->vm_fd = live_ioctl(l, l->kvm_fd, GK_CREATE_VM, NULL);
	if (l->vm_fd < 0) {
		printf("SKIP: guest-port: no VM: %s\n", strerror(-l->vm_fd));
		return 77;
	}
	gic = live_ioctl(l, l->vm_fd, GK_CREATE_DEVICE, &dev);
	if (gic < 0)
		printf("     no vGICv3: %s\n", strerror(-gic));
	for (i = 0; i < N_VCPUS; i++) {
		l->vcpu_id[i] = i;
		l->vcpu_fd[i] = live_ioctl(l, l->vm_fd, GK_CREATE_VCPU, (void *)(uintptr_t)i);
	}
	for (i = 0; i < N_VCPUS; i++) {
		r = live_ioctl(l, l->vm_fd, GK_ARM_PREFERRED_TARGET, &init);
		CHECK(r >= 0, "KVM_ARM_PREFERRED_TARGET: %d", r);
		init.features[0] = INIT_PSCI_0_2 | (i ? INIT_POWER_OFF : 0);
		r = live_ioctl(l, l->vcpu_fd[i], GK_ARM_VCPU_INIT, &init);
		CHECK(r >= 0, "KVM_ARM_VCPU_INIT: %d", r);
	}
	if (gic >= 0) {
		r = run_arm64_gic_init(l->kvm, (int)dev.fd, N_VCPUS, &err);
		CHECK(!r, "GIC: %s", err.text);
		l->kvm->ops->close(l->kvm->ctx, (int)dev.fd);
	}
	return 0;
}

static uint64_t get_reg(struct live *l, unsigned vcpu, uint64_t id)
{
	uint64_t value = 0;
	struct gk_one_reg reg = {.id = id, .addr = (uintptr_t)&value};
	int r = live_ioctl(l, l->vcpu_fd[vcpu], GK_GET_ONE_REG, &reg);

	CHECK(r >= 0, "KVM_GET_ONE_REG %llx: %d", (unsigned long long)id, r);
	return value;
}

static void test_mrs(struct live *l, unsigned vcpu)
{
	static const unsigned regs[] = {
		SYSREG(0, 0, 0), /* MIDR_EL1 */
		SYSREG(0, 0, 5), /* MPIDR_EL1 */
		SYSREG(0, 4, 0), SYSREG(0, 4, 1),		    /* ID_AA64PFR0..1 */
		SYSREG(0, 4, 4), SYSREG(0, 5, 0),		    /* ZFR0, DFR0 */
		SYSREG(0, 6, 0), SYSREG(0, 6, 1), SYSREG(0, 6, 2), /* ISAR0..2 */
		SYSREG(0, 7, 0), SYSREG(0, 7, 1), SYSREG(0, 7, 2), /* MMFR0..2 */
		SYSREG(3, 0, 1), /* CTR_EL0, see below */
	};
	const unsigned n = sizeof(regs) / sizeof(regs[0]);
	struct guest_op ops[sizeof(regs) / sizeof(regs[0])];
	unsigned i;

	memset(ops, 0, sizeof(ops));
	for (i = 0; i < n; i++) {
		ops[i].code = GUEST_OP_MRS;
		ops[i].arg[0] = regs[i];
	}
	live_run(l, vcpu, ops, n, 0, 0, NULL);
	for (i = 0; i < n; i++) {
		uint64_t kvm = get_reg(l, vcpu, GK_REG_ARM64 | GK_REG_SIZE_U64 | GK_REG_ARM64_SYSREG |
							regs[i]);

		/* 6.1 does not trap it: the guest sees the CPU's, KVM tells the kernel's. */
		if (regs[i] == SYSREG(3, 0, 1) && ops[i].res[0] != kvm) {
			printf("     CTR_EL0: KVM says %llx, guest %llx\n", (unsigned long long)kvm,
			       (unsigned long long)ops[i].res[0]);
			continue;
		}
		CHECK(ops[i].status == GUEST_STATUS_DONE && ops[i].res[0] == kvm,
		      "register %x: status %u, KVM says %llx, guest %llx", regs[i], ops[i].status,
		      (unsigned long long)kvm, (unsigned long long)ops[i].res[0]);
	}
	printf("     ID_AA64ISAR0_EL1 %llx on vCPU %u\n", (unsigned long long)ops[6].res[0], vcpu);
}

static void test_faults(struct live *l, unsigned vcpu)
{
	struct guest_op ops[] = {
		{.code = GUEST_OP_MRS, .arg = {3 << 14 | 0 << 11 | 15 << 7 | 15 << 3 | 7}},
		{.code = GUEST_OP_MRS, .arg = {3 << 14 | 4 << 11 | 1 << 7 | 1 << 3 | 0}}, /* HCR_EL2 */
		{.code = GUEST_OP_LOAD, .arg = {1ULL << 38, 8}},
		{.code = GUEST_OP_LOAD, .arg = {0x09001000, 4}}, /* nobody's */
		{.code = GUEST_OP_MRS, .arg = {1 << 14}},
		{.code = GUEST_OP_CPUID},
		{.code = GUEST_OP_MRS, .arg = {3 << 14 | 0 << 11 | 4 << 7 | 2 << 3 | 2}}, /* CurrentEL */
	};
	unsigned i;

	live_run(l, vcpu, ops, 7, 0, 0, NULL);
	for (i = 0; i < 2; i++)
		CHECK(ops[i].status == GUEST_STATUS_FAULT && ESR_EC(ops[i].fault) == EC_UNKNOWN,
		      "undefined register: status %u ESR %llx", ops[i].status,
		      (unsigned long long)ops[i].fault);
	CHECK(ops[2].status == GUEST_STATUS_FAULT && ESR_EC(ops[2].fault) == EC_DATA_ABORT,
	      "unmapped address: status %u ESR %llx", ops[2].status,
	      (unsigned long long)ops[2].fault);
	CHECK(ops[3].status == GUEST_STATUS_DONE && ops[3].res[0] == 0xffffffff,
	      "open bus: status %u, %llx", ops[3].status, (unsigned long long)ops[3].res[0]);
	CHECK(ops[4].status == GUEST_STATUS_UNKNOWN, "MRS of op0 1: %u", ops[4].status);
	CHECK(ops[5].status == GUEST_STATUS_UNKNOWN, "CPUID: %u", ops[5].status);
	CHECK(ops[6].res[0] == 4, "CurrentEL: %llx", (unsigned long long)ops[6].res[0]);
}

static void test_smccc(struct live *l, unsigned vcpu)
{
	struct guest_op ops[] = {
		{.code = GUEST_OP_SMCCC, .arg = {0x84000000}}, /* PSCI_VERSION */
		{.code = GUEST_OP_SMCCC, .arg = {0x8400fffe}}, /* no such call */
		{.code = GUEST_OP_SMCCC, .arg = {0x8600ff01}}, /* vendor's UID */
	};
	uint64_t psci = get_reg(l, vcpu, GK_REG_ARM_PSCI_VERSION);

	live_run(l, vcpu, ops, 3, 0, 0, NULL);
	CHECK(ops[0].res[0] == psci, "PSCI version: KVM says %llx, guest %llx",
	      (unsigned long long)psci, (unsigned long long)ops[0].res[0]);
	CHECK((uint32_t)ops[1].res[0] == 0xffffffff, "unknown call: %llx",
	      (unsigned long long)ops[1].res[0]);
	CHECK(ops[2].res[0] == 0xb66fb428 && ops[2].res[3] == 0x743a004d,
	      "UID: %llx %llx %llx %llx", (unsigned long long)ops[2].res[0],
	      (unsigned long long)ops[2].res[1], (unsigned long long)ops[2].res[2],
	      (unsigned long long)ops[2].res[3]);
}

static void test_instructions(struct live *l, unsigned vcpu)
{
	struct guest_op ops[] = {
		{.code = GUEST_OP_INSN, .arg = {0x8b010000, 40, 2}}, /* add x0, x0, x1 */
		{.code = GUEST_OP_INSN, .arg = {0, 1, 2}},	     /* undefined for ever */
		{.code = GUEST_OP_INSN, .arg = {0xd518d080, 0x600d}}, /* msr tpidr_el1, x0 */
		{.code = GUEST_OP_MRS, .arg = {3 << 14 | 0 << 11 | 13 << 7 | 0 << 3 | 4}},
	};

	live_run(l, vcpu, ops, 4, 0, 0, NULL);
	CHECK(ops[0].status == GUEST_STATUS_DONE && ops[0].res[0] == 42, "add: status %u, %llx", ops[0].status,
	      (unsigned long long)ops[0].res[0]);
	CHECK(ops[1].status == GUEST_STATUS_FAULT && ESR_EC(ops[1].fault) == EC_UNKNOWN, "udf: status %u ESR %llx",
	      ops[1].status, (unsigned long long)ops[1].fault);
	CHECK(ops[3].status == GUEST_STATUS_DONE && ops[3].res[0] == 0x600d, "TPIDR_EL1: status %u %u, %llx",
	      ops[2].status, ops[3].status, (unsigned long long)ops[3].res[0]);
}

/* By the guest's own counter it is never shorter. */
static void test_spin(struct live *l, unsigned vcpu)
{
	static const uint64_t cycles = 100000;
	struct guest_op ops[] = {
		{.code = GUEST_OP_MRS, .arg = {3 << 14 | 3 << 11 | 14 << 7 | 0 << 3 | 2}}, /* CNTVCT_EL0 */
		{.code = GUEST_OP_SPIN, .arg = {cycles}},
		{.code = GUEST_OP_MRS, .arg = {3 << 14 | 3 << 11 | 14 << 7 | 0 << 3 | 2}},
	};

	live_run(l, vcpu, ops, 3, 0, 0, NULL);
	CHECK(ops[1].status == GUEST_STATUS_DONE && ops[1].res[0] && !ops[1].res[1] && ops[1].res[2] >= cycles &&
		      ops[2].res[0] - ops[0].res[0] >= ops[1].res[2],
	      "spin: status %u, %llu rounds in %llu cycles", ops[1].status, (unsigned long long)ops[1].res[0],
	      (unsigned long long)ops[1].res[2]);
}

void arch_test(struct live *l)
{
	unsigned i;

	for (i = 0; i < N_VCPUS; i++) {
		test_mrs(l, i);
		test_faults(l, i);
		test_smccc(l, i);
		test_instructions(l, i);
		test_spin(l, i);
	}
}

/* PSCI SYSTEM_OFF */
void arch_ruin(struct live *l)
{
	struct guest_op ops[] = {
		{.code = GUEST_OP_MRS, .arg = {SYSREG(0, 0, 0)}},
		{.code = GUEST_OP_SMCCC, .arg = {0x84000008}},
	};
	struct gcpu_error err;

	live_run(l, 0, ops, 2, 1000, GCPU_ERR_KVM, &err);
	printf("     ruin: %s\n", err.text);
	CHECK(ops[0].status == GUEST_STATUS_DONE && ops[1].status == GUEST_STATUS_PENDING,
	      "results so far: %u %u", ops[0].status, ops[1].status);
	live_run(l, 0, ops, 1, 0, 0, NULL);
}

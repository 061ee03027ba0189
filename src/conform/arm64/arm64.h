/* SPDX-License-Identifier: MIT */
/*
 * What the cases of arm64 share. Numbers are those of Arm's documents (DDI0487, DEN0022, DEN0028,
 * DEN0057, DEN0098) and KVM's, written down once more on purpose, as in x86/numbers.h.
 */
#ifndef GCPU_CONFORM_ARM64_ARM64_H
#define GCPU_CONFORM_ARM64_ARM64_H

#include "../case.h"
#include "facts_gen.h" /* capability numbers */
#include "kvm/abi_arm64.h"

#define BIT32(n) (1U << (n))

/* Bits of KVM_ARM_VCPU_INIT. */
#define F_POWER_OFF BIT32(0)
#define F_32BIT BIT32(1)
#define F_PSCI BIT32(2)
#define F_PMU BIT32(3)
#define F_SVE BIT32(4)
#define F_PAUTH_ADDRESS BIT32(5)
#define F_PAUTH_GENERIC BIT32(6)
#define F_PAUTH (F_PAUTH_ADDRESS | F_PAUTH_GENERIC)
#define F_EL2 BIT32(7)
#define SVE 4 /* of KVM_ARM_VCPU_FINALIZE */

#define ID(op1, crm, op2) GK_ARM64_SYS_REG(3, op1, 0, crm, op2)
#define R_MIDR ID(0, 0, 0)
#define R_MPIDR ID(0, 0, 5)
#define R_REVIDR ID(0, 0, 6)
#define R_PFR0 ID(0, 4, 0)
#define R_PFR1 ID(0, 4, 1)
#define R_ZFR0 ID(0, 4, 4)
#define R_DFR0 ID(0, 5, 0)
#define R_ISAR0 ID(0, 6, 0)
#define R_ISAR1 ID(0, 6, 1)
#define R_ISAR2 ID(0, 6, 2)
#define R_MMFR0 ID(0, 7, 0)
#define R_MMFR1 ID(0, 7, 1)
#define R_MMFR2 ID(0, 7, 2)
#define R_CLIDR ID(1, 0, 1)
#define R_AIDR ID(1, 0, 7)
#define R_CTR ID(3, 0, 1)
/* AArch32's. */
#define R_PFR0_32 ID(0, 1, 0)
#define R_DFR0_32 ID(0, 1, 2)
#define R_ISAR0_32 ID(0, 2, 0)
#define R_ZCR GK_ARM64_SYS_REG(3, 0, 1, 2, 0)
#define R_SCTLR GK_ARM64_SYS_REG(3, 0, 1, 0, 0)
#define R_PMCR GK_ARM64_SYS_REG(3, 3, 9, 12, 0)
#define R_APIAKEYLO GK_ARM64_SYS_REG(3, 0, 2, 1, 0)
#define R_ICC_PMR GK_ARM64_SYS_REG(3, 0, 4, 6, 0)
#define R_V0 (GK_REG_ARM64 | GK_REG_SIZE_U128 | GK_REG_ARM_CORE | 0x54)
#define R_Z0 (GK_REG_ARM64 | GK_REG_SIZE_U2048 | GK_REG_ARM64_SVE)
#define LIST_MOST 1024

/* KVM_IRQ_LINE: of which kind, whose, which. */
#define IRQ_LINE(kind, vcpu, number) ((uint32_t)(kind) << 24 | (uint32_t)(vcpu) << 16 | (number))
#define IRQ_OF_CPU 0U
#define IRQ_SHARED 1U
#define IRQ_PRIVATE 2U

#define OP(code_, ...) { .code = (code_), .arg = { __VA_ARGS__ } }
#define OP_MRS(id) OP(GUEST_OP_MRS, (id) & GK_REG_ARM64_SYSREG_MASK)
#define OP_CALL(...) OP(GUEST_OP_SMCCC, __VA_ARGS__)
#define ESR_UNDEFINED 0x02000000U /* EC 0, IL */

/* SMCCC functions. */
#define C_VERSION 0x80000000U
#define C_FEATURES 0x80000001U
#define C_WORKAROUND_1 0x80008000U
#define C_WORKAROUND_2 0x80007fffU
#define C_WORKAROUND_3 0x80003fffU
#define C_PSCI_VERSION 0x84000000U
#define C_CPU_OFF 0x84000002U
#define C_CPU_ON 0xc4000003U
#define C_AFFINITY_INFO 0xc4000004U
#define C_MIGRATE_INFO_TYPE 0x84000006U
#define C_SYSTEM_OFF 0x84000008U
#define C_SYSTEM_RESET 0x84000009U
#define C_PSCI_FEATURES 0x8400000aU
#define C_SYSTEM_SUSPEND 0xc400000eU
#define C_SYSTEM_RESET2 0xc4000012U
#define C_SYSTEM_OFF2 0xc4000015U
#define C_TRNG_VERSION 0x84000050U
#define C_TRNG_FEATURES 0x84000051U
#define C_TRNG_UUID 0x84000052U
#define C_TRNG_RND 0x84000053U
#define C_TRNG_RND_64 0xc4000053U
#define C_PV_FEATURES 0xc5000020U
#define C_PV_ST 0xc5000021U
#define C_VENDOR_UID 0x8600ff01U
#define C_VENDOR_FEATURES 0x86000000U
#define C_PTP 0x86000001U
#define NOT_SUPPORTED (-1)
#define PSCI(major, minor) ((uint64_t)(major) << 16 | (minor))

/* machine.c. Registers: 0 or -errno; of at most 64 bits. */
int vcpu_get(struct conform_vm *vm, unsigned vcpu, uint64_t id, uint64_t *ret);
int vcpu_set(struct conform_vm *vm, unsigned vcpu, uint64_t id, uint64_t value);
/* The same, asserted; 0 where it could not be read. */
uint64_t vcpu_read(struct conform_vm *vm, unsigned vcpu, uint64_t id);
/* KVM_ARM_VCPU_INIT: 0 or -errno. */
int vcpu_init(struct conform_vm *vm, unsigned vcpu, uint32_t features);
int init_words(struct conform_vm *vm, unsigned vcpu, uint32_t target, const uint32_t features[7]);
int vcpu_finalize(struct conform_vm *vm, unsigned vcpu, int feature);
/* KVM_GET_REG_LIST, at most LIST_MOST: 0 or -errno. */
struct reg_list {
	uint64_t n, reg[LIST_MOST];
};
int get_list(struct conform_vm *vm, unsigned vcpu, struct reg_list *ret);
bool list_has(const struct reg_list *l, uint64_t id);
/* Device attributes: 0 or -errno. */
int attr_set(struct conform *c, int fd, uint32_t group, uint64_t attr, const void *value);
int attr_get(struct conform *c, int fd, uint32_t group, uint64_t attr, void *ret);
int attr_has(struct conform *c, int fd, uint32_t group, uint64_t attr);
/* KVM_IRQ_LINE, low: 0 or -errno. */
int irq_line(struct conform_vm *vm, uint32_t irq);
int mp_state(struct conform_vm *vm, unsigned vcpu);
int set_mp_state(struct conform_vm *vm, unsigned vcpu, uint32_t state);
/* Can this KVM give the capability? */
bool has_cap(struct conform *c, unsigned cap);
/* A VM with vCPUs, initialised with FEATURES (SVE finalised, too) unless that is NO_INIT. NULL: broken. */
#define NO_INIT (~0U)
struct conform_vm *arm64_vm(struct conform *c, unsigned vcpus, uint32_t features);
/* A vGICv3: descriptor, or -errno. It goes with the case. */
int make_gic(struct conform_vm *vm);
/* KVM_RUN once, with the guest going nowhere: 0, -EINTR or what it refused. */
int run_at_once(struct conform_vm *vm, unsigned vcpu);
/* Some list of the guest, which then has run. Not 0: broken. */
int guest_once(struct conform_vm *vm, unsigned vcpu);
/* One call of the guest. Not 0: broken. */
int call_firmware(struct conform_vm *vm, unsigned vcpu, struct guest_op *op);
/* What it returned, of 32 bits. */
static inline int said(const struct guest_op *op)
{
	return (int)(uint32_t)op->res[0];
}
/* The guest calls F with one argument, and is told WANT. */
void expect_said(struct conform_vm *vm, uint32_t f, uint64_t arg, int want, const char *what);

#define ARM64_TABLE(name) extern const struct conform_case name[]
ARM64_TABLE(cases_arm64_vm);
ARM64_TABLE(cases_arm64_init);
ARM64_TABLE(cases_arm64_regs);
ARM64_TABLE(cases_arm64_ids);
ARM64_TABLE(cases_arm64_fields);
ARM64_TABLE(cases_arm64_sve);
ARM64_TABLE(cases_arm64_firmware);
ARM64_TABLE(cases_arm64_calls);
ARM64_TABLE(cases_arm64_psci);
ARM64_TABLE(cases_arm64_filter);
ARM64_TABLE(cases_arm64_attrs);
ARM64_TABLE(cases_arm64_gic);
ARM64_TABLE(cases_arm64_events);

#endif

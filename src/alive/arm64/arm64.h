/* SPDX-License-Identifier: MIT */
/* What the exercises of arm64 share: SMCCC calls, system registers, KVM's own registers; and all of them. */
#ifndef GCPU_ALIVE_ARM64_ARM64_H
#define GCPU_ALIVE_ARM64_ARM64_H

#include "../lab.h"
#include "../ops.h"

/* Answers of SMCCC calls and of what is built on them, signed. Arm DEN0028, DEN0022, DEN0098. */
enum { SMCCC_SUCCESS = 0, SMCCC_NOT_SUPPORTED = -1, SMCCC_NOT_REQUIRED = -2, PSCI_INVALID = -2, TRNG_INVALID = -2 };

/* System registers that no table is about, as MRS and MSR have them. */
#define SYSREG(op0, op1, crn, crm, op2) ((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
#define REG_SCTLR_EL1 SYSREG(3, 0, 1, 0, 0)
#define REG_CPACR_EL1 SYSREG(3, 0, 1, 0, 2)
#define REG_ZCR_EL1 SYSREG(3, 0, 1, 2, 0)
#define REG_CNTVCT_EL0 SYSREG(3, 3, 14, 0, 2)
#define REG_CNTPCT_EL0 SYSREG(3, 3, 14, 0, 1)

/* MSR reg, X0; of its fields op0 is there already. */
#define INSN_MSR 0xd5000000U

#define OP_INSN(...) OP(GUEST_OP_INSN, __VA_ARGS__)
#define OP_MRS(reg) OP(GUEST_OP_MRS, (reg))
#define OP_MSR(reg, value) OP(GUEST_OP_INSN, INSN_MSR | (uint32_t)(reg) << 5, (value))

/* The SMCCC call ARM64_CALL_..., with up to four arguments. */
#define op_call(lab, ...) op_smccc((lab), (const uint64_t[5]){ __VA_ARGS__ })
struct guest_op op_smccc(const struct lab *lab, const uint64_t call_and_args[static 5]);

/* What a call answered. 32-bit calls leave the high half of X0 open. */
static inline int smccc_said(const struct guest_op *op)
{
	return (int)(uint32_t)op->res[0];
}

/* Was it undefined to the guest? Exception class 0: for no reason that the CPU tells. */
static inline bool op_undef(const struct guest_op *op)
{
	return op->status == GUEST_STATUS_FAULT && (op->fault >> 26 & 0x3f) == 0;
}

/* "value 12" or "undefined" or "exception ..."; in a buffer of the caller's. */
const char *op_text(const struct guest_op *op, char text[static 32]);

/* The field as this guest reads it, by MRS. Not 0: it went wrong, and the outcome says so. */
int read_field(struct lab *lab, unsigned field, uint64_t *ret);

/* A register of KVM's, by ONE_REG: 0 or -errno. */
int get_reg(const struct lab *lab, unsigned vcpu, uint64_t id, uint64_t *ret);
int set_reg(const struct lab *lab, unsigned vcpu, uint64_t id, uint64_t value);

/* A device attribute of a VM or vCPU descriptor: its result or -errno. */
int set_attr(const struct lab *lab, int fd, uint32_t group, uint64_t attr, const void *value);

/* Let the vCPU run a little, so that the VM has run. */
int run_once(struct lab *lab, unsigned vcpu);

/* KVM's own calls, of the bitmap that it tells: bit NUMBER. Negative: it went wrong. */
enum { VENDOR_FUNCTION_PTP = 1, VENDOR_FUNCTION_VER = 64, VENDOR_FUNCTION_CPUS = 65 };
int vendor_told(struct lab *lab, unsigned number);

/* All that this host gives, whatever the user asked for: of a lab_want. */
#define PLAIN .plain = true

extern const struct exercise exercise_psci_0_2;
extern const struct exercise exercise_psci_version;
extern const struct exercise exercise_psci_system_off2;
extern const struct exercise exercise_workaround_1;
extern const struct exercise exercise_workaround_2;
extern const struct exercise exercise_workaround_3;
extern const struct exercise exercise_trng;
extern const struct exercise exercise_pv_time;
extern const struct exercise exercise_vendor_features;
extern const struct exercise exercise_ptp;
extern const struct exercise exercise_discover_ver;
extern const struct exercise exercise_discover_cpus;
extern const struct exercise exercise_pmu;
extern const struct exercise exercise_sve;
extern const struct exercise exercise_pauth_address;
extern const struct exercise exercise_pauth_generic;
extern const struct exercise exercise_id_after_run;
extern const struct exercise exercise_id_init_again;
extern const struct exercise exercise_id_shared;
extern const struct exercise exercise_bitmap_after_run;
extern const struct exercise exercise_bitmap_unknown;
extern const struct exercise exercise_psci_after_run;
extern const struct exercise exercise_workaround_lowered;
extern const struct exercise exercise_init_other_set;
extern const struct exercise exercise_pv_time_attribute;
extern const struct exercise exercise_trng_no_bits;
extern const struct exercise exercise_filter_deny;
extern const struct exercise exercise_filter_forward;
extern const struct exercise exercise_filter_late;
extern const struct exercise exercise_no_gic;

#endif

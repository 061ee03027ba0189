/* SPDX-License-Identifier: MIT */
/*
 * KVM's binary interface, arm64. See abi.h for the rules. The feature bits of
 * KVM_ARM_VCPU_INIT are facts and live in data/arm64.
 */
#ifndef GCPU_KVM_ABI_ARM64_H
#define GCPU_KVM_ABI_ARM64_H

#include "abi.h"

/* VM file descriptor. */
#define GK_ARM_SET_COUNTER_OFFSET 0x4010AEB5UL
#define GK_ARM_PREFERRED_TARGET 0x8020AEAFUL
#define GK_ARM_GET_REG_WRITABLE_MASKS 0x8040AEB6UL

/* vCPU file descriptor. */
#define GK_ARM_VCPU_INIT 0x4020AEAEUL
#define GK_ARM_VCPU_FINALIZE 0x4004AEC2UL

/* Any CPU: the only target that KVM still has a name for. */
#define GK_ARM_TARGET_GENERIC_V8 5

struct gk_arm_vcpu_init {
	uint32_t target;
	uint32_t features[7];
};

struct gk_reg_mask_range {
	uint64_t addr; /* of the array of masks, in this process */
	uint32_t range;
	uint32_t reserved[13];
};

#define GK_ARM_FEATURE_ID_RANGE 0
#define GK_ARM_FEATURE_ID_RANGE_SIZE 192

/* Where a register of the feature id space is in the array of masks. */
#define GK_ARM_FEATURE_ID_RANGE_IDX(op0, op1, crn, crm, op2) \
	((((op1) == 3 ? 2 : (op1)) << 6) | ((crm) << 3) | (op2))

struct gk_arm_counter_offset {
	uint64_t counter_offset;
	uint64_t reserved;
};

/* Which kind of register an id means: core, system, firmware, ... */
#define GK_REG_ARM_KIND_MASK 0x000000000fff0000ULL

/* Core registers: an index of 32-bit words into the kernel's struct. */
#define GK_REG_ARM_CORE 0x0000000000100000ULL
#define GK_REG_ARM_CORE_U64(word) \
	(GK_REG_ARM64 | GK_REG_SIZE_U64 | GK_REG_ARM_CORE | (word))
#define GK_REG_ARM_X(n) GK_REG_ARM_CORE_U64(2ULL * (n)) /* n 0 to 30 */
#define GK_REG_ARM_SP GK_REG_ARM_CORE_U64(0x3eULL)      /* SP_EL0 */
#define GK_REG_ARM_PC GK_REG_ARM_CORE_U64(0x40ULL)
#define GK_REG_ARM_PSTATE GK_REG_ARM_CORE_U64(0x42ULL)
#define GK_REG_ARM_SP_EL1 GK_REG_ARM_CORE_U64(0x44ULL)
#define GK_REG_ARM_ELR_EL1 GK_REG_ARM_CORE_U64(0x46ULL)
#define GK_REG_ARM_SPSR_EL1 GK_REG_ARM_CORE_U64(0x48ULL)

/* System registers: op0, op1, CRn, CRm, op2 in the low 16 bits. */
#define GK_REG_ARM64_SYSREG 0x0000000000130000ULL
#define GK_REG_ARM64_SYSREG_MASK 0x000000000000ffffULL
#define GK_ARM64_SYS_REG(op0, op1, crn, crm, op2)                                         \
	(GK_REG_ARM64 | GK_REG_SIZE_U64 | GK_REG_ARM64_SYSREG | (uint64_t)(op0) << 14 |   \
	 (uint64_t)(op1) << 11 | (uint64_t)(crn) << 7 | (uint64_t)(crm) << 3 | (uint64_t)(op2))

/* Registers of the firmware that KVM plays. */
#define GK_REG_ARM_DEMUX 0x0000000000110000ULL
#define GK_REG_ARM_FW 0x0000000000140000ULL
#define GK_REG_ARM_FW_REG(r) (GK_REG_ARM64 | GK_REG_SIZE_U64 | GK_REG_ARM_FW | (r))
#define GK_REG_ARM_PSCI_VERSION GK_REG_ARM_FW_REG(0)
#define GK_REG_ARM_SMCCC_ARCH_WORKAROUND_1 GK_REG_ARM_FW_REG(1)
#define GK_REG_ARM_SMCCC_ARCH_WORKAROUND_2 GK_REG_ARM_FW_REG(2)
#define GK_REG_ARM_SMCCC_ARCH_WORKAROUND_3 GK_REG_ARM_FW_REG(3)
#define GK_REG_ARM_SMCCC_ARCH_WORKAROUND_2_NOT_AVAIL 0U
#define GK_REG_ARM_SMCCC_ARCH_WORKAROUND_2_AVAIL 2U
#define GK_REG_ARM_SMCCC_ARCH_WORKAROUND_2_NOT_REQUIRED 3U
#define GK_REG_ARM_SMCCC_ARCH_WORKAROUND_2_ENABLED 0x10U

#define GK_REG_ARM_FW_FEAT_BMAP 0x0000000000160000ULL
#define GK_REG_ARM_FW_FEAT_BMAP_REG(r) \
	(GK_REG_ARM64 | GK_REG_SIZE_U64 | GK_REG_ARM_FW_FEAT_BMAP | (r))
#define GK_REG_ARM_STD_BMAP GK_REG_ARM_FW_FEAT_BMAP_REG(0)
#define GK_REG_ARM_STD_HYP_BMAP GK_REG_ARM_FW_FEAT_BMAP_REG(1)
#define GK_REG_ARM_VENDOR_HYP_BMAP GK_REG_ARM_FW_FEAT_BMAP_REG(2)
#define GK_REG_ARM_VENDOR_HYP_BMAP_2 GK_REG_ARM_FW_FEAT_BMAP_REG(3)

/* SVE: the set of vector lengths, 512 bits. */
#define GK_REG_ARM64_SVE 0x0000000000150000ULL
#define GK_REG_ARM64_SVE_VLS \
	(GK_REG_ARM64 | GK_REG_SIZE_U512 | GK_REG_ARM64_SVE | 0xffffULL)
#define GK_ARM64_SVE_VLS_WORDS 8

/* vGICv2 and vGICv3 (the device types are in abi.h). */
#define GK_DEV_ARM_VGIC_GRP_ADDR 0
#define GK_DEV_ARM_VGIC_GRP_DIST_REGS 1
#define GK_DEV_ARM_VGIC_GRP_CPU_REGS 2
#define GK_DEV_ARM_VGIC_GRP_NR_IRQS 3
#define GK_DEV_ARM_VGIC_GRP_CTRL 4
#define GK_DEV_ARM_VGIC_GRP_REDIST_REGS 5
#define GK_DEV_ARM_VGIC_GRP_CPU_SYSREGS 6
#define GK_DEV_ARM_VGIC_GRP_LEVEL_INFO 7
#define GK_DEV_ARM_VGIC_CTRL_INIT 0
#define GK_VGIC_V2_ADDR_TYPE_DIST 0
#define GK_VGIC_V2_ADDR_TYPE_CPU 1
#define GK_VGIC_V3_ADDR_TYPE_DIST 2
#define GK_VGIC_V3_ADDR_TYPE_REDIST 3
#define GK_VGIC_V3_ADDR_TYPE_REDIST_REGION 5
#define GK_VGIC_V3_DIST_SIZE 0x10000UL
#define GK_VGIC_V3_REDIST_SIZE 0x20000UL /* per vCPU */

/* KVM_*_DEVICE_ATTR on a vCPU. */
#define GK_ARM_VCPU_PMU_V3_CTRL 0
#define GK_ARM_VCPU_PMU_V3_IRQ 0
#define GK_ARM_VCPU_PMU_V3_INIT 1
#define GK_ARM_VCPU_PMU_V3_FILTER 2
#define GK_ARM_VCPU_PMU_V3_SET_PMU 3
#define GK_ARM_VCPU_PMU_V3_SET_NR_COUNTERS 4
#define GK_ARM_VCPU_TIMER_CTRL 1
#define GK_ARM_VCPU_TIMER_IRQ_VTIMER 0
#define GK_ARM_VCPU_TIMER_IRQ_PTIMER 1
#define GK_ARM_VCPU_TIMER_IRQ_HVTIMER 2
#define GK_ARM_VCPU_TIMER_IRQ_HPTIMER 3
#define GK_ARM_VCPU_PVTIME_CTRL 2
#define GK_ARM_VCPU_PVTIME_IPA 0

/* KVM_*_DEVICE_ATTR on a VM. */
#define GK_ARM_VM_SMCCC_CTRL 0
#define GK_ARM_VM_SMCCC_FILTER 0

/* What becomes of the SMCCC calls of a range; since 6.4. */
#define GK_SMCCC_FILTER_HANDLE 0
#define GK_SMCCC_FILTER_DENY 1
#define GK_SMCCC_FILTER_FWD_TO_USER 2

struct gk_smccc_filter {
	uint32_t base;
	uint32_t nr_functions;
	uint8_t action;
	uint8_t pad[15];
};

/* KVM_IRQ_LINE, the number of the interrupt. */
#define GK_ARM_IRQ_TYPE_SHIFT 24
#define GK_ARM_IRQ_VCPU_SHIFT 16
#define GK_ARM_IRQ_TYPE_CPU 0U
#define GK_ARM_IRQ_TYPE_SPI 1U
#define GK_ARM_IRQ_TYPE_PPI 2U

#endif

/* SPDX-License-Identifier: MIT */
/*
 * KVM's binary interface: calls that the library itself never makes, and that
 * VMMs make of the software KVM. See abi.h for the rules.
 */
#ifndef GCPU_KVM_ABI_MORE_H
#define GCPU_KVM_ABI_MORE_H

#include "abi_x86.h"

#define GK_SET_IRQCHIP 0x8208AE63UL
#define GK_GET_IRQCHIP 0xC208AE62UL
#define GK_CREATE_PIT2 0x4040AE77UL
#define GK_SET_PIT2 0x4070AEA0UL
#define GK_GET_PIT2 0x8070AE9FUL
#define GK_REINJECT_CONTROL 0xAE71UL
#define GK_SET_PMU_EVENT_FILTER 0x4020AEB2UL
#define GK_IRQ_LINE_STATUS 0xC008AE67UL
#define GK_IOEVENTFD 0x4040AE79UL
#define GK_REGISTER_COALESCED_MMIO 0x4010AE67UL
#define GK_UNREGISTER_COALESCED_MMIO 0x4010AE68UL
#define GK_GET_DIRTY_LOG 0x4010AE42UL
#define GK_RESET_DIRTY_RINGS 0xAEC7UL
#define GK_SET_FPU 0x41A0AE8DUL
#define GK_GET_FPU 0x81A0AE8CUL
#define GK_SET_DEBUGREGS 0x4080AEA2UL
#define GK_GET_DEBUGREGS 0x8080AEA1UL
#define GK_STATE_NESTED_FORMAT_VMX 0
#define GK_STATE_NESTED_FORMAT_SVM 1
#define GK_STATE_NESTED_GIF_SET 0x100

/* The head; what a guest's guest has may follow. */
struct gk_nested_state {
	uint16_t flags;
	uint16_t format;
	uint32_t size; /* with the head */
	uint8_t hdr[120];
};

#define GK_SET_NESTED_STATE 0x4080AEBFUL
#define GK_GET_NESTED_STATE 0xC080AEBEUL
#define GK_SET_GUEST_DEBUG 0x4048AE9BUL
#define GK_TPR_ACCESS_REPORTING 0xC028AE92UL
#define GK_SET_VAPIC_ADDR 0x4008AE93UL
#define GK_SET_VCPU_EVENTS 0x4040AEA0UL
#define GK_GET_VCPU_EVENTS 0x8040AE9FUL
#define GK_SET_SIGNAL_MASK 0x4004AE8BUL
#define GK_GET_SREGS2 0x8140AECCUL
#define GK_SET_SREGS2 0x4140AECDUL
#define GK_TRANSLATE 0xC018AE85UL
#define GK_SMI 0xAEB7UL

struct gk_x86_sregs2 {
	GK_X86_SREGS_HEAD
	uint64_t flags;
	uint64_t pdptrs[4];
};

/* Of a register's id on x86: what it is. */
#define GK_X86_REG_TYPE_MSR (2ULL << 32)
#define GK_SREGS2_FLAGS_PDPTRS_VALID 1U

struct gk_debugregs {
	uint64_t db[4];
	uint64_t dr6, dr7;
	uint64_t flags;
	uint64_t reserved[9];
};

#define GK_VCPUEVENT_VALID_NMI_PENDING (1U << 0)
#define GK_VCPUEVENT_VALID_SIPI_VECTOR (1U << 1)
#define GK_VCPUEVENT_VALID_SHADOW (1U << 2)
#define GK_VCPUEVENT_VALID_SMM (1U << 3)
#define GK_VCPUEVENT_VALID_PAYLOAD (1U << 4)
#define GK_VCPUEVENT_VALID_TRIPLE_FAULT (1U << 5)

struct gk_vcpu_events {
	struct {
		uint8_t injected, nr, has_error_code, pending;
		uint32_t error_code;
	} exception;
	struct {
		uint8_t injected, nr, soft, shadow;
	} interrupt;
	struct {
		uint8_t injected, pending, masked, pad;
	} nmi;
	uint32_t sipi_vector;
	uint32_t flags;
	struct {
		uint8_t smm, pending, smm_inside_nmi, latched_init;
	} smi;
	struct {
		uint8_t pending;
	} triple_fault;
	uint8_t reserved[26];
	uint8_t exception_has_payload;
	uint64_t exception_payload;
};

struct gk_fpu {
	uint8_t fpr[8][16];
	uint16_t fcw, fsw;
	uint8_t ftwx, pad1;
	uint16_t last_opcode;
	uint64_t last_ip, last_dp;
	uint8_t xmm[16][16];
	uint32_t mxcsr, pad2;
};

#endif

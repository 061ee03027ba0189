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
#define GK_GET_PIT 0xC048AE65UL
#define GK_SET_PIT 0x8048AE66UL
#define GK_REINJECT_CONTROL 0xAE71UL
#define GK_CREATE_PIT 0xAE64UL
#define GK_SET_NR_MMU_PAGES 0xAE44UL
#define GK_CLEAR_DIRTY_LOG 0xC018AEC0UL
#define GK_PMU_EVENT_DENY 1U
#define GK_PMU_EVENT_FLAG_MASKED_EVENTS (1U << 0)
#define GK_NR_IRQCHIPS 3U /* two PICs, an IOAPIC */

#define GK_PIT_CHANNELS 3U

struct gk_pit_channel {
	uint32_t count; /* up to 65536, which is also said as 0 */
	uint16_t latched_count;
	uint8_t count_latched, status_latched, status, read_state, write_state, write_latch, rw_mode, mode, bcd, gate;
	int64_t count_load_time; /* ns */
};

struct gk_pit_state2 {
	struct gk_pit_channel channels[GK_PIT_CHANNELS];
	uint32_t flags; /* which KVM_GET_PIT does not have, nor what follows */
	uint32_t reserved[9];
};
#define GK_PIT_STATE_SIZE (GK_PIT_CHANNELS * sizeof(struct gk_pit_channel))

struct gk_reinject_control {
	uint8_t pit_reinject;
	uint8_t reserved[31];
};

struct gk_pmu_event_filter {
	uint32_t action;
	uint32_t nevents;
	uint32_t fixed_counter_bitmap;
	uint32_t flags;
	uint32_t pad[4];
	uint64_t events[];
};

#define GK_IRQCHIP_IOAPIC 2U
#define GK_IOAPIC_PINS 24U

struct gk_pic_state {
	uint8_t last_irr, irr, imr, isr, priority_add, irq_base, read_reg_select, poll, special_mask, init_state;
	uint8_t auto_eoi, rotate_on_auto_eoi, special_fully_nested_mode, init4, elcr, elcr_mask;
};

struct gk_ioapic_state {
	uint64_t base_address;
	uint32_t ioregsel, id, irr, pad;
	uint64_t redirtbl[GK_IOAPIC_PINS];
};

struct gk_irqchip {
	uint32_t chip_id;
	uint32_t pad;
	union {
		char dummy[512];
		struct gk_pic_state pic;
		struct gk_ioapic_state ioapic;
	} chip;
};

struct gk_dirty_log {
	uint32_t slot; /* and its address space, in the upper half */
	uint32_t pad;
	uint64_t bitmap; /* in this process, a bit for each page */
};

struct gk_clear_dirty_log {
	uint32_t slot;
	uint32_t num_pages;
	uint64_t first_page;
	uint64_t bitmap;
};

struct gk_signal_mask {
	uint32_t len; /* bytes that follow */
	uint8_t sigset[];
};
#define GK_SET_PMU_EVENT_FILTER 0x4020AEB2UL
#define GK_IRQ_LINE_STATUS 0xC008AE67UL
#define GK_IOEVENTFD 0x4040AE79UL
#define GK_IOEVENTFD_FLAG_DATAMATCH (1U << 0)
#define GK_IOEVENTFD_FLAG_PIO (1U << 1)
#define GK_IOEVENTFD_FLAG_DEASSIGN (1U << 2)
#define GK_IOEVENTFD_FLAG_CCW (1U << 3)
#define GK_IOEVENTFD_FLAGS 0xfU /* all that there are */

struct gk_ioeventfd {
	uint64_t datamatch;
	uint64_t addr;
	uint32_t len;
	int32_t fd;
	uint32_t flags;
	uint8_t pad[36];
};
/* Not in the software KVM: they have their names in a trace. */
#define GK_XEN_HVM_CONFIG 0x4038AE7AUL
#define GK_XEN_HVM_GET_ATTR 0xC048AEC8UL
#define GK_XEN_HVM_SET_ATTR 0x4048AEC9UL
#define GK_XEN_VCPU_GET_ATTR 0xC048AECAUL
#define GK_XEN_VCPU_SET_ATTR 0x4048AECBUL
#define GK_HYPERV_EVENTFD 0x4018AEBDUL
#define GK_HYPERV_EVENTFD_DEASSIGN (1U << 0)
#define GK_HYPERV_CONN_ID_MASK 0x00ffffffU

struct gk_hyperv_eventfd {
	uint32_t conn_id;
	int32_t fd;
	uint32_t flags;
	uint32_t padding[3];
};
#define GK_REGISTER_COALESCED_MMIO 0x4010AE67UL
#define GK_UNREGISTER_COALESCED_MMIO 0x4010AE68UL

struct gk_coalesced_zone {
	uint64_t addr;
	uint32_t size;
	uint32_t pio;
};

#define GK_SET_USER_MEMORY_REGION2 0x40A0AE49UL

struct gk_userspace_memory_region2 {
	uint32_t slot, flags;
	uint64_t guest_phys_addr;
	uint64_t memory_size;
	uint64_t userspace_addr;
	uint64_t guest_memfd_offset;
	uint32_t guest_memfd, pad1;
	uint64_t pad2[14];
};

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
#define GK_GUESTDBG_INJECT_DB 0x40000U
#define GK_GUESTDBG_INJECT_BP 0x80000U
#define GK_ARM_SET_GUEST_DEBUG 0x4208AE9BUL

/* The beginning of struct kvm_guest_debug. */
struct gk_guest_debug {
	uint32_t control;
	uint32_t pad;
	uint64_t debugreg[8];
};

struct gk_arm_guest_debug {
	uint32_t control;
	uint32_t pad;
	uint64_t regs[64]; /* breakpoints and watchpoints, values and controls */
};

/* arm64's; x86's is struct gk_vcpu_events. */
struct gk_arm_vcpu_events {
	uint8_t serror_pending, serror_has_esr, ext_dabt_pending, pad[5];
	uint64_t serror_esr;
	uint32_t reserved[12];
};

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
#define GK_X86_REG_TYPE_KVM (3ULL << 32)
#define GK_X86_REG_GUEST_SSP 0U /* the only one of KVM's own */
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

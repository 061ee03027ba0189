/* SPDX-License-Identifier: MIT */
/*
 * KVM's binary interface, x86. See abi.h for the rules; struct kvm_regs and
 * its kin, which every architecture defines in its own way, are gk_x86_*.
 */
#ifndef GCPU_KVM_ABI_X86_H
#define GCPU_KVM_ABI_X86_H

#include "abi.h"

/* System file descriptor. */
#define GK_GET_MSR_INDEX_LIST 0xC004AE02UL
#define GK_GET_SUPPORTED_CPUID 0xC008AE05UL
#define GK_GET_EMULATED_CPUID 0xC008AE09UL
#define GK_GET_MSR_FEATURE_INDEX_LIST 0xC004AE0AUL
#define GK_GET_SUPPORTED_HV_CPUID 0xC008AEC1UL /* vCPU as well */

/* VM file descriptor. */
#define GK_SET_TSS_ADDR 0xAE47UL
#define GK_SET_IDENTITY_MAP_ADDR 0x4008AE48UL
#define GK_SET_BOOT_CPU_ID 0xAE78UL
#define GK_SET_CLOCK 0x4030AE7BUL
#define GK_GET_CLOCK 0x8030AE7CUL
#define GK_X86_SET_MSR_FILTER 0x4188AEC6UL

/* vCPU file descriptor. */
#define GK_GET_REGS 0x8090AE81UL
#define GK_SET_REGS 0x4090AE82UL
#define GK_GET_SREGS 0x8138AE83UL
#define GK_SET_SREGS 0x4138AE84UL
#define GK_INTERRUPT 0x4004AE86UL
#define GK_GET_MSRS 0xC008AE88UL /* system as well: feature MSRs */
#define GK_SET_MSRS 0x4008AE89UL
#define GK_SET_CPUID 0x4008AE8AUL
#define GK_GET_LAPIC 0x8400AE8EUL
#define GK_SET_LAPIC 0x4400AE8FUL
#define GK_SET_CPUID2 0x4008AE90UL
#define GK_GET_CPUID2 0xC008AE91UL
#define GK_NMI 0xAE9AUL
/* Most entries of KVM_SET_CPUID2, KVM_MAX_CPUID_ENTRIES: not in the user API's headers. */
#define GK_CPUID_ENTRIES_MOST 256
#define GK_PMU_CAP_DISABLE (1U << 0)
#define GK_X2APIC_API_USE_32BIT_IDS (1U << 0)
#define GK_X2APIC_API_DISABLE_BROADCAST_QUIRK (1U << 1)
#define GK_X2APIC_ENABLE_SUPPRESS_EOI_BROADCAST (1U << 2)
#define GK_X2APIC_DISABLE_SUPPRESS_EOI_BROADCAST (1U << 3)
/* on and off of one thing */
#define GK_X2APIC_SUPPRESS_EOI_MASK (GK_X2APIC_ENABLE_SUPPRESS_EOI_BROADCAST | GK_X2APIC_DISABLE_SUPPRESS_EOI_BROADCAST)
#define GK_X86_SETUP_MCE 0x4008AE9CUL
#define GK_X86_GET_MCE_CAP_SUPPORTED 0x8008AE9DUL
#define GK_SET_TSC_KHZ 0xAEA2UL /* VM as well */
#define GK_GET_TSC_KHZ 0xAEA3UL /* VM as well */
#define GK_GET_XSAVE 0x9000AEA4UL
#define GK_SET_XSAVE 0x5000AEA5UL
#define GK_GET_XCRS 0x8188AEA6UL
#define GK_SET_XCRS 0x4188AEA7UL
#define GK_KVMCLOCK_CTRL 0xAEADUL
#define GK_GET_XSAVE2 0x9000AECFUL

/* The misspelling is the real name. */
#define GK_CPUID_FLAG_SIGNIFCANT_INDEX (1U << 0)
#define GK_CPUID_FLAG_STATEFUL_FUNC (1U << 1)
#define GK_CPUID_FLAG_STATE_READ_NEXT (1U << 2)

struct gk_cpuid_entry {
	uint32_t function;
	uint32_t eax;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
	uint32_t padding;
};

struct gk_cpuid {
	uint32_t nent;
	uint32_t padding;
	struct gk_cpuid_entry entries[];
};

struct gk_cpuid_entry2 {
	uint32_t function;
	uint32_t index;
	uint32_t flags;
	uint32_t eax;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
	uint32_t padding[3];
};

struct gk_cpuid2 {
	uint32_t nent;
	uint32_t padding;
	struct gk_cpuid_entry2 entries[];
};

struct gk_msr_list {
	uint32_t nmsrs;
	uint32_t indices[];
};

struct gk_msr_entry {
	uint32_t index;
	uint32_t reserved;
	uint64_t data;
};

struct gk_msrs {
	uint32_t nmsrs;
	uint32_t pad;
	struct gk_msr_entry entries[];
};

#define GK_MSR_FILTER_MAX_RANGES 16
#define GK_MSR_FILTER_MAX_BITMAP_SIZE 0x600
#define GK_MSR_FILTER_READ (1U << 0)
#define GK_MSR_FILTER_WRITE (1U << 1)
#define GK_MSR_FILTER_DEFAULT_ALLOW 0U
#define GK_MSR_FILTER_DEFAULT_DENY (1U << 0)

struct gk_msr_filter_range {
	uint32_t flags;
	uint32_t nmsrs;
	uint32_t base;
	uint8_t *bitmap; /* 1 allows, 0 denies */
};

struct gk_msr_filter {
	uint32_t flags;
	struct gk_msr_filter_range ranges[GK_MSR_FILTER_MAX_RANGES];
};

struct gk_x86_regs {
	uint64_t rax, rbx, rcx, rdx;
	uint64_t rsi, rdi, rsp, rbp;
	uint64_t r8, r9, r10, r11;
	uint64_t r12, r13, r14, r15;
	uint64_t rip, rflags;
};

struct gk_x86_segment {
	uint64_t base;
	uint32_t limit;
	uint16_t selector;
	uint8_t type;
	uint8_t present, dpl, db, s, l, g, avl;
	uint8_t unusable;
	uint8_t padding;
};

struct gk_x86_dtable {
	uint64_t base;
	uint16_t limit;
	uint16_t padding[3];
};

/* What both forms of these registers begin with. */
#define GK_X86_SREGS_HEAD                                        \
	struct gk_x86_segment cs, ds, es, fs, gs, ss;            \
	struct gk_x86_segment tr, ldt;                           \
	struct gk_x86_dtable gdt, idt;                           \
	uint64_t cr0, cr2, cr3, cr4, cr8;                        \
	uint64_t efer;                                           \
	uint64_t apic_base;

struct gk_x86_sregs {
	GK_X86_SREGS_HEAD
	uint64_t interrupt_bitmap[4];
};

struct gk_interrupt {
	uint32_t irq; /* the vector */
};

struct gk_lapic_state {
	char regs[1024];
};

/* The kernel's may be longer, see KVM_CAP_XSAVE2. */
struct gk_xsave {
	uint32_t region[1024];
};

/* flags of KVM_SET_CLOCK: 0, and time goes on from .clock; what KVM_GET_CLOCK gave may stay */
#define GK_CLOCK_TSC_STABLE 2U
#define GK_CLOCK_REALTIME 4U /* .realtime is that moment: what has passed since is added */
#define GK_CLOCK_HOST_TSC 8U
struct gk_clock_data {
	uint64_t clock; /* ns */
	uint32_t flags;
	uint32_t pad0;
	uint64_t realtime;
	uint64_t host_tsc;
	uint32_t pad[4];
};

struct gk_xcr {
	uint32_t xcr;
	uint32_t reserved;
	uint64_t value;
};

struct gk_xcrs {
	uint32_t nr_xcrs;
	uint32_t flags;
	struct gk_xcr xcrs[16];
	uint64_t padding[16];
};

/* KVM_GET_DEVICE_ATTR on the system descriptor. */
#define GK_X86_GRP_SYSTEM 0
#define GK_X86_XCOMP_GUEST_SUPP 0

/* KVM_*_DEVICE_ATTR on a vCPU. */
#define GK_VCPU_TSC_CTRL 0
#define GK_VCPU_TSC_OFFSET 0

/* arch_prctl(2) */
#define GK_ARCH_SET_CPUID 0x1012 /* 0: the thread's CPUID instructions fault */
#define GK_ARCH_GET_XCOMP_SUPP 0x1021
#define GK_ARCH_GET_XCOMP_PERM 0x1022
#define GK_ARCH_REQ_XCOMP_PERM 0x1023
#define GK_ARCH_GET_XCOMP_GUEST_PERM 0x1024
#define GK_ARCH_REQ_XCOMP_GUEST_PERM 0x1025

#endif

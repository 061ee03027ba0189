/* SPDX-License-Identifier: MIT */
/*
 * Numbers of the architecture and of KVM's paravirtual interface, as the documents have them
 * (Intel SDM, AMD APM, KVM's cpuid.rst, msr.rst, hypercalls.rst). Written down once more, on
 * purpose: what data/ says of them is not taken on trust here, or a wrong row would be right
 * by construction, in the plan, in a KVM of software and in what is expected of both.
 */
#ifndef GCPU_CONFORM_X86_NUMBERS_H
#define GCPU_CONFORM_X86_NUMBERS_H

#define BIT(n) (1ULL << (n))
#define BIT32(n) (1U << (n))

/* CPUID leaves and classes of leaves. */
#define L_BASIC 0x0U
#define L_FEATURES 0x1U
#define L_CACHE 0x4U
#define L_MWAIT 0x5U
#define L_POWER 0x6U
#define L_EXTENDED_FEATURES 0x7U
#define L_PMU 0xaU
#define L_TOPOLOGY 0xbU
#define L_XSAVE 0xdU
#define L_TOPOLOGY_V2 0x1fU
#define L_UNUSED 0x3U /* of no CPU's own: serial number, gone */
#define L_HYPERVISOR 0x40000000U
#define L_KVM_FEATURES 0x40000001U
#define L_KVM_MOVED 0x40000100U
#define L_HYPERVISOR_LAST 0x4000ffffU
#define L_EXT 0x80000000U
#define L_EXT_FEATURES 0x80000001U
#define L_BRAND 0x80000002U
#define L_BRAND_LAST 0x80000004U
#define L_EXT_POWER 0x80000007U
#define L_ADDRESSES 0x80000008U
#define L_SVM 0x8000000aU
#define L_CACHE_AMD 0x8000001dU
#define L_TOPOLOGY_AMD 0x8000001eU
#define L_CENTAUR 0xc0000000U

/* "KVMKVMKVM\0\0\0" */
#define KVM_EBX 0x4b4d564bU
#define KVM_ECX 0x564b4d56U
#define KVM_EDX 0x4dU
/* Hyper-V's interface, EAX of the second leaf: "Hv#1". */
#define HV_INTERFACE 0x31237648U

/* Bits of CPUID.1 */
#define C1_MWAIT BIT32(3)
#define C1_PDCM BIT32(15)
#define C1_PCID BIT32(17)
#define C1_X2APIC BIT32(21)
#define C1_MOVBE BIT32(22)
#define C1_TSC_DEADLINE BIT32(24)
#define C1_XSAVE BIT32(26)
#define C1_OSXSAVE BIT32(27)
#define C1_AVX BIT32(28)
#define C1_HYPERVISOR BIT32(31)
#define D1_APIC BIT32(9)
/* of CPUID.7.0 and 7.1 */
#define B7_SMEP BIT32(7)
#define B7_FSGSBASE BIT32(0)
#define B7_SMAP BIT32(20)
#define C7_UMIP BIT32(2)
#define C7_PKU BIT32(3)
#define C7_OSPKE BIT32(4)
#define C7_CET_SS BIT32(7)
#define C7_LA57 BIT32(16)
#define C7_RDPID BIT32(22)
#define D7_SPEC_CTRL BIT32(26)
#define D7_ARCH_CAPABILITIES BIT32(29)
/* of CPUID.0xd.1 */
#define AD1_XSAVEC BIT32(1)
#define AD1_XSAVES BIT32(3)
/* of CPUID.0x80000001 */
#define D81_NX BIT32(20)
#define D81_LM BIT32(29)
/* of CPUID.0x80000008 */
#define B88_IBRS BIT32(14)
#define B88_STIBP BIT32(15)
#define B88_SSBD BIT32(24)
/* of CPUID.0x8000000a */
#define DA_V_SPEC_CTRL BIT32(20)
/* of KVM's leaf */
#define PV_CLOCK BIT32(0)
#define PV_NOP_IO BIT32(1)
#define PV_MMU_OP BIT32(2)
#define PV_CLOCK2 BIT32(3)
#define PV_ASYNC_PF BIT32(4)
#define PV_STEAL BIT32(5)
#define PV_EOI BIT32(6)
#define PV_UNHALT BIT32(7)
#define PV_TLB BIT32(9)
#define PV_APF_VMEXIT BIT32(10)
#define PV_IPI BIT32(11)
#define PV_POLL BIT32(12)
#define PV_YIELD BIT32(13)
#define PV_APF_INT BIT32(14)
#define PV_MSI_EXT BIT32(15)
#define PV_MAP_GPA BIT32(16)
#define PV_MIGRATION BIT32(17)
#define PV_STABLE BIT32(24)

#define CR4_VME BIT(0)
#define CR4_PAE BIT(5)
#define CR4_UMIP BIT(11)
#define CR4_LA57 BIT(12)
#define CR4_VMXE BIT(13)
#define CR4_SMXE BIT(14)
#define CR4_FSGSBASE BIT(16)
#define CR4_PCIDE BIT(17)
#define CR4_OSXSAVE BIT(18)
#define CR4_SMEP BIT(20)
#define CR4_SMAP BIT(21)
#define CR4_PKE BIT(22)
#define CR4_CET BIT(23)

#define CR0_PE BIT(0)
#define CR0_ET BIT(4)
#define CR0_PG BIT(31)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define EFER_SCE BIT(0)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define EFER_NX BIT(11)

/* Exceptions */
#define UD 6
#define GP 13

/* MSRs */
#define MSR_TSC_ADJUST 0x3bU
#define MSR_APICBASE 0x1bU
#define MSR_UCODE 0x8bU
#define MSR_PLATFORM_INFO 0xceU
#define MSR_ARCH_CAPABILITIES 0x10aU
#define MSR_MISC_FEATURES_ENABLES 0x140U
#define MSR_MISC_ENABLE 0x1a0U
#define MSR_PERF_CAPABILITIES 0x345U
#define MSR_VMX_FIRST 0x480U
#define MSR_VMX_CR0_FIXED1 0x487U
#define MSR_VMX_CR4_FIXED1 0x489U
#define MSR_VMX_LAST 0x492U
#define MSR_TSC_DEADLINE 0x6e0U
#define MSR_X2APIC_FIRST 0x800U
#define MSR_XSS 0xda0U
#define MSR_SPEC_CTRL 0x48U
#define MSR_EFER 0xc0000080U
#define MSR_STAR 0xc0000081U
#define MSR_LSTAR 0xc0000082U
#define MSR_TSC_AUX 0xc0000103U
#define MSR_HWCR 0xc0010015U
#define MSR_DE_CFG 0xc0011029U
#define MSR_NOBODY 0x40000800U /* in a range that is for hypervisors and in which KVM has nothing */

#define APICBASE_BSP BIT(8)
#define APICBASE_EXTD BIT(10)
#define APICBASE_ENABLE BIT(11)
#define MISC_ENABLE_MWAIT BIT(18)
#define PLATFORM_INFO_CPUID_FAULT BIT(31)

#define PV_MSR_WALL_OLD 0x11U
#define PV_MSR_SYSTEM_OLD 0x12U
#define PV_MSR_WALL 0x4b564d00U
#define PV_MSR_SYSTEM 0x4b564d01U
#define PV_MSR_APF_EN 0x4b564d02U
#define PV_MSR_STEAL 0x4b564d03U
#define PV_MSR_EOI 0x4b564d04U
#define PV_MSR_POLL 0x4b564d05U
#define PV_MSR_APF_INT 0x4b564d06U
#define PV_MSR_APF_ACK 0x4b564d07U
#define PV_MSR_MIGRATION 0x4b564d08U
#define PV_MSR_NOBODY 0x4b564d80U /* of the range that is KVM's, and nothing */

#define HC_POLL_IRQ 1
#define HC_MMU_OP 2
#define HC_KICK 5
#define HC_CLOCK_PAIRING 9
#define HC_SEND_IPI 10
#define HC_YIELD 11
#define HC_MAP_GPA 12
#define HC_NOBODY 99
#define HC_ENOSYS ((uint64_t)-1000)
#define HC_EPERM ((uint64_t)-1)
#define HC_EINVAL ((uint64_t)-22)
#define HC_EOPNOTSUPP ((uint64_t)-95)

#endif

/* SPDX-License-Identifier: MIT */
/* Bits of registers, and numbers of x86 and KVM, that more than one file of the model needs. Intel SDM, AMD APM, api.rst. */
#ifndef GCPU_MODEL_X86_BITS_H
#define GCPU_MODEL_X86_BITS_H

#define BIT(n) (1ULL << (n))

#define CR0_PE BIT(0)
#define CR0_ET BIT(4)
#define CR0_WP BIT(16)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)
#define CR4_PAE BIT(5)
#define CR4_LA57 BIT(12)
#define CR4_PCIDE BIT(17)
#define CR4_OSXSAVE BIT(18)
#define CR4_PKE BIT(22)
#define CR4_CET BIT(23)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define EFER_SVME BIT(12)

/* Where a CPU begins. */
#define RIP_RESET 0xfff0U
#define CS_RESET 0xf000U
#define CS_BASE_RESET 0xffff0000U

/* Vectors of exceptions: invalid opcode, general protection. */
#define UD 6
#define GP 13

#define MISC_ENABLE_MWAIT BIT(18)
#define PLATFORM_INFO_CPUID_FAULT BIT(31)
#define MCG_CTL_P BIT(8)

/* KVM_CAP_DISABLE_QUIRKS2. */
#define QUIRK_LINT0_REENABLED BIT(0)
#define QUIRK_MISC_ENABLE_NO_MWAIT BIT(4)
#define QUIRK_FIX_HYPERCALL BIT(5)
#define QUIRK_STUFF_FEATURE_MSRS BIT(8)

#define ROUTES_MOST 4096 /* KVM_MAX_IRQ_ROUTES */

#endif

/* SPDX-License-Identifier: MIT */
/* The local APIC as x2APIC and its own exercises need it: in both modes, and by id. */
#ifndef GCPU_ALIVE_X86_APIC_H
#define GCPU_ALIVE_X86_APIC_H

#include "x86.h"

/* Intel SDM 11.4.4, 11.12.1, 11.5.4.1. */
#define MSR_APIC_BASE 0x1b
#define APIC_BASE_EXTD 0x400U
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC 0x800 /* register by register, 0x10 of the page apart */
#define X2APIC(offset) (MSR_X2APIC + (offset) / 0x10)
#define LVTT_DEADLINE 0x40000U
#define APIC_VECTOR 0x51 /* what is sent here; fixed is delivery mode 0 */
#define ICR_FIXED (ICR_ASSERT | APIC_VECTOR)

/* A register of the vCPU's APIC, in either mode. */
struct guest_op op_apic(bool x2apic, unsigned offset, uint32_t value);
struct guest_op op_apic_read(bool x2apic, unsigned offset);

/* Is the APIC in KVM, on the machine of the user's plan? */
bool apic_in_kernel(const struct lab *lab);

/* Put the vCPU into x2APIC mode, and on. 1: taken; 0: #GP; negative: it went wrong. */
int x2apic_enter(struct lab *lab, unsigned vcpu);

/* COMMAND is the low half of the ICR. 0 or as lab_run(). */
int ipi(struct lab *lab, unsigned vcpu, bool x2apic, uint32_t id, uint32_t command);

/*
 * A VM for a behaviour of KVM's local APIC: like the user's, but that the APIC is in KVM
 * whatever the user's machine says, since a behaviour is about this KVM and not about the plan.
 */
struct apic_vm {
	unsigned ids[4], n;
	unsigned late; /* how many of them at the end are plugged in later */
	bool x2apic;   /* of no use without x2APIC mode */
	/* KVM_X2APIC_API_USE_32BIT_IDS: by the plan where an id needs it, else by hand. Without it
	 * no plan has an id above 254: then ids are given by hand. */
	bool ids32;
};

/* 0, or the outcome says why not. lab_close() in either case. */
int apic_vm_open(struct lab *users, const struct apic_vm *want, struct lab *lab);

/* Let the vCPU take what is pending: interrupts that it has taken so far, or -1. An interrupt
 * that was sent is pending until then: there is no hurry, and none is lost. */
int64_t interrupts_now(struct lab *lab, unsigned vcpu);

#endif

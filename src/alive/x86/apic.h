/* SPDX-License-Identifier: MIT */
/* The local APIC: its registers in both modes, events by id, and VMs to try it in. */
#ifndef GCPU_ALIVE_X86_APIC_H
#define GCPU_ALIVE_X86_APIC_H

#include <stdbool.h>

#include "../lab.h"
#include "../ops.h"

struct gk_msi;

/* The local APIC's page and registers, by their offset. Intel SDM 11.4. */
#define APIC_PAGE 0xfee00000ULL
#define APIC_ID 0x20
#define APIC_SPIV 0xf0
#define APIC_ISR 0x100 /* eight of them, 0x10 apart */
#define APIC_ICR 0x300
#define APIC_ICR2 0x310
#define APIC_LVTT 0x320
#define APIC_TMICT 0x380
#define APIC_TDCR 0x3e0
#define SPIV_ON 0x1ff
#define ICR_LOGICAL 0x800U
#define ICR_ASSERT 0x4000U
#define ICR_SELF 0x40000U
#define ICR_INIT 0x500U
#define ICR_STARTUP 0x600U

#define OP_APIC(offset, value) OP_STORE(APIC_PAGE + (offset), 4, (value))
#define OP_APIC_READ(offset) OP_LOAD(APIC_PAGE + (offset), 4)

/* Intel SDM 11.4.4, 11.12.1, 11.5.4.1. */
#define MSR_APIC_BASE 0x1b
#define APIC_BASE_EXTD 0x400ULL
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC 0x800 /* register by register, 0x10 of the page apart */
#define X2APIC(offset) (MSR_X2APIC + (offset) / 0x10)
#define LVTT_DEADLINE 0x40000U
#define APIC_VECTOR 0x51 /* what is sent here; fixed is delivery mode 0 */
#define ICR_FIXED (ICR_ASSERT | APIC_VECTOR)

/* A register of the vCPU's APIC, in either mode. */
struct guest_op op_apic(bool x2apic, unsigned offset, uint32_t value);
struct guest_op op_apic_read(bool x2apic, unsigned offset);

/* Turn the vCPU's local APIC on, without which KVM finds it under no id. 0 or as lab_run(). */
int apic_on(struct lab *lab, unsigned vcpu);

/* An MSI, by KVM_SIGNAL_MSI: how many vCPUs got it, or -errno; and one to an APIC id. */
int msi_signal(const struct lab *lab, const struct gk_msi *msi);
int msi_send(const struct lab *lab, uint32_t id, uint8_t vector);

/* An APIC id that no vCPU of the lab has. */
uint32_t absent_id(const struct lab *lab);

/* Is the local APIC KVM's own? */
bool lapic_in_kvm(const struct lab *lab);

/* Put the vCPU into x2APIC mode, and on. 1: taken; 0: #GP; negative: it went wrong. */
int x2apic_enter(struct lab *lab, unsigned vcpu);

/* COMMAND is the low half of the ICR. 0 or as lab_run(). */
int ipi(struct lab *lab, unsigned vcpu, bool x2apic, uint32_t id, uint32_t command);

/*
 * A VM for a behaviour of KVM's local APIC: all that this host gives, with the APIC in KVM, whatever
 * the user's request and machine say, since a behaviour is about this KVM and not about the plan.
 */
struct apic_vm {
	unsigned ids[4], n;
	unsigned late; /* how many of them at the end are plugged in later */
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

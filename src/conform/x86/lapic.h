/* SPDX-License-Identifier: MIT */
/* The local APIC as KVM_GET_LAPIC has it, and what is sent to one. */
#ifndef GCPU_CONFORM_X86_LAPIC_H
#define GCPU_CONFORM_X86_LAPIC_H

#include "x86.h"

#define APIC_PAGE 0xfee00000ULL
#define APIC_ID 0x20
#define APIC_VERSION 0x30
#define APIC_TPR 0x80
#define APIC_EOI 0xb0
#define APIC_LDR 0xd0
#define APIC_DFR 0xe0
#define APIC_SPIV 0xf0
#define APIC_IRR 0x200
#define APIC_ICR 0x300
#define APIC_ICR2 0x310
#define APIC_LVTT 0x320
#define APIC_LVT0 0x350
#define APIC_LVT1 0x360
#define APIC_LVTERR 0x370
#define APIC_TMICT 0x380
#define SPIV_ON 0x1ffU
#define LVT_MASKED 0x10000U
#define LVTT_DEADLINE 0x40000U
#define ICR_ASSERT 0x4000U
#define ICR_INIT (ICR_ASSERT | 0x500U)
#define ICR_STARTUP (ICR_ASSERT | 0x600U)
#define ICR_SELF (ICR_ASSERT | 0x40000U)

#define X2APIC(offset) (MSR_X2APIC_FIRST + (offset) / 0x10)

/* KVM_GET_LAPIC; false after telling. */
bool lapic_get(struct conform_vm *vm, unsigned vcpu, struct gk_lapic_state *s);
uint32_t lapic_reg(const struct gk_lapic_state *s, unsigned offset);
void lapic_put(struct gk_lapic_state *s, unsigned offset, uint32_t value);
/* One register of a vCPU; 0 after telling. */
uint32_t lapic_read(struct conform_vm *vm, unsigned vcpu, unsigned offset);
/* Write one by KVM_SET_LAPIC: its result. */
int lapic_write(struct conform_vm *vm, unsigned vcpu, unsigned offset, uint32_t value);
/* Turn it on by software, without which nothing is sent to it. False after telling. */
bool lapic_on(struct conform_vm *vm, unsigned vcpu);
/* Into x2APIC mode by the host, and on. */
bool lapic_x2apic(struct conform_vm *vm, unsigned vcpu);
/* Is an interrupt waiting there? */
bool pending(struct conform_vm *vm, unsigned vcpu, uint8_t vector);
/* A message: what KVM_SIGNAL_MSI says; no vCPU: 0 or less. */
int msi(struct conform_vm *vm, uint32_t lo, uint32_t hi, uint8_t vector);
/* To a physical id, high bits in KVM's own format. */
int msi_to(struct conform_vm *vm, uint32_t id, uint8_t vector);

#endif

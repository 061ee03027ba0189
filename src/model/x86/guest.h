/* SPDX-License-Identifier: MIT */
/* What a vCPU's guest side consists of: its local APIC, what KVM shares with it, and what its code remembers. */
#ifndef GCPU_MODEL_X86_GUEST_H
#define GCPU_MODEL_X86_GUEST_H

#include <stdbool.h>
#include <stdint.h>

struct sw_vcpu;
struct sw_vm;
struct x86_vcpu;
struct x86_vm;

/* Registers of the local APIC, by their offset in its page. Intel SDM 11.4.1. */
#define APIC_REG_ID 0x20U
#define APIC_REG_VERSION 0x30U
#define APIC_REG_TPR 0x80U
#define APIC_REG_ARBITRATION 0x90U
#define APIC_REG_PPR 0xa0U
#define APIC_REG_EOI 0xb0U
#define APIC_REG_LDR 0xd0U
#define APIC_REG_DFR 0xe0U
#define APIC_REG_SPIV 0xf0U
#define APIC_REG_ISR 0x100U
#define APIC_REG_TMR 0x180U
#define APIC_REG_IRR 0x200U
#define APIC_REG_ESR 0x280U
#define APIC_REG_CMCI 0x2f0U
#define APIC_REG_ICR 0x300U
#define APIC_REG_ICR2 0x310U
#define APIC_REG_LVTT 0x320U
#define APIC_REG_LVT0 0x350U
#define APIC_REG_LVTERR 0x370U
#define APIC_REG_TMICT 0x380U
#define APIC_REG_TMCCT 0x390U
#define APIC_REG_TDCR 0x3e0U
#define APIC_REG_SELF 0x3f0U

#define APIC_BASE_BOOT (1U << 8)
#define APIC_BASE_X2APIC (1U << 10)
#define APIC_BASE_ENABLED (1U << 11)

#define APIC_VERSION_DIRECTED_EOI (1U << 24)
#define APIC_DFR_FLAT 0xffffffffU
#define APIC_SPIV_ENABLED (1U << 8)
#define APIC_LVT_MASKED (1U << 16)
#define APIC_TIMER_PERIODIC (1U << 17)
#define APIC_TIMER_DEADLINE (2U << 17)

/* Fields of an interrupt command. */
#define ICR_VECTOR 0xffU
#define ICR_MODE 0x700U
#define ICR_LOGICAL 0x800U
#define ICR_BUSY 0x1000U
#define ICR_ASSERT 0x4000U
#define ICR_LEVEL 0x8000U
#define ICR_SHORTHAND 0xc0000U
#define ICR_TO_SELF 0x40000U
#define ICR_TO_ALL 0x80000U
#define ICR_TO_OTHERS 0xc0000U

enum x86_delivery {
	DELIVER_FIXED = 0x000,
	DELIVER_LOWEST = 0x100,
	DELIVER_SMI = 0x200,
	DELIVER_KICK = 0x300, /* KVM's own use of a reserved mode */
	DELIVER_NMI = 0x400,
	DELIVER_INIT = 0x500,
	DELIVER_SIPI = 0x600,
	DELIVER_EXTINT = 0x700,
};

struct x86_irq {
	uint32_t dest, shorthand;
	enum x86_delivery mode;
	uint8_t vector;
	bool logical, level, assert;
	bool redirect; /* an MSI's hint */
};

enum x86_logical { LOGICAL_NONE, LOGICAL_FLAT, LOGICAL_CLUSTER, LOGICAL_X2APIC, LOGICAL_MIXED };

/* Who has which id: as KVM worked it out when an APIC last changed. */
struct x86_map {
	bool dirty, exists;
	bool due;	/* to be made anew, of the first AMONG vCPUs, before it is next asked */
	unsigned among;
	uint32_t max;
	struct x86_vcpu **phys; /* max + 1 of them */
	enum x86_logical logical;
	struct x86_vcpu *flat[8], *cluster[16][4];
};

#define EVENT_INIT 1U
#define EVENT_SIPI 2U

/* What all vCPUs of a VM have together. */
struct x86_guests {
	struct x86_map map;
	uint64_t tsc; /* of all, but for what each has in its MSR */
	uint64_t began; /* the host's time then, ns; 0: nobody looked yet */
	uint64_t clock_moved; /* ns, by KVM_SET_CLOCK, modulo 2^64 */
	uint64_t wall_clock;
	bool old_clock; /* vCPU 0 asked for its clock by the old MSR */
	bool mended;	/* the other maker's instruction of hypercalls has been made ours, where the guest has it */
};

struct x86_guest {
	/* The local APIC, besides its registers. */
	unsigned lvts;	     /* entries of its vector table */
	uint32_t timer_mask; /* modes that the timer has */
	unsigned in_service; /* vectors, as KVM counted them last */
	int last_isr;	     /* KVM remembers the vector that came into service last, -1: none */
	uint64_t deadline;
	uint32_t events;
	uint8_t sipi_vector;
	bool unhalted;
	bool kicked; /* its HLT is to end, and has been seen to */
	int external; /* vector of the VMM's own controller, -1: none */
	bool lost;    /* INIT took it out of its list */

	/* What KVM shares with it: MSRs, and what is to be done at the next entry. */
	uint64_t time, apf_en, apf_int, steal, eoi, poll;
	bool clock_due, steal_due, eoi_pending, stopped, apf_wake, apf_ready;

	/* What its code remembers. */
	uint64_t interrupts, vector, skipped, written, eoi_word;
	uint64_t apf_data, apf_vector, apf_ack, apf_token;
};

/* lapic.c */
uint32_t x86_icr_high(const struct x86_vcpu *x);
uint32_t x86_apic_reg(const struct x86_vcpu *x, uint32_t reg);
void x86_apic_put(struct x86_vcpu *x, uint32_t reg, uint32_t value);
bool x86_apic_hw(const struct x86_vcpu *x);   /* there is one, and it is enabled */
bool x86_apic_on(const struct x86_vcpu *x);   /* and by its software, too */
bool x86_apic_x2(const struct x86_vcpu *x);
int x86_apic_top(const struct x86_vcpu *x, uint32_t reg); /* highest vector in ISR or IRR, -1: none */
void x86_apic_set_vector(struct x86_vcpu *x, uint32_t reg, unsigned vector, bool on);
void x86_count_isr(struct x86_vcpu *x);
/* After INIT, or at the beginning. */
void x86_apic_reset(struct x86_vcpu *x, bool init);
/* KVM_X86_SETUP_MCE: is there one more entry of the vector table. */
void x86_apic_cmci(struct x86_vcpu *x, bool cmci);
/* CR8 is the task's priority: whichever of them changed. */
uint32_t x86_tpr(struct x86_vcpu *x);
void x86_set_tpr(struct x86_vcpu *x, uint32_t tpr);
/* New guests, of a VM and of a vCPU: 0 or -ENOMEM. */
int x86_guests_new(struct x86_vm *vm);
void x86_guests_free(struct x86_vm *vm);

/* apic_regs.c: 0 or -EINVAL. */
int x86_apic_read(struct x86_vcpu *x, uint32_t offset, unsigned size, uint64_t *ret);
int x86_apic_write(struct x86_vcpu *x, uint32_t reg, uint32_t value);
void x86_apic_eoi(struct x86_vcpu *x);
void x86_update_ppr(struct x86_vcpu *x);
void x86_apic_command(struct x86_vcpu *x, uint32_t low, uint32_t dest);

/* apic_map.c */
void x86_map_changed(struct x86_vcpu *x);
void x86_map_update(struct sw_vm *vm);
/* What is due is done: before the map is asked, and before what it is made by changes. */
void x86_map_settle(struct sw_vm *vm);
void x86_map_free(struct x86_map *map);
/* How many took it; -1: nobody has such an id. */
int x86_deliver(struct sw_vm *vm, struct x86_vcpu *from, struct x86_irq *irq);
/* 1 if it was taken. */
int x86_accept(struct x86_vcpu *x, const struct x86_irq *irq);
/* By bitmaps of ids from MIN on: how many, or -EOPNOTSUPP without a map. */
int x86_deliver_many(struct sw_vm *vm, const uint64_t bits[2], unsigned width, uint32_t min,
		     const struct x86_irq *irq);

/* x2apic.c: the timer's deadline. */
uint64_t x86_deadline(const struct x86_vcpu *x);
void x86_set_deadline(struct x86_vcpu *x, uint64_t value);

/* x2apic.c, pv.c: MSRs. X86_MSR_NOT_MINE: none of these. -EINVAL: the value, -ENOENT: as if there were none. */
#define X86_MSR_NOT_MINE 1
int x86_x2apic_get(struct x86_vcpu *x, uint32_t index, bool host, uint64_t *ret);
int x86_x2apic_set(struct x86_vcpu *x, uint32_t index, bool host, uint64_t value);
int x86_pv_msr_get(struct x86_vcpu *x, uint32_t index, bool host, uint64_t *ret);
int x86_pv_msr_set(struct x86_vcpu *x, uint32_t index, bool host, uint64_t value);

/* pv.c */
bool x86_pv_has(const struct x86_vcpu *x, unsigned field);
void x86_pv_reset(struct x86_vcpu *x);
/* At every entry: pages that are to be written. */
void x86_pv_enter(struct x86_vcpu *x);
/* Around an interrupt: may its end be told by the word; was it. */
void x86_pv_eoi_offer(struct x86_vcpu *x);
void x86_pv_eoi_look(struct x86_vcpu *x);
/* The guest's time, which goes on with every look at it. */
uint64_t x86_tsc(struct x86_vcpu *x);
uint64_t x86_ns(struct x86_vcpu *x);
/* Somebody waited that long. */
void x86_pass(struct x86_vcpu *x, uint64_t cycles);
int x86_clock_stopped(void *vcpu, uintptr_t arg);
int x86_set_clock(void *vm, uintptr_t arg);
int x86_get_clock(void *vm, uintptr_t arg);

/* interrupts.c */
/* INIT and SIPI that came. */
void x86_accept_events(struct x86_vcpu *x);
void x86_kicked(struct x86_vcpu *x);
/* 0: it runs; -EINTR: it waits; -EAGAIN: it has been woken, run it again. */
int x86_enter(struct x86_vcpu *x);
/* Interrupts are on for a moment: those that are pending are taken. How many. */
unsigned x86_take_interrupts(struct x86_vcpu *x);

struct gcpu_guest_op;
enum sw_step x86_nmi(struct x86_vcpu *x, struct gcpu_guest_op *op);
/* An NMI comes; does one wait that the guest takes? */
void x86_nmi_raise(struct x86_vcpu *x);
bool x86_nmi_waits(const struct x86_vcpu *x);
enum sw_step x86_halt(struct x86_vcpu *x, struct gcpu_guest_op *op, bool complete, bool interrupts);
enum sw_step x86_spin(struct x86_vcpu *x, struct gcpu_guest_op *op);
enum sw_step x86_swap(struct x86_vcpu *x, struct gcpu_guest_op *op);

/* guest_more.c */
bool x86_step_event(struct x86_vcpu *x, struct gcpu_guest_op *op, enum sw_step *ret);
bool x86_step_more(struct x86_vcpu *x, struct gcpu_guest_op *op, bool complete, enum sw_step *ret);
void x86_fresh(struct sw_vcpu *v);

/* hypercall.c */
enum sw_step x86_hypercall(struct x86_vcpu *x, struct gcpu_guest_op *op, bool complete, bool wide);

/* memory.c */
enum sw_step x86_load(struct x86_vcpu *x, struct gcpu_guest_op *op, bool complete);
enum sw_step x86_store(struct x86_vcpu *x, struct gcpu_guest_op *op, bool complete);

/* msi.c */
int x86_signal_msi(void *vm, uintptr_t arg);
int x86_set_routing(void *vm, uintptr_t arg);
int x86_interrupt(void *vcpu, uintptr_t arg);
int x86_send_nmi(void *vcpu, uintptr_t arg);

#endif

/* SPDX-License-Identifier: MIT */
/* The local APIC: its mode, its id, and its state as a VMM saves and restores it. */
#include "x86.h"

#include <stdlib.h>
#include <string.h>

#define BASE_RESET 0xfee00000U
#define BASE_RESERVED 0x2ffULL
#define VERSION 0x14U
#define LVTS 6 /* without the one of corrected machine checks */
#define SPIV_RESET 0xffU
#define MODE_EXTINT 0x700U

uint32_t x86_apic_reg(const struct x86_vcpu *x, uint32_t reg)
{
	uint32_t value;

	memcpy(&value, x->apic + reg, sizeof(value));
	return value;
}

void x86_apic_put(struct x86_vcpu *x, uint32_t reg, uint32_t value)
{
	memcpy(x->apic + reg, &value, sizeof(value));
}

bool x86_apic_hw(const struct x86_vcpu *x)
{
	return x86_lapic(x) && (x->sregs.apic_base & APIC_BASE_ENABLED);
}

bool x86_apic_on(const struct x86_vcpu *x)
{
	return x86_apic_hw(x) && (x86_apic_reg(x, APIC_REG_SPIV) & APIC_SPIV_ENABLED);
}

bool x86_apic_x2(const struct x86_vcpu *x)
{
	return x86_lapic(x) && (x->sregs.apic_base & APIC_BASE_X2APIC);
}

int x86_apic_top(const struct x86_vcpu *x, uint32_t reg)
{
	for (int i = 7; i >= 0; i--) {
		uint32_t word = x86_apic_reg(x, reg + 0x10U * (unsigned)i);

		if (word)
			return 32 * i + 31 - __builtin_clz(word);
	}
	return -1;
}

void x86_apic_set_vector(struct x86_vcpu *x, uint32_t reg, unsigned vector, bool on)
{
	uint32_t at = reg + vector / 32 * 0x10, word = x86_apic_reg(x, at), bit = 1U << vector % 32;

	x86_apic_put(x, at, on ? word | bit : word & ~bit);
}

void x86_count_isr(struct x86_vcpu *x)
{
	x->guest->in_service = 0;
	for (uint32_t reg = APIC_REG_ISR; reg < APIC_REG_TMR; reg += 0x10)
		x->guest->in_service += (unsigned)__builtin_popcount(x86_apic_reg(x, reg));
}

static uint32_t x2apic_ldr(uint32_t id)
{
	return id >> 4 << 16 | 1U << (id & 0xf);
}

static void set_version(struct x86_vcpu *x)
{
	uint32_t version = VERSION | (x->guest->lvts - 1) << 16;

	/* the kernel's own I/O APIC knows no end of interrupt of its own */
	if (x86_guest_has(x, X86_F_X2APIC) && x86_vm(x->v->vm)->irqchip == X86_IRQCHIP_SPLIT &&
	    !(x86_vm(x->v->vm)->x2apic_flags & GK_X2APIC_DISABLE_SUPPRESS_EOI_BROADCAST))
		version |= APIC_VERSION_DIRECTED_EOI;
	x86_apic_put(x, APIC_REG_VERSION, version);
}

static uint32_t lvt(unsigned i)
{
	return i == LVTS ? APIC_REG_CMCI : APIC_REG_LVTT + 0x10 * i;
}

void x86_apic_cmci(struct x86_vcpu *x, bool cmci)
{
	unsigned lvts = LVTS + cmci;

	if (!x86_lapic(x) || lvts == x->guest->lvts)
		return;
	if (cmci)
		x86_apic_put(x, APIC_REG_CMCI, APIC_LVT_MASKED);
	x->guest->lvts = lvts;
	set_version(x);
}

static bool boot_cpu(const struct x86_vcpu *x)
{
	return x->v->id == x86_vm(x->v->vm)->boot_id;
}

static void set_xapic_id(struct x86_vcpu *x)
{
	x86_apic_put(x, APIC_REG_ID, x->v->id << 24);
	x86_map_changed(x);
}

/* What follows from another base. */
static void change_base(struct x86_vcpu *x, uint64_t value)
{
	uint64_t changed = x->sregs.apic_base ^ value;

	x->sregs.apic_base = value;
	if (!x86_lapic(x))
		return;
	if (changed & APIC_BASE_ENABLED) {
		if (value & APIC_BASE_ENABLED)
			set_xapic_id(x);
		else
			x86_map_changed(x);
	}
	if (!(changed & APIC_BASE_X2APIC))
		return;
	if (value & APIC_BASE_X2APIC) {
		x86_apic_put(x, APIC_REG_ID, x->v->id);
		x86_apic_put(x, APIC_REG_LDR, x2apic_ldr(x->v->id));
		x86_map_changed(x);
	} else if ((value & APIC_BASE_ENABLED) && sw_behaves(x86_model(x), BEHAVIOUR_XAPIC_ID_COMES_BACK)) {
		set_xapic_id(x);
	}
}

void x86_apic_reset(struct x86_vcpu *x, bool init)
{
	if (!init)
		change_base(x, BASE_RESET | APIC_BASE_ENABLED | (boot_cpu(x) ? APIC_BASE_BOOT : 0));
	if (!x86_lapic(x))
		return;
	if (!init)
		set_xapic_id(x);
	set_version(x);
	for (unsigned i = 0; i < x->guest->lvts; i++)
		x86_apic_put(x, lvt(i), APIC_LVT_MASKED);
	if (boot_cpu(x) && !(x86_vm(x->v->vm)->quirks_disabled & QUIRK_LINT0_REENABLED))
		x86_apic_put(x, APIC_REG_LVT0, MODE_EXTINT);
	x86_apic_put(x, APIC_REG_DFR, APIC_DFR_FLAT);
	x86_apic_put(x, APIC_REG_SPIV, SPIV_RESET);
	if (!x86_apic_x2(x))
		x86_apic_put(x, APIC_REG_LDR, 0);
	for (uint32_t reg = APIC_REG_ISR; reg <= APIC_REG_ICR2; reg += 0x10)
		if (reg != APIC_REG_CMCI)
			x86_apic_put(x, reg, 0);
	x86_set_tpr(x, 0);
	x86_apic_put(x, APIC_REG_PPR, 0);
	x86_apic_put(x, APIC_REG_TDCR, 0);
	x86_apic_put(x, APIC_REG_TMICT, 0);
	x->guest->last_isr = -1;
	x->guest->in_service = 0;
	x->guest->deadline = 0;
	x->guest->eoi = 0;
	x->guest->eoi_pending = false;
	x86_map_changed(x);
	x86_map_update(x->v->vm);
}

void x86_lapic_new(struct x86_vcpu *x)
{
	x->guest->lvts = LVTS;
	x->guest->external = -1;
	x->guest->poll = 1;
	/* set before its reset, so that this is no change */
	x->sregs.apic_base = APIC_BASE_ENABLED;
	x86_apic_reset(x, false);
}

void x86_lapic_after(struct x86_vcpu *x)
{
	if (!x86_lapic(x))
		return;
	/* without a leaf 1 both stay what they were */
	if (!x86_own_entry(x, ADDR_LEAF(gcpu_facts_x86.words[X86_W_CPUID_0X1_0X0_ECX].addr), 0))
		return;
	x->guest->timer_mask = APIC_TIMER_PERIODIC | (x86_table_has(x, X86_F_TSC_DEADLINE) ? APIC_TIMER_DEADLINE : 0);
	set_version(x);
}

enum mode { DISABLED, XAPIC, INVALID, X2APIC };

static enum mode mode_of(uint64_t base)
{
	return (base & APIC_BASE_ENABLED ? 1 : 0) | (base & APIC_BASE_X2APIC ? 2 : 0);
}

int x86_set_apic_base(struct x86_vcpu *x, uint64_t value, bool host)
{
	enum mode from = mode_of(x->sregs.apic_base), to = mode_of(value);
	unsigned bits = x86_phys_bits(x);
	uint64_t changed, reserved = BASE_RESERVED | (bits < 64 ? ~0ULL << bits : 0);

	if (value == x->sregs.apic_base && sw_behaves(x86_model(x), BEHAVIOUR_APIC_BASE_UNCHANGED))
		return 0;
	if (!x86_guest_has(x, X86_F_X2APIC))
		reserved |= APIC_BASE_X2APIC;
	if ((value & reserved) || to == INVALID)
		return -EINVAL;
	if (!host && ((from == X2APIC && to == XAPIC) || (from == DISABLED && to == X2APIC)))
		return -EINVAL;
	changed = value ^ x->sregs.apic_base;
	change_base(x, value);
	if (changed & APIC_BASE_ENABLED)
		x86_runtime(x);
	x86_map_update(x->v->vm);
	return 0;
}

/* Where the upper half of an x2APIC's interrupt command is: on AMD's CPUs two registers, as an xAPIC has them. */
uint32_t x86_icr_high(const struct x86_vcpu *x)
{
	return x86_is_hosts(x86_model(x), MSR_AMD) ? APIC_REG_ICR2 : APIC_REG_ICR + 4;
}

int x86_get_lapic(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);
	uint8_t state[sizeof(x->apic)];
	uint32_t id = x86_apic_reg(x, APIC_REG_ID) << 24;

	if (!x86_lapic(x))
		return -EINVAL;
	x86_tpr(x);
	memcpy(state, x->apic, sizeof(state));
	if (x86_apic_x2(x) && !(x86_vm(x->v->vm)->x2apic_flags & GK_X2APIC_API_USE_32BIT_IDS))
		memcpy(state + APIC_REG_ID, &id, sizeof(id));
	if (x86_apic_x2(x))
		memmove(state + APIC_REG_ICR2, state + x86_icr_high(x), sizeof(id));
	return sw_copy_out(arg, state, sizeof(state));
}

/* The id of an APIC in x2APIC mode is not for a VMM to choose. */
static int check_id(struct x86_vcpu *x, uint8_t *state)
{
	uint32_t id, ldr;

	if (!x86_apic_x2(x))
		return 0;
	memcpy(&id, state + APIC_REG_ID, sizeof(id));
	if (id != x->v->id && (x86_vm(x->v->vm)->x2apic_flags & GK_X2APIC_API_USE_32BIT_IDS))
		return -EINVAL;
	id = sw_behaves(x86_model(x), BEHAVIOUR_X2APIC_ID_FIXED) ||
			     (x86_vm(x->v->vm)->x2apic_flags & GK_X2APIC_API_USE_32BIT_IDS) ?
		     x->v->id :
		     id >> 24;
	ldr = x2apic_ldr(id);
	memcpy(state + APIC_REG_ID, &id, sizeof(id));
	memcpy(state + APIC_REG_LDR, &ldr, sizeof(ldr));
	return 0;
}

int x86_set_lapic(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);
	uint8_t state[sizeof(x->apic)];
	uint32_t spiv;

	if (!x86_lapic(x))
		return -EINVAL;
	if (sw_copy_in(state, arg, sizeof(state)))
		return -EFAULT;
	/* this one goes first, and stays even where the rest is refused */
	memcpy(&spiv, state + APIC_REG_SPIV, sizeof(spiv));
	x86_apic_put(x, APIC_REG_SPIV, spiv);
	x86_map_changed(x);
	if (check_id(x, state)) {
		x86_map_update(x->v->vm);
		return -EINVAL;
	}
	if (x86_apic_x2(x))
		memmove(state + x86_icr_high(x), state + APIC_REG_ICR2, sizeof(spiv));
	memcpy(x->apic, state, sizeof(state));
	x->sregs.cr8 = x86_apic_reg(x, APIC_REG_TPR) >> 4 & 0xf;
	x86_map_changed(x);
	x86_map_update(x->v->vm);
	set_version(x);
	x86_apic_put(x, APIC_REG_TMCCT, 0);
	/* KVM judges the priority by what was in service before, and counts only then */
	x86_update_ppr(x);
	x->guest->last_isr = -1;
	x86_count_isr(x);
	return 0;
}

uint32_t x86_tpr(struct x86_vcpu *x)
{
	uint32_t tpr = x86_apic_reg(x, APIC_REG_TPR);

	if (x86_lapic(x) && (tpr >> 4 & 0xf) != x->sregs.cr8) {
		tpr = (uint32_t)x->sregs.cr8 << 4 & 0xf0;
		x86_apic_put(x, APIC_REG_TPR, tpr);
	}
	return tpr;
}

void x86_set_tpr(struct x86_vcpu *x, uint32_t tpr)
{
	x86_apic_put(x, APIC_REG_TPR, tpr & 0xff);
	x->sregs.cr8 = tpr >> 4 & 0xf;
}

void x86_set_cr8(struct x86_vcpu *x, uint64_t value)
{
	x->sregs.cr8 = value;
	if (!x86_lapic(x))
		return;
	x86_set_tpr(x, (uint32_t)value << 4);
	x86_update_ppr(x);
}

int x86_guests_new(struct x86_vm *vm)
{
	vm->guest = calloc(1, sizeof(*vm->guest));
	return vm->guest ? 0 : -ENOMEM;
}

void x86_guests_free(struct x86_vm *vm)
{
	if (vm->guest)
		x86_map_free(&vm->guest->map);
	free(vm->guest);
}

/* SPDX-License-Identifier: MIT */
/* Registers of the local APIC, as the guest reads and writes them in either mode. */
#include "x86.h"

#define PAGE_SIZE 0x1000U
#define DFR_RESERVED 0x0fffffffU
#define SPIV_BITS 0x3ffU
#define SPIV_DIRECTED_EOI 0x1000U
#define TDCR_BITS 0xbU
#define LVT_BITS 0x110ffU /* masked, pending, vector */
#define LVT_MODE 0x700U
#define LINT_BITS 0xe700U /* mode, polarity, remote IRR, level */

static bool deadline_mode(const struct x86_vcpu *x)
{
	return (x86_apic_reg(x, APIC_REG_LVTT) & x->guest->timer_mask & (3U << 17)) == APIC_TIMER_DEADLINE;
}

void x86_update_ppr(struct x86_vcpu *x)
{
	int isr = !x->guest->in_service ? -1 : x->guest->last_isr >= 0 ? x->guest->last_isr :
									 x86_apic_top(x, APIC_REG_ISR);
	uint32_t tpr = x86_tpr(x), in_service = isr < 0 ? 0 : (uint32_t)isr & 0xf0;

	x86_apic_put(x, APIC_REG_PPR, (tpr & 0xf0) >= in_service ? tpr & 0xff : in_service);
}

static bool in_table(uint32_t reg)
{
	return reg >= APIC_REG_LVTT && reg <= APIC_REG_LVTERR;
}

/* Registers with something to read. */
static bool readable(const struct x86_vcpu *x, uint32_t reg)
{
	if (reg >= APIC_REG_ISR && reg < APIC_REG_ESR)
		return true;
	switch (reg) {
	case APIC_REG_ID:
	case APIC_REG_VERSION:
	case APIC_REG_TPR:
	case APIC_REG_PPR:
	case APIC_REG_LDR:
	case APIC_REG_SPIV:
	case APIC_REG_ESR:
	case APIC_REG_ICR:
	case APIC_REG_TMICT:
	case APIC_REG_TMCCT:
	case APIC_REG_TDCR:
		return true;
	case APIC_REG_CMCI:
		return x->guest->lvts > 6;
	case APIC_REG_ARBITRATION:
	case APIC_REG_DFR:
	case APIC_REG_ICR2:
		return !x86_apic_x2(x);
	default:
		return in_table(reg);
	}
}

int x86_apic_read(struct x86_vcpu *x, uint32_t offset, unsigned size, uint64_t *ret)
{
	uint32_t within = offset & 0xf, reg = offset & ~0xfU, value;

	*ret = 0;
	if (offset >= PAGE_SIZE || within + size > 4 || !readable(x, reg))
		return -EINVAL;
	if (reg == APIC_REG_PPR)
		x86_update_ppr(x);
	if (reg == APIC_REG_TPR)
		x86_tpr(x);
	/* no time passes: a timer that has been started stands where it was started */
	value = reg == APIC_REG_ARBITRATION ? 0 :
		reg == APIC_REG_TMCCT ? deadline_mode(x) ? 0 : x86_apic_reg(x, APIC_REG_TMICT) :
					x86_apic_reg(x, reg);
	*ret = size == 4 ? value : value >> 8 * within & ((1U << 8 * size) - 1);
	return 0;
}

void x86_apic_eoi(struct x86_vcpu *x)
{
	int vector = x86_apic_top(x, APIC_REG_ISR);

	if (vector < 0)
		return;
	x86_apic_set_vector(x, APIC_REG_ISR, (unsigned)vector, false);
	x->guest->last_isr = -1;
	x86_count_isr(x);
	x86_update_ppr(x);
}

void x86_apic_command(struct x86_vcpu *x, uint32_t low, uint32_t dest)
{
	struct x86_irq irq = {
		.dest = dest,
		.shorthand = low & ICR_SHORTHAND,
		.mode = low & ICR_MODE,
		.vector = low & ICR_VECTOR,
		.logical = low & ICR_LOGICAL,
		.assert = low & ICR_ASSERT,
		.level = low & ICR_LEVEL,
	};

	x86_deliver(x->v->vm, x, &irq);
}

static void write_spiv(struct x86_vcpu *x, uint32_t value)
{
	uint32_t bits = SPIV_BITS, was = x86_apic_reg(x, APIC_REG_SPIV);

	if (x86_apic_reg(x, APIC_REG_VERSION) & APIC_VERSION_DIRECTED_EOI)
		bits |= SPIV_DIRECTED_EOI;
	x86_apic_put(x, APIC_REG_SPIV, value & bits);
	if ((was ^ value) & APIC_SPIV_ENABLED)
		x86_map_changed(x);
	if (value & APIC_SPIV_ENABLED)
		return;
	for (uint32_t reg = APIC_REG_LVTT; reg <= APIC_REG_LVTERR; reg += 0x10)
		x86_apic_put(x, reg, x86_apic_reg(x, reg) | APIC_LVT_MASKED);
	if (x->guest->lvts > 6)
		x86_apic_put(x, APIC_REG_CMCI, x86_apic_reg(x, APIC_REG_CMCI) | APIC_LVT_MASKED);
}

static int write_lvt(struct x86_vcpu *x, uint32_t reg, uint32_t value)
{
	uint32_t bits = LVT_BITS;

	if (reg == APIC_REG_CMCI && x->guest->lvts <= 6)
		return -EINVAL;
	if (reg == APIC_REG_LVTT)
		bits |= x->guest->timer_mask;
	else if (reg == APIC_REG_LVT0 || reg == APIC_REG_LVT0 + 0x10)
		bits |= LINT_BITS;
	else if (reg != APIC_REG_LVTERR)
		bits |= LVT_MODE;
	if (!(x86_apic_reg(x, APIC_REG_SPIV) & APIC_SPIV_ENABLED))
		value |= APIC_LVT_MASKED;
	if (reg == APIC_REG_LVTT && ((x86_apic_reg(x, reg) ^ value) & x->guest->timer_mask)) {
		/* another mode: what it counted is gone */
		x86_apic_put(x, APIC_REG_TMICT, 0);
		x->guest->deadline = 0;
	}
	x86_apic_put(x, reg, value & bits);
	return 0;
}

/* The registers that are not there, or not the guest's to write, in x2APIC mode. */
static int write_xapic(struct x86_vcpu *x, uint32_t reg, uint32_t value)
{
	if (x86_apic_x2(x))
		return -EINVAL;
	switch (reg) {
	case APIC_REG_ID:
		x86_apic_put(x, reg, value & 0xff000000);
		x86_map_changed(x);
		return 0;
	case APIC_REG_LDR:
		x86_apic_put(x, reg, value & 0xff000000);
		x86_map_changed(x);
		return 0;
	case APIC_REG_DFR:
		x86_apic_put(x, reg, value | DFR_RESERVED);
		x86_map_changed(x);
		return 0;
	default:
		x86_apic_put(x, reg, value & 0xff000000);
		return 0;
	}
}

static int write_one(struct x86_vcpu *x, uint32_t reg, uint32_t value)
{
	switch (reg) {
	case APIC_REG_ID:
	case APIC_REG_LDR:
	case APIC_REG_DFR:
	case APIC_REG_ICR2:
		return write_xapic(x, reg, value);
	case APIC_REG_TPR:
		x86_set_tpr(x, value);
		x86_update_ppr(x);
		return 0;
	case APIC_REG_EOI:
		x86_apic_eoi(x);
		return 0;
	case APIC_REG_SPIV:
		write_spiv(x, value);
		return 0;
	case APIC_REG_ICR:
		value &= ~ICR_BUSY;
		x86_apic_command(x, value, x86_apic_reg(x, APIC_REG_ICR2) >> 24);
		x86_apic_put(x, reg, value);
		return 0;
	case APIC_REG_TMICT:
		if (!deadline_mode(x))
			x86_apic_put(x, reg, value);
		return 0;
	case APIC_REG_TDCR:
		x86_apic_put(x, reg, value & TDCR_BITS);
		return 0;
	case APIC_REG_ESR:
		return x86_apic_x2(x) && value ? -EINVAL : 0;
	case APIC_REG_SELF:
		if (!x86_apic_x2(x) || (value & ~ICR_VECTOR))
			return -EINVAL;
		x86_apic_command(x, ICR_TO_SELF | value, 0);
		return 0;
	default:
		return in_table(reg) || reg == APIC_REG_CMCI ? write_lvt(x, reg, value) : -EINVAL;
	}
}

int x86_apic_write(struct x86_vcpu *x, uint32_t reg, uint32_t value)
{
	int status = write_one(x, reg, value);

	x86_map_update(x->v->vm);
	return status;
}

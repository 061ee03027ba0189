/* SPDX-License-Identifier: MIT */
/* The local APIC by MSRs: x2APIC's, and the timer's deadline. */
#include "x86.h"

#define COUNT 0x100U /* MSRs from X86_MSR(X2APIC) on */
#define TIMER_MODE (3U << 17)
#define ICR_RESERVED 0xfff32000U

static uint32_t reg_of(uint32_t index)
{
	return (index - X86_MSR(X2APIC)) << 4;
}

static bool is_mine(uint32_t index)
{
	return index >= X86_MSR(X2APIC) && index - X86_MSR(X2APIC) < COUNT;
}

static bool deadline_mode(const struct x86_vcpu *x)
{
	return x86_apic_hw(x) && (x86_apic_reg(x, APIC_REG_LVTT) & TIMER_MODE) == APIC_TIMER_DEADLINE;
}

uint64_t x86_deadline(const struct x86_vcpu *x)
{
	return deadline_mode(x) ? x->guest->deadline : 0;
}

void x86_set_deadline(struct x86_vcpu *x, uint64_t value)
{
	if (deadline_mode(x))
		x->guest->deadline = value;
}

int x86_x2apic_get(struct x86_vcpu *x, uint32_t index, bool host, uint64_t *ret)
{
	(void)host;
	if (!is_mine(index))
		return X86_MSR_NOT_MINE;
	if (!x86_apic_x2(x))
		return -EINVAL;
	if (reg_of(index) == APIC_REG_ICR) {
		*ret = x86_apic_reg(x, APIC_REG_ICR) | (uint64_t)x86_apic_reg(x, x86_icr_high(x)) << 32;
		return 0;
	}
	return x86_apic_read(x, reg_of(index), 4, ret);
}

static int write_command(struct x86_vcpu *x, uint64_t value)
{
	if (value & ICR_RESERVED)
		return -EINVAL;
	value &= ~(uint64_t)ICR_BUSY;
	x86_apic_command(x, (uint32_t)value, (uint32_t)(value >> 32));
	x86_apic_put(x, APIC_REG_ICR, (uint32_t)value);
	x86_apic_put(x, x86_icr_high(x), (uint32_t)(value >> 32));
	return 0;
}

int x86_x2apic_set(struct x86_vcpu *x, uint32_t index, bool host, uint64_t value)
{
	(void)host;
	if (!is_mine(index))
		return X86_MSR_NOT_MINE;
	if (!x86_apic_x2(x))
		return -EINVAL;
	if (reg_of(index) == APIC_REG_ICR)
		return write_command(x, value);
	return value >> 32 ? -EINVAL : x86_apic_write(x, reg_of(index), (uint32_t)value);
}

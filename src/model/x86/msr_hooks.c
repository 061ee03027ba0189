/* SPDX-License-Identifier: MIT */
/* MSRs of other subjects, asked first: paravirtual ones, and the x2APIC's. */
#include "msr.h"

int x86_pv_msr_get(struct x86_vcpu *x, uint32_t index, bool host, uint64_t *ret)
{
	(void)x;
	(void)index;
	(void)host;
	(void)ret;
	return X86_MSR_NOT_MINE;
}

int x86_pv_msr_set(struct x86_vcpu *x, uint32_t index, bool host, uint64_t value)
{
	(void)x;
	(void)index;
	(void)host;
	(void)value;
	return X86_MSR_NOT_MINE;
}

int x86_x2apic_get(struct x86_vcpu *x, uint32_t index, bool host, uint64_t *ret)
{
	(void)x;
	(void)index;
	(void)host;
	(void)ret;
	return -EINVAL;
}

int x86_x2apic_set(struct x86_vcpu *x, uint32_t index, bool host, uint64_t value)
{
	(void)x;
	(void)index;
	(void)host;
	(void)value;
	return -EINVAL;
}

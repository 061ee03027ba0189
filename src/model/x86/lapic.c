/* SPDX-License-Identifier: MIT */
/* The local APIC: its mode, its id, its registers. */
#include "x86.h"

#include <string.h>

#define BASE_RESET 0xfee00000U
#define BASE_BOOT (1U << 8)
#define BASE_X2APIC (1U << 10)
#define BASE_ENABLED (1U << 11)

void x86_lapic_new(struct x86_vcpu *x)
{
	/* without an APIC in the kernel, too */
	x->sregs.apic_base = BASE_RESET | BASE_ENABLED;
	if (x->v->id == x86_vm(x->v->vm)->boot_id)
		x->sregs.apic_base |= BASE_BOOT;
}

void x86_lapic_after(struct x86_vcpu *x)
{
	(void)x;
}

int x86_set_apic_base(struct x86_vcpu *x, uint64_t value, bool host)
{
	(void)host;
	if ((value & BASE_X2APIC) && !x86_guest_has(x, X86_F_X2APIC))
		return -EINVAL;
	x->sregs.apic_base = value;
	x86_runtime(x);
	return 0;
}

int x86_get_lapic(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);

	return x86_lapic(x) ? sw_copy_out(arg, x->apic, sizeof(x->apic)) : -EINVAL;
}

int x86_set_lapic(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);

	return x86_lapic(x) ? sw_copy_in(x->apic, arg, sizeof(x->apic)) : -EINVAL;
}

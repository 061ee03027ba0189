/* SPDX-License-Identifier: MIT */
/* Registers of a vCPU as its VMM reads and sets them, and the rules for them. */
#include "x86.h"

#include <string.h>

#define CR0_RESET 0x60000010U
#define CR4_OSXSAVE (1ULL << 18)
#define XCR0_X87 1U

void x86_regs_new(struct x86_vcpu *x)
{
	x->sregs.cr0 = CR0_RESET;
	x->xcr0 = XCR0_X87;
	x->v->mp_state = x->v->id == x86_vm(x->v->vm)->boot_id || !x86_lapic(x) ? GK_MP_STATE_RUNNABLE :
								   GK_MP_STATE_UNINITIALIZED;
}

uint64_t x86_cr4_reserved(const struct x86_vcpu *x)
{
	return x86_guest_has(x, X86_F_XSAVE) ? 0 : CR4_OSXSAVE;
}

static int get_sregs(void *object, uintptr_t arg)
{
	struct gk_x86_sregs s;

	memcpy(&s, &x86_vcpu(object)->sregs, sizeof(s));
	memset(s.interrupt_bitmap, 0, sizeof(s.interrupt_bitmap));
	return sw_copy_out(arg, &s, sizeof(s));
}

static int take_sregs(struct x86_vcpu *x, const struct gk_x86_sregs2 *s)
{
	if (s->cr4 & x86_cr4_reserved(x))
		return -EINVAL;
	if (x86_set_apic_base(x, s->apic_base, true))
		return -EINVAL;
	x->sregs = *s;
	x86_runtime(x);
	return 0;
}

static int set_sregs(void *object, uintptr_t arg)
{
	struct gk_x86_sregs2 s = x86_vcpu(object)->sregs;

	/* the same up to what differs at the end */
	if (sw_copy_in(&s, arg, offsetof(struct gk_x86_sregs, interrupt_bitmap)))
		return -EFAULT;
	return take_sregs(x86_vcpu(object), &s);
}

static int get_sregs2(void *object, uintptr_t arg)
{
	return sw_copy_out(arg, &x86_vcpu(object)->sregs, sizeof(struct gk_x86_sregs2));
}

static int set_sregs2(void *object, uintptr_t arg)
{
	struct gk_x86_sregs2 s;

	if (sw_copy_in(&s, arg, sizeof(s)))
		return -EFAULT;
	return take_sregs(x86_vcpu(object), &s);
}

int x86_set_xcr(struct x86_vcpu *x, uint32_t index, uint64_t value)
{
	if (index || !(value & XCR0_X87) || (value & ~(x86_guest_xcr0(x) | XCR0_X87)))
		return -EINVAL;
	x->xcr0 = value;
	x86_runtime(x);
	return 0;
}

static int get_xcrs(void *object, uintptr_t arg)
{
	struct gk_xcrs xcrs;

	memset(&xcrs, 0, sizeof(xcrs));
	xcrs.nr_xcrs = 1;
	xcrs.xcrs[0].value = x86_vcpu(object)->xcr0;
	return sw_copy_out(arg, &xcrs, sizeof(xcrs));
}

static int set_xcrs(void *object, uintptr_t arg)
{
	struct gk_xcrs xcrs;

	if (sw_copy_in(&xcrs, arg, sizeof(xcrs)))
		return -EFAULT;
	if (xcrs.nr_xcrs > sizeof(xcrs.xcrs) / sizeof(xcrs.xcrs[0]) || xcrs.flags)
		return -EINVAL;
	for (uint32_t i = 0; i < xcrs.nr_xcrs; i++)
		if (!xcrs.xcrs[i].xcr)
			return x86_set_xcr(x86_vcpu(object), 0, xcrs.xcrs[i].value);
	return 0;
}

static int get_mp_state(void *object, uintptr_t arg)
{
	struct gk_mp_state mp;

	x86_accept_events(x86_vcpu(object));
	mp.mp_state = ((struct sw_vcpu *)object)->mp_state;
	return sw_copy_out(arg, &mp, sizeof(mp));
}

static int set_mp_state(void *object, uintptr_t arg)
{
	struct sw_vcpu *v = object;
	struct gk_mp_state mp;

	if (sw_copy_in(&mp, arg, sizeof(mp)))
		return -EFAULT;
	if (mp.mp_state > GK_MP_STATE_SIPI_RECEIVED ||
	    (!x86_lapic(x86_vcpu(v)) && mp.mp_state != GK_MP_STATE_RUNNABLE))
		return -EINVAL;
	v->mp_state = mp.mp_state;
	if (mp.mp_state == GK_MP_STATE_SIPI_RECEIVED) {
		v->mp_state = GK_MP_STATE_INIT_RECEIVED;
		x86_vcpu(v)->guest->events |= EVENT_SIPI;
	}
	return 0;
}

static int get_tsc_khz(void *object, uintptr_t arg)
{
	(void)arg;
	return (int)x86_vcpu(object)->tsc_khz;
}

static int set_tsc_khz(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);
	uint32_t host = (uint32_t)x86_model(x)->host->tsc_khz;

	if (arg > UINT32_MAX || (arg && arg < host && !sw_cap(x86_model(x), NULL, CAP_TSC_CONTROL)))
		return -EINVAL;
	x->tsc_khz = arg ? (uint32_t)arg : host;
	return 0;
}

const struct sw_call x86_vcpu_calls[] = {
	{ GK_SET_CPUID2, x86_set_cpuid2 },
	{ GK_GET_CPUID2, x86_get_cpuid2 },
	{ GK_SET_CPUID, x86_set_cpuid },
	{ GK_GET_MSRS, x86_get_msrs },
	{ GK_SET_MSRS, x86_set_msrs },
	{ GK_GET_SREGS, get_sregs },
	{ GK_SET_SREGS, set_sregs },
	{ GK_GET_SREGS2, get_sregs2 },
	{ GK_SET_SREGS2, set_sregs2 },
	{ GK_GET_XCRS, get_xcrs },
	{ GK_SET_XCRS, set_xcrs },
	{ GK_INTERRUPT, x86_interrupt },
	{ GK_NMI, x86_send_nmi },
	{ GK_GET_LAPIC, x86_get_lapic },
	{ GK_SET_LAPIC, x86_set_lapic },
	{ GK_GET_MP_STATE, get_mp_state },
	{ GK_SET_MP_STATE, set_mp_state },
	{ GK_X86_SETUP_MCE, x86_setup_mce },
	{ GK_GET_NESTED_STATE, x86_get_nested_state },
	{ GK_GET_TSC_KHZ, get_tsc_khz },
	{ GK_SET_TSC_KHZ, set_tsc_khz },
	{ 0, NULL },
};

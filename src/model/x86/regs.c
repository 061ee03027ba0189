/* SPDX-License-Identifier: MIT */
/* Registers of a vCPU as its VMM reads and sets them, those with rules of their own apart. */
#include "x86.h"

#include <string.h>

#define TSC_TOLERANCE 250U /* parts per million, tsc_tolerance_ppm */
#define MILLION 1000000U
#define TSC_KHZ_MOST 0x7fffffffU
#define XCR0_X87 1U
#define RDX_RESET 0x600U /* of a vCPU that has no leaf 1 */
#define RFLAGS_FIXED 2U
#define DR6_RESET 0xffff0ff0U
#define DR7_RESET 0x400U
#define EXCEPTIONS 32
#define NMI_VECTOR 2
#define DEBUG_TRAP 1
#define BREAKPOINT 3
#define OVERFLOWED 4

void x86_regs_reset(struct x86_vcpu *x)
{
	const struct snap_cpuid *features = x86_own_entry(x, ADDR_LEAF(gcpu_facts_x86.words[X86_W_CPUID_0X1_0X0_EAX].addr), 0);

	x86_sregs_reset(x);
	x->regs = (struct gk_x86_regs){ .rdx = features ? features->regs[0] : RDX_RESET, .rip = RIP_RESET, .rflags = RFLAGS_FIXED };
	x->debug = (struct gk_debugregs){ .dr6 = DR6_RESET, .dr7 = DR7_RESET };
}

void x86_regs_new(struct x86_vcpu *x)
{
	x86_regs_reset(x);
	x->xcr0 = XCR0_X87;
	x->v->mp_state = x->v->id == x86_vm(x->v->vm)->boot_id || !x86_lapic(x) ? GK_MP_STATE_RUNNABLE :
								   GK_MP_STATE_UNINITIALIZED;
}

static int get_regs(void *object, uintptr_t arg)
{
	return sw_copy_out(arg, &x86_vcpu(object)->regs, sizeof(struct gk_x86_regs));
}

static int set_regs(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);

	if (sw_copy_in(&x->regs, arg, sizeof(x->regs)))
		return -EFAULT;
	x->regs.rflags |= RFLAGS_FIXED;
	return 0;
}

static int get_debugregs(void *object, uintptr_t arg)
{
	return sw_copy_out(arg, &x86_vcpu(object)->debug, sizeof(struct gk_debugregs));
}

static int set_debugregs(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);
	struct gk_debugregs d;

	if (sw_copy_in(&d, arg, sizeof(d)))
		return -EFAULT;
	if (d.flags || d.dr6 >> 32 || d.dr7 >> 32)
		return -EINVAL;
	memset(d.reserved, 0, sizeof(d.reserved));
	x->debug = d;
	return 0;
}

static int get_events(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);
	struct gk_vcpu_events e = x->events;

	e.flags = GK_VCPUEVENT_VALID_NMI_PENDING | GK_VCPUEVENT_VALID_SHADOW | GK_VCPUEVENT_VALID_SMM;
	if (x86_vm(x->v->vm)->exception_payload)
		e.flags |= GK_VCPUEVENT_VALID_PAYLOAD;
	if (x86_vm(x->v->vm)->triple_fault_event)
		e.flags |= GK_VCPUEVENT_VALID_TRIPLE_FAULT;
	if (e.exception.nr == BREAKPOINT || e.exception.nr == OVERFLOWED)
		e.exception.injected = e.exception.pending = 0; /* its instruction comes again */
	else if (!x86_vm(x->v->vm)->exception_payload)
		e.exception.injected |= e.exception.pending;
	if (!sw_behaves(x86_model(x), BEHAVIOUR_NMIS_COUNTED))
		e.nmi.pending = e.nmi.pending != 0;
	return sw_copy_out(arg, &e, sizeof(e));
}

/* Flags that say something about what follows. */
static uint32_t known_flags(const struct x86_vcpu *x)
{
	const struct x86_vm *vm = x86_vm(x->v->vm);

	return GK_VCPUEVENT_VALID_NMI_PENDING | GK_VCPUEVENT_VALID_SIPI_VECTOR | GK_VCPUEVENT_VALID_SHADOW |
	       GK_VCPUEVENT_VALID_SMM | (vm->exception_payload ? GK_VCPUEVENT_VALID_PAYLOAD : 0) |
	       (vm->triple_fault_event ? GK_VCPUEVENT_VALID_TRIPLE_FAULT : 0);
}

/* What STI (2) and MOV SS (1) hold back until the next instruction: AMD's CPUs have one bit for both, Intel's one of two. */
static uint8_t shadow(const struct gcpu_model *m, uint8_t said)
{
	if (x86_is_hosts(m, MSR_AMD))
		return said ? 3 : 0;
	return x86_is_hosts(m, MSR_INTEL) ? (said & 1 ? 1 : said & 2) : said;
}

static int set_smm(struct x86_vcpu *x, const struct gk_vcpu_events *e)
{
	struct gk_vcpu_events *to = &x->events;

	if (sw_cap(x86_model(x), NULL, CAP_X86_SMM) <= 0 && (e->smi.smm || e->smi.pending || e->smi.smm_inside_nmi))
		return -EINVAL;
	to->smi.smm = e->smi.smm & 1;
	to->smi.pending = e->smi.pending & 1;
	to->smi.smm_inside_nmi = e->smi.smm ? e->smi.smm_inside_nmi & 1 : to->smi.smm_inside_nmi;
	to->smi.latched_init = x86_lapic(x) ? e->smi.latched_init & 1 : 0;
	return 0;
}

static int set_events(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);
	struct gk_vcpu_events e, *to = &x->events;
	bool payload;

	if (sw_copy_in(&e, arg, sizeof(e)))
		return -EFAULT;
	if (e.flags & ~known_flags(x))
		return -EINVAL;
	payload = e.flags & GK_VCPUEVENT_VALID_PAYLOAD;
	if (!payload)
		e.exception.pending = e.exception_has_payload = 0;
	if ((e.exception.injected || e.exception.pending) &&
	    (e.exception.nr >= EXCEPTIONS || e.exception.nr == NMI_VECTOR))
		return -EINVAL;
	if ((e.flags & GK_VCPUEVENT_VALID_SMM) && (e.smi.smm || e.smi.pending) && x->v->mp_state == GK_MP_STATE_INIT_RECEIVED &&
	    !sw_behaves(x86_model(x), BEHAVIOUR_SMM_JUDGED_AT_RUN))
		return -EINVAL;
	to->exception.injected = e.exception.injected & 1;
	to->exception.pending = e.exception.pending & 1;
	to->exception.nr = e.exception.nr;
	to->exception.has_error_code = e.exception.has_error_code & 1;
	to->exception.error_code = e.exception.error_code;
	to->exception_has_payload = e.exception_has_payload;
	to->exception_payload = e.exception_payload;
	to->interrupt.injected = e.interrupt.injected & !e.interrupt.soft & 1;
	to->interrupt.nr = e.interrupt.nr;
	if (e.flags & GK_VCPUEVENT_VALID_SHADOW)
		to->interrupt.shadow = shadow(x86_model(x), e.interrupt.shadow);
	to->nmi.injected = e.nmi.injected & 1;
	if (e.flags & GK_VCPUEVENT_VALID_NMI_PENDING)
		to->nmi.pending = sw_behaves(x86_model(x), BEHAVIOUR_NMIS_COUNTED) ? e.nmi.pending & 3 : e.nmi.pending & 1;
	to->nmi.masked = e.nmi.masked & 1;
	/* what came before it stays, even where it is refused */
	if ((e.flags & GK_VCPUEVENT_VALID_SMM) && set_smm(x, &e))
		return -EINVAL;
	if (e.flags & GK_VCPUEVENT_VALID_TRIPLE_FAULT)
		to->triple_fault.pending = e.triple_fault.pending & 1;
	return 0;
}

/* Breakpoints and single steps have nothing to stop; an exception can be sent in. */
static int set_guest_debug(void *object, uintptr_t arg)
{
	struct gk_vcpu_events *e = &x86_vcpu(object)->events;
	struct gk_guest_debug d;

	if (sw_copy_in(&d, arg, sizeof(d)))
		return -EFAULT;
	if (!(d.control & (GK_GUESTDBG_INJECT_DB | GK_GUESTDBG_INJECT_BP)))
		return 0;
	if (e->exception.pending)
		return -EBUSY;
	memset(&e->exception, 0, sizeof(e->exception));
	e->exception.pending = 1;
	e->exception.nr = d.control & GK_GUESTDBG_INJECT_DB ? DEBUG_TRAP : BREAKPOINT;
	return 0;
}

static int get_mp_state(void *object, uintptr_t arg)
{
	struct gk_mp_state mp;

	x86_accept_events(x86_vcpu(object));
	x86_kicked(x86_vcpu(object));
	mp.mp_state = ((struct sw_vcpu *)object)->mp_state;
	return sw_copy_out(arg, &mp, sizeof(mp));
}

static int set_mp_state(void *object, uintptr_t arg)
{
	struct sw_vcpu *v = object;
	struct gk_mp_state mp;

	if (sw_copy_in(&mp, arg, sizeof(mp)))
		return -EFAULT;
	if ((mp.mp_state > GK_MP_STATE_SIPI_RECEIVED && mp.mp_state != GK_MP_STATE_AP_RESET_HOLD) ||
	    (!x86_lapic(x86_vcpu(v)) && mp.mp_state != GK_MP_STATE_RUNNABLE))
		return -EINVAL;
	/* an INIT waits until SMM is left, and an SMI goes before it */
	if ((mp.mp_state == GK_MP_STATE_INIT_RECEIVED || mp.mp_state == GK_MP_STATE_SIPI_RECEIVED) &&
	    (x86_vcpu(v)->events.smi.smm || x86_vcpu(v)->events.smi.pending) &&
	    !sw_behaves(v->vm->model, BEHAVIOUR_SMM_JUDGED_AT_RUN))
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

bool x86_tsc_khz_allowed(const struct gcpu_model *m, uint32_t khz)
{
	return !sw_cap(m, NULL, CAP_TSC_CONTROL) || khz < TSC_KHZ_MOST;
}

/* Without scaling a rate above the host's is caught up with now and then; one below it is refused, and
 * said to be in force all the same. */
static int set_tsc_khz(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);
	uint64_t host = x86_host_khz(x86_model(x));

	if (!x86_tsc_khz_allowed(x86_model(x), (uint32_t)arg))
		return -EINVAL;
	x->tsc_khz = (uint32_t)arg ? (uint32_t)arg : (uint32_t)host;
	return !sw_cap(x86_model(x), NULL, CAP_TSC_CONTROL) && x->tsc_khz < host * (MILLION - TSC_TOLERANCE) / MILLION ?
		       -EINVAL : 0;
}

const struct sw_call x86_vcpu_calls[] = {
	{ GK_SET_CPUID2, x86_set_cpuid2 },
	{ GK_GET_CPUID2, x86_get_cpuid2 },
	{ GK_SET_CPUID, x86_set_cpuid },
	{ GK_GET_MSRS, x86_get_msrs },
	{ GK_SET_MSRS, x86_set_msrs },
	{ GK_INTERRUPT, x86_interrupt },
	{ GK_NMI, x86_send_nmi },
	{ GK_KVMCLOCK_CTRL, x86_clock_stopped },
	{ GK_X86_SETUP_MCE, x86_setup_mce },
	{ GK_GET_SUPPORTED_HV_CPUID, x86_get_hyperv_vcpu },
	{ GK_GET_ONE_REG, x86_get_one_reg },
	{ GK_SET_ONE_REG, x86_set_one_reg },
	{ GK_GET_REG_LIST, x86_reg_list },
	{ GK_SET_VAPIC_ADDR, x86_set_vapic },
	{ GK_SMI, x86_smi },
	{ GK_HAS_DEVICE_ATTR, x86_has_vcpu_attr },
	{ GK_GET_DEVICE_ATTR, x86_get_vcpu_attr },
	{ GK_SET_DEVICE_ATTR, x86_set_vcpu_attr },
	{ GK_SET_GUEST_DEBUG, set_guest_debug },
	{ GK_GET_REGS, get_regs },
	{ GK_SET_REGS, set_regs },
	{ GK_GET_SREGS, x86_get_sregs },
	{ GK_SET_SREGS, x86_set_sregs },
	{ GK_GET_SREGS2, x86_get_sregs2 },
	{ GK_SET_SREGS2, x86_set_sregs2 },
	{ GK_GET_XCRS, x86_get_xcrs },
	{ GK_SET_XCRS, x86_set_xcrs },
	{ GK_GET_XSAVE, x86_get_xsave },
	{ GK_GET_XSAVE2, x86_get_xsave2 },
	{ GK_SET_XSAVE, x86_set_xsave },
	{ GK_GET_FPU, x86_get_fpu },
	{ GK_SET_FPU, x86_set_fpu },
	{ GK_GET_DEBUGREGS, get_debugregs },
	{ GK_SET_DEBUGREGS, set_debugregs },
	{ GK_GET_VCPU_EVENTS, get_events },
	{ GK_SET_VCPU_EVENTS, set_events },
	{ GK_GET_LAPIC, x86_get_lapic },
	{ GK_SET_LAPIC, x86_set_lapic },
	{ GK_GET_MP_STATE, get_mp_state },
	{ GK_SET_MP_STATE, set_mp_state },
	{ GK_GET_NESTED_STATE, x86_get_nested_state },
	{ GK_SET_NESTED_STATE, x86_set_nested_state },
	{ GK_GET_TSC_KHZ, get_tsc_khz },
	{ GK_SET_TSC_KHZ, set_tsc_khz },
	{ 0, NULL },
};

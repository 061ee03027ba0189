/* SPDX-License-Identifier: MIT */
/*
 * What comes to a vCPU from outside: system errors, and lines of interrupts; and how it is debugged. Nothing
 * of it reaches the guest's list of operations; a VMM that saves a vCPU finds what it left.
 */
#include "arm64.h"

#include "kvm/abi_more.h"

#include <string.h>

#define SYNDROME 0x1ffffffU	 /* what of one a VMM may choose */
#define SYNDROME_OWN (1U << 24) /* of an error without one: it means what the implementation says */
#define DEBUG_KNOWN 0x30003U

static bool has_syndromes(const struct arm64_vcpu *x)
{
	return sw_cap(arm64_model(x), NULL, CAP_ARM_INJECT_SERROR_ESR) > 0;
}

static bool too_early(const struct arm64_vcpu *x)
{
	return !x->initialised && sw_behaves(arm64_model(x), BEHAVIOUR_EVENTS_AFTER_INIT);
}

int arm64_get_events(void *vcpu, uintptr_t arg)
{
	const struct arm64_vcpu *x = arm64_vcpu(vcpu);
	struct gk_arm_vcpu_events e;

	if (too_early(x))
		return -ENOEXEC;
	memset(&e, 0, sizeof(e));
	e.serror_pending = x->serror;
	e.serror_has_esr = has_syndromes(x);
	if (e.serror_pending && e.serror_has_esr)
		e.serror_esr = x->serror_esr;
	return sw_copy_out(arg, &e, sizeof(e));
}

/* An abort is the guest's at once, and one that waits is not taken back. */
int arm64_set_events(void *vcpu, uintptr_t arg)
{
	struct arm64_vcpu *x = arm64_vcpu(vcpu);
	struct gk_arm_vcpu_events e;

	if (too_early(x))
		return -ENOEXEC;
	if (sw_copy_in(&e, arg, sizeof(e)))
		return -EFAULT;
	if (!e.serror_pending)
		return 0;
	if (e.serror_has_esr && (!has_syndromes(x) || (e.serror_esr & ~(uint64_t)SYNDROME)))
		return -EINVAL;
	x->serror = true;
	x->serror_esr = e.serror_has_esr ? e.serror_esr : SYNDROME_OWN;
	return 0;
}

int arm64_set_guest_debug(void *vcpu, uintptr_t arg)
{
	struct gk_arm_guest_debug d;

	(void)vcpu;
	if (sw_copy_in(&d, arg, sizeof(d)))
		return -EFAULT;
	return d.control & ~DEBUG_KNOWN ? -EINVAL : 0;
}

/* Lines of the vGIC, or of a vCPU that has none in KVM. */
int arm64_irq_line(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;
	const struct arm64_gic *g = &arm64_vm(vm)->gic;
	struct gk_irq_level l;
	unsigned type, vcpu, line;
	bool there, early;

	if (sw_copy_in(&l, arg, sizeof(l)))
		return -EFAULT;
	type = l.irq >> GK_ARM_IRQ_TYPE_SHIFT & 0xf;
	vcpu = (l.irq >> GK_ARM_IRQ_VCPU_SHIFT & 0xff) + (l.irq >> 28) * 256;
	line = l.irq & 0xffff;
	there = sw_behaves(vm->model, BEHAVIOUR_LINES_BY_ID) ? vcpu < vm->n_by_id && vm->by_id[vcpu] : vcpu < vm->n_vcpus;
	if (type > GK_ARM_IRQ_TYPE_PPI)
		return -EINVAL;
	if ((type == GK_ARM_IRQ_TYPE_CPU) == (g->type != 0))
		return -ENXIO;
	if (type == GK_ARM_IRQ_TYPE_CPU)
		return there && line <= 1 ? 0 : -EINVAL;
	/* a GICv2 is made ready by its first interrupt */
	early = !g->ready && g->type != GK_DEV_TYPE_ARM_VGIC_V2;
	if (early && sw_behaves(vm->model, BEHAVIOUR_LINES_WHEN_READY))
		return -EBUSY;
	if (type == GK_ARM_IRQ_TYPE_PPI ? !there || line < FIRST_PPI || line >= FIRST_SPI : line < FIRST_SPI)
		return -EINVAL;
	if (early)
		return -EBUSY;
	return line < (g->irqs ? g->irqs : IRQS_USUAL) ? 0 : -EINVAL;
}

/* SPDX-License-Identifier: MIT */
/* Interrupts that a VMM sends: MSIs, routes for them, its own controller's, NMIs. */
#include "x86.h"

#include <stdlib.h>

#define PIC_PINS 8
#define IOAPIC_PINS 24
#define IRQCHIPS 3 /* two PICs, then the I/O APIC */
#define IRQCHIP_IOAPIC 2
#define ROUTE_DEVID 1U /* KVM_MSI_VALID_DEVID */
#define MSI_LOGICAL 4U
#define MSI_REDIRECT 8U
#define MSI_LEVEL 0x8000U

static bool wide_ids(const struct sw_vm *vm)
{
	return x86_vm(vm)->x2apic_flags & GK_X2APIC_API_USE_32BIT_IDS;
}

int x86_signal_msi(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;
	struct x86_irq irq = { .assert = true };
	struct gk_msi msi;

	if (sw_copy_in(&msi, arg, sizeof(msi)))
		return -EFAULT;
	if (x86_vm(vm)->irqchip == X86_IRQCHIP_NONE || (msi.flags & ~ROUTE_DEVID) ||
	    (wide_ids(vm) && (msi.address_hi & 0xff)))
		return -EINVAL;
	irq.dest = msi.address_lo >> 12 & 0xff;
	if (wide_ids(vm))
		irq.dest |= msi.address_hi;
	irq.logical = msi.address_lo & MSI_LOGICAL;
	irq.redirect = msi.address_lo & MSI_REDIRECT;
	irq.mode = msi.data & ICR_MODE;
	irq.vector = msi.data & ICR_VECTOR;
	irq.level = msi.data & MSI_LEVEL;
	return x86_deliver(vm, NULL, &irq);
}

static int check_pin(const struct sw_vm *vm, const struct gk_irq_routing_entry *e)
{
	if (x86_vm(vm)->irqchip != X86_IRQCHIP_KERNEL || e->u.irqchip.irqchip >= IRQCHIPS)
		return -EINVAL;
	return e->u.irqchip.pin >= (e->u.irqchip.irqchip == IRQCHIP_IOAPIC ? IOAPIC_PINS : PIC_PINS) ? -EINVAL : 0;
}

/* A GSI goes to one pin of each controller, or to one message. */
static bool clashes(const struct gk_irq_routing_entry *all, uint32_t at)
{
	const struct gk_irq_routing_entry *e = &all[at];

	for (uint32_t i = 0; i < at; i++) {
		const struct gk_irq_routing_entry *o = &all[i];

		if (o->gsi == e->gsi && (o->type != GK_IRQ_ROUTING_IRQCHIP || e->type != GK_IRQ_ROUTING_IRQCHIP ||
					 o->u.irqchip.irqchip == e->u.irqchip.irqchip))
			return true;
	}
	return false;
}

static int check_route(const struct sw_vm *vm, const struct gk_irq_routing_entry *all, uint32_t at)
{
	const struct gk_irq_routing_entry *e = &all[at];
	uint32_t flags = e->type == GK_IRQ_ROUTING_MSI ? ROUTE_DEVID : 0;

	if (e->gsi >= ROUTES_MOST || (e->flags & ~flags) || clashes(all, at))
		return -EINVAL;
	switch (e->type) {
	case GK_IRQ_ROUTING_IRQCHIP:
		return check_pin(vm, e);
	case GK_IRQ_ROUTING_MSI:
		return wide_ids(vm) && (e->u.msi.address_hi & 0xff) ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

int x86_set_routing(void *object, uintptr_t arg)
{
	struct gk_irq_routing_entry *all;
	struct sw_vm *vm = object;
	struct gk_irq_routing r;
	int status;

	if (sw_copy_in(&r, arg, sizeof(r)))
		return -EFAULT;
	if (x86_vm(vm)->irqchip == X86_IRQCHIP_NONE || r.nr > ROUTES_MOST || r.flags)
		return -EINVAL;
	if (!r.nr)
		return 0;
	all = malloc(r.nr * sizeof(*all));
	if (!all)
		return -ENOMEM;
	status = sw_copy_in(all, arg + sizeof(r), r.nr * sizeof(*all));
	for (uint32_t i = 0; i < r.nr && status == 0; i++)
		status = check_route(vm, all, i);
	free(all);
	return status;
}

int x86_interrupt(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);
	uint32_t vector;

	if (sw_copy_in(&vector, arg, sizeof(vector)))
		return -EFAULT;
	if (vector > 255)
		return -EINVAL;
	if (x86_vm(x->v->vm)->irqchip == X86_IRQCHIP_KERNEL)
		return -ENXIO;
	if (x86_lapic(x) && x->guest->external >= 0)
		return -EEXIST;
	x->guest->external = (int)vector;
	return 0;
}

int x86_send_nmi(void *object, uintptr_t arg)
{
	(void)arg;
	x86_nmi_raise(x86_vcpu(object));
	return 0;
}

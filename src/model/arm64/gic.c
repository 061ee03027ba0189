/* SPDX-License-Identifier: MIT */
/* Devices: the interrupt controllers, as far as a VMM sets them up. */
#include "arm64.h"

#define SIZE_4K 0x1000UL
#define V2_DIST_SIZE 0x1000UL
#define V2_CPU_SIZE 0x2000UL
#define IRQS_LEAST 64U
#define IRQS_MOST 1023U

int arm64_gic_error(const struct gcpu_snapshot *s, uint32_t type)
{
	for (size_t i = 0; i < s->devices.n; i++)
		if (LIST_AT(&s->devices, struct snap_device, i)->type == type)
			return -LIST_AT(&s->devices, struct snap_device, i)->error;
	return -ENODEV;
}

static bool has_run(const struct sw_vm *vm)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if (vm->vcpus[i]->ran)
			return true;
	return false;
}

static int gic_allowed(struct sw_vm *vm, uint32_t type)
{
	if (arm64_vm(vm)->gic.type)
		return -EEXIST;
	if (has_run(vm))
		return -EBUSY;
	return type == GK_DEV_TYPE_ARM_VGIC_V2 && vm->n_vcpus > V2_VCPUS_MOST ? -E2BIG : 0;
}

int arm64_device_allowed(struct sw_vm *vm, uint32_t type, uint32_t flags)
{
	const struct gcpu_snapshot *s = vm->model->host;
	int status;

	/* the translation service comes with a GICv3 */
	if (type == GK_DEV_TYPE_ARM_VGIC_ITS || type == GK_DEV_TYPE_VFIO)
		return type == GK_DEV_TYPE_VFIO ? 0 : arm64_gic_error(s, GK_DEV_TYPE_ARM_VGIC_V3);
	if (type != GK_DEV_TYPE_ARM_VGIC_V2 && type != GK_DEV_TYPE_ARM_VGIC_V3)
		return -ENODEV;
	status = arm64_gic_error(s, type);
	return status || (flags & GK_CREATE_DEVICE_TEST) ? status : gic_allowed(vm, type);
}

static void made(struct sw_vm *vm, uint32_t type)
{
	arm64_vm(vm)->gic.type = type;
	arm64_ids_gic_made(vm);
}

void arm64_device_made(struct sw_device *d)
{
	if (d->type == GK_DEV_TYPE_ARM_VGIC_V2 || d->type == GK_DEV_TYPE_ARM_VGIC_V3)
		made(d->vm, d->type);
}

int arm64_create_irqchip(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;
	int status = arm64_device_allowed(vm, GK_DEV_TYPE_ARM_VGIC_V2, 0);

	(void)arg;
	if (status == 0)
		made(vm, GK_DEV_TYPE_ARM_VGIC_V2);
	return status;
}

static int place(const struct sw_vm *vm, uint64_t *where, uint64_t at, uint64_t aligned, uint64_t size)
{
	unsigned bits = arm64_vm(vm)->ipa_bits;

	if (*where != NOWHERE)
		return -EEXIST;
	if (at % aligned || at + size < at)
		return -EINVAL;
	if (at >> bits || at + size > 1ULL << bits)
		return -E2BIG;
	*where = at;
	return 0;
}

static int set_address(struct sw_vm *vm, struct arm64_gic *g, const struct gk_device_attr *a)
{
	bool v3 = a->attr >= GK_VGIC_V3_ADDR_TYPE_DIST;
	uint64_t at;

	if (sw_copy_in(&at, (uintptr_t)a->addr, sizeof(at)))
		return -EFAULT;
	if (v3 != (g->type == GK_DEV_TYPE_ARM_VGIC_V3))
		return -ENXIO;
	switch (a->attr) {
	case GK_VGIC_V2_ADDR_TYPE_DIST:
		return place(vm, &g->dist, at, SIZE_4K, V2_DIST_SIZE);
	case GK_VGIC_V2_ADDR_TYPE_CPU:
		return place(vm, &g->cpu, at, SIZE_4K, V2_CPU_SIZE);
	case GK_VGIC_V3_ADDR_TYPE_DIST:
		return place(vm, &g->dist, at, SIZE_64K, GK_VGIC_V3_DIST_SIZE);
	case GK_VGIC_V3_ADDR_TYPE_REDIST:
		return arm64_set_redist(vm, at);
	case GK_VGIC_V3_ADDR_TYPE_REDIST_REGION:
		return arm64_set_redist_region(vm, at);
	default:
		return -ENXIO;
	}
}

static int set_irqs(struct arm64_gic *g, uint64_t addr)
{
	uint32_t n;

	if (sw_copy_in(&n, (uintptr_t)addr, sizeof(n)))
		return -EFAULT;
	if (n < IRQS_LEAST || n > IRQS_MOST || n % 32)
		return -EINVAL;
	if (g->ready || g->irqs)
		return -EBUSY;
	g->irqs = n;
	return 0;
}

static int has(const struct sw_device *d, const struct gk_device_attr *a)
{
	bool v3 = d->type == GK_DEV_TYPE_ARM_VGIC_V3;

	switch (a->group) {
	case GK_DEV_ARM_VGIC_GRP_ADDR:
		return (v3 ? a->attr >= GK_VGIC_V3_ADDR_TYPE_DIST && a->attr <= GK_VGIC_V3_ADDR_TYPE_REDIST_REGION &&
				     a->attr != GK_VGIC_V3_ADDR_TYPE_REDIST + 1 :
			     a->attr <= GK_VGIC_V2_ADDR_TYPE_CPU) ? 0 : -ENXIO;
	case GK_DEV_ARM_VGIC_GRP_NR_IRQS:
		return 0;
	case GK_DEV_ARM_VGIC_GRP_CTRL:
		return a->attr == GK_DEV_ARM_VGIC_CTRL_INIT ? 0 : -ENXIO;
	default:
		return -ENXIO;
	}
}

static bool is_gic(const struct sw_device *d)
{
	return d->type == GK_DEV_TYPE_ARM_VGIC_V2 || d->type == GK_DEV_TYPE_ARM_VGIC_V3;
}

static int set_attr(void *object, uintptr_t arg)
{
	struct sw_device *d = object;
	struct arm64_gic *g = &arm64_vm(d->vm)->gic;
	struct gk_device_attr a;
	int error;

	if (sw_copy_in(&a, arg, sizeof(a)))
		return -EFAULT;
	if (!is_gic(d))
		return 0;
	switch (a.group) {
	case GK_DEV_ARM_VGIC_GRP_ADDR:
		/* one of another kind of vGIC */
		error = set_address(d->vm, g, &a);
		return error == -ENODEV ? -ENXIO : error;
	case GK_DEV_ARM_VGIC_GRP_NR_IRQS:
		return set_irqs(g, a.addr);
	case GK_DEV_ARM_VGIC_GRP_CTRL:
		if (a.attr != GK_DEV_ARM_VGIC_CTRL_INIT)
			return -ENXIO;
		g->ready = true;
		g->irqs = g->irqs ? g->irqs : IRQS_USUAL;
		return 0;
	default:
		return -ENXIO;
	}
}

static int get_address(const struct sw_vm *vm, const struct gk_device_attr *a)
{
	const struct arm64_gic *g = &arm64_vm(vm)->gic;
	uint64_t at;
	int status;

	if (sw_copy_in(&at, (uintptr_t)a->addr, sizeof(at)))
		return -EFAULT;
	switch (a->attr) {
	case GK_VGIC_V2_ADDR_TYPE_CPU:
		at = g->cpu;
		break;
	case GK_VGIC_V3_ADDR_TYPE_REDIST:
		at = arm64_redist(vm);
		break;
	case GK_VGIC_V3_ADDR_TYPE_REDIST_REGION:
		status = arm64_redist_region(vm, &at);
		if (status)
			return status;
		break;
	default:
		at = g->dist;
	}
	return sw_copy_out((uintptr_t)a->addr, &at, sizeof(at));
}

static int get_attr(void *object, uintptr_t arg)
{
	struct sw_device *d = object;
	const struct arm64_gic *g = &arm64_vm(d->vm)->gic;
	struct gk_device_attr a;
	uint32_t irqs;

	if (sw_copy_in(&a, arg, sizeof(a)))
		return -EFAULT;
	if (!is_gic(d) || has(d, &a) || a.group == GK_DEV_ARM_VGIC_GRP_CTRL)
		return -ENXIO;
	if (a.group == GK_DEV_ARM_VGIC_GRP_NR_IRQS) {
		irqs = g->irqs ? g->irqs : FIRST_SPI;
		return sw_copy_out((uintptr_t)a.addr, &irqs, sizeof(irqs));
	}
	return get_address(d->vm, &a);
}

static int has_attr(void *object, uintptr_t arg)
{
	struct gk_device_attr a;

	if (sw_copy_in(&a, arg, sizeof(a)))
		return -EFAULT;
	return is_gic(object) ? has(object, &a) : 0;
}

int arm64_gic_enter(struct sw_vm *vm)
{
	struct arm64_gic *g = &arm64_vm(vm)->gic;

	if (!g->type)
		return 0;
	if (g->dist == NOWHERE)
		return -ENXIO;
	/* the old one is made ready by the run */
	if (g->type == GK_DEV_TYPE_ARM_VGIC_V2) {
		g->ready = g->cpu != NOWHERE;
		return g->ready ? 0 : -ENXIO;
	}
	if (!arm64_has_redist(vm, vm->n_vcpus))
		return -ENXIO;
	return !arm64_gic_placed(vm) ? -EINVAL : g->ready ? 0 : -EBUSY;
}

const struct sw_call arm64_device_calls[] = {
	{ GK_SET_DEVICE_ATTR, set_attr },
	{ GK_GET_DEVICE_ATTR, get_attr },
	{ GK_HAS_DEVICE_ATTR, has_attr },
	{ 0, NULL },
};

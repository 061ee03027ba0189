/* SPDX-License-Identifier: MIT */
/* The interrupt controller, as far as vCPUs depend on it. devices/arm-vgic-v3.rst; vgic-init.c, vgic-kvm-device.c. */
#include "arm64.h"

#define DIST 0x08000000U
#define REDIST 0x10000000U

static int address(struct conform_vm *vm, uint64_t which, uint64_t at)
{
	return attr_set(vm->c, vm->device, GK_DEV_ARM_VGIC_GRP_ADDR, which, &at);
}

static int ready(struct conform_vm *vm)
{
	return attr_set(vm->c, vm->device, GK_DEV_ARM_VGIC_GRP_CTRL, GK_DEV_ARM_VGIC_CTRL_INIT, NULL);
}

static struct conform_vm *usual(struct conform *c, unsigned vcpus)
{
	struct conform_vm *vm = arm64_vm(c, vcpus, F_PSCI);
	int fd = vm ? make_gic(vm) : -EIO;

	if (!vm)
		return NULL;
	if (fd == -ENODEV) {
		skip(c, "no vGICv3");
		return NULL;
	}
	return expect_ok(c, fd, "KVM_CREATE_DEVICE") ? vm : NULL;
}

static int made(struct conform *c)
{
	struct gk_create_device d = { .type = GK_DEV_TYPE_ARM_VGIC_V3 };
	struct conform_vm *vm = usual(c, 1);

	if (!vm)
		return 1;
	expect_result(c, check_cap(c, c->kvm_fd, CAP_IRQCHIP), 1, "KVM_CAP_IRQCHIP of the system");
	expect_result(c, check_cap(c, vm->fd, CAP_IRQCHIP), 1, "KVM_CAP_IRQCHIP of the VM");
	expect_errno(c, check_cap(c, c->kvm_fd, CAP_MSI_DEVID), EINVAL, "KVM_CAP_MSI_DEVID, which is a VM's");
	expect_errno(c, ask(c, vm->fd, GK_CREATE_DEVICE, &d), EEXIST, "a second one");
	d.flags = GK_CREATE_DEVICE_TEST;
	expect_ok(c, ask(c, vm->fd, GK_CREATE_DEVICE, &d), "only asked whether there are any");
	d = (struct gk_create_device){ .type = 4711 };
	expect_errno(c, ask(c, vm->fd, GK_CREATE_DEVICE, &d), ENODEV, "a device that there is not");
	expect_errno(c, ask(c, vm->fd, GK_CREATE_DEVICE, NULL), EFAULT, "nothing");
	return 0;
}

static int addresses(struct conform *c)
{
	struct conform_vm *vm = usual(c, 1);
	uint64_t got = 0;

	if (!vm)
		return 1;
	expect_errno(c, address(vm, GK_VGIC_V3_ADDR_TYPE_DIST, DIST + 0x1000), EINVAL, "a distributor that is not aligned");
	expect_errno(c, address(vm, GK_VGIC_V3_ADDR_TYPE_DIST, 1ULL << 48), E2BIG, "a distributor beyond the VM's addresses");
	expect_errno(c, address(vm, GK_VGIC_V2_ADDR_TYPE_DIST, DIST), ENXIO, "a distributor of a GICv2");
	expect_ok(c, address(vm, GK_VGIC_V3_ADDR_TYPE_DIST, DIST), "the distributor");
	expect_errno(c, address(vm, GK_VGIC_V3_ADDR_TYPE_DIST, DIST), EEXIST, "the distributor once more");
	expect_ok(c, attr_get(c, vm->device, GK_DEV_ARM_VGIC_GRP_ADDR, GK_VGIC_V3_ADDR_TYPE_DIST, &got), "the distributor, read");
	expect_value(c, got, DIST, "the distributor, read");
	expect_errno(c, attr_set(c, vm->device, GK_DEV_ARM_VGIC_GRP_ADDR, GK_VGIC_V3_ADDR_TYPE_DIST, NULL), EFAULT, "nothing");
	expect_ok(c, address(vm, GK_VGIC_V3_ADDR_TYPE_REDIST, REDIST), "the redistributors");
	expect_errno(c, attr_has(c, vm->device, 77, 0), ENXIO, "a group that there is not");
	return 0;
}

static int interrupts(struct conform *c)
{
	struct conform_vm *vm = usual(c, 1);
	uint32_t n = 63;

	if (!vm)
		return 1;
	expect_errno(c, attr_set(c, vm->device, GK_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &n), EINVAL, "63 interrupts");
	n = 1056;
	expect_errno(c, attr_set(c, vm->device, GK_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &n), EINVAL, "1056 interrupts");
	n = 96;
	expect_ok(c, attr_set(c, vm->device, GK_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &n), "96 interrupts");
	expect_errno(c, attr_set(c, vm->device, GK_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &n), EBUSY, "96 interrupts once more");
	return 0;
}

/* A vCPU does not run without what it needs of it, and the VM is no use from then on. */
static int refused(struct conform *c, bool dist, bool redist, int error, const char *what)
{
	struct conform_vm *vm = usual(c, 1);
	uint64_t value;

	if (!vm || (dist && !expect_ok(c, address(vm, GK_VGIC_V3_ADDR_TYPE_DIST, DIST), "the distributor")) ||
	    (redist && !expect_ok(c, address(vm, GK_VGIC_V3_ADDR_TYPE_REDIST, REDIST), "the redistributors")))
		return 1;
	expect_errno(c, run_at_once(vm, 0), error, "KVM_RUN before %s", what);
	expect_errno(c, vcpu_get(vm, 0, GK_REG_ARM_PC, &value), EIO, "a vCPU's call after that");
	expect_errno(c, check_cap(c, vm->fd, CAP_MAX_VCPUS), EIO, "a VM's call after that");
	expect_errno(c, ready(vm), EIO, "a device's call after that");
	vm_close(vm);
	return 0;
}

static int run(struct conform *c)
{
	struct conform_vm *vm;

	if (refused(c, false, false, ENXIO, "it has addresses") || refused(c, true, false, ENXIO, "there are redistributors") ||
	    refused(c, true, true, EBUSY, "it is ready"))
		return 1;
	vm = usual(c, 1);
	if (!vm)
		return 1;
	expect_ok(c, address(vm, GK_VGIC_V3_ADDR_TYPE_DIST, DIST), "the distributor");
	expect_ok(c, address(vm, GK_VGIC_V3_ADDR_TYPE_REDIST, REDIST), "the redistributors");
	expect_ok(c, ready(vm), "KVM_DEV_ARM_VGIC_CTRL_INIT");
	expect_ok(c, ready(vm), "KVM_DEV_ARM_VGIC_CTRL_INIT once more");
	expect_errno(c, vm_try_vcpu(vm, 1), EBUSY, "another vCPU after that");
	expect_errno(c, run_at_once(vm, 0), EINTR, "KVM_RUN");
	return 0;
}

static int late(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);

	if (!vm || !expect_errno(c, run_at_once(vm, 0), EINTR, "KVM_RUN"))
		return 1;
	expect_errno(c, make_gic(vm), EBUSY, "a vGIC after a run");
	return 0;
}

/* 96 of them, the first 32 each vCPU's own: shared ones, and no FIQ, come through it alone. */
static int lines(struct conform *c)
{
	struct conform_vm *vm = usual(c, 1);
	uint32_t n = 96;

	if (!vm || !expect_ok(c, attr_set(c, vm->device, GK_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &n), "96 interrupts"))
		return 1;
	expect_errno(c, irq_line(vm, IRQ_LINE(IRQ_SHARED, 0, 40)), EBUSY, "before it is ready");
	expect_ok(c, address(vm, GK_VGIC_V3_ADDR_TYPE_DIST, DIST), "the distributor");
	expect_ok(c, address(vm, GK_VGIC_V3_ADDR_TYPE_REDIST, REDIST), "the redistributors");
	expect_ok(c, ready(vm), "KVM_DEV_ARM_VGIC_CTRL_INIT");
	expect_ok(c, irq_line(vm, IRQ_LINE(IRQ_SHARED, 0, 32)), "the first of all");
	expect_ok(c, irq_line(vm, IRQ_LINE(IRQ_SHARED, 0, n - 1)), "the last");
	expect_errno(c, irq_line(vm, IRQ_LINE(IRQ_SHARED, 0, n)), EINVAL, "one behind it");
	expect_errno(c, irq_line(vm, IRQ_LINE(IRQ_SHARED, 0, 31)), EINVAL, "a vCPU's own as one of all");
	expect_ok(c, irq_line(vm, IRQ_LINE(IRQ_PRIVATE, 0, 16)), "a vCPU's own");
	expect_errno(c, irq_line(vm, IRQ_LINE(IRQ_PRIVATE, 0, 15)), EINVAL, "one that vCPUs send each other");
	expect_errno(c, irq_line(vm, IRQ_LINE(IRQ_PRIVATE, 1, 16)), EINVAL, "of a vCPU that there is not");
	expect_errno(c, irq_line(vm, IRQ_LINE(IRQ_OF_CPU, 0, 0)), ENXIO, "past it");
	return 0;
}

const struct conform_case cases_arm64_gic[] = {
	{ "gic:create", "KVM API 4.79, vgic-init.c kvm_vgic_create", made },
	{ "gic:addresses", "devices/arm-vgic-v3.rst", addresses },
	{ "gic:interrupts", "devices/arm-vgic.rst", interrupts },
	{ "gic:needed-to-run", "ST:arm64/vgic_init", run },
	{ "gic:lines", "KVM API 4.25", lines },
	{ "gic:after-run", "ST:arm64/vgic_init", late },
	{ NULL, NULL, NULL },
};

/* SPDX-License-Identifier: MIT */
/*
 * What a VMM sets up of a board, in the order in which it does: controllers and
 * timer before what needs them, addresses, filters of events, the TSC's offset.
 * KVM API 4.8 to 4.128; x86.c.
 */
#include "x86.h"

#include "kvm/abi_more.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* As large as anything that is passed here. */
struct room {
	uint64_t words[72];
};

static int pit(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 0), *split = x86_vm(c, SPLIT_APIC, 0), *none = x86_vm(c, NO_APIC, 0);
	struct gk_reinject_control reinject = { .pit_reinject = 1 };
	struct room r = { { 0 } };

	if (!vm || !split || !none)
		return 1;
	if (c->release >= KERNEL(6, 12)) {
		expect_errno(c, ask(c, none->fd, GK_CREATE_PIT2, &r), ENOENT, "KVM_CREATE_PIT2 without irqchip");
		expect_errno(c, ask(c, split->fd, GK_CREATE_PIT2, &r), ENOENT, "KVM_CREATE_PIT2 with a split one");
	} else {
		expect_ok(c, ask(c, none->fd, GK_CREATE_PIT2, &r), "KVM_CREATE_PIT2 without irqchip");
	}
	expect_errno(c, ask(c, vm->fd, GK_GET_PIT2, &r), ENXIO, "KVM_GET_PIT2 before it");
	expect_errno(c, ask(c, vm->fd, GK_SET_PIT2, &r), ENXIO, "KVM_SET_PIT2 before it");
	expect_errno(c, ask(c, vm->fd, GK_REINJECT_CONTROL, &reinject), ENXIO, "KVM_REINJECT_CONTROL before it");
	expect_errno(c, ask(c, vm->fd, GK_CREATE_PIT2, NULL), EFAULT, "KVM_CREATE_PIT2 of nothing");
	expect_ok(c, ask(c, vm->fd, GK_CREATE_PIT2, &r), "KVM_CREATE_PIT2");
	expect_errno(c, ask(c, vm->fd, GK_CREATE_PIT2, &r), EEXIST, "KVM_CREATE_PIT2 twice");
	expect_errno(c, ask(c, vm->fd, GK_CREATE_PIT, NULL), EEXIST, "KVM_CREATE_PIT after it");
	expect_ok(c, ask(c, vm->fd, GK_REINJECT_CONTROL, &reinject), "KVM_REINJECT_CONTROL");
	return 0;
}

/* Its three channels, at first and as they were set; the old calls leave alone what they do not have. */
static int channels(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 0);
	struct gk_pit_state2 p = { .flags = 0 };

	if (!vm)
		return 1;
	expect_errno(c, ask(c, vm->fd, GK_GET_PIT, &p), ENXIO, "KVM_GET_PIT of none");
	expect_errno(c, ask(c, vm->fd, GK_SET_PIT, &p), ENXIO, "KVM_SET_PIT of none");
	expect_ok(c, ask(c, vm->fd, GK_CREATE_PIT2, &p), "KVM_CREATE_PIT2");
	expect_ok(c, ask(c, vm->fd, GK_GET_PIT2, &p), "KVM_GET_PIT2");
	for (unsigned i = 0; i < COUNT(p.channels); i++) {
		expect_value(c, p.channels[i].count, 0x10000, "channel %u's count", i);
		expect_value(c, p.channels[i].gate, i != 2, "channel %u's gate", i);
		expect_value(c, p.channels[i].mode, 0xff, "channel %u's mode", i);
	}
	p.channels[1].count = 1000;
	p.channels[1].mode = 2;
	p.channels[2].count = 0;
	p.flags = 1;
	expect_ok(c, ask(c, vm->fd, GK_SET_PIT2, &p), "KVM_SET_PIT2");
	p.flags = 0;
	expect_ok(c, ask(c, vm->fd, GK_GET_PIT, &p), "KVM_GET_PIT");
	expect_value(c, p.flags, 0, "flags, which KVM_GET_PIT does not write");
	expect_ok(c, ask(c, vm->fd, GK_SET_PIT, &p), "KVM_SET_PIT");
	expect_ok(c, ask(c, vm->fd, GK_GET_PIT2, &p), "KVM_GET_PIT2");
	expect_value(c, p.flags, 1, "flags, which KVM_SET_PIT does not read");
	expect_value(c, p.channels[1].count, 1000, "channel 1's count");
	expect_value(c, p.channels[1].mode, 2, "channel 1's mode");
	expect_value(c, p.channels[2].count, 0x10000, "channel 2's count, which 0 means");
	return 0;
}

static int chip_of(struct conform_vm *vm, uint32_t id, struct gk_irqchip *r)
{
	memset(r, 0, sizeof(*r));
	r->chip_id = id;
	return ask(vm->c, vm->fd, GK_GET_IRQCHIP, r);
}

static int chips(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 0), *split = x86_vm(c, SPLIT_APIC, 0), *none = x86_vm(c, NO_APIC, 0);
	struct gk_irqchip r;

	if (!vm || !split || !none)
		return 1;
	expect_errno(c, chip_of(none, 0, &r), ENXIO, "KVM_GET_IRQCHIP without irqchip");
	expect_errno(c, chip_of(split, 0, &r), ENXIO, "KVM_GET_IRQCHIP with a split one");
	expect_errno(c, ask(c, none->fd, GK_SET_IRQCHIP, &r), ENXIO, "KVM_SET_IRQCHIP without irqchip");
	expect_errno(c, chip_of(vm, 3, &r), EINVAL, "KVM_GET_IRQCHIP of a fourth");
	expect_errno(c, ask(c, vm->fd, GK_SET_IRQCHIP, &r), EINVAL, "KVM_SET_IRQCHIP of a fourth");
	for (uint32_t i = 0; i < GK_NR_IRQCHIPS; i++) {
		expect_ok(c, chip_of(vm, i, &r), "KVM_GET_IRQCHIP");
		expect_value(c, r.chip_id, i, "the chip");
		if (i == GK_IRQCHIP_IOAPIC) {
			expect_value(c, r.chip.ioapic.base_address, 0xfec00000, "where the IOAPIC is");
			expect_value(c, r.chip.ioapic.redirtbl[0], 0x10000, "its first redirection, masked");
			r.chip.ioapic.redirtbl[5] = 0x10051;
		} else {
			expect_value(c, r.chip.pic.elcr_mask, i ? 0xde : 0xf8, "lines that may be of a level");
			r.chip.pic.irq_base = (uint8_t)(0x20 + 8 * i);
		}
		expect_ok(c, ask(c, vm->fd, GK_SET_IRQCHIP, &r), "KVM_SET_IRQCHIP of what was read, changed");
	}
	expect_ok(c, chip_of(vm, 1, &r), "KVM_GET_IRQCHIP then");
	expect_value(c, r.chip.pic.irq_base, 0x28, "the second PIC's vectors");
	expect_ok(c, chip_of(vm, GK_IRQCHIP_IOAPIC, &r), "KVM_GET_IRQCHIP of the IOAPIC then");
	expect_value(c, r.chip.ioapic.redirtbl[5], 0x10051, "its redirection");
	return 0;
}

static int events_of_files(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 0), *split = x86_vm(c, SPLIT_APIC, 0), *none = x86_vm(c, NO_APIC, 0);
	struct gk_irqfd fd = { .fd = (uint32_t)-1, .gsi = 1 }, resample = { .fd = (uint32_t)-1, .flags = GK_IRQFD_FLAG_RESAMPLE };
	struct gk_irqfd unknown = { .fd = (uint32_t)-1, .flags = 1U << 7 };

	if (!vm || !split || !none)
		return 1;
	expect_errno(c, ask(c, none->fd, GK_IRQFD, &fd), EINVAL, "KVM_IRQFD without irqchip");
	expect_errno(c, ask(c, split->fd, GK_IRQFD, &resample), EINVAL, "KVM_IRQFD that resamples, with a split one");
	expect_errno(c, ask(c, vm->fd, GK_IRQFD, &unknown), EINVAL, "KVM_IRQFD with a flag that there is not");
	return 0;
}

static int addresses(struct conform *c)
{
	struct conform_vm *vm = vm_new(c), *late = x86_vm(c, NO_APIC, 1);
	const uint64_t at = 0xfffbc000;

	if (!vm || !late)
		return 1;
	expect_ok(c, ask(c, vm->fd, GK_SET_TSS_ADDR, (const void *)(uintptr_t)0xfffbd000), "KVM_SET_TSS_ADDR");
	expect_errno(c, ask(c, vm->fd, GK_SET_TSS_ADDR, (const void *)(uintptr_t)0xfffff000), EINVAL,
		     "KVM_SET_TSS_ADDR less than three pages below 4 GiB");
	expect_ok(c, ask(c, vm->fd, GK_SET_IDENTITY_MAP_ADDR, &at), "KVM_SET_IDENTITY_MAP_ADDR");
	expect_errno(c, ask(c, vm->fd, GK_SET_IDENTITY_MAP_ADDR, NULL), EFAULT, "KVM_SET_IDENTITY_MAP_ADDR of nothing");
	expect_errno(c, ask(c, late->fd, GK_SET_IDENTITY_MAP_ADDR, &at), EINVAL, "KVM_SET_IDENTITY_MAP_ADDR with a vCPU");
	expect_errno(c, ask(c, vm->fd, GK_SET_NR_MMU_PAGES, (const void *)(uintptr_t)63), EINVAL, "KVM_SET_NR_MMU_PAGES of 63");
	expect_ok(c, ask(c, vm->fd, GK_SET_NR_MMU_PAGES, (const void *)(uintptr_t)64), "KVM_SET_NR_MMU_PAGES of 64");
	return 0;
}

static int filter(struct conform_vm *vm, uint32_t action, uint32_t flags, uint32_t n)
{
	struct room r = { { action | (uint64_t)n << 32, (uint64_t)flags << 32 } };

	return ask(vm->c, vm->fd, GK_SET_PMU_EVENT_FILTER, &r);
}

static int event_filter(struct conform *c)
{
	struct conform_vm *vm = vm_new(c);

	if (!vm || lacks_cap(c, CAP_PMU_EVENT_FILTER, "PMU_EVENT_FILTER"))
		return 1;
	expect_ok(c, filter(vm, GK_PMU_EVENT_DENY, 0, 2), "two events that are denied");
	expect_ok(c, filter(vm, 0, 0, 0), "none that is allowed");
	expect_errno(c, filter(vm, GK_PMU_EVENT_DENY + 1, 0, 0), EINVAL, "an action that there is not");
	expect_errno(c, filter(vm, 0, 1U << 5, 0), EINVAL, "a flag that there is not");
	expect_errno(c, filter(vm, 0, 0, 301), E2BIG, "301 events");
	if (c->release >= KERNEL(6, 3))
		expect_ok(c, filter(vm, 0, GK_PMU_EVENT_FLAG_MASKED_EVENTS, 0), "events that are masked");
	else
		expect_errno(c, filter(vm, 0, GK_PMU_EVENT_FLAG_MASKED_EVENTS, 0), EINVAL, "events that are masked");
	return 0;
}

static int attribute(struct conform_vm *vm, unsigned long request, uint32_t group, uint64_t attr, uint64_t *value)
{
	const struct gk_device_attr a = { .group = group, .attr = attr, .addr = (uintptr_t)value };

	return ask(vm->c, vm->vcpu[0], request, &a);
}

static int tsc_offset(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);
	uint64_t value = 12345, back = 0;

	if (!vm)
		return 1;
	expect_ok(c, attribute(vm, GK_HAS_DEVICE_ATTR, GK_VCPU_TSC_CTRL, GK_VCPU_TSC_OFFSET, NULL), "KVM_HAS_DEVICE_ATTR");
	expect_ok(c, attribute(vm, GK_GET_DEVICE_ATTR, GK_VCPU_TSC_CTRL, GK_VCPU_TSC_OFFSET, &back), "KVM_GET_DEVICE_ATTR");
	expect_ok(c, attribute(vm, GK_SET_DEVICE_ATTR, GK_VCPU_TSC_CTRL, GK_VCPU_TSC_OFFSET, &value), "KVM_SET_DEVICE_ATTR");
	expect_ok(c, attribute(vm, GK_GET_DEVICE_ATTR, GK_VCPU_TSC_CTRL, GK_VCPU_TSC_OFFSET, &back), "KVM_GET_DEVICE_ATTR then");
	if (mainline(c))
		expect_value(c, back, value, "the offset");
	expect_errno(c, attribute(vm, GK_SET_DEVICE_ATTR, GK_VCPU_TSC_CTRL, GK_VCPU_TSC_OFFSET, NULL), EFAULT, "of nothing");
	expect_errno(c, attribute(vm, GK_HAS_DEVICE_ATTR, GK_VCPU_TSC_CTRL, 9, NULL), ENXIO, "an attribute that there is not");
	expect_errno(c, attribute(vm, GK_GET_DEVICE_ATTR, 9, 0, &back), ENXIO, "a group that there is not");
	return 0;
}

static int signal_mask(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);
	struct {
		uint32_t len, set[2];
	} mask = { .len = 8 }, wrong = { .len = 4 };

	if (!vm)
		return 1;
	expect_ok(c, ask(c, vm->vcpu[0], GK_SET_SIGNAL_MASK, &mask), "KVM_SET_SIGNAL_MASK");
	expect_ok(c, ask(c, vm->vcpu[0], GK_SET_SIGNAL_MASK, NULL), "KVM_SET_SIGNAL_MASK, none any more");
	expect_errno(c, ask(c, vm->vcpu[0], GK_SET_SIGNAL_MASK, &wrong), EINVAL, "KVM_SET_SIGNAL_MASK of 4 bytes");
	return 0;
}

static int at_port(struct conform_vm *vm, uint32_t len, int fd, uint32_t flags)
{
	const struct gk_ioeventfd e = { .addr = 0x600, .len = len, .fd = fd, .flags = flags };

	return ask(vm->c, vm->fd, GK_IOEVENTFD, &e);
}

static int writes(struct conform *c)
{
	struct conform_vm *vm = vm_new(c);

	if (!vm)
		return 1;
	expect_errno(c, at_port(vm, 4, -1, 0), EBADF, "KVM_IOEVENTFD of no file");
	expect_errno(c, at_port(vm, 3, -1, 0), EINVAL, "KVM_IOEVENTFD of 3 bytes");
	expect_errno(c, at_port(vm, 16, -1, 0), EINVAL, "KVM_IOEVENTFD of 16 bytes");
	expect_errno(c, at_port(vm, 0, -1, GK_IOEVENTFD_FLAG_DATAMATCH), EINVAL, "KVM_IOEVENTFD of any length, and a value");
	expect_errno(c, at_port(vm, 4, -1, 1U << 9), EINVAL, "KVM_IOEVENTFD with a flag that there is not");
	return 0;
}

/* Where a write signals an event, at a place of one kind once only for each value. */
static int places(struct conform *c)
{
	struct gk_ioeventfd e = { .addr = 0x600, .len = 4, .flags = GK_IOEVENTFD_FLAG_PIO | GK_IOEVENTFD_FLAG_DATAMATCH },
			    memory = { .addr = 0x600, .len = 4 };
	struct conform_vm *vm = vm_new(c);
	int fd = eventfd(0, EFD_CLOEXEC);

	if (!vm || !expect(c, fd >= 0, "an event descriptor"))
		return 1;
	e.fd = memory.fd = fd;
	expect_ok(c, ask(c, vm->fd, GK_IOEVENTFD, &e), "a value of a port");
	expect_errno(c, ask(c, vm->fd, GK_IOEVENTFD, &e), EEXIST, "the same twice");
	expect_ok(c, ask(c, vm->fd, GK_IOEVENTFD, &memory), "memory of the same number");
	e.datamatch = 1;
	expect_ok(c, ask(c, vm->fd, GK_IOEVENTFD, &e), "another value of the port");
	e.flags = GK_IOEVENTFD_FLAG_PIO;
	expect_errno(c, ask(c, vm->fd, GK_IOEVENTFD, &e), EEXIST, "any value of it");
	e.flags |= GK_IOEVENTFD_FLAG_DEASSIGN;
	expect_errno(c, ask(c, vm->fd, GK_IOEVENTFD, &e), ENOENT, "any value, taken away");
	e.flags |= GK_IOEVENTFD_FLAG_DATAMATCH;
	expect_ok(c, ask(c, vm->fd, GK_IOEVENTFD, &e), "a value, taken away");
	expect_errno(c, ask(c, vm->fd, GK_IOEVENTFD, &e), ENOENT, "the same once more");
	e.flags &= ~GK_IOEVENTFD_FLAG_DEASSIGN;
	expect_ok(c, ask(c, vm->fd, GK_IOEVENTFD, &e), "and given again");
	close(fd);
	return 0;
}

static int zones(struct conform *c)
{
	struct gk_coalesced_zone zone = { .addr = 0x1000, .size = 8, .pio = 2 };
	struct conform_vm *vm = vm_new(c);

	if (!vm || lacks_cap(c, CAP_COALESCED_PIO, "COALESCED_PIO"))
		return 1;
	expect_errno(c, ask(c, vm->fd, GK_REGISTER_COALESCED_MMIO, &zone), EINVAL, "neither memory nor ports");
	zone.pio = 1;
	expect_ok(c, ask(c, vm->fd, GK_REGISTER_COALESCED_MMIO, &zone), "ports");
	expect_ok(c, ask(c, vm->fd, GK_UNREGISTER_COALESCED_MMIO, &zone), "no ports any more");
	return 0;
}

static int smi(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 1), *none = x86_vm(c, NO_APIC, 1);
	const uint64_t nothing = 0, nowhere = 1ULL << 40;
	struct gk_vcpu_events e = { 0 };

	if (!vm || !none)
		return 1;
	expect_errno(c, ask(c, none->vcpu[0], GK_SET_VAPIC_ADDR, &nothing), EINVAL, "KVM_SET_VAPIC_ADDR without irqchip");
	expect_errno(c, ask(c, vm->vcpu[0], GK_SET_VAPIC_ADDR, &nowhere), EINVAL, "KVM_SET_VAPIC_ADDR where there is no memory");
	expect_ok(c, ask(c, vm->vcpu[0], GK_SET_VAPIC_ADDR, &nothing), "KVM_SET_VAPIC_ADDR of none");
	if (check_cap(c, c->kvm_fd, CAP_X86_SMM) <= 0) {
		expect_errno(c, ask(c, vm->vcpu[0], GK_SMI, NULL), ENOTTY, "KVM_SMI of a KVM that has none");
		return 0;
	}
	expect_ok(c, ask(c, vm->vcpu[0], GK_SMI, NULL), "KVM_SMI");
	expect_ok(c, ask(c, vm->vcpu[0], GK_GET_VCPU_EVENTS, &e), "KVM_GET_VCPU_EVENTS");
	expect_value(c, e.smi.pending, 1, "the SMI that is pending");
	return 0;
}

/* It is for who may restart the machine. */
static int huge_pages(struct conform *c)
{
	struct conform_vm *vm = vm_new(c), *late = x86_vm(c, NO_APIC, 1);

	if (!vm || !late || lacks_cap(c, CAP_VM_DISABLE_NX_HUGE_PAGES, "VM_DISABLE_NX_HUGE_PAGES"))
		return 1;
	if (enable_cap(c, vm->fd, CAP_VM_DISABLE_NX_HUGE_PAGES, 0) == -EPERM)
		return skip(c, "it is for who may restart the machine");
	expect_ok(c, enable_cap(c, vm->fd, CAP_VM_DISABLE_NX_HUGE_PAGES, 0), "huge pages");
	expect_errno(c, enable_cap(c, vm->fd, CAP_VM_DISABLE_NX_HUGE_PAGES, 1), EINVAL, "an argument that means nothing");
	expect_errno(c, enable_cap(c, late->fd, CAP_VM_DISABLE_NX_HUGE_PAGES, 0), EINVAL, "with a vCPU");
	return 0;
}

static int nobodys(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 1);

	if (!vm)
		return 1;
	expect_errno(c, ask(c, vm->fd, 0, NULL), ENOTTY, "request 0 of a VM");
	expect_errno(c, ask(c, vm->vcpu[0], 0, NULL), EINVAL, "request 0 of a vCPU");
	return 0;
}

const struct conform_case cases_x86_board[] = {
	{ "board:pit", "KVM API 4.71, 4.72; x86.c kvm_arch_vm_ioctl", pit },
	{ "board:pit-channels", "KVM API 4.71, 4.72; i8254.c", channels },
	{ "board:irqchip", "KVM API 4.26, 4.27", chips },
	{ "board:irqfd", "KVM API 4.75; irq.c kvm_arch_irqfd_allowed", events_of_files },
	{ "board:addresses", "KVM API 4.40, 4.41; x86.c kvm_vm_ioctl_set_tss_addr", addresses },
	{ "board:event-filter", "KVM API 4.120; ST:x86/pmu_event_filter_test", event_filter },
	{ "board:tsc-offset", "KVM devices/vcpu.rst 4.1; ST:x86/tsc_msrs_test", tsc_offset },
	{ "board:signal-mask", "KVM API 4.15", signal_mask },
	{ "board:ioeventfd", "KVM API 4.59; eventfd.c kvm_assign_ioeventfd", writes },
	{ "board:places", "KVM API 4.59; eventfd.c ioeventfd_check_collision", places },
	{ "board:zones", "KVM API 4.116; coalesced_mmio.c", zones },
	{ "board:smi", "KVM API 4.35, 4.96; x86.c kvm_arch_vcpu_ioctl", smi },
	{ "board:huge-pages", "KVM API 7.30; ST:x86/nx_huge_pages_test", huge_pages },
	{ "board:nobodys", "x86.c kvm_arch_vm_ioctl, kvm_arch_vcpu_ioctl", nobodys },
	{ NULL, NULL, NULL },
};

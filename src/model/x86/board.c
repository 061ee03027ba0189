/* SPDX-License-Identifier: MIT */
/*
 * What a VMM sets up of a board and no CPU feature depends on: controllers of
 * interrupts, the timer, addresses that Intel's KVM wants, filters of events.
 * What is said is kept by the store; here is when KVM takes it.
 */
#include "x86.h"

#include "kvm/abi_more.h"

#include <string.h>
#include <time.h>

#define TSS_PAGES 3U /* at the address, for guests in real mode */
#define PAGE 4096U
#define LEAST_MMU_PAGES 64U
#define EVENTS_MOST 300U
#define PIT_SPEAKER 2U /* its gate is shut at first */
#define PIT_NO_MODE 0xffU
#define PIT_WHOLE 0x10000U
#define NS_A_SECOND 1000000000
#define IOAPIC_BASE 0xfec00000U
#define REDIRECTION_MASKED 0x10000U
/* Lines of the PICs that may be of a level. */
#define PIC_LEVELS 0xf8U
#define PIC_LEVELS_SECOND 0xdeU

/* As said, and kept. */
static int keep(struct sw_vm *vm, unsigned long request, uintptr_t arg)
{
	int result = -ENOTTY;

	sw_store(&vm->blobs, SW_VM, GCPU_ARCH_X86, request, arg, &result);
	return result;
}

static int set_tss(void *vm, uintptr_t arg)
{
	(void)vm;
	return arg > (uint32_t)-(TSS_PAGES * PAGE) ? -EINVAL : 0;
}

static int set_identity_map(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;

	return vm->n_vcpus ? -EINVAL : keep(vm, GK_SET_IDENTITY_MAP_ADDR, arg);
}

static int set_mmu_pages(void *vm, uintptr_t arg)
{
	(void)vm;
	return arg < LEAST_MMU_PAGES ? -EINVAL : 0;
}

static int64_t now_ns(void)
{
	struct timespec t = { 0, 0 };

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * NS_A_SECOND + t.tv_nsec;
}

/* All but the first, which ticks for KVM itself, tell since when they count. */
static void count_from(struct gk_pit_state2 *p)
{
	for (unsigned i = 0; i < GK_PIT_CHANNELS; i++) {
		if (!p->channels[i].count)
			p->channels[i].count = PIT_WHOLE;
		if (i)
			p->channels[i].count_load_time = now_ns();
	}
}

static int new_pit(struct sw_vm *vm)
{
	struct x86_vm *x = x86_vm(vm);

	if (x->pit)
		return -EEXIST;
	if (x->irqchip != X86_IRQCHIP_KERNEL && sw_behaves(vm->model, BEHAVIOUR_PIT_NEEDS_IRQCHIP))
		return -ENOENT;
	x->pit = true;
	memset(&x->pit_state, 0, sizeof(x->pit_state));
	for (unsigned i = 0; i < GK_PIT_CHANNELS; i++) {
		x->pit_state.channels[i].mode = PIT_NO_MODE;
		x->pit_state.channels[i].gate = i != PIT_SPEAKER;
	}
	count_from(&x->pit_state);
	return 0;
}

static int create_pit(void *vm, uintptr_t arg)
{
	(void)arg;
	return new_pit(vm);
}

static int create_pit2(void *vm, uintptr_t arg)
{
	return sw_bad_pointer(arg, SW_IOC_SIZE(GK_CREATE_PIT2)) ? -EFAULT : new_pit(vm);
}

static int get_pit_of(struct x86_vm *x, uintptr_t arg, size_t size)
{
	return x->pit ? sw_copy_out(arg, &x->pit_state, size) : -ENXIO;
}

static int set_pit_of(struct x86_vm *x, uintptr_t arg, size_t size)
{
	struct gk_pit_state2 p = { .flags = x->pit_state.flags };

	if (sw_copy_in(&p, arg, size))
		return -EFAULT;
	if (!x->pit)
		return -ENXIO;
	memset(p.reserved, 0, sizeof(p.reserved));
	count_from(&p);
	x->pit_state = p;
	return 0;
}

static int get_pit(void *vm, uintptr_t arg)
{
	return get_pit_of(x86_vm(vm), arg, GK_PIT_STATE_SIZE);
}

static int set_pit(void *vm, uintptr_t arg)
{
	return set_pit_of(x86_vm(vm), arg, GK_PIT_STATE_SIZE);
}

static int get_pit2(void *vm, uintptr_t arg)
{
	return get_pit_of(x86_vm(vm), arg, sizeof(struct gk_pit_state2));
}

static int set_pit2(void *vm, uintptr_t arg)
{
	return set_pit_of(x86_vm(vm), arg, sizeof(struct gk_pit_state2));
}

static int reinject(void *vm, uintptr_t arg)
{
	if (sw_bad_pointer(arg, sizeof(struct gk_reinject_control)))
		return -EFAULT;
	return x86_vm(vm)->pit ? 0 : -ENXIO;
}

/* Two PICs and an IOAPIC, each with an id: which of them, 0 or -errno. */
static int chip_of(struct sw_vm *vm, uintptr_t arg, struct gk_irqchip *ret)
{
	if (sw_copy_in(ret, arg, sizeof(*ret)))
		return -EFAULT;
	if (x86_vm(vm)->irqchip != X86_IRQCHIP_KERNEL)
		return -ENXIO;
	return ret->chip_id < GK_NR_IRQCHIPS ? 0 : -EINVAL;
}

/* What they are like before anybody has said anything. */
void x86_chips_new(struct x86_vm *vm)
{
	struct gk_ioapic_state *io = &vm->chips[GK_IRQCHIP_IOAPIC].chip.ioapic;

	for (unsigned i = 0; i < GK_NR_IRQCHIPS; i++)
		vm->chips[i].chip_id = i;
	vm->chips[0].chip.pic.elcr_mask = PIC_LEVELS;
	vm->chips[1].chip.pic.elcr_mask = PIC_LEVELS_SECOND;
	io->base_address = IOAPIC_BASE;
	for (unsigned i = 0; i < GK_IOAPIC_PINS; i++)
		io->redirtbl[i] = REDIRECTION_MASKED;
}

static int set_irqchip(void *vm, uintptr_t arg)
{
	struct gk_irqchip c;
	int refused = chip_of(vm, arg, &c);

	if (!refused)
		x86_vm(vm)->chips[c.chip_id] = c;
	return refused;
}

static int get_irqchip(void *vm, uintptr_t arg)
{
	struct gk_irqchip c;
	int refused = chip_of(vm, arg, &c);

	return refused ? refused : sw_copy_out(arg, &x86_vm(vm)->chips[c.chip_id], sizeof(c));
}

static int irqfd(void *vm, uintptr_t arg)
{
	struct gk_irqfd fd;

	if (sw_copy_in(&fd, arg, sizeof(fd)))
		return -EFAULT;
	if (fd.flags & ~(GK_IRQFD_FLAG_DEASSIGN | GK_IRQFD_FLAG_RESAMPLE))
		return -EINVAL;
	if (fd.flags & GK_IRQFD_FLAG_DEASSIGN)
		return 0;
	if (x86_vm(vm)->irqchip == X86_IRQCHIP_NONE ||
	    ((fd.flags & GK_IRQFD_FLAG_RESAMPLE) && x86_vm(vm)->irqchip != X86_IRQCHIP_KERNEL))
		return -EINVAL;
	return keep(vm, GK_IRQFD, arg);
}

static int set_event_filter(void *object, uintptr_t arg)
{
	struct gk_pmu_event_filter f;
	struct sw_vm *vm = object;

	if (sw_copy_in(&f, arg, sizeof(f)))
		return -EFAULT;
	if (f.action > GK_PMU_EVENT_DENY)
		return -EINVAL;
	if (f.flags & ~(sw_behaves(vm->model, BEHAVIOUR_EVENTS_MASKED) ? GK_PMU_EVENT_FLAG_MASKED_EVENTS : 0))
		return -EINVAL;
	if (f.nevents > EVENTS_MOST)
		return -E2BIG;
	if (sw_bad_pointer(arg + sizeof(f), f.nevents * sizeof(uint64_t)))
		return -EFAULT;
	return keep(vm, GK_SET_PMU_EVENT_FILTER, arg);
}

/* The word of the task's priority in the guest's memory, where KVM has the APIC; 0: none any more. */
int x86_set_vapic(void *vcpu, uintptr_t arg)
{
	uint64_t address;

	if (!x86_lapic(x86_vcpu(vcpu)))
		return -EINVAL;
	if (sw_copy_in(&address, arg, sizeof(address)))
		return -EFAULT;
	return address && !sw_guest_memory(((struct sw_vcpu *)vcpu)->vm, address, sizeof(uint32_t)) ? -EINVAL : 0;
}

int x86_smi(void *vcpu, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(vcpu);

	(void)arg;
	if (sw_cap(x86_model(x), NULL, CAP_X86_SMM) <= 0)
		return -ENOTTY;
	x->events.smi.pending = 1;
	return 0;
}

/* Of a vCPU: how far its TSC is ahead of the host's. Nothing here reads the host's. */
static int offset_attr(uintptr_t arg, struct gk_device_attr *a)
{
	if (sw_copy_in(a, arg, sizeof(*a)))
		return -EFAULT;
	return a->group == GK_VCPU_TSC_CTRL && a->attr == GK_VCPU_TSC_OFFSET ? 0 : -ENXIO;
}

int x86_has_vcpu_attr(void *vcpu, uintptr_t arg)
{
	struct gk_device_attr a;

	(void)vcpu;
	return offset_attr(arg, &a);
}

int x86_get_vcpu_attr(void *vcpu, uintptr_t arg)
{
	struct gk_device_attr a;
	int refused = offset_attr(arg, &a);

	return refused ? refused : sw_copy_out((uintptr_t)a.addr, &x86_vcpu(vcpu)->tsc_offset, sizeof(uint64_t));
}

int x86_set_vcpu_attr(void *vcpu, uintptr_t arg)
{
	struct gk_device_attr a;
	int refused = offset_attr(arg, &a);

	return refused ? refused : sw_copy_in(&x86_vcpu(vcpu)->tsc_offset, (uintptr_t)a.addr, sizeof(uint64_t));
}

const struct sw_call x86_board_calls[] = {
	{ GK_SET_TSS_ADDR, set_tss },
	{ GK_SET_IDENTITY_MAP_ADDR, set_identity_map },
	{ GK_SET_NR_MMU_PAGES, set_mmu_pages },
	{ GK_CREATE_PIT, create_pit },
	{ GK_CREATE_PIT2, create_pit2 },
	{ GK_GET_PIT, get_pit },
	{ GK_SET_PIT, set_pit },
	{ GK_GET_PIT2, get_pit2 },
	{ GK_SET_PIT2, set_pit2 },
	{ GK_REINJECT_CONTROL, reinject },
	{ GK_GET_IRQCHIP, get_irqchip },
	{ GK_SET_IRQCHIP, set_irqchip },
	{ GK_IRQFD, irqfd },
	{ GK_HYPERV_EVENTFD, x86_hyperv_eventfd },
	{ GK_SET_PMU_EVENT_FILTER, set_event_filter },
	{ 0, NULL },
};

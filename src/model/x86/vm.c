/* SPDX-License-Identifier: MIT */
/* Switches of a VM and of a vCPU, and when they may be set. */
#include "x86.h"

#define BUS_LOCK_OFF 1U
#define BUS_LOCK_EXIT 2U

int x86_vcpu_allowed(struct sw_vm *vm, unsigned id)
{
	struct x86_vm *x = x86_vm(vm);

	/* with the first vCPU the limit is what it is */
	if (!x->max_ids)
		x->max_ids = (uint32_t)sw_cap(vm->model, NULL, CAP_MAX_VCPU_ID);
	return x->max_ids && id >= x->max_ids ? -EINVAL : 0;
}

static int set_u64(uint64_t *where, uint64_t value, uint64_t valid)
{
	if (value & ~valid)
		return -EINVAL;
	*where = value;
	return 0;
}

static int split(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	if (cap->args[0] > ROUTES_MOST)
		return -EINVAL;
	if (x86_vm(vm)->irqchip != X86_IRQCHIP_NONE || vm->n_vcpus)
		return -EEXIST;
	x86_vm(vm)->irqchip = X86_IRQCHIP_SPLIT;
	return 0;
}

/* One way; in old kernels the last call counts alone. */
static void disable_quirks(struct sw_vm *vm, uint64_t mask)
{
	struct x86_vm *x = x86_vm(vm);

	x->quirks_disabled = mask | (sw_behaves(vm->model, BEHAVIOUR_QUIRKS_ADD_UP) ? x->quirks_disabled : 0);
}

static int quirks(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	if (cap->args[0] & ~(uint64_t)(uint32_t)sw_cap(vm->model, vm, CAP_DISABLE_QUIRKS2))
		return -EINVAL;
	disable_quirks(vm, cap->args[0]);
	return 0;
}

static int quirks_by_old_name(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	/* those that this kernel does not know are nothing to it */
	disable_quirks(vm, cap->args[0] & (uint32_t)sw_cap(vm->model, vm, CAP_DISABLE_QUIRKS2));
	return 0;
}

static int x2apic_api(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	int may = x86_capability(vm->model, vm, CAP_X2APIC_API, sw_cap(vm->model, vm, CAP_X2APIC_API));
	uint64_t eoi = cap->args[0] & GK_X2APIC_SUPPRESS_EOI_MASK;

	if ((cap->args[0] & ~(uint64_t)(uint32_t)may) || eoi == GK_X2APIC_SUPPRESS_EOI_MASK)
		return -EINVAL;
	x86_map_settle(vm);
	/* flags add up, and of on and off the last counts */
	if (eoi)
		x86_vm(vm)->x2apic_flags &= ~(uint64_t)GK_X2APIC_SUPPRESS_EOI_MASK;
	x86_vm(vm)->x2apic_flags |= cap->args[0];
	return 0;
}

static int disable_exits(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	uint64_t offered = (uint32_t)sw_cap(vm->model, vm, CAP_X86_DISABLE_EXITS);
	uint64_t valid = sw_behaves(vm->model, BEHAVIOUR_EXITS_AS_OFFERED) ? offered :
			 1U << EXIT_BIT_MWAIT | 1U << EXIT_BIT_HLT | 1U << EXIT_BIT_PAUSE | 1U << EXIT_BIT_CSTATE;

	if (cap->args[0] & ~valid)
		return -EINVAL;
	if (sw_behaves(vm->model, BEHAVIOUR_EXITS_BEFORE_VCPUS) && vm->n_vcpus)
		return -EINVAL;
	x86_vm(vm)->exits_disabled |= (uint32_t)(cap->args[0] & offered);
	return 0;
}

static int max_ids(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	struct x86_vm *x = x86_vm(vm);

	if (cap->args[0] > (uint64_t)sw_cap(vm->model, NULL, CAP_MAX_VCPU_ID))
		return -EINVAL;
	if (sw_behaves(vm->model, BEHAVIOUR_BOOT_ID_BOUNDED) && x->boot_id > cap->args[0])
		return -EINVAL;
	if (x->max_ids == cap->args[0])
		return 0;
	if (x->max_ids)
		return -EINVAL;
	x->max_ids = (uint32_t)cap->args[0];
	return 0;
}

static int exit_hypercall(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	return set_u64(&x86_vm(vm)->exit_hypercalls, cap->args[0],
		       (uint32_t)sw_cap(vm->model, vm, CAP_EXIT_HYPERCALL));
}

static int user_msr(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	return set_u64(&x86_vm(vm)->user_msr, cap->args[0],
		       GK_MSR_EXIT_REASON_INVAL | GK_MSR_EXIT_REASON_UNKNOWN | GK_MSR_EXIT_REASON_FILTER);
}

static int bus_lock(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	/* accepted, and without effect, where KVM has no such exits */
	if (cap->args[0] == (BUS_LOCK_OFF | BUS_LOCK_EXIT))
		return -EINVAL;
	return set_u64(&x86_vm(vm)->bus_lock, cap->args[0], BUS_LOCK_OFF | BUS_LOCK_EXIT);
}

static int bus_cycles(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	struct x86_vm *x = x86_vm(vm);

	if (!sw_cap(vm->model, vm, CAP_X86_APIC_BUS_CYCLES_NS) || !cap->args[0] ||
	    cap->args[0] > UINT64_MAX / (UINT64_MAX >> 32) / 128)
		return -EINVAL;
	if (x->irqchip == X86_IRQCHIP_NONE)
		return -ENXIO;
	if (vm->n_vcpus)
		return -EINVAL;
	x->bus_cycle_ns = cap->args[0];
	return 0;
}

static int pmu_off(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	if (!sw_cap(vm->model, vm, CAP_PMU_CAPABILITY) || (cap->args[0] & ~(uint64_t)GK_PMU_CAP_DISABLE) ||
	    vm->n_vcpus)
		return -EINVAL;
	x86_vm(vm)->pmu_off = cap->args[0];
	return 0;
}

static int platform_info(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	x86_vm(vm)->platform_info_hidden = !cap->args[0];
	return 0;
}

/* Bit 0 switches it on, and only then the others may be said. */
static int dirty_log(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	uint64_t offered = (uint64_t)sw_cap(vm->model, vm, cap->cap);

	return cap->args[0] & ~(cap->args[0] & 1 ? offered : offered & 1) ? -EINVAL : 0;
}

static int exception_payload(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	x86_vm(vm)->exception_payload = cap->args[0];
	return 0;
}

static int triple_fault_event(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	x86_vm(vm)->triple_fault_event = cap->args[0];
	return 0;
}

static int on_or_off(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	return sw_cap(vm->model, vm, cap->cap) && cap->args[0] <= 1 ? 0 : -EINVAL;
}

/* Taken, and of no consequence to a CPU's features. */
static int taken(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	return sw_cap(vm->model, vm, cap->cap) ? 0 : -EINVAL;
}

/* Of a VM whose guests are trusted: before its vCPUs, once and for all. */
static int trusted_pages(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	return sw_cap(vm->model, vm, cap->cap) && !cap->args[0] && !vm->n_vcpus ? 0 : -EINVAL;
}

static const struct {
	unsigned number;
	int (*fn)(struct sw_vm *vm, const struct gk_enable_cap *cap);
} switches[] = {
	{ CAP_SPLIT_IRQCHIP, split },
	{ CAP_DISABLE_QUIRKS, quirks_by_old_name },
	{ CAP_DISABLE_QUIRKS2, quirks },
	{ CAP_X2APIC_API, x2apic_api },
	{ CAP_X86_DISABLE_EXITS, disable_exits },
	{ CAP_MAX_VCPU_ID, max_ids },
	{ CAP_EXIT_HYPERCALL, exit_hypercall },
	{ CAP_X86_USER_SPACE_MSR, user_msr },
	{ CAP_X86_BUS_LOCK_EXIT, bus_lock },
	{ CAP_X86_APIC_BUS_CYCLES_NS, bus_cycles },
	{ CAP_PMU_CAPABILITY, pmu_off },
	{ CAP_MSR_PLATFORM_INFO, platform_info },
	{ CAP_MANUAL_DIRTY_LOG_PROTECT2, dirty_log },
	{ CAP_EXCEPTION_PAYLOAD, exception_payload },
	{ CAP_X86_TRIPLE_FAULT_EVENT, triple_fault_event },
	{ CAP_EXIT_ON_EMULATION_FAILURE, on_or_off },
	{ CAP_X86_NOTIFY_VMEXIT, taken },
	{ CAP_VM_DISABLE_NX_HUGE_PAGES, trusted_pages },
};

int x86_enable_vm(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
		if (switches[i].number == cap->cap)
			return switches[i].fn(vm, cap);
	return -EINVAL;
}

int x86_enable_vcpu(struct sw_vcpu *v, const struct gk_enable_cap *cap)
{
	struct x86_vcpu *x = x86_vcpu(v);

	switch (cap->cap) {
	case CAP_ENFORCE_PV_FEATURE_CPUID:
		if (v->vm->model->host->enforce_pv_error)
			return -v->vm->model->host->enforce_pv_error;
		x->enforce_pv = cap->args[0];
		return 0;
	case CAP_HYPERV_SYNIC:
	case CAP_HYPERV_SYNIC2:
		if ((cap->cap == CAP_HYPERV_SYNIC2 && cap->args[0]) || !x86_lapic(x) || !sw_cap(v->vm->model, NULL, CAP_HYPERV))
			return -EINVAL;
		return x86_hyperv_synic_on(x);
	case CAP_HYPERV_ENLIGHTENED_VMCS:
	case CAP_HYPERV_DIRECT_TLBFLUSH:
		/* the maker's module has it, or it is no call */
		if (!sw_cap(v->vm->model, NULL, CAP_HYPERV))
			return -EINVAL;
		if (!sw_cap(v->vm->model, NULL, cap->cap))
			return -ENOTTY;
		return cap->cap == CAP_HYPERV_ENLIGHTENED_VMCS ? x86_hyperv_evmcs_on(x, (uintptr_t)cap->args[0]) : 0;
	case CAP_HYPERV_ENFORCE_CPUID:
		return sw_cap(v->vm->model, NULL, CAP_HYPERV) ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static int create_irqchip(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;

	(void)arg;
	if (x86_vm(vm)->irqchip != X86_IRQCHIP_NONE)
		return -EEXIST;
	if (vm->n_vcpus)
		return -EINVAL;
	x86_vm(vm)->irqchip = X86_IRQCHIP_KERNEL;
	return 0;
}

static int boot_id(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;
	struct x86_vm *x = x86_vm(vm);

	if (vm->n_vcpus)
		return -EBUSY;
	if (sw_behaves(vm->model, BEHAVIOUR_BOOT_ID_BOUNDED) &&
	    arg > (x->max_ids ? x->max_ids : (uint64_t)sw_cap(vm->model, NULL, CAP_MAX_VCPU_ID)))
		return -EINVAL;
	x->boot_id = (uint32_t)arg;
	return 0;
}

/* Any rate, for vCPUs to come: whether the host can have it shows when they are made. */
static int set_tsc_khz(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;

	if (!x86_tsc_khz_allowed(vm->model, (uint32_t)arg) ||
	    (vm->n_vcpus && sw_behaves(vm->model, BEHAVIOUR_TSC_KHZ_BEFORE_VCPUS)))
		return -EINVAL;
	x86_vm(vm)->tsc_khz = (uint32_t)arg;
	return 0;
}

static int get_tsc_khz(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;

	(void)arg;
	return (int)(x86_vm(vm)->tsc_khz ? x86_vm(vm)->tsc_khz : x86_host_khz(vm->model));
}

/* A line of the controllers in KVM; nothing hangs on them. */
static int irq_line(void *object, uintptr_t arg)
{
	const struct sw_vm *vm = object;
	struct gk_irq_level line;

	if (sw_copy_in(&line, arg, sizeof(line)))
		return -EFAULT;
	return x86_vm(vm)->irqchip == X86_IRQCHIP_NONE ? -ENXIO : 0;
}

const struct sw_call x86_vm_calls[] = {
	{ GK_CREATE_IRQCHIP, create_irqchip },
	{ GK_IRQ_LINE, irq_line },
	{ GK_IRQ_LINE_STATUS, irq_line },
	{ GK_SIGNAL_MSI, x86_signal_msi },
	{ GK_SET_GSI_ROUTING, x86_set_routing },
	{ GK_SET_BOOT_CPU_ID, boot_id },
	{ GK_SET_TSC_KHZ, set_tsc_khz },
	{ GK_GET_TSC_KHZ, get_tsc_khz },
	{ GK_SET_CLOCK, x86_set_clock },
	{ GK_GET_CLOCK, x86_get_clock },
	{ GK_X86_SET_MSR_FILTER, x86_set_msr_filter },
	{ 0, NULL },
};

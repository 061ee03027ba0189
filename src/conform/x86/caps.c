/* SPDX-License-Identifier: MIT */
/* KVM_CHECK_EXTENSION and KVM_ENABLE_CAP: what is taken, when, with which bits. KVM API 4.37, 7, 8. */
#include "x86.h"

#include <stdlib.h>

#define NOBODY 10000 /* no capability of any kernel */

static int version(struct conform *c)
{
	expect_result(c, ask_number(c, c->kvm_fd, GK_GET_API_VERSION, 0), 12, "KVM_GET_API_VERSION");
	expect_result(c, check_cap(c, c->kvm_fd, NOBODY), 0, "KVM_CHECK_EXTENSION of what there is not");
	expect(c, ask_number(c, c->kvm_fd, GK_GET_VCPU_MMAP_SIZE, 0) >= 4096, "KVM_GET_VCPU_MMAP_SIZE: a page at least");
	return 0;
}

struct cap {
	unsigned number;
	const char *name;
};
#define CAP(name) { CAP_##name, #name }

/* Capabilities that every KVM on x86 has had for long, on either descriptor. */
static int there(struct conform *c)
{
	static const struct cap list[] = {
		CAP(EXT_CPUID), CAP(EXT_EMUL_CPUID), CAP(ENABLE_CAP), CAP(ENABLE_CAP_VM), CAP(CHECK_EXTENSION_VM),
		CAP(SET_BOOT_CPU_ID), CAP(GET_TSC_KHZ), CAP(TSC_DEADLINE_TIMER), CAP(SPLIT_IRQCHIP), CAP(X2APIC_API),
		CAP(GET_MSR_FEATURES), CAP(ENFORCE_PV_FEATURE_CPUID), CAP(EXIT_HYPERCALL), CAP(X86_USER_SPACE_MSR),
		CAP(X86_MSR_FILTER), CAP(MSR_PLATFORM_INFO), CAP(DISABLE_QUIRKS2), CAP(MAX_VCPUS), CAP(MAX_VCPU_ID),
		CAP(NR_VCPUS), CAP(MCE), CAP(KVMCLOCK_CTRL), CAP(ASYNC_PF), CAP(ASYNC_PF_INT), CAP(SYS_ATTRIBUTES),
	};
	struct conform_vm *vm = vm_new(c);

	for (unsigned i = 0; vm && i < COUNT(list); i++) {
		expect(c, check_cap(c, c->kvm_fd, list[i].number) > 0, "KVM_CAP_%s on the system descriptor", list[i].name);
		expect(c, check_cap(c, vm->fd, list[i].number) > 0, "KVM_CAP_%s on a VM", list[i].name);
	}
	return 0;
}

static int enable_errors(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);
	struct gk_enable_cap e = { .cap = CAP_ENFORCE_PV_FEATURE_CPUID, .flags = 1, .args = { 1 } };

	if (!vm)
		return 1;
	expect_errno(c, ask(c, vm->vcpu[0], GK_ENABLE_CAP, &e), EINVAL, "KVM_ENABLE_CAP of a vCPU with flags");
	e.cap = CAP_EXIT_HYPERCALL;
	e.args[0] = 0;
	expect_errno(c, ask(c, vm->fd, GK_ENABLE_CAP, &e), EINVAL, "KVM_ENABLE_CAP of a VM with flags");
	expect_errno(c, enable_cap(c, vm->vcpu[0], NOBODY, 0), EINVAL, "KVM_ENABLE_CAP of a vCPU: what there is not");
	expect_errno(c, enable_cap(c, vm->fd, NOBODY, 0), EINVAL, "KVM_ENABLE_CAP of a VM: what there is not");
	expect_errno(c, enable_cap(c, vm->fd, CAP_EXT_CPUID, 0), EINVAL, "KVM_ENABLE_CAP of what can only be asked for");
	expect_errno(c, ask(c, vm->fd, GK_ENABLE_CAP, (const void *)8), EFAULT, "KVM_ENABLE_CAP with a bad pointer");
	return 0;
}

static int enforce_pv(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);

	if (!vm)
		return 1;
	expect_errno(c, enable_cap(c, vm->fd, CAP_ENFORCE_PV_FEATURE_CPUID, 1), EINVAL, "on a VM");
	expect_ok(c, enable_cap(c, vm->vcpu[0], CAP_ENFORCE_PV_FEATURE_CPUID, 1), "on a vCPU");
	expect_ok(c, enable_cap(c, vm->vcpu[0], CAP_ENFORCE_PV_FEATURE_CPUID, 0), "and off again");
	return 0;
}

static int x2apic_api(struct conform *c)
{
	struct conform_vm *vm = vm_new(c), *split = x86_vm(c, SPLIT_APIC, 0);
	int system = check_cap(c, c->kvm_fd, CAP_X2APIC_API), on_vm, on_split;

	if (!vm || !split)
		return 1;
	on_vm = check_cap(c, vm->fd, CAP_X2APIC_API);
	on_split = check_cap(c, split->fd, CAP_X2APIC_API);
	expect(c, (system & 3) == 3, "32-bit ids and the broadcast quirk can be chosen");
	expect(c, !(on_vm & ~system) && !(on_vm & 4), "a VM without a split irqchip may not suppress EOI broadcasts");
	expect_value(c, (unsigned)on_split, (unsigned)system, "what a VM with a split irqchip may");
	for (unsigned i = 4; i < 64; i += 3)
		expect_errno(c, enable_cap(c, vm->fd, CAP_X2APIC_API, BIT(i)), EINVAL, "bit %u", i);
	for (unsigned i = 0; i < 4; i++)
		if (!(system >> i & 1))
			expect_errno(c, enable_cap(c, split->fd, CAP_X2APIC_API, BIT(i)), EINVAL, "bit %u, which is not told of", i);
	if ((system & 0xc) == 0xc) {
		expect_errno(c, enable_cap(c, split->fd, CAP_X2APIC_API, 0xc), EINVAL, "bits 2 and 3 together");
		expect_errno(c, enable_cap(c, vm->fd, CAP_X2APIC_API, 4), EINVAL, "bit 2 without a split irqchip");
		expect_ok(c, enable_cap(c, split->fd, CAP_X2APIC_API, 4), "bit 2 with a split irqchip");
	}
	for (unsigned i = 0; i < 4; i++)
		expect_ok(c, enable_cap(c, vm->fd, CAP_X2APIC_API, i), "bits 0x%x", i);
	expect_ok(c, enable_cap(c, vm->fd, CAP_X2APIC_API, 0), "none, which clears none");
	return 0;
}

#define EXITS_KNOWN 4 /* MWAIT, HLT, PAUSE, CSTATE: of every kernel; APERFMPERF since 6.17 */

static int exits_bits(struct conform *c)
{
	struct conform_vm *vm = vm_new(c);
	int allowed;

	if (!vm)
		return 1;
	allowed = check_cap(c, vm->fd, CAP_X86_DISABLE_EXITS);
	expect(c, allowed >= 0, "KVM_CHECK_EXTENSION");
	expect(c, allowed & 4, "PAUSE may always be disabled");
	for (unsigned i = 5; i < 64; i++)
		expect_errno(c, enable_cap(c, vm->fd, CAP_X86_DISABLE_EXITS, BIT(i)), EINVAL, "bit %u", i);
	/* what this host does not allow: since 6.14; silently passed over before */
	for (unsigned i = 0; i < EXITS_KNOWN; i++) {
		if (allowed >> i & 1)
			expect_ok(c, enable_cap(c, vm->fd, CAP_X86_DISABLE_EXITS, BIT(i)), "bit %u, which is allowed", i);
		else if (c->release >= KERNEL(6, 14))
			expect_errno(c, enable_cap(c, vm->fd, CAP_X86_DISABLE_EXITS, BIT(i)), EINVAL, "bit %u, which is not allowed", i);
		else
			expect_ok(c, enable_cap(c, vm->fd, CAP_X86_DISABLE_EXITS, BIT(i)), "bit %u, which is not allowed", i);
	}
	expect_ok(c, enable_cap(c, vm->fd, CAP_X86_DISABLE_EXITS, (uint64_t)allowed), "all that are allowed");
	expect_ok(c, enable_cap(c, vm->fd, CAP_X86_DISABLE_EXITS, 0), "none");
	return 0;
}

static int exits_late(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);

	if (!vm)
		return 1;
	expect_errno(c, enable_cap(c, vm->fd, CAP_X86_DISABLE_EXITS, BIT(31)), EINVAL, "a bit that there is not");
	if (c->release >= KERNEL(6, 14))
		expect_errno(c, enable_cap(c, vm->fd, CAP_X86_DISABLE_EXITS, 4), EINVAL, "with a vCPU");
	else
		expect_ok(c, enable_cap(c, vm->fd, CAP_X86_DISABLE_EXITS, 4), "with a vCPU");
	return 0;
}

static int quirks(struct conform *c)
{
	struct conform_vm *vm = vm_new(c);
	int may;

	if (!vm)
		return 1;
	may = check_cap(c, vm->fd, CAP_DISABLE_QUIRKS2);
	/* CD_NW_CLEARED is told of only where it applies, since 6.16 */
	expect_value(c, (unsigned)may & 0x7d, 0x7d, "quirks that every kernel since 6.1 has");
	if (c->release >= KERNEL(6, 12))
		expect(c, may & BIT32(7), "SLOT_ZAP_ALL, since 6.12");
	if (c->release >= KERNEL(6, 14))
		expect(c, may & BIT32(8), "STUFF_FEATURE_MSRS, since 6.14");
	for (unsigned i = 0; i < 31; i++) {
		if (may >> i & 1)
			expect_ok(c, enable_cap(c, vm->fd, CAP_DISABLE_QUIRKS2, BIT(i)), "quirk %u, which is told of", i);
		else
			expect_errno(c, enable_cap(c, vm->fd, CAP_DISABLE_QUIRKS2, BIT(i)), EINVAL, "quirk %u, which is not", i);
	}
	expect_errno(c, enable_cap(c, vm->fd, CAP_DISABLE_QUIRKS2, BIT(40)), EINVAL, "quirk 40");
	expect_ok(c, enable_cap(c, vm->fd, CAP_DISABLE_QUIRKS, ~0ULL), "KVM_CAP_DISABLE_QUIRKS, which takes anything");
	return 0;
}

static int exit_hypercall(struct conform *c)
{
	struct conform_vm *vm = vm_new(c);

	if (!vm)
		return 1;
	expect_result(c, check_cap(c, vm->fd, CAP_EXIT_HYPERCALL), 1 << HC_MAP_GPA, "KVM_CHECK_EXTENSION");
	for (unsigned i = 0; i < 64; i++) {
		if (i == HC_MAP_GPA)
			expect_ok(c, enable_cap(c, vm->fd, CAP_EXIT_HYPERCALL, BIT(i)), "hypercall %u", i);
		else
			expect_errno(c, enable_cap(c, vm->fd, CAP_EXIT_HYPERCALL, BIT(i)), EINVAL, "hypercall %u", i);
	}
	expect_errno(c, enable_cap(c, vm->fd, CAP_EXIT_HYPERCALL, BIT(HC_MAP_GPA) | 1), EINVAL, "with another");
	expect_ok(c, enable_cap(c, vm->fd, CAP_EXIT_HYPERCALL, 0), "none");
	return 0;
}

static int user_space_msr(struct conform *c)
{
	struct conform_vm *vm = vm_new(c);

	if (!vm)
		return 1;
	for (unsigned i = 0; i < 8; i++)
		expect_ok(c, enable_cap(c, vm->fd, CAP_X86_USER_SPACE_MSR, i), "reasons 0x%x", i);
	for (unsigned i = 3; i < 64; i += 4)
		expect_errno(c, enable_cap(c, vm->fd, CAP_X86_USER_SPACE_MSR, BIT(i)), EINVAL, "reason %u", i);
	return 0;
}

static int max_vcpu_id(struct conform *c)
{
	struct conform_vm *vm = vm_new(c);
	int most, vcpus;

	if (!vm)
		return 1;
	most = check_cap(c, c->kvm_fd, CAP_MAX_VCPU_ID);
	vcpus = check_cap(c, c->kvm_fd, CAP_MAX_VCPUS);
	expect(c, vcpus > 0 && most >= vcpus, "%d ids for %d vCPUs", most, vcpus);
	expect_errno(c, enable_cap(c, vm->fd, CAP_MAX_VCPU_ID, (uint64_t)most + 1), EINVAL, "more than there may be");
	expect_ok(c, enable_cap(c, vm->fd, CAP_MAX_VCPU_ID, 10), "10");
	expect_ok(c, enable_cap(c, vm->fd, CAP_MAX_VCPU_ID, 10), "10 once more");
	expect_errno(c, enable_cap(c, vm->fd, CAP_MAX_VCPU_ID, 9), EINVAL, "another number then");
	expect_errno(c, vm_try_vcpu(vm, 10), EINVAL, "KVM_CREATE_VCPU 10 then");
	expect_ok(c, vm_try_vcpu(vm, 9), "KVM_CREATE_VCPU 9");
	return 0;
}

static int vcpu_ids(struct conform *c)
{
	struct conform_vm *vm = vm_new(c);
	int most = check_cap(c, c->kvm_fd, CAP_MAX_VCPU_ID);

	if (!vm)
		return 1;
	expect_errno(c, vm_try_vcpu(vm, (unsigned)most), EINVAL, "KVM_CREATE_VCPU of as many ids as there are");
	expect_ok(c, vm_try_vcpu(vm, 3), "KVM_CREATE_VCPU 3");
	expect_errno(c, vm_try_vcpu(vm, 3), EEXIST, "KVM_CREATE_VCPU 3 once more");
	expect_ok(c, vm_try_vcpu(vm, (unsigned)most - 1), "KVM_CREATE_VCPU of the highest id");
	return 0;
}

static bool is_bsp(struct conform_vm *vm, unsigned vcpu)
{
	uint64_t base;

	return get_msr(vm, vcpu, MSR_APICBASE, &base) == 1 && (base & APICBASE_BSP);
}

static int boot_cpu(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 0), *usual = x86_vm(c, KERNEL_APIC, 2);

	if (!vm || !usual)
		return 1;
	expect(c, is_bsp(usual, 0) && !is_bsp(usual, 1), "vCPU 0 boots where nothing was said");
	expect_errno(c, ask_number(c, usual->fd, GK_SET_BOOT_CPU_ID, 0), EBUSY, "KVM_SET_BOOT_CPU_ID with vCPUs");
	expect_ok(c, ask_number(c, vm->fd, GK_SET_BOOT_CPU_ID, 1), "KVM_SET_BOOT_CPU_ID 1");
	if (vm_vcpu(vm, 0) < 0 || vm_vcpu(vm, 1) < 0)
		return 1;
	expect(c, !is_bsp(vm, 0), "vCPU 0 does not boot then");
	expect(c, is_bsp(vm, 1), "vCPU 1 does");
	expect_errno(c, ask_number(c, vm->fd, GK_SET_BOOT_CPU_ID, 1), EBUSY, "KVM_SET_BOOT_CPU_ID with vCPUs, the same");
	return 0;
}

/* Ids beyond what there may be: refused since 6.11. */
static int boot_cpu_range(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 0);
	int most = check_cap(c, c->kvm_fd, CAP_MAX_VCPU_ID);

	if (!vm)
		return 1;
	if (c->release < KERNEL(6, 12))
		return skip(c, "before 6.12 it depends on the stable release");
	expect_errno(c, ask_number(c, vm->fd, GK_SET_BOOT_CPU_ID, (unsigned long)most + 1), EINVAL,
		     "KVM_SET_BOOT_CPU_ID beyond the highest id");
	expect_ok(c, ask_number(c, vm->fd, GK_SET_BOOT_CPU_ID, 20), "KVM_SET_BOOT_CPU_ID 20");
	expect_errno(c, enable_cap(c, vm->fd, CAP_MAX_VCPU_ID, 10), EINVAL, "KVM_CAP_MAX_VCPU_ID below the one that boots");
	expect_errno(c, enable_cap(c, vm->fd, CAP_MAX_VCPU_ID, 0), EINVAL, "KVM_CAP_MAX_VCPU_ID of 0");
	expect_ok(c, enable_cap(c, vm->fd, CAP_MAX_VCPU_ID, 30), "KVM_CAP_MAX_VCPU_ID above it");
	expect_errno(c, ask_number(c, vm->fd, GK_SET_BOOT_CPU_ID, 31), EINVAL, "KVM_SET_BOOT_CPU_ID above that");
	vm = x86_vm(c, KERNEL_APIC, 0);
	if (!vm)
		return 1;
	expect_ok(c, ask_number(c, vm->fd, GK_SET_BOOT_CPU_ID, 20), "KVM_SET_BOOT_CPU_ID 20 once more");
	expect_ok(c, enable_cap(c, vm->fd, CAP_MAX_VCPU_ID, 20), "KVM_CAP_MAX_VCPU_ID of the same");
	return 0;
}

static int pmu(struct conform *c)
{
	struct conform_vm *vm = vm_new(c);
	int may = check_cap(c, c->kvm_fd, CAP_PMU_CAPABILITY);

	if (!vm)
		return 1;
	expect_errno(c, enable_cap(c, vm->fd, CAP_PMU_CAPABILITY, 2), EINVAL, "another bit");
	if (may > 0)
		expect_ok(c, enable_cap(c, vm->fd, CAP_PMU_CAPABILITY, 1), "off, before vCPUs");
	else
		expect_errno(c, enable_cap(c, vm->fd, CAP_PMU_CAPABILITY, 1), EINVAL, "off, where this KVM has none");
	if (vm_vcpu(vm, 0) < 0)
		return 1;
	expect_errno(c, enable_cap(c, vm->fd, CAP_PMU_CAPABILITY, 1), EINVAL, "off, with a vCPU");
	return 0;
}

static int bus_cycles(struct conform *c)
{
	struct conform_vm *none = vm_new(c), *vm = x86_vm(c, KERNEL_APIC, 0), *late = x86_vm(c, KERNEL_APIC, 1);

	if (!none || !vm || !late || lacks_cap(c, CAP_X86_APIC_BUS_CYCLES_NS, "X86_APIC_BUS_CYCLES_NS"))
		return 1;
	expect_result(c, check_cap(c, vm->fd, CAP_X86_APIC_BUS_CYCLES_NS), 1, "default");
	expect_errno(c, enable_cap(c, none->fd, CAP_X86_APIC_BUS_CYCLES_NS, 40), ENXIO, "without a local APIC");
	expect_errno(c, enable_cap(c, vm->fd, CAP_X86_APIC_BUS_CYCLES_NS, 0), EINVAL, "0 ns");
	expect_errno(c, enable_cap(c, vm->fd, CAP_X86_APIC_BUS_CYCLES_NS, ~0ULL), EINVAL, "too many ns");
	expect_ok(c, enable_cap(c, vm->fd, CAP_X86_APIC_BUS_CYCLES_NS, 40), "40 ns");
	expect_errno(c, enable_cap(c, late->fd, CAP_X86_APIC_BUS_CYCLES_NS, 40), EINVAL, "with a vCPU");
	return 0;
}

static int tsc_khz(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 0);
	int khz, r;

	if (!vm || vm_vcpu(vm, 0) < 0)
		return 1;
	khz = ask_number(c, vm->vcpu[0], GK_GET_TSC_KHZ, 0);
	expect(c, khz > 0, "KVM_GET_TSC_KHZ");
	expect_ok(c, ask_number(c, vm->vcpu[0], GK_SET_TSC_KHZ, 0), "KVM_SET_TSC_KHZ 0, the host's");
	/* Where the TSC's rate may change, a new vCPU has the one that was measured when KVM was loaded, and 0 asks for
	 * today's: the kernel measures again soon after its start, and takes what is within a hundredth. */
	r = ask_number(c, vm->vcpu[0], GK_GET_TSC_KHZ, 0);
	expect(c, abs(r - khz) <= khz / 100, "KVM_GET_TSC_KHZ after that: %d, before %d", r, khz);
	if (check_cap(c, c->kvm_fd, CAP_TSC_CONTROL) <= 0)
		expect_errno(c, ask_number(c, vm->vcpu[0], GK_SET_TSC_KHZ, (unsigned long)khz / 2), EINVAL,
			     "KVM_SET_TSC_KHZ below the host's, without scaling");
	if (check_cap(c, c->kvm_fd, CAP_VM_TSC_CONTROL) <= 0)
		return 0;
	r = ask_number(c, vm->fd, GK_SET_TSC_KHZ, (unsigned long)khz);
	expect_errno(c, r, EINVAL, "KVM_SET_TSC_KHZ of a VM with a vCPU");
	vm = vm_new(c);
	if (vm)
		expect_ok(c, ask_number(c, vm->fd, GK_SET_TSC_KHZ, (unsigned long)khz / 2), "KVM_SET_TSC_KHZ of a VM");
	if (vm && vm_vcpu(vm, 0) == 0)
		expect_result(c, ask_number(c, vm->vcpu[0], GK_GET_TSC_KHZ, 0), khz / 2, "KVM_GET_TSC_KHZ of its vCPU");
	return 0;
}

const struct conform_case cases_x86_caps[] = {
	{ "caps:version", "KVM API 4.1, 4.4", version },
	{ "caps:always-there", "KVM API 4.4", there },
	{ "caps:enable-errors", "KVM API 4.37", enable_errors },
	{ "caps:enforce-pv", "KVM API 8.26", enforce_pv },
	{ "caps:x2apic-api", "KVM API 7.7", x2apic_api },
	{ "caps:disable-exits-bits", "KVM API 7.13", exits_bits },
	{ "caps:disable-exits-late", "ST:x86/kvm_pv_test", exits_late },
	{ "caps:quirks", "KVM API 7.31", quirks },
	{ "caps:exit-hypercall", "KVM API 8.33", exit_hypercall },
	{ "caps:user-space-msr", "KVM API 7.21", user_space_msr },
	{ "caps:max-vcpu-id", "ST:x86/max_vcpuid_cap_test", max_vcpu_id },
	{ "caps:vcpu-ids", "KVM API 4.7", vcpu_ids },
	{ "caps:boot-cpu", "ST:x86/set_boot_cpu_id", boot_cpu },
	{ "caps:boot-cpu-range", "ST:x86/set_boot_cpu_id", boot_cpu_range },
	{ "caps:pmu", "KVM API 8.35", pmu },
	{ "caps:apic-bus-cycles", "ST:x86/apic_bus_clock_test", bus_cycles },
	{ "caps:tsc-khz", "KVM API 4.55", tsc_khz },
	{ NULL, NULL, NULL },
};

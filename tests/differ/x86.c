/* SPDX-License-Identifier: MIT */
/* x86: the table of operations, how often each is tried, and what is left out. */
#include "x86.h"

enum { O_VCPU, O_IRQCHIP, O_ENABLE_VM, O_SET_CPUID2, O_LOOK };

static const struct operation ops[] = {
	[O_VCPU] = { "KVM_CREATE_VCPU", 60, false, false, make_vcpu, run_vcpu, print_one },
	[O_IRQCHIP] = { "KVM_CREATE_IRQCHIP", 20, false, false, make_irqchip, run_irqchip, print_one },
	[O_ENABLE_VM] = { "KVM_ENABLE_CAP", 90, false, false, make_enable_vm, run_enable_vm, print_enable },
	[O_SET_CPUID2] = { "KVM_SET_CPUID2", 150, true, false, make_set_cpuid2, run_set_cpuid2, print_set_cpuid2 },
	[O_LOOK] = { "KVM_GET_CPUID2", 25, true, false, make_get_cpuid2, run_get_cpuid2, print_one },
	{ "KVM_GET_SREGS", 4, true, false, make_nothing, run_get_sregs, print_one },
	{ "KVM_GET_MSRS, all", 2, true, false, make_nothing, run_all_msrs, print_one },
	{ "KVM_GET_XCRS", 4, true, false, make_nothing, run_get_xcrs, print_one },
	{ "KVM_GET_LAPIC", 6, true, false, make_nothing, run_get_lapic, print_one },
	{ "KVM_GET_MP_STATE", 4, true, false, make_nothing, run_get_mp_state, print_one },
	{ "KVM_CREATE_VM", 5, false, false, make_vm_type, run_vm_type, print_one },
	{ "KVM_CHECK_EXTENSION", 15, false, false, make_check, run_check, print_check },
	{ "KVM_GET_SUPPORTED_CPUID", 8, false, false, make_system_table, run_supported, NULL },
	{ "KVM_GET_EMULATED_CPUID", 6, false, false, make_system_table, run_emulated, NULL },
	{ "KVM_GET_SUPPORTED_HV_CPUID", 4, false, false, make_system_table, run_hyperv, NULL },
	{ "KVM_GET_MSR_INDEX_LIST", 4, false, false, make_list, run_msr_list, NULL },
	{ "KVM_GET_MSR_FEATURE_INDEX_LIST", 4, false, false, make_list, run_feature_list, NULL },
	{ "KVM_GET_MSRS of the system", 8, false, false, make_system_msrs, run_system_msrs, print_msrs },
	{ "KVM_SET_BOOT_CPU_ID", 15, false, false, make_boot_id, run_boot_id, print_one },
	{ "KVM_SET_TSC_KHZ of the VM", 8, false, false, make_tsc_khz, run_vm_tsc_khz, print_one },
	{ "KVM_X86_SET_MSR_FILTER", 15, false, false, make_filter, run_filter, NULL },
	{ "KVM_SIGNAL_MSI", 20, false, false, make_msi, run_msi, NULL },
	{ "KVM_ENABLE_CAP of the vCPU", 35, true, false, make_enable_vcpu, run_enable_vcpu, print_enable },
	{ "KVM_SET_CPUID", 10, true, false, make_set_cpuid2, run_set_cpuid, print_set_cpuid2 },
	{ "KVM_SET_MSRS", 150, true, false, make_set_msrs, run_set_msrs, print_msrs },
	{ "KVM_GET_MSRS", 25, true, false, make_get_msrs, run_get_msrs, print_msrs },
	{ "KVM_SET_SREGS", 90, true, false, make_sregs, run_set_sregs, print_sregs },
	{ "KVM_SET_SREGS2", 30, true, false, make_sregs, run_set_sregs2, print_sregs },
	{ "KVM_SET_XCRS", 40, true, false, make_xcrs, run_set_xcrs, NULL },
	{ "KVM_SET_LAPIC", 40, true, false, make_lapic, run_set_lapic, NULL },
	{ "KVM_SET_MP_STATE", 25, true, false, make_mp_state, run_set_mp_state, print_one },
	{ "KVM_SET_TSC_KHZ", 12, true, false, make_tsc_khz, run_vcpu_tsc_khz, print_one },
	{ "KVM_RUN, to exit at once", 12, true, false, make_nothing, run_immediate, print_one },
	{ "guest", 60, true, true, make_guest, guest_steps, print_guest },
};

static const struct exclusion exclusions[] = {
	{ NULL, "MSR %x", 0x10, 0x10, "the time stamp counter goes on by itself" },
	{ NULL, "APIC %x", 0x390, 0x390, "the APIC timer's count goes on by itself" },
	{ NULL, "MSR %x", 0x40000000, 0x40000fff, "Hyper-V's MSRs: not of KVM's own interface for features; time among them" },
	{ NULL, NULL, 0, 0, "the TSC, its deadline and the APIC timer's count are not written: the model has no time" },
	{ NULL, NULL, 0, 0, "Hyper-V's MSRs are not written" },
	{ NULL, NULL, 0, 0, "KVM_HC_CLOCK_PAIRING is of clocks that there are not: the wall clock's depends on the host's clock source" },
	{ NULL, NULL, 0, 0, "messages are fixed, lowest priority or reserved: INIT, SIPI and NMI take the guest's code away" },
	{ NULL, NULL, 0, 0, "VM types other than 0 are confidential guests or need a module parameter" },
	{ NULL, NULL, 0, 0, "guests write CR4, not CR0; with PAE, and without 5-level paging: its code runs on" },
	{ NULL, NULL, 0, 0, "IA32_SYSENTER_CS is written with 32 bits, which QEMU's CPU keeps of it; by guests with 16" },
	{ NULL, NULL, 0, 0, "paravirtual structures are not where the guest has its tables and its code" },
	{ NULL, NULL, 0, 0, "guests write canonical addresses where KVM does not look: QEMU's CPU takes others" },
	{ NULL, NULL, 0, 0, "guests do not write CR8: QEMU 7.2 ends where one does while an interrupt waits; KVM_SET_SREGS does" },
	{ NULL, NULL, 0, 0, "XGETBV of 1 is the processor's own: KVM does not see it" },
	{ NULL, NULL, 0, 0, "segments, tables and CR2 once the guest has run: they are its code's own; no guest runs with an "
			    "interrupt that KVM_SET_SREGS injects, nor after a SIPI, which takes its code away" },
	{ NULL, NULL, 0, 0, "no hypercalls where the snapshot's trial shows a KVM that overrides tables: kvm_pvm lets those of "
			    "ring 0 never come back" },
	{ NULL, NULL, 0, 0, "no guest runs on such a KVM once KVM_SET_SREGS has asked for paging outside of long mode: kvm_pvm's "
			    "ends with a triple fault" },
	{ NULL, NULL, 0, 0, "capabilities are those of data/kvm/caps.txt: the probe records no others" },
};

static unsigned weigh(const struct maker *m, const struct operation *op)
{
	/* first the VM, then vCPUs, then what is done to them; out of turn now and then */
	if (op->vcpu)
		return m->vcpus ? op->weight : 0;
	if (!m->vcpus && m->at * 3 < m->all)
		return op == &ops[O_VCPU] ? 10 : op == &ops[O_IRQCHIP] && !m->irqchip ? 60 : op->weight;
	if (!m->vcpus)
		return op == &ops[O_VCPU] ? 1000 : op->weight;
	return op == &ops[O_IRQCHIP] ? 3 : op == &ops[O_VCPU] && m->vcpus == VCPUS ? 5 : op->weight / 2;
}

/* Everything there is to read of each vCPU. */
static void look(const struct maker *m, struct step *list, unsigned *n)
{
	for (unsigned v = 0; v < m->vcpus && *n + 6 <= STEPS_MOST; v++)
		for (unsigned i = 0; i < 6; i++) {
			list[*n] = (struct step){ .op = O_LOOK + i, .vcpu = v };
			list[(*n)++].arg[0] = i ? 0 : 256;
		}
}

static uint64_t vm_type(const struct gcpu_snapshot *host)
{
	(void)host;
	return 0;
}

const struct domain domain_x86 = {
	.arch = GCPU_ARCH_X86,
	.ops = ops,
	.n_ops = COUNT(ops),
	.exclusions = exclusions,
	.n_exclusions = COUNT(exclusions),
	.weigh = weigh,
	.look = look,
	.vm_type = vm_type,
	.settle = x86_settle,
	.settled = x86_settled,
	.awake = x86_awake,
};

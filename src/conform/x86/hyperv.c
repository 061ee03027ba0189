/* SPDX-License-Identifier: MIT */
/* Hyper-V's leaves, which are a list of their own. ST:x86/hyperv_cpuid; hyperv.c. */
#include "x86.h"

#include <string.h>

#define ENTRIES 10
#define HV_STIMER_DIRECT BIT32(19)
#define HV_CLUSTER_IPI BIT32(10)

static int get(struct conform *c, int fd, struct table *t, uint32_t nent)
{
	memset(t, 0, sizeof(*t));
	t->nent = nent;
	return ask(c, fd, GK_GET_SUPPORTED_HV_CPUID, t);
}

static void content(struct conform *c, const struct table *t)
{
	static const uint32_t leaves[ENTRIES] = { 0, 1, 2, 3, 4, 5, 0x80, 0x81, 0x82, 0xa };

	expect_value(c, t->nent, ENTRIES, "entries");
	for (unsigned i = 0; i < ENTRIES; i++) {
		const struct gk_cpuid_entry2 *e = &t->e[i];

		expect_value(c, e->function, L_HYPERVISOR + leaves[i], "leaf of entry %u", i);
		expect(c, !e->index && !e->flags && !e->padding[0] && !e->padding[1] && !e->padding[2],
		       "index, flags and padding of entry %u are 0", i);
	}
	expect_value(c, t->e[0].eax, L_HYPERVISOR + 0x82, "highest leaf");
	expect_value(c, t->e[1].eax, HV_INTERFACE, "interface");
	expect(c, t->e[5].eax > 0, "vCPUs");
}

static int errors(struct conform *c, int fd, struct table *t)
{
	if (!expect_ok(c, get(c, fd, t, ENTRIES), "KVM_GET_SUPPORTED_HV_CPUID"))
		return 1;
	content(c, t);
	for (uint32_t n = 0; n < ENTRIES; n++) {
		expect_errno(c, get(c, fd, t, n), E2BIG, "with %u entries", n);
		expect_value(c, t->nent, n, "nent after E2BIG");
	}
	expect_ok(c, get(c, fd, t, 100), "with room for 100");
	expect_value(c, t->nent, ENTRIES, "entries");
	return 0;
}

static int by_system(struct conform *c)
{
	struct table t;

	if (lacks_cap(c, CAP_SYS_HYPERV_CPUID, "SYS_HYPERV_CPUID") || errors(c, c->kvm_fd, &t))
		return 1;
	expect(c, t.e[3].edx & HV_STIMER_DIRECT, "direct timers, as with an APIC in KVM");
	return 0;
}

/* By a vCPU: without an APIC in KVM what needs one is left out. */
static int by_vcpu(struct conform *c)
{
	struct conform_vm *none = x86_vm(c, NO_APIC, 1), *own = x86_vm(c, KERNEL_APIC, 1);
	struct table a, b;

	if (!none || !own || lacks_cap(c, CAP_HYPERV_CPUID, "HYPERV_CPUID") || errors(c, none->vcpu[0], &a) ||
	    errors(c, own->vcpu[0], &b))
		return 1;
	expect(c, !(a.e[3].edx & HV_STIMER_DIRECT), "no direct timers without an APIC in KVM");
	expect(c, b.e[3].edx & HV_STIMER_DIRECT, "direct timers with an APIC in KVM");
	expect(c, !(a.e[4].eax & HV_CLUSTER_IPI), "no cluster IPIs without an APIC in KVM");
	expect_value(c, b.e[9].eax & 0xffff, 0, "no enlightened VMCS that nobody asked for");
	return 0;
}

/* Hyper-V is in the first block then: KVM's leaves are found in the next. */
static int beside(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 1);
	struct guest_op ops[] = { OP_CPUID(L_HYPERVISOR + 1, 0), OP_CPUID(L_KVM_MOVED, 0), OP_RDMSR(PV_MSR_EOI),
				  OP_RDMSR(PV_MSR_POLL) };
	struct table t;

	if (!vm || lacks_cap(c, CAP_HYPERV, "HYPERV") || table_usual(c, 0, &t))
		return 1;
	table_drop(&t, L_HYPERVISOR);
	table_drop(&t, L_KVM_FEATURES);
	table_put(&t, L_HYPERVISOR, 0, 0, L_HYPERVISOR + 5, 0x7263694d, 0x666f736f, 0x76482074);
	table_put(&t, L_HYPERVISOR + 1, 0, 0, HV_INTERFACE, 0, 0, 0);
	table_put(&t, L_KVM_MOVED, 0, 0, L_KVM_MOVED + 1, KVM_EBX, KVM_ECX, KVM_EDX);
	table_put(&t, L_KVM_MOVED + 1, 0, 0, PV_EOI, 0, 0, 0);
	expect_ok(c, enable_cap(c, vm->vcpu[0], CAP_ENFORCE_PV_FEATURE_CPUID, 1), "KVM_CAP_ENFORCE_PV_FEATURE_CPUID");
	if (!give_table(vm, 0, &t) || guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	expect_value(c, ops[0].res[0], HV_INTERFACE, "Hyper-V's interface");
	expect_value(c, ops[1].res[1], KVM_EBX, "KVM's signature");
	expect_done(c, &ops[2], "an MSR that KVM's leaf tells of");
	expect_fault(c, &ops[3], GP, "one that it does not");
	return 0;
}

const struct conform_case cases_x86_hyperv[] = {
	{ "hyperv:by-system", "ST:x86/hyperv_cpuid", by_system },
	{ "hyperv:by-vcpu", "ST:x86/hyperv_cpuid", by_vcpu },
	{ "hyperv:beside-kvm", "KVM cpuid.rst, API 4.118", beside },
	{ NULL, NULL, NULL },
};

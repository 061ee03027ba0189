/* SPDX-License-Identifier: MIT */
/* Hyper-V's leaves, which are a list of their own. ST:x86/hyperv_cpuid; hyperv.c. */
#include "x86.h"

#include "kvm/abi_more.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ENTRIES 10
#define HV_STIMER_DIRECT BIT32(19)
#define HV_CLUSTER_IPI BIT32(10)
#define HV_SCONTROL 0x40000080U
#define HV_SVERSION 0x40000081U
#define HV_SIEFP 0x40000082U
#define HV_SIMP 0x40000083U
#define HV_EOM 0x40000084U
#define HV_SINT0 0x40000090U
#define HV_STIMER0 0x400000b0U

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

/* Registers of synthetic interrupts: nothing but zeros until the vCPU has them, then what a VMM says. */
static int synic(struct conform *c)
{
	static const struct {
		uint32_t index;
		uint64_t at_first, set;
	} regs[] = {
		{ HV_SCONTROL, 0, 1 }, { HV_SVERSION, 1, 1 }, { HV_SIEFP, 0, 0x5001 }, { HV_SIMP, 0, 0x6001 },
		{ HV_SINT0, 0x10000, 0x30 }, { HV_SINT0 + 15, 0x10000, 0x10000 }, { HV_STIMER0, 0, 0x3000e }, { HV_STIMER0 + 1, 0, 0 },
	};
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 1), *none = x86_vm(c, NO_APIC, 1);
	uint64_t got = 0;

	if (!vm || !none || lacks_cap(c, CAP_HYPERV, "HYPERV") || lacks_cap(c, CAP_HYPERV_SYNIC2, "HYPERV_SYNIC2"))
		return 1;
	for (unsigned i = 0; i < COUNT(regs); i++) {
		expect_value(c, get_msr(vm, 0, regs[i].index, &got), 1, "%#x is read", regs[i].index);
		expect_value(c, got, regs[i].at_first, "%#x at first", regs[i].index);
		expect_value(c, set_msr(vm, 0, regs[i].index, 0x20), 0, "%#x refuses a value", regs[i].index);
	}
	expect_errno(c, enable_cap(c, none->vcpu[0], CAP_HYPERV_SYNIC2, 0), EINVAL, "without an APIC in KVM");
	expect_errno(c, enable_cap(c, vm->vcpu[0], CAP_HYPERV_SYNIC2, 1), EINVAL, "with an argument");
	if (!expect_ok(c, enable_cap(c, vm->vcpu[0], CAP_HYPERV_SYNIC2, 0), "KVM_CAP_HYPERV_SYNIC2"))
		return 1;
	expect(c, get_msr(vm, 0, HV_SCONTROL, &got) == 1 && got == 1, "they are on");
	for (unsigned i = 0; i < COUNT(regs); i++) {
		expect_value(c, set_msr(vm, 0, regs[i].index, regs[i].set), 1, "%#x takes it", regs[i].index);
		expect(c, get_msr(vm, 0, regs[i].index, &got) == 1 && got == regs[i].set, "%#x keeps it", regs[i].index);
	}
	expect(c, set_msr(vm, 0, HV_EOM, 5) == 1 && get_msr(vm, 0, HV_EOM, &got) == 1 && !got, "end of a message");
	return 0;
}

/* The enlightened VMCS: its versions go where the VMM says, and into the leaf from then on. */
static int evmcs(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 1);
	uint16_t versions[2] = { 0xffff, 0xffff };
	struct table t = { .nent = ENTRIES };

	if (!vm || lacks_cap(c, CAP_HYPERV_ENLIGHTENED_VMCS, "HYPERV_ENLIGHTENED_VMCS"))
		return 1;
	if (!expect_ok(c, enable_cap(c, vm->vcpu[0], CAP_HYPERV_ENLIGHTENED_VMCS, (uintptr_t)versions),
		       "KVM_CAP_HYPERV_ENLIGHTENED_VMCS"))
		return 1;
	expect(c, versions[1] == 0xffff, "two bytes are written");
	expect(c, versions[0] == 0x101 || !versions[0], "version 1 of it, or none without nested VMX: %#x", versions[0]);
	expect_ok(c, ask(c, vm->vcpu[0], GK_GET_SUPPORTED_HV_CPUID, &t), "KVM_GET_SUPPORTED_HV_CPUID");
	expect_value(c, t.e[9].eax & 0xffff, versions[0], "versions in the leaf");
	expect_errno(c, enable_cap(c, vm->vcpu[0], CAP_HYPERV_ENLIGHTENED_VMCS, 0), EFAULT, "with nowhere to say it");
	return 0;
}

static int event(struct conform_vm *vm, uint32_t number, int fd, uint32_t flags)
{
	const struct gk_hyperv_eventfd e = { .conn_id = number, .fd = fd, .flags = flags };

	return ask(vm->c, vm->fd, GK_HYPERV_EVENTFD, &e);
}

static int events(struct conform *c)
{
	struct conform_vm *vm = vm_new(c);
	int fd;

	if (!vm || lacks_cap(c, CAP_HYPERV_EVENTFD, "HYPERV_EVENTFD"))
		return 1;
	fd = eventfd(0, EFD_CLOEXEC);
	if (!expect(c, fd >= 0, "an event descriptor"))
		return 1;
	expect_errno(c, event(vm, 1, -1, 0), EBADF, "no file");
	expect_errno(c, event(vm, 1U << 24, fd, 0), EINVAL, "a number of more than 24 bits");
	expect_errno(c, event(vm, 1, fd, 2), EINVAL, "a flag that there is not");
	expect_errno(c, event(vm, 1, fd, GK_HYPERV_EVENTFD_DEASSIGN), ENOENT, "one that was not given away, taken back");
	expect_ok(c, event(vm, 1, fd, 0), "given away");
	expect_ok(c, event(vm, 0xffffff, fd, 0), "another one");
	expect_errno(c, event(vm, 1, fd, 0), EEXIST, "given away twice");
	expect_ok(c, event(vm, 1, -1, GK_HYPERV_EVENTFD_DEASSIGN), "taken back");
	expect_ok(c, event(vm, 1, fd, 0), "given away again");
	expect_errno(c, event(vm, 0xffffff, fd, 0), EEXIST, "the other one is still there");
	close(fd);
	return 0;
}

const struct conform_case cases_x86_hyperv[] = {
	{ "hyperv:by-system", "ST:x86/hyperv_cpuid", by_system },
	{ "hyperv:by-vcpu", "ST:x86/hyperv_cpuid", by_vcpu },
	{ "hyperv:beside-kvm", "KVM cpuid.rst, API 4.118", beside },
	{ "hyperv:synic", "KVM API, KVM_CAP_HYPERV_SYNIC2; hyperv.c", synic },
	{ "hyperv:evmcs", "KVM API, KVM_CAP_HYPERV_ENLIGHTENED_VMCS; x86.c", evmcs },
	{ "hyperv:events", "KVM API 4.113", events },
	{ NULL, NULL, NULL },
};

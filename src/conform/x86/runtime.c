/* SPDX-License-Identifier: MIT */
/* Bits of a table that KVM keeps up to date: with CR4, XCR0, MSRs, disabled exits. cpuid.c. */
#include "x86.h"

static bool bit_read(struct conform_vm *vm, uint32_t leaf, unsigned reg, uint32_t bit)
{
	struct table t;

	return read_table(vm, 0, &t) && (table_reg(&t, leaf, 0, reg) & bit);
}

static bool write_cr4(struct conform_vm *vm, uint64_t set, uint64_t clear)
{
	struct gk_x86_sregs s = { .cr4 = 0 };

	if (!expect_ok(vm->c, get_sregs(vm, 0, &s), "KVM_GET_SREGS"))
		return false;
	s.cr4 = (s.cr4 | set) & ~clear;
	return expect_ok(vm->c, set_sregs(vm, 0, &s), "KVM_SET_SREGS with CR4 0x%llx", (unsigned long long)s.cr4);
}

/* BIT of the table follows CR4, set by the host: whatever user space wrote there. */
static int follows_cr4(struct conform *c, uint64_t cr4, uint32_t leaf, uint32_t bit)
{
	struct conform_vm *vm = x86_ready(c, NO_APIC, 1);
	struct table t;

	if (!vm || table_usual(c, 0, &t))
		return 1;
	expect(c, !bit_read(vm, leaf, ECX, bit), "off at first");
	if (!write_cr4(vm, cr4, 0))
		return 1;
	expect(c, bit_read(vm, leaf, ECX, bit), "on with CR4's bit");
	give_table(vm, 0, &t); /* without it */
	expect(c, bit_read(vm, leaf, ECX, bit), "on after a table without it");
	write_cr4(vm, 0, cr4);
	expect(c, !bit_read(vm, leaf, ECX, bit), "off without CR4's bit");
	*entry_reg(table_entry(&t, leaf, 0), ECX) |= bit;
	give_table(vm, 0, &t);
	expect(c, !bit_read(vm, leaf, ECX, bit), "off after a table with it");
	return 0;
}

static int osxsave_host(struct conform *c)
{
	if (lacks_bits(c, L_FEATURES, 0, ECX, C1_XSAVE, "XSAVE"))
		return 1;
	return follows_cr4(c, CR4_OSXSAVE, L_FEATURES, C1_OSXSAVE);
}

static int ospke_host(struct conform *c)
{
	if (lacks_bits(c, L_EXTENDED_FEATURES, 0, ECX, C7_PKU, "PKU"))
		return 1;
	return follows_cr4(c, CR4_PKE, L_EXTENDED_FEATURES, C7_OSPKE);
}

/* The same by the guest, which reads it as well. */
static int guest_cr4(struct conform *c, uint64_t cr4, uint32_t leaf, uint32_t bit)
{
	struct guest_op ops[] = { OP_CPUID(leaf, 0),	       OP(GUEST_OP_RDCR, 4),
				  OP(GUEST_OP_WRCR, 4, cr4 | CR4_PAE), OP_CPUID(leaf, 0),
				  OP(GUEST_OP_RDCR, 4) };
	struct guest_op off[] = { OP(GUEST_OP_WRCR, 4, CR4_PAE), OP_CPUID(leaf, 0) };
	struct conform_vm *vm = x86_ready(c, NO_APIC, 1);

	if (!vm || guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	expect(c, !(ops[0].res[2] & bit), "the guest reads it off at first");
	if (!expect_done(c, &ops[2], "a write of CR4"))
		return 1;
	expect(c, ops[3].res[2] & bit, "the guest reads it on");
	expect(c, ops[4].res[0] & cr4, "CR4 has the bit");
	expect(c, bit_read(vm, leaf, ECX, bit), "KVM_GET_CPUID2 has it on");
	if (guest_run(vm, 0, off, COUNT(off)))
		return 1;
	expect(c, !(off[1].res[2] & bit), "the guest reads it off again");
	expect(c, !bit_read(vm, leaf, ECX, bit), "KVM_GET_CPUID2 has it off");
	return 0;
}

static int osxsave_guest(struct conform *c)
{
	if (lacks_bits(c, L_FEATURES, 0, ECX, C1_XSAVE, "XSAVE"))
		return 1;
	return guest_cr4(c, CR4_OSXSAVE, L_FEATURES, C1_OSXSAVE);
}

static int ospke_guest(struct conform *c)
{
	if (lacks_bits(c, L_EXTENDED_FEATURES, 0, ECX, C7_PKU, "PKU"))
		return 1;
	return guest_cr4(c, CR4_PKE, L_EXTENDED_FEATURES, C7_OSPKE);
}

/* CPUID.1:EDX.APIC is bit 11 of the APIC's base. */
static int apic_bit(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	struct table t;
	uint64_t base;

	if (!vm || table_usual(c, 0, &t))
		return 1;
	expect(c, bit_read(vm, L_FEATURES, EDX, D1_APIC), "on at first");
	expect_result(c, get_msr(vm, 0, MSR_APICBASE, &base), 1, "KVM_GET_MSRS of the APIC's base");
	expect_result(c, set_msr(vm, 0, MSR_APICBASE, base & ~APICBASE_ENABLE), 1, "KVM_SET_MSRS, APIC off");
	expect(c, !bit_read(vm, L_FEATURES, EDX, D1_APIC), "off with the APIC off");
	give_table(vm, 0, &t);
	expect(c, !bit_read(vm, L_FEATURES, EDX, D1_APIC), "off after a table with it");
	expect_result(c, set_msr(vm, 0, MSR_APICBASE, base), 1, "KVM_SET_MSRS, APIC on");
	expect(c, bit_read(vm, L_FEATURES, EDX, D1_APIC), "on again");
	table_entry(&t, L_FEATURES, 0)->edx &= ~D1_APIC;
	give_table(vm, 0, &t);
	expect(c, bit_read(vm, L_FEATURES, EDX, D1_APIC), "on after a table without it");
	return 0;
}

static int apic_bit_guest(struct conform *c)
{
	struct guest_op ops[] = { OP_CPUID(L_FEATURES, 0), OP_RDMSR(MSR_APICBASE) }, more[4];
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);

	if (!vm || guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	expect(c, ops[0].res[3] & D1_APIC, "the guest reads it on at first");
	more[0] = OP_WRMSR(MSR_APICBASE, ops[1].res[0] & ~APICBASE_ENABLE);
	more[1] = OP_CPUID(L_FEATURES, 0);
	more[2] = OP_WRMSR(MSR_APICBASE, ops[1].res[0]);
	more[3] = OP_CPUID(L_FEATURES, 0);
	if (guest_run(vm, 0, more, COUNT(more)))
		return 1;
	expect_done(c, &more[0], "the APIC off");
	expect(c, !(more[1].res[3] & D1_APIC), "the guest reads it off");
	expect_done(c, &more[2], "the APIC on");
	expect(c, more[3].res[3] & D1_APIC, "the guest reads it on again");
	return 0;
}

#define QUIRK_MISC_ENABLE_NO_MWAIT BIT(4)

/* With the quirk CPUID.1:ECX.MONITOR is user space's; without it, it follows IA32_MISC_ENABLE. */
static int mwait(struct conform *c, bool quirk)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 0);
	struct table t;

	if (!vm || lacks_bits(c, L_FEATURES, 0, ECX, BIT32(0), "SSE3") || table_usual(c, 0, &t))
		return 1;
	if (!quirk && !expect_ok(c, enable_cap(c, vm->fd, CAP_DISABLE_QUIRKS2, QUIRK_MISC_ENABLE_NO_MWAIT),
				 "KVM_CAP_DISABLE_QUIRKS2"))
		return 1;
	if (vm_vcpu(vm, 0))
		return 1;
	table_entry(&t, L_FEATURES, 0)->ecx |= C1_MWAIT;
	give_table(vm, 0, &t);
	expect_result(c, set_msr(vm, 0, MSR_MISC_ENABLE, MISC_ENABLE_MWAIT), 1, "KVM_SET_MSRS of IA32_MISC_ENABLE, bit 18");
	expect(c, bit_read(vm, L_FEATURES, ECX, C1_MWAIT), "on");
	expect_result(c, set_msr(vm, 0, MSR_MISC_ENABLE, 0), 1, "KVM_SET_MSRS of IA32_MISC_ENABLE, 0");
	expect(c, bit_read(vm, L_FEATURES, ECX, C1_MWAIT) == quirk, quirk ? "on still, as the table has it" : "off");
	if (quirk) {
		table_entry(&t, L_FEATURES, 0)->ecx &= ~C1_MWAIT;
		give_table(vm, 0, &t);
	}
	set_msr(vm, 0, MSR_MISC_ENABLE, MISC_ENABLE_MWAIT);
	expect(c, bit_read(vm, L_FEATURES, ECX, C1_MWAIT) == !quirk, quirk ? "off, as the table has it" : "on again");
	return 0;
}

static int mwait_quirk(struct conform *c)
{
	return mwait(c, true);
}

static int mwait_no_quirk(struct conform *c)
{
	return mwait(c, false);
}

static uint64_t may_xcr0(struct table *t)
{
	return table_reg(t, L_XSAVE, 0, EAX) | (uint64_t)table_reg(t, L_XSAVE, 0, EDX) << 32;
}

/* Sizes of the two formats, as the sub-leaves of the components tell them. */
static void sizes(struct table *t, uint64_t xcr0, uint32_t *standard, uint32_t *compacted)
{
	*standard = *compacted = 576;
	for (unsigned i = 2; i < 63; i++) {
		struct gk_cpuid_entry2 *e = table_find(t, L_XSAVE, i);

		if (!e || !(xcr0 >> i & 1))
			continue;
		*standard = e->eax + e->ebx > *standard ? e->eax + e->ebx : *standard;
		if (e->ecx & 2)
			*compacted = (*compacted + 63) & ~63U;
		*compacted += e->eax;
	}
}

static int set_xcr0(struct conform_vm *vm, uint64_t value)
{
	struct gk_xcrs x = { .nr_xcrs = 1, .xcrs = { { 0, 0, value } } };

	return ask(vm->c, vm->vcpu[0], GK_SET_XCRS, &x);
}

static int xsave_sizes(struct conform *c)
{
	struct conform_vm *vm;
	struct table t, back;
	uint64_t may;

	if (lacks_bits(c, L_FEATURES, 0, ECX, C1_XSAVE, "XSAVE") || table_usual(c, 0, &t))
		return 1;
	may = may_xcr0(&t);
	table_entry(&t, L_XSAVE, 0)->ebx = 12345;
	table_entry(&t, L_XSAVE, 0)->ecx = 54321;
	vm = x86_vm(c, NO_APIC, 1);
	if (!vm || !give_table(vm, 0, &t))
		return 1;
	for (uint64_t xcr0 = 1; xcr0 <= 7; xcr0 = xcr0 << 1 | 1) {
		uint32_t standard, compacted;

		sizes(&t, xcr0, &standard, &compacted);
		if (xcr0 & ~may)
			break;
		if (!expect_ok(c, set_xcr0(vm, xcr0), "KVM_SET_XCRS, XCR0 %u", (unsigned)xcr0) || !read_table(vm, 0, &back))
			return 1;
		expect_value(c, table_reg(&back, L_XSAVE, 0, EBX), standard, "leaf 0xd EBX with XCR0 %u", (unsigned)xcr0);
		expect_value(c, table_reg(&back, L_XSAVE, 0, ECX), 54321, "leaf 0xd ECX, user space's");
		if (table_reg(&t, L_XSAVE, 1, EAX) & (AD1_XSAVEC | AD1_XSAVES))
			expect_value(c, table_reg(&back, L_XSAVE, 1, EBX), compacted, "leaf 0xd.1 EBX with XCR0 %u",
				     (unsigned)xcr0);
	}
	/* without a compacted format there is no size of it to be kept */
	if (table_find(&t, L_XSAVE, 1)) {
		table_entry(&t, L_XSAVE, 1)->eax = 0;
		table_entry(&t, L_XSAVE, 1)->ebx = 4321;
		give_table(vm, 0, &t);
		if (read_table(vm, 0, &back))
			expect_value(c, table_reg(&back, L_XSAVE, 1, EBX), 4321, "leaf 0xd.1 EBX without XSAVES and XSAVEC");
	}
	return 0;
}

#define EXIT_HLT BIT(1)

struct unhalt {
	uint32_t base;
	bool signature;
	unsigned sets;
};

/* PV_UNHALT after tables that have it, where HLT does not exit: 1, 0, or -1 after telling. */
static int unhalt(struct conform *c, bool disable, struct unhalt u)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 0);
	struct table t, back;

	if (!vm || table_usual(c, 0, &t))
		return -1;
	if (disable && !expect_ok(c, enable_cap(c, vm->fd, CAP_X86_DISABLE_EXITS, EXIT_HLT), "KVM_CAP_X86_DISABLE_EXITS"))
		return -1;
	if (vm_vcpu(vm, 0))
		return -1;
	table_entry(&t, L_KVM_FEATURES, 0)->eax |= PV_UNHALT;
	if (!u.signature)
		table_entry(&t, L_HYPERVISOR, 0)->ebx ^= 1;
	table_entry(&t, L_KVM_FEATURES, 0)->function = u.base + 1;
	table_entry(&t, L_HYPERVISOR, 0)->function = u.base;
	for (unsigned i = 0; i < u.sets; i++)
		give_table(vm, 0, &t);
	if (!read_table(vm, 0, &back))
		return -1;
	return (table_reg(&back, u.base + 1, 0, EAX) & PV_UNHALT) != 0;
}

static int unhalt_strip(struct conform *c)
{
	/* 6.1 looks for KVM's signature in the table before */
	unsigned sets = c->release >= KERNEL(6, 12) ? 1 : 2;
	int allowed = check_cap(c, c->kvm_fd, CAP_X86_DISABLE_EXITS);

	if (allowed < 0 || !(allowed & (int)EXIT_HLT))
		return skip(c, "this KVM lets HLT exits be disabled for no VM");
	expect_result(c, unhalt(c, false, (struct unhalt){ L_HYPERVISOR, true, sets }), 1, "HLT exits: kept");
	expect_result(c, unhalt(c, true, (struct unhalt){ L_HYPERVISOR, true, sets }), 0, "no HLT exits: taken out");
	expect_result(c, unhalt(c, true, (struct unhalt){ L_KVM_MOVED, true, sets }), 0,
		      "no HLT exits, leaves at 0x40000100: taken out");
	expect_result(c, unhalt(c, true, (struct unhalt){ L_HYPERVISOR, false, sets }), 1,
		      "no HLT exits, not KVM's signature: kept");
	return 0;
}

const struct conform_case cases_x86_runtime[] = {
	{ "runtime:osxsave-by-host", "ST:x86/set_sregs_test", osxsave_host },
	{ "runtime:osxsave-by-guest", "ST:x86/cr4_cpuid_sync_test", osxsave_guest },
	{ "runtime:ospke-by-host", "ST:x86/set_sregs_test", ospke_host },
	{ "runtime:ospke-by-guest", "cpuid.c kvm_update_cpuid_runtime", ospke_guest },
	{ "runtime:apic-by-host", "cpuid.c kvm_update_cpuid_runtime", apic_bit },
	{ "runtime:apic-by-guest", "cpuid.c kvm_update_cpuid_runtime", apic_bit_guest },
	{ "runtime:monitor-with-quirk", "ST:x86/monitor_mwait_test", mwait_quirk },
	{ "runtime:monitor-without-quirk", "ST:x86/monitor_mwait_test", mwait_no_quirk },
	{ "runtime:xsave-sizes", "cpuid.c kvm_update_cpuid_runtime", xsave_sizes },
	{ "runtime:pv-unhalt-stripped", "ST:x86/kvm_pv_test", unhalt_strip },
	{ NULL, NULL, NULL },
};

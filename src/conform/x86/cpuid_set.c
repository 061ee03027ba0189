/* SPDX-License-Identifier: MIT */
/* KVM_SET_CPUID2, KVM_GET_CPUID2 and the old KVM_SET_CPUID: what is taken, refused, kept. KVM API 4.20. */
#include "x86.h"

#include <string.h>

#define UNMAPPED ((const void *)8)

/* As many as there may be, each a leaf that means nothing to KVM. */
static void fill(struct table *t, uint32_t n)
{
	memset(t, 0, sizeof(*t));
	for (uint32_t i = 0; i < n && i < COUNT(t->e); i++)
		table_put(t, L_EXT + 0x1000 + i, 0, 0, i + 1, ~i, i << 8, 7);
	t->nent = n;
}

static int sizes(struct conform *c)
{
	static const uint32_t refused[] = { GK_CPUID_ENTRIES_MOST + 1, 100000, UINT32_MAX };
	struct table *t = case_memory(c, sizeof(*t)), *back = case_memory(c, sizeof(*t));
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);

	if (!t || !back || !vm)
		return 1;
	for (unsigned i = 0; i < COUNT(refused); i++) {
		fill(t, GK_CPUID_ENTRIES_MOST + 1);
		t->nent = refused[i];
		expect_errno(c, set_table(vm, 0, t), E2BIG, "KVM_SET_CPUID2 with nent %u", refused[i]);
	}
	fill(t, GK_CPUID_ENTRIES_MOST);
	expect_ok(c, set_table(vm, 0, t), "KVM_SET_CPUID2 with nent %u", GK_CPUID_ENTRIES_MOST);
	if (adds_entries(c))
		return 1;
	if (read_table(vm, 0, back))
		expect(c, table_same(t, back), "%u entries are read as they were set", t->nent);
	return 0;
}

static int empty(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);
	struct table t, back;

	if (!vm || adds_entries(c))
		return 1;
	if (read_table(vm, 0, &back))
		expect_value(c, back.nent, 0, "entries of a vCPU without a table");
	table_tiny(&t);
	give_table(vm, 0, &t);
	if (read_table(vm, 0, &back))
		expect_value(c, back.nent, t.nent, "entries that were set");
	t.nent = 0;
	expect_ok(c, set_table(vm, 0, &t), "KVM_SET_CPUID2 with nent 0");
	memset(&back, 0, sizeof(back));
	expect_ok(c, ask(c, vm->vcpu[0], GK_GET_CPUID2, &back), "KVM_GET_CPUID2 with nent 0 of an empty table");
	if (read_table(vm, 0, &back))
		expect_value(c, back.nent, 0, "entries after KVM_SET_CPUID2 with nent 0");
	return 0;
}

/* In order, duplicates and unknown flags and all. */
static int as_given(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);
	struct table t, back;

	if (!vm || adds_entries(c))
		return 1;
	table_tiny(&t);
	table_put(&t, L_UNUSED, 0, 0, 1, 2, 3, 4);
	table_put(&t, L_UNUSED, 0, 0, 5, 6, 7, 8);
	table_put(&t, L_CACHE, 2, GK_CPUID_FLAG_SIGNIFCANT_INDEX, 1, 1, 1, 1);
	table_put(&t, L_CACHE, 1, GK_CPUID_FLAG_SIGNIFCANT_INDEX, 2, 2, 2, 2);
	table_put(&t, L_CACHE, 2, GK_CPUID_FLAG_SIGNIFCANT_INDEX, 3, 3, 3, 3);
	table_put(&t, 0x87654321, 9, 0, ~0U, ~0U, ~0U, ~0U);
	give_table(vm, 0, &t);
	if (!read_table(vm, 0, &back))
		return 1;
	expect_value(c, back.nent, t.nent, "entries read");
	for (unsigned i = 0; i < t.nent && i < back.nent; i++)
		expect(c, memcmp(&t.e[i], &back.e[i], offsetof(struct gk_cpuid_entry2, padding)) == 0,
		       "entry %u (leaf 0x%x) is read as it was set", i, t.e[i].function);
	return 0;
}

/* KVM keeps bits that it does not support: only the guest's use of them is judged. */
static int unsupported_kept(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);
	struct table t, back;

	if (!vm || overridden(c, L_EXTENDED_FEATURES, 0, EBX, ~0U))
		return 1;
	table_tiny(&t);
	table_put(&t, L_BASIC, 0, 0, 0x1f, 0, 0, 0);
	table_put(&t, L_FEATURES, 0, 0, 0, 0, ~(C1_OSXSAVE | C1_MWAIT), ~D1_APIC);
	table_put(&t, L_EXTENDED_FEATURES, 0, GK_CPUID_FLAG_SIGNIFCANT_INDEX, 2, ~0U, ~C7_OSPKE, ~0U);
	table_put(&t, L_EXTENDED_FEATURES, 1, GK_CPUID_FLAG_SIGNIFCANT_INDEX, ~0U, ~0U, ~0U, ~0U);
	give_table(vm, 0, &t);
	if (!read_table(vm, 0, &back))
		return 1;
	expect_value(c, table_reg(&back, L_FEATURES, 0, ECX) | C1_OSXSAVE | C1_MWAIT, ~0U, "leaf 1 ECX, all set");
	expect_value(c, table_reg(&back, L_FEATURES, 0, EDX) | D1_APIC, ~0U, "leaf 1 EDX, all set");
	expect_value(c, table_reg(&back, L_EXTENDED_FEATURES, 0, EBX), ~0U, "leaf 7 EBX, all set");
	expect_value(c, table_reg(&back, L_EXTENDED_FEATURES, 0, EDX), ~0U, "leaf 7 EDX, all set");
	expect_value(c, table_reg(&back, L_EXTENDED_FEATURES, 1, EBX), ~0U, "leaf 7.1 EBX, all set");
	return 0;
}

/* The one value that is looked at: the width of virtual addresses, of which there are two. */
static int address_width(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);
	struct table good, bad, back;

	if (!vm)
		return 1;
	table_tiny(&good);
	good.e[0].eax = L_ADDRESSES;
	table_put(&good, L_ADDRESSES, 0, 0, 48 << 8 | 40, 0, 0, 0);
	bad = good;
	for (unsigned width = 0; width < 256; width++) {
		bool legal = width == 0 || width == 48 || width == 57;

		bad.e[2].eax = width << 8 | 40;
		bad.e[2].ebx = width;
		if (legal)
			expect_ok(c, set_table(vm, 0, &bad), "KVM_SET_CPUID2 with virtual addresses of %u bits", width);
		else
			expect_errno(c, set_table(vm, 0, &bad), EINVAL,
				     "KVM_SET_CPUID2 with virtual addresses of %u bits", width);
	}
	/* what was refused has left no trace */
	give_table(vm, 0, &good);
	bad.e[2].eax = 40 << 8 | 40;
	expect_errno(c, set_table(vm, 0, &bad), EINVAL, "KVM_SET_CPUID2 with virtual addresses of 40 bits");
	if (read_table(vm, 0, &back)) {
		expect_value(c, table_reg(&back, L_ADDRESSES, 0, EAX), 48 << 8 | 40, "EAX of the leaf after a refusal");
		expect_value(c, table_reg(&back, L_ADDRESSES, 0, EBX), 0, "EBX of the leaf after a refusal");
	}
	return 0;
}

#define TILE_DATA BIT32(18)

/* State that has to be asked for, by arch_prctl(2), before any vCPU of the process. */
static int not_permitted(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);
	struct table t, back;
	uint64_t permitted = 0;

	if (!vm)
		return 1;
	if (c->kvm->ops->guest_perm(c->kvm->ctx, GK_ARCH_GET_XCOMP_GUEST_PERM, 0, &permitted) < 0 || permitted & TILE_DATA)
		return skip(c, "guests of this process may have AMX's state, or that cannot be asked");
	table_tiny(&t);
	give_table(vm, 0, &t);
	table_put(&t, L_XSAVE, 0, GK_CPUID_FLAG_SIGNIFCANT_INDEX, 3 | BIT32(17) | TILE_DATA, 576, 576, 0);
	expect_errno(c, set_table(vm, 0, &t), EPERM, "KVM_SET_CPUID2 with AMX's state, which was not asked for");
	if (read_table(vm, 0, &back))
		expect(c, !table_find(&back, L_XSAVE, 0), "the table is what it was");
	t.e[t.nent - 1].eax = 3 | BIT32(17);
	expect_ok(c, set_table(vm, 0, &t), "KVM_SET_CPUID2 with its configuration alone");
	return 0;
}

static int set_fault(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);

	if (!vm)
		return 1;
	expect_errno(c, ask(c, vm->vcpu[0], GK_SET_CPUID2, UNMAPPED), EFAULT, "KVM_SET_CPUID2 with a bad pointer");
	expect_errno(c, ask(c, vm->vcpu[0], GK_GET_CPUID2, UNMAPPED), EFAULT, "KVM_GET_CPUID2 with a bad pointer");
	expect_errno(c, ask(c, vm->vcpu[0], GK_SET_CPUID, UNMAPPED), EFAULT, "KVM_SET_CPUID with a bad pointer");
	return 0;
}

static int get_small(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, NO_APIC, 1);
	struct table all, t;

	if (!vm || !read_table(vm, 0, &all))
		return 1;
	for (uint32_t i = 0; i < all.nent; i++) {
		memset(&t, 0, sizeof(t));
		t.nent = i;
		if (!expect_errno(c, ask(c, vm->vcpu[0], GK_GET_CPUID2, &t), E2BIG, "KVM_GET_CPUID2 with %u of %u entries", i,
				  all.nent) ||
		    !expect_value(c, t.nent, i, "nent after E2BIG"))
			return 1;
	}
	t.nent = all.nent;
	expect_ok(c, ask(c, vm->vcpu[0], GK_GET_CPUID2, &t), "KVM_GET_CPUID2 with exactly as many entries");
	expect_value(c, t.nent, all.nent, "nent");
	return 0;
}

/* How many there are is told on success since 6.3; before, what room there was stays. */
static int get_count(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, NO_APIC, 1);
	struct table all, t = { .nent = GK_CPUID_ENTRIES_MOST };

	if (!vm || !read_table(vm, 0, &all))
		return 1;
	expect_ok(c, ask(c, vm->vcpu[0], GK_GET_CPUID2, &t), "KVM_GET_CPUID2 with room for %u", t.nent);
	expect_value(c, t.nent, c->release >= KERNEL(6, 3) ? all.nent : GK_CPUID_ENTRIES_MOST, "nent");
	t.nent = 1000;
	if (c->release >= KERNEL(6, 3))
		expect_ok(c, ask(c, vm->vcpu[0], GK_GET_CPUID2, &t), "KVM_GET_CPUID2 with nent 1000");
	return 0;
}

struct old_table {
	uint32_t nent, padding;
	struct gk_cpuid_entry e[4];
};

/* The old call has no sub-leaves: they read as index 0, without a flag. */
static int old_call(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);
	struct old_table old = { .nent = 3 };
	struct table back;

	if (!vm || adds_entries(c))
		return 1;
	old.e[0] = (struct gk_cpuid_entry){ L_UNUSED, 1, 2, 3, 4, 5 };
	old.e[1] = (struct gk_cpuid_entry){ L_CACHE, 6, 7, 8, 9, 10 };
	old.e[2] = (struct gk_cpuid_entry){ L_EXT_FEATURES, 0, 0, 0, D81_LM, ~0U };
	expect_ok(c, ask(c, vm->vcpu[0], GK_SET_CPUID, &old), "KVM_SET_CPUID");
	if (!read_table(vm, 0, &back) || !expect_value(c, back.nent, 3, "entries"))
		return 1;
	for (unsigned i = 0; i < 3; i++) {
		const struct gk_cpuid_entry2 *e = &back.e[i];

		expect(c, e->function == old.e[i].function && e->eax == old.e[i].eax && e->ebx == old.e[i].ebx &&
				  e->ecx == old.e[i].ecx && e->edx == old.e[i].edx,
		       "entry %u is read as it was set", i);
		expect(c, !e->index && !e->flags, "entry %u has index 0 and no flags", i);
		expect(c, !e->padding[0] && !e->padding[1] && !e->padding[2], "padding of entry %u is 0", i);
	}
	old.nent = GK_CPUID_ENTRIES_MOST + 1;
	expect_errno(c, ask(c, vm->vcpu[0], GK_SET_CPUID, &old), E2BIG, "KVM_SET_CPUID with nent %u", old.nent);
	return 0;
}

/* Tables of vCPUs are their own affair. */
static int per_vcpu(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 2);
	struct table t[2], back;

	if (!vm || adds_entries(c))
		return 1;
	for (unsigned i = 0; i < 2; i++) {
		table_tiny(&t[i]);
		table_put(&t[i], L_UNUSED, 0, 0, i + 1, 0, 0, 0);
		give_table(vm, i, &t[i]);
	}
	for (unsigned i = 0; i < 2; i++)
		if (read_table(vm, i, &back))
			expect(c, table_same(&back, &t[i]), "vCPU %u has its own table", i);
	return 0;
}

const struct conform_case cases_x86_cpuid_set[] = {
	{ "cpuid-set:sizes", "KVM API 4.20", sizes },
	{ "cpuid-set:empty", "cpuid.c kvm_vcpu_ioctl_set_cpuid2", empty },
	{ "cpuid-set:as-given", "KVM API 4.20", as_given },
	{ "cpuid-set:unsupported-bits-kept", "KVM API 4.20", unsupported_kept },
	{ "cpuid-set:address-width", "cpuid.c kvm_check_cpuid", address_width },
	{ "cpuid-set:not-permitted", "ST:x86/amx_test, cpuid.c kvm_check_cpuid", not_permitted },
	{ "cpuid-set:bad-pointers", "KVM API 4.20", set_fault },
	{ "cpuid-set:old-call", "cpuid.c kvm_vcpu_ioctl_set_cpuid", old_call },
	{ "cpuid-set:per-vcpu", "KVM API 4.20", per_vcpu },
	{ "cpuid-set:get-too-small", "ST:x86/cpuid_test", get_small },
	{ "cpuid-set:get-count", "cpuid.c kvm_vcpu_ioctl_get_cpuid2", get_count },
	{ NULL, NULL, NULL },
};

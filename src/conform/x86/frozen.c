/* SPDX-License-Identifier: MIT */
/* A vCPU that has run keeps its table and its feature MSRs. KVM API 4.20, 4.19; cpuid.c, x86.c. */
#include "x86.h"

static int run_once(struct conform_vm *vm, unsigned vcpu)
{
	struct guest_op op = OP_CPUID(L_BASIC, 0);

	return guest_run(vm, vcpu, &op, 1);
}

static int same(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	struct table t, back;

	if (!vm || table_usual(c, 0, &t) || run_once(vm, 0))
		return 1;
	/* a KVM that has the last word about it: the table that is in force */
	if (!mainline(c) && !read_table(vm, 0, &t))
		return 1;
	expect_ok(c, set_table(vm, 0, &t), "KVM_SET_CPUID2, the same table");
	expect_ok(c, set_table(vm, 0, &t), "KVM_SET_CPUID2, the same table once more");
	if (read_table(vm, 0, &back))
		expect_ok(c, set_table(vm, 0, &back), "KVM_SET_CPUID2, as KVM_GET_CPUID2 gives it");
	/* padding is nothing of it; run-time bits are KVM's */
	t.e[0].padding[1] = 77;
	expect_ok(c, set_table(vm, 0, &t), "KVM_SET_CPUID2, other padding");
	table_entry(&t, L_FEATURES, 0)->ecx ^= C1_OSXSAVE;
	if ((table_reg(&t, L_FEATURES, 0, ECX) & C1_XSAVE) || c->release >= KERNEL(6, 14)) {
		expect_ok(c, set_table(vm, 0, &t), "KVM_SET_CPUID2, another OSXSAVE");
	} else { /* without XSAVE KVM left the bit alone, as any other */
		expect_errno(c, set_table(vm, 0, &t), EINVAL, "KVM_SET_CPUID2, another OSXSAVE where there is no XSAVE");
		table_entry(&t, L_FEATURES, 0)->ecx ^= C1_OSXSAVE;
	}
	if (run_once(vm, 0) == 0)
		expect_ok(c, set_table(vm, 0, &t), "KVM_SET_CPUID2, after another run");
	return 0;
}

static void refused(struct conform_vm *vm, const struct table *t, const char *what)
{
	expect_errno(vm->c, set_table(vm, 0, t), EINVAL, "KVM_SET_CPUID2, %s", what);
}

static int changed(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	struct table usual, t, before, after;
	struct guest_op op = OP_CPUID(L_KVM_FEATURES, 0);

	if (!vm || table_usual(c, 0, &usual) || run_once(vm, 0) || !read_table(vm, 0, &before))
		return 1;
	t = usual;
	table_entry(&t, L_KVM_FEATURES, 0)->eax ^= PV_NOP_IO;
	refused(vm, &t, "a feature less");
	t = usual;
	table_entry(&t, L_ADDRESSES, 0)->eax -= 1;
	refused(vm, &t, "narrower addresses");
	t = usual;
	table_entry(&t, L_HYPERVISOR, 0)->ebx ^= 1;
	refused(vm, &t, "another signature");
	t = usual;
	t.nent--;
	refused(vm, &t, "an entry less");
	t = usual;
	table_put(&t, L_UNUSED, 0, 0, 0, 0, 0, 0);
	refused(vm, &t, "an entry more");
	t = usual;
	t.e[0] = usual.e[1];
	t.e[1] = usual.e[0];
	refused(vm, &t, "two entries in another order");
	t = usual;
	t.e[t.nent - 1].flags ^= GK_CPUID_FLAG_SIGNIFCANT_INDEX;
	refused(vm, &t, "another flag");
	t = usual;
	t.e[t.nent - 1].index ^= 1;
	refused(vm, &t, "another index");
	t.nent = 0;
	refused(vm, &t, "no entry");
	if (read_table(vm, 0, &after))
		expect(c, table_same(&before, &after), "the table is what it was");
	if (guest_run(vm, 0, &op, 1) == 0)
		expect_value(c, op.res[0], table_reg(&before, L_KVM_FEATURES, 0, EAX), "features that the guest reads");
	return 0;
}

/* Each vCPU by itself: one that has not run is free. */
static int per_vcpu(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 2);
	struct table t;

	if (!vm || table_usual(c, 1, &t) || run_once(vm, 0))
		return 1;
	table_entry(&t, L_KVM_FEATURES, 0)->eax ^= PV_NOP_IO;
	expect_ok(c, set_table(vm, 1, &t), "KVM_SET_CPUID2 of a vCPU that has not run");
	refused(vm, &t, "of the one that has");
	return 0;
}

struct features {
	uint32_t nmsrs, indices[64];
};

/* Does KVM take another value than its own before a run? It is put back. */
static bool changes(struct conform_vm *vm, uint32_t index, uint64_t *value, uint64_t *other)
{
	if (get_msr(vm, 0, index, value) != 1)
		return false;
	*other = *value ? 0 : 2;
	if (set_msr(vm, 0, index, *other) != 1)
		return false;
	return expect_result(vm->c, set_msr(vm, 0, index, *value), 1, "MSR 0x%x back to what it was", index);
}

/* Of MSRs that tell features, those that must not change once a guest has seen them: since 6.4. */
static int msrs(struct conform *c)
{
	struct features list = { .nmsrs = COUNT(list.indices) };
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	uint64_t value[COUNT(list.indices)], other[COUNT(list.indices)], now;
	bool tried[COUNT(list.indices)];
	unsigned n = 0;

	if (!vm || !expect_ok(c, ask(c, c->kvm_fd, GK_GET_MSR_FEATURE_INDEX_LIST, &list), "KVM_GET_MSR_FEATURE_INDEX_LIST"))
		return 1;
	for (unsigned i = 0; i < list.nmsrs; i++) {
		tried[i] = list.indices[i] != MSR_UCODE && changes(vm, list.indices[i], &value[i], &other[i]);
		n += tried[i];
	}
	if (!n)
		return skip(c, "this KVM takes no other value of a feature MSR");
	if (run_once(vm, 0))
		return 1;
	for (unsigned i = 0; i < list.nmsrs; i++) {
		if (!tried[i])
			continue;
		expect_result(c, set_msr(vm, 0, list.indices[i], value[i]), 1, "MSR 0x%x after a run, the same", list.indices[i]);
		expect_result(c, set_msr(vm, 0, list.indices[i], other[i]), c->release < KERNEL(6, 4),
			      "MSR 0x%x after a run, another value", list.indices[i]);
		if (c->release >= KERNEL(6, 4) && get_msr(vm, 0, list.indices[i], &now) == 1)
			expect_value(c, now, value[i], "MSR 0x%x after that", list.indices[i]);
	}
	/* the one that is none of them */
	expect_result(c, set_msr(vm, 0, MSR_UCODE, 0x1234ULL << 32), 1, "the microcode's revision after a run");
	return 0;
}

const struct conform_case cases_x86_frozen[] = {
	{ "frozen:same-table", "ST:x86/cpuid_test", same },
	{ "frozen:changed-table", "ST:x86/cpuid_test", changed },
	{ "frozen:per-vcpu", "cpuid.c kvm_set_cpuid", per_vcpu },
	{ "frozen:feature-msrs", "ST:x86/vmx_pmu_caps_test, x86.c do_set_msr", msrs },
	{ NULL, NULL, NULL },
};

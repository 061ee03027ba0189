/* SPDX-License-Identifier: MIT */
/* How KVM answers a guest's CPUID out of its table. cpuid.c kvm_cpuid(). */
#include "x86.h"

#include <string.h>

#define TOP 0x20U /* highest basic leaf of the tables here */
#define MARK 0x1230U

/* A table in which the basic leaves up to TOP are few and marked, by this vendor. */
static int marked(struct conform *c, const char *vendor, struct table *t)
{
	uint32_t name[3];

	if (table_usual(c, 0, t))
		return 1;
	memcpy(name, vendor, sizeof(name));
	for (uint32_t leaf = 2; leaf <= 0x24; leaf++)
		if (leaf != L_EXTENDED_FEATURES && leaf != L_XSAVE)
			table_drop(t, leaf);
	/* Centaur's own class, where the CPU is one of theirs */
	for (uint32_t leaf = L_CENTAUR; leaf <= L_CENTAUR + 4; leaf++)
		table_drop(t, leaf);
	table_drop(t, L_BASIC);
	table_put(t, L_BASIC, 0, 0, TOP, name[0], name[2], name[1]);
	table_put(t, TOP, 0, GK_CPUID_FLAG_SIGNIFCANT_INDEX, MARK, MARK + 1, MARK + 2, MARK + 3);
	table_put(t, TOP, 3, GK_CPUID_FLAG_SIGNIFCANT_INDEX, MARK + 4, MARK + 5, MARK + 6, MARK + 7);
	return 0;
}

struct asked {
	uint32_t leaf, index, want[4];
	const char *what;
};
#define ZERO { 0, 0, 0, 0 }
#define HIGHEST { MARK, MARK + 1, MARK + 2, MARK + 3 }
#define HIGHEST_3 { MARK + 4, MARK + 5, MARK + 6, MARK + 7 }

static int ask_guest(struct conform *c, const struct table *t, const struct asked *list, unsigned n)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);
	struct guest_op *ops = case_memory(c, n * sizeof(*ops));

	if (!vm || !ops || !give_table(vm, 0, t))
		return 1;
	for (unsigned i = 0; i < n; i++)
		ops[i] = OP_CPUID(list[i].leaf, list[i].index);
	if (guest_run(vm, 0, ops, n))
		return 1;
	for (unsigned i = 0; i < n; i++)
		for (unsigned reg = EAX; reg <= EDX; reg++)
			expect_value(c, ops[i].res[reg], list[i].want[reg], "%s: leaf 0x%x.%u register %u", list[i].what,
				     list[i].leaf, list[i].index, reg);
	return 0;
}

static int first_match(struct conform *c)
{
	static const struct asked list[] = {
		{ 0x10, 0, { 1, 2, 3, 4 }, "the first of two" },
		{ 0x10, 7, { 1, 2, 3, 4 }, "without the flag every index is meant" },
		{ 0x11, 0, { 9, 9, 9, 9 }, "the first that has the index" },
		{ 0x11, 1, { 8, 8, 8, 8 }, "an entry of its own" },
		{ 0x11, 2, ZERO, "with the flag that index alone" },
		{ 0x17, 5, { 6, 6, 6, 6 }, "with the flag and an index" },
		{ 0x17, 6, { 7, 7, 7, 7 }, "an entry without the flag behind it" },
		{ 0x17, 0, { 7, 7, 7, 7 }, "an entry without the flag behind it" },
		{ 0x13, 0, { 5, 5, 5, 5 }, "an index without the flag means nothing" },
	};
	struct table t;

	if (adds_entries(c) || marked(c, "GenuineIntel", &t))
		return 1;
	table_put(&t, 0x10, 0, 0, 1, 2, 3, 4);
	table_put(&t, 0x10, 0, 0, 5, 6, 7, 8);
	table_put(&t, 0x10, 7, GK_CPUID_FLAG_SIGNIFCANT_INDEX, 9, 9, 9, 9);
	table_put(&t, 0x11, 1, GK_CPUID_FLAG_SIGNIFCANT_INDEX, 8, 8, 8, 8);
	table_put(&t, 0x11, 0, GK_CPUID_FLAG_SIGNIFCANT_INDEX, 9, 9, 9, 9);
	table_put(&t, 0x17, 5, GK_CPUID_FLAG_SIGNIFCANT_INDEX, 6, 6, 6, 6);
	table_put(&t, 0x17, 3, 0, 7, 7, 7, 7);
	table_put(&t, 0x13, 4, 0, 5, 5, 5, 5);
	return ask_guest(c, &t, list, COUNT(list));
}

/* Who is no AMD: what is out of range reads as the highest basic leaf, index and all. */
static int as_intel(struct conform *c, const char *vendor)
{
	static const struct asked list[] = {
		{ TOP, 0, HIGHEST, "the highest leaf" },
		{ TOP, 3, HIGHEST_3, "the highest leaf" },
		{ TOP, 1, ZERO, "an index that it has not" },
		{ TOP + 1, 0, HIGHEST, "beyond the highest" },
		{ TOP + 1, 3, HIGHEST_3, "beyond the highest" },
		{ TOP + 1, 1, ZERO, "beyond the highest, an index that it has not" },
		{ 0x3fffffff, 0, HIGHEST, "the end of the class" },
		{ 0x50000000, 0, HIGHEST, "basic again, behind the hypervisors" },
		{ 0x7fffffff, 0, HIGHEST, "basic again, behind the hypervisors" },
		{ L_KVM_FEATURES + 1, 0, HIGHEST, "beyond a hypervisor's highest" },
		{ L_KVM_MOVED, 0, HIGHEST, "a hypervisor's block that there is not" },
		{ L_KVM_MOVED + 1, 3, HIGHEST_3, "a hypervisor's block that there is not" },
		{ 0x80001000, 0, HIGHEST, "beyond the extended ones" },
		{ L_CENTAUR, 0, HIGHEST, "a class that there is not" },
		{ L_CENTAUR + 1, 0, HIGHEST, "a class that there is not" },
		{ 0x19, 0, ZERO, "in range and not there" },
		{ 0x19, 3, ZERO, "in range and not there" },
		{ L_HYPERVISOR, 0, { L_KVM_FEATURES, KVM_EBX, KVM_ECX, KVM_EDX }, "the hypervisor" },
	};
	struct table t;

	if (adds_entries(c) || marked(c, vendor, &t))
		return 1;
	return ask_guest(c, &t, list, COUNT(list));
}

static int intel(struct conform *c)
{
	return as_intel(c, "GenuineIntel");
}

static int stranger(struct conform *c)
{
	return as_intel(c, "guestcpu ...");
}

static int as_amd(struct conform *c, const char *vendor)
{
	static const struct asked list[] = {
		{ TOP, 0, HIGHEST, "the highest leaf" },
		{ TOP + 1, 0, ZERO, "beyond the highest" },
		{ TOP + 1, 3, ZERO, "beyond the highest" },
		{ 0x3fffffff, 0, ZERO, "the end of the class" },
		{ L_KVM_FEATURES + 1, 0, ZERO, "beyond a hypervisor's highest" },
		{ L_KVM_MOVED, 0, ZERO, "a hypervisor's block that there is not" },
		{ 0x80001000, 0, ZERO, "beyond the extended ones" },
		{ L_CENTAUR, 0, ZERO, "a class that there is not" },
		{ 0x19, 0, ZERO, "in range and not there" },
	};
	struct table t;

	if (adds_entries(c) || marked(c, vendor, &t))
		return 1;
	return ask_guest(c, &t, list, COUNT(list));
}

static int amd(struct conform *c)
{
	return as_amd(c, "AuthenticAMD");
}

static int hygon(struct conform *c)
{
	return as_amd(c, "HygonGenuine");
}

/* Without leaf 0 there is no highest leaf to go to. */
static int no_leaf_0(struct conform *c)
{
	static const struct asked list[] = {
		{ L_BASIC, 0, ZERO, "leaf 0" },
		{ TOP, 0, HIGHEST, "a leaf that there is" },
		{ TOP + 1, 0, ZERO, "a leaf that there is not" },
		{ L_CENTAUR, 0, ZERO, "a class that there is not" },
	};
	struct table t;

	if (adds_entries(c) || marked(c, "GenuineIntel", &t))
		return 1;
	table_drop(&t, L_BASIC);
	return ask_guest(c, &t, list, COUNT(list));
}

/* Each block of a hypervisor has a highest leaf of its own. */
static int blocks(struct conform *c)
{
	static const struct asked list[] = {
		{ L_KVM_MOVED, 0, { L_KVM_MOVED + 2, 1, 1, 1 }, "the second block" },
		{ L_KVM_MOVED + 1, 0, { 2, 2, 2, 2 }, "the second block" },
		{ L_KVM_MOVED + 2, 0, ZERO, "in range of the second block" },
		{ L_KVM_MOVED + 3, 0, HIGHEST, "out of range of the second block" },
		{ L_KVM_FEATURES + 1, 0, HIGHEST, "out of range of the first block" },
		{ L_KVM_MOVED + 0x100, 0, HIGHEST, "a third that there is not" },
	};
	struct table t;

	if (adds_entries(c) || marked(c, "GenuineIntel", &t))
		return 1;
	table_put(&t, L_KVM_MOVED, 0, 0, L_KVM_MOVED + 2, 1, 1, 1);
	table_put(&t, L_KVM_MOVED + 1, 0, 0, 2, 2, 2, 2);
	return ask_guest(c, &t, list, COUNT(list));
}

/* Of topology every sub-leaf has the id and its own number, where there is a second one. */
static int topology(struct conform *c)
{
	static const struct asked list[] = {
		{ L_TOPOLOGY, 0, { 1, 2, 0x100, 0x55 }, "sub-leaf 0" },
		{ L_TOPOLOGY, 1, { 4, 8, 0x201, 0x55 }, "sub-leaf 1" },
		{ L_TOPOLOGY, 2, { 0, 0, 2, 0x55 }, "a sub-leaf that there is not" },
		{ L_TOPOLOGY, 0x107, { 0, 0, 7, 0x55 }, "a sub-leaf that there is not, of 8 bits" },
		{ L_TOPOLOGY_V2, 0, { 1, 2, 0x100, 0x66 }, "sub-leaf 0" },
		{ L_TOPOLOGY_V2, 5, { 0, 0, 5, 0x77 }, "a sub-leaf that there is not: the id of sub-leaf 1" },
	};
	struct table t;

	if (adds_entries(c) || marked(c, "AuthenticAMD", &t))
		return 1;
	table_put(&t, L_TOPOLOGY, 0, GK_CPUID_FLAG_SIGNIFCANT_INDEX, 1, 2, 0x100, 0x55);
	table_put(&t, L_TOPOLOGY, 1, GK_CPUID_FLAG_SIGNIFCANT_INDEX, 4, 8, 0x201, 0x55);
	table_put(&t, L_TOPOLOGY_V2, 0, GK_CPUID_FLAG_SIGNIFCANT_INDEX, 1, 2, 0x100, 0x66);
	table_put(&t, L_TOPOLOGY_V2, 1, GK_CPUID_FLAG_SIGNIFCANT_INDEX, 4, 8, 0x201, 0x77);
	return ask_guest(c, &t, list, COUNT(list));
}

static int topology_alone(struct conform *c)
{
	static const struct asked list[] = {
		{ L_TOPOLOGY, 0, { 1, 2, 0x100, 0x55 }, "sub-leaf 0" },
		{ L_TOPOLOGY, 2, ZERO, "no sub-leaf 1 to take an id from" },
	};
	struct table t;

	if (adds_entries(c) || marked(c, "GenuineIntel", &t))
		return 1;
	table_put(&t, L_TOPOLOGY, 0, GK_CPUID_FLAG_SIGNIFCANT_INDEX, 1, 2, 0x100, 0x55);
	return ask_guest(c, &t, list, COUNT(list));
}

/* What the guest reads is the table, every leaf of it. */
static int whole_table(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	struct guest_op *ops;
	struct table t;

	if (!vm || !read_table(vm, 0, &t))
		return 1;
	ops = case_memory(c, t.nent * sizeof(*ops));
	if (!ops)
		return 1;
	for (unsigned i = 0; i < t.nent; i++)
		ops[i] = OP_CPUID(t.e[i].function, t.e[i].index);
	if (guest_run(vm, 0, ops, t.nent))
		return 1;
	for (unsigned i = 0; i < t.nent; i++)
		for (unsigned reg = EAX; reg <= EDX; reg++)
			expect_value(c, ops[i].res[reg], *entry_reg(&t.e[i], reg), "leaf 0x%x.%u register %u", t.e[i].function,
				     t.e[i].index, reg);
	return 0;
}

/* Of two entries of one leaf the guest's features are those of the first that is for sub-leaf 0. */
static int feature_of(struct conform *c, uint32_t flags, bool want)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);
	struct gk_cpuid_entry2 real;
	struct guest_op op = OP_WRMSR(MSR_EFER, EFER_SCE | EFER_LME | EFER_LMA | EFER_NX);
	struct table t;

	if (!vm || table_usual(c, 0, &t))
		return 1;
	real = *table_entry(&t, L_EXT_FEATURES, 0);
	if (!(real.edx & D81_NX))
		return skip(c, "this KVM has no NX");
	table_drop(&t, L_EXT_FEATURES);
	table_put(&t, L_EXT_FEATURES, 1, flags, 0, 0, 0, D81_LM);
	table_put(&t, L_EXT_FEATURES, 0, 0, real.eax, real.ebx, real.ecx, real.edx);
	if (!give_table(vm, 0, &t) || guest_run(vm, 0, &op, 1))
		return 1;
	expect(c, (op.status == GUEST_STATUS_DONE) == want, "the guest %s EFER.NX, the first entry is of sub-leaf 1%s",
	       want ? "sets" : "may not set", flags ? "" : ", which means nothing");
	return 0;
}

static int feature_entry(struct conform *c)
{
	return feature_of(c, GK_CPUID_FLAG_SIGNIFCANT_INDEX, true);
}

static int feature_entry_any(struct conform *c)
{
	return feature_of(c, 0, false);
}

const struct conform_case cases_x86_lookup[] = {
	{ "lookup:whole-table", "ST:x86/cpuid_test", whole_table },
	{ "lookup:first-match", "cpuid.c cpuid_entry2_find", first_match },
	{ "lookup:feature-of-subleaf-0", "cpuid.h guest_cpuid_get_register", feature_entry },
	{ "lookup:feature-of-first", "cpuid.h guest_cpuid_get_register", feature_entry_any },
	{ "lookup:out-of-range-intel", "cpuid.c get_out_of_range_cpuid_entry", intel },
	{ "lookup:out-of-range-other-vendor", "cpuid.c get_out_of_range_cpuid_entry", stranger },
	{ "lookup:out-of-range-amd", "cpuid.c get_out_of_range_cpuid_entry", amd },
	{ "lookup:out-of-range-hygon", "cpuid.c get_out_of_range_cpuid_entry", hygon },
	{ "lookup:no-leaf-0", "cpuid.c get_out_of_range_cpuid_entry", no_leaf_0 },
	{ "lookup:hypervisor-blocks", "cpuid.c get_out_of_range_cpuid_entry", blocks },
	{ "lookup:topology", "cpuid.c kvm_cpuid", topology },
	{ "lookup:topology-alone", "cpuid.c kvm_cpuid", topology_alone },
	{ NULL, NULL, NULL },
};

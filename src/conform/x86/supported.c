/* SPDX-License-Identifier: MIT */
/* What KVM_GET_SUPPORTED_CPUID says of itself: what is always there, never, or since when. cpuid.c. */
#include "x86.h"

static int kvm_leaves(struct conform *c)
{
	struct table t;
	uint32_t want = PV_CLOCK | PV_NOP_IO | PV_CLOCK2 | PV_ASYNC_PF | PV_EOI | PV_UNHALT | PV_TLB | PV_APF_VMEXIT |
			PV_IPI | PV_POLL | PV_YIELD | PV_APF_INT | PV_STABLE;

	if (table_supported(c, &t))
		return 1;
	expect_value(c, table_reg(&t, L_HYPERVISOR, 0, EAX), L_KVM_FEATURES, "highest leaf");
	expect_value(c, table_reg(&t, L_HYPERVISOR, 0, EBX), KVM_EBX, "signature, EBX");
	expect_value(c, table_reg(&t, L_HYPERVISOR, 0, ECX), KVM_ECX, "signature, ECX");
	expect_value(c, table_reg(&t, L_HYPERVISOR, 0, EDX), KVM_EDX, "signature, EDX");
	if (check_cap(c, c->kvm_fd, CAP_STEAL_TIME) > 0)
		want |= PV_STEAL;
	expect_value(c, table_reg(&t, L_KVM_FEATURES, 0, EAX), want, "features");
	expect_value(c, table_reg(&t, L_KVM_FEATURES, 0, EBX), 0, "EBX beside the features");
	expect_value(c, table_reg(&t, L_KVM_FEATURES, 0, ECX), 0, "ECX beside the features");
	expect_value(c, table_reg(&t, L_KVM_FEATURES, 0, EDX), 0, "hints, which are user space's");
	return 0;
}

struct bits {
	uint32_t leaf, index;
	unsigned reg;
	uint32_t bits;
	const char *name;
};

/* Has the CPU this leaf? KVM reports none beyond its highest; those asked about here are below KVM's own limit. */
static bool reaches(struct conform *c, struct table *t, uint32_t leaf)
{
	uint32_t host[4];

	if (c->kvm->ops->host_cpuid(c->kvm->ctx, L_BASIC, 0, host))
		host[EAX] = table_reg(t, L_BASIC, 0, EAX);
	return host[EAX] >= leaf;
}

static int always(struct conform *c)
{
	static const struct bits list[] = {
		{ L_FEATURES, 0, ECX, C1_X2APIC, "X2APIC, although it needs an APIC in KVM" },
		{ L_FEATURES, 0, EDX, D1_APIC, "APIC" },
		{ L_POWER, 0, EAX, BIT32(2), "ARAT" },
		{ L_EXTENDED_FEATURES, 0, EBX, BIT32(1), "TSC_ADJUST" },
	};
	struct table t;

	if (table_supported(c, &t))
		return 1;
	for (unsigned i = 0; i < COUNT(list); i++) {
		if (reaches(c, &t, list[i].leaf))
			expect(c, table_reg(&t, list[i].leaf, list[i].index, list[i].reg) & list[i].bits, "%s is reported",
			       list[i].name);
		else
			expect(c, !table_find(&t, list[i].leaf, list[i].index),
			       "nothing of leaf 0x%x, which the CPU has not, and so no %s", list[i].leaf, list[i].name);
	}
	if (reaches(c, &t, L_POWER))
		expect_value(c, table_reg(&t, L_POWER, 0, EAX), BIT32(2), "leaf 6 EAX is ARAT alone");
	expect_value(c, table_reg(&t, L_POWER, 0, EBX) | table_reg(&t, L_POWER, 0, ECX) | table_reg(&t, L_POWER, 0, EDX), 0,
		     "the rest of leaf 6");
	return 0;
}

static int since_6_14(struct conform *c)
{
	bool since = c->release >= KERNEL(6, 14);
	struct table t;
	uint32_t ecx;

	if (table_supported(c, &t))
		return 1;
	ecx = table_reg(&t, L_FEATURES, 0, ECX);
	expect(c, !(ecx & C1_TSC_DEADLINE) == !since, "TSC_DEADLINE is reported since 6.14, not before");
	expect(c, !(ecx & C1_HYPERVISOR) == !since, "HYPERVISOR is reported since 6.14, not before");
	return 0;
}

/* KVM's to change while the guest runs, topology that is user space's, or withheld. */
static int never(struct conform *c)
{
	static const struct bits list[] = {
		{ L_FEATURES, 0, ECX, C1_OSXSAVE, "OSXSAVE" },
		{ L_FEATURES, 0, ECX, C1_MWAIT, "MONITOR" },
		{ L_FEATURES, 0, ECX, BIT32(4), "DS_CPL" },
		{ L_FEATURES, 0, ECX, BIT32(6), "SMX" },
		{ L_FEATURES, 0, ECX, BIT32(7), "EIST" },
		{ L_FEATURES, 0, ECX, BIT32(8), "TM2" },
		{ L_FEATURES, 0, ECX, BIT32(10), "CNXT_ID" },
		{ L_FEATURES, 0, ECX, BIT32(14), "xTPR" },
		{ L_FEATURES, 0, ECX, BIT32(18), "DCA" },
		{ L_FEATURES, 0, EDX, BIT32(18), "PSN" },
		{ L_FEATURES, 0, EDX, BIT32(22), "ACPI" },
		{ L_FEATURES, 0, EDX, BIT32(28), "HTT" },
		{ L_FEATURES, 0, EDX, BIT32(29), "TM" },
		{ L_FEATURES, 0, EDX, BIT32(31), "PBE" },
		{ L_EXTENDED_FEATURES, 0, EBX, BIT32(12), "RDT-M" },
		{ L_EXTENDED_FEATURES, 0, EBX, BIT32(15), "RDT-A" },
		{ L_EXTENDED_FEATURES, 0, ECX, C7_OSPKE, "OSPKE" },
		{ L_KVM_FEATURES, 0, EAX, PV_MSI_EXT, "MSI_EXT_DEST_ID" },
		{ L_KVM_FEATURES, 0, EAX, PV_MAP_GPA, "HC_MAP_GPA_RANGE" },
		{ L_KVM_FEATURES, 0, EAX, PV_MIGRATION, "MIGRATION_CONTROL" },
		{ L_POWER, 0, ECX, BIT32(0), "APERFMPERF" },
	};
	struct table t;

	if (table_supported(c, &t))
		return 1;
	for (unsigned i = 0; i < COUNT(list); i++)
		expect(c, !(table_reg(&t, list[i].leaf, list[i].index, list[i].reg) & list[i].bits),
		       "%s is never reported", list[i].name);
	return 0;
}

/* Leaves that are user space's to fill: 0 here, whatever the CPU has. */
static int zeroes(struct conform *c)
{
	static const uint32_t leaves[] = { L_UNUSED, L_MWAIT, 0x8, 0x9, 0xc, 0xe, 0xf, 0x10, 0x11, 0x13, 0x15, 0x16,
					   L_BRAND, L_BRAND + 1, L_BRAND_LAST, 0x80000009, 0x8000000b, 0x80000020 };
	struct table t;

	if (table_supported(c, &t))
		return 1;
	for (unsigned i = 0; i < COUNT(leaves); i++)
		for (unsigned reg = EAX; reg <= EDX; reg++)
			expect_value(c, table_reg(&t, leaves[i], 0, reg), 0, "leaf 0x%x register %u", leaves[i], reg);
	return 0;
}

static int highest(struct conform *c)
{
	struct table t;
	uint32_t host[4];

	if (table_supported(c, &t))
		return 1;
	expect(c, table_reg(&t, L_BASIC, 0, EAX) <= (c->release >= KERNEL(6, 12) ? 0x24U : 0x1fU), "highest basic leaf 0x%x",
	       table_reg(&t, L_BASIC, 0, EAX));
	expect(c, table_reg(&t, L_EXT, 0, EAX) <= (c->release >= KERNEL(6, 12) ? 0x80000022U : 0x80000021U),
	       "highest extended leaf 0x%x", table_reg(&t, L_EXT, 0, EAX));
	/* 2 since 6.8, and in stable releases of 6.1 */
	expect(c, table_reg(&t, L_EXTENDED_FEATURES, 0, EAX) <= 2, "highest sub-leaf of leaf 7: %u",
	       table_reg(&t, L_EXTENDED_FEATURES, 0, EAX));
	for (uint32_t i = 0; reaches(c, &t, L_EXTENDED_FEATURES) && i <= table_reg(&t, L_EXTENDED_FEATURES, 0, EAX); i++)
		expect(c, table_find(&t, L_EXTENDED_FEATURES, i), "leaf 7 has sub-leaf %u", i);
	if (c->kvm->ops->host_cpuid(c->kvm->ctx, L_BASIC, 0, host))
		return 0;
	for (unsigned reg = EBX; reg <= EDX; reg++)
		expect_value(c, table_reg(&t, L_BASIC, 0, reg), host[reg], "vendor's name, register %u", reg);
	expect(c, table_reg(&t, L_BASIC, 0, EAX) <= host[EAX], "no basic leaf that the CPU has not");
	return 0;
}

/* Power, addresses: words in which no other bits are passed on. */
static int masked(struct conform *c)
{
	struct table t;
	uint32_t eax;

	if (table_supported(c, &t) || lacks_bits(c, L_EXT_FEATURES, 0, EDX, D81_LM, "long mode"))
		return 1;
	expect_value(c, table_reg(&t, L_EXT_POWER, 0, EDX) & ~BIT32(8), 0, "leaf 0x80000007 EDX but for invariant TSC");
	expect_value(c, table_reg(&t, L_EXT_POWER, 0, EAX) | table_reg(&t, L_EXT_POWER, 0, EBX) |
				table_reg(&t, L_EXT_POWER, 0, ECX), 0, "the rest of leaf 0x80000007");
	eax = table_reg(&t, L_ADDRESSES, 0, EAX);
	expect(c, (eax >> 8 & 0xff) >= 48, "virtual addresses of %u bits", eax >> 8 & 0xff);
	expect(c, (eax & 0xff) >= 32 && (eax & 0xff) <= 52, "physical addresses of %u bits", eax & 0xff);
	expect_value(c, table_reg(&t, L_ADDRESSES, 0, EDX), 0, "leaf 0x80000008 EDX");
	if (table_reg(&t, L_EXT_FEATURES, 0, ECX) & BIT32(2)) {
		expect_value(c, table_reg(&t, L_SVM, 0, EAX), 1, "SVM revision");
		expect_value(c, table_reg(&t, L_SVM, 0, EBX), 8, "address space identifiers");
	}
	return 0;
}

/* Bits of words that KVM's list cuts: nothing but these. cpuid.c kvm_set_cpu_caps(), up to 7.2. */
static int only_known(struct conform *c)
{
	static const struct bits list[] = {
		{ L_FEATURES, 0, ECX, 0xf7fab22f, "leaf 1 ECX" },
		{ L_FEATURES, 0, EDX, 0x0fabfbff, "leaf 1 EDX" },
		{ L_EXT_FEATURES, 0, ECX, 0x00e10bf7, "leaf 0x80000001 ECX" },
		{ L_EXT_FEATURES, 0, EDX, 0xefd3fbff, "leaf 0x80000001 EDX" },
		{ L_XSAVE, 1, EAX, 0x1f, "leaf 0xd.1 EAX" },
		{ L_EXTENDED_FEATURES, 0, EBX, 0xffff6fff, "leaf 7 EBX" },
	};
	struct table t;

	if (table_supported(c, &t))
		return 1;
	for (unsigned i = 0; i < COUNT(list); i++)
		expect_value(c, table_reg(&t, list[i].leaf, list[i].index, list[i].reg) & ~list[i].bits, 0,
			     "%s beyond KVM's list", list[i].name);
	return 0;
}

/* One sub-leaf of topology, all zero but for an id: each vCPU's is user space's to say. */
static int topology(struct conform *c)
{
	static const uint32_t leaves[] = { L_TOPOLOGY, L_TOPOLOGY_V2 };
	struct table t;

	if (c->release < KERNEL(6, 2))
		return skip(c, "before 6.2 the host's topology is reported, or nothing, by stable release");
	if (table_supported(c, &t))
		return 1;
	for (unsigned i = 0; i < COUNT(leaves); i++) {
		unsigned n = 0;

		for (unsigned k = 0; k < t.nent; k++)
			n += t.e[k].function == leaves[i];
		expect(c, n <= 1, "%u sub-leaves of leaf 0x%x", n, leaves[i]);
		for (unsigned reg = EAX; reg <= ECX; reg++)
			expect_value(c, table_reg(&t, leaves[i], 0, reg), 0, "leaf 0x%x register %u", leaves[i], reg);
	}
	for (unsigned reg = EAX; reg <= EDX; reg++)
		expect_value(c, table_reg(&t, L_TOPOLOGY_AMD, 0, reg), 0, "leaf 0x8000001e register %u", reg);
	return 0;
}

/* Components of XSAVE: one sub-leaf for each that a guest can have. */
static int xsave(struct conform *c)
{
	struct table t;
	uint64_t xcr0, xss;
	uint32_t size = 576;

	if (table_supported(c, &t))
		return 1;
	if (!(table_reg(&t, L_FEATURES, 0, ECX) & C1_XSAVE))
		return skip(c, "this KVM does not offer XSAVE");
	xcr0 = table_reg(&t, L_XSAVE, 0, EAX) | (uint64_t)table_reg(&t, L_XSAVE, 0, EDX) << 32;
	xss = table_reg(&t, L_XSAVE, 1, ECX) | (uint64_t)table_reg(&t, L_XSAVE, 1, EDX) << 32;
	expect(c, (xcr0 & 3) == 3, "XCR0 may have x87 and SSE");
	for (unsigned i = 2; i < 64; i++) {
		struct gk_cpuid_entry2 *e = table_find(&t, L_XSAVE, i);
		bool wanted = (xcr0 | xss) >> i & 1;

		expect(c, !e == !wanted, "component %u: %s", i, wanted ? "described" : "left out");
		if (!e)
			continue;
		expect(c, e->eax, "component %u has a size", i);
		expect_value(c, e->ecx & 1, !(xcr0 >> i & 1), "component %u: by XSS", i);
		if (xcr0 >> i & 1)
			size = e->eax + e->ebx > size ? e->eax + e->ebx : size;
	}
	expect_value(c, table_reg(&t, L_XSAVE, 0, EBX), size, "size of all components");
	expect_value(c, table_reg(&t, L_XSAVE, 0, ECX), size, "size of all that may be");
	return 0;
}

/* A list of caches: up to the one that is none, which is in it. */
static int caches(struct conform *c)
{
	static const uint32_t leaves[] = { L_CACHE, L_CACHE_AMD };
	struct table t;

	if (table_supported(c, &t))
		return 1;
	if (!table_find(&t, L_CACHE, 0) && !table_find(&t, L_CACHE_AMD, 0))
		return skip(c, "this KVM has no leaf that lists caches");
	for (unsigned i = 0; i < COUNT(leaves); i++) {
		unsigned n = 0;
		uint32_t type = 1;

		for (unsigned k = 0; k < t.nent; k++) {
			if (t.e[k].function != leaves[i])
				continue;
			expect_value(c, t.e[k].index, n++, "index of leaf 0x%x", leaves[i]);
			expect(c, type, "nothing of leaf 0x%x behind its end", leaves[i]);
			type = t.e[k].eax & 0x1f;
		}
		if (n)
			expect_value(c, type, 0, "type of the last cache of leaf 0x%x", leaves[i]);
	}
	return 0;
}

const struct conform_case cases_x86_supported[] = {
	{ "supported:kvm-leaves", "KVM cpuid.rst", kvm_leaves },
	{ "supported:always", "KVM API 4.46", always },
	{ "supported:since-6.14", "KVM API 4.46", since_6_14 },
	{ "supported:never", "KVM API 4.46, cpuid.c kvm_set_cpu_caps", never },
	{ "supported:zeroes", "cpuid.c __do_cpuid_func", zeroes },
	{ "supported:highest-leaves", "cpuid.c __do_cpuid_func", highest },
	{ "supported:masked-words", "cpuid.c __do_cpuid_func", masked },
	{ "supported:only-known-bits", "cpuid.c kvm_set_cpu_caps", only_known },
	{ "supported:topology", "KVM API 9.1", topology },
	{ "supported:xsave", "cpuid.c __do_cpuid_func", xsave },
	{ "supported:caches", "cpuid.c __do_cpuid_func", caches },
	{ NULL, NULL, NULL },
};

/* SPDX-License-Identifier: MIT */
/* KVM_SET_SREGS: what a vCPU's control registers may hold, by its CPUID. ST:x86/set_sregs_test; x86.c. */
#include "x86.h"

#include <string.h>

struct gate {
	const char *name;
	uint64_t cr4;
	uint32_t leaf, bit;
	unsigned reg;
};

static const struct gate gates[] = {
	{ "OSXSAVE", CR4_OSXSAVE, L_FEATURES, C1_XSAVE, ECX },
	{ "PCIDE", CR4_PCIDE, L_FEATURES, C1_PCID, ECX },
	{ "VMXE", CR4_VMXE, L_FEATURES, BIT32(5), ECX },
	{ "FSGSBASE", CR4_FSGSBASE, L_EXTENDED_FEATURES, B7_FSGSBASE, EBX },
	{ "SMEP", CR4_SMEP, L_EXTENDED_FEATURES, B7_SMEP, EBX },
	{ "SMAP", CR4_SMAP, L_EXTENDED_FEATURES, B7_SMAP, EBX },
	{ "UMIP", CR4_UMIP, L_EXTENDED_FEATURES, C7_UMIP, ECX },
	{ "PKE", CR4_PKE, L_EXTENDED_FEATURES, C7_PKU, ECX },
	{ "LA57", CR4_LA57, L_EXTENDED_FEATURES, C7_LA57, ECX },
};

/* CR4 with these bits: the result, and what is read afterwards. */
static int try_cr4(struct conform_vm *vm, uint64_t bits, uint64_t *ret)
{
	struct gk_x86_sregs s = { .cr4 = 0 }, back = { .cr4 = 0 };
	int r;

	if (!expect_ok(vm->c, get_sregs(vm, 0, &s), "KVM_GET_SREGS"))
		return -EIO;
	s.cr4 |= bits;
	r = set_sregs(vm, 0, &s);
	get_sregs(vm, 0, &back);
	*ret = back.cr4;
	return r;
}

static int cr4_with(struct conform *c, const struct gate *g)
{
	struct conform_vm *vm = x86_ready(c, NO_APIC, 1);
	uint64_t cr4;

	if (!vm)
		return 1;
	expect_ok(c, try_cr4(vm, g->cr4, &cr4), "CR4.%s with its CPUID bit", g->name);
	expect(c, cr4 & g->cr4, "CR4.%s is on", g->name);
	vm_close(vm);
	return 0;
}

static int cr4_without(struct conform *c, const struct gate *g, bool offered)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);
	struct gk_cpuid_entry2 *e;
	struct table t;
	uint64_t cr4;

	if (!vm || table_usual(c, 0, &t))
		return 1;
	/* what KVM does not have is refused whatever the table says, also where the CPU has no such leaf */
	if (!table_find(&t, g->leaf, 0))
		table_put(&t, g->leaf, 0, GK_CPUID_FLAG_SIGNIFCANT_INDEX, 0, 0, 0, 0);
	e = table_find(&t, g->leaf, 0);
	if (!e)
		return broken(c, "no room for leaf 0x%x in a table", g->leaf);
	*entry_reg(e, g->reg) = offered ? *entry_reg(e, g->reg) & ~g->bit : *entry_reg(e, g->reg) | g->bit;
	give_table(vm, 0, &t);
	expect_errno(c, try_cr4(vm, g->cr4, &cr4), EINVAL, offered ? "CR4.%s without its CPUID bit" : "CR4.%s, which KVM lacks",
		     g->name);
	expect(c, !(cr4 & g->cr4), "CR4.%s is off", g->name);
	vm_close(vm);
	return 0;
}

static int cr4_gate(struct conform *c, const char *name)
{
	const struct gate *g = gates;
	struct table t;
	bool offered;

	while (strcmp(g->name, name) != 0)
		g++;
	if (table_supported(c, &t) || overridden(c, g->leaf, 0, g->reg, g->bit))
		return 1;
	offered = table_reg(&t, g->leaf, 0, g->reg) & g->bit;
	if (offered && cr4_with(c, g))
		return 1;
	return cr4_without(c, g, offered);
}

#define CR4_GATE(name)                                   \
	static int cr4_##name(struct conform *c)         \
	{                                                \
		return cr4_gate(c, #name);               \
	}
CR4_GATE(OSXSAVE)
CR4_GATE(PCIDE)
CR4_GATE(VMXE)
CR4_GATE(FSGSBASE)
CR4_GATE(SMEP)
CR4_GATE(SMAP)
CR4_GATE(UMIP)
CR4_GATE(PKE)
CR4_GATE(LA57)

/* A vCPU without a table is one without features: since 6.14. */
static int before_cpuid(struct conform *c)
{
	struct conform_vm *vm;
	struct table t;
	uint64_t cr4;

	if (table_supported(c, &t))
		return 1;
	for (unsigned i = 0; i < COUNT(gates); i++) {
		const struct gate *g = &gates[i];
		bool offered = table_reg(&t, g->leaf, 0, g->reg) & g->bit;

		if (!mainline(c) || !offered)
			continue;
		vm = x86_vm(c, NO_APIC, 1);
		if (!vm)
			return 1;
		if (c->release >= KERNEL(6, 14))
			expect_errno(c, try_cr4(vm, g->cr4, &cr4), EINVAL, "CR4.%s before KVM_SET_CPUID2", g->name);
		else
			expect_ok(c, try_cr4(vm, g->cr4, &cr4), "CR4.%s before KVM_SET_CPUID2", g->name);
		vm_close(vm);
	}
	/* what depends on no bit of CPUID */
	vm = x86_vm(c, NO_APIC, 1);
	if (vm) {
		expect_ok(c, try_cr4(vm, CR4_PAE | 0x7df, &cr4), "CR4 without bits that CPUID is about");
		expect_value(c, cr4 & 0x7ff, CR4_PAE | 0x7df, "CR4 then");
	}
	return 0;
}

/* Bits that no CPU has, or KVM no guest lets have. */
static int cr4_reserved(struct conform *c)
{
	static const unsigned bits[] = { 14, 15, 26, 29, 30, 31, 33, 40, 63 };
	struct conform_vm *vm = x86_ready(c, NO_APIC, 1);
	uint64_t cr4;

	for (unsigned i = 0; vm && i < COUNT(bits); i++) {
		expect_errno(c, try_cr4(vm, BIT(bits[i]), &cr4), EINVAL, "CR4 bit %u", bits[i]);
		expect(c, !(cr4 & BIT(bits[i])), "CR4 bit %u is off", bits[i]);
	}
	return 0;
}

static int try_cr0(struct conform_vm *vm, uint64_t set, uint64_t clear)
{
	struct gk_x86_sregs s = { .cr4 = 0 }, back = { .cr4 = 0 };
	uint64_t before;
	int r;

	get_sregs(vm, 0, &s);
	before = s.cr0;
	s.cr0 = (s.cr0 | set) & ~clear;
	r = set_sregs(vm, 0, &s);
	get_sregs(vm, 0, &back);
	if (r < 0)
		expect_value(vm->c, back.cr0, before, "CR0 after a refusal");
	return r;
}

static int cr0(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, NO_APIC, 1);

	if (!vm)
		return 1;
	expect_errno(c, try_cr0(vm, CR0_PG, CR0_PE), EINVAL, "CR0.PG without PE");
	expect_errno(c, try_cr0(vm, CR0_NW, CR0_CD), EINVAL, "CR0.NW without CD");
	for (unsigned i = 32; i < 64; i += 7)
		expect_errno(c, try_cr0(vm, BIT(i), 0), EINVAL, "CR0 bit %u", i);
	expect_ok(c, try_cr0(vm, CR0_PE, 0), "CR0.PE");
	return 0;
}

/* A 64-bit mode that is one: EFER, CR0, CR4 and CS agree. */
static void long_mode(struct gk_x86_sregs *s)
{
	s->cr0 |= CR0_PE | CR0_PG;
	s->cr4 |= CR4_PAE;
	s->efer = EFER_LME | EFER_LMA;
	s->cs.l = 1;
	s->cs.db = 0;
}

struct mode {
	const char *what;
	uint64_t cr0_off, cr4_off, efer;
	unsigned cs_l;
};

static int modes(struct conform *c)
{
	static const struct mode bad[] = {
		{ "64-bit mode without LMA", 0, 0, EFER_LME, 1 },
		{ "64-bit mode without PAE", 0, CR4_PAE, EFER_LME | EFER_LMA, 1 },
		{ "LMA without paging", CR0_PG, 0, EFER_LME | EFER_LMA, 0 },
		{ "LMA without LME", 0, 0, EFER_LMA, 0 },
		{ "a 64-bit code segment without long mode", 0, 0, 0, 1 },
	};
	struct gk_x86_sregs first = { .cr4 = 0 }, s, back = { .cr4 = 0 };
	struct conform_vm *vm = x86_ready(c, NO_APIC, 1);

	if (lacks_bits(c, L_EXT_FEATURES, 0, EDX, D81_LM, "long mode"))
		return 1;
	if (!vm || !expect_ok(c, get_sregs(vm, 0, &first), "KVM_GET_SREGS"))
		return 1;
	for (unsigned i = 0; i < COUNT(bad); i++) {
		s = first;
		long_mode(&s);
		s.cr0 &= ~bad[i].cr0_off;
		s.cr4 &= ~bad[i].cr4_off;
		s.efer = bad[i].efer;
		s.cs.l = bad[i].cs_l & 1;
		expect_errno(c, set_sregs(vm, 0, &s), EINVAL, "%s", bad[i].what);
		get_sregs(vm, 0, &back);
		expect(c, back.cr0 == first.cr0 && back.cr4 == first.cr4 && back.efer == first.efer,
		       "%s: nothing has changed", bad[i].what);
	}
	s = first;
	long_mode(&s);
	expect_ok(c, set_sregs(vm, 0, &s), "64-bit mode");
	get_sregs(vm, 0, &back);
	expect_value(c, back.efer & (EFER_LME | EFER_LMA), EFER_LME | EFER_LMA, "EFER");
	return 0;
}

/* CR3 is judged by the width of physical addresses in the table: 36 bits where it says none. */
static int maxphyaddr(struct conform *c)
{
	struct gk_x86_sregs s = { .cr4 = 0 };
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);
	struct table t;
	unsigned host, width;

	if (!vm || table_usual(c, 0, &t) || lacks_bits(c, L_EXT_FEATURES, 0, EDX, D81_LM, "long mode"))
		return 1;
	host = table_reg(&t, L_ADDRESSES, 0, EAX) & 0xff;
	if (host < 32)
		return skip(c, "addresses of %u bits, which no CPU has", host);
	for (unsigned i = 0; i < 3; i++) {
		width = i == 0 ? host : i == 1 ? 38 : 36;
		if (width > host || host > 51)
			continue;
		if (i == 1)
			table_entry(&t, L_ADDRESSES, 0)->eax = 48 << 8 | 38;
		else if (i == 2)
			table_drop(&t, L_ADDRESSES);
		give_table(vm, 0, &t);
		get_sregs(vm, 0, &s);
		long_mode(&s);
		s.cr3 = BIT(width);
		expect_errno(c, set_sregs(vm, 0, &s), EINVAL, "CR3 bit %u with %u bits", width, width);
		s.cr3 = BIT(width - 1);
		expect_ok(c, set_sregs(vm, 0, &s), "CR3 bit %u with %u bits", width - 1, width);
	}
	/* a highest leaf is needed as well */
	if (table_usual(c, 0, &t))
		return 1;
	table_entry(&t, L_EXT, 0)->eax = L_EXT_POWER;
	give_table(vm, 0, &t);
	s.cr3 = BIT(36);
	if (host < 52)
		expect_errno(c, set_sregs(vm, 0, &s), EINVAL, "CR3 bit 36 where the highest extended leaf is below 0x80000008");
	return 0;
}

static int try_base(struct conform_vm *vm, uint64_t base, uint64_t *ret)
{
	struct gk_x86_sregs s = { .cr4 = 0 };
	int r;

	get_sregs(vm, 0, &s);
	s.apic_base = base;
	r = set_sregs(vm, 0, &s);
	get_sregs(vm, 0, &s);
	*ret = s.apic_base;
	return r;
}

/* The APIC's base: x2APIC by CPUID, and on only with the APIC. */
static int apic_base(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	uint64_t first, base, back;
	struct table t;

	if (!vm || table_usual(c, 0, &t) || get_msr(vm, 0, MSR_APICBASE, &first) != 1)
		return broken(c, "no APIC to try it with");
	expect_value(c, first, 0xfee00000 | APICBASE_BSP | APICBASE_ENABLE, "the APIC's base at first");
	base = first | APICBASE_EXTD;
	expect_errno(c, try_base(vm, base & ~APICBASE_ENABLE, &back), EINVAL, "x2APIC with the APIC off");
	expect_value(c, back, first, "the base after a refusal");
	expect_errno(c, try_base(vm, first | 1, &back), EINVAL, "a reserved bit");
	expect_errno(c, try_base(vm, first | BIT(9), &back), EINVAL, "another reserved bit");
	expect_errno(c, try_base(vm, first | BIT(52), &back), EINVAL, "an address beyond all widths");
	expect_ok(c, try_base(vm, base, &back), "x2APIC");
	expect_value(c, back, base, "the base then");
	expect_ok(c, try_base(vm, first, &back), "xAPIC from x2APIC, by the host");
	expect_ok(c, try_base(vm, first & ~APICBASE_ENABLE, &back), "the APIC off");
	expect_ok(c, try_base(vm, base, &back), "x2APIC from off, by the host");
	expect_ok(c, try_base(vm, first, &back), "xAPIC");
	if (overridden(c, L_FEATURES, 0, ECX, C1_X2APIC))
		return 1;
	table_entry(&t, L_FEATURES, 0)->ecx &= ~C1_X2APIC;
	give_table(vm, 0, &t);
	expect_errno(c, try_base(vm, base, &back), EINVAL, "x2APIC without its CPUID bit");
	expect_value(c, back, first, "the base after a refusal");
	return 0;
}

const struct conform_case cases_x86_sregs[] = {
	{ "sregs:cr4-osxsave", "ST:x86/set_sregs_test", cr4_OSXSAVE },
	{ "sregs:cr4-pcide", "x86.c __kvm_is_valid_cr4", cr4_PCIDE },
	{ "sregs:cr4-vmxe", "ST:x86/set_sregs_test", cr4_VMXE },
	{ "sregs:cr4-fsgsbase", "ST:x86/set_sregs_test", cr4_FSGSBASE },
	{ "sregs:cr4-smep", "ST:x86/set_sregs_test", cr4_SMEP },
	{ "sregs:cr4-smap", "ST:x86/set_sregs_test", cr4_SMAP },
	{ "sregs:cr4-umip", "ST:x86/set_sregs_test", cr4_UMIP },
	{ "sregs:cr4-pke", "ST:x86/set_sregs_test", cr4_PKE },
	{ "sregs:cr4-la57", "ST:x86/set_sregs_test", cr4_LA57 },
	{ "sregs:cr4-before-cpuid", "ST:x86/set_sregs_test", before_cpuid },
	{ "sregs:cr4-reserved", "ST:x86/set_sregs_test", cr4_reserved },
	{ "sregs:cr0", "ST:x86/set_sregs_test", cr0 },
	{ "sregs:long-mode", "x86.c kvm_is_valid_sregs", modes },
	{ "sregs:maxphyaddr", "cpuid.c cpuid_query_maxphyaddr", maxphyaddr },
	{ "sregs:apic-base", "ST:x86/set_sregs_test", apic_base },
	{ NULL, NULL, NULL },
};

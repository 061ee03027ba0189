/* SPDX-License-Identifier: MIT */
/* XCR0 and IA32_XSS: which components a vCPU may have on, by its table. ST:x86/xcr0_cpuid_test, xss_msr_test. */
#include "x86.h"

#define X87 BIT(0)
#define SSE BIT(1)
#define YMM BIT(2)
#define BND (BIT(3) | BIT(4))
#define AVX512 (BIT(5) | BIT(6) | BIT(7))
#define PKRU BIT(9)
#define TILE (BIT(17) | BIT(18))

static int set_xcr0(struct conform_vm *vm, uint64_t value)
{
	struct gk_xcrs x = { .nr_xcrs = 1, .xcrs = { { 0, 0, value } } };

	return ask(vm->c, vm->vcpu[0], GK_SET_XCRS, &x);
}

static bool xcr0_is(struct conform_vm *vm, uint64_t want, const char *when)
{
	struct gk_xcrs x = { .nr_xcrs = 0 };

	expect_ok(vm->c, ask(vm->c, vm->vcpu[0], GK_GET_XCRS, &x), "KVM_GET_XCRS");
	expect_value(vm->c, x.nr_xcrs, 1, "registers of KVM_GET_XCRS");
	expect_value(vm->c, x.xcrs[0].xcr, 0, "number of the register");
	return expect_value(vm->c, x.xcrs[0].value, want, "XCR0 %s", when);
}

/* What the architecture lets be on together. */
static bool legal(uint64_t v, uint64_t may)
{
	return (v & X87) && !(v & ~may) && (!(v & YMM) || (v & SSE)) && (!(v & BND) || (v & BND) == BND) &&
	       (!(v & AVX512) || ((v & AVX512) == AVX512 && (v & YMM))) && (!(v & TILE) || (v & TILE) == TILE);
}

static struct conform_vm *with_xsave(struct conform *c, struct table *t, uint64_t *may)
{
	struct conform_vm *vm;

	if (lacks_bits(c, L_FEATURES, 0, ECX, C1_XSAVE, "XSAVE") || table_usual(c, 0, t))
		return NULL;
	*may = (table_reg(t, L_XSAVE, 0, EAX) | (uint64_t)table_reg(t, L_XSAVE, 0, EDX) << 32) & ~TILE;
	table_entry(t, L_XSAVE, 0)->eax = (uint32_t)*may;
	vm = x86_vm(c, NO_APIC, 1);
	return vm && give_table(vm, 0, t) ? vm : NULL;
}

static int combinations(struct conform *c)
{
	static const uint64_t parts[] = { X87, SSE, YMM, BIT(3), BIT(4), BIT(5), BIT(6), BIT(7), PKRU };
	struct table t;
	uint64_t may, last = X87;
	struct conform_vm *vm = with_xsave(c, &t, &may);

	if (!vm)
		return 1;
	xcr0_is(vm, X87, "at first");
	for (unsigned i = 0; i < 1U << COUNT(parts); i++) {
		uint64_t v = 0;

		for (unsigned k = 0; k < COUNT(parts); k++)
			v |= i >> k & 1 ? parts[k] : 0;
		if (legal(v, may)) {
			expect_ok(c, set_xcr0(vm, v), "XCR0 0x%llx", (unsigned long long)v);
			last = v;
		} else {
			expect_errno(c, set_xcr0(vm, v), EINVAL, "XCR0 0x%llx", (unsigned long long)v);
		}
	}
	xcr0_is(vm, last, "after all of them");
	return 0;
}

static int unsupported(struct conform *c)
{
	struct table t;
	uint64_t may;
	struct conform_vm *vm = with_xsave(c, &t, &may);

	if (!vm)
		return 1;
	/* a bit of the table that KVM has not is none */
	table_entry(&t, L_XSAVE, 0)->eax = (uint32_t)(may | BIT(8));
	table_entry(&t, L_XSAVE, 0)->edx = ~0U;
	give_table(vm, 0, &t);
	for (unsigned i = 8; i < 64; i++)
		if (!(may >> i & 1) && !(TILE >> i & 1))
			expect_errno(c, set_xcr0(vm, X87 | SSE | BIT(i)), EINVAL, "XCR0 bit %u", i);
	expect_errno(c, set_xcr0(vm, X87 | SSE | BIT(17)), EINVAL, "half of AMX's state");
	expect_errno(c, set_xcr0(vm, X87 | SSE | BIT(18)), EINVAL, "the other half");
	return 0;
}

/* Bits that the table has not, although KVM has. */
static int by_table(struct conform *c)
{
	struct table t;
	uint64_t may;
	struct conform_vm *vm = with_xsave(c, &t, &may);

	if (!vm)
		return 1;
	if (!(may & YMM))
		return skip(c, "this KVM has no state beyond SSE");
	expect_ok(c, set_xcr0(vm, X87 | SSE | YMM), "YMM with its bit of leaf 0xd");
	expect_ok(c, set_xcr0(vm, X87), "x87 alone");
	table_entry(&t, L_XSAVE, 0)->eax = X87 | SSE;
	give_table(vm, 0, &t);
	expect_errno(c, set_xcr0(vm, X87 | SSE | YMM), EINVAL, "YMM without its bit of leaf 0xd");
	expect_ok(c, set_xcr0(vm, X87 | SSE), "SSE with its bit");
	table_drop(&t, L_XSAVE);
	give_table(vm, 0, &t);
	expect_errno(c, set_xcr0(vm, X87 | SSE), EINVAL, "SSE without leaf 0xd");
	expect_ok(c, set_xcr0(vm, X87), "x87 without leaf 0xd");
	return 0;
}

static int structure(struct conform *c)
{
	struct gk_xcrs x = { .nr_xcrs = 17, .xcrs = { { 0, 0, X87 } } };
	struct table t;
	uint64_t may;
	struct conform_vm *vm = with_xsave(c, &t, &may);

	if (!vm)
		return 1;
	expect_errno(c, ask(c, vm->vcpu[0], GK_SET_XCRS, &x), EINVAL, "KVM_SET_XCRS of 17 registers");
	x.nr_xcrs = 1;
	x.flags = 1;
	expect_errno(c, ask(c, vm->vcpu[0], GK_SET_XCRS, &x), EINVAL, "KVM_SET_XCRS with flags");
	x.flags = 0;
	x.xcrs[0].xcr = 1;
	x.xcrs[0].value = 0;
	expect_ok(c, ask(c, vm->vcpu[0], GK_SET_XCRS, &x), "KVM_SET_XCRS of a register that is passed over");
	return 0;
}

static int guest(struct conform *c)
{
	struct guest_op ops[] = { OP(GUEST_OP_XGETBV, 0), OP(GUEST_OP_WRCR, 4, CR4_PAE | CR4_OSXSAVE),
				  OP(GUEST_OP_XGETBV, 0) };
	struct table t;
	uint64_t may;
	struct conform_vm *vm = with_xsave(c, &t, &may);

	if (!vm || !expect_ok(c, set_xcr0(vm, X87 | SSE), "KVM_SET_XCRS") || guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	expect_fault(c, &ops[0], UD, "XGETBV without CR4.OSXSAVE");
	expect_done(c, &ops[1], "CR4.OSXSAVE");
	expect_done(c, &ops[2], "XGETBV");
	expect_value(c, ops[2].res[0], X87 | SSE, "XCR0 that the guest reads");
	return 0;
}

static int xss(struct conform *c)
{
	struct conform_vm *vm;
	struct table t;
	uint64_t may, value;

	if (table_usual(c, 0, &t))
		return 1;
	vm = x86_ready(c, NO_APIC, 1);
	if (!vm)
		return 1;
	if (!(table_reg(&t, L_XSAVE, 1, EAX) & AD1_XSAVES)) {
		for (unsigned i = 0; i < 64; i++)
			expect_result(c, set_msr(vm, 0, MSR_XSS, BIT(i)), 0, "IA32_XSS bit %u without XSAVES", i);
		return 0;
	}
	may = table_reg(&t, L_XSAVE, 1, ECX) | (uint64_t)table_reg(&t, L_XSAVE, 1, EDX) << 32;
	expect_result(c, get_msr(vm, 0, MSR_XSS, &value), 1, "KVM_GET_MSRS of IA32_XSS");
	expect_value(c, value, 0, "IA32_XSS at first");
	expect_result(c, set_msr(vm, 0, MSR_XSS, 0), 1, "IA32_XSS 0");
	expect_result(c, set_msr(vm, 0, MSR_XSS, may), 1, "IA32_XSS, all that KVM has");
	set_msr(vm, 0, MSR_XSS, 0);
	for (unsigned i = 0; i < 64; i++)
		if (!(may >> i & 1))
			expect_result(c, set_msr(vm, 0, MSR_XSS, BIT(i)), 0, "IA32_XSS bit %u", i);
	return 0;
}

const struct conform_case cases_x86_xcr0[] = {
	{ "xcr0:combinations", "ST:x86/xcr0_cpuid_test", combinations },
	{ "xcr0:unsupported", "ST:x86/xcr0_cpuid_test", unsupported },
	{ "xcr0:by-table", "x86.c __kvm_set_xcr", by_table },
	{ "xcr0:structure", "x86.c kvm_vcpu_ioctl_x86_set_xcrs", structure },
	{ "xcr0:guest", "ST:x86/xcr0_cpuid_test", guest },
	{ "xcr0:xss", "ST:x86/xss_msr_test", xss },
	{ NULL, NULL, NULL },
};

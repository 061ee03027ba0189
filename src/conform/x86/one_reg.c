/* SPDX-License-Identifier: MIT */
/*
 * Registers by id, which came to x86 in 6.18: MSRs, and the pointer of shadow
 * stacks, which is none. Whatever fails, fails as EINVAL. KVM API 4.68, 4.69,
 * 4.84; x86.c.
 */
#include "x86.h"
#include "kvm/abi_more.h"

#define REG(type) (GK_REG_X86 | GK_REG_SIZE_U64 | (type))

static int get_reg(struct conform_vm *vm, uint64_t id, uint64_t *value)
{
	struct gk_one_reg r = { .id = id, .addr = (uintptr_t)value };

	return ask(vm->c, vm->vcpu[0], GK_GET_ONE_REG, &r);
}

static int set_reg(struct conform_vm *vm, uint64_t id, uint64_t value)
{
	struct gk_one_reg r = { .id = id, .addr = (uintptr_t)&value };

	return ask(vm->c, vm->vcpu[0], GK_SET_ONE_REG, &r);
}

static int one_reg(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, NO_APIC, 1);
	const uint64_t star = REG(GK_X86_REG_TYPE_MSR) | MSR_STAR, set = 0x23001000000000;
	uint64_t value = 0, back = 0;

	if (!vm || lacks_cap(c, CAP_ONE_REG, "ONE_REG"))
		return 1;
	expect_ok(c, set_reg(vm, star, set), "KVM_SET_ONE_REG of an MSR");
	expect_result(c, get_msr(vm, 0, MSR_STAR, &back), 1, "KVM_GET_MSRS of it");
	expect_value(c, back, set, "what was set");
	expect_ok(c, get_reg(vm, star, &value), "KVM_GET_ONE_REG of it");
	expect_value(c, value, set, "what is read");
	expect_errno(c, get_reg(vm, REG(GK_X86_REG_TYPE_MSR) | MSR_NOBODY, &value), EINVAL, "KVM_GET_ONE_REG of no MSR");
	expect_errno(c, set_reg(vm, REG(GK_X86_REG_TYPE_MSR) | MSR_NOBODY, 5), EINVAL, "KVM_SET_ONE_REG of no MSR");
	expect_errno(c, get_reg(vm, (star & ~GK_REG_SIZE_MASK) | GK_REG_SIZE_U32, &value), EINVAL,
		     "KVM_GET_ONE_REG of another size");
	expect_errno(c, get_reg(vm, REG(9ULL << 32), &value), EINVAL, "KVM_GET_ONE_REG of another type");
	expect_errno(c, get_reg(vm, REG(GK_X86_REG_TYPE_KVM) | 1, &value), EINVAL, "KVM_GET_ONE_REG of none of KVM's own");
	expect_errno(c, get_reg(vm, GK_REG_ARM64 | GK_REG_SIZE_U64, &value), EINVAL,
		     "KVM_GET_ONE_REG of another architecture");
	return 0;
}

static int list(struct conform_vm *vm, uint64_t room, uint64_t got[2])
{
	struct {
		uint64_t n, reg[1];
	} l = { .n = room };
	int r = ask(vm->c, vm->vcpu[0], GK_GET_REG_LIST, &l);

	got[0] = l.n;
	got[1] = l.reg[0];
	return r;
}

/* Without shadow stacks nothing is listed, and the pointer is not there. */
static int no_pointer(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);
	const uint64_t pointer = REG(GK_X86_REG_TYPE_KVM) | GK_X86_REG_GUEST_SSP;
	uint64_t got[2], value;
	struct table t;

	if (!vm || lacks_cap(c, CAP_ONE_REG, "ONE_REG") || table_usual(c, 0, &t))
		return 1;
	if (overridden(c, L_EXTENDED_FEATURES, 0, ECX, C7_CET_SS))
		return 1;
	if (table_find(&t, L_EXTENDED_FEATURES, 0)) /* older CPUs have no such leaf */
		table_entry(&t, L_EXTENDED_FEATURES, 0)->ecx &= ~C7_CET_SS;
	give_table(vm, 0, &t);
	expect_ok(c, list(vm, 0, got), "KVM_GET_REG_LIST with no room");
	expect_value(c, got[0], 0, "registers that are listed");
	expect_errno(c, get_reg(vm, pointer, &value), EINVAL, "KVM_GET_ONE_REG of the shadow stack's pointer");
	expect_errno(c, set_reg(vm, pointer, 0), EINVAL, "KVM_SET_ONE_REG of it");
	expect_errno(c, ask(c, vm->vcpu[0], GK_GET_REG_LIST, (const void *)8), EFAULT, "KVM_GET_REG_LIST with a bad pointer");
	return 0;
}

static int own_pointer(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, NO_APIC, 1);
	const uint64_t pointer = REG(GK_X86_REG_TYPE_KVM) | GK_X86_REG_GUEST_SSP;
	uint64_t got[2], value = 0;

	if (!vm || lacks_cap(c, CAP_ONE_REG, "ONE_REG") ||
	    lacks_bits(c, L_EXTENDED_FEATURES, 0, ECX, C7_CET_SS, "shadow stacks"))
		return 1;
	expect_errno(c, list(vm, 0, got), E2BIG, "KVM_GET_REG_LIST with no room");
	expect_value(c, got[0], 1, "registers that there are");
	expect_ok(c, list(vm, 1, got), "KVM_GET_REG_LIST");
	expect_value(c, got[1], pointer, "the register that is listed");
	expect_ok(c, set_reg(vm, pointer, 0x7f0000001000), "KVM_SET_ONE_REG of the shadow stack's pointer");
	expect_ok(c, get_reg(vm, pointer, &value), "KVM_GET_ONE_REG of it");
	expect_value(c, value, 0x7f0000001000, "what is read");
	expect_errno(c, set_reg(vm, pointer, 0x7f0000001001), EINVAL, "one that is not a multiple of 4");
	expect_errno(c, set_reg(vm, pointer, 1ULL << 62), EINVAL, "one that is not canonical");
	return 0;
}

const struct conform_case cases_x86_one_reg[] = {
	{ "one-reg:msr", "ST:x86/msrs_test", one_reg },
	{ "one-reg:no-shadow-stack", "ST:x86/msrs_test, x86.c kvm_get_reg_list", no_pointer },
	{ "one-reg:shadow-stack", "ST:x86/msrs_test, x86.c kvm_translate_kvm_reg", own_pointer },
	{ NULL, NULL, NULL },
};

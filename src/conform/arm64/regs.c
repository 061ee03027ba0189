/* SPDX-License-Identifier: MIT */
/* Which registers a vCPU has, and how they are asked for. KVM API 4.68, 4.69, 4.84; guest.c, sys_regs.c. */
#include "arm64.h"

#include <string.h>

static unsigned bytes(uint64_t id)
{
	return 1U << (id >> GK_REG_SIZE_SHIFT & 15);
}

static bool of_kind(uint64_t id, uint64_t kind)
{
	return (id & GK_REG_ARM_KIND_MASK) == kind;
}

/* Everything that this KVM can give. */
static uint32_t all_features(struct conform *c)
{
	return F_PSCI | (has_cap(c, CAP_ARM_PMU_V3) ? F_PMU : 0) | (has_cap(c, CAP_ARM_SVE) ? F_SVE : 0) |
	       (has_cap(c, CAP_ARM_PTRAUTH_ADDRESS) && has_cap(c, CAP_ARM_PTRAUTH_GENERIC) ? F_PAUTH : 0);
}

static int room(struct conform *c)
{
	struct reg_list *a = case_memory(c, sizeof(*a)), *b = case_memory(c, sizeof(*b));
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);

	if (!a || !b || !vm || !expect_ok(c, get_list(vm, 0, a), "KVM_GET_REG_LIST"))
		return 1;
	expect(c, a->n > 100, "%llu registers", (unsigned long long)a->n);
	b->n = 0;
	expect_errno(c, ask(c, vm->vcpu[0], GK_GET_REG_LIST, b), E2BIG, "without room");
	expect_value(c, b->n, a->n, "how many there are, said then");
	b->n = a->n - 1;
	expect_errno(c, ask(c, vm->vcpu[0], GK_GET_REG_LIST, b), E2BIG, "room for one less");
	b->n = a->n;
	expect_ok(c, ask(c, vm->vcpu[0], GK_GET_REG_LIST, b), "just enough room");
	expect(c, memcmp(a, b, sizeof(a->n) * (size_t)(a->n + 1)) == 0, "the same list");
	expect_errno(c, ask(c, vm->vcpu[0], GK_GET_REG_LIST, NULL), EFAULT, "no memory at all");
	return 0;
}

/* What is listed is there once, is read, and is taken as it was read. */
static int round_trip(struct conform *c)
{
	struct reg_list *l = case_memory(c, sizeof(*l));
	struct conform_vm *vm = arm64_vm(c, 1, all_features(c));
	unsigned unread = 0, refused = 0;

	if (!l || !vm || !expect_ok(c, get_list(vm, 0, l), "KVM_GET_REG_LIST"))
		return 1;
	expect(c, l->n > 100 && l->n <= LIST_MOST, "%llu registers", (unsigned long long)l->n);
	for (uint64_t i = 0; i < l->n && i < LIST_MOST; i++) {
		unsigned char value[256] = { 0 };
		const struct gk_one_reg reg = { .id = l->reg[i], .addr = (uintptr_t)value };
		int r = bytes(reg.id) > sizeof(value) ? -E2BIG : ask(c, vm->vcpu[0], GK_GET_ONE_REG, &reg);

		for (uint64_t k = 0; k < i; k++)
			if (l->reg[k] == l->reg[i])
				expect(c, false, "0x%llx is listed twice", (unsigned long long)reg.id);
		if (r < 0 && unread++ < 3)
			expect_ok(c, r, "KVM_GET_ONE_REG 0x%llx", (unsigned long long)reg.id);
		/* vector lengths are settled by now */
		if (r < 0 || reg.id == GK_REG_ARM64_SVE_VLS)
			continue;
		r = ask(c, vm->vcpu[0], GK_SET_ONE_REG, &reg);
		if (r < 0 && refused++ < 3)
			expect_ok(c, r, "KVM_SET_ONE_REG 0x%llx, the same", (unsigned long long)reg.id);
	}
	expect_value(c, unread, 0, "registers that are listed and cannot be read");
	expect_value(c, refused, 0, "registers that do not take their own value");
	return 0;
}

struct kinds {
	unsigned sve, vectors;
	bool zcr, pmcr, key;
};

static int look(struct conform *c, uint32_t features, struct kinds *ret)
{
	struct reg_list *l = case_memory(c, sizeof(*l));
	struct conform_vm *vm = arm64_vm(c, 1, features);

	memset(ret, 0, sizeof(*ret));
	if (!l || !vm || !expect_ok(c, get_list(vm, 0, l), "KVM_GET_REG_LIST"))
		return 1;
	for (uint64_t i = 0; i < l->n && i < LIST_MOST; i++) {
		ret->sve += of_kind(l->reg[i], GK_REG_ARM64_SVE);
		ret->vectors += of_kind(l->reg[i], GK_REG_ARM_CORE) && bytes(l->reg[i]) == 16;
	}
	ret->zcr = list_has(l, R_ZCR);
	ret->pmcr = list_has(l, R_PMCR);
	ret->key = list_has(l, R_APIAKEYLO);
	vm_close(vm);
	return 0;
}

static int by_feature(struct conform *c)
{
	uint32_t all = all_features(c);
	struct kinds none, full;

	if (look(c, F_PSCI, &none) || look(c, all, &full))
		return 1;
	expect_value(c, none.sve, 0, "registers of SVE without it");
	expect_value(c, none.vectors, 32, "vector registers without SVE");
	expect(c, !none.zcr && !none.pmcr && !none.key, "ZCR_EL1, PMCR_EL0, keys without their features");
	/* the set of lengths, 32 Z, 16 P, FFR */
	expect_value(c, full.sve, all & F_SVE ? 50 : 0, "registers of SVE");
	expect_value(c, full.vectors, all & F_SVE ? 0 : 32, "vector registers");
	expect(c, full.zcr == !!(all & F_SVE), "ZCR_EL1 with SVE");
	expect(c, full.pmcr == !!(all & F_PMU), "PMCR_EL0 with a PMU");
	expect(c, full.key == !!(all & F_PAUTH), "APIAKeyLo_EL1 with pointer authentication");
	return 0;
}

static int unknown(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	uint64_t value;
	const struct gk_one_reg nowhere = { .id = R_PFR0, .addr = 0 };

	if (!vm)
		return 1;
	expect_errno(c, vcpu_get(vm, 0, GK_ARM64_SYS_REG(3, 7, 15, 15, 7), &value), ENOENT, "a system register that there is not");
	expect_errno(c, vcpu_set(vm, 0, GK_ARM64_SYS_REG(3, 7, 15, 15, 7), 0), ENOENT, "the same, written");
	expect_errno(c, vcpu_get(vm, 0, (R_PFR0 & ~GK_REG_SIZE_MASK) | GK_REG_SIZE_U32, &value), ENOENT, "a register of another size");
	expect_errno(c, vcpu_get(vm, 0, (R_PFR0 & ~GK_REG_ARCH_MASK) | GK_REG_X86, &value), EINVAL, "another architecture's");
	expect_errno(c, ask(c, vm->vcpu[0], GK_GET_ONE_REG, &nowhere), EFAULT, "no memory for the value");
	expect_errno(c, ask(c, vm->vcpu[0], GK_GET_ONE_REG, NULL), EFAULT, "no register");
	expect_errno(c, ask(c, vm->vcpu[0], GK_SET_ONE_REG, &nowhere), EFAULT, "no value");
	return 0;
}

/* The processor's own are handed through, and found by the rest of their number. */
static void any_kind(struct conform_vm *vm, uint64_t id, bool found, const char *name)
{
	uint64_t odd = (id & ~GK_REG_ARM_KIND_MASK) | 0x213 << 16, value = 0;
	int r = vcpu_get(vm, 0, odd, &value);

	expect(vm->c, found ? r == 0 : r == -ENOENT, "%s, of a kind that there is not, is %s", name,
	       found ? "found" : "not found");
	if (r == 0)
		expect_value(vm->c, value, vcpu_read(vm, 0, id), "%s by any kind", name);
}

static int handed_through(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);

	if (!vm)
		return 1;
	any_kind(vm, ID(0, 0, 0), c->release < KERNEL(6, 15), "MIDR_EL1");
	any_kind(vm, ID(0, 0, 6), c->release < KERNEL(6, 15), "REVIDR_EL1");
	any_kind(vm, ID(1, 0, 7), c->release < KERNEL(6, 15), "AIDR_EL1");
	any_kind(vm, ID(1, 0, 1), c->release < KERNEL(6, 3), "CLIDR_EL1");
	any_kind(vm, ID(3, 0, 1), c->release < KERNEL(6, 11), "CTR_EL0");
	any_kind(vm, R_PFR0, false, "ID_AA64PFR0_EL1");
	return 0;
}

/* A register's number with parts that say something else: of what kind it is, and how long. */
static int odd_numbers(struct conform *c)
{
	static const uint64_t size = GK_REG_SIZE_MASK, u4096 = GK_REG_SIZE_U2048 + (1ULL << GK_REG_SIZE_SHIFT);
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	const uint64_t kind = 0x213 << 16;
	uint64_t value[64], sctlr;

	if (!vm || !expect_ok(c, vcpu_get(vm, 0, R_SCTLR, &sctlr), "SCTLR_EL1"))
		return 1;
	expect_errno(c, vcpu_get(vm, 0, (R_SCTLR & ~GK_REG_ARM_KIND_MASK) | kind, value), ENOENT,
		     "the same, of a kind that there is not");
	expect_errno(c, vcpu_get(vm, 0, R_SCTLR | 1ULL << 28, value), ENOENT, "a bit beyond the kinds");
	expect_errno(c, vcpu_get(vm, 0, (R_SCTLR & ~size) | u4096, value), ENOENT, "SCTLR_EL1 of 512 bytes");
	expect_errno(c, ask(c, vm->vcpu[0], GK_SET_ONE_REG, &(struct gk_one_reg){ .id = (R_SCTLR & ~size) | u4096 }), EFAULT,
		     "the same, written from nowhere");
	expect_errno(c, vcpu_get(vm, 0, (R_Z0 & ~size) | u4096, value), EINVAL, "Z0 of 512 bytes");
	expect_errno(c, vcpu_get(vm, 0, (GK_REG_ARM_X(0) & ~size) | u4096, value), EINVAL, "X0 of 512 bytes");
	expect_errno(c, vcpu_get(vm, 0, (GK_REG_ARM_CORE_U64(0x60) & ~size) | u4096, value), ENOENT,
		     "512 bytes from the middle of the core registers on");
	expect_errno(c, vcpu_get(vm, 0, (GK_REG_ARM_FW_REG(0) & ~size) | u4096, value), ENOENT, "PSCI's version, of 512 bytes");
	return 0;
}

static int core(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	uint64_t value;

	if (!vm)
		return 1;
	expect_value(c, vcpu_read(vm, 0, GK_REG_ARM_PSTATE), 0x3c5, "PSTATE at first");
	for (unsigned n = 0; n < 31; n++)
		expect_ok(c, vcpu_set(vm, 0, GK_REG_ARM_X(n), n * 0x101010101ULL), "X%u", n);
	for (unsigned n = 0; n < 31; n++)
		expect_value(c, vcpu_read(vm, 0, GK_REG_ARM_X(n)), n * 0x101010101ULL, "X%u", n);
	expect_errno(c, vcpu_get(vm, 0, GK_REG_ARM_CORE_U64(0x1), &value), EINVAL, "the upper half of X0");
	expect_errno(c, vcpu_get(vm, 0, (GK_REG_ARM_X(0) & ~GK_REG_SIZE_MASK) | GK_REG_SIZE_U32, &value), EINVAL, "half of X0");
	expect_errno(c, vcpu_get(vm, 0, GK_REG_ARM_CORE_U64(0x1000), &value), ENOENT, "beyond the last");
	return 0;
}

static int modes(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	bool aarch32;

	if (!vm)
		return 1;
	aarch32 = (vcpu_read(vm, 0, R_PFR0) & 15) == 2;
	expect_ok(c, vcpu_set(vm, 0, GK_REG_ARM_PSTATE, 0x3c0), "EL0");
	expect_ok(c, vcpu_set(vm, 0, GK_REG_ARM_PSTATE, 0x3c4), "EL1, on EL0's stack");
	expect_ok(c, vcpu_set(vm, 0, GK_REG_ARM_PSTATE, 0x3c5), "EL1");
	expect_errno(c, vcpu_set(vm, 0, GK_REG_ARM_PSTATE, 0x3c9), EINVAL, "EL2");
	expect_errno(c, vcpu_set(vm, 0, GK_REG_ARM_PSTATE, 0x3cd), EINVAL, "EL3");
	expect_errno(c, vcpu_set(vm, 0, GK_REG_ARM_PSTATE, 0x1d3), EINVAL, "AArch32, supervisor");
	if (aarch32)
		expect_ok(c, vcpu_set(vm, 0, GK_REG_ARM_PSTATE, 0x1d0), "AArch32, user");
	else
		expect_errno(c, vcpu_set(vm, 0, GK_REG_ARM_PSTATE, 0x1d0), EINVAL, "AArch32, user, which there is not");
	return 0;
}

static int modes_32(struct conform *c)
{
	struct conform_vm *vm;

	if (!has_cap(c, CAP_ARM_EL1_32BIT))
		return skip(c, "no AArch32 at EL1");
	vm = arm64_vm(c, 1, F_PSCI | F_32BIT);
	if (!vm)
		return 1;
	expect_value(c, vcpu_read(vm, 0, GK_REG_ARM_PSTATE), 0x1d3, "PSTATE at first");
	expect_ok(c, vcpu_set(vm, 0, GK_REG_ARM_PSTATE, 0x1df), "AArch32, system");
	expect_errno(c, vcpu_set(vm, 0, GK_REG_ARM_PSTATE, 0x3c5), EINVAL, "AArch64, EL1");
	return 0;
}

static int other_registers(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 2, F_PSCI);

	if (!vm)
		return 1;
	expect_ok(c, vcpu_set(vm, 0, GK_ARM64_SYS_REG(3, 0, 12, 0, 0), 0x40000800), "VBAR_EL1");
	expect_value(c, vcpu_read(vm, 0, GK_ARM64_SYS_REG(3, 0, 12, 0, 0)), 0x40000800, "VBAR_EL1");
	expect(c, vcpu_read(vm, 1, GK_ARM64_SYS_REG(3, 0, 12, 0, 0)) != 0x40000800, "another vCPU has its own");
	return 0;
}

const struct conform_case cases_arm64_regs[] = {
	{ "regs:list-room", "KVM API 4.84", room },
	{ "regs:list-round-trip", "ST:get-reg-list", round_trip },
	{ "regs:list-by-feature", "ST:get-reg-list, guest.c", by_feature },
	{ "regs:unknown", "KVM API 4.68, 4.69", unknown },
	{ "regs:odd-numbers", "KVM API 4.68, guest.c kvm_arm_get_reg", odd_numbers },
	{ "regs:handed-through", "sys_regs.c get_invariant_sys_reg", handed_through },
	{ "regs:core", "KVM API 4.68, guest.c get_core_reg", core },
	{ "regs:modes", "guest.c set_core_reg", modes },
	{ "regs:modes-32bit", "guest.c set_core_reg", modes_32 },
	{ "regs:system", "sys_regs.c", other_registers },
	{ NULL, NULL, NULL },
};

/* SPDX-License-Identifier: MIT */
/* What a trace says of one word of a vCPU. */
#include "core/plan.h"
#include "formats/trace_read.h"
#include "kvm/abi_arm64.h"

/* The leaf at which the program has what the tables have at LEAF; false: nowhere. Without KVM's signature
 * the leaf behind it is somebody else's. */
static bool find_leaf(const struct traced_vcpu *v, uint32_t leaf, uint32_t *ret)
{
	*ret = leaf;
	if (leaf != KVM_LEAF_BASE && leaf != KVM_LEAF_BASE + 1)
		return true;
	if (v->kvm_leaf)
		*ret = leaf - KVM_LEAF_BASE + v->kvm_leaf;
	return v->kvm_leaf || leaf == KVM_LEAF_BASE;
}

/* Of two entries for one leaf the guest gets the first. */
static bool table_word(const struct traced_vcpu *v, uint64_t addr, uint64_t *ret)
{
	uint32_t leaf;

	if (!find_leaf(v, ADDR_LEAF(addr), &leaf))
		return false;
	for (size_t i = 0; i < v->cpuid.n; i++) {
		const struct gcpu_cpuid *e = LIST_AT(&v->cpuid, struct gcpu_cpuid, i);
		const uint32_t regs[4] = { e->eax, e->ebx, e->ecx, e->edx };

		if (e->leaf != leaf || ((e->flags & 1) && e->subleaf != ADDR_SUBLEAF(addr)))
			continue;
		*ret = regs[ADDR_REG(addr)];
		return true;
	}
	return false;
}

/* The id of KVM_SET_ONE_REG, or 0. */
static uint64_t register_of(uint64_t addr)
{
	if (ADDR_SPACE(addr) == SPACE_REG || ADDR_SPACE(addr) == SPACE_FW)
		return ADDR_ONE_REG(addr);
	return addr == ADDR_SVE ? GK_REG_ARM64_SVE_VLS : 0;
}

bool traced_word(const struct traced_vcpu *v, uint64_t addr, uint64_t *ret)
{
	*ret = 0;
	if (ADDR_SPACE(addr) == SPACE_CPUID)
		return table_word(v, addr, ret);
	if (ADDR_SPACE(addr) == SPACE_INIT) {
		if (v->has_init && ADDR_INDEX(addr) < sizeof(v->features) / sizeof(v->features[0]))
			*ret = v->features[ADDR_INDEX(addr)];
		return v->has_init;
	}
	for (size_t i = 0; i < v->msrs.n && ADDR_SPACE(addr) == SPACE_MSR; i++) {
		if (LIST_AT(&v->msrs, struct traced_msr, i)->index != ADDR_INDEX(addr))
			continue;
		*ret = LIST_AT(&v->msrs, struct traced_msr, i)->value;
		return true;
	}
	for (size_t i = 0; i < v->regs.n && register_of(addr); i++) {
		if (LIST_AT(&v->regs, struct traced_reg, i)->id != register_of(addr))
			continue;
		*ret = LIST_AT(&v->regs, struct traced_reg, i)->value;
		return true;
	}
	return false;
}

/* Could KVM have refused the word by this call, or taken it? */
static bool is_about(const struct traced_call *c, uint64_t addr, bool refused)
{
	switch (c->kind) {
	case TRACE_TABLE:
		return ADDR_SPACE(addr) == SPACE_CPUID && (c->error != 0) == refused;
	case TRACE_INIT:
		return ADDR_SPACE(addr) == SPACE_INIT && (c->error != 0) == refused;
	case TRACE_REGISTER:
		return c->has_value && c->id == register_of(addr) && (c->error != 0) == refused;
	case TRACE_MSRS:
		return ADDR_SPACE(addr) == SPACE_MSR &&
		       (refused ? c->has_value && c->refused == ADDR_INDEX(addr) : !c->error && c->taken);
	default:
		return false;
	}
}

int traced_calls_about(const struct traced *t, unsigned vcpu, uint64_t addr, bool refused,
		      int (*visit)(void *ctx, size_t number, const struct traced_call *c), void *ctx)
{
	bool last = !refused && ADDR_SPACE(addr) != SPACE_MSR;
	size_t found = t->calls.n;
	uint64_t value;

	/* nothing said it */
	if (!refused && !traced_word(LIST_AT(&t->vcpus, struct traced_vcpu, vcpu), addr, &value))
		return 0;
	for (size_t i = 0; i < t->calls.n; i++) {
		const struct traced_call *c = LIST_AT(&t->calls, struct traced_call, i);
		int status;

		if (c->vcpu != (int)vcpu || !is_about(c, addr, refused))
			continue;
		found = i;
		status = last ? 0 : visit(ctx, i, c);
		if (status)
			return status;
	}
	return last && found < t->calls.n ? visit(ctx, found, LIST_AT(&t->calls, struct traced_call, found)) : 0;
}

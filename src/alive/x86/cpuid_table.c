/* SPDX-License-Identifier: MIT */
#include "cpuid_table.h"

#include <errno.h>
#include <string.h>

#include "core/plan.h"
#include "kvm/call.h"
#include "plain.h"

#define STEP 0x100U /* between bases of hypervisors' leaves */
#define BASES ((KVM_LEAF_END - KVM_LEAF_BASE) / STEP)
#define AT_ONCE 32 /* bases that a guest looks at before its host does */

int table_planned(struct lab *lab, struct cpuid_table *ret)
{
	struct gcpu_cpuid e[GK_CPUID_ENTRIES_MOST];
	size_t n = COUNT(e);

	if (gcpu_plan_cpuid(lab->plan, 0, e, &n))
		return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "the plan has no table that could be changed");
	for (ret->n = 0; ret->n < n; ret->n++)
		ret->e[ret->n] = (struct snap_cpuid){ e[ret->n].leaf, e[ret->n].subleaf, e[ret->n].flags,
						      { e[ret->n].eax, e[ret->n].ebx, e[ret->n].ecx,
							e[ret->n].edx } };
	return 0;
}

int table_set(const struct lab *lab, const struct cpuid_table *t)
{
	return call_set_cpuid(lab->alive->o->kvm, run_machine_vcpu(lab->vm, 0), t->e, t->n);
}

int table_give(const struct lab *lab, const struct cpuid_table *t)
{
	int r = table_set(lab, t);

	return r < 0 ? say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "KVM_SET_CPUID2: %s", answer(r)) : 0;
}

int table_get(const struct lab *lab, struct cpuid_table *ret)
{
	struct list list = { 0 };
	int status = call_get_cpuid(lab->alive->o->kvm, run_machine_vcpu(lab->vm, 0), GK_GET_CPUID2, &list);

	if (status >= 0 && list.n > COUNT(ret->e))
		status = -E2BIG;
	ret->n = status < 0 ? 0 : list.n;
	if (ret->n)
		memcpy(ret->e, list.items, ret->n * sizeof(ret->e[0]));
	list_free(&list);
	return status < 0 ? status : 0;
}

struct snap_cpuid *table_leaf(struct cpuid_table *t, uint32_t leaf)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->e[i].leaf == leaf)
			return &t->e[i];
	return NULL;
}

void table_add(struct cpuid_table *t, uint32_t leaf, const uint32_t regs[4])
{
	if (t->n < COUNT(t->e))
		t->e[t->n++] = (struct snap_cpuid){ leaf, 0, 0, { regs[0], regs[1], regs[2], regs[3] } };
}

void kvm_signature(uint32_t regs[4])
{
	static const char text[12] = "KVMKVMKVM";

	regs[0] = 0;
	memcpy(&regs[1], text, sizeof(text));
}

static bool is_kvm(const uint32_t regs[4])
{
	uint32_t want[4];

	kvm_signature(want);
	return memcmp(&regs[1], &want[1], 3 * sizeof(want[0])) == 0;
}

struct snap_cpuid *table_kvm(struct cpuid_table *t)
{
	for (uint32_t base = KVM_LEAF_BASE; base < KVM_LEAF_END; base += STEP) {
		const struct snap_cpuid *e = table_leaf(t, base);

		if (e && is_kvm(e->regs))
			return table_leaf(t, base + 1);
	}
	return NULL;
}

void table_move_kvm(struct cpuid_table *t, uint32_t by)
{
	const struct snap_cpuid *kvm = table_kvm(t);
	uint32_t base = kvm ? kvm->leaf - 1 : 0;

	for (size_t i = 0; kvm && i < t->n; i++) {
		if ((t->e[i].leaf & ~(STEP - 1)) != base)
			continue;
		if (t->e[i].leaf == base && t->e[i].regs[0])
			t->e[i].regs[0] += by;
		t->e[i].leaf += by;
	}
}

void table_drop_kvm(struct cpuid_table *t)
{
	const struct snap_cpuid *kvm = table_kvm(t);
	uint32_t base = kvm ? kvm->leaf - 1 : 0;
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		if (!kvm || (t->e[i].leaf & ~(STEP - 1)) != base)
			t->e[n++] = t->e[i];
	t->n = n;
}

int kvm_discover(struct lab *lab, unsigned vcpu, struct kvm_found *ret)
{
	struct guest_op ops[AT_ONCE], features;

	memset(ret, 0, sizeof(*ret));
	for (unsigned first = 0; first < BASES && !ret->base; first += AT_ONCE) {
		for (unsigned i = 0; i < AT_ONCE; i++)
			ops[i] = OP(GUEST_OP_CPUID, KVM_LEAF_BASE + (first + i) * STEP, 0);
		if (lab_run(lab, vcpu, ops, AT_ONCE))
			return -1;
		for (unsigned i = 0; i < AT_ONCE && !ret->base; i++) {
			const uint32_t regs[4] = { (uint32_t)ops[i].res[0], (uint32_t)ops[i].res[1],
						   (uint32_t)ops[i].res[2], (uint32_t)ops[i].res[3] };

			if (!is_kvm(regs))
				continue;
			ret->base = (uint32_t)ops[i].arg[0];
			ret->highest = regs[0] ? regs[0] : ret->base + 1;
		}
	}
	if (ret->highest <= ret->base)
		return 0;
	features = OP(GUEST_OP_CPUID, ret->base + 1, 0);
	if (lab_run(lab, vcpu, &features, 1))
		return -1;
	ret->features = (uint32_t)features.res[0];
	return 0;
}

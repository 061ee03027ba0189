/* SPDX-License-Identifier: MIT */
/* Tables of CPUID. */
#include "x86.h"

#include <string.h>

int table_supported(struct conform *c, struct table *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->nent = GK_CPUID_ENTRIES_MOST;
	r = ask(c, c->kvm_fd, GK_GET_SUPPORTED_CPUID, ret);
	if (r < 0)
		return broken(c, "KVM_GET_SUPPORTED_CPUID: errno %d", -r);
	return table_reg(ret, L_BASIC, 0, EAX) ? 0 : broken(c, "KVM_GET_SUPPORTED_CPUID says nothing");
}

int table_usual(struct conform *c, unsigned id, struct table *ret)
{
	struct gk_cpuid_entry2 *e;

	if (table_supported(c, ret))
		return 1;
	for (unsigned i = 0; i < ret->nent; i++)
		if (ret->e[i].function == L_TOPOLOGY || ret->e[i].function == L_TOPOLOGY_V2)
			ret->e[i].edx = id;
	e = table_find(ret, L_FEATURES, 0);
	if (!e)
		return broken(c, "KVM_GET_SUPPORTED_CPUID has no leaf 1");
	e->ebx = (e->ebx & 0xffff) | id << 24 | 1 << 16;
	e->ecx |= C1_HYPERVISOR | C1_TSC_DEADLINE; /* not reported before 6.14 */
	return 0;
}

struct gk_cpuid_entry2 *table_find(struct table *t, uint32_t leaf, uint32_t index)
{
	for (unsigned i = 0; i < t->nent; i++)
		if (t->e[i].function == leaf &&
		    (t->e[i].index == index || !(t->e[i].flags & GK_CPUID_FLAG_SIGNIFCANT_INDEX)))
			return &t->e[i];
	return NULL;
}

struct gk_cpuid_entry2 *table_entry(struct table *t, uint32_t leaf, uint32_t index)
{
	struct gk_cpuid_entry2 *e = table_find(t, leaf, index);

	return e ? e : &t->e[t->nent < COUNT(t->e) ? t->nent : COUNT(t->e) - 1];
}

uint32_t *entry_reg(struct gk_cpuid_entry2 *e, unsigned reg)
{
	return reg == EAX ? &e->eax : reg == EBX ? &e->ebx : reg == ECX ? &e->ecx : &e->edx;
}

uint32_t table_reg(struct table *t, uint32_t leaf, uint32_t index, unsigned reg)
{
	struct gk_cpuid_entry2 *e = table_find(t, leaf, index);

	return e ? *entry_reg(e, reg) : 0;
}

void table_put(struct table *t, uint32_t leaf, uint32_t index, uint32_t flags, uint32_t eax, uint32_t ebx,
	       uint32_t ecx, uint32_t edx)
{
	if (t->nent < COUNT(t->e))
		t->e[t->nent++] = (struct gk_cpuid_entry2){ leaf, index, flags, eax, ebx, ecx, edx, { 0 } };
}

void table_drop(struct table *t, uint32_t leaf)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->nent; i++)
		if (t->e[i].function != leaf)
			t->e[n++] = t->e[i];
	t->nent = n;
}

void table_tiny(struct table *t)
{
	memset(t, 0, sizeof(*t));
	table_put(t, L_EXT, 0, 0, L_EXT_FEATURES, 0, 0, 0);
	table_put(t, L_EXT_FEATURES, 0, 0, 0, 0, 0, D81_LM);
}

bool table_same(const struct table *a, const struct table *b)
{
	if (a->nent != b->nent)
		return false;
	for (unsigned i = 0; i < a->nent; i++)
		if (memcmp(&a->e[i], &b->e[i], offsetof(struct gk_cpuid_entry2, padding)))
			return false;
	return true;
}

int set_table(struct conform_vm *vm, unsigned vcpu, const struct table *t)
{
	return ask(vm->c, vm->vcpu[vcpu], GK_SET_CPUID2, t);
}

int get_table(struct conform_vm *vm, unsigned vcpu, struct table *ret)
{
	static const struct gk_cpuid_entry2 nothing;
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->nent = GK_CPUID_ENTRIES_MOST;
	r = ask(vm->c, vm->vcpu[vcpu], GK_GET_CPUID2, ret);
	/* 6.1 leaves the room there was; no table here ends in an entry that is all zero */
	while (r >= 0 && ret->nent && !memcmp(&ret->e[ret->nent - 1], &nothing, sizeof(nothing)))
		ret->nent--;
	return r;
}

bool give_table(struct conform_vm *vm, unsigned vcpu, const struct table *t)
{
	return expect_ok(vm->c, set_table(vm, vcpu, t), "KVM_SET_CPUID2");
}

bool read_table(struct conform_vm *vm, unsigned vcpu, struct table *ret)
{
	return expect_ok(vm->c, get_table(vm, vcpu, ret), "KVM_GET_CPUID2");
}

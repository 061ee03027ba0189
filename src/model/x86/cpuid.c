/* SPDX-License-Identifier: MIT */
/* Tables of vCPUs: set, read, kept up to date while the guest runs, and looked up. */
#include "x86.h"

#include "../supported.h"
#include "arch/x86/x86.h"

#include <stdlib.h>
#include <string.h>

#define SAVE_AREA 576 /* of the legacy state and the header */

static struct snap_cpuid *find(struct snap_cpuid *table, unsigned n, uint32_t leaf, uint32_t subleaf)
{
	for (unsigned i = 0; i < n; i++)
		if (table[i].leaf == leaf &&
		    (table[i].subleaf == subleaf || !(table[i].flags & GK_CPUID_FLAG_SIGNIFCANT_INDEX)))
			return &table[i];
	return NULL;
}

/* As KVM looks for what it needs itself: in leaves whose sub-leaves mean nothing the first entry is
 * it, whatever it says of sub-leaves. */
static struct snap_cpuid *find_own(struct snap_cpuid *table, unsigned n, uint32_t leaf, uint32_t subleaf)
{
	if (supported_is_indexed(leaf))
		return find(table, n, leaf, subleaf);
	for (unsigned i = 0; i < n; i++)
		if (table[i].leaf == leaf)
			return &table[i];
	return NULL;
}

struct snap_cpuid *x86_own_entry(const struct x86_vcpu *x, uint32_t leaf, uint32_t subleaf)
{
	return find_own(x->table, x->n, leaf, subleaf);
}

struct snap_cpuid *x86_entry(const struct x86_vcpu *x, uint32_t leaf, uint32_t subleaf)
{
	return find(x->table, x->n, leaf, subleaf);
}

static const struct word_fact *word_of(unsigned field)
{
	return &gcpu_facts_x86.words[gcpu_facts_x86.fields[field].word];
}

/* The register that a field is in, of the table's entry that answers for it; NULL: no such entry. */
static uint32_t *reg_of(struct snap_cpuid *table, unsigned n, unsigned field)
{
	uint64_t addr = word_of(field)->addr;
	struct snap_cpuid *e = find_own(table, n, ADDR_LEAF(addr), ADDR_SUBLEAF(addr));

	return e ? &e->regs[ADDR_REG(addr)] : NULL;
}

static void put(struct snap_cpuid *table, unsigned n, unsigned field, bool on)
{
	uint32_t *reg = reg_of(table, n, field), bit = 1U << gcpu_facts_x86.fields[field].lsb;

	if (reg)
		*reg = on ? *reg | bit : *reg & ~bit;
}

bool x86_table_has(const struct x86_vcpu *x, unsigned field)
{
	/* as for a guest's CPUID, by the sub-leaf, too */
	uint64_t addr = word_of(field)->addr;
	const struct snap_cpuid *e = x86_entry(x, ADDR_LEAF(addr), ADDR_SUBLEAF(addr));

	return e && (e->regs[ADDR_REG(addr)] >> gcpu_facts_x86.fields[field].lsb & 1);
}

bool x86_kvm_has(const struct gcpu_model *m, unsigned field)
{
	uint64_t addr = word_of(field)->addr;
	const struct snap_cpuid *e = snapshot_cpuid(m->host, SNAP_EMULATED, ADDR_LEAF(addr), ADDR_SUBLEAF(addr));
	uint32_t has = x86_supported(m, addr) | (e ? e->regs[ADDR_REG(addr)] : 0);

	/* what it knows and never announces: bits of the guest's own state, and MWAIT as a NOP */
	return (has >> gcpu_facts_x86.fields[field].lsb & 1) ||
	       gcpu_facts_x86.fields[field].kind == KIND_RUNTIME;
}

bool x86_host_has(const struct gcpu_model *m, unsigned field)
{
	const struct field_fact *f = &gcpu_facts_x86.fields[field];
	uint64_t addr = gcpu_facts_x86.words[f->word].addr;
	const struct snap_cpuid *e = snapshot_cpuid(m->host, SNAP_NATIVE, ADDR_LEAF(addr), ADDR_SUBLEAF(addr));

	return e && (e->regs[ADDR_REG(addr)] >> f->lsb & 1);
}

bool x86_guest_has(const struct x86_vcpu *x, unsigned field)
{
	return x86_table_has(x, field) && (!sw_behaves(x86_model(x), BEHAVIOUR_GUEST_BITS_KNOWN) ||
					   x86_kvm_has(x86_model(x), field));
}

/* Bits 63:0 of EDX:LOW in a sub-leaf of the save area, of the guest's table and of KVM's. */
static uint64_t components(const struct snap_cpuid *e, unsigned low)
{
	return e ? e->regs[low] | (uint64_t)e->regs[3] << 32 : 0;
}

uint64_t x86_guest_xcr0(const struct x86_vcpu *x)
{
	return components(x86_entry(x, LEAF_SAVE_AREA, 0), 0) & x86_kvm_xcr0(x86_model(x));
}

uint64_t x86_guest_xss(const struct x86_vcpu *x)
{
	return components(x86_entry(x, LEAF_SAVE_AREA, 1), 2) & x86_kvm_xss(x86_model(x));
}

/* Bytes of the area in which the components HAVE are saved: where and how large each is, is the host's. */
uint32_t x86_area_size(const struct gcpu_model *m, uint64_t have, bool compacted)
{
	uint32_t size = SAVE_AREA;

	for (unsigned n = 2; n < 63; n++) {
		const struct snap_cpuid *e = have >> n & 1 ? snapshot_cpuid(m->host, SNAP_NATIVE, LEAF_SAVE_AREA, n) : NULL;
		uint32_t at;

		/* what a dump does not describe */
		if (have >> n & 1 && (!e || e->subleaf != n || !e->regs[0]))
			e = snapshot_cpuid(m->host, SNAP_SUPPORTED, LEAF_SAVE_AREA, n);
		if (!e)
			continue;
		at = !compacted ? e->regs[1] : e->regs[2] & 2 ? (size + 63) & ~63U : size;
		size = at + e->regs[0] > size ? at + e->regs[0] : size;
	}
	return size;
}

static void update(const struct x86_vcpu *x, struct snap_cpuid *table, unsigned n)
{
	const struct gcpu_model *m = x86_model(x);
	bool always = sw_behaves(m, BEHAVIOUR_OSXSAVE_FOLLOWED);
	uint64_t more = sw_behaves(m, BEHAVIOUR_SAVE_AREA_WITH_XSS) ? x->xss : 0;
	struct snap_cpuid *e;

	if (always || x86_kvm_has(m, X86_F_XSAVE))
		put(table, n, X86_F_OSXSAVE, x->sregs.cr4 & CR4_OSXSAVE);
	put(table, n, X86_F_APIC, x->sregs.apic_base & APIC_BASE_ENABLED);
	if (x86_vm(x->v->vm)->quirks_disabled & QUIRK_MISC_ENABLE_NO_MWAIT)
		put(table, n, X86_F_MONITOR, !sw_behaves(m, BEHAVIOUR_MISC_ENABLE_APART) &&
					     x86_msr_kept(x, gcpu_facts_x86.msrs[X86_M_MISC_ENABLE].index) & MISC_ENABLE_MWAIT);
	if (always || x86_kvm_has(m, X86_F_PKU))
		put(table, n, X86_F_OSPKE, x->sregs.cr4 & CR4_PKE);
	e = find(table, n, LEAF_SAVE_AREA, 0);
	if (e)
		e->regs[1] = x86_area_size(m, x->xcr0, false);
	e = find(table, n, LEAF_SAVE_AREA, 1);
	if (e && (e->regs[0] & (1U << gcpu_facts_x86.fields[X86_F_XSAVEC].lsb |
				1U << gcpu_facts_x86.fields[X86_F_XSAVES].lsb)))
		e->regs[1] = x86_area_size(m, x->xcr0 | more, true);
}

/* Where KVM's own features are: behind a base whose entry has its signature. 0: nowhere. */
static uint32_t pv_leaf(struct snap_cpuid *table, unsigned n)
{
	uint32_t first = ADDR_LEAF(word_of(X86_F_KVMCLOCK1)->addr);

	for (uint32_t base = first - 1; base < first + 0xffff; base += 0x100) {
		struct snap_cpuid *e = find_own(table, n, base, 0);

		if (e && memcmp(&e->regs[1], "KVMKVMKVM\0\0\0", 12) == 0)
			return base | 1;
	}
	return 0;
}

static void unhalt(const struct x86_vcpu *x, struct snap_cpuid *table, unsigned n)
{
	bool behind = sw_behaves(x86_model(x), BEHAVIOUR_UNHALT_BEHIND);
	uint32_t leaf = behind ? x->pv_leaf : pv_leaf(table, n);
	struct snap_cpuid *e = leaf ? find_own(table, n, leaf, 0) : NULL;

	if (e && (x86_vm(x->v->vm)->exits_disabled >> EXIT_BIT_HLT & 1))
		e->regs[0] &= ~(1U << gcpu_facts_x86.fields[X86_F_KVM_PV_UNHALT].lsb);
}

void x86_runtime(struct x86_vcpu *x)
{
	update(x, x->table, x->n);
	if (!sw_behaves(x86_model(x), BEHAVIOUR_UNHALT_ONCE))
		unhalt(x, x->table, x->n);
}

/* The two checks of content that there are: the width of linear addresses, and permission for large state. */
static int check(const struct x86_vcpu *x, struct snap_cpuid *table, unsigned n)
{
	uint64_t widths = gcpu_facts_x86.words[X86_W_CPUID_0X80000008_0X0_EAX].addr;
	struct snap_cpuid *e = find_own(table, n, ADDR_LEAF(widths), 0);
	uint64_t asked;

	if (e) {
		unsigned linear = e->regs[0] >> 8 & 0xff;

		if (linear != 0 && linear != 48 && linear != 57)
			return -EINVAL;
	}
	e = find(table, n, LEAF_SAVE_AREA, 0);
	asked = components(e, 0) & 1ULL << X86_XTILEDATA; /* also where no CPU has it */
	if (asked & ~x86_model(x)->permitted)
		return -EPERM;
	return 0;
}

static bool equal(const struct x86_vcpu *x, const struct snap_cpuid *table, unsigned n)
{
	return n == x->n && (!n || memcmp(table, x->table, n * sizeof(*table)) == 0);
}

/* What follows from a new table, besides the instruction. */
static void after(struct x86_vcpu *x)
{
	const struct snap_cpuid *pv;

	x->pv_leaf = pv_leaf(x->table, x->n);
	pv = x->pv_leaf ? find_own(x->table, x->n, x->pv_leaf, 0) : NULL;
	if (pv)
		x->pv_word = pv->regs[0];
	else if (sw_behaves(x86_model(x), BEHAVIOUR_PV_WORD_FORGOTTEN))
		x->pv_word = 0;
	x86_lapic_after(x);
	x86_msrs_after(x);
}

/* Takes TABLE over. */
static int set(struct x86_vcpu *x, struct snap_cpuid *table, unsigned n)
{
	int status;

	update(x, table, n);
	unhalt(x, table, n);
	if (x->v->ran) {
		status = equal(x, table, n) ? 0 : -EINVAL;
		free(table);
		return status;
	}
	status = check(x, table, n);
	if (status) {
		free(table);
		return status;
	}
	free(x->table);
	x->table = table;
	x->n = n;
	status = x86_override(x);
	update(x, x->table, x->n);
	after(x);
	return status;
}

_Static_assert(sizeof(struct gk_cpuid) == sizeof(struct gk_cpuid2), "both calls' heads are the same");

/* A table with room for the entries of SIZE behind the head, which can be read. */
static int given(uintptr_t arg, size_t size, struct snap_cpuid **table, uint32_t *n)
{
	struct gk_cpuid2 head;

	if (sw_copy_in(&head, arg, sizeof(head)))
		return -EFAULT;
	*n = head.nent;
	if (*n > GK_CPUID_ENTRIES_MOST)
		return -E2BIG;
	if (sw_bad_pointer(arg + sizeof(head), *n * size))
		return -EFAULT;
	*table = calloc(*n ? *n : 1, sizeof(**table));
	return *table ? 0 : -ENOMEM;
}

int x86_set_cpuid2(void *object, uintptr_t arg)
{
	uintptr_t at = arg + sizeof(struct gk_cpuid2);
	struct snap_cpuid *table;
	struct gk_cpuid_entry2 e;
	uint32_t n;
	int status = given(arg, sizeof(e), &table, &n);

	if (status)
		return status;
	for (uint32_t i = 0; i < n; i++, at += sizeof(e)) {
		memcpy(&e, (const void *)at, sizeof(e));
		table[i] = (struct snap_cpuid){ e.function, e.index, e.flags, { e.eax, e.ebx, e.ecx, e.edx } };
	}
	return set(x86_vcpu(object), table, n);
}

int x86_set_cpuid(void *object, uintptr_t arg)
{
	uintptr_t at = arg + sizeof(struct gk_cpuid);
	struct snap_cpuid *table;
	struct gk_cpuid_entry e;
	uint32_t n;
	int status = given(arg, sizeof(e), &table, &n);

	if (status)
		return status;
	for (uint32_t i = 0; i < n; i++, at += sizeof(e)) {
		memcpy(&e, (const void *)at, sizeof(e));
		table[i] = (struct snap_cpuid){ e.function, 0, 0, { e.eax, e.ebx, e.ecx, e.edx } };
	}
	return set(x86_vcpu(object), table, n);
}

/* Behind the head of a struct kvm_cpuid2. */
int x86_give_entries(uintptr_t arg, const struct snap_cpuid *table, size_t n)
{
	uintptr_t at = arg + sizeof(struct gk_cpuid2);

	if (sw_bad_target(at, n * sizeof(struct gk_cpuid_entry2)))
		return -EFAULT;
	for (size_t i = 0; i < n; i++, at += sizeof(struct gk_cpuid_entry2)) {
		const struct snap_cpuid *e = &table[i];
		const struct gk_cpuid_entry2 out = { e->leaf,	 e->subleaf, e->flags,	 e->regs[0],
						     e->regs[1], e->regs[2], e->regs[3], { 0 } };

		memcpy((void *)at, &out, sizeof(out));
	}
	return 0;
}

int x86_get_cpuid2(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);
	struct gk_cpuid2 head;

	if (sw_copy_in(&head, arg, sizeof(head)))
		return -EFAULT;
	if (head.nent < x->n)
		return -E2BIG;
	if (x86_give_entries(arg, x->table, x->n))
		return -EFAULT;
	if (!sw_behaves(x86_model(x), BEHAVIOUR_CPUID_COUNT_TOLD))
		return 0;
	head.nent = x->n;
	return sw_copy_out(arg, &head, sizeof(head));
}

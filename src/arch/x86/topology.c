/* SPDX-License-Identifier: MIT */
/* APIC ids and the leaves that differ per vCPU. */
#include "x86.h"

#include <string.h>

/* Leaves by name, so that a number says what it means. */
enum {
	LEAF_BASIC = 0x1,
	LEAF_TOPOLOGY_AMD = 0x8000001e,
	LEAF_TOPOLOGY_AMD_V2 = 0x80000026,
};

/* Type codes of the levels in ECX[15:8], by level: of leaves 0xB and 0x1F, and of
 * 0x80000026, which names what the CPUs of a level are in (core, complex, die, socket). */
static const uint8_t intel_types[X86_LEVELS] = { 1, 2, 3, 5 };
static const uint8_t amd_types[X86_LEVELS] = { 1, 2, 3, 4 };

static unsigned width(unsigned count)
{
	unsigned bits = 0;

	while (bits < 31 && 1U << bits < count)
		bits++;
	return bits;
}

void x86_levels(const struct gcpu_machine *m, struct x86_levels *ret)
{
	const unsigned counts[X86_LEVELS] = { m->threads, m->cores, m->modules, m->dies };
	unsigned shift = 0, cpus = 1;

	for (unsigned i = 0; i < X86_LEVELS; i++) {
		shift += width(counts[i]);
		cpus *= counts[i];
		ret->count[i] = counts[i];
		ret->shift[i] = shift;
		ret->cpus[i] = cpus;
	}
}

/* Each level has a whole number of bits, so ids have gaps where counts are not
 * powers of two. */
int x86_ids(struct gcpu_plan *p, struct gcpu_error *err)
{
	const struct gcpu_machine *m = &p->machine;
	unsigned most = (unsigned)gcpu_snapshot_capability(p->snap, CAP_MAX_VCPU_ID);
	struct x86_levels l;

	x86_levels(m, &l);
	for (unsigned i = 0; i < m->vcpus; i++) {
		unsigned id = i / l.cpus[X86_DIE] << l.shift[X86_DIE] | i % l.count[X86_THREAD];

		for (unsigned k = X86_CORE; k < X86_LEVELS; k++)
			id |= i / l.cpus[k - 1] % l.count[k] << l.shift[k - 1];
		p->vcpu_ids[i] = id;
		if (most && id >= most) {
			error_set(err, GCPU_ERR_MACHINE, "vCPU %u gets APIC id %u", i, id);
			error_expected(err, "ids below %u, what this KVM allows", most);
			return GCPU_ERR_MACHINE;
		}
	}
	return 0;
}

/* Does the leaf tell of level K? Leaf 0xB knows threads and cores only; of levels
 * above a core one is left out where there is only one of it. */
static bool level_told(const struct x86_levels *l, uint32_t leaf, unsigned k)
{
	if (leaf == LEAF_TOPOLOGY_AMD_V2)
		return k != X86_MODULE || l->count[X86_DIE] > 1;
	return k <= X86_CORE || (leaf == X86_LEAF_TOPOLOGY_V2 && l->count[k] > 1);
}

/* The levels are told from the thread up; the last one reaches up to the package. */
static bool extended_topology(const struct gcpu_plan *p, struct gcpu_cpuid *e)
{
	const uint8_t *types = e->leaf == LEAF_TOPOLOGY_AMD_V2 ? amd_types : intel_types;
	unsigned told[X86_LEVELS], n = 0, k;
	struct x86_levels l;

	x86_levels(&p->machine, &l);
	for (k = 0; k < X86_LEVELS; k++)
		if (level_told(&l, e->leaf, k))
			told[n++] = k;
	e->eax = e->ebx = e->edx = 0;
	e->ecx = e->subleaf & 0xff;
	if (e->subleaf < n) {
		k = e->subleaf == n - 1 ? X86_DIE : told[e->subleaf];
		e->eax = l.shift[k];
		e->ebx = l.cpus[k] & 0xffff;
		e->ecx |= (uint32_t)types[told[e->subleaf]] << 8;
	}
	/* one more, of no type, ends the list */
	return e->subleaf <= n;
}

bool x86_topology_leaf(const struct gcpu_plan *p, struct gcpu_cpuid *e)
{
	if (e->leaf == LEAF_TOPOLOGY_AMD) {
		/* one node per processor, whatever dies it has: more were of Zen 1 only */
		e->eax = e->ecx = e->edx = 0;
		e->ebx = ((p->machine.threads - 1) & 0xff) << 8;
		return e->subleaf == 0;
	}
	return extended_topology(p, e);
}

bool x86_topology_wanted(const struct gcpu_plan *p, uint32_t leaf)
{
	return leaf != X86_LEAF_TOPOLOGY || p->props[X86_P_CPUID_0XB];
}

void x86_vcpu_entry(const struct gcpu_plan *p, unsigned vcpu, struct gcpu_cpuid *e)
{
	unsigned id = p->vcpu_ids[vcpu];
	struct x86_levels l;

	switch (e->leaf) {
	case LEAF_BASIC:
		e->ebx |= (id & 0xff) << 24;
		break;
	case X86_LEAF_TOPOLOGY:
	case X86_LEAF_TOPOLOGY_V2:
	case LEAF_TOPOLOGY_AMD_V2:
		if (x86_topology_wanted(p, e->leaf))
			e->edx = id;
		break;
	case LEAF_TOPOLOGY_AMD:
		if (!field_get(p, p->value, X86_F_TOPOEXT))
			break;
		x86_levels(&p->machine, &l);
		e->eax = id;
		e->ebx |= vcpu % l.cpus[X86_DIE] / l.count[X86_THREAD] & 0xff;
		e->ecx |= vcpu / l.cpus[X86_DIE] & 0xff;
		break;
	default:
		break;
	}
}

/* More than one logical CPU in a package has to be said, for every model. */
static void several_cpus(struct gcpu_plan *p)
{
	if (!field_get(p, p->value, X86_F_HT))
		plan_set(p, X86_F_HT, 1, X86_R_TOPOLOGY_HT);
	if (plan_rule_holds(p, X86_R_TOPOLOGY_CMP_LEGACY, X86_F_CMP_LEGACY) &&
	    !field_get(p, p->value, X86_F_CMP_LEGACY))
		plan_set(p, X86_F_CMP_LEGACY, 1, X86_R_TOPOLOGY_CMP_LEGACY);
}

/* Counts and widths in the words that are the same on every vCPU. */
void x86_topology_words(struct gcpu_plan *p)
{
	unsigned shift, cpus, ids;
	struct x86_levels l;

	x86_levels(&p->machine, &l);
	shift = l.shift[X86_DIE];
	cpus = l.cpus[X86_DIE];
	/* Intel counts the ids that a package may use, others its logical CPUs */
	ids = x86_like_intel(p) ? 1U << (shift > 8 ? 8 : shift) : cpus;
	p->value[p->facts->fields[X86_F_CLFLUSH_SIZE].word] = 0;
	field_put(p, p->value, X86_F_CLFLUSH_SIZE, field_get(p, p->offer, X86_F_CLFLUSH_SIZE));
	p->value[X86_W_CPUID_0X80000008_0X0_ECX] = 0;
	if (cpus == 1)
		return;
	plan_set(p, X86_F_N_LOGICAL_CPU, ids > 255 ? 255 : ids,
		 x86_like_intel(p) ? X86_R_TOPOLOGY_HT : X86_R_COUNTS_CPUS);
	several_cpus(p);
	if (x86_like_intel(p))
		return; /* ECX of 0x80000008 is reserved there */
	field_put(p, p->value, X86_F_CPU_NTHREADS, cpus > 256 ? 255 : cpus - 1);
	field_put(p, p->value, X86_F_APICID_COREID_LEN, shift);
}

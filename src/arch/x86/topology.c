/* SPDX-License-Identifier: MIT */
/* APIC ids and the leaves that differ per vCPU. */
#include "x86.h"

#include <string.h>

/* Leaves by name, so that a number says what it means. */
enum {
	LEAF_BASIC = 0x1,
	LEAF_CACHE = 0x4,
	LEAF_TOPOLOGY = 0xb,
	LEAF_TOPOLOGY_V2 = 0x1f,
	LEAF_CACHE_AMD = 0x8000001d,
	LEAF_TOPOLOGY_AMD = 0x8000001e,
};

/* Level types of leaves 0xB and 0x1F, ECX[15:8]. */
enum { LEVEL_THREAD = 1, LEVEL_CORE = 2, LEVEL_DIE = 5 };

static unsigned width(unsigned count)
{
	unsigned bits = 0;

	while (bits < 31 && 1U << bits < count)
		bits++;
	return bits;
}

void x86_levels(const struct gcpu_machine *m, struct x86_levels *ret)
{
	ret->thread_bits = width(m->threads);
	ret->core_bits = width(m->cores);
	ret->die_bits = width(m->dies);
	ret->per_core = m->threads;
	ret->per_die = m->threads * m->cores;
	ret->per_package = ret->per_die * m->dies;
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
		unsigned thread = i % m->threads, core = i / m->threads % m->cores;
		unsigned die = i / l.per_die % m->dies, socket = i / l.per_package;
		unsigned id = socket;

		id = id << l.die_bits | die;
		id = id << l.core_bits | core;
		id = id << l.thread_bits | thread;
		p->vcpu_ids[i] = id;
		if (most && id >= most) {
			error_set(err, GCPU_ERR_MACHINE, "vCPU %u gets APIC id %u", i, id);
			error_expected(err, "ids below %u, what this KVM allows", most);
			return GCPU_ERR_MACHINE;
		}
	}
	return 0;
}

static void level(struct gcpu_cpuid *e, unsigned shift, unsigned count, unsigned type)
{
	e->eax = shift;
	e->ebx = count & 0xffff;
	e->ecx = type << 8 | (e->subleaf & 0xff);
	if (!type) {
		e->eax = e->ebx = 0;
		e->ecx = e->subleaf & 0xff;
	}
	e->edx = 0;
}

static bool extended_topology(const struct gcpu_plan *p, struct gcpu_cpuid *e)
{
	bool dies = e->leaf == LEAF_TOPOLOGY_V2 && p->machine.dies > 1;
	struct x86_levels l;
	unsigned core_shift, all_shift;

	x86_levels(&p->machine, &l);
	core_shift = l.thread_bits + l.core_bits;
	all_shift = core_shift + l.die_bits;
	if (e->subleaf == 0)
		level(e, l.thread_bits, l.per_core, LEVEL_THREAD);
	else if (e->subleaf == 1 && dies)
		level(e, core_shift, l.per_die, LEVEL_CORE);
	else if (e->subleaf == 1)
		level(e, all_shift, l.per_package, LEVEL_CORE);
	else if (e->subleaf == 2 && dies)
		level(e, all_shift, l.per_package, LEVEL_DIE);
	else if (e->subleaf == (dies ? 3U : 2U))
		level(e, 0, 0, 0);
	else
		return false;
	return true;
}

bool x86_topology_leaf(const struct gcpu_plan *p, struct gcpu_cpuid *e)
{
	if (e->leaf == LEAF_TOPOLOGY_AMD) {
		e->eax = 0;
		e->ebx = (p->machine.threads - 1) << 8;
		e->ecx = (p->machine.sockets > 1 ? 0U : p->machine.dies - 1) << 8;
		e->edx = 0;
		return e->subleaf == 0;
	}
	return extended_topology(p, e);
}

/* Caches are the host's; who shares them is this machine's. */
void x86_cache_leaf(const struct gcpu_plan *p, struct gcpu_cpuid *e)
{
	unsigned cache_level = e->eax >> 5 & 7;
	struct x86_levels l;
	unsigned sharing;

	if ((e->eax & 0x1f) == 0)
		return;
	x86_levels(&p->machine, &l);
	sharing = cache_level >= 3 ? l.per_die : l.per_core;
	e->eax &= 0x3fff;
	e->eax |= ((sharing - 1) & 0xfff) << 14;
	if (e->leaf == LEAF_CACHE) {
		unsigned cores = p->machine.cores * p->machine.dies - 1;

		e->eax |= (cores > 63 ? 63 : cores) << 26;
	}
}

void x86_vcpu_entry(const struct gcpu_plan *p, unsigned vcpu, struct gcpu_cpuid *e)
{
	unsigned id = p->vcpu_ids[vcpu];

	switch (e->leaf) {
	case LEAF_BASIC:
		e->ebx |= (id & 0xff) << 24;
		break;
	case LEAF_TOPOLOGY:
	case LEAF_TOPOLOGY_V2:
		e->edx = id;
		break;
	case LEAF_TOPOLOGY_AMD:
		e->eax = id;
		e->ebx |= vcpu / p->machine.threads % (p->machine.cores * p->machine.dies) & 0xff;
		e->ecx |= vcpu / (p->machine.threads * p->machine.cores) & 0xff;
		break;
	default:
		break;
	}
}

/* Counts and widths in the words that are the same on every vCPU. */
void x86_topology_words(struct gcpu_plan *p)
{
	const struct field_fact *f = p->facts->fields;
	struct x86_levels l;
	bool intel = strcmp(gcpu_snapshot_vendor(p->snap), "GenuineIntel") == 0;
	unsigned bits, ids;

	x86_levels(&p->machine, &l);
	bits = l.thread_bits + l.core_bits + l.die_bits;
	/* Intel counts the ids that a package may use, others its logical CPUs */
	ids = intel ? 1U << (bits > 8 ? 8 : bits) : l.per_package;
	ids = ids > 255 ? 255 : ids;
	p->value[f[X86_F_CLFLUSH_SIZE].word] = 0;
	field_put(p, p->value, X86_F_CLFLUSH_SIZE, field_get(p, p->offer, X86_F_CLFLUSH_SIZE));
	field_put(p, p->value, X86_F_N_LOGICAL_CPU, l.per_package > 1 ? ids : 0);
	p->value[X86_W_CPUID_0X80000008_0X0_ECX] = 0;
	if (l.per_package > 1) {
		if (!field_get(p, p->value, X86_F_HT))
			plan_set(p, X86_F_HT, 1, X86_R_TOPOLOGY_HT);
		if (field_get(p, p->offer, X86_F_CMP_LEGACY) &&
		    !field_get(p, p->value, X86_F_CMP_LEGACY))
			plan_set(p, X86_F_CMP_LEGACY, 1, X86_R_TOPOLOGY_CMP_LEGACY);
		if (intel)
			return; /* ECX of 0x80000008 is reserved there */
		field_put(p, p->value, X86_F_CPU_NTHREADS, l.per_package - 1);
		field_put(p, p->value, X86_F_APICID_COREID_LEN, bits);
	}
}

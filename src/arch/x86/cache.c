/* SPDX-License-Identifier: MIT */
/* Caches are the host's, or those of no real CPU; who shares them is this machine's. */
#include "x86.h"

enum { LEAF_DESCRIPTORS = 0x2, LEAF_CACHE = 0x4, LEAF_L1 = 0x80000005U, LEAF_L2_L3 = 0x80000006U };

/* Leaf 2 that tells nothing of caches: descriptor 0xff, "see leaf 4", and one pass. */
#define DESCRIPTORS_SEE_LEAF_4 0xff01U

static uint32_t part(const struct gcpu_plan *p, unsigned which, uint32_t value)
{
	return part_get(&p->facts->parts[which], value);
}

static uint32_t with(const struct gcpu_plan *p, unsigned which, uint32_t reg, uint32_t value)
{
	const struct part_fact *f = &p->facts->parts[which];
	uint32_t most = part_get(f, UINT32_MAX);

	return part_put(f, reg, value > most ? most : value);
}

/* Both vendors have the leaf of L2 and L3; of the others each has its own, and the
 * other's are reserved. */
static bool vendors_own(const struct gcpu_plan *p, uint32_t leaf)
{
	return leaf == LEAF_L2_L3 || (leaf < X86_EXTENDED) == x86_like_intel(p);
}

const struct cache_fact *x86_made_cache(const struct gcpu_plan *p, uint32_t leaf, uint32_t subleaf)
{
	static const struct cache_fact nothing;

	for (unsigned i = 0; !p->props[X86_P_HOST_CACHE_INFO] && i < p->facts->n_caches; i++)
		if (p->facts->caches[i].leaf == leaf && p->facts->caches[i].subleaf == subleaf)
			return vendors_own(p, leaf) ? &p->facts->caches[i] : &nothing;
	return NULL;
}

bool x86_cache_unreported(const struct gcpu_plan *p, const struct snap_cpuid *s)
{
	bool empty = !s->regs[0] && !s->regs[1] && !s->regs[2] && !s->regs[3];

	return empty && p->props[X86_P_HOST_CACHE_INFO] && (s->leaf == LEAF_L1 || s->leaf == LEAF_L2_L3);
}

/* Logical CPUs in a core of the host; most hosts have one or two. */
static unsigned host_threads(const struct gcpu_plan *p)
{
	const struct snap_cpuid *e = snapshot_cpuid(p->snap, SNAP_NATIVE, X86_LEAF_TOPOLOGY, 0);
	unsigned n = e ? part(p, X86_PART_DOMAIN_LCPUS_COUNT, e->regs[1]) : 0;

	return n ? n : 2;
}

/* APIC ids that share a cache, a power of two: no fewer than a core's, no more than
 * those of the level that it belongs to, and between these as on the host. */
static unsigned shared_by(const struct gcpu_plan *p, unsigned level, unsigned host)
{
	struct x86_levels l;
	unsigned least, most, ids = 1;

	x86_levels(&p->machine, &l);
	least = 1U << l.shift[X86_THREAD];
	most = 1U << l.shift[level >= 3 ? X86_MODULE : X86_CORE];
	if (!p->props[X86_P_HOST_CACHE_INFO])
		host = level >= 3 ? most : least;
	else if (level <= 2 && host <= host_threads(p))
		most = least;
	while (ids < host)
		ids <<= 1;
	return ids < least ? least : ids > most ? most : ids;
}

static void clear(struct gcpu_cpuid *e)
{
	e->eax = e->ebx = e->ecx = e->edx = 0;
}

/* Leaves that tell of all caches at once. */
static void summary(const struct gcpu_plan *p, struct gcpu_cpuid *e)
{
	if (p->props[X86_P_L3_CACHE])
		return;
	if (e->leaf == LEAF_L2_L3)
		e->edx = 0;
	if (e->leaf == LEAF_DESCRIPTORS && e->eax) {
		clear(e);
		e->eax = DESCRIPTORS_SEE_LEAF_4;
	}
}

void x86_cache_leaf(const struct gcpu_plan *p, struct gcpu_cpuid *e, bool list)
{
	unsigned level = part(p, X86_PART_CACHE_LEVEL, e->eax), cores = 1;
	struct x86_levels l;

	if (!list) {
		summary(p, e);
		return;
	}
	if (part(p, X86_PART_CACHE_TYPE, e->eax) == 0)
		return;
	if (level >= 3 && !p->props[X86_P_L3_CACHE]) {
		clear(e);
		return;
	}
	x86_levels(&p->machine, &l);
	e->eax = with(p, X86_PART_NUM_THREADS_SHARING, e->eax,
		      shared_by(p, level, part(p, X86_PART_NUM_THREADS_SHARING, e->eax) + 1) - 1);
	/* AMD's leaf is laid out the same; what counts cores is reserved there */
	if (e->leaf == LEAF_CACHE)
		cores = 1U << (l.shift[X86_DIE] - l.shift[X86_THREAD]);
	e->eax = with(p, X86_PART_NUM_CORES_ON_DIE, e->eax, cores - 1);
}

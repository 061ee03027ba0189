/* SPDX-License-Identifier: MIT */
/* Caches are the host's; who shares them is this machine's. */
#include "x86.h"

enum { LEAF_CACHE = 0x4, LEAF_TOPOLOGY = 0xb };

/* Types in EAX[4:0]. */
enum { CACHE_NONE = 0 };

/* Logical CPUs in a core of the host; most hosts have one or two. */
static unsigned host_threads(const struct gcpu_plan *p)
{
	const struct snap_cpuid *e = snapshot_cpuid(p->snap, SNAP_NATIVE, LEAF_TOPOLOGY, 0);
	unsigned n = e ? e->regs[1] & 0xffff : 0;

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
	if (level <= 2 && host <= host_threads(p))
		most = least;
	while (ids < host)
		ids <<= 1;
	return ids < least ? least : ids > most ? most : ids;
}

bool x86_cache_leaf(const struct gcpu_plan *p, struct gcpu_cpuid *e)
{
	unsigned type = e->eax & 0x1f, level = e->eax >> 5 & 7, host = (e->eax >> 14 & 0xfff) + 1;
	struct x86_levels l;
	unsigned cores;

	if (type == CACHE_NONE)
		return true;
	if (level >= 3 && !p->props[X86_P_L3_CACHE])
		return false;
	x86_levels(&p->machine, &l);
	e->eax &= 0x3fff;
	e->eax |= ((shared_by(p, level, host) - 1) & 0xfff) << 14;
	cores = 1U << (l.shift[X86_DIE] - l.shift[X86_THREAD]);
	if (e->leaf == LEAF_CACHE)
		e->eax |= (cores > 64 ? 63 : cores - 1) << 26;
	return true;
}

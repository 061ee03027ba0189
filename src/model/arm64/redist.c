/* SPDX-License-Identifier: MIT */
/* Where a GICv3 has its redistributors: one region for all vCPUs, or several of so many each. */
#include "arm64.h"

/* Of a region's attribute: bits 0 to 11 which one, 12 to 15 none, from 16 on the address, from 52 on how many. */
#define REGION_INDEX 0xfffU
#define REGION_FLAGS 0xf000U
#define REGION_BASE 0x000fffffffff0000ULL
#define REGION_COUNT_SHIFT 52

static const struct arm64_redist *region(const struct arm64_gic *g, size_t i)
{
	return i < g->redists.n ? LIST_AT(&g->redists, struct arm64_redist, i) : NULL;
}

/* The region of all vCPUs grows with them. */
static uint64_t size_of(const struct sw_vm *vm, unsigned count)
{
	return (count ? count : vm->n_vcpus) * GK_VGIC_V3_REDIST_SIZE;
}

static bool meet(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a + a_size > b && a < b + b_size;
}

static bool meets_a_region(const struct sw_vm *vm, uint64_t at, uint64_t size)
{
	const struct arm64_gic *g = &arm64_vm(vm)->gic;

	for (size_t i = 0; i < g->redists.n; i++)
		if (meet(at, size, region(g, i)->base, size_of(vm, region(g, i)->count)))
			return true;
	return false;
}

/* -EINVAL or -E2BIG: no place for a frame. */
static int fits(const struct sw_vm *vm, uint64_t at, uint64_t size)
{
	unsigned bits = arm64_vm(vm)->ipa_bits;

	if (at % SIZE_64K || at + size < at)
		return -EINVAL;
	return at >> bits || at + size > 1ULL << bits ? -E2BIG : 0;
}

bool arm64_gic_placed(const struct sw_vm *vm)
{
	const struct arm64_gic *g = &arm64_vm(vm)->gic;

	for (size_t i = 0; i < g->redists.n; i++)
		if (fits(vm, region(g, i)->base, size_of(vm, region(g, i)->count)))
			return false;
	return g->dist == NOWHERE ||
	       (g->dist + GK_VGIC_V3_DIST_SIZE > g->dist && !meets_a_region(vm, g->dist, GK_VGIC_V3_DIST_SIZE));
}

bool arm64_has_redist(const struct sw_vm *vm, unsigned n)
{
	const struct arm64_gic *g = &arm64_vm(vm)->gic;
	uint64_t room = 0;

	for (size_t i = 0; i < g->redists.n; i++) {
		if (!region(g, i)->count)
			return true;
		room += region(g, i)->count;
	}
	return n <= room;
}

/* Does a region go here, after those that there are? */
static int follows(const struct sw_vm *vm, unsigned index, uint64_t at, unsigned count)
{
	const struct arm64_gic *g = &arm64_vm(vm)->gic;
	const struct arm64_redist *last = g->redists.n ? region(g, g->redists.n - 1) : NULL;
	uint64_t size = size_of(vm, count);

	if (at + size < at)
		return -EINVAL;
	if (last && !count)
		return last->count ? -EINVAL : -EEXIST;
	if (index != g->redists.n)
		return -EINVAL;
	if (!count && g->dist != NOWHERE && meet(at, size, g->dist, GK_VGIC_V3_DIST_SIZE))
		return -EINVAL;
	return meets_a_region(vm, at, size) ? -EINVAL : fits(vm, at, size);
}

static int add(struct sw_vm *vm, unsigned index, uint64_t at, unsigned count)
{
	struct arm64_gic *g = &arm64_vm(vm)->gic;
	int status = follows(vm, index, at, count);
	struct arm64_redist *r;

	if (status)
		return status;
	r = list_add(&g->redists, sizeof(*r));
	if (!r)
		return -ENOMEM;
	*r = (struct arm64_redist){ at, count };
	/* vCPUs that there are take their places at once */
	if (vm->n_vcpus && !arm64_gic_placed(vm)) {
		g->redists.n--;
		return -EINVAL;
	}
	return 0;
}

int arm64_set_redist(struct sw_vm *vm, uint64_t at)
{
	return add(vm, 0, at, 0);
}

int arm64_set_redist_region(struct sw_vm *vm, uint64_t value)
{
	unsigned count = (unsigned)(value >> REGION_COUNT_SHIFT);

	if (!count || (value & REGION_FLAGS))
		return -EINVAL;
	return add(vm, (unsigned)(value & REGION_INDEX), value & REGION_BASE, count);
}

uint64_t arm64_redist(const struct sw_vm *vm)
{
	const struct arm64_redist *r = region(&arm64_vm(vm)->gic, 0);

	return r ? r->base : NOWHERE;
}

int arm64_redist_region(const struct sw_vm *vm, uint64_t *value)
{
	const struct arm64_redist *r = region(&arm64_vm(vm)->gic, *value & REGION_INDEX);

	if (!r)
		return -ENOENT;
	*value = (*value & REGION_INDEX) | r->base | (uint64_t)r->count << REGION_COUNT_SHIFT;
	return 0;
}

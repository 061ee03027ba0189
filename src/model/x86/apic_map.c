/* SPDX-License-Identifier: MIT */
/*
 * Who gets an interrupt: by KVM's map of ids where it has one, else by asking
 * every APIC. The map is made anew when an APIC changes, of the vCPUs that are
 * there then: one that has just been created is not yet among them. Here that is
 * put off until somebody asks: with each of many vCPUs it would cost their square.
 */
#include "x86.h"

#include <stdlib.h>
#include <string.h>

#define XAPIC_LAST 0xffU
#define BROADCAST 0xffU
#define X2APIC_BROADCAST 0xffffffffU
#define DFR_CLUSTER 0x0fffffffU
#define EACH(vm, i, x) FIRST((vm)->n_vcpus, vm, i, x)
#define FIRST(n, vm, i, x) \
	for (unsigned i = 0; i < (n); i++) \
		for (struct x86_vcpu *x = x86_vcpu((vm)->vcpus[i]); x; x = NULL)

void x86_map_changed(struct x86_vcpu *x)
{
	x86_vm(x->v->vm)->guest->map.dirty = true;
}

void x86_map_free(struct x86_map *map)
{
	free(map->phys);
	memset(map, 0, sizeof(*map));
}

static uint32_t xapic_id(const struct x86_vcpu *x)
{
	return x86_apic_reg(x, APIC_REG_ID) >> 24;
}

/* By what it is found in x2APIC mode: its own, or, before that was fixed, what a VMM left of it. */
static uint32_t x2apic_id(const struct x86_vcpu *x)
{
	bool fixed = !x86_apic_x2(x) || sw_behaves(x86_model(x), BEHAVIOUR_X2APIC_ID_FIXED);

	return fixed ? x->v->id : x86_apic_reg(x, APIC_REG_ID);
}

static bool ids_32bit(const struct sw_vm *vm)
{
	return x86_vm(vm)->x2apic_flags & GK_X2APIC_API_USE_32BIT_IDS;
}

/* false: two have the same id, and KVM gives up on a map. */
static bool map_physical(struct x86_map *map, struct x86_vcpu *x)
{
	uint32_t own = x2apic_id(x);
	bool x2 = x86_apic_x2(x);

	if (ids_32bit(x->v->vm) || !sw_behaves(x86_model(x), BEHAVIOUR_SHARED_IDS_REACHED)) {
		if (x2 || own > XAPIC_LAST)
			map->phys[own] = x;
		if (!x2 && !map->phys[xapic_id(x)])
			map->phys[xapic_id(x)] = x;
		return true;
	}
	own = x2 ? own : xapic_id(x);
	if (map->phys[own])
		return false;
	map->phys[own] = x;
	return true;
}

static void map_logical(struct x86_map *map, struct x86_vcpu *x)
{
	uint32_t ldr = x86_apic_reg(x, APIC_REG_LDR);
	enum x86_logical mode = LOGICAL_X2APIC;
	struct x86_vcpu **at;

	if (map->logical == LOGICAL_MIXED || !x86_apic_on(x) || !ldr)
		return;
	if (!x86_apic_x2(x))
		mode = x86_apic_reg(x, APIC_REG_DFR) == APIC_DFR_FLAT ? LOGICAL_FLAT : LOGICAL_CLUSTER;
	if (map->logical == LOGICAL_NONE)
		map->logical = mode;
	if (map->logical != mode) {
		map->logical = LOGICAL_MIXED;
		return;
	}
	if (mode == LOGICAL_X2APIC)
		return;
	ldr >>= 24;
	at = mode == LOGICAL_FLAT ? map->flat : map->cluster[ldr >> 4];
	ldr &= mode == LOGICAL_FLAT ? 0xff : 0xf;
	if (!ldr)
		return;
	at += __builtin_ctz(ldr);
	if ((ldr & (ldr - 1)) || *at)
		map->logical = LOGICAL_MIXED;
	else
		*at = x;
}

void x86_map_update(struct sw_vm *vm)
{
	struct x86_map *map = &x86_vm(vm)->guest->map;

	if (map->dirty) {
		map->dirty = false;
		map->due = true;
		map->among = vm->n_vcpus;
	}
}

void x86_map_settle(struct sw_vm *vm)
{
	struct x86_map *map = &x86_vm(vm)->guest->map;
	struct x86_map was = *map;
	uint32_t max = XAPIC_LAST;

	if (!was.due)
		return;
	x86_map_free(map);
	map->dirty = was.dirty;
	FIRST(was.among, vm, i, x)
		if (x86_apic_hw(x) && x2apic_id(x) > max)
			max = x2apic_id(x);
	map->max = max;
	map->phys = calloc((size_t)max + 1, sizeof(struct x86_vcpu *));
	map->exists = map->phys;
	FIRST(was.among, vm, i, x) {
		if (!map->exists || !x86_apic_hw(x))
			continue;
		map->exists = map_physical(map, x);
		if (map->exists)
			map_logical(map, x);
	}
}

int x86_accept(struct x86_vcpu *x, const struct x86_irq *irq)
{
	struct x86_guest *g = x->guest;

	switch (irq->mode) {
	case DELIVER_FIXED:
	case DELIVER_LOWEST:
		if ((irq->level && !irq->assert) || !x86_apic_on(x))
			return 0;
		x86_apic_set_vector(x, APIC_REG_TMR, irq->vector, irq->level);
		x86_apic_set_vector(x, APIC_REG_IRR, irq->vector, true);
		return 1;
	case DELIVER_KICK:
		g->unhalted = true;
		return 1;
	case DELIVER_SMI:
		return 1; /* and nothing comes of it: no SMM is played */
	case DELIVER_NMI:
		x86_nmi_raise(x);
		return 1;
	case DELIVER_INIT:
		if (irq->level && !irq->assert)
			return 0;
		g->events = EVENT_INIT;
		return 1;
	case DELIVER_SIPI:
		g->sipi_vector = irq->vector;
		g->events |= EVENT_SIPI;
		return 1;
	default:
		return 0;
	}
}

static bool match_logical(const struct x86_vcpu *x, uint32_t dest)
{
	uint32_t ldr = x86_apic_reg(x, APIC_REG_LDR);

	if (x86_apic_x2(x))
		return ldr >> 16 == dest >> 16 && (ldr & dest & 0xffff);
	ldr >>= 24;
	switch (x86_apic_reg(x, APIC_REG_DFR)) {
	case APIC_DFR_FLAT:
		return ldr & dest;
	case DFR_CLUSTER:
		return ldr >> 4 == dest >> 4 && (ldr & dest & 0xf);
	default:
		return false;
	}
}

/* As every APIC would see it for itself. */
static bool matches(const struct x86_vcpu *x, const struct x86_vcpu *from, const struct x86_irq *irq)
{
	uint32_t dest = irq->dest;

	switch (irq->shorthand) {
	case ICR_TO_SELF:
		return x == from;
	case ICR_TO_ALL:
		return true;
	case ICR_TO_OTHERS:
		return x != from;
	default:
		break;
	}
	/* devices know of 8 bits: theirs is everybody's broadcast, unless the VMM says otherwise */
	if (!from && dest == BROADCAST && x86_apic_x2(x) &&
	    !(x86_vm(x->v->vm)->x2apic_flags & GK_X2APIC_API_DISABLE_BROADCAST_QUIRK))
		dest = X2APIC_BROADCAST;
	if (dest == (x86_apic_x2(x) ? X2APIC_BROADCAST : BROADCAST))
		return true;
	if (irq->logical)
		return match_logical(x, dest);
	return dest == (x86_apic_x2(x) || dest > XAPIC_LAST ? x2apic_id(x) : xapic_id(x));
}

static bool lowest(const struct x86_irq *irq)
{
	return irq->mode == DELIVER_LOWEST || irq->redirect;
}

static bool is_broadcast(const struct sw_vm *vm, const struct x86_vcpu *from, const struct x86_irq *irq)
{
	bool x2_ipi = from && x86_apic_x2(from);

	if (x86_vm(vm)->x2apic_flags & GK_X2APIC_API_DISABLE_BROADCAST_QUIRK)
		return irq->dest == X2APIC_BROADCAST ||
		       (irq->dest == BROADCAST && x86_vm(vm)->guest->map.logical != LOGICAL_X2APIC);
	return irq->dest == (x2_ipi ? X2APIC_BROADCAST : BROADCAST);
}

/* Those that a logical destination names: their places, and which of them. */
static struct x86_vcpu **logical_places(struct x86_map *map, uint32_t dest, uint32_t *ret_bits)
{
	uint32_t first = (dest >> 16) * 16, n;

	switch (map->logical) {
	case LOGICAL_FLAT:
		*ret_bits = dest & 0xff;
		return map->flat;
	case LOGICAL_CLUSTER:
		*ret_bits = dest & 0xf;
		return map->cluster[dest >> 4 & 0xf];
	case LOGICAL_X2APIC:
		if (first > map->max)
			break;
		n = map->max - first + 1 < 16 ? map->max - first + 1 : 16;
		*ret_bits = dest & (0xffffU >> (16 - n));
		return map->phys + first;
	default:
		break;
	}
	*ret_bits = 0;
	return map->flat;
}

/* By the map. false: it does not help. */
static bool deliver_by_map(struct sw_vm *vm, const struct x86_vcpu *from, const struct x86_irq *irq, int *ret)
{
	struct x86_map *map = &x86_vm(vm)->guest->map;
	struct x86_vcpu **at;
	uint32_t bits = 1;

	if (irq->shorthand || !map->exists || is_broadcast(vm, from, irq))
		return false;
	*ret = 0;
	if (!irq->logical) {
		if (irq->dest <= map->max && map->phys[irq->dest])
			*ret = x86_accept(map->phys[irq->dest], irq);
		return true;
	}
	if (map->logical == LOGICAL_MIXED ||
	    (map->logical == LOGICAL_NONE && !sw_behaves(vm->model, BEHAVIOUR_NO_LOGICAL_IDS_KNOWN)))
		return false;
	at = logical_places(map, irq->dest, &bits);
	if (bits && lowest(irq)) {
		/* of those that are named, there or not, one by the vector */
		for (unsigned n = irq->vector % (unsigned)__builtin_popcount(bits); n; n--)
			bits &= bits - 1;
		bits &= ~bits + 1;
	}
	for (unsigned i = 0; i < 16; i++)
		if ((bits >> i & 1) && at[i])
			*ret += x86_accept(at[i], irq);
	return true;
}

/* By asking everybody; of those that share one, the vector chooses. */
static int deliver_by_asking(struct sw_vm *vm, const struct x86_vcpu *from, struct x86_irq *irq)
{
	unsigned candidates = 0, chosen;
	int taken = -1;

	if (!irq->logical && irq->dest == BROADCAST && lowest(irq))
		irq->mode = DELIVER_FIXED;
	EACH(vm, i, x) {
		if (!x86_apic_hw(x) || !matches(x, from, irq))
			continue;
		if (!lowest(irq))
			taken = (taken < 0 ? 0 : taken) + x86_accept(x, irq);
		else
			candidates += x86_apic_on(x);
	}
	if (!candidates)
		return taken;
	chosen = irq->vector % candidates;
	EACH(vm, i, x)
		if (x86_apic_on(x) && matches(x, from, irq) && !chosen--)
			return x86_accept(x, irq);
	return taken;
}

int x86_deliver(struct sw_vm *vm, struct x86_vcpu *from, struct x86_irq *irq)
{
	int taken;

	if (irq->shorthand == ICR_TO_SELF && from)
		return x86_accept(from, irq);
	x86_map_settle(vm);
	return deliver_by_map(vm, from, irq, &taken) ? taken : deliver_by_asking(vm, from, irq);
}

int x86_deliver_many(struct sw_vm *vm, const uint64_t bits[2], unsigned width, uint32_t min,
		     const struct x86_irq *irq)
{
	struct x86_map *map = &x86_vm(vm)->guest->map;
	int taken = 0;

	x86_map_settle(vm);
	if (!map->exists)
		return -EOPNOTSUPP;
	for (unsigned word = 0; word < 2; word++)
		for (unsigned i = 0; i < 64; i++) {
			uint64_t id = (uint64_t)(uint32_t)(min + word * width) + i;

			if ((bits[word] >> i & 1) && id <= map->max && map->phys[id])
				taken += x86_accept(map->phys[id], irq);
		}
	return taken;
}

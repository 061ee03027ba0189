/* SPDX-License-Identifier: MIT */
/* The page of a kvmclock, as KVM writes and guest and host read it: KVM's msr.rst. */
#ifndef GUEST_PVCLOCK_H
#define GUEST_PVCLOCK_H

#include <stdint.h>

#define PVCLOCK_STABLE 1 /* of flags: the same on all vCPUs */

struct pvclock {
	uint32_t version, pad; /* odd while it is written */
	uint64_t tsc, time;    /* at this TSC it was this time, ns */
	uint32_t mul;
	int8_t shift;
	uint8_t flags, rest[2];
};

/* The time at a moment of the guest's TSC, ns. */
static inline uint64_t pvclock_at(const volatile struct pvclock *p, uint64_t tsc)
{
	uint64_t delta = tsc - p->tsc;

	delta = p->shift < 0 ? delta >> -p->shift : delta << p->shift;
	return p->time + (uint64_t)((unsigned __int128)delta * p->mul >> 32);
}

#endif

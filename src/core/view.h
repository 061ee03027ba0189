/* SPDX-License-Identifier: MIT */
/* What was planned for and read of one vCPU, by address. */
#ifndef GCPU_CORE_VIEW_H
#define GCPU_CORE_VIEW_H

#include "plan.h"

#include <guestcpu/verify.h>

struct view_word {
	uint64_t addr;
	uint64_t planned, kvm, guest;
	bool has_planned, has_kvm, has_guest;
};

struct gcpu_view {
	const struct gcpu_plan *plan;
	unsigned vcpu;
	struct list words; /* view_word */
};

/* The word of ADDR, added if need be; NULL if memory is exhausted. */
struct view_word *view_word(struct gcpu_view *v, uint64_t addr);
const struct view_word *view_find(const struct gcpu_view *v, uint64_t addr);
/* There are views, and all of them are of this plan. */
bool views_fit(const struct gcpu_plan *plan, struct gcpu_view *const *views, unsigned n_views);
/* KVM answered; leaves that it does not list read as 0. */
void view_kvm_done(struct gcpu_view *v);

#endif

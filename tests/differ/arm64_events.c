/* SPDX-License-Identifier: MIT */
/* What comes to a vCPU of arm64 from outside, and how it is debugged. */
#include "arm64.h"
#include "kvm/abi_more.h"

#include <string.h>

#define ENABLE 1U /* of KVM_SET_GUEST_DEBUG, see the exclusions */

/* arg0 bit 0: one waits, bit 1: with a syndrome; arg1 the syndrome, arg2 1: set, arg3 1: no pointer */
void make_arm_events(struct maker *m, struct step *s)
{
	s->arg[0] = random_next(&m->r) & (chance(&m->r, 90) ? 3 : 0xff);
	s->arg[1] = chance(&m->r, 70) ? random_next(&m->r) & 0x1ffffff : odd_number(&m->r);
	s->arg[2] = chance(&m->r, 60);
	s->arg[3] = chance(&m->r, 2);
}

void run_arm_events(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_arm_vcpu_events e = { .serror_pending = s->arg[0] & 1, .serror_has_esr = (uint8_t)(s->arg[0] >> 1),
					.serror_esr = s->arg[1] };

	a->status = ask_or_nowhere(w, vcpu_of(w, s), s->arg[2] ? GK_SET_VCPU_EVENTS : GK_GET_VCPU_EVENTS, s, &e);
	if (s->arg[2] || a->status)
		return;
	say(a, "an error waits", 0, 0, e.serror_pending);
	say(a, "syndromes", 0, 0, e.serror_has_esr);
	say(a, "its syndrome", 0, 0, e.serror_esr);
}

/* arg0 control, arg3 1: no pointer */
void make_arm_debug(struct maker *m, struct step *s)
{
	s->arg[0] = (chance(&m->r, 70) ? random_next(&m->r) & 0x30002 : odd_number(&m->r)) & 0xffffffff & ~(uint64_t)ENABLE;
	s->arg[3] = chance(&m->r, 3);
}

void run_arm_debug(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_arm_guest_debug d = { .control = (uint32_t)s->arg[0] };

	a->status = ask_or_nowhere(w, vcpu_of(w, s), GK_ARM_SET_GUEST_DEBUG, s, &d);
}

/* arg0 the line, low; arg3 1: no pointer */
void make_line(struct maker *m, struct step *s)
{
	static const uint16_t numbers[] = { 0, 1, 2, 15, 16, 27, 31, 32, 33, 63, 64, 95, 96, 255, 256, 1019, 1020, 8192 };

	s->arg[0] = (uint64_t)below(&m->r, 4) << GK_ARM_IRQ_TYPE_SHIFT | (uint64_t)below(&m->r, 3) << GK_ARM_IRQ_VCPU_SHIFT |
		    numbers[below(&m->r, COUNT(numbers))];
	if (chance(&m->r, 5))
		s->arg[0] = odd_number(&m->r) & 0xffffffff;
	s->arg[3] = chance(&m->r, 3);
}

void run_line(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_irq_level l = { .irq = (uint32_t)s->arg[0] };

	a->status = ask_or_nowhere(w, w->vm, GK_IRQ_LINE, s, &l);
}

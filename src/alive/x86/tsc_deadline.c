/* SPDX-License-Identifier: MIT */
/*
 * TSC deadline timer: the guest names a value of its TSC, and one interrupt
 * comes when that has passed. What the guest may do is in the timer's mode
 * bits: without the feature KVM masks them, and takes writes of the MSR for
 * nothing, without a fault.
 */
#include <string.h>

#include "facts_gen.h"
#include "x86.h"

#define WAIT_MS 20
#define LONGEST_MS 1280 /* a vCPU that was held up is asked again, for later */
#define LATE_LOOKS 50   /* from outside, for what went off and is held back */
#define LOOKS 80        /* while the wait goes on, and once more as long */
#define OPS_LOOK 3
#define OPS_BEFORE 5
#define OPS_MSR (OPS_BEFORE + LOOKS * OPS_LOOK)
#define OPS_ALL (OPS_MSR + 1 + OPS_LOOK + 1) /* one look more: what has gone off arrives by then */

struct shot {
	bool in_time;	      /* armed, or disarmed again, before it was due */
	bool gone;	      /* nothing was armed any more, before the last look */
	uint64_t armed_value; /* of the MSR, right after it was written */
	uint64_t left_value;  /* and at the end */
	uint64_t timer;	      /* LVTT as it reads */
	uint64_t before, came; /* interrupts */
	uint64_t due;
	int64_t after;	      /* cycles from when it was due to the first look that saw it */
};

static struct guest_op *add_look(struct guest_op *op, uint64_t cycles)
{
	*op++ = OP_SPIN(cycles);
	*op++ = OP(GUEST_OP_INTERRUPTS, 0);
	*op++ = OP(GUEST_OP_RDTSC, 0);
	return op;
}

static void take_look(struct shot *s, const struct guest_op *op, uint64_t before, uint64_t due)
{
	if (!s->came && op[1].res[0] != before)
		s->after = (int64_t)(op[2].res[0] - due);
	s->came = op[1].res[0] - before;
}

/* Arm the timer for MS from now, take that back if it is to DISARM, and look for an interrupt
 * until twice as long has passed. */
static int shoot(struct lab *lab, bool x2apic, unsigned ms, bool disarm, struct shot *s)
{
	uint64_t step = lab->khz * ms * 2 / LOOKS, due;
	struct guest_op ops[OPS_ALL], *look = ops + OPS_BEFORE;
	/* what an earlier shot has left is taken away first */
	struct guest_op now[] = { OP_WRMSR(MSR_TSC_DEADLINE, 0), OP_SPIN(lab->khz),
				  OP(GUEST_OP_INTERRUPTS, 0), OP(GUEST_OP_RDTSC, 0) };

	memset(s, 0, sizeof(*s));
	if (lab_run(lab, 0, now, COUNT(now)))
		return -1;
	s->before = now[2].res[0];
	s->due = due = now[3].res[0] + lab->khz * ms;
	ops[0] = op_apic(x2apic, APIC_LVTT, LVTT_DEADLINE | APIC_VECTOR);
	ops[1] = op_apic_read(x2apic, APIC_LVTT);
	ops[2] = OP_WRMSR(MSR_TSC_DEADLINE, due);
	ops[3] = disarm ? OP_WRMSR(MSR_TSC_DEADLINE, lab_wrong(lab, 0, due))
			: OP_RDMSR(MSR_TSC_DEADLINE);
	ops[4] = OP(GUEST_OP_RDTSC, 0);
	for (unsigned i = 0; i < LOOKS; i++)
		look = add_look(look, step);
	*look++ = OP_RDMSR(MSR_TSC_DEADLINE);
	look = add_look(look, step);
	*look = OP_RDMSR(MSR_TSC_DEADLINE);
	if (lab_run(lab, 0, ops, OPS_ALL))
		return -1;
	for (unsigned i = 0; i < OPS_ALL; i++)
		if (!op_done(&ops[i]))
			return say(lab->out, GCPU_ALIVE_FAILS, "exception %llu in operation %u",
				   (unsigned long long)ops[i].fault, i);
	s->in_time = (int64_t)(ops[4].res[0] - due) < 0;
	s->timer = ops[1].res[0];
	s->armed_value = ops[3].res[0];
	s->gone = !ops[OPS_MSR].res[0];
	s->left_value = ops[OPS_ALL - 1].res[0];
	for (unsigned i = 0; i < LOOKS; i++)
		take_look(s, &ops[OPS_BEFORE + i * OPS_LOOK], s->before, due);
	take_look(s, &ops[OPS_MSR + 1], s->before, due);
	return 0;
}

/* Gone off, and the guest has not got it: a KVM that is held up itself may keep it back until
 * the vCPU has left for its VMM and come again. */
static int shoot_late(struct lab *lab, struct shot *s)
{
	struct guest_op look[OPS_LOOK];

	for (unsigned i = 0; i < LATE_LOOKS && !s->came; i++) {
		add_look(look, lab->khz * WAIT_MS);
		if (lab_run(lab, 0, look, OPS_LOOK))
			return -1;
		take_look(s, look, s->before, s->due);
	}
	return 0;
}

static int64_t us(const struct lab *lab, int64_t cycles)
{
	return cycles * 1000 / (int64_t)lab->khz;
}

/* One interrupt, in its time: 0, *ret_us after it was due. Else the outcome says what came. */
static int fires(struct lab *lab, bool x2apic, int64_t *ret_us)
{
	const char *mode = x2apic ? "x2APIC" : "xAPIC";
	unsigned ms = WAIT_MS;
	struct shot s;

	for (; ms <= LONGEST_MS; ms *= 4) {
		if (shoot(lab, x2apic, ms, false, &s))
			return -1;
		if (s.in_time && (s.came || s.gone))
			break;
	}
	if (ms > LONGEST_MS)
		return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "%s mode: %s", mode,
			   s.in_time ? "armed, and it has not gone off in its time"
				     : "the vCPU is too slow to be asked");
	if (!s.came && shoot_late(lab, &s))
		return -1;
	if (s.came != 1)
		return say(lab->out, GCPU_ALIVE_FAILS, "%s mode: %llu interrupts instead of one",
			   mode, (unsigned long long)s.came);
	*ret_us = us(lab, s.after);
	/* Clocks of the host that disagree a little are no fault of the timer. */
	if (s.after < 0)
		return say(lab->out,
			   *ret_us < -(int64_t)ms * 100 ? GCPU_ALIVE_FAILS
							: GCPU_ALIVE_INCONCLUSIVE,
			   "%s mode: %lld us before its time, of %u ms", mode, (long long)-*ret_us,
			   ms);
	if (s.left_value)
		return say(lab->out, GCPU_ALIVE_FAILS,
			   "%s mode: it has gone off, and the MSR reads 0x%llx", mode,
			   (unsigned long long)s.left_value);
	return 0;
}

/* Armed and disarmed: nothing comes. */
static int disarms(struct lab *lab)
{
	struct shot s;

	for (unsigned ms = WAIT_MS; ms <= LONGEST_MS; ms *= 4) {
		if (shoot(lab, false, ms, true, &s))
			return -1;
		if (s.in_time)
			return s.came ? say(lab->out, GCPU_ALIVE_INCONCLUSIVE,
					    "its control failed: disarmed, and interrupts came: "
					    "%llu",
					    (unsigned long long)s.came)
				      : 0;
	}
	return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "the vCPU is too slow to be asked");
}

static void use(struct lab *lab, struct outcome *out)
{
	bool x2apic = gcpu_plan_has(lab->plan, GCPU_X86_X2APIC);
	int64_t first = 0, second = 0;
	int r = 0;

	if (apic_on(lab, 0) || disarms(lab) || fires(lab, false, &first))
		return;
	if (x2apic)
		r = x2apic_enter(lab, 0);
	if (r < 0 || (r && fires(lab, true, &second)))
		return;
	if (r)
		say(out, GCPU_ALIVE_WORKS,
		    "one interrupt, %lld us after its time, in x2APIC mode %lld us",
		    (long long)first, (long long)second);
	else if (x2apic)
		say(out, GCPU_ALIVE_INCONCLUSIVE,
		    "one interrupt in xAPIC mode; x2APIC mode is refused");
	else
		say(out, GCPU_ALIVE_WORKS,
		    "one interrupt, %lld us after its time; x2APIC mode is not planned",
		    (long long)first);
}

/* No fault, and no timer: its mode bits are masked, the MSR keeps nothing. */
static void refused(struct lab *lab, struct outcome *out)
{
	bool lapic = lapic_in_kvm(lab);
	struct shot s;

	/* Where nobody has an APIC its page reads as ones. */
	if (apic_on(lab, 0) || shoot(lab, false, WAIT_MS, false, &s))
		return;
	if (s.came || s.armed_value || s.left_value)
		say(out, GCPU_ALIVE_LEAKS, "interrupts: %llu, the MSR reads 0x%llx",
		    (unsigned long long)s.came, (unsigned long long)s.armed_value);
	else if (lapic && s.timer & LVTT_DEADLINE)
		say(out, GCPU_ALIVE_LEAKS, "the timer takes the mode: 0x%llx",
		    (unsigned long long)s.timer);
	else
		say(out, GCPU_ALIVE_REFUSED, "%s, the MSR keeps nothing, no interrupt",
		    lapic ? "its mode bits are masked" : "no timer in KVM");
}

const struct exercise exercise_tsc_deadline = {
	.name = "tsc-deadline",
	.kind = GCPU_EXERCISE_FEATURE,
	.field = X86_F_TSC_DEADLINE,
	.want = { .vcpus = 1 },
	.use = use,
	.refused = refused,
};

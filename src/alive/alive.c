/* SPDX-License-Identifier: MIT */
/* Runs the exercises, one after the other, and judges them by the plan. */
#include "core/plan.h"
#include "lab.h"

#include <stdio.h>
#include <string.h>

#define LIMIT_MS 10000

static bool planned(const struct gcpu_plan *plan, const struct exercise *e)
{
	struct gcpu_standing s = { .size = sizeof(s) };

	return gcpu_plan_standing(plan, e->name, &s, NULL) == 0 && s.on;
}

static void start_clock(struct alive *a)
{
	unsigned ms = a->o->limit_ms ? a->o->limit_ms : LIMIT_MS;

	clock_gettime(CLOCK_MONOTONIC, &a->deadline);
	a->deadline.tv_sec += ms / 1000;
	a->deadline.tv_nsec += (long)(ms % 1000) * 1000000L;
	if (a->deadline.tv_nsec >= 1000000000L) {
		a->deadline.tv_sec++;
		a->deadline.tv_nsec -= 1000000000L;
	}
}

static void refuse(struct lab *lab, const struct exercise *e, struct outcome *out)
{
	if (e->refused)
		e->refused(lab, out);
	else
		refused_by_facts(lab, e->field, out);
}

/*
 * The same feature in a VM that has all but it, and where it is refused. An exercise
 * whose control fails has shown nothing.
 */
static void control(struct alive *a, const struct exercise *e, struct outcome *out)
{
	struct outcome off = { .alive = GCPU_ALIVE_INCONCLUSIVE };
	struct lab_want want = e->want;
	char words[120];
	struct lab lab;

	alive_control_words(e, a->o->left_on, words, sizeof(words));
	want.words = words;
	start_clock(a); /* a slow use is no fault of its control */
	if (lab_open(a, &want, &lab, &off) == 0)
		refuse(&lab, e, &off);
	lab_close(&lab);
	if (off.alive == GCPU_ALIVE_REFUSED)
		snprintf(out->control, sizeof(out->control), "%.159s", off.witness);
	else
		say(out, GCPU_ALIVE_INCONCLUSIVE, "its control failed: with the feature off %.180s", off.witness);
}

/* Found by the guest, and used; or not found, and refused. */
static void use_or_refuse(struct lab *lab, const struct exercise *e, bool on, struct outcome *out)
{
	int told;

	if (on && e->prepare && e->prepare(lab, out))
		return;
	told = alive_told(lab, e->field);
	if (told < 0)
		return;
	if (on && !told) {
		say(out, GCPU_ALIVE_FAILS, "the guest does not find it");
		return;
	}
	if (on) {
		e->use(lab, out);
		return;
	}
	refuse(lab, e, out);
	if (told && out->alive == GCPU_ALIVE_REFUSED)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "the guest finds it, and is refused");
}

static void feature(struct alive *a, const struct exercise *e, bool on, struct outcome *out)
{
	struct lab lab;

	if (!on && e->never_refused) {
		say(out, GCPU_ALIVE_UNTESTABLE, "%s", e->never_refused);
		return;
	}
	if (lab_open(a, &e->want, &lab, out) == 0)
		use_or_refuse(&lab, e, on, out);
	lab_close(&lab);
	if (on && out->alive == GCPU_ALIVE_WORKS && !e->never_refused)
		control(a, e, out);
}

static void interface(struct alive *a, const struct exercise *e, struct outcome *out)
{
	struct lab lab;

	if (lab_open(a, &e->want, &lab, out) == 0)
		e->use(&lab, out);
	lab_close(&lab);
}

static int one(struct alive *a, const struct exercise *e)
{
	struct outcome out = { .alive = GCPU_ALIVE_INCONCLUSIVE };
	struct gcpu_exercise r = { .size = sizeof(r), .name = e->name, .kind = e->kind };

	if (a->o->ret_wrong)
		*a->o->ret_wrong = false;
	r.planned = e->kind == GCPU_EXERCISE_FEATURE && planned(a->o->plan, e);
	start_clock(a);
	if (e->nothing)
		say(&out, GCPU_ALIVE_UNTESTABLE, "nothing to exercise: %s", e->nothing);
	else if (e->hypercalls && !alive_hypercalls(a, &out))
		; /* it says why */
	else if (e->kind == GCPU_EXERCISE_FEATURE)
		feature(a, e, r.planned, &out);
	else
		interface(a, e, &out);
	r.alive = out.alive;
	r.observed = e->kind == GCPU_EXERCISE_BEHAVIOUR && out.observed[0] ? out.observed : NULL;
	r.witness = out.witness;
	r.control = out.control[0] ? out.control : NULL;
	return a->o->visit(a->o->ctx, &r);
}

int alive_run(const struct alive_options *o, struct gcpu_error *err)
{
	struct alive a = { .o = o };
	unsigned done = 0;

	a.facts = arch_of(gcpu_snapshot_arch(o->snapshot))->facts;
	for (unsigned i = 0; i < alive_n_exercises; i++) {
		const struct exercise *e = alive_exercises[i];
		int status;

		if (o->only && strcmp(o->only, e->name) != 0)
			continue;
		if (o->progress)
			o->progress(o->ctx, e->name, i + 1, alive_n_exercises);
		status = one(&a, e);
		if (status)
			return status;
		done++;
	}
	if (!done && o->only)
		return error_set(err, GCPU_ERR_NAME, "no such exercise '%.40s'", o->only);
	return 0;
}

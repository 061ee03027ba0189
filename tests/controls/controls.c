/* SPDX-License-Identifier: MIT */
/*
 * The controls of the exercises, tried: a control that would not notice proves
 * nothing. Every exercise runs three times: as it is; with the feature left on
 * where its control has it off; and with right what it does wrong on purpose.
 * What works the first time must work neither of the other times.
 *
 * Exit status 0, 1, or 77 without KVM.
 */
#include <stdio.h>
#include <string.h>

#include "../live/live_kvm.h"
#include "alive/lab.h"

#define LIMIT_MS 20000
#define EXERCISES_MOST 64

struct seen {
	unsigned n;
	struct {
		enum gcpu_alive alive;
		bool wrong;
		char witness[240];
	} at[EXERCISES_MOST];
	bool had_wrong;
};

static int note(void *ctx, const struct gcpu_exercise *e)
{
	struct seen *s = ctx;

	if (s->n == EXERCISES_MOST)
		return GCPU_ERR_MEMORY;
	s->at[s->n].alive = e->alive;
	s->at[s->n].wrong = s->had_wrong;
	snprintf(s->at[s->n].witness, sizeof(s->at[s->n].witness), "%s", e->witness);
	s->n++;
	return 0;
}

static int run(const struct alive_options *base, bool left_on, bool right, struct seen *s)
{
	struct alive_options o = *base;
	struct gcpu_error err = { 0 };
	int status;

	memset(s, 0, sizeof(*s));
	o.left_on = left_on;
	o.right = right;
	o.visit = note;
	o.ctx = s;
	o.ret_wrong = &s->had_wrong;
	status = alive_run(&o, &err);
	if (status)
		printf("FAIL %d %s\n", status, err.text);
	return status;
}

/* Must have noticed; counts it. */
static unsigned noticed(const struct exercise *e, const struct seen *s, unsigned i, const char *how,
			unsigned *failed)
{
	bool good = s->at[i].alive != GCPU_ALIVE_WORKS && strstr(s->at[i].witness, "control failed");

	printf("%s %-24s %-9s %s: %s\n", good ? "ok  " : "FAIL", e->name, how, gcpu_alive_name(s->at[i].alive),
	       s->at[i].witness);
	*failed += !good;
	return 1;
}

static int judge(const struct alive_options *o)
{
	static struct seen usual, left, right;
	unsigned works = 0, tried = 0, failed = 0;

	if (run(o, false, false, &usual) || run(o, true, false, &left) || run(o, false, true, &right))
		return 1;
	for (unsigned i = 0; i < usual.n; i++) {
		const struct exercise *e = alive_exercises[i];

		if (usual.at[i].alive != GCPU_ALIVE_WORKS || e->kind == GCPU_EXERCISE_BEHAVIOUR)
			continue;
		works++;
		if (e->kind == GCPU_EXERCISE_FEATURE && !e->never_refused)
			tried += noticed(e, &left, i, "left on", &failed);
		if (usual.at[i].wrong)
			tried += noticed(e, &right, i, "right", &failed);
	}
	printf("%u exercises work, %u controls tried, %u did not notice\n", works, tried, failed);
	return failed || !tried;
}

int main(void)
{
	const struct gcpu_kvm *kvm = gcpu_kvm_real();
	/* all that can be on, what nobody has unless he asks included */
	const char *all = gcpu_arch_native() == GCPU_ARCH_X86 ? "host,pv=all" :
								"host,+discover-impl-ver,+discover-impl-cpus";
	struct alive_options o = { .kvm = kvm, .limit_ms = LIMIT_MS, .request = all };
	struct gcpu_machine machine;
	struct gcpu_snapshot *snap = NULL;
	struct gcpu_request *req = NULL;
	struct gcpu_plan *plan = NULL;
	struct gcpu_error err = { 0 };
	int status, failed;

	if (!alive_n_exercises) {
		printf("SKIP: controls: no exercises for this architecture\n");
		return 77;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	o.kvm_fd = live_kvm(kvm, "controls");
	if (o.kvm_fd < 0)
		return 77;
	/* Everything that can be on, the VMM's own work included. */
	gcpu_machine_init(&machine);
	machine.irqchip = GCPU_IRQCHIP_SPLIT;
	machine.accept_x2apic_ids = 1;
	for (unsigned i = 0; gcpu_handle_name(i); i++)
		machine.handles |= 1U << gcpu_handle_by_name(gcpu_handle_name(i));
	status = gcpu_snapshot_probe(kvm, o.kvm_fd, NULL, &snap, &err);
	if (status == 0)
		status = gcpu_request_parse(gcpu_arch_native(), o.request, &req, &err);
	if (status == 0)
		status = gcpu_plan_make(snap, req, &machine, &plan, &err);
	o.snapshot = snap;
	o.plan = plan;
	o.machine = &machine;
	if (status)
		printf("FAIL %d: %s\n", status, err.text);
	failed = status ? 1 : judge(&o);
	gcpu_plan_free(plan);
	gcpu_request_free(req);
	gcpu_snapshot_free(snap);
	kvm->ops->close(kvm->ctx, o.kvm_fd);
	return failed;
}

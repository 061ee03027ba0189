/* SPDX-License-Identifier: MIT */
/* Lists of the guest's operations, and what comes out of KVM_RUN meanwhile. */
#include "differ.h"

#include <inttypes.h>
#include <string.h>

#define LIMIT_MS 8000
#define EXITS_MOST 40

/* On the vCPU's thread; the list's owner waits. What is answered follows from the step. */
static int on_exit_of(void *ctx, unsigned vcpu, struct gk_run *run)
{
	struct side *w = ctx;
	struct answer *a = w->answer;
	uint32_t reason = run->exit_reason;

	(void)vcpu;
	if (reason != GK_EXIT_X86_RDMSR && reason != GK_EXIT_X86_WRMSR && reason != GK_EXIT_HYPERCALL)
		return 0;
	if (w->exits++ >= EXITS_MOST)
		return 0;
	say(a, "exit %x", w->exits, 0, reason);
	if (reason == GK_EXIT_HYPERCALL) {
		say(a, "exit %x hypercall", w->exits, 0, run->hypercall.nr);
		for (unsigned i = 0; i < 3; i++)
			say(a, "exit %x hypercall argument %x", w->exits, i, run->hypercall.args[i]);
		say(a, "exit %x hypercall result before", w->exits, 0, run->hypercall.ret);
		run->hypercall.ret = w->now->arg[3];
		return 1;
	}
	say(a, "exit %x MSR", w->exits, 0, run->msr.index);
	say(a, "exit %x MSR reason", w->exits, 0, run->msr.reason);
	if (reason == GK_EXIT_X86_WRMSR)
		say(a, "exit %x MSR value", w->exits, 0, run->msr.data);
	else
		run->msr.data = w->now->arg[3];
	run->msr.error = w->now->arg[2] & 1;
	return 1;
}

/* The guest of all the vCPUs that there may come to be. */
static int open_guest(struct side *w, struct gcpu_error *err)
{
	unsigned ids[VCPUS];
	int fds[VCPUS];
	int r = 0;

	for (unsigned i = 0; i < VCPUS; i++) {
		fds[i] = i < w->n ? w->vcpu[i] : -1;
		ids[i] = i < w->n ? w->id[i] : i;
	}
	if (!w->guest) {
		r = run_guest_new(w->kvm, w->kvm_fd, w->vm, fds, ids, VCPUS, &w->guest, err);
		if (r == 0)
			run_guest_set_exit(w->guest, on_exit_of, w);
	} else {
		for (unsigned i = w->guest_vcpus; i < w->n; i++)
			run_guest_plug(w->guest, i, fds[i]);
	}
	w->guest_vcpus = w->n;
	return r;
}

void guest_close(struct side *w)
{
	run_guest_free(w->guest);
	w->guest = NULL;
	memset(w->keep, 0, sizeof(w->keep));
}

void guest_steps(struct side *w, const struct step *s, struct answer *a)
{
	struct guest_op ops[ITEMS];
	struct gcpu_error err = { 0 };
	const struct guest_port *port;
	unsigned v = vcpu_number(w, s);
	int r;

	memset(ops, 0, sizeof(ops));
	if (w->lost[v] || !w->d->domain->awake(w, v)) {
		a->status = -ETIME;
		return;
	}
	r = open_guest(w, &err);
	w->entered = true;
	if (r == 0 && w->disturbed[v]) {
		a->status = w->d->domain->settle(w, v);
		if (a->status)
			return;
		w->disturbed[v] = false;
	}
	for (unsigned i = 0; i < s->n; i++) {
		ops[i].code = (uint32_t)s->item[i].part[0];
		for (unsigned p = 1; p < PARTS; p++)
			ops[i].arg[p - 1] = s->item[i].part[p];
	}
	w->exits = 0;
	if (r == 0) {
		port = run_guest_port(w->guest);
		r = port->run(port->ctx, v, ops, s->n, LIMIT_MS, &err);
	}
	say(a, "list", 0, 0, (uint64_t)(int64_t)r);
	if (r) {
		say(a, "list errno", 0, 0, (uint64_t)err.os_error);
		if (r == GCPU_ERR_TIMEOUT)
			w->lost[v] = true;
		return;
	}
	w->d->domain->settled(w, v);
	for (unsigned i = 0; i < s->n; i++) {
		say(a, "operation %x status", i, 0, ops[i].status);
		say(a, "operation %x fault", i, 0, ops[i].status == GUEST_STATUS_FAULT ? ops[i].fault : 0);
		for (unsigned k = 0; k < 4; k++)
			say(a, "operation %x result %x", i, k, ops[i].status == GUEST_STATUS_DONE ? ops[i].res[k] : 0);
	}
}

void print_guest(FILE *to, const struct step *s)
{
	static const char *const names[] = { [GUEST_OP_CPUID] = "CPUID", [GUEST_OP_RDMSR] = "RDMSR", [GUEST_OP_WRMSR] = "WRMSR",
					     [GUEST_OP_HYPERCALL] = "hypercall", [GUEST_OP_XGETBV] = "XGETBV",
					     [GUEST_OP_RDCR] = "read CR", [GUEST_OP_WRCR] = "write CR", [GUEST_OP_MRS] = "MRS",
					     [GUEST_OP_SMCCC] = "SMCCC" };

	for (unsigned i = 0; i < s->n; i++) {
		const uint64_t *p = s->item[i].part;

		fprintf(to, "%s %s %#" PRIx64 " %#" PRIx64 " %#" PRIx64, i ? "," : "",
			p[0] < COUNT(names) && names[p[0]] ? names[p[0]] : "?", p[1], p[2], p[3]);
	}
	fprintf(to, " (exits: %s %#" PRIx64 ")", s->arg[2] & 1 ? "fault" : "give", s->arg[3]);
}

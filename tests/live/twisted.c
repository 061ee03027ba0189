/* SPDX-License-Identifier: MIT */
/*
 * Exercises on a KVM that does something else than this machine's: a backend
 * between guestcpu and KVM twists one answer, and the exercise must say so. So
 * every word of the behaviours about order is seen, and a KVM that enforces
 * nothing, or too much, is found out.
 *
 * Exit status 0, 1, or 77 without KVM.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "alive/x86/x86.h"
#include "alive/lab.h"
#include "alive/steal.h"
#include "facts_gen.h"
#include "kvm/abi_x86.h"
#include "live_kvm.h"

#define LIMIT_MS 20000

/* One of KVM's answers, and what an exercise must make of it. */
struct twist {
	const char *what, *exercise;
	const char *want; /* the word observed, or the verdict */
	unsigned long request;
	unsigned cap; /* of KVM_ENABLE_CAP; 0: every call */
	enum { EVER, BEFORE_TABLE, AFTER_TABLE, AFTER_RUN } when; /* the first of this VM */
	int answer; /* instead of KVM's, which is not asked */
	bool call;  /* it is asked, and nent left as it was */
	uint64_t msr; /* of GK_GET_MSRS: the value of the first, where the answer is that it was read */
};

static const struct twist twists[] = {
	{ .what = "enforcement is taken and nothing enforced", .exercise = "enforcement", .want = "leaks",
	  .request = GK_ENABLE_CAP, .cap = CAP_ENFORCE_PV_FEATURE_CPUID },
	{ .what = "the host may write every MSR", .exercise = "enforcement", .want = "leaks",
	  .request = GK_SET_MSRS, .answer = 1 },
	{ .what = "the host may write no MSR", .exercise = "enforcement", .want = "fails", .request = GK_SET_MSRS,
	  .when = AFTER_RUN },
	{ .what = "the host may read no MSR", .exercise = "enforcement", .want = "fails", .request = GK_GET_MSRS,
	  .when = AFTER_RUN },
	{ .what = "the host reads what MSRs had before", .exercise = "enforcement", .want = "leaks",
	  .request = GK_GET_MSRS, .answer = 1, .msr = 1 },
	{ .what = "the host reads 0 from every MSR", .exercise = "enforcement", .want = "inconclusive",
	  .request = GK_GET_MSRS, .answer = 1 },
	{ .what = "MSRs are not read", .exercise = "enforcement-get-msrs", .want = "refused", .request = GK_GET_MSRS },
	{ .what = "the first table counts", .exercise = "enforcement-second-table", .want = "kept",
	  .request = GK_SET_CPUID2, .when = AFTER_TABLE },
	{ .what = "the first table counts", .exercise = "enforcement", .want = "leaks", .request = GK_SET_CPUID2,
	  .when = AFTER_TABLE },
	{ .what = "the VMM is not asked", .exercise = "not-enforced:migration-control", .want = "refused",
	  .request = GK_ENABLE_CAP, .cap = CAP_X86_USER_SPACE_MSR },
	{ .what = "the VMM is not asked", .exercise = "not-enforced:map-gpa-range", .want = "refused",
	  .request = GK_ENABLE_CAP, .cap = CAP_EXIT_HYPERCALL },
	{ .what = "late DISABLE_EXITS is refused", .exercise = "disable-exits-late", .want = "refused",
	  .request = GK_ENABLE_CAP, .cap = CAP_X86_DISABLE_EXITS, .answer = -EINVAL },
	{ .what = "late DISABLE_EXITS is taken and does nothing", .exercise = "disable-exits-late",
	  .want = "accepted-without-effect", .request = GK_ENABLE_CAP, .cap = CAP_X86_DISABLE_EXITS },
	{ .what = "any exit may be disabled", .exercise = "disable-exits-unknown", .want = "ignored",
	  .request = GK_ENABLE_CAP, .cap = CAP_X86_DISABLE_EXITS },
	{ .what = "no exit may be disabled", .exercise = "disable-exits-unknown", .want = "refused",
	  .request = GK_ENABLE_CAP, .cap = CAP_X86_DISABLE_EXITS, .answer = -EINVAL },
	{ .what = "disallowed exits are taken", .exercise = "disable-exits-disallowed", .want = "ignored",
	  .request = GK_ENABLE_CAP, .cap = CAP_X86_DISABLE_EXITS },
	{ .what = "disallowed exits are refused", .exercise = "disable-exits-disallowed", .want = "refused",
	  .request = GK_ENABLE_CAP, .cap = CAP_X86_DISABLE_EXITS, .answer = -EINVAL },
	{ .what = "HLT exits all the same", .exercise = "disable-exits-hlt", .want = "not-effective",
	  .request = GK_ENABLE_CAP, .cap = CAP_X86_DISABLE_EXITS },
	{ .what = "HLT exits all the same, PV_UNHALT stays", .exercise = "pv-unhalt-strip", .want = "never",
	  .request = GK_ENABLE_CAP, .cap = CAP_X86_DISABLE_EXITS },
	{ .what = "CR4 is refused before a table", .exercise = "cr4-before-cpuid", .want = "refused",
	  .request = GK_SET_SREGS, .when = BEFORE_TABLE, .answer = -EINVAL },
	{ .what = "CR4 is taken before a table", .exercise = "cr4-before-cpuid", .want = "accepted",
	  .request = GK_SET_SREGS, .when = BEFORE_TABLE },
	{ .what = "a table is taken at any time", .exercise = "cpuid-after-run-changed", .want = "accepted",
	  .request = GK_SET_CPUID2, .when = AFTER_RUN },
	{ .what = "a table is taken at any time", .exercise = "cpuid-after-run-same", .want = "accepted",
	  .request = GK_SET_CPUID2, .when = AFTER_RUN },
	{ .what = "no table is taken after the run", .exercise = "cpuid-after-run-same", .want = "refused",
	  .request = GK_SET_CPUID2, .when = AFTER_RUN, .answer = -EINVAL },
	{ .what = "no table is taken after the run", .exercise = "cpuid-after-run-changed", .want = "refused",
	  .request = GK_SET_CPUID2, .when = AFTER_RUN, .answer = -EINVAL },
	{ .what = "nent is not told", .exercise = "get-cpuid-nent", .want = "room", .request = GK_GET_CPUID2,
	  .call = true },
};

static struct {
	const struct gcpu_kvm *kvm;
	const struct twist *twist;
	bool table, ran;
	unsigned twisted;
	char word[40], witness[256];
} state;

static bool applies(unsigned long request, uintptr_t arg)
{
	const struct twist *t = state.twist;

	if (request != t->request || (t->when == BEFORE_TABLE && state.table) ||
	    (t->when == AFTER_TABLE && !state.table) || (t->when == AFTER_RUN && !state.ran))
		return false;
	return !t->cap || ((const struct gk_enable_cap *)arg)->cap == t->cap;
}

static int twisted_ioctl(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	uint32_t nent;
	int r;

	(void)ctx;
	state.ran |= request == GK_RUN;
	if (request == GK_CREATE_VM)
		state.table = state.ran = false;
	if (!applies(request, arg)) {
		state.table |= request == GK_SET_CPUID2;
		return state.kvm->ops->ioctl(state.kvm->ctx, fd, request, arg);
	}
	state.twisted++;
	if (request == GK_GET_MSRS && state.twist->answer)
		((struct gk_msrs *)arg)->entries[0].data = state.twist->msr;
	if (!state.twist->call)
		return state.twist->answer;
	nent = ((const struct gk_cpuid2 *)arg)->nent;
	r = state.kvm->ops->ioctl(state.kvm->ctx, fd, request, arg);
	((struct gk_cpuid2 *)arg)->nent = nent;
	return r;
}

static int note(void *ctx, const struct gcpu_exercise *e)
{
	(void)ctx;
	snprintf(state.word, sizeof(state.word), "%s", e->observed ? e->observed : gcpu_alive_name(e->alive));
	snprintf(state.witness, sizeof(state.witness), "%s", e->witness);
	return 0;
}

static int judge(struct alive_options *o)
{
	unsigned held = 0, failed = 0, skipped = 0;

	for (size_t i = 0; i < sizeof(twists) / sizeof(twists[0]); i++) {
		struct gcpu_error err = { 0 };
		const char *how = "FAIL";

		state.twist = &twists[i];
		state.twisted = 0;
		state.word[0] = 0;
		o->only = twists[i].exercise;
		if (alive_run(o, &err))
			snprintf(state.witness, sizeof(state.witness), "%s", err.text);
		if (strcmp(state.word, twists[i].want) == 0 && state.twisted) {
			how = "ok  ";
			held++;
		} else if (strcmp(state.word, "untestable") == 0) {
			how = "none"; /* not on this machine */
			skipped++;
		} else {
			failed++;
		}
		printf("%s %s: %s: %s (%s)\n", how, twists[i].what, twists[i].exercise, state.word, state.witness);
	}
	printf("%u noticed, %u not, %u cannot be tried here\n", held, failed, skipped);
	return failed || !held;
}

/* A plan promises a feature to a guest that is made of another request. */
static int found(struct alive_options *o, const char *made_of, const char *want)
{
	struct gcpu_error err = { 0 };
	bool good;

	o->request = made_of;
	o->only = "kvm-steal-time";
	if (alive_run(o, &err))
		snprintf(state.witness, sizeof(state.witness), "%s", err.text);
	good = strcmp(state.word, want) == 0;
	printf("%s the guest is made of %s: kvm-steal-time: %s (%s)\n", good ? "ok  " : "FAIL", made_of, state.word,
	       state.witness);
	return !good;
}

/* On a busy host a spell is told of more than it took: that was seen, and is no fault of KVM's. */
static int steal_on_a_busy_host(void)
{
	static const struct steal_spell s[3] = { { 659000000, 659000000, 383000000 },
						 { 1310000000, 1290000000, 1297000000 } };
	struct outcome busy = { .alive = GCPU_ALIVE_WORKS }, wrong = busy;

	steal_time_judge(&busy, s, 3, false);
	steal_time_judge(&wrong, s, 3, true);
	if (busy.alive == GCPU_ALIVE_INCONCLUSIVE && wrong.alive == GCPU_ALIVE_FAILS)
		return 0;
	printf("FAIL steal time on a busy host: %s; more than there was time: %s\n", gcpu_alive_name(busy.alive),
	       gcpu_alive_name(wrong.alive));
	return 1;
}

int main(void)
{
	struct gcpu_kvm_ops ops = *gcpu_kvm_real()->ops;
	const struct gcpu_kvm kvm = { &ops, gcpu_kvm_real()->ctx };
	struct alive_options o = { .kvm = &kvm, .limit_ms = LIMIT_MS, .request = "host", .visit = note };
	struct gcpu_snapshot *snap = NULL;
	struct gcpu_request *req = NULL;
	struct gcpu_plan *plan = NULL;
	struct gcpu_error err = { 0 };
	struct gcpu_machine machine;
	int status, failed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	state.kvm = gcpu_kvm_real();
	o.kvm_fd = live_kvm(&kvm, "twisted");
	if (o.kvm_fd < 0)
		return 77;
	gcpu_machine_init(&machine);
	status = gcpu_snapshot_probe(&kvm, o.kvm_fd, NULL, &snap, &err);
	if (status == 0)
		status = gcpu_request_parse(GCPU_ARCH_X86, o.request, &req, &err);
	if (status == 0)
		status = gcpu_plan_make(snap, req, &machine, &plan, &err);
	if (status)
		printf("FAIL %d: %s\n", status, err.text);
	o.snapshot = snap;
	o.plan = plan;
	o.machine = &machine;
	failed = status ? 1 : found(&o, "host,kvm=off", "fails") || found(&o, "host", "works");
	o.request = "host";
	ops.ioctl = twisted_ioctl;
	failed = failed || steal_on_a_busy_host() || judge(&o);
	gcpu_plan_free(plan);
	gcpu_request_free(req);
	gcpu_snapshot_free(snap);
	ops.close(kvm.ctx, o.kvm_fd);
	return failed;
}

/* SPDX-License-Identifier: MIT */
/*
 * What the fault tests do to KVM, for replay (tests/unit) and for the real one
 * (tests/live), and the tool that records the traces: the same calls in all.
 */
#ifndef TESTS_UNIT_SUBJECT_H
#define TESTS_UNIT_SUBJECT_H

#include <guestcpu/guestcpu.h>

#define SUBJECT_MACHINES 2
extern const char *const subject_names[SUBJECT_MACHINES];

/* A plan for machine number I on the host of SNAP; NULL with *err. */
struct gcpu_plan *subject_plan(const struct gcpu_snapshot *snap, unsigned i, struct gcpu_error *err);

/* Create, apply, read back, run the payload for at most MS, verify, free. */
int subject_run(const struct gcpu_kvm *kvm, int kvm_fd, const struct gcpu_plan *plan, unsigned ms,
		struct gcpu_error *ret_guest, struct gcpu_error *err);

/* What is tried. */
struct subject_calls {
	int (*probe)(const struct gcpu_kvm *kvm, int kvm_fd, struct gcpu_snapshot **ret,
		     struct gcpu_error *err);
	/* Create and apply, and free again. */
	int (*configure)(const struct gcpu_kvm *kvm, int kvm_fd, const struct gcpu_plan *plan,
			 struct gcpu_error *err);
	/* The same, then read back, run and verify before it is freed. */
	int (*run)(const struct gcpu_kvm *kvm, int kvm_fd, const struct gcpu_plan *plan, unsigned ms,
		   struct gcpu_error *ret_guest, struct gcpu_error *err);
};
/* gcpu_snapshot_probe() and struct run_machine, of this architecture. */
extern const struct subject_calls subject_native;

/* One backend under test. REWIND (may be NULL) makes it as new. */
struct subject {
	const struct subject_calls *calls;
	const struct gcpu_kvm *kvm;
	void (*rewind)(void *ctx);
	void *ctx;
	unsigned ms; /* how long a guest may take */
	int failures;
	unsigned faults; /* operations that were made to fail */
};

/* Every operation of probing fails in turn, with every errno. On success of the
 * undisturbed run *ret_snap is its snapshot. */
void subject_probe_faults(struct subject *s, struct gcpu_snapshot **ret_snap);
/* The same of applying PLAN, reading back and running. */
void subject_apply_faults(struct subject *s, const char *name, const struct gcpu_plan *plan);

#endif

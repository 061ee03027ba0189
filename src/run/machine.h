/* SPDX-License-Identifier: MIT */
/*
 * A throw-away VM after a plan: created, configured by the plan's own recipe,
 * read back, and asked from inside. For the command and the tests.
 */
#ifndef GCPU_RUN_MACHINE_H
#define GCPU_RUN_MACHINE_H

#include <guestcpu/guestcpu.h>

#include "guest.h"

struct run_machine;

/* What is not as usual. Zeroed: all vCPUs of the plan, and nothing in between. */
struct run_options {
	/* Which of the plan's vCPUs there are, by number; NULL: all. The last LATE of
	 * them are not created before run_machine_plug(). */
	const unsigned *vcpus;
	unsigned n, late;
	/* Their ids, other than those that the plan's CPUID tells them; NULL: the plan's. */
	const unsigned *ids;
	/* A word before the first vCPU is created, after the plan's VM phase. 0 or a code. */
	int (*before_vcpus)(void *ctx, struct run_machine *m, struct gcpu_error *err);
	void *ctx;
	/* Of the recipe nothing but what is the process's: a VM and vCPUs as KVM makes them. */
	bool bare;
};

/* Create the VM and its vCPUs on KVM_FD and carry out the recipe. OPTIONS may be NULL. */
int run_machine_new(const struct gcpu_kvm *kvm, int kvm_fd, const struct gcpu_plan *plan,
		    const struct run_options *options, struct run_machine **ret,
		    struct gcpu_error *err);
void run_machine_free(struct run_machine *m);

/* Create and configure the vCPUs that were left for later. */
int run_machine_plug(struct run_machine *m, struct gcpu_error *err);

/* Descriptors; vCPUs count as in the options. */
int run_machine_vm(const struct run_machine *m);
int run_machine_vcpu(const struct run_machine *m, unsigned vcpu);
unsigned run_machine_vcpu_id(const struct run_machine *m, unsigned vcpu);

/* The guest in it, made at the first call. NULL and *err if that fails. */
struct run_guest *run_machine_guest(struct run_machine *m, struct gcpu_error *err);

/*
 * Read back every vCPU and let the guest payload read what it sees, at most
 * TIMEOUT_MS on each. PROGRESS (may be NULL) hears of each vCPU done. A guest
 * that does not answer is no failure: *ret_guest says what happened (.code 0:
 * all answered) and its values stay untested.
 */
int run_machine_look(struct run_machine *m, unsigned timeout_ms,
		     void (*progress)(void *ctx, unsigned done, unsigned all), void *ctx,
		     struct gcpu_error *ret_guest, struct gcpu_error *err);

/* Views of all vCPUs, for gcpu_verify(). */
struct gcpu_view *const *run_machine_views(const struct run_machine *m);

#endif

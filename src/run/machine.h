/* SPDX-License-Identifier: MIT */
/*
 * A throw-away VM after a plan: created, configured by the plan's own recipe,
 * read back, and asked from inside. For the command and the tests.
 */
#ifndef GCPU_RUN_MACHINE_H
#define GCPU_RUN_MACHINE_H

#include <guestcpu/guestcpu.h>

struct run_machine;

/* Create the VM and its vCPUs on KVM_FD and carry out the recipe. */
int run_machine_new(const struct gcpu_kvm *kvm, int kvm_fd, const struct gcpu_plan *plan,
		    struct run_machine **ret, struct gcpu_error *err);
void run_machine_free(struct run_machine *m);

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

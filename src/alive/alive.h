/* SPDX-License-Identifier: MIT */
/*
 * Exercises: what happens when a guest uses a feature, and when it uses one
 * that it was not given. Host-side code over the guest port, each in a
 * throw-away VM of its own and against the clock. For the command and the
 * tests, not part of the library.
 */
#ifndef GCPU_ALIVE_ALIVE_H
#define GCPU_ALIVE_ALIVE_H

#include <guestcpu/guestcpu.h>
#include <stdbool.h>

struct alive_options {
	const struct gcpu_kvm *kvm;
	int kvm_fd;
	const struct gcpu_snapshot *snapshot;
	const char *request;		    /* what the plan was made of */
	const struct gcpu_machine *machine; /* its irqchip and the like; the number of vCPUs is each exercise's own */
	const struct gcpu_plan *plan;	    /* which features are on */
	bool model;			    /* KVM is a software KVM: what it does not play is said to be that */
	unsigned limit_ms;		    /* for each exercise, 0: ten seconds */
	const char *only;		    /* one exercise by name, or NULL */
	/* For tests of the controls themselves. LEFT_ON: the VM of a control has the feature on,
	 * unenforced. RIGHT: what an exercise does wrong on purpose it does right; *ret_wrong says
	 * whether the last one had anything of that sort. Every control must notice. */
	bool left_on, right;
	bool *ret_wrong;
	/* An exercise is about to begin; may be NULL. */
	void (*progress)(void *ctx, const char *name, unsigned number, unsigned all);
	/* One has ended; strings live as long as the call. Not 0 ends it all. */
	int (*visit)(void *ctx, const struct gcpu_exercise *);
	void *ctx;
};

/* 0, GCPU_ERR_NAME for an ONLY that there is not, GCPU_ERR_MEMORY, or what VISIT returned.
 * That something does not work is a result, not an error. */
int alive_run(const struct alive_options *options, struct gcpu_error *err);

#endif

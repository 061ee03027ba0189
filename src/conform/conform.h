/* SPDX-License-Identifier: MIT */
/*
 * Conformance: what KVM promises about a guest's CPU, case by case, asked of any backend: this
 * machine's KVM, one of another kernel, one of software. What is expected stands in the case and
 * comes from KVM's documents, self-tests and source, by kernel where kernels differ; never from
 * the facts that this library plans by. For the command and the tests, not part of the library.
 */
#ifndef GCPU_CONFORM_CONFORM_H
#define GCPU_CONFORM_CONFORM_H

#include <guestcpu/guestcpu.h>
#include <stdbool.h>

enum conform_outcome { CONFORM_PASSED, CONFORM_FAILED, CONFORM_SKIPPED };
const char *conform_outcome_name(enum conform_outcome outcome);

#define CONFORM_FAILURES 6 /* kept of a case; more are counted */
#define CONFORM_TEXT 200

struct conform_result {
	const char *name, *source;
	enum conform_outcome outcome;
	unsigned checks, failed;   /* assertions, and those that did not hold */
	char reason[CONFORM_TEXT]; /* skipped: what this host lacks */
	unsigned n_failures;
	char failure[CONFORM_FAILURES][CONFORM_TEXT];
};

struct conform_options {
	const struct gcpu_kvm *kvm;
	int kvm_fd;
	const struct gcpu_snapshot *snapshot; /* of that KVM; its architecture says which cases there are */
	const char *only;		      /* pattern with * ? [] over names; NULL: all */
	/* A case is about to begin; may be NULL. */
	void (*progress)(void *ctx, const char *name, unsigned number, unsigned all);
	/* One has ended; strings live as long as the call. Not 0 ends it all. */
	int (*visit)(void *ctx, const struct conform_result *result);
	void *ctx;
};

/* 0; GCPU_ERR_NAME if ONLY matches nothing; GCPU_ERR_ARCH without cases; or what VISIT returned.
 * A case that fails is a result, not an error. */
int conform_run(const struct conform_options *options, struct gcpu_error *err);

/* Case number I of the architecture; false after the last. */
bool conform_case_at(enum gcpu_arch arch, unsigned i, const char **ret_name, const char **ret_source);

#endif

/* SPDX-License-Identifier: MIT */
/** Verdicts: planned, what KVM says, what the guest sees. */
#ifndef GUESTCPU_VERIFY_H
#define GUESTCPU_VERIFY_H

#include <guestcpu/plan.h>

#ifdef __cplusplus
extern "C" {
#endif

enum gcpu_verdict {
	GCPU_VERDICT_MATCHED = 0,
	GCPU_VERDICT_RUNTIME = 1,    /**< KVM rewrites it while the guest runs */
	GCPU_VERDICT_OVERRIDDEN = 2, /**< this KVM puts another value in force */
	GCPU_VERDICT_UNTESTED = 3,   /**< could not be read, reason given */
	GCPU_VERDICT_MISMATCHED = 4, /**< differs, and nothing explains it */
};

/** "matched", ... Never NULL. */
const char *gcpu_verdict_name(enum gcpu_verdict verdict);

/** What was read of one vCPU. Values that were not read are absent from the lists. */
struct gcpu_view;

/** Nothing read yet, for one vCPU of PLAN. Free with gcpu_view_free() (NULL allowed). */
int gcpu_view_new(const struct gcpu_plan *plan, unsigned vcpu, struct gcpu_view **ret_view);
void gcpu_view_free(struct gcpu_view *view);

/** Ask KVM what is in force on the vCPU (KVM_GET_CPUID2, KVM_GET_MSRS, KVM_GET_ONE_REG). */
int gcpu_plan_readback(const struct gcpu_plan *plan, const struct gcpu_kvm *kvm, int vcpu_fd,
		       struct gcpu_view *view, struct gcpu_error *err);

/** What a guest read: CPUID of (leaf, sub-leaf), an MSR, or an arm64 register by ONE_REG id. */
int gcpu_view_guest_cpuid(struct gcpu_view *view, uint32_t leaf, uint32_t subleaf,
			  const uint32_t regs[4]);
int gcpu_view_guest_msr(struct gcpu_view *view, uint32_t index, uint64_t value);
int gcpu_view_guest_register(struct gcpu_view *view, uint64_t id, uint64_t value);

/** Something that a guest should read, so that the plan can be compared. */
struct gcpu_question {
	enum { GCPU_ASK_CPUID, GCPU_ASK_MSR, GCPU_ASK_REGISTER } kind;
	uint32_t leaf, subleaf; /**< GCPU_ASK_CPUID */
	uint64_t id;		/**< MSR index, or ONE_REG id */
};
/** Questions for the guest on the vCPU of VIEW, after gcpu_plan_readback(). */
int gcpu_view_questions(const struct gcpu_view *view,
			int (*visit)(void *ctx, const struct gcpu_question *), void *ctx);

struct gcpu_result {
	const char *name; /**< feature, field or word */
	uint64_t planned, kvm, guest;
	bool has_kvm, has_guest;
	enum gcpu_verdict verdict;
	bool contradicts; /**< overridden against the user's own word */
	bool asked;       /**< named in the request */
	bool asked_off;   /**< the request turned it off */
	const char *reason; /**< one sentence, or NULL */
};

struct gcpu_summary {
	unsigned matched, runtime, overridden, untested, mismatched, total;
	unsigned contradicted; /**< of the overridden: against the user's own word */
};

/**
 * Compare all views with the plan (what the guest did not read is untested, whatever
 * KVM says: a caller without a guest compares .kvm with .planned itself), one result per field (the worst over all
 * vCPUs) and per word without fields.
 */
int gcpu_verify(const struct gcpu_plan *plan, struct gcpu_view *const *views, unsigned n_views,
		int (*visit)(void *ctx, const struct gcpu_result *), void *ctx,
		struct gcpu_summary *ret_summary);

/** Write the verify document (docs/verify.md). GUEST: why the guest did not answer, or NULL. */
int gcpu_verify_write_json(const struct gcpu_plan *plan, struct gcpu_view *const *views,
			   unsigned n_views, const struct gcpu_error *guest, gcpu_write write,
			   void *ctx);

/** What happened when a guest used a feature. */
enum gcpu_alive {
	GCPU_ALIVE_WORKS = 0,	     /**< planned, and it does what it is for */
	GCPU_ALIVE_REFUSED = 1,	     /**< not planned, and the guest could not use it */
	GCPU_ALIVE_LEAKS = 2,	     /**< not planned, and the guest could use it all the same */
	GCPU_ALIVE_INCONCLUSIVE = 3, /**< tried, and nothing was decided */
	GCPU_ALIVE_UNTESTABLE = 4,   /**< there is nothing to try, or not here */
	GCPU_ALIVE_FAILS = 5,	     /**< planned, and KVM refuses it or does it wrong */
};
/** "works", "refused-as-planned", "leaks", "inconclusive", "untestable", "fails". Never NULL. */
const char *gcpu_alive_name(enum gcpu_alive alive);

/** What an exercise is about. */
enum gcpu_exercise_kind {
	GCPU_EXERCISE_FEATURE = 0,   /**< a feature or field, which the plan has on or off */
	GCPU_EXERCISE_INTERFACE = 1, /**< something that no feature announces */
	GCPU_EXERCISE_BEHAVIOUR = 2, /**< what this KVM does where there is no right and wrong */
};
/** "feature", "interface", "behaviour". Never NULL. */
const char *gcpu_exercise_kind_name(enum gcpu_exercise_kind kind);

/** One exercise in a guest. */
struct gcpu_exercise {
	size_t size;	  /**< sizeof(struct gcpu_exercise) */
	const char *name; /**< of a feature; else of what was tried */
	enum gcpu_exercise_kind kind;
	bool planned; /**< of a feature: on */
	enum gcpu_alive alive;
	const char *observed; /**< of a behaviour: what this KVM does, as one stable word, and alive says
			       *   nothing then; NULL where that was not seen, and else */
	const char *witness;  /**< by what it was decided, in a few words; or why it was not */
	const char *control;  /**< of what works: how it was refused in another VM, where it was off and
			       *   enforced; or NULL */
};

/** The verify document with what exercises have shown; each field of `features` that one of
 *  them is about says so. NULL for EXERCISES: nobody tried, which is not an empty list. */
int gcpu_verify_write_alive_json(const struct gcpu_plan *plan, struct gcpu_view *const *views,
				 unsigned n_views, const struct gcpu_error *guest,
				 const struct gcpu_exercise *exercises, size_t n_exercises,
				 gcpu_write write, void *ctx);

#ifdef __cplusplus
}
#endif
#endif

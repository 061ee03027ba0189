/* SPDX-License-Identifier: MIT */
/** Plans: the CPU that a guest will get, how to give it, and why it is so. */
#ifndef GUESTCPU_PLAN_H
#define GUESTCPU_PLAN_H

#include <guestcpu/feature.h>
#include <guestcpu/machine.h>
#include <guestcpu/request.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gcpu_plan;

/**
 * Decide what a guest on the host of SNAPSHOT gets. Pure: asks nothing of
 * this machine. The snapshot must outlive the plan; the request need not.
 *
 * A request that cannot be fulfilled under "enforce" gives a plan as well:
 * gcpu_plan_refused() is true then and the findings say why.
 * @return 0 and *ret_plan (free with gcpu_plan_free()), or a code.
 */
int gcpu_plan_make(const struct gcpu_snapshot *snapshot, const struct gcpu_request *request,
		   const struct gcpu_machine *machine, struct gcpu_plan **ret_plan,
		   struct gcpu_error *err);
/** NULL is allowed. */
void gcpu_plan_free(struct gcpu_plan *plan);

/** True if the plan must not be applied. */
bool gcpu_plan_refused(const struct gcpu_plan *plan);

/** What every plan begins with. It is here for gcpu_plan_has(), which callers have compiled into
 *  themselves: part of the binary interface, and never changed. */
struct gcpu_plan_bits {
	const uint64_t *word; /**< feature number N is bit N % 64 of word[N / 64] */
	unsigned n;	      /**< numbers that there are; all others are off */
};

#if defined(__GNUC_GNU_INLINE__) && !defined(__cplusplus)
#define GCPU_INLINE extern __inline__ /* what -std=gnu89 calls it */
#else
#define GCPU_INLINE inline
#endif

/** Does the guest have FEATURE (a GCPU_X86_* or GCPU_ARM64_* number)? Two loads and a test, in
 *  the caller; the library exports it as well. */
GCPU_INLINE
bool gcpu_plan_has(const struct gcpu_plan *plan, unsigned feature)
{
	const struct gcpu_plan_bits *has = (const struct gcpu_plan_bits *)plan;

	return has && feature < has->n && (has->word[feature / 64] >> (feature % 64) & 1);
}

/** Number of a feature by name or alias, 0 if there is none. Groups have no number. */
unsigned gcpu_feature_by_name(enum gcpu_arch arch, const char *name);

/** One CPUID entry; as struct kvm_cpuid_entry2 without its padding. */
struct gcpu_cpuid {
	uint32_t leaf, subleaf;
	uint32_t flags; /**< bit 0: sub-leaf is significant */
	uint32_t eax, ebx, ecx, edx;
};

/**
 * CPUID of vCPU number VCPU (x86), in ascending order.
 * @param count in: room in entries (0: only count), out: entries there are.
 * @return 0, GCPU_ERR_ARGUMENT if there is no such vCPU or too little room.
 */
int gcpu_plan_cpuid(const struct gcpu_plan *plan, unsigned vcpu, struct gcpu_cpuid *entries,
		    size_t *count);

/** Id that vCPU number VCPU must be created with (x86: its APIC id). */
unsigned gcpu_plan_vcpu_id(const struct gcpu_plan *plan, unsigned vcpu);
unsigned gcpu_plan_vcpus(const struct gcpu_plan *plan);

/** Something the user should know. Strings are owned by the plan. */
struct gcpu_finding {
	const char *id;       /**< stable word, row of rules.txt */
	const char *severity; /**< "note", "warning" or "error" */
	const char *feature;  /**< name of the feature, or NULL */
	const char *text;     /**< one sentence */
	const char *source;   /**< who says so */
};
/** Non-zero from VISIT stops and is returned. */
int gcpu_plan_findings(const struct gcpu_plan *plan,
		       int (*visit)(void *ctx, const struct gcpu_finding *), void *ctx);

/** When a step of the recipe is due. */
enum gcpu_phase {
	GCPU_PHASE_PROCESS = 0,  /**< once per process, before its first vCPU; those of a
				  *   probe's trial count, see gcpu_probe_options.ask_xcomp */
	GCPU_PHASE_VM = 1,       /**< once, after KVM_CREATE_VM, before the first vCPU */
	GCPU_PHASE_ALL_VCPUS = 2, /**< on each vCPU, when all that the guest starts with have been
				   *   created */
	GCPU_PHASE_VM_ONCE = 3,  /**< once, through the first vCPU that there is */
	GCPU_PHASE_VCPU = 4,     /**< on each vCPU, before its first KVM_RUN */
	GCPU_PHASE_RUN = 5,      /**< what the VMM itself has to do, in KVM's exits and in calls of
				  *   its own; while the guest runs, where .why does not say when */
};

/** One step, enough to carry out with no further knowledge; of GCPU_PHASE_RUN, to write the
 *  VMM's code: .call is the exit or the call that it is about, masks say which bits. */
struct gcpu_step {
	enum gcpu_phase phase;
	const char *scope;   /**< descriptor: "process", "vm", "vcpu"; "vmm": the caller's own work */
	const char *call;    /**< "KVM_ENABLE_CAP", "KVM_SET_CPUID2", "KVM_EXIT_HYPERCALL", ... */
	unsigned n_args;
	struct gcpu_step_arg {
		const char *name; /**< "cap", "args[0]", "id", "value", ...; KVM_SET_ONE_REG
				   *   without "value": each vCPU has its own, see
				   *   docs/plan.md */
		uint64_t value;
		const char *text; /**< name of the value, or NULL */
	} args[4];
	const char *why;     /**< one sentence */
};
/** Visit the steps, in the order in which they are due; non-zero from VISIT stops and is returned. */
int gcpu_plan_recipe(const struct gcpu_plan *plan, int (*visit)(void *ctx, const struct gcpu_step *),
		     void *ctx);

/** The caller's descriptors, for gcpu_plan_apply(). */
struct gcpu_fds {
	size_t size; /**< sizeof(struct gcpu_fds) */
	int kvm, vm;
	const int *vcpus; /**< gcpu_plan_vcpus() of them, in the order of the plan; negative:
			   *   not created yet */
	int gic;          /**< out: descriptor of the vGIC that the VM phase created, else -1;
			   *   the caller owns it, and sets its addresses */
};

/**
 * Carry out the steps of one phase on the caller's descriptors. Call it for
 * PROCESS, then VM (fds->vm set), create the vCPUs with gcpu_plan_vcpu_id(),
 * then ALL_VCPUS, VM_ONCE, VCPU. Stops at the first failure: err names the
 * step; the VM is not usable then. GCPU_PHASE_RUN is the caller's own work:
 * GCPU_ERR_ARGUMENT.
 *
 * Plan with all vCPUs that a guest may come to have. ALL_VCPUS and VCPU pass
 * over those that are not created yet, VM_ONCE goes through the first that is;
 * if none is: GCPU_ERR_ARGUMENT. When others are created later, ALL_VCPUS and
 * VCPU again, with an array in which only these are not negative.
 */
int gcpu_plan_apply(const struct gcpu_plan *plan, enum gcpu_phase phase, const struct gcpu_kvm *kvm,
		    struct gcpu_fds *fds, struct gcpu_error *err);

/** Why a feature is as it is: one call per step, oldest first. */
struct gcpu_reason {
	const char *rule;     /**< id of the rule */
	const char *field;    /**< the field it touched */
	uint64_t before, after;
	const char *sentence;
	const char *source;
};
/** NAME is a feature, field or alias. GCPU_ERR_NAME with the nearest names. */
int gcpu_plan_explain(const struct gcpu_plan *plan, const char *name,
		      int (*visit)(void *ctx, const struct gcpu_reason *), void *ctx,
		      struct gcpu_error *err);

/** Why a host does not give a feature. */
enum gcpu_lack {
	GCPU_LACK_NOTHING = 0, /**< it is offered, or on without that */
	GCPU_LACK_NEVER = 1,   /**< KVM never offers it */
	GCPU_LACK_RULE = 2,    /**< a rule: another machine or request may have it, see gcpu_plan_advise() */
	GCPU_LACK_CPU = 3,     /**< the CPU of this host does not have it */
	GCPU_LACK_KERNEL = 4,  /**< the kernel of this host is older than the first that offers it */
	GCPU_LACK_HOST = 5,    /**< this KVM does not offer it; no more is known */
};

/** How a feature stands in a plan. */
struct gcpu_standing {
	size_t size;      /**< sizeof(struct gcpu_standing), set by the caller */
	bool on;          /**< planned; of a group: all of it */
	bool some;        /**< planned; of a group: at least a part of it */
	bool offered;     /**< this KVM offers it on this machine */
	bool chosen;      /**< a request may name it; else it is computed, or KVM's own */
	bool asked;       /**< the request names it, on or off */
	bool forced_on;   /**< off in the plan, and on in every guest of this KVM (seen by trial) */
	bool forced_off;  /**< on in the plan, and off in every guest of this KVM */
	enum gcpu_lack lack; /**< why it cannot be had */
	uint64_t value, offer; /**< planned and offered value of its (first) field */
	bool in_force;    /**< what guests have of it: planned, and not forced off, or forced on; of
			   *   a group: all of it */
	bool always_on;   /**< whatever is planned, guests of this KVM have it (seen by trial); of a
			   *   group: at least a part of it */
};
/** NAME is a feature, field, group or alias. GCPU_ERR_NAME with the nearest names. */
int gcpu_plan_standing(const struct gcpu_plan *plan, const char *name, struct gcpu_standing *ret,
		       struct gcpu_error *err);

/** How a property, a word of a request that is no feature, stands in a plan. */
struct gcpu_property_standing {
	size_t size;     /**< sizeof(struct gcpu_property_standing), set by the caller */
	bool asked;      /**< the request names it */
	bool has_value;  /**< the plan has a value of it, asked for or not: .text */
	uint64_t value;  /**< of a number, and of a frequency in Hz; 0 of a text */
	char text[64];   /**< the value as a request would say it */
};
/** NAME is a property. GCPU_ERR_NAME. */
int gcpu_plan_property(const struct gcpu_plan *plan, const char *name,
		       struct gcpu_property_standing *ret, struct gcpu_error *err);
/** Visit the findings about the property NAME: what became of it. Non-zero from VISIT
 *  stops and is returned. GCPU_ERR_NAME. */
int gcpu_plan_property_findings(const struct gcpu_plan *plan, const char *name,
				int (*visit)(void *ctx, const struct gcpu_finding *), void *ctx,
				struct gcpu_error *err);

/** A way to change a feature: the plan of .request on .machine, for the same snapshot,
 *  has it so, and KVM's trial foretells nothing else. That plan was made and looked at. */
struct gcpu_advice {
	const char *request;
	const struct gcpu_machine *machine;
	const char *why;    /**< one sentence, or NULL */
	const char *source; /**< who says so, or NULL */
};
/**
 * What would turn a feature ON (or off): the user's words taken back, the feature or what
 * it needs asked for, properties, and what rules say of the machine, alone or together.
 * The least changes are visited, at most GCPU_ADVICE_MOST of them; none if it stands so
 * already, or if nothing that was tried helps on this host. Costs up to some hundred
 * plans. What VISIT is given lives as long as the call; non-zero from it stops and is
 * returned.
 */
int gcpu_plan_advise(const struct gcpu_plan *plan, const char *name, bool on,
		     int (*visit)(void *ctx, const struct gcpu_advice *), void *ctx,
		     struct gcpu_error *err);
#define GCPU_ADVICE_MOST 4

/** Write the plan document (docs/plan.md), or the table as `cpuid -r` prints it
 *  (GCPU_ERR_ARCH where there is no CPUID). @return 0, a code, or what WRITE returned. */
int gcpu_plan_write_json(const struct gcpu_plan *plan, gcpu_write write, void *ctx);
int gcpu_plan_write_cpuid_raw(const struct gcpu_plan *plan, gcpu_write write, void *ctx);

#ifdef __cplusplus
}
#endif
#endif

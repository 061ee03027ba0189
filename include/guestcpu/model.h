/* SPDX-License-Identifier: MIT */
/**
 * A software KVM: KVM's interface for CPU features, over a snapshot.
 *
 * A backend like gcpu_kvm_real(), for a VMM's tests and for machines without
 * KVM: open("/dev/kvm"), VMs, vCPUs, CPUID tables, MSRs, registers, ONE_REG,
 * with KVM's own errors, order and freezing, as the kernel of a named series
 * or release has them. No guest instruction is executed: what a guest does is
 * given to it as a list of operations. The TSC and KVM's clocks go on with
 * this machine's clock; where a guest waits for its timer and all others stand
 * still they are moved on to it. There is no scheduler.
 *
 * Descriptors are the model's own numbers, from 3 on, and mean nothing to the
 * kernel. Pointers to where no memory is, or none that can be written, give EFAULT, and so does
 * a guest's access to a slot whose memory is gone; how pointers are aligned does not matter.
 * Memory that a call is given has to stay until the call is back.
 * Not there: what a vGIC's registers hold (ENXIO), guests' memory behind a descriptor, KVM_TRANSLATE, KVM_X86_SET_MCE,
 * KVM_PRE_FAULT_MEMORY; and KVM_IRQFD does not notice what is said twice.
 * The numbers of calls hold the size of their structure: older <linux/kvm.h>, compiled as C++, have
 * struct kvm_cpuid2 and others that end in a list 4 bytes too long, and here as in the kernel
 * such a call is EINVAL.
 * Calls may come from several threads; one at a time is carried out.
 */
#ifndef GUESTCPU_MODEL_H
#define GUESTCPU_MODEL_H

#include <guestcpu/error.h>
#include <guestcpu/kvm.h>
#include <guestcpu/snapshot.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gcpu_model;

struct gcpu_model_options {
	size_t size;	    /**< sizeof(struct gcpu_model_options) */
	/** Series, "6.1", "6.12", "6.18" or "7.2", or a release of one, "6.12.5"; NULL: the snapshot's own kernel.
	 *  A series stands for one release of it. */
	const char *kernel;
};

/**
 * A model of HOST's KVM. HOST must outlive it. Another series than the
 * snapshot's own is computed from the host's own CPUID (x86), or told by KVM's
 * rules, masks and capabilities of that series over the same limits (arm64):
 * that another kernel may show more or less of the CPU is not modelled.
 * A host that does not tell the frequency of its TSC (one made from a dump of CPUID without leaves
 * 0x15 and 0x16) has 1 GHz.
 * OPTIONS may be NULL. GCPU_ERR_NAME: no such series, nor a release of one; GCPU_ERR_ARGUMENT: the
 * snapshot does not say enough (a guest's view, for example).
 * @return 0 and *ret_model, or a code.
 */
int gcpu_model_new(const struct gcpu_snapshot *host, const struct gcpu_model_options *options,
		   struct gcpu_model **ret_model, struct gcpu_error *err);
/** What is open is gone with it. NULL is allowed. */
void gcpu_model_free(struct gcpu_model *model);

/** The backend. Owned by the model, valid as long as it is. NULL of none. */
const struct gcpu_kvm *gcpu_model_kvm(struct gcpu_model *model);
/** What is offered: the host's snapshot, or the one computed for another series (its name then ends in
 *  "@" and the series). Owned by the model. NULL of none. */
const struct gcpu_snapshot *gcpu_model_host(const struct gcpu_model *model);
/** The model behind a backend, or NULL if it is none. */
struct gcpu_model *gcpu_model_of(const struct gcpu_kvm *kvm);

/** What guest code can do. */
enum gcpu_guest_code {
	GCPU_GUEST_CPUID = 1,	  /**< arg0 leaf, arg1 sub-leaf -> res0..3 eax..edx */
	GCPU_GUEST_RDMSR = 2,	  /**< arg0 index -> res0 */
	GCPU_GUEST_WRMSR = 3,	  /**< arg0 index, arg1 value */
	GCPU_GUEST_HYPERCALL = 4, /**< arg0 number, arg1..4 arguments -> res0 */
	GCPU_GUEST_LOAD = 5,	  /**< arg0 guest address, arg1 bytes 1 2 4 8 -> res0 */
	GCPU_GUEST_STORE = 6,	  /**< arg0 guest address, arg1 bytes, arg2 value */
	GCPU_GUEST_HALT = 7,	  /**< interrupts on, halt until the next one */
	GCPU_GUEST_XGETBV = 8,	  /**< arg0 index -> res0 */
	GCPU_GUEST_RDCR = 9,	  /**< arg0 number 0 2 3 4 8 -> res0 */
	GCPU_GUEST_WRCR = 10,	  /**< arg0 number 0 4 8, arg1 value */
	GCPU_GUEST_HALT_OFF = 11, /**< interrupts off, halt: only a kick, INIT or NMI ends it */
	GCPU_GUEST_MRS = 16,	  /**< arg0 op0<<14|op1<<11|crn<<7|crm<<3|op2 -> res0 */
	GCPU_GUEST_SMCCC = 17,	  /**< arg0..4 as x0..x4 of HVC #0 -> res0..3 */
};

enum gcpu_guest_status {
	GCPU_GUEST_PENDING = 0, /**< not reached */
	GCPU_GUEST_DONE = 1,
	GCPU_GUEST_FAULT = 2,	/**< fault holds the x86 vector or the arm64 ESR_EL1 */
	GCPU_GUEST_UNKNOWN = 3, /**< this guest has no such operation */
};

/** One operation. */
struct gcpu_guest_op {
	uint32_t code;	 /**< enum gcpu_guest_code */
	uint32_t status; /**< enum gcpu_guest_status, written by the model */
	uint64_t arg[6];
	uint64_t res[4];
	uint64_t fault;
};

/**
 * What the vCPU does from its next KVM_RUN on. OPS must stay until KVM_RUN has
 * worked them off, and results are written there; a list that was not finished
 * is forgotten, so that N 0 takes one back. KVM_RUN returns 0 at every exit that a
 * VMM must handle, with the vCPU's run page filled in, and goes on behind it
 * when called again; it returns -EINTR when there is nothing more to do, or
 * when the vCPU waits for what another one may do.
 * @return 0, or GCPU_ERR_ARGUMENT if VCPU_FD is not a vCPU, or there is no model.
 */
int gcpu_model_guest(struct gcpu_model *model, int vcpu_fd, struct gcpu_guest_op *ops, size_t n);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: MIT */
/*
 * What KVM on arm64 answers, foretold from the facts of data/arm64 and from a
 * VM's registers as they read right after KVM_ARM_VCPU_INIT: no trial. Pure.
 * An answer is 0 or an errno, what is read back, and the rule behind it.
 */
#ifndef GCPU_ARCH_ARM64_PREDICT_H
#define GCPU_ARCH_ARM64_PREDICT_H

#include "core/plan.h"

/* How far a vCPU is; INITIALISED: SVE, if it has any, is not finalized. */
enum predict_state { PREDICT_CREATED, PREDICT_INITIALISED, PREDICT_FINALIZED, PREDICT_RAN };

/* KVM_ARM_GET_REG_WRITABLE_MASKS: nobody asked, this KVM has none, or it told. */
enum predict_masks { PREDICT_MASKS_UNKNOWN, PREDICT_MASKS_NONE, PREDICT_MASKS_TOLD };

enum predict_why {
	PREDICT_SAME,	   /* the register has that value already */
	PREDICT_WITHIN,	   /* every field within its limit */
	PREDICT_ROW,	   /* a row of exceptions.txt */
	PREDICT_STATE,	   /* too early or too late */
	PREDICT_NO_FIELD,  /* bits that no field has are not the limit's */
	PREDICT_READ_ONLY, /* KVM's mask leaves the field out */
	PREDICT_ABOVE,	   /* not within the limit, by the field's order */
	PREDICT_LEAST,	   /* less than the field's least value */
	PREDICT_UNKNOWN,   /* a bit that this kernel does not know */
	PREDICT_LACKS,	   /* known, and not there on this host */
	PREDICT_TOGETHER,  /* bits that do not go with, or without, each other */
};

struct predict_vm {
	enum predict_state state;
	enum predict_masks masks;
	unsigned flags;	    /* EXCEPTION_IMP_IDS, _AARCH32, _MTE, _OTHER_VCPU: what holds */
	uint32_t features;  /* of KVM_ARM_VCPU_INIT, word 0 */
	bool coherent;	    /* the limit of CTR_EL0.IDC */
	const char *kernel; /* its release; NULL: taken for the newest */
};

struct predict_reg {
	uint64_t id, limit, now, mask;
};

struct prediction {
	int error;	/* 0: taken */
	uint64_t value; /* what is read afterwards */
	enum predict_why why;
	int field;			  /* the one that decided, or -1 */
	const struct exception_fact *row; /* PREDICT_ROW */
};

/* A sentence about it. */
const char *predict_text(const struct prediction *p);

/* The VM whose registers a snapshot holds, and one of them; false if it was not read. */
struct predict_vm predict_vm_of(const struct gcpu_snapshot *s);
bool predict_reg_of(const struct gcpu_snapshot *s, uint64_t id, struct predict_reg *ret);

/* KVM_SET_ONE_REG of an ID register, in the range that the masks are about. */
struct prediction predict_register(const struct predict_vm *vm, const struct predict_reg *r,
				   uint64_t value);
/* For predict_vcpu.c: the first row of exceptions.txt that holds, or NULL; of a field, or (FIELD -1) of a word. */
const struct exception_fact *predict_row(const struct predict_vm *vm, int word, int field, uint64_t id,
					 uint64_t value, uint64_t limit);
/* The same of one field, the others being at their limits. */
struct prediction predict_field(const struct predict_vm *vm, const struct predict_reg *r,
				unsigned field, uint64_t value);

/* KVM_ARM_VCPU_INIT with FEATURES on a host with these capabilities. vm->features is the set
 * that this vCPU, or with EXCEPTION_OTHER_VCPU another one, settled before, if SETTLED. */
struct prediction predict_init(const struct gcpu_snapshot *s, const struct predict_vm *vm, bool settled,
			       const uint32_t features[7]);

/* KVM_SET_ONE_REG of the vector lengths, eight words; HOST is what was read at first. */
struct prediction predict_sve(const struct predict_vm *vm, const uint64_t host[8],
			      const uint64_t value[8]);

/* KVM_SET_ONE_REG of a register of KVM's firmware. */
struct prediction predict_firmware(const struct predict_vm *vm, const struct predict_reg *r,
				   uint64_t value);

enum predict_call { PREDICT_GET_ONE_REG, PREDICT_GET_REG_LIST, PREDICT_RUN, PREDICT_FINALIZE };

/* A call on a vCPU that is so far; FEATURE of FINALIZE. 0 or an errno. */
int predict_call(const struct predict_vm *vm, enum predict_call call, unsigned feature);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The document guestcpu.trace in memory, as far as it says which CPU a guest was given, and what
 * it says of one word. docs/trace.md describes it.
 */
#ifndef GCPU_FORMATS_TRACE_READ_H
#define GCPU_FORMATS_TRACE_READ_H

#include "core/facts.h"
#include "core/util.h"
#include "document.h"

#include <guestcpu/plan.h>

/* Bytes of text: more than comes of all that trace and sim have room for. */
#define TRACE_MOST DOCUMENT_MOST

struct traced_msr {
	uint32_t index;
	uint64_t value;
};

struct traced_reg {
	uint64_t id;
	uint64_t value; /* lowest word */
};

struct traced_vcpu {
	uint32_t id;
	bool ran;
	bool has_init;
	uint32_t features[7];
	struct list cpuid; /* gcpu_cpuid */
	struct list msrs;  /* traced_msr */
	struct list regs;  /* traced_reg */
	uint32_t kvm_leaf; /* where KVM's own leaves begin: the first with its signature; 0: nowhere */
};

struct traced_checked {
	bool vm; /* asked of the VM, else of /dev/kvm */
	uint32_t cap;
	int64_t value; /* negative: an errno */
};

struct traced_enabled {
	int vcpu; /* -1: the VM */
	uint32_t cap;
	unsigned n_args;
	uint64_t args[4];
	int error;
};

/* What a call may be asked about later; others have a name only. */
enum traced_call_kind { TRACE_OTHER, TRACE_TABLE, TRACE_MSRS, TRACE_REGISTER, TRACE_INIT, TRACE_TSC_KHZ };

struct traced_call {
	enum traced_call_kind kind;
	char *name;
	int vcpu; /* -1: none */
	int error;
	bool has_value;	 /* of what it was about: a register's id, the MSR at which KVM stopped */
	uint64_t id;	 /* of a register */
	uint64_t refused; /* MSR */
	uint64_t taken;	 /* MSRs */
	uint64_t khz;
};

struct traced {
	enum gcpu_arch arch;
	bool model; /* a software KVM answered */
	bool complete;
	char *host, *series, *irqchip, *gic; /* NULL: null */
	char *program; /* what was started, without its arguments */
	struct list vcpus;   /* traced_vcpu */
	struct list checked; /* traced_checked */
	struct list enabled; /* traced_enabled */
	struct list calls;   /* traced_call */
};

/* 0, or GCPU_ERR_DOCUMENT, _SCHEMA, _ARCH, _MEMORY; traced_free() after 0 only. */
int traced_parse(const char *text, size_t length, struct traced **ret, struct gcpu_error *err);
void traced_free(struct traced *t);

/* src/sim/said.c: what a vCPU was given for the word at ADDR; false: the program set nothing that holds it. */
bool traced_word(const struct traced_vcpu *v, uint64_t addr, uint64_t *ret);

/* Which calls of vCPU number VCPU gave the word at ADDR its value, by their numbers in the trace: those that
 * KVM took, or those that it refused. Of MSRs a trace does not say by which of several: then it is all of them. */
int traced_calls_about(const struct traced *t, unsigned vcpu, uint64_t addr, bool refused,
		      int (*visit)(void *ctx, size_t number, const struct traced_call *c), void *ctx);

#endif

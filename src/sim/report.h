/* SPDX-License-Identifier: MIT */
/*
 * What a program asked of KVM, gathered from the events that it left: of one VM, that which ran
 * first, else the last one that has vCPUs. docs/trace.md describes it.
 */
#ifndef GCPU_SIM_REPORT_H
#define GCPU_SIM_REPORT_H

#include "log.h"

#include <guestcpu/plan.h>

struct sim_msr {
	uint32_t index;
	uint64_t value; /* as it was written last */
};

struct sim_reg {
	uint64_t id;
	unsigned n_words;
	uint64_t value[32];
};

struct sim_vcpu {
	uint32_t object, id;
	bool ran;
	bool has_table; /* one was taken */
	struct list cpuid; /* gcpu_cpuid, of a table of either form */
	struct list msrs;  /* sim_msr, in the order in which they were written first */
	struct list regs;  /* sim_reg */
	bool has_init;
	uint32_t target, features[7];
};

struct sim_cap {
	uint32_t number;
	bool vm; /* asked of the VM, else of /dev/kvm */
	int value;
	uint64_t order; /* in which it was asked */
};

enum sim_arg_kind { ARG_INT, ARG_HEX, ARG_NAME, ARG_INTS, ARG_HEXES };

struct sim_arg {
	const char *name;
	enum sim_arg_kind kind;
	const char *text; /* ARG_NAME: or NULL */
	unsigned n;	  /* of an array, else 1 */
	uint64_t value[8];
};

#define SIM_ARGS_MOST 4

struct sim_call {
	const char *scope;
	int vcpu;	   /* index, or -1 */
	const char *name;  /* NULL: a request that has none here */
	unsigned long request;
	int error;	   /* errno, or 0 */
	unsigned times;    /* in a row */
	bool enables;	   /* KVM_ENABLE_CAP */
	unsigned n_args;
	struct sim_arg args[SIM_ARGS_MOST];
};

/* A program that was started and into which nothing is preloaded. */
struct sim_unseen {
	const char *path; /* in the log */
	const char *why;  /* "static", "foreign", "rights", "alone" */
	bool refused;
};

struct sim_report {
	const struct sim_log *log;
	bool complete; /* nothing was lost */
	bool opened;
	int open_error; /* errno: /dev/kvm was asked for, and never had; else 0 */
	unsigned n_vms; /* that were made */
	uint32_t vm;	/* object of the one that counts, or 0 */
	const char *irqchip; /* "kernel", "split", "user"; arm64: "v2", "v3", "none" */
	struct list vcpus;   /* sim_vcpu, in the order of their creation */
	struct list caps;    /* sim_cap, by number */
	size_t caps_settled; /* so many of them are each there once */
	uint64_t asked;	     /* how often a capability was */
	struct list calls;   /* sim_call */
	struct list unseen;  /* sim_unseen */
	struct list objects; /* of its own */
};

/* 0 or GCPU_ERR_MEMORY. LOG has to stay. */
int sim_report_make(const struct sim_log *log, struct sim_report *ret, struct gcpu_error *err);
void sim_report_free(struct sim_report *r);

/* What the document has beside that. */
struct sim_told {
	char *const *command; /* NULL at its end */
	int exit_code;	      /* -1: none */
	int signal;
	enum gcpu_arch arch;
	const struct gcpu_snapshot *host; /* NULL: this machine's KVM */
	const char *kernel;		  /* series, or NULL */
	bool is_here;			  /* HOST is this machine */
};

/* The document guestcpu.trace. */
int sim_report_write(const struct sim_report *r, const struct sim_told *t, gcpu_write write, void *ctx);

#endif

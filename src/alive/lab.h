/* SPDX-License-Identifier: MIT */
/* Between the runner of exercises and the exercises. */
#ifndef GCPU_ALIVE_LAB_H
#define GCPU_ALIVE_LAB_H

#include <time.h>

#include "alive.h"
#include "core/facts.h"
#include "guest_port.h"
#include "run/machine.h"

#define LAB_VCPUS 4 /* most that an exercise has */

/* What came of an exercise. An exercise that says nothing is inconclusive. */
struct outcome {
	enum gcpu_alive alive;
	char observed[40]; /* of a behaviour: one word, stable */
	char witness[240];
	char control[160]; /* by what its control was refused, or empty */
};

struct alive {
	const struct alive_options *o;
	const struct facts *facts;
	struct timespec deadline; /* of the exercise at work */
	enum { HYPERCALLS_UNKNOWN, HYPERCALLS_ANSWERED, HYPERCALLS_NOT } hypercalls; /* found out once */
	char why_no_hypercalls[240];
};

/* A VM like that of the user's plan, but for what is said here. */
struct lab_want {
	unsigned vcpus;		/* 0: 2 */
	const char *words;	/* added to the request: ",-kvm-pv-eoi" */
	const struct gcpu_machine *machine; /* instead of the user's; vcpus counts */
	struct run_options run; /* which vCPUs there are, and a word before them */
	bool plain;		/* not like the user's: all that this host gives, on MACHINE or the default one */
	bool no_guest;		/* no memory and no payload: KVM alone is asked */
};

struct lab {
	struct alive *alive;
	struct gcpu_request *request;
	struct gcpu_plan *plan;
	struct run_machine *vm;
	struct run_guest *guest;
	const struct guest_port *port;
	unsigned vcpus;
	uint64_t khz; /* cycles of the guest's counter in a millisecond */
	struct outcome *out;
};

/* 0, or OUT says why not. Close it with lab_close() in either case. */
int lab_open(struct alive *a, const struct lab_want *want, struct lab *lab, struct outcome *out);
void lab_close(struct lab *lab);

/* Say what came of it; always returns 1, so that it can end a function. */
int say(struct outcome *out, enum gcpu_alive alive, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Of a behaviour: what was observed, as one word, and the witness. */
int observe(struct outcome *out, const char *word, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Run, start and finish a list. Not 0: it went wrong, the outcome is inconclusive and
 * says where the guest stands. Operations that faulted are no error: look at them.
 */
int lab_run(struct lab *lab, unsigned vcpu, struct guest_op *ops, size_t n);
int lab_start(struct lab *lab, unsigned vcpu, const struct guest_op *ops, size_t n);
int lab_finish(struct lab *lab, unsigned vcpu, struct guest_op *ops, size_t n);
/* At most MS, where no end is a result as well: 1 it ended, 0 it did not and stands still,
 * negative: it went wrong. */
int lab_ended(struct lab *lab, unsigned vcpu, struct guest_op *ops, size_t n, unsigned ms);
/* Milliseconds that this exercise still has, at least 1. */
unsigned lab_left(const struct lab *lab);
void lab_sleep(unsigned ms);

/* An ioctl on the lab's VM or vCPU: its result, or -errno. */
int lab_vm_ioctl(const struct lab *lab, unsigned long request, const void *arg);
int lab_vcpu_ioctl(const struct lab *lab, unsigned vcpu, unsigned long request, const void *arg);
int lab_vm_number(const struct lab *lab, unsigned long request, unsigned long arg);

/* Memory that this vCPU, or all (LAB_SHARED), may play with. */
#define LAB_SHARED RUN_GUEST_SHARED
void *lab_memory(struct lab *lab, unsigned vcpu, uint64_t *ret_address);

/* What to do wrong for a control; tests of the controls have it right. */
uint64_t lab_wrong(const struct lab *lab, uint64_t wrong, uint64_t right);

/* The host's clock now, ns. */
int64_t host_ns(clockid_t id);

/* What KVM says to a call: "taken", or an errno's name. */
const char *answer(int r);

/* The CPUs of this host that we may run on: the first, and another if there is one. */
void lab_cpus(int ret[2]);

/* Somebody else on a CPU, who never sleeps. NULL: no thread could be had. */
struct competitor;
struct competitor *competitor_start(int cpu);
void competitor_stop(struct competitor *c);

/* Is it a software KVM? That has no time but the host's clock, no statistics, and executes operations, not code. */
bool lab_on_model(const struct lab *lab);

/* KVM's own statistics of a vCPU or VM descriptor, or -errno. Open them before the vCPU runs.
 * lab_stat(): the value, or -1 if this kernel has none of that name, or STATS is none. */
int lab_stats_open(const struct lab *lab, int fd);
int64_t lab_stat(int stats, const char *name);
void lab_stats_close(int stats);
/* Says why there is no NAME: this kernel has none, or its statistics were not to be had. 1, always. */
int lab_no_stat(struct outcome *out, int stats, const char *name);

/* Facts about a paravirtual feature: MSR or hypercall number I of it. */
uint32_t pv_msr(const struct alive *a, unsigned field, unsigned i);
uint32_t pv_call(const struct alive *a, unsigned field, unsigned i);
const struct pv_fact *pv_fact(const struct alive *a, unsigned field);
/* Number of a hypercall that no feature announces, by its X86_CALL_... */
uint32_t hypercall_number(const struct alive *a, unsigned call);

/* Cycles of the guest's counter in a millisecond. */
uint64_t alive_khz(const struct lab *lab);
/* Does the guest find the field on, as a guest looks for it? 1, 0, or negative: it went wrong. */
int alive_told(struct lab *lab, unsigned field);
/* Does this KVM answer hypercalls from ring 0 at all? Else the outcome is untestable; or inconclusive,
 * where that could not be found out. */
bool alive_hypercalls(struct alive *a, struct outcome *out);

struct exercise;
/* What is added to the request for the VM of a feature's control, where it is off and refused; or, LEFT_ON,
 * where it must not be. */
void alive_control_words(const struct exercise *e, bool left_on, char *ret, size_t size);

struct exercise {
	const char *name;	 /* of the feature, or of what is tried */
	enum gcpu_exercise_kind kind; /* FEATURE: in a plan it is on or off */
	unsigned field;		 /* of a FEATURE */
	bool hypercalls;	 /* only where KVM answers hypercalls */
	const char *nothing;	 /* nothing to exercise: why; the rest is empty then */
	struct lab_want want;
	/* What a VMM has to do for it before the guest runs at all, where it is on. Not 0: the outcome says why not. */
	int (*prepare)(struct lab *lab, struct outcome *out);
	/* The feature is on, or there is none: use it. */
	void (*use)(struct lab *lab, struct outcome *out);
	/* It is off: use it all the same, and see it refused. Also the control of use(). NULL: as the
	 * facts say, by MSRs and hypercalls. */
	void (*refused)(struct lab *lab, struct outcome *out);
	/* Nothing refuses it: there is no control. Why. */
	const char *never_refused;
};

/* All exercises of this machine's architecture, in the order in which they run. */
extern const struct exercise *const alive_exercises[];
extern const unsigned alive_n_exercises;

/* What refuses a feature by its facts: see pv.txt. */
void refused_by_facts(struct lab *lab, unsigned field, struct outcome *out);

#endif

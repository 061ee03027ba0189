/* SPDX-License-Identifier: MIT */
/*
 * Two KVMs, one sequence: random ioctls and guest operations from a seed are carried out on both,
 * and after each step the answers are compared. One is real and the other a model of it; or one
 * of them lies, and is to be found out. The first disagreement is made small and shown.
 *
 * A step is numbers alone: everything that a call is given follows from them, and from what the
 * KVM itself has said before. So steps can be left out and numbers made smaller.
 */
#ifndef TESTS_DIFFER_DIFFER_H
#define TESTS_DIFFER_DIFFER_H

#include "core/snapshot.h"
#include "guest_port.h"
#include "kvm/abi.h"
#include "run/guest.h"

#include <errno.h>
#include <stdio.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

#define ARGS 4
#define ITEMS 10
#define PARTS 4
#define STEPS_MOST 64
#define VCPUS 4

/* Part of a step that may be there several times: an edit of a table, an MSR, an operation of the guest. */
struct item {
	uint64_t part[PARTS];
};

struct step {
	unsigned op;   /* place in the table of operations */
	unsigned vcpu; /* number, counted round those that there are */
	uint64_t arg[ARGS];
	unsigned n;
	struct item item[ITEMS];
};

/* One value of an answer: WHAT is a format with two %x at most, for A and B. */
struct word {
	const char *what;
	uint32_t a, b;
	uint64_t value;
};

struct answer {
	int status; /* result of the call, or -errno */
	bool none;  /* there was nothing to do it on */
	bool lost;  /* no memory for all of it */
	size_t n, room;
	struct word *words;
};

void say(struct answer *a, const char *what, uint32_t x, uint32_t y, uint64_t value);

/* splitmix64 */
struct random {
	uint64_t state;
};
uint64_t random_next(struct random *r);
unsigned below(struct random *r, unsigned n); /* 0 where N is 0 */
bool chance(struct random *r, unsigned percent);
/* A number that is likely to be at an edge of something. */
uint64_t odd_number(struct random *r);

struct differ;

/* One backend, and the sequence's VM on it. */
struct side {
	const struct differ *d;
	const struct gcpu_kvm *kvm;
	int kvm_fd, vm, gic;
	unsigned n;
	int vcpu[VCPUS];
	unsigned id[VCPUS];
	struct run_guest *guest; /* NULL before the first list */
	unsigned guest_vcpus;
	bool disturbed[VCPUS]; /* registers that the guest's code lives by may have been set */
	bool lost[VCPUS];      /* it does not answer any more */
	bool entered;	       /* some vCPU was to run */
	const struct step *now; /* whose guest operations run */
	struct answer *answer;
	unsigned exits;
	uint64_t keep[VCPUS][8]; /* the architecture's */
};

/* What the generator knows of the sequence so far. */
struct maker {
	struct random r;
	const struct gcpu_snapshot *host;
	unsigned at, all; /* steps */
	unsigned vcpus;	  /* asked for so far */
	bool irqchip, table, guest, init;
};

struct operation {
	const char *name;
	unsigned weight; /* of 1000 or so; 0: never by chance */
	bool vcpu;	 /* needs one */
	bool guest;	 /* runs the guest */
	void (*make)(struct maker *m, struct step *s);
	void (*run)(struct side *w, const struct step *s, struct answer *a);
	/* How it is written: arguments and items. NULL: as numbers. */
	void (*print)(FILE *to, const struct step *s);
};

/* What is not compared, or not done, and why. */
struct exclusion {
	const char *op;	  /* operation; NULL: any */
	const char *word; /* its word, as the format that says it; NULL: the row is for readers */
	uint64_t a_from, a_to; /* values of A for which the row holds */
	const char *reason;
};

struct domain {
	enum gcpu_arch arch;
	const struct operation *ops;
	unsigned n_ops;
	const struct exclusion *exclusions;
	unsigned n_exclusions;
	/* Weight of OP for the next step; its own, more or less. */
	unsigned (*weigh)(const struct maker *m, const struct operation *op);
	/* Steps behind the last one that read what there is: added to LIST, of which *N are there. */
	void (*look)(const struct maker *m, struct step *list, unsigned *n);
	uint64_t (*vm_type)(const struct gcpu_snapshot *host);
	/* Before a list of a disturbed vCPU: makes it run again. 0 or -errno. */
	int (*settle)(struct side *w, unsigned vcpu);
	/* After one: what is to be put back by settle(). */
	void (*settled)(struct side *w, unsigned vcpu);
	/* Can it run the guest's code, or does it wait for what nobody sends? */
	bool (*awake)(struct side *w, unsigned vcpu);
};

extern const struct domain domain_x86, domain_arm64;

/* Steps that disagreed, and where. */
struct finding {
	struct step steps[STEPS_MOST];
	unsigned n, at; /* of which the last that counts is AT */
	char text[1200]; /* both answers */
};

struct differ {
	const struct domain *domain;
	const struct gcpu_snapshot *host;
	const struct gcpu_kvm *one, *other;
	const char *one_name, *other_name;
	int one_fd, other_fd;
	unsigned steps_most;
	bool guest; /* let guests run */
	unsigned long masked[64]; /* by exclusion: words that were not compared */
};

/* The Nth sequence of SEED: how many steps were made. */
unsigned sequence_make(const struct differ *d, uint64_t seed, unsigned long number, struct step *list);
/* Carries it out on both. 1: they disagree, and FINDING has what about; 0; or -errno: no VM can be had.
 * *DONE: steps that were compared. TRACE: where every step is written to, or NULL. */
int sequence_run(struct differ *d, const struct step *list, unsigned n, struct finding *f, unsigned *done,
		 FILE *trace);
/* Fewer and smaller steps that still disagree. */
void sequence_shrink(struct differ *d, struct finding *f);
void sequence_print(const struct differ *d, const struct finding *f, FILE *to);
void step_print(const struct differ *d, const struct step *s, FILE *to);

/* guest.c: a list of the guest's operations, one for each item: part 0 the code, 1 to 3 arguments. */
void guest_steps(struct side *w, const struct step *s, struct answer *a);
void guest_close(struct side *w);
void print_guest(FILE *to, const struct step *s);

/* common.c: operations that every architecture has. */
void make_nothing(struct maker *m, struct step *s);
/* An id of the next vCPU: as VMMs count in USUAL percent, else a small one or one of ODD. */
void some_vcpu(struct maker *m, struct step *s, unsigned usual, const uint16_t *odd, unsigned n);
void run_vcpu(struct side *w, const struct step *s, struct answer *a);
void run_vm_type(struct side *w, const struct step *s, struct answer *a);
void make_check(struct maker *m, struct step *s);
void run_check(struct side *w, const struct step *s, struct answer *a);
void print_check(FILE *to, const struct step *s);
void run_enable_vm(struct side *w, const struct step *s, struct answer *a);
void run_enable_vcpu(struct side *w, const struct step *s, struct answer *a);
void print_enable(FILE *to, const struct step *s);
void run_immediate(struct side *w, const struct step *s, struct answer *a);
void run_get_mp_state(struct side *w, const struct step *s, struct answer *a);
void run_set_mp_state(struct side *w, const struct step *s, struct answer *a);
void print_one(FILE *to, const struct step *s);

/* ioctls of a side. */
int ask(const struct side *w, int fd, unsigned long request, const void *arg);
int ask_number(const struct side *w, int fd, unsigned long request, unsigned long arg);
/* The same as ask(), but where arg3 of STEP is 1 with a pointer that goes nowhere: the call must say so. */
#define NOWHERE 8UL
int ask_or_nowhere(const struct side *w, int fd, unsigned long request, const struct step *s, const void *arg);
/* The descriptor that STEP is about; -1: none. */
int vcpu_of(const struct side *w, const struct step *s);
unsigned vcpu_number(const struct side *w, const struct step *s);

#endif

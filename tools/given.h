/* SPDX-License-Identifier: MIT */
/* What explain --trace knows of one name: what a program gave its guest, and what guestcpu would. */
#ifndef GCPU_TOOLS_GIVEN_H
#define GCPU_TOOLS_GIVEN_H

#include "core/plan.h"
#include "formats/trace_read.h"
#include "tool.h"

/* What one vCPU was given. */
struct given_vcpu {
	bool said;     /* all that tells it */
	bool some;     /* a part of that */
	uint64_t value; /* of the first field, where that was said */
	size_t call;	/* of a frequency: the call that said it */
	char state[64]; /* "on", "off", a value; empty where nothing was said */
};

#define GIVEN_CAPS 16

struct given {
	const char *word; /* as it was typed */
	const char *name; /* of the feature or property */
	const struct feature_fact *feature; /* NULL: a property */
	const struct value_fact *value;	    /* of a property whose value stands in fields, or NULL */
	int property;			    /* or -1 */
	bool is_number;			    /* has values, is not on or off */
	char where[120];		    /* "CPUID.0x7.0x0.ebx[5]", or empty */
	uint64_t *addrs; /* of the words that tell it */
	unsigned n_addrs;
	struct given_vcpu *vcpus; /* as many as the trace has */
	bool said, agree;	  /* on any vCPU; and all the same */
	unsigned caps[GIVEN_CAPS], n_caps;
	bool is_planned;
	char planned[64]; /* like a vCPU's state, of the plan; empty: it has none */
	const char *forced; /* "on" or "off": what the plan's KVM makes of it in every guest; else NULL */
	const char *rule, *sentence, *source; /* why, or NULL */
};

struct givens {
	struct tool *tool;
	const char *path;
	const struct traced *trace;
	const struct planned *planned; /* NULL: nobody asked */
	const struct arch *arch;
	uint64_t *words; /* scratch, one per word */
	struct list list; /* given */
};

/* One for each feature that WORD names; 0 or an exit code. */
int given_take(struct givens *g, const char *word);
void givens_free(struct givens *g);

/* "on", "never said", "differs": all vCPUs in a word. */
const char *given_state(const struct givens *g, const struct given *of);
/* The calls by which one vCPU was told it, or those that KVM refused; each once. */
void given_calls(const struct givens *g, const struct given *of, unsigned vcpu, bool refused,
		 int (*visit)(void *ctx, size_t number, const struct traced_call *c), void *ctx);
/* What is to be noticed, or NULL. */
const char *given_remark(const struct givens *g, const struct given *of);

/* explain --trace FILE NAME...: the exit code. */
int explain_trace(struct tool *t);
void explain_trace_text(const struct givens *g);
void explain_trace_json(const struct givens *g);

#endif

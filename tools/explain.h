/* SPDX-License-Identifier: MIT */
/* What explain knows of one name, for its two forms of output. */
#ifndef GCPU_TOOLS_EXPLAIN_H
#define GCPU_TOOLS_EXPLAIN_H

#include "tool.h"

struct json;
struct text;

/* Another request, another machine: what to plan with instead. */
struct way {
	char *request;
	struct gcpu_machine machine;
	const char *why, *source; /* or NULL */
};

struct ways {
	struct way way[GCPU_ADVICE_MOST];
	unsigned n;
};

/* A bundled snapshot whose KVM gives the feature. */
struct elsewhere {
	const char *name;
	struct way way;
};

#define ELSEWHERE_MOST 32

/* What another value of a property makes of the plan. */
struct effect {
	char *request;
	const char **on, **off; /* names */
	unsigned n_on, n_off;
	struct leaf {
		uint32_t leaf, subleaf;
	} *leaves; /* of the first vCPU's CPUID: with other values, or in one plan only */
	unsigned n_leaves;
	bool has_cpuid;
	const char **calls; /* of steps of the recipe that only one plan has */
	unsigned n_calls;
	bool refused; /* the plan would be, and is not now */
};

/* A word that a property of type choice takes. */
struct choice {
	const char *name, *meaning;
	struct effect effect; /* .request NULL: it is the one in effect */
};

enum subject { SUBJECT_FEATURE, SUBJECT_GROUP, SUBJECT_PROPERTY };

struct account {
	struct tool *tool;
	const struct planned *planned;
	const char *word;    /* as it was typed */
	enum subject subject;
	unsigned id;	     /* of a feature */
	const char *name;    /* as the catalogue has it */
	const char *meaning; /* of a property, or of the first feature */
	struct gcpu_standing standing;
	bool could_be_on;    /* is it a question how to turn it on? */
	struct ways on, off;
	struct elsewhere elsewhere[ELSEWHERE_MOST];
	unsigned n_elsewhere;
	bool looked_elsewhere; /* there is no way on this host */
	struct gcpu_property_info property; /* .name NULL: it is none */
	const char *deflt; /* what it is without a word, on this model */
	char value[80]; /* as the request or the default has it */
	bool said;
	struct gcpu_property_standing now;
	struct effect effect; /* of a switch the other way round, of a choice without the word */
	struct choice *choices;
	unsigned n_choices;
};

/* All about a word; 0 or an exit code. */
int account_take(struct account *a, struct tool *t, const struct planned *p, const char *word);
/* Which bundled hosts give what this one does not; each is read once. */
void accounts_elsewhere(struct account *accounts, int n);
void account_free(struct account *a);
const char *lack_name(enum gcpu_lack lack);

/* Arguments that lead from the user's own to a way. */
#define OPTIONS_MOST 12
struct arguments {
	const char *word[OPTIONS_MOST];
	unsigned n;
	char room[2][128];
};
void way_arguments(const struct account *a, const struct way *w, struct arguments *out);

void explain_text(const struct account *a);
void explain_json_head(const struct tool *t, bool planned, struct json *j); /* what every such document begins with */
void explain_json(const struct account *a, struct json *j);
/* A name that is only a property, and what became of any property. */
void explain_property(const struct account *a);
void explain_became(const struct account *a);
void property_json(const struct account *a, struct json *j);
/* "a number from 32 to 52, or 0 for none" */
void takes_text(struct text *t, const struct gcpu_property_info *p);
/* All properties, or those that patterns among the words name. */
void properties_text(const struct tool *t);
void properties_json(const struct tool *t, struct json *j);
/* A word as a shell takes it. */
void explain_word(struct text *t, const char *word);
/* One feature as the catalogue has it; the members of an open object. */
void feature_json(struct json *j, enum gcpu_arch arch, const struct gcpu_feature_info *f);

/* What the catalogue has on it. */
void explain_facts(const struct account *a, const struct gcpu_feature_info *f);
/* "pni by QEMU, Linux and libvirt; sse3 by QEMU": who uses the name (CALLED as in the catalogue, NULL
 * for a group, whose name is among its aliases), and the aliases. Nothing if nobody has a name for it. */
void called_text(struct text *t, enum gcpu_arch arch, const char *name, const char *called);
/* " since Linux 6.16 (stable: 6.12.4)" */
void since_text(struct text *t, const char *since);
/* "CPUID.0x7.0x0.ebx[16]" */
void where_text(const struct gcpu_feature_info *f, char *buf, size_t n);

#endif

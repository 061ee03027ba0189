/* SPDX-License-Identifier: MIT */
/* Inside of a plan, and what an architecture adds to the core. */
#ifndef GCPU_CORE_PLAN_H
#define GCPU_CORE_PLAN_H

#include "facts.h"
#include "facts_gen.h"
#include "snapshot.h"
#include "util.h"

#include <guestcpu/plan.h>

struct plan_step {
	uint16_t field, rule;
	uint64_t before, after;
};

struct plan_finding {
	uint16_t rule;
	int field;	 /* index or -1 */
	int prop;	 /* the one property that it is about, or -1: as its rule says */
	uint8_t severity; /* enum severity */
	char *text;	 /* NULL: the rule's sentence */
};

enum { SAID_NOTHING = 0, SAID_VALUE = 1, SAID_BROUGHT = 2 };

/* What became of one field. */
struct field_state {
	uint8_t said;	   /* SAID_* */
	bool denied;	   /* must not be turned on again */
	bool unavailable;  /* asked for and not given */
	uint16_t why;	   /* rule behind `unavailable` */
	uint64_t asked;	   /* value asked for, where said */
	bool asked_on;	   /* asked for by "on", of which no value is known where nothing is offered */
	uint16_t said_as;  /* feature by which it was said */
	uint16_t withdrawn; /* 1 + the rule that withdrew its offer last, or 0 */
};

/* A word as it read back when all its choices were set to 0 and to 1. */
struct word_trial {
	bool known;
	uint64_t zeros, ones;
};

enum model_kind { MODEL_HOST, MODEL_MAX, MODEL_BASE, MODEL_NAMED };

struct request_item {
	char op;	  /* '=' '+' '-' */
	int feature;	  /* index, or -1 */
	int prop;	  /* index, or -1 */
	bool is_switch;	  /* on or off, else a number */
	uint64_t value;
	size_t offset, length;
	size_t text, text_length; /* value of a text, in the request */
};

struct gcpu_request {
	const struct arch *arch;
	char *text;
	enum model_kind model;
	const struct model_fact *named; /* MODEL_NAMED */
	struct list items;		/* request_item */
};

/* Places in gcpu_plan.request. */
struct prop_said {
	bool said;
	size_t offset, length;	  /* the item */
	size_t text, text_length; /* value of a text */
};

struct gcpu_plan {
	struct gcpu_plan_bits bits; /* of .has; callers know that it is first */
	const struct arch *arch;
	const struct facts *facts;
	const struct gcpu_snapshot *snap;
	struct gcpu_machine machine;
	char *request;
	enum model_kind model;
	const struct model_fact *named;
	bool refused;

	uint64_t *offer, *value;     /* one per word */
	struct word_trial *trials;   /* one per word; filled with the offer, where words are tried */
	struct field_state *fields;  /* one per field */
	uint64_t *props;	     /* value of each property; of a text: 1 where it was given */
	struct prop_said *props_said; /* one per property: where the user spoke of it */
	const struct preset_fact *preset; /* the one that the request names, or NULL */
	char vendor[13];	     /* as the guest sees it */
	unsigned lacking;	     /* properties asked for that a rule says are not to be had */
	uint64_t *has;		     /* bit per feature number */
	struct list steps;	     /* plan_step */
	struct list findings;	     /* plan_finding */
	struct list entries;	     /* x86: gcpu_cpuid of a vCPU, ids left out */
	struct list recipe;	     /* gcpu_step */
	struct list recipe_texts;    /* char *, owned */
	unsigned *vcpu_ids;
	struct gcpu_step lost; /* what a step is written to when memory is exhausted */
	bool memory; /* an allocation failed somewhere below */
};

/* One architecture: its facts, and what only it can do. Hooks may be NULL. */
struct arch {
	enum gcpu_arch id;
	const struct facts *facts;
	/* There is a model that begins with nothing. */
	bool has_base;
	/* KVM refuses to change bits that it has no field for. */
	bool unknown_fixed;
	/* KVM refuses values of fields, with an errno; elsewhere it takes all and overrules some. */
	bool refuses_values;
	/* Raw offer: what the snapshot says, into plan->offer. */
	void (*offer)(struct gcpu_plan *p);
	/* What the machine has no room for, after the rules. */
	void (*limit)(struct gcpu_plan *p);
	/* Bit pattern of FIELD in one of the snapshot's tables; false if not there. */
	bool (*raw)(const struct gcpu_plan *p, enum snap_tables table, unsigned field, uint64_t *ret);
	/* By trial: what would be in force if FIELD were VALUE. false: not known.
	 * *ret_error is the errno if KVM refuses the value. */
	bool (*trial)(const struct gcpu_plan *p, unsigned field, uint64_t value, uint64_t *ret_force,
		      int *ret_error);
	/* Computed fields and words, after everything is chosen. */
	int (*derive)(struct gcpu_plan *p, struct gcpu_error *err);
	int (*recipe)(struct gcpu_plan *p);
	/* CPUID of one vCPU from plan->entries (x86). */
	void (*vcpu_entry)(const struct gcpu_plan *p, unsigned vcpu, struct gcpu_cpuid *e);
	/* The value of a word that each vCPU has its own of. */
	uint64_t (*vcpu_word)(const struct gcpu_plan *p, unsigned vcpu, unsigned word);
	/* Set up vCPU ids. */
	int (*ids)(struct gcpu_plan *p, struct gcpu_error *err);
	/* Is the host's CPU the one that a condition cpu:F/M/LO-HI packs? (gen/links.py) */
	bool (*is_cpu)(const struct gcpu_plan *p, uint64_t packed);
	/* Frequency of the guest's TSC, kHz; 0: not known. */
	uint64_t (*tsc_khz)(const struct gcpu_plan *p);
	/* By trial: what would be in force if the whole word ADDR were VALUE. */
	bool (*trial_word)(const struct gcpu_plan *p, uint64_t addr, uint64_t value,
			   uint64_t *ret_force);
};

/* Base of KVM's own CPUID leaves where nothing moves them. */
#define KVM_LEAF_BASE 0x40000000U
/* A machine may have them at any multiple of 256 below. */
#define KVM_LEAF_END (KVM_LEAF_BASE + 0x10000U)

extern const struct arch gcpu_arch_x86, gcpu_arch_arm64;
const struct arch *arch_of(enum gcpu_arch id);

/* Fields. These are asked for every field, many times in a plan: inline. */
static inline uint64_t field_mask(const struct field_fact *f)
{
	return f->width == 64 ? ~0ULL : (1ULL << f->width) - 1;
}

static inline uint64_t field_get(const struct gcpu_plan *p, const uint64_t *words, unsigned field)
{
	const struct field_fact *f = &p->facts->fields[field];

	return words[f->word] >> f->lsb & field_mask(f);
}

static inline void field_put(const struct gcpu_plan *p, uint64_t *words, unsigned field, uint64_t value)
{
	const struct field_fact *f = &p->facts->fields[field];

	words[f->word] &= ~(field_mask(f) << f->lsb);
	words[f->word] |= (value & field_mask(f)) << f->lsb;
}

/* The value that means "not there".
 * A flag that announces an absence is "off" when clear, like any other flag:
 * that it then promises more is the business of its order. */
static inline uint64_t field_off(const struct field_fact *f)
{
	if (f->order == ORDER_ABSENCE)
		return 0;
	return f->order == ORDER_SAFE ? f->safe : f->absent;
}

static inline bool field_is_off(const struct field_fact *f, uint64_t value)
{
	return value == field_off(f) || value == (f->order == ORDER_ABSENCE ? 0 : f->absent) ||
	       (f->none && value == f->none);
}

/* Does the architecture, or KVM, let VALUE be at all? */
bool field_legal(const struct field_fact *f, uint64_t value);
/* May a guest have VALUE where the host gives OFFER? */
bool field_within(const struct field_fact *f, uint64_t value, uint64_t offer);
/* What a guest may have instead of VALUE, which it may not, where the host gives OFFER. */
uint64_t field_nearest(const struct field_fact *f, uint64_t value, uint64_t offer);
/* Does VALUE include the level LEAST (FEAT_X is field >= least)? */
bool field_reaches(const struct field_fact *f, uint64_t value, uint64_t least);
/* The largest value that does not include LEAST. */
uint64_t field_below(const struct field_fact *f, uint64_t least);
/* All bits up to the highest one of VALUE. */
uint64_t prefix_mask(uint64_t value);

/* prefix.c: words about single members of a set that is only cut off at its top; OPS: their
 * order of precedence. */
bool prefix_member(const struct gcpu_plan *p, const struct target_fact *t);
int prefix_collect(struct gcpu_plan *p, const struct gcpu_request *req, const char *ops,
		   struct gcpu_error *err);

/* Does VALUE of one of the fields that a feature is set by speak for the feature? */
bool feature_reached(const struct facts *f, const struct feature_fact *ff, const struct target_fact *target,
		     uint64_t value);
/* Is the feature there where the words are WORDS? */
bool feature_on(const struct gcpu_plan *p, const struct feature_fact *ff, const uint64_t *words);
/* Of a feature that terms tell and that is not offered: the first field that stands against it. */
unsigned feature_missing(const struct gcpu_plan *p, const struct feature_fact *ff);
/* Does a word that turns the feature on set this field? Of several that tell the same: those that the host has. */
bool feature_takes(const struct gcpu_plan *p, const struct feature_fact *ff, const struct target_fact *target);

/* The planned value of a word on one vCPU. */
uint64_t plan_word_value(const struct gcpu_plan *p, unsigned vcpu, unsigned word);

/* Index of the property NAME, or -1. */
int property_find(const struct facts *f, const char *name, size_t length);
/* The value of a property where it stands in p->value, and of a frequency where the plan has it. */
void property_in_effect(const struct gcpu_plan *p, const struct value_fact *v, struct gcpu_property_standing *s);

/* names */
const struct name_fact *name_find(const struct facts *f, const char *name, size_t length);
/* The name of a value of a field, or NULL; and the value of that name. */
const char *value_name(const struct facts *f, const struct field_fact *field, uint64_t value);
bool value_find(const struct facts *f, const struct field_fact *field, const char *name, size_t length,
		uint64_t *ret);
/* Fill err->near with the closest names (features, and properties and models if ALL). */
void name_nearest(const struct arch *a, const char *name, size_t length, bool all,
		  struct gcpu_error *err);
/* The same with the names of bundled snapshots. */
void name_nearest_host(const char *name, struct gcpu_error *err);
/* The same with the names of named models. */
void name_nearest_model(const struct facts *f, const char *name, size_t length, struct gcpu_error *err);
/* The same with the names of presets. */
void name_nearest_preset(const struct facts *f, const char *name, size_t length, struct gcpu_error *err);
/* The feature that has FIELD for its own. */
const struct feature_fact *feature_of_field(const struct facts *f, unsigned field);
/* Do TEXT[0..N) and the C string mean the same name? */
bool name_same(const char *text, size_t n, const char *other);

/* Does the plan have this target of FF? In force: with what KVM's trial foretells. */
bool plan_target_on(const struct gcpu_plan *p, const struct feature_fact *ff,
		    const struct target_fact *t, bool in_force);
/* Does every target of FF stand so, in the plan and in force? */
bool plan_stands(const struct gcpu_plan *p, const struct feature_fact *ff, bool on);
/* A finding as callers see it. */
struct gcpu_finding plan_finding_out(const struct gcpu_plan *p, const struct plan_finding *f);
/* The rule of the last step that touched FIELD, NULL if there is none. */
const struct rule_fact *plan_last_rule(const struct gcpu_plan *p, unsigned field);
/* Is a kernel release certainly older than all that a column `since` names? */
bool kernel_too_old(const char *since, const char *kernel);
/* The feature NAME; NULL with *err filled. */
const struct feature_fact *plan_feature(const struct gcpu_plan *p, const char *name,
					struct gcpu_error *err);

/* The name under which the user knows a field: as he said it, else its own. */
const char *field_known_as(const struct gcpu_plan *p, unsigned field);

/* What the plan's model says of a field; NULL if it says nothing, or is none that does. */
const struct target_fact *model_field(const struct gcpu_plan *p, unsigned field);
/* Does it say that a guest has FIELD, and the user nothing against what that needs? */
bool model_demands(const struct gcpu_plan *p, unsigned field);
/* What the model would give of a field if the user did not speak of it. */
uint64_t model_value(const struct gcpu_plan *p, unsigned field);
/* What a named model has of FIELD, in the words of the architecture, or the field's name. */
const char *model_word(const struct gcpu_plan *p, unsigned field);
/* What a named model has and KVM fixes otherwise, and what KVM keeps beside it. */
void plan_model_lacks(struct gcpu_plan *p);
/* The model of that name, as it is in a request. */
bool model_find(const struct arch *a, const char *name, size_t length, enum model_kind *ret_kind,
		const struct model_fact **ret_named);
/* The names of all models, into err->expected and the nearest ones into err->near. */
void model_names(const struct arch *a, const char *name, size_t length, struct gcpu_error *err);

/* The property that takes presets, or -1. */
int preset_property(const struct facts *f);
/* Index of the preset of that name, or -1. */
int preset_find(const struct facts *f, const char *name, size_t length);
/* The preset that the properties of a plan name, or NULL. */
const struct preset_fact *preset_said(const struct gcpu_plan *p);
/* What the plan's preset makes of a field; NULL if it says nothing of it, or if there is none. */
const struct member_fact *plan_member(const struct gcpu_plan *p, unsigned field);
/* Is a word one whose bits the preset chooses? */
bool plan_preset_decides(const struct gcpu_plan *p, unsigned word);
/* Why RULE touched FIELD: the rule's own sentence, or that of the preset's row. */
void plan_reason(const struct gcpu_plan *p, unsigned field, unsigned rule, const char **ret_sentence,
		 const char **ret_source);

/* resolving */
/* The highest value of FIELD that lacks the level LEAST and that the architecture defines. */
uint64_t plan_level_below(const struct gcpu_plan *p, unsigned field, uint64_t least);
void plan_record(struct gcpu_plan *p, unsigned field, unsigned rule, uint64_t before, uint64_t after);
/* Change a field of plan->value and record why. */
void plan_set(struct gcpu_plan *p, unsigned field, uint64_t value, unsigned rule);
void plan_find(struct gcpu_plan *p, unsigned rule, int field, unsigned severity, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* The last finding is about property PROP, not about all that its rule names. */
void plan_find_about(struct gcpu_plan *p, unsigned prop);
/* A property that was asked for and cannot be given: counts for `enforce`. */
void plan_lacking(struct gcpu_plan *p, unsigned rule, int field);
void plan_unavailable(struct gcpu_plan *p, unsigned field, unsigned rule);
void plan_rules(struct gcpu_plan *p, enum rule_stage stage);
/* Does the rule fail for something that the machine or its VMM could do? */
bool plan_rule_wants_more(const struct gcpu_plan *p, unsigned rule);
bool plan_rule_holds(const struct gcpu_plan *p, unsigned rule, unsigned field);
bool plan_atom_holds(const struct gcpu_plan *p, const struct atom_fact *a, unsigned field);
/* Its members on where they are offered, all else that it speaks of off. */
void plan_take_preset(struct gcpu_plan *p);
void plan_parents(struct gcpu_plan *p);
void plan_refusals(struct gcpu_plan *p);
void plan_trial(struct gcpu_plan *p);
int plan_resolve(struct gcpu_plan *p, const struct gcpu_request *req, struct gcpu_error *err);
void plan_features(struct gcpu_plan *p);

int machine_check(const struct gcpu_snapshot *snap, struct gcpu_machine *m, struct gcpu_error *err);

/* recipes */
struct gcpu_step *recipe_add(struct gcpu_plan *p, enum gcpu_phase phase, const char *scope,
			     const char *call, const char *why);
void recipe_arg(struct gcpu_step *s, const char *name, uint64_t value, const char *text);
/* A KVM_ENABLE_CAP step with its first argument. */
void recipe_cap(struct gcpu_plan *p, enum gcpu_phase phase, unsigned cap, uint64_t arg0,
		const char *why);
const char *cap_name(unsigned number);

#endif

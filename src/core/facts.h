/* SPDX-License-Identifier: MIT */
/*
 * The shape of the generated tables. An architecture is one const struct of
 * these plus a few hooks (arch.h); core code never asks which one it has.
 */
#ifndef GCPU_CORE_FACTS_H
#define GCPU_CORE_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Addresses: the space in the top four bits. An arm64 system register's
 * address is its KVM ONE_REG id, whose top four bits are 6; one of KVM's firmware,
 * which no guest reads, has 7 there. */
enum space { SPACE_REG = 6, SPACE_FW = 7, SPACE_CPUID = 12, SPACE_MSR = 13, SPACE_INIT = 14, SPACE_SVE = 15 };

#define ADDR_SPACE(a) ((enum space)((a) >> 60))
#define ADDR_CPUID(leaf, sub, reg) \
	((uint64_t)SPACE_CPUID << 60 | (uint64_t)(leaf) << 24 | (uint64_t)(sub) << 2 | (uint64_t)(reg))
#define ADDR_LEAF(a) ((uint32_t)((a) >> 24))
#define ADDR_SUBLEAF(a) ((uint32_t)((a) >> 2) & CPUID_SUBLEAF_MOST)
#define CPUID_SUBLEAF_MOST 0x3fffffU /* what an address has room for */
#define ADDR_REG(a) ((unsigned)(a) & 3U)
#define ADDR_MSR(index) ((uint64_t)SPACE_MSR << 60 | (uint64_t)(index))
#define ADDR_INDEX(a) ((uint32_t)(a)) /* MSR index, INIT or SVE word number */
#define ADDR_INIT ((uint64_t)SPACE_INIT << 60)
#define ADDR_SVE ((uint64_t)SPACE_SVE << 60)
#define ADDR_ONE_REG(a) (((a) & ~(15ULL << 60)) | (uint64_t)SPACE_REG << 60) /* of REG and FW */
#define ADDR_FW(id) (((id) & ~(15ULL << 60)) | (uint64_t)SPACE_FW << 60)

enum word_class {
	CLASS_UNKNOWN = 0,
	CLASS_FIELDS = 1,
	CLASS_STRUCTURE = 2,
	CLASS_PAIR = 3,
	CLASS_IDENTITY = 4,
	CLASS_DERIVED = 5,
	CLASS_COPY = 6,
	CLASS_ZERO = 7,
};

enum { OWNER_CHOSEN = 1, OWNER_DERIVED = 2, OWNER_RUNTIME = 4, OWNER_IDENTITY = 8 };

enum field_order {
	ORDER_FLAG,
	ORDER_ABSENCE,
	ORDER_LOWER,
	ORDER_HIGHER,
	ORDER_HIGHER0,
	ORDER_SET,
	ORDER_EXACT,
	ORDER_SAFE,
	ORDER_PAIR,
	ORDER_PREFIX,
};

enum field_migrate { MIGRATE_LE, MIGRATE_EQ, MIGRATE_GE, MIGRATE_ANY };

enum field_kind {
	KIND_HW,
	KIND_EMULATED,
	KIND_SYNTH,
	KIND_PASS,
	KIND_VENDOR,
	KIND_ALIAS,
	KIND_PV,
	KIND_VMM,
	KIND_RUNTIME,
	KIND_NONE,
};

/* Who makes CPUs with a field; Hygon is AMD's kin, Zhaoxin Centaur's. */
enum { VENDOR_INTEL = 1, VENDOR_AMD = 2, VENDOR_CENTAUR = 4 };

enum field_default { DEFAULT_AUTO, DEFAULT_ASKED, DEFAULT_ANY };

struct word_fact {
	uint64_t addr;
	const char *name;
	uint64_t known; /* bits that belong to a field */
	uint8_t klass;  /* enum word_class */
	uint16_t first; /* its fields: [first, first + n) of the field table */
	uint16_t n;
	const char *structure; /* kind of structure, or NULL */
	const char *meaning;
};

/* A whole leaf, every sub-leaf without an exact word. */
struct range_fact {
	uint32_t leaf;
	uint8_t regs; /* bit mask of registers, bit 0 = eax */
	uint8_t klass;
	const char *structure;
	const char *meaning;
};

struct field_fact {
	uint16_t id;
	uint16_t word;
	uint8_t lsb, width;
	uint8_t owner; /* OWNER_* */
	uint8_t order; /* enum field_order */
	uint8_t migrate, kind, deflt;
	bool is_signed;
	uint64_t absent; /* value that means "not there" */
	uint64_t min;    /* least legal value */
	uint64_t safe;   /* ORDER_SAFE: the one other legal value */
	uint64_t none;   /* another value for "not there", which KVM makes `absent` of; 0: there is none */
	uint64_t skip, skip_to; /* values that are not legal, though less than some that are; 0: none */
	uint8_t vendors; /* VENDOR_*: only their CPUs have it; 0: any */
	uint16_t first_named, n_named; /* its values that have a name, in their order */
	const char *name, *since, *meaning;
	const char *runtime; /* why it moves while the guest runs, or NULL */
};

struct named_fact {
	uint64_t value;
	const char *name;
};

/* Named bits of a word that nobody chooses: of a list, an identity, a copy. */
struct part_fact {
	uint64_t addr;
	bool any_subleaf; /* of every sub-leaf that has no part of its own */
	uint8_t lsb, width;
	const char *name, *meaning;
};

struct target_fact {
	uint16_t field;
	bool at_least;  /* value is known */
	uint64_t value; /* what "on" means; else: as much as is offered */
};

/* One term of what tells a feature; those of one alternative stand together. */
struct term_fact {
	uint16_t field;
	uint8_t alternative;
	bool exact; /* the value itself, else at least that */
	bool sets;  /* the one that a word about the feature changes */
	uint64_t value;
};

/* What a user can name. */
struct feature_fact {
	uint16_t id; /* 0: a group, without a number of its own */
	uint16_t first, n; /* targets: what a word about it sets */
	uint16_t first_term, n_terms; /* what tells that it is there; none: its targets, all of them */
	bool fixed; /* there is no word about it */
	const char *name;
	const char *meaning; /* where it is more than that of the first field it sets, else NULL */
};

/* Sorted by key, the lower-case form with '-'. */
struct name_fact {
	const char *key, *name;
	uint16_t feature;
	uint8_t tags; /* bit per enum name_tag: whose word it is */
	bool own;     /* the name that the feature has here; else an alias */
};

enum name_tag { TAG_QEMU, TAG_LINUX, TAG_LIBVIRT, TAG_ARM, TAG_DB, TAG_END };

/* A side of a requirement: a field that is not off, or at least a value. */
struct need_fact {
	uint16_t field, feature; /* the feature: as the table says it */
	bool at_least;
	uint64_t value;
};

struct require_fact {
	uint16_t child; /* field */
	uint8_t n;
	uint16_t parent[4]; /* fields; any one of them */
	struct need_fact from, to[4]; /* the same with values */
	const char *source;
};

enum rule_stage { STAGE_BUILTIN, STAGE_OFFER, STAGE_DEFAULT, STAGE_PLAN };
enum rule_effect { EFFECT_RECORD, EFFECT_OFFER, EFFECT_WITHDRAW, EFFECT_SET, EFFECT_CLEAR, EFFECT_WANT, EFFECT_WARN };
enum severity { SEVERITY_NONE, SEVERITY_NOTE, SEVERITY_WARNING, SEVERITY_ERROR };

enum rule_atom_op {
	ATOM_LAPIC,
	ATOM_IRQCHIP,
	ATOM_GIC,
	ATOM_CAP,
	ATOM_OFFERED,
	ATOM_SUPPORTED,
	ATOM_NATIVE,
	ATOM_EMULATED,
	ATOM_HANDLES,
	ATOM_EXIT_DISABLED,
	ATOM_EXIT_ALLOWED,
	ATOM_ASKED,
	ATOM_ASKED_ON,
	ATOM_ASKED_OFF,
	ATOM_MODEL,
	ATOM_PROP,
	ATOM_PLANNED,
	ATOM_MSR,
	ATOM_ACCEPTS,
	ATOM_VENDOR,
	ATOM_LEAF,
	ATOM_ON,
	ATOM_CPU,
	ATOM_OFFERS,
	ATOM_ABOUT,
};

struct atom_fact {
	uint8_t op;
	bool negate;
	uint64_t value;
	const char *text;
};

struct rule_fact {
	const char *id;
	uint8_t stage, effect, severity;
	uint16_t first_target, n_targets; /* in rule_targets: fields */
	uint16_t first_atom, n_atoms;
	const char *sentence, *source;
};

struct number_fact {
	uint32_t number;
	const char *name, *on, *meaning;
};

enum prop_type { PROP_BOOL, PROP_NUMBER, PROP_NUMBER0, PROP_HERTZ, PROP_TEXT, PROP_CHOICE };
/* Whose default is `deflt`: nobody's, every model's, that of host and max (0 for the others). */
enum prop_when { PROP_UNSET, PROP_ALWAYS, PROP_GENEROUS };

struct property_fact {
	const char *name, *other; /* other: a second name, or NULL */
	uint8_t type;		  /* enum prop_type; NUMBER0: 0 too, for "not set" */
	uint8_t when;		  /* enum prop_when */
	uint8_t deflt;
	uint64_t min, max; /* of a number, of a text's length */
	const char *choices; /* names of presets, separated by blanks, or NULL */
	const char *meaning;
};

/* What a property of type PROP_CHOICE may be; its value is an index, and 1. */
struct preset_fact {
	const char *name, *meaning;
	uint16_t first, n; /* in members, by field */
};

/* What a preset makes of one field. */
struct member_fact {
	uint16_t field;
	bool on;
	const char *reason, *sentence; /* the sentence names the preset */
};

/* Where a value is not known, a field that the model has is as much as is offered. */
struct model_fact {
	const char *name, *vendor, *model_id;
	uint32_t family, model, stepping, level, xlevel;
	uint16_t first, n; /* in model_fields, by field */
	bool rest;	   /* fields that it does not name stay the host's own; else it lacks them */
};

struct pv_fact {
	uint16_t field;
	uint8_t n_msrs, n_calls;
	uint32_t msr[4], call[6];
	const char *gate, *vmm, *note;
};

/* A hypercall by name. */
struct call_fact {
	uint32_t number;
	const char *name, *note;
};

/* Whose MSR it is: of any KVM, of that of a maker's CPUs, of one with Hyper-V's interfaces. */
enum { MSR_ANYBODYS, MSR_AMD, MSR_INTEL, MSR_HYPERV, MSR_NONE };
/* What comes of a guest that has none of the fields that an MSR needs; MSR_LACKS_RULE: its rule knows. */
enum { MSR_LACKS_RULE, MSR_LACKS_GUEST, MSR_LACKS_REFUSED, MSR_LACKS_UNKNOWN, MSR_LACKS_IGNORED, MSR_LACKS_PV };

/* An MSR, or several in a row, that KVM knows: for the software KVM. */
struct msr_fact {
	uint32_t index, last;
	uint32_t since, until; /* kernels */
	uint64_t dropped;      /* bits of a write that are passed over */
	uint64_t valid;	       /* bits that may be 1, of the others */
	uint64_t kept;	       /* bits that read back */
	uint64_t reset;
	const char *name;
	char access[4]; /* the guest's reads and writes, the host's: r w i(gnored) -(refused) .(unknown) */
	uint8_t who, lacks, rule;
	uint8_t n_needs;
	uint16_t needs[4]; /* fields: the guest has any of them */
};

/* Bits of CR4 or EFER that KVM lets a guest set, from a kernel on. */
enum { CONTROL_CR4, CONTROL_EFER };
struct control_fact {
	uint64_t mask;
	uint32_t since;
	uint8_t control, who;
	uint8_t kvm_alone; /* not the guest's table, too */
	uint8_t n_needs;
	uint16_t needs[4];
};

/* A leaf or MSR that holds nothing unless a field is on. */
struct gate_fact {
	uint32_t key;
	bool is_msr;
	uint16_t field;
};

enum value_form { VALUE_NUMBER, VALUE_SUM, VALUE_JOINED, VALUE_TEXT, VALUE_TSC };
#define VALUE_PARTS 12

/* Where the value of a property stands in a plan: in fields, of a text in words. */
struct value_fact {
	uint16_t prop;
	uint8_t form, n; /* enum value_form */
	uint16_t of[VALUE_PARTS];
};

/* A whole cache leaf of no real CPU. */
struct cache_fact {
	uint32_t leaf, subleaf, regs[4];
};

/* What a row of exceptions.txt makes of a value written to a register. */
enum exception_effect {
	EXCEPTION_FREE,	   /* any value */
	EXCEPTION_CACHES,  /* CLIDR_EL1's own rule */
	EXCEPTION_MASKED,  /* any value of the bits that KVM's mask has */
	EXCEPTION_FIXED,   /* no other than it has */
	EXCEPTION_ORDER,   /* as the field's order says, whatever the mask */
	EXCEPTION_BECOMES, /* taken as another value of the field */
	EXCEPTION_REFUSED,
	EXCEPTION_IGNORED, /* taken, and the field stays */
	EXCEPTION_ANY,	   /* as the field's order says, its least value apart */
};

/* When a row of exceptions.txt holds, of the VM. */
enum exception_flag {
	EXCEPTION_RAN = 1,
	EXCEPTION_MASKS = 2,
	EXCEPTION_IMP_IDS = 4,
	EXCEPTION_AARCH32 = 8,
	EXCEPTION_MTE = 16,
	EXCEPTION_OTHER_VCPU = 32, /* of a VM whose features another vCPU settled */
};

struct exception_fact {
	int16_t word, field; /* -1, both: any register */
	uint8_t effect;	     /* enum exception_effect */
	uint8_t need, never; /* enum exception_flag */
	uint8_t crm_least, crm_most; /* CRm of the register's encoding */
	uint64_t least, most, limit_least, limit_most; /* of the value, of the limit */
	uint64_t to;	     /* a value or an errno */
	const char *since, *until; /* kernels: from this, before that; NULL: all */
	const char *sentence, *source;
};

/* A bit of KVM_ARM_VCPU_INIT. */
struct init_fact {
	uint8_t bit;
	bool never_mte;
	uint16_t cap;
	uint32_t only;	  /* the capability is asked for with one of these; 0: always */
	uint32_t without; /* bits without which KVM does not take it */
	uint32_t never;	  /* bits with which it does not */
};

/* System registers that come with a field: op0, op1, CRn, CRm, op2 in 16 bits, first and last. */
struct span_fact {
	uint16_t field, first, last;
};

/* What of a register a kernel lets be written, and a capability that comes with a kernel. */
struct mask_fact {
	uint16_t word;
	uint32_t release;
	uint64_t mask;
};
struct switch_fact {
	uint16_t number;
	uint32_t since;
	int value;
};

struct facts {
	const char *name;
	const struct word_fact *words;
	const struct range_fact *ranges;
	const struct field_fact *fields;
	const struct named_fact *named;
	const struct part_fact *parts;
	const struct target_fact *targets;
	const struct term_fact *terms;
	const struct feature_fact *features;
	const struct name_fact *names;
	const struct require_fact *requires;
	const struct rule_fact *rules;
	const uint16_t *rule_targets;
	/* rules that name field i: about[about_first[i]] up to about[about_first[i + 1]] */
	const uint16_t *about, *about_first;
	const struct atom_fact *atoms;
	const struct property_fact *props;
	const struct model_fact *models;
	const struct target_fact *model_fields;
	const struct pv_fact *pv;
	const struct call_fact *calls;
	const struct msr_fact *msrs; /* by index */
	const struct control_fact *controls;
	const struct gate_fact *gates;
	const struct cache_fact *caches;
	const struct value_fact *values;
	const struct preset_fact *presets;
	const struct member_fact *members;
	const struct exception_fact *exceptions;
	const struct init_fact *inits;
	const struct span_fact *spans;
	const struct mask_fact *masks;
	const struct switch_fact *switches;
	unsigned n_words, n_ranges, n_fields, n_parts, n_features, n_names, n_requires, n_rules,
		n_props, n_models, n_pv, n_calls, n_msrs, n_controls, n_gates, n_caches, n_values, n_presets,
		n_exceptions, n_inits, n_spans, n_masks, n_switches;
};

extern const struct facts gcpu_facts_x86, gcpu_facts_arm64;

/* A part of a register's value, and the register with that part replaced. */
uint32_t part_get(const struct part_fact *part, uint32_t reg_value);
uint32_t part_put(const struct part_fact *part, uint32_t reg_value, uint32_t value);

extern const struct number_fact gcpu_caps[], gcpu_exits[], gcpu_handles[];
extern const unsigned gcpu_n_caps, gcpu_n_exits, gcpu_n_handles;

/* Parameters of KVM's modules that are read. */
struct param_fact {
	const char *module, *name, *meaning;
};
extern const struct param_fact gcpu_params[];
extern const unsigned gcpu_n_params;

/* What an errno of a call of a recipe means. */
struct error_fact {
	const char *call, *name, *meaning;
};
extern const struct error_fact gcpu_errors[];

/* What KVM's interface does from one kernel on, before another, as kernel_too_old() reads them; NULL: ever.
 * Or what the KVM of a module does, NULL: of any. */
struct behaviour_fact {
	const char *name, *since, *until, *module;
	const char *meaning;
};
extern const struct behaviour_fact gcpu_behaviours[];
extern const unsigned gcpu_n_errors;

/* A bundled snapshot, as reading its document would make it. */
struct gcpu_snapshot;
struct host_fact {
	const char *name;
	const struct gcpu_snapshot *snapshot;
};
extern const struct host_fact gcpu_hosts[];
extern const unsigned gcpu_n_hosts;

#endif

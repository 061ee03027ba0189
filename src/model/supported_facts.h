/* SPDX-License-Identifier: MIT */
/*
 * The shape of the tables about what KVM answers on a host: data/x86/hostfacts.txt,
 * supported.txt, leaves.txt, featuremsrs.txt, msrlist.txt, capabilities.txt, data/kvm/series.txt.
 */
#ifndef GCPU_MODEL_SUPPORTED_FACTS_H
#define GCPU_MODEL_SUPPORTED_FACTS_H

#include <stdbool.h>
#include <stdint.h>

enum kwhen_op {
	KWHEN_NATIVE, /* the CPU has the bits at (addr, mask) */
	KWHEN_HAS,    /* KVM offers the field, as far as is known by then */
	KWHEN_IS,     /* the host fact */
	KWHEN_VENDOR, /* mask of VENDOR_* */
	KWHEN_KERNEL, /* from, before */
	KWHEN_FAMILY,
	KWHEN_MODEL,
	KWHEN_LEAF,   /* the CPU has that leaf */
	KWHEN_LEAST,  /* its bits at (addr, mask) say no less */
};

struct kwhen {
	uint8_t op;
	bool negate;
	uint64_t addr, mask; /* or index, or least and most */
	uint32_t least;
	const char *since, *until;
};

struct ktext_when {
	uint16_t first, n; /* in gcpu_kwhens; all must hold */
};

/* A fact of a host beyond what its CPUID says. Rows of one stand together. */
struct khost_fact {
	uint16_t fact;
	bool value;
	struct ktext_when when;
	const char *param; /* module.parameter, which says it if it is known, or NULL */
	const char *why;   /* what is assumed, or NULL: it follows from CPUID */
};

enum kbit_effect { KBIT_NEEDS, KBIT_SETS };

struct kbit_rule {
	uint16_t field;
	uint8_t effect;
	bool seen; /* tried against a real KVM */
	struct ktext_when when;
	const char *source;
};

enum kreg_how { KREG_NUMBER, KREG_RAW, KREG_MOST, KREG_FIELDS, KREG_CALC };
enum kreg_calc { KCALC_PMU, KCALC_XSAVE, KCALC_AVX10_1, KCALC_AVX10_2, KCALC_WIDTHS, KCALC_WIDTHS_OLD };

struct kreg {
	uint8_t how;
	uint32_t value; /* number, mask, most, or enum kreg_calc */
};

enum kleaf_form {
	KLEAF_ONE,
	KLEAF_BASE,    /* begins a class of leaves; its EAX is the highest of them */
	KLEAF_INDEXED, /* the sub-leaf is significant */
	KLEAF_UPTO,    /* and so are sub-leaves up to EAX, as the CPU has them */
	KLEAF_CACHES,  /* ... until one without a type */
	KLEAF_XSAVE,
	KLEAF_MORE,    /* a sub-leaf, if EAX of sub-leaf 0 goes that far */
	KLEAF_ALSO,    /* a sub-leaf */
};

struct kleaf_rule {
	uint8_t table; /* enum snap_tables */
	uint8_t form;
	uint32_t leaf, subleaf;
	struct kreg regs[4];
	struct ktext_when when;
};

struct kmsr_rule {
	uint32_t index;
	bool microcode;
	struct ktext_when when;
};

struct klist_rule {
	uint32_t index;
	bool seen; /* some KVM that was measured had it by this rule */
	struct ktext_when when;
};

struct kcap_rule {
	uint16_t number;
	bool system, vm;
	int value;
	struct ktext_when when;
};

struct kseries {
	const char *series, *release;
};

extern const struct kwhen gcpu_kwhens[];
extern const char *const gcpu_kfacts[];
extern const struct khost_fact gcpu_khost_facts[];
extern const struct kbit_rule gcpu_kbit_rules[];
extern const struct kleaf_rule gcpu_kleaf_rules[];
extern const struct kmsr_rule gcpu_kmsr_rules[];
extern const struct klist_rule gcpu_klist_rules[];
extern const struct kcap_rule gcpu_kcap_rules[];
extern const struct kseries gcpu_kseries[];
extern const unsigned gcpu_n_kfacts, gcpu_n_khost_facts, gcpu_n_kbit_rules, gcpu_n_kleaf_rules,
	gcpu_n_kmsr_rules, gcpu_n_klist_rules, gcpu_n_kcap_rules, gcpu_n_kseries;

#endif

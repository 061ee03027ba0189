/* SPDX-License-Identifier: MIT */
/*
 * What KVM would answer on a host, from the CPU's own CPUID and a kernel release: the tables of
 * CPUID, feature MSRs and capabilities. Pure: facts are rows of data/x86/hostfacts.txt,
 * supported.txt, leaves.txt, featuremsrs.txt and capabilities.txt.
 */
#ifndef GCPU_MODEL_SUPPORTED_H
#define GCPU_MODEL_SUPPORTED_H

#include "core/facts.h"
#include "core/snapshot.h"
#include "supported_facts.h"

/*
 * HOST is a snapshot of which only the native table, microcode and module parameters are read;
 * KERNEL a release or series of data/kvm/series.txt, NULL for that of HOST. The result is a
 * snapshot that says it is computed, and what was assumed.
 */
int supported_snapshot(const struct gcpu_snapshot *host, const char *kernel, struct gcpu_snapshot **ret_snapshot,
		       struct gcpu_error *err);

/* The release that stands for KERNEL: itself, or that of a series; NULL with *err filled. */
const char *supported_release(const char *kernel, struct gcpu_error *err);

#define FACTS (&gcpu_facts_x86)

/* One computation. */
struct supported {
	const struct gcpu_snapshot *host;
	const char *release;
	uint8_t vendor; /* VENDOR_* */
	unsigned family, model;
	uint64_t *words;    /* what KVM offers of each word's fields */
	bool *facts;
	const char **why;   /* of each fact: what was assumed, or NULL */
	const char **param; /* the parameter that would tell, or NULL */
	int turned;	    /* a fact that is turned around, to see whether it matters; -1: none */
};

/* CPUID of the CPU itself; zeros where it has no such leaf. */
struct snap_cpuid supported_raw(const struct supported *s, uint32_t leaf, uint32_t subleaf);
/* What the CPU says of a component of XSAVE, or must say where the dump has no word on it. True: that was assumed. */
bool supported_component(const struct supported *s, unsigned i, struct snap_cpuid *ret);
/* Do sub-leaves of LEAF mean something to KVM? */
bool supported_is_indexed(uint32_t leaf);
/* Highest leaf of the class of LEAF, 0 where there is none. */
uint32_t supported_highest(const struct supported *s, uint32_t leaf);
bool supported_when(const struct supported *s, struct ktext_when when);
/* All answers into *out; s->words, facts and so on are what they came of. */
int supported_compute(struct supported *s, struct gcpu_snapshot *out);
/* What a snapshot says of a rate that no KVM was asked for; of what a dump's own tool could not see. */
#define ASSUMED_TSC "TSC"
#define ASSUMED_SYSCALL "SYSCALL"
#define SYSCALL_WHY "an Intel CPU with long mode has it, and shows it in 64-bit mode alone: this CPUID was read in another"
/* Was it assumed of the host already? */
bool supported_was_assumed(const struct supported *s, const char *what);
/* Does the host say how fast its TSC is, and was that not assumed itself? */
bool supported_tsc_measured(const struct supported *s);
/* What was assumed, after supported_compute(). */
int supported_assumed(struct supported *s, const char *kernel, struct gcpu_snapshot *out);
/* Fill the CPUID tables of *out. */
int supported_leaves(const struct supported *s, struct gcpu_snapshot *out);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GCPU_ARCH_X86_H
#define GCPU_ARCH_X86_H

#include "core/plan.h"

/* topology.c */
enum { X86_THREAD, X86_CORE, X86_MODULE, X86_DIE, X86_LEVELS };
struct x86_levels {
	unsigned count[X86_LEVELS]; /* how many of it are in one of the next level */
	unsigned shift[X86_LEVELS]; /* bits of an APIC id up to and with this level */
	unsigned cpus[X86_LEVELS];  /* logical CPUs in one of the next level */
};
void x86_levels(const struct gcpu_machine *m, struct x86_levels *ret);
int x86_ids(struct gcpu_plan *p, struct gcpu_error *err);
void x86_vcpu_entry(const struct gcpu_plan *p, unsigned vcpu, struct gcpu_cpuid *e);
void x86_topology_words(struct gcpu_plan *p);
/* Contents of a topology leaf, the ids left out; false: no such sub-leaf. */
bool x86_topology_leaf(const struct gcpu_plan *p, struct gcpu_cpuid *e);
bool x86_topology_wanted(const struct gcpu_plan *p, uint32_t leaf);

/* cache.c: mend a leaf of caches: a LIST of them, or all in one. */
void x86_cache_leaf(const struct gcpu_plan *p, struct gcpu_cpuid *e, bool list);
/* The leaf of no real CPU that stands in for the host's; NULL: the host's counts. */
const struct cache_fact *x86_made_cache(const struct gcpu_plan *p, uint32_t leaf, uint32_t subleaf);

/* A leaf that tells of all caches at once, and that this KVM left empty. */
bool x86_cache_unreported(const struct gcpu_plan *p, const struct snap_cpuid *s);

/* tsc.c */
/* Frequency of the guest's TSC, kHz; 0 if nobody knows. */
uint64_t x86_tsc_khz(const struct gcpu_plan *p);
uint64_t x86_tsc_given(const struct gcpu_plan *p);
/* The leaf that tells it; false: this guest gets none. */
bool x86_tsc_leaf(const struct gcpu_plan *p, struct gcpu_cpuid *e);
void x86_tsc_steps(struct gcpu_plan *p);

/* identity.c */
void x86_vendor(struct gcpu_plan *p);
/* Intel and the vendors that follow it count APIC ids where others count CPUs. */
bool x86_like_intel(const struct gcpu_plan *p);
void x86_identity(struct gcpu_plan *p);
void x86_widths(struct gcpu_plan *p);

/* levels.c: highest leaves and sub-leaves. */
/* Features beyond a highest leaf that was asked for are off: no guest sees them. */
void x86_hide(struct gcpu_plan *p);
/* The same for words that follow from others, when they are computed. */
void x86_hide_derived(struct gcpu_plan *p);
void x86_maxima(struct gcpu_plan *p);

/* XSAVE components of AMX; a process must ask before its guests may have the data. */
enum { X86_XTILECFG = 17, X86_XTILEDATA = 18 };

/* Leaves that more than one file needs by name. */
enum {
	X86_EXTENDED = 0x80000000U,
	X86_CENTAUR = 0xc0000000U,
	X86_BRAND = 0x80000002U,
	X86_BRAND_END = 0x80000004U,
	X86_LEAF_TOPOLOGY = 0xb,
	X86_LEAF_TOPOLOGY_V2 = 0x1f,
};

/* table.c */
/* Word table index of an address, or -1. */
int x86_word_at(const struct facts *f, uint64_t addr);
/* Sub-leaf N of leaf 0xD, KVM's or else the host's own; NULL if there is none. */
const struct snap_cpuid *x86_component(const struct gcpu_plan *p, unsigned n);
int x86_derive(struct gcpu_plan *p, struct gcpu_error *err);

/* recipe.c */
int x86_recipe(struct gcpu_plan *p);
/* Properties that were asked for and that no step of the recipe can give. */
void x86_lacking(struct gcpu_plan *p);
uint32_t x86_exits(const struct gcpu_plan *p);
/* Does the recipe switch KVM to 32-bit APIC ids? */
bool x86_wide_ids(const struct gcpu_plan *p);

/* vmm.c */
/* The interface behind a paravirtual feature, or NULL. */
const struct pv_fact *x86_pv(const struct gcpu_plan *p, unsigned field);
void x86_run_steps(struct gcpu_plan *p);

#endif

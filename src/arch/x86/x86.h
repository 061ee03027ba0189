/* SPDX-License-Identifier: MIT */
#ifndef GCPU_ARCH_X86_H
#define GCPU_ARCH_X86_H

#include "core/plan.h"

/* topology.c */
struct x86_levels {
	unsigned thread_bits, core_bits, die_bits; /* width of each part of an APIC id */
	unsigned per_core, per_die, per_package;   /* logical CPUs */
};
void x86_levels(const struct gcpu_machine *m, struct x86_levels *ret);
int x86_ids(struct gcpu_plan *p, struct gcpu_error *err);
void x86_vcpu_entry(const struct gcpu_plan *p, unsigned vcpu, struct gcpu_cpuid *e);
void x86_topology_words(struct gcpu_plan *p);
/* Contents of a topology or cache leaf, the ids left out; false: no such sub-leaf. */
bool x86_topology_leaf(const struct gcpu_plan *p, struct gcpu_cpuid *e);
void x86_cache_leaf(const struct gcpu_plan *p, struct gcpu_cpuid *e);

/* XSAVE components of AMX; a process must ask before its guests may have the data. */
enum { X86_XTILECFG = 17, X86_XTILEDATA = 18 };

/* table.c */
/* Sub-leaf N of leaf 0xD, KVM's or else the host's own; NULL if there is none. */
const struct snap_cpuid *x86_component(const struct gcpu_plan *p, unsigned n);
int x86_derive(struct gcpu_plan *p, struct gcpu_error *err);

/* recipe.c */
int x86_recipe(struct gcpu_plan *p);
uint32_t x86_exits(const struct gcpu_plan *p);

#endif

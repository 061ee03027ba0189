/* SPDX-License-Identifier: MIT */
/* A vCPU's CPUID table, to be changed and set once more; and what a guest finds of KVM in it. */
#ifndef GCPU_ALIVE_X86_CPUID_TABLE_H
#define GCPU_ALIVE_X86_CPUID_TABLE_H

#include "core/snapshot.h"
#include "kvm/abi_x86.h"
#include "x86.h"

/* The number of entries is kept here: not every KVM_GET_CPUID2 tells it. */
struct cpuid_table {
	size_t n;
	struct snap_cpuid e[GK_CPUID_ENTRIES_MOST];
};

/* As the lab's plan has it for vCPU 0. Not 0: the outcome says why not. */
int table_planned(struct lab *lab, struct cpuid_table *ret);
/* KVM_SET_CPUID2 and KVM_GET_CPUID2 on vCPU 0: 0 or -errno. */
int table_set(const struct lab *lab, const struct cpuid_table *t);
int table_get(const struct lab *lab, struct cpuid_table *ret);

/* KVM_SET_CPUID2; not 0: the outcome says why not. */
int table_give(const struct lab *lab, const struct cpuid_table *t);

/* The first entry of a leaf, or NULL. */
struct snap_cpuid *table_leaf(struct cpuid_table *t, uint32_t leaf);
/* One more, if there is room. */
void table_add(struct cpuid_table *t, uint32_t leaf, const uint32_t regs[4]);

/* The leaf with KVM's features, by the signature before it; NULL: KVM is not told of. */
struct snap_cpuid *table_kvm(struct cpuid_table *t);
/* Those leaves moved up, where there are any. */
void table_move_kvm(struct cpuid_table *t, uint32_t by);
/* Those leaves taken out. */
void table_drop_kvm(struct cpuid_table *t);
/* Three registers with KVM's signature. */
void kvm_signature(uint32_t regs[4]);

/* What the guest finds the documented way (KVM's cpuid.rst): its signature at a multiple of 256,
 * a highest leaf of 0 read as the one after it. */
struct kvm_found {
	uint32_t base; /* 0: it does not */
	uint32_t highest, features;
};
/* 0, or as lab_run(). */
int kvm_discover(struct lab *lab, unsigned vcpu, struct kvm_found *ret);

#endif

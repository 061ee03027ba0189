/* SPDX-License-Identifier: MIT */
/* Between the files of this directory. */
#ifndef GCPU_ARCH_ARM64_H
#define GCPU_ARCH_ARM64_H

#include "core/plan.h"

/* MPIDR_EL1 as KVM makes it of the vCPU's id: 16 in a cluster, for the GIC's sake. */
uint64_t arm64_mpidr(uint64_t value, uint64_t id);

/* recipe.c */
int arm64_recipe(struct gcpu_plan *p);

/* vmm.c */
void arm64_vmm_steps(struct gcpu_plan *p);
/* What the guest reads as its widest address is not above what its VM has. */
void arm64_limit(struct gcpu_plan *p);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What the real backend needs of the processor it runs on. The build compiles
 * either cpuid_x86.c or cpuid_none.c.
 */
#ifndef GCPU_KVM_REAL_H
#define GCPU_KVM_REAL_H

#include <stdint.h>

/* As host_cpuid and guest_perm of struct gcpu_kvm_ops, without a context. */
int gcpu_real_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t ret[4]);
int gcpu_real_guest_perm(int code, uint64_t arg, uint64_t *ret);

#endif

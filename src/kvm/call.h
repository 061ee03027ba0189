/* SPDX-License-Identifier: MIT */
/* Calls through the seam that both probe and apply make. */
#ifndef GCPU_KVM_CALL_H
#define GCPU_KVM_CALL_H

#include "core/snapshot.h"

#include <guestcpu/kvm.h>
#include <guestcpu/plan.h>

/* Result of the ioctl, or -errno. */
int call(const struct gcpu_kvm *kvm, int fd, unsigned long request, const void *arg);
int call_number(const struct gcpu_kvm *kvm, int fd, unsigned long request, unsigned long arg);
int call_enable_cap(const struct gcpu_kvm *kvm, int fd, uint32_t cap, uint64_t arg0);

/* Read a CPUID list (supported, emulated, Hyper-V or a vCPU's own) into *ret,
 * growing as KVM asks for room. 0 or -errno. */
int call_get_cpuid(const struct gcpu_kvm *kvm, int fd, unsigned long request, struct list *ret);
/* Set a table of snap_cpuid on a vCPU. 0 or -errno. */
int call_set_cpuid(const struct gcpu_kvm *kvm, int vcpu, const struct snap_cpuid *e, size_t n);
/* 0, 1 (not taken), or -errno. */
int call_set_msr(const struct gcpu_kvm *kvm, int vcpu, uint32_t index, uint64_t value);
int call_get_msr(const struct gcpu_kvm *kvm, int fd, uint32_t index, uint64_t *ret);
/* Registers of any size, in 64-bit words; 0 or -errno. */
int call_get_reg(const struct gcpu_kvm *kvm, int vcpu, uint64_t id, uint64_t *ret);
int call_set_reg(const struct gcpu_kvm *kvm, int vcpu, uint64_t id, const uint64_t *value);
int call_vcpu_init(const struct gcpu_kvm *kvm, int vcpu, uint32_t target, uint32_t features);

#endif

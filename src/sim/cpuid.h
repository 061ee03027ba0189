/* SPDX-License-Identifier: MIT */
/* A CPUID instruction that faulted: decoded, answered, stepped over (x86). */
#ifndef GCPU_SIM_CPUID_H
#define GCPU_SIM_CPUID_H

#include <guestcpu/kvm.h>

#include <stdbool.h>
#include <stddef.h>
#include <ucontext.h>

/* How long the CPUID instruction at CODE is, with its prefixes; 0: it is something else. */
unsigned cpuid_length(const unsigned char *code, size_t most);
/* Carry out the one at which CONTEXT stands, with KVM's answers; false: it is none. */
bool cpuid_emulate(const struct gcpu_kvm *kvm, ucontext_t *context);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * KVM alone: what it does whatever the user asked for, seen on a machine that
 * has nothing special; and on vCPUs that nothing was done to.
 */
#ifndef GCPU_ALIVE_X86_PLAIN_H
#define GCPU_ALIVE_X86_PLAIN_H

#include "cpuid_table.h"

/* Of a lab_want. */
#define PLAIN .plain = true, .vcpus = 1
/* The same with no vCPU yet, and nothing of its recipe: plain_plug() makes the vCPU. */
#define PLAIN_BARE PLAIN, .run = { .vcpus = (const unsigned[]){ 0 }, .n = 1, .late = 1, .bare = true }

/* KVM's irqchip and then the vCPU. Not 0: the outcome says why not. */
int plain_plug(struct lab *lab);

/* A capability of the VM: what KVM_CHECK_EXTENSION and KVM_ENABLE_CAP say. */
int vm_cap(const struct lab *lab, unsigned cap);
int vm_enable(const struct lab *lab, unsigned cap, uint64_t arg);

/* KVM refuses by EINVAL. R is another error, with which it has said nothing: not 0, and the outcome says so. */
int no_answer(struct lab *lab, const char *call, int r);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The software KVM of the library as a backend of the checks here: the registers of a recorded host, and what the
 * facts foretell. And its insides, for backends that lie.
 */
#ifndef TESTS_IDREGS_SOFT_H
#define TESTS_IDREGS_SOFT_H

#include "idregs.h"

/* The seam to it, on the host that SNAP recorded; and the lab's way to a guest. */
void soft_start(const struct gcpu_snapshot *snap);
void soft_end(void);
extern const struct gcpu_kvm_ops soft_ops;
#define SOFT_KVM_FD 3
int soft_mrs(struct lab *l, struct vm *vm, unsigned vcpu, const uint64_t *ids, uint64_t *values, size_t n);

/* For those who lie: behind the seam's back. */
bool soft_peek(int vcpu, uint64_t id, uint64_t *ret);
void soft_poke(int vcpu, uint64_t id, uint64_t value);
bool soft_limit(uint64_t id, uint64_t *ret);
bool soft_ran(int vcpu);
bool soft_is_second(int vcpu);
void soft_reset(int vcpu);

#endif

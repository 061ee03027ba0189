/* SPDX-License-Identifier: MIT */
/*
 * A page of memory that is not there until somebody touches it, and then only
 * after a while: as if it had to be fetched from far away. By userfaultfd.
 */
#ifndef GCPU_RUN_WITHHOLD_H
#define GCPU_RUN_WITHHOLD_H

#include <stddef.h>

#include <guestcpu/error.h>
#include <guestcpu/kvm.h>

struct withhold;

/*
 * Take away what is at PAGE: one page, of SIZE bytes, of private anonymous
 * memory. Who touches it waits, KVM included: DELAY_MS from when that is
 * noticed; then it holds CONTENTS. *ret on success only. GCPU_ERR_REFUSED:
 * this host does not let us, the error says why.
 */
int withhold_new(const struct gcpu_kvm *kvm, void *page, size_t size, const void *contents, unsigned delay_ms,
		 struct withhold **ret, struct gcpu_error *err);

/* From now on the memory is like any other; nobody waits any more. Before the memory goes. 1 if it
 * was touched and given the contents, else 0. Frees W, NULL is fine. */
int withhold_end(struct withhold *w);

#endif

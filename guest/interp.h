/* SPDX-License-Identifier: MIT */
/* Between the interpreter and the architecture it is compiled for. */
#ifndef GUEST_INTERP_H
#define GUEST_INTERP_H

#include <stdint.h>

#include "guest_port.h"
#include "layout.h"

/* What start.S calls, and does not expect back. */
void guest_main(struct guest_area *area);

/* start.S: run fn(op, area). Not 0 if it faulted, then area->fault says how. */
int guest_try(void (*fn)(struct guest_op *op, struct guest_area *area), struct guest_op *op,
	      struct guest_area *area);

/* The operations only this architecture knows. 0: not even this one. */
int guest_arch_op(struct guest_op *op, struct guest_area *area);

/* One access of exactly that size. */
uint64_t guest_arch_load(uint64_t address, unsigned size);
void guest_arch_store(uint64_t address, unsigned size, uint64_t value);

/* Tell the host that the list is done; returns when there is a new one. */
void guest_arch_done(void);

#endif

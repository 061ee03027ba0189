/* SPDX-License-Identifier: MIT */
/* Operations of the guest, written short. */
#ifndef GCPU_ALIVE_OPS_H
#define GCPU_ALIVE_OPS_H

#include <stdbool.h>

#include "guest_port.h"

#define OP(c, ...) ((struct guest_op){ .code = (c), .arg = { __VA_ARGS__ } })
#define OP_RDMSR(index) OP(GUEST_OP_RDMSR, (index))
#define OP_WRMSR(index, value) OP(GUEST_OP_WRMSR, (index), (value))
#define OP_LOAD(address, size) OP(GUEST_OP_LOAD, (address), (size))
#define OP_STORE(address, size, value) OP(GUEST_OP_STORE, (address), (size), (value))
#define OP_SPIN(cycles) OP(GUEST_OP_SPIN, (cycles))

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Did it do what it was to do? */
static inline bool op_done(const struct guest_op *op)
{
	return op->status == GUEST_STATUS_DONE;
}

/* Was it refused by #GP? */
static inline bool op_gp(const struct guest_op *op)
{
	return op->status == GUEST_STATUS_FAULT && op->fault == 13;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The payload: an interpreter of the operations of src/core/guest_port.h.
 * The host writes a list into the vCPU's area, the guest runs it and writes
 * the results into the same place, so that they are there even if it hangs.
 */
#include "interp.h"

_Static_assert(sizeof(struct guest_op) == 96, "guest_op is shared with the host");
_Static_assert(GUEST_AREA_OPS + GUEST_AREA_OPS_MAX * sizeof(struct guest_op) <=
		       GUEST_AREA_TRAP_STACK - 2048,
	       "operations fit, and a stack above them");
_Static_assert(sizeof(struct guest_area) <= GUEST_AREA_TSS, "the head fits");
_Static_assert(__builtin_offsetof(struct guest_area, resume) == GUEST_AREA_RESUME, "start.S");
_Static_assert(__builtin_offsetof(struct guest_area, fault) == GUEST_AREA_FAULT, "start.S");

static int valid_size(uint64_t size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

static void execute(struct guest_op *op, struct guest_area *area)
{
	int known = 1;

	switch (op->code) {
	case GUEST_OP_END:
		break;
	case GUEST_OP_LOAD:
		known = valid_size(op->arg[1]);
		if (known)
			op->res[0] = guest_arch_load(op->arg[0], (unsigned)op->arg[1]);
		break;
	case GUEST_OP_STORE:
		known = valid_size(op->arg[1]);
		if (known)
			guest_arch_store(op->arg[0], (unsigned)op->arg[1], op->arg[2]);
		break;
	default:
		known = guest_arch_op(op, area);
		break;
	}
	op->status = known ? GUEST_STATUS_DONE : GUEST_STATUS_UNKNOWN;
}

static void run_list(struct guest_area *area)
{
	struct guest_op *ops = (struct guest_op *)((uintptr_t)area + GUEST_AREA_OPS);
	uint64_t i;

	for (i = 0; i < area->count; i++) {
		area->current = i;
		if (guest_try(execute, &ops[i], area)) {
			ops[i].fault = area->fault;
			ops[i].status = GUEST_STATUS_FAULT;
		} else if (ops[i].code == GUEST_OP_END) {
			break;
		}
	}
}

void guest_main(struct guest_area *area)
{
	for (;;) {
		run_list(area);
		guest_arch_done();
	}
}

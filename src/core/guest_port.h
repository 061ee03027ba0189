/* SPDX-License-Identifier: MIT */
/*
 * The guest port: operations that guest code can do, driven from the host
 * side. On real KVM the payload in guest/ carries them out; a software KVM
 * would itself. Layout is shared with the payload: plain fixed-size integers.
 */
#ifndef GCPU_CORE_GUEST_PORT_H
#define GCPU_CORE_GUEST_PORT_H

#include <stddef.h>
#include <stdint.h>

enum guest_op_code {
	GUEST_OP_END = 0,       /* stop here */
	GUEST_OP_CPUID = 1,     /* arg0 leaf, arg1 sub-leaf -> res0..3 eax..edx */
	GUEST_OP_RDMSR = 2,     /* arg0 index -> res0 */
	GUEST_OP_WRMSR = 3,     /* arg0 index, arg1 value */
	GUEST_OP_HYPERCALL = 4, /* arg0 number, arg1..4 arguments, arg5 0 vmcall 1 vmmcall -> res0 */
	GUEST_OP_LOAD = 5,      /* arg0 guest address, arg1 bytes 1 2 4 8 -> res0 */
	GUEST_OP_STORE = 6,     /* arg0 guest address, arg1 bytes, arg2 value */
	GUEST_OP_HALT = 7,      /* interrupts on, halt until the next one */
	GUEST_OP_XGETBV = 8,    /* arg0 index -> res0 */
	GUEST_OP_RDCR = 9,      /* arg0 number 0 2 3 4 8 -> res0 */
	GUEST_OP_WRCR = 10,     /* arg0 number 0 4 8, arg1 value */
	GUEST_OP_MRS = 16,      /* arg0 op0<<14|op1<<11|crn<<7|crm<<3|op2 -> res0 */
	GUEST_OP_SMCCC = 17,    /* arg0..4 as x0..x4 of HVC #0 -> res0..3 */
};

enum guest_op_status {
	GUEST_STATUS_PENDING = 0,  /* not reached */
	GUEST_STATUS_DONE = 1,
	GUEST_STATUS_FAULT = 2,    /* fault holds the x86 vector or the arm64 ESR_EL1 */
	GUEST_STATUS_UNKNOWN = 3,  /* this guest has no such operation */
};

/* One operation, 96 bytes. */
struct guest_op {
	uint32_t code;   /* enum guest_op_code */
	uint32_t status; /* enum guest_op_status, written by the guest */
	uint64_t arg[6];
	uint64_t res[4];
	uint64_t fault;  /* vector (x86) or ESR (arm64) where status is FAULT */
};

struct gcpu_error;

struct guest_port {
	/* Run OPS[0..N) in order on vCPU number VCPU (an index). Returns 0 when
	 * the guest finished the list (single operations may have faulted), or a
	 * negative gcpu_code; results so far are in OPS in both cases. */
	int (*run)(void *ctx, unsigned vcpu, struct guest_op *ops, size_t n, unsigned timeout_ms,
		   struct gcpu_error *err);
	void *ctx;
};

#endif

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
	/* x86 alone, but for SPIN. Times are in cycles of the guest's counter: TSC, CNTVCT. */
	GUEST_OP_HALT_OFF = 11, /* interrupts off, halt: only a kick, INIT or NMI ends it */
	GUEST_OP_RDTSC = 12,    /* -> res0 */
	GUEST_OP_SPIN = 13,     /* for arg0 cycles, with interrupts on; not 0: until the 32-bit word at
				 * arg1 is arg2 -> res0 rounds, res1 whether it was, res2 cycles */
	GUEST_OP_SWAP = 14,     /* as soon as the byte at arg0 is arg1, make it arg2, at most for arg3
				 * cycles -> res0 done, res1 what was there last */
	GUEST_OP_CLOCK = 15,    /* read the kvmclock page at arg0 for arg2 cycles in turn with other vCPUs,
				 * by the lock and last time at arg1 -> res0 reads, res1 times that
				 * went back, res2 by how much at most, ns */
	GUEST_OP_USER_LOAD = 18,   /* 8 bytes at arg0 of the first 2 MiB, at CPL 3, interrupts on -> res0 */
	GUEST_OP_HYPERCALL32 = 19, /* as HYPERCALL, from a 32-bit code segment -> res0, all of RAX */
	GUEST_OP_EOI_WORD = 20,    /* from now on ends of interrupt are by the PV EOI word at arg0, 0: not */
	GUEST_OP_APF_DATA = 21,    /* async page faults: arg0 data area (0: off), arg1 vector of page ready,
				    * arg2 MSR to acknowledge by, arg3 most cycles to wait for a page */
	GUEST_OP_APF_SEEN = 22,    /* -> res0 pages missed, res1 token of the last, res2 rounds of other work
				    * until it was ready, res3 token of the last page that was ready */
	GUEST_OP_INTERRUPTS = 23,  /* -> res0 taken, res1 last vector, res2 ends of interrupt skipped,
				    * res3 written */
	GUEST_OP_LOAD_ON = 24,     /* as LOAD, with interrupts on */
	GUEST_OP_MRS = 16,      /* arg0 op0<<14|op1<<11|crn<<7|crm<<3|op2 -> res0 */
	GUEST_OP_SMCCC = 17,    /* arg0..4 as x0..x4 of HVC #0 -> res0..3 */
	GUEST_OP_INSN = 25,     /* the instruction arg0, with x0 arg1 and x1 arg2; it may change x0 and
				 * memory, nothing else -> res0 x0 */
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

/* What happens in the guest when an exercise starts several vCPUs at once is the guest's
 * own business: each list stands alone. */
struct guest_port {
	/* Run OPS[0..N) in order on vCPU number VCPU (an index). Returns 0 when
	 * the guest finished the list (single operations may have faulted), or a
	 * negative gcpu_code; results so far are in OPS in both cases. */
	int (*run)(void *ctx, unsigned vcpu, struct guest_op *ops, size_t n, unsigned timeout_ms,
		   struct gcpu_error *err);
	/* The same in two halves, so that several vCPUs run at once. start() takes at
	 * most one batch; without a list (n 0) the vCPU runs as KVM has it, an AP
	 * that waits for its SIPI for example. */
	int (*start)(void *ctx, unsigned vcpu, const struct guest_op *ops, size_t n,
		     struct gcpu_error *err);
	/* Wait for it. GCPU_ERR_TIMEOUT: it was stopped where it stands; finish() again lets it
	 * go on. Results so far are in OPS, N as in start(). */
	int (*finish)(void *ctx, unsigned vcpu, struct guest_op *ops, size_t n, unsigned timeout_ms,
		      struct gcpu_error *err);
	void *ctx;
};

#endif

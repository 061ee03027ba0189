/* SPDX-License-Identifier: MIT */
/*
 * Code of the host's writing, below the payload's tables: for a vCPU in a mode
 * that the payload is not made for. It ends by GUEST_X86_PORT_DONE.
 */
#ifndef GCPU_ALIVE_X86_LOWCODE_H
#define GCPU_ALIVE_X86_LOWCODE_H

#include "../lab.h"
#include "layout.h"

#define LOW_CODE 0x8000 /* a whole page's number, as a SIPI has it */
#define LOW_DATA 0x9000 /* within 64 KiB: real mode reaches it too */
#define LOW_DATA_SIZE 64

/* out %al, $GUEST_X86_PORT_DONE; 1: hlt; jmp 1b. The same in real mode. */
#define LOW_END 0xe6, GUEST_X86_PORT_DONE, 0xf4, 0xeb, 0xfd

/* Write CODE to LOW_CODE. Returns the memory at LOW_DATA, which is zero now. */
volatile unsigned char *low_code(struct lab *lab, const unsigned char *code, size_t n);

/*
 * The hypercall OP by a 32-bit guest: the vCPU is in protected mode without paging and without
 * long mode meanwhile, and its next list begins afresh. GUEST_OP_END instead: all but the call,
 * to see whether this KVM has such guests. 0 and EAX; GCPU_ERR_KVM: it could not be entered or
 * did not come to its end, ERR says why; other errors are the lab's.
 */
int low_hypercall32(struct lab *lab, unsigned vcpu, const struct guest_op *op, uint32_t *ret,
		    struct gcpu_error *err);

#endif

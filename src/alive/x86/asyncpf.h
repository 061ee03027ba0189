/* SPDX-License-Identifier: MIT */
/* Async page faults: what their exercises share. */
#ifndef GCPU_ALIVE_X86_ASYNCPF_H
#define GCPU_ALIVE_X86_ASYNCPF_H

#include "x86.h"

/* Bits of the MSR that turns them on. KVM's msr.rst. */
#define APF_ENABLE (1ULL << 0)
#define APF_ALWAYS (1ULL << 1)	  /* at CPL 0 too */
#define APF_VMEXIT (1ULL << 2)	  /* to a hypervisor in the guest as an exit */
#define APF_INTERRUPT (1ULL << 3) /* page ready by an interrupt, and nothing without */

struct apf {
	struct lab *lab;
	uint64_t at;	   /* of the area that KVM writes to */
	uint64_t page;	   /* next one to withhold */
	unsigned char *here;
	uint32_t msr_enable, msr_vector, msr_ack;
};

/* What the guest saw when it read a page that was not there. */
struct apf_seen {
	uint64_t missed; /* pages that KVM said were missing */
	uint64_t token; /* of the last of them */
	uint64_t was_ready, ready; /* last token that was ready, before it read and after */
	uint64_t rounds; /* of other work until the page was ready */
};

void apf_init(struct apf *a, struct lab *lab);
/* Write the MSR; 1 taken, 0 #GP, negative: it went wrong. */
int apf_write(struct apf *a, uint64_t bits);
/* Are bits 4 and 5 refused, reserved as they are? 0, or the outcome says that not. */
int apf_reserved(struct apf *a);
/* Load at CPL 0 or 3 from a page that comes late. 0 if that was withheld and is what was read,
 * else the outcome says why not. */
int apf_load(struct apf *a, unsigned cpl, struct apf_seen *ret);

#endif

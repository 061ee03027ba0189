/* SPDX-License-Identifier: MIT */
/*
 * What the payload and the runner (src/run) agree on. The host lays out the
 * memory, sets the registers, and runs each vCPU in an area of its own; C and
 * assembler both read this file.
 *
 * Guest memory, from the base of RAM (0 on x86, 1 GiB on arm64):
 *	0x010000  page tables; x86: GDT and IDT too
 *	0x020000  the payload, where it was linked to
 *	0x080000  a scratch region for all vCPUs
 *	0x100000  the areas of the vCPUs
 */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#define GUEST_TABLES 0x10000
#define GUEST_PAYLOAD 0x20000
#define GUEST_PAYLOAD_MAX 0x60000
#define GUEST_SHARED 0x80000
#define GUEST_SHARED_SIZE 0x80000
#define GUEST_AREAS 0x100000

/* One area. Size is alignment, so that a stack pointer leads to its head. */
#define GUEST_AREA_SIZE 0x10000
#define GUEST_AREA_TSS 0x800 /* x86 */
#define GUEST_AREA_OPS 0x1000
#define GUEST_AREA_OPS_MAX 320 /* of 96 bytes */
#define GUEST_AREA_TRAP_STACK 0x9000 /* downward to the operations' end; x86 from CPL 3 */
#define GUEST_AREA_SCRATCH 0x9000
#define GUEST_AREA_SCRATCH_SIZE 0x3000
#define GUEST_AREA_STACK 0x10000 /* downward */

/* Fields of struct guest_area that assembler touches. */
#define GUEST_AREA_RESUME 0
#define GUEST_AREA_FAULT 8

#define GUEST_HEAD_MAGIC 0x75706367 /* "gcpu" */

/* How the payload calls: written to, these ask for an exit. */
#define GUEST_X86_PORT_DONE 0xd0
#define GUEST_X86_PORT_DEAD 0xd1 /* a fault outside of an operation */
#define GUEST_X86_STUB_SIZE 16
#define GUEST_X86_SEL_CODE 0x08
#define GUEST_X86_SEL_DATA 0x10
#define GUEST_X86_SEL_TSS 0x18 /* two entries */
#define GUEST_X86_SEL_USER_DATA 0x28
#define GUEST_X86_SEL_USER_CODE 0x30
#define GUEST_X86_SEL_CODE32 0x38
/* RAM's first 2 MiB once more, for CPL 3: what CPL 0 uses must not be
 * accessible to it, or the guest could not turn SMEP and SMAP on. */
#define GUEST_X86_USER_ALIAS 0x100000000
#define GUEST_ARM64_MMIO_DONE 0x09000000
#define GUEST_ARM64_MMIO_DEAD 0x09000008

#ifndef __ASSEMBLER__
#include <stdint.h>

/* First bytes of the payload. Addresses are the guest's. */
struct guest_head {
	uint32_t magic;
	uint32_t reserved;
	uint64_t load;    /* where it was linked to */
	uint64_t entry;   /* called with the area's address as first argument */
	uint64_t vectors; /* x86: 256 stubs; arm64: the vector table */
};

/* First bytes of an area. */
struct guest_area {
	uint64_t resume; /* stack to go on with after a fault, 0 if none is awaited */
	uint64_t fault;  /* what it was: x86 vector, arm64 ESR_EL1 */
	uint64_t count;  /* number of operations, by the host */
	uint64_t current;
	uint64_t interrupts; /* taken so far */
	uint64_t vector;     /* of the last one */
	uint32_t code[4];    /* an instruction made at run time (arm64) */
	/* x86, what native handlers have to know and what they saw */
	uint64_t eoi_word; /* address of the PV EOI word, or 0 */
	uint64_t eoi_skipped, eoi_written;
	uint64_t apf_data; /* address of the async page fault area, or 0 */
	uint64_t apf_vector, apf_ack, apf_cycles;
	uint64_t apf_missed, apf_token, apf_rounds;
	uint64_t apf_ready; /* token of the last page that was ready */
};
#endif

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The payload's entry and exceptions, arm64. The host starts us at EL1 with
 * the MMU on and everything masked: X0 the area, SP its stack.
 */
#include "layout.h"

	.section .head, "a"
	.long	GUEST_HEAD_MAGIC
	.long	0
	.quad	payload_start		/* from the linker script */
	.quad	start
	.quad	vectors

	.text
	.globl	start
start:
	mov	x29, xzr
	mov	x30, xzr
	bl	guest_main
1:	b	1b

/*
 * int guest_try(fn, op, area): call fn(op, area); a fault in there makes this
 * return 1. The stack pointer kept in the area is all it takes to come back.
 */
	.globl	guest_try
guest_try:
	stp	x29, x30, [sp, #-96]!
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	mov	x9, sp
	str	x9, [x2, #GUEST_AREA_RESUME]
	mov	x9, x0
	mov	x0, x1
	mov	x1, x2
	blr	x9
	mov	x0, xzr
try_end:
	mov	x9, sp
	and	x9, x9, #~(GUEST_AREA_SIZE - 1)
	str	xzr, [x9, #GUEST_AREA_RESUME]
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	x29, x30, [sp], #96
	ret

/* We never return to where it was; interrupts are masked and stay so. */
fault:
	mrs	x10, esr_el1
	mov	x9, sp
	and	x9, x9, #~(GUEST_AREA_SIZE - 1)
	ldr	x11, [x9, #GUEST_AREA_RESUME]
	cbz	x11, dead
	str	x10, [x9, #GUEST_AREA_FAULT]
	mov	sp, x11
	mov	x0, #1
	b	try_end

/* Nobody waits for it: a bug of ours. */
dead:
	ldr	x9, =GUEST_ARM64_MMIO_DEAD
	str	w10, [x9]
	b	dead
	.ltorg

	.macro	ventry to
	.balign	128
	b	\to
	.endm

	.balign	2048
vectors:
	.rept	4			/* EL1 on SP_EL0: never */
	ventry	dead
	.endr
	ventry	fault			/* EL1 on SP_EL1: synchronous */
	ventry	dead			/* IRQ */
	ventry	dead			/* FIQ */
	ventry	fault			/* SError */
	.rept	8			/* EL0: never */
	ventry	dead
	.endr

	.section .note.GNU-stack, "", %progbits

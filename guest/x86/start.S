/* SPDX-License-Identifier: MIT */
/*
 * The payload's entry, exceptions and interrupts, x86-64. The host starts us
 * in long mode with every table in place: RDI the area, RSP its stack.
 */
#include "layout.h"

	.section .head, "a"
	.long	GUEST_HEAD_MAGIC
	.long	0
	.quad	payload_start		/* from the linker script */
	.quad	start
	.quad	stubs

/* What a call may change. */
	.macro	save
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	.endm
	.macro	restore
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rax
	.endm

	.text
	.globl	start
start:
	cld
	xorl	%ebp, %ebp
	call	guest_main
	ud2

/*
 * int guest_try(fn, op, area): call fn(op, area); a fault in there makes this
 * return 1. The stack pointer kept in the area is all it takes to come back.
 */
	.globl	guest_try
guest_try:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	subq	$8, %rsp
	movq	%rsp, GUEST_AREA_RESUME(%rdx)
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	call	*%rax
	xorl	%eax, %eax
try_end:
	cld
	movq	%rsp, %rdx
	andq	$-GUEST_AREA_SIZE, %rdx
	movq	$0, GUEST_AREA_RESUME(%rdx)
	addq	$8, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

/*
 * uint64_t guest_xgetbv(index), at CPL 3: there it runs on the processor even
 * if KVM interprets CPL 0, which it does not know XGETBV in. A good end is the
 * UD2; anything else is a fault of the operation.
 */
	.globl	guest_xgetbv
guest_xgetbv:
	movl	%edi, %ecx
	movq	%rsp, %r8
	movabsq	$GUEST_X86_USER_ALIAS, %r9
	addq	$user_code, %r9
	pushq	$GUEST_X86_SEL_USER_DATA + 3
	pushq	$0			/* it has no stack */
	pushq	$2
	pushq	$GUEST_X86_SEL_USER_CODE + 3
	pushq	%r9
	iretq

/* uint64_t guest_user_load(address), at CPL 3 and with interrupts on. */
	.globl	guest_user_load
guest_user_load:
	movq	%rsp, %r8
	movabsq	$GUEST_X86_USER_ALIAS, %r9
	addq	%r9, %rdi
	addq	$user_load, %r9
	pushq	$GUEST_X86_SEL_USER_DATA + 3
	pushq	$0
	pushq	$0x202			/* IF: no page is awaited by a guest that cannot be interrupted */
	pushq	$GUEST_X86_SEL_USER_CODE + 3
	pushq	%r9
	iretq
user_load:
	movq	(%rdi), %rax
	xorl	%edx, %edx
	jmp	user_end
user_code:
	xgetbv
user_end:
	ud2
user_return:
	movq	%r8, %rsp
	movl	$GUEST_X86_SEL_DATA, %ecx
	movl	%ecx, %ss
	shlq	$32, %rdx
	orq	%rdx, %rax
	ret

/*
 * uint64_t guest_hypercall32(op): the hypercall of OP from a 32-bit code
 * segment. All addresses here have but 32 bits, so the stack stays.
 */
	.globl	guest_hypercall32
guest_hypercall32:
	pushq	%rbx
	movl	8(%rdi), %eax
	movl	16(%rdi), %ebx
	movl	24(%rdi), %ecx
	movl	32(%rdi), %edx
	movl	40(%rdi), %esi
	movl	48(%rdi), %edi
	pushq	$GUEST_X86_SEL_CODE32
	pushq	$hypercall32
	lretq
	.code32
hypercall32:
	testl	%edi, %edi
	jnz	1f
	vmcall
	jmp	2f
1:	vmmcall
2:	ljmp	$GUEST_X86_SEL_CODE, $hypercall32_done
	.code64
hypercall32_done:
	popq	%rbx
	ret

/*
 * void guest_halt(void): interrupts on, until one has been taken. STI holds
 * them off until HLT; where an emulation forgets that, see `interrupt`.
 */
	.globl	guest_halt
guest_halt:
	sti
halt_at:
	hlt
	cli
	ret

/* One stub per vector, each GUEST_X86_STUB_SIZE bytes. */
	.balign	GUEST_X86_STUB_SIZE
stubs:
	.set	vec, 0
	.rept	256
	.balign	GUEST_X86_STUB_SIZE
	pushq	$vec
	.if	vec < 32
	jmp	fault
	.else
	jmp	interrupt
	.endif
	.set	vec, vec + 1
	.endr

/*
 * An exception. We never return to where it was, so it does not matter
 * whether there is an error code on the stack.
 */
fault:
	cmpq	$14, (%rsp)
	je	page_fault
real_fault:
	movabsq	$GUEST_X86_USER_ALIAS, %rcx
	addq	$user_end, %rcx
	cmpq	%rcx, 8(%rsp)		/* RIP, or an error code, never so large */
	je	user_return
	movq	(%rsp), %rcx
	movq	%rsp, %rdx
	andq	$-GUEST_AREA_SIZE, %rdx
	movq	GUEST_AREA_RESUME(%rdx), %rax
	testq	%rax, %rax
	jz	dead
	movq	%rcx, GUEST_AREA_FAULT(%rdx)
	movq	%rax, %rsp
	movl	$GUEST_X86_SEL_DATA, %eax
	movl	%eax, %ss		/* from CPL 3 there is none */
	movl	$1, %eax
	jmp	try_end

/* KVM says by a #PF that a page is not there yet: the only one we return from. */
page_fault:
	save
	cld
	movq	%rsp, %rdi
	andq	$-GUEST_AREA_SIZE, %rdi
	call	guest_page_missing
	testl	%eax, %eax
	restore
	jz	real_fault
	addq	$16, %rsp		/* vector and error code */
	iretq

/* Nobody waits for it: a bug of ours. RCX tells which. */
dead:
	outb	%al, $GUEST_X86_PORT_DEAD
	jmp	dead

interrupt:
	cmpq	$halt_at, 8(%rsp)	/* taken before the HLT that it was to end? */
	jne	1f
	incq	8(%rsp)
1:	save
	subq	$8, %rsp		/* 16-byte alignment */
	cld
	movq	80(%rsp), %rsi		/* vector */
	movq	%rsp, %rdi
	andq	$-GUEST_AREA_SIZE, %rdi
	call	guest_interrupt
	addq	$8, %rsp
	restore
	addq	$8, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits

/* SPDX-License-Identifier: MIT */
#include "lowcode.h"

#include <string.h>

#include "core/util.h"
#include "kvm/abi_x86.h"

#define CR0_PE 1U
#define CR0_PG (1U << 31)
#define LE32(x) (x) & 0xff, (x) >> 8 & 0xff, (x) >> 16 & 0xff, (x) >> 24

_Static_assert(LOW_DATA + LOW_DATA_SIZE <= GUEST_TABLES, "low code is below what the runner uses");

volatile unsigned char *low_code(struct lab *lab, const unsigned char *code, size_t n)
{
	uint64_t at;
	unsigned char *memory = lab_memory(lab, LAB_SHARED, &at);

	memory -= at - run_guest_base(lab->guest);
	memcpy(memory + LOW_CODE, code, n);
	memset(memory + LOW_DATA, 0, LOW_DATA_SIZE);
	return memory + LOW_DATA;
}

/* The call itself, or nothing in its place; then EAX and CR0 to LOW_DATA. */
static const volatile uint32_t *write_call(struct lab *lab, const struct guest_op *op)
{
	static const unsigned char calls[][3] = {
		{ 0x0f, 0x01, 0xc1 }, /* vmcall */
		{ 0x0f, 0x01, 0xd9 }, /* vmmcall */
		{ 0x90, 0x90, 0x90 }, /* nop */
	};
	unsigned char code[] = {
		0x00, 0x00, 0x00,	  /* one of calls[] */
		0xa3, LE32(LOW_DATA),	  /* mov %eax, LOW_DATA */
		0x0f, 0x20, 0xc0,	  /* mov %cr0, %eax */
		0xa3, LE32(LOW_DATA + 4), /* mov %eax, LOW_DATA + 4 */
		LOW_END,
	};

	memcpy(code, calls[op->code == GUEST_OP_END ? 2 : op->arg[5] != 0], sizeof(calls[0]));
	return (const volatile uint32_t *)low_code(lab, code, sizeof(code));
}

int low_hypercall32(struct lab *lab, unsigned vcpu, const struct guest_op *op, uint32_t *ret,
		    struct gcpu_error *err)
{
	const struct gk_x86_regs regs = { .rip = LOW_CODE, .rax = op->arg[0], .rbx = op->arg[1],
					  .rcx = op->arg[2], .rdx = op->arg[3], .rsi = op->arg[4] };
	const volatile uint32_t *left = write_call(lab, op);
	const struct guest_port *port = lab->port;
	int r;

	r = run_x86_start32(lab->guest, vcpu, &regs, err);
	if (r == 0)
		r = port->start(port->ctx, vcpu, NULL, 0, err);
	if (r == 0)
		r = port->finish(port->ctx, vcpu, NULL, 0, lab_left(lab), err);
	if (r)
		return r;
	if ((left[1] & (CR0_PE | CR0_PG)) != CR0_PE)
		return error_set(err, GCPU_ERR_KVM, "a guest without paging finds CR0 0x%x", left[1]);
	*ret = left[0];
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * What guest code does that other vCPUs, devices or its VMM have a part in, and
 * what the payload of guest/ can do besides: the operations of its port.
 */
#include "x86.h"

#include "core/guest_port.h"

#include <string.h>

#define USER_MEMORY 0x200000U /* what code at CPL 3 has */
#define PAGE_FAULT 14

/* Events before the next operation. true: it is not done now. */
bool x86_step_event(struct x86_vcpu *x, struct gcpu_guest_op *op, enum sw_step *ret)
{
	x86_accept_events(x);
	*ret = SW_BLOCKED;
	if (x->guest->lost || x->v->mp_state == GK_MP_STATE_INIT_RECEIVED)
		return true;
	x->events.interrupt.shadow = 0; /* until the next instruction */
	if (!x86_nmi_waits(x) || op->code == GUEST_OP_HALT || op->code == GUEST_OP_HALT_OFF)
		return false;
	*ret = x86_nmi(x, op);
	return true;
}

void x86_fresh(struct sw_vcpu *v)
{
	struct x86_guest *g = x86_vcpu(v)->guest;

	g->interrupts = g->vector = g->skipped = g->written = g->eoi_word = 0;
	g->apf_data = g->apf_vector = g->apf_ack = g->apf_token = 0;
	g->lost = false;
}

static enum sw_step on(struct x86_vcpu *x, struct gcpu_guest_op *op, bool complete)
{
	x86_take_interrupts(x);
	return x86_load(x, op, complete);
}

static enum sw_step user_load(struct x86_vcpu *x, struct gcpu_guest_op *op)
{
	const void *memory = sw_guest_memory(x->v->vm, op->arg[0], 8);

	x86_take_interrupts(x);
	if (op->arg[0] >= USER_MEMORY || !memory) {
		op->status = GCPU_GUEST_FAULT;
		op->fault = PAGE_FAULT;
		return SW_DONE;
	}
	memcpy(&op->res[0], memory, 8);
	return SW_DONE;
}

/* The page is read once, in turn with the others. */
static enum sw_step read_clock(struct x86_vcpu *x, struct gcpu_guest_op *op)
{
	void *at = sw_guest_writable(x->v->vm, op->arg[1] + 8, sizeof(uint64_t));
	uint64_t now = x86_ns(x), last;

	if (!at)
		return SW_DONE;
	memcpy(&last, at, sizeof(last));
	op->res[0] = 1;
	op->res[1] = now < last;
	op->res[2] = now < last ? last - now : 0;
	last = now < last ? last : now;
	memcpy(at, &last, sizeof(last));
	return SW_DONE;
}

static enum sw_step counts(struct x86_vcpu *x, struct gcpu_guest_op *op)
{
	const struct x86_guest *g = x->guest;

	op->res[0] = g->interrupts;
	op->res[1] = g->vector;
	op->res[2] = g->skipped;
	op->res[3] = g->written;
	return SW_DONE;
}

static enum sw_step apf_data(struct x86_vcpu *x, const struct gcpu_guest_op *op)
{
	struct x86_guest *g = x->guest;

	g->apf_data = op->arg[0];
	g->apf_vector = op->arg[1];
	g->apf_ack = op->arg[2];
	return SW_DONE;
}

/* No page is ever missing here. */
static enum sw_step apf_seen(struct x86_vcpu *x, struct gcpu_guest_op *op)
{
	op->res[3] = x->guest->apf_token;
	return SW_DONE;
}

static enum sw_step one(struct x86_vcpu *x, struct gcpu_guest_op *op, bool complete, bool *ret_known)
{
	*ret_known = true;
	switch (op->code) {
	case GUEST_OP_HYPERCALL:
	case GUEST_OP_HYPERCALL32:
		return x86_hypercall(x, op, complete, op->code == GUEST_OP_HYPERCALL);
	case GUEST_OP_LOAD:
		return x86_load(x, op, complete);
	case GUEST_OP_LOAD_ON:
		return on(x, op, complete);
	case GUEST_OP_STORE:
		return x86_store(x, op, complete);
	case GUEST_OP_HALT:
	case GUEST_OP_HALT_OFF:
		return x86_halt(x, op, complete, op->code == GUEST_OP_HALT);
	case GUEST_OP_RDTSC:
		op->res[0] = x86_tsc(x);
		return SW_DONE;
	case GUEST_OP_SPIN:
		return x86_spin(x, op);
	case GUEST_OP_SWAP:
		return x86_swap(x, op);
	case GUEST_OP_CLOCK:
		return read_clock(x, op);
	case GUEST_OP_USER_LOAD:
		return user_load(x, op);
	case GUEST_OP_EOI_WORD:
		x->guest->eoi_word = op->arg[0];
		return SW_DONE;
	case GUEST_OP_INTERRUPTS:
		return counts(x, op);
	case GUEST_OP_APF_DATA:
		return apf_data(x, op);
	case GUEST_OP_APF_SEEN:
		return apf_seen(x, op);
	default:
		*ret_known = false;
		return SW_DONE;
	}
}

bool x86_step_more(struct x86_vcpu *x, struct gcpu_guest_op *op, bool complete, enum sw_step *ret)
{
	bool known;

	*ret = one(x, op, complete, &known);
	return known;
}

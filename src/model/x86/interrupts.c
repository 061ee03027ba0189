/* SPDX-License-Identifier: MIT */
/*
 * Events that reach a vCPU: INIT and SIPI before it runs, NMIs and interrupts
 * while it does. Its code does with an interrupt what the payload of guest/
 * does: it counts, and ends it by the word if there is one, else by the APIC.
 */
#include "x86.h"

#include "core/guest_port.h"

#include <string.h>

#define CR0_CACHE (CR0_CD | CR0_NW) /* which INIT leaves alone */

/* Nothing waits any more, and nothing is held back; what the last exception was can still be read. */
static void events_reset(struct gk_vcpu_events *e)
{
	e->exception.injected = e->exception.pending = e->exception_has_payload = 0;
	e->interrupt.injected = e->interrupt.shadow = 0;
	e->nmi.injected = e->nmi.pending = e->nmi.masked = 0;
	memset(&e->smi, 0, sizeof(e->smi));
}

bool x86_nmi_waits(const struct x86_vcpu *x)
{
	return x->events.nmi.pending && !x->events.nmi.masked;
}

/* One that is taken, and one behind it, where the first is not taken already. */
void x86_nmi_raise(struct x86_vcpu *x)
{
	unsigned most = x->events.nmi.masked || x->events.nmi.injected ? 1 : 2;

	if (x->events.nmi.pending < most)
		x->events.nmi.pending++;
}

static void reset(struct x86_vcpu *x)
{
	uint64_t cache = x->sregs.cr0 & CR0_CACHE;

	x86_apic_reset(x, true);
	x86_pv_reset(x);
	x86_regs_reset(x);
	x->sregs.cr0 = CR0_ET | cache;
	/* a processor that has one for its guests keeps it */
	if (x86_msr_kept(x, X86_MSR(SPEC_CTRL)) && !x86_host_has(x86_model(x), X86_F_V_SPEC_CTRL))
		x86_msr_keep(x, X86_MSR(SPEC_CTRL), 0);
	events_reset(&x->events);
	x86_runtime(x);
}

void x86_accept_events(struct x86_vcpu *x)
{
	struct x86_guest *g = x->guest;
	bool boot = x->v->id == x86_vm(x->v->vm)->boot_id;

	if (!x86_lapic(x) || !g->events)
		return;
	if (g->events & EVENT_INIT) {
		reset(x);
		g->lost = true;
		x->v->mp_state = boot ? GK_MP_STATE_RUNNABLE : GK_MP_STATE_INIT_RECEIVED;
	}
	if ((g->events & EVENT_SIPI) && x->v->mp_state == GK_MP_STATE_INIT_RECEIVED) {
		x->sregs.cs.selector = (uint16_t)(g->sipi_vector << 8);
		x->sregs.cs.base = (uint64_t)g->sipi_vector << 12;
		x->regs.rip = 0;
		g->lost = true; /* its VMM may have said so without an INIT */
		x->v->mp_state = GK_MP_STATE_RUNNABLE;
	}
	g->events = 0;
}

/* A kick ends a halt, whoever looks first. */
void x86_kicked(struct x86_vcpu *x)
{
	if (x->v->mp_state != GK_MP_STATE_HALTED || !x->guest->unhalted)
		return;
	x->guest->unhalted = false;
	x->guest->kicked = true;
	x->v->mp_state = GK_MP_STATE_RUNNABLE;
}

static int pending(struct x86_vcpu *x)
{
	int irr, isr;
	unsigned tpr;

	if (x->guest->external >= 0)
		return x->guest->external;
	if (!x86_apic_hw(x))
		return -1;
	x86_tpr(x);
	x86_update_ppr(x);
	irr = x86_apic_top(x, APIC_REG_IRR);
	isr = x86_apic_top(x, APIC_REG_ISR);
	tpr = x86_tpr(x);
	return irr < 0 || (irr & 0xf0) <= (int)(tpr & 0xf0) || (isr >= 0 && (irr & 0xf0) <= (isr & 0xf0)) ? -1 : irr;
}

/* Is it amid a HLT of its own, which looks for what ends it? Else it was halted by its VMM. */
static bool halted_by_op(const struct x86_vcpu *x)
{
	const struct sw_vcpu *v = x->v;

	return v->at < v->n_ops && (v->ops[v->at].code == GUEST_OP_HALT || v->ops[v->at].code == GUEST_OP_HALT_OFF);
}

int x86_enter(struct x86_vcpu *x)
{
	uint32_t was = x->v->mp_state;

	/* taken over even where the guest is not entered */
	if (!x86_lapic(x) && x->v->run) {
		if (x->v->run->cr8 > 0xf)
			return -EINVAL;
		x->sregs.cr8 = x->v->run->cr8;
	}
	if (x->v->run && x->v->run->immediate_exit)
		return -EINTR;
	if (was == GK_MP_STATE_INIT_RECEIVED && x->events.smi.smm && sw_behaves(x86_model(x), BEHAVIOUR_SMM_JUDGED_AT_RUN))
		return -EINVAL;
	x86_accept_events(x);
	x86_kicked(x);
	if (was == GK_MP_STATE_UNINITIALIZED && x->v->mp_state != was)
		return -EAGAIN;
	if (x->v->mp_state == GK_MP_STATE_UNINITIALIZED || x->v->mp_state == GK_MP_STATE_INIT_RECEIVED)
		return -EINTR;
	if (x->v->mp_state == GK_MP_STATE_HALTED && !halted_by_op(x) && !x86_nmi_waits(x) && pending(x) < 0)
		return -EINTR;
	if (x->v->mp_state == GK_MP_STATE_HALTED && !halted_by_op(x))
		x->v->mp_state = GK_MP_STATE_RUNNABLE;
	x->v->ran = true;
	/* AMD's CPUs have 4 bits of the task's priority, and what KVM takes back from them is all there is */
	if (x86_lapic(x) && x86_is_hosts(x86_model(x), MSR_AMD))
		x86_set_cr8(x, x->sregs.cr8);
	pending(x); /* at every entry KVM looks, which renews the processor's priority */
	x86_pv_enter(x);
	return 0;
}

/* The async page fault area's token, and back with it. */
static void page_ready(struct x86_vcpu *x)
{
	sw_guest_u32 *data = sw_guest_writable(x->v->vm, x->guest->apf_data, 8);

	if (!data)
		return;
	if (data[1] && data[1] != UINT32_MAX)
		x->guest->apf_token = data[1];
	data[1] = 0;
	x86_msr_set(x, (uint32_t)x->guest->apf_ack, false, 1);
}

/* The guest's handler. */
static void handle(struct x86_vcpu *x, unsigned vector)
{
	struct x86_guest *g = x->guest;
	sw_guest_u32 *word = g->eoi_word ? sw_guest_writable(x->v->vm, g->eoi_word, sizeof(*word)) : NULL;

	g->interrupts++;
	g->vector = vector;
	if (g->apf_data && vector == g->apf_vector)
		page_ready(x);
	if (word && (*word & 1)) {
		*word &= ~1U;
		g->skipped++;
		x86_pv_eoi_look(x);
		return;
	}
	g->written++;
	/* the write is an exit, at which KVM looks for its offer first */
	x86_pv_eoi_look(x);
	if (x86_apic_hw(x))
		x86_apic_eoi(x);
}

unsigned x86_take_interrupts(struct x86_vcpu *x)
{
	unsigned taken = 0;
	int vector;

	while ((vector = pending(x)) >= 0 && taken < 256) {
		taken++;
		if (x->guest->external >= 0) {
			x->guest->external = -1;
			handle(x, (unsigned)vector);
			continue;
		}
		x86_apic_set_vector(x, APIC_REG_IRR, (unsigned)vector, false);
		x86_apic_set_vector(x, APIC_REG_ISR, (unsigned)vector, true);
		x->guest->last_isr = vector;
		x86_count_isr(x);
		x86_update_ppr(x);
		x86_pv_eoi_offer(x);
		handle(x, (unsigned)vector);
	}
	return taken;
}

/* Nobody moves any more: a timer that has been started ends. */
static void timer(struct x86_vcpu *x)
{
	uint32_t lvt = x86_apic_hw(x) ? x86_apic_reg(x, APIC_REG_LVTT) : APIC_LVT_MASKED;
	struct x86_irq irq = { .mode = DELIVER_FIXED, .vector = lvt & ICR_VECTOR };

	if (!(x->v->waited & SW_WAITED_TIME) || (lvt & APIC_LVT_MASKED))
		return;
	if (lvt & APIC_TIMER_DEADLINE ? !x->guest->deadline : !x86_apic_reg(x, APIC_REG_TMICT))
		return;
	if ((lvt & APIC_TIMER_DEADLINE) && x->guest->deadline > x86_tsc(x))
		x86_pass(x, x->guest->deadline - x86_tsc(x));
	x->guest->deadline = 0;
	if (!(lvt & APIC_TIMER_PERIODIC))
		x86_apic_put(x, APIC_REG_TMICT, 0);
	x86_accept(x, &irq);
}

enum sw_step x86_nmi(struct x86_vcpu *x, struct gcpu_guest_op *op)
{
	x->events.nmi.pending--;
	op->status = GCPU_GUEST_FAULT;
	op->fault = 2;
	return SW_DONE;
}

/* HLT: does something end it? */
static bool woken(struct x86_vcpu *x, bool interrupts)
{
	struct x86_guest *g = x->guest;

	timer(x);
	if ((interrupts && pending(x) >= 0) || x86_nmi_waits(x) || g->unhalted || g->kicked) {
		g->unhalted = g->kicked = false;
		return true;
	}
	/* one that is not KVM's business ends with any event of the host's */
	return (x->v->waited & SW_WAITED_LONG) && (x86_vm(x->v->vm)->exits_disabled >> EXIT_BIT_HLT & 1);
}

enum sw_step x86_halt(struct x86_vcpu *x, struct gcpu_guest_op *op, bool complete, bool interrupts)
{
	bool native = x86_vm(x->v->vm)->exits_disabled >> EXIT_BIT_HLT & 1;

	if (!x86_lapic(x) && !native && !complete) {
		x->v->run->exit_reason = GK_EXIT_HLT;
		return SW_EXIT;
	}
	if (!complete && !woken(x, interrupts)) {
		x->v->mp_state = x86_lapic(x) && !native ? GK_MP_STATE_HALTED : GK_MP_STATE_RUNNABLE;
		return SW_BLOCKED;
	}
	x->v->mp_state = GK_MP_STATE_RUNNABLE;
	if (x86_nmi_waits(x))
		return x86_nmi(x, op);
	if (interrupts) {
		op->res[0] = x86_take_interrupts(x);
		op->res[1] = x->guest->vector;
	}
	return SW_DONE;
}

enum sw_step x86_spin(struct x86_vcpu *x, struct gcpu_guest_op *op)
{
	const sw_guest_u32 *word = op->arg[1] ? sw_guest_memory(x->v->vm, op->arg[1], sizeof(*word)) : NULL;

	timer(x);
	x86_take_interrupts(x);
	op->res[1] = word && *word == (uint32_t)op->arg[2];
	if (!op->res[1] && !(x->v->waited & (word ? SW_WAITED_LONG : SW_WAITED_TIME)))
		return SW_BLOCKED;
	op->res[0] = 1;
	op->res[2] = op->res[1] ? 0 : op->arg[0];
	x86_pass(x, op->res[2]);
	return SW_DONE;
}

enum sw_step x86_swap(struct x86_vcpu *x, struct gcpu_guest_op *op)
{
	uint8_t *byte = sw_guest_writable(x->v->vm, op->arg[0], 1);

	if (!byte || (*byte != (uint8_t)op->arg[1] && !(x->v->waited & SW_WAITED_LONG)))
		return SW_BLOCKED;
	op->res[1] = *byte;
	op->res[0] = *byte == (uint8_t)op->arg[1];
	if (op->res[0])
		*byte = (uint8_t)op->arg[2];
	else
		x86_pass(x, op->arg[3]);
	return SW_DONE;
}

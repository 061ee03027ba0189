/* SPDX-License-Identifier: MIT */
/* Control registers and segments: what they are at first, and what they may hold together. */
#include "msr.h"

#include <string.h>

#define CR0_DEFINED (0x3fU | BIT(16) | BIT(18) | CR0_NW | CR0_CD | CR0_PG)
#define CR3_PCID 0xfffU
#define CR3_LAM (BIT(61) | BIT(62))
#define CR8_VALID 0xfU

/* Of one register: bits that KVM has, and that the guest's table gives, too, if ITS. */
static uint64_t may(const struct x86_vcpu *x, unsigned control, bool its)
{
	const struct gcpu_model *m = x86_model(x);
	uint64_t bits = 0;

	for (unsigned i = 0; i < gcpu_facts_x86.n_controls; i++) {
		const struct control_fact *c = &gcpu_facts_x86.controls[i];
		bool has = !c->n_needs;

		if (c->control != control || m->release < c->since || !x86_is_hosts(m, c->who))
			continue;
		for (unsigned n = 0; n < c->n_needs && !has; n++)
			has = x86_kvm_has(m, c->needs[n]) && (!its || c->kvm_alone || x86_guest_has(x, c->needs[n]));
		bits |= has ? c->mask : 0;
	}
	return bits;
}

static uint64_t cr4_reserved(const struct x86_vcpu *x)
{
	bool judged = x->table || sw_behaves(x86_model(x), BEHAVIOUR_EMPTY_TABLE_COUNTS);

	return ~may(x, CONTROL_CR4, judged);
}

uint64_t x86_efer_bits(const struct x86_vcpu *x, bool host)
{
	uint64_t bits = may(x, CONTROL_EFER, !host);

	/* a host that says that bit 13 must be 0 */
	return x86_kvm_has(x86_model(x), X86_F_NO_EFER_LMSLE) ? bits & ~BIT(13) : bits;
}

static bool legal_cr3(const struct x86_vcpu *x, uint64_t cr3)
{
	unsigned bits = x86_phys_bits(x);

	if (x86_guest_has(x, X86_F_LAM))
		cr3 &= ~CR3_LAM;
	return bits >= 64 || !(cr3 >> bits);
}

static bool valid_cr0(uint64_t cr0)
{
	return !(cr0 >> 32) && (!(cr0 & CR0_NW) || (cr0 & CR0_CD)) && (!(cr0 & CR0_PG) || (cr0 & CR0_PE));
}

static bool valid(const struct x86_vcpu *x, const struct gk_x86_sregs2 *s)
{
	const struct gcpu_model *m = x86_model(x);

	if ((s->efer & EFER_LME) && (s->cr0 & CR0_PG)) {
		if (!(s->cr4 & CR4_PAE) || !(s->efer & EFER_LMA) || !legal_cr3(x, s->cr3))
			return false;
	} else if ((s->efer & EFER_LMA) || s->cs.l) {
		return false;
	}
	if ((s->cr4 & cr4_reserved(x)) || !valid_cr0(s->cr0))
		return false;
	return !sw_behaves(m, BEHAVIOUR_SREGS_EFER_JUDGED) ||
	       !(s->efer & ~x86_efer_bits(x, false));
}

/* Segments as they read back: each maker's CPUs keep something else of them. */
static void settle(const struct gcpu_model *m, struct gk_x86_segment *s, char which)
{
	bool there = s->present && !s->unusable;

	if (sw_behaves(m, BEHAVIOUR_SEGMENTS_KEPT))
		return;
	s->dpl &= 3;
	s->db &= 1;
	s->s &= 1;
	s->l &= 1;
	s->avl &= 1;
	s->type &= 0xf;
	s->present = there;
	s->unusable = !there;
	s->padding = 0;
	if (!x86_is_hosts(m, MSR_AMD)) {
		s->g &= 1;
		return;
	}
	s->g = s->limit > 0xfffff;
	if (which == 't')
		s->type |= 2;
	if (which == 'd' && there)
		s->type |= 1;
	if (which == 's' && !there)
		s->db = 0;
}

static void settle_all(const struct gcpu_model *m, struct gk_x86_sregs2 *s)
{
	settle(m, &s->cs, 'c');
	settle(m, &s->ds, 'd');
	settle(m, &s->es, 'd');
	settle(m, &s->fs, 'd');
	settle(m, &s->gs, 'd');
	settle(m, &s->ss, 's');
	settle(m, &s->tr, 't');
	settle(m, &s->ldt, 'l');
	memset(s->gdt.padding, 0, sizeof(s->gdt.padding));
	memset(s->idt.padding, 0, sizeof(s->idt.padding));
}

static int take(struct x86_vcpu *x, const struct gk_x86_sregs2 *s)
{
	struct gk_x86_sregs2 was = x->sregs;

	if (!valid(x, s) || x86_set_apic_base(x, s->apic_base, true))
		return -EINVAL;
	was.apic_base = x->sregs.apic_base;
	x->sregs = *s;
	x->sregs.apic_base = was.apic_base;
	x->sregs.flags = 0;
	if (sw_behaves(x86_model(x), BEHAVIOUR_PAGING_IS_LONG) && !(s->efer & EFER_LMA))
		x->sregs.cr0 &= ~CR0_PG;
	settle_all(x86_model(x), &x->sregs);
	/* a value that CR8 cannot have leaves it as it is */
	if (s->cr8 & ~(uint64_t)CR8_VALID)
		x->sregs.cr8 = was.cr8;
	else
		x86_set_cr8(x, s->cr8);
	/* a VMM that resets its boot CPU like this need not wake it */
	if ((x->sregs.apic_base & APIC_BASE_BOOT) && x->regs.rip == RIP_RESET && s->cs.selector == CS_RESET &&
	    s->cs.base == CS_BASE_RESET && !(s->cr0 & CR0_PE))
		x->v->mp_state = GK_MP_STATE_RUNNABLE;
	if ((was.cr4 ^ s->cr4) & (CR4_OSXSAVE | CR4_PKE))
		x86_runtime(x);
	return 0;
}

int x86_get_sregs(void *object, uintptr_t arg)
{
	unsigned at = x86_vcpu(object)->events.interrupt.nr;
	struct gk_x86_sregs s;

	memcpy(&s, &x86_vcpu(object)->sregs, sizeof(s));
	memset(s.interrupt_bitmap, 0, sizeof(s.interrupt_bitmap));
	if (x86_vcpu(object)->events.interrupt.injected && !x86_vcpu(object)->events.interrupt.soft)
		s.interrupt_bitmap[at >> 6] |= 1ULL << (at & 63);
	return sw_copy_out(arg, &s, sizeof(s));
}

/* The first that there is is injected at the next entry. */
static void queue(struct x86_vcpu *x, const uint64_t bitmap[4])
{
	for (unsigned i = 0; i < 256; i++) {
		if (!(bitmap[i >> 6] >> (i & 63) & 1))
			continue;
		x->events.interrupt.injected = 1;
		x->events.interrupt.soft = 0;
		x->events.interrupt.nr = (uint8_t)i;
		return;
	}
}

int x86_set_sregs(void *object, uintptr_t arg)
{
	struct gk_x86_sregs2 s = x86_vcpu(object)->sregs;
	struct gk_x86_sregs old;

	/* the same up to what differs at the end */
	if (sw_copy_in(&old, arg, sizeof(old)))
		return -EFAULT;
	memcpy(&s, &old, offsetof(struct gk_x86_sregs, interrupt_bitmap));
	memset(s.pdptrs, 0, sizeof(s.pdptrs));
	if (take(x86_vcpu(object), &s))
		return -EINVAL;
	queue(x86_vcpu(object), old.interrupt_bitmap);
	return 0;
}

static bool pae(const struct gk_x86_sregs2 *s)
{
	return (s->cr0 & CR0_PG) && (s->cr4 & CR4_PAE) && !(s->efer & EFER_LMA);
}

int x86_get_sregs2(void *object, uintptr_t arg)
{
	struct gk_x86_sregs2 s = x86_vcpu(object)->sregs;

	s.flags = pae(&s) ? GK_SREGS2_FLAGS_PDPTRS_VALID : 0;
	return sw_copy_out(arg, &s, sizeof(s));
}

int x86_set_sregs2(void *object, uintptr_t arg)
{
	struct gk_x86_sregs2 s;

	if (sw_copy_in(&s, arg, sizeof(s)))
		return -EFAULT;
	if ((s.flags & ~(uint64_t)GK_SREGS2_FLAGS_PDPTRS_VALID) || (s.flags && !pae(&s)))
		return -EINVAL;
	if (!s.flags)
		memset(s.pdptrs, 0, sizeof(s.pdptrs));
	return take(x86_vcpu(object), &s);
}

static struct gk_x86_segment segment(uint8_t type, uint8_t s)
{
	return (struct gk_x86_segment){ .limit = 0xffff, .type = type, .present = 1, .s = s };
}

/* All but the base of its APIC, which INIT leaves alone. */
void x86_sregs_reset(struct x86_vcpu *x)
{
	bool amd = x86_is_hosts(x86_model(x), MSR_AMD);
	struct gk_x86_sregs2 *s = &x->sregs;

	*s = (struct gk_x86_sregs2){ .apic_base = s->apic_base };
	s->cr0 = CR0_CD | CR0_NW | CR0_ET;
	/* on AMD's CPUs the accessed bit is KVM's own addition, and not made for all of them */
	s->cs = segment(amd ? 0xa : 0xb, 1);
	s->cs.selector = CS_RESET;
	s->cs.base = CS_BASE_RESET;
	s->ds = s->es = s->fs = s->gs = segment(3, 1);
	s->ss = segment(amd ? 2 : 3, 1);
	s->tr = segment(amd ? 3 : 0xb, 0);
	s->ldt = segment(2, 0);
	s->gdt.limit = s->idt.limit = 0xffff;
}

/* The guest's own writes. */

static int write_cr0(struct x86_vcpu *x, uint64_t cr0)
{
	struct gk_x86_sregs2 *s = &x->sregs;
	bool was = s->cr0 & CR0_PG, on = cr0 & CR0_PG;

	if (!valid_cr0(cr0))
		return -EINVAL;
	cr0 = (cr0 | CR0_ET) & CR0_DEFINED;
	if ((s->efer & EFER_LME) && !was && on && (!(s->cr4 & CR4_PAE) || s->cs.l))
		return -EINVAL;
	if (!on && (((s->efer & EFER_LMA) && s->cs.l) || (s->cr4 & CR4_PCIDE)))
		return -EINVAL;
	if (!(cr0 & CR0_WP) && (s->cr4 & CR4_CET))
		return -EINVAL;
	if ((s->efer & EFER_LME) && was != on)
		s->efer = on ? s->efer | EFER_LMA : s->efer & ~EFER_LMA;
	s->cr0 = cr0;
	return 0;
}

static int write_cr4(struct x86_vcpu *x, uint64_t cr4)
{
	struct gk_x86_sregs2 *s = &x->sregs;
	bool is_long = s->efer & EFER_LMA;
	uint64_t changed;

	if (cr4 & cr4_reserved(x))
		return -EINVAL;
	if (is_long && (!(cr4 & CR4_PAE) || ((cr4 ^ s->cr4) & CR4_LA57)))
		return -EINVAL;
	if ((cr4 & CR4_PCIDE) && !(s->cr4 & CR4_PCIDE) && ((s->cr3 & CR3_PCID) || !is_long))
		return -EINVAL;
	if ((cr4 & CR4_CET) && !(s->cr0 & CR0_WP))
		return -EINVAL;
	changed = s->cr4 ^ cr4;
	s->cr4 = cr4;
	if (changed & (CR4_OSXSAVE | CR4_PKE))
		x86_runtime(x);
	return 0;
}

int x86_write_cr(struct x86_vcpu *x, unsigned number, uint64_t value)
{
	if (number == 0)
		return write_cr0(x, value);
	if (number == 4)
		return write_cr4(x, value);
	if (value & ~(uint64_t)CR8_VALID)
		return -EINVAL;
	x86_set_cr8(x, value);
	return 0;
}

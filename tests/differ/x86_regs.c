/* SPDX-License-Identifier: MIT */
/* Registers of vCPUs: what a VMM sets and reads. */
#include "x86.h"

#include <inttypes.h>
#include <string.h>

#define CR0_PG (1ULL << 31)
#define CR4_PAE (1ULL << 5)
#define EFER_LMA (1ULL << 10)
#define EFER_LONG 0x500ULL
#define EFER_SAFE 0x801ULL /* SCE, NXE */
/* CR4 with which the guest's code runs: VME PVI TSD DE PSE MCE PGE PCE OSFXSR OSXMMEXCPT UMIP FSGSBASE OSXSAVE SMEP PKE */
#define CR4_SAFE 0x550fdfULL
#define LAPIC_ID 0x20U
#define LAPIC_TIMER_COUNT 0x380U

enum register_of { R_CR0, R_CR2, R_CR3, R_CR4, R_CR8, R_EFER, R_APIC_BASE, R_INTERRUPT, R_CS_ATTRIBUTES, REGISTERS };
static const char *const names[] = { "cr0", "cr2", "cr3", "cr4", "cr8", "efer", "apic_base", "interrupt", "cs" };

/* Items: which, bits to flip, and 1 if the value stands for itself. */
void make_sregs(struct maker *m, struct step *s)
{
	static const uint8_t often[] = { R_CR4, R_CR4, R_CR4, R_CR4, R_APIC_BASE, R_APIC_BASE, R_CR0, R_EFER, R_EFER, R_CR8, R_CR3,
					 R_CR2, R_INTERRUPT, R_CS_ATTRIBUTES };

	s->n = 1 + below(&m->r, 4);
	for (unsigned i = 0; i < s->n; i++) {
		struct item *e = &s->item[i];

		e->part[0] = often[below(&m->r, COUNT(often))];
		switch (e->part[0]) {
		case R_CR4:
			e->part[1] = 1ULL << below(&m->r, chance(&m->r, 90) ? 26 : 64);
			break;
		case R_APIC_BASE:
			e->part[1] = chance(&m->r, 80) ? 1ULL << (8 + below(&m->r, 4)) : odd_number(&m->r);
			break;
		case R_CR0:
			e->part[1] = chance(&m->r, 30) ? 1U : chance(&m->r, 40) ? CR0_PG | 1U : 1ULL << below(&m->r, 64);
			break;
		case R_EFER:
			e->part[1] = chance(&m->r, 30) ? EFER_LONG : 1ULL << below(&m->r, chance(&m->r, 80) ? 18 : 64);
			break;
		default:
			e->part[1] = odd_number(&m->r);
			break;
		}
	}
	s->arg[3] = chance(&m->r, 1);
}

static void flip(struct gk_x86_sregs2 *r, const struct item *e)
{
	switch (e->part[0]) {
	case R_CR0:
		r->cr0 ^= e->part[1];
		break;
	case R_CR2:
		r->cr2 = e->part[1];
		break;
	case R_CR3:
		r->cr3 = e->part[1];
		break;
	case R_CR4:
		r->cr4 ^= e->part[1];
		break;
	case R_CR8:
		r->cr8 = e->part[1];
		break;
	case R_EFER:
		r->efer ^= e->part[1];
		break;
	case R_APIC_BASE:
		r->apic_base ^= e->part[1];
		break;
	case R_CS_ATTRIBUTES:
		r->cs.l = e->part[1] & 1;
		r->cs.db = e->part[1] >> 1 & 1;
		break;
	default:
		break;
	}
}

static void say_segment(struct answer *a, unsigned number, const struct gk_x86_segment *s)
{
	say(a, "segment %x base", number, 0, s->base);
	say(a, "segment %x limit", number, 0, s->limit);
	say(a, "segment %x selector", number, 0, s->selector);
	say(a, "segment %x attributes", number, 0,
	    s->type | (uint64_t)s->present << 8 | (uint64_t)s->dpl << 16 | (uint64_t)s->db << 24 | (uint64_t)s->s << 28 |
		    (uint64_t)s->l << 32 | (uint64_t)s->g << 36 | (uint64_t)s->avl << 40 | (uint64_t)s->unusable << 44);
}

static void say_sregs(struct answer *a, const struct gk_x86_sregs2 *r, bool ran)
{
	const struct gk_x86_segment *segments = &r->cs;

	say(a, "cr0", 0, 0, r->cr0);
	if (!ran)
		say(a, "cr2", 0, 0, r->cr2);
	say(a, "cr3", 0, 0, r->cr3);
	say(a, "cr4", 0, 0, r->cr4);
	say(a, "cr8", 0, 0, r->cr8);
	say(a, "efer", 0, 0, r->efer);
	say(a, "apic_base", 0, 0, r->apic_base);
	/* see the exclusions */
	if (ran)
		return;
	for (unsigned i = 0; i < 8; i++)
		say_segment(a, i, &segments[i]);
	say(a, "gdt base", 0, 0, r->gdt.base);
	say(a, "gdt limit", 0, 0, r->gdt.limit);
	say(a, "idt base", 0, 0, r->idt.base);
	say(a, "idt limit", 0, 0, r->idt.limit);
}

/* The old form is the new one up to what is behind the APIC's base. */
static int get_old(struct side *w, int fd, struct gk_x86_sregs2 *r, uint64_t bitmap[4])
{
	struct gk_x86_sregs s;
	int status;

	memset(&s, 0, sizeof(s));
	status = ask(w, fd, GK_GET_SREGS, &s);
	memset(r, 0, sizeof(*r));
	memcpy(r, &s, offsetof(struct gk_x86_sregs, interrupt_bitmap));
	memcpy(bitmap, s.interrupt_bitmap, sizeof(s.interrupt_bitmap));
	return status;
}

static int set_old(struct side *w, int fd, const struct gk_x86_sregs2 *r, const uint64_t bitmap[4])
{
	struct gk_x86_sregs s;

	memset(&s, 0, sizeof(s));
	memcpy(&s, r, offsetof(struct gk_x86_sregs, interrupt_bitmap));
	memcpy(s.interrupt_bitmap, bitmap, sizeof(s.interrupt_bitmap));
	return ask(w, fd, GK_SET_SREGS, &s);
}

/* What a vCPU's keep[] has. */
enum { KEEP_CR0, KEEP_CR3, KEEP_SPOILT, KEEP_CS };

/* See the exclusions: no guest of such a KVM gets to run any more. */
static void note_paging(struct side *w, unsigned v, const struct gk_x86_sregs2 *r)
{
	if ((r->cr0 & CR0_PG) && !(r->efer & EFER_LMA) && overrides(w->d->host))
		w->keep[v][KEEP_SPOILT] = 1;
}

static void read_back(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_x86_sregs2 r;
	uint64_t bitmap[4];

	say(a, "read back", 0, 0, (uint64_t)(int64_t)get_old(w, vcpu_of(w, s), &r, bitmap));
	say_sregs(a, &r, w->keep[vcpu_number(w, s)][KEEP_CR0]);
	for (unsigned i = 0; i < 4; i++)
		say(a, "interrupt bitmap %x", i, 0, bitmap[i]);
}

void run_set_sregs(struct side *w, const struct step *s, struct answer *a)
{
	int fd = vcpu_of(w, s);
	struct gk_x86_sregs2 r;
	uint64_t bitmap[4];

	a->status = get_old(w, fd, &r, bitmap);
	for (unsigned i = 0; i < s->n; i++) {
		flip(&r, &s->item[i]);
		if (s->item[i].part[0] == R_INTERRUPT)
			bitmap[s->item[i].part[1] >> 6 & 3] |= 1ULL << (s->item[i].part[1] & 63);
	}
	if (a->status < 0)
		return;
	a->status = s->arg[3] == 1 ? ask_number(w, fd, GK_SET_SREGS, NOWHERE) : set_old(w, fd, &r, bitmap);
	w->disturbed[vcpu_number(w, s)] = true;
	note_paging(w, vcpu_number(w, s), &r);
	read_back(w, s, a);
}

void run_set_sregs2(struct side *w, const struct step *s, struct answer *a)
{
	int fd = vcpu_of(w, s);
	struct gk_x86_sregs2 r;

	memset(&r, 0, sizeof(r));
	a->status = ask(w, fd, GK_GET_SREGS2, &r);
	if (a->status < 0)
		return;
	say(a, "flags", 0, 0, r.flags);
	for (unsigned i = 0; i < s->n; i++)
		flip(&r, &s->item[i]);
	a->status = ask_or_nowhere(w, fd, GK_SET_SREGS2, s, &r);
	w->disturbed[vcpu_number(w, s)] = true;
	note_paging(w, vcpu_number(w, s), &r);
	read_back(w, s, a);
}

void run_get_sregs(struct side *w, const struct step *s, struct answer *a)
{
	read_back(w, s, a);
}

void print_sregs(FILE *to, const struct step *s)
{
	for (unsigned i = 0; i < s->n; i++)
		fprintf(to, " %s%s%#" PRIx64, s->item[i].part[0] < REGISTERS ? names[s->item[i].part[0]] : "?",
			s->item[i].part[0] == R_CR3 || s->item[i].part[0] == R_CR8 || s->item[i].part[0] == R_CR2 ? "=" : "^",
			s->item[i].part[1]);
	if (s->arg[3])
		fputs(", a bad pointer", to);
}

int x86_settle(struct side *w, unsigned v)
{
	const struct gk_mp_state runs = { GK_MP_STATE_RUNNABLE };
	struct gk_x86_sregs2 r;
	uint64_t bitmap[4];
	int status;

	if (!w->keep[v][KEEP_CR0])
		return 0; /* it begins anyway */
	status = get_old(w, w->vcpu[v], &r, bitmap);
	if (status < 0)
		return status;
	r.cr0 = w->keep[v][KEEP_CR0];
	r.cr3 = w->keep[v][KEEP_CR3];
	r.cr4 = (r.cr4 & CR4_SAFE) | CR4_PAE;
	r.efer = (r.efer & EFER_SAFE) | EFER_LONG;
	r.cs.l = 1;
	r.cs.db = 0;
	memset(bitmap, 0, sizeof(bitmap));
	status = set_old(w, w->vcpu[v], &r, bitmap);
	return status ? status : ask(w, w->vcpu[v], GK_SET_MP_STATE, &runs);
}

bool x86_awake(struct side *w, unsigned v)
{
	struct gk_mp_state mp = { 0 };
	struct gk_x86_sregs2 r;
	uint64_t bitmap[4];

	/* an interrupt that is to be injected would take its code away */
	if (w->keep[v][KEEP_SPOILT] || get_old(w, w->vcpu[v], &r, bitmap) || bitmap[0] || bitmap[1] || bitmap[2] || bitmap[3])
		return false;
	/* nor has it any after a SIPI, which leaves the rest as it was */
	if (w->keep[v][KEEP_CR0] && w->keep[v][KEEP_CS] != r.cs.selector)
		return false;
	/* the first list makes it run, whatever it was; later an INIT has taken its registers */
	return !w->keep[v][KEEP_CR0] || w->disturbed[v] ||
	       (ask(w, w->vcpu[v], GK_GET_MP_STATE, &mp) == 0 && mp.mp_state == GK_MP_STATE_RUNNABLE &&
		(r.cr0 & CR0_PG));
}

void x86_settled(struct side *w, unsigned v)
{
	struct gk_x86_sregs2 r;
	uint64_t bitmap[4];

	if (w->keep[v][KEEP_CR0] || get_old(w, w->vcpu[v], &r, bitmap) < 0)
		return;
	w->keep[v][KEEP_CR0] = r.cr0;
	w->keep[v][KEEP_CR3] = r.cr3;
	w->keep[v][KEEP_CS] = r.cs.selector;
}

/* arg0 nr_xcrs instead + 1, arg1 flags. Items: which, value. */
void make_xcrs(struct maker *m, struct step *s)
{
	s->n = 1 + (chance(&m->r, 20) ? below(&m->r, 3) : 0);
	for (unsigned i = 0; i < s->n; i++) {
		s->item[i].part[0] = chance(&m->r, 90) ? 0 : below(&m->r, 3);
		s->item[i].part[1] = chance(&m->r, 70) ? 1 | below(&m->r, 8) | (chance(&m->r, 30) ? 0x200 : 0) :
							 odd_number(&m->r);
	}
	s->arg[0] = chance(&m->r, 5) ? 1 + below(&m->r, 20) : 0;
	s->arg[1] = chance(&m->r, 3) ? odd_number(&m->r) & 0xffffffff : 0;
	s->arg[3] = chance(&m->r, 2);
}

static void say_xcrs(struct side *w, int fd, struct answer *a)
{
	struct gk_xcrs x;

	memset(&x, 0, sizeof(x));
	say(a, "read back", 0, 0, (uint64_t)(int64_t)ask(w, fd, GK_GET_XCRS, &x));
	say(a, "XCRs", 0, 0, x.nr_xcrs);
	say(a, "flags", 0, 0, x.flags);
	say(a, "XCR %x", x.xcrs[0].xcr, 0, x.xcrs[0].value);
}

void run_set_xcrs(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_xcrs x;

	memset(&x, 0, sizeof(x));
	x.nr_xcrs = s->arg[0] ? (uint32_t)s->arg[0] - 1 : s->n;
	x.flags = (uint32_t)s->arg[1];
	for (unsigned i = 0; i < s->n; i++) {
		x.xcrs[i].xcr = (uint32_t)s->item[i].part[0];
		x.xcrs[i].value = s->item[i].part[1];
	}
	a->status = ask_or_nowhere(w, vcpu_of(w, s), GK_SET_XCRS, s, &x);
	say_xcrs(w, vcpu_of(w, s), a);
}

void run_get_xcrs(struct side *w, const struct step *s, struct answer *a)
{
	say_xcrs(w, vcpu_of(w, s), a);
}

/* Items: offset of a register, bits to flip. */
void make_lapic(struct maker *m, struct step *s)
{
	static const uint16_t often[] = { LAPIC_ID, LAPIC_ID, 0x30, 0x80, 0xd0, 0xe0, 0xf0, 0xf0, 0x100, 0x110, 0x180, 0x200,
					  0x280, 0x300, 0x310, 0x320, 0x350, 0x360, 0x370, 0x3e0 };

	s->n = 1 + below(&m->r, 3);
	for (unsigned i = 0; i < s->n; i++) {
		struct item *e = &s->item[i];

		e->part[0] = often[below(&m->r, COUNT(often))];
		e->part[1] = e->part[0] == LAPIC_ID ? (uint64_t)below(&m->r, 4) << 24 | below(&m->r, 4) :
			     e->part[0] == 0xf0	    ? 1U << 8 :
						      odd_number(&m->r) & 0xffffffff;
	}
	s->arg[3] = chance(&m->r, 2);
}

static void say_lapic(struct side *w, int fd, struct answer *a)
{
	struct gk_lapic_state l;
	int status;

	memset(&l, 0, sizeof(l));
	status = ask(w, fd, GK_GET_LAPIC, &l);
	say(a, "read back", 0, 0, (uint64_t)(int64_t)status);
	for (unsigned at = 0; status >= 0 && at < sizeof(l.regs); at += 16) {
		uint32_t v;

		memcpy(&v, l.regs + at, sizeof(v));
		say(a, "APIC %x", at, 0, v);
	}
}

void run_get_lapic(struct side *w, const struct step *s, struct answer *a)
{
	say_lapic(w, vcpu_of(w, s), a);
}

void run_set_lapic(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_lapic_state l;

	memset(&l, 0, sizeof(l));
	a->status = ask(w, vcpu_of(w, s), GK_GET_LAPIC, &l);
	for (unsigned i = 0; i < s->n && a->status >= 0; i++) {
		unsigned at = (unsigned)s->item[i].part[0] & 0x3f0;
		uint32_t v;

		memcpy(&v, l.regs + at, sizeof(v));
		v ^= (uint32_t)s->item[i].part[1];
		if (at != LAPIC_TIMER_COUNT)
			memcpy(l.regs + at, &v, sizeof(v));
	}
	/* where there is none, that is asked too */
	a->status = ask_or_nowhere(w, vcpu_of(w, s), GK_SET_LAPIC, s, &l);
	say_lapic(w, vcpu_of(w, s), a);
}

void make_mp_state(struct maker *m, struct step *s)
{
	s->arg[0] = chance(&m->r, 50) ? 0 : below(&m->r, 12);
	s->arg[3] = chance(&m->r, 2);
}

void make_tsc_khz(struct maker *m, struct step *s)
{
	uint64_t khz = m->host->tsc_khz;

	switch (below(&m->r, 6)) {
	case 0:
		s->arg[0] = 0;
		break;
	case 1:
		s->arg[0] = khz;
		break;
	case 2:
		s->arg[0] = khz / 2;
		break;
	case 3:
		s->arg[0] = 2 * khz;
		break;
	case 4:
		s->arg[0] = khz + below(&m->r, 1000);
		break;
	default:
		s->arg[0] = odd_number(&m->r) & ~0x80000000ULL; /* of which KVM_GET_TSC_KHZ makes an error */
		break;
	}
}

void run_vcpu_tsc_khz(struct side *w, const struct step *s, struct answer *a)
{
	a->status = ask_number(w, vcpu_of(w, s), GK_SET_TSC_KHZ, s->arg[0]);
	say(a, "kHz", 0, 0, (uint64_t)(int64_t)ask_number(w, vcpu_of(w, s), GK_GET_TSC_KHZ, 0));
}

/* SPDX-License-Identifier: MIT */
/*
 * Registers of an x86 vCPU that starts in long mode, or as a 32-bit guest: the
 * same on a real VM and on a model of one, whatever this machine is.
 *
 * Tables from the guest's base + GUEST_TABLES: PML4, PDPT, five page directories,
 * GDT, IDT, one page each.
 */
#include "guest_priv.h"

#include <string.h>

#include "../kvm/abi_x86.h"
#include "boot_x86.h"

#define GDT_LIMIT (GUEST_X86_SEL_CODE32 + 7)
#define CR0_BITS 0x80010033ULL /* PG WP NE ET MP PE */
#define CR4_BITS 0x20ULL       /* PAE; not OSXSAVE, new kernels refuse it before CPUID */
#define EFER_BITS 0x500ULL     /* LMA LME */
#define CR0_BITS32 0x33ULL     /* without PG and WP */
#define RFLAGS_BITS 2ULL

static struct gk_x86_segment segment(uint16_t selector, uint8_t type, int code)
{
	struct gk_x86_segment s = {
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
		.l = code ? 1 : 0,
		.db = code ? 0 : 1,
	};

	return s;
}

/* All but what differs with the mode. */
static int get_sregs(struct run_vcpu *v, struct gk_x86_sregs *s)
{
	int r;

	/* The APIC's base is to stay what it is. */
	r = run_ioctl(v->guest, v->fd, GK_GET_SREGS, s);
	if (r < 0)
		return r;
	s->ds = segment(GUEST_X86_SEL_DATA, 3, 0);
	s->es = s->fs = s->gs = s->ss = s->ds;
	memset(&s->tr, 0, sizeof(s->tr));
	s->tr.base = run_area_address(v->guest, v->index) + GUEST_AREA_TSS;
	s->tr.limit = 0x67;
	s->tr.selector = GUEST_X86_SEL_TSS;
	s->tr.type = 11;
	s->tr.present = 1;
	memset(&s->ldt, 0, sizeof(s->ldt));
	s->ldt.type = 2;
	s->ldt.unusable = 1;
	s->gdt = (struct gk_x86_dtable){.base = GDT, .limit = GDT_LIMIT};
	s->cr2 = s->cr3 = s->cr4 = s->cr8 = 0;
	memset(s->interrupt_bitmap, 0, sizeof(s->interrupt_bitmap));
	return 0;
}

static int set_sregs(struct run_vcpu *v)
{
	struct gk_x86_sregs s = {.cr0 = 0};
	int r = get_sregs(v, &s);

	if (r < 0)
		return r;
	s.cs = segment(GUEST_X86_SEL_CODE, 11, 1);
	s.idt = (struct gk_x86_dtable){.base = IDT, .limit = 256 * 16 - 1};
	s.cr0 = CR0_BITS;
	s.cr3 = PML4;
	s.cr4 = CR4_BITS;
	s.efer = EFER_BITS;
	return run_ioctl(v->guest, v->fd, GK_SET_SREGS, &s);
}

static int set_sregs32(struct run_vcpu *v)
{
	struct gk_x86_sregs s = {.cr0 = 0};
	int r = get_sregs(v, &s);

	if (r < 0)
		return r;
	s.cs = segment(GUEST_X86_SEL_CODE32, 11, 0);
	s.idt = (struct gk_x86_dtable){.base = 0};
	s.cr0 = CR0_BITS32;
	s.efer = 0;
	return run_ioctl(v->guest, v->fd, GK_SET_SREGS, &s);
}

static int set_state(struct run_vcpu *v, int (*sregs)(struct run_vcpu *v), const struct gk_x86_regs *regs,
		     struct gcpu_error *err)
{
	/* All but the first wait for a SIPI if the APIC is in the kernel. */
	const struct gk_mp_state mp = {.mp_state = GK_MP_STATE_RUNNABLE};
	const char *what = "KVM_SET_MP_STATE";
	int r;

	r = run_ioctl(v->guest, v->fd, GK_SET_MP_STATE, &mp);
	if (r >= 0) {
		what = sregs == set_sregs ? "KVM_SET_SREGS into 64-bit mode" : "KVM_SET_SREGS";
		r = sregs(v);
	}
	if (r >= 0) {
		what = "KVM_SET_REGS";
		r = run_ioctl(v->guest, v->fd, GK_SET_REGS, regs);
	}
	if (r < 0)
		return run_fail(err, GCPU_ERR_KVM, -r, "vCPU %u: %s: %s", v->index, what, strerror(-r));
	return 0;
}

int run_x86_boot(struct run_vcpu *v, uint64_t entry, struct gcpu_error *err)
{
	const uint64_t area = run_area_address(v->guest, v->index);
	const struct gk_x86_regs regs = {
		.rip = entry,
		.rflags = RFLAGS_BITS,
		.rdi = area,
		.rsp = area + GUEST_AREA_STACK - 16,
	};

	return set_state(v, set_sregs, &regs, err);
}

int run_x86_boot32(struct run_vcpu *v, const struct gk_x86_regs *regs, struct gcpu_error *err)
{
	struct gk_x86_regs r = *regs;

	r.rflags |= RFLAGS_BITS;
	return set_state(v, set_sregs32, &r, err);
}

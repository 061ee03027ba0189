/* SPDX-License-Identifier: MIT */
/* XCR0, and the state that XSAVE saves: which components there are, their area, the FPU in it. */
#include "x86.h"

#include "arch/x86/x86.h"

#include <stdlib.h>
#include <string.h>

#define LEGACY 3U
#define X87 BIT(0)
#define SSE BIT(1)
#define YMM BIT(2)
#define BOUNDS (BIT(3) | BIT(4))
#define AVX512 (BIT(5) | BIT(6) | BIT(7))
#define TILE (BIT(X86_XTILECFG) | BIT(X86_XTILEDATA))
#define FCW_RESET 0x37fU
#define MXCSR_RESET 0x1f80U
#define MXCSR_VALID 0xffffU
#define AREA_MOST 65536U /* several times what any CPU has: a snapshot may say anything */

/* Places in the area. */
enum { FX_FSW = 2, FX_FTW = 4, FX_FOP = 6, FX_IP = 8, FX_DP = 16, FX_MXCSR = 24, FX_MASK = 28, FX_ST = 32, FX_XMM = 160,
       FX_SOFTWARE = 464, HEADER = 512, HEADER_COMPACT = 520, HEADER_RESERVED = 528, HEADER_END = 576 };

static uint64_t low_high(const struct gcpu_model *m, uint32_t subleaf, unsigned low)
{
	const struct snap_cpuid *e = snapshot_cpuid(m->host, SNAP_SUPPORTED, LEAF_SAVE_AREA, subleaf);

	return e ? e->regs[low] | (uint64_t)e->regs[3] << 32 : 0;
}

uint64_t x86_dynamic(const struct gcpu_model *m)
{
	return BIT(X86_XTILEDATA) & m->host->xcomp_supported;
}

uint64_t x86_tiles(const struct gcpu_model *m)
{
	return x86_dynamic(m) ? TILE : 0;
}

/* Components that this process may not use. */
static uint64_t withheld(const struct gcpu_model *m)
{
	return x86_dynamic(m) & ~m->permitted ? TILE : 0;
}

uint64_t x86_kvm_xcr0(const struct gcpu_model *m)
{
	uint64_t all = low_high(m, 0, 0) | (m->host->has_xcomp ? m->host->xcomp_supported & TILE : 0);

	return all & ~withheld(m);
}

uint64_t x86_kvm_xss(const struct gcpu_model *m)
{
	return low_high(m, 1, 2);
}

uint32_t x86_xsave_size(const struct gcpu_model *m)
{
	uint32_t size = x86_area_size(m, x86_kvm_xcr0(m), false);

	size = size > AREA_MOST ? AREA_MOST : size;
	return size > sizeof(struct gk_xsave) ? size : sizeof(struct gk_xsave);
}

void x86_save_area(const struct gcpu_model *m, struct snap_cpuid *e, bool both)
{
	uint64_t xcr0 = low_high(m, 0, 0) & ~(both ? TILE : BIT(X86_XTILEDATA));

	if (e->subleaf == 0) {
		e->regs[0] = (uint32_t)xcr0;
		e->regs[1] = e->regs[2] = x86_area_size(m, xcr0, false);
	} else if (e->regs[1]) {
		e->regs[1] = x86_area_size(m, xcr0 | x86_kvm_xss(m), true);
	}
}

/* The kernel uses XSAVE: also where KVM offers it to no guest, as the CPU's own CPUID tells. */
static bool kvm_saves(const struct gcpu_model *m)
{
	return x86_kvm_has(m, X86_F_XSAVE) || (!m->host->computed && x86_host_has(m, X86_F_OSXSAVE));
}

static int set_xcr0(struct x86_vcpu *x, uint64_t value)
{
	uint64_t changed;

	if (!(value & X87) || ((value & YMM) && !(value & SSE)))
		return -EINVAL;
	if (value & ~(x86_guest_xcr0(x) | X87))
		return -EINVAL;
	if ((value & BOUNDS) && (value & BOUNDS) != BOUNDS)
		return -EINVAL;
	if ((value & AVX512) && (!(value & YMM) || (value & AVX512) != AVX512))
		return -EINVAL;
	if ((value & TILE) && (value & TILE) != TILE)
		return -EINVAL;
	changed = x->xcr0 ^ value;
	x->xcr0 = value;
	/* x87 and SSE have their place in any save area */
	if (changed & ~(uint64_t)LEGACY)
		x86_runtime(x);
	return 0;
}

static bool has_xsave(const struct x86_vcpu *x)
{
	return kvm_saves(x86_model(x));
}

int x86_get_xcrs(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);
	struct gk_xcrs xcrs;

	memset(&xcrs, 0, sizeof(xcrs));
	if (has_xsave(x)) {
		xcrs.nr_xcrs = 1;
		xcrs.xcrs[0].value = x->xcr0;
	}
	return sw_copy_out(arg, &xcrs, sizeof(xcrs));
}

int x86_set_xcrs(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);
	struct gk_xcrs xcrs;

	if (sw_copy_in(&xcrs, arg, sizeof(xcrs)))
		return -EFAULT;
	if (!has_xsave(x) || xcrs.nr_xcrs > sizeof(xcrs.xcrs) / sizeof(xcrs.xcrs[0]) || xcrs.flags)
		return -EINVAL;
	for (uint32_t i = 0; i < xcrs.nr_xcrs; i++)
		if (!xcrs.xcrs[i].xcr)
			return set_xcr0(x, xcrs.xcrs[i].value);
	return 0;
}

/* The area. */

static uint64_t get(const uint8_t *at, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, at, size);
	return value;
}

static void put(uint8_t *at, uint64_t value, size_t size)
{
	memcpy(at, &value, size);
}

static uint8_t *area_new(const struct gcpu_model *m)
{
	uint8_t *area = calloc(1, x86_xsave_size(m));

	if (area) {
		put(area, FCW_RESET, 2);
		put(area + FX_MXCSR, MXCSR_RESET, 4);
		if (kvm_saves(m)) /* that it is told here came with XSAVE */
			put(area + FX_MASK, MXCSR_VALID, 4);
	}
	return area;
}

/* What a process' own area says of its components, behind the registers. */
static uint64_t software(const struct gcpu_model *m)
{
	return m->host->has_xcomp ? m->host->xcomp_permitted & ~x86_dynamic(m) : low_high(m, 0, 0);
}

static void give_area(const struct x86_vcpu *x, uint8_t *to, const uint8_t *reset, size_t size)
{
	const struct gcpu_model *m = x86_model(x);
	const uint8_t *from = x->area ? x->area : reset;
	uint64_t have = get(from + HEADER, 8);

	if (!has_xsave(x)) {
		memcpy(to, from, FX_SOFTWARE - 48);
		put(to + HEADER, X87 | SSE, 8);
		return;
	}
	memcpy(to, have & X87 ? from : reset, FX_MXCSR);
	memcpy(to + FX_MXCSR, have & (SSE | YMM) ? from + FX_MXCSR : reset + FX_MXCSR, 8);
	if (have & X87)
		memcpy(to + FX_ST, from + FX_ST, FX_XMM - FX_ST);
	if (have & SSE)
		memcpy(to + FX_XMM, from + FX_XMM, 256);
	put(to + FX_SOFTWARE, software(m), 8);
	put(to + HEADER, have, 8);
	for (unsigned n = 2; n < 63; n++) {
		const struct snap_cpuid *e = have >> n & 1 ? snapshot_cpuid(m->host, SNAP_NATIVE, LEAF_SAVE_AREA, n) : NULL;

		if (e && (size_t)e->regs[0] + e->regs[1] <= size)
			memcpy(to + e->regs[1], from + e->regs[1], e->regs[0]);
	}
}

static int give(struct x86_vcpu *x, uintptr_t arg, size_t size)
{
	uint8_t *reset, *to;
	int status = -ENOMEM;

	if (sw_bad_target(arg, size))
		return -EFAULT;
	reset = area_new(x86_model(x));
	to = calloc(1, size);
	if (reset && to) {
		give_area(x, to, reset, size);
		status = sw_copy_out(arg, to, size);
	}
	free(reset);
	free(to);
	return status;
}

int x86_get_xsave(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);

	/* what is larger, only KVM_GET_XSAVE2 gives */
	if (x86_xsave_size(x86_model(x)) > sizeof(struct gk_xsave) && (x86_guest_xcr0(x) & x86_dynamic(x86_model(x))))
		return -EINVAL;
	return give(x, arg, sizeof(struct gk_xsave));
}

int x86_get_xsave2(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);
	bool large = x86_guest_xcr0(x) & x86_dynamic(x86_model(x));

	return give(x, arg, large ? x86_xsave_size(x86_model(x)) : sizeof(struct gk_xsave));
}

static bool is_area(const struct x86_vcpu *x, const uint8_t *from)
{
	uint64_t have = get(from + HEADER, 8);

	if (!has_xsave(x))
		return !(have & ~(X87 | SSE)) && !(get(from + FX_MXCSR, 4) & ~(uint64_t)MXCSR_VALID);
	if (have & ~x86_kvm_xcr0(x86_model(x)) || get(from + HEADER_COMPACT, 8))
		return false;
	for (unsigned i = HEADER_RESERVED; i < HEADER_END; i++)
		if (from[i])
			return false;
	return !(have & (SSE | YMM)) || !(get(from + FX_MXCSR, 4) & ~(uint64_t)MXCSR_VALID);
}

int x86_set_xsave(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);
	bool large = x86_guest_xcr0(x) & x86_dynamic(x86_model(x));
	size_t size = large ? x86_xsave_size(x86_model(x)) : sizeof(struct gk_xsave);

	if (sw_bad_pointer(arg, size))
		return -EFAULT;
	if (!is_area(x, (const uint8_t *)arg))
		return -EINVAL;
	if (!x->area)
		x->area = area_new(x86_model(x));
	if (!x->area)
		return -ENOMEM;
	memcpy(x->area, (const void *)arg, size);
	return 0;
}

/* KVM_GET_FPU and KVM_SET_FPU speak of the same. */

int x86_get_fpu(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);
	uint8_t *reset = x->area ? NULL : area_new(x86_model(x));
	const uint8_t *from = x->area ? x->area : reset;
	struct gk_fpu f;

	if (!from)
		return -ENOMEM;
	memset(&f, 0, sizeof(f));
	memcpy(f.fpr, from + FX_ST, sizeof(f.fpr));
	f.fcw = (uint16_t)get(from, 2);
	f.fsw = (uint16_t)get(from + FX_FSW, 2);
	f.ftwx = from[FX_FTW];
	f.last_opcode = (uint16_t)get(from + FX_FOP, 2);
	f.last_ip = get(from + FX_IP, 8);
	f.last_dp = get(from + FX_DP, 8);
	memcpy(f.xmm, from + FX_XMM, sizeof(f.xmm));
	free(reset);
	return sw_copy_out(arg, &f, sizeof(f));
}

int x86_set_fpu(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);
	struct gk_fpu f;

	if (sw_copy_in(&f, arg, sizeof(f)))
		return -EFAULT;
	if (!x->area)
		x->area = area_new(x86_model(x));
	if (!x->area)
		return -ENOMEM;
	memcpy(x->area + FX_ST, f.fpr, sizeof(f.fpr));
	put(x->area, f.fcw, 2);
	put(x->area + FX_FSW, f.fsw, 2);
	x->area[FX_FTW] = f.ftwx;
	put(x->area + FX_FOP, f.last_opcode, 2);
	put(x->area + FX_IP, f.last_ip, 8);
	put(x->area + FX_DP, f.last_dp, 8);
	memcpy(x->area + FX_XMM, f.xmm, sizeof(f.xmm));
	put(x->area + HEADER, get(x->area + HEADER, 8) | X87 | SSE, 8);
	return 0;
}

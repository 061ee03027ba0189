/* SPDX-License-Identifier: MIT */
/*
 * What no CPU can answer: a dump that says so was damaged, or put together by hand. Only what would keep a kernel or its
 * KVM from running there is refused; what they would live with is computed as they would. Kernels of 64 bits do not boot
 * without some of leaf 1 (arch/x86/kernel/verify_cpu.S), give up XSAVE without x87 and SSE, or with a component that has
 * no size (fpu/xstate.c); KVM_SET_CPUID2 takes 48 and 57 linear bits alone; pages have no room for more than 52 physical
 * ones. Dumps of real CPUs have components with their bit and all zeros, and leaves above the highest.
 */
#include "cpuid_text.h"

#include "core/facts.h"
#include "facts_gen.h"

#include <guestcpu/snapshot.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { EAX, EBX, ECX, EDX };
/* Physical addresses: those of the first 32-bit CPUs, what a page table has room for. Linear ones: of 4 and 5 levels. */
enum { PHYSICAL_LEAST = 32, PHYSICAL_MOST = 52, LINEAR_4 = 48, LINEAR_5 = 57 };
enum { XCR0_LEGACY = 3, BY_XSS = 1, COMPONENT_FLAGS = 7, FIRST_COMPONENT = 2, COMPONENTS = 63 };

static uint32_t leaf_of(unsigned word)
{
	return ADDR_LEAF(gcpu_facts_x86.words[word].addr);
}

#define MAX_BASIC leaf_of(X86_W_CPUID_0X0_0X0_EAX)
#define MAX_EXTENDED leaf_of(X86_W_CPUID_0X80000000_0X0_EAX)
#define EXTENDED_FEATURES leaf_of(X86_W_CPUID_0X80000001_0X0_EDX)
#define FEATURES leaf_of(X86_W_CPUID_0X1_0X0_EDX)
#define WIDTHS leaf_of(X86_W_CPUID_0X80000008_0X0_EAX)
#define SAVE leaf_of(X86_W_CPUID_0XD_0X0_EAX)

static int refuse(const struct snap_cpuid *e, unsigned reg, struct gcpu_error *err, const char *expected, const char *what, ...)
	__attribute__((format(printf, 5, 6)));

static int refuse(const struct snap_cpuid *e, unsigned reg, struct gcpu_error *err, const char *expected, const char *what, ...)
{
	static const char names[4][4] = { "eax", "ebx", "ecx", "edx" };
	char place[40] = "", text[120];
	va_list args;

	va_start(args, what);
	vsnprintf(text, sizeof(text), what, args);
	va_end(args);
	if (e->flags)
		snprintf(place, sizeof(place), " sub-leaf 0x%x", e->subleaf);
	error_set(err, GCPU_ERR_DOCUMENT, "leaf 0x%x%s, %s 0x%08x: %s", e->leaf, place, names[reg], e->regs[reg], text);
	error_expected(err, "%s: no CPU answers so", expected);
	return GCPU_ERR_DOCUMENT;
}

static const struct snap_cpuid *entry(const struct gcpu_snapshot *s, uint32_t leaf, uint32_t subleaf)
{
	const struct snap_cpuid *e = snapshot_cpuid(s, SNAP_NATIVE, leaf, subleaf);

	return e && e->subleaf == subleaf ? e : NULL;
}

static bool is_zero(const struct snap_cpuid *e)
{
	return !(e->regs[EAX] | e->regs[EBX] | e->regs[ECX] | e->regs[EDX]);
}

/* Leaves that a CPU does not have it answers all alike, or with zeros. */
static bool says_something(const struct snap_cpuid *e, const struct snap_cpuid *max)
{
	return e && !is_zero(e) && memcmp(e->regs, max->regs, sizeof(e->regs)) != 0;
}

int cpuid_check_highest(const struct gcpu_snapshot *s, struct gcpu_error *err)
{
	const struct snap_cpuid *basic = entry(s, MAX_BASIC, 0), *extended = entry(s, MAX_EXTENDED, 0);
	uint32_t most = CPUID_CLASS_MOST;

	if (basic->regs[EAX] == 0 || basic->regs[EAX] > most)
		return refuse(basic, EAX, err, "0x1 to 0xff", "not the highest basic leaf");
	if (extended && extended->regs[EAX] - MAX_EXTENDED > most &&
	    says_something(entry(s, EXTENDED_FEATURES, 0), extended))
		return refuse(extended, EAX, err, "0x80000001 to 0x800000ff", "not the highest extended leaf, and there are such");
	if (extended && extended->regs[EAX] == MAX_EXTENDED && says_something(entry(s, EXTENDED_FEATURES, 0), extended))
		return refuse(extended, EAX, err, "0x80000001 to 0x800000ff", "the highest extended leaf, and there are higher ones");
	return 0;
}

static int check_widths(const struct snap_cpuid *e, struct gcpu_error *err)
{
	unsigned physical = e->regs[EAX] & 0xff, linear = e->regs[EAX] >> 8 & 0xff, guest = e->regs[EAX] >> 16 & 0xff;

	if (physical < PHYSICAL_LEAST || physical > PHYSICAL_MOST)
		return refuse(e, EAX, err, "bits 7:0 from 32 to 52", "physical addresses of %u bits", physical);
	if (linear > LINEAR_4 && linear != LINEAR_5)
		return refuse(e, EAX, err, "bits 15:8 up to 48, or 57", "linear addresses of %u bits", linear);
	if (guest && (guest < PHYSICAL_LEAST || guest > PHYSICAL_MOST))
		return refuse(e, EAX, err, "bits 23:16 0, or from 32 to 52", "a guest's physical addresses of %u bits", guest);
	return 0;
}

static bool has(const struct gcpu_snapshot *s, unsigned field)
{
	const struct field_fact *f = &gcpu_facts_x86.fields[field];
	uint64_t addr = gcpu_facts_x86.words[f->word].addr;
	const struct snap_cpuid *e = entry(s, ADDR_LEAF(addr), 0);

	return e && e->regs[ADDR_REG(addr)] >> f->lsb & 1;
}

/* END: of the area of all that XCR0 can turn on. */
static int check_component(const struct snap_cpuid *e, bool by_xss, uint32_t end, struct gcpu_error *err)
{
	if (!e->regs[EAX])
		return refuse(e, EAX, err, "its size", "a component of XSAVE that the CPU has, without a size");
	if (e->regs[ECX] & ~(uint32_t)COMPONENT_FLAGS)
		return refuse(e, ECX, err, "bits 31:3 zero", "reserved bits of a component of XSAVE");
	if ((e->regs[ECX] & BY_XSS) != by_xss)
		return refuse(e, ECX, err, by_xss ? "bit 0 set" : "bit 0 clear", "a component of %s", by_xss ? "XSS" : "XCR0");
	if (!by_xss && (uint64_t)e->regs[EAX] + e->regs[EBX] > end)
		return refuse(e, EAX, err, "size and place (ebx) in it", "a component of XSAVE beyond the area's 0x%x bytes", end);
	return 0;
}

static int check_save(const struct gcpu_snapshot *s, const struct snap_cpuid *save, struct gcpu_error *err)
{
	const struct snap_cpuid *more = entry(s, SAVE, 1);
	uint64_t user = save->regs[EAX] | (uint64_t)save->regs[EDX] << 32;
	uint64_t system = more ? more->regs[ECX] | (uint64_t)more->regs[EDX] << 32 : 0;
	int status = 0;

	if ((user & XCR0_LEGACY) != XCR0_LEGACY)
		return refuse(save, EAX, err, "bits 1:0 set", "XCR0 without x87 or SSE");
	if (save->regs[EBX] > save->regs[ECX])
		return refuse(save, ECX, err, "at least ebx", "the area of all of XSAVE's components, where what is on takes 0x%x",
			      save->regs[EBX]);
	for (unsigned i = FIRST_COMPONENT; i < COMPONENTS && !status; i++) {
		const struct snap_cpuid *e = entry(s, SAVE, i);

		/* dumps of real CPUs have zeros there: what is not described at all is told as assumed */
		if (e && !is_zero(e) && (user | system) >> i & 1)
			status = check_component(e, system >> i & 1, save->regs[ECX], err);
	}
	return status;
}

static int check_long_mode(const struct gcpu_snapshot *s, struct gcpu_error *err)
{
	static const uint16_t needed[] = { X86_F_FPU, X86_F_MSR, X86_F_PAE, X86_F_CX8, X86_F_PGE, X86_F_CMOV, X86_F_FXSR, X86_F_SSE, X86_F_SSE2 };
	const struct snap_cpuid *e = entry(s, FEATURES, 0);

	for (unsigned i = 0; i < sizeof(needed) / sizeof(*needed) && e && has(s, X86_F_LM); i++)
		if (!has(s, needed[i]))
			return refuse(e, EDX, err, "what a kernel of 64 bits needs", "long mode without %s",
				      gcpu_facts_x86.fields[needed[i]].name);
	return 0;
}

int cpuid_check(const struct gcpu_snapshot *s, struct gcpu_error *err)
{
	const struct snap_cpuid *widths = entry(s, WIDTHS, 0), *save = entry(s, SAVE, 0);
	int status = widths ? check_widths(widths, err) : 0;

	if (!status)
		status = check_long_mode(s, err);
	return status || !save || !has(s, X86_F_XSAVE) ? status : check_save(s, save, err);
}

/* SPDX-License-Identifier: MIT */
/* Registers of a new vCPU, and what its control registers take. */
#include "walk.h"

#include <string.h>

static void segment(struct walk *w, const char *name, const struct gk_x86_segment *s)
{
	walk_say(w, "%s %llx %x sel %x type %x p %u dpl %u db %u s %u l %u g %u avl %u un %u", name,
		 (unsigned long long)s->base, s->limit, s->selector, s->type, s->present, s->dpl, s->db, s->s, s->l, s->g,
		 s->avl, s->unusable);
}

static void sregs(struct walk_vm *v)
{
	struct gk_x86_sregs s;
	struct walk *w = v->w;

	memset(&s, 0, sizeof(s));
	walk_say(w, "KVM_GET_SREGS %d", walk_ask(w, v->vcpu, GK_GET_SREGS, &s));
	segment(w, "cs", &s.cs);
	segment(w, "ds", &s.ds);
	segment(w, "es", &s.es);
	segment(w, "fs", &s.fs);
	segment(w, "gs", &s.gs);
	segment(w, "ss", &s.ss);
	segment(w, "tr", &s.tr);
	segment(w, "ldt", &s.ldt);
	walk_say(w, "gdt %llx %x idt %llx %x", (unsigned long long)s.gdt.base, s.gdt.limit, (unsigned long long)s.idt.base,
		 s.idt.limit);
	walk_say(w, "cr0 %llx cr2 %llx cr3 %llx cr4 %llx cr8 %llx efer %llx base %llx", (unsigned long long)s.cr0,
		 (unsigned long long)s.cr2, (unsigned long long)s.cr3, (unsigned long long)s.cr4,
		 (unsigned long long)s.cr8, (unsigned long long)s.efer, (unsigned long long)s.apic_base);
}

/* Words that are not 0. */
static void dump(struct walk *w, const char *name, int result, const void *data, size_t size)
{
	const uint32_t *word = data;

	walk_say(w, "%s %d", name, result);
	for (size_t i = 0; result == 0 && i < size / 4; i++)
		if (word[i])
			walk_say(w, "%s +%zu %x", name, i * 4, word[i]);
}

static void at_first(struct walk_vm *v)
{
	static uint32_t area[4096];
	struct walk *w = v->w;
	static const struct {
		const char *name;
		unsigned long request;
	} calls[] = {
		{ "regs", GK_GET_REGS }, { "fpu", GK_GET_FPU }, { "xsave", GK_GET_XSAVE }, { "xsave2", GK_GET_XSAVE2 },
		{ "xcrs", GK_GET_XCRS }, { "debugregs", GK_GET_DEBUGREGS }, { "events", GK_GET_VCPU_EVENTS },
		{ "mp_state", GK_GET_MP_STATE }, { "sregs2", GK_GET_SREGS2 },
	};

	sregs(v);
	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		size_t size = calls[i].request >> 16 & 0x3fff;
		int r;

		memset(area, 0, sizeof(area));
		r = walk_ask(w, v->vcpu, calls[i].request, area);
		dump(w, calls[i].name, r, area, size < sizeof(area) ? size : sizeof(area));
	}
	walk_say(w, "tsc khz is %d", walk_ask(w, v->vcpu, GK_GET_TSC_KHZ, NULL) > 0);
}

static int try(struct walk_vm *v, const struct gk_x86_sregs *s, struct gk_x86_sregs *back)
{
	int r = walk_ask(v->w, v->vcpu, GK_SET_SREGS, s);

	walk_ask(v->w, v->vcpu, GK_GET_SREGS, back);
	return r;
}

/* Each bit of a register flipped: which are taken, and whether it then reads as it should. */
static void flip_bits(struct walk_vm *v, const struct gk_x86_sregs *first, const char *name, size_t at)
{
	static struct gk_x86_sregs s, back;
	uint64_t taken = 0, odd = 0, was, now;

	memcpy(&was, (const char *)first + at, sizeof(was));
	for (unsigned i = 0; i < 64; i++) {
		uint64_t flipped = was ^ 1ULL << i;

		s = *first;
		memcpy((char *)&s + at, &flipped, sizeof(flipped));
		if (try(v, &s, &back) == 0)
			taken |= 1ULL << i;
		memcpy(&now, (char *)&back + at, sizeof(now));
		if (now != (taken >> i & 1 ? flipped : was))
			odd |= 1ULL << i;
		try(v, first, &back);
	}
	walk_say(v->w, "%s takes %llx, odd %llx", name, (unsigned long long)taken, (unsigned long long)odd);
}

static void one_by_one(struct walk_vm *v)
{
	static struct gk_x86_sregs first;

	walk_ask(v->w, v->vcpu, GK_GET_SREGS, &first);
	flip_bits(v, &first, "cr0", offsetof(struct gk_x86_sregs, cr0));
	flip_bits(v, &first, "cr4", offsetof(struct gk_x86_sregs, cr4));
	flip_bits(v, &first, "efer", offsetof(struct gk_x86_sregs, efer));
	flip_bits(v, &first, "cr3", offsetof(struct gk_x86_sregs, cr3));
	flip_bits(v, &first, "cr8", offsetof(struct gk_x86_sregs, cr8));
	flip_bits(v, &first, "apic_base", offsetof(struct gk_x86_sregs, apic_base));
}

static void in_long_mode(struct walk_vm *v)
{
	static struct gk_x86_sregs first, s, back;
	uint64_t cr3 = 0, cr4 = 0, efer = 0;

	walk_ask(v->w, v->vcpu, GK_GET_SREGS, &first);
	first.cr0 |= 0x80000001;
	first.cr4 |= 1 << 5;
	first.efer |= 0x500;
	walk_say(v->w, "long mode %d", try(v, &first, &back));
	walk_say(v->w, "long mode: cr0 %llx cr4 %llx efer %llx", (unsigned long long)back.cr0, (unsigned long long)back.cr4,
		 (unsigned long long)back.efer);
	for (unsigned i = 0; i < 64; i++) {
		s = first;
		s.cr3 |= 1ULL << i;
		cr3 |= (uint64_t)(try(v, &s, &back) == 0) << i;
		s = first;
		s.cr4 ^= 1ULL << i;
		cr4 |= (uint64_t)(try(v, &s, &back) == 0) << i;
		s = first;
		s.efer ^= 1ULL << i;
		efer |= (uint64_t)(try(v, &s, &back) == 0) << i;
		try(v, &first, &back);
	}
	walk_say(v->w, "long mode: cr3 %llx cr4 %llx efer %llx", (unsigned long long)cr3, (unsigned long long)cr4,
		 (unsigned long long)efer);
}

static void modes(struct walk_vm *v)
{
	static struct gk_x86_sregs first, s, back;

	walk_ask(v->w, v->vcpu, GK_GET_SREGS, &first);
	for (unsigned i = 0; i < 128; i++) {
		int r;

		s = first;
		s.cr0 |= (i & 1 ? 1U : 0) | (i & 2 ? 0x80000000U : 0);
		s.cr4 |= i & 4 ? 1U << 5 : 0;
		s.efer = (i & 8 ? 0x100 : 0) | (i & 16 ? 0x400 : 0);
		s.cs.l = i >> 5 & 1;
		s.cs.db = i >> 6 & 1;
		r = try(v, &s, &back);
		walk_say(v->w, "mode %x: %d cr0 %llx cr4 %llx efer %llx", i, r, (unsigned long long)back.cr0,
			 (unsigned long long)back.cr4, (unsigned long long)back.efer);
		try(v, &first, &back);
	}
}

static void xcr0(struct walk_vm *v)
{
	static struct gk_xcrs x;
	uint64_t taken = 0;

	for (unsigned i = 0; i < 0x400; i++) {
		memset(&x, 0, sizeof(x));
		x.nr_xcrs = 1;
		x.xcrs[0].value = i;
		if (walk_ask(v->w, v->vcpu, GK_SET_XCRS, &x) == 0)
			walk_say(v->w, "xcr0 %x", i);
	}
	for (unsigned i = 0; i < 64; i++) {
		x.xcrs[0].value = 3 | 1ULL << i;
		taken |= (uint64_t)(walk_ask(v->w, v->vcpu, GK_SET_XCRS, &x) == 0) << i;
	}
	walk_say(v->w, "xcr0 takes %llx", (unsigned long long)taken);
	memset(&x, 0, sizeof(x));
	walk_say(v->w, "no xcrs: %d", walk_ask(v->w, v->vcpu, GK_SET_XCRS, &x));
	x.padding[0] = 1;
	walk_say(v->w, "xcrs, padding: %d", walk_ask(v->w, v->vcpu, GK_SET_XCRS, &x));
	x.nr_xcrs = 1;
	x.xcrs[0].xcr = 1;
	walk_say(v->w, "xcr 1: %d", walk_ask(v->w, v->vcpu, GK_SET_XCRS, &x));
	x.xcrs[0].xcr = 0;
	x.xcrs[0].reserved = 1;
	x.xcrs[0].value = 1;
	walk_say(v->w, "xcr 0, reserved: %d", walk_ask(v->w, v->vcpu, GK_SET_XCRS, &x));
}

/* Headers of the save area. */
static void xsave(struct walk_vm *v)
{
	static uint64_t area[2048];
	uint64_t taken = 0, compact = 0, reserved = 0, mxcsr = 0;

	walk_say(v->w, "xsave of zeros: %d", walk_ask(v->w, v->vcpu, GK_SET_XSAVE, area));
	for (unsigned i = 0; i < 64; i++) {
		memset(area, 0, sizeof(area));
		area[64] = 1ULL << i;
		taken |= (uint64_t)(walk_ask(v->w, v->vcpu, GK_SET_XSAVE, area) == 0) << i;
		memset(area, 0, sizeof(area));
		area[65] = 1ULL << i;
		compact |= (uint64_t)(walk_ask(v->w, v->vcpu, GK_SET_XSAVE, area) == 0) << i;
		memset(area, 0, sizeof(area));
		area[66 + i % 6] = 1ULL << i;
		reserved |= (uint64_t)(walk_ask(v->w, v->vcpu, GK_SET_XSAVE, area) == 0) << i;
		memset(area, 0, sizeof(area));
		area[64] = 2;
		area[3] = 1ULL << i;
		mxcsr |= (uint64_t)(walk_ask(v->w, v->vcpu, GK_SET_XSAVE, area) == 0) << i;
	}
	walk_say(v->w, "xsave: components %llx compact %llx reserved %llx mxcsr %llx", (unsigned long long)taken,
		 (unsigned long long)compact, (unsigned long long)reserved, (unsigned long long)mxcsr);
	memset(area, 0, sizeof(area));
	area[64] = 3;
	area[0] = 0x1234567;
	area[3] = 0x1f80;
	area[20] = 0x1122334455667788;
	walk_say(v->w, "xsave of values: %d", walk_ask(v->w, v->vcpu, GK_SET_XSAVE, area));
	memset(area, 0, sizeof(area));
	dump(v->w, "xsave after", walk_ask(v->w, v->vcpu, GK_GET_XSAVE, area), area, 4096);
	memset(area, 0, 416);
	dump(v->w, "fpu after", walk_ask(v->w, v->vcpu, GK_GET_FPU, area), area, 416);
}

/* A structure of calls with a word changed: which bits are taken. */
static void each_bit(struct walk_vm *v, const char *name, unsigned long get, unsigned long set, size_t size)
{
	static uint32_t first[256], s[256], back[256];

	memset(first, 0, sizeof(first));
	walk_ask(v->w, v->vcpu, get, first);
	for (size_t word = 0; word < size / 4; word++) {
		uint32_t taken = 0, odd = 0;

		for (unsigned i = 0; i < 32; i++) {
			memcpy(s, first, size);
			s[word] ^= 1U << i;
			taken |= (uint32_t)(walk_ask(v->w, v->vcpu, set, s) == 0) << i;
			walk_ask(v->w, v->vcpu, get, back);
			odd |= (uint32_t)(back[word] != (taken >> i & 1 ? s[word] : first[word])) << i;
			walk_ask(v->w, v->vcpu, set, first);
		}
		walk_say(v->w, "%s +%zu takes %x, odd %x", name, word * 4, taken, odd);
	}
}

/* KVM_X86_SET_MSR_FILTER of one range. */
static void filter(struct walk_vm *v)
{
	static uint8_t bitmap[0x1000];
	static const struct {
		uint32_t flags, of_range, nmsrs, base;
		bool no_bitmap;
	} tries[] = {
		{ 0, 3, 8, 0x10, false },	  { 1, 3, 8, 0x10, false },	    { 2, 3, 8, 0x10, false },
		{ 0, 0, 8, 0x10, false },	  { 0, 4, 8, 0x10, false },	    { 1, 3, 0, 0x10, false },
		{ 0, 3, 0, 0x10, false },	  { 0, 3, 0x600 * 8, 0x10, false }, { 0, 3, 0x600 * 8 + 1, 0x10, false },
		{ 0, 3, 8, 0x10, true },	  { 0, 8, 0, 0x10, false },	    { 0, 3, 8, 0x800, false },
	};

	for (unsigned i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		struct gk_msr_filter f = { .flags = tries[i].flags };

		f.ranges[0] = (struct gk_msr_filter_range){ tries[i].of_range, tries[i].nmsrs, tries[i].base,
							    tries[i].no_bitmap ? NULL : bitmap };
		walk_say(v->w, "filter %u: %d", i, walk_ask(v->w, v->vm, GK_X86_SET_MSR_FILTER, &f));
	}
}

void walk_regs(struct walk *w)
{
	static const struct {
		const char *at;
		bool apic;
		enum walk_table table;
	} kinds[] = {
		{ "regs, no table", false, TABLE_NONE },	  { "regs, APIC, no table", true, TABLE_NONE },
		{ "regs, empty", true, TABLE_EMPTY },		  { "regs, supported", false, TABLE_SUPPORTED },
		{ "regs, APIC, supported", true, TABLE_SUPPORTED }, { "regs, Intel", true, TABLE_INTEL },
		{ "regs, bare", true, TABLE_BARE },		  { "regs, all", true, TABLE_ALL },
	};
	struct walk_vm v;

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		w->at = kinds[i].at;
		if (!walk_open(w, kinds[i].apic, kinds[i].table, 0, &v))
			continue;
		at_first(&v);
		one_by_one(&v);
		in_long_mode(&v);
		xcr0(&v);
		xsave(&v);
		filter(&v);
		each_bit(&v, "debugregs", GK_GET_DEBUGREGS, GK_SET_DEBUGREGS, 128);
		each_bit(&v, "events", GK_GET_VCPU_EVENTS, GK_SET_VCPU_EVENTS, 64);
		each_bit(&v, "sregs2", GK_GET_SREGS2, GK_SET_SREGS2, 40);
		walk_close(&v);
		if (walk_open(w, kinds[i].apic, kinds[i].table, 0, &v)) {
			modes(&v);
			walk_close(&v);
		}
	}
}

void walk_sizes(struct walk *w)
{
	static const uint64_t values[] = { 0, 1, 2, 3, 4, 8, 16, 31, 0x1000, 1ULL << 32, ~0ULL };
	struct walk_vm v;

	w->at = "switches";
	for (unsigned cap = 0; cap < 260; cap++) {
		if (!walk_open(w, true, TABLE_NONE, 0, &v))
			return;
		walk_say(w, "cap %u: %d %d", cap, walk_ask(w, w->fd, GK_CHECK_EXTENSION, (void *)(uintptr_t)cap),
			 walk_ask(w, v.vm, GK_CHECK_EXTENSION, (void *)(uintptr_t)cap));
		for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			int of_vm = walk_enable(w, v.vm, cap, values[i]), of_vcpu = walk_enable(w, v.vcpu, cap, values[i]);

			if (of_vm != -22 || of_vcpu != -22)
				walk_say(w, "cap %u with %llx: %d %d", cap, (unsigned long long)values[i], of_vm, of_vcpu);
		}
		walk_close(&v);
	}
}

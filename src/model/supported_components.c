/* SPDX-License-Identifier: MIT */
/*
 * Components of XSAVE. A dump may have bits of XCR0 and no word on where their registers go: sizes are the
 * architecture's. Places are the same on all CPUs but AMD's, where the size of the whole area tells one. Intel SDM 13.5.
 */
#include "supported.h"

#include "facts_gen.h"

#define LEAF ADDR_LEAF(gcpu_facts_x86.words[X86_W_CPUID_0XD_0X0_EAX].addr)
/* Save area without any component beyond the legacy ones: those, and the header. */
enum { XSAVE_LEGACY = 512 + 64, XSAVE_FIRST = 2, XSAVE_END = 63 };

/* AT: where Intel's CPUs have it, all of them; 0: by XSS, and packed only. */
static const struct known {
	uint16_t size, at;
	uint8_t flags; /* ECX: by XSS, aligned when packed, can be disabled */
} known[] = {
	[2] = { 256, 576, 0 }, [3] = { 64, 960, 0 }, [4] = { 64, 1024, 0 }, [5] = { 64, 1088, 0 }, [6] = { 512, 1152, 0 },
	[7] = { 1024, 1664, 0 }, [8] = { 128, 0, 1 }, [9] = { 8, 2688, 0 }, [10] = { 8, 0, 1 }, [11] = { 16, 0, 1 },
	[12] = { 24, 0, 1 }, [17] = { 64, 2752, 2 }, [18] = { 8192, 2816, 6 },
};

/* Bits of XCR0, and those of XSS, that the CPU says to have. */
static uint64_t components(const struct supported *s, bool by_xss)
{
	struct snap_cpuid e = supported_raw(s, LEAF, by_xss);

	return (by_xss ? e.regs[2] : e.regs[0]) | (uint64_t)e.regs[3] << 32;
}

/* On AMD's: the only one that is not described lies at the end, which the size of all tells. 0: not known. */
static uint32_t place(const struct supported *s, uint64_t all, unsigned i)
{
	uint32_t end = supported_raw(s, LEAF, 0).regs[2], least = XSAVE_LEGACY;

	for (unsigned k = XSAVE_FIRST; k < XSAVE_END && s->vendor == VENDOR_AMD; k++) {
		struct snap_cpuid e = supported_raw(s, LEAF, k);

		if (!(all >> k & 1) || k == i)
			continue;
		if (!e.regs[0])
			return 0;
		if (e.regs[1] + e.regs[0] > least)
			least = e.regs[1] + e.regs[0];
	}
	if (s->vendor != VENDOR_AMD)
		return known[i].at + known[i].size <= (int)end ? known[i].at : 0;
	return end >= least + known[i].size ? end - known[i].size : 0;
}

bool supported_component(const struct supported *s, unsigned i, struct snap_cpuid *ret)
{
	uint64_t user = components(s, false), system = components(s, true);
	uint32_t at;

	*ret = supported_raw(s, LEAF, i);
	if (ret->regs[0] || i >= sizeof(known) / sizeof(*known) || !known[i].size || !((user | system) >> i & 1))
		return false;
	at = user >> i & 1 ? place(s, user, i) : 0;
	if (!at != !known[i].at)
		return false;
	ret->regs[0] = known[i].size;
	ret->regs[1] = at;
	ret->regs[2] = known[i].flags;
	return true;
}

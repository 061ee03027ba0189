/* SPDX-License-Identifier: MIT */
/* How the guest's CPUID instruction is answered from its table. */
#include "x86.h"

#include "arch/x86/x86.h"

#include <string.h>

#define CLASS(leaf) ((leaf) & 0xf0000000U)
#define BLOCK(leaf) ((leaf) & 0xffffff00U) /* each of the hypervisors' has its own */

static bool vendor_is(const struct snap_cpuid *zero, const char *name)
{
	return memcmp(&zero->regs[1], name, 4) == 0 && memcmp(&zero->regs[3], name + 4, 4) == 0 &&
	       memcmp(&zero->regs[2], name + 8, 4) == 0;
}

bool x86_amd_like(const struct x86_vcpu *x, bool supposed)
{
	const struct snap_cpuid *zero = x86_own_entry(x, 0, 0);

	return zero ? vendor_is(zero, "AuthenticAMD") || vendor_is(zero, "HygonGenuine") : supposed;
}

bool x86_intel_like(const struct x86_vcpu *x)
{
	const struct snap_cpuid *zero = x86_own_entry(x, 0, 0);

	return zero && vendor_is(zero, "GenuineIntel");
}

unsigned x86_phys_bits(const struct x86_vcpu *x)
{
	uint32_t leaf = ADDR_LEAF(gcpu_facts_x86.words[X86_W_CPUID_0X80000008_0X0_EAX].addr);
	const struct snap_cpuid *top = x86_own_entry(x, X86_EXTENDED, 0), *widths;

	if (!top || top->regs[0] < leaf)
		return 36;
	widths = x86_own_entry(x, leaf, 0);
	return widths ? widths->regs[0] & 0xff : 36;
}

/* The entry whose EAX is the highest leaf of the class that LEAF is in. */
static const struct snap_cpuid *top_of(const struct x86_vcpu *x, uint32_t leaf)
{
	uint32_t base = 0;

	if (CLASS(leaf) == CLASS(ADDR_LEAF(gcpu_facts_x86.words[X86_W_CPUID_0X40000001_0X0_EAX].addr)))
		base = BLOCK(leaf);
	else if (leaf >= X86_CENTAUR)
		base = X86_CENTAUR;
	else if (leaf >= X86_EXTENDED)
		base = X86_EXTENDED;
	return x86_own_entry(x, base, 0);
}

/* Beyond the highest leaf Intel's CPUs answer with the last basic one, AMD's with zeros. */
static const struct snap_cpuid *instead(const struct x86_vcpu *x, uint32_t leaf, uint32_t subleaf)
{
	const struct snap_cpuid *basic = x86_own_entry(x, 0, 0), *top = top_of(x, leaf);

	if (!basic || x86_amd_like(x, true) || (top && leaf <= top->regs[0]))
		return NULL;
	return x86_entry(x, basic->regs[0], subleaf);
}

void x86_cpuid(const struct x86_vcpu *x, uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	const struct snap_cpuid *e = x86_entry(x, leaf, subleaf);

	if (!e)
		e = instead(x, leaf, subleaf);
	memset(ret, 0, 4 * sizeof(*ret));
	if (e) {
		memcpy(ret, e->regs, 4 * sizeof(*ret));
	} else if (leaf == X86_LEAF_TOPOLOGY || leaf == X86_LEAF_TOPOLOGY_V2) {
		/* so that the id is right in every sub-leaf */
		e = x86_entry(x, leaf, 1);
		if (e) {
			ret[2] = subleaf & 0xff;
			ret[3] = e->regs[3];
		}
	}
}

/* SPDX-License-Identifier: MIT */
/* Every MSR that there may be: what it reads as, which values it takes, what it reads as then. */
#include "facts.h"
#include "facts_gen.h"
#include "walk.h"

#include <stdio.h>

static const struct {
	uint32_t first, n;
} ranges[] = {
	{ 0, 0x2000 }, { 0x40000000, 0x120 }, { 0x4b564d00, 0x20 }, { 0xc0000000, 0x1000 }, { 0xc0010000, 0x1800 },
};

static bool moves(uint32_t index)
{
	static const uint16_t clocks[] = { X86_M_TSC, X86_M_TSC_DEADLINE, X86_M_HV_VP_RUNTIME, X86_M_HV_TIME_REF_COUNT,
					   X86_M_HV_REFERENCE_TSC, X86_M_HV_FREQUENCIES };

	for (unsigned i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		const struct msr_fact *f = &gcpu_facts_x86.msrs[clocks[i]];

		if (index >= f->index && index <= f->last)
			return true;
	}
	return false;
}

static void msr(struct walk_vm *v, uint32_t index)
{
	static const uint64_t values[] = { 0, 1, ~0ULL, 1ULL << 63, 0x100, 0x0606060606060606, 0x1000 };
	uint64_t first, back;
	char text[250];
	int got = walk_get_msr(v, index, &first), n = 0;
	bool any = got == 1;

	if (got == 1 && !moves(index))
		n = snprintf(text, sizeof(text), " = %llx", (unsigned long long)first);
	else
		n = snprintf(text, sizeof(text), " %d", got);
	for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		int r = walk_set_msr(v, index, values[i]);

		any = any || r == 1;
		n += snprintf(text + n, sizeof(text) - (size_t)n, ", %llx: %d", (unsigned long long)values[i], r);
		if (r == 1 && walk_get_msr(v, index, &back) == 1 && back != values[i] && !moves(index))
			n += snprintf(text + n, sizeof(text) - (size_t)n, " is %llx", (unsigned long long)back);
	}
	if (got == 1)
		walk_set_msr(v, index, first);
	if (any)
		walk_say(v->w, "MSR %x%s", index, text);
}

/* What each bit alone gives, of those that are worth it. */
static void bits(struct walk_vm *v, uint32_t index)
{
	uint64_t taken = 0, kept = 0, first, back;

	if (walk_get_msr(v, index, &first) != 1)
		return;
	for (unsigned i = 0; i < 64; i++) {
		if (walk_set_msr(v, index, 1ULL << i) != 1)
			continue;
		taken |= 1ULL << i;
		if (walk_get_msr(v, index, &back) == 1)
			kept |= back;
	}
	walk_set_msr(v, index, first);
	walk_say(v->w, "MSR %x takes %llx keeps %llx", index, (unsigned long long)taken, (unsigned long long)kept);
}

static void walk_through(struct walk *w, const char *at, bool apic, enum walk_table table, uint64_t quirks_off)
{
	const struct msr_fact *f = gcpu_facts_x86.msrs, *end = f + gcpu_facts_x86.n_msrs;
	struct walk_vm v;

	w->at = at;
	if (!walk_open(w, apic, table, quirks_off, &v))
		return;
	for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		for (uint32_t k = 0; k < ranges[i].n; k++)
			msr(&v, ranges[i].first + k);
	/* of each row the first two; of the APIC's, each write does something */
	for (; f < end; f++)
		for (uint32_t index = f->index; index <= f->last && index < f->index + 2; index++)
			if (!moves(index) && f != &gcpu_facts_x86.msrs[X86_M_X2APIC])
				bits(&v, index);
	walk_close(&v);
}

void walk_msrs(struct walk *w)
{
	walk_through(w, "no table, no APIC", false, TABLE_NONE, 0);
	walk_through(w, "supported, APIC", true, TABLE_SUPPORTED, 0);
	walk_through(w, "supported, no APIC", false, TABLE_SUPPORTED, 0);
	walk_through(w, "Intel, APIC", true, TABLE_INTEL, 0);
	walk_through(w, "bare, APIC", true, TABLE_BARE, 0);
	walk_through(w, "quirk 8 off", true, TABLE_SUPPORTED, 1 << 8);
}

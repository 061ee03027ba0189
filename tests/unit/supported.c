/* SPDX-License-Identifier: MIT */
/*
 * What KVM would answer, computed. Every bundled host recorded both the CPU's own CPUID and what its
 * KVM made of it: from the one the other must come, entry by entry.
 */
#include "unit.h"

#include "core/facts.h"
#include "model/supported.h"

static unsigned compared;

static void compare_table(const char *name, const struct gcpu_snapshot *want, const struct gcpu_snapshot *got,
			  enum snap_tables t)
{
	const struct list *w = &want->cpuid[t], *g = &got->cpuid[t];

	CHECK(w->n == g->n, "%s: %s: %zu entries, KVM has %zu", name, snapshot_tables[t], g->n, w->n);
	for (size_t i = 0; i < w->n && i < g->n; i++) {
		const struct snap_cpuid *a = LIST_AT(w, struct snap_cpuid, i), *b = LIST_AT(g, struct snap_cpuid, i);

		CHECK(memcmp(a, b, sizeof(*a)) == 0,
		      "%s: %s %zu: KVM has 0x%x 0x%x %u: %x %x %x %x, computed 0x%x 0x%x %u: %x %x %x %x", name,
		      snapshot_tables[t], i, a->leaf, a->subleaf, a->flags, a->regs[0], a->regs[1], a->regs[2],
		      a->regs[3], b->leaf, b->subleaf, b->flags, b->regs[0], b->regs[1], b->regs[2], b->regs[3]);
		compared++;
	}
}

static void compare_rest(const char *name, const struct gcpu_snapshot *want, const struct gcpu_snapshot *got)
{
	CHECK(want->msr_features.n == got->msr_features.n, "%s: %zu feature MSRs, KVM has %zu", name,
	      got->msr_features.n, want->msr_features.n);
	for (size_t i = 0; i < want->msr_features.n && i < got->msr_features.n; i++) {
		const struct snap_msr *a = LIST_AT(&want->msr_features, struct snap_msr, i);
		const struct snap_msr *b = LIST_AT(&got->msr_features, struct snap_msr, i);

		CHECK(a->index == b->index && a->value == b->value, "%s: KVM has MSR 0x%x 0x%llx, computed 0x%x 0x%llx",
		      name, a->index, (unsigned long long)a->value, b->index, (unsigned long long)b->value);
		compared++;
	}
	CHECK(want->msr_indexes.n == got->msr_indexes.n, "%s: %zu MSRs, KVM has %zu", name, got->msr_indexes.n,
	      want->msr_indexes.n);
	for (size_t i = 0; i < want->msr_indexes.n && i < got->msr_indexes.n; i++) {
		uint32_t a = *LIST_AT(&want->msr_indexes, uint32_t, i), b = *LIST_AT(&got->msr_indexes, uint32_t, i);

		CHECK(a == b, "%s: MSR %zu: KVM has 0x%x, computed 0x%x", name, i, a, b);
		compared++;
	}
	for (unsigned n = 1; n < 400; n++) {
		int a = gcpu_snapshot_capability(want, n), b = gcpu_snapshot_capability(got, n);

		CHECK(a == b, "%s: capability %u: KVM has %d, computed %d", name, n, a, b);
	}
	CHECK(want->xcomp_supported == got->xcomp_supported && want->xcomp_permitted == got->xcomp_permitted,
	      "%s: components", name);
}

int main(void)
{
	unsigned hosts = 0;

	for (unsigned i = 0; i < gcpu_n_hosts; i++) {
		const struct gcpu_snapshot *want = gcpu_hosts[i].snapshot;
		const char *name = gcpu_hosts[i].name;
		struct gcpu_snapshot *got;
		struct gcpu_error err;
		char series[16];
		unsigned a, b;

		if (want->arch != GCPU_ARCH_X86 || want->computed || strcmp(want->module, "kvm_amd") != 0 ||
		    sscanf(want->kernel, "%u.%u", &a, &b) != 2)
			continue;
		snprintf(series, sizeof(series), "%u.%u", a, b);
		if (supported_snapshot(want, series, &got, &err)) {
			CHECK(false, "%s: %s", name, err.text);
			continue;
		}
		hosts++;
		for (int t = SNAP_SUPPORTED; t <= SNAP_HYPERV; t++)
			compare_table(name, want, got, t);
		compare_rest(name, want, got);
		CHECK(got->computed && got->assumed.n, "%s: it does not say what was assumed", name);
		gcpu_snapshot_free(got);
	}
	printf("%u hosts, %u entries compared\n", hosts, compared);
	CHECK(hosts >= 6 && compared > 800, "too little was compared");
	return unit_end();
}

/* SPDX-License-Identifier: MIT */
/* The TSC: how fast it runs, and telling the guest so. */
#include "x86.h"

enum { LEAF_TIMING = 0x40000010U };

/* A TSC that is off by no more than this is the one that was asked for: KVM's own
 * tolerance (kvm.tsc_tolerance_ppm). */
#define TOLERANCE_PPM 250

/* KVM's local APIC counts nanoseconds unless KVM_CAP_X86_APIC_BUS_CYCLES_NS says otherwise. */
#define APIC_BUS_KHZ 1000000

uint64_t x86_tsc_khz(const struct gcpu_plan *p)
{
	uint64_t asked = p->props[X86_P_TSC_FREQUENCY];

	return asked ? asked / 1000 : p->snap->has_tsc_khz ? p->snap->tsc_khz : 0;
}

/* What a guest gets: what was asked for, where this KVM can scale. */
uint64_t x86_tsc_given(const struct gcpu_plan *p)
{
	uint64_t khz = x86_tsc_khz(p);

	if (khz && khz <= UINT32_MAX && gcpu_snapshot_capability(p->snap, CAP_TSC_CONTROL) > 0)
		return khz;
	return p->snap->has_tsc_khz ? p->snap->tsc_khz : 0;
}

/* A frequency that stays, wherever the guest goes. */
static bool is_fixed(const struct gcpu_plan *p)
{
	return p->props[X86_P_TSC_FREQUENCY] || field_get(p, p->value, X86_F_INVTSC);
}

bool x86_tsc_leaf(const struct gcpu_plan *p, struct gcpu_cpuid *e)
{
	uint64_t khz = x86_tsc_khz(p);

	if (!p->props[X86_P_KVM] || !p->props[X86_P_VMWARE_CPUID_FREQ] || !is_fixed(p) || !khz ||
	    khz > UINT32_MAX || (p->machine.kvm_leaf && p->machine.kvm_leaf != KVM_LEAF_BASE))
		return false;
	*e = (struct gcpu_cpuid){ .leaf = LEAF_TIMING, .eax = (uint32_t)khz, .ebx = APIC_BUS_KHZ };
	return true;
}

void x86_tsc_steps(struct gcpu_plan *p)
{
	uint64_t khz = x86_tsc_khz(p), host = p->snap->has_tsc_khz ? p->snap->tsc_khz : 0, off;
	struct gcpu_step *s;

	if (!p->props[X86_P_TSC_FREQUENCY])
		return;
	off = khz > host ? khz - host : host - khz;
	if (khz == 0 || khz > UINT32_MAX) {
		plan_find(p, X86_R_TSC_IMPOSSIBLE, -1, SEVERITY_ERROR, NULL);
		p->refused = true;
	} else if (gcpu_snapshot_capability(p->snap, CAP_TSC_CONTROL) > 0) {
		s = recipe_add(p, GCPU_PHASE_VCPU, "vcpu", "KVM_SET_TSC_KHZ",
			       "the frequency that was asked for");
		recipe_arg(s, "khz", khz, NULL);
	} else if (!host || off > host / 1000000 * TOLERANCE_PPM + 1) {
		plan_find(p, X86_R_TSC_NO_SCALING, -1, SEVERITY_ERROR,
			  "tsc-frequency: %llu kHz were asked for, this host has %llu and cannot scale",
			  (unsigned long long)khz, (unsigned long long)host);
		p->refused = true;
	}
}

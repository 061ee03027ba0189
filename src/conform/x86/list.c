/* SPDX-License-Identifier: MIT */
/* All cases of x86, in the order in which they run. */
#include "x86.h"

const struct conform_case *const conform_x86[] = {
	cases_slots,
	cases_x86_cpuid_get,
	cases_x86_cpuid_set,
	cases_x86_supported,
	cases_x86_runtime,
	cases_x86_lookup,
	cases_x86_frozen,
	cases_x86_sregs,
	cases_x86_xcr0,
	cases_x86_caps,
	cases_x86_irqchip,
	cases_x86_setup,
	cases_x86_board,
	cases_x86_events,
	cases_x86_msrs,
	cases_x86_one_reg,
	cases_x86_lapic,
	cases_x86_smp,
	cases_x86_pv,
	cases_x86_clock,
	cases_x86_hypercalls,
	cases_x86_exits,
	cases_x86_run,
	cases_x86_hyperv,
	NULL,
};

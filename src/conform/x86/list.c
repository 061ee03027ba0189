/* SPDX-License-Identifier: MIT */
/* All cases of x86, in the order in which they run. */
#include "x86.h"

const struct conform_case *const conform_x86[] = {
	x86_cpuid_get,
	x86_cpuid_set,
	x86_supported,
	x86_runtime,
	x86_lookup,
	x86_frozen,
	x86_sregs,
	x86_xcr0,
	x86_caps,
	x86_irqchip,
	NULL,
};

/* SPDX-License-Identifier: MIT */
/* Hosts that have neither CPUID nor arch_prctl(2). */
#include "real.h"

#include <errno.h>

int gcpu_real_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	(void)leaf;
	(void)subleaf;
	(void)ret;
	return -ENOTSUP;
}

int gcpu_real_guest_perm(int code, uint64_t arg, uint64_t *ret)
{
	(void)code;
	(void)arg;
	(void)ret;
	return -ENOTSUP;
}

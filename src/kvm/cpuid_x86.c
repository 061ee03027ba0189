/* SPDX-License-Identifier: MIT */
/* x86 hosts: CPUID, and the permission to let guests use large XSAVE state. */
#define _GNU_SOURCE 1
#include "real.h"

#include <cpuid.h>
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi_x86.h"

int gcpu_real_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	__cpuid_count(leaf, subleaf, ret[0], ret[1], ret[2], ret[3]);
	return 0;
}

int gcpu_real_guest_perm(int code, uint64_t arg, uint64_t *ret)
{
	uint64_t value = 0;
	unsigned long second;
	int get;

	switch (code) {
	case GK_ARCH_GET_XCOMP_SUPP:
	case GK_ARCH_GET_XCOMP_PERM:
	case GK_ARCH_GET_XCOMP_GUEST_PERM:
		get = 1;
		break;
	case GK_ARCH_REQ_XCOMP_PERM:
	case GK_ARCH_REQ_XCOMP_GUEST_PERM:
		get = 0;
		break;
	default: /* the others change this process, not its guests */
		return -EINVAL;
	}
	second = get ? (unsigned long)(uintptr_t)&value : (unsigned long)arg;
	/* libc has no wrapper for it */
	if (syscall(SYS_arch_prctl, code, second) < 0)
		return -errno;
	if (get && ret)
		*ret = value;
	return 0;
}

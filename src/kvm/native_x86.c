/* SPDX-License-Identifier: MIT */
#include <guestcpu/snapshot.h>

enum gcpu_arch gcpu_arch_native(void)
{
	return GCPU_ARCH_X86;
}

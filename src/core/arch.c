/* SPDX-License-Identifier: MIT */
/* The one place that knows which architectures there are. */
#include "plan.h"

const struct arch *arch_of(enum gcpu_arch id)
{
	if (id == gcpu_arch_x86.id)
		return &gcpu_arch_x86;
	if (id == gcpu_arch_arm64.id)
		return &gcpu_arch_arm64;
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/* The software KVM of arm64. */
#include "../sw.h"

static int init(struct gcpu_model *m, struct gcpu_error *err)
{
	(void)m;
	return error_set(err, GCPU_ERR_ARGUMENT, "there is no model of arm64 yet");
}

const struct sw_arch sw_arm64 = { .arch = GCPU_ARCH_ARM64, .init = init };

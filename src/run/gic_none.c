/* SPDX-License-Identifier: MIT */
/* No GIC on this architecture. */
#include "guest.h"
#include "util.h"

int run_arm64_gic_init(const struct gcpu_kvm *kvm, int gic_fd, unsigned n_vcpus,
		       struct gcpu_error *err)
{
	(void)kvm;
	(void)gic_fd;
	(void)n_vcpus;
	return error_set(err, GCPU_ERR_INTERNAL, "no GIC on x86");
}

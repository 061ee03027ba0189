/* SPDX-License-Identifier: MIT */
/* All exercises of arm64: features of VCPU_INIT and of the firmware's registers, interfaces, what a KVM is seen to do. */
#include "arm64.h"

const struct exercise *const alive_exercises[] = {
	&exercise_psci_0_2,
	&exercise_pmu,
	&exercise_sve,
	&exercise_pauth_address,
	&exercise_pauth_generic,
	&exercise_trng,
	&exercise_pv_time,
	&exercise_vendor_features,
	&exercise_ptp,
	&exercise_discover_ver,
	&exercise_discover_cpus,
	&exercise_psci_version,
	&exercise_psci_system_off2,
	&exercise_workaround_1,
	&exercise_workaround_2,
	&exercise_workaround_3,
	&exercise_id_after_run,
	&exercise_id_init_again,
	&exercise_id_shared,
	&exercise_bitmap_after_run,
	&exercise_bitmap_unknown,
	&exercise_psci_after_run,
	&exercise_workaround_lowered,
	&exercise_init_other_set,
	&exercise_pv_time_attribute,
	&exercise_trng_no_bits,
	&exercise_filter_deny,
	&exercise_filter_forward,
	&exercise_filter_late,
	&exercise_no_gic,
};
const unsigned alive_n_exercises = COUNT(alive_exercises);

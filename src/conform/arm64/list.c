/* SPDX-License-Identifier: MIT */
/* All cases of arm64, in the order in which they run. */
#include "arm64.h"

const struct conform_case *const conform_arm64[] = {
	cases_slots,
	cases_arm64_vm,
	cases_arm64_init,
	cases_arm64_regs,
	cases_arm64_ids,
	cases_arm64_fields,
	cases_arm64_sve,
	cases_arm64_firmware,
	cases_arm64_calls,
	cases_arm64_psci,
	cases_arm64_filter,
	cases_arm64_attrs,
	cases_arm64_gic,
	cases_arm64_events,
	NULL,
};

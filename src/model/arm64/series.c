/* SPDX-License-Identifier: MIT */
/* Another kernel's KVM on the same host. */
#include "series.h"

int series_compute(struct gcpu_model *m, struct gcpu_error *err)
{
	return error_set(err, GCPU_ERR_ARGUMENT, "%s: masks of that series are not known", m->series);
}

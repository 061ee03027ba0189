/* SPDX-License-Identifier: MIT */
/* Another kernel's KVM on the same host. */
#ifndef GCPU_MODEL_ARM64_SERIES_H
#define GCPU_MODEL_ARM64_SERIES_H

#include "../sw.h"

/* The model's host becomes a snapshot that is computed: the same limits, masks and switches of
 * m->series. 0 or a code. */
int series_compute(struct gcpu_model *m, struct gcpu_error *err);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GCPU_FORMATS_PLAN_WRITE_H
#define GCPU_FORMATS_PLAN_WRITE_H

#include "core/plan.h"
#include "json.h"

/* Members that plan and verify documents begin with. */
void plan_write_head(struct json *j, const struct gcpu_plan *p, const char *schema);
/* One finding, CTX a struct json: for gcpu_plan_findings() and its like. */
int plan_write_finding(void *ctx, const struct gcpu_finding *f);

#endif

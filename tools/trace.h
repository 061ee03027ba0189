/* SPDX-License-Identifier: MIT */
/* Between trace, sim and what they print. */
#ifndef GCPU_TOOLS_TRACE_H
#define GCPU_TOOLS_TRACE_H

#include "sim/report.h"
#include "tool.h"

/* For people; ALL: with every call, every capability and the tables. */
void trace_text(const struct sim_report *r, const struct sim_told *t, bool all);

#endif

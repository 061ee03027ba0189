/* SPDX-License-Identifier: MIT */
/* Between trace, sim and what they print. */
#ifndef GCPU_TOOLS_TRACE_H
#define GCPU_TOOLS_TRACE_H

#include "sim/report.h"
#include "term.h"
#include "tool.h"

/* For people; ALL: with every call, every capability and the tables. */
void trace_text(const struct sim_report *r, const struct sim_told *t, bool all);
/* Behind the word that CPUID instructions leaked: where that can be seen, on x86. */
void trace_leak(const struct sim_report *r, const struct sim_told *t);

/* Memory, or the end: a report with holes would be a lie. */
void *trace_need(void *memory);
/* "0-3, 7": runs of numbers, not too many. */
void trace_numbers(struct text *t, const uint32_t *numbers, size_t n);

/* A call in a table of so many columns: on WHICH descriptors, how many TIMES. */
#define TRACE_COLUMNS 4
typedef void trace_row(struct grid *g, const struct sim_call *c, const char *where, const char *times);
/* The calls that are picked, those that differ in the vCPU alone as one; at most so many ROWs. */
void trace_grouped(const struct sim_report *r, const char *head, bool (*pick)(const struct sim_call *c), trace_row *row,
		   unsigned most);

#endif

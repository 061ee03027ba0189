/* SPDX-License-Identifier: MIT */
/* Side by side: what ours takes, what a reference takes, in one run. */
#ifndef GCPU_BENCH_H
#define GCPU_BENCH_H

#include <stddef.h>

/* What a benchmark ends with: a target was missed, nothing could be measured. */
enum { BENCH_MET = 0, BENCH_MISSED = 1, BENCH_BROKEN = 2, BENCH_SKIP = 77 };

double bench_now(void); /* microseconds */
/* The lower quartile: what else runs on a machine makes a run slower, never faster. */
double bench_typical(double *values, size_t n);

/* Start ARGV with standard input from INPUT (NULL: nothing) and its output thrown away, wait
 * for its end. Microseconds, or < 0 with the reason on stderr. *ret_kib: peak resident memory. */
double bench_spawn(const char *const argv[], const char *input, int expected_exit, long *ret_kib);

/* One line of the table. RATIO is ours / reference where LESS is wanted, else reference / ours;
 * both are judged: a ratio of at most LIMIT, or of at least LIMIT. */
enum bench_goal { BENCH_AT_MOST, BENCH_AT_LEAST, BENCH_TOLD };
void bench_head(void);
void bench_row(const char *subject, double ours, double reference, const char *unit,
	       enum bench_goal goal, double limit);
/* A line whose target is a number of its own: OURS below LIMIT. REFERENCE may be 0: none. */
void bench_row_below(const char *subject, double ours, double reference, const char *unit,
		     double limit);
void bench_skip(const char *subject, const char *why);
/* BENCH_MET, or BENCH_MISSED if some row was. */
int bench_status(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Resolving a request on a loaded snapshot: parse and plan. The target is a number of its own;
 * beside it, as a measure of this machine, the C library sorts a thousand numbers.
 */
#include "bench.h"

#include <guestcpu/guestcpu.h>
#include <stdio.h>
#include <stdlib.h>

#define SAMPLES 1001
#define NUMBERS 1000

static int up(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return x < y ? -1 : x > y;
}

static double sorting(void)
{
	static unsigned numbers[NUMBERS];
	unsigned seed = 1;
	double start;

	for (unsigned i = 0; i < NUMBERS; i++)
		numbers[i] = seed = seed * 1664525 + 1013904223;
	start = bench_now();
	qsort(numbers, NUMBERS, sizeof(numbers[0]), up);
	return bench_now() - start;
}

static double resolving(const struct gcpu_snapshot *snap, const char *text)
{
	struct gcpu_request *req = NULL;
	struct gcpu_plan *plan = NULL;
	double start = bench_now(), took = -1;

	if (gcpu_request_parse(gcpu_snapshot_arch(snap), text, &req, NULL) == 0 &&
	    gcpu_plan_make(snap, req, NULL, &plan, NULL) == 0)
		took = bench_now() - start;
	gcpu_plan_free(plan);
	gcpu_request_free(req);
	return took;
}

static int measure(const char *host, const char *text, double limit)
{
	static double ours[SAMPLES], sorts[SAMPLES];
	struct gcpu_snapshot *snap;
	struct gcpu_error err;
	char subject[80];

	if (gcpu_snapshot_bundled(host, &snap, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return BENCH_BROKEN;
	}
	for (unsigned s = 0; s < SAMPLES; s++) {
		ours[s] = resolving(snap, text);
		sorts[s] = sorting();
		if (ours[s] < 0) {
			fprintf(stderr, "%s on %s: no plan\n", text, host);
			gcpu_snapshot_free(snap);
			return BENCH_BROKEN;
		}
	}
	gcpu_snapshot_free(snap);
	snprintf(subject, sizeof(subject), "'%s' on %s: qsort of 1000", text, host);
	bench_row_below(subject, bench_typical(ours, SAMPLES), bench_typical(sorts, SAMPLES), "us", limit);
	return 0;
}

int main(void)
{
	int status;

	bench_head();
	status = measure("x86-amd-rome-6-12", "host", 50);
	if (status == 0)
		status = measure("x86-amd-pvm-6-18", "host", 50);
	if (status == 0)
		status = measure("arm64-kvm-max-6-12", "host", 50);
	return status ? status : bench_status();
}

/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static int missed;

double bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double bench_typical(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), order);
	return values[n / 4];
}

double bench_spawn(const char *const argv[], const char *input, int expected_exit, long *ret_kib)
{
	posix_spawn_file_actions_t files;
	struct rusage usage;
	double start, end;
	int status, e;
	pid_t pid;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, input ? input : "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	start = bench_now();
	e = posix_spawn(&pid, argv[0], &files, NULL, (char *const *)argv, environ);
	if (e == 0 && wait4(pid, &status, 0, &usage) != pid)
		e = errno;
	end = bench_now();
	posix_spawn_file_actions_destroy(&files);
	if (e) {
		fprintf(stderr, "%s: %s\n", argv[0], strerror(e));
		return -1;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != expected_exit) {
		fprintf(stderr, "%s %s: ended with status 0x%x, not with exit code %d\n", argv[0],
			argv[1] ? argv[1] : "", (unsigned)status, expected_exit);
		return -1;
	}
	if (ret_kib)
		*ret_kib = usage.ru_maxrss;
	return end - start;
}

void bench_head(void)
{
	printf("%-46s %12s %12s %8s  %-9s %s\n", "subject", "ours", "reference", "ratio", "target",
	       "verdict");
}

static const char *verdict(int met)
{
	missed |= !met;
	return met ? "met" : "NOT MET";
}

static void amount(char buf[24], double value, const char *unit)
{
	snprintf(buf, 24, "%.*f %s", value < 100 ? 1 : 0, value, unit);
}

void bench_row(const char *subject, double ours, double reference, const char *unit,
	       enum bench_goal goal, double limit)
{
	double ratio = goal == BENCH_AT_LEAST ? reference / ours : ours / reference;
	char left[24], right[24], target[24] = "-";

	amount(left, ours, unit);
	amount(right, reference, unit);
	if (goal != BENCH_TOLD)
		snprintf(target, sizeof(target), "%s %g", goal == BENCH_AT_MOST ? "<=" : ">=", limit);
	printf("%-46s %12s %12s %8.2f  %-9s %s\n", subject, left, right, ratio, target,
	       goal == BENCH_TOLD	? "told" :
	       goal == BENCH_AT_MOST ? verdict(ratio <= limit) :
					  verdict(ratio >= limit));
}

void bench_row_below(const char *subject, double ours, double reference, const char *unit,
		     double limit)
{
	char left[24], right[24] = "-", ratio[16] = "-", target[24];

	amount(left, ours, unit);
	snprintf(target, sizeof(target), "< %g %s", limit, unit);
	if (reference > 0) {
		amount(right, reference, unit);
		snprintf(ratio, sizeof(ratio), "%.2f", ours / reference);
	}
	printf("%-46s %12s %12s %8s  %-9s %s\n", subject, left, right, ratio, target,
	       verdict(ours < limit));
}

void bench_skip(const char *subject, const char *why)
{
	printf("%-46s skipped: %s\n", subject, why);
}

int bench_status(void)
{
	return missed ? BENCH_MISSED : BENCH_MET;
}

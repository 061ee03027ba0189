/* SPDX-License-Identifier: MIT */
/* `guestcpu probe --no-trial` against the same questions and nothing else: probe GUESTCPU BARE. */
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define SAMPLES 101

int main(int argc, char **argv)
{
	const char *ours[] = { argc > 2 ? argv[1] : NULL, "probe", "--no-trial", NULL };
	const char *bare[] = { argc > 2 ? argv[2] : NULL, "cpuid", NULL };
	const char *ioctls[] = { argc > 2 ? argv[2] : NULL, NULL };
	static double took[3][SAMPLES];
	double typical[3];

	if (argc != 3) {
		fprintf(stderr, "probe GUESTCPU BARE\n");
		return BENCH_BROKEN;
	}
	if (access("/dev/kvm", R_OK | W_OK)) {
		bench_skip("probe --no-trial: bare ioctls", "no usable /dev/kvm");
		return BENCH_SKIP;
	}
	for (unsigned s = 0; s < SAMPLES; s++) {
		took[0][s] = bench_spawn(ours, NULL, 0, NULL);
		took[1][s] = bench_spawn(bare, NULL, 0, NULL);
		took[2][s] = bench_spawn(ioctls, NULL, 0, NULL);
		if (took[0][s] < 0 || took[1][s] < 0 || took[2][s] < 0)
			return BENCH_BROKEN;
	}
	for (unsigned k = 0; k < 3; k++)
		typical[k] = bench_typical(took[k], SAMPLES);
	bench_head();
	bench_row("probe --no-trial: bare ioctls and CPUID", typical[0], typical[1], "us", BENCH_AT_MOST,
		  1.3);
	bench_row("probe --no-trial: bare ioctls", typical[0], typical[2], "us", BENCH_TOLD, 0);
	return bench_status();
}

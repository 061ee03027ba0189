/* SPDX-License-Identifier: MIT */
/* Peak resident memory of the command: memory GUESTCPU SNAPSHOT-FILE. */
#include "bench.h"

#include <stdio.h>
#include <unistd.h>

#define LIMIT_KIB 4096
#define SAMPLES 9 /* what the kernel has mapped already differs from run to run */

static double true_kib;

static int measure(const char *subject, const char *const argv[], int judged)
{
	long most = 0, kib;

	for (unsigned i = 0; i < SAMPLES; i++) {
		if (bench_spawn(argv, NULL, 0, &kib) < 0)
			return BENCH_BROKEN;
		most = kib > most ? kib : most;
	}
	if (judged)
		bench_row_below(subject, (double)most, true_kib, "KiB", LIMIT_KIB);
	else
		true_kib = (double)most;
	return 0;
}

int main(int argc, char **argv)
{
#define X86 "x86-amd-pvm-6-18"
#define ARM64 "arm64-kvm-max-6-12"
	const char *tool = argc > 2 ? argv[1] : NULL, *file = argc > 2 ? argv[2] : NULL;
	const struct {
		const char *subject, *argv[10];
		int kvm;
	} all[] = {
		{ "plan: /bin/true", { tool, "plan", "--host", X86, NULL }, 0 },
		{ "plan --json: /bin/true", { tool, "plan", "--json", "--host", X86, NULL }, 0 },
		{ "plan --json, arm64: /bin/true", { tool, "plan", "--json", "--host", ARM64, NULL }, 0 },
		{ "plan, from a file: /bin/true", { tool, "plan", "--host", file, NULL }, 0 },
		{ "explain: /bin/true", { tool, "explain", "--host", X86, "avx2", NULL }, 0 },
		{ "features: /bin/true", { tool, "features", NULL }, 0 },
		{ "features --json: /bin/true", { tool, "features", "--json", NULL }, 0 },
		{ "probe: /bin/true", { tool, "probe", NULL }, 1 },
		{ "verify: /bin/true", { tool, "verify", "-c", "host", NULL }, 1 },
	};
	const char *none[] = { "/bin/true", NULL };
	int kvm = access("/dev/kvm", R_OK | W_OK) == 0;

	if (argc != 3) {
		fprintf(stderr, "memory GUESTCPU SNAPSHOT-FILE\n");
		return BENCH_BROKEN;
	}
	if (measure("", none, 0))
		return BENCH_BROKEN;
	bench_head();
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i].kvm && !kvm)
			bench_skip(all[i].subject, "no usable /dev/kvm");
		else if (measure(all[i].subject, all[i].argv, 1))
			return BENCH_BROKEN;
	}
	return bench_status();
}

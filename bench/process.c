/* SPDX-License-Identifier: MIT */
/*
 * The command as a whole, from start to end of its process: process GUESTCPU SNAPSHOT-FILE.
 * Against /bin/true, which is what any process costs here, and against QEMU answering the
 * nearest question it has. Commands take turns, so that what disturbs one disturbs all.
 */
#include "bench.h"

#include <guestcpu/guestcpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAMPLES 301
#define QEMU_SAMPLES 9
#define HOST "x86-amd-rome-6-12"

enum { TRUE, BUNDLED, FROM_FILE, ARM64, EXPLAIN, KINDS };

static double took[KINDS][SAMPLES];

static int take_turns(const char *const *const argv[KINDS])
{
	for (unsigned s = 0; s < SAMPLES; s++) {
		for (unsigned k = 0; k < KINDS; k++) {
			took[k][s] = bench_spawn(argv[k], NULL, 0, NULL);
			if (took[k][s] < 0)
				return BENCH_BROKEN;
		}
	}
	return 0;
}

static const char *find_qemu(void)
{
	static const char *const places[] = { "/usr/bin/qemu-system-x86_64",
					      "/usr/local/bin/qemu-system-x86_64", NULL };

	for (unsigned i = 0; places[i]; i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

/* QEMU's answer for the model that this machine can ask for. */
static void against_qemu(double bundled, double file)
{
	const char *qemu = find_qemu(), *folder = getenv("TMPDIR");
	int kvm = access("/dev/kvm", R_OK | W_OK) == 0;
	const char *argv[] = { qemu, "-S", "-no-user-config", "-nodefaults", "-nographic", "-machine",
			       kvm ? "none,accel=kvm" : "none,accel=tcg", "-qmp", "stdio", NULL };
	double samples[QEMU_SAMPLES];
	char path[512];
	int fd, n;
	FILE *f;

	if (!qemu) {
		bench_skip("plan: QEMU's query-cpu-model-expansion", "no qemu-system-x86_64");
		return;
	}
	snprintf(path, sizeof(path), "%s/guestcpu-bench-XXXXXX", folder ? folder : "/tmp");
	fd = mkstemp(path);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f) {
		bench_skip("plan: QEMU's query-cpu-model-expansion", "no temporary file");
		return;
	}
	fprintf(f, "{\"execute\": \"qmp_capabilities\"}\n"
		   "{\"execute\": \"query-cpu-model-expansion\", \"arguments\": {\"type\": \"full\", "
		   "\"model\": {\"name\": \"%s\"}}}\n{\"execute\": \"quit\"}\n", kvm ? "host" : "max");
	fclose(f);
	for (n = 0; n < QEMU_SAMPLES; n++) {
		samples[n] = bench_spawn(argv, path, 0, NULL);
		if (samples[n] < 0)
			break;
	}
	unlink(path);
	if (n < QEMU_SAMPLES) {
		bench_skip("plan: QEMU's query-cpu-model-expansion", "this QEMU did not answer");
		return;
	}
	bench_row("plan, bundled: QEMU's expansion", bundled, bench_typical(samples, QEMU_SAMPLES), "us",
		  BENCH_AT_LEAST, 10);
	bench_row("plan, from a file: QEMU's expansion", file, bench_typical(samples, QEMU_SAMPLES), "us",
		  BENCH_AT_LEAST, 10);
}

/* What of a plan from a file is reading the document: its values, and the hash of them. */
static void told_of_reading(const char *file, double nothing)
{
	static char text[1 << 20];
	static double samples[SAMPLES];
	struct gcpu_snapshot *snap;
	FILE *f = fopen(file, "rb");
	size_t n = f ? fread(text, 1, sizeof(text), f) : 0;

	if (f)
		fclose(f);
	for (unsigned s = 0; s < SAMPLES; s++) {
		double start = bench_now();

		if (gcpu_snapshot_parse(text, n, &snap, NULL))
			return;
		gcpu_snapshot_free(snap);
		samples[s] = bench_now() - start;
	}
	bench_row("  of it: gcpu_snapshot_parse(), warm: /bin/true", bench_typical(samples, SAMPLES), nothing, "us",
		  BENCH_TOLD, 0);
}

int main(int argc, char **argv)
{
	const char *tool = argc > 2 ? argv[1] : NULL, *file = argc > 2 ? argv[2] : NULL;
	const char *none[] = { "/bin/true", NULL };
	const char *bundled[] = { tool, "plan", "-c", "host", "--host", HOST, NULL };
	const char *from_file[] = { tool, "plan", "-c", "host", "--host", file, NULL };
	const char *arm64[] = { tool, "plan", "-c", "host", "--host", "arm64-kvm-max-6-12", NULL };
	const char *explain[] = { tool, "explain", "-c", "host", "--host", HOST, "avx2", NULL };
	const char *const *const all[KINDS] = { none, bundled, from_file, arm64, explain };
	double typical[KINDS];

	if (argc != 3) {
		fprintf(stderr, "process GUESTCPU SNAPSHOT-FILE\n");
		return BENCH_BROKEN;
	}
	if (take_turns(all))
		return BENCH_BROKEN;
	for (unsigned k = 0; k < KINDS; k++)
		typical[k] = bench_typical(took[k], SAMPLES);
	bench_head();
	bench_row("plan, bundled snapshot: /bin/true", typical[BUNDLED], typical[TRUE], "us",
		  BENCH_AT_MOST, 1.5);
	bench_row("plan, snapshot from a file: /bin/true", typical[FROM_FILE], typical[TRUE], "us",
		  BENCH_AT_MOST, 2);
	told_of_reading(file, typical[TRUE]);
	bench_row("plan, bundled arm64 snapshot: /bin/true", typical[ARM64], typical[TRUE], "us",
		  BENCH_AT_MOST, 1.5);
	bench_row("explain, bundled snapshot: /bin/true", typical[EXPLAIN], typical[TRUE], "us",
		  BENCH_AT_MOST, 1.5);
	against_qemu(typical[BUNDLED], typical[FROM_FILE]);
	return bench_status();
}

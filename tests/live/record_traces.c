/* SPDX-License-Identifier: MIT */
/*
 * Writes the traces that tests/unit/faults.c replays, on this machine's KVM:
 *
 *   record_traces tests/unit/traces
 *
 * Not a test: run it by hand when probing or applying asks KVM for something
 * new. The names begin with the architecture.
 */
#include "../unit/subject.h"
#include "../unit/unit.h"
#include "kvm/wrap.h"

#include <fcntl.h>

static int save(void *ctx, const char *data, size_t n)
{
	return fwrite(data, 1, n, ctx) == n ? 0 : -1;
}

/* The probe if SNAP is empty, else machine number I. */
static int record_one(const char *path, struct gcpu_snapshot **snap, unsigned i)
{
	FILE *f = fopen(path, "w");
	struct gcpu_error err = { 0 }, guest = { 0 };
	struct record *r;
	int fd, status;

	if (!f || record_new(gcpu_kvm_real(), gcpu_arch_native(), save, f, &r)) {
		perror(path);
		return 1;
	}
	fd = record_kvm(r)->ops->open(record_kvm(r)->ctx, "/dev/kvm", O_RDWR | O_CLOEXEC);
	if (!*snap) {
		status = gcpu_snapshot_probe(record_kvm(r), fd, NULL, snap, &err);
	} else {
		struct gcpu_plan *plan = subject_plan(*snap, i, &err);

		status = plan ? subject_run(record_kvm(r), fd, plan, 10000, &guest, &err) : err.code;
		gcpu_plan_free(plan);
	}
	record_kvm(r)->ops->close(record_kvm(r)->ctx, fd);
	if (status == 0)
		status = record_status(r);
	record_free(r);
	fclose(f);
	printf("%s: %d %s %s\n", path, status, err.text, guest.text);
	return status != 0;
}

int main(int argc, char **argv)
{
	struct gcpu_snapshot *snap = NULL;
	char path[512];
	int failed;

	if (argc != 2) {
		fprintf(stderr, "record_traces DIRECTORY\n");
		return 2;
	}
	snprintf(path, sizeof(path), "%s/%s-probe.trace", argv[1], gcpu_arch_name(gcpu_arch_native()));
	failed = record_one(path, &snap, 0);
	for (unsigned i = 0; i < SUBJECT_MACHINES && !failed; i++) {
		snprintf(path, sizeof(path), "%s/%s-%s.trace", argv[1],
			 gcpu_arch_name(gcpu_arch_native()), subject_names[i]);
		failed = record_one(path, &snap, i);
	}
	gcpu_snapshot_free(snap);
	return failed;
}

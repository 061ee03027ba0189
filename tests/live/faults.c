/* SPDX-License-Identifier: MIT */
/*
 * Every operation of probing, applying, reading back and running fails in
 * turn, on this machine's KVM; and what the recorder wrote down of a probe
 * replays strictly, with the same snapshot. Exit status 0, 1, or 77 with a
 * reason.
 */
#include "../unit/subject.h"
#include "../unit/unit.h"

#include "kvm/wrap.h"
#include "live_kvm.h"

#include <dirent.h>

/* Descriptors that this process has open: what the seam does not see counts too. */
static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static struct unit_text probe_through(const struct gcpu_kvm *kvm)
{
	int fd = kvm->ops->open(kvm->ctx, "/dev/kvm", O_RDWR | O_CLOEXEC);
	struct gcpu_snapshot *snap = NULL;
	struct unit_text out = { 0 };
	struct gcpu_error err = { 0 };

	CHECK(gcpu_snapshot_probe(kvm, fd, NULL, &snap, &err) == 0, "%s", err.text);
	CHECK(kvm->ops->close(kvm->ctx, fd) == 0, "close");
	if (snap)
		gcpu_snapshot_write(snap, unit_write, &out);
	gcpu_snapshot_free(snap);
	return out;
}

/* Record, then replay strictly: the same snapshot without a kernel. */
static void test_round_trip(void)
{
	struct unit_text trace = { 0 }, direct, again;
	struct gcpu_error err = { 0 };
	struct record *rec;
	struct replay *rep = NULL;

	if (record_new(gcpu_kvm_real(), gcpu_arch_native(), unit_write, &trace, &rec)) {
		CHECK(false, "no recorder");
		return;
	}
	direct = probe_through(record_kvm(rec));
	CHECK(record_status(rec) == 0, "%d", record_status(rec));
	record_free(rec);
	CHECK(replay_new(trace.s, trace.n, true, &rep, &err) == 0, "%s, expected %s", err.text,
	      err.expected);
	if (rep) {
		again = probe_through(replay_kvm(rep));
		CHECK(replay_error(rep)->code == 0, "%s, expected %s", replay_error(rep)->text,
		      replay_error(rep)->expected);
		CHECK(replay_left(rep) == 0, "%zu lines left", replay_left(rep));
		CHECK(replay_open_fds(rep) == 0, "%u open", replay_open_fds(rep));
		CHECK(direct.n && direct.n == again.n && memcmp(direct.s, again.s, again.n) == 0,
		      "another snapshot");
		free(again.s);
	}
	replay_free(rep);
	free(direct.s);
	free(trace.s);
}

int main(void)
{
	const struct gcpu_kvm *kvm = gcpu_kvm_real();
	struct subject s = { .calls = &subject_native, .kvm = kvm, .ms = 5000 };
	struct gcpu_snapshot *snap;
	int fd = live_kvm(kvm, "live-faults"), before;

	if (fd < 0)
		return SKIPPED;
	kvm->ops->close(kvm->ctx, fd);
	test_round_trip();
	before = count_fds();
	subject_probe_faults(&s, &snap);
	printf("probe: %u faults, %d wrong\n", s.faults, s.failures);
	CHECK(count_fds() == before, "%d descriptors, %d before", count_fds(), before);
	for (unsigned i = 0; i < SUBJECT_MACHINES && snap; i++) {
		struct gcpu_error err = { 0 };
		struct gcpu_plan *plan = subject_plan(snap, i, &err);

		CHECK(plan, "%s: %s", subject_names[i], err.text);
		s.faults = 0;
		if (plan)
			subject_apply_faults(&s, subject_names[i], plan);
		printf("%s: %u faults, %d wrong in all\n", subject_names[i], s.faults, s.failures);
		CHECK(count_fds() == before, "%d descriptors, %d before", count_fds(), before);
		gcpu_plan_free(plan);
	}
	CHECK(s.failures == 0, "faults");
	gcpu_snapshot_free(snap);
	return unit_end();
}

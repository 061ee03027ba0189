/* SPDX-License-Identifier: MIT */
/*
 * Every operation of probing, applying, reading back and running fails in
 * turn, over recorded traces: needs no KVM.
 *
 *   faults DIRECTORY-OF-TRACES
 */
#include "subject.h"
#include "unit.h"

#include "kvm/wrap.h"

static void rewind_replay(void *ctx)
{
	replay_rewind(ctx);
}

static struct replay *load(const char *directory, const char *name)
{
	struct gcpu_error err = { 0 };
	struct replay *r = NULL;
	struct unit_text text;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s-%s.trace", directory, gcpu_arch_name(gcpu_arch_native()),
		 name);
	text = unit_file(path);
	if (text.s)
		CHECK(replay_new(text.s, text.n, false, &r, &err) == 0, "%s: %s, expected %s", path,
		      err.text, err.expected);
	free(text.s);
	return r;
}

int main(int argc, char **argv)
{
	struct gcpu_snapshot *snap = NULL;
	struct subject s = { .calls = &subject_native, .ms = 2000 };
	struct replay *r = argc == 2 ? load(argv[1], "probe") : NULL;

	if (!r) {
		printf("no trace of this architecture was recorded\n");
		return unit_failures ? 1 : SKIPPED;
	}
	s.rewind = rewind_replay;
	s.ctx = r;
	s.kvm = replay_kvm(r);
	subject_probe_faults(&s, &snap);
	printf("probe: %u faults, %d wrong\n", s.faults, s.failures);
	CHECK(s.failures == 0, "probe");
	for (unsigned i = 0; i < SUBJECT_MACHINES && snap; i++) {
		struct replay *apply = load(argv[1], subject_names[i]);
		struct gcpu_error err = { 0 };
		struct gcpu_plan *plan = subject_plan(snap, i, &err);

		CHECK(apply && plan, "%s: no trace or plan: %s", subject_names[i], err.text);
		s.ctx = apply;
		s.failures = s.faults = 0;
		if (apply && plan) {
			s.kvm = replay_kvm(apply);
			subject_apply_faults(&s, subject_names[i], plan);
		}
		printf("%s: %u faults, %d wrong\n", subject_names[i], s.faults, s.failures);
		CHECK(s.failures == 0, "%s", subject_names[i]);
		gcpu_plan_free(plan);
		replay_free(apply);
	}
	gcpu_snapshot_free(snap);
	replay_free(r);
	return unit_end();
}

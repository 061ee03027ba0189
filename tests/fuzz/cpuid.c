/* SPDX-License-Identifier: MIT */
/* CPUID of a bare CPU as text: computed for every kernel series, written, read again, planned upon, and a guest given it. */
#include "fuzz.h"

#include "run/machine.h"

#include <guestcpu/model.h>

#include <string.h>

static const char *const series[] = { "6.1", "6.12", "6.18", "7.2" };

/* A guest of one vCPU, on a software KVM over what was computed, as another kernel's, too. */
static void guest(const struct gcpu_kvm *kvm, int fd, const struct gcpu_snapshot *s)
{
	struct gcpu_error err = { 0 }, guest = { 0 };
	struct gcpu_request *req = NULL;
	struct run_machine *vm = NULL;
	struct gcpu_plan *p = NULL;
	struct gcpu_summary sum;
	struct gcpu_machine m;

	gcpu_machine_init(&m);
	MUST(gcpu_request_parse(GCPU_ARCH_X86, "host", &req, &err) == 0);
	if (gcpu_plan_make(s, req, &m, &p, &err) == 0 && run_machine_new(kvm, fd, p, NULL, &vm, &err) == 0 &&
	    run_machine_look(vm, 0, NULL, NULL, &guest, &err) == 0 && !guest.code)
		MUST(gcpu_verify(p, run_machine_views(vm), 1, NULL, NULL, &sum) == 0);
	MUST(!err.code || err.text[0]);
	run_machine_free(vm);
	gcpu_plan_free(p);
	gcpu_request_free(req);
}

static void model(const struct gcpu_snapshot *s, const char *kernel, bool trial)
{
	struct gcpu_probe_options o = { .size = sizeof(o), .no_trial = !trial };
	struct gcpu_model_options how = { .size = sizeof(how), .kernel = kernel };
	struct gcpu_snapshot *probed = NULL;
	struct gcpu_model *m = NULL;
	const struct gcpu_kvm *kvm;
	struct gcpu_error err;
	int fd, status = gcpu_model_new(s, &how, &m, &err);

	if (status) {
		fuzz_error(&err, status, 0);
		return;
	}
	kvm = gcpu_model_kvm(m);
	fd = kvm->ops->open(kvm->ctx, "/dev/kvm", 0);
	MUST(fd >= 0);
	status = gcpu_snapshot_probe(kvm, fd, &o, &probed, &err);
	if (status)
		fuzz_error(&err, status, 0);
	else
		guest(kvm, fd, probed);
	gcpu_snapshot_free(probed);
	gcpu_model_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t machine[5] = { 0, 2, 0, 0, 0 };
	int first = 0;

	for (size_t i = 0; i < sizeof(series) / sizeof(*series); i++) {
		struct gcpu_snapshot *s = NULL, *copy;
		struct gcpu_error err;
		int status = gcpu_snapshot_from_cpuid((const char *)data, size, series[i], NULL, &s, &err);

		/* what the text is does not depend on the kernel */
		MUST(i == 0 || status == first);
		first = status;
		if (status) {
			MUST(!s);
			fuzz_error(&err, status, size);
			continue;
		}
		copy = fuzz_again(s);
		MUST(gcpu_snapshot_is_computed(copy) == 1);
		gcpu_snapshot_free(copy);
		if (i == size % (sizeof(series) / sizeof(*series))) {
			fuzz_request(s, GCPU_ARCH_X86, "host", machine);
			model(s, NULL, size & 4);
			model(s, series[size / 8 % (sizeof(series) / sizeof(*series))], false);
		}
		gcpu_snapshot_free(s);
	}
	return 0;
}

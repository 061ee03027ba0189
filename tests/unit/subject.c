/* SPDX-License-Identifier: MIT */
#include "subject.h"

#include "core/snapshot.h"
#include "kvm/abi.h"
#include "kvm/abi_arm64.h"
#include "kvm/abi_x86.h"
#include "kvm/wrap.h"
#include "machine.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>

const char *const subject_names[SUBJECT_MACHINES] = { "kernel", "split" };

static const int errors[] = { EINVAL, ENOMEM, EBUSY };

struct gcpu_plan *subject_plan(const struct gcpu_snapshot *snap, unsigned i, struct gcpu_error *err)
{
	struct gcpu_machine m;
	struct gcpu_request *req;
	struct gcpu_plan *plan = NULL;

	gcpu_machine_init(&m);
	m.vcpus = 2;
	if (i == 1) {
		/* as many different steps as one machine can have */
		m.irqchip = GCPU_IRQCHIP_SPLIT;
		m.handles = 7;
		m.disable_exits = 2;
		m.accept_x2apic_ids = 1;
	}
	if (gcpu_request_parse(gcpu_snapshot_arch(snap), "host", &req, err))
		return NULL;
	if (gcpu_plan_make(snap, req, &m, &plan, err))
		plan = NULL;
	gcpu_request_free(req);
	return plan;
}

int subject_run(const struct gcpu_kvm *kvm, int kvm_fd, const struct gcpu_plan *plan, unsigned ms,
		struct gcpu_error *ret_guest, struct gcpu_error *err)
{
	struct gcpu_summary sum;
	struct run_machine *m;
	int status = run_machine_new(kvm, kvm_fd, plan, NULL, &m, err);

	if (status)
		return status;
	status = run_machine_look(m, ms, NULL, NULL, ret_guest, err);
	if (status == 0)
		status = gcpu_verify(plan, run_machine_views(m), gcpu_plan_vcpus(plan), NULL, NULL, &sum);
	run_machine_free(m);
	return status;
}

static int native_probe(const struct gcpu_kvm *kvm, int kvm_fd, struct gcpu_snapshot **ret,
			struct gcpu_error *err)
{
	return gcpu_snapshot_probe(kvm, kvm_fd, NULL, ret, err);
}

static int native_configure(const struct gcpu_kvm *kvm, int kvm_fd, const struct gcpu_plan *plan,
			    struct gcpu_error *err)
{
	struct run_machine *m;
	int status = run_machine_new(kvm, kvm_fd, plan, NULL, &m, err);

	if (status == 0)
		run_machine_free(m);
	return status;
}

const struct subject_calls subject_native = { native_probe, native_configure, subject_run };

static int say(struct subject *s, const char *where, unsigned nth, int error, const char *what,
	       const char *problem, const struct gcpu_error *err)
{
	s->failures++;
	printf("FAIL %s, operation %u (%s) with errno %d: %s; code %d, '%s'\n", where, nth,
	       what ? what : "none", error, problem, err ? err->code : 0, err ? err->text : "");
	return 1;
}

/* Names by which a sentence may call the operations that are no ioctls. */
static const struct {
	const char *what, *said;
} other_names[] = {
	{ "cpuid", "CPUID" }, { "perm", "arch_prctl" }, { "file", "/" }, { "mmap", "map" },
};

static bool names(const char *text, const char *what)
{
	for (size_t i = 0; i < sizeof(other_names) / sizeof(other_names[0]); i++)
		if (strcmp(what, other_names[i].what) == 0)
			return strstr(text, other_names[i].said) != NULL;
	return strstr(text, what) != NULL;
}

/* What must hold of every error, whatever failed. */
static void check_error(struct subject *s, const char *where, unsigned nth, int error,
			const char *what, int status, const struct gcpu_error *err)
{
	if (status != err->code)
		say(s, where, nth, error, what, "the code in err is another than the one returned", err);
	if (status != GCPU_ERR_KVM && status != GCPU_ERR_NO_KVM && status != GCPU_ERR_MEMORY)
		say(s, where, nth, error, what, "not a code of the environment", err);
	if (status == GCPU_ERR_KVM && err->os_error != error)
		say(s, where, nth, error, what, "another errno", err);
	if (!what || !names(err->text, what))
		say(s, where, nth, error, what, "err.text does not name the call", err);
}

static void check_fds(struct subject *s, const char *where, unsigned nth, int error,
		      const struct fault *f)
{
	if (fault_open_fds(f) != 1)
		say(s, where, nth, error, fault_what(f), "descriptors are left open", NULL);
	if (fault_stray_closes(f))
		say(s, where, nth, error, fault_what(f), "a descriptor was closed twice", NULL);
}

/* Does a snapshot say the same after a round trip? */
static bool is_whole(const struct gcpu_snapshot *snap)
{
	struct unit_text a = { 0 }, b = { 0 };
	struct gcpu_snapshot *again = NULL;
	bool same = gcpu_snapshot_write(snap, unit_write, &a) == 0 &&
		    gcpu_snapshot_parse(a.s, a.n, &again, NULL) == 0 &&
		    gcpu_snapshot_write(again, unit_write, &b) == 0 && a.n == b.n &&
		    memcmp(a.s, b.s, a.n) == 0;

	gcpu_snapshot_free(again);
	free(a.s);
	free(b.s);
	return same;
}

/* What a probe may do without: it then knows less, and says so. A lack of
 * memory is no measurement, so a trial must not take it for one. */
static bool may_survive(const char *what, int error)
{
	static const char *const always[] = { "KVM_CHECK_EXTENSION", "KVM_GET_TSC_KHZ",
					      "KVM_X86_GET_MCE_CAP_SUPPORTED",
					      "KVM_GET_DEVICE_ATTR", "perm", "file", "pin", "close" };
	static const char *const tried[] = { "KVM_SET_MSRS", "KVM_ENABLE_CAP", "KVM_CREATE_DEVICE",
					     "KVM_ARM_VCPU_INIT", "KVM_SET_ONE_REG", "KVM_GET_ONE_REG" };

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (strcmp(always[i], what) == 0)
			return true;
	for (size_t i = 0; i < sizeof(tried) / sizeof(tried[0]); i++)
		if (strcmp(tried[i], what) == 0)
			return error != ENOMEM;
	return false;
}

/* One run of a backend that is as new, with or without a fault. */
struct attempt {
	struct fault *fault;
	int fd, status;
	struct gcpu_error err;
};

static bool begin(struct subject *s, struct attempt *a, unsigned nth, int error)
{
	const struct gcpu_kvm *kvm;

	memset(a, 0, sizeof(*a));
	if (s->rewind)
		s->rewind(s->ctx);
	if (fault_new(s->kvm, &a->fault))
		return false;
	kvm = fault_kvm(a->fault);
	a->fd = kvm->ops->open(kvm->ctx, "/dev/kvm", O_RDWR | O_CLOEXEC);
	fault_arm(a->fault, FAULT_ALL, 0, nth, error);
	return a->fd >= 0;
}

static void end(struct attempt *a)
{
	const struct gcpu_kvm *kvm = fault_kvm(a->fault);

	if (a->fd >= 0)
		kvm->ops->close(kvm->ctx, a->fd);
	fault_free(a->fault);
}

static void probe_once(struct subject *s, unsigned nth, int error)
{
	struct gcpu_snapshot *snap = NULL;
	struct attempt a;
	const char *what;

	if (!begin(s, &a, nth, error)) {
		say(s, "probe", nth, error, NULL, "cannot be prepared", NULL);
		return;
	}
	a.status = s->calls->probe(fault_kvm(a.fault), a.fd, &snap, &a.err);
	what = fault_what(a.fault);
	if (!what)
		say(s, "probe", nth, error, what, "the run is another than the one before", &a.err);
	else if (a.status == 0 && !may_survive(what, error))
		say(s, "probe", nth, error, what, "the failure went unnoticed", &a.err);
	if (a.status == 0 && (!snap || !is_whole(snap)))
		say(s, "probe", nth, error, what, "the snapshot is not whole", &a.err);
	if (a.status && snap)
		say(s, "probe", nth, error, what, "a result in spite of the failure", &a.err);
	if (a.status)
		check_error(s, "probe", nth, error, what, a.status, &a.err);
	check_fds(s, "probe", nth, error, a.fault);
	if (a.status == 0)
		gcpu_snapshot_free(snap);
	end(&a);
	s->faults++;
}

void subject_probe_faults(struct subject *s, struct gcpu_snapshot **ret_snap)
{
	struct attempt a;
	unsigned n;

	*ret_snap = NULL;
	if (!begin(s, &a, 0, 0)) {
		say(s, "probe", 0, 0, NULL, "cannot be prepared", NULL);
		return;
	}
	a.status = s->calls->probe(fault_kvm(a.fault), a.fd, ret_snap, &a.err);
	n = fault_count(a.fault);
	check_fds(s, "probe", 0, 0, a.fault);
	end(&a);
	if (a.status) {
		say(s, "probe", 0, 0, NULL, "fails undisturbed", &a.err);
		return;
	}
	for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++)
		for (unsigned i = 1; i <= n; i++)
			probe_once(s, i, errors[e]);
}

/* The operations of configuring come first: CONFIGURES of them. */
static void apply_once(struct subject *s, const char *name, const struct gcpu_plan *plan,
		       unsigned configures, unsigned nth, int error)
{
	struct gcpu_error guest = { 0 };
	struct attempt a;
	const char *what;

	if (!begin(s, &a, nth, error)) {
		say(s, name, nth, error, NULL, "cannot be prepared", NULL);
		return;
	}
	a.status = s->calls->run(fault_kvm(a.fault), a.fd, plan, s->ms, &guest, &a.err);
	what = fault_what(a.fault);
	s->faults += what != NULL;
	if (nth <= configures) {
		if (!what)
			say(s, name, nth, error, what, "the run is another than the one before", &a.err);
		else if (a.status == 0)
			say(s, name, nth, error, what, "the failure went unnoticed", &a.err);
	}
	if (a.status)
		check_error(s, name, nth, error, what, a.status, &a.err);
	if (guest.code && !guest.text[0])
		say(s, name, nth, error, what, "the guest failed without a word", &guest);
	check_fds(s, name, nth, error, a.fault);
	end(&a);
}

/* How many operations it takes to configure, and in all. */
static bool measure(struct subject *s, const char *name, const struct gcpu_plan *plan,
		    unsigned *ret_configures, unsigned *ret_all)
{
	struct gcpu_error guest = { 0 };
	struct attempt a;

	if (!begin(s, &a, 0, 0))
		return !say(s, name, 0, 0, NULL, "cannot be prepared", NULL);
	/* what is left is closing */
	fault_arm(a.fault, FAULT_ALL & ~(1U << WRAP_CLOSE), 0, 0, 0);
	a.status = s->calls->configure(fault_kvm(a.fault), a.fd, plan, &a.err);
	*ret_configures = fault_count(a.fault);
	check_fds(s, name, 0, 0, a.fault);
	end(&a);
	if (a.status)
		return !say(s, name, 0, 0, NULL, "fails undisturbed", &a.err);
	if (!begin(s, &a, 0, 0))
		return !say(s, name, 0, 0, NULL, "cannot be prepared", NULL);
	a.status = s->calls->run(fault_kvm(a.fault), a.fd, plan, s->ms, &guest, &a.err);
	*ret_all = fault_count(a.fault);
	check_fds(s, name, 0, 0, a.fault);
	end(&a);
	if (a.status)
		return !say(s, name, 0, 0, NULL, "fails undisturbed", &a.err);
	return true;
}

void subject_apply_faults(struct subject *s, const char *name, const struct gcpu_plan *plan)
{
	unsigned configures, all;

	if (!measure(s, name, plan, &configures, &all))
		return;
	for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++)
		for (unsigned i = 1; i <= all; i++)
			apply_once(s, name, plan, configures, i, errors[e]);
}

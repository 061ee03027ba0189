/* SPDX-License-Identifier: MIT */
/*
 * The cases of conformance on three KVMs of a few lines: one refuses everything, one says yes to everything
 * and does nothing, and one does so that claims to have every capability. No case may pass on the first two, and
 * each must fail on one of the three: it is able to. And how a run ends.
 *
 *     conform            the test
 *     conform --list     the table of docs/conform.md
 */
#include "conform/conform.h"
#include "kvm/abi.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum fake { SAYS_NO, SAYS_YES, HAS_ALL, FAKES };

/* They ask for more before they begin: a mutant of tests/mutants shows each of them fail. */
static const char *const elsewhere[] = { "runtime:pv-unhalt-stripped", "ids:vm-wide", "ids:frozen", "ids:frozen-by-immediate-exit",
					 "ids:guest-sees", "fields:perfmon" };
static enum fake now;
static int open_fds;

static int fake_ioctl(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	(void)ctx, (void)fd, (void)arg;
	if (request == GK_CREATE_VM || request == GK_CREATE_VCPU) {
		if (now == SAYS_NO)
			return -EIO;
		open_fds++;
		return 1000;
	}
	if (request == GK_CHECK_EXTENSION && now == HAS_ALL)
		return 1;
	return now == SAYS_NO ? -EIO : 0;
}

static int fake_close(void *ctx, int fd)
{
	(void)ctx, (void)fd;
	open_fds--;
	return 0;
}

static int fake_mmap(void *ctx, size_t length, int fd, void **ret)
{
	(void)ctx, (void)length, (void)fd, (void)ret;
	return -ENOMEM;
}

static int fake_munmap(void *ctx, void *addr, size_t length)
{
	(void)ctx, (void)addr, (void)length;
	return 0;
}

static int fake_open(void *ctx, const char *path, int flags)
{
	(void)ctx, (void)path, (void)flags;
	return -EIO;
}

static int fake_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	(void)ctx, (void)leaf, (void)subleaf, (void)ret;
	return -ENOTSUP;
}

static int fake_perm(void *ctx, int code, uint64_t arg, uint64_t *ret)
{
	(void)ctx, (void)code, (void)arg, (void)ret;
	return -EIO;
}

static int fake_file(void *ctx, const char *path, char *buf, size_t size)
{
	(void)ctx, (void)path, (void)buf, (void)size;
	return -ENOENT;
}

static int fake_pin(void *ctx, int cpu)
{
	(void)ctx, (void)cpu;
	return 0;
}

static const struct gcpu_kvm_ops fake_ops = {
	.size = sizeof(fake_ops), .open = fake_open, .close = fake_close, .ioctl = fake_ioctl, .mmap = fake_mmap,
	.munmap = fake_munmap, .host_cpuid = fake_cpuid, .guest_perm = fake_perm, .read_host_file = fake_file,
	.pin = fake_pin,
};
static const struct gcpu_kvm fake = { &fake_ops, NULL };

#define CASES_MOST 400

struct totals {
	unsigned n, outcome[3], stop_after;
	bool *fails; /* by number: the case has failed on one of them */
};

static int count(void *ctx, const struct conform_result *r)
{
	struct totals *t = ctx;

	if (t->fails && t->n < CASES_MOST)
		t->fails[t->n] |= r->outcome == CONFORM_FAILED;
	t->n++;
	t->outcome[r->outcome]++;
	/* that there is a capability is all that a few ask */
	CHECK(r->outcome != CONFORM_PASSED || now == HAS_ALL, "%s passes on a KVM that says %s to everything", r->name,
	      now == SAYS_YES ? "yes" : "no");
	CHECK((r->outcome == CONFORM_FAILED) == (r->failed > 0 && r->n_failures > 0), "%s", r->name);
	CHECK((r->outcome == CONFORM_SKIPPED) <= (r->reason[0] != 0), "%s", r->name);
	return t->n == t->stop_after ? 77 : 0;
}

static void run(const struct gcpu_snapshot *snap, bool *fails)
{
	struct conform_options o = { .kvm = &fake, .kvm_fd = 3, .snapshot = snap, .visit = count };
	struct totals all = { .fails = fails }, some = { .stop_after = 2 };

	o.ctx = &all;
	CHECK(conform_run(&o, NULL) == 0, "%u cases", all.n);
	CHECK(all.n > 80 && all.n <= CASES_MOST, "%u cases", all.n);
	CHECK(open_fds == 0, "%d left open", open_fds);
	o.ctx = &some;
	CHECK(conform_run(&o, NULL) == 77 && some.n == 2, "%u cases", some.n);
}

static bool is_elsewhere(const char *name)
{
	for (unsigned i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		if (strcmp(name, elsewhere[i]) == 0)
			return true;
	return false;
}

static void on_fakes(const char *host)
{
	bool fails[CASES_MOST] = { false };
	struct gcpu_snapshot *snap = NULL;
	const char *name, *source;

	if (gcpu_snapshot_bundled(host, &snap, NULL)) {
		CHECK(false, "%s", host);
		return;
	}
	for (now = 0; now < FAKES; now++)
		run(snap, fails);
	for (unsigned i = 0; i < CASES_MOST && conform_case_at(gcpu_snapshot_arch(snap), i, &name, &source); i++)
		CHECK(fails[i] != is_elsewhere(name), "%s fails %s", name, fails[i] ? "here, too" : "on none of them");
	gcpu_snapshot_free(snap);
}

static void patterns(const struct gcpu_snapshot *snap)
{
	struct conform_options o = { .kvm = &fake, .kvm_fd = 3, .snapshot = snap, .visit = count };
	struct totals t = { 0 };
	struct gcpu_error err = { 0 };

	o.ctx = &t;
	o.only = "Cpuid_Set:siz*";
	CHECK(conform_run(&o, &err) == 0 && t.n == 1, "%u cases", t.n);
	o.only = "nothing-of-that-name";
	CHECK(conform_run(&o, &err) == GCPU_ERR_NAME && t.n == 1, "%u cases", t.n);
	CHECK(strstr(err.text, "nothing-of-that-name"), "%s", err.text);
}

/* Names are unique, of subject and what; sources are told. */
static void names(enum gcpu_arch arch)
{
	const char *name, *source, *other, *ignored;

	for (unsigned i = 0; conform_case_at(arch, i, &name, &source); i++) {
		CHECK(strchr(name, ':') && !strchr(name, ' ') && !strchr(name, '|'), "%s", name);
		CHECK(source[0] && !strchr(source, '|'), "%s", name);
		for (unsigned k = 0; k < i; k++) {
			conform_case_at(arch, k, &other, &ignored);
			CHECK(strcmp(name, other) != 0, "%s", name);
		}
	}
}

static int list(void)
{
	static const enum gcpu_arch arches[] = { GCPU_ARCH_X86, GCPU_ARCH_ARM64 };
	const char *name, *source;

	for (unsigned a = 0; a < 2; a++)
		for (unsigned i = 0; conform_case_at(arches[a], i, &name, &source); i++)
			printf("%s | `%s` | %s\n", gcpu_arch_name(arches[a]), name, source);
	return 0;
}

int main(int argc, char **argv)
{
	struct gcpu_snapshot *snap = NULL;

	if (argc > 1 && strcmp(argv[1], "--list") == 0)
		return list();
	if (gcpu_snapshot_bundled("x86-amd-max-6-12", &snap, NULL))
		return 1;
	names(GCPU_ARCH_X86);
	names(GCPU_ARCH_ARM64);
	on_fakes("x86-amd-max-6-12");
	on_fakes("arm64-kvm-max-6-12");
	now = SAYS_NO;
	patterns(snap);
	gcpu_snapshot_free(snap);
	return unit_end();
}

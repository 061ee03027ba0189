/* SPDX-License-Identifier: MIT */
/*
 * vCPUs that are not created yet: the phases of vCPUs pass over them, and carry out the same on
 * them later. A KVM of ours writes down which descriptor each call was for.
 */
#include "hosts.h"
#include "unit.h"

#include "kvm/abi.h"
#include "kvm/abi_x86.h"

#include <errno.h>

#define MOST 4096
#define VCPUS 4
#define FIRST_FD 10 /* of vCPU 0 */

static struct {
	struct {
		int fd;
		unsigned long request;
		uint32_t apic_id; /* KVM_SET_CPUID2: as leaf 1 tells it */
	} call[MOST];
	unsigned n;
	int refuses; /* a descriptor */
} log_;

static int write_down(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	const struct gk_cpuid2 *c = (const void *)arg;

	(void)ctx;
	if (log_.n == MOST)
		return -ENOSPC;
	log_.call[log_.n].fd = fd;
	log_.call[log_.n].request = request;
	for (uint32_t i = 0; request == GK_SET_CPUID2 && i < c->nent; i++)
		if (c->entries[i].function == 1)
			log_.call[log_.n].apic_id = c->entries[i].ebx >> 24;
	log_.n++;
	if (fd == log_.refuses)
		return -EBADF;
	return request == GK_SET_MSRS; /* how many were set */
}

static const struct gcpu_kvm_ops ops = { .size = sizeof(ops), .ioctl = write_down };
static const struct gcpu_kvm kvm = { &ops, NULL };

static struct gcpu_plan *plan(const struct gcpu_snapshot *snap)
{
	struct gcpu_request *req = NULL;
	struct gcpu_plan *p = NULL;
	struct gcpu_machine m;
	struct gcpu_error err;

	gcpu_machine_init(&m);
	m.vcpus = VCPUS;
	CHECK(gcpu_request_parse(gcpu_snapshot_arch(snap), "host", &req, &err) == 0, "%s", err.text);
	CHECK(gcpu_plan_make(snap, req, &m, &p, &err) == 0, "%s", err.text);
	gcpu_request_free(req);
	return p;
}

/* Apply PHASE with the vCPUs of MASK there. */
static int apply(const struct gcpu_plan *p, enum gcpu_phase phase, unsigned mask, struct gcpu_error *err)
{
	int vcpus[VCPUS];
	struct gcpu_fds fds = { .size = sizeof(fds), .kvm = 3, .vm = 4, .vcpus = vcpus, .gic = -1 };

	for (int i = 0; i < VCPUS; i++)
		vcpus[i] = mask >> i & 1 ? FIRST_FD + i : -1 - i;
	log_.n = 0;
	return gcpu_plan_apply(p, phase, &kvm, &fds, err);
}

static unsigned calls_on(int fd)
{
	unsigned n = 0;

	for (unsigned i = 0; i < log_.n; i++)
		n += log_.call[i].fd == fd;
	return n;
}

struct due {
	enum gcpu_phase phase;
	unsigned n;
};

static int count(void *ctx, const struct gcpu_step *s)
{
	struct due *d = ctx;

	d->n += s->phase == d->phase;
	return 0;
}

/* Steps of a phase. */
static unsigned steps(const struct gcpu_plan *p, enum gcpu_phase phase)
{
	struct due due = { phase, 0 };

	CHECK(gcpu_plan_recipe(p, count, &due) == 0, "recipe");
	return due.n;
}

/* Each vCPU of every set gets all steps, its own, and no other gets any. */
static void each(const struct gcpu_plan *p, enum gcpu_phase phase)
{
	unsigned due = steps(p, phase);

	for (unsigned mask = 1; mask < 1U << VCPUS; mask++) {
		struct gcpu_error err = { 0 };
		unsigned there = 0;

		CHECK(apply(p, phase, mask, &err) == 0, "%x: %s", mask, err.text);
		for (unsigned i = 0; i < VCPUS; i++) {
			there += mask >> i & 1;
			CHECK(calls_on(FIRST_FD + (int)i) == (mask >> i & 1 ? due : 0),
			      "phase %d, %x: vCPU %u got %u calls of %u", (int)phase, mask, i,
			      calls_on(FIRST_FD + (int)i), due);
		}
		CHECK(log_.n == there * due, "%u calls", log_.n);
		for (unsigned i = 0; i < log_.n; i++)
			CHECK(log_.call[i].request != GK_SET_CPUID2 || log_.call[i].apic_id ==
			      gcpu_plan_vcpu_id(p, (unsigned)(log_.call[i].fd - FIRST_FD)),
			      "descriptor %d got id %u", log_.call[i].fd, log_.call[i].apic_id);
	}
}

/* All of it goes through the first that there is. */
static void once(const struct gcpu_plan *p)
{
	unsigned due = steps(p, GCPU_PHASE_VM_ONCE);

	for (unsigned mask = 1; mask < 1U << VCPUS; mask++) {
		struct gcpu_error err = { 0 };
		int first = FIRST_FD;

		while (!(mask >> (first - FIRST_FD) & 1))
			first++;
		CHECK(apply(p, GCPU_PHASE_VM_ONCE, mask, &err) == 0, "%x: %s", mask, err.text);
		CHECK(log_.n == due && calls_on(first) == due, "%x: %u of %u calls, %u of them on the first", mask,
		      log_.n, due, calls_on(first));
	}
}

/* Nobody is there: nothing is done, and that is no success. */
static void nobody(const struct gcpu_plan *p)
{
	for (int phase = GCPU_PHASE_ALL_VCPUS; phase <= GCPU_PHASE_VCPU; phase++) {
		struct gcpu_error err = { 0 };

		CHECK(apply(p, (enum gcpu_phase)phase, 0, &err) == GCPU_ERR_ARGUMENT && !log_.n,
		      "phase %d: %s", phase, err.text);
		CHECK(strstr(err.text, "no vCPU has been created"), "%s", err.text);
	}
}

/* What fails is named by the number that the vCPU has in the plan; those behind it get nothing. */
static void failure(const struct gcpu_plan *p, enum gcpu_phase phase)
{
	struct gcpu_error err = { 0 };

	log_.refuses = FIRST_FD + 2;
	CHECK(apply(p, phase, 0xd, &err) == GCPU_ERR_KVM && err.os_error == EBADF, "%s", err.text);
	CHECK(strncmp(err.text, "vCPU 2: ", 8) == 0, "%s", err.text);
	CHECK(calls_on(FIRST_FD) && calls_on(FIRST_FD + 2) == 1 && !calls_on(FIRST_FD + 3), "calls");
	log_.refuses = 0;
}

int main(void)
{
	struct gcpu_snapshot *x86 = host_x86(), *arm64 = host_arm64();
	struct gcpu_plan *p = plan(x86), *q = plan(arm64);

	CHECK(steps(p, GCPU_PHASE_VCPU) > 1 && steps(q, GCPU_PHASE_ALL_VCPUS) > 1 &&
	      steps(q, GCPU_PHASE_VM_ONCE) > 1, "there is nothing to look at");
	each(p, GCPU_PHASE_VCPU);
	each(p, GCPU_PHASE_ALL_VCPUS);
	once(p);
	nobody(p);
	failure(p, GCPU_PHASE_VCPU);
	each(q, GCPU_PHASE_ALL_VCPUS);
	each(q, GCPU_PHASE_VCPU);
	once(q);
	nobody(q);
	failure(q, GCPU_PHASE_ALL_VCPUS);
	gcpu_plan_free(p);
	gcpu_plan_free(q);
	gcpu_snapshot_free(x86);
	gcpu_snapshot_free(arm64);
	return unit_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * The software KVM: probe, plan and apply for one vCPU, from nothing; and how the time of a VM grows
 * with its vCPUs, a tenth of them as the reference.
 */
#include "bench.h"

#include <guestcpu/guestcpu.h>
#include <stdio.h>
#include <stdlib.h>

#define SAMPLES 301
#define MANY 1000

static const char *const host_name = "x86-amd-rome-6-12";

/* A VM of PLAN on the model: 0, or what failed. */
static int make(const struct gcpu_kvm *kvm, int system, const struct gcpu_plan *plan)
{
	const struct gcpu_kvm_ops *o = kvm->ops;
	unsigned n = gcpu_plan_vcpus(plan);
	int *vcpus = malloc(n * sizeof(*vcpus)), status;
	struct gcpu_fds fds = { .size = sizeof(fds), .kvm = system, .vcpus = vcpus, .gic = -1 };
	static const enum gcpu_phase phases[] = { GCPU_PHASE_ALL_VCPUS, GCPU_PHASE_VM_ONCE, GCPU_PHASE_VCPU };

	if (!vcpus)
		return GCPU_ERR_MEMORY;
	status = gcpu_plan_apply(plan, GCPU_PHASE_PROCESS, kvm, &fds, NULL);
	fds.vm = o->ioctl(kvm->ctx, system, 0xae01 /* KVM_CREATE_VM */, 0);
	if (status == 0 && fds.vm >= 0)
		status = gcpu_plan_apply(plan, GCPU_PHASE_VM, kvm, &fds, NULL);
	for (unsigned i = 0; i < n && status == 0; i++) {
		vcpus[i] = o->ioctl(kvm->ctx, fds.vm, 0xae41 /* KVM_CREATE_VCPU */, gcpu_plan_vcpu_id(plan, i));
		status = vcpus[i] < 0 ? vcpus[i] : 0;
	}
	for (unsigned i = 0; i < 3 && status == 0; i++)
		status = gcpu_plan_apply(plan, phases[i], kvm, &fds, NULL);
	for (unsigned i = 0; i < n && status == 0; i++)
		o->close(kvm->ctx, vcpus[i]);
	o->close(kvm->ctx, fds.vm);
	free(vcpus);
	return status;
}

/* Microseconds of all of it, or < 0. *ret_vm: of the VM alone. */
static double whole(const struct gcpu_snapshot *host, unsigned vcpus, double *ret_vm)
{
	struct gcpu_probe_options o = { .size = sizeof(o), .no_trial = 1, .one_cpu = 1 };
	struct gcpu_snapshot *snap = NULL;
	struct gcpu_request *req = NULL;
	struct gcpu_plan *plan = NULL;
	struct gcpu_model *model = NULL;
	struct gcpu_machine machine;
	double start = bench_now(), took = -1, at;
	int system;

	gcpu_machine_init(&machine);
	machine.vcpus = vcpus;
	machine.accept_x2apic_ids = vcpus > 255;
	if (gcpu_model_new(host, NULL, &model, NULL) == 0 &&
	    (system = gcpu_model_kvm(model)->ops->open(gcpu_model_kvm(model)->ctx, "/dev/kvm", 0)) >= 0 &&
	    gcpu_snapshot_probe(gcpu_model_kvm(model), system, &o, &snap, NULL) == 0 &&
	    gcpu_request_parse(GCPU_ARCH_X86, "host", &req, NULL) == 0 &&
	    gcpu_plan_make(snap, req, &machine, &plan, NULL) == 0) {
		at = bench_now();
		if (make(gcpu_model_kvm(model), system, plan) == 0) {
			took = bench_now() - start;
			*ret_vm = bench_now() - at;
		}
	}
	gcpu_plan_free(plan);
	gcpu_request_free(req);
	gcpu_snapshot_free(snap);
	gcpu_model_free(model);
	return took;
}

/* Lower quartile of N runs. */
static double typical(const struct gcpu_snapshot *host, unsigned vcpus, unsigned n, double *ret_vm)
{
	static double all[SAMPLES], vm[SAMPLES];

	for (unsigned i = 0; i < n; i++) {
		all[i] = whole(host, vcpus, &vm[i]);
		if (all[i] < 0)
			return -1;
	}
	*ret_vm = bench_typical(vm, n);
	return bench_typical(all, n);
}

int main(void)
{
	struct gcpu_snapshot *host;
	double one, vm, tenth = 0, many = 0;

	if (gcpu_snapshot_bundled(host_name, &host, NULL))
		return BENCH_BROKEN;
	one = typical(host, 1, SAMPLES, &vm);
	if (one < 0 || typical(host, MANY / 10, 21, &tenth) < 0 || typical(host, MANY, 11, &many) < 0) {
		fprintf(stderr, "%s: no VM\n", host_name);
		gcpu_snapshot_free(host);
		return BENCH_BROKEN;
	}
	bench_head();
	bench_row_below("model: probe, plan, apply, one vCPU", one, 0, "us", 100);
	bench_row("model: a VM of 1000 vCPUs: ten of 100", many, 10 * tenth, "us", BENCH_AT_MOST, 1.5);
	gcpu_snapshot_free(host);
	return bench_status();
}

/* SPDX-License-Identifier: MIT */
/*
 * A unit test of a VMM's CPU code, without the CPU, the kernel or /dev/kvm: what would its guest see on
 * that host, under that kernel? The VMM reaches KVM through operations that a test can replace.
 *
 *     cc vmm_test.c -o vmm_test $(pkg-config --cflags --libs guestcpu) && ./vmm_test
 */
#include <guestcpu/guestcpu.h>
#include <linux/kvm.h>
#include <stdio.h>

/* The code under test: a VM with one vCPU, as PLAN says. The vCPU's descriptor, or -1. */
static int vmm_make_vcpu(const struct gcpu_kvm *kvm, const struct gcpu_plan *plan)
{
	int vcpu = -1, system = kvm->ops->open(kvm->ctx, "/dev/kvm", 0);
	struct gcpu_fds fds = { .size = sizeof(fds), .kvm = system, .vcpus = &vcpu, .gic = -1 };

	if (gcpu_plan_apply(plan, GCPU_PHASE_PROCESS, kvm, &fds, NULL))
		return -1;
	fds.vm = kvm->ops->ioctl(kvm->ctx, system, KVM_CREATE_VM, 0);
	if (fds.vm < 0 || gcpu_plan_apply(plan, GCPU_PHASE_VM, kvm, &fds, NULL))
		return -1;
	vcpu = kvm->ops->ioctl(kvm->ctx, fds.vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0 || gcpu_plan_apply(plan, GCPU_PHASE_ALL_VCPUS, kvm, &fds, NULL) ||
	    gcpu_plan_apply(plan, GCPU_PHASE_VM_ONCE, kvm, &fds, NULL) ||
	    gcpu_plan_apply(plan, GCPU_PHASE_VCPU, kvm, &fds, NULL))
		return -1;
	return vcpu;
}

/* The test: does the guest find AVX2, and is MSR_KVM_PV_EOI_EN (0x4b564d04) refused, which it was not given? */
static int test(const char *host_name, const char *kernel)
{
	struct gcpu_model_options options = { .size = sizeof(options), .kernel = kernel };
	struct gcpu_guest_op ops[] = {
		{ .code = GCPU_GUEST_CPUID, .arg = { 7, 0 } },
		{ .code = GCPU_GUEST_WRMSR, .arg = { 0x4b564d04, 1 } },
	};
	struct gcpu_snapshot *host = NULL;
	struct gcpu_request *request = NULL;
	struct gcpu_plan *plan = NULL;
	struct gcpu_model *model = NULL;
	const struct gcpu_kvm *kvm;
	int vcpu = -1, failed = 1;

	if (gcpu_snapshot_bundled(host_name, &host, NULL) == 0 &&
	    gcpu_model_new(host, &options, &model, NULL) == 0 &&
	    gcpu_request_parse(GCPU_ARCH_X86, "host,-kvm-pv-eoi", &request, NULL) == 0 &&
	    gcpu_plan_make(gcpu_model_host(model), request, NULL, &plan, NULL) == 0) {
		kvm = gcpu_model_kvm(model);
		vcpu = vmm_make_vcpu(kvm, plan);
		if (vcpu >= 0 && gcpu_model_guest(model, vcpu, ops, 2) == 0) {
			/* -EINTR: the guest has nothing more to do */
			kvm->ops->ioctl(kvm->ctx, vcpu, KVM_RUN, 0);
			failed = !(ops[0].res[1] >> 5 & 1) || ops[1].status != GCPU_GUEST_FAULT;
		}
	}
	printf("%s, Linux %s: %s\n", host_name, kernel, failed ? "FAILED" : "ok");
	gcpu_plan_free(plan);
	gcpu_request_free(request);
	gcpu_model_free(model);
	gcpu_snapshot_free(host);
	return failed;
}

int main(void)
{
	return test("x86-amd-rome-6-12", "6.1") + test("x86-amd-rome-6-12", "6.12") +
	       test("x86-amd-max-6-12", "7.2") ? 1 : 0;
}

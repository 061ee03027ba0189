/* SPDX-License-Identifier: MIT */
/*
 * A small VMM: plans the CPU of its guest, gives it, and lets every vCPU say what it sees.
 *
 *     cc vmm.c -o vmm $(pkg-config --cflags --libs guestcpu)
 *     ./vmm [REQUEST [VCPUS]]                             ./vmm host,-kvm-pv-eoi 2
 */
#include <fcntl.h>
#include <guestcpu/guestcpu.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define MOST 16		/* vCPUs */
#define ROOM 0x10000u	/* of the guest's memory for the code of each, from address 0 */
#define QUESTIONS 1024u /* that find room there */

struct vcpu {
	int fd;
	struct gcpu_view *view; /* what is planned, what KVM says, what the guest sees */
	unsigned char *code;
	struct gcpu_question asked[QUESTIONS];
	unsigned n;
};

static void need(int good, const char *what, const char *why)
{
	if (!good) {
		fprintf(stderr, "vmm: %s: %s\n", what, why);
		exit(1);
	}
}

static int call(int fd, unsigned long request, void *arg, const char *what)
{
	int ret = ioctl(fd, request, arg);

	need(ret >= 0, what, "KVM refuses");
	return ret;
}

static int say(void *ctx, const struct gcpu_finding *f)
{
	(void)ctx;
	printf("%s: %s\n", f->severity, f->text);
	return 0;
}

/* The guest's code: put a question into it, where it begins, what it answers. */
#ifdef __x86_64__
#include "vmm_x86.h"
#else
#include "vmm_arm64.h"
#endif

static void boot(struct vcpu *v, uint32_t address, size_t run_size)
{
	struct kvm_run *run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	struct kvm_mp_state awake = { .mp_state = KVM_MP_STATE_RUNNABLE };

	need(run != MAP_FAILED, "vCPU", "cannot be mapped");
	call(v->fd, KVM_SET_MP_STATE, &awake, "KVM_SET_MP_STATE");
	set_start(v->fd, address);
	for (unsigned i = 0; i < v->n; i++) {
		call(v->fd, KVM_RUN, NULL, "KVM_RUN");
		take_answer(v, run, &v->asked[i]);
	}
	munmap(run, run_size);
}

int main(int argc, char **argv)
{
	int kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), vcpu_fds[MOST];
	struct gcpu_fds fds = { .size = sizeof(fds), .kvm = kvm_fd, .vcpus = vcpu_fds };
	const struct gcpu_kvm *kvm = gcpu_kvm_real();
	struct gcpu_snapshot *snapshot;
	struct gcpu_request *request;
	struct gcpu_machine machine;
	struct gcpu_view *views[MOST];
	struct gcpu_summary sum;
	struct gcpu_plan *plan;
	struct gcpu_error err;

	/* Measure the KVM of this host, read the user's request, say what this VMM is: decide. */
	need(kvm_fd >= 0, "/dev/kvm", "cannot be opened");
	need(!gcpu_snapshot_probe(kvm, kvm_fd, NULL, &snapshot, &err), "probe", err.text);
	need(!gcpu_request_parse(gcpu_arch_native(), argc > 1 ? argv[1] : "host", &request, &err), "request", err.text);
	gcpu_machine_init(&machine);
	machine.gic = GCPU_GIC_NONE; /* arm64: this guest takes no interrupts */
	machine.vcpus = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
	need(machine.vcpus >= 1 && machine.vcpus <= MOST, "VCPUS", "not 1 to 16");
	need(!gcpu_plan_make(snapshot, request, &machine, &plan, &err), "plan", err.text);
	gcpu_plan_findings(plan, say, NULL);

	/* Give it, each phase at its time. A plan that is refused ends at the first. */
	need(!gcpu_plan_apply(plan, GCPU_PHASE_PROCESS, kvm, &fds, &err), "process", err.text);
	fds.vm = call(kvm_fd, KVM_CREATE_VM, NULL, "KVM_CREATE_VM");
	need(!gcpu_plan_apply(plan, GCPU_PHASE_VM, kvm, &fds, &err), "VM", err.text);
	for (unsigned i = 0; i < machine.vcpus; i++)
		vcpu_fds[i] = call(fds.vm, KVM_CREATE_VCPU, (void *)(uintptr_t)gcpu_plan_vcpu_id(plan, i), "vCPU");
	for (int phase = GCPU_PHASE_ALL_VCPUS; phase <= GCPU_PHASE_VCPU; phase++)
		need(!gcpu_plan_apply(plan, (enum gcpu_phase)phase, kvm, &fds, &err), "vCPUs", err.text);

	/* Memory. Then on each vCPU: read back, make code of what its guest should read, boot. */
	unsigned char *memory = mmap(NULL, MOST * ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region ram = { .memory_size = MOST * ROOM, .userspace_addr = (uintptr_t)memory };

	need(memory != MAP_FAILED, "memory", "none left");
	call(fds.vm, KVM_SET_USER_MEMORY_REGION, &ram, "KVM_SET_USER_MEMORY_REGION");
	for (unsigned i = 0; i < machine.vcpus; i++) {
		static struct vcpu v;

		v = (struct vcpu){ .fd = vcpu_fds[i], .code = memory + i * ROOM };
		need(!gcpu_view_new(plan, i, &v.view), "view", "no memory");
		need(!gcpu_plan_readback(plan, kvm, v.fd, v.view, &err), "read-back", err.text);
		gcpu_view_questions(v.view, ask, &v);
		printf("vCPU %u, id %u, sees\n", i, gcpu_plan_vcpu_id(plan, i));
		boot(&v, i * ROOM, (size_t)call(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, NULL, "run size"));
		views[i] = v.view;
	}

	/* Judge: did the guest see the plan? */
	need(!gcpu_verify(plan, views, machine.vcpus, NULL, NULL, &sum), "verify", "no memory");
	printf("%u as planned, %u changed by this KVM as foretold, %u not read, %u wrong\n",
	       sum.matched + sum.runtime, sum.overridden, sum.untested, sum.mismatched);
	for (unsigned i = 0; i < machine.vcpus; i++)
		gcpu_view_free(views[i]);
	gcpu_plan_free(plan);
	gcpu_request_free(request);
	gcpu_snapshot_free(snapshot); /* last: the plan reads it; the descriptors close with us */
	return sum.mismatched || sum.contradicted;
}

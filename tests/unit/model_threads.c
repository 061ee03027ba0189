/* SPDX-License-Identifier: MIT */
/*
 * One software KVM and many threads, as a VMM has one for each vCPU: all of them find what one alone would.
 * Built with -Db_sanitize=thread it shows who looks without the lock.
 */
#include "unit.h"

#include "kvm/abi.h"
#include "kvm/abi_arm64.h"
#include "kvm/abi_x86.h"

#include <guestcpu/model.h>

#include <errno.h>
#include <pthread.h>

#define THREADS 4
#define ROUNDS 50
#define ENTRIES 256

static const struct gcpu_kvm *kvm;
static struct gcpu_model *model;
static int vm;
static bool x86;

static int call(int fd, unsigned long request, const void *arg)
{
	return kvm->ops->ioctl(kvm->ctx, fd, request, (uintptr_t)arg);
}

/* A throw-away VM beside the others. */
static void beside(void)
{
	int system = kvm->ops->open(kvm->ctx, "/dev/kvm", 0), other = call(system, GK_CREATE_VM, NULL);
	int vcpu = call(other, GK_CREATE_VCPU, NULL);
	uint32_t regs[4];
	uint64_t perm;
	void *page;

	CHECK(system >= 0 && other >= 0 && vcpu >= 0, "%d %d %d", system, other, vcpu);
	CHECK(kvm->ops->mmap(kvm->ctx, 4096, vcpu, &page) == 0 && kvm->ops->munmap(kvm->ctx, page, 4096) == 0, "run page");
	CHECK(kvm->ops->close(kvm->ctx, other) == 0 && kvm->ops->close(kvm->ctx, vcpu) == 0 &&
	      kvm->ops->close(kvm->ctx, system) == 0, "close");
	kvm->ops->pin(kvm->ctx, 0);
	if (!x86)
		return;
	CHECK(kvm->ops->host_cpuid(kvm->ctx, 0, 0, regs) == 0 && regs[0], "CPUID");
	CHECK(kvm->ops->guest_perm(kvm->ctx, GK_ARCH_GET_XCOMP_GUEST_PERM, 0, &perm) == 0, "permission");
}

static void tables(int vcpu, size_t *room)
{
	struct gk_arm_vcpu_init init;
	struct gk_cpuid2 *t = (void *)room;
	int system;

	if (!x86) {
		CHECK(call(vm, GK_ARM_PREFERRED_TARGET, &init) == 0 && call(vcpu, GK_ARM_VCPU_INIT, &init) == 0, "init");
		room[0] = ENTRIES * 4;
		CHECK(call(vcpu, GK_GET_REG_LIST, room) == 0, "registers");
		return;
	}
	system = kvm->ops->open(kvm->ctx, "/dev/kvm", 0);
	t->nent = ENTRIES;
	CHECK(call(system, GK_GET_SUPPORTED_CPUID, t) == 0, "KVM_GET_SUPPORTED_CPUID");
	CHECK(call(vcpu, GK_SET_CPUID2, t) == 0, "KVM_SET_CPUID2");
	kvm->ops->close(kvm->ctx, system);
}

static void *one(void *arg)
{
	int vcpu = call(vm, GK_CREATE_VCPU, arg);
	size_t *room = calloc(ENTRIES, 40 + sizeof(size_t));

	CHECK(vcpu >= 0 && room, "KVM_CREATE_VCPU: %d", vcpu);
	tables(vcpu, room);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct gcpu_guest_op op = { .code = x86 ? GCPU_GUEST_CPUID : GCPU_GUEST_MRS, .arg = { x86 ? 0 : 0xc000 } };

		beside();
		CHECK(gcpu_model_guest(model, vcpu, &op, 1) == 0, "list");
		CHECK(call(vcpu, GK_RUN, NULL) == -EINTR, "KVM_RUN");

		CHECK(op.status == GCPU_GUEST_DONE && op.res[0], "%u", op.status);
		gcpu_model_guest(model, vcpu, NULL, 0);
	}
	free(room);
	return NULL;
}

static void all(const char *host)
{
	struct gcpu_snapshot *snap;
	pthread_t t[THREADS];
	struct gcpu_error err;
	int system;

	CHECK(gcpu_snapshot_bundled(host, &snap, &err) == 0, "%s", err.text);
	CHECK(gcpu_model_new(snap, NULL, &model, &err) == 0, "%s", err.text);
	x86 = gcpu_snapshot_arch(snap) == GCPU_ARCH_X86;
	kvm = gcpu_model_kvm(model);
	system = kvm->ops->open(kvm->ctx, "/dev/kvm", 0);
	vm = call(system, GK_CREATE_VM, NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, one, (void *)i))
			exit(1);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	gcpu_model_free(model);
	gcpu_snapshot_free(snap);
}

int main(void)
{
	all("x86-amd-rome-6-12");
	all("arm64-kvm-neoverse-n1-6-12");
	return unit_end();
}

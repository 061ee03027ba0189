/* SPDX-License-Identifier: MIT */
/* A software KVM and memory that is not as it should be: read-only, taken away, or more than there is. */
#define _GNU_SOURCE 1 /* MAP_FIXED_NOREPLACE */
#include "unit.h"

#include "core/snapshot.h"
#include "core/plan.h"
#include "kvm/abi.h"

#include <guestcpu/model.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define SIZE 8192U
#define BASE 0x10000U

struct fixture {
	struct gcpu_snapshot *snap;
	struct gcpu_model *model;
	const struct gcpu_kvm *kvm;
	int system, vm;
};

static int call(const struct fixture *f, int fd, unsigned long request, uintptr_t arg)
{
	return f->kvm->ops->ioctl(f->kvm->ctx, fd, request, arg);
}

static void set_up(struct fixture *f, const char *host)
{
	struct gcpu_error err;

	CHECK(gcpu_snapshot_bundled(host, &f->snap, &err) == 0, "%s", err.text);
	CHECK(gcpu_model_new(f->snap, NULL, &f->model, &err) == 0, "%s", err.text);
	f->kvm = gcpu_model_kvm(f->model);
	f->system = f->kvm->ops->open(f->kvm->ctx, "/dev/kvm", 0);
	f->vm = call(f, f->system, GK_CREATE_VM, 0);
	CHECK(f->vm >= 0, "KVM_CREATE_VM: %d", f->vm);
}

static void tear_down(struct fixture *f)
{
	gcpu_model_free(f->model);
	gcpu_snapshot_free(f->snap);
}

/* A write to a read-only slot is the VMM's; memory that it has unmapped is nobody's, and the guest does not get by. */
static void guest_memory(void)
{
	struct gcpu_guest_op ops[] = {
		{ .code = GCPU_GUEST_LOAD, .arg = { BASE + 1, 8 } },
		{ .code = GCPU_GUEST_STORE, .arg = { BASE + 1, 8, 1 } },
		{ .code = GCPU_GUEST_LOAD, .arg = { BASE, 8 } },
	};
	struct gk_userspace_memory_region r = { 0, GK_MEM_READONLY, BASE, SIZE, 0 };
	struct fixture f;
	struct gk_run *run;
	void *at, *page = NULL;
	int vcpu;

	set_up(&f, "x86-amd-rome-6-12");
	at = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r.userspace_addr = (uintptr_t)at;
	CHECK(at != MAP_FAILED && call(&f, f.vm, GK_SET_USER_MEMORY_REGION, (uintptr_t)&r) == 0, "slot");
	vcpu = call(&f, f.vm, GK_CREATE_VCPU, 0);
	CHECK(f.kvm->ops->mmap(f.kvm->ctx, 4096, vcpu, &page) == 0, "run page");
	CHECK((uintptr_t)page % 4096 == 0, "the run page is at %p", page);
	run = page;
	CHECK(gcpu_model_guest(f.model, vcpu, ops, 3) == 0, "list");
	CHECK(call(&f, vcpu, GK_RUN, 0) == 0 && run->exit_reason == GK_EXIT_MMIO, "exit %u", run->exit_reason);
	CHECK(run->mmio.is_write && run->mmio.phys_addr == BASE + 1, "the write");
	CHECK(ops[0].status == GCPU_GUEST_DONE, "the read: %u", ops[0].status);
	/* what is gone: the run fails, and the next one finds what is there by then */
	munmap(at, SIZE);
	CHECK(call(&f, vcpu, GK_RUN, 0) == -EFAULT, "memory is gone");
	CHECK(call(&f, vcpu, GK_RUN, 0) == -EFAULT && ops[2].status == GCPU_GUEST_PENDING, "it is still gone");
	CHECK(mmap(at, SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == at, "back");
	CHECK(call(&f, vcpu, GK_RUN, 0) == -EINTR && ops[2].status == GCPU_GUEST_DONE, "memory is back");
	/* a slot that may be written, of memory that may not */
	f.kvm->ops->ioctl(f.kvm->ctx, f.vm, GK_SET_USER_MEMORY_REGION,
			  (uintptr_t)&(struct gk_userspace_memory_region){ 1, 0, 2 * BASE, SIZE, (uintptr_t)at });
	ops[1].arg[0] = 2 * BASE;
	CHECK(gcpu_model_guest(f.model, vcpu, ops + 1, 1) == 0 && call(&f, vcpu, GK_RUN, 0) == -EFAULT, "read-only");
	mprotect(at, SIZE, PROT_READ | PROT_WRITE);
	CHECK(call(&f, vcpu, GK_RUN, 0) == -EINTR && ops[1].status == GCPU_GUEST_DONE, "and now it may");
	munmap(at, SIZE);
	/* it is there until nobody has it mapped, even if the vCPU and its VM are gone */
	f.kvm->ops->close(f.kvm->ctx, vcpu);
	f.kvm->ops->close(f.kvm->ctx, f.vm);
	memset(page, 0x55, 4096);
	CHECK(f.kvm->ops->munmap(f.kvm->ctx, page, 4096) == 0, "munmap of the run page");
	tear_down(&f);
}

/* No slot where no guest of this VM can address it; type 0 is 40 bits. */
static void addresses(void)
{
	static const struct {
		const char *host;
		unsigned bits;
		int error;
	} rows[] = { { "x86-amd-rome-6-12", 52, -EINVAL }, { "arm64-kvm-neoverse-n1-6-12", 40, -EFAULT } };

	for (unsigned i = 0; i < 2; i++) {
		struct gk_userspace_memory_region r = { 0, 0, UINT64_C(1) << rows[i].bits, SIZE, 0 };
		struct fixture f;

		set_up(&f, rows[i].host);
		CHECK(call(&f, f.vm, GK_SET_USER_MEMORY_REGION, (uintptr_t)&r) == rows[i].error, "%s: beyond", rows[i].host);
		r.guest_phys_addr -= SIZE;
		CHECK(call(&f, f.vm, GK_SET_USER_MEMORY_REGION, (uintptr_t)&r) == 0, "%s: at its end", rows[i].host);
		r.guest_phys_addr += SIZE;
		CHECK(call(&f, f.vm, GK_SET_USER_MEMORY_REGION, (uintptr_t)&r) == rows[i].error, "%s: moved beyond", rows[i].host);
		tear_down(&f);
	}
}

/* A snapshot may say anything about how many vCPUs there can be. */
static void ids(int most, int number, bool first)
{
	struct snap_cap caps[512];
	struct gcpu_error err;
	struct fixture f;
	void *was;

	set_up(&f, "x86-amd-rome-6-12");
	gcpu_model_free(f.model);
	was = f.snap->caps_vm.items;
	CHECK(f.snap->caps_vm.n <= 512, "%zu capabilities", f.snap->caps_vm.n);
	memcpy(caps, was, f.snap->caps_vm.n * sizeof(caps[0]));
	f.snap->caps_vm.items = (void *)caps;
	for (size_t i = 0; i < f.snap->caps_vm.n; i++) {
		struct snap_cap *c = &caps[i];

		c->value = c->number == CAP_MAX_VCPU_ID ? most : c->number == CAP_MAX_VCPUS ? number : c->value;
	}
	CHECK(gcpu_model_new(f.snap, NULL, &f.model, &err) == 0, "%s", err.text);
	f.kvm = gcpu_model_kvm(f.model);
	f.system = f.kvm->ops->open(f.kvm->ctx, "/dev/kvm", 0);
	f.vm = call(&f, f.system, GK_CREATE_VM, 0);
	CHECK(call(&f, f.vm, GK_CREATE_VCPU, INT32_MAX - 1) == -EINVAL, "a huge id");
	CHECK(call(&f, f.vm, GK_CREATE_VCPU, UINT32_MAX) == -EINVAL, "the last id");
	CHECK((call(&f, f.vm, GK_CREATE_VCPU, 0) >= 0) == first, "the first id");
	f.snap->caps_vm.items = was;
	tear_down(&f);
}

int main(void)
{
	guest_memory();
	addresses();
	ids(INT32_MAX, INT32_MAX, true);
	ids(0, -1, false);
	ids(-1, -1, false);
	ids(0, 0, false);
	return unit_end();
}

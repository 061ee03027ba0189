/* SPDX-License-Identifier: MIT */
/*
 * The guest port on this machine's KVM: every operation, on two vCPUs, and
 * what happens if something goes wrong. Exit status 0, 1, or 77 without KVM.
 */
#define _GNU_SOURCE 1
#include "live_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

int failures;

int live_ioctl(const struct live *l, int fd, unsigned long request, const void *arg)
{
	return l->kvm->ops->ioctl(l->kvm->ctx, fd, request, (uintptr_t)arg);
}

int live_run(const struct live *l, unsigned vcpu, struct guest_op *ops, size_t n, unsigned ms,
	     int expected, struct gcpu_error *err)
{
	const struct guest_port *port = run_guest_port(l->guest);
	struct gcpu_error own;
	int r;

	err = err ? err : &own;
	memset(err, 0, sizeof(*err));
	r = port->run(port->ctx, vcpu, ops, n, ms, err);
	if (r != expected) {
		failures++;
		printf("FAIL vCPU %u: result %d, expected %d: %s\n", vcpu, r, expected, err->text);
	}
	return r;
}

static void test_memory(struct live *l, unsigned vcpu)
{
	const uint64_t value = 0x8877665544332211;
	static const unsigned sizes[] = {1, 2, 4, 8};
	uint64_t address;
	unsigned char *here;
	size_t size, i;

	here = run_guest_scratch(l->guest, vcpu, &address, &size);
	for (i = 0; i < 4; i++) {
		const uint64_t mask = ~0ULL >> (64 - 8 * sizes[i]);
		struct guest_op ops[] = {
			{.code = GUEST_OP_STORE, .arg = {address + 16, sizes[i], value}},
			{.code = GUEST_OP_LOAD, .arg = {address + 16, sizes[i]}},
			{.code = GUEST_OP_LOAD, .arg = {address + 32, sizes[i]}},
			{.code = GUEST_OP_LOAD, .arg = {address, 3}},
		};
		uint64_t seen = 0;

		memcpy(here + 32, &value, 8);
		live_run(l, vcpu, ops, 4, 0, 0, NULL);
		memcpy(&seen, here + 16, sizes[i]);
		CHECK(seen == (value & mask), "store of %u bytes: %llx", sizes[i],
		      (unsigned long long)seen);
		CHECK(ops[1].res[0] == (value & mask), "load of %u bytes", sizes[i]);
		CHECK(ops[2].res[0] == (value & mask), "load of %u bytes of ours", sizes[i]);
		CHECK(ops[3].status == GUEST_STATUS_UNKNOWN, "load of 3 bytes: %u", ops[3].status);
	}
}

static void test_list(struct live *l, unsigned vcpu)
{
	static struct guest_op ops[1000];
	uint64_t address;
	size_t i, n = sizeof(ops) / sizeof(ops[0]), size;

	run_guest_scratch(l->guest, vcpu, &address, &size);
	memset(ops, 0, sizeof(ops));
	for (i = 0; i < n; i++) {
		ops[i].code = GUEST_OP_STORE;
		ops[i].arg[0] = address + 8 * i;
		ops[i].arg[1] = 8;
		ops[i].arg[2] = i;
		ops[i].status = 77;
	}
	live_run(l, vcpu, ops, n, 0, 0, NULL);
	for (i = 0; i < n; i++)
		CHECK(ops[i].status == GUEST_STATUS_DONE, "operation %zu of many: %u", i, ops[i].status);

	ops[400].code = GUEST_OP_END;
	ops[399].code = 12345;
	live_run(l, vcpu, ops, n, 0, 0, NULL);
	CHECK(ops[399].status == GUEST_STATUS_UNKNOWN, "unknown operation: %u", ops[399].status);
	CHECK(ops[400].status == GUEST_STATUS_DONE, "end: %u", ops[400].status);
	CHECK(ops[401].status == GUEST_STATUS_PENDING, "after the end: %u", ops[401].status);
	live_run(l, vcpu, NULL, 0, 0, 0, NULL);
	live_run(l, N_VCPUS, ops, 1, 0, GCPU_ERR_ARGUMENT, NULL);
}

/* Nothing wakes it; the next list must find it well again. */
static void test_timeout(struct live *l, unsigned vcpu)
{
	uint64_t address;
	size_t size;
	struct gcpu_error err;
	struct timespec a, b;
	long ms;

	run_guest_scratch(l->guest, vcpu, &address, &size);
	struct guest_op ops[] = {
		{.code = GUEST_OP_STORE, .arg = {address, 4, 5}},
		{.code = GUEST_OP_HALT},
		{.code = GUEST_OP_LOAD, .arg = {address, 4}},
	};

	clock_gettime(CLOCK_MONOTONIC, &a);
	live_run(l, vcpu, ops, 3, 100, GCPU_ERR_TIMEOUT, &err);
	clock_gettime(CLOCK_MONOTONIC, &b);
	ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
	printf("     halted: %s (%ld ms)\n", err.text, ms);
	CHECK(err.code == GCPU_ERR_TIMEOUT, "code %d", err.code);
	CHECK(ops[0].status == GUEST_STATUS_DONE && ops[1].status == GUEST_STATUS_PENDING &&
		      ops[2].status == GUEST_STATUS_PENDING,
	      "results so far: %u %u %u", ops[0].status, ops[1].status, ops[2].status);
	ops[1].code = GUEST_OP_END;
	live_run(l, vcpu, ops, 3, 0, 0, NULL);
}

/* Each call of the seam fails once, in turn. */
struct broken {
	const struct gcpu_kvm *below;
	int left; /* calls until it fails */
};

static int fails(struct broken *b)
{
	return __atomic_sub_fetch(&b->left, 1, __ATOMIC_RELAXED) == 0;
}

static int broken_ioctl(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	struct broken *b = ctx;

	return fails(b) ? -EIO : b->below->ops->ioctl(b->below->ctx, fd, request, arg);
}

static int broken_mmap(void *ctx, size_t length, int fd, void **ret)
{
	struct broken *b = ctx;

	return fails(b) ? -ENOMEM : b->below->ops->mmap(b->below->ctx, length, fd, ret);
}

static int whole_life(const struct gcpu_kvm *kvm, struct live *l)
{
	struct guest_op op = {.code = GUEST_OP_END};
	struct gcpu_error err = {0};
	struct run_guest *g = NULL;
	int r;

	r = run_guest_new(kvm, l->kvm_fd, l->vm_fd, l->vcpu_fd, l->vcpu_id, N_VCPUS, &g, &err);
	CHECK(!r == !!g, "result %d with%s a guest", r, g ? "" : "out");
	if (!r)
		r = run_guest_port(g)->run(g ? run_guest_port(g)->ctx : NULL, 0, &op, 1, 2000, &err);
	CHECK(r == err.code && !r == !err.text[0], "result %d, code %d: %s", r, err.code, err.text);
	run_guest_free(g);
	return r;
}

static void test_broken(struct live *l)
{
	struct gcpu_kvm_ops ops = *l->kvm->ops;
	struct broken b = {.below = l->kvm};
	const struct gcpu_kvm kvm = {.ops = &ops, .ctx = &b};
	int at, r = -1;

	ops.ioctl = broken_ioctl;
	ops.mmap = broken_mmap;
	ops.munmap = l->kvm->ops->munmap; /* takes no context */
	for (at = 1; at < 100; at++) {
		b.left = at;
		r = whole_life(&kvm, l);
		if (b.left > 0)
			break;
		/* the last call is the one that gives the slot back */
		CHECK(r || b.left == 0, "call %d failed, and nobody noticed", at);
	}
	CHECK(!r && at > 5 && at < 100, "still failing after %d calls: %d", at, r);
	printf("     %d calls of the seam, each failed once\n", at - 1);
}

int main(void)
{
	struct live l = {.kvm = gcpu_kvm_real(), .vcpu_fd = {-1, -1}, .vm_fd = -1};
	struct gcpu_error err = {0};
	unsigned i;
	int r;

	setvbuf(stdout, NULL, _IOLBF, 0);
	l.kvm_fd = l.kvm->ops->open(l.kvm->ctx, "/dev/kvm", O_RDWR | O_CLOEXEC);
	if (l.kvm_fd < 0) {
		printf("SKIP: guest-port: no usable /dev/kvm: %s\n", strerror(-l.kvm_fd));
		return 77;
	}
	r = arch_make(&l);
	if (r)
		return r;
	test_broken(&l);
	r = run_guest_new(l.kvm, l.kvm_fd, l.vm_fd, l.vcpu_fd, l.vcpu_id, N_VCPUS, &l.guest, &err);
	if (r) {
		printf("FAIL run_guest_new: %d %s\n", r, err.text);
		return 1;
	}
	for (i = 0; i < N_VCPUS; i++) {
		test_memory(&l, i);
		test_list(&l, i);
		test_timeout(&l, i);
	}
	arch_test(&l);
	arch_ruin(&l);
	run_guest_free(l.guest);
	run_guest_free(NULL);
	for (i = 0; i < N_VCPUS; i++)
		l.kvm->ops->close(l.kvm->ctx, l.vcpu_fd[i]);
	l.kvm->ops->close(l.kvm->ctx, l.vm_fd);
	l.kvm->ops->close(l.kvm->ctx, l.kvm_fd);
	printf("%s guest_port\n", failures ? "FAIL" : "PASS");
	return failures ? 1 : 0;
}

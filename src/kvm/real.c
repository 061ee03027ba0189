/* SPDX-License-Identifier: MIT */
/*
 * The real backend: the kernel of this machine. The only file that calls
 * ioctl(2).
 */
#define _GNU_SOURCE 1
#include <guestcpu/kvm.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi.h"
#include "real.h"

static int real_open(void *ctx, const char *path, int flags)
{
	int fd;

	(void)ctx;
	do {
		fd = open(path, flags);
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

static int real_close(void *ctx, int fd)
{
	(void)ctx;
	/* Linux has let go of the descriptor even if it says EINTR. */
	if (close(fd) < 0 && errno != EINTR)
		return -errno;
	return 0;
}

static int real_ioctl(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	int r;

	(void)ctx;
	/* To a caller of KVM_RUN a signal is news; it disturbs the others only. */
	do {
		r = ioctl(fd, request, arg);
	} while (r < 0 && errno == EINTR && request != GK_RUN);
	return r < 0 ? -errno : r;
}

static int real_mmap(void *ctx, size_t length, int fd, void **ret)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	void *p;

	(void)ctx;
	p = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, fd < 0 ? -1 : fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*ret = p;
	return 0;
}

static int real_munmap(void *ctx, void *addr, size_t length)
{
	(void)ctx;
	return munmap(addr, length) < 0 ? -errno : 0;
}

static int real_host_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	(void)ctx;
	return gcpu_real_cpuid(leaf, subleaf, ret);
}

static int real_guest_perm(void *ctx, int code, uint64_t arg, uint64_t *ret)
{
	(void)ctx;
	return gcpu_real_guest_perm(code, arg, ret);
}

static int real_read_host_file(void *ctx, const char *path, char *buf, size_t size)
{
	size_t done = 0;
	int fd, r = 0;

	fd = real_open(ctx, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fd;
	/* Files of /proc may come in pieces. */
	while (done < size) {
		ssize_t n = read(fd, buf + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = -errno;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	close(fd);
	return r ? r : (int)done;
}

/* 8192 CPUs, as many as Linux can be built for; cpu_set_t ends at 1024. */
#define MASK_WORDS (8192 / (8 * sizeof(unsigned long)))

static int real_pin(void *ctx, int cpu)
{
	static _Thread_local unsigned long at_first[MASK_WORDS];
	static _Thread_local int saved;
	unsigned long mask[MASK_WORDS] = {0};
	const size_t bits = 8 * sizeof(mask[0]);

	(void)ctx;
	if (cpu < -1 || cpu >= (int)(MASK_WORDS * bits))
		return -EINVAL;
	if (!saved) {
		if (cpu < 0)
			return 0;
		if (sched_getaffinity(0, sizeof(at_first), (cpu_set_t *)at_first) < 0)
			return -errno;
		saved = 1;
	}
	if (cpu < 0)
		memcpy(mask, at_first, sizeof(mask));
	else
		mask[(size_t)cpu / bits] = 1UL << ((size_t)cpu % bits);
	if (sched_setaffinity(0, sizeof(mask), (const cpu_set_t *)mask) < 0)
		return -errno;
	/* Somebody else may change it before we pin again. */
	if (cpu < 0)
		saved = 0;
	return 0;
}

static const struct gcpu_kvm_ops real_ops = {
	.size = sizeof(struct gcpu_kvm_ops),
	.open = real_open,
	.close = real_close,
	.ioctl = real_ioctl,
	.mmap = real_mmap,
	.munmap = real_munmap,
	.host_cpuid = real_host_cpuid,
	.guest_perm = real_guest_perm,
	.read_host_file = real_read_host_file,
	.pin = real_pin,
};

static const struct gcpu_kvm real_kvm = {.ops = &real_ops, .ctx = NULL};

const struct gcpu_kvm *gcpu_kvm_real(void)
{
	return &real_kvm;
}

/* SPDX-License-Identifier: MIT */
/**
 * The seam to KVM.
 *
 * The library reaches the kernel only through these operations, on file
 * descriptors that the caller opened and owns. gcpu_kvm_real() carries them
 * out on this machine; wrappers record, replay or break them.
 */
#ifndef GUESTCPU_KVM_H
#define GUESTCPU_KVM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Operations on the host. Every one returns -errno on failure. */
struct gcpu_kvm_ops {
	size_t size; /**< sizeof(struct gcpu_kvm_ops) of the caller; every member has to be set */
	/** Open a device (flags as open(2)): file descriptor or -errno. */
	int (*open)(void *ctx, const char *path, int flags);
	int (*close)(void *ctx, int fd);
	/** ioctl(2) with an integer or a pointer as argument: result >= 0 or -errno. */
	int (*ioctl)(void *ctx, int fd, unsigned long request, uintptr_t arg);
	/** Map LENGTH bytes of FD (or anonymous memory if FD < 0) read-write;
	 *  shared for a descriptor, private for memory. 0 or -errno. */
	int (*mmap)(void *ctx, size_t length, int fd, void **ret);
	int (*munmap)(void *ctx, void *addr, size_t length);
	/** CPUID of the CPU this thread runs on, eax..edx; -ENOTSUP off x86. */
	int (*host_cpuid)(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t ret[4]);
	/** arch_prctl(2) with an xcomp code (ARCH_*_XCOMP_*); *ret for GET codes. */
	int (*guest_perm)(void *ctx, int code, uint64_t arg, uint64_t *ret);
	/** Read a file of /proc or /sys: bytes read (at most size) or -errno. */
	int (*read_host_file)(void *ctx, const char *path, char *buf, size_t size);
	/** Pin this thread to host CPU number CPU, -1: as it was at first. */
	int (*pin)(void *ctx, int cpu);
};

/** A backend: operations and what they work on. Passed by pointer, never kept. */
struct gcpu_kvm {
	const struct gcpu_kvm_ops *ops;
	void *ctx;
};

/** The real one: this machine's kernel. Holds no resources. */
const struct gcpu_kvm *gcpu_kvm_real(void);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: MIT */
/* Is there a KVM to try things on? */
#ifndef TESTS_LIVE_LIVE_KVM_H
#define TESTS_LIVE_LIVE_KVM_H

#include <guestcpu/kvm.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "kvm/abi.h"

/* A descriptor of /dev/kvm; or -1, with the line that says why test NAME is skipped: it is not
 * there, it is something else, or it makes no VM, as where another hypervisor has the CPU. */
static inline int live_kvm(const struct gcpu_kvm *kvm, const char *name)
{
	int fd = kvm->ops->open(kvm->ctx, "/dev/kvm", O_RDWR | O_CLOEXEC);
	int version = fd < 0 ? fd : kvm->ops->ioctl(kvm->ctx, fd, GK_GET_API_VERSION, 0);
	int vm = version < 0 ? -1 : kvm->ops->ioctl(kvm->ctx, fd, GK_CREATE_VM, 0);

	if (vm >= 0) {
		kvm->ops->close(kvm->ctx, vm);
		return fd;
	}
	if (version < 0)
		printf("SKIP: %s: no usable /dev/kvm: %s\n", name, strerror(-version));
	else
		printf("SKIP: %s: /dev/kvm makes no VM: %s\n", name, strerror(-vm));
	if (fd >= 0)
		kvm->ops->close(kvm->ctx, fd);
	return -1;
}

#endif

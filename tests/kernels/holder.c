/* SPDX-License-Identifier: MIT */
/*
 * holder: keeps KVM's first and last VM away from the tests.
 *
 * The first and the last VM, vCPU without irqchip and software-disabled APIC
 * flip static keys in the kernel, that is, patch its text.  On two CPUs under
 * multi-threaded TCG that patching races and now and then kills the outer
 * kernel.  With one VM of each sort open for the whole session the keys stay
 * as they are.  Measured: without a holder up to half of the runs fail.
 *
 * holder READY-FILE: creates the VMs, creates READY-FILE, then sleeps for ever.
 */

#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int call(int fd, unsigned long request, unsigned long arg, const char *what)
{
	int ret = ioctl(fd, request, arg);

	if (ret < 0) {
		perror(what);
		exit(1);
	}
	return ret;
}

int main(int argc, char **argv)
{
	int kvm, bare, full, ready;

	if (argc != 2) {
		fputs("usage: holder READY-FILE\n", stderr);
		return 2;
	}
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0) {
		perror("/dev/kvm");
		return 1;
	}

	bare = call(kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM");
	call(bare, KVM_CREATE_VCPU, 0, "KVM_CREATE_VCPU without irqchip");

	full = call(kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM");
#ifdef __x86_64__
	call(full, KVM_CREATE_IRQCHIP, 0, "KVM_CREATE_IRQCHIP");
#endif
	call(full, KVM_CREATE_VCPU, 0, "KVM_CREATE_VCPU with irqchip");

	ready = open(argv[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (ready < 0) {
		perror(argv[1]);
		return 1;
	}
	close(ready);
	for (;;)
		pause();
}

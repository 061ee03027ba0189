/* SPDX-License-Identifier: MIT */
/*
 * What `guestcpu probe --no-trial` asks of an x86 KVM, asked with the system's own header and
 * nothing kept: bare [cpuid]. With "cpuid" it executes CPUID on every CPU too, as a probe must
 * to know what KVM leaves out; in a virtual machine each one costs an exit.
 */
#include <cpuid.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPABILITIES 320 /* as many numbers as the probe asks for */
#define XCOMP_GET_GUEST_PERM 0x1024

static union {
	struct kvm_cpuid2 table;
	struct kvm_msr_list list;
	struct kvm_msrs msrs;
	char room[1 << 16];
} b;

static volatile unsigned sink;

static void capabilities(int fd)
{
	for (int n = 1; n < CAPABILITIES; n++)
		sink += (unsigned)ioctl(fd, KVM_CHECK_EXTENSION, n);
}

static void table(int fd, unsigned long request)
{
	memset(&b, 0, sizeof(struct kvm_cpuid2) + 256 * sizeof(struct kvm_cpuid_entry2));
	b.table.nent = 256;
	sink += (unsigned)ioctl(fd, request, &b);
}

static unsigned one_cpuid(unsigned leaf, unsigned sub)
{
	unsigned eax, ebx, ecx, edx;

	__cpuid_count(leaf, sub, eax, ebx, ecx, edx);
	sink += eax;
	return eax | ebx | ecx | edx;
}

static void native(void)
{
	static const unsigned many[] = { 0x4, 0x7, 0xb, 0xd, 0xf, 0x10, 0x12, 0x14, 0x17, 0x18,
					 0x1a, 0x1b, 0x1d, 0x1f, 0x8000001d, 0x80000020 };

	for (unsigned class = 0; class <= 0x80000000U; class += 0x80000000U) {
		for (unsigned leaf = class, top = __get_cpuid_max(class, NULL); leaf <= top; leaf++) {
			one_cpuid(leaf, 0);
			for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++)
				for (unsigned sub = 1; leaf == many[i] && one_cpuid(leaf, sub); sub++)
					if (sub == 8)
						break;
		}
		if (class)
			break;
	}
}

/* Every CPU that this process may run on, as the probe does. */
static void visit_cpus(int kvm, int with_cpuid)
{
	cpu_set_t mine, one;

	sched_getaffinity(0, sizeof(mine), &mine);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &mine))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		if (with_cpuid)
			native();
		table(kvm, KVM_GET_SUPPORTED_CPUID);
	}
	sched_setaffinity(0, sizeof(mine), &mine);
}

static void msrs(int kvm)
{
	unsigned indices[256], n;

	b.list.nmsrs = 256;
	ioctl(kvm, KVM_GET_MSR_INDEX_LIST, &b);
	b.list.nmsrs = 256;
	if (ioctl(kvm, KVM_GET_MSR_FEATURE_INDEX_LIST, &b))
		return;
	n = b.list.nmsrs;
	memcpy(indices, b.list.indices, n * sizeof(indices[0]));
	for (unsigned i = 0; i < n; i++) {
		memset(&b, 0, sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry));
		b.msrs.nmsrs = 1;
		b.msrs.entries[0].index = indices[i];
		ioctl(kvm, KVM_GET_MSRS, &b);
	}
}

static void xcomp(int kvm)
{
	struct kvm_device_attr a = { .attr = 0 /* the state components that KVM supports */ };
	unsigned long long supported;

	a.addr = (unsigned long)&supported;
	ioctl(kvm, KVM_GET_DEVICE_ATTR, &a);
}

int main(int argc, char **argv)
{
	int with_cpuid = argc > 1 && strcmp(argv[1], "cpuid") == 0;
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, vcpu;
	unsigned long permitted;

	if (kvm < 0 || ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		perror("/dev/kvm");
		return 3;
	}
	capabilities(kvm);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	capabilities(vm);
	close(vm);
	xcomp(kvm);
	table(kvm, KVM_GET_SUPPORTED_CPUID);
	table(kvm, KVM_GET_EMULATED_CPUID);
	if (with_cpuid)
		native();
	visit_cpus(kvm, with_cpuid);
	msrs(kvm);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0) {
		perror("KVM_CREATE_VCPU");
		return 3;
	}
	sink += (unsigned)ioctl(vcpu, KVM_GET_TSC_KHZ, 0);
	xcomp(kvm);
	syscall(SYS_arch_prctl, XCOMP_GET_GUEST_PERM, &permitted);
	close(vcpu);
	close(vm);
	close(kvm);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * check: the trivial command of the tier's self-test.  Prints the KVM API
 * version and a few capabilities, then runs one instruction in a VM, ROUNDS
 * times, each time in a new VM.
 *
 * check [ROUNDS]
 */

#include <fcntl.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUEST_BASE 0x10000

static const struct {
	const char *name;
	int number;
} extensions[] = {
	{ "KVM_CAP_NR_VCPUS", KVM_CAP_NR_VCPUS },
	{ "KVM_CAP_MAX_VCPUS", KVM_CAP_MAX_VCPUS },
	{ "KVM_CAP_NR_MEMSLOTS", KVM_CAP_NR_MEMSLOTS },
	{ "KVM_CAP_ONE_REG", KVM_CAP_ONE_REG },
	{ "KVM_CAP_CHECK_EXTENSION_VM", KVM_CAP_CHECK_EXTENSION_VM },
	{ "KVM_CAP_X2APIC_API", KVM_CAP_X2APIC_API },
	{ "KVM_CAP_ARM_SVE", KVM_CAP_ARM_SVE },
};

static int call(int fd, unsigned long request, void *arg, const char *what)
{
	int ret = ioctl(fd, request, arg);

	if (ret < 0) {
		perror(what);
		exit(1);
	}
	return ret;
}

#ifdef __x86_64__

#define WANTED_EXIT KVM_EXIT_HLT

/* Real mode, one HLT. */
static void prepare(int vm, int vcpu, uint8_t *memory)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	(void)vm;
	memory[0] = 0xf4;
	call(vcpu, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
	sregs.cs.base = GUEST_BASE;
	sregs.cs.selector = GUEST_BASE >> 4;
	call(vcpu, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS");
	memset(&regs, 0, sizeof(regs));
	regs.rflags = 2;
	call(vcpu, KVM_SET_REGS, &regs, "KVM_SET_REGS");
}

#else

#define WANTED_EXIT KVM_EXIT_MMIO

/* One "str w0, [x1]" to address 0, where there is no memory. */
static void prepare(int vm, int vcpu, uint8_t *memory)
{
	static const uint32_t store = 0xb9000020;
	struct kvm_vcpu_init init;
	uint64_t pc = GUEST_BASE;
	struct kvm_one_reg reg = {
		.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |
		      KVM_REG_ARM_CORE_REG(regs.pc),
		.addr = (uintptr_t)&pc,
	};

	memcpy(memory, &store, sizeof(store));
	call(vm, KVM_ARM_PREFERRED_TARGET, &init, "KVM_ARM_PREFERRED_TARGET");
	call(vcpu, KVM_ARM_VCPU_INIT, &init, "KVM_ARM_VCPU_INIT");
	call(vcpu, KVM_SET_ONE_REG, &reg, "KVM_SET_ONE_REG pc");
}

#endif

static int run_guest(int kvm)
{
	int vm = call(kvm, KVM_CREATE_VM, NULL, "KVM_CREATE_VM");
	int vcpu = call(vm, KVM_CREATE_VCPU, NULL, "KVM_CREATE_VCPU");
	int size = call(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL, "KVM_GET_VCPU_MMAP_SIZE");
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct kvm_run *run;
	uint8_t *memory;
	int reason;

	memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (memory == MAP_FAILED || run == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = GUEST_BASE,
		.memory_size = page,
		.userspace_addr = (uintptr_t)memory,
	};

	call(vm, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
	prepare(vm, vcpu, memory);
	call(vcpu, KVM_RUN, NULL, "KVM_RUN");
	reason = (int)run->exit_reason;
	munmap(run, (size_t)size);
	munmap(memory, page);
	close(vcpu);
	close(vm);
	return reason;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1;
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0) {
		perror("/dev/kvm");
		return 3;
	}
	printf("KVM_GET_API_VERSION %d\n", ioctl(kvm, KVM_GET_API_VERSION, 0));
	for (unsigned int i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++)
		printf("%s %d\n", extensions[i].name,
		       ioctl(kvm, KVM_CHECK_EXTENSION, (unsigned long)extensions[i].number));
	for (int i = 0; i < rounds; i++) {
		int reason = run_guest(kvm);

		if (reason != WANTED_EXIT) {
			printf("guest exit %d in round %d, expected %d\n", reason, i, WANTED_EXIT);
			return 1;
		}
	}
	printf("guest ran %d\n", rounds);
	return 0;
}

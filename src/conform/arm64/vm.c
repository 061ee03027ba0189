/* SPDX-License-Identifier: MIT */
/* VMs: width of addresses, switches, masks, descriptors. KVM API 4.2, 4.37, 4.83, 4.139; arm.c, sys_regs.c. */
#include "arm64.h"

#include <string.h>

#define GUEST_PAGE_MOST 0x10000U
#define IPA_USUAL 40 /* bits of a VM of type 0 */

static int try_type(struct conform *c, unsigned long type)
{
	int fd = ask_number(c, c->kvm_fd, GK_CREATE_VM, type);

	if (fd >= 0)
		c->kvm->ops->close(c->kvm->ctx, fd);
	return fd;
}

static int ipa_size(struct conform *c)
{
	int most = check_cap(c, c->kvm_fd, CAP_ARM_VM_IPA_SIZE);

	if (!expect(c, most >= 32 && most <= 52, "KVM_CAP_ARM_VM_IPA_SIZE is %d", most))
		return 1;
	expect_ok(c, try_type(c, 32), "KVM_CREATE_VM, 32 bits");
	expect_ok(c, try_type(c, (unsigned long)most), "KVM_CREATE_VM, %d bits", most);
	expect_errno(c, try_type(c, 31), EINVAL, "KVM_CREATE_VM, 31 bits");
	expect_errno(c, try_type(c, (unsigned long)most + 1), EINVAL, "KVM_CREATE_VM, %d bits", most + 1);
	expect_errno(c, try_type(c, 0x100), EINVAL, "KVM_CREATE_VM, a bit that means nothing");
	if (most >= 40)
		expect_ok(c, try_type(c, 0), "KVM_CREATE_VM, the usual 40 bits");
	else
		expect_errno(c, try_type(c, 0), EINVAL, "KVM_CREATE_VM, the usual 40 bits");
	return 0;
}

/* No slot where the VM has no addresses. */
static int ipa_bounds(struct conform *c)
{
	char *memory = case_memory(c, 2 * GUEST_PAGE_MOST);
	struct gk_userspace_memory_region r = { .memory_size = GUEST_PAGE_MOST };
	struct conform_vm *vm = vm_new(c);

	if (!vm || !memory)
		return 1;
	r.userspace_addr = ((uintptr_t)memory + GUEST_PAGE_MOST - 1) & ~(uint64_t)(GUEST_PAGE_MOST - 1);
	r.guest_phys_addr = (1ULL << IPA_USUAL) - GUEST_PAGE_MOST;
	expect_ok(c, ask(c, vm->fd, GK_SET_USER_MEMORY_REGION, &r), "the last page of 40 bits");
	r.slot = 1;
	r.guest_phys_addr = 1ULL << IPA_USUAL;
	expect_errno(c, ask(c, vm->fd, GK_SET_USER_MEMORY_REGION, &r), EFAULT, "the page behind it");
	return 0;
}

static int target(struct conform *c)
{
	struct gk_arm_vcpu_init init;
	struct conform_vm *vm = vm_new(c);

	if (!vm)
		return 1;
	memset(&init, 0xff, sizeof(init));
	if (!expect_ok(c, ask(c, vm->fd, GK_ARM_PREFERRED_TARGET, &init), "KVM_ARM_PREFERRED_TARGET"))
		return 1;
	expect_value(c, init.target, 5, "the target: any CPU");
	for (unsigned i = 0; i < 7; i++)
		expect_value(c, init.features[i], 0, "word %u of its features", i);
	expect_errno(c, ask(c, vm->fd, GK_ARM_PREFERRED_TARGET, NULL), EFAULT, "no memory for it");
	return 0;
}

static int vcpu_ids(struct conform *c)
{
	struct conform_vm *vm = vm_new(c);
	int most, ids;

	if (!vm)
		return 1;
	most = check_cap(c, vm->fd, CAP_MAX_VCPUS);
	ids = check_cap(c, vm->fd, CAP_MAX_VCPU_ID);
	expect(c, most > 0 && ids >= most, "%d vCPUs, ids below %d", most, ids);
	expect_errno(c, vm_try_vcpu(vm, (unsigned)ids), EINVAL, "KVM_CREATE_VCPU %d", ids);
	expect_ok(c, vm_try_vcpu(vm, (unsigned)ids - 1), "KVM_CREATE_VCPU %d", ids - 1);
	expect_errno(c, vm_try_vcpu(vm, (unsigned)ids - 1), EEXIST, "KVM_CREATE_VCPU %d once more", ids - 1);
	return 0;
}

static int unknown_calls(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);
	uint64_t nothing[32] = { 0 };
	const struct gk_enable_cap cap = { .cap = CAP_ARM_MTE };

	if (!vm)
		return 1;
	/* KVM_SET_TSS_ADDR, KVM_SET_CPUID2, KVM_GET_SUPPORTED_CPUID: x86's */
	expect_errno(c, ask(c, vm->fd, 0xae47, NULL), EINVAL, "a VM's call of another architecture");
	expect_errno(c, ask(c, vm->vcpu[0], 0x4008ae90, nothing), EINVAL, "a vCPU's call of another architecture");
	expect_errno(c, ask(c, c->kvm_fd, 0xc008ae05, nothing), EINVAL, "the system's call of another architecture");
	expect_errno(c, ask(c, vm->vcpu[0], GK_ENABLE_CAP, &cap), EINVAL, "KVM_ENABLE_CAP of a vCPU");
	return 0;
}

static int flags(struct conform *c)
{
	struct gk_enable_cap cap = { .cap = CAP_ARM_NISV_TO_USER, .flags = 1 };
	struct conform_vm *vm = vm_new(c);

	if (!vm)
		return 1;
	expect_errno(c, ask(c, vm->fd, GK_ENABLE_CAP, &cap), EINVAL, "KVM_ENABLE_CAP with flags");
	cap.flags = 0;
	expect_ok(c, ask(c, vm->fd, GK_ENABLE_CAP, &cap), "KVM_CAP_ARM_NISV_TO_USER");
	expect_errno(c, enable_cap(c, vm->fd, CAP_ENFORCE_PV_FEATURE_CPUID, 1), EINVAL, "a capability of another architecture");
	expect_errno(c, ask(c, vm->fd, GK_ENABLE_CAP, NULL), EFAULT, "KVM_ENABLE_CAP of nothing");
	return 0;
}

/* Those that must come before the first vCPU. */
static int early(struct conform *c, unsigned cap, const char *name)
{
	struct conform_vm *vm = vm_new(c);

	if (!vm)
		return 1;
	if (!has_cap(c, cap)) {
		expect_errno(c, enable_cap(c, vm->fd, cap, 0), EINVAL, "%s, which this KVM does not have", name);
		return 0;
	}
	expect_ok(c, enable_cap(c, vm->fd, cap, 0), "%s before vCPUs", name);
	if (vm_vcpu(vm, 0) < 0)
		return 1;
	expect_errno(c, enable_cap(c, vm->fd, cap, 0), EINVAL, "%s after a vCPU, although it is on", name);
	return 0;
}

static int mte(struct conform *c)
{
	return early(c, CAP_ARM_MTE, "KVM_CAP_ARM_MTE");
}

static int imp_ids(struct conform *c)
{
	return early(c, CAP_ARM_WRITABLE_IMP_ID_REGS, "KVM_CAP_ARM_WRITABLE_IMP_ID_REGS");
}

static int masks(struct conform *c)
{
	uint64_t got[GK_ARM_FEATURE_ID_RANGE_SIZE];
	struct gk_reg_mask_range range = { .addr = (uintptr_t)got };
	struct conform_vm *vm = vm_new(c);
	unsigned n = 0;

	if (!vm)
		return 1;
	if (!has_cap(c, CAP_ARM_SUPPORTED_REG_MASK_RANGES)) {
		expect(c, c->release < KERNEL(6, 8), "KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES");
		expect_errno(c, ask(c, vm->fd, GK_ARM_GET_REG_WRITABLE_MASKS, &range), EINVAL, "masks that there are not yet");
		return 0;
	}
	memset(got, 0xff, sizeof(got));
	expect_ok(c, ask(c, vm->fd, GK_ARM_GET_REG_WRITABLE_MASKS, &range), "KVM_ARM_GET_REG_WRITABLE_MASKS");
	for (unsigned i = 0; i < GK_ARM_FEATURE_ID_RANGE_SIZE; i++)
		n += got[i] && got[i] != ~0ULL;
	expect(c, n > 5, "%u registers can be written", n);
	expect_value(c, got[GK_ARM_FEATURE_ID_RANGE_IDX(3, 0, 0, 0, 5)], 0, "of MPIDR_EL1 no mask is told");
	for (unsigned i = 0; i < 13; i++) {
		range.reserved[i] = 1;
		expect_errno(c, ask(c, vm->fd, GK_ARM_GET_REG_WRITABLE_MASKS, &range), EINVAL, "reserved word %u", i);
		range.reserved[i] = 0;
	}
	range.range = 1;
	expect_errno(c, ask(c, vm->fd, GK_ARM_GET_REG_WRITABLE_MASKS, &range), EINVAL, "another range");
	range.range = 0;
	range.addr = 0;
	expect_errno(c, ask(c, vm->fd, GK_ARM_GET_REG_WRITABLE_MASKS, &range), EFAULT, "no memory for them");
	return 0;
}

static int counter(struct conform *c)
{
	struct gk_arm_counter_offset offset = { .counter_offset = 1000 };
	struct conform_vm *vm = vm_new(c);

	if (!vm)
		return 1;
	if (!has_cap(c, CAP_COUNTER_OFFSET)) {
		expect_errno(c, ask(c, vm->fd, GK_ARM_SET_COUNTER_OFFSET, &offset), EINVAL, "an offset that there is not yet");
		return 0;
	}
	expect_ok(c, ask(c, vm->fd, GK_ARM_SET_COUNTER_OFFSET, &offset), "KVM_ARM_SET_COUNTER_OFFSET");
	offset.reserved = 1;
	expect_errno(c, ask(c, vm->fd, GK_ARM_SET_COUNTER_OFFSET, &offset), EINVAL, "its reserved word");
	return 0;
}

const struct conform_case cases_arm64_vm[] = {
	{ "vm:ipa-size", "KVM API 4.2, mmu.c kvm_init_ipa_range", ipa_size },
	{ "vm:ipa-bounds", "KVM API 4.2, mmu.c kvm_arch_prepare_memory_region", ipa_bounds },
	{ "vm:preferred-target", "KVM API 4.83", target },
	{ "vm:vcpu-ids", "ST:kvm_create_max_vcpus", vcpu_ids },
	{ "vm:unknown-calls", "arm.c", unknown_calls },
	{ "vm:enable-cap", "KVM API 4.37, arm.c kvm_vm_ioctl_enable_cap", flags },
	{ "vm:mte-before-vcpus", "KVM API 7.26", mte },
	{ "vm:writable-imp-ids-before-vcpus", "KVM API 7.43, ST:arm64/set_id_regs", imp_ids },
	{ "vm:masks", "KVM API 4.139, ST:arm64/set_id_regs", masks },
	{ "vm:counter-offset", "KVM API 4.138", counter },
	{ NULL, NULL, NULL },
};

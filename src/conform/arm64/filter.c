/* SPDX-License-Identifier: MIT */
/* SMCCC filters: calls that are denied, or the VMM's. devices/vm.rst; hypercalls.c. */
#include "arm64.h"

#define ANSWER 0x600dU

static int set_filter(struct conform_vm *vm, uint32_t base, uint32_t n, uint8_t action)
{
	const struct gk_smccc_filter f = { .base = base, .nr_functions = n, .action = action };

	return attr_set(vm->c, vm->fd, GK_ARM_VM_SMCCC_CTRL, GK_ARM_VM_SMCCC_FILTER, &f);
}

/* A VM that can have one; NULL: broken, or it has none and that was asserted. */
static struct conform_vm *usual(struct conform *c)
{
	struct conform_vm *vm = arm64_vm(c, 1, F_PSCI);

	if (!vm)
		return NULL;
	if (c->release >= KERNEL(6, 4)) {
		expect_ok(c, attr_has(c, vm->fd, GK_ARM_VM_SMCCC_CTRL, GK_ARM_VM_SMCCC_FILTER), "KVM_HAS_DEVICE_ATTR");
		return vm;
	}
	expect_errno(c, attr_has(c, vm->fd, GK_ARM_VM_SMCCC_CTRL, GK_ARM_VM_SMCCC_FILTER), EINVAL, "KVM_HAS_DEVICE_ATTR of a VM");
	expect_errno(c, set_filter(vm, C_TRNG_VERSION, 1, GK_SMCCC_FILTER_DENY), EINVAL, "a filter, before 6.4");
	return NULL;
}

static int errors(struct conform *c)
{
	struct conform_vm *vm = usual(c);
	struct gk_smccc_filter f = { .base = C_TRNG_VERSION, .nr_functions = 1, .action = GK_SMCCC_FILTER_DENY };

	if (!vm)
		return 1;
	expect_errno(c, attr_has(c, vm->fd, GK_ARM_VM_SMCCC_CTRL, 1), ENXIO, "an attribute that there is not");
	expect_errno(c, attr_has(c, vm->fd, 4711, 0), ENXIO, "a group that there is not");
	expect_errno(c, attr_set(c, vm->fd, 4711, 0, &f), ENXIO, "the same, set");
	f.pad[14] = 1;
	expect_errno(c, attr_set(c, vm->fd, GK_ARM_VM_SMCCC_CTRL, GK_ARM_VM_SMCCC_FILTER, &f), EINVAL, "padding that is not 0");
	expect_errno(c, attr_set(c, vm->fd, GK_ARM_VM_SMCCC_CTRL, GK_ARM_VM_SMCCC_FILTER, NULL), EFAULT, "no filter");
	expect_errno(c, set_filter(vm, C_TRNG_VERSION, 1, 3), EINVAL, "an action that there is not");
	expect_errno(c, set_filter(vm, C_TRNG_VERSION, 0, GK_SMCCC_FILTER_DENY), EINVAL, "no function");
	expect_errno(c, set_filter(vm, 0xffffffff, 2, GK_SMCCC_FILTER_DENY), EINVAL, "beyond the last function");
	expect_errno(c, set_filter(vm, C_VERSION, 1, GK_SMCCC_FILTER_DENY), EEXIST, "SMCCC_VERSION, which is KVM's alone");
	expect_errno(c, set_filter(vm, 0xc0000000, 1, GK_SMCCC_FILTER_DENY), EEXIST, "the architecture's, of 64 bits");
	expect_ok(c, set_filter(vm, C_TRNG_VERSION, 4, GK_SMCCC_FILTER_DENY), "random numbers");
	expect_errno(c, set_filter(vm, C_TRNG_UUID, 1, GK_SMCCC_FILTER_HANDLE), EEXIST, "one that has a filter");
	expect_ok(c, set_filter(vm, C_TRNG_VERSION + 4, 1, GK_SMCCC_FILTER_HANDLE), "the one behind them");
	return 0;
}

static int late(struct conform *c)
{
	struct conform_vm *vm = usual(c);

	if (!vm || guest_once(vm, 0))
		return 1;
	expect_errno(c, set_filter(vm, C_TRNG_VERSION, 1, GK_SMCCC_FILTER_DENY), EBUSY, "a filter after a run");
	expect_said(vm, C_TRNG_VERSION, 0, 0x10000, "TRNG_VERSION is answered");
	return 0;
}

static int deny(struct conform *c)
{
	struct conform_vm *vm = usual(c);

	if (!vm || !expect_ok(c, set_filter(vm, C_TRNG_VERSION, 1, GK_SMCCC_FILTER_DENY), "a filter"))
		return 1;
	expect_said(vm, C_TRNG_VERSION, 0, NOT_SUPPORTED, "TRNG_VERSION, denied");
	expect_said(vm, C_TRNG_FEATURES, C_TRNG_RND, 0, "TRNG_FEATURES, not denied");
	return 0;
}

struct seen {
	struct conform_vm *vm;
	unsigned n;
	uint64_t nr, flags;
};

static int take(void *ctx, unsigned vcpu, struct gk_run *run)
{
	struct seen *s = ctx;

	if (run->exit_reason != GK_EXIT_HYPERCALL)
		return 0;
	s->n++;
	s->nr = run->hypercall.nr;
	s->flags = run->hypercall.flags;
	vcpu_set(s->vm, vcpu, GK_REG_ARM_X(0), ANSWER);
	return 1;
}

static void forwarded(struct conform_vm *vm, uint32_t call)
{
	struct guest_op op = OP_CALL(call, 5);
	struct seen s = { .vm = vm };

	if (vm_watch(vm, take, &s) || call_firmware(vm, 0, &op))
		return;
	expect_value(vm->c, s.n, 1, "exits of 0x%x", call);
	expect_value(vm->c, s.nr, call, "the function");
	expect_value(vm->c, s.flags, 0, "its flags: HVC, 32 bits long");
	expect_value(vm->c, op.res[0], ANSWER, "what the VMM answered");
}

static int forward(struct conform *c)
{
	struct conform_vm *vm = usual(c);

	if (!vm || !expect_ok(c, set_filter(vm, C_TRNG_VERSION, 1, GK_SMCCC_FILTER_FWD_TO_USER), "a filter") ||
	    !expect_ok(c, set_filter(vm, 0xc6001000, 16, GK_SMCCC_FILTER_FWD_TO_USER), "one of nobody's functions"))
		return 1;
	forwarded(vm, C_TRNG_VERSION);
	forwarded(vm, 0xc6001007);
	expect_said(vm, C_TRNG_FEATURES, C_TRNG_RND, 0, "another function is KVM's");
	return 0;
}

const struct conform_case cases_arm64_filter[] = {
	{ "filter:errors", "ST:arm64/smccc_filter", errors },
	{ "filter:after-run", "ST:arm64/smccc_filter", late },
	{ "filter:deny", "ST:arm64/smccc_filter", deny },
	{ "filter:forward", "ST:arm64/smccc_filter", forward },
	{ NULL, NULL, NULL },
};

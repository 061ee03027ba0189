/* SPDX-License-Identifier: MIT */
/* VMs of arm64, and what a VMM says to them. */
#include "arm64.h"

#include <string.h>

#define TARGET 5 /* KVM_ARM_TARGET_GENERIC_V8: any CPU */
#define RUN_PAGE 4096

static int one_reg(struct conform_vm *vm, unsigned vcpu, unsigned long request, uint64_t id, uint64_t *value)
{
	const struct gk_one_reg reg = { .id = id, .addr = (uintptr_t)value };

	return ask(vm->c, vm->vcpu[vcpu], request, &reg);
}

int vcpu_get(struct conform_vm *vm, unsigned vcpu, uint64_t id, uint64_t *ret)
{
	*ret = 0;
	return one_reg(vm, vcpu, GK_GET_ONE_REG, id, ret);
}

int vcpu_set(struct conform_vm *vm, unsigned vcpu, uint64_t id, uint64_t value)
{
	return one_reg(vm, vcpu, GK_SET_ONE_REG, id, &value);
}

uint64_t vcpu_read(struct conform_vm *vm, unsigned vcpu, uint64_t id)
{
	uint64_t value;

	expect_ok(vm->c, vcpu_get(vm, vcpu, id, &value), "KVM_GET_ONE_REG 0x%llx", (unsigned long long)id);
	return value;
}

int init_words(struct conform_vm *vm, unsigned vcpu, uint32_t target, const uint32_t features[7])
{
	struct gk_arm_vcpu_init arg = { .target = target };

	memcpy(arg.features, features, sizeof(arg.features));
	return ask(vm->c, vm->vcpu[vcpu], GK_ARM_VCPU_INIT, &arg);
}

int vcpu_init(struct conform_vm *vm, unsigned vcpu, uint32_t features)
{
	const uint32_t words[7] = { features };

	return init_words(vm, vcpu, TARGET, words);
}

int vcpu_finalize(struct conform_vm *vm, unsigned vcpu, int feature)
{
	return ask(vm->c, vm->vcpu[vcpu], GK_ARM_VCPU_FINALIZE, &feature);
}

int get_list(struct conform_vm *vm, unsigned vcpu, struct reg_list *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->n = LIST_MOST;
	return ask(vm->c, vm->vcpu[vcpu], GK_GET_REG_LIST, ret);
}

bool list_has(const struct reg_list *l, uint64_t id)
{
	for (uint64_t i = 0; i < l->n && i < LIST_MOST; i++)
		if (l->reg[i] == id)
			return true;
	return false;
}

static int attr(struct conform *c, int fd, unsigned long request, uint32_t group, uint64_t which, const void *value)
{
	const struct gk_device_attr a = { .group = group, .attr = which, .addr = (uintptr_t)value };

	return ask(c, fd, request, &a);
}

int attr_set(struct conform *c, int fd, uint32_t group, uint64_t which, const void *value)
{
	return attr(c, fd, GK_SET_DEVICE_ATTR, group, which, value);
}

int attr_get(struct conform *c, int fd, uint32_t group, uint64_t which, void *ret)
{
	return attr(c, fd, GK_GET_DEVICE_ATTR, group, which, ret);
}

int attr_has(struct conform *c, int fd, uint32_t group, uint64_t which)
{
	return attr(c, fd, GK_HAS_DEVICE_ATTR, group, which, NULL);
}

int irq_line(struct conform_vm *vm, uint32_t irq)
{
	const struct gk_irq_level l = { .irq = irq };

	return ask(vm->c, vm->fd, GK_IRQ_LINE, &l);
}

int mp_state(struct conform_vm *vm, unsigned vcpu)
{
	struct gk_mp_state mp = { 0 };
	int r = ask(vm->c, vm->vcpu[vcpu], GK_GET_MP_STATE, &mp);

	return r < 0 ? r : (int)mp.mp_state;
}

int set_mp_state(struct conform_vm *vm, unsigned vcpu, uint32_t state)
{
	const struct gk_mp_state mp = { state };

	return ask(vm->c, vm->vcpu[vcpu], GK_SET_MP_STATE, &mp);
}

bool has_cap(struct conform *c, unsigned cap)
{
	return check_cap(c, c->kvm_fd, cap) > 0;
}

struct conform_vm *arm64_vm(struct conform *c, unsigned vcpus, uint32_t features)
{
	struct conform_vm *vm = vm_new(c);

	for (unsigned i = 0; vm && i < vcpus; i++)
		if (vm_vcpu(vm, i) < 0)
			return NULL;
	for (unsigned i = 0; vm && i < vcpus && features != NO_INIT; i++) {
		int r = vcpu_init(vm, i, features);

		if (r == 0 && (features & F_SVE))
			r = vcpu_finalize(vm, i, SVE);
		if (r < 0) {
			broken(c, "KVM_ARM_VCPU_INIT 0x%x: errno %d", features, -r);
			return NULL;
		}
	}
	return vm;
}

int make_gic(struct conform_vm *vm)
{
	struct gk_create_device d = { .type = GK_DEV_TYPE_ARM_VGIC_V3 };
	int r = ask(vm->c, vm->fd, GK_CREATE_DEVICE, &d);

	if (r < 0)
		return r;
	/* a KVM that only says yes has told no descriptor */
	vm->device = d.fd ? (int)d.fd : -1;
	return vm->device < 0 ? -EBADF : vm->device;
}

int run_at_once(struct conform_vm *vm, unsigned vcpu)
{
	const struct gcpu_kvm *kvm = vm->c->kvm;
	int size = ask_number(vm->c, vm->c->kvm_fd, GK_GET_VCPU_MMAP_SIZE, 0), r;
	void *at;

	r = size < RUN_PAGE ? -EIO : kvm->ops->mmap(kvm->ctx, (size_t)size, vm->vcpu[vcpu], &at);
	if (r < 0)
		return r;
	((struct gk_run *)at)->immediate_exit = 1;
	r = ask(vm->c, vm->vcpu[vcpu], GK_RUN, NULL);
	((struct gk_run *)at)->immediate_exit = 0;
	kvm->ops->munmap(kvm->ctx, at, (size_t)size);
	return r;
}

int guest_once(struct conform_vm *vm, unsigned vcpu)
{
	struct guest_op op = OP_MRS(R_MPIDR);

	return guest_run(vm, vcpu, &op, 1);
}

int call_firmware(struct conform_vm *vm, unsigned vcpu, struct guest_op *op)
{
	if (guest_run(vm, vcpu, op, 1))
		return 1;
	return expect(vm->c, op->status == GUEST_STATUS_DONE, "the call 0x%llx returns", (unsigned long long)op->arg[0]) ? 0 : 1;
}

void expect_said(struct conform_vm *vm, uint32_t f, uint64_t arg, int want, const char *what)
{
	struct guest_op op = OP_CALL(f, arg);

	if (call_firmware(vm, 0, &op) == 0)
		expect_value(vm->c, (uint32_t)said(&op), (uint32_t)want, "%s", what);
}

/* SPDX-License-Identifier: MIT */
/* The software KVM of the library, and a way behind its back. */
#include "soft.h"

#include "model/arm64/arm64.h"

static struct gcpu_model *model;

void soft_start(const struct gcpu_snapshot *snap)
{
	struct gcpu_error err = { 0 };
	const struct gcpu_kvm *kvm;

	gcpu_model_free(model);
	model = NULL;
	if (gcpu_model_new(snap, NULL, &model, &err)) {
		printf("FAIL %s\n", err.text);
		return;
	}
	kvm = gcpu_model_kvm(model);
	if (kvm->ops->open(kvm->ctx, "/dev/kvm", 0) != SOFT_KVM_FD)
		printf("FAIL /dev/kvm has another number\n");
}

void soft_end(void)
{
	gcpu_model_free(model);
	model = NULL;
}

static struct arm64_vcpu *vcpu_of(int fd)
{
	struct sw_fd *at = sw_fd_at(model, fd);

	return at && at->kind == SW_VCPU ? arm64_vcpu(at->vcpu) : NULL;
}

/* Where a register of this vCPU is: its own, or its VM's. */
static uint64_t *place(int fd, uint64_t id)
{
	struct arm64_vcpu *x = vcpu_of(fd);
	int i = arm64_index(model, id);

	if (!x || i < 0)
		return NULL;
	if (id == gcpu_facts_arm64.words[ARM64_W_MPIDR_EL1].addr)
		return &x->mpidr;
	if (id == gcpu_facts_arm64.words[ARM64_W_CLIDR_EL1].addr)
		return &x->clidr;
	return &arm64_vm(x->v->vm)->now[i];
}

bool soft_peek(int vcpu, uint64_t id, uint64_t *ret)
{
	const uint64_t *from = place(vcpu, id);

	if (from)
		*ret = *from;
	return from != NULL;
}

void soft_poke(int vcpu, uint64_t id, uint64_t value)
{
	uint64_t *to = place(vcpu, id);

	if (to)
		*to = value;
}

bool soft_limit(uint64_t id, uint64_t *ret)
{
	const struct snap_reg *r = snapshot_reg(gcpu_model_host(model), id);

	if (r)
		*ret = r->value[0];
	return r != NULL;
}

bool soft_ran(int vcpu)
{
	return vcpu_of(vcpu) && arm64_vm(vcpu_of(vcpu)->v->vm)->ran;
}

bool soft_is_second(int vcpu)
{
	return vcpu_of(vcpu) && vcpu_of(vcpu)->v->id == 1;
}

void soft_reset(int vcpu)
{
	arm64_ids_new(vcpu_of(vcpu));
}

static int soft_close(void *ctx, int fd)
{
	(void)ctx;
	return gcpu_model_kvm(model)->ops->close(gcpu_model_kvm(model)->ctx, fd);
}

static int soft_ioctl(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	(void)ctx;
	return gcpu_model_kvm(model)->ops->ioctl(gcpu_model_kvm(model)->ctx, fd, request, arg);
}

const struct gcpu_kvm_ops soft_ops = { .size = sizeof(soft_ops), .close = soft_close, .ioctl = soft_ioctl };

/* What a run needs: the interrupt controller in its place, and its PMU with an interrupt. */
static int ready(struct vm *vm)
{
	static const uint64_t dist = 0x08000000, redist = 0x10000000;
	static const uint32_t irq = 23;
	const struct {
		int fd;
		struct gk_device_attr a;
	} steps[] = {
		{ vm->gic, { 0, GK_DEV_ARM_VGIC_GRP_ADDR, GK_VGIC_V3_ADDR_TYPE_DIST, (uintptr_t)&dist } },
		{ vm->gic, { 0, GK_DEV_ARM_VGIC_GRP_ADDR, GK_VGIC_V3_ADDR_TYPE_REDIST, (uintptr_t)&redist } },
		{ vm->gic, { 0, GK_DEV_ARM_VGIC_GRP_CTRL, GK_DEV_ARM_VGIC_CTRL_INIT, 0 } },
		{ vm->vcpu[0], { 0, GK_ARM_VCPU_PMU_V3_CTRL, GK_ARM_VCPU_PMU_V3_IRQ, (uintptr_t)&irq } },
		{ vm->vcpu[0], { 0, GK_ARM_VCPU_PMU_V3_CTRL, GK_ARM_VCPU_PMU_V3_INIT, 0 } },
		{ vm->vcpu[1], { 0, GK_ARM_VCPU_PMU_V3_CTRL, GK_ARM_VCPU_PMU_V3_IRQ, (uintptr_t)&irq } },
		{ vm->vcpu[1], { 0, GK_ARM_VCPU_PMU_V3_CTRL, GK_ARM_VCPU_PMU_V3_INIT, 0 } },
	};
	bool pmu = vm->config->features >> gcpu_facts_arm64.fields[ARM64_F_PMU].lsb & 1;

	if (soft_ran(vm->vcpu[0]))
		return 0;
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		bool of_pmu = i > 2, of_irq = steps[i].a.attr == GK_ARM_VCPU_PMU_V3_IRQ;
		int r;

		if (steps[i].fd < 0 || (of_pmu && (!pmu || (of_irq && vm->gic < 0))))
			continue;
		r = soft_ioctl(NULL, steps[i].fd, GK_SET_DEVICE_ATTR, (uintptr_t)&steps[i].a);
		if (r && r != -EBUSY)
			return r;
	}
	return 0;
}

/* The guest reads, KVM_RUN and all. A lie about registers is one to the guest as well: they are read
 * through the lab's own way, too. */
int soft_mrs(struct lab *l, struct vm *vm, unsigned vcpu, const uint64_t *ids, uint64_t *values, size_t n)
{
	struct gcpu_guest_op ops[REGS_MOST + 1] = { { 0 } };
	int status = ready(vm);

	for (size_t i = 0; i < n; i++)
		ops[i] = (struct gcpu_guest_op){ .code = GCPU_GUEST_MRS, .arg = { ids[i] & GK_REG_ARM64_SYSREG_MASK } };
	if (status || gcpu_model_guest(model, vm->vcpu[vcpu], ops, n))
		return status ? status : -EIO;
	status = l->kvm->ops->ioctl(l->kvm->ctx, vm->vcpu[vcpu], GK_RUN, 0);
	gcpu_model_guest(model, vm->vcpu[vcpu], NULL, 0);
	if (status != -EINTR)
		return status ? status : -EIO;
	vm->p.state = PREDICT_RAN;
	for (size_t i = 0; i < n; i++) {
		if (ops[i].status != GCPU_GUEST_DONE)
			return -ENOENT;
		values[i] = ops[i].res[0];
	}
	return 0;
}

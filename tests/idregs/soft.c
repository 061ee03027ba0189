/* SPDX-License-Identifier: MIT */
/* Descriptors are places in a table; a vCPU's parent is its VM. */
#include "soft.h"

#define OBJECTS 64

struct object {
	enum { NOTHING, VM, VCPU, GIC } kind;
	int parent;
	/* of a VM */
	struct predict_vm p;
	bool settled, gic, ran;
	int vcpus;
	uint64_t now[REGS_MOST]; /* one per register of the snapshot */
	/* of a vCPU */
	int number;
	enum predict_state state;
	uint32_t features;
	uint64_t mpidr, clidr, sve[8];
};

static const struct gcpu_snapshot *host;
static struct object objects[OBJECTS];

void soft_start(const struct gcpu_snapshot *snap)
{
	host = snap;
	memset(objects, 0, sizeof(objects));
}

static struct object *at(int fd)
{
	return &objects[fd >= 4 && fd < OBJECTS ? fd : 0];
}

static int index_of(uint64_t id)
{
	for (size_t i = 0; i < host->regs.n; i++)
		if (LIST_AT(&host->regs, struct snap_reg, i)->id == id)
			return (int)i;
	return -1;
}

static const struct snap_reg *limit_of(uint64_t id)
{
	int i = index_of(id);

	return i < 0 ? NULL : LIST_AT(&host->regs, struct snap_reg, i);
}

/* Where a register of this vCPU is: its own, or its VM's. */
static uint64_t *place(struct object *vcpu, uint64_t id)
{
	if (id == gcpu_facts_arm64.words[ARM64_W_MPIDR_EL1].addr)
		return &vcpu->mpidr;
	if (id == gcpu_facts_arm64.words[ARM64_W_CLIDR_EL1].addr)
		return &vcpu->clidr;
	return index_of(id) < 0 ? NULL : &at(vcpu->parent)->now[index_of(id)];
}

bool soft_peek(int vcpu, uint64_t id, uint64_t *ret)
{
	const uint64_t *from = at(vcpu)->kind == VCPU ? place(at(vcpu), id) : NULL;

	if (from)
		*ret = *from;
	return from != NULL;
}

void soft_poke(int vcpu, uint64_t id, uint64_t value)
{
	uint64_t *to = place(at(vcpu), id);

	if (to)
		*to = value;
}

bool soft_limit(uint64_t id, uint64_t *ret)
{
	const struct snap_reg *r = limit_of(id);

	if (r)
		*ret = r->value[0];
	return r != NULL;
}

bool soft_ran(int vcpu)
{
	return at(at(vcpu)->parent)->ran;
}

bool soft_is_second(int vcpu)
{
	return at(vcpu)->number == 1;
}

static void to_limits(struct object *vm)
{
	for (size_t i = 0; i < host->regs.n; i++)
		vm->now[i] = LIST_AT(&host->regs, struct snap_reg, i)->value[0];
}

void soft_reset(int vcpu)
{
	to_limits(at(at(vcpu)->parent));
}

static int make(int kind, int parent)
{
	for (int fd = 4; fd < OBJECTS; fd++) {
		if (objects[fd].kind != NOTHING)
			continue;
		memset(&objects[fd], 0, sizeof(objects[fd]));
		objects[fd].kind = kind;
		objects[fd].parent = parent;
		return fd;
	}
	return -EMFILE;
}

static int soft_close(void *ctx, int fd)
{
	(void)ctx;
	at(fd)->kind = NOTHING;
	return 0;
}

static int make_vm(void)
{
	int fd = make(VM, 0);

	if (fd < 0)
		return fd;
	at(fd)->p = predict_vm_of(host);
	at(fd)->p.flags &= ~(unsigned)EXCEPTION_MTE;
	to_limits(at(fd));
	return fd;
}

static int masks(const struct gk_reg_mask_range *range)
{
	uint64_t *out = (uint64_t *)(uintptr_t)range->addr;

	if (range->range)
		return -EINVAL;
	for (unsigned i = 0; i < 13; i++)
		if (range->reserved[i])
			return -EINVAL;
	if (!out)
		return -EFAULT;
	memset(out, 0, GK_ARM_FEATURE_ID_RANGE_SIZE * sizeof(*out));
	for (size_t i = 0; i < host->regs.n; i++) {
		const struct snap_reg *r = LIST_AT(&host->regs, struct snap_reg, i);

		if (in_range(r->id))
			out[GK_ARM_FEATURE_ID_RANGE_IDX(3, (unsigned)(r->id >> 11 & 7), 0, (unsigned)(r->id >> 3 & 15),
							(unsigned)(r->id & 7))] = r->mask;
	}
	return 0;
}

static int on_vm(int fd, unsigned long request, uintptr_t arg)
{
	const struct gk_enable_cap *cap = (const void *)arg;
	int made;

	switch (request) {
	case GK_CREATE_VCPU:
		made = make(VCPU, fd);
		if (made >= 0) {
			at(made)->number = at(fd)->vcpus++;
			soft_limit(gcpu_facts_arm64.words[ARM64_W_MPIDR_EL1].addr, &at(made)->mpidr);
			soft_limit(gcpu_facts_arm64.words[ARM64_W_CLIDR_EL1].addr, &at(made)->clidr);
		}
		return made;
	case GK_CREATE_DEVICE:
		made = make(GIC, fd);
		((struct gk_create_device *)arg)->fd = (uint32_t)made;
		at(fd)->gic = true;
		return made < 0 ? made : 0;
	case GK_ENABLE_CAP:
		at(fd)->p.flags |= cap->cap == CAP_ARM_MTE ? EXCEPTION_MTE : EXCEPTION_IMP_IDS;
		return 0;
	case GK_ARM_GET_REG_WRITABLE_MASKS:
		return masks((const void *)arg);
	default:
		return -EINVAL;
	}
}

/* The VM as its vCPU stands. */
static struct predict_vm view(struct object *vcpu)
{
	struct predict_vm p = at(vcpu->parent)->p;

	p.state = at(vcpu->parent)->ran && vcpu->state != PREDICT_CREATED ? PREDICT_RAN : vcpu->state;
	p.features = vcpu->features;
	return p;
}

/* What a register is at first. PSCI is 0.1 for who did not opt into a later one. */
static uint64_t first(const struct object *vcpu, const struct snap_reg *s)
{
	bool later = vcpu->features >> gcpu_facts_arm64.fields[ARM64_F_PSCI_0_2].lsb & 1;

	return s->id == GK_REG_ARM_PSCI_VERSION && !later ? 1 : s->value[0];
}

static int init(struct object *vcpu, const struct gk_arm_vcpu_init *arg)
{
	struct object *vm = at(vcpu->parent);
	struct predict_vm p = vm->p;
	struct prediction is;

	p.features = vcpu->state != PREDICT_CREATED ? vcpu->features : vm->p.features;
	if (vcpu->state == PREDICT_CREATED)
		p.flags |= EXCEPTION_OTHER_VCPU;
	is = predict_init(host, &p, vm->settled, arg->features);
	if (is.error)
		return -is.error;
	vm->p.features = vcpu->features = arg->features[0];
	vm->settled = true;
	if (vcpu->state == PREDICT_CREATED)
		vcpu->state = PREDICT_INITIALISED;
	*place(vcpu, GK_REG_ARM_PSCI_VERSION) = first(vcpu, limit_of(GK_REG_ARM_PSCI_VERSION));
	memcpy(vcpu->sve, limit_of(GK_REG_ARM64_SVE_VLS)->value, sizeof(vcpu->sve));
	return 0;
}

static int set_reg(struct object *vcpu, const struct gk_one_reg *reg)
{
	const uint64_t *value = (const uint64_t *)(uintptr_t)reg->addr;
	const struct snap_reg *s = limit_of(reg->id);
	struct predict_vm p = view(vcpu);
	uint64_t *to = place(vcpu, reg->id);
	struct prediction is;

	if (reg->id == GK_REG_ARM64_SVE_VLS) {
		is = predict_sve(&p, limit_of(reg->id)->value, value);
		if (!is.error)
			memcpy(vcpu->sve, value, sizeof(vcpu->sve));
		return -is.error;
	}
	if (!s || !to)
		return -ENOENT;
	is = (in_range(reg->id) ? predict_register : predict_firmware)(
		&p, &(struct predict_reg){ reg->id, first(vcpu, s), *to, s->mask }, *value);
	if (!is.error)
		*to = is.value;
	return -is.error;
}

static int get_reg(struct object *vcpu, const struct gk_one_reg *reg)
{
	uint64_t *value = (uint64_t *)(uintptr_t)reg->addr;
	const uint64_t *from = place(vcpu, reg->id);

	if (vcpu->state == PREDICT_CREATED)
		return -ENOEXEC;
	if (reg->id == GK_REG_ARM64_SVE_VLS)
		memcpy(value, vcpu->sve, sizeof(vcpu->sve));
	else if (from)
		*value = *from;
	else
		return -ENOENT;
	return 0;
}

static int reg_list(struct gk_reg_list *list)
{
	list->n = 0;
	for (size_t i = 0; i < host->regs.n; i++) {
		const struct snap_reg *r = LIST_AT(&host->regs, struct snap_reg, i);

		if (r->n_words == 1)
			list->reg[list->n++] = r->id;
	}
	return 0;
}

static int on_vcpu(struct object *vcpu, unsigned long request, uintptr_t arg)
{
	struct predict_vm p = view(vcpu);
	int error;

	switch (request) {
	case GK_ARM_VCPU_INIT:
		return init(vcpu, (const void *)arg);
	case GK_ARM_VCPU_FINALIZE:
		error = predict_call(&p, PREDICT_FINALIZE, (unsigned)*(const int *)arg);
		if (!error)
			vcpu->state = PREDICT_FINALIZED;
		return -error;
	case GK_SET_ONE_REG:
		return set_reg(vcpu, (const void *)arg);
	case GK_GET_ONE_REG:
		return get_reg(vcpu, (const void *)arg);
	case GK_GET_REG_LIST:
		error = predict_call(&p, PREDICT_GET_REG_LIST, 0);
		return error ? -error : reg_list((void *)arg);
	case GK_RUN:
		return -predict_call(&p, PREDICT_RUN, 0);
	default:
		return -EINVAL;
	}
}

static int soft_ioctl(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	(void)ctx;
	if (fd == SOFT_KVM_FD)
		return request == GK_CREATE_VM ? make_vm() : -EINVAL;
	if (at(fd)->kind == VM)
		return on_vm(fd, request, arg);
	return at(fd)->kind == VCPU ? on_vcpu(at(fd), request, arg) : -EBADF;
}

const struct gcpu_kvm_ops soft_ops = { .size = sizeof(soft_ops), .close = soft_close, .ioctl = soft_ioctl };

/* What the first run settles: there is an interrupt controller, or there is none. */
static void settle(struct object *vm)
{
	static const unsigned fields[] = { ARM64_F_ID_AA64PFR0_EL1_GIC, ARM64_F_ID_PFR1_EL1_GIC };

	for (unsigned i = 0; i < 2 && !vm->ran; i++) {
		const struct field_fact *f = &gcpu_facts_arm64.fields[fields[i]];
		int k = index_of(gcpu_facts_arm64.words[f->word].addr);

		vm->now[k] = (vm->now[k] & ~(field_mask(f) << f->lsb)) | (uint64_t)vm->gic << f->lsb;
	}
	vm->ran = true;
}

/* Registers are read through the seam, so that a lie about them is one to the guest as well. */
int soft_mrs(struct lab *l, struct vm *vm, unsigned vcpu, const uint64_t *ids, uint64_t *values, size_t n)
{
	settle(at(vm->vm));
	vm->p.state = PREDICT_RAN;
	for (size_t i = 0; i < n; i++) {
		(void)l;
		if (!soft_peek(vm->vcpu[vcpu], ids[i], &values[i]))
			return -ENOENT;
	}
	return 0;
}

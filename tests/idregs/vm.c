/* SPDX-License-Identifier: MIT */
/* A VM of a known configuration, and its registers as they are at first. */
#include "idregs.h"

#include <stdarg.h>
#include <stdlib.h>

void differs(struct lab *l, const char *format, ...)
{
	va_list ap;

	if (l->disagreements++ >= 200 || l->quiet)
		return;
	va_start(ap, format);
	printf("DIFFERS ");
	vprintf(format, ap);
	printf("\n");
	va_end(ap);
}

bool lab_has(const struct lab *l, unsigned cap)
{
	return gcpu_snapshot_capability(l->snap, cap) > 0;
}

uint32_t lab_features(const struct lab *l, uint32_t without)
{
	const struct facts *f = &gcpu_facts_arm64;
	uint32_t all = 0;

	for (unsigned i = 0; i < f->n_inits; i++)
		for (unsigned k = 0; k < f->n_fields; k++)
			if (f->words[f->fields[k].word].addr == ADDR_INIT && f->fields[k].lsb == f->inits[i].bit &&
			    f->fields[k].deflt == DEFAULT_AUTO && lab_has(l, f->inits[i].cap))
				all |= 1U << f->inits[i].bit;
	return all & ~without;
}

bool in_range(uint64_t id)
{
	unsigned enc = (unsigned)(id ^ GK_ARM64_SYS_REG(0, 0, 0, 0, 0)), op1 = enc >> 11 & 7;

	return (id | 0xffff) == (GK_ARM64_SYS_REG(0, 0, 0, 0, 0) | 0xffff) && enc >> 14 == 3 &&
	       (enc >> 7 & 15) == 0 && (op1 == 0 || op1 == 1 || op1 == 3) && (enc >> 3 & 15) < 8;
}

static unsigned mask_index(uint64_t id)
{
	return GK_ARM_FEATURE_ID_RANGE_IDX(3, (unsigned)(id >> 11 & 7), 0, (unsigned)(id >> 3 & 15),
					   (unsigned)(id & 7));
}

int lab_masks(struct lab *l)
{
	struct gk_reg_mask_range range;
	int vm, status;

	if (!lab_has(l, CAP_ARM_SUPPORTED_REG_MASK_RANGES))
		return 0;
	vm = call_number(l->kvm, l->kvm_fd, GK_CREATE_VM, 0);
	if (vm < 0)
		return vm;
	memset(&range, 0, sizeof(range));
	range.addr = (uintptr_t)l->masks;
	status = call(l->kvm, vm, GK_ARM_GET_REG_WRITABLE_MASKS, &range);
	l->has_masks = status >= 0;
	l->kvm->ops->close(l->kvm->ctx, vm);
	return status;
}

int lab_init(struct lab *l, int vcpu, const uint32_t features[7])
{
	struct gk_arm_vcpu_init init = { .target = l->snap->target };

	memcpy(init.features, features, sizeof(init.features));
	return call(l->kvm, vcpu, GK_ARM_VCPU_INIT, &init);
}

struct predict_reg *vm_reg(struct vm *vm, uint64_t id)
{
	for (unsigned i = 0; i < vm->n; i++)
		if (vm->reg[i].id == id)
			return &vm->reg[i];
	return NULL;
}

static uint64_t field_now(struct vm *vm, unsigned field)
{
	const struct field_fact *f = &gcpu_facts_arm64.fields[field];
	const struct predict_reg *r = vm_reg(vm, gcpu_facts_arm64.words[f->word].addr);

	return r ? r->limit >> f->lsb & field_mask(f) : 0;
}

int vm_read(struct lab *l, struct vm *vm)
{
	struct gk_reg_list *list = calloc(1, sizeof(*list) + REGS_MOST * sizeof(list->reg[0]));
	int status;

	if (!list)
		return -ENOMEM;
	list->n = REGS_MOST;
	status = call(l->kvm, vm->vcpu[0], GK_GET_REG_LIST, list);
	vm->n = 0;
	for (uint64_t i = 0; status >= 0 && i < list->n; i++) {
		struct predict_reg *r = &vm->reg[vm->n];
		uint64_t kind = list->reg[i] & 0x0fff0000ULL, value[8];

		if (!in_range(list->reg[i]) && kind != GK_REG_ARM_FW && kind != GK_REG_ARM_FW_FEAT_BMAP)
			continue;
		*r = (struct predict_reg){ .id = list->reg[i] };
		status = call_get_reg(l->kvm, vm->vcpu[0], r->id, value);
		r->limit = r->now = value[0];
		if (l->has_masks && in_range(r->id))
			r->mask = l->masks[mask_index(r->id)];
		vm->n++;
	}
	free(list);
	vm->p.coherent = field_now(vm, ARM64_F_CTR_EL0_IDC) != 0;
	if (field_now(vm, ARM64_F_ID_AA64PFR0_EL1_EL0) != 1)
		vm->p.flags |= EXCEPTION_AARCH32;
	return status < 0 ? status : 0;
}

int vm_finalize(struct lab *l, struct vm *vm)
{
	int sve = gcpu_facts_arm64.fields[ARM64_F_SVE].lsb, status = 0;

	for (unsigned i = 0; i < VCPUS && vm->vcpu[i] >= 0 && (vm->config->features >> sve & 1); i++) {
		if (i == 0)
			status = call_get_reg(l->kvm, vm->vcpu[i], GK_REG_ARM64_SVE_VLS, vm->sve);
		if (status == 0)
			status = call(l->kvm, vm->vcpu[i], GK_ARM_VCPU_FINALIZE, &sve);
		if (status < 0)
			return status;
	}
	vm->p.state = PREDICT_FINALIZED;
	return 0;
}

int vm_init(struct lab *l, struct vm *vm)
{
	int status = 0;

	for (unsigned i = 0; i < VCPUS && vm->vcpu[i] >= 0 && status >= 0; i++)
		status = call_vcpu_init(l->kvm, vm->vcpu[i], l->snap->target, vm->config->features);
	if (status < 0)
		return status;
	vm->p.state = PREDICT_INITIALISED;
	return 0;
}

void vm_close(struct lab *l, struct vm *vm)
{
	const int fds[] = { vm->vcpu[0], vm->vcpu[1], vm->gic, vm->vm };

	for (unsigned i = 0; i < 4; i++)
		if (fds[i] >= 0)
			l->kvm->ops->close(l->kvm->ctx, fds[i]);
	vm->vm = vm->gic = vm->vcpu[0] = vm->vcpu[1] = -1;
}

static int make(struct lab *l, unsigned vcpus, struct vm *vm)
{
	struct gk_create_device d = { .type = GK_DEV_TYPE_ARM_VGIC_V3 };
	int status = 0;

	vm->vm = call_number(l->kvm, l->kvm_fd, GK_CREATE_VM, 0);
	if (vm->vm < 0)
		return vm->vm;
	if (vm->config->mte)
		status = call_enable_cap(l->kvm, vm->vm, CAP_ARM_MTE, 0);
	if (status >= 0 && vm->config->imp_ids)
		status = call_enable_cap(l->kvm, vm->vm, CAP_ARM_WRITABLE_IMP_ID_REGS, 0);
	if (status >= 0 && vm->config->gic) {
		status = call(l->kvm, vm->vm, GK_CREATE_DEVICE, &d);
		if (status >= 0)
			vm->gic = (int)d.fd;
	}
	for (unsigned i = 0; i < vcpus && status >= 0; i++)
		status = vm->vcpu[i] = call_number(l->kvm, vm->vm, GK_CREATE_VCPU, i);
	return status < 0 ? status : 0;
}

int vm_open(struct lab *l, const struct config *c, unsigned vcpus, bool init, struct vm *vm)
{
	int status;

	memset(vm, 0, sizeof(*vm));
	vm->config = c;
	vm->vm = vm->gic = vm->vcpu[0] = vm->vcpu[1] = -1;
	vm->p = (struct predict_vm){ .state = PREDICT_CREATED, .features = c->features, .kernel = l->snap->kernel,
				     .masks = l->has_masks ? PREDICT_MASKS_TOLD : PREDICT_MASKS_NONE };
	vm->p.flags = (c->mte ? EXCEPTION_MTE : 0U) | (c->imp_ids ? EXCEPTION_IMP_IDS : 0U);
	status = make(l, vcpus, vm);
	if (status == 0 && init) {
		status = vm_init(l, vm);
		if (status == 0)
			status = vm_finalize(l, vm);
		if (status == 0)
			status = vm_read(l, vm);
	}
	if (status)
		vm_close(l, vm);
	return status;
}

int idregs_open(struct lab *l, const struct gcpu_kvm *kvm, int kvm_fd)
{
	const struct gcpu_probe_options o = { .size = sizeof(o), .no_trial = 1, .one_cpu = 1 };
	struct gcpu_error err = { 0 };
	int status;

	l->kvm = kvm;
	l->kvm_fd = kvm_fd;
	if (l->snap) /* a recorded one */
		return lab_masks(l);
	status = gcpu_snapshot_probe(kvm, kvm_fd, &o, &l->snap, &err);
	if (status) {
		printf("FAIL the host is not measured: %s\n", err.text);
		return -EIO;
	}
	return lab_masks(l);
}

int vm_run(struct lab *l, struct vm *vm)
{
	uint64_t id = gcpu_facts_arm64.words[ARM64_W_ID_AA64PFR0_EL1].addr, value;
	int status = l->mrs(l, vm, 0, &id, &value, 1);

	/* the first run settles a few of them */
	for (unsigned i = 0; i < vm->n && status == 0; i++) {
		uint64_t got[8];

		status = call_get_reg(l->kvm, vm->vcpu[0], vm->reg[i].id, got);
		vm->reg[i].now = got[0];
	}
	vm->p.state = PREDICT_RAN;
	return status;
}

/* SPDX-License-Identifier: MIT */
/* A vCPU's life: made, initialised, finalised, run. */
#include "arm64.h"

#include "kvm/abi_more.h"

#include <stdlib.h>
#include <string.h>

#define TIMER_IRQS { 27, 30, 28, 26 } /* virtual and physical, EL1's and EL2's, as KVM begins */

static const struct facts *const facts = &gcpu_facts_arm64;

int arm64_vcpu_new(struct sw_vcpu *v)
{
	struct arm64_vcpu *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	*x = (struct arm64_vcpu){ .v = v, .stolen = NOWHERE, .timer_irq = TIMER_IRQS };
	v->mp_state = GK_MP_STATE_RUNNABLE;
	v->own = x;
	return 0;
}

void arm64_vcpu_free(struct sw_vcpu *v)
{
	struct arm64_vcpu *x = v->own;

	if (!x)
		return;
	list_free(&x->regs);
	free(x);
	v->own = NULL;
}

static unsigned flags(const struct sw_vm *vm)
{
	const struct arm64_vm *a = arm64_vm(vm);

	return (predict_vm_of(vm->model->host).flags & EXCEPTION_AARCH32) | (a->mte ? EXCEPTION_MTE : 0U) |
	       (a->imp_ids ? EXCEPTION_IMP_IDS : 0U);
}

struct predict_vm arm64_view(const struct arm64_vcpu *x)
{
	struct predict_vm p = predict_vm_of(x->v->vm->model->host);

	p.flags = flags(x->v->vm);
	p.features = x->features | x->stuck;
	p.state = !x->initialised ? PREDICT_CREATED : arm64_vm(x->v->vm)->ran ? PREDICT_RAN :
		  !x->finalised ? PREDICT_INITIALISED : PREDICT_FINALIZED;
	return p;
}

/* The vCPU's own registers of features: made up when it is initialised for the first time, before
 * 6.10 every time. */
static void own_ids(struct arm64_vcpu *x, bool again)
{
	const uint64_t mpidr = facts->words[ARM64_W_MPIDR_EL1].addr, clidr = facts->words[ARM64_W_CLIDR_EL1].addr;
	struct gcpu_model *m = arm64_model(x);
	int i;

	if (again && sw_behaves(m, BEHAVIOUR_VCPU_IDS_KEPT))
		return;
	i = arm64_index(m, mpidr);
	if (i >= 0)
		x->mpidr = arm64_limit_of(x, i);
	i = arm64_index(m, clidr);
	if (i >= 0)
		x->clidr = arm64_limit_of(x, i);
}

static bool knows(const struct arm64_vcpu *x, const struct predict_vm *p, unsigned bit)
{
	const uint32_t one[7] = { 1U << bit };

	return predict_init(arm64_model(x)->host, p, false, one).why != PREDICT_UNKNOWN;
}

/*
 * As older kernels do it, bit by bit: bits before one that is refused stay, and come with the next
 * call as well. What does not go together makes the vCPU as it was made; whether it is 32-bit stays
 * the VM's, even then.
 */
static int set_target_bits(struct arm64_vcpu *x, const struct gk_arm_vcpu_init *init, uint32_t *features)
{
	const uint32_t narrow = 1U << facts->fields[ARM64_F_EL1_32BIT].lsb, sve = 1U << facts->fields[ARM64_F_SVE].lsb;
	struct arm64_vm *a = arm64_vm(x->v->vm);
	struct predict_vm p = arm64_view(x);
	uint32_t all[7] = { 0 };

	for (unsigned i = 0; i < 7 * 32; i++) {
		bool set = init->features[i / 32] >> i % 32 & 1, is_known = i < 32 && knows(x, &p, i);

		if (set && !is_known)
			return -ENOENT;
		if (x->initialised && is_known && (x->features >> i & 1) != set)
			return -EINVAL;
		if (set)
			x->features |= 1U << i;
	}
	all[0] = x->features;
	*features = all[0];
	/* whether it is 32-bit comes first, and is the VM's from then on */
	if (!a->width_settled && !predict_init(arm64_model(x)->host, &p, false, (uint32_t[7]){ all[0] & narrow }).error) {
		a->width_settled = true;
		a->width = all[0];
	}
	if (a->width_settled && !((a->width ^ all[0]) & narrow)) {
		if (!predict_init(arm64_model(x)->host, &p, false, all).error)
			return 0;
		/* then SVE, before what goes with it */
		if (!predict_init(arm64_model(x)->host, &p, false, (uint32_t[7]){ all[0] & sve }).error)
			x->stuck |= all[0] & sve;
	}
	x->features = 0;
	x->initialised = false;
	return -EINVAL;
}

static int set_target(struct arm64_vcpu *x, const struct gk_arm_vcpu_init *init, uint32_t *features)
{
	struct arm64_vm *a = arm64_vm(x->v->vm);
	struct gcpu_model *m = arm64_model(x);
	struct predict_vm p = arm64_view(x);
	struct prediction is;

	if (init->target != m->host->target && init->target != GK_ARM_TARGET_GENERIC_V8)
		return -EINVAL;
	if (!sw_behaves(m, BEHAVIOUR_VM_WIDE_FEATURES))
		return set_target_bits(x, init, features);
	*features = init->features[0];
	if (!x->initialised) {
		p.flags |= EXCEPTION_OTHER_VCPU;
		p.features = a->features;
	}
	is = predict_init(m->host, &p, x->initialised || a->settled, init->features);
	return -is.error;
}

static int vcpu_init(void *object, uintptr_t arg)
{
	const uint32_t off = 1U << facts->fields[ARM64_F_POWER_OFF].lsb;
	struct sw_vcpu *v = object;
	struct arm64_vcpu *x = arm64_vcpu(v);
	struct arm64_vm *a = arm64_vm(v->vm);
	bool again = x->initialised;
	struct gk_arm_vcpu_init init;
	const struct snap_reg *sve;
	uint32_t features;
	int status;

	if (sw_copy_in(&init, arg, sizeof(init)))
		return -EFAULT;
	status = set_target(x, &init, &features);
	if (status)
		return status;
	x->features = features;
	if (!a->settled || !sw_behaves(v->vm->model, BEHAVIOUR_VM_WIDE_FEATURES))
		a->features = features & ~off;
	x->initialised = true;
	if (!again)
		x->finalised = !arm64_has(x, ARM64_F_SVE);
	if (!a->settled)
		arm64_ids_new(x);
	a->settled = true;
	own_ids(x, again);
	sve = snapshot_reg(v->vm->model->host, GK_REG_ARM64_SVE_VLS);
	/* chosen lengths last from KVM_ARM_VCPU_FINALIZE on */
	if (sve && !(again && x->finalised))
		memcpy(x->sve, sve->value, sizeof(x->sve));
	status = arm64_regs_reset(x);
	v->mp_state = features & off ? GK_MP_STATE_STOPPED : GK_MP_STATE_RUNNABLE;
	return status;
}

static int finalize(void *object, uintptr_t arg)
{
	struct arm64_vcpu *x = arm64_vcpu(object);
	struct predict_vm p = arm64_view(x);
	int feature, error;

	if (!x->initialised)
		return -ENOEXEC;
	if (sw_copy_in(&feature, arg, sizeof(feature)))
		return -EFAULT;
	p.state = x->finalised ? PREDICT_FINALIZED : PREDICT_INITIALISED;
	error = predict_call(&p, PREDICT_FINALIZE, (unsigned)feature);
	if (!error)
		x->finalised = true;
	return -error;
}

static int get_mp_state(void *object, uintptr_t arg)
{
	struct gk_mp_state mp = { ((struct sw_vcpu *)object)->mp_state };

	return sw_copy_out(arg, &mp, sizeof(mp));
}

static int set_mp_state(void *object, uintptr_t arg)
{
	struct sw_vcpu *v = object;
	struct gk_mp_state mp;

	if (sw_copy_in(&mp, arg, sizeof(mp)))
		return -EFAULT;
	if (mp.mp_state != GK_MP_STATE_RUNNABLE && mp.mp_state != GK_MP_STATE_STOPPED &&
	    mp.mp_state != GK_MP_STATE_SUSPENDED)
		return -EINVAL;
	v->mp_state = mp.mp_state;
	return 0;
}

/* What KVM asks of a PMU before the vCPU's first run. */
static int pmu_enter(const struct arm64_vcpu *x)
{
	const struct arm64_gic *g = &arm64_vm(x->v->vm)->gic;

	if (!arm64_has(x, ARM64_F_PMU))
		return 0;
	if (!x->pmu_ready || (!g->type && x->pmu_irq))
		return -EINVAL;
	return 0;
}

/* The vCPU's first run: what is asked for comes in KVM's order. It has run then, whether or not it
 * is let into its guest (.immediate_exit). */
int arm64_enter(struct sw_vcpu *v)
{
	struct arm64_vcpu *x = arm64_vcpu(v);
	int status;

	if (!x->initialised)
		return -ENOEXEC;
	if (!x->finalised)
		return -EPERM;
	if (v->ran)
		return 0;
	status = arm64_gic_enter(v->vm);
	if (status) {
		v->vm->dead = true;
		return status;
	}
	arm64_ids_settle(v->vm);
	if (arm64_vm(v->vm)->gic.type && !arm64_timers_fit(x))
		return -EINVAL;
	arm64_vm(v->vm)->timers_settled |= arm64_vm(v->vm)->gic.type;
	status = pmu_enter(x);
	if (status)
		return status;
	v->ran = true;
	arm64_vm(v->vm)->ran = true;
	return 0;
}

const struct sw_call arm64_vcpu_calls[] = {
	{ GK_ARM_VCPU_INIT, vcpu_init },
	{ GK_ARM_VCPU_FINALIZE, finalize },
	{ GK_GET_ONE_REG, arm64_get_reg },
	{ GK_SET_ONE_REG, arm64_set_reg },
	{ GK_GET_REG_LIST, arm64_reg_list },
	{ GK_GET_VCPU_EVENTS, arm64_get_events },
	{ GK_SET_VCPU_EVENTS, arm64_set_events },
	{ GK_ARM_SET_GUEST_DEBUG, arm64_set_guest_debug },
	{ GK_GET_MP_STATE, get_mp_state },
	{ GK_SET_MP_STATE, set_mp_state },
	{ GK_SET_DEVICE_ATTR, arm64_set_attr },
	{ GK_GET_DEVICE_ATTR, arm64_get_attr },
	{ GK_HAS_DEVICE_ATTR, arm64_has_attr },
	{ 0, NULL },
};

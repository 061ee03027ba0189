/* SPDX-License-Identifier: MIT */
/* Attributes of a vCPU: its PMU, its timers' interrupts, where stolen time is told. */
#include "arm64.h"

#define SPI_END 1020U
#define STOLEN_ALIGNED 64U
#define EVENTS_OLD 1024U /* of a PMU before version 3.1 */
#define EVENTS 65536U
#define COUNTERS_MOST 31U /* that any PMU has; how many the host's has is not in its snapshot */

struct event_filter {
	uint16_t first, n;
	uint8_t action, pad[3];
};

static bool is_ppi(uint32_t irq)
{
	return irq >= FIRST_PPI && irq < FIRST_SPI;
}

/* A private interrupt is the same for all vCPUs, a shared one different for each. */
static bool irq_fits(const struct arm64_vcpu *x, uint32_t irq)
{
	const struct sw_vm *vm = x->v->vm;

	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		uint32_t other = arm64_vcpu(vm->vcpus[i])->pmu_irq;

		if (other && is_ppi(irq) != (other == irq))
			return false;
	}
	return true;
}

static int set_pmu_irq(struct arm64_vcpu *x, uint64_t addr)
{
	uint32_t irq;

	if (!arm64_vm(x->v->vm)->gic.type)
		return -EINVAL;
	if (sw_copy_in(&irq, (uintptr_t)addr, sizeof(irq)))
		return -EFAULT;
	if (irq < FIRST_PPI || irq >= SPI_END || !irq_fits(x, irq))
		return -EINVAL;
	if (x->pmu_irq)
		return -EBUSY;
	x->pmu_irq = irq;
	return 0;
}

static int init_pmu(struct arm64_vcpu *x)
{
	const struct arm64_gic *g = &arm64_vm(x->v->vm)->gic;

	if (g->type && !g->ready)
		return -ENODEV;
	if (g->type && !x->pmu_irq)
		return -ENXIO;
	x->pmu_ready = true;
	return 0;
}

static int filter_events(struct arm64_vcpu *x, uint64_t addr)
{
	/* 4: PMUv3p1 */
	uint32_t events = arm64_field(x, ARM64_F_ID_AA64DFR0_EL1_PMUVER) < 4 ? EVENTS_OLD : EVENTS;
	struct event_filter f;

	if (sw_copy_in(&f, (uintptr_t)addr, sizeof(f)))
		return -EFAULT;
	if ((uint32_t)f.first + f.n > events || f.action > 1)
		return -EINVAL;
	return arm64_vm(x->v->vm)->ran ? -EBUSY : 0;
}

static int set_counters(uint64_t addr)
{
	uint32_t n;

	if (sw_copy_in(&n, (uintptr_t)addr, sizeof(n)))
		return -EFAULT;
	return n > COUNTERS_MOST ? -EINVAL : 0;
}

/* The last of the PMU's attributes. */
static unsigned last_of_pmu(const struct arm64_vcpu *x)
{
	return sw_behaves(arm64_model(x), BEHAVIOUR_PMU_COUNTERS) ? GK_ARM_VCPU_PMU_V3_SET_NR_COUNTERS :
								     GK_ARM_VCPU_PMU_V3_SET_PMU;
}

static int set_pmu(struct arm64_vcpu *x, const struct gk_device_attr *a)
{
	if (!arm64_has(x, ARM64_F_PMU))
		return -ENODEV;
	if (x->pmu_ready)
		return -EBUSY;
	if (a->attr > last_of_pmu(x))
		return -ENXIO;
	switch (a->attr) {
	case GK_ARM_VCPU_PMU_V3_IRQ:
		return set_pmu_irq(x, a->addr);
	case GK_ARM_VCPU_PMU_V3_INIT:
		return init_pmu(x);
	case GK_ARM_VCPU_PMU_V3_FILTER:
		return filter_events(x, a->addr);
	case GK_ARM_VCPU_PMU_V3_SET_NR_COUNTERS:
		return set_counters(a->addr);
	default:
		/* SET_PMU: the host's PMUs are not in its snapshot, there is no such one */
		return -ENXIO;
	}
}

/* EL2's timers have interrupts on newer kernels, even for vCPUs without EL2. */
static unsigned last_timer(const struct arm64_vcpu *x)
{
	return sw_behaves(arm64_model(x), BEHAVIOUR_TIMERS_OF_EL2) ? GK_ARM_VCPU_TIMER_IRQ_HPTIMER :
								     GK_ARM_VCPU_TIMER_IRQ_PTIMER;
}

bool arm64_timers_fit(const struct arm64_vcpu *x)
{
	unsigned n = arm64_has(x, ARM64_F_NESTED) ? last_timer(x) + 1 : GK_ARM_VCPU_TIMER_IRQ_PTIMER + 1;

	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = 0; k < i; k++)
			if (x->timer_irq[i] == x->timer_irq[k])
				return false;
		if (x->pmu_ready && x->pmu_irq == x->timer_irq[i])
			return false;
	}
	return true;
}

static int set_timer(struct arm64_vcpu *x, const struct gk_device_attr *a)
{
	uint32_t irq;

	if (!arm64_vm(x->v->vm)->gic.type)
		return -EINVAL;
	if (sw_copy_in(&irq, (uintptr_t)a->addr, sizeof(irq)))
		return -EFAULT;
	if (!is_ppi(irq))
		return -EINVAL;
	if (sw_behaves(arm64_model(x), BEHAVIOUR_TIMERS_OF_EL2) ? arm64_vm(x->v->vm)->timers_settled : x->v->ran)
		return -EBUSY;
	if (a->attr > last_timer(x))
		return -ENXIO;
	for (unsigned i = 0; i < x->v->vm->n_vcpus; i++)
		arm64_vcpu(x->v->vm->vcpus[i])->timer_irq[a->attr] = irq;
	return 0;
}

static int set_stolen(struct arm64_vcpu *x, const struct gk_device_attr *a)
{
	uint64_t at;

	if (sw_cap(arm64_model(x), x->v->vm, CAP_STEAL_TIME) <= 0 || a->attr != GK_ARM_VCPU_PVTIME_IPA)
		return -ENXIO;
	if (sw_copy_in(&at, (uintptr_t)a->addr, sizeof(at)))
		return -EFAULT;
	if (at % STOLEN_ALIGNED)
		return -EINVAL;
	if (x->stolen != NOWHERE)
		return -EEXIST;
	if (!sw_guest_memory(x->v->vm, at, STOLEN_ALIGNED))
		return -EINVAL;
	x->stolen = at;
	return 0;
}

int arm64_set_attr(void *object, uintptr_t arg)
{
	struct arm64_vcpu *x = arm64_vcpu(object);
	struct gk_device_attr a;

	if (sw_copy_in(&a, arg, sizeof(a)))
		return -EFAULT;
	switch (a.group) {
	case GK_ARM_VCPU_PMU_V3_CTRL:
		return set_pmu(x, &a);
	case GK_ARM_VCPU_TIMER_CTRL:
		return set_timer(x, &a);
	case GK_ARM_VCPU_PVTIME_CTRL:
		return set_stolen(x, &a);
	default:
		return -ENXIO;
	}
}

static int get_pmu(struct arm64_vcpu *x, const struct gk_device_attr *a)
{
	if (a->attr != GK_ARM_VCPU_PMU_V3_IRQ)
		return -ENXIO;
	if (!arm64_vm(x->v->vm)->gic.type)
		return -EINVAL;
	if (!arm64_has(x, ARM64_F_PMU))
		return -ENODEV;
	return x->pmu_irq ? sw_copy_out((uintptr_t)a->addr, &x->pmu_irq, sizeof(x->pmu_irq)) : -ENXIO;
}

static int has(struct arm64_vcpu *x, const struct gk_device_attr *a)
{
	switch (a->group) {
	case GK_ARM_VCPU_PMU_V3_CTRL:
		return a->attr <= last_of_pmu(x) && arm64_has(x, ARM64_F_PMU) ? 0 : -ENXIO;
	case GK_ARM_VCPU_TIMER_CTRL:
		return a->attr <= last_timer(x) ? 0 : -ENXIO;
	case GK_ARM_VCPU_PVTIME_CTRL:
		return a->attr == GK_ARM_VCPU_PVTIME_IPA && sw_cap(arm64_model(x), x->v->vm, CAP_STEAL_TIME) > 0 ? 0 : -ENXIO;
	default:
		return -ENXIO;
	}
}

int arm64_get_attr(void *object, uintptr_t arg)
{
	struct arm64_vcpu *x = arm64_vcpu(object);
	struct gk_device_attr a;

	if (sw_copy_in(&a, arg, sizeof(a)))
		return -EFAULT;
	if (a.group == GK_ARM_VCPU_PMU_V3_CTRL)
		return get_pmu(x, &a);
	if (has(x, &a))
		return -ENXIO;
	if (a.group == GK_ARM_VCPU_TIMER_CTRL)
		return sw_copy_out((uintptr_t)a.addr, &x->timer_irq[a.attr], sizeof(x->timer_irq[0]));
	return sw_copy_out((uintptr_t)a.addr, &x->stolen, sizeof(x->stolen));
}

int arm64_has_attr(void *object, uintptr_t arg)
{
	struct gk_device_attr a;

	return sw_copy_in(&a, arg, sizeof(a)) ? -EFAULT : has(arm64_vcpu(object), &a);
}

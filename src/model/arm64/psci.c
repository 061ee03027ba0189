/* SPDX-License-Identifier: MIT */
/* PSCI: power of vCPUs and of the VM, as KVM plays it. psci.c. */
#include "arm64.h"

#include <string.h>

enum { SUCCESS = 0, NOT_SUPPORTED = -1, INVALID_PARAMS = -2, ALREADY_ON = -4, INTERNAL_FAILURE = -6 };

#define VERSION(major, minor) ((uint64_t)(major) << 16 | (minor))
#define LEVELS 3
#define AFFINITY_MASK 0xff00ffffffULL /* Aff3, and Aff2 to Aff0 */
#define TRUSTED_OS_NONE 2 /* MIGRATE_INFO_TYPE */
#define HIBERNATE 1	/* SYSTEM_OFF2 */
#define VENDOR_RESETS (1U << 31)
#define FLAG_RESET2 1U
#define FLAG_OFF2 1U
#define AFFINITY_ON 0
#define AFFINITY_OFF 1

/* Of PSCI 0.2 and later, as places behind PSCI_VERSION. */
enum place {
	PSCI_VERSION = 0,
	CPU_SUSPEND = 1,
	CPU_OFF = 2,
	CPU_ON = 3,
	AFFINITY_INFO = 4,
	MIGRATE_INFO_TYPE = 6,
	SYSTEM_OFF = 8,
	SYSTEM_RESET = 9,
	PSCI_FEATURES = 0xa,
	SYSTEM_SUSPEND = 0xe,
	SYSTEM_RESET2 = 0x12,
	SYSTEM_OFF2 = 0x15,
};
/* Those that come by the 64-bit convention, too. */
#define WIDE (1U << CPU_SUSPEND | 1U << CPU_ON | 1U << AFFINITY_INFO | 1U << SYSTEM_SUSPEND | 1U << SYSTEM_RESET2 | \
	      1U << SYSTEM_OFF2)
/* Of PSCI 0.1, whose functions the platform numbers. */
enum old_place { OLD_SUSPEND, OLD_OFF, OLD_ON };

static struct arm64_vcpu *by_mpidr(const struct sw_vm *vm, uint64_t affinity)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if ((arm64_vcpu(vm->vcpus[i])->mpidr & AFFINITY_MASK) == affinity && arm64_vcpu(vm->vcpus[i])->initialised)
			return arm64_vcpu(vm->vcpus[i]);
	return NULL;
}

static int64_t cpu_on(struct arm64_vcpu *x, bool old)
{
	uint64_t affinity = arm64_x(x, 1), entry = arm64_x(x, 2), context = arm64_x(x, 3);
	struct arm64_vcpu *target = affinity & ~AFFINITY_MASK ? NULL : by_mpidr(x->v->vm, affinity);
	bool was_off;

	if (!target)
		return INVALID_PARAMS;
	if (target->v->mp_state != GK_MP_STATE_STOPPED)
		return old ? INVALID_PARAMS : ALREADY_ON;
	was_off = target->was_off;
	if (arm64_regs_reset(target) || arm64_keep(target, GK_REG_ARM_PC, &entry) || arm64_set_x(target, 0, context))
		return INTERNAL_FAILURE;
	target->was_off = was_off;
	target->v->mp_state = GK_MP_STATE_RUNNABLE;
	return SUCCESS;
}

static int64_t affinity_info(const struct arm64_vcpu *x)
{
	uint64_t target = arm64_x(x, 1), level = arm64_x(x, 2), mask;
	const struct sw_vm *vm = x->v->vm;
	bool found = false;

	if (level > LEVELS || (target & ~AFFINITY_MASK))
		return INVALID_PARAMS;
	mask = AFFINITY_MASK & ~((level == LEVELS ? 1ULL << 32 : 1ULL << 8 * level) - 1);
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		if ((arm64_vcpu(vm->vcpus[i])->mpidr & mask) != (target & mask))
			continue;
		found = true;
		if (vm->vcpus[i]->mp_state != GK_MP_STATE_STOPPED)
			return AFFINITY_ON;
	}
	return found ? AFFINITY_OFF : INVALID_PARAMS;
}

/* All vCPUs stop; what comes next is the VMM's business. */
static enum sw_step system_event(struct arm64_vcpu *x, uint32_t type, uint64_t flags)
{
	const struct sw_vm *vm = x->v->vm;
	struct gk_run *run = x->v->run;

	for (unsigned i = 0; i < vm->n_vcpus && type != GK_SYSTEM_EVENT_SUSPEND; i++)
		vm->vcpus[i]->mp_state = GK_MP_STATE_STOPPED;
	memset(&run->system_event, 0, sizeof(run->system_event));
	run->exit_reason = GK_EXIT_SYSTEM_EVENT;
	run->system_event.type = type;
	run->system_event.ndata = 1;
	run->system_event.data[0] = flags;
	return SW_EXIT;
}

static enum sw_step reset2(struct arm64_vcpu *x, int64_t *ret)
{
	uint32_t type = (uint32_t)arm64_x(x, 1);

	*ret = INVALID_PARAMS;
	if (type && type < VENDOR_RESETS)
		return SW_DONE;
	*ret = INTERNAL_FAILURE;
	return system_event(x, GK_SYSTEM_EVENT_RESET, FLAG_RESET2);
}

static enum sw_step off2(struct arm64_vcpu *x, int64_t *ret)
{
	*ret = INVALID_PARAMS;
	if (arm64_x(x, 1) > (uint64_t)HIBERNATE || arm64_x(x, 2))
		return SW_DONE;
	*ret = INTERNAL_FAILURE;
	return system_event(x, GK_SYSTEM_EVENT_SHUTDOWN, FLAG_OFF2);
}

static enum sw_step cpu_off(struct arm64_vcpu *x)
{
	x->v->mp_state = GK_MP_STATE_STOPPED;
	x->was_off = true;
	return SW_BLOCKED;
}

/* The least version that has a function, or 0. */
static uint64_t since(const struct arm64_vcpu *x, unsigned place)
{
	switch (place) {
	case PSCI_VERSION:
	case CPU_SUSPEND:
	case CPU_OFF:
	case CPU_ON:
	case AFFINITY_INFO:
	case MIGRATE_INFO_TYPE:
	case SYSTEM_OFF:
	case SYSTEM_RESET:
		return VERSION(0, 2);
	case PSCI_FEATURES:
		return VERSION(1, 0);
	case SYSTEM_SUSPEND:
		return arm64_vm(x->v->vm)->suspend ? VERSION(1, 0) : 0;
	case SYSTEM_RESET2:
		return VERSION(1, 1);
	case SYSTEM_OFF2:
		return VERSION(1, 3);
	default:
		return 0;
	}
}

/* Which function it is, if this vCPU's version has it; -1. */
static int known(const struct arm64_vcpu *x, uint32_t function)
{
	uint32_t place = (function & ~FAST_64) - arm64_call(ARM64_CALL_PSCI_VERSION);

	if (place > SYSTEM_OFF2 || ((function & FAST_64) && !(WIDE >> place & 1)))
		return -1;
	return since(x, place) && since(x, place) <= arm64_psci(x) ? (int)place : -1;
}

static int64_t psci_features(const struct arm64_vcpu *x)
{
	uint32_t about = (uint32_t)arm64_x(x, 1);

	if (about == arm64_call(ARM64_CALL_SMCCC_VERSION))
		return SUCCESS;
	return known(x, about) == SYSTEM_OFF2 ? HIBERNATE : known(x, about) >= 0 ? SUCCESS : NOT_SUPPORTED;
}

static enum sw_step old_call(struct arm64_vcpu *x, uint32_t function, int64_t *ret)
{
	if (function == PSCI_0_1_FIRST + OLD_OFF)
		return cpu_off(x);
	*ret = function == PSCI_0_1_FIRST + OLD_ON ? cpu_on(x, true) : NOT_SUPPORTED;
	return SW_DONE;
}

/* By the 32-bit convention the caller's arguments are cut, where they are addresses. */
static int narrow(struct arm64_vcpu *x, uint32_t function, int place)
{
	int status = 0;

	if (place < 0 || (function & FAST_64) || !((WIDE & ~(1U << CPU_SUSPEND)) >> place & 1))
		return 0;
	for (unsigned i = 1; i < 4 && !status; i++)
		status = arm64_set_x(x, i, (uint32_t)arm64_x(x, i));
	return status;
}

enum sw_step arm64_psci_call(struct arm64_vcpu *x, uint32_t function, int64_t *ret)
{
	uint64_t version = arm64_psci(x);
	int place;

	if (version < VERSION(0, 2))
		return old_call(x, function, ret);
	*ret = INTERNAL_FAILURE;
	place = known(x, function);
	if (narrow(x, function, place))
		return SW_DONE;
	switch (place) {
	case PSCI_VERSION:
		*ret = (int64_t)version;
		return SW_DONE;
	case CPU_SUSPEND: /* until the next interrupt: none comes here, and it may come at once */
		*ret = SUCCESS;
		return SW_DONE;
	case CPU_OFF:
		return cpu_off(x);
	case CPU_ON:
		*ret = cpu_on(x, false);
		return SW_DONE;
	case AFFINITY_INFO:
		*ret = affinity_info(x);
		return SW_DONE;
	case MIGRATE_INFO_TYPE:
		*ret = TRUSTED_OS_NONE;
		return SW_DONE;
	case SYSTEM_OFF:
		return system_event(x, GK_SYSTEM_EVENT_SHUTDOWN, 0);
	case SYSTEM_RESET:
		return system_event(x, GK_SYSTEM_EVENT_RESET, 0);
	case PSCI_FEATURES:
		*ret = psci_features(x);
		return SW_DONE;
	case SYSTEM_SUSPEND:
		return system_event(x, GK_SYSTEM_EVENT_SUSPEND, 0);
	case SYSTEM_RESET2:
		return reset2(x, ret);
	case SYSTEM_OFF2:
		return off2(x, ret);
	default:
		*ret = NOT_SUPPORTED;
		return SW_DONE;
	}
}

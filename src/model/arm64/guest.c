/* SPDX-License-Identifier: MIT */
/* What code in the guest finds: registers of the CPU, memory, calls of the firmware. */
#include "arm64.h"

#include <string.h>

/* ESR_EL1 of an instruction that is undefined: EC 0, IL. And of an access to nowhere: EC 0x25,
 * a synchronous external abort. */
#define ESR_UNDEFINED 0x02000000U
#define ESR_ABORT 0x96000010U
#define ESR_SVE 0x66000000U /* EC 0x19: the guest has not turned SVE on */
#define ESR_ID_SPACE 0x62000001U /* EC 0x18, a read: what a CPU with FEAT_IDST says of registers of features */
#define OP0_LEAST 2U
#define CPACR_EL1 GK_ARM64_SYS_REG(3, 0, 1, 0, 2)
#define CPACR_ZEN (1U << 16)

static enum sw_step fault(struct gcpu_guest_op *op, uint64_t esr)
{
	op->status = GCPU_GUEST_FAULT;
	op->fault = esr;
	return SW_DONE;
}

/* ID registers that nobody has been given yet read 0: all of them are trapped. */
static bool reads_zero(uint64_t id)
{
	return arm64_is_id(id) && !(id >> 11 & 7) && (id >> 3 & 15);
}

/* What it has not turned on is told it before what it does not have. */
static uint64_t esr_not_on(const struct arm64_vcpu *x, uint64_t id)
{
	const uint64_t *cpacr = arm64_kept(x, CPACR_EL1);
	bool cpu_has_it = gcpu_snapshot_capability(arm64_model(x)->host, CAP_ARM_SVE) > 0;

	return cpu_has_it && arm64_comes_with(id) == ARM64_F_SVE && !(cpacr && (*cpacr & CPACR_ZEN)) ? ESR_SVE : 0;
}

/* A register that nobody has: the CPU says so itself, KVM does not see it. */
static uint64_t esr_of(const struct arm64_vcpu *x, uint64_t id)
{
	int i = arm64_index(arm64_model(x), ADDR_ONE_REG(gcpu_facts_arm64.words[gcpu_facts_arm64.fields[ARM64_F_ID_AA64MMFR2_EL1_IDS].word].addr));
	const struct field_fact *ids = &gcpu_facts_arm64.fields[ARM64_F_ID_AA64MMFR2_EL1_IDS];

	if (i < 0 || !arm64_is_id(id) || !(arm64_limit_of(x, i) >> ids->lsb & 15))
		return ESR_UNDEFINED;
	/* op0, op2, op1, CRn, CRm; to X0 */
	return ESR_ID_SPACE | (id >> 14 & 3) << 20 | (id & 7) << 17 | (id >> 11 & 7) << 14 | (id >> 7 & 15) << 10 |
	       (id >> 3 & 15) << 1;
}

static enum sw_step mrs(struct arm64_vcpu *x, struct gcpu_guest_op *op)
{
	uint64_t id = GK_ARM64_SYS_REG(0, 0, 0, 0, 0) | op->arg[0];
	const uint64_t *kept = arm64_kept(x, id);
	int i = arm64_index(arm64_model(x), id);

	if (op->arg[0] > GK_REG_ARM64_SYSREG_MASK || op->arg[0] >> 14 < OP0_LEAST) {
		op->status = GCPU_GUEST_UNKNOWN;
		return SW_DONE;
	}
	if (i >= 0 && arm64_is_id(id))
		op->res[0] = arm64_id_value(x, i);
	else if (esr_not_on(x, id))
		return fault(op, esr_not_on(x, id));
	else if (arm64_hidden(x, id) || (i < 0 && !reads_zero(id) && arm64_comes_with(id) < 0))
		return fault(op, esr_of(x, id));
	else
		op->res[0] = kept ? *kept : 0;
	return SW_DONE;
}

/* Nothing but memory is modelled: another address has nothing behind it. */
static enum sw_step access_memory(struct arm64_vcpu *x, struct gcpu_guest_op *op)
{
	size_t size = (size_t)op->arg[1];
	const void *from = NULL;
	void *to = NULL;

	if (size != 1 && size != 2 && size != 4 && size != 8) {
		op->status = GCPU_GUEST_UNKNOWN;
		return SW_DONE;
	}
	if (op->code == GCPU_GUEST_STORE)
		to = sw_guest_writable(x->v->vm, op->arg[0], size);
	else
		from = sw_guest_memory(x->v->vm, op->arg[0], size);
	if (!to && !from && sw_guest_lost(x->v->vm, op->arg[0], size, op->code == GCPU_GUEST_STORE))
		return SW_LOST;
	if (!to && !from)
		return fault(op, ESR_ABORT);
	if (to)
		memcpy(to, &op->arg[2], size);
	else
		memcpy(&op->res[0], from, size);
	return SW_DONE;
}

/* A call that the VMM answered: what it left in the registers. */
static void take_results(const struct arm64_vcpu *x, struct gcpu_guest_op *op)
{
	for (unsigned i = 0; i < 4; i++)
		op->res[i] = arm64_x(x, i);
}

enum sw_step arm64_step(struct sw_vcpu *v, struct gcpu_guest_op *op, bool complete)
{
	struct arm64_vcpu *x = arm64_vcpu(v);

	/* it has no power, until its VMM or another vCPU gives it some */
	if (v->mp_state != GK_MP_STATE_RUNNABLE)
		return SW_BLOCKED;
	if (complete || x->was_off) {
		x->was_off = false;
		take_results(x, op);
		return SW_DONE;
	}
	switch (op->code) {
	case GCPU_GUEST_MRS:
		return mrs(x, op);
	case GCPU_GUEST_SMCCC:
		return arm64_smccc(x, op);
	case GCPU_GUEST_LOAD:
	case GCPU_GUEST_STORE:
		return access_memory(x, op);
	default:
		op->status = GCPU_GUEST_UNKNOWN;
		return SW_DONE;
	}
}

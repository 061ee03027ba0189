/* SPDX-License-Identifier: MIT */
/* What is opted into, vector lengths, the firmware's registers, and calls out of turn. */
#include "kvm/abi_arm64.h"
#include "predict.h"

#include <errno.h>

static const struct facts *const facts = &gcpu_facts_arm64;

static struct prediction answer(int error, uint64_t value, enum predict_why why)
{
	return (struct prediction){ error, value, why, -1, NULL };
}

/* Does a kernel of that release know the bit at all? */
static bool known(const struct predict_vm *vm, unsigned bit)
{
	for (unsigned i = 0; i < facts->n_fields; i++) {
		const struct field_fact *f = &facts->fields[i];

		if (facts->words[f->word].addr == ADDR_INIT && f->lsb == bit)
			return f->since[0] != '?' && !(vm->kernel && kernel_too_old(f->since, vm->kernel));
	}
	return false;
}

/* A bit that is not as it was settled before. */
static bool changes(const struct predict_vm *vm, uint32_t features, struct prediction *p)
{
	uint32_t changed = features ^ vm->features;

	for (unsigned i = 0; i < facts->n_fields; i++) {
		const struct field_fact *f = &facts->fields[i];
		const struct exception_fact *e;

		if (facts->words[f->word].addr != ADDR_INIT || !(changed >> f->lsb & 1))
			continue;
		e = predict_row(vm, -1, (int)i, 0, features >> f->lsb & 1, 0);
		e = e ? e : predict_row(vm, ARM64_W_INIT_0, -1, 0, features, vm->features);
		if (!e || e->effect != EXCEPTION_REFUSED)
			continue;
		*p = (struct prediction){ (int)e->to, 0, PREDICT_ROW, (int)i, e };
		return true;
	}
	return false;
}

struct prediction predict_init(const struct gcpu_snapshot *s, const struct predict_vm *vm, bool settled,
			       const uint32_t features[7])
{
	struct prediction p = answer(0, features[0], PREDICT_WITHIN);
	bool unknown = false;

	for (unsigned bit = 0; bit < 32; bit++)
		unknown = unknown || ((features[0] >> bit & 1) && !known(vm, bit));
	for (unsigned i = 1; i < 7; i++)
		unknown = unknown || features[i];
	if (unknown)
		return answer(ENOENT, 0, PREDICT_UNKNOWN);
	for (unsigned i = 0; i < facts->n_inits; i++) {
		const struct init_fact *f = &facts->inits[i];

		if (!(features[0] >> f->bit & 1))
			continue;
		if (gcpu_snapshot_capability(s, f->cap) <= 0 && (!f->only || (features[0] & f->only)))
			return answer(EINVAL, 0, PREDICT_LACKS);
		if ((features[0] & f->never) || (f->never_mte && (vm->flags & EXCEPTION_MTE)) ||
		    (features[0] & f->without) != f->without)
			return answer(EINVAL, 0, PREDICT_TOGETHER);
	}
	if (settled)
		changes(vm, features[0], &p);
	return p;
}

static bool has_sve(const struct predict_vm *vm)
{
	return vm->features >> facts->fields[ARM64_F_SVE].lsb & 1;
}

struct prediction predict_sve(const struct predict_vm *vm, const uint64_t host[8],
			      const uint64_t value[8])
{
	const struct field_fact *f = &facts->fields[ARM64_F_SVE_VL];
	bool above = value[0] & ~field_mask(f);

	if (vm->state == PREDICT_CREATED)
		return answer(ENOEXEC, 0, PREDICT_STATE);
	if (!has_sve(vm))
		return answer(ENOENT, 0, PREDICT_LACKS);
	if (vm->state != PREDICT_INITIALISED)
		return answer(EPERM, host[0], PREDICT_STATE);
	for (unsigned i = 1; i < 8; i++)
		above = above || value[i];
	if (above || !field_within(f, value[0], host[0]))
		return answer(EINVAL, host[0], PREDICT_ABOVE);
	if (value[0] < f->min)
		return answer(EINVAL, host[0], PREDICT_LEAST);
	return answer(0, value[0], PREDICT_WITHIN);
}

/* Levels of a mitigation: none, unknown, there, not needed. */
static struct prediction mitigation(const struct predict_reg *r, uint64_t value)
{
	const uint64_t none = GK_REG_ARM_SMCCC_ARCH_WORKAROUND_2_NOT_AVAIL;
	const uint64_t there = GK_REG_ARM_SMCCC_ARCH_WORKAROUND_2_AVAIL;
	const uint64_t needless = GK_REG_ARM_SMCCC_ARCH_WORKAROUND_2_NOT_REQUIRED;
	uint64_t level = value & 15, least = level;

	if (r->id == GK_REG_ARM_SMCCC_ARCH_WORKAROUND_2) {
		if ((value & GK_REG_ARM_SMCCC_ARCH_WORKAROUND_2_ENABLED) && level == there)
			value = level;
		if (level > needless)
			return answer(EINVAL, r->limit, PREDICT_UNKNOWN);
		least = level < there ? none : needless;
	}
	if (value != level)
		return answer(EINVAL, r->limit, PREDICT_UNKNOWN);
	return least > r->limit ? answer(EINVAL, r->limit, PREDICT_ABOVE) : answer(0, r->limit, PREDICT_WITHIN);
}

static struct prediction psci(const struct predict_vm *vm, const struct predict_reg *r, uint64_t value)
{
	bool later = vm->features >> facts->fields[ARM64_F_PSCI_0_2].lsb & 1;
	const struct field_fact *f = &facts->fields[ARM64_F_PSCI_VERSION];

	/* 0.1 is what a vCPU without the feature has, and no other */
	if (!field_legal(f, value) || later != (value != f->absent))
		return answer(EINVAL, r->now, PREDICT_UNKNOWN);
	/* what a kernel starts with is the newest that it knows */
	if (value > r->limit)
		return answer(EINVAL, r->now, PREDICT_ABOVE);
	return answer(0, value, PREDICT_WITHIN);
}

struct prediction predict_firmware(const struct predict_vm *vm, const struct predict_reg *r,
				   uint64_t value)
{
	uint64_t known_bits = r->limit;

	if (vm->state == PREDICT_CREATED)
		return answer(ENOEXEC, 0, PREDICT_STATE);
	if (r->id == GK_REG_ARM_PSCI_VERSION)
		return psci(vm, r, value);
	if (r->id == GK_REG_ARM_SMCCC_ARCH_WORKAROUND_1 || r->id == GK_REG_ARM_SMCCC_ARCH_WORKAROUND_2 ||
	    r->id == GK_REG_ARM_SMCCC_ARCH_WORKAROUND_3)
		return mitigation(r, value);
	/* what is read at first is all that there is; but this one starts with nothing */
	if (r->id == GK_REG_ARM_VENDOR_HYP_BMAP_2)
		known_bits = facts->words[ARM64_W_VENDOR_HYP_BMAP_2].known;
	if (value & ~known_bits)
		return answer(EINVAL, r->now, PREDICT_UNKNOWN);
	if (vm->state == PREDICT_RAN && value != r->now)
		return answer(EBUSY, r->now, PREDICT_STATE);
	return answer(0, value, PREDICT_WITHIN);
}

int predict_call(const struct predict_vm *vm, enum predict_call call, unsigned feature)
{
	if (vm->state == PREDICT_CREATED)
		return ENOEXEC;
	if (call == PREDICT_FINALIZE) {
		if (feature != facts->fields[ARM64_F_SVE].lsb || !has_sve(vm))
			return EINVAL;
		return vm->state == PREDICT_INITIALISED ? 0 : EPERM;
	}
	if (call != PREDICT_GET_ONE_REG && has_sve(vm) && vm->state == PREDICT_INITIALISED)
		return EPERM;
	return 0;
}

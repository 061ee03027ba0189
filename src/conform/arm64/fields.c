/* SPDX-License-Identifier: MIT */
/*
 * Fields of ID registers: less than the limit is taken, more is refused and changes nothing. The
 * fields are those of the kernel's self-test set_id_regs, its signs and least values with them.
 */
#include "arm64.h"

struct field {
	const char *name;
	uint64_t reg;
	unsigned lsb, least;
	bool is_signed;
};

#define F(reg, name, lsb) { #reg "." #name, R_##reg, lsb, 0, false }
static const struct field fields[] = {
	F(ISAR0, RNDR, 60), F(ISAR0, TLB, 56), F(ISAR0, TS, 52), F(ISAR0, FHM, 48), F(ISAR0, DP, 44), F(ISAR0, SM4, 40),
	F(ISAR0, SM3, 36), F(ISAR0, SHA3, 32), F(ISAR0, RDM, 28), F(ISAR0, ATOMIC, 20), F(ISAR0, CRC32, 16),
	F(ISAR0, SHA2, 12), F(ISAR0, SHA1, 8), F(ISAR0, AES, 4),
	F(ISAR1, LS64, 60), F(ISAR1, XS, 56), F(ISAR1, I8MM, 52), F(ISAR1, DGH, 48), F(ISAR1, BF16, 44),
	F(ISAR1, SPECRES, 40), F(ISAR1, SB, 36), F(ISAR1, FRINTTS, 32), F(ISAR1, LRCPC, 20), F(ISAR1, FCMA, 16),
	F(ISAR1, JSCVT, 12), F(ISAR1, DPB, 0),
	F(ISAR2, BC, 20), F(ISAR2, RPRES, 4), F(ISAR2, WFxT, 0),
	F(PFR0, CSV3, 60), F(PFR0, CSV2, 56), F(PFR0, DIT, 48), F(PFR0, SEL2, 36),
	F(PFR1, BT, 0), F(PFR1, SSBS, 4),
	F(MMFR0, ECV, 60), F(MMFR0, EXS, 44), F(MMFR0, BIGEND, 8),
	{ "MMFR0.TGRAN4", R_MMFR0, 28, 0, true }, { "MMFR0.TGRAN64", R_MMFR0, 24, 0, true },
	F(MMFR1, TIDCP1, 52), F(MMFR1, AFP, 44), F(MMFR1, PAN, 20), F(MMFR1, LO, 16), F(MMFR1, HPDS, 12), F(MMFR1, HAFDBS, 0),
	F(MMFR2, E0PD, 60), F(MMFR2, BBM, 52), F(MMFR2, TTL, 48), F(MMFR2, AT, 32), F(MMFR2, ST, 28), F(MMFR2, VARange, 16),
	F(MMFR2, IESB, 12), F(MMFR2, LSM, 8), F(MMFR2, UAO, 4), F(MMFR2, CnP, 0),
	{ "DFR0.DebugVer", R_DFR0, 0, 6, false },
};

static uint64_t put(uint64_t word, const struct field *f, unsigned value)
{
	return (word & ~(15ULL << f->lsb)) | (uint64_t)(value & 15) << f->lsb;
}

static int number(const struct field *f, unsigned bits)
{
	return f->is_signed && bits > 7 ? (int)bits - 16 : (int)bits;
}

/* The masks of this KVM. Not 0: it has none, or it failed. */
static int read_masks(struct conform *c, uint64_t *ret)
{
	const struct gk_reg_mask_range range = { .addr = (uintptr_t)ret };
	struct conform_vm *vm;

	if (!has_cap(c, CAP_ARM_SUPPORTED_REG_MASK_RANGES))
		return skip(c, "this KVM lets no ID register be written");
	vm = vm_new(c);
	return !vm || !expect_ok(c, ask(c, vm->fd, GK_ARM_GET_REG_WRITABLE_MASKS, &range), "KVM_ARM_GET_REG_WRITABLE_MASKS");
}

/* The same, and a VM with a vCPU that has these registers; NULL: as above, or broken. */
static struct conform_vm *masked(struct conform *c, uint64_t *ret)
{
	return read_masks(c, ret) ? NULL : arm64_vm(c, 1, F_PSCI);
}

static uint64_t mask_of(const uint64_t *masks, uint64_t reg)
{
	return masks[GK_ARM_FEATURE_ID_RANGE_IDX(3, (unsigned)(reg >> 11 & 7), 0, (unsigned)(reg >> 3 & 15), (unsigned)(reg & 7))];
}

static void one(struct conform_vm *vm, const struct field *f, uint64_t limit)
{
	struct conform *c = vm->c;
	int top = number(f, (unsigned)(limit >> f->lsb & 15));

	for (unsigned bits = 0; bits < 16; bits++) {
		int value = number(f, bits), r = vcpu_set(vm, 0, f->reg, put(limit, f, bits));

		if (value <= top && value >= (f->is_signed ? -1 : (int)f->least)) {
			if (expect_ok(c, r, "%s %d of %d", f->name, value, top))
				expect_value(c, vcpu_read(vm, 0, f->reg), put(limit, f, bits), "%s after %d", f->name, value);
		} else if (value > top || value < (int)f->least) {
			/* signed ones of less than -1 are no values at all */
			if (f->is_signed && value < -1)
				continue;
			expect_errno(c, r, EINVAL, "%s %d of %d", f->name, value, top);
		}
	}
	expect_ok(c, vcpu_set(vm, 0, f->reg, limit), "%s back to what it was", f->name);
	for (unsigned bits = 0; bits < 16; bits++)
		if (number(f, bits) > top) {
			expect_errno(c, vcpu_set(vm, 0, f->reg, put(limit, f, bits)), EINVAL, "%s %d", f->name, number(f, bits));
			expect_value(c, vcpu_read(vm, 0, f->reg), limit, "%s after what was refused", f->name);
			break;
		}
}

static int each(struct conform *c)
{
	uint64_t masks[GK_ARM_FEATURE_ID_RANGE_SIZE] = { 0 };
	struct conform_vm *vm = masked(c, masks);
	unsigned n = 0;

	if (!vm)
		return 1;
	for (unsigned i = 0; i < COUNT(fields); i++) {
		const struct field *f = &fields[i];
		uint64_t limit = vcpu_read(vm, 0, f->reg);

		if ((mask_of(masks, f->reg) >> f->lsb & 15) != 15)
			continue;
		one(vm, f, limit);
		n++;
	}
	expect(c, n >= 40, "%u fields can be written", n);
	return 0;
}

/* What no mask has: no value but its own. */
static int outside(struct conform *c)
{
	static const uint64_t regs[] = { R_ISAR0, R_ISAR1, R_PFR0, R_MMFR0, R_MMFR1, R_MMFR2, R_DFR0 };
	uint64_t masks[GK_ARM_FEATURE_ID_RANGE_SIZE] = { 0 };
	struct conform_vm *vm = masked(c, masks);
	unsigned n = 0;

	if (!vm)
		return 1;
	for (unsigned i = 0; i < COUNT(regs); i++) {
		uint64_t was = vcpu_read(vm, 0, regs[i]);

		for (unsigned bit = 0; bit < 64; bit += 4) {
			/* MPAM and NV: values of old kernels are taken and ignored */
			if ((mask_of(masks, regs[i]) >> bit & 15) || (regs[i] == R_PFR0 && bit == 40) ||
			    (regs[i] == R_MMFR2 && bit == 24))
				continue;
			expect_errno(c, vcpu_set(vm, 0, regs[i], was ^ 1ULL << bit), EINVAL, "0x%llx, bit %u",
				     (unsigned long long)regs[i], bit);
			n++;
		}
		expect_value(c, vcpu_read(vm, 0, regs[i]), was, "0x%llx after that", (unsigned long long)regs[i]);
	}
	expect(c, n > 0, "there is something that cannot be written");
	return 0;
}

static int perfmon(struct conform *c)
{
	uint64_t was, masks[GK_ARM_FEATURE_ID_RANGE_SIZE] = { 0 };
	struct conform_vm *vm;

	if (read_masks(c, masks))
		return 1;
	if (!has_cap(c, CAP_ARM_PMU_V3))
		return skip(c, "no PMU");
	vm = arm64_vm(c, 1, F_PSCI | F_PMU);
	if (!vm)
		return 1;
	was = vcpu_read(vm, 0, R_DFR0_32);
	if (!(was >> 24 & 15))
		return skip(c, "no AArch32");
	expect_errno(c, vcpu_set(vm, 0, R_DFR0_32, (was & ~(15ULL << 24)) | 1ULL << 24), EINVAL, "PerfMon 1");
	expect_errno(c, vcpu_set(vm, 0, R_DFR0_32, (was & ~(15ULL << 24)) | 2ULL << 24), EINVAL, "PerfMon 2");
	expect_ok(c, vcpu_set(vm, 0, R_DFR0_32, (was & ~(15ULL << 24)) | 3ULL << 24), "PerfMon 3");
	expect_ok(c, vcpu_set(vm, 0, R_DFR0_32, was & ~(15ULL << 24)), "PerfMon 0");
	expect_ok(c, vcpu_set(vm, 0, R_DFR0_32, was | 15ULL << 24), "PerfMon 15, of kernels of old");
	expect_value(c, vcpu_read(vm, 0, R_DFR0_32), was & ~(15ULL << 24), "which becomes 0");
	return 0;
}

static int pmu_version(struct conform *c)
{
	struct conform_vm *with, *without;

	if (!has_cap(c, CAP_ARM_PMU_V3))
		return skip(c, "no PMU");
	with = arm64_vm(c, 1, F_PSCI | F_PMU);
	without = arm64_vm(c, 1, F_PSCI);
	if (!with || !without)
		return 1;
	expect(c, vcpu_read(with, 0, R_DFR0) >> 8 & 15, "PMUVer with a PMU");
	expect_value(c, vcpu_read(without, 0, R_DFR0) >> 8 & 15, 0, "PMUVer without");
	expect_errno(c, vcpu_set(without, 0, R_DFR0, vcpu_read(without, 0, R_DFR0) | 1ULL << 8), EINVAL, "a PMU that was not asked for");
	return 0;
}

const struct conform_case cases_arm64_fields[] = {
	{ "fields:each", "ST:arm64/set_id_regs", each },
	{ "fields:outside-masks", "sys_regs.c arm64_check_features", outside },
	{ "fields:perfmon", "ST:arm64/set_id_regs", perfmon },
	{ "fields:pmu-version", "sys_regs.c", pmu_version },
	{ NULL, NULL, NULL },
};

/* SPDX-License-Identifier: MIT */
/*
 * Would the checks notice? On a KVM of software, which answers as foretold, all of them hold. Then a backend
 * between them and it lies, in one way at a time, and the one that is about it must say so.
 */
#include "soft.h"

#include <stdlib.h>

enum lie_kind {
	TAKE,	  /* what is refused is taken, and stored */
	STORE,	  /* what is refused is stored, and refused */
	REFUSE,	  /* what is taken is refused with ERROR */
	FORGET,	  /* what is taken is not stored */
	ERRNO,	  /* what is refused is refused with another errno */
	PASS,	  /* what is refused is said to be done */
	LIMIT,	  /* read as it was at first */
	RESET,	  /* registers are made anew */
	EXTRA,	  /* a mask for a register that is not there */
	EVERYONE, /* what one vCPU is told, all have */
};

struct lie {
	const char *what, *check; /* NULL: the prediction */
	unsigned long request;
	enum lie_kind kind;
	int error;
	int field; /* of the register that it is about, or -1 */
	bool ran, second; /* only after a run, only of the second vCPU */
};

#define F(name) ARM64_F_##name
static const struct lie lies[] = {
	{ "any parameter will do", "masks-parameters", GK_ARM_GET_REG_WRITABLE_MASKS, PASS, 0, -1, false, false },
	{ "a mask too many", "masks-of-what-is-there", GK_ARM_GET_REG_WRITABLE_MASKS, EXTRA, 0, -1, false, false },
	{ "less is refused", "safe-accepted", GK_SET_ONE_REG, REFUSE, EINVAL, F(ID_AA64ISAR0_EL1_AES), false, false },
	{ "less is forgotten", "safe-accepted", GK_SET_ONE_REG, FORGET, 0, F(ID_AA64MMFR2_EL1_CNP), false, false },
	{ "more is taken", "unsafe-refused", GK_SET_ONE_REG, TAKE, 0, F(ID_AA64ISAR1_EL1_DPB), false, false },
	{ "more is refused and stored", "unsafe-refused", GK_SET_ONE_REG, STORE, 0, F(ID_AA64PFR1_EL1_BT), false, false },
	{ "more is refused otherwise", "unsafe-refused", GK_SET_ONE_REG, ERRNO, EPERM, -1, false, false },
	{ "no debug is fine", "debugver-minimum", GK_SET_ONE_REG, TAKE, 0, F(ID_AA64DFR0_EL1_DEBUGVER), false, false },
	{ "no debug is fine", "copdbg-minimum", GK_SET_ONE_REG, TAKE, 0, F(ID_DFR0_EL1_COPDBG), false, false },
	{ "any PMU is fine", "perfmon-minimum", GK_SET_ONE_REG, TAKE, 0, F(ID_DFR0_EL1_PERFMON), false, false },
	{ "levels stay", "exception-levels-minimum", GK_SET_ONE_REG, REFUSE, EINVAL, F(ID_AA64PFR0_EL1_EL0), false, false },
	{ "the GIC stays", "gic-settled-at-first-run", GK_GET_ONE_REG, LIMIT, 0, F(ID_AA64PFR0_EL1_GIC), true, false },
	{ "MPAM is taken", "mpam-hardware-value", GK_SET_ONE_REG, TAKE, 0, F(ID_AA64PFR0_EL1_MPAM), false, false },
	{ "0 is refused", "mte-frac", GK_SET_ONE_REG, REFUSE, EINVAL, F(ID_AA64PFR1_EL1_MTE_FRAC), false, false },
	{ "caches are fixed", "clidr-level-added", GK_SET_ONE_REG, REFUSE, EINVAL, F(CLIDR_EL1_LOC), false, false },
	{ "caches are everybody's", "clidr-level-added", GK_SET_ONE_REG, EVERYONE, 0, F(CLIDR_EL1_LOC), false, false },
	{ "lines are fixed", "ctr-set", GK_SET_ONE_REG, REFUSE, EINVAL, F(CTR_EL0_IMINLINE), false, false },
	{ "places are forgotten", "mpidr-set", GK_SET_ONE_REG, FORGET, 0, F(MPIDR_EL1_AFF0), false, false },
	{ "places are everybody's", "mpidr-set", GK_SET_ONE_REG, EVERYONE, 0, F(MPIDR_EL1_AFF0), false, false },
	{ "names are forgotten", "implementation-ids", GK_SET_ONE_REG, FORGET, 0, -1, false, false },
	{ "names are taken", "implementation-ids-without-cap", GK_SET_ONE_REG, TAKE, 0, -1, false, false },
	{ "the guest sees something else", "guest-sees-what-was-set", GK_GET_ONE_REG, LIMIT, 0,
	  F(ID_AA64ISAR0_EL1_AES), true, false },
	{ "INIT makes them anew", "init-again-keeps", GK_ARM_VCPU_INIT, RESET, 0, -1, false, false },
	{ "not frozen", "frozen-after-run", GK_SET_ONE_REG, TAKE, 0, F(ID_AA64ISAR0_EL1_AES), true, false },
	{ "frozen otherwise", "frozen-after-run", GK_SET_ONE_REG, ERRNO, EINVAL, F(ID_AA64ISAR0_EL1_AES), true, false },
	{ "the same is refused", "frozen-after-run", GK_SET_ONE_REG, REFUSE, EBUSY, F(ID_AA64ISAR0_EL1_AES), true, false },
	{ "each its own", "vm-wide", GK_GET_ONE_REG, LIMIT, 0, F(ID_AA64ISAR0_EL1_AES), false, true },
	{ "each its own set", "one-feature-set", GK_ARM_VCPU_INIT, PASS, 0, -1, false, true },
	{ "less is refused", NULL, GK_SET_ONE_REG, REFUSE, EINVAL, F(ID_AA64ISAR0_EL1_RNDR), false, false },
	{ "less is forgotten", NULL, GK_SET_ONE_REG, FORGET, 0, F(ID_AA64MMFR1_EL1_PAN), false, false },
	{ "more is taken", NULL, GK_SET_ONE_REG, TAKE, 0, F(ID_AA64MMFR0_EL1_TGRAN4), false, false },
	{ "more is refused and stored", NULL, GK_SET_ONE_REG, STORE, 0, F(ID_AA64ZFR0_EL1_AES), false, false },
	{ "more is refused otherwise", NULL, GK_SET_ONE_REG, ERRNO, EPERM, F(CTR_EL0_DIC), false, false },
	{ "not frozen", NULL, GK_SET_ONE_REG, TAKE, 0, F(ID_AA64ISAR2_EL1_MOPS), true, false },
	{ "any vector lengths", NULL, GK_SET_ONE_REG, PASS, 0, F(SVE_VL), false, false },
	{ "any version of PSCI", NULL, GK_SET_ONE_REG, PASS, 0, F(PSCI_VERSION), false, false },
	{ "unknown features are as missing ones", NULL, GK_ARM_VCPU_INIT, ERRNO, EINVAL, -1, false, false },
	{ "any feature", NULL, GK_ARM_VCPU_INIT, PASS, 0, -1, false, false },
	{ "finalized at any time", NULL, GK_ARM_VCPU_FINALIZE, PASS, 0, -1, false, false },
	{ "a list at any time", NULL, GK_GET_REG_LIST, PASS, 0, -1, false, false },
	{ "too early is refused otherwise", NULL, GK_GET_ONE_REG, ERRNO, EPERM, -1, false, false },
	{ "runs at any time", NULL, GK_RUN, PASS, 0, -1, false, false },
};

static const struct lie *lie;
static unsigned told;

static uint64_t about(const struct lie *l)
{
	uint64_t addr = gcpu_facts_arm64.words[gcpu_facts_arm64.fields[l->field].word].addr;

	return l->field == ARM64_F_SVE_VL ? GK_REG_ARM64_SVE_VLS :
	       l->field == ARM64_F_PSCI_VERSION ? GK_REG_ARM_PSCI_VERSION : addr;
}

static int lie_of_reg(int fd, const struct gk_one_reg *reg, uint64_t before, int r)
{
	uint64_t *value = (uint64_t *)(uintptr_t)reg->addr;

	switch (lie->kind) {
	case TAKE:
	case STORE:
		if (r >= 0)
			return r;
		soft_poke(fd, reg->id, *value);
		told++;
		return lie->kind == TAKE ? 0 : r;
	case REFUSE:
	case FORGET:
		if (r < 0)
			return r;
		soft_poke(fd, reg->id, before);
		told++;
		return lie->kind == REFUSE ? -lie->error : 0;
	case EVERYONE:
		for (int other = 4; other < 12; other++)
			if (soft_peek(other, reg->id, &before))
				soft_poke(other, reg->id, *value);
		told++;
		return r;
	case LIMIT:
		told += r >= 0 && soft_limit(reg->id, value);
		return r;
	default:
		return r;
	}
}

static int lying_ioctl(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	const struct gk_one_reg *reg = (const void *)arg;
	bool of_reg = request == GK_SET_ONE_REG || request == GK_GET_ONE_REG;
	uint64_t before = 0;
	int r;

	if (of_reg)
		soft_peek(fd, reg->id, &before);
	r = soft_ops.ioctl(ctx, fd, request, arg);
	if (!lie || request != lie->request || (lie->ran && !soft_ran(fd)) || (lie->second && !soft_is_second(fd)) ||
	    (of_reg && lie->field >= 0 && reg->id != about(lie)))
		return r;
	if (lie->kind == PASS || lie->kind == ERRNO) {
		told += r < 0;
		return r >= 0 ? r : lie->kind == PASS ? 0 : -lie->error;
	}
	if (lie->kind == RESET) {
		soft_reset(fd);
		told++;
		return r;
	}
	if (lie->kind == EXTRA) {
		uint64_t *masks = (uint64_t *)(uintptr_t)((struct gk_reg_mask_range *)arg)->addr;

		masks[GK_ARM_FEATURE_ID_RANGE_SIZE - 1] = 1;
		told++;
		return r;
	}
	return lie_of_reg(fd, reg, before, r);
}

/* The recorded host, and one capability that newer kernels have. */
static void newer(const struct gcpu_snapshot *from, struct gcpu_snapshot *to)
{
	static struct snap_cap caps[256];
	static struct snap_reg regs[REGS_MOST];
	const unsigned words[] = { ARM64_W_MIDR_EL1, ARM64_W_REVIDR_EL1, ARM64_W_AIDR_EL1 };

	*to = *from;
	memcpy(caps, from->caps_vm.items, from->caps_vm.n * sizeof(caps[0]));
	caps[from->caps_vm.n] = (struct snap_cap){ CAP_ARM_WRITABLE_IMP_ID_REGS, 1 };
	to->caps_vm = (struct list){ caps, from->caps_vm.n + 1, 256 };
	memcpy(regs, from->regs.items, from->regs.n * sizeof(regs[0]));
	to->regs.items = regs;
	for (size_t i = 0; i < from->regs.n; i++)
		for (unsigned k = 0; k < 3; k++)
			if (regs[i].id == gcpu_facts_arm64.words[words[k]].addr)
				regs[i].mask = k ? ~0ULL : UINT32_MAX;
}

static unsigned found(const struct gcpu_kvm *kvm, struct gcpu_snapshot *snap, const char *check, bool quiet)
{
	static struct lab l;
	int status;

	memset(&l, 0, sizeof(l));
	l.mrs = soft_mrs;
	l.quiet = quiet;
	l.brief = quiet;
	l.snap = snap;
	l.only = check;
	soft_start(snap);
	status = idregs_open(&l, kvm, SOFT_KVM_FD);
	if (status == 0 && (!check || !quiet))
		status = idregs_predictions(&l);
	if (status == 0 && (check || !quiet))
		status = assertions(&l);
	if (status)
		printf("errno %d\n", -status);
	if (!quiet)
		printf("honest: %u fields, %u values, %u disagreements, %u checks, %u failed\n", l.fields, l.values,
		       l.disagreements, l.checks, l.failed);
	return l.disagreements + l.failed + (status && !quiet) + (!quiet && (!l.values || l.checks < 20));
}

int main(void)
{
	struct gcpu_kvm_ops ops = soft_ops;
	const struct gcpu_kvm kvm = { &ops, NULL };
	struct gcpu_snapshot *recorded = NULL, snap;
	struct gcpu_error err = { 0 };
	unsigned failed = 0, n = sizeof(lies) / sizeof(lies[0]);
	bool has[64] = { false };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (gcpu_snapshot_bundled("arm64-kvm-max-6-12", &recorded, &err)) {
		printf("FAIL %s\n", err.text);
		return 1;
	}
	newer(recorded, &snap);
	ops.ioctl = lying_ioctl;
	failed += found(&kvm, &snap, NULL, false) != 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned noticed;

		lie = &lies[i];
		told = 0;
		noticed = found(&kvm, &snap, lie->check, true);
		failed += !noticed || !told;
		printf("%s %s: %s: told %u times, noticed %u times\n", noticed && told ? "ok  " : "FAIL",
		       lie->check ? lie->check : "prediction", lie->what, told, noticed);
		for (unsigned k = 0; assertion_name(k) && lie->check; k++)
			has[k] = has[k] || strcmp(assertion_name(k), lie->check) == 0;
	}
	for (unsigned k = 0; assertion_name(k); k++) {
		if (!has[k])
			printf("FAIL %s: nobody lies about it\n", assertion_name(k));
		failed += !has[k];
	}
	soft_end();
	gcpu_snapshot_free(recorded);
	printf("%u lies, %u of them not noticed or something else wrong\n", n, failed);
	return failed != 0;
}

/* SPDX-License-Identifier: MIT */
/* SMCCC calls of a guest, as KVM answers them: hypercalls.c, trng.c, pvtime.c. */
#include "arm64.h"

#include <string.h>

#define NOT_SUPPORTED (-1)
#define NOT_REQUIRED (-2) /* as the architecture's call about CVE-2018-3639 has it */
#define INVALID_PARAMETER (-2)
#define UNAFFECTED 1
#define SMCCC_1_1 0x10001
#define TRNG_1_0 0x10000
#define STOLEN_SIZE 64U
#define PSCI_LAST 0x1fU

/* In the order of their bytes, four to a register. */
static const uint8_t vendor_uid[16] = { 0x28, 0xb4, 0x6f, 0xb6, 0x2e, 0xc5, 0x11, 0xe9,
					0xa9, 0xca, 0x4b, 0x56, 0x4d, 0x00, 0x3a, 0x74 };
static const uint8_t trng_uid[16] = { 0x0d, 0x21, 0xe0, 0x00, 0x43, 0x84, 0x11, 0xeb,
				      0x80, 0x70, 0x52, 0x44, 0x55, 0x4e, 0x5a, 0x4c };

#define IS(function, name) ((function) == arm64_call(ARM64_CALL_##name))

/* Which bit of the firmware's registers a function comes with, by its field; -1: none. */
static int field_of(uint32_t f)
{
	const struct facts *facts = &gcpu_facts_arm64;

	for (unsigned i = 0; i < facts->n_pv; i++)
		for (unsigned k = 0; k < facts->pv[i].n_calls; k++)
			if (facts->pv[i].call[k] == f)
				return facts->pv[i].field;
	return -1;
}

static uint64_t bitmap(const struct arm64_vcpu *x, uint64_t id)
{
	uint64_t value = 0;

	return arm64_get_firmware((struct arm64_vcpu *)x, id, &value) ? 0 : value;
}

/* Is the function of a field there? */
static bool has(const struct arm64_vcpu *x, int field)
{
	const struct field_fact *f = &gcpu_facts_arm64.fields[field];

	return bitmap(x, ADDR_ONE_REG(gcpu_facts_arm64.words[f->word].addr)) >> f->lsb & 1;
}

/* Without a bit of their own: those of the architecture and of PSCI. */
static bool always(uint32_t f)
{
	uint32_t psci = arm64_call(ARM64_CALL_PSCI_VERSION);

	return IS(f, SMCCC_VERSION) || IS(f, SMCCC_ARCH_FEATURES) || ((f & ~FAST_64) - psci) <= PSCI_LAST ||
	       (f >= PSCI_0_1_FIRST && f <= PSCI_0_1_LAST);
}

static int64_t workaround(const struct arm64_vcpu *x, uint64_t reg)
{
	static const int64_t told[] = { NOT_SUPPORTED, 0, UNAFFECTED };
	uint64_t level = bitmap(x, reg);

	return level < 3 ? told[level] : NOT_SUPPORTED;
}

/* Where the guest has the control of its own, it is told of no other. */
static int64_t store_bypass(const struct arm64_vcpu *x)
{
	uint64_t level = bitmap(x, GK_REG_ARM_SMCCC_ARCH_WORKAROUND_2) & 15;

	return level == GK_REG_ARM_SMCCC_ARCH_WORKAROUND_2_NOT_REQUIRED ? NOT_REQUIRED :
	       level == GK_REG_ARM_SMCCC_ARCH_WORKAROUND_2_AVAIL ? 0 : NOT_SUPPORTED;
}

static int64_t features(const struct arm64_vcpu *x, uint32_t about)
{
	if (IS(about, SMCCC_WORKAROUND_1))
		return workaround(x, GK_REG_ARM_SMCCC_ARCH_WORKAROUND_1);
	if (IS(about, SMCCC_WORKAROUND_2))
		return store_bypass(x);
	if (IS(about, SMCCC_WORKAROUND_3))
		return workaround(x, GK_REG_ARM_SMCCC_ARCH_WORKAROUND_3);
	return IS(about, PV_TIME_FEATURES) && has(x, ARM64_F_PV_TIME) ? 0 : NOT_SUPPORTED;
}

/* Once the VMM has said where. */
static int64_t pv_features(const struct arm64_vcpu *x, uint32_t about)
{
	return x->stolen != NOWHERE && (IS(about, PV_TIME_FEATURES) || IS(about, PV_TIME_ST)) ? 0 : NOT_SUPPORTED;
}

/* Where the vCPU's stolen time is told: from the first question on, with nothing stolen yet. */
static int64_t stolen(const struct arm64_vcpu *x)
{
	void *at = x->stolen == NOWHERE ? NULL : sw_guest_writable(x->v->vm, x->stolen, STOLEN_SIZE);

	if (!at)
		return NOT_SUPPORTED;
	memset(at, 0, STOLEN_SIZE);
	return (int64_t)x->stolen;
}

static void uid(const uint8_t bytes[16], uint64_t res[4])
{
	for (unsigned i = 0; i < 16; i++)
		res[i / 4] |= (uint64_t)bytes[i] << i % 4 * 8;
}

/* Nothing here is by chance: the same VM is told the same. */
static uint64_t next_random(struct arm64_vm *a)
{
	uint64_t z = a->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* BITS of them, the lowest in X3, SIZE in each register. */
static void random_bits(struct arm64_vcpu *x, uint64_t bits, unsigned size, uint64_t res[4])
{
	if (bits > 3 * size) {
		res[0] = (uint64_t)INVALID_PARAMETER;
		return;
	}
	for (unsigned i = 3; i > 0; i--) {
		unsigned here = bits > size ? size : (unsigned)bits;

		res[i] = here ? next_random(arm64_vm(x->v->vm)) >> (64 - here) : 0;
		bits -= here;
	}
}

static bool is_trng(uint32_t f)
{
	return field_of(f) == ARM64_F_TRNG;
}

static void trng(struct arm64_vcpu *x, uint32_t f, const uint64_t arg[6], uint64_t res[4])
{
	if (IS(f, TRNG_VERSION))
		res[0] = TRNG_1_0;
	else if (IS(f, TRNG_FEATURES))
		res[0] = is_trng((uint32_t)arg[1]) ? 0 : (uint64_t)NOT_SUPPORTED;
	else if (IS(f, TRNG_UUID))
		uid(trng_uid, res);
	else if (IS(f, TRNG_RND))
		random_bits(x, arg[1] & UINT32_MAX, 32, res);
	else
		random_bits(x, arg[1], 64, res);
}

static void vendor_features(const struct arm64_vcpu *x, uint64_t res[4])
{
	uint64_t first = bitmap(x, GK_REG_ARM_VENDOR_HYP_BMAP), second = bitmap(x, GK_REG_ARM_VENDOR_HYP_BMAP_2);

	res[0] = first & UINT32_MAX;
	if (!sw_behaves(arm64_model(x), BEHAVIOUR_VENDOR_FUNCTIONS_2))
		return;
	res[1] = first >> 32;
	res[2] = second & UINT32_MAX;
	res[3] = second >> 32;
}

/* The answer to a call that KVM takes itself. */
static enum sw_step answer(struct arm64_vcpu *x, uint32_t f, const uint64_t arg[6], uint64_t res[4])
{
	int64_t said = NOT_SUPPORTED;
	enum sw_step step = SW_DONE;

	memset(res, 0, 4 * sizeof(res[0]));
	if (IS(f, SMCCC_VERSION))
		said = SMCCC_1_1;
	else if (IS(f, SMCCC_ARCH_FEATURES))
		said = features(x, (uint32_t)arg[1]);
	else if (IS(f, PV_TIME_FEATURES))
		said = pv_features(x, (uint32_t)arg[1]);
	else if (IS(f, PV_TIME_ST))
		said = stolen(x);
	else if (IS(f, VENDOR_UID))
		uid(vendor_uid, res), said = (int64_t)res[0];
	else if (IS(f, VENDOR_FEATURES))
		vendor_features(x, res), said = (int64_t)res[0];
	else if (is_trng(f))
		trng(x, f, arg, res), said = (int64_t)res[0];
	else if (!IS(f, VENDOR_PTP)) /* there is no time here for it to tell */
		step = arm64_psci_call(x, f, &said);
	res[0] = (uint64_t)said;
	return step;
}

/* To the VMM, which sets X0 to X3 and runs the vCPU again. */
static enum sw_step forward(struct arm64_vcpu *x, uint32_t f)
{
	struct gk_run *run = x->v->run;

	run->exit_reason = GK_EXIT_HYPERCALL;
	memset(&run->hypercall, 0, sizeof(run->hypercall));
	run->hypercall.nr = f;
	return SW_EXIT;
}

static bool allowed(const struct arm64_vcpu *x, uint32_t f)
{
	int field = field_of(f);

	return field >= 0 ? has(x, field) : always(f);
}

/* KVM's entry itself takes what works around the CPU's errata: no filter and no bitmap is asked. */
static bool at_once(uint32_t f, struct gcpu_guest_op *op)
{
	if (!IS(f, SMCCC_WORKAROUND_1) && !IS(f, SMCCC_WORKAROUND_2) && !IS(f, SMCCC_WORKAROUND_3))
		return false;
	op->res[0] = op->res[1] = 0;
	op->res[2] = op->arg[2];
	op->res[3] = op->arg[3];
	return true;
}

enum sw_step arm64_smccc(struct arm64_vcpu *x, struct gcpu_guest_op *op)
{
	uint32_t f = (uint32_t)op->arg[0];
	uint8_t action = arm64_filtered(x->v->vm, f);
	enum sw_step step = SW_DONE;
	uint64_t res[4] = { (uint64_t)NOT_SUPPORTED };

	for (unsigned i = 0; i < 5; i++)
		if (arm64_set_x(x, i, op->arg[i]))
			return SW_BLOCKED;
	if (at_once(f, op))
		return SW_DONE;
	if (action == GK_SMCCC_FILTER_FWD_TO_USER)
		return forward(x, f);
	if (action == GK_SMCCC_FILTER_HANDLE && allowed(x, f))
		step = answer(x, f, op->arg, res);
	/* of a suspended system the registers are the VMM's */
	if (step == SW_BLOCKED || (step == SW_EXIT && x->v->run->system_event.type == GK_SYSTEM_EVENT_SUSPEND))
		return step;
	for (unsigned i = 0; i < 4; i++) {
		op->res[i] = res[i];
		arm64_set_x(x, i, res[i]);
	}
	return step;
}

/* SPDX-License-Identifier: MIT */
/* What KVM does with registers of ID and firmware: after a run, at another KVM_ARM_VCPU_INIT, for all vCPUs. */
#include <errno.h>

#include "arm64.h"

#include "core/plan.h"
#include "facts_gen.h"
#include "kvm/abi_arm64.h"
#include "kvm/call.h"

#define UNKNOWN_BIT (1ULL << 63)

/* ID_AA64PFR0_EL1.CSV2 or CSV3: what every kernel lets a VMM lower. The register with one less in it.
 * Not 0: the outcome says why not. */
struct lowering {
	uint64_t id, is, less;
	const char *name;
};

static int one_less(struct lab *lab, struct lowering *ret)
{
	static const unsigned fields[] = { ARM64_F_ID_AA64PFR0_EL1_CSV2, ARM64_F_ID_AA64PFR0_EL1_CSV3 };

	for (unsigned i = 0; i < COUNT(fields); i++) {
		const struct field_fact *f = &lab->alive->facts->fields[fields[i]];
		int r;

		ret->id = lab->alive->facts->words[f->word].addr;
		ret->name = f->name;
		r = get_reg(lab, 0, ret->id, &ret->is);
		if (r < 0)
			return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "%s: %s", f->name, answer(r));
		if (ret->is >> f->lsb & ((1ULL << f->width) - 1)) {
			ret->less = ret->is - (1ULL << f->lsb);
			return 0;
		}
	}
	return say(lab->out, GCPU_ALIVE_UNTESTABLE, "CSV2 and CSV3 are 0, there is nothing to lower");
}

static int lowered(struct lab *lab, struct lowering *ret)
{
	int r = one_less(lab, ret) ? 1 : set_reg(lab, 0, ret->id, ret->less);

	if (r < 0)
		return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "%s, one less, before any run: %s", ret->name, answer(r));
	return r;
}

/*
 * One less after the VM has run: "busy" (EBUSY, 6.5 and later), "accepted" (before),
 * "refused" by another errno. What it is already must be taken.
 */
static void id_after_run(struct lab *lab, struct outcome *out)
{
	struct lowering l;
	int same, less;

	if (one_less(lab, &l) || run_once(lab, 0))
		return;
	same = set_reg(lab, 0, l.id, l.is);
	less = set_reg(lab, 0, l.id, l.less);
	observe(out, less >= 0 ? "accepted" : less == -EBUSY && same >= 0 ? "busy" : "refused",
		"%s after KVM_RUN: the same %s, one less %s", l.name, answer(same), answer(less));
}

/* Another KVM_ARM_VCPU_INIT with the same features: "kept" (all kernels) or "reset". */
static void id_init_again(struct lab *lab, struct outcome *out)
{
	const struct gcpu_kvm *kvm = lab->alive->o->kvm;
	struct gk_arm_vcpu_init target = { 0 };
	struct lowering l;
	uint64_t after;
	int r;

	if (lowered(lab, &l))
		return;
	r = lab_vm_ioctl(lab, GK_ARM_PREFERRED_TARGET, &target);
	if (r >= 0)
		r = call_vcpu_init(kvm, run_machine_vcpu(lab->vm, 0), target.target,
				   (uint32_t)lab->plan->value[ARM64_W_INIT_0]);
	if (r >= 0)
		r = get_reg(lab, 0, l.id, &after);
	if (r < 0)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "KVM_ARM_VCPU_INIT once more: %s", answer(r));
	else
		observe(out, after == l.less ? "kept" : "reset", "%s: 0x%llx, lowered to 0x%llx, 0x%llx after KVM_ARM_VCPU_INIT",
			l.name, (unsigned long long)l.is, (unsigned long long)l.less, (unsigned long long)after);
}

/* Written by one vCPU: "vm-wide" (all kernels), the other has it as well; or "per-vcpu". */
static void id_shared(struct lab *lab, struct outcome *out)
{
	struct guest_op op;
	struct lowering l;
	uint64_t other;
	int r;

	if (lowered(lab, &l))
		return;
	op = OP_MRS((uint16_t)l.id);
	r = get_reg(lab, 1, l.id, &other);
	if (r < 0)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "%s of vCPU 1: %s", l.name, answer(r));
	if (r < 0 || lab_run(lab, 1, &op, 1))
		return;
	if (other != op.res[0])
		say(out, GCPU_ALIVE_INCONCLUSIVE, "vCPU 1: KVM says 0x%llx, the guest sees 0x%llx", (unsigned long long)other,
		    (unsigned long long)op.res[0]);
	else
		observe(out, other == l.less ? "vm-wide" : "per-vcpu", "%s: 0x%llx, lowered to 0x%llx by vCPU 0, vCPU 1 sees 0x%llx",
			l.name, (unsigned long long)l.is, (unsigned long long)l.less, (unsigned long long)other);
}

/* The bitmap of standard services emptied after the VM has run: "busy" (EBUSY, all kernels), "accepted",
 * "refused" by another errno. What it is already must be taken. */
static void bitmap_after_run(struct lab *lab, struct outcome *out)
{
	uint64_t is = 0;
	int r = get_reg(lab, 0, GK_REG_ARM_STD_BMAP, &is), same, none;

	if (r < 0 || !is) {
		say(out, GCPU_ALIVE_UNTESTABLE, "KVM_REG_ARM_STD_BMAP: %s, 0x%llx", answer(r), (unsigned long long)is);
		return;
	}
	if (run_once(lab, 0))
		return;
	same = set_reg(lab, 0, GK_REG_ARM_STD_BMAP, is);
	none = set_reg(lab, 0, GK_REG_ARM_STD_BMAP, 0);
	observe(out, none >= 0 ? "accepted" : none == -EBUSY && same >= 0 ? "busy" : "refused",
		"KVM_REG_ARM_STD_BMAP after KVM_RUN: the same %s, 0 %s", answer(same), answer(none));
}

/* A bit that no kernel knows: "refused" (EINVAL, all kernels), "accepted". */
static void bitmap_unknown(struct lab *lab, struct outcome *out)
{
	static const uint64_t bitmaps[] = { GK_REG_ARM_STD_BMAP, GK_REG_ARM_STD_HYP_BMAP, GK_REG_ARM_VENDOR_HYP_BMAP };
	unsigned refused = 0;
	int r = 0;

	for (unsigned i = 0; i < COUNT(bitmaps); i++) {
		r = set_reg(lab, 0, bitmaps[i], UNKNOWN_BIT);
		refused += r == -EINVAL;
	}
	observe(out, refused == COUNT(bitmaps) ? "refused" : r >= 0 ? "accepted" : "another-errno",
		"bit 63 of the bitmaps of services: %u of %u refused, the last %s", refused, (unsigned)COUNT(bitmaps), answer(r));
}

/* Another KVM_ARM_VCPU_INIT with other features than the first: "refused" (EINVAL, all kernels), "accepted". */
static void init_other_set(struct lab *lab, struct outcome *out)
{
	uint32_t features = (uint32_t)lab->plan->value[ARM64_W_INIT_0];
	uint32_t psci = 1U << lab->alive->facts->fields[ARM64_F_PSCI_0_2].lsb;
	struct gk_arm_vcpu_init target = { 0 };
	int r = lab_vm_ioctl(lab, GK_ARM_PREFERRED_TARGET, &target);

	if (r < 0) {
		say(out, GCPU_ALIVE_INCONCLUSIVE, "KVM_ARM_PREFERRED_TARGET: %s", answer(r));
		return;
	}
	r = call_vcpu_init(lab->alive->o->kvm, run_machine_vcpu(lab->vm, 0), target.target, features ^ psci);
	observe(out, r >= 0 ? "accepted" : r == -EINVAL ? "refused" : "another-errno",
		"KVM_ARM_VCPU_INIT once more, psci-0.2 turned over: %s", answer(r));
}

const struct exercise exercise_id_after_run = {
	.name = "id-register-after-run", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN, .vcpus = 1 }, .use = id_after_run,
};
const struct exercise exercise_id_init_again = {
	.name = "id-register-init-again", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN, .vcpus = 1, .no_guest = true },
	.use = id_init_again,
};
const struct exercise exercise_id_shared = {
	.name = "id-register-shared", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN }, .use = id_shared,
};
const struct exercise exercise_bitmap_after_run = {
	.name = "bitmap-after-run", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN, .vcpus = 1 }, .use = bitmap_after_run,
};
const struct exercise exercise_bitmap_unknown = {
	.name = "bitmap-unknown-bit", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN, .vcpus = 1, .no_guest = true },
	.use = bitmap_unknown,
};
const struct exercise exercise_init_other_set = {
	.name = "init-other-set", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN, .vcpus = 1, .no_guest = true },
	.use = init_other_set,
};

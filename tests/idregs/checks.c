/* SPDX-License-Identifier: MIT */
/* Promises about a VM that has not run. */
#include "assert.h"

#include <stdlib.h>

const char no_masks[] = "this KVM has no writable masks";

bool usual_vm(struct lab *l, struct tally *t, unsigned vcpus, struct vm *vm)
{
	/* static: a VM points to it */
	static struct config c;
	int status;

	c = (struct config){ .name = "usual", .features = lab_features(l, 0), .mte = lab_has(l, CAP_ARM_MTE),
			     .gic = true };
	/* a vCPU with a PMU that nobody initialised does not run */
	if (vcpus > 1)
		c.features &= ~(1U << field_at(ARM64_F_PMU)->lsb);
	status = vm_open(l, &c, vcpus, true, vm);
	return hold(t, status == 0, "no VM: errno %d", -status) && (t->n--, true);
}

void check_masks_parameters(struct lab *l, struct tally *t)
{
	uint64_t masks[GK_ARM_FEATURE_ID_RANGE_SIZE];
	struct gk_reg_mask_range range = { .addr = (uintptr_t)masks };
	int vm, status;

	t->none = no_masks;
	if (!l->has_masks)
		return;
	vm = call_number(l->kvm, l->kvm_fd, GK_CREATE_VM, 0);
	if (!hold(t, vm >= 0, "no VM: errno %d", -vm))
		return;
	status = call(l->kvm, vm, GK_ARM_GET_REG_WRITABLE_MASKS, &range);
	hold(t, status == 0, "the one range: %d", status);
	range.range = 1;
	status = call(l->kvm, vm, GK_ARM_GET_REG_WRITABLE_MASKS, &range);
	hold(t, status == -EINVAL, "another range: %d", status);
	range.range = GK_ARM_FEATURE_ID_RANGE;
	for (unsigned i = 0; i < 13; i++) {
		range.reserved[i] = 1;
		status = call(l->kvm, vm, GK_ARM_GET_REG_WRITABLE_MASKS, &range);
		hold(t, status == -EINVAL, "reserved word %u: %d", i, status);
		range.reserved[i] = 0;
	}
	range.addr = 0;
	status = call(l->kvm, vm, GK_ARM_GET_REG_WRITABLE_MASKS, &range);
	hold(t, status == -EFAULT, "no address: %d", status);
	l->kvm->ops->close(l->kvm->ctx, vm);
}

/* No mask without a register that can be read. */
void check_masks_exist(struct lab *l, struct tally *t)
{
	struct vm vm;

	t->none = no_masks;
	if (!l->has_masks || !usual_vm(l, t, 1, &vm))
		return;
	for (unsigned i = 0; i < GK_ARM_FEATURE_ID_RANGE_SIZE; i++) {
		unsigned op1 = i >> 6 == 2 ? 3 : i >> 6;
		uint64_t id = GK_ARM64_SYS_REG(3, op1, 0, i >> 3 & 7, i & 7);

		if (l->masks[i])
			hold(t, vm_reg(&vm, id) != NULL, "register 0x%llx has a mask and is not there",
			     (unsigned long long)id);
	}
	vm_close(l, &vm);
}

bool nothing_to_lower(const struct lab *l, struct vm *vm)
{
	const struct predict_reg *r = vm_reg(vm, reg_of(ARM64_F_ID_AA64PFR0_EL1_CSV2));

	return !l->has_masks && !get_field(r->limit, ARM64_F_ID_AA64PFR0_EL1_CSV2) &&
	       !get_field(r->limit, ARM64_F_ID_AA64PFR0_EL1_CSV3);
}

void check_safe(struct lab *l, struct tally *t)
{
	struct vm vm;

	if (!usual_vm(l, t, 1, &vm))
		return;
	if (nothing_to_lower(l, &vm))
		t->none = "this KVM lets two fields be lowered, and both are 0 here";
	/* without masks: the two that could be lowered always */
	if (!l->has_masks) {
		struct predict_reg *r = vm_reg(&vm, reg_of(ARM64_F_ID_AA64PFR0_EL1_CSV2));

		r->mask = put_field(0, ARM64_F_ID_AA64PFR0_EL1_CSV2, 15) | put_field(0, ARM64_F_ID_AA64PFR0_EL1_CSV3, 15);
	}
	each_field(l, &vm, t, true);
	vm_close(l, &vm);
}

void check_unsafe(struct lab *l, struct tally *t)
{
	struct vm vm;

	if (!usual_vm(l, t, 1, &vm))
		return;
	for (unsigned i = 0; i < vm.n && !l->has_masks; i++)
		vm.reg[i].mask = ~0ULL;
	/* these are each vCPU's own, and not the host's */
	for (unsigned i = 0; i < vm.n; i++)
		if (vm.reg[i].id == reg_of(ARM64_F_MPIDR_EL1_AFF0) || vm.reg[i].id == reg_of(ARM64_F_CLIDR_EL1_LOC))
			vm.reg[i].mask = 0;
	/* of AArch32 nothing is refused where there is none, and nothing taken */
	for (unsigned i = 0; i < vm.n && !(vm.p.flags & EXCEPTION_AARCH32); i++)
		if ((vm.reg[i].id >> 3 & 15) >= 1 && (vm.reg[i].id >> 3 & 15) <= 3)
			vm.reg[i].mask = 0;
	each_field(l, &vm, t, false);
	vm_close(l, &vm);
}

/* VALUES of one field, ended by -1: taken, or refused and the register is as before. */
static void values(struct lab *l, struct tally *t, unsigned field, bool taken, const int *list)
{
	struct predict_reg *r;
	struct vm vm;

	t->none = no_masks;
	if (!l->has_masks || !usual_vm(l, t, 1, &vm))
		return;
	r = vm_reg(&vm, reg_of(field));
	for (; r && *list >= 0; list++) {
		uint64_t word = put_field(r->limit, field, (uint64_t)*list);

		expect(l, &vm, t, r->id, word, taken ? 0 : EINVAL, taken ? word : r->limit, field_at(field)->name);
		if (taken)
			call_set_reg(l->kvm, vm.vcpu[0], r->id, &r->limit);
	}
	vm_close(l, &vm);
}

void check_debugver(struct lab *l, struct tally *t)
{
	values(l, t, ARM64_F_ID_AA64DFR0_EL1_DEBUGVER, false, (const int[]){ 0, 1, 2, 3, 4, 5, -1 });
	values(l, t, ARM64_F_ID_AA64DFR0_EL1_DEBUGVER, true, (const int[]){ 6, -1 });
}

/* AArch32's registers read 0 on a host that has none of it. */
static bool no_aarch32(struct lab *l, struct tally *t)
{
	struct vm vm;
	bool none;

	if (!usual_vm(l, t, 1, &vm))
		return true;
	none = !(vm.p.flags & EXCEPTION_AARCH32);
	vm_close(l, &vm);
	return none;
}

void check_copdbg(struct lab *l, struct tally *t)
{
	t->none = "this host has no AArch32";
	if (no_aarch32(l, t))
		return;
	values(l, t, ARM64_F_ID_DFR0_EL1_COPDBG, false, (const int[]){ 0, 1, 2, 3, 4, 5, -1 });
	values(l, t, ARM64_F_ID_DFR0_EL1_COPDBG, true, (const int[]){ 6, -1 });
}

void check_perfmon(struct lab *l, struct tally *t)
{
	t->none = "this host has no AArch32, or no PMU";
	if (no_aarch32(l, t) || !lab_has(l, CAP_ARM_PMU_V3))
		return;
	values(l, t, ARM64_F_ID_DFR0_EL1_PERFMON, false, (const int[]){ 1, 2, -1 });
	values(l, t, ARM64_F_ID_DFR0_EL1_PERFMON, true, (const int[]){ 0, 3, -1 });
}

void check_levels(struct lab *l, struct tally *t)
{
	/* 6.15 and later keep AArch64 at every level that a guest may have */
	bool kept = !kernel_too_old("6.15", l->snap->kernel);

	values(l, t, ARM64_F_ID_AA64PFR0_EL1_EL0, !kept, (const int[]){ 0, -1 });
	values(l, t, ARM64_F_ID_AA64PFR0_EL1_EL1, !kept, (const int[]){ 0, -1 });
	values(l, t, ARM64_F_ID_AA64PFR0_EL1_EL0, true, (const int[]){ 1, -1 });
	values(l, t, ARM64_F_ID_AA64PFR0_EL1_EL1, true, (const int[]){ 1, -1 });
}

/* Kernels of old showed what the hardware has: that one value is taken, and forgotten. */
void check_mpam(struct lab *l, struct tally *t)
{
	static const unsigned fields[] = { ARM64_F_ID_AA64PFR0_EL1_MPAM, ARM64_F_ID_AA64PFR1_EL1_MPAM_FRAC };
	struct vm vm;

	if (!usual_vm(l, t, 1, &vm))
		return;
	for (unsigned i = 0; i < 2; i++) {
		const struct predict_reg *r = vm_reg(&vm, reg_of(fields[i]));
		unsigned taken = 0;

		for (uint64_t v = 1; r && v < 16; v++) {
			uint64_t word = put_field(r->limit, fields[i], v), got;

			taken += call_set_reg(l->kvm, vm.vcpu[0], r->id, &word) >= 0;
			hold(t, read_reg(l, &vm, 0, r->id, &got) == 0 && got == r->limit, "%s = %llu stays",
			     field_at(fields[i])->name, (unsigned long long)v);
		}
		hold(t, r && get_field(r->limit, fields[i]) == 0, "%s is shown", field_at(fields[i])->name);
		hold(t, taken <= 1, "%s: %u values are taken", field_at(fields[i])->name, taken);
	}
	vm_close(l, &vm);
}

/* 0 promises asynchronous faults: taken, but it stays as it is. */
void check_mte_frac(struct lab *l, struct tally *t)
{
	const struct predict_reg *r;
	struct vm vm;

	t->none = no_masks;
	if (!l->has_masks || !usual_vm(l, t, 1, &vm))
		return;
	r = vm_reg(&vm, reg_of(ARM64_F_ID_AA64PFR1_EL1_MTE_FRAC));
	expect(l, &vm, t, r->id, put_field(r->limit, ARM64_F_ID_AA64PFR1_EL1_MTE_FRAC, 0), 0, r->limit, "MTE_frac");
	for (uint64_t v = 1; v < 15; v++)
		expect(l, &vm, t, r->id, put_field(r->limit, ARM64_F_ID_AA64PFR1_EL1_MTE_FRAC, v), EINVAL, r->limit,
		       "MTE_frac");
	vm_close(l, &vm);
}

void check_clidr(struct lab *l, struct tally *t)
{
	const unsigned first = ARM64_F_CLIDR_EL1_CTYPE1;
	const struct predict_reg *r;
	uint64_t word, other;
	struct vm vm;

	t->none = no_masks;
	if (!l->has_masks || !usual_vm(l, t, 2, &vm))
		return;
	r = vm_reg(&vm, reg_of(first));
	for (unsigned level = 0; level < 7; level++) {
		if (get_field(r->limit, first + level))
			continue;
		word = put_field(r->limit, first + level, 4); /* unified */
		expect(l, &vm, t, r->id, word, 0, word, "one more level");
		hold(t, read_reg(l, &vm, 1, r->id, &other) == 0 && other == r->limit, "another vCPU has it too");
		break;
	}
	expect(l, &vm, t, r->id, r->limit, 0, r->limit, "as before");
	expect(l, &vm, t, r->id, r->limit | 1ULL << 63, EINVAL, r->limit, "a bit that is nobody's");
	vm_close(l, &vm);
}

void check_ctr(struct lab *l, struct tally *t)
{
	const struct predict_reg *r;
	uint64_t word, line;
	struct vm vm;

	t->none = no_masks;
	if (!l->has_masks || !usual_vm(l, t, 1, &vm))
		return;
	r = vm_reg(&vm, reg_of(ARM64_F_CTR_EL0_IMINLINE));
	line = get_field(r->limit, ARM64_F_CTR_EL0_IMINLINE);
	word = put_field(r->limit, ARM64_F_CTR_EL0_DIC, 0);
	word = put_field(word, ARM64_F_CTR_EL0_IMINLINE, line ? line - 1 : 0);
	expect(l, &vm, t, r->id, word, 0, word, "shorter lines, not coherent");
	expect(l, &vm, t, r->id, put_field(word, ARM64_F_CTR_EL0_IMINLINE, line + 1), EINVAL, word, "longer lines");
	vm_close(l, &vm);
}

void check_mpidr(struct lab *l, struct tally *t)
{
	uint64_t word, before, other;
	struct vm vm;

	if (!usual_vm(l, t, 2, &vm))
		return;
	read_reg(l, &vm, 1, reg_of(ARM64_F_MPIDR_EL1_AFF0), &before);
	word = put_field(vm_reg(&vm, reg_of(ARM64_F_MPIDR_EL1_AFF0))->limit, ARM64_F_MPIDR_EL1_AFF1, 5);
	expect(l, &vm, t, reg_of(ARM64_F_MPIDR_EL1_AFF0), word, 0, word, "MPIDR_EL1");
	hold(t, read_reg(l, &vm, 1, reg_of(ARM64_F_MPIDR_EL1_AFF0), &other) == 0 && other == before,
	     "another vCPU's moves too");
	vm_close(l, &vm);
}

static const unsigned imp_words[] = { ARM64_W_MIDR_EL1, ARM64_W_REVIDR_EL1, ARM64_W_AIDR_EL1 };

void check_imp_ids(struct lab *l, struct tally *t)
{
	const struct config c = { .name = "ids", .features = 1U << field_at(ARM64_F_PSCI_0_2)->lsb, .gic = true,
				  .imp_ids = true };
	uint64_t ids[3], want[3], seen[3] = { 0 };
	struct vm vm;

	t->none = "this KVM has no KVM_CAP_ARM_WRITABLE_IMP_ID_REGS";
	if (!lab_has(l, CAP_ARM_WRITABLE_IMP_ID_REGS) || !hold(t, vm_open(l, &c, 2, true, &vm) == 0, "no VM"))
		return;
	for (unsigned i = 0; i < 3; i++) {
		ids[i] = gcpu_facts_arm64.words[imp_words[i]].addr;
		want[i] = vm_reg(&vm, ids[i])->limit + 1;
		expect(l, &vm, t, ids[i], want[i], 0, want[i], "an implementation of another name");
	}
	expect(l, &vm, t, ids[0], 1ULL << 32, EINVAL, want[0], "more than MIDR_EL1 has room for");
	for (unsigned vcpu = 0; vcpu < 2; vcpu++) {
		if (!hold(t, l->mrs(l, &vm, vcpu, ids, seen, 3) == 0, "the guest did not answer"))
			break;
		for (unsigned i = 0; i < 3; i++)
			hold(t, seen[i] == want[i], "vCPU %u sees 0x%llx, not 0x%llx", vcpu, (unsigned long long)seen[i],
			     (unsigned long long)want[i]);
	}
	want[0]--;
	expect(l, &vm, t, ids[0], want[0], EBUSY, want[0] + 1, "after the run");
	vm_close(l, &vm);
}

void check_no_imp_ids(struct lab *l, struct tally *t)
{
	struct vm vm;

	if (!usual_vm(l, t, 1, &vm))
		return;
	for (unsigned i = 0; i < 3; i++) {
		const struct predict_reg *r = vm_reg(&vm, gcpu_facts_arm64.words[imp_words[i]].addr);

		if (!hold(t, r != NULL, "register %u is not there", i))
			continue;
		expect(l, &vm, t, r->id, r->limit + 1, EINVAL, r->limit, "an implementation of another name");
		expect(l, &vm, t, r->id, r->limit, 0, r->limit, "its own name");
	}
	vm_close(l, &vm);
}

/* SPDX-License-Identifier: MIT */
/* Promises about what a guest sees, about later, and about several vCPUs. */
#include "assert.h"

#include <stdlib.h>

/* Every field that can promises less; vm->reg[].now has what was set. False where no field can. */
static bool lower_all(struct lab *l, struct vm *vm, struct tally *t)
{
	const struct facts *facts = &gcpu_facts_arm64;
	unsigned lowered = 0;

	for (unsigned i = 0; i < facts->n_fields; i++) {
		struct predict_reg *r = vm_reg(vm, reg_of(i));
		uint64_t value, word, mask;

		/* the GIC is settled later; of the implementation and of the vCPU's place there are other checks */
		if (!r || !in_range(r->id) || (field_at(i)->owner & OWNER_RUNTIME) ||
		    field_at(i)->order == ORDER_EXACT || !other_value(i, get_field(r->limit, i), true, &value))
			continue;
		mask = l->has_masks ? r->mask : i == ARM64_F_ID_AA64PFR0_EL1_CSV2 ? put_field(0, i, 15) : 0;
		if (get_field(mask, i) != field_mask(field_at(i)))
			continue;
		word = put_field(r->now, i, value);
		if (call_set_reg(l->kvm, vm->vcpu[0], r->id, &word) < 0)
			continue;
		r->now = word;
		lowered++;
	}
	if (!lowered && nothing_to_lower(l, vm)) {
		t->none = "this KVM lets two fields be lowered, and both are 0 here";
		return false;
	}
	return hold(t, lowered > 0, "nothing can be lowered");
}

/* A guest may see something else in these: each has its reason in runtime.txt, or no trap at all. */
static bool may_move(const struct lab *l, uint64_t id)
{
	const struct facts *facts = &gcpu_facts_arm64;

	if (id == facts->words[ARM64_W_CTR_EL0].addr)
		return !l->has_masks;
	/* without a trap the CPU's own is seen, and the one read here is that of the first CPU */
	return false;
}

/* The guest's view of every register that KVM shows, on each vCPU. */
static void see(struct lab *l, struct vm *vm, struct tally *t)
{
	static uint64_t ids[REGS_MOST], seen[REGS_MOST];
	unsigned n = 0;

	for (unsigned i = 0; i < vm->n; i++)
		/* AArch32's registers cannot be relied on where there is none */
		if (in_range(vm->reg[i].id) && ((vm->p.flags & EXCEPTION_AARCH32) || (vm->reg[i].id >> 3 & 15) == 0 ||
						(vm->reg[i].id >> 3 & 15) > 3))
			ids[n++] = vm->reg[i].id;
	for (unsigned vcpu = 0; vcpu < VCPUS; vcpu++) {
		if (!hold(t, l->mrs(l, vm, vcpu, ids, seen, n) == 0, "the guest did not answer"))
			return;
		for (unsigned i = 0; i < n; i++) {
			uint64_t want;

			hold(t, read_reg(l, vm, vcpu, ids[i], &want) == 0 && (seen[i] == want || may_move(l, ids[i])),
			     "vCPU %u: register 0x%llx: the guest sees 0x%llx, KVM says 0x%llx", vcpu,
			     (unsigned long long)ids[i], (unsigned long long)seen[i], (unsigned long long)want);
		}
	}
}

/* What was set before is still there. */
static void kept(struct lab *l, struct vm *vm, struct tally *t, const char *when)
{
	for (unsigned i = 0; i < vm->n; i++) {
		const struct predict_reg *r = &vm->reg[i];
		uint64_t got;

		if (in_range(r->id) && r->now != r->limit)
			hold(t, read_reg(l, vm, 0, r->id, &got) == 0 && got == r->now,
			     "%s: register 0x%llx reads 0x%llx, was set to 0x%llx", when, (unsigned long long)r->id,
			     (unsigned long long)got, (unsigned long long)r->now);
	}
}

/* A VM in which all that can be lowered is. */
static bool lowered_vm(struct lab *l, struct tally *t, struct vm *vm)
{
	if (!usual_vm(l, t, 2, vm))
		return false;
	if (lower_all(l, vm, t))
		return true;
	vm_close(l, vm);
	return false;
}

void check_guest(struct lab *l, struct tally *t)
{
	struct vm vm;

	if (!usual_vm(l, t, 2, &vm))
		return;
	lower_all(l, &vm, t);
	see(l, &vm, t);
	/* the GIC may have moved after it was read, what was set has not */
	kept(l, &vm, t, "after the run");
	vm_close(l, &vm);
}

void check_again(struct lab *l, struct tally *t)
{
	struct vm vm;

	if (!lowered_vm(l, t, &vm))
		return;
	for (unsigned i = 0; i < 2; i++) {
		int status = vm_init(l, &vm);

		hold(t, status == 0, "KVM_ARM_VCPU_INIT again: %d", status);
		kept(l, &vm, t, "after KVM_ARM_VCPU_INIT");
	}
	vm_close(l, &vm);
}

void check_frozen(struct lab *l, struct tally *t)
{
	struct vm vm;
	int status;

	/* before they belonged to the VM, a register took CSV2 and CSV3 at any time */
	t->none = "this KVM freezes nothing at the first run";
	if (kernel_too_old("6.5", l->snap->kernel) || !lowered_vm(l, t, &vm))
		return;
	status = vm_run(l, &vm);
	hold(t, status == 0, "the guest did not answer");
	for (unsigned i = 0; i < vm.n && status == 0; i++) {
		const struct predict_reg *r = &vm.reg[i];

		if (!in_range(r->id) || r->now == r->limit)
			continue;
		expect(l, &vm, t, r->id, r->now, 0, r->now, "the same");
		if ((r->now ^ r->limit) & r->mask)
			expect(l, &vm, t, r->id, r->limit, EBUSY, r->now, "as it was at first");
	}
	vm_close(l, &vm);
}

void check_vm_wide(struct lab *l, struct tally *t)
{
	struct vm vm;

	if (!lowered_vm(l, t, &vm))
		return;
	for (unsigned i = 0; i < vm.n; i++) {
		const struct predict_reg *r = &vm.reg[i];
		uint64_t got;

		if (in_range(r->id) && r->now != r->limit)
			hold(t, read_reg(l, &vm, 1, r->id, &got) == 0 && got == r->now,
			     "register 0x%llx: another vCPU has 0x%llx, not 0x%llx", (unsigned long long)r->id,
			     (unsigned long long)got, (unsigned long long)r->now);
	}
	vm_close(l, &vm);
}

void check_one_set(struct lab *l, struct tally *t)
{
	const uint32_t psci = 1U << field_at(ARM64_F_PSCI_0_2)->lsb;
	const struct config c = { .name = "sets", .features = psci };
	struct vm vm;
	int status;

	if (!hold(t, vm_open(l, &c, 2, false, &vm) == 0, "no VM"))
		return;
	status = call_vcpu_init(l->kvm, vm.vcpu[0], l->snap->target, psci);
	hold(t, status == 0, "the first: %d", status);
	/* until 6.5 only the width of registers had to be the same */
	status = call_vcpu_init(l->kvm, vm.vcpu[1], l->snap->target, 0);
	hold(t, status == (kernel_too_old("6.5", l->snap->kernel) ? 0 : -EINVAL), "another set: %d", status);
	status = call_vcpu_init(l->kvm, vm.vcpu[0], l->snap->target, 0);
	hold(t, status == -EINVAL, "another set for the same vCPU: %d", status);
	vm_close(l, &vm);
}

/* What it is follows the vGIC that there is, and only then. */
void check_gic(struct lab *l, struct tally *t)
{
	for (unsigned with = 0; with < 2; with++) {
		const struct config c = { .name = "gic", .features = 1U << field_at(ARM64_F_PSCI_0_2)->lsb, .gic = with };
		uint64_t id = reg_of(ARM64_F_ID_AA64PFR0_EL1_GIC), seen = 0, got, limit;
		struct vm vm;
		bool ran;

		if (!hold(t, vm_open(l, &c, 1, true, &vm) == 0, "no VM"))
			return;
		limit = get_field(vm_reg(&vm, id)->limit, ARM64_F_ID_AA64PFR0_EL1_GIC);
		ran = l->mrs(l, &vm, 0, &id, &seen, 1) == 0 && read_reg(l, &vm, 0, id, &got) == 0;
		if (hold(t, ran, "the guest did not answer")) {
			/* before there were masks: what the host has */
			uint64_t want = with ? 1 : l->has_masks ? 0 : limit;

			hold(t, get_field(got, ARM64_F_ID_AA64PFR0_EL1_GIC) == want, "%s a vGICv3 KVM says %llu",
			     with ? "with" : "without",
			     (unsigned long long)get_field(got, ARM64_F_ID_AA64PFR0_EL1_GIC));
			hold(t, get_field(seen, ARM64_F_ID_AA64PFR0_EL1_GIC) == want, "%s a vGICv3 the guest sees %llu",
			     with ? "with" : "without",
			     (unsigned long long)get_field(seen, ARM64_F_ID_AA64PFR0_EL1_GIC));
		}
		vm_close(l, &vm);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * PV EOI: KVM sets a bit where the guest may skip the end of interrupt, and
 * sees by the cleared bit that it did. A matter of the handler, which is in
 * the payload.
 */
#include "facts_gen.h"
#include "x86.h"

#define ENABLE 1ULL
#define RESERVED 2ULL
#define VECTOR 0x41
#define BY_IPI 20
#define BY_MSI 20
#define WHILE_OFF 5

static int by_ipi(struct lab *lab, unsigned n)
{
	struct guest_op ops[2 * BY_IPI];

	for (unsigned i = 0; i < n; i++) {
		ops[2 * i] = OP_APIC(APIC_ICR, ICR_SELF | ICR_ASSERT | VECTOR);
		ops[2 * i + 1] = OP(GUEST_OP_HALT, 0);
	}
	return lab_run(lab, 0, ops, 2 * n);
}

static int by_msi(struct lab *lab, unsigned n)
{
	struct guest_op halt = OP(GUEST_OP_HALT, 0);

	for (unsigned i = 0; i < n; i++) {
		int got = msi_send(lab, run_machine_vcpu_id(lab->vm, 0), VECTOR);

		if (got != 1)
			return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "KVM_SIGNAL_MSI: %d", got);
		if (lab_run(lab, 0, &halt, 1))
			return -1;
	}
	return 0;
}

/* Everything that is still in service, and the handler's own count. */
static int look(struct lab *lab, struct guest_op *seen, uint64_t *ret_in_service)
{
	struct guest_op ops[9];

	ops[8] = OP(GUEST_OP_INTERRUPTS, 0);
	for (unsigned i = 0; i < 8; i++)
		ops[i] = OP_APIC_READ(APIC_ISR + 0x10 * i);
	if (lab_run(lab, 0, ops, 9))
		return -1;
	*ret_in_service = 0;
	for (unsigned i = 0; i < 8; i++)
		*ret_in_service |= ops[i].res[0];
	*seen = ops[8];
	return 0;
}

static void use(struct lab *lab, struct outcome *out)
{
	uint32_t msr = pv_msr(lab->alive, X86_F_KVM_PV_EOI, 0);
	struct guest_op on, seen;
	uint64_t at, in_service;
	struct guest_op ops[3];

	lab_memory(lab, 0, &at);
	ops[0] = OP_WRMSR(msr, at | RESERVED | ENABLE);
	ops[1] = OP_WRMSR(msr, at | ENABLE);
	ops[2] = OP(GUEST_OP_EOI_WORD, at);
	if (apic_on(lab, 0) || lab_run(lab, 0, ops, COUNT(ops)))
		return;
	if (!op_gp(&ops[0]) || !op_done(&ops[1])) {
		say(out, GCPU_ALIVE_FAILS, "MSR 0x%x: a reserved bit %s, enabling %s", msr,
		    op_gp(&ops[0]) ? "is refused" : "is taken", op_done(&ops[1]) ? "is taken" : "is refused");
		return;
	}
	if (by_ipi(lab, BY_IPI) || by_msi(lab, BY_MSI) || look(lab, &on, &in_service))
		return;
	ops[0] = OP_WRMSR(msr, 0);
	if (lab_run(lab, 0, ops, 1) || by_ipi(lab, WHILE_OFF) || look(lab, &seen, &in_service))
		return;
	if (seen.res[0] != BY_IPI + BY_MSI + WHILE_OFF || in_service)
		say(out, GCPU_ALIVE_FAILS, "%llu of %d interrupts arrived%s", (unsigned long long)seen.res[0],
		    BY_IPI + BY_MSI + WHILE_OFF, in_service ? ", one is still in service" : "");
	else if (seen.res[2] != on.res[2])
		say(out, GCPU_ALIVE_FAILS, "turned off, and %llu more EOIs were skipped",
		    (unsigned long long)(seen.res[2] - on.res[2]));
	else if (on.res[2])
		say(out, GCPU_ALIVE_WORKS, "%llu of %d EOIs skipped, none lost", (unsigned long long)on.res[2],
		    BY_IPI + BY_MSI);
	else
		say(out, GCPU_ALIVE_INCONCLUSIVE,
		    "KVM takes the MSR and offered no skip in %d interrupts, which it need not; none lost",
		    BY_IPI + BY_MSI);
}

/* Refused, and the word that nobody writes lets no EOI be skipped. */
static void refused(struct lab *lab, struct outcome *out)
{
	struct guest_op seen;
	uint64_t at, in_service;

	lab_memory(lab, 0, &at);
	seen = OP(GUEST_OP_EOI_WORD, at);
	refused_by_facts(lab, X86_F_KVM_PV_EOI, out);
	/* without an APIC in KVM there is no interrupt to end */
	if (out->alive != GCPU_ALIVE_REFUSED || !lapic_in_kvm(lab))
		return;
	if (apic_on(lab, 0) || lab_run(lab, 0, &seen, 1) || by_ipi(lab, WHILE_OFF) || look(lab, &seen, &in_service))
		return;
	if (seen.res[2] || seen.res[0] != WHILE_OFF)
		say(out, GCPU_ALIVE_LEAKS, "%llu of %d EOIs skipped", (unsigned long long)seen.res[2], WHILE_OFF);
	else
		say(out, GCPU_ALIVE_REFUSED, "#GP, 0 of %d EOIs skipped", WHILE_OFF);
}

const struct exercise exercise_pv_eoi = {
	.name = "kvm-pv-eoi", .kind = GCPU_EXERCISE_FEATURE, .field = X86_F_KVM_PV_EOI,
	.want = { .vcpus = 1 }, .use = use, .refused = refused,
};

/* SPDX-License-Identifier: MIT */
#include "arm64.h"

#include <stdio.h>

#include "core/plan.h"
#include "facts_gen.h"
#include "kvm/abi_arm64.h"
#include "kvm/call.h"

struct guest_op op_smccc(const struct lab *lab, const uint64_t c[static 5])
{
	return OP(GUEST_OP_SMCCC, hypercall_number(lab->alive, (unsigned)c[0]), c[1], c[2], c[3], c[4]);
}

const char *op_text(const struct guest_op *op, char text[static 32])
{
	if (op_undef(op))
		return "undefined";
	snprintf(text, 32, op_done(op) ? "0x%llx" : "exception 0x%llx",
		 (unsigned long long)(op_done(op) ? op->res[0] : op->fault));
	return text;
}

int read_field(struct lab *lab, unsigned field, uint64_t *ret)
{
	const struct field_fact *f = &lab->alive->facts->fields[field];
	struct guest_op op = OP_MRS((uint16_t)lab->alive->facts->words[f->word].addr);
	char text[32];

	if (lab_run(lab, 0, &op, 1))
		return -1;
	if (!op_done(&op))
		return say(lab->out, GCPU_ALIVE_FAILS, "%s: %s", f->name, op_text(&op, text));
	*ret = op.res[0] >> f->lsb & ((1ULL << f->width) - 1);
	return 0;
}

int get_reg(const struct lab *lab, unsigned vcpu, uint64_t id, uint64_t *ret)
{
	return call_get_reg(lab->alive->o->kvm, run_machine_vcpu(lab->vm, vcpu), id, ret);
}

int set_reg(const struct lab *lab, unsigned vcpu, uint64_t id, uint64_t value)
{
	return call_set_reg(lab->alive->o->kvm, run_machine_vcpu(lab->vm, vcpu), id, &value);
}

int set_attr(const struct lab *lab, int fd, uint32_t group, uint64_t attr, const void *value)
{
	const struct gk_device_attr a = { .group = group, .attr = attr, .addr = (uintptr_t)value };
	const struct gcpu_kvm *kvm = lab->alive->o->kvm;

	return kvm->ops->ioctl(kvm->ctx, fd, GK_SET_DEVICE_ATTR, (uintptr_t)&a);
}

int run_once(struct lab *lab, unsigned vcpu)
{
	struct guest_op op = OP_MRS(REG_CNTVCT_EL0);

	return lab_run(lab, vcpu, &op, 1);
}

/* Every process may read the counter's frequency, the guest's is the same. */
uint64_t alive_khz(const struct lab *lab)
{
	uint64_t hz;

	(void)lab;
	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz / 1000;
}

bool alive_hypercalls(struct alive *a, struct outcome *out)
{
	(void)a;
	(void)out;
	return true;
}

/* Nothing has to be enforced: KVM refuses what its registers do not have. */
void alive_control_words(const struct exercise *e, bool left_on, char *ret, size_t size)
{
	snprintf(ret, size, ",%c%s", left_on ? '+' : '-', e->name);
}

int vendor_told(struct lab *lab, unsigned number)
{
	struct guest_op op = op_call(lab, ARM64_CALL_VENDOR_FEATURES);

	if (lab_run(lab, 0, &op, 1))
		return -1;
	return smccc_said(&op) != SMCCC_NOT_SUPPORTED && (op.res[number / 32] >> number % 32 & 1);
}

/* Does the call answer anything but that there is none? */
static int answers(struct lab *lab, unsigned call, unsigned about)
{
	struct guest_op op = op_call(lab, call, hypercall_number(lab->alive, about));

	return lab_run(lab, 0, &op, 1) ? -1 : smccc_said(&op) != SMCCC_NOT_SUPPORTED;
}

/* Is one of these fields of ID registers there? N: their number. */
static int any_field(struct lab *lab, unsigned n, const unsigned *fields)
{
	uint64_t value;

	for (unsigned i = 0; i < n; i++) {
		const struct field_fact *f = &lab->alive->facts->fields[fields[i]];

		if (read_field(lab, fields[i], &value))
			return -1;
		if (value != f->absent && value != 0xf)
			return 1;
	}
	return 0;
}

#define ANY(...) any_field(lab, COUNT(((const unsigned[]){ __VA_ARGS__ })), (const unsigned[]){ __VA_ARGS__ })

/* By what the architecture, or KVM's documents, tell a guest to look at. */
int alive_told(struct lab *lab, unsigned field)
{
	switch (field) {
	case ARM64_F_PSCI_0_2:
		return answers(lab, ARM64_CALL_PSCI_VERSION, 0);
	case ARM64_F_TRNG:
		return answers(lab, ARM64_CALL_TRNG_VERSION, 0);
	case ARM64_F_PV_TIME:
		return answers(lab, ARM64_CALL_SMCCC_ARCH_FEATURES, ARM64_CALL_PV_TIME_FEATURES);
	case ARM64_F_VENDOR_FEATURES:
		return answers(lab, ARM64_CALL_VENDOR_UID, 0);
	case ARM64_F_PTP:
		return vendor_told(lab, VENDOR_FUNCTION_PTP);
	case ARM64_F_DISCOVER_IMPL_VER:
		return vendor_told(lab, VENDOR_FUNCTION_VER);
	case ARM64_F_DISCOVER_IMPL_CPUS:
		return vendor_told(lab, VENDOR_FUNCTION_CPUS);
	case ARM64_F_PMU:
		return ANY(ARM64_F_ID_AA64DFR0_EL1_PMUVER);
	case ARM64_F_SVE:
		return ANY(ARM64_F_ID_AA64PFR0_EL1_SVE);
	case ARM64_F_PAUTH_ADDRESS:
		return ANY(ARM64_F_ID_AA64ISAR1_EL1_APA, ARM64_F_ID_AA64ISAR1_EL1_API, ARM64_F_ID_AA64ISAR2_EL1_APA3);
	case ARM64_F_PAUTH_GENERIC:
		return ANY(ARM64_F_ID_AA64ISAR1_EL1_GPA, ARM64_F_ID_AA64ISAR1_EL1_GPI, ARM64_F_ID_AA64ISAR2_EL1_GPA3);
	default:
		return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "no way to look for it is known");
	}
}

void refused_by_facts(struct lab *lab, unsigned field, struct outcome *out)
{
	const struct pv_fact *f = pv_fact(lab->alive, field);
	struct guest_op op;

	if (!f || !f->n_calls) {
		say(out, GCPU_ALIVE_INCONCLUSIVE, "nothing to be refused is known");
		return;
	}
	for (unsigned i = 0; i < f->n_calls; i++) {
		op = OP(GUEST_OP_SMCCC, f->call[i]);
		if (lab_run(lab, 0, &op, 1))
			return;
		if (smccc_said(&op) != SMCCC_NOT_SUPPORTED) {
			say(out, GCPU_ALIVE_LEAKS, "call 0x%x is answered: %d", f->call[i], smccc_said(&op));
			return;
		}
	}
	say(out, GCPU_ALIVE_REFUSED, "%u of %u calls give -1 (NOT_SUPPORTED)", f->n_calls, f->n_calls);
}

/* SPDX-License-Identifier: MIT */
/* The configurations in turn. */
#include "idregs.h"

static uint32_t bit(unsigned field)
{
	return 1U << gcpu_facts_arm64.fields[field].lsb;
}

/* Before the first run, and, if it can be run, after it. */
static int configuration(struct lab *l, const struct config *c, bool then_run)
{
	unsigned fields = l->fields, values = l->values, before = l->disagreements;
	struct vm vm;
	int status = vm_open(l, c, 1, true, &vm);

	if (status) {
		differs(l, "%s: no such VM: errno %d", c->name, -status);
		return 0;
	}
	predict_fields(l, &vm);
	predict_firmwares(l, &vm);
	if (then_run) {
		status = vm_run(l, &vm);
		if (status == 0) {
			predict_fields(l, &vm);
			predict_firmwares(l, &vm);
		}
	}
	vm_close(l, &vm);
	if (!l->quiet)
		printf("     %-24s %4u fields %6u values, %u disagreements\n", c->name, l->fields - fields,
		       l->values - values, l->disagreements - before);
	return status;
}

int idregs_predictions(struct lab *l)
{
	uint32_t all = lab_features(l, 0), sve = bit(ARM64_F_SVE), psci = bit(ARM64_F_PSCI_0_2);
	bool mte = lab_has(l, CAP_ARM_MTE), aarch32 = lab_has(l, CAP_ARM_EL1_32BIT);
	const struct {
		struct config c;
		bool wanted, run;
	} configs[] = {
		{ { .name = "everything", .features = all, .mte = mte, .gic = true }, true, false },
		{ { .name = "without a GIC", .features = all, .mte = mte }, true, false },
		{ { .name = "nothing", .features = 0 }, true, false },
		{ { .name = "no memory tagging", .features = all, .gic = true }, mte, false },
		{ { .name = "no SVE", .features = all & ~sve, .mte = mte, .gic = true }, all & sve, false },
		{ { .name = "AArch32 at EL1", .features = psci | bit(ARM64_F_EL1_32BIT), .gic = true }, aarch32, false },
		{ { .name = "implementation ids", .features = all, .mte = mte, .gic = true, .imp_ids = true },
		  lab_has(l, CAP_ARM_WRITABLE_IMP_ID_REGS), false },
		{ { .name = "nested", .features = all | bit(ARM64_F_NESTED), .gic = true }, lab_has(l, CAP_ARM_EL2), false },
		{ { .name = "after a run", .features = psci | (all & sve), .mte = mte, .gic = true }, true, true },
		{ { .name = "after a run, ids", .features = psci, .gic = true, .imp_ids = true },
		  lab_has(l, CAP_ARM_WRITABLE_IMP_ID_REGS), true },
	};
	int status = predict_vcpus(l);

	for (unsigned i = 0; i < sizeof(configs) / sizeof(configs[0]) && status == 0; i++)
		if (configs[i].wanted && (!l->brief || i == 0 || configs[i].run))
			status = configuration(l, &configs[i].c, configs[i].run);
	return status;
}

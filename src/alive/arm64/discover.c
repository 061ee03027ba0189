/* SPDX-License-Identifier: MIT */
/*
 * Discovery of CPU implementations: which MIDRs the guest may meet when it
 * migrates. KVM tells the guest that there are such calls and answers none: the
 * VMM takes them by an SMCCC filter. hypercalls.rst.
 */
#include <string.h>

#include "arm64.h"

#include "facts_gen.h"
#include "kvm/abi_arm64.h"

#define VERSION_1_0 0x10000
#define N_CPUS 2
#define INVALID (-3)

/* The VMM. Runs on the vCPU's thread while we wait for it. */
struct vmm {
	struct lab *lab;
	uint32_t ver, cpus;
	unsigned exits, strangers;
	int failed;
};

static uint64_t identity(uint64_t cpu, unsigned i)
{
	return 0x1d000000 + cpu * 0x100 + i;
}

static int take_call(void *ctx, unsigned vcpu, struct gk_run *run)
{
	uint64_t x[4] = { (uint64_t)SMCCC_NOT_SUPPORTED }, index = 0;
	struct vmm *v = ctx;

	if (run->exit_reason != GK_EXIT_HYPERCALL)
		return 0;
	v->exits++;
	if (run->hypercall.nr == v->ver) {
		x[0] = SMCCC_SUCCESS;
		x[1] = VERSION_1_0;
		x[2] = N_CPUS;
	} else if (run->hypercall.nr == v->cpus) {
		v->failed |= get_reg(v->lab, vcpu, GK_REG_ARM_X(1), &index);
		x[0] = index < N_CPUS ? SMCCC_SUCCESS : (uint64_t)INVALID;
		for (unsigned i = 1; i < 4; i++)
			x[i] = index < N_CPUS ? identity(index, i) : 0;
	} else {
		v->strangers++;
	}
	for (unsigned i = 0; i < 4; i++)
		v->failed |= set_reg(v->lab, vcpu, GK_REG_ARM_X(i), x[i]);
	return 1;
}

/* KVM takes filters before the VM has run, and not after. */
static int prepare(struct lab *lab, struct outcome *out)
{
	const uint32_t base = hypercall_number(lab->alive, ARM64_CALL_VENDOR_DISCOVER_VER);
	const struct gk_smccc_filter f = {
		.base = base, .nr_functions = hypercall_number(lab->alive, ARM64_CALL_VENDOR_DISCOVER_CPUS) - base + 1,
		.action = GK_SMCCC_FILTER_FWD_TO_USER,
	};
	int r = set_attr(lab, run_machine_vm(lab->vm), GK_ARM_VM_SMCCC_CTRL, GK_ARM_VM_SMCCC_FILTER, &f);

	return r < 0 ? say(out, GCPU_ALIVE_FAILS, "KVM_ARM_VM_SMCCC_FILTER: %s", answer(r)) : 0;
}

static bool is_cpu(const struct guest_op *op, uint64_t cpu)
{
	return op->res[0] == SMCCC_SUCCESS && op->res[1] == identity(cpu, 1) && op->res[2] == identity(cpu, 2) &&
	       op->res[3] == identity(cpu, 3);
}

static void use(struct lab *lab, struct outcome *out)
{
	struct vmm v = { .lab = lab, .ver = hypercall_number(lab->alive, ARM64_CALL_VENDOR_DISCOVER_VER),
			 .cpus = hypercall_number(lab->alive, ARM64_CALL_VENDOR_DISCOVER_CPUS) };
	struct guest_op ops[] = {
		op_call(lab, ARM64_CALL_VENDOR_DISCOVER_VER),
		op_call(lab, ARM64_CALL_VENDOR_DISCOVER_CPUS, 0),
		op_call(lab, ARM64_CALL_VENDOR_DISCOVER_CPUS, 1),
		op_call(lab, ARM64_CALL_VENDOR_DISCOVER_CPUS, lab_wrong(lab, N_CPUS, N_CPUS - 1)),
	};

	run_guest_set_exit(lab->guest, take_call, &v);
	if (lab_run(lab, 0, ops, COUNT(ops)))
		return;
	if (v.exits != COUNT(ops) || v.strangers || v.failed)
		say(out, GCPU_ALIVE_FAILS, "%u of %u calls came to the VMM, %u that it had not asked for", v.exits,
		    (unsigned)COUNT(ops), v.strangers);
	else if (ops[0].res[0] || ops[0].res[1] != VERSION_1_0 || ops[0].res[2] != N_CPUS || !is_cpu(&ops[1], 0) ||
		 !is_cpu(&ops[2], 1))
		say(out, GCPU_ALIVE_FAILS, "the VMM's answers do not reach the guest");
	else if (smccc_said(&ops[3]) != INVALID)
		say(out, GCPU_ALIVE_FAILS, "its control failed: a CPU that there is not gives %d", smccc_said(&ops[3]));
	else
		say(out, GCPU_ALIVE_WORKS,
		    "4 calls came to the VMM by an SMCCC filter; version 1.0, %u implementations, a third gives -3", N_CPUS);
}

static void refused_one(struct lab *lab, unsigned field, unsigned function, struct outcome *out)
{
	int told = vendor_told(lab, function);

	if (told < 0)
		return;
	if (told)
		say(out, GCPU_ALIVE_LEAKS, "the guest is told of it");
	else
		refused_by_facts(lab, field, out);
}

static void refused_ver(struct lab *lab, struct outcome *out)
{
	refused_one(lab, ARM64_F_DISCOVER_IMPL_VER, VENDOR_FUNCTION_VER, out);
}

static void refused_cpus(struct lab *lab, struct outcome *out)
{
	refused_one(lab, ARM64_F_DISCOVER_IMPL_CPUS, VENDOR_FUNCTION_CPUS, out);
}

const struct exercise exercise_discover_ver = {
	.name = "discover-impl-ver", .kind = GCPU_EXERCISE_FEATURE, .field = ARM64_F_DISCOVER_IMPL_VER,
	.want = { .vcpus = 1 }, .prepare = prepare, .use = use, .refused = refused_ver,
};
const struct exercise exercise_discover_cpus = {
	.name = "discover-impl-cpus", .kind = GCPU_EXERCISE_FEATURE, .field = ARM64_F_DISCOVER_IMPL_CPUS,
	.want = { .vcpus = 1 }, .prepare = prepare, .use = use, .refused = refused_cpus,
};

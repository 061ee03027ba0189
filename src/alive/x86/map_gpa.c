/* SPDX-License-Identifier: MIT */
/*
 * MAP_GPA_RANGE: the guest says that a range of its memory is shared or
 * encrypted. KVM looks at the range's form alone, the VMM does the rest: here
 * it notes what comes and answers with numbers that only it can know. The
 * CPUID bit gates nothing; what does is KVM_CAP_EXIT_HYPERCALL. KVM's
 * hypercalls.rst.
 */
#include "facts_gen.h"
#include "kvm/abi.h"
#include "x86.h"

#define ENCRYPTED 0x10
#define SIZE_2M 1
#define PAGES 3
#define RANGES 2 /* that are right, then the others */
#define WRONG 3

/* The VMM. Runs on the vCPU's thread while we wait for it. */
struct vmm {
	uint32_t number;
	unsigned exits, strange;
	uint64_t args[RANGES][3];
};

static uint64_t vmm_answer(unsigned i)
{
	return 0x5eed0000 + i;
}

static int take_exit(void *ctx, unsigned vcpu, struct gk_run *run)
{
	struct vmm *v = ctx;

	(void)vcpu;
	if (run->exit_reason != GK_EXIT_HYPERCALL)
		return 0;
	if (run->hypercall.nr != v->number || v->exits == RANGES) {
		v->strange++;
		return 0;
	}
	for (unsigned i = 0; i < 3; i++)
		v->args[v->exits][i] = run->hypercall.args[i];
	run->hypercall.ret = vmm_answer(v->exits++);
	return 1;
}

/* Memory of the guest's own, and after it what no range can be: not a page's address, no pages,
 * more than there are addresses. */
static void calls(struct lab *lab, uint32_t number, struct guest_op ops[RANGES + WRONG])
{
	uint64_t at;

	lab_memory(lab, LAB_SHARED, &at);
	ops[0] = op_hypercall(lab, number, at, PAGES, 0, 0);
	ops[1] = op_hypercall(lab, number, at, PAGES, ENCRYPTED | SIZE_2M, 0);
	ops[2] = op_hypercall(lab, number, at + 8, PAGES, 0, 0);
	ops[3] = op_hypercall(lab, number, at, 0, 0, 0);
	ops[4] = op_hypercall(lab, number, at, ~0ULL, 0, 0);
}

/* What came to the VMM is what the guest said, and the guest has the VMM's answer. */
static int range_came(const struct vmm *v, unsigned i, const struct guest_op *op, struct outcome *out)
{
	const uint64_t *a = v->args[i];

	if (i >= v->exits)
		return say(out, GCPU_ALIVE_FAILS, "call %u did not come to the VMM, the guest has %lld", i + 1,
			   (long long)op->res[0]);
	if (a[0] != op->arg[1] || a[1] != op->arg[2] || a[2] != op->arg[3])
		return say(out, GCPU_ALIVE_FAILS,
			   "0x%llx, %llu pages, attributes 0x%llx came to the VMM as 0x%llx, %llu, 0x%llx",
			   (unsigned long long)op->arg[1], (unsigned long long)op->arg[2],
			   (unsigned long long)op->arg[3], (unsigned long long)a[0],
			   (unsigned long long)a[1], (unsigned long long)a[2]);
	if (op->res[0] != vmm_answer(i))
		return say(out, GCPU_ALIVE_FAILS, "the VMM answered 0x%llx, the guest has 0x%llx",
			   (unsigned long long)vmm_answer(i), (unsigned long long)op->res[0]);
	return 0;
}

/* All of them, with us as the VMM. 0 or as lab_run(). */
static int call_all(struct lab *lab, struct vmm *v, struct guest_op ops[RANGES + WRONG])
{
	*v = (struct vmm){ .number = pv_call(lab->alive, X86_F_KVM_HC_MAP_GPA_RANGE, 0) };
	calls(lab, v->number, ops);
	run_guest_set_exit(lab->guest, take_exit, v);
	return lab_run(lab, 0, ops, RANGES + WRONG);
}

static void use(struct lab *lab, struct outcome *out)
{
	struct guest_op ops[RANGES + WRONG];
	struct vmm v;

	if (call_all(lab, &v, ops))
		return;
	for (unsigned i = 0; i < RANGES; i++)
		if (range_came(&v, i, &ops[i], out))
			return;
	for (unsigned i = RANGES; i < COUNT(ops); i++)
		if (ops[i].res[0] != HC_EINVAL) {
			say(out, GCPU_ALIVE_FAILS, "0x%llx, %llu pages: %lld, not -22 (EINVAL)",
			    (unsigned long long)ops[i].arg[1], (unsigned long long)ops[i].arg[2],
			    (long long)ops[i].res[0]);
			return;
		}
	if (v.strange)
		say(out, GCPU_ALIVE_FAILS, "%u calls too many came to the VMM", v.strange);
	else
		say(out, GCPU_ALIVE_WORKS,
		    "%d exits, the VMM's answers in RAX; %d wrong ranges -22 (EINVAL) without an exit", RANGES,
		    WRONG);
}

/* The VMM would answer; it must not be asked. */
static void refused(struct lab *lab, struct outcome *out)
{
	struct guest_op ops[RANGES + WRONG];
	struct vmm v;

	if (call_all(lab, &v, ops))
		return;
	for (unsigned i = 0; i < COUNT(ops); i++)
		if (ops[i].res[0] != HC_ENOSYS || v.exits || v.strange) {
			say(out, GCPU_ALIVE_LEAKS, "%u exits, the guest has %lld", v.exits + v.strange,
			    (long long)ops[i].res[0]);
			return;
		}
	say(out, GCPU_ALIVE_REFUSED, "%d calls give -1000 (ENOSYS), no exit", (int)COUNT(ops));
}

const struct exercise exercise_map_gpa = {
	.name = "kvm-hc-map-gpa-range", .kind = GCPU_EXERCISE_FEATURE, .field = X86_F_KVM_HC_MAP_GPA_RANGE,
	.hypercalls = true, .want = { .vcpus = 1 }, .use = use, .refused = refused,
};

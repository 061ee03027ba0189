/* SPDX-License-Identifier: MIT */
/*
 * Where enforcement ends: what KVM_CAP_ENFORCE_PV_FEATURE_CPUID does not
 * refuse though no feature is announced, what KVM's host may do all the same,
 * and what a vCPU keeps of a table that it has no more. KVM's api.rst 8.26,
 * hypercalls.rst, msr.rst; x86.c, cpuid.c.
 */
#include <string.h>

#include "facts_gen.h"
#include "kvm/call.h"
#include "plain.h"

#define ENFORCED .words = ",kvm-pv-enforce-cpuid=on"

static int cannot_enforce(struct lab *lab)
{
	if (gcpu_snapshot_capability(lab->alive->o->snapshot, CAP_ENFORCE_PV_FEATURE_CPUID) > 0)
		return 0;
	return say(lab->out, GCPU_ALIVE_UNTESTABLE, "this KVM cannot enforce: it lacks KVM_CAP_ENFORCE_PV_FEATURE_CPUID");
}

/* How many of the MSRs that features have the guest can read; -1: no telling. */
static int readable(struct lab *lab, unsigned *ret_all)
{
	const struct facts *f = lab->alive->facts;
	struct guest_op ops[32];
	unsigned n = 0;
	int served = 0;

	for (unsigned i = 0; i < f->n_pv; i++)
		for (unsigned k = 0; strcmp(f->pv[i].gate, "msr") == 0 && k < f->pv[i].n_msrs && n < COUNT(ops); k++)
			ops[n++] = OP_RDMSR(f->pv[i].msr[k]);
	if (lab_run(lab, 0, ops, n))
		return -1;
	for (unsigned i = 0; i < n; i++)
		served += op_done(&ops[i]);
	*ret_all = n;
	return served;
}

/* The table without any feature; and indeed the guest can use none. */
static int clear_all(struct lab *lab)
{
	struct snap_cpuid *kvm;
	struct cpuid_table t;
	unsigned all;
	int r;

	if (cannot_enforce(lab) || table_planned(lab, &t))
		return -1;
	kvm = table_kvm(&t);
	if (kvm)
		kvm->regs[0] = 0;
	r = table_set(lab, &t);
	if (r < 0)
		return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "KVM_SET_CPUID2: %s", strerror(-r));
	r = readable(lab, &all);
	if (r > 0)
		return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "nothing is enforced: the guest reads %d of %u MSRs", r, all);
	return r;
}

/* No hypercall can be tried here: then the outcome says so, and which one it is. */
static int no_call(struct lab *lab, uint32_t number)
{
	struct outcome why = { .alive = GCPU_ALIVE_INCONCLUSIVE };

	if (alive_hypercalls(lab->alive, &why))
		return 0;
	return say(lab->out, why.alive, "hypercall %u: %.200s", number, why.witness);
}

/* "answered" (every kernel), or "refused": as what does not exist. */
static void answered(struct lab *lab, struct outcome *out, unsigned call)
{
	uint32_t number = lab->alive->facts->calls[call].number;
	struct guest_op op;
	uint64_t at;

	lab_memory(lab, 0, &at);
	op = op_hypercall(lab, number, at, 0, 0, 0);
	if (no_call(lab, number) || clear_all(lab) || lab_run(lab, 0, &op, 1))
		return;
	if (!op_done(&op))
		say(out, GCPU_ALIVE_INCONCLUSIVE, "hypercall %u: exception %llu", number,
		    (unsigned long long)op.fault);
	else
		observe(out, op.res[0] == HC_ENOSYS ? "refused" : "answered", "hypercall %u, no feature told of: %lld",
			number, (long long)op.res[0]);
}

static void poll_irq(struct lab *lab, struct outcome *out)
{
	answered(lab, out, X86_CALL_VAPIC_POLL_IRQ);
}

static void clock_pairing(struct lab *lab, struct outcome *out)
{
	answered(lab, out, X86_CALL_CLOCK_PAIRING);
}

/* Exits to the VMM about one number. Counted on the vCPU's thread while we wait for it. */
struct exits {
	uint64_t number;
	unsigned n;
};

static int take_exit(void *ctx, unsigned vcpu, struct gk_run *run)
{
	bool msr = run->exit_reason == GK_EXIT_X86_RDMSR || run->exit_reason == GK_EXIT_X86_WRMSR;
	struct exits *e = ctx;

	(void)vcpu;
	if (msr && run->msr.index == e->number) {
		run->msr.error = 0;
		run->msr.data = 0;
	} else if (run->exit_reason == GK_EXIT_HYPERCALL && run->hypercall.nr == e->number) {
		run->hypercall.ret = 0;
	} else {
		return 0;
	}
	e->n++;
	return 1;
}

/* "reaches-vmm" (every kernel): once the VMM has asked for it the guest's use comes to it, and
 * it alone can refuse; or "refused". */
static void reaches(struct lab *lab, struct outcome *out, unsigned cap, uint64_t arg, struct guest_op op)
{
	struct exits e = { .number = op.arg[0] };
	int r;

	r = vm_cap(lab, cap);
	if (no_answer(lab, "KVM_CHECK_EXTENSION", r))
		return;
	if (r <= 0) {
		say(out, GCPU_ALIVE_UNTESTABLE, "this KVM passes it on to no VMM");
		return;
	}
	if (clear_all(lab))
		return;
	r = vm_enable(lab, cap, arg);
	if (r < 0) {
		say(out, GCPU_ALIVE_INCONCLUSIVE, "KVM_ENABLE_CAP %u: %s", cap, strerror(-r));
		return;
	}
	run_guest_set_exit(lab->guest, take_exit, &e);
	if (lab_run(lab, 0, &op, 1))
		return;
	observe(out, e.n ? "reaches-vmm" : "refused",
		op.code == GUEST_OP_HYPERCALL ? "hypercall %llu, no feature told of: %u exit%s to the VMM" :
						"MSR 0x%llx, no feature told of: %u exit%s to the VMM",
		(unsigned long long)e.number, e.n, e.n == 1 ? "" : "s");
}

static void map_gpa(struct lab *lab, struct outcome *out)
{
	uint32_t call = pv_call(lab->alive, X86_F_KVM_HC_MAP_GPA_RANGE, 0);
	uint64_t at;

	lab_memory(lab, 0, &at);
	if (no_call(lab, call) == 0)
		reaches(lab, out, CAP_EXIT_HYPERCALL, 1ULL << call, op_hypercall(lab, call, at, 1, 0, 0));
}

static void migration_control(struct lab *lab, struct outcome *out)
{
	struct guest_op op = OP_RDMSR(pv_msr(lab->alive, X86_F_KVM_MIGRATION_CONTROL, 0));

	reaches(lab, out, CAP_X86_USER_SPACE_MSR, GK_MSR_EXIT_REASON_UNKNOWN, op);
}

/*
 * KVM_GET_MSRS by the host of MSRs that the guest is refused. "refused" (6.1;
 * 6.12 to 6.19 before their stable releases of March 2026, as 6.18.15): the call stops at
 * the first; "zero" (7.0 and later, and those stable releases): each is read as
 * 0, and 0 may be written, as of any MSR that KVM lists. "mixed": neither of all.
 */
static void get_msrs(struct lab *lab, struct outcome *out)
{
	const struct gcpu_kvm *kvm = lab->alive->o->kvm;
	const struct facts *f = lab->alive->facts;
	int vcpu = run_machine_vcpu(lab->vm, 0);
	unsigned all = 0, zero = 0, other = 0, written = 0;

	if (clear_all(lab))
		return;
	for (unsigned i = 0; i < f->n_pv; i++) {
		for (unsigned k = 0; strcmp(f->pv[i].gate, "msr") == 0 && k < f->pv[i].n_msrs; k++) {
			uint64_t value = 1;
			int got = call_get_msr(kvm, vcpu, f->pv[i].msr[k], &value);
			int set = call_set_msr(kvm, vcpu, f->pv[i].msr[k], 0);

			if (got < 0 || set < 0) {
				say(out, GCPU_ALIVE_INCONCLUSIVE, "KVM_GET_MSRS, KVM_SET_MSRS: %s",
				    strerror(got < 0 ? -got : -set));
				return;
			}
			all++;
			zero += !got && !value;
			other += !got && value;
			written += !set;
		}
	}
	observe(out, zero == all ? "zero" : zero || other ? "mixed" : "refused",
		"of %u MSRs %u read as 0, %u as something else; 0 may be written to %u", all, zero, other, written);
}

/*
 * A second table without KVM's leaves, before the first run. "dropped" (6.14
 * and later): none of the first table's features can be used; "kept" (6.1 and
 * 6.12): all of them, as KVM looks at the features only where it finds its
 * signature. A table that has the leaves with no feature is safe on every kernel.
 */
static void second_table(struct lab *lab, struct outcome *out)
{
	struct cpuid_table t;
	unsigned all = 0;
	int r;

	if (cannot_enforce(lab) || table_planned(lab, &t))
		return;
	table_drop_kvm(&t);
	if (table_give(lab, &t))
		return;
	r = readable(lab, &all);
	if (r >= 0)
		observe(out, r ? "kept" : "dropped", "KVM's leaves taken out by another KVM_SET_CPUID2: the guest reads %d of %u MSRs",
			r, all);
}

#define OPEN(id, what, function)                                                          \
	const struct exercise exercise_open_##id = {                                               \
		.name = "not-enforced:" what, .kind = GCPU_EXERCISE_BEHAVIOUR, \
		.want = { PLAIN, ENFORCED }, .use = (function) }

OPEN(poll_irq, "vapic-poll-irq", poll_irq);
OPEN(clock_pairing, "clock-pairing", clock_pairing);
OPEN(map_gpa, "map-gpa-range", map_gpa);
OPEN(migration_control, "migration-control", migration_control);

const struct exercise exercise_enforcement_get_msrs = {
	.name = "enforcement-get-msrs", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN, ENFORCED }, .use = get_msrs,
};
const struct exercise exercise_enforcement_second_table = {
	.name = "enforcement-second-table", .kind = GCPU_EXERCISE_BEHAVIOUR, .want = { PLAIN, ENFORCED },
	.use = second_table,
};

/* SPDX-License-Identifier: MIT */
/*
 * MIGRATION_CONTROL: an MSR that KVM does not know, by which the guest allows
 * its migration, bit 0. All that KVM does is to pass accesses to unknown MSRs
 * on, every one of them; the VMM keeps the value. KVM's msr.rst.
 */
#include "facts_gen.h"
#include "kvm/abi.h"
#include "x86.h"

#define ALLOWED 1ULL /* a guest with plain memory begins so */
#define RESERVED 2ULL

/* The VMM. Runs on the vCPU's thread while we wait for it. */
struct vmm {
	uint32_t msr;
	uint64_t value;
	unsigned reads, writes, strangers, reasons;
};

static int take_exit(void *ctx, unsigned vcpu, struct gk_run *run)
{
	bool write = run->exit_reason == GK_EXIT_X86_WRMSR;
	struct vmm *v = ctx;

	(void)vcpu;
	if (!write && run->exit_reason != GK_EXIT_X86_RDMSR)
		return 0;
	v->reasons |= run->msr.reason;
	run->msr.error = 1; /* #GP */
	if (run->msr.index != v->msr) {
		v->strangers++;
		return 1;
	}
	v->reads += !write;
	v->writes += write;
	if (!write)
		run->msr.data = v->value;
	else if (run->msr.data & ~ALLOWED)
		return 1;
	else
		v->value = run->msr.data;
	run->msr.error = 0;
	return 1;
}

/* In the range that is KVM's, away from what it has at the begin and what a para-virtual KVM
 * has for itself at the end: nothing is there. */
static uint32_t stranger(uint32_t msr)
{
	return (msr & ~0xffU) | 0x80;
}

static void use(struct lab *lab, struct outcome *out)
{
	struct vmm v = { .msr = pv_msr(lab->alive, X86_F_KVM_MIGRATION_CONTROL, 0), .value = ALLOWED };
	struct guest_op ops[] = {
		OP_RDMSR(v.msr),
		OP_WRMSR(v.msr, 0),
		OP_RDMSR(v.msr),
		OP_WRMSR(v.msr, RESERVED),
		OP_RDMSR(v.msr),
		OP_WRMSR(v.msr, ALLOWED),
		OP_RDMSR(v.msr),
		OP_RDMSR(stranger(v.msr)),
		OP_WRMSR(stranger(v.msr), 0),
	};
	static const uint64_t values[] = { ALLOWED, 0, 0, ALLOWED }; /* as the guest reads them */

	run_guest_set_exit(lab->guest, take_exit, &v);
	if (lab_run(lab, 0, ops, COUNT(ops)))
		return;
	if (v.reads != 4 || v.writes != 3) {
		say(out, GCPU_ALIVE_FAILS,
		    "%u of 4 reads and %u of 3 writes came to the VMM; the first read %s", v.reads, v.writes,
		    op_done(&ops[0]) ? "gives a value, as with kvm.ignore_msrs" : "faults");
		return;
	}
	for (unsigned i = 0; i < COUNT(values); i++)
		if (!op_done(&ops[2 * i]) || ops[2 * i].res[0] != values[i]) {
			say(out, GCPU_ALIVE_FAILS, "read number %u %s 0x%llx, it should be %llu", i + 1,
			    op_done(&ops[2 * i]) ? "gives" : "faults,", (unsigned long long)ops[2 * i].res[0],
			    (unsigned long long)values[i]);
			return;
		}
	if (!op_done(&ops[1]) || !op_done(&ops[5]) || !op_gp(&ops[3]))
		say(out, GCPU_ALIVE_FAILS, "0 is %s, 1 is %s, 2 is %s", op_done(&ops[1]) ? "taken" : "refused",
		    op_done(&ops[5]) ? "taken" : "refused", op_done(&ops[3]) ? "taken" : "refused");
	else if (v.strangers != 2 || !op_gp(&ops[7]) || !op_gp(&ops[8]))
		say(out, GCPU_ALIVE_INCONCLUSIVE,
		    "the MSR works; %u of 2 accesses to MSR 0x%x, which nobody should know, came to the VMM",
		    v.strangers, stranger(v.msr));
	else if (v.reasons != GK_MSR_EXIT_REASON_UNKNOWN)
		say(out, GCPU_ALIVE_FAILS, "reasons 0x%x, not only that KVM does not know the MSR", v.reasons);
	else
		say(out, GCPU_ALIVE_WORKS,
		    "7 exits, 1 and 0 read back, 2 refused by the VMM: #GP; MSR 0x%x comes to it too: #GP",
		    stranger(v.msr));
}

/* The VMM would answer; it must not be asked. */
static void refused(struct lab *lab, struct outcome *out)
{
	struct vmm v = { .msr = pv_msr(lab->alive, X86_F_KVM_MIGRATION_CONTROL, 0), .value = ALLOWED };
	struct guest_op ops[] = { OP_RDMSR(v.msr), OP_WRMSR(v.msr, 0), OP_WRMSR(v.msr, ALLOWED) };

	run_guest_set_exit(lab->guest, take_exit, &v);
	if (lab_run(lab, 0, ops, COUNT(ops)))
		return;
	if (v.reads || v.writes || !op_gp(&ops[0]) || !op_gp(&ops[1]) || !op_gp(&ops[2]))
		say(out, GCPU_ALIVE_LEAKS, "the guest can use MSR 0x%x, %u exits", v.msr, v.reads + v.writes);
	else
		say(out, GCPU_ALIVE_REFUSED, "#GP on reading and writing, no exit");
}

const struct exercise exercise_migration_control = {
	.name = "kvm-migration-control", .kind = GCPU_EXERCISE_FEATURE, .field = X86_F_KVM_MIGRATION_CONTROL,
	.want = { .vcpus = 1 }, .use = use, .refused = refused,
};

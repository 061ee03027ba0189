/* SPDX-License-Identifier: MIT */
#include "x86.h"

#include <stdio.h>
#include <string.h>

#include "core/plan.h"
#include "cpuid_table.h"
#include "facts_gen.h"
#include "kvm/abi.h"
#include "kvm/abi_x86.h"

/* No hypercall has this number. */
#define HC_NONE 99
#define HYPERCALL_MS 1000
#define ASLEEP_MS 50

/* "GenuineIntel" and those that take its VMCALL; all others take VMMCALL. */
static bool takes_vmcall(const struct gcpu_kvm *kvm)
{
	static const char vendors[][13] = { "GenuineIntel", "CentaurHauls", "  Shanghai  " };
	uint32_t r[4] = { 0 };
	char vendor[12];

	if (kvm->ops->host_cpuid(kvm->ctx, 0, 0, r))
		return false;
	memcpy(vendor, &r[1], 4);
	memcpy(vendor + 4, &r[3], 4);
	memcpy(vendor + 8, &r[2], 4);
	for (size_t i = 0; i < COUNT(vendors); i++)
		if (memcmp(vendor, vendors[i], sizeof(vendor)) == 0)
			return true;
	return false;
}

struct guest_op op_hypercall(const struct lab *lab, uint32_t number, uint64_t a, uint64_t b, uint64_t c,
			     uint64_t d)
{
	return OP(GUEST_OP_HYPERCALL, number, a, b, c, d, !takes_vmcall(lab->alive->o->kvm));
}

uint64_t alive_khz(const struct lab *lab)
{
	int khz = lab_vcpu_ioctl(lab, 0, GK_GET_TSC_KHZ, NULL);

	return khz > 0 ? (uint64_t)khz : 1000000;
}

int alive_told(struct lab *lab, unsigned field)
{
	const struct field_fact *f = &lab->alive->facts->fields[field];
	uint64_t addr = lab->alive->facts->words[f->word].addr;
	uint32_t leaf = ADDR_LEAF(addr);
	struct kvm_found kvm = { 0 };
	struct guest_op op;

	if (leaf >= KVM_LEAF_BASE && leaf < KVM_LEAF_END) {
		if (kvm_discover(lab, 0, &kvm))
			return -1;
		leaf += kvm.base - KVM_LEAF_BASE;
		if (!kvm.base || leaf > kvm.highest)
			return 0;
	}
	op = OP(GUEST_OP_CPUID, leaf, ADDR_SUBLEAF(addr));
	if (lab_run(lab, 0, &op, 1))
		return -1;
	return (op.res[ADDR_REG(addr)] >> f->lsb & 1) != 0;
}

void alive_control_words(const struct exercise *e, bool left_on, char *ret, size_t size)
{
	snprintf(ret, size, ",kvm-pv-enforce-cpuid=%s,%c%s", left_on ? "off" : "on", left_on ? '+' : '-', e->name);
}

/* Ask for one that there is not. */
static void ask_hypercalls(struct alive *a, struct outcome *out)
{
	const struct lab_want want = { .vcpus = 1, .plain = true };
	struct gcpu_error err = { 0 };
	struct guest_op op;
	struct lab lab;
	int r = -1;

	if (lab_open(a, &want, &lab, out) == 0) {
		op = op_hypercall(&lab, HC_NONE, 0, 0, 0, 0);
		r = lab.port->run(lab.port->ctx, 0, &op, 1, HYPERCALL_MS, &err);
		if (r && r != GCPU_ERR_TIMEOUT)
			say(out, GCPU_ALIVE_INCONCLUSIVE, "%s", err.text);
	}
	lab_close(&lab);
	if (r && r != GCPU_ERR_TIMEOUT)
		return;
	a->hypercalls = !r && op_done(&op) && op.res[0] == HC_ENOSYS ? HYPERCALLS_ANSWERED : HYPERCALLS_NOT;
	if (r)
		snprintf(a->why_no_hypercalls, sizeof(a->why_no_hypercalls),
			 "a hypercall from ring 0 never returns here: %.160s",
			 strstr(err.text, "RIP") ? strstr(err.text, "RIP") : err.text);
	else
		snprintf(a->why_no_hypercalls, sizeof(a->why_no_hypercalls),
			 op_done(&op) ? "a hypercall that there is not gives 0x%llx" :
					"a hypercall from ring 0 takes exception %llu",
			 (unsigned long long)(op_done(&op) ? op.res[0] : op.fault));
}

bool alive_hypercalls(struct alive *a, struct outcome *out)
{
	struct outcome asked = { .alive = GCPU_ALIVE_INCONCLUSIVE };

	if (a->hypercalls == HYPERCALLS_UNKNOWN)
		ask_hypercalls(a, &asked);
	if (a->hypercalls == HYPERCALLS_NOT)
		say(out, GCPU_ALIVE_UNTESTABLE, "%s", a->why_no_hypercalls);
	else if (a->hypercalls == HYPERCALLS_UNKNOWN)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "whether this KVM answers hypercalls: %.200s", asked.witness);
	return a->hypercalls == HYPERCALLS_ANSWERED;
}

int asleep(struct lab *lab, unsigned vcpu, struct guest_op *ops, size_t n)
{
	struct gk_mp_state state = { GK_MP_STATE_RUNNABLE };
	int r;

	/* It may not even have come to its HLT yet. */
	do {
		r = lab_ended(lab, vcpu, ops, n, ASLEEP_MS);
		if (r)
			return r < 0 ? r : 0;
		r = lab_vcpu_ioctl(lab, vcpu, GK_GET_MP_STATE, &state);
	} while (r == 0 && state.mp_state != GK_MP_STATE_HALTED && lab_left(lab) > 1);
	if (r == 0 && state.mp_state == GK_MP_STATE_HALTED)
		return 1;
	say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "vCPU %u is to halt: state %u, %s", vcpu, state.mp_state,
	    r ? strerror(-r) : "and no time left");
	return -1;
}

int host_clock_is_tsc(const struct lab *lab, char name[static 32])
{
	/* Of Linux's clock sources these read the TSC: clocksource/hyperv_timer.c, kernel/tsc.c. */
	static const char *const by_tsc[] = { "tsc", "hyperv_clocksource_tsc_page" };
	const struct gcpu_kvm *kvm = lab->alive->o->kvm;
	int n = kvm->ops->read_host_file(kvm->ctx, "/sys/devices/system/clocksource/clocksource0/current_clocksource",
					 name, 31);

	name[n > 0 ? n : 0] = 0;
	name[strcspn(name, "\n")] = 0;
	for (size_t i = 0; i < COUNT(by_tsc); i++)
		if (strcmp(name, by_tsc[i]) == 0)
			return 1;
	return name[0] ? 0 : -1;
}

/* Accesses that are to be refused. 0 is a value that each of KVM's MSRs takes. 0 they were; 1 they
 * were not, or there is no telling, and the outcome says so. */
static int try_msr(struct lab *lab, uint32_t msr, struct outcome *out)
{
	struct guest_op ops[] = { OP_RDMSR(msr), OP_WRMSR(msr, 0) };

	if (lab_run(lab, 0, ops, COUNT(ops)))
		return 1;
	if (op_gp(&ops[0]) && op_gp(&ops[1]))
		return 0;
	for (unsigned i = 0; i < 2; i++)
		if (!op_done(&ops[i]) && !op_gp(&ops[i]))
			return say(out, GCPU_ALIVE_INCONCLUSIVE, "MSR 0x%x: exception %llu", msr,
				   (unsigned long long)ops[i].fault);
	return say(out, GCPU_ALIVE_LEAKS, "MSR 0x%x: RDMSR %s, WRMSR of 0 %s", msr, op_done(&ops[0]) ? "is served" : "#GP",
		   op_done(&ops[1]) ? "is served" : "#GP");
}

void refused_by_facts(struct lab *lab, unsigned field, struct outcome *out)
{
	const struct pv_fact *f = pv_fact(lab->alive, field);
	unsigned n = 0;

	for (unsigned i = 0; f && i < f->n_msrs; i++, n++)
		if (try_msr(lab, f->msr[i], out))
			return;
	for (unsigned i = 0; f && i < f->n_calls; i++, n++) {
		struct guest_op op = op_hypercall(lab, f->call[i], 0, 0, 0, 0);

		if (!alive_hypercalls(lab->alive, out) || lab_run(lab, 0, &op, 1))
			return;
		if (op.res[0] != HC_ENOSYS) {
			say(out, GCPU_ALIVE_LEAKS, "hypercall %u is answered: %lld", f->call[i],
			    (long long)op.res[0]);
			return;
		}
	}
	if (!n)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "nothing to be refused is known");
	else
		say(out, GCPU_ALIVE_REFUSED, "%s", f->n_msrs ? "#GP on reading and writing" :
								"the hypercall gives -1000 (ENOSYS)");
}

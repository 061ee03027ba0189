/* SPDX-License-Identifier: MIT */
/*
 * The MSR of async page faults, and its bit for hypervisors in the guest.
 *
 * kvm-asyncpf is the MSR alone: once events came by #PF in both directions,
 * which KVM gave up; what comes today needs bit 3, kvm-asyncpf-int. So it
 * works if the MSR can be set, and if nothing comes of that by itself.
 *
 * kvm-asyncpf-vmexit is bit 2: the event as an exit of a guest's own guest.
 * That KVM takes the bit is all that can be seen from here.
 */
#include <guestcpu/feature.h>

#include "asyncpf.h"
#include "facts_gen.h"

/* Take BITS and give them back? 0, or the outcome says that not. */
static int takes(struct apf *a, uint64_t bits)
{
	struct guest_op read = OP_RDMSR(a->msr_enable);
	int got = apf_write(a, bits);

	if (got < 0 || (got && lab_run(a->lab, 0, &read, 1)))
		return -1;
	if (got && op_done(&read) && read.res[0] == (a->at | bits))
		return 0;
	return -say(a->lab->out, GCPU_ALIVE_FAILS, "MSR 0x%x: 0x%llx is %s", a->msr_enable, (unsigned long long)bits,
		    got ? "not given back" : "refused");
}

/* Events without bit 3? 0, or the outcome says so. *ret_tried: pages could be withheld. */
static int no_events(struct apf *a, bool *ret_tried)
{
	struct guest_op on = OP(GUEST_OP_APF_DATA, a->at, 0, 0, a->lab->khz);
	struct apf_seen seen;

	*ret_tried = false;
	if (lab_run(a->lab, 0, &on, 1))
		return -1;
	for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
		if (apf_load(a, cpl, &seen))
			return a->lab->out->alive == GCPU_ALIVE_UNTESTABLE ? 0 : -1;
		if (seen.missed)
			return -say(a->lab->out, GCPU_ALIVE_INCONCLUSIVE, "CPL %u: %llu events without bit 3", cpl,
				    (unsigned long long)seen.missed);
	}
	*ret_tried = true;
	return 0;
}

static void use(struct lab *lab, struct outcome *out)
{
	struct apf a;
	bool tried;

	apf_init(&a, lab);
	if (apic_on(lab, 0) || apf_reserved(&a) || takes(&a, APF_ENABLE) || takes(&a, APF_ENABLE | APF_ALWAYS) ||
	    no_events(&a, &tried) || apf_write(&a, 0) < 0)
		return;
	say(out, GCPU_ALIVE_WORKS, "MSR 0x%x taken, reserved bits #GP; %s", a.msr_enable,
	    tried ? "2 missing pages, no event without bit 3" :
		    lab_on_model(lab) ? "no page comes late on the software KVM, events not tried" :
		    "no page can be withheld here, events not tried");
}

/* All of it, whatever else is on. */
static void refused(struct lab *lab, struct outcome *out)
{
	static const uint64_t bits[] = { APF_ENABLE, APF_ENABLE | APF_ALWAYS, APF_ENABLE | APF_VMEXIT,
					 APF_ENABLE | APF_INTERRUPT, APF_ALWAYS | APF_VMEXIT | APF_INTERRUPT };
	struct apf a;

	apf_init(&a, lab);
	refused_by_facts(lab, X86_F_KVM_ASYNCPF, out);
	for (unsigned i = 0; i < COUNT(bits) && out->alive == GCPU_ALIVE_REFUSED; i++) {
		int got = apf_write(&a, bits[i]);

		if (got < 0)
			out->alive = GCPU_ALIVE_INCONCLUSIVE;
		else if (got)
			say(out, GCPU_ALIVE_LEAKS, "MSR 0x%x takes 0x%llx", a.msr_enable, (unsigned long long)bits[i]);
	}
}

static void use_vmexit(struct lab *lab, struct outcome *out)
{
	struct apf a;

	apf_init(&a, lab);
	if (apic_on(lab, 0) || apf_reserved(&a) || takes(&a, APF_ENABLE | APF_VMEXIT) || apf_write(&a, 0) < 0)
		return;
	say(out, GCPU_ALIVE_UNTESTABLE, "bit 2 is taken; delivery needs a hypervisor in the guest");
}

static void refused_vmexit(struct lab *lab, struct outcome *out)
{
	struct apf a;
	int bit, without;

	apf_init(&a, lab);
	bit = apf_write(&a, APF_ENABLE | APF_VMEXIT);
	without = bit == 0 ? apf_write(&a, APF_ENABLE) : 0;
	if (bit < 0 || without < 0)
		return;
	if (bit)
		say(out, GCPU_ALIVE_LEAKS, "bit 2 of MSR 0x%x is taken", a.msr_enable);
	else if (without)
		say(out, GCPU_ALIVE_REFUSED, "#GP for bit 2 of MSR 0x%x alone", a.msr_enable);
	else if (!gcpu_plan_has(lab->plan, GCPU_X86_KVM_ASYNCPF))
		say(out, GCPU_ALIVE_REFUSED, "#GP for all of MSR 0x%x", a.msr_enable);
	else
		say(out, GCPU_ALIVE_INCONCLUSIVE, "MSR 0x%x is refused even without bit 2", a.msr_enable);
}

const struct exercise exercise_asyncpf = {
	.name = "kvm-asyncpf", .kind = GCPU_EXERCISE_FEATURE, .field = X86_F_KVM_ASYNCPF,
	.want = { .vcpus = 1 }, .use = use, .refused = refused,
};
const struct exercise exercise_asyncpf_vmexit = {
	.name = "kvm-asyncpf-vmexit", .kind = GCPU_EXERCISE_FEATURE, .field = X86_F_KVM_ASYNCPF_VMEXIT,
	.want = { .vcpus = 1 }, .use = use_vmexit, .refused = refused_vmexit,
};

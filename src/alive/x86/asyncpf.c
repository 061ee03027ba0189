/* SPDX-License-Identifier: MIT */
/*
 * Async page faults by interrupt: where a page of the guest's memory is not
 * there, KVM sends a #PF with a token in CR2, the guest does something else,
 * and an interrupt with the same token says when the page is. KVM awaits a
 * page like this only where the guest could be interrupted.
 */
#include <guestcpu/feature.h>
#include <string.h>

#include "asyncpf.h"
#include "facts_gen.h"
#include "run/withhold.h"

#define VECTOR 0xf3
#define VECTOR_RESERVED 0x100
#define PAGE 0x1000
#define VALUE_AT 0x100
#define VALUE 0x1f2e3d4c5b6a7988ULL
#define DELAY_MS 50
#define GIVE_UP_MS 5000 /* then the guest reads again, and KVM lets it wait */
#define TRIES 3		/* until the page comes while the guest works, not before */

void apf_init(struct apf *a, struct lab *lab)
{
	memset(a, 0, sizeof(*a));
	a->lab = lab;
	lab_memory(lab, 0, &a->at);
	a->here = lab_memory(lab, LAB_SHARED, &a->page);
	a->msr_enable = pv_msr(lab->alive, X86_F_KVM_ASYNCPF, 0);
	a->msr_vector = pv_msr(lab->alive, X86_F_KVM_ASYNCPF_INT, 0);
	a->msr_ack = pv_msr(lab->alive, X86_F_KVM_ASYNCPF_INT, 1);
}

int apf_write(struct apf *a, uint64_t bits)
{
	/* The interrupt that enabling sends, its token is for all who wait, arrives while it spins. */
	struct guest_op ops[] = { OP_WRMSR(a->msr_enable, bits ? a->at | bits : 0), OP_SPIN(a->lab->khz) };

	if (lab_run(a->lab, 0, ops, COUNT(ops)))
		return -1;
	if (op_done(&ops[0]) || op_gp(&ops[0]))
		return op_done(&ops[0]);
	return -say(a->lab->out, GCPU_ALIVE_FAILS, "MSR 0x%x: exception %llu", a->msr_enable,
		    (unsigned long long)ops[0].fault);
}

int apf_reserved(struct apf *a)
{
	static const uint64_t bits[] = { 1ULL << 4, 1ULL << 5, 1ULL << 4 | APF_ENABLE, 1ULL << 5 | APF_ENABLE };

	for (unsigned i = 0; i < COUNT(bits); i++) {
		int got = apf_write(a, bits[i]);

		if (got > 0)
			say(a->lab->out, GCPU_ALIVE_FAILS, "MSR 0x%x takes a reserved bit: 0x%llx", a->msr_enable,
			    (unsigned long long)bits[i]);
		if (got)
			return -1;
	}
	return 0;
}

int apf_load(struct apf *a, unsigned cpl, struct apf_seen *ret)
{
	unsigned char contents[PAGE];
	const uint64_t value = VALUE;
	struct guest_op ops[] = {
		OP(GUEST_OP_APF_SEEN, 0),
		cpl ? OP(GUEST_OP_USER_LOAD, a->page + VALUE_AT) : OP(GUEST_OP_LOAD_ON, a->page + VALUE_AT, 8),
		OP(GUEST_OP_APF_SEEN, 0),
	};
	struct gcpu_error err = { 0 };
	struct withhold *w = NULL;
	bool given;
	int status;

	if (lab_on_model(a->lab))
		return -say(a->lab->out, GCPU_ALIVE_UNTESTABLE, "no page comes late on the software KVM");
	memset(contents, 0, sizeof(contents));
	memcpy(contents + VALUE_AT, &value, sizeof(value));
	status = withhold_new(a->lab->alive->o->kvm, a->here, PAGE, contents, DELAY_MS, &w, &err);
	if (status == GCPU_ERR_REFUSED)
		return -say(a->lab->out, GCPU_ALIVE_UNTESTABLE, "no page can be withheld here: %s", err.text);
	if (status)
		return -say(a->lab->out, GCPU_ALIVE_INCONCLUSIVE, "a page to be withheld: %s", err.text);
	status = lab_run(a->lab, 0, ops, COUNT(ops));
	/* Before anything else: who still waits for the page is free then. */
	given = withhold_end(w);
	a->page += PAGE;
	a->here += PAGE;
	ret->missed = ops[2].res[0] - ops[0].res[0];
	ret->token = ops[2].res[1];
	ret->rounds = ops[2].res[2] - ops[0].res[2];
	ret->was_ready = ops[0].res[3];
	ret->ready = ops[2].res[3];
	if (status)
		return status;
	if (!given)
		return -say(a->lab->out, GCPU_ALIVE_INCONCLUSIVE,
			    "CPL %u: the page that was withheld was not asked for, or could not be given", cpl);
	if (!op_done(&ops[1]))
		return -say(a->lab->out, GCPU_ALIVE_INCONCLUSIVE, "CPL %u: exception %llu on reading a page that came late",
			    cpl, (unsigned long long)ops[1].fault);
	if (ops[1].res[0] != VALUE)
		return -say(a->lab->out, GCPU_ALIVE_FAILS, "CPL %u: a page that came late reads as 0x%llx", cpl,
			    (unsigned long long)ops[1].res[0]);
	return 0;
}

/* The vector, the handler in the guest, and the MSR. 0, or the outcome says why not. */
static int turn_on(struct apf *a)
{
	struct guest_op ops[] = {
		OP_WRMSR(a->msr_vector, VECTOR_RESERVED | VECTOR),
		OP_WRMSR(a->msr_vector, VECTOR),
		OP_RDMSR(a->msr_vector),
		OP(GUEST_OP_APF_DATA, a->at, VECTOR, a->msr_ack, a->lab->khz * GIVE_UP_MS),
	};
	int got;

	if (apic_on(a->lab, 0) || lab_run(a->lab, 0, ops, COUNT(ops)))
		return -1;
	if (!op_gp(&ops[0]) || !op_done(&ops[1]) || ops[2].res[0] != VECTOR)
		return -say(a->lab->out, GCPU_ALIVE_FAILS, "MSR 0x%x: a reserved bit is %s, a vector reads as 0x%llx",
			    a->msr_vector, op_gp(&ops[0]) ? "refused" : "taken", (unsigned long long)ops[2].res[0]);
	if (apf_reserved(a))
		return -1;
	got = apf_write(a, APF_ENABLE | APF_ALWAYS | APF_INTERRUPT);
	if (got == 0)
		say(a->lab->out, GCPU_ALIVE_FAILS, "MSR 0x%x: enabling by interrupt is refused", a->msr_enable);
	return got == 1 ? 0 : -1;
}

/*
 * 1: all as it should be, 0: no event at all; negative: the outcome says what. Nothing is tried
 * after a page that was not ready in time: its token could come then, and be taken for a wrong one.
 */
static int try_at(struct apf *a, unsigned cpl, struct apf_seen *seen)
{
	for (unsigned i = 0; i < TRIES; i++) {
		if (apf_load(a, cpl, seen))
			return -1;
		if (!seen->missed && !i)
			return 0;
		if (seen->missed && seen->ready == seen->was_ready)
			return -say(a->lab->out, GCPU_ALIVE_INCONCLUSIVE,
				    "CPL %u: token 0x%llx missing, no interrupt that it is ready within %d ms", cpl,
				    (unsigned long long)seen->token, GIVE_UP_MS);
		if (seen->missed && seen->ready != seen->token)
			return -say(a->lab->out, GCPU_ALIVE_FAILS, "CPL %u: token 0x%llx missing, 0x%llx ready", cpl,
				    (unsigned long long)seen->token, (unsigned long long)seen->ready);
		if (seen->missed && seen->rounds)
			return 1;
	}
	return -say(a->lab->out, GCPU_ALIVE_INCONCLUSIVE, "CPL %u: ready before other work could be done, %d times", cpl,
		    TRIES);
}

/* An event where there must be none? 0 there was none, else the outcome says so. */
static int none_at(struct apf *a, unsigned cpl, uint64_t bits, const char *what)
{
	struct apf_seen seen;
	int got = apf_write(a, lab_wrong(a->lab, bits, APF_ENABLE | APF_ALWAYS | APF_INTERRUPT));

	if (got == 0)
		say(a->lab->out, GCPU_ALIVE_FAILS, "MSR 0x%x: 0x%llx is refused", a->msr_enable,
		    (unsigned long long)bits);
	if (got != 1 || apf_load(a, cpl, &seen))
		return -1;
	if (seen.missed)
		return -say(a->lab->out, GCPU_ALIVE_INCONCLUSIVE, "its control failed: %s, and an event at CPL %u", what,
			    cpl);
	return 0;
}

static void use(struct lab *lab, struct outcome *out)
{
	struct apf_seen zero, three;
	int at_zero, at_three;
	struct apf a;

	apf_init(&a, lab);
	if (turn_on(&a))
		return;
	at_zero = try_at(&a, 0, &zero);
	at_three = at_zero < 0 ? -1 : try_at(&a, 3, &three);
	if (at_three < 0)
		return;
	if (none_at(&a, 0, APF_ENABLE | APF_INTERRUPT, "not asked for at CPL 0") ||
	    none_at(&a, 3, APF_ENABLE | APF_ALWAYS, "not asked for by interrupt") || apf_write(&a, 0) < 0)
		return;
	if (at_zero || at_three)
		say(out, GCPU_ALIVE_WORKS, "%s: missing, then ready by interrupt with the same token, %llu rounds of other work",
		    at_zero && at_three ? "CPL 0 and 3" : at_zero ? "CPL 0 alone" : "CPL 3 alone",
		    (unsigned long long)(at_zero ? zero.rounds : three.rounds));
	else
		say(out, GCPU_ALIVE_INCONCLUSIVE, "no event: the vCPU waits until the page is there");
}

/* Both MSRs, and the bit of the other one. */
static void refused(struct lab *lab, struct outcome *out)
{
	struct apf a;
	int bit, without;

	refused_by_facts(lab, X86_F_KVM_ASYNCPF_INT, out);
	if (out->alive != GCPU_ALIVE_REFUSED)
		return;
	apf_init(&a, lab);
	bit = apf_write(&a, APF_ENABLE | APF_INTERRUPT);
	without = bit == 0 ? apf_write(&a, APF_ENABLE) : 0;
	if (bit < 0 || without < 0)
		return;
	if (bit)
		say(out, GCPU_ALIVE_LEAKS, "bit 3 of MSR 0x%x is taken", a.msr_enable);
	else if (without)
		say(out, GCPU_ALIVE_REFUSED, "#GP for both MSRs, and for bit 3 of 0x%x alone", a.msr_enable);
	else if (!gcpu_plan_has(lab->plan, GCPU_X86_KVM_ASYNCPF))
		say(out, GCPU_ALIVE_REFUSED, "#GP for both MSRs, and for all of 0x%x", a.msr_enable);
	else
		say(out, GCPU_ALIVE_INCONCLUSIVE, "MSR 0x%x is refused even without bit 3", a.msr_enable);
}

const struct exercise exercise_asyncpf_int = {
	.name = "kvm-asyncpf-int", .kind = GCPU_EXERCISE_FEATURE, .field = X86_F_KVM_ASYNCPF_INT,
	.want = { .vcpus = 1 }, .use = use, .refused = refused,
};

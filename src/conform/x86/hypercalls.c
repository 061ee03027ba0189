/* SPDX-License-Identifier: MIT */
/* Hypercalls: who is answered what. KVM hypercalls.rst; x86.c. */
#include "lapic.h"

#define VECTOR 0x51
#define FIXED 0 /* an IPI's ICR: fixed, edge */

/* vCPUs with their APICs on; enforced with these features if ENFORCE. */
static struct conform_vm *callers(struct conform *c, unsigned n, bool enforce, uint32_t features)
{
	struct conform_vm *vm;
	struct table t;

	if (no_hypercalls(c))
		return NULL;
	vm = x86_vm(c, KERNEL_APIC, n);
	for (unsigned i = 0; vm && i < n; i++) {
		if (table_usual(c, i, &t))
			return NULL;
		table_entry(&t, L_KVM_FEATURES, 0)->eax = features;
		if (enforce)
			expect_ok(c, enable_cap(c, vm->vcpu[i], CAP_ENFORCE_PV_FEATURE_CPUID, 1),
				  "KVM_CAP_ENFORCE_PV_FEATURE_CPUID");
		if (!give_table(vm, i, &t) || !lapic_on(vm, i))
			return NULL;
	}
	return vm;
}

static bool answers(struct conform *c, const struct guest_op *op, uint64_t want, const char *what)
{
	return expect_done(c, op, what) && expect_value(c, op->res[0], want, "%s", what);
}

static int simple(struct conform *c)
{
	struct conform_vm *vm = callers(c, 1, false, 0);
	struct guest_op ops[] = { call_op(c, HC_POLL_IRQ, 0, 0, 0, 0), call_op(c, HC_NOBODY, 0, 0, 0, 0),
				  call_op(c, HC_MMU_OP, 0, 0, 0, 0),   call_op(c, ~0ULL, 0, 0, 0, 0),
				  call_op(c, HC_YIELD, 0, 0, 0, 0),    call_op(c, HC_KICK, 0, 0, 0, 0) };

	if (!vm || guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	answers(c, &ops[0], 0, "1, VAPIC_POLL_IRQ");
	answers(c, &ops[1], HC_ENOSYS, "99, which there is not");
	answers(c, &ops[2], HC_ENOSYS, "2, MMU_OP, which is gone");
	answers(c, &ops[3], HC_ENOSYS, "-1, which there is not");
	answers(c, &ops[4], 0, "11, SCHED_YIELD to itself");
	answers(c, &ops[5], 0, "5, KICK_CPU to itself");
	return 0;
}

/* From a 32-bit code segment all is 32 bits, the answer too. */
static int bits_32(struct conform *c)
{
	struct conform_vm *vm = callers(c, 1, false, 0);
	struct guest_op ops[2];

	if (!vm)
		return 1;
	for (unsigned i = 0; i < 2; i++) {
		ops[i] = call_op(c, i ? HC_POLL_IRQ : HC_NOBODY, 0, 0, 0, 0);
		ops[i].code = GUEST_OP_HYPERCALL32;
	}
	if (guest_run(vm, 0, ops, 2))
		return 1;
	answers(c, &ops[0], (uint32_t)HC_ENOSYS, "99, which there is not");
	answers(c, &ops[1], 0, "1, VAPIC_POLL_IRQ");
	return 0;
}

static int enforced(struct conform *c)
{
	static const struct {
		unsigned nr;
		uint32_t bit;
	} list[] = { { HC_KICK, PV_UNHALT }, { HC_SEND_IPI, PV_IPI }, { HC_YIELD, PV_YIELD } };

	for (unsigned i = 0; i <= COUNT(list); i++) {
		/* one more round with nothing told of */
		uint32_t features = i < COUNT(list) ? (PV_UNHALT | PV_IPI | PV_YIELD) & ~list[i].bit : 0;
		struct conform_vm *vm = callers(c, 1, true, features);
		struct guest_op ops[COUNT(list) + 2];

		if (!vm)
			return 1;
		for (unsigned k = 0; k < COUNT(list); k++)
			ops[k] = call_op(c, list[k].nr, 0, 0, 0, 0);
		ops[COUNT(list)] = call_op(c, HC_POLL_IRQ, 0, 0, 0, 0);
		ops[COUNT(list) + 1] = call_op(c, HC_CLOCK_PAIRING, 0, 1, 0, 0);
		if (guest_run(vm, 0, ops, COUNT(ops)))
			return 1;
		for (unsigned k = 0; k < COUNT(list); k++)
			expect(c, op_done(&ops[k]) && (ops[k].res[0] == HC_ENOSYS) == !(features & list[k].bit),
			       "hypercall %u with features 0x%x: %lld", list[k].nr, features, (long long)ops[k].res[0]);
		/* these no bit announces, and none refuses */
		answers(c, &ops[COUNT(list)], 0, "1, VAPIC_POLL_IRQ");
		expect(c, ops[COUNT(list) + 1].res[0] != HC_ENOSYS, "9, CLOCK_PAIRING: answered");
		vm_close(vm);
	}
	return 0;
}

static uint32_t state(struct conform_vm *vm, unsigned vcpu)
{
	struct gk_mp_state mp = { .mp_state = 99 };

	expect_ok(vm->c, ask(vm->c, vm->vcpu[vcpu], GK_GET_MP_STATE, &mp), "KVM_GET_MP_STATE");
	return mp.mp_state;
}

/* A vCPU that halts is woken by its id, and by no other. */
static int kick(struct conform *c)
{
	struct conform_vm *vm = callers(c, 2, false, 0);
	const struct gk_mp_state halted = { .mp_state = GK_MP_STATE_HALTED };
	struct guest_op other = call_op(c, HC_KICK, 0, 7, 0, 0), right = call_op(c, HC_KICK, 0, 1, 0, 0);

	if (!vm || !expect_ok(c, ask(c, vm->vcpu[1], GK_SET_MP_STATE, &halted), "KVM_SET_MP_STATE") ||
	    guest_run(vm, 0, &other, 1))
		return 1;
	answers(c, &other, 0, "KICK_CPU of an id that there is not");
	expect_value(c, state(vm, 1), GK_MP_STATE_HALTED, "state of the other");
	if (guest_run(vm, 0, &right, 1))
		return 1;
	answers(c, &right, 0, "KICK_CPU");
	expect_value(c, state(vm, 1), GK_MP_STATE_RUNNABLE, "state of the one that was kicked");
	return 0;
}

/* A mask of ids from a lowest one on; the answer is how many got it. */
static int send_ipi(struct conform *c)
{
	struct conform_vm *vm = callers(c, 4, false, 0);
	static const struct {
		uint64_t low, high, min, icr, want;
		unsigned got;
		const char *what;
	} list[] = {
		{ 0x2, 0, 0, VECTOR, 1, 0x2, "id 1" },
		{ 0xe, 0, 0, VECTOR + 1, 3, 0xe, "ids 1, 2, 3" },
		{ 0x3, 0, 2, VECTOR + 2, 2, 0xc, "from id 2 on" },
		{ 0xf0, 0, 0, VECTOR + 3, 0, 0, "ids that there are not" },
		{ 0, 1, 0, VECTOR + 4, 0, 0, "id 64" },
		{ 0, 0, 0, VECTOR + 5, 0, 0, "none" },
		{ 0x2, 0, 0, VECTOR + 6 + 0x800, HC_EINVAL, 0, "logical destination" },
		{ 0x2, 0, 0, VECTOR + 7 + (1 << 18), HC_EINVAL, 0, "a shorthand" },
		{ 0x2, 0, 0xffffffff, VECTOR + 8, 0, 0, "a lowest id out of range" },
	};

	for (unsigned i = 0; vm && i < COUNT(list); i++) {
		struct guest_op op = call_op(c, HC_SEND_IPI, list[i].low, list[i].high, list[i].min, list[i].icr | FIXED);

		if (guest_run(vm, 0, &op, 1))
			return 1;
		if (i + 1 == COUNT(list)) /* what comes of it is not said */
			break;
		answers(c, &op, list[i].want, list[i].what);
		for (unsigned k = 1; k < 4; k++)
			expect(c, pending(vm, k, (uint8_t)list[i].icr) == (list[i].got >> k & 1), "%s: vCPU %u %s", list[i].what, k,
			       list[i].got >> k & 1 ? "gets it" : "does not get it");
	}
	return 0;
}

/* Without a map of ids there is no such IPI: ids that are not unique, or no APIC in KVM. */
static int send_ipi_no_map(struct conform *c)
{
	struct guest_op op = call_op(c, HC_SEND_IPI, 2, 0, 0, VECTOR);
	struct conform_vm *vm;

	if (no_hypercalls(c))
		return 1;
	vm = x86_ready(c, NO_APIC, 1);
	if (!vm || guest_run(vm, 0, &op, 1))
		return 1;
	answers(c, &op, HC_EOPNOTSUPP, "SEND_IPI without an APIC in KVM");
	if (c->release < KERNEL(6, 3))
		return 0;
	vm = callers(c, 3, false, 0);
	if (!vm || !expect_ok(c, lapic_write(vm, 2, APIC_ID, 1U << 24), "KVM_SET_LAPIC with the id of another") ||
	    guest_run(vm, 0, &op, 1))
		return 1;
	answers(c, &op, HC_EOPNOTSUPP, "SEND_IPI where two have one id");
	expect(c, !pending(vm, 1, VECTOR), "nobody gets it");
	return 0;
}

static int clock_pairing(struct conform *c)
{
	struct conform_vm *vm = callers(c, 1, false, 0);
	uint64_t at;
	struct guest_op ops[2];

	if (!vm || !guest_memory(vm, 0, &at))
		return 1;
	ops[0] = call_op(c, HC_CLOCK_PAIRING, at, 1, 0, 0);
	ops[1] = call_op(c, HC_CLOCK_PAIRING, at, 0, 0, 0);
	if (guest_run(vm, 0, ops, 2))
		return 1;
	answers(c, &ops[0], HC_EOPNOTSUPP, "CLOCK_PAIRING of a clock that there is not");
	/* whether it is to be had depends on the host's clock source */
	expect(c, ops[1].res[0] == 0 || ops[1].res[0] == HC_EOPNOTSUPP, "CLOCK_PAIRING of the wall clock: %lld",
	       (long long)ops[1].res[0]);
	return 0;
}

struct seen {
	unsigned n;
	uint64_t nr, args[3], flags, preset, answer;
	bool leave;
};

static int take_call(void *ctx, unsigned vcpu, struct gk_run *run)
{
	struct seen *s = ctx;

	(void)vcpu;
	if (run->exit_reason != GK_EXIT_HYPERCALL)
		return 0;
	s->n++;
	s->nr = run->hypercall.nr;
	for (unsigned i = 0; i < 3; i++)
		s->args[i] = run->hypercall.args[i];
	s->flags = run->hypercall.flags;
	s->preset = run->hypercall.ret;
	if (!s->leave)
		run->hypercall.ret = s->answer;
	return 1;
}

static int map_gpa_off(struct conform *c)
{
	struct conform_vm *vm = callers(c, 1, false, 0);
	struct seen s = { .answer = 5 };
	struct guest_op op = call_op(c, HC_MAP_GPA, 0x100000, 1, 0, 0);

	if (!vm || vm_watch(vm, take_call, &s) || guest_run(vm, 0, &op, 1))
		return 1;
	answers(c, &op, HC_ENOSYS, "MAP_GPA_RANGE that nobody asked for");
	expect_value(c, s.n, 0, "exits");
	return 0;
}

static int map_gpa(struct conform *c)
{
	/* enforced, and not told of: no bit decides it */
	struct conform_vm *vm = callers(c, 1, true, 0);
	struct seen s = { .answer = (uint64_t)-22 };
	struct guest_op good = call_op(c, HC_MAP_GPA, 0x200000, 3, 0x10, 0), odd[] = {
		call_op(c, HC_MAP_GPA, 0x200800, 1, 0, 0),
		call_op(c, HC_MAP_GPA, 0x200000, 0, 0, 0),
		call_op(c, HC_MAP_GPA, 0x200000, ~0ULL, 0, 0),
	};

	if (!vm || vm_watch(vm, take_call, &s) ||
	    !expect_ok(c, enable_cap(c, vm->fd, CAP_EXIT_HYPERCALL, BIT(HC_MAP_GPA)), "KVM_CAP_EXIT_HYPERCALL"))
		return 1;
	if (guest_run(vm, 0, &good, 1))
		return 1;
	expect_value(c, s.n, 1, "exits");
	expect_value(c, s.nr, HC_MAP_GPA, "number");
	expect_value(c, s.args[0], 0x200000, "address");
	expect_value(c, s.args[1], 3, "pages");
	expect_value(c, s.args[2], 0x10, "attributes");
	expect_value(c, s.flags & 1, 1, "64-bit mode");
	answers(c, &good, (uint64_t)-22, "user space's answer");
	if (guest_run(vm, 0, odd, COUNT(odd)))
		return 1;
	answers(c, &odd[0], HC_EINVAL, "an address that is no page's");
	answers(c, &odd[1], HC_EINVAL, "no page");
	answers(c, &odd[2], HC_EINVAL, "so many pages that their end comes before their beginning");
	expect_value(c, s.n, 1, "exits, none more");
	expect_ok(c, enable_cap(c, vm->fd, CAP_EXIT_HYPERCALL, 0), "KVM_CAP_EXIT_HYPERCALL of none");
	if (guest_run(vm, 0, &good, 1))
		return 1;
	answers(c, &good, HC_ENOSYS, "MAP_GPA_RANGE after it was turned off");
	return 0;
}

#define QUIRK_FIX_HYPERCALL_INSN BIT(5)

/* The other vendor's instruction is made this one's; without the quirk it is none. */
static int patched(struct conform *c, bool quirk)
{
	struct guest_op op = call_op(c, HC_NOBODY, 0, 0, 0, 0);
	struct conform_vm *vm;
	struct table t;

	if (no_hypercalls(c) || table_usual(c, 0, &t))
		return 1;
	vm = x86_vm(c, KERNEL_APIC, 0);
	if (!vm || (!quirk && !expect_ok(c, enable_cap(c, vm->fd, CAP_DISABLE_QUIRKS2, QUIRK_FIX_HYPERCALL_INSN),
					 "KVM_CAP_DISABLE_QUIRKS2")))
		return 1;
	if (vm_vcpu(vm, 0) < 0 || !give_table(vm, 0, &t))
		return 1;
	op.arg[5] = !op.arg[5];
	if (guest_run(vm, 0, &op, 1))
		return 1;
	if (quirk)
		answers(c, &op, HC_ENOSYS, "the other vendor's instruction");
	else
		expect_fault(c, &op, UD, "the other vendor's instruction");
	return 0;
}

static int patched_quirk(struct conform *c)
{
	return patched(c, true);
}

static int patched_no_quirk(struct conform *c)
{
	return patched(c, false);
}

const struct conform_case cases_x86_hypercalls[] = {
	{ "hypercalls:simple", "KVM hypercalls.rst", simple },
	{ "hypercalls:32-bit", "x86.c kvm_emulate_hypercall", bits_32 },
	{ "hypercalls:enforced", "ST:x86/kvm_pv_test", enforced },
	{ "hypercalls:kick", "KVM hypercalls.rst", kick },
	{ "hypercalls:send-ipi", "KVM hypercalls.rst", send_ipi },
	{ "hypercalls:send-ipi-without-map", "lapic.c kvm_pv_send_ipi", send_ipi_no_map },
	{ "hypercalls:clock-pairing", "KVM hypercalls.rst", clock_pairing },
	{ "hypercalls:map-gpa-unasked", "KVM hypercalls.rst", map_gpa_off },
	{ "hypercalls:map-gpa", "KVM hypercalls.rst, API 8.33", map_gpa },
	{ "hypercalls:other-instruction", "ST:x86/fix_hypercall_test", patched_quirk },
	{ "hypercalls:other-instruction-unpatched", "ST:x86/fix_hypercall_test", patched_no_quirk },
	{ NULL, NULL, NULL },
};

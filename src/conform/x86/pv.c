/* SPDX-License-Identifier: MIT */
/* KVM's paravirtual MSRs, as a guest uses them: values, reserved bits, who is refused. KVM msr.rst; x86.c. */
#include "lapic.h"

#include <stdio.h>
#include <string.h>

struct pv_msr {
	uint32_t index, feature;
	uint64_t good, first; /* a value that is taken; what is read before any is written */
};

/* All that enforcement is about. A structure at address 0 does no harm: nothing of this guest is there. */
static const struct pv_msr pv_msrs[] = {
	{ PV_MSR_WALL_OLD, PV_CLOCK, 0x40, 0 },	   { PV_MSR_SYSTEM_OLD, PV_CLOCK, 0x41, 0 },
	{ PV_MSR_WALL, PV_CLOCK2, 0x40, 0 },	   { PV_MSR_SYSTEM, PV_CLOCK2, 0x41, 0 },
	{ PV_MSR_APF_EN, PV_ASYNC_PF, 0x41, 0 },   { PV_MSR_STEAL, PV_STEAL, 0x41, 0 },
	{ PV_MSR_EOI, PV_EOI, 0x41, 0 },	   { PV_MSR_POLL, PV_POLL, 1, 1 },
	{ PV_MSR_APF_INT, PV_APF_INT, 0xf2, 0 }, { PV_MSR_APF_ACK, PV_APF_INT, 1, 0 },
};
#define APF_VECTOR 0x51
#define ALL (PV_CLOCK | PV_CLOCK2 | PV_ASYNC_PF | PV_STEAL | PV_EOI | PV_POLL | PV_APF_INT | PV_APF_VMEXIT)

/* Without scheduler statistics there is no steal time to be had. */
static bool there(struct conform *c, const struct pv_msr *m)
{
	return m->index != PV_MSR_STEAL || check_cap(c, c->kvm_fd, CAP_STEAL_TIME) > 0;
}

enum order { NOT_ENFORCED, BEFORE, AFTER };

static struct conform_vm *told(struct conform *c, uint32_t features, enum order order, enum apic apic)
{
	struct conform_vm *vm = x86_vm(c, apic, 1);
	struct table t;

	if (!vm || table_usual(c, 0, &t))
		return NULL;
	table_entry(&t, L_KVM_FEATURES, 0)->eax = features;
	if (order == BEFORE)
		expect_ok(c, enable_cap(c, vm->vcpu[0], CAP_ENFORCE_PV_FEATURE_CPUID, 1), "KVM_CAP_ENFORCE_PV_FEATURE_CPUID");
	if (!give_table(vm, 0, &t))
		return NULL;
	if (order == AFTER)
		expect_ok(c, enable_cap(c, vm->vcpu[0], CAP_ENFORCE_PV_FEATURE_CPUID, 1), "KVM_CAP_ENFORCE_PV_FEATURE_CPUID");
	return vm;
}

/* What is read where nobody has written it: the wall clocks are one MSR by two names, and so are the system clocks. */
static uint64_t first_value(const struct pv_msr *m)
{
	return m->index == PV_MSR_WALL || m->index == PV_MSR_SYSTEM ? m->good : m->first;
}

/* Read and write each; served exactly where its feature is in SERVED. */
static int each(struct conform_vm *vm, uint32_t served)
{
	struct guest_op ops[2 * COUNT(pv_msrs)];
	struct conform *c = vm->c;
	char what[80];

	for (unsigned i = 0; i < COUNT(pv_msrs); i++) {
		ops[2 * i] = OP_RDMSR(pv_msrs[i].index);
		ops[2 * i + 1] = OP_WRMSR(pv_msrs[i].index, pv_msrs[i].good);
	}
	if (guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	for (unsigned i = 0; i < COUNT(ops); i++) {
		const struct pv_msr *m = &pv_msrs[i / 2];

		snprintf(what, sizeof(what), "%s of MSR 0x%x, features 0x%x", i & 1 ? "WRMSR" : "RDMSR", m->index, served);
		if (!there(c, m) && (i & 1))
			continue;
		if (served & m->feature)
			expect_done(c, &ops[i], what);
		else
			expect_fault(c, &ops[i], GP, what);
	}
	return 0;
}

static int unenforced(struct conform *c)
{
	struct conform_vm *vm = told(c, 0, NOT_ENFORCED, KERNEL_APIC), *none = x86_vm(c, KERNEL_APIC, 1);
	struct table t;

	if (!vm || !none || table_usual(c, 0, &t))
		return 1;
	/* one that was told of nothing, and one that was not told of KVM */
	table_drop(&t, L_HYPERVISOR);
	table_drop(&t, L_KVM_FEATURES);
	give_table(none, 0, &t);
	return each(vm, ~0U) || each(none, ~0U);
}

static int enforced_none(struct conform *c)
{
	struct conform_vm *before = told(c, 0, BEFORE, KERNEL_APIC), *after = told(c, 0, AFTER, KERNEL_APIC);

	return !before || !after || each(before, 0) || each(after, 0);
}

static int enforced_all(struct conform *c)
{
	struct conform_vm *vm = told(c, ALL, AFTER, KERNEL_APIC);

	return !vm || each(vm, ~0U);
}

/* One feature less, and one feature alone: each MSR by its own bit. */
static int enforced_each(struct conform *c)
{
	for (unsigned i = 0; i < COUNT(pv_msrs); i++) {
		uint32_t bit = pv_msrs[i].feature;
		struct conform_vm *vm;

		if (i && pv_msrs[i - 1].feature == bit)
			continue;
		vm = told(c, ALL & ~bit, BEFORE, KERNEL_APIC);
		if (!vm || each(vm, ALL & ~bit))
			return 1;
		vm_close(vm);
		vm = told(c, bit, BEFORE, KERNEL_APIC);
		if (!vm || each(vm, bit))
			return 1;
		vm_close(vm);
	}
	return 0;
}

/* KVM finds its leaves by their signature, at any multiple of 256. */
static int enforced_moved(struct conform *c)
{
	struct conform_vm *vm = told(c, 0, BEFORE, KERNEL_APIC), *strange = told(c, 0, BEFORE, KERNEL_APIC);
	struct table t;

	if (!vm || !strange || table_usual(c, 0, &t))
		return 1;
	table_drop(&t, L_HYPERVISOR);
	table_drop(&t, L_KVM_FEATURES);
	table_put(&t, L_HYPERVISOR, 0, 0, L_HYPERVISOR + 1, 1, 2, 3);
	table_put(&t, L_HYPERVISOR + 1, 0, 0, ALL, 0, 0, 0);
	table_put(&t, L_KVM_MOVED, 0, 0, L_KVM_MOVED + 1, KVM_EBX, KVM_ECX, KVM_EDX);
	table_put(&t, L_KVM_MOVED + 1, 0, 0, PV_EOI | PV_CLOCK2, 0, 0, 0);
	give_table(vm, 0, &t);
	if (each(vm, PV_EOI | PV_CLOCK2))
		return 1;
	table_entry(&t, L_KVM_MOVED, 0)->ecx ^= 1;
	give_table(strange, 0, &t);
	return each(strange, 0);
}

/* Enforcement is a switch: off and on again at any time. */
static int enforced_switch(struct conform *c)
{
	struct conform_vm *vm = told(c, 0, BEFORE, KERNEL_APIC);

	if (!vm || each(vm, 0))
		return 1;
	expect_ok(c, enable_cap(c, vm->vcpu[0], CAP_ENFORCE_PV_FEATURE_CPUID, 0), "off, after a run");
	if (each(vm, ~0U))
		return 1;
	expect_ok(c, enable_cap(c, vm->vcpu[0], CAP_ENFORCE_PV_FEATURE_CPUID, 1), "on again");
	return each(vm, 0);
}

/* A second table without KVM's leaves: what was known of the first is forgotten since 6.14. */
static int second_table(struct conform *c)
{
	struct conform_vm *vm = told(c, ALL, BEFORE, KERNEL_APIC);
	struct table t;

	if (!vm || table_usual(c, 0, &t))
		return 1;
	table_drop(&t, L_HYPERVISOR);
	table_drop(&t, L_KVM_FEATURES);
	give_table(vm, 0, &t);
	return each(vm, c->release >= KERNEL(6, 14) ? 0 : ~0U);
}

/* The host under enforcement: never what the MSR had before. */
static int enforced_host(struct conform *c)
{
	struct conform_vm *vm = told(c, 0, BEFORE, KERNEL_APIC);
	uint64_t value;
	int got, set;

	for (unsigned i = 0; vm && i < COUNT(pv_msrs); i++) {
		if (!there(c, &pv_msrs[i]))
			continue;
		expect_result(c, set_msr(vm, 0, pv_msrs[i].index, pv_msrs[i].good), 0, "KVM_SET_MSRS of MSR 0x%x", pv_msrs[i].index);
		got = get_msr(vm, 0, pv_msrs[i].index, &value);
		set = set_msr(vm, 0, pv_msrs[i].index, 0);
		expect(c, (got == 0 || got == 1) && !value, "KVM_GET_MSRS of MSR 0x%x: refused, or 0", pv_msrs[i].index);
		expect_result(c, set, got, "KVM_SET_MSRS of 0 to MSR 0x%x goes with KVM_GET_MSRS", pv_msrs[i].index);
		/* in stable releases of 6.12 and 6.18 as well, from some on */
		if (c->release < KERNEL(6, 12) || c->release >= KERNEL(7, 0))
			expect_result(c, got, c->release >= KERNEL(7, 0), "KVM_GET_MSRS of MSR 0x%x", pv_msrs[i].index);
	}
	return 0;
}

static int host_values(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	uint64_t value;

	/* memory for what they point at */
	if (!vm || !vm_guest(vm))
		return 1;
	for (unsigned i = 0; i < COUNT(pv_msrs); i++) {
		if (!there(c, &pv_msrs[i]))
			continue;
		expect_result(c, get_msr(vm, 0, pv_msrs[i].index, &value), 1, "KVM_GET_MSRS of MSR 0x%x", pv_msrs[i].index);
		expect_value(c, value, first_value(&pv_msrs[i]), "MSR 0x%x at first", pv_msrs[i].index);
		expect_result(c, set_msr(vm, 0, pv_msrs[i].index, pv_msrs[i].good), 1, "KVM_SET_MSRS of MSR 0x%x", pv_msrs[i].index);
		expect_result(c, get_msr(vm, 0, pv_msrs[i].index, &value), 1, "KVM_GET_MSRS of MSR 0x%x", pv_msrs[i].index);
		/* a command, which leaves nothing */
		expect_value(c, value, pv_msrs[i].index == PV_MSR_APF_ACK ? 0 : pv_msrs[i].good, "MSR 0x%x then",
			     pv_msrs[i].index);
	}
	return 0;
}

static int guest_values(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	struct guest_op ops[3 * COUNT(pv_msrs)];

	for (unsigned i = 0; i < COUNT(pv_msrs); i++) {
		ops[3 * i] = OP_RDMSR(pv_msrs[i].index);
		ops[3 * i + 1] = OP_WRMSR(pv_msrs[i].index, pv_msrs[i].good);
		ops[3 * i + 2] = OP_RDMSR(pv_msrs[i].index);
	}
	if (!vm || guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	for (unsigned i = 0; i < COUNT(pv_msrs); i++) {
		const struct pv_msr *m = &pv_msrs[i];

		if (!there(c, m))
			continue;
		expect_value(c, ops[3 * i].res[0], first_value(m), "MSR 0x%x at first", m->index);
		expect_done(c, &ops[3 * i + 1], "WRMSR");
		expect_value(c, ops[3 * i + 2].res[0], m->index == PV_MSR_APF_ACK ? 0 : m->good, "MSR 0x%x then", m->index);
	}
	return 0;
}

struct value {
	uint32_t index;
	uint64_t value;
	bool taken;
	const char *what;
};

static int values(struct conform_vm *vm, const struct value *list, unsigned n)
{
	struct guest_op *ops = case_memory(vm->c, n * sizeof(*ops));
	char what[100];

	if (!ops)
		return 1;
	for (unsigned i = 0; i < n; i++)
		ops[i] = OP_WRMSR(list[i].index, list[i].value);
	if (guest_run(vm, 0, ops, n))
		return 1;
	for (unsigned i = 0; i < n; i++) {
		snprintf(what, sizeof(what), "MSR 0x%x: %s", list[i].index, list[i].what);
		if (list[i].taken)
			expect_done(vm->c, &ops[i], what);
		else
			expect_fault(vm->c, &ops[i], GP, what);
	}
	return 0;
}

static int reserved(struct conform *c)
{
	static const struct value list[] = {
		{ PV_MSR_APF_EN, BIT(4), false, "reserved bit 4" },
		{ PV_MSR_APF_EN, BIT(5), false, "reserved bit 5" },
		{ PV_MSR_APF_EN, 0x40 | 1 | BIT(4), false, "reserved bit 4, enabled" },
		{ PV_MSR_APF_EN, 0xb, true, "enabled, always, by interrupt" },
		{ PV_MSR_APF_EN, 0, true, "off" },
		{ PV_MSR_STEAL, 1 | BIT(1), false, "reserved bit 1" },
		{ PV_MSR_STEAL, 1 | BIT(5), false, "reserved bit 5" },
		{ PV_MSR_STEAL, 0x40 | 0x3e, false, "reserved bits, not enabled" },
		{ PV_MSR_EOI, BIT(1), false, "reserved bit 1" },
		{ PV_MSR_EOI, 0x43, false, "reserved bit 1, enabled" },
		{ PV_MSR_EOI, 0x45, true, "4 bytes further" },
		{ PV_MSR_EOI, 0, true, "off" },
		{ PV_MSR_POLL, 2, false, "reserved bit 1" },
		{ PV_MSR_POLL, BIT(63), false, "reserved bit 63" },
		{ PV_MSR_POLL, 0, true, "no polling" },
		{ PV_MSR_POLL, 1, true, "polling" },
		{ PV_MSR_APF_INT, 0x100, false, "more than a vector" },
		{ PV_MSR_APF_INT, BIT(63), false, "reserved bit 63" },
		{ PV_MSR_APF_INT, 0xff, true, "a vector" },
	};
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);

	return !vm || values(vm, list, COUNT(list));
}

/* Bits of one MSR that have features of their own. */
static int apf_bits(struct conform *c)
{
	static const struct value no_vmexit[] = { { PV_MSR_APF_EN, 1 | BIT(2), false, "bit 2 without ASYNC_PF_VMEXIT" },
						  { PV_MSR_APF_EN, 1 | BIT(3), true, "bit 3 with ASYNC_PF_INT" },
						  { PV_MSR_APF_EN, 0, true, "off" } };
	static const struct value no_int[] = { { PV_MSR_APF_EN, 1 | BIT(2), true, "bit 2 with ASYNC_PF_VMEXIT" },
					       { PV_MSR_APF_EN, 1 | BIT(3), false, "bit 3 without ASYNC_PF_INT" },
					       { PV_MSR_APF_EN, 1, true, "neither" } };
	static const struct value unenforced_bits[] = { { PV_MSR_APF_EN, 1 | BIT(2), true, "bit 2, not enforced" },
							{ PV_MSR_APF_EN, 1 | BIT(3), true, "bit 3, not enforced" } };
	struct conform_vm *a = told(c, ALL & ~PV_APF_VMEXIT, BEFORE, KERNEL_APIC);
	struct conform_vm *b = told(c, ALL & ~PV_APF_INT, BEFORE, KERNEL_APIC), *n = told(c, 0, NOT_ENFORCED, KERNEL_APIC);

	return !a || !b || !n || values(a, no_vmexit, COUNT(no_vmexit)) || values(b, no_int, COUNT(no_int)) ||
	       values(n, unenforced_bits, COUNT(unenforced_bits));
}

static int no_lapic(struct conform *c)
{
	static const struct value list[] = {
		{ PV_MSR_APF_EN, 0x41, false, "on, without an APIC in KVM" },
		{ PV_MSR_APF_EN, 0, true, "off, without an APIC in KVM" },
		{ PV_MSR_APF_INT, 0xf2, false, "a vector, without an APIC in KVM" },
		{ PV_MSR_APF_INT, 0, false, "none, without an APIC in KVM" },
		{ PV_MSR_SYSTEM, 0x41, true, "a clock, which needs none" },
		{ PV_MSR_POLL, 0, true, "no polling, which needs none" },
	};
	struct conform_vm *vm = x86_ready(c, NO_APIC, 1);

	return !vm || values(vm, list, COUNT(list));
}

static int steal(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	uint64_t at = 0, time;
	unsigned char *p = vm ? guest_memory(vm, 0, &at) : NULL;
	struct guest_op ops[] = { OP_WRMSR(PV_MSR_STEAL, at | 1), OP_CPUID(0, 0), OP_RDMSR(PV_MSR_STEAL) };
	uint32_t version, flags;

	if (!p || lacks_cap(c, CAP_STEAL_TIME, "STEAL_TIME"))
		return 1;
	memset(p, 0, 64);
	memset(p + 20, 0xa5, 44);
	p[16] = 3;
	if (guest_run(vm, 0, ops, COUNT(ops)) || guest_run(vm, 0, ops + 1, 1))
		return 1;
	expect_done(c, &ops[0], "the MSR");
	expect_value(c, ops[2].res[0], at | 1, "what is read of it");
	memcpy(&time, p, 8);
	memcpy(&version, p + 8, 4);
	memcpy(&flags, p + 12, 4);
	expect(c, version && !(version & 1), "version %u is even, and not 0", version);
	expect_value(c, flags, 0, "flags");
	for (unsigned i = 20; i < 64; i++)
		expect(c, p[i] == 0xa5, "byte %u is left alone", i);
	return 0;
}

#define TIMES 4

/* Interrupts that a vCPU sends itself, one at a time; then what its handler has counted. */
static int interrupts(struct conform_vm *vm, struct guest_op first, struct guest_op *seen)
{
	struct guest_op ops[3 + 2 * TIMES];

	ops[0] = first;
	ops[1] = OP_STORE(APIC_PAGE + APIC_SPIV, 4, SPIV_ON);
	for (unsigned i = 0; i < TIMES; i++) {
		ops[2 + 2 * i] = OP_STORE(APIC_PAGE + APIC_ICR, 4, ICR_SELF | 0x51);
		ops[3 + 2 * i] = OP(GUEST_OP_HALT, 0);
	}
	ops[2 + 2 * TIMES] = OP(GUEST_OP_INTERRUPTS, 0);
	if (guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	*seen = ops[2 + 2 * TIMES];
	return 0;
}

/*
 * While an interrupt is served the word may say that its end need not be written; KVM need not
 * let every one be skipped, and of the first it does not. None is lost.
 */
static int eoi(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	uint64_t at = 0;
	unsigned char *p = vm ? guest_memory(vm, 0, &at) : NULL;
	struct guest_op word = OP(GUEST_OP_EOI_WORD, at), on, off;

	if (!p || own_way(c, "the end of an interrupt") || guest_run(vm, 0, &word, 1) ||
	    interrupts(vm, OP_WRMSR(PV_MSR_EOI, at | 1), &on))
		return 1;
	expect_value(c, on.res[0], TIMES, "interrupts taken");
	expect(c, on.res[2] > 0, "ends that were skipped");
	expect_value(c, on.res[2] + on.res[3], TIMES, "ends that were skipped or written");
	expect_value(c, p[0] & 1, 0, "the word then");
	if (interrupts(vm, OP_WRMSR(PV_MSR_EOI, 0), &off))
		return 1;
	expect_value(c, off.res[0], 2 * TIMES, "interrupts taken with the word off, too");
	expect_value(c, off.res[2], on.res[2], "ends that were skipped, none more");
	return 0;
}

/* Turned on in memory of vCPU 0, told by interrupt: the area, NULL: none. */
static volatile uint32_t *apf_on(struct conform_vm *vm)
{
	uint64_t address;
	unsigned char *p = guest_memory(vm, 0, &address);

	if (!p)
		return NULL;
	p += (0 - address) & 0x3f;
	address += (0 - address) & 0x3f;
	expect_result(vm->c, set_msr(vm, 0, PV_MSR_APF_INT, APF_VECTOR), 1, "the vector");
	expect_result(vm->c, set_msr(vm, 0, PV_MSR_APF_EN, address | 1 | BIT(3)), 1, "enabled, by interrupt");
	return (volatile uint32_t *)(void *)p;
}

/* Turning it on wakes whoever waits, which is told like a page: when the APIC is there to tell it, not before. */
static int apf_wakes(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	struct guest_op op = { .code = GUEST_OP_RDCR, .arg = { 4 } };
	volatile uint32_t *data;

	if (!vm || own_way(c, "asynchronous page faults"))
		return 1;
	data = apf_on(vm);
	if (!data || guest_run(vm, 0, &op, 1))
		return 1;
	expect_value(c, data[1], 0, "the token, while the APIC is off");
	if (!lapic_on(vm, 0) || guest_run(vm, 0, &op, 1))
		return 1;
	expect_value(c, data[1], 0xffffffff, "the token, once the APIC is on");
	expect(c, pending(vm, 0, APF_VECTOR), "the interrupt waits");
	return 0;
}

/* The acknowledgement looks for the next one itself, where nobody enters the guest. */
static int apf_acknowledged(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	volatile uint32_t *data;

	if (!vm || own_way(c, "asynchronous page faults") || !lapic_on(vm, 0))
		return 1;
	data = apf_on(vm);
	if (!data)
		return 1;
	expect_result(c, set_msr(vm, 0, PV_MSR_APF_ACK, 0), 1, "no acknowledgement");
	expect_value(c, data[1], 0, "the token, while nobody has looked");
	expect_result(c, set_msr(vm, 0, PV_MSR_APF_ACK, 1), 1, "the acknowledgement");
	expect_value(c, data[1], 0xffffffff, "the token then");
	expect(c, pending(vm, 0, APF_VECTOR), "the interrupt waits");
	return 0;
}

const struct conform_case cases_x86_pv[] = {
	{ "pv:host-values", "KVM msr.rst", host_values },
	{ "pv:guest-values", "KVM msr.rst", guest_values },
	{ "pv:reserved-bits", "KVM msr.rst", reserved },
	{ "pv:without-lapic", "x86.c kvm_set_msr_common", no_lapic },
	{ "pv:unenforced", "KVM API 8.26", unenforced },
	{ "pv:enforced-nothing-told", "ST:x86/kvm_pv_test", enforced_none },
	{ "pv:enforced-all-told", "ST:x86/kvm_pv_test", enforced_all },
	{ "pv:enforced-each", "KVM API 8.26", enforced_each },
	{ "pv:enforced-moved-leaves", "cpuid.c kvm_get_hypervisor_cpuid", enforced_moved },
	{ "pv:enforced-switch", "KVM API 8.26", enforced_switch },
	{ "pv:enforced-second-table", "cpuid.c kvm_update_pv_runtime", second_table },
	{ "pv:enforced-host", "x86.c kvm_do_msr_access", enforced_host },
	{ "pv:async-pf-wakes", "x86.c kvm_arch_can_dequeue_async_page_present", apf_wakes },
	{ "pv:async-pf-acknowledged", "x86.c kvm_set_msr_common", apf_acknowledged },
	{ "pv:async-pf-bits", "KVM msr.rst", apf_bits },
	{ "pv:steal-time", "ST:steal_time", steal },
	{ "pv:eoi", "KVM msr.rst", eoi },
	{ NULL, NULL, NULL },
};

/* SPDX-License-Identifier: MIT */
/* Who gets what is sent: messages and IPIs by id, in both modes, with and without 32-bit ids. errata.rst; lapic.c. */
#include "lapic.h"
#include "kvm/abi_more.h"

#define VECTOR 0x51

/* vCPUs with these ids, their APICs on, in this mode. NULL: told. FLAGS of KVM_CAP_X2APIC_API. */
static struct conform_vm *several(struct conform *c, const unsigned *ids, unsigned n, bool x2apic, uint64_t flags)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 0);
	struct table t;

	if (!vm)
		return NULL;
	if (flags && !expect_ok(c, enable_cap(c, vm->fd, CAP_X2APIC_API, flags), "KVM_CAP_X2APIC_API"))
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		if (vm_vcpu(vm, ids[i]) < 0 || table_usual(c, ids[i], &t) || !give_table(vm, i, &t))
			return NULL;
		if (x2apic ? !lapic_x2apic(vm, i) : !lapic_on(vm, i))
			return NULL;
	}
	return vm;
}

/* Exactly those vCPUs of the mask have it. */
static void got(struct conform_vm *vm, uint8_t vector, unsigned mask, const char *what)
{
	for (unsigned i = 0; i < vm->n; i++)
		expect(vm->c, pending(vm, i, vector) == (mask >> i & 1), "%s: vCPU with id %u %s", what, vm->id[i],
		       mask >> i & 1 ? "gets it" : "does not get it");
}

static int by_id(struct conform *c, bool x2apic)
{
	static const unsigned ids[] = { 0, 1, 2 };
	struct conform_vm *vm = several(c, ids, 3, x2apic, 0);

	if (!vm)
		return 1;
	for (unsigned i = 0; i < 3; i++) {
		expect_result(c, msi_to(vm, i, (uint8_t)(VECTOR + i)), 1, "a message to id %u", i);
		got(vm, (uint8_t)(VECTOR + i), 1U << i, "a message by id");
	}
	expect(c, msi_to(vm, 9, 0x61) <= 0, "a message to nobody is taken by none");
	got(vm, 0x61, 0, "a message to nobody");
	return 0;
}

static int xapic_ids(struct conform *c)
{
	return by_id(c, false);
}

static int x2apic_ids(struct conform *c)
{
	return by_id(c, true);
}

static int off(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 2);

	if (!vm || !lapic_on(vm, 1))
		return 1;
	msi_to(vm, 0, VECTOR);
	got(vm, VECTOR, 0, "an APIC that software has not turned on");
	expect_result(c, msi_to(vm, 1, VECTOR), 1, "a message to one that is on");
	return 0;
}

/* 0xff is all of them: in xAPIC mode always, in x2APIC mode by a quirk that can be turned off. */
static int broadcast(struct conform *c, bool x2apic, uint64_t flags, unsigned want)
{
	static const unsigned ids[] = { 0, 1, 2 };
	struct conform_vm *vm = several(c, ids, 3, x2apic, flags);
	int r;

	if (!vm)
		return 1;
	r = msi_to(vm, 0xff, VECTOR);
	expect(c, want ? r > 0 : r <= 0, "a message to 0xff: %d", r);
	got(vm, VECTOR, want, "a message to 0xff");
	return 0;
}

static int broadcast_xapic(struct conform *c)
{
	return broadcast(c, false, 0, 7);
}

static int broadcast_x2apic(struct conform *c)
{
	return broadcast(c, true, 0, 7);
}

static int broadcast_no_quirk(struct conform *c)
{
	return broadcast(c, true, GK_X2APIC_API_DISABLE_BROADCAST_QUIRK, 0) ||
	       broadcast(c, false, GK_X2APIC_API_DISABLE_BROADCAST_QUIRK, 7);
}

static int logical(struct conform *c)
{
	static const unsigned ids[] = { 0, 1, 2 };
	struct conform_vm *vm = several(c, ids, 3, false, 0);

	if (!vm)
		return 1;
	for (unsigned i = 0; i < 3; i++)
		expect_ok(c, lapic_write(vm, i, APIC_LDR, 1U << (24 + i)), "KVM_SET_LAPIC, logical id");
	msi(vm, 5 << 12 | 4, 0, VECTOR);
	got(vm, VECTOR, 5, "a message to logical ids 1 and 4");
	return 0;
}

static const unsigned wide[] = { 0, 300 };

static int wide_with(struct conform *c)
{
	struct conform_vm *vm = several(c, wide, 2, true, GK_X2APIC_API_USE_32BIT_IDS);

	if (!vm)
		return 1;
	expect_result(c, msi_to(vm, 300, VECTOR), 1, "a message to id 300");
	got(vm, VECTOR, 2, "a message to id 300");
	expect(c, msi_to(vm, 300 & 0xff, 0x61) <= 0, "a message to its low 8 bits");
	got(vm, 0x61, 0, "a message to its low 8 bits");
	expect_errno(c, msi(vm, 0, 0x101, 0x62), EINVAL, "a message with the low byte of its high half");
	return 0;
}

/* Without 32-bit ids nothing of a message's high half counts. Before 6.11 nothing is left of the id either. */
static int wide_without(struct conform *c)
{
	struct conform_vm *vm = several(c, wide, 2, true, 0);

	if (!vm)
		return 1;
	msi_to(vm, 300, VECTOR);
	got(vm, VECTOR, c->release < KERNEL(6, 11) ? 2 : 0, "a message to id 300, of which 8 bits count");
	expect_result(c, msi_to(vm, 0x100, 0x61), 1, "a message to id 256, of which 8 bits count");
	got(vm, 0x61, 1, "a message to id 256, of which 8 bits count");
	return 0;
}

/* Bits 11 to 5 of a message's address, where a guest puts the high bits of an id: user space's to decode. */
static int ext_dest_id(struct conform *c)
{
	struct conform_vm *vm = several(c, wide, 2, true, GK_X2APIC_API_USE_32BIT_IDS);

	if (!vm)
		return 1;
	msi(vm, (300 & 0xff) << 12 | (300 >> 8) << 5, 0, VECTOR);
	got(vm, VECTOR, 0, "a message as the guest writes it");
	expect_result(c, msi(vm, (300 & 0xff) << 12, 300 & ~0xffU, VECTOR), 1, "as user space hands it on");
	got(vm, VECTOR, 2, "as user space hands it on");
	return 0;
}

/* A vCPU with a wide id whose APIC is an xAPIC: found by all of its id, for INIT and SIPI's sake. */
static int wide_in_xapic(struct conform *c)
{
	struct conform_vm *vm = several(c, wide, 2, false, GK_X2APIC_API_USE_32BIT_IDS);

	if (!vm)
		return 1;
	expect_result(c, msi_to(vm, 300, VECTOR), 1, "a message to id 300");
	got(vm, VECTOR, 2, "a message to id 300");
	return 0;
}

/*
 * Two with one xAPIC id. All get it, since 6.3; with 32-bit ids, and before, the one that was created
 * first: the map of ids has one vCPU for each.
 */
static int duplicate(struct conform *c, uint64_t flags, unsigned want)
{
	static const unsigned ids[] = { 0, 2, 1 }; /* so that first and lowest differ */
	struct conform_vm *vm = several(c, ids, 3, false, flags);

	if (!vm)
		return 1;
	expect_ok(c, lapic_write(vm, 1, APIC_ID, 1U << 24), "KVM_SET_LAPIC with the id of another");
	expect(c, msi_to(vm, 1, VECTOR) > 0, "a message to an id that two have");
	got(vm, VECTOR, want, "a message to an id that two have");
	return 0;
}

static int duplicate_8(struct conform *c)
{
	return duplicate(c, 0, c->release >= KERNEL(6, 3) ? 6 : 2);
}

static int duplicate_32(struct conform *c)
{
	return duplicate(c, GK_X2APIC_API_USE_32BIT_IDS, 2);
}

/* The map is made when an APIC changes: 32-bit ids that are turned on later count from the next change on. */
static int duplicate_then_32(struct conform *c)
{
	static const unsigned ids[] = { 0, 2, 1 };
	struct conform_vm *vm = several(c, ids, 3, false, 0);

	if (!vm)
		return 1;
	expect_ok(c, lapic_write(vm, 1, APIC_ID, 1U << 24), "KVM_SET_LAPIC with the id of another");
	if (!expect_ok(c, enable_cap(c, vm->fd, CAP_X2APIC_API, GK_X2APIC_API_USE_32BIT_IDS), "KVM_CAP_X2APIC_API"))
		return 1;
	msi_to(vm, 1, VECTOR);
	got(vm, VECTOR, c->release >= KERNEL(6, 3) ? 6 : 2, "a message, the capability just enabled");
	expect_ok(c, lapic_write(vm, 0, APIC_ID, 0), "KVM_SET_LAPIC of a third");
	msi_to(vm, 1, 0x61);
	got(vm, 0x61, 2, "a message after an APIC's change");
	return 0;
}

#define SIPI 0x12
#define ZERO_FLAG BIT(6)
#define DR6_RESET 0xffff0ff0U
#define DR7_RESET 0x400U

/* INIT and SIPI by vCPU 0 to ID: state of vCPU 1 afterwards. */
static int start_by(struct conform_vm *vm, uint32_t id, bool x2apic, struct gk_mp_state *mp)
{
	struct guest_op two[] = { OP_WRMSR(X2APIC(APIC_ICR), (uint64_t)id << 32 | ICR_INIT),
				  OP_WRMSR(X2APIC(APIC_ICR), (uint64_t)id << 32 | ICR_STARTUP | SIPI) };
	struct guest_op old[] = { OP_STORE(APIC_PAGE + APIC_ICR2, 4, id << 24), OP_STORE(APIC_PAGE + APIC_ICR, 4, ICR_INIT),
				  OP_STORE(APIC_PAGE + APIC_ICR, 4, ICR_STARTUP | SIPI) };

	if (x2apic ? guest_run(vm, 0, two, COUNT(two)) : guest_run(vm, 0, old, COUNT(old)))
		return 1;
	return expect_ok(vm->c, ask(vm->c, vm->vcpu[1], GK_GET_MP_STATE, mp), "KVM_GET_MP_STATE") ? 0 : 1;
}

static void started(struct conform_vm *vm, const struct gk_mp_state *mp)
{
	struct gk_x86_sregs s = { .cr4 = 0 };

	expect_value(vm->c, mp->mp_state, GK_MP_STATE_RUNNABLE, "state after INIT and SIPI");
	get_sregs(vm, 1, &s);
	expect_value(vm->c, s.cs.selector, SIPI << 8, "CS");
	expect_value(vm->c, s.cs.base, SIPI << 12, "base of CS");
}

static int sipi(struct conform *c, bool x2apic)
{
	static const unsigned ids[] = { 0, 1 };
	struct conform_vm *vm = several(c, ids, 2, x2apic, 0);
	struct gk_mp_state mp;

	if (!vm || start_by(vm, 1, x2apic, &mp))
		return 1;
	started(vm, &mp);
	return 0;
}

static int sipi_xapic(struct conform *c)
{
	return sipi(c, false);
}

static int sipi_x2apic(struct conform *c)
{
	return sipi(c, true);
}

/* A vCPU whose registers have all been set, as far as they tell an INIT from nothing. */
static bool used(struct conform_vm *vm, unsigned i)
{
	struct gk_x86_regs r = { .rax = 1, .rdx = 0xdead, .rsp = 0x5000, .r15 = 15, .rip = 0x1234, .rflags = 2 | ZERO_FLAG };
	struct gk_debugregs d = { .db = { 0x1000 }, .dr6 = DR6_RESET | 1, .dr7 = DR7_RESET | 1 };
	struct gk_x86_sregs s;

	get_sregs(vm, i, &s);
	s.ds.base = s.ldt.base = s.gdt.base = s.idt.base = 0x3000;
	s.ds.limit = s.gdt.limit = s.idt.limit = 0x123;
	s.cr2 = s.cr3 = 0x7000;
	s.cr4 = CR4_PAE;
	return expect_ok(vm->c, set_sregs(vm, i, &s), "KVM_SET_SREGS") &&
	       expect_ok(vm->c, ask(vm->c, vm->vcpu[i], GK_SET_REGS, &r), "KVM_SET_REGS") &&
	       expect_ok(vm->c, ask(vm->c, vm->vcpu[i], GK_SET_DEBUGREGS, &d), "KVM_SET_DEBUGREGS");
}

/* What the architecture says of registers after INIT: as after a reset, but that caches stay on or off. */
static void as_reset(struct conform_vm *vm, unsigned i, uint32_t signature)
{
	static const struct gk_x86_regs zero;
	struct conform *c = vm->c;
	struct gk_x86_regs r = zero;
	struct gk_debugregs d = { .flags = 0 };
	struct gk_x86_sregs s;

	expect_ok(c, ask(c, vm->vcpu[i], GK_GET_REGS, &r), "KVM_GET_REGS");
	expect_ok(c, ask(c, vm->vcpu[i], GK_GET_DEBUGREGS, &d), "KVM_GET_DEBUGREGS");
	get_sregs(vm, i, &s);
	expect_value(c, r.rip, 0xfff0, "RIP");
	expect_value(c, r.rflags, 2, "RFLAGS");
	expect_value(c, r.rdx, signature, "RDX, what leaf 1 says of the CPU");
	expect_value(c, r.rax | r.rsp | r.r15, 0, "other registers");
	expect_value(c, s.cs.selector, 0xf000, "CS");
	expect_value(c, s.cs.base, 0xffff0000, "base of CS");
	expect_value(c, s.ds.base | s.ldt.base | s.gdt.base | s.idt.base, 0, "bases of segments and tables");
	expect(c, s.ds.limit == 0xffff && s.gdt.limit == 0xffff && s.idt.limit == 0xffff, "limits are 64 KiB");
	expect_value(c, s.cr0 & ~(CR0_CD | CR0_NW), CR0_ET, "CR0");
	expect_value(c, s.cr2 | s.cr3 | s.cr4 | s.cr8 | s.efer, 0, "other control registers");
	expect_value(c, d.dr7, DR7_RESET, "DR7");
	expect_value(c, d.dr6, DR6_RESET, "DR6");
	expect_value(c, d.db[0], 0, "DR0");
}

static int init_resets(struct conform *c)
{
	static const unsigned ids[] = { 0, 1 };
	struct conform_vm *vm = several(c, ids, 2, true, 0);
	struct guest_op init = OP_WRMSR(X2APIC(APIC_ICR), 1ULL << 32 | ICR_INIT);
	struct gk_mp_state mp = { .mp_state = GK_MP_STATE_RUNNABLE };
	const struct snap_cpuid *svm = snapshot_cpuid(c->snap, SNAP_NATIVE, L_SVM, 0);
	uint64_t value = 0;
	bool speculation;
	struct table t;

	if (!vm || table_usual(c, 1, &t) || !used(vm, 1))
		return 1;
	/* a processor that has one for its guests keeps it */
	speculation = set_msr(vm, 1, MSR_SPEC_CTRL, 1) == 1 && !(svm && (svm->regs[EDX] & DA_V_SPEC_CTRL));
	if (guest_run(vm, 0, &init, 1))
		return 1;
	expect_ok(c, ask(c, vm->vcpu[1], GK_GET_MP_STATE, &mp), "KVM_GET_MP_STATE");
	expect_value(c, mp.mp_state, GK_MP_STATE_INIT_RECEIVED, "state after INIT");
	as_reset(vm, 1, table_entry(&t, L_FEATURES, 0)->eax);
	if (speculation && expect_result(c, get_msr(vm, 1, MSR_SPEC_CTRL, &value), 1, "KVM_GET_MSRS of SPEC_CTRL"))
		expect_value(c, value, 0, "SPEC_CTRL");
	return 0;
}

/* vCPU 300 as it comes, an xAPIC; the one that starts it has x2APIC. */
static int sipi_wide(struct conform *c, uint64_t flags, bool reached)
{
	struct conform_vm *vm = several(c, wide, 2, false, flags);
	struct gk_mp_state mp;

	if (!vm || !lapic_x2apic(vm, 0) || start_by(vm, 300, true, &mp))
		return 1;
	if (reached)
		started(vm, &mp);
	else
		expect_value(c, mp.mp_state, GK_MP_STATE_UNINITIALIZED, "state of one that is not reached");
	return 0;
}

static int sipi_wide_without(struct conform *c)
{
	return sipi_wide(c, 0, c->release < KERNEL(6, 3));
}

static int sipi_wide_with(struct conform *c)
{
	return sipi_wide(c, GK_X2APIC_API_USE_32BIT_IDS, true);
}

/* IPIs by the guest, to ids and to shorthands. */
static int ipis(struct conform *c, bool x2apic)
{
	static const unsigned ids[] = { 0, 1, 2 };
	struct conform_vm *vm = several(c, ids, 3, x2apic, 0);
	static const struct {
		uint32_t id, command;
		unsigned want;
		const char *what;
	} list[] = {
		{ 1, 0, 2, "an IPI by id" },
		{ 0, 1 << 18, 1, "an IPI to itself" },
		{ 0, 2 << 18, 7, "an IPI to all" },
		{ 0, 3 << 18, 6, "an IPI to all others" },
		{ 9, 0, 0, "an IPI to nobody" },
	};

	for (unsigned i = 0; vm && i < COUNT(list); i++) {
		uint8_t vector = (uint8_t)(VECTOR + i);
		uint32_t command = ICR_ASSERT | list[i].command | vector;
		struct guest_op one = OP_WRMSR(X2APIC(APIC_ICR), (uint64_t)list[i].id << 32 | command);
		struct guest_op two[] = { OP_STORE(APIC_PAGE + APIC_ICR2, 4, list[i].id << 24),
					  OP_STORE(APIC_PAGE + APIC_ICR, 4, command) };

		if (x2apic ? guest_run(vm, 0, &one, 1) : guest_run(vm, 0, two, COUNT(two)))
			return 1;
		got(vm, vector, list[i].want, list[i].what);
	}
	return 0;
}

static int ipis_xapic(struct conform *c)
{
	return ipis(c, false);
}

static int ipis_x2apic(struct conform *c)
{
	return ipis(c, true);
}

/* Modes of many vCPUs back and forth, in every order. */
static int toggle(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, CONFORM_VCPUS);
	uint64_t base;

	for (unsigned round = 0; vm && round < 3; round++) {
		for (unsigned i = 0; i < vm->n; i++) {
			unsigned k = round & 1 ? vm->n - 1 - i : i;

			get_msr(vm, k, MSR_APICBASE, &base);
			expect_result(c, set_msr(vm, k, MSR_APICBASE, base ^ APICBASE_EXTD), 1, "another mode of vCPU %u", k);
		}
	}
	for (unsigned i = 0; vm && i < vm->n; i++)
		lapic_on(vm, i);
	for (unsigned i = 0; vm && i < vm->n; i++)
		expect_result(c, msi_to(vm, i, VECTOR), 1, "a message to id %u after that", i);
	return 0;
}

const struct conform_case cases_x86_smp[] = {
	{ "smp:messages-xapic", "KVM API 4.70", xapic_ids },
	{ "smp:messages-x2apic", "KVM API 4.70", x2apic_ids },
	{ "smp:apic-off", "lapic.c apic_enabled", off },
	{ "smp:logical", "KVM API 4.70", logical },
	{ "smp:broadcast-xapic", "KVM API 7.7", broadcast_xapic },
	{ "smp:broadcast-x2apic", "KVM API 7.7", broadcast_x2apic },
	{ "smp:broadcast-without-quirk", "KVM API 7.7", broadcast_no_quirk },
	{ "smp:wide-ids", "KVM API 7.7", wide_with },
	{ "smp:wide-ids-unasked", "KVM API 7.7", wide_without },
	{ "smp:ext-dest-id", "KVM cpuid.rst", ext_dest_id },
	{ "smp:wide-id-of-an-xapic", "KVM errata.rst", wide_in_xapic },
	{ "smp:duplicate-id", "KVM errata.rst, lapic.c kvm_recalculate_phys_map", duplicate_8 },
	{ "smp:duplicate-id-32-bits", "KVM errata.rst, lapic.c kvm_recalculate_phys_map", duplicate_32 },
	{ "smp:duplicate-id-then-32-bits", "lapic.c kvm_recalculate_apic_map", duplicate_then_32 },
	{ "smp:ipis-xapic", "KUT:x86/apic.c", ipis_xapic },
	{ "smp:ipis-x2apic", "KUT:x86/apic.c", ipis_x2apic },
	{ "smp:init-sipi-xapic", "KVM API 4.38", sipi_xapic },
	{ "smp:init-sipi-x2apic", "KVM API 4.38", sipi_x2apic },
	{ "smp:init-resets", "x86.c kvm_vcpu_reset", init_resets },
	{ "smp:init-sipi-wide-unasked", "KVM errata.rst", sipi_wide_without },
	{ "smp:init-sipi-wide", "KVM errata.rst", sipi_wide_with },
	{ "smp:toggle", "ST:x86/recalc_apic_map_test", toggle },
	{ NULL, NULL, NULL },
};

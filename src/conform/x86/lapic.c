/* SPDX-License-Identifier: MIT */
/* The local APIC: registers by the host and by the guest, ids, modes. KVM API 4.57, 7.7; lapic.c. */
#include "lapic.h"

#include <string.h>

bool lapic_get(struct conform_vm *vm, unsigned vcpu, struct gk_lapic_state *s)
{
	memset(s, 0, sizeof(*s));
	return expect_ok(vm->c, ask(vm->c, vm->vcpu[vcpu], GK_GET_LAPIC, s), "KVM_GET_LAPIC");
}

uint32_t lapic_reg(const struct gk_lapic_state *s, unsigned offset)
{
	uint32_t v;

	memcpy(&v, s->regs + offset, sizeof(v));
	return v;
}

void lapic_put(struct gk_lapic_state *s, unsigned offset, uint32_t value)
{
	memcpy(s->regs + offset, &value, sizeof(value));
}

uint32_t lapic_read(struct conform_vm *vm, unsigned vcpu, unsigned offset)
{
	struct gk_lapic_state s;

	return lapic_get(vm, vcpu, &s) ? lapic_reg(&s, offset) : 0;
}

int lapic_write(struct conform_vm *vm, unsigned vcpu, unsigned offset, uint32_t value)
{
	struct gk_lapic_state s;

	if (!lapic_get(vm, vcpu, &s))
		return -EIO;
	lapic_put(&s, offset, value);
	return ask(vm->c, vm->vcpu[vcpu], GK_SET_LAPIC, &s);
}

bool lapic_on(struct conform_vm *vm, unsigned vcpu)
{
	return expect_ok(vm->c, lapic_write(vm, vcpu, APIC_SPIV, SPIV_ON), "KVM_SET_LAPIC");
}

bool lapic_x2apic(struct conform_vm *vm, unsigned vcpu)
{
	uint64_t base;

	return expect_result(vm->c, get_msr(vm, vcpu, MSR_APICBASE, &base), 1, "KVM_GET_MSRS of the APIC's base") &&
	       expect_result(vm->c, set_msr(vm, vcpu, MSR_APICBASE, base | APICBASE_EXTD), 1, "x2APIC mode") &&
	       lapic_on(vm, vcpu);
}

bool pending(struct conform_vm *vm, unsigned vcpu, uint8_t vector)
{
	return lapic_read(vm, vcpu, APIC_IRR + vector / 32 * 0x10U) >> (vector & 31) & 1;
}

int msi(struct conform_vm *vm, uint32_t lo, uint32_t hi, uint8_t vector)
{
	const struct gk_msi m = { .address_lo = (uint32_t)APIC_PAGE | lo, .address_hi = hi, .data = vector };
	int r = ask(vm->c, vm->fd, GK_SIGNAL_MSI, &m);

	/* nobody there is -1 in KVM, which is that errno to a system call */
	return r == -EPERM ? 0 : r;
}

int msi_to(struct conform_vm *vm, uint32_t id, uint8_t vector)
{
	return msi(vm, (id & 0xff) << 12, id & ~0xffU, vector);
}

static int at_first(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 3);
	struct gk_lapic_state s;

	for (unsigned i = 0; vm && i < 3; i++) {
		if (!lapic_get(vm, i, &s))
			return 1;
		expect_value(c, lapic_reg(&s, APIC_ID), i << 24, "id of vCPU %u", i);
		expect_value(c, lapic_reg(&s, APIC_VERSION) & 0xff, 0x14, "version");
		expect(c, (lapic_reg(&s, APIC_VERSION) >> 16 & 0xff) >= 5, "six LVT entries at least");
		expect_value(c, lapic_reg(&s, APIC_SPIV), 0xff, "SPIV: off by software");
		expect_value(c, lapic_reg(&s, APIC_DFR), 0xffffffff, "DFR: flat");
		expect_value(c, lapic_reg(&s, APIC_LDR), 0, "LDR");
		expect_value(c, lapic_reg(&s, APIC_TPR), 0, "TPR");
		expect_value(c, lapic_reg(&s, APIC_LVTT), LVT_MASKED, "LVTT: masked");
		expect_value(c, lapic_reg(&s, APIC_LVT1), LVT_MASKED, "LVT1: masked");
		expect_value(c, lapic_reg(&s, APIC_LVTERR), LVT_MASKED, "LVTERR: masked");
		expect_value(c, lapic_reg(&s, APIC_TMICT), 0, "initial count");
		expect_value(c, lapic_reg(&s, APIC_LVT0), i ? LVT_MASKED : 0x700, "LVT0: ExtINT on the one that boots");
	}
	return 0;
}

#define SUPPRESS_EOI_BROADCAST BIT32(24)

/* Told of where the IOAPIC is the VMM's and the table has x2APIC; flags choose it since 6.18. */
static int version(struct conform *c)
{
	struct conform_vm *kernel = x86_ready(c, KERNEL_APIC, 1), *split = x86_ready(c, SPLIT_APIC, 1), *never;
	struct table t;

	if (!kernel || !split || table_usual(c, 0, &t))
		return 1;
	expect(c, !(lapic_read(kernel, 0, APIC_VERSION) & SUPPRESS_EOI_BROADCAST), "not with KVM's IOAPIC");
	expect(c, lapic_read(split, 0, APIC_VERSION) & SUPPRESS_EOI_BROADCAST, "with a split irqchip");
	if ((check_cap(c, c->kvm_fd, CAP_X2APIC_API) & 0xc) != 0xc)
		return 0;
	never = x86_vm(c, SPLIT_APIC, 0);
	if (!never)
		return 1;
	expect_ok(c, enable_cap(c, never->fd, CAP_X2APIC_API, 8), "KVM_CAP_X2APIC_API, never suppress");
	if (vm_vcpu(never, 0) < 0 || !give_table(never, 0, &t))
		return 1;
	expect(c, !(lapic_read(never, 0, APIC_VERSION) & SUPPRESS_EOI_BROADCAST), "not where it is turned off");
	expect_ok(c, enable_cap(c, never->fd, CAP_X2APIC_API, 4), "KVM_CAP_X2APIC_API, suppress");
	if (vm_vcpu(never, 1) < 0 || !give_table(never, 1, &t))
		return 1;
	expect(c, lapic_read(never, 1, APIC_VERSION) & SUPPRESS_EOI_BROADCAST, "the last word counts");
	return 0;
}

static int no_lint0(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 0);

	if (!vm)
		return 1;
	expect_ok(c, enable_cap(c, vm->fd, CAP_DISABLE_QUIRKS2, BIT(0)), "quirk LINT0_REENABLED off");
	if (vm_vcpu(vm, 0) < 0)
		return 1;
	expect_value(c, lapic_read(vm, 0, APIC_LVT0), LVT_MASKED, "LVT0 without the quirk");
	return 0;
}

/* Out of x2APIC mode again, as only a VMM can, the id is an xAPIC's. */
static int xapic_id_again(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 0);
	uint64_t base;
	struct table t;

	if (!vm)
		return 1;
	if (vm_vcpu(vm, 5) < 0 || table_usual(c, 5, &t) || !give_table(vm, 0, &t) || !lapic_x2apic(vm, 0) ||
	    !expect_result(c, get_msr(vm, 0, MSR_APICBASE, &base), 1, "KVM_GET_MSRS of the APIC's base"))
		return 1;
	expect_result(c, set_msr(vm, 0, MSR_APICBASE, base & ~(uint64_t)APICBASE_EXTD), 1, "out of x2APIC mode");
	expect_value(c, lapic_read(vm, 0, APIC_ID), c->release < KERNEL(6, 3) ? 5 : 5U << 24, "the id");
	return 0;
}

/* An xAPIC's id may be any; it is the vCPU's again when the APIC is turned on anew. */
static int xapic_id(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 2);
	uint64_t base;

	if (!vm)
		return 1;
	expect_ok(c, lapic_write(vm, 1, APIC_ID, 5U << 24), "KVM_SET_LAPIC with another id");
	expect_value(c, lapic_read(vm, 1, APIC_ID), 5U << 24, "id then");
	get_msr(vm, 1, MSR_APICBASE, &base);
	expect_result(c, set_msr(vm, 1, MSR_APICBASE, base & ~APICBASE_ENABLE), 1, "the APIC off");
	expect_result(c, set_msr(vm, 1, MSR_APICBASE, base), 1, "the APIC on");
	expect_value(c, lapic_read(vm, 1, APIC_ID), 1U << 24, "id of the vCPU again");
	return 0;
}

/* How the id of an x2APIC stands in what KVM_GET_LAPIC gives, and what is taken of KVM_SET_LAPIC. */
static int x2apic_id(struct conform *c, bool ids32)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 0);
	uint32_t id = 300, shown;
	struct table t;

	if (!vm)
		return 1;
	if (ids32)
		expect_ok(c, enable_cap(c, vm->fd, CAP_X2APIC_API, GK_X2APIC_API_USE_32BIT_IDS), "KVM_CAP_X2APIC_API");
	if (vm_vcpu(vm, id) < 0 || table_usual(c, id, &t) || !give_table(vm, 0, &t) || !lapic_x2apic(vm, 0))
		return 1;
	shown = ids32 ? id : id << 24;
	/* before 6.11 the 8 bits that KVM_SET_LAPIC has of it become all of it */
	if (!ids32 && c->release < KERNEL(6, 11))
		id &= 0xff;
	expect_value(c, lapic_read(vm, 0, APIC_ID), shown, "id");
	expect_value(c, lapic_read(vm, 0, APIC_LDR), (id >> 4) << 16 | BIT32(id & 15), "logical id, which follows from it");
	expect_ok(c, lapic_write(vm, 0, APIC_ID, shown), "KVM_SET_LAPIC with it");
	if (ids32) {
		expect_errno(c, lapic_write(vm, 0, APIC_ID, 7), EINVAL, "KVM_SET_LAPIC with another id");
		expect_errno(c, lapic_write(vm, 0, APIC_ID, id << 24), EINVAL, "KVM_SET_LAPIC with the id in the old form");
	} else if (c->release >= KERNEL(6, 11)) {
		expect_ok(c, lapic_write(vm, 0, APIC_ID, 7U << 24), "KVM_SET_LAPIC with another id, which is passed over");
	}
	expect_value(c, lapic_read(vm, 0, APIC_ID), shown, "id then");
	return 0;
}

static int x2apic_id_8(struct conform *c)
{
	return x2apic_id(c, false);
}

static int x2apic_id_32(struct conform *c)
{
	return x2apic_id(c, true);
}

struct step {
	const char *what;
	struct guest_op op;
	unsigned fault; /* 0: carried out */
	bool reads;
	uint64_t value; /* what is read */
};

static int steps(struct conform_vm *vm, unsigned vcpu, const struct step *list, unsigned n)
{
	struct guest_op *ops = case_memory(vm->c, n * sizeof(*ops));

	if (!ops)
		return 1;
	for (unsigned i = 0; i < n; i++)
		ops[i] = list[i].op;
	if (guest_run(vm, vcpu, ops, n))
		return 1;
	for (unsigned i = 0; i < n; i++) {
		if (list[i].fault)
			expect_fault(vm->c, &ops[i], list[i].fault, list[i].what);
		else if (expect_done(vm->c, &ops[i], list[i].what) && list[i].reads)
			expect_value(vm->c, ops[i].res[0], list[i].value, "%s", list[i].what);
	}
	return 0;
}

#define WR(what, index, value) { what, { .code = GUEST_OP_WRMSR, .arg = { index, value } }, 0, false, 0 }
#define WR_GP(what, index, value) { what, { .code = GUEST_OP_WRMSR, .arg = { index, value } }, GP, false, 0 }
#define RD(what, index, value) { what, { .code = GUEST_OP_RDMSR, .arg = { index } }, 0, true, value }
#define RD_GP(what, index) { what, { .code = GUEST_OP_RDMSR, .arg = { index } }, GP, false, 0 }
#define BASE (APIC_PAGE | APICBASE_ENABLE)

/* The ways from one mode to another that the architecture has. */
static int transitions(struct conform *c)
{
	static const struct step list[] = {
		RD("xAPIC at first", MSR_APICBASE, BASE),
		WR_GP("x2APIC with the APIC off", MSR_APICBASE, (BASE & ~APICBASE_ENABLE) | APICBASE_EXTD),
		WR_GP("a reserved bit", MSR_APICBASE, BASE | BIT(9)),
		WR_GP("a low reserved bit", MSR_APICBASE, BASE | BIT(0)),
		WR_GP("an address beyond all widths", MSR_APICBASE, BASE | BIT(52)),
		WR("off", MSR_APICBASE, BASE & ~APICBASE_ENABLE),
		WR_GP("from off to x2APIC", MSR_APICBASE, BASE | APICBASE_EXTD),
		WR("from off to xAPIC", MSR_APICBASE, BASE),
		WR("from xAPIC to x2APIC", MSR_APICBASE, BASE | APICBASE_EXTD),
		RD("x2APIC", MSR_APICBASE, BASE | APICBASE_EXTD),
		WR_GP("from x2APIC to xAPIC", MSR_APICBASE, BASE),
		RD("x2APIC still", MSR_APICBASE, BASE | APICBASE_EXTD),
		WR("from x2APIC to off", MSR_APICBASE, BASE & ~APICBASE_ENABLE),
		WR("from off to xAPIC again", MSR_APICBASE, BASE),
		RD("xAPIC", MSR_APICBASE, BASE),
	};
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 2);

	return !vm || steps(vm, 1, list, COUNT(list));
}

static int without_x2apic(struct conform *c)
{
	static const struct step list[] = {
		WR_GP("x2APIC without its CPUID bit", MSR_APICBASE, BASE | APICBASE_EXTD | APICBASE_BSP),
		RD("xAPIC still", MSR_APICBASE, BASE | APICBASE_BSP),
		RD_GP("a register by its MSR", X2APIC(APIC_ID)),
	};
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 1);
	struct table t;

	if (!vm || table_usual(c, 0, &t) || overridden(c, L_FEATURES, 0, ECX, C1_X2APIC))
		return 1;
	table_entry(&t, L_FEATURES, 0)->ecx &= ~C1_X2APIC;
	return !give_table(vm, 0, &t) || steps(vm, 0, list, COUNT(list));
}

/* Registers by MSR: in x2APIC mode alone, and each as the architecture has it. */
static int x2apic_msrs(struct conform *c)
{
	static const struct step list[] = {
		RD_GP("id in xAPIC mode", X2APIC(APIC_ID)),
		WR_GP("SPIV in xAPIC mode", X2APIC(APIC_SPIV), SPIV_ON),
		WR("x2APIC mode", MSR_APICBASE, BASE | APICBASE_EXTD),
		RD("id", X2APIC(APIC_ID), 1),
		WR_GP("id, which is read-only", X2APIC(APIC_ID), 1),
		RD("logical id", X2APIC(APIC_LDR), 2),
		WR_GP("logical id, which is read-only", X2APIC(APIC_LDR), 2),
		RD_GP("DFR, which there is not", X2APIC(APIC_DFR)),
		WR_GP("DFR, which there is not", X2APIC(APIC_DFR), 0xffffffff),
		RD_GP("the high half of ICR, which there is not", X2APIC(APIC_ICR2)),
		WR_GP("version, which is read-only", X2APIC(APIC_VERSION), 0),
		WR("SPIV", X2APIC(APIC_SPIV), SPIV_ON),
		RD("SPIV", X2APIC(APIC_SPIV), SPIV_ON),
		WR_GP("SPIV with its high half", X2APIC(APIC_SPIV), BIT(32)),
		WR("TPR", X2APIC(APIC_TPR), 0x20),
		RD("TPR", X2APIC(APIC_TPR), 0x20),
		WR("TPR", X2APIC(APIC_TPR), 0),
		WR("EOI", X2APIC(APIC_EOI), 0),
		RD_GP("EOI, which is write-only", X2APIC(APIC_EOI)),
		RD_GP("a register that there is not", MSR_X2APIC_FIRST + 1),
		RD_GP("another", MSR_X2APIC_FIRST + 0x40),
		RD_GP("the last", MSR_X2APIC_FIRST + 0xff),
		WR("ICR to nobody", X2APIC(APIC_ICR), (uint64_t)0x12345 << 32 | ICR_ASSERT | 0x51),
		RD("ICR", X2APIC(APIC_ICR), (uint64_t)0x12345 << 32 | ICR_ASSERT | 0x51),
	};
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 2);

	if (!vm || steps(vm, 1, list, COUNT(list)))
		return 1;
	/* the same by the host */
	expect_value(c, lapic_read(vm, 1, APIC_SPIV), SPIV_ON, "SPIV by KVM_GET_LAPIC");
	expect_value(c, lapic_read(vm, 1, APIC_ICR), ICR_ASSERT | 0x51, "ICR by KVM_GET_LAPIC, low half");
	expect_value(c, lapic_read(vm, 1, APIC_ICR2), 0x12345, "ICR by KVM_GET_LAPIC, high half");
	return 0;
}

#define XW(what, offset, value) \
	{ what, { .code = GUEST_OP_STORE, .arg = { APIC_PAGE + (offset), 4, value } }, 0, false, 0 }
#define XR(what, offset, value) \
	{ what, { .code = GUEST_OP_LOAD, .arg = { APIC_PAGE + (offset), 4 } }, 0, true, value }

/* Registers in memory. */
static int xapic_page(struct conform *c)
{
	static const struct step list[] = {
		XR("id", APIC_ID, 1U << 24),
		XW("another id", APIC_ID, 7U << 24),
		XR("the other id", APIC_ID, 7U << 24),
		XW("SPIV", APIC_SPIV, SPIV_ON),
		XR("SPIV", APIC_SPIV, SPIV_ON),
		XW("LDR", APIC_LDR, 0x55ffffff),
		XR("LDR, 8 bits of it", APIC_LDR, 0x55000000),
		XW("DFR", APIC_DFR, 0x0fffffff),
		XR("DFR", APIC_DFR, 0x0fffffff),
		XW("TPR", APIC_TPR, 0x30),
		XR("TPR", APIC_TPR, 0x30),
		XW("LVT1", APIC_LVT1, LVT_MASKED | 0x400),
		XR("LVT1", APIC_LVT1, LVT_MASKED | 0x400),
	};
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 2);

	if (!vm || steps(vm, 1, list, COUNT(list)))
		return 1;
	expect_value(c, lapic_read(vm, 1, APIC_ID), 7U << 24, "id by KVM_GET_LAPIC");
	expect_value(c, lapic_read(vm, 1, APIC_LDR), 0x55000000, "LDR by KVM_GET_LAPIC");
	return 0;
}

#define DEADLINE BIT(62) /* it never comes */

/* The timer's deadline mode is judged by the table's own bit. */
static int deadline(struct conform *c, bool told)
{
	static const struct step with[] = {
		WR("the deadline in another mode", MSR_TSC_DEADLINE, DEADLINE),
		RD("which is passed over", MSR_TSC_DEADLINE, 0),
		XW("SPIV", APIC_SPIV, SPIV_ON),
		XW("LVTT, deadline mode", APIC_LVTT, LVTT_DEADLINE | 0x51),
		XR("LVTT", APIC_LVTT, LVTT_DEADLINE | 0x51),
		WR("the deadline", MSR_TSC_DEADLINE, DEADLINE),
		RD("the deadline", MSR_TSC_DEADLINE, DEADLINE),
		WR("none", MSR_TSC_DEADLINE, 0),
		RD("none", MSR_TSC_DEADLINE, 0),
	};
	static const struct step without[] = {
		XW("SPIV", APIC_SPIV, SPIV_ON),
		XW("LVTT, deadline mode", APIC_LVTT, LVTT_DEADLINE | 0x51),
		XR("LVTT, without it", APIC_LVTT, 0x51),
		WR("the deadline", MSR_TSC_DEADLINE, DEADLINE),
		RD("which is passed over", MSR_TSC_DEADLINE, 0),
	};
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 1);
	struct table t;

	if (!vm || table_usual(c, 0, &t) || (!told && overridden(c, L_FEATURES, 0, ECX, C1_TSC_DEADLINE)))
		return 1;
	if (!told)
		table_entry(&t, L_FEATURES, 0)->ecx &= ~C1_TSC_DEADLINE;
	if (!give_table(vm, 0, &t))
		return 1;
	return told ? steps(vm, 0, with, COUNT(with)) : steps(vm, 0, without, COUNT(without));
}

static int deadline_with(struct conform *c)
{
	return deadline(c, true);
}

static int deadline_without(struct conform *c)
{
	return deadline(c, false);
}

/* Without an APIC in KVM there are no x2APIC's MSRs, whatever the table says. */
static int no_apic(struct conform *c)
{
	static const struct step list[] = {
		RD_GP("an x2APIC's register", X2APIC(APIC_ID)),
		WR_GP("an x2APIC's register", X2APIC(APIC_SPIV), SPIV_ON),
	};
	struct conform_vm *vm = x86_ready(c, NO_APIC, 1);

	return !vm || steps(vm, 0, list, COUNT(list));
}

const struct conform_case cases_x86_lapic[] = {
	{ "lapic:at-first", "lapic.c kvm_lapic_reset", at_first },
	{ "lapic:version", "KVM API 7.7, lapic.c kvm_apic_set_version", version },
	{ "lapic:no-lint0", "KVM API 7.31", no_lint0 },
	{ "lapic:xapic-id", "ST:x86/xapic_state_test", xapic_id },
	{ "lapic:xapic-id-again", "lapic.c kvm_lapic_set_base", xapic_id_again },
	{ "lapic:x2apic-id-8-bits", "KVM API 7.7", x2apic_id_8 },
	{ "lapic:x2apic-id-32-bits", "KVM API 7.7", x2apic_id_32 },
	{ "lapic:transitions", "KUT:x86/apic.c", transitions },
	{ "lapic:without-x2apic", "x86.c kvm_apic_set_base", without_x2apic },
	{ "lapic:x2apic-msrs", "KUT:x86/apic.c, ST:x86/xapic_state_test", x2apic_msrs },
	{ "lapic:xapic-page", "KUT:x86/apic.c", xapic_page },
	{ "lapic:deadline-told", "KVM API 4.46", deadline_with },
	{ "lapic:deadline-untold", "cpuid.c kvm_vcpu_after_set_cpuid", deadline_without },
	{ "lapic:none", "KVM API 4.46", no_apic },
	{ NULL, NULL, NULL },
};

/* SPDX-License-Identifier: MIT */
/* MSRs that go to user space, and filters of them. KVM API 4.97, 7.21; x86.c. */
#include "lapic.h"

#include <string.h>

struct seen {
	unsigned n;
	uint32_t reason[8], index[8];
	uint64_t data[8]; /* of a write */
	uint64_t answer;  /* to a read */
	bool refuse;
};

static int take_msr(void *ctx, unsigned vcpu, struct gk_run *run)
{
	struct seen *s = ctx;
	bool read = run->exit_reason == GK_EXIT_X86_RDMSR;

	(void)vcpu;
	if (!read && run->exit_reason != GK_EXIT_X86_WRMSR)
		return 0;
	if (s->n < COUNT(s->reason)) {
		s->reason[s->n] = run->msr.reason;
		s->index[s->n] = run->msr.index;
		s->data[s->n] = run->msr.data;
	}
	s->n++;
	run->msr.error = s->refuse;
	if (read)
		run->msr.data = s->answer;
	return 1;
}

/* A VM whose accesses for these reasons go to S. */
static struct conform_vm *watched(struct conform *c, uint64_t reasons, struct seen *s)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);

	if (!vm || vm_watch(vm, take_msr, s) ||
	    !expect_ok(c, enable_cap(c, vm->fd, CAP_X86_USER_SPACE_MSR, reasons), "KVM_CAP_X86_USER_SPACE_MSR"))
		return NULL;
	return vm;
}

static int unknown(struct conform *c)
{
	struct seen s = { .answer = 0x123456789abcdef0 };
	struct conform_vm *vm = watched(c, GK_MSR_EXIT_REASON_UNKNOWN, &s);
	struct guest_op ops[] = { OP_RDMSR(PV_MSR_MIGRATION), OP_WRMSR(PV_MSR_MIGRATION, 0x55), OP_WRMSR(PV_MSR_POLL, 2) };

	if (!vm || guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	expect_value(c, s.n, 2, "exits");
	expect_done(c, &ops[0], "RDMSR of one that KVM does not know");
	expect_value(c, ops[0].res[0], s.answer, "user space's value");
	expect_done(c, &ops[1], "WRMSR of one that KVM does not know");
	expect_value(c, s.data[1], 0x55, "value that came to user space");
	for (unsigned i = 0; i < 2; i++) {
		expect_value(c, s.reason[i], GK_MSR_EXIT_REASON_UNKNOWN, "reason");
		expect_value(c, s.index[i], PV_MSR_MIGRATION, "MSR");
	}
	expect_fault(c, &ops[2], GP, "a value that KVM refuses, of one that it knows");
	s.refuse = true;
	if (guest_run(vm, 0, ops, 2))
		return 1;
	expect_fault(c, &ops[0], GP, "RDMSR that user space refuses");
	expect_fault(c, &ops[1], GP, "WRMSR that user space refuses");
	return 0;
}

/* What is withheld by enforcement is unknown to the guest, too. */
static int enforced(struct conform *c)
{
	struct seen s = { .answer = 7 };
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 1);
	struct guest_op op = OP_RDMSR(PV_MSR_EOI);
	struct table t;

	if (!vm || table_usual(c, 0, &t))
		return 1;
	table_entry(&t, L_KVM_FEATURES, 0)->eax = 0;
	give_table(vm, 0, &t);
	expect_ok(c, enable_cap(c, vm->vcpu[0], CAP_ENFORCE_PV_FEATURE_CPUID, 1), "KVM_CAP_ENFORCE_PV_FEATURE_CPUID");
	expect_ok(c, enable_cap(c, vm->fd, CAP_X86_USER_SPACE_MSR, GK_MSR_EXIT_REASON_UNKNOWN | GK_MSR_EXIT_REASON_INVAL),
		  "KVM_CAP_X86_USER_SPACE_MSR");
	if (vm_watch(vm, take_msr, &s) || guest_run(vm, 0, &op, 1))
		return 1;
	expect_value(c, s.n, 1, "exits");
	expect(c, s.reason[0] == GK_MSR_EXIT_REASON_UNKNOWN || (c->release < KERNEL(7, 0) && s.reason[0] == GK_MSR_EXIT_REASON_INVAL),
	       "the reason is that there is no such MSR, 0x%x (before 7.0, and not in all stable releases, that it is refused)",
	       (unsigned)s.reason[0]);
	expect_value(c, op.res[0], 7, "user space's value");
	return 0;
}

static int invalid(struct conform *c)
{
	struct seen s = { .n = 0 };
	struct conform_vm *vm = watched(c, GK_MSR_EXIT_REASON_INVAL, &s);
	struct guest_op ops[] = { OP_WRMSR(PV_MSR_POLL, 2), OP_RDMSR(PV_MSR_POLL), OP_RDMSR(PV_MSR_MIGRATION) };

	if (!vm || guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	expect_value(c, s.n, 1, "exits");
	expect_value(c, s.reason[0], GK_MSR_EXIT_REASON_INVAL, "reason");
	expect_value(c, s.data[0], 2, "value that KVM refuses");
	expect_done(c, &ops[0], "a value that KVM refuses and user space takes");
	expect_value(c, ops[1].res[0], 1, "the MSR, which nobody has written");
	expect_fault(c, &ops[2], GP, "one that KVM does not know");
	return 0;
}

static int none(struct conform *c)
{
	struct seen s = { .n = 0 };
	struct conform_vm *vm = watched(c, 0, &s);
	struct guest_op ops[] = { OP_RDMSR(PV_MSR_MIGRATION), OP_WRMSR(PV_MSR_POLL, 2) };

	if (!vm || guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	expect_value(c, s.n, 0, "exits");
	expect_fault(c, &ops[0], GP, "one that KVM does not know");
	expect_fault(c, &ops[1], GP, "a value that KVM refuses");
	return 0;
}

static int set_filter(struct conform_vm *vm, uint32_t flags, uint32_t range_flags, uint32_t base, uint32_t n,
		      uint8_t *bitmap)
{
	struct gk_msr_filter f;

	memset(&f, 0, sizeof(f));
	f.flags = flags;
	f.ranges[0] = (struct gk_msr_filter_range){ range_flags, n, base, bitmap };
	return ask(vm->c, vm->fd, GK_X86_SET_MSR_FILTER, &f);
}

#define BOTH (GK_MSR_FILTER_READ | GK_MSR_FILTER_WRITE)

static int filter_errors(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 1);
	uint8_t *bits = case_memory(c, GK_MSR_FILTER_MAX_BITMAP_SIZE + 8);

	if (!vm || !bits)
		return 1;
	expect_errno(c, set_filter(vm, 2, BOTH, 0, 8, bits), EINVAL, "unknown flags");
	expect_errno(c, set_filter(vm, 0, 4, 0, 8, bits), EINVAL, "unknown flags of a range");
	expect_errno(c, set_filter(vm, 0, 0, 0, 8, bits), EINVAL, "a range of neither reads nor writes");
	expect_errno(c, set_filter(vm, 0, BOTH, 0, GK_MSR_FILTER_MAX_BITMAP_SIZE * 8 + 1, bits), EINVAL, "too long a range");
	expect_ok(c, set_filter(vm, 0, BOTH, 0, GK_MSR_FILTER_MAX_BITMAP_SIZE * 8, bits), "the longest range");
	expect_errno(c, set_filter(vm, GK_MSR_FILTER_DEFAULT_DENY, 0, 0, 0, NULL), EINVAL, "all denied, and no range");
	expect_ok(c, set_filter(vm, 0, 0, 0, 0, NULL), "none, which turns it off");
	expect_errno(c, set_filter(vm, 0, BOTH, 0, 8, (uint8_t *)8), EFAULT, "a bitmap that is not mapped");
	return 0;
}

/* A bit that is 0 denies, for reads, for writes, or both; MSRs out of all ranges by the default. */
static int filter(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	uint8_t bits[8] = { 0xff & ~(1 << (PV_MSR_POLL & 7)) }; /* KVM reads whole longs */
	struct guest_op ops[] = { OP_RDMSR(PV_MSR_POLL), OP_WRMSR(PV_MSR_POLL, 1), OP_RDMSR(PV_MSR_EOI), OP_RDMSR(MSR_STAR) };

	if (!vm)
		return 1;
	expect_ok(c, set_filter(vm, 0, GK_MSR_FILTER_WRITE, PV_MSR_WALL, 8, bits), "a filter of writes");
	if (guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	expect_done(c, &ops[0], "a read where writes are denied");
	expect_fault(c, &ops[1], GP, "a write that is denied");
	expect_done(c, &ops[2], "another of the range");
	expect_done(c, &ops[3], "one out of range, allowed by default");
	expect_ok(c, set_filter(vm, 0, GK_MSR_FILTER_READ, PV_MSR_WALL, 8, bits), "a filter of reads");
	if (guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	expect_fault(c, &ops[0], GP, "a read that is denied");
	expect_done(c, &ops[1], "a write where reads are denied");
	bits[0] = 0xff;
	expect_ok(c, set_filter(vm, GK_MSR_FILTER_DEFAULT_DENY, BOTH, PV_MSR_WALL, 8, bits), "all else denied");
	if (guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	expect_done(c, &ops[0], "a read that is allowed");
	expect_done(c, &ops[1], "a write that is allowed");
	expect_fault(c, &ops[3], GP, "one out of range, denied by default");
	expect_ok(c, set_filter(vm, 0, 0, 0, 0, NULL), "no filter");
	if (guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	expect_done(c, &ops[3], "one that was denied");
	return 0;
}

/* The host is not filtered; what is denied goes to user space where that reason is on. */
static int filter_exits(struct conform *c)
{
	struct seen s = { .answer = 0x77 };
	struct conform_vm *vm = watched(c, GK_MSR_EXIT_REASON_FILTER, &s);
	struct guest_op ops[] = { OP_RDMSR(PV_MSR_POLL), OP_WRMSR(PV_MSR_POLL, 0), OP_RDMSR(PV_MSR_MIGRATION) };
	uint8_t bits[8] = { 0 };
	uint64_t value;

	if (!vm)
		return 1;
	expect_ok(c, set_filter(vm, 0, BOTH, PV_MSR_POLL, 1, bits), "a filter");
	if (guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	expect_value(c, s.n, 2, "exits");
	expect_value(c, s.reason[0], GK_MSR_EXIT_REASON_FILTER, "reason");
	expect_value(c, s.index[0], PV_MSR_POLL, "MSR");
	expect_value(c, ops[0].res[0], 0x77, "user space's value");
	expect_done(c, &ops[1], "a write that user space takes");
	expect_fault(c, &ops[2], GP, "one that KVM does not know");
	expect_result(c, get_msr(vm, 0, PV_MSR_POLL, &value), 1, "KVM_GET_MSRS of one that the guest is denied");
	expect_value(c, value, 1, "which the guest has not written");
	return 0;
}

/* The x2APIC's registers cannot be filtered. */
static int filter_x2apic(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	uint8_t *bits = case_memory(c, 32);
	struct guest_op ops[] = { OP_RDMSR(MSR_APICBASE), OP_RDMSR(X2APIC(APIC_ID)) };

	if (!vm || !bits || !lapic_x2apic(vm, 0))
		return 1;
	expect_ok(c, set_filter(vm, 0, BOTH, MSR_X2APIC_FIRST, 256, bits), "a filter of the x2APIC's registers");
	if (guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	expect_done(c, &ops[1], "a read of its id");
	expect_value(c, ops[1].res[0], 0, "its id");
	return 0;
}

const struct conform_case cases_x86_exits[] = {
	{ "exits:msr-unknown", "ST:x86/userspace_msr_exit_test", unknown },
	{ "exits:msr-enforced", "KVM API 8.26", enforced },
	{ "exits:msr-invalid", "KVM API 7.21", invalid },
	{ "exits:msr-unasked", "KVM API 7.21", none },
	{ "exits:filter-errors", "ST:x86/userspace_msr_exit_test, KVM API 4.97", filter_errors },
	{ "exits:filter", "KVM API 4.97", filter },
	{ "exits:filter-to-user-space", "ST:x86/userspace_msr_exit_test", filter_exits },
	{ "exits:filter-x2apic", "KVM API 4.97", filter_x2apic },
	{ NULL, NULL, NULL },
};

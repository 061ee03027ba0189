/* SPDX-License-Identifier: MIT */
/*
 * Registers and MSRs of the software KVM's x86 vCPUs, where no VMM's call alone shows it: what guest code
 * does, and processes that may use more state. What is right is KVM's documentation's
 * (api.rst 4.97, 7.21; x86/xstate.rst) and its sources'. tests/walk compares the rest with real KVM.
 */
#include "unit.h"

#include "core/plan.h"
#include "kvm/abi_more.h"

#include <errno.h>
#include <guestcpu/model.h>

#define BIT(n) (1ULL << (n))
#define MSR_STAR 0xc0000081U
#define MSR_EFER 0xc0000080U
#define MSR_ARCH_CAPABILITIES 0x10aU
#define MSR_PLATFORM_INFO 0xceU
#define MSR_UCODE 0x8bU
#define MSR_X2APIC_ID 0x802U
#define MSR_NOBODY 0x12345678U
#define GP 13

struct box {
	struct gcpu_model *m;
	const struct gcpu_kvm *kvm;
	struct gcpu_snapshot *host;
	int fd, vm, vcpu;
	struct gk_run *run;
};

static int call(struct box *b, int fd, unsigned long request, const void *arg)
{
	return b->kvm->ops->ioctl(b->kvm->ctx, fd, request, (uintptr_t)arg);
}

static void give_table(struct box *b)
{
	struct gk_cpuid2 *t = calloc(1, sizeof(*t) + GK_CPUID_ENTRIES_MOST * sizeof(t->entries[0]));

	t->nent = GK_CPUID_ENTRIES_MOST;
	CHECK(call(b, b->fd, GK_GET_SUPPORTED_CPUID, t) == 0, "supported");
	CHECK(call(b, b->vcpu, GK_SET_CPUID2, t) == 0, "table");
	free(t);
}

static void start(struct box *b, const char *name, bool table)
{
	struct gcpu_error err;
	void *run;

	CHECK(gcpu_snapshot_bundled(name, &b->host, &err) == 0, "%s", err.text);
	CHECK(gcpu_model_new(b->host, NULL, &b->m, &err) == 0, "%s", err.text);
	b->kvm = gcpu_model_kvm(b->m);
	b->fd = b->kvm->ops->open(b->kvm->ctx, "/dev/kvm", 0);
	b->vm = call(b, b->fd, GK_CREATE_VM, NULL);
	CHECK(call(b, b->vm, GK_CREATE_IRQCHIP, NULL) == 0, "APIC");
	b->vcpu = call(b, b->vm, GK_CREATE_VCPU, NULL);
	CHECK(b->kvm->ops->mmap(b->kvm->ctx, (size_t)call(b, b->fd, GK_GET_VCPU_MMAP_SIZE, NULL), b->vcpu, &run) == 0, "map");
	b->run = run;
	if (table)
		give_table(b);
}

static void end(struct box *b)
{
	gcpu_model_free(b->m);
	gcpu_snapshot_free(b->host);
}

static int get_msr(struct box *b, uint32_t index, uint64_t *value)
{
	struct {
		uint32_t n, pad;
		struct gk_msr_entry e;
	} m = { 1, 0, { index, 0, 0 } };
	int r = call(b, b->vcpu, GK_GET_MSRS, &m);

	*value = m.e.data;
	return r;
}

static int set_msr(struct box *b, uint32_t index, uint64_t value)
{
	struct {
		uint32_t n, pad;
		struct gk_msr_entry e;
	} m = { 1, 0, { index, 0, value } };

	return call(b, b->vcpu, GK_SET_MSRS, &m);
}

static int enable(struct box *b, int fd, unsigned cap, uint64_t value)
{
	struct gk_enable_cap c = { .cap = cap, .args = { value } };

	return call(b, fd, GK_ENABLE_CAP, &c);
}

/* One operation of the guest's; the result of KVM_RUN. */
static int guest(struct box *b, struct gcpu_guest_op *op, uint32_t code, uint64_t a, uint64_t v)
{
	*op = (struct gcpu_guest_op){ .code = code, .arg = { a, v } };
	CHECK(gcpu_model_guest(b->m, b->vcpu, op, 1) == 0, "list");
	return call(b, b->vcpu, GK_RUN, NULL);
}

static bool faults(struct box *b, uint32_t code, uint64_t a, uint64_t v)
{
	struct gcpu_guest_op op;
	int r = guest(b, &op, code, a, v);

	return r == -EINTR && op.status == GCPU_GUEST_FAULT && op.fault == GP;
}

static bool works(struct box *b, uint32_t code, uint64_t a, uint64_t v)
{
	struct gcpu_guest_op op;

	return guest(b, &op, code, a, v) == -EINTR && op.status == GCPU_GUEST_DONE;
}

/* api.rst 7.21, 4.97: reasons, what the run page says, how it goes on. */
static void exits(const char *name)
{
	static uint8_t none[8];
	struct gk_msr_filter f = { .ranges = { { GK_MSR_FILTER_READ | GK_MSR_FILTER_WRITE, 1, MSR_STAR, none } } };
	struct gk_msr_filter x2apic = { .ranges = { { GK_MSR_FILTER_READ | GK_MSR_FILTER_WRITE, 0x40, 0x800, none } } };
	struct gcpu_guest_op op;
	struct box b;

	start(&b, name, true);
	CHECK(faults(&b, GCPU_GUEST_RDMSR, MSR_NOBODY, 0), "nobody's");
	CHECK(enable(&b, b.vm, CAP_X86_USER_SPACE_MSR, 8) == -EINVAL, "an unknown reason");
	CHECK(enable(&b, b.vm, CAP_X86_USER_SPACE_MSR, 7) == 0, "all reasons");

	CHECK(guest(&b, &op, GCPU_GUEST_RDMSR, MSR_NOBODY, 0) == 0, "an exit");
	CHECK(b.run->exit_reason == GK_EXIT_X86_RDMSR && b.run->msr.reason == GK_MSR_EXIT_REASON_UNKNOWN &&
	      b.run->msr.index == MSR_NOBODY, "of nobody's: %u %u", b.run->exit_reason, b.run->msr.reason);
	b.run->msr.data = 0x1234567890;
	CHECK(call(&b, b.vcpu, GK_RUN, NULL) == -EINTR && op.status == GCPU_GUEST_DONE && op.res[0] == 0x1234567890,
	      "the VMM's answer: %llx", (unsigned long long)op.res[0]);
	CHECK(guest(&b, &op, GCPU_GUEST_WRMSR, MSR_NOBODY, 77) == 0 && b.run->exit_reason == GK_EXIT_X86_WRMSR &&
	      b.run->msr.data == 77, "a write");
	b.run->msr.error = 1;
	CHECK(call(&b, b.vcpu, GK_RUN, NULL) == -EINTR && op.status == GCPU_GUEST_FAULT && op.fault == GP, "refused by the VMM");

	CHECK(guest(&b, &op, GCPU_GUEST_WRMSR, MSR_EFER, BIT(20)) == 0 && b.run->msr.reason == GK_MSR_EXIT_REASON_INVAL, "a value");
	CHECK(call(&b, b.vm, GK_X86_SET_MSR_FILTER, &f) == 0, "filter");
	CHECK(guest(&b, &op, GCPU_GUEST_RDMSR, MSR_STAR, 0) == 0 && b.run->msr.reason == GK_MSR_EXIT_REASON_FILTER, "filtered");
	CHECK(works(&b, GCPU_GUEST_RDMSR, MSR_EFER, 0), "not in the filter");
	CHECK(enable(&b, b.vm, CAP_X86_USER_SPACE_MSR, 0) == 0 && faults(&b, GCPU_GUEST_RDMSR, MSR_STAR, 0), "denied, no exit");
	f.ranges[0].bitmap = NULL;
	CHECK(call(&b, b.vm, GK_X86_SET_MSR_FILTER, &f) == -EFAULT && faults(&b, GCPU_GUEST_RDMSR, MSR_STAR, 0),
	      "a filter that is refused leaves the old one");
	/* the host is not filtered, and the x2APIC never */
	CHECK(set_msr(&b, MSR_STAR, 5) == 1, "the VMM's write");
	CHECK(call(&b, b.vm, GK_X86_SET_MSR_FILTER, &x2apic) == 0, "filter of the x2APIC's");
	CHECK(enable(&b, b.vm, CAP_X86_USER_SPACE_MSR, GK_MSR_EXIT_REASON_FILTER) == 0 &&
	      faults(&b, GCPU_GUEST_RDMSR, MSR_X2APIC_ID, 0), "x2APIC: a fault as without a filter, no exit");
	CHECK(works(&b, GCPU_GUEST_RDMSR, MSR_STAR, 0), "the first filter is gone");
	end(&b);
}

/* What the guest may write into its control registers. */
static void control(const char *name)
{
	struct gk_x86_sregs s;
	struct box b;

	start(&b, name, true);
	memset(&s, 0, sizeof(s));
	CHECK(call(&b, b.vcpu, GK_GET_SREGS, &s) == 0 && s.cr0 == 0x60000010, "CR0 at first");
	CHECK(faults(&b, GCPU_GUEST_WRCR, 0, BIT(31) | BIT(4)), "PG without PE");
	CHECK(faults(&b, GCPU_GUEST_WRCR, 0, BIT(29) | BIT(4)), "NW without CD");
	CHECK(faults(&b, GCPU_GUEST_WRCR, 0, BIT(32) | 0x11), "the upper half");
	CHECK(works(&b, GCPU_GUEST_WRCR, 0, BIT(7) | 1), "reserved bits are passed over");
	CHECK(call(&b, b.vcpu, GK_GET_SREGS, &s) == 0 && s.cr0 == 0x11, "and ET stays: %llx", (unsigned long long)s.cr0);
	CHECK(works(&b, GCPU_GUEST_WRCR, 4, BIT(5)) && works(&b, GCPU_GUEST_WRMSR, MSR_EFER, BIT(8)), "PAE, LME");
	CHECK(works(&b, GCPU_GUEST_WRCR, 0, BIT(31) | BIT(0)), "paging");
	CHECK(call(&b, b.vcpu, GK_GET_SREGS, &s) == 0 && s.efer == (BIT(8) | BIT(10)), "LMA with it");
	CHECK(faults(&b, GCPU_GUEST_WRCR, 4, 0), "PAE off in long mode");
	CHECK(faults(&b, GCPU_GUEST_WRMSR, MSR_EFER, 0), "LME off while paging is on");
	CHECK(faults(&b, GCPU_GUEST_WRCR, 4, BIT(5) | BIT(14)), "SMXE, which KVM has not");
	CHECK(faults(&b, GCPU_GUEST_WRCR, 8, 16), "CR8");
	CHECK(works(&b, GCPU_GUEST_WRCR, 8, 15), "CR8");
	end(&b);
}

/* F6.1: frozen by the first run, the same value apart; the microcode's revision is not. */
static void frozen(const char *name, bool freezes)
{
	uint64_t value, now;
	struct box b;

	start(&b, name, true);
	CHECK(get_msr(&b, MSR_ARCH_CAPABILITIES, &value) == 1 && value, "KVM's own");
	CHECK(set_msr(&b, MSR_ARCH_CAPABILITIES, value & ~1ULL) == 1, "before the run");
	CHECK(set_msr(&b, MSR_UCODE, 5) == 1, "before the run");
	CHECK(works(&b, GCPU_GUEST_CPUID, 0, 0), "a run");
	CHECK(set_msr(&b, MSR_ARCH_CAPABILITIES, value) == !freezes, "after it");
	CHECK(get_msr(&b, MSR_ARCH_CAPABILITIES, &now) == 1 && now == (freezes ? value & ~1ULL : value), "it stays");
	CHECK(set_msr(&b, MSR_ARCH_CAPABILITIES, now) == 1, "the same value");
	CHECK(set_msr(&b, MSR_UCODE, 6) == 1, "the revision");
	end(&b);
}

/* Before 6.14 nothing that a table says is missed before there is one; who reads or writes it decides. */
static void platform(const char *name)
{
	struct box b;

	start(&b, name, true);
	CHECK(works(&b, GCPU_GUEST_RDMSR, MSR_PLATFORM_INFO, 0), "read");
	CHECK(faults(&b, GCPU_GUEST_WRMSR, MSR_PLATFORM_INFO, 0), "written");
	CHECK(enable(&b, b.vm, CAP_MSR_PLATFORM_INFO, 0) == 0 && faults(&b, GCPU_GUEST_RDMSR, MSR_PLATFORM_INFO, 0), "hidden");
	end(&b);
}

int main(void)
{
	static const char *const hosts[] = { "x86-amd-max-6-1", "x86-amd-max-6-12", "x86-amd-rome-6-12" };

	for (unsigned i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		exits(hosts[i]);
		control(hosts[i]);
		platform(hosts[i]);
		frozen(hosts[i], i > 0);
	}
	return unit_end();
}

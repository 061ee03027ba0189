/* SPDX-License-Identifier: MIT */
/*
 * The guest side of x86 on a software KVM. What is expected is from Intel's
 * SDM (volume 3, chapter 11), KVM's api.rst, msr.rst, hypercalls.rst and
 * errata.rst, and from what real ones were measured to do (docs/pv-features.md).
 */
#include "unit.h"

#include "core/guest_port.h"
#include "kvm/abi.h"
#include "kvm/abi_x86.h"
#include "facts_gen.h"

#include <errno.h>
#include <guestcpu/model.h>

#define MEMORY 0x10000U
#define APIC 0xfee00000U
#define ICR 0x300
#define SPIV 0xf0
#define MSR_BASE 0x1b
#define X2(reg) (0x800 + (reg) / 0x10)
#define OP(c, ...) { .code = GUEST_OP_##c, .arg = { __VA_ARGS__ } }
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define ON OP(STORE, APIC + SPIV, 4, 0x1ff)
#define COUNTS OP(INTERRUPTS, 0)

struct fixture {
	struct gcpu_snapshot *snap;
	struct gcpu_model *model;
	const struct gcpu_kvm *kvm;
	int kvm_fd, vm, vcpu[4];
	unsigned n;
	void *memory;
	struct gk_run *run[4];
};

static int call(const struct fixture *f, int fd, unsigned long request, const void *arg)
{
	return f->kvm->ops->ioctl(f->kvm->ctx, fd, request, (uintptr_t)arg);
}

static int number(const struct fixture *f, int fd, unsigned long request, uintptr_t arg)
{
	return f->kvm->ops->ioctl(f->kvm->ctx, fd, request, arg);
}

static void enable(const struct fixture *f, int fd, unsigned cap, uint64_t arg)
{
	struct gk_enable_cap c = { .cap = cap, .args = { arg } };

	CHECK(call(f, fd, GK_ENABLE_CAP, &c) == 0, "capability %u", cap);
}

/* What this KVM offers, and more: x2APIC and the deadline, which it may not announce. */
static void set_table(struct fixture *f, unsigned vcpu, bool with)
{
	size_t size = sizeof(struct gk_cpuid2) + 256 * sizeof(struct gk_cpuid_entry2);
	struct gk_cpuid2 *t = calloc(1, size);

	t->nent = 256;
	CHECK(call(f, f->kvm_fd, GK_GET_SUPPORTED_CPUID, t) == 0, "supported");
	for (unsigned i = 0; i < t->nent; i++)
		if (t->entries[i].function == 1)
			t->entries[i].ecx = with ? t->entries[i].ecx | 1U << 21 | 1U << 24 :
						   t->entries[i].ecx & ~(1U << 21 | 1U << 24);
	CHECK(call(f, f->vcpu[vcpu], GK_SET_CPUID2, t) == 0, "set");
	free(t);
}

static void vm_new(struct fixture *f, const char *kernel, uint64_t x2apic_flags, const unsigned *ids, unsigned n)
{
	struct gcpu_model_options o = { .size = sizeof(o), .kernel = kernel };
	struct gcpu_error err = { 0 };
	struct gk_userspace_memory_region r = { .memory_size = MEMORY };
	const struct gk_mp_state runnable = { GK_MP_STATE_RUNNABLE };
	void *p = NULL;

	memset(f, 0, sizeof(*f));
	CHECK(gcpu_snapshot_bundled(kernel && strcmp(kernel, "6.1") == 0 ? "x86-amd-max-6-1" : "x86-amd-max-6-12",
				    &f->snap, &err) == 0, "%s", err.text);
	o.kernel = NULL;
	CHECK(gcpu_model_new(f->snap, &o, &f->model, &err) == 0, "%s", err.text);
	f->kvm = gcpu_model_kvm(f->model);
	f->kvm_fd = f->kvm->ops->open(f->kvm->ctx, "/dev/kvm", 0);
	f->vm = number(f, f->kvm_fd, GK_CREATE_VM, 0);
	enable(f, f->vm, CAP_SPLIT_IRQCHIP, 24);
	if (x2apic_flags)
		enable(f, f->vm, CAP_X2APIC_API, x2apic_flags);
	f->memory = aligned_alloc(4096, MEMORY);
	memset(f->memory, 0, MEMORY);
	r.userspace_addr = (uintptr_t)f->memory;
	CHECK(call(f, f->vm, GK_SET_USER_MEMORY_REGION, &r) == 0, "memory");
	f->n = n;
	for (unsigned i = 0; i < n; i++) {
		f->vcpu[i] = number(f, f->vm, GK_CREATE_VCPU, ids ? ids[i] : i);
		set_table(f, i, true);
		CHECK(f->kvm->ops->mmap(f->kvm->ctx, 4096, f->vcpu[i], &p) == 0, "run page");
		f->run[i] = p;
		CHECK(call(f, f->vcpu[i], GK_SET_MP_STATE, &runnable) == 0, "runnable");
	}
}

static void vm_free(struct fixture *f)
{
	gcpu_model_free(f->model);
	gcpu_snapshot_free(f->snap);
	free(f->memory);
}

/* Until it is done or waits: what KVM_RUN says. */
static int run(struct fixture *f, unsigned vcpu, struct gcpu_guest_op *ops, size_t n)
{
	CHECK(gcpu_model_guest(f->model, f->vcpu[vcpu], ops, n) == 0, "a list");
	return number(f, f->vcpu[vcpu], GK_RUN, 0);
}

#define RUN(f, vcpu, ops) run(f, vcpu, ops, COUNT(ops))

static uint64_t taken(struct fixture *f, unsigned vcpu)
{
	struct gcpu_guest_op ops[] = { OP(LOAD_ON, 0, 4), COUNTS };

	RUN(f, vcpu, ops);
	return ops[1].res[0];
}

static uint32_t state(struct fixture *f, unsigned vcpu)
{
	struct gk_mp_state mp = { ~0U };

	call(f, f->vcpu[vcpu], GK_GET_MP_STATE, &mp);
	return mp.mp_state;
}

/* After reset: SDM 11.4.7.1, and a version register of KVM's six entries and, split, its own EOI. */
static void at_reset(void)
{
	static const struct {
		uint32_t reg, want;
	} regs[] = { { 0x20, 1U << 24 }, { 0x30, 0x01050014 }, { 0x80, 0 }, { 0xd0, 0 }, { 0xe0, ~0U },
		     { 0xf0, 0xff }, { 0x320, 0x10000 }, { 0x350, 0x10000 }, { 0x370, 0x10000 } };
	struct fixture f;

	vm_new(&f, NULL, 0, NULL, 2);
	for (unsigned i = 0; i < COUNT(regs); i++) {
		struct gcpu_guest_op op[] = { OP(LOAD, APIC + regs[i].reg, 4) };

		RUN(&f, 1, op);
		CHECK(op[0].res[0] == regs[i].want, "register 0x%x is 0x%llx", regs[i].reg,
		      (unsigned long long)op[0].res[0]);
	}
	vm_free(&f);
}

/* SDM 11.12.5: disabled, xAPIC, x2APIC, and back only through disabled. */
static void modes(void)
{
	const uint64_t x1 = APIC | 1U << 11, x2 = APIC | 3U << 10, off = APIC;
	struct gcpu_guest_op ops[] = {
		OP(RDMSR, X2(0x20)),	   /* 0: not in xAPIC mode */
		OP(WRMSR, MSR_BASE, APIC | 1U << 10), /* 1: x2APIC without enabled */
		OP(WRMSR, MSR_BASE, x2 | 1), /* 2: a reserved bit */
		OP(WRMSR, MSR_BASE, x2),   /* 3 */
		OP(RDMSR, X2(0x20)),	   /* 4 */
		OP(WRMSR, X2(0x20), 5),	   /* 5: the id is read-only */
		OP(RDMSR, X2(0xd0)),	   /* 6: by the id */
		OP(RDMSR, X2(0xe0)),	   /* 7: no such register in this mode */
		OP(WRMSR, X2(0xf0), 1ULL << 32), /* 8 */
		OP(WRMSR, MSR_BASE, x1),   /* 9 */
		OP(WRMSR, MSR_BASE, off),  /* 10 */
		OP(WRMSR, MSR_BASE, x2),   /* 11 */
		OP(WRMSR, MSR_BASE, x1),   /* 12 */
	};
	static const bool faults[] = { 1, 1, 1, 0, 0, 1, 0, 1, 1, 1, 0, 1, 0 };
	const unsigned ids[] = { 0, 0x123 };
	struct fixture f;

	vm_new(&f, NULL, GK_X2APIC_API_USE_32BIT_IDS, ids, 2);
	RUN(&f, 1, ops);
	for (unsigned i = 0; i < COUNT(ops); i++)
		CHECK((ops[i].status == GUEST_STATUS_FAULT) == faults[i], "%u: status %u", i, ops[i].status);
	CHECK(ops[4].res[0] == 0x123, "id 0x%llx", (unsigned long long)ops[4].res[0]);
	CHECK(ops[6].res[0] == (0x12U << 16 | 1U << 3), "LDR 0x%llx", (unsigned long long)ops[6].res[0]);
	vm_free(&f);
}

/* api.rst, KVM_CAP_X2APIC_API: the id in KVM_GET_LAPIC's state. */
static void formats(void)
{
	for (unsigned flag = 0; flag < 2; flag++) {
		struct gcpu_guest_op op[] = { OP(WRMSR, MSR_BASE, APIC | 3U << 10) };
		struct gk_lapic_state s;
		uint32_t id, want = flag ? 1 : 1U << 24;
		struct fixture f;

		vm_new(&f, NULL, flag, NULL, 2);
		RUN(&f, 1, op);
		CHECK(call(&f, f.vcpu[1], GK_GET_LAPIC, &s) == 0, "state");
		memcpy(&id, (char *)&s + 0x20, 4);
		CHECK(id == want, "id 0x%x with flag %u", id, flag);
		id = 7;
		memcpy((char *)&s + 0x20, &id, 4);
		CHECK(call(&f, f.vcpu[1], GK_SET_LAPIC, &s) == (flag ? -EINVAL : 0), "another id, flag %u", flag);
		vm_free(&f);
	}
}

/* errata.rst: all of one physical id are reached, since 6.3 and without 32-bit ids; else one. */
static void duplicates(void)
{
	static const struct {
		const char *kernel;
		uint64_t flags, want[2];
	} list[] = { { "6.1", 0, { 1, 0 } }, { "6.12", 0, { 1, 1 } }, { "6.12", 1, { 1, 0 } } };

	for (unsigned i = 0; i < COUNT(list); i++) {
		struct gcpu_guest_op same[] = { ON, OP(STORE, APIC + 0x20, 4, 1U << 24) }, on[] = { ON },
				     ipi[] = { ON, OP(STORE, APIC + ICR + 0x10, 4, 1U << 24),
					       OP(STORE, APIC + ICR, 4, 0x4051) };
		struct fixture f;

		vm_new(&f, list[i].kernel, list[i].flags, NULL, 3);
		RUN(&f, 1, on);
		RUN(&f, 2, same);
		RUN(&f, 0, ipi);
		for (unsigned v = 0; v < 2; v++)
			CHECK(taken(&f, v + 1) == list[i].want[v], "%u: vCPU %u", i, v + 1);
		vm_free(&f);
	}
}

/* SDM 8.4.4: INIT, then SIPI, and nothing but that. Ids above 254 by x2APIC alone. */
static void start_up(void)
{
	const unsigned ids[] = { 0, 300 };
	struct gcpu_guest_op sender[] = { OP(WRMSR, MSR_BASE, APIC | 1U << 8 | 3U << 10), OP(WRMSR, X2(SPIV), 0x1ff) },
			     init[] = { OP(WRMSR, X2(ICR), 300ULL << 32 | 0x4500) },
			     sipi[] = { OP(WRMSR, X2(ICR), 300ULL << 32 | 0x4608) };
	const struct gk_mp_state waits = { GK_MP_STATE_UNINITIALIZED };
	struct gk_x86_sregs s;
	struct gk_lapic_state l;
	struct fixture f;

	vm_new(&f, NULL, GK_X2APIC_API_USE_32BIT_IDS, ids, 2);
	CHECK(call(&f, f.vcpu[1], GK_SET_MP_STATE, &waits) == 0, "uninitialised");
	call(&f, f.vcpu[1], GK_GET_LAPIC, &l);
	CHECK(call(&f, f.vcpu[1], GK_SET_LAPIC, &l) == 0, "into the map");
	CHECK(number(&f, f.vcpu[1], GK_RUN, 0) == -EINTR, "it waits");
	RUN(&f, 0, sender);
	RUN(&f, 0, sipi);
	CHECK(state(&f, 1) == GK_MP_STATE_UNINITIALIZED, "a SIPI alone: %u", state(&f, 1));
	RUN(&f, 0, init);
	CHECK(number(&f, f.vcpu[1], GK_RUN, 0) == -EAGAIN, "woken by INIT");
	CHECK(state(&f, 1) == GK_MP_STATE_INIT_RECEIVED, "INIT: %u", state(&f, 1));
	RUN(&f, 0, sipi);
	CHECK(state(&f, 1) == GK_MP_STATE_RUNNABLE, "SIPI: %u", state(&f, 1));
	CHECK(call(&f, f.vcpu[1], GK_GET_SREGS, &s) == 0 && s.cs.selector == 0x800 && s.cs.base == 0x8000,
	      "CS 0x%x at 0x%llx", s.cs.selector, (unsigned long long)s.cs.base);
	vm_free(&f);
}

/* api.rst, KVM_SIGNAL_MSI: 32-bit ids only with the flag, and then nothing in the low byte. */
static void messages(void)
{
	const unsigned ids[] = { 0, 0x12c };
	struct gk_msi high = { .address_lo = APIC | 0x2c << 12, .address_hi = 0x100, .data = 0x51 }, bad = high,
		      all = { .address_lo = APIC | 0xff << 12, .data = 0x52 };

	bad.address_hi |= 1;
	for (unsigned flag = 0; flag < 2; flag++) {
		struct gcpu_guest_op x2[] = { OP(WRMSR, MSR_BASE, APIC | 3U << 10), OP(WRMSR, X2(SPIV), 0x1ff) },
				     on[] = { ON, OP(STORE, APIC + 0xd0, 4, 1U << 24) };
		struct fixture f;
		int got;

		vm_new(&f, NULL, flag ? 3 : 0, ids, 2);
		RUN(&f, 0, on);
		RUN(&f, 1, x2);
		got = call(&f, f.vm, GK_SIGNAL_MSI, &high);
		CHECK(got == (int)flag, "to id 300 with flag %u: %d", flag, got);
		got = call(&f, f.vm, GK_SIGNAL_MSI, &bad);
		CHECK(flag ? got == -EINVAL : got == 0, "low byte with flag %u: %d", flag, got);
		/* the quirk: everybody; without it an x2APIC does not know 0xff for a broadcast */
		got = call(&f, f.vm, GK_SIGNAL_MSI, &all);
		CHECK(got == (flag ? 1 : 2), "broadcast with flags %u: %d", flag ? 3 : 0, got);
		vm_free(&f);
	}
}

static void msr(struct fixture *f, uint32_t index, uint64_t value, bool taken_, const char *what)
{
	struct gcpu_guest_op op[] = { OP(WRMSR, index, value), OP(RDMSR, index) };

	RUN(f, 0, op);
	CHECK((op[0].status == GUEST_STATUS_DONE) == taken_, "%s: status %u", what, op[0].status);
	if (taken_)
		CHECK(op[1].res[0] == value, "%s reads 0x%llx", what, (unsigned long long)op[1].res[0]);
}

/* msr.rst, kvm_para.h. */
static void shared(void)
{
	const uint32_t *word;
	struct fixture f;

	vm_new(&f, NULL, 0, NULL, 1);
	word = f.memory;
	msr(&f, 0x4b564d01, 0x1001, true, "clock");
	CHECK(word[0x1000 / 4] && !(word[0x1000 / 4] & 1), "version %u", word[0x1000 / 4]);
	CHECK(word[0x1000 / 4 + 6] != 0, "its scale");
	msr(&f, 0x4b564d00, 0x1100, true, "wall clock");
	CHECK(word[0x1100 / 4 + 1] != 0 && !(word[0x1100 / 4] & 1), "the time of day");
	msr(&f, 0x4b564d03, 0x2001, true, "steal time");
	CHECK(word[0x2000 / 4 + 2] == 2 && !word[0x2000 / 4], "version %u", word[0x2000 / 4 + 2]);
	msr(&f, 0x4b564d03, 0x2003, false, "steal time, reserved");
	msr(&f, 0x4b564d04, 0x3002, false, "end of interrupt, reserved");
	msr(&f, 0x4b564d04, 0x3001, true, "end of interrupt");
	msr(&f, 0x4b564d05, 2, false, "polling, reserved");
	msr(&f, 0x4b564d05, 0, true, "polling");
	msr(&f, 0x4b564d06, 0x100, false, "vector, reserved");
	msr(&f, 0x4b564d02, 0x4010, false, "page faults, reserved");
	enable(&f, f.vcpu[0], CAP_ENFORCE_PV_FEATURE_CPUID, 1);
	set_table(&f, 0, true);
	msr(&f, 0x4b564d08, 1, false, "migration");
	vm_free(&f);
}

/* Its word is 1 while an interrupt is in service; cleared by the guest, no EOI is due. */
static void eoi_word(void)
{
	struct gcpu_guest_op ops[] = { ON, OP(WRMSR, 0x4b564d04, 0x3001), OP(EOI_WORD, 0x3000),
				       OP(STORE, APIC + ICR, 4, 0x44051), OP(HALT, 0), COUNTS,
				       OP(LOAD, APIC + 0x100 + 0x20, 4), OP(EOI_WORD, 0),
				       OP(STORE, APIC + ICR, 4, 0x44051), OP(HALT, 0), COUNTS, OP(LOAD, 0x3000, 4) };
	struct fixture f;

	vm_new(&f, NULL, 0, NULL, 1);
	RUN(&f, 0, ops);
	CHECK(ops[4].res[0] == 1 && ops[4].res[1] == 0x51, "one, 0x51");
	CHECK(ops[5].res[2] == 1 && ops[5].res[3] == 0, "skipped");
	CHECK(ops[6].res[0] == 0, "out of service");
	CHECK(ops[10].res[2] == 1 && ops[10].res[3] == 1 && ops[10].res[0] == 2, "written");
	CHECK(ops[11].res[0] == 0, "the offer is gone");
	vm_free(&f);
}

/* hypercalls.rst. */
static void hypercalls(void)
{
	struct gcpu_guest_op ops[] = { OP(HYPERCALL, 99), OP(HYPERCALL32, 99), OP(HYPERCALL, 10, 7, 0, 0, 0x51),
				       OP(HYPERCALL, 10, 1, 0, 0, 0x851), OP(HYPERCALL, 12, 0x1000, 1, 0) },
			     map[] = { OP(HYPERCALL, 12, 0x1001, 1, 0), OP(HYPERCALL, 12, 0x1000, 0, 0),
				       OP(HYPERCALL, 12, 0x1000, 3, 0x10), OP(RDCR, 0) },
			     on[] = { ON }, sleep[] = { OP(HALT_OFF, 0) }, kick[] = { OP(HYPERCALL, 5, 0, 1) };
	struct fixture f;

	vm_new(&f, NULL, 0, NULL, 2);
	RUN(&f, 0, on);
	RUN(&f, 1, on);
	RUN(&f, 0, ops);
	CHECK((int64_t)ops[0].res[0] == -1000 && ops[1].res[0] == (uint32_t)-1000, "unknown");
	CHECK(ops[2].res[0] == 2 && (int64_t)ops[3].res[0] == -22, "two of three ids, a logical destination");
	CHECK((int64_t)ops[4].res[0] == -1000, "not asked for");
	enable(&f, f.vm, CAP_EXIT_HYPERCALL, 1 << 12);
	CHECK(RUN(&f, 0, map) == 0 && f.run[0]->exit_reason == GK_EXIT_HYPERCALL, "an exit");
	CHECK((int64_t)map[0].res[0] == -22 && (int64_t)map[1].res[0] == -22, "not aligned, no page");
	CHECK(f.run[0]->hypercall.nr == 12 && f.run[0]->hypercall.args[1] == 3 && f.run[0]->hypercall.args[2] == 0x10,
	      "what is asked");
	f.run[0]->hypercall.ret = 17;
	CHECK(number(&f, f.vcpu[0], GK_RUN, 0) == -EINTR && map[2].res[0] == 17 && map[3].status == GUEST_STATUS_DONE,
	      "answered");
	CHECK(RUN(&f, 1, sleep) == -EINTR && state(&f, 1) == GK_MP_STATE_HALTED, "asleep");
	CHECK(number(&f, f.vcpu[1], GK_RUN, 0) == -EINTR && !sleep[0].status, "still");
	RUN(&f, 0, kick);
	CHECK(number(&f, f.vcpu[1], GK_RUN, 0) == -EINTR && sleep[0].status == GUEST_STATUS_DONE, "awake");
	vm_free(&f);
}

/* Addresses that nobody has are the VMM's; a list goes on behind them. */
static void devices(void)
{
	struct gcpu_guest_op ops[] = { OP(LOAD, 0xd0000000, 4), OP(STORE, 0xd0000004, 2, 0xbeef) };
	struct fixture f;

	vm_new(&f, NULL, 0, NULL, 1);
	CHECK(RUN(&f, 0, ops) == 0 && f.run[0]->exit_reason == GK_EXIT_MMIO && !f.run[0]->mmio.is_write &&
		      f.run[0]->mmio.phys_addr == 0xd0000000 && f.run[0]->mmio.len == 4, "a read");
	memcpy(f.run[0]->mmio.data, "\x78\x56\x34\x12", 4);
	CHECK(number(&f, f.vcpu[0], GK_RUN, 0) == 0 && f.run[0]->mmio.is_write && f.run[0]->mmio.data[1] == 0xbe, "a write");
	CHECK(ops[0].res[0] == 0x12345678, "what was read");
	CHECK(number(&f, f.vcpu[0], GK_RUN, 0) == -EINTR && ops[1].status == GUEST_STATUS_DONE, "done");
	vm_free(&f);
}

int main(void)
{
	at_reset();
	modes();
	formats();
	duplicates();
	start_up();
	messages();
	shared();
	eoi_word();
	hypercalls();
	devices();
	return unit_end();
}

/* SPDX-License-Identifier: MIT */
/* The clock that KVM shows its guests: a page of each vCPU, and the VM's, which the VMM reads and sets. */
#define _POSIX_C_SOURCE 200809L
#include "lapic.h"

#include <string.h>
#include <time.h>

#define SECOND 1000000000ULL
#define FAR (100000 * SECOND) /* no case takes so long */

struct clock_page {
	uint32_t version, pad0;
	uint64_t tsc_timestamp, system_time;
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags, pad[2];
};

static int clocks(struct conform *c, uint32_t msr_wall, uint32_t msr_system)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	uint64_t at = 0;
	unsigned char *p = vm ? guest_memory(vm, 0, &at) : NULL;
	struct guest_op ops[] = { OP_WRMSR(msr_wall, at + 0x100), OP_WRMSR(msr_system, at | 1), OP_CPUID(0, 0) };
	struct clock_page page;
	uint32_t wall[3];

	if (!p)
		return 1;
	memset(p, 0xff, sizeof(page));
	memset(p, 0, 4); /* a version */
	if (guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	expect_done(c, &ops[0], "the wall clock");
	expect_done(c, &ops[1], "the system clock");
	memcpy(&page, p, sizeof(page));
	memcpy(wall, p + 0x100, sizeof(wall));
	expect(c, page.version && !(page.version & 1), "the page's version %u is even, and not 0", page.version);
	expect(c, page.tsc_to_system_mul && page.tsc_to_system_mul != ~0U, "it has a multiplier");
	expect(c, page.tsc_shift > -32 && page.tsc_shift < 32, "it has a shift: %d", page.tsc_shift);
	expect(c, !(page.flags & ~3U), "flags 0x%x", page.flags);
	expect(c, page.system_time != ~0ULL && page.tsc_timestamp != ~0ULL, "it has times");
	expect(c, wall[0] && !(wall[0] & 1), "the wall clock's version %u is even, and not 0", wall[0]);
	expect(c, wall[1] && wall[2] < 1000000000, "the wall clock is %u.%09u", wall[1], wall[2]);
	/* off: nothing more is written */
	ops[0] = OP_WRMSR(msr_system, 0);
	ops[1] = OP_RDMSR(msr_system);
	if (guest_run(vm, 0, ops, 2))
		return 1;
	expect_value(c, ops[1].res[0], 0, "the MSR, off");
	return 0;
}

static int clock_new(struct conform *c)
{
	return clocks(c, PV_MSR_WALL, PV_MSR_SYSTEM);
}

static int clock_old(struct conform *c)
{
	return clocks(c, PV_MSR_WALL_OLD, PV_MSR_SYSTEM_OLD);
}

/* Told by the host that it was stopped: bit 1 of the page's flags, at the next entry. */
static int clock_stopped(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	uint64_t at = 0;
	unsigned char *p = vm ? guest_memory(vm, 0, &at) : NULL;
	struct guest_op on = OP_WRMSR(PV_MSR_SYSTEM, at | 1), go = OP_CPUID(0, 0), off = OP_WRMSR(PV_MSR_SYSTEM, 0);
	struct clock_page page;

	if (!p)
		return 1;
	expect_errno(c, ask_number(c, vm->vcpu[0], GK_KVMCLOCK_CTRL, 0), EINVAL, "KVM_KVMCLOCK_CTRL without a clock");
	if (guest_run(vm, 0, &on, 1))
		return 1;
	memcpy(&page, p, sizeof(page));
	expect(c, !(page.flags & 2), "it was not stopped yet");
	expect_ok(c, ask_number(c, vm->vcpu[0], GK_KVMCLOCK_CTRL, 0), "KVM_KVMCLOCK_CTRL");
	if (guest_run(vm, 0, &go, 1))
		return 1;
	memcpy(&page, p, sizeof(page));
	expect(c, page.flags & 2, "it was stopped");
	if (guest_run(vm, 0, &off, 1))
		return 1;
	expect_errno(c, ask_number(c, vm->vcpu[0], GK_KVMCLOCK_CTRL, 0), EINVAL, "KVM_KVMCLOCK_CTRL of a clock that is off");
	return 0;
}

/* The VM's time, at least LEAST and not far from it. */
static void expect_time(struct conform_vm *vm, uint64_t least, const char *what)
{
	struct conform *c = vm->c;
	struct gk_clock_data now = { 0 };

	if (!expect_ok(c, ask(c, vm->fd, GK_GET_CLOCK, &now), "KVM_GET_CLOCK"))
		return;
	expect(c, now.clock >= least && now.clock - least < FAR, "%s: %llu s", what, (unsigned long long)(now.clock / SECOND));
	expect(c, !(now.flags & ~(GK_CLOCK_TSC_STABLE | GK_CLOCK_REALTIME | GK_CLOCK_HOST_TSC)), "flags 0x%x", now.flags);
	if (now.flags & GK_CLOCK_REALTIME)
		expect(c, now.realtime, "the moment of it");
}

/* It goes on from where it was set, or from there and what has passed since a moment that is given; never from before. */
static int clock_vm(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	struct gk_clock_data at = { .clock = 3 * FAR };
	struct timespec t = { 0 };

	if (!vm)
		return 1;
	expect_time(vm, 0, "a new VM's");
	expect_ok(c, ask(c, vm->fd, GK_SET_CLOCK, &at), "ahead");
	expect_time(vm, 3 * FAR, "ahead");
	at.clock = FAR;
	expect_ok(c, ask(c, vm->fd, GK_SET_CLOCK, &at), "back");
	expect_time(vm, FAR, "back");
	for (unsigned bit = 0; bit < 32; bit++) {
		at = (struct gk_clock_data){ .clock = 5 * FAR, .flags = 1U << bit };
		if (!(at.flags & (GK_CLOCK_TSC_STABLE | GK_CLOCK_REALTIME | GK_CLOCK_HOST_TSC)))
			expect_errno(c, ask(c, vm->fd, GK_SET_CLOCK, &at), EINVAL, "flag %u", bit);
	}
	expect_time(vm, FAR, "what was refused changes nothing");
	at = (struct gk_clock_data){ .clock = FAR, .flags = GK_CLOCK_TSC_STABLE | GK_CLOCK_HOST_TSC };
	expect_ok(c, ask(c, vm->fd, GK_SET_CLOCK, &at), "flags that only tell");
	expect_time(vm, FAR, "flags that only tell");
	clock_gettime(CLOCK_REALTIME, &t);
	at.flags = GK_CLOCK_REALTIME;
	at.realtime = ((uint64_t)t.tv_sec - 2 * (FAR / SECOND)) * SECOND;
	expect_ok(c, ask(c, vm->fd, GK_SET_CLOCK, &at), "of a moment that has passed");
	expect_time(vm, 3 * FAR, "with what has passed since");
	at.realtime = ((uint64_t)t.tv_sec + 2 * (FAR / SECOND)) * SECOND;
	expect_ok(c, ask(c, vm->fd, GK_SET_CLOCK, &at), "of a moment to come");
	expect_time(vm, FAR, "of a moment to come");
	return 0;
}

/* A wall clock's seconds, written now by vCPU 0. */
static int wall_seconds(struct conform_vm *vm, uint32_t *ret)
{
	uint64_t at = 0;
	unsigned char *p = guest_memory(vm, 0, &at);
	struct guest_op op = OP_WRMSR(PV_MSR_WALL, at + 0x100);

	if (!p || guest_run(vm, 0, &op, 1))
		return 1;
	memcpy(ret, p + 0x104, sizeof(*ret));
	return 0;
}

/* Set, every vCPU's page follows at its next entry; a wall clock when it is asked for: both together are the time of day. */
static int clock_set(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 2);
	struct gk_clock_data to = { .clock = 3 * FAR };
	struct guest_op on, go = OP_CPUID(0, 0);
	uint32_t before = 0, after = 0;
	struct clock_page page;
	unsigned char *p[2];
	uint64_t at = 0;

	for (unsigned i = 0; i < 2; i++) {
		p[i] = vm ? guest_memory(vm, i, &at) : NULL;
		on = (struct guest_op)OP_WRMSR(PV_MSR_SYSTEM, at | 1);
		if (!p[i] || guest_run(vm, i, &on, 1))
			return 1;
		memcpy(&page, p[i], sizeof(page));
		expect(c, page.version && page.system_time < FAR, "vCPU %u: a new VM's time", i);
		memset(p[i], 0, sizeof(page));
	}
	if (wall_seconds(vm, &before))
		return 1;
	expect_ok(c, ask(c, vm->fd, GK_SET_CLOCK, &to), "KVM_SET_CLOCK");
	for (unsigned i = 0; i < 2; i++) {
		if (guest_run(vm, i, &go, 1))
			return 1;
		memcpy(&page, p[i], sizeof(page));
		expect(c, page.version && !(page.version & 1), "vCPU %u: the page's version %u is even, and not 0", i, page.version);
		expect(c, page.system_time >= 3 * FAR && page.system_time < 4 * FAR, "vCPU %u: its time %llu s is what was set", i,
		       (unsigned long long)(page.system_time / SECOND));
	}
	if (wall_seconds(vm, &after))
		return 1;
	expect(c, before > after && before - after > 2 * FAR / SECOND && before - after <= 3 * FAR / SECOND + 1,
	       "the wall clock was %u s, and is %u s", before, after);
	return 0;
}

const struct conform_case cases_x86_clock[] = {
	{ "pv:clock", "KVM msr.rst", clock_new },
	{ "pv:clock-old", "KVM msr.rst", clock_old },
	{ "pv:clock-stopped", "KVM API 4.70 KVM_KVMCLOCK_CTRL", clock_stopped },
	{ "pv:clock-set", "KVM API 4.30, msr.rst", clock_set },
	{ "pv:clock-of-vm", "KVM API 4.29, 4.30", clock_vm },
	{ NULL, NULL, NULL },
};

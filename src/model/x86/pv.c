/* SPDX-License-Identifier: MIT */
/* What KVM shares with its guest: its MSRs, and the pages and words behind them. */
#include "x86.h"

#include <string.h>
#include <time.h>

#define PV_ENABLED 1U
#define APF_RESERVED 0x30U
#define APF_AS_VMEXIT 4U
#define APF_BY_INTERRUPT 8U
#define STEAL_RESERVED 0x3eU
#define EOI_ALIGNED 3U
#define CLOCK_STABLE 1U
#define CLOCK_FLAGS (GK_CLOCK_TSC_STABLE | GK_CLOCK_REALTIME | GK_CLOCK_HOST_TSC)
#define CLOCK_STOPPED 2U /* told once by the VMM; the guest takes it away */
#define TOKEN_WAKE UINT32_MAX
#define TICK 1000 /* the guest's counter, from one look to the next */
#define NS 1000000000ULL

/* As KVM and its guests have it, pvclock-abi.h. */
struct clock_page {
	uint32_t version, pad0;
	uint64_t tsc, ns;
	uint32_t mul;
	int8_t shift;
	uint8_t flags, pad[2];
} __attribute__((packed, aligned(1)));
struct wall_clock {
	uint32_t version, sec, nsec;
} __attribute__((packed, aligned(1)));
struct steal_page {
	uint64_t steal;
	uint32_t version, flags;
	uint8_t preempted, pad[3];
	uint32_t pad2[11];
} __attribute__((packed, aligned(1)));

_Static_assert(sizeof(struct clock_page) == 32 && sizeof(struct wall_clock) == 12 &&
		       sizeof(struct steal_page) == 64, "as the guest has them");

bool x86_pv_has(const struct x86_vcpu *x, unsigned field)
{
	return !x->enforce_pv || (x->pv_word >> gcpu_facts_x86.fields[field].lsb & 1);
}

/* As fast as its rate says since somebody first looked, so that clocks made of it are clocks; and never
 * the same twice. Nothing waits for it. */
static uint64_t tick(struct x86_guests *g, uint64_t khz)
{
	struct timespec t = { 0 };
	uint64_t now, ns;

	clock_gettime(CLOCK_MONOTONIC, &t);
	ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	if (!g->began)
		g->began = ns;
	now = (ns - g->began) / 1000000 * khz + (ns - g->began) % 1000000 * khz / 1000000;
	g->tsc = now > g->tsc ? now : g->tsc + TICK;
	return g->tsc;
}

static uint64_t khz_of(const struct x86_vcpu *x)
{
	return x->tsc_khz ? x->tsc_khz : 1;
}

uint64_t x86_tsc(struct x86_vcpu *x)
{
	return x86_msr_kept(x, X86_MSR(TSC)) + tick(x86_vm(x->v->vm)->guest, khz_of(x));
}

/* The VM's clock: what has passed, and what KVM_SET_CLOCK made of it. */
static uint64_t clock_ns(const struct x86_guests *g, uint64_t khz)
{
	return g->tsc / khz * 1000000 + g->tsc % khz * 1000000 / khz + g->clock_moved;
}

static uint64_t ns_of(const struct x86_vcpu *x)
{
	return clock_ns(x86_vm(x->v->vm)->guest, khz_of(x));
}

uint64_t x86_ns(struct x86_vcpu *x)
{
	x86_tsc(x);
	return ns_of(x);
}

void x86_pv_reset(struct x86_vcpu *x)
{
	struct x86_guest *g = x->guest;

	g->time = g->apf_en = g->apf_int = g->steal = g->eoi = 0;
	g->clock_due = g->steal_due = g->eoi_pending = g->apf_wake = g->apf_ready = false;
}

/* The scale that KVM computes: cycles, doubled or halved until there are between 1 and 2 thousand million a second. */
static void scale(uint32_t khz, uint32_t *ret_mul, int8_t *ret_shift)
{
	uint64_t hz = (uint64_t)(khz ? khz : 1) * 1000;
	int8_t shift = 0;

	for (; hz > 2 * NS; shift--)
		hz >>= 1;
	for (; hz <= NS; shift++)
		hz <<= 1;
	*ret_mul = (uint32_t)((NS << 32) / hz);
	*ret_shift = shift;
}

static void write_clock(struct x86_vcpu *x)
{
	struct clock_page *p = sw_guest_writable(x->v->vm, x->guest->time & ~(uint64_t)PV_ENABLED, sizeof(*p));
	uint32_t mul;
	int8_t shift;
	struct clock_page now = { .flags = x86_vm(x->v->vm)->guest->old_clock ? 0 : CLOCK_STABLE };

	if (!p)
		return;
	now.version = (p->version | 1) + 1;
	now.flags |= p->flags & CLOCK_STOPPED;
	if (x->guest->stopped)
		now.flags |= CLOCK_STOPPED;
	x->guest->stopped = false;
	now.tsc = x86_tsc(x);
	now.ns = ns_of(x);
	scale(x->tsc_khz, &mul, &shift);
	now.mul = mul;
	now.shift = shift;
	memcpy(p, &now, sizeof(now));
}

static uint64_t real_ns(void)
{
	struct timespec t = { 0 };

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

/* What it was when the VM's clock was 0. */
static void write_wall_clock(struct x86_vcpu *x, uint64_t address)
{
	struct wall_clock *p = address ? sw_guest_writable(x->v->vm, address, sizeof(*p)) : NULL, now;
	uint64_t epoch = real_ns() - x86_ns(x);

	if (!p)
		return;
	memcpy(&now, p, sizeof(now));
	now.version = (now.version | 1) + 1;
	now.sec = (uint32_t)(epoch / NS);
	now.nsec = (uint32_t)(epoch % NS);
	memcpy(p, &now, sizeof(now));
}

/* Nobody is ever preempted here: the page is begun, and stays at that. */
static void write_steal(struct x86_vcpu *x)
{
	struct steal_page *p = sw_guest_writable(x->v->vm, x->guest->steal & ~(uint64_t)(STEAL_RESERVED | PV_ENABLED),
					       sizeof(*p));

	if (!p)
		return;
	p->preempted = 0;
	p->version = (p->version | 1) + 1;
}

/* Turning it on wakes whoever waits, which is told like a page, once the APIC is there to tell it. */
static void wake_apf(struct x86_vcpu *x)
{
	struct x86_irq irq = { .mode = DELIVER_FIXED, .vector = (uint8_t)x->guest->apf_int };
	sw_guest_u32 *data = sw_guest_writable(x->v->vm, x->guest->apf_en & ~0x3fULL, 8);

	if (!data || data[1] || !x86_apic_on(x))
		return;
	data[1] = TOKEN_WAKE;
	x->guest->apf_wake = false;
	x->guest->apf_ready = true;
	x86_accept(x, &irq);
}

void x86_pv_enter(struct x86_vcpu *x)
{
	struct x86_guest *g = x->guest;

	if (g->clock_due && (g->time & PV_ENABLED))
		write_clock(x);
	if (g->steal_due && (g->steal & PV_ENABLED))
		write_steal(x);
	g->clock_due = g->steal_due = false;
	if (g->apf_wake && !g->apf_ready)
		wake_apf(x);
}

void x86_pv_eoi_offer(struct x86_vcpu *x)
{
	uint8_t *word;

	if (!(x->guest->eoi & PV_ENABLED) || x86_apic_top(x, APIC_REG_IRR) >= 0 || x->guest->last_isr < 0)
		return;
	word = sw_guest_writable(x->v->vm, x->guest->eoi & ~(uint64_t)PV_ENABLED, 1);
	if (!word)
		return;
	*word = 1;
	x->guest->eoi_pending = true;
}

void x86_pv_eoi_look(struct x86_vcpu *x)
{
	uint8_t *word = sw_guest_writable(x->v->vm, x->guest->eoi & ~(uint64_t)PV_ENABLED, 1);

	if (!x->guest->eoi_pending)
		return;
	x->guest->eoi_pending = false;
	if (word && (*word & 1))
		*word = 0; /* not taken: the offer is withdrawn */
	else
		x86_apic_eoi(x);
}

/* KVM_KVMCLOCK_CTRL: the guest is to learn that it was stopped. */
int x86_clock_stopped(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);

	(void)arg;
	if (!(x->guest->time & PV_ENABLED) ||
	    !sw_guest_memory(x->v->vm, x->guest->time & ~(uint64_t)PV_ENABLED, sizeof(struct clock_page)))
		return -EINVAL;
	x->guest->stopped = x->guest->clock_due = true;
	return 0;
}

/* Rates are a vCPU's; the VM's clock goes by the first one's, as their stable flag promises. */
static uint64_t vm_khz(const struct sw_vm *vm)
{
	return vm->n_vcpus ? khz_of(x86_vcpu(vm->vcpus[0])) : x86_host_khz(vm->model);
}

/* Every vCPU's page is to be written at its next entry. */
int x86_set_clock(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;
	struct x86_guests *g = x86_vm(vm)->guest;
	struct gk_clock_data d;
	uint64_t real = real_ns();

	if (sw_copy_in(&d, arg, sizeof(d)))
		return -EFAULT;
	if (d.flags & ~CLOCK_FLAGS)
		return -EINVAL;
	/* what has passed since it was read; never back */
	if ((d.flags & GK_CLOCK_REALTIME) && real > d.realtime)
		d.clock += real - d.realtime;
	tick(g, vm_khz(vm));
	g->clock_moved += d.clock - clock_ns(g, vm_khz(vm));
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		x86_vcpu(vm->vcpus[i])->guest->clock_due = true;
	return 0;
}

int x86_get_clock(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;
	struct x86_guests *g = x86_vm(vm)->guest;
	struct gk_clock_data d = { 0 };

	d.host_tsc = tick(g, vm_khz(vm));
	d.clock = clock_ns(g, vm_khz(vm));
	d.realtime = real_ns();
	/* until there is a vCPU nobody knows whether they go alike */
	if (vm->n_vcpus && !g->old_clock)
		d.flags = CLOCK_FLAGS;
	else
		d.realtime = d.host_tsc = 0;
	return sw_copy_out(arg, &d, sizeof(d));
}

void x86_pass(struct x86_vcpu *x, uint64_t cycles)
{
	x86_vm(x->v->vm)->guest->tsc += cycles;
}

static int set_time(struct x86_vcpu *x, uint64_t value, bool host, bool old)
{
	if (x->v->id == 0 && !host)
		x86_vm(x->v->vm)->guest->old_clock = old;
	x->guest->time = value;
	x->guest->clock_due = true;
	/* a guest's write is an exit, with an entry behind it */
	if (!host)
		x86_pv_enter(x);
	return 0;
}

static int set_wall(struct x86_vcpu *x, uint64_t value)
{
	x86_vm(x->v->vm)->guest->wall_clock = value;
	write_wall_clock(x, value);
	return 0;
}

static int set_apf(struct x86_vcpu *x, uint64_t value, bool host)
{
	struct x86_guest *g = x->guest;
	bool on, nowhere;

	if (value & APF_RESERVED)
		return -EINVAL;
	if ((value & APF_AS_VMEXIT) && !x86_pv_has(x, X86_F_KVM_ASYNCPF_VMEXIT))
		return -EINVAL;
	if ((value & APF_BY_INTERRUPT) && !x86_pv_has(x, X86_F_KVM_ASYNCPF_INT))
		return -EINVAL;
	if (!x86_lapic(x))
		return value ? -EINVAL : 0;
	on = (value & (PV_ENABLED | APF_BY_INTERRUPT)) == (PV_ENABLED | APF_BY_INTERRUPT);
	nowhere = on && !sw_guest_memory(x->v->vm, value & ~0x3fULL, 64);
	if (nowhere && sw_behaves(x86_model(x), BEHAVIOUR_APF_CHECKED_FIRST))
		return -EINVAL;
	g->apf_en = value;
	g->apf_wake = on && !nowhere;
	if (!g->apf_wake)
		return nowhere ? -EINVAL : 0;
	if (!host)
		x86_pv_enter(x);
	return 0;
}

static int set_apf_int(struct x86_vcpu *x, uint64_t value)
{
	if (value >> 8 || !x86_lapic(x))
		return -EINVAL;
	x->guest->apf_int = value;
	return 0;
}

static int set_apf_ack(struct x86_vcpu *x, uint64_t value)
{
	if (!(value & 1))
		return 0;
	x->guest->apf_ready = false;
	if (x->guest->apf_wake) /* without an entry */
		wake_apf(x);
	return 0;
}

static int set_steal(struct x86_vcpu *x, uint64_t value, bool host)
{
	if (!x86_kvm_has(x86_model(x), X86_F_KVM_STEAL_TIME) || (value & STEAL_RESERVED))
		return -EINVAL;
	x->guest->steal = value;
	if (value & PV_ENABLED)
		x->guest->steal_due = true;
	if (!host)
		x86_pv_enter(x);
	return 0;
}

static int set_eoi(struct x86_vcpu *x, uint64_t value)
{
	uint64_t address = value & ~(uint64_t)PV_ENABLED;

	if (address & EOI_ALIGNED)
		return -EINVAL;
	if ((value & PV_ENABLED) && !sw_guest_memory(x->v->vm, address, 1))
		return -EINVAL;
	x->guest->eoi = value;
	return 0;
}

/* The MSRs, and the feature that each belongs to. */
static const struct {
	unsigned msr;
	unsigned field;
} owners[] = {
	{ X86_M_KVM_WALL_CLOCK, X86_F_KVMCLOCK1 },
	{ X86_M_KVM_SYSTEM_TIME, X86_F_KVMCLOCK1 },
	{ X86_M_KVM_WALL_CLOCK_NEW, X86_F_KVMCLOCK2 },
	{ X86_M_KVM_SYSTEM_TIME_NEW, X86_F_KVMCLOCK2 },
	{ X86_M_KVM_ASYNC_PF_EN, X86_F_KVM_ASYNCPF },
	{ X86_M_KVM_STEAL_TIME, X86_F_KVM_STEAL_TIME },
	{ X86_M_KVM_PV_EOI, X86_F_KVM_PV_EOI },
	{ X86_M_KVM_POLL_CONTROL, X86_F_KVM_POLL_CONTROL },
	{ X86_M_KVM_ASYNC_PF_INT, X86_F_KVM_ASYNCPF_INT },
	{ X86_M_KVM_ASYNC_PF_ACK, X86_F_KVM_ASYNCPF_INT },
};

/* 0: *AT is its place in the table; X86_MSR_NOT_MINE: none of these; or -errno, enforced away. */
static int owned(const struct x86_vcpu *x, uint32_t index, unsigned *at)
{
	const unsigned n = sizeof(owners) / sizeof(owners[0]);

	for (*at = 0; *at < n && gcpu_facts_x86.msrs[owners[*at].msr].index != index;)
		++*at;
	if (*at == n)
		return X86_MSR_NOT_MINE;
	if (x86_pv_has(x, owners[*at].field))
		return 0;
	return sw_behaves(x86_model(x), BEHAVIOUR_PV_REFUSAL_UNKNOWN) ? -ENOENT : -EINVAL;
}

int x86_pv_msr_get(struct x86_vcpu *x, uint32_t index, bool host, uint64_t *ret)
{
	unsigned at;
	int status = owned(x, index, &at);

	(void)host;
	if (index == X86_MSR(TSC_DEADLINE)) {
		*ret = x86_deadline(x);
		return 0;
	}
	if (status)
		return status;
	switch (owners[at].msr) {
	case X86_M_KVM_WALL_CLOCK:
	case X86_M_KVM_WALL_CLOCK_NEW:
		*ret = x86_vm(x->v->vm)->guest->wall_clock;
		return 0;
	case X86_M_KVM_SYSTEM_TIME:
	case X86_M_KVM_SYSTEM_TIME_NEW:
		*ret = x->guest->time;
		return 0;
	case X86_M_KVM_ASYNC_PF_EN:
		*ret = x->guest->apf_en;
		return 0;
	case X86_M_KVM_STEAL_TIME:
		*ret = x->guest->steal;
		return 0;
	case X86_M_KVM_PV_EOI:
		*ret = x->guest->eoi;
		return 0;
	case X86_M_KVM_POLL_CONTROL:
		*ret = x->guest->poll;
		return 0;
	case X86_M_KVM_ASYNC_PF_INT:
		*ret = x->guest->apf_int;
		return 0;
	default:
		*ret = 0;
		return 0;
	}
}

int x86_pv_msr_set(struct x86_vcpu *x, uint32_t index, bool host, uint64_t value)
{
	unsigned at;
	int status = owned(x, index, &at);

	if (index == X86_MSR(TSC_DEADLINE)) {
		x86_set_deadline(x, value);
		return 0;
	}
	if (status)
		return status;
	switch (owners[at].msr) {
	case X86_M_KVM_WALL_CLOCK:
	case X86_M_KVM_WALL_CLOCK_NEW:
		return set_wall(x, value);
	case X86_M_KVM_SYSTEM_TIME:
	case X86_M_KVM_SYSTEM_TIME_NEW:
		return set_time(x, value, host, owners[at].msr == X86_M_KVM_SYSTEM_TIME);
	case X86_M_KVM_ASYNC_PF_EN:
		return set_apf(x, value, host);
	case X86_M_KVM_STEAL_TIME:
		return set_steal(x, value, host);
	case X86_M_KVM_PV_EOI:
		return set_eoi(x, value);
	case X86_M_KVM_POLL_CONTROL:
		if (value & ~1ULL)
			return -EINVAL;
		x->guest->poll = value;
		return 0;
	case X86_M_KVM_ASYNC_PF_INT:
		return set_apf_int(x, value);
	default:
		return set_apf_ack(x, value);
	}
}

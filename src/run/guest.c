/* SPDX-License-Identifier: MIT */
/* The guest port on a real VM: memory, lists of operations, errors. */
#define _GNU_SOURCE 1
#include "guest_priv.h"
#include "boot_arm64.h"
#include "boot_x86.h"
#include "../model/port.h"
#include <guestcpu/guestcpu.h>
#include <guestcpu/model.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_TIMEOUT_MS 10000
#define MEMORY_SLOT 0

_Static_assert(sizeof(struct guest_op) == 96, "guest_op is shared with the payload");

int run_fail(struct gcpu_error *err, int code, int os_error, const char *fmt, ...)
{
	va_list args;

	/* KVM had none */
	if (code == GCPU_ERR_KVM && os_error == ENOMEM)
		code = GCPU_ERR_MEMORY;
	if (!err)
		return code;
	memset(err, 0, sizeof(*err));
	err->code = code;
	err->os_error = os_error;
	err->offset = (size_t)-1;
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	return code;
}

int run_ioctl(const struct run_guest *g, int fd, unsigned long request, const void *arg)
{
	return g->kvm.ops->ioctl(g->kvm.ctx, fd, request, (uintptr_t)arg);
}

uint64_t run_area_address(const struct run_guest *g, unsigned vcpu)
{
	return g->base + GUEST_AREAS + (uint64_t)vcpu * GUEST_AREA_SIZE;
}

struct guest_area *run_area(const struct run_guest *g, unsigned vcpu)
{
	return (struct guest_area *)(g->memory + (run_area_address(g, vcpu) - g->base));
}

static const char *mp_state_name(const struct run_vcpu *v)
{
	static const char *const names[] = {
		[GK_MP_STATE_RUNNABLE] = "runnable",
		[GK_MP_STATE_UNINITIALIZED] = "uninitialised",
		[GK_MP_STATE_INIT_RECEIVED] = "waiting for SIPI",
		[GK_MP_STATE_HALTED] = "halted",
		[GK_MP_STATE_SIPI_RECEIVED] = "SIPI received",
		[GK_MP_STATE_STOPPED] = "stopped",
		[GK_MP_STATE_AP_RESET_HOLD] = "held in reset",
		[GK_MP_STATE_SUSPENDED] = "suspended",
	};
	struct gk_mp_state mp = {0};

	if (run_ioctl(v->guest, v->fd, GK_GET_MP_STATE, &mp) < 0)
		return "state unknown";
	if (mp.mp_state >= sizeof(names) / sizeof(names[0]) || !names[mp.mp_state])
		return "state unknown";
	return names[mp.mp_state];
}

/* "vCPU 1: what, at operation 3 (code 4), RIP 0x20123, halted" */
static int fail_at(struct run_vcpu *v, struct gcpu_error *err, int code, int os_error,
		   size_t at, const char *what)
{
	const struct guest_area *area = run_area(v->guest, v->index);
	char where[40] = "unknown";
	uint64_t pc;

	if (!err)
		return code;
	if (!run_arch_pc(v, &pc))
		snprintf(where, sizeof(where), "0x%llx", (unsigned long long)pc);
	return run_fail(err, code, os_error, "vCPU %u (id %u): %s, at operation %zu, %s %s, %s",
			v->index, v->id, what, at + (size_t)area->current, run_arch_pc_name, where,
			mp_state_name(v));
}

static const char *internal_name(uint32_t suberror)
{
	switch (suberror) {
	case GK_INTERNAL_ERROR_EMULATION:
		return "emulation failure";
	case GK_INTERNAL_ERROR_SIMUL_EX:
		return "simultaneous exceptions";
	case GK_INTERNAL_ERROR_DELIVERY_EV:
		return "exit during event delivery";
	case GK_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
		return "unexpected exit reason";
	default:
		return "other";
	}
}

static int fail_exit(struct run_vcpu *v, struct gcpu_error *err, size_t at)
{
	const struct gk_run *run = v->run;
	char what[120];

	switch (run->exit_reason) {
	case GK_EXIT_FAIL_ENTRY:
		snprintf(what, sizeof(what), "entry failed with hardware reason 0x%llx",
			 (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
		break;
	case GK_EXIT_INTERNAL_ERROR:
		snprintf(what, sizeof(what), "KVM internal error %u (%s)", run->internal.suberror,
			 internal_name(run->internal.suberror));
		break;
	case GK_EXIT_SHUTDOWN:
		snprintf(what, sizeof(what), "shutdown (triple fault)");
		break;
	case GK_EXIT_SYSTEM_EVENT:
		snprintf(what, sizeof(what), "system event %u", run->system_event.type);
		break;
	default:
		snprintf(what, sizeof(what), "exit reason %u", run->exit_reason);
		break;
	}
	return fail_at(v, err, GCPU_ERR_KVM, 0, at, what);
}

static int map_run(struct run_vcpu *v, struct gcpu_error *err)
{
	struct run_guest *g = v->guest;
	void *p;
	int r;

	if (v->run)
		return 0;
	r = g->kvm.ops->mmap(g->kvm.ctx, g->run_size, v->fd, &p);
	if (r < 0)
		return run_fail(err, GCPU_ERR_KVM, -r, "vCPU %u: cannot map its run page: %s", v->index,
				strerror(-r));
	v->run = p;
	return 0;
}

/* First run of this vCPU, or the first after a failure. */
static int prepare(struct run_vcpu *v, struct gcpu_error *err)
{
	int r = map_run(v, err);

	if (r || !v->fresh)
		return r;
	memset(run_area(v->guest, v->index), 0, sizeof(struct guest_area));
	r = run_arch_start(v, err);
	if (r)
		return r;
	v->fresh = 0;
	return 0;
}

/* What came of a vCPU that ran. */
static int outcome(struct run_vcpu *v, int r, size_t at, unsigned timeout_ms, struct gcpu_error *err)
{
	char what[80];

	if (r == GCPU_ERR_TIMEOUT) {
		snprintf(what, sizeof(what), "no answer within %u ms", timeout_ms);
		return fail_at(v, err, r, 0, at, what);
	}
	if (v->os_error) {
		snprintf(what, sizeof(what), "KVM_RUN: %s", strerror(v->os_error));
		return fail_at(v, err, GCPU_ERR_KVM, v->os_error, at, what);
	}
	switch (v->result) {
	case RUN_EXIT_DONE:
		return 0;
	case RUN_EXIT_HALT:
		return fail_at(v, err, GCPU_ERR_TIMEOUT, 0, at,
			       "halted without an interrupt controller that could wake it");
	case RUN_EXIT_DEAD:
		return fail_at(v, err, GCPU_ERR_INTERNAL, 0, at,
			       "the payload took an exception outside of an operation");
	default:
		return fail_exit(v, err, at);
	}
}

static struct timespec deadline_in(unsigned ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000L;
	}
	return t;
}

static struct guest_op *shared_list(struct run_vcpu *v)
{
	return (struct guest_op *)((unsigned char *)run_area(v->guest, v->index) + GUEST_AREA_OPS);
}

static void clear_results(struct guest_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ops[i].status = GUEST_STATUS_PENDING;
		memset(ops[i].res, 0, sizeof(ops[i].res));
		ops[i].fault = 0;
	}
}

/* One batch into guest memory. */
static int load_batch(struct run_vcpu *v, const struct guest_op *ops, size_t n, struct gcpu_error *err)
{
	struct guest_area *area = run_area(v->guest, v->index);
	int r = prepare(v, err);

	if (r)
		return r;
	memcpy(shared_list(v), ops, n * sizeof(*ops));
	clear_results(shared_list(v), n);
	area->count = n;
	area->current = 0;
	return 0;
}

static size_t list_length(const struct guest_op *ops, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (ops[i].code == GUEST_OP_END)
			return i + 1;
	return n;
}

static int port_run(void *ctx, unsigned vcpu, struct guest_op *ops, size_t n, unsigned timeout_ms,
		    struct gcpu_error *err)
{
	struct run_guest *g = ctx;
	struct timespec deadline;
	struct run_vcpu *v;
	size_t at, i;
	int r;

	if (vcpu >= g->n || (n && !ops))
		return run_fail(err, GCPU_ERR_ARGUMENT, 0, "no vCPU number %u, or no operations", vcpu);
	if (!timeout_ms)
		timeout_ms = DEFAULT_TIMEOUT_MS;
	deadline = deadline_in(timeout_ms);
	clear_results(ops, n);
	v = &g->vcpu[vcpu];
	n = list_length(ops, n);
	for (at = 0; at < n; at += i) {
		i = n - at < GUEST_AREA_OPS_MAX ? n - at : GUEST_AREA_OPS_MAX;
		r = load_batch(v, ops + at, i, err);
		if (r)
			return r;
		r = run_thread_go(v, err);
		if (r)
			return r;
		r = outcome(v, run_thread_wait(v, &deadline), at, timeout_ms, err);
		memcpy(ops + at, shared_list(v), i * sizeof(*ops));
		if (r) {
			v->fresh = 1;
			return r;
		}
	}
	return 0;
}

static int port_start(void *ctx, unsigned vcpu, const struct guest_op *ops, size_t n,
		      struct gcpu_error *err)
{
	struct run_guest *g = ctx;
	struct run_vcpu *v;
	int r;

	if (vcpu >= g->n || (n && !ops) || n > GUEST_AREA_OPS_MAX)
		return run_fail(err, GCPU_ERR_ARGUMENT, 0, "no vCPU number %u, or not one batch", vcpu);
	v = &g->vcpu[vcpu];
	if (v->out || v->paused)
		return run_fail(err, GCPU_ERR_ARGUMENT, 0, "vCPU number %u runs already", vcpu);
	r = n ? load_batch(v, ops, n, err) : map_run(v, err);
	if (!r)
		r = run_thread_go(v, err);
	return r;
}

static int port_finish(void *ctx, unsigned vcpu, struct guest_op *ops, size_t n, unsigned timeout_ms,
		       struct gcpu_error *err)
{
	struct run_guest *g = ctx;
	struct timespec deadline;
	struct run_vcpu *v;
	int r = 0;

	if (vcpu >= g->n || (n && !ops) || n > GUEST_AREA_OPS_MAX)
		return run_fail(err, GCPU_ERR_ARGUMENT, 0, "no vCPU number %u, or not one batch", vcpu);
	v = &g->vcpu[vcpu];
	if (!v->out && !v->paused)
		return run_fail(err, GCPU_ERR_ARGUMENT, 0, "vCPU number %u was not started", vcpu);
	if (!timeout_ms)
		timeout_ms = DEFAULT_TIMEOUT_MS;
	if (v->paused)
		r = run_thread_go(v, err);
	if (r)
		return r;
	v->paused = 0;
	deadline = deadline_in(timeout_ms);
	r = run_thread_wait(v, &deadline);
	v->paused = r == GCPU_ERR_TIMEOUT;
	r = outcome(v, r, 0, timeout_ms, err);
	if (n)
		memcpy(ops, shared_list(v), n * sizeof(*ops));
	if (r && !v->paused)
		v->fresh = 1;
	return r;
}

int run_guest_thread(const struct run_guest *g, unsigned vcpu)
{
	return vcpu < g->n ? __atomic_load_n(&g->vcpu[vcpu].tid, __ATOMIC_ACQUIRE) : 0;
}

void run_guest_plug(struct run_guest *g, unsigned vcpu, int vcpu_fd)
{
	if (vcpu >= g->n)
		return;
	g->vcpu[vcpu].fd = vcpu_fd;
	if (g->sw)
		sw_port_plug(g->sw, vcpu, vcpu_fd);
}

void run_guest_pin(struct run_guest *g, unsigned vcpu, int cpu)
{
	if (vcpu < g->n)
		g->vcpu[vcpu].pin = cpu;
}

static int set_memory(struct run_guest *g, uint64_t size)
{
	struct gk_userspace_memory_region region = {
		.slot = MEMORY_SLOT,
		.guest_phys_addr = g->base,
		.memory_size = size,
		.userspace_addr = (uintptr_t)g->memory,
	};

	return run_ioctl(g, g->vm_fd, GK_SET_USER_MEMORY_REGION, &region);
}

static int give_memory(struct run_guest *g, int kvm_fd, struct gcpu_error *err)
{
	const struct gcpu_kvm *kvm = &g->kvm;
	uint64_t size = GUEST_AREAS + (uint64_t)g->n * GUEST_AREA_SIZE;
	void *p;
	int r;

	if (size > RUN_MEMORY_MAX)
		return run_fail(err, GCPU_ERR_MACHINE, 0, "no room for %u vCPUs", g->n);
	r = kvm->ops->ioctl(kvm->ctx, kvm_fd, GK_GET_VCPU_MMAP_SIZE, 0);
	if (r < (int)sizeof(struct gk_run))
		return run_fail(err, GCPU_ERR_KVM, r < 0 ? -r : 0,
				"KVM_GET_VCPU_MMAP_SIZE: %s", r < 0 ? strerror(-r) : "too small");
	g->run_size = (size_t)r;
	r = kvm->ops->mmap(kvm->ctx, (size_t)size, -1, &p);
	if (r < 0)
		return run_fail(err, GCPU_ERR_MEMORY, -r, "no memory for the guest: %s", strerror(-r));
	g->memory = p;
	g->memory_size = (size_t)size;
	/* Before KVM may see it: arm64 cleans caches when it maps a page. */
	r = gcpu_model_of(kvm) ? 0 : run_arch_load(g, err);
	if (r)
		return r;
	r = set_memory(g, size);
	if (r < 0)
		return run_fail(err, GCPU_ERR_KVM, -r, "KVM_SET_USER_MEMORY_REGION: %s", strerror(-r));
	g->slot_set = 1;
	return 0;
}

int run_busy(const struct run_guest *g, unsigned vcpu)
{
	return g->sw ? sw_port_busy(g->sw, vcpu) : g->vcpu[vcpu].out || g->vcpu[vcpu].paused;
}

/* Over a model: nothing of this machine's architecture. */

static int sw_fresh(void *ctx, unsigned vcpu, struct gcpu_error *err)
{
	struct run_guest *g = ctx;

	if (g->base == RUN_X86_BASE)
		return run_x86_boot(&g->vcpu[vcpu], g->base + GUEST_PAYLOAD, err);
	return run_arm64_boot(&g->vcpu[vcpu], g->base + GUEST_PAYLOAD, g->base + GUEST_PAYLOAD, err);
}

static int sw_exit(void *ctx, unsigned vcpu, struct gk_run *run)
{
	struct run_guest *g = ctx;

	return g->exit_fn && g->exit_fn(g->exit_ctx, vcpu, run);
}

static int take_model(struct run_guest *g, int kvm_fd, const int *vcpu_fds, const unsigned *vcpu_ids,
		      struct gcpu_error *err)
{
	const struct sw_port_owner owner = { sw_fresh, sw_exit, g };
	int r = sw_port_new(&g->kvm, kvm_fd, vcpu_fds, vcpu_ids, g->n, &owner, &g->sw, err);

	if (r == 0)
		g->port = *sw_port_of(g->sw);
	return r;
}

static uint64_t base_of(const struct gcpu_kvm *kvm)
{
	const struct gcpu_model *m = gcpu_model_of(kvm);
	enum gcpu_arch arch = m ? gcpu_snapshot_arch(gcpu_model_host(m)) : gcpu_arch_native();

	return arch == GCPU_ARCH_X86 ? RUN_X86_BASE : RUN_ARM64_BASE;
}

int run_guest_new(const struct gcpu_kvm *kvm, int kvm_fd, int vm_fd, const int *vcpu_fds,
		  const unsigned *vcpu_ids, unsigned n, struct run_guest **ret,
		  struct gcpu_error *err)
{
	struct run_guest *g;
	unsigned i;
	int r = 0;

	if (!kvm || !kvm->ops || !vcpu_fds || !vcpu_ids || !n || !ret)
		return run_fail(err, GCPU_ERR_ARGUMENT, 0, "a backend, a VM and vCPUs are needed");
	g = calloc(1, sizeof(*g) + n * sizeof(g->vcpu[0]));
	if (!g)
		return run_fail(err, GCPU_ERR_MEMORY, ENOMEM, "out of memory");
	g->kvm = *kvm;
	g->vm_fd = vm_fd;
	g->base = base_of(kvm);
	g->port.run = port_run;
	g->port.start = port_start;
	g->port.finish = port_finish;
	g->port.ctx = g;
	for (i = 0; i < n && !r; i++) {
		struct run_vcpu *v = &g->vcpu[i];

		v->guest = g;
		v->index = i;
		v->id = vcpu_ids[i];
		v->fd = vcpu_fds[i];
		v->fresh = 1;
		v->pin = -1;
		r = run_thread_init(v);
		if (!r)
			g->n++;
	}
	if (r)
		r = run_fail(err, GCPU_ERR_MEMORY, r, "cannot prepare a thread: %s", strerror(r));
	else
		r = give_memory(g, kvm_fd, err);
	if (r == 0 && gcpu_model_of(kvm))
		r = take_model(g, kvm_fd, vcpu_fds, vcpu_ids, err);
	if (r) {
		run_guest_free(g);
		return r;
	}
	*ret = g;
	return 0;
}

void run_guest_free(struct run_guest *g)
{
	unsigned i;

	if (!g)
		return;
	sw_port_free(g->sw);
	for (i = 0; i < g->n; i++) {
		run_thread_free(&g->vcpu[i]);
		if (g->vcpu[i].run)
			g->kvm.ops->munmap(g->kvm.ctx, g->vcpu[i].run, g->run_size);
	}
	/* The VM may live on; it must not keep pointing at our memory. */
	if (g->slot_set)
		set_memory(g, 0);
	if (g->memory)
		g->kvm.ops->munmap(g->kvm.ctx, g->memory, g->memory_size);
	free(g);
}

const struct guest_port *run_guest_port(struct run_guest *g)
{
	return &g->port;
}

uint64_t run_guest_base(const struct run_guest *g)
{
	return g->base;
}

void *run_guest_scratch(struct run_guest *g, unsigned vcpu, uint64_t *ret_address,
			size_t *ret_size)
{
	uint64_t address;

	if (vcpu == RUN_GUEST_SHARED)
		address = g->base + GUEST_SHARED;
	else if (vcpu < g->n)
		address = run_area_address(g, vcpu) + GUEST_AREA_SCRATCH;
	else
		return NULL;
	*ret_address = address;
	*ret_size = vcpu == RUN_GUEST_SHARED ? GUEST_SHARED_SIZE : GUEST_AREA_SCRATCH_SIZE;
	return g->memory + (address - g->base);
}

void run_guest_set_exit(struct run_guest *g, int (*fn)(void *ctx, unsigned vcpu, struct gk_run *run),
			void *ctx)
{
	g->exit_fn = fn;
	g->exit_ctx = ctx;
}

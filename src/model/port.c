/* SPDX-License-Identifier: MIT */
#include "port.h"

#include "sw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct guest_op) == sizeof(struct gcpu_guest_op) &&
		       offsetof(struct guest_op, fault) == offsetof(struct gcpu_guest_op, fault),
	       "operations are the same within and without");

enum state {
	IDLE,	/* has no list, and is not run */
	OUT,	/* started, and not finished */
	PAUSED, /* stopped amid its list: the next finish() goes on */
};

enum result {
	DONE,	 /* the list is worked off */
	BLOCKED, /* waits for what others do */
	FAILED,	 /* KVM_RUN itself, or an exit that nobody handles: .why */
};

struct port_vcpu {
	int fd;
	unsigned id;
	struct gk_run *run; /* NULL before the first run */
	bool fresh;
	enum state state;
	enum result result;
	int os_error; /* of KVM_RUN */
	struct gcpu_guest_op *ops;
	size_t n, room;
};

struct sw_port {
	struct guest_port port;
	const struct gcpu_kvm *kvm;
	struct gcpu_model *model;
	struct sw_port_owner owner;
	size_t run_size;
	pthread_mutex_t lock; /* one thread drives */
	unsigned n;
	struct port_vcpu vcpu[];
};

static int call(const struct sw_port *p, int fd, unsigned long request, const void *arg)
{
	return p->kvm->ops->ioctl(p->kvm->ctx, fd, request, (uintptr_t)arg);
}

static struct sw_vcpu *inside(const struct sw_port *p, const struct port_vcpu *v)
{
	struct sw_fd *at = sw_fd_at(p->model, v->fd);

	return at && at->kind == SW_VCPU ? at->vcpu : NULL;
}

/* Where it is in its list; not 0: at the end. */
static int where(const struct sw_port *p, const struct port_vcpu *v, size_t *ret)
{
	struct sw_vcpu *in;
	int end = 0;

	*ret = 0;
	pthread_mutex_lock(&p->model->lock);
	in = inside(p, v);
	if (in) {
		*ret = in->at;
		end = v->n && in->at >= in->n_ops;
	}
	pthread_mutex_unlock(&p->model->lock);
	return end;
}

static uint64_t moves(const struct sw_port *p)
{
	uint64_t n;

	pthread_mutex_lock(&p->model->lock);
	n = p->model->moves;
	pthread_mutex_unlock(&p->model->lock);
	return n;
}

/* All stand still: whoever waits for a while only has waited long enough. */
static void pass_time(const struct sw_port *p, const struct port_vcpu *v, uint8_t waited)
{
	struct sw_vcpu *in;

	pthread_mutex_lock(&p->model->lock);
	in = inside(p, v);
	if (in)
		in->waited |= waited;
	pthread_mutex_unlock(&p->model->lock);
}

/* An exit that the owner did not take: what a guest gets of devices and calls that there are not. */
static bool usual_exit(struct sw_port *p, struct port_vcpu *v)
{
	struct gk_run *run = v->run;

	switch (run->exit_reason) {
	case GK_EXIT_INTR:
	case GK_EXIT_IRQ_WINDOW_OPEN:
		return true;
	case GK_EXIT_MMIO:
		if (!run->mmio.is_write)
			memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
		return true;
	case GK_EXIT_HYPERCALL:
		run->hypercall.ret = (uint64_t)-1000; /* no such call */
		return true;
	case GK_EXIT_X86_RDMSR:
	case GK_EXIT_X86_WRMSR:
		if (p->model->arch->arch != GCPU_ARCH_X86)
			return false;
		run->msr.error = 1; /* makes it fault */
		return true;
	default:
		return false;
	}
}

/* One vCPU, until it waits or is done. */
static void go(struct sw_port *p, unsigned index)
{
	struct port_vcpu *v = &p->vcpu[index];
	size_t at;

	v->os_error = 0;
	for (;;) {
		int r = call(p, v->fd, GK_RUN, NULL);

		if (r == -EAGAIN)
			continue; /* woken before it entered */
		if (r < 0 && r != -EINTR) {
			v->os_error = -r;
			v->result = FAILED;
			return;
		}
		if (r < 0) {
			v->result = where(p, v, &at) ? DONE : BLOCKED;
			return;
		}
		if (!(p->owner.exit && p->owner.exit(p->owner.ctx, index, v->run)) && !usual_exit(p, v)) {
			v->result = FAILED;
			return;
		}
	}
}

/* All that were started, until none of them moves. */
static void settle(struct sw_port *p)
{
	uint64_t before;

	do {
		before = moves(p);
		for (unsigned i = 0; i < p->n; i++)
			if (p->vcpu[i].state == OUT && p->vcpu[i].result == BLOCKED)
				go(p, i);
	} while (moves(p) != before);
}

/* Time passes for all; if that moves nobody, one after the other gives up waiting. Did any of it help? */
static bool wait_on(struct sw_port *p)
{
	uint64_t before = moves(p);

	for (unsigned i = 0; i < p->n; i++)
		if (p->vcpu[i].state == OUT && p->vcpu[i].result == BLOCKED)
			pass_time(p, &p->vcpu[i], SW_WAITED_TIME);
	settle(p);
	for (unsigned i = 0; i < p->n && moves(p) == before; i++) {
		if (p->vcpu[i].state != OUT || p->vcpu[i].result != BLOCKED)
			continue;
		pass_time(p, &p->vcpu[i], SW_WAITED_TIME | SW_WAITED_LONG);
		settle(p);
	}
	return moves(p) != before;
}

/* Until this one is done, or nobody moves even though time passes. */
static void drive(struct sw_port *p, unsigned index)
{
	struct port_vcpu *v = &p->vcpu[index];

	go(p, index);
	settle(p);
	while (v->result == BLOCKED && wait_on(p))
		;
}

static int fail(struct gcpu_error *err, int code, int os_error, const struct sw_port *p, unsigned index,
		const char *what)
{
	size_t at;

	where(p, &p->vcpu[index], &at);
	error_set(err, code, "vCPU %u (id %u): %s, at operation %zu", index, p->vcpu[index].id, what, at);
	if (err)
		err->os_error = os_error;
	return code;
}

static const char *exit_text(const struct gk_run *run, char *room, size_t size)
{
	switch (run->exit_reason) {
	case GK_EXIT_HLT:
		snprintf(room, size, "halted without an interrupt controller that could wake it");
		break;
	case GK_EXIT_SHUTDOWN:
		snprintf(room, size, "shutdown (triple fault)");
		break;
	case GK_EXIT_SYSTEM_EVENT:
		snprintf(room, size, "system event %u", run->system_event.type);
		break;
	default:
		snprintf(room, size, "exit reason %u", run->exit_reason);
		break;
	}
	return room;
}

static int outcome(const struct sw_port *p, unsigned index, struct gcpu_error *err)
{
	const struct port_vcpu *v = &p->vcpu[index];
	char what[120];

	switch (v->result) {
	case DONE:
		return 0;
	case BLOCKED:
		return fail(err, GCPU_ERR_TIMEOUT, 0, p, index, "nothing comes that it waits for");
	default:
		break;
	}
	if (v->os_error) {
		snprintf(what, sizeof(what), "KVM_RUN: %s", strerror(v->os_error));
		return fail(err, GCPU_ERR_KVM, v->os_error, p, index, what);
	}
	return fail(err, v->run->exit_reason == GK_EXIT_HLT ? GCPU_ERR_TIMEOUT : GCPU_ERR_KVM, 0, p, index,
		    exit_text(v->run, what, sizeof(what)));
}

static int map_run(struct sw_port *p, unsigned index, struct gcpu_error *err)
{
	struct port_vcpu *v = &p->vcpu[index];
	void *at;
	int r;

	if (v->run)
		return 0;
	r = p->kvm->ops->mmap(p->kvm->ctx, p->run_size, v->fd, &at);
	if (r < 0)
		return error_os(err, -r, "vCPU %u: cannot map its run page", index);
	v->run = at;
	return 0;
}

/* A list into the vCPU's own copy, and into the model. */
static int load(struct sw_port *p, unsigned index, const struct guest_op *ops, size_t n, struct gcpu_error *err)
{
	struct port_vcpu *v = &p->vcpu[index];
	int r = map_run(p, index, err);

	if (r == 0 && v->fresh && n) {
		r = p->owner.fresh ? p->owner.fresh(p->owner.ctx, index, err) : 0;
		if (r)
			return r;
		pthread_mutex_lock(&p->model->lock);
		if (p->model->arch->fresh && inside(p, v))
			p->model->arch->fresh(inside(p, v));
		pthread_mutex_unlock(&p->model->lock);
		v->fresh = false;
	}
	if (r)
		return r;
	if (n > v->room) {
		void *more = realloc(v->ops, n * sizeof(*v->ops));

		if (!more)
			return error_memory(err);
		v->ops = more;
		v->room = n;
	}
	if (n)
		memcpy(v->ops, ops, n * sizeof(*ops));
	v->n = n;
	r = gcpu_model_guest(p->model, v->fd, v->ops, n);
	return r ? error_set(err, r, "vCPU %u: not a vCPU of the model", index) : 0;
}

/* What is left of it does not run on, and is not written to any more. */
static void take_back(struct sw_port *p, unsigned index)
{
	gcpu_model_guest(p->model, p->vcpu[index].fd, NULL, 0);
	p->vcpu[index].state = IDLE;
}

static int bad(const struct sw_port *p, unsigned vcpu, const void *ops, size_t n, struct gcpu_error *err)
{
	return vcpu >= p->n || (n && !ops) ? error_set(err, GCPU_ERR_ARGUMENT, "no vCPU number %u, or no operations",
						       vcpu) : 0;
}

static int port_run(void *ctx, unsigned vcpu, struct guest_op *ops, size_t n, unsigned timeout_ms,
		    struct gcpu_error *err)
{
	struct sw_port *p = ctx;
	int r = bad(p, vcpu, ops, n, err);

	(void)timeout_ms;
	if (r)
		return r;
	for (size_t i = 0; i < n; i++) {
		ops[i].status = GUEST_STATUS_PENDING;
		memset(ops[i].res, 0, sizeof(ops[i].res));
		ops[i].fault = 0;
	}
	pthread_mutex_lock(&p->lock);
	r = n ? load(p, vcpu, ops, n, err) : 0;
	if (r == 0 && n) {
		p->vcpu[vcpu].state = OUT;
		drive(p, vcpu);
		r = outcome(p, vcpu, err);
		memcpy(ops, p->vcpu[vcpu].ops, n * sizeof(*ops));
		take_back(p, vcpu);
		p->vcpu[vcpu].fresh = r != 0;
	}
	pthread_mutex_unlock(&p->lock);
	return r;
}

static int port_start(void *ctx, unsigned vcpu, const struct guest_op *ops, size_t n, struct gcpu_error *err)
{
	struct sw_port *p = ctx;
	int r = bad(p, vcpu, ops, n, err);

	if (r)
		return r;
	pthread_mutex_lock(&p->lock);
	if (p->vcpu[vcpu].state != IDLE)
		r = error_set(err, GCPU_ERR_ARGUMENT, "vCPU number %u runs already", vcpu);
	else
		r = load(p, vcpu, ops, n, err);
	if (r == 0) {
		p->vcpu[vcpu].state = OUT;
		p->vcpu[vcpu].result = BLOCKED;
		settle(p);
	}
	pthread_mutex_unlock(&p->lock);
	return r;
}

static int port_finish(void *ctx, unsigned vcpu, struct guest_op *ops, size_t n, unsigned timeout_ms,
		       struct gcpu_error *err)
{
	struct sw_port *p = ctx;
	struct port_vcpu *v;
	int r = bad(p, vcpu, ops, n, err);

	(void)timeout_ms;
	if (r)
		return r;
	v = &p->vcpu[vcpu];
	pthread_mutex_lock(&p->lock);
	if (v->state == IDLE) {
		pthread_mutex_unlock(&p->lock);
		return error_set(err, GCPU_ERR_ARGUMENT, "vCPU number %u was not started", vcpu);
	}
	v->state = OUT;
	if (v->result == BLOCKED)
		drive(p, vcpu);
	r = outcome(p, vcpu, err);
	if (n)
		memcpy(ops, v->ops, (n < v->n ? n : v->n) * sizeof(*ops));
	if (v->result == BLOCKED)
		v->state = PAUSED;
	else
		take_back(p, vcpu);
	v->fresh = v->fresh || v->result == FAILED;
	pthread_mutex_unlock(&p->lock);
	return r;
}

int sw_port_new(const struct gcpu_kvm *kvm, int kvm_fd, const int *vcpu_fds, const unsigned *vcpu_ids, unsigned n,
		const struct sw_port_owner *owner, struct sw_port **ret, struct gcpu_error *err)
{
	struct gcpu_model *model = gcpu_model_of(kvm);
	struct sw_port *p;
	int size;

	if (!model || !n)
		return error_set(err, GCPU_ERR_ARGUMENT, "a model and vCPUs are needed");
	size = kvm->ops->ioctl(kvm->ctx, kvm_fd, GK_GET_VCPU_MMAP_SIZE, 0);
	if (size < 0)
		return error_os(err, -size, "KVM_GET_VCPU_MMAP_SIZE");
	p = calloc(1, sizeof(*p) + n * sizeof(p->vcpu[0]));
	if (!p)
		return error_memory(err);
	pthread_mutex_init(&p->lock, NULL);
	p->port = (struct guest_port){ port_run, port_start, port_finish, p };
	p->kvm = kvm;
	p->model = model;
	p->owner = *owner;
	p->run_size = (size_t)size;
	p->n = n;
	for (unsigned i = 0; i < n; i++) {
		p->vcpu[i].fd = vcpu_fds[i];
		p->vcpu[i].id = vcpu_ids[i];
		p->vcpu[i].fresh = true;
	}
	*ret = p;
	return 0;
}

void sw_port_free(struct sw_port *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->n; i++) {
		gcpu_model_guest(p->model, p->vcpu[i].fd, NULL, 0);
		if (p->vcpu[i].run)
			p->kvm->ops->munmap(p->kvm->ctx, p->vcpu[i].run, p->run_size);
		free(p->vcpu[i].ops);
	}
	pthread_mutex_destroy(&p->lock);
	free(p);
}

const struct guest_port *sw_port_of(struct sw_port *p)
{
	return &p->port;
}

void sw_port_plug(struct sw_port *p, unsigned vcpu, int vcpu_fd)
{
	p->vcpu[vcpu].fd = vcpu_fd;
}

int sw_port_busy(const struct sw_port *p, unsigned vcpu)
{
	return p->vcpu[vcpu].state != IDLE;
}

/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include "kvm/abi.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

struct run_machine {
	const struct gcpu_kvm *kvm;
	const struct gcpu_plan *plan;
	int kvm_fd;
	unsigned n, late; /* vCPUs, and how many of them at the end are not there yet */
	bool bare;	  /* see run_options */
	struct gcpu_fds fds;
	int *planned;   /* descriptors of all vCPUs of the plan, -1 where there is none */
	unsigned *which; /* number in the plan */
	int *vcpus;
	unsigned *ids;
	struct gcpu_view **views;
	struct run_guest *guest;
};

static int create_vcpus(struct run_machine *m, unsigned from, unsigned to, struct gcpu_error *err)
{
	for (unsigned i = from; i < to; i++) {
		m->vcpus[i] = m->kvm->ops->ioctl(m->kvm->ctx, m->fds.vm, GK_CREATE_VCPU, m->ids[i]);
		if (m->vcpus[i] < 0)
			return error_os(err, -m->vcpus[i], "KVM_CREATE_VCPU %u", m->ids[i]);
		m->planned[m->which[i]] = m->vcpus[i];
	}
	return 0;
}

/* Of the recipe's steps that are the caller's own, the one about KVM_CREATE_VM. */
static int take_type(void *ctx, const struct gcpu_step *s)
{
	if (s->phase == GCPU_PHASE_RUN && strcmp(s->call, "KVM_CREATE_VM") == 0)
		*(unsigned long *)ctx = (unsigned long)s->args[0].value;
	return 0;
}

static int create_vm(struct run_machine *m, struct gcpu_error *err)
{
	int status = gcpu_plan_apply(m->plan, GCPU_PHASE_PROCESS, m->kvm, &m->fds, err);
	unsigned long type = 0;

	if (status)
		return status;
	gcpu_plan_recipe(m->plan, take_type, &type);
	m->fds.vm = m->kvm->ops->ioctl(m->kvm->ctx, m->kvm_fd, GK_CREATE_VM, type);
	if (m->fds.vm < 0)
		return error_os(err, -m->fds.vm, "KVM_CREATE_VM");
	return 0;
}

static int configure_bare(struct run_machine *m, const struct run_options *o, struct gcpu_error *err)
{
	int status = create_vm(m, err);

	if (status == 0 && o->before_vcpus)
		status = o->before_vcpus(o->ctx, m, err);
	return status ? status : create_vcpus(m, 0, m->n - m->late, err);
}

static int configure(struct run_machine *m, const struct run_options *o, struct gcpu_error *err)
{
	int status = create_vm(m, err);

	if (status == 0)
		status = gcpu_plan_apply(m->plan, GCPU_PHASE_VM, m->kvm, &m->fds, err);
	if (status == 0 && o->before_vcpus)
		status = o->before_vcpus(o->ctx, m, err);
	if (status == 0)
		status = create_vcpus(m, 0, m->n - m->late, err);
	if (status == 0)
		status = gcpu_plan_apply(m->plan, GCPU_PHASE_ALL_VCPUS, m->kvm, &m->fds, err);
	if (status == 0)
		status = gcpu_plan_apply(m->plan, GCPU_PHASE_VM_ONCE, m->kvm, &m->fds, err);
	if (status == 0 && m->fds.gic >= 0)
		status = run_arm64_gic_init(m->kvm, m->fds.gic, m->n, err);
	if (status == 0)
		status = gcpu_plan_apply(m->plan, GCPU_PHASE_VCPU, m->kvm, &m->fds, err);
	return status;
}

int run_machine_plug(struct run_machine *m, struct gcpu_error *err)
{
	unsigned old = m->n - m->late;
	int status;

	for (unsigned i = 0; i < old; i++) /* these have been configured */
		m->planned[m->which[i]] = -1;
	status = create_vcpus(m, old, m->n, err);
	if (status == 0 && !m->bare)
		status = gcpu_plan_apply(m->plan, GCPU_PHASE_ALL_VCPUS, m->kvm, &m->fds, err);
	if (status == 0 && !m->bare)
		status = gcpu_plan_apply(m->plan, GCPU_PHASE_VCPU, m->kvm, &m->fds, err);
	for (unsigned i = old; status == 0 && m->guest && i < m->n; i++)
		run_guest_plug(m->guest, i, m->vcpus[i]);
	m->late = 0;
	return status;
}

static int allocate(struct run_machine *m, const struct run_options *o)
{
	unsigned all = gcpu_plan_vcpus(m->plan);

	m->planned = malloc(all * sizeof(*m->planned));
	m->which = calloc(m->n, sizeof(*m->which));
	m->vcpus = malloc(m->n * sizeof(*m->vcpus));
	m->ids = calloc(m->n, sizeof(*m->ids));
	m->views = calloc(m->n, sizeof(*m->views));
	/* before anything may be closed */
	for (unsigned i = 0; m->vcpus && i < m->n; i++)
		m->vcpus[i] = -1;
	if (!m->planned || !m->which || !m->vcpus || !m->ids || !m->views)
		return GCPU_ERR_MEMORY;
	for (unsigned i = 0; i < all; i++)
		m->planned[i] = -1;
	for (unsigned i = 0; i < m->n; i++) {
		m->which[i] = o->vcpus ? o->vcpus[i] : i;
		m->ids[i] = o->ids ? o->ids[i] : gcpu_plan_vcpu_id(m->plan, m->which[i]);
		if (gcpu_view_new(m->plan, m->which[i], &m->views[i]))
			return GCPU_ERR_MEMORY;
	}
	return 0;
}

int run_machine_new(const struct gcpu_kvm *kvm, int kvm_fd, const struct gcpu_plan *plan,
		    const struct run_options *options, struct run_machine **ret,
		    struct gcpu_error *err)
{
	const struct run_options usual = { .vcpus = NULL };
	struct run_machine *m = calloc(1, sizeof(*m));
	int status;

	if (!m)
		return error_memory(err);
	options = options ? options : &usual;
	m->kvm = kvm;
	m->kvm_fd = kvm_fd;
	m->plan = plan;
	m->n = options->vcpus ? options->n : gcpu_plan_vcpus(plan);
	m->late = options->late;
	m->bare = options->bare;
	m->fds.size = sizeof(m->fds);
	m->fds.kvm = kvm_fd;
	m->fds.vm = m->fds.gic = -1;
	status = allocate(m, options) ? error_memory(err) : 0;
	m->fds.vcpus = m->planned;
	if (status == 0)
		status = options->bare ? configure_bare(m, options, err) : configure(m, options, err);
	if (status) {
		run_machine_free(m);
		return status;
	}
	*ret = m;
	return 0;
}

static void close_fd(const struct run_machine *m, int fd)
{
	if (fd >= 0)
		m->kvm->ops->close(m->kvm->ctx, fd);
}

void run_machine_free(struct run_machine *m)
{
	if (!m)
		return;
	run_guest_free(m->guest);
	for (unsigned i = 0; i < m->n; i++) {
		if (m->views)
			gcpu_view_free(m->views[i]);
		if (m->vcpus)
			close_fd(m, m->vcpus[i]);
	}
	close_fd(m, m->fds.gic);
	close_fd(m, m->fds.vm);
	free(m->planned);
	free(m->which);
	free(m->vcpus);
	free(m->ids);
	free(m->views);
	free(m);
}

int run_machine_vm(const struct run_machine *m)
{
	return m->fds.vm;
}

int run_machine_vcpu(const struct run_machine *m, unsigned vcpu)
{
	return vcpu < m->n ? m->vcpus[vcpu] : -1;
}

unsigned run_machine_vcpu_id(const struct run_machine *m, unsigned vcpu)
{
	return m->ids[vcpu];
}

struct run_guest *run_machine_guest(struct run_machine *m, struct gcpu_error *err)
{
	if (!m->guest && run_guest_new(m->kvm, m->kvm_fd, m->fds.vm, m->vcpus, m->ids, m->n,
				       &m->guest, err))
		return NULL;
	return m->guest;
}

/* The questions of one view as a list of guest operations. */
struct sheet {
	struct list ops; /* guest_op */
	int status;
};

static int add_question(void *ctx, const struct gcpu_question *q)
{
	static const uint32_t codes[] = { [GCPU_ASK_CPUID] = GUEST_OP_CPUID,
					  [GCPU_ASK_MSR] = GUEST_OP_RDMSR,
					  [GCPU_ASK_REGISTER] = GUEST_OP_MRS };
	struct sheet *s = ctx;
	struct guest_op *op = list_add(&s->ops, sizeof(*op));

	if (!op)
		return GCPU_ERR_MEMORY;
	op->code = codes[q->kind];
	op->arg[0] = q->kind == GCPU_ASK_CPUID ? q->leaf :
		     q->kind == GCPU_ASK_MSR   ? q->id : (q->id & 0xffff);
	op->arg[1] = q->subleaf;
	op->arg[5] = q->id; /* ours: the guest does not look at it */
	return 0;
}

static int take_answers(struct gcpu_view *v, const struct sheet *s)
{
	for (size_t i = 0; i < s->ops.n; i++) {
		const struct guest_op *op = LIST_AT(&s->ops, struct guest_op, i);
		uint32_t regs[4];
		int status = 0;

		if (op->status != GUEST_STATUS_DONE)
			continue;
		for (int r = 0; r < 4; r++)
			regs[r] = (uint32_t)op->res[r];
		if (op->code == GUEST_OP_CPUID)
			status = gcpu_view_guest_cpuid(v, (uint32_t)op->arg[0], (uint32_t)op->arg[1], regs);
		else if (op->code == GUEST_OP_RDMSR)
			status = gcpu_view_guest_msr(v, (uint32_t)op->arg[5], op->res[0]);
		else
			status = gcpu_view_guest_register(v, op->arg[5], op->res[0]);
		if (status)
			return status;
	}
	return 0;
}

/* A guest that fails is noted, not returned: 0 or a lack of memory. */
static int ask_guest(struct run_machine *m, unsigned vcpu, unsigned timeout_ms,
		     struct gcpu_error *guest)
{
	const struct guest_port *port = run_guest_port(m->guest);
	struct sheet sheet = { { 0 }, 0 };
	struct gcpu_error failed = { 0 };
	int status = gcpu_view_questions(m->views[vcpu], add_question, &sheet);

	if (status == 0 && sheet.ops.n &&
	    port->run(port->ctx, vcpu, sheet.ops.items, sheet.ops.n, timeout_ms, &failed) &&
	    !guest->code)
		*guest = failed;
	if (status == 0)
		status = take_answers(m->views[vcpu], &sheet);
	list_free(&sheet.ops);
	return status;
}

int run_machine_look(struct run_machine *m, unsigned timeout_ms,
		     void (*progress)(void *ctx, unsigned done, unsigned all), void *ctx,
		     struct gcpu_error *ret_guest, struct gcpu_error *err)
{
	int status = 0;

	memset(ret_guest, 0, sizeof(*ret_guest));
	for (unsigned i = 0; i < m->n; i++) {
		status = gcpu_plan_readback(m->plan, m->kvm, m->vcpus[i], m->views[i], err);
		if (status)
			return status;
	}
	if (!run_machine_guest(m, ret_guest))
		return 0;
	for (unsigned i = 0; i < m->n; i++) {
		if (ask_guest(m, i, timeout_ms, ret_guest))
			return error_memory(err);
		if (progress)
			progress(ctx, i + 1, m->n);
		/* one that hangs would hang on every vCPU: no need to wait for all */
		if (ret_guest->code == GCPU_ERR_TIMEOUT)
			break;
	}
	return 0;
}

struct gcpu_view *const *run_machine_views(const struct run_machine *m)
{
	return m->views;
}

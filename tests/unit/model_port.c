/* SPDX-License-Identifier: MIT */
/* The guest port over a software KVM: lists, their ends, and vCPUs that stand still. */
#include "unit.h"

#include "core/guest_port.h"
#include "run/machine.h"

#include <guestcpu/model.h>

#define CR4_PAE 0x20U /* what a vCPU in long mode has */
#define EFER 0xc0000080U

struct fixture {
	struct gcpu_snapshot *snap;
	struct gcpu_model *model;
	struct gcpu_request *request;
	struct gcpu_plan *plan;
	struct run_machine *vm;
	struct run_guest *guest;
	int fd;
};

static bool set_up(struct fixture *f, const char *host)
{
	struct gcpu_error err = { 0 };
	struct gcpu_machine m;
	const struct gcpu_kvm *kvm;
	int status;

	memset(f, 0, sizeof(*f));
	f->fd = -1;
	gcpu_machine_init(&m);
	m.vcpus = 2;
	status = gcpu_snapshot_bundled(host, &f->snap, &err);
	if (status == 0)
		status = gcpu_request_parse(gcpu_snapshot_arch(f->snap), "host", &f->request, &err);
	if (status == 0)
		status = gcpu_plan_make(f->snap, f->request, &m, &f->plan, &err);
	if (status == 0)
		status = gcpu_model_new(f->snap, NULL, &f->model, &err);
	if (status == 0) {
		kvm = gcpu_model_kvm(f->model);
		f->fd = kvm->ops->open(kvm->ctx, "/dev/kvm", 0);
		status = run_machine_new(kvm, f->fd, f->plan, NULL, &f->vm, &err);
	}
	if (status == 0)
		f->guest = run_machine_guest(f->vm, &err);
	CHECK(f->guest, "%s: %s", host, err.text);
	return f->guest;
}

static void tear_down(struct fixture *f)
{
	run_machine_free(f->vm);
	gcpu_model_free(f->model);
	gcpu_plan_free(f->plan);
	gcpu_request_free(f->request);
	gcpu_snapshot_free(f->snap);
}

static void lists(struct fixture *f)
{
	const struct guest_port *port = run_guest_port(f->guest);
	struct guest_op ops[] = {
		{ .code = GUEST_OP_RDCR, .arg = { 4 } },
		{ .code = GUEST_OP_RDMSR, .arg = { 0xdeadbeef } }, /* no such MSR: #GP */
		{ .code = GUEST_OP_RDMSR, .arg = { EFER } },
		{ .code = 9999 },
		{ .code = GUEST_OP_END },
		{ .code = GUEST_OP_RDCR, .arg = { 4 } },
	};
	struct gcpu_error err = { 0 };

	CHECK(port->run(port->ctx, 1, ops, 6, 0, &err) == 0, "%s", err.text);
	CHECK(ops[0].status == GUEST_STATUS_DONE && ops[0].res[0] == CR4_PAE, "CR4 0x%llx",
	      (unsigned long long)ops[0].res[0]);
	CHECK(ops[1].status == GUEST_STATUS_FAULT && ops[1].fault == 13, "%u", ops[1].status);
	CHECK(ops[2].status == GUEST_STATUS_DONE && (ops[2].res[0] & 0x500) == 0x500, "long mode");
	CHECK(ops[3].status == GUEST_STATUS_UNKNOWN, "%u", ops[3].status);
	CHECK(ops[4].status == GUEST_STATUS_DONE, "%u", ops[4].status);
	CHECK(ops[5].status == GUEST_STATUS_PENDING, "behind the end: %u", ops[5].status);
	CHECK(port->run(port->ctx, 2, ops, 1, 0, &err) == GCPU_ERR_ARGUMENT, "no such vCPU");
	CHECK(port->run(port->ctx, 0, ops, 0, 0, &err) == 0, "an empty list");
}

/* Started, it cannot be started again; finished once, it is done. */
static void halves(struct fixture *f)
{
	const struct guest_port *port = run_guest_port(f->guest);
	struct guest_op op = { .code = GUEST_OP_RDCR, .arg = { 4 } };
	struct gcpu_error err = { 0 };

	CHECK(port->finish(port->ctx, 0, &op, 1, 0, &err) == GCPU_ERR_ARGUMENT, "not started");
	CHECK(port->start(port->ctx, 0, &op, 1, &err) == 0, "%s", err.text);
	CHECK(port->start(port->ctx, 0, &op, 1, &err) == GCPU_ERR_ARGUMENT, "twice");
	CHECK(port->finish(port->ctx, 0, &op, 1, 0, &err) == 0, "%s", err.text);
	CHECK(op.status == GUEST_STATUS_DONE && op.res[0] == CR4_PAE, "%u", op.status);
	CHECK(port->finish(port->ctx, 0, &op, 1, 0, &err) == GCPU_ERR_ARGUMENT, "finished");
	/* a vCPU without a list goes nowhere by itself */
	CHECK(port->start(port->ctx, 1, NULL, 0, &err) == 0, "%s", err.text);
	CHECK(port->finish(port->ctx, 1, NULL, 0, 0, &err) == GCPU_ERR_TIMEOUT, "%s", err.text);
	CHECK(port->start(port->ctx, 1, &op, 1, &err) == GCPU_ERR_ARGUMENT, "it stands");
}

int main(void)
{
	struct fixture f;

	if (set_up(&f, "x86-amd-rome-6-12")) {
		lists(&f);
		halves(&f);
	}
	tear_down(&f);
	return unit_end();
}

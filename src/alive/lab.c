/* SPDX-License-Identifier: MIT */
/* The VM of an exercise. */
#include "lab.h"

#include "core/util.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int say(struct outcome *out, enum gcpu_alive alive, const char *format, ...)
{
	va_list args;

	out->alive = alive;
	va_start(args, format);
	vsnprintf(out->witness, sizeof(out->witness), format, args);
	va_end(args);
	return 1;
}

int observe(struct outcome *out, const char *word, const char *format, ...)
{
	va_list args;

	out->alive = GCPU_ALIVE_WORKS;
	snprintf(out->observed, sizeof(out->observed), "%s", word);
	va_start(args, format);
	vsnprintf(out->witness, sizeof(out->witness), format, args);
	va_end(args);
	return 1;
}

/* The user's request with WORDS behind it. */
static int make_plan(struct lab *lab, const struct lab_want *want, struct gcpu_error *err)
{
	const struct alive_options *o = lab->alive->o;
	struct gcpu_machine machine = want->machine ? *want->machine : *o->machine;
	const char *request = want->plain ? "host" : o->request;
	const char *words = want->words ? want->words : "";
	size_t room = strlen(request) + strlen(words) + 1;
	char *text = malloc(room);
	int status;

	if (!text)
		return error_memory(err);
	snprintf(text, room, "%s%s", request, words);
	if (want->plain && !want->machine)
		gcpu_machine_init(&machine);
	if (!want->machine) {
		machine.vcpus = want->vcpus ? want->vcpus : 2;
		machine.sockets = machine.dies = machine.modules = machine.cores = machine.threads = 0;
	}
	status = gcpu_request_parse(gcpu_snapshot_arch(o->snapshot), text, &lab->request, err);
	free(text);
	if (status == 0)
		status = gcpu_plan_make(o->snapshot, lab->request, &machine, &lab->plan, err);
	if (status == 0 && gcpu_plan_refused(lab->plan))
		return error_set(err, GCPU_ERR_REFUSED, "the plan of its own VM is refused");
	return status;
}

int lab_open(struct alive *a, const struct lab_want *want, struct lab *lab, struct outcome *out)
{
	struct gcpu_error err = { 0 };
	int status;

	memset(lab, 0, sizeof(*lab));
	lab->alive = a;
	lab->out = out;
	status = make_plan(lab, want, &err);
	if (status == 0)
		status = run_machine_new(a->o->kvm, a->o->kvm_fd, lab->plan, &want->run, &lab->vm, &err);
	if (status)
		return say(out, GCPU_ALIVE_INCONCLUSIVE, "no VM for it: %s", err.text);
	lab->vcpus = want->run.vcpus ? want->run.n : gcpu_plan_vcpus(lab->plan);
	lab->khz = alive_khz(lab);
	if (want->no_guest)
		return 0;
	lab->guest = run_machine_guest(lab->vm, &err);
	if (!lab->guest)
		return say(out, GCPU_ALIVE_INCONCLUSIVE, "no guest for it: %s", err.text);
	lab->port = run_guest_port(lab->guest);
	return 0;
}

void lab_close(struct lab *lab)
{
	run_machine_free(lab->vm);
	gcpu_plan_free(lab->plan);
	gcpu_request_free(lab->request);
	memset(lab, 0, sizeof(*lab));
}

unsigned lab_left(const struct lab *lab)
{
	const struct timespec *end = &lab->alive->deadline;
	struct timespec now;
	long long ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (end->tv_sec - now.tv_sec) * 1000LL + (end->tv_nsec - now.tv_nsec) / 1000000;
	return ms > 1 ? (unsigned)ms : 1;
}

void lab_sleep(unsigned ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000L };

	while (nanosleep(&t, &t) < 0)
		;
}

static int told(struct lab *lab, int status, const struct gcpu_error *err)
{
	if (status)
		say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "%s", err->text);
	return status;
}

int lab_run(struct lab *lab, unsigned vcpu, struct guest_op *ops, size_t n)
{
	struct gcpu_error err = { 0 };

	return told(lab, lab->port->run(lab->port->ctx, vcpu, ops, n, lab_left(lab), &err), &err);
}

int lab_start(struct lab *lab, unsigned vcpu, const struct guest_op *ops, size_t n)
{
	struct gcpu_error err = { 0 };

	return told(lab, lab->port->start(lab->port->ctx, vcpu, ops, n, &err), &err);
}

int lab_finish(struct lab *lab, unsigned vcpu, struct guest_op *ops, size_t n)
{
	struct gcpu_error err = { 0 };

	return told(lab, lab->port->finish(lab->port->ctx, vcpu, ops, n, lab_left(lab), &err), &err);
}

int lab_ended(struct lab *lab, unsigned vcpu, struct guest_op *ops, size_t n, unsigned ms)
{
	struct gcpu_error err = { 0 };
	int status = lab->port->finish(lab->port->ctx, vcpu, ops, n, ms, &err);

	if (status == 0)
		return 1;
	return status == GCPU_ERR_TIMEOUT ? 0 : told(lab, status, &err);
}

int lab_vm_ioctl(const struct lab *lab, unsigned long request, const void *arg)
{
	const struct gcpu_kvm *kvm = lab->alive->o->kvm;

	return kvm->ops->ioctl(kvm->ctx, run_machine_vm(lab->vm), request, (uintptr_t)arg);
}

int lab_vm_number(const struct lab *lab, unsigned long request, unsigned long arg)
{
	const struct gcpu_kvm *kvm = lab->alive->o->kvm;

	return kvm->ops->ioctl(kvm->ctx, run_machine_vm(lab->vm), request, arg);
}

int lab_vcpu_ioctl(const struct lab *lab, unsigned vcpu, unsigned long request, const void *arg)
{
	const struct gcpu_kvm *kvm = lab->alive->o->kvm;

	return kvm->ops->ioctl(kvm->ctx, run_machine_vcpu(lab->vm, vcpu), request, (uintptr_t)arg);
}

void *lab_memory(struct lab *lab, unsigned vcpu, uint64_t *ret_address)
{
	size_t size;

	return run_guest_scratch(lab->guest, vcpu, ret_address, &size);
}

uint64_t lab_wrong(const struct lab *lab, uint64_t wrong, uint64_t right)
{
	if (lab->alive->o->ret_wrong)
		*lab->alive->o->ret_wrong = true;
	return lab->alive->o->right ? right : wrong;
}

void lab_cpus(int ret[2])
{
	cpu_set_t set;
	int n = 0;

	ret[0] = ret[1] = 0;
	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
		if (CPU_ISSET(cpu, &set))
			ret[n++] = cpu;
	if (n == 1)
		ret[1] = ret[0];
}

const struct pv_fact *pv_fact(const struct alive *a, unsigned field)
{
	for (unsigned i = 0; i < a->facts->n_pv; i++)
		if (a->facts->pv[i].field == field)
			return &a->facts->pv[i];
	return NULL;
}

uint32_t pv_msr(const struct alive *a, unsigned field, unsigned i)
{
	const struct pv_fact *f = pv_fact(a, field);

	return f && i < f->n_msrs ? f->msr[i] : 0;
}

uint32_t pv_call(const struct alive *a, unsigned field, unsigned i)
{
	const struct pv_fact *f = pv_fact(a, field);

	return f && i < f->n_calls ? f->call[i] : 0;
}

uint32_t hypercall_number(const struct alive *a, unsigned call)
{
	return call < a->facts->n_calls ? a->facts->calls[call].number : 0;
}

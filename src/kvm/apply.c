/* SPDX-License-Identifier: MIT */
/* Carries out a recipe on the caller's descriptors, and reads back. */
#include "abi.h"
#include "abi_arm64.h"
#include "abi_x86.h"
#include "call.h"
#include "core/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct target {
	const struct gcpu_plan *plan;
	const struct gcpu_kvm *kvm;
	struct gcpu_fds *fds;
	int fd;
	unsigned vcpu;
};

static uint64_t arg(const struct gcpu_step *s, const char *name)
{
	for (unsigned i = 0; i < s->n_args; i++)
		if (strcmp(s->args[i].name, name) == 0)
			return s->args[i].value;
	return 0;
}

static int do_prctl(const struct target *t, const struct gcpu_step *s)
{
	uint64_t unused;

	return t->kvm->ops->guest_perm(t->kvm->ctx, (int)arg(s, "code"), arg(s, "feature"), &unused);
}

static int do_enable_cap(const struct target *t, const struct gcpu_step *s)
{
	return call_enable_cap(t->kvm, t->fd, (uint32_t)arg(s, "cap"), arg(s, "args[0]"));
}

static int do_create_irqchip(const struct target *t, const struct gcpu_step *s)
{
	(void)s;
	return call_number(t->kvm, t->fd, GK_CREATE_IRQCHIP, 0);
}

static int do_create_device(const struct target *t, const struct gcpu_step *s)
{
	struct gk_create_device d;
	int status;

	memset(&d, 0, sizeof(d));
	d.type = (uint32_t)arg(s, "type");
	status = call(t->kvm, t->fd, GK_CREATE_DEVICE, &d);
	if (status >= 0)
		t->fds->gic = (int)d.fd;
	return status;
}

static int do_set_cpuid(const struct target *t, const struct gcpu_step *s)
{
	size_t n = 0;
	struct gcpu_cpuid *e;
	struct snap_cpuid *table;
	int status;

	(void)s;
	gcpu_plan_cpuid(t->plan, t->vcpu, NULL, &n);
	e = calloc(n + 1, sizeof(*e));
	table = calloc(n + 1, sizeof(*table));
	status = e && table && gcpu_plan_cpuid(t->plan, t->vcpu, e, &n) == 0 ? 0 : -ENOMEM;
	for (size_t i = 0; status == 0 && i < n; i++)
		table[i] = (struct snap_cpuid){ e[i].leaf, e[i].subleaf, e[i].flags,
						{ e[i].eax, e[i].ebx, e[i].ecx, e[i].edx } };
	if (status == 0)
		status = call_set_cpuid(t->kvm, t->fd, table, n);
	free(e);
	free(table);
	return status;
}

static int do_set_msr(const struct target *t, const struct gcpu_step *s)
{
	int status = call_set_msr(t->kvm, t->fd, (uint32_t)arg(s, "index"), arg(s, "value"));

	/* KVM has no errno for an MSR that it does not take */
	return status == 1 ? -EINVAL : status;
}

static int do_tsc_khz(const struct target *t, const struct gcpu_step *s)
{
	return call_number(t->kvm, t->fd, GK_SET_TSC_KHZ, (unsigned long)arg(s, "khz"));
}

static int do_setup_mce(const struct target *t, const struct gcpu_step *s)
{
	uint64_t cap = arg(s, "mcg_cap");

	return call(t->kvm, t->fd, GK_X86_SETUP_MCE, &cap);
}

static int do_vcpu_init(const struct target *t, const struct gcpu_step *s)
{
	return call_vcpu_init(t->kvm, t->fd, (uint32_t)arg(s, "target"), (uint32_t)arg(s, "features[0]"));
}

static uint64_t own_register(const struct target *t, uint64_t id)
{
	const struct facts *f = t->plan->facts;

	for (unsigned i = 0; i < f->n_words; i++)
		if (f->words[i].addr == id)
			return plan_word_value(t->plan, t->vcpu, i);
	return 0;
}

static int do_set_reg(const struct target *t, const struct gcpu_step *s)
{
	/* a step without a value is about a register that each vCPU has its own of */
	uint64_t value[8] = { s->n_args > 1 ? arg(s, "value") : own_register(t, arg(s, "id")) };

	return call_set_reg(t->kvm, t->fd, arg(s, "id"), value);
}

static int do_finalize(const struct target *t, const struct gcpu_step *s)
{
	int feature = (int)arg(s, "feature");

	return call(t->kvm, t->fd, GK_ARM_VCPU_FINALIZE, &feature);
}

static int do_device_attr(const struct target *t, const struct gcpu_step *s)
{
	int value = (int)arg(s, "value");
	struct gk_device_attr a;

	memset(&a, 0, sizeof(a));
	a.group = (uint32_t)arg(s, "group");
	a.attr = arg(s, "attr");
	a.addr = (uintptr_t)&value;
	return call(t->kvm, t->fd, GK_SET_DEVICE_ATTR, &a);
}

static const struct {
	const char *call;
	int (*carry_out)(const struct target *, const struct gcpu_step *);
} calls[] = {
	{ "arch_prctl", do_prctl },
	{ "KVM_ENABLE_CAP", do_enable_cap },
	{ "KVM_CREATE_IRQCHIP", do_create_irqchip },
	{ "KVM_CREATE_DEVICE", do_create_device },
	{ "KVM_SET_CPUID2", do_set_cpuid },
	{ "KVM_SET_MSRS", do_set_msr },
	{ "KVM_SET_TSC_KHZ", do_tsc_khz },
	{ "KVM_X86_SETUP_MCE", do_setup_mce },
	{ "KVM_ARM_VCPU_INIT", do_vcpu_init },
	{ "KVM_SET_ONE_REG", do_set_reg },
	{ "KVM_ARM_VCPU_FINALIZE", do_finalize },
	{ "KVM_SET_DEVICE_ATTR", do_device_attr },
};

/* Which call failed on which descriptor, what its errno means there, and why the step is there. */
static int step_failed(const struct target *t, const struct gcpu_step *s, int error, struct gcpu_error *err)
{
	const char *name = errno_name(error), *meaning = NULL, *what = s->n_args ? s->args[0].text : NULL;
	char vcpu[32] = "", value[32] = "";

	for (unsigned i = 0; name && i < gcpu_n_errors; i++)
		if (strcmp(gcpu_errors[i].call, s->call) == 0 && strcmp(gcpu_errors[i].name, name) == 0)
			meaning = gcpu_errors[i].meaning;
	if (s->phase == GCPU_PHASE_VCPU || s->phase == GCPU_PHASE_ALL_VCPUS)
		snprintf(vcpu, sizeof(vcpu), "vCPU %u: ", t->vcpu);
	/* what it is about, and what it was to be */
	if (what && s->n_args > 1 && strcmp(s->args[1].name, "value") == 0)
		snprintf(value, sizeof(value), " = 0x%llx", (unsigned long long)s->args[1].value);
	error_os(err, error, "%s%s%s%s%s (%s)", vcpu, s->call, what ? " " : "", what ? what : "", value, s->why);
	if (err && meaning) {
		size_t n = strlen(err->text);

		snprintf(err->text + n, sizeof(err->text) - n, ", %s", meaning);
	}
	return error == ENOMEM ? GCPU_ERR_MEMORY : GCPU_ERR_KVM;
}

static int carry_out(const struct target *t, const struct gcpu_step *s, struct gcpu_error *err)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		int status;

		if (strcmp(calls[i].call, s->call) != 0)
			continue;
		status = calls[i].carry_out(t, s);
		return status >= 0 ? 0 : step_failed(t, s, -status, err);
	}
	return error_set(err, GCPU_ERR_INTERNAL, "no such call '%s'", s->call);
}

/* All steps of a phase on one descriptor. */
static int run_phase(struct target *t, enum gcpu_phase phase, struct gcpu_error *err)
{
	for (size_t i = 0; i < t->plan->recipe.n; i++) {
		const struct gcpu_step *s = LIST_AT(&t->plan->recipe, struct gcpu_step, i);
		int status = s->phase == phase ? carry_out(t, s, err) : 0;

		if (status)
			return status;
	}
	return 0;
}

/* The first vCPU from number NTH on that has been created; as many as the plan has: none. */
static unsigned created(const struct target *t, unsigned nth)
{
	while (nth < t->plan->machine.vcpus && t->fds->vcpus[nth] < 0)
		nth++;
	return nth;
}

/* A phase of vCPUs: on each that there is, or through the first. */
static int run_vcpus(struct target *t, enum gcpu_phase phase, struct gcpu_error *err)
{
	unsigned n = t->plan->machine.vcpus;

	t->vcpu = created(t, 0);
	if (t->vcpu == n)
		return error_set(err, GCPU_ERR_ARGUMENT, "no vCPU has been created: all descriptors are negative");
	for (; t->vcpu < n; t->vcpu = created(t, t->vcpu + 1)) {
		int status;

		t->fd = t->fds->vcpus[t->vcpu];
		status = run_phase(t, phase, err);
		if (status || phase == GCPU_PHASE_VM_ONCE)
			return status;
	}
	return 0;
}

int gcpu_plan_apply(const struct gcpu_plan *plan, enum gcpu_phase phase, const struct gcpu_kvm *kvm,
		    struct gcpu_fds *fds, struct gcpu_error *err)
{
	struct target t = { plan, kvm, fds, -1, 0 };

	if (!plan || !kvm || !kvm->ops || kvm->ops->size < sizeof(*kvm->ops) || !fds)
		return error_set(err, GCPU_ERR_ARGUMENT, "no plan, backend or descriptors");
	if (fds->size != sizeof(*fds))
		return error_set(err, GCPU_ERR_ARGUMENT, "struct gcpu_fds has a wrong size");
	if (phase == GCPU_PHASE_RUN)
		return error_set(err, GCPU_ERR_ARGUMENT, "phase %d is the caller's own work, while the "
				 "guest runs: nothing to apply", (int)phase);
	if ((unsigned)phase > GCPU_PHASE_VCPU)
		return error_set(err, GCPU_ERR_ARGUMENT, "no such phase %d", (int)phase);
	if (phase >= GCPU_PHASE_ALL_VCPUS && !fds->vcpus)
		return error_set(err, GCPU_ERR_ARGUMENT, "no vCPUs");
	if (plan->refused)
		return error_set(err, GCPU_ERR_REFUSED, "a refused plan is not applied");
	if (phase >= GCPU_PHASE_ALL_VCPUS)
		return run_vcpus(&t, phase, err);
	if (phase == GCPU_PHASE_VM) {
		fds->gic = -1;
		t.fd = fds->vm;
	}
	return run_phase(&t, phase, err);
}

/* SPDX-License-Identifier: MIT */
/* A software KVM without memory: made, probed, given a plan, run; and its calls one by one. */
#include "exhaust.h"

#include "kvm/abi.h"
#include "kvm/abi_arm64.h"
#include "kvm/abi_more.h"
#include "kvm/abi_x86.h"
#include "run/machine.h"

#include <guestcpu/model.h>

#include <errno.h>

static struct gcpu_snapshot *host; /* that the bodies are about */
static const char *kernel;	   /* NULL: its own */

static int count(void *ctx, const char *data, size_t n)
{
	(void)data;
	*(size_t *)ctx += n;
	return 0;
}

static size_t length(const struct gcpu_snapshot *s)
{
	size_t n = 0;
	bool on = memory.on;

	memory.on = false;
	CHECK(gcpu_snapshot_write(s, count, &n) == 0, "write");
	memory.on = on;
	return n;
}

static int make(struct gcpu_model **ret)
{
	struct gcpu_model_options o = { .size = sizeof(o), .kernel = kernel };
	struct gcpu_error err = { 0 };
	int status;

	*ret = NULL;
	status = check_error(gcpu_model_new(host, &o, ret, &err), &err);
	CHECK(status == 0 || !*ret, "written on failure");
	return status;
}

static int new_model(void)
{
	struct gcpu_model *m;
	int status = make(&m);

	wrote = status ? 0 : length(gcpu_model_host(m));
	gcpu_model_free(m);
	return status;
}

/* A model and its /dev/kvm. */
static int open_model(struct gcpu_model **ret, const struct gcpu_kvm **ret_kvm, int *ret_fd)
{
	int status = make(ret);

	if (status)
		return status;
	*ret_kvm = gcpu_model_kvm(*ret);
	*ret_fd = (*ret_kvm)->ops->open((*ret_kvm)->ctx, "/dev/kvm", 0);
	CHECK(*ret_fd >= 0 || *ret_fd == -ENOMEM, "open: %d", *ret_fd);
	return *ret_fd < 0 ? GCPU_ERR_MEMORY : 0;
}

static int probe(void)
{
	struct gcpu_probe_options o = { .size = sizeof(o), .no_trial = kernel != NULL };
	struct gcpu_snapshot *s = NULL;
	struct gcpu_error err = { 0 };
	const struct gcpu_kvm *kvm;
	struct gcpu_model *m;
	int fd, status = open_model(&m, &kvm, &fd);

	if (status == 0)
		status = check_error(gcpu_snapshot_probe(kvm, fd, &o, &s, &err), &err);
	wrote = s ? length(s) : 0;
	gcpu_snapshot_free(s);
	gcpu_model_free(m);
	return status;
}

static int lists(struct run_machine *vm, struct gcpu_error *err)
{
	struct guest_op ops[] = {
		{ .code = GUEST_OP_CPUID, .arg = { 1 } },
		{ .code = GUEST_OP_WRMSR, .arg = { 0x4b564d01, 0x1001 } },
		{ .code = GUEST_OP_MRS, .arg = { 0xc000 } },
		{ .code = GUEST_OP_HYPERCALL, .arg = { 5 } },
		{ .code = GUEST_OP_LOAD, .arg = { 0xfee00020, 4 } },
		{ .code = GUEST_OP_END },
	};
	struct run_guest *g = run_machine_guest(vm, err);
	int status = g ? 0 : err->code;

	for (unsigned i = 0; i < 2 && status == 0; i++)
		status = run_guest_port(g)->run(run_guest_port(g)->ctx, i, ops, sizeof(ops) / sizeof(ops[0]), 0, err);
	return status;
}

/* A plan, given to the model and looked at from inside. */
static int machine(void)
{
	struct gcpu_request *req = NULL;
	struct gcpu_plan *plan = NULL;
	struct run_machine *vm = NULL;
	struct gcpu_error err = { 0 }, guest = { 0 };
	const struct gcpu_kvm *kvm;
	struct gcpu_summary sum;
	struct gcpu_machine m;
	struct gcpu_model *model;
	int fd, status = open_model(&model, &kvm, &fd);

	gcpu_machine_init(&m);
	m.vcpus = 2;
	m.gic = GCPU_GIC_V3;
	if (status == 0)
		status = check_error(gcpu_request_parse(gcpu_snapshot_arch(host), "host", &req, &err), &err);
	if (status == 0)
		status = check_error(gcpu_plan_make(gcpu_model_host(model), req, &m, &plan, &err), &err);
	if (status == 0)
		status = check_error(run_machine_new(kvm, fd, plan, NULL, &vm, &err), &err);
	if (status == 0)
		status = run_machine_look(vm, 0, NULL, NULL, &guest, &err);
	if (status == 0 && guest.code)
		status = guest.os_error == ENOMEM ? GCPU_ERR_MEMORY : guest.code;
	if (status == 0)
		status = gcpu_verify(plan, run_machine_views(vm), 2, NULL, NULL, &sum);
	wrote = status ? 0 : sum.matched;
	if (status == 0)
		status = lists(vm, &err) == GCPU_ERR_KVM && err.os_error == ENOMEM ? GCPU_ERR_MEMORY : err.code;
	run_machine_free(vm);
	gcpu_plan_free(plan);
	gcpu_request_free(req);
	gcpu_model_free(model);
	return status;
}

/* Calls that keep something. */
static const struct {
	enum gcpu_arch arch;
	bool vm;
	unsigned long request;
	uint32_t words[8];
} calls[] = {
	{ GCPU_ARCH_X86, true, GK_SET_GSI_ROUTING, { 2, 0, 0, GK_IRQ_ROUTING_MSI } },
	{ GCPU_ARCH_X86, true, GK_X86_SET_MSR_FILTER, { 0 } },
	{ GCPU_ARCH_X86, true, GK_SET_CLOCK, { 1 } },
	{ GCPU_ARCH_X86, true, GK_SET_PIT2, { 0 } },
	{ GCPU_ARCH_X86, true, GK_IRQFD, { 0 } },
	{ GCPU_ARCH_X86, true, GK_SET_USER_MEMORY_REGION, { 0, 0, 0, 0, 4096 } },
	{ GCPU_ARCH_X86, false, GK_SET_CPUID2, { 1, 0, 1, 0, 0, 1, 2, 3 } },
	{ GCPU_ARCH_X86, false, GK_SET_CPUID, { 1, 0, 1, 1, 2, 3, 4 } },
	{ GCPU_ARCH_X86, false, GK_SET_MSRS, { 1, 0, 0x174, 0, 1 } },
	{ GCPU_ARCH_X86, false, GK_SET_MSRS, { 1, 0, 0x175, 0, 1 } },
	{ GCPU_ARCH_X86, false, GK_SET_XSAVE, { 0 } },
	{ GCPU_ARCH_X86, false, GK_GET_XSAVE, { 0 } },
	{ GCPU_ARCH_X86, false, GK_SET_FPU, { 0 } },
	{ GCPU_ARCH_X86, false, GK_GET_LAPIC, { 0 } },
	{ GCPU_ARCH_X86, false, GK_X86_SETUP_MCE, { 4 } },
	{ GCPU_ARCH_X86, false, GK_SET_TSC_KHZ, { 0 } },
	{ GCPU_ARCH_ARM64, true, GK_SET_USER_MEMORY_REGION, { 0, 0, 0, 0, 4096 } },
	{ GCPU_ARCH_ARM64, true, GK_IRQFD, { 0 } },
	{ GCPU_ARCH_ARM64, false, GK_ARM_VCPU_INIT, { 5, 4 } },
	{ GCPU_ARCH_ARM64, false, GK_GET_REG_LIST, { 4000 } },
	{ GCPU_ARCH_ARM64, false, GK_SET_MP_STATE, { 0 } },
};

static int one_by_one(void)
{
	static uint8_t at[65536];
	const struct gcpu_kvm *kvm;
	struct gcpu_model *m;
	int fd, vm, status = open_model(&m, &kvm, &fd), vcpu[3] = { -1, -1, -1 };
	bool spent = false;

	if (status) {
		gcpu_model_free(m);
		return status;
	}
	vm = kvm->ops->ioctl(kvm->ctx, fd, GK_CREATE_VM, 0);
	if (vm >= 0 && gcpu_snapshot_arch(host) == GCPU_ARCH_X86)
		spent = kvm->ops->ioctl(kvm->ctx, vm, GK_CREATE_IRQCHIP, 0) == -ENOMEM;
	for (unsigned i = 0; i < 3 && vm >= 0; i++) {
		void *page;

		vcpu[i] = kvm->ops->ioctl(kvm->ctx, vm, GK_CREATE_VCPU, i);
		spent = spent || vcpu[i] == -ENOMEM;
		if (vcpu[i] >= 0 && kvm->ops->mmap(kvm->ctx, 4096, vcpu[i], &page) == 0)
			kvm->ops->munmap(kvm->ctx, page, 4096);
	}
	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]) && vcpu[0] >= 0; i++) {
		int r;

		if (calls[i].arch != gcpu_snapshot_arch(host))
			continue;
		memset(at, 0, sizeof(at));
		memcpy(at, calls[i].words, sizeof(calls[i].words));
		r = kvm->ops->ioctl(kvm->ctx, calls[i].vm ? vm : vcpu[0], calls[i].request, (uintptr_t)at);
		spent = spent || r == -ENOMEM;
		wrote += (size_t)(r + 4096);
	}
	if (vcpu[0] >= 0)
		kvm->ops->ioctl(kvm->ctx, vcpu[0], GK_RUN, 0);
	gcpu_model_free(m);
	return vm == -ENOMEM || spent ? GCPU_ERR_MEMORY : 0;
}

static const struct body bodies[] = {
	{ "gcpu_model_new", new_model },
	{ "probe of a model", probe },
	{ "plan, machine, guest", machine },
	{ "calls", one_by_one },
};

static void all(const char *name, const char *series, unsigned from, unsigned to)
{
	struct gcpu_error err;

	kernel = series;
	CHECK(gcpu_snapshot_bundled(name, &host, &err) == 0, "%s", err.text);
	printf("%s as %s\n", name, series ? series : "itself");
	for (unsigned i = from; i < to; i++)
		exhaust(&bodies[i]);
	gcpu_snapshot_free(host);
}

int main(void)
{
	for (unsigned i = 0; gcpu_snapshot_bundled_name(i); i++) {
		all(gcpu_snapshot_bundled_name(i), NULL, 0, 1);
		all(gcpu_snapshot_bundled_name(i), "6.18", 0, 1);
	}
	all("x86-amd-rome-6-12", NULL, 1, 4);
	all("arm64-kvm-neoverse-n1-6-12", NULL, 1, 4);
	return unit_end();
}
